"""Compiled sums over energies of products of Green functions, one configuration of the moments after the other.

Works on plain arrays; `tensors` makes them. Matrices are small (2N), so calls cost more than arithmetic elsewhere.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def _invert(re, im, swapped):
    """Inverse of re + i im in place: Gauss-Jordan with partial pivoting, real and imaginary plane apart."""
    n = re.shape[0]
    for k in range(n):
        p, largest = k, -1.0
        for i in range(k, n):
            size = re[i, k] ** 2 + im[i, k] ** 2
            if size > largest:
                p, largest = i, size
        swapped[k] = p
        if p != k:
            for j in range(n):
                re[k, j], re[p, j] = re[p, j], re[k, j]
                im[k, j], im[p, j] = im[p, j], im[k, j]
        x, y = re[k, k] / largest, -im[k, k] / largest
        re[k, k], im[k, k] = 1.0, 0.0
        for j in range(n):
            s = re[k, j] * x - im[k, j] * y
            im[k, j] = re[k, j] * y + im[k, j] * x
            re[k, j] = s
        for i in range(n):
            if i != k:
                x, y = re[i, k], im[i, k]
                re[i, k], im[i, k] = 0.0, 0.0
                if x != 0.0 or y != 0.0:
                    for j in range(n):
                        re[i, j] -= x * re[k, j] - y * im[k, j]
                        im[i, j] -= x * im[k, j] + y * re[k, j]
    for k in range(n - 1, -1, -1):
        p = swapped[k]
        if p != k:
            for i in range(n):
                re[i, k], re[i, p] = re[i, p], re[i, k]
                im[i, k], im[i, p] = im[i, p], im[i, k]


@njit(cache=True)
def _green(base_re, base_im, j_sd, moments, re, im, swapped):
    """[base + J sigma.M]^-1 into re + i im."""
    re[:] = base_re
    im[:] = base_im
    for i in range(j_sd.size):
        x, y, z = j_sd[i] * moments[i, 0], j_sd[i] * moments[i, 1], j_sd[i] * moments[i, 2]
        re[2 * i, 2 * i] += z
        re[2 * i + 1, 2 * i + 1] -= z
        re[2 * i, 2 * i + 1] += x
        re[2 * i + 1, 2 * i] += x
        im[2 * i, 2 * i + 1] -= y
        im[2 * i + 1, 2 * i] += y
    _invert(re, im, swapped)


@njit(cache=True)
def _components(re, im, out):
    """g^m_ij with G_ij = sum_m g^m_ij sigma_m, (N, N, 4)."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a = complex(re[2 * i, 2 * j], im[2 * i, 2 * j])
            b = complex(re[2 * i, 2 * j + 1], im[2 * i, 2 * j + 1])
            c = complex(re[2 * i + 1, 2 * j], im[2 * i + 1, 2 * j])
            d = complex(re[2 * i + 1, 2 * j + 1], im[2 * i + 1, 2 * j + 1])
            out[i, j, 0] = 0.5 * (a + d)
            out[i, j, 1] = 0.5 * (b + c)
            out[i, j, 2] = 0.5j * (b - c)
            out[i, j, 3] = 0.5 * (a - d)


@njit(cache=True)
def _product(re, im, out_re, out_im):
    """G G."""
    n = re.shape[0]
    for i in range(n):
        out_re[i] = 0.0
        out_im[i] = 0.0
        for k in range(n):
            x, y = re[i, k], im[i, k]
            for j in range(n):
                out_re[i, j] += x * re[k, j] - y * im[k, j]
                out_im[i, j] += x * im[k, j] + y * re[k, j]


@njit(cache=True)
def _subtract_leads(re, im, u, slope, out_re, out_im):
    """out -= sum_q slope_q (G u_q)(u_q^dag G)."""
    n = re.shape[0]
    column = np.empty(n, dtype=np.complex128)
    row = np.empty(n, dtype=np.complex128)
    for q in range(slope.size):
        for i in range(n):
            c = 0.0j
            r = 0.0j
            for k in range(n):
                if u[k, q] != 0.0:
                    c += complex(re[i, k], im[i, k]) * u[k, q]
                    r += np.conj(u[k, q]) * complex(re[k, i], im[k, i])
            column[i] = slope[q] * c
            row[i] = r
        for i in range(n):
            for j in range(n):
                value = column[i] * row[j]
                out_re[i, j] -= value.real
                out_im[i, j] -= value.imag


@njit(cache=True)
def _add_products(a, b, weight, total):
    """total[i, j, m, n] += weight a^m_ij b^n_ji."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            for m in range(4):
                x = weight * a[i, j, m]
                for n in range(4):
                    total[i, j, m, n] += x * b[j, i, n]


@njit(cache=True)
def fermi_sums(base_re, base_im, residues, u, slopes, j_sd, moments, curvature, occupied, forward):
    """Sums over the Fermi poles for moments (B, N, 3).

    occupied (B, N, 4) gets Re sum_m r_m g_ii(z_m^*); forward (B, N, N, 4, 4), if `curvature`, gets
    sum_m r_m d_ij g_ji with D = G (1 - dSigma/dE) G and dSigma/dE = sum_q slopes_mq u_q u_q^dag.
    """
    n = 2 * j_sd.size
    re, im = np.empty((n, n)), np.empty((n, n))
    d_re, d_im = np.empty((n, n)), np.empty((n, n))
    swapped = np.empty(n, dtype=np.int64)
    g = np.empty((j_sd.size, j_sd.size, 4), dtype=np.complex128)
    d = np.empty_like(g)
    for copy in range(moments.shape[0]):
        for m in range(residues.size):
            _green(base_re[m], base_im[m], j_sd, moments[copy], re, im, swapped)
            _components(re, im, g)
            for i in range(j_sd.size):
                for k in range(4):
                    occupied[copy, i, k] += residues[m] * g[i, i, k].real
            if curvature:
                _product(re, im, d_re, d_im)
                _subtract_leads(re, im, u, slopes[m], d_re, d_im)
                _components(d_re, d_im, d)
                _add_products(d, g, complex(residues[m]), forward[copy])


@njit(cache=True)
def surface_sums(base_re, base_im, weights, j_sd, moments, with_friction, with_geometric, friction, forward):
    """Sums over real energies for moments (B, N, 3): sum_e w_e a_ij a_ji with a = i (g - g^dag), and w_e g_ij g^dag_ji.

    Both are (rules, B, N, N, 4, 4), for weights (rules, E); a weight 0 costs nothing.
    """
    n = 2 * j_sd.size
    re, im = np.empty((n, n)), np.empty((n, n))
    swapped = np.empty(n, dtype=np.int64)
    g = np.empty((j_sd.size, j_sd.size, 4), dtype=np.complex128)
    adjoint, spectral = np.empty_like(g), np.empty_like(g)
    for copy in range(moments.shape[0]):
        for e in range(weights.shape[1]):
            _green(base_re[e], base_im[e], j_sd, moments[copy], re, im, swapped)
            _components(re, im, g)
            for i in range(j_sd.size):
                for j in range(j_sd.size):
                    for k in range(4):
                        adjoint[i, j, k] = np.conj(g[j, i, k])
                        spectral[i, j, k] = 1j * (g[i, j, k] - np.conj(g[j, i, k]))
            for rule in range(weights.shape[0]):
                weight = complex(weights[rule, e])
                if weight != 0.0 and with_friction:
                    _add_products(spectral, spectral, weight, friction[rule, copy])
                if weight != 0.0 and with_geometric:
                    _add_products(g, adjoint, weight, forward[rule, copy])
