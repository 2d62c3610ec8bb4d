"""Two-time functions against explicit leads, exact levels, the fluctuation-dissipation theorem and their own algebra.

Runs are asked for rtol; every element of hbar G^< and hbar G^R, of scale 1, must be right to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray
from finite_chain import FiniteChain, device_hamiltonian
from matrix_leads import ModesLead, absorbing, couplings, in_modes, layers
from numpy.linalg import multi_dot
from propagation import random_hermitian, unit_vectors
from scipy.integrate import quad_vec
from scipy.interpolate import CubicSpline
from scipy.linalg import expm
from scipy.special import expit, wofz
from test_kernel import any_magnet, spin_orbit_electrons
from test_propagator import pulse, random_chain, turning, wandering

import llgnegf as ln
from llgnegf.problem.magnetism.motion import Prescribed
from llgnegf.run.simulation import Simulation
from llgnegf.units import HBAR

RTOL = 1e-5


def worst(data: xarray.Dataset, correlation: Any, propagator: Any, states: Any = slice(None)) -> float:
    """Largest error, with C(i, j) and U(i, j) of the times number i and j >= i exact on all device states."""
    largest = 0.0
    for i in range(data.sizes["time"]):
        for j in range(data.sizes["time"]):
            c = 1j * correlation(i, j)[states][:, states]
            u = -1j * propagator(i, j)[states][:, states] if i >= j else 0.0
            off = np.abs(data.lesser.values[i, j] - c).max(), np.abs(data.retarded.values[i, j] - u).max()
            largest = max(largest, *off)
    return largest


def brute_force(data: xarray.Dataset, system: ln.OpenSystem, motion: Any, start: str, length: int) -> float:
    """Error against a closed chain: rho(t, t') = U(t, 0) rho(0) U(t', 0)^dag and U(t, t') = U(t, 0) U(t', 0)^dag."""
    exact = FiniteChain(system, length)
    first = motion.moments(0.0)
    rho = {
        "thermal": lambda: exact.thermal(first), "partitioned": lambda: exact.partitioned(first),
        "steady": lambda: exact.steady(first, 40.0),
    }[start]()  # fmt: skip
    ends = np.eye(len(rho), dtype=complex)[:, : exact.n]
    back = [ends if t == 0 else exact._backwards(ends, t / HBAR, motion.moments, 0.1) for t in data.time.values]
    return worst(
        data, lambda i, j: back[i].conj().T @ rho @ back[j], lambda i, j: back[i].conj().T @ back[j],
        (2 * data.site.values + (data.spin.values == "down")),
    )  # fmt: skip


# name: (start, motion, what the left and the right lead have, sites, cut)
CASES = {
    "pulse": ("thermal", wandering, {"voltage": pulse(0.5, 5, 4)}, {}, None, 60),
    "partitioned": ("partitioned", turning, {"chemical_potential": 0.4}, {"voltage": 0.3}, [1], 70),
    "steady": ("steady", turning, {"voltage": 0.3}, {"chemical_potential": -0.2}, [0, 2], 100),
}


@pytest.mark.parametrize("name", CASES)
def test_explicit_chains(name: str) -> None:
    start, path, left, right, sites, length = CASES[name]
    rng = np.random.default_rng(len(name))
    system, motion = random_chain(rng, left, right), path(rng, 3)
    asked = {"t_end": 12 * HBAR, "save_every": 3 * HBAR, "rtol": RTOL, "start": start, "sites": sites}
    data = ln.TwoTime(system, motion, **asked).run()
    assert brute_force(data, system, motion, start, length) < RTOL


def test_moments_that_answer_between_three_leads_from_a_later_time_on() -> None:
    """The brute force is told the moments' way, by a finer run of its own."""
    electrons = ln.chain(3, 1.0, 0.4, [0.2, -0.1, 0.3])
    leads = [ln.ChainLead(site, coupling=0.8) for site in (0, 1)] + [ln.ChainLead(2, voltage=pulse(0.6, 4, 3))]
    system = ln.OpenSystem(electrons, leads, 0.1, 0.1)
    magnet = ln.Magnet(ln.cone(3, 0.9), 1.0, damping=0.1, energies=[ln.Zeeman([0.0, 0.0, 600.0])])
    run = Simulation(system, magnet, t_end=8.0, save_every=0.1, rtol=1e-6)
    way = CubicSpline(run.times, [row["moments"] for _, row in run.rows()])
    assert np.abs(way(8.0) - way(0.0)).max() > 0.5
    data = ln.TwoTime(system, magnet, t_end=8.0, save_every=2.0, rtol=RTOL, begin=3.9).run()
    assert data.time.values.tolist() == data.time_prime.values.tolist() == [4.0, 6.0, 8.0]
    assert brute_force(data, system, Prescribed(lambda t: way(t), unit=False), "thermal", 60) < RTOL


