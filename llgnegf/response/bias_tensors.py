"""Stationary spin density, tensors and noise under bias, fast: what `fast_tensors` is for leads in equilibrium.

Used by the slow dynamics; judged by `tensors`, adaptive and with any leads.

A common Fermi function f_0, of the leads' mean chemical potential and temperature, fills bound states and everything
else as in equilibrium, by the sums of `fast_tensors`. What is left is W = sum_p (f_p - f_0) G Gamma_p G^dag within the
window on the real axis: rho_ad gains int dE W/2 pi, and the first order in the velocities, hbar = 1,
    G^<_1 = G_1 S G^dag + G S G_1^dag + (i/2)[d_E(G S) d_t G^dag - d_t G S d_E G^dag] - (i/2) d_t G (dS/dE) G^dag,
    S = i sum_p (f_p - f_0) Gamma_p,   d_t G = G Hdot G,   G_1 = -(i/2) [D Hdot G - G Hdot D],   D = -dG/dE:
its terms with G Hdot ( . ) add up to -G Hdot dW/dE, those with ( . ) Hdot G^dag to dW/dE Hdot G^dag, so that
    rho_1 = (i/4 pi) int dE [ W Hdot D^dag - D Hdot W + dW/dE Hdot G^dag - G Hdot dW/dE ]
          = (i/2 pi) int dE [ W Hdot D^dag - D Hdot W ],                        (by parts: W vanishes at both ends)
    -K_{ia,jb}/(hbar J_j) = (1/pi) int dE Im Tr[sigma_a D_ij sigma_b W_ji],
no derivative of W left. Its symmetric part is friction of either sign, its antisymmetric part geometric.

Noise of the field J sigma, with electrons n = sum_p f_p G Gamma_p G^dag and holes h = sum_p (1 - f_p) G Gamma_p G^dag:
    noise_{ia,jb} = (hbar/2 pi) J_i J_j int dE Re Tr[sigma_a h_ij sigma_b n_ji],
in which each pair of occupations has a weight f_p (1 - f_q) >= 0 and a positive semidefinite tensor: so has the sum.

Fermi functions here are the exact ones, those of the propagator to within its Fermi poles; leads are its poles.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy.linalg import block_diag

from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.occupation import fermi
from llgnegf.response.fast_tensors import LOOSEST, Adiabatic, PoleTensors, Tensors, tensor_tolerance
from llgnegf.response.kernel import window_sums
from llgnegf.response.window_rules import COUNTS, WindowRule, pieces_between, window_rule
from llgnegf.static.contour import FERMI_RANGE, THERMAL_CUTS
from llgnegf.static.weights import weighted
from llgnegf.static.window import window_panels

DENSITIES, RESPONSE, NOISE = range(3)
"""Kinds of `window_sums`."""
UNSEEN = 3e-3
"""Part of Tr G G^dag that the last polynomials of a rule may hold: more are the flanks of a level between its nodes."""


@dataclass(frozen=True, eq=False)
class WindowNodes:
    """Energies of a sum and what the moments do not change there, as `window_sums` takes it."""

    base: np.ndarray
    rules: np.ndarray
    slopes: np.ndarray
    site_weights: np.ndarray
    sources: np.ndarray
    strengths: np.ndarray
    others: np.ndarray


@dataclass(frozen=True, eq=False)
class WindowSums:
    """Tr[W_ii (1, sigma)]/2 pi (B, N, 4), tensors (B, 3N, 3N), the error of either, and the number of energies."""

    densities: np.ndarray
    tensors: np.ndarray
    errors: tuple[float, float]
    nodes: int


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
        reach = float(np.clip(-np.log(0.01 * tolerance), 1.0, FERMI_RANGE))
        mu, kT = np.array([*self._fillings, (self.mu, self.kT)]).T
        self._ends = float((mu - reach * kT).min()), float((mu + reach * kT).max())
        self._cuts = np.concatenate([(mu[:, None] + kT[:, None] * THERMAL_CUTS).ravel(), _crossings(mu, kT)])
        # A correlator is a tensor times an energy.
        self._noise_scale = float(np.ptp(mu)) + 2 * self.kT
        self._known: dict[tuple[int, int], WindowNodes] = {}
        self.window_nodes = 0

    @property
    def compilable(self) -> bool:
        """The compiled stages know equilibrium only."""
        return False

    def adiabatic(self, moments: np.ndarray, geometric: bool) -> Adiabatic:
        """The stationary state of moments (B, N, 3) at rest."""
        rest = super().adiabatic(moments, geometric)
        kind = RESPONSE if self._bias else DENSITIES
        sums = self._sums(kind, rest.moments, self.tolerance, LOOSEST)
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
        if sums.errors[1] > tolerance:
            sums = self._sums(RESPONSE, rest.moments, self.tolerance, tolerance)
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
        sums = self._sums(NOISE, moments, np.inf, self._noise_scale * self.tolerance)
        return 0.5 * self._scale * sums.tensors

    def _sums(self, kind: int, moments: np.ndarray, densities: float, tensors: float) -> WindowSums:
        """Sums over the window with errors of no more than `densities` and `tensors`."""
        for count in COUNTS:
            sums = self._gauss_sums(kind, count, moments)
            if sums.errors[0] <= densities and sums.errors[1] <= tensors:
                return sums
        return self._adaptive(kind, moments, densities, tensors)

    def _gauss_sums(self, kind: int, count: int, moments: np.ndarray) -> WindowSums:
        if (kind == NOISE, count) not in self._known:
            self._known[kind == NOISE, count] = self._rule(kind, count)
        nodes = self._known[kind == NOISE, count]
        densities, response, sizes = self._evaluate(kind, nodes, moments)
        errors = [_error(values) for values in (densities, response)]
        flanks = np.abs(sizes[1:]).max(axis=0, initial=0.0) > UNSEEN * np.abs(sizes[0])
        if flanks.any() or np.isnan(errors).any():
            errors = [np.inf, np.inf]
        return WindowSums(densities[0], response[0], (errors[0], errors[1]), nodes.rules.shape[1])

    def _evaluate(
        self, kind: int, nodes: WindowNodes, moments: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums of each rule: densities (R, B, N, 4), tensors (R, B, 3N, 3N) and sizes (R, B) of `window_sums`."""
        rules, batch, size = len(nodes.rules), len(moments), 3 * self.n_sites
        densities, sizes = np.zeros((rules, batch, self.n_sites, 4)), np.zeros((rules, batch))
        tensors = np.zeros((rules, batch, size, size) if kind else (rules, batch, 0, 0))
        window_sums(
            self._is_chain, nodes.base, nodes.rules, self._u, nodes.slopes, nodes.site_weights, nodes.sources,
            nodes.strengths, nodes.others, self.j_sd, moments, kind, densities, tensors, sizes,
        )  # fmt: skip
        return densities, tensors, sizes

    def _rule(self, kind: int, count: int) -> WindowNodes:
        """Nodes of all Gauss rules, one after the other: of each filling, or of each pair of them for the noise."""
        numbers = range(len(self._fillings))
        pairs = combinations_with_replacement(numbers, 2) if kind == NOISE else ((p, p) for p in numbers)
        found = [(p, q, self._gauss_rule(kind, p, q, count)) for p, q in pairs]
        energies = np.concatenate([rule.energies for _, _, rule in found])
        first, second = (np.repeat([pq[k] for pq in found], [r.energies.size for *_, r in found]) for k in (0, 1))
        total, last = np.concatenate([r.weights for *_, r in found]), [r.last for *_, r in found]
        sources, widths = self._sources(energies)
        strengths, others = (np.where(self._filling == number[:, None], widths, 0.0) for number in (first, second))
        return self._nodes_at(energies, np.vstack([total, block_diag(*last)]), sources, strengths, others)

    def _gauss_rule(self, kind: int, p: int, q: int, count: int) -> WindowRule:
        """For f_p - f_0, or for f_p (1 - f_q) and with p and q exchanged."""
        common, own = (self.mu, self.kT), (self._fillings[p], self._fillings[q])

        def weight(energies: np.ndarray) -> np.ndarray:
            if kind != NOISE:
                return fermi(energies, *own[0]) - fermi(energies, *common)
            electrons, holes = ([fermi(sign * energies, sign * mu, kT) for mu, kT in own] for sign in (1, -1))
            return electrons[0] * holes[1] + (electrons[1] * holes[0] if p != q else 0.0)

        mu, kT = np.array([own[0], own[1] if kind == NOISE else common]).T
        exact = self._frozen.exact
        signs = np.zeros(0) if kind == NOISE else _crossings(mu, kT)
        pieces = pieces_between(*self._ends, exact.band_edges, signs)
        middles = np.array([0.5 * (piece.lower + piece.upper) for piece in pieces])
        is_open = exact.is_open(middles)
        pieces = [piece for piece, keep in zip(pieces, is_open, strict=True) if keep]
        return window_rule(pieces, weight, self._cuts, count, 0.01 * self.tolerance)

    def _nodes_at(
        self, energies: np.ndarray, rules: np.ndarray, sources: np.ndarray, strengths: np.ndarray, others: np.ndarray
    ) -> WindowNodes:
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

    def _adaptive(self, kind: int, moments: np.ndarray, densities: float, tensors: float) -> WindowSums:
        """The sums of one configuration after the other where levels are too narrow for the rules."""
        n, exact = self.n_sites, self._frozen.exact
        scale = np.repeat([1.0, densities / tensors], [4 * n, 9 * n**2 if kind else 0])
        tolerance = densities if kind != NOISE else tensors
        if kind == NOISE:
            scale[:] = np.repeat([0.0, 1.0], [4 * n, 9 * n**2])
        found, evaluations = np.zeros((len(moments), scale.size)), 0
        for one, m in zip(found, moments, strict=True):

            def density(origin: np.ndarray, offset: np.ndarray, m: np.ndarray = m) -> np.ndarray:
                values = self._evaluate(kind, self._single(kind, origin + offset), m[None])[:2]
                return scale * np.concatenate([v.reshape(origin.size, -1) for v in values], axis=1)

            window = window_panels(self._frozen.at(m).device, *self._ends, np.append(self._cuts, exact.band_edges))
            what = "stationary state of slow electrons under bias"
            integral = window.where(exact.is_open).integral(density, tolerance, 30 * n**2, what)
            one[:] = integral.value / np.where(scale > 0, scale, 1.0)
            evaluations += integral.evaluations
        size = 3 * n if kind else 0
        shaped = found[:, : 4 * n].reshape(-1, n, 4), found[:, 4 * n :].reshape(-1, size, size)
        return WindowSums(*shaped, (densities, tensors), evaluations)

    def _single(self, kind: int, energies: np.ndarray) -> WindowNodes:
        """Energies each of which is a sum of its own, all leads with what fills them there."""
        sources, widths = self._sources(energies)
        filled = [np.stack([fermi(s * energies, s * mu, kT) for mu, kT in self._fillings], axis=1) for s in (1, -1)]
        electrons, holes = (each[:, self._filling] for each in filled)
        if kind != NOISE:
            electrons = electrons - fermi(energies, self.mu, self.kT)[:, None]
        return self._nodes_at(energies, np.eye(energies.size), sources, electrons * widths, holes * widths)


def _error(sums: np.ndarray) -> float:
    """Error of the first of sums (rules, ...) by those with its last polynomials: they fall geometrically, and Gauss's
    rule errs by the polynomials of twice their order."""
    size = float(np.abs(sums[0]).max(initial=0.0))
    last = np.abs(sums[1:]).reshape(len(sums) - 1, -1).max(axis=1, initial=0.0)
    return float(np.sum(last * np.minimum(1.0, 10 * last / size))) if size > 0 else float(last.sum())


def _crossings(mu: np.ndarray, kT: np.ndarray) -> np.ndarray:
    """Energies at which the last Fermi function of several is equal to one of the others."""
    other = kT[:-1] != kT[-1]
    return np.asarray((kT[-1] * mu[:-1] - kT[:-1] * mu[-1])[other] / (kT[-1] - kT[:-1])[other])
