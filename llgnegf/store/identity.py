"""What a run is of: its input, compared as parsed TOML whatever the fields mean, and the code that computes it.

Digests of both are kept in every checkpoint and result: one of another run's folder, or of another version of the
physics, is not gone on from.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

HOW = ("memory", "threads")
"""Keys of [run] that say how a run goes on, and nothing of what it is."""
AROUND = (
    "__main__.py", "_files.py", "_netcdf.py", "_processes.py", "_threads.py", "analysis", "analytic.py", "cli.py",
    "commands", "paper", "plots", "store", "sweep", "transport", "view",
)  # fmt: skip
"""Files and folders of the package that a result's numbers do not depend on."""


def identity(input_text: str) -> dict[str, str]:
    """Digests of the resolved input (TOML; comments and order do not count) and of the code."""
    canonical = _canonical(_what(input_text))
    return {"input": hashlib.sha256(canonical.encode()).hexdigest(), "code": code_digest()}


def differences(began: str, now: str) -> Iterator[str]:
    """One line for each field in which the TOML text `now` differs from `began`; layout and order do not count.

    Raises:
        ValueError: If one of them is not TOML.
    """
    before, after = (_flat(_what(text)) for text in (began, now))
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{name}: removed, was {before[name]!r}"
        elif name not in before:
            yield f"{name}: {after[name]!r} is new"
        elif _canonical(before[name]) != _canonical(after[name]):
            yield f"{name}: {after[name]!r} instead of {before[name]!r}"


@cache
def code_digest() -> str:
    """SHA-256 of the package's source and tables of numbers without `AROUND`."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(path for path in package.rglob("*") if path.suffix in (".py", ".json")):
        name = path.relative_to(package)
        if name.parts[0] not in AROUND:
            digest.update(name.as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _what(text: str) -> dict[str, Any]:
    """The parsed TOML without `HOW`."""
    tree = tomllib.loads(text)
    if isinstance(tree.get("run"), dict):
        tree["run"] = {key: value for key, value in tree["run"].items() if key not in HOW}
    return tree


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of parsed TOML by their dotted path."""
    if isinstance(value, dict) and (value or not path):
        items = [(f"{path}.{key}" if path else key, item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        items = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    else:
        return {path: value}
    return {name: leaf for key, item in items for name, leaf in _flat(item, key).items()}


def _canonical(value: Any) -> str:
    """As JSON in which 1 and 1.0 are the same input, 1 and true are not."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    return value if isinstance(value, bool | int | float | str) else str(value)
