"""Functions of time that can be written down: ramp, sine, pulse and table, for voltages, fields and torques.

Frozen descriptions that are called with the time in fs, so that a run stays one readable file; imports only checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from llgnegf._checks import LARGEST, Problems

Value = Any
"""A number, or nested tuples of numbers: one for each component, or one row for each site."""

VALUE = f"finite: a number or an array of numbers, of magnitude up to {LARGEST:g}"
SHORTEST = 1e-6
"""fs: what happens faster is a jump for every device, and steps that resolve it come to no end."""


class Drive:
    """A function of time: `drive(t)` is its value at t in fs, `drive.rate(t)` the time derivative per fs."""

    kind: ClassVar[str]

    @property
    def longest_step(self) -> float:
        """A time step (fs) that cannot miss it; infinite where that is not known."""
        return np.inf

    def __call__(self, time: float) -> Any:
        """The value at `time` (fs): a float, or an array of the shape of the values given."""
        raise NotImplementedError

    def rate(self, time: float) -> Any:
        """The derivative at `time` (fs), per fs."""
        raise NotImplementedError


@dataclass(frozen=True)
class Ramp(Drive):
    """A smooth switch from one value to another, with zero slope at both ends.

        v(t) = initial + (final - initial) [1 - cos(pi s)]/2,    s = (t - start)/duration between 0 and 1

    and `initial` before it, `final` after it.

    Args:
        initial, final: The two values, of one shape.
        start: Beginning of the switch in fs, >= 0.
        duration: Its length in fs, > 0.

    Raises:
        ValueError: One line for each argument that is not of this kind.
    """

    initial: Value
    final: Value
    start: float
    duration: float
    kind: ClassVar[str] = "ramp"

    def __post_init__(self) -> None:
        problems = Problems("Ramp")
        initial, final = _values(problems, self, "initial", "final")
        problems.number("start", self.start, "a finite number >= 0, in fs", lambda t: t >= 0)
        problems.number("duration", self.duration, f"a finite number >= {SHORTEST:g}, in fs", lambda t: t >= SHORTEST)
        problems.raise_all()
        _freeze(self, initial=initial, final=final)
        _cache(self, initial, np.subtract(final, initial))

    @property
    def longest_step(self) -> float:
        return self.duration

    def __call__(self, time: float) -> Any:
        start, change = self._arrays  # type: ignore[attr-defined]
        s = min(max((time - self.start) / self.duration, 0.0), 1.0)
        return start + 0.5 * (1 - np.cos(np.pi * s)) * change

    def rate(self, time: float) -> Any:
        start, change = self._arrays  # type: ignore[attr-defined]
        s = min(max((time - self.start) / self.duration, 0.0), 1.0)
        return 0.5 * np.pi / self.duration * np.sin(np.pi * s) * change if s < 1 else 0.0 * change


@dataclass(frozen=True)
class Sine(Drive):
    """v(t) = offset + amplitude sin(2 pi t/period + phase).

    Args:
        amplitude: The amplitude.
        period: In fs, > 0.
        phase: In rad, a number or an array of the amplitude's shape (a rotating field has amplitude (B, B, 0) and
            phase (pi/2, 0, 0)).
        offset: A number, or of the amplitude's shape.

    Raises:
        ValueError: One line for each argument that is not of this kind.
    """

    amplitude: Value
    period: float
    phase: Value = 0.0
    offset: Value = 0.0
    kind: ClassVar[str] = "sine"

    def __post_init__(self) -> None:
        problems = Problems("Sine")
        amplitude, phase, offset = _values(problems, self, "amplitude", "phase", "offset")
        problems.number("period", self.period, f"a finite number >= {SHORTEST:g}, in fs", lambda t: t >= SHORTEST)
        problems.raise_all()
        _freeze(self, amplitude=amplitude, phase=phase, offset=offset)
        _cache(self, amplitude, phase, offset)

    @property
    def longest_step(self) -> float:
        return 0.25 * self.period

    def __call__(self, time: float) -> Any:
        amplitude, phase, offset = self._arrays  # type: ignore[attr-defined]
        return offset + amplitude * np.sin(2 * np.pi * time / self.period + phase)

    def rate(self, time: float) -> Any:
        amplitude, phase, _ = self._arrays  # type: ignore[attr-defined]
        w = 2 * np.pi / self.period
        return w * amplitude * np.cos(w * time + phase)


@dataclass(frozen=True)
class Pulse(Drive):
    """A Gaussian: v(t) = offset + amplitude exp(-(t - center)^2/(2 width^2)).

    Args:
        amplitude: Height above the offset.
        center: Time of the maximum in fs.
        width: Standard deviation in fs, > 0.
        offset: A number, or of the amplitude's shape.

    Raises:
        ValueError: One line for each argument that is not of this kind.
    """

    amplitude: Value
    center: float
    width: float
    offset: Value = 0.0
    kind: ClassVar[str] = "pulse"

    def __post_init__(self) -> None:
        problems = Problems("Pulse")
        amplitude, offset = _values(problems, self, "amplitude", "offset")
        problems.number("center", self.center, "a finite number, in fs")
        problems.number("width", self.width, f"a finite number >= {SHORTEST:g}, in fs", lambda t: t >= SHORTEST)
        problems.raise_all()
        _freeze(self, amplitude=amplitude, offset=offset)
        _cache(self, amplitude, offset)

    @property
    def longest_step(self) -> float:
        return self.width

    def __call__(self, time: float) -> Any:
        amplitude, offset = self._arrays  # type: ignore[attr-defined]
        return offset + amplitude * np.exp(-0.5 * ((time - self.center) / self.width) ** 2)

    def rate(self, time: float) -> Any:
        amplitude, _ = self._arrays  # type: ignore[attr-defined]
        x = (time - self.center) / self.width
        return -x / self.width * amplitude * np.exp(-0.5 * x**2)


@dataclass(frozen=True)
class Table(Drive):
    """Values at given times, linear between them and constant before the first and after the last.

    What lies between two rows of a run (`save_every`) may be stepped over.
    The corners cost an adaptive integrator a few rejected steps each; a finely sampled smooth curve costs nothing.

    Args:
        times: Increasing times in fs, at least two.
        values: A value for each time, all of one shape.

    Raises:
        ValueError: One line for each argument that is not of this kind.
    """

    times: Any
    values: Any
    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        problems = Problems("Table")
        allowed = f"at least 2 increasing finite times, {SHORTEST:g} fs apart or more"
        times = problems.array("times", self.times, (None,), allowed)
        if times is not None:
            increasing = times.size >= 2 and bool(np.all(np.diff(times) >= SHORTEST))
            problems.check(increasing, "times", self.times, allowed)
        values = _array(problems, "values", self.values)
        if times is not None and values is not None:
            fits = values.ndim > 0 and len(values) == len(times)
            problems.check(fits, "values", f"shape {values.shape}", f"one for each of the {times.size} times")
        problems.raise_all()
        assert times is not None and values is not None
        _freeze(self, times=times, values=values)
        slopes = np.diff(values, axis=0) / np.diff(times).reshape(-1, *[1] * (values.ndim - 1))
        _cache(self, times, values, slopes)

    def __call__(self, time: float) -> Any:
        times, values, slopes = self._arrays  # type: ignore[attr-defined]
        k = int(np.searchsorted(times, time, side="right")) - 1
        if k < 0:
            return values[0]
        return values[-1] if k >= len(slopes) else values[k] + (time - times[k]) * slopes[k]

    def rate(self, time: float) -> Any:
        times, values, slopes = self._arrays  # type: ignore[attr-defined]
        k = int(np.searchsorted(times, time, side="right")) - 1
        return slopes[k] if 0 <= k < len(slopes) else np.zeros_like(values[0])


KINDS: dict[str, Callable[..., Drive]] = {"ramp": Ramp, "sine": Sine, "pulse": Pulse, "table": Table}


def _array(problems: Problems, field: str, value: Any) -> np.ndarray | None:
    """`value` as a finite float array of any shape; None after a problem."""
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        problems.add(field, value, VALUE)
        return None
    inside = np.isfinite(array).all() and np.abs(array).max(initial=0.0) <= LARGEST
    return array if problems.check(bool(inside), field, value, VALUE) else None


def _values(problems: Problems, drive: Drive, *fields: str) -> list[Any]:
    """The fields as arrays that broadcast to the shape of the first one."""
    arrays = [_array(problems, field, getattr(drive, field)) for field in fields]
    for field, array in zip(fields, arrays, strict=True):
        if array is not None and arrays[0] is not None and array.shape not in ((), arrays[0].shape):
            problems.add(field, f"shape {array.shape}", f"a number, or shape {arrays[0].shape} as of {fields[0]}")
    return arrays


def _freeze(drive: Drive, **arrays: np.ndarray) -> None:
    """Keep arrays as floats and nested tuples: equal descriptions compare and hash equal."""
    for field, array in arrays.items():
        object.__setattr__(drive, field, _tuples(array.tolist()))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _cache(drive: Drive, *arrays: Any) -> None:
    """The same numbers as arrays, for fast calls; no part of the comparison. A number stays a Python float."""
    kept = tuple(float(a) if np.ndim(a) == 0 else np.asarray(a) for a in arrays)
    object.__setattr__(drive, "_arrays", kept)
