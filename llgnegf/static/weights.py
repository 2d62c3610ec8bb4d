"""What stands between the vectors of all leads, Sigma, Gamma or their changes: one number a vector, or blocks.

Under `green` and everything that multiplies G by the leads. With the lead orbitals of all channels as columns u, Q of
them, Sigma = sum_ab u_a W_ab u_b^dag. Where every channel is scalar W is diagonal and held as (n, Q); with a matrix
channel it is (n, Q, Q), in blocks that do not mix channels. Both forms have the same functions here.
"""

from __future__ import annotations

import numpy as np


def joined(parts: list[np.ndarray], sizes: list[int], n_energies: int, as_matrix: bool) -> np.ndarray:
    """W of all channels from each one's values, (n,) of a scalar channel and (n, m, m) of m orbitals."""
    total = sum(sizes)
    if not as_matrix:
        return np.stack(parts, axis=-1) if parts else np.zeros((n_energies, 0), dtype=complex)
    out, first = np.zeros((n_energies, total, total), dtype=complex), 0
    for values, size in zip(parts, sizes, strict=True):
        place = slice(first, first + size)
        out[:, place, place] = np.reshape(values, (n_energies, size, size))
        first += size
    return out


def weighted(columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """x W, (n, d, Q), for columns x (d, Q) or (n, d, Q)."""
    return columns * weights[:, None, :] if weights.ndim == 2 else columns @ weights


def times(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """W x, (n, Q, d), for rows x (Q, d) or (n, Q, d)."""
    return weights[:, :, None] * rows if weights.ndim == 2 else weights @ rows


def by_column(weights: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """W times a number for each column, (Q,) or (n, Q), the same for all columns of a channel."""
    return weights * (factors if weights.ndim == 2 else factors[..., None, :])


def by_orbital(weights: np.ndarray, operators: np.ndarray) -> np.ndarray:
    """sum_b W_ab X_ba, (n, 4, Q), for X (n, 4, Q, Q): the sum over the columns a of a lead is Tr W X of that lead."""
    if weights.ndim == 2:
        return weights[:, None, :] * np.einsum("noqq->noq", operators)
    return np.einsum("nab,noba->noa", weights, operators)


def expectation(amplitudes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_ab x_a W_ab x_b^*, (n,), for amplitudes x_a = <k|u_a>, (n, Q)."""
    if weights.ndim == 2:
        return np.einsum("nq,nq->n", np.abs(amplitudes) ** 2, weights)
    return np.einsum("na,nab,nb->n", amplitudes, weights, amplitudes.conj(), optimize=True)


def hermitian(weights: np.ndarray) -> np.ndarray:
    """(W + W^dag)/2."""
    return weights.real if weights.ndim == 2 else 0.5 * (weights + weights.conj().swapaxes(-1, -2))


def antihermitian(weights: np.ndarray) -> np.ndarray:
    """i (W - W^dag), Gamma of W = Sigma."""
    return -2 * weights.imag if weights.ndim == 2 else 1j * (weights - weights.conj().swapaxes(-1, -2))


def diagonal(weights: np.ndarray) -> np.ndarray:
    """Real part of W_aa, (n, Q)."""
    return weights.real if weights.ndim == 2 else np.einsum("nqq->nq", weights).real
