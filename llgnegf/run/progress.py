"""Progress of what takes long: a bar on a terminal, lines with percentages in a log, or a call of one's own function.

`simulate`, `relax`, `run_sweep` and the commands show it through `shown`; what they call has no idea where it goes.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Progress = Callable[[float, float, str], None]
"""Called with what is done, the total (0 if unknown) and what is being done at the moment."""
ALLOWED = "True, False, or a function of (done, total, text)"
LINE_S, LINE_SHARE, LONGEST_S = 5.0, 0.05, 600.0
"""A log gets no line in the first LINE_S seconds nor within LINE_S of the last one; then one with each new stage, each
LINE_SHARE of the whole, and at least every LONGEST_S seconds."""


def silent(done: float, total: float, text: str) -> None:
    """Shows nothing."""


@contextmanager
def shown(progress: bool | Callable[..., None] | None, unit: str) -> Iterator[Progress]:
    """Where progress goes that was asked for with `progress`.

    Args:
        progress: True shows a bar on a terminal and lines on stderr elsewhere; False and None show nothing; a function
            is called with (done, total, text), or with (done, total) if it takes no more.
        unit: Of `done` and `total`.

    Raises:
        ValueError: For anything else.
    """
    if progress is None or progress is False:
        yield silent
    elif callable(progress):
        yield _of_three(progress)
    elif progress is not True:
        raise ValueError(f"progress: {progress!r}; allowed: {ALLOWED}")
    elif sys.stderr is not None and sys.stderr.isatty():
        with _bar(unit) as bar:
            yield bar
    else:
        with _Lines(unit) as lines:
            yield lines


def reporting(unit: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function whose argument `progress` is as for `shown`, and in whose body it is a `Progress`."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            with shown(kwargs.pop("progress", False), unit) as report:  # type: ignore[arg-type]
                return function(*args, **{**kwargs, "progress": report})  # type: ignore[arg-type]

        return wrapped

    return decorate


def _of_three(function: Callable[..., None]) -> Progress:
    """`function` as one of three arguments, though it may take the first two only."""
    try:
        inspect.signature(function).bind(0.0, 0.0, "")
    except TypeError:
        return lambda done, total, text: function(done, total)
    except ValueError:  # a builtin without a signature
        pass
    return function


@contextmanager
def _bar(unit: str) -> Iterator[Progress]:
    """A bar with stage, amount, rate and time left; both are those of the present stage."""
    from tqdm import tqdm

    form = "{desc} {percentage:3.0f}%|{bar}| {n:.4g}/{total:.4g} {unit} [{elapsed} < {remaining}, {rate_fmt}]"
    with tqdm(total=1.0, unit=unit, bar_format=form, dynamic_ncols=True, file=sys.stderr) as bar:
        stage: list[str] = []

        def update(done: float, total: float, text: str) -> None:
            if stage != [text]:
                stage[:] = [text]
                bar.reset(total)
                bar.initial = bar.n = done
                bar.set_description_str(text)
            bar.update(done - bar.n)

        yield update


class _Lines:
    """Lines on stderr; a thread sees to it that a long stage in which nothing is reported shows too."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._now: tuple[float, float, str] | None = None
        self._printed_stage, self._printed_at = ("", 0), time.monotonic()
        self._stage_began, self._stage_from = self._printed_at, 0.0
        self._watch = threading.Thread(target=self._watched, daemon=True)

    def __enter__(self) -> _Lines:
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._watch.join()

    def __call__(self, done: float, total: float, text: str) -> None:
        with self._lock:
            if self._now is None or self._now[2] != text:
                self._stage_began, self._stage_from = time.monotonic(), done
            self._now = (done, total, text)
            self._print_if_due()

    def _watched(self) -> None:
        while not self._ended.wait(0.2 * LINE_S):
            with self._lock:
                self._print_if_due()

    def _print_if_due(self) -> None:
        waited = time.monotonic() - self._printed_at
        if self._now is None or waited < LINE_S:
            return
        done, total, text = self._now
        stage = text, int(done / total / LINE_SHARE + 1e-9) if total else 0
        if stage != self._printed_stage or waited >= LONGEST_S:
            print(self._line(done, total, text), file=sys.stderr, flush=True)
            self._printed_stage, self._printed_at = stage, time.monotonic()

    def _line(self, done: float, total: float, text: str) -> str:
        spent = time.monotonic() - self._stage_began
        times = f"{spent:.0f} s"
        if done > self._stage_from:
            times += f", {spent * (total - done) / (done - self._stage_from):.0f} s left"
        amount = f" {100 * done / total:.0f} %, {done:.4g} of {total:.4g} {self._unit}" if total else ""
        return f"llgnegf: {text}{amount} ({times})"


@contextmanager
def keeping(partial: Callable[[], Any], what: str) -> Iterator[None]:
    """What stops the body (a mistake, Ctrl-C) carries `partial()`, if that can be had, as its attribute `result`."""
    try:
        yield
    except BaseException as error:
        with suppress(Exception):  # a full disk, say: what stopped the body says more
            error.result = partial()  # type: ignore[attr-defined]
            error.add_note(f"{what} so far: the attribute `result` of this exception")
        raise
