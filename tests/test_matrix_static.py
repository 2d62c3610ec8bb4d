"""Matrix self-energies in every exact static solver: against plain chains, enlarged devices and closed forms.

Sigma of the leads here is made in this file: chains mixed by a unitary matrix, or the surface function of a crystal by
its Bloch waves. A device that is enlarged by layers of its leads is the same physics with other matrices everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.spatial.transform
from hypothesis import given, settings
from hypothesis import strategies as st

import llgnegf as ln
from llgnegf.poles.channels import PoleChannel, channel_poles, expand
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.leads import Channel, LeadAtVoltage
from llgnegf.problem.periodic import PeriodicSpectrum
from llgnegf.problem.periodic_leads import PeriodicLead
from llgnegf.problem.spectra import ChainSpectrum
from llgnegf.response.fast_tensors import PoleTensors
from llgnegf.run.slow_simulation import slow_electrons
from llgnegf.static.channels import StaticChannel
from llgnegf.static.green import StaticDevice
from llgnegf.static.undamped import bound_states
from llgnegf.units import HBAR

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

    def modes(self, tolerance: float) -> MatrixModes:
        """Those of the chains: what a fit would have to find."""
        found = [channel_poles(c, tolerance, strict=False) for c in self.chains]
        owner = np.repeat(np.arange(self.size), [c.energies.size for c in found])
        chi, b = (np.concatenate(parts) for parts in zip(*((c.energies, c.weights) for c in found), strict=True))
        s = np.sqrt(np.abs(b))
        left, right = self.mixing[:, owner] * s, self.mixing[:, owner] * (b / s).conj()
        return MatrixModes(chi, left, right, max(c.error for c in found))


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
        # On an edge waves in and out are one and the same: beside it.
        z = z + 1e-9 * (np.abs(z[..., None] - self.points) < 1e-9).any(axis=-1)
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


def test_tensors_in_poles_of_mixed_chains() -> None:
    """The compiled sums of slow runs, with the same poles in both forms."""
    mixed, plain = mixed_and_plain()
    poles = expand(plain, 1e-5, 1e-9)
    channels = tuple(
        PoleChannel(lead.vectors, p, lead.spectrum.modes(1e-5), lead.spectrum) for p, lead in enumerate(mixed.leads)
    )
    both = [PoleTensors(p, 1e-10) for p in (replace(poles, system=mixed, channels=channels), poles)]
    moments = np.stack([texture(3), texture(3, 5)])
    rest = [t.adiabatic(moments, True) for t in both]
    found = [t.tensors(r, True, True) for t, r in zip(both, rest, strict=True)]
    for name, pair in (("spin", rest), ("charge", rest), ("friction", found), ("geometric", found)):
        assert np.abs(getattr(pair[1], name)).max() > 1e-3
        same(*(getattr(one, name) for one in pair), 1e-12)
    same(*(t.grand_potential(moments[0]) for t in both), 1e-12)


def test_slow_runs_and_relaxation_with_mixed_chains() -> None:
    """Runs of their own: their Fermi poles cover bounds of the spectrum that are not the same."""
    magnet = ln.Magnet(texture(3), 2.0, energies=[ln.Exchange(0.05), ln.UniaxialAnisotropy(0.02, "z")])
    systems = mixed_and_plain()
    relaxed = [ln.relax(s, magnet, 1e-5, rtol=1e-6).moments for s in systems]
    same(*relaxed, 1e-9)
    runs = [ln.simulate(s, magnet, t_end=5.0, rtol=1e-6, electrons="adiabatic").dataset for s in systems]
    for name in ("moments", "spin_density", "charge_density"):
        same(*(run[name].values for run in runs), 1e-8)


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


# Leads whose end has a level in a gap


class Alternating:
    """The end of a chain with hoppings v, w, v, w ..., coupled to `strength` times its first site, levels at e.

    g = [x^2 - v^2 + w^2 - R]/(2 x w^2), R = prod sqrt(x -+ v -+ w), x = E - e, from g = 1/(x - v^2/(x - w^2 g)):
    for v < w a level at e.
    """

    is_zero = False

    def __init__(self, v: float, w: float, onsite: float, strength: float) -> None:
        self.v, self.w, self.onsite, self.strength = v, w, onsite, strength
        self.support = onsite - v - w, onsite + v + w
        self.gap = onsite - abs(w - v), onsite + abs(w - v)
        self.level = (onsite,) if v < w else ()

    def _parts(self, energy: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, R, and x less the band edges."""
        x = np.asarray(energy, dtype=complex) - self.onsite
        distances = np.array([x - s * self.v - t * self.w for s in (1, -1) for t in (1, -1)])
        return x, np.prod(np.sqrt(distances), axis=0), distances

    def self_energy(self, energy: Any) -> np.ndarray:
        x, root, _ = self._parts(energy)
        return self.strength**2 * (x**2 - self.v**2 + self.w**2 - root) / (2 * x * self.w**2)

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        x, root, distances = self._parts(energy)
        slope = root * (0.5 / distances).sum(axis=0)
        above, below = x**2 - self.v**2 + self.w**2 - root, 2 * x * self.w**2
        return self.strength**2 * ((2 * x - slope) / below - above / (x * below))

    def broadening(self, energy: Any) -> np.ndarray:
        return -2 * self.self_energy(energy).imag


