"""How slow moments are carried on: adaptive with interpolation between the steps, or with a fixed step and noise.

Both continue from a checkpoint with the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from llgnegf.equations.kernels.slow import place_on_spheres
from llgnegf.equations.slow import SlowEquation
from llgnegf.integrators.runge_kutta import IntegrationStopped, inside_step
from llgnegf.integrators.schedule import Schedule, count_of_steps
from llgnegf.integrators.slow_dop853 import Dop853
from llgnegf.run.langevin import Langevin
from llgnegf.run.result import ErrorEstimate

FIRST_ANGLE = 1.0
"""Angle (rad) by which the first step tried lets the fastest moment precess, were it out of its equilibrium."""
STEPS_ANGLES, STEP_SHARE = 2.0, 0.3
"""Length of most steps in units of the first one tried, and the largest part of the tolerance for one of them."""


class Adaptive:
    """DOP853 in the moments' own time scale, with its interpolant of order 7.

    Rows cost no steps: a step is as long as the error allows, and rows inside it are interpolated.

    Args:
        equation: The equation of motion.
        moments: Start, (N, 3).
        tolerance: Error of a component that all steps together may add up to.
        t_end: End of the run in fs; drives are asked for no later time.
        schedule: Where steps have to end and how long they may be.
    """

    def __init__(
        self, equation: SlowEquation, moments: np.ndarray, tolerance: float, t_end: float, schedule: Schedule
    ) -> None:
        self.equation, self.t_end, self.schedule = equation, t_end, schedule
        self.accepted, self.rejected = 0, 0
        slope = equation.rate(0.0, moments.ravel())
        first = self._first_step(moments, slope)
        # One component may have the whole of a root mean square; most steps are some FIRST_ANGLEs long.
        steps = 1 + t_end / (STEPS_ANGLES * first)
        self._largest = float(np.sqrt(moments.size))
        self.tolerance = tolerance * min(STEP_SHARE, 1 / steps) / self._largest
        self._steps = self._new_steps(0.0, moments.ravel().copy(), slope, first)
        self._from, self._begin = 0.0, moments.ravel().copy()
        self._polynomial = np.zeros((7, moments.size))
        self._now = moments[None].copy()

    @property
    def moments(self) -> np.ndarray:
        """The moments last asked for, (1, N, 3)."""
        return self._now

    def moments_at(self, time: float, between_steps: Callable[[float], None] = lambda time: None) -> np.ndarray:
        """M at `time` (fs), not before the last one asked for, (1, N, 3).

        `between_steps` is called with the time reached after each step that ends before `time`; a checkpoint made
        there is as good as one made between two calls of this method.
        """
        while self._steps.time < time:
            self._advance(time)
            if self._steps.time < time:
                between_steps(self._steps.time)
        length = self._steps.time - self._from
        x = (time - self._from) / length if length > 0 else 0.0
        state = self._begin + inside_step(self._polynomial, x)
        self._now = self.equation.place(time, state.reshape(1, -1, 3))
        return self._now

    def checkpoint(self) -> dict[str, Any]:
        """All that `restore` needs."""
        s = self._steps
        return {
            "state": self._now.ravel().copy(), "time": s.time, "end": s.state.copy(), "slope": s.slope.copy(),
            "step": s.step, "from": self._from, "begin": self._begin.copy(),
            "polynomial": self._polynomial.copy(), "accepted": self.accepted, "rejected": self.rejected,
        }  # fmt: skip

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave."""
        end, slope = np.array(checkpoint["end"]), np.array(checkpoint["slope"])
        self._steps = self._new_steps(float(checkpoint["time"]), end, slope, float(checkpoint["step"]))
        self._from, self._begin = float(checkpoint["from"]), np.array(checkpoint["begin"])
        self._polynomial = np.array(checkpoint["polynomial"])
        self._now = np.array(checkpoint["state"]).reshape(1, -1, 3)
        self.accepted, self.rejected = int(checkpoint["accepted"]), int(checkpoint["rejected"])

    def error(self) -> ErrorEstimate:
        """The time step's entry of the error budget."""
        text = "sum of the local errors allowed: error of any moment component, as long as deviations do not grow"
        return ErrorEstimate(self.tolerance * self._largest * self.accepted, text)

    def _new_steps(self, time: float, state: np.ndarray, slope: np.ndarray, step: float) -> Dop853:
        return Dop853(self.equation, time, self.t_end, state, slope, step, self.tolerance, self.schedule)

    def _first_step(self, moments: np.ndarray, slope: np.ndarray) -> float:
        # Not from dM/dt: at rest, before a field rises, that says nothing of the steps that the motion will need.
        fastest = max(self.equation.frequency(0.0, moments[None]), float(np.abs(slope).max()))
        return FIRST_ANGLE / fastest if fastest > 1e-12 else 1.0

    def _advance(self, target: float) -> None:
        steps = self._steps
        self.rejected += steps.advance()
        self.accepted += 1
        # dM/dt is that of M/|M|: an error in the length would turn M at a wrong rate from here on.
        steps.state = place_on_spheres(steps.state.reshape(1, -1, 3)).ravel()
        self._from, self._begin = steps.before, steps.start
        # The interpolant costs three evaluations: only in steps with a row.
        if target <= steps.time:
            self._polynomial = steps.polynomial()


