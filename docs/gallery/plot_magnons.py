r"""
Magnons in thermal noise
========================

Moments of a ferromagnetic ring at a temperature: the spectrum of :math:`M_x+iM_y` in space and time shows the magnons,
on the dispersion of the linearised Landau-Lifshitz equation,

.. math:: \hbar\omega_q=\frac{g_e}{n}\,[2K+2J(1-\cos q)],

for moments of :math:`n` Bohr magnetons. ``ln.magnons`` computes them, and their damping by electrons, without noise.
"""

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.plots import STYLE
from llgnegf.units import G_E, HBAR

plt.style.use(STYLE)
N, J, K, MOMENT = 96, 0.02, 0.005, 2.0  # moments; eV; eV; mu_B
ring = ln.PairExchange([(i, (i + 1) % N, J) for i in range(N)]) + ln.UniaxialAnisotropy(K, "z")
magnet = ln.Magnet(ln.uniform(N, "z"), MOMENT, damping=0.01, energies=ring)
noise = {"temperature": 2e-4, "seed": 1, "step": 2.0}  # eV; any; fs
run = ln.simulate(None, magnet, t_end=6000.0, save_every=12.0, rtol=1e-4, **noise)

m = run.dataset.moments.sel(time=slice(1500, None))
signal = (m.sel(component="x") + 1j * m.sel(component="y")).values
spectrum = np.abs(np.fft.fftshift(np.fft.fft2(signal * np.hanning(len(signal))[:, None])))
energies = 2 * np.pi * HBAR * np.fft.fftshift(np.fft.fftfreq(len(signal), 12.0))
q = 2 * np.pi * np.fft.fftshift(np.fft.fftfreq(N))

figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
shades = np.log10(spectrum / spectrum.max())
image = axes.pcolormesh(q / np.pi, 1e3 * energies, shades, cmap="viridis", vmin=-2, vmax=0)
linearised = G_E / MOMENT * (2 * K + 2 * J * (1 - np.cos(q)))
axes.plot(q / np.pi, 1e3 * linearised, "w--", lw=1, label="linearised")
axes.set(xlabel=r"wave number $q/\pi$", ylabel=r"$\hbar\omega$ (meV)", ylim=(0, 110))
axes.grid(False)
axes.legend(labelcolor="w", loc="upper center")
figure.colorbar(image, label="log10 of the amplitude")
plt.show()
