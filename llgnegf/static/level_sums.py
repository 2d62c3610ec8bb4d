"""Sums over energies of G and of products with it, in the basis of the levels, as few large matrix products.

Under `views`; the low-rank form of G is that of `green`. A sum of F(z) = left(z) right(z) over energies is one product
of the factors of all of them side by side, and no F is ever there; what an adaptive rule must see of F are samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from llgnegf.static.green import LevelGreen, StaticDevice
from llgnegf.static.weights import times, weighted

SAMPLES = 6
"""Random vectors p of which p^dag F p' are looked at. They see all of F: of a single resonance of strength a that F
misses, the largest of the samples is below a/10 once in ten thousand times."""


@cache
def probes(size: int) -> np.ndarray:
    """The random vectors, (size, SAMPLES).

    Entries are normally distributed, of such a size that the largest |p^dag F p'| of F = a x x^dag, |x| = 1, is a on
    average: |p^dag x|^2 is distributed as exp(-t), and the mean of the largest of n of them is 1 + 1/2 + ... + 1/n.
    No entry of F exceeds a, in whatever basis.
    """
    rng = np.random.default_rng(size)
    numbers = rng.normal(size=(size, SAMPLES)) + 1j * rng.normal(size=(size, SAMPLES))
    return numbers / np.sqrt(2 * (1 / np.arange(1, SAMPLES + 1)).sum())


def summed_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """sum_n left_n right_n, (d, d), for (n, d, k) and (n, k, d): one matrix product."""
    size = left.shape[1]
    return left.transpose(1, 0, 2).reshape(size, -1) @ right.reshape(-1, size)


@dataclass(frozen=True, eq=False)
class LevelParts:
    """G alone, or G, G X G and G Y G, Y = u W(z) u^dag, in the basis of the levels, for energies z (n,), Im z > 0.

    Attributes:
        device: The device.
        x: X, (2N, 2N), or None.
        weights: W(z), (n, Q) or (n, Q, Q).
    """

    device: StaticDevice
    x: np.ndarray | None = None
    weights: Callable[[np.ndarray], np.ndarray] | None = None

    def sample(self, z: np.ndarray) -> np.ndarray:
        """p^dag F p' of `probes`, (n, parts, SAMPLES, SAMPLES)."""
        p = probes(self.device.size)
        return p.conj().T @ self._right(self.device.level_green(z), z, p)

    def on_vectors(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """u^dag F, (n, parts, Q, 2N), and F u, (n, parts, 2N, Q)."""
        green, u = self.device.level_green(z), self.device.level_vectors
        return self._left(green, z, u.conj().T), self._right(green, z, u)

    def total(self, z: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """sum_n `factors`_n F(z_n), (parts, 2N, 2N)."""
        g = self.device.level_green(z)
        left, dense = g.left * factors[:, None, None], factors[g.doubtful]
        sound = np.where(g.doubtful, 0.0, factors)
        first = summed_products(left, g.right)
        level = np.arange(self.device.size)
        first[level, level] += sound @ g.diagonal
        first += np.tensordot(dense, g.dense, 1)
        if self.x is None or self.weights is None:
            return first[None]
        x, u = self.x, self.device.level_vectors
        behind = g.right @ x
        outside = behind * g.diagonal[:, None, :] + (behind @ g.left) @ g.right
        second = summed_products(left, outside)
        ahead = (x @ left.transpose(1, 0, 2).reshape(len(x), -1)).reshape(len(x), len(z), -1).transpose(1, 0, 2)
        second += summed_products(g.diagonal[:, :, None] * ahead, g.right)
        second += x * ((g.diagonal * sound[:, None]).T @ g.diagonal)
        second += np.tensordot(dense, g.dense @ x @ g.dense, 1)
        columns = weighted(_after(g, u), self.weights(z)) * factors[:, None, None]
        return np.stack([first, second, summed_products(columns, _before(g, u.conj().T))])

    def _right(self, green: LevelGreen, z: np.ndarray, b: np.ndarray) -> np.ndarray:
        """F b, (n, parts, 2N, k), for b (2N, k)."""
        found = _after(green, b)
        if self.x is None or self.weights is None:
            return found[:, None]
        u = self.device.level_vectors
        between = _after(green, u) @ times(self.weights(z), u.conj().T @ found)
        return np.stack([found, _after(green, self.x @ found), between], axis=1)

    def _left(self, green: LevelGreen, z: np.ndarray, b: np.ndarray) -> np.ndarray:
        """b F, (n, parts, k, 2N), for b (k, 2N)."""
        found = _before(green, b)
        if self.x is None or self.weights is None:
            return found[:, None]
        u = self.device.level_vectors
        between = weighted(found @ u, self.weights(z)) @ _before(green, u.conj().T)
        return np.stack([found, _before(green, found @ self.x), between], axis=1)


def _after(green: LevelGreen, b: np.ndarray) -> np.ndarray:
    """G b, (n, 2N, k), for b (2N, k) or (n, 2N, k)."""
    found = green.diagonal[:, :, None] * b + green.left @ (green.right @ b)
    found[green.doubtful] = green.dense @ (b if b.ndim == 2 else b[green.doubtful])
    return found


def _before(green: LevelGreen, b: np.ndarray) -> np.ndarray:
    """b G, (n, k, 2N), for b (k, 2N) or (n, k, 2N)."""
    found = b * green.diagonal[:, None, :] + (b @ green.left) @ green.right
    found[green.doubtful] = (b if b.ndim == 2 else b[green.doubtful]) @ green.dense
    return found