class MixedAlternating(Mixed):
    """The same for several `Alternating`."""

    def __init__(self, chains: list[Alternating], mixing: np.ndarray) -> None:
        self.chains, self.mixing, self.size = chains, mixing, len(chains)
        self.surface_levels = np.unique([level for c in chains for level in c.level])
        self.points = np.unique([*self.surface_levels, *np.ravel([(c.support, c.gap) for c in chains])])
        self.support = min(c.support[0] for c in chains), max(c.support[1] for c in chains)


V, W = 0.5, 1.1


def with_surface_level(
    steps: int, coupling: float = 0.6, site_level: float = 0.3, j_sd: float = 0.25, wide: float = 0.0, **options: Any
) -> ln.OpenSystem:
    """A site and `steps` sites of an alternating chain with its levels at 0.05, the rest of it as the lead.

    `wide` attaches a wide-band lead to the site as well."""
    n = 1 + steps
    h = np.diag([site_level, *[0.05] * steps]).astype(complex)
    hoppings = [coupling, *[V, W] * steps]
    for k in range(steps):
        h[k, k + 1] = h[k + 1, k] = hoppings[k]
    v, w = (V, W) if steps % 2 == 0 else (W, V)
    spectrum = MixedAlternating([Alternating(v, w, 0.05, hoppings[steps])] * 2, unitary(2, 5))
    vectors = np.eye(2 * n)[:, -2:] @ spectrum.mixing.conj().T
    leads: list[Any] = [MatrixLead(vectors, spectrum)]
    leads += [ln.WideBandLead(0, wide, voltage=0.4, chemical_potential=0.0)] if wide else []
    electrons = ln.Electrons(np.kron(h, ONE), np.array([j_sd] + [0.0] * steps))
    return ln.OpenSystem(electrons, leads, **options)


def padded(moment: Any, n: int) -> np.ndarray:
    return np.concatenate([[moment], np.tile([0.0, 0.0, 1.0], (n - 1, 1))])


MOMENT = np.array([0.48, 0.6, 0.64])


@pytest.mark.parametrize("kT", [0.0, 0.03])
@pytest.mark.parametrize("steps", [1, 2])
def test_surface_level_in_an_enlarged_device(kT: float, steps: int) -> None:
    rhos = [
        ln.RotatingFrame(with_surface_level(k, kT=kT), padded(MOMENT, 1 + k), 0.0, tolerance=1e-11).density_matrix()
        for k in (0, steps)
    ]
    same(rhos[0], rhos[1][:2, :2])


