"""One process at a time in a run folder: a lock that the kernel drops when its holder dies, and a heartbeat.

The lock file names the holder (process, host) and the last time it was seen, so that a lock counts where the kernel's
does not reach: on another host (NFS may keep locks to one node), and on file systems without locks.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from llgnegf._files import FolderInUseError, StorageError, storage_errors

LOCK = "lock"
BEAT_S = 15.0
"""Seconds between two signs of life."""
STALE_AFTER_S = 300.0
"""A holder on another host without a sign of life for so long counts as gone; hosts' clocks must agree better."""
_SIZE = 512
_SETTLE_S = 0.5
"""Where there are no locks: after so long, the last of several that began at once finds its name in the file."""

log = logging.getLogger("llgnegf.store")


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        pid, host: Process and host.
        started: A mark of the process that no later one with the same number shares.
        seen: Time of its last sign of life, seconds since 1970.
    """

    pid: int
    host: str
    started: str
    seen: float

    def __str__(self) -> str:
        where = f"process {self.pid} on {self.host}"
        return where if self.here else f"{where}, last seen {time.time() - self.seen:.0f} s ago"

    @property
    def here(self) -> bool:
        """Whether it runs, or ran, on this host."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether it still runs: on this host the kernel knows, on another one its last sign of life tells."""
        return _started(self.pid) == self.started if self.here else time.time() - self.seen < STALE_AFTER_S


class Lock:
    """The open lock file of a folder."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor
        self._me = Holder(os.getpid(), socket.gethostname(), _started(os.getpid()), 0.0)
        self._done = threading.Event()
        self._beating: threading.Thread | None = None

    def acquire(self, force: bool) -> None:
        """Take the lock and begin to give signs of life."""
        found = _parsed(os.pread(self._descriptor, 4096, 0))
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            busy, without = found is not None and found.alive and not found.here, False
        except OSError as error:
            busy = error.errno in (errno.EWOULDBLOCK, errno.EACCES) or (found is not None and found.alive)
            without = error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
        if busy and not (force and found is not None and not found.here):
            raise FolderInUseError(self.path, _in_use(found))
        if busy:
            log.warning("%s: taken from %s by force", self.path, found)
        with storage_errors(self.path, "write"):
            self._beat()
        if without:
            log.warning("%s: the file system has no locks; going by signs of life every %g s", self.path, BEAT_S)
            time.sleep(_SETTLE_S)
            self.check()
        self._beating = threading.Thread(target=self._keep_beating, daemon=True)
        self._beating.start()

    def check(self) -> None:
        """Raise FolderInUseError if another process has taken the lock."""
        with storage_errors(self.path, "read"):
            found = _parsed(os.pread(self._descriptor, 4096, 0))
        if found is not None and replace(found, seen=0.0) != self._me:
            raise FolderInUseError(self.path, f"the folder was taken over by {found}")

    def release(self) -> None:
        """Stop the signs of life and leave an empty file, unless another process has taken the lock."""
        self._done.set()
        if self._beating is not None:
            self._beating.join()  # the number of the descriptor may be another file's afterwards
        with suppress(OSError, StorageError):
            self.check()
            os.ftruncate(self._descriptor, 0)

    def _beat(self) -> None:
        content = json.dumps({**asdict(self._me), "seen": time.time()}).encode()
        os.pwrite(self._descriptor, content.ljust(_SIZE), 0)  # over what was there: never empty
        os.ftruncate(self._descriptor, _SIZE)

    def _keep_beating(self) -> None:
        while not self._done.wait(BEAT_S):
            with suppress(OSError, StorageError):  # a full disk; the next one may go through
                self.check()
                self._beat()


@contextmanager
def locked(folder: Path, force: bool = False) -> Iterator[Lock]:
    """Hold the lock of `folder`; a lock whose holder is gone is taken over.

    Args:
        folder: The run folder.
        force: Take the lock from a holder on another host that may be alive, with a warning.

    Raises:
        FolderInUseError: If another process, or another run of this one, holds it.
        StorageError: If the lock file cannot be written, or is not a file of its own.
    """
    path = folder / LOCK
    with storage_errors(path, "lock"):
        descriptor = _opened(path, os.O_RDWR | os.O_CREAT)
    try:
        lock = Lock(path, descriptor)
        lock.acquire(force)
        try:
            yield lock
        finally:
            lock.release()
    finally:
        os.close(descriptor)


def holder(folder: Path) -> Holder | None:
    """Who runs in `folder` now; None if there is nobody."""
    try:
        descriptor = _opened(folder / LOCK, os.O_RDONLY)
    except (OSError, StorageError):
        return None
    try:
        found = _parsed(os.read(descriptor, 4096))
    finally:
        os.close(descriptor)
    return found if found is not None and found.alive else None


def _opened(path: Path, flags: int) -> int:
    """The file `path` itself: a link in a folder that somebody sent may lead anywhere."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StorageError(path, "is not a regular file; remove it")
    return descriptor


def _in_use(found: Holder | None) -> str:
    text = f"the folder is in use by {found or 'another process'}"
    if found is None or found.here:
        return text
    return f"{text}; it counts as gone after {STALE_AFTER_S:g} s without a sign of life, or at once with resume --force"


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


def _parsed(data: bytes) -> Holder | None:
    """The holder that the lock file names; None for anything else."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    kinds = {"pid": int, "host": str, "started": str, "seen": float}
    if not isinstance(content, dict) or any(type(content.get(name)) is not kind for name, kind in kinds.items()):
        return None
    return Holder(**{name: content[name] for name in kinds}) if 0 < content["pid"] < 2**31 else None
