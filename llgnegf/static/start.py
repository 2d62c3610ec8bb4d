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
from llgnegf.static.slices import SlicedGreen
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

        rho   = 1/2 + sum_m r_m [G(z_m^*) + G(z_m^*)^dag]
        v_k   = G_ext(z_k^*) U c_k
        C_dy  = -sum_m r_m [G(z_m^*)^dag/(chi_y^* - z_m) + G(z_m^*)/(chi_y^* - z_m^*)] W_y
        C_xx' = -[W_x^dag C_dx' - (W_x'^dag C_dx)^*]/(chi_x - chi_x'^*)

    from rho = int dE/2pi A f and C_dy = int dE/2pi A W_y [f(E) - f(chi_y^*)]/(E - chi_y^*), A = i(G - G^dag), with the
    rational f: partial fractions, and every integral closed around a single pole of f. Bound states sit on the real
    axis, where nothing is evaluated, and so come out right. Between two undamped modes (chi real, U_x = W_x) the
    denominator may vanish; there h is that of Hermitian levels, C = f(h) - f(chi) on the modes, and

        C_xx' = sum_m r_m W_x^dag { G(z_m^*)/[(z_m^* - chi_x)(z_m^* - chi_x')] + (the same at z_m) } U_x',
        G(z_m) = G(z_m^*)^dag

    Raises:
        ValueError: If the leads have different chemical potentials or temperatures.
    """
    system = poles.system
    if system.is_closed:
        return partitioned(poles, moments)
    if not system.in_equilibrium():
        found = f"chemical potentials {system.chemical_potentials().tolist()} eV"
        if system.common_temperature is None:
            found += f" and kT = {system.temperatures().tolist()} eV"
        raise ValueError(
            f"start: 'thermal' with {found} at t = 0; allowed: 'steady' or 'partitioned' when the leads are not in "
            "equilibrium with one another"
        )
    frozen = FrozenDevice(settled(poles, moments), moments)
    return _equilibrium(frozen, frozen.fermi_vectors())


def _equilibrium(frozen: FrozenDevice, vectors: np.ndarray) -> Blocks:
    """The thermal blocks at the mean chemical potential and temperature (formulas in `thermal`)."""
    device_mode = _device_mode(frozen)
    # Stationary C_mode,mode for this C_device,mode; Hermitian by construction.
    mode_block, chi = frozen.into_modes(device_mode), frozen.chi
    mode_block = mode_block.conj().T - mode_block
    distances, still = chi[:, None] - chi.conj(), np.flatnonzero(chi.imag == 0)
    distances[np.ix_(still, still)] = 1.0
    mode_block /= distances
    if still.size:
        mode_block[np.ix_(still, still)] = _between_levels(frozen, still)
    return Blocks(frozen.density_matrix(), device_mode, mode_block, vectors)


def _device_mode(frozen: FrozenDevice) -> np.ndarray:
    """C_dy of `thermal`, (n, M): G u and G^dag u at the poles, channel by channel."""
    a, (energies, r), chi = frozen.arrays, frozen.fermi_poles(frozen.mean), frozen.chi.conj()
    green = SlicedGreen(frozen.device, energies)
    sides = (green.columns(frozen.u), energies), (green.rows(frozen.u).conj().swapaxes(-1, -2), energies.conj())
    out = np.zeros((a.n, chi.size), dtype=complex)
    for g in range(a.offset.size - 1):
        modes, own = slice(*a.offset[g : g + 2]), slice(*a.orbitals[g : g + 2])
        for columns, z in sides:
            factors = a.right[own, modes] * (r[:, None] / (z[:, None] - chi[modes]))[:, None, :]
            out[:, modes] += np.tensordot(columns[:, :, own], factors, ([0, 2], [0, 1]))
    return out


def _between_levels(frozen: FrozenDevice, still: np.ndarray) -> np.ndarray:
    """C_xx' of `thermal` between the undamped modes `still`."""
    energies, r = frozen.fermi_poles(frozen.mean)
    w = frozen.u @ frozen.arrays.right[:, still]
    between = w.conj().T @ SlicedGreen(frozen.device, energies).columns(w)
    x = 1 / (energies[:, None] - frozen.chi[still])
    half = np.einsum("ma,mb,m,mab->ab", x, x, r, between, optimize=True)
    return half + half.conj().T


