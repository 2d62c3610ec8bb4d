"""All zeros of a meromorphic matrix function D within an ellipse, counted for certain: how `magnons` solves D(E) v = 0.

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
RANKS = 1e-12, 1e-14, 1e-10, 1e-8, 1e-6
"""Singular values of H_0 below this part of oint |F||d zeta| are left out as round-off, of zeros and poles alike; the
first limit that brings them together is taken."""
ROUND_OFF = 1e-13
"""Newton's steps end below it, in parts of the ellipse."""
PAIR = 1e-4
"""A zero that Newton's method loses to a pole so near to it, in parts of the ellipse, is left out with that pole: they
cancel to round-off, as an excitation of electrons does that has next to nothing of the moments."""
RESIDUAL = 1e-9
"""Largest |D v|/|v| of what counts as a zero, to the mean |D| on the contour."""
ON_AXIS = 1e-9
"""|Re E| of what counts as its own partner in the pair E, -E^*, in parts of the ellipse."""
DRIFT = CLOSE = 1e-3
"""How far Newton's method may take a zero from where the contour saw it, and the radius of the circle on which a zero
that it loses is looked for again, in parts of the ellipse."""


@dataclass(frozen=True, eq=False)
class Zeros:
    """The zeros of D within an ellipse, and the certificate zeros - poles = winding.

    Attributes:
        values: E, (n,), as often as they are multiple.
        vectors: v with D(E) v = 0 and |v| = 1, (n, s).
        residuals: |D v| to the mean |D| on the contour, (n,).
        poles: Number of poles of D within; what a zero cancels to round-off counts as neither.
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
            right, mirrored = zeros.real > -ON_AXIS, zeros.real > ON_AXIS
            if zeros.size - poles.size == turns and right.sum() + mirrored.sum() == zeros.size:
                zeros, vectors, mirrored = zeros[right], vectors[right], mirrored[right]
                values, vectors, residuals, good = _polished(function, a * zeros, vectors, d, a)
                if not good.all():
                    lost = zip(a * zeros[~good], vectors[~good], strict=True)
                    at, along = zip(*(_closer(function, z, v, CLOSE * a) for z, v in lost), strict=True)
                    again = _polished(function, np.array(at), np.array(along), d, a)
                    values[~good], vectors[~good], residuals[~good], good[~good] = again
                if _cancel(zeros[~good], poles) and not _merged(zeros[good], values[good] / a):
                    pair = good & mirrored
                    values = np.concatenate([values[good], -values[pair].conj()])
                    vectors = np.concatenate([vectors[good], vectors[pair].conj()])
                    residuals = np.concatenate([residuals[good], residuals[pair]])
                    return Zeros(values, vectors, residuals, values.size - turns, turns, nodes)
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
        """zeta of those within the ellipse of half axes (1, 1/aspect), (n,), and vectors of their residues (n, s)."""
        rank = int((self.s > limit).sum())
        u, s, vh = self.u[:, :rank], self.s[:rank], self.vh[:rank]
        found, inner = np.linalg.eig(u.conj().T @ self.upper @ vh.conj().T / s)
        inside = found.real**2 + (aspect * found.imag) ** 2 < 1
        return found[inside], (u[: self.size] @ inner).T[inside]


def _cancel(zeros: np.ndarray, poles: np.ndarray) -> bool:
    """Whether each of these zeros has a pole of its own within `PAIR`."""
    for zero in zeros:
        apart = np.abs(poles - zero)
        if apart.min(initial=1.0) > PAIR:
            return False
        poles = np.delete(poles, apart.argmin())
    return True


def _merged(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether zeros that were apart have been polished into one (round-off splits one that is defective by 1e-7)."""
    apart, now = (np.abs(z[:, None] - z) for z in (before, after))
    return bool(np.any((apart > 1e-6) & (now < 1e-3 * apart)))


def _closer(function: Function, centre: complex, vector: np.ndarray, radius: float) -> tuple[complex, np.ndarray]:
    """The zero next to `centre`, from a circle around it, and its vector; what is given if there is none."""
    turn = np.exp(2j * np.pi * (np.arange(32) + 0.5) / 32)
    inverse = np.linalg.inv(function(centre + radius * turn))
    found, vectors = _Hankel.of(inverse, turn, turn / turn.size).poles(RANKS[0], 1.0)
    best = int(np.abs(found).argmin()) if found.size else None
    return (centre, vector) if best is None else (centre + radius * found[best], vectors[best])


def _polished(
    function: Function, values: np.ndarray, vectors: np.ndarray, border: np.ndarray, scale: float, steps: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Newton's method for D(E) v = 0, c.v = 1, c the first v; E (n,), v (n, s) of length 1, |D v| to the mean |D| of
    the `border`, and whether E is a zero, near to where it began.

    The least-norm step leaves the direction within a space of degenerate zeros alone.
    """
    if not values.size:
        return values, vectors, np.zeros(0), np.zeros(0, dtype=bool)
    n, h = values.size, 1e-7 * scale
    v = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    c, e = v.conj(), values.astype(complex)
    bordered = np.zeros((n, v.shape[1] + 1, v.shape[1] + 1), dtype=complex)
    bordered[:, -1, :-1] = c
    moved = np.inf
    for _ in range(steps):
        if moved > np.sqrt(ROUND_OFF):  # else the slope has done its work, and serves on
            above, below = function(np.concatenate([e + h, e - h])).reshape(2, n, *bordered[0, 1:, 1:].shape)
            slope = (above - below) / (2 * h)
        d = function(e)
        bordered[:, :-1, :-1], bordered[:, :-1, -1] = d, np.einsum("nij,nj->ni", slope, v)
        miss = np.concatenate([np.einsum("nij,nj->ni", d, v), np.einsum("ni,ni->n", c, v)[:, None] - 1], axis=1)
        change = np.einsum("nij,nj->ni", np.linalg.pinv(bordered, rcond=1e-13), miss)
        v, e, moved = v - change[:, :-1], e - change[:, -1], np.abs(change[:, -1]).max() / scale
        if moved < ROUND_OFF:
            break
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    left = np.linalg.norm(np.einsum("nij,nj->ni", function(e), v), axis=1)
    left /= np.linalg.norm(border, axis=(1, 2)).mean()
    return e, v, left, (left < RESIDUAL) & (np.abs(e - values) < DRIFT * scale)