def test_matrix_leads_of_levels_that_nothing_damps() -> None:
    """Device and a lead of a few layers are one closed system: f(H(0)), moved by its Schroedinger equation."""
    rng = np.random.default_rng(7)
    inside, tau = layers(rng, 2, 2), couplings(rng, 4, 2)
    electrons, motion = spin_orbit_electrons(rng, 2), ln.Precession(unit_vectors(rng, 2), 0.4, axis=[1.0, -2.0, 0.5])
    system = ln.OpenSystem(electrons, [ModesLead(coupling=tau, modes=in_modes(inside, 2))], 0.2, 0.3)

    def whole(t: float) -> np.ndarray:
        h = np.zeros((8, 8), dtype=complex)
        h[:4, :4], h[4:, 4:] = device_hamiltonian(system, motion.moments(t)), inside
        h[:4, 4:6], h[4:6, :4] = tau, tau.conj().T
        return h

    data = ln.TwoTime(system, motion, t_end=6.0, save_every=1.5, rtol=RTOL).run()
    # Midpoint steps, extrapolated to fourth order.
    ways = [np.eye(8, dtype=complex)]
    for a, b in zip(data.time.values[:-1], data.time.values[1:], strict=True):
        coarse, fine = (midpoints(whole, a, b, n) for n in (20, 40))
        ways.append((4 * fine - coarse) / 3 @ ways[-1])
    levels, states = np.linalg.eigh(whole(0.0))
    rho = (states * expit(-(levels - 0.2) / 0.3)) @ states.conj().T
    rows = [way[:4] for way in ways]
    assert worst(data, lambda i, j: rows[i] @ rho @ rows[j].conj().T, lambda i, j: rows[i] @ rows[j].conj().T) < RTOL


def midpoints(h: Any, start: float, stop: float, count: int) -> np.ndarray:
    """The product of exp(-i h dt/hbar) at the middles of `count` steps."""
    dt = (stop - start) / count
    return multi_dot([expm(-1j * dt / HBAR * h(start + (k + 0.5) * dt)) for k in reversed(range(count))])


def test_matrix_leads_under_bias_and_of_different_temperature_at_rest() -> None:
    """hbar G^<(t - t') = i int dE/2pi G S G^dag exp(-iE(t - t')/hbar), S = sum_p Gamma_p f_p; G^R alike."""
    rng = np.random.default_rng(3)
    leads = [
        ModesLead(coupling=couplings(rng, 4, 2), modes=absorbing(rng, 2), voltage=0.4, kT=0.2),
        ModesLead(coupling=couplings(rng, 4, 2), modes=absorbing(rng, 2), chemical_potential=-0.5),
    ]
    system = ln.OpenSystem(spin_orbit_electrons(rng, 2), leads, 0.1, 0.1)
    texture = unit_vectors(rng, 2)
    h, filled = device_hamiltonian(system, texture), ((0.1 + 0.4, 0.2), (-0.5, 0.1))
    data = ln.TwoTime(system, ln.Frozen(texture), t_end=6.0, save_every=1.5, rtol=RTOL, start="steady").run()
    tau = data.time.values / HBAR

    def integrand(energy: float) -> np.ndarray:
        sigmas = []
        for lead in leads:
            m, shifted = lead.modes, energy - float(lead.voltage)
            sigmas.append(lead.coupling @ (m.left / (shifted - m.energies)) @ m.right.conj().T @ lead.coupling.conj().T)
        g = np.linalg.inv(energy * np.eye(4) - h - sum(sigmas))
        s = sum(1j * (x - x.conj().T) * expit(-(energy - mu) / kT) for x, (mu, kT) in zip(sigmas, filled, strict=True))
        phase = np.exp(-1j * energy * tau)[:, None, None]
        return np.array([phase * (g @ s @ g.conj().T), phase * 1j * (g - g.conj().T)]) / (2 * np.pi)

    c, a = quad_vec(integrand, -60, 60, epsabs=1e-8, limit=20000)[0]
    # U(0) = 1: nothing is bound and the tails beyond, which fall as 1/E^2 times Gamma, are gone.
    assert np.abs(a[0] - np.eye(4)).max() < 1e-6
    assert worst(data, lambda i, j: c[i - j] if i >= j else c[j - i].conj().T, lambda i, j: a[i - j]) < RTOL


