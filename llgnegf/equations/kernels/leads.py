"""Compiled: what electrons hand to the leads, to the moments and to the rows of a result.

`electrons` holds the equation of motion itself; how both are written for speed is said there.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import REORDERED, kernel, part
from llgnegf.equations.kernels.halves import Diagonals, add_density_row
from llgnegf.equations.kernels.orbitals import Orbitals, orbital_flow, orbital_sums
from llgnegf.equations.kernels.rows import fill, weighted_sum


class Sparse(NamedTuple):
    """A sparse complex matrix by rows: row r has the entries start[r] to start[r + 1]."""

    start: np.ndarray
    column: np.ndarray
    real: np.ndarray
    imag: np.ndarray


class Levels(NamedTuple):
    """The M coupling modes, then the K Fermi vectors, as levels of one kind; all (M + K,).

    Of a mode e = chi, d = (b_y f(chi_y)/s_y)^*; of a Fermi vector e = z, kappa = 0, s = 1 and d = c_k. Where a channel
    has several orbitals kappa is 1 for modes, and s, kappa and d of each orbital are in `Orbitals`.
    """

    real: np.ndarray
    imag: np.ndarray
    kappa_real: np.ndarray
    kappa_imag: np.ndarray
    s: np.ndarray
    d_real: np.ndarray
    d_imag: np.ndarray


class Electrons(NamedTuple):
    """The constants of the electrons' equation of motion. What changes in time is written into them before a call.

    Attributes:
        hamiltonian: H_0 (eV), 2N rows.
        vectors: The device vectors u_q of the orbitals, Q rows; a scalar channel has one.
        attached: The same by rows of the device, (2N, Q).
        bounds: Where the levels of each channel begin and end among the modes and among all levels, (2, G + 1).
        levels: Coupling modes and Fermi vectors, (7, M + K): the fields of `Levels`.
        wide: Wide-band Gamma_q (eV), 0 for the others, (Q,).
        lead: The lead that each orbital belongs to, (Q,).
        j_sd: (N,) in eV.
        density_rows, level_rows: Where a plane of the state holds rho_r0 and the first of the levels of each row r of
            B, (2N,).
        channel_rows: Where a plane of `Workspace.channels` holds a_q0 and T_q0 of each orbital, (Q,).
        n_complex, n_leads: Size of a plane of the state, number of leads.
        orbitals: None where all channels are scalar: the compiler then leaves out all that is about several.
        diagonals: Of H, where half of rho is stored; None where it is whole.
    """

    hamiltonian: Sparse
    vectors: Sparse
    attached: Sparse
    bounds: np.ndarray
    levels: np.ndarray
    wide: np.ndarray
    lead: np.ndarray
    j_sd: np.ndarray
    density_rows: np.ndarray
    level_rows: np.ndarray
    channel_rows: np.ndarray
    n_complex: int
    n_leads: int
    orbitals: Orbitals | None
    diagonals: Diagonals | None


@part(REORDERED)
def levels_of(e):
    """`Levels` of `Electrons`: made here, since every array that is handed over costs a call 25 ns."""
    x = e.levels
    return Levels(x[0], x[1], x[2], x[3], x[4], x[5], x[6])


@part(REORDERED)
def lead_sums(orbitals, bounds, s, q, levels, rows, real, imag, tr, ti, at):
    """t_(at + r) += sum_y s_y C_ry^* + sum_k v_rk^* over the levels of orbital q for some rows r of B, of which two
    planes hold the first level at `levels`: P_q^* without its wide-band part."""
    if orbitals is not None:
        orbital_sums(orbitals, bounds, q, levels, rows, real, imag, tr, ti, at)
        return
    for bound in bounds:
        for r in range(rows.start, rows.stop):
            re, im = weighted_sum(s, bound[q], real, imag, levels[r] + bound[q], bound[q + 1] - bound[q])
            tr[at + r] += re
            ti[at + r] -= im


@part(REORDERED)
def flow_into_levels(e, orbitals, work, first, column, gr, gi, here):
    """g_j = (u_q^dag B)_column for each mode j of every channel q from the first on; (kappa_j u)^dag B of several
    orbitals. g begins at `here` with mode 0."""
    offset, columns, ar, ai = e.bounds[0], 2 * e.j_sd.size + work.energy.size, work.channels[0], work.channels[1]
    for q in range(first, offset.size - 1):
        j, count = offset[q], offset[q + 1] - offset[q]
        if orbitals is None:
            fill(ar[q * columns + column], ai[q * columns + column], gr, gi, here + j, count)
        else:
            orbital_flow(orbitals, q, j, column, columns, ar, ai, gr, gi, here + j, count)


@part(REORDERED)
def sd_coupling(j_sd, moments, out):
    """-J_i M_i (eV), (N, 3): H = H_0 + out.sigma."""
    for i in range(j_sd.size):
        for c in range(3):
            out[i, c] = -j_sd[i] * moments[i, c]


@part(REORDERED)
def outflow(e, sd, tr, ti, out):
    """Flow out of the device for each lead: electrons, <sigma_x,y,z> and device energy, per hbar/eV.

    d rho/dt|_q = -i u_q P_q^dag + i P_q u_q^dag, so the outflow of a Hermitian operator O is
    -Tr[O d rho] = 2 Im(u_q^dag O P_q); P_q^* is what T_q holds on the density-matrix columns. O = H(t) is the energy.
    """
    h, u = e.hamiltonian, e.vectors
    out[:] = 0.0
    for q in range(e.lead.size):
        flow = out[e.lead[q]]
        for p in range(u.start[q], u.start[q + 1]):
            r = u.column[p]
            site, sign = r // 2, 1.0 - 2.0 * (r % 2)
            other = r + 1 if r % 2 == 0 else r - 1
            same_r, same_i, flip_r, flip_i = tr[q, r], -ti[q, r], tr[q, other], -ti[q, other]
            n_im = u.real[p] * same_i - u.imag[p] * same_r
            flow[0] += 2 * n_im
            flow[1] += 2 * (u.real[p] * flip_i - u.imag[p] * flip_r)
            # sigma_y: up row -i P_down, down row +i P_up
            flow[2] -= 2 * sign * (u.real[p] * flip_r + u.imag[p] * flip_i)
            flow[3] += 2 * sign * n_im
            # u_r^* (H P)_r, H = H_0 + sd coupling
            er = sd[site, 0] * flip_r + sign * (sd[site, 1] * flip_i + sd[site, 2] * same_r)
            ei = sd[site, 0] * flip_i + sign * (sd[site, 2] * same_i - sd[site, 1] * flip_r)
            for k in range(h.start[r], h.start[r + 1]):
                pr, pi = tr[q, h.column[k]], -ti[q, h.column[k]]
                er += h.real[k] * pr - h.imag[k] * pi
                ei += h.real[k] * pi + h.imag[k] * pr
            flow[4] += 2 * (u.real[p] * ei - u.imag[p] * er)


@kernel(REORDERED)
def sample_many(e, places, states, chosen, out):
    """`_sample` of some rows of `states`."""
    for k in range(chosen.size):
        _sample(e, e.orbitals, e.diagonals, places, states[chosen[k]], out[k])


@part(REORDERED)
def _sample(e, orbitals, diagonals, places, state, row):
    """What rows need of the electrons, linear in the state: rho at `places` of a plane, then the lead sums.

    Real parts before imaginary ones: `row` begins with [Re rho, Im rho, Re T (Q, n), Im T (Q, n)], where
    T_q = P_q^* without the constant of wide-band channels.
    """
    u, n, levels = e.vectors, 2 * e.j_sd.size, e.level_rows
    first, last = 2 * places.size, 2 * (places.size + e.lead.size * n)
    real, imag = state[: e.n_complex], state[e.n_complex : 2 * e.n_complex]
    for i in range(places.size):
        row[i] = real[places[i]]
        row[places.size + i] = imag[places[i]]
    row[first:last] = 0.0
    sums = row[first:last].reshape(2, e.lead.size * n)
    tr, ti = sums[0], sums[1]
    for q in range(e.lead.size):
        lead_sums(orbitals, e.bounds, levels_of(e).s, q, levels, slice(0, n), real, imag, tr, ti, q * n)
        if e.wide[q] != 0.0:
            for p in range(u.start[q], u.start[q + 1]):
                half = -0.5 * e.wide[q]  # -(i Gamma/2) u_q^dag rho
                add_density_row(
                    diagonals, e.density_rows, u.column[p], slice(0, n), half * u.imag[p], half * u.real[p], real, imag,
                    tr, ti, q * n,
                )  # fmt: skip


@kernel(REORDERED, allocates=True)
def lead_flow(e, moments, sums, out):
    """The flow into the leads, (n_leads, 5), from the lead sums (2, Q, n) of `sample_many`."""
    u = e.vectors
    for q in range(e.lead.size):
        for p in range(u.start[q], u.start[q + 1]):
            sums[0, q, u.column[p]] += 0.25 * e.wide[q] * u.imag[p]
            sums[1, q, u.column[p]] += 0.25 * e.wide[q] * u.real[p]
    sd = np.empty_like(moments)
    sd_coupling(e.j_sd, moments, sd)
    outflow(e, sd, sums[0], sums[1], out)


@kernel(REORDERED)
def sd_torque(e, state, moments, out):
    """Adds T_i = J_i <s_i> x M_i in eV, from the density-matrix columns of B, to `out` (N, 3)."""
    real, imag = state[: e.n_complex], state[e.n_complex : 2 * e.n_complex]
    for i in range(e.j_sd.size):
        up, down = e.density_rows[2 * i] + 2 * i, e.density_rows[2 * i + 1] + 2 * i
        # <sigma_x> = 2 Re rho_du, <sigma_y> = 2 Im rho_du, <sigma_z> = rho_uu - rho_dd
        sx = 2 * e.j_sd[i] * real[down]
        sy = 2 * e.j_sd[i] * imag[down]
        sz = e.j_sd[i] * (real[up] - real[down + 1])
        x, y, z = moments[i, 0], moments[i, 1], moments[i, 2]
        out[i, 0] += sy * z - sz * y
        out[i, 1] += sz * x - sx * z
        out[i, 2] += sx * y - sy * x
