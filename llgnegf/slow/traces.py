"""Traces of two Green functions with a Pauli matrix on each of two sites, from their 2 x 2 blocks.

The algebra under `response` and `tensors`: O(1) for each pair of sites once G is known.
"""

from __future__ import annotations

import numpy as np

from llgnegf.electrons import PAULI

_QUATERNIONS = np.concatenate([np.eye(2)[None], PAULI])
TRACES = np.einsum("aij,mjk,bkl,nli->abmn", PAULI, _QUATERNIONS, PAULI, _QUATERNIONS)
"""Tr[sigma_a sigma_m sigma_b sigma_n], (3, 3, 4, 4), with sigma_0 = 1 for m and n."""


def site_components(green: np.ndarray) -> np.ndarray:
    """g^m_ij with G_ij = sum_m g^m_ij sigma_m, (..., 4, N, N), of matrices (..., 2N, 2N)."""
    uu, ud = green[..., 0::2, 0::2], green[..., 0::2, 1::2]
    du, dd = green[..., 1::2, 0::2], green[..., 1::2, 1::2]
    return 0.5 * np.stack([uu + dd, ud + du, 1j * (ud - du), uu - dd], axis=-3)


def block_components(blocks: np.ndarray) -> np.ndarray:
    """The same of single blocks with the energies last, (P, 2, 2, n), as (n, 4, P)."""
    uu, ud, du, dd = blocks[:, 0, 0], blocks[:, 0, 1], blocks[:, 1, 0], blocks[:, 1, 1]
    return 0.5 * np.stack([uu + dd, ud + du, 1j * (ud - du), uu - dd]).transpose(2, 0, 1)


def pair_traces(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Tr[sigma_s A_ij sigma_t B_ji] at each energy for pairs p = (i, j), (n, P, 3, 3).

    Args:
        a: Components of A_ij, (n, 4, P).
        b: Components of B_ji, (n, 4, P).
    """
    products = a.swapaxes(1, 2)[..., :, None] * b.swapaxes(1, 2)[..., None, :]
    return (products.reshape(-1, 16) @ TRACES.reshape(9, 16).T).reshape(*products.shape[:2], 3, 3)
