"""What an energy of classical moments is, how energies add up, and their sum as numbers ready to integrate.

The terms themselves are in the files beside; `equations.moments` moves the moments by their sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from llgnegf._checks import Problems, normalised
from llgnegf.problem.drives import Drive, TimeFunction, drives_of, unknown_drives
from llgnegf.problem.magnetism.fields import Declared
from llgnegf.units import MU_B


class EnergyTerm(Declared):
    """Energy of classical moments, in eV: what all terms have in common, and what one of your own inherits.

    A term says what it is in one of two ways. Sums of three kinds of parts, which compiled code knows, by overriding
    `matrix`, `linear` or `driven`, and `cubic`, the methods that give them, ::

        H = 1/2 M.A.M  -  sum_i b_i(t).M_i  +  sum_i K_i (m_x^2 m_y^2 + m_y^2 m_z^2 + m_z^2 m_x^2),  m = R M_i

    Any other energy by overriding both `energy` and `gradient`, and `drives` if it depends on time.

    Terms add: `Exchange(0.1) + Zeeman([0, 0, 1.0])` is accepted wherever a list of terms is.

    Attributes
    ----------
    name : str
        Key of this term in an energy by terms.

    Examples
    --------
    A fourth-order anisotropy of every moment:

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, eq=False)
    ... class Quartic(ln.EnergyTerm):
    ...     K: float
    ...     name = "quartic"
    ...     def energy(self, moments, magnetic_moment, t=0.0):
    ...         return float(-self.K * np.sum(np.asarray(moments)[:, 2] ** 4))
    ...     def gradient(self, moments, magnetic_moment, t=0.0):
    ...         return -4 * self.K * np.asarray(moments) ** 3 * [0.0, 0.0, 1.0]
    >>> magnet = ln.Magnet(ln.uniform(3), magnetic_moment=1.0, energies=[ln.Exchange(0.1), Quartic(0.01)])
    >>> print({name: round(energy, 6) for name, energy in magnet.energy.by_term(magnet.moments).items()})
    {'exchange': -0.2, 'quartic': -0.03}
    """

    name: ClassVar[str]
    """Key of this term in an energy by terms."""

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
        """What changes in time. Of a term that does not say more, the functions of time among its attributes if it
        has a gradient of its own; if it has a time-dependent b, the drives among them and that there may be another."""
        if self.has_own_gradient():
            return drives_of(*vars(self).values())
        return () if type(self).driven is EnergyTerm.driven else unknown_drives(self)

    def cubic(self, n_sites: int) -> tuple[np.ndarray, np.ndarray] | None:
        """K (eV), shape (n_sites,), and the crystal axes as the rows of R, shape (3, 3); None if there is none."""
        return None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if (cls.energy is EnergyTerm.energy) is not (cls.gradient is EnergyTerm.gradient):
            raise TypeError(f"{cls.__name__}: one of energy and gradient; allowed: both or neither")

    @classmethod
    def has_own_gradient(cls) -> bool:
        """Whether `gradient` is the term's own, and not made of parts that compiled code knows."""
        return cls.gradient is not EnergyTerm.gradient

    def steepest(self, n_sites: int, magnetic_moment: np.ndarray) -> float:
        """A bound (eV) of ``|dH/dM_i|`` for all directions of the moments, at t = 0; of an energy that is not made of
        the known parts twice the largest one of a hundred textures."""
        if self.has_own_gradient():
            textures = normalised(np.random.default_rng(0).normal(size=(100, n_sites, 3)))
            gradients = np.array([self.gradient(m, magnetic_moment) for m in textures])
            return 2 * float(np.linalg.norm(gradients, axis=-1).max())
        total = ClassicalEnergy([self], n_sites, magnetic_moment)
        rows = np.asarray(abs(total.matrix).sum(axis=1)).reshape(n_sites, 3)
        fields = np.linalg.norm(total.linear(), axis=1)
        cubic = 2 * np.abs(total.cubic_constants).sum(axis=0)
        return float((np.linalg.norm(rows, axis=1) + fields + cubic).max())

    def energy(self, moments: Any, magnetic_moment: Any, t: float = 0.0) -> float:
        """The energy (eV) of `moments` (n_sites, 3) with `magnetic_moment` (mu_B; a number or one a site)."""
        return ClassicalEnergy([self], len(moments), magnetic_moment).energy(moments, t)

    def gradient(self, moments: Any, magnetic_moment: Any, t: float = 0.0) -> np.ndarray:
        """dH/dM_i (eV), shape (n_sites, 3), for vectors of any length near 1; arguments as for `energy`."""
        return ClassicalEnergy([self], len(moments), magnetic_moment).gradient(moments, t)

    def field(self, moments: Any, magnetic_moment: Any, t: float = 0.0) -> np.ndarray:
        """B_i = -(1/mu_i) dH/dM_i (T), shape (n_sites, 3); arguments as for `energy`."""
        return ClassicalEnergy([self], len(moments), magnetic_moment).field(moments, t)

    def __add__(self, other: EnergyTerm | EnergySum) -> EnergySum:
        return EnergySum((self,)) + other


