"""`ln.analysis` against exact cases: walls of known center, whole charges, sines of known amplitude, known dampings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

import llgnegf as ln
from llgnegf.analysis.data import PLACES
from llgnegf.units import HBAR

H = 2 * np.pi * HBAR


def moments(values: Any, positions: Any = None) -> xarray.DataArray:
    """(..., N, 3) as a run gives them: dims (time, site, component) for two rows or more in front."""
    array = np.asarray(values, dtype=float)
    dims = ("time", "site", "component")[-array.ndim :]
    coords: dict[str, Any] = {"component": list(PLACES), "site": np.arange(array.shape[-2])}
    if positions is not None:
        at = np.asarray(positions, dtype=float)
        coords |= {name: ("site", at[:, k]) for k, name in enumerate(PLACES[: at.shape[1]])}
    return xarray.DataArray(array, dims=dims, coords=coords)


def column(values: Any, step: float, start: float = 0.0, units: str = "eV") -> xarray.DataArray:
    array = np.asarray(values)
    dims = ("time", "lead")[: array.ndim]
    times = start + step * np.arange(len(array))
    return xarray.DataArray(array, dims=dims, coords={"time": times}, attrs={"units": units}, name="signal")


def grid(n_x: int, n_y: int, a: float = 1.0) -> np.ndarray:
    return a * np.array([(i, j, 0.0) for i in range(n_x) for j in range(n_y)])


def triangular(n: int) -> np.ndarray:
    return np.array([(i + 0.5 * (j % 2), np.sqrt(0.75) * j, 0.0) for i in range(n) for j in range(n)])


def honeycomb(n: int) -> np.ndarray:
    """Bond length 1: two sites in each cell of a triangular lattice."""
    cells = np.sqrt(3) * triangular(n)
    return np.concatenate([cells, cells + [0, 1, 0]])


def skyrmion(
    positions: np.ndarray, center: Any = (0.0, 0.0), radius: float = 3.0, helicity: float = 0.0, winding: int = 1
) -> np.ndarray:
    """Core along -z, background exactly +z from 2 `radius` on: theta = pi (1 - r/2 radius)."""
    x, y = (positions[:, :2] - center).T
    theta, phi = np.pi * np.clip(1 - np.hypot(x, y) / (2 * radius), 0, 1), winding * np.arctan2(y, x) + helicity
    return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1)


# Walls


@given(st.floats(3.0, 9.0), st.floats(0.3, 2.5), st.sampled_from([ln.bloch_wall, ln.neel_wall]), st.booleans())
def test_walls_are_where_they_were_put(center: float, width: float, wall: Any, reversed_: bool) -> None:
    """Sites of arguments count from 1, those of results from 0."""
    m = wall(11, center, width) * (-1 if reversed_ else 1)
    position, found = ln.analysis.wall_position(moments(m)), ln.analysis.wall_width(moments(m))
    assert position.dims == () and position.attrs["units"] == "lattice constants"
    assert float(position) == pytest.approx(center - 1, abs=1e-11)
    assert float(found) == pytest.approx(width, rel=1e-11)


def test_each_row_of_a_ribbon_has_its_wall() -> None:
    """A wall along x that leans: center 1.5 + 0.2 y nm, of width 0.3 + 0.1 y nm, M_x = tanh."""
    at = grid(10, 4, 0.4)
    u = (1.5 + 0.2 * at[:, 1] - at[:, 0]) / (0.3 + 0.1 * at[:, 1])
    m = np.stack([np.tanh(u), 1 / np.cosh(u), 0 * u], axis=1)
    data = moments(np.stack([m, -m]), at)
    position, width = (f(data, axis="x") for f in (ln.analysis.wall_position, ln.analysis.wall_width))
    assert position.dims == ("time", "row") and position.attrs["units"] == width.attrs["units"] == "nm"
    np.testing.assert_allclose(position.y, 0.4 * np.arange(4))
    for row in (0, 1):
        np.testing.assert_allclose(position[row], 1.5 + 0.2 * position.y, rtol=1e-12)
        np.testing.assert_allclose(width[row], 0.3 + 0.1 * position.y, rtol=1e-12)
    # The same lattice drawn along y.
    turned = moments(m, at[:, [1, 0, 2]])
    np.testing.assert_allclose(ln.analysis.wall_position(turned, "x", along="y"), position[0], rtol=1e-12)


def test_other_profiles_are_met_to_first_order() -> None:
    """M_z = tanh u + e p(u) with p even moves the center by -e w sum g p/sum g, g = (1 - M_z^2), by least squares."""
    x = np.arange(-30, 31) / 5.0  # fine and symmetric: sums are integrals
    g, p = 1 / np.cosh(x) ** 2, 1 / np.cosh(x)
    shift = (g * p).sum() / (g * g).sum()  # projection of p on dM/dx = g
    errors = []
    for e in (1e-3, 1e-4):
        m_z = np.tanh(x) + e * p
        values = np.stack([np.sqrt(np.clip(1 - m_z**2, 0, None)), 0 * x, m_z], axis=1)
        found = ln.analysis.wall_position(moments(values, np.stack([x, 0 * x, 0 * x], axis=1)))
        errors.append(abs(float(found) + e * shift))
    assert errors[0] < 1e-5 and errors[1] < 0.02 * errors[0]  # second order in e


def test_no_wall_is_nan() -> None:
    assert np.isnan(ln.analysis.wall_position(moments(ln.uniform(5, "z"))))
    assert np.isnan(ln.analysis.wall_width(moments(ln.uniform(5, "z"))))
    assert np.isnan(ln.analysis.wall_position(moments(ln.neel_wall(5, 12.0, 1.0))))  # beyond the end


# Antiferromagnets


def test_neel_vector_of_a_chain_and_of_bonds() -> None:
    """n = (M_A - M_B)/2: d for moments +-d, 0 for all along d; (d - e)/2 for sublattices along d and e."""
    d, e = np.array([0.6, 0.0, 0.8]), np.array([0.0, 1.0, 0.0])
    alternating = np.array([d if i % 2 == 0 else e for i in range(6)])
    np.testing.assert_allclose(ln.analysis.neel_vector(moments(alternating)), (d - e) / 2, atol=1e-15)
    # Three sites in A and one in B, a star: averages over each sublattice.
    star = moments([d, e, e, e]).to_dataset(name="moments").assign_coords(bond=["0-1", "0-2", "0-3"])
    found = ln.analysis.neel_vector(star)
    np.testing.assert_allclose(found, (d - e) / 2, atol=1e-15)
    assert found.dims == ("component",)
    np.testing.assert_allclose(ln.analysis.neel_vector(star, [-1, 1, 1, 1]), (e - d) / 2, atol=1e-15)
    with pytest.raises(ValueError, match=r"sublattice: bond 1-2 joins sites of one sublattice; allowed: \+1 or -1"):
        ln.analysis.neel_vector(star.assign_coords(bond=["0-1", "0-2", "1-2"]))
    with pytest.raises(ValueError, match="neel_vector.sublattice"):
        ln.analysis.neel_vector(star, [1, 1, 1, 1])


# Topological charge

LATTICES = {"square": grid(17, 17), "triangular": triangular(20), "honeycomb": honeycomb(13)}


@pytest.mark.parametrize("name", LATTICES)
@pytest.mark.parametrize("helicity", [0.0, np.pi / 2, 2.0])
def test_closed_textures_have_a_whole_charge(name: str, helicity: float) -> None:
    """Core down in a background up: -1, Bloch or Neel; antiskyrmion and all reversed: +1; mirrored in space: +1."""
    at = LATTICES[name]
    center = at[:, :2].mean(axis=0) + [0.21, 0.13]
    m = skyrmion(at, center, helicity=helicity)
    number = ln.analysis.skyrmion_number
    assert float(number(moments(m, at))) == pytest.approx(-1, abs=1e-12)
    assert float(number(moments(-m, at))) == pytest.approx(1, abs=1e-12)
    assert float(number(moments(m, at * [-1, 1, 1]))) == pytest.approx(1, abs=1e-12)
    anti = skyrmion(at, center, helicity=helicity, winding=-1)
    assert float(number(moments(anti, at))) == pytest.approx(1, abs=1e-12)
    stacked = number(moments(np.stack([m, -m, ln.uniform(len(at))]), at))
    np.testing.assert_allclose(stacked, [-1, 1, 0], atol=1e-12)
    assert stacked.dims == ("time",)


def test_a_whole_sphere_of_any_moments() -> None:
    """The six corners of an octahedron, as triangles: radial +1; any other moments a whole number."""
    corners = np.concatenate([np.eye(3), -np.eye(3)])
    faces = [(0, 1, 2), (1, 3, 2), (3, 4, 2), (4, 0, 2), (1, 0, 5), (3, 1, 5), (4, 3, 5), (0, 4, 5)]
    assert float(ln.analysis.skyrmion_number(moments(corners), faces)) == pytest.approx(1, abs=1e-14)
    rng = np.random.default_rng(5)
    many = rng.normal(size=(200, 6, 3))
    many /= np.linalg.norm(many, axis=-1, keepdims=True)
    charges = ln.analysis.skyrmion_number(moments(many), faces).values
    assert np.abs(charges - charges.round()).max() < 1e-12 and set(charges.round()) >= {-1.0, 0.0, 1.0}


def test_one_triangle_is_a_solid_angle() -> None:
    """Three right angles: an octant, 4 pi/8."""
    q = ln.analysis.skyrmion_number(moments(np.eye(3)), [(0, 1, 2)])
    assert float(q) == pytest.approx(1 / 8, abs=1e-15)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0, 2 * np.pi))
def test_charge_is_invariant_under_rotations_of_space_and_of_moments(seed: int, angle: float) -> None:
    rng = np.random.default_rng(seed)
    at = triangular(6)
    m = rng.normal(size=(len(at), 3)) + [0, 0, 1.0]
    m /= np.linalg.norm(m, axis=1, keepdims=True)
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    frame = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    frame *= np.linalg.det(frame)
    plain, space, spin = (
        float(ln.analysis.skyrmion_number(moments(m_, at_)))
        for m_, at_ in ((m, at), (m, at @ turn.T), (m @ frame.T, at))
    )
    # Of nearly antiparallel corners round-off may choose another side: by whole numbers.
    assert abs(space - plain) < 1e-10 and abs((spin - plain + 0.5) % 1 - 0.5) < 1e-10


def test_triangles_tile_plaquettes_and_nothing_else() -> None:
    """Areas: (n - 1)^2 squares; a vacancy keeps the area, a hole of 3 x 3 sites, 16 squares, does not."""

    def area(at: np.ndarray) -> float:
        a, b, c = (at[ln.analysis.lattice_triangles(at)[:, k], :2] for k in range(3))
        double = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        assert (double > 0).all()
        return double.sum() / 2

    at = grid(9, 9)
    far = np.abs(at[:, :2] - 4).max(axis=1)
    assert area(at) == pytest.approx(64)
    assert area(at[far > 0.5]) == pytest.approx(64)
    # In each of its corners the half of a square has three sites, and stays.
    assert area(at[far > 1.5]) == pytest.approx(64 - 16 + 4 * 0.5)
    # Two strips of 2 (n - 1) triangles of sqrt(3)/4 between rows shifted by half, and one more in the notch at x = 0.
    assert area(triangular(3)) == pytest.approx((2 * 4 + 1) * np.sqrt(3) / 4)
    with pytest.raises(ValueError, match="span the x-y plane"):
        ln.analysis.lattice_triangles(grid(5, 1))


def test_position_of_a_skyrmion() -> None:
    """Moved by a lattice vector, its center moves by it; one on a site with its symmetry sits there."""
    at = grid(21, 21, 0.5)
    first, second = ([4.0, 5.0], [6.0, 5.5])
    centers = ln.analysis.skyrmion_position(
        moments(np.stack([skyrmion(at, first, 1.6), skyrmion(at, second, 1.6), ln.uniform(441)]), at)
    )
    assert centers.dims == ("time", "direction") and centers.attrs["units"] == "nm"
    # Which diagonals the triangulation takes breaks the symmetry of the square: a fraction of a lattice constant.
    np.testing.assert_allclose(centers[0], first, atol=0.1)
    np.testing.assert_allclose(centers[1] - centers[0], [2.0, 0.5], atol=0.1)
    assert np.isnan(centers[2]).all()


# Structure factor


def test_structure_factor_of_a_helix_and_sum_rule() -> None:
    """A helix of q = 2 pi 3/24: N/4 at +-q for both components; sum_q S_a = sum_i M_ia^2."""
    n, k = 24, 3
    angle = 2 * np.pi * k / n * np.arange(n)
    s = ln.analysis.structure_factor(moments(np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)))
    assert s.dims == ("q_x", "component")
    for a in "xy":
        peak = s.sel(component=a)
        np.testing.assert_allclose(peak[np.abs(np.abs(s.q_x) - 2 * np.pi * k / n) < 1e-9], n / 4)
        assert float(peak.sum()) == pytest.approx(n / 2)


def test_structure_factor_of_a_rectangle_and_of_given_waves() -> None:
    rng = np.random.default_rng(2)
    at = grid(5, 4, 0.3) + [0.7, -0.2, 0]
    m = rng.normal(size=(3, 20, 3))
    data = moments(m, at)
    s = ln.analysis.structure_factor(data)
    assert s.dims == ("time", "q_x", "q_y", "component") and s.shape == (3, 5, 4, 3)
    np.testing.assert_allclose(s.sum(("q_x", "q_y")), (m**2).sum(axis=1))
    q = rng.normal(size=(7, 3))
    brute = [[abs(sum(m[1, i] * np.exp(-1j * w @ at[i]) for i in range(20))) ** 2 / 20] for w in q]
    np.testing.assert_allclose(ln.analysis.structure_factor(data, q)[1], np.squeeze(brute, 1), rtol=1e-12)
    with pytest.raises(ValueError, match="structure_factor.q: None, 20 sites on a grid of [0-9]+ places"):
        ln.analysis.structure_factor(moments(m, rng.normal(size=(20, 3)) * [1, 1, 0]))


# Spectra


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "boxcar"])
@pytest.mark.parametrize("n", [240, 241])
def test_a_sine_on_a_frequency_has_its_amplitude(window: str, n: int) -> None:
    """Sum of cosine terms: other frequencies of the record, six steps away, are exactly not seen."""
    step, t = 0.5, 0.5 * np.arange(n)
    f = np.array([20, 33]) / (n * step)
    x = 2.0 + 0.7 * np.sin(2 * np.pi * f[0] * t + 0.3) + 0.2 * np.cos(2 * np.pi * f[1] * t)
    s = ln.analysis.spectrum(column(np.stack([x, -2 * x], axis=1), step, start=13.0), window)
    assert s.dims == ("frequency", "lead") and s.attrs["units"] == "eV"
    np.testing.assert_allclose(s.energy, H * s.frequency)
    expected = {0: 2.0, 20: 0.7, 33: 0.2}
    for k, amplitude in expected.items():
        np.testing.assert_allclose(s[k], [amplitude, 2 * amplitude], rtol=1e-12)
        assert float(s.frequency[k]) == pytest.approx(k / (n * step))
    quiet = np.ones(len(s), dtype=bool)
    quiet[[0, *range(17, 24), *range(30, 37)]] = False
    assert float(s[quiet].max()) < 1e-13


@pytest.mark.parametrize(("window", "loss"), [("hann", 8 / (3 * np.pi)), ("boxcar", 2 / np.pi)])
def test_half_way_between_frequencies_the_window_s_loss(window: str, loss: float) -> None:
    """W(1/2)/W(0): sinc(1/2) = 2/pi without a window; Hann: sinc(d)/(1 - d^2) = (2/pi)/(3/4).

    The sine's own image at -f is left, of relative size 1/(2 k) for sinc and (1/(2 k))^3 for Hann.
    """
    n, k = 4000, 1000
    x = 0.3 * np.cos(2 * np.pi * (k + 0.5) / n * np.arange(n))
    s = ln.analysis.spectrum(column(x, 1.0), window)
    bound = 1 / k if window == "boxcar" else 1e-6
    np.testing.assert_allclose(s[[k, k + 1]], 0.3 * loss, rtol=bound)


def test_spectrum_of_a_result() -> None:
    """A moment in steady precession about z: one line in M_x, at its frequency."""
    energy, n = 0.05, 60
    period = H / energy
    rows = ln.simulate(None, _magnet(energy), t_end=period * (n - 1) / n * 4, save_every=period / n * 4)
    s = rows.spectrum("moments", "boxcar").sel(component="x", site=0)
    assert float(s.energy[int(s[1:].values.argmax()) + 1]) == pytest.approx(energy, rel=1e-9)
    assert float(s.max()) == pytest.approx(np.sin(0.4), rel=1e-5)
    with pytest.raises(ValueError, match="Result.spectrum.variable: 'moment'; allowed: 'moments', "):
        rows.spectrum("moment")


def _magnet(energy: float) -> ln.Magnet:
    """One moment on a cone of 0.4 that turns with hbar w = `energy` about z."""
    from llgnegf.units import GYROMAGNETIC_RATIO

    return ln.Magnet(ln.cone(1, 0.4), 1.0, energies=ln.Zeeman((0, 0, energy / (HBAR * GYROMAGNETIC_RATIO))))


@given(st.floats(2.3, 40.0), st.floats(-3.0, 3.0), st.floats(-200.0, 200.0))
def test_harmonics_of_any_number_of_periods(periods: float, phase: float, start: float) -> None:
    n, step = 400, 0.25
    f = periods / (n * step)
    t = start + step * np.arange(n)
    x = -0.4 + 1.5 * np.cos(2 * np.pi * f * t + phase) + 0.02 * np.cos(6 * np.pi * f * t - 1.0)
    found = ln.analysis.harmonics(column(x, step, start), f, 3)
    np.testing.assert_allclose(found.amplitude, [-0.4, 1.5, 0, 0.02], atol=1e-9)
    for k, expected in ((1, phase), (3, -1.0)):
        assert abs(np.exp(1j * (float(found.phase[k]) - expected)) - 1) < 1e-8
    assert float(found.residual) < 1e-10
    assert found.amplitude.attrs["units"] == "eV" and found.phase.attrs["units"] == "rad"


def test_harmonics_hardly_see_another_line() -> None:
    """At 7.3 of 40 periods a line of amplitude 1: Hann's side lobes fall as 1/(pi d (d^2 - 1)) per bin distance d."""
    n = 2000
    t = np.arange(n)
    f = 40.2 / n
    x = np.cos(2 * np.pi * f * t) + np.cos(2 * np.pi * 7.3 / n * t)
    found = ln.analysis.harmonics(column(x, 1.0), f, 2)
    distance = 40.2 - 7.3
    assert abs(float(found.amplitude[1]) - 1) < 2 / (np.pi * distance * (distance**2 - 1))
    assert float(found.residual) == pytest.approx(np.sqrt(0.5), rel=0.01)


