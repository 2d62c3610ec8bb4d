"""The compiled Landau-Lifshitz-Gilbert equation, and the energy gradient that full, classical and slow runs share.

Nothing is allocated; `equations.moments` makes the constants from a `Magnet`.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import kernel


class Energy(NamedTuple):
    """H = 1/2 M.A.M - b.M + cubic anisotropies, without b.

    Attributes:
        start, column, data: A (eV) by rows, row 3 i + a is component a of site i.
        cubic, axes: K (eV) of k cubic anisotropies, (k, N), and their axes as rows, (k, 3, 3).
    """

    start: np.ndarray
    column: np.ndarray
    data: np.ndarray
    cubic: np.ndarray
    axes: np.ndarray


class Moments(NamedTuple):
    """The constants of the LLG equation.

    Attributes:
        energy: `Energy`.
        prefactor: g/mu_M = g_e/(hbar n), 1/(eV t) with t the unit of time of the rates, (N,).
        damping: Gilbert's lambda, (N,).
        free: Whether a moment obeys the equation; pinned and prescribed ones do not, (N,) bool.
    """

    energy: Energy
    prefactor: np.ndarray
    damping: np.ndarray
    free: np.ndarray


@kernel()
def energy_gradient(energy, moments, linear, out):
    """dH/dM (eV) into `out` for linear energies b; all (N, 3), moments and `out` contiguous."""
    flat = moments.reshape(-1)
    for i in range(moments.shape[0]):
        for a in range(3):
            total = -linear[i, a]
            for k in range(energy.start[3 * i + a], energy.start[3 * i + a + 1]):
                total += energy.data[k] * flat[energy.column[k]]
            out[i, a] = total
    for c in range(energy.cubic.shape[0]):
        axes = energy.axes[c]
        for i in range(moments.shape[0]):
            u, v, w = 0.0, 0.0, 0.0
            for a in range(3):
                u += axes[0, a] * moments[i, a]
                v += axes[1, a] * moments[i, a]
                w += axes[2, a] * moments[i, a]
            k = 2 * energy.cubic[c, i]
            du, dv, dw = k * u * (v * v + w * w), k * v * (w * w + u * u), k * w * (u * u + v * v)
            for a in range(3):
                out[i, a] += axes[0, a] * du + axes[1, a] * dv + axes[2, a] * dw


@kernel()
def moment_rates(magnet, moments, linear, torque, out):
    """dM/dt of Eq. (1) of PRL 125, 187202 in explicit form into `out`, which must not overlap the inputs.

    dM/dt = -g M x B + lambda M x dM/dt + (g/mu_M) T with B = -(1/mu_M) dH/dM is linear in dM/dt. With
    a = (g/mu_M) (M x dH/dM + T_normal), T_normal = T - M (M.T)/(M.M), its solution is
        dM/dt = (a + lambda M x a)/(1 + lambda^2 M.M),
    since M.a = 0. Inside a Runge-Kutta stage |M| differs from 1 a little: this is the exact solution for any
    |M|, and M.dM/dt = 0 for any |M|, so the length is a constant of the motion.

    Args:
        magnet: `Moments`.
        moments, linear: M and the linear energies b (eV), (N, 3).
        torque: Electron and external torques together (eV), (N, 3). Its part along M is dropped.
        out: (N, 3).
    """
    energy_gradient(magnet.energy, moments, linear, out)
    for i in range(moments.shape[0]):
        if not magnet.free[i]:
            out[i, 0], out[i, 1], out[i, 2] = 0.0, 0.0, 0.0
            continue
        x, y, z = moments[i, 0], moments[i, 1], moments[i, 2]
        gx, gy, gz = out[i, 0], out[i, 1], out[i, 2]
        square = x * x + y * y + z * z
        tx, ty, tz = torque[i, 0], torque[i, 1], torque[i, 2]
        along = (x * tx + y * ty + z * tz) / square
        p, damping = magnet.prefactor[i], magnet.damping[i]
        ax = p * (y * gz - z * gy + tx - along * x)
        ay = p * (z * gx - x * gz + ty - along * y)
        az = p * (x * gy - y * gx + tz - along * z)
        scale = 1.0 / (1.0 + damping * damping * square)
        out[i, 0] = scale * (ax + damping * (y * az - z * ay))
        out[i, 1] = scale * (ay + damping * (z * ax - x * az))
        out[i, 2] = scale * (az + damping * (x * ay - y * ax))


@kernel()
def add_spin_transfer(moments, amplitudes, prefactor, out):
    """Add the spin-transfer torques (eV) of `Amplitudes` to `out` (N, 3), which must not overlap the inputs.

    T_i = M_i x (P x M_i) + F x M_i + (-D + M_i x E)/prefactor with P = damping_like, F = field_like, D = u.grad M_i and
    E = beta u.grad M_i without their parts along M_i. Each part is normal to M for any |M|. `prefactor` is g/mu_M,
    1/(eV fs), (N,). Amplitudes of no sites: there are none.
    """
    damping_like, field_like, near, drift, nonadiabatic = amplitudes
    for i in range(damping_like.shape[0]):
        x, y, z = moments[i, 0], moments[i, 1], moments[i, 2]
        square = x * x + y * y + z * z
        px, py, pz = damping_like[i, 0], damping_like[i, 1], damping_like[i, 2]
        fx, fy, fz = field_like[i, 0], field_like[i, 1], field_like[i, 2]
        along = x * px + y * py + z * pz
        out[i, 0] += px * square - along * x + fy * z - fz * y
        out[i, 1] += py * square - along * y + fz * x - fx * z
        out[i, 2] += pz * square - along * z + fx * y - fy * x
        dx, dy, dz, ex, ey, ez = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(near.shape[1]):
            j, u, v = near[i, k], drift[i, k] / prefactor[i], nonadiabatic[i, k] / prefactor[i]
            dx, dy, dz = dx + u * moments[j, 0], dy + u * moments[j, 1], dz + u * moments[j, 2]
            ex, ey, ez = ex + v * moments[j, 0], ey + v * moments[j, 1], ez + v * moments[j, 2]
        along = (x * dx + y * dy + z * dz) / square  # M x E has no part along M anyway
        out[i, 0] += y * ez - z * ey - dx + along * x
        out[i, 1] += z * ex - x * ez - dy + along * y
        out[i, 2] += x * ey - y * ex - dz + along * z


@kernel(allocates=True)
def moment_stages(start, length, weights, slopes, first, magnet, linear, amplitudes, prefactor):
    """Stages of a step as `protocol.Stages`, of moments alone under torques that do not change.

    Args:
        magnet: As for `moment_rates`.
        linear: b (eV) at each stage, (S, N, 3).
        amplitudes, prefactor: As for `add_spin_transfer`.
    """
    n_sites = linear.shape[1]
    state, torque = np.empty(start.size), np.empty((n_sites, 3))
    for s in range(weights.shape[0]):
        state[:] = start
        for j in range(weights.shape[1]):
            if weights[s, j] != 0.0:
                for i in range(state.size):
                    state[i] += length * weights[s, j] * slopes[j, i]
        torque[:] = 0.0
        moments = state.reshape(n_sites, 3)
        add_spin_transfer(moments, amplitudes, prefactor, torque)
        moment_rates(magnet, moments, linear[s], torque, slopes[first + s].reshape(n_sites, 3))


@kernel()
def normalise_free(moments, free):
    """|M_i| = 1 in place where free_i; a length that is 1 to round-off keeps its bits."""
    for i in range(free.size):
        length = np.sqrt(moments[i, 0] ** 2 + moments[i, 1] ** 2 + moments[i, 2] ** 2)
        if free[i] and abs(length - 1.0) > 4e-16:
            for k in range(3):
                moments[i, k] /= length
