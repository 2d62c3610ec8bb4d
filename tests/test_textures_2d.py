"""Textures on lattices: their profiles, charges and symmetries; a skyrmion that relaxes, with electrons and without."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llgnegf.problem.lattices.crystals import honeycomb, square, triangular
from llgnegf.problem.lattices.lattice import Lattice
from llgnegf.problem.magnetism.energies import UniaxialAnisotropy, Zeeman
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.swirls import skyrmion, vortex
from llgnegf.problem.system import OpenSystem
from llgnegf.problem.textures import (
    antiferromagnet,
    bloch_wall,
    cone,
    helix,
    neel_wall,
    random,
    uniform,
)
from llgnegf.run.relax import relax
from llgnegf.units import MU_B


def solid_angle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """That of spherical triangles with corners (n, 3), counter-clockwise positive [van Oosterom and Strackee, IEEE
    Trans. Biomed. Eng. 30, 125 (1983); Berg and Luescher, Nucl. Phys. B 190, 412 (1981)]."""
    volume = np.einsum("ia,ia->i", a, np.cross(b, c))
    return 2 * np.arctan2(volume, 1 + np.sum(a * b, axis=1) + np.sum(b * c, axis=1) + np.sum(c * a, axis=1))


def charge(moments: np.ndarray, n: int) -> float:
    """Topological charge of moments on `square(n, n)`: two triangles in each square."""
    m = moments.reshape(n, n, 3)
    a, b, c, d = (part.reshape(-1, 3) for part in (m[:-1, :-1], m[1:, :-1], m[1:, 1:], m[:-1, 1:]))
    return float(solid_angle(a, b, c).sum() + solid_angle(a, c, d).sum()) / (4 * np.pi)


def charge_of_the_edge(moments: np.ndarray, n: int) -> float:
    """What the solid angle of a cap over the edge, from its moments to +z, counter-clockwise seen from outside, is in
    units of 4 pi: with it the texture is one on a closed surface, whose charge is an integer."""
    m = moments.reshape(n, n, 3)
    loop = np.concatenate([m[:-1, 0], m[-1, :-1], m[:0:-1, -1], m[0, :0:-1]])  # counter-clockwise
    up = np.tile([0.0, 0.0, 1.0], (len(loop), 1))
    return float(solid_angle(up, np.roll(loop, -1, axis=0), loop).sum()) / (4 * np.pi)


@pytest.mark.parametrize("polarity", [-1, 1])
@pytest.mark.parametrize(("helicity", "vorticity"), [("neel", 1), ("bloch", 1), ("anti", -1), (0.7, 1), (0.2, -2)])
def test_charge_of_a_skyrmion_is_polarity_times_vorticity(helicity, vorticity, polarity: int) -> None:
    n, lattice = 40, square(40, 40)
    given = {} if isinstance(helicity, str) else {"vorticity": vorticity}
    M = skyrmion(lattice, (19.3, 19.6), 6.0, 2.0, helicity, polarity, **given)
    np.testing.assert_allclose(np.linalg.norm(M, axis=1), 1.0, atol=1e-15)
    # 19 sites from the core, where 13 of the wall's 2 are left, T = 4 exp(-13/2): a cap of (1 - cos T)/2
    whole = charge(M, n) + (charge_of_the_edge(M, n) if polarity == -1 else -charge_of_the_edge(-M, n))
    assert whole == pytest.approx(polarity * vorticity, abs=1e-12)
    assert charge(M, n) == pytest.approx(polarity * vorticity, abs=abs(vorticity) * (4 * np.exp(-13 / 2)) ** 2)


def test_profile_of_a_skyrmion() -> None:
    """T = pi in the core, pi/2 at the radius, that of a single wall about it for a large radius; outward, along +phi,
    and the antiskyrmion outward along x and inward along y."""
    line = np.array([(x, 0.0, 0.0) for x in (0.0, 5.0, 4.0, 9.0, 200.0)])
    M = skyrmion(line, (0, 0), 5.0, 1.0)
    np.testing.assert_allclose(M[0], [0, 0, -1], atol=1e-15)
    np.testing.assert_allclose(M[1], [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(M[4], [0, 0, 1], atol=1e-15)
    tilt = 2 * np.arctan(np.sinh(5.0) / np.sinh([4.0, 9.0]))
    np.testing.assert_allclose(M[2:4], np.stack([np.sin(tilt), 0 * tilt, np.cos(tilt)], axis=1), atol=1e-14)
    far = skyrmion([(1000.0, 0, 0), (1002.0, 0, 0)], (0, 0), 1001.0, 2.0)  # tanh of a straight wall
    np.testing.assert_allclose(far[:, 2], np.tanh([-0.5, 0.5]), atol=1e-12)
    ring = [(5.0, 0, 0), (0, 5.0, 0)]
    np.testing.assert_allclose(skyrmion(ring, (0, 0), 5.0, 1.0, "bloch"), [[0, 1, 0], [-1, 0, 0]], atol=1e-15)
    np.testing.assert_allclose(skyrmion(ring, (0, 0), 5.0, 1.0, "anti"), [[1, 0, 0], [0, -1, 0]], atol=1e-15)
    np.testing.assert_allclose(skyrmion(ring, (0, 0), 5.0, 1.0, polarity=1), [[1, 0, 0], [0, 1, 0]], atol=1e-15)
    assert skyrmion([(0.0, 0, 0)], (0, 0), 5.0, 1.0, polarity=1)[0, 2] == 1


def test_vortex() -> None:
    places = [(0.0, 0, 0), (2.0, 0, 0), (0, 2.0, 0), (80.0, 0, 0)]
    s, t = 1 / np.cosh(2.0), np.tanh(2.0)
    want = [[0, 0, -1], [0, t, -s], [-t, 0, -s], [0, 1, 0]]
    np.testing.assert_allclose(vortex(places, (0, 0), 1.0, polarity=-1), want, atol=1e-15)
    np.testing.assert_allclose(vortex(places, (0, 0), 1.0, helicity="neel")[1], [t, 0, s], atol=1e-15)
    anti = vortex(places, (0, 0), 1.0, helicity=0.0, vorticity=-1)
    np.testing.assert_allclose(anti[2], [0, -t, s], atol=1e-15)


@settings(max_examples=20, deadline=None)
@given(angle=st.floats(-3, 3), x=st.floats(-2, 2), y=st.floats(-2, 2), polarity=st.sampled_from([1, -1]))
def test_skyrmions_and_vortices_turn_with_the_lattice(angle: float, x: float, y: float, polarity: int) -> None:
    """A turn of space about z turns a texture of vorticity 1; a shift moves it."""
    c, s = np.cos(angle), np.sin(angle)
    R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    places = triangular(5, 5).positions + [0.013, 0.007, 0]
    for make in (
        lambda r, o: skyrmion(r, o, 1.5, 0.6, 0.4, polarity), lambda r, o: vortex(r, o, 0.8, polarity)
    ):  # fmt: skip
        moved = make(places @ R.T, (R @ [x, y, 0])[:2])
        np.testing.assert_allclose(moved, make(places, (x, y)) @ R.T, atol=1e-9)
        np.testing.assert_allclose(make(places + [1, 2, 0], (x + 1, y + 2)), make(places, (x, y)), atol=1e-9)


def test_helix_and_walls_on_lattices_and_chains() -> None:
    lattice = square(4, 3, spacing=0.5)
    x, y, _ = lattice.positions.T
    got = helix(lattice, (0.3, 0.8, 0), "z", 0.1)
    angle = 0.3 * x + 0.8 * y + 0.1
    np.testing.assert_allclose(got, np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1), atol=1e-15)
    np.testing.assert_allclose(helix(lattice, 0.3, "y"), helix(lattice.positions, (0.3, 0, 0), "y"), atol=0)
    chain = np.arange(1, 6)
    np.testing.assert_allclose(helix(5, 0.3)[:, 0], np.cos(0.3 * chain), atol=1e-15)
    for wall in (bloch_wall, neel_wall):
        along_y = wall(lattice, 0.5, 0.2, along="y").reshape(4, 3, 3)
        np.testing.assert_allclose(along_y, np.tile(wall([(0, 0, 0), (0.5, 0, 0), (1, 0, 0)], 0.5, 0.2), (4, 1, 1)))
        # a chain counts from 1
        np.testing.assert_array_equal(wall(5, 3.2, 0.9), wall(np.outer(chain, [1.0, 0, 0]), 3.2, 0.9))
    diagonal = neel_wall(lattice, 0.0, 0.3, along=(1, 1, 0))
    u = -(x + y) / np.sqrt(2) / 0.3
    np.testing.assert_allclose(diagonal[:, 2], np.tanh(u), atol=1e-14)
    assert uniform(lattice, "x").shape == cone(lattice, 0.3, np.arange(12)).shape == (12, 3)


def test_antiferromagnets() -> None:
    for lattice in (square(4, 3), honeycomb(2, 3)):
        M = antiferromagnet(lattice, "x")
        np.testing.assert_allclose(M[0], [1, 0, 0])
        assert (np.sum(M[lattice.bonds[:, 0]] * M[lattice.bonds[:, 1]], axis=1) == -1).all()
    np.testing.assert_array_equal(antiferromagnet(3)[:, 2], [1, -1, 1])
    with pytest.raises(ValueError, match=r"antiferromagnet.n_sites.bonds: .* closes a loop of an odd number of bonds"):
        antiferromagnet(triangular(2, 2))


def test_random_directions_are_even_on_the_sphere() -> None:
    M = random(square(60, 60), seed=2)
    np.testing.assert_allclose(np.linalg.norm(M, axis=1), 1.0, atol=1e-15)
    # means 0, of M_a M_b delta_ab/3, within five standard deviations: variance 1/3, at most 4/45 and 1/15 a number
    assert np.abs(M.mean(axis=0)).max() < 5 * np.sqrt(1 / 3 / 3600)
    assert np.abs(M.T @ M / 3600 - np.eye(3) / 3).max() < 5 * np.sqrt(4 / 45 / 3600)
    np.testing.assert_array_equal(M, random(3600, seed=2))
    assert np.abs(M - random(3600, seed=3)).max() > 1


N, J, D, K, FIELD, MU = 12, 10e-3, 7e-3, 3e-3, 3e-3, 2.0
"""Sites along each side; exchange, interfacial DMI, anisotropy and mu_M B in eV; mu_M in Bohr magnetons."""


def film(moments: np.ndarray, lattice: Lattice) -> Magnet:
    energies = [lattice.exchange(J), lattice.dmi(D), UniaxialAnisotropy(K, "z"), Zeeman([0, 0, FIELD / (MU * MU_B)])]
    return Magnet(moments, MU, 0.1, energies)


@pytest.mark.parametrize("electrons", [False, True])
def test_a_skyrmion_relaxes_to_its_charge(electrons: bool) -> None:
    """Q = -1 + Q_edge. Capped by the solid angle over its edge the texture is closed, and its charge -1 exactly.

    The edge is that of the film without skyrmion, where D > 0 tilts it outward by theta = 0.45 or so: its own charge is
    Q_edge, (1 - cos theta)/2 but for the corners. What is left is the skyrmion's tail there: more than 3 sites from the
    wall it has decayed to delta = exp(-3/w) = 0.06, w = sqrt(J/(2K + mu B)) = 1.05 sites, which changes
    (1 - cos theta)/2 by sin(theta) delta/2 = 0.013.
    """
    lattice = square(N, N)
    start = skyrmion(lattice, (5.5, 5.5), 2.5, 1.0, helicity=np.pi)
    system = None
    if electrons:
        system = OpenSystem(lattice.electrons(1.0, 0.1, rashba=0.1), [], fermi_energy=-2.5, kT=0.05)
    M = relax(system, film(start, lattice)).moments
    edge = charge(relax(None, film(uniform(lattice), lattice)).moments, N)
    assert charge(M, N) + charge_of_the_edge(M, N) == pytest.approx(-1, abs=1e-9)
    assert charge(M, N) == pytest.approx(edge - 1, rel=0.02)
    assert 0.04 < edge < 0.08
    x, y, _ = (lattice.positions - [5.5, 5.5, 0]).T
    wall = (np.abs(M[:, 2]) < 0.9) & (np.hypot(x, y) < 4)
    assert wall.sum() >= 8
    assert (M[wall, 0] * x[wall] + M[wall, 1] * y[wall] < 0).all()  # inward about a core down, as D > 0 says


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: skyrmion(9, (0, 0), 1.0, 1.0), r"skyrmion.lattice: 9; allowed: a Lattice, or positions"),
        (lambda: skyrmion(square(2, 2), 0.0, 1.0, 1.0), r"skyrmion.center: shape \(\); allowed: two finite numbers"),
        (lambda: skyrmion(square(2, 2), (0, 0), 0.0, -1.0), r"skyrmion.radius: 0.0.*\n.*skyrmion.wall_width: -1.0"),
        (lambda: skyrmion(square(2, 2), (0, 0), 1, 1, "hedgehog"), r"skyrmion.helicity: 'hedgehog'; allowed: 'neel'"),
        (lambda: skyrmion(square(2, 2), (0, 0), 1, 1, "anti", vorticity=1), r"vorticity: 1; allowed: None or -1"),
        (lambda: skyrmion(square(2, 2), (0, 0), 1, 1, vorticity=0), r"vorticity: 0; allowed: None or an integer"),
        (lambda: skyrmion(square(2, 2), (0, 0), 1, 1, polarity=2), r"skyrmion.polarity: 2; allowed: 1 or -1"),
        (lambda: vortex(square(2, 2), (0, 0), 0.0), r"vortex.core: 0.0; allowed: a finite number > 0, in nm"),
        (lambda: helix(3, (1, 2)), r"helix.q: shape \(2,\); allowed: a finite number, or 3 of them"),
        (lambda: helix([[0, 0]], 1.0), r"helix.n_sites: shape \(1, 2\); allowed: a number of sites, a Lattice"),
        (lambda: bloch_wall(3, 1, 1, along="y"), r"bloch_wall.along: 'y'; allowed: 'x' for a chain"),
        (lambda: random(3, -1), r"random.seed: -1; allowed: an integer >= 0"),
        (lambda: random(3, None), r"random.seed: None; allowed: an integer >= 0"),
        (lambda: antiferromagnet([[0, 0, 0]]), r"antiferromagnet.n_sites"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
