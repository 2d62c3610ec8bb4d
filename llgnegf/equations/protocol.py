"""What integrators and runs ask of an equation of motion, whatever moves.

Three equations answer: full electrons with prescribed or free moments (`electrons`), slow electrons (`slow`), and
moments alone (`moments`). A state is one contiguous float64 vector.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from llgnegf._threads import Team
from llgnegf.problem.drives import Drive


class Section(NamedTuple):
    """A part of the state, [start, stop), whose largest error counts by itself and by which a failure is reported."""

    name: str
    start: int
    stop: int


NO_WEIGHTS = np.zeros((1, 0))
"""Of one stage that is the right-hand side itself."""


class Stages(Protocol):
    """The stages of a Runge-Kutta step in one call."""

    def __call__(
        self, start: np.ndarray, length: float, weights: np.ndarray, times: np.ndarray, slopes: np.ndarray, first: int
    ) -> None:
        """slopes[first + k] = f(times[k], start + length sum_j weights[k, j] slopes[j]), j < first + k.

        Shapes: start (n,), weights (S, J), times (S,), slopes (J', n).
        """


class Equation(Protocol):
    """dy/dt = f(t, y) in the equation's own unit of time.

    Attributes:
        size: Numbers in the state.
        sections: All parts of the state one after another.
        time_unit: fs in a unit of its time (hbar/eV of electrons: HBAR).
        evaluations: Right-hand sides so far.
        team: The threads that share it and the arithmetic of its steps; None: one does all.
    """

    size: int
    sections: tuple[Section, ...]
    time_unit: float
    evaluations: int
    team: Team | None = None

    def __call__(self, time: float, state: np.ndarray, derivative: np.ndarray) -> None:
        """Write dy/dt at `time` into `derivative`."""

    def stages(self) -> Stages | None:
        """What computes the stages of a step in one call; None: they are computed one by one."""
        return None

    def drives(self) -> tuple[Drive, ...]:
        """All that changes in time by itself."""

    def project(self, state: np.ndarray) -> None:
        """Restore in place the constraint |M| = 1 of an accepted state."""

    def jump(self, before: float, after: float, state: np.ndarray) -> None:
        """Add to `state` what it gains where a drive jumps from its value at `before` to that at `after`: nothing."""
        return

    def fastest_rates(self, implicit: bool = False) -> tuple[float, float]:
        """Bounds on |rate| of all that turns and of all that is damped, per unit of time: what an explicit step must
        follow (with `implicit` the stiff rates need not be followed). 0 where a step follows whatever it needs."""
        return 0.0, 0.0

    def stiff_rates(self) -> np.ndarray:
        """Decay rates that an implicit method may take over, one for each number of the state; 0 for the others."""
        return np.zeros(self.size)

    def error_scale(self) -> np.ndarray | None:
        """What the error of each number of the state counts in the step control; None: all count whole."""
        return None
