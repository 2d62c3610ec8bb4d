"""Channels of a system's leads at rest, resolved by spin along an axis where the leads keep it.

What the rotating frame shifts in energy, and transport resolves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.leads import Channel
from llgnegf.problem.system import OpenSystem
from llgnegf.static.channels import StaticChannel
from llgnegf.static.green import StaticDevice

COMMUTES = 1e-10
"""How far a commutator with sigma.axis may be from 0, relative to the matrix."""
ROUND_OFF = 1e-14
"""Part of a lead's vectors that is round-off of their projection."""


def static_channels(
    system: OpenSystem, axis: np.ndarray | None = None, energy: float = 0.0
) -> tuple[StaticChannel, ...]:
    """Channels with the voltages of t = 0; of spin s along `axis` (None: not resolved) shifted by -s `energy`/2.

    P_s Sigma_p P_s is laid out channel by channel, a matrix one with the vectors P_s U; the cross terms
    P_up Sigma_p P_down cancel in the sum over the channels of a lead that commutes with sigma.axis.
    """
    one = np.eye(2, dtype=complex)
    spins = {0: one} if axis is None else {s: 0.5 * (one + s * spin_along(axis)) for s in (1, -1)}
    levels, voltages = system.chemical_potentials().tolist(), system.voltages().tolist()
    temperatures = system.temperatures().tolist()
    result = []
    for lead, channels in enumerate(system.lead_channels):
        for spin, projector in spins.items():
            shift = -0.5 * spin * energy
            for vectors, spectrum in _merged(channels, projector):
                place = shift + voltages[lead], shift + levels[lead], lead, spin, temperatures[lead]
                result += [StaticChannel(v, spectrum, *place) for v in vectors]
    return tuple(result)


def spin_along(axis: np.ndarray) -> np.ndarray:
    """sigma.axis, (2, 2)."""
    return np.einsum("a,ast->st", axis, PAULI)


def check_leads_keep_spin(problems: Problems, system: OpenSystem, axis: np.ndarray) -> None:
    """Note the leads whose Sigma does not commute with sigma.axis."""
    spin = spin_along(axis)
    for p, channels in enumerate(system.lead_channels):
        probes = _probe(channels, system.n_sites)
        if any(commutator(m, spin) > COMMUTES for m in probes):
            kind = "is magnetic" if any(_odd(m) > COMMUTES for m in probes) else "has spin-orbit coupling"
            along = np.array2string(axis, precision=4)
            problems.add(
                f"system.leads[{p}]", f"{kind}: Sigma does not commute with sigma.axis, axis {along}",
                "leads that keep the spin along the axis, such as those that couple both spins alike",
            )  # fmt: skip


def commutator(matrix: np.ndarray, spin: np.ndarray) -> float:
    """max |[matrix, spin on every site]| relative to max |matrix|, for spin (2, 2)."""
    size = np.abs(matrix).max()
    if size == 0:
        return 0.0
    n = matrix.shape[0] // 2
    blocks = matrix.reshape(n, 2, n, 2)
    turned = np.einsum("isju,ut->isjt", blocks, spin) - np.einsum("su,iujt->isjt", spin, blocks)
    return float(np.abs(turned).max() / size)


def _odd(matrix: np.ndarray) -> float:
    """max |sigma_y Sigma^T sigma_y - Sigma| relative to max |Sigma|: 0 where Sigma is symmetric under time reversal."""
    turn = np.kron(np.eye(len(matrix) // 2), PAULI[1])
    return float(np.abs(turn @ matrix.T @ turn - matrix).max() / max(np.abs(matrix).max(), np.finfo(float).tiny))


def _probe(channels: Sequence[Channel], n_sites: int) -> list[np.ndarray]:
    """Sigma of a lead, on the sites that it couples to, at three energies in general position.

    It is analytic, so a commutator shows at one of them.
    """
    probes = np.array([-1.37 + 0.71j, 0.23 + 0.31j, 1.91 + 1.13j])
    coupled = np.any([np.any(c.columns.reshape(n_sites, -1) != 0, axis=1) for c in channels], axis=0)
    rows = np.flatnonzero(np.repeat(coupled, 2))
    own = tuple(StaticChannel(c.vector[rows], c.spectrum, 0.0, 0.0, 0) for c in channels)
    device = StaticDevice(np.zeros((rows.size, rows.size)), own)
    return list(device.on_device(device.self_energies(probes))) if rows.size else []


def _merged(channels: Sequence[Channel], projector: np.ndarray) -> list[tuple[list[np.ndarray], Any]]:
    """Channels P u, those of one scalar spectrum merged: sum_q P u_q u_q^dag P as few vectors as its rank.

    P (2, 2) acts on the spin of every site. The vectors of a matrix spectrum stay together.
    """
    groups: list[tuple[Any, list[np.ndarray]]] = []
    matrices: list[tuple[list[np.ndarray], Any]] = []
    for c in channels:
        projected = np.einsum("st,itq->isq", projector, c.columns.reshape(len(c.vector) // 2, 2, -1))
        projected = projected.reshape(c.columns.shape)
        if c.vector.ndim == 2:
            projected[np.abs(projected) < ROUND_OFF * np.abs(c.vector).max()] = 0.0
            matrices.append(([projected], c.spectrum))
            continue
        for spectrum, vectors in groups:
            if spectrum is c.spectrum or spectrum == c.spectrum:
                vectors.append(projected[:, 0])
                break
        else:
            groups.append((c.spectrum, [projected[:, 0]]))
    merged = matrices
    for spectrum, vectors in groups:
        left, singular, _ = np.linalg.svd(np.stack(vectors, axis=1), full_matrices=False)
        # Squared singular values enter Sigma: the direction of a small one is round-off of the projection.
        keep = singular > ROUND_OFF * max(np.linalg.norm(c.vector) for c in channels)
        merged.append(([s * v for s, v in zip(singular[keep], left.T[keep], strict=True)], spectrum))
    return merged
