"""Lattices: what is bonded, spin-orbit hopping and flux against their continuum and Bloch forms, ribbons against the
lattice that really goes on, masks, and every bad argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llgnegf.problem.lattices.crystals import honeycomb, square, triangular
from llgnegf.problem.lattices.lattice import Lattice
from llgnegf.problem.matrices import PAULI

X, Y, Z = PAULI
MAKERS = {
    "square": square,
    "triangular": triangular,
    "zigzag": lambda n_x, n_y, **more: honeycomb(n_x, n_y, "zigzag", **more),
    "armchair": lambda n_x, n_y, **more: honeycomb(n_x, n_y, "armchair", **more),
}
ROWS = {"square": 1, "triangular": 2, "zigzag": 2, "armchair": 2}
"""Rows after which a lattice repeats along y."""


def dense(lattice: Lattice, **given: Any) -> np.ndarray:
    return lattice.electrons(**given).hamiltonian.toarray()


def spinful(index: np.ndarray) -> np.ndarray:
    return np.stack([2 * index, 2 * index + 1], axis=1).ravel()


def found(lattice: Lattice, places: np.ndarray) -> np.ndarray:
    """The sites at these places."""
    distance = np.linalg.norm(lattice.positions[:, None] - places[None], axis=-1)
    assert (distance.min(axis=0) < 1e-9).all()
    return distance.argmin(axis=0)


def gone_on(name: str, n_x: int, n_y: int, side: str, cells: int, spacing: float) -> tuple[Lattice, Lattice]:
    """A lattice, and the one with `cells` more unit cells on a side, its positions those of the first."""
    make, device = MAKERS[name], MAKERS[name](n_x, n_y, spacing=spacing)
    along = side in ("left", "right")
    more = make(n_x + cells, n_y, spacing=spacing) if along else make(n_x, n_y + cells * ROWS[name], spacing=spacing)
    shift = cells * device.sides[side].translation if side in ("left", "bottom") else np.zeros(3)
    return device, Lattice(more.positions + shift, more.bonds, more.next_bonds, plaquette=more.plaquette)


@settings(max_examples=6, deadline=None)
@given(
    t=st.floats(0.2, 2), rashba=st.floats(-1, 1), beta=st.floats(-1, 1), second=st.floats(-1, 1),
    flux=st.floats(-0.5, 0.5), spacing=st.floats(0.2, 3),
)  # fmt: skip
@pytest.mark.parametrize("side", ["left", "right", "bottom", "top"])
@pytest.mark.parametrize("name", MAKERS)
def test_device_and_cells_of_the_lead_are_the_lattice_that_goes_on(
    name: str, side: str, t: float, rashba: float, beta: float, second: float, flux: float, spacing: float
) -> None:
    """H of the longer lattice = [[H, tau], [tau^dag, h_0, V], ...] to round-off. At bottom and top the lead's operators
    are c exp(-i chi), chi = (e B/hbar) x y, which takes A = (-B y, 0) to (0, B x)."""
    cells = 6
    device, longer = gone_on(name, 2, 2, side, cells, spacing)
    given = {"hopping": t, "rashba": rashba, "dresselhaus": beta, "next_hopping": second, "flux": flux}
    lead = device.lead(side, **given, onsite=0.3)
    n, m, unit = 2 * device.n_sites, len(lead.cell), device.positions[device.edges[side]]
    step = device.sides[side].translation
    places = [device.positions, *(unit + k * step for k in range(1, cells + 1))]
    order = found(longer, np.concatenate(places))
    assert sorted(order) == list(range(longer.n_sites))
    onsite = np.zeros(longer.n_sites)
    onsite[order[device.n_sites :]] = 0.3
    chi = np.zeros(longer.n_sites)
    if side in ("bottom", "top"):
        area = {"square": 1, "triangular": np.sqrt(3) / 4, "zigzag": 1.5 * np.sqrt(3), "armchair": 1.5 * np.sqrt(3)}
        chi = 2 * np.pi * flux / (area[name] * spacing**2) * np.prod(longer.positions[:, :2], axis=1)
    gauge = np.exp(1j * np.repeat(chi[order], 2))
    gauge[:n] = 1.0
    rows = spinful(order)
    want = gauge.conj()[:, None] * dense(longer, **given, onsite=onsite)[np.ix_(rows, rows)] * gauge
    made = np.zeros_like(want)
    made[:n, :n] = dense(device, **given)
    made[:n, n : n + m] = lead.coupling
    for first in range(n, len(made), m):
        made[first : first + m, first : first + m] = lead.cell
        if first + m < len(made):
            made[first : first + m, first + m : first + 2 * m] = lead.hopping
    made = np.triu(made) + np.triu(made, 1).conj().T
    # a phase is right to round-off of its size, |chi| and |theta| below 100
    np.testing.assert_allclose(made, want, rtol=0, atol=1e-12)
    assert lead.coupling.shape == (n, m)


@pytest.mark.parametrize("name", MAKERS)
def test_a_device_of_one_cell_has_leads(name: str) -> None:
    """Bonds beyond it are known although it has none of that kind itself."""
    device, longer = gone_on(name, 1, 2, "right", 2, 1.0)
    lead = device.lead("right", rashba=0.3)
    n, m = 2 * device.n_sites, len(lead.cell)
    want = dense(longer, rashba=0.3)
    np.testing.assert_array_equal(lead.coupling, want[:n, n : n + m])
    np.testing.assert_array_equal(lead.cell, want[n : n + m, n : n + m])
    # the lattice (1, 1) has no bond at all
    chain = square(1, 1).lead("left")
    np.testing.assert_array_equal([chain.cell, chain.hopping, chain.coupling], [np.zeros((2, 2)), *2 * [-np.eye(2)]])


def test_a_cell_of_a_lead_is_as_long_as_its_bonds() -> None:
    """Next-nearest bonds of a triangular lattice end two columns away, all others one."""
    assert len(triangular(3, 2).lead("right").cell) == 2 * 2
    assert len(triangular(3, 2).lead("right", next_hopping=0.1).cell) == 2 * 4
    assert len(square(3, 2).lead("right", next_hopping=0.1).cell) == 2 * 2


def test_a_narrower_ribbon_in_the_middle_of_an_edge() -> None:
    """Three sites wide on an edge of six, with next-nearest bonds that reach the sites beside it: the longer lattice
    with all but the ribbon masked."""
    device, longer = gone_on("square", 6, 3, "top", 4, 1.0)
    sites = device.edges["top"][2:5]
    x = device.positions[sites, 0]
    ribbon = longer.masked(lambda a, b: b < 2.5 or x.min() <= a <= x.max())
    given = {"hopping": 0.8, "rashba": 0.3, "next_hopping": 0.2}
    lead = device.lead("top", sites=sites, **given)
    steps = np.outer(np.arange(1, 5), [0, 1.0, 0])
    cells = [device.positions[sites] + step for step in steps]
    rows = spinful(found(ribbon, np.concatenate([device.positions, *cells])))
    want = dense(ribbon, **given)[np.ix_(rows, rows)]
    assert len(want) == len(rows)
    np.testing.assert_allclose(lead.coupling, want[:36, 36:42], atol=1e-15)
    np.testing.assert_allclose(lead.cell, want[36:42, 36:42], atol=1e-15)
    np.testing.assert_allclose(lead.hopping, want[36:42, 42:48], atol=1e-15)
    assert np.count_nonzero(np.abs(lead.coupling).sum(axis=1)) == 2 * 5  # corners beside it are next-nearest


def surface(lead: Any, z: complex) -> np.ndarray:
    """g = [z - h_0 - V g V^dag]^-1 by decimation [Lopez Sancho, Lopez Sancho, Rubio, J. Phys. F 15, 851 (1985)]."""
    bulk, end, ahead = lead.cell, lead.cell, lead.hopping
    back, one = ahead.conj().T, np.eye(len(ahead))
    for _ in range(60):
        g = np.linalg.inv(z * one - bulk)
        end, bulk = end + ahead @ g @ back, bulk + ahead @ g @ back + back @ g @ ahead
        ahead, back = ahead @ g @ ahead, back @ g @ back
    return np.linalg.inv(z * one - end)


def transmission(H: np.ndarray, leads: list[Any], energy: float, damping: float) -> float:
    """Tr[Gamma_1 G Gamma_2 G^dag]."""
    z = energy + 1j * damping
    sigma = [lead.coupling @ surface(lead, z) @ lead.coupling.conj().T for lead in leads]
    G = np.linalg.inv(z * np.eye(len(H)) - H - sum(sigma))
    first, second = (1j * (one - one.conj().T) for one in sigma)
    return float(np.trace(first @ G @ second @ G.conj().T).real)


@pytest.mark.parametrize("sides", [("left", "right"), ("bottom", "top")])
@pytest.mark.parametrize("name", MAKERS)
def test_a_clean_ribbon_transmits_every_open_channel(name: str, sides: tuple[str, str]) -> None:
    """With spin-orbit hopping, next neighbours and flux: right-moving bands of h_0 + V e^{ik} + h.c. at E."""
    given = {"rashba": 0.3, "dresselhaus": 0.1, "next_hopping": 0.1, "flux": 0.05}
    device = MAKERS[name](2, 2)
    leads, H = [device.lead(side, **given) for side in sides], dense(device, **given)
    turns = np.exp(1j * np.linspace(-np.pi, np.pi, 2001))[:, None, None]
    hops = leads[1].hopping * turns
    bands = np.linalg.eigvalsh(leads[1].cell + hops + hops.conj().swapaxes(1, 2))
    seen = set()
    for energy in (-1.3, 0.25, 0.9):
        above = bands > energy
        channels = int(np.sum(~above[:-1] & above[1:]))
        # what is lost to the damping: 1e-9 times the time in the device, a thousand hbar/eV at most this far from edges
        assert transmission(H, leads, energy, 1e-9) == pytest.approx(channels, abs=1e-6 * max(channels, 1))
        seen.add(channels)
    assert seen != {0}


@pytest.mark.parametrize(("fermi_energy", "conductance"), [(0.0, 0.514781), (1.5, 0.577730)])
def test_conductance_of_a_rashba_square(fermi_energy: float, conductance: float) -> None:
    """A 3 x 3 square with hopping 1 and Rashba 1 between plain three-wide leads, beta = 40, dV = 0.01 about E_F."""
    device = square(3, 3)
    H, leads = dense(device, rashba=1.0), [device.lead("left"), device.lead("right")]
    x, weights = np.polynomial.legendre.leggauss(200)
    x, weights = 0.6 * x, 0.6 * weights
    window = 1 / (1 + np.exp(40 * (x - 0.005))) - 1 / (1 + np.exp(40 * (x + 0.005)))
    current = sum(
        w * transmission(H, leads, fermi_energy + e, 1e-9) for e, w in zip(x, weights * window, strict=True)
    )
    assert current / (2 * np.pi * 0.01) == pytest.approx(conductance, abs=2e-6)


def test_coupling_and_exchange_of_a_lead() -> None:
    device = square(2, 3)
    plain = device.lead("left", hopping=0.8, rashba=0.3)
    weak = device.lead("left", coupling=0.2, hopping=0.8, rashba=0.3, exchange=(0.1, 0.2, -0.3), voltage=0.7, kT=0.01)
    np.testing.assert_allclose(weak.coupling, plain.coupling / 4, atol=1e-16)
    np.testing.assert_array_equal(weak.hopping, plain.hopping)
    np.testing.assert_allclose(weak.cell - plain.cell, -np.kron(np.eye(3), 0.1 * X + 0.2 * Y - 0.3 * Z), atol=1e-15)
    assert (weak.voltage, weak.kT, weak.chemical_potential) == (0.7, 0.01, None)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(list(MAKERS)))
def test_hopping_is_its_formula(seed: int, name: str) -> None:
    """H_ij = exp(i theta) [-t - i lambda (sigma x d)_z - ...] bond by bond, with theta the line integral of A."""
    rng = np.random.default_rng(seed)
    lattice = MAKERS[name](3, 3, spacing=rng.uniform(0.3, 2))
    t, rashba, beta, second, flux = rng.normal(size=5)
    onsite = rng.normal(size=lattice.n_sites)
    H = dense(lattice, hopping=t, rashba=rashba, dresselhaus=beta, next_hopping=second, flux=flux, onsite=onsite)
    np.testing.assert_array_equal(H, H.conj().T)
    B = 2 * np.pi * flux / lattice.plaquette
    want = np.kron(np.diag(onsite), np.eye(2)).astype(complex)
    for pairs, near in ((lattice.bonds, True), (lattice.next_bonds, False)):
        for i, j in pairs:
            step = lattice.positions[j] - lattice.positions[i]
            path = lattice.positions[i] + np.linspace(0, 1, 3)[:, None] * step
            theta = np.trapezoid(-B * path[:, 1], dx=0.5) * step[0]  # linear along the bond: the rule is exact
            d = step / np.linalg.norm(step)
            block = -t * np.eye(2) - 1j * rashba * (X * d[1] - Y * d[0]) - 1j * beta * (X * d[0] - Y * d[1])
            block = np.exp(1j * theta) * (block if near else -second * np.eye(2))
            want[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = block
            want[2 * j : 2 * j + 2, 2 * i : 2 * i + 2] = block.conj().T
    np.testing.assert_allclose(H, want, atol=1e-12)


def test_an_electron_that_hops_along_x_takes_minus_i_lambda_sigma_y() -> None:
    """c_{i+x}^dag (-t - i lambda sigma_y) c_i, c_{i+y}^dag (-t + i lambda sigma_x) c_i."""
    H = dense(square(2, 2), hopping=1.0, rashba=0.3)  # sites (0, 0), (0, 1), (1, 0), (1, 1)
    np.testing.assert_allclose(H[4:6, 0:2], -np.eye(2) - 0.3j * Y, atol=1e-16)
    np.testing.assert_allclose(H[2:4, 0:2], -np.eye(2) + 0.3j * X, atol=1e-16)


def bloch(H: np.ndarray, positions: np.ndarray, site: int, k: np.ndarray) -> np.ndarray:
    """sum_j H_{site,j} exp(ik.(r_j - r_site)) of a site whose neighbours are all there, (2, 2)."""
    phases = np.exp(1j * (positions - positions[site]) @ k)
    return np.einsum("sjt,j->st", H.reshape(len(positions), 2, -1, 2)[site], phases)


def test_bloch_spectrum_and_continuum_limit_of_spin_orbit_hopping() -> None:
    """Square lattice: -2t (cos kx + cos ky) - 4 t' cos kx cos ky -+ |n|, n = 2 (lambda sin ky + beta sin kx,
    -lambda sin kx - beta sin ky, 0); for small k the spin part is alpha (sigma x k)_z + ..., alpha = 2 a lambda."""
    t, rashba, beta, second, a = 0.9, 0.3, 0.2, 0.15, 0.5
    lattice = square(3, 3, spacing=a)
    H = dense(lattice, hopping=t, rashba=rashba, dresselhaus=beta, next_hopping=second)
    for k in np.random.default_rng(0).uniform(-np.pi, np.pi, (20, 3)) / a:
        kx, ky = a * k[:2]
        scalar = -2 * t * (np.cos(kx) + np.cos(ky)) - 4 * second * np.cos(kx) * np.cos(ky)
        n = 2 * np.hypot(rashba * np.sin(ky) + beta * np.sin(kx), rashba * np.sin(kx) + beta * np.sin(ky))
        levels = np.linalg.eigvalsh(bloch(H, lattice.positions, 4, k * [1, 1, 0]))
        np.testing.assert_allclose(levels, [scalar - n, scalar + n], atol=1e-14)
    k = 1e-4 * np.array([0.6, -0.8, 0.0]) / a
    spin = bloch(H, lattice.positions, 4, k)
    spin = spin - 0.5 * np.trace(spin) * np.eye(2)
    want = 2 * a * (rashba * (X * k[1] - Y * k[0]) + beta * (X * k[0] - Y * k[1]))
    np.testing.assert_allclose(spin, want, atol=2 * 0.5 * (1e-4) ** 3 / 6 * 2)  # sin x = x - x^3/6


def test_graphene_has_its_bands() -> None:
    """|E| = t |1 + exp(ik.a1) + exp(ik.a2)|, E = 0 at K, from the two sites of a cell with all neighbours there."""
    for edge in ("zigzag", "armchair"):
        lattice = honeycomb(3, 5, edge)
        H = dense(lattice)[::2, ::2]
        degree = np.asarray(lattice.adjacency.sum(axis=1)).ravel()
        (i, j) = next((i, j) for i, j in lattice.bonds if degree[i] == degree[j] == 3)
        signs = lattice.sublattices()
        for k in np.random.default_rng(1).uniform(-4, 4, (20, 3)) * [1, 1, 0]:
            f = [np.sum(H[s] * np.exp(1j * (lattice.positions - lattice.positions[s]) @ k)) for s in (i, j)]
            steps = [lattice.positions[o] - lattice.positions[i] for o in lattice.adjacency[[i]].indices]
            want = abs(sum(np.exp(1j * step @ k) for step in steps))
            np.testing.assert_allclose(np.abs(f), want, atol=1e-13)
        assert signs[i] == -signs[j]


@pytest.mark.parametrize("phi", [0.3, -1.1])
def test_a_rashba_chain_is_a_plain_one_in_turned_frames(phi: float) -> None:
    """-t (1 + i tan(phi) sigma_y) = -(t/cos phi) exp(i phi sigma_y): levels -(2t/cos phi) cos(pi q/(N + 1)), twice."""
    n, t = 7, 0.8
    levels = np.linalg.eigvalsh(dense(square(n, 1), hopping=t, rashba=t * np.tan(phi)))
    want = -2 * t / np.cos(phi) * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))
    np.testing.assert_allclose(levels, np.sort(np.repeat(want, 2)), atol=1e-14)


@pytest.mark.parametrize(("name", "corners"), [("square", 4), ("triangular", 3), ("zigzag", 6), ("armchair", 6)])
def test_phases_around_a_plaquette_are_the_flux(name: str, corners: int) -> None:
    """Counter-clockwise H_12 H_23 ... = (-t)^n exp(2 pi i flux), wherever the plaquette is."""
    flux = 0.13
    lattice = MAKERS[name](3, 4, spacing=0.7)
    H = dense(lattice, flux=flux)[::2, ::2]
    near = lattice.adjacency.toarray() > 0
    paths = [[i] for i in range(lattice.n_sites)]
    for _ in range(corners - 1):
        paths = [[*path, j] for path in paths for j in np.flatnonzero(near[path[-1]]) if j > path[0] and j not in path]
    loops = [path for path in paths if near[path[-1], path[0]]]
    for loop in loops:
        x, y, _ = lattice.positions[loop].T
        area = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
        np.testing.assert_allclose(abs(area), lattice.plaquette, rtol=1e-13)
        product = np.prod([H[i, j] for i, j in zip(loop, np.roll(loop, -1), strict=True)])
        want = (-1) ** corners * np.exp(2j * np.pi * flux * np.sign(area))
        np.testing.assert_allclose(product, want, atol=1e-13)
    assert len(loops) >= 2 * 4  # each plaquette both ways


def test_a_flux_quantum_in_every_plaquette_is_none() -> None:
    """A gauge transformation: the levels are those without flux; half a quantum changes sign with that of the flux."""
    for make in (square, triangular, honeycomb):
        lattice = make(3, 3)
        plain, one = (np.linalg.eigvalsh(dense(lattice, flux=f)) for f in (0.0, 1.0))
        np.testing.assert_allclose(one, plain, atol=1e-12)
        up, down = (np.linalg.eigvalsh(dense(lattice, flux=f)) for f in (0.2, -0.2))
        np.testing.assert_allclose(up, down, atol=1e-12)  # time reversal
        assert np.abs(up - plain).max() > 0.05


def test_disorder_is_uniform_and_of_its_seed() -> None:
    lattice, W = square(60, 60), 0.8
    levels = lattice.electrons(onsite=0.1, disorder=W, seed=3).onsite_blocks[:, 0, 0].real - 0.1
    assert -W / 2 <= levels.min() < -0.49 * W
    assert 0.49 * W < levels.max() <= W / 2
    # mean 0 and variance W^2/12 of 3600 numbers: five standard deviations, W/sqrt(12 n) and W^2/sqrt(180 n)
    assert abs(levels.mean()) < 5 * W / np.sqrt(12 * 3600)
    assert abs(levels.var() - W**2 / 12) < 5 * W**2 / np.sqrt(180 * 3600)
    same, other = (dense(square(3, 3), disorder=W, seed=s) for s in (3, 4))
    np.testing.assert_array_equal(same, dense(square(3, 3), disorder=W, seed=3))
    assert np.abs(same - other).max() > 0.01


def test_sites_bonds_and_sides() -> None:
    lattice = square(4, 3, spacing=0.5)
    np.testing.assert_allclose(lattice.positions[3 * 2 + 1], [1.0, 0.5, 0.0])
    assert (lattice.n_sites, len(lattice.bonds), len(lattice.next_bonds)) == (12, 3 * 3 + 4 * 2, 2 * 3 * 2)
    assert {name: sites.tolist() for name, sites in lattice.edges.items()} == {
        "left": [0, 1, 2], "right": [9, 10, 11], "bottom": [0, 3, 6, 9], "top": [2, 5, 8, 11]
    }  # fmt: skip
    hexagons = honeycomb(3, 4)
    # inner sites of a honeycomb have three neighbours and six next ones, of a triangular lattice six and six
    for lattice, near, second in ((hexagons, 3, 6), (honeycomb(3, 5, "armchair"), 3, 6), (triangular(6, 6), 6, 6)):
        for pairs, want in ((lattice.bonds, near), (lattice.next_bonds, second)):
            assert np.bincount(pairs.ravel(), minlength=lattice.n_sites).max() == want
        # a lattice given by its bonds alone finds those whose common neighbour is there
        common = (lattice.adjacency @ lattice.adjacency).toarray()
        want = [pair for pair in lattice.next_bonds.tolist() if common[*pair]]
        assert Lattice(lattice.positions, lattice.bonds).next_bonds.tolist() == want
        assert len(want) > 0.9 * len(lattice.next_bonds)
        length = np.linalg.norm(np.diff(lattice.positions[lattice.bonds], axis=1), axis=-1)
        np.testing.assert_allclose(length, 1.0, atol=1e-14)
    # of a zigzag edge every other site has two neighbours (but for the ends, whose others are in the leads), of an
    # armchair edge all
    zigzag, armchair = honeycomb(4, 3), honeycomb(4, 3, "armchair")
    assert np.bincount(zigzag.bonds.ravel())[zigzag.positions[:, 1] <= 0.5].tolist() == [1, *3 * [3, 2], 2]
    assert np.bincount(armchair.bonds.ravel())[armchair.positions[:, 1] == 0].tolist() == [1, *7 * [2]]
    plane = Lattice([(0, 0), (1, 0)], [(1, 0)])
    np.testing.assert_array_equal(plane.positions, [[0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(plane.bonds, [[0, 1]])


def test_a_general_lattice_has_leads_too() -> None:
    """A rectangular ladder, bonds of two lengths: those of the lattice that goes on."""
    def ladder(n: int) -> Lattice:
        places = [(0.4 * i, 1.1 * j) for i in range(n) for j in range(2)]
        along = [(2 * i + j, 2 * i + 2 + j) for i in range(n - 1) for j in (0, 1)]
        bonds = [(2 * i, 2 * i + 1) for i in range(n)] + along
        return Lattice(places, bonds, next_bonds=[], sides={"right": ([2 * n - 2, 2 * n - 1], (0.4, 0, 0))})

    lead, want = ladder(3).lead("right", rashba=0.2), dense(ladder(5), rashba=0.2)
    np.testing.assert_allclose(lead.coupling, want[:12, 12:16], atol=1e-16)
    np.testing.assert_allclose(lead.cell, want[12:16, 12:16], atol=1e-16)
    np.testing.assert_allclose(lead.hopping, want[12:16, 16:], atol=1e-16)
    brick = Lattice([(0, 0), (0, 1), (0, 2)], [(0, 1)], sides={"left": ([0, 1, 2], (-1, 0, 0))})
    with pytest.raises(ValueError, match=r"lead.side: bonds .* not told by their length; allowed: .*PeriodicLead"):
        brick.lead("left")


def test_masked_lattices() -> None:
    """A vacancy, and a constriction between full edges, have the bonds and elements of what is left."""
    lattice = square(5, 4)
    keep = np.ones(20, dtype=bool)
    keep[[6, 9]] = False
    holes = lattice.masked(keep)
    given = {"rashba": 0.3, "next_hopping": 0.1, "flux": 0.07}
    rows = spinful(np.flatnonzero(keep))
    np.testing.assert_array_equal(dense(holes, **given), dense(lattice, **given)[np.ix_(rows, rows)])
    neck = lattice.masked(lambda x, y: x != 2 or y in (1, 2))
    assert neck.n_sites == 18
    for side in ("left", "right"):
        wide, narrow = lattice.lead(side, **given), neck.lead(side, **given)
        np.testing.assert_array_equal(wide.cell, narrow.cell)
        np.testing.assert_array_equal(wide.hopping, narrow.hopping)
        assert narrow.coupling.shape == (36, 8)
    cut = lattice.masked(lambda x, y: (x, y) != (0, 0))
    reason = r"side: 'left', which has lost 1 of 4 sites; allowed: sites=\[...\], those of \[0, 1, 2\] from which"
    with pytest.raises(ValueError, match=reason):
        cut.lead("left")
    assert cut.lead("left", sites=[0, 1, 2]).cell.shape == (6, 6)
    with pytest.raises(ValueError, match=r"'left', which has lost 4 of 4 sites; allowed: a side with sites"):
        lattice.masked(lambda x, y: x > 0).lead("left")
    assert cut.masked(lambda x, y: (x, y) != (0, 3)).sides["left"].missing == 2


def test_sublattices() -> None:
    for lattice in (square(4, 3), honeycomb(2, 3), honeycomb(2, 3, "armchair")):
        signs = lattice.sublattices()
        assert (signs[lattice.bonds[:, 0]] == -signs[lattice.bonds[:, 1]]).all()
        assert signs[0] == 1
    with pytest.raises(ValueError, match=r"Lattice.sublattices.bonds: .* closes a loop of an odd number of bonds"):
        triangular(2, 2).sublattices()
    parts = Lattice([(i, 0) for i in range(4)], [(0, 1), (2, 3)])
    np.testing.assert_array_equal(parts.sublattices(), [1, -1, 1, -1])


@pytest.mark.parametrize("name", MAKERS)
def test_derivative_is_exact_for_what_is_linear(name: str) -> None:
    lattice, slope = MAKERS[name](4, 4, spacing=0.6), np.array([0.7, -0.3, 0.0])
    values = lattice.positions @ slope
    for direction in ("x", "y", (3.0, 4.0, 0.0)):
        axis = {"x": [1, 0, 0], "y": [0, 1, 0]}[direction] if isinstance(direction, str) else [0.6, 0.8, 0]
        result = np.zeros(lattice.n_sites)
        for i, j, weight in lattice.derivative(direction):
            result[i] += weight * (values[j] - values[i])
        full = [i for i in range(lattice.n_sites) if np.linalg.matrix_rank(
            lattice.positions[lattice.adjacency[[i]].indices] - lattice.positions[i], tol=1e-9) == 2]  # fmt: skip
        assert len(full) >= lattice.n_sites - 2 * 4
        np.testing.assert_allclose(result[full], np.dot(slope, axis), atol=1e-13)


def test_derivative_on_a_square_lattice_is_the_central_difference() -> None:
    lattice = square(4, 3, spacing=0.5)
    weights = np.zeros((12, 12))
    for i, j, w in lattice.derivative("x"):
        weights[i, j] = w
    field = np.random.default_rng(0).normal(size=(4, 3))
    want = np.gradient(field, 0.5, axis=0)  # one-sided at the ends
    got = weights @ field.ravel() - weights.sum(axis=1) * field.ravel()
    np.testing.assert_allclose(got, want.ravel(), atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: square(0, 3), r"square.n_x: 0; allowed: an integer >= 1"),
        (lambda: square(1000, 1000), r"square.n_x: 1000 x 1000; allowed: at most 100000 sites"),
        (lambda: square(2, 2, spacing=0.0), r"square.spacing: 0.0; allowed: a finite number > 0, in nm"),
        (lambda: honeycomb(2, 2, "bearded"), r"honeycomb.edge: 'bearded'; allowed: 'zigzag' or 'armchair'"),
        (lambda: Lattice([(0, 0, 0)], [(0, 1)]), r"Lattice.bonds: .*allowed: pairs .* below 1"),
        (lambda: Lattice([(0, 0), (1, 0)], [(0, 1), (1, 0)]), r"Lattice.bonds"),
        (lambda: Lattice([(0, 0)], [], sides={"up": ([0], (0, 1, 0))}), r"sides.up.*allowed: .* by left, right"),
        (lambda: Lattice([(0, 0)], [], sides={"top": 1}), r"Lattice.sides.top: 1; allowed: \(sites, translation\)"),
        (lambda: Lattice([(0, 0)], [], sides=3), r"Lattice.sides: 3; allowed: \(sites, translation\) by left"),
        (lambda: Lattice([(0, 0)], [], sides={"top": ("a", (0, 1, 0))}), r"sites: 'a'; allowed: different sites"),
        (lambda: Lattice([(0, 0), (1,)], []), r"Lattice.positions: .*allowed: at least one row"),
        (lambda: Lattice([], []), r"Lattice.positions: .*allowed: at least one row"),
        (lambda: Lattice([(0, 0), (0, 0)], [(0, 1)]), r"Lattice.bonds: \(0, 1\), two sites in one place; allowed"),
        (lambda: Lattice([(0, 0)], [], lengths=3.0), r"Lattice.lengths: 3.0; allowed: None, or two lists of numbers"),
        (lambda: Lattice([(0, 0)], [], lengths=([1.0], [0.0])), r"Lattice.lengths: .*allowed: None, or two lists"),
        (lambda: square(2, 2).lead("left", hopping="a", coupling=1.0), r"lead.hopping: 'a'; allowed: a finite number"),
        (lambda: Lattice([(0, 0), (1, 0)], [(0, 1), (1,)]), r"Lattice.bonds: "),
        (lambda: Lattice([(0, 0), (1, 0)], [(0, 0.5)]), r"Lattice.bonds: "),
        (lambda: square(2, 2).exchange([[1], [1, 2]]), r"Lattice.exchange.J"),
        (lambda: Lattice([(0, 0)], [], sides={"top": ([0], (0, 0, 1))}), r"translation: .*in the plane"),
        (lambda: Lattice([(0, 0)], [], sides={"top": ([1], (0, 1, 0))}), r"sites: .*different sites from 0 to 0"),
        (lambda: square(2, 2).masked([True]), r"Lattice.masked.keep: \[True\]; allowed: 4 booleans"),
        (lambda: square(2, 2).masked(lambda x, y: False), r"Lattice.masked.keep: .*at least one site"),
        (lambda: square(2, 2).electrons(hopping="a", rashba=np.nan), "hopping: 'a'.*\n.*rashba: nan"),
        (lambda: square(2, 2).electrons(disorder=0.1), r"seed: None; allowed: an integer >= 0 with disorder"),
        (lambda: square(2, 2).electrons(seed=1), r"electrons.seed: 1; allowed: None without disorder"),
        (lambda: square(2, 2).electrons(disorder=-0.1), r"electrons.disorder: -0.1"),
        (lambda: square(2, 2).electrons(onsite=[1, 2]), r"electrons.onsite: shape \(2,\)"),
        (lambda: Lattice([(0, 0)], []).electrons(flux=0.1), r"flux: 0.1; allowed: 0: this lattice has no plaq"),
        (lambda: square(2, 2).lead("up"), r"lead.side: 'up'; allowed: 'left', 'right', 'bottom', 'top'"),
        (lambda: Lattice([(0, 0)], []).lead("left"), r"side: 'left'; allowed: none, this lattice has no sides"),
        (lambda: honeycomb(2, 1).lead("top"), r"lead.side: 'top'; allowed: 'left', 'right'"),
        (lambda: square(2, 2).lead("left", sites=[2]), r"sites: \[2\]; allowed: different sites of this side"),
        (lambda: square(2, 2).lead("left", exchange=0.1), r"exchange: shape \(\); allowed: 3 finite numbers"),
        (lambda: square(2, 2).lead("left", coupling=0.1, hopping=0.0), r"coupling: 0.1; allowed: None with hop"),
        (lambda: square(2, 2).lead("left", onsite=[0, 0, 0]), r"lead.onsite: shape \(3,\); allowed: .*2 of them"),
        (lambda: square(2, 2).dmi(0.0), r"Lattice.dmi.D: 0.0"),
        (lambda: square(2, 2).dmi(0.1, "surface"), r"Lattice.dmi.kind: 'surface'; allowed: 'interfacial' or 'bulk'"),
        (lambda: square(2, 2).exchange([0.1, 0.2]), r"exchange.J: shape \(2,\); allowed: a number, 4 of them"),
        (lambda: square(2, 2).derivative("w"), r"Lattice.derivative.direction"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