def test_a_level_between_wide_bands() -> None:
    """U = exp(-i e t - Gamma t/2), and f A under the Fourier integral; its Fermi poles reach far."""
    e, gamma, mu, kT = -0.4, 0.8, 0.1, 0.05
    system = ln.OpenSystem(ln.chain(1, 1.0, 0.0, e), [ln.WideBandLead(0, broadening=gamma)], mu, kT)
    data = ln.TwoTime(system, ln.Frozen(ln.uniform(1)), t_end=6.0, save_every=1.5, rtol=RTOL).run()
    tau = (data.time.values[:, None] - data.time.values) / HBAR
    u = np.exp(-1j * e * tau - 0.5 * gamma * np.abs(tau))
    assert np.abs(data.retarded.values - np.where(tau >= 0, -1j * u, 0)[..., None, None] * np.eye(2)).max() < RTOL

    def occupied(t: float) -> complex:
        """In the upper half plane of E for t < 0: the pole of A, and those of f at mu + i pi kT (2n + 1)."""
        poles = mu + 1j * np.pi * kT * (2 * np.arange(4000) + 1)
        a = gamma / ((poles - e) ** 2 + 0.25 * gamma**2)
        level = e + 0.5j * gamma
        residues = -kT * np.sum(a * np.exp(-1j * poles * t))
        return 1j * residues + np.exp(-1j * level * t) / (1 + np.exp((level - mu) / kT))

    for j in range(1, 5):  # t - t' = -j: one row is enough, all pairs at the same distance are equal below
        assert np.abs(data.lesser.values[0, j] - 1j * occupied(tau[0, j]) * np.eye(2)).max() < RTOL
        for i in range(5 - j):
            assert np.abs(data.lesser.values[i, i + j] - data.lesser.values[0, j]).max() < RTOL


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_closed_systems_with_everything_that_changes(seed: int) -> None:
    """G^<(t, t') = i U(t, 0) rho U(t', 0)^dag and U(t, t'') = U(t, t') U(t', t''), U unitary, whatever H(t, rho) is.

    G^<(t, t) is the run's, whose compiled equation has nothing of the propagator's: so H is the same. A gate jumps on a
    save time and between two; moments are prescribed, answer, and answer from a layer of their own.
    """
    rng = np.random.default_rng(seed)
    jump = ln.TimeFunction(lambda t: 0.5 * (t > 2.0) - 0.8 * (t > 3.3), np.inf, [2.0, 3.3])
    terms = [ln.Gate(0, jump), ln.Hubbard(rng.uniform(0, 2, 3)), ln.Peierls(ln.Sine(0.5, 4.0), [(1, 2)])]
    electrons = ln.Electrons(random_hermitian(rng, 6), lambda t: 0.4 + 0.2 * np.sin(t), terms=terms)
    states = np.linalg.eigh(random_hermitian(rng, 6))[1]
    rho = (states * rng.uniform(0, 1, 6)) @ states.conj().T
    system = ln.OpenSystem(electrons, [], 0.1, 0.1)
    asked = {"t_end": 4.0, "rtol": 1e-6, "start": "partitioned", "initial_density_matrix": rho}
    motions = [lambda: wandering(rng, 3), lambda: any_magnet(rng, 3), lambda: any_magnet(rng, 2, sites=[0, [1, 2]])]
    motion = motions[seed]()
    data = ln.TwoTime(system, motion, save_every=1.0, **asked).run()
    u, c = 1j * data.retarded.values, -1j * data.lesser.values
    exact = np.einsum("tab,bc,sdc->tsad", u[:, 0], rho, u[:, 0].conj())
    assert np.abs(c - exact).max() < 1e-6
    assert np.abs(u[4, 3] @ u[3, 1] - u[4, 1]).max() < 1e-6
    assert np.abs(np.einsum("tsab,tscb->tsac", u, u.conj())[np.tril_indices(5)] - np.eye(6)).max() < 1e-6
    run = Simulation(system, motion, save_every=4.0, **asked)
    list(run.rows())
    assert np.abs(c[-1, -1] - run.density_matrix).max() < 1e-6


