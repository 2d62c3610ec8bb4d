"""Periodic leads: the exact surface function, bands, bound levels, where a lead falls apart; against explicit ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import block_diag

from llgnegf.problem.matrix_leads import TabulatedMatrixLead, TabulatedMatrixSpectrum
from llgnegf.problem.matrix_spectra import MatrixSpectrum
from llgnegf.problem.periodic import PeriodicSpectrum
from llgnegf.problem.periodic_leads import PeriodicLead
from llgnegf.problem.spectra import ChainSpectrum, TabulatedSpectrum

S0, SX, SZ = np.eye(2), np.array([[0, 1], [1, 0]]), np.diag([1.0, -1.0])
SY = np.array([[0, -1j], [1j, 0]])


def ribbon(width: int, rashba: float = 0.3, exchange: Any = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Cell and hopping of a square ribbon with Rashba coupling, along x."""
    across, along = -S0 - 1j * rashba * SX, -S0 + 1j * rashba * SY
    cell = np.kron(np.eye(width, k=1), across)
    return cell + cell.conj().T + np.kron(np.eye(width), exchange * S0), np.kron(np.eye(width), along)


def zigzag(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Spinless honeycomb ribbon with zigzag edges along the lead: 2 `width` sites in a cell, V singular."""
    m = 2 * width
    cell, hopping = np.zeros((m, m)), np.zeros((m, m))
    for row in range(width):
        a, b = 2 * row, 2 * row + 1
        cell[a, b] = cell[b, a] = -1.0
        hopping[(b, a) if row % 2 else (a, b)] = -1.0
        if row:
            cell[b - 2, a] = cell[a, b - 2] = -1.0
    return cell, hopping


def armchair(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Spinless honeycomb ribbon with armchair edges along the lead; V is nilpotent."""
    m = 2 * width
    cell, hopping = np.zeros((m, m)), np.zeros((m, m))
    for row in range(width):
        cell[2 * row, 2 * row + 1] = -1.0
        if row + 1 < width:
            cell[2 * row, 2 * row + 2] = cell[2 * row + 1, 2 * row + 3] = -1.0
        if row % 2:
            hopping[2 * row + 1, 2 * row] = -1.0
    return cell + cell.T, hopping


def random_lead(m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, m, m)) + 1j * rng.normal(size=(2, m, m))
    return (a + a.conj().T) / 2, 0.5 * b


def explicit(cell: np.ndarray, hopping: np.ndarray, layers: int) -> np.ndarray:
    out = np.kron(np.eye(layers, k=1), hopping)
    return np.kron(np.eye(layers), cell) + out + out.conj().T


LEADS = {
    "rashba": ribbon(2), "ferromagnet": ribbon(2, exchange=0.5 * SX + 0.2 * SZ), "zigzag": zigzag(3),
    "armchair": armchair(4), "ssh": (0.5 * SX, np.array([[0, 0], [1, 0]])),
    **{f"random {m}": random_lead(m, m) for m in (2, 3, 5)},
}  # fmt: skip


@pytest.mark.parametrize("lead", LEADS.values(), ids=LEADS)
def test_surface_function_of_a_long_lead(lead: tuple[np.ndarray, np.ndarray]) -> None:
    """A lead of 200 cells at Im E = 0.3: what returns from its end is damped by exp(-2 x 200 x 0.3/v), v <= 4 here."""
    cell, hopping = lead
    z, m = np.linspace(-3, 3, 9) + 0.3j, len(cell)
    levels, states = np.linalg.eigh(explicit(cell, hopping, 200))
    first = states[:m]
    exact = np.einsum("an,en,bn->eab", first, 1 / (z[:, None] - levels), first.conj())
    slope = np.einsum("an,en,bn->eab", first, -1 / (z[:, None] - levels) ** 2, first.conj())
    spectrum = PeriodicSpectrum(cell, hopping)
    assert isinstance(spectrum, MatrixSpectrum)
    np.testing.assert_allclose(spectrum.self_energy(z), exact, atol=1e-12)
    np.testing.assert_allclose(spectrum.self_energy_derivative(z), slope, atol=1e-11)


