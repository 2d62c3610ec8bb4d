"""The committed rows as an xarray.Dataset, and the one NetCDF-4 file a run leaves.

The file is written once, at the end, block by block: the memory needed does not grow with the number of rows. Writing
does without xarray, whose import would take more memory than the whole run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.run.result import Variable, build_dataset
from llgnegf.store.atomic import StorageError, open_temporary, publish, storage_error, storage_errors, temporary
from llgnegf.store.checkpoint import Layout
from llgnegf.store.segments import SEGMENT_BYTES, Columns, Segment, blocks

if TYPE_CHECKING:
    import xarray

HEADER_BYTES = 1 << 18
"""More than HDF5 needs beside the data and the attributes of a run."""


def committed_dataset(
    folder: Path, segments: list[Segment], layout: Layout, attributes: Mapping[str, Any]
) -> xarray.Dataset:
    """The rows of `segments` in memory, as a Dataset."""
    parts = [columns for _, columns in blocks(folder, segments, _block_rows(layout))]
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
    _check_space(path, n_rows * _row_bytes(layout) + sum(map(len, attributes.values())) + HEADER_BYTES)
    try:
        rows = blocks(folder, segments, _block_rows(layout))
        _write_file(temporary(path), rows, n_rows, layout, attributes)
        publish(path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary(path))
        if isinstance(error, OSError):
            raise storage_error(path, "write", error) from error
        if isinstance(error, RuntimeError) and not isinstance(error, StorageError):
            # HDF5 reports what fails while it closes a file as a RuntimeError.
            raise StorageError(path, f"cannot write: {' '.join(str(error).split())}") from error
        raise


def open_result(path: Path) -> xarray.Dataset:
    """The Dataset in `path`, read as it is used."""
    import xarray

    return xarray.open_dataset(path, engine="h5netcdf")


def result_damage(path: Path, whole: bool = True) -> str | None:
    """What is wrong with the result `path`, None if nothing is.

    Args:
        path: The file.
        whole: Whether all of it is read and compared with its checksums; else only whether it can be opened.
    """
    import h5netcdf

    try:
        with h5netcdf.File(path, "r", locking=False) as file:
            for variable in file.variables.values() if whole else ():
                rows = max(1, SEGMENT_BYTES // max(8, 8 * int(np.prod(variable.shape[1:], dtype=np.int64))))
                for start in range(0, variable.shape[0] if variable.shape else 0, rows):
                    variable[start : start + rows]
    except Exception as error:  # HDF5 reports damage as errors of many kinds
        return f"{path}: is damaged ({' '.join(str(error).split()) or type(error).__name__})"
    return None


def _write_file(
    path: Path, rows: Iterator[tuple[int, Columns]], n_rows: int, layout: Layout, attributes: Mapping[str, Any]
) -> None:
    import h5netcdf

    columns = {"time": Variable((), (), "fs", "time"), **layout.variables}
    chunk_rows = min(_block_rows(layout), n_rows)
    with h5netcdf.File(path, "w", locking=False) as file:  # the folder is locked; HDF5 fails where there are no locks
        file.attrs.update(attributes)
        for name, length in _dimensions(layout, n_rows).items():
            file.dimensions[name] = length
        for name, labels in layout.coordinates.items():
            _write_labels(file, name, labels)
        for name, column in columns.items():
            chunks = (chunk_rows, *column.shape) if chunk_rows and 0 not in column.shape else None
            variable = file.create_variable(
                name, ("time", *column.dims), "f8", chunks=chunks, fletcher32=chunks is not None
            )
            variable.attrs["units"], variable.attrs["long_name"] = column.units, column.long_name
        for start, block in rows:
            for name, column in columns.items():
                if 0 not in column.shape:
                    file.variables[name][start : start + len(block[name])] = block[name]


def _write_labels(file: Any, name: str, labels: Sequence[Any]) -> None:
    """The coordinate of the dim `name`: whole numbers, or text as strings of variable length, as xarray writes them."""
    import h5py

    values = np.asarray(labels)
    text = values.dtype.kind == "U"
    checked = {"chunks": values.shape, "fletcher32": True} if values.size and not text else {}
    variable = file.create_variable(name, (name,), h5py.string_dtype() if text else values.dtype, **checked)
    if values.size:
        variable[...] = values.astype(object) if text else values


def _dimensions(layout: Layout, n_rows: int) -> dict[str, int]:
    lengths = {name: len(labels) for name, labels in layout.coordinates.items()} | {"time": n_rows}
    for column in layout.variables.values():
        lengths |= dict(zip(column.dims, column.shape, strict=True))
    return lengths


def _row_bytes(layout: Layout) -> int:
    return 8 + sum(8 * int(np.prod(v.shape, dtype=np.int64)) for v in layout.variables.values())


def _block_rows(layout: Layout) -> int:
    return max(1, SEGMENT_BYTES // _row_bytes(layout))


def _check_space(path: Path, n_bytes: int) -> None:
    """Refuse early what does not fit: HDF5 that meets a full disk while it writes may take the process down.

    The space is allocated, not only asked for, so that a quota counts too, and given back.
    """
    with storage_errors(path, f"write {n_bytes / 1e6:.1f} MB"):
        descriptor = open_temporary(path)
        try:
            os.posix_fallocate(descriptor, 0, n_bytes)
        finally:
            os.close(descriptor)
            os.unlink(temporary(path))
