"""Slow textures, full propagator against friction and geometric tensors: `python -m validation.slow_textures`.

1. A wall between pinned ends under a field along z that rises smoothly over the run, hbar w = g mu_B B at its end from
   the paper's 0.001 eV to 1 eV: difference to the full run after the same Larmor angle, for each choice of tensors.
   The first order is left with an error that is linear in the rate.
2. A wall set turning smoothly: the propagated spin density minus adiabatic part minus K dM/dt is of second order.
3. Damping of a precessing wall at kT = 0: power of the exact friction tensor against the spin-motive-force formula
   D = (hbar^2 G_0/4e^2) (M x dM/dz)(M x dM/dz)^T, G_0 = 2 e^2/h, for widths and couplings. At J_sd = 20 eV the
   minority band is out of reach: the majority band is put at the Fermi energy by an on-site energy, G_0 = e^2/h.
   The formula is local and knows nothing of J_sd.
4. Range of the friction between sites; near pairs of long chains.
5. Two moments with electronic friction and noise sample <M_1.M_2> under exp(-F/kT).

The figures of docs/slow_textures.md: `LLGNEGF_VALIDATION_OUTPUT=docs python -m validation.slow_textures`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import matplotlib
import numpy as np

from llgnegf import (
    ChainLead,
    Exchange,
    Magnet,
    OpenSystem,
    Precession,
    Simulation,
    UniaxialAnisotropy,
    Zeeman,
    bloch_wall,
    chain,
    relax,
)
from llgnegf.response.fast_tensors import PoleTensors
from llgnegf.run.slow_simulation import SlowSimulation
from llgnegf.units import G_E, HBAR, MU_B
from validation._report import OUTPUT, Report, run_as_script
from validation._slow_friction import (
    friction_range,
    long_chain_is_exact,
    long_chains,
    spin_motive_force,
    thermal_pair,
)

ENERGIES = 0.001 * 4.0 ** np.arange(6)
LINEAR = ENERGIES < 0.1
"""Rates at which the second order is small against the first."""
RTOL = 1e-7
"""Of full runs: at 1e-6 their own error, 2e-6 of |M|, is what first order leaves at the slowest rate."""
CHOICES: tuple[tuple[str, ...], ...] = ((), ("geometric",), ("friction",), ("geometric", "friction"))
ANGLE = 1.0
"""Larmor angle (rad) after which the runs are compared."""
WALLS = ((0.1, 0.004), (1.0, 0.2))
"""(J_sd, exchange) in eV. The exchange outweighs the electrons' own coupling between moments, or the wall would break
up and its inner motion, not the drive, would be what the electrons have to follow."""
ROWS = 40
TURNING = np.array([0.04, 0.02, 0.01, 0.005, 0.0025])
"""hbar w in eV of the walls set turning."""


def name(choice: tuple[str, ...]) -> str:
    return " + ".join(choice) or "adiabatic only"


def wall(j_sd: float, exchange: float) -> tuple[OpenSystem, Magnet, list[Any]]:
    """Seven sites between two leads, kT = 0.01 eV, and a relaxed wall of moments of 5 mu_B between pinned ends."""
    system = OpenSystem(chain(7, 1.0, j_sd), [ChainLead(0), ChainLead(-1)], kT=0.01)
    terms = [Exchange(exchange), UniaxialAnisotropy(exchange / 5, "z")]
    texture = bloch_wall(7, 4.0, 1.2)
    texture[[0, -1]] = [[0, 0, 1.0], [0, 0, -1.0]]
    return system, relax(system, Magnet(texture, 5.0, energies=terms, pinned=[0, -1]), 1e-6, 1e-6), terms


def driven(rest: Magnet, terms: list[Any], energy: float, t_end: float) -> Magnet:
    """The wall in a field that rises as a cosine to energy/(g mu_B) at t_end; its mean is half of that."""
    top = energy / (G_E * MU_B)
    return replace(rest, energies=[*terms, Zeeman(lambda t: [0, 0, top * 0.5 * (1 - np.cos(np.pi * t / t_end))])])


@dataclass(frozen=True, eq=False)
class Run:
    """Moments (ROWS + 1, N, 3) of a run and its processor time in s, rows included."""

    moments: np.ndarray
    cost: float

    @property
    def angle(self) -> np.ndarray:
        """Angle of the middle moment about z, (rows,); it starts along y."""
        middle = self.moments.shape[1] // 2
        return np.unwrap(np.arctan2(self.moments[:, middle, 0], self.moments[:, middle, 1]))

    @property
    def shift(self) -> np.ndarray:
        """Shift of the wall in sites, (rows,): a wall from +z to -z adds 2 to sum M_z for each site."""
        return 0.5 * np.sum(self.moments[:, :, 2] - self.moments[0, :, 2], axis=1)

    def error(self, exact: Run) -> float:
        """Largest |M - M_exact| at the end."""
        return float(np.abs(self.moments[-1] - exact.moments[-1]).max())


def recorded(simulation: Simulation | SlowSimulation) -> Run:
    began = time.process_time()
    rows = [row["moments"] for _, row in simulation.rows()]
    return Run(np.array(rows), time.process_time() - began)


@dataclass(frozen=True, eq=False)
class Drive:
    """All runs at one rate: the full one and the slow ones by choice of tensors."""

    energy: float
    full: Run
    slow: dict[str, Run]

    @property
    def best(self) -> Run:
        """With both tensors."""
        return self.slow[name(CHOICES[-1])]

    def errors(self) -> list[float]:
        """Error of each choice."""
        return [run.error(self.full) for run in self.slow.values()]


def compare_runs(report: Report, j_sd: float, exchange: float) -> list[Drive]:
    """The full run and each choice of tensors at each rate."""
    system, rest, terms = wall(j_sd, exchange)
    drives = []
    report.note(f"J_sd = {j_sd} eV: hbar w, turned, shift, then |dM| for " + ", ".join(map(name, CHOICES)))
    for energy in ENERGIES:
        t_end = 2 * ANGLE * HBAR / energy
        magnet, times = driven(rest, terms, energy, t_end), {"t_end": t_end, "save_every": t_end / ROWS}
        full = recorded(Simulation(system, magnet, rtol=RTOL, **times))
        slow = {name(c): recorded(SlowSimulation(system, magnet, response=c, **times)) for c in CHOICES}
        drives.append(Drive(float(energy), full, slow))
        text = "  ".join(f"{e:.1e}" for e in drives[-1].errors())
        report.note(f"{energy:6.3f} eV {full.angle[-1]:8.4f} rad {full.shift[-1]:9.5f} sites  {text}")
    return drives


def judge_runs(report: Report, j_sd: float, drives: list[Drive]) -> None:
    table = np.array([drive.errors() for drive in drives])
    both, alone, slowest = table[:, -1], table[:, 0], drives[0]
    if j_sd == WALLS[0][0]:
        slopes = np.diff(np.log(both[LINEAR])) / np.diff(np.log(ENERGIES[LINEAR]))
        what = f"J_sd = {j_sd} eV, hbar w < 0.1 eV: distance from slope 1 of the difference against hbar w"
        report.check(what, abs(slopes - 1).max(), 0.15)
    at = f"J_sd = {j_sd} eV, hbar w = {slowest.energy:g} eV, whole run: "
    for what, quantity in (("position", "shift"), ("angle", "angle")):
        exact, slow = getattr(slowest.full, quantity), getattr(slowest.best, quantity)
        report.check(
            f"{at}error of the wall's {what} over its largest", abs(slow - exact).max() / abs(exact).max(), 1e-2
        )
    exact, slow = np.gradient(slowest.full.angle), np.gradient(slowest.best.angle)
    report.check(f"{at}error of the precession frequency", abs(slow - exact).max() / abs(exact).max(), 1e-2)
    report.check(f"{at}error with both tensors over that without", both[0] / alone[0], 0.01)
    what = f"J_sd = {j_sd} eV: processor time of the full run over the slow one, {ROWS} rows"
    report.note(f"{what}: {slowest.full.cost / slowest.best.cost:.0f}")
    for part in (0.1, 1.0):
        above = ENERGIES[both > part * alone]
        since = f"from {above[0]:g} eV on" if above.size else "at none of these rates"
        report.note(f"J_sd = {j_sd} eV: with both tensors more than {part:.0%} of the error without them {since}")


def judge_cost(report: Report, j_sd: float, exchange: float) -> None:
    """Seconds of both runs without rows between start and end."""
    system, rest, terms = wall(j_sd, exchange)
    t_end = 2 * ANGLE * HBAR / ENERGIES[0]
    magnet, times = driven(rest, terms, ENERGIES[0], t_end), {"t_end": t_end, "save_every": t_end}
    full = recorded(Simulation(system, magnet, **times)).cost
    slow = min(recorded(SlowSimulation(system, magnet, **times)).cost for _ in range(3))
    report.note(
        f"J_sd = {j_sd} eV, hbar w = 0.001 eV, {t_end / 1000:.2f} ps: {full:.2f} s in full, {1000 * slow:.1f} ms slow, "
        f"{full / slow:.0f} times faster"
    )
    if j_sd == WALLS[0][0]:
        # The other wall's exchange is stiff: spin waves, not the drive, set the steps of the slow run.
        what = f"J_sd = {j_sd} eV, hbar w = 0.001 eV: time of the slow run over that of the full one"
        report.check(what, slow / full, 0.02)


def remainder(report: Report) -> np.ndarray:
    """max |<s> - <s>_ad - K dM/dt| of walls set turning, (energies,), the same motion in the slow time w t."""
    system = OpenSystem(chain(7, 1.0, 1.0), [ChainLead(0), ChainLead(-1)], kT=0.01)
    left = []
    for energy in TURNING:
        motion, t_end = Precession(bloch_wall(7, 4.0, 0.9), energy, "z", ramp=3.0 / energy), 3.6 / energy
        run = Simulation(system, motion, t_end=t_end, save_every=t_end, rtol=1e-7, observables=("adiabatic",))
        row = [row for _, row in run.rows()][-1]
        assert run.poles is not None
        electrons = PoleTensors(run.poles, 1e-11)
        rest = electrons.adiabatic(row["moments"][None], True)
        tensors = electrons.tensors(rest, True, True)
        velocity = energy / HBAR * np.cross([0.0, 0.0, 1.0], row["moments"]).ravel()
        change = -((tensors.friction + tensors.geometric)[0] @ velocity).reshape(-1, 3)
        left.append(np.abs(row["spin_density"] - row["spin_density_adiabatic"] - change).max())
        report.note(
            f"wall set turning, hbar w = {energy:6g} eV: K dM/dt {np.abs(change).max():.2e}, rest {left[-1]:.2e}"
        )
    slopes = np.diff(np.log(left)) / np.diff(np.log(TURNING))
    report.check("remainder of the propagator: distance from slope 2", abs(slopes - 2).max(), 0.05)
    return np.array(left)


def plot_errors(plt: Any, tables: dict[float, list[Drive]], left: np.ndarray) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8))
    for axis, (j_sd, drives) in zip(axes, tables.items(), strict=False):
        table = np.array([drive.errors() for drive in drives])
        for choice, errors in zip(CHOICES, table.T, strict=True):
            axis.loglog(ENERGIES, errors, "o-", ms=4, label=name(choice))
        axis.loglog(ENERGIES, table[2, -1] * ENERGIES / ENERGIES[2], "k:", label="slope 1")
        axis.set(
            xlabel=r"$\hbar\omega$ (eV)", ylabel=r"largest $|M - M_{full}|$", title=f"driven wall, J_sd = {j_sd:g} eV"
        )
        axis.legend(fontsize=7)
    axes[2].loglog(TURNING, left, "o", ms=4)
    axes[2].loglog(TURNING, left[-1] * (TURNING / TURNING[-1]) ** 2, "k:", label="slope 2")
    axes[2].set(xlabel=r"$\hbar\omega$ (eV)", ylabel=r"largest $|\langle s\rangle - \langle s\rangle_{ad} - K\,dM/dt|$")
    axes[2].set_title("wall set turning, J_sd = 1 eV")
    axes[2].set_xticks(TURNING, [f"{energy:g}" for energy in TURNING])
    axes[2].minorticks_off()
    axes[2].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_errors.png", dpi=110)


def plot_motion(plt: Any, j_sd: float, drives: list[Drive]) -> None:
    """Angle and shift of the wall against the Larmor angle of a constant field, from slow to fast."""
    chosen = [drives[0], drives[3], drives[-1]]
    figure, axes = plt.subplots(2, len(chosen), figsize=(12, 6), sharex=True)
    x = 2 * ANGLE * np.linspace(0, 1, ROWS + 1)
    for column, drive in zip(axes.T, chosen, strict=True):
        for axis, quantity in zip(column, ("angle", "shift"), strict=True):
            axis.plot(x, getattr(drive.full, quantity), "k", lw=3, alpha=0.35, label="full propagator")
            for choice, run in drive.slow.items():
                axis.plot(x, getattr(run, quantity), "-" if "+" in choice else "--", lw=1.2, label=choice)
        column[0].set_title(rf"$\hbar\omega$ = {drive.energy:g} eV")
        column[1].set_xlabel(r"$\omega t$ (rad)")
    axes[0, 0].set_ylabel("angle of the middle moment (rad)")
    axes[1, 0].set_ylabel("shift of the wall (sites)")
    axes[0, 0].legend(fontsize=7)
    figure.suptitle(f"wall driven by a field that rises over the run, J_sd = {j_sd:g} eV")
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_motion.png", dpi=110)


def main() -> bool:
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    OUTPUT.mkdir(exist_ok=True)
    report = Report("Slow textures: tensors against the full propagator")
    tables = {j_sd: compare_runs(report, j_sd, exchange) for j_sd, exchange in WALLS}
    for j_sd, exchange in WALLS:
        judge_runs(report, j_sd, tables[j_sd])
        judge_cost(report, j_sd, exchange)
    plot_errors(plt, tables, remainder(report))
    plot_motion(plt, 1.0, tables[1.0])
    spin_motive_force(report, plt)
    friction_range(report, plt)
    long_chain_is_exact(report)
    long_chains(report)
    thermal_pair(report)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
