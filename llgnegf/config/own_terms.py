"""Energy terms and torques of the user's own in an input file: kind = "package.module:Class", keys its arguments.

The class must be importable wherever the file is read, also when a stored run goes on; whoever reads a file that names
one runs the module's code.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from llgnegf.config.fields import OWN, OwnTable, plain
from llgnegf.config.messages import shown
from llgnegf.problem.drives import KINDS

T = TypeVar("T")


def own_term(table: OwnTable, base: type[T]) -> T:
    """The object that a table describes, of a subclass of `base`.

    Raises:
        ValueError: If there is no such class, or it does not take these arguments; and what the class raises.
    """
    given = {name: _built(plain(value)) for name, value in (table.model_extra or {}).items()}
    cls = _imported(table.kind, base)
    names = argument_names(cls)
    lines = [f"own.{name}: unknown key; allowed: {', '.join(names)}" for name in given if name not in names]
    if lines:
        raise ValueError("\n".join(lines))
    try:
        return cls(**given)
    except TypeError as error:
        raise ValueError(f"own.kind: {table.kind} cannot be made ({error}); allowed: {', '.join(names)}") from None


def own_table(term: Any) -> dict[str, Any] | None:
    """The table of an object that `own_term` gives back; None if it has none."""
    cls = type(term)
    kind = f"{cls.__module__}:{cls.__qualname__}"
    try:
        if _imported(kind, cls) is not cls:
            return None
        return {"kind": kind, **{name: _written(getattr(term, name)) for name in argument_names(cls)}}
    except (AttributeError, ValueError):
        return None


def argument_names(cls: type) -> list[str]:
    """Arguments of the constructor."""
    parameters = inspect.signature(cls).parameters.values()
    return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _imported(kind: str, base: type[T]) -> type[T]:
    module, _, name = kind.partition(":")
    allowed = f"{OWN}, a subclass of {base.__module__}.{base.__name__} that can be imported"
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"own.kind: {shown(kind)} ({cause}); allowed: {allowed}") from None
    if module == "__main__" or not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(f"own.kind: {shown(kind)}; allowed: {allowed}")
    return found


def _built(value: Any) -> Any:
    """Tables of functions of time as these functions."""
    if isinstance(value, dict) and value.get("kind") in KINDS:
        return KINDS[value["kind"]](**{name: _built(v) for name, v in value.items() if name != "kind"})
    return value


def _written(value: Any) -> Any:
    """The value as TOML has it; ValueError for what it has not."""
    if type(value) in KINDS.values():
        return {"kind": value.kind, **{name: _written(getattr(value, name)) for name in argument_names(type(value))}}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Iterable):
        return [_written(v) for v in value]
    raise ValueError(f"{shown(value)} has no words in a file")
