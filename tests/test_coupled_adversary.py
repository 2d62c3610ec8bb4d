"""The coupled run with everything on at once, against a second implementation, its power balances, and dead ends.

Site arrays for every constant, moments that are free, pinned and prescribed, drives and torques that depend on time:
what a term alone cannot show, such as an argument that gets lost on the way, a sign, or a time in the wrong unit.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from propagation import unit_vectors
from scipy.integrate import simpson, solve_ivp

import llgnegf as ln
from llgnegf.equations.moments import LLG
from llgnegf.units import G_E, HBAR, MU_B

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
N = 4
J_SD = np.array([0.5, -0.4, 0.3, 0.6])
MU = np.array([2.0, 3.0, 4.0, 2.5])
DAMPING = np.array([0.1, 0.0, 0.3, 0.05])
J, K, K1 = np.array([0.1, -0.05, 0.08]), np.array([0.05, 0.02, -0.03, 0.04]), np.array([0.03, 0.02, 0.01, -0.02])
AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
D = np.array([[0.02, 0.0, 0.01], [0.0, 0.03, 0.0], [0.01, 0.01, 0.0]])
FIELD = np.array([[100.0, 0.0, 200.0], [0.0, 50.0, 0.0], [30.0, -80.0, 0.0], [0.0, 0.0, -150.0]])
SPACING, DAMPING_LIKE, DRIFT, BETA = 1.5, np.array([0.02, 0.01, 0.03, -0.02]), np.array([0.02, 0.03, 0.01, 0.02]), 0.2


def field(t: float) -> np.ndarray:
    """Tesla for each site, turning within some 10 fs."""
    return FIELD * np.cos(0.5 * t) + [0.0, 40.0 * np.sin(0.3 * t), 0.0]


def turning(start: np.ndarray, t: float) -> np.ndarray:
    """A moment that turns about x at 0.2 rad/fs."""
    c, s = np.cos(0.2 * t), np.sin(0.2 * t)
    return np.array([start[0], c * start[1] - s * start[2], s * start[1] + c * start[2]])


def energy(m: np.ndarray, t: float) -> float:
    """H in eV, term by term from its definition."""
    total = -sum(J[i] * m[i] @ m[i + 1] for i in range(N - 1)) - 0.04 * m[0] @ m[3]
    total -= sum(K[i] * (m[i] @ AXES[i]) ** 2 for i in range(N))
    total += sum(K1[i] * sum(m[i, a] ** 2 * m[i, b] ** 2 for a, b in combinations(range(3), 2)) for i in range(N))
    total -= sum(D[i] @ np.cross(m[i], m[i + 1]) for i in range(N - 1))
    scale = 1e-7 * 9.2740100783e-24**2 / 1.602176634e-19 * 1e30  # mu_0 mu_B^2/4 pi in eV angstrom^3
    for i, j in combinations(range(N), 2):
        dipole = m[i] @ m[j] - 3 * m[i, 0] * m[j, 0]
        total += scale * MU[i] * MU[j] * dipole / (SPACING * (j - i)) ** 3
    return float(total - MU_B * np.sum(MU[:, None] * field(t) * m))


def gradient(m: np.ndarray, t: float) -> np.ndarray:
    """dH/dM by the five-point rule, exact for a polynomial of degree four."""
    h, result = 0.1, np.zeros((N, 3))
    for index in np.ndindex(N, 3):
        step = np.zeros((N, 3))
        step[index] = h
        near = energy(m + step, t) - energy(m - step, t)
        result[index] = (8 * near - energy(m + 2 * step, t) + energy(m - 2 * step, t)) / (12 * h)
    return result


def everything(start: np.ndarray) -> ln.Magnet:
    energies = [
        ln.Exchange(J), ln.PairExchange([(0, 3, 0.04)]), ln.UniaxialAnisotropy(K, AXES), ln.CubicAnisotropy(K1),
        ln.DMI(D), ln.Dipolar(SPACING, "x"), ln.Zeeman(field),
    ]  # fmt: skip
    torques = [
        ln.SlonczewskiTorque(DAMPING_LIKE, lambda t: 0.05 * np.sin(0.4 * t), [0.0, 1.0, 1.0]),
        ln.ZhangLiTorque(DRIFT, BETA),
    ]  # fmt: skip
    return ln.Magnet(
        start, MU, DAMPING, energies, torques, pinned=[1], prescribed=([3], lambda t: [turning(start[3], t)])
    )


def hamiltonian(m: np.ndarray) -> np.ndarray:
    h = np.kron(-np.eye(N, k=1) - np.eye(N, k=-1), np.eye(2)).astype(complex)
    for i in range(N):
        h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] -= J_SD[i] * np.einsum("a,ast->st", m[i], SIGMA)
    return h


def spins(rho: np.ndarray) -> np.ndarray:
    return np.array([[np.trace(rho[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] @ s).real for s in SIGMA] for i in range(N)])


def llg(m: np.ndarray, spin: np.ndarray, t: float) -> np.ndarray:
    """dM/dt (1/fs) of free moments, solved as the implicit equation (1 - lambda M x) dM/dt = a, site by site."""
    rate, slope = np.zeros((N, 3)), gradient(m, t)
    p = np.array([0.0, 1.0, 1.0]) / np.sqrt(2)
    for i in (0, 2):
        left, right = max(i - 1, 0), i + 1
        difference = (m[right] - m[left]) / (right - left)
        difference = difference - m[i] * (m[i] @ difference)
        torque = J_SD[i] * np.cross(spin[i], m[i]) + np.cross(m[i], slope[i])
        torque += DAMPING_LIKE[i] * np.cross(m[i], np.cross(p, m[i])) + 0.05 * np.sin(0.4 * t) * np.cross(p, m[i])
        a = G_E / (HBAR * MU[i]) * torque - DRIFT[i] * difference + BETA * DRIFT[i] * np.cross(m[i], difference)
        x, y, z = m[i]
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        rate[i] = np.linalg.solve(np.eye(3) - DAMPING[i] * cross, a)
    return rate


def test_everything_at_once_against_a_second_implementation():
    """Moments, spins and energies of a closed system after 6 fs: von Neumann and LLG equation written out here."""
    rng = np.random.default_rng(7)
    start, kT, t_end = unit_vectors(rng, N), 0.2, 6.0
    levels, states = np.linalg.eigh(hamiltonian(start))
    rho = (states / (1 + np.exp((levels - 0.1) / kT))) @ states.conj().T

    def rate(t: float, y: np.ndarray) -> np.ndarray:
        m, r = y[: 3 * N].real.reshape(N, 3).copy(), y[3 * N :].reshape(2 * N, 2 * N)
        m[3] = turning(start[3], t)
        h = hamiltonian(m)
        return np.concatenate([llg(m, spins(r), t).ravel(), (-1j / HBAR * (h @ r - r @ h)).ravel()])

    first = np.concatenate([start.ravel(), rho.ravel()])
    y = solve_ivp(rate, (0.0, t_end), first, "DOP853", rtol=1e-10, atol=1e-11).y[:, -1]
    m, r = y[: 3 * N].real.reshape(N, 3).copy(), y[3 * N :].reshape(2 * N, 2 * N)
    m[3] = turning(start[3], t_end)

    system = ln.OpenSystem(ln.chain(N, 1.0, J_SD), [], fermi_energy=0.1, kT=kT)
    data = ln.simulate(system, everything(start), t_end=t_end, save_every=3.0, rtol=1e-9).dataset.isel(time=-1)
    assert np.abs(m - start)[[0, 2, 3]].max() > 0.5
    assert np.abs(data.moments - m).max() < 1e-8
    assert np.abs(data.spin_density - spins(r)).max() < 1e-8
    sd = -float(np.sum(J_SD[:, None] * spins(r) * m))
    assert float(data.energy_classical) == pytest.approx(energy(m, t_end), abs=1e-8)
    assert float(data.energy_sd) == pytest.approx(sd, abs=1e-8)
    assert float(data.energy_electronic) == pytest.approx(np.trace(r @ hamiltonian(m)).real - sd, abs=1e-8)
    assert np.abs(data.torque - J_SD[:, None] * np.cross(spins(r), m)).max() < 1e-8
    spin_of_moments = -np.sum(MU[:, None] / G_E * m, axis=0)
    assert np.abs(data.angular_momentum - (0.5 * spins(r).sum(axis=0) + spin_of_moments)).max() < 1e-8


def total_energy(data) -> np.ndarray:
    return (data.energy_electronic + data.energy_sd + data.energy_classical).values


def test_energy_of_a_driven_open_run_is_the_work_of_the_field():
    """No damping, a bias that is switched on and a field pulse: H changes by what left and by - int mu dB/dt . M dt."""
    rng = np.random.default_rng(3)
    pulse = ln.Pulse([0.0, 300.0, 100.0], 10.0, 3.0, offset=[50.0, 0.0, 100.0])
    leads = [ln.ChainLead(0, 0.8, voltage=ln.Ramp(0.0, 0.3, 2.0, 8.0)), ln.ChainLead(-1)]
    system = ln.OpenSystem(ln.chain(2, 1.0, [0.5, -0.4]), leads, fermi_energy=0.1, kT=0.1)
    magnet = ln.Magnet(unit_vectors(rng, 2), [2.0, 3.0], energies=[ln.Exchange(0.1), ln.Zeeman(pulse)])
    data = ln.simulate(system, magnet, t_end=24.0, save_every=0.1, rtol=1e-8).dataset
    times = data.time.values
    power = [-MU_B * np.array([2.0, 3.0]) @ m @ pulse.rate(t) for t, m in zip(times, data.moments.values, strict=True)]
    work = simpson(power, x=times)
    gained = total_energy(data) + data.lead_energy_out.sum("lead").values
    assert abs(work) > 1e-3
    assert gained[-1] - gained[0] == pytest.approx(work, abs=1e-7)  # Simpson's rule: (0.1 fs)^4 / 180 of d^4/dt^4


def test_energy_of_a_damped_closed_run_falls_by_the_power_of_the_damping():
    """dH/dt = - sum lambda_i L_i |dM_i/dt|^2 with the velocity of the run itself, electron torque included."""
    rng = np.random.default_rng(4)
    system = ln.OpenSystem(ln.chain(3, 1.0, 0.5), [], fermi_energy=0.1, kT=0.1)
    energies = ln.Exchange(0.1) + ln.Zeeman([200.0, 0.0, 0.0])
    magnet = ln.Magnet(unit_vectors(rng, 3), [2.0, 3.0, 4.0], [0.1, 0.0, 0.2], energies)
    data = ln.simulate(system, magnet, t_end=20.0, save_every=0.1, rtol=1e-9).dataset
    llg = LLG(magnet)
    rows = zip(data.time.values, data.moments.values, data.torque.values, strict=True)
    rates = [llg.rate(m, t, torque) for t, m, torque in rows]
    losses = [np.sum(np.array([0.2, 0.0, 0.8]) * HBAR / G_E * np.sum(r**2, axis=1)) for r in rates]
    lost = simpson(losses, x=data.time.values)
    total = total_energy(data)
    assert lost > 1e-3
    assert total[0] - total[-1] == pytest.approx(lost, abs=1e-6)
    assert max(after - before for before, after in pairwise(total)) < 0


def test_steady_start_of_a_magnet_under_bias_is_that_of_frozen_moments():
    rng = np.random.default_rng(5)
    start = unit_vectors(rng, 3)
    leads = [ln.ChainLead(0, voltage=0.2), ln.ChainLead(-1)]
    system = ln.OpenSystem(ln.chain(3, 1.0, 0.5), leads, kT=0.1)
    options = {"t_end": 1.0, "save_every": 1.0, "rtol": 1e-7, "start": "steady"}
    moving = ln.simulate(system, ln.Magnet(start, 2.0), **options).dataset
    frozen = ln.simulate(system, ln.Frozen(start), **options).dataset
    for name in ("spin_density", "torque", "lead_current", "lead_spin_current"):
        assert np.array_equal(moving[name][0], frozen[name][0]), name
    charge = frozen.lead_current.values
    assert charge[0, 1] > 0.01
    assert np.abs(charge.sum(axis=1)).max() < 1e-6  # what comes in goes out
    torque = moving.torque.values[0]
    llg = LLG(ln.Magnet(start, 2.0))
    change = (moving.moments - frozen.moments).values[-1]
    assert np.abs(change - llg.rate(start, 0.0, torque)).max() < 0.1 * np.abs(change).max()  # first order in 1 fs


@pytest.mark.parametrize("integrator", ["dop853", "ark5"])
def test_a_moment_at_rest_waits_for_its_pulse(integrator):
    """Nothing moves at first and errors are zero or too small to be squared; then a pulse turns the moment.

    Along the easy axis z and in a pulse along x, far below the anisotropy's field: m_y is of first order in the pulse.
    """
    pulse = ln.Pulse([300.0, 0.0, 0.0], 50.0, 1.0)
    magnet = ln.Magnet([[0.0, 0.0, 1.0]], 2.0, energies=[ln.UniaxialAnisotropy(0.01, "z"), ln.Zeeman(pulse)])
    rows = {}
    for save_every in (1.0, 100.0):
        data = ln.simulate(None, magnet, t_end=100.0, save_every=save_every, rtol=1e-8, integrator=integrator).dataset
        rows[save_every] = data.moments.values[-1]
    assert np.abs(rows[1.0][0, :2]).max() > 0.05
    assert np.abs(rows[1.0] - rows[100.0]).max() < 1e-7


def test_electrons_with_no_hamiltonian_at_all_leave_the_moment_alone():
    """One closed site without sd coupling and on-site energy: H = 0, nothing sets a step but the moment."""
    system = ln.OpenSystem(ln.chain(1, 1.0, 0.0), [], kT=0.1)
    magnet = ln.Magnet([[1.0, 0.0, 0.0]], 2.0, energies=ln.Zeeman([0.0, 0.0, 50.0]))
    options = {"t_end": 20.0, "save_every": 10.0, "rtol": 1e-9}
    with_electrons, alone = (ln.simulate(s, magnet, **options).dataset for s in (system, None))
    assert np.abs(with_electrons.moments - alone.moments).max() < 1e-9


@pytest.mark.parametrize("start", ["steady", "partitioned"])
def test_a_start_of_electrons_is_refused_without_electrons(start):
    magnet = ln.Magnet([[0.0, 0.0, 1.0]], 2.0, energies=ln.Zeeman([50.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="simulate.start"):
        ln.simulate(None, magnet, t_end=1.0, start=start)


class TestRelaxLeavesSaddles:
    def test_antiparallel_to_the_field(self):
        magnet = ln.Magnet([[0.0, 0.0, -1.0]], 2.0, energies=ln.Zeeman([0.0, 0.0, 50.0]))
        assert np.abs(ln.relax(None, magnet).moments - [0.0, 0.0, 1.0]).max() < 1e-6

    @pytest.mark.parametrize("electrons", [False, True])
    def test_a_wall_in_the_hard_plane_turns_to_the_easy_one(self, electrons):
        """Its centre along y, the hard axis: by symmetry no torque turns it, and it is a maximum against phi."""
        energies = [ln.Exchange(0.1), ln.UniaxialAnisotropy(0.02, "z"), ln.UniaxialAnisotropy(-0.01, "y")]
        hard = ln.neel_wall(9, 5, 1.5)
        hard[[0, 8]] = [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]
        leads = [ln.ChainLead(0), ln.ChainLead(-1)]
        system = ln.OpenSystem(ln.chain(9, 1.0, 0.3), leads, kT=0.2) if electrons else None
        easy = hard[:, [1, 0, 2]]
        relaxed = [ln.relax(system, ln.Magnet(m, 2.0, energies=energies, pinned=[0, 8])).moments for m in (hard, easy)]
        assert np.abs(relaxed[0][:, 1]).max() < 1e-6
        assert np.abs(np.abs(relaxed[0]) - np.abs(relaxed[1])).max() < 1e-6

    def test_a_minimum_is_left_alone(self):
        magnet = ln.Magnet([[0.6, 0.0, 0.8]], 2.0, energies=ln.UniaxialAnisotropy(-0.01, "y"))  # the whole xz plane
        assert np.array_equal(ln.relax(None, magnet).moments, magnet.moments)
