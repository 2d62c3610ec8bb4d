"""All zeros of a meromorphic matrix function within an ellipse, with a certificate: what `magnons` solves D(E) v = 0 by.

Imports numpy alone. D(E) has a zero where D^-1 has a pole. The poles of any F within a contour are the eigenvalues of a
pencil of block Hankel matrices of its moments (W.-J. Beyn, Linear Algebra Appl. 436, 3839 (2012)),

    A_p = (1/2 pi i) oint zeta^p F(zeta) d zeta,    H_0 = [A_{r+c}],  H_1 = [A_{r+c+1}],    rank H_0 = number of poles,

taken of F = D^-1 for the zeros and of F = D for the poles, and the argument principle ties the two together:

    (1/2 pi) change of arg det D around the contour = zeros - poles.

The trapezoidal rule on an ellipse converges exponentially; nodes are doubled until this holds and the phase is followed
without a doubt. The zeros are then polished by Newton's method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
"""z (n,) -> D (n, s, s), with D(-z^*) = D(z)^*."""
FEWEST, MOST = 64, 2048
"""Nodes on the contour."""
PHASE = 1.0
"""Largest change (rad) of arg det D between neighbouring nodes."""
RANKS = 1e-11, 1e-9, 1e-7
"""Singular values of H_0 below this part of oint |F||d zeta| are left out: of round-off, and of poles that a zero
beside them all but cancels. One limit for zeros and poles; the first one that brings them together is taken."""
RESIDUAL = 1e-9
"""Largest |D v|/(|D||v|) of what counts as a zero."""
DRIFT = 1e-3
"""How far Newton's method may take a zero from where the contour saw it, in parts of the ellipse."""