@pytest.fixture(scope="module")
def ribbon() -> tuple[ln.TwoTime, xarray.Dataset]:
    lat = ln.square(2, 2)
    electrons = lat.electrons(hopping=1.0, j_sd=0.4, rashba=0.2)
    leads = [ln.ChainLead(site, coupling=0.9) for site in range(4)]
    asked = ln.TwoTime(
        ln.OpenSystem(electrons, leads, 0.2, 0.1), ln.Precession(ln.cone(lat, 0.8), 0.3), t_end=7.3, save_every=1.0,
        rtol=1e-4, sites=[0, 3], begin=1.0,
    )  # fmt: skip
    return asked, asked.run()


def test_what_is_handed_out(ribbon: tuple[ln.TwoTime, xarray.Dataset]) -> None:
    """Hermitian, causal, its labels; the last time is t_end, off the grid; the same again bit for bit."""
    asked, data = ribbon
    assert data.time.values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 7.3]
    assert data.site.values.tolist() == [0, 0, 3, 3] and data.spin.values.tolist() == ["up", "down"] * 2
    lesser, retarded = data.lesser.values, data.retarded.values
    assert np.abs(lesser + lesser.conj().transpose(1, 0, 3, 2)).max() < 1e-13
    assert np.array_equal(retarded[np.arange(8), np.arange(8)], np.broadcast_to(-1j * np.eye(4), (8, 4, 4)))
    assert not retarded[np.triu_indices(8, 1)].any()
    assert xarray.testing.assert_identical(data, asked.run()) is None
    run = Simulation(asked.system, ln.Precession(ln.cone(ln.square(2, 2), 0.8), 0.3), t_end=7.3, rtol=1e-4)
    list(run.rows())
    places = [0, 1, 6, 7]
    assert np.abs(-1j * lesser[-1, -1] - run.density_matrix[np.ix_(places, places)]).max() < 1e-5
    # A matrix of all pairs of times is a Gram matrix: no probe sees less than nothing.
    gram = (-1j * lesser).transpose(0, 2, 1, 3).reshape(32, 32)
    assert np.linalg.eigvalsh(gram)[0] > -1e-4


def test_the_cost_is_stated(ribbon: tuple[ln.TwoTime, xarray.Dataset]) -> None:
    asked, data = ribbon
    assert asked.cost.result == data.lesser.nbytes + data.retarded.nbytes < asked.cost.memory
    assert 0 < asked.cost.seconds < 60
    assert "GiB" in str(asked.cost) and "about" in repr(asked)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sites": [0, 3]}, "TwoTime.sites: [0, 3]; allowed: different sites from 0 to 1, in rising order"),
        ({"sites": [1, 0]}, "TwoTime.sites: [1, 0]; allowed: different sites"),
        ({"sites": []}, "TwoTime.sites: []; allowed"),
        ({"begin": 2.0}, "TwoTime.begin: 2.0; allowed: a number from 0 to 1, the last save time but one, in fs"),
        ({"t_end": 2e4, "save_every": 0.1}, "200001 times and 2 sites need"),
        ({"observables": ["adiabatic"]}, "TwoTime.observables: 'given'; allowed: none"),
        ({"motion": ln.External(ln.uniform(2))}, "TwoTime.motion: 'External'; allowed: a motion that is known"),
        ({"step": 0.1}, "TwoTime.step: 0.1; allowed: None"),
        ({"system": None}, "TwoTime.system: None; allowed: an OpenSystem"),
        ({"rtol": 1.0}, "simulate.rtol: 1.0; allowed"),
    ],
)
def test_bad_input(wrong: dict[str, Any], message: str) -> None:
    system = ln.OpenSystem(ln.chain(2, 1.0, 0.3), [ln.ChainLead(0)], 0.0, 0.1)
    asked = {"system": system, "motion": ln.Frozen(ln.uniform(2)), "t_end": 2.0, "rtol": 1e-3} | wrong
    with pytest.raises(ValueError, match=r".") as caught:
        ln.TwoTime(**asked)
    assert message in str(caught.value)


