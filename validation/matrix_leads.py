"""Modes of leads with a matrix self-energy: how many, how long a fit takes, and Gamma >= 0 for random leads.
Run `python -m validation.matrix_leads [--random N]` (minutes on one core; nothing is taken from the cache).

Named leads: modes per orbital and CPU seconds at errors of C(t) from 1e-5 to 1e-8 of C(0), 0 <= t <= 240 hbar over a
quarter of the band width; one that is missed; and a wide lead of 16 orbitals at 1e-5. Random leads, m = 1 to 8
orbitals with normally distributed complex h0 and V: the certificate of `poles.positive` and, as a judge that shares
nothing with it, the smallest eigenvalue of Gamma at energies drawn at random and about every mode.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from time import process_time
from typing import Any

import numpy as np

import llgnegf as ln
from llgnegf.poles.matrix_fit import WINDOW, matrix_modes
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.problem.periodic import PeriodicSpectrum
from validation._report import Report, run_as_script

WIDE_TOLERANCE, WIDE_SECONDS, WIDE_END = 1e-5, 60.0, 60.0
"""The wide lead: CPU seconds at most, and the time (as for the window) up to which its error is looked at."""
RANDOM_TOLERANCE = 3e-2
CELLS = 1.25
"""Of the finite lead, for each hbar over a quarter of the band width: what its end reflects is not back by then."""


def spectrum_of(lattice: Any, **fields: Any) -> PeriodicSpectrum:
    """The largest block of a ribbon lead."""
    parts = lattice.lead("left", hopping=1.0, **fields).attach(lattice.n_sites)
    return max((part.spectrum for part in parts), key=lambda spectrum: getattr(spectrum, "size", 0))


MAGNETIC: dict[str, Any] = {"rashba": 0.3, "exchange": (0.3, 0.0, 0.0)}
NAMED: dict[str, tuple[Callable[[], PeriodicSpectrum], dict[float, int]]] = {
    "ferromagnetic Rashba chain": (
        partial(spectrum_of, ln.square(2, 1), rashba=0.4, exchange=(0.3, 0.0, 0.0)), {1e-5: 20, 1e-6: 28, 1e-8: 48}
    ),
    "Rashba ribbon of two rows": (
        partial(spectrum_of, ln.square(2, 2), rashba=0.3), {1e-5: 20, 1e-6: 28, 1e-8: 48}
    ),
    "ferromagnetic Rashba ribbon of two rows": (
        partial(spectrum_of, ln.square(2, 2), **MAGNETIC), {1e-5: 20, 1e-6: 28, 1e-8: 48}
    ),
    "zigzag honeycomb of two rows": (
        partial(spectrum_of, ln.honeycomb(3, 2, edge="zigzag")), {1e-5: 36, 1e-6: 50}
    ),
    "zigzag honeycomb of three rows": (partial(spectrum_of, ln.honeycomb(3, 3, edge="zigzag")), {1e-5: 36}),
    "armchair honeycomb of three rows": (
        partial(spectrum_of, ln.honeycomb(3, 3, edge="armchair")), {1e-5: 36, 1e-6: 50, 1e-7: 60}
    ),
}  # fmt: skip
"""Leads, and modes per orbital at most for each tolerance: square leads, then honeycombs, whose Gamma diverges."""
MISSED = (
    ("zigzag honeycomb of three rows", partial(spectrum_of, ln.honeycomb(3, 3, edge="zigzag")), 1e-6, 2e-6),
)
"""Leads whose fits do not meet a tolerance, that, and what their error stays below."""
WIDE = partial(spectrum_of, ln.square(2, 8), **MAGNETIC)


def random_spectrum(m: int, rng: np.random.Generator) -> PeriodicSpectrum:
    cell, hopping = (rng.normal(size=(m, m)) + 1j * rng.normal(size=(m, m)) for _ in range(2))
    return PeriodicSpectrum(0.25 * (cell + cell.conj().T), 0.5 * hopping)


def lowest(modes: MatrixModes, rng: np.random.Generator) -> float:
    """The smallest eigenvalue of Gamma, over |C(0)| and in units of 1/|chi|, at energies of all kinds."""
    chi = modes.energies[modes.energies.imag < 0]
    near = chi.real[:, None] + chi.imag[:, None] * rng.normal(size=(chi.size, 20))
    far = rng.uniform(-3, 3, 500) * np.abs(chi).max()
    gamma = modes.broadening(np.concatenate([near.ravel(), far]))
    return float(np.linalg.eigvalsh(gamma)[:, 0].min() * np.abs(chi).max() / np.linalg.norm(modes.weight, 2))


def error_of(spectrum: PeriodicSpectrum, modes: MatrixModes, rng: np.random.Generator, end: float) -> float:
    """max ||C - C_fit|| at random times up to `end`, C of a finite lead whose end is not felt yet."""
    unit = 0.25 * (spectrum.support[1] - spectrum.support[0])
    cells = int(CELLS * end) + 20
    step = np.eye(cells, k=1)
    hopping = np.kron(step, spectrum.hopping)
    energies, states = np.linalg.eigh(np.kron(np.eye(cells), spectrum.cell) + hopping + hopping.conj().T)
    first, worst = spectrum.coupling @ states[: len(spectrum.cell)], 0.0
    for time in np.append(rng.uniform(0, end, 100), rng.uniform(0, 10, 100)) / unit:
        exact = (first * np.exp(-1j * energies * time)) @ first.conj().T
        worst = max(worst, float(np.linalg.norm(exact - modes.kernel(time), 2)))
    return worst


def fitted(k: int) -> tuple[float, float, float, float]:
    """Random lead number k: modes per orbital, the smallest eigenvalue of Gamma, true error over C(0), CPU seconds."""
    rng, start = np.random.default_rng([1, k]), process_time()
    spectrum = random_spectrum(1 + k % 8, rng)
    modes = matrix_modes(spectrum, RANDOM_TOLERANCE, strict=False)
    seconds = process_time() - start
    error = error_of(spectrum, modes, rng, 30.0) / float(np.linalg.norm(modes.weight, 2))
    return modes.energies.size / modes.size, lowest(modes, rng), error, seconds


def named(
    report: Report, name: str, spectrum: PeriodicSpectrum, tolerance: float, judged: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[float, float]:  # fmt: skip
    """Modes per orbital and CPU seconds; the claim is the true error up to a time, over C(0), and its bound."""
    start, (end, bound) = process_time(), judged
    modes = matrix_modes(spectrum, tolerance, strict=False)
    seconds, each = process_time() - start, modes.energies.size / modes.size
    size = float(np.linalg.norm(spectrum.weight, 2))
    report.check(f"kernel, {name}, {tolerance:g}", error_of(spectrum, modes, rng, end) / size, bound)
    report.note(f"    {modes.size} orbitals: {each:.1f} modes per orbital, {seconds:.1f} s of CPU time")
    report.note(f"    bound on the kernel's error at all times {modes.error / size:.2g}")
    return each, seconds


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=200, help="random leads")
    parser.add_argument("--processes", type=int, default=2, help="for random leads")
    asked = parser.parse_args()
    os.environ["LLGNEGF_CACHE"] = ""
    report, rng = Report("Modes of leads with a matrix self-energy"), np.random.default_rng(1)
    for name, (build, counts) in NAMED.items():
        for tolerance, most in counts.items():
            each, _ = named(report, name, build(), tolerance, (WINDOW, tolerance), rng)
            report.check(f"modes per orbital, {name}, {tolerance:g}", each, most)
    for name, build, tolerance, reached in MISSED:
        named(report, name, build(), tolerance, (WINDOW, reached), rng)
    name = "ferromagnetic Rashba ribbon of eight rows"
    seconds = named(report, name, WIDE(), WIDE_TOLERANCE, (WIDE_END, WIDE_TOLERANCE), rng)[1]
    report.check(f"CPU seconds of the fit, {name}", seconds, WIDE_SECONDS)
    with ProcessPoolExecutor(asked.processes, mp_context=get_context("spawn")) as pool:
        each, smallest, errors, seconds = np.array(list(pool.map(fitted, range(asked.random)))).T
    report.note(f"{asked.random} random leads of 1 to 8 orbitals: {seconds.sum():.0f} s, at most {seconds.max():.0f} s")
    report.note(f"    modes per orbital: {np.median(each):.1f} in the median, {each.max():.1f} at most")
    report.check("negative eigenvalue of Gamma of a random lead, over |C(0)|/|chi|", max(0.0, -smallest.min()), 0.0)
    report.check("true error of a random lead's kernel at early times, over C(0)", errors.max(), RANDOM_TOLERANCE)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
