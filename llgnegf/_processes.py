"""What the processes that the package starts have in common: they end with their parent, and use one thread each; and
who hears the signals that ask a process to stop.

At the bottom of the package, beside `_blas`, which limits threads within a process.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

THREAD_VARIABLES = (
    "LLGNEGF_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip
"""Environment variables that say how many threads the libraries take."""
WATCH_EVERY = 0.5
"""Seconds between two looks at whether the parent lives."""
GRACE = 3.0
"""Seconds that a process has to commit its run before it is killed."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_with_parent(parent: int) -> None:
    """Have this process end, its run committed, soon after the process `parent` that started it has ended."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def stop_signals_to(
    handler: Callable[[int, FrameType | None], Any], instead_of: Callable[[Any], bool]
) -> Iterator[None]:
    """In the main thread, `STOP_SIGNALS` go to `handler` where it may stand `instead_of` the one that they have."""
    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            if instead_of(signal.getsignal(number)):
                previous[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for held, before in previous.items():
            signal.signal(held, before)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started meanwhile use one thread for linear algebra and compiled code."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
