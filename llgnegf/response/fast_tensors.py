"""Adiabatic spin density, friction and geometric tensor of many configurations, fast: what the slow dynamics evaluates.

Same physics as `tensors`. Open systems use the leads and the Fermi function of the propagator, so that the expansion
errors of a slow and of a full run are the same and cancel in their difference.

With the rational f = 1/2 - sum_m r_m [1/(E - z_m) + 1/(E - z_m^*)] contour integrals close around the Fermi poles,
    I[F] = sum_m r_m F(z_m^*) + h.c.      (plus 1/2 for F = G),
and the Fermi-surface integral is a sum with weights > 0, so the friction stays positive: a rule of few nodes, as sums
of fewer nodes show; else one whose step is halved until two sums agree (`surface_rules`). It runs over the bands of the
leads: bound states outside are filled as at rest, see `equilibrium`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.observables import charge_density, spin_density
from llgnegf.problem.occupation import fermi_derivative, fill_levels, grand_potential
from llgnegf.problem.system import OpenSystem
from llgnegf.response.kernel import fermi_sums, surface_sums
from llgnegf.response.pair_kernel import gauss_error
from llgnegf.response.pairs import undamped_density
from llgnegf.response.surface_rules import EDGE_RANGE, FIRST_STEP, Rule, bands_in_reach, first_rules, halving
from llgnegf.response.tensors import ResponseTensors
from llgnegf.static.closed import berry_curvature
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import QuadratureError
from llgnegf.static.recursion import is_chain
from llgnegf.static.rotating_frame import RotatingFrame
from llgnegf.static.undamped import bound_states, gaps
from llgnegf.static.weights import weighted
from llgnegf.units import HBAR

MOST_HALVINGS = 12
ROUND_OFF = 1e-12
"""Error of a sum over its largest terms below which halving the step cannot bring it."""
LOOSEST = 1e-3
"""Largest error (1/eV^2) ever allowed in K/(hbar J), however slowly the moments move."""


@dataclass(frozen=True, eq=False)
class Adiabatic:
    """Electrons in equilibrium, under bias in the stationary state, with B configurations of moments at rest.

    Attributes:
        moments: (B, N, 3).
        spin: Spin density, (B, N, 3).
        charge: Electrons on each site, (B, N).
        curvature: -A of `equilibrium` where it comes with the spin density and was asked for, (B, 3N, 3N); else None.
        window: Under bias, what the leads' different fillings add and came with the spin density (`bias_tensors`).
    """

    moments: np.ndarray
    spin: np.ndarray
    charge: np.ndarray
    curvature: np.ndarray | None = None
    window: Any = None


@dataclass(frozen=True, eq=False)
class Tensors:
    """friction and geometric tensor in eV fs, (B, 3N, 3N), row 3 i + a; zero where not asked for.

    `noise` is the correlator of the field in eV^2 fs where it was asked for and is not that of an equilibrium,
    2 kT friction; else None.
    """

    friction: np.ndarray
    geometric: np.ndarray
    noise: np.ndarray | None = None


def tensor_tolerance(tolerance: float, j_sd: np.ndarray, speed: float | None) -> float:
    """Error allowed in K/(hbar J_j), 1/eV^2: `tolerance` itself, or what makes it the error of K dM/dt at `speed`."""
    if speed is None:
        return tolerance
    per_unit = HBAR * float(np.abs(j_sd).max(initial=0.0)) * speed
    return LOOSEST if per_unit * LOOSEST <= tolerance else tolerance / per_unit


class SlowElectrons(Protocol):
    """Electrons that follow moments at first order."""

    @property
    def j_sd(self) -> np.ndarray:
        """sd coupling in eV, (N,)."""

    def adiabatic(self, moments: np.ndarray, geometric: bool) -> Adiabatic:
        """The equilibrium or stationary state of the moments (B, N, 3) at rest; `geometric`: that tensor will be asked
        for."""

    def tensors(
        self, rest: Adiabatic, friction: bool, geometric: bool, speed: float | None = None, noise: bool = False
    ) -> Tensors:
        """The tensors of what `adiabatic` gave.

        `speed` bounds |dM/dt| (1/fs): then the tensors have the accuracy that the spin density of moments of that
        speed needs, and not more. `noise`: the correlator will be needed where it is not 2 kT friction.
        """

    def grand_potential(self, moments: np.ndarray) -> float:
        """Electronic grand potential (eV) of one configuration (N, 3), up to a constant."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Energies of a sum over the Fermi surface: E - H_0 - Sigma(E), (n, 2N, 2N), and weights (rules, n)."""

    base: np.ndarray
    weights: np.ndarray


