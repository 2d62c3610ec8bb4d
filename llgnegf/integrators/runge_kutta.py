"""Explicit Runge-Kutta integration of the whole state, adaptive or with a fixed step, restartable bit for bit.

Knows nothing of physics: it takes a right-hand side, and a norm of the error that the right-hand side's owner gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._compile import FUSED, kernel, part
from llgnegf.integrators.schedule import FREE, Schedule, count_of_steps
from llgnegf.integrators.tableaus import ImexTableau, Interpolant, Tableau

RightHandSide = Callable[[float, np.ndarray, np.ndarray], None]
"""f(t, y, out): writes dy/dt into out."""

SAFETY = 0.9
LASTING = 0.1
"""Time (hbar/eV) for which an error must last to count whole. What a decaying error leaves in the density matrix is its
integral, its part of the lead currents is there at once: with this time both stay below the tolerance."""
SMALLEST_FACTOR, LARGEST_FACTOR = 0.2, 5.0


class IntegrationStopped(RuntimeError):
    """A run that cannot go on: the message has the time, the quantity and the cause."""


@dataclass
class Progress:
    """Counters of an integration; all of them survive a restart."""

    accepted: int = 0
    rejected: int = 0
    error_sum: float = 0.0


BLOCK = 1024
"""Numbers of a state that are combined at a time, so that they stay in the nearest cache."""
SMALLEST = 1e-200
"""Numbers of a state below this are as good as 0; a step multiplies by far more than 1e-100, so none gets denormal."""


@part()
def _copy(x, y):  # type: ignore[no-untyped-def]
    """y = x; a loop, since a slice on the left takes the compiler several times as long."""
    for i in range(y.size):
        y[i] = x[i]


@part()
def _clear(x):  # type: ignore[no-untyped-def]
    """x = 0."""
    for i in range(x.size):
        x[i] = 0.0


@part(FUSED)
def _add(w, x, y):  # type: ignore[no-untyped-def]
    """y += w x."""
    for i in range(y.size):
        y[i] += w * x[i]


@part(FUSED)
def _add_four(a, u, b, v, c, w, d, x, y):  # type: ignore[no-untyped-def]
    """y += a u + b v + c w + d x: y is loaded and stored once for four stages."""
    for i in range(y.size):
        y[i] += a * u[i] + b * v[i] + c * w[i] + d * x[i]


@part()
def _add_stages(stages, used, weights, step, start, part):  # type: ignore[no-untyped-def]
    """part += step * sum_j weights_j stages_j over the `used` stages, for a part of the state that begins at start."""
    here = slice(start, start + part.size)
    fours = used.size // 4 * 4
    for j in range(0, fours, 4):
        a, b, c, d = used[j], used[j + 1], used[j + 2], used[j + 3]
        _add_four(
            step * weights[a], stages[a, here], step * weights[b], stages[b, here],
            step * weights[c], stages[c, here], step * weights[d], stages[d, here], part,
        )  # fmt: skip
    for j in range(fours, used.size):
        _add(step * weights[used[j]], stages[used[j], here], part)


@kernel()
def _combine(y, stages, weights, step, out):  # type: ignore[no-untyped-def]
    """out = y + step * sum_j weights_j stages_j."""
    used = np.flatnonzero(weights)
    for start in range(0, y.size, BLOCK):
        part = out[start : min(start + BLOCK, y.size)]
        _copy(y[start : start + part.size], part)
        _add_stages(stages, used, weights, step, start, part)


@part(FUSED)
def _add_four_thrice(u, v, w, x, b, e, f, y, first, second):  # type: ignore[no-untyped-def]
    """Four stages into the new state and into both error estimates: each is loaded once."""
    b_u, b_v, b_w, b_x = b
    e_u, e_v, e_w, e_x = e
    f_u, f_v, f_w, f_x = f
    for i in range(y.size):
        y[i] += b_u * u[i] + b_v * v[i] + b_w * w[i] + b_x * x[i]
        first[i] += e_u * u[i] + e_v * v[i] + e_w * w[i] + e_x * x[i]
        second[i] += f_u * u[i] + f_v * v[i] + f_w * w[i] + f_x * x[i]


@kernel()
def _finish(y, stages, used, weights, step, bounds, scale, out, largest):  # type: ignore[no-untyped-def]
    """out = y + step * sum_j weights_0j stages_j, and the largest |sum_j weights_ej stages_j| of the error estimates.

    Args:
        used: The stages with any weight.
        weights: (3, s): the method's, then those of two error estimates (0 for one that it does not have).
        bounds: (n, 2), the sections over which each maximum is taken; together they are the whole state.
        scale: What the error of each number of the state counts, or empty: all count whole.
        largest: (n, 2) is written; NaN where an entry is NaN.
    """
    sums, sizes = np.empty((2, BLOCK)), np.empty((2, BLOCK))
    fours = used.size // 4 * 4
    for n in range(bounds.shape[0]):
        _clear(sizes[0])
        _clear(sizes[1])
        for start in range(bounds[n, 0], bounds[n, 1], BLOCK):
            here = slice(start, min(start + BLOCK, bounds[n, 1]))
            part, first, second = out[here], sums[0, : here.stop - start], sums[1, : here.stop - start]
            _copy(y[here], part)
            _clear(first)
            _clear(second)
            for k in range(0, fours, 4):
                i, j, p, q = used[k], used[k + 1], used[k + 2], used[k + 3]
                b, e, f = step * weights[0], weights[1], weights[2]
                _add_four_thrice(
                    stages[i, here], stages[j, here], stages[p, here], stages[q, here],
                    (b[i], b[j], b[p], b[q]), (e[i], e[j], e[p], e[q]), (f[i], f[j], f[p], f[q]), part, first, second,
                )  # fmt: skip
            for k in range(fours, used.size):
                j = used[k]
                _add(step * weights[0, j], stages[j, here], part)
                _add(weights[1, j], stages[j, here], first)
                _add(weights[2, j], stages[j, here], second)
            for e in range(2):
                if scale.size > 0:
                    sums[e, : part.size] *= scale[here]
                _keep_larger(sums[e, : part.size], sizes[e])
        for e in range(2):
            largest[n, e] = sizes[e].max()


@part()
def _keep_larger(x, sizes):  # type: ignore[no-untyped-def]
    """sizes_i = max(sizes_i, |x_i|) one by one, which the compiler can vectorise; NaN where x_i is not finite."""
    for i in range(x.size):
        size = abs(x[i])
        sizes[i] = (size if size > sizes[i] else sizes[i]) + 0.0 * size


@kernel()
def _settle(state):  # type: ignore[no-untyped-def]
    """Whether all numbers are finite; those below SMALLEST become 0.

    Deep in a gap the density matrix falls off exponentially, over long chains down to denormal numbers, with which
    processors calculate many times slower.
    """
    finite = True
    for i in range(state.size):
        size = abs(state[i])
        finite &= size < np.inf
        if size < SMALLEST:
            state[i] = 0.0
    return finite


class RungeKutta:
    """One integration: state, time, step, and the method that carries them on.

    Args:
        function: The right-hand side.
        time, state: Where to start; the state is copied.
        tableau: The method.
        tolerance: Largest local error of any component in an accepted step of unit length or longer; a shorter step
            may have its share of it, so that many small steps do not add up to more. None for a fixed step.
        step: The fixed step, or the first step of an adaptive run.
        largest_step: Bound on an adaptive step, e.g. the stability limit of the method: a controller that finds the
            limit by itself does so by letting errors grow up to the tolerance.
        sections: (name, start, stop) of the state's parts, all of it one after another, by which a failure is reported.
        after_step: Called with the new state after each accepted step (projection onto a constraint).
        schedule: Where steps have to end, a fixed step too, and how long they may be: a fixed step is shortened there.
        scale: What the error of each number of the state counts in the step control; None: all count whole.

    Raises:
        ValueError: For a fixed step that is not positive, or an adaptive run with a method without error estimate.
    """

    def __init__(
        self,
        function: RightHandSide,
        time: float,
        state: np.ndarray,
        tableau: Tableau,
        tolerance: float | None,
        step: float,
        sections: list[tuple[str, int, int]],
        after_step: Callable[[np.ndarray], None] | None = None,
        largest_step: float = np.inf,
        schedule: Schedule = FREE,
        scale: np.ndarray | None = None,
    ) -> None:
        if not step > 0:
            raise ValueError(f"step: {step}; allowed: a number > 0")
        if tolerance is not None and tableau.errors.size == 0:
            raise ValueError(f"integrator: {tableau.name!r} has no error estimate; allowed: a fixed step with it")
        self.function, self.tableau, self.tolerance = function, tableau, tolerance
        self.time, self.state, self.step = float(time), np.array(state, dtype=float), float(step)
        self.sections = sections
        self.after_step = after_step
        self.largest_step, self.schedule = largest_step, schedule
        self.progress = Progress()
        extra = 0 if tableau.interpolant is None else tableau.interpolant.c.size
        self._bounds = np.array([section[1:] for section in sections], dtype=np.int64).reshape(-1, 2)
        self._largest, self._scale = np.zeros((len(sections), 2)), np.zeros(0) if scale is None else scale
        self._weights = _finishing_weights(tableau)
        self._used = np.flatnonzero(self._weights.any(axis=0))
        # The stages, the rate at the end of a step, and the interpolant's extra stages.
        self._stages = np.zeros((tableau.b.size + 1 + extra, self.state.size))
        self._trial = np.zeros_like(self.state)
        self._fresh = False
        _settle(self.state)
        self._before, self._time_before, self._last_step = self.state.copy(), self.time, 0.0
        self._has_extra = False

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
            longest = min(self.step, allowed)
            self._check_round_off(longest)
            remaining = target - start
            # The last steps before a target are made equal, so that no sliver is left over.
            near = self.tolerance is None or remaining <= 4 * longest
            count = count_of_steps(remaining, longest) if near else 0
            step = remaining / count if near else longest
            error = self._try(step)
            if np.isnan(error):
                self._close_in_on_nan(step)
                continue
            if self.tolerance is None or error <= 1.0:
                self._accept(target if count == 1 else self.time + step, step, error)
            else:
                self.progress.rejected += 1
            self._control(step, error, limited=step < self.step)

    def cross(self) -> bool:
        """At a discontinuity go on to its other side, where the derivative is another one; whether that was so."""
        if self.time == self._time_before or not self.schedule.is_stop(self.time):
            return False
        self._time_before, self._last_step = self.time, 0.0
        self._before[:] = self.state
        self._fresh = self._has_extra = False
        return True

    def derivative(self) -> np.ndarray:
        """dy/dt of the present state, of the near side until a discontinuity is crossed; the next step uses it too."""
        rate = self._stages[self.tableau.b.size]
        if not self._fresh:
            first, last = self.schedule.limits(self._time_before)
            self.function(min(max(self.time, first), last), self.state, rate)
            self._fresh = True
        return rate

    def inside(self, time: float, sample: Callable[[np.ndarray], np.ndarray], keep: bool = True) -> np.ndarray:
        """`sample`, a linear map, of the state at a time within the last step; the integration stays as it is.

        By the method's interpolant, or by one step from the start of the last one for methods without. The extra stages
        of the interpolant serve all calls until the next step, unless `keep` is False.
        """
        if self.tableau.interpolant is None:
            return sample(self._step_aside(time))
        had = self._has_extra
        polynomial = self._polynomial(self.tableau.interpolant, sample)
        self._has_extra = keep or had
        x = (time - self._time_before) / self._last_step
        return sample(self._before) + inside_step(polynomial, x)

    def _polynomial(self, interpolant: Interpolant, sample: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """F_0 ... F_6 of `Interpolant` for samples."""
        self.derivative()
        last, h = self.tableau.b.size, self._last_step
        if not self._has_extra:
            for i, (row, c) in enumerate(zip(interpolant.a, interpolant.c, strict=True), last + 1):
                _combine(self._before, self._stages, row, h, self._trial)
                self.function(self._time_before + c * h, self._trial, self._stages[i])
        used = np.flatnonzero(interpolant.weights.any(axis=0))  # the first and the last stage among them
        many = getattr(sample, "many", None)  # one call instead of many
        rates = np.array([sample(self._stages[j]) for j in used]) if many is None else many(self._stages, used)
        change = sample(self.state) - sample(self._before)
        first, end = h * rates[0], h * rates[np.searchsorted(used, last)]
        polynomial = np.empty((7, change.size))
        polynomial[0], polynomial[1], polynomial[2] = change, first - change, 2 * change - end - first
        np.matmul(h * interpolant.weights[:, used], rates, out=polynomial[3:])
        return polynomial

    def _step_aside(self, time: float) -> np.ndarray:
        """The state at a time within the last step, by one step from that step's start."""
        step, rate = time - self._time_before, self._stages[self.tableau.b.size]
        now, kept = (self.time, self.state, self._fresh), rate.copy()
        self.time, self.state, self._fresh = self._time_before, self._before, False
        self._try(step)
        aside = self._trial.copy()
        if self.after_step is not None:
            self.after_step(aside)
        (self.time, self.state, self._fresh), rate[:] = now, kept
        return aside

    def checkpoint(self) -> dict[str, Any]:
        """All that a later `restore` needs to go on with the same bits."""
        return {
            "time": self.time, "step": self.step, "state": self.state.copy(), "time_before": self._time_before,
            "state_before": self._before.copy(), "fresh": self._fresh, "last_step": self._last_step,
            "has_extra": self._has_extra, "accepted": self.progress.accepted,
            "rejected": self.progress.rejected, "error_sum": self.progress.error_sum,
        }  # fmt: skip

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave."""
        self.time, self.step = float(checkpoint["time"]), float(checkpoint["step"])
        self.state[:] = checkpoint["state"]
        self._time_before = float(checkpoint["time_before"])
        self._before[:] = checkpoint["state_before"]
        accepted, rejected = int(checkpoint["accepted"]), int(checkpoint["rejected"])
        self.progress = Progress(accepted, rejected, float(checkpoint["error_sum"]))
        self._last_step, self._has_extra = float(checkpoint["last_step"]), False
        if self.tableau.interpolant is not None and self._last_step > 0:
            self._redo_last_step()
        self._fresh = False
        if checkpoint["fresh"]:
            self.derivative()
        if checkpoint["has_extra"]:
            self.inside(self.time, lambda state: state[:0])

    def _redo_last_step(self) -> None:
        """Fill the stages of the last step again, for its interpolant."""
        now = self.time, self.state
        self.time, self.state, self._fresh = self._time_before, self._before, False
        self._try(self._last_step)
        self.time, self.state = now

    def _try(self, step: float) -> float:
        """Fill the stages and the trial state for one step; the local error in units of the tolerance."""
        t = self.tableau
        times = self.schedule.within(self.time, self.time + t.c * step)
        self._stages[0] = self.derivative()
        for i in range(1, t.b.size):
            _combine(self.state, self._stages, t.a[i, :i], step, self._trial)
            self.function(times[i], self._trial, self._stages[i])
        return self._finished(step)

    def _finished(self, step: float) -> float:
        """Write the trial state; the largest local error over all sections, in units of what the step may have.

        For two estimates it is the combination of DOP853.
        """
        if self.tolerance is None:
            _combine(self.state, self._stages, self.tableau.b, step, self._trial)
            return 0.0
        _finish(
            self.state, self._stages, self._used, self._weights, step, self._bounds, self._scale, self._trial,
            self._largest,
        )  # fmt: skip
        worst = 0.0
        for first, second in self._largest:
            error = first * (first / np.hypot(first, 0.1 * second)) if second > 0 and first > 0 else first
            if np.isnan(error):
                return float("nan")
            worst = max(worst, error)
        return step * worst / (self.tolerance * _share(step))

    def _accept(self, time: float, step: float, error: float) -> None:
        self._time_before, self.time, self._last_step = self.time, time, step
        self._before, self.state, self._trial = self.state, self._trial, self._before
        if self.after_step is not None:
            self.after_step(self.state)
        self.progress.accepted += 1
        self.progress.error_sum += error * _share(step) * (self.tolerance or 0.0)
        self._fresh = self._has_extra = False
        if not _settle(self.state):
            self._stop("is not finite")

    def _control(self, step: float, error: float, limited: bool) -> None:
        """The next step from the last error; a step cut short for a target says nothing against a longer one."""
        if self.tolerance is None:
            return
        factor = SAFETY * min(max(error, 1e-12), 1e300) ** (-1 / self.tableau.error_order)
        proposal = step * min(LARGEST_FACTOR, max(SMALLEST_FACTOR, factor))
        wanted = max(self.step, proposal) if limited and error <= 1.0 else proposal
        self.step = min(wanted, self.largest_step)

    def _close_in_on_nan(self, step: float) -> None:
        """Shorten a step that ran into NaN until the time at which it arises is known, then stop."""
        if not np.isfinite(self._stages[0]).all() or step < 1e-6 * max(1.0, abs(self.time)):
            self._stop("is not finite")
        self.step = SMALLEST_FACTOR * step

    def _check_round_off(self, step: float) -> None:
        if self.time + 0.01 * step == self.time:
            self._stop(f"needs a step of {step:.3g}, below round-off")

    def _stop(self, cause: str) -> None:
        state = self._trial if np.isfinite(self.state).all() else self.state
        names = [name for name, a, b in self.sections if not np.isfinite(state[a:b]).all()]
        quantity = ", ".join(names) or "the state"
        raise IntegrationStopped(f"stopped at t/hbar = {self.time:.6g} 1/eV: {quantity} {cause}")


def inside_step(polynomial: np.ndarray, x: float) -> np.ndarray:
    """y - y_0 at the fraction x of a step, from F_0 ... F_6 of `tableaus.Interpolant`, (7, n)."""
    change = np.zeros_like(polynomial[0])
    for k, row in enumerate(polynomial[::-1]):
        change = (change + row) * (x if k % 2 == 0 else 1 - x)
    return change


def _finishing_weights(tableau: Tableau) -> np.ndarray:
    """(3, s): the method's weights and those of two error estimates, 0 for one that it does not have."""
    weights = np.zeros((3, tableau.b.size))
    weights[0] = tableau.b
    for row, error in zip(weights[1:], tableau.errors, strict=False):
        row[:] = error
    return weights


