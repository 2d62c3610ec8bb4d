"""The surface function g(E) = [E - h_0 - V g V^dag]^-1 of a semi-infinite crystal by decimation, on the real axis too.

The numerics of `periodic`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NODES = 6
"""Heights above an energy from which g is continued down to it."""
CLOSEST = 1e-8
"""Distance to a singular point, in units of the width of the spectrum, below which nothing is resolved."""
HIGH = 5e-5
"""Im E, in units of the same width, above which decimation alone is as good: its rounding grows as 1e-16/HIGH."""
CHUNK = 2**19
"""Complex numbers in one array, about."""
MOST_COUPLED = 8
"""Largest rank of V for which Newton's method is worth its r^6 operations."""
SINGULAR = 1e-6
"""Singular value below which the equation of dg/dE does not say more than a continuation, g being known to 1e-13."""


def decimate(
    cell: np.ndarray, hopping: np.ndarray, energy: np.ndarray, derivative: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """g(E) and dg/dE or, without `derivative`, g(E) and the function of a cell of the crystal that goes on both ways.

    The latter is [E - h_0 - V g V^dag - V^dag g' V]^-1 with g' of the other end. Im E > 0; energy (n,) -> (n, m, m).
    M. P. Lopez Sancho, J. M. Lopez Sancho, J. Rubio, J. Phys. F 15, 851 (1985): every step takes out each second
    cell, so that 2^n cells are gone after n steps. The derivative goes along by the chain rule.
    """
    one = np.eye(len(cell), dtype=complex)
    z = energy[:, None, None] * one
    ends = [np.broadcast_to(cell, z.shape).astype(complex) for _ in range(2)] + [np.zeros_like(z)]
    bulk, surface, d_surface = ends
    out = np.broadcast_to(hopping, z.shape).astype(complex)
    back, d_bulk = out.conj().swapaxes(1, 2), np.zeros_like(z)
    d_out, d_back = np.zeros_like(z), np.zeros_like(z)
    results, at, where = [one.copy() for one in ends], z, np.arange(energy.size)
    start = np.abs(hopping).max()
    for _ in range(60):
        g = _inverse(at - bulk)
        out_g, back_g = out @ g, back @ g
        gone = out_g @ back
        if derivative:
            dg = -g @ (one - d_bulk) @ g
            d_out_g, d_back_g = d_out @ g + out @ dg, d_back @ g + back @ dg
            d_gone = d_out_g @ back + out_g @ d_back
            d_surface, d_bulk = d_surface + d_gone, d_bulk + d_gone + d_back_g @ out + back_g @ d_out
            d_out, d_back = d_out_g @ out + out_g @ d_out, d_back_g @ back + back_g @ d_back
        surface, bulk = surface + gone, bulk + gone + back_g @ out
        out, back = out_g @ out, back_g @ back
        sizes = np.abs(out).max(axis=(1, 2)), np.abs(back).max(axis=(1, 2))
        # What has gone, and what rounding makes grow: so close to the axis nothing more is to be had.
        done = (np.minimum(*sizes) <= 1e-14 * start) | (np.maximum(*sizes) > 1e14 * start)
        for result, value in zip(results, (bulk, surface, d_surface), strict=True):
            result[where] = value
        if done.all():
            break
        if done.any():
            keep = ~done
            where, at = where[keep], at[keep]
            bulk, surface, d_surface, d_bulk = bulk[keep], surface[keep], d_surface[keep], d_bulk[keep]
            out, back, d_out, d_back = out[keep], back[keep], d_out[keep], d_back[keep]
    bulk, surface, d_surface = results
    g = _inverse(z - surface)
    return g, -g @ (one - d_surface) @ g if derivative else _inverse(z - bulk)


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """The inverses; what hits a level of a finite piece of crystal exactly is moved up by rounding."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        up = 4e-15j * np.abs(matrices).max(axis=(1, 2), keepdims=True)
        return np.linalg.inv(matrices + up * np.eye(matrices.shape[-1]))


def surface_function(
    cell: np.ndarray, hopping: np.ndarray, energy: np.ndarray, points: np.ndarray, scale: float, derivative: bool
) -> np.ndarray:
    """g(E), or its `derivative`, for Im E >= 0, (n,) -> (n, m, m); `points` are where g is singular, `scale` the width.

    Decimation needs an imaginary part. g is analytic around every real E but the singular points, seen from above:
    its values at E + i eta 2^-j are continued to E by a polynomial in eta (Richardson), whose error falls like
    2^(-j^2/2) (eta/distance)^j; Newton's method does the rest. Singularities below the axis, of narrow resonances, are
    not known beforehand: where the equation that g solves is not fulfilled, eta is made smaller.
    """
    left, size, right = np.linalg.svd(hopping)
    rank = int(np.sum(size > 1e-14 * size[0]))
    factors = (left[:, :rank] * size[:rank], right[:rank].conj().T)
    m = len(cell)
    energy = apart(energy, points, scale)
    if rank == 0:
        g = _inverse(energy[:, None, None] * np.eye(m) - cell)
        return -g @ g if derivative else g
    result = np.empty((energy.size, m, m), dtype=complex)
    step = max(1, CHUNK // max(NODES * m * m, rank**4))
    for first in range(0, energy.size, step):
        part = slice(first, first + step)
        result[part] = _chunk(_Problem(cell, hopping, factors, derivative), energy[part], points, scale)
    return result


def apart(energy: np.ndarray, points: np.ndarray, scale: float) -> np.ndarray:
    """Energies at least CLOSEST `scale` from all points: what is nearer is moved away along the real axis."""
    if not points.size:
        return energy
    closest = CLOSEST * scale
    nearest = points[np.abs(energy[:, None] - points).argmin(axis=1)]
    side = np.where(energy.real < nearest, -1.0, 1.0)
    return np.where(np.abs(energy - nearest) < closest, nearest + side * closest + 1j * energy.imag, energy)


class _Problem(NamedTuple):
    """`factors` are X and Y, (m, r) each, with V = X Y^dag; `derivative`: whether dg/dE is asked for."""

    cell: np.ndarray
    hopping: np.ndarray
    factors: tuple[np.ndarray, np.ndarray]
    derivative: bool


def _chunk(problem: _Problem, energy: np.ndarray, points: np.ndarray, scale: float) -> np.ndarray:
    high = energy.imag > HIGH * scale
    distance = np.abs(energy[:, None] - points).min(axis=1, initial=scale)
    eta = 0.1 * np.maximum(distance, CLOSEST * scale)
    g, dg = np.empty((2, energy.size, *problem.cell.shape), dtype=complex)
    g[high], dg[high] = decimate(problem.cell, problem.hopping, energy[high], problem.derivative)
    worst = np.full(energy.size, np.inf)
    open_ = np.flatnonzero(~high)
    for _ in range(4):
        new, d_new, rest = _refined(problem, energy[open_], *_continued(problem, energy[open_], eta[open_]))
        better = rest < worst[open_]
        chosen = open_[better]
        g[chosen], dg[chosen], worst[chosen] = new[better], d_new[better], rest[better]
        open_ = open_[worst[open_] > 1e-11]
        eta[open_] *= 0.125
        if not open_.size:
            break
    return dg if problem.derivative else g


def _refined(
    problem: _Problem, energy: np.ndarray, g: np.ndarray, dg: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """g and dg/dE after up to two of Newton's steps where these help, and the residual.

    A change d of g solves d = rest + g V d V^dag g. It is singular where bands of opposite velocity cross; then g
    stays as it is.
    """
    cell, hopping, factors, derivative = problem
    rest = residual(cell, hopping, energy, g)
    if factors[0].shape[1] > MOST_COUPLED:
        return g, dg, rest
    for _ in range(2):
        rough = np.flatnonzero(rest > 1e-13)
        once = _inverse(energy[rough, None, None] * np.eye(len(cell)) - cell - hopping @ g[rough] @ hopping.conj().T)
        moved = g[rough] + _stein(once, once - g[rough], factors)
        new = residual(cell, hopping, energy[rough], moved)
        better = new < rest[rough]
        g[rough[better]], rest[rough[better]] = moved[better], new[better]
    if not derivative:
        return g, dg, rest
    slope = _stein(g, -(g @ g), factors)
    unlike = np.flatnonzero(np.abs(slope - dg).max(axis=(1, 2)) >= 1e-3 * np.abs(dg).max(axis=(1, 2)))
    singular = unlike[np.linalg.svd(_stein_matrix(g[unlike], factors), compute_uv=False)[:, -1] < SINGULAR]
    slope[singular] = dg[singular]
    return g, slope, rest


def _stein(g: np.ndarray, right: np.ndarray, factors: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """d with d = right + g V d V^dag g, (n, m, m), by way of Y^dag d Y; 0 where that is singular."""
    x, y = factors
    rank = x.shape[1]
    small = (y.conj().T @ right @ y).reshape(-1, rank**2, 1)
    try:
        inner = np.linalg.solve(_stein_matrix(g, factors), small).reshape(-1, rank, rank)
    except np.linalg.LinAlgError:
        return np.zeros_like(right)
    return right + g @ x @ inner @ x.conj().T @ g


def _stein_matrix(g: np.ndarray, factors: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """What is to be solved for Y^dag d Y, (n, r^2, r^2)."""
    x, y = factors
    out, back = y.conj().T @ g @ x, x.conj().T @ g @ y
    kron = np.einsum("nab,ncd->nadbc", out, back).reshape(-1, x.shape[1] ** 2, x.shape[1] ** 2)
    return np.asarray(np.eye(x.shape[1] ** 2) - kron)


def residual(cell: np.ndarray, hopping: np.ndarray, energy: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Largest element of |(E - h_0 - V g V^dag) g - 1|, (n,)."""
    one = np.eye(len(cell))
    inverse = energy[:, None, None] * one - cell - hopping @ g @ hopping.conj().T
    return np.abs(inverse @ g - one).max(axis=(1, 2))


def _continued(problem: _Problem, energy: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """g and dg/dE at E from those at E + i eta 2^-j; dg/dE only where it is asked for."""
    heights = 2.0 ** -np.arange(NODES)
    between = heights[:, None] - heights
    np.fill_diagonal(between, 1.0)
    quotients = heights / -between  # Lagrange polynomials at 0: prod_l x_l/(x_l - x_j)
    np.fill_diagonal(quotients, 1.0)
    weights = quotients.prod(axis=1)
    at = (energy[:, None] + 1j * eta[:, None] * heights).ravel()
    both = decimate(problem.cell, problem.hopping, at, problem.derivative)
    shape = (energy.size, NODES, *problem.cell.shape)
    g, dg = (np.einsum("j,njab->nab", weights, one.reshape(shape)) for one in both)
    return g, dg
