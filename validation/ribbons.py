"""The propagator with periodic leads against explicit cells: named ribbons, random leads, wide ones, longer runs.
Run `python -m validation.ribbons` (a quarter of an hour or more on one core, with the fits the first time).

Beyond the cases of tests/test_explicit_ribbons.py: other seeds and twice the time, the reference longer and finer in
each case, random h0, V and tau of one to four orbitals, a Rashba ribbon three sites wide, low temperature.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from validation._report import Report, run_as_script

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from explicit_ribbon import PeriodicCells, Ribbon, Rows, stationary, turning
from test_explicit_ribbons import (
    AXIS,
    CASES,
    ENERGY,
    JUMP,
    RAMP,
    SMOOTH,
    STEP,
    Case,
    answering,
    bonded,
    case,
    filled_differently,
    grid,
    jump,
    magnet,
    quiet,
    ramp,
    ribbon_lead,
    square_rashba,
    system,
)

import llgnegf as ln
from llgnegf.problem.observables import spin_density

END, EVERY, BOUND, REFERENCE = 10.0, 1.0, 1e-6, 1e-7
TIMES = np.arange(0.0, END + 0.5 * EVERY, EVERY)
STOPS = (JUMP, JUMP + RAMP)
ROWS = {
    "spin_density": "spin", "charge_density": "charge", "lead_current": "current", "lead_spin_current": "spin_current",
    "moments": "moments",
}  # fmt: skip


def random_lead(rng: np.random.Generator, n: int, m: int, kT: float) -> PeriodicCells:
    """h0, V and tau without any symmetry, |V| about 1 eV."""

    def elements(rows: int, columns: int) -> np.ndarray:
        return rng.normal(size=(rows, columns)) + 1j * rng.normal(size=(rows, columns))

    h0 = 0.4 * elements(m, m)
    v, tau = elements(m, m), elements(n, m)
    v, tau = v / np.linalg.norm(v, 2), 0.8 * tau / np.linalg.norm(tau, 2)
    return PeriodicCells(0.5 * (h0 + h0.conj().T), v, tau, kT=kT)


def random_leads(rng: np.random.Generator, m: int) -> Case:
    """Three sites and two leads of m orbitals; nothing commutes with anything."""
    device = bonded(grid(3, 1), grid(3, 1), rashba=0.3)
    return case(rng, device, [random_lead(rng, 6, m, 0.15) for _ in range(2)])


def wide(rng: np.random.Generator) -> Case:
    """2 x 3 sites, Rashba coupling everywhere, one lead magnetised: six orbitals in a cell."""
    device = grid(2, 3)
    left = ribbon_lead(device, grid(1, 3) - [1, 0], [-1, 0], rashba=0.3, kT=0.25)
    right = ribbon_lead(device, grid(1, 3) + [2, 0], [1, 0], rashba=0.3, contact=0.8, kT=0.25)
    field = np.kron(np.eye(3), np.array([[0.0, 0.3 - 0.2j], [0.3 + 0.2j, 0.0]]))
    return case(rng, bonded(device, device, rashba=0.3), [left, replace(right, h0=right.h0 - field)])


def cold(rng: np.random.Generator) -> Case:
    """The square Rashba ribbon at kT = 0.05 eV."""
    one = square_rashba(rng)
    return replace(one, leads=[replace(lead, kT=0.05) for lead in one.leads])


def explicit(one: Case, voltage: Callable[[float], float], answers: bool, longer: int = 0, rtol: float = 1e-9) -> Rows:
    leads = list(one.leads)
    leads[one.biased] = replace(leads[one.biased], voltage=voltage)
    ribbon = Ribbon(one.hamiltonian, one.j_sd, leads, [lead.cells_for(END) + longer for lead in leads])
    motion = answering(one) if answers else turning(one.texture, ENERGY, AXIS)
    return ribbon.run(ribbon.thermal(one.texture), motion, TIMES, STOPS, rtol)


def reference(report: Report, name: str, one: Case) -> None:
    """What the cut and the integration of the explicit cells leave."""
    coarse, fine = (explicit(one, jump, True, *finer) for finer in ((0, 1e-9), (8, 1e-10)))
    error = max(np.abs(getattr(coarse, row) - getattr(fine, row)).max() for row in ("rho", *ROWS.values()))
    report.check(f"reference, {name}: eight cells more and a tenth of the tolerance change", error, REFERENCE)


def compare(report: Report, name: str, one: Case, answers: bool) -> None:
    """One run against the cells: all columns at all rows."""
    began = perf_counter()
    voltage, drive = (ramp, SMOOTH) if answers else (jump, STEP)
    exact = explicit(one, voltage, answers)
    spent = perf_counter() - began
    motion: Any = magnet(answering(one)) if answers else ln.Precession(one.texture, ENERGY, AXIS)
    got = ln.simulate(system(one, drive), motion, t_end=END, save_every=EVERY, rtol=1e-6)
    moves = "moments answer, bias ramped" if answers else "moments turn, bias jumps"
    for column, row in ROWS.items():
        error = np.abs(got.dataset[column].values - getattr(exact, row)).max()
        report.check(f"{name}, {moves}: {column}", error, BOUND)
    report.check(f"{name}, {moves}: density matrix", np.abs(got.density_matrix - exact.rho[-1]).max(), BOUND)
    estimate = got.errors["coupling_poles"].value
    report.note(f"estimated error by the lead modes {estimate:.2g}; {dict(got.statistics)}")
    report.note(f"cells {spent:.0f} s, run {perf_counter() - began - spent:.0f} s")


def stationary_start(report: Report, name: str, one: Case) -> None:
    """Leads filled differently, moments at rest, against the quadrature over energy."""
    texture = one.texture
    h = one.hamiltonian + Ribbon(one.hamiltonian, one.j_sd, one.leads, [1, 1]).exchange(texture)
    rho, current, spin_current = stationary(h, one.leads)
    biased = filled_differently(one)
    result = ln.simulate(biased, ln.Frozen(texture), t_end=50.0, save_every=10.0, rtol=1e-6, start="steady")
    got, estimate = result.dataset, result.errors["coupling_poles"].value
    for column, expected in (
        ("spin_density", spin_density(rho)), ("lead_current", current), ("lead_spin_current", spin_current),
    ):  # fmt: skip
        report.check(f"{name}, steady under bias for 50 fs: {column}", np.abs(got[column] - expected).max(), BOUND)
    report.note(f"estimated error by the lead modes {estimate:.2g}")


def main() -> bool:
    report = Report(f"Ribbons against explicit cells, t <= {END:g} fs, rtol = 1e-6")
    others: list[Callable[[np.random.Generator], Case]] = [partial(random_leads, m=m) for m in (1, 2, 3, 4)]
    named = {build.__name__.replace("_", " "): build for build in CASES}
    named |= {f"random leads of {m} orbitals": build for m, build in enumerate(others, 1)}
    named |= {"three sites wide": wide, "kT = 0.05 eV": cold}
    for seed, (name, build) in enumerate(named.items()):
        one = build(np.random.default_rng(100 + seed))
        reference(report, name, one)
        for answers in (False, True):
            compare(report, name, one, answers)
    for build in CASES[:2]:
        name = build.__name__.replace("_", " ")
        stationary_start(report, name, quiet(build(np.random.default_rng(50))))
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
