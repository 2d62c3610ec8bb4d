"""The Landau-Lifshitz-Gilbert equation and its spin-transfer torques, compiled and allocation-free.

Works on plain arrays; `magnet.py` makes them from a `Magnet`, the integrators call it. Imported where it is called:
it loads the compiler, which problem objects and their checks do without.
"""

from __future__ import annotations

import numpy as np

from llgnegf._compile import kernel


@kernel()
def llg_kernel(
    M: np.ndarray,
    A_data: np.ndarray,
    A_indices: np.ndarray,
    A_indptr: np.ndarray,
    b: np.ndarray,
    cubic_K: np.ndarray,
    cubic_axes: np.ndarray,
    torque: np.ndarray,
    prefactor: np.ndarray,
    damping: np.ndarray,
    moving: np.ndarray,
    out: np.ndarray,
) -> None:
    """dM/dt of Eq. (1) of PRL 125, 187202 in explicit form, written to `out`.

    dM/dt = -g M x B + lambda M x dM/dt + (g/mu_M) T with B = -(1/mu_M) dH/dM is linear in dM/dt. With
    a = (g/mu_M) (M x dH/dM + T_normal), T_normal = T - M (M.T)/(M.M), its solution is
        dM/dt = (a + lambda M x a)/(1 + lambda^2 M.M),
    since M.a = 0. Inside a Runge-Kutta stage |M| differs from 1 a little: this is the exact solution for any
    |M|, and M.dM/dt = 0 for any |M|, so the length is a constant of the motion.

    Args:
        M: Moments, C-contiguous (n_sites, 3).
        A_data, A_indices, A_indptr: CSR matrix A (eV) of the quadratic energy 1/2 M.A.M, row 3 i + a.
        b: Linear energy -b.M (eV), (n_sites, 3).
        cubic_K, cubic_axes: Cubic anisotropies (eV), (k, n_sites), and their axes as rows, (k, 3, 3).
        torque: Electron and external torques together (eV), (n_sites, 3). Its part along M is dropped.
        prefactor: g/mu_M = g_e/(hbar n), 1/(eV fs), (n_sites,).
        damping: Gilbert's lambda, (n_sites,).
        moving: False for sites that are pinned or prescribed: dM/dt = 0 there; (n_sites,) bool.
        out: dM/dt (1/fs), (n_sites, 3); must not overlap the inputs.
    """
    flat = M.reshape(-1)
    for i in range(M.shape[0]):
        if not moving[i]:
            out[i, 0] = out[i, 1] = out[i, 2] = 0.0
            continue
        gx, gy, gz = -b[i, 0], -b[i, 1], -b[i, 2]
        for k in range(A_indptr[3 * i], A_indptr[3 * i + 1]):
            gx += A_data[k] * flat[A_indices[k]]
        for k in range(A_indptr[3 * i + 1], A_indptr[3 * i + 2]):
            gy += A_data[k] * flat[A_indices[k]]
        for k in range(A_indptr[3 * i + 2], A_indptr[3 * i + 3]):
            gz += A_data[k] * flat[A_indices[k]]
        x, y, z = M[i, 0], M[i, 1], M[i, 2]
        for c in range(cubic_K.shape[0]):
            R = cubic_axes[c]
            u = R[0, 0] * x + R[0, 1] * y + R[0, 2] * z
            v = R[1, 0] * x + R[1, 1] * y + R[1, 2] * z
            w = R[2, 0] * x + R[2, 1] * y + R[2, 2] * z
            du = 2.0 * cubic_K[c, i] * u * (v * v + w * w)
            dv = 2.0 * cubic_K[c, i] * v * (w * w + u * u)
            dw = 2.0 * cubic_K[c, i] * w * (u * u + v * v)
            gx += R[0, 0] * du + R[1, 0] * dv + R[2, 0] * dw
            gy += R[0, 1] * du + R[1, 1] * dv + R[2, 1] * dw
            gz += R[0, 2] * du + R[1, 2] * dv + R[2, 2] * dw
        square = x * x + y * y + z * z
        tx, ty, tz = torque[i, 0], torque[i, 1], torque[i, 2]
        along = (x * tx + y * ty + z * tz) / square
        p = prefactor[i]
        ax = p * (y * gz - z * gy + tx - along * x)
        ay = p * (z * gx - x * gz + ty - along * y)
        az = p * (x * gy - y * gx + tz - along * z)
        lam = damping[i]
        scale = 1.0 / (1.0 + lam * lam * square)
        out[i, 0] = scale * (ax + lam * (y * az - z * ay))
        out[i, 1] = scale * (ay + lam * (z * ax - x * az))
        out[i, 2] = scale * (az + lam * (x * ay - y * ax))


@kernel()
def spin_transfer_kernel(
    M: np.ndarray,
    damping_like: np.ndarray,
    field_like: np.ndarray,
    drift: np.ndarray,
    nonadiabatic: np.ndarray,
    prefactor: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add the spin-transfer torques (eV) of `Amplitudes` to `out` (n_sites, 3); allocates nothing.

    T_i = M x (P x M) + F x M + (-u D + beta u M x D)/prefactor with P = damping_like, F = field_like and
    D = dM/dx without its part along M. Each part is normal to M for any |M|.

    Args:
        M: Moments (n_sites, 3).
        damping_like, field_like, drift, nonadiabatic: The arrays of `Amplitudes`.
        prefactor: g/mu_M, 1/(eV fs), (n_sites,).
        out: Torque (eV), (n_sites, 3), added to; must not overlap the inputs.
    """
    n_sites = M.shape[0]
    for i in range(n_sites):
        x, y, z = M[i, 0], M[i, 1], M[i, 2]
        square = x * x + y * y + z * z
        px, py, pz = damping_like[i, 0], damping_like[i, 1], damping_like[i, 2]
        fx, fy, fz = field_like[i, 0], field_like[i, 1], field_like[i, 2]
        along = x * px + y * py + z * pz
        tx = px * square - along * x + fy * z - fz * y
        ty = py * square - along * y + fz * x - fx * z
        tz = pz * square - along * z + fx * y - fy * x
        if drift[i] != 0.0 or nonadiabatic[i] != 0.0:
            left, right = max(i - 1, 0), min(i + 1, n_sites - 1)
            step = 1.0 / (right - left)
            dx = step * (M[right, 0] - M[left, 0])
            dy = step * (M[right, 1] - M[left, 1])
            dz = step * (M[right, 2] - M[left, 2])
            along = (x * dx + y * dy + z * dz) / square
            dx, dy, dz = dx - along * x, dy - along * y, dz - along * z
            u, v = -drift[i] / prefactor[i], nonadiabatic[i] / prefactor[i]
            tx += u * dx + v * (y * dz - z * dy)
            ty += u * dy + v * (z * dx - x * dz)
            tz += u * dz + v * (x * dy - y * dx)
        out[i, 0] += tx
        out[i, 1] += ty
        out[i, 2] += tz
