"""Physical constants in the package's units: eV, fs, tesla, Bohr magneton.

Everything else in the package takes its constants from here; this module imports nothing.
"""

HBAR = 0.6582119569
"""Reduced Planck constant, eV fs (CODATA 2018)."""

MU_B = 5.7883818060e-5
"""Bohr magneton, eV/T (CODATA 2018)."""

G_E = 2.00231930436
"""Electron g-factor, dimensionless (CODATA 2018)."""

GYROMAGNETIC_RATIO = G_E * MU_B / HBAR
"""Gyromagnetic ratio g = g_e mu_B / hbar, rad/(fs T)."""
