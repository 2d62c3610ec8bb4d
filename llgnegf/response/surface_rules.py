"""Energies and weights of the Fermi-surface sums of `fast_tensors`, weights > 0 so that friction stays positive.

Energies are x = (E - mu)/kT, the weight is -f' = 1/(4 cosh^2(x/2)). Far from all band edges G is smooth on the scale of
kT: Gauss's rules, and the trapezoidal rule in x. Near an edge the sum ends there: beyond it the leads have no states,
and what the tails of their expansion in poles make of a bound state is a resonance that does not exist. Between edges
    x = a + (b - a) (2 - 3 cos t + cos^3 t)/4,  dx/dt = (3/4) (b - a) sin^3 t,  0 <= t <= pi
makes the trapezoidal rule in t converge as its step to the fourth, square roots at the edges included.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from llgnegf.static.contour import FERMI_RANGE

Rule = tuple[np.ndarray, np.ndarray]
"""Nodes x and weights."""

FIRST_STEP = 2.0
"""Coarsest step in x of the sum on the whole axis; half of it is the coarsest that is used."""
FIRST_INTERVALS = 8
"""Coarsest number of steps in t between two band edges."""
GAUSS_NODES = ((1, 2, 3), (5, 9))
"""Gauss rules tried first. The error falls by a constant factor or faster from rule to rule: see `gauss_error`."""
BAND_INTERVALS = ((16, 32, 64), (128, 256))
"""The same between band edges."""
EDGE_RANGE = 22.0
"""|x| from which on a band edge does not count for the Gauss rules, whose outermost node is 18.5: e^-22 = 3e-10."""


def first_rules(bands: list[tuple[float, float]]) -> list[list[Rule]]:
    """Two groups of rules to be tried before the sums of `halving`."""
    if all(min(abs(a), abs(b)) > EDGE_RANGE and a < 0 < b for a, b in bands) and len(bands) == 1:
        return [[_gauss_rule(n) for n in counts] for counts in GAUSS_NODES]
    return [[_band_rule(bands, n, range(1, n)) for n in counts] for counts in BAND_INTERVALS]


def halving(bands: list[tuple[float, float]], level: int) -> tuple[Rule, float]:
    """The nodes that the halving number `level` adds, and the step that the sum over all of them is multiplied by."""
    if bands == [(-np.inf, np.inf)]:
        step = FIRST_STEP / 2**level
        count = int(np.ceil(FERMI_RANGE / step))
        number = np.arange(-count, count + 1)
        x = step * number[number % 2 != 0] if level else step * number
        return (x, _weight(x)), step
    n = FIRST_INTERVALS * 2**level
    nodes, weights = _band_rule(bands, n, range(1, n, 2 if level else 1))
    return (nodes, weights * n), 1 / n


def bands_in_reach(supports: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The parts of the axis where a lead has states, cut at the edges of all; (-inf, inf) if no edge is in reach."""
    spans = list(supports)
    edges = {edge for span in spans for edge in span if abs(edge) < FERMI_RANGE}
    if not edges and any(a < 0 < b for a, b in spans):
        return [(-np.inf, np.inf)]
    cuts = sorted({-FERMI_RANGE, FERMI_RANGE, *edges})
    pieces = zip(cuts[:-1], cuts[1:], strict=True)
    return [(a, b) for a, b in pieces if any(low <= a and b <= high for low, high in spans)]


def _band_rule(bands: list[tuple[float, float]], n: int, numbers: range) -> Rule:
    """Nodes t = pi k/n, k in `numbers`, of the trapezoidal rule with n steps in every band."""
    t = np.pi * np.arange(numbers.start, numbers.stop, numbers.step) / n
    rise, slope = (2 - 3 * np.cos(t) + np.cos(t) ** 3) / 4, 0.75 * np.sin(t) ** 3 * np.pi / n
    x = np.array([a + (b - a) * rise for a, b in bands]).ravel()
    return x, np.array([(b - a) * slope for a, b in bands]).ravel() * _weight(x)


def _gauss_rule(count: int) -> Rule:
    """Nodes and weights (count,) for the weight 1/(4 cosh^2(x/2)), by the eigenvalues of the Jacobi matrix.

    The polynomials are the continuous Hahn polynomials, beta_n = pi^2 n^4/(4 n^2 - 1).
    """
    n = np.arange(1, count)
    beta = np.pi**2 * n**4 / (4 * n**2 - 1)
    nodes, vectors = np.linalg.eigh(np.diag(np.sqrt(beta), 1) + np.diag(np.sqrt(beta), -1))
    return nodes, vectors[0] ** 2


def _weight(x: np.ndarray) -> np.ndarray:
    return 0.25 / np.cosh(0.5 * x) ** 2
