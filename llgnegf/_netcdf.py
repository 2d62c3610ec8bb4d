"""NetCDF-4 files that are there in full or not at all, and those of runs show every change of what was written.

HDF5 that meets an error while it closes a file may take the process down. So it never meets one: it writes to a
`_Disk`, which keeps in memory what the disk refuses until HDF5 is done, and signals wait so long.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._files import replacing, write_all

if TYPE_CHECKING:
    import xarray

ARRAYS, LABELS = "arrays_sha256", "labels_sha256"
"""Attributes of a file: digests of its numbers (JSON, by name), and of its attributes, dimensions, names and texts."""
BLOCK_BYTES = 1 << 20
"""Arrays are read in blocks of rows of about this size."""


@contextmanager
def new_netcdf(path: Path, digests: bool) -> Iterator[tuple[Any, Callable[[], None]]]:
    """An h5netcdf.File to fill, which becomes `path` when the body has ended; with digests of what is in it.

    The second value raises the error that the disk has given so far, if any: a body that writes more than fits into
    memory calls it now and then.

    Raises:
        StorageError: With path and cause; `path` is then as before.
    """
    import h5netcdf

    with signals_held(), replacing(path) as descriptor:
        disk = _Disk(descriptor)
        try:
            with h5netcdf.File(disk, "w") as file:
                yield file, disk.check
                disk.check()
                if digests:
                    file.attrs[ARRAYS] = json.dumps(_array_digests(file))
                    file.attrs[LABELS] = _label_digest(file)
        finally:
            disk.check()


@contextmanager
def signals_held() -> Iterator[None]:
    """Signals with handlers in Python, which may raise in the middle of HDF5, come when the body has ended."""
    came: list[int] = []
    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for held in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(held)):
                previous[held] = signal.signal(held, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def write_dataset(dataset: xarray.Dataset, path: Path) -> None:
    """Write `dataset`, and nothing else, as `new_netcdf` does; raises StorageError."""
    from xarray.backends import H5NetCDFStore

    with new_netcdf(path, digests=False) as (file, _):
        dataset.dump_to_store(H5NetCDFStore(file))


def netcdf_damage(path: Path, whole: bool = True) -> str | None:
    """What is wrong with a file that `new_netcdf` wrote, None if nothing is.

    Args:
        path: The file. One of an earlier version, without digests, can only be read from end to end.
        whole: Whether its numbers are compared with their digests too, and not only all the rest.
    """
    import h5netcdf

    usual, sys.unraisablehook = sys.unraisablehook, lambda _: None  # h5netcdf fails again where a failed opening ends
    try:
        # By way of Python, since HDF5 refuses to open a file again that is open with another kind of lock.
        with path.open("rb") as raw, h5netcdf.File(raw, "r") as file:
            labels = _label_digest(file)
            arrays = json.dumps(_array_digests(file)) if whole else None
            known = file.attrs.get(ARRAYS), file.attrs.get(LABELS)
    except Exception as error:  # HDF5 reports damage as errors of many kinds
        return f"{path}: is damaged ({' '.join(str(error).split()) or type(error).__name__})"
    finally:
        sys.unraisablehook = usual
    changed = known != (None, None) and (known[1] != labels or arrays not in (None, known[0]))
    return f"{path}: is damaged (its SHA-256 does not fit)" if changed else None


def _is_text(variable: Any) -> bool:
    return bool(variable.dtype.kind not in "biufc")


def _array_digests(file: Any) -> dict[str, str]:
    """SHA-256 of the values of each variable of numbers, in C order."""
    digests = {}
    for name in sorted(name for name, variable in file.variables.items() if not _is_text(variable)):
        variable, digest = file.variables[name], hashlib.sha256()
        if variable.shape:
            row = variable.dtype.itemsize * int(np.prod(variable.shape[1:], dtype=np.int64))
            end, n_rows = variable.shape[0] if row else 0, max(1, BLOCK_BYTES // max(1, row))
            for start in range(0, end, n_rows):
                # No slice past the end: some versions of h5netcdf read the whole variable then.
                digest.update(np.ascontiguousarray(variable[start : min(start + n_rows, end)]).tobytes())
        else:
            digest.update(np.asarray(variable[...]).tobytes())
        digests[name] = digest.hexdigest()
    return digests


def _label_digest(file: Any) -> str:
    """SHA-256 of everything in `file` that is no number of a variable."""
    attributes = {name: value for name, value in file.attrs.items() if name != LABELS}
    variables = {
        name: [v.dimensions, v.shape, v.dtype.str, dict(v.attrs), np.asarray(v[...]).tolist() if _is_text(v) else None]
        for name, v in file.variables.items()
    }
    lengths = {name: dimension.size for name, dimension in file.dimensions.items()}
    content = json.dumps([attributes, lengths, variables], sort_keys=True, default=_plain)
    return hashlib.sha256(content.encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else np.asarray(value).tolist()


class _Disk(io.RawIOBase):
    """A file for HDF5 to write to, on which everything succeeds; `check` raises the first error that there was."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._position = descriptor, 0
        self._error: BaseException | None = None
        self._refused: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise what came when something was first refused."""
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        """Write at the position; once something was refused, keep everything."""
        view = memoryview(data).cast("B")
        if self._error is None:
            try:
                os.lseek(self._descriptor, self._position, os.SEEK_SET)
                write_all(self._descriptor, view)
            except BaseException as error:
                self._error = error
        if self._error is not None:
            self._refused.append((self._position, bytes(view)))
        self._position += len(view)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        """All of `buffer`, from the file and from what is kept; zeros where neither has anything."""
        view = memoryview(buffer).cast("B")
        first, end = self._position, self._position + len(view)
        found = os.pread(self._descriptor, len(view), first)
        view[:] = found + bytes(len(view) - len(found))
        for start, piece in self._refused:
            low, high = max(first, start), min(end, start + len(piece))
            if low < high:
                view[low - first : high - first] = piece[low - start : high - start]
        self._position = end
        return len(view)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; from the end of the file on the disk, whose length HDF5 asks for when it opens it only."""
        end = os.fstat(self._descriptor).st_size if whence == os.SEEK_END else 0
        self._position = offset + (end, self._position)[whence == os.SEEK_CUR]
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file."""
        length = self._position if size is None else size
        try:
            os.ftruncate(self._descriptor, length)
        except BaseException as error:
            self._error = self._error or error
        return length
