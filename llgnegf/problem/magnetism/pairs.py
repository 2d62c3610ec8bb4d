"""Energies of pairs of moments, sum_{i<j} M_i . X_ij . M_j: exchange, Dzyaloshinskii-Moriya and dipolar interaction.

`Exchange` and `DMI` are those of neighbours on a chain, `PairExchange` and `PairDMI` of any list of pairs, which
`Lattice.exchange` and `Lattice.dmi` make for all bonds of a lattice.

All raise ValueError, a line for each value that is not of the kind that is named; on use for a chain of one site and
for other numbers of entries than it has bonds, or than there are sites.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
import scipy
from scipy import sparse

from llgnegf._checks import Problems, dimensions, memory_of_machine
from llgnegf.problem.arguments import AXIS, Argument, Numbers, Vector, Vectors
from llgnegf.problem.magnetism.fields import direction, distance, read_by, read_strength, strength
from llgnegf.problem.magnetism.terms import EnergyTerm
from llgnegf.units import MU_B

MU_0_OVER_4_PI = 1.602176634e4 * 1.00000000055
"""Magnetic constant over 4 pi, T^2 angstrom^3/eV (CODATA 2018)."""

TENSOR = tuple[Vector, Vector, Vector]
PAIRS = Argument(
    tuple[tuple[int, int, float | TENSOR], ...],
    "a list of [site, other site, J], each pair once, J a number or three rows of a tensor", "eV", numbered=True,
)  # fmt: skip
VECTOR_PAIRS = Argument(
    tuple[tuple[int, int, Vector], ...], "a list of [site, other site, [Dx, Dy, Dz]], each pair once", "eV",
    numbered=True,
)  # fmt: skip
VECTORS = Argument(
    float | Numbers | Vectors,
    "a vector of 3 finite numbers or one for each bond; with axis a number or one for each bond", "eV",
)  # fmt: skip

PLACES = Argument(Vectors, "a vector for each site", "nm")

PAIR_BYTES = 900
"""Memory for each pair of the dipolar interaction: nine entries and their indices, in both triangles and a copy."""


def _pair_matrix(n_sites: int, first: np.ndarray, second: np.ndarray, blocks: np.ndarray) -> sparse.csr_array:
    """The symmetric A of 1/2 M.A.M = sum_p M_first[p] . blocks[p] . M_second[p]."""
    a, b = np.meshgrid(np.arange(3), np.arange(3), indexing="ij")
    rows = (3 * first[:, None, None] + a).ravel()
    columns = (3 * second[:, None, None] + b).ravel()
    values = np.broadcast_to(blocks, (len(first), 3, 3)).ravel()  # each row of a block is one component of M_first
    upper = sparse.coo_array((values, (rows, columns)), shape=(3 * n_sites, 3 * n_sites))
    return sparse.csr_array(upper + upper.T)


@dataclass(frozen=True, eq=False)
class Exchange(EnergyTerm):
    """Exchange of neighbours on a chain: H = -sum_i J_i M_i . M_{i+1}, J > 0 ferromagnetic.

    Parameters
    ----------
    J : float or array_like, (n_sites - 1,)
        Exchange (eV): a number, or one for each of the n_sites - 1 bonds of the open chain.

    Raises
    ------
    ValueError
        If it is neither; on use for a chain of one site and for other numbers of entries than it has bonds.

    See Also
    --------
    Lattice.exchange : Exchange over the bonds of a lattice.
    PairExchange : Exchange of any pairs.

    Examples
    --------
    >>> exchange = ln.Exchange(0.1)
    >>> exchange.energy(ln.uniform(3), magnetic_moment=1.0)
    -0.2
    >>> total = exchange + ln.UniaxialAnisotropy(0.02, axis="z")  # terms add
    """

    J: Any = strength("eV", per="bond")
    name: ClassVar[str] = "exchange"
    least_sites = 2

    def matrix(self, n_sites: int, magnetic_moment: np.ndarray) -> sparse.csr_array:
        bonds = np.arange(n_sites - 1)
        return _pair_matrix(n_sites, bonds, bonds + 1, -self.at("J", n_sites)[:, None, None] * np.eye(3))


def _read_pairs(problems: Problems, name: str, value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return _read_pair_list(problems, name, value)
    allowed = "a symmetric square matrix with zero diagonal, in eV, or a list of (i, j, J)"
    matrix = problems.array(name, value, (None, None), allowed)
    if matrix is None or not problems.check(len(matrix) == len(matrix.T), name, f"shape {matrix.shape}", allowed):
        return matrix
    problems.check(bool((matrix == matrix.T).all() and not np.diag(matrix).any()), name, matrix, allowed)
    return matrix


def _read_pair_list(
    problems: Problems, name: str, value: Any, letter: str = "J", kind: str = "a number, or a (3, 3) tensor,",
    shapes: tuple[tuple[int, ...], ...] = ((), (3, 3)),
) -> tuple[tuple[int, int, Any], ...]:  # fmt: skip
    """(i, j, constant) of pairs, the constants of one of `shapes`: floats, and read-only arrays."""
    allowed = f"(i, j, {letter}) with two different sites counted from 0 and {kind} in eV, each pair once"
    try:
        entries = [tuple(entry) for entry in value]
    except TypeError:
        problems.add(name, value, f"a list of {allowed}, or a matrix as NumPy array")
        return ()
    problems.check(len(entries) > 0, name, value, f"at least one {allowed}")
    pairs: list[tuple[int, int, Any]] = []
    seen: set[frozenset[int]] = set()
    for entry in entries:
        sites = entry[:2]
        counted = (isinstance(i, int | np.integer) and not isinstance(i, bool) and i >= 0 for i in sites)
        ok = len(entry) == 3 and all(counted)
        ok = ok and sites[0] != sites[1] and frozenset(sites) not in seen
        if problems.check(ok, name, entry, allowed):
            seen.add(frozenset(sites))
            scalar = () in shapes and dimensions(entry[2]) == 0
            read = problems.number if scalar else partial(problems.array, shape=shapes[-1])
            pairs.append((int(sites[0]), int(sites[1]), read(name, entry[2], allowed=allowed)))
    return tuple(pairs)


class _Pairs(EnergyTerm):
    """An energy of listed pairs."""

    pairs: Any
    least_sites = 2

    def problems(self, n_sites: int) -> list[str]:
        if n_sites < 2:
            return super().problems(n_sites)
        last = max(max(i, j) for i, j, _ in self.pairs)
        name = f"{type(self).__name__}.pairs"
        return [] if last < n_sites else [f"{name}: site {last}; allowed: 0 to {n_sites - 1}"]


@dataclass(frozen=True, eq=False)
class PairExchange(_Pairs):
    """Exchange of any pairs, isotropic or by tensors: H = -sum_{i<j} M_i . J_ij . M_j.

    Each pair counts once, J > 0 is ferromagnetic. `Lattice.exchange` makes one of the bonds of a lattice.

    Parameters
    ----------
    pairs : ndarray, (n_sites, n_sites), or list of (int, int, J)
        A NumPy array is the symmetric matrix J_ij (eV), with zero diagonal; anything else is a list of (i, j, J), sites
        counted from 0, each pair at most once, J in eV a number or a (3, 3) tensor, rows for M_i and columns for M_j.

    Raises
    ------
    ValueError
        If it is neither; on use for sites that there are not.

    Examples
    --------
    >>> ring = ln.PairExchange([(0, 1, 0.1), (1, 2, 0.1), (2, 0, 0.1)])
    >>> round(ring.energy(ln.uniform(3), magnetic_moment=1.0), 6)
    -0.3
    """

    pairs: Any = read_by(_read_pairs, PAIRS)
    name: ClassVar[str] = "pair_exchange"

    def problems(self, n_sites: int) -> list[str]:
        if not isinstance(self.pairs, np.ndarray) or n_sites < 2:
            return super().problems(n_sites)
        if len(self.pairs) == n_sites:
            return []
        return [f"PairExchange.pairs: shape {self.pairs.shape}; allowed: shape ({n_sites}, {n_sites})"]

    def matrix(self, n_sites: int, magnetic_moment: np.ndarray) -> sparse.csr_array:
        if isinstance(self.pairs, np.ndarray):
            return sparse.csr_array(sparse.kron(-self.pairs, np.eye(3), format="csr"))
        first, second = np.array([pair[:2] for pair in self.pairs]).T
        tensors = np.array([J if np.ndim(J) else J * np.eye(3) for _, _, J in self.pairs])
        return _pair_matrix(n_sites, first, second, -tensors)


@dataclass(frozen=True, eq=False)
class PairDMI(_Pairs):
    """Dzyaloshinskii-Moriya interaction of any pairs: H = -sum_{i<j} D_ij . (M_i x M_j).

    (j, i, -D) says the same as (i, j, D). `Lattice.dmi` makes one of the bonds of a lattice.

    Parameters
    ----------
    pairs : list of (int, int, array_like)
        A list of (i, j, D), sites counted from 0, each pair at most once, D 3 numbers (eV).

    Raises
    ------
    ValueError
        If it is anything else; on use for sites that there are not.

    Examples
    --------
    >>> term = ln.PairDMI([(0, 1, [0, 0, 0.01])])
    >>> round(term.energy([[1, 0, 0], [0, 1, 0]], magnetic_moment=1.0), 6)  # counter-clockwise about +z
    -0.01
    """

    pairs: Any = read_by(
        lambda problems, name, value: _read_pair_list(problems, name, value, "D", "3 numbers", ((3,),)), VECTOR_PAIRS
    )
    name: ClassVar[str] = "pair_dmi"

    def matrix(self, n_sites: int, magnetic_moment: np.ndarray) -> sparse.csr_array:
        first, second = np.array([pair[:2] for pair in self.pairs]).T
        return _pair_matrix(n_sites, first, second, _antisymmetric(np.array([D for _, _, D in self.pairs])))


def _antisymmetric(vectors: np.ndarray) -> np.ndarray:
    """X of M_i . X . M_j = -D . (M_i x M_j) for vectors D (n, 3), (n, 3, 3)."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return -np.array([[zero, z, -y], [-z, zero, x], [y, -x, zero]]).transpose(2, 0, 1)


