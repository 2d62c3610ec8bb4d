"""Magnons of an insulating magnet pump a spin current into the metal that it touches: python magnon_pumping.py.

Of a chain of moments the last one alone touches electrons, the first site of a metallic chain. A field that turns at
the other end sends a spin wave along the insulator; where it meets the metal, its angular momentum goes on as a current
of spin without charge, the one that a moment of that cone angle pumps; see `magnon_pumping.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.units import HBAR

N, J, K, MU = 40, 0.1, 0.005, 2.0
"""Moments; exchange and anisotropy (eV) and mu_B of each."""
QUANTUM, FIELD = 0.15, 100.0
"""hbar w (eV) and strength (T) of the field at the first moment, which turns as magnons do."""
METAL = ln.OpenSystem(ln.chain(6, j_sd=1.0), [ln.ChainLead(-1)], kT=0.025)


def field(t: float) -> np.ndarray:
    b = np.zeros((N, 3))
    b[0] = FIELD * np.array([np.cos(QUANTUM / HBAR * t), np.sin(QUANTUM / HBAR * t), 0.0])
    return b


def run() -> ln.Result:
    energies = ln.Exchange(J) + ln.UniaxialAnisotropy(K, "z") + ln.Zeeman(ln.TimeFunction(field, 2.0))
    magnet = ln.Magnet(ln.uniform(N), MU, energies=energies, sites=[None] * (N - 1) + [0])
    return ln.simulate(METAL, magnet, t_end=600.0, save_every=2.0, rtol=1e-5)


def steadily_pumped(m_z: np.ndarray, angle: float = 0.2) -> np.ndarray:
    """Spin current (eV) of one moment that turns steadily with M_z, from the rotating frame: c (1 - M_z^2)."""
    steady = ln.Precession(ln.cone(1, angle), QUANTUM, sites=[0])
    frame = ln.RotatingFrame(METAL, steady.on_electrons(steady.texture, 6), QUANTUM)
    return frame.lead_currents().spin[0, 2] / np.sin(angle) ** 2 * (1 - m_z**2)


def main() -> ln.Result:
    result = run()
    data, m = result.dataset, result.dataset.moments
    print(f"into the metal: spin {data.lead_spin_out[-1, 0, 2]:.3f} hbar, charge {data.lead_charge_out[-1, 0]:.1e}")
    figure, (wave, current) = plt.subplots(2, sharex=True, figsize=(7, 6), layout="constrained")
    image = wave.pcolormesh(data.time, data.moment, m.sel(component="x").T, cmap="PuOr_r", rasterized=True)
    figure.colorbar(image, ax=wave, label="$M_x$")
    wave.set(ylabel="moment of the insulator", title="A spin wave runs to the metal, which touches the last moment")
    current.plot(data.time, 1e3 * data.lead_spin_current[:, 0, 2], lw=2, label="into the lead")
    current.plot(data.time, 1e3 * steadily_pumped(m[:, -1, 2].values), "k:", label="of a steady cone of this angle")
    current.set(xlabel="time (fs)", ylabel="spin current (meV)")
    current.legend(frameon=False)
    plt.savefig("magnon_pumping.png", dpi=150)
    return result


if __name__ == "__main__":
    main()
