"""The right-hand sides in plain NumPy, term by term as the equations are written: the judge of the compiled ones.

Dense matrices and no care for speed; nothing but tests calls this.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.torques import Amplitudes
from llgnegf.problem.observables import spin_density
from llgnegf.units import HBAR


class ElectronRates(NamedTuple):
    """d/d(t/hbar) of the correlation matrix C (n + M, n + M) and of the Fermi vectors v (n + M, K), the part of each
    lead in d rho/dt (n_leads, n, n), and the outflow into the leads (n_leads, 5) of `Layout.outflow`."""

    correlation: np.ndarray
    vectors: np.ndarray
    by_lead: np.ndarray
    outflow: np.ndarray


def electron_rates(poles: PoleSystem, moments: np.ndarray, time: float, c: np.ndarray, v: np.ndarray) -> ElectronRates:
    """The equations of `equations.electrons` for moments (N, 3) and the voltages of `time` (fs).

        dC/dt = -i (h C - C h^dag) + X + X^dag,    dv_k/dt = -i (h - z_k^* - V) v_k - i U c_k

    with X = sum_a -i u_a [sum_y f(chi_y)^* w_ay e_y^dag + S_a^dag] + (Gamma/4) u_a u_a^dag over the orbitals a.
    """
    system = poles.system
    n, voltages, temperatures = 2 * system.n_sites, system.voltages(time), system.temperatures()
    potentials = system.chemical_potentials(time) - voltages
    h, source, drive = np.zeros_like(c), np.zeros_like(c), np.zeros_like(v)
    by_lead, decay = np.zeros((len(system.leads), n, n), dtype=complex), np.zeros(v.shape[1], dtype=complex)
    h[:n, :n] = hamiltonian = system.electrons.hamiltonian_at(moments)
    last_mode, last_vector = n, 0
    for channel in poles.channels:
        u, gamma, mu = channel.vector.reshape(n, -1), channel.wide_band, potentials[channel.lead]
        kT, shift, orbitals = temperatures[channel.lead], voltages[channel.lead], u.shape[1]
        z, r = poles.fermi_poles(mu, kT)
        y = slice(last_mode, last_mode + channel.energies.size)
        last_mode, filled = y.stop, poles.occupation(channel.energies, mu, kT)
        h[:n, y], h[y, :n] = u @ channel.left, (u @ channel.right).conj().T
        h[y, y] = np.diag(channel.energies + shift)
        h[:n, :n] -= 0.5j * gamma * u @ u.conj().T
        source[:n, y] -= 1j * u @ (channel.right * filled.conj())
        source[:n, :n] += 0.25 * gamma * u @ u.conj().T
        broadening = channel.broadening(z)
        for a in range(orbitals):
            k = slice(last_vector, last_vector + z.size)
            last_vector = k.stop
            decay[k] = z.conj() + shift
            drive[:n, k] = np.stack([u @ (1j * r[m] * broadening[m]).conj().T[:, a] for m in range(z.size)], axis=1)
            total = v[:, k].sum(axis=1)
            source[:n] -= 1j * np.outer(u[:, a], total.conj())
            p = c[:n, y] @ channel.left[a].conj() + total[:n]
            p += 0.5j * gamma * (c[:n, :n] @ u[:, a] - 0.5 * u[:, a])
            by_lead[channel.lead] += -1j * np.outer(u[:, a], p.conj()) + 1j * np.outer(p, u[:, a].conj())
    dc = -1j * (h @ c - c @ h.conj().T) + source + source.conj().T
    dv = -1j * (h @ v - v * decay + drive)
    operators = [np.kron(np.eye(system.n_sites), matrix) for matrix in (np.eye(2), *PAULI)] + [hamiltonian]
    outflow = -np.array([[np.trace(o @ rate).real for o in operators] for rate in by_lead]).reshape(-1, 5)
    return ElectronRates(dc, dv, by_lead, outflow)


def electron_torque(j_sd: np.ndarray, rho: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """T_i = J_i <s_i> x M_i (eV), (N, 3)."""
    return j_sd[:, None] * np.cross(spin_density(rho), moments)


def moment_rates(magnet: Magnet, moments: np.ndarray, time: float, torque: np.ndarray) -> np.ndarray:
    """dM/dt (1/fs), (N, 3), at `time` (fs) under the electrons' torque T (eV), for moments of any length; T and T_ext
    count without their parts along M.

    dM/dt = (a + lambda M x a)/(1 + lambda^2 M.M),  a = (g/mu_M) (M x dH/dM + T_ext + T)
    """
    damping = magnet.damping[:, None]
    torque = torque + spin_transfer(magnet.amplitudes(time), moments, magnet.prefactor)
    gradient = magnet.energy.gradient(moments, time)
    a = magnet.prefactor[:, None] * (np.cross(moments, gradient) + _normal(torque, moments))
    rates = (a + damping * np.cross(moments, a)) / (1 + damping**2 * np.sum(moments**2, axis=1, keepdims=True))
    return np.where(magnet.moving[:, None], rates, 0.0)


def spin_transfer(amplitudes: Amplitudes, moments: np.ndarray, prefactor: np.ndarray) -> np.ndarray:
    """T_ext (eV), (N, 3): M x (P x M) + F x M + (-D + M x E)/prefactor, D = u.grad M normal to M, E = beta D."""
    steps = moments[amplitudes.near] - moments[:, None]
    d, e = (np.einsum("ik,ika->ia", w, steps) for w in (amplitudes.drift, amplitudes.nonadiabatic))
    along = np.cross(moments, e) - _normal(d, moments)
    damping_like = np.cross(moments, np.cross(amplitudes.damping_like, moments))
    return damping_like + np.cross(amplitudes.field_like, moments) + along / prefactor[:, None]


def coupled_rates(
    poles: PoleSystem, magnet: Magnet, moments: np.ndarray, time: float, c: np.ndarray, v: np.ndarray
) -> tuple[ElectronRates, np.ndarray]:
    """Electrons and moments under one another's influence: `electron_rates`, and dM/d(t/hbar), (n, 3).

    P is a dense matrix here: m_i = sum_k P_ik M_k and T_k = sum_i P_ik J_i <s_i> x M_k.
    """
    size, place = poles.system.n_sites, np.eye(magnet.n_sites)
    if magnet.sites is not None:
        place = np.array([[i in on for on in magnet.sites] for i in range(size)], dtype=float)
    seen = place @ moments
    torque = place.T @ electron_torque(poles.system.electrons.j_sd, c[: 2 * size, : 2 * size], seen)
    return electron_rates(poles, seen, time, c, v), HBAR * moment_rates(magnet, moments, time, torque)


def slow_velocity(
    magnet: Magnet, moments: np.ndarray, time: float, spin_field: np.ndarray, tensors: np.ndarray
) -> np.ndarray:
    """dM/dt (1/fs), (N, 3), of unit vectors from the linear equation of `equations.slow`:

        [1 - X (lambda + p (friction + geometric))] dM/dt = -p M x (J <s>_ad - dH/dM) + p T_ext,    X_i v = M_i x v

    Args:
        spin_field: J_i <s_i>_ad (eV), (N, 3).
        tensors: friction + geometric (eV fs), (3N, 3N).
    """
    n, free = magnet.n_sites, np.where(magnet.moving, magnet.prefactor, 0.0)
    torque = _normal(spin_transfer(magnet.amplitudes(time), moments, magnet.prefactor), moments)
    force = torque - np.cross(moments, spin_field - magnet.energy.gradient(moments, time))
    x = np.zeros((n, 3, n, 3))
    for i in range(n):
        x[i, :, i, :] = np.cross(moments[i], np.eye(3)).T
    weight, damping = np.repeat(free, 3), np.repeat(np.where(magnet.moving, magnet.damping, 0.0), 3)
    matrix = np.eye(3 * n) - x.reshape(3 * n, 3 * n) @ (np.diag(damping) + weight[:, None] * tensors)
    return np.linalg.solve(matrix, weight * force.ravel()).reshape(n, 3)


def _normal(vectors: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Vectors (N, 3) without their parts along M."""
    return vectors - moments * np.sum(vectors * moments, axis=1, keepdims=True) / np.sum(moments**2, axis=1)[:, None]
