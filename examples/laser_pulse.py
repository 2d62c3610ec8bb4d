"""A laser pulse on a domain wall: harmonics of the light in the currents that it drives: python laser_pulse.py.

The field is along the wire, a Gaussian of some eight cycles with photons of 0.3 eV; the half-filled band has 4 eV. A
wire that looks alike from both sides answers with odd harmonics in its charge current; the spin current of a wall,
which turns round with the wall, has the even ones. The spectrum is in `laser_pulse.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln

N_SITES, SPACING = 8, 0.25
"""Sites; nm."""
PHOTON, CENTER, WIDTH = 0.3, 215.0, 25.0
"""eV, fs, fs: the pulse has gone by t = 430 fs."""
AMPLITUDE = 2.0
"""V fs/nm: phases of 0.76 rad on each bond."""
PERIOD = 4.135667697 / PHOTON


def run(amplitude: float = AMPLITUDE) -> ln.Result:
    light = ln.LightPulse(amplitude, CENTER, WIDTH, PERIOD)
    wire = ln.chain(
        N_SITES, j_sd=0.5, positions=SPACING * np.arange(N_SITES), terms=[ln.VectorPotential(light, direction="x")]
    )
    system = ln.OpenSystem(wire, [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.03)
    wall = ln.Frozen(ln.bloch_wall(N_SITES, center=(N_SITES + 1) / 2, width=1.2))
    return ln.simulate(system, wall, t_end=430.0, save_every=0.25, rtol=1e-6)


def spectrum(signal: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Orders of the harmonics and magnitudes of a column (T,), under a Hann window."""
    windowed = (signal - signal.mean()) * np.hanning(signal.size)
    frequencies = np.fft.rfftfreq(signal.size, step)
    return frequencies * PERIOD, np.abs(np.fft.rfft(windowed))


def main() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    data = run().dataset
    middle = N_SITES // 2 - 1
    signals = {
        "charge current": data.bond_current.values[:, middle],
        "spin current, x": data.bond_spin_current.values[:, middle, 0],
    }
    spectra = {name: spectrum(signal, 0.25) for name, signal in signals.items()}
    _, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, (order, magnitude) in spectra.items():
        axes.semilogy(order, magnitude / magnitude.max(), label=name)
        peaks = [magnitude[np.abs(order - n) < 0.3].max() / magnitude.max() for n in range(1, 8)]
        print(f"{name:16} harmonics 1 to 7:", " ".join(f"{peak:.1e}" for peak in peaks))
    axes.set(xlabel="frequency/frequency of the light", ylabel="magnitude, largest = 1", xlim=(0, 9), ylim=(1e-5, 2))
    axes.set_xticks(range(10))
    axes.grid(alpha=0.3)
    axes.legend()
    plt.savefig("laser_pulse.png", dpi=150)
    return spectra


if __name__ == "__main__":
    main()
