"""The compiled right-hand side of the electronic equation of motion: d(B, W, Y)/d(t/hbar).

Called by `equation` only; `layout` says what B, W and Y are, `equation` derives what is computed here. Every loop over
columns runs along contiguous memory; cost O(nnz(H) (n + M + K) + M^2 + M K). No array is allocated but two of the size
of (channels, columns).
"""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(cache=True)
def _axpy(ar: float, ai: float, xr: np.ndarray, xi: np.ndarray, yr: np.ndarray, yi: np.ndarray) -> None:
    """y += a x for split complex rows."""
    for c in range(xr.size):
        yr[c] += ar * xr[c] - ai * xi[c]
        yi[c] += ar * xi[c] + ai * xr[c]


@nb.njit(cache=True)
def _project(vectors, br, bi, ar, ai):  # type: ignore[no-untyped-def]
    """a_q = u_q^dag B for every channel; `vectors` = (indptr, index, real, imag) holds the u_q sparsely."""
    indptr, index, ur, ui = vectors
    for q in range(indptr.size - 1):
        ar[q, :] = 0.0
        ai[q, :] = 0.0
        for p in range(indptr[q], indptr[q + 1]):
            _axpy(ur[p], -ui[p], br[index[p]], bi[index[p]], ar[q], ai[q])


@nb.njit(cache=True)
def _mode_rows(modes, voltage, n, ar, ai, wr, wi, tr, ti, dwr, dwi):  # type: ignore[no-untyped-def]
    """dW, and what W adds to T_q on the mode columns.

    dW_ij = -i [(chi_i - chi_j^*) W_ij + kappa_i a_q(i),j - kappa_j^* a_q(j),i^*],    T_q,j += sum_{y in q} s_y W_yj
    """
    offset, chir, chii, kr, ki, s = modes
    channels = offset.size - 1
    row = 0
    for q in range(channels):
        for i in range(offset[q], offset[q + 1]):
            wri, wii = wr[row : row + i + 1], wi[row : row + i + 1]
            dri, dii = dwr[row : row + i + 1], dwi[row : row + i + 1]
            aqr, aqi = ar[q, n : n + i + 1], ai[q, n : n + i + 1]
            tqr, tqi = tr[q, n : n + i + 1], ti[q, n : n + i + 1]
            xr, xi = chir[i] + voltage[q], chii[i]
            for p in range(q + 1):
                pr, pi = ar[p, n + i], ai[p, n + i]
                dotr = 0.0
                doti = 0.0
                for j in range(offset[p], min(offset[p + 1], i + 1)):
                    er = xr - chir[j] - voltage[p]
                    ei = xi + chii[j]
                    fr = er * wri[j] - ei * wii[j] + kr[i] * aqr[j] - ki[i] * aqi[j] - kr[j] * pr + ki[j] * pi
                    fi = er * wii[j] + ei * wri[j] + kr[i] * aqi[j] + ki[i] * aqr[j] + kr[j] * pi + ki[j] * pr
                    dri[j] = fi
                    dii[j] = -fr
                    tqr[j] += s[i] * wri[j]
                    tqi[j] += s[i] * wii[j]
                for j in range(offset[p], min(offset[p + 1], i)):
                    dotr += s[j] * wri[j]
                    doti -= s[j] * wii[j]
                tr[p, n + i] += dotr
                ti[p, n + i] += doti
            row += i + 1


