r"""
Electrons around a skyrmion
===========================

A skyrmion deflects the electrons that pass it: the topological Hall effect. The stationary current between two leads
is drawn as stream lines over :math:`M_z`. No magnetic field acts on the electrons; their spins follow the moments, which
act on their motion as a field would.
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
leads = [lattice.lead("left", hopping=1.0, voltage=0.05), lattice.lead("right", hopping=1.0, voltage=-0.05)]
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
starts = np.column_stack([np.full(N_Y - 2, 0.2), y[1:-1]])
axes.streamplot(x, y, u, v, color="k", linewidth=1.3, start_points=starts, broken_streamlines=False, arrowsize=1.1)
axes.set(xlabel="x (nm)", ylabel="y (nm)", aspect="equal")
axes.grid(False)
figure.colorbar(image, label="$M_z$").ax.set_ylim(-1, 1)
plt.show()