ROOT = 0.9185586535436918
"""The third of the bands of `zigzag(3)` has an extremum there (to 1e-15) at which its states are strong in the end."""
DIVERGES = {("zigzag", 0.0): 2 / 3, ("zigzag", ROOT): 0.5, ("zigzag", -ROOT): 0.5}
"""Powers of 1/|E - E_0| with which Gamma grows: E ~ k^3 at the zigzag edge, and that extremum."""


def integral(spectrum: PeriodicSpectrum, low: float, high: float, powers: tuple[float, float]) -> np.ndarray:
    """int Gamma dE/2pi between two energies of `points`: 16 nodes for every factor 4 in the distance from both, which
    leave 3^-32 of what is singular there, and 40 for five bands at random with narrow structure between.

    Next to a divergence g begins to lose digits below d = 4e-7: A d^-a + B from Gamma at d and 4 d. Elsewhere the last
    1e-8 hold nothing.
    """
    x, w = np.polynomial.legendre.leggauss(40 if spectrum.size == 5 else 16)
    closest, half = 4e-7 if any(powers) else 1e-8, 0.5 * (high - low)
    total = np.zeros((spectrum.size, spectrum.size), complex)
    for end, sign, power in ((low, 1, powers[0]), (high, -1, powers[1])):
        ends = np.append(half * 4.0 ** -np.arange(np.floor(np.log2(half / closest) / 2) + 1), closest)
        for far, near in zip(ends[:-1], ends[1:], strict=True):
            distance, weight = near + 0.5 * (far - near) * (x + 1), 0.5 * (far - near) * w
            total += np.tensordot(weight, spectrum.broadening(end + sign * distance), axes=1)
        one, four = spectrum.broadening(end + sign * closest * np.array([1.0, 4.0]))
        grows = (one - four) / (1 - 4**-power) if power else np.zeros_like(one)
        total += closest * (grows / (1 - power) + one - grows)
    return total / (2 * np.pi)


@pytest.mark.parametrize("name", LEADS)
def test_on_the_real_axis(name: str) -> None:
    """g solves its equation, Gamma >= 0, and int Gamma dE/2pi + sum v v^dag = 1 with the bound levels."""
    cell, hopping = LEADS[name]
    spectrum = PeriodicSpectrum(cell, hopping)
    energies = np.linspace(*spectrum.support, 101)
    energies = energies[np.abs(energies[:, None] - spectrum.points).min(axis=1) > 1e-3]
    g, one = spectrum.self_energy(energies), np.eye(len(cell))
    equation = (energies[:, None, None] * one - cell - hopping @ g @ hopping.conj().T) @ g
    np.testing.assert_allclose(equation, np.broadcast_to(one, g.shape), atol=1e-10)
    gamma = spectrum.broadening(energies)
    assert np.linalg.eigvalsh(gamma).min() > -1e-10 * np.abs(g).max()
    total = spectrum.surface_states[1] @ spectrum.surface_states[1].conj().T
    inside = spectrum.points[(spectrum.points >= spectrum.support[0]) & (spectrum.points <= spectrum.support[1])]
    power = [next((p for (n, e), p in DIVERGES.items() if n == name and abs(e - x) < 1e-9), 0.0) for x in inside]
    for k in range(inside.size - 1):
        total = total + integral(spectrum, inside[k], inside[k + 1], (power[k], power[k + 1]))
    np.testing.assert_allclose(total, one, atol=1e-7)


