"""A page as one file, which needs neither a server nor a network."""

from __future__ import annotations

from pathlib import Path

from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.resources import INLINE

from llgnegf.view.folder import read
from llgnegf.view.page import TEMPLATE, Page


def report_html(path: Path) -> str:
    """The page of the folder `path`; raises ValueError and StorageError as `read`, ValueError before the first row."""
    state = read(path)
    if state.content is None or not state.content.rows.size:
        raise ValueError(f"folder: {path} holds no rows yet; allowed: a run with rows")
    document = Document()
    name = path.resolve().name
    Page(document, state, name, live=False)
    return file_html(document, INLINE, f"{name} - llgnegf", template=TEMPLATE, suppress_callback_warning=True)
