"""Panels of the real axis for the window integrals of `steady_state`: steps, band edges and narrow resonances.

Each panel has an origin: energies are origin + offset, so that a resonance narrower than round-off is resolved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.static.contour import THERMAL_CUTS
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import Integral, Sampled, integrate
from llgnegf.static.recursion import ChainGreen
from llgnegf.static.resonances import FINE, refuse_unresolved, resonances, separate

NEAREST = 2.0
"""Least sum of the half axes, over half of the panel's length, of the ellipse about a panel (its ends the foci) through
a resonance: the rules converge as its powers, so that a panel shows that there is one and bisection does the rest."""
ROUND_OFF = 1e-12
"""Half length of a panel over its energies that is not halved any more."""
START_PANELS = 8
"""Equal parts into which the window of a chain is cut to begin with."""
FEWEST = 2
"""The same where resonances are known."""

UNEVEN_PHASE = 1.0
"""Difference in the fall of the phase over the quarters of a cell beyond which the cell holds a resonance."""
NARROWEST = 1e-9
"""Width in eV of the cells at which the search gives up: resonances need energies measured from their own level."""


@dataclass(frozen=True)
class Panel:
    """E = origin + offset, offset from `lower` to `upper`; edge_* mark a square-root singularity at that end."""

    origin: float
    lower: float
    upper: float
    edge_lower: bool
    edge_upper: bool


@dataclass(frozen=True, eq=False)
class Window:
    """An interval of the real axis as panels, each in a variable 0 <= u <= 1.

    offset = lower + L s(u) with s = u, or s = u^2 (1 - (1-u)^2, sin^2(pi u/2)) where Gamma or G has a square root at
    the lower (upper, either) end: sqrt and 1/sqrt both become smooth in u.
    """

    panels: tuple[Panel, ...]

    @property
    def length(self) -> float:
        """Of all panels in eV."""
        return sum(p.upper - p.lower for p in self.panels)

    def integral(
        self, function: Callable[[np.ndarray, np.ndarray], np.ndarray] | Sampled, tolerance: float, n_entries: int,
        what: str, relative: float = 0.0,
    ) -> Integral:  # fmt: skip
        """int dE F(E), F a function of origin (n,) and offset (n,) that gives (n, ...), or samples of one; the number 0
        without panels.

        Tolerance, n_entries, what, relative and errors as `quadrature.integrate`.
        """
        if not self.panels:
            return Integral(np.zeros(()), 0.0, 0)
        count = len(self.panels)
        whole = np.stack([np.arange(count), np.zeros(count), np.ones(count)], axis=1)
        return integrate(Sampled.of(function).along(self.energies), whole, tolerance, n_entries, what, relative)

    def where(self, condition: Callable[[np.ndarray], np.ndarray]) -> Window:
        """The panels for whose middle (n,) the condition holds."""
        middles = np.array([p.origin + 0.5 * (p.lower + p.upper) for p in self.panels])
        return Window(tuple(p for p, keep in zip(self.panels, condition(middles), strict=True) if keep))

    @cached_property
    def _table(self) -> tuple[np.ndarray, ...]:
        p = self.panels
        numbers = np.array([(x.origin, x.lower, x.upper) for x in p]).T
        return (*numbers, np.array([x.edge_lower for x in p]), np.array([x.edge_upper for x in p]))

    def energies(self, panel: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Origin, offset and d offset/du, each (n,), at `u` of the panels numbered `panel`."""
        origin, lower, upper, edge_lower, edge_upper = (column[panel] for column in self._table)
        length = upper - lower
        rise = np.where(edge_lower, u**2, u)
        slope = np.where(edge_lower, 2 * u, 1.0)
        fall = np.where(edge_upper, (1 - u) ** 2, 1 - u)
        both = edge_lower & edge_upper
        rise = np.where(both, np.sin(0.5 * np.pi * u) ** 2, rise)
        fall = np.where(both, np.cos(0.5 * np.pi * u) ** 2, fall)
        slope = np.where(edge_upper, 2 * (1 - u), slope)
        slope = np.where(both, 0.5 * np.pi * np.sin(np.pi * u), slope)
        # Measured from the nearer end, so that neither end loses digits.
        from_above = edge_upper & ~edge_lower
        offset = np.where(from_above, upper - length * fall, lower + length * rise)
        return origin, offset, length * slope


def fermi_points(mu: np.ndarray | float, kT: np.ndarray | float) -> np.ndarray:
    """mu + i pi kT, the poles of Fermi functions next to the real axis; at kT = 0 the places of their steps."""
    return np.unique(np.asarray(mu) + 1j * np.pi * np.asarray(kT))