def test_ring_down_of_two_oscillations_is_exact() -> None:
    f, gamma, amplitude, phase = (np.array(v) for v in ([0.031, 0.047], [0.004, 0.011], [0.8, 0.3], [0.5, -1.1]))
    t = 2.0 * np.arange(300)
    x = -0.2 + (amplitude * np.exp(-np.outer(t, gamma)) * np.cos(2 * np.pi * np.outer(t, f) + phase)).sum(axis=1)
    found = ln.analysis.ring_down(column(np.stack([x, 3 * x], axis=1), 2.0, start=57.0), n=2)
    for lead, factor in ((0, 1.0), (1, 3.0)):
        np.testing.assert_allclose(found.frequency[:, lead], f, rtol=1e-9)
        np.testing.assert_allclose(found.damping[:, lead], gamma, rtol=1e-8)
        np.testing.assert_allclose(found.amplitude[:, lead], factor * amplitude, rtol=1e-8)
        np.testing.assert_allclose(found.phase[:, lead], phase, atol=1e-8)
        assert float(found.offset[lead]) == pytest.approx(-0.2 * factor)
    np.testing.assert_allclose(found.energy, H * found.frequency)
    assert float(found.frequency_error.max()) < 1e-9
    assert (found.frequency.dims, found.offset.dims) == (("mode", "lead"), ("lead",))


