"""Panels of the real axis for the window integrals of `steady_state`: steps, band edges and narrow resonances.

Each panel has an origin: energies are origin + offset, so that a resonance narrower than round-off is resolved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import newton

from llgnegf.static.contour import THERMAL_CUTS
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import Integral, QuadratureError, Sampled, integrate
from llgnegf.static.recursion import ChainGreen
from llgnegf.static.weights import antihermitian, diagonal, expectation, times, weighted

CLOSEST = 40
"""Levels of which resonances are sought, at least."""
DISPLACED, SETTLING = 10, 12
"""Distance from the nearest level, over the width, beyond which a resonance is sought, in so many steps."""
FINE = 1e-3
"""Resonances narrower than this part of the window have energies measured from their own level."""
NEAREST = 2.0
"""Least sum of the half axes, over half of the panel's length, of the ellipse about a panel (its ends the foci) through
a resonance: the rules converge as its powers, so that a panel shows that there is one and bisection does the rest."""
RESOLVED = 1e-10
"""Part of the terms that cancel in the width of a resonance down to which the width is a number."""
BESIDE = 1e-6
"""eV, see `_self_energies`."""
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
    _refuse_unresolved(device, lower, upper)
    edges = device.band_edges
    cuts = np.concatenate([np.linspace(lower, upper, FEWEST + 1), points[points.imag == 0].real, edges])
    cuts = np.unique(cuts[(cuts >= lower) & (cuts <= upper)])
    resonances = _resonances(device, lower, upper)
    groups = _grouped([r for r in resonances if r[2] < FINE * (upper - lower)], upper - lower)
    panels: list[Panel] = []
    bounds = _cells([origin for origin, _ in groups], lower, upper)
    for (origin, offsets), start, end in zip(groups or [(0.0, np.zeros(0))], bounds[:-1], bounds[1:], strict=True):
        ends = np.concatenate([[start - origin, end - origin], cuts - origin, offsets])
        ends = _separate(np.unique(ends[(ends >= start - origin) & (ends <= end - origin)]))
        near = np.array([(level - origin) + offset - 0.5j * width for level, offset, width in resonances])
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
    cuts = _separate(cuts[(cuts >= lower) & (cuts <= upper)])
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


def _resonances(device: StaticDevice, lower: float, upper: float) -> list[tuple[float, float, float]]:
    """Resonances near the window that are narrow against it: a level, the centre measured from it, the width; sorted.

    Of weakly coupled levels in first order, centre eps + Re <n|Sigma|n>, width <n|Gamma|n>; of all from the
    self-energies between any two band edges. These are hints, the quadrature does the rest.
    """
    energies, states = device.levels
    length = upper - lower
    found: list[tuple[float, float, float]] = []
    sigma, amplitudes = _self_energies(device, energies), states.conj().T @ device.vectors
    shifts = expectation(amplitudes, sigma)
    strengths = expectation(np.abs(amplitudes).astype(complex), np.abs(sigma)).real
    near = (energies + shifts.real >= lower - length) & (energies + shifts.real <= upper + length)
    for n in np.flatnonzero(near & (strengths < FINE * length) & (shifts.imag < 0)):
        found.append((float(energies[n]), float(shifts[n].real), float(-2 * shifts[n].imag)))
    edges = device.band_edges
    ends = _separate(np.concatenate([[lower], edges[(edges > lower) & (edges < upper)], [upper]]))
    values = [v for a, b in zip(ends[:-1], ends[1:], strict=True) for v in _eigenvalues(device, 0.5 * (a + b), b - a)]
    # Far from its level, the centre of a narrow one must be known to its width, where E is in Sigma what it is outside.
    values += [_settled(device, v) for v in values if v.imag > -0.5 * FINE * length and _is_displaced(v, energies)]
    for value in values:
        width = -2 * value.imag
        if 1e-11 < width < length:
            origin = float(energies[np.argmin(np.abs(energies - value.real))])
            found.append((origin, float(value.real - origin), float(width)))
    return sorted(found)


def _eigenvalues(device: StaticDevice, energy: float, reach: float) -> np.ndarray:
    """Complex eigenvalues within `reach` of a real E of H + Sigma(E): of the levels nearby, the others eliminated,
    which turns Sigma into (1 - Sigma u^dag D u)^-1 Sigma, D = 1/(E - eps) of the others."""
    distances, u = energy - device.levels[0], device.level_vectors
    nearest = np.sort(np.abs(distances))[min(CLOSEST, distances.size) - 1]
    close = np.abs(distances) <= max(2 * reach, float(nearest))
    far, sigma = u[~close], _self_energies(device, np.array([energy]))
    inner = np.eye(u.shape[1]) - times(sigma, far.conj().T @ (far / distances[~close, None]))
    effective = np.linalg.solve(inner[0], times(sigma, u[close].conj().T)[0])
    values = np.linalg.eigvals(np.diag(device.levels[0][close]) + u[close] @ effective)
    return values[np.abs(values.real - energy) <= reach]


def _is_displaced(value: complex, levels: np.ndarray) -> bool:
    """Whether a resonance, of a width that is more than round-off, is farther from every level than that by much."""
    return bool(np.abs(levels - value.real).min() > DISPLACED * abs(value.imag) > 1e-11)


def _settled(device: StaticDevice, value: complex) -> complex:
    """The resonance at E = Re of an eigenvalue of H + Sigma(E), sought from `value` on."""

    def nearest(energy: float) -> complex:
        values = _eigenvalues(device, energy, np.inf)
        return complex(values[np.argmin(np.abs(values - value))])

    tolerance = 0.1 * abs(value.imag)
    found = newton(lambda e: nearest(e).real - e, value.real, tol=tolerance, maxiter=SETTLING, disp=False)
    return nearest(float(found))


def _refuse_unresolved(device: StaticDevice, lower: float, upper: float) -> None:
    """Refuse combinations of nearly equal levels whose couplings cancel: a width d^2/Gamma for levels d apart.

    E - H - Sigma holds d beside Gamma: of the width, round-off leaves nothing. (Levels that are equal to round-off have
    combinations without any coupling, which `StaticDevice.levels` sets apart.)
    """
    reached = device.level_vectors.any(axis=1)
    energies, vectors = device.levels[0][reached], device.level_vectors[reached]
    inside = (energies >= lower) & (energies <= upper)
    if device.has_matrices:  # where Im Sigma outside the bands is round-off
        inside &= device.is_open(energies)
    energies, vectors = energies[inside], vectors[inside]
    sizes = expectation(np.abs(vectors).astype(complex), np.abs(_self_energies(device, energies))).real
    near = 10 * np.sqrt(RESOLVED) * float(sizes.max(initial=0.0))
    starts = np.flatnonzero(np.diff(energies, prepend=-np.inf) > near)
    for group in np.split(np.arange(energies.size), starts)[1:]:
        level, u = energies[group].mean(keepdims=True), vectors[group]
        sigma = _self_energies(device, level)
        values, states = np.linalg.eig(np.diag(energies[group] - level) + (weighted(u, sigma) @ u.conj().T)[0])
        widths = _all_expectations(states.conj().T @ u, antihermitian(sigma))
        # Of channels that are open there: outside every band nothing has a width that could be lost.
        open_ = diagonal(antihermitian(sigma))[0] > 0
        cancelled = _all_expectations(np.abs(states).T @ np.abs(u) * open_, np.abs(sigma))
        if group.size > 1 and (widths < RESOLVED * cancelled).any():
            raise QuadratureError(
                f"levels at {level[0]:.6g} eV, {np.ptp(energies[group]):.2g} eV apart, combine to a resonance of width "
                f"{widths.min():.2g} eV, too narrow to be resolved where the leads are filled differently; allowed: "
                f"levels that are equal (a dark state, filled with the leads' mean chemical potential) or further apart"
            )


def _self_energies(device: StaticDevice, energies: np.ndarray) -> np.ndarray:
    """Sigma at real energies, next to a level of a lead's end, where it is infinite, at `BESIDE` above the axis."""
    levels = device.surface_levels
    beside = (np.abs(energies[:, None] - levels) < BESIDE).any(axis=1)
    return device.self_energies(energies + 1j * np.where(beside, BESIDE, 0.0))


