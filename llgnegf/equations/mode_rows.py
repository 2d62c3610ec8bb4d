"""The mode rows X of the state over a step, without stages: their own motion is known, their source has low rank.

Beside `electrons`, whose notation this is. The blocks X = [C_mode,mode | mode rows of v_k] of the state obey

    dX_ij/dt = -i (e_i - e_j^*) X_ij + S_ij(t),      S_ij = -i [kappa_i a_pj - (kappa_j a_qi)^*],      a_q = u_q^dag B,

for modes i of channel p and modes j of q, or Fermi vectors j = k, which have no kappa. The device sees of them the sums
T_q and F_q (`kernels.levels`) alone. Factors exp(-i e_i t) of rows and exp(i e_j^* t) of columns solve what is linear
there, so that only the sources S of the stages of a step have to be kept, numbers a_qj in the place of whole blocks X.
A Runge-Kutta method (a, b, c) for exp(i e_i t) X_ij exp(-i e_j^* t) beside the rest of the state has the stages

    X(c_s h) = E_s [X(0) - X*(0)] E_s^* + X*(c_s h) + h sum_r a_sr E_sr [S(c_r h) - S(0) - c_r h S'(0)] E_sr^*,
    E_s = exp(-i e c_s h),    E_sr = exp(-i e (c_s - c_r) h),

and X(h) with b_r and 1 in the place of a_sr and c_s. X* is how X follows the source S(0) + t S'(0) when all else has
decayed, D_ij = -i (e_i - e_j^*):

    X*_ij(t) = -[S_ij(0) + t S'_ij(0)]/D_ij - S'_ij(0)/D_ij^2

J. D. Lawson, SIAM J. Numer. Anal. 4, 372 (1967), with a polynomial of the source taken out as S. Krogstad, J. Comput.
Phys. 203, 72 (2005) does: without X* an equilibrium would move by the error of the quadrature, and with one that rests
slow motion would have that error in its rate. Orders are those of the method, errors close to those of the plain method
with the same step (tests/test_mode_rows.py), and what X itself turns with limits no step. A step reads and writes X
once and not once a stage: more than half of the state of a device whose leads have many channels.

Elsewhere (`has_mode_rows`) steps carry X as they do the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._threads import shares
from llgnegf.equations.kernels.mode_rows import (
    ModeRowsData,
    advance,
    displace,
    memory_terms,
    node_sums,
)
from llgnegf.equations.shared import SharedRhs

if TYPE_CHECKING:
    from llgnegf.equations.electrons import ElectronEquation
    from llgnegf.poles.levels import LeadLevels
    from llgnegf.problem.system import OpenSystem

LARGE = 2**17
"""Numbers of a state from which on it is worth it: measured, docs/performance.md."""
FARTHEST = 1e3
"""Largest |kappa_i/Im chi_i|: sums of X* are up to its square, and lose as many digits."""


def has_mode_rows(system: OpenSystem, levels: LeadLevels, size: int) -> bool:
    """Whether a state of `size` numbers has mode rows that steps may carry by themselves, and are to.

    Voltages that change in time would move the place of rest, a level that nothing damps has none, that of a narrow one
    that is coupled well is too far away for its digits, and several orbitals of one channel have matrices in the place
    of kappa_i and s_i.
    """
    if size < LARGE or not levels.chi.size or not levels.is_scalar:
        return False
    kappa = np.abs(levels.right).max(axis=0)  # the only entry of a column
    return bool(np.all(kappa < -FARTHEST * levels.chi.imag)) and not any(lead.drives() for lead in system.leads)


class ModeRows:
    """The mode rows of one equation through the steps of one method.

    Args:
        equation: The equation of electrons.
        rhs: Its right-hand side in phases, which threads may share.
        method: As `Equation.apart` is told.

    Attributes:
        ranges: The other parts of the state, which the stages of the method carry, (n, 2).
    """

    def __init__(self, equation: ElectronEquation, rhs: SharedRhs, *method: Any) -> None:
        self._equation, self._rhs, layout = equation, rhs, equation.layout
        self._constants, self._team = equation.constants, rhs.team
        a, voltages = equation.levels, equation.system.voltages(0.0)
        self._energies = np.concatenate([a.chi + voltages[a.mode_lead], a.z + voltages[a.vector_lead]])
        rows, plane = layout.n_states * layout.columns, layout.n_complex
        self.ranges = np.array([[0, rows], [plane, plane + rows], [2 * plane, layout.size]])
        self._delays, self._data = _data_of(a.lead.size, layout.n_modes, self._energies.size, *method)
        self._weights, self._end = self._data.weight.copy(), method[2]
        self._alone = self._data.at.size - 1
        self._set_length(0.0)
        modes = np.array(layout.modes)
        costs = modes * (self._energies.size - np.cumsum(modes) + modes)
        self._channels, self._orbitals = (shares(each, rhs.team.count) for each in (costs, np.ones(costs.size)))

    def begin(
        self, state: np.ndarray, derivative: np.ndarray, length: float, out: np.ndarray, stages: range
    ) -> None:
        """Before these stages of a step from `state` are computed, where all else has this derivative; the mode rows of
        `out` are Z = X - X*(0) then, those of `derivative` dX*/dt."""
        if length != self._length:
            self._set_length(length)
        x = self._data
        self._rhs.gather(derivative)
        x.slope[:] = self._present_ends()
        self._rhs.gather(state)
        self._team.share(displace, (*self._all, state, derivative, out), self._channels)
        x.drift[:], x.drift_vectors[:] = self._alone_at(derivative)
        whole = self._alone_at(state)
        self._hand_on(out, [0])
        size, modes = x.rest.shape[1], x.rest_vectors.shape[1]
        x.rest[:], x.rest_vectors[:] = whole[0] - x.sums[:, :size], whole[1] - x.vectors[:, :modes]
        self._hand_on(out, stages)

    def rate(self, time: float, state: np.ndarray, derivative: np.ndarray) -> None:
        """The equation for a state, but for dX/dt."""
        self._alone_at(state)
        self.stage(self._alone, time, state, derivative)

    def stage(self, stage: int, time: float, state: np.ndarray, derivative: np.ndarray) -> None:
        """The equation at a stage, but for dX/dt."""
        levels = partial(self._team.share, memory_terms, (*self._all, stage), self._orbitals)
        self._equation.evaluate(partial(self._rhs, levels=levels), time, state, derivative)

    def record(self, stage: int, state: np.ndarray) -> None:
        """Take the ends a_q of a state for a stage."""
        self._rhs.gather(state)
        x, size = self._data, self._data.start.shape[1]
        x.ends[:, stage * size : (stage + 1) * size] = self._present_ends() - x.start - x.time[stage] * x.slope

    def end(self, state: np.ndarray, derivative: np.ndarray, out: np.ndarray) -> None:
        """The mode rows of `out`, which `begin` wrote, become those at the end of the step."""
        self._team.share(advance, (self._constants, self._data, self._end, state, derivative, out), self._channels)

    @property
    def _all(self) -> tuple[Any, ...]:
        return self._constants, self._rhs.work, self._data

    def _present_ends(self) -> np.ndarray:
        """a_q on the levels as the last gathering left them, (2, Q L)."""
        orbitals, levels = self._constants.lead.size, self._energies.size
        return self._rhs.work.channels[:2].reshape(2, orbitals, -1)[:, :, -levels:].reshape(2, -1)

    def _alone_at(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What these mode rows hand on at once, (2, Q L) and (2, Q M), also for the stage that stands for a state."""
        x, size, modes = self._data, self._data.rest.shape[1], self._data.rest_vectors.shape[1]
        x.rest[:], x.rest_vectors[:] = 0.0, 0.0
        self._hand_on(rows, [self._alone])
        return x.sums[:, self._alone * size :].copy(), x.vectors[:, self._alone * modes :].copy()

    def _hand_on(self, rows: np.ndarray, stages: Sequence[int]) -> None:
        numbers = np.array(stages, dtype=np.int64)  # none of a method with one stage
        self._team.share(node_sums, (self._constants, self._data, numbers, rows), self._channels)

    def _set_length(self, length: float) -> None:
        self._length = np.nan  # a signal may stop what follows
        x, levels, m = self._data, self._constants.levels, self._equation.layout.n_modes
        phase = np.exp(-1j * length * self._delays[:, None] * self._energies)
        into = phase[:, :m] * (levels[2] + 1j * levels[3])[:m]
        for planes, values in ((x.phase, phase), (x.out, levels[4] * phase), (x.into, into)):
            planes[:] = values.real, values.imag
        x.weight[:], x.time[:] = length * self._weights, length * self._delays[x.at]
        self._length = length


