"""Drives that are a few numbers: ramps, sines, Gaussian pulses and tables.

Frozen descriptions that are called with the time in fs, so that a run stays one readable file. The protocol is in
`drives`, light pulses and sweeps in `carriers`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from llgnegf._checks import LARGEST, Problems
from llgnegf.problem.arguments import NUMBER, Argument, Femtoseconds, Numbers, V, declared
from llgnegf.problem.drives import SHORTEST, Drive, largest

VALUE = f"finite: a number or an array of numbers, of magnitude up to {LARGEST:g}"
REACH = float(np.sqrt(2 * np.log(1e16)))
"""Widths from its center (8.58) at which a Gaussian has fallen to 1e-16 of its height."""

Value = Annotated[Any, Argument(V, "like a constant in its place")]
"""A number, or nested tuples of numbers: one for each component, or one row for each site."""
ShapedLike = Argument(
    float | Numbers | tuple[Numbers, ...], "finite, a number or of the amplitude's shape"
)
Offset = Annotated[Any, replace(ShapedLike, implied=True)]
Phase = Annotated[Any, replace(ShapedLike, unit="rad")]
Start = Annotated[float, Argument(float, f"{NUMBER} >= 0", "fs", ok=lambda t: t >= 0)]
Span = Annotated[float, Argument(float, f"{NUMBER} >= {SHORTEST:g}", "fs", ok=lambda t: t >= SHORTEST)]
Times = Annotated[Any, Argument(Numbers, f"a list of at least 2 increasing finite times, {SHORTEST:g} fs apart", "fs")]
Values = Annotated[Any, Argument(tuple[V, ...], "a list with a value for each time, each like a constant one")]


class Described(Drive):
    """A drive that is a few numbers: equal descriptions compare and hash equal."""

    _arrays: tuple[Any, ...]
    """The numbers for fast calls, no part of the comparison; a number stays a Python float."""

    def __post_init__(self) -> None:
        problems, arrays = Problems(type(self).__name__), dict[str, Any]()
        for one in declared(type(self)):
            value = getattr(self, one.name)
            if one.argument.form is float:
                one.argument.note(problems, one.name, value)
            else:
                arrays[one.name] = _array(problems, one.name, value)
        if not any(array is None for array in arrays.values()):
            self._check_shapes(problems, arrays)
        problems.raise_all()
        for name, array in arrays.items():
            object.__setattr__(self, name, _tuples(array.tolist()))
        kept = tuple(float(a) if a.ndim == 0 else a for a in arrays.values())
        object.__setattr__(self, "_arrays", kept)

    def _check_shapes(self, problems: Problems, arrays: dict[str, Any]) -> None:
        """All broadcast to the shape of the first one."""
        (first, shape), *others = ((name, array.shape) for name, array in arrays.items())
        for name, own in others:
            allowed = f"a number, or shape {shape} as of {first}"
            problems.check(own in ((), shape), name, f"shape {own}", allowed)


@dataclass(frozen=True)
class Ramp(Described):
    """Smooth switch from one value to another, with zero slope at both ends.

    Parameters
    ----------
    initial : float or array_like
        The value before it.
    final : float or array_like
        The value after it, of the same shape.
    start : float
        Beginning of the switch in fs, >= 0.
    duration : float
        Its length in fs, >= 1e-6.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    ::

        v(t) = initial + (final - initial) [1 - cos(pi s)]/2,    s = (t - start)/duration between 0 and 1

    Examples
    --------
    >>> voltage = ln.Ramp(0.0, 0.2, start=10.0, duration=20.0)  # 0 to 0.2 eV from 10 to 30 fs
    >>> print(*(f"{voltage(t):.2f}" for t in (10.0, 20.0, 30.0)))
    0.00 0.10 0.20
    >>> ln.Zeeman(ln.Ramp([0, 0, 0], [0, 0, 50.0], start=0.0, duration=5.0)).B(5.0)  # a field in tesla
    array([ 0.,  0., 50.])
    """

    initial: Value
    final: Value
    start: Start
    duration: Span
    kind: ClassVar[str] = "ramp"

    def __post_init__(self) -> None:
        super().__post_init__()
        initial, final = self._arrays
        object.__setattr__(self, "_arrays", (initial, final - initial))

    @property
    def longest_step(self) -> float:
        return self.duration

    def longest_step_from(self, time: float) -> float:
        begin, end = self.discontinuities
        return self.duration if begin <= time < end else np.inf

    @property
    def discontinuities(self) -> tuple[float, float]:
        """Beginning and end of the switch, where the curvature jumps."""
        return self.start, self.start + self.duration

    @property
    def largest(self) -> float:
        return max(largest(self.initial), largest(self.final))

    def __call__(self, time: float) -> Any:
        initial, change = self._arrays
        s = min(max((time - self.start) / self.duration, 0.0), 1.0)
        return initial + 0.5 * (1 - np.cos(np.pi * s)) * change

    def rate(self, time: float) -> Any:
        s = min(max((time - self.start) / self.duration, 0.0), 1.0)
        return (0.5 * np.pi / self.duration * np.sin(np.pi * s) if s < 1 else 0.0) * self._arrays[1]


@dataclass(frozen=True)
class Sine(Described):
    """Oscillation, a number or an array with a phase for each component.

    Parameters
    ----------
    amplitude : float or array_like
        The amplitude.
    period : float
        In fs, >= 1e-6.
    phase : float or array_like, default 0.0
        In rad, a number or an array of the amplitude's shape (a rotating field has amplitude (B, B, 0) and phase
        (pi/2, 0, 0)).
    offset : float or array_like, default 0.0
        A number, or of the amplitude's shape.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    ::

        v(t) = offset + amplitude sin(2 pi t/period + phase)

    Examples
    --------
    >>> rotating = ln.Sine([1.0, 1.0, 0.0], period=100.0, phase=[np.pi / 2, 0.0, 0.0])
    >>> rotating(25.0).round(6) + 0.0
    array([0., 1., 0.])
    """

    amplitude: Value
    period: Span
    phase: Phase = 0.0
    offset: Offset = 0.0
    kind: ClassVar[str] = "sine"

    @property
    def longest_step(self) -> float:
        return 0.25 * self.period

    @property
    def largest(self) -> float:
        return largest(np.abs(self.offset) + np.abs(self.amplitude))

    def __call__(self, time: float) -> Any:
        amplitude, phase, offset = self._arrays
        return offset + amplitude * np.sin(2 * np.pi * time / self.period + phase)

    def rate(self, time: float) -> Any:
        amplitude, phase, _ = self._arrays
        w = 2 * np.pi / self.period
        return w * amplitude * np.cos(w * time + phase)


class Enveloped(Described):
    """Something under a Gaussian envelope, exactly over beyond REACH widths from its center."""

    center: float
    width: float

    def longest_step_from(self, time: float) -> float | None:
        return self.longest_step if self.is_on(time) else np.inf

    @property
    def discontinuities(self) -> tuple[float, float]:
        """Where it begins and where it ends."""
        return self.center - REACH * self.width, self.center + REACH * self.width

    def is_on(self, time: float) -> bool:
        """Whether `time` (fs) is within the envelope."""
        begin, end = self.discontinuities
        return begin <= time < end


@dataclass(frozen=True)
class Pulse(Enveloped):
    """Gaussian, exactly the offset beyond 8.58 widths from its center.

    There it has fallen to 1e-16 of the amplitude: a pulse with center >= 8.6 widths begins at exactly its offset.

    Parameters
    ----------
    amplitude : float or array_like
        Height above the offset.
    center : float
        Time of the maximum in fs.
    width : float
        Standard deviation in fs, >= 1e-6.
    offset : float or array_like, default 0.0
        A number, or of the amplitude's shape.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    ::

        v(t) = offset + amplitude exp[-(t - center)^2/(2 width^2)]

    Examples
    --------
    >>> pulse = ln.Pulse(0.1, center=20.0, width=2.0)
    >>> print(pulse(0.0), pulse(20.0))
    0.0 0.1
    """

    amplitude: Value
    center: Femtoseconds
    width: Span
    offset: Offset = 0.0
    kind: ClassVar[str] = "pulse"

    @property
    def longest_step(self) -> float:
        return self.width

    @property
    def largest(self) -> float:
        return max(largest(self.offset), largest(self(self.center)))

    def __call__(self, time: float) -> Any:
        amplitude, offset = self._arrays
        height = np.exp(-0.5 * ((time - self.center) / self.width) ** 2) if self.is_on(time) else 0.0
        return offset + amplitude * height

    def rate(self, time: float) -> Any:
        amplitude, _ = self._arrays
        x = (time - self.center) / self.width
        return -x / self.width * amplitude * np.exp(-0.5 * x**2) if self.is_on(time) else 0.0 * amplitude


@dataclass(frozen=True)
class Table(Described):
    """Values at given times, linear between them and constant before the first and after the last.

    Runs step from corner to corner: what is tabulated is met exactly, narrow spikes included. A run makes at least one
    step for each corner, so do not sample a curve more finely than it needs.

    Parameters
    ----------
    times : array_like, (n,)
        Increasing times in fs, at least two, >= 1e-6 apart.
    values : array_like, (n, ...)
        A value for each time, all of one shape.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    >>> measured = ln.Table([0.0, 10.0, 30.0], [0.0, 0.2, 0.1])
    >>> print(measured(5.0), measured(100.0), measured.discontinuities)
    0.1 0.1 (0.0, 10.0, 30.0)
    """

    times: Times
    values: Values
    kind: ClassVar[str] = "table"
    _slopes: ClassVar[np.ndarray]
    _corners: ClassVar[tuple[float, ...]]

    def __post_init__(self) -> None:
        super().__post_init__()
        times, values = self._arrays
        slopes = np.diff(values, axis=0) / np.diff(times).reshape(-1, *[1] * (values.ndim - 1))
        object.__setattr__(self, "_slopes", slopes)
        object.__setattr__(self, "_corners", _corners(times, slopes))

    def _check_shapes(self, problems: Problems, arrays: dict[str, Any]) -> None:
        times, values = arrays["times"], arrays["values"]
        increasing = times.ndim == 1 and times.size >= 2 and bool(np.all(np.diff(times) >= SHORTEST))
        allowed = f"at least 2 increasing finite times, {SHORTEST:g} fs apart or more"
        problems.check(increasing, "times", self.times, allowed)
        fits = values.shape[:1] == times.shape
        problems.check(fits, "values", f"shape {values.shape}", f"one for each of the {times.size} times")

    @property
    def longest_step(self) -> float:
        return np.inf

    @property
    def discontinuities(self) -> tuple[float, ...]:
        """The times of its corners."""
        return self._corners

    @property
    def largest(self) -> float:
        return largest(self.values)

    def _piece(self, time: float) -> int:
        return int(np.searchsorted(self._arrays[0], time, side="right")) - 1

    def __call__(self, time: float) -> Any:
        (times, values), slopes = self._arrays, self._slopes
        k = self._piece(time)
        if k < 0:
            return values[0]
        return values[-1] if k >= len(slopes) else values[k] + (time - times[k]) * slopes[k]

    def rate(self, time: float) -> Any:
        k, slopes = self._piece(time), self._slopes
        return slopes[k] if 0 <= k < len(slopes) else np.zeros_like(slopes[0])


def _corners(times: np.ndarray, slopes: np.ndarray) -> tuple[float, ...]:
    """The times at which the slope changes by more than round-off."""
    slopes = slopes.reshape(len(slopes), -1)
    around = np.concatenate([np.zeros_like(slopes[:1]), slopes, np.zeros_like(slopes[:1])])
    change = np.abs(np.diff(around, axis=0)).max(axis=1)
    return tuple(times[change > 1e-12 * np.abs(slopes).max()].tolist())


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


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
