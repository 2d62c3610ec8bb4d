"""Brute force for long times: leads as explicit chains of sites, device states propagated backwards.

rho_dd(t) = A^dag rho(0) A with A = U(0, t) P_d: only the 2N device states travel, so that thousands of lead sites and
thousands of hbar/gamma are cheap. A channel is a chain (coefficients a_n, b_n) that starts with its device vector: the
semi-infinite chain itself, or the Lanczos chain of any other broadening. Nothing of the package's poles, self-energies
or integrators is used. Exact until the fastest electrons, v = half the band width a site, reach the chain's end (for
thermal starts: until their echo is back).

A lead's voltage shifts all its levels: in the gauge of that lead it is a phase of its coupling. hbar = 1, times in
1/eV.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
import scipy.interpolate
import scipy.linalg
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.special import expit, jv

from llgnegf import OpenSystem, spin_density
from llgnegf.equations.moments import LLG
from llgnegf.problem.spectra import ChainSpectrum
from llgnegf.units import HBAR

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


@dataclass(frozen=True, eq=False)
class ExplicitChannel:
    """One lead channel: device vector, lead, coupling to the first site, on-site energies and hoppings."""

    vector: np.ndarray
    lead: int
    coupling: float
    onsite: np.ndarray
    hopping: np.ndarray

    @property
    def is_uniform(self) -> bool:
        return bool(np.ptp(self.onsite) == 0 and np.ptp(self.hopping) == 0)

    def filled(self, vectors: np.ndarray, occupation: Callable[[np.ndarray], np.ndarray], kT: float) -> np.ndarray:
        """f(h) v for columns v (length, k) of the isolated lead.

        A uniform chain is made longer by 40/kT for it, so that the thermal correlations, exp(-pi kT distance/v), end
        before its end.
        """
        if self.is_uniform:
            n = scipy.fft.next_fast_len(2 * (self.onsite.size + int(40 / kT))) // 2
            vectors = np.pad(vectors, ((0, n - len(vectors)), (0, 0)))
            levels = self.onsite[0] - 2 * self.hopping[0] * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))
            waves = occupation(levels)[:, None] * scipy.fft.dst(vectors, 1, axis=0)
            return scipy.fft.idst(waves, 1, axis=0)[: self.onsite.size]
        levels, states = scipy.linalg.eigh_tridiagonal(self.onsite, -self.hopping)
        return states @ (occupation(levels)[:, None] * (states.T @ vectors))


def explicit_channels(system: OpenSystem, length: int) -> list[ExplicitChannel]:
    """Every channel of the system with `length` explicit sites."""
    channels = []
    for p, attached in enumerate(system.lead_channels):
        for channel in attached:
            s: Any = channel.spectrum
            if isinstance(s, ChainSpectrum):
                onsite, hopping = np.full(length, s.onsite), np.full(length - 1, s.hopping)
                channels.append(ExplicitChannel(channel.vector, p, s.coupling, onsite, hopping))
            else:
                channels.append(ExplicitChannel(channel.vector, p, *lanczos_chain(s.energies, s.values, length)))
    return channels


def lanczos_chain(energies: np.ndarray, broadening: np.ndarray, length: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Coupling, on-site energies and hoppings of the chain whose end has Gamma(E), linear between the energies."""
    x, w = np.polynomial.legendre.leggauss(max(8, 4 * length // (energies.size - 1)))
    half = 0.5 * np.diff(energies)[:, None]
    nodes = (energies[:-1, None] + half * (1 + x)).ravel()
    weights = (half * w).ravel() * np.interp(nodes, energies, broadening) / (2 * np.pi)
    q = np.sqrt(weights / weights.sum())
    basis, onsite, hopping = [q], [], []
    for _ in range(length):
        v = nodes * basis[-1]
        onsite.append(float(basis[-1] @ v))
        for _ in range(2):  # orthogonalised twice: Lanczos alone loses the later vectors
            v = v - np.array(basis).T @ (np.array(basis) @ v)
        hopping.append(float(np.linalg.norm(v)))
        basis.append(v / hopping[-1])
    return float(np.sqrt(weights.sum())), np.array(onsite), -np.array(hopping[:-1])


@dataclass(frozen=True, eq=False)
class LongChain:
    """The system with explicit leads and moments that move as prescribed, moments(t in fs) -> (N, 3)."""

    system: OpenSystem
    moments: Callable[[float], np.ndarray]
    length: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", explicit_channels(self.system, self.length))
        object.__setattr__(self, "n", 2 * self.system.n_sites)

    def device(self, time: float) -> np.ndarray:
        """H_0 - J sigma.M(t), (2N, 2N), time in fs."""
        return self.device_with(self.moments(time))

    def device_with(self, moments: np.ndarray, hopping: float = 1.0) -> np.ndarray:
        """hopping H_0 - J sigma.M."""
        h = hopping * self.system.electrons.hamiltonian.toarray().astype(complex)
        for i, (j, m) in enumerate(zip(self.system.electrons.j_sd, moments, strict=True)):
            h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] -= j * np.tensordot(m, PAULI, axes=1)
        return h

    def _leads(self) -> Any:
        return sp.block_diag([sp.diags([-c.hopping, c.onsite, -c.hopping], [-1, 0, 1]) for c in self.channels]).tocsr()

    def _coupling(self, phases: np.ndarray) -> np.ndarray:
        """Device times first sites of the channels, (n, Q), with the phase of each lead's voltage."""
        return np.array([-c.coupling * c.vector * phases[c.lead] for c in self.channels]).T

    def density_matrix(self, time: float, rho: np.ndarray | None, rtol: float = 1e-12) -> np.ndarray:
        """rho of the device at `time` (fs), from `rho` with the leads attached at t = 0; None is equilibrium."""
        states = self._backwards(time, rtol)
        if rho is None:
            return self._thermal(states)
        device, lead = states[: self.n], states[self.n :]
        result = device.conj().T @ rho @ device
        rest = self._chemical_potentials()
        for q, c in enumerate(self.channels):
            part = lead[q * self.length : (q + 1) * self.length]
            kT = self.system.kT
            filled = c.filled(part, lambda e, mu=rest[c.lead], kT=kT: expit(-(e - mu) / kT), kT)
            result = result + part.conj().T @ filled
        return result

    def _chemical_potentials(self) -> np.ndarray:
        """mu of each lead seen from its own levels at rest."""
        return self.system.chemical_potentials() - self.system.voltages()

    def _thermal(self, states: np.ndarray) -> np.ndarray:
        """A^dag f(H(0)) A with the leads attached and at their voltages of t = 0."""
        vectors, filled = self._equilibrium()
        inside = vectors.conj().T @ states
        return inside.conj().T @ (filled[:, None] * inside)

    def _equilibrium(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvectors of H(0) with the leads attached and their occupations; dense, for short chains."""
        levels, vectors = np.linalg.eigh(self._whole())
        mu = self.system.chemical_potentials()[self.channels[0].lead]
        return vectors, expit(-(levels - mu) / self.system.kT)

    def with_answer(self, magnet: Any, time: float, rtol: float = 1e-13) -> np.ndarray:
        """rho of the device at `time` (fs) after equilibrium, with moments that obey their equation of motion."""
        vectors, filled = self._equilibrium()
        h, llg, j = sp.csr_matrix(self._whole()), LLG(magnet, HBAR), self.system.electrons.j_sd[:, None]
        start, size = vectors * np.sqrt(filled), 2 * vectors.size

        def rate(tau: float, y: np.ndarray) -> np.ndarray:
            psi, moments = y[:size].view(complex).reshape(vectors.shape), y[size:].reshape(-1, 3)
            turned = -1j * (h @ psi)
            turned[: self.n] += -1j * (self.device_with(moments - magnet.moments, 0.0) @ psi[: self.n])
            torque = np.cross(j * spin_density(psi[: self.n] @ psi[: self.n].conj().T), moments)
            moved = llg.rate(moments, tau * HBAR, torque)
            return np.concatenate([turned.ravel().view(float), moved.ravel()])

        first = np.concatenate([start.ravel().view(float), magnet.moments.ravel()])
        done = solve_ivp(rate, (0.0, time / HBAR), first, "DOP853", [time / HBAR], rtol=rtol, atol=1e-2 * rtol)
        psi = np.ascontiguousarray(done.y[:size, -1]).view(complex).reshape(vectors.shape)[: self.n]
        return psi @ psi.conj().T

    def _whole(self) -> np.ndarray:
        """H(0) of device and leads."""
        size = self.n + len(self.channels) * self.length
        h = np.zeros((size, size), dtype=complex)
        h[: self.n, : self.n] = self.device(0.0)
        h[self.n :, self.n :] = self._leads().toarray()
        shift = np.repeat(self.system.voltages(0.0)[[c.lead for c in self.channels]], self.length)
        h[range(self.n, size), range(self.n, size)] += shift
        first = self.n + self.length * np.arange(len(self.channels))
        h[: self.n, first] = self._coupling(np.ones(len(self.system.leads)))
        h[first, : self.n] = h[: self.n, first].conj().T
        return h

    def _backwards(self, time: float, rtol: float) -> np.ndarray:
        """A = U(0, t) P_d, (states, 2N)."""
        start = np.zeros((self.n + len(self.channels) * self.length, self.n), dtype=complex)
        start[: self.n] = np.eye(self.n)
        if time == 0:
            return start
        voltages = [lead.voltage for lead in self.system.leads]
        if self._is_static(time) and not any(callable(v) for v in voltages):
            return self._chebyshev(start, time)
        return self._stepped(start, time, rtol)

    def _is_static(self, time: float) -> bool:
        return all(np.array_equal(self.moments(t), self.moments(1e-9)) for t in np.linspace(0, time, 17)[1:])

    def _chebyshev(self, start: np.ndarray, time: float) -> np.ndarray:
        """exp(iHt) P_d by Chebyshev polynomials; constant voltages are levels here."""
        shift = np.repeat(self.system.voltages(0.0)[[c.lead for c in self.channels]], self.length)
        leads = self._leads() + sp.diags(shift)
        first = self.n + self.length * np.arange(len(self.channels))
        coupling = sp.lil_matrix((self.n, leads.shape[0]), dtype=complex)
        coupling[:, first - self.n] = self._coupling(np.ones(len(self.system.leads)))
        h = sp.bmat([[sp.csr_matrix(self.device(1e-9)), coupling], [coupling.conj().T, leads]]).tocsr()
        radius = float(abs(h).sum(axis=1).max())
        x = -radius * time / HBAR
        before, now = start, (h @ start) / radius
        total = jv(0, x) * before + 2 * -1j * jv(1, x) * now
        for k in range(2, int(1.1 * abs(x) + 60)):
            before, now = now, 2 * (h @ now) / radius - before
            total += 2 * (-1j) ** k * jv(k, x) * now
        return total

    def _stepped(self, start: np.ndarray, time: float, rtol: float) -> np.ndarray:
        """The same by an adaptive method, the voltages as phases of the couplings."""
        leads, ends = self._leads(), self.length * np.arange(len(self.channels))
        grid = np.linspace(0.0, time, max(4001, int(250 * time / HBAR)))
        shape = start.shape
        phase = []
        for p in range(len(self.system.leads)):
            values = np.array([self.system.voltages(max(t, 1e-12))[p] for t in grid])  # a jump at 0 is over
            middle = np.array([self.system.voltages(t)[p] for t in 0.5 * (grid[1:] + grid[:-1])])
            simpson = (values[:-1] + 4 * middle + values[1:]) / 6 * np.diff(grid) / HBAR
            phase.append(scipy.interpolate.CubicHermiteSpline(grid, np.append(0, np.cumsum(simpson)), values / HBAR))

        def rate(tau: float, flat: np.ndarray) -> np.ndarray:
            time_fs = tau * HBAR
            psi = flat.view(complex).reshape(shape)
            coupling = self._coupling(np.array([np.exp(-1j * f(time_fs)) for f in phase]))
            out = np.empty_like(psi)
            out[: self.n] = self.device(time_fs) @ psi[: self.n] + coupling @ psi[self.n + ends]
            out[self.n :] = leads @ psi[self.n :]
            out[self.n + ends] += coupling.conj().T @ psi[: self.n]
            return (-1j * out).ravel().view(float)  # complex numbers would keep the method from fast products

        first, end = start.ravel().view(float), (time / HBAR, 0.0)
        done = solve_ivp(rate, end, first, "DOP853", [0.0], rtol=rtol, atol=1e-2 * rtol, max_step=2.0)
        return np.ascontiguousarray(done.y[:, -1]).view(complex).reshape(shape)
