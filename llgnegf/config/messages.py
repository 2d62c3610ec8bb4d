"""Mistakes in an input file: their places and words, and the nearest known name.

Also turns the places of arguments in Python into those of the file; `reading` and `build` collect the mistakes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from llgnegf._checks import Mistake, Path, shown


class ConfigError(ValueError):
    r"""The input cannot be used; the message has one line for each mistake.

    Attributes
    ----------
    lines : list of str
        The lines.

    Examples
    --------
    >>> ln.RunConfig.loads("schema_version = 1\n[run]\nt_end = -1.0\n[texture]\nkind = 'uniform'\nn_sites = 1\n")
    Traceback (most recent call last):
        ...
    llgnegf.config.messages.ConfigError: ...
    """

    def __init__(self, found: Iterable[Mistake | str]) -> None:
        lines = [one.line(dotted) if isinstance(one, Mistake) else one for one in found]
        self.lines = list(dict.fromkeys(lines))
        super().__init__("\n".join(self.lines))

    def __reduce__(self) -> tuple[Any, ...]:
        """Exceptions are rebuilt from their message by default; this one comes whole from another process."""
        return type(self), (self.lines,), self.__dict__


PLACES: dict[Path, Path] = {
    ("OpenSystem",): ("system",), ("OpenSystem", "leads"): ("lead",), ("OpenSystem", "electrons"): ("electrons",),
    ("OpenSystem", "electrons", "terms"): ("term",), ("simulate", "system", "electrons"): ("electrons",),
    ("simulate", "system", "electrons", "terms"): ("term",),
    ("Magnet",): ("magnet",), ("Magnet", "energies"): ("energy",), ("Magnet", "torques"): ("torque",),
    ("Precession",): ("motion",), ("simulate",): ("run",), ("simulate", "system"): ("system",),
    ("simulate", "system", "leads"): ("lead",), ("kT",): ("system", "kT"),
    ("RotatingFrame",): ("motion",), ("RotatingFrame", "texture"): ("texture",),
    ("RotatingFrame", "system"): ("system",), ("RotatingFrame", "system", "leads"): ("lead",),
    ("RotatingFrame", "system", "electrons"): ("electrons",),
    ("RotatingFrame", "system", "electrons", "terms"): ("term",),
}  # fmt: skip
"""Where arguments in Python are in the file."""


def in_file(path: Path, hamiltonian: str) -> Path:
    """The place in the file of an argument in Python; `hamiltonian` is the key of [electrons] that holds it."""
    known = max((prefix for prefix in PLACES if path[: len(prefix)] == prefix), key=len, default=())
    place = PLACES.get(known, ()) + path[len(known) :]
    return ("electrons", hamiltonian, *place[2:]) if place[:2] == ("electrons", "hamiltonian") else place


def dotted(path: Iterable[str | int]) -> str:
    """`lead.0.coupling`, as in the keys of a sweep; a key with line breaks and the like is escaped."""
    return ".".join(text if text.isprintable() else repr(text) for text in map(str, path))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    known = list(known)
    matches = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    exact = [k for k in known if k.lower() == name.lower()]
    return next(iter(exact + matches), None)


def hint(name: Any, known: Iterable[str]) -> str:
    near = nearest(name, known) if isinstance(name, str) else None
    return f", nearest known name is '{near}'" if near else ""


def unknown_key(path: Path, known: Iterable[str]) -> Mistake:
    """A key that a table with the keys `known` does not have."""
    return Mistake(path, f"unknown key{hint(str(path[-1]), known)}", ", ".join(known))


def wrong_kind(path: Path, value: Any, kinds: Iterable[str]) -> Mistake:
    """A table whose `kind` is missing or unknown, or something that is no table."""
    allowed = ", ".join(repr(kind) for kind in kinds)
    if not isinstance(value, dict):
        return Mistake(path, shown(value), f"a table with kind = {allowed}")
    if "kind" not in value:
        return Mistake((*path, "kind"), "missing", allowed)
    return Mistake((*path, "kind"), shown(value["kind"]) + hint(value["kind"], kinds), allowed)
