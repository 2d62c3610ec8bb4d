"""The compiled right-hand sides against `kernels.reference`, and balances that hold for states of any kind."""

from dataclasses import replace

import numpy as np
import pytest
from finite_chain import SIGMA
from propagation import random_hermitian, store_halves, unit_vectors

import llgnegf as ln
from llgnegf import ChainLead, Electrons, Lead, OpenSystem, WideBandLead, bond_charge_current, bond_spin_current, chain
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.kernels import reference
from llgnegf.equations.moments import MomentEquation
from llgnegf.equations.propagator import PropagatorEquation
from llgnegf.equations.sample import Sampler
from llgnegf.equations.slow import SlowEquation
from llgnegf.poles.channels import expand
from llgnegf.poles.coupling import CouplingPoles
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen
from llgnegf.problem.spectra import ChainSpectrum
from llgnegf.response.fast_tensors import PoleTensors
from llgnegf.run.watch import figures
from llgnegf.units import HBAR

Dense = tuple[np.ndarray, np.ndarray]
"""C (n + M, n + M) and v (n + M, K)."""


def spin_orbit_electrons(rng: np.random.Generator, n_sites: int) -> Electrons:
    """A ring with complex, spin-dependent hopping on every bond and random fields on every site."""
    return Electrons(random_hermitian(rng, 2 * n_sites), rng.uniform(-2, 2, n_sites))


