"""Brute force for ribbons: device and periodic leads as a closed system of explicit cells, moments given or answering.

Only numbers come in: matrices, voltages as functions, moments. Nothing of the package is used, neither its leads,
lattices and Green functions nor its poles and propagator. rho(t) = Phi f Phi^dag with the eigenstates Phi of rho(0),
moved by the Schroedinger equation: all of them together with moments that obey the LLG equation, in one integrator of
order 8; where moments are given, the rows that are looked at go backwards instead.

Exact until the echo of the cut ends returns: news of the cut comes and goes with the group velocities of the bands. A
correlation of the lead's end is the echo's times the Fourier transform of f, pi kT/sinh(pi kT t/hbar), so that it is
felt earlier by some hbar/(pi kT) times the digits wanted: `cells_for` counts both, and `test_explicit_ribbons` compares
two lengths and two tolerances. `stationary` has no cut: a quadrature over energy, leads by their modes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.linalg as la
import scipy.sparse as sp
from scipy.integrate import DOP853
from scipy.optimize import minimize_scalar
from scipy.special import expit

HBAR = 0.6582119569
G_E = 2.00231930436
SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])

ECHO, FRONT = 14.0, 5
"""Decay of correlations waited for, in powers of e; cells for the tail of a front."""

Voltage = Callable[[float], float]
Moments = Callable[[float], np.ndarray]


@dataclass(frozen=True)
class PeriodicCells:
    """Cells h0 (m, m) with hopping V = <cell l|H|cell l + 1> away from the device, tau (2N, m) = <device|H|cell 1>.

    The voltage (eV, t in fs) shifts all levels and, with its value at t = 0, the occupation; `chemical_potential` is
    that without the voltage.
    """

    h0: np.ndarray
    V: np.ndarray
    tau: np.ndarray
    voltage: Voltage = lambda t: 0.0
    chemical_potential: float = 0.0
    kT: float = 0.1

    @property
    def m(self) -> int:
        return len(self.h0)

    def speed(self) -> float:
        """The largest group velocity of the bands, cells per hbar/eV: dE/dk = <k|i V e^{ik} + h.c.|k>."""
        fastest = 0.0
        for k in np.linspace(0, 2 * np.pi, 97):
            hop = self.V * np.exp(1j * k)
            _, states = la.eigh(self.h0 + hop + hop.conj().T)
            slope = np.einsum("an,ab,bn->n", states.conj(), 1j * hop + (1j * hop).conj().T, states).real
            fastest = max(fastest, np.abs(slope).max())
        return fastest

    def cells_for(self, time: float) -> int:
        """So many that echoes stay below some 1e-8 up to `time` (fs)."""
        way = 0.5 * self.speed() * (time / HBAR + ECHO / (np.pi * self.kT))
        return int(np.ceil(way)) + FRONT

    def matrix(self, cells: int) -> np.ndarray:
        """H of the first cells at no voltage."""
        shift = np.diag(np.ones(cells - 1), 1)
        hops = np.kron(shift, self.V)
        return np.kron(np.eye(cells), self.h0) + hops + hops.conj().T


@dataclass(frozen=True)
class Answering:
    """Moments by dM/dt = -g M x B + lambda M x dM/dt + (g/mu_M) J_sd <s> x M, mu_M = n mu_B, g/mu_M = g_e/(hbar n).

    mu_M B = 2 K (M.axis) axis + `field` (eV), of the energy -K sum (M.axis)^2 - sum field.M; (n,) one for each moment.
    """

    moments: np.ndarray
    magnetic_moment: np.ndarray
    damping: float = 0.0
    anisotropy: float = 0.0
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    field: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def rate(self, m: np.ndarray, torque: np.ndarray) -> np.ndarray:
        """dM/dt (1/fs) of moments (N, 3) under the electrons' torque (eV), the implicit damping solved for."""
        along = np.asarray(self.axis)
        b = 2 * self.anisotropy * (m @ along)[:, None] * along + np.asarray(self.field)
        a = G_E / (HBAR * np.asarray(self.magnetic_moment)[:, None]) * (torque - np.cross(m, b))
        return (a + self.damping * np.cross(m, a)) / (1 + self.damping**2)


@dataclass(frozen=True)
class Rows:
    """Observables at the times asked for, as the columns of a run: first axis time.

    rho and density per site: `spin` (T, N, 3), `charge` (T, N). Into each lead: `current` (T, leads) in electrons/fs
    and `spin_current` (T, leads, 3) in eV. `moments` (T, N, 3).
    """

    rho: np.ndarray
    spin: np.ndarray
    charge: np.ndarray
    current: np.ndarray
    spin_current: np.ndarray
    moments: np.ndarray


