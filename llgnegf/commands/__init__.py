"""What the commands of `cli` do, each a function of the parsed arguments that returns the exit code.

Errors are raised as they come; `cli.main` words them. Heavy modules are imported where they are needed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from llgnegf._processes import THREAD_VARIABLES
from llgnegf.cli import EXIT_FAILURE, EXIT_OK, EXIT_STOPPED
from llgnegf.config import ConfigError, RunConfig
from llgnegf.run.progress import shown

if TYPE_CHECKING:
    import xarray

    from llgnegf.plots.run import PlotReport
    from llgnegf.run.simulation import Simulation
    from llgnegf.run.slow_simulation import SlowSimulation
    from llgnegf.store import RunFolder

    AnySimulation = Simulation | SlowSimulation


PLOTS = "plots"
"""Subfolder of a run folder."""


def run(given: argparse.Namespace) -> int:
    """llgnegf run FILE.toml"""
    config = RunConfig.load(given.file)
    if config.sweep is not None:
        raise ConfigError([f"sweep: given; allowed: a file without [sweep], or: llgnegf sweep {given.file}"])
    folder, simulation = _started(Path(given.output or default_folder(given.file)), config)
    return _complete(folder, config, given.quiet, simulation=simulation)


def resume(given: argparse.Namespace) -> int:
    """llgnegf resume DIR"""
    from llgnegf.store import RunFolder

    folder = RunFolder.open(given.folder)
    folder.check_same_input()
    return _complete(folder, RunConfig.loads(folder.config_text), given.quiet, force=given.force)


def rerun(given: argparse.Namespace) -> int:
    """llgnegf rerun DIR: reproduces the stored result from the folder's input alone"""
    from llgnegf.store import RunFolder

    first = RunFolder.open(given.folder)
    if not first.finished:
        raise ConfigError([f"{given.folder}: is not finished; allowed: a finished run (llgnegf resume {given.folder})"])
    config = RunConfig.loads(first.config_text)
    second, simulation = _started(Path(given.output or f"{Path(given.folder)}-rerun"), config)
    code = _complete(second, config, given.quiet, report=False, simulation=simulation)
    if code != EXIT_OK:
        return code
    with first.dataset() as old, second.dataset() as new:
        lines = list(comparison(old, new))
    if lines:
        _print(f"{second.path}: differs from {first.path}", *(f"  {line}" for line in lines))
        return EXIT_FAILURE
    _say(given.quiet, f"{second.path}: every array is bit for bit that of {first.path}")
    return EXIT_OK


def show(given: argparse.Namespace) -> int:
    """llgnegf show DIR"""
    from llgnegf.commands.report import status_lines
    from llgnegf.store import RunFolder

    _print(*status_lines(RunFolder.open(given.folder)))
    return EXIT_OK


def plot(given: argparse.Namespace) -> int:
    """llgnegf plot DIR"""
    from llgnegf.store import RunFolder

    report = draw_plots(RunFolder.open(given.folder), pdf=True)
    _print(*report.written, *(f"not drawn: {name} ({why})" for name, why in report.skipped.items()))
    return EXIT_OK


def oracle(given: argparse.Namespace) -> int:
    """llgnegf oracle FILE.toml"""
    from llgnegf._files import storage_errors, write_atomic
    from llgnegf._netcdf import write_dataset
    from llgnegf.commands import oracle_table as table

    with shown(True, "tables") as progress:
        progress(0, 0, "rotating frame")
        dataset = table.oracle(RunConfig.load(given.file))
    _print(*table.table_lines(dataset))
    source = Path(given.file)
    folder = Path(given.output or ".")
    netcdf, csv = folder / f"{source.stem}_oracle.nc", folder / f"{source.stem}_oracle.csv"
    with storage_errors(folder, "make the folder"):
        folder.mkdir(parents=True, exist_ok=True)
    write_dataset(dataset, netcdf)
    write_atomic(csv, ["".join(f"{line}\n" for line in table.csv_lines(dataset)).encode()])
    _print(f"\nsaved {netcdf} and {csv}")
    return EXIT_OK


def figure(given: argparse.Namespace) -> int:
    """llgnegf figure NAME"""
    from llgnegf import paper as figures

    names = [*figures.NAMES, "all"]
    if given.list:
        _print(*names)
        return EXIT_OK
    if given.name not in names:
        wrong = "missing" if given.name is None else repr(given.name)
        raise ConfigError([f"figure: {wrong}; allowed: {', '.join(names)}"])
    chosen = figures.NAMES if given.name == "all" else (given.name,)
    with shown(True, "figures") as progress:
        for k, name in enumerate(chosen):
            progress(k, len(chosen), f"computing {name}")
            _print(*figures.make(name, Path(given.output or "figures")))
    return EXIT_OK


