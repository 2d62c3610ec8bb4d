"""A first run from Python, the twin of bloch_wall.toml: a wall set turning between two leads, beside the exact answer.

python first_run.py        prints the torque on each site in two ways and saves first_run.png
"""

from __future__ import annotations

import numpy as np

import llgnegf as ln
from llgnegf.plots import plot_lead_currents

J_SD, ENERGY = 0.1, 0.05
"""eV; ENERGY is hbar times the angular velocity."""
WALL = ln.bloch_wall(n_sites=7, center=4, width=0.9)
CHAIN = ln.chain(n_sites=7, hopping=1.0, j_sd=J_SD)
LEADS = [ln.ChainLead(site=0, coupling=1.0, hopping=1.0), ln.ChainLead(site=-1, coupling=1.0, hopping=1.0)]
SYSTEM = ln.OpenSystem(CHAIN, LEADS, fermi_energy=0.0, kT=0.01)


def in_time() -> ln.Result:
    """The run in the lab frame, from equilibrium; the rotation is switched on within 40 fs."""
    motion = ln.Precession(WALL, energy=ENERGY, axis="z", ramp=40.0)
    return ln.simulate(SYSTEM, motion, t_end=100.0, save_every=1.0, rtol=1e-6, observables=["adiabatic"])


def turned_back(vectors: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Vectors (N, 3) of a row, seen from the frame that turns with the wall, whose middle moment is along y there."""
    x, y, _ = moments[len(moments) // 2]
    back = np.array([[y, -x, 0.0], [x, y, 0.0], [0.0, 0.0, 1.0]])
    return vectors @ back.T


def main() -> tuple[ln.Result, ln.RotatingFrame]:
    result = in_time()
    frame = ln.RotatingFrame(SYSTEM, WALL, energy=ENERGY, axis="z")
    last = result.dataset.isel(time=-1)
    run = turned_back(last.torque.values, last.moments.values)
    exact = ln.torque(frame.density_matrix(), WALL, j_sd=J_SD)
    print("site   torque of the run (x, y, z), ueV        of the rotating frame")
    for i in range(7):
        print(f"{i:4d} ", *(f"{1e6 * t:11.4f}" for t in (*run[i], *exact[i])))
    pumped = frame.lead_currents().spin[:, 2]
    print("spin z pumped into the leads, ueV:", 1e6 * last.lead_spin_current.values[:, 2], "exact:", 1e6 * pumped)
    for name, error in result.errors.items():
        print(f"{name}: {error.value:.1e} ({error.bounds})")
    plot_lead_currents(result.dataset).savefig("first_run.png")
    return result, frame


if __name__ == "__main__":
    main()
