"""llgnegf rerun DIR: reproduces the stored result from the folder's input alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llgnegf.commands.ending import EXIT_FAILURE, EXIT_OK, say
from llgnegf.commands.run import completed, started
from llgnegf.config import ConfigError, RunConfig
from llgnegf.store import RunFolder

if TYPE_CHECKING:
    import xarray


def main(given: argparse.Namespace) -> int:
    """Run the stored input again, and compare."""
    first = RunFolder.open(given.folder)
    if not first.finished:
        raise ConfigError([f"{given.folder}: is not finished; allowed: a finished run (llgnegf resume {given.folder})"])
    config = RunConfig.loads(first.config_text)
    second, simulation = started(Path(given.output or f"{Path(given.folder)}-rerun"), config)
    code = completed(second, config, given.quiet, report=False, simulation=simulation)
    if code != EXIT_OK:
        return code
    with first.dataset() as old, second.dataset() as new:
        lines = list(_comparison(old, new))
    if lines:
        say(f"{second.path}: differs from {first.path}", *(f"  {line}" for line in lines))
        return EXIT_FAILURE
    say(f"{second.path}: every array is bit for bit that of {first.path}", quiet=given.quiet)
    return EXIT_OK


def _comparison(old: xarray.Dataset, new: xarray.Dataset) -> Iterator[str]:
    """A line for each array of `old` that `new` has not, bit for bit."""
    for name in sorted({*map(str, old.variables), *map(str, new.variables)}):
        if name not in old.variables or name not in new.variables:
            yield f"{name}: in one of the two only"
            continue
        a, b = old[name].values, new[name].values
        if a.shape != b.shape:
            yield f"{name}: shape {b.shape} instead of {a.shape}"
        elif a.tobytes() != b.tobytes() and a.dtype.kind == "f":
            yield f"{name}: differs by up to {np.nanmax(np.abs(a - b)):.3g}"
        elif a.dtype.kind != "f" and not np.array_equal(a, b):
            yield f"{name}: differs"
