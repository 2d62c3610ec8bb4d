"""Eigenvectors of a device with its leads in modes, and what fills them: all that linear response is made of.

Under `linear_response`, which says what is made of it; over `static/frozen` and `static/start`.

With h = sum_k |k> e_k (k| of device and modes (`FrozenDevice.extended_hamiltonian`), G(E) = sum_k |k>(k|/(E - e_k) on
the device, hbar = 1 and G^<(E) = i W(E), a perturbation A exp(-iwt) changes rho by
    delta rho = -i int dE/2pi [G(E + w) A G^<(E) + G^<(E + w) A G(E)^dag]
              = Q(w)[A] + Q(-w^*)[A^dag]^dag,         Q(w)[A] = int dE/2pi G(E + w) A W(E).
Equilibrium: W = i f (G - G^dag). The term f G A G is closed in the upper half plane, around the poles z_m of f =
1/2 - sum_m r_m [1/(E - z_m) + c.c.]; i [f(E + w) - f(E)] G(E + w) A G(E)^dag of both Q's is taken by partial fractions,
each of which vanishes with w, and divided among the two again:
    Q = sum_k |k>(k| A W_k,   W_k = sum_m r_m G(z_m)/(w + z_m - e_k) - sum_l |l)<l| b_k(w) w/(w - e_k + e_l^*),
    b_k = sum_m r_m/[(z_m - e_k)(z_m - e_k + w)].
No width is divided by: levels that no lead damps have a real e_k here, and w/(w - e_k + e_l^*) = 1 between those of
one energy: their fillings stay as they were.
What the leads' own fillings add has the state X and the vectors v_q of `static/start.lead_change`. Of its W, the part
with poles in the upper half plane is the Laplace transform of F(t) = <c_j^dag(t) c_i(0)>,
    dF/dt = i F h^dag + i sum_q v_q exp(i z_q t) u_q^dag,   F(0) = X,
    W_k += sum_l [X + sum_q v_q u_q^dag/(e_k - w - z_q)] |l)<l|/(w - e_k + e_l^*),
in which undamped l have no pole, X |l) = -sum_q v_q <u_q|l)/(e_l - z_q): Gamma vanishes there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.occupation import fill_levels
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.start import lead_change
from llgnegf.static.undamped import SAME, is_undamped

Series = list[np.ndarray]
"""Taylor coefficients in w, lowest first."""


@dataclass(frozen=True, eq=False)
class Levels:
    """h = sum_k |k> e_k (k|, (k|l> = delta_kl.

    Attributes:
        energies: e_k in eV, (T,), T = 2N + M; Im e_k = 0 of levels that no lead damps.
        right, left: |k> as columns, (2N, T), and (k| as rows, (T, 2N), on the device.
        condition: Condition number of the eigenvectors.
    """

    energies: np.ndarray
    right: np.ndarray
    left: np.ndarray
    condition: float

    @cached_property
    def resonant(self) -> np.ndarray:
        """Pairs of undamped levels of one energy, (T, T)."""
        still = self.energies.imag == 0
        return still[:, None] & still & (np.abs(self.energies[:, None] - self.energies) < SAME)

    @cached_property
    def adjoint_pairs(self) -> np.ndarray:
        """|l)<l| of h^dag, (T, 2N, 2N): G(E^*)^dag is their sum over E - e_l^*."""
        return self.left.conj()[:, :, None] * self.right.conj().T[:, None, :]

    def propagator(self, time: float) -> np.ndarray:
        """exp(-i h t) on the device, (2N, 2N), t in 1/eV."""
        return (self.right * np.exp(-1j * self.energies * time)) @ self.left

    @cached_property
    def differences(self) -> np.ndarray:
        """e_k - e_l^*, (T, T), infinite for pairs that are resonant."""
        return np.where(self.resonant, np.inf, self.energies[:, None] - self.energies.conj())

    def filled(self, rows: slice, energy: complex, orders: int) -> Series:
        """W_k(w) around w = `energy` for the levels k in `rows`, (rows, 2N, 2N) each."""
        raise NotImplementedError

    def lesser(self, time: float) -> np.ndarray:
        """F(t) = <c_j^dag(t) c_i(0)> = int dE/2pi W(E) exp(iEt), (2N, 2N), t >= 0 in 1/eV."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class ClosedLevels(Levels):
    """A closed system with the fillings f(e_k), (T,): W_k = sum_l |l)<l| (f_l - f_k)/(w - e_k + e_l)/2."""

    filling: np.ndarray

    @classmethod
    def of(cls, hamiltonian: np.ndarray, mu: float, kT: float) -> ClosedLevels:
        energies, states = np.linalg.eigh(hamiltonian)
        return cls(energies + 0j, states, states.conj().T, 1.0, fill_levels(energies, mu, kT))

    def filled(self, rows: slice, energy: complex, orders: int) -> Series:
        change = 0.5 * (self.filling - self.filling[rows, None])
        parts = pole(self.differences[rows], energy, orders)
        return [np.tensordot(change * p, self.adjoint_pairs, 1) for p in parts]

    def lesser(self, time: float) -> np.ndarray:
        return np.tensordot(self.filling * np.exp(1j * self.energies * time), self.adjoint_pairs, 1)


@dataclass(frozen=True, eq=False)
class OpenLevels(Levels):
    """A device with leads.

    Attributes:
        z, r: Upper Fermi poles z_m and r_m (eV) of the common Fermi function, (m,).
        green: G(z_m) in 1/eV, (m, 2N, 2N).
        bias: None in equilibrium.
    """

    z: np.ndarray
    r: np.ndarray
    green: np.ndarray
    bias: Bias | None

    @classmethod
    def of(cls, poles: PoleSystem, moments: np.ndarray) -> OpenLevels:
        frozen = FrozenDevice(poles, moments)
        n = frozen.arrays.n
        energies, right = np.linalg.eig(frozen.extended_hamiltonian())
        energies, left = np.where(is_undamped(frozen.exact, energies), energies.real, energies), np.linalg.inv(right)
        z, r = frozen.fermi_poles(frozen.mean)
        bias = None if poles.system.in_equilibrium() else Bias.of(frozen, energies, right, left)
        condition = float(np.linalg.cond(right))
        return cls(energies, right[:n], left[:, :n], condition, z, r, frozen.device.retarded(z), bias)

    def filled(self, rows: slice, energy: complex, orders: int) -> Series:
        own = self.energies[rows]
        apart = own[:, None] - self.z
        common, levels = pole(apart, energy, orders), pole(self.differences[rows], energy, orders)
        ratio = [np.where(self.resonant[rows], 1.0, energy * levels[0])]  # w/(w - e_k + e_l^*) and its derivatives
        ratio += [energy * p + before for before, p in zip(levels[:-1], levels[1:], strict=True)]
        change = product(ratio, [(-(p / apart) @ self.r)[:, None] for p in common])
        found = [
            np.tensordot(p * self.r, self.green, 1) - np.tensordot(c, self.adjoint_pairs, 1)
            for p, c in zip(common, change, strict=True)
        ]
        if self.bias is None:
            return found
        added = self.bias.filled(self.right.conj().T, levels, pole(own[:, None] - self.bias.z, energy, orders))
        return [a + b for a, b in zip(found, added, strict=True)]

    def lesser(self, time: float) -> np.ndarray:
        """int dE/2pi i f (G - G^dag) exp(iEt), closed in the upper half plane around all poles of f and G^dag."""
        e = self.energies.conj()[:, None]
        below = 0.5 - (1 / (e - self.z.conj())) @ self.r  # f(e) without its upper poles
        filling = below * np.exp(1j * e[:, 0] * time) - _divided(e, self.z, time) @ self.r
        found = np.tensordot(filling, self.adjoint_pairs, 1)
        found += np.tensordot(self.r * np.exp(1j * self.z * time), self.green, 1)
        return found if self.bias is None else found + self.bias.lesser(self.right.conj().T, e, time)


@dataclass(frozen=True, eq=False)
class Bias:
    """What the leads' own fillings add to the equilibrium.

    Attributes:
        state: X |l), (T, 2N), 0 for undamped l.
        z: Different z_q (eV), upper half plane, (K,).
        vectors: v_q on the device for each orbital a, (K, Q, 2N).
        reached: <u_a|l), (Q, T), 0 for undamped l.
        undamped: sum_la v_qa <u_a|l) <l|/(e_l - z_q) over undamped l, (K, 2N, 2N).
    """

    state: np.ndarray
    z: np.ndarray
    vectors: np.ndarray
    reached: np.ndarray
    undamped: np.ndarray

    @classmethod
    def of(cls, frozen: FrozenDevice, energies: np.ndarray, right: np.ndarray, left: np.ndarray) -> Bias:
        """Of the eigenvectors of the extended h as columns and as rows, (T, T)."""
        change, n = lead_change(frozen, frozen.fermi_vectors()), frozen.arrays.n
        still, dual, reached = energies.imag == 0, left.conj().T, frozen.u.conj().T @ left.conj().T[:n]
        z, place = np.unique(change.z.conj(), return_inverse=True)
        vectors = np.zeros((z.size, *frozen.u.T.shape), dtype=complex)
        np.add.at(vectors, (place, change.orbital), change.vectors[:n].T)
        bras = (reached[:, still] / (energies[still] - z[:, None, None])) @ right[:n, still].conj().T
        state = change.correlation[:n] @ np.where(still, 0.0, dual)
        return cls(state.T, z, vectors, np.where(still, 0.0, reached), vectors.swapaxes(1, 2) @ bras)

    def filled(self, bras: np.ndarray, levels: Series, fermi: Series) -> Series:
        """Its part of W_k from <l| (T, 2N), 1/(w - e_k + e_l^*) (k, T) and 1/(w - e_k + z_q) (k, K)."""
        by_level = [np.tensordot(c, self.state[:, :, None] * bras[:, None], 1) for c in levels]
        by_orbital = [np.tensordot(c, self.reached.T[:, :, None] * bras[:, None], 1) for c in levels]
        vectors = [np.tensordot(p, self.vectors, 1).swapaxes(1, 2) for p in fermi]
        undamped = [np.tensordot(p, self.undamped, 1) for p in fermi]
        mixed = product(vectors, by_orbital, np.matmul)
        return [a - b - c for a, b, c in zip(by_level, mixed, undamped, strict=True)]

    def lesser(self, bras: np.ndarray, e: np.ndarray, time: float) -> np.ndarray:
        """Its part of F(t), for e_l^* (T, 1)."""
        vectors = np.tensordot(_divided(e, self.z, time), self.vectors, 1)
        ended = np.einsum("lai,al->li", vectors, self.reached) + self.state * np.exp(1j * e * time)
        return ended.T @ bras - np.tensordot(np.exp(1j * self.z * time), self.undamped, 1)


def pole(position: np.ndarray, energy: complex, orders: int) -> Series:
    """1/(w - position) around w = `energy`: (-1)^n/(energy - position)^(n+1)."""
    inverse = 1 / (energy - position)
    return [(-1) ** n * inverse ** (n + 1) for n in range(orders)]


def product(a: Series, b: Series, times: np.ufunc = np.multiply) -> Series:
    """Of two series, of as many orders."""
    return [np.sum([times(a[i], b[n - i]) for i in range(n + 1)], axis=0) for n in range(len(a))]


def _divided(a: np.ndarray, b: np.ndarray, time: float) -> np.ndarray:
    """[exp(i b t) - exp(i a t)]/(b - a), i t exp(i a t) where a = b; Im a, Im b >= 0."""
    a, b = np.broadcast_arrays(a, b)
    slow, fast = np.where(a.imag < b.imag, a, b), np.where(a.imag < b.imag, b, a)
    apart = np.where(a == b, 1.0, fast - slow)
    return np.exp(1j * slow * time) * np.where(a == b, 1j * time, np.expm1(1j * apart * time) / apart)
