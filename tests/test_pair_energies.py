"""Energies of any pairs and of lattices against double sums, fields against differences, covariance; currents.

Differences are the five-point formula, exact but for round-off for what is quadratic.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from llgnegf.equations.kernels import reference
from llgnegf.equations.moments import LLG
from llgnegf.problem.arguments import quantities
from llgnegf.problem.lattices.crystals import honeycomb, square, triangular
from llgnegf.problem.lattices.lattice import Lattice
from llgnegf.problem.magnetism.energies import (
    DMI,
    Dipolar,
    EnergyTerm,
    Exchange,
    PairDMI,
    PairExchange,
    UniaxialAnisotropy,
)
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.torques import SlonczewskiTorque, ZhangLiTorque
from llgnegf.units import MU_B

seeds = st.integers(0, 2**32 - 1)
SCALE = 1.00000000055e-7 * 9.2740100783e-24**2 / 1.602176634e-19 * 1e27
"""mu_0 mu_B^2/(4 pi) in eV nm^3."""


def directions(rng: np.random.Generator, n_sites: int) -> np.ndarray:
    vectors = rng.normal(size=(n_sites, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_pairs(rng: np.random.Generator, n: int) -> list[tuple[int, int]]:
    every = list(itertools.combinations(range(n), 2))
    chosen = rng.choice(len(every), size=rng.integers(1, len(every) + 1), replace=False)
    return [every[k] if rng.random() < 0.5 else every[k][::-1] for k in chosen]


def difference_field(term: EnergyTerm, M: np.ndarray, mu: np.ndarray, h: float = 0.05) -> np.ndarray:
    field = np.empty_like(M)
    for i, a in np.ndindex(M.shape):
        step = np.zeros_like(M)
        step[i, a] = h
        ahead, behind, twice, back = (term.energy(M + k * step, mu) for k in (1, -1, 2, -2))
        field[i, a] = -(8 * (ahead - behind) - twice + back) / (12 * h * MU_B * mu[i])
    return field


def agrees(term: EnergyTerm, M: np.ndarray, mu: np.ndarray, want: float, tolerance: float = 1e-13) -> None:
    """The energy is `want`, the field its slope."""
    scale = max(1.0, np.abs(term.gradient(M, mu)).max())
    assert abs(term.energy(M, mu) - want) < tolerance * len(M) ** 2 * scale
    assert np.abs(term.field(M, mu) - difference_field(term, M, mu)).max() < 1e-11 * scale / (MU_B * mu.min())


@settings(max_examples=20, deadline=None)
@given(seed=seeds, n=st.integers(2, 6))
def test_pairs_are_their_double_sums(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    M, mu, pairs = directions(rng, n), rng.uniform(0.5, 4, n), random_pairs(rng, n)
    mixed = [(i, j, rng.normal() if k % 2 else rng.normal(size=(3, 3))) for k, (i, j) in enumerate(pairs)]
    want = -sum(M[i] @ (J * np.eye(3) if np.ndim(J) == 0 else J) @ M[j] for i, j, J in mixed)
    agrees(PairExchange(mixed), M, mu, want)
    vectors = [(i, j, rng.normal(size=3)) for i, j in pairs]
    agrees(PairDMI(vectors), M, mu, -sum(D @ np.cross(M[i], M[j]) for i, j, D in vectors))
    turned = PairDMI([(j, i, -D) for i, j, D in vectors])
    np.testing.assert_allclose(turned.gradient(M, mu), PairDMI(vectors).gradient(M, mu), atol=1e-13)
    # a tensor with the antisymmetric part of D and the trace of J says both
    i, j, D = vectors[0]
    levi = np.array([[0, D[2], -D[1]], [-D[2], 0, D[0]], [D[1], -D[0], 0]])
    both = PairExchange([(i, j, 0.3 * np.eye(3) + levi)])
    two = PairExchange([(i, j, 0.3)]) + PairDMI([(i, j, D)])
    np.testing.assert_allclose(both.gradient(M, mu), sum(x.gradient(M, mu) for x in two), atol=1e-13)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, n=st.integers(2, 5))
def test_dipoles_anywhere_and_axes_of_each_site(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    M, mu = directions(rng, n), rng.uniform(0.5, 4, n)
    r = 0.02 * np.arange(3 * n).reshape(n, 3) + rng.random((n, 3)) / 100
    want = 0.0
    for i, j in itertools.combinations(range(n), 2):
        d = np.linalg.norm(r[j] - r[i])
        e = (r[j] - r[i]) / d
        want += SCALE * mu[i] * mu[j] * (M[i] @ M[j] - 3 * (M[i] @ e) * (M[j] @ e)) / d**3
    # 1e-8: the Bohr magneton in eV/T and that in J/T are rounded to 11 digits
    agrees(Dipolar(positions=r), M, mu, want, 1e-8)
    chain = np.outer(np.arange(n), 0.3 * np.array([0.6, 0, 0.8]))
    one, other = Dipolar(positions=chain), Dipolar(3.0, (0.6, 0, 0.8))  # nm and angstrom
    np.testing.assert_allclose(one.gradient(M, mu), other.gradient(M, mu), rtol=0, atol=1e-12 * n)
    K, axes = rng.normal(size=n), directions(rng, n)
    agrees(UniaxialAnisotropy(K, axes), M, mu, -sum(K[i] * (M[i] @ axes[i]) ** 2 for i in range(n)))


LATTICES = [square(3, 2, spacing=0.4), triangular(2, 3), honeycomb(2, 2, "armchair"), square(3, 3).masked(9 * [True])]


@settings(max_examples=12, deadline=None)
@given(seed=seeds, which=st.sampled_from(range(len(LATTICES))))
def test_energies_of_lattices_are_sums_over_their_bonds(seed: int, which: int) -> None:
    """Bonds found here by distance; D_ij = D z x d or D d, from whichever end a bond is counted."""
    lattice, rng = LATTICES[which], np.random.default_rng(seed)
    n, r = lattice.n_sites, lattice.positions
    M, mu = directions(rng, n), rng.uniform(0.5, 4, n)
    steps = np.linalg.norm(r[:, None] - r[None], axis=-1) + 10 * np.eye(n)
    near = [(i, j) for i, j in itertools.permutations(range(n), 2) if steps[i, j] < 1.01 * steps.min()]
    J, D, tensor = 0.7, -0.4, rng.normal(size=(3, 3))
    agrees(lattice.exchange(J), M, mu, -0.5 * sum(J * M[i] @ M[j] for i, j in near))
    agrees(lattice.exchange(tensor), M, mu, -sum(M[i] @ tensor @ M[j] for i, j in near if i < j))
    d = {(i, j): (r[j] - r[i]) / steps[i, j] for i, j in near}
    z = np.array([0.0, 0.0, 1.0])
    interfacial = -0.5 * sum(D * np.cross(z, d[p]) @ np.cross(M[p[0]], M[p[1]]) for p in near)
    bulk = -0.5 * sum(D * d[p] @ np.cross(M[p[0]], M[p[1]]) for p in near)
    agrees(lattice.dmi(D), M, mu, interfacial)
    agrees(lattice.dmi(D, "bulk"), M, mu, bulk)
    each = rng.normal(size=len(lattice.bonds))
    want = -sum(x * M[i] @ M[j] for x, (i, j) in zip(each, lattice.bonds, strict=True))
    agrees(lattice.exchange(each), M, mu, want)


def test_a_lattice_of_one_row_is_the_chain() -> None:
    rng = np.random.default_rng(0)
    row, M = square(6, 1), directions(rng, 6)
    pairs = [
        (row.exchange(0.3), Exchange(0.3)), (row.dmi(0.2), DMI(0.2, axis="y")), (row.dmi(0.2, "bulk"), DMI(0.2, "x")),
        (Dipolar(positions=square(6, 1, spacing=0.25).positions), Dipolar(2.5, "x")),
    ]  # fmt: skip
    for one, other in pairs:
        np.testing.assert_allclose(one.gradient(M, 2.0), other.gradient(M, 2.0), atol=1e-14)


def test_interfacial_dmi_turns_from_z_to_the_direction_of_the_bond() -> None:
    """Energy of cycloids turning by q from site to site along x, E = -(n - 1) D sin q for D > 0; a helix for bulk."""
    row, q, x = square(5, 1), 0.4, np.arange(5)
    cycloid = np.stack([np.sin(q * x), 0 * x, np.cos(q * x)], axis=1)
    helix = np.stack([0 * x, np.cos(q * x), np.sin(q * x)], axis=1)
    assert row.dmi(0.1).energy(cycloid, 1.0) == pytest.approx(-4 * 0.1 * np.sin(q), rel=1e-13)
    assert row.dmi(0.1, "bulk").energy(helix, 1.0) == pytest.approx(-4 * 0.1 * np.sin(q), rel=1e-13)
    assert row.dmi(0.1).energy(helix, 1.0) == pytest.approx(0, abs=1e-16)


def turned(lattice: Lattice, R: np.ndarray) -> Lattice:
    return Lattice(lattice.positions @ R.T, lattice.bonds, lattice.next_bonds)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_energies_do_not_change_when_space_is_turned(seed: int) -> None:
    """Moments, positions, D vectors and tensors turned together; interfacial DMI about z, and mirrored in y as axial
    vectors are."""
    rng = np.random.default_rng(seed)
    R, n = Rotation.random(random_state=rng).as_matrix(), 6
    lattice, M, mu = triangular(2, 3, spacing=0.3), directions(rng, n), rng.uniform(0.5, 4, n)
    tensor, pairs = rng.normal(size=(3, 3)), random_pairs(rng, n)
    vectors = [(i, j, rng.normal(size=3)) for i, j in pairs]
    about_z = Rotation.from_rotvec([0, 0, rng.uniform(-3, 3)]).as_matrix()
    mirror = np.diag([1.0, -1.0, 1.0])
    cases = [
        (R, R, PairExchange([(0, 4, tensor)]), PairExchange([(0, 4, R @ tensor @ R.T)])),
        (R, R, PairDMI(vectors), PairDMI([(i, j, R @ D) for i, j, D in vectors])),
        (R, R, lattice.dmi(0.3, "bulk"), turned(lattice, R).dmi(0.3, "bulk")),
        (R, R, Dipolar(positions=lattice.positions), Dipolar(positions=lattice.positions @ R.T)),
        (about_z, about_z, lattice.dmi(0.3), turned(lattice, about_z).dmi(0.3)),
        (mirror, -mirror, lattice.dmi(0.3), turned(lattice, mirror).dmi(0.3)),
        (mirror, -mirror, Dipolar(positions=lattice.positions), Dipolar(positions=lattice.positions @ mirror)),
        (R, R, lattice.exchange(0.3), lattice.exchange(0.3)),
    ]
    for _, spins, before, after in cases:
        np.testing.assert_allclose(after.energy(M @ spins.T, mu), before.energy(M, mu), rtol=0, atol=1e-12)
        gradient = before.gradient(M, mu) @ spins.T
        np.testing.assert_allclose(after.gradient(M @ spins.T, mu), gradient, rtol=0, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_compiled_equation_knows_them_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = honeycomb(2, 2, spacing=0.5)
    n = lattice.n_sites
    energies = [
        lattice.exchange(0.1), lattice.exchange(rng.normal(size=(3, 3))), lattice.dmi(0.05), lattice.dmi(0.05, "bulk"),
        Dipolar(positions=lattice.positions), UniaxialAnisotropy(0.02, directions(rng, n)),
    ]  # fmt: skip
    u = rng.normal(size=n)
    torques = [
        lattice.zhang_li(u, 0.3, (1, 2, 0)), lattice.zhang_li(lambda t: 0.1 * t, rng.normal(size=n)),
        ZhangLiTorque(0.2, 0.1), SlonczewskiTorque(0.1, 0.2, "y"),
    ]  # fmt: skip
    magnet = Magnet(directions(rng, n), rng.uniform(1, 3, n), 0.1, energies, torques)
    M = magnet.moments * rng.uniform(0.9, 1.1, (n, 1))
    want = reference.moment_rates(magnet, M, 0.7, np.zeros((n, 3)))
    np.testing.assert_allclose(LLG(magnet).rate(M, 0.7), want, rtol=0, atol=1e-13 * np.abs(want).max())
    # the torques themselves from their formula, with the gradient as a matrix
    slope = np.zeros((n, n))
    for i, j, w in lattice.derivative((1, 2, 0)):
        slope[i, j] += w
        slope[i, i] -= w
    D = u[:, None] * (slope @ M)
    D = D - M * (np.sum(D * M, axis=1) / np.sum(M**2, axis=1))[:, None]
    only = Magnet(magnet.moments, magnet.magnetic_moment, torques=torques[0])
    got = LLG(only).external_torque(0.0, M) * only.prefactor[:, None]
    np.testing.assert_allclose(got, -D + 0.3 * np.cross(M, D), atol=1e-12 * np.abs(D).max())


def test_a_current_in_a_plane() -> None:
    """A row is the chain; a texture that varies along y feels a current along y alone; both in nm/fs."""
    rng = np.random.default_rng(3)
    M = directions(rng, 6)
    row, chain = square(6, 1), Magnet(M, 2.0, torques=ZhangLiTorque(0.3, 0.2))
    np.testing.assert_allclose(
        LLG(Magnet(M, 2.0, torques=row.zhang_li(0.3, 0.2))).external_torque(0, M), LLG(chain).external_torque(0, M),
        rtol=0, atol=1e-14,
    )  # fmt: skip
    spaced = Magnet(M, 2.0, torques=square(6, 1, spacing=0.5).zhang_li(0.3, 0.2))
    np.testing.assert_allclose(LLG(spaced).external_torque(0, M), 2 * LLG(chain).external_torque(0, M), atol=1e-14)
    plane = square(4, 5, spacing=0.5)
    angle = 0.2 * plane.positions[:, 1]
    helix = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    along_x, along_y = (Magnet(helix, 2.0, torques=plane.zhang_li(0.3, 0.0, e)) for e in ("x", "y"))
    np.testing.assert_allclose(LLG(along_x).rate(helix), 0, atol=1e-16)
    # dM/dt = -u dM/dy, with the central difference sin(q a)/a in place of q
    inner = (plane.positions[:, 1] > 0) & (plane.positions[:, 1] < 2)
    turn = np.stack([-np.sin(angle), np.cos(angle), 0 * angle], axis=1)
    want = -0.3 * np.sin(0.2 * 0.5) / 0.5 * turn
    np.testing.assert_allclose(LLG(along_y).rate(helix)[inner], want[inner], atol=1e-15)


def test_site_numbers_are_no_energies() -> None:
    """What is looked at for doubtful magnitudes is the constants alone."""
    (pairs,) = quantities(PairExchange([(0, 5000, 0.1), (1, 2, -0.2 * np.eye(3))]))
    assert pairs[:2] == ("pairs", "eV")
    assert np.abs(pairs[2]).max() == 0.2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PairExchange([(0, 1, np.eye(2))]), r"PairExchange.pairs: shape \(2, 2\)"),
        (lambda: PairExchange([(0, 1, "a")]), "PairExchange.pairs: 'a'"),
        (lambda: PairExchange([(True, 0, 0.1)]), r"PairExchange.pairs: \(True, 0, 0.1\); allowed"),
        (lambda: PairDMI([(0, 1, 0.1)]), r"PairDMI.pairs: shape \(\); allowed: \(i, j, D\)"),
        (lambda: PairDMI([(0, 1, [0, 0, np.nan])]), "PairDMI.pairs: .*NaN"),
        (lambda: PairDMI([(0, 1, [0, 0, 1]), (1, 0, [0, 0, 1])]), r"PairDMI.pairs: \(1, 0"),
        (lambda: PairDMI([]), "PairDMI.pairs"),
        (lambda: PairDMI(0.1), "PairDMI.pairs: 0.1"),
        (lambda: Dipolar(), "Dipolar.spacing: None; allowed: given, or positions.*\n.*Dipolar.direction: None"),
        (lambda: Dipolar(3.0), "Dipolar.direction: None; allowed: given, or positions"),
        (lambda: Dipolar(3.0, "x", [[0, 0, 0], [1, 0, 0]]), "Dipolar.spacing: 3.0; allowed: left out with positions"),
        (lambda: Dipolar(positions=[0, 1]), "Dipolar.positions: shape"),
        (lambda: ZhangLiTorque(1.0, derivative=[(0, 1)]), "ZhangLiTorque.derivative: shape"),
        (lambda: ZhangLiTorque(1.0, derivative=[(0, 0, 1.0)]), "ZhangLiTorque.derivative"),
        (lambda: ZhangLiTorque(1.0, derivative=[(0.5, 0, 1.0)]), "ZhangLiTorque.derivative"),
        (lambda: ZhangLiTorque(1.0, 0.0, 2.0, [(0, 1, 1.0)]), "ZhangLiTorque.spacing: 2.0; allowed: None with deriv"),
    ],
)
def test_wrong_values_are_named(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("term", "n_sites", "words"),
    [
        (PairDMI([(0, 5, [0, 0, 0.1])]), 5, "PairDMI.pairs: site 5; allowed: 0 to 4"),
        (PairDMI([(0, 1, [0, 0, 0.1])]), 1, "PairDMI: a chain of 1 site"),
        (Dipolar(positions=[[0, 0, 0], [1, 0, 0]]), 3, "Dipolar.positions: 2 of them; allowed: .*or 3, one for each"),
        (Dipolar(positions=[[0, 0, 0], [1, 0, 0], [0, 0, 0]]), 3, "Dipolar.positions: sites .* in one place"),
        (ZhangLiTorque(1.0, derivative=[(0, 3, 1.0)]), 3, "ZhangLiTorque.derivative: site 3; allowed: 0 to 2"),
    ],
)
def test_terms_of_no_use_are_named(term, n_sites: int, words: str) -> None:
    M = np.tile([0.0, 0.0, 1.0], (n_sites, 1))
    given = {"torques": term} if isinstance(term, ZhangLiTorque) else {"energies": term}
    with pytest.raises(ValueError, match=words):
        Magnet(M, 1.0, **given)
