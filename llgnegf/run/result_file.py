"""A result as one NetCDF-4 file: all that `Result` holds, written by `Result.save`; `store.loading` reads it.

What a run folder writes while it runs is in `store`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llgnegf._checks import Problems, path_of
from llgnegf._netcdf import digest_path, write_dataset

if TYPE_CHECKING:
    from llgnegf.run.result import ErrorEstimate, Result

MATRIX = "density_matrix"
ALLOWED = "the name of a file, not of a folder"


def write(result: Result, file: str | os.PathLike[str]) -> Path:
    """Write `result`, there in full or not at all, with checksums of all numbers.

    Raises:
        ValueError: For what is no path, a folder, and for the result of a run folder, whose digest lies beside it.
        StorageError: If the file cannot be written.
    """
    from llgnegf import __version__

    path, problems = path_of("save", "path", file, ALLOWED), Problems("save")
    problems.check(bool(path.name) and not path.is_dir(), "path", str(path), ALLOWED)
    if path.name and digest_path(path).exists():
        problems.add("path", f"{path} is the result of a run, with its digest beside it", "another file")
    problems.raise_all()
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


def budget_text(errors: Mapping[str, ErrorEstimate]) -> str:
    """The error budget as JSON, null for what is not known."""
    return json.dumps({
        name: {"value": float(e.value) if math.isfinite(e.value) else None, "bounds": e.bounds}
        for name, e in errors.items()
    })  # fmt: skip
