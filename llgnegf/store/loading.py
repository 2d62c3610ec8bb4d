"""Files of results as `Result`: those of `Result.save`, and the result.nc of run folders.

Used by `commands.load`; the other direction is `run.result_file` and `store.netcdf`.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf._files import DamagedRunError
from llgnegf._netcdf import netcdf_damage
from llgnegf.run.options import RunOptions
from llgnegf.run.result import ErrorEstimate, Result, Rows, Variable
from llgnegf.run.result_file import MATRIX
from llgnegf.store.netcdf import open_result

if TYPE_CHECKING:
    import xarray


def read(path: Path) -> Result:
    """The result in `path`: one of `write`, or the result.nc of a run folder.

    Raises:
        DamagedRunError: If the file is damaged, or holds something else.
    """
    if (damage := netcdf_damage(path)) is not None:
        raise DamagedRunError(path, damage.removeprefix(f"{path}: "))
    try:
        with open_result(path) as dataset:
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


def _budget(written: str) -> dict[str, ErrorEstimate]:
    def number(value: float | None) -> float:
        return math.nan if value is None else value

    return {name: ErrorEstimate(number(e["value"]), e["bounds"]) for name, e in json.loads(written).items()}


def _rtol(attributes: Mapping[str, Any]) -> float | None:
    """As it was asked for; of a run folder its input says so."""
    if "rtol" in attributes:
        return float(attributes["rtol"])
    run = tomllib.loads(attributes["input"])["run"] if "input" in attributes else None
    return None if run is None else float(run.get("rtol", RunOptions.rtol))
