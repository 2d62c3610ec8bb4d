"""The compiled right-hand side of the electronic equation of motion: d(B, W, Y)/d(t/hbar).

Called by `equation` only; `layout` says what B, W and Y are, `equation` derives what is computed here. Cost
O(nnz(H) (n + M + K) + M^2 + M K); nothing is allocated.

How it is written for speed: real and imaginary parts in separate planes; innermost loops run over whole contiguous
slices from 0 to their length, with one output each and at most eight inputs, because that is what the compiler turns
into vector instructions (it must prove at run time that arrays do not overlap, and gives up at more pairs than that).
A factor -i in front of a product goes into the coefficients: -i (a + i b) = b - i a.
"""

from __future__ import annotations

import numba as nb
import numpy as np

ARITHMETIC = {"reassoc", "contract"}
"""Fused multiply-add, and sums in the order of the vector lanes: the same bits in every run on a machine."""


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _axpy(ar: float, ai: float, xr: np.ndarray, xi: np.ndarray, yr: np.ndarray, yi: np.ndarray) -> None:
    """y += a x for split complex rows."""
    for c in range(xr.size):
        yr[c] += ar * xr[c] - ai * xi[c]
    for c in range(xr.size):
        yi[c] += ar * xi[c] + ai * xr[c]


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _scale_add(s: float, x: np.ndarray, y: np.ndarray) -> None:
    """y += s x for real rows."""
    for c in range(x.size):
        y[c] += s * x[c]


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _dot(x: np.ndarray, y: np.ndarray) -> float:
    """sum x y."""
    total = 0.0
    for c in range(x.size):
        total += x[c] * y[c]
    return total


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _sum(x: np.ndarray) -> float:
    """sum x."""
    total = 0.0
    for c in range(x.size):
        total += x[c]
    return total


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _row(er, ei, cr, ci, xr, xi, gr, gi, ar, ai, dr, di):  # type: ignore[no-untyped-def]
    """d = -i [(e - c^*) x + g a] for split complex rows c, x, a and numbers e, g."""
    for j in range(xr.size):
        dr[j] = (er - cr[j]) * xi[j] + (ei + ci[j]) * xr[j] + gr * ai[j] + gi * ar[j]
    for j in range(xr.size):
        di[j] = (ei + ci[j]) * xi[j] - (er - cr[j]) * xr[j] - gr * ar[j] + gi * ai[j]


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _damp_right(cr: np.ndarray, ci: np.ndarray, xr: np.ndarray, xi: np.ndarray, dr: np.ndarray, di: np.ndarray) -> None:
    """d += i c^* x."""
    for j in range(xr.size):
        dr[j] += ci[j] * xr[j] - cr[j] * xi[j]
    for j in range(xr.size):
        di[j] += cr[j] * xr[j] + ci[j] * xi[j]


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _conjugate_add(gr: float, gi: float, kr: np.ndarray, ki: np.ndarray, dr: np.ndarray, di: np.ndarray) -> None:
    """d += i k^* g, g a number."""
    for j in range(kr.size):
        dr[j] += ki[j] * gr - kr[j] * gi
    for j in range(kr.size):
        di[j] += kr[j] * gr + ki[j] * gi


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _project(vectors, br, bi, ar, ai):  # type: ignore[no-untyped-def]
    """a_q = u_q^dag B for every channel; `vectors` = (indptr, index, real, imag) holds the u_q sparsely."""
    indptr, index, ur, ui = vectors
    for q in range(indptr.size - 1):
        ar[q, :] = 0.0
        ai[q, :] = 0.0
        for p in range(indptr[q], indptr[q + 1]):
            _axpy(ur[p], -ui[p], br[index[p]], bi[index[p]], ar[q], ai[q])


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _mode_rows(modes, shifted, n, ar, ai, wr, wi, tr, ti, dwr, dwi):  # type: ignore[no-untyped-def]
    """dW, and what W adds to T_q on the mode columns; `shifted` is Re chi + V of every mode.

    dW_ij = -i [(chi_i - chi_j^*) W_ij + kappa_i a_q(i),j - kappa_j^* a_q(j),i^*],    T_q,j += sum_{y in q} s_y W_yj
    """
    offset, _, chii, kr, ki, s = modes
    row = 0
    for q in range(offset.size - 1):
        for i in range(offset[q], offset[q + 1]):
            w_r, w_i = wr[row : row + i + 1], wi[row : row + i + 1]
            d_r, d_i = dwr[row : row + i + 1], dwi[row : row + i + 1]
            a_r, a_i = ar[q, n : n + i + 1], ai[q, n : n + i + 1]
            _row(shifted[i], chii[i], shifted[: i + 1], chii[: i + 1], w_r, w_i, kr[i], ki[i], a_r, a_i, d_r, d_i)
            _scale_add(s[i], w_r, tr[q, n : n + i + 1])
            _scale_add(s[i], w_i, ti[q, n : n + i + 1])
            for p in range(q + 1):
                first, last = offset[p], min(offset[p + 1], i + 1)
                here = slice(first, last)
                _conjugate_add(ar[p, n + i], -ai[p, n + i], kr[here], ki[here], d_r[here], d_i[here])
                below = slice(first, min(last, i))
                tr[p, n + i] += _dot(s[below], w_r[below])
                ti[p, n + i] -= _dot(s[below], w_i[below])
            row += i + 1


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _vector_rows(modes, fermi, shifted, levels, n, ar, ai, yr, yi, tr, ti, dyr, dyi):  # type: ignore[no-untyped-def]
    """dY, and what Y adds to T_q: on the vector columns the left action of h, on the mode columns S_q^*.

    dY_yk = -i [kappa_y a_q(y),k + (chi_y - z_k^*) Y_yk]
    T_q,k += sum_{y in q} s_y Y_yk,   T_q,j += sum_{k in q} Y_jk^*;   `levels` is Re z + V of every vector
    """
    offset, _, chii, kr, ki, s = modes
    first, _, zi, _, _ = fermi
    column = n + chii.size
    for q in range(offset.size - 1):
        for y in range(offset[q], offset[q + 1]):
            a_r, a_i = ar[q, column:], ai[q, column:]
            _row(shifted[y], chii[y], levels, zi, yr[y], yi[y], kr[y], ki[y], a_r, a_i, dyr[y], dyi[y])
            _scale_add(s[y], yr[y], tr[q, column:])
            _scale_add(s[y], yi[y], ti[q, column:])
            for p in range(first.size - 1):
                own = slice(first[p], first[p + 1])
                tr[p, n + y] += _sum(yr[y, own])
                ti[p, n + y] -= _sum(yi[y, own])


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _sources(vectors, modes, fermi, wide, source, n, br, bi, ar, ai, tr, ti):  # type: ignore[no-untyped-def]
    """Starts T_q: P_q^* on the density-matrix columns, the inhomogeneous terms D and c_k, wide-band self-energies."""
    indptr, index, ur, ui = vectors
    offset, _, _, _, _, s = modes
    first, _, _, cr, ci = fermi
    dr, di = source
    column = n + s.size
    for q in range(indptr.size - 1):
        tr[q, :] = 0.0
        ti[q, :] = 0.0
        y, k = slice(offset[q], offset[q + 1]), slice(first[q], first[q + 1])
        on_y, on_k = slice(n + offset[q], n + offset[q + 1]), slice(column + first[q], column + first[q + 1])
        for r in range(n):
            tr[q, r] += _dot(s[y], br[r, on_y]) + _sum(br[r, on_k])
            ti[q, r] -= _dot(s[y], bi[r, on_y]) + _sum(bi[r, on_k])
        tr[q, on_y] += dr[y]
        ti[q, on_y] += di[y]
        tr[q, on_k] += cr[k]
        ti[q, on_k] += ci[k]
        if wide[q] != 0.0:
            _axpy(0.0, -0.5 * wide[q], ar[q], ai[q], tr[q], ti[q])
            for p in range(indptr[q], indptr[q + 1]):
                tr[q, index[p]] += 0.25 * wide[q] * ui[p]
                ti[q, index[p]] += 0.25 * wide[q] * ur[p]


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _device_rows(ham, sd, vectors, modes, fermi, shifted, levels, n, br, bi, ar, ai, tr, ti, dbr, dbi):  # type: ignore[no-untyped-def]
    """dB: left action -i (H B + sum_q u_q T_q) on all columns, right action on the mode and vector columns."""
    hptr, hcol, hr, hi = ham
    indptr, index, ur, ui = vectors
    offset, _, chii, kr, ki, _ = modes
    _, _, zi, _, _ = fermi
    m, columns = n + chii.size, br.shape[1]
    dbr[:] = 0.0
    dbi[:] = 0.0
    for r in range(n):
        for p in range(hptr[r], hptr[r + 1]):
            _axpy(hi[p], -hr[p], br[hcol[p]], bi[hcol[p]], dbr[r], dbi[r])
        x, y, z = sd[r // 2, 0], sd[r // 2, 1], sd[r // 2, 2]
        if r % 2 == 0:  # -i (z B_up + (x - i y) B_down)
            _axpy(0.0, -z, br[r], bi[r], dbr[r], dbi[r])
            _axpy(-y, -x, br[r + 1], bi[r + 1], dbr[r], dbi[r])
        else:  # -i ((x + i y) B_up - z B_down)
            _axpy(y, -x, br[r - 1], bi[r - 1], dbr[r], dbi[r])
            _axpy(0.0, z, br[r], bi[r], dbr[r], dbi[r])
    for q in range(indptr.size - 1):
        for p in range(indptr[q], indptr[q + 1]):
            _axpy(ui[p], -ur[p], tr[q], ti[q], dbr[index[p]], dbi[index[p]])
    for r in range(n):
        _damp_right(shifted, chii, br[r, n:m], bi[r, n:m], dbr[r, n:m], dbi[r, n:m])
        _damp_right(levels, zi, br[r, m:columns], bi[r, m:columns], dbr[r, m:columns], dbi[r, m:columns])
        for q in range(offset.size - 1):  # (rho u_q)_r = (u_q^dag rho)_r^*
            own, on = slice(offset[q], offset[q + 1]), slice(n + offset[q], n + offset[q + 1])
            _conjugate_add(ar[q, r], -ai[q, r], kr[own], ki[own], dbr[r, on], dbi[r, on])


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _commutator(n, dbr, dbi):  # type: ignore[no-untyped-def]
    """d rho = E + E^dag from E = -i (H rho + sum_q u_q P_q^dag), in place, Hermitian to the last bit."""
    block = 32
    for r0 in range(0, n, block):
        for c0 in range(0, r0 + 1, block):
            for r in range(r0, min(r0 + block, n)):
                for c in range(c0, min(c0 + block, r + 1)):
                    real = dbr[r, c] + dbr[c, r]
                    imag = dbi[r, c] - dbi[c, r]
                    dbr[r, c] = real
                    dbr[c, r] = real
                    dbi[r, c] = imag
                    dbi[c, r] = -imag


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _outflow(ham, sd, vectors, lead, n, tr, ti, out):  # type: ignore[no-untyped-def]
    """Flow out of the device for each lead: electrons, <sigma_x,y,z> and device energy, per hbar/eV.

    d rho/dt|_q = -i u_q P_q^dag + i P_q u_q^dag, so the outflow of a Hermitian operator O is
    -Tr[O d rho] = 2 Im(u_q^dag O P_q); P_q^* is what T_q holds on the density-matrix columns. O = H(t) is the energy.
    """
    hptr, hcol, hr, hi = ham
    indptr, index, ur, ui = vectors
    out[:] = 0.0
    for q in range(indptr.size - 1):
        for p in range(indptr[q], indptr[q + 1]):
            r = index[p]
            site, spin = r // 2, r % 2
            up, down = 2 * site, 2 * site + 1
            upr, upi, dor, doi = tr[q, up], -ti[q, up], tr[q, down], -ti[q, down]
            if spin == 0:  # the conjugated component u_q^* of spin up, times O P
                same_r, same_i, flip_r, flip_i, sign = upr, upi, dor, doi, 1.0
            else:
                same_r, same_i, flip_r, flip_i, sign = dor, doi, upr, upi, -1.0
            n_im = ur[p] * same_i - ui[p] * same_r
            x_im = ur[p] * flip_i - ui[p] * flip_r
            y_im = -sign * (ur[p] * flip_r + ui[p] * flip_i)  # sigma_y: up row -i P_down, down row +i P_up
            out[lead[q], 0] += 2 * n_im
            out[lead[q], 1] += 2 * x_im
            out[lead[q], 2] += 2 * y_im
            out[lead[q], 3] += 2 * sign * n_im
            # u_r^* (H P)_r, H = H_0 + sd coupling
            er = sd[site, 0] * flip_r + sign * (sd[site, 1] * flip_i + sd[site, 2] * same_r)
            ei = sd[site, 0] * flip_i + sign * (sd[site, 2] * same_i - sd[site, 1] * flip_r)
            for k in range(hptr[r], hptr[r + 1]):
                pr, pi = tr[q, hcol[k]], -ti[q, hcol[k]]
                er += hr[k] * pr - hi[k] * pi
                ei += hr[k] * pi + hi[k] * pr
            out[lead[q], 4] += 2 * (ur[p] * ei - ui[p] * er)


def pack_constants(ham, vectors, modes, fermi, wide, source, lead):  # type: ignore[no-untyped-def]
    """All constants of the equation in one integer and one float array, as `electronic_rhs` takes them.

    A compiled function spends a quarter of a microsecond on every array that it is handed.

    Args:
        ham: (indptr, column, real, imag), H_0 in CSR.
        vectors: (indptr, index, real, imag), the channels' device vectors u_q.
        modes: (offset (Q+1), Re chi, Im chi, Re kappa, Im kappa, s), sorted by channel.
        fermi: (first (Q+1), Re z, Im z, Re c, Im c) of the Fermi vectors, sorted by channel.
        wide: (Q,) wide-band Gamma_q, 0 for the others.
        source: (real, imag) of (b_y f(chi_y)/s_y)^*, (M,).
        lead: (Q,) the lead that each channel belongs to.
    """
    integers = (ham[0], ham[1], vectors[0], vectors[1], modes[0], fermi[0], lead)
    numbers = (*ham[2:], *vectors[2:], *modes[1:], *fermi[1:], *source, wide)
    sizes = np.array([ham[0].size, ham[1].size, vectors[1].size, lead.size, modes[1].size, fermi[1].size])
    return np.concatenate([sizes, *integers]).astype(np.int64), np.concatenate(numbers).astype(float)


@nb.njit(cache=True, fastmath=ARITHMETIC)
def _unpack(integers, numbers):  # type: ignore[no-untyped-def]
    """What `pack_constants` was given, as views."""
    rows, nnz, entries, channels, m, k = integers[0], integers[1], integers[2], integers[3], integers[4], integers[5]
    i1 = 6 + rows
    i2 = i1 + nnz
    i3 = i2 + channels + 1
    i4 = i3 + entries
    i5 = i4 + channels + 1
    i6 = i5 + channels + 1
    x1 = 2 * nnz
    x2 = x1 + 2 * entries
    x3 = x2 + 5 * m
    x4 = x3 + 4 * k
    x5 = x4 + 2 * m
    ham = (integers[6:i1], integers[i1:i2], numbers[:nnz], numbers[nnz:x1])
    vectors = (integers[i2:i3], integers[i3:i4], numbers[x1 : x1 + entries], numbers[x1 + entries : x2])
    modes = (
        integers[i4:i5], numbers[x2 : x2 + m], numbers[x2 + m : x2 + 2 * m], numbers[x2 + 2 * m : x2 + 3 * m],
        numbers[x2 + 3 * m : x2 + 4 * m], numbers[x2 + 4 * m : x3],
    )  # fmt: skip
    fermi = (
        integers[i5:i6], numbers[x3 : x3 + k], numbers[x3 + k : x3 + 2 * k], numbers[x3 + 2 * k : x3 + 3 * k],
        numbers[x3 + 3 * k : x4],
    )  # fmt: skip
    source = (numbers[x4 : x4 + m], numbers[x4 + m : x5])
    return ham, vectors, modes, fermi, numbers[x5:], source, integers[i6:]


@nb.njit(cache=True, fastmath=ARITHMETIC)
def electronic_rhs(integers, numbers, sd, voltage, scratch, real, imag, d_real, d_imag, out):  # type: ignore[no-untyped-def]
    """d(electrons)/d(t/hbar) into (d_real, d_imag) and the flow into the leads into `out` (n_leads, 5).

    Args:
        integers, numbers: The constants, from `pack_constants`.
        sd: (N, 3), -J_i M_i.
        voltage: (Q,) V_q(t) in eV.
        scratch: M + K + 4 Q (n + M + K) floats.
        real, imag, d_real, d_imag: The electronic planes of state and derivative.
        out: (n_leads, 5).
    """
    ham, vectors, modes, fermi, wide, source, lead = _unpack(integers, numbers)
    n, m, k = 2 * sd.shape[0], modes[1].size, fermi[1].size
    columns = n + m + k
    device = n * columns
    packed = device + m * (m + 1) // 2
    br, bi = real[:device].reshape(n, columns), imag[:device].reshape(n, columns)
    dbr, dbi = d_real[:device].reshape(n, columns), d_imag[:device].reshape(n, columns)
    yr, yi = real[packed:].reshape(m, k), imag[packed:].reshape(m, k)
    dyr, dyi = d_real[packed:].reshape(m, k), d_imag[packed:].reshape(m, k)
    shifted, levels = scratch[:m], scratch[m : m + k]
    work = scratch[m + k :].reshape(4, lead.size, columns)
    ar, ai, tr, ti = work[0], work[1], work[2], work[3]
    for q in range(lead.size):
        y, v = slice(modes[0][q], modes[0][q + 1]), slice(fermi[0][q], fermi[0][q + 1])
        shifted[y] = modes[1][y] + voltage[q]
        levels[v] = fermi[1][v] + voltage[q]
    _project(vectors, br, bi, ar, ai)
    _sources(vectors, modes, fermi, wide, source, n, br, bi, ar, ai, tr, ti)
    _mode_rows(
        modes, shifted, n, ar, ai, real[device:packed], imag[device:packed], tr, ti,
        d_real[device:packed], d_imag[device:packed],
    )  # fmt: skip
    _vector_rows(modes, fermi, shifted, levels, n, ar, ai, yr, yi, tr, ti, dyr, dyi)
    _device_rows(ham, sd, vectors, modes, fermi, shifted, levels, n, br, bi, ar, ai, tr, ti, dbr, dbi)
    _commutator(n, dbr, dbi)
    _outflow(ham, sd, vectors, lead, n, tr, ti, out)


@nb.njit(cache=True, fastmath=ARITHMETIC)
def sd_torque(n, columns, real, imag, j_sd, moments, out):  # type: ignore[no-untyped-def]
    """T_i = J_i <s_i> x M_i in eV from the density-matrix columns of B, into `out` (N, 3)."""
    for i in range(n // 2):
        up, down = 2 * i, 2 * i + 1
        # <sigma_x> = 2 Re rho_du, <sigma_y> = 2 Im rho_du, <sigma_z> = rho_uu - rho_dd
        sx = 2 * j_sd[i] * real[down * columns + up]
        sy = 2 * j_sd[i] * imag[down * columns + up]
        sz = j_sd[i] * (real[up * columns + up] - real[down * columns + down])
        x, y, z = moments[i, 0], moments[i, 1], moments[i, 2]
        out[i, 0] = sy * z - sz * y
        out[i, 1] = sz * x - sx * z
        out[i, 2] = sx * y - sy * x
