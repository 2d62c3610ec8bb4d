"""How many harmonics precessing moments pump in Rashba wires: `python -m validation.harmonics` (docs/harmonics.md).

A chain, hopping gamma = 1 eV, with Rashba coupling lambda and moments that precess together about z, at the cone angle
THETA, between chains without either:

    H = -sum c_{i+1}^dag (gamma + i lambda sigma_y) c_i + h.c. - J sum c_i^dag sigma.M(t) c_i

Charge current into the left lead over one period of the steady state, I = sum_n Re A_n exp(i n phi), phi the angle of
precession. It rises from rest over the first half of the time that is left to settle; what starts suddenly is looked at
apart. N(x) is the highest order with |A_n| > x max |A_n|.

1. What every such current obeys: it is periodic; A_n(left) = (-1)^n A_n(right) by the rotation by pi about z, so that
   A_0 = 0; no charge without spin-orbit coupling, and spin along z then flows evenly.
2. Two tolerances and two fixed steps give the same harmonics: the noise floor and what is above it.
3. J/hbar w up to 3333 by w alone, and by J alone: A_n/w tends to a limit, so that N does. N is set by J, lambda, the
   length and the levels' widths, not by w.
4. The first period after a sudden start has hundreds of orders: it is no steady current.

The figure of the page: `LLGNEGF_VALIDATION_OUTPUT=docs python -m validation.harmonics`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

import llgnegf as ln
from llgnegf.plots.style import line, new_figure, points, styled
from llgnegf.units import HBAR
from validation._report import OUTPUT, Report, run_as_script

THETA, FERMI, KT = 1.3, -0.3, 0.01
"""Cone angle (rad), chemical potential and temperature (eV)."""
ROWS, SETTLE = 512, 600.0
"""Rows for each period; least time (fs) left to settle."""
QUANTA = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
"""hbar w in eV."""
COUPLINGS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""J in eV, at hbar w = 0.01 eV; the first is what both texts call the weak limit, J/hbar w = 10."""
VISIBLE, FAINT = 1e-3, 1e-6
SMALL = 0.1 * VISIBLE
"""Beside the largest harmonic this is nothing that would be seen."""


@dataclass(frozen=True)
class Wire:
    """Sites, lambda (eV), coupling to the leads (eV), J (eV), hbar w (eV), and how the run is made."""

    sites: int = 4
    rashba: float = 0.5
    contact: float = 1.0
    j_sd: float = 1.0
    quantum: float = 0.01
    sudden: bool = False
    rtol: float = 1e-6
    step: float | None = None
    rows: int = ROWS
    periods: int = 1

    @property
    def wait(self) -> int:
        """Rows until the motion counts as steady; the precession rises during the first half of them."""
        return 0 if self.sudden else int(np.ceil(self.rows * max(0.25, SETTLE / self.period)))

    @property
    def period(self) -> float:
        return 2 * np.pi * HBAR / self.quantum


OPEN, WEAK = Wire(), Wire(sites=10, rashba=1.0, contact=0.4)
NAMES = {OPEN: "4 sites, $\\lambda$ = 0.5 eV", WEAK: "10 sites, $\\lambda$ = 1 eV"}


@cache
def columns(wire: Wire) -> dict[str, np.ndarray]:
    """Charge current (electrons/fs) and spin current (eV) into the leads over the last periods, first and last row."""
    lattice = ln.square(wire.sites, 1)
    electrons = lattice.electrons(hopping=1.0, j_sd=wire.j_sd, rashba=wire.rashba)
    leads = [ln.ChainLead(site, coupling=wire.contact) for site in (0, -1)]
    wait = wire.wait / wire.rows * wire.period
    motion = ln.Precession(ln.cone(lattice, THETA), wire.quantum, ramp=0.5 * wait)
    asked: dict[str, Any] = {} if wire.step is None else {"step": wire.step, "integrator": "dop853"}
    data = ln.simulate(
        ln.OpenSystem(electrons, leads, FERMI, KT), motion, t_end=wait + wire.periods * wire.period,
        save_every=wire.period / wire.rows, rtol=wire.rtol, **asked,
    ).dataset  # fmt: skip
    return {name: data[name].values[wire.wait :] for name in ("lead_current", "lead_spin_current")}


