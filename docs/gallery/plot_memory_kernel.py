r"""
The memory of electrons
=======================

A moment in an infinite wire that has turned a little at :math:`t'` changes the spins of its electrons at :math:`t` by
:math:`K(t-t')\,\delta M(t')`. Gilbert damping is what is left of this kernel for slow motion. It rises within half a
femtosecond. What rings on are the states that the moment binds above and below the band; the stronger the coupling,
the more of the spin is in them.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE

plt.style.use(STYLE)
times = np.linspace(0, 6, 600)  # fs
leads = [ln.ChainLead(0), ln.ChainLead(0)]

figure, axes = plt.subplots(2, 1, figsize=(5, 3.5), sharex=True, layout="constrained")
for j_sd, style in ((0.25, "-"), (1.0, "--"), (2.0, "-.")):
    system = ln.OpenSystem(ln.chain(1, j_sd=j_sd), leads, fermi_energy=0.3, kT=0.01)
    kernel = ln.LinearResponse(system, [[0.0, 0.0, 1.0]]).memory_kernel(times)[:, 0, :, 0, 0]
    axes[0].plot(times, kernel[:, 0] / j_sd, style, label=rf"$J_{{sd}}$ = {j_sd:g} eV")
    axes[1].plot(times, kernel[:, 1] / j_sd, style)
axes[0].set(ylabel=r"$K_{xx}/J_{sd}$ (1/eV fs)", title="spin along the turn")
axes[1].set(ylabel=r"$K_{yx}/J_{sd}$ (1/eV fs)", title="spin across it")
axes[1].set(xlabel="time since the turn (fs)")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
axes[1].margins(x=0)
plt.show()
