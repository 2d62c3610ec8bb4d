"""Cost of the propagator: right-hand side against its roofline, whole runs, scaling, memory, compilation, import.
Run `python -m validation.benchmark [--quick]` (some five minutes; --quick one, without the longest runs).

What is measured how, and what the rooflines mean: `validation/_timing.py`. Goals: a right-hand side of 7 sites in 50 us
and 3 times its main-memory roofline, of 301 sites in 2 times; time per simulated time flat in t, and with the number of
sites N growing no faster than N^2; moments that answer and a row every fs for less than 10 % each.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # before numpy starts its threads; a child process is told otherwise
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from time import process_time

import numpy as np
import scipy.sparse as sp

import llgnegf as ln
from llgnegf.units import HBAR
from validation import _timing as timing
from validation._report import OUTPUT, Report, run_as_script

SITES, COUPLINGS = (1, 7, 21, 101, 301), (0.1, 1.0, 20.0)
LENGTH, STRONG_LENGTH = 24.0, 3.0
"""hbar/gamma of a timed run, and for J_sd = 20; its second half counts, the same for all N: by then the steps are as
long as they stay while the start still rings."""
RTOL = timing.RTOL
PERIOD = 2000 * np.pi
"""hbar/gamma of the paper's period at hbar w = 0.001 gamma."""


@dataclass(frozen=True)
class Case:
    """What is measured for one N and J_sd; times in s, `run` for 1000 hbar/gamma, memory in MB."""

    floats: int
    rhs: float
    main_memory: float
    cache: float
    per_time: float
    run: float
    error: float
    memory: float

    def line(self, n_sites: int, j_sd: float) -> str:
        """A row of the table."""
        return (
            f"{n_sites:4d} {j_sd:5g} {self.floats:8d} {1e6 * self.rhs:9.1f} {1e6 * self.main_memory:8.1f}"
            f" {self.rhs / self.main_memory:6.2f} {1e6 * self.cache:8.1f} {self.rhs / self.cache:6.2f}"
            f" {self.per_time:8.1f} {self.run:9.2f} {self.error:9.1e} {self.memory:6.0f}"
        )


HEADING = "   N  J_sd   floats    rhs/us  main/us  ratio cache/us  ratio rhs/time  s/(1000)    error     MB"
LEGEND = (
    "floats: float64 in the state; rhs: one right-hand side; main, cache: its rooflines (state read, derivative "
    "written) in main memory and in the cache it fits into; rhs/time: right-hand sides per hbar/gamma at rtol = 1e-6, "
    "hbar w = 0.05; s/(1000): CPU seconds of the run for 1000 hbar/gamma; error: of the thermal spin density against "
    "the oracle; MB: peak memory of a new process"
)


def measure(n_sites: int, j_sd: float) -> Case:
    """One row of the table; right-hand sides and runs are timed in turn, the fastest of each counts."""
    system, texture = timing.wire(n_sites, j_sd), timing.wall(n_sites)
    length = STRONG_LENGTH if j_sd > 1 else LENGTH
    simulation = timing.start(system, ln.Precession(texture, 0.05), length, 2, rtol=RTOL)
    begin = simulation.checkpoint()
    floats, rho = simulation.equation.layout.size, simulation.density_matrix
    assert rho is not None
    exact = ln.RotatingFrame(system, texture, 0.0).local_density_matrix().spin_density()
    rhs, halves = [], []
    for _ in range(3 if n_sites > 21 else 8):
        rhs.append(timing.rhs_time(simulation, 0.2))
        simulation.restore(begin)
        halves.append(timing.last_interval(simulation))
    seconds, count = min(halves)
    return Case(
        floats, min(rhs), timing.main_memory_roofline(floats), timing.cache_roofline(floats), count / (0.5 * length),
        1000 * seconds / (0.5 * length), float(np.abs(ln.spin_density(rho) - exact).max()),
        timing.in_child(n_sites, j_sd, 1.0)[2],
    )  # fmt: skip


