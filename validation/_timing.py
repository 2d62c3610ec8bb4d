"""Measuring tools of `benchmark`: the systems, CPU times, memory bandwidth, and measurements in processes of their own.

Times are CPU seconds, minimum over repeats, so that other work on the machine counts little; only where threads are
compared they are wall times. Roofline of a right-hand side: the state is read once and the derivative written once, 16
bytes for each float64 of the state, at the bandwidth of a copy

- between two arrays of several hundred MB: main memory, what every algorithm needs whose states are not in a cache;
- between two arrays of the state's own size: the cache that both fit into. A kernel that does nothing but read and
  write reaches it; one that computes more than it moves does not, however good it is.

`python -m validation._timing threads` and `... fast RTOL` are what child processes run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

import llgnegf as ln
from llgnegf.run.simulation import Simulation
from llgnegf.units import HBAR

RTOL = 1e-6
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
MAIN_MEMORY = 2**25
"""Numbers in each of the two arrays whose copy measures main memory: 256 MB, several times any cache."""


def wall(n_sites: int) -> np.ndarray:
    """A Bloch wall in the middle, of the paper's width for the paper's seven sites."""
    width = 0.9 if n_sites <= 7 else n_sites / 20
    return ln.bloch_wall(n_sites, (n_sites + 1) / 2, width)


def leads() -> list[ln.ChainLead]:
    """Chain leads on both ends, gamma = gamma_c = 1 eV."""
    return [ln.ChainLead(0), ln.ChainLead(-1)]


def wire(n_sites: int, j_sd: float, kT: float = 0.01) -> ln.OpenSystem:
    """The paper's chain, gamma = 1 eV."""
    return ln.OpenSystem(ln.chain(n_sites, 1.0, j_sd), leads(), 0.0, kT)


def fastest(function: Callable[[], Any], budget: float = 0.4, clock: Callable[[], float] = process_time) -> float:
    """Seconds of one call, minimum over blocks of calls that together take about `budget` seconds."""
    function()
    began = clock()
    function()
    count = max(1, int(0.02 * budget / max(clock() - began, 1e-7)))
    best, end = np.inf, clock() + budget
    while clock() < end:
        began = clock()
        for _ in range(count):
            function()
        best = min(best, (clock() - began) / count)
    return best


@dataclass
class Slowness:
    """What other work on the machine costs at the moment; CPU seconds grow when cores share their units or caches."""

    fastest: float = np.inf

    def now(self) -> float:
        """Time of a fixed piece of work in units of its smallest one so far."""
        matrix = np.ones((300, 300))
        seconds = fastest(lambda: matrix @ matrix, 0.05)
        self.fastest = min(self.fastest, seconds)
        return seconds / self.fastest


def cache_roofline(floats: int) -> float:
    """Seconds to copy an array of that many float64."""
    source, target = np.ones(floats), np.ones(floats)
    return fastest(lambda: np.copyto(target, source), 0.2)


@cache
def bandwidth() -> float:
    """Bytes per second, read and written, of a copy in main memory on one core: the best of six pairs of arrays."""
    return 16 * MAIN_MEMORY / min(cache_roofline(MAIN_MEMORY) for _ in range(6))