State = tuple[np.ndarray, np.ndarray]
"""Eigenstates of rho(0) as columns, and their fillings."""


@dataclass(frozen=True)
class Ribbon:
    """A device H_0 (2N, 2N) with J_sd (N,), and its leads cut after `cells` cells each.

        H(t) = H_0 - sum_i J_i sigma_i.M_i(t) + leads + contacts + V_p(t) on the cells of lead p
    """

    hamiltonian: np.ndarray
    j_sd: np.ndarray
    leads: Sequence[PeriodicCells]
    cells: Sequence[int]

    @property
    def n(self) -> int:
        """2N."""
        return len(self.hamiltonian)

    @cached_property
    def ends(self) -> np.ndarray:
        """Where device and leads end in the whole matrix."""
        return np.cumsum([self.n, *(c * lead.m for c, lead in zip(self.cells, self.leads, strict=True))])

    def part(self, p: int) -> slice:
        """The states of lead p, its first cell first."""
        return slice(self.ends[p], self.ends[p + 1])

    @cached_property
    def static(self) -> np.ndarray:
        """All that never changes."""
        leads = [lead.matrix(c) for c, lead in zip(self.cells, self.leads, strict=True)]
        h = la.block_diag(self.hamiltonian, *leads).astype(complex)
        for p, lead in enumerate(self.leads):
            first = slice(self.ends[p], self.ends[p] + lead.m)
            h[: self.n, first] = lead.tau
            h[first, : self.n] = np.conj(lead.tau).T
        return h

    def exchange(self, moments: np.ndarray) -> np.ndarray:
        """-sum_i J_i sigma_i.M_i, (2N, 2N)."""
        return la.block_diag(*(-self.j_sd[:, None, None] * np.tensordot(moments, SIGMA, axes=1)))

    def shifts(self, t: float) -> np.ndarray:
        """Voltage of every state but those of the device, (size - 2N, 1)."""
        shift = np.zeros((self.ends[-1], 1))
        for p, lead in enumerate(self.leads):
            shift[self.part(p)] = lead.voltage(t)
        return shift[self.n :]

    def whole(self, moments: np.ndarray, t: float) -> np.ndarray:
        """H(t), dense."""
        h = self.static.copy()
        h[: self.n, : self.n] += self.exchange(moments)
        h[self.n :, self.n :] += np.diag(self.shifts(t)[:, 0])
        return h

    def thermal(self, moments: np.ndarray, mu: float = 0.0) -> State:
        """f(H(0)): one chemical potential, voltages at t = 0 included, and one temperature."""
        assert all(abs(lead.chemical_potential + lead.voltage(0.0) - mu) < 1e-12 for lead in self.leads)
        (kT,) = {lead.kT for lead in self.leads}
        levels, states = la.eigh(self.whole(moments, 0.0))
        return states, expit(-(levels - mu) / kT)

    def partitioned(self, rho: np.ndarray) -> State:
        """The device in rho (2N, 2N), every lead by itself in its own equilibrium; contacts close at t = 0."""
        fillings, device = la.eigh(rho)
        parts, filled = [device], [fillings]
        for lead, count in zip(self.leads, self.cells, strict=True):
            levels, states = la.eigh(lead.matrix(count))
            parts.append(states)
            filled.append(expit(-(levels - lead.chemical_potential) / lead.kT))
        return la.block_diag(*parts), np.concatenate(filled)

    def run(
        self, state: State, motion: Moments | Answering, times: Sequence[float], stops: Sequence[float] = (),
        rtol: float = 1e-8,
    ) -> Rows:  # fmt: skip
        """Rows at `times` (fs, ascending); `stops` are instants at which a voltage or its slope jumps."""
        states, fillings = state
        filled = fillings > 1e-14
        phi, fillings = states[:, filled].astype(complex), fillings[filled]
        if isinstance(motion, Answering):
            found = self._answering(phi, fillings, motion, times, stops, rtol)
        else:
            found = [(now, motion(t)) for t, now in self._prescribed(phi, motion, times, stops, rtol)]
        rows = [self._row(now, fillings, m) for now, m in found]
        return Rows(*(np.array(column) for column in zip(*rows, strict=True)))

    def _turned(self, x: np.ndarray, m: np.ndarray, t: float) -> np.ndarray:
        """-i H(t) x/hbar."""
        out = self._sparse @ x
        out[: self.n] += self.exchange(m) @ x[: self.n]
        out[self.n :] += self.shifts(t) * x[self.n :]
        out *= -1j / HBAR
        return out

    @cached_property
    def _sparse(self) -> sp.csr_array:
        return sp.csr_array(self.static)

    def _answering(
        self, phi: np.ndarray, fillings: np.ndarray, motion: Answering, times: Sequence[float], stops: Sequence[float],
        rtol: float,
    ) -> list[State]:  # fmt: skip
        """All orbitals and the moments at `times`, forwards."""
        size, n = phi.size, self.n

        def rate(t: float, y: np.ndarray) -> np.ndarray:
            now, m = y[:size].reshape(phi.shape), y[size:].real.reshape(-1, 3)
            s = spins((now[:n] * fillings) @ now[:n].conj().T)
            turn = motion.rate(m, self.j_sd[:, None] * np.cross(s, m))
            return np.concatenate([self._turned(now, m, t).ravel(), turn.ravel()])

        y, now, found = np.concatenate([phi.ravel(), motion.moments.ravel()]), 0.0, []
        for t in times:
            for end in [s for s in sorted(stops) if now < s < t] + [t]:
                y, now = _integrated(rate, y, now, end, rtol), end
            found.append((y[:size].reshape(phi.shape), y[size:].real.reshape(-1, 3)))
        return found

    def _prescribed(
        self, phi: np.ndarray, moments: Moments, times: Sequence[float], stops: Sequence[float], rtol: float
    ) -> list[tuple[float, np.ndarray]]:
        """Orbitals at `times` in the rows of the device and the leads' first cells, zero elsewhere.

        phi(t) there is X(0)^dag phi(0), X(s) = U(t, s)^dag on those rows, which obeys dX/ds = -i H(s) X/hbar: few
        columns travel backwards instead of all orbitals forwards.
        """
        firsts = [np.arange(lead.m) + end for lead, end in zip(self.leads, self.ends, strict=False)]
        kept = np.concatenate([np.arange(self.n), *firsts])
        begin = np.eye(len(phi), dtype=complex)[:, kept]
        x, now = begin[:, :0], times[-1]
        for earlier in [*reversed(times[:-1]), 0.0]:
            x = np.hstack([x, begin])
            for end in [*sorted((s for s in stops if earlier < s < now), reverse=True), earlier]:
                shape = x.shape

                def rate(t: float, y: np.ndarray, shape: tuple[int, ...] = shape) -> np.ndarray:
                    return self._turned(y.reshape(shape), moments(t), t).ravel()

                x, now = _integrated(rate, x.ravel(), now, end, rtol).reshape(shape), end
        found = []
        for t, columns in zip(reversed(times), np.split(x, len(times), axis=1), strict=True):
            rows = np.zeros_like(phi)
            rows[kept] = columns.conj().T @ phi
            found.append((t, rows))
        return found[::-1]

    def _row(self, phi: np.ndarray, fillings: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, ...]:
        device = phi[: self.n]
        rho = (device * fillings) @ device.conj().T
        current, spin = [], []
        for p, lead in enumerate(self.leads):
            first = phi[self.ends[p] : self.ends[p] + lead.m]
            lost = lead.tau @ (first * fillings) @ device.conj().T
            flow = 1j * (lost - lost.conj().T)  # -hbar d(rho)/dt through this contact
            current.append(np.trace(flow).real / HBAR)
            spin.append([0.5 * np.trace(np.kron(np.eye(self.n // 2), s) @ flow).real for s in SIGMA])
        charge = np.diag(rho).real.reshape(-1, 2).sum(axis=1)
        return rho, spins(rho), charge, np.array(current), np.array(spin), m.copy()


def _integrated(rate: Any, y: np.ndarray, start: float, end: float, rtol: float) -> np.ndarray:
    """y at `end`, either way in time; H is on one side of a jump at either instant."""
    if start == end:
        return y
    inward = np.copysign(1e-13, end - start)
    steps = DOP853(rate, start + inward, y, end - inward, max_step=0.4, rtol=rtol, atol=1e-2 * rtol)
    while steps.status == "running":  # not solve_ivp, which would keep every step
        steps.step()
    assert steps.status == "finished"
    return steps.y


def spins(rho: np.ndarray) -> np.ndarray:
    """<s_i> of rho (2N, 2N), (N, 3)."""
    n = len(rho) // 2
    blocks = rho.reshape(n, 2, n, 2)[np.arange(n), :, np.arange(n), :]
    return np.einsum("ist,ats->ia", blocks, SIGMA).real


def turning(texture: np.ndarray, energy: float, axis: Sequence[float]) -> Moments:
    """Counter-clockwise rotation about `axis` with hbar w = energy (eV), by Rodrigues' formula."""
    e = np.asarray(axis, dtype=float) / np.linalg.norm(axis)

    def moments(t: float) -> np.ndarray:
        angle = energy * t / HBAR
        along = np.outer(texture @ e, e)
        return along + np.cos(angle) * (texture - along) + np.sin(angle) * np.cross(e, texture)

    return moments


def surface(energy: float, h0: np.ndarray, v: np.ndarray) -> np.ndarray:
    """g = [E - h0 - V T]^-1, T = U Lambda U^-1 from the m modes that decay away from the end, at E + 1e-9 i.

    Modes psi_l = lambda^l u of V psi_{l+1} + h0 psi_l + V^dag psi_{l-1} = E psi_l.
    """
    m, one = len(h0), np.eye(len(h0))
    z = (energy + 1e-9j) * one - h0
    left = np.block([[z, -v.conj().T], [one, 0 * one]])
    values, vectors = la.eig(left, la.block_diag(v, one))
    decaying = np.argsort(np.abs(values))[:m]
    u = vectors[m:, decaying]
    return np.linalg.inv(z - v @ (u * values[decaying]) @ np.linalg.inv(u))


def band_edges(lead: PeriodicCells) -> list[float]:
    """Extrema of the bands, and where they cross."""

    def bands(k: float, n: int) -> float:
        hop = lead.V * np.exp(1j * k)
        return float(la.eigvalsh(lead.h0 + hop + hop.conj().T)[n])

    grid = np.linspace(-np.pi, np.pi + 0.2, 129) - 0.101
    found = []
    for n in range(lead.m):
        values = np.array([bands(k, n) for k in grid])
        for sign in (1, -1):
            e = sign * values
            for i in np.flatnonzero((e[1:-1] <= e[:-2]) & (e[1:-1] <= e[2:])) + 1:
                top = partial(lambda k, n, sign: sign * bands(k, n), n=n, sign=sign)
                near, fine = (grid[i - 1], grid[i + 1]), {"xatol": 1e-10}
                found.append(sign * float(minimize_scalar(top, bounds=near, method="bounded", options=fine).fun))
    return found


def stationary(h: np.ndarray, leads: Sequence[PeriodicCells]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """rho (2N, 2N) of the device h and the charge and spin currents into its leads, as in `Rows`; voltages at t = 0.

        rho = int dE/2pi G S G^dag,   S = sum_p Gamma_p f_p,
        -hbar (d rho/dt)_p = int dE/2pi { i Sigma_p G S G^dag + i S_p G^dag + h.c. }

    Gauss-Legendre in x on every interval between band edges, E = middle + half width sin(pi x/2), which takes the
    square roots away. A device with bound states is refused: the spectral weight must be 1 to 1e-7.
    """
    n, one = len(h), np.eye(len(h))
    shifts = [lead.voltage(0.0) for lead in leads]
    ends = np.sort([e + v for lead, v in zip(leads, shifts, strict=True) for e in band_edges(lead)])
    edges = ends[np.diff(ends, prepend=-np.inf) > 1e-7]
    x, weights = np.polynomial.legendre.leggauss(80)
    rho, weight = np.zeros((n, n), complex), np.zeros((n, n), complex)
    flows = np.zeros((len(leads), n, n), complex)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        half = 0.5 * (high - low)
        energies = 0.5 * (low + high) + half * np.sin(0.5 * np.pi * x)
        for e, w in zip(energies, half * 0.5 * np.pi * np.cos(0.5 * np.pi * x) * weights / (2 * np.pi), strict=True):
            sigmas = [p.tau @ surface(e - v, p.h0, p.V) @ np.conj(p.tau).T for p, v in zip(leads, shifts, strict=True)]
            filled = [
                1j * (s - s.conj().T) * expit(-(e - v - p.chemical_potential) / p.kT)
                for s, p, v in zip(sigmas, leads, shifts, strict=True)
            ]  # fmt: skip
            g = np.linalg.inv(e * one - h - sum(sigmas))
            inside = g @ sum(filled) @ g.conj().T
            rho += w * inside
            weight += w * 1j * (g - g.conj().T)
            for p, (sigma, source) in enumerate(zip(sigmas, filled, strict=True)):
                flow = 1j * (sigma @ inside + source @ g.conj().T)
                flows[p] += w * (flow + flow.conj().T)
    assert np.abs(weight - one).max() < 1e-7, "bound states, or an edge that was missed"
    current = np.trace(flows, axis1=1, axis2=2).real / HBAR
    spin = [[0.5 * np.trace(np.kron(np.eye(n // 2), s) @ flow).real for s in SIGMA] for flow in flows]
    return rho, current, np.array(spin)
