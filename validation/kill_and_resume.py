"""A hundred SIGKILLs at random moments, inside the writer too: every resume completes, with the same bits.

Runs a wire of three moments that answer to the electrons, between two leads, in child processes; every other child is
killed from outside at a random moment, the others kill themselves in the middle of a random change of the disk (half
a block written, a file written but not yet renamed, ...). Resumes are killed like the rest until the run finishes.
Every array of every result is compared byte by byte with those of a run that was left alone.

    python -m validation.kill_and_resume [--kills 100] [--seed 1]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import llgnegf as ln
from llgnegf.plots.style import new_figure, points, styled, whole_numbers
from llgnegf.run.simulation import Simulation
from llgnegf.store import RunFolder, run_in_folder
from validation._report import OUTPUT, Report, run_as_script

INPUT = "schema_version = 1\n"
CHANGES = ("open", "write", "fsync", "replace", "unlink", "ftruncate")


def simulation() -> Simulation:
    """Three moments, two leads, 121 rows; about a second of work."""
    wall = ln.bloch_wall(n_sites=3, center=2, width=0.9)
    leads = [ln.ChainLead(site=0, coupling=1.0, hopping=1.0), ln.ChainLead(site=-1, coupling=1.0, hopping=1.0)]
    system = ln.OpenSystem(ln.chain(n_sites=3, hopping=1.0, j_sd=0.5), leads, fermi_energy=0.0, kT=0.02)
    energies = [ln.Exchange(0.1), ln.Zeeman([0.0, 0.0, 10.0])]
    magnet = ln.Magnet(wall, magnetic_moment=4.0, damping=0.02, energies=energies)
    return Simulation(system, magnet, t_end=60.0, save_every=0.5, rtol=1e-5)


def arrays(folder: RunFolder) -> dict[str, bytes]:
    """The bytes of every array of the result."""
    with folder.dataset() as dataset:
        return {str(name): np.ascontiguousarray(dataset[name].values).tobytes() for name in dataset.variables}


def kill_inside(count: int) -> None:
    """Let `count` changes of the disk happen and die in the middle of the next."""
    left = [count]

    def counted(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def change(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                if name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return change

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name), name))


def start(path: Path, inside: int | None) -> int:
    """Fork a process that begins or resumes the run in `path`; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        run = simulation()
        if inside is not None:
            kill_inside(inside)
        begun = (path / "input.toml").exists()
        folder = RunFolder.open(path) if begun else RunFolder.create(path, INPUT, sys.argv)
        run_in_folder(folder, run, commit_every_s=0.01)
        code = 0
    finally:
        os._exit(code)


def kill_one(path: Path, moments: random.Random, inside: bool, duration: float) -> str:
    """Run once in `path` until it is killed or done; returns "outside", "inside" or "finished"."""
    pid = start(path, moments.randrange(400) if inside else None)
    if not inside:
        time.sleep(moments.uniform(0.0, duration))
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "inside" if inside else "outside"
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"the run in {path} ended with exit code {os.waitstatus_to_exitcode(status)}")
    return "finished"


def undisturbed(root: Path) -> tuple[dict[str, bytes], float]:
    """The arrays of a run in one piece, and how long a process takes for one."""
    alone = RunFolder.create(root / "alone", INPUT, sys.argv)
    run_in_folder(alone, simulation(), commit_every_s=1e9)
    began = time.monotonic()
    os.waitpid(start(root / "timing", None), 0)
    return arrays(alone), time.monotonic() - began


def rows_on_disk(folder: RunFolder) -> int:
    """Rows that a resume would keep."""
    return folder.status().rows if (folder.path / "input.toml").exists() else 0


def one_run(folder: RunFolder, moments: random.Random, ends: Counter[str], duration: float) -> list[tuple[str, int]]:
    """Kill and resume until the run has finished: how each process ended, and the rows then on disk."""
    history: list[tuple[str, int]] = []
    while not folder.finished:
        end = kill_one(folder.path, moments, sum(ends.values()) % 2 == 0, duration)
        ends[end] += 1
        history.append((end, rows_on_disk(folder)))
    if history[-1][0] != "finished":
        ends["finished"] += 1  # killed after result.nc had its name
    return history


@styled
def figure(histories: list[list[tuple[str, int]]]) -> None:
    """Rows on disk after each kill."""
    fig = new_figure(3.2)
    axes = fig.subplots()
    kills = [entry for history in histories for entry in history]
    names = {"outside": "killed from outside", "inside": "killed inside a change of the disk", "finished": "ended"}
    for k, (end, name) in enumerate(names.items()):
        chosen = [(j, rows) for j, (how, rows) in enumerate(kills, start=1) if how == end]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), label=name, **points(k, linestyle="none"))
    axes.set(xlabel="process", ylabel="rows on disk at its end", title=f"{len(histories)} runs in turn")
    axes.set_ylim(-5, 160)
    axes.legend(loc="upper center", ncols=3)
    whole_numbers(axes)
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "kill_and_resume.png")


def main() -> bool:
    """Kill, resume, compare; a note for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report = Report(f"Kill and resume: {options.kills} SIGKILLs at random moments, seed {options.seed}")
    moments, ends, different, histories = random.Random(options.seed), Counter[str](), 0, []
    with tempfile.TemporaryDirectory() as scratch:
        expected, duration = undisturbed(Path(scratch))
        while ends["inside"] + ends["outside"] < options.kills:
            folder = RunFolder(Path(scratch) / f"run{ends['finished'] + 1}")
            histories.append(one_run(folder, moments, ends, duration))
            same = arrays(folder) == expected
            different += not same
            killed = sum(end != "finished" for end, _ in histories[-1])
            report.note(f"run {ends['finished']}: {killed} kills, {'identical' if same else 'DIFFERENT'}")
    report.note(f"{ends['outside']} kills from outside, {ends['inside']} inside the writer")
    report.check("kills still missing", options.kills - ends["inside"] - ends["outside"], 0)
    report.check(f"results, of {len(histories)}, with other bytes than the undisturbed run", different, 0)
    figure(histories)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
