"""The order of each integrator, alone and in the coupled scheme: `python -m validation.convergence_order`.

A method of order p on a smooth problem has the error C h^p: the slope of log(error) against log(step) is p.
Three problems:

1. one moment, damped Larmor precession, against its exact motion
       phi = g B t/(1 + lambda^2),  M_z = tanh(lambda phi + artanh M_z(0));
2. electrons on two sites with two leads under moments that turn as prescribed;
3. the same electrons with moments that answer: LLG and G<(t,t) as one state. Were torque and field exchanged in
   a staggered way, this would show the order of the exchange, 1 or 2, whatever the integrator.

Problems 2 and 3 are compared with DOP853 at half the smallest step. The error is the root mean square over
moments, spin densities and six times. Steps are below the stability limit and above round-off: the usable
range. Poles of leads and Fermi function are those of rtol = 1e-2 in every run, so that they drop out.

With wide-band leads ark5 takes Fermi poles with rates far above 1/h implicitly. Its order is then seen only at
steps below 1/rate (the order reduction of every implicit-explicit pair on a stiff source); this is shown, and
claims nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

import numpy as np

import llgnegf as ln
from llgnegf.plots.style import line, new_figure, points, styled
from llgnegf.units import GYROMAGNETIC_RATIO, HBAR
from validation._report import OUTPUT, Check, Report, run_as_script

ORDERS = {"rk4": 4, "ark5": 5, "dop853": 8}
ROWS, UNTIL = 6, 48
"""Rows compared, and the length of the runs of electrons in hbar/eV."""


class Series(NamedTuple):
    """Errors of one integrator on one problem, for steps in hbar/eV."""

    steps: np.ndarray
    errors: np.ndarray

    @property
    def slope(self) -> float:
        return float(np.polyfit(np.log(self.steps), np.log(self.errors), 1)[0])


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def larmor(integrator: str, steps: np.ndarray) -> Series:
    """One moment, `steps` in hbar/eV, until it went round about three times."""
    B, damping, theta, until = 5000.0, 0.1, 2.0, 48.0
    magnet = ln.Magnet(ln.cone(1, theta), magnetic_moment=2.0, damping=damping, energies=[ln.Zeeman([0.0, 0.0, B])])
    errors = []
    for step in steps:
        data = run(None, magnet, integrator, step, until)
        phi = GYROMAGNETIC_RATIO * B * data.time.values / (1 + damping**2)
        u = damping * phi + np.arctanh(np.cos(theta))
        exact = np.stack([np.cos(phi) / np.cosh(u), np.sin(phi) / np.cosh(u), np.tanh(u)], axis=-1)
        errors.append(rms(data.moments.values[:, 0] - exact))
    return Series(steps, np.array(errors))


def run(system: ln.OpenSystem | None, motion: object, integrator: str, step: float, until: float = UNTIL) -> object:
    """The dataset of a run with a fixed step that divides the time between rows."""
    times = {"t_end": until * HBAR, "save_every": until * HBAR / ROWS, "step": step * HBAR}
    return ln.simulate(system, motion, **times, rtol=1e-2, integrator=integrator).dataset


def moments() -> np.ndarray:
    return ln.cone(2, 0.9, azimuth=[0.3, 1.7], axis=[1.0, 2.0, 2.0])


def leads(kind: str) -> list[object]:
    if kind == "wide band":
        return [ln.WideBandLead(0, broadening=0.6), ln.WideBandLead(-1, broadening=1.0)]
    return [ln.ChainLead(0, coupling=0.8), ln.ChainLead(-1, coupling=1.0)]


def electrons(kind: str = "chain") -> ln.OpenSystem:
    return ln.OpenSystem(ln.chain(2, 1.0, [0.5, 0.4]), leads(kind), fermi_energy=0.1, kT=0.1)


def turning() -> ln.Precession:
    return ln.Precession(moments(), 0.3, axis="x")


def answering() -> ln.Magnet:
    """Light moments, damping, exchange, anisotropy and a field that depends on time."""
    field = ln.Sine([300.0, 0.0, 200.0], 20.0, phase=[0.0, 0.0, 1.0])
    energies = [ln.Exchange(0.1), ln.UniaxialAnisotropy(0.05, "z"), ln.Zeeman(field)]
    return ln.Magnet(moments(), magnetic_moment=[2.0, 4.0], damping=[0.05, 0.1], energies=energies)


def against(reference: object, system: ln.OpenSystem, motion: object, integrator: str, steps: np.ndarray) -> Series:
    errors = []
    for step in steps:
        data = run(system, motion, integrator, step)
        parts = [data[name].values - reference[name].values for name in ("moments", "spin_density")]  # type: ignore[index]
        errors.append(rms(np.concatenate([part.ravel() for part in parts])))
    return Series(steps, np.array(errors))


def steps_of(*per_unit: float) -> np.ndarray:
    """Steps in hbar/eV from their number for each hbar/eV."""
    return 1 / np.array(per_unit)


def check(report: Report, problem: str, integrator: str, series: Series) -> None:
    order = ORDERS[integrator]
    slope = series.slope
    report.check(f"{problem}, {integrator}: observed order {slope:.3f}, off {order} by", abs(slope - order), 0.1)


@styled
def figure(panels: dict[str, dict[str, Series]]) -> None:
    fig = new_figure(3.2)
    for k, (axes, (title, curves)) in enumerate(zip(fig.subplots(1, 3), panels.items(), strict=True)):
        for j, (name, s) in enumerate(curves.items()):
            axes.loglog(s.steps, s.errors, label=name, **points(j, linestyle="none" if name in ORDERS else ":"))
            if name in ORDERS:
                guide = s.errors[-1] * (s.steps / s.steps[-1]) ** ORDERS[name]
                axes.loglog(s.steps, guide, **line(j, linestyle="-"))
            if name not in ORDERS:
                axes.annotate(name, (s.steps[0], s.errors[0]), xytext=(-8, 22), textcoords="offset points", fontsize=8)
        axes.set(xlabel=r"step ($\hbar$/eV)", title=title)
        ticks = [0.1, 0.3, 1.0] if k == 0 else [0.02, 0.05, 0.1, 0.2]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        if k == 0:
            axes.set_ylabel("error, rms")
            axes.legend(loc="upper left", bbox_to_anchor=(0.3, 0.75))
    fig.suptitle("lines: the nominal orders 4, 5 and 8", fontsize=9)
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "convergence_order.png")


LARMOR = {"rk4": steps_of(4, 8, 16), "ark5": steps_of(8, 12, 16), "dop853": steps_of(1, 1.5, 2)}
OPEN = {"rk4": steps_of(20, 40, 80), "ark5": steps_of(24, 32, 48), "dop853": steps_of(5, 6, 8)}


def main() -> list[Check]:
    report = Report("Order of the integrators, alone and coupled")
    panels: dict[str, dict[str, Series]] = {"moment alone, exact motion": {}}
    for integrator, steps in LARMOR.items():
        series = larmor(integrator, steps)
        panels["moment alone, exact motion"][integrator] = series
        check(report, "moment alone", integrator, series)
    problems: dict[str, Callable[[], object]] = {
        "prescribed moments": turning, "moments that answer": answering,
    }  # fmt: skip
    for problem, motion in problems.items():
        began = perf_counter()
        reference = run(electrons(), motion(), "dop853", 1 / 16)
        panels[problem] = {name: against(reference, electrons(), motion(), name, steps) for name, steps in OPEN.items()}
        for integrator, series in panels[problem].items():
            check(report, problem, integrator, series)
        report.note(f"{problem}: {perf_counter() - began:.0f} s")
    wide = electrons("wide band")
    series = against(run(wide, answering(), "dop853", 1 / 40), wide, answering(), "ark5", steps_of(16, 32))
    panels["moments that answer"]["ark5, wide band"] = series
    report.note(f"wide-band leads, coupled, ark5 at steps above 1/(largest rate): observed order {series.slope:.2f}")
    figure(panels)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
