r"""
Electrons around a skyrmion
===========================

A skyrmion deflects the electrons that pass it: the topological Hall effect. The stationary current between two leads
is drawn as stream lines over :math:`M_z`. No magnetic field acts on the electrons; their spins follow the moments,
which acts on their motion as a field would.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE

plt.style.use(STYLE)
N_X, N_Y = 15, 13
lattice = ln.square(N_X, N_Y)  # sites 1 nm apart
whirl = ln.skyrmion(lattice, center=(7.0, 6.0), radius=3.0, wall_width=1.2, polarity=-1)
electrons = lattice.electrons(hopping=1.0, j_sd=1.0)  # eV
voltages = {"left": 0.05, "right": -0.05}  # eV: electrons flow to the right
leads = [lattice.lead(side, hopping=1.0, voltage=voltages[side]) for side in voltages]
system = ln.OpenSystem(electrons, leads, fermi_energy=-2.5, kT=0.02)

rho = ln.RotatingFrame(system, whirl, energy=0.0, tolerance=1e-6).density_matrix()
current = ln.bond_charge_current(rho, electrons)  # electrons per fs

# %%
# The current on a site is the mean of those on its bonds.

flow = np.zeros((lattice.n_sites, 2))
for (i, j), value in zip(electrons.bonds, current, strict=True):
    flow[[i, j]] += 0.5 * value * (lattice.positions[j] - lattice.positions[i])[:2]
x, y = np.arange(N_X), np.arange(N_Y)
u, v, m_z = (a.reshape(N_X, N_Y).T for a in (*flow.T, whirl[:, 2]))

figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
image = axes.pcolormesh(x, y, m_z, cmap="PuOr_r", vmin=-1.7, vmax=1.7, shading="gouraud")
starts = np.column_stack([np.ones(11), np.linspace(1.2, 10.8, 11)])
lines = {"start_points": starts, "broken_streamlines": False}
axes.streamplot(x, y, u, v, color="k", linewidth=1.3, arrowsize=1.1, **lines)
axes.set(xlabel="x (nm)", ylabel="y (nm)", aspect="equal", xlim=(1, 13), ylim=(1, 11))
axes.grid(False)
figure.colorbar(image, label="$M_z$").ax.set_ylim(-1, 1)
plt.show()
