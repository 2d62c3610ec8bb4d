"""chi(w), its expansion and the memory kernel against quadrature, exact levels, sum rules and full runs."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix_leads import ModesLead, absorbing, with_surface_level

import llgnegf as ln
from llgnegf.problem.leads import Reservoir
from llgnegf.problem.spectra import WideBandSpectrum
from llgnegf.response.linear_response import ILL_CONDITIONED
from llgnegf.units import HBAR

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
EPSILON = np.array([[[np.linalg.det(np.eye(3)[[a, b, c]]) for c in range(3)] for b in range(3)] for a in range(3)])
KRONIG = (-np.inf, -8.0, -4.0, -2.5, -1.5, -0.7, 0.0, 0.7, 1.5, 2.5, 4.0, 8.0, np.inf)
PLANE, BAND = (-np.inf, -4.0, -1.0, 1.0, 4.0, np.inf), (-2.0, 2.0)


def random_moments(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fermi(energy: Any, mu: float, kT: float) -> Any:
    return 0.5 - 0.5 * np.tanh((energy - mu) / (2 * kT))


def chain_sigma(coupling: float) -> Callable[[np.ndarray], np.ndarray]:
    """Sigma of a chain of hopping 1, both spins."""
    return lambda e: (0.5 * coupling**2 * (e - np.sqrt(e - 2) * np.sqrt(e + 2)))[:, None, None] * np.eye(2)


def adjoint(matrices: np.ndarray) -> np.ndarray:
    return matrices.conj().swapaxes(-1, -2)


@dataclass(frozen=True)
class Terms:
    """One lead of the quadrature: device vectors (2N, m), Sigma(E) (n, m, m) above the axis, mu and kT."""

    vectors: np.ndarray
    sigma: Callable[[np.ndarray], np.ndarray]
    mu: float
    kT: float


@dataclass(frozen=True)
class Section10:
    """delta rho(w) = -i int dE/2pi [G(E+w) dH G^<(E) + G^<(E+w) dH G^dag(E)] with exact leads, by quadrature.

    G^< = i sum_p f_p G Gamma_p G^dag and, of levels beyond all bands (energy, residue B, filling), 2 pi i f delta B.
    `points`: ends of the pieces of the axis that the leads reach. Gauss's rule in pieces between these, those shifted
    by w, and around each chemical potential.
    """

    hamiltonian: np.ndarray
    leads: tuple[Terms, ...]
    j_sd: float
    points: tuple[float, ...]

    def green(self, energies: np.ndarray) -> np.ndarray:
        """G of the upper half plane, or on the axis, (n, 2N, 2N)."""
        e = energies.real + 1j * np.abs(energies.imag)
        sigma = sum(t.vectors @ t.sigma(e) @ t.vectors.conj().T for t in self.leads)
        return np.linalg.inv(e[:, None, None] * np.eye(len(self.hamiltonian)) - self.hamiltonian - sigma)

    def lesser(self, energies: np.ndarray) -> np.ndarray:
        inner = 0.0
        for t in self.leads:
            sigma = t.sigma(energies + 0j)
            gamma = t.vectors @ (1j * (sigma - adjoint(sigma))) @ t.vectors.conj().T
            inner = inner + fermi(energies, t.mu, t.kT)[:, None, None] * gamma
        green = self.green(energies)
        return 1j * green @ inner @ adjoint(green)

    def traces(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """sum over energies of Tr sigma_a P_i X (-J sigma_b P_j) Y, (N, 3, N, 3)."""
        n = len(self.hamiltonian) // 2
        x, y = (m.reshape(-1, n, 2, n, 2) for m in (before, after))
        x, y = x.transpose(1, 3, 2, 4, 0).reshape(n, n, 4, -1), y.transpose(3, 1, 0, 2, 4).reshape(n, n, -1, 4)
        both = (x @ y).reshape(n, n, 2, 2, 2, 2)
        return -self.j_sd * np.einsum("ijptqs,asp,btq->iajb", both, SIGMA, SIGMA)

    def changes(self, energies: np.ndarray, w: complex, lesser: np.ndarray) -> np.ndarray:
        """Sum of -i [G(E+w) dH G^<(E) + G^<(E) dH G^dag(E-w)]/2 pi: the second term with E shifted by w."""
        advanced = adjoint(self.green(energies - w))
        both = self.traces(self.green(energies + w), lesser) + self.traces(lesser, advanced)
        return -0.5j / np.pi * both

    def chi(self, w: complex, bound: tuple[tuple[float, np.ndarray, float], ...] = ()) -> np.ndarray:
        cuts = [p + s * w.real for p in self.points for s in (-1, 0, 1)]
        cuts += [t.mu + k * t.kT + s * w.real for t in self.leads for k in (-12, -4, 0, 4, 12) for s in (-1, 0, 1)]
        ends = np.unique([*self.points, *(x for x in cuts if self.points[0] < x < self.points[-1])])
        total, change, count = np.zeros(()), np.inf, 20
        while change > 1e-11:
            parts = [piece(a, b, count) for a, b in zip(ends[:-1], ends[1:], strict=True)]
            nodes, weights = np.concatenate(parts, axis=1)
            before, total = total, self.changes(nodes, w, weights[:, None, None] * self.lesser(nodes))
            change, count = np.abs(total - before).max(), 2 * count
        for energy, residue, filling in bound:
            total = total + self.changes(np.array([energy]), w, 2j * np.pi * filling * residue)
        return total


def piece(a: float, b: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss's nodes and weights for square roots at the ends of a finite piece, 1/E^2 or faster at infinity."""
    x, weights = np.polynomial.legendre.leggauss(count)
    if np.isfinite([a, b]).all():
        half, turn = 0.5 * (b - a), 0.5 * np.pi * x
        return 0.5 * (a + b) + half * np.sin(turn), 0.5 * np.pi * half * np.cos(turn) * weights
    far, weights = (1 + x) / (1 - x), 2 * weights / (1 - x) ** 2
    return (a + far, weights) if np.isinf(b) else (b - far, weights)


