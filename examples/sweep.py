"""A sweep from Python, over any concurrent.futures executor: python sweep.py.

Runs sweep.toml; finished runs are kept, so a sweep that was stopped is simply started again. Over a cluster, pass
a `dask.distributed.Client(...)` or an `mpi4py.futures.MPIPoolExecutor()`.
"""

from __future__ import annotations

from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import xarray

import llgnegf as ln

INPUT = Path(__file__).with_name("sweep.toml")


def pumped(data: xarray.Dataset) -> xarray.DataArray:
    """Spin z that goes into the leads in the end (eV), for each point of the grid."""
    return data.lead_spin_current.sel(component="z").sum("lead").isel(time=-1)


def main(executor: Executor | None = None, folder: str = "runs/sweep") -> xarray.Dataset:
    config = ln.RunConfig.load(INPUT)
    if executor is not None:
        data = ln.run_sweep(config, folder, executor)
    else:
        with ProcessPoolExecutor() as pool:
            data = ln.run_sweep(config, folder, pool)
    print("spin z into the leads, eV:", pumped(data).to_pandas(), sep="\n")
    return data


if __name__ == "__main__":
    main()