@pytest.mark.parametrize("n_rows", [60, 5000])
def test_ring_down_of_slow_and_fast_records(n_rows: int) -> None:
    """Three periods in few rows or in thousands, more than the Hankel matrix takes in."""
    t = np.linspace(0, 90, n_rows)
    x = np.exp(-0.01 * t) * np.cos(2 * np.pi * t / 30)
    found = ln.analysis.ring_down(column(x, float(t[1])))
    assert float(found.frequency[0]) == pytest.approx(1 / 30, rel=1e-8)
    assert float(found.damping[0]) == pytest.approx(0.01, rel=1e-7)


def test_error_estimates_of_ring_down_are_standard_deviations() -> None:
    """White noise of 1 % on 200 records: (found - true)/error is of unit variance, chi^2 of 200 within 4 sigma."""
    rng, t = np.random.default_rng(3), np.arange(250.0)
    x = np.exp(-0.012 * t) * np.cos(2 * np.pi * 0.05 * t + 0.3)
    noisy = x[:, None] + 0.01 * rng.normal(size=(250, 200))
    found = ln.analysis.ring_down(column(noisy, 1.0))
    truth = {"frequency": 0.05, "damping": 0.012, "amplitude": 1.0, "phase": 0.3}
    for name, value in truth.items():
        score = ((found[name][0] - value) / found[f"{name}_error"][0]).values
        assert abs(score.mean()) < 4 / np.sqrt(200), name
        assert abs(score.var() - 1) < 4 * np.sqrt(2 / 200), name
    assert float(found.residual.mean()) == pytest.approx(0.01, rel=0.02)


