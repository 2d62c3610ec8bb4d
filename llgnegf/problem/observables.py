"""What is measured: spin, charge, torque, bond currents and energy from one-particle density matrices.

Pure functions of arrays (..., 2N, 2N), leading axes (time, frequency, part) kept; imports nothing of the solvers.

rho_ij = <c_j^dag c_i>, site-major and spin-minor. <s_i>^a = Tr rho_ii sigma_a without a factor 1/2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llgnegf._checks import Problems, as_numbers
from llgnegf._readable import readable
from llgnegf.problem.electrons import PAULI, Electrons
from llgnegf.problem.torque_parts import check_leading_axes, checked_vectors
from llgnegf.units import HBAR


@readable
def spin_density(rho: Any) -> np.ndarray:
    """Spin density of each site from a density matrix, without a factor 1/2.

    Parameters
    ----------
    rho : array_like, (..., 2N, 2N)
        Density matrices, rho_ij = <c_j^dag c_i>, index 2 i + s.

    Returns
    -------
    ndarray, (..., N, 3)
        Dimensionless.

    Raises
    ------
    ValueError
        For another shape.

    Notes
    -----
    ``<s_i>^a = Tr[rho_ii sigma_a]``

    Examples
    --------
    >>> ln.spin_density(np.diag([1.0, 0.0, 0.5, 0.5]))  # spin up on the first site, half of each on the second
    array([[0., 0., 1.],
           [0., 0., 0.]])
    """
    return spin_of_sites(_site_blocks(rho, "spin_density"))


@readable
def charge_density(rho: Any) -> np.ndarray:
    """Electrons on each site from a density matrix.

    Parameters
    ----------
    rho : array_like, (..., 2N, 2N)
        Density matrices, index 2 i + s.

    Returns
    -------
    ndarray, (..., N)
        From 0 to 2.

    Raises
    ------
    ValueError
        For another shape.

    Notes
    -----
    ``<n_i> = Tr rho_ii``

    Examples
    --------
    >>> ln.charge_density(np.diag([1.0, 0.0, 0.5, 0.25]))
    array([1.  , 0.75])
    """
    return charge_of_sites(_site_blocks(rho, "charge_density"))


@readable
def torque(rho: Any, moments: Any, j_sd: Any) -> np.ndarray:
    """Torque of the electrons on the moments, T_i = J_sd <s_i> x M_i.

    Parameters
    ----------
    rho : array_like, (..., 2N, 2N)
        Density matrices.
    moments : array_like, (..., N, 3)
        Unit vectors M.
    j_sd : float or array_like, (N,)
        sd coupling in eV, one number or one for each site.

    Returns
    -------
    ndarray, (..., N, 3)
        In eV.

    Raises
    ------
    ValueError
        For each argument of a wrong shape.

    Notes
    -----
    The torque of the LLG equation, Eq. (1) of PRL 125, 187202.

    Examples
    --------
    >>> up = np.diag([1.0, 0.0])
    >>> ln.torque(up, [[1.0, 0.0, 0.0]], j_sd=0.1)  # z times x is y
    array([[0. , 0.1, 0. ]])
    """
    spin = spin_density(rho)
    problems = Problems("torque")
    m = checked_vectors(problems, "moments", moments, spin.shape[-2])
    check_leading_axes(problems, "moments", m, spin)
    coupling = problems.per_site("j_sd", j_sd, spin.shape[-2], "finite, in eV")
    problems.raise_all()
    assert m is not None and coupling is not None
    return coupling[:, None] * np.cross(spin, m)


@readable
def bond_charge_current(rho: Any, electrons: Electrons) -> np.ndarray:
    """Electrons per fs that flow along each bond of a device.

    Parameters
    ----------
    rho : array_like, (..., 2N, 2N)
        Density matrices.
    electrons : Electrons
        The device; of one that depends on time `electrons.frozen(t)` for rho of the time t.

    Returns
    -------
    ndarray, (..., n_bonds)
        In 1/fs, from i to j of each bond (i, j) of `electrons.bonds`.

    Raises
    ------
    ValueError
        For another shape, and for electrons that depend on time.

    Notes
    -----
    From drho/dt = -(i/hbar) [H, rho], ::

        I_{i->j} = (2/hbar) Im Tr[H_ji rho_ij]

    Examples
    --------
    >>> wire = ln.chain(2)
    >>> state = np.kron([1.0, 1.0j], [1.0, 0.0]) / np.sqrt(2)  # spin up, momentum pi/2
    >>> ln.bond_charge_current(np.outer(state, state.conj()), wire).round(4)  # gamma/hbar
    array([1.5193])
    """
    return charge_through_bonds(*_bond_blocks(rho, electrons, "bond_charge_current"))


@readable
def bond_spin_current(rho: Any, electrons: Electrons) -> np.ndarray:
    """Spin current along each bond of a device.

    Parameters
    ----------
    rho : array_like, (..., 2N, 2N)
        Density matrices.
    electrons : Electrons
        The device; of one that depends on time `electrons.frozen(t)` for rho of the time t.

    Returns
    -------
    ndarray, (..., n_bonds, 3)
        In eV, (hbar/2) times the flow of sigma_a from i to j of each bond (i, j) of `electrons.bonds`.

    Raises
    ------
    ValueError
        For another shape, and for electrons that depend on time.

    Notes
    -----
    ::

        I^{S_a}_{i->j} = Im Tr[(1/2) {sigma_a, H_ji} rho_ij]

    For hopping that does not act on spin this is what leaves i and what arrives at j. Spin-dependent hopping turns
    spins on the way: the mean of the two is returned.

    Examples
    --------
    >>> wire = ln.chain(2)
    >>> state = np.kron([1.0, 1.0j], [1.0, 0.0]) / np.sqrt(2)  # spin up, momentum pi/2
    >>> print(ln.bond_spin_current(np.outer(state, state.conj()), wire)[0].round(6))  # gamma/2 along z
    [0.  0.  0.5]
    """
    hopping, coherence = _bond_blocks(rho, electrons, "bond_spin_current")
    return spin_through_bonds(carried_spin(hopping), coherence)


@readable
def electron_energy(rho: Any, hamiltonian: Any) -> np.ndarray:
    """Energy of the electrons, E = Tr[rho H].

    Parameters
    ----------
    rho : array_like, (..., 2N, 2N)
        Density matrices.
    hamiltonian : array_like, (..., 2N, 2N)
        H in eV, e.g. `electrons.hamiltonian_at(moments)`.

    Returns
    -------
    ndarray, (...)
        In eV.

    Raises
    ------
    ValueError
        For each argument of a wrong shape.

    Examples
    --------
    >>> wire = ln.chain(1, j_sd=0.3)
    >>> print(ln.electron_energy(np.diag([1.0, 0.0]), wire.hamiltonian_at(ln.uniform(1))))
    -0.3
    """
    size = _site_blocks(rho, "electron_energy").shape[-3] * 2
    problems = Problems("electron_energy")
    allowed = f"numbers of shape (..., {size}, {size})"
    h = as_numbers(hamiltonian, complex)
    if h is None:
        problems.add("hamiltonian", hamiltonian, allowed)
    elif problems.check(h.shape[-2:] == (size, size), "hamiltonian", f"shape {h.shape}", allowed):
        check_leading_axes(problems, "hamiltonian", h, np.asarray(rho))
    problems.raise_all()
    assert h is not None
    return np.einsum("...ij,...ji->...", np.asarray(rho), h).real


@readable
def spin_motive_force_current(moments: Any, velocity: Any, conductance: float) -> np.ndarray:
    """Estimate of the pumped spin current by the spin-motive force, to compare with what is computed.

    Parameters
    ----------
    moments : array_like, (..., N, 3)
        M along the wire.
    velocity : array_like, (..., N, 3)
        dM/dt in 1/fs.
    conductance : float
        G_0 = G_up + G_down in e^2/h; 2 for a ballistic chain with both spins open.

    Returns
    -------
    ndarray, (..., N-1, 3)
        In eV, on the bonds (i, i+1).

    Raises
    ------
    ValueError
        For each argument that is not of this kind.

    Notes
    -----
    The current of magnetic moment [1]_ is, ::

        I^{S}_SMF = (g mu_B hbar G_0/4 e^2) dM/dt x dM/dz

    Divided by the moment per angular momentum, g mu_B/hbar, it is the energy that is returned, ::

        I^{S} = (hbar^2 G_0/4 e^2) dM/dt x dM/dz

    in the convention of all spin currents here: the force drives spin up and down along M by the voltages +-(hbar/2e)
    M.(dM/dt x dM/dz), and hbar/2 (I_up - I_down) follows. z is in lattice constants, dM/dz = M_{i+1} - M_i and dM/dt
    the mean of the two sites.

    References
    ----------
    .. [1] U. Bajpai, B. K. Nikolic, Phys. Rev. Lett. 125, 187202 (2020).

    Examples
    --------
    >>> turning = ln.Precession(ln.bloch_wall(7, center=4, width=0.9), energy=0.001)
    >>> current = ln.spin_motive_force_current(turning.moments(0.0), turning.velocity(0.0), conductance=2.0)
    >>> print(current.shape)
    (6, 3)
    """
    problems = Problems("spin_motive_force_current")
    m = checked_vectors(problems, "moments", moments, None)
    v = checked_vectors(problems, "velocity", velocity, None if m is None else m.shape[-2])
    check_leading_axes(problems, "velocity", v, m)
    g = problems.number("conductance", conductance, "a finite number >= 0, in e^2/h", lambda x: x >= 0)
    problems.raise_all()
    assert m is not None and v is not None
    middle = 0.5 * (v[..., 1:, :] + v[..., :-1, :])
    return HBAR * g / (8 * np.pi) * np.cross(middle, np.diff(m, axis=-2))


def spin_of_sites(blocks: np.ndarray) -> np.ndarray:
    """`spin_density` from rho_ii, (..., N, 2, 2)."""
    flip = blocks[..., 1, 0] + blocks[..., 0, 1].conj()
    spin = np.empty((*flip.shape, 3))
    spin[..., 0], spin[..., 1], spin[..., 2] = flip.real, flip.imag, (blocks[..., 0, 0] - blocks[..., 1, 1]).real
    return spin


def charge_of_sites(blocks: np.ndarray) -> np.ndarray:
    """`charge_density` from rho_ii, (..., N, 2, 2)."""
    return (blocks[..., 0, 0] + blocks[..., 1, 1]).real


def charge_through_bonds(hopping: np.ndarray, coherence: np.ndarray) -> np.ndarray:
    """`bond_charge_current` from H_ji (n_bonds, 2, 2) and rho_ij (..., n_bonds, 2, 2)."""
    return 2 / HBAR * np.einsum("bst,...bts->...b", hopping, coherence).imag


def carried_spin(hopping: np.ndarray) -> np.ndarray:
    """(1/2) {sigma_a, H_ji}, (n_bonds, 3, 2, 2)."""
    return 0.5 * (np.einsum("ast,btu->basu", PAULI, hopping) + np.einsum("bst,atu->basu", hopping, PAULI))


def spin_through_bonds(carried: np.ndarray, coherence: np.ndarray) -> np.ndarray:
    """`bond_spin_current` from `carried_spin` and rho_ij (..., n_bonds, 2, 2)."""
    return np.einsum("bast,...bts->...ba", carried, coherence).imag


def _site_blocks(rho: Any, owner: str) -> np.ndarray:
    """rho_ii, (..., N, 2, 2)."""
    problems, allowed = Problems(owner), "(..., 2N, 2N), two spins for each site"
    matrix = as_numbers(rho, complex)
    if matrix is None:
        problems.add("rho", rho, f"numbers of shape {allowed}")
        problems.raise_all()
        raise AssertionError("unreachable")
    shape = matrix.shape
    square = matrix.ndim >= 2 and shape[-1] == shape[-2] and shape[-1] % 2 == 0 and shape[-1] > 0
    problems.check(square, "rho", f"shape {shape}", allowed)
    problems.raise_all()
    blocks = matrix.reshape(*shape[:-2], shape[-1] // 2, 2, shape[-1] // 2, 2)
    return np.einsum("...isit->...ist", blocks)


def _bond_blocks(rho: Any, electrons: Electrons, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """H_ji (n_bonds, 2, 2) and rho_ij (..., n_bonds, 2, 2) for the bonds (i, j)."""
    problems = Problems(owner)
    problems.check(isinstance(electrons, Electrons), "electrons", electrons, "an Electrons object")
    problems.raise_all()
    n = electrons.n_sites
    fits = _site_blocks(rho, owner).shape[-3] == n
    problems.check(fits, "rho", f"shape {np.shape(rho)}", f"(..., {2 * n}, {2 * n}) for {n} sites")
    problems.raise_all()
    i, j = electrons.bonds.T
    rows, columns = 2 * i[:, None, None] + np.array([[0], [1]]), 2 * j[:, None, None] + np.array([[0, 1]])
    if electrons.drives():
        raise ValueError(f"{owner}.electrons: they depend on time; allowed: electrons.frozen(t) for rho of the time t")
    return electrons.hopping_blocks, np.asarray(rho)[..., rows, columns]
