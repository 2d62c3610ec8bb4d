"""One line for each mistake in an input file: `path: value; allowed: ...`, and the nearest known name.

Turns what pydantic reports into lines; `reading` collects them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from llgnegf.config.fields import Table

Path = tuple[str | int, ...]


class ConfigError(ValueError):
    """The input cannot be used; `lines` holds one line for each mistake, the message all of them."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = list(dict.fromkeys(lines))
        super().__init__("\n".join(self.lines))

    def __reduce__(self) -> tuple[Any, ...]:
        """Exceptions are rebuilt from their message by default; this one comes whole from another process."""
        return type(self), (self.lines,), self.__dict__


def path_of(location: Iterable[str | int]) -> Path:
    """A pydantic location without the tags <kind> of unions."""
    return tuple(step for step in location if not (isinstance(step, str) and step.startswith("<")))


def dotted(path: Iterable[str | int]) -> str:
    """`lead.0.coupling`, as in the keys of a sweep; a key with line breaks and the like is escaped."""
    return ".".join(text if text.isprintable() else repr(text) for text in map(str, path))


def shown(value: Any) -> str:
    """A value in one line of at most 120 characters."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more digits than Python prints
        text = "an integer of thousands of digits"
    return text if len(text) <= 120 else text[:117] + "..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    known = list(known)
    matches = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    exact = [k for k in known if k.lower() == name.lower()]
    return next(iter(exact + matches), None)


def unknown_key(path: Path, table: type[Table]) -> str:
    """The line for a key that `table` does not have."""
    known = list(table.model_fields)
    near = nearest(str(path[-1]), known)
    hint = f", nearest known name is '{near}'" if near else ""
    return f"{dotted(path)}: unknown key{hint}; allowed: {', '.join(known)}"


def wrong_kind(path: Path, value: Any, kinds: list[str]) -> str:
    """The line for a table whose `kind` is missing or unknown, or for something that is no table."""
    allowed = ", ".join(repr(kind) for kind in kinds)
    if not isinstance(value, dict):
        return f"{dotted(path)}: {shown(value)}; allowed: a table with kind = {allowed}"
    if "kind" not in value:
        return f"{dotted(path)}.kind: missing; allowed: {allowed}"
    near = nearest(value["kind"], kinds) if isinstance(value["kind"], str) else None
    hint = f", nearest known name is '{near}'" if near else ""
    return f"{dotted(path)}.kind: {shown(value['kind'])}{hint}; allowed: {allowed}"


def wrong_value(error: Mapping[str, Any], path: Path, parent: Any, tables: Mapping[int, type[Table]]) -> str:
    """The line for a missing or unusable value; `tables` says which table class read which dict."""
    if error["type"] == "missing":
        allowed = _field_sentence(tables[id(parent)], str(path[-1]))
        return f"{dotted(path)}: missing; allowed: {allowed}"
    allowed = error["msg"]
    if error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        allowed = "a table"
    elif error["type"] == "too_short":
        allowed = "at least one table"
    elif error["type"] in ("tuple_type", "list_type"):
        allowed = f"a list of tables, each headed [[{dotted(path)}]]"
    return f"{dotted(path)}: {shown(error['input'])}; allowed: {allowed}"


def _field_sentence(table: type[Table], name: str) -> str:
    for mark in table.model_fields[name].metadata:
        if hasattr(mark, "sentence"):
            return mark.sentence
    return f"a table [{name}]"
