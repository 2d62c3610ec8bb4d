"""The compiled right-hand side of the electronic equation of motion: d(B, W, Y)/d(t/hbar).

Called by `equation` only; `layout` says what B, W and Y are, `equation` derives what is computed here. Cost
O(nnz(H) (n + M + K) + M^2 + M K); nothing is allocated.

The M coupling modes and the K Fermi vectors are handled as one list of levels, modes first: a Fermi vector is a level
of energy z with kappa = 0 (nothing flows into it) and s = 1.

How it is written for speed: real and imaginary parts in separate planes; innermost loops run from 0 over whole
contiguous slices, because that is what the compiler turns into vector instructions. An index that might be negative
(a sum of two variables) keeps it from doing so, and a call with many arrays costs a quarter of a microsecond for each,
hence slices and few calls. A factor -i goes into the coefficients: -i (a + i b) = b - i a.
"""

from __future__ import annotations

import numpy as np

from llgnegf._compile import REORDERED, kernel, part

GROUP = 32
"""Rows of the density matrix that are finished together while they are in a near cache; a multiple of 8."""


@part(REORDERED)
def _axpy(ar, ai, xr, xi, dr, di):  # type: ignore[no-untyped-def]
    """d += a x for split complex rows."""
    for c in range(dr.size):
        x_r, x_i = xr[c], xi[c]
        dr[c] += ar * x_r - ai * x_i
        di[c] += ar * x_i + ai * x_r


@part(REORDERED)
def _axpy_pair(ar, ai, xr, xi, br, bi, yr, yi, dr, di):  # type: ignore[no-untyped-def]
    """d += a x + b y for split complex rows: one pass over d for two products."""
    for c in range(dr.size):
        x_r, x_i, y_r, y_i = xr[c], xi[c], yr[c], yi[c]
        dr[c] += ar * x_r - ai * x_i + br * y_r - bi * y_i
        di[c] += ar * x_i + ai * x_r + br * y_i + bi * y_r


@part(REORDERED)
def _spin_and_hops(z, x, y, h, k, own, other, p, q, d):  # type: ignore[no-untyped-def]
    """d = -i [z own + (x - i y) other + h p + k q] for pairs of split rows and real numbers h, k: one pass for most."""
    own_r, own_i, other_r, other_i, dr, di = own[0], own[1], other[0], other[1], d[0], d[1]
    pr, pi, qr, qi = p[0], p[1], q[0], q[1]
    for c in range(dr.size):
        a_r, a_i, b_r, b_i, p_r, p_i, q_r, q_i = own_r[c], own_i[c], other_r[c], other_i[c], pr[c], pi[c], qr[c], qi[c]
        dr[c] = z * a_i + x * b_i - y * b_r + h * p_i + k * q_i
        di[c] = -z * a_r - x * b_r - y * b_i - h * p_r - k * q_r


@part(REORDERED)
def _right_action(er, ei, kr, ki, gr, gi, xr, xi, dr, di):  # type: ignore[no-untyped-def]
    """d += i [e^* x + (k g)^*] for split complex rows."""
    for j in range(xr.size):
        x_r, x_i, k_r, k_i, g_r, g_i = xr[j], xi[j], kr[j], ki[j], gr[j], gi[j]
        dr[j] += ei[j] * x_r - er[j] * x_i + k_i * g_r + k_r * g_i
        di[j] += er[j] * x_r + ei[j] * x_i + k_r * g_r - k_i * g_i


@part(REORDERED)
def _project(vectors, br, bi, ar, ai):  # type: ignore[no-untyped-def]
    """a_q = u_q^dag B for every channel; `vectors` = (indptr, index, real, imag) holds the u_q sparsely."""
    indptr, index, ur, ui = vectors
    for q in range(indptr.size - 1):
        for c in range(br.shape[1]):
            ar[q, c], ai[q, c] = 0.0, 0.0
        for p in range(indptr[q], indptr[q + 1]):
            _axpy(ur[p], -ui[p], br[index[p]], bi[index[p]], ar[q], ai[q])


