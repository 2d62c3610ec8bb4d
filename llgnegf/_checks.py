"""Argument checks shared by all problem objects: every mistake is found before the first one is raised.

A mistake is data, (path, value, allowed), and one line, `Owner.field: value; allowed: ...`; `config` turns its path
into that of an input file. This module imports nothing of the package.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

AXES: dict[str, tuple[float, float, float]] = {
    "x": (1.0, 0.0, 0.0),
    "y": (0.0, 1.0, 0.0),
    "z": (0.0, 0.0, 1.0),
}
LARGEST, SMALLEST = 1e15, 1e-30
"""Magnitudes of numbers, and of those that must be positive: far beyond physics in every unit of the package, and
squares and ratios of them stay within the range of a float."""
MOST_SITES = 100_000
UNIT_TOLERANCE = 1e-10
"""How far |M| may be from 1: ten thousand round-offs, far below any physical effect."""


Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Mistake:
    """One value that cannot be used.

    Attributes:
        path: Where it is: the owner (a class, a function or a table), then names of fields and numbers in lists.
        value: What it is, in one line.
        allowed: What would be right, in one line; with `beside`, {} in it stands for that place.
        beside: Another place that sets what is allowed.
    """

    path: Path
    value: str
    allowed: str
    beside: Path = ()

    def __str__(self) -> str:
        return self.line(python_place)

    def line(self, place: Callable[[Path], str]) -> str:
        """The mistake in one line, with places as `place` writes them."""
        where = place(self.path)
        allowed = self.allowed.replace("{}", place(self.beside)) if self.beside else self.allowed
        return (f"{where}: " if where else "") + self.value + (f"; allowed: {allowed}" if allowed else "")

    def below(self, *path: str | int) -> Mistake:
        """The same with `path` in place of the owner."""
        return replace(self, path=(*path, *self.path[1:]))

    @classmethod
    def read(cls, line: str) -> Mistake:
        """That of a line `Owner.field: value; allowed: ...`, as own classes of a user write it."""
        place, colon, rest = line.partition(": ")
        if not colon or " " in place:
            return cls((), line, "")
        value, _, allowed = rest.partition("; allowed: ")
        return cls(steps(place), value, allowed)


class MistakesError(ValueError):
    """Arguments that cannot be used: `mistakes` as data, the message one line for each."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.mistakes,), self.__dict__


def mistakes_of(error: ValueError) -> tuple[Mistake, ...]:
    """Those that an error carries; of a foreign one those that its lines say."""
    return error.mistakes if isinstance(error, MistakesError) else tuple(map(Mistake.read, str(error).splitlines()))


def python_place(path: Path) -> str:
    """`Owner.field[0].inner`."""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).removeprefix(".")


def steps(place: str) -> Path:
    """`system.leads[0].site` as ("system", "leads", 0, "site")."""
    return tuple(int(step) if step.isdecimal() else step for step in _STEP.findall(place))


_STEP = re.compile(r"\w+(?:\([^)]*\))?")


