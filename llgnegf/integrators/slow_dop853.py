"""Steps of DOP853 for slow moments, with its interpolant: coefficients from `tableaus`.

All stages of a step are asked for at once, so that `adiabatic` can compute them in one compiled call, and the error is
a root mean square: both unlike `runge_kutta`, whose states are large. Called by `run.slow_integration`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from llgnegf.integrators.runge_kutta import IntegrationStopped
from llgnegf.integrators.schedule import Schedule
from llgnegf.integrators.tableaus import DOP853 as TABLES

STAGES = TABLES.b.size
SAFETY, SMALLEST_FACTOR, LARGEST_FACTOR = 0.9, 0.2, 10.0
ORDER = 8


class Stages(Protocol):
    """dM/dt at one time, and at the stages of a step."""

    def rate(self, time: float, state: np.ndarray) -> np.ndarray:
        """dM/dt, (n,), at `time` (fs)."""

    def stages(
        self, start: np.ndarray, length: float, weights: np.ndarray, times: np.ndarray, slopes: np.ndarray, first: int
    ) -> None:
        """slopes[first + k] = dM/dt at times[k] (fs) for start + length sum_j weights[k, j] slopes[j], j < first + k.

        Shapes: start (n,), weights (S, J), times (S,), slopes (J', n).
        """


class Dop853:
    """Adaptive steps from `time` (fs) to `end`.

    Args:
        equation: The equation of motion.
        time, end: Where it starts and ends.
        state, slope: M and dM/dt there, (n,).
        step: Length of the first step tried.
        tolerance: Root mean square error of a step.
        schedule: Where steps have to end and how long they may be.
    """

    def __init__(
        self, equation: Stages, time: float, end: float, state: np.ndarray, slope: np.ndarray, step: float,
        tolerance: float, schedule: Schedule,
    ) -> None:  # fmt: skip
        self.equation, self.time, self.end = equation, time, end
        self.state, self.slope, self.step, self.tolerance = state, slope, step, tolerance
        self.schedule = schedule
        self.before, self.start = time, state
        self._slopes = np.zeros((STAGES + 4, state.size))

    def advance(self) -> int:
        """One accepted step; the number of rejected ones.

        Raises:
            IntegrationStopped: If the step falls below round-off, or a state is not finite.
        """
        self._cross()
        rejected, stop = 0, min(self.end, self.schedule.stop_after(self.time))
        allowed = self.schedule.longest_step(self.time)
        while True:
            remaining = stop - self.time
            # The last step is stretched a little rather than leaving a rest of the size of round-off.
            last = remaining < min(1.01 * self.step, (1 + 1e-12) * allowed)
            length = remaining if last else min(self.step, allowed)
            if min(self.step, allowed) < 10 * np.spacing(max(self.time, 1e-3)):
                raise IntegrationStopped(f"stopped at t = {self.time:.6g} fs: moments: the step fell below round-off")
            state, error = self._try(length)
            factor = SAFETY * max(error, 1e-30) ** (-1 / ORDER)
            if error < 1:
                break
            self.step = length * max(SMALLEST_FACTOR, factor)
            rejected += 1
        proposal = length * min(LARGEST_FACTOR if rejected == 0 else 1.0, factor)
        # A step cut short for a discontinuity or a drive says nothing against a longer one.
        self.step = max(proposal, self.step) if length < self.step else proposal
        self.before, self.start, self.time = self.time, self.state, stop if last else self.time + length
        self.state, self.slope = state, self._slopes[STAGES].copy()
        return rejected

    def _cross(self) -> None:
        """At a discontinuity take dM/dt from its other side."""
        if self.schedule.is_stop(self.time):
            self.slope = self.equation.rate(self.schedule.limits(self.time)[0], self.state)

    def _try(self, length: float) -> tuple[np.ndarray, float]:
        """M at the end of a step and the error in units of the tolerance; the stages are kept."""
        k = self._slopes
        k[0] = self.slope
        times = np.array(self.schedule.within(self.time, self.time + np.append(TABLES.c[1:], 1.0) * length))
        self.equation.stages(self.state, length, TABLES.a[1:], times[:-1], k, 1)
        self.equation.stages(self.state, length, TABLES.b[None], times[-1:], k, STAGES)
        error = self._error(length)
        if not np.isfinite(error):
            raise IntegrationStopped(f"stopped at t = {self.time:.6g} fs: moments: not finite")
        return self.state + length * (TABLES.b @ k[:STAGES]), error

    def polynomial(self) -> np.ndarray:
        """The interpolant of the last step, (7, n), as `inside_step` takes it; three more evaluations."""
        assert TABLES.interpolant is not None
        k, length = self._slopes, self.time - self.before
        times = self.before + TABLES.interpolant.c * length
        self.equation.stages(self.start, length, TABLES.interpolant.a, times, k, STAGES + 1)
        change = self.state - self.start
        rows = [change, length * k[0] - change, 2 * change - length * (self.slope + k[0])]
        return np.concatenate([np.array(rows), length * (TABLES.interpolant.weights @ k)])

    def _error(self, length: float) -> float:
        k = self._slopes[:STAGES]
        fifth, third = (np.sum(np.square(weights @ k / self.tolerance)) for weights in TABLES.errors)
        if fifth == 0:
            return 0.0
        return float(length * fifth / np.sqrt((fifth + 0.01 * third) * k.shape[1]))
