"""Remez exchange for tanh(x/2)/2 by sums of 2 R x/(x^2 + eta^2): the numerical engine behind `fermi_poles`.
It solves for a given number of poles; choosing the number, the checks and the public names are in fermi.py.

Each exchange needs the rational function that takes given values at given points. With coefficients of
polynomials, or by Newton's method in eta and R, all digits are lost. Here the poles are moved as in vector
fitting (Gustavsen and Semlyen 1999): with the current poles as basis, y = x^2 and t = eta^2, the condition

    x sum_m a_m/(y + t_m) = g(x) [1 + sum_m beta_m t_m/(y + t_m)]

is linear in a and beta. The new poles are the zeros of the bracket, the eigenvalues of diag(t) + t beta^T up
to sign. A few repetitions bring beta to zero, where round-off no longer matters.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgelsy, dgelsy_lwork

Floats = NDArray[np.float64]

_LEVELLED = 1e-3  # relative spread of the alternating extrema at which the exchange stops
_ROUND_OFF = 1e-14  # absolute spread of the extrema that is mere noise
_STALLED = 0.02  # relative spread accepted where round-off keeps it from shrinking further
_REPETITIONS = 12
_SOFT_EDGES = (1.5, 1.3, 1.8, 1.1, 2.4, 0.6)  # tried in turn for the spread of the first interpolation points
_EXCHANGES = 25
_PER_EXTREMUM = 24  # grid points in the exchange
_PER_EXTREMUM_CERTIFIED = 96
_CUT_OFF = 1e-17


def best_approximation(x_max: float, count: int, fixed: Floats) -> tuple[Floats, Floats, float] | None:
    """Minimax (eta, R, sup|error| on [0, x_max]) with `count` poles; the last of them at `fixed`, if any.

    There are 2 count - len(fixed) unknowns. None if the exchange does not converge to real positive eta.
    """
    unknowns = 2 * count - len(fixed)
    starts = (_start(x_max, count, fixed, edge) for edge in _SOFT_EDGES[: 2 if len(fixed) else None])
    reached = (_levelled(x_max, *start, len(fixed)) for start in starts if start is not None)
    best = next((solution for solution in reached if solution is not None), None)
    return None if best is None else (*best, _certified(x_max, *best, unknowns))


def _levelled(x_max: float, eta: Floats, residues: Floats, n_fixed: int) -> tuple[Floats, Floats] | None:
    """The exchange, until the extrema are equal; None if it stops before."""
    unknowns = 2 * len(eta) - n_fixed
    grid = _points(x_max, np.arange(1, (n := _PER_EXTREMUM * (unknowns + 1)) + 1) / n)
    stalled, least = 0, math.inf
    for _ in range(_EXCHANGES):
        x, e = _alternation(grid, eta, residues, unknowns + 1)
        size = np.abs(e)
        if len(e) <= unknowns:
            break
        spread = float(size.max() - size.min())
        stalled, least = (0, spread) if spread < 0.9 * least else (stalled + 1, least)
        if spread <= _LEVELLED * size.max() + _ROUND_OFF or (stalled > 1 and spread < _STALLED * size.max()):
            return eta, residues
        if stalled > 3:
            break
        moved = _exchange(x, e, eta, residues, n_fixed)
        if moved is None:
            break
        eta, residues = moved
    return _at_round_off(grid, eta, n_fixed)


def _at_round_off(grid: Floats, eta: Floats, n_fixed: int) -> tuple[Floats, Floats] | None:
    """The poles of an exchange lost in noise with residues refitted, if their error is mere noise."""
    residues = _solve(_basis(grid, eta), np.tanh(0.5 * grid) / 2) * eta
    noise = np.abs(residual(grid, eta, residues)).max() < 10 * _ROUND_OFF
    return (eta, residues) if noise and residues[: len(eta) - n_fixed].min() > 0.0 else None


def estimated_count(x_max: float, tolerance: float) -> int:
    """Number of poles from error ~ 1.4 exp(-pi^2/(2 D)), D half the logarithmic pole spacing."""
    spacing = math.pi**2 / (2.0 * math.log(1.4 / tolerance))
    return round(float(_pole_number(x_max, spacing)[1][-1]))


def residual(x: Floats, eta: Floats, residues: Floats) -> Floats:
    """tanh(x/2)/2 minus the approximation, for x (n,)."""
    return np.tanh(0.5 * x) / 2 - _basis(x, eta) @ (residues / eta)


def _basis(x: Floats, eta: Floats) -> Floats:
    """2 x eta/(x^2 + eta^2), (n, M): at most one, so that the coefficients R/eta are of order one."""
    return 2.0 * x[:, None] * eta / (x[:, None] ** 2 + eta**2)


# --- start ---


def _start(x_max: float, count: int, fixed: Floats, edge: float) -> tuple[Floats, Floats] | None:
    """Interpolation of the exact function at points spread like the zeros of the minimax error.

    Without fixed poles it always exists: any interpolant of a Stieltjes function has positive eta and R.
    """
    spacing, eta = _expected_poles(x_max, count - max(len(fixed) - 1, 0))
    if len(fixed):
        eta = np.r_[eta[:-1], fixed]
    unknowns = 2 * count - len(fixed)
    x = _points(x_max, np.arange(1, unknowns + 1) / (unknowns + 0.5), edge / spacing)
    return _interpolate(x, np.tanh(0.5 * x) / 2, eta, len(fixed))


def _points(x_max: float, fraction: Floats, soft: float = 4.5) -> Floats:
    """Points at fractions of the integral of dx/[(x^2 + soft^2)(1 - (x/x_max)^2)]^(1/2) over (0, x_max).

    So the zeros of the error are spread: evenly below `soft`, then evenly in log x, then Chebyshev-like.
    """
    angle, integral = _integral_of_points(soft / x_max)
    return np.asarray(x_max * np.sin(np.interp(fraction * integral[-1], integral, angle)))


@lru_cache(maxsize=16)
def _integral_of_points(ratio: float) -> tuple[Floats, Floats]:
    """arcsin(x/x_max) on a grid, and that integral up to there, for soft/x_max = `ratio`."""
    angle = np.sinh(np.linspace(0.0, math.asinh(1.0 / ratio), 4000)) * ratio * (math.pi / 2)
    angle[-1] = math.pi / 2
    density = 1.0 / np.hypot(np.sin((angle[1:] + angle[:-1]) / 2), ratio)
    return angle, np.append(0.0, np.cumsum(density * np.diff(angle)))


@lru_cache(maxsize=4)
def _pole_grid(x_max: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Grid of eta, its steps and middles, and the cut at x_max there: what does not depend on the spacing."""
    eta = np.sinh(np.linspace(0.0, math.asinh(1e3 * max(x_max, 10.0)), 2000))
    middle = (eta[1:] + eta[:-1]) / 2
    return eta, np.diff(eta), middle, np.hypot(1.0, middle / x_max)


