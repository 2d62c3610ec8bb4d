"""Compiled: what happens to the device rows B = [rho | C_device,mode | v_k] of the state.

Called by `electrons`. Rows and columns are taken in parts: parts of a size that stays in a near cache, and that threads
share. Columns are numbered as in B; planes of the state begin with B.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from llgnegf._compile import REORDERED, part
from llgnegf.equations.kernels.halves import (
    add_sources,
    mirror_rows,
    right_action,
    sources_of_rows,
    whole_rows,
)
from llgnegf.equations.kernels.leads import flow_into_levels, lead_sums, levels_of
from llgnegf.equations.kernels.orbitals import orbital_sources
from llgnegf.equations.kernels.rows import (
    axpy,
    axpy_pair,
    clear,
    four_hops,
    four_hops_on_levels,
    real_four,
    two_hops,
    two_hops_on_levels,
)

ROWS = 8
"""Rows of which mirror images are added together, and the most of which lead sums are taken together."""
NEAREST = 2**13
"""Bytes of the rows of which lead sums are taken together, levels' columns alone: long rows are read one by one."""


@part(REORDERED)
def _sources_of_levels(e, q, n, on, columns, tr, ti):
    """t_j += d_j on some columns: the inhomogeneous terms of a channel's levels."""
    levels = levels_of(e)
    for bound in e.bounds:
        for j in range(max(bound[q], on.start - n), min(bound[q + 1], on.stop - n)):
            tr[q * columns + n + j] += levels.d_real[j]
            ti[q * columns + n + j] += levels.d_imag[j]


@part(REORDERED)
def _onto_orbital(u, q, at, first, xr, xi, ar, ai, here, width):
    """a = u_q^dag x for rows x that begin at `at` + `first`."""
    p, last = u.start[q], u.start[q + 1]
    while p + 3 < last and u.imag[p] == u.imag[p + 1] == u.imag[p + 2] == u.imag[p + 3] == 0.0:
        real_four(
            (u.real[p], u.real[p + 1]), (u.real[p + 2], u.real[p + 3]), 1.0, xr, xi,
            (at[u.column[p]] + first, at[u.column[p + 1]] + first),
            (at[u.column[p + 2]] + first, at[u.column[p + 3]] + first), ar, ai, here, width,
        )  # fmt: skip
        p += 4
    for k in range(p, last):
        axpy(u.real[k], -u.imag[k], xr, xi, at[u.column[k]] + first, ar, ai, here, width)


