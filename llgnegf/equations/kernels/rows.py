"""Compiled: what the kernels of the electrons do with rows of split complex numbers.

A row is n numbers from an offset on in two planes, real and imaginary; planes are flat. How they are written for
speed: offsets are unsigned, since for signed ones it is looked at each time whether they count from the end; and what
a function writes overlaps with nothing that it reads or writes elsewhere, even where two rows are in one plane, which
it says (DISTINCT). So short loops, too, become vector instructions. A factor -i goes into the coefficients: -i (a + i
b) = b - i a.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import DISTINCT, REORDERED, part

U = np.uint64


@part(REORDERED, **DISTINCT)
def clear(dr, di, d, n):
    """d = 0."""
    d, n = U(d), U(n)
    for c in range(n):
        dr[d + c], di[d + c] = 0.0, 0.0


@part(REORDERED, **DISTINCT)
def fill(real, imag, dr, di, d, n):
    """d = a number."""
    d, n = U(d), U(n)
    for c in range(n):
        dr[d + c], di[d + c] = real, imag


@part(REORDERED, **DISTINCT)
def axpy(ar, ai, xr, xi, x, dr, di, d, n):
    """d += a x."""
    x, d, n = U(x), U(d), U(n)
    for c in range(n):
        x_r, x_i = xr[x + c], xi[x + c]
        dr[d + c] += ar * x_r - ai * x_i
        di[d + c] += ar * x_i + ai * x_r


@part(REORDERED, **DISTINCT)
def axpy_pair(ar, ai, br, bi, xr, xi, x, y, dr, di, d, n):
    """d += a x + b y: one pass over d for two products."""
    x, y, d, n = U(x), U(y), U(d), U(n)
    for c in range(n):
        x_r, x_i, y_r, y_i = xr[x + c], xi[x + c], xr[y + c], xi[y + c]
        dr[d + c] += ar * x_r - ai * x_i + br * y_r - bi * y_i
        di[d + c] += ar * x_i + ai * x_r + br * y_i + bi * y_r


@part(REORDERED, **DISTINCT)
def real_four(a, b, sign, xr, xi, x, y, dr, di, d, n):
    """Re d += sum_k a_k xr_k, Im d += sign sum_k a_k xi_k for two times two rows and real numbers."""
    a_0, a_1, b_0, b_1 = a[0], a[1], b[0], b[1]
    x_0, x_1, y_0, y_1, d, n = U(x[0]), U(x[1]), U(y[0]), U(y[1]), U(d), U(n)
    for c in range(n):
        dr[d + c] += a_0 * xr[x_0 + c] + a_1 * xr[x_1 + c] + b_0 * xr[y_0 + c] + b_1 * xr[y_1 + c]
        di[d + c] += sign * (a_0 * xi[x_0 + c] + a_1 * xi[x_1 + c] + b_0 * xi[y_0 + c] + b_1 * xi[y_1 + c])


@part(REORDERED, **DISTINCT)
def two_hops(spin, h, k, xr, xi, up, down, at, to, dr, di, d, er, ei, e, n):
    """The rows of spin up and spin down of a site in one pass, for most of two rows of H:

        d = -i [z x_up + (x - i y) x_down + sum_p h_p x_p],  e = -i [(x + i y) x_up - z x_down + sum_p k_p x_p]

    for spin = (x, y, z), real h and k, and rows x_p at `at` and `to`.
    """
    x, y, z = spin
    (h_0, h_1), (k_0, k_1), up, down, d, e, n = h, k, U(up), U(down), U(d), U(e), U(n)
    p, q, s, t = U(at[0]), U(at[1]), U(to[0]), U(to[1])
    for c in range(n):
        u_r, u_i, v_r, v_i = xr[up + c], xi[up + c], xr[down + c], xi[down + c]
        dr[d + c] = z * u_i + x * v_i - y * v_r + h_0 * xi[p + c] + h_1 * xi[q + c]
        di[d + c] = -z * u_r - x * v_r - y * v_i - h_0 * xr[p + c] - h_1 * xr[q + c]
        er[e + c] = x * u_i + y * u_r - z * v_i + k_0 * xi[s + c] + k_1 * xi[t + c]
        ei[e + c] = y * u_i - x * u_r + z * v_r - k_0 * xr[s + c] - k_1 * xr[t + c]


@part(REORDERED, **DISTINCT)
def four_hops(spin, h, k, xr, xi, up, down, at, to, dr, di, d, er, ei, e, n):
    """`two_hops` of four."""
    x, y, z = spin
    (h_0, h_1, h_2, h_3), (k_0, k_1, k_2, k_3), up, down, d, e, n = h, k, U(up), U(down), U(d), U(e), U(n)
    p_0, p_1, p_2, p_3, q_0, q_1, q_2, q_3 = _offsets(at, to)
    for c in range(n):
        u_r, u_i, v_r, v_i = xr[up + c], xi[up + c], xr[down + c], xi[down + c]
        a_r = h_0 * xr[p_0 + c] + h_1 * xr[p_1 + c] + h_2 * xr[p_2 + c] + h_3 * xr[p_3 + c]
        a_i = h_0 * xi[p_0 + c] + h_1 * xi[p_1 + c] + h_2 * xi[p_2 + c] + h_3 * xi[p_3 + c]
        b_r = k_0 * xr[q_0 + c] + k_1 * xr[q_1 + c] + k_2 * xr[q_2 + c] + k_3 * xr[q_3 + c]
        b_i = k_0 * xi[q_0 + c] + k_1 * xi[q_1 + c] + k_2 * xi[q_2 + c] + k_3 * xi[q_3 + c]
        dr[d + c] = z * u_i + x * v_i - y * v_r + a_i
        di[d + c] = -z * u_r - x * v_r - y * v_i - a_r
        er[e + c] = x * u_i + y * u_r - z * v_i + b_i
        ei[e + c] = y * u_i - x * u_r + z * v_r - b_r


@part(REORDERED)
def _offsets(at, to):
    """Two times four offsets, unsigned."""
    return U(at[0]), U(at[1]), U(at[2]), U(at[3]), U(to[0]), U(to[1]), U(to[2]), U(to[3])


@part(REORDERED, **DISTINCT)
def two_hops_on_levels(spin, h, k, lr, li, kr, ki, gr, gi, g, xr, xi, up, down, at, to, dr, di, d, er, ei, e, n):
    """`two_hops` and += i [own l_j^* + (k_j g_j)^*] for the levels j (Re l, Im l, Re k, Im k); what flows into them
    begins in (Re g, Im g) with that of spin up, and at g with that of spin down."""
    x, y, z = spin
    (h_0, h_1), (k_0, k_1), up, down, d, e, n, g = h, k, U(up), U(down), U(d), U(e), U(n), U(g)
    p, q, s, t = U(at[0]), U(at[1]), U(to[0]), U(to[1])
    for c in range(n):
        u_r, u_i, v_r, v_i = xr[up + c], xi[up + c], xr[down + c], xi[down + c]
        l_r, l_i, w_r, w_i = lr[c], li[c], kr[c], ki[c]
        f_r, f_i, g_r, g_i = gr[c], gi[c], gr[g + c], gi[g + c]
        a_r = x * v_r + y * v_i + h_0 * xr[p + c] + h_1 * xr[q + c]
        a_i = x * v_i - y * v_r + h_0 * xi[p + c] + h_1 * xi[q + c]
        b_r = x * u_r - y * u_i + k_0 * xr[s + c] + k_1 * xr[t + c]
        b_i = x * u_i + y * u_r + k_0 * xi[s + c] + k_1 * xi[t + c]
        dr[d + c] = a_i + (z - l_r) * u_i + l_i * u_r + w_i * f_r + w_r * f_i
        di[d + c] = l_i * u_i - (z - l_r) * u_r - a_r + w_r * f_r - w_i * f_i
        er[e + c] = b_i - (z + l_r) * v_i + l_i * v_r + w_i * g_r + w_r * g_i
        ei[e + c] = l_i * v_i + (z + l_r) * v_r - b_r + w_r * g_r - w_i * g_i


@part(REORDERED, **DISTINCT)
def four_hops_on_levels(spin, h, k, lr, li, kr, ki, gr, gi, g, xr, xi, up, down, at, to, dr, di, d, er, ei, e, n):
    """`two_hops_on_levels` of four."""
    x, y, z = spin
    (h_0, h_1, h_2, h_3), (k_0, k_1, k_2, k_3), up, down, d, e, n, g = h, k, U(up), U(down), U(d), U(e), U(n), U(g)
    p_0, p_1, p_2, p_3, q_0, q_1, q_2, q_3 = _offsets(at, to)
    for c in range(n):
        u_r, u_i, v_r, v_i = xr[up + c], xi[up + c], xr[down + c], xi[down + c]
        l_r, l_i, w_r, w_i = lr[c], li[c], kr[c], ki[c]
        f_r, f_i, g_r, g_i = gr[c], gi[c], gr[g + c], gi[g + c]
        a_r = h_0 * xr[p_0 + c] + h_1 * xr[p_1 + c] + h_2 * xr[p_2 + c] + h_3 * xr[p_3 + c] + x * v_r + y * v_i
        a_i = h_0 * xi[p_0 + c] + h_1 * xi[p_1 + c] + h_2 * xi[p_2 + c] + h_3 * xi[p_3 + c] + x * v_i - y * v_r
        b_r = k_0 * xr[q_0 + c] + k_1 * xr[q_1 + c] + k_2 * xr[q_2 + c] + k_3 * xr[q_3 + c] + x * u_r - y * u_i
        b_i = k_0 * xi[q_0 + c] + k_1 * xi[q_1 + c] + k_2 * xi[q_2 + c] + k_3 * xi[q_3 + c] + x * u_i + y * u_r
        dr[d + c] = a_i + (z - l_r) * u_i + l_i * u_r + w_i * f_r + w_r * f_i
        di[d + c] = l_i * u_i - (z - l_r) * u_r - a_r + w_r * f_r - w_i * f_i
        er[e + c] = b_i - (z + l_r) * v_i + l_i * v_r + w_i * g_r + w_r * g_i
        ei[e + c] = l_i * v_i + (z + l_r) * v_r - b_r + w_r * g_r - w_i * g_i


@part(REORDERED, **DISTINCT)
def mode_row(level, er, ei, kr, ki, gr, gi, j, ar, ai, tr, ti, a, xr, xi, dr, di, x, n):
    """d_j = -i [(e - e_j^*) x_j + l a_j - (k_j g_j)^*] and t_j += s x_j for the level (Re e, Im e, Re l, Im l, s)."""
    e_r, e_i, l_r, l_i, s = level
    j, a, x, n = U(j), U(a), U(x), U(n)
    for c in range(n):
        x_r, x_i, gap, decay = xr[x + c], xi[x + c], e_r - er[j + c], e_i + ei[j + c]
        a_r, a_i, g_r, g_i = ar[a + c], ai[a + c], gr[j + c], gi[j + c]
        dr[x + c] = gap * x_i + decay * x_r + l_r * a_i + l_i * a_r + ki[j + c] * g_r + kr[j + c] * g_i
        di[x + c] = decay * x_i - gap * x_r - l_r * a_r + l_i * a_i + kr[j + c] * g_r - ki[j + c] * g_i
        tr[a + c] += s * x_r
        ti[a + c] += s * x_i


@part(REORDERED, **DISTINCT)
def vector_row(level, er, ei, j, ar, ai, tr, ti, a, xr, xi, dr, di, x, n):
    """d_j = -i [(e - e_j^*) x_j + l a_j] and t_j += s x_j for the level (Re e, Im e, Re l, Im l, s)."""
    e_r, e_i, l_r, l_i, s = level
    j, a, x, n = U(j), U(a), U(x), U(n)
    for c in range(n):
        x_r, x_i, gap, decay = xr[x + c], xi[x + c], e_r - er[j + c], e_i + ei[j + c]
        dr[x + c] = gap * x_i + decay * x_r + l_r * ai[a + c] + l_i * ar[a + c]
        di[x + c] = decay * x_i - gap * x_r - l_r * ar[a + c] + l_i * ai[a + c]
        tr[a + c] += s * x_r
        ti[a + c] += s * x_i


@part(REORDERED, **DISTINCT)
def near_columns(hr, hi, z, s, t, xr, xi, x, y, dr, di, d, er, ei, e, n):
    """d_c += i sum_b x_b H_bc for |b - c| <= 2, and e_c the same of y, for the diagonals H_cc = z_c, H_(c+1)c = s_c and
    H_(c+2)c = t_c, the first and the last real.

    Two numbers beside a row on each side are read, times zero: they must be finite.
    """
    z, s, t, x, y, d, e, n, one, two = U(z), U(s), U(t), U(x), U(y), U(d), U(e), U(n), U(1), U(2)
    for c in range(n):
        z_0, t_1, t_0, s_r, s_i = hr[z + c], hr[t + c], hr[t + c - two], hr[s + c], hi[s + c]
        p_r, p_i, i, j, k, m = hr[s + c - one], hi[s + c - one], x + c + one, x + c - one, y + c + one, y + c - one
        a_r = z_0 * xr[x + c] + t_1 * xr[i + one] + t_0 * xr[j - one]
        a_i = z_0 * xi[x + c] + t_1 * xi[i + one] + t_0 * xi[j - one]
        b_r = z_0 * xr[y + c] + t_1 * xr[k + one] + t_0 * xr[m - one]
        b_i = z_0 * xi[y + c] + t_1 * xi[k + one] + t_0 * xi[m - one]
        dr[d + c] -= a_i + s_r * xi[i] + s_i * xr[i] + p_r * xi[j] - p_i * xr[j]
        di[d + c] += a_r + s_r * xr[i] - s_i * xi[i] + p_r * xr[j] + p_i * xi[j]
        er[e + c] -= b_i + s_r * xi[k] + s_i * xr[k] + p_r * xi[m] - p_i * xr[m]
        ei[e + c] += b_r + s_r * xr[k] - s_i * xi[k] + p_r * xr[m] + p_i * xi[m]


@part(REORDERED, **DISTINCT)
def real_columns(h, j, xr, xi, x, y, dr, di, d, er, ei, e, n):
    """d_c += i h_(j + c) x_c and e_c += i h_(j + c) y_c for real h."""
    j, x, y, d, e, n = U(j), U(x), U(y), U(d), U(e), U(n)
    for c in range(n):
        dr[d + c] -= h[j + c] * xi[x + c]
        di[d + c] += h[j + c] * xr[x + c]
        er[e + c] -= h[j + c] * xi[y + c]
        ei[e + c] += h[j + c] * xr[y + c]


@part(REORDERED, **DISTINCT)
def columns(hr, hi, j, sign, xr, xi, x, y, dr, di, d, er, ei, e, n):
    """d_c += i h_(j + c) x_c and e_c += i h_(j + c) y_c for h = Re h + i sign Im h."""
    j, x, y, d, e, n = U(j), U(x), U(y), U(d), U(e), U(n)
    for c in range(n):
        h_r, h_i = hr[j + c], sign * hi[j + c]
        dr[d + c] -= h_r * xi[x + c] + h_i * xr[x + c]
        di[d + c] += h_r * xr[x + c] - h_i * xi[x + c]
        er[e + c] -= h_r * xi[y + c] + h_i * xr[y + c]
        ei[e + c] += h_r * xr[y + c] - h_i * xi[y + c]


@part(REORDERED, **DISTINCT)
def four_sums(s, j, xr, xi, x, n):
    """sum_j s_j x_j for real s and the four rows that begin at x: numbers of one sum wait for one another, those of
    several do not."""
    x_0, x_1, x_2, x_3, j, n = U(x[0]), U(x[1]), U(x[2]), U(x[3]), U(j), U(n)
    r_0, r_1, r_2, r_3, i_0, i_1, i_2, i_3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for c in range(n):
        w = s[j + c]
        r_0, i_0 = r_0 + w * xr[x_0 + c], i_0 + w * xi[x_0 + c]
        r_1, i_1 = r_1 + w * xr[x_1 + c], i_1 + w * xi[x_1 + c]
        r_2, i_2 = r_2 + w * xr[x_2 + c], i_2 + w * xi[x_2 + c]
        r_3, i_3 = r_3 + w * xr[x_3 + c], i_3 + w * xi[x_3 + c]
    return (r_0, r_1, r_2, r_3), (i_0, i_1, i_2, i_3)


@part()
def four_rows(first, stride, rows):
    """Where four rows begin that are `stride` numbers apart; the last of them again for those there are not."""
    last = rows - 1
    return first, first + stride * min(1, last), first + stride * min(2, last), first + stride * min(3, last)


@part(REORDERED, **DISTINCT)
def weighted_sum(s, j, xr, xi, x, n):
    """sum_j s_j x_j for real s."""
    j, x, n, real, imag = U(j), U(x), U(n), 0.0, 0.0
    for c in range(n):
        real += s[j + c] * xr[x + c]
        imag += s[j + c] * xi[x + c]
    return real, imag


@part(REORDERED, **DISTINCT)
def product(sr, si, j, xr, xi, x, n):
    """sum_j s_j x_j^*."""
    j, x, n, real, imag = U(j), U(x), U(n), 0.0, 0.0
    for c in range(n):
        real += sr[j + c] * xr[x + c] + si[j + c] * xi[x + c]
        imag += si[j + c] * xr[x + c] - sr[j + c] * xi[x + c]
    return real, imag


@part(REORDERED, **DISTINCT)
def plain_sum(xr, xi, x, n):
    """sum_j x_j."""
    x, n, real, imag = U(x), U(n), 0.0, 0.0
    for c in range(n):
        real += xr[x + c]
        imag += xi[x + c]
    return real, imag
