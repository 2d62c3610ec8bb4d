"""Files that are either there in full or not at all, whatever kills the process or fills the disk.

The lowest layer of the store: only this module writes to the run folder (the HDF5 library excepted).
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


def temporary(path: Path) -> Path:
    """Where the file `path` is written before it is renamed."""
    return path.with_name(path.name + TEMPORARY)


def open_temporary(path: Path) -> int:
    """A new file where `temporary` says, for writing; whatever was there is removed, links are not followed."""
    with suppress(FileNotFoundError):
        os.unlink(temporary(path))
    return os.open(temporary(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def write_atomic(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write `parts` to a temporary file, flush it to the disk, rename it to `path`, flush the folder.

    After a kill or a loss of power at any moment `path` holds what it held before or all of `parts`.

    Raises:
        StorageError: With path and errno; `path` is then as before and the temporary file is removed.
    """
    with storage_errors(path, "write"):
        try:
            descriptor = open_temporary(path)
            try:
                for part in parts:
                    _write_all(descriptor, part)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary(path), path)
            sync_folder(path.parent)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary(path))
            raise


def publish(path: Path) -> None:
    """Make the closed file `temporary(path)` durable and rename it to `path`.

    Raises:
        OSError: From the operating system.
    """
    descriptor = os.open(temporary(path), os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary(path), path)
    sync_folder(path.parent)


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


def _write_all(descriptor: int, part: bytes | memoryview) -> None:
    view = memoryview(part)
    while view:
        view = view[os.write(descriptor, view) :]
