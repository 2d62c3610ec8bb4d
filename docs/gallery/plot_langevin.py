r"""
Thermal moments against Boltzmann
=================================

Two thousand copies of a moment with an easy axis and a field along it, under the thermal noise of its damping, sample
:math:`\exp[(KM_z^2+\mu_MBM_z)/k_BT]`, whose curves are drawn over the histograms. All start along the field.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE
from llgnegf.units import MU_B

plt.style.use(STYLE)
K, FIELD, MOMENT = 0.03, 60.0, 2.0  # eV; T; mu_B
energies = [ln.UniaxialAnisotropy(K, "z"), ln.Zeeman([0.0, 0.0, FIELD])]
magnet = ln.Magnet([[0.0, 0.0, 1.0]], MOMENT, damping=0.5, energies=energies)

figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
m_z = np.linspace(-1, 1, 400)
for kT, colour, style in ((0.025, "#0072B2", "-"), (0.1, "#D55E00", "--")):
    run = ln.langevin_ensemble(
        None, magnet, temperature=kT, t_end=600.0, step=0.5, save_every=20.0, copies=2000, seed=1, rtol=1e-3
    )
    found = run.moments[15:, :, 0, 2].ravel()  # the second half
    weight = np.exp((K * m_z**2 + MU_B * MOMENT * FIELD * m_z) / kT)
    density, edges = np.histogram(found, bins=60, range=(-1, 1), density=True)
    axes.stairs(density, edges, fill=True, color=colour, alpha=0.35)
    exact = weight / np.trapezoid(weight, m_z)
    axes.plot(m_z, exact, style, color=colour, label=f"$k_BT$ = {1e3 * kT:g} meV")
axes.set(xlabel="$M_z$", ylabel="probability density", xlim=(-1, 1))
axes.legend(loc="upper center")
plt.show()
