"""The input file as a whole, and the list of its keys with types, units, defaults and words.

Tables are made in `fields` of what the problem objects declare; which combinations are accepted is settled in `build`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

import llgnegf.config.sections  # noqa: F401 (fills the sections)
from llgnegf.config.fields import SECTIONS, Allowed, ListOf, Section, Table, Tables
from llgnegf.problem.arguments import Argument, choice, declared
from llgnegf.problem.carriers import KINDS
from llgnegf.run.options import LONGEST_RUN, RunOptions

SCHEMA_VERSION = 1
NEVER = math.nextafter(LONGEST_RUN, 0.0)
"""Stands for a t_end that cannot be read: no other time is beyond it, and nobody writes this one."""

SECONDS = Argument(float, "a finite number > 0", "s of the clock on the wall", ok=lambda t: t > 0)
WORKERS = Argument(int, "an integer >= 1", none="one for each core", ok=lambda n: n >= 1)
PARAMETERS = Argument(
    dict[str, Annotated[tuple[Any, ...], ListOf]],
    'dotted paths such as "electrons.j_sd" or "lead.*.coupling", each with a list of values',
    ok=lambda given: bool(given) and all(given.values()),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class FileOptions(RunOptions):
    """[run]: how long, how accurately, and what is kept (`llgnegf.simulate`), and how a stored run is kept.

    Args:
        checkpoint_every: Time between commits of rows to the run folder.
    """

    checkpoint_every: Annotated[float, SECONDS] = 5.0


def sweep(
    parameters: Annotated[Any, PARAMETERS], mode: Annotated[str, choice("grid", "list")] = "grid",
    workers: Annotated[int | None, WORKERS] = None,
) -> None:
    """[sweep]: the values that keys of this file take.

    Args:
        parameters: From dotted paths to lists of values; "lead.*.coupling" moves all leads together.
        mode: Every combination, or the first values together, then the second ones, and so on.
        workers: Runs at a time.
    """


SECTIONS["run"] = Section({"": FileOptions})
SECTIONS["sweep"] = Section({"": sweep})


def _no_other_one(value: Any) -> Any:
    """1 itself: true and 1.0 are equal to it for Python."""
    if type(value) is not int:
        raise ValueError
    return value


class Document(Table):
    """The whole file, before anything that concerns more than one key is checked."""

    schema_version: Annotated[Literal[1], BeforeValidator(_no_other_one), Allowed(Argument(int, "1"))]
    run: Annotated[Any, Tables("run")]
    electrons: Annotated[Any, Tables("electrons")] = None
    term: Annotated[Any, Tables("term", many=True)] = ()
    lead: Annotated[Any, Tables("lead", many=True)] = ()
    system: Annotated[Any, Tables("system")] = None
    texture: Annotated[Any, Tables("texture")]
    motion: Annotated[Any, Tables("motion")] = None
    magnet: Annotated[Any, Tables("magnet")] = None
    energy: Annotated[Any, Tables("energy", many=True)] = ()
    torque: Annotated[Any, Tables("torque", many=True)] = ()
    sweep: Annotated[Any, Tables("sweep")] = None


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
    tables = [key for name in Document.model_fields if name in SECTIONS for key in _keys(name, SECTIONS[name].makes)]
    return tables + list(_keys("drive", KINDS))


def _keys(table: str, makes: Mapping[str, Any]) -> Iterator[Key]:
    for kind, make in makes.items():
        for one in declared(make):
            argument, needed = one.argument, one.default is ...
            words = f"a table {table}.{one.key}" if argument.tables else argument.sentence
            default = None if needed else one.usual
            yield Key(table, kind, one.key, words, argument.unit, argument.driven, needed, default, one.doc)
            if argument.tables:
                yield from _keys(f"{table}.{one.key}", SECTIONS[argument.form].makes)