class PoleTensors:
    """Open system with kT > 0, leads and Fermi function in poles.

    Args:
        poles: The expanded system, its leads in a common equilibrium.
        tolerance: Error allowed in the Fermi-surface part of delta<s> for moments of a given speed, else of
            K/(hbar J_j) in 1/eV^2.
    """

    def __init__(self, poles: PoleSystem, tolerance: float) -> None:
        self.poles, self.tolerance = poles, tolerance
        system = poles.system
        self.n_sites, self.kT = system.n_sites, system.mean_temperature
        self.j_sd = np.asarray(system.electrons.j_sd, dtype=float)
        # Without moments: E - H_0 - Sigma(E) is common to all configurations.
        self._frozen = FrozenDevice(poles, np.zeros((self.n_sites, 3)))
        self.mu = self._frozen.mean
        energies, self._residues = self._frozen.fermi_poles(self.mu)
        self._at_rest = self._frozen.grand_potential()
        self._fermi_base = self._frozen.inverse_green(energies)
        self._logarithm = np.linalg.slogdet(self._fermi_base)[1]
        device = self._frozen.device
        slopes = device.self_energy_derivatives(energies)
        self._u, self._slopes = device.vectors, weighted(device.vectors, slopes)
        self._is_chain = is_chain(device)
        self._site_weights = self._site_weights_of(slopes)
        # The bands of the leads themselves: their poles have tails beyond.
        exact = self._frozen.exact
        self._bands = bands_in_reach([(float(a), float(b)) for a, b in (exact.bands - self.mu) / self.kT])
        # Bound states beyond count for less than the tolerance, -f' being below exp(-|x|)/kT.
        reach = self.kT * float(np.clip(-np.log(self.kT * tolerance), 1.0, EDGE_RANGE))
        self._gap = (self.mu - reach, self.mu + reach) if gaps(exact, self.mu - reach, self.mu + reach) else None
        self._levels: list[tuple[Nodes, float]] = []
        self._first = [self._nodes(rules) for rules in first_rules(self._bands)]
        self.surface_nodes = 0
        j = np.repeat(self.j_sd, 3)
        self._scale = HBAR * j[:, None] * j

    @property
    def compilable(self) -> bool:
        """Whether the compiled stages know all of it: bound states near the Fermi energy they do not."""
        return self._gap is None

    def compiled(self, margin: float) -> tuple[tuple, tuple, tuple]:
        """Arguments `electrons`, `surface` and `accuracy` of `kernels.slow.pole_stages`; `margin` as SPEED_MARGIN."""
        electrons = (
            self._is_chain, self._fermi_base, self._residues, self._u, self._slopes, self._site_weights,
            self.j_sd,
        )  # fmt: skip
        per_speed = HBAR * float(np.abs(self.j_sd).max(initial=0.0))
        surface = tuple((nodes.base, nodes.weights) for nodes in self._first)
        return electrons, surface, (per_speed, LOOSEST, self.tolerance, margin, self._scale)

    def adiabatic(self, moments: np.ndarray, geometric: bool) -> Adiabatic:
        moments = np.ascontiguousarray(moments)
        batch, n = len(moments), self.n_sites
        spin, charge = np.empty((batch, n, 3)), np.empty((batch, n))
        sea = np.zeros((batch, 3 * n, 3 * n) if geometric else (batch, 0, 0))
        fermi_sums(
            self._is_chain, self._fermi_base, self._residues, self._u, self._slopes, self._site_weights,
            self.j_sd, moments, geometric, spin, charge, sea,
        )  # fmt: skip
        return Adiabatic(moments, spin, charge, sea if geometric else None)

    def tensors(
        self, rest: Adiabatic, friction: bool, geometric: bool, speed: float | None = None, noise: bool = False
    ) -> Tensors:
        tolerance = tensor_tolerance(self.tolerance, self.j_sd, speed)
        first, second = self._surface(rest.moments, friction, geometric, tolerance)
        if geometric:
            assert rest.curvature is not None
            second = second + rest.curvature + self._undamped(rest.moments)
        return Tensors(self._scale * first, self._scale * second)

    def grand_potential(self, moments: np.ndarray) -> float:
        # As FrozenDevice.grand_potential: what it is without moments, and the change by them.
        matrix = self._fermi_base.copy()
        view = matrix.reshape(len(matrix), self.n_sites, 2, self.n_sites, 2)
        sites = np.arange(self.n_sites)
        view[:, sites, :, sites, :] += np.einsum("i,ia,ast->ist", self.j_sd, moments, PAULI)[:, None]
        change = np.linalg.slogdet(matrix)[1] - self._logarithm
        return self._at_rest - 2 * float(self._residues @ change)

    def _site_weights_of(self, slopes: np.ndarray) -> np.ndarray:
        """1 - dSigma/dE on each site, (n, N, 4), what counts where every channel couples to a single one."""
        n, sites = self.n_sites, np.arange(self.n_sites)
        blocks = self._frozen.device.on_device(slopes).reshape(-1, n, 2, n, 2)[:, sites, :, sites, :].swapaxes(0, 1)
        return np.ascontiguousarray((np.eye(2) - blocks).reshape(-1, n, 4))

    def _surface(self, moments: np.ndarray, friction: bool, geometric: bool, tolerance: float) -> np.ndarray:
        """Symmetric and antisymmetric part of -S (`equilibrium`), (2, B, 3N, 3N) in 1/eV^2."""
        if not (friction or geometric):
            return np.zeros((2, len(moments), 3 * self.n_sites, 3 * self.n_sites))
        for nodes in self._first:
            sums, sizes = self._partial_sums(nodes, moments, friction, geometric)
            if gauss_error(sums) <= tolerance and gauss_error(sizes) <= tolerance:
                self.surface_nodes = nodes.weights.shape[1]
                return sums[-1]
        return self._trapezoidal(moments, friction, geometric, tolerance)

    def _undamped(self, moments: np.ndarray) -> np.ndarray | float:
        """What the bound states near the Fermi energy add to the antisymmetric part of -S, (B, 3N, 3N)."""
        if self._gap is None:
            return 0.0
        n = self.n_sites
        i, j = np.indices((n, n)).reshape(2, -1)
        total = np.zeros((len(moments), 3 * n, 3 * n))
        for one, m in zip(total, moments, strict=True):
            device = StaticDevice(self.poles.system.electrons.hamiltonian_at(m), self._frozen.exact.channels)
            for level in bound_states(device, *self._gap):
                pairs = undamped_density(level, i, j).reshape(n, n, 3, 3).transpose(0, 2, 1, 3)
                one -= fermi_derivative(level.energy, self.mu, self.kT) * pairs.reshape(3 * n, 3 * n)
        return total

    def _trapezoidal(self, moments: np.ndarray, friction: bool, geometric: bool, tolerance: float) -> np.ndarray:
        size = 3 * self.n_sites
        total, total_size = np.zeros((2, len(moments), size, size)), np.zeros(len(moments))
        before = None
        for number in range(MOST_HALVINGS):
            nodes, step = self._level(number)
            (sums,), (sizes,) = self._partial_sums(nodes, moments, friction, geometric)
            total, total_size = total + sums, total_size + sizes
            value, magnitude = step * total, step * total_size
            allowed = max(tolerance, ROUND_OFF * float(magnitude.max()))
            # Ten times the distance: two sums may agree by chance.
            if before and 10 * max(_distance(value, before[0]), _distance(magnitude, before[1])) <= allowed:
                self.surface_nodes = sum(nodes.weights.shape[1] for nodes, _ in self._levels[: number + 1])
                return value
            before = value, magnitude
        finest = FIRST_STEP * self.kT / 2 ** (MOST_HALVINGS - 1)
        raise QuadratureError(
            f"Fermi-surface sum: a resonance narrower than about {finest:.2g} eV, or a level that no lead reaches, "
            f"lies in the thermal window; asked for {tolerance:.2g} 1/eV^2"
        )

    def _level(self, number: int) -> tuple[Nodes, float]:
        """The nodes that the halving `number` adds, and the step."""
        while len(self._levels) <= number:
            rule, step = halving(self._bands, len(self._levels))
            self._levels.append((self._nodes([rule]), step))
        return self._levels[number]

    def _nodes(self, rules: list[Rule]) -> Nodes:
        """The nodes x of several rules, those they share once, with a row of weights for each rule."""
        x, place = np.unique(np.concatenate([nodes for nodes, _ in rules]).round(13), return_inverse=True)
        weights, first = np.zeros((len(rules), x.size)), 0
        for row, (nodes, w) in zip(weights, rules, strict=True):
            row[place[first : first + nodes.size]] = w
            first += nodes.size
        return Nodes(self._frozen.inverse_green((self.mu + self.kT * x).astype(complex)), weights)

    def _partial_sums(
        self, nodes: Nodes, moments: np.ndarray, friction: bool, geometric: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """sum_x w_x of the two parts for each rule, (rules, 2, B, 3N, 3N), and of Tr G G^dag/4 pi, (rules, B)."""
        size = 3 * self.n_sites
        sums = np.zeros((len(nodes.weights), 2, len(moments), size, size))
        sizes = np.zeros((len(nodes.weights), len(moments)))
        surface_sums(
            self._is_chain, nodes.base, nodes.weights, self._u, self._slopes, self._site_weights, self.j_sd,
            moments, friction, geometric, sums, sizes,
        )  # fmt: skip
        return sums, sizes


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())


