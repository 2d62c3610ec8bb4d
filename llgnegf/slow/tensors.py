"""Adiabatic spin density, friction and geometric tensor of many configurations, fast: what the slow dynamics evaluates.

Same physics as `response`. Open systems use the leads and the Fermi function of the propagator, so that the expansion
errors of a slow and of a full run are the same and cancel in their difference.

With the rational f = 1/2 - sum_m r_m [1/(E - z_m) + 1/(E - z_m^*)] contour integrals close around the Fermi poles,
    I[F] = sum_m r_m F(z_m^*) + h.c.      (plus 1/2 for F = G),
and the Fermi-surface integral is a sum with weights > 0, so the friction stays positive: Gauss's for the weight -f' if
sums of 5 and 9 nodes agree (G smooth on the scale of kT), else trapezoidal in x = (E - mu)/kT, exponentially
convergent, its step halved until two sums agree. The Gauss nodes are those of the polynomials orthogonal under
1/(4 cosh^2(x/2)), the continuous Hahn polynomials, beta_n = pi^2 n^4/(4 n^2 - 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llgnegf.dynamics.start import FrozenDevice
from llgnegf.electrons import PAULI
from llgnegf.poles.channels import PoleSystem
from llgnegf.slow.kernel import fermi_sums, surface_sums
from llgnegf.slow.traces import site_traces
from llgnegf.stationary.equilibrium import FERMI_RANGE, fermi
from llgnegf.stationary.quadrature import QuadratureError
from llgnegf.system import OpenSystem
from llgnegf.units import HBAR

FIRST_STEP = 2.0
"""Coarsest step in x of the Fermi-surface sum; half of it is the coarsest that is used."""
MOST_HALVINGS = 12
GAUSS_NODES = (5, 9)
DEGENERATE = 1e-9
"""Levels of a closed system closer than this (eV) count as one: equally filled, no motion mixes their filling."""


@dataclass(frozen=True, eq=False)
class Slow:
    """The electrons' part for B configurations.

    Attributes:
        spin: Adiabatic spin density, (B, N, 3).
        charge: Adiabatic electrons on each site, (B, N).
        friction, geometric: Tensors in eV fs, (B, 3N, 3N), row 3 i + a; zero where not asked for.
    """

    spin: np.ndarray
    charge: np.ndarray
    friction: np.ndarray
    geometric: np.ndarray


class SlowElectrons(Protocol):
    """Electrons that follow moments at first order."""

    @property
    def j_sd(self) -> np.ndarray:
        """sd coupling in eV, (N,)."""

    def __call__(self, moments: np.ndarray, friction: bool, geometric: bool) -> Slow:
        """Everything for the moments (B, N, 3)."""

    def grand_potential(self, moments: np.ndarray) -> float:
        """Electronic grand potential (eV) of one configuration (N, 3), up to a constant."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Energies of a sum over the Fermi surface: real and imaginary part of E - H_0 - Sigma(E), (n, 2N, 2N),
    and weights (rules, n)."""

    base: tuple[np.ndarray, np.ndarray]
    weights: np.ndarray


def _gauss_rule(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (count,) for the weight 1/(4 cosh^2(x/2)), by the eigenvalues of the Jacobi matrix."""
    n = np.arange(1, count)
    beta = np.pi**2 * n**4 / (4 * n**2 - 1)
    nodes, vectors = np.linalg.eigh(np.diag(np.sqrt(beta), 1) + np.diag(np.sqrt(beta), -1))
    return nodes, vectors[0] ** 2


