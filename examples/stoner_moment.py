"""A moment that forms by itself: a level with Hubbard repulsion at a metal: python stoner_moment.py.

In mean field the half-filled level (at -U/2, broadening Gamma) is magnetic where U times the density of states at the
Fermi level, 2/(pi Gamma), exceeds 1 (P. W. Anderson, Phys. Rev. 124, 41, 1961), and the moment is the root of
m = (2/pi) atan(U m/Gamma) at T = 0. A small moment at t = 0 grows, or dies out; see `stoner_moment.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln

GAMMA, SEED = 0.4, 0.05
"""eV; <n_up> - <n_down> at t = 0."""
STRENGTHS = (0.4, 0.8, 1.2, 2.0)
"""U in eV; the threshold is pi Gamma/2 = 0.63 eV."""


def expected(strength: float) -> float:
    """The stationary m at T = 0."""
    m = 1.0
    for _ in range(5000):
        m = 2 / np.pi * np.arctan(strength * m / GAMMA)
    return m if strength > 0.5 * np.pi * GAMMA else 0.0


def run(strength: float) -> ln.Result:
    level = ln.chain(1, onsite=-strength / 2, terms=[ln.Hubbard(strength)])
    system = ln.OpenSystem(level, [ln.WideBandLead(0, GAMMA)], kT=0.005)
    rho = np.diag([0.5 + SEED / 2, 0.5 - SEED / 2])
    return ln.simulate(
        system, ln.Frozen(ln.uniform(1, "z")), t_end=60.0, save_every=0.5, rtol=1e-4, start="partitioned",
        initial_density_matrix=rho,
    )  # fmt: skip


def main() -> dict[float, float]:
    _, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    found = {}
    for strength in STRENGTHS:
        data = run(strength).dataset
        moment = data.spin_density.isel(site=0, component=2)
        found[strength] = float(moment[-1])
        print(f"U = {strength} eV: moment {found[strength]:.3f}, expected {expected(strength):.3f}")
        (line,) = axes.plot(data.time, moment, label=f"U = {strength} eV")
        axes.axhline(expected(strength), color=line.get_color(), ls=":", lw=1)
    axes.set(xlabel="time (fs)", ylabel=r"$\langle n_\uparrow\rangle - \langle n_\downarrow\rangle$")
    axes.set_title("A moment forms beyond U = π Γ/2 (dotted: mean field, T = 0)")
    axes.grid(alpha=0.3)
    axes.legend()
    plt.savefig("stoner_moment.png", dpi=150)
    return found


if __name__ == "__main__":
    main()