def _pole_number(x_max: float, spacing: float) -> tuple[Floats, Floats]:
    """(eta, number of poles below eta): density 1/(2 pi), then 1/(2 spacing) per log eta, cut at x_max."""
    eta, steps, middle, cut = _pole_grid(x_max)
    density = 1.0 / (2.0 * np.hypot(math.pi, spacing * middle) * cut)
    return eta, np.append(0.0, np.cumsum(density * steps))


@lru_cache(maxsize=64)
def _expected_poles(x_max: float, count: int) -> tuple[float, Floats]:
    """Half the logarithmic pole spacing at which `count` poles fit in, and their places (not to be written to)."""
    low, high = 1e-3, 1e3
    if _pole_number(x_max, low)[1][-1] < count:
        return low, math.pi * np.arange(1, 2 * count, 2, dtype=np.float64)
    for _ in range(30):
        spacing = math.sqrt(low * high)
        eta, number = _pole_number(x_max, spacing)
        low, high = (spacing, high) if number[-1] > count else (low, spacing)
    return spacing, np.interp(np.arange(count) + 0.5, number, eta)


# --- interpolation by moving poles ---


def _interpolate(x: Floats, values: Floats, eta: Floats, n_fixed: int) -> tuple[Floats, Floats] | None:
    """(eta, R) with sum_m R_m 2x/(x^2 + eta_m^2) = values at the points x; the last n_fixed eta stay."""
    free = len(eta) - n_fixed
    for _ in range(_REPETITIONS):
        basis = _basis(x, eta)
        bracket = eta[:free] ** 2 / (x[:, None] ** 2 + eta[:free] ** 2)
        unknown = _solve(np.hstack([basis, -values[:, None] * bracket]), values)
        beta = unknown[len(eta) :]
        moved = _moved_poles(eta[:free], beta)
        if moved is None:
            return None
        eta = np.concatenate([moved, eta[free:]])
        if free == 0 or np.abs(beta).max() < 1e-6:
            break
    return eta, _solve(_basis(x, eta), values) * eta


def _solve(matrix: Floats, values: Floats) -> Floats:
    """Least squares by pivoted QR; the tiny cut-off keeps every direction that round-off leaves. Of tens of thousands
    of small ones `scipy.linalg.lstsq` takes half the time to call this."""
    rows, columns = matrix.shape
    pivots = np.zeros((columns, 1), dtype=np.int32)
    return np.asarray(dgelsy(matrix, values, pivots, _CUT_OFF, _work(rows, columns))[1][:columns])


@lru_cache(maxsize=256)
def _work(rows: int, columns: int) -> int:
    """Size of LAPACK's workspace."""
    return int(dgelsy_lwork(rows, columns, 1, _CUT_OFF)[0])