@pytest.mark.parametrize("site_level", [0.3, 0.05])
def test_tensors_next_to_a_surface_level(site_level: float) -> None:
    """Bound states in the gap near the Fermi energy."""
    found = []
    for steps in (0, 2):
        system = with_surface_level(steps, site_level=site_level, j_sd=0.2, kT=0.03, fermi_energy=-0.4)
        found.append(ln.ResponseTensors(system, padded(MOMENT, 1 + steps), 1e-10))
    assert np.abs(found[0].response).max() > 1e-3
    same(found[0].response[0, :, 0], found[1].response[0, :, 0], 1e-9)
    same(found[0].friction[0, :, 0], found[1].friction[0, :, 0], 1e-9)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_bound_state_at_a_pole_of_sigma(steps: int) -> None:
    """A level e of a site behind one that couples to the end with the level e: with nothing on the site between.

    From t psi_0 + gamma_c psi_a = 0 there and |psi_a|^2 = (1 - v^2/w^2) of the end's level, |psi_0|^2 = 1/(1 + x),
    x = t^2/[gamma_c^2 (1 - v^2/w^2)].
    """
    behind, coupling = 0.7, 0.6
    system = with_surface_level(steps, coupling, j_sd=0.0)
    h = np.zeros((2 * (2 + steps),) * 2, dtype=complex)
    h[2:, 2:] = system.electrons.device.matrix(0.0).toarray()
    h[:2, :2], h[:2, 2:4], h[2:4, :2] = 0.05 * ONE, behind * ONE, behind * ONE
    (channel,) = system.lead_channels[0]
    vectors = np.concatenate([np.zeros((2, 2)), channel.vector])
    levels = bound_states(StaticDevice(h, (StaticChannel(vectors, channel.spectrum, 0.0, 0.0, 0),)), -0.5, 0.6)
    there = [level for level in levels if abs(level.energy - 0.05) < 1e-9]
    expected = 1 / (1 + behind**2 / (coupling**2 * (1 - V**2 / W**2)))
    same([level.residue[:2, :2] for level in there], [expected * ONE])
    same(there[0].residue[2:4, :4], 0.0)


def test_crystal_of_the_package_next_to_its_surface_level() -> None:
    """Sigma at every distance from its pole, and what bound states near the Fermi energy make of it."""
    cell, hopping = np.array([[0.05, V], [V, 0.05]]), np.array([[0.0, 0.0], [W, 0.0]])
    spectrum, exact = PeriodicSpectrum(cell, hopping), Alternating(V, W, 0.05, 1.0)
    for distance in 10.0 ** -np.arange(1, 11):
        z = 0.05 + distance * np.array([1.0, -1.0, 1j])
        np.testing.assert_allclose(spectrum.self_energy(z)[:, 0, 0], exact.self_energy(z), rtol=1e-9)
    lead = PeriodicLead(np.kron(cell, ONE), np.kron(hopping, ONE), np.kron([[0.6, 0.0]], ONE))
    system = with_surface_level(0, fermi_energy=-0.4, kT=0.03)
    crystal = ln.OpenSystem(system.electrons, [lead], -0.4, 0.03)
    same(*(ln.ResponseTensors(s, [MOMENT], 1e-11).response for s in (crystal, system)), 1e-9)
    same(*(ln.RotatingFrame(s, [MOMENT], 0.0, tolerance=1e-11).density_matrix() for s in (crystal, system)))


