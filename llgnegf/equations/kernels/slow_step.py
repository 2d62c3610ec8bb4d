"""The stages of a Runge-Kutta step of slow moments with electrons in poles, in one compiled call.

The same pieces in the same order as `SlowEquation.instant`, for one configuration, without torques or prescribed
moments, and with the Gauss rules of the Fermi-surface sum only; what needs more is left to it.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import kernel, part
from llgnegf.equations.kernels.slow import (
    add_spin_fields,
    energy_fields,
    largest,
    place_on_spheres,
    precession_rates,
    solve,
    velocity_matrices,
)
from llgnegf.static.kernel import fermi_sums, surface_sums
from llgnegf.static.pair_kernel import gauss_error


@part()
def _velocity(state, linear, magnet, electrons, surface, acting, accuracy, out):
    """dM/dt (1/fs) into `out`, (3N,); False if the Gauss rules or the first bound on the speed do not suffice."""
    chain, base, residues, u, slopes, weights, j_sd = electrons
    A_data, A_indices, A_indptr, cubic_constants, cubic_axes, precession, damping = magnet
    friction, geometric = acting
    per_speed, loosest, tolerance, margin, scale = accuracy
    n = j_sd.size
    m = place_on_spheres(state.reshape(1, n, 3))
    field = energy_fields(m, A_data, A_indices, A_indptr, linear, cubic_constants, cubic_axes)
    spin, charge, sea = np.empty((1, n, 3)), np.empty((1, n)), np.zeros((1, 3 * n, 3 * n))
    fermi_sums(chain, base, residues, u, slopes, weights, j_sd, m, geometric, spin, charge, sea)
    add_spin_fields(field, j_sd, spin)
    force = precession_rates(m, field, precession)
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
    matrices = velocity_matrices(m, first, second, precession, damping)
    velocity = solve(matrices, force.reshape(1, 3 * n))
    out[:] = velocity[0]
    return not largest(velocity.reshape(1, n, 3)) > speed


@kernel()
def pole_stages(start, length, weights, linear, slopes, first, begin, magnet, electrons, surface, acting, accuracy):
    """Stages `begin`, ... of a step as `dop853.Stages.stages`, drives `linear` (S, N, 3); the number of the first that
    is left undone (S if none is)."""
    for s in range(begin, weights.shape[0]):
        state = start.copy()
        for j in range(first + s):
            if weights[s, j] != 0.0:
                state += length * weights[s, j] * slopes[j]
        if not _velocity(state, linear[s], magnet, electrons, surface, acting, accuracy, slopes[first + s]):
            return s
    return weights.shape[0]
