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
from scipy.integrate import solve_ivp
from scipy.special import expit

from llgnegf import ChainLead, OpenSystem
from llgnegf.units import HBAR

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])

Moments = Callable[[float], np.ndarray]


def device_hamiltonian(system: OpenSystem, moments: np.ndarray) -> np.ndarray:
    """H_0 - sum_i J_i sigma.M_i, dense (2N, 2N)."""
    h = system.electrons.hamiltonian.toarray().astype(complex)
    for i, (j_sd, m) in enumerate(zip(system.electrons.j_sd, moments, strict=True)):
        h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] -= j_sd * np.einsum("a,ast->st", m, SIGMA)
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
        """Stationary state of the frozen system, after `settle` fs.

        Equilibrium at the mean chemical potential, plus what the difference of the leads' fillings has become. It lives
        in a window of energies inside the bands, smooth on the scale kT, and so settles as exp(-pi kT t).
        """
        h = self.hamiltonian(moments, 0.0)
        mu = self.chemical_potentials()
        mean = float(np.mean(mu))
        levels, states = np.linalg.eigh(h)
        evolve = (states * np.exp(-1j * levels * settle / HBAR)) @ states.conj().T
        difference = np.zeros_like(h)
        for p in range(len(mu)):
            b = self.lead_slice(p)
            difference[b, b] = filled(h[b, b], mu[p], self.system.kT) - filled(h[b, b], mean, self.system.kT)
        equilibrium = (states * expit(-(levels - mean) / self.system.kT)) @ states.conj().T
        return equilibrium + evolve @ difference @ evolve.conj().T

    def at(self, time: float, initial: np.ndarray, moments: Moments, tolerance: float = 1e-10) -> Snapshot:
        """The state at `time` (fs) that grew from `initial`, the density matrix of the whole chain at t = 0.

        X(s) = U(time, s)^dag restricted to the device and the sites next to it obeys dX/ds = -i H(s) X; then
        rho(time) = X(0)^dag rho(0) X(0) there.
        """
        kept = np.concatenate([np.arange(self.n)] + [self.lead_slice(p).start + np.arange(2) for p in self._leads])
        columns = np.eye(self.static.shape[0], dtype=complex)[:, kept]
        if time > 0:
            columns = self._backwards(columns, time, moments, tolerance)
        rho = columns.conj().T @ initial @ columns
        return self._snapshot(rho, device_hamiltonian(self.system, moments(time)))

    @property
    def _leads(self) -> range:
        return range(len(self.system.leads))

    def _backwards(self, columns: np.ndarray, time: float, moments: Moments, tolerance: float) -> np.ndarray:
        moving = any(callable(lead.voltage) for lead in self.system.leads)
        at_rest = self.voltages(0.0)
        first_instant = 1e-12  # a voltage that jumps at t = 0 has jumped for all of the evolution

        def rate(s: float, flat: np.ndarray) -> np.ndarray:
            x = flat.reshape(columns.shape)
            shift = self.voltages(max(s, first_instant) * HBAR) if moving else at_rest
            product = self.static @ x + shift * x
            product[: self.n] += device_hamiltonian(self.system, moments(s * HBAR)) @ x[: self.n]
            return (-1j * product).ravel()

        end = solve_ivp(
            rate, (time / HBAR, 0.0), columns.ravel(), method="DOP853", rtol=tolerance, atol=tolerance
        )
        assert end.success
        return end.y[:, -1].reshape(columns.shape)

    def _snapshot(self, rho: np.ndarray, h: np.ndarray) -> Snapshot:
        n, sites = self.n, self.n // 2
        device = rho[:n, :n]
        spins = np.array([np.kron(np.eye(sites), s) for s in SIGMA])
        charge, spin, energy = [], [], []
        for p, lead in enumerate(self.system.leads):
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
        """Flow i -> j: what H_ij alone takes from site i, of charge per fs and of spin in eV."""
        h_ij = self.system.electrons.hamiltonian.toarray()[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        gain = h_ij @ device[2 * j : 2 * j + 2, 2 * i : 2 * i + 2]
        rate = -1j * (gain - gain.conj().T)
        return -np.trace(rate).real / HBAR, [-0.5 * np.trace(s @ rate).real for s in SIGMA]
