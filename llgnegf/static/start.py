"""Starting states of the propagator: thermal, steady and partitioned.

All of them are built from resolvents of the extended Hamiltonian h at complex energies (thermal), a linear solve on top
of that (steady), or nothing but the isolated device (partitioned). `frozen` has h, the modes and the poles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from llgnegf.poles.channels import PoleSystem
from llgnegf.poles.levels import LeadLevels
from llgnegf.problem.occupation import density_matrix
from llgnegf.static.frozen import FrozenDevice, settled
from llgnegf.static.mean_field import self_consistent
from llgnegf.static.undamped import is_undamped


@dataclass(frozen=True, eq=False)
class Blocks:
    """rho (n, n), C_device,mode (n, M), C_mode,mode (M, M) and the Fermi vectors v (n + M, K)."""

    density_matrix: np.ndarray
    device_mode: np.ndarray
    mode_block: np.ndarray
    vectors: np.ndarray


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
        return partitioned(poles, moments)
    if system.common_chemical_potential() is None:
        raise ValueError(
            f"start: 'thermal' with chemical potentials {system.chemical_potentials().tolist()} eV at t = 0; allowed: "
            "'steady' or 'partitioned' when the leads are not in equilibrium with one another"
        )
    frozen = FrozenDevice(settled(poles, moments), moments)
    return _equilibrium(frozen, frozen.fermi_vectors())


def _equilibrium(frozen: FrozenDevice, vectors: np.ndarray) -> Blocks:
    """The thermal blocks at the mean chemical potential (formulas in `thermal`)."""
    a = frozen.arrays
    energies, r = frozen.fermi_poles(frozen.mean)
    green = frozen.device.retarded(energies)
    u = frozen.u[:, a.mode_channel]
    chi = frozen.chi.conj()
    retarded = np.einsum("mab,by,my->ay", green, u, r[:, None] / (chi - energies[:, None]))
    advanced = np.einsum("mba,by,my->ay", green.conj(), u, r[:, None] / (chi - energies.conj()[:, None]))
    device_mode = -a.kappa.conj() * (retarded + advanced)
    # Stationary C_mode,mode for this C_device,mode; Hermitian by construction.
    driven = a.kappa[:, None] * (frozen.u.conj().T[a.mode_channel] @ device_mode)
    mode_block = -(driven - driven.conj().T) / (frozen.chi[:, None] - chi)
    return Blocks(frozen.density_matrix(), device_mode, mode_block, vectors)


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
    return _steady(self_consistent(poles, lambda at: _steady(at, moments).density_matrix), moments)


def _steady(poles: PoleSystem, moments: np.ndarray) -> Blocks:
    """The stationary state for the density that mean fields are taken at."""
    frozen = FrozenDevice(poles, moments)
    vectors = frozen.fermi_vectors()
    reference = _equilibrium(frozen, vectors)
    if poles.system.common_chemical_potential() is not None:
        return reference
    a, at_mean = frozen.arrays, frozen.sources_at(frozen.mean)
    drive = np.zeros((a.n + a.chi.size, a.n + a.chi.size), dtype=complex)
    channels = np.arange(a.lead.size)
    sums = vectors @ (a.vector_channel[:, None] == channels)
    sums = sums - frozen.vectors(*at_mean) @ (at_mean[2][:, None] == channels)
    drive[:, : a.n] = sums @ frozen.u.conj().T
    drive[: a.n, a.n :] -= frozen.u[:, a.mode_channel] * (a.kappa * _filling_changes(frozen)).conj()
    change = _stationary_change(frozen, 1j * (drive - drive.conj().T))
    rho = reference.density_matrix + change[: a.n, : a.n]
    device_mode = reference.device_mode + change[: a.n, a.n :]
    return Blocks(rho, device_mode, reference.mode_block + change[a.n :, a.n :], vectors)


def _filling_changes(frozen: FrozenDevice) -> np.ndarray:
    """f(chi_y) of every mode less its value at the mean chemical potential, (M,)."""
    lead = frozen.arrays.lead
    return frozen.fillings(frozen.mu[lead]) - frozen.fillings(np.full(lead.size, frozen.mean))


def _stationary_change(frozen: FrozenDevice, source: np.ndarray) -> np.ndarray:
    """X with -i (h X - X h^dag) + source = 0, undamped states filled with f of the mean chemical potential.

    In the Schur form h = Q T Q^dag the undamped states come last: their columns of Q are left eigenvectors of h, their
    own block X_22 obeys an equation of its own, and the others follow from it,
        T_11 X_12 - X_12 T_22^dag = right_12 - T_12 X_22,
        T_11 X_11 - X_11 T_11^dag = right_11 - T_12 X_12^dag + X_12 T_12^dag,     right = -i Q^dag source Q.
    """
    h, exact = frozen.extended_hamiltonian(), frozen.exact
    t, q, damped = scipy.linalg.schur(h, output="complex", sort=lambda e: not is_undamped(exact, np.array([e]))[0])
    right = -1j * (q.conj().T @ source @ q)
    t11, t12, t22 = t[:damped, :damped], t[:damped, damped:], t[damped:, damped:]
    change = np.zeros_like(right)
    change[damped:, damped:] = x22 = _bound_change(frozen, t22, q[:, damped:])
    x12 = _sylvester(t11, t22, right[:damped, damped:] - t12 @ x22)
    change[:damped, damped:], change[damped:, :damped] = x12, x12.conj().T
    outer = t12 @ x12.conj().T
    change[:damped, :damped] = _sylvester(t11, t11, right[:damped, :damped] - outer + outer.conj().T)
    change = q @ change @ q.conj().T
    return 0.5 * (change + change.conj().T)


def _bound_change(frozen: FrozenDevice, t: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """X on undamped states, T_bound and their orthonormal left vectors given: the limit of tails that vanish.

    Between left eigenvectors L_k and L_k' the equation says, with x = lambda_k, y = lambda_k'^* and a = L u_q,
        X_kk' = sum_q a_k a_k'^* [P(x) - Q(y)]/(x - y),
        P(x) = sum_m c_m/(z_m^* - x) + sum_y b_y df(chi_y)/(x - chi_y),      i [P(x) - Q(x)] = Gamma_q(x) df_q(x),
    c and df taken as differences from their values at the mean chemical potential. Outside the bands Gamma_q = 0, so
    that Q = P: a divided difference of P, each of its terms known in closed form and none divided by a width. What is
    left out, Gamma_q df_q/i(x - y), is what the modes' tails would fill the level with.
    """
    a, (z_mean, c_mean, channel_mean) = frozen.arrays, frozen.sources_at(frozen.mean)
    energies, right = np.linalg.eig(t)
    left = np.linalg.solve(right, basis.conj().T) if energies.size else basis.conj().T
    x, y = energies[:, None, None], energies.conj()[None, :, None]
    z, c = np.concatenate([frozen.z, z_mean]).conj(), np.concatenate([a.c, -c_mean])
    weights = a.s * a.kappa * _filling_changes(frozen)
    by_vector, by_mode = c / ((z - x) * (z - y)), weights / ((x - frozen.chi) * (y - frozen.chi))
    channel = np.concatenate([a.vector_channel, channel_mean])
    change = np.zeros((energies.size, energies.size), dtype=complex)
    for q in range(a.lead.size):
        divided = by_vector[..., channel == q].sum(-1) - by_mode[..., a.mode_channel == q].sum(-1)
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
    system, levels, rho = poles.system, LeadLevels(poles), initial_density_matrix
    n, m, k = levels.n, levels.chi.size, levels.z.size
    if rho is None:

        def isolated(at: PoleSystem) -> np.ndarray:
            hamiltonian = system.electrons.hamiltonian_at(moments, 0.0, at.density_blocks)
            return density_matrix(hamiltonian, system.fermi_energy, system.kT)

        rho = isolated(self_consistent(poles, isolated))
    zero = np.zeros((m, m), dtype=complex)
    return Blocks(rho, np.zeros((n, m), dtype=complex), zero, np.zeros((n + m, k), dtype=complex))
