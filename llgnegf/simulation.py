"""Simulation: electrons and moments together, in the lab frame; one run, advanced row by row.

It can be stopped, stored and continued with identical bits. `simulate` runs it to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf.blas import limited, one_thread_if_small
from llgnegf.drives import Drive
from llgnegf.dynamics import start as starts
from llgnegf.dynamics.coupled import ClassicalEquation, CoupledEquation
from llgnegf.dynamics.dense import DenseRows
from llgnegf.dynamics.equation import Equation
from llgnegf.dynamics.integrate import ImexRungeKutta, RungeKutta
from llgnegf.dynamics.tableaus import ARK5, DOP853, RK4, Tableau
from llgnegf.error_budget import estimate_errors
from llgnegf.magnetism.magnet import Magnet
from llgnegf.magnetism.motion import Frozen, Precession, Prescribed
from llgnegf.poles.channels import PoleSystem, expand, spectral_bounds
from llgnegf.recorder import Recorder
from llgnegf.result import ErrorEstimate, Variable
from llgnegf.run_options import (
    FINEST_LEADS,
    check_accuracy,
    check_density_matrix,
    check_method,
    check_start,
    check_times,
    save_times,
)
from llgnegf.system import OpenSystem
from llgnegf.units import HBAR

METHODS = {"dop853": DOP853, "ark5": ARK5, "rk4": RK4}
STABLE = 0.95
"""Largest explicit step in units of the stability limit."""
STIFF = 10.0
"""A farthest Fermi pole beyond this many times the device's and the leads' spectral range is stiff."""
COUPLING_SHARE, FERMI_SHARE, STEP_SHARE = 1.0, 0.01, 0.03
"""Shares of rtol: tolerance of the lead kernels, of the Fermi function, and of one step's local error.

With them each of the three takes less than rtol of the density matrix: the kernels' error reaches it diminished (by 50
where no band edge is at the Fermi energy) and those of many steps add up. The Fermi function's share is small because
its error shows at once, as occupations outside 0 to 1, and costs few poles.
"""
COUPLING_SHARE_FAR = 0.1
"""The kernels' share for starts that are no equilibrium: their error reaches rho almost whole then, and up to nine
times with the Fermi energy at a band edge."""
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
        save_every: Time between rows in fs. Where a function of time drives the run (a voltage, a field, a torque,
            moments that follow a function) no step is longer, nor longer than a `Drive` can be seen with, so that a
            pulse is not stepped over; otherwise the rows are interpolated between steps that do not depend on them.
        rtol: Accuracy asked for: largest error in elements of the density matrix (whose scale is 1) and of the
            moments. It sets the tolerances of lead poles, Fermi poles and time step together.
        start: "thermal" (equilibrium with the leads attached, equal chemical potentials), "steady" (stationary state
            of the system frozen at t = 0) or "partitioned" (leads attached at t = 0).
        integrator: "dop853" (explicit, order 8), "ark5" (order 5, far Fermi poles implicit), both adaptive unless
            `step` is given, or "rk4" (explicit, order 4, fixed `step`). "auto" is ark5 for wide-band leads, whose
            Fermi poles reach far beyond the spectrum of the device, and dop853 otherwise.
        step: Fixed time step in fs; None for an adaptive one.
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
        rho = None if initial_density_matrix is None else np.array(initial_density_matrix, dtype=complex)
        self.system, self.motion, self.rtol, self.start = system, motion, rtol, start
        self.times = save_times(t_end, save_every)
        self.row = 0
        self.between_steps: Callable[[float], None] = lambda time: None  # within `rows`, see `DenseRows.at`; fs
        self.poles = None if system is None else _expanded(system, rtol, t_end, start)
        self.equation = _equation(self.poles, motion)
        state = _initial_state(self.equation, self.poles, motion, start, rho)
        self._recorder = Recorder(self.equation, motion, tuple(observables))
        integration = _integration(self.equation, state, integrator, rtol, step)
        integration.largest_step = min(integration.largest_step, _longest_step(system, motion, save_every) / HBAR)
        if step is None:
            integration.step = min(integration.step, integration.largest_step)
        end = float(self.times[-1]) / HBAR
        sampler = self._recorder.sampler
        tolerance = sampler.row_tolerance(ROW_SHARE * rtol, MOMENT_ROW_SHARE * rtol)
        self._dense = DenseRows(integration, sampler, tolerance, end)

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
        """The state vector at the last row (see `dynamics.layout`), a copy."""
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
            IntegrationStopped: On NaN, or a step below round-off, with time, quantity and cause.
        """
        while self.row < self.times.size:
            tau = float(self.times[self.row]) / HBAR
            with one_thread_if_small(self.system):
                columns = self._recorder.row(tau, self._dense.at(tau, lambda at: self.between_steps(at * HBAR)))
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

    @cached_property
    def _expansion_errors(self) -> dict[str, ErrorEstimate]:
        return estimate_errors(self.poles, _first_moments(self.motion))

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
        return {**self._expansion_errors, "time_step": step}


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
    electrons = system if isinstance(system, OpenSystem) else None
    check_times(problems, options)
    check_accuracy(problems, electrons, options)
    check_method(problems, options)
    check_start(problems, electrons, options)
    check_density_matrix(problems, electrons, options)
    problems.raise_all()


