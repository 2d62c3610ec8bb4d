"""Run: electrons and moments carried on row by row, stopped, stored and continued with identical bits.

The one loop of full, slow and classical runs; what differs is set up by `simulation` and `slow_simulation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from inspect import Parameter, Signature, signature
from typing import Any, Self

import numpy as np

from llgnegf._blas import one_thread_if_small
from llgnegf._readable import Readable
from llgnegf.equations.protocol import Equation
from llgnegf.integrators.dense import DenseRows
from llgnegf.integrators.integration import Integration
from llgnegf.integrators.schedule import Schedule
from llgnegf.integrators.stepper import Sample
from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.plausibility import doubts_of_options, doubts_together, warn
from llgnegf.problem.system import OpenSystem
from llgnegf.run.options import RunOptions, tell
from llgnegf.run.recorder import Recorder, Rows
from llgnegf.run.result import ErrorEstimate, Variable


class Run(Readable):
    """What all runs share; made by `Simulation` and `SlowSimulation`.

    Attributes:
        system, motion, options, rtol: As given.
        times: Save times in fs.
        row: Number of rows so far.
        between_steps: Called within `rows` with the time reached (fs) after each step that ends before a row; a
            checkpoint made there is as good as one made between rows.
        poles: The expansion of leads and Fermi function; None where nothing is expanded.
        equation: The equation of motion.
    """

    equation: Equation
    slow = False
    """Whether it is a run of slow moments."""
    blas = staticmethod(one_thread_if_small)
    """How many threads BLAS has in what is done with a system."""

    def __init_subclass__(cls, moments: str, without: tuple[str, ...]) -> None:
        """Arguments are the system, `moments`, and by name the options of `RunOptions` but those that mean nothing."""
        first = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("system", moments)]
        options = [p for name, p in signature(RunOptions).parameters.items() if name not in without]
        cls._signature = Signature([*first, *(p.replace(annotation=p.empty) for p in options)])
        tell(cls, [p.name for p in options])
        super().__init_subclass__()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        given = signature(type(self)).bind(*arguments, **options).arguments
        system, motion = (given.pop(name) for name in list(given)[:2])
        with self.blas(system):
            checked = RunOptions.checked(system, motion, slow=self.slow, **given)
            warn(doubts_together(system, motion) + doubts_of_options(given))
        self._begin(system, motion, checked)

    @classmethod
    def of(cls, system: OpenSystem | None, motion: Any, options: RunOptions) -> Self:
        """The run of options that are known to fit system and motion, and whose doubts have been told.

        Parameters
        ----------
        system : OpenSystem or None
            Electrons and leads.
        motion : object
            Moments.
        options : RunOptions
            Checked.

        Returns
        -------
        Run
            At t = 0.
        """
        run = cls.__new__(cls)
        run._begin(system, motion, options)
        return run

    def _begin(self, system: OpenSystem | None, motion: Any, options: RunOptions) -> None:
        self.system, self.motion, self.options, self.rtol = system, motion, options, options.rtol
        self.times, self.row = options.times, 0
        self.between_steps: Callable[[float], None] = lambda time: None
        self.poles: PoleSystem | None = None
        self._memory = 0.0
        with self.blas(system):
            integration, sample, tolerance, rows = self._set_up(options)
        self._recorder = Recorder(rows, options.observables)
        self._dense = DenseRows(integration, sample, tolerance, float(self.times[-1]) / self.equation.time_unit)

    def _set_up(self, options: RunOptions) -> tuple[Integration, Sample, np.ndarray | None, Rows]:
        """Set `poles` and `equation`; an integration at t = 0, what rows need of its state, what that may err by
        interpolation (None: see `DenseRows`), and what makes rows of it."""
        raise NotImplementedError

    def _schedule(self) -> Schedule:
        return Schedule(self.equation.drives(), self.options.save_every, self.equation.time_unit)

    @property
    def variables(self) -> dict[str, Variable]:
        """The columns of a row."""
        return self._recorder.variables

    @property
    def coordinates(self) -> dict[str, list[Any]]:
        """Labels of the dims that they have, site, component, lead, bond, and the places x, y, z of the sites."""
        return self._recorder.coordinates

    @property
    def state(self) -> np.ndarray:
        """The state vector at the last row, a copy: see `equations.layout`; of slow moments (3N,), copies in turn."""
        evaluations = self.equation.evaluations
        state = self._dense.state_at(float(self.times[max(self.row - 1, 0)]) / self.equation.time_unit)
        self.equation.evaluations = evaluations  # looking at a run is no part of it
        return state

    @property
    def density_matrix(self) -> np.ndarray | None:
        """rho at the last row, (2N, 2N); None without electrons, and for slow ones, of whom only spins are followed."""
        return None

    @property
    def statistics(self) -> dict[str, float]:
        """Right-hand sides and steps so far, memory as estimated (`run.memory`), sizes of the expansions."""
        progress = self._dense.integration.progress
        return {
            "right_hand_sides": self.equation.evaluations, "accepted_steps": progress.accepted,
            "rejected_steps": progress.rejected, "memory_MB": round(self._memory / 1e6, 2), **self._sizes(),
        }  # fmt: skip

    def _sizes(self) -> dict[str, float]:
        return {"fermi_poles": 0 if self.poles is None or self.poles.fermi is None else self.poles.fermi.eta.size}

    def advance_to(self, row: int) -> np.ndarray:
        """Advance to a save time, without making its row.

        Parameters
        ----------
        row : int
            Number of the save time, not before the last one.

        Returns
        -------
        ndarray
            What rows are made of there.
        """
        unit = self.equation.time_unit
        return self._dense.at(float(self.times[row]) / unit, lambda time: self.between_steps(time * unit))

    def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Advance to each save time in turn.

        Yields
        ------
        tuple of int and dict of str to ndarray
            The row's number, and its columns without the dim time.

        Raises
        ------
        IntegrationStopped
            On NaN, a step below round-off, or a density matrix that is none any more, with time, quantity and cause.
        ValueError
            Of a `Simulation` whose moments are `External`.
        """
        while self.row < self.times.size:
            with self.blas(self.system):
                columns = self._recorder.row(float(self.times[self.row]), self.advance_to(self.row))
            self._check_state()
            self.row += 1
            yield self.row - 1, columns

    def _check_state(self) -> None:
        """Raise IntegrationStopped if the state cannot be one."""

    def checkpoint(self, copy: bool = True) -> dict[str, Any]:
        """Everything that a later `restore` needs to go on with the same bits.

        Parameters
        ----------
        copy : bool, default True
            Whether arrays are copied: those of a large state need not be where they are written down before the run
            goes on.

        Returns
        -------
        dict
            Arrays and numbers by name.
        """
        kept = {"row": self.row, "evaluations": self.equation.evaluations, **self._dense.checkpoint()}
        return {name: value.copy() if copy and isinstance(value, np.ndarray) else value for name, value in kept.items()}

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave in a run of the same problem.

        Parameters
        ----------
        checkpoint : mapping
            As `checkpoint` returned it.

        Raises
        ------
        ValueError
            If the checkpoint is of another problem (its state has another size).
        """
        size, own = np.size(checkpoint["state"]), self._dense.integration.state.size
        if size != own:
            raise ValueError(f"checkpoint.state: {size} numbers; allowed: {own} as in this problem")
        self.row = int(checkpoint["row"])
        self._dense.restore(checkpoint)
        self.equation.evaluations = int(checkpoint["evaluations"])

    @cached_property
    def _expansion_errors(self) -> dict[str, ErrorEstimate]:
        raise NotImplementedError

    def error_budget(self) -> dict[str, ErrorEstimate]:
        """Expansions and time step, each a number with what it bounds.

        Returns
        -------
        dict of str to ErrorEstimate
            As `Result.errors`.
        """
        integration = self._dense.integration
        step = ErrorEstimate(float("nan"), "not estimated with a fixed step; repeat with half the step")
        if integration.adaptive:
            step = ErrorEstimate(
                integration.progress.error_sum,
                "sum of the local error estimates of all steps: error of any density-matrix element or moment "
                "component, as long as deviations do not grow",
            )
        with self.blas(self.system):
            return {**self._expansion_errors, "time_step": step}
