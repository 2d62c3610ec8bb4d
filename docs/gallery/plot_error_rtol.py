r"""
Error of a run against rtol
===========================

``rtol`` is the accuracy that is asked for in elements of the density matrix. For steady precession the exact answer
is known (``ln.RotatingFrame``), so that the true error can be drawn beside it, together with what the error budget of
each run says.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE
from llgnegf.units import HBAR

plt.style.use(STYLE)
ENERGY, END = 0.05, 150.0  # hbar omega in eV; fs
wall = ln.bloch_wall(n_sites=5, center=3, width=0.9)
system = ln.OpenSystem(ln.chain(5, j_sd=0.5), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.02)
motion = ln.Precession(wall, ENERGY, axis="z", ramp=40.0)
exact = ln.RotatingFrame(system, wall, ENERGY, tolerance=1e-11).density_matrix()

tolerances = 10.0 ** -np.arange(3, 9)
errors, budgets = [], []
for rtol in tolerances:
    run = ln.simulate(system, motion, t_end=END, save_every=END, rtol=rtol)
    turned = (END - 40.0 / 2) * ENERGY / HBAR  # at half the speed in the 40 fs of the ramp
    there = ln.rotate_spins(exact, np.array([0.0, 0.0, 1.0]), turned)
    errors.append(np.abs(run.density_matrix - there).max())
    budgets.append(sum(error.value for error in run.errors.values()))

figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
axes.loglog(tolerances, tolerances, "k:", label="rtol")
axes.loglog(tolerances, budgets, "s--", mfc="w", color="#D55E00", label="error budget")
axes.loglog(tolerances, errors, "o-", color="#0072B2", label="true error")
axes.set(xlabel="rtol", ylabel="error of a density-matrix element")
axes.legend()
plt.show()
