"""Compiled: the blocks X_p of the state, what modes of channel p have with modes of channels q >= p and Fermi vectors.

Called by `electrons`. One channel is one piece of work: no two write the same number.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from llgnegf._compile import REORDERED, part
from llgnegf.equations.kernels.leads import flow_into_levels, levels_of
from llgnegf.equations.kernels.orbitals import into_row, onto_modes, onto_vectors
from llgnegf.equations.kernels.rows import axpy, four_rows, four_sums, mode_row, vector_row


@part(REORDERED)
def channel_block(e, orbitals, work, n, p, real, imag, d_real, d_imag):
    """dX of channel p, whose rows are its modes i and whose columns the modes j of channels q >= p, then all k:

        dW_ij = -i [(chi_i - chi_j^*) W_ij + kappa_i a_pj - (kappa_j a_qi)^*],  T_pj += sum_i s_i W_ij
                                                                                T_qi += sum_{j in q} s_j W_ij^*,  q > p
        dY_ik = -i [(chi_i - z_k^*) Y_ik + kappa_i a_pk],                       T_pk += sum_i s_i Y_ik
                                                                                F_qi  = sum_{k in q} Y_ik^*

    F joins T afterwards (`join`). Where channels have several orbitals their couplings are summed.
    """
    levels, offset, count, m = levels_of(e), e.bounds[0], work.energy.size, e.bounds[0, -1]
    begin, columns, here = offset[p], n + count, e.level_rows[n - 1] + count
    for q in range(p):
        here += (offset[q + 1] - offset[q]) * (count - offset[q])
    ar, ai, tr, ti = work.channels[0], work.channels[1], work.channels[2], work.channels[3]
    flow_r, flow_i = work.flow[0, p], work.flow[1, p]
    for i in range(begin, offset[p + 1]):
        flow_into_levels(e, orbitals, work, p, n + i, flow_r, flow_i, 0)
        one, level = p, (work.energy[i], levels.imag[i], levels.kappa_real[i], levels.kappa_imag[i], levels.s[i])
        if orbitals is not None:
            one, level = orbitals.bounds[p], (work.energy[i], levels.imag[i], 0.0, 0.0, 0.0)
        on = one * columns + n
        mode_row(
            level, work.energy, levels.imag, levels.kappa_real, levels.kappa_imag, flow_r, flow_i, begin,
            ar, ai, tr, ti, on + begin, real, imag, d_real, d_imag, here, m - begin,
        )  # fmt: skip
        vector_row(
            level, work.energy, levels.imag, m, ar, ai, tr, ti, on + m, real, imag, d_real, d_imag, here + m - begin,
            count - m,
        )  # fmt: skip
        if orbitals is not None:
            into_row(orbitals, p, i, begin, count - begin, n, columns, work.channels, real, imag, d_real, d_imag, here)
            onto_modes(orbitals, offset, p, i, n, columns, real, imag, here, tr, ti)
            onto_vectors(orbitals, begin, i, m, real, imag, here, work.vectors)
        elif (i - begin) % 4 == 3 or i + 1 == offset[p + 1]:
            rows = (i - begin) % 4 + 1
            _row_sums(e, work, n, p, i + 1 - rows, rows, here - (rows - 1) * (count - begin), real, imag)
        here += count - begin


@part(REORDERED)
def _row_sums(e, work, n, p, i, rows, here, real, imag):
    """T_qi += sum_{j in q} s_j W_ij^* and F_qi of up to four rows of channel p from row i on, which is at `here`."""
    s, offset, vectors, begin, m = levels_of(e).s, e.bounds[0], e.bounds[1], e.bounds[0, p], e.bounds[0, -1]
    tr, ti, fr, fi = work.channels[2], work.channels[3], work.vectors[0], work.vectors[1]
    at = four_rows(here - begin, work.energy.size - begin, rows)
    for q in range(p + 1, offset.size - 1):
        j, here = offset[q], q * (n + work.energy.size) + n + i
        re, im = four_sums(s, j, real, imag, (at[0] + j, at[1] + j, at[2] + j, at[3] + j), offset[q + 1] - j)
        for k in range(rows):
            tr[here + k] += re[k]
            ti[here + k] -= im[k]
    for q in range(e.lead.size):
        j, here = vectors[q], q * m + i
        re, im = four_sums(s, j, real, imag, (at[0] + j, at[1] + j, at[2] + j, at[3] + j), vectors[q + 1] - j)
        for k in range(rows):
            fr[here + k], fi[here + k] = re[k], -im[k]


@part(REORDERED)
def join(e, work, n, first, last):
    """T_q += F_q on all modes, of the orbitals from `first` to before `last`."""
    m = e.bounds[0, -1]
    for q in range(first, last):
        axpy(
            1.0, 0.0, work.vectors[0], work.vectors[1], q * m, work.channels[2], work.channels[3],
            q * (n + work.energy.size) + n, m,
        )  # fmt: skip