class Problems:
    """The mistakes found in the arguments of one object, raised together by `raise_all`."""

    def __init__(self, owner: str) -> None:
        self.owner = steps(owner)
        self.mistakes: list[Mistake] = []

    @property
    def lines(self) -> list[str]:
        """The mistakes as text."""
        return [str(mistake) for mistake in self.mistakes]

    def add(self, field: str, value: object, allowed: str, beside: Path = ()) -> None:
        """Note that `field` (`leads[0].site` for one further inside) has `value`, which is not what is `allowed`."""
        self.mistakes.append(Mistake((*self.owner, *steps(field)), shown(value, describes=True), allowed, beside))

    def has(self, field: str) -> bool:
        """Whether a mistake in `field` itself is noted."""
        return any(mistake.path == (*self.owner, *steps(field)) for mistake in self.mistakes)

    def take(self, found: ValueError | Iterable[Mistake | str], *path: str | int) -> None:
        """Note the mistakes of another object, with the owner and `path` in place of it if a path is given."""
        given = mistakes_of(found) if isinstance(found, ValueError) else found
        for mistake in (m if isinstance(m, Mistake) else Mistake.read(m) for m in given):
            self.mistakes.append(mistake.below(*self.owner, *path) if path else mistake)

    def check(self, ok: bool, field: str, value: object, allowed: str) -> bool:
        """Note a mistake unless `ok`; returns `ok` so that dependent checks can be skipped."""
        if not ok:
            self.add(field, value, allowed)
        return ok

    def raise_all(self) -> None:
        """Raise one `MistakesError` with all mistakes, if there is any."""
        if self.mistakes:
            raise MistakesError(self.mistakes)

    def number(
        self, field: str, value: Any, allowed: str, ok: Callable[[float], bool] = lambda x: True,
        smallest: float = SMALLEST,
    ) -> float:
        """`value` as a finite float for which `ok` holds; NaN stands in when it is not.

        Where 0 is not allowed, nothing below `smallest` is either.
        """
        array = as_numbers(value, float)
        if array is None or array.ndim != 0:
            self.add(field, value, allowed)
            return float("nan")
        number = float(array)
        if not self.check(bool(np.isfinite(number) and ok(number)), field, value, allowed):
            return float("nan")
        least = 0.0 if ok(0.0) else smallest
        inside = f"{allowed}, of magnitude {least:g} to {LARGEST:g}"
        return number if self.check(least <= abs(number) <= LARGEST, field, value, inside) else float("nan")

    def integer(
        self, field: str, value: Any, allowed: str, ok: Callable[[int], bool] = lambda x: True
    ) -> int | None:
        """`value` as an int for which `ok` holds; None stands in when it is not."""
        is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not self.check(is_integer and ok(int(value)), field, value, allowed):
            return None
        return int(value)

    def path(self, field: str, value: Any, allowed: str = "text or a path") -> pathlib.Path:
        """`value` as a path; the working folder stands in when it is none."""
        path = pathlib.Path("\0")  # which no system takes
        with suppress(TypeError):
            path = pathlib.Path(value)
        return path if self.check("\0" not in str(path), field, value, allowed) else pathlib.Path()

    def sites(self, field: str, value: Any) -> int | None:
        """`value` as a number of sites; None stands in when it is not."""
        return self.integer(field, value, f"an integer >= 1 and <= {MOST_SITES}", lambda n: 1 <= n <= MOST_SITES)

    def array(
        self, field: str, value: Any, shape: tuple[int | None, ...], allowed: str, dtype: Any = float,
        largest: float = LARGEST,
    ) -> np.ndarray | None:
        """`value` as a read-only array of `shape` (None: any length), entries up to `largest`; None when it is not."""
        array = as_numbers(value, dtype)
        if array is None:
            self.add(field, value, allowed)
            return None
        fits = array.ndim == len(shape) and all(
            want in (None, got) for want, got in zip(shape, array.shape, strict=True)
        )
        if not fits:
            self.add(field, f"shape {array.shape}", allowed)
            return None
        if not np.isfinite(array).all():
            self.add(field, f"{value!r} (holds NaN or inf)" if array.size <= 6 else "holds NaN or inf", allowed)
            return None
        top = float(np.abs(array).max(initial=0.0))
        if not self.check(top <= largest, field, f"holds {top:g}", f"{allowed}, of magnitude up to {largest:g}"):
            return None
        array.flags.writeable = False
        return array

    def per_site(
        self, field: str, value: Any, n_sites: int, allowed: str, ok: Callable[[np.ndarray], Any] | None = None
    ) -> np.ndarray | None:
        """A number for all sites, or one for each, as a read-only (n_sites,) array; None when it is neither."""
        allowed = f"{allowed}: a number, or {n_sites} of them"
        if not isinstance(value, Sequence) and dimensions(value) == 0:
            number = self.number(field, value, allowed, lambda x: ok is None or bool(np.all(ok(np.array(x)))))
            array = np.full(n_sites, number)
            array.flags.writeable = False
            return array
        checked = self.array(field, value, (n_sites,), allowed)
        if checked is None or ok is None or not self.check(bool(np.all(ok(checked))), field, value, allowed):
            return checked
        least = 0.0 if np.all(ok(np.zeros(1))) else SMALLEST
        self.check(bool(np.all(checked >= least)), field, value, f"{allowed}, at least {least:g}")
        return checked

    def memory(self, field: str, n_sites: int, arrays: int, remedy: str) -> bool:
        """Note a mistake unless `arrays` complex arrays of (2 n_sites)^2 fit into this machine; returns whether."""
        needed, there = arrays * 16 * (2 * n_sites) ** 2, memory_of_machine()
        most = int(np.sqrt(there / (64 * arrays))) if np.isfinite(there) else n_sites
        value = f"{n_sites} sites, {arrays} arrays of (2 x {n_sites})^2 numbers, {needed / 2**30:.3g} GiB"
        allowed = f"at most {most} sites with the {there / 2**30:.3g} GiB of this machine; {remedy}"
        return self.check(needed <= there, field, value, allowed)

    def moments(self, field: str, value: Any, n_sites: int | None = None, bare: bool = False) -> np.ndarray | None:
        """`value` as a read-only (n_sites, 3) array of unit vectors; None when it is not.

        With `bare` exact zero vectors may stand for sites without a moment.
        """
        rows = "n_sites" if n_sites is None else str(n_sites)
        zeros = " (or 0 0 0 on sites without a moment)" if bare else ""
        allowed = f"unit vectors of shape ({rows}, 3){zeros}"
        array = self.array(field, value, (n_sites, 3), allowed)
        if array is None:
            return None
        length = np.linalg.norm(array, axis=1)
        wrong = np.flatnonzero((np.abs(length - 1) > UNIT_TOLERANCE) & ~(bare & (length == 0)))
        if wrong.size:
            i = int(wrong[0])
            self.add(field, f"site {i} is {array[i].tolist()} of length {length[i]:.12g}", allowed)
            return None
        return array

    def axis(self, field: str, value: Any) -> np.ndarray | None:
        """`value` ('x', 'y', 'z' or a non-zero 3-vector) as a read-only unit vector; None when it is neither."""
        allowed = "'x', 'y', 'z' or a non-zero vector of 3 finite numbers"
        if isinstance(value, str):
            if value not in AXES:
                self.add(field, value, allowed)
                return None
            value = AXES[value]
        array = self.array(field, value, (3,), allowed, largest=np.inf)  # its length is of no account
        if array is None or not self.check(bool(np.any(array)), field, value, allowed):
            return None
        return normalised(array)


