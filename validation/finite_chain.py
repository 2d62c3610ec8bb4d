"""The propagator against a closed chain of some thousand explicit states, and its own equilibrium over 10^4 hbar/gamma.
Run `python -m validation.finite_chain` (some three minutes on one core).

Larger and longer than the cases in tests/test_propagator.py: four sites, random textures, J_sd, levels and hopping,
gamma_c < gamma, E_F != 0, three starts, bias steps and pulses, t up to 80 hbar/gamma; every density-matrix element and
every current, of charge, spin and energy, into leads and across bonds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from validation._report import OUTPUT, Report, run_as_script

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from finite_chain import COMPARED, FiniteChain
from propagation import Run, run, unit_vectors

from llgnegf import ChainLead, OpenSystem, chain
from llgnegf.magnetism.motion import Frozen, Precession
from llgnegf.units import HBAR

LENGTH, SETTLE, END = 220, 60.0, 80.0


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


def compare(report: Report, name: str, seed: int) -> tuple[Run, list[Any]]:
    """One case: the largest error of densities and of currents at five times."""
    start, left, right = CASES[name]
    system, motion = case(seed, left, right)
    got = run(system, motion, t_end=END, save_every=END / 4, rtol=1e-7, start=start)
    exact = FiniteChain(system, LENGTH)
    first = motion.moments(0.0)
    initial = exact.steady(first, SETTLE) if start == "steady" else getattr(exact, start)(first)
    snapshots = [exact.at(t * HBAR, initial, motion.moments, step=0.07) for t in got.times]
    rho = max(np.abs(s.density_matrix - r).max() for s, r in zip(snapshots, got.density_matrices, strict=True))
    report.check(f"{name}: density matrix", rho, 1e-6)
    currents = [c for c in COMPARED if "current" in c]
    error = max(np.abs(getattr(s, c) - got[c][k]).max() for k, s in enumerate(snapshots) for c in currents)
    report.check(f"{name}: charge, spin and energy currents of leads and bonds", error, 1e-6)
    return got, snapshots


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


def figure(name: str, got: Run, snapshots: list[Any]) -> None:
    """Lead currents of one case, propagator and chain."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    ax.plot(got.times, got["lead_current"])
    ax.set_prop_cycle(None)
    ax.plot(got.times, [s.lead_current for s in snapshots], "o")
    ax.set(title=name, xlabel="t (hbar/eV)", ylabel="current into the leads (electrons/fs)")
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "finite_chain.png", dpi=120)


def main() -> bool:
    report = Report(f"Brute-force chain, {LENGTH} sites in each lead, t <= {END:g} hbar/eV")
    for seed, name in enumerate(CASES):
        last = compare(report, name, seed)
    figure(name, *last)
    equilibrium(report)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
