r"""
Slow electrons against full ones
================================

A moment between two leads turns in a field that is switched on. Electrons that follow it at rest only
(``response=()``) let it precess for ever; one order further, ``electrons="adiabatic"`` has their friction and their
geometric torque, and meets the run with the electrons' whole memory.
"""

import matplotlib.pyplot as plt

import llgnegf as ln
from llgnegf.plots import STYLE

plt.style.use(STYLE)
leads = [ln.ChainLead(0, coupling=0.7), ln.ChainLead(0, coupling=0.7)]
system = ln.OpenSystem(ln.chain(1, j_sd=1.0), leads, kT=0.025)
field = ln.Ramp([0.0, 0.0, 0.0], [0.0, 0.0, 150.0], start=0.0, duration=30.0)  # T; fs
magnet = ln.Magnet(ln.cone(1, 2.0), magnetic_moment=2.0, energies=ln.Zeeman(field))

options = {"t_end": 600.0, "save_every": 2.0, "rtol": 1e-5}
slow = {**options, "electrons": "adiabatic"}
runs = {
    "full electrons": ln.simulate(system, magnet, **options),
    "adiabatic, first order": ln.simulate(system, magnet, **slow),
    "torque at rest alone": ln.simulate(system, magnet, response=(), **slow),
}

# %%
# Above how the moment turns into the field, below how far each approximation is off.

figure, (top, bottom) = plt.subplots(2, 1, figsize=(5, 3.5), sharex=True, layout="constrained")
moments = {name: run.dataset.moments.isel(site=0) for name, run in runs.items()}
full = moments["full electrons"]
top.plot(full.time, full.sel(component="z"), "k", lw=2.4, label="full electrons")
for (name, m), style in zip(list(moments.items())[1:], ("--", ":"), strict=True):
    top.plot(m.time, m.sel(component="z"), style, lw=1.6, label=name)
    bottom.semilogy(m.time[1:], abs(m - full).max("component")[1:], style)
top.set(ylabel="$M_z$", ylim=(-0.6, 1.1))
bottom.set(xlabel="time (fs)", ylabel="largest error of M", ylim=(1e-5, 5))
top.legend(loc="center right")
plt.show()
