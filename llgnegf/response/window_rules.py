"""Energies and weights of sums over the window where leads are filled differently: Gauss rules of its own weights.

Under `bias_tensors`. A difference of Fermi functions times something smooth on the scale of levels and bands, however
sharp the steps: the difference is the weight of the rule, of one sign in each piece of the axis. Pieces end at band
edges, where x = sin^2(pi u/2) takes out the square roots. With orthonormal polynomials pi_j of the weight, sum_k w_k
pi_j(x_k) F(x_k) falls geometrically with j as soon as a rule knows F; the last two of a rule say how far it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss

COUNTS = (6, 12, 24, 48, 96)
"""Nodes in each piece, tried in this order."""
FINE = 64
"""Gauss-Legendre nodes between two cuts, of which the rules are made."""


@dataclass(frozen=True, eq=False)
class WindowRule:
    """Energies (n,) in eV, weights (n,), and those of the last two polynomials, one row for each piece, (pieces, n)."""

    energies: np.ndarray
    weights: np.ndarray
    last: np.ndarray


@dataclass(frozen=True)
class Piece:
    """Energies from `lower` to `upper`; `at_edge` where a band ends there."""

    lower: float
    upper: float
    at_edge: bool

    def energies(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """E and dE/du for 0 <= u <= 1."""
        length = self.upper - self.lower
        if not self.at_edge:
            return self.lower + length * u, np.full(u.shape, length)
        return self.lower + length * np.sin(0.5 * np.pi * u) ** 2, 0.5 * np.pi * length * np.sin(np.pi * u)

    def variable(self, energies: np.ndarray) -> np.ndarray:
        """u of energies inside."""
        part = (energies - self.lower) / (self.upper - self.lower)
        return 2 / np.pi * np.arcsin(np.sqrt(part)) if self.at_edge else part


def pieces_between(lower: float, upper: float, edges: np.ndarray, others: np.ndarray) -> list[Piece]:
    """[lower, upper] cut at the band edges and at `others`, where the weight changes sign."""
    cuts = np.unique(np.concatenate([edges, others]))
    cuts = np.array([lower, *cuts[(cuts > lower) & (cuts < upper)], upper])
    pairs = np.lib.stride_tricks.sliding_window_view(np.isin(cuts, edges), 2)
    return [Piece(float(a), float(b), bool(e.any())) for a, b, e in zip(cuts[:-1], cuts[1:], pairs, strict=True)]


def window_rule(
    pieces: list[Piece], weight: Callable[[np.ndarray], np.ndarray], cuts: np.ndarray, count: int, least: float
) -> WindowRule:
    """`count` nodes in each piece for a weight of one sign in each, smooth between `cuts`; without the pieces that
    have no more than `least` (eV) of it."""
    found = []
    for piece in pieces:
        inner = piece.variable(cuts[(cuts > piece.lower) & (cuts < piece.upper)])
        ends = np.array([0.0, *np.unique(inner), 1.0])
        x, w = leggauss(FINE)
        u = (0.5 * (ends[:-1] + ends[1:])[:, None] + 0.5 * np.diff(ends)[:, None] * x).ravel()
        energies, slope = piece.energies(u)
        signed = (0.5 * np.diff(ends)[:, None] * w).ravel() * slope * weight(energies)
        if np.abs(signed.sum()) > least:
            nodes, *weights = _gauss(u, np.abs(signed), count)
            found.append((piece.energies(nodes)[0], *(np.sign(signed.sum()) * each for each in weights)))
    number = np.repeat(np.arange(len(found)), [e.size for e, _, _ in found])
    joined = [np.concatenate([np.zeros(0), *(each[k] for each in found)]) for k in range(3)]
    rows = np.arange(len(found))[:, None] == number
    return WindowRule(joined[0], joined[1], np.where(rows, joined[2], 0.0))


def _gauss(x: np.ndarray, weights: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss rule of a discrete weight by Lanczos's recurrence, and the weights of its last two polynomials."""
    basis = np.empty((count, x.size))
    vector = np.sqrt(weights)
    for k in range(count):
        for _ in range(2):
            vector = vector - basis[:k].T @ (basis[:k] @ vector)
        basis[k] = vector / np.linalg.norm(vector)
        vector = x * basis[k]
    nodes, states = np.linalg.eigh((basis * x) @ basis.T)
    mass = float(weights.sum())
    return nodes, mass * states[0] ** 2, mass * states[0] * (states[-1] + states[-2])
