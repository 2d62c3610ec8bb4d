"""Tables of the input file, their kinds, and the types of values.

The keys of a table are the arguments that its class or function declares (`problem.arguments`). Ranges belong to the
problem objects (`build` asks them); here only the type and finiteness are settled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from llgnegf.problem.arguments import Argument, Declared, declared
from llgnegf.problem.carriers import KINDS

OWN = "package.module:Class"
"""How a class of the user is named as a kind."""


@dataclass(frozen=True)
class Table:
    """A table as it was read: a value for each of its keys, tables for functions of time and what else is made.

    Attributes:
        make: The class or function that it calls; None for a class of the user, which is imported to be made.
        kind: Its key `kind`; "" if it has none.
        given: The values by their keys, lists as tuples; also attributes of the table.
    """

    make: Callable[..., Any] | None
    kind: str
    given: Mapping[str, Any]

    def __getattr__(self, key: str) -> Any:
        given = vars(self).get("given", {})  # none of the attributes are there while a copy is made
        if key not in given:
            raise AttributeError(f"no key {key!r} in this table")
        return given[key]

    def items(self) -> Iterator[tuple[str, Any, str]]:
        """Key, value and unit of all that has a value, the kind first."""
        units = {one.key: one.argument.unit for one in declared(self.make)} if self.make else {}
        for key, value in {"kind": self.kind or None, **self.given}.items():
            if value is not None:
                yield key, value, units.get(key, "")

    def to_dict(self) -> dict[str, Any]:
        """The table as it is in the file."""
        return {key: plain(value) for key, value, _ in self.items()}


@dataclass(frozen=True)
class Section:
    """The kinds of tables in one place of the file, told apart by their key `kind`.

    Attributes:
        makes: What each kind calls: a class or a function. The one kind "" has no key `kind`.
        default: Kind of a table that does not say it.
        own: Class of which classes of the user may be named as kinds.
    """

    makes: Mapping[str, Callable[..., Any]]
    default: str | None = None
    own: type | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds, as they are shown."""
        return [*self.makes, *([OWN] if self.own else [])]

    def kind_of(self, made: Any) -> str | None:
        """The kind that makes objects of exactly this class; None if there is none."""
        return next((kind for kind, make in self.makes.items() if make is type(made)), None)


DRIVES = Section(KINDS)


def sentence(one: Declared) -> str:
    """What a key takes, in words."""
    if one.argument.tables:
        return f"a table [{one.key}]"
    *kinds, last = map(repr, KINDS)
    driven = f", or a table with kind = {', '.join(kinds)} or {last}" if one.argument.driven else ""
    return one.argument.sentence + driven


def fitting(argument: Argument, form: Any, value: Any) -> Any:
    """`value` as one of the type `form` that the argument takes; ValueError if it is none."""
    fits = _as(form, value)
    if not argument.ok(fits):
        raise ValueError
    return fits


def _as(form: Any, value: Any) -> Any:
    """`value` as one of the type `form`: nothing is converted but lists to tuples and integers to floats."""
    origin, parts = get_origin(form), get_args(form)
    if form is Any:
        return value
    if origin is UnionType:
        return _first(parts, value)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [parts[0]] * len(value) if parts[-1] is ... else parts
        return tuple(_as(kind, one) for kind, one in zip(kinds, value, strict=True))
    if origin is dict and isinstance(value, dict):
        return {_as(parts[0], key): _as(parts[1], one) for key, one in value.items()}
    if form is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if form is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (form is str or (origin is Literal and value in parts)):
        return value
    raise ValueError


def _first(forms: tuple[Any, ...], value: Any) -> Any:
    for form in forms:
        try:
            return _as(form, value)
        except (ValueError, OverflowError):
            continue
    raise ValueError


def plain(value: Any) -> Any:
    """A value as it is in the file: tuples as lists (some objects take a tuple for something else)."""
    if isinstance(value, Table):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, tuple) else value
