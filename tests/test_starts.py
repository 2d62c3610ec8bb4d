"""Starting states: thermal, steady and partitioned, against exact numbers, the finite chain and their own equation."""

import numpy as np
import pytest
from finite_chain import SIGMA, FiniteChain, filled
from propagation import assert_physical, random_hermitian, run, unit_vectors
from scipy.integrate import quad
from scipy.special import expit, j0, j1

from llgnegf import ChainLead, Electrons, Lead, OpenSystem, RotatingFrame, WideBandLead, bloch_wall, chain, cone
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.poles.channels import PoleSystem, expand
from llgnegf.problem.magnetism.motion import Frozen, Precession
from llgnegf.problem.spectra import ChainSpectrum
from llgnegf.static import start as starts
from llgnegf.units import HBAR


def derivative(poles: PoleSystem, texture: np.ndarray, blocks: starts.Blocks) -> np.ndarray:
    """d(electronic state)/d(t/hbar) at t = 0."""
    equation = ElectronEquation(poles, Frozen(texture))
    state = equation.layout.pack(
        blocks.density_matrix, blocks.device_mode, blocks.mode_block, blocks.vectors, np.zeros((0, 3))
    )
    out = np.zeros_like(state)
    equation(0.0, state, out)
    return out[: 2 * equation.layout.n_complex]


def mixed(rng: np.random.Generator, kT: float = 0.1, **left) -> OpenSystem:  # type: ignore[no-untyped-def]
    """Spin-orbit coupling; a lead spread over sites and spins, a wide band, two leads on one site."""
    u = rng.normal(size=6) + 1j * rng.normal(size=6)
    leads = [
        Lead([(0.5 * u, ChainSpectrum(0.7, 1.1, 0.1))], **left),
        WideBandLead(site=1, broadening=0.5),
        ChainLead(site=1, coupling=0.6),
    ]
    return OpenSystem(Electrons(random_hermitian(rng, 6), rng.uniform(-1, 1, 3)), leads, 0.2, kT)


@pytest.mark.parametrize("seed", range(3))
def test_thermal_start_is_stationary(seed):
    rng = np.random.default_rng(seed)
    system, texture = mixed(rng), unit_vectors(rng, 3)
    poles = expand(system, 1e-4, 1e-5)
    assert np.abs(derivative(poles, texture, starts.thermal(poles, texture))).max() < 1e-11


@pytest.mark.parametrize("seed", range(3))
def test_thermal_start_is_the_equilibrium_of_its_leads(seed):
    """The contour integral with the same pole leads; what is left is the error of the Fermi function."""
    rng = np.random.default_rng(seed)
    leads = [ChainLead(site=0, coupling=0.7), ChainLead(site=0, coupling=0.5, onsite=0.3), ChainLead(site=2)]
    system = OpenSystem(Electrons(random_hermitian(rng, 6), rng.uniform(-2, 2, 3)), leads, 0.2, 0.03)
    texture = unit_vectors(rng, 3)
    poles = expand(system, 1e-4, 1e-9)
    exact = RotatingFrame(poles.with_pole_leads(), texture, 0.0, tolerance=1e-10).density_matrix()
    got = starts.thermal(poles, texture).density_matrix
    assert_physical(got)
    assert np.abs(got - exact).max() < 5e-9


def test_thermal_start_is_the_thermal_state_of_the_finite_chain():
    rng = np.random.default_rng(5)
    leads = [ChainLead(site=0, coupling=0.7, voltage=0.2), ChainLead(site=-1, coupling=0.9, chemical_potential=0.5)]
    system = OpenSystem(chain(3, 0.9, rng.uniform(-1, 1, 3)), leads, 0.3, 0.1)  # both at 0.5 eV
    texture = unit_vectors(rng, 3)
    exact = FiniteChain(system, 100)
    got = run(system, Frozen(texture), t_end=0.01, save_every=0.01, rtol=1e-7)
    snapshot = exact.at(0.0, exact.thermal(texture), lambda t: texture)
    assert np.abs(got.density_matrices[0] - snapshot.density_matrix).max() < 5e-7
    assert np.abs(got["lead_spin_current"][0] - snapshot.lead_spin_current).max() < 5e-7


