"""Terms of the device Hamiltonian that change in time: functions of time times matrices, and phases on bonds.

    H(t) = P(t) o [H_0 + sum_k f_k(t) A_k],    P_ij(t) = exp(i phi_ij(t)),    phi_ij = -phi_ji = sum_k g_k(t) q_k,ij

(o: element by element, alike for all spins of a bond, so that a Hermitian matrix stays one). Every term is asked for
the same things: its functions of time, their rates, and the matrices or phases that they multiply. Energies in eV,
times in fs, positions in nm. Electrons have the charge -e: a gate shifts levels by f(t) as it is given, a field E
pushes electrons against it. Before t = 0 everything is what it is at t = 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from llgnegf._checks import Problems, as_numbers
from llgnegf._readable import Readable
from llgnegf.problem.arguments import NUMBER, Argument, Numbers
from llgnegf.problem.drives import Drive, drives_of
from llgnegf.problem.matrices import both_spins, diagonal, hermitian

Sites = Annotated[
    Any, Argument(int | tuple[int, ...], "a site, or a list of different ones, -N <= site < N", none="all sites")
]
Bonds = Annotated[
    Any,
    Argument(tuple[tuple[int, int], ...], "a list of pairs [i, j] of different sites", none="all bonds i < j of H_0"),
]
Amplitude = Annotated[Any, Argument(float, f"{NUMBER} that multiplies the matrix", driven=True)]
Levels = Annotated[Any, Argument(float | Numbers, f"{NUMBER}, or one for each of the sites", "eV", driven=True)]
BondPhase = Annotated[Any, Argument(float | Numbers, f"{NUMBER}, or one for each of the bonds", "rad", driven=True)]


class DeviceTerm(Readable):
    """A part of H(t): amplitudes f_k(t) or g_k(t), (K,), and the matrices A_k or phases q_k that they multiply.

    A subclass names in `driven` the field that its amplitudes are made of, and gives `matrices` or `phases`.
    """

    driven: ClassVar[str]
    is_phase: ClassVar[bool] = False

    def matrices(self, n_sites: int, positions: np.ndarray | None) -> list[sp.csr_array]:
        """Hermitian A_k in what makes f_k A_k eV; none for a term of phases.

        Parameters
        ----------
        n_sites : int
            Sites N of the device.
        positions : ndarray, (N, 3), or None
            Of its sites in nm.

        Returns
        -------
        list of csr_array, (2N, 2N)
            One for each amplitude.

        Raises
        ------
        ValueError
            One line for each field that does not fit the device.
        """
        return []

    def phases(self, i: np.ndarray, j: np.ndarray, n_sites: int, positions: np.ndarray | None) -> np.ndarray:
        """q_k of the elements between the sites i and j, (elements, K); raises as `matrices` does."""
        return np.zeros((i.size, 0))

    def check(self, n_sites: int, positions: np.ndarray | None) -> None:
        """Raise ValueError, one line a mistake, for what does not fit the device."""
        none = np.zeros(0, dtype=int)
        self.matrices(n_sites, positions)
        self.phases(none, none, n_sites, positions)
        shape, shapes = np.shape(self._at(0.0)), self.shapes(n_sites)
        problems = Problems(type(self).__name__)
        allowed = f"shape {' or '.join(map(str, shapes))}, or a function of time (fs) that returns it"
        problems.check(shape in shapes, self.driven, f"shape {shape} at t = 0", allowed)
        problems.raise_all()

    def shapes(self, n_sites: int) -> tuple[tuple[int, ...], ...]:
        """What the values may be."""
        return ((),)

    def drives(self) -> tuple[Drive, ...]:
        """What changes in time."""
        return drives_of(getattr(self, self.driven))

    def amplitudes(self, time: float) -> np.ndarray:
        """f_k or g_k at `time` (fs), (K,)."""
        value = np.asarray(self._at(time))
        if value.dtype.kind not in "iuf":
            kind = type(self).__name__
            raise ValueError(f"{kind}.{self.driven}: {value!r} at t = {time:g} fs; allowed: real numbers")
        return value.astype(float).ravel()

    def rates(self, time: float) -> np.ndarray:
        """d/dt of the amplitudes per fs, (K,)."""
        drives = self.drives()
        if not drives or time < 0:
            return np.zeros(self.amplitudes(0.0).size)
        return np.asarray(drives[0].rate(time), dtype=float).ravel()

    def _at(self, time: float) -> Any:
        values = getattr(self, self.driven)
        return values(max(time, 0.0)) if callable(values) else values

    def _check_values(self, problems: Problems, unit: str) -> None:
        """The values are numbers, or a function of time that returns numbers at t = 0."""
        allowed = f"finite: a number, an array, or a function of time (fs) that returns one, in {unit}"
        value = as_numbers(self._at(0.0), float)
        good = value is not None and value.size > 0 and bool(np.isfinite(value).all())
        problems.check(good, self.driven, getattr(self, self.driven), allowed)


@dataclass(frozen=True, eq=False)
class TimeDependent(DeviceTerm):
    """Any matrix times a function of time, H_1 = f(t) A.

    Parameters
    ----------
    matrix : array_like or sparse, (2N, 2N) or (N, N)
        A, Hermitian; (N, N) for both spins alike; f A in eV.
    drive : float or callable
        f: a drive, a function of time (fs), or a number.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    A bond that is switched off within 10 fs:

    >>> bond = np.zeros((3, 3))
    >>> bond[0, 1] = bond[1, 0] = 1.0  # + 1 eV on a hopping of -1 eV
    >>> cut = ln.TimeDependent(bond, ln.Ramp(0.0, 1.0, start=0.0, duration=10.0))
    >>> wire = ln.chain(3, terms=[cut])
    >>> print(wire.device.matrix(10.0).toarray()[0, 2].real + 0.0)  # spin up: sites 0 and 1 are 0 and 2
    0.0
    """

    matrix: Any
    drive: Amplitude
    driven: ClassVar[str] = "drive"

    def __post_init__(self) -> None:
        problems = Problems("TimeDependent")
        matrix = hermitian(problems, "matrix", self.matrix)
        self._check_values(problems, "eV over the units of matrix")
        problems.raise_all()
        object.__setattr__(self, "matrix", matrix)

    def matrices(self, n_sites: int, positions: np.ndarray | None) -> list[sp.csr_array]:
        size = self.matrix.shape[0]
        problems = Problems("TimeDependent")
        allowed = f"({n_sites}, {n_sites}) or ({2 * n_sites}, {2 * n_sites})"
        problems.check(size in (n_sites, 2 * n_sites), "matrix", f"shape {self.matrix.shape}", allowed)
        problems.raise_all()
        return [both_spins(self.matrix) if size == n_sites else self.matrix]


@dataclass(frozen=True, eq=False)
class Gate(DeviceTerm):
    """Level shift of some sites, H_1 = sum_i f_i(t) n_i.

    Parameters
    ----------
    sites : int or list of int or None
        A site or a list of them, negative ones from the end; None for all.
    drive : float or array_like or callable
        f in eV: a drive, a function of time (fs) or a number; one value for all sites or one for each.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    >>> gate = ln.Gate([2, 3, 4], ln.Ramp(0.0, 0.3, start=0.0, duration=20.0))
    >>> wire = ln.chain(7, terms=[gate])
    >>> print(wire.device.matrix(20.0).diagonal()[::2].real)  # eV, spin up
    [0.  0.  0.3 0.3 0.3 0.  0. ]
    """

    sites: Sites
    drive: Levels
    driven: ClassVar[str] = "drive"

    def __post_init__(self) -> None:
        problems = Problems("Gate")
        sites = None if self.sites is None else tuple(_listed(self.sites))
        good = sites is None or (len(sites) > 0 and all(_is_index(i) for i in sites) and len(set(sites)) == len(sites))
        problems.check(good, "sites", self.sites, "a site, a list of different ones, or None for all")
        self._check_values(problems, "eV")
        problems.raise_all()
        object.__setattr__(self, "sites", sites)

    def matrices(self, n_sites: int, positions: np.ndarray | None) -> list[sp.csr_array]:
        sites = range(n_sites) if self.sites is None else self.sites
        problems = Problems("Gate")
        for i in sites:
            problems.check(-n_sites <= i < n_sites, "sites", i, f"-{n_sites} <= site < {n_sites}")
        places = np.array([i % n_sites for i in sites])
        problems.check(np.unique(places).size == places.size, "sites", self.sites, "each site once")
        problems.raise_all()
        if np.size(self._at(0.0)) == 1:
            return [diagonal(np.isin(np.arange(n_sites), places).astype(float))]
        return [diagonal((np.arange(n_sites) == i).astype(float)) for i in places]

    def shapes(self, n_sites: int) -> tuple[tuple[int, ...], ...]:
        return (), (n_sites if self.sites is None else len(self.sites),)


@dataclass(frozen=True, eq=False)
class Peierls(DeviceTerm):
    """Phase on bonds: t_ij c_i^dag c_j, i < j, becomes t_ij exp(i f(t)) c_i^dag c_j.

    Parameters
    ----------
    phase : float or array_like or callable
        f in rad: a drive, a function of time (fs) or a number; one value for all bonds or one for each.
    bonds : list of (int, int), optional
        Pairs (i, j); t_ij of c_i^dag c_j gets exp(i f), t_ji its conjugate. None: all pairs i < j that H_0 connects.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    See Also
    --------
    VectorPotential : The phases of a uniform field, from positions.

    Notes
    -----
    In a vector potential electrons of charge -e get f_ij = (e/hbar) int_i^j A.dl [1]_.

    References
    ----------
    .. [1] R. Peierls, Z. Phys. 80, 763 (1933).

    Examples
    --------
    >>> wire = ln.chain(2, terms=[ln.Peierls(np.pi / 2)])
    >>> print(wire.device.matrix(0.0).toarray()[0, 2].imag)  # eV: -1 times exp(i pi/2)
    -1.0
    """

    phase: BondPhase
    bonds: Bonds = None
    driven: ClassVar[str] = "phase"
    is_phase: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = Problems("Peierls")
        self._check_values(problems, "rad")
        if self.bonds is not None:
            pairs = [tuple(_listed(pair)) for pair in _listed(self.bonds)]
            good = bool(pairs) and all(len(p) == 2 and all(map(_is_index, p)) and p[0] != p[1] for p in pairs)
            good = good and len({frozenset(p) for p in pairs}) == len(pairs)
            allowed = "a list of pairs (i, j) of different sites, each bond once, or None for all"
            problems.check(good, "bonds", self.bonds, allowed)
            object.__setattr__(self, "bonds", tuple(pairs))
        problems.raise_all()

    def phases(self, i: np.ndarray, j: np.ndarray, n_sites: int, positions: np.ndarray | None) -> np.ndarray:
        if self.bonds is None:
            return np.sign(j - i)[:, None].astype(float)
        problems = Problems("Peierls")
        for pair in self.bonds:
            problems.check(all(0 <= site < n_sites for site in pair), "bonds", pair, f"sites from 0 to {n_sites - 1}")
        problems.raise_all()
        here, there = np.array(self.bonds).T
        signs = 1.0 * ((i[:, None] == here) & (j[:, None] == there)) - ((i[:, None] == there) & (j[:, None] == here))
        return signs if np.size(self._at(0.0)) > 1 else signs.sum(axis=1, keepdims=True)

    def shapes(self, n_sites: int) -> tuple[tuple[int, ...], ...]:
        return ((),) if self.bonds is None else ((), (len(self.bonds),))


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else [value]


def _is_index(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
