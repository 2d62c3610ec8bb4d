"""A kwant system brought in: a ring with a flux and a moment in its arm: python from_kwant.py (pip install kwant).

The conductance of the ring is that of kwant's scattering matrix. Beyond kwant, the moment precesses: it pumps spin into
both leads and, not seeing them alike, charge from one to the other, which way the flux decides; see `from_kwant.png`.
"""

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import lattice
from llgnegf.units import HBAR

ENERGY, BIAS, QUANTUM, MOMENT_AT = -1.3, 1e-4, 0.02, (1, 4, 0)  # Fermi energy, voltage, hbar w in eV; nm


def ring(kwant: Any) -> Any:
    sites, device = kwant.lattice.square(norbs=1), kwant.Builder()  # norbs 1: both spins alike
    device[sites.shape(lambda r: 2.5 < np.hypot(*r) < 4.7, (3, 0))] = 0.0
    device[sites.neighbors()] = -1.0
    arm = [(sites(0, y), sites(1, y)) for y in (-4, -3)]  # bonds through the lower arm
    device[arm] = lambda a, b, flux: -np.exp(2j * np.pi * flux)
    for way in (-1, 1):
        lead = kwant.Builder(kwant.TranslationalSymmetry((way, 0)))
        lead[sites(0, 0)] = lead[sites(0, 1)] = 0.0
        lead[sites.neighbors()] = -1.0
        device.attach_lead(lead)
    return device.finalized()


def currents(system: Any, flux: float, bias: float, quantum: float) -> Any:
    """Into the leads: under a bias without a moment, or pumped by one that precesses with hbar w = quantum."""
    electrons, leads = ln.from_kwant(system, {"flux": flux}, j_sd=0.5)
    moments = np.outer((electrons.positions == MOMENT_AT).all(axis=1) * (quantum != 0), [1, 0, 0])
    leads = [replace(lead, chemical_potential=ENERGY + s * bias) for lead, s in zip(leads, (0.5, -0.5), strict=True)]
    return ln.RotatingFrame(ln.OpenSystem(electrons, leads, ENERGY, kT=0.0), moments, quantum).lead_currents()


def main() -> tuple[np.ndarray, ...] | None:
    try:
        import kwant
    except ImportError:
        return print("this example needs kwant: pip install kwant")
    system, flux, h = ring(kwant), np.linspace(-0.5, 0.5, 21), 2 * np.pi * HBAR
    theirs = [2 * kwant.smatrix(system, ENERGY, params={"flux": f}).transmission(1, 0) for f in flux]
    ours = [currents(system, f, BIAS, 0.0).charge[1] * h / BIAS for f in flux]
    pumped = np.array([(h / QUANTUM) * currents(system, f, 0.0, QUANTUM).charge for f in flux])  # electrons per turn
    figure, (sketch, left, right) = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    lattice(*ln.from_kwant(system, {"flux": 0.0}), ax=sketch).plot(*MOMENT_AT[:2], "C3o", markersize=9)
    left.plot(flux, theirs, flux, ours, "k.")
    right.plot(flux, 1e3 * pumped[:, 1])
    left.set(xlabel="flux (h/e)", ylabel="conductance (e²/h)", title="kwant (line), llgnegf (points)")
    right.set(xlabel="flux (h/e)", ylabel="10⁻³ electrons per turn", title="pumped from left to right")
    figure.savefig("from_kwant.png", dpi=120)
    return np.array(theirs), np.array(ours), pumped


if __name__ == "__main__":
    main()