def vector(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.normal(size=size) + 1j * rng.normal(size=size)


def two_chains(rng: np.random.Generator) -> OpenSystem:
    leads = [ChainLead(site=0, coupling=0.7), ChainLead(site=-1, coupling=0.9, onsite=0.3, hopping=1.2)]
    return OpenSystem(chain(4, rng.uniform(0.5, 1.5, 3), rng.uniform(-1, 1, 4)), leads, 0.1, 0.1)


def crowded(rng: np.random.Generator) -> OpenSystem:
    """Spin-orbit coupling; chain and wide-band leads together, three of them on one site, voltages and mu differ."""
    leads = [
        ChainLead(site=1, coupling=0.7, voltage=lambda t: 0.3 * np.sin(t + 0.5)),
        WideBandLead(site=1, broadening=0.4, voltage=-0.2, chemical_potential=0.3),
        ChainLead(site=1, coupling=0.5, chemical_potential=-0.4, voltage=lambda t: 0.1 + 0.2 * t),
        WideBandLead(site=-1, broadening=0.9),
    ]
    return OpenSystem(spin_orbit_electrons(rng, 3), leads, 0.2, 0.1)


def extended(rng: np.random.Generator) -> OpenSystem:
    """Channels whose device vectors span several sites and mix the spins, complex, of any norm."""
    unit = ChainSpectrum(0.8, 1.0, 0.1)
    leads = [
        Lead([(vector(rng, 6), unit), (vector(rng, 3), ChainSpectrum(0.4, 0.7, 0.0))], voltage=0.3),
        Lead([(vector(rng, 6), unit)], chemical_potential=0.6),
        WideBandLead(site=0, broadening=0.2),
    ]
    return OpenSystem(spin_orbit_electrons(rng, 3), leads, 0.0, 0.2)


def sparse(rng: np.random.Generator) -> OpenSystem:
    """Rows of H with two to nine entries, on the diagonal too, real ones before, after and between complex ones."""
    n = 12
    real, phases = rng.normal(size=(n, n)), np.exp(1j * rng.uniform(0, 6, (n, n)) * (rng.random((n, n)) < 0.4))
    half = np.tril(real * phases * (rng.random((n, n)) < rng.choice([0.1, 0.3, 0.5])))
    half[np.diag_indices(n)] = half.diagonal().real
    leads = [ChainLead(site=0, coupling=0.7, voltage=0.1), WideBandLead(site=-1, broadening=0.4, voltage=-0.1)]
    return OpenSystem(Electrons(half + np.tril(half, -1).conj().T, rng.uniform(-2, 2, n // 2)), leads, 0.1, 0.1)


def lines(rng: np.random.Generator, count: int) -> CouplingPoles:
    """A spectrum of so many Lorentzians, as a spectrum that knows its modes."""
    return CouplingPoles(rng.normal(size=count) - 1j * rng.uniform(0.2, 1.0, count), rng.uniform(0.1, 0.5, count), 0.0)


def any_number_of_modes(rng: np.random.Generator) -> OpenSystem:
    """Channels of one to seven modes: sums over them are taken for several rows together."""
    leads = [Lead([(vector(rng, 6), lines(rng, 2 * k + 1))], voltage=0.1 * k) for k in range(4)]
    return OpenSystem(spin_orbit_electrons(rng, 3), leads, 0.0, 0.2)


SYSTEMS = (two_chains, crowded, extended, sparse, any_number_of_modes)


@pytest.fixture(params=["whole", "half"])
def stored(request, monkeypatch):
    """Rho stored whole, and half of it whatever the Hamiltonian."""
    if request.param == "half":
        store_halves(monkeypatch)


def random_state(rng: np.random.Generator, equation: ElectronEquation) -> tuple[np.ndarray, Dense]:
    """A state that need not be physical: Hermitian C, any vectors, moments of any length near 1."""
    layout = equation.layout
    n, m, k = layout.n_states, layout.n_modes, layout.n_vectors
    c = random_hermitian(rng, n + m)
    v = rng.normal(size=(n + m, k)) + 1j * rng.normal(size=(n + m, k))
    moments = unit_vectors(rng, layout.n_moments) * rng.uniform(0.8, 1.2, (layout.n_moments, 1))
    return layout.pack(c[:n, :n], c[:n, n:], c[n:, n:], v, moments), (c, v)


def problem(build, seed: int) -> tuple[ElectronEquation, np.ndarray, np.ndarray, Dense, float]:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    system = build(rng)
    equation = ElectronEquation(expand(system, 1e-3, 1e-4), Frozen(unit_vectors(rng, system.n_sites)))
    state, dense = random_state(rng, equation)
    return equation, equation.moments_at(0.0, state), state, dense, rng.uniform(0.5, 3.0)


def assert_electrons_agree(equation: ElectronEquation, got: np.ndarray, expected: reference.ElectronRates) -> None:
    n, layout = equation.layout.n_states, equation.layout
    device = layout.device(got)
    scale = np.abs(expected.correlation).max() + np.abs(expected.vectors).max()
    for block, wanted in (
        (device[:, : n + layout.n_modes], expected.correlation[:n]),
        (device[:, n + layout.n_modes :], expected.vectors[:n]),
        (layout.mode_block(got), expected.correlation[n:, n:]),
        (layout.vector_modes(got), expected.vectors[n:]),
    ):
        np.testing.assert_allclose(block, wanted, rtol=0, atol=1e-13 * scale)
    skew = figures(layout.rows[0], layout.widths, *layout.electrons(got))[3]
    assert skew == 0.0  # Hermitian to the last bit, what mirrors rows below among it
    flow = expected.outflow
    np.testing.assert_allclose(layout.outflow(got), flow, rtol=0, atol=1e-12 * np.abs(flow).max())


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("build", SYSTEMS)
def test_electrons_of_prescribed_moments(build, seed):
    equation, moments, state, dense, tau = problem(build, seed)
    got = np.zeros_like(state)
    equation(tau, state, got)
    assert_electrons_agree(equation, got, reference.electron_rates(equation.poles, moments, tau * HBAR, *dense))


def any_magnet(rng: np.random.Generator, n: int, **options) -> Magnet:  # type: ignore[no-untyped-def]
    """Every kind of energy and torque of order 0.1 eV, driven ones among them, and one pinned moment."""
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    energies = [
        ln.Exchange(rng.normal(size=n - 1)), ln.DMI(rng.normal(size=3)), ln.UniaxialAnisotropy(0.1, rng.normal(size=3)),
        ln.CubicAnisotropy(rng.normal(size=n), axes), ln.CubicAnisotropy(0.2), ln.Dipolar(1.0, rng.normal(size=3)),
        ln.Zeeman(lambda t: 300 * np.array([np.cos(t), 1.0, t])), Biquadratic(0.3),
    ]  # fmt: skip
    torques = [
        ln.SlonczewskiTorque(rng.normal(size=n), lambda t: 0.1 * t, rng.normal(size=3)),
        ln.ZhangLiTorque(rng.normal(size=n), 0.3),
    ]
    given = {"damping": rng.uniform(0, 1, n), "energies": energies, "torques": torques, "pinned": [1]} | options
    return Magnet(unit_vectors(rng, n), rng.uniform(1, 4, n), **given)


class Biquadratic(ln.EnergyTerm):
    """H = -K sum_i (M_i.M_{i+1})^2: no quadratic form."""

    name = "biquadratic"

    def __init__(self, K: float) -> None:
        self.K = K

    def energy(self, moments, magnetic_moment, t=0.0):  # type: ignore[no-untyped-def]
        return -self.K * np.sum(np.sum(moments[1:] * moments[:-1], axis=1) ** 2)

    def gradient(self, moments, magnetic_moment, t=0.0):  # type: ignore[no-untyped-def]
        slope = -2 * self.K * np.sum(moments[1:] * moments[:-1], axis=1, keepdims=True)
        out = np.zeros_like(moments)
        out[1:] += slope * moments[:-1]
        out[:-1] += slope * moments[1:]
        return out


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("build", SYSTEMS)
def test_electrons_and_free_moments(build, seed):
    rng = np.random.default_rng(seed)
    system = build(rng)
    magnet = any_magnet(rng, system.n_sites)
    equation = ElectronEquation(expand(system, 1e-3, 1e-4), magnet)
    state, dense = random_state(rng, equation)
    tau, got, moments = rng.uniform(0.5, 3.0), np.zeros_like(state), equation.layout.moments(state)
    equation(tau, state, got)
    expected, rates = reference.coupled_rates(equation.poles, magnet, moments, tau * HBAR, *dense)
    assert_electrons_agree(equation, got, expected)
    np.testing.assert_allclose(equation.layout.moments(got), rates, rtol=0, atol=1e-13 * np.abs(rates).max())


@pytest.mark.parametrize("sites", [[2, None, [0, 1], None, None], [[0, 2], []]], ids=["more moments", "fewer"])
@pytest.mark.parametrize("build", SYSTEMS)
def test_electrons_and_free_moments_on_their_places(build, sites):
    rng = np.random.default_rng(4)
    equation = ElectronEquation(expand(build(rng), 1e-3, 1e-4), any_magnet(rng, len(sites), sites=sites))
    state, dense = random_state(rng, equation)
    got, moments = np.zeros_like(state), equation.layout.moments(state)
    equation(0.8, state, got)
    expected, rates = reference.coupled_rates(equation.poles, equation.motion, moments, 0.8 * HBAR, *dense)
    assert_electrons_agree(equation, got, expected)
    np.testing.assert_allclose(equation.layout.moments(got), rates, rtol=0, atol=1e-13 * np.abs(rates).max())


def assert_stages_agree(equation, state: np.ndarray, tau: float) -> None:  # type: ignore[no-untyped-def]
    """That the stages of a step in one call are those one by one, those of an interpolant (one known more) too."""
    weights = np.array([[0.5, 0.0, 0.0], [0.1, 0.6, 0.0], [0.2, -0.3, 0.7]])
    times, length = tau + np.array([0.05, 0.07, 0.2]), 0.1
    slopes, one = np.zeros((4, state.size)), np.zeros(state.size)
    together = equation.stages()
    together(state, 0.0, np.zeros((1, 0)), np.array([tau]), slopes[:1], 0)
    together(state, length, weights, times, slopes, 1)
    equation(tau, state, one)
    assert np.array_equal(slopes[0], one)
    for k in range(3):
        equation(times[k], state + length * weights[k] @ slopes[:3], one)
        np.testing.assert_allclose(slopes[k + 1], one, rtol=0, atol=1e-13 * np.abs(one).max())


def turning(rng: np.random.Generator, n_sites: int) -> ln.Precession:
    return ln.Precession(unit_vectors(rng, n_sites), energy=0.3, ramp=2.0)


def under_a_driven_field(rng: np.random.Generator, n_sites: int) -> Magnet:
    energies = [ln.Exchange(0.1), ln.Zeeman(lambda t: 300 * np.array([np.cos(t), 1.0, t]))]
    return any_magnet(rng, n_sites, energies=energies, torques=[ln.ZhangLiTorque(rng.normal(size=n_sites), 0.3)])


def one_led(rng: np.random.Generator, n_sites: int) -> Magnet:
    def led(t: float) -> np.ndarray:
        return np.array([[np.sin(t), 0.0, np.cos(t)]])

    moments = unit_vectors(rng, n_sites)
    moments[1] = led(0.0)[0]
    return Magnet(moments, 2.0, damping=0.1, energies=[ln.Exchange(0.1)], prescribed=([1], led))


def at_rest(rng: np.random.Generator, n_sites: int) -> Magnet:
    return any_magnet(rng, n_sites, energies=[ln.Exchange(0.1)], torques=[ln.SlonczewskiTorque(0.1, 0.2, "z")])


def on_places(rng: np.random.Generator, n_sites: int) -> Magnet:
    options = {"energies": [ln.Exchange(0.1)], "torques": [], "pinned": [0], "sites": [[0, 2], []]}
    return any_magnet(rng, 2, **options)


@pytest.mark.parametrize("motion", [turning, under_a_driven_field, one_led, at_rest, on_places])
@pytest.mark.parametrize("build", SYSTEMS)
def test_stages_of_electrons_in_one_call(build, motion):
    rng = np.random.default_rng(5)
    system = build(rng)
    equation = ElectronEquation(expand(system, 1e-3, 1e-4), motion(rng, system.n_sites))
    state, _ = random_state(rng, equation)
    for tau in (0.4, 1.7):  # nothing of the first time is left at the second
        assert_stages_agree(equation, state, tau)


class Wobble(ln.Frozen):
    """Moments that move without a drive that says so."""

    def moments(self, time: float) -> np.ndarray:
        return self.texture * np.cos(time)


def test_nothing_is_taken_for_still_that_may_move():
    rng = np.random.default_rng(8)
    equation = ElectronEquation(expand(two_chains(rng), 1e-3, 1e-4), Wobble(unit_vectors(rng, 4)))
    state, _ = random_state(rng, equation)
    for tau in (0.4, 1.7):
        got = np.zeros((1, state.size))
        equation.stages()(state, 0.0, np.zeros((1, 0)), np.array([tau]), got, 0)
        moments, expected = equation.motion.moments(tau * HBAR), np.zeros(state.size)
        fresh = ElectronEquation(equation.poles, ln.Prescribed(lambda t, m=moments: m, unit=False))
        fresh(tau, state, expected)
        np.testing.assert_array_equal(got[0], expected)


@pytest.mark.parametrize("motion", [under_a_driven_field, at_rest])
def test_stages_of_moments_in_one_call(motion):
    rng = np.random.default_rng(6)
    equation = MomentEquation(motion(rng, 4))
    for tau in (0.4, 1.7):
        assert_stages_agree(equation, unit_vectors(rng, 4).ravel(), tau)


def test_stages_that_hang_on_the_state_or_stand_beside_others_are_computed_one_by_one():
    rng = np.random.default_rng(7)
    system = two_chains(rng)
    poles = expand(system, 1e-3, 1e-4)
    assert ElectronEquation(poles, any_magnet(rng, 4)).stages() is None  # torques and a term that change
    assert ElectronEquation(poles, any_magnet(rng, 4, torques=[])).stages() is None
    run = ElectronEquation(poles, turning(rng, 4))
    assert run.stages() is not None and PropagatorEquation(run, 1.0, 2.0).stages() is None
    driven = replace(system, electrons=replace(system.electrons, terms=[ln.Gate([0], lambda t: 0.1 * t)]))
    assert ElectronEquation(expand(driven, 1e-3, 1e-4), turning(rng, 4)).stages() is None


@pytest.mark.parametrize("seed", range(3))
def test_moments_alone(seed):
    rng = np.random.default_rng(seed)
    magnet = any_magnet(rng, 4)
    equation = MomentEquation(magnet)
    moments = unit_vectors(rng, 4) * rng.uniform(0.8, 1.2, (4, 1))
    got = np.zeros(equation.size)
    equation(0.7, moments.ravel(), got)
    expected = HBAR * reference.moment_rates(magnet, moments, 0.7 * HBAR, np.zeros((4, 3)))
    np.testing.assert_allclose(got.reshape(4, 3), expected, rtol=0, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("plain", [True, False], ids=["compiled stages", "torques and a general term"])
@pytest.mark.parametrize("seed", range(2))
def test_slow_moments(seed, plain):
    """The tensors are those of the equation's own electrons: the linear equation for the velocities is on trial, and
    that the stages of a step in one call are those one by one."""
    rng = np.random.default_rng(seed)
    leads = [ChainLead(site=0, coupling=0.9), ChainLead(site=-1, coupling=0.8)]
    system = OpenSystem(chain(3, 1.0, rng.uniform(0.5, 1.0, 3)), leads, 0.1, 0.05)
    terms = [ln.Exchange(0.1), ln.CubicAnisotropy(0.1), ln.Zeeman(lambda t: [100 * t, 0.0, 50.0])]
    magnet = any_magnet(rng, 3, **({"energies": terms, "torques": []} if plain else {}))
    equation = SlowEquation(magnet, PoleTensors(expand(system, 1e-4, 1e-6), 1e-6))
    moments, time = unit_vectors(rng, 3), 0.4
    instant, got = equation.instant(time, moments[None]), np.zeros(9)
    equation(time, moments.ravel(), got)
    tensors = instant.tensors.friction[0] + instant.tensors.geometric[0]
    spin_field = equation.j_sd[:, None] * instant.electrons.spin[0]
    expected = reference.slow_velocity(magnet, moments, time, spin_field, tensors)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(got.reshape(3, 3), expected, rtol=0, atol=1e-12 * scale)
    slopes, weights = np.zeros((3, 9)), np.array([[0.5, 0.0], [0.1, 0.6]])
    slopes[0] = got
    equation.stages()(moments.ravel(), 0.2, weights, np.array([0.5, 0.6]), slopes, 1)
    for k, at in ((1, 0.5), (2, 0.6)):
        one = equation.rate(at, moments.ravel() + 0.2 * weights[k - 1, :k] @ slopes[:k])
        np.testing.assert_allclose(slopes[k], one, rtol=0, atol=1e-10 * scale)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("build", SYSTEMS)
def test_lead_sums_of_a_sample_give_the_leads_part_of_the_derivative(build):
    equation, moments, state, dense, tau = problem(build, 7)
    expected = reference.electron_rates(equation.poles, moments, tau * HBAR, *dense)
    sampler = Sampler(equation)
    sample = sampler.split(sampler(state))
    got = np.zeros_like(expected.by_lead)
    for channel, real, imag in zip(equation.poles.channels, *sample.lead_sums, strict=True):
        constant = -0.25j * channel.wide_band * channel.vector
        rate = -1j * np.outer(channel.vector, real + 1j * imag + constant.conj())
        got[channel.lead] += rate + rate.conj().T
    np.testing.assert_allclose(got, expected.by_lead, rtol=0, atol=1e-12 * np.abs(got).max())
    flow = sampler.lead_flow(sample, moments)
    np.testing.assert_allclose(flow, expected.outflow, rtol=0, atol=1e-12 * np.abs(flow).max())


def site_traces(matrix: np.ndarray, operator: np.ndarray) -> np.ndarray:
    blocks = matrix.reshape(len(matrix) // 2, 2, len(matrix) // 2, 2)
    return np.einsum("isit,ts->i", blocks, operator).real


def divergence(bonds: np.ndarray, flow: np.ndarray, n_sites: int) -> np.ndarray:
    """What leaves each site through its bonds, (n_sites, ...)."""
    lost = np.zeros((n_sites, *flow.shape[1:]))
    for (i, j), current in zip(bonds, flow, strict=True):
        lost[i] += current
        lost[j] -= current
    return lost


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("build", [two_chains, crowded])
def test_charge_continuity_on_every_site(build, seed):
    """d n_i/dt = -(bond currents out of i) - (currents into the leads on i), for states that need not be physical."""
    equation, _, state, _, tau = problem(build, seed)
    system = equation.system
    got = np.zeros_like(state)
    equation(tau, state, got)
    expected = -divergence(
        system.electrons.bonds,
        HBAR * bond_charge_current(equation.layout.density_matrix(state), system.electrons),
        system.n_sites,
    )
    for lead, flow in zip(system.leads, equation.layout.outflow(got), strict=True):
        expected[lead.site] -= flow[0]
    change = site_traces(equation.layout.density_matrix(got), np.eye(2))
    np.testing.assert_allclose(change, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_spin_continuity_on_every_site(seed):
    """(1/2) d<sigma_i>/dt = T_i - (spin currents out of i), T_i = J_i <s_i> x M_i, where hopping keeps the spin."""
    rng = np.random.default_rng(seed)
    leads = [ChainLead(site=0, coupling=0.7), WideBandLead(site=0, broadening=0.5), ChainLead(site=2, coupling=1.1)]
    system = OpenSystem(chain(4, rng.uniform(0.5, 1.5, 3), rng.uniform(-2, 2, 4)), leads, 0.1, 0.1)
    moments = unit_vectors(rng, 4)
    equation = ElectronEquation(expand(system, 1e-3, 1e-4), Frozen(moments))
    state, _ = random_state(rng, equation)
    got = np.zeros_like(state)
    equation(0.0, state, got)
    rho, change = equation.layout.density_matrix(state), equation.layout.density_matrix(got)
    spin = np.stack([site_traces(rho, s) for s in SIGMA], axis=1)
    expected = system.electrons.j_sd[:, None] * np.cross(spin, moments)
    expected -= divergence(system.electrons.bonds, bond_spin_current(rho, system.electrons), 4)
    for lead, flow in zip(system.leads, equation.layout.outflow(got), strict=True):
        expected[lead.site] -= 0.5 * flow[1:4]
    rate = 0.5 * np.stack([site_traces(change, s) for s in SIGMA], axis=1)
    np.testing.assert_allclose(rate, expected, rtol=0, atol=1e-11)


def test_cost_grows_with_the_square_of_the_state_not_its_cube():
    """No (N + M)^2 array is multiplied densely: four times the sites, sixteen times the time, not sixty-four."""
    from time import perf_counter

    def seconds(n_sites: int) -> float:
        system = OpenSystem(chain(n_sites, 1.0, 0.5), [ChainLead(site=0), ChainLead(site=-1)], 0.0, 0.1)
        equation = ElectronEquation(expand(system, 1e-3, 1e-4), Frozen(unit_vectors(np.random.default_rng(0), n_sites)))
        state, _ = random_state(np.random.default_rng(0), equation)
        out = np.zeros_like(state)
        best = np.inf
        for _ in range(7):
            start = perf_counter()
            equation(0.0, state, out)
            best = min(best, perf_counter() - start)
        return best

    assert seconds(200) < 40 * seconds(50)


def test_every_equation_answers_what_integrators_ask():
    """Sections cover the state, moments get their length back, and no drive of leads or magnet is missed."""
    rng = np.random.default_rng(0)
    voltage, field = ln.Ramp(0.0, 0.1, 1.0, 2.0), ln.Ramp([0.0] * 3, [0.0, 0.0, 5.0], 3.0, 4.0)
    system = OpenSystem(chain(3, 1.0, 0.5), [ChainLead(site=0, voltage=voltage)], 0.1, 0.1)
    magnet = Magnet(unit_vectors(rng, 3), 2.0, 0.1, [ln.Zeeman(field)], pinned=[2])
    poles = expand(system, 1e-3, 1e-4)
    given = ln.Precession(unit_vectors(rng, 3), 0.1)
    for equation, drives in (
        (ElectronEquation(poles, magnet), {voltage, field}),
        (ElectronEquation(poles, given), {voltage}),
        (MomentEquation(magnet), {field}),
        (SlowEquation(magnet, None), {field}),
    ):
        bounds = [(section.start, section.stop) for section in equation.sections]
        assert [0, *(stop for _, stop in bounds)] == [*(start for start, _ in bounds), equation.size]
        assert drives <= set(equation.drives())
        assert equation.time_unit == (1.0 if isinstance(equation, SlowEquation) else HBAR)
        turning, damped = equation.fastest_rates()
        stiff = equation.stiff_rates()
        assert bool(turning > 0 and damped >= stiff.max() > 0) is isinstance(equation, ElectronEquation)
        assert stiff.shape == (equation.size,)
        scale = equation.error_scale()
        assert scale is None or scale.shape == (equation.size,)
        state = rng.normal(size=equation.size)
        for section in equation.sections:
            if section.name == "moments":
                state[section.start : section.stop] = 1.1 * magnet.moments.ravel()
                equation.project(state)
                lengths = np.linalg.norm(state[section.start : section.stop].reshape(3, 3), axis=1)
                np.testing.assert_allclose(lengths[:2], 1.0, rtol=0, atol=1e-15)
        assert equation.evaluations == 0
