"""What photoemission sees while a moment is reversed: python time_resolved_spectrum.py.

One site on a lead: its levels -J and +J have their spins along and against the moment. When the moment turns over,
the levels stay where they are and change their spins. The electrons stay in the lower one if that takes long beside
hbar/2J = 3.3 fs; here it takes no longer, and part of them are carried to the upper level, from where they leave
through the lead within hbar/Gamma = 26 fs. See `time_resolved_spectrum.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray

import llgnegf as ln

J_SD, COUPLING = 0.1, 0.113
"""eV; Gamma = 2 COUPLING^2/(1 eV) = 0.0255 eV."""
MIDDLE, WIDTH = 120.0, 2.0
"""fs: when the moment is in the plane, and how long it takes to turn."""
PROBE = 12.0
"""fs: duration of the probe, which resolves hbar/(2 PROBE) = 0.027 eV."""


def moments(time: float) -> np.ndarray:
    x = np.clip((time - MIDDLE) / WIDTH, -30, 30)
    return np.array([[1 / np.cosh(x), 0.0, -np.tanh(x)]])


def spectrum() -> xarray.Dataset:
    system = ln.OpenSystem(ln.chain(1, 1.0, J_SD), [ln.ChainLead(0, coupling=COUPLING)], kT=0.005)
    turning = ln.Prescribed(ln.TimeFunction(moments, longest_step=1.0))
    functions = ln.TwoTime(system, turning, t_end=320.0, save_every=2.0, rtol=1e-4)
    print("Two-time functions at", functions.times.size, "times:", functions.cost)
    return ln.analysis.photoemission(functions.run(), np.linspace(-0.22, 0.22, 111), PROBE)


def main() -> xarray.Dataset:
    found = spectrum()
    panels = {
        "all states, spin up": found.total.isel(state=0),
        "occupied, spin up": found.occupied.isel(state=0),
        "occupied": found.occupied.sum("state"),
    }
    _, axes = plt.subplots(1, 3, figsize=(9.5, 3.2), sharey=True, layout="constrained")
    for ax, (title, values) in zip(axes, panels.items(), strict=True):
        image = ax.pcolormesh(values.time, values.energy, values.T, cmap="magma", vmin=0, rasterized=True)
        ax.set(title=title, xlabel="time (fs)")
        ax.axvline(MIDDLE, color="w", lw=0.6, ls=":")
        plt.colorbar(image, ax=ax, label="1/eV" if ax is axes[-1] else None)
    axes[0].set_ylabel("energy (eV)")
    plt.savefig("time_resolved_spectrum.png", dpi=130)
    return found


if __name__ == "__main__":
    main()