def test_bands_that_cross_are_no_edge() -> None:
    """Those of three zigzag chains meet at E = +-1 with slopes that are not zero, at k = pi, which a bisection hits."""
    points = PeriodicSpectrum(*LEADS["zigzag"]).points
    assert np.abs(np.abs(points) - 1).min() > 0.05
    np.testing.assert_allclose(points, -points[::-1], atol=1e-12)
    np.testing.assert_allclose(points[points > 0.1][0], ROOT, rtol=0, atol=1e-14)


def test_chain_as_a_crystal() -> None:
    energies = np.array([-1.69, -1.0, 0.3, 2.29, 2.5, 7.0])
    chain, crystal = ChainSpectrum(1.0, 1.0, 0.3), PeriodicSpectrum([[0.3]], [[1.0]])
    np.testing.assert_allclose(crystal.points, [-1.7, 2.3], atol=1e-12)
    np.testing.assert_allclose(crystal.self_energy(energies)[:, 0, 0], chain.self_energy(energies), atol=1e-13)
    np.testing.assert_allclose(
        crystal.self_energy_derivative(energies)[:, 0, 0], chain.self_energy_derivative(energies), rtol=1e-9
    )


@pytest.mark.parametrize(("inner", "weight"), [(0.5, 0.75), (0.9, 0.19), (1.2, 0.0)])
def test_bound_level_of_a_dimerised_chain(inner: float, weight: float) -> None:
    """Su-Schrieffer-Heeger: psi_l ~ (-t_1/t_2)^l on one sublattice at E = 0 if t_1 < t_2, weight 1 - t_1^2/t_2^2."""
    spectrum = PeriodicSpectrum(inner * SX, [[0, 0], [1, 0]])
    levels, vectors = spectrum.surface_states
    found = float(np.sum(np.abs(vectors[0]) ** 2))
    assert found == pytest.approx(weight, abs=1e-10)
    np.testing.assert_allclose(levels, np.zeros(int(weight > 0)), atol=1e-12)
    np.testing.assert_allclose(spectrum.bands.gaps[0], [-abs(1 - inner), abs(1 - inner)], atol=1e-12)


