"""Drives: all that may change in time (voltages, fields, torques, prescribed moments) in one protocol.

Every object that may change in time gives its drives by `drives()`; `integrators.schedule` makes of them where the
steps of a run have to end and how long they may be. Drives that are a few numbers are in `waveforms` and `carriers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from llgnegf._checks import Problems
from llgnegf._readable import Readable

SHORTEST = 1e-6
"""fs: what happens faster is a jump for every device, and steps that resolve it come to no end."""
SPACING = 1e-4
"""Time (fs) between the values behind a rate that is not given."""


class Drive(Readable):
    """Function of time, and what a run has to know of it; what all drives have in common.

    A class of your own inherits it and gives `__call__`, and what else is known. Runs step to `discontinuities`, never
    through them, and what is on the other side is the value there: on both sides the function must be smooth. Between
    them no step is longer than `longest_step_from` its beginning.

    See Also
    --------
    TimeFunction : Makes one of a function of your own.

    Examples
    --------
    >>> class Step(ln.Drive):
    ...     longest_step = np.inf  # the discontinuity is all that happens
    ...     discontinuities = (3.0,)
    ...     def __call__(self, time):
    ...         return 0.0 if time < 3.0 else 0.2
    >>> lead = ln.ChainLead(0, voltage=Step())
    >>> lead.voltage_at(3.0)
    0.2
    """

    kind: ClassVar[str]

    @property
    def longest_step(self) -> float | None:
        """A time step (fs) that cannot miss it wherever it is; None where that is not known."""
        return None

    def longest_step_from(self, time: float) -> float | None:
        """The same for a step that begins at `time` (fs) and ends before the next discontinuity."""
        return self.longest_step

    @property
    def discontinuities(self) -> Sequence[float]:
        """Instants (fs) at which the function or one of its derivatives jumps."""
        return ()

    def __call__(self, time: float) -> Any:
        """The value at `time` (fs): a float, or an array of the shape of the values given."""
        raise NotImplementedError

    @property
    def largest(self) -> float:
        """Largest magnitude that it takes, as far as that is known: of a function of one's own that at t = 0."""
        return largest(self(0.0))

    def rate(self, time: float) -> Any:
        """The derivative at `time` (fs), per fs: unless given, that of the parabola through three values on this side
        of all discontinuities (error 3e-9 fs^2 of the third derivative)."""
        jumps = np.asarray([0.0, *self.discontinuities])
        begin = jumps[jumps <= time].max(initial=-np.inf)
        end = jumps[jumps > time].min(initial=np.inf)
        h = min(SPACING, 0.4 * (end - begin))
        middle = min(max(time, begin + 1.01 * h), end - 1.01 * h)
        left, value, right = (np.asarray(self(middle + k * h), dtype=float) for k in (-1, 0, 1))
        return (right - left) / (2 * h) + (time - middle) * (right - 2 * value + left) / h**2


@dataclass(frozen=True, eq=False)
class TimeFunction(Drive):
    """Function of time of your own, with what is known of it.

    A bare function is one of which nothing is known: steps are no longer than `save_every` then.

    Parameters
    ----------
    function : callable
        Time in fs -> value: a number or an array.
    longest_step : float, optional
        A time step in fs that cannot miss what it does, >= 1e-6 (`inf`: the discontinuities are enough); None where it
        is not known: then no step is longer than `save_every`.
    discontinuities : list of float, default ()
        Instants in fs at which it or one of its derivatives jumps; what it is at these instants themselves is of no
        account.
    derivative : callable, optional
        Its derivative per fs, a function of time too; None takes differences of values (see `Drive.rate`).

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    >>> kick = ln.TimeFunction(lambda t: 0.1 * np.exp(-t / 20.0), longest_step=5.0)
    >>> print(kick(0.0), f"{kick.rate(0.0):.5f}")
    0.1 -0.00500
    """

    function: Callable[[float], Any]
    longest_step: float | None = None
    discontinuities: Sequence[float] = ()
    derivative: Callable[[float], Any] | None = None

    def __post_init__(self) -> None:
        problems = Problems("TimeFunction")
        problems.check(callable(self.function), "function", self.function, "a function of time in fs")
        if self.longest_step is not None and self.longest_step != np.inf:
            allowed = f"a number >= {SHORTEST:g}, in fs, inf or None"
            problems.number("longest_step", self.longest_step, allowed, lambda h: h >= SHORTEST)
        jumps = problems.array("discontinuities", self.discontinuities, (None,), "a list of finite times in fs")
        given = self.derivative is None or callable(self.derivative)
        problems.check(given, "derivative", self.derivative, "a function of time in fs, or None")
        problems.raise_all()
        assert jumps is not None
        object.__setattr__(self, "discontinuities", tuple(jumps.tolist()))

    def __call__(self, time: float) -> Any:
        return self.function(time)

    def rate(self, time: float) -> Any:
        return super().rate(time) if self.derivative is None else self.derivative(time)


def unknown_drives(owner: Any) -> tuple[Drive, ...]:
    """Those among the attributes of an object that says nothing of its drives, and one of which nothing is known."""
    return TimeFunction(lambda t: None), *(value for value in vars(owner).values() if isinstance(value, Drive))


def drives_of(*values: Any) -> tuple[Drive, ...]:
    """Those of `values` that are functions of time, as drives."""
    return tuple(v if isinstance(v, Drive) else TimeFunction(v) for v in values if callable(v))


def largest(values: Any) -> float:
    """Largest magnitude of a number or an array, or that a drive takes; 0 for nothing."""
    if callable(values):
        return drives_of(values)[0].largest
    return float(np.abs(np.asarray(values)).max(initial=0.0))
