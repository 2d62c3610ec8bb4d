"""What an energy of classical moments is, how energies add up, and their sum as numbers ready to integrate.

The terms themselves are in `onsite.py` and `pairs.py`; the equation of motion that uses the sum is in `llg.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, overload

import numpy as np
from scipy import sparse

from llgnegf._checks import Problems
from llgnegf.problem.drives import Drive, unknown_drives
from llgnegf.units import MU_B


class EnergyTerm:
    """One term H(M_1 .. M_N, t) of the energy of classical moments, in eV.

    Every term is a sum of three kinds of parts, and says so by overriding the methods that give them:

        H = 1/2 M.A.M  -  sum_i b_i(t).M_i  +  sum_i K_i (m_x^2 m_y^2 + m_y^2 m_z^2 + m_z^2 m_x^2),  m = R M_i

    Terms add: `Exchange(0.1) + Zeeman([0, 0, 1.0])` is an `EnergySum`.
    """

    name: ClassVar[str]
    """Key of this term in an energy by terms."""

    def problems(self, n_sites: int) -> list[str]:
        """One line for each reason why this term is of no use on a chain of `n_sites`."""
        return []

    def matrix(self, n_sites: int, magnetic_moment: np.ndarray) -> sparse.csr_array | None:
        """The symmetric A (eV), shape (3 n_sites, 3 n_sites), row 3 i + a; None if there is none."""
        return None

    def linear(self, n_sites: int, magnetic_moment: np.ndarray) -> np.ndarray | None:
        """The time-independent b (eV), shape (n_sites, 3); None if there is none."""
        return None

    def driven(self, n_sites: int, magnetic_moment: np.ndarray) -> Drive | None:
        """The time-dependent b (eV), (n_sites, 3), as a function of time; None if there is none."""
        return None

    def drives(self) -> tuple[Drive, ...]:
        """What changes in time. Of a term with a time-dependent b that does not say more, the drives among its
        attributes are known, and that there may be another one."""
        return () if type(self).driven is EnergyTerm.driven else unknown_drives(self)

    def cubic(self, n_sites: int) -> tuple[np.ndarray, np.ndarray] | None:
        """K (eV), shape (n_sites,), and the crystal axes as the rows of R, shape (3, 3); None if there is none."""
        return None

    def steepest(self, n_sites: int, magnetic_moment: np.ndarray) -> float:
        """A bound (eV) of |dH/dM_i| for all directions of the moments, at t = 0."""
        parts = _Parts.of(self, n_sites, magnetic_moment)
        rows = np.asarray(abs(parts.matrix).sum(axis=1)).reshape(n_sites, 3)
        fields = np.linalg.norm(parts.b(0.0), axis=1)
        cubic = 2 * np.abs(parts.cubic_constants).sum(axis=0)
        return float((np.linalg.norm(rows, axis=1) + fields + cubic).max())

    def energy(self, moments: Any, magnetic_moment: Any, t: float = 0.0) -> float:
        """The energy (eV) of `moments` (n_sites, 3) with `magnetic_moment` (mu_B; a number or one a site)."""
        moments = np.asarray(moments, dtype=float)
        return ClassicalEnergy([self], len(moments), magnetic_moment).energy(moments, t)

    def gradient(self, moments: Any, magnetic_moment: Any, t: float = 0.0) -> np.ndarray:
        """dH/dM_i (eV), shape (n_sites, 3); arguments as for `energy`."""
        moments = np.asarray(moments, dtype=float)
        return ClassicalEnergy([self], len(moments), magnetic_moment).gradient(moments, t)

    def field(self, moments: Any, magnetic_moment: Any, t: float = 0.0) -> np.ndarray:
        """B_i = -(1/mu_i) dH/dM_i (T), shape (n_sites, 3); arguments as for `energy`."""
        moments = np.asarray(moments, dtype=float)
        return ClassicalEnergy([self], len(moments), magnetic_moment).field(moments, t)

    def __add__(self, other: EnergyTerm | EnergySum) -> EnergySum:
        return EnergySum((self,)) + other


@dataclass(frozen=True)
class EnergySum(Sequence[EnergyTerm]):
    """Several energy terms added up; a sequence of them, accepted wherever a list of terms is."""

    terms: tuple[EnergyTerm, ...]

    def __add__(self, other: EnergyTerm | EnergySum) -> EnergySum:
        if isinstance(other, EnergyTerm):
            return EnergySum((*self.terms, other))
        if isinstance(other, EnergySum):
            return EnergySum(self.terms + other.terms)
        return NotImplemented

    @overload
    def __getitem__(self, index: int) -> EnergyTerm: ...
    @overload
    def __getitem__(self, index: slice) -> EnergySum: ...
    def __getitem__(self, index: int | slice) -> EnergyTerm | EnergySum:
        return EnergySum(self.terms[index]) if isinstance(index, slice) else self.terms[index]

    def __iter__(self) -> Iterator[EnergyTerm]:
        return iter(self.terms)

    def __len__(self) -> int:
        return len(self.terms)


def as_terms(energies: EnergyTerm | Iterable[EnergyTerm]) -> tuple[EnergyTerm, ...]:
    """One term, a sum or any iterable of terms as a tuple; TypeError if something else is in it."""
    terms = (energies,) if isinstance(energies, EnergyTerm) else tuple(energies)
    for term in terms:
        if not isinstance(term, EnergyTerm):
            raise TypeError(f"{term!r} is not an energy term")
    return terms


def term_names(terms: Sequence[EnergyTerm]) -> list[str]:
    """A different name for each term: the second Zeeman term is `zeeman_2`."""
    kinds = [term.name for term in terms]
    counts = [kinds[: k + 1].count(kind) for k, kind in enumerate(kinds)]
    return [kind if count == 1 else f"{kind}_{count}" for kind, count in zip(kinds, counts, strict=True)]


@dataclass(frozen=True, eq=False)
class _Parts:
    """The numbers of one term, or of a sum of terms."""

    matrix: sparse.csr_array
    linear: np.ndarray
    drives: tuple[Drive, ...]
    cubic_constants: np.ndarray
    cubic_axes: np.ndarray

    @classmethod
    def of(cls, term: EnergyTerm, n_sites: int, mu: np.ndarray) -> _Parts:
        matrix, linear, drive = term.matrix(n_sites, mu), term.linear(n_sites, mu), term.driven(n_sites, mu)
        cubic = term.cubic(n_sites)
        return cls(
            matrix=sparse.csr_array((3 * n_sites, 3 * n_sites)) if matrix is None else matrix,
            linear=np.zeros((n_sites, 3)) if linear is None else linear,
            drives=() if drive is None else (drive,),
            cubic_constants=np.zeros((0, n_sites)) if cubic is None else cubic[0][None],
            cubic_axes=np.zeros((0, 3, 3)) if cubic is None else cubic[1][None],
        )

    @classmethod
    def total(cls, parts: Sequence[_Parts], n_sites: int) -> _Parts:
        matrix = sparse.csr_array((3 * n_sites, 3 * n_sites))
        for part in parts:
            matrix = matrix + part.matrix
        matrix = sparse.csr_array(matrix)
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return cls(
            matrix=matrix,
            linear=np.sum([part.linear for part in parts], axis=0) if parts else np.zeros((n_sites, 3)),
            drives=tuple(drive for part in parts for drive in part.drives),
            cubic_constants=np.concatenate([np.zeros((0, n_sites))] + [part.cubic_constants for part in parts]),
            cubic_axes=np.concatenate([np.zeros((0, 3, 3))] + [part.cubic_axes for part in parts]),
        )

    def b(self, t: float) -> np.ndarray:
        if not self.drives:
            return self.linear
        return self.linear + sum(drive(t) for drive in self.drives)

    def energy(self, moments: np.ndarray, t: float) -> float:
        flat = moments.reshape(-1)
        energy = 0.5 * flat @ (self.matrix @ flat) - self.b(t).reshape(-1) @ flat
        if self.cubic_constants.size:
            square = np.einsum("cab,ib->cia", self.cubic_axes, moments) ** 2
            energy += np.sum(self.cubic_constants * np.sum(square * np.roll(square, -1, axis=-1), axis=-1))
        return float(energy)

    def gradient(self, moments: np.ndarray, t: float) -> np.ndarray:
        gradient = (self.matrix @ moments.reshape(-1)).reshape(-1, 3) - self.b(t)
        crystal = np.einsum("cab,ib->cia", self.cubic_axes, moments)
        square = crystal**2
        others = np.sum(square, axis=-1, keepdims=True) - square
        slope = 2 * self.cubic_constants[..., None] * crystal * others
        return gradient + np.einsum("cab,cia->ib", self.cubic_axes, slope)


@dataclass(frozen=True, eq=False)
class ClassicalEnergy:
    """The sum of energy terms on a chain, as numbers: H = 1/2 M.A.M - b(t).M + cubic part (see `EnergyTerm`).

    Args:
        terms: Energy terms, an `EnergySum` or one term; an empty list is the energy 0.
        n_sites: Number of moments.
        magnetic_moment: mu_B; a positive number, or one for each site.

    Attributes:
        matrix: A (eV), scipy CSR, shape (3 n_sites, 3 n_sites), symmetric; row 3 i + a is component a of site i.
        constant: The time-independent part of b (eV), shape (n_sites, 3).
        cubic_constants: K (eV), shape (number of cubic terms, n_sites).
        cubic_axes: Crystal axes as rows, shape (number of cubic terms, 3, 3).

    Raises:
        ValueError: One line for each wrong argument and for each term that is of no use on this chain.
    """

    terms: tuple[EnergyTerm, ...]
    n_sites: int
    magnetic_moment: np.ndarray
    _total: _Parts = field(init=False, repr=False)
    _parts: tuple[_Parts, ...] = field(init=False, repr=False)

    def __init__(self, terms: EnergyTerm | Iterable[EnergyTerm], n_sites: int, magnetic_moment: Any) -> None:
        terms = as_terms(terms)
        problems = Problems("ClassicalEnergy")
        n = problems.integer("n_sites", n_sites, "an integer >= 1", lambda n: n >= 1)
        if n is not None:
            mu = problems.per_site("magnetic_moment", magnetic_moment, n, "> 0, in mu_B", lambda x: x > 0)
            problems.take(line for term in terms for line in term.problems(n))
        problems.raise_all()
        assert n is not None and mu is not None
        parts = tuple(_Parts.of(term, n, mu) for term in terms)
        for name, value in {
            "terms": terms, "n_sites": n, "magnetic_moment": mu,
            "_parts": parts, "_total": _Parts.total(parts, n),
        }.items():  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def matrix(self) -> sparse.csr_array:
        return self._total.matrix

    @property
    def constant(self) -> np.ndarray:
        return self._total.linear

    @property
    def cubic_constants(self) -> np.ndarray:
        return self._total.cubic_constants

    @property
    def cubic_axes(self) -> np.ndarray:
        return self._total.cubic_axes

    @property
    def is_static(self) -> bool:
        """Whether the energy does not depend on time explicitly."""
        return not self._total.drives

    def linear(self, t: float = 0.0) -> np.ndarray:
        """b(t) (eV), constant and time-dependent parts together, shape (n_sites, 3)."""
        return self._total.b(t)

    def energy(self, moments: Any, t: float = 0.0) -> float:
        """The total energy (eV) of `moments` (n_sites, 3) at time `t` (fs)."""
        return self._total.energy(self._checked(moments), t)

    def by_term(self, moments: Any, t: float = 0.0) -> dict[str, float]:
        """The energy (eV) of each term under its name; a second term of a kind is called `name_2`."""
        moments = self._checked(moments)
        energies = [part.energy(moments, t) for part in self._parts]
        return dict(zip(term_names(self.terms), energies, strict=True))

    def gradient(self, moments: Any, t: float = 0.0) -> np.ndarray:
        """dH/dM_i (eV), shape (n_sites, 3)."""
        return self._total.gradient(self._checked(moments), t)

    def field(self, moments: Any, t: float = 0.0) -> np.ndarray:
        """The effective field B_i = -(1/mu_i) dH/dM_i (T), shape (n_sites, 3)."""
        return -self.gradient(moments, t) / (MU_B * self.magnetic_moment[:, None])

    def power(self, moments: Any, t: float = 0.0) -> float:
        """The explicit dH/dt at fixed moments (eV/fs): the power that a time-dependent field puts in."""
        moments = self._checked(moments)
        return -float(sum(np.sum(drive.rate(t) * moments) for drive in self._total.drives))

    def _checked(self, moments: Any) -> np.ndarray:
        moments = np.asarray(moments, dtype=float)
        if moments.shape != (self.n_sites, 3):
            raise ValueError(f"moments: shape {moments.shape}; allowed: shape ({self.n_sites}, 3)")
        return moments
