"""Spin-mixing conductance: what leads take in of the spin across collinear moments.

Used by `transport`. With r = -1 + i Gamma^1/2 g Gamma^1/2 for either spin (`scattering`), in a lead that couples both
alike,
    sum_mn [delta_mn - r_mn^up r_mn^down*] = i Tr Gamma_p (g_up - g_down^dag)_pp - Tr Gamma_p g_up Gamma_p g_down^dag
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llgnegf._checks import AXES, Problems
from llgnegf.problem.system import OpenSystem
from llgnegf.static.green import StaticDevice
from llgnegf.static.spin_channels import COMMUTES, check_leads_keep_spin, commutator, spin_along, static_channels
from llgnegf.static.weights import times
from llgnegf.transport.scattering import Scattering, between


def both_spins(problems: Problems, system: OpenSystem, device: StaticDevice, moments: np.ndarray) -> StaticDevice:
    """`device` with the leads' channels of spin up along the moments, then the same ones of spin down.

    Notes moments that are not along one axis, and leads that are magnetic or have spin-orbit coupling.
    """
    along = moments[np.any(moments != 0, axis=1)]
    axis = along[0] if len(along) else np.array(AXES["z"])
    spin = spin_along(axis)
    if commutator(device.hamiltonian, spin) > COMMUTES:
        value = f"H does not commute with sigma along the first one, {np.array2string(axis, precision=4)}"
        problems.add("moments", value, "moments along one axis, and electrons without spin-orbit coupling")
    across = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    for kept in (axis, across / np.linalg.norm(across)):  # along two axes: along all
        if not problems.mistakes:
            check_leads_keep_spin(problems, system, kept)
    down, up = np.linalg.eigh(spin)[1].T
    flip = np.outer(down, up.conj())
    first = [channel for channel in static_channels(system, axis) if channel.spin == 1]
    vectors = [np.einsum("st,itq->isq", flip, c.columns.reshape(device.size // 2, 2, -1)) for c in first]
    second = [replace(c, vector=v.reshape(c.vector.shape), spin=-1) for c, v in zip(first, vectors, strict=True)]
    return replace(device, channels=(*first, *second))


def mixing(both: Scattering, groups: np.ndarray) -> np.ndarray:
    """Of reflection and transmission, sum [1 - r_up r_down^*] and t_up t_down^*: (n, K, K), reflection for k = l.

    The columns of `both` are those of spin up, then the same ones of spin down; `groups` (K, Q/2) those of one spin.
    """
    half, leads = both.green.shape[1] // 2, range(len(groups))
    up, down = both.green[:, :half, :half], both.green[:, half:, half:]
    gamma = both.broadening[:, :half] if both.broadening.ndim == 2 else both.broadening[:, :half, :half]
    found = between(groups, gamma, up, down)
    absorbed = np.einsum("nqq->nq", times(gamma, 1j * (up - down.conj().swapaxes(1, 2))))
    found[:, leads, leads] = absorbed @ groups.T - found[:, leads, leads]
    return found


