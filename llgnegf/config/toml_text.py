"""A document as TOML text with the unit of every key in a comment behind it.

Written here because tomli_w writes no comments, and tomlkit would be one more dependency for what is a page of code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from llgnegf.config.fields import Table
from llgnegf.config.schema import Document


def toml_text(document: Document) -> str:
    """All keys that have a value, defaults included; `RunConfig.loads` gives the same document back."""
    blocks = [f"schema_version = {document.schema_version}\n"]
    for name in (f.name for f in fields(document)):
        value = getattr(document, name)
        if isinstance(value, Table):
            blocks += _blocks(f"[{name}]", value)
        elif isinstance(value, tuple):
            blocks += [block for table in value for block in _blocks(f"[[{name}]]", table)]
    return "\n".join(blocks)


def _blocks(header: str, table: Table) -> Iterator[str]:
    """A table, then the arrays of tables and the tables with keys of any name within it."""
    name, lines = header.strip("[]"), [header]
    for key, value, unit in table.items():
        if not _has_header(table, value):
            lines.append(f"{_key(key)} = {_value(value)}" + (f"  # {unit}" if unit else ""))
    yield "\n".join(lines) + "\n"
    for key, value, _ in table.items():
        if not _has_header(table, value):
            continue
        if isinstance(value, Mapping):
            inner = [f"{_text(path)} = {_value(values)}" for path, values in value.items()]
            yield "\n".join([f"[{name}.{key}]", *inner]) + "\n"
        for part in value if isinstance(value, tuple) else ():
            yield from _blocks(f"[[{name}.{key}]]", part)


def _has_header(table: Table, value: Any) -> bool:
    """Whether a value is written below its table, under a header of its own; those of a user's class are not."""
    tables = isinstance(value, tuple) and bool(value) and isinstance(value[0], Table)
    return tables or (isinstance(value, Mapping) and table.make is not None)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(value)  # the shortest text that gives the same number back
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, Table):
        value = value.to_dict()
    if isinstance(value, dict):
        pairs = [f"{_key(name)} = {_value(v)}" for name, v in value.items() if v is not None]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    return str(value)  # dates and times are their own text


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _text(name)


def _text(value: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