def _data_of(
    orbitals: int, n_modes: int, n_levels: int, nodes: Sequence[float], weights: Sequence[np.ndarray], end: int
) -> tuple[np.ndarray, ModeRowsData]:
    """The delays of a method in units of the step, and all that is kept, for a step of 1."""
    delays: dict[float, int] = {}
    at = [delays.setdefault(float(c), len(delays)) for c in nodes]
    before, first = [], [0]
    for c, row in zip(nodes, weights, strict=True):
        others = [int(r) for r in np.flatnonzero(row) if r > 0]  # since the first the source has not changed
        before += [(r, delays.setdefault(float(c - nodes[r]), len(delays)), float(row[r])) for r in others]
        first.append(len(before))
    at, first = [*at, at[0]], [*first, first[-1]]
    used, place = (np.array([each[k] for each in before], dtype=np.int64) for k in (0, 1))
    weight = np.array([each[2] for each in before])
    stages, ends, modes = len(at), orbitals * n_levels, orbitals * n_modes

    def planes(*shape: int) -> np.ndarray:
        return np.zeros((2, *shape))

    return np.array(list(delays)), ModeRowsData(
        at=np.array(at), time=np.zeros(stages), first=np.array(first), used=used, place=place, weight=weight,
        phase=planes(len(delays), n_levels), out=planes(len(delays), n_levels), into=planes(len(delays), n_modes),
        start=planes(ends), slope=planes(ends), ends=planes(stages * ends), sums=planes(stages * ends),
        vectors=planes(stages * modes), rest=planes(ends), rest_vectors=planes(modes), drift=planes(ends),
        drift_vectors=planes(modes), own=planes(int(first[end + 1] - first[end]) * ends),
    )  # fmt: skip
