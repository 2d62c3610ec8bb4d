"""Energies of single moments: magnetic anisotropy and the magnetic field.

Each is an `EnergyTerm` (`terms.py`); the sums that use them live there too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from scipy import sparse

from llgnegf._checks import Problems, as_numbers, dimensions, normalised
from llgnegf.problem.arguments import AXIS, Argument, EnergyPerSite, Vector, Vectors
from llgnegf.problem.drives import Drive, TimeFunction, drives_of
from llgnegf.problem.magnetism.terms import EnergyTerm
from llgnegf.units import MU_B


def number_or_array(problems: Problems, field: str, value: Any, allowed: str) -> Any:
    """`value` as a float, or as a read-only one-dimensional array; None or NaN after a problem."""
    if dimensions(value) == 0:
        return problems.number(field, value, f"{allowed}: a number, or a list of them")
    return problems.array(field, value, (None,), f"{allowed}: a number, or a list of them")


def length_problem(owner: str, field: str, value: Any, length: int, kind: str) -> list[str]:
    """A line if `value` is an array that does not have one entry for each of `length` items of this `kind`."""
    if dimensions(value) == 0 or len(value) == length:
        return []
    return [f"{owner}.{field}: {len(value)} of them; allowed: a number, or {length}, one for each {kind}"]


@dataclass(frozen=True, eq=False)
class UniaxialAnisotropy(EnergyTerm):
    """H = -sum_i K_i (M_i . e_i)^2: an easy axis e for K > 0, a hard axis (easy plane normal to e) for K < 0.

    Args:
        K: Anisotropy (eV): a number, or one for each site.
        axis: 'x', 'y', 'z' or a non-zero 3-vector (its length is of no account), or one such vector for each
            site, shape (n_sites, 3).

    Raises:
        ValueError: For a value that is none of these; on use, if the number of entries is not that of the sites.
    """

    K: EnergyPerSite
    axis: Annotated[Any, Argument(str | Vector | Vectors, f"{AXIS}, or one for each site")]
    name: ClassVar[str] = "uniaxial_anisotropy"

    def __post_init__(self) -> None:
        problems = Problems("UniaxialAnisotropy")
        constant = number_or_array(problems, "K", self.K, "in eV")
        if isinstance(self.axis, str) or dimensions(self.axis) < 2:
            axis = problems.axis("axis", self.axis)
        else:
            allowed = "non-zero vectors of shape (n_sites, 3)"
            axis = problems.array("axis", self.axis, (None, 3), allowed)
            if axis is not None and problems.check(bool(np.all(np.any(axis, axis=1))), "axis", self.axis, allowed):
                axis = normalised(axis)
        problems.raise_all()
        object.__setattr__(self, "K", constant)
        object.__setattr__(self, "axis", axis)

    def problems(self, n_sites: int) -> list[str]:
        lines = length_problem("UniaxialAnisotropy", "K", self.K, n_sites, "site")
        if self.axis.ndim == 2:
            lines += length_problem("UniaxialAnisotropy", "axis", self.axis, n_sites, "site")
        return lines

    def matrix(self, n_sites: int, magnetic_moment: np.ndarray) -> sparse.csr_array:
        constant = np.broadcast_to(self.K, n_sites)
        axis = np.broadcast_to(self.axis, (n_sites, 3))
        blocks = -2 * constant[:, None, None] * axis[:, :, None] * axis[:, None, :]
        return sparse.csr_array(sparse.block_diag(list(blocks), format="csr"))


@dataclass(frozen=True, eq=False)
class CubicAnisotropy(EnergyTerm):
    """H = sum_i K1_i (m_x^2 m_y^2 + m_y^2 m_z^2 + m_z^2 m_x^2), m the components of M_i along the crystal axes.

    K1 > 0 makes the <100> directions easy, K1 < 0 the <111> directions (K1/3 there, K1/4 along <110>).

    Args:
        K1: Anisotropy (eV): a number, or one for each site.
        axes: The three crystal axes as orthonormal rows, shape (3, 3); the Cartesian axes if left out.

    Raises:
        ValueError: For a value that is none of these; on use, if the number of K1 is not that of the sites.
    """

    K1: EnergyPerSite
    axes: Annotated[Any, Argument(Vectors, "three orthonormal vectors")] = None
    name: ClassVar[str] = "cubic_anisotropy"

    def __post_init__(self) -> None:
        problems = Problems("CubicAnisotropy")
        constant = number_or_array(problems, "K1", self.K1, "in eV")
        allowed = "three orthonormal rows, to 1e-10"
        axes = problems.array("axes", np.eye(3) if self.axes is None else self.axes, (3, 3), allowed)
        if axes is not None:
            problems.check(bool(np.abs(axes @ axes.T - np.eye(3)).max() <= 1e-10), "axes", self.axes, allowed)
        problems.raise_all()
        object.__setattr__(self, "K1", constant)
        object.__setattr__(self, "axes", axes)

    def problems(self, n_sites: int) -> list[str]:
        return length_problem("CubicAnisotropy", "K1", self.K1, n_sites, "site")

    def cubic(self, n_sites: int) -> tuple[np.ndarray, np.ndarray]:
        return np.array(np.broadcast_to(self.K1, n_sites)), self.axes


@dataclass(frozen=True, eq=False)
class Zeeman(EnergyTerm):
    """H = -sum_i mu_i B_i(t) . M_i: the field acts on the moments alone, not on the spins of the electrons.

    The electrons' own term g_e mu_B/2 B.sigma is 5.8e-5 eV for each tesla; where it counts, add it to the Hamiltonian
    of `Electrons` (for a constant field).

    Args:
        B: Magnetic field (T): a 3-vector, one for each site of shape (n_sites, 3), or a function of time (fs)
            that returns either.
        rate: dB/dt (T/fs) as a function of time, for the power of a time-dependent field. Left out, it is that of
            B where B is a drive, and otherwise taken from five values of the field spaced by h = 0.01 fs
            (error h^4 |d^5 B/dt^5| / 30).

    Raises:
        ValueError: For a value that is none of these; for a rate that belongs to a constant field; on use, if
            the number of field vectors is not that of the sites.
    """

    B: Annotated[
        Any, Argument(Vector | Vectors, "a vector of 3 finite numbers, or one for each site", "T", driven=True)
    ]
    rate: Callable[[float], Any] | None = None
    name: ClassVar[str] = "zeeman"

    def __post_init__(self) -> None:
        problems = Problems("Zeeman")
        if callable(self.B):
            problems.check(self.rate is None or callable(self.rate), "rate", self.rate, "a function of time, or None")
        else:
            shape = (3,) if dimensions(self.B) < 2 else (None, 3)
            allowed = "a vector of 3 numbers in T, one for each site, or a function of time that returns either"
            object.__setattr__(self, "B", problems.array("B", self.B, shape, allowed))
            problems.check(self.rate is None, "rate", self.rate, "None for a constant field, whose rate is 0")
        problems.raise_all()

    def problems(self, n_sites: int) -> list[str]:
        if not callable(self.B):
            if self.B.ndim == 2 and len(self.B) != n_sites:
                return [f"Zeeman.B: shape {self.B.shape}; allowed: shape (3,) or ({n_sites}, 3)"]
            return []
        try:
            _evaluate("B", self.B, 0.0, n_sites)
            if self.rate is not None:
                _evaluate("rate", self.rate, 0.0, n_sites)
        except ValueError as error:
            return [str(error)]
        return []

    def linear(self, n_sites: int, magnetic_moment: np.ndarray) -> np.ndarray | None:
        if callable(self.B):
            return None
        return MU_B * magnetic_moment[:, None] * np.broadcast_to(self.B, (n_sites, 3))

    def driven(self, n_sites: int, magnetic_moment: np.ndarray) -> Drive | None:
        if not callable(self.B):
            return None
        scale, function = MU_B * magnetic_moment[:, None], self.B
        rate = function.rate if self.rate is None and isinstance(function, Drive) else self.rate

        def field_at(t: float) -> np.ndarray:
            return _evaluate("B", function, t, n_sites)

        def rate_at(t: float) -> np.ndarray:
            if rate is not None:
                return _evaluate("rate", rate, t, n_sites)
            h = RATE_STEP
            near, far = field_at(t + h) - field_at(t - h), field_at(t + 2 * h) - field_at(t - 2 * h)
            return (8 * near - far) / (12 * h)

        return TimeFunction(lambda t: scale * field_at(t), derivative=lambda t: scale * rate_at(t))

    def drives(self) -> tuple[Drive, ...]:
        return drives_of(self.B)


RATE_STEP = 0.01
"""Spacing (fs) of the field values behind a rate that is not given."""


def wrong_array(given: Any, value: np.ndarray | None) -> str:
    """What is wrong with `value`, which a function gave, in a few words; None where it holds no numbers."""
    if value is None:
        return " ".join(repr(given).split())[:80]
    return f"shape {value.shape}" if np.isfinite(value).all() else "NaN or inf"


def _evaluate(field: str, function: Callable[[float], Any], t: float, n_sites: int) -> np.ndarray:
    """function(t) as finite vectors, shape (n_sites, 3), or (3,) for all sites."""
    given = function(t)
    value = as_numbers(given, float)
    if value is None or value.shape not in ((3,), (n_sites, 3)) or not np.isfinite(value).all():
        wrong = wrong_array(given, value)
        raise ValueError(f"Zeeman.{field}: {wrong} at t = {t:g} fs; allowed: finite, shape (3,) or ({n_sites}, 3)")
    return value
