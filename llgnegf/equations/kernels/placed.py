"""Compiled: electrons and moments together where the moments are not one on each site (`problem.magnetism.placement`).

Called by `equations.electrons`; one to one it calls `electrons.coupled_rhs` instead.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import kernel
from llgnegf.equations.kernels.electrons import electronic_rhs, turn
from llgnegf.equations.kernels.leads import sd_torque


class Places(NamedTuple):
    """P as pairs, and memory of one call.

    Attributes:
        site, moment: The electron sites with a moment, and which, (pairs,).
        seen: m_i = sum_k P_ik M_k, (N, 3), zero at first: sites without a moment stay so.
        torque: J_i <s_i> x m_i (eV) on the electron sites, (N, 3).
    """

    site: np.ndarray
    moment: np.ndarray
    seen: np.ndarray
    torque: np.ndarray


@kernel()
def placed_rhs(e, work, magnet, places, moments, linear, torque, voltage, state, derivative):
    """`coupled_rhs` of moments (n, 3) on their places; `torque` (n, 3) holds the external ones."""
    for p in range(places.site.size):
        for a in range(3):
            places.seen[places.site[p], a] = moments[places.moment[p], a]
    electronic_rhs(e, work, places.seen, voltage, state, derivative)
    placed_answer(e, magnet, places, moments, linear, torque, state, derivative)


@kernel()
def placed_answer(e, magnet, places, moments, linear, torque, state, derivative):
    """The moments' part of `placed_rhs`."""
    places.torque[:] = 0.0
    sd_torque(e, state, places.seen, places.torque)
    for p in range(places.site.size):
        for a in range(3):
            torque[places.moment[p], a] += places.torque[places.site[p], a]
    turn(e, magnet, moments, linear, torque, derivative)