def table(report: Report, sizes: tuple[int, ...]) -> dict[tuple[int, float], Case]:
    """All N and J_sd."""
    report.note(f"main memory: {timing.bandwidth() / 1e9:.1f} GB/s read and written by a copy on one core")
    report.note(LEGEND)
    report.note(HEADING)
    cases = {}
    for n_sites in sizes:
        for j_sd in COUPLINGS:
            cases[n_sites, j_sd] = case = measure(n_sites, j_sd)
            report.note(case.line(n_sites, j_sd))
    return cases


def check_rooflines(report: Report, cases: dict[tuple[int, float], Case]) -> None:
    """The right-hand sides of J_sd = 0.1 against their rooflines."""
    seven = cases[7, 0.1]
    report.check("right-hand side of 7 sites, us", 1e6 * seven.rhs, 50)
    report.check("the same in units of its main-memory roofline", seven.rhs / seven.main_memory, 3)
    if (301, 0.1) in cases:
        largest = cases[301, 0.1]
        report.check("301 sites in units of its main-memory roofline", largest.rhs / largest.main_memory, 2)


def check_growth(report: Report, cases: dict[tuple[int, float], Case]) -> None:
    """Power of N and of the state's size in the time per simulated time, from 21 sites on.

    Between the two longest chains it is larger than over all: there the vectors of a step leave the caches.
    """
    sizes = sorted({n for n, _ in cases if n >= 21})
    floats = [cases[n, 0.1].floats for n in sizes]
    for name, values in (
        ("right-hand side", [cases[n, 0.1].rhs for n in sizes]),
        ("whole run, J_sd = 0.1", [cases[n, 0.1].run for n in sizes]),
        ("whole run, J_sd = 20", [cases[n, 20.0].run for n in sizes]),
    ):
        report.check(f"{name}: power of N, all N >= 21", slope(sizes, values), 2.0)
        report.note(
            f"{name}: power of N between the two largest {slope(sizes[-2:], values[-2:]):.2f}; power of the number of "
            f"floats {slope(floats, values):.2f}, between the two largest {slope(floats[-2:], values[-2:]):.2f}"
        )