FILLINGS = {
    "thermal": ((0.2, 0.2), (0.05, 0.05)),
    "biased": ((0.5, -0.2), (0.05, 0.05)),
    "biased, of two temperatures": ((-0.4, 0.3), (0.03, 0.12)),
}
ENERGIES = (0.3, -2.6 + 0.05j)


def between_chains(
    moments: np.ndarray, filling: str, onsite: Any = 0.0, j_sd: float = 0.6
) -> tuple[ln.OpenSystem, Section10]:
    (mu, kT), n, couplings = FILLINGS[filling], len(moments), (0.8, 0.6)
    electrons = ln.chain(n, 1.0, j_sd, onsite)
    ends = list(zip((0, -1), couplings, mu, kT, strict=True))
    leads = [ln.ChainLead(s, coupling=c, chemical_potential=m, kT=t) for s, c, m, t in ends]
    spins = np.eye(2 * n).reshape(2 * n, n, 2)
    terms = [Terms(spins[:, s], chain_sigma(c), m, t) for s, c, m, t in ends]
    system = ln.OpenSystem(electrons, leads)
    return system, Section10(electrons.hamiltonian_at(moments), tuple(terms), j_sd, BAND)


@pytest.mark.parametrize("filling", FILLINGS)
def test_susceptibility_equals_the_integral_with_exact_leads(filling: str) -> None:
    moments = random_moments(np.random.default_rng(3), 2)
    system, exact = between_chains(moments, filling)
    found = ln.LinearResponse(system, moments).susceptibility(ENERGIES)
    for w, chi in zip(ENERGIES, found, strict=True):
        assert np.abs(chi - exact.chi(complex(w))).max() < 1e-9, w


