"""simulate() in a run folder: the objects as an input file, run and committed as from the command line.

Stands on `config` and `store`; `simulate` calls it when it is given a folder.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

from llgnegf.config import ConfigError, RunConfig
from llgnegf.run.progress import Progress, keeping
from llgnegf.run.result import Result, Rows
from llgnegf.store import RunFolder, run_in_folder


def simulate_in_folder(
    system: Any, motion: Any, options: dict[str, Any], path: str | Path, report: Progress
) -> Result:
    """As `simulate`, which says what it raises, from where the run in the folder `path` stands."""
    config = config_of(system, motion, options)
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


def config_of(system: Any, motion: Any, options: dict[str, Any]) -> RunConfig:
    """The input file that says the same as the arguments of `simulate`.

    Raises:
        ConfigError: One line for each argument that is not allowed, or that no file has words for.
    """
    from llgnegf.run.simulate import simulate

    usual = {name: p.default for name, p in inspect.signature(simulate).parameters.items()}
    given = {name: value for name, value in options.items() if value is not usual[name]}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
    run = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
    try:
        return RunConfig.from_objects(system, motion, **run)
    except ConfigError as error:
        lines = [f"simulate.{line.removeprefix('run.')}" for line in error.lines]
        raise ConfigError([f"{line} (folder = ... writes the run as a file)" for line in lines]) from None


def _result(folder: RunFolder, simulation: Any) -> Result:
    """What is committed; with the density matrix if that is all."""
    found = folder.recover()
    done = found.checkpoint is not None and found.checkpoint.row == simulation.times.size
    if found.checkpoint is not None:
        simulation.restore(found.checkpoint.state)
    with folder.dataset() as dataset:
        columns = {name: np.array(dataset[name].values) for name in simulation.variables}
        rows = Rows(np.array(dataset["time"].values), columns, simulation.variables, simulation.coordinates)
    matrix = simulation.density_matrix if done else None
    return Result(rows, simulation.error_budget(), matrix, simulation.statistics)
