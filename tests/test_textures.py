"""Textures: unit length to round-off, the printed profiles, handedness, and every bad argument."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llgnegf as ln
from llgnegf.problem.textures import transverse_axes

SITES, CENTERS, WIDTHS = st.integers(1, 60), st.floats(-100, 100), st.floats(1e-3, 1e3)


@given(n=SITES, center=CENTERS, width=WIDTHS)
def test_walls_are_unit_vectors(n, center, width):
    for wall in (ln.bloch_wall(n, center, width), ln.neel_wall(n, center, width)):
        assert wall.shape == (n, 3)
        np.testing.assert_allclose(np.linalg.norm(wall, axis=1), 1.0, rtol=0, atol=1e-15)


@given(n=SITES, angle=st.floats(-7, 7), azimuth=st.floats(-7, 7), axis=st.tuples(*3 * [st.floats(-3, 3)]))
def test_cone_is_a_unit_vector_at_its_angle(n, angle, azimuth, axis):
    if np.linalg.norm(axis) < 1e-3:
        return
    cone = ln.cone(n, angle, azimuth, axis)
    np.testing.assert_allclose(np.linalg.norm(cone, axis=1), 1.0, rtol=0, atol=1e-15)
    np.testing.assert_allclose(cone @ np.array(axis) / np.linalg.norm(axis), np.cos(angle), rtol=0, atol=1e-14)


def test_wall_profiles():
    """The paper's formulas with u = (Z - z_i)/W, z_i = 1 .. 7."""
    u = (4 - np.arange(1, 8)) / 0.9
    sech, tanh = 1 / np.cosh(u), np.tanh(u)
    np.testing.assert_allclose(ln.bloch_wall(7, 4, 0.9), np.stack([-sech * tanh, sech**2, tanh], 1), atol=1e-15)
    np.testing.assert_allclose(ln.neel_wall(7, 4, 0.9), np.stack([0 * u, sech, tanh], 1), atol=1e-15)


def test_step_like_wall():
    """u overflows for a width of 1e-310: the walls are a step, up before the centre and down behind it."""
    step = [[0, 0, 1], [0, 1, 0], [0, 0, -1]]
    np.testing.assert_array_equal(ln.bloch_wall(3, 2, 1e-310), step)
    np.testing.assert_array_equal(ln.neel_wall(3, 2, 1e-310), step)


def test_uniform_and_cone_about_the_coordinate_axes():
    np.testing.assert_allclose(ln.uniform(2, (0, 3, 4)), [[0, 0.6, 0.8]] * 2, atol=1e-16)
    c, s = np.cos(0.4), np.sin(0.4)
    np.testing.assert_allclose(ln.cone(1, 0.4, 0.0, "z"), [[s, 0, c]], atol=1e-16)
    np.testing.assert_allclose(ln.cone(1, 0.4, 0.0, "x"), [[c, s, 0]], atol=1e-16)
    np.testing.assert_allclose(ln.cone(1, 0.4, 0.0, "y"), [[0, c, s]], atol=1e-16)
    np.testing.assert_allclose(ln.cone(2, np.pi / 2, [0, np.pi / 2]), [[1, 0, 0], [0, 1, 0]], atol=1e-15)


def test_transverse_axes_are_right_handed():
    axis = np.array([1.0, -2.0, 0.5]) / np.linalg.norm([1.0, -2.0, 0.5])
    e1, e2 = transverse_axes(axis)
    np.testing.assert_allclose(np.cross(e1, e2), axis, atol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ln.bloch_wall(0, 1, 1), r"bloch_wall.n_sites: 0; allowed: an integer >= 1"),
        (lambda: ln.bloch_wall(2.0, 1, 1), r"bloch_wall.n_sites: 2.0; allowed"),
        (lambda: ln.bloch_wall(3, np.nan, 1), r"bloch_wall.center: nan; allowed"),
        (lambda: ln.neel_wall(3, 1, 0.0), r"neel_wall.width: 0.0; allowed: a finite number > 0"),
        (lambda: ln.uniform(0), r"uniform.n_sites: 0; allowed"),
        (lambda: ln.uniform(1, "up"), r"uniform.direction: '?up'?; allowed: 'x', 'y', 'z'"),
        (lambda: ln.uniform(1, (0, 0, 0)), r"uniform.direction: \(0, 0, 0\); allowed"),
        (lambda: ln.uniform(1, (1, 0)), r"uniform.direction: shape \(2,\); allowed"),
        (lambda: ln.cone(0, 0.1), r"cone.n_sites: 0; allowed"),
        (lambda: ln.cone(1, np.inf), r"cone.angle: inf; allowed"),
        (lambda: ln.cone(2, 0.1, [0, 1, 2]), r"cone.azimuth: shape \(3,\); allowed"),
        (lambda: ln.cone(2, 0.1, 0.0, "w"), r"cone.axis: '?w'?; allowed"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_all_mistakes_are_named_at_once():
    with pytest.raises(ValueError, match="bloch_wall") as caught:
        ln.bloch_wall(0, "a", -1)
    assert len(str(caught.value).splitlines()) == 3