def bound_levels(exact: Section10, low: float, high: float) -> list[tuple[float, np.ndarray]]:
    """Energies above the band at which a level of H + Sigma(E) is E, and the residues of G there."""
    size = len(exact.hamiltonian)

    def excess(e: float, k: int) -> float:
        sigma = sum(t.vectors @ t.sigma(np.array([e + 0j]))[0] @ t.vectors.conj().T for t in exact.leads)
        return float(np.linalg.eigvalsh(exact.hamiltonian + sigma.real)[k] - e)

    energies = [scipy.optimize.brentq(excess, low, high, args=(k,)) for k in range(size) if excess(low, k) > 0]
    found, turn = [], np.exp(2j * np.pi * (np.arange(32) + 0.5) / 64)
    for e in energies:
        radius = 0.05 * min(abs(e - x) for x in (low, *energies) if x != e)
        above = np.einsum("eab,e->ab", exact.green(e + radius * turn), radius * turn) / 64
        found.append((e, above + adjoint(above)))
    return found


@pytest.mark.parametrize(("mu", "kT"), [((2.9, 2.2), (0.2, 0.1)), ((0.5, -0.2), (0.05, 0.12))])
def test_bound_states_under_bias_are_filled_with_the_mean(mu: Any, kT: Any) -> None:
    """Levels above the band, near a chemical potential or far from all; energies at which no band reaches them."""
    moments = random_moments(np.random.default_rng(5), 2)
    electrons = ln.chain(2, 1.0, 0.9, [3.0, 2.5])
    ends = list(zip((0, 1), (0.8, 0.6), mu, kT, strict=True))
    leads = [ln.ChainLead(s, coupling=c, chemical_potential=m, kT=t) for s, c, m, t in ends]
    terms = tuple(Terms(np.eye(4)[:, 2 * s : 2 * s + 2], chain_sigma(c), m, t) for s, c, m, t in ends)
    exact = Section10(electrons.hamiltonian_at(moments), terms, 0.9, BAND)
    levels = bound_levels(exact, 2 + 1e-9, 8.0)
    assert len(levels) == 3
    bound = tuple((e, b, fermi(e, float(np.mean(mu)), float(np.mean(kT)))) for e, b in levels)
    response = ln.LinearResponse(ln.OpenSystem(electrons, leads), moments)
    for w in (0.02, 0.3 + 0.2j, -0.5 + 0.1j):
        assert np.abs(response.susceptibility(w) - exact.chi(complex(w), bound)).max() < 1e-9, w


def wide_band(weak: float, mu: tuple[float, float]) -> tuple[ln.OpenSystem, Section10]:
    """A moment along z between wide bands that take spins along +x and -x: e = -i Gamma/2 -+ sqrt(J^2 - g^2) with
    4 g = 1.2 - weak, an exceptional point where g = J = 0.2, weak = 0.4."""
    spins, gammas = np.array([[1, 1], [1, -1]]) / np.sqrt(2), (1.2, weak)
    ends = list(zip(spins, gammas, mu, strict=True))
    leads = [ln.Lead([(u, WideBandSpectrum(g))], chemical_potential=m) for u, g, m in ends]
    terms = tuple(Terms(u[:, None], lambda e, g=g: np.full((len(e), 1, 1), -0.5j * g), m, 0.05) for u, g, m in ends)
    system = ln.OpenSystem(ln.chain(1, j_sd=0.2), leads, kT=0.05)
    return system, Section10(-0.2 * SIGMA[2], terms, 0.2, PLANE)


@pytest.mark.parametrize("mu", [(0.1, 0.1), (0.3, -0.2)])
@pytest.mark.parametrize("weak", [0.4, 0.4 + 1e-9, 0.41])
def test_exceptional_points_of_wide_bands(weak: float, mu: tuple[float, float]) -> None:
    system, exact = wide_band(weak, mu)
    response = ln.LinearResponse(system, [[0, 0, 1]])
    assert response.condition < ILL_CONDITIONED
    for w in (0.3, 0.5 + 0.2j):
        assert np.abs(response.susceptibility(w) - exact.chi(complex(w))).max() < 1e-10


