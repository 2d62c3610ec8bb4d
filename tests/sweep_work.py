"""What the processes of a sweep are given to do in the tests of `llgnegf.sweep.workers`; quick to import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import llgnegf.sweep.workers as workers
from llgnegf import _processes
from llgnegf._files import FolderInUseError
from llgnegf.store.lock import locked
from llgnegf.sweep.cluster import InUse


def dies_once(folder: str, name: str) -> str:
    """Job "b" kills its process the first time, job "d" each time; returns the process."""
    begun = Path(folder) / name
    again = begun.exists()
    begun.touch()
    if name == "d" or (name == "b" and not again):
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{name} in {os.getpid()}"


def dies_once_in_cluster(folder: str, name: str, stop_requested: Callable[[], bool]) -> str:
    """`dies_once` on a worker of a cluster, after it was said that the job is begun."""
    time.sleep(0.2)
    return dies_once(folder, name)


def waits_for_the_end(folder: str, name: str, stop_requested: Callable[[], bool]) -> str:
    """Names its process in a file, and ends when it is asked to stop, which it notes."""
    (Path(folder) / name).write_text(str(os.getpid()))
    while not stop_requested():
        time.sleep(0.02)
    (Path(folder) / name).write_text("stopped")
    return "stopped"


def locks(folder: str, name: str, stop_requested: Callable[[], bool]) -> str | None:
    """What a point does whose folder another process may have."""
    try:
        with locked(Path(folder)):
            return None
    except FolderInUseError as error:
        return InUse(error)


def sleeps(folder: str, name: str) -> None:
    """Names its process in a file, and never ends; SIGTERM is held up as by a run that commits."""
    signal.signal(signal.SIGTERM, lambda *_: time.sleep(100.0))
    (Path(folder) / name).write_text(str(os.getpid()))
    time.sleep(1000.0)


if __name__ == "__main__":
    import sys

    _processes.GRACE = 0.5
    with workers.stop_signals_interrupt():
        list(workers.WorkerPool(sleeps, 2).outcomes([(sys.argv[1], "0"), (sys.argv[1], "1")]))