@part(REORDERED)
def gather(e, orbitals, diagonals, work, n, on, real, imag):
    """On some columns a_q = u_q^dag B of every orbital, and the start of T_q.

    On columns of the density matrix T_q is P_q^*, made of the rows of the same numbers; on those of levels the
    inhomogeneous terms D and c_k. Wide-band self-energies act on all.
    """
    u, width, columns = e.vectors, on.stop - on.start, n + work.energy.size
    if diagonals is not None and on.start < n:
        whole_rows(diagonals, e.density_rows, on, real, imag, work.edges)
    at, start = (e.density_rows, on.start) if on.start < n else (e.level_rows, on.start - n)
    ar, ai, tr, ti = work.channels[0], work.channels[1], work.channels[2], work.channels[3]
    for q in range(e.lead.size):
        here = q * columns + on.start
        clear(ar, ai, here, width)
        clear(tr, ti, here, width)
        if diagonals is None or on.start >= n:
            _onto_orbital(u, q, at, start, real, imag, ar, ai, here, width)
        else:
            _onto_orbital(u, q, diagonals.edge, on.start, work.edges[0], work.edges[1], ar, ai, here, width)
        if e.wide[q] != 0.0:
            axpy(0.0, -0.5 * e.wide[q], ar, ai, here, tr, ti, here, width)
            for k in range(u.start[q], u.start[q + 1]):
                if on.start <= u.column[k] < on.stop:
                    tr[q * columns + u.column[k]] += 0.25 * e.wide[q] * u.imag[k]
                    ti[q * columns + u.column[k]] += 0.25 * e.wide[q] * u.real[k]
        if orbitals is None:
            _sources_of_levels(e, q, n, on, columns, tr, ti)
        else:
            orbital_sources(orbitals, e.bounds, q, n, on, columns, tr, ti)
    if on.start < n:
        s = levels_of(e).s
        together = max(1, min(ROWS, NEAREST // (16 * max(work.energy.size, 1))))
        for r in range(on.start, on.stop, together):
            here = slice(r, min(r + together, on.stop))
            for q in range(e.lead.size):
                lead_sums(orbitals, e.bounds, s, q, e.level_rows, here, real, imag, tr, ti, q * columns)
        if diagonals is not None:
            sources_of_rows(diagonals, e.attached, e.channel_rows, tr, ti, on, work.edges)


@part(REORDERED)
def _add_product(matrix, p, last, at, first, xr, xi, dr, di, here, width):
    """d -= i sum_p m_p x_p for the entries p of a row of a sparse matrix."""
    while p + 3 < last and matrix.imag[p] == matrix.imag[p + 1] == matrix.imag[p + 2] == matrix.imag[p + 3] == 0.0:
        real_four(
            (matrix.real[p], matrix.real[p + 1]), (matrix.real[p + 2], matrix.real[p + 3]), -1.0, xi, xr,
            (at[matrix.column[p]] + first, at[matrix.column[p + 1]] + first),
            (at[matrix.column[p + 2]] + first, at[matrix.column[p + 3]] + first), dr, di, here, width,
        )  # fmt: skip
        p += 4
    while p + 1 < last:
        axpy_pair(
            matrix.imag[p], -matrix.real[p], matrix.imag[p + 1], -matrix.real[p + 1], xr, xi,
            at[matrix.column[p]] + first, at[matrix.column[p + 1]] + first, dr, di, here, width,
        )  # fmt: skip
        p += 2
    if p < last:
        axpy(matrix.imag[p], -matrix.real[p], xr, xi, at[matrix.column[p]] + first, dr, di, here, width)


@part(REORDERED)
def _real_hops(h, r, at, first):
    """The real entries that row r of H begins with, four at most, where the rows of B that they lead to begin on some
    columns, and how many there are; 0 and row r itself in the place of those that it does not have."""
    own, start, count = at[r] + first, h.start[r], 0
    while count < min(4, h.start[r + 1] - start) and h.imag[start + count] == 0.0:
        count += 1
    f, p = (h.real[start], at[h.column[start]] + first) if count > 0 else (0.0, own)
    g, q = (h.real[start + 1], at[h.column[start + 1]] + first) if count > 1 else (0.0, own)
    k, s = (h.real[start + 2], at[h.column[start + 2]] + first) if count > 2 else (0.0, own)
    m, t = (h.real[start + 3], at[h.column[start + 3]] + first) if count > 3 else (0.0, own)
    return (f, g, k, m), (p, q, s, t), count


@part(REORDERED)
def _other_hops(h, r, count, at, first, real, imag, d_real, d_imag, width):
    """dB -= i H B on a row and some columns, without the first `count` entries of H; rows of B have the first of the
    columns at `at` + `first`."""
    p = h.start[r] + count
    if p < h.start[r + 1]:
        _add_product(h, p, h.start[r + 1], at, first, real, imag, d_real, d_imag, at[r] + first, width)


@part(REORDERED)
def _add_sources(e, work, r, on, d_real, d_imag, here):
    """dB -= i sum_q u_q T_q on a row and some columns, the first of which is at `here`."""
    u, p = e.attached, e.attached.start[r]
    if p < u.start[r + 1]:
        tr, ti = work.channels[2], work.channels[3]
        _add_product(u, p, u.start[r + 1], e.channel_rows, on.start, tr, ti, d_real, d_imag, here, on.stop - on.start)


@part(REORDERED)
def left_action(e, work, rows, on, real, imag, d_real, d_imag):
    """d rho = -i H rho on some rows and columns."""
    at, first, width, sd = e.density_rows, on.start, on.stop - on.start, work.sd
    for r in range(rows.start, rows.stop, 2):  # both spins of a site
        up, down = at[r] + first, at[r + 1] + first
        spin = sd[r // 2, 0], sd[r // 2, 1], sd[r // 2, 2]
        h, to, used = _real_hops(e.hamiltonian, r, at, first)
        k, others, used_down = _real_hops(e.hamiltonian, r + 1, at, first)
        if used > 2 or used_down > 2:
            four_hops(spin, h, k, real, imag, up, down, to, others, d_real, d_imag, up, d_real, d_imag, down, width)
        else:
            two_hops(
                spin, h[:2], k[:2], real, imag, up, down, to[:2], others[:2], d_real, d_imag, up, d_real, d_imag, down,
                width,
            )  # fmt: skip
        _other_hops(e.hamiltonian, r, used, at, first, real, imag, d_real, d_imag, width)
        _other_hops(e.hamiltonian, r + 1, used_down, at, first, real, imag, d_real, d_imag, width)


@part(REORDERED)
def level_columns(e, orbitals, work, n, piece, rows, real, imag, d_real, d_imag):
    """dB on some rows and all columns of levels, both actions in one pass over most of a row:

        dB_rj = -i [(H B + sum_q u_q T_q)_rj - B_rj e_j^* - (kappa_j (u_q^dag rho)_r)^*]
    """
    levels, width, columns, sd = levels_of(e), work.energy.size, n + work.energy.size, work.sd
    gr, gi, on, at = work.flow[0, piece], work.flow[1, piece], slice(n, columns), e.level_rows
    for r in range(rows.start, rows.stop, 2):
        flow_into_levels(e, orbitals, work, 0, r, gr, gi, 0)  # (rho u_q)_r = (u_q^dag rho)_r^*
        flow_into_levels(e, orbitals, work, 0, r + 1, gr, gi, width)
        up, down, spin = at[r], at[r + 1], (sd[r // 2, 0], sd[r // 2, 1], sd[r // 2, 2])
        h, to, used = _real_hops(e.hamiltonian, r, at, 0)
        k, others, used_down = _real_hops(e.hamiltonian, r + 1, at, 0)
        if used > 2 or used_down > 2:
            four_hops_on_levels(
                spin, h, k, work.energy, levels.imag, levels.kappa_real, levels.kappa_imag, gr, gi, width,
                real, imag, up, down, to, others, d_real, d_imag, up, d_real, d_imag, down, width,
            )  # fmt: skip
        else:
            two_hops_on_levels(
                spin, h[:2], k[:2], work.energy, levels.imag, levels.kappa_real, levels.kappa_imag, gr, gi, width,
                real, imag, up, down, to[:2], others[:2], d_real, d_imag, up, d_real, d_imag, down, width,
            )  # fmt: skip
        _other_hops(e.hamiltonian, r, used, at, 0, real, imag, d_real, d_imag, width)
        _other_hops(e.hamiltonian, r + 1, used_down, at, 0, real, imag, d_real, d_imag, width)
        _add_sources(e, work, r, on, d_real, d_imag, up)
        _add_sources(e, work, r + 1, on, d_real, d_imag, down)


@part(REORDERED)
def density_tiles(e, work, n, rows, on, real, imag, d_real, d_imag):
    """d rho = E + E^dag on a tile of rho, not above the diagonal, and on its mirror image; E = -i (H rho + u T)."""
    columns = n + work.energy.size
    for k in range(1 if rows.start == on.start else 2):
        one, other = (rows, on) if k == 0 else (on, rows)
        left_action(e, work, one, other, real, imag, d_real, d_imag)
        for r in range(one.start, one.stop):
            _add_sources(e, work, r, other, d_real, d_imag, e.density_rows[r] + other.start)
    dbr, dbi = d_real[: n * columns].reshape(n, columns), d_imag[: n * columns].reshape(n, columns)
    for first in range(rows.start, rows.stop, ROWS):
        stop, left = min(first + ROWS, rows.stop), on.start
        if stop - first == ROWS:
            left = min(first, on.stop)
            _add_mirrored(first, slice(on.start, left), 1.0, dbr)
            _add_mirrored(first, slice(on.start, left), -1.0, dbi)
        for r in range(first, stop):  # Hermitian to the last bit
            for c in range(left, min(r + 1, on.stop)):
                re, im = dbr[r, c] + dbr[c, r], dbi[r, c] - dbi[c, r]
                dbr[r, c], dbr[c, r] = re, re
                dbi[r, c], dbi[c, r] = im, -im


@part(REORDERED)
def lower_rows(e, diagonals, work, rows, real, imag, d_real, d_imag):
    """d rho = E + E^dag on some rows up to their site, and on what mirrors them above the diagonal.

    (E^dag)_rc = i [(rho H)_rc + sum_q (u_qc T_qr)^*]: no row of E above the diagonal is needed.
    """
    for r in range(rows.start, rows.stop, 2):
        left_action(e, work, slice(r, r + 2), slice(0, r + 2), real, imag, d_real, d_imag)
        right_action(diagonals, r, e.density_rows[r], e.density_rows[r + 1], real, imag, d_real, d_imag)
        for s in range(r, r + 2):
            add_sources(diagonals, s, r + 2, e.density_rows[s], work.edges, d_real, d_imag)
        mirror_rows(e.density_rows, r, diagonals.reach, d_real, d_imag)


@part(REORDERED)
def _add_mirrored(first, on, sign, d):
    """x_rc += sign x_cr, then x_cr = sign x_rc, for 8 rows from `first` and some columns left of them.

    The mirror image is a cache line in each of the rows c.
    """
    a0, a1, a2, a3 = d[first], d[first + 1], d[first + 2], d[first + 3]
    a4, a5, a6, a7 = d[first + 4], d[first + 5], d[first + 6], d[first + 7]
    for c in range(on.start, on.stop):
        row = d[c, first : first + 8]
        x0, x1, x2, x3 = a0[c] + sign * row[0], a1[c] + sign * row[1], a2[c] + sign * row[2], a3[c] + sign * row[3]
        x4, x5, x6, x7 = a4[c] + sign * row[4], a5[c] + sign * row[5], a6[c] + sign * row[6], a7[c] + sign * row[7]
        a0[c], a1[c], a2[c], a3[c], a4[c], a5[c], a6[c], a7[c] = x0, x1, x2, x3, x4, x5, x6, x7
        row[0], row[1], row[2], row[3] = sign * x0, sign * x1, sign * x2, sign * x3
        row[4], row[5], row[6], row[7] = sign * x4, sign * x5, sign * x6, sign * x7