def steady(poles: PoleSystem, moments: np.ndarray) -> Blocks:
    """Stationary state of the system frozen at t = 0, each lead with its own voltage, chemical potential and kT.

    The equilibrium state at the mean chemical potential and the mean temperature plus the difference X, which is linear
    in the differences of the sources and solves the Sylvester equation -i (h X - X h^dag) + source = 0. What no lead
    reaches, a dark state or a bound state outside every band, keeps its equilibrium occupation f at the mean chemical
    potential and the mean kT of the leads, as in `RotatingFrame`: nothing stationary determines it. (The tails of the
    lead modes would fill it in the ratio of their tiny widths there.)

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
    if poles.system.in_equilibrium():
        return reference
    change = lead_change(frozen, vectors).correlation
    n = frozen.arrays.n
    rho, device_mode = reference.density_matrix + change[:n, :n], reference.device_mode + change[:n, n:]
    return Blocks(rho, device_mode, reference.mode_block + change[n:, n:], vectors)


@dataclass(frozen=True, eq=False)
class LeadChange:
    """What the leads' own fillings add to the equilibrium at the mean chemical potential and temperature.

    Attributes:
        correlation: The change X of C, (n + M, n + M).
        vectors: Fermi vectors of the leads, and the negative of those of the mean, (n + M, K).
        z, orbital: Fermi pole z_k (eV) and orbital of each, (K,).
    """

    correlation: np.ndarray
    vectors: np.ndarray
    z: np.ndarray
    orbital: np.ndarray


def lead_change(frozen: FrozenDevice, vectors: np.ndarray) -> LeadChange:
    """The stationary change for leads at rest, their Fermi vectors (n + M, K) given; see `steady`."""
    a = frozen.arrays
    z, c, orbital = frozen.sources_at(frozen.mean, frozen.mean_kT)
    own = np.concatenate([vectors, -frozen.vectors(z, c)], axis=1)
    orbital = np.concatenate([a.vector_orbital, orbital])
    drive = np.zeros((a.n + a.chi.size, a.n + a.chi.size), dtype=complex)
    drive[:, : a.n] = own @ (orbital[:, None] == np.arange(a.lead.size)) @ frozen.u.conj().T
    drive[: a.n, a.n :] -= frozen.u @ (a.right * _filling_changes(frozen).conj())
    change = _stationary_change(frozen, 1j * (drive - drive.conj().T))
    return LeadChange(change, own, np.concatenate([frozen.z, z]), orbital)


def _filling_changes(frozen: FrozenDevice) -> np.ndarray:
    """f(chi_y) of every mode less its value at the mean chemical potential and temperature, (M,)."""
    at_mean = np.full(frozen.mu.size, frozen.mean), np.full(frozen.mu.size, frozen.mean_kT)
    return frozen.fillings(frozen.mu, frozen.kT) - frozen.fillings(*at_mean)


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

    Between left eigenvectors L_k and L_k' it says, with x = lambda_k, y = lambda_k'^* and the rows a_k = L_k U,
        X_kk' = a_k [P(x) - Q(y)] a_k'^dag/(x - y),        Q(y) = P(y^*)^dag,
        P(x) = sum_k c_k e_a(k)^T/(z_k^* - x) + sum_y c_y df(chi_y) w_y^dag/(x - chi_y),
        i [P(x) - Q(x)] = Gamma(x) df,
    c_k and df taken as differences from their values at the mean chemical potential and temperature. Outside the bands
    Gamma = 0, so that Q = P: a divided difference of P, each of its terms known in closed form and none divided by a
    width. What is left out, Gamma df/i(x - y), is what the modes' tails would fill the level with. A mode of real chi
    is part of the undamped states themselves: L_ky = a_k c_y/(x - chi_y) is taken from L_k, and its term says that
    what it holds by itself, f(chi_y), has become f of the means.
    """
    a, (z_mean, c_mean, orbital_mean) = frozen.arrays, frozen.sources_at(frozen.mean, frozen.mean_kT)
    energies, right = np.linalg.eig(t)
    left = np.linalg.solve(right, basis.conj().T) if energies.size else basis.conj().T
    x, y = energies[:, None], energies.conj()[None, :]
    z = np.concatenate([frozen.z, z_mean]).conj()
    c, orbital = np.concatenate([a.c, -c_mean], axis=1), np.concatenate([a.vector_orbital, orbital_mean])
    reached = left[:, : a.n] @ frozen.u
    by_vector = (reached @ c) / (z - x), reached.conj().T[orbital] / (z[:, None] - y)
    still = frozen.chi.imag == 0
    own = left[:, a.n :]
    other = own.conj().T.copy()
    other[~still] = (reached @ a.right[:, ~still]).conj().T / (y - frozen.chi[~still, None])
    change = by_vector[0] @ by_vector[1] - (own * _filling_changes(frozen)) @ other
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
