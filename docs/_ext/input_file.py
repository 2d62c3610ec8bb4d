"""The tables and keys of the input file, written into docs/input_file.md when the site is built.

`reference_page` takes the place of the line MARK: a heading for each table and kind, a row with an anchor for each key.
Everything comes from what classes and functions declare of their arguments, as in reading a file.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import llgnegf
from llgnegf.config.fields import DRIVES, Section, plain
from llgnegf.config.schema import Document
from llgnegf.config.sections import SECTIONS
from llgnegf.problem.arguments import Declared, declared

MARK = "<!-- keys -->"
WORDS = {
    "run": "Always there.",
    "lattice": 'Sites in space. Electrons and leads of this lattice have `kind = "lattice"` and `kind = "ribbon"`.',
    "electrons": "The device. A file without this table has moments alone.",
    "term": "What the device has beside hopping and levels: a table for each term; they add up.",
    "lead": "A table for each reservoir.",
    "lead.channel": 'A table for each channel of a lead with `kind = "channels"`.',
    "lead.channel.spectrum": "The self-energy of the channel.",
    "system": "What device and leads share.",
    "texture": "Directions of the moments at t = 0. Always there.",
    "motion": "Moments whose motion is given. A file with neither this table nor [magnet] holds them still.",
    "magnet": "Moments that answer, by the Landau-Lifshitz-Gilbert equation.",
    "energy": "A table for each energy of the moments of [magnet]; they add up.",
    "torque": "A table for each torque on the moments of [magnet] beside that of the electrons; they add up.",
    "sweep": "Many runs of one file, `llgnegf sweep`.",
    "drive": "A table in the place of a number that may be a function of time, as in "
    "`voltage = { kind = \"ramp\", initial = 0.0, final = 0.2, start = 0.0, duration = 10.0 }`.",
}  # fmt: skip


def reference_page() -> str:
    """All tables with their kinds and keys, as Markdown; functions of time last."""
    tables = [(f.name, f.default == ()) for f in fields(Document) if f.name in SECTIONS]
    parts = [part for name, array in tables for part in _table(name, SECTIONS[name], array)]
    return "\n".join([*parts, *_table("drive", DRIVES, False)])


def anchor(table: str, kind: str = "", key: str = "") -> str:
    """Where a table, a kind or a key is on the page."""
    return "-".join(part for part in (*table.split("."), kind, key) if part)


def _table(name: str, section: Section, array: bool) -> Iterator[str]:
    header = "Functions of time" if name == "drive" else f"`[[{name}]]`" if array else f"`[{name}]`"
    yield f"({anchor(name)})=\n## {header}\n\n{WORDS[name]}\n"
    if section.own:
        yield f"A class of your own, a subclass of {_link(section.own)}, has `kind = \"package.module:Class\"`.\n"
    inner: list[Declared] = []
    for kind, make in section.makes.items():
        heading = f'({anchor(name, kind)})=\n### `kind = "{kind}"`\n\n' if kind else ""
        usual = " This kind is meant where none is said." if kind and kind == section.default else ""
        yield f"{heading}{_words(make)}{usual}\n"
        yield ":::{container} keys\n\n| key | value | unit | default | meaning |\n| --- | --- | --- | --- | --- |"
        yield from (_row(name, kind, one) for one in declared(make))
        yield "\n:::\n"
        inner += [one for one in declared(make) if one.argument.tables]
    for one in inner:
        yield from _table(f"{name}.{one.key}", SECTIONS[one.argument.form], one.argument.tables == "many")


def _words(make: Callable[..., Any]) -> str:
    """What a kind is: the first sentence of its docstring, with a link where it has a page of its own."""
    said = inspect.cleandoc(make.__doc__ or "").partition("\n\n")[0]
    first = re.sub(r"^\[+[^:]*: ", "", re.split(r"(?<=[^.]\.)\s", " ".join(said.split()))[0])
    words, link = _text(first[0].upper() + first[1:]), _link(make)
    return f"{words} In Python {link}." if link else words


def _link(make: Callable[..., Any]) -> str:
    name = make.__qualname__
    known = name.partition(".")[0] in llgnegf.__all__
    return f"{{py:obj}}`ln.{name} <llgnegf.{name}>`" if known else ""


def _row(table: str, kind: str, one: Declared) -> str:
    argument, name = one.argument, f"[`{one.key}`]{{#{anchor(table, kind, one.key)}}}"
    if argument.tables:
        brackets = "[[{}]]" if argument.tables == "many" else "[{}]"
        name = f"`{one.key}`"  # the table has the anchor
        allowed = f"tables [`{brackets.format(f'{table}.{one.key}')}`](#{anchor(f'{table}.{one.key}')})"
    else:
        allowed = _text(argument.allowed) + (", or a [function of time](#drive)" if argument.driven else "")
    cells = (name, allowed, _text(argument.unit), _default(one), _text(one.doc))
    return f"| {' | '.join(cells)} |"


def _default(one: Declared) -> str:
    if one.usual is ...:
        return "**needed**"
    if one.usual is None:
        return _text(one.argument.none) or "none"
    return f"`{json.dumps(plain(one.usual))}`"


def _text(words: str) -> str:
    """Plain words as Markdown in a table."""
    return re.sub(r"([|*<\[\]])", r"\\\1", words)


def _fill(app: Any, page: str, source: list[str]) -> None:
    if page == "input_file":
        source[0] = source[0].replace(MARK, reference_page())


def setup(app: Any) -> dict[str, bool]:
    """Called by sphinx."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
