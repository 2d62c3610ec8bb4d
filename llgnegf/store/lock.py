"""One process at a time in a run folder, by a lock that the kernel drops when its holder dies.

The file also names the holder; its text decides where the file system has no locks.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from llgnegf.store.atomic import FolderInUseError, storage_errors

LOCK = "lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`; a lock whose holder is dead is taken over.

    Raises:
        FolderInUseError: If another process, or another run of this one, holds it.
        StorageError: If the lock file cannot be written.
    """
    path = folder / LOCK
    with storage_errors(path, "lock"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if not _acquired(descriptor):
            raise FolderInUseError(path, f"the folder is in use by {_described(path)}")
        try:
            with storage_errors(path, "write"):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(_this_process()).encode(), 0)
            yield
        finally:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str | None:
    """The process that runs in `folder`, as "process PID on HOST"; None if there is none."""
    return _described(folder / LOCK) if _alive(_content(folder / LOCK)) else None


def _this_process() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": _started(os.getpid())}


def _acquired(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        # No locks on this file system: go by the process that wrote its name into the file.
        return not _alive(_parsed(os.pread(descriptor, 4096, 0)))
    return True


def _alive(content: dict[str, Any]) -> bool:
    """Whether the process in `content` still runs; one on another host cannot be asked and counts as running."""
    if not content:
        return False
    if content.get("host") != socket.gethostname():
        return True
    return _started(int(content.get("pid", 0))) == content.get("started", "")


def _started(pid: int) -> str:
    """A mark of the process `pid` that no later process with the same number shares; "" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "running"


def _content(path: Path) -> dict[str, Any]:
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return {}


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _described(path: Path) -> str:
    content = _content(path)
    return f"process {content['pid']} on {content['host']}" if content else "another process"
