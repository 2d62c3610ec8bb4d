"""Compiled traces of two Green functions with a Pauli matrix on each of two sites, summed over energies.

Under `kernel`. With 2 x 2 blocks D = d_0 + d.sigma and G = g_0 + g.sigma,
    Tr[sigma_a D sigma_b G] = 2 [ delta_ab (d_0 g_0 - d.g) + d_a g_b + d_b g_a + i eps_abc (d_0 g_c - d_c g_0) ],
of which the real or the imaginary part is wanted: ten real numbers for each pair of sites, the factor of delta_ab,
the symmetric d_a g_b + d_b g_a as xx, yy, zz, xy, xz, yz, and the vector behind eps_abc. They are what is summed.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import FUSED, kernel, part

NUMBERS = 10
"""Real numbers kept for each pair of sites."""


@part(FUSED, error_model="numpy")
def add_crossed(d, g, weight, total):
    """total[i, j] += weight Im Tr[sigma_a D_ij sigma_b G_ji] for components d, g (N, N, 4); total (N, N, 10)."""
    for i in range(d.shape[0]):
        for j in range(d.shape[0]):
            d0, dx, dy, dz = d[i, j, 0], d[i, j, 1], d[i, j, 2], d[i, j, 3]
            g0, gx, gy, gz = g[j, i, 0], g[j, i, 1], g[j, i, 2], g[j, i, 3]
            xx, yy, zz = (dx * gx).imag, (dy * gy).imag, (dz * gz).imag
            t = total[i, j]
            t[0] += weight * ((d0 * g0).imag - xx - yy - zz)
            t[1] += 2 * weight * xx
            t[2] += 2 * weight * yy
            t[3] += 2 * weight * zz
            t[4] += weight * (dx * gy + dy * gx).imag
            t[5] += weight * (dx * gz + dz * gx).imag
            t[6] += weight * (dy * gz + dz * gy).imag
            t[7] += weight * (d0 * gx - dx * g0).real
            t[8] += weight * (d0 * gy - dy * g0).real
            t[9] += weight * (d0 * gz - dz * g0).real


@part(FUSED, error_model="numpy")
def add_squared(c, weight, total):
    """total[i, j] += weight Tr[sigma_a C_ij sigma_b (C_ij)^dag], real, for components c (N, N, 4); total (N, N, 10)."""
    for i in range(c.shape[0]):
        for j in range(c.shape[0]):
            c0, cx, cy, cz = c[i, j, 0], c[i, j, 1], c[i, j, 2], c[i, j, 3]
            xx = cx.real * cx.real + cx.imag * cx.imag
            yy = cy.real * cy.real + cy.imag * cy.imag
            zz = cz.real * cz.real + cz.imag * cz.imag
            t = total[i, j]
            t[0] += weight * (c0.real * c0.real + c0.imag * c0.imag - xx - yy - zz)
            t[1] += 2 * weight * xx
            t[2] += 2 * weight * yy
            t[3] += 2 * weight * zz
            t[4] += 2 * weight * (cx.real * cy.real + cx.imag * cy.imag)
            t[5] += 2 * weight * (cx.real * cz.real + cx.imag * cz.imag)
            t[6] += 2 * weight * (cy.real * cz.real + cy.imag * cz.imag)
            t[7] -= 2 * weight * (c0.imag * cx.real - c0.real * cx.imag)
            t[8] -= 2 * weight * (c0.imag * cy.real - c0.real * cy.imag)
            t[9] -= 2 * weight * (c0.imag * cz.real - c0.real * cz.imag)


@part(FUSED, error_model="numpy")
def add_tensor(total, scale, tensor):
    """tensor[3 i + a, 3 j + b] += scale times the trace that total (N, N, 10) stands for; tensor (3N, 3N)."""
    for i in range(total.shape[0]):
        for j in range(total.shape[0]):
            t = total[i, j]
            s = 2 * scale
            r, c = 3 * i, 3 * j
            tensor[r, c] += s * (t[0] + t[1])
            tensor[r + 1, c + 1] += s * (t[0] + t[2])
            tensor[r + 2, c + 2] += s * (t[0] + t[3])
            tensor[r, c + 1] += s * (t[4] + t[9])
            tensor[r + 1, c] += s * (t[4] - t[9])
            tensor[r, c + 2] += s * (t[5] - t[8])
            tensor[r + 2, c] += s * (t[5] + t[8])
            tensor[r + 1, c + 2] += s * (t[6] + t[7])
            tensor[r + 2, c + 1] += s * (t[6] - t[7])


@part(FUSED, error_model="numpy")
def subtract_transpose(tensor):
    """tensor -= tensor^T in place."""
    for k in range(tensor.shape[0]):
        tensor[k, k] = 0.0
        for m in range(k):
            value = tensor[k, m] - tensor[m, k]
            tensor[k, m] = value
            tensor[m, k] = -value


@kernel(FUSED, error_model="numpy", allocates=True)
def pair_traces(d, g):
    """Tr[sigma_a D_ij sigma_b G_ji] at each energy for pairs p = (i, j), (n, P, 3, 3) complex.

    Args:
        d, g: Components of D_ij and of G_ji, (n, 4, P).
    """
    out = np.empty((d.shape[0], d.shape[2], 3, 3), dtype=np.complex128)
    for e in range(d.shape[0]):
        for p in range(d.shape[2]):
            d0, dx, dy, dz = d[e, 0, p], d[e, 1, p], d[e, 2, p], d[e, 3, p]
            g0, gx, gy, gz = g[e, 0, p], g[e, 1, p], g[e, 2, p], g[e, 3, p]
            t = out[e, p]
            x, y, z = 2 * dx * gx, 2 * dy * gy, 2 * dz * gz
            t[0, 0], t[1, 1], t[2, 2] = x - y - z, y - x - z, z - x - y
            for a in range(3):
                t[a, a] += 2 * d0 * g0
            xy, xz, yz = 2 * (dx * gy + dy * gx), 2 * (dx * gz + dz * gx), 2 * (dy * gz + dz * gy)
            cx, cy, cz = 2j * (d0 * gx - dx * g0), 2j * (d0 * gy - dy * g0), 2j * (d0 * gz - dz * g0)
            t[0, 1], t[1, 0] = xy + cz, xy - cz
            t[0, 2], t[2, 0] = xz - cy, xz + cy
            t[1, 2], t[2, 1] = yz + cx, yz - cx
    return out


@kernel(error_model="numpy")
def gauss_error(sums):
    """Error of the last of several Gauss sums (rules, ...) from their distances; NaN if there is a NaN.

    Two sums: ten times their distance, which may be small by chance. Three: distances d_1 > d_2 of sums that converge
    geometrically leave an error of d_2^2/d_1; a hundred times that, but from a tenth to ten times d_2.
    """
    before, last = 0.0, 0.0
    for r in range(sums.shape[0] - 1):
        first, second = sums[r].reshape(-1), sums[r + 1].reshape(-1)
        before, last = last, 0.0
        for k in range(first.size):
            distance = abs(second[k] - first[k])
            if np.isnan(distance):
                return np.nan
            last = max(last, distance)
    return last * min(10.0, max(100 * last / before, 0.1)) if before > 0.0 else 10 * last