@pytest.mark.filterwarnings("ignore::llgnegf.SuspiciousValueWarning")
def test_noise_of_a_bath_acts_on_the_moments_and_is_that_of_the_run() -> None:
    """hbar G^<(t, t) = i rho(t) of the run with the same seed, whenever the functions begin; other seeds differ."""
    system = ln.OpenSystem(ln.chain(2, 1.0, 0.5), [ln.ChainLead(0)], -0.5, 0.1)
    magnet = ln.Magnet(ln.uniform(2, (0.6, 0.0, 0.8)), 3.0, 0.3)
    options = {"t_end": 2.0, "save_every": 0.5, "rtol": 1e-6, "temperature": 0.1}
    run = ln.Simulation(system, magnet, seed=1, **options)
    for _ in run.rows():
        pass
    ends = {
        (seed, begin): ln.TwoTime(system, magnet, begin=begin, seed=seed, **options).run().lesser.values[-1, -1]
        for seed, begin in ((1, 0.0), (1, 1.0), (2, 1.0))
    }
    for begin in (0.0, 1.0):
        np.testing.assert_allclose(ends[1, begin], 1j * run.density_matrix, rtol=0, atol=1e-6)
    assert np.abs(ends[2, 1.0] - ends[1, 1.0]).max() > 1e-3


@pytest.fixture(scope="module")
def levels() -> xarray.Dataset:
    """Two closed sites, levels 0.5 -+ 0.7, filled by 0.8 and 0.3 (spin up) and 0 (down)."""
    electrons = ln.chain(2, 0.7, 0.0, 0.5)
    bonding = np.kron(np.ones((2, 2)) / 2, np.diag([0.8, 0.0]))
    anti = np.kron(np.array([[1, -1], [-1, 1]]) / 2, np.diag([0.3, 0.0]))
    return ln.TwoTime(
        ln.OpenSystem(electrons, [], 0.0, 0.1), ln.Frozen(ln.uniform(2)), t_end=40.0, save_every=0.4, rtol=1e-9,
        start="partitioned", initial_density_matrix=bonding + anti,
    ).run()  # fmt: skip


