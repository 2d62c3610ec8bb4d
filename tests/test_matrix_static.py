"""Matrix self-energies in every exact static solver: against plain chains, enlarged devices and closed forms.

Sigma of the leads here is made in this file: chains mixed by a unitary matrix, or the surface function of a crystal by
its Bloch waves. A device that is enlarged by layers of its leads is the same physics with other matrices everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import llgnegf as ln
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.leads import Channel, LeadAtVoltage
from llgnegf.problem.spectra import ChainSpectrum

ONE = np.eye(2)
SX, SY, SZ = PAULI


@dataclass(frozen=True, eq=False)
class MatrixLead(LeadAtVoltage):
    """A lead of one channel with the vectors (2N, m) of its orbitals."""

    vectors: np.ndarray
    spectrum: Any

    def attach(self, n_sites: int) -> list[Channel]:
        return [Channel(self.vectors, self.spectrum)]


class Mixed:
    """A diag(Sigma_k) A^dag of plain chains and a unitary A."""

    is_zero, surface_levels = False, np.zeros(0)

    def __init__(self, chains: list[ChainSpectrum], mixing: np.ndarray) -> None:
        self.chains, self.mixing, self.size = chains, mixing, len(chains)
        self.points = np.unique([c.support for c in chains])
        self.support = self.points[0], self.points[-1]

    def _turned(self, values: list[np.ndarray]) -> np.ndarray:
        return np.einsum("ak,...k,bk->...ab", self.mixing, np.stack(values, axis=-1), self.mixing.conj())

    def self_energy(self, energy: Any) -> np.ndarray:
        return self._turned([c.self_energy(energy) for c in self.chains])

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        return self._turned([c.self_energy_derivative(energy) for c in self.chains])

    def broadening(self, energy: Any) -> np.ndarray:
        return self._turned([c.broadening(energy) for c in self.chains])


class Crystal:
    """g(E) of the first cell of a crystal h_0, V, h_0, V ... with invertible V, by its Bloch waves.

    V^dag psi_{l-1} + h_0 psi_l + V psi_{l+1} = E psi_l with psi_{l+1} = lambda psi_l: those that decay outwards or, on
    the real axis, run outwards give F with psi_{l+1} = F psi_l, and g = [E - h_0 - V F]^-1.
    """

    is_zero = False

    def __init__(self, cell: np.ndarray, hopping: np.ndarray, surface_levels: tuple[float, ...] = ()) -> None:
        self.cell, self.hopping, self.size = cell, hopping, len(cell)
        self.surface_levels = np.array(surface_levels, dtype=float)
        extrema = self._extrema()
        self.support = extrema[0], extrema[-1]
        self.points = np.sort(np.concatenate([extrema, self.surface_levels]))

    def bands(self, k: float) -> np.ndarray:
        turned = self.hopping * np.exp(1j * k)
        return np.linalg.eigvalsh(self.cell + turned + turned.conj().T)

    def _extrema(self) -> np.ndarray:
        """Band edges: extrema of every band, from a grid by golden section."""
        grid, found = np.linspace(-np.pi, np.pi, 401), []
        table = np.array([self.bands(k) for k in grid])

        def signed(k: float, n: int, sign: int) -> float:
            return sign * float(self.bands(k)[n])

        for n, band in enumerate(table.T):
            for sign in (1, -1):
                lower = sign * band
                for i in np.flatnonzero((lower <= np.roll(lower, 1)) & (lower <= np.roll(lower, -1))):
                    ends, options = (grid[i] - 0.02, grid[i] + 0.02), {"xatol": 1e-10}
                    best = scipy.optimize.minimize_scalar(
                        signed, bounds=ends, args=(n, sign), method="bounded", options=options
                    )
                    found.append(sign * best.fun)
        ordered = np.sort(found)
        return ordered[np.diff(ordered, prepend=-np.inf) > 1e-9]

    def self_energy(self, energy: Any) -> np.ndarray:
        z = np.asarray(energy, dtype=complex)
        m, inverse = self.size, np.linalg.inv(self.hopping)
        e = z[..., None, None] * np.eye(m)
        step = np.zeros((*z.shape, 2 * m, 2 * m), dtype=complex)
        step[..., :m, :m], step[..., :m, m:] = inverse @ (e - self.cell), -inverse @ self.hopping.conj().T
        step[..., m:, :m] = np.eye(m)
        factors, waves = np.linalg.eig(step)
        waves = waves[..., m:, :]
        velocity = -(np.einsum("...ak,ab,...bk->...k", waves.conj(), self.hopping, waves) * factors).imag
        size = np.abs(factors)
        outward = np.where(np.abs(size - 1) < 1e-7, velocity > 0, size < 1) if np.all(z.imag == 0) else size < 1
        order = np.argsort(~outward, axis=-1, kind="stable")[..., :m]
        assert np.all(outward.sum(axis=-1) == m), "Bloch waves"
        chosen = np.take_along_axis(waves, order[..., None, :], axis=-1)
        kept = np.take_along_axis(factors, order, axis=-1)
        forward = (chosen * kept[..., None, :]) @ np.linalg.inv(chosen)
        return np.linalg.inv(e - self.cell - self.hopping @ forward)

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        """g' = -g (1 - V g' V^dag) g, a linear equation."""
        g = self.self_energy(energy)
        left, right = g @ self.hopping, self.hopping.conj().T @ g
        m = self.size
        matrix = np.eye(m * m) - np.einsum("...ab,...cd->...adbc", left, right).reshape(*g.shape[:-2], m * m, m * m)
        return np.linalg.solve(matrix, -(g @ g).reshape(*g.shape[:-2], m * m, 1)).reshape(g.shape)

    def broadening(self, energy: Any) -> np.ndarray:
        sigma = self.self_energy(energy)
        return 1j * (sigma - sigma.conj().swapaxes(-1, -2))


def unitary(size: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]


def texture(n: int, seed: int = 1) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_derivative_of_the_crystal() -> None:
    crystal = Crystal(*rashba_layer(2, 0.4))
    z, h = np.array([0.3 + 0.2j, -1.1 + 0.05j]), 1e-5
    slope = (crystal.self_energy(z + h) - crystal.self_energy(z - h)) / (2 * h)
    np.testing.assert_allclose(crystal.self_energy_derivative(z), slope, rtol=0, atol=1e-7)


# Chains, mixed


def mixed_and_plain(voltage: float = 0.0, **options: Any) -> tuple[ln.OpenSystem, ln.OpenSystem]:
    """Three sites in a row; on each end a lead that couples to two sites with chains of its own, mixed or not.

    The chains of both spins of a site are alike, so that steady precession is allowed.
    """
    plain, mixed = [], []
    for sites, seed, v in (((0, 1), 3, 0.0), ((1, 2), 4, voltage)):
        chains = [ChainSpectrum(0.7 + 0.2 * k, 1.0 + 0.1 * k, 0.2 * k - 0.1 * seed) for k in (0, 0, 1, 1)]
        rows = [2 * site + spin for site in sites for spin in range(2)]
        vectors, a = np.eye(6)[:, rows], unitary(4, seed)
        plain.append(ln.Lead([(vectors[:, k], chains[k]) for k in range(4)], voltage=v, **options))
        mixed.append(MatrixLead(vectors @ a.conj().T, Mixed(chains, a), voltage=v, **options))
    electrons = ln.chain(3, 1.0, 0.8)
    return ln.OpenSystem(electrons, mixed, 0.2, 0.04), ln.OpenSystem(electrons, plain, 0.2, 0.04)


def same(a: Any, b: Any, atol: float = 1e-10) -> None:
    np.testing.assert_allclose(a, b, rtol=0, atol=atol)


@pytest.mark.parametrize("energy", [0.0, 0.03])
def test_mixed_chains_are_chains_under_bias_and_precession(energy: float) -> None:
    mixed, plain = (
        ln.RotatingFrame(s, texture(3), energy, axis=(1, 2, 2), tolerance=1e-11) for s in mixed_and_plain(0.3)
    )
    same(mixed.density_matrix(), plain.density_matrix())
    flows = mixed.lead_currents(), plain.lead_currents()
    assert np.abs(flows[1].charge).min() > 1e-3
    same(flows[0].charge, flows[1].charge)
    same(flows[0].spin, flows[1].spin)


@pytest.mark.parametrize("kT", [0.0, 0.04])
def test_mixed_chains_are_chains_to_first_order(kT: float) -> None:
    frames = [
        ln.RotatingFrame(ln.OpenSystem(s.electrons, s.leads, 0.2, kT), texture(3), 0.01, tolerance=1e-11)
        for s in mixed_and_plain()
    ]
    parts, flows = zip(*((f.decompose(), f.decompose_lead_currents()) for f in frames), strict=True)
    for name in ("adiabatic", "geometric", "sea", "surface"):
        assert np.abs(getattr(parts[1], name)).max() > 1e-4
        same(*(getattr(p, name) for p in parts))
        same(*(getattr(f, name).charge for f in flows))
        same(*(getattr(f, name).spin for f in flows))


@pytest.mark.parametrize("kT", [0.0, 0.04])
def test_response_of_mixed_chains(kT: float) -> None:
    tensors = [
        ln.ResponseTensors(ln.OpenSystem(s.electrons, s.leads, 0.2, kT), texture(3), tolerance=1e-11)
        for s in mixed_and_plain()
    ]
    same(*(t.response for t in tensors))
    same(*(t.friction for t in tensors))
    same(*(t.spin_density_adiabatic for t in tensors))
    assert tensors[0].compare_precession(0.01).difference < 1e-10


# Ribbons with spin-orbit coupling


def rashba_layer(width: int, rashba: float, exchange: tuple[float, float, float] = (0, 0, 0)) -> tuple[Any, Any]:
    """h_0 and <x|H|x + 1> of a ribbon with hopping 1: -1 + i lambda sigma_y along x, -1 - i lambda sigma_x along y."""
    own = np.einsum("a,ast->st", np.array(exchange, dtype=float), PAULI)
    cell = np.kron(np.eye(width), own).astype(complex)
    up = np.kron(np.diag(np.ones(width - 1), 1), -ONE - 1j * rashba * SX)
    return cell + up + up.conj().T, np.kron(np.eye(width), -ONE + 1j * rashba * SY)


def ribbon(
    layers: list[tuple[np.ndarray, np.ndarray]], j_sd: Any, left: Any, right: Any, kT: float = 0.05, mu: float = -0.7,
) -> ln.OpenSystem:  # fmt: skip
    """A device of layers (h, <x|H|x + 1>), the last one's hopping that to the right lead; leads (layer, options)."""
    m = len(layers[0][0])
    size = m * len(layers)
    h = np.zeros((size, size), dtype=complex)
    for x, (own, hop) in enumerate(layers):
        h[m * x : m * (x + 1), m * x : m * (x + 1)] = own
        if x + 1 < len(layers):
            h[m * x : m * (x + 1), m * (x + 1) : m * (x + 2)] = hop
            h[m * (x + 1) : m * (x + 2), m * x : m * (x + 1)] = hop.conj().T
    leads = []
    for place, (layer, options) in ((slice(0, m), left), (slice(size - m, size), right)):
        outward = layer[1].conj().T if place.start == 0 else layer[1]
        tau = np.zeros((size, m), dtype=complex)
        tau[place] = outward
        leads.append(MatrixLead(tau, Crystal(layer[0], outward), **options))
    return ln.OpenSystem(ln.Electrons(h, j_sd), leads, mu, kT)


