"""Stationary spin density, tensors and noise under bias, fast: what `fast_tensors` is for leads in equilibrium.

Used by the slow dynamics; judged by `tensors`, adaptive and with any leads.

A common Fermi function f_0, of the leads' mean chemical potential and temperature, fills bound states and everything
else as in equilibrium, by the sums of `fast_tensors`. What is left is W = sum_p (f_p - f_0) G Gamma_p G^dag within the
window on the real axis (derived in `bias`), of which rho at rest gains int dE W/2 pi and, D = -dG/dE, hbar = 1,
    (friction + geometric)_{ia,jb}/(J_i J_j) gains (1/pi) int dE Im Tr[sigma_a D_ij sigma_b W_ji],
symmetric part friction, of either sign, antisymmetric part geometric. The noise (`noise`) is a sum over pairs of
occupations, each with a weight f_p (1 - f_q) >= 0 and a positive semidefinite tensor.

Fermi functions in the window are the exact ones, those of the propagator to within its Fermi poles; leads are its
poles, within the bands of the leads that they stand for: bound states beyond are filled as at rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import numpy as np

from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.occupation import fermi
from llgnegf.response.fast_tensors import LOOSEST, Adiabatic, PoleTensors, Tensors, tensor_tolerance
from llgnegf.response.kernel import window_sums
from llgnegf.response.window_rules import Piece, pieces_between, window_rule
from llgnegf.static.contour import FERMI_RANGE, THERMAL_CUTS
from llgnegf.static.quadrature import QuadratureError
from llgnegf.static.weights import weighted

DENSITIES, RESPONSE, NOISE = range(3)
"""Kinds of `window_sums`."""
COUNTS = (6, 12, 24)
"""Nodes tried in a piece of the axis before it is halved, each half with 12."""
MOST_HALVINGS = 36
UNSEEN = 3e-3
"""Part of Tr G G^dag that the last polynomials of a rule may hold: more are the flanks of a level between its nodes."""
NOTHING = 1e-4
"""Pieces with this part of the tolerance (in eV) of the weight are left out, and what lies beyond."""
TINY = 1e-300
MOST_KEPT = 400
"""Pieces of the axis whose nodes are kept."""


@dataclass(frozen=True, eq=False)
class WindowNodes:
    """Energies of a rule and what the moments do not change there, as `window_sums` takes it."""

    base: np.ndarray
    rules: np.ndarray
    slopes: np.ndarray
    site_weights: np.ndarray
    sources: np.ndarray
    strengths: np.ndarray
    others: np.ndarray


@dataclass(frozen=True)
class Part:
    """A piece of the axis for the fillings p and q, and the number of its rule in COUNTS."""

    p: int
    q: int
    piece: Piece
    number: int = 0

    def finer(self) -> list[Part]:
        """More nodes, or both halves."""
        if self.piece.depth == 0 and self.number < len(COUNTS) - 1:
            return [replace(self, number=self.number + 1)]
        return [Part(self.p, self.q, half, 1) for half in self.piece.halves()]


@dataclass(frozen=True, eq=False)
class PartSums:
    """Tr[W_ii (1, sigma)]/2 pi (B, N, 4), tensors (B, 3N, 3N), the error of either (infinite where a level hides)."""

    part: Part
    densities: np.ndarray
    tensors: np.ndarray
    errors: tuple[float, float]
    nodes: int


@dataclass(frozen=True, eq=False)
class WindowSums:
    """The parts of the window; their sums, as `PartSums`, and the number of all energies."""

    parts: list[PartSums]
    densities: np.ndarray
    tensors: np.ndarray
    nodes: int

    @classmethod
    def of(cls, parts: list[PartSums], batch: int, n_sites: int) -> WindowSums:
        densities = sum((each.densities for each in parts), np.zeros((batch, n_sites, 4)))
        tensors = sum((each.tensors for each in parts), np.zeros((batch, 3 * n_sites, 3 * n_sites)))
        return cls(parts, densities, tensors, sum(each.nodes for each in parts))


class BiasedTensors(PoleTensors):
    """Open system whose leads, static and in poles, have chemical potentials and temperatures of their own, all kT > 0.

    Args:
        poles: The expanded system.
        tolerance: As for `PoleTensors`, of the sums over the window too.
        bias: Whether the tensors have the part of the window; the spin density always has.
    """

    def __init__(self, poles: PoleSystem, tolerance: float, bias: bool = True) -> None:
        super().__init__(poles, tolerance)
        self._bias, device = bias, self._frozen.device
        filled = list(zip(device.chemical_potentials.tolist(), device.temperatures.tolist(), strict=True))
        self._fillings = sorted(set(filled))
        self._filling = np.array([self._fillings.index(f) for f in filled])  # of each lead orbital
        reach = float(np.clip(-np.log(NOTHING * tolerance), 1.0, FERMI_RANGE))
        mu, kT = np.array([*self._fillings, (self.mu, self.kT)]).T
        self._ends = float((mu - reach * kT).min()), float((mu + reach * kT).max())
        self._cuts = np.concatenate([(mu[:, None] + kT[:, None] * THERMAL_CUTS).ravel(), _crossings(mu, kT)])
        # A correlator is a tensor times an energy.
        self._noise_scale = float(np.ptp(mu)) + 2 * self.kT
        self._known: dict[tuple[bool, Part], WindowNodes] = {}
        self._roots = [self._roots_of(kind) for kind in (RESPONSE, RESPONSE, NOISE)]

    @property
    def compilable(self) -> bool:
        """The compiled stages know equilibrium only."""
        return False

    def adiabatic(self, moments: np.ndarray, geometric: bool) -> Adiabatic:
        """The stationary state of moments (B, N, 3) at rest."""
        rest = super().adiabatic(moments, geometric)
        kind = RESPONSE if self._bias else DENSITIES
        sums = self._sums(kind, rest.moments, self._roots[kind], (self.tolerance, LOOSEST))
        spin, charge = rest.spin + sums.densities[..., 1:], rest.charge + sums.densities[..., 0]
        return Adiabatic(rest.moments, spin, charge, rest.curvature, sums)

    def tensors(
        self, rest: Adiabatic, friction: bool, geometric: bool, speed: float | None = None, noise: bool = False
    ) -> Tensors:
        found = super().tensors(rest, friction, geometric, speed)
        correlator = self._noise(rest.moments, found.friction) if noise and friction else None
        if not (self._bias and (friction or geometric)):
            return Tensors(found.friction, found.geometric, correlator)
        sums, tolerance = rest.window, tensor_tolerance(self.tolerance, self.j_sd, speed)
        assert sums is not None
        sums = self._sums(RESPONSE, rest.moments, sums.parts, (self.tolerance, tolerance))
        turned = np.swapaxes(sums.tensors, -1, -2)
        symmetric, antisymmetric = (0.5 * self._scale * (sums.tensors + sign * turned) for sign in (1, -1))
        self.surface_nodes += sums.nodes
        return Tensors(
            found.friction + symmetric if friction else found.friction,
            found.geometric + antisymmetric if geometric else found.geometric, correlator,
        )  # fmt: skip

    def grand_potential(self, moments: np.ndarray) -> float:
        """There is none: the torque of a stationary state under bias is not the gradient of anything."""
        return float("nan")

    def _noise(self, moments: np.ndarray, friction: np.ndarray) -> np.ndarray:
        """The correlator (B, 3N, 3N) in eV^2 fs; without the part of the bias that of the common equilibrium."""
        if not self._bias:
            return 2 * self.kT * friction
        sums = self._sums(NOISE, moments, self._roots[NOISE], (np.inf, self._noise_scale * self.tolerance))
        return 0.5 * self._scale * sums.tensors

    def _sums(
        self, kind: int, moments: np.ndarray, parts: Iterable[Part | PartSums], tolerances: tuple[float, float]
    ) -> WindowSums:
        """Sums over the window, its parts refined until the errors of densities and tensors are no larger.

        Raises:
            QuadratureError: Where a level has less width than halving finds.
        """
        known = [self._part(kind, each, moments) if isinstance(each, Part) else each for each in parts]
        while True:
            if all(sum(each.errors[k] for each in known) <= tolerances[k] for k in (0, 1)):
                return WindowSums.of(known, len(moments), self.n_sites)
            coarse = [any(each.errors[k] > tolerances[k] / len(known) for k in (0, 1)) for each in known]
            finer = [part for each, bad in zip(known, coarse, strict=True) if bad for part in each.part.finer()]
            if finer and finer[-1].piece.depth > MOST_HALVINGS:
                energy = finer[-1].piece.energies(np.array([finer[-1].piece.start]))[0][0]
                raise QuadratureError(
                    f"stationary state under bias: a level next to {energy:.6g} eV that leads hardly reach, or not at "
                    "all, lies between their chemical potentials"
                )
            known = [each for each, bad in zip(known, coarse, strict=True) if not bad]
            known += [self._part(kind, part, moments) for part in finer]

    def _part(self, kind: int, part: Part, moments: np.ndarray) -> PartSums:
        if (kind == NOISE, part) not in self._known:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            self._known[kind == NOISE, part] = self._rule(kind, part)
        nodes, batch, size = self._known[kind == NOISE, part], len(moments), 3 * self.n_sites
        densities, sizes = np.zeros((2, batch, self.n_sites, 4)), np.zeros((2, batch))
        tensors = np.zeros((2, batch, size, size) if kind else (2, batch, 1, 1))
        window_sums(
            self._is_chain, nodes.base, nodes.rules, self._u, nodes.slopes, nodes.site_weights, nodes.sources,
            nodes.strengths, nodes.others, self.j_sd, moments, kind, densities, tensors, sizes,
        )  # fmt: skip
        errors = _error(densities, part.piece.at_edge), _error(tensors, part.piece.at_edge)
        if np.isnan(errors).any() or (np.abs(sizes[1]) > UNSEEN * np.abs(sizes[0])).any():
            errors = np.inf, np.inf
        return PartSums(part, densities[0], tensors[0], errors, len(nodes.base))

    def _roots_of(self, kind: int) -> list[Part]:
        """For each filling the pieces where it differs from the common one, for the noise those of pairs."""
        numbers, exact = range(len(self._fillings)), self._frozen.exact
        pairs = list(combinations_with_replacement(numbers, 2)) if kind == NOISE else [(p, p) for p in numbers]
        roots = []
        for p, q in pairs:
            mu, kT = np.array([self._fillings[p], (self.mu, self.kT)]).T
            pieces = pieces_between(*self._ends, exact.band_edges, np.zeros(0) if kind == NOISE else _crossings(mu, kT))
            is_open = exact.is_open(np.array([0.5 * (piece.lower + piece.upper) for piece in pieces])).tolist()
            roots += [Part(p, q, piece) for piece, keep in zip(pieces, is_open, strict=True) if keep]
        return [part for part in roots if self._rule(kind, part).base.size]

    def _rule(self, kind: int, part: Part) -> WindowNodes:
        """Nodes for the weight f_p - f_0, or f_p (1 - f_q) and with p and q exchanged."""
        common, own = (self.mu, self.kT), (self._fillings[part.p], self._fillings[part.q])

        def weight(energies: np.ndarray) -> np.ndarray:
            if kind != NOISE:
                return fermi(energies, *own[0]) - fermi(energies, *common)
            electrons, holes = ([fermi(sign * energies, sign * mu, kT) for mu, kT in own] for sign in (1, -1))
            return electrons[0] * holes[1] + (electrons[1] * holes[0] if part.p != part.q else 0.0)

        least = 0.0 if part.piece.depth else NOTHING * self.tolerance
        energies, rules = window_rule(part.piece, weight, self._cuts, COUNTS[part.number], least)
        sources, widths = self._sources(energies)
        strengths, others = (np.where(self._filling == number, widths, 0.0) for number in (part.p, part.q))
        device, z = self._frozen.device, energies.astype(complex)
        slopes = device.self_energy_derivatives(z)
        return WindowNodes(
            self._frozen.inverse_green(z), rules, np.ascontiguousarray(weighted(device.vectors, slopes)),
            self._site_weights_of(slopes), sources, strengths, others,
        )  # fmt: skip

    def _sources(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vectors x_q (n, 2N, Q) and Gamma_q (n, Q) with Gamma = sum_q x_q Gamma_q x_q^dag, one lead a vector."""
        device = self._frozen.device
        gamma = device.broadenings(energies)
        vectors = np.tile(device.vectors, (energies.size, 1, 1))
        if not device.has_matrices:
            return vectors, np.maximum(gamma, 0.0)
        widths, first = np.zeros(vectors.shape[::2]), 0
        for channel in device.channels:
            own = slice(first, first + channel.columns.shape[1])
            values, states = np.linalg.eigh(gamma[:, own, own])
            vectors[:, :, own], widths[:, own] = vectors[:, :, own] @ states, np.maximum(values, 0.0)
            first = own.stop
        return vectors, widths


def _error(sums: np.ndarray, at_edge: bool) -> float:
    """Error of the first of two sums (2, B, ...) by the second, that with the last polynomials of its rule.

    They fall geometrically, and Gauss's rule errs by polynomials of twice their order; next to band edges, which the
    modes of a lead round off, not so.
    """
    size, last = np.abs(sums.reshape(2, sums.shape[1], -1)).max(axis=2)
    return float((last if at_edge else last * np.minimum(1.0, 10 * last / np.maximum(size, TINY))).max())


def _crossings(mu: np.ndarray, kT: np.ndarray) -> np.ndarray:
    """Energies at which the last Fermi function of several is equal to one of the others."""
    other = kT[:-1] != kT[-1]
    return np.asarray((kT[-1] * mu[:-1] - kT[:-1] * mu[-1])[other] / (kT[-1] - kT[:-1])[other])
