"""What is measured: spin, charge, torque, bond currents and energy from one-particle density matrices.

Pure functions of arrays (..., 2N, 2N), leading axes (time, frequency, part) kept; imports nothing of the solvers.

rho_ij = <c_j^dag c_i>, site-major and spin-minor. <s_i>^a = Tr rho_ii sigma_a without a factor 1/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._checks import Problems, as_numbers
from llgnegf._readable import Readable, readable
from llgnegf.problem.electrons import PAULI, Electrons
from llgnegf.units import HBAR

AT_REST = 1e-12
"""A moment slower than this part of the fastest one is at rest: its direction of motion is round-off."""


@dataclass(frozen=True, eq=False)
class TorqueComponents(Readable):
    """Components of a torque along the motion and across it, in eV.

    Attributes:
        field_like, damping_like: T.e_FL and T.e_DL, (..., N).
        field_like_vector, damping_like_vector: (T.e_FL) e_FL and (T.e_DL) e_DL, (..., N, 3).
    """

    field_like: np.ndarray
    damping_like: np.ndarray
    field_like_vector: np.ndarray
    damping_like_vector: np.ndarray


@readable
def spin_density(rho: Any) -> np.ndarray:
    """<s_i>^a = Tr[rho_ii sigma_a], (..., N, 3), dimensionless."""
    return spin_of_sites(_site_blocks(rho, "spin_density"))


@readable
def charge_density(rho: Any) -> np.ndarray:
    """<n_i> = Tr rho_ii, electrons on each site, (..., N)."""
    return charge_of_sites(_site_blocks(rho, "charge_density"))


@readable
def torque(rho: Any, moments: Any, j_sd: Any) -> np.ndarray:
    """T_i = J_sd <s_i> x M_i in eV, (..., N, 3).

    Args:
        rho: Density matrices (..., 2N, 2N).
        moments: M, (..., N, 3).
        j_sd: sd coupling in eV, one number or one for each site.

    Raises:
        ValueError: For each argument of a wrong shape.
    """
    spin = spin_density(rho)
    problems = Problems("torque")
    m = _vectors(problems, "moments", moments, spin.shape[-2])
    _check_leading_axes(problems, "moments", m, spin)
    coupling = problems.per_site("j_sd", j_sd, spin.shape[-2], "finite, in eV")
    problems.raise_all()
    assert m is not None and coupling is not None
    return coupling[:, None] * np.cross(spin, m)


@readable
def field_like_damping_like(torque: Any, moments: Any, velocity: Any) -> TorqueComponents:
    """Split a torque along e_FL = dM/dt/|dM/dt| and e_DL = M x dM/dt/|M x dM/dt|; zeros for a moment at rest.

    Args:
        torque: T in eV, (..., N, 3).
        moments: M, (..., N, 3).
        velocity: dM/dt in any unit, (..., N, 3).

    Raises:
        ValueError: For each argument of a wrong shape.
    """
    problems = Problems("field_like_damping_like")
    t = _vectors(problems, "torque", torque, None)
    n_sites = None if t is None else t.shape[-2]
    m = _vectors(problems, "moments", moments, n_sites)
    v = _vectors(problems, "velocity", velocity, n_sites)
    _check_leading_axes(problems, "moments", m, t)
    _check_leading_axes(problems, "velocity", v, t)
    _check_leading_axes(problems, "velocity", v, m)
    problems.raise_all()
    assert t is not None and m is not None and v is not None
    slow = AT_REST * np.linalg.norm(v, axis=-1).max(initial=0.0)
    along, across = _direction(v, slow), _direction(np.cross(m, v), slow)
    field_like, damping_like = (t * along).sum(axis=-1), (t * across).sum(axis=-1)
    return TorqueComponents(
        field_like, damping_like, field_like[..., None] * along, damping_like[..., None] * across
    )


@readable
def bond_charge_current(rho: Any, electrons: Electrons) -> np.ndarray:
    """Electrons per fs that flow from i to j on each bond (i, j) of `electrons.bonds`, (..., n_bonds).

    From d rho/dt = -(i/hbar) [H, rho]: I_{i->j} = (2/hbar) Im Tr[H_ji rho_ij].
    """
    return charge_through_bonds(*_bond_blocks(rho, electrons, "bond_charge_current"))


@readable
def bond_spin_current(rho: Any, electrons: Electrons) -> np.ndarray:
    """I^{S_a}_{i->j} = (hbar/2) x flow of sigma_a on each bond (i, j), in eV, (..., n_bonds, 3).

    I^{S_a}_{i->j} = Im Tr[(1/2) {sigma_a, H_ji} rho_ij]. For hopping that does not act on spin this is what leaves i
    and what arrives at j. Spin-dependent hopping turns spins on the way: the mean of the two is returned.
    """
    hopping, coherence = _bond_blocks(rho, electrons, "bond_spin_current")
    return spin_through_bonds(carried_spin(hopping), coherence)


@readable
def electron_energy(rho: Any, hamiltonian: Any) -> np.ndarray:
    """Tr[rho H] in eV, (...), for H (..., 2N, 2N), e.g. `electrons.hamiltonian_at(moments)`."""
    size = _site_blocks(rho, "electron_energy").shape[-3] * 2
    problems = Problems("electron_energy")
    allowed = f"numbers of shape (..., {size}, {size})"
    h = as_numbers(hamiltonian, complex)
    if h is None:
        problems.add("hamiltonian", hamiltonian, allowed)
    elif problems.check(h.shape[-2:] == (size, size), "hamiltonian", f"shape {h.shape}", allowed):
        _check_leading_axes(problems, "hamiltonian", h, np.asarray(rho))
    problems.raise_all()
    assert h is not None
    return np.einsum("...ij,...ji->...", np.asarray(rho), h).real


@readable
def spin_motive_force_current(moments: Any, velocity: Any, conductance: float) -> np.ndarray:
    """Estimate of the pumped spin current by the spin-motive force, in eV on the bonds (i, i+1), (..., N-1, 3).

        I^{S}_SMF = (g mu_B hbar G_0/4 e^2) dM/dt x dM/dz                    (PRL 125, 187202; G_0 = G_up + G_down)

    is a current of magnetic moment. Divided by the moment per angular momentum, g mu_B/hbar, it is the energy
        I^{S} = (hbar^2 G_0/4 e^2) dM/dt x dM/dz,
    in the convention of all spin currents here: the force drives spin up and down along M by the voltages
    +-(hbar/2e) M.(dM/dt x dM/dz), and hbar/2 (I_up - I_down) follows. z is in lattice constants, dM/dz = M_{i+1} - M_i
    and dM/dt the mean of the two sites.

    Args:
        moments: M along the wire, (..., N, 3).
        velocity: dM/dt in 1/fs, (..., N, 3).
        conductance: G_0 in e^2/h; 2 for a ballistic chain with both spins open.

    Raises:
        ValueError: For each argument that is not of this kind.
    """
    problems = Problems("spin_motive_force_current")
    m = _vectors(problems, "moments", moments, None)
    v = _vectors(problems, "velocity", velocity, None if m is None else m.shape[-2])
    _check_leading_axes(problems, "velocity", v, m)
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


def _vectors(problems: Problems, field: str, value: Any, n_sites: int | None) -> np.ndarray | None:
    """`value` as (..., N, 3), finite; None when it is not."""
    rows = "N" if n_sites is None else str(n_sites)
    allowed = f"finite vectors of shape (..., {rows}, 3)"
    array = as_numbers(value, float)
    if array is None:
        problems.add(field, value, allowed)
        return None
    fits = array.ndim >= 2 and array.shape[-1] == 3 and n_sites in (None, array.shape[-2])
    if not problems.check(fits, field, f"shape {array.shape}", allowed):
        return None
    return array if problems.check(bool(np.isfinite(array).all()), field, "holds NaN or inf", allowed) else None


def _check_leading_axes(problems: Problems, field: str, array: np.ndarray | None, other: np.ndarray | None) -> None:
    """Note a mistake unless the leading axes of `array` broadcast with those of `other`."""
    if array is None or other is None:
        return
    try:
        np.broadcast_shapes(array.shape[:-2], other.shape[:-2])
    except ValueError:
        problems.add(field, f"shape {array.shape}", f"leading axes that broadcast with {other.shape[:-2]}")


def _direction(vectors: np.ndarray, slow: float) -> np.ndarray:
    """Unit vectors along `vectors`, zero where they are no longer than `slow`."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    moving = length > slow
    return np.where(moving, vectors / np.where(moving, length, 1.0), 0.0)
