"""Cost of the propagator: right-hand side against its roofline, whole runs, scaling, memory, compilation, import.
Run `python validation/benchmark.py [--quick]` (some five minutes; --quick one, without the longest runs).

Times are CPU seconds, minimum over repeats, so that other work on the machine counts little. Roofline of a right-hand
side: the state is read and the derivative written, 16 bytes for each float64 of the state, at the bandwidth of a copy
between two arrays of that size, which for small systems is the bandwidth of the cache that they fit into.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # before numpy starts its threads; a child process is told otherwise
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

import json
import resource
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

import numpy as np

import llgnegf as ln
from llgnegf.dynamics.coupled import CoupledEquation
from llgnegf.dynamics.equation import Equation
from llgnegf.magnetism.motion import Precession
from llgnegf.poles.channels import expand
from llgnegf.simulation import Simulation, _initial_state
from llgnegf.units import HBAR
from validation._report import OUTPUT, Report, run_as_script

SITES, COUPLINGS = (1, 7, 21, 101, 301), (0.1, 1.0, 20.0)
RTOL = 1e-6


@dataclass(frozen=True)
class Timing:
    """One right-hand side: size of the state, seconds, seconds at the roofline."""

    floats: int
    seconds: float
    roofline: float


def wall(n_sites: int) -> np.ndarray:
    """A Bloch wall in the middle, of the paper's width for the paper's seven sites."""
    width = 0.9 if n_sites <= 7 else n_sites / 20
    return ln.bloch_wall(n_sites, (n_sites + 1) / 2, width)


def wire(n_sites: int, j_sd: float, kT: float = 0.01) -> ln.OpenSystem:
    """The paper's chain between two chain leads, gamma = gamma_c = 1 eV."""
    return ln.OpenSystem(ln.chain(n_sites, 1.0, j_sd), [ln.ChainLead(0), ln.ChainLead(-1)], 0.0, kT)


def fastest(function: Callable[[], Any], budget: float = 0.4) -> float:
    """CPU seconds of one call, minimum over blocks of calls that together take about `budget` seconds."""
    function()
    began = process_time()
    function()
    count = max(1, int(0.02 * budget / max(process_time() - began, 1e-7)))
    best, end = np.inf, process_time() + budget
    while process_time() < end:
        began = process_time()
        for _ in range(count):
            function()
        best = min(best, (process_time() - began) / count)
    return best


def copy_time(floats: int) -> float:
    """Seconds to read and write that many float64."""
    source, target = np.ones(floats), np.ones(floats)
    return fastest(lambda: np.copyto(target, source), 0.1)


def right_hand_side(n_sites: int, j_sd: float) -> Timing:
    """`Equation` on a thermal-size state of random numbers (its cost does not depend on the values)."""
    equation = Equation(expand(wire(n_sites, j_sd), RTOL, 0.1 * RTOL), Precession(wall(n_sites), 0.001))
    state = np.random.default_rng(0).normal(size=equation.layout.size)
    out = np.zeros_like(state)
    return Timing(state.size, fastest(lambda: equation(0.3, state, out)), copy_time(state.size))


def coupled_overhead() -> float:
    """Relative extra cost of a right-hand side with the LLG equation, seven sites."""
    texture, poles = wall(7), expand(wire(7, 0.1), RTOL, 0.1 * RTOL)
    energies = [ln.Exchange(0.1), ln.UniaxialAnisotropy(0.02, axis="z"), ln.Zeeman([0, 0, 10.0])]
    magnet = ln.Magnet(texture, magnetic_moment=4.0, damping=0.02, energies=energies)
    plain, coupled = Equation(poles, Precession(texture, 0.001)), CoupledEquation(poles, magnet)
    seconds = []
    for equation, motion in ((plain, plain.motion), (coupled, magnet)):
        state = _initial_state(equation, poles, motion, "thermal", None)  # type: ignore[arg-type]
        out = np.zeros_like(state)
        seconds.append(fastest(lambda e=equation, s=state, o=out: e(0.3, s, o), 1.0))  # type: ignore[misc]
    return seconds[1] / seconds[0] - 1


