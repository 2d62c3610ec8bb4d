r"""
Spins of a current in a Rashba ribbon
=====================================

A voltage sends electrons through a ribbon with Rashba coupling. Their spins turn into the plane, across the flow (the
Edelstein effect, arrows), and out of the plane with opposite signs at the two edges (the spin Hall effect, colours). No
moments are needed for it; moments on this ribbon would feel these spins as a torque.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE

plt.style.use(STYLE)
ribbon = ln.square(21, 11)  # sites 1 nm apart
electrons = ribbon.electrons(hopping=1.0, rashba=0.2, j_sd=0.0)  # eV


def spins(voltage):
    half = {"left": voltage / 2, "right": -voltage / 2}
    leads = [ribbon.lead(side, hopping=1.0, voltage=half[side]) for side in half]
    system = ln.OpenSystem(electrons, leads, fermi_energy=-3.0, kT=0.05)
    none = np.zeros((ribbon.n_sites, 3))
    stationary = ln.RotatingFrame(system, none, energy=0.0, tolerance=1e-6)
    return ln.spin_density(stationary.density_matrix())


# %%
# What the voltage of 0.2 V changes:

change = 1e3 * (spins(0.2) - spins(0.0))
x, y = ribbon.positions[:, :2].T
figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
largest = np.abs(change[:, 2]).max()
limits = {"vmin": -largest, "vmax": largest}
image = axes.scatter(x, y, c=change[:, 2], cmap="PuOr_r", marker="s", s=95, **limits)
axes.quiver(x, y, change[:, 0], change[:, 1], pivot="middle", width=0.006)
axes.set(xlabel="x (nm)", ylabel="y (nm)", title="electrons flow to the right")
axes.set(aspect="equal", xlim=(-1.5, 21.5), ylim=(-1, 11))
axes.grid(False)
figure.colorbar(image, label=r"$\langle\sigma_z\rangle$ a site ($10^{-3}$)", shrink=0.75)
plt.show()