def _all_expectations(amplitudes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """<k|u W u^dag|k> of states k with amplitudes <k|u_a> (k, Q), for the weights of a single energy."""
    return expectation(amplitudes, np.broadcast_to(weights, (len(amplitudes), *weights.shape[1:]))).real


def _grouped(found: list[tuple[float, float, float]], length: float) -> list[tuple[float, np.ndarray]]:
    """Merge resonances of nearly the same origin and lay the geometric cuts around each."""
    groups: list[tuple[float, list[float]]] = []
    for origin, offset, width in found:
        if not groups or origin - groups[-1][0] > 1e-10:
            groups.append((origin, []))
        centre = offset + (origin - groups[-1][0])
        distances = width * 4.0 ** np.arange(0, np.ceil(np.log(length / width) / np.log(4.0)) + 1)
        groups[-1][1].extend([centre, *(centre - distances), *(centre + distances)])
    return [(origin, _separate(np.unique(points))) for origin, points in groups]


def _cells(origins: list[float], lower: float, upper: float) -> np.ndarray:
    """Ends of the interval nearest to each origin, len(origins) + 1 (one cell without origins)."""
    middles = [0.5 * (a + b) for a, b in zip(origins[:-1], origins[1:], strict=True)]
    return np.clip(np.array([lower, *middles, upper]), lower, upper)


def _separate(points: np.ndarray) -> np.ndarray:
    """Sorted points without those equal to the one before up to round-off; the last one stays."""
    if points.size < 2:
        return points
    keep = np.concatenate([[True], np.diff(points) > 8 * np.finfo(float).eps * np.abs(points[:-1])])
    keep[-1] = True
    return points[keep]
