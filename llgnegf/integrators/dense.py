"""Rows at any time: a linear map of the state, interpolated between the steps of an integration.

The steps do not know of the rows, so saving costs no steps and changes no result. At every node t_i, an end of a step,
the mapped state y_i and its derivative f_i are kept; the polynomial through the last four of both is

    y(t) = sum_i l_i(t)^2 { [1 - 2 l_i'(t_i) (t - t_i)] y_i + (t - t_i) f_i },    l_i(t) = prod_j (t - t_j)/(t_i - t_j)

(Hermite; J. Stoer, R. Bulirsch, Introduction to Numerical Analysis, section 2.1.5), of order 8 in the step. It keeps
every linear invariant (charge and spin with what has flowed out) to round-off. Its error is estimated by the distance
from the polynomial through the last three nodes. Where that is too large, as it is while fast transients ring, the row
is that of the method inside its last step (`Integration.inside`), at the cost of a few more right-hand sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from llgnegf.integrators.integration import Integration
from llgnegf.integrators.kernels import hermite
from llgnegf.integrators.stepper import Sample

NODES = 4
FEWEST = 3
"""Nodes of the interpolant, and the fewest with which it is tried."""


class DenseRows:
    """Steps an integration and gives a linear map of its state at rising times.

    Args:
        integration: The integration; with a fixed step its steps end on the times asked for.
        sample: The linear map, state -> vector; its result is copied.
        tolerance: Largest estimated error of an interpolated vector, (size,) or one for all its numbers; None: rows are
            those of the method inside its steps, all of them.
        end: The last time that will be asked for: the integration ends there, and asks for no drive beyond.
    """

    def __init__(
        self, integration: Integration, sample: Sample, tolerance: float | np.ndarray | None, end: float = np.inf
    ) -> None:
        self.integration, self.sample, self.tolerance, self.end = integration, sample, tolerance, end
        self._times = np.full(NODES, np.nan)
        self._values = np.zeros((NODES, 2, sample(integration.state).size))
        self._count = 0

    def at(self, time: float, between_steps: Callable[[float], None] = lambda time: None) -> np.ndarray:
        """The sample at `time`, not before the last node but one; raises IntegrationStopped as the integration does.

        `between_steps` is called with the time reached after each step that ends before `time`; a checkpoint made
        there is as good as one made between two calls of this method.
        """
        integration = self.integration
        keep_nodes = integration.adaptive and self.tolerance is not None
        while integration.time < time:
            if integration.cross():
                self._count = 0  # a polynomial through nodes on both sides of a discontinuity is none
            if keep_nodes and self._count == 0:
                self._add_node()
            integration.step_towards(self.end if integration.adaptive else time)
            if keep_nodes:
                self._add_node()
            if integration.time < time:
                between_steps(integration.time)
        if time == integration.time or not integration.adaptive:
            return np.array(self.sample(integration.state))
        value = self._interpolated(time)
        return integration.inside(time, self.sample) if value is None else value

    def state_at(self, time: float) -> np.ndarray:
        """The whole state at the time last asked for, a copy; with a fixed step the present one."""
        if time == self.integration.time or not self.integration.adaptive:
            return self.integration.state.copy()
        state = self.integration.inside(time, np.copy, keep=False)
        self.integration.stepper.equation.project(state)
        return state

    def checkpoint(self) -> dict[str, Any]:
        """As `Integration.checkpoint`, and the nodes."""
        nodes = {"node_times": self._times, "node_values": self._values, "node_count": self._count}
        return {**self.integration.checkpoint(), **nodes}

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave."""
        self.integration.restore(checkpoint)
        self._times = np.array(checkpoint["node_times"])
        self._values = np.array(checkpoint["node_values"])
        self._count = int(checkpoint["node_count"])

    def _add_node(self) -> None:
        self._times[:-1], self._values[:-1] = self._times[1:], self._values[1:].copy()
        self._times[-1] = self.integration.time
        self._values[-1] = self.sample(self.integration.state), self.sample(self.integration.derivative())
        self._count = min(self._count + 1, NODES)

    def _interpolated(self, time: float) -> np.ndarray | None:
        """The interpolant at `time`; None if its error is not known to be small."""
        if self._count < FEWEST:
            return None
        first = NODES - self._count
        best = self._polynomial(time, first)
        good = np.abs(best - self._polynomial(time, first + 1)) <= self.tolerance
        return best if good.all() else None

    def _polynomial(self, time: float, first: int) -> np.ndarray:
        """The Hermite polynomial through the nodes from the one numbered `first`, at `time`."""
        value = self._values[-1, 0].copy()
        hermite(self._times[first:], self._values[first:], time, value)
        return value
