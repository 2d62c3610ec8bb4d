"""Measuring tools of `scale`: seconds of right-hand sides, steps, starts and runs of large devices.

`python -m validation._scale_speed NAME N_X N_Y ...` prints one JSON line; a process of its own has the threads that its
environment says, and a peak memory of its own. N_Y = 1 is a chain. Seconds are of the wall clock.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import llgnegf as ln
from llgnegf.run.simulation import Simulation
from llgnegf.units import HBAR
from validation._scale_store import RTOL, ribbon
from validation._timing import bandwidth

REPEATS = 7


def system_of(n_x: int, n_y: int) -> tuple[ln.OpenSystem, ln.Precession]:
    """The ribbon of `_scale_store`, or a chain of n_x sites with a wall in its middle."""
    if n_y > 1:
        return ribbon(n_x, n_y)
    wall = ln.bloch_wall(n_x, (n_x + 1) / 2, 0.9 if n_x <= 7 else n_x / 20)
    system = ln.OpenSystem(ln.chain(n_x, 1.0, 0.1), [ln.ChainLead(0), ln.ChainLead(-1)], 0.0, 0.02)
    return system, ln.Precession(wall, 0.05, axis="z", ramp=20.0)


def warm() -> None:
    """Load what is compiled, and BLAS."""
    for n_y in (1, 2):
        for _ in Simulation(*system_of(3, n_y), t_end=1.0, save_every=0.5, rtol=1e-3).rows():
            pass


def seconds(function: Any, least: float = 0.05) -> float:
    """Median wall seconds of one call."""
    function()
    taken: list[float] = []
    while len(taken) < REPEATS or (sum(taken) < least and len(taken) < 1000):
        began = perf_counter()
        function()
        taken.append(perf_counter() - began)
    return float(np.median(taken))


def peak() -> float:
    """Largest memory of this process so far in MB (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


class Watched:
    """An equation whose right-hand sides are timed, those of small systems (all stages in one call) apart."""

    def __init__(self, equation: Any) -> None:
        self._equation, self.seconds = equation, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._equation, name)

    def __call__(self, *arguments: Any) -> None:
        began = perf_counter()
        self._equation(*arguments)
        self.seconds += perf_counter() - began


def steps(n_x: int, n_y: int, length: float = 6.0) -> dict[str, Any]:
    """Right-hand sides and whole steps, each as seconds for one right-hand side, at the start of a short run.

    "rhs": alone, again and again, which finds its vectors in the last cache; "inside": between the sums of its steps.
    """
    simulation = Simulation(*system_of(n_x, n_y), t_end=length * HBAR, save_every=length * HBAR, rtol=RTOL)
    state, equation = simulation.state, simulation.equation
    out = np.zeros_like(state)
    rhs = seconds(lambda: equation(0.0, state, out))
    integration, before = simulation._dense.integration, equation.evaluations
    for _ in range(2):
        integration.step_towards(np.inf)
    method = integration.stepper
    method.equation = watched = Watched(equation)
    before, began = equation.evaluations, perf_counter()
    while perf_counter() - began < 1.0 or equation.evaluations - before < 36:
        integration.step_towards(np.inf)
    count = equation.evaluations - before
    taken = (perf_counter() - began) / count
    digest = sha256(out.tobytes()).hexdigest()
    main_memory = 16 * state.size / bandwidth()
    inside = watched.seconds / count if watched.seconds else None
    return {"bytes": state.nbytes, "rhs": rhs, "inside": inside, "step": taken, "copy": main_memory, "bits": digest}


def start(n_x: int, n_y: int, length: float = 700.0) -> dict[str, Any]:
    """The start of a run with its error budget."""
    system, motion = system_of(n_x, n_y)
    began = perf_counter()
    simulation = Simulation(system, motion, t_end=length * HBAR, save_every=length * HBAR, rtol=RTOL)
    taken = perf_counter() - began
    modes = int(simulation.statistics["coupling_modes"])
    return {"start": taken, "modes": modes, "bytes": 8 * simulation.equation.size, "peak": peak()}


def run(n_x: int, n_y: int, length: float) -> dict[str, Any]:
    """A whole run of `length` hbar/gamma with 70 rows."""
    began = perf_counter()
    system, motion = system_of(n_x, n_y)
    simulation = Simulation(system, motion, t_end=length * HBAR, save_every=length * HBAR / 70, rtol=RTOL)
    started = perf_counter() - began
    for _ in simulation.rows():
        pass
    taken, statistics = perf_counter() - began, simulation.statistics
    rhs = int(statistics["right_hand_sides"])
    return {"start": started, "all": taken, "rhs": rhs, "bytes": 8 * simulation.equation.size, "peak": peak()}


def oracle(n_x: int, n_y: int, fermi_energy: float = 0.382) -> dict[str, Any]:
    """The rotating frame: four parts, lead currents and the exact density matrix; a band edge in the window."""
    system, motion = system_of(n_x, n_y)
    system = ln.OpenSystem(system.electrons, system.leads, fermi_energy, 0.01)
    began = perf_counter()
    frame = ln.RotatingFrame(system, motion.moments(0.0), energy=0.05, axis="z")
    frame.decompose()
    frame.lead_currents()
    frame.density_matrix()
    return {"oracle": perf_counter() - began, "peak": peak()}


def relax(n_x: int, n_y: int) -> dict[str, Any]:
    """`ln.relax` of a wall with the ribbon's electrons."""
    lattice = ln.square(n_x, n_y)
    electrons = lattice.electrons(1.0, j_sd=0.3)
    system = ln.OpenSystem(electrons, [lattice.lead("left"), lattice.lead("right")], 0.0, 0.05)
    wall = ln.bloch_wall(lattice, center=(n_x - 1) / 2, width=2.0)
    energies = [lattice.exchange(0.05), ln.UniaxialAnisotropy(0.02, axis="z")]
    magnet = ln.Magnet(wall, magnetic_moment=2.0, damping=0.1, energies=energies)
    began = perf_counter()
    ln.relax(system, magnet)
    return {"relax": perf_counter() - began}


WHAT = {f.__name__: f for f in (steps, start, run, oracle, relax)}


def in_child(name: str, *arguments: float, threads: int | None = 2, tree: Path | None = None) -> dict[str, Any]:
    """What one of the functions gives in a new process with a number of threads, of the package in `tree` perhaps."""
    root = Path(__file__).parents[1]
    own = {} if threads is None else dict.fromkeys(("LLGNEGF_NUM_THREADS", "OMP_NUM_THREADS"), str(threads))
    path = os.pathsep.join(map(str, [*([tree] if tree else []), root]))
    command = [sys.executable, "-m", "validation._scale_speed", name, *map(str, arguments)]
    environment = os.environ | own | {"PYTHONPATH": path}
    done = subprocess.run(command, env=environment, cwd=tree or root, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    warm()
    print(json.dumps(WHAT[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]), *map(float, sys.argv[4:]))))
