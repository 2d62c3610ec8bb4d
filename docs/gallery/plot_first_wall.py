"""
A wall driven by a voltage
==========================

Electrons that pass a domain wall turn their spin over and leave the difference to the moments, which they push along.
"""

import matplotlib.pyplot as plt

import llgnegf as ln

# %%
# Eight sites between two leads; the left one is raised by 0.4 eV within 5 fs.

voltage = ln.Ramp(0.0, 0.4, start=0.0, duration=5.0)  # eV; fs
leads = [ln.ChainLead(0, voltage=voltage), ln.ChainLead(-1)]
system = ln.OpenSystem(ln.chain(8, j_sd=0.6), leads, fermi_energy=-1.2, kT=0.05)  # eV
magnet = ln.Magnet(
    ln.neel_wall(8, center=4.5, width=1.6),
    magnetic_moment=1.0,  # mu_B
    energies=[ln.Exchange(0.05), ln.UniaxialAnisotropy(0.01, axis="z")],  # eV
)
result = ln.simulate(system, magnet, t_end=40.0, save_every=1.0, rtol=1e-4)

# %%
# The position of the wall in time:

position = ln.analysis.wall_position(result.dataset.moments)
position.plot()
plt.show()