@dataclass(frozen=True, eq=False)
class LevelTensors:
    """Closed system: discrete levels, no friction; the Berry curvature of the filled levels.

    geometric_{ia,jb} = i hbar J_i J_j sum_nm (f_n - f_m)/(e_n - e_m)^2 <m|sigma_ia|n><n|sigma_jb|m>
    """

    system: OpenSystem

    @property
    def j_sd(self) -> np.ndarray:
        return np.asarray(self.system.electrons.j_sd, dtype=float)

    def adiabatic(self, moments: np.ndarray, geometric: bool) -> Adiabatic:
        energies, states = self._levels(moments)
        filling = fill_levels(energies, self.system.fermi_energy, self.system.kT)
        n = self.system.n_sites
        spinors = states.reshape(len(moments), n, 2, 2 * n)
        spin = np.einsum("bisk,ast,bitk,bk->bia", spinors.conj(), PAULI, spinors, filling).real
        charge = np.einsum("bisk,bk->bi", np.abs(spinors) ** 2, filling)
        return Adiabatic(moments, spin, charge, -berry_curvature(energies, states, filling) if geometric else None)

    def tensors(
        self, rest: Adiabatic, friction: bool, geometric: bool, speed: float | None = None, noise: bool = False
    ) -> Tensors:
        zero = np.zeros((len(rest.moments), 3 * self.system.n_sites, 3 * self.system.n_sites))
        if not geometric:
            return Tensors(zero, zero)
        assert rest.curvature is not None
        j = np.repeat(self.j_sd, 3)
        return Tensors(zero, HBAR * j[:, None] * j * rest.curvature)

    def grand_potential(self, moments: np.ndarray) -> float:
        return grand_potential(self._levels(moments[None])[0], self.system.fermi_energy, self.system.kT)

    def _levels(self, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hamiltonian = np.stack([self.system.electrons.hamiltonian_at(m) for m in moments])
        energies, states = np.linalg.eigh(hamiltonian)
        return energies, states


class ContourTensors:
    """Open system with a lead at kT = 0, where the Fermi function has no poles: adaptive integrals at each
    configuration, under bias too.

    Exact leads; slower than `PoleTensors`. Without `bias` the tensors leave out what different fillings add.
    """

    def __init__(self, system: OpenSystem, tolerance: float, bias: bool = True) -> None:
        self.system, self.tolerance, self.bias = system, tolerance, bias or system.in_equilibrium()
        self.j_sd = np.asarray(system.electrons.j_sd, dtype=float)

    def adiabatic(self, moments: np.ndarray, geometric: bool) -> Adiabatic:
        rhos = [RotatingFrame(self.system, m, 0.0, tolerance=self.tolerance).density_matrix() for m in moments]
        spin, charge = (np.stack([density(rho) for rho in rhos]) for density in (spin_density, charge_density))
        return Adiabatic(moments, spin, charge)

    def tensors(
        self, rest: Adiabatic, friction: bool, geometric: bool, speed: float | None = None, noise: bool = False
    ) -> Tensors:
        size = 3 * self.system.n_sites
        tolerance = tensor_tolerance(self.tolerance, self.j_sd, speed)
        each = [ResponseTensors(self.system, m, tolerance) for m in rest.moments]

        def stacked(name: str, wanted: bool) -> np.ndarray:
            values = [getattr(t, name) - (0.0 if self.bias else getattr(t, f"bias_{name}")) for t in each if wanted]
            return np.stack(values).reshape(-1, size, size) if wanted else np.zeros((len(each), size, size))

        found = stacked("friction", friction), stacked("geometric", geometric)
        if not (noise and friction) or self.system.in_equilibrium():
            return Tensors(*found)
        common = 2 * self.system.mean_temperature * found[0]
        return Tensors(*found, np.stack([t.noise.reshape(size, size) for t in each]) if self.bias else common)

    def grand_potential(self, moments: np.ndarray) -> float:
        return float("nan")