def run(
    system: ln.OpenSystem, motion: Any, t_end: float, rows: int = 1, **options: Any
) -> tuple[float, Simulation, Any]:
    """CPU seconds, simulation and last row of a run of `t_end` hbar/gamma that saves `rows` rows."""
    began = process_time()
    simulation = Simulation(system, motion, t_end=t_end * HBAR, save_every=t_end * HBAR / rows, **options)
    last: dict[str, np.ndarray] = {}
    for _, row in simulation.rows():
        last = row
    return process_time() - began, simulation, last


def fast_wall(report: Report) -> None:
    """Seven sites, J = 0.1, hbar w = 0.05, t = 130: error against a run at rtol = 1e-9, and what kT does."""
    motion, kT = Precession(wall(7), 0.05), 5e-4

    def spin(temperature: float, rtol: float) -> tuple[float, np.ndarray, Simulation]:
        seconds, simulation, row = run(wire(7, 0.1, temperature), motion, 130.0, 26, rtol=rtol)
        return seconds, row["spin_density"], simulation

    reference = spin(kT, 1e-9)[1]
    # Sommerfeld: the effect of kT falls as kT^2; from kT to 2 kT it changes by three times what is left at kT.
    thermal = np.abs(spin(2 * kT, 1e-9)[1] - reference).max() / 3
    report.check("wall at hbar w = 0.05, t = 130: effect of kT = 0.5 meV on the spin density", thermal, 1e-7)
    rtol = 1e-7
    trials = [spin(kT, rtol) for _ in range(3)]
    seconds, found, simulation = min(trials, key=lambda x: x[0])
    report.check(
        f"the same, rtol = {rtol:g}: largest error of the spin density", np.abs(found - reference).max(), 2.4e-7
    )
    report.check("the same: CPU seconds after compilation (tkwant 1.1: 685)", seconds, 0.5)
    report.note(f"{dict(simulation.statistics)}")


def slow_wall(report: Report, j_sd: float, bound: float, period: float) -> None:
    """Seven sites, hbar w = 0.001: seconds for one period, nonadiabatic torque against the rotating frame."""
    system, texture = wire(7, j_sd), wall(7)
    motion = Precession(texture, 0.001, ramp=min(1000.0, 0.2 * period) * HBAR)
    frame = ln.RotatingFrame(system, texture, 0.001, tolerance=1e-11)
    change = ln.spin_density(frame.density_matrix()) - ln.spin_density(frame.decompose().adiabatic)
    exact = j_sd * np.cross(change, texture)
    seconds, simulation, row = run(
        system, motion, period, 1, rtol=1e-5 if j_sd <= 1 else 1e-4, observables=("adiabatic",)
    )
    moments = row["moments"]
    got = ln.field_like_damping_like(row["torque_nonadiabatic"], moments, np.cross([0.0, 0.0, 1.0], moments))
    want = ln.field_like_damping_like(exact, texture, np.cross([0.0, 0.0, 1.0], texture))
    error = np.hypot(got.field_like - want.field_like, got.damping_like - want.damping_like).max()
    full, total = 2000 * np.pi, seconds
    if period < full:  # what a longer run adds, the set-up not counted twice
        half = run(system, motion, 0.5 * period, 1, rtol=1e-5 if j_sd <= 1 else 1e-4)[0]
        total += (seconds - half) / (0.5 * period) * (full - period)
    report.check(
        f"hbar w = 0.001, J = {j_sd:g}: nonadiabatic torque against the oracle", error / np.abs(exact).max(), 0.01
    )
    report.check(f"the same: CPU seconds for 6283 hbar/gamma (measured over {period:.0f})", total, bound)
    report.note(
        f"{dict(simulation.statistics)}, {simulation.statistics['right_hand_sides'] / period:.1f} per hbar/gamma"
    )


