"""Reading the result of a run with xarray alone: python read_results.py [RUN_FOLDER].

The default is the folder of `llgnegf run examples/bloch_wall.toml`. Every variable has named dims and its unit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import xarray


def balance(data: xarray.Dataset) -> float:
    """Largest defect of d(spin z of the electrons)/dt = sum of torques - currents into the leads, integrated; in eV fs.

    The sd coupling gives the electrons (hbar/2) d<sigma>/dt = J_sd <s> x M = T; the leads take I away.
    """
    hbar = 0.6582119569  # eV fs
    spin = 0.5 * hbar * data.spin_density.sum("site")
    given = data.torque.sum("site").cumulative_integrate("time")
    taken = hbar * data.lead_spin_out.sum("lead")
    defect = (spin - spin.isel(time=0)) - given + taken
    return float(abs(defect.sel(component="z")).max())


def main(folder: str = "runs/bloch_wall") -> xarray.Dataset:
    path = Path(folder) / "result.nc"
    if not path.exists():
        raise SystemExit(f"{path}: not there; first: llgnegf run examples/bloch_wall.toml")
    data = xarray.load_dataset(path)
    print(*(f"{name:24} {v.attrs['units']:14} {', '.join(map(str, v.dims))}" for name, v in data.items()), sep="\n")
    late = data.isel(time=-1)
    print("torque z on each site in the end:", late.torque.sel(component="z").values, data.torque.units)
    print("site with the largest torque:", int(abs(late.torque).max("component").idxmax("site")))
    current = data.lead_spin_current.sel(component="z").sum("lead")
    print("mean spin z current into the leads after 50 fs:", float(current.sel(time=slice(50, None)).mean()), "eV")
    print("spin that is not accounted for:", balance(data), "eV fs (from the trapezoidal rule over the rows)")
    late.torque.drop_vars("time").to_pandas().to_csv("torque.csv")  # a table for other programs
    return data


if __name__ == "__main__":
    main(*sys.argv[1:])