@pytest.mark.parametrize("unit", [0.3, 1.2, 3.0, 1000.0])
def test_bound_level_where_the_band_ends_at_a_level_of_the_cell(unit: float) -> None:
    """t_2 = 2 t_1: the edges of the gap, +-(t_2 - t_1), are the levels of a dimer, +-t_1. The level stays at 0."""
    levels, vectors = PeriodicSpectrum(0.5 * unit * SX, [[0, 0], [unit, 0]]).surface_states
    np.testing.assert_allclose(levels, [0.0], atol=1e-12 * unit)
    np.testing.assert_allclose(np.abs(vectors[:, 0]) ** 2, [0.75, 0.0], atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_bound_levels_of_random_leads(seed: int) -> None:
    """All levels in gaps of 300 cells with weight in the first cell, and no other."""
    cell, hopping = random_lead(4, 100 + seed)
    spectrum = PeriodicSpectrum(cell, 0.6 * hopping)
    levels, states = np.linalg.eigh(explicit(cell, 0.6 * hopping, 300))
    weight = np.sum(np.abs(states[:4]) ** 2, axis=0)
    inside = [a + 1e-4 < e < b - 1e-4 for e in levels for a, b in [_gap(spectrum, e)]]
    bound = np.array(inside) & (weight > 0.01)
    own = spectrum.surface_states
    seen = np.sum(np.abs(own[1]) ** 2, axis=0) > 0.01
    np.testing.assert_allclose(own[0][seen], levels[bound], atol=1e-9)
    np.testing.assert_allclose(np.sum(np.abs(own[1][:, seen]) ** 2, axis=0), weight[bound], atol=1e-7)


def _gap(spectrum: PeriodicSpectrum, energy: float) -> tuple[float, float]:
    return next(((a, b) for a, b in spectrum.bands.gaps if a < energy < b), (np.inf, -np.inf))


def test_flat_band() -> None:
    """A diamond chain, hub - two arms - hub: the odd combination of the arms has zero energy and sees no other."""
    cell = np.zeros((3, 3))
    cell[0, 1:] = cell[1:, 0] = 1.0
    hopping = np.zeros((3, 3))
    hopping[1:, 0] = 1.0
    spectrum = PeriodicSpectrum(cell, hopping)
    np.testing.assert_allclose(spectrum.surface_levels, [0.0], atol=1e-12)
    np.testing.assert_allclose(np.abs(spectrum.surface_states[1][:, 0]), [0, 0.5**0.5, 0.5**0.5], atol=1e-9)
    np.testing.assert_allclose(spectrum.support, [-(8**0.5), 8**0.5], atol=1e-12)


def self_energy(lead: PeriodicLead, n_sites: int, energy: np.ndarray) -> np.ndarray:
    total = np.zeros((energy.size, 2 * n_sites, 2 * n_sites), dtype=complex)
    for channel in lead.attach(n_sites):
        sigma = channel.spectrum.self_energy(energy)
        sigma = sigma if sigma.ndim == 3 else sigma[:, None, None]
        total += channel.columns @ sigma @ channel.columns.conj().T
    return total


def test_rashba_chain_falls_apart_into_plain_chains() -> None:
    """t and Rashba lambda in one chain turn the spin from site to site: hopping sqrt(t^2 + lambda^2) for each spin."""
    cell, hopping = ribbon(1, rashba=0.4)
    lead = PeriodicLead(cell=cell + 0.1 * S0, hopping=hopping, coupling=hopping)
    channels = lead.attach(1)
    assert all(isinstance(c.spectrum, ChainSpectrum) for c in channels) and len(channels) == 2
    assert channels[0].spectrum is channels[1].spectrum
    assert channels[0].spectrum.hopping == pytest.approx(np.hypot(1, 0.4), abs=1e-12)
    assert channels[0].spectrum.onsite == pytest.approx(0.1, abs=1e-12)


def test_two_wide_ladder_falls_apart() -> None:
    """Even and odd combinations: on-site energies -1 and +1; either spin."""
    lead = PeriodicLead(cell=-SX, hopping=-S0, coupling=-S0)
    channels = lead.attach(2)
    assert sorted(round(c.spectrum.onsite, 12) for c in channels) == [-1, -1, 1, 1]
    z = np.array([0.3 + 0.1j, 2.0 + 0.2j])
    exact = PeriodicSpectrum(-SX, -S0).self_energy(z)
    np.testing.assert_allclose(self_energy(lead, 2, z), np.kron(exact, S0), atol=1e-12)


@pytest.mark.parametrize("lead", LEADS.values(), ids=LEADS)
@pytest.mark.parametrize("rows", [1, 2, 8])
def test_channels_add_up_to_the_whole(lead: tuple[np.ndarray, np.ndarray], rows: int) -> None:
    """tau g tau^dag of the undivided lead, for tau of any rank."""
    cell, hopping = lead
    m, rng = len(cell), np.random.default_rng(rows)
    tau = np.zeros((8, m), dtype=complex)
    tau[:rows] = rng.normal(size=(rows, m)) + 1j * rng.normal(size=(rows, m))
    z = np.array([-0.7 + 0.1j, 0.4 + 0.05j, 2.0])
    exact = tau @ PeriodicSpectrum(cell, hopping).self_energy(z) @ tau.conj().T
    found = self_energy(PeriodicLead(cell=cell, hopping=hopping, coupling=tau), 4, z)
    np.testing.assert_allclose(found, exact, atol=1e-9)


@pytest.mark.parametrize("shape", [[(3, 2), (2, 1)], [(1, 3), (2, 2)], [(4, 1)], [(2, 3)]])
def test_hidden_blocks_are_found(shape: list[tuple[int, int]]) -> None:
    """(size, copies) of blocks, mixed by a random unitary; copies share one spectrum."""
    blocks = [random_lead(d, 7 + k) for k, (d, copies) in enumerate(shape) for _ in range(copies)]
    cell, hopping = (block_diag(*(b[i] for b in blocks)) for i in (0, 1))
    m, rng = len(cell), np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(m, m)) + 1j * rng.normal(size=(m, m)))[0]
    tau = rng.normal(size=(2 * m, m)) + 0j
    lead = PeriodicLead(cell=turn @ cell @ turn.conj().T, hopping=turn @ hopping @ turn.conj().T, coupling=tau)
    channels = lead.attach(m)
    sizes = sorted(c.columns.shape[1] for c in channels)
    assert sizes == sorted(d for d, copies in shape for _ in range(copies))
    assert len({id(c.spectrum) for c in channels}) == len(shape)


