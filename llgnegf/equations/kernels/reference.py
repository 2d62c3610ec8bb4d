"""The right-hand sides in matrix products, term by term as the equations are written: the judge of the compiled ones.

The electrons' part takes its namespace from its arrays (the array API standard) and writes into none of them, so that
`run.array_run` can carry it on in JAX, CuPy or PyTorch. Moments are NumPy's.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag

from llgnegf.equations.layout import Layout
from llgnegf.poles.channels import PoleChannel, PoleSystem
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.torques import Amplitudes
from llgnegf.problem.observables import charge_of_sites, spin_density, spin_of_sites
from llgnegf.units import HBAR


class Blocks(NamedTuple):
    """The electrons of a state, or their rates: C = [[rho, F], [F^dag, W]] and v = [[V], [Y]], complex matrices.

    Attributes:
        rho, f, w: (n, n), (n, M) and (M, M), for n device states and M coupling modes.
        v, y: Device and mode rows of the K Fermi vectors, (n, K) and (M, K).
    """

    rho: Any
    f: Any
    w: Any
    v: Any
    y: Any

    @classmethod
    def of(cls, layout: Layout, state: np.ndarray) -> Blocks:
        """Those of a state vector, in NumPy."""
        _, f, v = np.split(layout.device(state), [layout.n_states, layout.n_states + layout.n_modes], axis=1)
        return cls(layout.density_matrix(state), f, layout.mode_block(state), v, layout.vector_modes(state))


class Leads(NamedTuple):
    """Leads as matrices over Q orbitals a, M modes y, K Fermi vectors k and P leads p; those of a channel, or all.

    Attributes:
        u: Device vectors u_a as columns, (n, Q).
        left, right: c_ay and w_ay of `equations.electrons`, s_y and kappa_y^* of a scalar channel, (Q, M).
        filled: f(chi_y)^* w_ay, (Q, M).
        source: (i r_k Gamma(z_k))^dag e_a(k), (Q, K).
        sums: 1 where k is a vector of orbital a, (K, Q): S = v sums.
        chi, z: eV without voltages, (M,) and (K,).
        wide: Gamma_a (eV) of wide bands, (Q,).
        lead_of_mode, lead_of_vector, lead_of_orbital: 1 where it is lead p, (M, P), (K, P) and (Q, P).
    """

    u: Any
    left: Any
    right: Any
    filled: Any
    source: Any
    sums: Any
    chi: Any
    z: Any
    wide: Any
    lead_of_mode: Any
    lead_of_vector: Any
    lead_of_orbital: Any

    @classmethod
    def of(cls, poles: PoleSystem) -> Leads:
        """All leads of an expanded system, in NumPy."""
        none = np.zeros((0, 0))
        n, n_leads = 2 * poles.system.n_sites, len(poles.system.leads)
        closed = cls(np.zeros((n, 0)), *5 * [none], *3 * [np.zeros(0)], *3 * [np.zeros((0, n_leads))])
        joined = zip(closed, *(cls.of_channel(poles, channel) for channel in poles.channels), strict=True)
        how: list[Any] = [np.hstack, *5 * [lambda parts: block_diag(*parts)], *3 * [np.hstack], *3 * [np.vstack]]
        return cls(*(join(parts).astype(complex) for join, parts in zip(how, joined, strict=True)))

    @classmethod
    def of_channel(cls, poles: PoleSystem, channel: PoleChannel) -> Leads:
        """One channel, in NumPy."""
        system, p = poles.system, channel.lead
        u = channel.vector.reshape(2 * system.n_sites, -1)
        mu, kT, size = (system.chemical_potentials() - system.voltages())[p], system.temperatures()[p], u.shape[1]
        z, r = poles.fermi_poles(mu, kT)
        gamma = channel.broadening(z)
        each = [(1j * r[m] * gamma[m]).conj().T[:, a] for a in range(size) for m in range(z.size)]
        source, z = np.array(each, dtype=complex).reshape(-1, size).T, np.tile(z, size)
        if poles.vector_tolerance:  # fewer vectors than poles, whose sources are fitted
            z, source = poles.fermi_sources(poles.channels.index(channel), mu, kT)
        lead = np.eye(len(system.leads))[[p]]
        return cls(
            u=u,
            left=channel.left,
            right=channel.right,
            filled=channel.right * poles.occupation(channel.energies, mu, kT).conj(),
            source=source,
            sums=np.kron(np.eye(size), np.ones((z.size // size, 1))),
            chi=channel.energies,
            z=z,
            wide=np.full(size, channel.wide_band),
            lead_of_mode=np.tile(lead, (channel.energies.size, 1)),
            lead_of_vector=np.tile(lead, (z.size, 1)),
            lead_of_orbital=np.tile(lead, (size, 1)),
        )


class SparseRows(NamedTuple):
    """A matrix with few numbers in a row: `values` (n, P), and their columns one after another, (n P,) integers."""

    columns: Any
    values: Any

    @classmethod
    def of(cls, matrix: np.ndarray) -> SparseRows:
        """In NumPy; each row begins with the two states of its own site."""
        own = np.kron(np.eye(len(matrix) // 2, dtype=int), np.ones((2, 2), dtype=int))
        others = (matrix != 0) * (1 - own)
        most = 2 + int(others.sum(axis=1).max())
        columns = np.argsort(-2 * own - others, axis=1, kind="stable")[:, :most]
        return cls(columns.ravel(), np.take_along_axis(matrix, columns, axis=1))

    def __matmul__(self, matrix: Any) -> Any:
        xp = namespace(matrix)
        of_torch = getattr(xp, "index_select", None)
        rows = xp.take(matrix, self.columns, axis=0) if of_torch is None else of_torch(matrix, 0, self.columns)
        shape = (*self.values.shape, matrix.shape[1])
        return xp.sum(self.values[:, :, None] * xp.reshape(rows, shape), axis=1)


def block_rates(leads: Leads, hamiltonian: Any, voltages: Any, blocks: Blocks) -> Blocks:
    """d/d(t/hbar) of the electrons, for H(t) (n, n) and voltages (P,) in eV: the equations of `equations.electrons`.

    With chi and z moved by the voltages of their leads, h = [[H - (i/2) U Gamma U^dag, U L], [(U R)^dag, chi]] and
    S = v sums,

        dC/dt = -i (h C - C h^dag) + X + X^dag,    X = -i U {S^dag + [(i/4) Gamma U^dag, filled]} (its rows: the device)
        dv/dt = -i [h v - v z^* + U source]

    block by block:

        d rho/dt = -i (H rho + U P^dag) + h.c.,               P = F L^dag + V sums + (i/2) (rho U - U/2) Gamma
        dF/dt = -i (H F + U T - F chi^* - rho U R),           T = L W + (Y sums)^dag + filled - (i/2) Gamma U^dag F
        dW/dt = -i [chi W + (U R)^dag F] + h.c.
        dV/dt = -i [H V + U (L Y + source - (i/2) Gamma U^dag V) - V z^*]
        dY/dt = -i [chi Y + (U R)^dag V - Y z^*]

    All arrays are complex128, of one namespace and device; H may be `SparseRows`.
    """
    rho, f, w, v, y = blocks
    conj = namespace(rho).conj
    u, left, right, wide = leads.u, leads.left, leads.right, 0.5j * leads.wide[:, None]
    chi, decay = leads.chi + leads.lead_of_mode @ voltages, conj(leads.z) + leads.lead_of_vector @ voltages
    u_f, u_v, entering = conj(u).T @ f, conj(u).T @ v, conj(right).T
    d_rho = -1j * (hamiltonian @ rho + u @ conj(lead_sums(leads, blocks)).T)
    into_modes = left @ w + conj(y @ leads.sums).T + leads.filled - wide * u_f
    into_vectors = left @ y + leads.source - wide * u_v
    d_w = -1j * (chi[:, None] * w + entering @ u_f)
    return Blocks(
        rho=d_rho + conj(d_rho).T,
        f=-1j * (hamiltonian @ f + u @ into_modes - f * conj(chi) - (rho @ u) @ right),
        w=d_w + conj(d_w).T,
        v=-1j * (hamiltonian @ v + u @ into_vectors - v * decay),
        y=-1j * (chi[:, None] * y + entering @ u_v - y * decay),
    )


def lead_sums(leads: Leads, blocks: Blocks) -> Any:
    """P_a of `block_rates` as columns, (n, Q): d rho/dt|_leads = sum_a (-i u_a P_a^dag + i P_a u_a^dag)."""
    conj = namespace(blocks.rho).conj
    wide = 0.5j * (blocks.rho @ leads.u - 0.5 * leads.u) * leads.wide
    return blocks.f @ conj(leads.left).T + blocks.v @ leads.sums + wide


def lead_rates(leads: Leads, hamiltonian: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of each lead in d rho/d(t/hbar), (n_leads, n, n), and the outflow (n_leads, 5) of `Layout.outflow`,
    from `lead_sums`; of NumPy arrays."""
    n, sites = len(hamiltonian), np.arange(len(hamiltonian) // 2)
    into = -1j * np.einsum("iq,qp,jq->pij", leads.u, leads.lead_of_orbital, sums.conj(), optimize=True)
    rates = into + into.conj().swapaxes(1, 2)
    blocks = rates.reshape(-1, n // 2, 2, n // 2, 2)[:, sites, :, sites, :].swapaxes(0, 1)
    energy = np.einsum("ij,pji->p", hamiltonian, rates).real
    spin = spin_of_sites(blocks).sum(axis=1)
    return rates, -np.concatenate([charge_of_sites(blocks).sum(axis=1)[:, None], spin, energy[:, None]], axis=1)


def namespace(array: Any) -> Any:
    """The functions for an array: its standard namespace, or the package that it is of where it names none."""
    own = getattr(array, "__array_namespace__", None)
    return import_module(type(array).__module__.split(".")[0]) if own is None else own()


class ElectronRates(NamedTuple):
    """d/d(t/hbar) of the correlation matrix C (n + M, n + M) and of the Fermi vectors v (n + M, K), the part of each
    lead in d rho/dt (n_leads, n, n), and the outflow into the leads (n_leads, 5) of `Layout.outflow`."""

    correlation: np.ndarray
    vectors: np.ndarray
    by_lead: np.ndarray
    outflow: np.ndarray


def electron_rates(poles: PoleSystem, moments: np.ndarray, time: float, c: np.ndarray, v: np.ndarray) -> ElectronRates:
    """`block_rates` for moments (N, 3) and the voltages of `time` (fs), of C and v as whole NumPy matrices."""
    n, leads, hamiltonian = 2 * len(moments), Leads.of(poles), poles.system.electrons.hamiltonian_at(moments)
    blocks = Blocks(c[:n, :n], c[:n, n:], c[n:, n:], v[:n], v[n:])
    rates = block_rates(leads, hamiltonian, poles.system.voltages(time), blocks)
    correlation = np.block([[rates.rho, rates.f], [rates.f.conj().T, rates.w]])
    by_lead, outflow = lead_rates(leads, hamiltonian, lead_sums(leads, blocks))
    return ElectronRates(correlation, np.concatenate([rates.v, rates.y]), by_lead, outflow)


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