MAGNETIC = rashba_layer(2, 0.5, (0.4, 0.2, 0.1))
NORMAL = rashba_layer(2, 0.3)
MIDDLE = rashba_layer(2, 0.6)


def small_and_enlarged(v_left: float, v_right: float, **options: Any) -> tuple[ln.OpenSystem, ln.OpenSystem, slice]:
    """Two layers between a ferromagnetic and a normal lead, and the same with layers of the leads in the device.

    The hopping between different layers is that of the left one."""
    own = [MIDDLE, (MIDDLE[0], NORMAL[1])]
    left, right = (MAGNETIC, {"voltage": v_left}), (NORMAL, {"voltage": v_right})
    small = ribbon(own, 0.9, left, right, **options)
    raised = [(h + v * np.eye(4), hop) for (h, hop), v in ((MAGNETIC, v_left), (NORMAL, v_right))]
    j_sd = np.repeat([0.0, 0.9, 0.0], [4, 4, 6])
    return small, ribbon([raised[0]] * 2 + own + [raised[1]] * 3, j_sd, left, right, **options), slice(8, 16)


@pytest.mark.parametrize(("v_left", "v_right", "kT"), [(0.0, 0.0, 0.0), (0.2, -0.1, 0.05), (0.0, 0.25, 0.0)])
def test_ribbon_in_an_enlarged_device(v_left: float, v_right: float, kT: float) -> None:
    small, large, common = small_and_enlarged(v_left, v_right, kT=kT)
    moments = texture(4)
    all_moments = np.concatenate([np.tile([0.0, 0.0, 1.0], (4, 1)), moments, np.tile([0.0, 0.0, 1.0], (6, 1))])
    frames = ln.RotatingFrame(small, moments, 0.0, tolerance=1e-10), ln.RotatingFrame(
        large, all_moments, 0.0, tolerance=1e-10
    )
    same(frames[0].density_matrix(), frames[1].density_matrix()[common, common], 1e-9)
    currents = [frame.lead_currents().charge for frame in frames]
    same(*currents, 1e-9)
    same(currents[0].sum(), 0.0, 1e-9)
    assert abs(currents[0][0]) > 1e-2 or v_left == v_right


def test_response_of_a_ribbon_in_an_enlarged_device() -> None:
    small, large, _ = small_and_enlarged(0.0, 0.0)
    moments = texture(4)
    all_moments = np.concatenate([np.tile([0.0, 0.0, 1.0], (4, 1)), moments, np.tile([0.0, 0.0, 1.0], (6, 1))])
    tensors = ln.ResponseTensors(small, moments, 1e-9), ln.ResponseTensors(large, all_moments, 1e-9)
    same(tensors[0].response, tensors[1].response[4:8, :, 4:8], 1e-8)
    same(tensors[0].friction, tensors[1].friction[4:8, :, 4:8], 1e-8)
