"""Arguments of energy terms and torques: each declared once, with how it is read and how many entries it may have.

Constructor, checks on a chain, values in time and the tables of input files follow from the declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import Field, field
from typing import Any, ClassVar

import numpy as np

from llgnegf._checks import Problems, as_numbers, dimensions, normalised
from llgnegf._readable import Readable
from llgnegf.problem.arguments import AXIS, EMPTY, NUMBER, Argument, Numbers, Vector, Vectors
from llgnegf.problem.drives import Drive, drives_of

Reader = Callable[[Problems, str, Any], Any]
"""(problems, name, value) -> the value as it is kept; mistakes are noted in the problems."""


def read_by(
    read: Reader, argument: Argument | None, per: str | None = None, entry: tuple[int, ...] = (), **default: Any
) -> Any:
    """A dataclass field that `read` reads, in files an `argument` (None: not in files); with `per`, "site" or "bond",
    it may hold an entry of shape `entry` for each of them instead of one for all."""
    return field(metadata={"read": read, "per": per, "entry": entry, "argument": argument}, **default)


def strength(unit: str, per: str = "site", driven: bool = False, in_file: Any = EMPTY, **default: Any) -> Any:
    """A number, or one for each site or bond; if `driven` also a function of time that returns either. A file that
    leaves it out has `in_file`."""
    said = f"in {unit}" if unit else "dimensionless"
    allowed = f"{said}: a number, or a list of them"
    if driven:
        allowed = f"a number, one for each {per}, or a function of time (fs) that returns either, {said}"

    def read(problems: Problems, name: str, value: Any) -> Any:
        return value if driven and callable(value) else read_strength(problems, name, value, allowed)

    words = f"{NUMBER}, or a list with one for each {per}"
    argument = Argument(float | Numbers, words, unit, driven=driven, default=in_file)
    return read_by(read, argument, per, **default)


def read_strength(problems: Problems, name: str, value: Any, allowed: str) -> Any:
    """`value` as a float, or as a read-only one-dimensional array; None or NaN after a mistake."""
    if dimensions(value) == 0:
        return problems.number(name, value, allowed)
    return problems.array(name, value, (None,), allowed)


def direction(per: str | None = None, **default: Any) -> Any:
    """'x', 'y', 'z' or a non-zero vector, kept with length 1, or None where that is the default; with `per` also one
    vector for each site."""

    def read(problems: Problems, name: str, value: Any) -> Any:
        if value is None and "default" in default:
            return None
        if per is None or isinstance(value, str) or dimensions(value) < 2:
            return problems.axis(name, value)
        allowed = "non-zero vectors of shape (n_sites, 3)"
        vectors = problems.array(name, value, (None, 3), allowed)
        if vectors is None or not problems.check(bool(np.all(np.any(vectors, axis=1))), name, value, allowed):
            return vectors
        return normalised(vectors)

    one = Argument(str | Vector, AXIS)
    argument = one if per is None else Argument(str | Vector | Vectors, f"{AXIS}, or one for each {per}")
    return read_by(read, argument, per, (3,), **default)


def distance(allowed: str = "> 0, in angstrom", **default: Any) -> Any:
    """A positive number, or None where that is the default."""

    def read(problems: Problems, name: str, value: Any) -> Any:
        if value is None and "default" in default:
            return None
        return problems.number(name, value, allowed, lambda x: x > 0)

    return read_by(read, Argument(float, f"{NUMBER} > 0", "angstrom"), **default)


class Declared(Readable):
    """An energy term or torque: a dataclass whose fields are declared by the functions of this module."""

    least_sites: ClassVar[int] = 1
    """2 where neighbours are needed."""

    def __post_init__(self) -> None:
        self.read_fields().raise_all()

    def read_fields(self) -> Problems:
        """Replace all declared fields by what is kept of them; the mistakes in them."""
        problems = Problems(type(self).__name__)
        for one in self._declared():
            value = one.metadata["read"](problems, one.name, getattr(self, one.name))
            object.__setattr__(self, one.name, value)
        return problems

    def problems(self, n_sites: int) -> list[str]:
        """One line for each reason why this is of no use on a chain of `n_sites`."""
        if n_sites < self.least_sites:
            allowed = f"at least {self.least_sites} sites"
            return [f"{type(self).__name__}: a chain of {n_sites} site has no pair for it; allowed: {allowed}"]
        lines = []
        for one in self._declared():
            if one.metadata["per"] is not None and getattr(self, one.name) is not None:
                try:
                    self.at(one.name, n_sites)
                except ValueError as error:
                    lines.append(str(error))
        return lines

    def at(self, name: str, n_sites: int, t: float = 0.0) -> np.ndarray:
        """The field `name` at time `t` (fs), with an entry for each of the sites or bonds of a chain.

        Parameters
        ----------
        name : str
            A declared field.
        n_sites : int
            Sites of the chain.
        t : float, default 0.0
            Time in fs.

        Returns
        -------
        ndarray
            Read-only, (n_sites, ...) or (n_sites - 1, ...).

        Raises
        ------
        ValueError
            For another number of entries; for a function that returns anything but finite numbers.
        """
        array, shape = self._at(name, n_sites, t)
        return np.broadcast_to(array, shape)

    def all_or_each(self, name: str, n_sites: int, t: float) -> np.ndarray:
        """As `at`, but a single entry where it is the same for all: what broadcasts costs more than most functions."""
        return self._at(name, n_sites, t)[0]

    def _at(self, name: str, n_sites: int, t: float) -> tuple[np.ndarray, tuple[int, ...]]:
        metadata, value = type(self).__dataclass_fields__[name].metadata, getattr(self, name)  # type: ignore[attr-defined]
        entry, per, given = metadata["entry"], metadata["per"], value(t) if callable(value) else value
        array, shape = as_numbers(given, float), (n_sites if per == "site" else n_sites - 1, *entry)
        if array is not None and array.shape in (entry, shape) and np.isfinite(array).all():
            return array, shape
        if not callable(value):
            what = f"{len(value)} of them"
        elif array is None:
            what = f"{' '.join(repr(given).split())[:80]} at t = {t:g} fs"
        else:
            wrong = f"shape {array.shape}" if np.isfinite(array).all() else "NaN or inf"
            what = f"{wrong} at t = {t:g} fs"
        kind = f"a vector of {entry[0]} finite numbers" if entry else "a number"
        raise ValueError(f"{type(self).__name__}.{name}: {what}; allowed: {kind}, or {shape[0]}, one for each {per}")

    def declared_drives(self) -> tuple[Drive, ...]:
        """The declared fields that are functions of time."""
        return drives_of(*(getattr(self, one.name) for one in self._declared()))

    def _declared(self) -> Iterator[Field[Any]]:
        fields = getattr(type(self), "__dataclass_fields__", {})
        return (one for one in fields.values() if "read" in one.metadata)
