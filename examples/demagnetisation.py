"""Ultrafast demagnetisation pumps spin: moments that shrink push it into the leads: python demagnetisation.py.

A ferromagnetic wire loses 40 % of its moments within 20 fs and gets them back within a few hundred. The electrons that
were polarised by J_sd |M| leave as a spin current along the moments, which turns round while they recover; spin and
the rate of demagnetisation are in `demagnetisation.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln

N_SITES, LOSS, START, FALL, RECOVERY = 5, 0.4, 40.0, 5.0, 60.0
"""Sites; part of |M| that is lost; fs."""


def length(t: float) -> float:
    """|M|(t): a fall at START, smooth over FALL, and an exponential return."""
    after = 0.5 * (1 + np.tanh((t - START) / FALL))
    return 1 - LOSS * after * np.exp(-max(t - START, 0.0) / RECOVERY)


def run() -> ln.Result:
    moments = ln.TimeFunction(lambda t: length(t) * ln.uniform(N_SITES, "z"), FALL / 2, [START])
    system = ln.OpenSystem(
        ln.chain(N_SITES, j_sd=0.5), [ln.ChainLead(0), ln.ChainLead(-1)], fermi_energy=-0.5, kT=0.05
    )
    return ln.simulate(system, ln.Prescribed(moments, unit=False), t_end=250.0, save_every=0.5, rtol=1e-6)


def main() -> ln.Result:
    result = run()
    data = result.dataset
    current = data.lead_spin_current.sum("lead").sel(component="z")
    held = 0.5 * data.spin_density.sum("site").sel(component="z")
    pumped = data.lead_spin_out.sum("lead").sel(component="z")
    print(f"spin of the electrons: {float(held[0]):.4f} hbar at first, {float(held.min()):.4f} hbar at the least")
    print(f"spin that left: at most {float(np.abs(pumped).max()):.4f} hbar; what was missing at the end: "
          f"{float(held[0] - held[-1] - pumped[-1]):+.1e} hbar")  # fmt: skip
    figure, axes = plt.subplots(2, 1, figsize=(6, 5), sharex=True, layout="constrained")
    axes[0].plot(data.time, data.moments.isel(site=0, component=2), color="k")
    axes[0].set_ylabel("|M|")
    axes[1].plot(data.time, 1e3 * current)
    axes[1].set(xlabel="time (fs)", ylabel="spin current into the leads, z (meV)")
    for one in axes:
        one.grid(alpha=0.3)
    figure.suptitle("Shrinking moments pump spin")
    plt.savefig("demagnetisation.png", dpi=150)
    return result


if __name__ == "__main__":
    main()