@nb.njit(cache=True)
def _vector_rows(modes, fermi, voltage, n, ar, ai, yr, yi, tr, ti, dyr, dyi):  # type: ignore[no-untyped-def]
    """dY, and what Y adds to T_q: on the vector columns the left action of h, on the mode columns S_q^*.

    dY_yk = -i [kappa_y a_q(y),k + (chi_y - z_k^*) Y_yk]
    T_q,k += sum_{y in q} s_y Y_yk,   T_q,j += sum_{k in q} Y_jk^*
    """
    offset, chir, chii, kr, ki, s = modes
    first, zr, zi, _, _ = fermi
    column = n + chir.size
    for q in range(offset.size - 1):
        for y in range(offset[q], offset[q + 1]):
            xr, xi = chir[y] + voltage[q], chii[y]
            for p in range(first.size - 1):
                sumr = 0.0
                sumi = 0.0
                for k in range(first[p], first[p + 1]):
                    er = xr - zr[k] - voltage[p]
                    ei = xi + zi[k]
                    cr, ci = ar[q, column + k], ai[q, column + k]
                    fr = er * yr[y, k] - ei * yi[y, k] + kr[y] * cr - ki[y] * ci
                    fi = er * yi[y, k] + ei * yr[y, k] + kr[y] * ci + ki[y] * cr
                    dyr[y, k] = fi
                    dyi[y, k] = -fr
                    tr[q, column + k] += s[y] * yr[y, k]
                    ti[q, column + k] += s[y] * yi[y, k]
                for k in range(first[p], first[p + 1]):
                    sumr += yr[y, k]
                    sumi -= yi[y, k]
                tr[p, n + y] += sumr
                ti[p, n + y] += sumi


@nb.njit(cache=True)
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
        for r in range(n):
            for y in range(offset[q], offset[q + 1]):
                tr[q, r] += s[y] * br[r, n + y]
                ti[q, r] -= s[y] * bi[r, n + y]
            for k in range(first[q], first[q + 1]):
                tr[q, r] += br[r, column + k]
                ti[q, r] -= bi[r, column + k]
        for y in range(offset[q], offset[q + 1]):
            tr[q, n + y] += dr[y]
            ti[q, n + y] += di[y]
        for k in range(first[q], first[q + 1]):
            tr[q, column + k] += cr[k]
            ti[q, column + k] += ci[k]
        if wide[q] != 0.0:
            _axpy(0.0, -0.5 * wide[q], ar[q], ai[q], tr[q], ti[q])
            for p in range(indptr[q], indptr[q + 1]):
                tr[q, index[p]] += 0.25 * wide[q] * ui[p]
                ti[q, index[p]] += 0.25 * wide[q] * ur[p]


@nb.njit(cache=True)
def _device_rows(ham, sd, vectors, modes, fermi, voltage, n, br, bi, ar, ai, tr, ti, dbr, dbi):  # type: ignore[no-untyped-def]
    """dB: left action H B + sum_q u_q T_q on all columns, right action on the mode and vector columns."""
    hptr, hcol, hr, hi = ham
    indptr, index, ur, ui = vectors
    offset, chir, chii, kr, ki, _ = modes
    first, zr, zi, _, _ = fermi
    column = n + chir.size
    dbr[:] = 0.0
    dbi[:] = 0.0
    for r in range(n):
        for p in range(hptr[r], hptr[r + 1]):
            _axpy(hr[p], hi[p], br[hcol[p]], bi[hcol[p]], dbr[r], dbi[r])
        site = r // 2
        x, y, z = sd[site, 0], sd[site, 1], sd[site, 2]
        if r % 2 == 0:
            _axpy(z, 0.0, br[r], bi[r], dbr[r], dbi[r])
            _axpy(x, -y, br[r + 1], bi[r + 1], dbr[r], dbi[r])
        else:
            _axpy(x, y, br[r - 1], bi[r - 1], dbr[r], dbi[r])
            _axpy(-z, 0.0, br[r], bi[r], dbr[r], dbi[r])
    for q in range(indptr.size - 1):
        for p in range(indptr[q], indptr[q + 1]):
            _axpy(ur[p], ui[p], tr[q], ti[q], dbr[index[p]], dbi[index[p]])
    for r in range(n):
        for q in range(offset.size - 1):
            gr, gi = ar[q, r], -ai[q, r]  # (rho u_q)_r = (u_q^dag rho)_r^*
            for j in range(offset[q], offset[q + 1]):
                er, ei = chir[j] + voltage[q], -chii[j]
                c = n + j
                fr = dbr[r, c] - er * br[r, c] + ei * bi[r, c] - kr[j] * gr - ki[j] * gi
                fi = dbi[r, c] - er * bi[r, c] - ei * br[r, c] - kr[j] * gi + ki[j] * gr
                dbr[r, c] = fi
                dbi[r, c] = -fr
            for k in range(first[q], first[q + 1]):
                er, ei = zr[k] + voltage[q], -zi[k]
                c = column + k
                fr = dbr[r, c] - er * br[r, c] + ei * bi[r, c]
                fi = dbi[r, c] - er * bi[r, c] - ei * br[r, c]
                dbr[r, c] = fi
                dbi[r, c] = -fr


