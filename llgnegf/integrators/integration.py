"""One integration: a state and a time that a stepper carries on, step by step, restartable bit for bit.

Knows nothing of physics. Full, slow and classical runs all go through it; rows between the steps are made by `dense`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf.equations.protocol import Equation
from llgnegf.integrators.controller import Controller
from llgnegf.integrators.kernels import settle
from llgnegf.integrators.schedule import FREE, Schedule
from llgnegf.integrators.stepper import ImexRungeKutta, RungeKutta, Sample, Stepper
from llgnegf.integrators.tableaus import ImexTableau, Tableau

STABLE = 0.95
"""Largest step of a controller in units of the stability limit."""


class IntegrationStopped(RuntimeError):
    """A run that cannot go on.

    The message has the time, the quantity and the cause. Its attribute `result` is the `Result` of the rows so far,
    where `simulate` raised it.

    Examples
    --------
    >>> issubclass(ln.IntegrationStopped, RuntimeError)
    True
    """


@dataclass
class Progress:
    """Counters of an integration; all of them survive a restart."""

    accepted: int = 0
    rejected: int = 0
    error_sum: float = 0.0


class Integration:
    """State and time of a run.

    Args:
        stepper: The method and its equation.
        controller: The lengths of its steps.
        state: Where to start at time 0; it is copied.
        schedule: Where steps have to end, fixed ones too, and how long they may be: a fixed step is shortened there.
    """

    def __init__(self, stepper: Stepper, controller: Controller, state: np.ndarray, schedule: Schedule = FREE) -> None:
        self.stepper, self.controller, self.schedule = stepper, controller, schedule
        self.time, self.state = 0.0, np.array(state, dtype=float)
        self.progress = Progress()
        self._trial = np.zeros_like(self.state)
        settle(self.state)
        self._before, self._time_before, self._last_step = self.state.copy(), self.time, 0.0
        self._inside: tuple[Sample, np.ndarray, np.ndarray] | None = None  # what rows inside the last step are made of

    @property
    def adaptive(self) -> bool:
        """Whether steps are as long as their errors allow."""
        return self.controller.adaptive

    def advance(self, target: float) -> None:
        """Integrate to `target` exactly; raises IntegrationStopped on NaN or a step below round-off."""
        while self.time < target:
            self.step_towards(target)

    def step_towards(self, target: float) -> None:
        """One accepted step that does not pass `target` (which may be infinite); raises as `advance` does."""
        self.cross()
        start = self.time
        target, allowed = min(target, self.schedule.stop_after(start)), self.schedule.longest_step(start)
        while self.time == start:
            self._check_round_off(min(self.controller.step, allowed))
            step, count = self.controller.choose(target - start, allowed)
            local = self.stepper.step(start, self.state, step, self._trial)
            error = self.controller.judge(step, local)
            if np.isnan(error):
                self._close_in_on_nan(step)
            elif error <= 1.0:
                self._accept(target if count == 1 else start + step, step, local)
            else:
                self.progress.rejected += 1

    def cross(self) -> bool:
        """At a discontinuity go on to its other side, where the derivative is another one; whether that was so."""
        if self.time == self._time_before or not self.schedule.is_stop(self.time):
            return False
        before = min(self.time, self.schedule.limits(self._time_before)[1])
        self.stepper.equation.jump(before, max(self.time, self.schedule.limits(self.time)[0]), self.state)
        self._time_before, self._last_step = self.time, 0.0
        self._before[:] = self.state
        self._forget()
        return True

    def derivative(self) -> np.ndarray:
        """dy/dt of the present state, of the near side until a discontinuity is crossed; the next step uses it too."""
        first, last = self.schedule.limits(self._time_before)
        return self._runge_kutta.rate(min(max(self.time, first), last), self.state)

    def inside(self, time: float, sample: Sample, keep: bool = True) -> np.ndarray:
        """`sample`, a linear map, of the state at a time within the last step; the integration stays as it is.

        By the method's interpolant, or by one step from the start of the last one for methods without. The extra stages
        of the interpolant serve all calls until the next step, unless `keep` is False.
        """
        method = self._runge_kutta
        if method.tableau.interpolant is None:
            aside = method.aside(self._time_before, self._before, time - self._time_before)
            method.equation.project(aside)
            return sample(aside)
        if self._inside is None or self._inside[0] is not sample:
            had_rate, had_extra = method.has_rate, method.has_extra
            self.derivative()
            polynomial = method.polynomial(self._time_before, self._before, self._last_step, self.state, sample)
            method.has_rate, method.has_extra = keep or had_rate, keep or had_extra
            self._inside = sample, sample(self._before), polynomial
        _, start, polynomial = self._inside
        if not keep:
            self._inside = None
        return start + inside_step(polynomial, (time - self._time_before) / self._last_step)

    def checkpoint(self) -> dict[str, Any]:
        """All that a later `restore` needs to go on with the same bits; its arrays change with the next step."""
        method = self.stepper
        kept = (method.has_rate, method.has_extra) if isinstance(method, RungeKutta) else (False, False)
        return {
            "time": self.time, "step": self.controller.step, "state": self.state,
            "time_before": self._time_before, "state_before": self._before, "last_step": self._last_step,
            "has_rate": kept[0], "has_extra": kept[1], "accepted": self.progress.accepted,
            "rejected": self.progress.rejected, "error_sum": self.progress.error_sum,
        }  # fmt: skip

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave."""
        self.time, self.controller.step = float(checkpoint["time"]), float(checkpoint["step"])
        self.state[:], self._before[:] = checkpoint["state"], checkpoint["state_before"]
        self._time_before, self._last_step = float(checkpoint["time_before"]), float(checkpoint["last_step"])
        accepted, rejected = int(checkpoint["accepted"]), int(checkpoint["rejected"])
        self.progress = Progress(accepted, rejected, float(checkpoint["error_sum"]))
        self._forget()
        if isinstance(self.stepper, RungeKutta) and self._last_step > 0 and self.adaptive:
            # The stages of the last step once more, for the interpolant.
            self.stepper.step(self._time_before, self._before, self._last_step, self._trial)
            self._forget()
        if checkpoint["has_rate"]:
            self.derivative()
        if checkpoint["has_extra"]:
            self.inside(self.time, lambda state: state[:0])

    @property
    def _runge_kutta(self) -> RungeKutta:
        assert isinstance(self.stepper, RungeKutta), "steps of fixed length need no rates between them"
        return self.stepper

    def _accept(self, time: float, step: float, local: float) -> None:
        self._time_before, self.time, self._last_step = self.time, time, step
        self._before, self.state, self._trial = self.state, self._trial, self._before
        self.stepper.equation.project(self.state)
        self.progress.accepted += 1
        self.progress.error_sum += local
        self._forget()
        if not settle(self.state):
            self._stop("is not finite")

    def _forget(self) -> None:
        """What was known belongs to another state now."""
        self.stepper.forget(self.progress.accepted)
        self._inside = None

    def _close_in_on_nan(self, step: float) -> None:
        """Shorten a step that ran into NaN until the time at which it arises is known, then stop."""
        if not np.isfinite(self.derivative()).all() or step < 1e-6 * max(1.0, abs(self.time)):
            self._stop("is not finite")
        self.controller.close_in(step)

    def _check_round_off(self, step: float) -> None:
        if self.time + 0.01 * step == self.time:
            self._stop(f"needs a step of {step:.3g}, below round-off")

    def _stop(self, cause: str) -> None:
        state = self._trial if np.isfinite(self.state).all() else self.state
        names = [name for name, a, b in self.stepper.equation.sections if not np.isfinite(state[a:b]).all()]
        when = f"t = {self.time:.6g} fs" if self.stepper.equation.time_unit == 1.0 else f"t/hbar = {self.time:.6g} 1/eV"
        raise IntegrationStopped(f"stopped at {when}: {', '.join(names) or 'the state'} {cause}")