def flat_in_time(report: Report) -> None:
    """Seconds per unit of simulated time over a run, late against early."""
    simulation = Simulation(wire(7, 0.1), Precession(wall(7), 0.05), t_end=800 * HBAR, save_every=100 * HBAR, rtol=RTOL)
    marks = []
    for _ in simulation.rows():
        marks.append(process_time())
    pieces = np.diff(marks)
    report.check(
        "time per simulated time, last quarter over second quarter", pieces[-2:].min() / pieces[2:4].min(), 1.2
    )


def saving(report: Report) -> None:
    """Relative cost of a row every fs, seven sites."""
    end = 100.0 / HBAR
    pairs = [
        [run(wire(7, 0.1), Precession(wall(7), 0.001), end, rows, rtol=RTOL)[0] for rows in (1, 100)] for _ in range(4)
    ]
    few, many = np.min(pairs, axis=0)
    report.check("cost of saving every 1 fs", many / few - 1, 0.1)


CHILD = """
import json, resource, sys, time
t = time.perf_counter(); import llgnegf as ln; imported = time.perf_counter() - t
n, j = int(sys.argv[1]), float(sys.argv[2])
wall = ln.bloch_wall(n, (n + 1) / 2, 0.9 if n <= 7 else n / 20)
system = ln.OpenSystem(ln.chain(n, 1.0, j), [ln.ChainLead(0), ln.ChainLead(-1)], 0.0, 0.01)
t = time.process_time()
ln.simulate(system, ln.Precession(wall, 0.05), t_end=float(sys.argv[3]), save_every=1.0)
first = time.process_time() - t
print(json.dumps([imported, first, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def in_child(n_sites: int, j_sd: float, t_end: float, **environment: str) -> list[float]:
    """(import seconds, CPU seconds of a run with what it compiles, peak memory in MB) of a new process."""
    command = [sys.executable, "-c", CHILD, str(n_sites), str(j_sd), str(t_end)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def processes(report: Report) -> None:
    """Import, memory and first compilation, each in a process of its own."""
    cached = [in_child(7, 0.1, 2.0) for _ in range(2)]
    report.check("import llgnegf, seconds", min(c[0] for c in cached), 0.5)
    report.check("peak memory of a seven-site run, MB", min(c[2] for c in cached), 200)
    with tempfile.TemporaryDirectory() as empty:
        first = in_child(7, 0.1, 2.0, NUMBA_CACHE_DIR=empty)[1]
    report.check("first compilation, CPU seconds", first - min(c[1] for c in cached), 15)


def table(report: Report, sizes: tuple[int, ...]) -> dict[int, Timing]:
    """Right-hand sides, their number, error of the thermal start against the oracle, memory, for all N and J_sd."""
    report.note(
        "    N  J_sd  floats      rhs/us  roofline/us  ratio  rhs/(hbar/gamma)  s/(1000 hbar/gamma)  error <s>   MB"
    )
    timings = {}
    for n in sizes:
        memory = in_child(n, 0.1, 1.0)[2]
        for j_sd in COUPLINGS:
            timing = right_hand_side(n, j_sd)
            timings.setdefault(n, timing)
            per_time = steps_per_time(n, j_sd) if n <= 21 else float("nan")
            cost = 1000 * per_time * timing.seconds
            report.note(
                f"{n:5d} {j_sd:5g} {timing.floats:8d} {1e6 * timing.seconds:10.2f} {1e6 * timing.roofline:12.2f}"
                f" {timing.seconds / timing.roofline:6.2f} {per_time:17.1f} {cost:20.2f} {start_error(n, j_sd):10.1e}"
                f" {memory:5.0f}"
            )
    return timings


def start_error(n_sites: int, j_sd: float) -> float:
    """Largest error of the thermal start's spin density against the oracle at rest (the pole expansions')."""
    poles, motion = expand(wire(n_sites, j_sd), RTOL, 0.1 * RTOL), Precession(wall(n_sites), 0.001)
    equation = Equation(poles, motion)
    start = _initial_state(equation, poles, motion, "thermal", None)
    frame = ln.RotatingFrame(wire(n_sites, j_sd), wall(n_sites), 0.0)
    exact = frame.local_density_matrix().spin_density()
    return float(np.abs(ln.spin_density(equation.layout.density_matrix(start)) - exact).max())


def steps_per_time(n_sites: int, j_sd: float) -> float:
    """Right-hand sides per hbar/gamma of a short run at hbar w = 0.05."""
    length = 20.0 if j_sd <= 1 else 3.0
    _, simulation, _ = run(wire(n_sites, j_sd), Precession(wall(n_sites), 0.05), length, 1, rtol=RTOL)
    return simulation.statistics["right_hand_sides"] / length


def threads(report: Report) -> None:
    """Wall time of the same right-hand side with one and with two threads allowed."""
    seconds = []
    for count in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        command = [sys.executable, __file__, "--one-rhs"]
        done = subprocess.run(
            command, env=os.environ | dict.fromkeys(names, count), capture_output=True, text=True, check=True
        )
        seconds.append(float(done.stdout))
    report.note(
        f"threads 1 and 2: right-hand side of 101 sites {1e6 * seconds[0]:.0f} and {1e6 * seconds[1]:.0f} us (wall)"
    )


def one_rhs() -> float:
    """Wall seconds of a right-hand side of 101 sites."""
    equation = Equation(expand(wire(101, 0.1), RTOL, 0.1 * RTOL), Precession(wall(101), 0.001))
    state = np.random.default_rng(0).normal(size=equation.layout.size)
    out, best = np.zeros_like(state), np.inf
    for _ in range(150):
        began = perf_counter()
        equation(0.3, state, out)
        best = min(best, perf_counter() - began)
    return best


def check_scaling(report: Report, timings: dict[int, Timing]) -> None:
    """Bounds on the right-hand side, and its growth with the state."""
    report.check("right-hand side of 7 sites, us", 1e6 * timings[7].seconds, 50)
    report.check("the same in units of its roofline", timings[7].seconds / timings[7].roofline, 3)
    if 301 in timings:
        report.check(
            "right-hand side of 301 sites in units of its roofline", timings[301].seconds / timings[301].roofline, 2
        )
    large = [n for n in timings if n >= 21]
    sizes = np.log([timings[n].floats for n in large])
    slope = np.polyfit(sizes, np.log([timings[n].seconds for n in large]), 1)[0]
    report.check("slope of the right-hand side's time in the number of floats, N >= 21 (1 is N^2)", slope, 1.15)


def figure(timings: dict[int, Timing]) -> None:
    """Right-hand side and roofline against N."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sizes = list(timings)
    fig, ax = plt.subplots(figsize=(5, 4))
    ax.loglog(sizes, [1e6 * timings[n].seconds for n in sizes], "o-", label="right-hand side")
    ax.loglog(sizes, [1e6 * timings[n].roofline for n in sizes], "s--", label="roofline (copy)")
    ax.set(xlabel="sites", ylabel="CPU time (us)")
    ax.legend()
    fig.tight_layout()
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "benchmark.png", dpi=120)


def main() -> bool:
    quick = "--quick" in sys.argv
    report = Report(f"Cost of the propagator{' (quick)' if quick else ''}, CPU seconds")
    processes(report)
    timings = table(report, SITES[:4] if quick else SITES)
    check_scaling(report, timings)
    figure(timings)
    report.check("coupled LLG, extra cost of a right-hand side, 7 sites", coupled_overhead(), 0.1)
    fast_wall(report)
    if not quick:
        threads(report)
        flat_in_time(report)
        saving(report)
        slow_wall(report, 0.1, 10.0, 2000 * np.pi)
        slow_wall(report, 20.0, 60.0, 100 * np.pi)
    report.note(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return report.all_hold()


if __name__ == "__main__":
    if "--one-rhs" in sys.argv:
        print(one_rhs())
    else:
        run_as_script(main)
