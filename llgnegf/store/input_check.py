"""Whether two inputs are the same: compared as parsed TOML, so comments, order and layout do not count.

Knows nothing of what the fields mean.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any


def differences(began: str, now: str) -> list[str]:
    """One line for each field in which the TOML text `now` differs from `began`.

    Raises:
        ValueError: If one of them is not TOML.
    """
    return list(_changes(_flat(tomllib.loads(began)), _flat(tomllib.loads(now))))


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of parsed TOML by their dotted path."""
    if isinstance(value, dict) and (value or not path):
        items = [(f"{path}.{key}" if path else key, item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        items = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    else:
        return {path: value}
    return {name: leaf for key, item in items for name, leaf in _flat(item, key).items()}


def _changes(began: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for name in sorted(began.keys() | now.keys()):
        if name not in now:
            yield f"{name}: removed, was {began[name]!r}"
        elif name not in began:
            yield f"{name}: {now[name]!r} is new"
        elif repr(began[name]) != repr(now[name]) and not _equal(began[name], now[name]):
            yield f"{name}: {now[name]!r} instead of {began[name]!r}"


def _equal(a: Any, b: Any) -> bool:
    """Equal as input: 1 and 1.0 are, 1 and true are not."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and a == b