@dataclass(frozen=True, eq=False)
class Zeros:
    """The zeros of D within an ellipse, and the certificate zeros - poles = winding.

    Attributes:
        values: E, (n,), as often as they are multiple.
        vectors: v with D(E) v = 0 and |v| = 1, (n, s).
        residuals: |D v|/|D|, (n,).
        poles: Number of poles of D within.
        winding: Turns of arg det D around the contour.
        nodes: Points of the contour.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    poles: int
    winding: int
    nodes: int


class NotCertain(ArithmeticError):
    """Zeros, poles and winding do not agree: one of them is too near to the contour, or too weak to be told."""


def zeros_within(function: Function, half_axes: tuple[float, float]) -> Zeros:
    """All E with det D(E) = 0 and (Re E/a)^2 + (Im E/b)^2 < 1, `half_axes` = (a, b).

    Raises:
        NotCertain: Where the numbers of zeros and poles cannot be brought together with the winding.
    """
    a, b = half_axes
    nodes, seen = FEWEST, "the phase of the determinant is not resolved"
    while nodes <= MOST:
        angle = (2 * np.pi / nodes) * (np.arange(nodes // 2) + 0.5) - np.pi / 2  # the right half, no node on an axis
        z, slope = a * np.cos(angle) + 1j * b * np.sin(angle), -a * np.sin(angle) + 1j * b * np.cos(angle)
        half = function(z)
        d = np.concatenate([half, half[::-1].conj()])
        z = np.concatenate([z, -z[::-1].conj()])
        weight = np.concatenate([slope, slope[::-1].conj()]) / (1j * nodes)
        turns, largest_step = _winding(d)
        hankel = [_Hankel.of(f, z / a, weight / a) for f in (np.linalg.inv(d), d)]
        for rank in RANKS if largest_step < PHASE else ():
            (zeros, vectors), (poles, _) = (h.poles(rank, a / b) for h in hankel)
            seen = f"{zeros.size} zeros less {poles.size} poles against {turns} turns of the determinant"
            if zeros.size - poles.size == turns:
                values, vectors, residuals = _polished(function, a * zeros, vectors, a)
                if np.all((residuals < RESIDUAL) & (np.abs(values - a * zeros) < DRIFT * a)):
                    return Zeros(values, vectors, residuals, poles.size, turns, nodes)
        nodes *= 2
    raise NotCertain(f"{seen}, {MOST} nodes")


def _winding(d: np.ndarray) -> tuple[int, float]:
    """Turns of arg det D (nodes in order), and its largest change from node to node."""
    phase = np.linalg.slogdet(d)[0]
    steps = np.angle(np.roll(phase, -1) / phase)
    return round(float(steps.sum()) / (2 * np.pi)), float(np.abs(steps).max())


@dataclass(frozen=True, eq=False)
class _Hankel:
    """Singular vectors u, values s (parts of oint |F||d zeta|) and vh of H_0, and H_1, of F with blocks of `size`."""

    u: np.ndarray
    s: np.ndarray
    vh: np.ndarray
    upper: np.ndarray
    size: int

    @classmethod
    def of(cls, f: np.ndarray, zeta: np.ndarray, weight: np.ndarray) -> _Hankel:
        """F (nodes, s, s) at zeta, with blocks enough for all poles of more than round-off, if the nodes allow."""
        size, reference = f.shape[-1], float(np.abs(weight) @ np.linalg.norm(f, axis=(1, 2)))
        blocks = 2 + 12 // size
        while True:
            moments = np.einsum("pk,kij->pij", weight * zeta ** np.arange(2 * blocks)[:, None], f) / reference
            at = np.arange(blocks)[:, None] + np.arange(blocks)
            lower, upper = (moments[at + k].transpose(0, 2, 1, 3).reshape(2 * (blocks * size,)) for k in (0, 1))
            u, s, vh = np.linalg.svd(lower)
            if s[-1] < RANKS[0] or 4 * blocks * size > zeta.size:
                return cls(u, s, vh, upper, size)
            blocks *= 2

    def poles(self, limit: float, aspect: float) -> tuple[np.ndarray, np.ndarray]:
        """zeta of those within the ellipse of the half axes (1, 1/aspect), (n,), and vectors of their residues (n, s)."""
        rank = int((self.s > limit).sum())
        u, s, vh = self.u[:, :rank], self.s[:rank], self.vh[:rank]
        found, inner = np.linalg.eig(u.conj().T @ self.upper @ vh.conj().T / s)
        inside = found.real**2 + (aspect * found.imag) ** 2 < 1
        return found[inside], (u[: self.size] @ inner).T[inside]


def _polished(
    function: Function, values: np.ndarray, vectors: np.ndarray, scale: float, steps: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Newton's method for D(E) v = 0, c.v = 1, c the first v; E (n,), v (n, s) of length 1, and |D v|/|D|.

    The least-norm step leaves the direction within a space of degenerate zeros alone.
    """
    if not values.size:
        return values, vectors, np.zeros(0)
    n, h = values.size, 1e-5 * scale
    v = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    c, e = v.conj(), values.astype(complex)
    bordered = np.zeros((n, v.shape[1] + 1, v.shape[1] + 1), dtype=complex)
    bordered[:, -1, :-1] = c
    for _ in range(steps):
        d, above, below = function(np.concatenate([e, e + h, e - h])).reshape(3, n, *bordered[:, 1:, 1:].shape[1:])
        bordered[:, :-1, :-1] = d
        bordered[:, :-1, -1] = np.einsum("nij,nj->ni", above - below, v) / (2 * h)
        miss = np.concatenate([np.einsum("nij,nj->ni", d, v), np.einsum("ni,ni->n", c, v)[:, None] - 1], axis=1)
        change = np.einsum("nij,nj->ni", np.linalg.pinv(bordered, rcond=1e-13), miss)
        v, e = v - change[:, :-1], e - change[:, -1]
        if np.abs(change[:, -1]).max() < 1e-13 * scale:
            break
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    d = function(e)
    return e, v, np.linalg.norm(np.einsum("nij,nj->ni", d, v), axis=1) / np.linalg.norm(d, axis=(1, 2))
