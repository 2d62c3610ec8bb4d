r"""
A gate pulse in a quantum wire
==============================

A short pulse on the middle site raises its level. Electrons leave it to both sides and run along the wire at the Fermi
velocity :math:`2\gamma/\hbar` (dotted), out into the leads, which reflect nothing. ``examples/gate_pulse.py`` measures
the velocity.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE
from llgnegf.units import HBAR

plt.style.use(STYLE)
N, MIDDLE, CENTER = 41, 20, 5.0  # sites; site; fs
gate = ln.Gate(MIDDLE, ln.Pulse(amplitude=0.5, center=CENTER, width=0.6))  # eV; fs
wire = ln.chain(N, terms=[gate])
system = ln.OpenSystem(wire, [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.05)
moments = ln.Frozen(ln.uniform(N, "z"))  # which nothing here feels: j_sd is zero
run = ln.simulate(system, moments, t_end=13.0, save_every=0.1, rtol=1e-4).dataset

change = run.charge_density - run.charge_density[0]
figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
largest = 0.3 * float(abs(change).max())
image = axes.pcolormesh(run.site, run.time, change, cmap="PuOr_r", vmin=-largest, vmax=largest)
front = np.array([0, MIDDLE])
for side in (-1, 1):
    axes.plot(MIDDLE + side * front, CENTER + front * HBAR / 2, "k:", lw=1)
axes.set(xlabel="site (the first is 0)", ylabel="time (fs)")
axes.grid(False)
figure.colorbar(image, extend="both", label="change of the electrons on a site")
plt.show()
