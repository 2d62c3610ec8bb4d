"""Observables against hand-made density matrices and conservation laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llgnegf as ln
from llgnegf.problem.electrons import PAULI
from llgnegf.units import G_E, HBAR, MU_B


def random_hermitian(seed, size, shape=()):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(*shape, size, size)) + 1j * rng.normal(size=(*shape, size, size))
    return matrix + matrix.conj().swapaxes(-1, -2)


def random_moments(seed, n_sites):
    vectors = np.random.default_rng(seed).normal(size=(n_sites, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_densities_of_a_polarised_electron():
    """One electron on site 1 with spin along n: <s> = n, <n> = 1 there, nothing elsewhere."""
    n = np.array([1.0, -2.0, 2.0]) / 3
    rho = np.zeros((4, 4), dtype=complex)
    rho[2:, 2:] = 0.5 * (np.eye(2) + np.einsum("a,ast->st", n, PAULI))
    np.testing.assert_allclose(ln.spin_density(rho), [[0, 0, 0], n], atol=1e-15)
    np.testing.assert_allclose(ln.charge_density(rho), [0, 1], atol=1e-15)
    torque = ln.torque(rho, ln.uniform(2, "z"), j_sd=[5.0, 0.3])
    np.testing.assert_allclose(torque, [[0, 0, 0], 0.3 * np.cross(n, [0, 0, 1])], atol=1e-15)


def test_leading_axes_are_kept():
    rho, electrons = random_hermitian(1, 6, (2, 5)), ln.chain(3)
    shapes = {
        ln.spin_density(rho).shape: (2, 5, 3, 3),
        ln.charge_density(rho).shape: (2, 5, 3),
        ln.torque(rho, ln.uniform(3), 1.0).shape: (2, 5, 3, 3),
        ln.bond_charge_current(rho, electrons).shape: (2, 5, 2),
        ln.bond_spin_current(rho, electrons).shape: (2, 5, 2, 3),
        ln.electron_energy(rho, np.eye(6)).shape: (2, 5),
    }
    for found, expected in shapes.items():
        assert found == expected
    single = ln.bond_spin_current(rho[1, 3], electrons)
    np.testing.assert_array_equal(ln.bond_spin_current(rho, electrons)[1, 3], single)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=50)
def test_continuity(seed):
    """d rho/dt = -i [H, rho]/hbar: dN_i/dt = -div I, and (hbar/2) d<sigma_i>/dt = T_i - div I^S without spin-orbit."""
    n_sites, j_sd = 4, 0.7
    rng = np.random.default_rng(seed)
    orbital = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    electrons = ln.Electrons.spinless(orbital + orbital.conj().T, j_sd)
    moments, rho = random_moments(seed, n_sites), random_hermitian(seed, 8)
    h = electrons.hamiltonian_at(moments)
    rate = -1j * (h @ rho - rho @ h) / HBAR
    charge, spin = ln.bond_charge_current(rho, electrons), ln.bond_spin_current(rho, electrons)
    outflow, spin_outflow = np.zeros(n_sites), np.zeros((n_sites, 3))
    for (i, j), c, s in zip(electrons.bonds, charge, spin, strict=True):
        outflow[i] += c
        outflow[j] -= c
        spin_outflow[i] += s
        spin_outflow[j] -= s
    np.testing.assert_allclose(ln.charge_density(rate), -outflow, atol=1e-11)
    expected = ln.torque(rho, moments, j_sd) - spin_outflow
    np.testing.assert_allclose(0.5 * HBAR * ln.spin_density(rate), expected, atol=1e-11)


def test_bond_spin_current_of_spin_dependent_hopping_is_the_mean_of_both_ends():
    """H_10 = t: leaves site 0 at -(hbar/2) d<sigma_0>/dt, arrives at site 1 at (hbar/2) d<sigma_1>/dt."""
    block = random_hermitian(3, 2) + 0.3j * random_hermitian(4, 2)
    h = np.block([[np.zeros((2, 2)), block.conj().T], [block, np.zeros((2, 2))]])
    electrons, rho = ln.Electrons(h, 0.0), random_hermitian(5, 4)
    rate = 0.5 * HBAR * ln.spin_density(-1j * (h @ rho - rho @ h) / HBAR)
    np.testing.assert_allclose(ln.bond_spin_current(rho, electrons)[0], 0.5 * (rate[1] - rate[0]), atol=1e-12)


def test_surface_bond_currents_carry_the_torque_to_the_leads():
    """Fermi-surface part, z component: bond currents change by the torque and end in the lead currents."""
    j_sd, texture = 0.8, ln.bloch_wall(5, 3, 0.9)
    system = ln.OpenSystem(ln.chain(5, j_sd=j_sd), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.01)
    frame = ln.RotatingFrame(system, texture, 1e-3)
    parts, currents = frame.decompose(), frame.decompose_lead_currents()
    for name in ("geometric", "sea", "surface"):
        rho, leads = getattr(parts, name), getattr(currents, name).spin[:, 2]
        bonds = ln.bond_spin_current(rho, system.electrons)[:, 2]
        flow = np.concatenate([[-leads[0]], bonds, [leads[1]]])
        np.testing.assert_allclose(np.diff(flow), ln.torque(rho, texture, j_sd)[:, 2], rtol=0, atol=1e-10)


def test_field_like_and_damping_like():
    moments = ln.cone(3, 0.6, [0.1, 1.0, 2.0])
    velocity = np.cross([0, 0, 2e-3], moments)
    along = velocity / np.linalg.norm(velocity, axis=1, keepdims=True)
    across = np.cross(moments, along)
    torque = np.array([[2.0], [-1.0], [0.0]]) * along + np.array([[0.5], [0.0], [-3.0]]) * across
    split = ln.field_like_damping_like(torque, moments, velocity)
    np.testing.assert_allclose(split.field_like, [2, -1, 0], atol=1e-14)
    np.testing.assert_allclose(split.damping_like, [0.5, 0, -3], atol=1e-14)
    np.testing.assert_allclose(split.field_like_vector + split.damping_like_vector, torque, atol=1e-14)


@pytest.mark.parametrize("slow", [0.0, 1e-20])
def test_moment_at_rest_gets_zeros(slow):
    velocity = np.array([[slow, 0, 0], [0, 1e-3, 0]])
    split = ln.field_like_damping_like(np.ones((2, 3)), ln.uniform(2), velocity)
    for values in (split.field_like, split.damping_like, split.field_like_vector, split.damping_like_vector):
        assert np.isfinite(values).all()
        assert not values[0].any()
    assert split.field_like[1] == 1.0
    everything_at_rest = ln.field_like_damping_like(np.ones((2, 3)), ln.uniform(2), np.zeros((2, 3)))
    assert not everything_at_rest.damping_like.any()


def test_electron_energy_is_the_occupied_levels():
    electrons, moments = ln.chain(4, j_sd=0.5), random_moments(0, 4)
    h = electrons.hamiltonian_at(moments)
    rho = ln.RotatingFrame(ln.OpenSystem(electrons), moments, 0.0).density_matrix()
    levels = np.linalg.eigvalsh(h)
    assert ln.electron_energy(rho, h) == pytest.approx(levels[levels < 0].sum(), abs=1e-12)


def test_spin_motive_force_in_both_unit_systems():
    """(g mu_B hbar G_0/4 e^2) [dM/dt x dM/dz], a current of moment in mu_B/fs, times hbar/(g mu_B) is an energy."""
    moments = random_moments(4, 4)
    velocity = np.cross([0, 0, 1.5e-3], moments)
    conductance = 1.7  # e^2/h: G_0/e^2 = 1.7/(2 pi hbar) in 1/(eV fs)
    g0 = conductance / (2 * np.pi * HBAR)
    g = G_E
    for i in range(3):
        cross = np.cross(0.5 * (velocity[i] + velocity[i + 1]), moments[i + 1] - moments[i])
        moment_current = g * MU_B * HBAR * g0 / 4 * cross  # eV/T per fs
        expected = moment_current * HBAR / (g * MU_B)
        found = ln.spin_motive_force_current(moments, velocity, conductance)[i]
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_spin_motive_force_profile_of_a_wide_neel_wall():
    """Continuum: M = (0, sech u, tanh u), w about z: [dM/dt x dM/dz]_z = -w sech(u) d sech(u)/dz."""
    width, energy = 20.0, 1e-3
    wall = ln.neel_wall(201, 101, width)
    velocity = energy / HBAR * np.cross([0, 0, 1], wall)
    found = ln.spin_motive_force_current(wall, velocity, 2.0)[:, 2]
    z = np.arange(1.5, 201)
    u = (101 - z) / width
    sech, d_sech = 1 / np.cosh(u), np.tanh(u) / np.cosh(u) / width
    expected = HBAR / (4 * np.pi) * energy / HBAR * (-sech * d_sech)
    np.testing.assert_allclose(found, expected, atol=1e-2 * np.abs(expected).max())  # O(1/width^2) of the lattice


RHO = np.eye(4) / 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ln.spin_density(np.eye(3)), r"spin_density.rho: shape \(3, 3\); allowed: \(\.\.\., 2N, 2N\)"),
        (lambda: ln.spin_density([["a", "b"], ["c", "d"]]), r"spin_density.rho: .*; allowed: numbers of shape"),
        (lambda: ln.charge_density([[1, 2], [3]]), r"charge_density.rho: .*; allowed: numbers of shape"),
        (
            lambda: ln.torque(np.zeros((5, 4, 4)), np.zeros((3, 2, 3)), 1.0),
            r"torque.moments: shape \(3, 2, 3\); allowed: leading axes that broadcast with \(5,\)",
        ),
        (
            lambda: ln.field_like_damping_like(np.zeros((5, 2, 3)), ln.uniform(2), np.zeros((3, 2, 3))),
            r"field_like_damping_like.velocity: shape \(3, 2, 3\); allowed: leading axes",
        ),
        (lambda: ln.bond_charge_current(RHO, np.eye(4)), r"bond_charge_current.electrons: .*; allowed: an Electrons"),
        (lambda: ln.electron_energy(RHO, [[0, 1], [1]]), r"electron_energy.hamiltonian: .*; allowed"),
        (lambda: ln.electron_energy(np.zeros((2, 4, 4)), np.zeros((3, 4, 4))), r"electron_energy.hamiltonian: .*axes"),
        (lambda: ln.charge_density(np.ones(4)), r"charge_density.rho: shape \(4,\)"),
        (lambda: ln.torque(RHO, ln.uniform(3), 1.0), r"torque.moments: shape \(3, 3\); allowed: .*\(\.\.\., 2, 3\)"),
        (lambda: ln.torque(RHO, np.full((2, 3), np.nan), 1.0), r"torque.moments: holds NaN"),
        (lambda: ln.torque(RHO, ln.uniform(2), [1.0] * 3), r"torque.j_sd: shape \(3,\); allowed"),
        (
            lambda: ln.field_like_damping_like(np.zeros(3), ln.uniform(1), ln.uniform(1)),
            r"field_like_damping_like.torque: shape \(3,\)",
        ),
        (
            lambda: ln.field_like_damping_like(ln.uniform(2), ln.uniform(2), ln.uniform(3)),
            r"field_like_damping_like.velocity: shape \(3, 3\)",
        ),
        (lambda: ln.bond_charge_current(RHO, ln.chain(3)), r"bond_charge_current.rho: .*for 3 sites"),
        (lambda: ln.bond_spin_current(RHO, ln.chain(3)), r"bond_spin_current.rho: .*for 3 sites"),
        (lambda: ln.electron_energy(RHO, np.eye(3)), r"electron_energy.hamiltonian: shape \(3, 3\); allowed"),
        (
            lambda: ln.spin_motive_force_current(ln.uniform(2), ln.uniform(2), -1.0),
            r"spin_motive_force_current.conductance: -1.0; allowed",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
