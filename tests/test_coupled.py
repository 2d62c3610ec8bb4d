"""Moments that answer, with electrons: brute force, exact balances, order of the coupled scheme, restart, statics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from finite_chain import SIGMA, FiniteChain, device_hamiltonian
from propagation import unit_vectors
from scipy.integrate import solve_ivp
from scipy.special import expit

import llgnegf as ln
from llgnegf.units import G_E, GYROMAGNETIC_RATIO, HBAR, MU_B

SEED = 20200101


def open_chain(n: int, j_sd: float | list[float], kT: float = 0.1, mu: float = 0.1) -> ln.OpenSystem:
    leads = [ln.ChainLead(site=0, coupling=0.8), ln.ChainLead(site=-1, coupling=1.0)]
    return ln.OpenSystem(ln.chain(n, 1.0, j_sd), leads, fermi_energy=mu, kT=kT)


def busy_magnet(n: int = 3, **changes: object) -> ln.Magnet:
    """Light moments of different size with damping, field, anisotropy and exchange all on."""
    rng = np.random.default_rng(SEED)
    energies = [
        ln.Exchange(0.1), ln.UniaxialAnisotropy(0.05, axis="z"), ln.UniaxialAnisotropy(-0.03, axis=[1.0, 1.0, 0.0]),
        ln.Zeeman([100.0, 0.0, 200.0]),
    ]  # fmt: skip
    options: dict = {"magnetic_moment": np.linspace(2.0, 4.0, n), "damping": 0.05, "energies": energies}
    return ln.Magnet(unit_vectors(rng, n), **(options | changes))


@dataclass(frozen=True, eq=False)
class BruteForce:
    """The same run with every lead site explicit: orbitals and moments integrated together by scipy.

    The LLG part is written out here once more: dM/dt = (a + lambda M x a)/(1 + lambda^2),
    a = (g/mu) (M x dH/dM + J <s> x M), with the gradients of the four energies by hand.
    """

    chain: FiniteChain
    magnet: ln.Magnet

    def moments(self, time: float) -> np.ndarray:
        chain, magnet = self.chain, self.magnet
        start = np.array(magnet.moments)
        levels, states = np.linalg.eigh(chain.hamiltonian(start, 0.0))
        weight = expit(-(levels - chain.system.fermi_energy) / chain.system.kT)
        orbitals = (states * np.sqrt(weight))[:, weight > 1e-15]
        shape, n, count = orbitals.shape, chain.n, magnet.n_sites
        static = sp.csr_array(chain.static)
        j_sd = chain.system.electrons.j_sd

        def rate(tau: float, flat: np.ndarray) -> np.ndarray:
            moments = flat[: 3 * count].real.reshape(count, 3)
            x = flat[3 * count :].reshape(shape)
            product = static @ x
            device = x[:n]
            product[:n] += device_hamiltonian(chain.system, moments) @ device
            rho = device @ device.conj().T
            spins = np.array([
                [np.trace(rho[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] @ s).real for s in SIGMA] for i in range(count)
            ])  # fmt: skip
            torque = j_sd[:, None] * np.cross(spins, moments)
            dm = HBAR * self.llg(moments, torque)
            return np.concatenate([dm.ravel().astype(complex), (-1j * product).ravel()])

        flat = np.concatenate([start.ravel().astype(complex), orbitals.ravel()])
        end = solve_ivp(rate, (0.0, time / HBAR), flat, method="DOP853", rtol=1e-10, atol=1e-11)
        assert end.success
        return end.y[: 3 * count, -1].real.reshape(count, 3)

    def llg(self, moments: np.ndarray, torque: np.ndarray) -> np.ndarray:
        n = np.asarray(self.magnet.magnetic_moment)[:, None]
        axis = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
        gradient = -n * MU_B * np.array([100.0, 0.0, 200.0])
        gradient = gradient - 2 * 0.05 * moments[:, 2:] * np.array([0.0, 0.0, 1.0])
        gradient += 2 * 0.03 * (moments @ axis)[:, None] * axis
        gradient[1:] -= 0.1 * moments[:-1]
        gradient[:-1] -= 0.1 * moments[1:]
        a = G_E / (HBAR * n) * (np.cross(moments, gradient) + torque)
        damping = 0.05
        return (a + damping * np.cross(moments, a)) / (1 + damping**2)


def test_coupled_chain_with_explicit_lead_sites():
    """36 hbar/gamma, J_sd = 0.5 and 0.3, moments of 2, 3 and 4 mu_B on neighbouring sites; bound: 1e-6.

    64 lead sites: the front of the echo needs 64 hbar/gamma, and its precursor (an Airy tail) is over as well; at
    kT = 0.1 the cut is felt in equilibrium as exp(-2 pi kT 64/2) = 2e-9.
    """
    system, magnet = open_chain(3, [0.5, 0.5, 0.3]), busy_magnet()
    exact = BruteForce(FiniteChain(system, 64), magnet).moments(36 * HBAR)
    result = ln.simulate(system, magnet, t_end=36 * HBAR, save_every=12 * HBAR, rtol=1e-7)
    assert np.abs(exact - magnet.moments).max() > 0.5  # the moments went a long way
    assert np.abs(result.dataset.moments.values[-1] - exact).max() < 1e-6


@pytest.mark.parametrize("n", [1, 4])
def test_closed_system_conserves_angular_momentum_and_energy(n):
    rng = np.random.default_rng(SEED + n)
    system = ln.OpenSystem(ln.chain(n, 1.0, 0.5), [], fermi_energy=0.1, kT=0.05)
    magnet = ln.Magnet(unit_vectors(rng, n), magnetic_moment=rng.uniform(2, 4, n))
    # A thermal start would be at rest with one moment: the partitioned one takes the electrons of another texture.
    other = ln.simulate(system, ln.Frozen(unit_vectors(rng, n)), t_end=1e-3, save_every=1e-3).density_matrix
    data = ln.simulate(
        system, magnet, t_end=60.0, save_every=5.0, rtol=1e-9, start="partitioned", initial_density_matrix=other
    ).dataset
    assert np.abs(data.moments - data.moments[0]).max() > 0.01
    total = data.energy_electronic + data.energy_sd + data.energy_classical
    assert np.abs(data.angular_momentum - data.angular_momentum[0]).max() < 1e-9
    assert np.abs(total - total[0]).max() < 1e-9


def test_closed_system_with_anisotropy_and_static_field_conserves_energy():
    system = ln.OpenSystem(ln.chain(3, 1.0, 0.5), [], fermi_energy=0.1, kT=0.05)
    data = ln.simulate(system, busy_magnet(damping=0.0), t_end=60.0, save_every=5.0, rtol=1e-9).dataset
    total = data.energy_electronic + data.energy_sd + data.energy_classical
    assert np.abs(total - total[0]).max() < 1e-9


def test_balance_with_leads():
    """What the device lost is what left through the leads: charge, angular momentum vector and energy to 1e-9."""
    rng = np.random.default_rng(SEED)
    magnet = ln.Magnet(unit_vectors(rng, 4), magnetic_moment=[2.0, 3.0, 4.0, 2.5])
    data = ln.simulate(open_chain(4, 0.5), magnet, t_end=60.0, save_every=5.0, rtol=1e-8).dataset
    assert float(np.abs(data.lead_spin_out[-1]).max()) > 1e-2
    spin = data.angular_momentum + data.lead_spin_out.sum("lead")
    energy = data.energy_electronic + data.energy_sd + data.energy_classical + data.lead_energy_out.sum("lead")
    charge = data.charge_density.sum("site") + data.lead_charge_out.sum("lead")
    for balance in (spin, energy, charge):
        assert np.abs(balance - balance[0]).max() < 1e-9


def test_damping_only_lowers_the_energy_of_a_closed_system():
    system = ln.OpenSystem(ln.chain(3, 1.0, 0.5), [], fermi_energy=0.1, kT=0.05)
    data = ln.simulate(system, busy_magnet(), t_end=60.0, save_every=0.5, rtol=1e-9).dataset
    total = (data.energy_electronic + data.energy_sd + data.energy_classical).values
    assert np.diff(total).max() < 1e-9
    assert total[-1] < total[0] - 1e-3


@pytest.mark.parametrize("integrator", ["dop853", "ark5"])
def test_restart_gives_the_same_bits(integrator):
    system, magnet = open_chain(2, 0.5), busy_magnet(2)
    options = {"t_end": 12.0, "save_every": 1.5, "rtol": 1e-5, "integrator": integrator}
    whole = ln.Simulation(system, magnet, **options)
    rows = [row for _, row in whole.rows()]
    first = ln.Simulation(system, magnet, **options)
    for index, _ in first.rows():
        if index == 3:
            break
    second = ln.Simulation(system, magnet, **options)
    second.restore(first.checkpoint())
    for index, row in second.rows():
        for name, value in row.items():
            assert np.array_equal(value, rows[index][name]), (index, name)
    assert second.row == len(rows)
    assert second.statistics == whole.statistics


def test_length_of_the_moments_stays_one():
    data = ln.simulate(open_chain(2, 0.5), busy_magnet(2), t_end=100.0, save_every=1.0, rtol=1e-4).dataset
    assert np.abs(np.linalg.norm(data.moments, axis=-1) - 1).max() < 1e-12


def test_pinned_and_prescribed_moments_with_electrons():
    rng = np.random.default_rng(SEED)
    start = unit_vectors(rng, 3)
    turning = ln.Precession(start[2:], energy=0.05, axis="z")
    magnet = ln.Magnet(start, magnetic_moment=3.0, pinned=[0], prescribed=([2], turning.moments))
    data = ln.simulate(open_chain(3, 0.5), magnet, t_end=20.0, save_every=2.0, rtol=1e-6).dataset
    assert np.array_equal(data.moments.values[:, 0], np.tile(start[0], (11, 1)))
    expected = np.array([turning.moments(t)[0] for t in data.time.values])
    assert np.abs(data.moments.values[:, 2] - expected).max() < 1e-14
    assert np.abs(data.moments.values[-1, 1] - start[1]).max() > 0.01


def test_all_moments_prescribed_but_one_far_away_is_prescribed_motion():
    """A free moment without sd coupling does not act back: the others see exactly a `Prescribed` run."""
    rng = np.random.default_rng(SEED)
    start = unit_vectors(rng, 2)
    turning = ln.Precession(start[:1], energy=0.05, axis="x")
    system = open_chain(2, [0.5, 0.0])
    magnet = ln.Magnet(start, magnetic_moment=3.0, prescribed=([0], turning.moments))
    both = ln.Prescribed(lambda t: np.concatenate([turning.moments(t), start[1:]]))
    a = ln.simulate(system, magnet, t_end=10.0, save_every=5.0, rtol=1e-9).dataset
    b = ln.simulate(system, both, t_end=10.0, save_every=5.0, rtol=1e-9).dataset
    assert np.abs(a.spin_density - b.spin_density).max() < 1e-9


def test_moments_alone_precess_with_damping():
    """phi = gamma_0 B t/(1 + lambda^2), m_z = tanh(lambda phi) from m_z = 0; counter-clockwise about +B."""
    field, damping, until = 50.0, 0.1, 300.0
    magnet = ln.Magnet([[1.0, 0.0, 0.0]], magnetic_moment=2.0, damping=damping, energies=[ln.Zeeman([0, 0, field])])
    data = ln.simulate(None, magnet, t_end=until, save_every=10.0, rtol=1e-10).dataset
    phi = GYROMAGNETIC_RATIO * field * data.time.values / (1 + damping**2)
    across = 1 / np.cosh(damping * phi)
    exact = np.stack([across * np.cos(phi), across * np.sin(phi), np.tanh(damping * phi)], axis=-1)
    assert np.abs(data.moments.values[:, 0] - exact).max() < 1e-8
    assert set(data.data_vars) == {"moments", "energy_classical", "angular_momentum"}


def test_adiabatic_part_is_the_whole_torque_at_rest():
    """In thermal equilibrium nothing is nonadiabatic; afterwards the parts add up."""
    data = ln.simulate(
        open_chain(3, 0.5), busy_magnet(), t_end=10.0, save_every=5.0, rtol=1e-7, observables=("adiabatic",)
    ).dataset
    assert np.abs(data.torque_nonadiabatic[0]).max() < 1e-12
    assert np.abs(data.torque_nonadiabatic[-1]).max() > 1e-4
    assert np.abs(data.torque - data.torque_adiabatic - data.torque_nonadiabatic).max() < 1e-15


class TestRelax:
    def wall(self, **changes):
        energies = [ln.Exchange(0.1), ln.UniaxialAnisotropy(0.02, axis="z"), ln.UniaxialAnisotropy(-0.005, axis="x")]
        options: dict = {"magnetic_moment": 3.0, "damping": 0.0, "energies": energies, "pinned": [0, 8]}
        texture = ln.neel_wall(9, 5, 1.5)
        texture[[0, 8]] = [[0, 0, 1], [0, 0, -1]]
        return ln.Magnet(texture, **(options | changes))

    def test_gradient_is_the_derivative_of_the_free_energy(self):
        from llgnegf.run.relax import FreeEnergy

        rng = np.random.default_rng(SEED)
        moments, change = unit_vectors(rng, 9), 1e-4 * rng.normal(size=(9, 3))
        for system in (open_chain(9, 0.5), ln.OpenSystem(ln.chain(9, 1.0, 0.5), [], kT=0.1), None):
            free_energy = FreeEnergy(system, self.wall())
            slope = free_energy(moments + change)[0] - free_energy(moments - change)[0]
            expected = 2 * np.sum(free_energy(moments)[1] * change)
            assert slope == pytest.approx(expected, abs=1e-9)  # cubic remainder: change^3

    @pytest.mark.parametrize("kind", ["open", "closed", "classical"])
    def test_the_full_run_stays_where_relax_ends(self, kind):
        system = {
            "open": open_chain(9, 0.5), "closed": ln.OpenSystem(ln.chain(9, 1.0, 0.5), [], kT=0.1), "classical": None,
        }[kind]  # fmt: skip
        relaxed = ln.relax(system, self.wall(), torque_tolerance=1e-9, rtol=1e-8)
        data = ln.simulate(system, relaxed, t_end=30.0, save_every=10.0, rtol=1e-8).dataset
        assert np.abs(data.moments - relaxed.moments).max() < 1e-8
        assert np.array_equal(relaxed.moments[[0, 8]], [[0, 0, 1], [0, 0, -1]])

    def test_electrons_change_the_wall(self):
        with_electrons = ln.relax(open_chain(9, 0.5), self.wall())
        alone = ln.relax(None, self.wall())
        assert np.abs(with_electrons.moments - alone.moments).max() > 1e-3

    def test_refusals_name_the_reason(self):
        biased = ln.OpenSystem(ln.chain(9), [ln.ChainLead(0, chemical_potential=0.1), ln.ChainLead(-1)], kT=0.1)
        with pytest.raises(ValueError, match=r"relax.system: chemical potentials .* one for all leads"):
            ln.relax(biased, self.wall())
        torques = self.wall(torques=[ln.SlonczewskiTorque(0.01, 0.0, "z")])
        with pytest.raises(ValueError, match=r"relax.magnet.torques: .*no energy"):
            ln.relax(None, torques)
        with pytest.raises(ValueError, match=r"relax.torque_tolerance: -1"):
            ln.relax(None, self.wall(), torque_tolerance=-1)
