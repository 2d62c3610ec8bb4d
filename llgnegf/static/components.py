"""2 x 2 blocks of Green functions as components g^m, G_ij = sum_m g^m_ij sigma_m with sigma_0 = 1.

What the traces of `pair_kernel` are taken of: O(1) for each pair of sites once G is known.
"""

from __future__ import annotations

import numpy as np


def site_components(green: np.ndarray) -> np.ndarray:
    """g^m_ij with G_ij = sum_m g^m_ij sigma_m, (..., 4, N, N), of matrices (..., 2N, 2N)."""
    uu, ud = green[..., 0::2, 0::2], green[..., 0::2, 1::2]
    du, dd = green[..., 1::2, 0::2], green[..., 1::2, 1::2]
    return 0.5 * np.stack([uu + dd, ud + du, 1j * (ud - du), uu - dd], axis=-3)


def block_components(blocks: np.ndarray) -> np.ndarray:
    """The same of single blocks with the energies last, (P, 2, 2, n), as (n, 4, P)."""
    uu, ud, du, dd = blocks[:, 0, 0], blocks[:, 0, 1], blocks[:, 1, 0], blocks[:, 1, 1]
    return 0.5 * np.stack([uu + dd, ud + du, 1j * (ud - du), uu - dd]).transpose(2, 0, 1)
