"""NetCDF-4 files that are there in full or not at all, and those of runs show every change of what was written.

HDF5 that meets an error while it closes a file may take the process down. So it never meets one: it writes to a
`_Disk`, which keeps in memory what the disk refuses until HDF5 is done, and signals wait so long.
"""

from __future__ import annotations

import hashlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf._files import replacing, write_all, write_atomic
from llgnegf._processes import stop_signals_to

if TYPE_CHECKING:
    import xarray

DIGEST = ".sha256"
"""Ending of the file beside a result with the digest of all its bytes, as `sha256sum --check` reads it."""


@contextmanager
def new_netcdf(path: Path, digest: bool) -> Iterator[tuple[Any, Callable[[], None]]]:
    """An h5netcdf.File to fill, which becomes `path` when the body has ended; with the digest of its bytes beside it.

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
        finally:
            disk.check()
        if digest:  # before the file has its name: no result is ever without it
            with os.fdopen(os.dup(descriptor), "rb") as written:
                line = f"{_sha256(written)}  {path.name}\n"
            write_atomic(digest_path(path), [line.encode()])


@contextmanager
def signals_held() -> Iterator[None]:
    """Signals with handlers in Python, which may raise in the middle of HDF5, come when the body has ended."""
    came: list[int] = []
    try:
        with stop_signals_to(lambda number, _: came.append(number), callable):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)


def write_dataset(dataset: xarray.Dataset, path: Path) -> None:
    """Write `dataset`, and nothing else, as `new_netcdf` does; raises StorageError."""
    from xarray.backends import H5NetCDFStore

    with new_netcdf(path, digest=False) as (file, _):
        dataset.dump_to_store(H5NetCDFStore(file))


def digest_path(path: Path) -> Path:
    """The file beside `path` with its digest."""
    return path.with_name(path.name + DIGEST)


def netcdf_damage(path: Path) -> str | None:
    """What is wrong with a file that `new_netcdf` wrote with its digest, None if nothing is.

    The bytes are judged before HDF5 sees them: some versions of it never return from a file with one bit changed. A
    file without digest, of an earlier version or copied alone, is only opened.
    """
    try:
        with path.open("rb") as raw:
            if digest_path(path).is_file():
                intact = digest_path(path).read_bytes().split()[:1] == [_sha256(raw).encode()]
                return None if intact else f"{path}: is damaged (its SHA-256 does not fit)"
            return _failure_to_open(path, raw)
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"


def _failure_to_open(path: Path, raw: io.BufferedReader) -> str | None:
    import h5netcdf

    usual, sys.unraisablehook = sys.unraisablehook, lambda _: None  # h5netcdf fails again where a failed opening ends
    try:
        # By way of Python, since HDF5 refuses to open a file again that is open with another kind of lock.
        with h5netcdf.File(raw, "r"):
            return None
    except Exception as error:  # HDF5 reports damage as errors of many kinds
        return f"{path}: is damaged ({' '.join(str(error).split()) or type(error).__name__})"
    finally:
        sys.unraisablehook = usual


def _sha256(file: io.BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


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