class EnergySum(tuple[EnergyTerm, ...]):
    """Several energy terms added up, accepted wherever a list of terms is."""

    def __add__(self, other: Any) -> EnergySum:
        if isinstance(other, EnergyTerm | EnergySum):
            return EnergySum((*self, *as_terms(other)))
        return NotImplemented


def as_terms(energies: EnergyTerm | Iterable[EnergyTerm]) -> tuple[EnergyTerm, ...]:
    """One term, a sum or any iterable of terms as a tuple; TypeError if something else is in it."""
    terms = (energies,) if isinstance(energies, EnergyTerm) else tuple(energies)
    for term in terms:
        if not isinstance(term, EnergyTerm):
            raise TypeError(f"{term!r} is not an energy term")
    return terms


class ClassicalEnergy:
    """The sum of energy terms on a chain, as numbers: H = 1/2 M.A.M - b(t).M + cubic part + all others.

    Args:
        terms: Energy terms, an `EnergySum` or one term; an empty list is the energy 0.
        n_sites: Number of moments.
        magnetic_moment: mu_B; a positive number, or one for each site.

    Attributes:
        matrix: A (eV), scipy CSR, shape (3 n_sites, 3 n_sites), symmetric; row 3 i + a is component a of site i.
        constant: The time-independent part of b (eV), shape (n_sites, 3).
        driven: The time-dependent parts of b (eV), each (n_sites, 3), as functions of time.
        cubic_constants: K (eV), shape (number of cubic terms, n_sites).
        cubic_axes: Crystal axes as rows, shape (number of cubic terms, 3, 3).
        others: Terms with a gradient of their own.

    Raises:
        ValueError: One line for each wrong argument and for each term that is of no use on this chain.
    """

    def __init__(self, terms: EnergyTerm | Iterable[EnergyTerm], n_sites: int, magnetic_moment: Any) -> None:
        self.terms = as_terms(terms)
        problems = Problems("ClassicalEnergy")
        n = problems.integer("n_sites", n_sites, "an integer >= 1", lambda n: n >= 1)
        if n is not None:
            mu = problems.per_site("magnetic_moment", magnetic_moment, n, "> 0, in mu_B", lambda x: x > 0)
            problems.take(line for term in self.terms for line in term.problems(n))
        problems.raise_all()
        assert n is not None and mu is not None
        self.n_sites, self.magnetic_moment = n, mu
        self.others = tuple(term for term in self.terms if term.has_own_gradient())
        known = [term for term in self.terms if not term.has_own_gradient()]
        matrices = [m for m in (term.matrix(n, mu) for term in known) if m is not None]
        self.matrix = sparse.csr_array(sum(matrices, start=sparse.csr_array((3 * n, 3 * n))))
        self.matrix.eliminate_zeros()
        self.matrix.sort_indices()
        linear = [b for b in (term.linear(n, mu) for term in known) if b is not None]
        self.constant: np.ndarray = sum(linear, start=np.zeros((n, 3)))
        self.driven = tuple(drive for drive in (term.driven(n, mu) for term in known) if drive is not None)
        cubic = [part for part in (term.cubic(n) for term in known) if part is not None]
        self.cubic_constants = np.array([constants for constants, _ in cubic]).reshape(-1, n)
        self.cubic_axes = np.array([axes for _, axes in cubic]).reshape(-1, 3, 3)

    @property
    def is_static(self) -> bool:
        """Whether the energy does not depend on time explicitly."""
        return not self.driven and not any(term.drives() for term in self.others)

    @property
    def is_constant(self) -> bool:
        """Whether `linear` depends neither on time nor on the moments."""
        return not self.driven and not self.others

    def linear(self, t: float = 0.0, moments: np.ndarray | None = None) -> np.ndarray:
        """b(t) (eV), shape (n_sites, 3); for given moments minus the gradients of all other terms added to it."""
        total = self.constant
        for drive in self.driven:
            total = total + drive(t)
        for term in self.others if moments is not None else ():
            total = total - term.gradient(moments, self.magnetic_moment, t)
        return total

    def energy(self, moments: Any, t: float = 0.0) -> float:
        """The total energy (eV) of `moments` (n_sites, 3) at time `t` (fs)."""
        flat = self._checked(moments).reshape(-1)
        energy = 0.5 * flat @ (self.matrix @ flat) - self.linear(t).reshape(-1) @ flat
        if self.cubic_constants.size:
            square = self._along_axes(flat) ** 2
            energy += np.sum(self.cubic_constants * np.sum(square * np.roll(square, -1, axis=-1), axis=-1))
        return float(energy + sum(x.energy(moments, self.magnetic_moment, t) for x in self.others))

    def gradient(self, moments: Any, t: float = 0.0) -> np.ndarray:
        """dH/dM_i (eV), shape (n_sites, 3)."""
        moments = self._checked(moments)
        gradient = (self.matrix @ moments.reshape(-1)).reshape(-1, 3) - self.linear(t, moments)
        if self.cubic_constants.size:
            crystal = self._along_axes(moments)
            others = np.sum(crystal**2, axis=-1, keepdims=True) - crystal**2
            slope = 2 * self.cubic_constants[..., None] * crystal * others
            gradient += np.einsum("cab,cia->ib", self.cubic_axes, slope)
        return gradient

    def hessian(self, moments: Any, t: float = 0.0) -> np.ndarray:
        """d^2H/dM_i dM_j (eV), shape (3 n_sites, 3 n_sites), row 3 i + a, moments taken as free vectors.

        Exact for quadratic terms. Others have their gradient differentiated by [8 g(h) - 8 g(-h) - g(2h) + g(-2h)]/12h,
        exact but for round-off, 1e-13, where it is a polynomial up to degree 4 (cubic anisotropy), else to h^4 = 2e-11.
        """
        if not self.cubic_constants.size and not self.others:
            return self.matrix.toarray()
        flat, h = self._checked(moments).reshape(-1), 2e-3

        def gradients(step: float) -> np.ndarray:
            turned = flat + step * np.eye(flat.size)
            return np.array([self.gradient(m.reshape(-1, 3), t).reshape(-1) for m in turned])

        found = (8 * (gradients(h) - gradients(-h)) - gradients(2 * h) + gradients(-2 * h)) / (12 * h)
        return 0.5 * (found + found.T)

    def field(self, moments: Any, t: float = 0.0) -> np.ndarray:
        """The effective field B_i = -(1/mu_i) dH/dM_i (T), shape (n_sites, 3)."""
        return -self.gradient(moments, t) / (MU_B * self.magnetic_moment[:, None])

    def by_term(self, moments: Any, t: float = 0.0) -> dict[str, float]:
        """The energy (eV) of each term under its name; a second term of a kind is called `name_2`."""
        names = [term.name for term in self.terms]
        counts = [names[: k + 1].count(name) for k, name in enumerate(names)]
        return {
            name if count == 1 else f"{name}_{count}": term.energy(moments, self.magnetic_moment, t)
            for name, count, term in zip(names, counts, self.terms, strict=True)
        }

    def power(self, moments: Any, t: float = 0.0) -> float:
        """The explicit dH/dt at fixed moments (eV/fs): the power that what depends on time puts in."""
        moments = self._checked(moments)
        others = TimeFunction(lambda t: sum(x.energy(moments, self.magnetic_moment, t) for x in self.others))
        return float(others.rate(t) - sum(np.sum(drive.rate(t) * moments) for drive in self.driven))

    def _along_axes(self, moments: np.ndarray) -> np.ndarray:
        """m = R M_i for each cubic term, (number of cubic terms, n_sites, 3)."""
        return np.einsum("cab,ib->cia", self.cubic_axes, moments.reshape(-1, 3))

    def _checked(self, moments: Any) -> np.ndarray:
        moments = np.asarray(moments, dtype=float)
        if moments.shape != (self.n_sites, 3):
            raise ValueError(f"moments: shape {moments.shape}; allowed: shape ({self.n_sites}, 3)")
        return moments
