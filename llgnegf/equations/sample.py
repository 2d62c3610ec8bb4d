"""What a row needs of a state: a short vector, linear in the state, so that it can be interpolated in its place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llgnegf._compile import kernel, resolved
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.kernels.leads import lead_flow, sample_many
from llgnegf.equations.moments import MomentEquation
from llgnegf.units import HBAR


@dataclass(frozen=True, eq=False)
class Sample:
    """The parts of a sample; those of electrons are empty for moments alone.

    Attributes:
        sites: rho_ii, (N, 2, 2).
        bonds: rho_ij on the bonds (i, j) of H_0, (n_bonds, 2, 2).
        lead_sums: Re and Im of P_q^* without the constant of wide-band channels, (2, Q, n).
        moments: The moments that are part of the state, (n_moments, 3); their length is 1 up to the interpolation.
        work: Of the drives of the device Hamiltonian, (0,) or (1,), in eV.
        outflow: What has left through each lead, (n_leads, 5), see `Layout.outflow`.
    """

    sites: np.ndarray
    bonds: np.ndarray
    lead_sums: np.ndarray
    moments: np.ndarray
    work: np.ndarray
    outflow: np.ndarray


@kernel(allocates=True)
def site_observables(blocks, moments, j_sd, onsite):  # type: ignore[no-untyped-def]
    """(<s_i>, <n_i>, T_i = J_i <s_i> x M_i, sum_i Tr[rho_ii H_ii], -sum_i J_i <s_i>.M_i) from rho_ii (N, 2, 2).

    In one call: whatever a row does in many is done with cold caches, since a step of the integrator uses them up.
    """
    n = moments.shape[0]
    spin, charge, torque = np.empty((n, 3)), np.empty(n), np.empty((n, 3))
    energy, coupled = 0.0, 0.0
    for i in range(n):
        up, down = blocks[i, 0, 0], blocks[i, 1, 1]
        flip = blocks[i, 1, 0] + np.conj(blocks[i, 0, 1])
        spin[i, 0], spin[i, 1], spin[i, 2] = flip.real, flip.imag, (up - down).real
        charge[i] = (up + down).real
        x, y, z = j_sd[i] * spin[i, 0], j_sd[i] * spin[i, 1], j_sd[i] * spin[i, 2]
        a, b, c = moments[i, 0], moments[i, 1], moments[i, 2]
        torque[i, 0], torque[i, 1], torque[i, 2] = y * c - z * b, z * a - x * c, x * b - y * a
        coupled -= x * a + y * b + z * c
        for s in range(2):
            for t in range(2):
                energy += (onsite[i, s, t] * blocks[i, t, s]).real
    return spin, charge, torque, energy, coupled


@kernel(allocates=True)
def bond_observables(blocks, hopping, carried):  # type: ignore[no-untyped-def]
    """(particle currents, spin currents, 2 Re sum Tr[H_ji rho_ij]) from rho_ij, H_ji (n_bonds, 2, 2).

    The formulas are those of `observables.bond_charge_current` and `bond_spin_current`; `carried` is (1/2) {sigma_a,
    H_ji}, (n_bonds, 3, 2, 2). The energy counts every bond twice, as (i, j) and as (j, i).
    """
    count = hopping.shape[0]
    charge, spin, energy = np.empty(count), np.zeros((count, 3)), 0.0
    for b in range(count):
        total = 0.0j
        for s in range(2):
            for t in range(2):
                total += hopping[b, s, t] * blocks[b, t, s]
                for a in range(3):
                    spin[b, a] += (carried[b, a, s, t] * blocks[b, t, s]).imag
        charge[b] = 2 / HBAR * total.imag
        energy += 2 * total.real
    return charge, spin, energy


_FIRST = np.zeros(1, dtype=np.int64)


class Sampler:
    """Takes samples of the states of an equation.

    Args:
        equation: Of electrons or of moments alone.
    """

    def __init__(self, equation: ElectronEquation | MomentEquation) -> None:
        self.layout = equation.layout
        self._places, self._channels, self._n = np.zeros(0, dtype=np.int64), 0, self.layout.n_states
        if isinstance(equation, ElectronEquation):
            self._places, self._channels = self._where_rho(equation), equation.levels.lead.size
            self._constants, rows = equation.constants, np.zeros((1, 1))
            self._sample = resolved(sample_many, self._constants, self._places, rows, _FIRST, rows)
        self._electronic = 2 * (self._places.size + self._channels * self._n)
        self._tail = 2 * self.layout.n_complex

    def __call__(self, state: np.ndarray) -> np.ndarray:
        """The sample of a state or of its derivative, a new vector."""
        vector = np.empty((1, self._electronic + state.size - self._tail))
        if self._electronic:
            self._sample(self._constants, self._places, state[None], _FIRST, vector)
        vector[0, self._electronic :] = state[self._tail :]
        return vector[0]

    def many(self, states: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """The samples of the rows `chosen` of `states`, (n, size), in one call."""
        vectors = np.empty((chosen.size, self._electronic + states.shape[1] - self._tail))
        if self._electronic:
            self._sample(self._constants, self._places, states, chosen, vectors)
        vectors[:, self._electronic :] = states[chosen, self._tail :]
        return vectors

    def row_tolerance(self, share: float, share_of_moments: float) -> np.ndarray:
        """`share_of_moments` for the numbers of a sample that are moments, `share` for all others."""
        tolerance = np.full(self._electronic + self.layout.size - self._tail, share)
        tolerance[self._electronic : self._electronic + 3 * self.layout.n_moments] = share_of_moments
        return tolerance

    def split(self, vector: np.ndarray) -> Sample:
        """The parts of a sample."""
        count, rest = self._places.size, vector[self._electronic :]
        blocks = (vector[:count] + 1j * vector[count : 2 * count]).reshape(-1, 2, 2)
        sums = vector[2 * count : self._electronic].reshape(2, self._channels, self._n)
        n_sites, moments = self._n // 2, 3 * self.layout.n_moments
        outflow = moments + self.layout.n_works
        return Sample(
            blocks[:n_sites], blocks[n_sites:], sums, rest[:moments].reshape(-1, 3), rest[moments:outflow],
            rest[outflow:].reshape(-1, 5),
        )  # fmt: skip

    def lead_flow(self, sample: Sample, moments: np.ndarray) -> np.ndarray:
        """d(outflow)/d(t/hbar) of a sample, (n_leads, 5), as the equation of motion has it."""
        out = np.zeros((self.layout.n_leads, 5))
        lead_flow(self._constants, np.array(moments), sample.lead_sums.copy(), out)
        return out

    def _where_rho(self, equation: ElectronEquation) -> np.ndarray:
        """Places of the site blocks and of the bond blocks of rho in a plane, in the order of `split`."""
        sites = np.arange(self._n // 2)
        pairs = np.concatenate([np.stack([sites, sites], axis=1), equation.system.electrons.bonds])
        rows = 2 * pairs[:, 0, None, None] + np.array([[0], [1]])
        columns = 2 * pairs[:, 1, None, None] + np.array([[0, 1]])
        return (self.layout.rows[0, rows] + columns).ravel().astype(np.int64)
