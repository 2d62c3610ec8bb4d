"""Modes of leads with a matrix self-energy: how many, how long a fit takes, and Gamma >= 0 for random leads.
Run `python -m validation.matrix_leads [--random N]` (minutes on one core; nothing is taken from the cache).

Named leads: modes per orbital and CPU seconds at kernel errors of 1e-5 and 1e-6 of C(0) for 0 <= t <= 240 hbar over a
quarter of the band width, beside the number that would do without Gamma >= 0. Random leads, m = 1 to 8 orbitals with
normally distributed complex h0 and V: the certificate of `poles.positive` and, as a judge that shares nothing with it,
the smallest eigenvalue of Gamma at energies drawn at random and about every mode.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import process_time

import numpy as np

import llgnegf as ln
from llgnegf.poles.matrix_fit import WINDOW, matrix_modes
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.problem.periodic import PeriodicSpectrum
from validation._report import Report, run_as_script

FREE = {1e-5: 14, 1e-6: 18}
"""Modes per orbital of fits to C(t) in that window whose Gamma may be negative at edges of bands."""
RANDOM_TOLERANCE = 3e-2
CELLS = 1.25
"""Of the finite lead, for each hbar over a quarter of the band width: what its end reflects is not back by then."""


def spectrum_of(width: int, rashba: float, exchange: tuple[float, float, float]) -> PeriodicSpectrum:
    """The largest block of a ribbon lead."""
    lead = ln.square(2, width).lead("left", hopping=1.0, rashba=rashba, exchange=exchange)
    return max((c.spectrum for c in lead.attach(2 * width)), key=lambda s: getattr(s, "size", 0))


NAMED = {
    "ferromagnetic Rashba chain, m = 2": (1, 0.4, (0.3, 0.0, 0.0)),
    "Rashba ribbon of two, blocks of m = 2": (2, 0.3, (0.0, 0.0, 0.0)),
    "ferromagnetic Rashba ribbon of two, m = 4": (2, 0.3, (0.3, 0.0, 0.0)),
}


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
    m, unit = spectrum.size, 0.25 * (spectrum.support[1] - spectrum.support[0])
    cells = int(CELLS * end) + 20
    step = np.eye(cells, k=1)
    hopping = np.kron(step, spectrum.hopping)
    energies, states = np.linalg.eigh(np.kron(np.eye(cells), spectrum.cell) + hopping + hopping.conj().T)
    worst = 0.0
    for time in np.append(rng.uniform(0, end, 100), rng.uniform(0, 10, 100)) / unit:
        exact = (states[:m] * np.exp(-1j * energies * time)) @ states[:m].conj().T
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


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=200, help="random leads")
    parser.add_argument("--processes", type=int, default=2, help="for random leads")
    asked = parser.parse_args()
    os.environ["LLGNEGF_CACHE"] = ""
    report, rng = Report("Modes of leads with a matrix self-energy"), np.random.default_rng(1)
    for name, arguments in NAMED.items():
        spectrum = spectrum_of(*arguments)
        for tolerance, free in FREE.items():
            start = process_time()
            modes = matrix_modes(spectrum, tolerance, strict=False)
            seconds = process_time() - start
            each, error = modes.energies.size / modes.size, error_of(spectrum, modes, rng, WINDOW)
            report.note(f"{name}: {each:.1f} modes an orbital ({free} without Gamma >= 0), {seconds:.1f} s of CPU time")
            report.note(f"    kernel to {error:.2g} of {tolerance:g} in the window")
            report.check(f"true error over the modes' own bound, {name}, {tolerance:g}", error / modes.error, 1.0)
    with ProcessPoolExecutor(asked.processes, mp_context=get_context("spawn")) as pool:
        each, smallest, errors, seconds = np.array(list(pool.map(fitted, range(asked.random)))).T
    report.note(f"{asked.random} random leads of 1 to 8 orbitals: {seconds.sum():.0f} s of CPU time, at most {seconds.max():.0f}")
    report.note(f"    modes per orbital: {np.median(each):.1f} in the median, {each.max():.1f} at most")
    report.check("negative eigenvalue of Gamma of a random lead, over |C(0)|/|chi|", max(0.0, -smallest.min()), 0.0)
    report.check("true error of a random lead's kernel at early times, over C(0)", errors.max(), RANDOM_TOLERANCE)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
