"""Signals that ask a run to stop: at its next step, and at the latest PATIENCE later even where a step takes long.

Part of `running`.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from llgnegf.run.progress import Progress

PATIENCE = 1.5
"""Seconds after SIGTERM that a step may last before the process ends within it."""
EXIT_STOPPED = 130

log = logging.getLogger("llgnegf.store")


class StopSignals:
    """While it lasts, the first SIGTERM or SIGINT sets `received`; the second acts as it did before.

    Python hears of a signal when the compiled code that it is in returns, and the compiler may be that code for many
    seconds. What is committed is whole at any moment: a thread ends the process PATIENCE after a SIGTERM that was not
    followed, though not within a commit. In threads other than the main one nothing is done.

    Attributes:
        received: Whether to stop.
        committing: Whether a commit is being written; set by whoever does.
    """

    def __init__(self, folder: Path) -> None:
        self.received = self.committing = False
        self._folder = folder
        self._previous: dict[int, Any] = {}
        self._left = threading.Event()
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                previous = signal.getsignal(number)
                # An ignored signal (a job started with nohup, or in the background) stays ignored.
                if previous is not None and previous is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._receive)
            if signal.SIGTERM in self._previous:
                self._watch()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        self._put_back()
        if self._pipe is not None:
            signal.set_wakeup_fd(-1)
            os.close(self._pipe[1])  # the thread reads the end of it

    def heeding(self, progress: Progress) -> Progress:
        """`progress`; a KeyboardInterrupt raised in it, somebody's own function, stops as a signal does."""

        def report(done: float, total: float, text: str) -> None:
            try:
                progress(done, total, text)
            except KeyboardInterrupt:
                if self.received:  # the second Ctrl-C
                    raise
                self._receive(signal.SIGINT, None)

        return report

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        self._put_back()

    def _put_back(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _watch(self) -> None:
        """Have the numbers of signals written to a pipe, as they come, and a thread read them."""
        read, write = os.pipe()
        os.set_blocking(write, False)
        other = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        if other != -1:  # an event loop's, say
            signal.set_wakeup_fd(other)
            os.close(read)
            os.close(write)
            return
        self._pipe = read, write
        threading.Thread(target=self._read, args=(read,), daemon=True).start()

    def _read(self, pipe: int) -> None:
        while number := os.read(pipe, 1):
            if number[0] == signal.SIGTERM and not self._left.wait(PATIENCE):
                self._end()
        os.close(pipe)

    def _end(self) -> None:
        while self.committing and not self._left.wait(0.1):
            pass
        if not self._left.wait(0.1):
            log.warning("%s: stopped within a step; the rows committed before it are saved", self._folder)
            os._exit(EXIT_STOPPED)
