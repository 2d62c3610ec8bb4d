"""Compiled: the blocks X_p of the state, what modes of channel p have with modes of channels q >= p and Fermi vectors.

Called by `electrons`. One channel is one piece of work: no two write the same number.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from llgnegf._compile import REORDERED, part
from llgnegf.equations.kernels.leads import levels_of
from llgnegf.equations.kernels.orbitals import into_row, onto_modes, onto_vectors, orbital_flow
from llgnegf.equations.kernels.rows import fill, mode_row, plain_sum, vector_row, weighted_sum


@part(REORDERED)
def channel_block(e, orbitals, work, n, p, real, imag, d_real, d_imag):
    """dX of channel p, whose rows are its modes i and whose columns the modes j of channels q >= p, then all k:

        dW_ij = -i [(chi_i - chi_j^*) W_ij + kappa_i a_pj - (kappa_j a_qi)^*],  T_pj += sum_i s_i W_ij
                                                                                T_qi += sum_{j in q} s_j W_ij^*,  q > p
        dY_ik = -i [(chi_i - z_k^*) Y_ik + kappa_i a_pk],                       T_pk += sum_i s_i Y_ik
                                                                                F_qi  = sum_{k in q} Y_ik^*

    F joins T afterwards (`device.level_columns`). Where channels have several orbitals their couplings are summed.
    """
    levels, offset, count, m = levels_of(e), e.bounds[0], work.energy.size, e.bounds[0, -1]
    begin, columns, here = offset[p], n + count, n * (n + count)
    for q in range(p):
        here += (offset[q + 1] - offset[q]) * (count - offset[q])
    ar, ai, tr, ti = work.channels[0], work.channels[1], work.channels[2], work.channels[3]
    flow_r, flow_i = work.flow[0, p], work.flow[1, p]
    for i in range(begin, offset[p + 1]):
        for q in range(p, offset.size - 1):
            j = offset[q]
            if orbitals is None:
                fill(ar[q * columns + n + i], ai[q * columns + n + i], flow_r, flow_i, j, offset[q + 1] - j)
            else:
                orbital_flow(orbitals, q, j, n + i, columns, ar, ai, flow_r, flow_i, j, offset[q + 1] - j)
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
        if orbitals is None:
            for q in range(p + 1, offset.size - 1):
                j = offset[q]
                re, im = weighted_sum(levels.s, j, real, imag, here + j - begin, offset[q + 1] - j)
                tr[q * columns + n + i] += re
                ti[q * columns + n + i] -= im
            for q in range(e.lead.size):
                k, stop = e.bounds[1, q], e.bounds[1, q + 1]
                re, im = plain_sum(real, imag, here + k - begin, stop - k)
                work.vectors[0][q * m + i], work.vectors[1][q * m + i] = re, -im
        else:
            into_row(orbitals, p, i, begin, count - begin, n, columns, work.channels, real, imag, d_real, d_imag, here)
            onto_modes(orbitals, offset, p, i, n, columns, real, imag, here, tr, ti)
            onto_vectors(orbitals, begin, i, m, real, imag, here, work.vectors)
        here += count - begin
