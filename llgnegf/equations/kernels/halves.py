"""Compiled: the lower half of the density matrix, where it is stored instead of the whole.

Called by `device` and `leads`. A row of rho holds its columns up to its site and `reach` more, as far as H leads: these
mirror rows below. H acts on columns diagonal by diagonal.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import REORDERED, part
from llgnegf.equations.kernels.rows import axpy, clear, columns, near_columns, real_columns

GAP = 2
"""Zeros before a diagonal, for columns that are not there."""


class Diagonals(NamedTuple):
    """H, with the sd coupling, by diagonals: H_(c + d, c) at column c for the offsets d >= 0; H is Hermitian.

    Attributes:
        offsets: d, the first three 0, 1 and 2, (D,).
        place: Where each element of `Electrons.hamiltonian` stands among them; -1 above the diagonal.
        real, imag: One diagonal after the other, GAP zeros before each, of the last call of `take_diagonals`.
        is_real: Whether Im H is zero on all of a diagonal, (D,).
        reach, widths: `Layout.reach` and `Layout.widths`.
        touched: The rows c of rho that leads are attached to, (A,).
        is_touched: Whether a row is one of them, (2N,).
        edge: Where each of them begins in a plane of `Workspace.edges`, at its own place, (2N,); 0 for the others.
    """

    offsets: np.ndarray
    place: np.ndarray
    real: np.ndarray
    imag: np.ndarray
    is_real: np.ndarray
    reach: int
    widths: np.ndarray
    touched: np.ndarray
    is_touched: np.ndarray
    edge: np.ndarray


@part(REORDERED)
def take_diagonals(diagonals, hamiltonian, sd):
    """Write H = H_0 + sd.sigma into its diagonals."""
    real, imag, is_real, n = diagonals.real, diagonals.imag, diagonals.is_real, 2 * sd.shape[0]
    real[:], imag[:], is_real[:] = 0.0, 0.0, True
    for k in range(diagonals.place.size):
        at = diagonals.place[k]
        if at >= 0:
            real[at] += hamiltonian.real[k]
            imag[at] += hamiltonian.imag[k]
            is_real[at // (n + GAP)] &= hamiltonian.imag[k] == 0.0
    is_real[1] = False
    for i in range(sd.shape[0]):
        at = GAP + 2 * i
        real[at] += sd[i, 2]
        real[at + 1] -= sd[i, 2]
        real[at + n + GAP] += sd[i, 0]
        imag[at + n + GAP] += sd[i, 1]


@part(REORDERED)
def right_action(diagonals, r, up, down, real, imag, d_real, d_imag):
    """d rho += i rho H on the rows r and r + 1 of rho up to their site, which begin at `up` and `down`."""
    h_r, h_i, is_real, width = diagonals.real, diagonals.imag, diagonals.is_real, r + 2
    long = h_r.size // is_real.size
    n, done = long - GAP, 0
    if is_real[2] and 0 < r < n - 2:  # where columns that do not exist lie within the state
        z, s, t = GAP, long + GAP, 2 * long + GAP
        near_columns(h_r, h_i, z, s, t, real, imag, up, down, d_real, d_imag, up, d_real, d_imag, down, width)
        done = 3
    for k in range(done, is_real.size):
        d, at = diagonals.offsets[k], k * long + GAP
        for side in range(2 if 0 < d < width else 1):
            count = min(width, n - d) if side == 0 else width - d
            x, y = (up + d, down + d) if side == 0 else (up, down)
            to, other = (up, down) if side == 0 else (up + d, down + d)
            if is_real[k]:
                real_columns(h_r, at, real, imag, x, y, d_real, d_imag, to, d_real, d_imag, other, count)
            else:
                sign = 1.0 - 2.0 * side
                columns(h_r, h_i, at, sign, real, imag, x, y, d_real, d_imag, to, d_real, d_imag, other, count)


@part(REORDERED)
def add_sources(diagonals, r, width, here, edges, d_real, d_imag):
    """d_rc += -i Z_rc + (-i Z_cr)^* on the columns c below `width` for a row r that begins at `here`.

    Z = sum_q u_q T_q, the last two planes of `edges`, is zero on rows that no lead is attached to.
    """
    n, own = diagonals.edge.size, diagonals.edge[r]
    if diagonals.is_touched[r]:
        axpy(0.0, -1.0, edges[2], edges[3], own, d_real, d_imag, here, width)
    for a in range(diagonals.touched.size):
        c = diagonals.touched[a]
        if c < width:
            d_real[here + c] += edges[3, a * n + r]
            d_imag[here + c] += edges[2, a * n + r]


@part(REORDERED)
def whole_rows(diagonals, at, on, real, imag, edges):
    """Rows of rho that leads are attached to on some columns, into the first two planes of `edges`; what is not stored
    mirrors rows below."""
    n, x_r, x_i = diagonals.edge.size, edges[0], edges[1]
    for a in range(diagonals.touched.size):
        clear(x_r, x_i, a * n + on.start, on.stop - on.start)
        add_density_row(diagonals, at, diagonals.touched[a], on, 1.0, 0.0, real, imag, x_r, x_i, a * n)


@part(REORDERED)
def sources_of_rows(diagonals, attached, channels, tr, ti, on, edges):
    """Z_cr = sum_q u_qc T_qr on the rows c that leads are attached to and some columns r."""
    n, z_r, z_i = diagonals.edge.size, edges[2], edges[3]
    for a in range(diagonals.touched.size):
        c, here, width = diagonals.touched[a], a * n + on.start, on.stop - on.start
        clear(z_r, z_i, here, width)
        for p in range(attached.start[c], attached.start[c + 1]):
            at = channels[attached.column[p]] + on.start
            axpy(attached.real[p], attached.imag[p], tr, ti, at, z_r, z_i, here, width)


@part(REORDERED)
def mirror_rows(at, r, reach, d_real, d_imag):
    """What the rows r and r + 1 of one site mirror above the diagonal; Hermitian to the last bit."""
    for c in range(r, r + 2):
        for k in range(max(0, r - reach), c):
            d_real[at[k] + c] = d_real[at[c] + k]
            d_imag[at[k] + c] = -d_imag[at[c] + k]
        d_imag[at[c] + c] = 0.0


@part(REORDERED)
def add_density_row(diagonals, at, r, on, a_r, a_i, real, imag, dr, di, d):
    """d_c += a rho_rc for the columns c `on`, which lie at d + c; what is not stored mirrors rows below."""
    first = at[r]
    if diagonals is None:
        axpy(a_r, a_i, real, imag, first + on.start, dr, di, d + on.start, on.stop - on.start)
        return
    stored = diagonals.widths[r]
    if stored > on.start:
        axpy(a_r, a_i, real, imag, first + on.start, dr, di, d + on.start, min(stored, on.stop) - on.start)
    for c in range(max(stored, on.start), on.stop):
        x_r, x_i = real[at[c] + r], -imag[at[c] + r]
        dr[d + c] += a_r * x_r - a_i * x_i
        di[d + c] += a_r * x_i + a_i * x_r
