"""The input file as a whole, and the list of its keys with types, units, defaults and words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from llgnegf._readable import Readable
from llgnegf.config.fields import DRIVES, Table, plain, sentence
from llgnegf.config.sections import SECTIONS
from llgnegf.problem.arguments import declared
from llgnegf.run.options import LONGEST_RUN

SCHEMA_VERSION = 1
NEVER = math.nextafter(LONGEST_RUN, 0.0)
"""Stands for a t_end that cannot be read: no other time is beyond it, and nobody writes this one."""


@dataclass(frozen=True, kw_only=True)
class Document(Readable):
    """The whole file, before anything that concerns more than one key is checked; None for a table that it has not."""

    schema_version: int = SCHEMA_VERSION
    run: Table
    lattice: Any = None
    electrons: Any = None
    term: tuple[Table, ...] = ()
    lead: tuple[Table, ...] = ()
    system: Any = None
    texture: Table
    motion: Any = None
    magnet: Any = None
    energy: tuple[Table, ...] = ()
    torque: tuple[Table, ...] = ()
    sweep: Any = None

    def to_dict(self) -> dict[str, Any]:
        """The tables as plain dicts and lists, keys without a value left out; `from_dict` gives `self` back.

        Returns
        -------
        dict
            As `RunConfig.from_dict` takes it.
        """
        return {f.name: plain(value) for f in fields(self) if (value := getattr(self, f.name)) is not None}


@dataclass(frozen=True)
class Key:
    """One key of the input file.

    Attributes:
        table: Its table, as `lead`, or `lead.channel` within another.
        kind: The kind of table; "" for the one there is.
        name: The key itself.
        allowed: What it may be, in words.
        unit: "" for what has none.
        driven: Whether a function of time may stand in its place.
        needed: Whether it must be given.
        default: What stands for it otherwise; None for nothing.
        doc: What it means, in a sentence.
    """

    table: str
    kind: str
    name: str
    allowed: str
    unit: str
    driven: bool
    needed: bool
    default: Any
    doc: str


def reference() -> list[Key]:
    """All keys of all tables, in the order of the file; those of functions of time last, under `drive`."""
    names = [f.name for f in fields(Document) if f.name in SECTIONS]
    return [key for name in names for key in _keys(name, SECTIONS[name].makes)] + list(_keys("drive", DRIVES.makes))


def _keys(table: str, makes: Mapping[str, Any]) -> Iterator[Key]:
    for kind, make in makes.items():
        for one in declared(make):
            argument, needed = one.argument, one.default is ...
            default = None if needed else one.usual
            yield Key(table, kind, one.key, sentence(one), argument.unit, argument.driven, needed, default, one.doc)
            if argument.tables:
                yield from _keys(f"{table}.{one.key}", SECTIONS[argument.form].makes)
