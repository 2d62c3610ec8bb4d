"""llgnegf view DIR: a page that follows a run; and what it shares with `report`."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from importlib.util import find_spec
from pathlib import Path

from llgnegf.commands.ending import EXIT_OK, say


def main(given: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    check_installed()
    from llgnegf.view.folder import read
    from llgnegf.view.server import serve

    folder = Path(given.folder)
    read(folder)

    def ready(url: str) -> None:
        say(url, "Ctrl-C ends it.")
        if not given.no_browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    serve(folder, given.port, ready)
    return EXIT_OK


def check_installed() -> None:
    """Raises ValueError in one line without what draws the pages."""
    if find_spec("bokeh") is None:
        raise ValueError('bokeh is not installed, which draws the page; install it: pip install "llgnegf[view]"')


def _has_screen() -> bool:
    """Whether a browser would be a window; one within the terminal would take it."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
