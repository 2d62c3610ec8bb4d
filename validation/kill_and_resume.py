"""Kills at random moments, of runs of all kinds and of sweeps: everything goes on afterwards, to the same bits.

Each command (`llgnegf run`, `resume`, `sweep`, in a process of its own) is killed from outside at a random moment, from
the making of the folder over compilation and rows to the last plot, or kills itself in the middle of a random change of
the disk; some get SIGTERM instead and have to end by themselves. Half of them begin with an empty numba cache. What was
killed is resumed, and killed again, until it is done. Then every array is compared, byte by byte, with that of a run
that was left alone, every plot has to be there, and no process may be left.

    python -m validation.kill_and_resume [--kills 300] [--seed 1] [--processes 2]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from validation._report import Report, run_as_script

CHANGES = ("open", "write", "pwrite", "fsync", "replace", "unlink", "ftruncate", "mkdir")
HOW = ("outside", "inside", "outside", "SIGTERM")
"""In turn: SIGKILL at a random time, in the middle of a change of the disk, and SIGTERM at a random time."""
SIGTERM_S = 2.0
"""Within which a command has to end after SIGTERM, on a processor of its own."""
MOST_KILLS = 4
"""Of one run, before it may end."""

WIRE = """
[electrons]
n_sites = 2
j_sd = 0.2
[[lead]]
{lead}
[system]
kT = 0.1
[texture]
kind = "cone"
angle = 0.5
"""
CHAIN = 'kind = "chain"\nsite = 0\ncoupling = 0.9\n'
WIDE = 'kind = "wide_band"\nsite = 0\nbroadening = 0.3\n'
TURNING = '[motion]\nkind = "precession"\nenergy = 0.1\n'
MAGNET = """
[magnet]
magnetic_moment = 1.0
damping = 0.1
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 50.0]
"""
ALONE = '[texture]\nkind = "cone"\nn_sites = 2\nangle = 0.5\n'


def _input(run: str, body: str, lead: str = CHAIN, t_end: float = 20.0) -> str:
    head = f"schema_version = 1\n[run]\nt_end = {t_end}\nsave_every = 0.5\ncheckpoint_every = 0.05\n{run}\n"
    return head + body.replace("{lead}", lead)


KINDS: dict[str, str] = {
    "full, prescribed": _input("", WIRE + TURNING),
    "full, Magnet": _input('observables = ["adiabatic"]', WIRE + MAGNET),
    "slow, adaptive": _input('electrons = "adiabatic"', WIRE + MAGNET),
    "slow, noise": _input('electrons = "adiabatic"\ntemperature = 0.1\nseed = 3\nstep = 0.25', WIRE + MAGNET),
    "moments alone": _input("", ALONE + MAGNET, t_end=2000.0),
    "fixed step": _input('integrator = "rk4"\nstep = 0.05', WIRE + MAGNET),
    "wide band": _input("", WIRE + TURNING, lead=WIDE, t_end=5.0),
    "bias": _input('start = "steady"', WIRE + MAGNET, lead=f'{CHAIN}voltage = 0.1\n[[lead]]\nkind = "chain"\nsite = 1'),
    "long row": _input("", WIRE + MAGNET, t_end=60.0).replace("save_every = 0.5", "save_every = 60.0"),
    "sweep": _input("", ALONE + MAGNET, t_end=200.0) + '[sweep]\nworkers = 2\n[sweep.parameters]\n'
             '"texture.angle" = [0.2, 0.4, 0.6]\n',
}  # fmt: skip


@dataclass
class Case:
    """A kind of run: its input, what it gives when it is left alone, and how long it takes (warm, empty cache)."""

    name: str
    file: Path
    arrays: dict[str, bytes] = field(default_factory=dict)
    plots: set[str] = field(default_factory=set)
    seconds: tuple[float, float] = (0.0, 0.0)

    @property
    def is_sweep(self) -> bool:
        return self.name == "sweep"

    def command(self, folder: Path) -> list[str]:
        """The command that begins or goes on."""
        if not self.is_sweep and (folder / "input.toml").exists():
            return ["resume", str(folder), "-q"]
        return ["sweep" if self.is_sweep else "run", str(self.file), "-o", str(folder), "-q"]


def start(command: list[str], cache: Path, log: Path, inside: int | None = None) -> subprocess.Popen[bytes]:
    """The command in a session of its own; `inside`: it kills itself in that change of the disk."""
    program = [sys.executable, "-m", "llgnegf"]
    if inside is not None:
        program = [sys.executable, "-c", f"from validation.kill_and_resume import doomed; doomed({inside})"]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as said:
        return subprocess.Popen(
            ["nice", "-n", "10", *program, *command], env=environment, start_new_session=True,
            stdout=said, stderr=subprocess.STDOUT, cwd=Path(__file__).parents[1],
        )  # fmt: skip


def doomed(count: int) -> None:
    """The command line, which lets `count` changes of the disk happen and dies in the middle of the next."""
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

    from llgnegf.cli import main

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name), name))
    sys.exit(main(sys.argv[1:]))


def session_members(session: int) -> list[int]:
    """Processes that are left of a session, those that have ended and wait for their parent apart."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, member, *_ = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(member) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def results(case: Case, folder: Path) -> dict[str, bytes]:
    """The bytes of every array of the result."""
    with xarray.open_dataset(folder / ("sweep.nc" if case.is_sweep else "result.nc"), engine="h5netcdf") as dataset:
        return {str(n): np.ascontiguousarray(v.values).tobytes() for n, v in dataset.variables.items()
                if v.dtype.kind in "biufc"}  # fmt: skip


