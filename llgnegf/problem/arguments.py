"""Arguments as an input file gives them, declared where they are: `hopping: Energy = 1.0` in the class or function.

From these declarations `config` makes the tables of the file, their errors and the way back, `plausibility` takes the
units, and the reference of the file its lines. Imports only checks.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from llgnegf._checks import MOST_SITES, Problems

EMPTY = inspect.Parameter.empty

V = TypeVar("V")
"""In the form of an argument of a drive: the form of the constant in whose place the drive stands."""


@dataclass(frozen=True)
class Argument:
    """What an input file may say of an argument.

    Attributes:
        form: Type of the value in the file, where lists are tuples; of `tables` the name of their kinds.
        allowed: The same in words, without the unit.
        unit: Its unit; "" for a plain number and for what is none.
        ok: What a value of this form must fulfil to be used at all; all else is checked by the object that takes it.
        key: The key of the file, where it is not the name of the argument.
        driven: Whether a function of time may stand in its place.
        tables: Whether it is made from a table, or from an array of tables, of its own.
        none: What None means, which is left out in a file.
        implied: Whether a file leaves the default out, because it may be said only where it has a meaning.
        default: Default in a file, where the argument has none.
        kept: Whether the object keeps it under its name; what is used up in another argument is not written.
        numbered: Whether it is a list of [site, other site, value].
    """

    form: Any
    allowed: str = ""
    unit: str = ""
    ok: Callable[[Any], bool] = lambda value: True
    key: str = ""
    driven: bool = False
    tables: Literal["", "one", "many"] = ""
    none: str = ""
    implied: bool = False
    default: Any = EMPTY
    kept: bool = True
    numbered: bool = False

    @property
    def sentence(self) -> str:
        """What is allowed in a file, with the unit."""
        return self._in_unit() + (f" (left out: {self.none})" if self.none else "")

    @property
    def python_sentence(self) -> str:
        """What is allowed in Python."""
        return (f"None ({self.none}) or " if self.none else "") + self._in_unit()

    @property
    def names(self) -> tuple[str, ...]:
        """The names it is one of, or a list of; () for what is no name."""
        form = get_args(self.form)[0] if get_origin(self.form) is tuple else self.form
        return get_args(form) if get_origin(form) is Literal else ()

    def note(self, problems: Problems, name: str, value: Any) -> None:
        """Note a number or a name that is none, given in Python."""
        known = ", ".join(map(repr, self.names))
        if self.form is float:
            problems.number(name, value, self.python_sentence, self.ok)
        elif self.form is int:
            problems.integer(name, value, self.python_sentence, self.ok)
        elif get_origin(self.form) is Literal:
            problems.check(isinstance(value, str) and value in self.names, name, value, known)
        elif self.names:
            listed = isinstance(value, list | tuple) and all(one in self.names for one in value)
            problems.check(listed, name, value, f"a list of names; known: {known}")

    def _in_unit(self) -> str:
        said = not self.unit or f"in {self.unit}" in self.allowed
        return self.allowed if said else f"{self.allowed}, in {self.unit}"


def choice(*names: str, implied: bool = False) -> Argument:
    """One of these names."""
    most = ", ".join(map(repr, names[:-1]))
    return Argument(Literal[names], f"{most} or {names[-1]!r}" if most else repr(names[-1]), implied=implied)


def choices(*names: str) -> Argument:
    """A list of some of these names."""
    form: Any = Literal[names]
    return Argument(tuple[form, ...], f"a list of {' and '.join(map(repr, names))}")


@dataclass(frozen=True)
class Declared:
    """One argument of a class or function that a file may give.

    Attributes:
        name, argument: Its name, and what its annotation says.
        default: What a file that leaves it out has; ... if it is needed.
        usual: What it means to leave it out.
        doc: What it means, in a sentence.
    """

    name: str
    argument: Argument
    default: Any
    usual: Any
    doc: str

    @property
    def key(self) -> str:
        """Its key in the file."""
        return self.argument.key or self.name


def declared(make: Any) -> tuple[Declared, ...]:
    """The arguments of a class or function that its annotations declare, in order."""
    return _declared(make)


@cache
def _declared(make: Any) -> tuple[Declared, ...]:
    try:
        hints = get_type_hints(make, include_extras=True)
    except (NameError, TypeError):  # a class of the user, whose annotations are not for us
        return ()
    found = []
    for name, parameter in inspect.signature(make).parameters.items():
        kept = getattr(make, "__dataclass_fields__", {}).get(name)
        marks = [*get_args(hints.get(name)), kept and kept.metadata.get("argument")]
        marks = [mark for mark in marks if isinstance(mark, Argument)]
        if marks:
            given = parameter.default if marks[0].default is EMPTY else marks[0].default
            usual = ... if given is EMPTY else given
            found.append(Declared(name, marks[0], None if marks[0].implied else usual, usual, _doc(make, name)))
    return tuple(found)


def quantities(owner: Any) -> Iterator[tuple[str, str, Any]]:
    """Name, unit and value of each declared argument of an object that it keeps and that is not None."""
    for one in declared(type(owner)):
        value = getattr(owner, one.name, None) if one.argument.kept else None
        if value is not None and one.argument.numbered and not hasattr(value, "shape"):
            value = [number for *_, last in value for number in np.ravel(last)]
        if value is not None:
            yield one.name, one.argument.unit, value


def _doc(make: Any, name: str) -> str:
    """The first sentence on an argument in the docstring of the class that has it, or of one that inherits it."""
    owners = [c for c in make.__mro__ if name in vars(c).get("__annotations__", ())] if isinstance(make, type) else []
    for owner in (*owners, make):
        text = inspect.getdoc(owner) or ""
        section = text.partition("Args:\n")[2].partition("\n\n")[0]
        brief = re.findall(r"^    (\w[\w, ]*): ((?:.|\n(?=     ))*)", section, re.MULTILINE)
        section = re.split(r"\n\n(?=.*\n--)", text.partition("Parameters\n----------\n")[2])[0]
        for names, said in brief or re.findall(r"^(\w[\w, ]*) : .*\n((?:    .*\n?|\n)+)", section, re.MULTILINE):
            if name in names.split(", "):
                return re.split(r"(?<=[^.]\.)\s", " ".join(said.split()))[0].rstrip(".")
    return ""


Numbers = tuple[float, ...]
Vector = tuple[float, float, float]
Vectors = tuple[Vector, ...]
MatrixEntries = tuple[tuple[int, int, float, float], ...]
"""[row, column, real part, imaginary part] on or above the diagonal of a Hermitian matrix, counted 2 site + spin."""

NUMBER = "a finite number"
PER_SITE = f"{NUMBER}, or a list with one for each site"
AXIS = "'x', 'y', 'z' or a non-zero vector of 3 finite numbers"
ENTRIES = "a list of [row, column, real, imaginary], row <= column, each pair once, counted 2 site + spin"

Energy = Annotated[float, Argument(float, NUMBER, "eV")]
EnergyOverTime = Annotated[Any, Argument(float, NUMBER, "eV", driven=True)]
ChemicalPotential = Annotated[float | None, Argument(float, NUMBER, "eV", none="the Fermi energy")]
Temperature = Annotated[float | None, Argument(float, "a finite number >= 0", "eV", none="that of the system")]
Energies = Annotated[Any, Argument(Numbers, "a list of finite numbers", "eV")]
Femtoseconds = Annotated[float, Argument(float, NUMBER, "fs")]
Angle = Annotated[float, Argument(float, NUMBER, "rad")]
AnglePerSite = Annotated[Any, Argument(float | Numbers, PER_SITE, "rad")]
Sites = Annotated[float, Argument(float, NUMBER, "lattice constants")]
Axis = Annotated[Any, Argument(str | Vector, AXIS)]
PerSite = Annotated[Any, Argument(float | Numbers, PER_SITE)]
EnergyPerSite = Annotated[Any, Argument(float | Numbers, PER_SITE, "eV")]
Coupling = Annotated[Any, Argument(float | Numbers, PER_SITE, "eV", driven=True)]
Positions = Annotated[Any, Argument(Numbers | Vectors, "a number along x, or a vector, for each site", "nm")]
EnergyPerBond = Annotated[Any, Argument(float | Numbers, f"{NUMBER}, or a list with one for each bond", "eV")]
SiteCount = Annotated[int, Argument(int, f"an integer from 1 to {MOST_SITES}", ok=lambda n: 1 <= n <= MOST_SITES)]
TextureSites = Annotated[
    int,
    Argument(
        int, f"an integer from 1 to {MOST_SITES}", ok=lambda n: 1 <= n <= MOST_SITES, none="that of the electrons",
        default=None,
    ),
]
SiteIndex = Annotated[int, Argument(int, "an integer")]
UnitVectors = Annotated[Any, Argument(Vectors, "a list of unit vectors [x, y, z], one for each site")]
MomentSites = Annotated[
    Any,
    Argument(
        tuple[int | tuple[int, ...], ...],
        "a list with, for each moment, an electron site counted from 0, a list of sites, or [] for none",
        none="moment i on site i",
    ),
]
