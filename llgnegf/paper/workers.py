"""Run the points of a figure, each on its own, in this process or in several.

The figures' `data` functions take the `Mapper` this gives and know nothing of processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from llgnegf._processes import end_with_parent, one_thread_each

Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""(function, arguments) -> its values in the same order."""


@contextmanager
def mapper(workers: int) -> Iterator[Mapper]:
    """A `Mapper` over `workers` processes; over none if it is 1."""
    if workers == 1:
        yield lambda function, arguments: [function(a) for a in arguments]
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent, (os.getpid(),))
    with one_thread_each(), pool:
        yield lambda function, arguments: list(pool.map(function, arguments))
