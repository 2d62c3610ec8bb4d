"""Energy terms and torques of the user's own in an input file: kind = "package.module:Class", keys its arguments.

The class must be importable wherever the file is read, also when a stored run goes on; whoever reads a file that names
one runs the module's code.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any, TypeVar

from llgnegf._checks import Mistake, MistakesError, shown
from llgnegf.config.fields import OWN, Table, plain
from llgnegf.config.messages import unknown_key
from llgnegf.problem.carriers import KINDS

T = TypeVar("T")


def own_term(table: Table, base: type[T]) -> T:
    """The object that a table describes, of a subclass of `base`.

    Raises:
        ValueError: If there is no such class, or it does not take these arguments; and what the class raises.
    """
    cls = imported(table.kind, base)
    names = argument_names(cls)
    unknown = [unknown_key(("own", name), names) for name in table.given if name not in names]
    if unknown:
        raise MistakesError(unknown)
    try:
        return cls(**{name: _built(plain(value)) for name, value in table.given.items()})
    except TypeError as error:
        raise _wrong(f"{table.kind} cannot be made ({error})", ", ".join(names)) from None


def argument_names(cls: type) -> list[str]:
    """Arguments of the constructor."""
    parameters = inspect.signature(cls).parameters.values()
    return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def imported(kind: str, base: type[T]) -> type[T]:
    """The class `package.module:Class`; ValueError if it is none that can be imported, or none of `base`."""
    module, _, name = kind.partition(":")
    allowed = f"{OWN}, a subclass of {base.__module__}.{base.__name__} that can be imported"
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise _wrong(f"{shown(kind)} ({cause})", allowed) from None
    if module == "__main__" or not (isinstance(found, type) and issubclass(found, base)):
        raise _wrong(shown(kind), allowed)
    return found


def _wrong(value: str, allowed: str) -> MistakesError:
    return MistakesError([Mistake(("own", "kind"), value, allowed)])


def _built(value: Any) -> Any:
    """Tables of functions of time as these functions."""
    if isinstance(value, dict) and value.get("kind") in KINDS:
        return KINDS[value["kind"]](**{name: _built(v) for name, v in value.items() if name != "kind"})
    return value