class PoleTensors:
    """Open system with kT > 0, leads and Fermi function in poles.

    Args:
        poles: The expanded system, its leads in a common equilibrium.
        tolerance: Error allowed in the Fermi-surface part of K/(hbar J_j), in 1/eV^2.
    """

    def __init__(self, poles: PoleSystem, tolerance: float) -> None:
        assert poles.fermi is not None
        self.poles, self.tolerance = poles, tolerance
        system = poles.system
        self.n_sites, self.kT = system.n_sites, system.kT
        self.j_sd = np.asarray(system.electrons.j_sd, dtype=float)
        # Without moments: E - H_0 - Sigma(E) is common to all configurations.
        self._frozen = FrozenDevice(poles, np.zeros((self.n_sites, 3)))
        self.mu = float(self._frozen.mu[poles.channels[0].lead])
        z, self._residues = poles.fermi.poles(self.mu, self.kT)
        self._fermi_base = _planes(self._frozen.inverse_green(z.conj()))
        self._slopes = self._slopes_at(z.conj())
        self._levels: list[Nodes] = []
        self._gauss = self._nodes([_gauss_rule(count) for count in GAUSS_NODES])
        self.surface_nodes = 0
        j = np.repeat(self.j_sd, 3)
        self._scale = HBAR * j[:, None] * j

    def __call__(self, moments: np.ndarray, friction: bool, geometric: bool) -> Slow:
        moments = np.ascontiguousarray(moments)
        batch, n = len(moments), self.n_sites
        occupied = np.zeros((batch, n, 4))
        forward = np.zeros((batch, n, n, 4, 4) if geometric else (batch, 0, 0, 4, 4), dtype=complex)
        fermi_sums(
            *self._fermi_base, self._residues, self._frozen.u, self._slopes, self.j_sd, moments, geometric, occupied,
            forward,
        )  # fmt: skip
        first, second = self._surface(moments, friction, geometric)
        if geometric:
            sea = site_traces(forward).imag
            second = second + sea - sea.swapaxes(-1, -2)
        return Slow(4 * occupied[..., 1:], 1 + 4 * occupied[..., 0], self._scale * first, self._scale * second)

    def grand_potential(self, moments: np.ndarray) -> float:
        # As FrozenDevice.grand_potential, without Tr H/2, which does not depend on the moments.
        matrix = self._fermi_base[0] + 1j * self._fermi_base[1]
        view = matrix.reshape(len(matrix), self.n_sites, 2, self.n_sites, 2)
        sites = np.arange(self.n_sites)
        view[:, sites, :, sites, :] += np.einsum("i,ia,ast->ist", self.j_sd, moments, PAULI)[:, None]
        return float(-2 * self._residues @ np.linalg.slogdet(matrix)[1])

    def _slopes_at(self, energies: np.ndarray) -> np.ndarray:
        """dSigma_q/dE = -sum_y b_y/(E - chi_y)^2 of every channel, (n, Q)."""
        f = self._frozen
        a = f.arrays
        terms = a.s * a.kappa / (energies[:, None] - f.chi) ** 2
        slopes = np.zeros((energies.size, a.lead.size), dtype=complex)
        for q in range(a.lead.size):
            slopes[:, q] = -terms[:, a.offset[q] : a.offset[q + 1]].sum(axis=1)
        return slopes

    def _surface(self, moments: np.ndarray, friction: bool, geometric: bool) -> np.ndarray:
        """Symmetric and antisymmetric part of -S (`response`), (2, B, 3N, 3N) in 1/eV^2."""
        if not (friction or geometric):
            return np.zeros((2, len(moments), 3 * self.n_sites, 3 * self.n_sites))
        coarse, fine = self._partial_sums(self._gauss, moments, friction, geometric)
        if float(np.abs(fine - coarse).max()) <= self.tolerance:
            self.surface_nodes = sum(GAUSS_NODES)
            return fine
        return self._trapezoidal(moments, friction, geometric)

    def _trapezoidal(self, moments: np.ndarray, friction: bool, geometric: bool) -> np.ndarray:
        size = 3 * self.n_sites
        total = np.zeros((2, len(moments), size, size))
        weight, previous = 0.0, None
        for level in range(MOST_HALVINGS):
            nodes = self._level(level)
            total = total + self._partial_sums(nodes, moments, friction, geometric)[0]
            weight += float(nodes.weights.sum())
            value = total / weight
            if previous is not None and self._converged(value, previous):
                self.surface_nodes = sum(nodes.weights.size for nodes in self._levels[: level + 1])
                return value
            previous = value
        raise QuadratureError(
            f"Fermi-surface sum: a resonance narrower than {FIRST_STEP * self.kT / 2**MOST_HALVINGS:.2g} eV lies in "
            f"the thermal window; asked for {self.tolerance:.2g} 1/eV^2"
        )

    def _converged(self, value: np.ndarray, previous: np.ndarray) -> bool:
        """Error of a sum from its distance to that of twice the step: exponential convergence squares it."""
        distance = float(np.abs(value - previous).max())
        scale = max(float(np.abs(value).max()), 1e-300)
        return distance <= self.tolerance or 100 * distance**2 / scale <= self.tolerance

    def _level(self, level: int) -> Nodes:
        """The nodes that the halving number `level` adds."""
        while len(self._levels) <= level:
            number = len(self._levels)
            step = FIRST_STEP / 2**number
            count = int(np.ceil(FERMI_RANGE / step))
            x = step * np.arange(-count, count + 1)
            if number:
                x = x[(np.arange(-count, count + 1) % 2) != 0]
            self._levels.append(self._nodes([(x, 0.25 / np.cosh(0.5 * x) ** 2)]))
        return self._levels[level]

    def _nodes(self, rules: list[tuple[np.ndarray, np.ndarray]]) -> Nodes:
        """The nodes x of several rules, one after the other, with a row of weights for each rule."""
        weights = np.zeros((len(rules), sum(x.size for x, _ in rules)))
        first = 0
        for row, (x, w) in zip(weights, rules, strict=True):
            row[first : first + x.size] = w
            first += x.size
        energies = self.mu + self.kT * np.concatenate([x for x, _ in rules])
        return Nodes(_planes(self._frozen.inverse_green(energies.astype(complex))), weights)

    def _partial_sums(self, nodes: Nodes, moments: np.ndarray, friction: bool, geometric: bool) -> np.ndarray:
        """sum_x w_x of the two parts for each rule, (rules, 2, B, 3N, 3N)."""
        rules, batch, n = len(nodes.weights), len(moments), self.n_sites
        shape, empty = (2, rules, batch, n, n, 4, 4), (rules, batch, 0, 0, 4, 4)
        sums = np.zeros(shape, dtype=complex)
        squares = sums[0] if friction else np.zeros(empty, dtype=complex)
        forward = sums[1] if geometric else np.zeros(empty, dtype=complex)
        surface_sums(*nodes.base, nodes.weights, self.j_sd, moments, friction, geometric, squares, forward)
        traces = site_traces(sums).real / (4 * np.pi)
        traces[1] -= traces[1].swapaxes(-1, -2).copy()
        return traces.swapaxes(0, 1)


