"""How slow moments are carried on: adaptive with interpolation between the steps, or with a fixed step and noise.

Both continue from a checkpoint with the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from llgnegf.dynamics.integrate import IntegrationStopped, inside_step
from llgnegf.result import ErrorEstimate
from llgnegf.slow.adiabatic import SlowEquation
from llgnegf.slow.dop853 import Dop853
from llgnegf.slow.langevin import Langevin

FIRST_ANGLE = 1.0
"""Angle (rad) by which the first step tried lets the fastest moment precess, were it out of its equilibrium."""


class Adaptive:
    """DOP853 in the moments' own time scale, with its interpolant of order 7.

    Rows cost no steps: a step is as long as the error allows, and rows inside it are interpolated.

    Args:
        equation: The equation of motion.
        moments: Start, (N, 3).
        tolerance: Root mean square local error of the components in one step.
        t_end: End of the run in fs; drives are asked for no later time.
    """

    def __init__(self, equation: SlowEquation, moments: np.ndarray, tolerance: float, t_end: float) -> None:
        self.equation, self.tolerance, self.t_end = equation, tolerance, t_end
        self.accepted, self.rejected = 0, 0
        slope = equation.rate(0.0, moments.ravel())
        self._steps = self._new_steps(0.0, moments.ravel().copy(), slope, self._first_step(moments, slope))
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
        return ErrorEstimate(
            self.tolerance * self.accepted, "sum of the local errors allowed: error of any moment component, as long "
            "as deviations do not grow",
        )  # fmt: skip

    def _new_steps(self, time: float, state: np.ndarray, slope: np.ndarray, step: float) -> Dop853:
        return Dop853(self.equation, time, self.t_end, state, slope, step, self.tolerance)

    def _first_step(self, moments: np.ndarray, slope: np.ndarray) -> float:
        # Not from dM/dt: at rest, before a field rises, that says nothing of the steps that the motion will need.
        fastest = max(self.equation.frequency(0.0, moments[None]), float(np.abs(slope).max()))
        return FIRST_ANGLE / fastest if fastest > 1e-12 else 1.0

    def _advance(self, target: float) -> None:
        steps = self._steps
        self.rejected += steps.advance()
        self.accepted += 1
        self._from, self._begin = steps.before, steps.start
        # The interpolant costs three evaluations: only in steps with a row.
        if target <= steps.time:
            self._polynomial = steps.polynomial()


class FixedStep:
    """Equal steps no longer than `step` between rows: Heun's rotation with noise, or without it of order 4.

    Args:
        equation: The equation of motion.
        moments: Start, (N, 3).
        step: Longest step in fs.
        noise: The Langevin stepper that carries all copies; None without noise.
    """

    def __init__(self, equation: SlowEquation, moments: np.ndarray, step: float, noise: Langevin | None) -> None:
        self.equation, self.length, self.noise = equation, step, noise
        self.accepted, self.rejected = 0, 0
        self.time = 0.0
        self._done = 0
        self._own = moments[None].copy()

    @property
    def moments(self) -> np.ndarray:
        """The moments of all copies, (B, N, 3)."""
        return self._own if self.noise is None else self.noise.moments

    def moments_at(self, time: float, between_steps: Callable[[float], None] = lambda time: None) -> np.ndarray:
        """M at `time` (fs), not before the last one asked for, (B, N, 3); `between_steps` as for `Adaptive`."""
        span = time - self.time
        if span > 0:
            count = max(1, int(np.ceil(span / self.length * (1 - 1e-9))))
            for k in range(self._done, count):
                self._step(self.time + span * (k / count), span / count)
                self._done = k + 1
                if self._done < count:
                    between_steps(self.time + span * (self._done / count))
            self.time, self._done = time, 0
            if not np.isfinite(self.moments).all():
                raise IntegrationStopped(f"stopped at t = {time:.6g} fs: moments are not finite; take a smaller step")
        return self.moments.copy()

    def checkpoint(self) -> dict[str, Any]:
        """All that `restore` needs; the number of steps is the position in the random stream."""
        return {
            "state": self.moments.ravel().copy(), "time": self.time, "done": self._done, "accepted": self.accepted,
        }  # fmt: skip

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave."""
        moments = np.array(checkpoint["state"]).reshape(self.moments.shape)
        self.time, self.accepted = float(checkpoint["time"]), int(checkpoint["accepted"])
        self._done = int(checkpoint.get("done", 0))  # steps since `time`
        if self.noise is None:
            self._own = moments
        else:
            self.noise.moments, self.noise.steps = moments, self.accepted

    def error(self) -> ErrorEstimate:
        """The time step's entry of the error budget."""
        return ErrorEstimate(float("nan"), "not estimated with a fixed step; repeat with half the step")

    def _step(self, time: float, length: float) -> None:
        if self.noise is not None:
            self.noise.step(time, length)
        else:
            self._own = self._runge_kutta(time, length)
        self.accepted += 1

    def _runge_kutta(self, time: float, h: float) -> np.ndarray:
        """Classical fourth-order step, normalised (M is a constant of the exact motion's length)."""
        m = self._own
        k1 = self.equation.instant(time, m).velocity
        k2 = self.equation.instant(time + h / 2, m + h / 2 * k1).velocity
        k3 = self.equation.instant(time + h / 2, m + h / 2 * k2).velocity
        k4 = self.equation.instant(time + h, m + h * k3).velocity
        return self.equation.place(time + h, m + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