def test_matrix_leads_under_bias_with_a_level_of_their_end() -> None:
    """Two orbitals that mix with energy, known in modes; one lead has an undamped level inside the other's band."""
    rng = np.random.default_rng(1)
    modes = [absorbing(rng, 2), with_surface_level(absorbing(rng, 2), 0.3, np.array([0.2, 0.3j]))]
    vectors = [0.5 * (rng.normal(size=(4, 2)) + 1j * rng.normal(size=(4, 2))) for _ in modes]
    mu, kT = (0.4, -0.3), (0.1, 0.2)
    leads: list[Reservoir] = [
        ModesLead(coupling=u, modes=m, chemical_potential=x, kT=t)
        for u, m, x, t in zip(vectors, modes, mu, kT, strict=True)
    ]
    moments, electrons = random_moments(rng, 2), ln.chain(2, 1.0, 0.7)
    terms = tuple(Terms(u, m.self_energy, x, t) for u, m, x, t in zip(vectors, modes, mu, kT, strict=True))
    exact = Section10(electrons.hamiltonian_at(moments), terms, 0.7, (-np.inf, -5.0, 0.0, 0.3, 0.6, 5.0, np.inf))
    response = ln.LinearResponse(ln.OpenSystem(electrons, leads), moments)
    for w in (0.4, -0.7 + 0.2j):
        assert np.abs(response.susceptibility(w) - exact.chi(complex(w))).max() < 1e-8


def kronecker(system: ln.OpenSystem, moments: np.ndarray, w: complex) -> np.ndarray:
    """chi of a closed device: w delta rho = [H, delta rho] + [dH, rho] as linear equations for delta rho."""
    n, h = system.n_sites, system.electrons.hamiltonian_at(moments)
    energies, states = np.linalg.eigh(h)
    rho = (states * fermi(energies, float(system.fermi_energy), float(system.kT))) @ states.conj().T
    one = np.eye(2 * n)
    liouville = w * np.eye(4 * n * n) - np.kron(h, one) + np.kron(one, h.T)
    operators = np.einsum("ij,ik,asp->iajskp", np.eye(n), np.eye(n), SIGMA).reshape(3 * n, 2 * n, 2 * n)
    j = np.repeat(np.asarray(system.electrons.j_sd), 3)
    sources = -j[:, None, None] * (operators @ rho - rho @ operators)
    changes = np.linalg.solve(liouville, sources.reshape(3 * n, -1).T).T.reshape(sources.shape)
    return np.einsum("pab,qba->pq", operators, changes).reshape(n, 3, n, 3)


def test_closed_devices() -> None:
    rng = np.random.default_rng(7)
    moments = random_moments(rng, 3)
    system = ln.OpenSystem(ln.chain(3, 1.0, rng.uniform(0.3, 2.0, 3)), fermi_energy=0.3, kT=0.2)
    response = ln.LinearResponse(system, moments)
    for w in (0.123, 1e-3, -0.7 + 0.4j, 0.5 - 0.3j):
        np.testing.assert_allclose(response.susceptibility(w), kronecker(system, moments, w), atol=1e-12)
    tensors = ln.ResponseTensors(system, moments)
    np.testing.assert_allclose(response.first_order(), tensors.response, atol=1e-13)
    # Populations stay: chi(0) is the limit, not the derivative of f(H).
    np.testing.assert_allclose(response.static, response.susceptibility(1e-8).real, atol=1e-12)


