"""Compiled pieces of the equation of motion of slow moments, for B configurations at once, and the stages of a step.

`equations.slow` derives the equation.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import kernel, part
from llgnegf.equations.kernels.moments import energy_gradient
from llgnegf.response.kernel import fermi_sums, surface_sums
from llgnegf.response.pair_kernel import gauss_error


@kernel(allocates=True)
def place_on_spheres(moments):
    """Moments (B, N, 3) divided by their lengths."""
    out = np.empty_like(moments)
    for b in range(moments.shape[0]):
        for i in range(moments.shape[1]):
            x, y, z = moments[b, i, 0], moments[b, i, 1], moments[b, i, 2]
            length = np.sqrt(x * x + y * y + z * z)
            out[b, i, 0], out[b, i, 1], out[b, i, 2] = x / length, y / length, z / length
    return out


@part()
def _product(a, b):
    """a x b."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@kernel(allocates=True)
def products(a, b):
    """a x b for each row of arrays (n, 3)."""
    out = np.empty_like(a)
    for i in range(a.shape[0]):
        out[i, 0], out[i, 1], out[i, 2] = _product(a[i], b[i])
    return out


@kernel(allocates=True)
def rotated(angle, moments):
    """Unit vectors (n, 3) turned by rotation vectors (n, 3) in rad, Rodrigues' formula

    M + sin(w)/w v x M + (1 - cos w)/w^2 v x (v x M),    w = |v|, (1 - cos w)/w^2 = [sin(w/2)/(w/2)]^2/2.
    """
    out = np.empty_like(moments)
    for i in range(moments.shape[0]):
        v, m = angle[i], moments[i]
        w = np.sqrt(v[0] ** 2 + v[1] ** 2 + v[2] ** 2)
        first = np.sin(w) / w if w > 0 else 1.0
        half = np.sin(w / 2) / (w / 2) if w > 0 else 1.0
        turned = _product(v, m)
        twice, second = _product(v, turned), half**2 / 2
        x = m[0] + first * turned[0] + second * twice[0]
        y = m[1] + first * turned[1] + second * twice[1]
        z = m[2] + first * turned[2] + second * twice[2]
        length = np.sqrt(x * x + y * y + z * z)
        out[i, 0], out[i, 1], out[i, 2] = x / length, y / length, z / length
    return out


@kernel(allocates=True)
def energy_fields(energy, m, linear):
    """-dH/dM (eV), (B, N, 3), of an `Energy` with linear energies b (N, 3)."""
    out = np.empty_like(m)
    for b in range(m.shape[0]):
        energy_gradient(energy, m[b], linear, out[b])
        for i in range(m.shape[1]):
            for a in range(3):
                out[b, i, a] = -out[b, i, a]
    return out


@kernel()
def add_spin_fields(field, j_sd, spin):
    """field += J <s> (eV), (B, N, 3)."""
    for b in range(field.shape[0]):
        for i in range(field.shape[1]):
            for a in range(3):
                field[b, i, a] += j_sd[i] * spin[b, i, a]


@kernel()
def largest(values):
    """max |values| of an array (B, N, 3); NaN if there is one."""
    result = 0.0
    for x in values.reshape(-1):
        if np.isnan(x):
            return np.nan
        result = max(result, abs(x))
    return result


@kernel(allocates=True)
def precession_rates(m, field, precession):
    """-p M x h (1/fs), (B, N, 3), for h in eV."""
    out = np.empty_like(m)
    for b in range(m.shape[0]):
        for i in range(m.shape[1]):
            p = precession[i]
            x, y, z = m[b, i, 0], m[b, i, 1], m[b, i, 2]
            hx, hy, hz = field[b, i, 0], field[b, i, 1], field[b, i, 2]
            out[b, i, 0] = p * (z * hy - y * hz)
            out[b, i, 1] = p * (x * hz - z * hx)
            out[b, i, 2] = p * (y * hx - x * hy)
    return out


@kernel(allocates=True)
def velocity_matrices(m, friction, geometric, precession, damping):
    """1 - X (lambda + p (friction + geometric)), (B, 3N, 3N), X v = M x v on each site."""
    batch, n = m.shape[0], m.shape[1]
    out = np.zeros((batch, 3 * n, 3 * n))
    for b in range(batch):
        for i in range(n):
            p, r = precession[i], 3 * i
            x, y, z = m[b, i, 0], m[b, i, 1], m[b, i, 2]
            if p != 0.0:
                for c in range(3 * n):
                    u = p * (friction[b, r, c] + geometric[b, r, c])
                    v = p * (friction[b, r + 1, c] + geometric[b, r + 1, c])
                    w = p * (friction[b, r + 2, c] + geometric[b, r + 2, c])
                    out[b, r, c] -= y * w - z * v
                    out[b, r + 1, c] -= z * u - x * w
                    out[b, r + 2, c] -= x * v - y * u
                s = damping[i]
                out[b, r, r + 1] += s * z
                out[b, r, r + 2] -= s * y
                out[b, r + 1, r] -= s * z
                out[b, r + 1, r + 2] += s * x
                out[b, r + 2, r] += s * y
                out[b, r + 2, r + 1] -= s * x
            for a in range(3):
                out[b, r + a, r + a] += 1.0
    return out