class FixedStep:
    """Equal steps no longer than `step` between rows and discontinuities: Heun's with noise, without it of order 4.

    Args:
        equation: The equation of motion.
        moments: Start, (N, 3).
        step: Longest step in fs.
        noise: The Langevin stepper that carries all copies; None without noise.
        schedule: Where steps have to end and how long they may be.
    """

    def __init__(
        self, equation: SlowEquation, moments: np.ndarray, step: float, noise: Langevin | None, schedule: Schedule
    ) -> None:
        self.equation, self.length, self.noise, self.schedule = equation, step, noise, schedule
        self.accepted, self.rejected = 0, 0
        self.time = 0.0
        self._own = moments[None].copy()

    @property
    def moments(self) -> np.ndarray:
        """The moments of all copies, (B, N, 3)."""
        return self._own if self.noise is None else self.noise.moments

    def moments_at(self, time: float, between_steps: Callable[[float], None] = lambda time: None) -> np.ndarray:
        """M at `time` (fs), not before the last one asked for, (B, N, 3); `between_steps` as for `Adaptive`."""
        while self.time < time:
            target = min(time, self.schedule.stop_after(self.time))
            remaining, longest = target - self.time, min(self.length, self.schedule.longest_step(self.time))
            count = count_of_steps(remaining, longest)
            self._step(remaining / count)
            self.time = target if count == 1 else self.time + remaining / count
            if self.time < time:
                between_steps(self.time)
        if not np.isfinite(self.moments).all():
            raise IntegrationStopped(f"stopped at t = {time:.6g} fs: moments are not finite; take a smaller step")
        return self.moments.copy()

    def checkpoint(self) -> dict[str, Any]:
        """All that `restore` needs; the number of steps is the position in the random stream."""
        return {
            "state": self.moments.ravel().copy(), "time": self.time, "accepted": self.accepted,
        }  # fmt: skip

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave."""
        moments = np.array(checkpoint["state"]).reshape(self.moments.shape)
        self.time, self.accepted = float(checkpoint["time"]), int(checkpoint["accepted"])
        if self.noise is None:
            self._own = moments
        else:
            self.noise.moments, self.noise.steps = moments, self.accepted

    def error(self) -> ErrorEstimate:
        """The time step's entry of the error budget."""
        return ErrorEstimate(float("nan"), "not estimated with a fixed step; repeat with half the step")

    def _step(self, length: float) -> None:
        first, last = self.schedule.limits(self.time)
        begin, end = max(self.time, first), min(self.time + length, last)
        if self.noise is not None:
            self.noise.step(begin, end, length)
        else:
            self._own = self._runge_kutta(begin, end, length)
        self.accepted += 1

    def _runge_kutta(self, begin: float, end: float, h: float) -> np.ndarray:
        """Classical fourth-order step, normalised (M is a constant of the exact motion's length)."""
        m, middle = self._own, 0.5 * (begin + end)
        k1 = self.equation.instant(begin, m).velocity
        k2 = self.equation.instant(middle, m + h / 2 * k1).velocity
        k3 = self.equation.instant(middle, m + h / 2 * k2).velocity
        k4 = self.equation.instant(end, m + h * k3).velocity
        return self.equation.place(end, m + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
