"""llgnegf show DIR"""

from __future__ import annotations

import argparse

from llgnegf.commands.ending import EXIT_OK, say
from llgnegf.commands.summary import status_lines
from llgnegf.store import RunFolder


def main(given: argparse.Namespace) -> int:
    """Say what a run is."""
    say(*status_lines(RunFolder.open(given.folder)))
    return EXIT_OK
