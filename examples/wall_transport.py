"""What flows through a domain wall, how noisily, and what a magnet takes of a spin: python wall_transport.py.

Where electrons of either spin move, a wide wall turns their spins with it and a narrow one lets them pass as they are.
What a wall reflects is a source of shot noise, which heat hides up to eV = 2 kT. And a spin across the moments
precesses while it passes, while one of its two halves is reflected: behind some layers of a magnet nothing is left.
See `wall_transport.png` and docs/transport.md.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray

import llgnegf as ln
from llgnegf.units import HBAR

N_SITES, J, FERMI_ENERGY, KT = 21, 0.7, -1.6, 0.01
"""Sites, J_sd (eV), E_F and kT in eV: between the bottoms of the two spins' bands, -2.7 and -1.3 eV."""
WIDTHS = (0.3, 3.0)


def wire(moments: np.ndarray, bias: float = 0.0, kT: float = KT) -> ln.Transport:
    """Between leads of both spins."""
    leads = [ln.ChainLead(end, chemical_potential=FERMI_ENERGY + s * bias / 2) for end, s in ((0, 1), (-1, -1))]
    return ln.Transport(ln.OpenSystem(ln.chain(len(moments), 1.0, J), leads, FERMI_ENERGY, kT), moments)


def wall(width: float) -> np.ndarray:
    return ln.bloch_wall(N_SITES, (N_SITES + 1) / 2, width)


def main() -> tuple[dict[float, xarray.DataArray], np.ndarray, np.ndarray, list[complex]]:
    energies, biases, layers = np.linspace(-2.0, -0.8, 300), np.linspace(0.0, 0.2, 11), np.arange(1, 21)
    through = {w: wire(wall(w)).transmission(energies, "z").sel(lead=1, source_lead=0) for w in WIDTHS}
    flows = [wire(wall(WIDTHS[0]), bias) for bias in biases]
    noise, current = np.array([(f.noise()[1, 1], f.currents().charge[1]) for f in flows]).T
    passed = [complex(wire(ln.uniform(n, "z"), kT=0.0).mixing_conductance().transmission[1, 0]) for n in layers]

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for (w, t), colour in zip(through.items(), ("C1", "C0"), strict=True):
        left.plot(energies, t.sum(["spin", "source_spin"]), colour, label=f"width {w:g}, all")
        left.plot(energies, t.sel(spin="down", source_spin="up"), colour, ls=":", label="up turned down")
    left.set(xlabel="energy (eV)", ylabel="transmission through a wall", ylim=(0, 3))
    middle.plot(biases, noise, "o-", label="S")
    middle.plot(biases, current, "k--", label="I, single charges at random")
    thermal = 2 * KT / (2 * np.pi * HBAR) * wire(wall(WIDTHS[0])).conductance().charge[1, 0]
    middle.axhline(float(thermal), ls=":", c="0.5")
    middle.set(xlabel="bias (V)", ylabel="noise (electrons$^2$/fs)", title="dotted: 2 kT G", ylim=(0, None))
    right.plot(layers, np.real(passed), "o-", label="Re")
    right.plot(layers, np.imag(passed), "s-", label="Im")
    right.set(xlabel="layers of the magnet", ylabel="mixing conductance behind it ($e^2/h$)")
    for axes in (left, middle, right):
        axes.legend(frameon=False)
    plt.savefig("wall_transport.png", dpi=120)
    return through, noise, current, passed


if __name__ == "__main__":
    main()