def shared_bandwidth() -> float:
    """That of two threads that copy at a time, wall clock: what a machine's memory lets two cores gain."""
    pairs = [(np.ones(MAIN_MEMORY), np.ones(MAIN_MEMORY)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:

        def both() -> None:
            list(pool.map(lambda pair: np.copyto(*pair), pairs))

        return 32 * MAIN_MEMORY / min(fastest(both, 0.2, perf_counter) for _ in range(6))


def main_memory_roofline(floats: int) -> float:
    """Seconds to read and to write that many float64 at the bandwidth of main memory."""
    return 16 * floats / bandwidth()


def rhs_time(simulation: Simulation, budget: float = 0.4, clock: Callable[[], float] = process_time) -> float:
    """Seconds of a right-hand side of a run, at its start."""
    state = simulation.state
    out = np.zeros_like(state)
    return fastest(lambda: simulation.equation(0.0, state, out), budget, clock)


def start(system: ln.OpenSystem, motion: Any, t_end: float, rows: int = 1, **options: Any) -> Simulation:
    """A run of `t_end` hbar/gamma that saves `rows` rows after the first."""
    return Simulation(system, motion, t_end=t_end * HBAR, save_every=t_end * HBAR / rows, **options)


def finish(simulation: Simulation) -> dict[str, np.ndarray]:
    """Run to the end; the last row."""
    last: dict[str, np.ndarray] = {}
    for _, row in simulation.rows():
        last = row
    return last


def run(
    system: ln.OpenSystem, motion: Any, t_end: float, rows: int = 1, **options: Any
) -> tuple[float, Simulation, dict[str, np.ndarray]]:
    """CPU seconds with the set-up, simulation and last row of a run."""
    began = process_time()
    simulation = start(system, motion, t_end, rows, **options)
    last = finish(simulation)
    return process_time() - began, simulation, last


def last_interval(simulation: Simulation) -> tuple[float, int]:
    """CPU seconds and right-hand sides from the last row but one of a run to its last."""
    marks = [(process_time(), int(simulation.statistics["right_hand_sides"])) for _ in simulation.rows()]
    return marks[-1][0] - marks[-2][0], marks[-1][1] - marks[-2][1]


def advance_time(simulation: Simulation, clock: Callable[[], float] = process_time) -> float:
    """Seconds from the first row of a run to its last: without the set-up."""
    rows = simulation.rows()
    next(rows)
    began = clock()
    for _ in rows:
        pass
    return clock() - began


CHILD = """
import json, sys, time
t = time.perf_counter(); import llgnegf as ln; imported = time.perf_counter() - t
n, j = int(sys.argv[1]), float(sys.argv[2])
wall = ln.bloch_wall(n, (n + 1) / 2, 0.9 if n <= 7 else n / 20)
system = ln.OpenSystem(ln.chain(n, 1.0, j), [ln.ChainLead(0), ln.ChainLead(-1)], 0.0, 0.01)
t = time.process_time()
ln.simulate(system, ln.Precession(wall, 0.05), t_end=float(sys.argv[3]), save_every=1.0)
first = time.process_time() - t
# Not getrusage: its maximum is that of the parent process if that was larger when it started this one.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([imported, first, int(peak.split()[1]) / 1024]))
"""


def in_child(n_sites: int, j_sd: float, t_end: float, **environment: str) -> list[float]:
    """(import seconds, CPU seconds of a run with what it compiles, peak memory in MB) of a new process (Linux)."""
    return _child(["-c", CHILD, str(n_sites), str(j_sd), str(t_end)], environment)


def in_threads(count: int) -> list[list[float]]:
    """For each of the THREAD_SITES the wall seconds of a right-hand side and of a short run with `count` threads."""
    return _child(["-m", "validation._timing", "threads"], dict.fromkeys(THREADS, str(count)))


def _child(arguments: list[str], environment: dict[str, str]) -> Any:
    root = Path(__file__).parents[1]
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=os.environ | environment, cwd=root, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def fast_wall(rtol: float, kT: float) -> tuple[float, np.ndarray]:
    """CPU seconds and spin density every 10 hbar/gamma: seven sites, J = 0.1, hbar w = 0.05, t = 130 hbar/gamma."""
    began = process_time()
    simulation = start(wire(7, 0.1, kT), ln.Precession(wall(7), 0.05), 130.0, 13, rtol=rtol)
    rows = [row["spin_density"] for _, row in simulation.rows()]
    return process_time() - began, np.array(rows)


def fast_wall_alone(rtol: float, kT: float) -> float:
    """CPU seconds of `fast_wall` in a new process, after a short run of another system has loaded what is compiled."""
    return _child(["-m", "validation._timing", "fast", str(rtol), str(kT)], {})


def _fast() -> float:
    finish(start(wire(3, 0.2, 0.05), ln.Precession(wall(3), 0.05), 5.0, 5, rtol=1e-4))
    return fast_wall(float(sys.argv[2]), float(sys.argv[3]))[0]


THREAD_SITES = {7: 60.0, 101: 30.0, 301: 3.0}
"""Sites, and the length of the run in hbar/gamma."""


def threads() -> list[list[float]]:
    """What `in_threads` returns, in this process with its number of threads."""
    seconds = []
    for n_sites, length in THREAD_SITES.items():
        best = np.inf
        for _ in range(3 if n_sites < 301 else 1):
            simulation = start(wire(n_sites, 0.1), ln.Precession(wall(n_sites), 0.05), length, rtol=RTOL)
            rhs = rhs_time(simulation, 0.5, perf_counter)
            best = min(best, advance_time(simulation, perf_counter))
        seconds.append([rhs, best])
    return seconds


if __name__ == "__main__":
    print(json.dumps({"threads": threads, "fast": _fast}[sys.argv[1]]()))
