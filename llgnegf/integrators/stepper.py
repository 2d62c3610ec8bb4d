"""One step of a method: the state at its end, an estimate of its local error, and what the interpolant inside needs.

`Stepper` is the contract; here are the Runge-Kutta methods, explicit and implicit-explicit, in `heun` that with noise.
Called by `integration`, which knows where steps begin and end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from llgnegf._compile import resolved
from llgnegf.equations.kernels.sums import BLOCK, combine, combine_ahead
from llgnegf.equations.protocol import Equation
from llgnegf.integrators.kernels import PIECE, finish
from llgnegf.integrators.schedule import FREE, Schedule
from llgnegf.integrators.tableaus import ImexTableau, Interpolant, Tableau

LARGE = 2**17
"""Numbers of a state whose sums of stages are bound by memory: they are begun ahead, each vector being read once."""
Sample = Callable[[np.ndarray], np.ndarray]
"""A linear map of states."""
LASTING = 0.1
"""Time (hbar/eV) for which an error must last to count whole. What a decaying error leaves in the density matrix is its
integral, its part of the lead currents is there at once: with this time both stay below the tolerance."""


class Stepper(Protocol):
    """A method, with what it keeps of the last step."""

    @property
    def equation(self) -> Equation:
        """The right-hand side."""

    def step(self, time: float, state: np.ndarray, length: float, out: np.ndarray) -> float:
        """Write the state after a step from `state` at `time` into `out`; its largest local error, 0 if not known."""

    def forget(self, accepted: int) -> None:
        """The state is another one now: after the accepted step of that number, or across a discontinuity."""


class RungeKutta:
    """An explicit Runge-Kutta method.

    Args:
        equation: The right-hand side, its sections and what errors of their numbers count.
        tableau: The method.
        estimates: Whether the local error is estimated, as it must be for steps of its own length.
        schedule: Drives are asked on this side of their discontinuities.

    Raises:
        ValueError: If the method has no error estimate and one is wanted.
    """

    def __init__(self, equation: Equation, tableau: Tableau, estimates: bool, schedule: Schedule = FREE) -> None:
        if estimates and tableau.errors.size == 0:
            raise ValueError(f"integrator: {tableau.name!r} has no error estimate; allowed: a fixed step with it")
        self.equation, self.tableau, self.estimates, self.schedule = equation, tableau, estimates, schedule
        self._together = equation.stages() if equation.size < LARGE else None
        scale = equation.error_scale()
        self._scale = np.zeros(0) if scale is None else scale
        parts = [_pieces(*section[1:]) for section in equation.sections]
        self._first = np.cumsum([0, *map(len, parts)])[:-1]  # piece of each section
        self._pieces = np.concatenate([np.zeros((0, 2), np.int64), *parts])
        self._largest = np.zeros((len(self._pieces), 2))
        # The method's weights and those of two error estimates, 0 for one that it does not have.
        self._weights = np.zeros((3, tableau.b.size))
        self._weights[0], self._weights[1 : 1 + len(tableau.errors)] = tableau.b, tableau.errors
        self._used = np.flatnonzero(self._weights.any(axis=0))
        extra = 0 if tableau.interpolant is None else tableau.interpolant.c.size
        # The stages, the rate at the end of a step, and the interpolant's extra stages.
        self._stages = np.zeros((tableau.b.size + 1 + extra, equation.size))
        self._scratch = np.zeros(equation.size)
        self._blocks = -(-equation.size // BLOCK)
        self.has_rate = self.has_extra = False

    def step(self, time: float, state: np.ndarray, length: float, out: np.ndarray) -> float:
        """As `Stepper.step`: for two estimates the combination of DOP853, the largest over all parts of the state."""
        times = self.schedule.within(time, time + self.tableau.c * length)
        self._stages[0] = self.rate(times[0], state)
        self._fill_stages(state, length, times)
        if not self.estimates:
            self._combine(state, self.tableau.b, length, out)
            return 0.0
        self._share(
            finish, len(self._pieces), state, self._stages, self._used, self._weights, length, self._pieces,
            self._scale, out, self._largest, BLOCK,
        )  # fmt: skip
        worst = 0.0
        for first, second in np.maximum.reduceat(self._largest, self._first) if self._first.size else ():
            error = first * (first / np.hypot(first, 0.1 * second)) if second > 0 and first > 0 else first
            if np.isnan(error):
                return float("nan")
            worst = max(worst, error)
        return length * worst

    def rate(self, time: float, state: np.ndarray) -> np.ndarray:
        """f(time, state), kept until `forget`: the next step begins with it."""
        kept = self._stages[self.tableau.b.size]
        if not self.has_rate:
            self.equation(time, state, kept)
            self.has_rate = True
        return kept

    def forget(self, accepted: int) -> None:
        """As `Stepper.forget`."""
        self.has_rate = self.has_extra = False

    def aside(self, time: float, state: np.ndarray, length: float) -> np.ndarray:
        """The state after a step that is not part of the integration; the rate that is kept stays."""
        kept, rate, out = self.has_rate, self._stages[self.tableau.b.size].copy(), np.empty_like(state)
        self.has_rate = False
        self.step(time, state, length, out)
        self.has_rate, self._stages[self.tableau.b.size] = kept, rate
        return out

    def polynomial(
        self, time: float, before: np.ndarray, length: float, state: np.ndarray, sample: Sample
    ) -> np.ndarray:
        """F_0 ... F_6 of `tableaus.Interpolant` for samples of the last step; the rate at its end must be known.

        The extra stages serve all calls until the next step, unless `has_extra` is taken back.
        """
        interpolant, last = self.tableau.interpolant, self.tableau.b.size
        assert interpolant is not None
        if not self.has_extra:
            self._fill(before, length, interpolant.a, time + interpolant.c * length, last + 1)
            self.has_extra = True
        return _polynomial(interpolant, self._stages, last, length, sample, sample(state) - sample(before))

    def _combine(self, state: np.ndarray, weights: np.ndarray, length: float, out: np.ndarray) -> None:
        """out = state + length sum_j weights_j stages_j."""
        if self.equation.team is None:
            self._combine_all(state, self._stages, weights, length, out, BLOCK, 0, self._blocks)
        else:
            self._share(combine, self._blocks, state, self._stages, weights, length, out, BLOCK)

    @cached_property
    def _combine_all(self) -> Callable[..., None]:
        vector = self._scratch  # all that is combined is float64 and contiguous
        return resolved(combine, vector, self._stages, self._weights[0], 1.0, vector, 0, 0, 0)

    def _share(self, function: Callable[..., None], pieces: int, *arguments: Any) -> None:
        """function(*arguments, 0, pieces), by all threads of the equation."""
        team = self.equation.team
        if team is None:
            function(*arguments, 0, pieces)
        else:
            team.share(function, arguments, pieces * np.arange(team.count + 1) // team.count)

    def _fill_stages(self, state: np.ndarray, length: float, times: list[float]) -> None:
        self._fill(state, length, self.tableau.a[1:], np.array(times[1:]), 1)

    def _fill(self, state: np.ndarray, length: float, weights: np.ndarray, times: np.ndarray, first: int) -> None:
        """Stages from the one numbered `first`, at `times`, in one call where the equation knows how."""
        if self._together is not None:
            self._together(state, length, weights, times, self._stages, first)
            return
        ahead = _ahead(weights, first) if state.size >= LARGE else len(weights)
        for k, (row, time) in enumerate(zip(weights, times.tolist(), strict=True)):
            if k < ahead:
                self._combine(state, row, length, self._scratch)
            elif k == ahead:
                known = np.ascontiguousarray(weights[k:, : first + k])
                self._share(combine_ahead, self._blocks, state, self._stages, known, length, self._scratch, BLOCK)
            else:
                rest = np.where(np.arange(row.size) < first + ahead, 0.0, row)
                self._combine(self._stages[first + k], rest, length, self._scratch)
            self.equation(time, self._scratch, self._stages[first + k])


def _ahead(weights: np.ndarray, first: int) -> int:
    """The row of weights at which all later sums are best begun: the one with the fewest vectors read and written.

    Without a beginning each sum reads the state and the stages that it has a weight for, and writes one vector.
    """
    used, count = weights != 0, len(weights)
    alone = used.sum(axis=1) + 2

    def moved(k: int) -> int:
        known = used[k:, : first + k].any(axis=0).sum() + 1 + count - k
        return int(alone[:k].sum() + known + (used[k + 1 :, first + k :].sum(axis=1) + 2).sum())

    best = min(range(count), key=moved, default=0)
    return best if count and moved(best) < alone.sum() else count


def _pieces(start: int, stop: int) -> np.ndarray:
    """[start, stop) in pieces, (n, 2)."""
    cuts = np.append(np.arange(start, stop, PIECE), stop)
    return np.stack([cuts[:-1], cuts[1:]], axis=1)


def _polynomial(
    interpolant: Interpolant, stages: np.ndarray, last: int, length: float, sample: Sample, change: np.ndarray
) -> np.ndarray:
    """F_0 ... F_6 for samples that change by `change`; `last` is the stage at the end of the step."""
    used = np.flatnonzero(interpolant.weights.any(axis=0))  # the first and the last stage among them
    many = getattr(sample, "many", None)  # one call instead of many
    rates = np.array([sample(stages[j]) for j in used]) if many is None else many(stages, used)
    first, end = length * rates[0], length * rates[np.searchsorted(used, last)]
    polynomial = np.empty((7, change.size))
    polynomial[0], polynomial[1], polynomial[2] = change, first - change, 2 * change - end - first
    np.matmul(length * interpolant.weights[:, used], rates, out=polynomial[3:])
    return polynomial


class ImexRungeKutta(RungeKutta):
    """Additive Runge-Kutta: a diagonal stiff part of the right-hand side implicitly, the rest explicitly.

        dy/dt = [f(t, y) + rates * y] - rates * y,    rates >= 0

    Stage i solves Y_i = y + h sum_{j<i} (a_ij (f_j + rates Y_j) - ai_ij rates Y_j) - h ai_ii rates Y_i, a division.
    Fermi vectors whose poles lie far from the real axis decay fast and follow their source: implicit, they cost no
    smaller step. An error of theirs decays as fast: it counts 1/(1 + LASTING rate) in the step control.

    The rates are those that the equation gives; arguments as for `RungeKutta`, with an `ImexTableau`.
    """

    tableau: ImexTableau

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        rates = self.equation.stiff_rates()
        self._stiff = np.flatnonzero(rates)
        self._rates = rates[self._stiff]
        self._scale = (self._scale if self._scale.size else 1.0) / (1 + LASTING * rates)
        self._damped = np.zeros((self.tableau.b.size, self._stiff.size))

    def _fill_stages(self, state: np.ndarray, length: float, times: list[float]) -> None:
        t, y = self.tableau, self._scratch
        self._damped[0] = self._rates * state[self._stiff]
        for i in range(1, t.b.size):
            self._combine(state, t.a[i], length, y)
            # The stages hold f, the explicit part is f + damped: both tableaus act on `damped`.
            rest = y[self._stiff] + length * ((t.a[i, :i] - t.implicit[i, :i]) @ self._damped[:i])
            y[self._stiff] = rest / (1 + length * t.implicit[i, i] * self._rates)
            self._damped[i] = self._rates * y[self._stiff]
            self.equation(times[i], y, self._stages[i])