def harmonics(wire: Wire, name: str = "lead_current") -> np.ndarray:
    """A_n/w: electrons (spin: hbar) for each radian, against the angle of the precession, (orders, leads, ...)."""
    values = columns(wire)[name][-wire.rows - 1 : -1]
    found = np.fft.rfft(values, axis=0) / wire.rows
    found[1:] *= 2
    begin = 2 * np.pi * (0.75 * wire.wait / wire.rows + wire.periods - 1)  # w (t - ramp/2) at the first row
    turned = np.exp(-1j * begin * np.arange(len(found))).reshape(-1, *[1] * (found.ndim - 1))
    return found * turned * (HBAR if name == "lead_current" else 1.0) / wire.quantum


def highest(wire: Wire, part: float) -> int:
    """N(part), of the left lead."""
    size = np.abs(harmonics(wire)[:, 0])
    return int(np.flatnonzero(size > part * size.max())[-1])


def check_laws(report: Report) -> None:
    for wire in (OPEN, WEAK):
        long = replace(wire, periods=2)
        current = columns(long)["lead_current"]
        change = HBAR / wire.quantum * np.abs(current[ROWS:] - current[: ROWS + 1]).max()
        found = harmonics(wire)
        largest = np.abs(found).max()
        mirrored = found[:, 0] - (-1) ** np.arange(len(found)) * found[:, 1]
        for claim, value in (("change from period to period", change), ("|A_0|", np.abs(found[0]).max()),
                             ("A_n(left) - (-1)^n A_n(right)", np.abs(mirrored).max())):  # fmt: skip
            report.check(f"{wire.sites} sites: {claim}, over the largest harmonic", value / largest, SMALL)
    plain = replace(OPEN, rashba=0.0)
    spin = harmonics(plain, "lead_spin_current")[:, 0]
    without = {
        "charge over that with it": np.abs(harmonics(plain)).max() / np.abs(harmonics(OPEN)).max(),
        "oscillation of the z spin current": np.abs(spin[1:, 2] / spin[0, 2]).max(),
        "x and y spin currents beyond n = 1": np.abs(spin[2:, :2]).max() / np.abs(spin[1, :2]).max(),
    }
    for claim, value in without.items():
        report.check(f"no spin-orbit coupling: {claim}", value, SMALL)


def check_numerics(report: Report) -> dict[str, np.ndarray]:
    """The same harmonics by two tolerances and two fixed steps; what each has beyond the last one that is seen."""
    found = {}
    for wire in (OPEN, WEAK):
        best = harmonics(replace(wire, rtol=1e-7))[:, 0]
        ways = {"rtol = 1e-5": {"rtol": 1e-5}, "rtol = 1e-6": {}, "steps of 0.1 fs": {"step": 0.1},
                "steps of 0.2 fs": {"step": 0.2}}  # fmt: skip
        for name, way in ways.items():
            got = harmonics(replace(wire, **way))[:, 0]
            off = np.abs(got - best).max() / np.abs(best).max()
            report.check(f"{wire.sites} sites, {name}: largest error of a harmonic, over the largest one", off, SMALL)
            found[f"{wire.sites} {name}"] = got
            size = np.abs(got)
            floor, orders = np.median(size[180:]) / size.max(), highest(replace(wire, **way), VISIBLE)
            report.note(f"{wire.sites} sites, {name}: median beyond n = 180 is {floor:.1e}, N(1e-3) = {orders}")
    return found


def check_scaling(report: Report) -> None:
    """By w alone: A_n/w at the last w, and N; by J alone the numbers."""
    for wire in (OPEN, WEAK):
        turns = [replace(wire, quantum=w) for w in QUANTA]
        for part in (VISIBLE, FAINT):
            report.note(f"{wire.sites} sites, J = 1 eV: N({part:g}) = {[highest(turn, part) for turn in turns]} at "
                        f"J/hbar w = {[round(1 / w) for w in QUANTA]}")  # fmt: skip
        found = [harmonics(turn)[:200, 0] for turn in turns]
        off = [np.abs(a - found[-1]).max() / np.abs(found[-1]).max() for a in found[2:-1]]
        report.note(f"{wire.sites} sites: A_n/w differ from those at the last w, over the largest, by "
                    f"{', '.join(f'{x:.2g}' for x in off)} at hbar w = {QUANTA[2:-1]} eV")  # fmt: skip
        # Linear in w: (0.001 - 0.0003)/(0.003 - 0.0003) = 0.26.
        report.check(f"{wire.sites} sites: A_n/w approach a limit, ratio of the last two", off[-1] / off[-2], 0.4)
        growth = highest(turns[-1], VISIBLE) / highest(turns[2], VISIBLE)
        report.check(f"{wire.sites} sites: growth of N(1e-3) while J/hbar w grows 33-fold", growth, 1.5)
    strong = [replace(OPEN, j_sd=j) for j in COUPLINGS] + [replace(OPEN, j_sd=10.0, quantum=0.003)]
    for part in (VISIBLE, FAINT):
        orders, ratios = [highest(w, part) for w in strong], [round(w.j_sd / w.quantum) for w in strong]
        report.note(f"4 sites: N({part:g}) = {orders} at J = {[w.j_sd for w in strong]} eV, J/hbar w = {ratios}")
    report.check("4 sites: N(1e-3) at any J from 0.1 to 10 eV", max(highest(w, VISIBLE) for w in strong), 20)


