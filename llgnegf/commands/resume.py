"""llgnegf resume DIR"""

from __future__ import annotations

import argparse

from llgnegf.commands.run import completed
from llgnegf.config import RunConfig
from llgnegf.store import RunFolder


def main(given: argparse.Namespace) -> int:
    """Go on with a run from its last commit."""
    folder = RunFolder.open(given.folder)
    folder.check_same_input()
    return completed(folder, RunConfig.loads(folder.config_text), given.quiet, force=given.force)
