"""Poles of a matrix self-energy from its values just above the real axis, by tangential interpolation.
Used by `matrix_fit`, in its units (support of Gamma [-2, 2], hbar = 1).

With two sets of energies x_j and y_k, directions l_j and r_k in the m orbitals, and weights u_j and v_k,

    L_jk = u_j l_j^dag [Sigma(x_j) - Sigma(y_k)] r_k v_k/(x_j - y_k)
    L'_jk = u_j l_j^dag [x_j Sigma(x_j) - y_k Sigma(y_k)] r_k v_k/(x_j - y_k)

If Sigma is a sum of M poles, L has the rank M and det(L' - E L) = 0 has these poles as solutions (A. J. Mayo, A. C.
Antoulas, Linear Algebra Appl. 425, 634 (2007)). Else the M leading singular vectors of L = X S Y^dag give the M x M
matrix S^-1/2 X^dag L' Y S^-1/2, whose eigenvalues are chi_y; its eigenvectors give c_y.

Energies crowd where Sigma is not smooth: at edges of bands, where Gamma >= 0 is lost by poles that are too broad.

Weights. Gamma wrong by d over the interval h makes C(t) wrong by d h/2pi: weights h for every energy make the entries
of L about an edge, h h/distance with h ~ distance, as large as what they mean for C(t).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Sigma = Callable[[np.ndarray], np.ndarray]
"""Energies (n,) -> (n, m, m)."""

WEIGHT = 0.9
"""Power of the spacing in the weights, by trial on a dozen leads: 1 makes free fits to C(t) best, less than it costs
less under Gamma >= 0."""
ABOVE = 0.3
"""Im E of the samples, in units of the resolution."""
FARTHEST, COARSEST = 60.0, 65
"""Largest |E|, and number of energies in the support before any are added."""
NODES = 6
"""So many neighbours interpolate Sigma at the middle of an interval."""
UNSEEN = 0.1
"""Errors of that times the interval that are passed over, in units of the tolerance."""
MOST_ROWS = 1600
"""Of L, about: where there are more, some random directions at each energy stand for all of them."""
LARGEST_COUNT = 20000
"""Energies after which no more are added."""
SKETCH = 640
"""Rows of L from which on its singular vectors are taken from random combinations of its columns."""


class Realization:
    """The poles of Sigma, of as many as are asked for.

    Args:
        sigma: Sigma(E) for Im E > 0 without its real poles.
        points: Real energies at which it is not smooth.
        resolution: Structure in E narrower than this is of no interest.
        tolerance: Of C(t).
        most: Poles at most.
    """

    def __init__(self, sigma: Sigma, points: np.ndarray, resolution: float, tolerance: float, most: int) -> None:
        energies, values = sampled(sigma, points, resolution, tolerance)
        self.energies, self.values, self.spacing = energies, values, np.gradient(energies.real)
        """Complex energies (n,), Sigma (n, m, m), and what each energy stands for (n,)."""
        m = values.shape[1]
        rng, per_energy = np.random.default_rng(1), int(np.clip(2 * MOST_ROWS // energies.size, 1, m))
        weights = np.minimum(self.spacing, 1.0) ** WEIGHT
        sides = (slice(0, None, 2), slice(1, None, 2))
        x, y = (energies[side] for side in sides)
        to, at = (_directions(rng, one.size, m, per_energy) for one in (x, y))
        left = np.einsum("jar,jab,j->jrb", to.conj(), values[sides[0]], weights[sides[0]], optimize=True)
        right = np.einsum("kab,kbs,k->kas", values[sides[1]], at, weights[sides[1]], optimize=True)
        first = np.einsum("jrb,kbs,k->jrks", left, at, weights[sides[1]], optimize=True)
        second = np.einsum("jar,kas,j->jrks", to.conj(), right, weights[sides[0]], optimize=True)
        over = 1 / (x[:, None] - y)[:, None, :, None]
        rows, columns = x.size * per_energy, y.size * per_energy
        loewner = ((first - second) * over).reshape(rows, columns)
        first *= x[:, None, None, None]
        second *= y[:, None]
        shifted = ((first - second) * over).reshape(rows, columns)
        vectors, size, others = leading(loewner, most)
        self.size = size[size > 1e-14 * size[0]]
        """Singular values of L, descending."""
        vectors, others = vectors[:, : self.size.size], others[: self.size.size]
        self._shifted = vectors.conj().T @ shifted @ others.conj().T
        self._first = right.transpose(1, 0, 2).reshape(m, columns) @ others.conj().T

    def poles(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """chi_y and c_y, columns of length 1, of `count` poles; Im chi_y may have any sign."""
        root = np.sqrt(self.size[:count])
        chi, states = np.linalg.eig(self._shifted[:count, :count] / root[:, None] / root)
        left = (self._first[:, :count] / root) @ states
        return chi, left / np.linalg.norm(left, axis=0)


def sampled(sigma: Sigma, points: np.ndarray, resolution: float, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Energies, ascending, and Sigma there: intervals are halved until their neighbours say what is in their middle."""
    far = np.geomspace(2.2, FARTHEST, 14)
    real = np.unique(np.concatenate([-far, np.linspace(-2.1, 2.1, COARSEST), far, points]))
    values = sigma(real + 1j * ABOVE * resolution)
    open_ = np.ones(real.size - 1, dtype=bool)
    while open_.any() and real.size < LARGEST_COUNT:
        where = np.flatnonzero(open_ & (np.diff(real) > 0.1 * resolution))
        middle = 0.5 * (real[where] + real[where + 1])
        new = sigma(middle + 1j * ABOVE * resolution)
        missed = np.linalg.norm(new - _interpolated(real, values, where, middle), axis=(1, 2))
        rough = missed * np.diff(real)[where] > UNSEEN * tolerance
        where, middle, new = where[rough], middle[rough], new[rough]
        open_ = np.zeros(real.size - 1, dtype=bool)
        open_[where] = True
        open_ = np.insert(open_, where + 1, True)
        real, values = np.insert(real, where + 1, middle), np.insert(values, where + 1, new, axis=0)
    return real + 1j * ABOVE * resolution, values


