"""Big devices: threads, steps, whole runs, starts, static solvers, memory, and cost against size.
Run `python -m validation.scale [--long]` on a machine that does nothing else (some minutes; --long: half an hour, with
the ribbon of 960 sites, the chain of 1001 and the figure scale.png).

Goals of two cores of the machine that docs/performance.md names.
"""

from __future__ import annotations

import sys

import numpy as np

from validation._report import OUTPUT, Check, Report, run_as_script
from validation._scale_speed import in_child
from validation._timing import bandwidth, shared_bandwidth

THREADS = (1, 2, 4)
SIZES = ((7, 1), (21, 1), (6, 4), (101, 1), (10, 6), (15, 8), (301, 1), (30, 8))
BIG = 4e6
"""Bytes of a state whose steps may cost twice their right-hand sides."""
CHAINS, RIBBONS = (7, 21, 51, 101, 201, 301, 501, 1001), ((4, 2), (8, 4), (15, 8), (30, 8), (60, 16))


def threads(report: Report) -> None:
    """Right-hand sides and steps with one, two and four threads."""
    more = shared_bandwidth() / bandwidth()
    report.note(f"main memory: one thread copies {bandwidth() / 1e9:.1f} GB/s, two {more:.2f} times as much")
    for size in SIZES:
        one, two, four = (in_child("steps", *size, threads=count) for count in THREADS)
        name = f"{size[0]} x {size[1]}, {one['bytes'] / 1e6:.1f} MB"
        copies = [one["rhs"] / one["copy"], two["rhs"] / one["copy"]]
        report.note(
            f"{name}: rhs {1e3 * one['rhs']:.3f} ms, {copies[0]:.1f} copies; a step's "
            f"{1e3 * one['step']:.3f}; threads 2: {1e3 * two['rhs']:.3f} and {1e3 * two['step']:.3f}, 4: "
            f"{1e3 * four['rhs']:.3f} and {1e3 * four['step']:.3f} ms"
        )
        report.check(f"{name}: bits with 1, 2, 4 threads differ", len({x["bits"] for x in (one, two, four)}) - 1, 0)
        gain = 1.7 if one["bytes"] > 8e6 else 1.0
        report.check(f"{name}: seconds of a step with two threads over one", two["step"] / one["step"], 1.05 / gain)
        if one["bytes"] > BIG:
            alone, inside = two["step"] / two["rhs"], two["step"] / two["inside"]
            report.note(f"{name}: a step in units of right-hand sides alone, from the last cache {alone:.2f}")
            report.check(f"{name}: a step in units of its right-hand sides, two threads", inside, 2)
            report.check(f"{name}: copies in main memory by one core that a right-hand side takes", copies[0], 2)


def whole(report: Report) -> None:
    """The 15 x 8 ribbon, starts and static solvers."""
    run = in_child("run", 15, 8, 700)
    report.note(f"15 x 8, 700 hbar/gamma: {run}")
    report.check("15 x 8, 700 hbar/gamma, rtol 1e-5: seconds with the start", run["all"], 60)
    report.check("15 x 8, 700 hbar/gamma: peak memory in MB", run["peak"], 400)
    for size, bound in (((15, 8), 1.5), ((30, 8), 4)):
        found = in_child("start", *size)
        report.check(f"{size[0]} x {size[1]}: seconds of the start, {found['modes']} modes", found["start"], bound)
    for size, bound in (((15, 4), 2), ((30, 8), 20)):
        found = in_child("oracle", *size)
        report.check(f"{size[0]} x {size[1]}: seconds of the rotating frame, all that it has", found["oracle"], bound)
    report.check("10 x 8: seconds of relax", in_child("relax", 10, 8)["relax"], 5)


def large(report: Report) -> None:
    """The largest devices, and cost against the number of sites."""
    for size in ((60, 16), (1001, 1)):
        found = in_child("run", *size, 50)
        report.note(f"{size}: {found}")
        report.check(f"{size[0]} x {size[1]}, 50 hbar/gamma: minutes with the start", found["all"] / 60, 15)
        report.check(f"{size[0]} x {size[1]}: peak memory in GB", found["peak"] / 1024, 8)
    figure = Costs()
    for label, sizes in (("chain", [(n, 1) for n in CHAINS]), ("ribbon", RIBBONS)):
        found = [in_child("run", *size, 10) for size in sizes]
        sites = np.array([x * y for x, y in sizes])
        taken = np.array([run["all"] - run["start"] for run in found]) / 10
        starts = np.array([run["start"] for run in found])
        power = np.polyfit(np.log(sites[-4:]), np.log(taken[-4:]), 1)[0]
        report.note(f"{label}: sites {sites.tolist()}, seconds per hbar/gamma {np.round(taken, 4).tolist()}")
        report.note(f"{label}: starts {np.round(starts, 2).tolist()}; power of the largest four {power:.2f}")
        figure.add(label, sites, taken, starts, power)
    figure.save()


class Costs:
    """The figure: seconds of a run and of its start against the number of sites."""

    def __init__(self) -> None:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        self._figure, self._axes = pyplot.subplots(figsize=(5.2, 3.8), layout="constrained")

    def add(self, label: str, sites: np.ndarray, taken: np.ndarray, starts: np.ndarray, power: float) -> None:
        name = f"{label}: each $\\hbar/\\gamma$, $\\propto N^{{{power:.1f}}}$"
        (line,) = self._axes.loglog(sites, taken, "o-", label=name)
        self._axes.loglog(sites, starts, "s--", color=line.get_color(), markersize=4, label=f"{label}: start")

    def save(self) -> None:
        self._axes.set(xlabel="sites", ylabel="seconds (two threads)", title="Cost against size, rtol = 1e-5")
        self._axes.legend(frameon=False, fontsize=8)
        OUTPUT.mkdir(exist_ok=True)
        self._figure.savefig(OUTPUT / "scale.png", dpi=150)


def main() -> list[Check]:
    report = Report("Big devices")
    threads(report)
    whole(report)
    if "--long" in sys.argv:
        large(report)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