def _share(step: float) -> float:
    """The part of the tolerance that a step may use.

    Steps of unit length or longer may use it whole, shorter ones in proportion. Where a voltage jumps the error is
    proportional to the step, and no step would do: from a hundredth on the share stays the same.
    """
    return min(1.0, max(step, 0.01))


class ImexRungeKutta(RungeKutta):
    """Additive Runge-Kutta: a diagonal stiff part of the right-hand side implicitly, the rest explicitly.

        dy/dt = [f(t, y) + rates * y] - rates * y,    rates >= 0

    Stage i solves Y_i = y + h sum_{j<i} (a_ij (f_j + rates Y_j) - ai_ij rates Y_j) - h ai_ii rates Y_i, a division.
    Fermi vectors whose poles lie far from the real axis decay fast and follow their source: implicit, they cost no
    smaller step. An error of theirs decays as fast: it counts 1/(1 + LASTING rate) in the step control.

    Args:
        rates: The stiff decay rates, one for each component of the state (0 where there is none); others as for
            `RungeKutta`, with an `ImexTableau`.
    """

    def __init__(self, *args: Any, rates: np.ndarray, **options: Any) -> None:
        super().__init__(*args, **options)
        assert isinstance(self.tableau, ImexTableau)
        self._stiff = np.flatnonzero(rates)
        self._rates = rates[self._stiff]
        self._scale = (self._scale if self._scale.size else 1.0) / (1 + LASTING * rates)
        self._damped = np.zeros((self.tableau.b.size, self._stiff.size))

    def _try(self, step: float) -> float:
        t = self.tableau
        assert isinstance(t, ImexTableau)
        times = self.schedule.within(self.time, self.time + t.c * step)
        self._stages[0] = self.derivative()
        self._damped[0] = self._rates * self.state[self._stiff]
        for i in range(1, t.b.size):
            _combine(self.state, self._stages, t.a[i, :i], step, self._trial)
            # The stages hold f, the explicit part is f + damped: both tableaus act on `damped`.
            rest = self._trial[self._stiff] + step * ((t.a[i, :i] - t.implicit[i, :i]) @ self._damped[:i])
            self._trial[self._stiff] = rest / (1 + step * t.implicit[i, i] * self._rates)
            self._damped[i] = self._rates * self._trial[self._stiff]
            self.function(times[i], self._trial, self._stages[i])
        return self._finished(step)