def runge_kutta(
    equation: Equation, tableau: Tableau, state: np.ndarray, step: float, tolerance: float | None = None,
    largest: float = np.inf, per_time: bool = True, schedule: Schedule = FREE,
) -> Integration:  # fmt: skip
    """An integration by a Runge-Kutta method, implicit-explicit if `tableau` is; arguments as for `Controller`."""
    method = ImexRungeKutta if isinstance(tableau, ImexTableau) else RungeKutta
    controller = Controller(step, tolerance, tableau.error_order, per_time, largest)
    return Integration(method(equation, tableau, controller.adaptive, schedule), controller, state, schedule)


def stability_limit(equation: Equation, tableau: Tableau) -> float:
    """Longest step, in units of the equation's time, that damps all that the equation damps; infinite for moments."""
    turning, damped = equation.fastest_rates(implicit=isinstance(tableau, ImexTableau))
    rate = max(turning / tableau.stability, damped / tableau.damped_stability)
    return 1 / rate if rate > 0 else np.inf


def inside_step(polynomial: np.ndarray, x: float) -> np.ndarray:
    """y - y_0 at the fraction x of a step, from F_0 ... F_6 of `tableaus.Interpolant`, (7, n)."""
    change = np.zeros_like(polynomial[0])
    for k, row in enumerate(polynomial[::-1]):
        change = (change + row) * (x if k % 2 == 0 else 1 - x)
    return change