@pytest.mark.parametrize("j_sd", [0.5, 2.0, 8.0])
def test_bound_state_of_one_moment_carries_the_exact_spin(j_sd):
    """One moment in an infinite chain at T = 0, mu = 0: <sigma.M> = J/sqrt(4 + J^2), all of it in a bound state.

    Each spin has a bound state outside the band; the band's own part is even in E and cancels between the spins.
    kT = 1e-3 adds a Sommerfeld term of (pi^2/6) kT^2 times a slope of order one.
    """
    m = unit_vectors(np.random.default_rng(0), 1)
    system = OpenSystem(chain(1, j_sd=j_sd), [ChainLead(site=0), ChainLead(site=0)], 0.0, 1e-3)
    poles = expand(system, 1e-8, 1e-9)
    rho = starts.thermal(poles, m).density_matrix
    spin = np.einsum("ast,ts->a", SIGMA, rho).real
    assert abs(spin @ m[0] - j_sd / np.sqrt(4 + j_sd**2)) < 2e-6
    assert np.abs(spin - (spin @ m[0]) * m[0]).max() < 1e-12


@pytest.mark.parametrize("coupling", [1e-3, 1e-6, 1e-9])
def test_weakly_coupled_device_is_in_its_own_equilibrium(coupling):
    """gamma_c -> 0: levels become arbitrarily sharp; rho -> f(H), the difference is of order gamma_c^2/kT."""
    rng = np.random.default_rng(1)
    electrons = chain(2, 1.0, [1.0, -0.7])
    texture = unit_vectors(rng, 2)
    system = OpenSystem(electrons, [ChainLead(site=0, coupling=coupling)], 0.1, 0.05)
    poles = expand(system, 1e-4, 1e-10)
    blocks = starts.thermal(poles, texture)
    exact = filled(electrons.hamiltonian_at(texture), 0.1, 0.05)
    assert np.abs(blocks.density_matrix - exact).max() < 20 * coupling**2 + 1e-9
    assert np.abs(derivative(poles, texture, blocks)).max() < 1e-11