def _planes(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(matrices.real), np.ascontiguousarray(matrices.imag)


@dataclass(frozen=True, eq=False)
class LevelTensors:
    """Closed system: discrete levels, no friction; the Berry curvature of the filled levels.

    geometric_{ia,jb} = i hbar J_i J_j sum_nm (f_n - f_m)/(e_n - e_m)^2 <m|sigma_ia|n><n|sigma_jb|m>
    """

    system: OpenSystem

    @property
    def j_sd(self) -> np.ndarray:
        return np.asarray(self.system.electrons.j_sd, dtype=float)

    def __call__(self, moments: np.ndarray, friction: bool, geometric: bool) -> Slow:
        energies, states = self._levels(moments)
        filling = self._filling(energies)
        n = self.system.n_sites
        spinors = states.reshape(len(moments), n, 2, 2 * n)
        spin = np.einsum("bisk,ast,bitk,bk->bia", spinors.conj(), PAULI, spinors, filling).real
        charge = np.einsum("bisk,bk->bi", np.abs(spinors) ** 2, filling)
        zero = np.zeros((len(moments), 3 * n, 3 * n))
        j = np.repeat(self.j_sd, 3)
        curvature = -HBAR * j[:, None] * j * self.berry_curvature(moments) if geometric else zero
        return Slow(spin, charge, zero, curvature)

    def grand_potential(self, moments: np.ndarray) -> float:
        measured = self._levels(moments[None])[0][0] - self.system.fermi_energy
        if self.system.kT == 0:
            return float(measured[measured < 0].sum())
        return -self.system.kT * float(np.logaddexp(0.0, -measured / self.system.kT).sum())

    def berry_curvature(self, moments: np.ndarray) -> np.ndarray:
        """K_{ia,jb}/(hbar J_j) = -i sum_nm (f_n - f_m)/(e_n - e_m)^2 <m|sigma_ia|n><n|sigma_jb|m>, (B, 3N, 3N)."""
        energies, states = self._levels(moments)
        filling = self._filling(energies)
        gap = energies[:, :, None] - energies[:, None, :]
        same = np.abs(gap) < DEGENERATE
        weight = np.where(same, 0.0, (filling[:, :, None] - filling[:, None, :]) / np.where(same, 1.0, gap) ** 2)
        n = self.system.n_sites
        spinors = states.reshape(len(moments), n, 2, 2 * n)
        spins = np.einsum("bisn,ast,bitm->bianm", spinors.conj(), PAULI, spinors).reshape(len(moments), 3 * n, -1)
        weighted = spins * weight.reshape(len(moments), 1, -1)
        # <m|sigma|n> is the conjugate of <n|sigma|m>: sum_nm w_nm conj(s_ia,nm) s_jb,nm
        return (-1j * spins.conj() @ weighted.swapaxes(-1, -2)).real

    def _levels(self, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hamiltonian = np.stack([self.system.electrons.hamiltonian_at(m) for m in moments])
        energies, states = np.linalg.eigh(hamiltonian)
        return energies, states

    def _filling(self, energies: np.ndarray) -> np.ndarray:
        measured = energies - self.system.fermi_energy
        return fermi(np.where(np.abs(measured) < 1e-12, 0.0, measured), self.system.kT)


class ContourTensors:
    """Open system at kT = 0, where the Fermi function has no poles: adaptive contour integrals at each configuration.

    Exact leads; slower than `PoleTensors`.
    """

    def __init__(self, system: OpenSystem, tolerance: float) -> None:
        self.system, self.tolerance = system, tolerance
        self.j_sd = np.asarray(system.electrons.j_sd, dtype=float)

    def __call__(self, moments: np.ndarray, friction: bool, geometric: bool) -> Slow:
        from llgnegf.observables import charge_density, spin_density
        from llgnegf.rotating_frame import RotatingFrame
        from llgnegf.slow.response import ResponseTensors

        size = 3 * self.system.n_sites
        zero = np.zeros((size, size))
        found = []
        for m in moments:
            unit = m / np.linalg.norm(m, axis=1, keepdims=True)
            rho = RotatingFrame(self.system, unit, 0.0, tolerance=self.tolerance).density_matrix()
            tensors = ResponseTensors(self.system, unit, self.tolerance)
            found.append((
                spin_density(rho), charge_density(rho),
                tensors.friction.reshape(size, size) if friction else zero,
                tensors.geometric.reshape(size, size) if geometric else zero,
            ))  # fmt: skip
        return Slow(*(np.stack(x) for x in zip(*found, strict=True)))

    def grand_potential(self, moments: np.ndarray) -> float:
        return float("nan")
