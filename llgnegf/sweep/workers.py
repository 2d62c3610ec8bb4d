"""The processes of a sweep: each runs one point after the other, and ends with its parent.

Not a pool of concurrent.futures: that one loses all points when a process is killed, and cannot say whose it was.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from llgnegf import _processes

ATTEMPTS = 2
"""Times that a job is begun before the death of its process counts as its failure."""
FALSE_STARTS = 3
"""Processes in a row that die before they can work: then something else is wrong."""
Job = tuple[Any, ...]
Work = Callable[..., Any]


class WorkersFailed(RuntimeError):
    """No process could be started, or none of a cluster is left."""


@dataclass(frozen=True)
class Killed:
    """The outcome of a job whose process died; `how` says of what."""

    how: str


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    ready: bool = False
    job: int | None = None


class WorkerPool:
    """`count` processes that call `work(*job)`, a function that returns and does not raise."""

    def __init__(self, work: Work, count: int) -> None:
        self.work, self.count = work, count
        self._workers: list[_Worker] = []
        self._waiting: deque[int] = deque()
        self._attempts: list[int] = []
        self._false_starts = 0

    def outcomes(self, jobs: Sequence[Job]) -> Generator[tuple[int, Any], None, None]:
        """Number and outcome of each job as they end: what `work` returned, or `Killed`.

        A job whose process dies begins again in a new one; the others are not concerned.

        Raises:
            WorkersFailed: If the processes die before they can work.
        """
        self._waiting, self._attempts = deque(range(len(jobs))), [0] * len(jobs)
        try:
            while self._waiting or self._busy():
                self._employ(jobs)
                for worker in self._reporting():
                    number = worker.job
                    alive, outcome = _received(worker)
                    if not alive:
                        outcome = self._after_death(worker)
                    elif not worker.ready:
                        worker.ready, self._false_starts = True, 0
                        continue
                    worker.job = None
                    if number is not None and number not in self._waiting:
                        yield number, outcome
        finally:
            self.close()

    def close(self) -> None:
        """End the processes: those at work commit their runs first, if that takes no longer than GRACE."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.pipe.close()
            worker.process.terminate()
        deadline = time.monotonic() + _processes.GRACE
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.process.kill()
            worker.process.join()

    def _busy(self) -> int:
        return sum(worker.job is not None for worker in self._workers)

    def _employ(self, jobs: Sequence[Job]) -> None:
        """Start as many processes as there is work for, and give a job to each that is ready for one."""
        for _ in range(min(self.count, self._busy() + len(self._waiting)) - len(self._workers)):
            self._workers.append(self._started())
        for worker in self._workers:
            if worker.ready and worker.job is None and self._waiting:
                worker.job = self._waiting.popleft()
                self._attempts[worker.job] += 1
                with suppress(OSError):  # a process that has died is noticed when it reports
                    worker.pipe.send(jobs[worker.job])

    def _started(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.work, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _reporting(self) -> list[_Worker]:
        ready = wait([worker.pipe for worker in self._workers])
        return [worker for worker in self._workers if worker.pipe in ready]

    def _after_death(self, worker: _Worker) -> Killed:
        """Have another process take the job up, unless it had its attempts."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        self._false_starts += not worker.ready
        cause = _cause_of_death(worker.process)
        if self._false_starts >= FALSE_STARTS:
            raise WorkersFailed(
                f"{FALSE_STARTS} processes ended before they could work ({cause}); a script that starts processes "
                'needs if __name__ == "__main__":'
            )
        if worker.job is not None and self._attempts[worker.job] < ATTEMPTS:
            self._waiting.appendleft(worker.job)
        return Killed(cause)


def _received(worker: _Worker) -> tuple[bool, Any]:
    """Whether the process lives, and what it says."""
    try:
        return True, worker.pipe.recv()
    except (EOFError, OSError):
        return False, None


def _cause_of_death(process: Any) -> str:
    code = process.exitcode
    if code is not None and code < 0:
        advice = "; out of memory?" if code == -signal.SIGKILL else ""
        return f"its process was killed by {signal.Signals(-code).name}{advice}"
    return f"its process ended with exit code {code}"


def _serve(pipe: Connection, work: Work, parent: int) -> None:
    """What a process does: the jobs from the pipe, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent says when to stop
    _processes.end_with_parent(parent)
    with suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            pipe.send(work(*pipe.recv()))


def stop_signals_interrupt() -> AbstractContextManager[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread, as SIGINT does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # An ignored signal (a job started with nohup) stays ignored.
    return _processes.stop_signals_to(interrupt, (signal.SIG_DFL, signal.default_int_handler).__contains__)