@pytest.mark.parametrize("mu", [-0.4, -0.55, -0.6])
def test_slow_electrons_next_to_a_surface_level(mu: float) -> None:
    """Fitted modes and bound states in the gap, at the band edge and in the band, against exact leads."""
    cell, hopping = np.array([[0.05, V], [V, 0.05]]), np.array([[0.0, 0.0], [W, 0.0]])
    lead = PeriodicLead(np.kron(cell, ONE), np.kron(hopping, ONE), np.kron([[0.6, 0.0]], ONE))
    system = ln.OpenSystem(ln.Electrons(0.3 * ONE, 0.25), [lead], mu, 0.03)
    slow, exact = slow_electrons(system, 1e-6)[0], ln.ResponseTensors(system, [MOMENT], 1e-9)
    rest = slow.adiabatic(MOMENT[None, None], True)
    tensors = slow.tensors(rest, True, True)
    same(rest.spin[0], exact.spin_density_adiabatic, 1e-6)
    same(tensors.friction[0], exact.friction[0, :, 0], 1e-6)
    same(tensors.geometric[0], exact.geometric[0, :, 0], 1e-6)
    assert np.abs(exact.geometric).max() > 1e-3


@pytest.mark.parametrize("coupling", [0.6, 0.01])
def test_surface_level_that_another_lead_widens(coupling: float) -> None:
    """The level at the end is a narrow resonance of the wide-band lead, off its pole of Sigma; currents vanish."""
    systems = [with_surface_level(k, coupling, wide=0.3, kT=0.01) for k in (0, 1)]
    frames = [ln.RotatingFrame(s, padded(MOMENT, s.n_sites), 0.0, tolerance=1e-10) for s in systems]
    same(frames[0].density_matrix(), frames[1].density_matrix()[:2, :2], 1e-9)
    same(frames[0].lead_currents().charge, frames[1].lead_currents().charge, 1e-9)


# Several leads, temperatures, precession


def three_terminals(steps: int) -> tuple[ln.OpenSystem, slice]:
    """Two ribbons and a ferromagnetic Rashba chain to one side, `steps` sites of which are in the device."""
    base = ribbon([MIDDLE, MIDDLE], 0.7, (NORMAL, {"voltage": 0.1}), (NORMAL, {"kT": 0.02}), kT=0.05)
    own, hop = rashba_layer(1, 0.6, (0.2, 0.5, -0.3))
    n = 8 + 2 * steps
    h = np.zeros((n, n), dtype=complex)
    h[:8, :8] = base.electrons.device.matrix(0.0).toarray()
    for k in range(steps):
        row, before = slice(8 + 2 * k, 10 + 2 * k), slice(6 + 2 * k, 8 + 2 * k) if k else slice(2, 4)
        h[row, row], h[before, row], h[row, before] = own - 0.15 * ONE, hop, hop.conj().T
    tau = np.zeros((n, 2), dtype=complex)
    tau[slice(n - 2, n) if steps else slice(2, 4)] = hop
    leads: list[Any] = [MatrixLead(np.eye(n)[:, :8] @ p.vectors, p.spectrum, voltage=p.voltage, kT=p.kT)
                        for p in base.leads]  # fmt: skip
    leads.append(MatrixLead(tau, Crystal(own, hop), voltage=-0.15))
    j_sd = np.array([0.7] * 4 + [0.0] * steps)
    return ln.OpenSystem(ln.Electrons(h, j_sd), leads, -0.7, 0.05), slice(0, 8)


def test_three_terminals_at_temperatures_and_voltages_of_their_own() -> None:
    frames = []
    for steps in (0, 2):
        system, common = three_terminals(steps)
        moments = np.concatenate([texture(4), np.tile([1.0, 0.0, 0.0], (steps, 1))])
        frames.append(ln.RotatingFrame(system, moments, 0.0, tolerance=1e-10))
    same(frames[0].density_matrix(), frames[1].density_matrix()[common, common], 1e-9)
    first, second = (frame.lead_currents() for frame in frames)
    same(first.charge, second.charge, 1e-9)
    same(first.spin[:2], second.spin[:2], 1e-9)
    same(first.charge.sum(), 0.0, 1e-9)
    assert np.abs(first.charge).min() > 1e-4