def test_detached_leads_leave_a_closed_system():
    system = OpenSystem(chain(2, 1.0, 0.5), [ChainLead(site=0, coupling=0.0)], 0.1, 0.05)
    texture = unit_vectors(np.random.default_rng(1), 2)
    got = run(system, Frozen(texture), t_end=1, save_every=1)
    exact = filled(system.electrons.hamiltonian_at(texture), 0.1, 0.05)
    np.testing.assert_allclose(got.density_matrices[-1], exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_steady_start_is_stationary(seed):
    rng = np.random.default_rng(seed)
    system, texture = mixed(rng, chemical_potential=0.6, voltage=0.15), unit_vectors(rng, 3)
    poles = expand(system, 1e-4, 1e-5)
    assert np.abs(derivative(poles, texture, starts.steady(poles, texture))).max() < 1e-10


def test_steady_start_with_a_bound_state_is_stationary_and_physical():
    system = OpenSystem(
        chain(1, j_sd=4.0), [ChainLead(site=0, chemical_potential=0.5), ChainLead(site=0, voltage=-0.3)], 0.0, 0.05
    )
    texture = cone(1, 0.4)
    poles = expand(system, 1e-6, 1e-9)
    blocks = starts.steady(poles, texture)
    assert_physical(blocks.density_matrix)
    assert np.abs(derivative(poles, texture, blocks)).max() < 1e-9
    exact = RotatingFrame(poles.with_pole_leads(), texture, 0.0, tolerance=1e-10).density_matrix()
    assert np.abs(blocks.density_matrix - exact).max() < 1e-6


def test_steady_start_with_bound_states_does_not_depend_on_their_tiny_widths():
    """The finest lead modes leave the wall's bound states a width of 2e-12 eV; coarser ones 1e-9 eV and more."""
    leads = [ChainLead(site=0, voltage=0.3), ChainLead(site=-1, voltage=-0.3)]
    system, wall = OpenSystem(chain(7, 1.0, 0.5), leads, kT=0.01), bloch_wall(7, 4, 0.9)
    fine, coarse = (
        starts.steady(expand(system, tolerance, 1e-10), wall).density_matrix
        for tolerance in (1e-9, 1e-8)
    )
    # Round-off of 1e-17 eV in the source, divided by the width.
    np.testing.assert_allclose(fine, coarse, rtol=0, atol=1e-5)


def test_steady_start_without_bias_is_the_thermal_one():
    rng = np.random.default_rng(3)
    system, texture = mixed(rng), unit_vectors(rng, 3)
    poles = expand(system, 1e-4, 1e-5)
    thermal, steady = starts.thermal(poles, texture), starts.steady(poles, texture)
    for name in ("density_matrix", "device_mode", "mode_block", "vectors"):
        np.testing.assert_allclose(getattr(steady, name), getattr(thermal, name), rtol=0, atol=1e-12)


def biased_wire(bias: float) -> OpenSystem:
    """A perfect wire, its ends filled to +- bias/2; T(E) = 1 in the band."""
    leads = [ChainLead(site=0, chemical_potential=0.5 * bias), ChainLead(site=-1, chemical_potential=-0.5 * bias)]
    return OpenSystem(chain(2), leads, 0.0, 0.1)


@pytest.mark.parametrize("bias", [0.1, 0.8])
def test_steady_current_of_a_perfect_wire(bias):
    """I = int dE/2pi (f_L - f_R) = V/(2 pi) per spin; band edges are missed by exp(-(2 - V/2)/kT) < 2e-7."""
    got = run(biased_wire(bias), Frozen(cone(2, 0.0)), t_end=2, save_every=1, rtol=1e-7, start="steady")
    expected = 2 * bias / (2 * np.pi) / HBAR
    np.testing.assert_allclose(got["bond_current"][:, 0], expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(got["lead_current"], [[-expected, expected]] * 3, rtol=0, atol=1e-6)


def test_current_settles_to_that_of_a_perfect_wire_after_contact():
    """Partitioned start. What is even in the bias has no current by symmetry; the odd part rings at the band edges.

    A full against an empty lead rings like 1/t about 2/pi (`test_domain_wall_melting`); a smaller difference of
    fillings rings less, and there are two spins.
    """
    bias, t = 0.8, np.linspace(20, 80, 601)
    ringing = (t * np.abs(2 * t * (j0(2 * t) ** 2 + j1(2 * t) ** 2) - 2 / np.pi)).max()
    got = run(biased_wire(bias), Frozen(cone(2, 0.0)), t_end=80, save_every=20, rtol=1e-6, start="partitioned")
    error = np.abs(HBAR * got["bond_current"][1:, 0] - 2 * bias / (2 * np.pi))
    assert np.all(error < 2 * ringing / got.times[1:])


def test_joining_leads_at_a_band_edge_stays_within_the_accuracy_asked_for():
    """The Fermi energy at the edge, where the leads' modes are least exact; the finite chain has no modes at all."""
    leads = [ChainLead(site=0, coupling=0.9), ChainLead(site=0, coupling=0.5)]
    system = OpenSystem(chain(1, j_sd=1.3), leads, 1.95, 0.1)
    texture = cone(1, 0.4)
    exact = FiniteChain(system, 60)
    before = exact.partitioned(texture)
    got = run(system, Frozen(texture), t_end=18, save_every=3, rtol=1e-5, start="partitioned")
    for t, rho in zip(got.times, got.density_matrices, strict=True):
        snapshot = exact.at(t * HBAR, before, lambda t: texture)
        assert np.abs(rho - snapshot.density_matrix).max() < 1e-5


def test_domain_wall_melting():
    """Left half full, right half empty, joined at t = 0: I(t) = 2t [J_0(2t)^2 + J_1(2t)^2] per spin.

    Two device sites; mu = +-7.75 eV at kT = 0.125 eV fill and empty the leads up to exp(-46).
    """
    leads = [ChainLead(site=0, chemical_potential=7.75), ChainLead(site=-1, chemical_potential=-7.75)]
    system = OpenSystem(chain(2), leads, 0.0, 0.125)
    got = run(
        system, Frozen(cone(2, 0.0)), t_end=20, save_every=1, rtol=1e-7, start="partitioned",
        initial_density_matrix=np.diag([1.0, 1.0, 0.0, 0.0]),
    )  # fmt: skip
    t = got.times
    expected = 2 * t * (j0(2 * t) ** 2 + j1(2 * t) ** 2)
    np.testing.assert_allclose(expected[[1, 5, 20]], [0.7654771697, 0.6237427990, 0.6375971476], rtol=0, atol=1e-10)
    np.testing.assert_allclose(HBAR * got["bond_current"][:, 0], 2 * expected, rtol=0, atol=1e-6)


def test_single_precessing_moment_pumps_the_exact_spin_current():
    """Infinite chain, mu = T = 0, J = 0.5, w = 0.1, theta = 0.7: 7.31909039e-4 of S_z into each lead."""
    system = OpenSystem(chain(1, j_sd=0.5), [ChainLead(site=0), ChainLead(site=0)], 0.0, 2e-3)
    motion = Precession(cone(1, 0.7), 0.1, ramp=60 * HBAR)
    got = run(system, motion, t_end=150, save_every=10, rtol=1e-7)
    late = got["lead_spin_current"][-3:, :, 2]
    np.testing.assert_allclose(late, 7.31909039e-4, rtol=0, atol=1e-6)


def resonant_level(tau: float, level: float, gamma: float, mu: float, kT: float) -> tuple[float, float]:
    """n(t) and dn/dt (per hbar/eV) of one spin of an empty level joined to a wide band at t = 0.

    n(t) = int dE/2pi Gamma f(E) |(1 - e^{i (x + i Gamma/2) t})/(x + i Gamma/2)|^2,  x = E - level, that is
    (1 + e^{-Gamma t}) A - 2 e^{-Gamma t/2} C(t), A = int g, C = int g cos(x t), g = Gamma f/(2 pi (x^2 + Gamma^2/4)).
    """

    def g(x: float) -> float:
        return gamma * expit(-(x + level - mu) / kT) / (2 * np.pi * (x**2 + 0.25 * gamma**2))

    def whole(weight: str | None, factor=lambda x: 1.0) -> float:  # type: ignore[no-untyped-def]
        """int over all x; with the weight cos or sin of x t."""
        total = 0.0
        for sign in (1.0, -1.0):
            parity = sign if weight == "sin" else 1.0

            def part(x: float, sign: float = sign) -> float:
                return factor(sign * x) * g(sign * x)

            if weight is None:
                total += quad(part, 0, np.inf, epsabs=1e-11, limit=400)[0]
            elif tau > 0:
                total += parity * quad(part, 0, np.inf, weight=weight, wvar=tau, epsabs=1e-10, limit=400)[0]
            elif weight == "cos":
                total += quad(part, 0, np.inf, epsabs=1e-11, limit=400)[0]
        return total

    a, c = whole(None), whole("cos")
    n = (1 + np.exp(-gamma * tau)) * a - 2 * np.exp(-0.5 * gamma * tau) * c
    slope = whole("sin", lambda x: x) if tau > 0 else 0.0
    rate = -gamma * np.exp(-gamma * tau) * a + np.exp(-0.5 * gamma * tau) * (gamma * c + 2 * slope)
    return n, rate


def test_wide_band_resonant_level_switched_on():
    level, gamma, mu, kT = 0.2, 0.5, 0.1, 0.1
    system = OpenSystem(chain(1, onsite=level), [WideBandLead(site=0, broadening=gamma)], mu, kT)
    got = run(
        system, Frozen(cone(1, 0.0)), t_end=12, save_every=2, rtol=1e-5, start="partitioned",
        initial_density_matrix=np.zeros((2, 2)),
    )  # fmt: skip
    exact = np.array([resonant_level(tau, level, gamma, mu, kT) for tau in got.times])
    np.testing.assert_allclose(got["charge_density"][:, 0], 2 * exact[:, 0], rtol=0, atol=2e-5)
    # At t = 0 the rate of a wide band is a limit that f cut off at E_max reaches within hbar/E_max.
    np.testing.assert_allclose(HBAR * got["lead_current"][1:, 0], -2 * exact[1:, 1], rtol=0, atol=2e-5)


def test_partitioned_start_has_no_correlation_with_the_leads():
    rng = np.random.default_rng(0)
    system, texture = mixed(rng), unit_vectors(rng, 3)
    poles = expand(system, 1e-4, 1e-5)
    blocks = starts.partitioned(poles, texture)
    exact = filled(system.electrons.hamiltonian_at(texture), 0.2, 0.1)
    np.testing.assert_allclose(blocks.density_matrix, exact, rtol=0, atol=1e-13)
    assert not np.any(blocks.device_mode)
    assert not np.any(blocks.mode_block)
    assert not np.any(blocks.vectors)


def test_thermal_start_refuses_leads_that_are_not_in_equilibrium():
    system = biased_wire(0.1)
    with pytest.raises(ValueError, match=r"start: 'thermal'.*'steady'.*'partitioned'"):
        starts.thermal(expand(system, 1e-2, 1e-2), cone(2, 0.0))
