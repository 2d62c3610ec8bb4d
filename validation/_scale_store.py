"""Measuring tools of `scale`: what commits and rows of a large device cost, and its memory against the estimate.

`python -m validation._scale_store storing N_X N_Y T_END` and `... memory N_X N_Y` print one JSON line each; N_Y = 1 is
a chain. Times are wall seconds, since waiting for the disk is part of them; memory is the peak of a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import llgnegf as ln
from llgnegf.equations.sample import Sampler
from llgnegf.integrators.integration import Integration
from llgnegf.run.recorder import Recorder
from llgnegf.run.simulation import Simulation
from llgnegf.store import RunFolder, run_in_folder
from llgnegf.store.checkpoint import Checkpoint
from llgnegf.store.segments import Tail

RTOL = 1e-5


def ribbon(n_x: int, n_y: int) -> tuple[ln.OpenSystem, ln.Precession]:
    """The wall on a square ribbon between ribbon leads that issue 18 measures with."""
    lattice = ln.square(n_x, n_y)
    leads = [lattice.lead("left"), lattice.lead("right")]
    system = ln.OpenSystem(lattice.electrons(1.0, j_sd=0.1), leads, fermi_energy=0.0, kT=0.02)
    wall = ln.bloch_wall(lattice, center=(n_x - 1) / 2, width=2.0)
    return system, ln.Precession(wall, energy=0.05, axis="z", ramp=20.0)


class Clock:
    """Seconds within functions while they are watched; calls within calls count once."""

    def __init__(self) -> None:
        self.seconds, self.calls, self._inside = 0.0, 0, False

    @contextmanager
    def watching(self, *places: tuple[type, str]) -> Iterator[Clock]:
        """Replaces the methods meanwhile by timed ones."""
        before = [(owner, name, getattr(owner, name)) for owner, name in places]
        for owner, name, method in before:
            setattr(owner, name, self._timed(method))
        try:
            yield self
        finally:
            for owner, name, method in before:
                setattr(owner, name, method)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def timed(*arguments: Any, **named: Any) -> Any:
            if self._inside:
                return method(*arguments, **named)
            self._inside, began = True, perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                self._inside = False
                self.seconds += perf_counter() - began
                self.calls += 1

        return timed


def storing(n_x: int, n_y: int, t_end: float, save_every: float = 1.0, every_s: float = 5.0) -> dict[str, float]:
    """A run of `ribbon` in a folder beside this file's output: its seconds, and what commits and rows take of them.

    Rows are samples at each step, interpolation, the method inside its steps, and columns; right-hand sides of the end
    of a step, which the next one uses, are none of theirs.
    """
    for _ in Simulation(*ribbon(3, 2), t_end=1.0, save_every=0.5, rtol=RTOL).rows():
        pass  # kernels
    run = Simulation(*ribbon(n_x, n_y), t_end=t_end, save_every=save_every, rtol=RTOL)
    commits, rows = Clock(), Clock()
    with (
        TemporaryDirectory(dir=Path(__file__).parent) as folder,
        commits.watching((Checkpoint, "write"), (Tail, "write")),
        rows.watching((Sampler, "__call__"), (Recorder, "row"), (Integration, "inside")),
    ):
        kept = RunFolder.create(Path(folder, "run"), "t_end = 1.0\n", ["validation"])
        began = perf_counter()
        run_in_folder(kept, run, commit_every_s=every_s)
        wall = perf_counter() - began
        size = max(path.stat().st_size for path in kept.path.glob("checkpoint-*"))
    return {
        "state_MB": run.state.nbytes / 1e6, "checkpoint_MB": size / 1e6, "rows": run.row, "wall_s": wall,
        "commits": commits.calls, "commits_share": commits.seconds / wall, "rows_share": rows.seconds / wall,
    }  # fmt: skip


def memory(n_x: int, n_y: int) -> dict[str, float]:
    """MB of the process before a run of `ribbon`, at its peak, and the run's own estimate of what is between."""
    for _ in Simulation(*ribbon(3, 2), t_end=1.0, save_every=0.5, rtol=RTOL).rows():
        pass
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
    run = Simulation(*ribbon(n_x, n_y), t_end=1.0, save_every=0.5, rtol=RTOL)
    for _ in run.rows():
        pass
    return {"before_MB": before, "peak_MB": _status("VmHWM"), "estimate_MB": run.statistics["memory_MB"]}


def in_process(what: str, *sizes: float) -> dict[str, float]:
    """`storing` or `memory` in a process of its own."""
    command = [sys.executable, "-m", "validation._scale_store", what, *map(str, sizes)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _status(name: str) -> float:
    (line,) = (one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    n_x, n_y, *t_end = sys.argv[2:]
    measured = storing(int(n_x), int(n_y), float(t_end[0])) if sys.argv[1] == "storing" else memory(int(n_x), int(n_y))
    print(json.dumps(measured))