def window_panels(device: StaticDevice, lower: float, upper: float, points: np.ndarray) -> Window:
    """Panels of [lower, upper], cut at the channels' band edges and at `points`, short where resonances are near.

    Complex `points` are poles of the integrand, such as `fermi_points`: panels are short there too.
    A panel is halved as long as a resonance is nearer than `NEAREST` says: none can be overlooked. Around a very narrow
    one, of width gamma, the cuts are at its centre and at distances gamma 4^k first. Empty for lower = upper.

    Raises:
        QuadratureError: For nearly equal levels that combine to a resonance narrower than the numbers resolve.
    """
    if not lower < upper:
        return Window(())
    refuse_unresolved(device, lower, upper)
    edges = device.band_edges
    cuts = np.concatenate([np.linspace(lower, upper, FEWEST + 1), points[points.imag == 0].real, edges])
    cuts = np.unique(cuts[(cuts >= lower) & (cuts <= upper)])
    known = resonances(device, lower, upper)
    groups = _grouped([r for r in known if r[2] < FINE * (upper - lower)], upper - lower)
    panels: list[Panel] = []
    bounds = _cells([origin for origin, _ in groups], lower, upper)
    for (origin, offsets), start, end in zip(groups or [(0.0, np.zeros(0))], bounds[:-1], bounds[1:], strict=True):
        ends = np.concatenate([[start - origin, end - origin], cuts - origin, offsets])
        ends = separate(np.unique(ends[(ends >= start - origin) & (ends <= end - origin)]))
        near = np.array([(level - origin) + offset - 0.5j * width for level, offset, width in known])
        poles = np.concatenate([near, points[points.imag != 0] - origin])
        cells = _graded(np.stack([ends[:-1], ends[1:]], axis=1), poles)
        at_edge = np.any(np.abs(cells[..., None] - (edges - origin)) < 1e-13, axis=-1)
        panels += _panels(origin, cells, np.asarray(at_edge))
    whole = Window(tuple(panels))
    return whole.where(device.is_open) if device.has_matrices else whole


def chain_window(chain: ChainGreen, lower: float, upper: float, points: np.ndarray) -> Window | None:
    """Panels of [lower, upper] as `window_panels`, for a chain at O(N) for each energy; None if one is too narrow.

    The phase of det(E - H - Sigma) falls by pi across a resonance. A cell is cut into four until the phase falls by
    nearly the same in all of them: cells that hold a resonance shrink to its width. Where no channel has any
    broadening the integrand is zero, whatever levels there are.
    """
    if not lower < upper:
        return Window(())
    edges = chain.device.band_edges
    cuts = (points.real[:, None] + points.imag[:, None] / np.pi * THERMAL_CUTS).ravel()
    cuts = np.unique(np.concatenate([np.linspace(lower, upper, START_PANELS + 1), cuts, edges]))
    cuts = separate(cuts[(cuts >= lower) & (cuts <= upper)])
    cells = np.stack([cuts[:-1], cuts[1:]], axis=1)
    done = []
    while len(cells):
        points = np.linspace(cells[:, 0], cells[:, 1], 5, axis=1)
        fall = -np.diff(chain.phase(points.ravel()).reshape(points.shape), axis=1)
        open_channel = chain.device.broadenings(points[:, 2]).max(axis=1, initial=0.0) > 0
        uneven = (np.ptp(fall, axis=1) > UNEVEN_PHASE) & open_channel
        if (cells[uneven, 1] - cells[uneven, 0] < NARROWEST).any():
            return None
        done.append(cells[~uneven])
        inner = points[uneven]
        cells = np.stack([inner[:, :-1].ravel(), inner[:, 1:].ravel()], axis=1)
    ordered = np.concatenate(done)
    ordered = ordered[np.argsort(ordered[:, 0])]
    return Window(tuple(_panels(0.0, ordered, np.isin(ordered, edges))))


def _panels(origin: float, cells: np.ndarray, marked: np.ndarray) -> list[Panel]:
    """Panels from the ends of cells (m, 2), measured from the origin, and whether a band ends there (m, 2)."""
    return [Panel(origin, *cell, *edge) for cell, edge in zip(cells.tolist(), marked.tolist(), strict=True)]


def _graded(cells: np.ndarray, poles: np.ndarray) -> np.ndarray:
    """Cells (m, 2), ascending, halved until no complex pole (r,) is nearer to one than `NEAREST` says."""
    done = [np.zeros((0, 2))]
    while len(cells):
        middle, half = cells.mean(axis=1), 0.5 * (cells[:, 1] - cells[:, 0])
        w = (poles - middle[:, None]) / half[:, None]
        root = np.sqrt(w**2 - 1)
        axes = np.maximum(np.abs(w + root), np.abs(w - root)).min(axis=1, initial=np.inf)
        near = (axes < NEAREST) & (half > ROUND_OFF * np.abs(cells).max(axis=1))
        done.append(cells[~near])
        low, high = cells[near].T
        cells = np.stack([np.concatenate([low, middle[near]]), np.concatenate([middle[near], high])], axis=1)
    ordered = np.concatenate(done)
    return ordered[np.argsort(ordered[:, 0])]


def _grouped(found: list[tuple[float, float, float]], length: float) -> list[tuple[float, np.ndarray]]:
    """Merge resonances of nearly the same origin and lay the geometric cuts around each."""
    groups: list[tuple[float, list[float]]] = []
    for origin, offset, width in found:
        if not groups or origin - groups[-1][0] > 1e-10:
            groups.append((origin, []))
        centre = offset + (origin - groups[-1][0])
        distances = width * 4.0 ** np.arange(0, np.ceil(np.log(length / width) / np.log(4.0)) + 1)
        groups[-1][1].extend([centre, *(centre - distances), *(centre + distances)])
    return [(origin, separate(np.unique(points))) for origin, points in groups]


def _cells(origins: list[float], lower: float, upper: float) -> np.ndarray:
    """Ends of the interval nearest to each origin, len(origins) + 1 (one cell without origins)."""
    middles = [0.5 * (a + b) for a, b in zip(origins[:-1], origins[1:], strict=True)]
    return np.clip(np.array([lower, *middles, upper]), lower, upper)
