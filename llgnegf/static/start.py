"""Starting states of the propagator: thermal, steady and partitioned.

All of them are built from resolvents of the extended Hamiltonian h at complex energies (thermal), a linear solve on top
of that (steady), or nothing but the isolated device (partitioned). `equation` defines h, the blocks and the poles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from llgnegf.poles.channels import PoleSystem
from llgnegf.poles.levels import LeadLevels

UNDAMPED = 1e-13
"""Width (eV) below which a state counts as undamped."""
BOUND = 0.5
"""A state outside every band is bound if its width is below this many times its distance from the nearest band; that
width is an artefact of the lead modes, whose tails reach there."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """rho (n, n), C_device,mode (n, M), C_mode,mode (M, M) and the Fermi vectors v (n + M, K)."""

    density_matrix: np.ndarray
    device_mode: np.ndarray
    mode_block: np.ndarray
    vectors: np.ndarray


class FrozenDevice:
    """The extended Hamiltonian h of frozen moments and voltages, with the poles of every channel."""

    def __init__(
        self, poles: PoleSystem, moments: np.ndarray, time: float = 0.0, arrays: LeadLevels | None = None
    ) -> None:
        system = poles.system
        self.poles = poles
        self.arrays = a = LeadLevels(poles) if arrays is None else arrays
        self.hamiltonian = system.electrons.hamiltonian_at(moments)
        self.voltages = system.voltages(time)[a.lead] if a.lead.size else np.zeros(0)
        self.chi = a.chi + self.voltages[a.mode_channel]
        self.z = a.z + self.voltages[a.vector_channel]
        self.u = np.array([c.vector for c in poles.channels]).reshape(-1, a.n).T
        self.mu = system.chemical_potentials(time)

    def at(self, moments: np.ndarray, time: float = 0.0) -> FrozenDevice:
        """The same device with other moments, and the voltages of another time (fs)."""
        return FrozenDevice(self.poles, moments, time, self.arrays)

    def resolvent(self, energies: np.ndarray) -> np.ndarray:
        """G(E) = [E - H - Sigma(E)]^-1 on the device for Im E > 0, (n_energies, n, n)."""
        return np.linalg.inv(self.inverse_green(energies))

    def inverse_green(self, energies: np.ndarray) -> np.ndarray:
        """E - H - Sigma(E) on the device for Im E > 0, (n_energies, n, n); Sigma from the modes."""
        a = self.arrays
        channel = np.zeros((energies.size, a.lead.size), dtype=complex) - 0.5j * a.wide
        terms = a.s * a.kappa / (energies[:, None] - self.chi)
        for q in range(a.lead.size):
            channel[:, q] += terms[:, a.offset[q] : a.offset[q + 1]].sum(axis=1)
        sigma = np.einsum("nq,eq,mq->enm", self.u, channel, self.u.conj())
        return energies[:, None, None] * np.eye(a.n) - self.hamiltonian - sigma

    def density_matrix(self, mu: float) -> np.ndarray:
        """rho = 1/2 + sum_m r_m [G(z_m^*) + G(z_m^*)^dag] at the common chemical potential mu."""
        assert self.poles.fermi is not None
        z, r = self.poles.fermi.poles(mu, self.poles.system.kT)
        half = np.einsum("m,mab->ab", r, self.resolvent(z.conj()))
        return 0.5 * np.eye(self.arrays.n) + half + half.conj().T

    def grand_potential(self, mu: float) -> float:
        """Electronic grand potential Omega (eV) up to a constant of the leads; dOmega = Tr[rho dH] for the same rho.

        Omega = Tr H/2 - 2 sum_m r_m ln |det(z_m^* - H - Sigma)|, since d ln det(z - H - Sigma) = -Tr[G dH].
        """
        assert self.poles.fermi is not None
        z, r = self.poles.fermi.poles(mu, self.poles.system.kT)
        logarithm = np.linalg.slogdet(self.inverse_green(z.conj()))[1]
        return float(0.5 * np.trace(self.hamiltonian).real - 2 * r @ logarithm)

    def fermi_vectors(self) -> np.ndarray:
        """Stationary v_k = c_k G_ext(z_k^*) u_q, (n + M, K); the mode rows are kappa_y u_y^dag v/(z^* - chi_y)."""
        a = self.arrays
        if a.z.size == 0:
            return np.zeros((a.n + a.chi.size, 0), dtype=complex)
        green = self.resolvent(self.z.conj())
        source = self.u[:, a.vector_channel]
        device = a.c * np.einsum("kab,bk->ak", green, source)
        projected = self.u.conj().T[a.mode_channel] @ device
        modes = a.kappa[:, None] * projected / (self.z.conj() - self.chi[:, None])
        return np.concatenate([device, modes])

    def sources(self, mu: np.ndarray) -> np.ndarray:
        """(b_y f(chi_y)/s_y)^* of every mode for the chemical potentials mu of the leads, levels shifted by V."""
        a = self.arrays
        occupation = np.concatenate(
            [np.zeros(0)]
            + [
                self.poles.occupation(self.chi[a.offset[q] : a.offset[q + 1]], mu[a.lead[q]])
                for q in range(a.lead.size)
            ]
        )
        return (a.kappa * occupation).conj()


def thermal(poles: PoleSystem, moments: np.ndarray) -> Blocks:
    """Equilibrium of device and attached leads at the common chemical potential, for frozen moments.

        rho      = 1/2 + sum_m r_m [G(z_m^*) + G(z_m^*)^dag]
        v_k      = c_k G_ext(z_k^*) u_q
        s_y C_dy = -b_y^* sum_m r_m [G(z_m^*)^dag/(chi_y^* - z_m) + G(z_m^*)/(chi_y^* - z_m^*)] u_q
        C_xx'    = -[kappa_x u_x^dag C_dx' - (kappa_x' u_x'^dag C_dx)^*]/(chi_x - chi_x'^*)

    from rho = int dE/2pi A f and P_qy = int dE/2pi A u_q b_y^* [f(E) - f(chi_y^*)]/(E - chi_y^*), A = i(G - G^dag),
    with the rational f: partial fractions, and every integral closed around a single pole of f. Bound states sit on
    the real axis, where nothing is evaluated, and so come out right.

    Raises:
        ValueError: If the leads have different chemical potentials.
    """
    system = poles.system
    if system.is_closed:
        return _isolated(poles, moments)
    frozen = FrozenDevice(poles, moments)
    mu = frozen.mu[[c.lead for c in poles.channels]]
    if np.ptp(mu) > 1e-12 * max(1.0, float(np.abs(mu).max())):
        raise ValueError(
            f"start: 'thermal' with chemical potentials {frozen.mu.tolist()} eV at t = 0; allowed: 'steady' or "
            "'partitioned' when the leads are not in equilibrium with one another"
        )
    return _equilibrium(frozen, float(mu[0]), frozen.fermi_vectors())


def _equilibrium(frozen: FrozenDevice, mu: float, vectors: np.ndarray) -> Blocks:
    """The thermal blocks at the common chemical potential mu (formulas in `thermal`)."""
    a = frozen.arrays
    assert frozen.poles.fermi is not None
    z, r = frozen.poles.fermi.poles(mu, frozen.poles.system.kT)
    green = frozen.resolvent(z.conj())
    rho = frozen.density_matrix(mu)
    u = frozen.u[:, a.mode_channel]
    chi = frozen.chi.conj()
    retarded = np.einsum("mab,by,my->ay", green, u, r[:, None] / (chi - z.conj()[:, None]))
    advanced = np.einsum("mba,by,my->ay", green.conj(), u, r[:, None] / (chi - z[:, None]))
    device_mode = -(a.s * a.kappa).conj() * (retarded + advanced) / a.s
    return Blocks(rho, device_mode, _mode_block(frozen, device_mode), vectors)


def adiabatic_density_matrix(poles: PoleSystem, moments: np.ndarray, time: float = 0.0) -> np.ndarray:
    """Equilibrium rho, (2N, 2N), of device and leads for the moments and voltages of an instant (fs).

    It uses the leads and the Fermi function of the run, so that their expansion errors cancel in the difference
    rho(t) - rho_adiabatic. The chemical potential is the mean over the leads of that instant.
    """
    system = poles.system
    if system.is_closed:
        return isolated_equilibrium(system.electrons.hamiltonian_at(moments), system.fermi_energy, system.kT)
    frozen = FrozenDevice(poles, moments, time)
    mu = float(np.mean(frozen.mu[np.unique(frozen.arrays.lead)]))
    return frozen.density_matrix(mu)


def _mode_block(frozen: FrozenDevice, device_mode: np.ndarray) -> np.ndarray:
    """Stationary C_mode,mode for a given C_device,mode; Hermitian by construction."""
    a = frozen.arrays
    driven = a.kappa[:, None] * (frozen.u.conj().T[a.mode_channel] @ device_mode)
    return -(driven - driven.conj().T) / (frozen.chi[:, None] - frozen.chi.conj())


def steady(poles: PoleSystem, moments: np.ndarray) -> Blocks:
    """Stationary state of the system frozen at t = 0, each lead with its own voltage and chemical potential.

    The equilibrium state at the mean chemical potential plus the difference X, which is linear in the differences of
    the sources and solves the Sylvester equation -i (h X - X h^dag) + source = 0. What no lead reaches, a dark state or
    a bound state outside every band, keeps its equilibrium occupation at that mean, as in `RotatingFrame`: nothing
    stationary determines it. (The tails of the lead modes would fill it in the ratio of their tiny widths there.)

    Raises:
        ValueError: For a closed system, which has no leads to settle with.
    """
    if poles.system.is_closed:
        raise ValueError("start: 'steady' for a closed system; allowed: 'thermal' (nothing damps a closed system)")
    frozen = FrozenDevice(poles, moments)
    a = frozen.arrays
    mean = float(np.mean(frozen.mu[np.unique(a.lead)]))
    vectors = frozen.fermi_vectors()
    reference = _equilibrium(frozen, mean, vectors)
    if np.ptp(frozen.mu[a.lead]) == 0:
        return reference
    h = extended_hamiltonian(frozen)
    u = np.concatenate([frozen.u, np.zeros((a.chi.size, a.lead.size))])
    drive = np.zeros_like(h)
    for q in range(a.lead.size):
        k = slice(a.first[q], a.first[q + 1])
        drive += np.outer(vectors[:, k].sum(axis=1) - _vectors_at(frozen, q, mean), u[:, q].conj())
    difference = frozen.sources(frozen.mu) - frozen.sources(np.full_like(frozen.mu, mean))
    drive[: a.n, a.n :] -= frozen.u[:, a.mode_channel] * difference
    change = _stationary_change(frozen, h, 1j * (drive - drive.conj().T), mean)
    rho = reference.density_matrix + change[: a.n, : a.n]
    device_mode = reference.device_mode + change[: a.n, a.n :]
    return Blocks(rho, device_mode, reference.mode_block + change[a.n :, a.n :], vectors)


def _fermi_sources(frozen: FrozenDevice, q: int, mu: float) -> tuple[np.ndarray, np.ndarray]:
    """Poles z and sources c of channel q if its chemical potential were mu, its levels unchanged."""
    assert frozen.poles.fermi is not None
    z, r = frozen.poles.fermi.poles(mu, frozen.poles.system.kT)
    return z, (1j * r * frozen.poles.channels[q].broadening(z - frozen.voltages[q])).conj()


def _vectors_at(frozen: FrozenDevice, q: int, mu: float) -> np.ndarray:
    """S_q (n + M,) of channel q if its chemical potential were mu, its levels unchanged."""
    a = frozen.arrays
    z, c = _fermi_sources(frozen, q, mu)
    device = np.einsum("k,kab,b->ak", c, frozen.resolvent(z.conj()), frozen.u[:, q])
    projected = frozen.u.conj().T[a.mode_channel] @ device
    modes = a.kappa[:, None] * projected / (z.conj() - frozen.chi[:, None])
    return np.concatenate([device, modes]).sum(axis=1)


def extended_hamiltonian(frozen: FrozenDevice) -> np.ndarray:
    """h as a dense (n + M, n + M) matrix; used at the start, never in a step."""
    a = frozen.arrays
    u = frozen.u[:, a.mode_channel]
    h = np.diag(np.concatenate([np.zeros(a.n), frozen.chi])).astype(complex)
    h[: a.n, : a.n] = frozen.hamiltonian - 0.5j * (frozen.u * a.wide) @ frozen.u.conj().T
    h[: a.n, a.n :] = u * a.s
    h[a.n :, : a.n] = a.kappa[:, None] * u.conj().T
    return h


def _bands(frozen: FrozenDevice) -> np.ndarray:
    """Lower and upper edge of the band of every channel at its voltage, (n_channels, 2), in eV."""
    edges = np.array([channel.exact.support for channel in frozen.poles.channels])
    return edges + frozen.voltages[:, None]


def is_bound(energies: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Whether levels of h, (n,) complex, are undamped with the exact leads: no width, or outside every band."""
    below, above = bands[:, 0] - energies.real[:, None], energies.real[:, None] - bands[:, 1]
    distance = np.maximum(below, above).min(axis=1)  # from the nearest band, negative inside one
    return (energies.imag > -UNDAMPED) | (-energies.imag < BOUND * distance)


def _stationary_change(frozen: FrozenDevice, h: np.ndarray, source: np.ndarray, mean: float) -> np.ndarray:
    """X with -i (h X - X h^dag) + source = 0, undamped states filled with f of the mean chemical potential.

    In the Schur form h = Q T Q^dag the undamped states come last: their columns of Q are left eigenvectors of h, their
    own block X_22 obeys an equation of its own, and the others follow from it,
        T_11 X_12 - X_12 T_22^dag = right_12 - T_12 X_22,
        T_11 X_11 - X_11 T_11^dag = right_11 - T_12 X_12^dag + X_12 T_12^dag,     right = -i Q^dag source Q.
    """
    bands = _bands(frozen)
    t, q, damped = scipy.linalg.schur(h, output="complex", sort=lambda e: not is_bound(np.array([e]), bands)[0])
    right = -1j * (q.conj().T @ source @ q)
    t11, t12, t22 = t[:damped, :damped], t[:damped, damped:], t[damped:, damped:]
    change = np.zeros_like(right)
    change[damped:, damped:] = x22 = _bound_change(frozen, t22, q[:, damped:], mean)
    x12 = _sylvester(t11, t22, right[:damped, damped:] - t12 @ x22)
    change[:damped, damped:], change[damped:, :damped] = x12, x12.conj().T
    outer = t12 @ x12.conj().T
    change[:damped, :damped] = _sylvester(t11, t11, right[:damped, :damped] - outer + outer.conj().T)
    change = q @ change @ q.conj().T
    return 0.5 * (change + change.conj().T)


def _bound_change(frozen: FrozenDevice, t: np.ndarray, basis: np.ndarray, mean: float) -> np.ndarray:
    """X on undamped states, T_bound and their orthonormal left vectors given: the limit of tails that vanish.

    Between left eigenvectors L_k and L_k' the equation says, with x = lambda_k, y = lambda_k'^* and a = L u_q,
        X_kk' = sum_q a_k a_k'^* [P(x) - Q(y)]/(x - y),
        P(x) = sum_m c_m/(z_m^* - x) + sum_y b_y df(chi_y)/(x - chi_y),      i [P(x) - Q(x)] = Gamma_q(x) df_q(x),
    c and df taken as differences from their values at the mean chemical potential. Outside the bands Gamma_q = 0, so
    that Q = P: a divided difference of P, each of its terms known in closed form and none divided by a width. What is
    left out, Gamma_q df_q/i(x - y), is what the modes' tails would fill the level with.
    """
    a = frozen.arrays
    energies, right = np.linalg.eig(t)
    left = np.linalg.solve(right, basis.conj().T) if energies.size else basis.conj().T
    x, y = energies[:, None, None], energies.conj()[None, :, None]
    change = np.zeros((energies.size, energies.size), dtype=complex)
    for q in range(a.lead.size):
        k, modes = slice(a.first[q], a.first[q + 1]), slice(a.offset[q], a.offset[q + 1])
        z_mean, c_mean = _fermi_sources(frozen, q, mean)
        z, c = np.concatenate([frozen.z[k], z_mean]).conj(), np.concatenate([a.c[k], -c_mean])
        chi = frozen.chi[modes]
        filling = frozen.poles.occupation(chi, frozen.mu[a.lead[q]]) - frozen.poles.occupation(chi, mean)
        weights = a.s[modes] * a.kappa[modes] * filling
        divided = (c / ((z - x) * (z - y))).sum(-1) - (weights / ((x - chi) * (y - chi))).sum(-1)
        overlap = left[:, : a.n] @ frozen.u[:, q]
        change += np.outer(overlap, overlap.conj()) * divided
    return right @ (0.5 * (change + change.conj().T)) @ right.conj().T


def _sylvester(left: np.ndarray, right: np.ndarray, source: np.ndarray) -> np.ndarray:
    """X with A X - X B^dag = source for upper triangular A and B."""
    if source.size == 0:
        return source
    solution, scale, info = scipy.linalg.lapack.ztrsyl(left, right, source, trana="N", tranb="C", isgn=-1)
    if info != 0:
        raise ValueError("start: 'steady' has a mode that no lead damps; allowed: 'thermal' or 'partitioned'")
    return solution * scale


def partitioned(
    poles: PoleSystem, moments: np.ndarray, initial_density_matrix: np.ndarray | None = None
) -> Blocks:
    """Leads attached at t = 0 to the isolated device: no correlation with the leads, v = P = 0.

    The device starts in its own equilibrium f(H(0)) at the system's Fermi energy, or in `initial_density_matrix`.
    """
    return _isolated(poles, moments, initial_density_matrix)


def _isolated(poles: PoleSystem, moments: np.ndarray, rho: np.ndarray | None = None) -> Blocks:
    system = poles.system
    arrays = LeadLevels(poles)
    n, m, k = arrays.n, arrays.chi.size, arrays.z.size
    if rho is None:
        rho = isolated_equilibrium(system.electrons.hamiltonian_at(moments), system.fermi_energy, system.kT)
    zero = np.zeros((m, m), dtype=complex)
    return Blocks(rho, np.zeros((n, m), dtype=complex), zero, np.zeros((n + m, k), dtype=complex))


def isolated_equilibrium(hamiltonian: np.ndarray, mu: float, kT: float) -> np.ndarray:
    """f(H) of a closed device; at kT = 0 levels at mu (within 1e-12 eV) are half filled."""
    levels, states = np.linalg.eigh(hamiltonian)
    x = levels - mu
    if kT > 0:
        occupation = 0.5 - 0.5 * np.tanh(0.5 * x / kT)
    else:
        occupation = np.where(np.abs(x) < 1e-12, 0.5, (x < 0).astype(float))
    return (states * occupation) @ states.conj().T
