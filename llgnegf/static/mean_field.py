"""Self-consistent states of devices with mean fields: rho_ii that their own field H_i(rho_ii) gives back."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy

from llgnegf.poles.channels import PoleSystem

RESIDUAL = 1e-12
"""Largest element of rho_ii - rho_ii[H(rho)] of a state that counts as self-consistent."""
MIXING, MEMORY, ITERATIONS = 0.5, 8, 400


def self_consistent(poles: PoleSystem, density: Callable[[PoleSystem], np.ndarray]) -> PoleSystem:
    """The same system with the site blocks rho_ii of a self-consistent state, found by Anderson mixing.

    The search begins at the blocks that `poles` has, or at the state without mean fields: a moment breaks the symmetry
    of the spins by its sd coupling, and what it leads to is the state that is found.

    Args:
        poles: The system; one without mean fields comes back as it is.
        density: rho (2N, 2N) of a system whose blocks are given.

    Raises:
        ValueError: Where the search does not converge, with the residual.
    """
    if not poles.system.electrons.mean_fields:
        return poles
    start = site_blocks(density(poles)) if poles.density_blocks is None else poles.density_blocks
    found = self_consistent_blocks(start, lambda blocks: density(replace(poles, density_blocks=blocks)))
    return replace(poles, density_blocks=found)


def self_consistent_blocks(
    start: np.ndarray, density: Callable[[np.ndarray], np.ndarray], residual: float = RESIDUAL
) -> np.ndarray:
    """rho_ii (N, 2, 2) of which `density` makes a rho (2N, 2N) with the same blocks, from `start` on; raises as
    `self_consistent` does."""
    n_sites = len(start)

    def change(numbers: np.ndarray) -> np.ndarray:
        return _numbers(site_blocks(density(_blocks(numbers, n_sites)))) - numbers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the fit to past iterates, singular once they coincide
        return _blocks(_search(change, _numbers(start), residual), n_sites)


def _search(change: Callable[[np.ndarray], np.ndarray], start: np.ndarray, allowed: float) -> np.ndarray:
    """Where `change` vanishes."""
    residuals, own = [np.inf], list[ValueError]()

    def recorded(numbers: np.ndarray) -> np.ndarray:
        try:
            found = change(numbers)
        except np.linalg.LinAlgError:
            raise
        except ValueError as error:
            own.append(error)
            raise
        residuals.append(float(np.abs(found).max()))
        return found

    options = {"alpha": MIXING, "M": MEMORY, "f_tol": allowed, "maxiter": ITERATIONS, "line_search": None}
    try:
        return scipy.optimize.anderson(recorded, start, **options)
    except (scipy.optimize.NoConvergence, np.linalg.LinAlgError, ValueError):
        if own:  # of the device or of a function of the user, which says more
            raise own[0] from None
        raise ValueError(
            f"start: mean fields whose state is not self-consistent after {len(residuals) - 1} iterations, least "
            f"residual {min(residuals):.2g}; allowed: a residual of {allowed:g} (a weaker interaction, a larger kT, "
            "or start = 'partitioned' with an initial_density_matrix, which needs none)"
        ) from None


def site_blocks(density_matrix: np.ndarray) -> np.ndarray:
    """rho_ii of rho (2N, 2N), (N, 2, 2)."""
    n_sites = density_matrix.shape[0] // 2
    sites = np.arange(n_sites)
    return density_matrix.reshape(n_sites, 2, n_sites, 2)[sites, :, sites, :]


def _numbers(blocks: np.ndarray) -> np.ndarray:
    """Hermitian blocks as 4 N real numbers."""
    flip = blocks[:, 1, 0]
    return np.concatenate([blocks[:, 0, 0].real, blocks[:, 1, 1].real, flip.real, flip.imag])


def _blocks(numbers: np.ndarray, n_sites: int) -> np.ndarray:
    up, down, real, imag = numbers.reshape(4, n_sites)
    flip = real + 1j * imag
    return np.stack([np.stack([up, flip.conj()], axis=1), np.stack([flip, down], axis=1)], axis=1)