def _expanded(system: OpenSystem, rtol: float, t_end: float, start: str) -> PoleSystem:
    """The system in poles at the tolerances that rtol stands for."""
    instants = np.linspace(0.0, t_end, 1025) if any(callable(p.voltage) for p in system.leads) else [0.0]
    largest = max((float(np.nanmax(np.abs(system.voltages(t)))) for t in instants if system.leads), default=0.0)
    share = COUPLING_SHARE if start == "thermal" else COUPLING_SHARE_FAR
    return expand(system, max(share * rtol, FINEST_LEADS), FERMI_SHARE * rtol, largest, rtol)


def _equation(poles: PoleSystem | None, motion: Motion) -> Equation | ClassicalEquation:
    if poles is None:
        assert isinstance(motion, Magnet)
        return ClassicalEquation(motion)
    return CoupledEquation(poles, motion) if isinstance(motion, Magnet) else Equation(poles, motion)


def _initial_state(
    equation: Any, poles: PoleSystem | None, motion: Motion, start: str, rho: np.ndarray | None
) -> np.ndarray:
    moments = _first_moments(motion)
    if poles is None:
        return moments.ravel()
    if start == "partitioned":
        blocks = starts.partitioned(poles, moments, rho)
    else:
        blocks = (starts.thermal if start == "thermal" else starts.steady)(poles, moments)
    in_state = moments if isinstance(motion, Magnet) else np.zeros((0, 3))
    return equation.layout.pack(blocks.density_matrix, blocks.device_mode, blocks.mode_block, blocks.vectors, in_state)


def _integration(equation: Any, state: np.ndarray, name: str, rtol: float, step: float | None) -> RungeKutta:
    """The integrator called `name`, ready at t = 0."""
    electrons = isinstance(equation, Equation)
    if name == "auto":
        name = "ark5" if electrons and _is_stiff(equation) else "dop853"
    tolerance = STEP_SHARE * rtol if step is None else None
    first_step = (0.01 if step is None else step) / HBAR
    project = getattr(equation, "project", None)
    method = METHODS[name]
    arguments = (equation, 0.0, state, method, tolerance, first_step, _sections(equation), project)
    if name == "ark5":
        rates = equation.stiff_rates() if electrons else np.zeros(state.size)
        return ImexRungeKutta(*arguments, rates=rates)
    return RungeKutta(*arguments, largest_step=_largest_stable_step(equation, method) if electrons else np.inf)


def _largest_stable_step(equation: Equation, method: Tableau) -> float:
    """Longest explicit step (hbar/eV) that damps all that the equation damps, with some distance."""
    turning, damped = equation.fastest_rates()
    rate = max(turning / method.stability, damped / method.damped_stability)
    return STABLE / rate if rate > 0 else np.inf


def _longest_step(system: OpenSystem | None, motion: Motion, save_every: float) -> float:
    """Longest step (fs) that does not pass over what drives the run; infinite when nothing does."""
    parts: list[Any] = [*(system.leads if system is not None else ()), motion]
    if isinstance(motion, Magnet):
        parts += [*motion.energies, *motion.torques]
    functions = [value for part in parts for value in vars(part).values() if callable(value)]
    if isinstance(motion, Magnet) and motion.prescribed is not None:
        functions.append(motion.prescribed[1])
    known = [f.longest_step for f in functions if isinstance(f, Drive)]
    return min([save_every, *known]) if functions else np.inf


def _is_stiff(equation: Equation) -> bool:
    """Whether the farthest Fermi pole would set an explicit step."""
    z = equation.arrays.z
    if z.size == 0:
        return False
    low, high = spectral_bounds(equation.system)
    return float(-z.imag.min()) > STIFF * max(abs(low), abs(high))


def _first_moments(motion: Motion) -> np.ndarray:
    """M(0), (N, 3)."""
    return np.array(motion.moments if isinstance(motion, Magnet) else motion.moments(0.0), dtype=float)


def _sections(equation: Any) -> list[tuple[str, int, int]]:
    """The parts of the state whose errors the step control watches."""
    layout = equation.layout
    electrons, end = 2 * layout.n_complex, 2 * layout.n_complex + 3 * layout.n_moments
    sections = [("G<(t,t)", 0, electrons), ("moments", electrons, end), ("outflow", end, layout.size)]
    return [s for s in sections if s[2] > s[1]]
