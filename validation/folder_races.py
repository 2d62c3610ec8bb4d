"""Races of two different inputs for one run folder: never a result under another's name, and one line for the loser.

Two processes are let go at the same moment, each with `llgnegf run` of its own input into the same new folder. One of
them gets it; what is in the folder then has to be of one input all through, and with the numbers of that input.

    python -m validation.folder_races [--races 500] [--seed 1]
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np

from llgnegf.cli import main as llgnegf
from llgnegf.config import RunConfig
from llgnegf.plots.files import PlotReport
from llgnegf.store import RunFolder
from validation._report import Report, run_as_script

INPUT = """
schema_version = 1
[run]
t_end = 4.0
checkpoint_every = 1e-9
[texture]
kind = "cone"
n_sites = 1
angle = {angle}
[magnet]
magnetic_moment = 1.0
damping = 0.1
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 50.0]
"""
ANGLES = (0.5, 0.7)
APART_S = 0.02
"""The later one starts at most so many seconds after the other."""


def contend(folder: Path, angle: float, go: float) -> int:
    """Fork a process that runs the input of `angle` in `folder` at the time `go`, with its words in a file."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        said = os.open(folder.parent / f"{folder.name}_{angle}.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        time.sleep(max(0.0, go - time.monotonic()))
        with patch("llgnegf.commands.plot.draw_plots", lambda *_, **__: PlotReport((), {})):
            code = llgnegf(["run", str(folder.parent / f"{angle}.toml"), "-o", str(folder), "-q"])
        sys.stderr.flush()
    finally:
        os._exit(code)


def race(root: Path, number: int, draw: random.Random) -> list[str]:
    """What went wrong in one race."""
    folder, go = root / str(number), time.monotonic() + 0.02
    runs = {angle: contend(folder, angle, go + draw.uniform(0.0, APART_S)) for angle in ANGLES}
    codes = {angle: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for angle, pid in runs.items()}
    winners = [angle for angle, code in codes.items() if code == 0]
    if len(winners) != 1:
        return [f"exit codes {codes}"]
    (winner,), wrong = winners, []
    (loser,) = set(ANGLES) - {winner}
    lines = (root / f"{number}_{loser}.txt").read_text().splitlines()
    if len(lines) != 1 or codes[loser] not in (1, 2) or str(folder) not in lines[0]:
        wrong.append(f"exit code {codes[loser]}, {lines}")
    run = RunFolder.open(folder)
    expected = RunConfig.loads(INPUT.format(angle=winner))
    with run.dataset() as stored:
        inputs = [(folder / "input.toml").read_text(), run.config_text, stored.attrs["input"]]
        moments = np.stack([row["moments"] for _, row in expected.simulation().rows()])
        if any(RunConfig.loads(text).to_toml() != expected.to_toml() for text in inputs) or run.damage:
            wrong.append(f"the folder of {winner} says that it is of another input")
        if not np.array_equal(stored["moments"].values, moments):
            wrong.append(f"the result of {winner} has other numbers")
    return wrong


def races(root: Path, count: int, seed: int) -> list[str]:
    """What went wrong in `count` races."""
    draw = random.Random(seed)
    for angle in ANGLES:
        (root / f"{angle}.toml").write_text(INPUT.format(angle=angle))
        RunConfig.loads(INPUT.format(angle=angle)).simulation()  # compiled before the processes part
    return [f"race {k}: {line}" for k in range(count) for line in race(root, k, draw)]


def main(arguments: Sequence[str] | None = None) -> bool:
    """Race, and look at what is there afterwards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--races", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    report = Report(f"Two inputs race for one folder: {options.races} times, seed {options.seed}")
    with tempfile.TemporaryDirectory() as scratch:
        wrong = races(Path(scratch), options.races, options.seed)
    for line in wrong:
        report.note(line)
    report.check("races with a mislabelled result, or without one line for the loser", len(wrong), 0)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
