"""The live page: a server for this machine alone, whose address holds a random token, and which only reads.

The token is the first part of every path, of the websocket too: what does not begin with it is not found.
"""

from __future__ import annotations

import logging
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

from bokeh.document import Document
from bokeh.server.server import Server
from tornado.ioloop import IOLoop

from llgnegf.view.folder import Follower
from llgnegf.view.page import Page

ADDRESS, PORTS = "127.0.0.1", range(5006, 5106)
"""Where the page is, and the ports that are tried if none is asked for."""
LOOK_MS = 400
"""Between two looks of an open page at what the follower has read."""


def serve(path: Path, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve the page of the folder `path` until SIGINT or SIGTERM.

    Args:
        path: The folder.
        port: None takes a free one.
        ready: Called with the address of the page.

    Raises:
        ValueError: If the port is taken.
    """
    follower, token = Follower(path), secrets.token_urlsafe(24)
    follower.look()
    follower.start()

    def page(document: Document) -> None:
        shown = Page(document, follower.state, path.resolve().name, live=True)
        document.add_periodic_callback(lambda: shown.show(follower.state), LOOK_MS)

    logging.getLogger("tornado.access").setLevel(logging.ERROR)  # who is turned away is no news
    server = _server(page, token, port)
    server.start()
    loop = IOLoop.current()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.add_callback_from_signal(loop.stop))
    ready(f"http://{ADDRESS}:{server.port}/{token}/")
    loop.start()
    server.stop()


def _server(page: Callable[[Document], None], token: str, port: int | None) -> Server:
    for candidate in PORTS if port is None else (port,):
        hosts = [f"{name}:{candidate}" for name in (ADDRESS, "localhost")]
        try:
            return Server({"/": page}, port=candidate, address=ADDRESS, prefix=token, allow_websocket_origin=hosts)
        except OSError:
            continue
    tried = f"{PORTS[0]} to {PORTS[-1]} are" if port is None else f"{port} is"
    raise ValueError(f"port: {tried} in use or not permitted; allowed: another one with --port")