def test_a_site_that_no_lead_reaches_beside_one_under_bias() -> None:
    """Each has the response that it has alone; the dark levels are filled with the means of the leads."""
    moments = random_moments(np.random.default_rng(8), 2)
    leads = [ln.ChainLead(0, chemical_potential=0.3, kT=0.1), ln.ChainLead(0, 0.6, chemical_potential=-0.2, kT=0.3)]
    j, w = [0.7, 0.4], np.array([0.0, 0.35, -0.2 + 0.1j])
    both = ln.LinearResponse(ln.OpenSystem(ln.chain(2, 0.0, j, [0.1, 0.2]), leads), moments)
    reached = ln.LinearResponse(ln.OpenSystem(ln.chain(1, 0.0, j[0], 0.1), leads), moments[:1])
    dark = ln.LinearResponse(ln.OpenSystem(ln.chain(1, 0.0, j[1], 0.2), fermi_energy=0.05, kT=0.2), moments[1:])
    for i, alone in enumerate((reached, dark)):
        np.testing.assert_allclose(both.susceptibility(w)[:, i, :, i], alone.susceptibility(w)[:, 0, :, 0], atol=1e-10)
        np.testing.assert_allclose(both.first_order()[i, :, i], alone.first_order()[0, :, 0], atol=1e-10)
        kernels = (x.memory_kernel(3.0) for x in (both, alone))
        np.testing.assert_allclose(next(kernels)[i, :, i], next(kernels)[0, :, 0], atol=1e-10)
    assert np.abs(both.susceptibility(w)[:, 0, :, 1]).max() < 1e-12


def test_one_moment_and_its_electron() -> None:
    """<s> turns about J M at W = 2 J/hbar: chi = <s> W^2/(W^2 - w^2) normal to M, i <s> W w/(W^2 - w^2) for xy.

    From d delta s/dt = -W z x (delta s - <s> dM).
    """
    j, kT = 0.8, 0.3
    spin = np.tanh(j / (2 * kT))  # f(-J) - f(J) at E_F = 0
    response = ln.LinearResponse(ln.OpenSystem(ln.chain(1, j_sd=j), kT=kT), [[0, 0, 1]])
    for w in (0.0, 0.3, 2.0 + 0.5j):
        diagonal, across = 4 * j**2, 2j * j * w
        chi = spin / (4 * j**2 - w**2) * np.array([[diagonal, across, 0], [-across, diagonal, 0], [0, 0, 0]])
        np.testing.assert_allclose(response.susceptibility(w)[0, :, 0], chi, atol=1e-13)
    inertia = spin * HBAR**2 / (4 * j)
    np.testing.assert_allclose(response.inertia()[0, :, 0], inertia * np.diag([1, 1, 0]), atol=1e-13)
    with pytest.raises(ValueError, match=r"energies: \(1.6\+0j\); allowed: not an excitation energy"):
        response.susceptibility([0.1, 2 * j])


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 4), kT=st.sampled_from([0.02, 0.1]), bias=st.booleans())
def test_first_order_is_the_response_to_slow_motion(seed: int, n: int, kT: float, bias: bool) -> None:
    """K of `ResponseTensors` with exact leads, quadrature and Fermi function, under bias too; bound states above."""
    rng = np.random.default_rng(seed)
    electrons = ln.chain(n, 1.0, rng.uniform(0.1, 2.0, n), rng.uniform(-0.4, 2.5, n))
    mu = rng.uniform(-0.6, 0.6, 3) if bias else np.full(3, rng.uniform(-0.6, 0.6))
    kinds: list[list[Reservoir]] = [
        [ln.ChainLead(0, 0.9, chemical_potential=mu[0]), ln.ChainLead(-1, 0.6, chemical_potential=mu[1])],
        [
            ln.WideBandLead(0, 0.7, chemical_potential=mu[0]),
            ln.ChainLead(-1, chemical_potential=mu[1]),
            ln.ChainLead(0, 0.5, onsite=0.4, chemical_potential=mu[2], kT=2 * kT if bias else kT),
        ],
    ]
    system = ln.OpenSystem(electrons, kinds[rng.integers(2)], kT=kT)
    moments = random_moments(rng, n)
    expected = ln.ResponseTensors(system, moments, tolerance=1e-11).response
    found = ln.LinearResponse(system, moments).first_order()
    assert np.abs(found - expected).max() < 1e-9 * max(1.0, np.abs(expected).max())


