"""Eigenvectors of a device with its leads in modes, and the stationary state's G^< in them: all of any response to it.

Under `linear_response`, which has the equations; over `static/frozen` and `static/start`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.occupation import fill_levels
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.start import lead_change
from llgnegf.static.undamped import SAME, is_undamped

Series = list[np.ndarray]
"""Taylor coefficients in w, lowest first."""


def pole(position: np.ndarray, energy: complex, orders: int) -> Series:
    """1/(w - position) around `energy`: (-1)^n/(energy - position)^(n+1)."""
    inverse = 1 / (energy - position)
    return [(-1) ** n * inverse ** (n + 1) for n in range(orders)]


def product(a: Series, b: Series) -> Series:
    """Of two series, of as many orders."""
    return [sum((a[i] * b[n - i] for i in range(1, n + 1)), a[0] * b[n]) for n in range(len(a))]


@dataclass(frozen=True, eq=False)
class Levels:
    """h = sum_k |k> e_k (k|, eigenvectors (k|l> = delta_kl, on the device.

    Attributes:
        energies: e_k in eV, (T,), T = 2N + M; Im e_k = 0 of levels that no lead damps.
        right, left: |k> as columns, (2N, T), and (k| as rows, (T, 2N).
        resonant: Pairs k, l of undamped levels of one energy, (T, T).
        condition: Condition number of the eigenvectors.
    """

    energies: np.ndarray
    right: np.ndarray
    left: np.ndarray
    resonant: np.ndarray
    condition: float

    @property
    def distances(self) -> np.ndarray:
        """e_k - e_l^*, (T, T)."""
        return self.energies[:, None] - self.energies.conj()

    @property
    def adjoint_pairs(self) -> np.ndarray:
        """|l)<l| of h^dag, (T, 2N, 2N): G(E^*)^dag is their sum over E - e_l^*."""
        return self.left.conj()[:, :, None] * self.right.conj().T[:, None, :]

    def propagator(self, time: float) -> np.ndarray:
        """exp(-i h t) on the device, (2N, 2N), t in 1/eV."""
        return (self.right * np.exp(-1j * self.energies * time)) @ self.left

    def lesser_series(self, energy: complex, orders: int) -> Series:
        """W_k(w), (T, 2N, 2N) each, around w = `energy`."""
        raise NotImplementedError

    def lesser(self, time: float) -> np.ndarray:
        """F(t) = <c_j^dag(t) c_i(0)>, (2N, 2N), t >= 0 in 1/eV."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class ClosedLevels(Levels):
    """A closed system; `filling` f(e_k), (T,)."""

    filling: np.ndarray

    @classmethod
    def of(cls, hamiltonian: np.ndarray, mu: float, kT: float) -> ClosedLevels:
        energies, states = np.linalg.eigh(hamiltonian)
        resonant = np.abs(energies[:, None] - energies) < SAME
        filling = fill_levels(energies[None], mu, kT)[0]
        return cls(energies + 0j, states, states.conj().T, resonant, 1.0, filling)

    def lesser_series(self, energy: complex, orders: int) -> Series:
        change = np.where(self.resonant, 0.0, 0.5 * (self.filling - self.filling[:, None]))
        parts = pole(np.where(self.resonant, np.inf, self.distances), energy, orders)
        return [np.tensordot(change * p, self.adjoint_pairs, 1) for p in parts]

    def lesser(self, time: float) -> np.ndarray:
        return np.tensordot(self.filling * np.exp(1j * self.energies * time), self.adjoint_pairs, 1)


@dataclass(frozen=True, eq=False)
class Bias:
    """The part of G^< by the leads' fillings beyond the common one.

    Attributes:
        state: X |l), (T, 2N), 0 for undamped l.
        z: z_q^* (eV), (K,).
        vectors: v_q of the device, by the orbital a that it belongs to, (K, Q, 2N).
        reached: <u_a|l), (Q, T), 0 for undamped l.
        undamped: sum_l v_q <u_a|l) <l|/(e_l - z_q^*) over undamped l, (K, 2N, 2N).
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
        still, dual, z = energies.imag == 0, left.conj().T, change.z.conj()
        reached, v = frozen.u.conj().T @ dual[:n], change.vectors[:n].T
        bras = reached[change.orbital][:, still] / (energies[still] - z[:, None]) @ right[:n, still].conj().T
        own = change.orbital[:, None] == np.arange(frozen.u.shape[1])
        state = change.correlation[:n] @ np.where(still, 0.0, dual)
        vectors = own[:, :, None] * v[:, None, :]
        return cls(state.T, z, vectors, np.where(still, 0.0, reached), v[:, :, None] * bras[:, None, :])


@dataclass(frozen=True, eq=False)
class OpenLevels(Levels):
    """A device with leads.

    Attributes:
        z, r: Upper Fermi poles z_m^* and r_m (eV) of the common Fermi function, (m,).
        green: G(z_m^*), (m, 2N, 2N), in 1/eV.
        bias: None in equilibrium.
    """

    z: np.ndarray
    r: np.ndarray
    green: np.ndarray = field(repr=False)
    bias: Bias | None

    @classmethod
    def of(cls, poles: PoleSystem, moments: np.ndarray) -> OpenLevels:
        frozen = FrozenDevice(poles, moments)
        n = frozen.arrays.n
        energies, right = np.linalg.eig(frozen.extended_hamiltonian())
        left = np.linalg.inv(right)
        still = is_undamped(frozen.exact, energies)
        energies = np.where(still, energies.real, energies)
        resonant = still[:, None] & still & (np.abs(energies[:, None] - energies) < SAME)
        z, r = frozen.fermi_poles(frozen.mean)
        bias = None if poles.system.in_equilibrium() else Bias.of(frozen, energies, right, left)
        return cls(
            energies, right[:n], left[:, :n], resonant, float(np.linalg.cond(right)), z, r, frozen.device.retarded(z),
            bias,
        )  # fmt: skip

    def lesser_series(self, energy: complex, orders: int) -> Series:
        to_fermi = self.energies[:, None] - self.z
        common = pole(to_fermi, energy, orders)
        distances = np.where(self.resonant, np.inf, self.distances)
        levels = pole(distances, energy, orders)
        ratio = [np.where(self.resonant, 1.0, energy * levels[0])]  # w/(w - e_k + e_l^*)
        ratio += [np.where(self.resonant, 0.0, self.distances * p) for p in levels[1:]]
        filled = [(-(p / to_fermi) @ self.r)[:, None] for p in common]
        found = [
            np.tensordot(p * self.r, self.green, 1) - np.tensordot(c, self.adjoint_pairs, 1)
            for p, c in zip(common, product(ratio, filled), strict=True)
        ]
        if self.bias is None:
            return found
        return [a + b for a, b in zip(found, self._bias_series(levels, energy), strict=True)]

    def _bias_series(self, levels: Series, energy: complex) -> Series:
        bias, orders = self.bias, len(levels)
        assert bias is not None
        bras = self.right.conj().T[:, None, :]
        by_level = [np.tensordot(c, bias.state[:, :, None] * bras, 1) for c in levels]
        by_orbital = [np.tensordot(c, bias.reached.T[:, :, None] * bras, 1) for c in levels]
        poles = pole(self.energies[:, None] - bias.z, energy, orders)
        undamped = [-np.tensordot(p, bias.undamped, 1) for p in poles]
        fermi = [-np.tensordot(p, bias.vectors, 1) for p in poles]
        turned = [v.swapaxes(1, 2) for v in fermi]
        mixed = [sum(turned[i] @ by_orbital[n - i] for i in range(n + 1)) for n in range(orders)]
        return [a + b + c for a, b, c in zip(by_level, mixed, undamped, strict=True)]

    def lesser(self, time: float) -> np.ndarray:
        turning, lower = np.exp(1j * self.energies.conj() * time), self.energies.conj()[:, None] - self.z.conj()
        filling = 0.5 - (1 / lower) @ self.r  # 1/2 + sum_m r_m/(z_m - e)
        filled = filling * turning - _divided(self.energies.conj()[:, None], self.z, time) @ self.r
        found = np.tensordot(filled, self.adjoint_pairs, 1)
        found += np.tensordot(self.r * np.exp(1j * self.z * time), self.green, 1)
        if self.bias is None:
            return found
        bias, bras = self.bias, self.right.conj().T
        between = _divided(self.energies.conj()[:, None], bias.z, time)
        by_orbital = np.einsum("lq,qai->lai", between, bias.vectors)
        found += (bias.state * turning[:, None]).T @ bras - np.tensordot(np.exp(1j * bias.z * time), bias.undamped, 1)
        return found + np.einsum("lai,al,lj->ij", by_orbital, bias.reached, bras, optimize=True)


def _divided(a: np.ndarray, b: np.ndarray, time: float) -> np.ndarray:
    """[exp(i b t) - exp(i a t)]/(b - a)."""
    apart = np.where(a == b, 1.0, b - a)
    return np.exp(1j * a * time) * np.where(a == b, 1j * time, np.expm1(1j * apart * time) / apart)