def test_too_many_oscillations_and_none() -> None:
    t = np.arange(100.0)
    one = ln.analysis.ring_down(column(np.exp(-0.02 * t) * np.sin(0.5 * t), 1.0), n=2)
    assert float(one.frequency[0]) == pytest.approx(0.5 / (2 * np.pi)) and np.isnan(one.frequency[1])
    constant = ln.analysis.ring_down(column(np.full(100, 0.3), 1.0))
    assert np.isnan(constant.frequency[0]) and float(constant.offset) == pytest.approx(0.3)


# Mistakes


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a.spectrum(column(np.ones(9), 1.0), "hanning"), "spectrum.window: 'hanning'; allowed: 'hann', "),
        (lambda a: a.spectrum(column(np.ones(3), 1.0)), "spectrum.dataarray: 3 rows; allowed: at least 4"),
        (lambda a: a.spectrum(column(np.ones(9), 1.0)[[0, 1, 2, 4, 8]]), "time: unevenly spaced; allowed: evenly"),
        (lambda a: a.spectrum(np.ones(9)), "allowed: a DataArray with times"),
        (lambda a: a.harmonics(column(np.ones(9), 1.0), 0.1, 1), "frequency: 0.1; allowed: at least 0.2222 1/fs"),
        (lambda a: a.harmonics(column(np.ones(90), 1.0), 0.2, 3), "n: 3; allowed: at most 2"),
        (lambda a: a.harmonics(column(np.ones(90), 1.0), -0.2, 0), "(?s)frequency: -0.2;.*n: 0; allowed"),
        (lambda a: a.harmonics(column(np.ones(90), 1.0), 0.6, 1), "below 0.5 1/fs"),
        (lambda a: a.ring_down(column(np.ones(11), 1.0)), "11 rows; allowed: at least 12"),
        (lambda a: a.skyrmion_number(moments(np.eye(3))), "skyrmion_number.positions: None; allowed: given"),
        (lambda a: a.skyrmion_number(moments(np.eye(3)), [(0, 1, 3)]), "triangles: .*; allowed: sites 0 to 2"),
        (lambda a: a.wall_position(moments(np.eye(3)), axis=2), "wall_position.axis: 2; allowed: 'x', 'y' or 'z'"),
        (lambda a: a.wall_position(np.eye(3)), "wall_position.moments: .*; allowed: a DataArray"),
        (lambda a: a.skyrmion_number(moments(2 * np.eye(3)), [(0, 1, 2)]), "moments: a vector of length 2; allowed: "),
        (lambda a: a.wall_width(moments(0.5 * np.eye(3))), "moments: a vector of length 0.5; allowed: unit vectors"),
        (lambda a: a.spectrum(column(np.exp(1j * np.arange(9.0)), 1.0)), "values of type complex128; allowed: real"),
        (lambda a: a.spectrum(column(["a"] * 9, 1.0)), "dataarray: values of type <U1; allowed: real numbers"),
        (lambda a: a.structure_factor(moments(np.eye(3)), [[1.0, 2.0]]), "q: .*; allowed: finite numbers of shape"),
    ],
)
def test_mistakes_name_field_value_and_what_is_allowed(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(ln.analysis)


def test_two_walls_in_a_row_are_none() -> None:
    """A domain between two walls: no tanh has both ends on one side."""
    x = np.arange(60.0)
    m_z = np.tanh((x - 15) / 2) * np.tanh((x - 40) / 2)
    data = moments(np.stack([np.sqrt(1 - m_z**2), 0 * x, m_z], axis=1))
    assert np.isnan(ln.analysis.wall_position(data)) and np.isnan(ln.analysis.wall_width(data))


def test_a_wall_without_profile_is_between_two_sites() -> None:
    """Saturated moments off the middle of the chain, in any order of the sites: the step is between x = 20 and 21."""
    x = np.random.default_rng(0).permutation(60).astype(float)
    m = np.stack([0 * x, 0 * x, np.where(x < 20.5, -1.0, 1.0)], axis=1)
    data = moments(m, np.stack([x, 0 * x, 0 * x], axis=1))
    assert float(ln.analysis.wall_position(data)) == pytest.approx(20.5, abs=1e-9)
    assert 0 < float(ln.analysis.wall_width(data)) < 0.1


def test_neighbours_of_a_layer_are_not_those_of_the_electrons() -> None:
    """Bonds of the dataset join electron sites, not moments 0 and 1 on sites 0 and 2 of four."""
    data = xarray.Dataset(
        {"moments": (("moment", "component"), [[0.0, 0, 1], [0, 0, -1]]), "bond_current": (("bond",), [0.0, 0, 0])},
        coords={"bond": ["0-1", "1-2", "2-3"]},
    )
    with pytest.raises(ValueError, match="neel_vector.sublattice: None; allowed: given for moments that are a layer"):
        ln.analysis.neel_vector(data)
    np.testing.assert_allclose(ln.analysis.neel_vector(data, [1, -1]), [0, 0, 1])
