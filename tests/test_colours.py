"""Colours of plots and pages as colour-blind readers see them.

Simulation: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, IEEE Trans. Vis. Comput. Graph. 15, 1291 (2009), complete
protanopia, deuteranopia and tritanopia, on linear RGB. Distances are those of CIELAB (CIE 1976), in which 2.3 can just
be told apart; curves of a panel are 10 apart at least, and besides have a line style of their own.
"""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from llgnegf.plots.style import COLOURS, DIVERGING, LINES, MARKERS, SEQUENTIAL, colour_map, line

SEEN = {
    "whole": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
"""From linear sRGB (IEC 61966-2-1)."""


def cielab(colours, eyes):
    """L*, a*, b* of sRGB colours (n, 3) as seen by these eyes."""
    rgb = np.asarray(colours, dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.transpose(SEEN[eyes]), 0, 1) @ XYZ.T / XYZ.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def test_the_simulation_takes_red_from_green():
    """A reader without red cones sees both of a pair that all others tell apart; grey stays as it is."""
    pair = [[0.75, 0.35, 0.35], [0.43, 0.49, 0.33]]
    whole, protanopia = (np.linalg.norm(np.subtract(*cielab(pair, eyes))) for eyes in ("whole", "protanopia"))
    assert protanopia < 0.4 * whole
    for eyes in SEEN:
        np.testing.assert_allclose(cielab([[0.5, 0.5, 0.5]], eyes), cielab([[0.5, 0.5, 0.5]], "whole"), atol=0.1)


@pytest.mark.parametrize("eyes", SEEN)
def test_curves_of_a_panel_are_told_apart(eyes):
    seen = cielab([to_rgb(c) for c in COLOURS], eyes)
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 10
    assert min(100 - lightness for lightness, _, _ in seen) > 20  # on paper


@pytest.mark.parametrize("eyes", SEEN)
def test_maps_are_read(eyes):
    """Magnitudes: lightness falls all the way. Both signs: it falls from the middle, and the signs differ."""
    places = np.linspace(0, 1, 101)
    lightness = cielab(colour_map(SEQUENTIAL)(places)[:, :3], eyes)[:, 0]
    assert (np.diff(lightness) < 0).all()
    seen = cielab(colour_map(DIVERGING)(places)[:, :3], eyes)
    assert (np.diff(seen[:51:5, 0]) > 0).all() and (np.diff(seen[50::5, 0]) < 0).all()
    assert np.linalg.norm(seen[:36] - seen[:64:-1], axis=1).min() > 20


def test_every_curve_has_a_line_of_its_own():
    curves = [line(k) for k in range(len(COLOURS))]
    assert len({str(c["linestyle"]) for c in curves}) == len({c["color"] for c in curves}) == len(LINES) == len(MARKERS)
