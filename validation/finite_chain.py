"""The propagator against a closed chain of some thousand explicit states, and its own equilibrium over 10^4 hbar/gamma.
Run `python -m validation.finite_chain` (some three minutes on one core).

Larger and longer than the cases in tests/test_propagator.py: four sites, random textures, J_sd, levels and hopping,
gamma_c < gamma, E_F != 0, three starts, bias steps and pulses, t up to 80 hbar/gamma; every density-matrix element and
every current, of charge, spin and energy, into leads and across bonds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from validation._report import OUTPUT, Report, run_as_script

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from finite_chain import COMPARED, FiniteChain
from propagation import Run, run, unit_vectors

from llgnegf import ChainLead, OpenSystem, chain
from llgnegf.plots.style import line, new_figure, points, styled
from llgnegf.problem.magnetism.motion import Frozen, Precession
from llgnegf.units import HBAR

LENGTH, SETTLE, END, BOUND = 220, 60.0, 80.0, 1e-6
ROWS, OFTEN = 40, 10
"""Rows of the propagator's run, and every how many the chain is computed."""


def step(height: float) -> Any:
    """A voltage that jumps right after t = 0."""
    return lambda t: height if t > 0 else 0.0


def pulse(height: float, center: float, width: float) -> Any:
    """cos^4 pulse, zero outside center +- width (hbar/eV)."""

    def voltage(t: float) -> float:
        x = (t / HBAR - center) / width
        return height * np.cos(0.5 * np.pi * x) ** 4 if abs(x) < 1 else 0.0

    return voltage


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "thermal start, bias step": ("thermal", {"voltage": step(0.4)}, {"voltage": step(-0.2)}),
    "thermal start, two pulses": ("thermal", {"voltage": pulse(0.6, 20, 12)}, {"voltage": pulse(-0.5, 40, 9)}),
    "partitioned start, filling bias": ("partitioned", {"chemical_potential": 0.5}, {"voltage": -0.3}),
    "steady start, filling bias, pulse": (
        "steady", {"chemical_potential": 0.2}, {"chemical_potential": -0.2, "voltage": pulse(0.4, 20, 15)},
    ),
}  # fmt: skip


def case(seed: int, left: dict[str, Any], right: dict[str, Any]) -> tuple[OpenSystem, Precession]:
    """A random wire of four sites and moments that turn about a random axis."""
    rng = np.random.default_rng(100 + seed)
    electrons = chain(4, rng.uniform(0.7, 1.2, 3), rng.uniform(-1.5, 1.5, 4), rng.uniform(-0.3, 0.3, 4))
    leads = [
        ChainLead(site=0, coupling=rng.uniform(0.5, 0.9), onsite=0.1, **left),
        ChainLead(site=-1, coupling=rng.uniform(0.5, 0.9), hopping=1.1, **right),
    ]
    system = OpenSystem(electrons, leads, fermi_energy=rng.uniform(-0.3, 0.3), kT=0.1)
    return system, Precession(unit_vectors(rng, 4), rng.uniform(0.1, 0.5), axis=rng.normal(size=3))


@dataclass(frozen=True)
class Compared:
    """One case: the propagator's run, the chain at every `OFTEN`-th of its rows, the errors of rho there."""

    run: Run
    snapshots: list[Any]
    errors: np.ndarray

    @property
    def times(self) -> np.ndarray:
        """Those of the snapshots, hbar/eV."""
        return self.run.times[::OFTEN]


def compare(report: Report, name: str, seed: int) -> Compared:
    """One case: the largest error of densities and of currents at five times."""
    start, left, right = CASES[name]
    system, motion = case(seed, left, right)
    got = run(system, motion, t_end=END, save_every=END / ROWS, rtol=1e-7, start=start)
    exact = FiniteChain(system, LENGTH)
    first = motion.moments(0.0)
    initial = exact.steady(first, SETTLE) if start == "steady" else getattr(exact, start)(first)
    snapshots = [exact.at(t * HBAR, initial, motion.moments, step=0.07) for t in got.times[::OFTEN]]
    matrices = got.density_matrices[::OFTEN]
    rho = np.array([np.abs(s.density_matrix - r).max() for s, r in zip(snapshots, matrices, strict=True)])
    report.check(f"{name}: density matrix", rho.max(), BOUND)
    currents = [c for c in COMPARED if "current" in c]
    error = max(np.abs(getattr(s, c) - got[c][k * OFTEN]).max() for k, s in enumerate(snapshots) for c in currents)
    report.check(f"{name}: charge, spin and energy currents of leads and bonds", error, BOUND)
    return Compared(got, snapshots, rho)


def equilibrium(report: Report) -> None:
    """Frozen moments at their equilibrium for 10^4 hbar/gamma."""
    leads = [ChainLead(site=0, coupling=0.8), ChainLead(site=-1)]
    system = OpenSystem(chain(2, 1.0, 1.0), leads, 0.3, 0.02)
    texture = unit_vectors(np.random.default_rng(2), 2)
    for label, options, bound in (
        ("fixed step 0.25", {"rtol": 1e-3, "step": 0.25}, 1e-9),
        ("adaptive, rtol = 1e-8", {"rtol": 1e-8}, 1e-9),
        ("adaptive, rtol = 1e-6: stays within rtol", {"rtol": 1e-6}, 1e-6),
    ):
        began = perf_counter()
        # the dense, certified expansions of rtol = 1e-8 cost most of the time: a tenth of the duration for them
        end = 1e3 if label.startswith("adaptive, rtol = 1e-8") else 1e4
        got = run(system, Frozen(texture), t_end=end, save_every=end / 20, **options)
        drift = np.abs(got.density_matrices - got.density_matrices[0]).max()
        report.check(f"equilibrium stays put for {end:.0e} hbar/gamma, {label}", drift, bound)
        report.note(f"{perf_counter() - began:.0f} s, {dict(got.statistics)}")


@styled
def figure(found: dict[str, Compared]) -> None:
    """Lead currents of the last case, propagator and chain; errors of the density matrix in all cases."""
    fig = new_figure(3.4)
    left, right = fig.subplots(1, 2)
    name, shown = list(found.items())[-1]
    exact = np.array([s.lead_current for s in shown.snapshots])
    for p, lead in enumerate(("left", "right")):
        left.plot(shown.run.times, shown.run["lead_current"][:, p], label=f"{lead} lead, propagator", **line(p))
        left.plot(shown.times, exact[:, p], label=f"{lead} lead, chain", **points(p, linestyle="none"))
    left.set(xlabel=r"t ($\hbar$/eV)", ylabel="current into the lead (electrons/fs)", title=name)
    left.legend()
    for k, (name, compared) in enumerate(found.items()):
        right.semilogy(compared.times, np.maximum(compared.errors, 1e-17), label=name, **points(k))
    right.axhline(BOUND, color="0.4", linewidth=0.8)
    right.annotate("bound", (0.0, BOUND), va="bottom", color="0.4")
    right.set(xlabel=r"t ($\hbar$/eV)", ylabel="largest error of the density matrix", ylim=(None, 1e-2))
    right.legend(loc="upper right", fontsize=7.5)
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "finite_chain.png")


def main() -> bool:
    report = Report(f"Brute-force chain, {LENGTH} sites in each lead, t <= {END:g} hbar/eV")
    found = {name: compare(report, name, seed) for seed, name in enumerate(CASES)}
    figure(found)
    equilibrium(report)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
