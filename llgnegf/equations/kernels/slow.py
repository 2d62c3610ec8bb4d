"""Compiled pieces of the equation of motion of slow moments, for B configurations at once.

Works on plain arrays; `adiabatic` makes them and derives the equation.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import kernel


@kernel()
def place_on_spheres(moments):
    """Moments (B, N, 3) divided by their lengths."""
    out = np.empty_like(moments)
    for b in range(moments.shape[0]):
        for i in range(moments.shape[1]):
            x, y, z = moments[b, i, 0], moments[b, i, 1], moments[b, i, 2]
            length = np.sqrt(x * x + y * y + z * z)
            out[b, i, 0], out[b, i, 1], out[b, i, 2] = x / length, y / length, z / length
    return out


@kernel()
def energy_fields(m, A_data, A_indices, A_indptr, linear, cubic_constants, cubic_axes):
    """-dH/dM (eV), (B, N, 3), of H = M.A.M/2 - linear.M + cubic anisotropies; arguments as for `llg_kernel`."""
    out = np.empty_like(m)
    for b in range(m.shape[0]):
        flat, field = m[b].reshape(-1), out[b].reshape(-1)
        for row in range(flat.size):
            total = linear[row // 3, row % 3]
            for k in range(A_indptr[row], A_indptr[row + 1]):
                total -= A_data[k] * flat[A_indices[k]]
            field[row] = total
        for c in range(cubic_constants.shape[0]):
            axes = cubic_axes[c]
            for i in range(m.shape[1]):
                u, v, w = 0.0, 0.0, 0.0
                for a in range(3):
                    u += axes[0, a] * m[b, i, a]
                    v += axes[1, a] * m[b, i, a]
                    w += axes[2, a] * m[b, i, a]
                k = 2 * cubic_constants[c, i]
                du, dv, dw = k * u * (v * v + w * w), k * v * (w * w + u * u), k * w * (u * u + v * v)
                for a in range(3):
                    out[b, i, a] -= axes[0, a] * du + axes[1, a] * dv + axes[2, a] * dw
    return out


@kernel()
def add_spin_fields(field, j_sd, spin):
    """field += J <s> (eV), (B, N, 3)."""
    for b in range(field.shape[0]):
        for i in range(field.shape[1]):
            for a in range(3):
                field[b, i, a] += j_sd[i] * spin[b, i, a]


@kernel()
def largest(values):
    """max |values| of an array (B, N, 3); NaN if there is one."""
    result = 0.0
    for x in values.reshape(-1):
        if np.isnan(x):
            return np.nan
        result = max(result, abs(x))
    return result


@kernel()
def precession_rates(m, field, precession):
    """-p M x h (1/fs), (B, N, 3), for h in eV."""
    out = np.empty_like(m)
    for b in range(m.shape[0]):
        for i in range(m.shape[1]):
            p = precession[i]
            x, y, z = m[b, i, 0], m[b, i, 1], m[b, i, 2]
            hx, hy, hz = field[b, i, 0], field[b, i, 1], field[b, i, 2]
            out[b, i, 0] = p * (z * hy - y * hz)
            out[b, i, 1] = p * (x * hz - z * hx)
            out[b, i, 2] = p * (y * hx - x * hy)
    return out


@kernel()
def velocity_matrices(m, friction, geometric, precession, damping):
    """1 - X (lambda + p (friction + geometric)), (B, 3N, 3N), X v = M x v on each site."""
    batch, n = m.shape[0], m.shape[1]
    out = np.zeros((batch, 3 * n, 3 * n))
    for b in range(batch):
        for i in range(n):
            p, r = precession[i], 3 * i
            x, y, z = m[b, i, 0], m[b, i, 1], m[b, i, 2]
            if p != 0.0:
                for c in range(3 * n):
                    u = p * (friction[b, r, c] + geometric[b, r, c])
                    v = p * (friction[b, r + 1, c] + geometric[b, r + 1, c])
                    w = p * (friction[b, r + 2, c] + geometric[b, r + 2, c])
                    out[b, r, c] -= y * w - z * v
                    out[b, r + 1, c] -= z * u - x * w
                    out[b, r + 2, c] -= x * v - y * u
                s = damping[i]
                out[b, r, r + 1] += s * z
                out[b, r, r + 2] -= s * y
                out[b, r + 1, r] -= s * z
                out[b, r + 1, r + 2] += s * x
                out[b, r + 2, r] += s * y
                out[b, r + 2, r + 1] -= s * x
            for a in range(3):
                out[b, r + a, r + a] += 1.0
    return out


@kernel()
def solve(matrices, right):
    """x (B, n) of matrices x = right: Gaussian elimination with partial pivoting, one right-hand side each."""
    x = right.copy()
    n = x.shape[1]
    for b in range(x.shape[0]):
        a = matrices[b].copy()
        for k in range(n):
            p = k
            for i in range(k + 1, n):
                if abs(a[i, k]) > abs(a[p, k]):
                    p = i
            if p != k:
                for j in range(k, n):
                    a[k, j], a[p, j] = a[p, j], a[k, j]
                x[b, k], x[b, p] = x[b, p], x[b, k]
            for i in range(k + 1, n):
                factor = a[i, k] / a[k, k]
                if factor != 0.0:
                    for j in range(k + 1, n):
                        a[i, j] -= factor * a[k, j]
                    x[b, i] -= factor * x[b, k]
        for k in range(n - 1, -1, -1):
            total = x[b, k]
            for j in range(k + 1, n):
                total -= a[k, j] * x[b, j]
            x[b, k] = total / a[k, k]
    return x
