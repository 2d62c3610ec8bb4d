"""Magnets that are layers of their own: moments on one electron site, on several, on none; sites without a moment.

Electrons see m_i = sum_k P_ik M_k, moment k feels sum_i P_ik J_i <s_i> x M_k. Judged by scipy, by the run whose moments
are one on each site, by exact balances and by tensors of `ResponseTensors`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st
from propagation import unit_vectors
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

import llgnegf as ln
from llgnegf.config import ConfigError, RunConfig
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.kernels import reference
from llgnegf.equations.slow import SlowEquation
from llgnegf.integrators.heun import Noise
from llgnegf.plots.run import plot_run
from llgnegf.poles.channels import expand
from llgnegf.problem.magnetism.placement import Placement
from llgnegf.run.relax import FreeEnergy
from llgnegf.run.slow_simulation import slow_electrons
from llgnegf.units import G_E, HBAR

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
SITES = ([0, 2], None, 3)
"""Four electron sites, site 1 without a moment; of three moments the second one on none."""
P = np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]])
J_SD = np.array([0.6, 0.9, 0.4, 0.8])


def electrons(**options: object) -> ln.Electrons:
    return ln.chain(4, [1.0, 0.8, 1.1], J_SD, [0.1, -0.2, 0.0, 0.3], **options)  # type: ignore[arg-type]


def device(open_ends: bool = False, kT: float = 0.05, **options: object) -> ln.OpenSystem:
    leads = [ln.ChainLead(0, coupling=0.8), ln.ChainLead(-1)] if open_ends else []
    return ln.OpenSystem(electrons(**options), leads, fermi_energy=0.1, kT=kT)


def layer(**changes: object) -> ln.Magnet:
    options: dict = {"magnetic_moment": [2.0, 3.0, 4.0], "energies": ln.Exchange([0.05, 0.08]), "sites": SITES}
    return ln.Magnet(unit_vectors(np.random.default_rng(7), 3), **(options | changes))


def mixed(n: int, seed: int = 3) -> np.ndarray:
    """A density matrix of no symmetry, (n, n)."""
    rng = np.random.default_rng(seed)
    orbitals = np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]
    return (orbitals * rng.uniform(size=n)) @ orbitals.conj().T


def brute_force(magnet: ln.Magnet, rho: np.ndarray, times: np.ndarray, exchange: list[float]) -> list[np.ndarray]:
    """M (T, 3, 3) and rho (T, 8, 8) of the closed device: von Neumann and LLG written out, integrated by scipy."""
    static, mu, damping = electrons().hamiltonian.toarray(), np.array(magnet.magnetic_moment), magnet.damping[:, None]

    def rate(_: float, flat: np.ndarray) -> np.ndarray:
        m, r = flat[:9].real.reshape(3, 3), flat[9:].reshape(8, 8)
        seen, h = P @ m, static.copy()
        spins = np.empty((4, 3))
        for i in range(4):
            block = slice(2 * i, 2 * i + 2)
            h[block, block] -= J_SD[i] * np.einsum("a,ast->st", seen[i], SIGMA)
            spins[i] = np.einsum("ast,ts->a", SIGMA, r[block, block]).real
        gradient = -np.array([exchange[0] * m[1], exchange[0] * m[0] + exchange[1] * m[2], exchange[1] * m[1]])
        field = P.T @ (J_SD[:, None] * spins) - gradient
        a = G_E / (HBAR * mu[:, None]) * np.cross(field, m)
        rates = (a + damping * np.cross(m, a)) / (1 + damping**2)
        return np.concatenate([rates.ravel(), (-1j / HBAR * (h @ r - r @ h)).ravel()])

    start = np.concatenate([np.ravel(magnet.moments), rho.ravel()]).astype(complex)
    found = solve_ivp(rate, (0, times[-1]), start, "DOP853", times, rtol=1e-12, atol=1e-13).y.T
    return [found[:, :9].real.reshape(-1, 3, 3), found[:, 9:].reshape(-1, 8, 8)]


def test_moments_on_several_sites_and_none_against_scipy() -> None:
    magnet, rho = layer(damping=[0.0, 0.1, 0.05]), mixed(8)
    result = ln.simulate(
        device(), magnet, t_end=30.0, save_every=3.0, rtol=1e-11, start="partitioned", initial_density_matrix=rho
    )
    data = result.dataset
    moments, rhos = brute_force(magnet, rho, data.time.values, [0.05, 0.08])
    assert abs(moments - moments[0]).max(axis=(0, 2)).min() > 0.2  # all of them turn
    assert np.abs(data.moments.values - moments).max() < 1e-9
    assert np.abs(result.density_matrix - rhos[-1]).max() < 1e-9
    blocks = rhos.reshape(-1, 4, 2, 4, 2)[:, np.arange(4), :, np.arange(4), :]
    spins = np.einsum("ast,ikts->kia", SIGMA, blocks).real
    torque = np.einsum("ik,tia->tka", P, J_SD[:, None] * np.cross(spins, np.einsum("ik,tka->tia", P, moments)))
    assert np.abs(data.spin_density.values - spins).max() < 1e-9
    assert np.abs(data.torque.values - torque).max() < 1e-9
    assert not data.torque.sel(moment=1).values.any()


def test_angular_momentum_and_energy_are_kept() -> None:
    """Isotropic exchange, no damping, closed: 1/2 sum <s> - sum (mu/g hbar) M and Tr[rho H] + H_classical."""
    run = {"t_end": 60.0, "save_every": 5.0, "rtol": 1e-11, "start": "partitioned", "initial_density_matrix": mixed(8)}
    data = ln.simulate(device(), layer(), **run).dataset
    assert abs(data.moments - data.moments[0]).max() > 0.3
    spins = 0.5 * data.spin_density.sum("site").values
    total = spins - np.array([2.0, 3.0, 4.0]) / G_E @ data.moments.values
    assert np.abs(total - total[0]).max() < 1e-9
    assert np.abs(data.angular_momentum.values - total).max() < 1e-9
    energy = (data.energy_electronic + data.energy_sd + data.energy_classical).values
    assert np.abs(energy - energy[0]).max() < 1e-9
    assert np.ptp(data.energy_sd.values) > 1e-2




def test_balances_of_a_device_with_leads_and_drives() -> None:
    """What leaves through the leads and what drives put in close the balances, with a gate and with a moment on two
    sites that is turned, which no exchange reaches: all its work goes to the electrons."""
    def turned(t: float) -> np.ndarray:
        return np.array([[np.sin(0.1 * t), 0.0, np.cos(0.1 * t)]])

    start = [[0.0, 0.0, 1.0], [0.6, 0.0, 0.8], [0.0, 0.8, 0.6]]
    given = ln.Magnet(
        start, [2.0, 3.0, 4.0], energies=ln.PairExchange([(1, 2, 0.08)]), sites=SITES,
        prescribed=([0], ln.TimeFunction(turned, 2.0)),
    )  # fmt: skip
    for magnet in (layer(), given):
        system = device(True, terms=[ln.Gate([1, 2], ln.Pulse(0.3, 6.0, 2.0))])
        data = ln.simulate(system, magnet, t_end=20.0, save_every=0.5, rtol=1e-7).dataset
        energy = data.energy_electronic + data.energy_sd + data.energy_classical + data.lead_energy_out.sum("lead")
        work = data.drive_work.values
        assert np.abs((energy - energy[0]).values - work).max() < 1e-6 < 1e-3 * np.abs(work).max()
        # The power is that of the row: trapezoidal sums of it, exact to h^2/12 times its second differences.
        steps = 0.25 * (data.drive_power.values[1:] + data.drive_power.values[:-1])
        bound = 0.5 / 12 * np.abs(np.diff(data.drive_power.values, 2)).sum()
        assert np.abs(np.cumsum(steps) - work[1:]).max() < bound < 0.1 * np.abs(work).max()
        if magnet is not given:
            total = (data.angular_momentum + data.lead_spin_out.sum("lead")).values
            assert np.abs(total - total[0]).max() < 1e-9 < 1e-3 * np.abs(data.lead_spin_out).max()


def test_one_to_one_given_explicitly_is_what_it_is_without() -> None:
    system = ln.OpenSystem(ln.chain(3, 1.0, 0.7), [ln.ChainLead(0), ln.ChainLead(-1)], 0.1, 0.05)
    options: dict = {"t_end": 6.0, "rtol": 1e-5, "observables": ["adiabatic"]}
    texture = unit_vectors(np.random.default_rng(0), 3)
    for make in (
        lambda **sites: ln.Magnet(texture, 3.0, 0.1, ln.Exchange(0.05), **sites),
        lambda **sites: ln.Precession(texture, 0.05, "x", **sites),
    ):
        plain = ln.simulate(system, make(), **options).dataset
        placed = ln.simulate(system, make(sites=[0, [1], (2,)]), **options).dataset
        assert set(plain.data_vars) == set(placed.data_vars)
        assert placed.moments.dims == placed.torque_nonadiabatic.dims == ("time", "moment", "component")
        assert placed.spin_density.dims == plain.moments.dims == ("time", "site", "component")
        for name, variable in plain.data_vars.items():
            assert np.array_equal(variable.values, placed[name].values), name
    magnet = ln.Magnet(texture, 3.0, 0.1, ln.Exchange(0.05))
    slow: dict = {"t_end": 60.0, "save_every": 20.0, "electrons": "adiabatic", "rtol": 1e-5}
    plain = ln.simulate(system, magnet, **slow).dataset
    placed = ln.simulate(system, ln.Magnet(texture, 3.0, 0.1, ln.Exchange(0.05), sites=[0, 1, 2]), **slow).dataset
    for name, variable in plain.data_vars.items():
        assert np.array_equal(variable.values, placed[name].values), name


def test_moments_in_another_order_move_as_they_did() -> None:
    """Moment k on site order[k], all it has counted anew: full and slow electrons give the same to round-off."""
    order = [2, 0, 3, 1]
    pairs, mu, damping = [(0, 1, 0.05), (1, 2, 0.08), (2, 3, 0.03)], np.array([2.0, 3.0, 4.0, 5.0]), 0.1
    texture, number = unit_vectors(np.random.default_rng(1), 4), {site: k for k, site in enumerate(order)}
    plain = ln.Magnet(texture, mu, damping, ln.PairExchange(pairs), pinned=[3])
    renamed = [(number[i], number[j], strength) for i, j, strength in pairs]
    placed = ln.Magnet(
        texture[order], mu[order], damping, ln.PairExchange(renamed), pinned=[number[3]], sites=order
    )  # fmt: skip
    fixed: dict = {"t_end": 4.0, "step": 0.05, "rtol": 1e-5, "observables": ["adiabatic"]}
    for options in ({**fixed, "integrator": "rk4"}, {**fixed, "t_end": 40.0, "step": 2.0, "electrons": "adiabatic"}):
        one = ln.simulate(device(True), plain, **options).dataset
        other = ln.simulate(device(True), placed, **options).dataset
        assert abs(one.moments[-1] - one.moments[0]).max() > 0.01
        for name, variable in other.data_vars.items():
            values = variable.isel(moment=np.argsort(order)) if "moment" in variable.dims else variable
            np.testing.assert_allclose(values, one[name].values, atol=1e-12, err_msg=str(name))


def test_a_moment_on_two_equal_sites_is_two_parallel_moments() -> None:
    """Of a mirror-symmetric device: a moment of 2 mu that feels both torques turns as two moments mu."""
    leads = [ln.ChainLead(0), ln.ChainLead(-1)]
    system = ln.OpenSystem(ln.chain(3, 1.0, [0.8, 0.5, 0.8]), leads, 0.2, 0.05)
    start, field = np.array([[0.6, 0.0, 0.8], [0.0, 0.0, 1.0]]), ln.Zeeman([0.0, 200.0, 100.0])
    two = ln.Magnet(start[[0, 1, 0]], [2.0, 5.0, 2.0], 0.02, field)
    one = ln.Magnet(start, [4.0, 5.0], 0.02, field, sites=[[0, 2], 1])
    run: dict = {"t_end": 10.0, "integrator": "rk4", "step": 0.05, "rtol": 1e-5}
    first, second = (ln.simulate(system, magnet, **run).dataset for magnet in (two, one))
    assert abs(first.moments[-1] - first.moments[0]).max() > 0.05
    np.testing.assert_allclose(second.moments.values, first.moments.values[:, :2], atol=1e-11)
    np.testing.assert_allclose(second.torque[:, 0], 2 * first.torque.values[:, 0], atol=1e-11)
    np.testing.assert_allclose(second.spin_density, first.spin_density, atol=1e-11)


def test_an_insulating_moment_feels_exchange_alone_and_pumps_through_its_neighbour() -> None:
    system = ln.OpenSystem(ln.chain(2, 1.0, 0.8), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.05)
    start, run = [[0.8, 0.0, 0.6], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]], {"t_end": 80.0, "save_every": 8.0, "rtol": 1e-7}
    sites = [None, [], 0]
    apart = ln.simulate(system, ln.Magnet(start, 2.0, sites=sites), **run).dataset
    assert np.array_equal(apart.moments[:, :2], np.tile(np.array(start)[:2], (11, 1, 1)))
    data = ln.simulate(system, ln.Magnet(start, 2.0, energies=ln.Exchange(0.05), sites=sites), **run).dataset
    assert data.moment_of_site.values.tolist() == [2, -1] and not data.torque[:, :2].values.any()
    # Nothing but the first moment was out of equilibrium: what leaves came from it, through both others.
    assert abs(apart.lead_spin_out[-1]).max() < 1e-6 < 1e-3 * abs(data.lead_spin_out[-1]).max()
    total = (data.angular_momentum + data.lead_spin_out.sum("lead")).values
    assert np.abs(total - total[0]).max() < 1e-9


def test_given_motions_on_their_places_are_those_with_j_sd_0_on_bare_sites() -> None:
    """One to one with anything on the bare site, where j_sd is 0, and the moment of two sites given twice."""
    texture = unit_vectors(np.random.default_rng(5), 2)
    leads = [ln.ChainLead(0), ln.ChainLead(-1)]
    bare, plain = (
        ln.OpenSystem(ln.chain(4, 1.0, j_sd), leads, 0.1, 0.05)
        for j_sd in ([0.6, 0.3, 0.4, 0.8], [0.6, 0.0, 0.4, 0.8])  # 0.3: of the same bounds on the spectrum
    )
    sites, copied = [[0, 2], 3], [0, 0, 0, 1]
    precession = ln.Precession(texture, 0.3, "x")
    pairs = [
        (ln.Frozen(texture, sites), ln.Frozen(texture[copied])),
        (ln.Precession(texture, 0.3, "x", sites=sites), ln.Precession(texture[copied], 0.3, "x")),
        (
            ln.Prescribed(ln.TimeFunction(precession.moments, 2.0), sites=sites),
            ln.Prescribed(ln.TimeFunction(lambda t: precession.moments(t)[copied], 2.0)),
        ),
    ]
    for placed, usual in pairs:
        run: dict = {"t_end": 3.0, "rtol": 1e-6, "integrator": "rk4", "step": 0.02}
        one, other = ln.simulate(bare, placed, **run).dataset, ln.simulate(plain, usual, **run).dataset
        for name in ("spin_density", "lead_spin_current", "bond_spin_current", "energy_sd"):
            np.testing.assert_allclose(one[name], other[name].values, atol=1e-11, err_msg=name)
        added = other.torque.values[:, [0, 3]] + other.torque.values[:, [2, 1]] * [[1], [0]]
        np.testing.assert_allclose(one.torque, added, atol=1e-11)
    external = ln.Simulation(bare, ln.External(texture, sites), t_end=1.0, rtol=1e-6)
    usual = ln.Simulation(plain, ln.External(texture[copied]), t_end=1.0, rtol=1e-6)
    later = precession.moments(1.0)
    row, expected = external.advance(1.0, later), usual.advance(1.0, later[copied])
    np.testing.assert_allclose(row["spin_density"], expected["spin_density"], atol=1e-6)
    np.testing.assert_allclose(row["torque"][1], expected["torque"][3], atol=1e-6)
    assert row["moments"].shape == (2, 3)


CASES = {
    "bias, mean field": ({"start": "steady"}, {}, {"voltage": 0.3}, "chain", [ln.Hubbard(0.4)]),
    "wide band": ({"integrator": "ark5"}, {}, {}, "wide", []),
    "driven j_sd": ({}, {"drive": True}, {}, "chain", []),
    "partitioned": ({"start": "partitioned"}, {}, {"chemical_potential": 0.4}, "chain", []),
    "slow": ({"electrons": "adiabatic"}, {}, {}, "chain", []),
    "slow, closed": ({"electrons": "adiabatic"}, {}, {}, "closed", []),
    "slow, kT = 0": ({"electrons": "adiabatic"}, {"kT": 0.0}, {}, "chain", []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_layer_moves_as_one_to_one_moments_that_couple_to_nothing_elsewhere(case: str) -> None:
    """Sites 1 and 2 bare, or with moments whose j_sd is 0 and that have no energy: all starts, leads and electrons."""
    options, special, left, kind, terms = CASES[case]

    def system(middle: float) -> ln.OpenSystem:
        j_sd = np.array([0.6, middle, middle, 0.8])
        coupling = ln.TimeFunction(lambda t: j_sd * (1 + 0.3 * np.sin(t)), 1.0) if special.get("drive") else j_sd
        leads = {
            "chain": [ln.ChainLead(0, coupling=0.8, **left), ln.ChainLead(-1)],
            "wide": [ln.WideBandLead(0, 0.5), ln.WideBandLead(-1, 0.7)], "closed": [],
        }[kind]  # fmt: skip
        return ln.OpenSystem(ln.chain(4, 1.0, coupling, terms=terms), leads, 0.1, special.get("kT", 0.05))

    start = unit_vectors(np.random.default_rng(2), 4)
    energies, mu = ln.Zeeman([50.0, 0.0, 200.0]), np.array([2.0, 3.0, 4.0, 5.0])
    layered = ln.Magnet(start[[0, 3]], mu[[0, 3]], 0.1, energies + ln.PairExchange([(0, 1, 0.05)]), sites=[0, 3])
    usual = ln.Magnet(start, mu, 0.1, energies + ln.PairExchange([(0, 3, 0.05)]))
    slow = "electrons" in options
    fixed = {"integrator": "rk4", "step": 0.02} if not slow else {"step": 0.5}
    run: dict = {"t_end": 2.0, "rtol": 1e-5, **fixed, **options}
    # 0.1: of the same bounds on the spectrum. The surface sums of slow electrons are judged by all of their entries.
    one = ln.simulate(system(0.1), layered, **run).dataset
    other = ln.simulate(system(0.0), usual, **run).dataset
    assert abs(one.moments[-1] - one.moments[0]).max() > 0.02
    within = 1e-6 if slow else 1e-11
    np.testing.assert_allclose(one.moments, other.moments.values[:, [0, 3]], atol=within)
    np.testing.assert_allclose(one.torque, other.torque.values[:, [0, 3]], atol=within)
    for name in ("spin_density", "lead_spin_out", "energy_sd", "drive_work", "bond_current"):
        if name in one and not slow:
            np.testing.assert_allclose(one[name], other[name].values, atol=within, err_msg=name)


def test_static_solvers_take_sites_without_a_moment() -> None:
    """A zero vector is a site without sd coupling."""
    motion = ln.Precession(unit_vectors(np.random.default_rng(5), 2), 0.05, "z", sites=[[0, 2], 3])
    seen = motion.on_electrons(motion.texture)
    assert np.array_equal(seen, motion.texture[[0, 0, 0, 1]] * [[1], [0], [1], [1]])
    anything = np.where(seen == 0, [0.0, 0.6, 0.8], seen)
    without = ln.OpenSystem(ln.chain(4, [1.0, 0.8, 1.1], J_SD * [1, 0, 1, 1], [0.1, -0.2, 0.0, 0.3]),
                            device(True).leads, 0.1, 0.05)  # fmt: skip
    frames = ln.RotatingFrame(device(True), seen, 0.05), ln.RotatingFrame(without, anything, 0.05)
    np.testing.assert_allclose(frames[0].density_matrix(), frames[1].density_matrix(), atol=1e-12)
    parts = [frame.decompose() for frame in frames]
    for name in ("adiabatic", "geometric", "sea", "surface"):
        np.testing.assert_allclose(getattr(parts[0], name), getattr(parts[1], name), atol=1e-12)
    tensors = ln.ResponseTensors(device(True), seen), ln.ResponseTensors(without, anything)
    for name in ("friction", "geometric"):
        one, other = (np.delete(getattr(t, name).reshape(4, 3, 4, 3), 1, axis=0) for t in tensors)
        np.testing.assert_allclose(np.delete(one, 1, axis=2), np.delete(other, 1, axis=2), atol=1e-9)
    with pytest.raises(ValueError, match=r"texture: site 1 is .* of length 0\.5; allowed: .*0 0 0 on sites without"):
        ln.RotatingFrame(device(True), seen + 0.5 * np.eye(4)[:, 1:2] * [1, 0, 0], 0.05)


def test_slow_electrons_between_moments() -> None:
    """dM/dt of the slow equation with P^T J <s> and P^T K P from the adaptive solver."""
    magnet, system = layer(damping=0.1), device(True)
    electrons_, poles = slow_electrons(system, 1e-9)
    assert poles is not None
    equation = SlowEquation(magnet, electrons_)
    found = equation.rate(0.0, np.ravel(magnet.moments)).reshape(3, 3)
    exact = ln.ResponseTensors(poles.with_pole_leads(), magnet.on_electrons(magnet.moments, 4), 1e-10)
    tensors = np.einsum("ik,iajb,jl->kalb", P, (exact.friction + exact.geometric).reshape(4, 3, 4, 3), P).reshape(9, 9)
    field = P.T @ (J_SD[:, None] * exact.spin_density_adiabatic)
    expected = reference.slow_velocity(magnet, np.array(magnet.moments), 0.0, field, tensors)
    without = reference.slow_velocity(magnet, np.array(magnet.moments), 0.0, field, 0 * tensors)
    assert np.abs(found - expected).max() < 1e-7 < 1e-4 * np.abs(without - expected).max()
    # Noise: its field has the covariance 2 kT Gamma, Gamma = P^T friction P + lambda mu/g.
    noisy = SlowEquation(magnet, electrons_, noisy=True)
    start = noisy.instant(0.0, np.array(magnet.moments)[None])
    root = np.array([Noise(noisy, 0.05, 1).correlated(start, unit[None].reshape(1, 3, 3)) for unit in np.eye(9)])
    gilbert = np.diag(np.repeat(0.1 * HBAR * np.array([2.0, 3.0, 4.0]) / G_E, 3))
    friction = np.einsum("ik,iajb,jl->kalb", P, exact.friction.reshape(4, 3, 4, 3), P).reshape(9, 9)
    assert np.abs(root.reshape(9, 9).T @ root.reshape(9, 9) - gilbert - friction).max() < 1e-7 < 0.1 * friction.max()


def test_slow_run_is_the_limit_of_the_full_one() -> None:
    """Heavy moments: the slow run follows the full one far closer than adiabatic torques alone do."""
    def magnet() -> ln.Magnet:
        return layer(magnetic_moment=[60.0, 80.0, 70.0], energies=ln.Exchange([0.05, 0.08]) + ln.Zeeman([0, 0, 50.0]))

    run: dict = {"t_end": 400.0, "save_every": 40.0, "rtol": 1e-6}
    full = ln.simulate(device(True), magnet(), **run).dataset
    slow, adiabatic = (
        ln.simulate(device(True), magnet(), **run, electrons="adiabatic", response=response).dataset
        for response in (("geometric", "friction"), ())
    )
    first_order = np.abs(adiabatic.moments.values - full.moments.values).max()
    assert np.abs(slow.moments.values - full.moments.values).max() < 0.05 * first_order
    # To second order in the velocities; the row at t = 0 is at rest in the full run alone.
    error = np.abs(slow.spin_density.values - full.spin_density.values)[1:].max()
    assert error < 0.1 * np.abs(adiabatic.spin_density.values - full.spin_density.values)[1:].max()
    # F falls by what friction takes.
    lost = np.trapezoid(slow.friction_power, slow.time)
    assert abs(float(slow.free_energy[0] - slow.free_energy[-1]) - lost) < 0.1 * lost



@given(owners=st.lists(st.integers(-1, 2), min_size=4, max_size=4), seed=st.integers(0, 10**6))
@settings(max_examples=25)
def test_right_hand_side_keeps_spin_and_energy_wherever_the_moments_are(owners: list[int], seed: int) -> None:
    """Any state, any places: d/dt of 1/2 sum <s> - sum (mu/g hbar) M and of Tr[rho H] + H_classical vanish."""
    place = np.array([[owner == k for k in range(3)] for owner in owners], dtype=float)
    rng, mu = np.random.default_rng(seed), np.array([2.0, 3.0, 4.0])
    magnet = layer(sites=[np.flatnonzero(column).tolist() for column in place.T])
    equation = ElectronEquation(expand(device(), 1e-3, 1e-4), magnet)
    rho, m = mixed(8, seed), unit_vectors(rng, 3)
    none = np.zeros((8, 0))
    state = equation.layout.pack(rho, none, np.zeros((0, 0)), none, m)
    derivative = np.zeros_like(state)
    equation(0.3, state, derivative)
    d_rho, d_m = equation.layout.density_matrix(derivative), equation.layout.moments(derivative)
    d_spin, spin = (ln.spin_density(x) for x in (d_rho, rho))
    assert np.abs(0.5 * d_spin.sum(axis=0) - mu / G_E @ d_m).max() < 1e-14
    h = electrons().hamiltonian_at(place @ m)
    exchange = magnet.energy.gradient(m)
    change = np.trace(d_rho @ h).real - np.sum(J_SD[:, None] * spin * (place @ d_m)) + np.sum(exchange * d_m)
    assert abs(change) < 1e-14 < 1e-6 * np.abs(d_m).max()


@pytest.mark.parametrize("terms", [[], [ln.Hubbard(0.4)]], ids=["free", "mean field"])
def test_gradient_of_the_free_energy(terms: list[ln.Hubbard]) -> None:
    """dF/dM of `relax`, normal to M, by central differences of F: error h^2, round-off 1e-13/h."""
    magnet = layer()
    free_energy = FreeEnergy(device(True, terms=terms), magnet)
    gradient, step = free_energy(np.array(magnet.moments))[1], 1e-4
    for k in range(3):
        along = np.linalg.svd(np.array(magnet.moments)[k : k + 1])[2][1]
        values = []
        for sign in (1, -1):
            turned = np.array(magnet.moments)
            turned[k] = np.cos(step) * turned[k] + sign * np.sin(step) * along
            values.append(free_energy(turned)[0])
        assert abs((values[0] - values[1]) / (2 * step) - gradient[k] @ along) < 1e-8 < 1e-3 * abs(gradient[k] @ along)


def test_relax_finds_the_minimum() -> None:
    """Of H_classical + Omega, Omega = -kT sum ln[1 + exp(-(E - mu)/kT)] of a closed device, by scipy from angles."""
    system, magnet = device(kT=0.1), layer(energies=ln.Exchange([0.02, -0.03]) + ln.UniaxialAnisotropy(0.01, "x"))

    def energy(angles: np.ndarray) -> float:
        theta, phi = angles.reshape(2, 3)
        m = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1)
        h = system.electrons.hamiltonian.toarray()
        for i, vector in enumerate(P @ m):
            h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] -= J_SD[i] * np.einsum("a,ast->st", vector, SIGMA)
        levels = np.linalg.eigvalsh(h)
        classical = -0.02 * m[0] @ m[1] + 0.03 * m[1] @ m[2] - 0.01 * np.sum(m[:, 0] ** 2)
        return float(classical - 0.1 * np.logaddexp(0, -(levels - 0.1) / 0.1).sum())

    relaxed = ln.relax(system, magnet)
    assert relaxed.sites == magnet.sites
    m = np.array(relaxed.moments)
    here = np.concatenate([np.arccos(m[:, 2]), np.arctan2(m[:, 1], m[:, 0])])
    best = min(minimize(energy, x, tol=1e-12).fun for x in np.random.default_rng(0).uniform(0, 3, (8, 6)))
    assert abs(energy(here) - best) < 1e-9
    # It stands still: torque of electrons and energies together, in a run that starts there.
    data = ln.simulate(system, relaxed, t_end=20.0, save_every=20.0, rtol=1e-9).dataset
    assert np.abs(data.moments[-1] - data.moments[0]).max() < 1e-7


@pytest.mark.parametrize("slow", [False, True])
def test_restart_gives_the_same_bits(slow: bool) -> None:
    kind, options = (ln.SlowSimulation, {}) if slow else (ln.Simulation, {"observables": ["adiabatic"]})

    def new() -> ln.Simulation:
        return kind(device(True), layer(), t_end=8.0, save_every=1.0, rtol=1e-5, **options)  # type: ignore[arg-type]

    straight = [row for _, row in new().rows()]
    first = new()
    rows = first.rows()
    before = [next(rows)[1] for _ in range(4)]
    second = new()
    second.restore(first.checkpoint())
    for one, other in zip(straight, before + [row for _, row in second.rows()], strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_folder_and_file(tmp_path: Path) -> None:
    """Objects to TOML and back, the stored result with its coordinates, the plots."""
    magnet, options = layer(damping=0.1), {"t_end": 6.0, "save_every": 1.0, "rtol": 1e-5}
    config = RunConfig.from_objects(device(True), magnet, **options)
    assert "sites = [[0, 2], [], [3]]" in config.to_toml()
    assert RunConfig.loads(config.to_toml()) == config
    assert config.build().motion.sites == magnet.sites == ((0, 2), (), (3,))
    memory = ln.simulate(device(True), magnet, **options).dataset
    ln.simulate(device(True), magnet, folder=tmp_path / "run", **options)
    stored = xarray.load_dataset(tmp_path / "run" / "result.nc")
    assert set(stored.coords) == set(memory.coords)
    assert stored.moment_of_site.dims == ("site",) and stored.moment_of_site.values.tolist() == [0, -1, 0, 2]
    for name, variable in memory.variables.items():
        assert np.array_equal(stored[name].values, variable.values), name
    report = plot_run(stored, tmp_path / "plots", pdf=False)
    assert {"moments.png", "torque.png", "texture.gif"} <= {path.name for path in report.written}


TEXT = """
schema_version = 1
[run]
t_end = 2.0
observables = ["adiabatic"]
[electrons]
n_sites = 4
j_sd = 0.5
[[lead]]
kind = "chain"
site = 0
[system]
kT = 0.05
[texture]
kind = "cone"
angle = 0.5
[motion]
kind = "precession"
energy = 0.05
sites = [[0, 2], 3, []]
"""


def test_file_with_a_layer_of_its_own(tmp_path: Path) -> None:
    problem = RunConfig.loads(TEXT).build()
    assert problem.motion.sites == ((0, 2), (3,), ()) and problem.motion.n_sites == 3
    from llgnegf.commands.oracle import oracle

    config = RunConfig.loads(TEXT)
    table = oracle(config)
    assert not table.moments[1].values.any()
    data = config.simulation()
    rows = [row for _, row in data.rows()]
    assert rows[0]["torque"].shape == (3, 3) and rows[0]["spin_density"].shape == (4, 3)
    result = ln.simulate(problem.system, problem.motion, t_end=2.0, observables=["adiabatic"]).dataset
    report = plot_run(result, tmp_path, table, pdf=False)
    assert "nonadiabatic_torque.png" in {path.name for path in report.written}
    for wrong, line in [
        ("sites = [[0, 2], 4, []]", "motion.sites.1: site 4; allowed: 0 to 3: the electrons have 4 sites"),
        ("sites = [[0, 2], 2, []]", "motion.sites.1: site 2, which moment 0 has; allowed: each electron site once"),
        ("sites = [0.5]", "motion.sites: [0.5]; allowed: a list with, for each moment, an electron site"),
        ('sites = "all"', "motion.sites: 'all'; allowed: a list with, for each moment, an electron site"),
    ]:
        with pytest.raises(ConfigError) as refused:
            RunConfig.loads(TEXT.replace("sites = [[0, 2], 3, []]", wrong))
        assert any(found.startswith(line) for found in refused.value.lines), refused.value.lines


def test_sweep_over_places_tells_them_for_each_run(tmp_path: Path) -> None:
    text = TEXT.replace('observables = ["adiabatic"]\n', "")
    text = text.replace("[electrons]", "[electrons]\npositions = [0, 1, 2, 3]")
    parameters = '[sweep]\nparameters = { "motion.sites" = [[0, 1, 2], [[0, 2], [], [3]]] }\n'
    data = ln.run_sweep(RunConfig.loads(text + parameters), tmp_path, workers=1)
    assert data.moment_of_site.values.tolist() == [[0, 1, 2, -1], [0, -1, 0, 2]]
    parameters = '[sweep]\nparameters = { "electrons.j_sd" = [0.2, 0.4] }\n'
    data = ln.run_sweep(RunConfig.loads(text + parameters), tmp_path / "other", workers=1)
    assert {"moment_of_site", "x"} <= set(data.coords) and data.x.dims == ("site",)
    assert data.moment_of_site.values.tolist() == [0, -1, 0, 1]


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ({0: 1, 1: 2, 2: 3}, r"Magnet\.sites: \{0: 1, 1: 2, 2: 3\}; allowed: a list with 3 entries, one for each"),
        ([0, 1], r"Magnet\.sites: 2 entries; allowed: a list with 3 entries, one for each moment"),
        ("012", r"Magnet\.sites: '012'; allowed: a list"),
        (3, r"Magnet\.sites: 3; allowed: a list"),
        ([0, -1, 2], r"Magnet\.sites\[1\]: -1; allowed: a site number >= 0"),
        ([0, [1, 0.5], 2], r"Magnet\.sites\[1\]: \[1, 0\.5\]; allowed: a site number >= 0"),
        ([0, True, 2], r"Magnet\.sites\[1\]: True; allowed: a site number >= 0"),
        ([0, [2, 3], 2], r"Magnet\.sites\[2\]: site 2, which moment 1 has; allowed: each electron site once"),
        ([0, [3, 3], 2], r"Magnet\.sites\[1\]: site 3, which moment 1 has; allowed: each electron site once"),
    ],
)
def test_wrong_sites_are_named(sites: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(sites=sites)
    for make in (ln.Frozen, ln.External, lambda texture, sites: ln.Precession(texture, 0.1, sites=sites),
                 lambda texture, sites: ln.Prescribed(lambda t: texture, sites=sites)):  # fmt: skip
        with pytest.raises(ValueError, match=message.replace("Magnet", r"\w+")):
            make(ln.uniform(3), sites)


def test_sites_must_be_those_of_the_electrons() -> None:
    magnet = layer(sites=[0, None, [1, 4]])
    line = r"motion\.sites\[2\]: site 4; allowed: 0 to 3: the electrons have 4 sites"
    with pytest.raises(ValueError, match=line):
        ln.simulate(device(), magnet, t_end=1.0)
    with pytest.raises(ValueError, match=line.replace("motion", "magnet")):
        ln.relax(device(), magnet)
    with pytest.raises(ValueError, match=r"motion: 3 moments; allowed: 4, one for each site of the electrons \(sites="):
        ln.simulate(device(), layer(sites=None), t_end=1.0)
    with pytest.raises(ValueError, match="on_electrons.n_sites.sites.2.: site 4; allowed: 0 to 3"):
        magnet.on_electrons(magnet.moments, 4)
    assert magnet.on_electrons(magnet.moments).shape == (5, 3)
    with pytest.raises(ValueError, match=r"prescribed: a motion with sites = .*; allowed: sites of the Magnet alone"):
        ln.Magnet(ln.uniform(2), 1.0, prescribed=([0], ln.Frozen(ln.uniform(1), [0])), sites=[0, 1])


def test_moments_alone_keep_their_places() -> None:
    """Without electrons there are no sites: the columns are those of moments, and nothing else changes."""
    run: dict = {"t_end": 20.0, "save_every": 5.0}
    for noise in ({}, {"temperature": 0.01, "seed": 1, "step": 0.5}):
        placed, plain = (ln.simulate(None, layer(sites=s, damping=0.1), **run, **noise).dataset for s in (SITES, None))
        assert placed.moments.dims == ("time", "moment", "component") and "site" not in placed.dims
        assert np.array_equal(placed.moments.values, plain.moments.values)


def test_placement_is_the_matrix_that_it_says() -> None:
    rng = np.random.default_rng(0)
    found = layer().placement(4)
    assert isinstance(found, Placement) and layer(sites=[0, 1, 2]).placement(3) is None
    assert layer(sites=[0, 1, 2]).placement(4) is not None and layer(sites=[1, 0, 2]).placement(3) is not None
    vectors, values, tensors = rng.normal(size=(2, 3, 3)), rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 12, 12))
    wide = np.kron(P, np.eye(3))
    np.testing.assert_allclose(found.to_electrons(vectors), P @ vectors)
    np.testing.assert_allclose(found.to_moments(values), P.T @ values)
    np.testing.assert_allclose(found.between_moments(tensors), wide.T @ tensors @ wide, atol=1e-14)
