"""Compiled Green function of a nearest-neighbour chain and its energy derivative: O(N^2) for all pairs of sites.

Under `kernel`, which takes dense matrices where this does not apply. The recursion is that of `recursion`,
g^L and g^R the Green functions of the parts to the left and right of a site. With h_i = H_{i,i+1}, Z = 1 - dSigma/dE
and a dot for -d/dE,
    gdot^L_i = g^L_i (Z_i + h_{i-1}^dag gdot^L_{i-1} h_{i-1}) g^L_i,          gdot^R alike,
    D_ii     = G_ii (Z_i + h_{i-1}^dag gdot^L_{i-1} h_{i-1} + h_i gdot^R_{i+1} h_i^dag) G_ii,
    G_{i+1,s} = p G_is,  D_{i+1,s} = p D_is + pdot G_is  for s <= i  with p = g^R_{i+1} h_i^dag,  and its mirror image.
2 x 2 blocks are tuples (uu, ud, du, dd), so that they stay in registers.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import FUSED, part

SINGULAR = 1e-6
"""|det| over the square of the entries below which a block is too close to a level of a part of the chain: what is
folded into it would be lost in round-off. There the dense inverse with pivoting takes over."""


@part(FUSED, error_model="numpy")
def _mul(a, b):
    return (
        a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3],
    )  # fmt: skip


@part(FUSED, error_model="numpy")
def _add(a, b):
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


@part(FUSED, error_model="numpy")
def _sub(a, b):
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]


@part(FUSED, error_model="numpy")
def _inverse(a):
    """1/a, and whether it can be trusted."""
    det = a[0] * a[3] - a[1] * a[2]
    square = det.real * det.real + det.imag * det.imag
    size = 0.0
    for x in a:
        size += x.real * x.real + x.imag * x.imag
    sound = square > (SINGULAR * size) ** 2 and square > 0.0
    r = np.conj(det) / square if sound else 0.0j
    return (a[3] * r, -a[1] * r, -a[2] * r, a[0] * r), sound


@part(FUSED, error_model="numpy")
def _block(m, i, j):
    return m[2 * i, 2 * j], m[2 * i, 2 * j + 1], m[2 * i + 1, 2 * j], m[2 * i + 1, 2 * j + 1]


@part(FUSED, error_model="numpy")
def _load(blocks, i):
    return blocks[i, 0], blocks[i, 1], blocks[i, 2], blocks[i, 3]


@part(FUSED, error_model="numpy")
def _store(blocks, i, a):
    blocks[i, 0], blocks[i, 1], blocks[i, 2], blocks[i, 3] = a


@part(FUSED, error_model="numpy")
def _components(out, a):
    """out_m with a = sum_m out_m sigma_m."""
    out[0] = 0.5 * (a[0] + a[3])
    out[1] = 0.5 * (a[1] + a[2])
    out[2] = 0.5j * (a[1] - a[2])
    out[3] = 0.5 * (a[0] - a[3])


@part(FUSED, error_model="numpy")
def _own(base, j_sd, moments, i):
    """Block A_i of E - H - Sigma with the moment on it."""
    a = _block(base, i, i)
    x, y, z = j_sd[i] * moments[i, 0], j_sd[i] * moments[i, 1], j_sd[i] * moments[i, 2]
    return a[0] + z, a[1] + complex(x, -y), a[2] + complex(x, y), a[3] - z


@part(FUSED, error_model="numpy")
def _fold(base, j_sd, moments, weights, slope, ends, dots):
    """g^L (ends[0]) and g^R (ends[1]) of every site and, if `slope`, their -d/dE (dots); False if not to be trusted."""
    n = j_sd.size
    for k in range(n):
        # Two sweeps in one loop: neither waits for the other.
        for side in range(2):
            i = k if side == 0 else n - 1 - k
            before = i - 1 if side == 0 else i + 1
            block = _own(base, j_sd, moments, i)
            z = _load(weights, i)
            if k > 0:
                # -h^dag g h of E - H - Sigma: both signs of h cancel.
                inward, outward = _block(base, i, before), _block(base, before, i)
                block = _sub(block, _mul(_mul(inward, _load(ends[side], before)), outward))
                if slope:
                    z = _add(z, _mul(_mul(inward, _load(dots[side], before)), outward))
            g, sound = _inverse(block)
            if not sound:
                return False
            _store(ends[side], i, g)
            if slope:
                _store(dots[side], i, _mul(_mul(g, z), g))
    return True


@part(FUSED, error_model="numpy")
def _diagonal(base, j_sd, moments, weights, slope, ends, dots, i):
    """G_ii, D_ii (0 unless `slope`) and whether they can be trusted."""
    block, z = _own(base, j_sd, moments, i), _load(weights, i)
    for side in range(2):
        other = i - 1 if side == 0 else i + 1
        if 0 <= other < j_sd.size:
            inward, outward = _block(base, i, other), _block(base, other, i)
            block = _sub(block, _mul(_mul(inward, _load(ends[side], other)), outward))
            if slope:
                z = _add(z, _mul(_mul(inward, _load(dots[side], other)), outward))
    g, sound = _inverse(block)
    return g, _mul(_mul(g, z), g), sound


@part(FUSED, error_model="numpy")
def _propagators(base, slope, ends, dots):
    """p_i = g_i h towards each end in place of g_i, and pdot_i in place of gdot_i."""
    n = ends.shape[1]
    for side in range(2):
        for i in range(n):
            before = i + 1 if side == 0 else i - 1
            if 0 <= before < n:
                hop = _block(base, i, before)
                hop = (-hop[0], -hop[1], -hop[2], -hop[3])
                _store(ends[side], i, _mul(_load(ends[side], i), hop))
                if slope:
                    _store(dots[side], i, _mul(_load(dots[side], i), hop))


@part(FUSED, error_model="numpy")
def _column(s, slope, ends, dots, blocks, g_out, d_out):
    """G_is and D_is of all i != s from G_ss and D_ss (`blocks`): down through g^R (side 1), up through g^L (side 0)."""
    n = ends.shape[1]
    for side in range(2):
        step = 1 if side == 1 else -1
        x, y = _load(blocks, 0), _load(blocks, 1)
        i = s + step
        while 0 <= i < n:
            p = _load(ends[side], i)
            if slope:
                y = _add(_mul(p, y), _mul(_load(dots[side], i), x))
                _components(d_out[i, s], y)
            x = _mul(p, x)
            _components(g_out[i, s], x)
            i += step


@part(FUSED, error_model="numpy")
def chain_green(base, weights, j_sd, moments, slope, pairs, ends, dots, blocks, g_out, d_out):
    """Components of G_ij and, if `slope`, of D_ij = -dG_ij/dE, for all pairs or the diagonal; False if not sound.

    Args:
        base: E - H_0 - Sigma(E), (2N, 2N), block-tridiagonal, Sigma on single sites.
        weights: Z_i = 1 - dSigma_i/dE, (N, 4), blocks as (uu, ud, du, dd).
        j_sd, moments: (N,) in eV and (N, 3).
        slope, pairs: What is wanted.
        ends, dots, blocks: Work space, (2, N, 4), (2, N, 4) and (N, 2, 4), complex.
        g_out, d_out: (N, N, 4) complex.
    """
    n = j_sd.size
    if not _fold(base, j_sd, moments, weights, slope, ends, dots):
        return False
    for s in range(n):
        g, d, sound = _diagonal(base, j_sd, moments, weights, slope, ends, dots, s)
        if not sound:
            return False
        _components(g_out[s, s], g)
        _store(blocks[s], 0, g)
        if slope:
            _components(d_out[s, s], d)
            _store(blocks[s], 1, d)
    if pairs:
        _propagators(base, slope, ends, dots)
        for s in range(n):
            _column(s, slope, ends, dots, blocks[s], g_out, d_out)
    return True
