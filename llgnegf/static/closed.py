"""Closed devices: discrete levels, their response to a static perturbation and to slow motion.

What `decomposition` and `response/` take where no lead is coupled.
"""

from __future__ import annotations

import numpy as np

from llgnegf.problem.electrons import PAULI
from llgnegf.problem.occupation import fermi, measured

DEGENERATE = 1e-9
"""Levels closer than this (eV) count as one: equally filled, no motion mixes their filling."""


def berry_curvature(energies: np.ndarray, states: np.ndarray, filling: np.ndarray) -> np.ndarray:
    """K_{ia,jb}/(hbar J_j) = -i sum_nm (f_n - f_m)/(e_n - e_m)^2 <m|sigma_ia|n><n|sigma_jb|m>, (B, 3N, 3N).

    Args:
        energies, states, filling: Levels (B, 2N) in eV, their states (B, 2N, 2N, columns) and f_n, (B, 2N).
    """
    gap = energies[:, :, None] - energies[:, None, :]
    same = np.abs(gap) < DEGENERATE
    weight = np.where(same, 0.0, (filling[:, :, None] - filling[:, None, :]) / np.where(same, 1.0, gap) ** 2)
    batch, n = len(states), states.shape[1] // 2
    spinors = states.reshape(batch, n, 2, 2 * n)
    spins = np.einsum("bisn,ast,bitm->bianm", spinors.conj(), PAULI, spinors).reshape(batch, 3 * n, -1)
    # <m|sigma|n> is the conjugate of <n|sigma|m>: sum_nm w_nm conj(s_ia,nm) s_jb,nm
    return (-1j * spins.conj() @ (spins * weight.reshape(batch, 1, -1)).swapaxes(-1, -2)).real


def occupation_response(hamiltonian: np.ndarray, perturbation: np.ndarray, mu: float, kT: float) -> np.ndarray:
    """First-order change of f(H) under H -> H + X.

        delta f = V [ f[eps_i, eps_j] (V^dag X V)_ij ] V^dag,    f[a, b] = (f(a) - f(b))/(a - b), f'(a) for a = b

    Raises:
        ValueError: At kT = 0 with a level at the Fermi energy: f' is infinite there.
    """
    energies, states = np.linalg.eigh(hamiltonian)
    distance = measured(energies, mu)
    if kT == 0 and np.any(distance == 0):
        raise ValueError(
            f"OpenSystem.kT: 0 with a level of the closed system at the Fermi energy {mu}; "
            "allowed: kT > 0, or a Fermi energy between the levels"
        )
    inner = states.conj().T @ perturbation @ states
    return states @ (divided_difference(distance, kT) * inner) @ states.conj().T


def divided_difference(energies: np.ndarray, kT: float) -> np.ndarray:
    """f[a_i, a_j] of the Fermi function for levels a (n,) measured from mu, (n, n), free of cancellation.

    f(a) - f(b) = -sinh(x - y)/(2 cosh x cosh y) with x = a/2kT, y = b/2kT; used where |x - y| < 1.
    """
    difference = energies[:, None] - energies[None, :]
    f = fermi(energies, 0.0, kT)
    same = difference == 0
    direct = (f[:, None] - f[None, :]) / np.where(same, 1.0, difference)
    if kT == 0:
        return np.where(same, 0.0, direct)
    x = np.clip(energies / (2 * kT), -300, 300)
    gap = np.where(np.abs(difference) < 2 * kT, difference / (2 * kT), 0.0)
    quotient = np.where(gap == 0, 1.0, np.sinh(gap) / np.where(gap == 0, 1.0, gap))
    close = -quotient / (4 * kT * np.cosh(x)[:, None] * np.cosh(x)[None, :])
    return np.where(np.abs(difference) < 2 * kT, close, direct)
