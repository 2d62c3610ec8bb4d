"""Compiled: what couples modes and Fermi vectors to the orbitals of matrix channels, in the place of single factors.

Called by `electrons` and `leads` where a channel has several orbitals; `equations.electrons` derives what is computed,
and how kernels are written for speed is said in `electrons`. Systems of scalar channels compile none of this.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import REORDERED, part
from llgnegf.equations.kernels.rows import axpy


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
def orbital_sums(orbitals, bounds, q, n, br, bi, tr, ti):
    """t_r += sum_y s_yq C_ry^* + sum_k v_rk^*, the levels being those of the channel and of the orbital q."""
    g = orbitals.channel[q]
    own, mine = slice(bounds[0, g], bounds[0, g + 1]), slice(n + orbitals.vectors[q], n + orbitals.vectors[q + 1])
    on = slice(n + bounds[0, g], n + bounds[0, g + 1])
    sr, si = orbitals.couplings[0, q - orbitals.bounds[g], own], orbitals.couplings[1, q - orbitals.bounds[g], own]
    for r in range(n):
        xr, xi, vr, vi = br[r, on], bi[r, on], br[r, mine], bi[r, mine]
        sum_r, sum_i = 0.0, 0.0
        for j in range(sr.size):
            sum_r += sr[j] * xr[j] + si[j] * xi[j]
            sum_i += si[j] * xr[j] - sr[j] * xi[j]
        for j in range(vr.size):
            sum_r += vr[j]
            sum_i -= vi[j]
        tr[r] += sum_r
        ti[r] += sum_i


@part(REORDERED)
def orbital_sources(orbitals, bounds, q, n, tr, ti):
    """t_j += d_jq: the inhomogeneous terms of all levels of the channel."""
    g = orbitals.channel[q]
    d_real, d_imag = orbitals.couplings[4, q - orbitals.bounds[g]], orbitals.couplings[5, q - orbitals.bounds[g]]
    for bound in bounds:
        for j in range(bound[g], bound[g + 1]):
            tr[n + j] += d_real[j]
            ti[n + j] += d_imag[j]


@part(REORDERED)
def orbital_flow(orbitals, offset, r, ar, ai, gr, gi):
    """g_y = sum_a kappa_ya a_ar, what flows into the modes from column r."""
    for g in range(offset.size - 1):
        own, first = slice(offset[g], offset[g + 1]), orbitals.bounds[g]
        to_r, to_i = gr[own], gi[own]
        to_r[:], to_i[:] = 0.0, 0.0
        for a in range(orbitals.bounds[g + 1] - first):
            axpy(ar[first + a, r], ai[first + a, r], orbitals.couplings[2, a, own], orbitals.couplings[3, a, own],
                  to_r, to_i)  # fmt: skip


@part(REORDERED)
def orbital_blocks(orbitals, bounds, levels, energy, n, a, real, imag, t, d_real, d_imag):
    """dW and dY, and what W and Y add to T on the mode and vector columns, as `electrons._level_blocks`:

        dW_ij = -i [(chi_i - chi_j^*) W_ij + sum_a kappa_ia a_aj - (sum_b kappa_jb a_bi)^*],  T_aj += sum_y s_ya W_yj
        dY_yk = -i [(chi_y - z_k^*) Y_yk + sum_a kappa_ya a_ak],   T_ak += sum_y s_ya Y_yk
                                                                   T_aj += sum_{k of a} Y_jk^*

    Rows i are the modes of the channels from that of the columns on, then all Fermi vectors (Y^dag).
    """
    offset, here = bounds[0], 0
    groups = offset.size - 1
    for p in range(groups):
        width, columns = offset[p + 1] - offset[p], slice(offset[p], offset[p + 1])
        right = (energy[columns], levels.imag[columns])
        for q in range(p, groups):
            for row in range(offset[q], offset[q + 1]):
                x, d, here = _next(real, imag, d_real, d_imag, here, width)
                _turn(energy[row], levels.imag[row], right, x, d)
                _from_columns(orbitals, p, columns, n, row, a, d)
                _rows(orbitals, q, columns, n, row, a, x, t, d)
                if q != p:
                    _on_row(orbitals, p, columns, n, row, x, t)
        for q in range(orbitals.channel.size):
            on = slice(n + offset[p], n + offset[p + 1])
            tr, ti = t[0][q, on], t[1][q, on]
            for row in range(orbitals.vectors[q], orbitals.vectors[q + 1]):
                x, d, here = _next(real, imag, d_real, d_imag, here, width)
                _turn(energy[row], levels.imag[row], right, x, d)
                _from_columns(orbitals, p, columns, n, row, a, d)
                xr, xi = x
                for j in range(width):
                    tr[j] += xr[j]
                    ti[j] += xi[j]
                _on_row(orbitals, p, columns, n, row, x, t)


@part(REORDERED)
def _next(real, imag, d_real, d_imag, here, width):
    """The next row of a packed plane, of its derivative, and where it ends."""
    on = slice(here, here + width)
    return (real[on], imag[on]), (d_real[on], d_imag[on]), here + width


@part(REORDERED)
def _turn(e_r, e_i, right, x, d):
    """d = -i (e - e_j^*) x."""
    cr, ci, xr, xi, dr, di = right[0], right[1], x[0], x[1], d[0], d[1]
    for j in range(dr.size):
        gap, decay = e_r - cr[j], e_i + ci[j]
        dr[j] = gap * xi[j] + decay * xr[j]
        di[j] = decay * xi[j] - gap * xr[j]


@part(REORDERED)
def _from_columns(orbitals, p, columns, n, row, a, d):
    """d += i (sum_b kappa_jb a_b,row)^* over the orbitals b of channel p."""
    dr, di, first = d[0], d[1], orbitals.bounds[p]
    for b in range(orbitals.bounds[p + 1] - first):
        kr, ki = orbitals.couplings[2, b, columns], orbitals.couplings[3, b, columns]
        g_r, g_i = a[0][first + b, n + row], a[1][first + b, n + row]
        for j in range(dr.size):
            dr[j] += kr[j] * g_i + ki[j] * g_r
            di[j] += kr[j] * g_r - ki[j] * g_i


@part(REORDERED)
def _rows(orbitals, q, columns, n, row, a, x, t, d):
    """d -= i sum_a kappa_row,a a_aj and t_aj += s_row,a x_j over the orbitals a of channel q."""
    xr, xi, dr, di, first, s = x[0], x[1], d[0], d[1], orbitals.bounds[q], orbitals.couplings
    on = slice(n + columns.start, n + columns.stop)
    for b in range(orbitals.bounds[q + 1] - first):
        k_r, k_i, s_r, s_i = s[2, b, row], s[3, b, row], s[0, b, row], s[1, b, row]
        ar, ai, tr, ti = a[0][first + b, on], a[1][first + b, on], t[0][first + b, on], t[1][first + b, on]
        for j in range(dr.size):
            dr[j] += k_r * ai[j] + k_i * ar[j]
            di[j] -= k_r * ar[j] - k_i * ai[j]
        for j in range(dr.size):
            tr[j] += s_r * xr[j] - s_i * xi[j]
            ti[j] += s_r * xi[j] + s_i * xr[j]


@part(REORDERED)
def _on_row(orbitals, p, columns, n, row, x, t):
    """t_b,row += sum_j s_jb x_j^* over the orbitals b of channel p."""
    xr, xi, first = x[0], x[1], orbitals.bounds[p]
    for b in range(orbitals.bounds[p + 1] - first):
        sr, si = orbitals.couplings[0, b, columns], orbitals.couplings[1, b, columns]
        sum_r, sum_i = 0.0, 0.0
        for j in range(xr.size):
            sum_r += sr[j] * xr[j] + si[j] * xi[j]
            sum_i += si[j] * xr[j] - sr[j] * xi[j]
        t[0][first + b, n + row] += sum_r
        t[1][first + b, n + row] += sum_i
