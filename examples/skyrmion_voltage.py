"""A voltage moves a skyrmion, and not straight ahead: its Hall angle: python skyrmion_voltage.py.

A skyrmion in the middle of 9 x 11 sites between the ribbons that go on. The electrons of a current turn its moments and
are turned back by them; being a whirl of charge -1, it goes mostly aside, and one of charge +1 to the other side
[Nagaosa, Tokura, Nat. Nanotechnol. 8, 899 (2013)]. Electrons and moments move together, nothing is assumed about the
torque. The path of its centre and the moments before and after are in `skyrmion_voltage.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln

LATTICE = ln.square(9, 11)
VOLTAGE = ln.Ramp(0.0, -0.8, start=0.0, duration=4.0)
"""eV and fs: electrons flow from the right lead to the left one."""


def run(t_end: float = 24.0, core: int = -1) -> ln.Result:
    """`core`: M_z of the core, 1 or -1, which is the charge as well."""
    whirl = ln.skyrmion(LATTICE, center=(4.0, 5.0), radius=2.0, wall_width=1.0, polarity=core)
    whirl[:, :2] *= -core  # Neel: outward about a core along -z, inward about one along +z, as the DMI has it
    field = ln.Zeeman([0.0, 0.0, -70.0 * core])
    energies = [LATTICE.exchange(0.05), LATTICE.dmi(-0.04), ln.UniaxialAnisotropy(0.02, "z"), field]
    magnet = ln.Magnet(whirl, magnetic_moment=0.5, damping=0.1, energies=energies)
    leads = [LATTICE.lead("left", hopping=1.0, voltage=VOLTAGE), LATTICE.lead("right", hopping=1.0)]
    system = ln.OpenSystem(LATTICE.electrons(hopping=1.0, j_sd=0.5), leads, fermi_energy=-2.5, kT=0.1)
    return ln.simulate(system, ln.relax(None, magnet), t_end=t_end, save_every=1.0, rtol=1e-3)


def main() -> ln.Result:
    result = run()
    data = result.dataset
    path = ln.analysis.skyrmion_position(data.moments)
    dx, dy = (path[-1] - path[0]).values
    charge, angle = float(ln.analysis.skyrmion_number(data.moments[-1])), np.degrees(np.arctan2(abs(dy), abs(dx)))
    print(f"charge {charge:.2f}; moved by ({dx:.2f}, {dy:.2f}) sites: Hall angle {angle:.0f} degrees")
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 4.6), layout="constrained")
    for ax, row in zip(axes, (0, -1), strict=True):
        m = data.moments.isel(time=row)
        image = ax.scatter(data.x, data.y, c=m.sel(component="z"), cmap="PuOr_r", vmin=-1, vmax=1, marker="s", s=480)
        ax.quiver(data.x, data.y, m.sel(component="x"), m.sel(component="y"), pivot="middle", scale=12, width=0.008)
        ax.plot(*path[: None if row else 1].T, color="C3", marker="o", markersize=4)
        ax.set(xlabel="x (nm)", ylabel="y (nm)", title=f"t = {float(m.time):.0f} fs", aspect="equal")
    figure.colorbar(image, ax=axes, label="$M_z$")
    figure.savefig("skyrmion_voltage.png", dpi=110)
    return result


if __name__ == "__main__":
    main()
