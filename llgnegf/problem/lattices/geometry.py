"""Sites, bonds and sides in space: what a lattice is before anything is made of it.

Beneath `lattice`, which makes electrons, leads and energies; `parts` has the checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order, connected_components

from llgnegf._checks import Problems, as_numbers, dimensions
from llgnegf._readable import Readable, readable
from llgnegf.problem.lattices.parts import (
    Side,
    checked_lengths,
    checked_pairs,
    checked_sides,
    problems_of,
    second_neighbours,
)


@dataclass(frozen=True, eq=False)
class Geometry(Readable):
    """The fields of a `Lattice`, checked, and what follows from them alone."""

    positions: Any
    bonds: Any
    next_bonds: Any = None
    sides: Mapping[str, Any] = field(default_factory=dict)
    plaquette: float | None = None
    lengths: Any = None

    def __post_init__(self) -> None:
        problems = Problems("Lattice")
        given = as_numbers(self.positions, float)
        given = self.positions if given is None else given
        if dimensions(given) == 2 and np.shape(given)[1] == 2:
            given = np.pad(given, ((0, 0), (0, 1)))
        allowed = "at least one row (x, y, z), or (x, y), of finite numbers in nm"
        positions = problems.array("positions", given, (None, 3), allowed)
        if positions is None or not problems.check(len(positions) > 0, "positions", self.positions, allowed):
            problems.raise_all()
            raise AssertionError("unreachable")
        n = len(positions)
        bonds = checked_pairs(problems, "bonds", self.bonds, n)
        problems.raise_all()
        second = second_neighbours(positions, bonds) if self.next_bonds is None else self.next_bonds
        second = checked_pairs(problems, "next_bonds", second, n)
        sides = checked_sides(problems, self.sides, n)
        lengths = checked_lengths(problems, self.lengths, positions, bonds, second)
        if self.plaquette is not None:
            problems.number("plaquette", self.plaquette, "None or an area > 0, in nm^2", lambda a: a > 0)
        problems.raise_all()
        values = {"positions": positions, "bonds": bonds, "next_bonds": second, "sides": sides, "lengths": lengths}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        sides = f", sides {', '.join(self.sides)}" if self.sides else ""
        return f"<Lattice: {self.n_sites} sites, {len(self.bonds)} bonds{sides}>"

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return len(self.positions)

    @property
    def edges(self) -> dict[str, np.ndarray]:
        """The sites of the last unit cell at each side that a ribbon can go on from."""
        return {name: side.sites for name, side in self.sides.items()}

    @readable
    def masked(self, keep: Any) -> Self:
        """What is left with vacancies, or of a constriction.

        Parameters
        ----------
        keep : array_like of bool, (N,), or callable
            Which sites stay; a function is called with x and y in nm of each site.

        Returns
        -------
        Lattice
            The sites that stay, in their order, counted anew.

        Raises
        ------
        ValueError
            One line for each argument that is not of this kind.
        """
        problems, allowed = problems_of("masked"), f"{self.n_sites} booleans, or a function of x and y"
        given = [bool(keep(x, y)) for x, y, _ in self.positions] if callable(keep) else keep
        stays = np.asarray(given) if dimensions(given) == 1 else np.zeros(0)
        problems.check(stays.dtype == bool and stays.shape == (self.n_sites,), "keep", keep, allowed)
        problems.raise_all()
        problems.check(bool(stays.any()), "keep", keep, "at least one site that stays")
        problems.raise_all()
        number = np.cumsum(stays) - 1
        bonds, second = (number[b[stays[b].all(axis=1)]] for b in (self.bonds, self.next_bonds))
        sides = {
            name: Side(number[side.sites[stays[side.sites]]], side.translation,
                       side.missing + int(np.sum(~stays[side.sites])))
            for name, side in self.sides.items()
        }  # fmt: skip
        return type(self)(self.positions[stays], bonds, second, sides, self.plaquette, self.lengths)

    @readable
    def derivative(self, direction: Any = "x") -> tuple[tuple[int, int, float], ...]:
        """Weights of the derivative along a direction, (e.grad f)_i = sum_j w_ij (f_j - f_i).

        Parameters
        ----------
        direction : str or array_like, default 'x'
            The unit vector e is along it.

        Returns
        -------
        tuple of (int, int, float)
            (i, j, w), w in 1/nm: those of the gradient that fits the differences to the bonded neighbours best (least
            squares), exact for what is linear in space: central differences on a square lattice, one-sided ones at its
            edges. Where all bonds of a site are normal to a direction the derivative along it is 0.

        Raises
        ------
        ValueError
            One line for each argument that is not of this kind.
        """
        problems = problems_of("derivative")
        axis = problems.axis("direction", direction)
        problems.raise_all()
        entries: list[tuple[int, int, float]] = []
        for i in range(self.n_sites):
            others = self.adjacency.indices[self.adjacency.indptr[i] : self.adjacency.indptr[i + 1]]
            weights = axis @ np.linalg.pinv(self.positions[others] - self.positions[i], rcond=1e-9)
            entries += [(i, int(j), float(w)) for j, w in zip(others, weights, strict=True) if abs(w) > 1e-12]
        return tuple(entries)

    def sublattices(self) -> np.ndarray:
        """Signs of two sublattices, none of whose sites has a bond within its own.

        Returns
        -------
        ndarray, (N,)
            +1 and -1; the first site of each connected part is +1.

        Raises
        ------
        ValueError
            If there is a loop of an odd number of bonds.
        """
        signs = np.zeros(self.n_sites, dtype=int)
        _, part = connected_components(self.adjacency, directed=False)
        for start in np.unique(part, return_index=True)[1]:
            order, before = breadth_first_order(self.adjacency, start, directed=False)
            signs[start] = 1
            for i in order[1:]:
                signs[i] = -signs[before[i]]
        problems = problems_of("sublattices")
        odd = self.bonds[signs[self.bonds[:, 0]] == signs[self.bonds[:, 1]]]
        value = f"{tuple(odd[0].tolist())} closes a loop of an odd number of bonds" if len(odd) else ""
        problems.check(not len(odd), "bonds", value, "two sublattices, each bonded to the other alone")
        problems.raise_all()
        return signs

    @cached_property
    def adjacency(self) -> sp.csr_array:
        """1 where two sites are bonded, (N, N)."""
        i, j = self.bonds.T
        upper = sp.coo_array((np.ones(len(i)), (i, j)), shape=(self.n_sites, self.n_sites))
        return sp.csr_array(upper + upper.T)
