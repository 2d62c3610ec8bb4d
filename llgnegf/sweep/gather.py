"""The results of a sweep as one Dataset, with the swept parameters as axes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.config import RunConfig
from llgnegf.run.result import BESIDE
from llgnegf.sweep.axes import axis_attributes, axis_names, common_times, labels
from llgnegf.sweep.points import SEED, Point, points, seeds

if TYPE_CHECKING:
    import xarray

REALISATION = "realisation"
"""The dim of runs that differ in their noise alone."""


def gather(config: RunConfig, folder: str | os.PathLike[str]) -> xarray.Dataset:
    """The results of a sweep that has run in `folder`, in one Dataset.

    Each variable of a run has the swept parameters as first dims (mode = "list": one dim `run` with the parameters as
    coordinates). A dim is named by its path with underscores, lead_0_coupling, and lead_coupling for lead.*.coupling,
    as `sel(lead_coupling=0.5)` takes it; the full path is a coordinate too, and the attribute `path`. Realisations are
    the last of these dims, `realisation`; then each variable has its mean over them, `moments_mean`, and the standard
    error of that, `moments_standard_error`, beside it. Where runs differ in times or sites, what one of them lacks is
    NaN; `time.attrs["comment"]` says how many instants are common.

    Raises:
        ConfigError: As `points`.
        StorageError: If a result cannot be read.
    """
    import xarray

    from llgnegf.store import RunFolder

    runs = points(config)
    assert config.sweep is not None
    results = []
    for point in runs:
        with RunFolder.open(Path(folder) / point.name).dataset() as dataset:
            results.append(dataset.load())
            results[-1].attrs = {}
    results, comment = _on_common_times(_own_places(results))
    attributes = {name: variable.attrs for name, variable in results[0].variables.items()}
    stacked = xarray.concat(
        results, dim="run", join="outer", combine_attrs="override", coords="minimal", compat="override"
    )
    swept = _on_axes(stacked, config, runs)
    for name, attrs in attributes.items():
        if name in swept.variables:
            swept[name].attrs.update(attrs)
    if comment:
        swept["time"].attrs["comment"] = comment
    if config.sweep.realisations:
        swept = _with_averages(swept)
    swept.attrs = {"title": "llgnegf sweep", "input": config.to_toml()}
    return swept


def _on_axes(stacked: xarray.Dataset, config: RunConfig, runs: list[Point]) -> xarray.Dataset:
    """The dim `run` as the axes of the sweep, labelled; without the attributes of what has lost that dim."""
    assert config.sweep is not None
    parameters, realisations = config.sweep.parameters or {}, config.sweep.realisations
    names = axis_names(parameters, [*map(str, (*stacked.variables, *stacked.dims)), REALISATION, "run_seed"])
    values, axes = {path: labels(those) for path, those in parameters.items()}, names
    sizes = {names[path]: len(those) for path, those in values.items()}
    if config.sweep.mode == "list" and parameters:
        axes, sizes = dict.fromkeys(parameters, "run"), {"run": len(runs) // (realisations or 1)}
    sizes |= {REALISATION: realisations} if realisations else {}
    swept = stacked if list(sizes) == ["run"] else _unfolded(stacked, sizes)
    for path, those in values.items():
        marks = axis_attributes(runs[0].config, path)
        # Under its path too, the only name that it had in earlier versions.
        swept = swept.assign_coords({name: (axes[path], those, marks) for name in (names[path], path)})
    if realisations:
        marks = {"long_name": "seed of the realisation", "path": SEED, "units": "1"}
        number = range(realisations)
        swept = swept.assign_coords({REALISATION: number, "run_seed": (REALISATION, list(seeds(config)), marks)})
    return swept


def _with_averages(swept: xarray.Dataset) -> xarray.Dataset:
    """The Dataset with mean and standard error over the realisations of each variable."""
    averages: dict[str, xarray.DataArray] = {}
    for name, variable in swept.data_vars.items():
        long_name, count = variable.attrs.get("long_name", name), variable.sizes[REALISATION]
        of = {"mean": variable.mean(REALISATION), "standard_error": variable.std(REALISATION, ddof=1) / count**0.5}
        for kind, average in of.items():
            said = f"{kind.replace('_', ' ')} over realisations: {long_name}"
            averages[f"{name}_{kind}"] = average.assign_attrs({**variable.attrs, "long_name": said})
    return swept.assign(averages)


def _own_places(results: list[xarray.Dataset]) -> list[xarray.Dataset]:
    """The results with what stands beside a dim as data, where it is not the same in all of them: it is swept."""
    def differs(name: str) -> bool:
        first = results[0].coords.get(name)
        return any(first is None or not first.equals(result.coords.get(name, first[:0])) for result in results)

    for name in BESIDE:
        if any(name in result.coords for result in results) and differs(name):
            results = [result.reset_coords(name) if name in result.coords else result for result in results]
    return results


def _on_common_times(results: list[xarray.Dataset]) -> tuple[list[xarray.Dataset], str]:
    """The results with one number for each instant, and in words which instants all runs share ("" for all)."""
    axes = common_times([result["time"].values for result in results])
    labelled = [
        result.assign_coords(time=("time", axis, result["time"].attrs))
        for result, axis in zip(results, axes, strict=True)
    ]
    instants, counts = np.unique(np.concatenate(axes), return_counts=True)
    shared = instants[counts == len(axes)]
    if shared.size == instants.size:
        return labelled, ""
    comment = f"{shared.size} of {instants.size} instants are saved by every run; elsewhere some runs are NaN"
    if not (shared > 0).any():
        comment = (
            f"no instant after t = 0 is saved by every run: {instants.size - shared.size} of {instants.size} hold some "
            "runs only, the others are NaN; for common instants give run.save_every common multiples"
        )
        warnings.warn(f"sweep: {comment}", stacklevel=3)
    return labelled, comment


def _unfolded(stacked: xarray.Dataset, sizes: Mapping[str, int]) -> xarray.Dataset:
    """The dim `run` as one dim for each parameter; the last parameter varies fastest."""
    import xarray

    data: dict[str, Any] = {}
    for name, variable in stacked.data_vars.items():
        array = variable.transpose("run", ...)
        data[str(name)] = ((*sizes, *array.dims[1:]), array.values.reshape(*sizes.values(), *array.shape[1:]))
    coords = {name: c.variable for name, c in stacked.coords.items() if "run" not in c.dims}
    return xarray.Dataset(data, coords=coords)
