"""Files that are either there in full or not at all, whatever kills the process or fills the disk.

At the bottom of the package: every file that it writes is written here, those of HDF5 by way of `_netcdf`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp"
"""Ending of files that are not yet, and perhaps never will be, part of the run."""


class StorageError(RuntimeError):
    """The run folder cannot be written or read; the message is one line with the path and the cause.

    Attributes:
        path: The file or folder concerned.
        problem: The cause.
        errno: The operating system's error number; None when the cause is not the operating system.
    """

    def __init__(self, path: Path, problem: str, number: int | None = None) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem, self.errno = path, problem, number

    def __reduce__(self) -> tuple[Any, ...]:
        """Exceptions are rebuilt from their message by default; this one comes whole from another process."""
        return type(self), (self.path, self.problem, self.errno), self.__dict__


class DamagedRunError(StorageError):
    """What was committed is not what was written, and no older generation is left to go on from."""


class FolderInUseError(StorageError):
    """Another process runs in the folder."""


@contextmanager
def storage_errors(path: Path, action: str) -> Iterator[None]:
    """Turn an OSError of the body into a StorageError with path and errno."""
    try:
        yield
    except OSError as error:
        raise storage_error(path, action, error) from error


def storage_error(path: Path, action: str, error: OSError) -> StorageError:
    """`error`, met when trying to `action` the file at `path`, as a StorageError."""
    if error.errno is None:
        return StorageError(path, f"cannot {action}: {' '.join(str(error).split())}")
    name = errno.errorcode.get(error.errno, "unknown")
    return StorageError(path, f"cannot {action}: {os.strerror(error.errno)} (errno {error.errno}, {name})", error.errno)


@contextmanager
def replacing(path: Path) -> Iterator[int]:
    """The descriptor of a new file beside `path`, which becomes `path` when the body has ended.

    The file is flushed to the disk, renamed, and its folder flushed: after a kill or a loss of power at any moment
    `path` holds what it held before, or all that the body wrote. Links in the place of either are not followed.

    Raises:
        StorageError: With path and errno. After this and any other error `path` is as before and nothing is beside it.
    """
    beside = path.with_name(path.name + TEMPORARY)
    with storage_errors(path, "write"):
        with suppress(FileNotFoundError):
            os.unlink(beside)
        try:
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                yield descriptor
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(beside, path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)
            raise


def write_atomic(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write `parts` as the file `path`, as `replacing` does; raises StorageError."""
    with replacing(path) as descriptor:
        for part in parts:
            write_all(descriptor, part)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: a rename is lost with the power otherwise."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file that is no longer needed; it is no error if it is gone."""
    with storage_errors(path, "remove"), suppress(FileNotFoundError):
        os.unlink(path)


def write_all(descriptor: int, part: bytes | memoryview) -> None:
    """Write all of `part` where the file stands, in as many pieces as the system takes."""
    view = memoryview(part)
    while view:
        view = view[os.write(descriptor, view) :]
