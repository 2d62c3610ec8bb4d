"""Compiled sums over energies of products of Green functions, one configuration of the moments after the other.

Works on plain arrays; `fast_tensors` makes them. Matrices are small (2N), so calls cost more than arithmetic elsewhere.
Chains go through the recursion of `chain_kernel`, other devices and energies too close to a level of a part of the
chain through dense inverses.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import FUSED, kernel, part
from llgnegf.response.chain_kernel import chain_green
from llgnegf.response.pair_kernel import NUMBERS, add_crossed, add_squared, add_tensor, subtract_transpose


@part(FUSED, error_model="numpy")
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


@part(FUSED, error_model="numpy")
def _green(base, j_sd, moments, re, im, swapped):
    """[base + J sigma.M]^-1 into re + i im."""
    for i in range(base.shape[0]):  # re[:] = base.real takes the compiler 10 s
        for j in range(base.shape[1]):
            re[i, j], im[i, j] = base[i, j].real, base[i, j].imag
    for i in range(j_sd.size):
        x, y, z = j_sd[i] * moments[i, 0], j_sd[i] * moments[i, 1], j_sd[i] * moments[i, 2]
        re[2 * i, 2 * i] += z
        re[2 * i + 1, 2 * i + 1] -= z
        re[2 * i, 2 * i + 1] += x
        re[2 * i + 1, 2 * i] += x
        im[2 * i, 2 * i + 1] -= y
        im[2 * i + 1, 2 * i] += y
    _invert(re, im, swapped)


@part(FUSED, error_model="numpy")
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


@part(FUSED, error_model="numpy")
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


@part(FUSED, error_model="numpy", allocates=True)
def _subtract_leads(re, im, u, slope, out_re, out_im):
    """out -= sum_q (G x_q)(u_q^dag G), u dSigma/dE = x = `slope`."""
    n = re.shape[0]
    column = np.empty(n, dtype=np.complex128)
    row = np.empty(n, dtype=np.complex128)
    for q in range(u.shape[1]):
        for i in range(n):
            c = 0.0j
            r = 0.0j
            for k in range(n):
                if slope[k, q] != 0.0:
                    c += complex(re[i, k], im[i, k]) * slope[k, q]
                if u[k, q] != 0.0:
                    r += np.conj(u[k, q]) * complex(re[k, i], im[k, i])
            column[i] = c
            row[i] = r
        for i in range(n):
            for j in range(n):
                value = column[i] * row[j]
                out_re[i, j] -= value.real
                out_im[i, j] -= value.imag


@part(FUSED, error_model="numpy")
def _dense_green(base, u, slopes, j_sd, moments, slope, planes, swapped, g, d):
    """What `chain_green` gives, for any device."""
    re, im, d_re, d_im = planes[0], planes[1], planes[2], planes[3]
    _green(base, j_sd, moments, re, im, swapped)
    _components(re, im, g)
    if slope:
        _product(re, im, d_re, d_im)
        _subtract_leads(re, im, u, slopes, d_re, d_im)
        _components(d_re, d_im, d)


@kernel(FUSED, error_model="numpy", allocates=True)
def fermi_sums(chain, base, residues, u, slopes, weights, j_sd, moments, curvature, spin, charge, geometric):
    """Sums over the Fermi poles for moments (B, N, 3).

    Args:
        chain: Whether H connects neighbours only and every channel couples to one site.
        base, residues: E - H_0 - Sigma at the poles z_m^*, (M, 2N, 2N), and r_m, (M,).
        u, slopes, weights: Vectors of the lead orbitals (2N, Q), u dSigma/dE (M, 2N, Q), and for a chain
            1 - dSigma/dE on each site, (M, N, 4).
        j_sd, moments: (N,), (B, N, 3).
        curvature: Whether `geometric` is wanted.
        spin, charge: Get 4 Re sum_m r_m g_ii(z_m^*), (B, N, 3), and 1 + the same of g^0, (B, N).
        geometric: Gets -A of `equilibrium`, the antisymmetric Im sum_m r_m (Tr sigma_a D_ij sigma_b G_ji - transpose).
    """
    n = j_sd.size
    planes, swapped = np.empty((4, 2 * n, 2 * n)), np.empty(2 * n, dtype=np.int64)
    ends, dots = np.empty((2, n, 4), dtype=np.complex128), np.empty((2, n, 4), dtype=np.complex128)
    blocks = np.empty((n, 2, 4), dtype=np.complex128)
    g, d = np.empty((n, n, 4), dtype=np.complex128), np.empty((n, n, 4), dtype=np.complex128)
    total = np.empty((n, n, NUMBERS))
    for copy in range(moments.shape[0]):
        m, total[:], spin[copy], charge[copy] = moments[copy], 0.0, 0.0, 1.0
        for e in range(residues.size):
            sound = chain and chain_green(
                base[e], weights[e], j_sd, m, curvature, curvature, ends, dots, blocks, g, d
            )  # fmt: skip
            if not sound:
                _dense_green(base[e], u, slopes[e], j_sd, m, curvature, planes, swapped, g, d)
            for i in range(n):
                charge[copy, i] += 4 * residues[e] * g[i, i, 0].real
                for a in range(3):
                    spin[copy, i, a] += 4 * residues[e] * g[i, i, a + 1].real
            if curvature:
                add_crossed(d, g, residues[e], total)
        if curvature:
            add_tensor(total, 1.0, geometric[copy])
            subtract_transpose(geometric[copy])


@kernel(FUSED, error_model="numpy", allocates=True)
def surface_sums(
    chain, base, rules, u, slopes, weights, j_sd, moments, with_friction, with_geometric, tensors, sizes
):  # fmt: skip
    """Sums over real energies for moments (B, N, 3): symmetric and antisymmetric part of -S of `equilibrium`.

    Args:
        chain, base, u, slopes, weights, j_sd, moments: As for `fermi_sums`.
        rules: Weights of the energies in several rules, (R, E); a weight 0 costs nothing.
        with_friction, with_geometric: What is wanted.
        tensors: Get (1/4 pi) sum_e w_e Tr sigma_a a_ij sigma_b a_ji with a = i (G - G^dag), and (1/4 pi) sum_e w_e
            (Tr sigma_a G_ij sigma_b G^dag_ji - transpose), (R, 2, B, 3N, 3N).
        sizes: Get (1/4 pi) sum_e w_e Tr G G^dag, (R, B). A level without much width next to no node hides from the
            tensors, where the width stands in the numerator, but not from this sum.
    """
    n = j_sd.size
    planes, swapped = np.empty((4, 2 * n, 2 * n)), np.empty(2 * n, dtype=np.int64)
    ends, dots = np.empty((2, n, 4), dtype=np.complex128), np.empty((2, n, 4), dtype=np.complex128)
    blocks = np.empty((n, 2, 4), dtype=np.complex128)
    g, spectral = np.empty((n, n, 4), dtype=np.complex128), np.empty((n, n, 4), dtype=np.complex128)
    total = np.empty((rules.shape[0], 2, n, n, NUMBERS))
    for copy in range(moments.shape[0]):
        m, total[:] = moments[copy], 0.0
        for e in range(rules.shape[1]):
            sound = chain and chain_green(
                base[e], weights[0], j_sd, m, False, True, ends, dots, blocks, g, spectral
            )  # fmt: skip
            if not sound:
                _dense_green(base[e], u, slopes[0], j_sd, m, False, planes, swapped, g, spectral)
            for i in range(n):
                for j in range(n):
                    for k in range(4):
                        spectral[i, j, k] = 1j * (g[i, j, k] - np.conj(g[j, i, k]))
            size = 0.0
            for x in g.reshape(-1):
                size += 2 * (x.real * x.real + x.imag * x.imag)
            for rule in range(rules.shape[0]):
                weight = rules[rule, e] / (4 * np.pi)
                sizes[rule, copy] += weight * size
                if weight != 0.0 and with_friction:
                    add_squared(spectral, weight, total[rule, 0])
                if weight != 0.0 and with_geometric:
                    add_squared(g, weight, total[rule, 1])
        for rule in range(rules.shape[0]):
            add_tensor(total[rule, 0], 1.0, tensors[rule, 0, copy])
            add_tensor(total[rule, 1], 1.0, tensors[rule, 1, copy])
            subtract_transpose(tensors[rule, 1, copy])


@part(FUSED, error_model="numpy")
def _between(g, sources, strengths, columns, out):
    """out_ij = sum_q p_q (G x_q)_i (G x_q)_j^dag in components (N, N, 4), x_q = `sources`, p_q = `strengths`."""
    n = g.shape[0]
    out[:] = 0.0
    for q in range(strengths.size):
        if strengths[q] == 0.0:
            continue
        columns[:] = 0.0
        for j in range(n):
            up, down = sources[2 * j, q], sources[2 * j + 1, q]
            if up != 0.0 or down != 0.0:
                for i in range(n):
                    g0, gx, gy, gz = g[i, j, 0], g[i, j, 1], g[i, j, 2], g[i, j, 3]
                    columns[i, 0] += (g0 + gz) * up + (gx - 1j * gy) * down
                    columns[i, 1] += (gx + 1j * gy) * up + (g0 - gz) * down
        half = 0.5 * strengths[q]
        for i in range(n):
            a, b = half * columns[i, 0], half * columns[i, 1]
            for j in range(i + 1):
                c, d = np.conj(columns[j, 0]), np.conj(columns[j, 1])
                ac, bd, ad, bc = a * c, b * d, a * d, b * c
                out[i, j, 0] += ac + bd
                out[i, j, 1] += ad + bc
                out[i, j, 2] += 1j * (ad - bc)
                out[i, j, 3] += ac - bd
    for i in range(n):
        for j in range(i):
            for k in range(4):
                out[j, i, k] = np.conj(out[i, j, k])


@kernel(FUSED, error_model="numpy", allocates=True)
def window_sums(
    chain, base, rules, u, slopes, weights, sources, strengths, others, j_sd, moments, kind, densities, tensors, sizes
):  # fmt: skip
    """Sums over real energies where leads are filled differently, for moments (B, N, 3).

    Args:
        chain, base, u, slopes, weights, j_sd, moments: As for `fermi_sums`.
        rules: Weights of the energies in several rules, (R, E).
        sources, strengths: x_q, the lead orbitals or combinations of them, (E, 2N, Q), and p_q, (E, Q), of
            W = sum_q p_q (G x_q)(G x_q)^dag.
        others: p_q of a second V, (E, Q).
        kind: 0 the densities alone, 1 tensors of D = -dG/dE with W, 2 tensors of i V with W.
        densities: Get sum_e w_e Tr[W_ii (1, sigma)]/2 pi, (R, B, N, 4).
        tensors: Get sum_e w_e Im Tr[sigma_a D_ij sigma_b W_ji]/pi, (R, B, 3N, 3N).
        sizes: Get sum_e w_e Tr G G^dag/4 pi, (R, B), which levels without width do not hide from.
    """
    n = j_sd.size
    planes, swapped = np.empty((4, 2 * n, 2 * n)), np.empty(2 * n, dtype=np.int64)
    ends, dots = np.empty((2, n, 4), dtype=np.complex128), np.empty((2, n, 4), dtype=np.complex128)
    blocks, columns = np.empty((n, 2, 4), dtype=np.complex128), np.empty((n, 2), dtype=np.complex128)
    g, d = np.empty((n, n, 4), dtype=np.complex128), np.empty((n, n, 4), dtype=np.complex128)
    between = np.empty((n, n, 4), dtype=np.complex128)
    one, total = np.empty((n, n, NUMBERS)), np.empty((rules.shape[0], n, n, NUMBERS))
    for copy in range(moments.shape[0]):
        m, total[:] = moments[copy], 0.0
        for e in range(rules.shape[1]):
            sound = chain and chain_green(
                base[e], weights[e], j_sd, m, kind == 1, True, ends, dots, blocks, g, d
            )  # fmt: skip
            if not sound:
                _dense_green(base[e], u, slopes[e], j_sd, m, kind == 1, planes, swapped, g, d)
            for which in range(2 if kind == 2 else 1):
                amount, out = (others, d) if which == 1 else (strengths, between)
                _between(g, sources[e], amount[e], columns, out)
            if kind == 2:
                for i in range(n):
                    for j in range(n):
                        for k in range(4):
                            d[i, j, k] *= 1j
            if kind > 0:
                one[:] = 0.0
                add_crossed(d, between, 1 / np.pi, one)
            size = 0.0
            for x in g.reshape(-1):
                size += 2 * (x.real * x.real + x.imag * x.imag)
            for rule in range(rules.shape[0]):
                weight = rules[rule, e]
                sizes[rule, copy] += 0.25 / np.pi * weight * size
                for i in range(n):
                    for k in range(4):
                        densities[rule, copy, i, k] += weight / np.pi * between[i, i, k].real
                if kind > 0 and weight != 0.0:
                    for i in range(n):
                        for j in range(n):
                            for k in range(NUMBERS):
                                total[rule, i, j, k] += weight * one[i, j, k]
        for rule in range(rules.shape[0] if kind > 0 else 0):
            add_tensor(total[rule], 1.0, tensors[rule, copy])
