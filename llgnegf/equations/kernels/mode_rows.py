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
    rest_row,
    turn_back,
    turned,
)


class ModeRowsData(NamedTuple):
    """Of a method, of a step, and memory. Stages t: those of the method, the end of the step, those of the
    interpolant, and last one that stands for a state by itself.

    Attributes:
        at: Which of the D delays is c_t, (stages,).
        time: c_t h, (stages,).
        first: Where the other stages that a stage needs begin among `used`, (stages + 1,).
        used, place, weight: Those stages r, which of the delays c_t - c_r is, and a_tr times the step.
        phase: exp(-i e_j tau) of all levels for the delays tau, planes (2, D, L).
        out, into: The same with s_j, and with kappa_j.
        start, slope: a_q on the levels at the start of the step, and its derivative, planes (2, Q L).
        ends: What a_q differs by from a_q(0) + t a_q'(0) at each stage, (2, stages Q L).
        sums, vectors: T_q on the levels and F_q on the modes of Z and X*(0) at each stage, (2, stages Q L) and
            (2, stages Q M).
        rest, rest_vectors: The same of X*(0) alone, (2, Q L) and (2, Q M).
        drift, drift_vectors: The same of dX*/dt.
        own: Memory, (2, channels n L) for n stages that the end needs.
    """

    at: np.ndarray
    time: np.ndarray
    first: np.ndarray
    used: np.ndarray
    place: np.ndarray
    weight: np.ndarray
    phase: np.ndarray
    out: np.ndarray
    into: np.ndarray
    start: np.ndarray
    slope: np.ndarray
    ends: np.ndarray
    sums: np.ndarray
    vectors: np.ndarray
    rest: np.ndarray
    rest_vectors: np.ndarray
    drift: np.ndarray
    drift_vectors: np.ndarray
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


@part(REORDERED)
def _rest(e, work, x, p, i, ends_r, ends_i, stride, first, real, imag, here):
    """[(kappa_j a_qi)^* - kappa_i a_pj]/(e_i - e_j^*) of a mode i of channel p and the levels j from its channel on,
    a_q on the levels being `ends` from q stride + first on."""
    levels, offset, count, m = levels_of(e), e.bounds[0], e.levels.shape[1], e.bounds[0, -1]
    begins = offset[p]
    flow_r, flow_i = work.flow[0][p * m : (p + 1) * m], work.flow[1][p * m : (p + 1) * m]
    for q in range(p, offset.size - 1):
        a = q * stride + first + i
        fill(ends_r[a], ends_i[a], flow_r, flow_i, offset[q], offset[q + 1] - offset[q])
    level = (work.energy[i], levels.imag[i], levels.kappa_real[i], levels.kappa_imag[i])
    rest_row(
        level, work.energy, levels.imag, levels.kappa_real, levels.kappa_imag, flow_r, flow_i, begins,
        ends_r, ends_i, p * stride + first + begins, real, imag, here, m - begins, count - begins,
    )  # fmt: skip


@kernel(REORDERED, nogil=True)
def displace(e, work, x, state, derivative, out, first, last):
    """dX*/dt into the mode rows of `derivative` and Z = X - X*(0) into those of `out`, for channels from `first` to
    before `last`, after the ends of `state` were gathered: Z = X - [S(0)/i + i dX*/dt]/(e_i - e_j^*)."""
    levels, offset, count, n = levels_of(e), e.bounds[0], e.levels.shape[1], 2 * e.j_sd.size
    real, imag = state[: e.n_complex], state[e.n_complex : 2 * e.n_complex]
    y_real, y_imag = derivative[: e.n_complex], derivative[e.n_complex : 2 * e.n_complex]
    z_real, z_imag = out[: e.n_complex], out[e.n_complex : 2 * e.n_complex]
    for p in range(first, last):
        here, begins, ends, own = _block(e, p), offset[p], _ends(e, work, p), p * count
        for j in range(count):
            x.start[0, own + j], x.start[1, own + j] = work.channels[0, ends + j], work.channels[1, ends + j]
        for i in range(begins, offset[p + 1]):
            _rest(e, work, x, p, i, x.slope[0], x.slope[1], count, 0, y_real, y_imag, here)
            _rest(e, work, x, p, i, work.channels[0], work.channels[1], n + count, n, z_real, z_imag, here)
            away_row(
                work.energy[i], levels.imag[i], work.energy, levels.imag, begins, real, imag, y_real, y_imag,
                z_real, z_imag, here, count - begins,
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
def memory_terms(e, work, x, t, first, last):
    """T_q of orbitals from `first` to before `last` gains on the levels what X hands on at the stage t, what the
    ends at the stages r before it differ by included, with w_r = h a_tr and tau_r = (c_t - c_r) h:

        sum_r w_r exp(-i (e_i - e_j^*) tau_r) (-i) [kappa_i a_pj - (kappa_j a_qi)^*]
    """
    offset, count, m, orbitals = e.bounds[0], e.levels.shape[1], e.bounds[0, -1], e.lead.size
    ar, ai, tr, ti = work.channels[0], work.channels[1], work.channels[2], work.channels[3]
    for p in range(first, last):
        at, begins, size = _ends(e, work, p), offset[p], offset[p + 1] - offset[p]
        own, change = p * count, (t * orbitals + p) * count
        for j in range(count):
            x.ends[0, change + j] = ar[at + j] - x.start[0, own + j] - x.time[t] * x.slope[0, own + j]
            x.ends[1, change + j] = ai[at + j] - x.start[1, own + j] - x.time[t] * x.slope[1, own + j]
        clear(work.vectors[0], work.vectors[1], p * m, m)
        axpy(1.0, 0.0, x.sums[0], x.sums[1], change, tr, ti, at, count)
        axpy(1.0, 0.0, x.vectors[0], x.vectors[1], (t * orbitals + p) * m, tr, ti, at, m)
        axpy(x.time[t], 0.0, x.drift[0], x.drift[1], own, tr, ti, at, count)
        axpy(x.time[t], 0.0, x.drift_vectors[0], x.drift_vectors[1], p * m, tr, ti, at, m)
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
def advance(e, x, t, state, derivative, out, first, last):
    """X at the end of the step, the stage t, into `out`, which holds Z, as `derivative` does dX*/dt, for channels from
    `first` to before `last`."""
    offset, count, orbitals, whole = e.bounds[0], e.levels.shape[1], e.lead.size, x.at[t]
    real, imag = state[: e.n_complex], state[e.n_complex : 2 * e.n_complex]
    y_real, y_imag = derivative[: e.n_complex], derivative[e.n_complex : 2 * e.n_complex]
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
                x.phase[0, whole, i], x.phase[1, whole, i], x.phase[0, whole], x.phase[1, whole], begins, x.time[t],
                real, imag, y_real, y_imag, x_real, x_imag, here, width,
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
