"""A result as one NetCDF-4 file: all of it in, all of it out.

Used by `Result.save` and `commands.load`; what a run folder writes while it runs is in `store`.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._files import DamagedRunError
from llgnegf._netcdf import netcdf_damage, write_dataset
from llgnegf.run.result import ErrorEstimate, Result, Rows, Variable

if TYPE_CHECKING:
    import xarray

MATRIX = "density_matrix"


def write(result: Result, path: Path) -> Path:
    """Write `result`, there in full or not at all, with checksums of all numbers; raises StorageError."""
    from llgnegf import __version__

    dataset = result.dataset.copy()
    if result.density_matrix is not None:
        parts = np.stack([result.density_matrix.real, result.density_matrix.imag])
        said = {"units": "1", "long_name": "density matrix at the end, up and down of site 0 first"}
        dataset[MATRIX] = (("part", "row", "column"), parts, said)
        dataset = dataset.assign_coords(part=["real", "imag"])
    known = {} if result.rtol is None else {"rtol": result.rtol}
    dataset.attrs = {
        "title": "llgnegf result", "source": f"llgnegf {__version__}", "error_budget": budget_text(result.errors),
        "statistics": json.dumps(dict(result.statistics)), "warnings": json.dumps(result.warnings), **known,
    }  # fmt: skip
    for variable in dataset.variables.values():
        variable.encoding = {"fletcher32": True} if variable.dtype.kind in "fi" and variable.size else {}
    write_dataset(dataset, path)
    return path


def read(path: Path) -> Result:
    """The result in `path`: one of `write`, or the result.nc of a run folder.

    Raises:
        DamagedRunError: If the file is damaged, or holds something else.
    """
    import xarray

    if (damage := netcdf_damage(path)) is not None:
        raise DamagedRunError(path, damage.removeprefix(f"{path}: "))
    try:
        with xarray.open_dataset(path, engine="h5netcdf") as dataset:
            return result_of(dataset.load())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        cause = " ".join(str(error).split())
        raise DamagedRunError(path, f"is damaged, or no result of a run ({cause})") from None


def result_of(
    dataset: xarray.Dataset, errors: Mapping[str, ErrorEstimate] | None = None, statistics: Any = None
) -> Result:
    """The result whose rows `dataset` holds; error budget and statistics as its attributes say, if not given."""
    attributes, matrix = dataset.attrs, None
    if MATRIX in dataset:
        real, imag = dataset[MATRIX].values
        matrix = real + 1j * imag
    columns = {str(name): data for name, data in dataset.data_vars.items() if data.dims[:1] == ("time",)}
    variables = {
        name: Variable(tuple(map(str, d.dims[1:])), d.shape[1:], d.attrs["units"], d.attrs["long_name"])
        for name, d in columns.items()
    }
    labels = {str(name): c.values.tolist() for name, c in dataset.coords.items() if name not in ("time", "part")}
    rows = Rows(dataset["time"].values, {n: d.values for n, d in columns.items()}, variables, labels)
    if errors is None:
        errors = _budget(attributes["error_budget"])
    if statistics is None:
        statistics = json.loads(attributes.get("statistics", "{}"))
    said = tuple(json.loads(attributes.get("warnings", "[]")))
    return Result(rows, errors, matrix, statistics, _rtol(attributes), said)


def budget_text(errors: Mapping[str, ErrorEstimate]) -> str:
    """The error budget as JSON, null for what is not known."""
    return json.dumps({
        name: {"value": float(e.value) if math.isfinite(e.value) else None, "bounds": e.bounds}
        for name, e in errors.items()
    })  # fmt: skip


def _budget(written: str) -> dict[str, ErrorEstimate]:
    def number(value: float | None) -> float:
        return math.nan if value is None else value

    return {name: ErrorEstimate(number(e["value"]), e["bounds"]) for name, e in json.loads(written).items()}


def _rtol(attributes: Mapping[str, Any]) -> float | None:
    """As it was asked for; of a run folder its input says so."""
    from llgnegf.run.options import RunOptions

    if "rtol" in attributes:
        return float(attributes["rtol"])
    run = tomllib.loads(attributes["input"])["run"] if "input" in attributes else None
    return None if run is None else float(run.get("rtol", RunOptions.rtol))
