"""Friction and geometric tensors against the rotating-frame oracle, closed forms and exact properties."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llgnegf.analytic as analytic
from llgnegf import (
    ChainLead,
    Lead,
    OpenSystem,
    RotatingFrame,
    WideBandLead,
    bloch_wall,
    chain,
    cone,
    spin_density,
)
from llgnegf.problem.leads import Reservoir
from llgnegf.problem.spectra import ChainSpectrum, WideBandSpectrum
from llgnegf.response.pairs import ChainPairs
from llgnegf.response.tensors import ResponseTensors
from llgnegf.static.closed import divided_difference
from llgnegf.units import G_E, HBAR


def random_moments(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_leads(rng: np.random.Generator, n: int, mu: float) -> list[Reservoir]:
    """Chains at the ends; two leads on one site; wide band; two channels over all sites; levels shifted, mu equal."""
    weak, strong, shift = rng.uniform(0.4, 1.1), rng.uniform(0.4, 1.1), rng.uniform(-0.3, 0.3)
    channels = [(rng.normal(size=n), ChainSpectrum(strong, 1.0, 0.1)), (rng.normal(size=n), WideBandSpectrum(weak))]
    kinds: list[list[Reservoir]] = [
        [ChainLead(0, coupling=weak), ChainLead(-1, coupling=strong)],
        [ChainLead(0, coupling=weak), ChainLead(0, coupling=strong)],
        [WideBandLead(0, weak), WideBandLead(-1, strong)],
        [WideBandLead(0, weak), ChainLead(0, coupling=strong), ChainLead(-1)],
        [Lead(channels), ChainLead(-1, coupling=weak)],
        [ChainLead(0, voltage=shift, chemical_potential=mu - shift), ChainLead(-1, coupling=weak)],
    ]
    return kinds[rng.integers(len(kinds))]


def random_system(rng: np.random.Generator, n: int, kT: float) -> OpenSystem:
    electrons = chain(n, rng.uniform(0.6, 1.2, n - 1), rng.uniform(0.1, 3.0, n), rng.uniform(-0.4, 0.4, n))
    mu = rng.uniform(-0.6, 0.6)
    return OpenSystem(electrons, random_leads(rng, n, mu), fermi_energy=mu, kT=kT)


def matrix(tensor: np.ndarray) -> np.ndarray:
    n = tensor.shape[0]
    return tensor.reshape(3 * n, 3 * n)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 6), kT=st.sampled_from([0.0, 0.003, 0.01, 0.03]))
def test_precession_equals_geometric_plus_sea_plus_surface(seed: int, n: int, kT: float) -> None:
    rng = np.random.default_rng(seed)
    system = random_system(rng, n, kT)
    tensors = ResponseTensors(system, random_moments(rng, n), tolerance=1e-13)
    compared = tensors.compare_precession(rng.uniform(0.01, 0.5), rng.normal(size=3))
    assert compared.difference < 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_closed_precession_equals_the_geometric_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    system = OpenSystem(chain(4, 1.0, rng.uniform(0.3, 2.0, 4)), fermi_energy=0.05)
    tensors = ResponseTensors(system, random_moments(rng, 4))
    compared = tensors.compare_precession(0.1, rng.normal(size=3))
    assert np.abs(compared.response).max() > 1e-4
    assert compared.difference < 1e-12


@pytest.mark.parametrize("kT", [0.1, 0.3])
def test_warm_closed_system_keeps_its_populations_and_the_oracle_does_not(kT: float) -> None:
    """Slow motion keeps the occupation f(e_n) of every level. The rotating frame's equilibrium fills the levels of
    H - hbar w sigma/2 instead: the two differ by sum_n f'(e_n) <n|X|n> |n><n| with X = -hbar w sigma_axis/2.
    """
    rng = np.random.default_rng(11)
    system = OpenSystem(chain(3, 1.0, rng.uniform(0.3, 2.0, 3)), fermi_energy=0.05, kT=kT)
    moments, energy = random_moments(rng, 3), 0.1
    compared = ResponseTensors(system, moments).compare_precession(energy, "x")
    energies, states = np.linalg.eigh(system.electrons.hamiltonian_at(moments))
    spin_x = np.kron(np.eye(3), [[0, 1], [1, 0]])
    shifts = -0.5 * energy * np.einsum("ia,ij,ja->a", states.conj(), spin_x, states).real
    slopes = np.diag(divided_difference(energies - 0.05, kT))
    refilled = spin_density((states * (slopes * shifts)) @ states.conj().T)
    parts = compared.geometric + compared.sea + compared.surface
    assert np.abs(refilled).max() > 1e-6
    np.testing.assert_allclose(parts - compared.response, refilled, atol=1e-14)


@pytest.mark.parametrize("kT", [0.0, 0.02])
def test_remainder_of_the_exact_solution_is_of_second_order(kT: float) -> None:
    system = OpenSystem(chain(5, 1.0, 0.8), [ChainLead(0), ChainLead(-1)], fermi_energy=0.2, kT=kT)
    wall = bloch_wall(5, 3.0, 0.9)
    tensors = ResponseTensors(system, wall, 1e-12)

    def remainder(energy: float) -> float:
        frame = RotatingFrame(system, wall, energy, "y", tolerance=1e-12)
        first_order = tensors.spin_density_adiabatic + tensors.spin_density_change(frame.velocity)
        return float(np.abs(spin_density(frame.density_matrix()) - first_order).max())

    slope = np.log2(remainder(0.002) / remainder(0.001))
    assert slope == pytest.approx(2.0, abs=0.02)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 6), kT=st.sampled_from([0.0, 0.01, 0.1]))
def test_friction_is_symmetric_and_positive_and_the_rest_antisymmetric(seed: int, n: int, kT: float) -> None:
    rng = np.random.default_rng(seed)
    tensors = ResponseTensors(random_system(rng, n, kT), random_moments(rng, n), 1e-7)
    friction, geometric = matrix(tensors.friction_dimensionless), matrix(tensors.geometric_dimensionless)
    assert np.abs(friction - friction.T).max() < 1e-14
    assert np.linalg.eigvalsh(friction)[0] > -1e-12
    assert np.abs(geometric + geometric.T).max() < 1e-14
    # K is their sum: -J_i K_{ia,jb} = friction + geometric.
    j = np.repeat(tensors.system.electrons.j_sd, 3)
    whole = -j[:, None] * matrix(tensors.response)
    np.testing.assert_allclose(whole, HBAR * (friction + geometric), atol=1e-14)


def test_power_is_the_work_done_against_the_torque() -> None:
    rng = np.random.default_rng(5)
    tensors = ResponseTensors(random_system(rng, 4, 0.05), random_moments(rng, 4))
    velocity = np.cross(rng.normal(size=(4, 3)), tensors.moments) * 1e-3
    field = np.asarray(tensors.system.electrons.j_sd)[:, None] * tensors.spin_density_change(velocity)
    assert tensors.power(velocity) > 0
    assert tensors.power(velocity) == pytest.approx(-float(np.sum(field * velocity)), rel=1e-10)


def test_friction_vanishes_without_levels_at_the_fermi_energy() -> None:
    moments = random_moments(np.random.default_rng(2), 4)
    closed = ResponseTensors(OpenSystem(chain(4, 1.0, 0.7), fermi_energy=0.1, kT=0.001), moments)
    assert np.all(closed.friction == 0)
    # Open, but the Fermi energy lies above the leads' bands, |E| < 2 eV: nothing can be excited.
    above = OpenSystem(chain(4, 1.0, 0.7), [ChainLead(0), ChainLead(-1)], fermi_energy=3.5)
    assert np.abs(ResponseTensors(above, moments).friction).max() < 1e-12


@pytest.mark.parametrize("j_sd", [0.2, 1.0, 30.0])
def test_closed_single_moment_is_a_monopole(j_sd: float) -> None:
    """The filled level has its spin along M. hbar d<sigma>/dt = -2 J M x <sigma> with <sigma> = M + delta gives
    delta = (hbar/2J) M x dM/dt to first order: the field J delta = (hbar/2) M x dM/dt, whatever J, a monopole of 1/2.
    """
    m = random_moments(np.random.default_rng(7), 1)
    tensors = ResponseTensors(OpenSystem(chain(1, j_sd=j_sd)), m)
    x, y, z = m[0]
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    np.testing.assert_allclose(tensors.geometric_dimensionless[0, :, 0], -0.5 * cross, atol=1e-13)
    np.testing.assert_allclose(tensors.response[0, :, 0], HBAR / (2 * j_sd) * cross, atol=1e-13)
    np.testing.assert_allclose(tensors.spin_density_adiabatic, m, atol=1e-13)


def test_weakly_open_moment_tends_to_the_monopole() -> None:
    m = random_moments(np.random.default_rng(8), 1)
    tensors = ResponseTensors(OpenSystem(chain(1, j_sd=1.0), [WideBandLead(0, 1e-6)]), m, 1e-10)
    closed = ResponseTensors(OpenSystem(chain(1, j_sd=1.0)), m)
    # Eq. (4): the torque is (2/pi) arctan(J/Gamma') = 1 - (2/pi) 5e-7 of the closed one.
    assert np.abs(tensors.geometric - closed.geometric).max() < 1e-6


@pytest.mark.parametrize(("j_sd", "gamma_prime"), [(0.1, 0.3), (1.0, 1.0), (20.0, 1.0)])
def test_wide_band_single_moment_is_equation_4(j_sd: float, gamma_prime: float) -> None:
    """The geometric part of the oracle is Eq. (4); the antisymmetric tensor holds the field-like surface part as well.

    With G(E_F) = (J sigma.M - i Gamma')/(J^2 + Gamma'^2), surf = -(hbar w/4 pi) 2 Gamma' G sigma_z G^dag has the part
    (Gamma'^2 - J^2) sigma_z along the axis, whose torque is (hbar w/pi) J Gamma' (J^2 - Gamma'^2)/(J^2 + Gamma'^2)^2
    sin(theta) e_phi. It vanishes for Gamma' = J.
    """
    theta, energy = 0.7, 0.01
    system = OpenSystem(chain(1, j_sd=j_sd), [WideBandLead(0, 2 * gamma_prime)])
    moments = cone(1, theta)
    tensors = ResponseTensors(system, moments, 1e-12)
    velocity = energy / HBAR * np.cross([0.0, 0.0, 1.0], moments)
    field = -np.einsum("iajb,jb->ia", tensors.geometric, velocity)
    torque = np.cross(field, moments)[0]
    equation_4 = analytic.geometric_torque_wide_band(j_sd, gamma_prime, energy, theta)
    parts = tensors.compare_precession(energy, "z")
    np.testing.assert_allclose(j_sd * np.cross(parts.geometric, moments)[0], [0.0, equation_4, 0.0], atol=1e-11)
    size = j_sd * gamma_prime * (j_sd**2 - gamma_prime**2) / (j_sd**2 + gamma_prime**2) ** 2
    surface = energy / np.pi * np.sin(theta) * size
    np.testing.assert_allclose(torque, [0.0, equation_4 + surface, 0.0], atol=1e-11)
    # Friction: spectral functions 2 Gamma'/(J^2 + Gamma'^2) of both spins, Tr[sigma_x a sigma_x a] = 2 a_up a_dn.
    spectral = 2 * gamma_prime / (j_sd**2 + gamma_prime**2)
    transverse = j_sd**2 * 2 * spectral**2 / (4 * np.pi)
    assert tensors.damping(3.0)[0] == pytest.approx(G_E / 3.0 * transverse, rel=1e-10)


@pytest.mark.parametrize("mu", [0.0, 0.7, -1.3])
def test_nonlocal_friction_of_a_perfect_chain(mu: float) -> None:
    """J -> 0: both spins have the spectral function 2 cos(k_F |i-j|)/v, v = 2 gamma sin k_F, mu = -2 gamma cos k_F, and
    friction = hbar J^2/(4 pi) 2 a_ij^2. The moments shift k_F by J/v: a relative (|i-j| J/v)^2, 1e-6 here, or less.
    """
    n, j_sd = 15, 1e-4
    system = OpenSystem(chain(n, 1.0, j_sd), [ChainLead(0), ChainLead(-1)], fermi_energy=mu)
    found = ResponseTensors(system, np.tile([0.0, 0.0, 1.0], (n, 1))).friction
    k, distance = np.arccos(-mu / 2), np.abs(np.arange(n)[:, None] - np.arange(n))
    expected = 2 * HBAR * j_sd**2 * np.cos(k * distance) ** 2 / (np.pi * (2 * np.sin(k)) ** 2)
    for a in range(3):
        np.testing.assert_allclose(found[:, a, :, a], expected, rtol=0, atol=1e-5 * expected.max())
    assert np.abs(found[:, 0, :, 1]).max() < 1e-12 * expected.max()


def test_friction_power_is_the_pumped_spin_times_the_frequency() -> None:
    """In an infinite chain both halves take the same spin current along the axis, and power = w hbar/2 d<sigma>/dt."""
    theta, j_sd, energy = 0.7, 0.5, 0.01
    system = OpenSystem(chain(1, j_sd=j_sd), [ChainLead(0), ChainLead(0)])
    moments = cone(1, theta)
    velocity = energy / HBAR * np.cross([0.0, 0.0, 1.0], moments)
    pumped = 2 * analytic.pumped_spin_current_adiabatic(j_sd, energy, theta)
    power = ResponseTensors(system, moments, 1e-12).power(velocity)
    assert power == pytest.approx(energy / HBAR * pumped, rel=1e-10)


def near_pairs(n: int, distance: int) -> np.ndarray:
    return (np.abs(np.arange(n)[:, None] - np.arange(n)) <= distance)[:, None, :, None]


@pytest.mark.parametrize("kT", [0.0, 0.02])
@pytest.mark.parametrize(("n", "distance"), [(1, 2), (2, 0), (7, 2), (12, 3), (5, 9)])
def test_local_pairs_by_recursion_are_those_of_the_full_tensor(kT: float, n: int, distance: int) -> None:
    rng = np.random.default_rng(n)
    electrons = chain(n, rng.uniform(0.6, 1.2, n - 1), rng.uniform(0.1, 2.0, n), rng.uniform(-0.4, 0.4, n))
    system = OpenSystem(electrons, [ChainLead(0, coupling=0.7), WideBandLead(-1, 0.4)], fermi_energy=0.1, kT=kT)
    moments = random_moments(rng, n)
    full, near = ResponseTensors(system, moments, 1e-13), ResponseTensors(system, moments, 1e-13, distance)
    assert isinstance(near._green, ChainPairs) and not isinstance(full._green, ChainPairs)
    for name in ("response", "friction_dimensionless", "geometric_dimensionless"):
        expected = np.where(near_pairs(n, distance), getattr(full, name), 0.0)
        np.testing.assert_allclose(getattr(near, name), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(near.spin_density_adiabatic, full.spin_density_adiabatic, rtol=0, atol=1e-12)


def test_local_pairs_next_to_a_level_of_an_end_and_of_other_devices() -> None:
    """The level J - onsite of the first site at the Fermi energy: the recursion would divide by round-off."""
    rng = np.random.default_rng(9)
    end = OpenSystem(chain(5, 1.0, 0.5, [0.6, 0, 0, 0, 0]), [ChainLead(-1)], fermi_energy=0.1)
    wide = OpenSystem(chain(5, 1.0, 0.5), [Lead([(np.ones(5), ChainSpectrum(0.4, 1.0))])], fermi_energy=0.1)
    for system in (end, wide, OpenSystem(chain(5, 1.0, 0.5), fermi_energy=0.1)):
        moments = random_moments(rng, 5)
        full, near = ResponseTensors(system, moments, 1e-13), ResponseTensors(system, moments, 1e-13, 1)
        expected = np.where(near_pairs(5, 1), full.response, 0.0)
        np.testing.assert_allclose(near.response, expected, rtol=0, atol=1e-12)


def test_long_chains_are_affordable() -> None:
    """Where nothing reflects electrons the middle of a long chain is that of a short one."""
    turn = 2 * np.pi * np.arange(300) / 12.0
    spiral = np.stack([np.cos(turn), np.sin(turn), np.zeros(300)], axis=1)
    system = OpenSystem(chain(300, 1.0, 0.02), [ChainLead(0), ChainLead(-1)], fermi_energy=0.3)
    near = ResponseTensors(system, spiral, 1e-8, max_distance=2)
    began = time.process_time()
    friction = near.friction_dimensionless[150, :, 151]
    assert time.process_time() - began < 10.0
    short = OpenSystem(chain(60, 1.0, 0.02), [ChainLead(0), ChainLead(-1)], fermi_energy=0.3)
    expected = ResponseTensors(short, spiral[120:180], 1e-8).friction_dimensionless[30, :, 31]
    # J = 0.02 eV against a bandwidth of 4 eV: electrons are reflected and turned by (J/v)^2 a turn of the spiral.
    assert np.abs(expected).max() > 1e-6
    np.testing.assert_allclose(friction, expected, atol=0.02 * np.abs(expected).max())


def test_range_and_damping_of_local_and_nonlocal_friction() -> None:
    moments = random_moments(np.random.default_rng(4), 3)
    # Sites without hopping, each with a lead of its own: friction is local.
    separate = OpenSystem(chain(3, 0.0, 0.8), [WideBandLead(i, 1.0) for i in range(3)], kT=0.01)
    local = ResponseTensors(separate, moments)
    assert local.friction_range == pytest.approx(0.0, abs=1e-12)
    assert local.friction_by_distance()[0] > 0.01
    assert local.friction_by_distance()[1] < 1e-12
    # Damping halves when the moment is twice as large.
    np.testing.assert_allclose(local.damping(2.0), 2 * local.damping(4.0), rtol=1e-12)
    connected = ResponseTensors(OpenSystem(chain(3, 1.0, 0.8), [ChainLead(0), ChainLead(-1)]), moments)
    assert connected.friction_range > 0.1


def test_spin_motive_force_friction_is_its_current_squared() -> None:
    wall = bloch_wall(9, 5.0, 2.0)
    tensors = ResponseTensors(OpenSystem(chain(9, 1.0, 0.1), [ChainLead(0), ChainLead(-1)]), wall)
    velocity = 1e-3 * np.cross([0.0, 0.3, 1.0], wall)
    friction = tensors.spin_motive_force_friction(2.0)
    gradient = np.gradient(wall, axis=0)
    # hbar^2 G_0/(4 e^2) with G_0 = 2 e^2/h is hbar/(4 pi); the force is M.(dM/dt x dM/dz).
    force = np.einsum("ia,ia->i", wall, np.cross(velocity, gradient))
    power = np.einsum("ia,iab,ib->", velocity, friction, velocity)
    assert power == pytest.approx(HBAR / (4 * np.pi) * np.sum(force**2), rel=1e-12)
    compared = tensors.compare_spin_motive_force(velocity)
    assert compared.motive_force_power == pytest.approx(power, rel=1e-12)
    assert compared.power == pytest.approx(tensors.power(velocity), rel=1e-12)
    assert compared.share == pytest.approx(power / tensors.power(velocity), rel=1e-12)
    # What friction and formula take from the moments is the work of their torques, T.(M x dM/dt).
    turning = np.cross(wall, velocity)
    assert np.sum(compared.torque * turning) == pytest.approx(compared.power, rel=1e-10)
    assert np.sum(compared.motive_force_torque * turning) == pytest.approx(power, rel=1e-10)
    # The torque of all of K, J <s> x M, contains the friction's: geometric parts do no work.
    assert np.sum(tensors.torque(velocity) * turning) == pytest.approx(compared.power, rel=1e-9)


@pytest.mark.parametrize("width", [6.0, 10.0])
def test_friction_of_a_wide_wall_is_the_whole_spin_motive_force_through_the_wire(width: float) -> None:
    """Strong J_sd, one open band, a wide wall: electrons follow M, see the voltage U = (hbar/2e) sum_i F_i with
    F_i = M.(dM/dt x dM/dz), and dissipate G_0 U^2 with G_0 = e^2/h, i.e. (hbar/8 pi) (sum_i F_i)^2. Corrections are of
    the order of 1/width^2.
    """
    n, j_sd = 2 * int(4 * width) + 1, 20.0
    system = OpenSystem(chain(n, 1.0, j_sd, onsite=j_sd), [ChainLead(0), ChainLead(-1)])
    wall = bloch_wall(n, 0.5 * (n + 1), width)
    velocity = 1e-3 * np.cross([0.0, 0.0, 1.0], wall)
    force = np.einsum("ia,ia->i", wall, np.cross(velocity, np.gradient(wall, axis=0)))
    expected = HBAR / (8 * np.pi) * np.sum(force) ** 2
    assert ResponseTensors(system, wall).power(velocity) == pytest.approx(expected, rel=1 / width**2)


def test_voltages_that_depend_on_time_are_refused() -> None:
    system = OpenSystem(chain(2), [ChainLead(0, voltage=lambda t: 0.0), ChainLead(-1)])
    with pytest.raises(ValueError, match=r"system.leads\[0\].voltage: a function of time; allowed: a number"):
        ResponseTensors(system, [[0, 0, 1.0], [1.0, 0, 0]])


def test_bad_arguments_are_named() -> None:
    system = OpenSystem(chain(1))
    with pytest.raises(ValueError, match=r"OpenSystem.kT: -0.1; allowed: a finite number >= 0"):
        OpenSystem(chain(1), kT=-0.1)
    with pytest.raises(ValueError, match=r"tolerance: 0"):
        ResponseTensors(system, [[0, 0, 1.0]], tolerance=0)
    with pytest.raises(ValueError, match=r"max_distance: -1"):
        ResponseTensors(system, [[0, 0, 1.0]], max_distance=-1)
    for moments in ([[0, 0, 2.0]], [[0, 0, np.nan]], [[0, 0, 1.0], [0, 0, 1.0]]):
        with pytest.raises(ValueError, match=r"moments"):
            ResponseTensors(system, moments)
    with pytest.raises(ValueError, match=r"tolerance: nan"):
        ResponseTensors(system, [[0, 0, 1.0]], tolerance=np.nan)
    with pytest.raises(ValueError, match=r"velocity"):
        ResponseTensors(system, [[0, 0, 1.0]]).torque([[0, np.nan, 1.0]])