def test_fitted_matrix_leads() -> None:
    """A ferromagnet with spin-orbit coupling on one side, biased: Sigma turns with energy, its modes are fitted."""
    cell, hopping = 0.2 * SIGMA[0] + 0.1 * SIGMA[2], -np.eye(2) - 0.3j * SIGMA[1]
    crystal = ln.PeriodicLead(cell=cell, hopping=hopping, coupling=0.8 * np.eye(4)[:, :2], chemical_potential=0.3)
    leads = [crystal, ln.ChainLead(-1, chemical_potential=-0.1)]
    system, moments = ln.OpenSystem(ln.chain(2, 1.0, 0.5), leads, kT=0.05), random_moments(np.random.default_rng(2), 2)
    response = ln.LinearResponse(system, moments, tolerance=1e-5)
    # The tolerance within the window that is fitted; after it the bound, which is some ten times as large.
    assert 1e-6 < response.lead_error < 1e-4
    expected = ln.ResponseTensors(system, moments, tolerance=1e-8).response
    assert np.abs(response.first_order() - expected).max() < 1e-5 * HBAR


def three_terminals() -> ln.OpenSystem:
    """Chains and a wide band, of two temperatures, all filled differently."""
    leads = [
        ln.ChainLead(0, coupling=0.7, chemical_potential=0.3),
        ln.WideBandLead(1, 0.4, chemical_potential=-0.2, kT=0.15),
        ln.ChainLead(-1, coupling=0.8, voltage=-0.25),
    ]
    return ln.OpenSystem(ln.chain(3, [1.0, 0.6], [0.5, 0.9, 0.7], [0.2, -0.3, 0.1]), leads, kT=0.06)


def test_static_response_is_the_derivative_of_the_stationary_spins() -> None:
    """Central differences of the rotating frame's exact state at rest; their error is O(h^4)."""
    system, moments, h = three_terminals(), random_moments(np.random.default_rng(4), 3), 0.02

    def spins(axis: np.ndarray, angle: float) -> np.ndarray:
        turned = moments.copy()
        turned[1] = np.cos(angle) * moments[1] + np.sin(angle) * axis
        return ln.spin_density(ln.RotatingFrame(system, turned, 0.0, tolerance=1e-12).density_matrix())

    axis = np.cross(moments[1], [0.3, -0.5, 0.8])
    axis /= np.linalg.norm(axis)
    near, far = ((spins(axis, k * h) - spins(axis, -k * h)) / (2 * k * h) for k in (1, 2))
    found = np.einsum("iab,b->ia", ln.LinearResponse(system, moments).static[:, :, 1], axis)
    np.testing.assert_allclose(found, (4 * near - far) / 3, atol=1e-6)


def test_memory_begins_with_the_commutator() -> None:
    """The sum rule (2/pi) int_0^oo Re chi dw = K(0+) = -(2 J_j/hbar) delta_ij eps_abc <s_i>^c of the exact state."""
    system, moments = three_terminals(), random_moments(np.random.default_rng(4), 3)
    response = ln.LinearResponse(system, moments)
    spins = ln.spin_density(ln.RotatingFrame(system, moments, 0.0, tolerance=1e-12).density_matrix())
    j = np.asarray(system.electrons.j_sd)
    expected = -2 / HBAR * np.einsum("ij,j,abc,ic->iajb", np.eye(3), j, EPSILON, spins)
    np.testing.assert_allclose(response.memory_kernel(0.0), expected, atol=1e-9)
    assert not response.memory_kernel(-0.1).any()