def slope(x: list[int], y: list[float]) -> float:
    """Power of x in y."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def random_hamiltonian(n: int, pairs: int, rng: np.random.Generator) -> sp.csr_array:
    """Random Hermitian (n, n) with exactly 2 * pairs complex nonzeros in each row, spectrum within 1 eV.

    Row i has entries in columns i + d and i - d mod n for `pairs` different distances d, then the states are shuffled.
    """
    rows, order = np.arange(n), rng.permutation(n)
    distances = 1 + rng.choice((n - 1) // 2, pairs, replace=False)
    half = sp.csr_array((n, n), dtype=complex)
    for d in distances:
        values = np.exp(2j * np.pi * rng.random(n)) / (2 * pairs)
        half = half + sp.csr_array((values, (order[rows], order[(rows + d) % n])), shape=(n, n))
    return sp.csr_array(half + half.conj().T)


def sparse_devices(report: Report) -> None:
    """101 sites with 2 to 32 nonzeros anywhere in each row of H_0; the spectrum of all lies within the leads' band."""
    n_sites, rng, counts = 101, np.random.default_rng(1), [2, 4, 8, 16, 32]
    runs = []
    for count in counts:
        electrons = ln.Electrons(random_hamiltonian(2 * n_sites, count // 2, rng), 0.1)
        assert electrons.hamiltonian.nnz == 2 * n_sites * count
        system = ln.OpenSystem(electrons, timing.leads(), kT=0.01)
        runs.append(timing.start(system, ln.Precession(timing.wall(n_sites), 0.05), 1.0, rtol=RTOL))
    assert len({r.equation.layout.size for r in runs}) == 1, "states of different size would be compared"
    seconds = np.min([[timing.rhs_time(r) for r in runs] for _ in range(4)], axis=0)
    cells = ", ".join(f"{c}: {1e6 * s:.0f}" for c, s in zip(counts, seconds, strict=True))
    report.note(f"101 sites, right-hand side in us by nonzeros per row of a random H_0: {cells}")
    # From four on: the first two share a pass over the row.
    extra, more = [s - seconds[1] for s in seconds[2:]], [count - counts[1] for count in counts[2:]]
    report.check("sparse H_0: slope of the time that it adds, in its nonzeros", slope(more, extra), 1.1)


def coupled_overhead(report: Report) -> None:
    """Seven sites, moments that obey the LLG equation against moments that precess as prescribed."""
    system, texture, length = timing.wire(7, 0.1), timing.wall(7), 300.0
    energies = [ln.Exchange(0.1), ln.UniaxialAnisotropy(0.02, axis="z"), ln.Zeeman([0, 0, 10.0])]
    magnet = ln.Magnet(texture, magnetic_moment=4.0, damping=0.02, energies=energies)
    runs = [timing.start(system, m, length, rtol=RTOL) for m in (ln.Precession(texture, 0.001), magnet)]
    begin = [r.checkpoint() for r in runs]
    rhs, whole = [], []
    for _ in range(5):  # in turn, so that a slow spell of the machine meets both
        rhs.append([timing.rhs_time(r, 0.3) for r in runs])
        for r, b in zip(runs, begin, strict=True):
            r.restore(b)
        whole.append([timing.advance_time(r) for r in runs])
    counts = [r.statistics["right_hand_sides"] / length for r in runs]
    alone, run = np.min(rhs, axis=0), np.min(whole, axis=0) / counts
    report.check("coupled LLG, 7 sites, extra cost of a right-hand side", alone[1] / alone[0] - 1, 0.1)
    report.check("the same in a whole run, steps included", run[1] / run[0] - 1, 0.1)
    report.note(f"right-hand sides per hbar/gamma: {counts[0]:.1f} prescribed (hbar w = 0.001 eV), {counts[1]:.1f} "
                "coupled (moments that start out of equilibrium in 10 T make the electrons ring)")  # fmt: skip


def fast_wall(report: Report) -> None:
    """Seven sites, J = 0.1, hbar w = 0.05, t = 130: error against a run at rtol = 1e-9, and what kT does.

    Errors are the largest over all sites, components and the 13 rows that are saved.
    """
    kT, cheapest = 5e-4, np.nan
    reference = timing.fast_wall(1e-9, kT)[1]
    # Sommerfeld: the effect of kT falls as kT^2; from kT to 2 kT it changes by three times what is left at kT.
    thermal = np.abs(timing.fast_wall(1e-9, 2 * kT)[1] - reference).max() / 3
    report.check("wall at hbar w = 0.05, t = 130: effect of kT = 0.5 meV on the spin density", thermal, 1e-7)
    for rtol in (1e-6, 3e-7, 1e-7):
        trials = [timing.fast_wall(rtol, kT) for _ in range(3)]
        error = np.abs(trials[0][1] - reference).max()
        alone = min(timing.fast_wall_alone(rtol, kT) for _ in range(3))
        report.note(
            f"the same at rtol = {rtol:g}: largest error {error:.1e}, {alone:.3f} CPU seconds in a new process, "
            f"{min(s for s, _ in trials):.3f} once the Fermi poles have been found"
        )
        if error + thermal <= 2.4e-7:
            cheapest = np.fmin(cheapest, alone)
    report.check("the same: CPU seconds for an error of 2.4e-7, thermal effect included",
                 cheapest, 0.5)  # fmt: skip


def slow_wall(report: Report, j_sd: float, bound: float, length: float) -> None:
    """Seven sites, hbar w = 0.001: seconds for one period, nonadiabatic torque against the rotating frame."""
    system, texture, rtol = timing.wire(7, j_sd), timing.wall(7), 1e-5 if j_sd <= 1 else 1e-4
    motion = ln.Precession(texture, 0.001, ramp=min(1000.0, 0.2 * length) * HBAR)
    frame = ln.RotatingFrame(system, texture, 0.001, tolerance=1e-11)
    change = ln.spin_density(frame.density_matrix()) - ln.spin_density(frame.decompose().adiabatic)
    exact = j_sd * np.cross(change, texture)
    seconds, simulation, row = timing.run(system, motion, length, rtol=rtol, observables=("adiabatic",))
    moments = row["moments"]
    got = ln.field_like_damping_like(row["torque_nonadiabatic"], moments, np.cross([0.0, 0.0, 1.0], moments))
    want = ln.field_like_damping_like(exact, texture, np.cross([0.0, 0.0, 1.0], texture))
    error = np.hypot(got.field_like - want.field_like, got.damping_like - want.damping_like).max()
    total, how = seconds, "measured"
    if length < PERIOD:  # what a longer run adds, the set-up not counted twice
        half = timing.run(system, motion, 0.5 * length, rtol=rtol)[0]
        total += (seconds - half) / (0.5 * length) * (PERIOD - length)
        how = f"extrapolated from {length:.0f} by the time that its second half takes"
    report.check(
        f"hbar w = 0.001, J = {j_sd:g}: nonadiabatic torque against the oracle", error / np.abs(exact).max(), 0.01
    )
    report.check(f"the same: CPU seconds for 6283 hbar/gamma ({how})", total, bound)
    report.note(f"rtol = {rtol:g}, {simulation.statistics['right_hand_sides'] / length:.1f} right-hand sides per hbar/"
                f"gamma, {dict(simulation.statistics)}")  # fmt: skip


def flat_in_time(report: Report) -> None:
    """Seconds per unit of simulated time over a run, late against early."""
    simulation = timing.start(timing.wire(7, 0.1), ln.Precession(timing.wall(7), 0.05), 1600.0, 16, rtol=RTOL)
    marks = []
    for _ in simulation.rows():
        marks.append(process_time())
    pieces = np.diff(marks)
    report.check(
        "time per simulated time, last quarter over second quarter of t = 1600", min(pieces[12:]) / min(pieces[4:8]),
        1.2,
    )  # fmt: skip
    t = 100.0 * np.arange(1, 17)
    report.note(f"power of t in the time per simulated time, t = 400 to 1600: {slope(t[3:], pieces[3:]):+.3f}")


def saving(report: Report) -> None:
    """Relative cost of a row every fs over 300 fs, seven sites: slow and fast precession, moments that answer."""
    texture = timing.wall(7)
    energies = [ln.Exchange(0.1), ln.UniaxialAnisotropy(0.02, axis="z"), ln.Zeeman([0, 0, 10.0])]
    motions = {
        "hbar w = 0.001, ramp of 100 fs": ln.Precession(texture, 0.001, ramp=100.0),
        "hbar w = 0.001, no ramp": ln.Precession(texture, 0.001),
        "hbar w = 0.05, no ramp": ln.Precession(texture, 0.05),
        "moments that answer": ln.Magnet(texture, magnetic_moment=4.0, damping=0.02, energies=energies),
    }  # fmt: skip
    for name, motion in motions.items():
        runs = [timing.start(timing.wire(7, 0.1), motion, 300.0 / HBAR, rows, rtol=RTOL) for rows in (1, 300)]
        begin, seconds = [r.checkpoint() for r in runs], []
        for _ in range(12):  # in turn, so that a slow spell of the machine meets both
            for r, b in zip(runs, begin, strict=True):
                r.restore(b)
            seconds.append([timing.advance_time(r) for r in runs])
        few, many = np.min(seconds, axis=0)
        counts = [r.statistics["right_hand_sides"] for r in runs]
        report.check(f"cost of a row every fs over 300 fs, {name}", many / few - 1, 0.1)
        report.note(f"right-hand sides without and with the rows: {counts[0]} and {counts[1]}")


def processes(report: Report) -> None:
    """Import, memory and first compilation, each in a process of its own."""
    cached = [timing.in_child(7, 0.1, 2.0) for _ in range(2)]
    report.check("import llgnegf, seconds", min(c[0] for c in cached), 0.5)
    report.check("peak memory of a seven-site run of 100 fs, MB", timing.in_child(7, 0.1, 100.0)[2], 200)
    with tempfile.TemporaryDirectory() as empty:
        first, second = (timing.in_child(7, 0.1, 2.0, NUMBA_CACHE_DIR=empty)[1] for _ in range(2))
    report.check("first compilation, CPU seconds", first - second, 15)
    report.note(f"the first run of a new installation takes {first:.1f} CPU seconds, the second one {second:.1f}")


def threads(report: Report) -> None:
    """Wall times with one and with two threads allowed."""
    one, two = timing.in_threads(1), timing.in_threads(2)
    report.note("wall times with 1 and 2 threads (the propagator uses one; the runs' set-up is not counted):")
    for (n_sites, length), a, b in zip(timing.THREAD_SITES.items(), one, two, strict=True):
        report.note(
            f"{n_sites:5d} sites: right-hand side {1e6 * a[0]:.1f} and {1e6 * b[0]:.1f} us, run of {length:g} "
            f"hbar/gamma {a[1]:.2f} and {b[1]:.2f} s"
        )


def figure(cases: dict[tuple[int, float], Case]) -> None:
    """Right-hand side with its rooflines, and whole runs, against N."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sizes = sorted({n for n, _ in cases})
    x = np.array(sizes, dtype=float)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    for name, style, label in (
        ("rhs", "o-", "right-hand side"), ("main_memory", "s--", "roofline, main memory"),
        ("cache", "^:", "roofline, cache"),
    ):  # fmt: skip
        left.loglog(x, [1e6 * getattr(cases[n, 0.1], name) for n in sizes], style, label=label)
    left.loglog(x[2:], 1e6 * cases[sizes[-1], 0.1].rhs * (x[2:] / x[-1]) ** 2, "k-", lw=0.8, label="$N^2$")
    left.set(xlabel="sites N", ylabel="CPU time (µs)", title="One right-hand side")
    for j_sd in COUPLINGS:
        right.loglog(x, [cases[n, j_sd].run for n in sizes], "o-", label=f"$J_{{sd}}$ = {j_sd:g} eV")
    right.loglog(x[2:], cases[sizes[-1], 20.0].run * (x[2:] / x[-1]) ** 2, "k-", lw=0.8, label="$N^2$")
    right.set(xlabel="sites N", ylabel="CPU time (s)", title=r"1000 $\hbar/\gamma$ of a run, rtol = $10^{-6}$")
    for ax in (left, right):
        ax.set_xticks(x, [str(n) for n in sizes], minor=False)
        ax.minorticks_off()
        ax.legend(frameon=False, fontsize=8)
    fig.tight_layout()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    fig.savefig(OUTPUT / "benchmark.png", dpi=110)


def sections(report: Report, quick: bool) -> Iterator[None]:
    """One part of the benchmark after the other."""
    yield processes(report)
    cases = table(report, SITES[:3] if quick else SITES)
    yield check_rooflines(report, cases)
    yield fast_wall(report)
    yield sparse_devices(report)
    yield coupled_overhead(report)
    if not quick:
        yield check_growth(report, cases)
        figure(cases)
        yield threads(report)
        yield flat_in_time(report)
        yield saving(report)
        yield slow_wall(report, 0.1, 10.0, PERIOD)
        yield slow_wall(report, 20.0, 60.0, 100 * np.pi)


def main() -> bool:
    quick = "--quick" in sys.argv
    report = Report(f"Cost of the propagator{' (quick)' if quick else ''}, CPU seconds")
    slowness = timing.Slowness()
    slowness.now()
    for _ in sections(report, quick):
        if (factor := slowness.now()) > 1.2:
            report.note(f"(other work makes this machine {factor:.1f} times slower at the moment)")
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
