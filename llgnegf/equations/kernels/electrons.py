"""The compiled right-hand side of the electronic equation of motion: d(B, W, Y)/d(t/hbar).

Called by `equations.electrons`, which derives what is computed here; `layout` says what B, W and Y are. Cost
O(nnz(H) (n + M + K) + M^2 + M K); nothing is allocated.

The M coupling modes and the K Fermi vectors are handled as one list of levels, modes first: a Fermi vector is a level
of energy z with kappa = 0 (nothing flows into it) and s = 1.

How it is written for speed: real and imaginary parts in separate planes; innermost loops run from 0 over whole
contiguous slices, because that is what the compiler turns into vector instructions. An index that might be negative
(a sum of two variables) keeps it from doing so, hence slices. A factor -i goes into the coefficients:
-i (a + i b) = b - i a.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import REORDERED, kernel, part
from llgnegf.equations.kernels.leads import lead_sums, levels_of, outflow, sd_coupling, sd_torque
from llgnegf.equations.kernels.moments import moment_rates
from llgnegf.equations.kernels.orbitals import orbital_blocks, orbital_flow, orbital_sources
from llgnegf.equations.kernels.rows import axpy

GROUP = 32
"""Rows of the density matrix that are finished together while they are in a near cache; a multiple of 8."""


class Workspace(NamedTuple):
    """Memory of one call of `electronic_rhs`.

    Attributes:
        levels: Energies of the levels, Re and Im of the flow into them, (3, M + K), zero at first.
        sd: -J_i M_i, (N, 3).
        channels: Re and Im of a_q = u_q^dag B and of T_q of the orbitals, (4, Q, n + M + K).
    """

    levels: np.ndarray
    sd: np.ndarray
    channels: np.ndarray

    @classmethod
    def of(cls, n_sites: int, n_levels: int, n_channels: int) -> Workspace:
        """Zeros."""
        shapes = (3, n_levels), (n_sites, 3), (4, n_channels, 2 * n_sites + n_levels)
        return cls(*(np.zeros(shape) for shape in shapes))


@part(REORDERED)
def _axpy_pair(ar, ai, xr, xi, br, bi, yr, yi, dr, di):
    """d += a x + b y for split complex rows: one pass over d for two products."""
    for c in range(dr.size):
        x_r, x_i, y_r, y_i = xr[c], xi[c], yr[c], yi[c]
        dr[c] += ar * x_r - ai * x_i + br * y_r - bi * y_i
        di[c] += ar * x_i + ai * x_r + br * y_i + bi * y_r


@part(REORDERED)
def _spin_and_hops(z, x, y, h, k, own, other, p, q, d):
    """d = -i [z own + (x - i y) other + h p + k q] for pairs of split rows and real numbers h, k: one pass for most."""
    own_r, own_i, other_r, other_i, dr, di = own[0], own[1], other[0], other[1], d[0], d[1]
    pr, pi, qr, qi = p[0], p[1], q[0], q[1]
    for c in range(dr.size):
        a_r, a_i, b_r, b_i, p_r, p_i, q_r, q_i = own_r[c], own_i[c], other_r[c], other_i[c], pr[c], pi[c], qr[c], qi[c]
        dr[c] = z * a_i + x * b_i - y * b_r + h * p_i + k * q_i
        di[c] = -z * a_r - x * b_r - y * b_i - h * p_r - k * q_r


@part(REORDERED)
def _right_action(er, ei, kr, ki, gr, gi, xr, xi, dr, di):
    """d += i [e^* x + (k g)^*] for split complex rows."""
    for j in range(xr.size):
        x_r, x_i, k_r, k_i, g_r, g_i = xr[j], xi[j], kr[j], ki[j], gr[j], gi[j]
        dr[j] += ei[j] * x_r - er[j] * x_i + k_i * g_r + k_r * g_i
        di[j] += er[j] * x_r + ei[j] * x_i + k_r * g_r - k_i * g_i


@part(REORDERED)
def _project(u, br, bi, ar, ai):
    """a_q = u_q^dag B for every orbital."""
    for q in range(u.start.size - 1):
        for c in range(br.shape[1]):
            ar[q, c], ai[q, c] = 0.0, 0.0
        for p in range(u.start[q], u.start[q + 1]):
            axpy(u.real[p], -u.imag[p], br[u.column[p]], bi[u.column[p]], ar[q], ai[q])


@part(REORDERED)
def _sources(e, orbitals, n, br, bi, ar, ai, tr, ti):
    """Starts T_q: P_q^* on the density-matrix columns, the inhomogeneous terms D and c_k, wide-band self-energies."""
    u, levels = e.vectors, levels_of(e)
    for q in range(e.lead.size):
        for c in range(br.shape[1]):
            tr[q, c], ti[q, c] = 0.0, 0.0
        lead_sums(orbitals, e.bounds, levels.s, q, n, br, bi, tr[q], ti[q])
        if orbitals is None:
            for bound in e.bounds:
                for j in range(bound[q], bound[q + 1]):
                    tr[q, n + j] += levels.d_real[j]
                    ti[q, n + j] += levels.d_imag[j]
        else:
            orbital_sources(orbitals, e.bounds, q, n, tr[q], ti[q])
        if e.wide[q] != 0.0:
            axpy(0.0, -0.5 * e.wide[q], ar[q], ai[q], tr[q], ti[q])
            for p in range(u.start[q], u.start[q + 1]):
                tr[q, u.column[p]] += 0.25 * e.wide[q] * u.imag[p]
                ti[q, u.column[p]] += 0.25 * e.wide[q] * u.real[p]


@part(REORDERED)
def _block(first, p, own, columns, left, right, a, g, x, d, t, u):
    """d = -i [(e_i - e_j^*) x_ij + k_i a_q(i),j - (k_j g_i)^*], and what x adds to T.

        t_q,j += sum_{i in q} s_i x_ij,    u_i += sum_j s_j x_ij^*

    Args:
        first: Bounds of the channels q among the rows' levels.
        p, own: The first channel of the rows; the channel whose rows leave u alone.
        columns: Where the columns are in a and t.
        left, right: (Re e, Im e, Re k, Im k, s) of the rows and of the columns.
        a, t: (Q, columns), a pair (real, imag); g, u: on the rows, pairs.
        x, d: Pairs of matrices; d is written, t and u are added to.
    """
    cr, ci, kr, ki, s = right
    for q in range(p, first.size - 1):
        rows = slice(first[q] - first[p], first[q + 1] - first[p])
        er, ei, lr, li, weight = left[0][rows], left[1][rows], left[2][rows], left[3][rows], left[4][rows]
        gr, gi, ur, ui = g[0][rows], g[1][rows], u[0][rows], u[1][rows]
        ar, ai, tr, ti = a[0][q, columns], a[1][q, columns], t[0][q, columns], t[1][q, columns]
        xr, xi, dr, di = x[0][rows], x[1][rows], d[0][rows], d[1][rows]
        for i in range(xr.shape[0]):
            e_r, e_i, l_r, l_i, g_r, g_i = er[i], ei[i], lr[i], li[i], gr[i], gi[i]
            sum_r, sum_i = 0.0, 0.0
            if l_r == 0.0 and l_i == 0.0:  # a Fermi vector
                for j in range(xr.shape[1]):
                    x_r, x_i, gap, decay = xr[i, j], xi[i, j], e_r - cr[j], e_i + ci[j]
                    sum_r += s[j] * x_r
                    sum_i += s[j] * x_i
                    dr[i, j] = gap * x_i + decay * x_r + ki[j] * g_r + kr[j] * g_i
                    di[i, j] = decay * x_i - gap * x_r + kr[j] * g_r - ki[j] * g_i
            else:
                for j in range(xr.shape[1]):
                    x_r, x_i, gap, decay = xr[i, j], xi[i, j], e_r - cr[j], e_i + ci[j]
                    sum_r += s[j] * x_r
                    sum_i += s[j] * x_i
                    dr[i, j] = gap * x_i + decay * x_r + l_r * ai[j] + l_i * ar[j] + ki[j] * g_r + kr[j] * g_i
                    di[i, j] = decay * x_i - gap * x_r - l_r * ar[j] + l_i * ai[j] + kr[j] * g_r - ki[j] * g_i
            w = weight[i]
            for j in range(xr.shape[1]):
                tr[j] += w * xr[i, j]
                ti[j] += w * xi[i, j]
            if q != own:
                ur[i] += sum_r
                ui[i] -= sum_i


@part(REORDERED)
def _matrices(real, imag, first, rows, columns):
    """A block of a packed plane as two matrices."""
    last = first + rows * columns
    return real[first:last].reshape(rows, columns), imag[first:last].reshape(rows, columns)


@part(REORDERED)
def _some(levels, energy, here):
    """(Re e + V, Im e, Re kappa, Im kappa, s) of some levels."""
    return energy[here], levels.imag[here], levels.kappa_real[here], levels.kappa_imag[here], levels.s[here]


@part(REORDERED)
def _level_blocks(orbitals, bounds, levels, energy, n, a, real, imag, t, d_real, d_imag):
    """dW and dY, and what W and Y add to T on the mode and vector columns.

        dW_ij = -i [(chi_i - chi_j^*) W_ij + kappa_i a_q(i),j - kappa_j^* a_q(j),i^*],  T_q,j += sum_{y in q} s_y W_yj
        dY_yk = -i [(chi_y - z_k^*) Y_yk + kappa_y a_q(y),k],      T_q,k += sum_{y in q} s_y Y_yk
                                                                   T_q,j += sum_{k in q} Y_jk^*

    Y^dag obeys the equation of W, its rows being the levels k. `energy` is Re chi + V and Re z + V.
    """
    if orbitals is not None:
        orbital_blocks(orbitals, bounds, levels, energy, n, a, real, imag, t, d_real, d_imag)
        return
    offset, here = bounds[0], 0
    m = offset[-1]
    for p in range(offset.size - 1):
        width = offset[p + 1] - offset[p]
        on = slice(n + offset[p], n + offset[p + 1])
        right = _some(levels, energy, slice(offset[p], offset[p + 1]))
        for kind in range(2):  # W_qp of the channels q from p on, then (Y_p)^dag of all
            start, stop, q, own = (offset[p], m, p, p) if kind == 0 else (m, energy.size, 0, -1)
            height, on_rows = stop - start, slice(n + start, n + stop)
            _block(
                bounds[kind], q, own, on, _some(levels, energy, slice(start, stop)), right,
                a, (a[0][p, on_rows], a[1][p, on_rows]),
                _matrices(real, imag, here, height, width), _matrices(d_real, d_imag, here, height, width),
                t, (t[0][p, on_rows], t[1][p, on_rows]),
            )  # fmt: skip
            here += height * width


@part(REORDERED)
def _device_rows(e, orbitals, sd, energy, flow, n, br, bi, ar, ai, tr, ti, dbr, dbi):
    """dB: left action E = -i (H B + sum_q u_q T_q) on all columns, right action on the levels', d rho = E + E^dag."""
    h, u, levels, offset = e.hamiltonian, e.vectors, levels_of(e), e.bounds[0]
    gr, gi = flow
    for r in range(n):
        if orbitals is None:
            for q in range(offset.size - 1):  # (rho u_q)_r = (u_q^dag rho)_r^*
                gr[offset[q] : offset[q + 1]] = ar[q, r]
                gi[offset[q] : offset[q + 1]] = ai[q, r]
        else:
            orbital_flow(orbitals, offset, r, ar, ai, gr, gi)
        start, last = h.start[r], h.start[r + 1]
        two = last - start >= 2 and h.imag[start] == 0.0 and h.imag[start + 1] == 0.0
        j, k, h_j, h_k = r, r, 0.0, 0.0
        if two:
            j, k, h_j, h_k = h.column[start], h.column[start + 1], h.real[start], h.real[start + 1]
            start += 2
        sign, other = (1.0, r + 1) if r % 2 == 0 else (-1.0, r - 1)
        x, y, z = sd[r // 2, 0], sd[r // 2, 1], sd[r // 2, 2]
        _spin_and_hops(
            sign * z, x, sign * y, h_j, h_k, (br[r], bi[r]), (br[other], bi[other]), (br[j], bi[j]), (br[k], bi[k]),
            (dbr[r], dbi[r]),
        )  # fmt: skip
        for p in range(start, last - 1, 2):
            j, k = h.column[p], h.column[p + 1]
            _axpy_pair(
                h.imag[p], -h.real[p], br[j], bi[j], h.imag[p + 1], -h.real[p + 1], br[k], bi[k], dbr[r], dbi[r]
            )
        if (last - start) % 2:
            j = h.column[last - 1]
            axpy(h.imag[last - 1], -h.real[last - 1], br[j], bi[j], dbr[r], dbi[r])
        _right_action(
            energy, levels.imag, levels.kappa_real, levels.kappa_imag, gr, gi, br[r, n:], bi[r, n:],
            dbr[r, n:], dbi[r, n:],
        )  # fmt: skip
        if r % GROUP == GROUP - 1 or r == n - 1:
            first = r - r % GROUP
            for q in range(e.lead.size):
                for p in range(u.start[q], u.start[q + 1]):
                    if first <= u.column[p] <= r:
                        axpy(u.imag[p], -u.real[p], tr[q], ti[q], dbr[u.column[p]], dbi[u.column[p]])
            _add_adjoint(first, r + 1, dbr, dbi)


@part(REORDERED)
def _add_adjoint(first, stop, dbr, dbi):
    """d rho = E + E^dag, Hermitian to the last bit, for rows of E just written: on and left of the diagonal, and the
    mirror image of that above."""
    left = first if stop - first == GROUP else 0
    if left:
        for eight in range(first, stop, 8):
            _add_mirrored(eight, left, 1.0, dbr)
            _add_mirrored(eight, left, -1.0, dbi)
    for r in range(first, stop):
        for c in range(left, r + 1):
            real, imag = dbr[r, c] + dbr[c, r], dbi[r, c] - dbi[c, r]
            dbr[r, c], dbr[c, r] = real, real
            dbi[r, c], dbi[c, r] = imag, -imag


@part(REORDERED)
def _add_mirrored(first, left, sign, d):
    """x_rc += sign x_cr, then x_cr = sign x_rc, for 8 rows from `first` and the first `left` columns.

    The mirror image is a cache line in each of the rows c.
    """
    a0, a1, a2, a3 = d[first], d[first + 1], d[first + 2], d[first + 3]
    a4, a5, a6, a7 = d[first + 4], d[first + 5], d[first + 6], d[first + 7]
    for c in range(left):
        row = d[c, first : first + 8]
        x0, x1, x2, x3 = a0[c] + sign * row[0], a1[c] + sign * row[1], a2[c] + sign * row[2], a3[c] + sign * row[3]
        x4, x5, x6, x7 = a4[c] + sign * row[4], a5[c] + sign * row[5], a6[c] + sign * row[6], a7[c] + sign * row[7]
        a0[c], a1[c], a2[c], a3[c], a4[c], a5[c], a6[c], a7[c] = x0, x1, x2, x3, x4, x5, x6, x7
        row[0], row[1], row[2], row[3] = sign * x0, sign * x1, sign * x2, sign * x3
        row[4], row[5], row[6], row[7] = sign * x4, sign * x5, sign * x6, sign * x7


@part(REORDERED)
def _shifted(e, orbitals, levels, voltage, energy):
    """Re chi + V and Re z + V."""
    for bound in e.bounds:
        if orbitals is None:
            for q in range(e.lead.size):
                for j in range(bound[q], bound[q + 1]):
                    energy[j] = levels.real[j] + voltage[q]
        else:
            for g in range(bound.size - 1):
                for j in range(bound[g], bound[g + 1]):
                    energy[j] = levels.real[j] + voltage[orbitals.bounds[g]]


@kernel(REORDERED)
def electronic_rhs(e, work, moments, voltage, state, derivative):
    """d(electrons)/d(t/hbar), and the flow into the leads, into `derivative`; the moments' part is left alone.

    Args:
        e, work: `Electrons` and `Workspace`.
        moments: (N, 3).
        voltage: V_q(t) of every orbital in eV, (Q,).
        state, derivative: Vectors in the order of `layout`.
    """
    n, count, levels = 2 * moments.shape[0], e.levels.shape[1], levels_of(e)
    columns, device = n + count, n * (n + count)
    real, imag = state[: e.n_complex], state[e.n_complex : 2 * e.n_complex]
    d_real, d_imag = derivative[: e.n_complex], derivative[e.n_complex : 2 * e.n_complex]
    br, bi = real[:device].reshape(n, columns), imag[:device].reshape(n, columns)
    dbr, dbi = d_real[:device].reshape(n, columns), d_imag[:device].reshape(n, columns)
    energy, flow = work.levels[0], (work.levels[1], work.levels[2])
    ar, ai, tr, ti = work.channels[0], work.channels[1], work.channels[2], work.channels[3]
    sd_coupling(e.j_sd, moments, work.sd)
    _shifted(e, e.orbitals, levels, voltage, energy)
    _project(e.vectors, br, bi, ar, ai)
    _sources(e, e.orbitals, n, br, bi, ar, ai, tr, ti)
    _level_blocks(
        e.orbitals, e.bounds, levels, energy, n, (ar, ai), real[device:], imag[device:], (tr, ti), d_real[device:],
        d_imag[device:],
    )  # fmt: skip
    _device_rows(e, e.orbitals, work.sd, energy, flow, n, br, bi, ar, ai, tr, ti, dbr, dbi)
    outflow(e, work.sd, tr, ti, derivative[derivative.size - 5 * e.n_leads :].reshape(e.n_leads, 5))


@kernel()
def coupled_rhs(e, work, magnet, moments, linear, torque, voltage, state, derivative):
    """`electronic_rhs` and the LLG equation under its torque, in one call; `torque` (N, 3) holds the external ones."""
    electronic_rhs(e, work, moments, voltage, state, derivative)
    sd_torque(e, state, moments, torque)
    first = 2 * e.n_complex
    out = derivative[first : first + 3 * moments.shape[0]].reshape(moments.shape[0], 3)
    moment_rates(magnet, moments, linear, torque, out)