def test_kernel_and_susceptibility_are_transforms_of_each_other() -> None:
    """chi(w) = int_0^oo K(t) exp(iwt) dt by Gauss's rule, under bias; damped by Im w = 1 eV to 1e-16 at 24 fs."""
    system, moments = three_terminals(), random_moments(np.random.default_rng(4), 3)
    response, energies = ln.LinearResponse(system, moments, tolerance=1e-8), np.array([1j, 0.7 + 1j, -2.0 + 1j])
    x, weights = np.polynomial.legendre.leggauss(140)
    x, weights = 0.5 * (1 + x), 0.5 * weights
    times, weights = 24 * x**4, 96 * x**3 * weights  # towards t = 0, where the kernel of a wide band is like t ln t
    kernel = response.memory_kernel(times)
    transformed = np.tensordot(np.exp(1j * energies[:, None] * times / HBAR) * weights, kernel, 1)
    np.testing.assert_allclose(response.susceptibility(energies), transformed, atol=1e-9)


def test_kramers_and_kronig() -> None:
    """chi(z) = (1/pi) int dw Im chi(w)/(w - z) for Im z > 0, and (1/i pi) int dw Re chi(w)/(w - z), under bias."""
    moments = random_moments(np.random.default_rng(4), 1)
    system, _ = between_chains(moments, "biased")
    response, z = ln.LinearResponse(system, moments, tolerance=1e-8), 0.3 + 0.5j
    parts = [piece(a, b, 24) for a, b in zip(KRONIG[:-1], KRONIG[1:], strict=True)]
    nodes, weights = np.concatenate(parts, axis=1)
    chi, kernel = response.susceptibility(nodes), weights / (nodes - z) / np.pi
    at_z = response.susceptibility(z)
    np.testing.assert_allclose(np.tensordot(kernel, chi.imag, 1), at_z, atol=1e-6)
    np.testing.assert_allclose(-1j * np.tensordot(kernel, chi.real, 1), at_z, atol=1e-6)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), energy=st.floats(-4.0, 4.0))
def test_equilibrium_absorbs_at_every_frequency(seed: int, energy: float) -> None:
    """Power -<dH/dt> = w dM^dag [J chi - (J chi)^dag] dM/4i >= 0, and chi(-w) = chi(w)^* for a real kernel."""
    moments = random_moments(np.random.default_rng(seed), 2)
    system, _ = between_chains(moments, "thermal")
    chi, mirrored = ln.LinearResponse(system, moments).susceptibility([energy, -energy])
    np.testing.assert_allclose(mirrored, chi.conj(), atol=1e-13)
    full = 0.6 * chi.reshape(6, 6)
    absorbed = energy * (full - full.conj().T) / 2j
    assert np.linalg.eigvalsh(absorbed)[0] > -1e-9


def test_expansion_at_any_energy() -> None:
    """Taylor coefficients against a circle of values around 0.3 + 0.1i eV."""
    system, moments = three_terminals(), random_moments(np.random.default_rng(4), 3)
    response, centre = ln.LinearResponse(system, moments), 0.3 + 0.1j
    circle = 0.05 * np.exp(2j * np.pi * np.arange(16) / 16)
    values = response.susceptibility(centre + circle)
    for order, found in enumerate(response.expansion(centre, 3)):
        expected = np.tensordot(circle**-order / 16, values, 1)
        np.testing.assert_allclose(found, expected, atol=1e-9)


def kick(time: float) -> float:
    return float(np.exp(-0.5 * ((time - 4.0) / 0.5) ** 2))