@part(REORDERED)
def _lead_sums(bounds, s, q, n, br, bi, tr, ti):  # type: ignore[no-untyped-def]
    """t_r += sum_y s_y C_ry^* + sum_k v_rk^* over the levels of channel q: P_q^* without its wide-band part."""
    for bound in bounds:
        own, on = slice(bound[q], bound[q + 1]), slice(n + bound[q], n + bound[q + 1])
        weight = s[own]
        for r in range(n):
            xr, xi = br[r, on], bi[r, on]
            sum_r, sum_i = 0.0, 0.0
            for j in range(weight.size):
                sum_r += weight[j] * xr[j]
                sum_i += weight[j] * xi[j]
            tr[r] += sum_r
            ti[r] -= sum_i


@part(REORDERED)
def _sources(vectors, bounds, levels, wide, n, br, bi, ar, ai, tr, ti):  # type: ignore[no-untyped-def]
    """Starts T_q: P_q^* on the density-matrix columns, the inhomogeneous terms D and c_k, wide-band self-energies."""
    indptr, index, ur, ui = vectors
    for q in range(indptr.size - 1):
        for c in range(br.shape[1]):
            tr[q, c], ti[q, c] = 0.0, 0.0
        _lead_sums(bounds, levels[4], q, n, br, bi, tr[q], ti[q])
        for bound in bounds:
            for j in range(bound[q], bound[q + 1]):
                tr[q, n + j] += levels[5, j]
                ti[q, n + j] += levels[6, j]
        if wide[q] != 0.0:
            _axpy(0.0, -0.5 * wide[q], ar[q], ai[q], tr[q], ti[q])
            for p in range(indptr[q], indptr[q + 1]):
                tr[q, index[p]] += 0.25 * wide[q] * ui[p]
                ti[q, index[p]] += 0.25 * wide[q] * ur[p]


@part(REORDERED)
def _block(first, p, own, columns, left, right, a, g, x, d, t, u):  # type: ignore[no-untyped-def]
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
def _matrices(real, imag, first, rows, columns):  # type: ignore[no-untyped-def]
    """A block of a packed plane as two matrices."""
    last = first + rows * columns
    return real[first:last].reshape(rows, columns), imag[first:last].reshape(rows, columns)


@part(REORDERED)
def _level_blocks(bounds, levels, energy, n, a, real, imag, t, d_real, d_imag):  # type: ignore[no-untyped-def]
    """dW and dY, and what W and Y add to T on the mode and vector columns.

        dW_ij = -i [(chi_i - chi_j^*) W_ij + kappa_i a_q(i),j - kappa_j^* a_q(j),i^*],  T_q,j += sum_{y in q} s_y W_yj
        dY_yk = -i [(chi_y - z_k^*) Y_yk + kappa_y a_q(y),k],      T_q,k += sum_{y in q} s_y Y_yk
                                                                   T_q,j += sum_{k in q} Y_jk^*

    Y^dag obeys the equation of W, its rows being the levels k. `energy` is Re chi + V and Re z + V.
    """
    offset, first = bounds
    m, here = offset[-1], 0
    count = energy.size - m
    for p in range(offset.size - 1):
        own, on = slice(offset[p], offset[p + 1]), slice(n + offset[p], n + offset[p + 1])
        width, height = offset[p + 1] - offset[p], m - offset[p]
        right = (energy[own], levels[1, own], levels[2, own], levels[3, own], levels[4, own])
        rows, on_rows = slice(offset[p], m), slice(n + offset[p], n + m)
        left = (energy[rows], levels[1, rows], levels[2, rows], levels[3, rows], levels[4, rows])
        _block(
            offset, p, p, on, left, right, a, (a[0][p, on_rows], a[1][p, on_rows]),
            _matrices(real, imag, here, height, width), _matrices(d_real, d_imag, here, height, width),
            t, (t[0][p, on_rows], t[1][p, on_rows]),
        )  # fmt: skip
        here += height * width
        rows, on_rows = slice(m, m + count), slice(n + m, n + m + count)
        left = (energy[rows], levels[1, rows], levels[2, rows], levels[3, rows], levels[4, rows])
        _block(
            first, 0, -1, on, left, right, a, (a[0][p, on_rows], a[1][p, on_rows]),
            _matrices(real, imag, here, count, width), _matrices(d_real, d_imag, here, count, width),
            t, (t[0][p, on_rows], t[1][p, on_rows]),
        )  # fmt: skip
        here += count * width