@dataclass(frozen=True, eq=False)
class DMI(EnergyTerm):
    """Dzyaloshinskii-Moriya interaction of neighbours on a chain: H = -sum_i D_i . (M_i x M_{i+1}).

    Sign: D along +z favours moments that turn counter-clockwise about +z from site i to site i + 1. With exchange J
    along the chain and moments normal to D the angle from site to site is ``atan(|D|/J)``.

    Parameters
    ----------
    D : float or array_like, (3,) or (n_sites - 1, 3)
        The vector D (eV): 3 numbers, or 3 for each of the n_sites - 1 bonds; or, with `axis`, its strength: a number,
        or one for each bond.
    axis : str or array_like, optional
        Direction of D, 'x', 'y', 'z' or a non-zero 3-vector, if `D` is a strength.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; on use for other numbers of entries than there are bonds.

    Examples
    --------
    >>> ln.DMI(0.01, axis="z")
    DMI(D=[0.0, 0.0, 0.01])
    """

    D: Any = read_by(lambda problems, name, value: value, VECTORS, "bond", (3,))
    axis: Annotated[Any, Argument(str | Vector, AXIS, kept=False)] = field(default=None, repr=False)
    name: ClassVar[str] = "dmi"
    least_sites = 2

    def __post_init__(self) -> None:
        problems = Problems("DMI")
        axis: np.ndarray | None = None
        vector: np.ndarray | None = None
        if self.axis is None:
            allowed = "a vector of 3 numbers in eV, a list of them, one for each bond, or a strength with axis="
            vector = problems.array("D", self.D, (3,) if dimensions(self.D) < 2 else (None, 3), allowed)
        else:
            given = read_strength(problems, "D", self.D, "in eV, with axis=: a number, or a list of them")
            axis = problems.axis("axis", self.axis)
            if given is not None and axis is not None:
                vector = np.asarray(given)[..., None] * axis
        if vector is not None and not np.isnan(vector).any():
            problems.check(bool(np.any(vector)), "D", self.D, "not zero (leave the term out)")
            vector.flags.writeable = False
        problems.raise_all()
        object.__setattr__(self, "D", vector)
        object.__setattr__(self, "axis", axis)

    def matrix(self, n_sites: int, magnetic_moment: np.ndarray) -> sparse.csr_array:
        bonds = np.arange(n_sites - 1)
        return _pair_matrix(n_sites, bonds, bonds + 1, _antisymmetric(self.at("D", n_sites)))


