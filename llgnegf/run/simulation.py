"""Simulation: electrons and moments together, in the lab frame; one run, advanced row by row.

It can be stopped, stored and continued with identical bits. `simulate` runs it to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from llgnegf._blas import limited, one_thread_if_small
from llgnegf._checks import Problems
from llgnegf.equations.coupled import ClassicalEquation, CoupledEquation
from llgnegf.equations.electrons import Equation
from llgnegf.equations.watch import Watch
from llgnegf.integrators.dense import DenseRows
from llgnegf.integrators.runge_kutta import ImexRungeKutta, RungeKutta
from llgnegf.integrators.schedule import Schedule
from llgnegf.integrators.tableaus import ARK5, DOP853, RK4, ImexTableau, Tableau
from llgnegf.poles.channels import PoleSystem, spectral_bounds
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession, Prescribed
from llgnegf.problem.plausibility import doubts_of_options, doubts_together, warn
from llgnegf.problem.system import OpenSystem
from llgnegf.run.error_budget import NOTHING_EXPANDED, expand_for_run, fermi_estimate, moments_of
from llgnegf.run.options import (
    check_accuracy,
    check_density_matrix,
    check_memory,
    check_method,
    check_motion,
    check_start,
    check_steps,
    check_times,
    save_times,
)
from llgnegf.run.recorder import Recorder
from llgnegf.run.result import ErrorEstimate, Variable
from llgnegf.run.shares import step_tolerance
from llgnegf.static import start as starts
from llgnegf.units import HBAR

METHODS = {"dop853": DOP853, "ark5": ARK5, "rk4": RK4}
STABLE = 0.95
"""Largest explicit step in units of the stability limit."""
FAST = 5.0
"""Drives that have to be seen with steps shorter than this (fs) through most of a run make ark5 dearer than dop853."""
FINE = 3e-6
"""With a smaller rtol ark5 is the cheaper one with every drive: the Fermi poles reach so far."""
STIFF = 10.0
"""A farthest Fermi pole beyond this many times the device's and the leads' spectral range is stiff."""
ROW_SHARE, MOMENT_ROW_SHARE = 0.5, 0.01
"""Shares of rtol that the interpolation of a row may have, for electrons and for moments: the lengths of the moments
are restored afterwards, which should change them little."""

Motion = Frozen | Precession | Prescribed | Magnet


class Simulation:
    """One run, advanced row by row.

    Args:
        system: The open system; None for moments alone.
        motion: How the moments move: `Frozen`, `Precession`, `Prescribed`, or a `Magnet` that answers.
        t_end: End of the run in fs.
        save_every: Time between rows in fs. Rows are interpolated between steps that do not depend on them, unless a
            bare Python function drives the run (a voltage, a field, a torque, moments): nothing is known of it, so no
            step is longer than `save_every` then. Of the drives of `llgnegf.problem.drives` all is known that it
            takes (of a `TimeFunction` what it says): steps end at their discontinuities and do not pass over them.
        rtol: Accuracy asked for: largest error in elements of the density matrix (whose scale is 1) and of the
            moments. It sets the tolerances of lead poles, Fermi poles and time step together.
        start: "thermal" (equilibrium with the leads attached, equal chemical potentials), "steady" (stationary state
            of the system frozen at t = 0) or "partitioned" (leads attached at t = 0).
        integrator: "dop853" (explicit, order 8), "ark5" (order 5, far Fermi poles implicit), both adaptive unless
            `step` is given, or "rk4" (explicit, order 4, fixed `step`). "auto" is ark5 for wide-band leads, whose
            Fermi poles reach far beyond the spectrum of the device, and dop853 otherwise; also in adaptive runs at
            rtol >= 1e-6 whose drives move fast most of the time (voltages with a period below 20 fs).
        step: Fixed time step in fs; None for an adaptive one. It is shortened where it has to end on a row or on a
            discontinuity of a drive, or would be longer than a drive can be seen with (within a `Pulse` its width).
        observables: Extra columns: "adiabatic" adds the adiabatic spin density and torque of each instant and the
            nonadiabatic torque.
        initial_density_matrix: rho(0), (2N, 2N), for start = "partitioned"; None is the isolated equilibrium.

    Raises:
        ValueError: One line for each argument that is not of this kind or does not fit another one.
    """

    @limited
    def __init__(
        self,
        system: OpenSystem | None,
        motion: Motion,
        *,
        t_end: float,
        save_every: float = 1.0,
        rtol: float = 1e-6,
        start: str = "thermal",
        integrator: str = "auto",
        step: float | None = None,
        observables: Sequence[str] = (),
        initial_density_matrix: Any = None,
    ) -> None:
        options = {
            "t_end": t_end, "save_every": save_every, "rtol": rtol, "start": start, "integrator": integrator,
            "step": step, "observables": observables, "initial_density_matrix": initial_density_matrix,
        }  # fmt: skip
        _check(system, motion, options)
        warn(doubts_together(system, motion) + doubts_of_options(options))
        rho = None if initial_density_matrix is None else np.array(initial_density_matrix, dtype=complex)
        self.system, self.motion, self.rtol, self.start = system, motion, rtol, start
        self.times = save_times(t_end, save_every)
        self.row = 0
        self.between_steps: Callable[[float], None] = lambda time: None  # within `rows`, see `DenseRows.at`; fs
        self.poles: PoleSystem | None = None
        self._lead_error = NOTHING_EXPANDED
        if system is not None:
            self.poles, self._lead_error = expand_for_run(system, motion, start, t_end, rtol)
        self.equation = _equation(self.poles, motion)
        state = _initial_state(self.equation, self.poles, motion, start, rho)
        self._recorder = Recorder(self.equation, motion, tuple(observables))
        drives = (*(() if system is None else system.drives()), *motion.drives())
        schedule = Schedule(drives, save_every, HBAR)
        if integrator == "auto":
            integrator = "ark5" if _implicit_pays(self.equation, rtol, step, t_end) else "dop853"
        integration = _integration(self.equation, state, integrator, step_tolerance(rtol, t_end), step, schedule)
        if step is None:
            integration.step = min(integration.step, integration.largest_step)
        end = float(self.times[-1]) / HBAR
        sampler = self._recorder.sampler
        tolerance = sampler.row_tolerance(ROW_SHARE * rtol, MOMENT_ROW_SHARE * rtol)
        self._dense = DenseRows(integration, sampler, tolerance, end)
        self._watch = Watch(self.equation.layout, rtol)

    @property
    def variables(self) -> dict[str, Variable]:
        """The columns of a row."""
        return self._recorder.variables

    @property
    def coordinates(self) -> dict[str, list[Any]]:
        """Labels of the dims site, component, lead and bond."""
        return self._recorder.coordinates

    @property
    def state(self) -> np.ndarray:
        """The state vector at the last row (see `equations.layout`), a copy."""
        evaluations = self.equation.evaluations
        state = self._dense.state_at(float(self.times[max(self.row - 1, 0)]) / HBAR)
        self.equation.evaluations = evaluations  # looking at a run is no part of it
        return state

    @property
    def density_matrix(self) -> np.ndarray | None:
        """rho of the present state, (2N, 2N); None without electrons."""
        return None if self.system is None else self.equation.layout.density_matrix(self.state)

    @property
    def statistics(self) -> dict[str, float]:
        """Right-hand sides and steps so far, sizes of the pole expansions."""
        progress, layout = self._dense.integration.progress, self.equation.layout
        fermi = self.poles.fermi if self.poles is not None else None
        return {
            "right_hand_sides": self.equation.evaluations, "accepted_steps": progress.accepted,
            "rejected_steps": progress.rejected, "coupling_modes": layout.n_modes,
            "fermi_poles": 0 if fermi is None else fermi.eta.size,
        }  # fmt: skip

    def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Advance to each save time in turn; yields the row's index and its columns.

        Raises:
            IntegrationStopped: On NaN, a step below round-off, or a density matrix that is none any more, with time,
                quantity and cause.
        """
        while self.row < self.times.size:
            tau = float(self.times[self.row]) / HBAR
            with one_thread_if_small(self.system):
                columns = self._recorder.row(tau, self._dense.at(tau, lambda at: self.between_steps(at * HBAR)))
            if self.poles is not None:
                self._watch.check(tau, self._dense.integration.state)
            self.row += 1
            yield self.row - 1, columns

    def checkpoint(self) -> dict[str, Any]:
        """Everything that a later `restore` needs to go on with the same bits, as arrays and numbers."""
        return {"row": self.row, "evaluations": self.equation.evaluations, **self._dense.checkpoint()}

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave in a run of the same problem.

        Raises:
            ValueError: If the checkpoint is of another problem (its state has another size).
        """
        size, own = np.size(checkpoint["state"]), self._dense.integration.state.size
        if size != own:
            raise ValueError(f"checkpoint.state: {size} numbers; allowed: {own} as in this problem")
        self.row = int(checkpoint["row"])
        self._dense.restore(checkpoint)
        self.equation.evaluations = int(checkpoint["evaluations"])

    @limited
    def error_budget(self) -> dict[str, ErrorEstimate]:
        """Coupling poles, Fermi poles and time step, each a number with what it bounds."""
        adaptive = self._dense.integration.tolerance is not None
        step = ErrorEstimate(
            self._dense.integration.progress.error_sum if adaptive else float("nan"),
            "sum of the local error estimates of all steps: error of any density-matrix element or moment component, "
            "as long as deviations do not grow"
            if adaptive
            else "not estimated with a fixed step; repeat with half the step",
        )
        return {"coupling_poles": self._lead_error, "fermi_poles": fermi_estimate(self.poles), "time_step": step}


def _check(system: Any, motion: Any, options: dict[str, Any]) -> None:
    """Check all arguments of a run at once."""
    problems = Problems("simulate")
    problems.check(system is None or isinstance(system, OpenSystem), "system", system, "an OpenSystem, or None")
    kinds = "Frozen, Precession, Prescribed or a Magnet"
    known = problems.check(isinstance(motion, Motion), "motion", motion, kinds)
    if system is None and known and not isinstance(motion, Magnet):
        problems.add("motion", type(motion).__name__, "a Magnet when there are no electrons (system = None)")
    if isinstance(system, OpenSystem) and known:
        sites = f"{system.n_sites}, one for each site of the electrons"
        problems.check(motion.n_sites == system.n_sites, "motion", f"{motion.n_sites} moments", sites)
        check_memory(problems, system.n_sites)
    electrons = system if isinstance(system, OpenSystem) else None
    check_times(problems, options)
    check_accuracy(problems, electrons, options)
    check_method(problems, options)
    check_start(problems, electrons, options)
    check_density_matrix(problems, electrons, options)
    check_steps(problems, system, motion, options)
    check_motion(problems, motion, options)
    problems.raise_all()


def _equation(poles: PoleSystem | None, motion: Motion) -> Equation | ClassicalEquation:
    if poles is None:
        assert isinstance(motion, Magnet)
        return ClassicalEquation(motion)
    return CoupledEquation(poles, motion) if isinstance(motion, Magnet) else Equation(poles, motion)


def _initial_state(
    equation: Any, poles: PoleSystem | None, motion: Motion, start: str, rho: np.ndarray | None
) -> np.ndarray:
    moments = moments_of(motion, 0.0)
    if poles is None:
        return moments.ravel()
    if start == "partitioned":
        blocks = starts.partitioned(poles, moments, rho)
    else:
        blocks = (starts.thermal if start == "thermal" else starts.steady)(poles, moments)
    in_state = moments if isinstance(motion, Magnet) else np.zeros((0, 3))
    return equation.layout.pack(blocks.density_matrix, blocks.device_mode, blocks.mode_block, blocks.vectors, in_state)


def _integration(
    equation: Any, state: np.ndarray, name: str, local: float, step: float | None, schedule: Schedule
) -> RungeKutta:
    """The integrator called `name`, ready at t = 0; `local` is what a step may err per hbar/eV."""
    electrons = isinstance(equation, Equation)
    tolerance = local if step is None else None
    first_step = (0.01 if step is None else step) / HBAR
    project = getattr(equation, "project", None)
    method = METHODS[name]
    arguments = (equation, 0.0, state, method, tolerance, first_step, _sections(equation), project)
    scale = equation.error_scale() if electrons else None
    if step is not None and electrons:
        _refuse_unstable(equation, method, step)
    if name == "ark5":
        rates = equation.stiff_rates() if electrons else np.zeros(state.size)
        return ImexRungeKutta(*arguments, rates=rates, schedule=schedule, scale=scale)
    largest = STABLE * _stability_limit(equation, method) if electrons else np.inf
    return RungeKutta(*arguments, largest_step=largest, schedule=schedule, scale=scale)


def _stability_limit(equation: Equation, method: Tableau) -> float:
    """Longest explicit step (hbar/eV) that damps all that the equation damps."""
    turning, damped = equation.fastest_rates(implicit=isinstance(method, ImexTableau))
    rate = max(turning / method.stability, damped / method.damped_stability)
    return 1 / rate if rate > 0 else np.inf


def _refuse_unstable(equation: Equation, method: Tableau, step: float) -> None:
    """ValueError for a fixed step (fs) with which errors grow."""
    limit = HBAR * _stability_limit(equation, method)
    digits = 2 - int(np.floor(np.log10(limit)))
    limit = float(np.floor(limit * 10.0**digits) / 10.0**digits)  # what is said is what is allowed
    if step > limit:
        raise ValueError(
            f"simulate.step: {step:g}; allowed: at most {limit:.3g} fs, beyond which {method.name!r} is unstable for "
            "the fastest levels, modes and Fermi poles of this system (None: an adaptive step)"
        )


def _implicit_pays(
    equation: Equation | ClassicalEquation, rtol: float, step: float | None, t_end: float
) -> bool:
    """Whether ark5 costs less than dop853: with stiff Fermi poles, unless voltages or given motions are mostly fast.

    Far Fermi vectors follow what moves. Measured (docs/performance.md), ark5 takes about sqrt(FAST/L) times as long as
    dop853, at most twice, where the drives have to be seen with steps of L, and much less where nothing moves.
    Bare functions count as slow: taken for fast they may cost ten times too much, the other way round twice.
    """
    if not isinstance(equation, Equation) or not _is_stiff(equation):
        return False
    if rtol < FINE or step is not None:  # a fixed step is the user's: far poles must not make it unstable
        return True
    seen = equation.motion is not None and np.any(equation.system.electrons.j_sd)
    schedule = Schedule((*equation.system.drives(), *(equation.motion.drives() if seen and equation.motion else ())))
    work = 0.0
    for start, stop in schedule.segments(t_end):
        work += (stop - start) * min(2.0, np.sqrt(FAST / schedule.longest_step(start)))
    return work < t_end


def _is_stiff(equation: Equation) -> bool:
    """Whether the farthest Fermi pole would set an explicit step."""
    z = equation.arrays.z
    if z.size == 0:
        return False
    low, high = spectral_bounds(equation.system)
    return float(-z.imag.min()) > STIFF * max(abs(low), abs(high))


def _sections(equation: Any) -> list[tuple[str, int, int]]:
    """The parts of the state whose errors the step control watches."""
    layout = equation.layout
    electrons, end = 2 * layout.n_complex, 2 * layout.n_complex + 3 * layout.n_moments
    sections = [("G<(t,t)", 0, electrons), ("moments", electrons, end), ("outflow", end, layout.size)]
    return [s for s in sections if s[2] > s[1]]