def _moved_poles(eta: Floats, beta: Floats) -> Floats | None:
    """Zeros of 1 + sum beta t/(y + t) as eta = sqrt(-y); None if any is complex or positive."""
    if len(eta) == 0:
        return eta
    if np.abs(beta).max() < 1e-6:
        return eta * np.sqrt(1.0 + beta)
    # Graded from large to small, so that the QR iteration keeps the relative accuracy of the small ones.
    root, beta = eta[::-1], beta[::-1]
    y = np.linalg.eigvals(np.diag(root**2) + np.outer(root, root * beta))
    if np.abs(y.imag).max() > 0.0 or y.real.min() <= 0.0:
        return None
    return np.sqrt(np.sort(y.real))


# --- exchange ---


def _exchange(
    x: Floats, e: Floats, eta: Floats, residues: Floats, n_fixed: int
) -> tuple[Floats, Floats] | None:
    """The function whose error at the alternation points is the level; part of the way if that is too far."""
    sign = np.sign(e)
    level = _level(x, e, eta, residues, n_fixed)
    exact = np.tanh(0.5 * x) / 2
    step = 1.0
    for _ in range(7):
        target = sign * (step * level + (1.0 - step) * np.abs(e))
        moved = _interpolate(x, exact - target, eta, n_fixed)
        if moved is not None and np.array_equal(np.sign(residual(x, *moved)), sign):
            return moved
        step *= 0.5
    return None


def _level(x: Floats, e: Floats, eta: Floats, residues: Floats, n_fixed: int) -> float:
    """The common size of the error to first order in log R and log eta."""
    term = _basis(x, eta) * (residues / eta)
    by_eta = 2.0 * term * eta**2 / (x[:, None] ** 2 + eta**2)
    free = len(eta) - n_fixed
    return float(_solve(np.hstack([-_basis(x, eta), by_eta[:, :free], -np.sign(e)[:, None]]), -e)[-1])


def _alternation(grid: Floats, eta: Floats, residues: Floats, needed: int) -> tuple[Floats, Floats]:
    """Extrema (x, error) of alternating sign, refined by parabolas; surplus small ones are dropped."""
    e = residual(grid, eta, residues)
    negative = np.signbit(e)
    bounds = np.r_[0, np.flatnonzero(negative[1:] != negative[:-1]) + 1, len(e)]
    runs = zip(bounds[:-1], bounds[1:], strict=True)
    peak = np.array([i + int(np.argmax(np.abs(e[i:j]))) for i, j in runs])
    x, e = _refined(grid, e, peak, eta, residues)
    while len(x) > needed:
        size = np.abs(e)
        if len(x) == needed + 1:
            drop = [0 if size[0] < size[-1] else len(x) - 1]
        else:
            first = int(np.argmin(np.maximum(size[:-1], size[1:])))
            drop = [first, first + 1]
        x, e = np.delete(x, drop), np.delete(e, drop)
    return x, e


def _refined(
    grid: Floats, e: Floats, peak: NDArray[np.intp], eta: Floats, residues: Floats
) -> tuple[Floats, Floats]:
    """Vertices of parabolas through each peak and its neighbours, where they improve on the grid point."""
    x, size = grid[peak].copy(), e[peak].copy()
    inside = (peak > 0) & (peak < len(grid) - 1)
    i = peak[inside]
    left, right = grid[i] - grid[i - 1], grid[i] - grid[i + 1]
    rise_left, rise_right = e[i] - e[i - 1], e[i] - e[i + 1]
    slope = left * rise_right - right * rise_left
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = grid[i] - 0.5 * (left**2 * rise_right - right**2 * rise_left) / slope
    x[inside] = np.where((vertex > grid[i - 1]) & (vertex < grid[i + 1]), vertex, grid[i])
    refined = residual(x, eta, residues)
    better = np.abs(refined) >= np.abs(size)
    return np.where(better, x, grid[peak]), np.where(better, refined, size)


def _certified(x_max: float, eta: Floats, residues: Floats, unknowns: int) -> float:
    """sup |error| on [0, x_max]: refined extrema on a dense grid, plus a margin for parabolas and round-off.

    One grid follows the oscillations with about a hundred points to a half wave, another is linear at the
    lower end. Ten points to a half wave would be enough to find its maximum to 1e-3, the margin.
    """
    n = _PER_EXTREMUM_CERTIFIED * (unknowns + 1)
    low = np.linspace(0.0, min(x_max, 20.0), 1000)[1:]
    grid = np.union1d(_points(x_max, np.arange(1, n + 1) / n), low)
    e = residual(grid, eta, residues)
    size = np.abs(e)
    peak = np.flatnonzero((size >= np.r_[0.0, size[:-1]]) & (size >= np.r_[size[1:], 0.0]))
    _, extrema = _refined(grid, e, peak, eta, residues)
    round_off = 4.0 * np.finfo(float).eps * (1.0 + float(np.abs(residues / eta).sum()))
    return float(np.abs(extrema).max() * (1.0 + 1e-3) + round_off)
