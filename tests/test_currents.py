"""Currents and what they add up to: leads, bonds, torques and densities of a run balance."""

from functools import cache

import numpy as np
from finite_chain import SIGMA
from propagation import run, unit_vectors
from scipy.integrate import simpson

from llgnegf import ChainLead, OpenSystem, RotatingFrame, WideBandLead, bloch_wall, chain, cone
from llgnegf.problem.magnetism.energies import Zeeman
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession
from llgnegf.units import G_E, HBAR


@cache
def pumping(**options):  # type: ignore[no-untyped-def]
    """Three moments that turn between a chain and two wide bands, one of them on the same site; a bias wave on top."""
    leads = [
        ChainLead(site=0, coupling=0.8, voltage=lambda t: 0.3 * np.sin(0.4 * t / HBAR) ** 2),
        WideBandLead(site=-1, broadening=0.6),
        WideBandLead(site=0, broadening=0.2),
    ]
    system = OpenSystem(chain(3, 1.0, [0.8, -0.6, 1.0]), leads, 0.2, 0.2)
    motion = Precession(unit_vectors(np.random.default_rng(3), 3), 0.4, axis=[1, 1, 2])
    return system, run(system, motion, rtol=1e-5, **options)


def test_outflow_is_the_time_integral_of_the_current():
    """Simpson's rule on rows 0.02 hbar/eV apart; the integrand has no frequency above some 4 eV."""
    _, got = pumping(t_end=6, save_every=0.02)
    t = got.times * HBAR
    for flow, total, unit in (
        ("lead_current", "lead_charge_out", 1.0),
        ("lead_spin_current", "lead_spin_out", HBAR),
        ("lead_energy_current", "lead_energy_out", 1.0),
    ):
        integral = simpson(got[flow], x=t, axis=0) / unit
        np.testing.assert_allclose(got[total][-1], integral, rtol=0, atol=2e-5)
        assert not np.any(got[total][0])


def test_charge_of_the_device_is_what_did_not_leave():
    _, got = pumping(t_end=12, save_every=3)
    kept = got["charge_density"].sum(axis=1) + got["lead_charge_out"].sum(axis=1)
    # Both are carried by the same linear method: the sum changes by round-off alone.
    np.testing.assert_allclose(kept, kept[0], rtol=0, atol=1e-12)


def test_spin_of_the_device_is_what_the_moments_gave_and_did_not_leave():
    """d/dt of (1/2) sum <sigma> is the sum of the torques minus the spin currents into the leads."""
    _, got = pumping(t_end=6, save_every=0.02)
    given = simpson(got["torque"].sum(axis=1), x=got.times, axis=0)
    left = got["lead_spin_out"][-1].sum(axis=0)
    change = 0.5 * (got["spin_density"][-1] - got["spin_density"][0]).sum(axis=0)
    np.testing.assert_allclose(change, given - left, rtol=0, atol=1e-6)


def test_bond_currents_and_lead_currents_balance_the_density_of_every_site():
    """dn_i/dt by central differences of the rows against the currents at i."""
    step = 0.02
    system, got = pumping(t_end=6, save_every=0.02)
    rate = (got["charge_density"][2:] - got["charge_density"][:-2]) / (2 * step * HBAR)
    expected = np.zeros_like(got["charge_density"])
    for bond, (i, j) in enumerate(system.electrons.bonds):
        expected[:, i] -= got["bond_current"][:, bond]
        expected[:, j] += got["bond_current"][:, bond]
    for p, lead in enumerate(system.leads):
        expected[:, lead.site] -= got["lead_current"][:, p]
    # h^2/6 of the third derivative, in units of (eV/hbar)^3 of order one
    late = got.times[1:-1] > 1  # the wide band joins smoothly in a thermal start; voltages start at t = 0
    np.testing.assert_allclose(rate[late], expected[1:-1][late], rtol=0, atol=step**2)


def test_energy_of_the_device_is_the_work_of_the_moments_minus_what_left():
    """d Tr[rho H]/dt = Tr[rho dH/dt] - outflow, Tr[rho dH/dt] = -sum_i J_i <s_i>.dM_i/dt."""
    system, got = pumping(t_end=6, save_every=0.02)
    velocity = np.cross(0.4 * np.array([1, 1, 2]) / np.sqrt(6), got["moments"])  # per hbar/eV
    power = -np.einsum("i,tia,tia->t", system.electrons.j_sd, got["spin_density"], velocity)
    work = simpson(power, x=got.times)
    energy = got["energy_electronic"] + got["energy_sd"]
    assert abs(energy[-1] - energy[0] - work + got["lead_energy_out"][-1].sum()) < 1e-6


