"""simulate() in memory, and the choice of the run that a request means; no option is ignored by any."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Unpack

import numpy as np

from llgnegf._checks import memory_of_machine, need
from llgnegf._readable import check_call
from llgnegf.problem.magnetism.external import External
from llgnegf.problem.plausibility import doubts_of_options, doubts_of_run, doubts_together, heard, warn
from llgnegf.problem.system import OpenSystem
from llgnegf.run.error_budget import warn_if_exceeded
from llgnegf.run.options import RunKeywords, RunOptions, takes_run_options
from llgnegf.run.progress import Progress, keeping, reporting
from llgnegf.run.result import Result, Rows
from llgnegf.run.run import Run
from llgnegf.run.simulation import Motion, Simulation
from llgnegf.run.slow_simulation import SlowSimulation


@takes_run_options
@reporting("fs")
def simulate(
    system: OpenSystem | None,
    motion: Motion,
    *,
    progress: bool | Callable[..., None] = False,
    **options: Unpack[RunKeywords],
) -> Result:
    """A run in memory: as `llgnegf.simulate`, which says what the arguments are, without a folder."""
    check_call("simulate", inspect.signature(simulate), (system, motion), options)
    if isinstance(motion, External):
        raise ValueError("simulate.motion: External; allowed: Simulation(system, motion, ...).advance(time, moments)")
    assert callable(progress)
    progress(0.0, 0.0, "set-up")
    checked = RunOptions.checked(system, motion, **options)
    with heard() as said:
        warn(doubts_together(system, motion) + doubts_of_options(options))
        simulation = run_of(system, motion, checked)
        _check_rows(simulation)
        result = _run(simulation, progress, said)
        warn_if_exceeded(result.errors, simulation.rtol)
    return replace(result, warnings=all_said(system, motion, options, said))


def all_said(
    system: OpenSystem | None, motion: Any, options: Mapping[str, Any], said: Iterable[str]
) -> tuple[str, ...]:
    """Doubts about the parts of a run, warned of when they were made, and what was `said` since, each once."""
    return tuple(dict.fromkeys([*map(str, doubts_of_run(system, motion, options)), *said]))


def _check_rows(simulation: Run) -> None:
    """Refuse rows that do not fit into memory, where this function keeps them; a run in a folder does not."""
    row = 8 * sum(math.prod(variable.shape) for variable in simulation.variables.values())
    rows, there = simulation.times.size, memory_of_machine()
    value = f"{rows} rows of {row} bytes, {rows * row / 2**30:.3g} GiB"
    remedy = f"rows that fit into the {there / 2**30:.3g} GiB of this machine (a larger save_every), or `llgnegf run`"
    need(rows * row <= there, "simulate", "save_every", value, remedy)


def _run(simulation: Run, report: Progress, said: Iterable[str]) -> Result:
    """All rows, in memory; what stops them carries those before it, with the warnings `said` till then."""
    end = float(simulation.times[-1])
    report(0.0, end, "error budget")
    simulation.error_budget()  # measured once, and before the rows: a run that is stopped has it too
    columns = {name: np.empty((simulation.times.size, *v.shape)) for name, v in simulation.variables.items()}
    count = 0

    def rows() -> Rows:
        kept = {name: column[:count] for name, column in columns.items()}
        return Rows(simulation.times[:count], kept, simulation.variables, simulation.coordinates)

    simulation.between_steps = lambda time: report(time, end, "running")
    report(0.0, end, "running")
    # Within a step that did not end there is no density matrix.
    with keeping(lambda: replace(result_of(simulation, rows(), None), warnings=tuple(said)), "the rows"):
        for index, row in simulation.rows():
            for name, value in row.items():
                columns[name][index] = value
            count = index + 1
            report(float(simulation.times[index]), end, "running")
    return result_of(simulation, rows(), simulation.density_matrix)


def result_of(simulation: Run, rows: Rows, density_matrix: np.ndarray | None) -> Result:
    """The result of a run as far as it is."""
    return Result(rows, simulation.error_budget(), density_matrix, simulation.statistics, simulation.rtol)


def run_of(system: Any, motion: Any, options: RunOptions) -> Run:
    """The run that is asked for, at t = 0: with electrons and their memory, of slow moments, or of moments alone.

    Arguments as for `simulate`, the options known to fit.
    """
    kind = SlowSimulation if options.is_slow(system is not None) else Simulation
    return kind.of(system, motion, options)
