"""Brute force: device and leads as one closed chain of explicit sites, exact until the echo of its ends returns.

Nothing of the propagator, the pole expansions or the self-energies is used: only the numbers in `OpenSystem`.
Energies in eV, times in fs, rho_ij = <c_j^dag c_i>, basis site-major and spin-minor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.special import erfc, expit

from llgnegf import ChainLead, OpenSystem
from llgnegf.units import HBAR

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])

Moments = Callable[[float], np.ndarray]


def device_hamiltonian(system: OpenSystem, moments: np.ndarray) -> np.ndarray:
    """H_0 - sum_i J_i sigma.M_i, dense (2N, 2N)."""
    h = system.electrons.hamiltonian.toarray().astype(complex)
    fields = -system.electrons.j_sd[:, None, None] * np.tensordot(moments, SIGMA, axes=1)
    for i, field in enumerate(fields):
        h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] += field
    return h


def filled(h: np.ndarray, mu: float, kT: float) -> np.ndarray:
    """f(h) by diagonalisation."""
    levels, states = np.linalg.eigh(h)
    return (states * expit(-(levels - mu) / kT)) @ states.conj().T


@dataclass(frozen=True)
class Snapshot:
    """Observables of one instant, named and normalised as the columns of a `Result`."""

    density_matrix: np.ndarray
    spin_density: np.ndarray
    charge_density: np.ndarray
    lead_current: np.ndarray
    lead_spin_current: np.ndarray
    lead_energy_current: np.ndarray
    bond_current: np.ndarray
    bond_spin_current: np.ndarray


COMPARED = (
    "spin_density", "charge_density", "lead_current", "lead_spin_current", "lead_energy_current", "bond_current",
    "bond_spin_current",
)  # fmt: skip
"""The fields of a Snapshot that are columns of a Result too."""


@dataclass(frozen=True, eq=False)
class FiniteChain:
    """The system with every lead cut after `length` sites; its leads must be `ChainLead`s.

    The fastest electrons (2 gamma) bring news of the cut to the device at t = length hbar/gamma. In equilibrium the
    cut is felt as exp(-2 pi kT length/v), v <= 2 gamma: long leads and a finite temperature make it vanish.
    """

    system: OpenSystem
    length: int

    @property
    def n(self) -> int:
        """Device states, 2N."""
        return 2 * self.system.n_sites

    def lead_slice(self, lead: int) -> slice:
        """The states of one lead; the first two are the site next to the device."""
        start = self.n + 2 * self.length * lead
        return slice(start, start + 2 * self.length)

    @cached_property
    def static(self) -> sp.csr_array:
        """All of H but the device block and the voltages."""
        size = self.n + 2 * self.length * len(self.system.leads)
        h = sp.lil_array((size, size), dtype=complex)
        for p, lead in enumerate(self.system.leads):
            assert isinstance(lead, ChainLead)
            first = self.lead_slice(p).start
            contact = 2 * (lead.site % self.system.n_sites)
            for k in range(2 * self.length):
                h[first + k, first + k] = lead.onsite
            for k in range(2 * self.length - 2):
                h[first + k, first + k + 2] = h[first + k + 2, first + k] = -lead.hopping
            for s in (0, 1):
                h[contact + s, first + s] = h[first + s, contact + s] = -lead.coupling
        return h.tocsr()

    def voltages(self, time: float) -> np.ndarray:
        """The shift of every state by its lead's voltage, (size, 1)."""
        shift = np.zeros((self.static.shape[0], 1))
        for p, lead in enumerate(self.system.leads):
            shift[self.lead_slice(p)] = lead.voltage(time) if callable(lead.voltage) else lead.voltage
        return shift

    def hamiltonian(self, moments: np.ndarray, time: float) -> np.ndarray:
        """H of the whole chain, dense."""
        h = self.static.toarray() + np.diag(self.voltages(time)[:, 0])
        h[: self.n, : self.n] = device_hamiltonian(self.system, moments)
        return h

    def chemical_potentials(self) -> list[float]:
        """mu of every lead at t = 0, its voltage included."""
        system = self.system
        rest = [system.fermi_energy if p.chemical_potential is None else p.chemical_potential for p in system.leads]
        return [mu + float(self.voltages(0.0)[self.lead_slice(p).start, 0]) for p, mu in enumerate(rest)]

    def thermal(self, moments: np.ndarray) -> np.ndarray:
        """f(H) of the whole chain."""
        return filled(self.hamiltonian(moments, 0.0), self.chemical_potentials()[0], self.system.kT)

    def partitioned(self, moments: np.ndarray, rho: np.ndarray | None = None) -> np.ndarray:
        """Every lead and the device by itself: the contacts are closed at t = 0."""
        h = self.hamiltonian(moments, 0.0)
        state = np.zeros_like(h)
        device = slice(0, self.n)
        alone = filled(h[device, device], self.system.fermi_energy, self.system.kT)
        state[device, device] = alone if rho is None else rho
        for p, mu in enumerate(self.chemical_potentials()):
            block = self.lead_slice(p)
            state[block, block] = filled(h[block, block], mu, self.system.kT)
        return state

    def steady(self, moments: np.ndarray, settle: float) -> np.ndarray:
        """Stationary state of the frozen system, after `settle` (hbar/eV).

        Equilibrium at the mean chemical potential, plus what f_p(H) - f_mean(H), cut out smoothly deep in lead p, has
        become: electrons of a window of energies inside the bands, spread over all of the lead that reaches the device
        within `settle`. What the smooth cut does is local to it and gone by then.
        """
        h = self.hamiltonian(moments, 0.0)
        mu = self.chemical_potentials()
        levels, states = np.linalg.eigh(h)
        occupations = [expit(-(levels - m) / self.system.kT) for m in (*mu, float(np.mean(mu)))]
        evolve = (states * np.exp(-1j * levels * settle)) @ states.conj().T
        distance = np.repeat(np.arange(self.length), 2)
        inside = 0.5 * erfc((0.4 * settle - distance) / (0.1 * settle))
        result = (states * occupations[-1]) @ states.conj().T
        for p in self._leads:
            cut = np.zeros(len(h))
            cut[self.lead_slice(p)] = inside
            excess = (states * (occupations[p] - occupations[-1])) @ states.conj().T
            columns = evolve * cut
            result += columns @ excess @ columns.conj().T
        return result

    def at(self, time: float, initial: np.ndarray, moments: Moments, step: float = 0.1) -> Snapshot:
        """The state at `time` (fs) that grew from `initial`, the density matrix of the whole chain at t = 0.

        X(s) = U(time, s)^dag restricted to the device and the sites next to it obeys dX/ds = -i H(s) X; then
        rho(time) = X(0)^dag rho(0) X(0) there. `step` is in hbar/eV.
        """
        kept = np.concatenate([np.arange(self.n)] + [self.lead_slice(p).start + np.arange(2) for p in self._leads])
        columns = np.eye(self.static.shape[0], dtype=complex)[:, kept]
        if time > 0:
            columns = self._backwards(columns, time / HBAR, moments, step)
        rho = columns.conj().T @ initial @ columns
        return self._snapshot(rho, device_hamiltonian(self.system, moments(time)))

    @property
    def _leads(self) -> range:
        return range(len(self.system.leads))

    def _backwards(self, x: np.ndarray, end: float, moments: Moments, step: float) -> np.ndarray:
        """From s = end to 0 by the commutator-free Magnus method of fourth order, two exponentials a step.

        The nodes are inside the steps: a voltage that jumps right after t = 0 has jumped for all of the evolution.
        """
        count = int(np.ceil(end / step))
        h, root = -end / count, np.sqrt(3) / 6
        for k in range(count):
            start = end + k * h
            parts = [self._moving(start + (0.5 + sign * root) * h, moments) for sign in (-1, 1)]
            for near, far in ((0.25 + root, 0.25 - root), (0.25 - root, 0.25 + root)):
                device, shift = (near * a + far * b for a, b in zip(*parts, strict=True))
                x = self._exponential(h, device, shift, x)
        return x

    def _moving(self, tau: float, moments: Moments) -> tuple[np.ndarray, np.ndarray]:
        """Device block and voltages at t/hbar = tau."""
        return device_hamiltonian(self.system, moments(tau * HBAR)), self.voltages(tau * HBAR)

    def _exponential(self, h: float, device: np.ndarray, shift: np.ndarray, x: np.ndarray) -> np.ndarray:
        """exp(-i h (static/2 + device + shift)) x by its Taylor series, to round-off."""
        term, total = x, x.copy()
        for order in range(1, 40):
            product = 0.5 * (self.static @ term) + shift * term
            product[: self.n] += device @ term[: self.n]
            term = (-1j * h / order) * product
            total += term
            if np.abs(term).max() < 1e-15:
                break
        return total

    def _snapshot(self, rho: np.ndarray, h: np.ndarray) -> Snapshot:
        n, sites = self.n, self.n // 2
        device = rho[:n, :n]
        spins = np.array([np.kron(np.eye(sites), s) for s in SIGMA])
        charge, spin, energy = [], [], []
        for p, lead in enumerate(self.system.leads):
            assert isinstance(lead, ChainLead)
            hop = np.zeros((n, 2))
            contact = 2 * (lead.site % sites)
            hop[contact : contact + 2] = -lead.coupling * np.eye(2)
            lost = hop @ rho[n + 2 * p : n + 2 * p + 2, :n]
            rate = -1j * (lost - lost.conj().T)  # hbar d(rho)/dt by this contact
            charge.append(-np.trace(rate).real / HBAR)
            spin.append([-0.5 * np.trace(s @ rate).real for s in spins])
            energy.append(-np.trace(h @ rate).real / HBAR)
        blocks = device.reshape(sites, 2, sites, 2)
        bonds = [self._bond(device, i, j) for i, j in self.system.electrons.bonds]
        return Snapshot(
            density_matrix=device,
            spin_density=np.einsum("isit,ats->ia", blocks, SIGMA).real,
            charge_density=np.einsum("isis->i", blocks).real,
            lead_current=np.array(charge),
            lead_spin_current=np.array(spin),
            lead_energy_current=np.array(energy),
            bond_current=np.array([b[0] for b in bonds]),
            bond_spin_current=np.array([b[1] for b in bonds]),
        )

    def _bond(self, device: np.ndarray, i: int, j: int) -> tuple[float, list[float]]:
        """Flow i -> j by H_ij alone, of charge per fs and of spin in eV; mean of what i loses and what j gains."""
        here, there = slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)
        hopping = self.system.electrons.hamiltonian.toarray()
        loss = 1j * hopping[here, there] @ device[there, here]
        gain = -1j * hopping[there, here] @ device[here, there]
        flow = 0.5 * (loss + loss.conj().T + gain + gain.conj().T)
        return np.trace(flow).real / HBAR, [0.5 * np.trace(s @ flow).real for s in SIGMA]
