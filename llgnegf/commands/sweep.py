"""llgnegf sweep FILE.toml"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llgnegf.commands.ending import EXIT_OK, EXIT_STOPPED, say
from llgnegf.commands.run import default_folder
from llgnegf.config import ConfigError, RunConfig
from llgnegf.sweep import run_sweep
from llgnegf.sweep.run import RESULT
from llgnegf.sweep.workers import WorkersFailed

CONNECT_S = 30.0
"""Seconds in which a scheduler has to answer."""


def main(given: argparse.Namespace) -> int:
    """Run every point of [sweep]."""
    config = RunConfig.load(given.file)
    folder = Path(given.output or default_folder(given.file))
    try:
        with _client(given.scheduler) as client:
            progress = not given.quiet
            dataset = run_sweep(config, folder, client, workers=given.workers, wait=given.wait, progress=progress)
    except KeyboardInterrupt:
        say(f"{folder}: stopped; committed rows are saved", "next: the same command, which goes on")
        return EXIT_STOPPED
    sizes = ", ".join(f"{name} = {size}" for name, size in dataset.sizes.items())
    result = folder / RESULT
    say(f"{result}: {sizes}", f'next: xarray.open_dataset("{result}")', quiet=given.quiet)
    return EXIT_OK


@contextmanager
def _client(address: str | None) -> Iterator[Any]:
    """A client of the dask scheduler at `address`, or of the one that wrote the file of that name; None without one."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError(["--scheduler: needs dask.distributed; allowed: pip install 'llgnegf[dask]'"]) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is lost is said in one line
    where = {"address": address} if "://" in address else {"scheduler_file": address}
    if "scheduler_file" in where and not Path(address).is_file():  # distributed would wait for it without an end
        allowed = "an address such as tcp://host:8786, or the file that a scheduler has written"
        raise ConfigError([f"--scheduler: {address!r}; allowed: {allowed}"])
    try:
        client = Client(**where, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        cause = " ".join(str(error).split())
        raise WorkersFailed(f"--scheduler: {address}: no scheduler answers ({cause})") from None
    with client:
        yield client
