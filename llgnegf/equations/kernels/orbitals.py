"""Compiled: what couples modes and Fermi vectors to the orbitals of matrix channels, in the place of single factors.

Called by `electrons` and `leads` where a channel has several orbitals; `equations.electrons` derives what is computed,
and how kernels are written for speed is said in `electrons`. Systems of scalar channels compile none of this.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import REORDERED, part
from llgnegf.equations.kernels.rows import axpy, clear, plain_sum, product


class Orbitals(NamedTuple):
    """The orbitals a of channels g, and how levels couple to those of their own channel.

    Attributes:
        bounds: Of each channel among the orbitals, (G + 1,).
        channel: The channel of each orbital, (Q,).
        vectors: Where the Fermi vectors of each orbital begin and end among all levels, (Q + 1,).
        couplings: Re and Im of s_ya = c_ay, of kappa_ya = w_ay^* and of the inhomogeneous terms d_ja, (6, m, M + K); a
            counts from the channel's first orbital to the m-th at most. A Fermi vector has d alone.
    """

    bounds: np.ndarray
    channel: np.ndarray
    vectors: np.ndarray
    couplings: np.ndarray


@part(REORDERED)
def orbital_sums(orbitals, bounds, q, levels, rows, real, imag, tr, ti, at):
    """t_(at + r) += sum_y s_yq C_ry^* + sum_k v_rk^*, the levels being those of the channel and of the orbital q."""
    g = orbitals.channel[q]
    b, own, mine = q - orbitals.bounds[g], bounds[0, g], orbitals.vectors[q]
    sr, si = orbitals.couplings[0, b], orbitals.couplings[1, b]
    for r in range(rows.start, rows.stop):
        here = levels[r]
        re, im = product(sr, si, own, real, imag, here + own, bounds[0, g + 1] - own)
        v_r, v_i = plain_sum(real, imag, here + mine, orbitals.vectors[q + 1] - mine)
        tr[at + r] += re + v_r
        ti[at + r] += im - v_i


@part(REORDERED)
def orbital_sources(orbitals, bounds, q, n, on, columns, tr, ti):
    """t_j += d_jq on some columns: the inhomogeneous terms of all levels of the channel."""
    g = orbitals.channel[q]
    d_real, d_imag = orbitals.couplings[4, q - orbitals.bounds[g]], orbitals.couplings[5, q - orbitals.bounds[g]]
    for bound in bounds:
        for j in range(max(bound[g], on.start - n), min(bound[g + 1], on.stop - n)):
            tr[q * columns + n + j] += d_real[j]
            ti[q * columns + n + j] += d_imag[j]


@part(REORDERED)
def orbital_flow(orbitals, g, mode, column, columns, ar, ai, gr, gi, here, width):
    """g_y = sum_a kappa_ya a_a,column, what flows into some modes of channel g from the one numbered `mode` on."""
    clear(gr, gi, here, width)
    for a in range(orbitals.bounds[g], orbitals.bounds[g + 1]):
        b, at = a - orbitals.bounds[g], a * columns + column
        axpy(ar[at], ai[at], orbitals.couplings[2, b], orbitals.couplings[3, b], mode, gr, gi, here, width)


@part(REORDERED)
def into_row(orbitals, p, row, begin, width, n, columns, channels, real, imag, d_real, d_imag, here):
    """d_j -= i sum_a kappa_row,a a_aj and t_aj += s_row,a x_j over the orbitals a of channel p, on all levels j."""
    s = orbitals.couplings
    for a in range(orbitals.bounds[p], orbitals.bounds[p + 1]):
        b, at = a - orbitals.bounds[p], a * columns + n + begin
        axpy(s[3, b, row], -s[2, b, row], channels[0], channels[1], at, d_real, d_imag, here, width)
        axpy(s[0, b, row], s[1, b, row], real, imag, here, channels[2], channels[3], at, width)


@part(REORDERED)
def onto_modes(orbitals, offset, p, row, n, columns, real, imag, here, tr, ti):
    """t_b,row += sum_j s_jb x_j^* over the orbitals b and modes j of the channels q > p."""
    for q in range(p + 1, offset.size - 1):
        j, at = offset[q], here + offset[q] - offset[p]
        for a in range(orbitals.bounds[q], orbitals.bounds[q + 1]):
            b = a - orbitals.bounds[q]
            sr, si = orbitals.couplings[0, b], orbitals.couplings[1, b]
            re, im = product(sr, si, j, real, imag, at, offset[q + 1] - j)
            tr[a * columns + n + row] += re
            ti[a * columns + n + row] += im


@part(REORDERED)
def onto_vectors(orbitals, begin, row, m, real, imag, here, f):
    """f_q,row = sum_k x_k^* over the Fermi vectors of each orbital q."""
    for q in range(orbitals.channel.size):
        k = orbitals.vectors[q]
        re, im = plain_sum(real, imag, here + k - begin, orbitals.vectors[q + 1] - k)
        f[0][q * m + row], f[1][q * m + row] = re, -im