def sweep(given: argparse.Namespace) -> int:
    """llgnegf sweep FILE.toml"""
    from llgnegf.sweep import run_sweep

    config = RunConfig.load(given.file)
    folder = Path(given.output or default_folder(given.file))
    try:
        dataset = run_sweep(config, folder, workers=given.workers, progress=not given.quiet)
    except KeyboardInterrupt:
        _say(False, f"{folder}: stopped; committed rows are saved", "next: the same command, which goes on")
        return EXIT_STOPPED
    sizes = ", ".join(f"{name} = {size}" for name, size in dataset.sizes.items())
    _say(given.quiet, f"{folder / 'sweep.nc'}: {sizes}", f'next: xarray.open_dataset("{folder / "sweep.nc"}")')
    return EXIT_OK


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run, "resume": resume, "rerun": rerun, "show": show, "plot": plot, "oracle": oracle, "figure": figure,
    "sweep": sweep,
}  # fmt: skip


def check_thread_variables() -> None:
    """Refuse numbers of threads that the libraries cannot take, and stop at without a word of where it comes from."""
    given = {name: os.environ.get(name, "") for name in THREAD_VARIABLES}
    allowed = "allowed: a whole number >= 1, or not set"
    lines = [
        f"{name}: {text!r} in the environment; {allowed}" for name, text in given.items()
        if text and not all(part.strip().isdecimal() and int(part) > 0 for part in text.split(","))
    ]  # fmt: skip
    if lines:
        raise ConfigError(lines)


def default_folder(file: str) -> Path:
    """runs/NAME for NAME.toml, below the working directory."""
    return Path("runs") / Path(file).stem


def comparison(old: xarray.Dataset, new: xarray.Dataset) -> Iterator[str]:
    """A line for each array of `old` that `new` has not, bit for bit."""
    import numpy as np

    for name in sorted({*map(str, old.variables), *map(str, new.variables)}):
        if name not in old.variables or name not in new.variables:
            yield f"{name}: in one of the two only"
            continue
        a, b = old[name].values, new[name].values
        if a.shape != b.shape:
            yield f"{name}: shape {b.shape} instead of {a.shape}"
        elif a.tobytes() != b.tobytes() and a.dtype.kind == "f":
            yield f"{name}: differs by up to {np.nanmax(np.abs(a - b)):.3g}"
        elif a.dtype.kind != "f" and not np.array_equal(a, b):
            yield f"{name}: differs"


def draw_plots(folder: RunFolder, quiet: bool = False, pdf: bool = False) -> PlotReport:
    """The plots of a run, in its subfolder plots, beside the oracle where there is one."""
    from llgnegf.commands.oracle_table import oracle_or_none
    from llgnegf.plots.run import plot_run

    with shown(not quiet, "plots") as progress:
        progress(0, 0, "rotating frame to compare with")
        exact = oracle_or_none(RunConfig.loads(folder.config_text))
        with folder.dataset() as dataset:
            return plot_run(dataset, folder.path / PLOTS, exact, pdf=pdf, progress=progress)


def _started(path: Path, config: RunConfig) -> tuple[RunFolder, AnySimulation | None]:
    """The run folder, and the simulation at t = 0 if the folder is new: an input that is refused makes none."""
    simulation = None if (path / "input.toml").exists() else config.simulation()
    return _open_or_create(path, config.to_toml()), simulation


def _open_or_create(path: Path, text: str) -> RunFolder:
    """The run folder for the input `text`: a new one, or that of the same input, to go on with."""
    from llgnegf.store import RunFolder

    try:
        return RunFolder.open_or_create(path, text, [Path(sys.argv[0]).name, *sys.argv[1:]])
    except ValueError as error:
        raise ConfigError(f"{line}, or another folder with -o DIR" for line in str(error).splitlines()) from None


def _complete(
    folder: RunFolder,
    config: RunConfig,
    quiet: bool,
    report: bool = True,
    simulation: AnySimulation | None = None,
    force: bool = False,
) -> int:
    """Run to the end (`simulation` at t = 0, if there is one) and, if asked to report, draw the plots and sum up."""
    from llgnegf.commands.report import summary_lines
    from llgnegf.plots.files import complete
    from llgnegf.run.error_budget import warn_if_exceeded
    from llgnegf.store import run_in_folder

    if folder.finished and folder.damage is None:
        if report and not complete(folder.path / PLOTS, folder.status().rows):  # stopped while they were drawn
            _say(quiet, *summary_lines(folder, config, draw_plots(folder, quiet).written))
        else:
            _say(quiet, f"{folder.path}: is finished already; nothing to do", f"next: llgnegf show {folder.path}")
        return EXIT_OK
    with shown(not quiet, "fs") as progress:
        progress(0.0, 0.0, "set-up")
        simulation = simulation or config.simulation()
        finished = run_in_folder(
            folder, simulation, progress=progress, commit_every_s=config.run.checkpoint_every,
            input_text=config.to_toml(), force=force,
        )  # fmt: skip
    if not finished:
        status = folder.status()
        _say(
            False, f"{folder.path}: stopped after row {status.rows} of {status.total_rows}; all rows are saved",
            f"next: llgnegf resume {folder.path}",
        )  # fmt: skip
        return EXIT_STOPPED
    warn_if_exceeded(simulation.error_budget(), config.run.rtol)
    if report:
        _say(quiet, *summary_lines(folder, config, draw_plots(folder, quiet).written))
    return EXIT_OK


def _say(quiet: bool, *lines: str) -> None:
    if not quiet:
        _print(*lines)


def _print(*lines: object) -> None:
    """Print lines; a reader of a pipe that has seen enough changes neither what is done nor the exit code."""
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
