"""Simulation: a run of electrons with their memory and moments together, in the lab frame, or of moments alone.

What is its own: the expansion of leads, the state at the start, the choice of the method. The loop is `run.run`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from llgnegf._blas import one_thread
from llgnegf._checks import Problems, need
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.moments import MomentEquation
from llgnegf.integrators.integration import STABLE, Integration, runge_kutta, stability_limit
from llgnegf.integrators.schedule import Schedule
from llgnegf.integrators.stepper import Sample
from llgnegf.integrators.tableaus import METHODS, ImexTableau, Tableau
from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.magnetism.external import External, GreatCircles
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession, Prescribed
from llgnegf.problem.magnetism.thermal_field import ThermalField
from llgnegf.problem.plausibility import warn
from llgnegf.run import memory
from llgnegf.run.error_budget import NOTHING_EXPANDED, expand_for_run, fermi_estimate
from llgnegf.run.options import FullKeywords, RunOptions
from llgnegf.run.recorder import FullRows, Rows
from llgnegf.run.result import ErrorEstimate
from llgnegf.run.run import Run
from llgnegf.run.run_errors import moments_of, seen_at
from llgnegf.run.shares import MOMENT_ROW, ROW, step_tolerance
from llgnegf.run.thermal_noise import doubts_of_baths, doubts_of_interval, thermal_field, wandering
from llgnegf.run.watch import Watch
from llgnegf.static import start as starts
from llgnegf.units import HBAR

if TYPE_CHECKING:
    from llgnegf.problem.system import OpenSystem

FIRST_STEP = 0.01
"""fs: the first step tried."""
FAST = 5.0
"""Drives that have to be seen with steps shorter than this (fs) through most of a run make ark5 dearer than dop853."""
FINE = 1e-6
"""With a smaller rtol ark5 is the cheaper one with every drive: the Fermi poles reach so far."""
STIFF = 10.0
"""A farthest Fermi pole beyond this many times the device's and the leads' spectral range is stiff."""

Motion = Frozen | Precession | Prescribed | External | Magnet


class Simulation(Run, moments="motion", without=("electrons", "response", "copies")):
    """A run of full electrons and moments, or of moments alone, advanced row by row.

    `simulate` makes one and goes through its rows. By hand it is for moments that another program moves (`External`),
    for rows that are not to be kept, and for checkpoints of one's own.

    Parameters
    ----------
    system : OpenSystem or None
        The open system; None for moments alone.
    motion : Magnet, Precession, Prescribed, Frozen or External
        How the moments move. Of an `External` motion there are no rows of its own, and `advance` carries the run on.
    **options : object
        As for `simulate`.

    Attributes
    ----------
    times : ndarray, (n_rows,)
        Save times in fs.
    row : int
        Number of rows so far.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind or does not fit another one.

    Notes
    -----
    The equations are those of `simulate`.

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(1, j_sd=0.1), [ln.ChainLead(0)], kT=0.2)
    >>> run = ln.Simulation(system, ln.External([[0, 0, 1.0]]), t_end=2.0, rtol=1e-4)
    >>> row = run.advance(1.0, [[0, 0.1, np.sqrt(0.99)]])  # the other program's moments at t = 1 fs
    >>> row["torque"].shape  # eV
    (1, 3)
    """

    equation: ElectronEquation | MomentEquation
    blas = staticmethod(one_thread)  # the bits of a run do not depend on how many threads there are

    if TYPE_CHECKING:

        def __init__(self, system: OpenSystem | None, motion: Motion, **options: Unpack[FullKeywords]) -> None: ...

    def _set_up(self, options: RunOptions) -> tuple[Integration, Sample, np.ndarray | None, Rows]:
        system, motion, start, rtol, t_end = self.system, self.motion, options.start, options.rtol, options.t_end
        self._lead_error = NOTHING_EXPANDED
        if system is not None:
            looked_at = partial(memory.check_poles, options=options)
            wanders = wandering(motion, options.temperature) if options.is_noisy else 0.0
            self.poles, self._lead_error = expand_for_run(system, motion, start, t_end, rtol, wanders, looked_at)
        self._way = GreatCircles(motion) if isinstance(motion, External) else None
        moving: Any = motion if self._way is None else self._way
        thermal = self._thermal_field(options)
        if self.poles is None:
            self.equation = MomentEquation(moving)
        else:
            self.equation = ElectronEquation(self.poles, moving, thermal, options.threads)
        self._memory = memory.check_layout(self.equation.layout, self.poles, options)
        self._watch = Watch(self.equation.layout, rtol)
        state = initial_state(self.equation, self.poles, motion, start, options.initial_density_matrix)
        rows = FullRows(self.equation, moving)
        # Rows of noisy runs are ends of steps.
        may_err = None if thermal is not None else rows.sampler.row_tolerance(ROW * rtol, MOMENT_ROW * rtol)
        return integration_of(self.equation, state, options), rows.sampler, may_err, rows

    def _thermal_field(self, options: RunOptions) -> ThermalField | None:
        """The noise on the moments, where it is asked for."""
        self._interval = None
        if not options.is_noisy:
            return None
        assert self.poles is not None
        warn(doubts_of_baths(options, self.motion, self.poles))
        field, self._interval = thermal_field(options, self.motion, self.poles)
        warn(doubts_of_interval(options, self.motion, self._interval))
        return field

    def advance(self, time: float, moments: Any) -> dict[str, np.ndarray]:
        """Carry the electrons on to a time while another program's moments turn to new ones.

        Parameters
        ----------
        time : float
            In fs, later than the time before, at most t_end.
        moments : array_like, (N, 3)
            M(time), unit vectors.

        Returns
        -------
        dict of str to ndarray
            The row there: each column without the dim time.

        Raises
        ------
        ValueError
            For arguments that are not of this kind, or a run whose motion is not `External`.
        IntegrationStopped
            As `rows`.

        Notes
        -----
        Each moment turns along the great circle from where it was, at an even rate: exchanging every dt with a spin
        code that is exact between the exchanges leaves an error of second order in dt.
        """
        known, kind = self._way is not None, type(self.motion).__name__
        need(known, "advance", "motion", kind, "External: the others have rows() of their own")
        assert self._way is not None
        problems, integration = Problems("advance"), self._dense.integration
        now, end = self._way.times[1], self.options.t_end
        allowed = f"later than {now:g} and at most t_end = {end:g}, in fs"
        problems.number("time", time, allowed, lambda t: now < t <= end)
        problems.moments("moments", moments, self._way.n_sites)
        problems.raise_all()
        self._way.turn_to(float(time), np.array(moments, dtype=float))
        with self.blas(self.system):
            integration.advance(float(time) / HBAR)
            self._check_state()
            return self._recorder.row(float(time), self._dense.sample(integration.state))

    def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        if self._way is not None:
            raise ValueError("rows: moments that are External; allowed: advance(time, moments), row by row")
        return super().rows()

    def checkpoint(self, copy: bool = True) -> dict[str, Any]:
        kept = super().checkpoint(copy)
        return kept if self._way is None else {**kept, "way_times": self._way.times, "way_ends": self._way.ends}

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        if self._way is not None:
            self._way.times = np.array(checkpoint["way_times"], dtype=float)
            self._way.ends = np.array(checkpoint["way_ends"], dtype=float)
        super().restore(checkpoint)

    @property
    def state(self) -> np.ndarray:
        return super().state if self._way is None else self._dense.integration.state.copy()

    @property
    def density_matrix(self) -> np.ndarray | None:
        """rho at the last row, (2N, 2N); None without electrons."""
        return None if self.system is None else self.equation.layout.density_matrix(self.state)

    def _sizes(self) -> dict[str, float]:
        noise = {} if self._interval is None else {"noise_interval": self._interval}
        return {"coupling_modes": self.equation.layout.n_modes, **super()._sizes(), **noise}

    def _check_state(self) -> None:
        integration = self._dense.integration
        self._watch.check(integration.time, integration.state)

    @cached_property
    def _expansion_errors(self) -> dict[str, ErrorEstimate]:
        return {"coupling_poles": self._lead_error, "fermi_poles": fermi_estimate(self.poles)}


def initial_state(
    equation: ElectronEquation | MomentEquation, poles: PoleSystem | None, motion: Motion, start: str, rho: Any = None
) -> np.ndarray:
    """The state vector at t = 0, by `start` and rho(0) as for `Simulation`."""
    moments = moments_of(motion, 0.0)
    if poles is None:
        return moments.ravel()
    seen = seen_at(motion, 0.0, poles.system.n_sites)
    if start == "partitioned":
        given = None if rho is None else np.array(rho, dtype=complex)
        blocks = starts.partitioned(poles, seen, given)
    else:
        blocks = (starts.thermal if start == "thermal" else starts.steady)(poles, seen)
    in_state = moments if isinstance(motion, Magnet) else np.zeros((0, 3))
    return equation.layout.pack(blocks.density_matrix, blocks.device_mode, blocks.mode_block, blocks.vectors, in_state)


def integration_of(equation: ElectronEquation | MomentEquation, state: np.ndarray, options: RunOptions) -> Integration:
    """An integration by the method that is asked for, ready at t = 0."""
    name, schedule = options.integrator, Schedule(equation.drives(), options.save_every, equation.time_unit)
    if name == "auto":
        name = "ark5" if _implicit_pays(equation, options) else "dop853"
    method = METHODS[name]
    limit = stability_limit(equation, method)
    if options.step is not None:
        _refuse_unstable(HBAR * limit, method, options.step)
        return runge_kutta(equation, method, state, options.step / HBAR, schedule=schedule)
    largest = np.inf if isinstance(method, ImexTableau) else STABLE * limit
    tolerance = step_tolerance(options.rtol, options.t_end)
    return runge_kutta(equation, method, state, FIRST_STEP / HBAR, tolerance, largest, schedule=schedule)


def _refuse_unstable(limit: float, method: Tableau, step: float) -> None:
    """ValueError for a fixed step (fs) with which errors grow."""
    if step <= limit:
        return
    digits = 2 - int(np.floor(np.log10(limit)))
    said = float(np.floor(limit * 10.0**digits) / 10.0**digits)  # rounded down: what is said is allowed
    raise ValueError(
        f"simulate.step: {step:g}; allowed: at most {said:.3g} fs, beyond which {method.name!r} is unstable for "
        "the fastest levels, modes and Fermi poles of this system (None: an adaptive step)"
    )


def _implicit_pays(equation: ElectronEquation | MomentEquation, options: RunOptions) -> bool:
    """Whether ark5 costs less than dop853: with stiff Fermi poles, unless voltages or given motions are mostly fast.

    Far Fermi vectors follow what moves. Measured (docs/performance.md), ark5 takes about sqrt(FAST/L) times as long as
    dop853, at most twice, where the drives have to be seen with steps of L, and much less where nothing moves.
    Bare functions count as slow: taken for fast they may cost ten times too much, the other way round twice.
    """
    if not isinstance(equation, ElectronEquation) or not _is_stiff(equation):
        return False
    if options.rtol < FINE or options.step is not None:  # far poles must not make the user's own step unstable
        return True
    seen = equation.llg is None and np.any(equation.system.electrons.j_sd)
    schedule = Schedule((*equation.system.drives(), *(equation.motion.drives() if seen else ())))
    work = 0.0
    for start, stop in schedule.segments(options.t_end):
        work += (stop - start) * min(2.0, np.sqrt(FAST / schedule.longest_step(start)))
    return work < options.t_end


def _is_stiff(equation: ElectronEquation) -> bool:
    """Whether the farthest Fermi pole would set an explicit step."""
    z = equation.levels.z
    if z.size == 0:
        return False
    low, high = equation.poles.bounds
    return float(-z.imag.min()) > STIFF * max(abs(low), abs(high))