@part(REORDERED)
def _device_rows(ham, sd, vectors, bounds, levels, energy, flow, n, br, bi, ar, ai, tr, ti, dbr, dbi):  # type: ignore[no-untyped-def]
    """dB: left action E = -i (H B + sum_q u_q T_q) on all columns, right action on the levels', d rho = E + E^dag."""
    hptr, hcol, hr, hi = ham
    indptr, index, ur, ui = vectors
    offset, _ = bounds
    gr, gi = flow[0], flow[1]
    for r in range(n):
        for q in range(offset.size - 1):  # (rho u_q)_r = (u_q^dag rho)_r^*
            gr[offset[q] : offset[q + 1]] = ar[q, r]
            gi[offset[q] : offset[q + 1]] = ai[q, r]
        start, last = hptr[r], hptr[r + 1]
        two = last - start >= 2 and hi[start] == 0.0 and hi[start + 1] == 0.0
        j, k, h_j, h_k = (hcol[start], hcol[start + 1], hr[start], hr[start + 1]) if two else (r, r, 0.0, 0.0)
        sign, other = (1.0, r + 1) if r % 2 == 0 else (-1.0, r - 1)
        x, y, z = sd[r // 2, 0], sd[r // 2, 1], sd[r // 2, 2]
        _spin_and_hops(
            sign * z, x, sign * y, h_j, h_k, (br[r], bi[r]), (br[other], bi[other]), (br[j], bi[j]), (br[k], bi[k]),
            (dbr[r], dbi[r]),
        )  # fmt: skip
        if two:
            start += 2
        for p in range(start, last - 1, 2):
            j, k = hcol[p], hcol[p + 1]
            _axpy_pair(hi[p], -hr[p], br[j], bi[j], hi[p + 1], -hr[p + 1], br[k], bi[k], dbr[r], dbi[r])
        if (last - start) % 2:
            _axpy(hi[last - 1], -hr[last - 1], br[hcol[last - 1]], bi[hcol[last - 1]], dbr[r], dbi[r])
        _right_action(
            energy, levels[1], levels[2], levels[3], gr, gi, br[r, n:], bi[r, n:], dbr[r, n:], dbi[r, n:]
        )
        if r % GROUP == GROUP - 1 or r == n - 1:
            first = r - r % GROUP
            for q in range(indptr.size - 1):
                for p in range(indptr[q], indptr[q + 1]):
                    if first <= index[p] <= r:
                        _axpy(ui[p], -ur[p], tr[q], ti[q], dbr[index[p]], dbi[index[p]])
            _add_adjoint(first, r + 1, dbr, dbi)


@part(REORDERED)
def _add_adjoint(first, stop, dbr, dbi):  # type: ignore[no-untyped-def]
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
def _add_mirrored(first, left, sign, d):  # type: ignore[no-untyped-def]
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


def pack_constants(ham, vectors, bounds, levels, wide, lead, j_sd, n_complex, n_leads):  # type: ignore[no-untyped-def]
    """All constants of the equation in one integer and one float array, as `electronic_rhs` takes them.

    A compiled function spends a quarter of a microsecond on every array that it is handed.

    Args:
        ham: (indptr, column, real, imag), H_0 in CSR.
        vectors: (indptr, index, real, imag), the channels' device vectors u_q.
        bounds: (offset, first), (Q+1) each: each channel's modes and its Fermi vectors in the list of levels.
        levels: (7, M + K): Re e, Im e, Re kappa, Im kappa, s, Re d, Im d; e = chi and d = (b_y f(chi_y)/s_y)^* for a
            mode; e = z, kappa = 0, s = 1 and d = c_k for a Fermi vector.
        wide: (Q,) wide-band Gamma_q, 0 for the others.
        lead: (Q,) the lead that each channel belongs to.
        j_sd: (N,) in eV.
        n_complex, n_leads: Size of a plane of the state, number of leads.
    """
    sizes = [ham[0].size, ham[1].size, vectors[1].size, lead.size, levels.shape[1], n_complex, n_leads]
    integers = np.concatenate([sizes, ham[0], ham[1], vectors[0], vectors[1], *bounds, lead])
    numbers = np.concatenate([*ham[2:], *vectors[2:], levels.ravel(), wide, j_sd])
    return integers.astype(np.int64), numbers.astype(float)


@part(REORDERED)
def _unpack(integers, numbers):  # type: ignore[no-untyped-def]
    """What `pack_constants` was given, as views."""
    rows, nnz, entries, channels, count = integers[0], integers[1], integers[2], integers[3], integers[4]
    i1 = 7 + rows
    i2 = i1 + nnz
    i3 = i2 + channels + 1
    i4 = i3 + entries
    i5 = i4 + channels + 1
    i6 = i5 + channels + 1
    x1 = 2 * nnz
    x2 = x1 + 2 * entries
    x3 = x2 + 7 * count
    x4 = x3 + channels
    ham = (integers[7:i1], integers[i1:i2], numbers[:nnz], numbers[nnz:x1])
    vectors = (integers[i2:i3], integers[i3:i4], numbers[x1 : x1 + entries], numbers[x1 + entries : x2])
    bounds = (integers[i4:i5], integers[i5:i6])
    return ham, vectors, bounds, numbers[x2:x3].reshape(7, count), numbers[x3:x4], integers[i6:], numbers[x4:]


@kernel(REORDERED)
def electronic_rhs(integers, numbers, moments, voltage, scratch, state, derivative):  # type: ignore[no-untyped-def]
    """d(electrons)/d(t/hbar), and the flow into the leads, into `derivative`; the moments' part is left alone.

    Args:
        integers, numbers: The constants, from `pack_constants`.
        moments: (N, 3).
        voltage: (Q,) V_q(t) in eV.
        scratch: 3 (M + K) + 4 Q (n + M + K) + 3 N floats, zero at first.
        state, derivative: Vectors in the order of `layout`.
    """
    ham, vectors, bounds, levels, wide, lead, j_sd = _unpack(integers, numbers)
    n, count = 2 * moments.shape[0], levels.shape[1]
    columns, device, n_complex, n_leads = n + count, n * (n + count), integers[5], integers[6]
    real, imag = state[:n_complex], state[n_complex : 2 * n_complex]
    d_real, d_imag = derivative[:n_complex], derivative[n_complex : 2 * n_complex]
    br, bi = real[:device].reshape(n, columns), imag[:device].reshape(n, columns)
    dbr, dbi = d_real[:device].reshape(n, columns), d_imag[:device].reshape(n, columns)
    out = derivative[derivative.size - 5 * n_leads :].reshape(n_leads, 5)
    energy, flow = scratch[:count], scratch[count : 3 * count].reshape(2, count)
    sd = scratch[3 * count : 3 * count + 3 * moments.shape[0]].reshape(moments.shape[0], 3)
    work = scratch[3 * count + 3 * moments.shape[0] :].reshape(4, lead.size, columns)
    ar, ai, tr, ti = work[0], work[1], work[2], work[3]
    for i in range(moments.shape[0]):
        for c in range(3):
            sd[i, c] = -j_sd[i] * moments[i, c]
    for bound in bounds:
        for q in range(lead.size):
            for j in range(bound[q], bound[q + 1]):
                energy[j] = levels[0, j] + voltage[q]
    _project(vectors, br, bi, ar, ai)
    _sources(vectors, bounds, levels, wide, n, br, bi, ar, ai, tr, ti)
    _level_blocks(
        bounds, levels, energy, n, (ar, ai), real[device:], imag[device:], (tr, ti), d_real[device:], d_imag[device:]
    )
    _device_rows(ham, sd, vectors, bounds, levels, energy, flow, n, br, bi, ar, ai, tr, ti, dbr, dbi)
    _outflow(ham, sd, vectors, lead, n, tr, ti, out)


@kernel(REORDERED)
def sample_electrons(integers, numbers, n, places, state, out):  # type: ignore[no-untyped-def]
    """What rows need of the electrons, linear in the state: rho at `places` of a plane, then the lead sums.

    Real parts before imaginary ones: out = [Re rho, Im rho, Re T (Q, n), Im T (Q, n)], where T_q = P_q^* without the
    constant of wide-band channels.
    """
    _, vectors, bounds, levels, wide, lead, _ = _unpack(integers, numbers)
    indptr, index, ur, ui = vectors
    columns, n_complex = n + levels.shape[1], integers[5]
    real, imag = state[:n_complex], state[n_complex : 2 * n_complex]
    for i in range(places.size):
        out[i] = real[places[i]]
        out[places.size + i] = imag[places[i]]
    br, bi = real[: n * columns].reshape(n, columns), imag[: n * columns].reshape(n, columns)
    sums = out[2 * places.size :].reshape(2, lead.size, n)
    sums[:] = 0.0
    for q in range(lead.size):
        _lead_sums(bounds, levels[4], q, n, br, bi, sums[0, q], sums[1, q])
        if wide[q] != 0.0:
            for p in range(indptr[q], indptr[q + 1]):
                half = -0.5 * wide[q]  # -(i Gamma/2) u_q^dag rho
                _axpy(half * ui[p], half * ur[p], br[index[p], :n], bi[index[p], :n], sums[0, q], sums[1, q])


@kernel()
def sample_many(integers, numbers, n, places, states, chosen, out):  # type: ignore[no-untyped-def]
    """`sample_electrons` of several rows of `states`."""
    for k in range(chosen.size):
        sample_electrons(integers, numbers, n, places, states[chosen[k]], out[k])


@kernel(REORDERED)
def lead_flow(integers, numbers, moments, sums, out):  # type: ignore[no-untyped-def]
    """The flow into the leads, (n_leads, 5), from the lead sums (2, Q, n) of `sample_electrons`."""
    ham, vectors, _, _, wide, lead, j_sd = _unpack(integers, numbers)
    indptr, index, ur, ui = vectors
    for q in range(lead.size):
        for p in range(indptr[q], indptr[q + 1]):
            sums[0, q, index[p]] += 0.25 * wide[q] * ui[p]
            sums[1, q, index[p]] += 0.25 * wide[q] * ur[p]
    sd = np.empty_like(moments)
    for i in range(j_sd.size):
        for c in range(3):
            sd[i, c] = -j_sd[i] * moments[i, c]
    _outflow(ham, sd, vectors, lead, sums.shape[2], sums[0], sums[1], out)


@kernel(REORDERED)
def sd_torque(n, columns, real, imag, j_sd, moments, out):  # type: ignore[no-untyped-def]
    """Adds T_i = J_i <s_i> x M_i in eV, from the density-matrix columns of B, to `out` (N, 3)."""
    for i in range(n // 2):
        up, down = 2 * i, 2 * i + 1
        # <sigma_x> = 2 Re rho_du, <sigma_y> = 2 Im rho_du, <sigma_z> = rho_uu - rho_dd
        sx = 2 * j_sd[i] * real[down * columns + up]
        sy = 2 * j_sd[i] * imag[down * columns + up]
        sz = j_sd[i] * (real[up * columns + up] - real[down * columns + down])
        x, y, z = moments[i, 0], moments[i, 1], moments[i, 2]
        out[i, 0] += sy * z - sz * y
        out[i, 1] += sz * x - sx * z
        out[i, 2] += sx * y - sy * x