@kernel(allocates=True)
def solve(matrices, right):
    """x (B, n) of matrices x = right: Gaussian elimination with partial pivoting, one right-hand side each."""
    x = right.copy()
    n = x.shape[1]
    for b in range(x.shape[0]):
        a = matrices[b].copy()
        for k in range(n):
            p = k
            for i in range(k + 1, n):
                if abs(a[i, k]) > abs(a[p, k]):
                    p = i
            if p != k:
                for j in range(k, n):
                    a[k, j], a[p, j] = a[p, j], a[k, j]
                x[b, k], x[b, p] = x[b, p], x[b, k]
            for i in range(k + 1, n):
                factor = a[i, k] / a[k, k]
                if factor != 0.0:
                    for j in range(k + 1, n):
                        a[i, j] -= factor * a[k, j]
                    x[b, i] -= factor * x[b, k]
        for k in range(n - 1, -1, -1):
            total = x[b, k]
            for j in range(k + 1, n):
                total -= a[k, j] * x[b, j]
            x[b, k] = total / a[k, k]
    return x


@part(allocates=True)
def _velocity(state, linear, magnet, electrons, surface, acting, accuracy, out):
    """dM/dt (1/fs) into `out`, (3N,); False if the Gauss rules or the first bound on the speed do not suffice.

    The same pieces in the same order as `SlowEquation.instant`, for one configuration, without torques or prescribed
    moments, and with the Gauss rules of the Fermi-surface sum only; what needs more is left to it.
    """
    chain, base, residues, u, slopes, weights, j_sd = electrons
    friction, geometric = acting
    per_speed, loosest, tolerance, margin, scale = accuracy
    n = j_sd.size
    m = place_on_spheres(state.reshape(1, n, 3))
    field = energy_fields(magnet.energy, m, linear)
    spin, charge, sea = np.empty((1, n, 3)), np.empty((1, n)), np.zeros((1, 3 * n, 3 * n))
    fermi_sums(chain, base, residues, u, slopes, weights, j_sd, m, geometric, spin, charge, sea)
    add_spin_fields(field, j_sd, spin)
    force = precession_rates(m, field, magnet.prefactor)
    speed = margin * largest(force)
    per_unit = per_speed * speed
    allowed = loosest if per_unit * loosest <= tolerance else tolerance / per_unit
    first, second = np.zeros((1, 3 * n, 3 * n)), np.zeros((1, 3 * n, 3 * n))
    if friction or geometric:
        agreed = False
        for energies, rules in surface:
            sums = np.zeros((rules.shape[0], 2, 1, 3 * n, 3 * n))
            sizes = np.zeros((rules.shape[0], 1))
            surface_sums(chain, energies, rules, u, slopes, weights, j_sd, m, friction, geometric, sums, sizes)
            agreed = gauss_error(sums) <= allowed and gauss_error(sizes) <= allowed
            if agreed:
                first, second = sums[-1, 0], sums[-1, 1]
                break
        if not agreed:
            return False
    for r in range(3 * n):
        for c in range(3 * n):
            first[0, r, c] *= scale[r, c]
            second[0, r, c] = scale[r, c] * (second[0, r, c] + (sea[0, r, c] if geometric else 0.0))
    matrices = velocity_matrices(m, first, second, magnet.prefactor, magnet.damping)
    velocity = solve(matrices, force.reshape(1, 3 * n))
    out[:] = velocity[0]
    return not largest(velocity.reshape(1, n, 3)) > speed


@kernel(allocates=True)
def pole_stages(start, length, weights, linear, slopes, first, begin, magnet, electrons, surface, acting, accuracy):
    """Stages `begin`, ... of a step as `protocol.Stages`; the number of the first left undone (S if none is).

    Args:
        linear: b (eV) at each stage, (S, N, 3).
        magnet: `Moments`, with the prefactor 0 where a moment does not move.
        electrons, surface, accuracy: From `PoleTensors.compiled`.
        acting: Whether friction and geometric tensors act.
    """
    for s in range(begin, weights.shape[0]):
        state = start.copy()
        for j in range(first + s):
            if weights[s, j] != 0.0:
                state += length * weights[s, j] * slopes[j]
        if not _velocity(state, linear[s], magnet, electrons, surface, acting, accuracy, slopes[first + s]):
            return s
    return weights.shape[0]
