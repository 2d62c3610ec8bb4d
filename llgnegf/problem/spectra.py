"""Self-energies of lead channels: Sigma(E), Gamma(E) and dSigma/dE in the upper half plane and on the real axis.

`Spectrum` is what a channel must offer, one class per kind of lead does; `leads` attaches them to sites.

Every Sigma here is retarded: analytic in the upper half plane, Gamma(E) = i (Sigma - Sigma^*) = -2 Im Sigma >= 0 on
the real axis (a real E means E + i0), and Sigma -> int dE' Gamma(E')/(2 pi E) far away (constant for the wide band).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem.arguments import Energies, Energy


class Modes(NamedTuple):
    """A channel as damped modes: Sigma(E) = -i wide_band/2 + sum_y b_y/(E - chi_y).

    Attributes:
        energies, weights: chi_y (M,) in eV, Im chi_y < 0, and b_y (M,) in eV^2; Gamma(E) must be >= 0.
        error: Bound on max_t |K(t) - K_fit(t)| in eV^2.
        wide_band: The part of Gamma (eV) that does not depend on energy and needs no modes.
    """

    energies: Any
    weights: Any
    error: float = 0.0
    wide_band: float = 0.0


@runtime_checkable
class Spectrum(Protocol):
    """What a lead channel must offer; all methods take and return arrays of any shape.

    To be propagated it must have a finite support, and is fitted by damped modes. Structure within the support, however
    narrow, is found by comparison of Sigma above the axis with samples of Gamma. A class may know better:

        points          energies in eV, where to look for structure first
        weight          K(0) = int Gamma dE/2pi in eV^2, the squared coupling; else it is taken from Sigma far away
        modes(tolerance) -> Modes, with max_t |K(t) - K_fit(t)| <= tolerance K(0); with a `weight` any support will do
    """

    @property
    def support(self) -> tuple[float, float]:
        """The interval (eV) outside which Gamma is zero; infinite ends for the wide band."""

    @property
    def is_zero(self) -> bool:
        """True for a channel that is not coupled at all."""

    def self_energy(self, energy: Any) -> np.ndarray:
        """Sigma(E) in eV, for Im E >= 0."""

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        """dSigma/dE, dimensionless, for Im E >= 0."""

    def broadening(self, energy: Any) -> np.ndarray:
        """Gamma(E) = -2 Im Sigma in eV, for real E."""


def check_spectrum(problems: Problems, field: str, value: Any) -> None:
    """Note `value` unless it is a spectrum."""
    wanted = "an object with self_energy, self_energy_derivative, broadening, support and is_zero"
    problems.check(isinstance(value, Spectrum) and not isinstance(value, type), field, value, wanted)


@dataclass(frozen=True)
class ChainSpectrum:
    """End of a semi-infinite chain with hopping gamma and on-site energy e, attached by gamma_c.

        Sigma(E) = gamma_c^2/(2 gamma^2) [x - sqrt(x - 2 gamma) sqrt(x + 2 gamma)],     x = E - e

    (physics of a semi-infinite chain: Sigma = gamma_c^2 g with the surface function g = 1/(x - gamma^2 g)).
    It is evaluated as 2 gamma_c^2/(x + sqrt sqrt), which does not cancel at large |E|.
    dSigma/dE = -Sigma/(sqrt sqrt) diverges at the band edges |x| = 2 gamma.

    Args:
        coupling: gamma_c in eV.
        hopping: gamma in eV, not 0.
        onsite: e in eV.
    """

    coupling: Energy
    hopping: Energy
    onsite: Energy = 0.0

    def __post_init__(self) -> None:
        problems = Problems("ChainSpectrum")
        problems.number("coupling", self.coupling, "a finite number, in eV")
        problems.number("hopping", self.hopping, "a finite number other than 0, in eV", lambda x: x != 0)
        problems.number("onsite", self.onsite, "a finite number, in eV")
        problems.raise_all()

    @property
    def support(self) -> tuple[float, float]:
        return self.onsite - 2 * abs(self.hopping), self.onsite + 2 * abs(self.hopping)

    @property
    def is_zero(self) -> bool:
        return self.coupling == 0

    @property
    def weight(self) -> float:
        return self.coupling**2

    def _root(self, energy: Any) -> tuple[np.ndarray, np.ndarray]:
        x = upper_half_plane(energy) - self.onsite
        edge = 2 * abs(self.hopping)
        return x, np.sqrt(x - edge) * np.sqrt(x + edge)

    def self_energy(self, energy: Any) -> np.ndarray:
        x, root = self._root(energy)
        return 2 * self.coupling**2 / (x + root)

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        x, root = self._root(energy)
        return -2 * self.coupling**2 / ((x + root) * root)

    def broadening(self, energy: Any) -> np.ndarray:
        x, edge = np.asarray(energy, dtype=float) - self.onsite, 2 * abs(self.hopping)
        # Not sqrt(4 gamma^2 - x^2): next to a band edge the difference of squares cancels.
        return (self.coupling / self.hopping) ** 2 * np.sqrt(np.maximum((edge - x) * (edge + x), 0.0))


@dataclass(frozen=True)
class WideBandSpectrum:
    """Energy-independent Sigma = -i Gamma/2 (the paper's -i Gamma' with Gamma' = Gamma/2).

    Args:
        gamma: Gamma in eV, >= 0.
    """

    gamma: Energy

    def __post_init__(self) -> None:
        problems = Problems("WideBandSpectrum")
        problems.number("gamma", self.gamma, "a finite number >= 0, in eV", lambda x: x >= 0)
        problems.raise_all()

    @property
    def support(self) -> tuple[float, float]:
        return -np.inf, np.inf

    @property
    def is_zero(self) -> bool:
        return self.gamma == 0

    @property
    def weight(self) -> float:
        """(Gamma/2)^2: K is a delta function; this bounds the square of what it moves levels by."""
        return (0.5 * self.gamma) ** 2

    def modes(self, tolerance: float) -> Modes:
        return Modes((), (), wide_band=self.gamma)

    def self_energy(self, energy: Any) -> np.ndarray:
        return np.full(np.shape(energy), -0.5j * self.gamma)

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        return np.zeros(np.shape(energy), dtype=complex)

    def broadening(self, energy: Any) -> np.ndarray:
        return np.full(np.shape(energy), self.gamma)


@dataclass(frozen=True, eq=False)
class TabulatedSpectrum:
    """Gamma(E) given at `energies`, piecewise linear between them and zero outside.

        Sigma(E) = int dE'/(2 pi) Gamma(E')/(E - E'),      exact for each linear piece:
        int_a^b (p + q E')/(E - E') dE' = (p + q E) log[(E - a)/(E - b)] - q (b - a)

    Args:
        energies: Increasing energies in eV, (n,).
        values: Gamma >= 0 in eV, (n,), zero at both ends: a jump would make Sigma diverge logarithmically there.
    """

    energies: Energies
    values: Energies

    def __post_init__(self) -> None:
        problems = Problems("TabulatedSpectrum")
        grid, table = checked_table(problems, self.energies, self.values, "values")
        problems.raise_all()
        object.__setattr__(self, "energies", grid)
        object.__setattr__(self, "values", table)

    @property
    def support(self) -> tuple[float, float]:
        return float(self.energies[0]), float(self.energies[-1])

    @property
    def is_zero(self) -> bool:
        return not np.any(self.values)

    @property
    def weight(self) -> float:
        return float(np.trapezoid(self.values, self.energies)) / (2 * np.pi)

    def self_energy(self, energy: Any) -> np.ndarray:
        return piecewise_linear_self_energy(self.energies, self.values, upper_half_plane(energy))

    def self_energy_derivative(self, energy: Any) -> np.ndarray:
        # d/dE of the pieces: q log[(E-a)/(E-b)] + line (1/(E-a) - 1/(E-b)); the second terms cancel between
        # neighbouring pieces because Gamma is continuous and zero at the ends.
        log = logarithms(self.energies, upper_half_plane(energy)[..., None])
        slope = np.diff(self.values) / np.diff(self.energies)
        return (slope * (log[..., :-1] - log[..., 1:])).sum(axis=-1) / (2 * np.pi)

    def broadening(self, energy: Any) -> np.ndarray:
        return np.interp(np.asarray(energy, dtype=float), self.energies, self.values, left=0.0, right=0.0)


def checked_energies(problems: Problems, energies: Any) -> np.ndarray | None:
    """Energies of a table as an array (n,), mistakes noted; None after one."""
    allowed = "at least 3 increasing finite energies, in eV"
    grid = problems.array("energies", energies, (None,), allowed)
    if grid is None:
        return None
    good = grid.size >= 3 and bool(np.all(np.diff(grid) > 0))
    return grid if problems.check(good, "energies", energies, allowed) else None


def checked_table(problems: Problems, energies: Any, values: Any, name: str) -> tuple[Any, Any]:
    """Energies and the broadening called `name` of a `TabulatedSpectrum` as arrays (n,), mistakes noted."""
    grid, table = checked_energies(problems, energies), None
    if grid is not None:
        allowed = f"{grid.size} finite numbers >= 0, zero at both ends, in eV"
        table = problems.array(name, values, (grid.size,), allowed)
        if table is not None:
            good = bool(np.all(table >= 0)) and table[0] == 0 and table[-1] == 0
            problems.check(good, name, values, allowed)
    return grid, table


def piecewise_linear_self_energy(nodes: np.ndarray, values: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Sigma(E), Im E >= 0, of a Gamma linear between the nodes; a jump at an end makes it infinite there only."""
    e = energy[..., None]
    log = logarithms(nodes, e)
    line = values[:-1] + np.diff(values) / np.diff(nodes) * (e - nodes[:-1])
    pieces = line * (log[..., :-1] - log[..., 1:]) - np.diff(values)
    return pieces.sum(axis=-1) / (2 * np.pi)


def logarithms(nodes: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """log(E - node) for each node (last axis)."""
    difference = energy - nodes
    # A node is hit exactly: p + q E = Gamma(node) on both sides, so the two logs cancel; any finite value does.
    return np.log(np.where(difference == 0, 1.0, difference))


def upper_half_plane(energy: Any) -> np.ndarray:
    """`energy` as a complex array in the closed upper half plane; -0 and real values mean E + i0."""
    e = np.asarray(energy, dtype=complex)
    if np.any(e.imag < 0):
        raise ValueError(f"energy: {e[e.imag < 0].flat[0]}; allowed: Im E >= 0 (Sigma is the retarded self-energy)")
    return e.real + 1j * np.abs(e.imag)