@pytest.mark.parametrize(("n", "mu"), [(1, (0.2, 0.2)), (2, (0.5, -0.2))])
def test_full_run_after_a_weak_kick(n: int, mu: tuple[float, float]) -> None:
    """Fourier transforms of the moment's kick and of the spins' answer over one another are chi to 1e-5.

    Of kicks by 1e-3 to both sides, so that the error is O(kick^2). What is left after the run is cut off smoothly: it
    turns at frequencies of its own, those of band edges and chemical potentials.
    """
    moments, t_end = random_moments(np.random.default_rng(3), n), 40.0
    leads = [ln.ChainLead(s, c, chemical_potential=m) for s, c, m in zip((0, -1), (0.8, 0.6), mu, strict=True)]
    system = ln.OpenSystem(ln.chain(n, 1.0, 0.6), leads, kT=0.1)
    direction = np.cross(moments[0], [0.3, -0.5, 0.8])

    def answer(size: float) -> tuple[np.ndarray, np.ndarray]:
        def path(time: float) -> np.ndarray:
            return moments + size * kick(time) * np.outer(np.eye(n)[0], direction)

        motion = ln.Prescribed(path, unit=False)
        run = ln.simulate(system, motion, t_end=t_end, save_every=0.25, rtol=1e-7, start="steady")
        return run.dataset.time.values, run.dataset.spin_density.values

    (times, up), (_, down) = answer(1e-3), answer(-1e-3)
    late = np.clip(2 * times / t_end - 1, 0, 1)
    weights = 0.25 * np.cos(0.5 * np.pi * late**3) ** 2
    response = ln.LinearResponse(system, moments)
    for energy in (0.0, 0.3, -1.0, 1.7):
        phases = weights * np.exp(1j * energy / HBAR * times)
        found = np.tensordot(phases, (up - down) / 2e-3, 1) / np.sum(phases * [kick(t) for t in times])
        chi = response.susceptibility(energy)[:, :, 0]
        np.testing.assert_allclose(np.einsum("iab,b->ia", chi, direction), found, atol=1e-5)


def test_example_of_a_fast_turn() -> None:
    """Friction fails within 2 fs, the kernel is off by the square of the angle, which is not in a linear response."""
    example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "memory.py"))
    _, (full, _, friction, _, memory) = example["compare"](ln.LinearResponse(example["SYSTEM"], [[0, 0, 1]]), 2.0)
    assert np.abs(friction - full)[:, :2].max() > 1e-3
    assert np.abs(memory - full)[:, :2].max() < 2 * example["ANGLE"] ** 2 * np.abs(full).max()


def test_mistakes_are_named_all_at_once() -> None:
    cold = ln.OpenSystem(ln.chain(1, j_sd=0.5), [ln.ChainLead(0)])
    with pytest.raises(ValueError, match="system.kT: 0.0; allowed: > 0") as found:
        ln.LinearResponse(cold, [[0, 0, 2]], tolerance=-1)
    lines = str(found.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "LinearResponse.moments", "LinearResponse.tolerance", "LinearResponse.system.kT"
    ]  # fmt: skip
    pulsed = ln.OpenSystem(ln.chain(1, j_sd=0.5), [ln.ChainLead(0, voltage=np.sin)], kT=0.1)
    with pytest.raises(ValueError, match=r"leads\[0\].voltage: a function of time"):
        ln.LinearResponse(pulsed, [[0, 0, 1]])
    with pytest.raises(ValueError, match=r"terms\[0\]: 'Hubbard'; allowed: no mean field"):
        ln.LinearResponse(ln.OpenSystem(ln.chain(1, j_sd=0.5, terms=[ln.Hubbard(1.0)])), [[0, 0, 1]])
    response = ln.LinearResponse(ln.OpenSystem(ln.chain(1, j_sd=0.5), [ln.ChainLead(0)], kT=0.1), [[0, 0, 1]])
    with pytest.raises(ValueError, match="susceptibility.energies: 'fast'; allowed: finite numbers, complex"):
        response.susceptibility("fast")
    with pytest.raises(ValueError, match="memory_kernel.times"):
        response.memory_kernel([0.0, np.nan])
    table = ln.TabulatedLead(0, energies=[-2, 0, 2], broadening=[0, 1, 0])
    rough = ln.LinearResponse(ln.OpenSystem(ln.chain(1, j_sd=0.5), [table], kT=0.1), [[0, 0, 1]], tolerance=1e-12)
    with pytest.raises(ValueError, match="tolerance"):
        rough.susceptibility(0.1)
