"""One BLAS thread for small matrices, the number that the user has set for large ones.

Stands below every module that computes; each entry point (start, rows and error budget of a run, `relax`, the rotating
frame, the response tensors) is limited once, none of the inner loops.

Two threads gain at most a factor of two on free cores. Where other processes run, BLAS threads wait for one another
in a loop, and each of the many small operations takes as long as the scheduler lets a thread rest. With two threads on
two busy cores linear equations of 160 rows took 86 times, of 320 rows 12 times, eigenvectors of 480 rows 7 times as
long as with one, the set-up of an 80-site device 4 to 6 times (`validation/blas_threads.py`). The gain reaches its
factor of two at 640 rows, where one operation is also long beside a rest: LARGEST_SERIAL lies below.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

LARGEST_SERIAL = 512
"""Rows of the largest matrices (2N for N sites) that are left to one thread."""


def one_thread_if_small(system: Any) -> AbstractContextManager[None]:
    """Limits BLAS to one thread meanwhile if the `OpenSystem` is small; None, moments alone, is."""
    return _ONE_THREAD if (_rows(system) or 0) <= LARGEST_SERIAL else nullcontext()


def one_thread(system: Any) -> AbstractContextManager[None]:
    """Limits BLAS to one thread meanwhile, whatever the system: for what must not depend on how many there are, as the
    last bits of BLAS do."""
    return _ONE_THREAD


def limited(function: Callable[P, R]) -> Callable[P, R]:
    """`function` with `one_thread_if_small` of the first open system among its arguments or their `system`."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        candidates = (s for a in (*args, *kwargs.values()) for s in (a, getattr(a, "system", None)))
        with one_thread_if_small(next((s for s in candidates if _rows(s) is not None), None)):
            return function(*args, **kwargs)

    return wrapped


def _rows(value: Any) -> int | None:
    """Rows of the Hamiltonian of an open system; None for anything else."""
    hamiltonian = getattr(getattr(value, "electrons", None), "hamiltonian", None)
    return None if hamiltonian is None else int(hamiltonian.shape[0])


class _OneThread(AbstractContextManager[None]):
    """Entered any number of times, by any thread: the first sets the limit, the last to leave puts back what was."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._before: list[tuple[Any, int]] = []

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                counts = [(library, library.get_num_threads()) for library in _libraries()]
                self._before = [(library, count) for library, count in counts if count != 1]
                for library, _ in self._before:
                    library.set_num_threads(1)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for library, count in self._before:
                    library.set_num_threads(count)


_ONE_THREAD = _OneThread()


@cache
def _libraries() -> list[Any]:
    """The BLAS of NumPy and of SciPy, which numba calls too; finding them takes a millisecond, so once. They are asked
    directly: a `threadpoolctl.threadpool_limits` for each row would be a good part of a small one."""
    import numpy.linalg  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