def spin_keeping_layer(exchange: float) -> tuple[Any, Any]:
    """Hopping along x with sigma_y, along y without: both ribbons and magnets along y keep the spin along y."""
    cell = np.kron(np.eye(2), exchange * SY) - np.kron(np.array([[0, 1], [1, 0]]), ONE)
    return cell, np.kron(np.eye(2), -ONE + 0.5j * SY)


@pytest.mark.parametrize("v_left", [0.0, 0.2])
def test_precession_about_the_spin_that_leads_keep(v_left: float) -> None:
    """The extra layers turn in the frame as the leads do: what is geometric in the one device is sea in the other."""
    left, middle, right = (spin_keeping_layer(b) for b in (0.4, 0.0, 0.1))
    raised = left[0] + v_left * np.eye(4), left[1]
    leads = (left, {"voltage": v_left}), (right, {})
    systems = [
        ribbon([raised] * k + [middle] * 2 + [right] * k, np.repeat([0.0, 0.8, 0.0], [2 * k, 4, 2 * k]), *leads)
        for k in (0, 2)
    ]
    frames = [
        ln.RotatingFrame(s, np.concatenate([padded(MOMENT, 1 + k)[1:], texture(4), padded(MOMENT, 1 + k)[1:]]), 0.05,
                         axis="y", tolerance=1e-10)
        for s, k in zip(systems, (0, 4), strict=True)
    ]  # fmt: skip
    common = slice(8, 16)
    same(frames[0].density_matrix(), frames[1].density_matrix()[common, common], 1e-9)
    flows = [frame.lead_currents() for frame in frames]
    same(*(flow.charge for flow in flows), 1e-9)
    same(*(flow.spin[:, 1] for flow in flows), 1e-9)
    assert np.abs(flows[0].spin[:, 1]).min() > 1e-5
    if v_left == 0.0:
        small, large = (frame.decompose() for frame in frames)
        same(small.adiabatic, large.adiabatic[common, common], 1e-9)
        same(small.surface, large.surface[common, common], 1e-9)
        same(small.geometric + small.sea, (large.geometric + large.sea)[common, common], 1e-9)
        ours, theirs = (frame.decompose_lead_currents() for frame in frames)
        same(ours.surface.charge, theirs.surface.charge, 1e-9)
        same(ours.surface.spin[:, 1], theirs.surface.spin[:, 1], 1e-9)


def test_precession_is_refused_where_a_lead_does_not_keep_the_spin() -> None:
    plain = rashba_layer(2, 0.0)
    for layer, message in (
        (rashba_layer(2, 0.3), r"system.leads\[0\]: has spin-orbit coupling: Sigma does not commute with sigma.axis"),
        (rashba_layer(2, 0.0, (0.3, 0.0, 0.0)), r"system.leads\[0\]: is magnetic: Sigma does not commute"),
    ):
        system = ribbon([plain] * 2, 0.5, (layer, {}), (plain, {}))
        with pytest.raises(ValueError, match=message):
            ln.RotatingFrame(system, texture(4), 0.01, "z")
        ln.RotatingFrame(system, texture(4), 0.0, "z")
    along = ribbon([plain] * 2, 0.5, (rashba_layer(2, 0.0, (0.3, 0.0, 0.0)), {}), (plain, {}))
    ln.RotatingFrame(along, texture(4), 0.01, "x")


