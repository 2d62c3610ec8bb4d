r"""
Torque on a precessing wall, part by part
=========================================

A Bloch wall of seven moments turns about :math:`z` between two leads. To first order in :math:`\hbar\omega` the torque
of the electrons, :math:`\mathbf T_i=J_\mathrm{sd}\langle\boldsymbol\sigma\rangle_i\times\mathbf M_i`, has an adiabatic
part, which is there at rest too, a geometric one and those of the Fermi sea and of the Fermi surface [`PRL 125, 187202
<https://doi.org/10.1103/PhysRevLett.125.187202>`_]. Here is how the latter three act along
:math:`\dot{\mathbf M}`: geometric and surface parts nearly cancel.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE

plt.style.use(STYLE)
J_SD, ENERGY = 0.1, 0.001  # eV; hbar omega in eV

wall = ln.bloch_wall(n_sites=7, center=4, width=0.9)
system = ln.OpenSystem(ln.chain(7, j_sd=J_SD), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.0)
frame = ln.RotatingFrame(system, wall, ENERGY)
parts = frame.decompose()

# %%
# The wall is drawn with :math:`M_z` upwards and :math:`M_y` to the right.

panels = {"sharex": True, "height_ratios": (1, 2.6), "layout": "constrained"}
figure, (top, bottom) = plt.subplots(2, 1, figsize=(5, 3.5), **panels)
sites = np.arange(7)
shape = {"pivot": "middle", "scale": 9, "width": 0.014, "edgecolor": "k", "linewidth": 0.4}
_, m_y, m_z = wall.T
top.quiver(sites, 0 * sites, m_y, m_z, m_z, cmap="PuOr_r", clim=(-1, 1), **shape)
top.set(yticks=[], ylim=(-1, 1), ylabel="moments")
top.grid(False)
for name, style in (("geometric", "o-"), ("sea", "s--"), ("surface", "^:")):
    torque = ln.torque(getattr(parts, name), wall, J_SD)
    split = ln.field_like_damping_like(torque, wall, frame.velocity)
    bottom.plot(sites, 1e6 * split.field_like, style, label=name)
bottom.set(xlabel="site (the first is 0)", ylabel=r"field-like torque ($\mu$eV)")
bottom.legend()
plt.show()
