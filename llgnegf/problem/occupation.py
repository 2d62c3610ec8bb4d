"""The Fermi function, for energies measured from the chemical potential and any temperature, zero included.

The one definition that start states, stationary states and runs share; below everything that fills levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

AT_MU = 1e-12
"""eV: levels closer to the chemical potential are at it, half filled at kT = 0."""

FAR = 800.0
"""|E - mu|/kT from which f is 0 or 1 to the last bit."""


def fermi(energy: Any, mu: Any, kT: Any) -> np.ndarray:
    """f = 1/(exp((E - mu)/kT) + 1) for real E in eV, small ones to their last digit; a step with f(mu) = 1/2 at kT = 0.

    mu and kT are numbers, or arrays that are broadcast: leads of different temperature.
    """
    x = np.asarray(energy, dtype=float) - mu
    cold = np.asarray(kT) == 0
    ratio = np.where(cold, FAR * np.sign(x), x / np.where(cold, 1.0, np.asarray(kT, dtype=float)))
    return np.asarray(expit(-ratio))


def fermi_derivative(energy: Any, mu: float, kT: float) -> np.ndarray:
    """df/dE in 1/eV for real E in eV, kT > 0."""
    return -0.25 / kT / np.cosh(np.clip((np.asarray(energy) - mu) / (2 * kT), -350, 350)) ** 2


def fill_levels(levels: np.ndarray, mu: float, kT: float) -> np.ndarray:
    """f of discrete levels (eV), any shape: at kT = 0 those at mu, to round-off, are half filled."""
    return fermi(measured(levels, mu), 0.0, kT)


def measured(levels: np.ndarray, mu: float) -> np.ndarray:
    """Levels measured from mu, those at it to round-off exactly 0."""
    x = np.asarray(levels, dtype=float) - mu
    return np.where(np.abs(x) < AT_MU * max(1.0, float(np.abs(levels).max(initial=0.0))), 0.0, x)


def grand_potential(levels: np.ndarray, mu: float, kT: float) -> float:
    """Omega = -kT sum ln(1 + exp(-(E - mu)/kT)) of independent levels in eV."""
    x = np.asarray(levels) - mu
    return float(x[x < 0].sum()) if kT == 0 else -kT * float(np.logaddexp(0.0, -x / kT).sum())


def density_matrix(hamiltonian: np.ndarray, mu: float, kT: float) -> np.ndarray:
    """f(H) of a closed device."""
    levels, states = np.linalg.eigh(hamiltonian)
    return (states * fill_levels(levels, mu, kT)) @ states.conj().T