def test_no_charge_and_energy_flow_in_equilibrium_and_spin_only_as_exchange():
    """A noncollinear texture at rest carries equilibrium spin currents on bonds; into the leads nothing flows."""
    texture = unit_vectors(np.random.default_rng(0), 3)
    leads = [ChainLead(site=0, coupling=0.8), WideBandLead(site=-1, broadening=0.5)]
    got = run(OpenSystem(chain(3, 1.0, 1.0), leads, 0.2, 0.2), Frozen(texture), t_end=1, save_every=1, rtol=1e-4)
    for name in ("lead_current", "lead_spin_current", "lead_energy_current", "bond_current"):
        assert np.abs(got[name][0]).max() < 1e-12, name
    assert np.abs(got["bond_spin_current"]).max() > 1e-3
    # what a site gets through its bonds is minus the torque of the sd coupling on it
    divergence = np.array([[0, 0, 0], *got["bond_spin_current"][0], [0, 0, 0]])
    np.testing.assert_allclose(got["torque"][0], np.diff(divergence, axis=0), rtol=0, atol=1e-12)


def test_steady_precession_pumps_what_the_moments_lose():
    """Sum rule: sum_i T_z = sum of the spin currents S_z into the leads, and both are the oracle's."""
    wall, w = bloch_wall(3, 2, 0.9), 0.2
    system = OpenSystem(chain(3, 1.0, 1.0), [ChainLead(site=0), ChainLead(site=-1)], 0.0, 0.1)
    got = run(system, Precession(wall, w, ramp=50 * HBAR), t_end=140, save_every=10, rtol=1e-7)
    pumped = got["lead_spin_current"][-2:, :, 2]
    np.testing.assert_allclose(got["torque"][-2:, :, 2].sum(axis=1), pumped.sum(axis=1), rtol=0, atol=1e-6)
    exact = RotatingFrame(system, wall, w).lead_currents().spin[:, 2]
    np.testing.assert_allclose(pumped, [exact, exact], rtol=0, atol=1e-6)


def test_angular_momentum_changes_by_what_left_and_what_the_field_gave():
    """(1/2) sum <sigma> - sum mu/(g hbar) M, plus the spin in the leads, turns by the field's torque mu M x B alone.

    With B along z its z component is kept exactly.
    """
    magnet = Magnet(cone(2, 0.9, [0.0, 1.0]), magnetic_moment=2.0, energies=[Zeeman([0, 0, 150.0])])
    system = OpenSystem(chain(2, 1.0, 0.7), [ChainLead(site=0), ChainLead(site=-1)], 0.1, 0.2)
    got = run(system, magnet, t_end=30, save_every=5, rtol=1e-8)
    total = got["angular_momentum"][:, 2] + got["lead_spin_out"][:, :, 2].sum(axis=1)
    np.testing.assert_allclose(total, total[0], rtol=0, atol=1e-8)
    by_hand = 0.5 * got["spin_density"].sum(axis=1) - 2.0 / G_E * got["moments"].sum(axis=1)
    np.testing.assert_allclose(got["angular_momentum"], by_hand, rtol=0, atol=1e-12)


def test_columns_are_the_observables_of_the_density_matrix():
    system, got = pumping(t_end=2, save_every=1, step=0.05)  # fixed steps end on the rows
    for row, rho in enumerate(got.density_matrices):
        blocks = np.array([rho[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] for i in range(3)])
        spin = np.einsum("ist,ats->ia", blocks, SIGMA).real
        np.testing.assert_allclose(got["spin_density"][row], spin, rtol=0, atol=1e-14)
        np.testing.assert_allclose(got["charge_density"][row], np.trace(blocks, axis1=1, axis2=2).real, atol=1e-14)
        torque = system.electrons.j_sd[:, None] * np.cross(spin, got["moments"][row])
        np.testing.assert_allclose(got["torque"][row], torque, rtol=0, atol=1e-14)
