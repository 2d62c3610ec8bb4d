"""llgnegf report DIR: what `view` shows as one file to send to somebody."""

from __future__ import annotations

import argparse
from pathlib import Path

from llgnegf._files import storage_errors, write_atomic
from llgnegf.commands.ending import EXIT_OK, say
from llgnegf.commands.view import check_installed

REPORT = "report.html"
MARK = b'<meta name="generator" content="llgnegf">'
"""In every report: a file with it may be replaced by a newer one."""


def main(given: argparse.Namespace) -> int:
    """Write the file."""
    check_installed()
    from llgnegf.view.file import report_html

    folder = Path(given.folder)
    path = Path(given.output) if given.output else folder / REPORT
    _check_free(path)
    content = report_html(folder).encode()
    with storage_errors(path.parent, "make the folder"):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, [content])
    say(f"{path}  ({len(content) / 1e6:.1f} MB)")
    return EXIT_OK


def _check_free(path: Path) -> None:
    """Refuse to replace anything but an earlier report."""
    with storage_errors(path, "read"):
        if path.is_dir():
            raise ValueError(f"output: {path} is a folder; allowed: the name of a file, such as {path / REPORT}")
        if path.exists() and MARK not in path.read_bytes():
            raise ValueError(f"output: {path} is there and is no report of llgnegf; allowed: another file with -o")
