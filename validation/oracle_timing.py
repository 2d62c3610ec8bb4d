"""CPU time of the rotating-frame oracle on one core: `python -m validation.oracle_timing [n_sites ...]`.

Bounds: the seven-site wall's decomposition in 0.3 s, a 200-site wall's full matrices in 60 s and its local quantities
(sites and bonds, by recursion along the chain) in 10 s, at kT = 0 and kT = 0.01 eV. The recursion itself is linear in
the number of sites; a few passes over the dense Hamiltonian (N^2) and blocks that leave the caches raise the power to
1.4 between 200 and 800 sites, which is held apart from N^2 (whole matrices: N^3).
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # before numpy starts its threads
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[_name] = "1"

from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np

import llgnegf as ln
from validation._report import Report, run_as_script

FULL_BOUNDS, LOCAL_BOUNDS = {7: 0.3, 200: 60.0}, {7: 0.3, 200: 10.0}
LARGEST_FULL = 300
"""Sites up to which the full (2N, 2N) matrices are computed too."""


def wire(n_sites: int, kT: float) -> ln.RotatingFrame:
    """A wall that turns at hbar w = 0.001 eV in a chain with J_sd = 0.1 eV."""
    leads = [ln.ChainLead(0), ln.ChainLead(-1)]
    system = ln.OpenSystem(ln.chain(n_sites, j_sd=0.1), leads, kT=kT)
    wall = ln.bloch_wall(n_sites, (n_sites + 1) / 2, 0.9 if n_sites < 20 else n_sites / 20)
    return ln.RotatingFrame(system, wall, energy=0.001)


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds and result."""
    start = process_time()
    result = function()
    return process_time() - start, result


def measure(report: Report, n_sites: int, kT: float) -> float:
    """The times of one chain; CPU seconds of its local decomposition, the fastest of three."""
    name = f"{n_sites} sites, kT = {kT:g}"
    trials = [timed(wire(n_sites, kT).decompose_locally) for _ in range(3)]
    local, parts = min(seconds for seconds, _ in trials), trials[0][1]
    exact, (_, error) = timed(wire(n_sites, kT).local_density_matrix_with_error)
    currents, _ = timed(wire(n_sites, kT).lead_currents)
    if n_sites in LOCAL_BOUNDS:
        report.check(f"{name}: four parts on sites and bonds, s", local, LOCAL_BOUNDS[n_sites])
    report.note(
        f"{name}: sites and bonds: four parts {local:.3f} s, exact {exact:.3f} s, lead currents {currents:.3f} s, "
        f"quadrature error {max(parts.error, error):.1e}"
    )
    if n_sites <= LARGEST_FULL:
        full, parts = timed(wire(n_sites, kT).decompose)
        exact, (_, error) = timed(wire(n_sites, kT).density_matrix_with_error)
        if n_sites in FULL_BOUNDS:
            report.check(f"{name}: four parts, full matrices, s", full, FULL_BOUNDS[n_sites])
        report.note(
            f"{name}: full matrices: four parts {full:.3f} s, exact {exact:.3f} s, "
            f"quadrature error {max(parts.error, error):.1e}"
        )
    return local


def main() -> bool:
    sizes = [int(argument) for argument in sys.argv[1:]] or [7, 200, 800]
    report = Report("Rotating frame, CPU seconds on one core")
    for kT in (0.0, 0.01):
        seconds = {n: measure(report, n, kT) for n in sizes}
        long = [n for n in sizes if n >= 200]
        if len(long) > 1:
            growth = np.polyfit(np.log(long), np.log([seconds[n] for n in long]), 1)[0]
            report.check(f"kT = {kT:g}: sites and bonds: power of N in the time, N >= 200", growth, 1.6)
    return report.all_hold() or not report.checks


if __name__ == "__main__":
    run_as_script(main)
