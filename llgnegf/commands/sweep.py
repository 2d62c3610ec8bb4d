"""llgnegf sweep FILE.toml"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from llgnegf.commands.ending import EXIT_OK, EXIT_STOPPED, say
from llgnegf.commands.run import default_folder
from llgnegf.config import ConfigError, RunConfig
from llgnegf.sweep import run_sweep
from llgnegf.sweep.run import RESULT


def main(given: argparse.Namespace) -> int:
    """Run every point of [sweep]."""
    config = RunConfig.load(given.file)
    folder = Path(given.output or default_folder(given.file))
    try:
        with _executor(given.dask) as executor:
            dataset = run_sweep(config, folder, executor, workers=given.workers, progress=not given.quiet)
    except KeyboardInterrupt:
        say(f"{folder}: stopped; committed rows are saved", "next: the same command, which goes on")
        return EXIT_STOPPED
    sizes = ", ".join(f"{name} = {size}" for name, size in dataset.sizes.items())
    result = folder / RESULT
    say(f"{result}: {sizes}", f'next: xarray.open_dataset("{result}")', quiet=given.quiet)
    return EXIT_OK


@contextmanager
def _executor(address: str | None) -> Iterator[Executor | None]:
    """That of the dask cluster at `address`; None for processes on this machine."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError(["--dask: needs dask.distributed; allowed: pip install 'llgnegf[dask]'"]) from None
    with Client(address) as client:
        yield client.get_executor()
