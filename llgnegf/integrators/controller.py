"""How long steps are: from the error of the last one, its tolerance, and the bounds of stability.

One for all runs; a fixed step is a controller without a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llgnegf.integrators.schedule import count_of_steps

SAFETY = 0.9
SMALLEST_FACTOR, LARGEST_FACTOR = 0.2, 5.0
NEAR = 4.0
"""Steps before a target that are made equal, so that no sliver is left over."""


@dataclass
class Controller:
    """The length of the next step.

    Attributes:
        step: The fixed step, or the next one of an adaptive run.
        tolerance: Largest local error of an accepted step; None for a fixed step.
        order: Power of the step in the estimate of the local error.
        per_time: Whether the tolerance is that of a step of unit length or longer, so that many small steps do not add
            up to more: shorter ones have their share of it. Where a voltage jumps the error is proportional to the
            step, and no step would do: from a hundredth on the share stays the same. Else each step has it whole.
        largest: Bound on an adaptive step, e.g. the stability limit of the method: a controller that finds the limit
            by itself does so by letting errors grow up to the tolerance.

    Raises:
        ValueError: For a step that is not positive.
    """

    step: float
    tolerance: float | None = None
    order: int = 1
    per_time: bool = True
    largest: float = np.inf

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise ValueError(f"step: {self.step}; allowed: a number > 0")
        if self.adaptive:
            self.step = min(self.step, self.largest)

    @property
    def adaptive(self) -> bool:
        """Whether steps are as long as their errors allow."""
        return self.tolerance is not None

    def choose(self, remaining: float, allowed: float) -> tuple[float, int]:
        """The step to try, no longer than `allowed`, and the number of such steps left to a target (0: many)."""
        longest = min(self.step, allowed)
        if self.adaptive and remaining > NEAR * longest:
            return longest, 0
        count = count_of_steps(remaining, longest)
        return remaining / count, count

    def may_err(self, step: float) -> float:
        """Local error that a step may have; 0 for a fixed one, of which nothing is asked."""
        if self.tolerance is None:
            return 0.0
        return self.tolerance * (min(1.0, max(step, 0.01)) if self.per_time else 1.0)

    def judge(self, step: float, local: float) -> float:
        """The local error in units of what the step may have, by which the next step is chosen; accepted up to 1."""
        if self.tolerance is None or np.isnan(local):
            return local
        error = local / self.may_err(step)
        factor = SAFETY * min(max(error, 1e-12), 1e300) ** (-1 / self.order)
        proposal = step * min(LARGEST_FACTOR, max(SMALLEST_FACTOR, factor))
        # A step cut short for a target says nothing against a longer one.
        wanted = max(self.step, proposal) if step < self.step and error <= 1.0 else proposal
        self.step = min(wanted, self.largest)
        return error

    def close_in(self, step: float) -> None:
        """Shorten a step that ran into NaN."""
        self.step = SMALLEST_FACTOR * step
