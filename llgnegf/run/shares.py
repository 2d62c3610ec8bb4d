"""Shares of rtol: what each source of error may take of it, in every kind of run.

Measured by validation/error_budget.py and pole_convergence.py; in a full run LEADS, FERMI, TAILS and STEPS together
stay below 1. ROW bounds the distance from a polynomial of lower order, not the error itself, and is no part of the
budget.
"""

from llgnegf.units import HBAR

LEADS = 0.5
"""Error of rho by the lead modes of a full run."""
SLOW_LEADS = 1.0
"""Tolerance of the lead kernels of a slow run, relative to K(0); rho is off by some fiftieth of it."""
FERMI = 0.01
"""Tolerance of the Fermi function: small, because its error shows at once, as occupations outside 0 to 1, and costs few
poles."""
TAILS, SLOW_TAILS = 0.15, 1.0
"""What the Fermi function leaves of wide bands, in full and in slow runs."""
VECTORS = TAILS
"""What Fermi vectors that are left out do; with wide bands none are."""
SURFACE = 0.1
"""Fermi-surface sums of slow runs."""
STEP, STEPS = 0.03, 0.3
"""Local error of a step for each unit of time (hbar/eV), and of all steps together."""
ONE_OF_FEW = 0.3
"""Largest part of STEPS that a single step of a slow run may take, where few steps are expected."""
ROW, MOMENT_ROW = 0.5, 0.01
"""Interpolation of a row, for electrons and for moments: the lengths of the moments are restored afterwards, which
should change them little."""


def step_tolerance(rtol: float, t_end: float) -> float:
    """Local error that a step may make for each unit of time (hbar/eV) in a run up to t_end (fs)."""
    return rtol * min(STEP, STEPS * HBAR / t_end)