def _read_places(problems: Problems, name: str, value: Any) -> Any:
    return None if value is None else problems.array(name, value, (None, 3), "None, or (n_sites, 3) in nm")


@dataclass(frozen=True, eq=False)
class Dipolar(EnergyTerm):
    """Dipolar interaction of all pairs of moments, on a straight chain or anywhere.

    Parameters
    ----------
    spacing : float, optional
        Lattice constant (angstrom), positive: r_ij = ``|i - j|`` spacing.
    direction : str or array_like, optional
        The chain axis e: 'x', 'y', 'z' or a non-zero 3-vector.
    positions : array_like, (n_sites, 3), optional
        In place of both the positions in nm, such as those of a lattice: e_ij and r_ij follow from r_j - r_i.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; on use where two sites are in one place, and for more pairs
        than fit into memory.

    Notes
    -----
    ::

        H = (mu_0/4 pi) sum_{i<j} mu_i mu_j [M_i.M_j - 3 (M_i.e_ij)(M_j.e_ij)]/r_ij^3

    Examples
    --------
    >>> dipolar = ln.Dipolar(spacing=3.0, direction="x")
    >>> along, across = (dipolar.energy(ln.uniform(2, a), magnetic_moment=1.0) for a in "xy")
    >>> round(along / across, 6)
    -2.0
    """

    spacing: float | None = distance(default=None)
    direction: Any = direction(default=None)
    positions: Any = read_by(_read_places, PLACES, "site", (3,), default=None)
    name: ClassVar[str] = "dipolar"
    least_sites = 2

    def __post_init__(self) -> None:
        problems = self.read_fields()
        chain = {"spacing": self.spacing, "direction": self.direction}
        for name, value in chain.items():
            if self.positions is None:
                problems.check(value is not None or problems.has(name), name, value, "given, or positions")
            else:
                problems.check(value is None, name, value, "left out with positions")
        problems.raise_all()

    def problems(self, n_sites: int) -> list[str]:
        needed, there = PAIR_BYTES * n_sites**2 / 2, memory_of_machine()
        if needed > there:
            most = int(np.sqrt(2 * there / PAIR_BYTES))
            value = f"{n_sites} sites, the pairs of which need {needed / 2**30:.3g} GiB"
            return [f"Dipolar: {value}; allowed: at most {most} with the {there / 2**30:.3g} GiB of this machine"]
        lines = super().problems(n_sites)
        if self.positions is not None and not lines:
            first, second = scipy.spatial.cKDTree(self.positions).query(self.positions, k=2)[1].T
            nearest = np.linalg.norm(self.positions[first] - self.positions[second], axis=1)
            if not nearest.all():
                i = int(np.argmin(nearest))
                lines = [f"Dipolar.positions: sites {first[i]} and {second[i]} in one place; allowed: different ones"]
        return lines

    def matrix(self, n_sites: int, magnetic_moment: np.ndarray) -> sparse.csr_array:
        first, second = np.triu_indices(n_sites, 1)
        mu = MU_B * magnetic_moment
        if self.positions is None:
            steps = np.outer(second - first, (self.spacing or 0.0) * self.direction)
        else:
            steps = 10.0 * (self.positions[second] - self.positions[first])  # nm to angstrom
        r = np.linalg.norm(steps, axis=1)
        e = steps / r[:, None]
        strength = MU_0_OVER_4_PI * mu[first] * mu[second] / r**3
        shape = np.eye(3) - 3 * e[:, :, None] * e[:, None, :]
        return _pair_matrix(n_sites, first, second, strength[:, None, None] * shape)
