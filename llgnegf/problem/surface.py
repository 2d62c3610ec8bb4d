"""The surface function g(E) = [E - h_0 - V g V^dag]^-1 of a semi-infinite crystal by decimation, on the real axis too.

The numerics of `periodic`.
"""

from __future__ import annotations

import numpy as np

NODES = 5
"""Heights above an energy from which g is continued down to it."""
CLOSEST = 1e-11
"""Distance to a singular point, in units of the width of the spectrum, below which nothing is resolved."""
CHUNK = 2**19
"""Complex numbers in one array, about."""
MOST_COUPLED = 16
"""Largest rank of V for which Newton's method is worth its r^6 operations."""


def decimate(cell: np.ndarray, hopping: np.ndarray, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """g(E), dg/dE and the bulk function [E - h_0 - V g V^dag - V^dag g' V]^-1 (g' of the other end), Im E > 0.

    M. P. Lopez Sancho, J. M. Lopez Sancho, J. Rubio, J. Phys. F 15, 851 (1985): every step takes out each second
    cell, so that 2^n cells are gone after n steps. The derivative goes along by the chain rule. energy (n,); (n, m, m).
    """
    one = np.eye(len(cell), dtype=complex)
    z = energy[:, None, None] * one
    bulk = np.broadcast_to(cell, z.shape).astype(complex)
    surface, out = bulk.copy(), np.broadcast_to(hopping, z.shape).astype(complex)
    back = out.conj().swapaxes(1, 2)
    d_bulk, d_surface, d_out, d_back = (np.zeros_like(z) for _ in range(4))
    small = 1e-28 * np.abs(hopping).max() ** 2
    for _ in range(60):
        g = _inverse(z - bulk)
        dg = -g @ (one - d_bulk) @ g
        out_g, back_g = out @ g, back @ g
        d_out_g, d_back_g = d_out @ g + out @ dg, d_back @ g + back @ dg
        gone, d_gone = out_g @ back, d_out_g @ back + out_g @ d_back
        surface, d_surface = surface + gone, d_surface + d_gone
        bulk, d_bulk = bulk + gone + back_g @ out, d_bulk + d_gone + d_back_g @ out + back_g @ d_out
        d_out, d_back = d_out_g @ out + out_g @ d_out, d_back_g @ back + back_g @ d_back
        out, back = out_g @ out, back_g @ back
        if np.abs(out).max(initial=0.0) * np.abs(back).max(initial=0.0) < small:
            break
    g = _inverse(z - surface)
    return g, -g @ (one - d_surface) @ g, _inverse(z - bulk)


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """The inverses; what hits a level of a finite piece of crystal exactly is moved up by rounding."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        up = 4e-15j * np.abs(matrices).max(axis=(1, 2), keepdims=True)
        return np.linalg.inv(matrices + up * np.eye(matrices.shape[-1]))


def surface_function(
    cell: np.ndarray, hopping: np.ndarray, energy: np.ndarray, points: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """g(E) and dg/dE for Im E >= 0, (n,) -> (n, m, m); `points` are where g is singular, `scale` the width.

    Decimation needs an imaginary part. g is analytic around every real E but the singular points, seen from above:
    its values at E + i eta 2^-j are continued to E by a polynomial in eta (Richardson), whose error falls like
    2^(-j^2/2) (eta/distance)^j; Newton's method does the rest. Singularities below the axis, of narrow resonances, are
    not known beforehand: where the equation that g solves is not fulfilled, eta is made smaller.
    """
    left, size, right = np.linalg.svd(hopping)
    rank = int(np.sum(size > 1e-14 * size[0]))
    factors = (left[:, :rank] * size[:rank], right[:rank].conj().T)
    m = len(cell)
    g, dg = np.empty((2, energy.size, m, m), dtype=complex)
    step = max(1, CHUNK // max(NODES * m * m, rank**4))
    for first in range(0, energy.size, step):
        part = slice(first, first + step)
        g[part], dg[part] = _chunk(cell, hopping, energy[part], points, scale, factors)
    return g, dg


Factors = tuple[np.ndarray, np.ndarray]
"""X and Y, (m, r) each, with V = X Y^dag."""


def _chunk(
    cell: np.ndarray, hopping: np.ndarray, energy: np.ndarray, points: np.ndarray, scale: float, factors: Factors
) -> tuple[np.ndarray, np.ndarray]:
    high = energy.imag > 0.1 * scale
    distance = np.abs(energy[:, None] - points).min(axis=1, initial=scale)
    eta = 0.1 * np.maximum(distance, CLOSEST * scale)
    g, dg = np.empty((2, energy.size, *cell.shape), dtype=complex)
    g[high], dg[high], _ = decimate(cell, hopping, energy[high])
    worst = np.full(energy.size, np.inf)
    open_ = np.flatnonzero(~high)
    for _ in range(4):
        new, d_new = _continued(cell, hopping, energy[open_], eta[open_])
        new, d_new, rest = _refined(cell, hopping, energy[open_], new, d_new, factors)
        better = rest < worst[open_]
        chosen = open_[better]
        g[chosen], dg[chosen], worst[chosen] = new[better], d_new[better], rest[better]
        open_ = open_[worst[open_] > 1e-12]
        eta[open_] *= 0.125
        if not open_.size:
            break
    return g, dg


def _refined(
    cell: np.ndarray, hopping: np.ndarray, energy: np.ndarray, g: np.ndarray, dg: np.ndarray, factors: Factors
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """g and dg/dE after two of Newton's steps where these help, and the residual.

    A change d of g solves d = rest + g V d V^dag g. It is singular where bands of opposite velocity cross; then g
    stays as it is.
    """
    rest = residual(cell, hopping, energy, g)
    if factors[0].shape[1] > MOST_COUPLED:
        return g, dg, rest
    one = np.eye(len(cell))
    for _ in range(2):
        once = np.linalg.inv(energy[:, None, None] * one - cell - hopping @ g @ hopping.conj().T)
        change = _stein(once, (once - g)[None], factors)[0]
        new = residual(cell, hopping, energy, g + change)
        better = (new < rest)[:, None, None]
        g, rest = np.where(better, g + change, g), np.minimum(new, rest)
    slope = _stein(g, -(g @ g)[None], factors)[0]
    size = np.abs(dg).max(axis=(1, 2))
    same = np.abs(slope - dg).max(axis=(1, 2)) < 1e-3 * size
    return g, np.where(same[:, None, None], slope, dg), rest


def _stein(g: np.ndarray, right: np.ndarray, factors: Factors) -> np.ndarray:
    """d with d = right + g V d V^dag g, for right sides (k, n, m, m), by way of Y^dag d Y; 0 where that is singular."""
    x, y = factors
    rank = x.shape[1]
    out, back = y.conj().T @ g @ x, x.conj().T @ g @ y
    kron = np.einsum("nab,ncd->nadbc", out, back).reshape(-1, rank**2, rank**2)
    small = (y.conj().T @ right @ y).reshape(*right.shape[:2], rank**2)
    try:
        inner = np.linalg.solve(np.eye(rank**2) - kron, np.moveaxis(small, 0, -1))
    except np.linalg.LinAlgError:
        return np.zeros_like(right)
    inner = np.moveaxis(inner, -1, 0).reshape(*right.shape[:2], rank, rank)
    return right + g @ x @ inner @ x.conj().T @ g


def residual(cell: np.ndarray, hopping: np.ndarray, energy: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Largest element of |(E - h_0 - V g V^dag) g - 1|, (n,)."""
    one = np.eye(len(cell))
    inverse = energy[:, None, None] * one - cell - hopping @ g @ hopping.conj().T
    return np.abs(inverse @ g - one).max(axis=(1, 2))


def _continued(
    cell: np.ndarray, hopping: np.ndarray, energy: np.ndarray, eta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """g and dg/dE at E from those at E + i eta 2^-j."""
    heights = 2.0 ** -np.arange(NODES)
    between = heights[:, None] - heights
    np.fill_diagonal(between, 1.0)
    quotients = heights / -between  # Lagrange polynomials at 0: prod_l x_l/(x_l - x_j)
    np.fill_diagonal(quotients, 1.0)
    weights = quotients.prod(axis=1)
    at = (energy[:, None] + 1j * eta[:, None] * heights).ravel()
    g, dg, _ = decimate(cell, hopping, at)
    shape = (energy.size, NODES, *cell.shape)
    return np.einsum("j,njab->nab", weights, g.reshape(shape)), np.einsum("j,njab->nab", weights, dg.reshape(shape))
