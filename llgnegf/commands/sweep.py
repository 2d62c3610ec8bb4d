"""llgnegf sweep FILE.toml"""

from __future__ import annotations

import argparse
from pathlib import Path

from llgnegf.commands.ending import EXIT_OK, EXIT_STOPPED, say
from llgnegf.commands.run import default_folder
from llgnegf.config import RunConfig
from llgnegf.sweep import run_sweep
from llgnegf.sweep.run import RESULT


def main(given: argparse.Namespace) -> int:
    """Run every point of [sweep]."""
    config = RunConfig.load(given.file)
    folder = Path(given.output or default_folder(given.file))
    try:
        dataset = run_sweep(config, folder, workers=given.workers, progress=not given.quiet)
    except KeyboardInterrupt:
        say(f"{folder}: stopped; committed rows are saved", "next: the same command, which goes on")
        return EXIT_STOPPED
    sizes = ", ".join(f"{name} = {size}" for name, size in dataset.sizes.items())
    result = folder / RESULT
    say(f"{result}: {sizes}", f'next: xarray.open_dataset("{result}")', quiet=given.quiet)
    return EXIT_OK
