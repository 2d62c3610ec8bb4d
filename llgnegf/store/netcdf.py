"""The committed rows as an xarray.Dataset, and the one NetCDF-4 file a run leaves.

The file is written once, at the end, block by block: the memory needed does not grow with the number of rows. Writing
does without xarray, whose import would take more memory than the whole run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._netcdf import new_netcdf
from llgnegf.run.result import BESIDE, LABELS, Variable, build_dataset
from llgnegf.store.checkpoint import Layout
from llgnegf.store.segments import Segment, blocks, rows_of_a_segment

if TYPE_CHECKING:
    import xarray

def committed_dataset(
    folder: Path, segments: list[Segment], layout: Layout, attributes: Mapping[str, Any]
) -> xarray.Dataset:
    """The rows of `segments` in memory, as a Dataset."""
    parts = [columns for _, columns in blocks(folder, segments, rows_of_a_segment(layout.variables))]
    empty = {name: np.empty((0, *v.shape)) for name, v in layout.variables.items()} | {"time": np.empty(0)}
    columns = {name: np.concatenate([empty[name], *(part[name] for part in parts)]) for name in empty}
    return build_dataset(columns["time"], columns, layout.variables, layout.coordinates, attributes)


def write_result(
    path: Path, folder: Path, segments: list[Segment], layout: Layout, attributes: Mapping[str, Any]
) -> None:
    """Write all rows to the NetCDF-4 file `path`, atomically.

    Args:
        path: The file.
        folder: The folder of the segments.
        segments: All of them.
        layout: What their rows hold.
        attributes: Attributes of the file, strings.

    Raises:
        StorageError: With path and errno; `path` is then as before.
        DamagedRunError: If a segment is not what was committed.
    """
    n_rows = segments[-1].end if segments else 0
    columns = {"time": Variable((), (), LABELS["time"]["units"], LABELS["time"]["long_name"]), **layout.variables}
    chunk_rows = min(rows_of_a_segment(layout.variables), n_rows)
    with new_netcdf(path, digest=True) as (file, check_disk):
        file.attrs.update(attributes)
        for name, length in _dimensions(layout, n_rows).items():
            file.dimensions[name] = length
        for name, labels in layout.coordinates.items():
            _write_labels(file, name, labels)
        if beside := [name for name in layout.coordinates if name in BESIDE]:
            file.attrs["coordinates"] = " ".join(beside)  # as xarray marks what is no dim and no data
        for name, column in columns.items():
            chunks = (chunk_rows, *column.shape) if chunk_rows and 0 not in column.shape else None
            variable = file.create_variable(
                name, ("time", *column.dims), "f8", chunks=chunks, fletcher32=chunks is not None
            )
            variable.attrs["units"], variable.attrs["long_name"] = column.units, column.long_name
        for start, block in blocks(folder, segments, rows_of_a_segment(layout.variables)):
            for name, column in columns.items():
                if 0 not in column.shape:
                    file.variables[name][start : start + len(block[name])] = block[name]
            check_disk()


def open_result(path: Path) -> xarray.Dataset:
    """The Dataset in `path`, read as it is used."""
    import xarray

    return xarray.open_dataset(path, engine="h5netcdf")


def _write_labels(file: Any, name: str, labels: Sequence[Any]) -> None:
    """The coordinate `name`: whole numbers, or text as strings of variable length, as xarray writes them; or a place of
    the sites."""
    import h5py

    values = np.asarray(labels)
    text = values.dtype.kind == "U"
    checked = {"chunks": values.shape, "fletcher32": True} if values.size and not text else {}
    dims, dtype = (BESIDE.get(name, name),), h5py.string_dtype() if text else values.dtype
    variable = file.create_variable(name, dims, dtype, **checked)
    variable.attrs.update(LABELS.get(name, {}))
    if values.size:
        variable[...] = values.astype(object) if text else values


def _dimensions(layout: Layout, n_rows: int) -> dict[str, int]:
    lengths = {name: len(labels) for name, labels in layout.coordinates.items() if name not in BESIDE}
    lengths |= {"time": n_rows}
    for column in layout.variables.values():
        lengths |= dict(zip(column.dims, column.shape, strict=True))
    return lengths