@pytest.mark.parametrize(("hot", "cold"), [(0.15, 0.03), (0.1, 0.0)])
def test_thermocurrent_of_a_level(hot: float, cold: float) -> None:
    """Landauer: two spins of a level e with T = Gamma_1 Gamma_2 A, A = 1/[(E - e)^2 + (Gamma_1 + Gamma_2)^2/4]."""
    wide, level = (0.2, 0.3), 0.12
    leads = [ln.WideBandLead(0, g, kT=kT) for g, kT in zip(wide, (hot, cold), strict=True)]
    frame = ln.RotatingFrame(ln.OpenSystem(ln.Electrons(level * ONE, 0.0), leads), [[0, 0, 1]], 0.0, tolerance=1e-11)

    def lorentzian(e: float) -> float:
        return 1 / ((e - level) ** 2 + 0.25 * sum(wide) ** 2)

    def f(e: float, kT: float) -> float:
        return 0.5 * (1 - np.tanh(e / (2 * kT))) if kT else 0.5 - 0.5 * np.sign(e)

    def integral(function: Any) -> float:
        pieces = zip((-6.0, -0.5, 0.0, 0.1, 0.5), (-0.5, 0.0, 0.1, 0.5, 6.0), strict=True)
        return sum(scipy.integrate.quad(function, a, b, epsabs=1e-13, limit=200)[0] for a, b in pieces)

    current = 2 * integral(lambda e: wide[0] * wide[1] * lorentzian(e) * (f(e, hot) - f(e, cold))) / (2 * np.pi * HBAR)
    assert abs(current) > 1e-3
    same(frame.lead_currents().charge, [-current, current], 1e-10)
    # Beyond the window both are filled alike: the rest is a filled Lorentzian, arctan(2 (E - e)/Gamma)/pi.
    inside = integral(lambda e: lorentzian(e) * (wide[0] * f(e, hot) + wide[1] * f(e, cold))) / (2 * np.pi)
    below = 0.5 + np.arctan(2 * (-6.0 - level) / sum(wide)) / np.pi
    same(np.diag(frame.density_matrix()), inside + below, 1e-10)


def test_temperatures_along_a_chain() -> None:
    """The recursion of long chains and whole matrices, charge conserved and heat driving a current."""
    leads = [ln.ChainLead(0, kT=0.1, coupling=0.5), ln.ChainLead(-1, kT=0.0, onsite=0.4)]
    frame = ln.RotatingFrame(ln.OpenSystem(ln.chain(40, 1.0, 0.4), leads, 0.2), texture(40), 0.02, tolerance=1e-10)
    local, rho = frame.local_density_matrix(), frame.density_matrix().reshape(40, 2, 40, 2)
    same(local.diagonal, np.einsum("isit->ist", rho), 1e-9)
    current = frame.lead_currents().charge
    same(current.sum(), 0.0, 1e-8)
    assert abs(current[0]) > 1e-5


def test_temperatures_of_leads_are_no_equilibrium() -> None:
    warm = ln.OpenSystem(ln.chain(2, j_sd=0.3), [ln.ChainLead(0, kT=0.1), ln.ChainLead(1)], kT=0.02)
    assert not warm.in_equilibrium()
    assert warm.mean_temperature == pytest.approx(0.06)
    frame = ln.RotatingFrame(warm, texture(2), 0.01)
    for refused in (frame.decompose, frame.decompose_lead_currents):
        with pytest.raises(ValueError, match=r"at the temperatures kT = \[0.1, 0.02\] eV; allowed: leads in a common"):
            refused()
    with pytest.raises(ValueError, match=r"relax.system: temperatures kT = .*one for all leads"):
        ln.relax(warm, ln.Magnet(texture(2), 2.0))
    alike = ln.OpenSystem(ln.chain(2, j_sd=0.3), [ln.ChainLead(0, kT=0.1), ln.ChainLead(1, kT=0.1)], kT=0.02)
    common = ln.OpenSystem(ln.chain(2, j_sd=0.3), [ln.ChainLead(0), ln.ChainLead(1)], kT=0.1)
    assert alike.in_equilibrium()
    same(*(ln.ResponseTensors(s, texture(2)).response for s in (alike, common)), 0.0)
    same(*(ln.RotatingFrame(s, texture(2), 0.01).decompose().surface for s in (alike, common)), 0.0)
    noisy = {"t_end": 1.0, "step": 0.5, "seed": 1, "electrons": "adiabatic"}
    with pytest.raises(ValueError, match=r"temperature: 0.02; allowed: kT of the leads = 0.1: friction and its noise"):
        ln.simulate(alike, ln.Magnet(texture(2), 2.0, damping=0.1), temperature=0.02, **noisy)
    runs = [ln.simulate(s, ln.Magnet(texture(2), 2.0), temperature=0.1, **noisy).dataset for s in (alike, common)]
    same(*(run["moments"].values for run in runs), 0.0)


