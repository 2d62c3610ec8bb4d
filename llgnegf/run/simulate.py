"""simulate(): the one entry to all runs, and the choice of the simulation that a request means.

Electrons with their memory (`simulation`), slow electrons with or without thermal noise (`slow`), or moments alone:
no option is ignored by any of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._checks import Problems, memory_of_machine
from llgnegf.problem.system import OpenSystem
from llgnegf.run.error_budget import warn_if_exceeded
from llgnegf.run.options import RESPONSES, check_kind, is_slow
from llgnegf.run.progress import Progress, keeping, reporting
from llgnegf.run.result import Result, Rows
from llgnegf.run.simulation import Motion, Simulation

if TYPE_CHECKING:
    from llgnegf.run.slow_simulation import SlowSimulation


@reporting("fs")
def simulate(
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
    electrons: str = "full",
    response: Sequence[str] = RESPONSES,
    temperature: float = 0.0,
    seed: int | None = None,
    progress: bool | Callable[..., None] = False,
) -> Result:
    """A run in memory: as `llgnegf.simulate`, which says what the arguments are, without a folder."""
    options: dict[str, Any] = {
        "t_end": t_end, "save_every": save_every, "rtol": rtol, "start": start, "integrator": integrator,
        "step": step, "observables": observables, "initial_density_matrix": initial_density_matrix,
        "electrons": electrons, "response": response, "temperature": temperature, "seed": seed,
    }  # fmt: skip
    assert callable(progress)
    progress(0.0, 0.0, "set-up")
    simulation = new_simulation(system, motion, **options)
    _check_rows(simulation)
    result = _run(simulation, progress)
    warn_if_exceeded(result.errors, rtol)
    return result


def _check_rows(simulation: Simulation | SlowSimulation) -> None:
    """Refuse rows that do not fit into memory, where this function keeps them; a run in a folder does not."""
    row = 8 * sum(math.prod(variable.shape) for variable in simulation.variables.values())
    rows, there = simulation.times.size, memory_of_machine()
    problems = Problems("simulate")
    value = f"{rows} rows of {row} bytes, {rows * row / 2**30:.3g} GiB"
    remedy = f"rows that fit into the {there / 2**30:.3g} GiB of this machine (a larger save_every), or `llgnegf run`"
    problems.check(rows * row <= there, "save_every", value, remedy)
    problems.raise_all()


def _run(simulation: Simulation | SlowSimulation, report: Progress) -> Result:
    """All rows, in memory; what stops them carries those before it."""
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
    with keeping(lambda: Result(rows(), simulation.error_budget(), None, simulation.statistics), "the rows"):
        for index, row in simulation.rows():
            for name, value in row.items():
                columns[name][index] = value
            count = index + 1
            report(float(simulation.times[index]), end, "running")
    return Result(rows(), simulation.error_budget(), simulation.density_matrix, simulation.statistics)


def new_simulation(
    system: Any,
    motion: Any,
    *,
    t_end: float,
    save_every: float = 1.0,
    rtol: float = 1e-6,
    start: str = "thermal",
    integrator: str = "auto",
    step: float | None = None,
    observables: Sequence[str] = (),
    initial_density_matrix: Any = None,
    electrons: str = "full",
    response: Sequence[str] = RESPONSES,
    temperature: float = 0.0,
    seed: int | None = None,
) -> Simulation | SlowSimulation:
    """The simulation that fits, at t = 0; arguments and errors as for `simulate`."""
    options = {
        "start": start, "integrator": integrator, "step": step, "initial_density_matrix": initial_density_matrix,
        "electrons": electrons, "response": response, "temperature": temperature, "seed": seed,
    }  # fmt: skip
    problems = Problems("simulate")
    check_kind(problems, system is not None, options)
    problems.raise_all()
    if is_slow(system is not None, options):
        from llgnegf.run.slow_simulation import SlowSimulation

        return SlowSimulation(
            system, motion, t_end=t_end, save_every=save_every, rtol=rtol, step=step, response=response,
            temperature=temperature, seed=seed, observables=observables,
        )  # fmt: skip
    return Simulation(
        system, motion, t_end=t_end, save_every=save_every, rtol=rtol, start=start, integrator=integrator, step=step,
        observables=observables, initial_density_matrix=initial_density_matrix,
    )  # fmt: skip
