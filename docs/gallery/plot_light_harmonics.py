r"""
Harmonics of a light pulse
==========================

Light along a wire with a domain wall in its middle drives currents at multiples of its frequency. A wire that looks
alike from both sides answers with odd harmonics in its charge current; the current of the spin :math:`x`, which turns
round with the wall, has the even ones. ``examples/laser_pulse.py`` has a longer pulse.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE

plt.style.use(STYLE)
N, PHOTON, WIDTH = 8, 0.4, 20.0  # sites; eV; fs
PERIOD = 4.135667697 / PHOTON  # fs

light = ln.LightPulse(2.0, center=8.6 * WIDTH, width=WIDTH, period=PERIOD)  # V fs/nm
terms = [ln.VectorPotential(light, direction="x")]
wire = ln.chain(N, j_sd=0.5, positions=0.25 * np.arange(N), terms=terms)  # eV; nm
system = ln.OpenSystem(wire, [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.03)
wall = ln.Frozen(ln.bloch_wall(N, center=(N + 1) / 2, width=1.2))
run = ln.simulate(system, wall, t_end=17.2 * WIDTH, save_every=0.4, rtol=1e-5).dataset

# %%
# Spectra of the currents through the middle bond, each over its largest value.

figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
middle = N // 2 - 1
currents = {"charge": run.bond_current[:, middle], "spin x": run.bond_spin_current[:, middle, 0]}
for (name, current), style in zip(currents.items(), ("-", "--"), strict=True):
    spectrum = ln.analysis.spectrum(current)
    axes.semilogy(spectrum.frequency * PERIOD, spectrum / spectrum.max(), style, label=name)
axes.set(xlabel="frequency/frequency of the light", ylabel="current, largest = 1")
axes.set(xlim=(0, 9), ylim=(1e-5, 2), xticks=range(10))
axes.legend(loc="upper right", ncols=2)
plt.show()