@pytest.mark.parametrize("rashba", [0.0, 0.4])
@pytest.mark.parametrize("mu", [-2.9, -0.8, 0.6])
def test_conductance_counts_open_channels(rashba: float, mu: float) -> None:
    """I = (open channels) V/(2 pi hbar) in a ribbon that goes on; channels: bands that cross mu upwards."""
    layer, bias = rashba_layer(3, rashba), 0.01
    left, right = ({"chemical_potential": mu + sign * bias / 2} for sign in (1, -1))
    system = ribbon([layer] * 2, 0.0, (layer, left), (layer, right), kT=0.0, mu=mu)
    grid = np.linspace(-np.pi, np.pi, 2001)
    table = np.array([system.leads[1].spectrum.bands(k) for k in grid]) - mu
    channels = int(np.sum((table[:-1] < 0) & (table[1:] >= 0)))
    current = ln.RotatingFrame(system, padded(MOMENT, 6), 0.0, tolerance=1e-11).lead_currents().charge
    assert channels >= 2
    same(current * 2 * np.pi * HBAR / bias, [-channels, channels], 1e-7)


# Levels without width; what a channel must be


def star(mix: bool, hopping: float, bias: float, **options: Any) -> ln.OpenSystem:
    """A site with two leads, and two others that hang on it alike: their difference is dark."""
    h = np.array([[0.0, 0.5, 0.5], [0.5, 0.1, 0.0], [0.5, 0.0, 0.1]])
    leads: list[Any] = []
    for seed, mu in ((7, options["fermi_energy"] + bias), (8, options["fermi_energy"] - bias)):
        chains, a = [ChainSpectrum(0.4, hopping), ChainSpectrum(0.4, hopping)], unitary(2, seed)
        vectors = np.eye(6)[:, :2]
        if mix:
            leads.append(MatrixLead(vectors @ a.conj().T, Mixed(chains, a), chemical_potential=mu))
        else:
            leads.append(ln.Lead([(vectors[:, k], chains[k]) for k in range(2)], chemical_potential=mu))
    return ln.OpenSystem(ln.Electrons(np.kron(h, ONE), np.array([0.9, 0.0, 0.0])), leads, **options)


def test_dark_states_keep_the_mean_filling() -> None:
    biased = [star(mix, 1.0, 0.15, fermi_energy=0.3, kT=0.02) for mix in (True, False)]
    rhos = [ln.RotatingFrame(s, padded(MOMENT, 3), 0.0, tolerance=1e-11).density_matrix() for s in biased]
    same(*rhos)
    dark = np.kron([0.0, 1.0, -1.0], ONE) / np.sqrt(2)
    same(dark @ rhos[0] @ dark.T, ONE / (1 + np.exp((0.1 - 0.3) / 0.02)))
    systems = [star(mix, 1.0, 0.0, fermi_energy=0.3, kT=0.02) for mix in (True, False)]
    same(*(ln.ResponseTensors(s, padded(MOMENT, 3), 1e-11).response for s in systems))


def test_bound_states_beyond_narrow_bands() -> None:
    systems = [star(mix, 0.2, 0.0, fermi_energy=0.75, kT=0.03) for mix in (True, False)]
    tensors = [ln.ResponseTensors(s, padded(MOMENT, 3), 1e-11) for s in systems]
    same(*(t.response for t in tensors))
    biased = [star(mix, 0.2, 0.15, fermi_energy=0.0, kT=0.03) for mix in (True, False)]
    same(*(ln.RotatingFrame(s, padded(MOMENT, 3), 0.0, tolerance=1e-11).density_matrix() for s in biased))


