"""Threads that share the pieces of one computation: a team of persistent ones, woken for each phase.

Not numba's parallel loops: those know no named tuples, start slower, and abort the process where two threads of a
program use them at a time, or a process that was forked. What is shared must let go of the interpreter's lock
(`nogil`), and its pieces must write different numbers; what they are does not depend on how many threads there are, so
neither do the bits of a result.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import numpy as np

VARIABLES = "LLGNEGF_NUM_THREADS", "OMP_NUM_THREADS"
"""What sets the number of threads, the first that is there."""
SMALLEST = 2**20
"""Bytes of a state from which on threads share it: measured, docs/performance.md."""

_SINGLE: ContextVar[bool] = ContextVar("single", default=False)


@contextmanager
def single() -> Iterator[None]:
    """Runs that are set up meanwhile, in this thread, have one thread each unless they ask for more themselves: many
    are done side by side."""
    token = _SINGLE.set(True)
    try:
        yield
    finally:
        _SINGLE.reset(token)


def number_of_threads(wanted: int | None, size: int) -> int:
    """Threads for a state of `size` bytes: 1 if it is small, else `wanted`, what the environment says, or the cores.

    Raises:
        ValueError: For an environment variable that is no number of threads.
    """
    if size < SMALLEST:
        return 1
    if wanted is not None:
        return wanted
    if _SINGLE.get():
        return 1
    for name in VARIABLES:
        text = os.environ.get(name, "").split(",")[0].strip()
        if text:
            if not text.isdigit() or int(text) < 1:
                raise ValueError(f"{name}: {text!r}; allowed: an integer >= 1")
            return int(text)
    return cores()


def cores() -> int:
    """Cores that this process may use."""
    with suppress(AttributeError):  # not everywhere
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Team:
    """`count` threads, the calling one among them.

    Args:
        count: Number of threads.
    """

    def __init__(self, count: int) -> None:
        self.count, self._process = count, -1
        self._members: list[_Member] = []

    def share(self, function: Callable[..., Any], arguments: tuple[Any, ...], bounds: np.ndarray) -> None:
        """function(*arguments, first, last) for the pieces from bounds[k] to bounds[k + 1], thread k the k-th.

        Raises:
            BaseException: What the function raised in any thread.
        """
        if self._process != os.getpid():  # threads do not live on in a process that was forked
            self._process, self._members = os.getpid(), [_Member() for _ in range(self.count - 1)]
        ends = bounds.tolist()
        for k, member in enumerate(self._members, 1):
            member.begin(function, arguments, ends[k], ends[k + 1])
        try:
            function(*arguments, ends[0], ends[1])
            failures = [member.wait() for member in self._members]
        except BaseException:  # a signal, perhaps: let them finish by themselves, and take others next time
            self._process = -1
            self.__del__()
            raise
        for failure in failures:
            if failure is not None:
                raise failure

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.count,)

    def __del__(self) -> None:
        for member in self._members:
            member.end()


class _Member:
    """One thread, which sleeps until it is given work."""

    def __init__(self) -> None:
        self._work, self._done = threading.Lock(), threading.Lock()
        self._work.acquire()
        self._done.acquire()
        self._job: Any = None
        self._failure: BaseException | None = None
        threading.Thread(target=_serve, args=(self,), name="llgnegf", daemon=True).start()

    def begin(self, function: Callable[..., Any], arguments: tuple[Any, ...], first: int, last: int) -> None:
        self._job = function, arguments, first, last
        self._work.release()

    def wait(self) -> BaseException | None:
        """Until the work is done; what went wrong."""
        self._done.acquire()
        failure, self._failure = self._failure, None
        return failure

    def end(self) -> None:
        """Let the thread end."""
        self._job = None
        self._work.release()

    def next(self) -> bool:
        """Wait for work and do it, in the thread itself; False at the end."""
        self._work.acquire()
        if self._job is None:
            return False
        function, arguments, first, last = self._job
        try:
            function(*arguments, first, last)
        except BaseException as error:  # the calling thread raises it
            self._failure = error
        self._job = None
        self._done.release()
        return True


def _serve(member: _Member) -> None:
    while member.next():
        pass


def shares(costs: np.ndarray, count: int) -> np.ndarray:
    """Bounds of `count` runs of pieces of about equal cost, (count + 1,)."""
    total = np.concatenate([[0.0], np.cumsum(costs, dtype=float)])
    middles = 0.5 * (total[:-1] + total[1:])
    inner = np.searchsorted(middles, total[-1] * np.arange(1, count) / count)
    return np.concatenate([[0], inner, [len(costs)]]).astype(np.int64)
