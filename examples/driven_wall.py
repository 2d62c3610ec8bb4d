"""A domain wall in a field, with electrons and without, the twin of driven_wall.toml: python driven_wall.py.

The energies and the field keep the z component of the angular momentum and there is no Gilbert damping, so what a
wall that moves changes, 2 mu/g for each site, is spin of the electrons: it leaves through the leads, or the device
holds less of it afterwards (validation/driven_wall.py has the derivation).
"""

from __future__ import annotations

import numpy as np
import xarray

import llgnegf as ln

N_SITES, WIDTH, K, EXCHANGE = 16, 1.6, 0.05, 0.256
"""Sites; lattice constants; eV; eV, 2 K WIDTH^2."""
FIELD = 150.0
"""Tesla, so that something happens within femtoseconds."""


def wire() -> ln.OpenSystem:
    chain = ln.chain(N_SITES, hopping=1.0, j_sd=0.6)
    return ln.OpenSystem(chain, [ln.ChainLead(0), ln.ChainLead(-1)], fermi_energy=-1.5, kT=0.05)


def wall(field: float) -> ln.Magnet:
    """A Neel wall, +z on its left, whose width is the one of its exchange and anisotropy."""
    texture = ln.neel_wall(N_SITES, center=(N_SITES + 1) / 2, width=WIDTH)
    switched_on = ln.Ramp([0.0, 0.0, 0.0], [0.0, 0.0, field], start=0.0, duration=10.0)
    energies = [ln.Exchange(EXCHANGE), ln.UniaxialAnisotropy(K, "z"), ln.Zeeman(switched_on)]
    return ln.Magnet(texture, magnetic_moment=1.0, energies=energies)


def run(field: float = FIELD, electrons: bool = True) -> ln.Result:
    system = wire() if electrons else None
    return ln.simulate(system, wall(field), t_end=60.0, save_every=1.0, rtol=1e-5)


def position(data: xarray.Dataset) -> np.ndarray:
    """How far the wall has moved to the right, in sites, over time: a site passed changes sum M_z by 2."""
    magnetisation = data.moments.sel(component="z").sum("site").values
    return (magnetisation - magnetisation[0]) / 2


def main() -> dict[str, ln.Result]:
    runs = {"with electrons": run(), "without": run(electrons=False)}
    for name, result in runs.items():
        print(f"{name:15} the wall has moved by {position(result.dataset)[-1]:+.4f} sites")
    left = runs["with electrons"].dataset.lead_spin_out.sum("lead").isel(time=-1, component=2).item()
    print(f"spin z that left through the leads: {left:+.4f} hbar")
    return runs


if __name__ == "__main__":
    main()
