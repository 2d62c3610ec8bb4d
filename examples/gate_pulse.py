"""A gate pulse in a quantum wire: the charge that it pushes out runs along the wire: python gate_pulse.py.

A pulse on the middle site raises its level; electrons leave it to both sides, at the Fermi velocity, and come back when
the gate lets go. The charge on all sites over time is in `gate_pulse.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.units import HBAR

N_SITES, MIDDLE = 41, 20
GATE = ln.Pulse(amplitude=0.5, center=8.0, width=0.8)
FERMI_VELOCITY = 2.0 / HBAR
"""Sites per fs at the middle of the band, 2 gamma/hbar."""


def run() -> ln.Result:
    wire = ln.chain(N_SITES, terms=[ln.Gate(MIDDLE, GATE)])
    system = ln.OpenSystem(wire, [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.05)
    return ln.simulate(system, ln.Frozen(ln.uniform(N_SITES, "z")), t_end=18.0, save_every=0.1, rtol=1e-5)


def arrival(charge: np.ndarray, time: np.ndarray, site: int) -> float:
    """Time (fs) at which the first wave of electrons is highest on a site."""
    return float(time[np.argmax(charge[:, site])])


def main() -> dict[str, float]:
    data = run().dataset
    charge = data.charge_density.values - data.charge_density.values[0]
    near, far = (arrival(charge, data.time.values, MIDDLE + d) for d in (5, 17))
    speed = 12 / (far - near)
    print(f"the wave runs at {speed:.2f} sites/fs; 2 gamma/hbar = {FERMI_VELOCITY:.2f} sites/fs")
    work = float(data.drive_work[-1])
    print(f"the gate has put {work:.4f} eV into the wire, {float(data.lead_energy_out[-1].sum()):.4f} eV have left it")
    _, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    top = np.abs(charge).max() / 2
    image = axes.pcolormesh(data.time, np.arange(N_SITES), charge.T, cmap="RdBu_r", vmin=-top, vmax=top)
    axes.set(xlabel="time (fs)", ylabel="site", title="Charge pushed out by a gate pulse on site 20")
    plt.colorbar(image, label="change of the electrons on a site")
    plt.savefig("gate_pulse.png", dpi=150)
    return {"speed": speed, "work": work}


if __name__ == "__main__":
    main()
