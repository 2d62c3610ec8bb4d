"""The error of the pole expansions of a run, measured and not guessed.

The coupling poles are judged by the equilibrium density matrix of the start: once with the exact leads on a complex
contour, once with the poles. The Fermi poles carry a certified bound of their own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llgnegf.poles.channels import PoleSystem
from llgnegf.result import ErrorEstimate
from llgnegf.rotating_frame import RotatingFrame
from llgnegf.system import OpenSystem


def estimate_errors(poles: PoleSystem | None, moments: np.ndarray) -> dict[str, ErrorEstimate]:
    """Errors that stay when the time step goes to zero, for the moments at t = 0, (N, 3)."""
    if poles is None or poles.fermi is None:
        exact = ErrorEstimate(0.0, "no leads: nothing is expanded")
        return {"coupling_poles": exact, "fermi_poles": exact}
    return {
        "coupling_poles": ErrorEstimate(
            _coupling_error(poles, moments),
            "largest difference of a density-matrix element between exact and expanded leads in the equilibrium of "
            f"the moments at t = 0 (kernels K(t) agree to {poles.coupling_error:.2g} eV^2 at all times)",
        ),
        "fermi_poles": ErrorEstimate(
            poles.fermi.error,
            f"largest error of f(E) for |E - mu| <= {poles.spectral_range:.3g} eV: bounds every occupation",
        ),
    }


def _coupling_error(poles: PoleSystem, moments: np.ndarray) -> float:
    exact, expanded = (
        RotatingFrame(_in_equilibrium(system), moments, energy=0.0, axis="z").density_matrix()
        for system in (poles.system, poles.with_pole_leads())
    )
    return float(np.abs(exact - expanded).max())


def _in_equilibrium(system: OpenSystem) -> OpenSystem:
    """The system with the voltages of t = 0 and one chemical potential, the leads' mean, for all leads.

    Between leads that differ, bound states are filled by the tails of the expanded leads but not by the exact ones:
    the comparison would speak of their filling, which takes forever, and not of the expansion.
    """
    mu = float(np.mean(system.chemical_potentials(0.0)))
    voltages = system.voltages(0.0)
    leads = [replace(p, voltage=v, chemical_potential=mu - v) for p, v in zip(system.leads, voltages, strict=True)]
    return replace(system, leads=leads)
