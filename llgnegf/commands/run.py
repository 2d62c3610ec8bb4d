"""llgnegf run FILE.toml, and what resume and rerun have in common with it: a run folder, taken to its end."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from llgnegf.commands import plot
from llgnegf.commands.ending import EXIT_OK, EXIT_STOPPED, say
from llgnegf.commands.summary import summary_lines
from llgnegf.config import ConfigError, RunConfig
from llgnegf.plots.files import complete
from llgnegf.run.error_budget import warn_if_exceeded
from llgnegf.run.progress import shown
from llgnegf.store import OtherInputError, RunFolder, run_in_folder


def main(given: argparse.Namespace) -> int:
    """Run an input file in its folder."""
    config = RunConfig.load(given.file)
    if config.sweep is not None:
        raise ConfigError([f"sweep: given; allowed: a file without [sweep], or: llgnegf sweep {given.file}"])
    folder, simulation = started(Path(given.output or default_folder(given.file)), config)
    return completed(folder, config, given.quiet, simulation=simulation)


def default_folder(file: str) -> Path:
    """runs/NAME for NAME.toml, below the working directory."""
    return Path("runs") / Path(file).stem


def started(path: Path, config: RunConfig) -> tuple[RunFolder, Any]:
    """The run folder of an input, new or to go on with, and the simulation at t = 0 if it is new.

    An input that is refused makes no folder, and none goes into that of another one, of the same name perhaps.
    """
    simulation = None if (path / "input.toml").exists() else config.simulation()
    try:
        folder = RunFolder.open_or_create(path, config.to_toml(), [Path(sys.argv[0]).name, *sys.argv[1:]])
    except OtherInputError as error:
        raise ConfigError([f"{error.short}; allowed: another folder with -o DIR, or that input"]) from None
    except ValueError as error:
        raise ConfigError(f"{line}, or another folder with -o DIR" for line in str(error).splitlines()) from None
    return folder, simulation


def completed(
    folder: RunFolder, config: RunConfig, quiet: bool, report: bool = True, simulation: Any = None, force: bool = False
) -> int:
    """Run to the end (`simulation` at t = 0, if there is one) and, if asked to report, draw the plots and sum up."""
    if folder.finished:
        if report and not complete(folder.path / plot.PLOTS, folder.status().rows):  # stopped while they were drawn
            say(*summary_lines(folder, config, plot.draw_plots(folder, quiet).written), quiet=quiet)
        else:
            next_line = f"next: llgnegf show {folder.path}"
            say(f"{folder.path}: is finished already; nothing to do", next_line, quiet=quiet)
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
        rows = f"{folder.path}: stopped after row {status.rows} of {status.total_rows}; all rows are saved"
        say(rows, f"next: llgnegf resume {folder.path}")
        return EXIT_STOPPED
    warn_if_exceeded(simulation.error_budget(), config.run.rtol)
    if report:
        say(*summary_lines(folder, config, plot.draw_plots(folder, quiet).written), quiet=quiet)
    return EXIT_OK
