r"""
Charge pumped by precession
===========================

Four moments on a chain precess together about :math:`z`. Without spin-orbit coupling they pump spin and no charge.
With Rashba coupling :math:`\lambda` charge flows back and forth, and the stronger it is, the less it resembles a sine
[Varela-Manjarres, Nikolić, `arXiv:2112.14685 <https://arxiv.org/abs/2112.14685>`_]. The page on
harmonics and ``examples/rashba_pumping.py`` go on from here.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE
from llgnegf.units import HBAR

plt.style.use(STYLE)
QUANTUM = 0.2  # hbar omega in eV
PERIOD = 2 * np.pi * HBAR / QUANTUM  # fs
wire = ln.square(4, 1)


def pumped(rashba):
    """Charge current into the left lead over one period, once the motion is steady."""
    leads = [wire.lead(side, hopping=1.0, rashba=rashba) for side in ("left", "right")]
    electrons = wire.electrons(hopping=1.0, j_sd=0.5, rashba=rashba)
    system = ln.OpenSystem(electrons, leads, fermi_energy=-1.0, kT=0.025)
    motion = ln.Precession(ln.cone(wire, np.pi / 4), QUANTUM, axis="z", ramp=PERIOD)
    run = ln.simulate(system, motion, t_end=3 * PERIOD, save_every=PERIOD / 64, rtol=1e-5)
    return run.dataset.lead_current.sel(lead=0)[-65:]


figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
for rashba, style in ((0.0, "k-"), (0.1, "-"), (0.2, "--"), (0.5, "-.")):
    label = rf"$\lambda$ = {rashba:g} eV"
    axes.plot(np.linspace(0, 1, 65), 1e3 * pumped(rashba), style, label=label)
axes.set(xlabel="time (periods of the precession)", ylabel="charge into the left lead (1/ps)")
axes.legend(ncols=2)
axes.margins(x=0)
plt.show()
