"""One BLAS thread against as many as there are cores, on free and on busy cores: `python -m validation.blas_threads`.

A two-dimensional device of 8 x 10 sites with sixteen chain leads is set up and its error budget computed, once as the
package does it and once with BLAS left alone; then again while every core has another process to run. Children of this
script measure, each with its own number of threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

import llgnegf as ln
from llgnegf import _blas as blas
from validation._report import Report, run_as_script

LENGTH, WIDTH = 10, 8


def device() -> ln.OpenSystem:
    """A square lattice, hopping 1 eV, with a chain on every site of two opposite edges."""
    sites = np.arange(LENGTH * WIDTH).reshape(LENGTH, WIDTH)
    hamiltonian = np.zeros((sites.size, sites.size))
    for a, b in ((sites[1:], sites[:-1]), (sites[:, 1:], sites[:, :-1])):
        hamiltonian[a, b] = hamiltonian[b, a] = -1.0
    leads = [ln.ChainLead(site=int(i)) for i in (*sites[0], *sites[-1])]
    return ln.OpenSystem(ln.Electrons(np.kron(hamiltonian, np.eye(2)), 0.2), leads, 0.0, 0.1)


def measure(limited: bool) -> dict[str, float]:
    """Wall and CPU seconds in this process, everything compiled before."""
    blas.LARGEST_SERIAL = blas.LARGEST_SERIAL if limited else -1
    system, moments = device(), ln.uniform(LENGTH * WIDTH, [0.3, 0.0, 1.0])
    ln.Simulation(ln.OpenSystem(ln.chain(2), [ln.ChainLead(0)], 0.0, 0.1), ln.Frozen(moments[:2]), t_end=1.0)
    wall, cpu = perf_counter(), process_time()
    ln.Simulation(system, ln.Frozen(moments), t_end=1.0, rtol=1e-4).error_budget()
    return {"wall": perf_counter() - wall, "cpu": process_time() - cpu}


def in_child(limited: bool) -> dict[str, float]:
    """`measure` in a process whose libraries take one thread a core."""
    command = [sys.executable, "-m", "validation.blas_threads", "limited" if limited else "free"]
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    root = Path(__file__).parents[1]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@contextmanager
def busy() -> Iterator[None]:
    """Another process for every core."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def compare(report: Report, cores: str, bound: float) -> None:
    """One thread against the default: wall time may be `bound` times as long."""
    one, many = in_child(True), in_child(False)
    report.note(f"{cores} cores: one thread {one['wall']:.1f} s ({one['cpu']:.1f} s CPU), default {many['wall']:.1f} s "
                f"({many['cpu']:.1f} s CPU)")  # fmt: skip
    report.check(f"{cores} cores: wall time with one BLAS thread, over that with the default",
                 one["wall"] / many["wall"], bound)  # fmt: skip


def main() -> bool:
    report = Report(f"BLAS threads: a device of {LENGTH * WIDTH} sites on {os.cpu_count()} cores")
    compare(report, "free", 1.25)
    with busy():
        compare(report, "busy", 1.0)
    return report.all_hold()


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(measure(sys.argv[1] == "limited")))
    else:
        run_as_script(main)