def test_vectors_and_spectrum_must_fit() -> None:
    spectrum = Crystal(*rashba_layer(1, 0.2))
    for vectors, one, message in (
        (np.eye(4)[:, :3], spectrum, r"shape \(4, 3\); .*\(4, 2\): a column for each"),
        (np.eye(4)[0], spectrum, r"shape \(4,\); .*\(4, 2\)"),
        (np.eye(4)[:, :2], ChainSpectrum(1.0, 1.0), r"shape \(4, 2\); allowed: 4 finite"),
    ):
        with pytest.raises(ValueError, match=r"OpenSystem.leads\[0\].attach\(\)\[0\].vector: " + message):
            ln.OpenSystem(ln.chain(2), [MatrixLead(vectors, one)])


@pytest.mark.parametrize(
    ("width", "length", "rashba", "mu", "expected"),
    [(3, 3, 1.0, 0.0, 0.514781), (3, 3, 1.0, 1.5, 0.577730), (2, 2, 0.0, -3.0, 0.159155), (2, 2, 0.0, -1.0, 0.477465),
     (2, 2, 0.0, 0.0, 0.636620)],
)  # fmt: skip
def test_published_conductances(width: int, length: int, rashba: float, mu: float, expected: float) -> None:
    """I/dV in 1/hbar at kT = 1/40 and dV = 0.01 between plain leads; of ladders channels/2 pi, at an edge half."""
    device, plain, bias = rashba_layer(width, rashba), rashba_layer(width, 0.0), 0.01
    ends = [(plain, {"chemical_potential": mu + sign * bias / 2}) for sign in (1, -1)]
    system = ribbon([device] * (length - 1) + [(device[0], plain[1])], 0.0, *ends, kT=1 / 40, mu=mu)
    current = ln.RotatingFrame(system, texture(width * length), 0.0).lead_currents().charge
    same(current * HBAR / bias, [-expected, expected], 6e-7)


@given(st.integers(0, 10**6), st.floats(-0.3, 0.3), st.sampled_from([0.0, 0.02, 0.1]))
@settings(max_examples=6, deadline=None)
def test_spins_may_be_turned_everywhere(seed: int, voltage: float, kT: float) -> None:
    """Device, moments and both leads in turned spin frames, the orbitals of the leads in others of their own."""
    small, _, _ = small_and_enlarged(voltage, 0.1, kT=kT)
    turn = scipy.spatial.transform.Rotation.random(random_state=seed)
    x, y, z, w = turn.as_quat()
    spin = w * ONE - 1j * (x * SX + y * SY + z * SZ)
    on_device = np.kron(np.eye(4), spin)
    leads = []
    for p, lead in enumerate(small.leads):
        a = unitary(4, seed + p)
        crystal = Crystal(a @ lead.spectrum.cell @ a.conj().T, a @ lead.spectrum.hopping @ a.conj().T)
        leads.append(MatrixLead(on_device @ lead.vectors @ a.conj().T, crystal, voltage=lead.voltage))
    h = on_device @ small.electrons.device.matrix(0.0).toarray() @ on_device.conj().T
    turned = ln.OpenSystem(ln.Electrons(h, small.electrons.j_sd), leads, small.fermi_energy, kT)
    frames = [ln.RotatingFrame(s, m, 0.0) for s, m in ((small, texture(4)), (turned, turn.apply(texture(4))))]
    rhos, flows = [f.density_matrix() for f in frames], [f.lead_currents() for f in frames]
    same(on_device @ rhos[0] @ on_device.conj().T, rhos[1], 1e-9)
    same(flows[0].charge, flows[1].charge, 1e-9)
    same(turn.apply(flows[0].spin), flows[1].spin, 1e-9)