@pytest.mark.parametrize(("name", "width"), [("square", 4), ("zigzag", 2), ("zigzag", 16)])
def test_channels_of_alike_spins_see_one_spin_each(name: str, width: int) -> None:
    """Both spins see one block each; mixtures would do as well, at twice the cost of products with u."""
    cell, hopping = ribbon(width, rashba=0.0) if name == "square" else (np.kron(x, S0) for x in zigzag(width))
    channels = PeriodicLead(cell=cell, hopping=hopping, coupling=np.eye(len(cell))).attach(len(cell) // 2)
    spins = [np.any(c.columns.reshape(len(cell) // 2, 2, -1) != 0, axis=(0, 2)) for c in channels]
    assert all(seen.sum() == 1 for seen in spins)
    assert sum(seen[0] for seen in spins) == sum(seen[1] for seen in spins) == len(spins) / 2


@pytest.mark.parametrize("rank", [1, 2, 8])
@pytest.mark.parametrize("lead", LEADS.values(), ids=LEADS)
def test_leads_that_are_equal_but_for_a_gauge_have_equal_spectra(
    lead: tuple[np.ndarray, np.ndarray], rank: int
) -> None:
    """Orbitals turned by any unitary, tau by another one on the device."""
    (cell, hopping), rng = lead, np.random.default_rng(rank)
    m = len(cell)
    unitary = [np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0] for n in (m, 8)]
    tau = rng.normal(size=(8, rank)) @ rng.normal(size=(rank, m))
    turn = unitary[0].conj().T
    first = PeriodicLead(cell=cell, hopping=hopping, coupling=tau)
    turned = [turn @ each @ unitary[0] for each in (cell, hopping)]
    other = PeriodicLead(cell=turned[0], hopping=turned[1], coupling=unitary[1] @ tau @ unitary[0])
    for one, two in zip(first.attach(4), other.attach(4), strict=True):
        if isinstance(one.spectrum, ChainSpectrum):
            assert one.spectrum.onsite == pytest.approx(two.spectrum.onsite, abs=1e-12)
        else:
            for name in ("cell", "hopping", "coupling"):
                found = (getattr(each.spectrum, name) for each in (one, two))
                np.testing.assert_allclose(*found, rtol=0, atol=1e-12)


def test_isolated_level_and_untouched_blocks() -> None:
    """An orbital without hopping is a level of the end; one that tau does not touch is left out."""
    lead = PeriodicLead(cell=np.diag([0.2, 0.5, -0.3]), hopping=np.diag([0.0, 1.0, 1.0]), coupling=[[0.7, 0.4, 0.0]])
    level, chain = lead.attach(1)[:2]
    np.testing.assert_allclose(level.spectrum.surface_levels, [0.2])
    assert isinstance(chain.spectrum, ChainSpectrum) and len(lead.attach(1)) == 4
    np.testing.assert_allclose(level.spectrum.self_energy(1.2), [[1.0]], atol=1e-10)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"PeriodicLead\.cell: differs by 1 from its adjoint"):
        PeriodicLead(cell=[[0, 1], [0, 0]], hopping=np.eye(2), coupling=np.eye(2))
    with pytest.raises(ValueError, match=r"PeriodicLead\.coupling: shape \(4, 3\)"):
        PeriodicLead(cell=np.eye(2), hopping=np.eye(2), coupling=np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"PeriodicLead\.coupling: shape \(4, 2\); allowed: 3 rows"):
        PeriodicLead(cell=np.eye(2), hopping=np.eye(2), coupling=np.ones((4, 2))).attach(3)


GRID = np.linspace(-2, 2, 41)


def table() -> np.ndarray:
    """Gamma(E) with eigenvectors that turn."""
    angle, shape = 0.7 * GRID, 1 - (GRID / 2) ** 2
    vector = np.stack([np.cos(angle), np.sin(angle) * np.exp(0.3j)], axis=1)
    return shape[:, None, None] * (vector[:, :, None] * vector[:, None, :].conj() + 0.2 * S0)


def test_table_of_matrices() -> None:
    """Each component of Sigma in a fixed direction is that of the scalar table."""
    spectrum = TabulatedMatrixSpectrum(GRID, table())
    energy = np.array([-1.3, 0.05, 0.1 + 0.2j, 3.0])
    for v in (np.array([1, 0]), np.array([1, 1j]) / 2**0.5):
        scalar = TabulatedSpectrum(GRID, np.maximum(np.einsum("a,nab,b->n", v.conj(), table(), v).real, 0))
        for name in ("self_energy", "self_energy_derivative"):
            found = np.einsum("a,nab,b->n", v.conj(), getattr(spectrum, name)(energy), v)
            np.testing.assert_allclose(found, getattr(scalar, name)(energy), atol=1e-12)
    real = np.array([-1.23, 0.4, 5.0])
    sigma = spectrum.self_energy(real)
    np.testing.assert_allclose(1j * (sigma - sigma.conj().swapaxes(1, 2)), spectrum.broadening(real), atol=1e-12)


def test_table_lead() -> None:
    lead = TabulatedMatrixLead(GRID, -0.5j * table(), np.eye(4)[:, :2], voltage=0.1)
    (channel,) = lead.attach(2)
    np.testing.assert_allclose(channel.spectrum.broadening(GRID[3]), table()[3], atol=1e-12)
    spoiled = -0.5j * table()
    spoiled[7] *= -1
    with pytest.raises(ValueError, match=r"self_energy: an eigenvalue -\S+ of Gamma at -1\.3 eV"):
        TabulatedMatrixLead(GRID, spoiled, np.eye(4)[:, :2])
    with pytest.raises(ValueError, match=r"self_energy: Gamma up to \S+ at the end 1\.5 eV"):
        TabulatedMatrixLead(GRID[:36], -0.5j * table()[:36], np.eye(4)[:, :2])


@pytest.mark.parametrize("seed", [0, 3, 22])
def test_the_slope_of_sigma_next_to_band_edges(seed: int) -> None:
    """dSigma/dE ~ 1/sqrt|E - edge| from 3e-6 to 3e-3 eV against differences of Sigma of fourth order; their round-off
    is 1e-13/(2e-3 |E - edge|) beside slopes of a hundred and more.
    """
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(2, 2)))[0]
    spectrum = PeriodicSpectrum(turn @ np.diag([0.3, -0.2]) @ turn.T, np.diag([1.0, 0.7]))
    for edge in spectrum.bands.edges:
        away = np.concatenate([s * np.geomspace(3e-6, 3e-3, 30) for s in (1, -1)])
        h = 2e-3 * np.abs(away)
        below2, below, above, above2 = (spectrum.self_energy(edge + away + k * h) for k in (-2, -1, 1, 2))
        expected = (8 * (above - below) - (above2 - below2)) / (12 * h)[:, None, None]
        off = np.abs(spectrum.self_energy_derivative(edge + away) - expected).max(axis=(1, 2))
        assert (off / np.abs(expected).max(axis=(1, 2))).max() < 1e-6