def what_sets_the_number(report: Report) -> None:
    """From the short wire to the long one, step by step, at hbar w = 0.01 eV."""
    ways = (OPEN, replace(OPEN, sites=10), replace(OPEN, sites=10, rashba=1.0), WEAK)
    orders = [highest(wire, VISIBLE) for wire in ways]
    report.note("N(1e-3) = " + "; ".join(
        f"{n} ({w.sites} sites, lambda {w.rashba:g} eV, contacts {w.contact:g} eV)"
        for n, w in zip(orders, ways, strict=True)))  # fmt: skip
    report.check("longer wire, stronger coupling, narrower levels: ratio of N(1e-3), largest of the three",
                 max(a / b for a, b in zip(orders[:-1], orders[1:], strict=True)), 1.0)  # fmt: skip


def first_periods() -> list[Wire]:
    """Sudden starts, with rows for orders up to 32 eV/hbar w, far beyond bands and splitting."""
    return [replace(OPEN, quantum=w, sudden=True, rows=int(64 / w)) for w in QUANTA[1:4]]


def check_starts(report: Report) -> None:
    orders = [highest(wire, VISIBLE) for wire in first_periods()]
    steady = [highest(replace(OPEN, quantum=wire.quantum), VISIBLE) for wire in first_periods()]
    report.note(f"4 sites, first period after a sudden start: N(1e-3) = {orders} at hbar w = {QUANTA[1:4]} eV")
    ratio = max(a / b for a, b in zip(steady, orders, strict=True))
    report.check("steady currents have fewer: ratio of N(1e-3) to that of the first period", ratio, 0.1)


@styled
def figure(numerics: dict[str, np.ndarray]) -> None:
    fig = new_figure(3.2)
    *spectra, third = fig.subplots(1, 3)
    for ax, wire, most in zip(spectra, (OPEN, WEAK), (30, 160), strict=True):
        for k, w in enumerate(QUANTA):
            size = np.abs(harmonics(replace(wire, quantum=w))[:, 0])
            ax.semilogy(size[:most], label=f"{wire.j_sd / w:.0f}", **line(k, lw=1.0, linestyle="-"))
        fast = np.abs(numerics[f"{wire.sites} rtol = 1e-5"])
        ax.semilogy(fast[:most], color="k", lw=0.6, ls=":", label="100, rtol 1e-5")
        ax.set(xlabel="order n", title=NAMES[wire], ylim=(1e-13, 3))
    spectra[0].set_ylabel(r"$|A_n|/\omega$ (electrons)")
    spectra[0].legend(title=r"$J/\hbar\omega$", fontsize=6, title_fontsize=7)
    for k, wire in enumerate((OPEN, WEAK)):
        orders = [highest(replace(wire, quantum=w), VISIBLE) for w in QUANTA]
        third.loglog([1 / w for w in QUANTA], orders, label=f"steady, {wire.sites} sites", **points(k))
    starts = [highest(wire, VISIBLE) for wire in first_periods()]
    third.loglog([1 / w for w in QUANTA[1:4]], starts, label="first period, 4 sites", **points(2))
    span = [6 / w for w in QUANTA]
    third.loglog([1 / w for w in QUANTA], span, color="0.5", lw=0.8, label=r"$(4\gamma+2J)/\hbar\omega$")
    third.set(xlabel=r"$J/\hbar\omega$ at J = 1 eV", title="orders above $10^{-3}$", ylim=(3, 3e4))
    third.legend(fontsize=6)
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "harmonics.png")


def main() -> bool:
    report = Report(f"Harmonics pumped in Rashba wires, cone angle {THETA:g}, mu = {FERMI:g} eV, kT = {KT:g} eV")
    check_laws(report)
    numerics = check_numerics(report)
    check_scaling(report)
    what_sets_the_number(report)
    check_starts(report)
    figure(numerics)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
