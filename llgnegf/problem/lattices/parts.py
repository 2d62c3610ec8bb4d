"""What a lattice is made of, and what its methods take: sides, pairs of sites, and arguments as files give them.

Beneath `lattice`, which has the class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from llgnegf._checks import Problems, as_numbers
from llgnegf.problem.arguments import NUMBER, PER_SITE, Argument, Numbers, Vector, choice
from llgnegf.problem.magnetism.pairs import TENSOR

PAIRS = "pairs (i, j) of different sites counted from 0, each pair once"

Flux = Annotated[float, Argument(float, NUMBER, "h/e")]
Seed = Annotated[int | None, Argument(int, "an integer >= 0", none="no disorder")]
SideName = Annotated[str, choice("left", "right", "bottom", "top")]
InterfaceHopping = Annotated[float | None, Argument(float, NUMBER, "eV", none="the hopping")]
ExchangeField = Annotated[Any, Argument(Vector, "a vector of 3 finite numbers", "eV")]
SideSites = Annotated[Any, Argument(tuple[int, ...], "a list of different site numbers", none="all of the side")]
ExchangeConstant = Annotated[
    Any, Argument(float | Numbers | TENSOR, f"{NUMBER}, a list with one for each bond, or three rows of a tensor", "eV")
]
Symmetry = Annotated[Any, replace(choice("interfacial", "bulk"), key="symmetry")]
Velocity = Annotated[Any, Argument(float | Numbers, PER_SITE, "nm/fs", driven=True)]


class Side(NamedTuple):
    """Where a ribbon goes on.

    Attributes:
        sites: The last unit cell of the device at this side.
        translation: From this cell to the first one of the ribbon, nm, (3,), in the plane.
        missing: How many sites a mask has taken from the cell.
    """

    sites: np.ndarray
    translation: np.ndarray
    missing: int = 0


def checked_pairs(problems: Problems, name: str, value: Any, n_sites: int) -> np.ndarray:
    """Pairs of sites as (n, 2) integers, i < j, in lexical order."""
    found = as_numbers(value, float)
    empty = found is not None and found.size == 0
    pairs = np.zeros((0, 2), dtype=int) if found is None or empty else np.asarray(value)
    ok = found is not None and pairs.ndim == 2 and pairs.shape[1] == 2 and np.issubdtype(pairs.dtype, np.integer)
    ok = ok and bool(((pairs >= 0) & (pairs < n_sites)).all() and (pairs[:, 0] != pairs[:, 1]).all())
    ordered = np.unique(np.sort(pairs, axis=1), axis=0).astype(int) if ok else np.zeros((0, 2), dtype=int)
    problems.check(ok and len(ordered) == len(pairs), name, value, f"{PAIRS}, below {n_sites}")
    ordered.flags.writeable = False
    return ordered


def second_neighbours(positions: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """The closest of the pairs that have a common neighbour and no bond."""
    n = len(positions)
    one = sp.coo_array((np.ones(len(bonds)), (bonds[:, 0], bonds[:, 1])), shape=(n, n))
    near = sp.csr_array(one + one.T)
    two = sp.coo_array(sp.triu(near @ near, 1))
    bonded = set(map(tuple, bonds.tolist()))
    pairs = np.array([p for p in zip(two.row.tolist(), two.col.tolist(), strict=True) if p not in bonded], dtype=int)
    if not len(pairs):
        return np.zeros((0, 2), dtype=int)
    length = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    return pairs[length <= length.min() * (1 + 1e-6)]


def checked_lengths(
    problems: Problems, value: Any, positions: np.ndarray, bonds: np.ndarray, second: np.ndarray
) -> tuple[tuple[float, ...], ...]:
    """The lengths of bonds and of next-nearest bonds in nm: `value`, or those of the bonds, none of which may be 0."""
    for name, pairs in (("bonds", bonds), ("next_bonds", second)):
        for i, j in pairs[np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1) == 0][:1]:
            problems.add(name, f"({i}, {j}), two sites in one place", "sites in different places, for its direction")
    if value is None:
        return _lengths_of(positions, bonds), _lengths_of(positions, second)
    allowed = "None, or two lists of numbers > 0, in nm"
    parts = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    numbers = [as_numbers(part, float) for part in parts]
    good = len(parts) == 2 and all(n is not None and n.ndim == 1 and bool((n > 0).all()) for n in numbers)
    good = good and all(bool(np.isfinite(n).all()) for n in numbers if n is not None)
    if not problems.check(good, "lengths", value, allowed):
        return (), ()
    return tuple(tuple(n.tolist()) for n in numbers if n is not None)


def _lengths_of(positions: np.ndarray, bonds: np.ndarray) -> tuple[float, ...]:
    """The different lengths of bonds in nm."""
    length = np.sort(np.linalg.norm(positions[bonds[:, 0]] - positions[bonds[:, 1]], axis=1))
    return tuple(length[np.diff(length, prepend=0.0) > 1e-6 * length].tolist())


def checked_sides(problems: Problems, value: Any, n_sites: int) -> dict[str, Side]:
    """The sides of a lattice by their names."""
    names = ("left", "right", "bottom", "top")
    sides: dict[str, Side] = {}
    if not problems.check(isinstance(value, Mapping), "sides", value, f"(sites, translation) by {', '.join(names)}"):
        return sides
    for name, given in value.items():
        known, pair = name in names, isinstance(given, Sequence) and len(given) in (2, 3)
        if not problems.check(known and pair, f"sides[{name}]", given, f"(sites, translation) by {', '.join(names)}"):
            continue
        listed, translation, *missing = given
        numbers = as_numbers(listed, float)
        sites = np.zeros(0, dtype=int) if numbers is None else numbers.astype(int).ravel()
        inside = numbers is not None and bool(((sites >= 0) & (sites < n_sites)).all() and (sites == numbers).all())
        inside = inside and len(set(sites.tolist())) == len(sites)
        problems.check(inside, f"sides[{name}].sites", listed, f"different sites from 0 to {n_sites - 1}")
        step = problems.array(f"sides[{name}].translation", translation, (3,), "3 finite numbers, in nm")
        if step is not None:
            in_plane = bool(np.any(step)) and step[2] == 0
            problems.check(in_plane, f"sides[{name}].translation", translation, "not zero, in the plane z = 0")
            sides[name] = Side(sites, step, *missing)
    return sides


def problems_of(method: str) -> Problems:
    """Those of a method, whose name and class are one step of their places: arguments come next, as in a function."""
    problems = Problems("Lattice")
    problems.owner = (f"Lattice.{method}",)
    return problems
