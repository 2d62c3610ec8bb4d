"""A document as TOML text with the unit of every key in a comment behind it.

Written here because tomli_w writes no comments, and tomlkit would be one more dependency for what is a page of code.
"""

from __future__ import annotations

import json
from typing import Any

from llgnegf.config.fields import Table
from llgnegf.config.schema import Document


def toml_text(document: Document) -> str:
    """All keys that have a value, defaults included; `RunConfig.loads` gives the same document back."""
    blocks = [f"schema_version = {document.schema_version}\n"]
    for name in type(document).model_fields:
        value = getattr(document, name)
        if isinstance(value, Table):
            blocks.append(_block(f"[{name}]", value))
            if name == "sweep":
                blocks.append(_parameters(value.parameters))  # type: ignore[attr-defined]
        elif isinstance(value, tuple):
            blocks += [_entry(name, table) for table in value]
    return "\n".join(block for block in blocks if block)


def _entry(name: str, table: Table) -> str:
    """One entry of an array of tables, with the array of tables inside it, if it has one."""
    inner = [
        _block(f"[[{name}.{key}]]", part) for key in type(table).model_fields if _is_array(getattr(table, key))
        for part in getattr(table, key)
    ]  # fmt: skip
    return "\n".join([_block(f"[[{name}]]", table), *inner])


def _is_array(value: Any) -> bool:
    """Whether this is an array of tables."""
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], Table)


def _block(header: str, table: Table) -> str:
    lines = [header]
    fields = type(table).model_fields
    for name, field in sorted(fields.items(), key=lambda item: item[0] != "kind"):
        value = getattr(table, name)
        if value is None or _is_array(value) or name == "parameters":
            continue
        unit = next((mark.unit for mark in field.metadata if getattr(mark, "unit", "")), "")
        lines.append(f"{name} = {_value(value)}" + (f"  # {unit}" if unit else ""))
    lines += [f"{_key(name)} = {_value(value)}" for name, value in (table.model_extra or {}).items()]
    return "\n".join(lines) + "\n"


def _parameters(parameters: dict[str, tuple[Any, ...]]) -> str:
    lines = [f"{_text(path)} = {_value(values)}" for path, values in parameters.items()]
    return "\n".join(["[sweep.parameters]", *lines]) + "\n"


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
        value = {name: getattr(value, name) for name in type(value).model_fields}
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
