r"""
What passes a domain wall
=========================

Transmission of a chain whose 21 moments form a Bloch wall, between leads of both spins. A wide wall turns the spins of
the electrons with it; a narrow one lets most of them pass as they are, against the moments behind it. Below the bottom
of the band of the spin against the moments, at :math:`-2\gamma+J_\mathrm{sd}` (dotted), nothing passes that was not
turned; above :math:`2\gamma-J_\mathrm{sd}` there is no state for the spin along them.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE

plt.style.use(STYLE)
N, J_SD = 21, 0.7  # sites; eV
leads = [ln.ChainLead(0), ln.ChainLead(-1)]
system = ln.OpenSystem(ln.chain(N, j_sd=J_SD), leads, fermi_energy=-1.6, kT=0.01)
energies = np.linspace(-2.1, 2.1, 400)

figure, axes = plt.subplots(2, 1, figsize=(5, 3.5), sharex=True, layout="constrained")
for ax, width in zip(axes, (4.0, 0.4), strict=True):
    wall = ln.bloch_wall(N, center=(N + 1) / 2, width=width)
    through = ln.Transport(system, wall).transmission(energies, "z")
    through = through.sel(lead=1, source_lead=0, source_spin="up")
    turned, kept = (through.sel(spin=spin) for spin in ("down", "up"))
    ax.fill_between(energies, turned, color="#0072B2", lw=0, label="turned down")
    ax.fill_between(energies, turned, turned + kept, color="#E69F00", lw=0, label="stays up")
    for edge in (-2 + J_SD, 2 - J_SD):
        ax.axvline(edge, color="k", ls=":", lw=1)
    ax.set(title=f"wall of width {width:g}, spin up comes from the left")
    ax.set(ylim=(0, 1.05), ylabel="transmission")
axes[0].legend(loc="lower center", ncols=2, framealpha=0.9, frameon=True)
axes[1].set(xlabel="energy (eV)")
axes[1].margins(x=0)
plt.show()
