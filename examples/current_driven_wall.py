"""A current pushes a wall: full electrons against slow ones under bias: python current_driven_wall.py.

Electrons from the left turn their spins over in the wall and move it against their flow (J_sd > 0). Slow ones exert the
torque of the stationary state, and friction and geometric tensor; what the bias adds to those counts: see
`current_driven_wall.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln

EQUILIBRIUM = ("geometric", "friction")
RESPONSES = {"torque at rest alone": (), "tensors of equilibrium": EQUILIBRIUM}
RESPONSES["tensors under bias"] = (*EQUILIBRIUM, "bias")


def problem(n_sites: int, magnetic_moment: float) -> tuple[ln.OpenSystem, ln.Magnet]:
    """A Neel wall, anisotropy 0.01 eV, between leads that are 0.2 eV apart."""
    leads = [ln.ChainLead(0, voltage=0.1), ln.ChainLead(-1, voltage=-0.1)]
    system = ln.OpenSystem(ln.chain(n_sites, 1.0, 0.6), leads, fermi_energy=-1.2, kT=0.02)
    energies = [ln.Exchange(0.0512), ln.UniaxialAnisotropy(0.01, "z")]
    return system, ln.Magnet(ln.neel_wall(n_sites, (n_sites + 1) / 2, 1.6), magnetic_moment, 0.05, energies)


def runs(n_sites: int, magnetic_moment: float, t_end: float, rows: int) -> dict[str, ln.Result]:
    system, magnet = problem(n_sites, magnetic_moment)
    options = {"t_end": t_end, "save_every": t_end / rows, "rtol": 1e-5}
    slow = {k: ln.simulate(system, magnet, electrons="adiabatic", response=r, **options) for k, r in RESPONSES.items()}
    return {"full electrons": ln.simulate(system, magnet, start="steady", **options)} | slow


def main() -> dict[str, ln.Result]:
    _, (path, error) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    found = runs(12, 3.0, 150.0, 50)
    for (name, result), style in zip(found.items(), ("k.", "C1:", "C0--", "C3-"), strict=True):
        along = result.dataset.moments.sel(component="z").sum("site")
        path.plot(result.dataset.time, (along - along[0]) / 2, style, label=name)
    path.set(xlabel="time (fs)", ylabel="wall to the right (sites)", title=r"12 sites, moments of 3 $\mu_B$")
    path.legend(frameon=False)
    sizes, off = np.array([2.0, 4.0, 8.0, 16.0]), []
    for size in sizes:
        full, *slow = (each.dataset.moments[-1].values for each in runs(4, size, 5 * size, 1).values())
        off.append([np.abs(each - full).max() for each in slow])
    for name, values, style in zip(RESPONSES, np.transpose(off), ("C1o:", "C0s--", "C3^-"), strict=True):
        slope = np.polyfit(np.log(sizes), np.log(values), 1)[0]
        error.loglog(sizes, values, style, label=f"{name}, slope {slope:.2f}")
    error.set(xlabel=r"size of the moments ($\mu_B$)", ylabel="largest error of M", title="4 sites", ylim=(5e-7, None))
    error.set_xticks(sizes, sizes.astype(int))
    error.minorticks_off()
    error.legend(frameon=False, loc="lower left")
    plt.savefig("current_driven_wall.png", dpi=120)
    return found


if __name__ == "__main__":
    main()