@nb.njit(cache=True)
def _commutator(n, dbr, dbi):  # type: ignore[no-untyped-def]
    """d rho = -i (E - E^dag) from E = H rho + sum_q u_q P_q^dag, in place, Hermitian to the last bit."""
    block = 32
    for r0 in range(0, n, block):
        for c0 in range(0, r0 + 1, block):
            for r in range(r0, min(r0 + block, n)):
                for c in range(c0, min(c0 + block, r + 1)):
                    real = dbi[r, c] + dbi[c, r]
                    imag = dbr[c, r] - dbr[r, c]
                    dbr[r, c] = real
                    dbr[c, r] = real
                    dbi[r, c] = imag
                    dbi[c, r] = -imag


@nb.njit(cache=True)
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


@nb.njit(cache=True)
def electronic_rhs(n, ham, sd, vectors, modes, fermi, wide, source, lead, voltage, work, real, imag, d_real, d_imag, out):  # type: ignore[no-untyped-def]  # noqa: E501
    """d(electrons)/d(t/hbar) into (d_real, d_imag) and the flow into the leads into `out` (n_leads, 5).

    Args:
        n: Device states.
        ham: (indptr, column, real, imag), H_0 in CSR.
        sd: (N, 3), -J_i M_i.
        vectors: (indptr, index, real, imag), the channels' device vectors u_q.
        modes: (offset (Q+1), Re chi, Im chi, Re kappa, Im kappa, s), sorted by channel.
        fermi: (first (Q+1), Re z, Im z, Re c, Im c) of the Fermi vectors, sorted by channel.
        wide: (Q,) wide-band Gamma_q, 0 for the others.
        source: (real, imag) of (b_y f(chi_y)/s_y)^*, (M,).
        lead: (Q,) the lead that each channel belongs to.
        voltage: (Q,) V_q(t) in eV.
        work: (4, Q, columns) scratch.
        real, imag, d_real, d_imag: The electronic planes of state and derivative.
        out: (n_leads, 5).
    """
    n_modes = modes[1].size
    n_vectors = fermi[1].size
    columns = n + n_modes + n_vectors
    n_device = n * columns
    packed = n_device + n_modes * (n_modes + 1) // 2
    br, bi = real[:n_device].reshape(n, columns), imag[:n_device].reshape(n, columns)
    dbr, dbi = d_real[:n_device].reshape(n, columns), d_imag[:n_device].reshape(n, columns)
    yr, yi = real[packed:].reshape(n_modes, n_vectors), imag[packed:].reshape(n_modes, n_vectors)
    dyr, dyi = d_real[packed:].reshape(n_modes, n_vectors), d_imag[packed:].reshape(n_modes, n_vectors)
    ar, ai, tr, ti = work[0], work[1], work[2], work[3]
    _project(vectors, br, bi, ar, ai)
    _sources(vectors, modes, fermi, wide, source, n, br, bi, ar, ai, tr, ti)
    _mode_rows(
        modes, voltage, n, ar, ai, real[n_device:packed], imag[n_device:packed], tr, ti,
        d_real[n_device:packed], d_imag[n_device:packed],
    )  # fmt: skip
    _vector_rows(modes, fermi, voltage, n, ar, ai, yr, yi, tr, ti, dyr, dyi)
    _device_rows(ham, sd, vectors, modes, fermi, voltage, n, br, bi, ar, ai, tr, ti, dbr, dbi)
    _commutator(n, dbr, dbi)
    _outflow(ham, sd, vectors, lead, n, tr, ti, out)


@nb.njit(cache=True)
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
