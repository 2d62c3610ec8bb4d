"""Resonance of an antiferromagnetic ring, alone and on a wire of electrons: python antiferromagnet.py.

Moments tilted off their easy axis by 1 degree swing back, and so does the Neel vector n = (<M>_A - <M>_B)/2. By
themselves they do so for ever with hbar w = (g_e/n) sqrt(2 K (2 K + 4 |J|)) (two sublattices, each moment with two
neighbours; Kittel, Phys. Rev. 82, 565); electrons on a wire through the ring change the frequency and carry the spin
that the swinging moments pump into the leads. `ln.analysis.ring_down` tells both; curves in `antiferromagnet.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.units import G_E

N_SITES, J, K, MOMENT = 8, -0.02, 0.005, 1.0
"""Sites; eV; eV; Bohr magnetons."""
TILT = np.radians(1.0)
END, STEP = 320.0, 2.0
"""fs: five periods."""


def magnet() -> ln.Magnet:
    up = np.array([np.sin(TILT), 0.0, np.cos(TILT)])
    moments = [up if i % 2 == 0 else -up for i in range(N_SITES)]
    ring = ln.PairExchange([(i, (i + 1) % N_SITES, J) for i in range(N_SITES)])
    return ln.Magnet(moments, MOMENT, energies=[ring, ln.UniaxialAnisotropy(K, "z")])


def predicted() -> float:
    """hbar w in eV of the moments alone."""
    return G_E / MOMENT * np.sqrt(2 * K * (2 * K + 4 * abs(J)))


def main() -> dict[str, ln.Result]:
    wire = ln.chain(N_SITES, j_sd=0.2)
    system = ln.OpenSystem(wire, [ln.ChainLead(0), ln.ChainLead(-1)], fermi_energy=1.0, kT=0.03)
    runs = {
        "moments alone": ln.simulate(None, magnet(), t_end=END, save_every=STEP, rtol=1e-6),
        "with electrons": ln.simulate(system, magnet(), t_end=END, save_every=STEP, rtol=1e-5),
    }
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for name, result in runs.items():
        n_x = ln.analysis.neel_vector(result.dataset.moments).sel(component="x")
        found = ln.analysis.ring_down(n_x).isel(mode=0)
        lifetime = 1 / max(float(found.damping), 1e-9)
        print(f"{name:15} hbar w = {1e3 * float(found.energy):.2f} meV, 1/damping = {lifetime:.3g} fs")
        axes.plot(n_x.time, np.degrees(n_x), label=name)
    print(f"{'two sublattices':15} hbar w = {1e3 * predicted():.2f} meV")
    axes.set(xlabel="time (fs)", ylabel="tilt of the Neel vector (degrees)")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    plt.savefig("antiferromagnet.png", dpi=150)
    return runs


if __name__ == "__main__":
    main()
