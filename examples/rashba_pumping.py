"""Magnets on spin-orbit coupled electrons pump charge, in many harmonics: python rashba_pumping.py.

Four moments on a Rashba chain, which goes on as its leads, precess together about z. Without spin-orbit coupling they
pump spin and no charge at all; with it charge flows at the frequency of the precession and its multiples
[J. Varela-Manjarres, B. K. Nikolic, J. Phys. Mater. 6, 045001 (2023), arXiv:2112.14685].

With spins turned by 2 phi i about y on site i, tan phi = lambda/t, the chain is plain and its moments are turned. In
the frame of the precession they then move by phi times a vector that turns with it: harmonic n takes n factors phi, so
it grows as lambda^n while lambda is small; see `rashba_pumping.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray

import llgnegf as ln
from llgnegf.units import HBAR

WIRE = ln.square(4, 1)
QUANTUM, ANGLE = 0.2, np.pi / 4
"""hbar w (eV), and the angle of the cone of precession."""
PERIOD = 2 * np.pi * HBAR / QUANTUM
ROWS, WAIT, SEEN = 64, 2, 4
"""Rows for each period; periods until the motion is steady, and those that are looked at."""
STRENGTHS = (0.0, 0.1, 0.2, 0.5)
"""lambda in eV, for a hopping of 1 eV."""


def run(rashba: float) -> ln.Result:
    leads = [WIRE.lead(side, hopping=1.0, rashba=rashba) for side in ("left", "right")]  # fall apart into plain chains
    electrons = WIRE.electrons(hopping=1.0, j_sd=0.5, rashba=rashba)
    system = ln.OpenSystem(electrons, leads, fermi_energy=-1.0, kT=0.025)
    motion = ln.Precession(ln.cone(WIRE, ANGLE), QUANTUM, axis="z", ramp=PERIOD)
    return ln.simulate(system, motion, t_end=(WAIT + SEEN) * PERIOD, save_every=PERIOD / ROWS, rtol=1e-6)


def steady(result: ln.Result) -> xarray.DataArray:
    """Charge current into the leads (electrons/fs) over the last periods."""
    return result.dataset.lead_current.isel(time=slice(-SEEN * ROWS - 1, None))


def main() -> dict[float, xarray.DataArray]:
    found = {s: ln.analysis.harmonics(steady(run(s)), 1 / PERIOD, n=8).amplitude.sel(lead=0) for s in STRENGTHS}
    for k, (strength, amplitude) in enumerate(found.items()):
        print(f"lambda = {strength} eV:", *(f"{a:.0e}" for a in amplitude.values[1:]), "electrons/fs")
        name, colour = f"$\\lambda$ = {strength} eV" if k else "0 (numerical error)", ("0.7", "C9", "C0", "C1")[k]
        plt.bar(amplitude.harmonic[1:] + 0.2 * (k - 1.5), amplitude[1:], 0.2, label=name, color=colour)
    plt.yscale("log")
    plt.gca().set(ylim=(1e-10, 1e-1), xticks=range(1, 9), xlabel="harmonic", ylabel="charge current (electrons/fs)")
    plt.legend(frameon=False, ncols=2)
    plt.title("Charge pumped by precession on Rashba electrons")
    plt.savefig("rashba_pumping.png", dpi=130)
    return found


if __name__ == "__main__":
    main()
