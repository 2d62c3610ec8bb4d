"""Compiled: the mode rows X over a step, carried without stages; `equations.mode_rows` derives what is computed here.

Scalar channels: channel p has the orbital p. Levels j are the M modes, then the K Fermi vectors, all (L,). Pieces of
work are channels or orbitals, each with numbers of its own to write.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import REORDERED, kernel, part
from llgnegf.equations.kernels.leads import levels_of
from llgnegf.equations.kernels.rows import (
    add_conjugate,
    away_row,
    axpy,
    clear,
    delayed,
    fill,
    forward,
    product,
    turn_back,
    turned,
)


class ModeRowsData(NamedTuple):
    """Of a method, of a step, and memory. Stages t: those of the method, the end of the step, those of the
    interpolant, and last one that stands for a state by itself.

    Attributes:
        at: Which of the D delays is c_t, (stages,).
        first: Where the other stages that a stage needs begin among `used`, (stages + 1,).
        used, place, weight: Those stages r, which of the delays c_t - c_r is, and a_tr times the step.
        phase: exp(-i e_j tau) of all levels for the delays tau, planes (2, D, L).
        out, into: The same with s_j, and with kappa_j.
        start: a_q on the levels at the start of the step, planes (2, Q L).
        ends: The change of a_q since then at each stage, (2, stages Q L).
        sums, vectors: T_q on the levels and F_q on the modes of Z and X* at each stage, (2, stages Q L) and
            (2, stages Q M).
        rest, rest_vectors: The same of X* alone, (2, Q L) and (2, Q M).
        own: Memory, (2, channels stages L).
    """

    at: np.ndarray
    first: np.ndarray
    used: np.ndarray
    place: np.ndarray
    weight: np.ndarray
    phase: np.ndarray
    out: np.ndarray
    into: np.ndarray
    start: np.ndarray
    ends: np.ndarray
    sums: np.ndarray
    vectors: np.ndarray
    rest: np.ndarray
    rest_vectors: np.ndarray
    own: np.ndarray


@part(REORDERED)
def _block(e, p):
    """Where a plane of the state holds X_p."""
    offset, count, n = e.bounds[0], e.levels.shape[1], 2 * e.j_sd.size
    here = n * (n + count)
    for q in range(p):
        here += (offset[q + 1] - offset[q]) * (count - offset[q])
    return here


@part(REORDERED)
def _ends(e, work, p):
    """Where `work.channels` has a_p on the levels."""
    n = 2 * e.j_sd.size
    return p * (n + work.energy.size) + n


@kernel(REORDERED, nogil=True)
def displace(e, work, x, state, out, first, last):
    """Z = X - X* into `out` for channels from `first` to before `last`, after the ends of `state` were gathered."""
    levels, offset, count, m = levels_of(e), e.bounds[0], e.levels.shape[1], e.bounds[0, -1]
    real, imag = state[: e.n_complex], state[e.n_complex : 2 * e.n_complex]
    z_real, z_imag = out[: e.n_complex], out[e.n_complex : 2 * e.n_complex]
    ar, ai = work.channels[0], work.channels[1]
    for p in range(first, last):
        here, begins, ends, own = _block(e, p), offset[p], _ends(e, work, p), p * count
        for j in range(count):
            x.start[0, own + j], x.start[1, own + j] = ar[ends + j], ai[ends + j]
        flow_r, flow_i = work.flow[0][p * m : (p + 1) * m], work.flow[1][p * m : (p + 1) * m]
        for i in range(begins, offset[p + 1]):
            level = (work.energy[i], levels.imag[i], levels.kappa_real[i], levels.kappa_imag[i])
            for q in range(p, offset.size - 1):
                a = _ends(e, work, q) + i
                fill(ar[a], ai[a], flow_r, flow_i, offset[q], offset[q + 1] - offset[q])
            away_row(
                level, work.energy, levels.imag, levels.kappa_real, levels.kappa_imag, flow_r, flow_i, begins,
                ar, ai, ends + begins, real, imag, z_real, z_imag, here, m - begins, count - begins,
            )  # fmt: skip
            here += count - begins


@kernel(REORDERED, nogil=True)
def node_sums(e, x, stages, rows, first, last):
    """What channels from `first` to before `last` of X or Z in `rows` hand to the orbitals at some stages:

        T_pj = sum_i s_i Z_ij(tau),  T_qi = sum_{j in q} s_j Z_ij(tau)^*, q > p,  F_qi = sum_{k in q} Z_ik(tau)^*

    with Z_ij(tau) = exp(-i (e_i - e_j^*) tau) Z_ij, and what X* does.
    """
    offset, count, m, orbitals = e.bounds[0], e.levels.shape[1], e.bounds[0, -1], e.lead.size
    real, imag = rows[: e.n_complex], rows[e.n_complex : 2 * e.n_complex]
    for p in range(first, last):
        begins = offset[p]
        width, start = count - begins, _block(e, p)
        for t in stages:
            d, at, here = x.at[t], (t * orbitals + p) * count + begins, start
            phase_r, phase_i, out_r, out_i = x.phase[0, d], x.phase[1, d], x.out[0, d], x.out[1, d]
            clear(x.sums[0], x.sums[1], at, width)
            for i in range(begins, offset[p + 1]):
                axpy(out_r[i], out_i[i], real, imag, here, x.sums[0], x.sums[1], at, width)
                c, s = phase_r[i], phase_i[i]
                for q in range(p + 1, orbitals):
                    j = offset[q]
                    re, im = product(out_r, out_i, j, real, imag, here + j - begins, offset[q + 1] - j)
                    to, of = (t * orbitals + q) * count + i, q * count + i
                    x.sums[0, to] = c * re + s * im + x.rest[0, of]
                    x.sums[1, to] = c * im - s * re + x.rest[1, of]
                for q in range(orbitals):
                    k = e.bounds[1, q]
                    re, im = product(phase_r, phase_i, k, real, imag, here + k - begins, e.bounds[1, q + 1] - k)
                    to, of = (t * orbitals + q) * m + i, q * m + i
                    x.vectors[0, to] = c * re + s * im + x.rest_vectors[0, of]
                    x.vectors[1, to] = c * im - s * re + x.rest_vectors[1, of]
                here += width
            turn_back(
                phase_r, phase_i, begins, x.rest[0], x.rest[1], p * count + begins, x.sums[0], x.sums[1], at, width
            )


@kernel(REORDERED, nogil=True)
def at_rest(x, alone):
    """What X* hands on: X at the stage numbered `alone` and not Z at the first one; nothing for a negative number."""
    if alone < 0:
        x.rest[:], x.rest_vectors[:] = 0.0, 0.0
        return
    size, modes = x.rest.shape[1], x.rest_vectors.shape[1]
    for c in range(2):
        for i in range(size):
            x.rest[c, i] = x.sums[c, alone * size + i] - x.sums[c, i]
        for i in range(modes):
            x.rest_vectors[c, i] = x.vectors[c, alone * modes + i] - x.vectors[c, i]


@kernel(REORDERED, nogil=True)
def memory_terms(e, work, x, t, first, last):
    """T_q of orbitals from `first` to before `last` gains on the levels what X hands on at the stage t, the changes of
    the ends at the stages r before it included, with w_r = h a_tr and tau_r = (c_t - c_r) h:

        sum_r w_r exp(-i (e_i - e_j^*) tau_r) (-i) [kappa_i a_pj - (kappa_j a_qi)^*]
    """
    offset, count, m, orbitals = e.bounds[0], e.levels.shape[1], e.bounds[0, -1], e.lead.size
    ar, ai, tr, ti = work.channels[0], work.channels[1], work.channels[2], work.channels[3]
    for p in range(first, last):
        at, begins, size = _ends(e, work, p), offset[p], offset[p + 1] - offset[p]
        own, change = p * count, (t * orbitals + p) * count
        for j in range(count):
            x.ends[0, change + j] = ar[at + j] - x.start[0, own + j]
            x.ends[1, change + j] = ai[at + j] - x.start[1, own + j]
        clear(work.vectors[0], work.vectors[1], p * m, m)
        axpy(1.0, 0.0, x.sums[0], x.sums[1], change, tr, ti, at, count)
        axpy(1.0, 0.0, x.vectors[0], x.vectors[1], (t * orbitals + p) * m, tr, ti, at, m)
        k, vectors_of_p = e.bounds[1, p], e.bounds[1, p + 1] - e.bounds[1, p]
        for r in range(x.first[t], x.first[t + 1]):
            d, w, here = x.place[r], x.weight[r], x.used[r] * orbitals * count
            phase_r, phase_i, into_r, into_i = x.phase[0, d], x.phase[1, d], x.into[0, d], x.into[1, d]
            g_r, g_i = 0.0, 0.0  # sum_i s_i kappa_i exp(-i e_i tau)
            for i in range(begins, offset[p + 1]):
                g_r += e.levels[4, i] * into_r[i]
                g_i += e.levels[4, i] * into_i[i]
            delayed(w * g_i, -w * g_r, phase_r, phase_i, x.ends[0], x.ends[1], here + own, tr, ti, at, count)
            for q in range(orbitals):
                j, width = offset[q], offset[q + 1] - offset[q]
                if width > 0:
                    of = here + q * count
                    y_r, y_i = product(x.out[0, d], x.out[1, d], begins, x.ends[0], x.ends[1], of + begins, size)
                    f_r, f_i = product(phase_r, phase_i, k, x.ends[0], x.ends[1], of + k, vectors_of_p)
                    add_conjugate(-w * (y_i + f_i), w * (y_r + f_r), into_r, into_i, j, tr, ti, at + j, width)


@kernel(REORDERED, nogil=True)
def advance(e, x, t, state, out, first, last):
    """X at the end of the step, the stage t, into `out`, which holds Z, for channels from `first` to before `last`."""
    offset, count, orbitals, whole = e.bounds[0], e.levels.shape[1], e.lead.size, x.at[t]
    real, imag = state[: e.n_complex], state[e.n_complex : 2 * e.n_complex]
    x_real, x_imag = out[: e.n_complex], out[e.n_complex : 2 * e.n_complex]
    before, count_before = x.first[t], x.first[t + 1] - x.first[t]
    for p in range(first, last):
        begins, here = offset[p], _block(e, p)
        width, own = count - begins, p * count_before * count
        for k in range(count_before):
            d, of = x.place[before + k], (x.used[before + k] * orbitals + p) * count + begins
            turned(
                x.phase[0, d], x.phase[1, d], begins, x.ends[0], x.ends[1], of, x.own[0], x.own[1], own + k * count,
                width,
            )  # fmt: skip
        for i in range(begins, offset[p + 1]):
            forward(
                x.phase[0, whole, i], x.phase[1, whole, i], x.phase[0, whole], x.phase[1, whole], begins, real, imag,
                x_real, x_imag, here, width,
            )  # fmt: skip
            for k in range(count_before):
                d, w, of = x.place[before + k], x.weight[before + k], x.used[before + k] * orbitals * count + i
                into_r, into_i, c, s = x.into[0, d], x.into[1, d], x.phase[0, d, i], x.phase[1, d, i]
                axpy(w * into_i[i], -w * into_r[i], x.own[0], x.own[1], own + k * count, x_real, x_imag, here, width)
                for q in range(p, orbitals):
                    a_r, a_i, j = x.ends[0, of + q * count], x.ends[1, of + q * count], offset[q]
                    add_conjugate(  # i w exp(-i e_i tau) a_qi^*
                        -w * (s * a_r - c * a_i), w * (c * a_r + s * a_i), into_r, into_i, j, x_real, x_imag,
                        here + j - begins, offset[q + 1] - j,
                    )  # fmt: skip
            here += width
