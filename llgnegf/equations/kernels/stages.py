"""The compiled stages of a step: electrons alone, or with moments that obey the LLG equation under their torque.

Called by `equations.electrons`. All stages in one call, as `protocol.Stages` has it: a small system would spend
more time on the way into a right-hand side than in it. One right-hand side is a stage without weights.
"""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf._compile import kernel, part
from llgnegf.equations.kernels.electrons import electronic_rhs
from llgnegf.equations.kernels.leads import sd_torque
from llgnegf.equations.kernels.moments import add_spin_transfer, moment_rates
from llgnegf.equations.kernels.sums import BLOCK, combine


class Places(NamedTuple):
    """Where moments of the state are, `problem.magnetism.placement.Placement` as pairs; memory of one stage.

    Attributes:
        site, moment: The electron sites with a moment, and which, (pairs,).
        prescribed: The numbers of moments whose motion is given, (k,).
        own: M_k, those given in their places, (n, 3).
        seen: m_i = sum_k P_ik M_k, (N, 3), zero at first: sites without a moment stay so.
        of_sites: J_i <s_i> x m_i (eV) on the electron sites, (N, 3).
        torque: The torques on the moments (eV), (n, 3).
    """

    site: np.ndarray
    moment: np.ndarray
    prescribed: np.ndarray
    own: np.ndarray
    seen: np.ndarray
    of_sites: np.ndarray
    torque: np.ndarray


@part(allocates=True)
def _combined(start, length, weights, slopes, scratch):
    """The state of a stage: `start` itself where there are no weights, else in `scratch`."""
    if weights.size == 0:
        return start
    combine(start, slopes, weights, length, scratch, BLOCK, 0, -(-start.size // BLOCK))
    return scratch


@kernel()
def electronic_stages(e, work, moments, voltages, start, length, weights, scratch, slopes, first):
    """Stages of electrons whose moments are given.

    Args:
        e, work: As for `electronic_rhs`.
        moments, voltages: m_i and V_q (eV) at each stage, (S, N, 3) and (S, Q).
        start, length, weights, slopes, first: As for `protocol.Stages`; no weights, (1, 0): f of `start`.
        scratch: A state.
    """
    for s in range(weights.shape[0]):
        state = _combined(start, length, weights[s], slopes, scratch)
        electronic_rhs(e, work, moments[s], voltages[s], state, slopes[first + s])


@kernel()
def coupled_stages(
    e, work, magnet, places, given, linear, amplitudes, prefactor, voltages, start, length, weights, scratch, slopes,
    first,
):  # fmt: skip
    """Stages of electrons and moments.

    Args:
        e, work, voltages, start, length, weights, scratch, slopes, first: As for `electronic_stages`.
        magnet, places: `Moments` and `Places`.
        given: The moments whose motion is given at each stage, (S, k, 3).
        linear: b (eV) at each stage, (S, n, 3), as for `moment_rates`.
        amplitudes, prefactor: As for `add_spin_transfer`.
    """
    for s in range(weights.shape[0]):
        state, slope = _combined(start, length, weights[s], slopes, scratch), slopes[first + s]
        place(e, places, given[s], state)
        electronic_rhs(e, work, places.seen, voltages[s], state, slope)
        answer(e, magnet, places, linear[s], amplitudes, prefactor, state, slope)


@kernel()
def place(e, places, given, state):
    """The moments of a state, and what the electron sites have of them."""
    first = 2 * e.n_complex
    for k in range(places.own.shape[0]):
        for a in range(3):
            places.own[k, a] = state[first + 3 * k + a]
    for k in range(places.prescribed.size):
        for a in range(3):
            places.own[places.prescribed[k], a] = given[k, a]
    for p in range(places.site.size):
        for a in range(3):
            places.seen[places.site[p], a] = places.own[places.moment[p], a]


@kernel()
def answer(e, magnet, places, linear, amplitudes, prefactor, state, derivative):
    """dM/d(t/hbar) under all torques, into `derivative`; the moments as `place` left them."""
    places.torque[:] = 0.0
    places.of_sites[:] = 0.0
    add_spin_transfer(places.own, amplitudes, prefactor, places.torque)
    sd_torque(e, state, places.seen, places.of_sites)
    for p in range(places.site.size):
        for a in range(3):
            places.torque[places.moment[p], a] += places.of_sites[places.site[p], a]
    first, n = 2 * e.n_complex, places.own.shape[0]
    out = derivative[first : first + 3 * n].reshape(n, 3)
    moment_rates(magnet, places.own, linear, places.torque, out)
