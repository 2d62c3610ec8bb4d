"""llgnegf figure NAME"""

from __future__ import annotations

import argparse
from pathlib import Path

from llgnegf import paper
from llgnegf.commands.ending import EXIT_OK, say
from llgnegf.config import ConfigError
from llgnegf.run.progress import shown


def main(given: argparse.Namespace) -> int:
    """Make a figure of the paper, or all of them."""
    names = [*paper.NAMES, "all"]
    if given.list:
        say(*names)
        return EXIT_OK
    if given.name not in names:
        wrong = "missing" if given.name is None else repr(given.name)
        raise ConfigError([f"figure: {wrong}; allowed: {', '.join(names)}"])
    chosen = paper.NAMES if given.name == "all" else (given.name,)
    with shown(True, "figures") as progress:
        for k, name in enumerate(chosen):
            progress(k, len(chosen), f"computing {name}")
            say(*paper.make(name, Path(given.output or "figures")))
    return EXIT_OK
