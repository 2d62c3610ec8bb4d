"""A voltage moves a skyrmion, and not straight ahead: its Hall angle: python skyrmion_voltage.py.

A skyrmion of 1 mu_B moments in a ribbon of 13 x 9 sites between the ribbons that go on. A voltage drives a current through
it; its electrons push the skyrmion along with them and, since it is a whirl of charge -1, aside as well. Electrons and
moments move together. The path of its centre and the moments before and after are in `skyrmion_voltage.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln

LATTICE = ln.square(13, 9)
VOLTAGE = ln.Ramp(0.0, -0.4, start=0.0, duration=4.0)
"""eV and fs: electrons flow from the right lead to the left one."""


def run(t_end: float = 30.0) -> ln.Result:
    whirl = ln.skyrmion(LATTICE, center=(7.5, 4.0), radius=2.0, wall_width=1.0)
    energies = [LATTICE.exchange(0.05), LATTICE.dmi(-0.04), ln.UniaxialAnisotropy(0.02, "z"), ln.Zeeman([0.0, 0.0, 35.0])]
    magnet = ln.Magnet(whirl, magnetic_moment=1.0, damping=0.1, energies=energies)
    leads = [LATTICE.lead("left", hopping=1.0, voltage=VOLTAGE), LATTICE.lead("right", hopping=1.0)]
    system = ln.OpenSystem(LATTICE.electrons(hopping=1.0, j_sd=0.5), leads, fermi_energy=-2.5, kT=0.1)
    return ln.simulate(system, ln.relax(None, magnet), t_end=t_end, save_every=1.0, rtol=1e-3)


def main() -> dict[str, float]:
    data = run().dataset
    path = ln.analysis.skyrmion_position(data.moments)
    charge = float(ln.analysis.skyrmion_number(data.moments.isel(time=-1)))
    (dx, dy) = (path.isel(time=-1) - path.isel(time=0)).values[:2]
    angle = float(np.degrees(np.arctan2(dy, abs(dx))))
    print(f"charge {charge:.2f}; moved by ({dx:.2f}, {dy:.2f}) sites, {angle:.0f} degrees aside")
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for ax, row in zip(axes, (0, -1), strict=True):
        m = data.moments.isel(time=row)
        image = ax.scatter(data.x, data.y, c=m.sel(component="z"), cmap="PuOr", vmin=-1, vmax=1, marker="s", s=230)
        ax.quiver(data.x, data.y, m.sel(component="x"), m.sel(component="y"), pivot="middle", scale=22)
        ax.plot(path[: None if row else 1, 0], path[: None if row else 1, 1], color="black", marker=".", markersize=4)
        ax.set(xlabel="x (nm)", ylabel="y (nm)", title=f"t = {float(m.time):.0f} fs", aspect="equal")
    figure.colorbar(image, ax=axes, label="$M_z$")
    figure.savefig("skyrmion_voltage.png", dpi=130)
    return {"charge": charge, "along": float(dx), "aside": float(dy)}


if __name__ == "__main__":
    main()
