"""A domain wall driven by a current, the twin of bias_driven_wall.toml: python bias_driven_wall.py.

An electron that passes the wall from +z to -z turns its spin over and leaves up to hbar to the moments. For J_sd > 0
the electrons' spin is along the moments and the moments' own spin opposite to them: the wall moves against the flow.
"""

from __future__ import annotations

import numpy as np
import xarray

import llgnegf as ln

N_SITES, WIDTH, K, EXCHANGE, BIAS = 16, 1.6, 0.05, 0.256, 0.4
"""Sites; lattice constants; eV; eV, 2 K WIDTH^2; eV."""


def wire(bias: float) -> ln.OpenSystem:
    """Levels and occupation of the left lead are raised by bias/2, those of the right one lowered, within 10 fs."""
    left, right = (ln.Ramp(0.0, sign * bias / 2, start=0.0, duration=10.0) for sign in (1, -1))
    leads = [ln.ChainLead(0, voltage=left), ln.ChainLead(-1, voltage=right)]
    return ln.OpenSystem(ln.chain(N_SITES, hopping=1.0, j_sd=0.6), leads, fermi_energy=-1.5, kT=0.05)


def run(bias: float = BIAS) -> ln.Result:
    texture = ln.neel_wall(N_SITES, center=(N_SITES + 1) / 2, width=WIDTH)
    energies = [ln.Exchange(EXCHANGE), ln.UniaxialAnisotropy(K, "z")]
    magnet = ln.Magnet(texture, magnetic_moment=1.0, energies=energies)
    return ln.simulate(wire(bias), magnet, t_end=30.0, save_every=0.5, rtol=1e-5)


def position(data: xarray.Dataset) -> np.ndarray:
    """How far the wall has moved to the right, in sites, over time: a site passed changes sum M_z by 2."""
    magnetisation = data.moments.sel(component="z").sum("site").values
    return (magnetisation - magnetisation[0]) / 2


def main() -> dict[str, ln.Result]:
    runs = {"+": run(BIAS), "-": run(-BIAS)}
    for sign, result in runs.items():
        left, right = result.dataset.lead_charge_out.isel(time=-1).values
        passed = (right - left) / 2
        moved = position(result.dataset)[-1]
        print(f"bias {sign}{BIAS} eV: {passed:+.3f} electrons to the right, the wall moved by {moved:+.3f} sites")
    return runs


if __name__ == "__main__":
    main()