class TestPhotoemission:
    energies = np.linspace(-2.0, 3.0, 101)

    def test_levels_are_gaussians_of_the_probes_resolution(self, levels: xarray.Dataset) -> None:
        d = 3.5
        waves = np.kron(np.array([[1, 1], [1, -1]]) / np.sqrt(2), [[1.0], [0.0]])
        found = ln.analysis.photoemission(levels, self.energies, d, vectors=waves)
        width = HBAR / (2 * d)
        for k, (level, filling) in enumerate(((0.5 - 0.7, 0.8), (0.5 + 0.7, 0.3))):
            line = np.exp(-0.5 * ((self.energies - level) / width) ** 2) / (width * np.sqrt(2 * np.pi))
            # The probe's amplitude exp(-t^2/4d^2) is cut at 5 d: erfc(5/2) = 4e-4 of its integral, 8e-4 of the line's
            # height, which is 4.2/eV.
            np.testing.assert_allclose(found.total.values[:, :, k], line[None] + 0 * found.total[:, :, k], atol=4e-3)
            np.testing.assert_allclose(found.occupied.values[:, :, k], filling * line[None] + 0 * found.total[:, :, k],
                                       atol=4e-3)  # fmt: skip
        assert found.occupied.attrs["units"] == "1/eV" and found.occupied.dims == ("time", "energy", "vector")
        assert found.time.values[0] == pytest.approx(17.6) and found.time.values[-1] == pytest.approx(22.4)

    def test_integral_is_the_occupation_and_spins_are_apart(self, levels: xarray.Dataset) -> None:
        """Over one period 2 pi hbar/dt of the energies sums give the occupation to round-off."""
        period = 2 * np.pi * HBAR / 0.4
        energies = -2.0 + period / 400 * np.arange(400)
        found = ln.analysis.photoemission(levels, energies, 2.0, times=[20.0])
        assert np.abs(found.total.sum("energy") * period / 400 - 1).max() < 1e-7
        occupied = (found.occupied.sum("energy") * period / 400).values[0]
        np.testing.assert_allclose(occupied, [0.55, 0.0, 0.55, 0.0], atol=1e-7)
        assert found.occupied.min() > -1e-8
        assert found.site.values.tolist() == [0, 0, 1, 1]

    def test_a_broad_level_is_a_voigt_line_filled_by_f(self) -> None:
        """At rest P is the density of states convolved with the probe's Gaussian, times f before that."""
        e, gamma, mu, kT, d = 0.3, 0.6, 0.2, 0.1, 2.5
        system = ln.OpenSystem(ln.chain(1, 1.0, 0.0, e), [ln.WideBandLead(0, broadening=gamma)], mu, kT)
        data = ln.TwoTime(system, ln.Frozen(ln.uniform(1)), t_end=26.0, save_every=0.25, rtol=1e-5).run()
        found = ln.analysis.photoemission(data, self.energies, d).isel(state=1)
        width = HBAR / (2 * d)
        voigt = wofz((self.energies - e + 0.5j * gamma) / (width * np.sqrt(2))).real / (width * np.sqrt(2 * np.pi))
        # Rows 0.25 fs apart fold the tails of the line back: gamma/2 pi E^2 summed over E = n 16.5 eV, n != 0.
        fold = gamma / (2 * np.pi) * np.pi**2 / 3 / (2 * np.pi * HBAR / 0.25) ** 2
        np.testing.assert_allclose(found.total.values, np.broadcast_to(voigt, found.total.shape), atol=2 * fold + 1e-3)
        x = np.linspace(-8, 8, 8001)
        dos = gamma / (2 * np.pi) / ((x - e) ** 2 + gamma**2 / 4) * expit(-(x - mu) / kT)
        smooth = np.exp(-0.5 * ((self.energies[:, None] - x) / width) ** 2) @ dos * (x[1] - x[0])
        smooth /= width * np.sqrt(2 * np.pi)
        np.testing.assert_allclose(found.occupied.values, np.broadcast_to(smooth, found.occupied.shape),
                                   atol=2 * fold + 1e-3)  # fmt: skip

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"duration": 5.0}, "photoemission.duration: 5.0; allowed: a number from 0.4"),
            ({"energies": [-6.0, 6.0]}, "photoemission.energies: a span of 12 eV; allowed: a span below 10.34 eV"),
            ({"times": [3.0]}, "photoemission.times: [3.0]; allowed: times from"),
            ({"vectors": np.eye(3)}, "photoemission.vectors: shape (3, 3); allowed: (4, k)"),
            ({"functions": 3}, "photoemission.functions: 3; allowed: the Dataset that TwoTime.run returns"),
            ({"state": [0]}, "photoemission.functions: a site and another site_prime; allowed: the same"),
            ({"time": slice(5, None)}, "photoemission.functions: a time and another time_prime; allowed: the same"),
        ],
    )
    def test_bad_input(self, levels: xarray.Dataset, wrong: dict[str, Any], message: str) -> None:
        cut = {dim: wrong[dim] for dim in ("state", "time") if dim in wrong}
        asked = {"functions": levels.isel(cut), "energies": self.energies, "duration": 3.0} | ({} if cut else wrong)
        with pytest.raises(ValueError, match=r".") as caught:
            ln.analysis.photoemission(**asked)
        assert message in str(caught.value)

    def test_order_of_dims_does_not_matter(self, levels: xarray.Dataset) -> None:
        spectra = [
            ln.analysis.photoemission(given, self.energies, 3.0, [20.0])
            for given in (levels, levels.transpose("time_prime", "state_prime", "time", "state"))
        ]
        xarray.testing.assert_identical(*spectra)
