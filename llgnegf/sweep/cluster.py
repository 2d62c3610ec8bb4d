"""The points of a sweep on a dask cluster: retried where a worker dies, reported where that does not help, never waited
for without an end.

Part of `run`. The scheduler gives a task to another worker when the one that had it is lost, at most as often as its
setting `distributed.scheduler.allowed-failures` says (3, unless told otherwise when it is started). It counts workers
that had the task waiting, too: where a node dies with all its workers, a point that was not begun has another try.
A point is a pure function of its input and its folder and goes on from the last commit. The folder is locked: a worker
that is lost to the scheduler may still run in it, and on another host a lock without a sign of life counts for
`STALE_AFTER_S`. Such a point is begun again every PAUSE_S, until it is finished there or can go on.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf.store.lock import BEAT_S, STALE_AFTER_S
from llgnegf.sweep.workers import ATTEMPTS, Job, Killed, WorkersFailed

if TYPE_CHECKING:
    from distributed import Client, Future

WAIT_S = 600.0
"""Seconds without a single worker after which a sweep gives up, unless it is told how long to wait."""
TOPIC = "llgnegf"
"""Of the events that say which points are begun."""
LOOK_S, POLL_S = 1.0, 0.05
"""Seconds between two looks at whether there are workers, and for points that have ended."""
PAUSE_S = BEAT_S
IN_USE_S = STALE_AFTER_S + 4 * BEAT_S
"""Seconds after which a folder that is still in use is one that somebody else runs in."""


class InUse(str):
    """Why a point failed: another process has its folder."""


class DaskCluster:
    """The workers of a dask scheduler, which call `work(*job, stop_requested)`, a function that does not raise.

    Args:
        client: A connected client.
        work: What is done with a job; returns None, or why it failed.
        wait: Seconds without a single worker, at the start as later, after which they are given up.
    """

    def __init__(self, client: Client, work: Callable[..., Any], wait: float = WAIT_S) -> None:
        self.client, self.work, self.wait = client, work, wait
        self._jobs: Sequence[Job] = ()
        self._numbers: dict[Future, int] = {}
        self._begun: dict[int, str] = {}  # under which name a point says that it is begun
        self._killed: set[int] = set()
        self._paused: deque[tuple[float, int]] = deque()  # when to begin again, the earliest first
        self._in_use: dict[int, float] = {}  # when that was first seen
        self._looked = self._seen = time.monotonic()

    def outcomes(self, jobs: Sequence[Job]) -> Generator[tuple[int, Any], None, None]:
        """Number and outcome of each job as they end; those that have not are stopped when nobody waits any more.

        Raises:
            WorkersFailed: If there is no worker for `wait` seconds, or the connection to the scheduler is lost.
        """
        from distributed import as_completed

        self._jobs, ended = jobs, as_completed(loop=self.client.loop)
        self._seen = time.monotonic()
        try:
            ended.update(self._submitted(number) for number in range(len(jobs)))
            while self._numbers or self._paused:
                for future in ended.next_batch(block=False):
                    number = self._numbers.pop(future)
                    outcome = self._outcome(future)
                    if not self._put_off(number, outcome):
                        yield number, outcome
                while self._paused and self._paused[0][0] <= time.monotonic():
                    ended.add(self._submitted(self._paused.popleft()[1]))
                self._look()
                time.sleep(POLL_S)
        finally:
            with suppress(Exception):  # the scheduler may be gone
                self.client.cancel(list(self._numbers), force=True)

    def _submitted(self, number: int) -> Future:
        job, once = self._jobs[number], uuid.uuid4().hex
        name = self._begun.setdefault(number, f"{Path(job[1]).name}-{once}")
        future = self.client.submit(_on_worker, self.work, job, name, key=f"{name}-{once}", pure=False)
        self._numbers[future] = number
        return future

    def _put_off(self, number: int, outcome: Any) -> bool:
        """Whether a point is to be begun again later: a worker that was lost may still have its folder, or it was only
        waiting at those that died."""
        now = time.monotonic()
        if isinstance(outcome, InUse):
            again = now - self._in_use.setdefault(number, now) < IN_USE_S
        else:
            again = isinstance(outcome, Killed) and number not in self._killed and self._times(number) < ATTEMPTS
            self._killed |= {number} if again else set()
        if again:
            self._paused.append((now + PAUSE_S, number))
        return again

    def _times(self, number: int) -> int:
        """How often a point was begun, as its workers said."""
        return sum(name == self._begun[number] for _, name in self.client.get_events(TOPIC))

    def _look(self) -> None:
        """Once in a while see whether there are workers; raises WorkersFailed if there were none for too long."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        with suppress(OSError, ValueError, RuntimeError):  # no connection
            self._seen = time.monotonic() if self.client.nthreads() else self._seen
        if self._looked - self._seen > self.wait:
            left = len(self._numbers) + len(self._paused)
            raise WorkersFailed(
                f"{self._scheduler}: no worker for {self.wait:g} s, {left} of {len(self._jobs)} runs are left; "
                "start workers and give the same command again, which goes on"
            )

    @property
    def _scheduler(self) -> str:
        return str(getattr(self.client.scheduler, "address", "the scheduler"))

    def _outcome(self, future: Future) -> Any:
        """What the work returned, or in words why it did not."""
        from distributed import KilledWorker

        if future.status == "cancelled":
            lost = "the connection to the scheduler is lost; the same command goes on, with one that runs"
            raise WorkersFailed(f"{self._scheduler}: {lost}")
        try:
            return future.result()
        except KilledWorker as error:
            died = f"{error.allowed_failures + 1} workers that had it died, the last at {error.last_worker.address}"
            return Killed(f"{died}; out of memory?")
        except Exception as error:  # of what surrounds the work: a worker without the package, say
            return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _on_worker(work: Callable[..., Any], job: Job, name: str) -> Any:
    """`work` in a worker of the cluster, with one thread, once it has said so under `name`; it is asked to stop when
    the task is cancelled."""
    from distributed import get_worker
    from threadpoolctl import threadpool_limits

    worker = get_worker()
    key = worker.get_current_task()
    worker.log_event(TOPIC, name)

    def stop_requested() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state != "executing"

    with threadpool_limits(1):
        return work(*job, stop_requested)
