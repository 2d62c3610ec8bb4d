"""simulate(), the command that is called from Python: in memory, or in a run folder as from the command line.

In a folder the objects are written as an input file, which is run and committed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf._readable import check_call
from llgnegf.config import ConfigError, RunConfig
from llgnegf.problem.system import OpenSystem
from llgnegf.run.error_budget import warn_if_exceeded
from llgnegf.run.options import RunOptions, takes_run_options
from llgnegf.run.progress import Progress, keeping, shown
from llgnegf.run.result import Result, Rows
from llgnegf.run.simulate import simulate as in_memory
from llgnegf.run.simulation import Motion
from llgnegf.store import RunFolder, run_in_folder
from llgnegf.store.checkpoint import state_in

WITH_FOLDER = "folder = ... writes the run as a file"


@takes_run_options
def simulate(
    system: OpenSystem | None,
    motion: Motion,
    *,
    folder: str | Path | None = None,
    progress: bool | Callable[..., None] = False,
    **options: Any,
) -> Result:
    """Propagate G<(t,t) of an open system in the lab frame, with moments that move as prescribed or answer.

    The equations are those of `llgnegf.equations.electrons`.

    Args:
        system, motion, options: As for `Simulation`, and the following ones.
        electrons: "full", or "adiabatic": electrons integrated out one order beyond the adiabatic one, the equilibrium,
            or under a static bias the stationary state, of a `Magnet` at rest plus a first order in its velocities.
        response: Which tensors of that first order act with electrons = "adiabatic": any of "geometric" and
            "friction", and "bias" for what a bias adds to them; () leaves the adiabatic torque alone.
        temperature, seed: kT (eV) and random key of the moments' thermal noise: that of their damping beside full
            electrons, who have their own; with electrons = "adiabatic" that of all friction (`llgnegf.SlowSimulation`).
        folder: Run folder, as of `llgnegf run`: rows are committed every few seconds, and a run that was stopped or
            killed goes on when it is asked for again (or with `llgnegf resume`). None keeps all in memory.
        progress: True shows what is done, a bar on a terminal and lines with percentages elsewhere; a function is
            called with (done, total, text): times in fs and the stage of the run.

    Returns:
        A `Result`, whose dataset has the columns of `llgnegf.run.observables` with dims (time, ...) and units.

    Raises:
        ValueError: One line for each argument that is not allowed; with a folder also for what an input file has no
            words for (an own function of time, a `Prescribed` motion), and if it holds a run of something else.
        IntegrationStopped: On NaN, or a step below round-off, with time, quantity and cause.
        StorageError: If the folder cannot be written.
        KeyboardInterrupt: On Ctrl-C; with a folder on SIGTERM too, after a commit.

    Whatever stops the rows, a mistake in a drive or Ctrl-C among it, carries a `Result` of the rows so far as its
    attribute `result` (with `density_matrix` None).
    """
    if folder is None:
        return in_memory(system, motion, progress=progress, **options)
    check_call("simulate", inspect.signature(simulate), (system, motion), options)
    with shown(progress, "fs") as report:
        result = _in_folder(config_of(system, motion, options), folder, report)
    warn_if_exceeded(result.errors, options.get("rtol", RunOptions.rtol))
    return result


def _in_folder(config: RunConfig, path: str | Path, report: Progress) -> Result:
    """The run of `config` from where the one in the folder `path` stands."""
    report(0.0, 0.0, "set-up")
    simulation = config.simulation()
    folder = RunFolder.open_or_create(path, config.to_toml(), ["llgnegf.simulate"])
    with keeping(lambda: _result(folder, simulation), "the committed rows"):
        finished = run_in_folder(
            folder, simulation, progress=report, commit_every_s=config.run.checkpoint_every,
            input_text=config.to_toml(),
        )  # fmt: skip
        if not finished:
            raise KeyboardInterrupt(f"stopped; all rows are saved in {folder.path}, where the same call goes on")
    return _result(folder, simulation)


def config_of(system: Any, motion: Any, options: dict[str, Any], why: str = WITH_FOLDER) -> RunConfig:
    """The input file that says the same as the arguments of `simulate`; `why` there has to be one.

    Raises:
        ValueError: One line for each argument that is not allowed, or that no file has words for.
    """
    problems = Problems("simulate")
    problems.check(system is None or isinstance(system, OpenSystem), "system", system, "an OpenSystem, or None")
    problems.raise_all()
    given = {name: value for name, value in options.items() if value is not getattr(RunOptions, name, None)}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
    run = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
    try:
        return RunConfig.from_objects(system, motion, **run)
    except ConfigError as error:
        lines = [f"simulate.{line.removeprefix('run.')}" for line in error.lines]
        raise ConfigError([f"{line} ({why})" for line in lines]) from None


def _result(folder: RunFolder, simulation: Any) -> Result:
    """What is committed; with the density matrix if that is all."""
    found = folder.recover()
    done = found.checkpoint is not None and found.checkpoint.row == simulation.times.size
    if found.path is not None and not (done and simulation.row == simulation.times.size):
        simulation.restore(state_in(found.path))
    with folder.dataset() as dataset:
        columns = {name: np.array(dataset[name].values) for name in simulation.variables}
        rows = Rows(np.array(dataset["time"].values), columns, simulation.variables, simulation.coordinates)
    matrix = simulation.density_matrix if done else None
    return Result(rows, simulation.error_budget(), matrix, simulation.statistics)
