"""SlowSimulation: a run of slow moments that can be advanced row by row, stored and continued with identical bits.

The counterpart of `llgnegf.Simulation` without the electrons' memory: same rows, columns and checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._blas import limited, one_thread_if_small
from llgnegf.equations.slow import SlowEquation
from llgnegf.integrators.schedule import Schedule
from llgnegf.poles.channels import PoleSystem, expand
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.plausibility import doubts_of_options, doubts_together, warn
from llgnegf.problem.system import OpenSystem
from llgnegf.run.error_budget import equilibrium_estimate, fermi_estimate
from llgnegf.run.langevin import Langevin
from llgnegf.run.options import RESPONSES, check_slow_run, save_times
from llgnegf.run.result import ErrorEstimate, Variable
from llgnegf.run.slow_integration import Adaptive, FixedStep
from llgnegf.run.slow_recorder import SlowRecorder
from llgnegf.static.tensors import ContourTensors, LevelTensors, PoleTensors, SlowElectrons

COUPLING_SHARE, FERMI_SHARE, STEPS_SHARE, SURFACE_SHARE = 1.0, 0.01, 0.3, 0.1
"""Shares of rtol, as in a full run: lead kernels, Fermi function, all steps' errors; and the Fermi-surface sums."""


class SlowSimulation:
    """Moments with electrons that follow at first order in the velocities, with or without thermal noise.

    This is electrons = "adiabatic" of `simulate`: by the default `response` one order beyond the adiabatic torque.

    Args:
        system: The open system, its leads in a common static equilibrium; None for moments alone.
        magnet: The moments.
        t_end, save_every: End of the run and time between rows in fs; what a row has to do with steps is as for
            `llgnegf.Simulation`.
        rtol: Accuracy asked for, shared out as in a full run.
        step: Fixed time step in fs, with noise too (rows and discontinuities of drives are reached in equal steps no
            longer than it, nor than a drive can be seen with); None is adaptive with interpolation between the steps
            (DOP853 and its interpolant of order 7).
        response: Which tensors act: any of "geometric", "friction"; () is the adiabatic torque alone.
        temperature: kT of the thermal noise in eV (equal to system.kT with electrons); 0 is without noise.
        seed: Key of the random stream, an integer >= 0; None without noise.
        observables: "adiabatic" adds adiabatic spin density and torque, and the nonadiabatic torque.
        copies: Independent copies that are carried along (rows show the first one).

    Raises:
        ValueError: One line for each argument that is not of this kind; leads that are biased among them.
        IntegrationStopped: By `rows`, when a step falls below round-off.
    """

    @limited
    def __init__(
        self,
        system: OpenSystem | None,
        magnet: Magnet,
        *,
        t_end: float,
        save_every: float = 1.0,
        rtol: float = 1e-6,
        step: float | None = None,
        response: Sequence[str] = RESPONSES,
        temperature: float = 0.0,
        seed: int | None = None,
        observables: Sequence[str] = (),
        copies: int = 1,
    ) -> None:
        options = {
            "t_end": t_end, "save_every": save_every, "rtol": rtol, "step": step, "response": response,
            "temperature": temperature, "seed": seed, "observables": observables, "copies": copies,
        }  # fmt: skip
        check_slow_run(system, magnet, options)
        warn(doubts_together(system, magnet) + doubts_of_options(options))
        self.system, self.motion, self.rtol = system, magnet, rtol
        self.times = save_times(t_end, save_every)
        self.row = 0
        self.between_steps: Callable[[float], None] = lambda time: None  # within `rows`, as in a full run; fs
        self.poles: PoleSystem | None = None
        self.equation = SlowEquation(magnet, self._electrons(), tuple(response), noisy=temperature > 0)
        self._recorder = SlowRecorder(self.equation, system, tuple(observables))
        start = np.array(magnet.moments, dtype=float)
        schedule = Schedule(magnet.drives(), save_every)
        self._integration: Adaptive | FixedStep
        if step is None:
            self._integration = Adaptive(self.equation, start, STEPS_SHARE * rtol, float(self.times[-1]), schedule)
        else:
            noise = None
            if temperature > 0:
                assert seed is not None
                noise = Langevin(self.equation, np.repeat(start[None], copies, axis=0), temperature, seed)
            self._integration = FixedStep(self.equation, start, step, noise, schedule)

    def _electrons(self) -> SlowElectrons | None:
        system, rtol = self.system, self.rtol
        if system is None:
            return None
        if system.is_closed:
            return LevelTensors(system)
        if system.kT == 0:
            return ContourTensors(system, SURFACE_SHARE * rtol)
        self.poles = expand(system, COUPLING_SHARE * rtol, FERMI_SHARE * rtol, tail_tolerance=rtol)
        return PoleTensors(self.poles, SURFACE_SHARE * rtol)

    @property
    def variables(self) -> dict[str, Variable]:
        """The columns of a row."""
        return self._recorder.variables

    @property
    def coordinates(self) -> dict[str, list[Any]]:
        """Labels of the dims site and component."""
        return self._recorder.coordinates

    @property
    def state(self) -> np.ndarray:
        """The moments at the last row, (3N,) (all copies one after another)."""
        return self._integration.moments.ravel()

    @property
    def density_matrix(self) -> np.ndarray | None:
        """None: only the spins are followed to first order (see `ResponseTensors`)."""
        return None

    @property
    def statistics(self) -> dict[str, float]:
        """Configurations evaluated and steps so far, sizes of the sums."""
        fermi = None if self.poles is None else self.poles.fermi
        return {
            "right_hand_sides": self.equation.evaluations, "accepted_steps": self._integration.accepted,
            "rejected_steps": self._integration.rejected, "fermi_poles": 0 if fermi is None else fermi.eta.size,
            "fermi_surface_nodes": self._surface_nodes,
        }  # fmt: skip

    @property
    def _surface_nodes(self) -> int:
        """Energies in the last Fermi-surface sum that a row asked for."""
        return self.equation.electrons.surface_nodes if isinstance(self.equation.electrons, PoleTensors) else 0

    @limited
    def advance_to(self, row: int) -> np.ndarray:
        """Advance to the save time number `row`; the moments there, (copies, N, 3)."""
        return self._integration.moments_at(float(self.times[row]), self.between_steps)

    def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Advance to each save time in turn; yields the row's index and its columns."""
        while self.row < self.times.size:
            with one_thread_if_small(self.system):
                moments = self.advance_to(self.row)[0]
                columns = self._recorder.row(float(self.times[self.row]), moments)
            self.row += 1
            yield self.row - 1, columns

    def checkpoint(self) -> dict[str, Any]:
        """Everything that a later `restore` needs to go on with the same bits, as arrays and numbers."""
        return {
            "row": self.row, "evaluations": self.equation.evaluations, "surface_nodes": self._surface_nodes,
            **self._integration.checkpoint(),
        }  # fmt: skip

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave in a run of the same problem.

        Raises:
            ValueError: If the checkpoint is of another problem (its state has another size).
        """
        size = np.size(checkpoint["state"])
        if size != self.state.size:
            raise ValueError(f"checkpoint.state: {size} numbers; allowed: {self.state.size} as in this problem")
        self.row = int(checkpoint["row"])
        self.equation.evaluations = int(checkpoint["evaluations"])
        if isinstance(self.equation.electrons, PoleTensors):
            self.equation.electrons.surface_nodes = int(checkpoint["surface_nodes"])
        self._integration.restore(checkpoint)

    @cached_property
    def _expansion_errors(self) -> dict[str, ErrorEstimate]:
        if self.system is not None and self.system.kT == 0 and not self.system.is_closed:
            exact = ErrorEstimate(0.0, "kT = 0: exact leads and Fermi function on a contour")
            return {"coupling_poles": exact, "fermi_poles": exact}
        coupling = equilibrium_estimate(self.poles, np.array(self.motion.moments, dtype=float))
        return {"coupling_poles": coupling, "fermi_poles": fermi_estimate(self.poles)}

    @limited
    def error_budget(self) -> dict[str, ErrorEstimate]:
        """Coupling poles, Fermi poles, Fermi-surface sums and time step, each a number with what it bounds."""
        budget = dict(self._expansion_errors)
        tolerance = getattr(self.equation.electrons, "tolerance", 0.0)
        budget["fermi_surface"] = ErrorEstimate(
            tolerance,
            "error allowed in the Fermi-surface part of delta<s>; with noise in that of the tensors over "
            "hbar J_i J_j, in 1/eV^2",
        )
        budget["time_step"] = self._integration.error()
        return budget
