"""What `channels` asks of a matrix spectrum: its modes, its weight C(0).

Beside `sampling`, which does so for scalar ones; the fit itself is in `matrix_fit`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.poles.sampling import finite_support
from llgnegf.problem.matrix_spectra import MatrixSpectrum


def channel_modes(spectrum: MatrixSpectrum, tolerance: float, strict: bool = True) -> MatrixModes:
    """Modes of a matrix channel with max_t |C(t) - C_fit(t)| <= tolerance |C(0)|, or, not `strict`, the best ones.

    From the spectrum itself where it has a method `modes`, else from a fit.
    """
    own: Callable[[float], MatrixModes] | None = getattr(spectrum, "modes", None)
    if own is None:
        from llgnegf.poles.matrix_fit import matrix_modes

        return matrix_modes(spectrum, tolerance, strict)
    modes = own(tolerance)
    if strict and modes.error > tolerance * np.linalg.norm(modes.weight, 2) * (1 + 1e-9):
        error = f"{type(spectrum).__name__}.modes: an error of {modes.error:.3g} eV^2"
        raise ValueError(f"{error}; allowed: tolerance {tolerance:.2g} |C(0)|")
    return modes


def matrix_weight(spectrum: MatrixSpectrum) -> np.ndarray:
    """C(0) of a matrix spectrum in eV^2, (m, m): its `weight` if it has one, else from Sigma(E) ~ C(0)/E far off."""
    own: np.ndarray | None = getattr(spectrum, "weight", None)
    if own is None:
        low, high = finite_support(spectrum)
        distance = 1e3 * (high - low)
        own = 1j * distance * spectrum.self_energy(np.array(0.5 * (low + high) + 1j * distance))
    return 0.5 * (own + own.conj().T)


def square_root(matrix: np.ndarray) -> np.ndarray:
    """Of a Hermitian matrix, eigenvalues below zero (round-off) taken for zero."""
    values, states = np.linalg.eigh(matrix)
    return (states * np.sqrt(np.maximum(values, 0.0))) @ states.conj().T