def _interpolated(real: np.ndarray, values: np.ndarray, where: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Sigma at the middle of intervals, the polynomial through six energies about each."""
    index = np.clip(where - 2, 0, real.size - NODES)[:, None] + np.arange(NODES)
    nodes, own = real[index], np.arange(NODES)
    apart = nodes[:, :, None] - nodes[:, None, :]
    to = np.repeat((middle[:, None] - nodes)[:, None, :], NODES, axis=1)
    apart[:, own, own] = to[:, own, own] = 1.0
    return np.einsum("nj,njab->nab", (to / apart).prod(axis=2), values[index], optimize=True)


def _directions(rng: np.random.Generator, count: int, m: int, each: int) -> np.ndarray:
    """`each` orthonormal directions at every energy, (count, m, each): all orbitals where there are as many."""
    if each == m:
        return np.broadcast_to(np.eye(m, dtype=complex), (count, m, m))
    drawn = rng.normal(size=(2, count, m, each))
    return np.linalg.qr(drawn[0] + 1j * drawn[1])[0]


def leading(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The leading singular vectors and values, of large matrices from a random sketch and one power iteration.

    N. Halko, P. G. Martinsson, J. A. Tropp, SIAM Rev. 53, 217 (2011): singular values that fall as fast as here are
    exact but for rounding.
    """
    if min(matrix.shape) <= SKETCH:
        left, size, right = np.linalg.svd(matrix, full_matrices=False)
        return left[:, :count], size[:count], right[:count]
    rng = np.random.default_rng(2)
    sketch = np.linalg.qr(matrix @ rng.normal(size=(matrix.shape[1], min(*matrix.shape, count + 20))))[0]
    sketch = np.linalg.qr(matrix @ np.linalg.qr(matrix.conj().T @ sketch)[0])[0]
    left, size, right = np.linalg.svd(sketch.conj().T @ matrix, full_matrices=False)
    return sketch @ left[:, :count], size[:count], right[:count]