def need(ok: bool, owner: str, field: str, value: object, allowed: str) -> None:
    """Raise MistakesError unless `ok`, where nothing else can be looked at before."""
    problems = Problems(owner)
    problems.check(ok, field, value, allowed)
    problems.raise_all()


def path_of(owner: str, field: str, value: Any, allowed: str = "text or a path") -> pathlib.Path:
    """`value`, the argument `field` of `owner`, as a path; raises MistakesError when it is none."""
    problems = Problems(owner)
    path = problems.path(field, value, allowed)
    problems.raise_all()
    return path


def memory_of_machine() -> float:
    """Bytes of main memory; infinite where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return np.inf


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Read-only unit vectors along `vectors`, (..., 3), none of them zero.

    Unit vectors stay as they are, so that a stored axis is read back with the same bits.
    """
    units = vectors / np.abs(vectors).max(axis=-1, keepdims=True)  # squares of huge components would leave the range
    units /= np.linalg.norm(units, axis=-1, keepdims=True)
    same = np.abs(units - vectors).max(axis=-1, keepdims=True) < 1e-15
    units = np.where(same, vectors, units)
    units.flags.writeable = False
    return units


def as_numbers(value: Any, dtype: Any) -> np.ndarray | None:
    """`value` as a new array of `dtype` (float or complex); None when it holds anything but numbers of that kind.

    numpy by itself would read text, truth values and None as numbers and drop imaginary parts.
    """
    try:
        given = np.asarray(value)
        if given.dtype == object and any(isinstance(x, str | bytes | bool | np.bool_ | None) for x in given.flat):
            return None
        if given.dtype.kind not in ("iufcO" if dtype is complex else "iufO"):
            return None
        return np.array(given, dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        return None


def dimensions(value: Any) -> int:
    """Number of axes of `value` as an array; of rows of unequal length, which numpy refuses, those of the rows."""
    try:
        return np.ndim(value)
    except ValueError:
        return 1


def shown(value: object, describes: bool = False) -> str:
    """`value` in one line of at most 120 characters; text of several words that `describes` a value is not quoted."""
    try:
        text = value if describes and isinstance(value, str) and " " in value else repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = "an integer of thousands of digits"
    text = " ".join(text.split())
    return text if len(text) <= 120 else text[:117] + "..."
