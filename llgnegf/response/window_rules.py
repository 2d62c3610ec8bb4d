"""Energies and weights of sums over the window where leads are filled differently: Gauss rules of its own weights.

Under `bias_tensors`. A difference of Fermi functions times something smooth on the scale of levels and bands, however
sharp the steps: the difference is the weight of the rule, of one sign in each piece of the axis. Pieces end at band
edges, where x = sin^2(pi u/2) takes out the square roots, and are halved where levels are narrow. With orthonormal
polynomials pi_j of the weight, sum_k w_k pi_j(x_k) F(x_k) falls geometrically with j as soon as a rule knows F: the
last two of a rule say how far it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial.legendre import leggauss

FINE_NODES, FINE_WEIGHTS = leggauss(48)
"""Gauss-Legendre rule between two cuts, of which the rules are made."""
ROUND_OFF = 1e-15
"""Differences of Fermi functions that are none."""


@dataclass(frozen=True)
class Piece:
    """The part `start` < u < `stop` of the energies from `lower` (u = 0) to `upper` (u = 1); `at_edge` where a band
    ends there. It is a half of a half ... `depth` times."""

    lower: float
    upper: float
    at_edge: bool
    start: float = 0.0
    stop: float = 1.0
    depth: int = 0

    def energies(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """E and dE/du."""
        length = self.upper - self.lower
        if not self.at_edge:
            return self.lower + length * u, np.full(u.shape, length)
        return self.lower + length * np.sin(0.5 * np.pi * u) ** 2, 0.5 * np.pi * length * np.sin(np.pi * u)

    def variable(self, energies: np.ndarray) -> np.ndarray:
        """u of energies between `lower` and `upper`."""
        part = (energies - self.lower) / (self.upper - self.lower)
        return 2 / np.pi * np.arcsin(np.sqrt(part)) if self.at_edge else part

    def halves(self) -> tuple[Piece, Piece]:
        """Both halves in u."""
        middle = 0.5 * (self.start + self.stop)
        return replace(self, stop=middle, depth=self.depth + 1), replace(self, start=middle, depth=self.depth + 1)

    def fine(self, cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """u and du of Gauss-Legendre rules between the `cuts` (eV) in it, for what is smooth between them."""
        inner = self.variable(cuts[(cuts > self.lower) & (cuts < self.upper)])
        inner = np.unique(inner[(inner > self.start) & (inner < self.stop)])
        ends = np.array([self.start, *inner, self.stop])
        half = 0.5 * np.diff(ends)[:, None]
        return (ends[:-1, None] + half * (1 + FINE_NODES)).ravel(), (half * FINE_WEIGHTS).ravel()


def pieces_between(lower: float, upper: float, edges: np.ndarray, others: np.ndarray) -> list[Piece]:
    """[lower, upper] cut at the band edges and at `others`, where the weight changes sign."""
    cuts = np.unique(np.concatenate([edges, others]))
    cuts = np.array([lower, *cuts[(cuts > lower) & (cuts < upper)], upper])
    pairs = np.lib.stride_tricks.sliding_window_view(np.isin(cuts, edges), 2)
    return [Piece(float(a), float(b), bool(e.any())) for a, b, e in zip(cuts[:-1], cuts[1:], pairs, strict=True)]


def window_rule(
    piece: Piece, weight: Callable[[np.ndarray], np.ndarray], cuts: np.ndarray, count: int, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gauss's rule for a weight of one sign in the piece, smooth between `cuts`: by Lanczos's recurrence.

    Energies (n,) in eV, and (2, n): the weights, and those of the last two polynomials together. n is `count`, or 0
    where there is no more than `least` (eV) of the weight.
    """
    u, du = piece.fine(cuts)
    energies, slope = piece.energies(u)
    values = weight(energies)
    signed = du * slope * np.where(np.abs(values) < ROUND_OFF, 0.0, values)
    total = float(signed.sum())
    if abs(total) <= least or np.count_nonzero(signed) < count:  # or next to nothing
        return np.zeros(0), np.zeros((2, 0))
    basis, vector = np.empty((count, u.size)), np.sqrt(np.abs(signed))
    for k in range(count):
        for _ in range(2):
            vector = vector - basis[:k].T @ (basis[:k] @ vector)
        basis[k] = vector / np.linalg.norm(vector)
        vector = u * basis[k]
    nodes, states = np.linalg.eigh((basis * u) @ basis.T)
    return piece.energies(nodes)[0], total * states[0] * np.array([states[0], states[-1] + states[-2]])
