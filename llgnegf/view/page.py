"""The models of a page, the same for a live page and for a file: pictures, curves, texts, and what moves them.

`Page.show` brings new rows to a page that is open, and sends those alone.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.events import ConnectionLost, DocumentReady
from bokeh.models import (
    Button,
    Column,
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    DataRange1d,
    Div,
    Row,
    Select,
    Slider,
)

from llgnegf.plots.style import ROUND_OFF
from llgnegf.run.result_text import error_rows
from llgnegf.view.content import Content, Panel
from llgnegf.view.curves import HIGH, LOW, add_curves, new_figure
from llgnegf.view.folder import State
from llgnegf.view.picture import PictureModels

HERE = Path(__file__).parent
TEMPLATE = (HERE / "page.html").read_text()
TEXT_STYLE = (HERE / "text.css").read_text()
PLAY = (HERE / "play.js").read_text()
TIME = "const t = frames.data.time[Math.round(tick)]; return t === undefined ? '' : Number(t.toPrecision(6)) + ' fs'"
CURSOR = """
cursor.data.time = [frames.data.time[Math.min(slider.value, frames.data.time.length - 1)]]
cursor.change.emit()
"""
CHOOSE = "for (const [glyph, name, columns] of chosen) glyph[name] = {field: columns[select.value]}"
LOST = """
const said = "The connection to llgnegf view was lost. If nothing comes any more, start the command again."
if (!head.text.includes(said)) head.text += `<p class="complaint" role="alert">${said}</p>`
"""
NO_ROWS = "No row is committed yet; they will be shown as they come."


class Page:
    """A page of one run in one document.

    Args:
        document: Where the models go.
        state: What is shown first.
        name: Of the folder.
        live: Whether `show` will bring more.
    """

    def __init__(self, document: Document, state: State, name: str, live: bool) -> None:
        self._name, self._live = name, live
        self._shown: Content | None = None
        self._head = Div(name="head", **_text_options())
        self._head.js_on_change("tags", CustomJS(code="location.reload()"))
        self._texts = Div(name="texts", **_text_options())
        document.title, document.template = f"{name} - llgnegf", TEMPLATE
        document.js_on_event(ConnectionLost, CustomJS(args={"head": self._head}, code=LOST))
        document.add_root(self._head)
        if state.content is not None:
            self._build(document, state.content)
        self.show(state)

    def show(self, state: State) -> None:
        """Bring `state` to the page: texts, and the rows that it lacks; what has another structure loads it anew."""
        self._head.text = _head(self._name, state, self._live)
        new, old = state.content, self._shown
        if new is None or new is old:
            return
        if old is None or _structure(new) != self._structure:
            self._head.tags = ["another structure"]
            return
        _bring(self._curves, old.rows, new.rows, _columns(new), 1)
        units: dict[str, np.ndarray] = {}
        for name, models in self._pictures.items():
            numbers, units[name] = models.numbers(new.pictures[name])
            _bring(models.flat, old.frames, new.frames, {"value": numbers}, models.block)
            models.set_bounds(new.pictures[name])
        _bring(self._frames, old.frames, new.frames, {"time": new.frame_time, **units}, 1)
        follows, last = self._slider.value >= len(old.frames) - 1, len(new.frames) - 1
        self._slider.update(end=max(1, last), disabled=last < 1)
        if follows:
            self._slider.value = last
        self._texts.text = _texts(new)
        self._shown = new

    def _build(self, document: Document, content: Content) -> None:
        """All models, without a row."""
        self._structure = _structure(content)
        self._frames = ColumnDataSource({"time": np.zeros(0), **{name: np.zeros(0) for name in content.pictures}})
        self._curves = ColumnDataSource({name: values[:0] for name, values in _columns(content).items()})
        self._cursor = ColumnDataSource({"time": [0.0]})
        self._slider: Any = Slider(
            start=0, end=1, step=1, value=0, title="time", sizing_mode="stretch_width", min_width=100,
            format=CustomJSTickFormatter(args={"frames": self._frames}, code=TIME),
        )  # fmt: skip
        self._pictures = {
            name: PictureModels(picture, self._frames, self._slider) for name, picture in content.pictures.items()
        }
        document.add_root(self._controls(document))
        for block in (block for models in self._pictures.values() for block in models.figures):
            document.add_root(_block(*block))
        for block in self._panels(content.panels):
            document.add_root(block)
        document.add_root(self._texts)
        nothing = np.zeros(0, int)
        self._shown = Content(nothing, np.zeros(0), nothing, np.zeros(0), {}, {}, ())

    def _controls(self, document: Document) -> Row:
        button = Button(label="Play", width=80, align="end")
        button.js_on_click(CustomJS(args={"button": button, "slider": self._slider, "frames": self._frames}, code=PLAY))
        arguments = {"cursor": self._cursor, "frames": self._frames, "slider": self._slider}
        cursor = CustomJS(args=arguments, code=CURSOR)
        self._slider.js_on_change("value", cursor)
        document.js_on_event(DocumentReady, cursor, *(models.script for models in self._pictures.values()))
        return Row(button, self._slider, name="controls", sizing_mode="stretch_width")

    def _panels(self, panels: Mapping[str, Panel]) -> list[Any]:
        """Curves over time, and where some can be chosen what does so."""
        across = DataRange1d(range_padding=0.02)
        scales = {panel.scale: DataRange1d() for panel in panels.values()}
        choices: list[str] = []
        chosen, blocks = [], []
        for name, panel in panels.items():
            plot = new_figure("time (fs)", panel.units, x_range=across, y_range=scales[panel.scale])
            plot.vspan("time", source=self._cursor, color="#777777", line_width=1.5)
            first = next(iter(panel.curves))
            columns = {c: _key(name, first, c) for c in panel.curves[first]}
            drawn = add_curves(plot, self._curves, "time", columns, bands=bool(panel.errors))
            if len(panel.curves) > 1:
                choices = list(panel.curves)
                chosen += [
                    (glyph, field, {choice: _key(name, choice, c) + edge for choice in choices})
                    for c, changed in zip(columns, drawn, strict=True) for glyph, field, edge in changed
                ]  # fmt: skip
            blocks.append(_block("panel", panel.text, *panel.explained, plot))
        if not choices:
            return blocks
        select = Select(title="curves of", options=choices, value=choices[0], width=180)
        select.js_on_change("value", CustomJS(args={"chosen": chosen, "select": select}, code=CHOOSE))
        return [Row(select, name="choice", sizing_mode="stretch_width"), *blocks]


def _block(name: str, text: str, *parts: Any) -> Column:
    """Parts of the page below one another, sentences among them, under their heading."""
    children, said = [], f"<h2>{html.escape(text)}</h2>"
    for part in parts:
        if isinstance(part, str):
            said += f"<p>{html.escape(part)}</p>"
        else:
            children += [Div(text=said, **_text_options()), part] if said else [part]
            said = ""
    return Column(*children, name=name, sizing_mode="stretch_width")


def _text_options() -> dict[str, Any]:
    return {"sizing_mode": "stretch_width", "stylesheets": [TEXT_STYLE], "disable_math": True}


def _key(panel: str, choice: str, curve: str) -> str:
    return f"{panel}/{choice}/{curve}"


def _columns(content: Content) -> dict[str, np.ndarray]:
    """All curves, and the edges of the bands about them; round-off alone is shown as zero."""
    columns: dict[str, np.ndarray] = {}
    for name, panel in content.panels.items():
        for choice, curves in panel.curves.items():
            for curve, values in curves.items():
                key = _key(name, choice, curve)
                columns[key] = values
                if panel.errors:
                    error = panel.errors[choice, curve]
                    columns |= {key + LOW: values - error, key + HIGH: values + error}
    shown = {key: np.where(np.abs(values) <= ROUND_OFF, 0.0, values) for key, values in columns.items()}
    return {"time": content.time, **{key: values.astype(np.float32) for key, values in shown.items()}}


def _structure(content: Content) -> Any:
    """What a page is made for; pages show any number of rows of it."""
    pictures = {name: (picture.values.shape[1:], picture.text) for name, picture in content.pictures.items()}
    return content.input, pictures, list(_columns(content))


def _bring(
    source: ColumnDataSource, old: np.ndarray, new: np.ndarray, columns: dict[str, np.ndarray], width: int
) -> None:
    """Rows `new`, `width` numbers each, to a source with the rows `old`: what follows them, or all."""
    if not np.array_equal(new[: len(old)], old) or not len(old):
        source.data = columns
    elif len(new) > len(old):
        source.stream({name: values[len(old) * width :] for name, values in columns.items()})


def _head(name: str, state: State, live: bool) -> str:
    parts = [f"<h1>{html.escape(name)}</h1>"]
    if state.about:
        parts.append(f"<p>{html.escape(state.about)}</p>")
    if state.progress:
        bar = f'<progress value="{state.done:.4f}" max="1"></progress> ' if live else ""
        parts.append(f'<p class="progress">{bar}{html.escape(state.progress)}</p>')
    if state.complaint:
        parts.append(f'<p class="complaint" role="alert">{html.escape(state.complaint)}</p>')
    elif state.content is None:
        parts.append(f"<p>{NO_ROWS}</p>")
    return "".join(parts)


def _texts(content: Content) -> str:
    """Error budget, notes, input and origin."""
    parts = []
    if content.errors:
        parts.append(f"<h2>Error budget</h2>{_table(error_rows(content.errors))}")
    if content.notes:
        parts.append("".join(f"<p>{html.escape(note)}</p>" for note in content.notes))
    if content.input:
        parts.append(f"<details><summary>Input</summary><pre>{html.escape(content.input)}</pre></details>")
    if content.origin:
        parts.append(f"<details><summary>Provenance</summary>{_table(content.origin.items())}</details>")
    return "".join(parts)


def _table(rows: Any) -> str:
    cells = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