def plots(folder: Path) -> set[str]:
    """Names of the plots of a run that are there."""
    return {path.name for path in (folder / "plots").glob("*") if path.stat().st_size}


@dataclass
class Tally:
    """What is counted."""

    kills: Counter[str] = field(default_factory=Counter)
    cold: int = 0
    runs: int = 0
    different: int = 0
    plots_missing: int = 0
    processes_left: int = 0
    stuck: list[str] = field(default_factory=list)
    slowest_stop: tuple[float, str] = (0.0, "none")


def undisturbed(case: Case, root: Path, cache: Path) -> None:
    """Run with an empty cache and again with what that left, and keep what it gives."""
    seconds = []
    for k in range(2):
        folder, began, log = root / f"{case.file.stem}_{k}", time.monotonic(), root / f"{case.file.stem}.log"
        if start(case.command(folder), cache, log).wait():
            raise RuntimeError(f"{case.name}: {log.read_text()}")
        seconds.append(time.monotonic() - began)
        arrays = results(case, folder)
        if case.arrays and arrays != case.arrays:
            raise RuntimeError(f"{case.name}: other bits with a warm cache")
        case.arrays, case.plots = arrays, plots(folder)
    case.seconds = seconds[1], seconds[0]


def strike(case: Case, process: subprocess.Popen[bytes], how: str, delay: float, tally: Tally) -> bool:
    """Let the process run for `delay` and kill it, unless it kills itself; returns whether it was killed."""
    try:
        process.wait(None if how == "inside" else delay)
    except subprocess.TimeoutExpired:
        began = time.monotonic()
        process.send_signal(signal.SIGTERM if how == "SIGTERM" else signal.SIGKILL)
        process.wait()
        if how == "SIGTERM" and not case.is_sweep:  # which gives its runs time to commit
            tally.slowest_stop = max(tally.slowest_stop, (time.monotonic() - began, case.name))
        return True
    return process.returncode == -signal.SIGKILL


def count_left(session: int, tally: Tally) -> None:
    """Wait for the processes of a sweep, which notice their parent's death; what is left then is counted and killed."""
    deadline = time.monotonic() + 15.0
    while (left := session_members(session)) and time.monotonic() < deadline:
        time.sleep(0.1)
    tally.processes_left += len(left)
    for pid in left:
        os.kill(pid, signal.SIGKILL)


def one_run(case: Case, root: Path, warm: Path, moments: random.Random, tally: Tally) -> None:
    """Kill a run and go on with it a few times, let it end, and compare."""
    number = tally.runs
    tally.runs += 1
    folder, log, kills = root / f"run{number}", root / f"run{number}.log", moments.randrange(1, MOST_KILLS + 1)
    for k in range(kills):
        how, cold = HOW[(number + k) % len(HOW)], (number // 2 + k) % 2 == 0
        cache = root / f"cache{number}_{k}" if cold else warm
        inside = moments.randrange(250) if how == "inside" else None
        process = start(case.command(folder), cache, log, inside)
        killed = strike(case, process, how, moments.uniform(0.0, case.seconds[cold]), tally)
        count_left(process.pid, tally)
        tally.kills[how] += killed
        tally.cold += killed and cold
        if not killed:
            break
    process = start(case.command(folder), warm, log)
    failed = process.wait()
    count_left(process.pid, tally)
    if failed:
        tally.stuck.append(f"{case.name}: {log.read_text(errors='replace').strip()}")
        return
    tally.different += results(case, folder) != case.arrays
    tally.plots_missing += len(case.plots - plots(folder))


def main() -> bool:
    """Kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2, help="runs at a time (default: 2)")
    options = parser.parse_args()
    report = Report(f"Kill and resume: {options.kills} kills at random moments, seed {options.seed}")
    tally, draw = Tally(), random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(options.processes) as pool:
        root = Path(scratch)
        cases = [Case(name, root / f"kind{k}.toml") for k, name in enumerate(KINDS)]
        for case in cases:
            case.file.write_text(KINDS[case.name])
        list(pool.map(lambda case: undisturbed(case, root, root / "warm"), cases))
        slowest = max(case.seconds[1] for case in cases)
        report.note(f"{len(cases)} kinds of run; up to {slowest:.0f} s with an empty cache")

        def work(k: int) -> None:
            while sum(tally.kills.values()) < options.kills:
                case = cases[tally.runs % len(cases)]
                one_run(case, root, root / "warm", random.Random(draw.random()), tally)

        list(pool.map(work, range(options.processes)))
    kills = sum(tally.kills.values())
    report.note(f"{tally.runs} runs; kills: {dict(tally.kills)}, {tally.cold} with an empty numba cache")
    seconds, name = tally.slowest_stop
    report.note(f"longest time from SIGTERM to the end of the process: {seconds:.1f} s ({name})")
    for line in tally.stuck:
        report.note(line)
    report.check("kills still missing", max(0, options.kills - kills), 0)
    report.check("kills with an empty cache, of half of them missing", max(0.0, 0.4 * kills - tally.cold), 0)
    report.check(f"results, of {tally.runs}, with other bytes than the undisturbed run", tally.different, 0)
    report.check("plots missing", tally.plots_missing, 0)
    report.check("processes left", tally.processes_left, 0)
    report.check("folders that cannot go on", len(tally.stuck), 0)
    # Imports and the end of a run with a signal in them come on top, and other processes.
    report.check("seconds from SIGTERM to the end, at the most", seconds, 2 * SIGTERM_S)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
