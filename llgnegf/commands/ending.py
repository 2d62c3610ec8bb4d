"""How a command ends: its exit code, and every error in one line without a traceback."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llgnegf._processes import THREAD_VARIABLES

EXIT_OK, EXIT_FAILURE, EXIT_BAD_INPUT, EXIT_STOPPED = 0, 1, 2, 130


def ended(command: Callable[[], int]) -> int:
    """The exit code of `command`; its errors are printed (and raised, if LLGNEGF_DEBUG is set)."""
    try:
        _check_thread_variables()
        with _warnings_in_one_line():
            return command()
    except KeyboardInterrupt:
        return _complain(["stopped; nothing more was saved"], EXIT_STOPPED)
    except Exception as error:
        if os.environ.get("LLGNEGF_DEBUG"):
            raise
        return _complain(*_worded(error))


def open_standard_streams() -> None:
    """Give streams that the caller closed to /dev/null: the next file opened would become standard error otherwise."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def say(*lines: object, quiet: bool = False) -> None:
    """Print lines; a reader of a pipe that has seen enough changes neither what is done nor the exit code."""
    if quiet:
        return
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_thread_variables() -> None:
    """Refuse numbers of threads that the libraries cannot take, and stop at without a word of where it comes from."""
    given = {name: os.environ.get(name, "") for name in THREAD_VARIABLES}
    lines = [
        f"{name}: {text!r} in the environment; allowed: a whole number >= 1, or not set"
        for name, text in given.items()
        if text and not all(part.strip().isdecimal() and int(part) > 0 for part in text.split(","))
    ]
    if lines:
        raise ValueError("\n".join(lines))


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Doubts about an input or a result on one line each, and once for each command; others as Python shows them."""
    from llgnegf.problem.plausibility import SuspiciousValueWarning
    from llgnegf.run.error_budget import AccuracyWarning

    seen: set[str] = set()
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, SuspiciousValueWarning | AccuracyWarning):
            usual(message, category, *where, **more)
        elif str(message) not in seen:
            seen.add(str(message))
            print(f"warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _worded(error: Exception) -> tuple[list[str], int]:
    """Lines and exit code for an error."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, ValueError):
        return text.splitlines(), EXIT_BAD_INPUT
    line = " ".join(text.split())
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        cause = " ".join((error.strerror or line).split())  # HDF5 spreads its reasons over several lines
        line = f"{where}{cause}" + ("" if error.errno is None else f" (errno {error.errno})")
    elif isinstance(error, MemoryError):
        line = f"not enough memory: {line}"
    elif not isinstance(error, RuntimeError):
        line = f"{type(error).__name__}: {line} (LLGNEGF_DEBUG=1 shows where)"
    return [line], EXIT_FAILURE


def _complain(lines: Sequence[str], code: int) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return code
