"""Leads whose orbitals mix with energy, and leads of different temperatures: motion, starts, error budget."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse.linalg
from matrix_leads import ModesLead, absorbing, couplings, in_modes, layers, with_surface_level
from propagation import assert_physical, random_hermitian, unit_vectors
from scipy.linalg import block_diag, expm
from scipy.special import expit
from test_kernel import any_magnet, assert_electrons_agree, random_state, spin_orbit_electrons

import llgnegf as ln
from llgnegf import ChainLead, OpenSystem, WideBandLead, chain
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.kernels import reference
from llgnegf.equations.sample import Sampler
from llgnegf.poles.channels import PoleSystem, expand, spectral_bounds
from llgnegf.problem.magnetism.motion import Frozen
from llgnegf.problem.observables import spin_of_sites
from llgnegf.run.error_budget import expand_for_run
from llgnegf.run.lead_errors import find_levels
from llgnegf.run.spectral_errors import PropagatorErrors
from llgnegf.static import start as starts
from llgnegf.static.frozen import FrozenDevice
from llgnegf.units import HBAR

Build = Callable[[np.random.Generator], OpenSystem]
N_SITES = 3


def mixed(rng: np.random.Generator) -> OpenSystem:
    """Matrix, chain and wide-band leads on the same sites, voltages and temperatures of their own; one orbital of the
    first lead couples to no site."""
    hidden = couplings(rng, 6, 3)
    hidden[:, 1] = 0.0
    leads = [
        ModesLead(coupling=hidden, modes=absorbing(rng, 3), voltage=lambda t: 0.3 * np.sin(t + 0.5)),
        ChainLead(site=1, coupling=0.7, chemical_potential=-0.4),
        WideBandLead(site=1, broadening=0.4, voltage=-0.2, kT=0.2),
        ModesLead(coupling=couplings(rng, 6, 2), modes=absorbing(rng, 2), chemical_potential=0.3, kT=0.15),
    ]
    return OpenSystem(spin_orbit_electrons(rng, N_SITES), leads, 0.2, 0.1)


def surface(rng: np.random.Generator) -> OpenSystem:
    """Two leads of one spectrum with a surface level in its band, and one of a single orbital."""
    shared = with_surface_level(absorbing(rng, 2), 0.4, rng.normal(size=2) + 0.3j)
    leads = [
        ModesLead(coupling=couplings(rng, 6, 2), modes=shared, voltage=0.3),
        ModesLead(coupling=couplings(rng, 6, 2), modes=shared, chemical_potential=0.7),
        ModesLead(coupling=couplings(rng, 6, 1), modes=absorbing(rng, 1), kT=0.3),
    ]
    return OpenSystem(spin_orbit_electrons(rng, N_SITES), leads, 0.0, 0.2)


def single(rng: np.random.Generator) -> OpenSystem:
    """Matrix channels of one orbital only, which run as scalar ones, beside a chain."""
    one = with_surface_level(absorbing(rng, 1, 6), 2.5, np.array([0.3 + 0.4j]))
    leads = [ModesLead(coupling=couplings(rng, 6, 1), modes=one, voltage=0.3), ChainLead(site=0, kT=0.3)]
    return OpenSystem(spin_orbit_electrons(rng, N_SITES), leads, 0.0, 0.2)


BUILDS = (mixed, surface, single)
builds = pytest.mark.parametrize("build", BUILDS)


@pytest.mark.parametrize("seed", range(2))
@builds
def test_compiled_electrons_are_those_of_the_reference(build: Build, seed: int) -> None:
    rng = np.random.default_rng(seed)
    system = build(rng)
    equation = ElectronEquation(expand(system, 1e-3, 1e-4), Frozen(unit_vectors(rng, N_SITES)))
    state, dense = random_state(rng, equation)
    tau, got, moments = 1.3, np.zeros_like(state), equation.moments_at(0.0, state)
    equation(tau, state, got)
    expected = reference.electron_rates(equation.poles, moments, tau * HBAR, *dense)
    assert_electrons_agree(equation, got, expected)
    flow = Sampler(equation).lead_flow(Sampler(equation).split(Sampler(equation)(state)), moments)
    np.testing.assert_allclose(flow, expected.outflow, rtol=0, atol=1e-12 * np.abs(flow).max())


@builds
def test_compiled_electrons_and_free_moments_are_those_of_the_reference(build: Build) -> None:
    rng = np.random.default_rng(5)
    system = build(rng)
    magnet = any_magnet(rng, N_SITES)
    equation = ElectronEquation(expand(system, 1e-3, 1e-4), magnet)
    state, dense = random_state(rng, equation)
    got, moments = np.zeros_like(state), equation.layout.moments(state)
    equation(0.7, state, got)
    expected, rates = reference.coupled_rates(equation.poles, magnet, moments, 0.7 * HBAR, *dense)
    assert_electrons_agree(equation, got, expected)
    np.testing.assert_allclose(equation.layout.moments(got), rates, rtol=0, atol=1e-13 * np.abs(rates).max())


@builds
def test_what_leaves_the_device_has_entered_the_leads(build: Build) -> None:
    """d Tr rho/dt is minus the sum of the outflows, for any state: H conserves charge."""
    rng = np.random.default_rng(6)
    equation = ElectronEquation(expand(build(rng), 1e-3, 1e-4), Frozen(unit_vectors(rng, N_SITES)))
    state, _ = random_state(rng, equation)
    got = np.zeros_like(state)
    equation(1.3, state, got)
    lost = -np.trace(equation.layout.density_matrix(got)).real
    flow = equation.layout.outflow(got)[:, 0]
    assert abs(lost - flow.sum()) < 1e-11 * max(1.0, np.abs(flow).max())


# -- the starts -----------------------------------------------------------------------------------------------------


def rates_of(poles: PoleSystem, moments: np.ndarray, blocks: starts.Blocks) -> tuple[np.ndarray, np.ndarray]:
    """Largest rate of electrons at t = 0, and the outflow (n_leads, 5)."""
    equation = ElectronEquation(poles, Frozen(moments))
    state = equation.layout.pack(
        blocks.density_matrix, blocks.device_mode, blocks.mode_block, blocks.vectors, np.zeros((0, 3))
    )
    rates = np.zeros_like(state)
    equation(0.0, state, rates)
    return np.abs(np.array(equation.layout.electrons(rates))).max(), equation.layout.outflow(rates)


def self_energies(poles: PoleSystem, energies: np.ndarray) -> list[np.ndarray]:
    """U Sigma(E - V) U^dag of each channel at t = 0, (n, 2N, 2N) each."""
    found, voltages = [], poles.system.voltages()
    for c in poles.channels:
        u = c.vector.reshape(len(c.vector), -1)
        sigma = c.spectrum.self_energy(energies - voltages[c.lead]).reshape(-1, u.shape[1], u.shape[1])
        found.append(u @ sigma @ u.conj().T)
    return found


def green(poles: PoleSystem, moments: np.ndarray, energies: np.ndarray) -> np.ndarray:
    hamiltonian = poles.system.electrons.hamiltonian_at(moments)
    matrix = energies[:, None, None] * np.eye(len(hamiltonian)) - hamiltonian - sum(self_energies(poles, energies))
    return np.linalg.inv(matrix)


def equilibrium(rng: np.random.Generator) -> OpenSystem:
    """`mixed` and `surface` together, all leads at one chemical potential (voltages included) and one temperature of
    their own, which is not the system's."""
    shared = with_surface_level(absorbing(rng, 2), 0.4, rng.normal(size=2) + 0.3j)
    leads = [
        ModesLead(coupling=couplings(rng, 6, 3), modes=absorbing(rng, 3), voltage=0.3, chemical_potential=-0.1, kT=0.1),
        ModesLead(coupling=couplings(rng, 6, 2), modes=shared, kT=0.1),
        ModesLead(coupling=couplings(rng, 6, 2), modes=shared, voltage=-0.5, chemical_potential=0.7, kT=0.1),
        ChainLead(site=1, coupling=0.7, kT=0.1),
        WideBandLead(site=-1, broadening=0.4, kT=0.1),
    ]
    return OpenSystem(spin_orbit_electrons(rng, N_SITES), leads, 0.2, 0.7)


def test_thermal_start_is_stationary_and_fills_the_levels_of_device_and_leads() -> None:
    rng = np.random.default_rng(7)
    poles, moments = expand(equilibrium(rng), 1e-6, 1e-9), unit_vectors(rng, N_SITES)
    blocks = starts.thermal(poles, moments)
    z, r = poles.fermi_poles(0.2, 0.1)
    sum_of_poles = np.einsum("m,mab->ab", r, green(poles, moments, z.conj()))
    expected = 0.5 * np.eye(6) + sum_of_poles + sum_of_poles.conj().T
    np.testing.assert_allclose(blocks.density_matrix, expected, rtol=0, atol=1e-12)
    assert_physical(blocks.density_matrix)
    rate, outflow = rates_of(poles, moments, blocks)
    assert rate < 1e-10
    assert np.abs(outflow[:, 0]).max() < 1e-10  # spins flow in equilibrium too, where spin-orbit coupling turns them


def closed(rng: np.random.Generator, count: int = 3) -> tuple[OpenSystem, np.ndarray]:
    """A device between two finite leads, in which no mode is damped, and H of all of it, modes among the sites."""
    electrons, parts, blocks = spin_orbit_electrons(rng, N_SITES), [], []
    for size in (2, 3):
        matrix, coupling = layers(rng, size, count), couplings(rng, 6, size)
        parts.append(ModesLead(coupling=coupling, modes=in_modes(matrix, size)))
        blocks.append((matrix, np.pad(coupling, ((0, 0), (0, size * (count - 1))))))
    between = np.concatenate([coupling for _, coupling in blocks], axis=1)
    whole = block_diag(np.zeros((6, 6)), *(matrix for matrix, _ in blocks)).astype(complex)
    whole[:6, 6:], whole[6:, :6] = between, between.conj().T
    return OpenSystem(electrons, parts, 0.1, 0.15), whole


def test_thermal_start_with_undamped_modes_is_that_of_the_closed_system() -> None:
    """C is f(h) less what the modes hold by themselves; the denominators of equal levels vanish."""
    rng = np.random.default_rng(8)
    system, whole = closed(rng)
    moments, poles = unit_vectors(rng, N_SITES), expand(system, 1e-6, 1e-11)
    whole[:6, :6] = system.electrons.hamiltonian_at(moments)
    levels, states = np.linalg.eigh(whole)
    expected = (states * expit(-(levels - 0.1) / 0.15)) @ states.conj().T
    blocks = starts.thermal(poles, moments)
    np.testing.assert_allclose(blocks.density_matrix, expected[:6, :6], rtol=0, atol=1e-10)
    h = FrozenDevice(poles, moments).extended_hamiltonian()
    assert np.abs(h - h.conj().T).max() < 1e-13
    levels, states = np.linalg.eigh(h)
    full = (states * expit(-(levels - 0.1) / 0.15)) @ states.conj().T
    alone = np.diag(expit(-(np.diag(h)[6:].real - 0.1) / 0.15))
    np.testing.assert_allclose(blocks.mode_block, full[6:, 6:] - alone, rtol=0, atol=1e-10)
    np.testing.assert_allclose(blocks.device_mode, full[:6, 6:], rtol=0, atol=1e-10)
    assert not np.any(blocks.vectors)


def test_partitioned_start_with_undamped_modes_is_that_of_the_closed_system() -> None:
    """A device that is not in equilibrium joined to finite leads at a voltage: exp(-iHt) of the whole."""
    rng = np.random.default_rng(9)
    system, whole = closed(rng)
    leads = [ModesLead(coupling=lead.coupling, modes=lead.modes, voltage=v, chemical_potential=m, kT=kT)
             for lead, v, m, kT in zip(system.leads, (0.4, -0.2), (0.3, None), (None, 0.4), strict=True)]  # fmt: skip
    system, moments = OpenSystem(system.electrons, leads, 0.1, 0.15), unit_vectors(rng, N_SITES)
    whole[:6, :6] = system.electrons.hamiltonian_at(moments)
    parts = [(slice(6, 12), 0.4, 0.3, 0.15), (slice(12, 21), -0.2, 0.1, 0.4)]
    rho = np.zeros_like(whole)
    rho[:6, :6] = np.diag([1.0, 0.0, 0.3, 0.0, 1.0, 0.5])
    for own, voltage, mu, kT in parts:
        levels, states = np.linalg.eigh(whole[own, own])
        rho[own, own] = (states * expit(-(levels - mu) / kT)) @ states.conj().T
        whole[own, own] += voltage * np.eye(own.stop - own.start)
    given = ln.simulate(
        system, Frozen(moments), t_end=4.0, save_every=2.0, rtol=1e-9, start="partitioned",
        initial_density_matrix=rho[:6, :6],
    )  # fmt: skip
    for k, time in enumerate(given.dataset.time.values):
        u = expm(-1j * whole * time / HBAR)
        now = (u @ rho @ u.conj().T)[:6, :6]
        got = given.dataset.isel(time=k)
        blocks = now.reshape(3, 2, 3, 2)[np.arange(3), :, np.arange(3), :]
        np.testing.assert_allclose(got.spin_density, spin_of_sites(blocks), rtol=0, atol=1e-8)
        np.testing.assert_allclose(got.charge_density, np.trace(blocks, axis1=1, axis2=2).real, rtol=0, atol=1e-8)


def occupied(system: OpenSystem, lead: int, energies: np.ndarray) -> np.ndarray:
    mu, kT = system.chemical_potentials()[lead], system.temperatures()[lead]
    return expit(-(energies - mu) / kT)


def graded(levels: np.ndarray, order: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss panels on [-reach, reach] that shrink towards poles at `levels`."""
    x, w = np.polynomial.legendre.leggauss(order)
    distances = np.outer([-1, 1], 2.0 ** np.arange(-1, 24)).ravel()
    near = (levels.real[:, None] + np.minimum(levels.imag, -1e-6)[:, None] * distances).ravel()
    far = np.geomspace(6, reach, 40)
    edges = np.unique(np.concatenate([np.linspace(-6, 6, 61), far, -far, near[np.abs(near) < 6]]))
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    return (middle + half * x).ravel(), (half * w).ravel()


def steady_by_quadrature(poles: PoleSystem, moments: np.ndarray, reach: float = 400.0) -> tuple[np.ndarray, np.ndarray]:
    """rho = int dE/2pi G sum_p Gamma_p f_p G^dag and the particle currents (1/eV) into each lead,

        I_p = int dE/2pi Tr{ Gamma_p [A' - f_p A] },   A = i(G - G^dag),   A' = G sum_q Gamma_q f_q G^dag
    """
    levels = np.linalg.eigvals(FrozenDevice(poles, moments).extended_hamiltonian())
    energies, weights = graded(levels, 20, reach)
    weights = weights / (2 * np.pi)
    g = green(poles, moments, energies.astype(complex))
    adjoint = g.conj().swapaxes(1, 2)
    gammas = [1j * (s - s.conj().swapaxes(1, 2)) for s in self_energies(poles, energies.astype(complex))]
    filled = [occupied(poles.system, c.lead, energies)[:, None, None] for c in poles.channels]
    inner = g @ sum(f * gamma for f, gamma in zip(filled, gammas, strict=True)) @ adjoint
    currents = np.zeros(len(poles.system.leads))
    for c, f, gamma in zip(poles.channels, filled, gammas, strict=True):
        currents[c.lead] += weights @ np.einsum("eab,eba->e", gamma, inner - f * 1j * (g - adjoint)).real
    return np.einsum("e,eab->ab", weights, inner), currents


def biased(rng: np.random.Generator) -> OpenSystem:
    """Three matrix leads, one sharing its site with a chain: chemical potentials, voltages and temperatures differ."""
    leads = [
        ModesLead(coupling=couplings(rng, 6, 3), modes=absorbing(rng, 3), voltage=0.3),
        ModesLead(coupling=couplings(rng, 6, 2), modes=absorbing(rng, 2), chemical_potential=-0.6, kT=0.3),
        ModesLead(coupling=couplings(rng, 6, 1), modes=absorbing(rng, 1), kT=0.15),
        ChainLead(site=1, coupling=0.5, voltage=-0.2),
    ]
    return OpenSystem(spin_orbit_electrons(rng, N_SITES), leads, 0.2, 0.1)


def hot_and_cold(rng: np.random.Generator) -> OpenSystem:
    """Plain chains whose temperatures alone differ: a thermoelectric current."""
    leads = [ChainLead(site=0, coupling=0.6, kT=0.3), ChainLead(site=-1, coupling=0.7)]
    return OpenSystem(ln.chain(N_SITES, 0.8, 0.3), leads, 0.4, 0.1)


def weak(rng: np.random.Generator) -> OpenSystem:
    """One site, all but isolated: two narrow levels that both leads fill in the ratio of their tiny broadenings."""
    leads = [
        ModesLead(coupling=couplings(rng, 2, 3, 0.02), modes=absorbing(rng, 3), voltage=0.3),
        ModesLead(coupling=couplings(rng, 2, 2, 0.02), modes=absorbing(rng, 2), chemical_potential=-0.6, kT=0.3),
    ]
    return OpenSystem(ln.chain(1, 1.0, 0.5), leads, 0.2, 0.1)


@pytest.mark.parametrize("build", [biased, hot_and_cold, weak])
def test_steady_start_is_stationary_and_the_integral_over_the_real_axis(build: Build) -> None:
    """The integrals take f itself: f of the poles is off by 1e-10 up to their range, beyond which G Gamma G^dag of
    these leads is below 1e-9 altogether."""
    rng = np.random.default_rng(10)
    system = build(rng)
    poles, moments = expand(system, 1e-6, 1e-10), unit_vectors(rng, system.n_sites)
    blocks = starts.steady(poles, moments)
    rate, outflow = rates_of(poles, moments, blocks)
    assert rate < 1e-10
    assert_physical(blocks.density_matrix)
    rho, currents = steady_by_quadrature(poles, moments)
    np.testing.assert_allclose(blocks.density_matrix, rho, rtol=0, atol=1e-8)
    np.testing.assert_allclose(outflow[:, 0], currents, rtol=0, atol=1e-8)
    assert np.abs(currents).max() > (1e-5 if build is weak else 1e-3)
    assert abs(currents.sum()) < 1e-9


def test_steady_start_with_a_surface_level_in_a_band_of_another_lead() -> None:
    """Coupled to the device, the level of one lead's end is damped by the others; it must be filled by them."""
    rng = np.random.default_rng(11)
    poles, moments = expand(surface(rng), 1e-6, 1e-9), unit_vectors(rng, N_SITES)
    blocks = starts.steady(poles, moments)
    assert rates_of(poles, moments, blocks)[0] < 1e-10
    rho, _ = steady_by_quadrature(poles, moments)
    np.testing.assert_allclose(blocks.density_matrix, rho, rtol=0, atol=1e-7)


def test_what_no_lead_reaches_is_filled_at_the_mean_chemical_potential_and_temperature() -> None:
    """Site 0 has nothing but the surface level of one lead; site 1 has that lead's band and a second one."""
    rng = np.random.default_rng(12)
    level, at = np.array([0.0, 0.0, 0.6, 0.3j]), 0.35
    modes = absorbing(rng, 2)
    wide = [np.pad(x, ((0, 2), (0, 0))) for x in (modes.left, modes.right)]
    modes = with_surface_level(type(modes)(modes.energies, *wide, 0.0), at, level)
    coupling = np.zeros((4, 4), dtype=complex)
    coupling[2:, :2], coupling[:2, 2:] = couplings(rng, 2, 2), couplings(rng, 2, 2)
    hamiltonian = block_diag(random_hermitian(rng, 2), random_hermitian(rng, 2))
    leads = [ModesLead(coupling=coupling, modes=modes, voltage=0.3), WideBandLead(site=1, broadening=0.7, kT=0.3)]
    system = OpenSystem(ln.Electrons(hamiltonian, 0.4), leads, 0.2, 0.1)
    moments = unit_vectors(rng, 2)
    blocks = starts.steady(expand(system, 1e-6, 1e-9, tail_tolerance=1e-7), moments)
    alone = np.zeros((3, 3), dtype=complex)
    alone[:2, :2] = system.electrons.hamiltonian_at(moments)[:2, :2]
    alone[:2, 2] = coupling[:2] @ level
    alone[2, :2], alone[2, 2] = alone[:2, 2].conj(), at + 0.3
    energies, states = np.linalg.eigh(alone)
    expected = (states * expit(-(energies - 0.35) / 0.2)) @ states.conj().T
    np.testing.assert_allclose(blocks.density_matrix[:2, :2], expected[:2, :2], rtol=0, atol=1e-7)


def test_partitioned_start_and_a_voltage_step_are_those_of_leads_of_many_levels() -> None:
    """int dE Gamma/2pi exp(-iEt) as a sum over nodes: a closed system, whose levels follow no lead mode and no pole.

    rho(t) = U f U^dag, and of its rows between lead p and device I = (2/hbar) Im Tr u_p rho_pd out of the lead.
    """
    rng = np.random.default_rng(13)
    step = ln.TimeFunction(lambda t: 0.3 if t < 2.0 else -0.7, discontinuities=[2.0])
    leads = [
        ModesLead(coupling=couplings(rng, 4, 2), modes=absorbing(rng, 2), voltage=step),
        ModesLead(coupling=couplings(rng, 4, 2), modes=absorbing(rng, 2), chemical_potential=-0.4, kT=0.3),
    ]
    system, moments = OpenSystem(spin_orbit_electrons(rng, 2), leads, 0.2, 0.15), unit_vectors(rng, 2)
    levels, joined, filled = [np.zeros(4)], [], [np.array([0.0, 1.0, 1.0, 0.0])]
    for p, lead in enumerate(leads):
        energies, weights = graded(lead.modes.energies, 6, 30.0)
        values, states = np.linalg.eigh(lead.modes.broadening(energies) * weights[:, None, None] / (2 * np.pi))
        assert values.min() > -1e-14
        joined.append(np.concatenate(list(lead.coupling @ (states * np.sqrt(np.maximum(values, 0.0))[:, None, :])), 1))
        levels.append(np.repeat(energies + system.voltages()[p], 2))
        filled.append(occupied(system, p, levels[-1]))
    first = 4 + levels[1].size
    parts, occupations = (slice(4, first), slice(first, None)), np.concatenate(filled)[:, None]
    before = arrow(system.electrons.hamiltonian_at(moments), np.concatenate(joined, axis=1), np.concatenate(levels))
    levels[1] = levels[1] - 1.0
    after = arrow(system.electrons.hamiltonian_at(moments), np.concatenate(joined, axis=1), np.concatenate(levels))
    given = ln.simulate(
        system, Frozen(moments), t_end=4.0, save_every=1.0, rtol=1e-7, start="partitioned",
        initial_density_matrix=np.diag(filled[0]),
    ).dataset  # fmt: skip
    for k, time in enumerate(given.time.values):
        rows = evolved(before, min(time, 2.0), evolved(after, max(time - 2.0, 0.0), np.eye(len(occupations), 4)))
        columns = evolved(after, -max(time - 2.0, 0.0), evolved(before, -min(time, 2.0), occupations * rows))
        blocks = columns[:4].reshape(2, 2, 2, 2)[np.arange(2), :, np.arange(2), :]
        np.testing.assert_allclose(given.spin_density[k], spin_of_sites(blocks), rtol=0, atol=1e-6)
        for p, (u, own) in enumerate(zip(joined, parts, strict=True)):
            flow = np.einsum("iaia->a", (u @ columns[own]).reshape(2, 2, 2, 2))
            assert abs(given.lead_current[k, p] + 2 / HBAR * flow.sum().imag) < 1e-6
            assert abs(given.lead_spin_current[k, p, 2] + (flow[0] - flow[1]).imag) < 1e-6
    assert np.abs(given.lead_current).max() > 0.1


def arrow(device: np.ndarray, joined: np.ndarray, levels: np.ndarray) -> scipy.sparse.csr_array:
    """H of a device (n, n) and levels beside it, which `joined` (n, levels) couples."""
    n = len(device)
    whole = scipy.sparse.lil_array((levels.size, levels.size), dtype=complex)
    whole[:n, :n], whole[:n, n:], whole[n:, :n] = device, joined, joined.conj().T
    return (whole + scipy.sparse.diags_array(levels)).tocsr()


def evolved(hamiltonian: scipy.sparse.csr_array, time: float, columns: np.ndarray) -> np.ndarray:
    """exp(iHt) applied to columns; t in fs."""
    return scipy.sparse.linalg.expm_multiply(1j * time / HBAR * hamiltonian, columns.astype(complex))


# -- temperatures ---------------------------------------------------------------------------------------------------


def test_leads_of_different_temperature_are_no_equilibrium() -> None:
    rng = np.random.default_rng(14)
    system, moments = hot_and_cold(rng), unit_vectors(rng, N_SITES)
    assert system.common_chemical_potential() == 0.4
    assert not system.in_equilibrium()
    with pytest.raises(ValueError, match=r"start: 'thermal'.*kT = \[0\.3, 0\.1\].*'steady'"):
        starts.thermal(expand(system, 1e-3, 1e-4), moments)
    with pytest.raises(ValueError, match=r"start: 'thermal'; allowed: 'steady' or 'partitioned'.*\[0\.3, 0\.1\]"):
        ln.simulate(system, Frozen(moments), t_end=1.0, save_every=1.0)


def test_a_lead_without_temperature_is_named() -> None:
    system = OpenSystem(ln.chain(1), [ChainLead(site=0), ChainLead(site=0, kT=0.0)], 0.0, 0.1)
    with pytest.raises(ValueError, match=r"system\.leads\[1\]\.kT: 0"):
        ln.simulate(system, Frozen(np.array([[0.0, 0, 1]])), t_end=1.0, save_every=1.0, start="steady")


def test_a_temperature_of_its_own_that_is_the_systems_changes_nothing() -> None:
    rng = np.random.default_rng(15)
    electrons, moments = spin_orbit_electrons(rng, N_SITES), unit_vectors(rng, N_SITES)
    own = OpenSystem(electrons, [ChainLead(site=0, kT=0.2), ChainLead(site=-1, kT=0.2)], 0.1, 0.0)
    same = OpenSystem(electrons, [ChainLead(site=0), ChainLead(site=-1)], 0.1, 0.2)
    first, second = (starts.thermal(expand(s, 1e-4, 1e-6), moments) for s in (own, same))
    np.testing.assert_array_equal(first.density_matrix, second.density_matrix)
    np.testing.assert_array_equal(first.vectors, second.vectors)


def test_each_temperature_has_the_fermi_poles_it_needs() -> None:
    """A hot lead among cold ones takes fewer, none of them much farther than the range of the spectrum asks for: those
    of the cold lead, stretched by the quotient of the temperatures, would reach 100 times as far."""
    system = OpenSystem(ln.chain(2), [ChainLead(site=0, kT=0.5), ChainLead(site=-1, kT=0.005)], 0.0, 0.1)
    poles = expand(system, 1e-3, 1e-7)
    (hot, _), (cold, _) = (poles.fermi_poles(0.0, kT) for kT in (0.5, 0.005))
    assert hot.size < cold.size
    assert np.abs(hot).max() < 2 * np.abs(cold).max()
    energies = np.linspace(-poles.spectral_range, poles.spectral_range, 501)
    for kT in (0.5, 0.005):
        np.testing.assert_allclose(poles.occupation(energies, 0.0, kT), expit(-energies / kT), rtol=0, atol=2e-7)


# -- bounds, errors, runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_spectral_bounds_hold_all_levels_of_finite_leads(seed: int) -> None:
    rng = np.random.default_rng(seed)
    system, whole = closed(rng, count=6)
    low, high = spectral_bounds(system)
    for _ in range(3):
        whole[:6, :6] = system.electrons.hamiltonian_at(unit_vectors(rng, N_SITES))
        levels = np.linalg.eigvalsh(whole)
        assert low <= levels[0]
        assert levels[-1] <= high


def test_channels_of_one_spectrum_share_their_modes_and_the_oracle_takes_them() -> None:
    poles = expand(surface(np.random.default_rng(16)), 1e-3, 1e-4)
    first, second, third = poles.channels
    assert first.spectrum is second.spectrum is not third.spectrum
    channels = [c for lead in poles.with_pole_leads().lead_channels for c in lead]
    assert [c.spectrum for c in channels] == [c.spectrum for c in poles.channels]


class Coarse:
    """A spectrum whose own modes are off: every residue is scaled by 1 + delta."""

    def __init__(self, exact, delta: float) -> None:  # type: ignore[no-untyped-def]
        self.exact, self.delta = exact, delta
        same = ("size", "points", "surface_levels", "is_zero", "self_energy", "self_energy_derivative", "broadening")
        vars(self).update({name: getattr(exact, name) for name in same})

    @property
    def support(self) -> tuple[float, float]:
        return -8.0, 8.0

    @property
    def weight(self) -> np.ndarray:
        return self.exact.weight

    def modes(self, tolerance: float):  # type: ignore[no-untyped-def]
        m = self.exact
        return type(m)(m.energies, m.left * (1 + self.delta), m.right, self.delta * np.linalg.norm(m.weight, 2))


def test_the_error_estimate_bounds_the_error_of_matrix_modes() -> None:
    """Modes that are off by 1e-5 against the exact ones: rho(t) after joining, and in equilibrium."""
    rng = np.random.default_rng(17)
    electrons, moments = spin_orbit_electrons(rng, 2), unit_vectors(rng, 2)
    spectra = [absorbing(rng, 2), absorbing(rng, 2)]
    columns = [couplings(rng, 4, 2) for _ in spectra]

    def system(wrap: Callable) -> OpenSystem:  # type: ignore[type-arg]
        leads = [ModesLead(coupling=u, modes=wrap(m), chemical_potential=mu)
                 for u, m, mu in zip(columns, spectra, (0.4, -0.3), strict=True)]  # fmt: skip
        return OpenSystem(electrons, leads, 0.0, 0.1)

    coarse = system(lambda m: Coarse(m, 1e-5))
    poles, estimate = expand_for_run(coarse, Frozen(moments), "partitioned", 5.0, 1e-6)
    exact, none = expand_for_run(system(lambda m: m), Frozen(moments), "partitioned", 5.0, 1e-6)
    assert none.value == 0.0
    off = np.abs(starts.steady(poles, moments).density_matrix - starts.steady(exact, moments).density_matrix).max()
    # No more than 100 times the error put in, and the factor e of an estimate for a run of finite length.
    assert off < estimate.value < 100 * 1e-5 * np.e
    with pytest.raises(ValueError, match="Coarse.modes: an error of"):
        expand(coarse, 1e-6, 1e-4)
    assert_bounds_propagators(FrozenDevice(poles, moments), FrozenDevice(exact, moments))


def assert_bounds_propagators(coarse: FrozenDevice, exact: FrozenDevice) -> None:
    """`PropagatorErrors` against G(t) = exp(-iht) on the device at times up to its own, and not a hundred times it."""
    for duration in (0.5, 5.0, 50.0):
        worst = 0.0
        for time in np.linspace(0.0, duration, 41):
            both = [expm(-1j * f.extended_hamiltonian() * time).diagonal()[: f.arrays.n] for f in (coarse, exact)]
            worst = max(worst, 2 * float(np.abs(both[0] - both[1]).max()))
        bound = PropagatorErrors(coarse, find_levels(coarse), duration).of(coarse.poles.channels)
        assert 1e-9 < worst < bound < 100 * worst, (duration, worst, bound)


def test_the_error_of_propagators_beside_chains() -> None:
    """Weak and strong leads, a level near an edge and one outside the bands: modes to 1e-3 against those to 1e-9."""
    leads = [ChainLead(0, coupling=1.0), ChainLead(1, coupling=0.3, voltage=0.2)]
    system = OpenSystem(chain(2, [0.7], 0.5, [1.9, 2.6]), leads, kT=0.1)
    moments = unit_vectors(np.random.default_rng(18), 2)
    assert_bounds_propagators(*(FrozenDevice(expand(system, tolerance, 1e-4), moments) for tolerance in (1e-3, 1e-9)))


def test_a_restarted_run_gives_the_same_bits() -> None:
    rng = np.random.default_rng(19)
    magnet = ln.Magnet(unit_vectors(rng, N_SITES), 2.0, energies=[ln.Zeeman([0.0, 0.0, 50.0])])
    first, second = (
        ln.Simulation(surface(np.random.default_rng(20)), magnet, t_end=2.0, save_every=0.5, rtol=1e-4, start="steady")
        for _ in range(2)
    )
    rows, kept = [], {}
    for index, row in first.rows():
        rows.append(row)
        if index == 1:
            kept = first.checkpoint()
    second.restore(kept)
    for index, row in second.rows():
        for name, value in row.items():
            np.testing.assert_array_equal(value, rows[index][name])
    np.testing.assert_array_equal(second.state, first.state)


def test_a_run_of_moments_and_electrons_between_matrix_leads() -> None:
    """From the steady state under bias: what left through the leads is what the device lost, to 1e-11."""
    rng = np.random.default_rng(18)
    system = biased(rng)
    magnet = ln.Magnet(unit_vectors(rng, N_SITES), 2.0, energies=[ln.Zeeman([0.0, 0.0, 50.0])])
    got = ln.simulate(system, magnet, t_end=3.0, save_every=1.0, rtol=1e-6, start="steady").dataset
    charge = got.charge_density.sum("site").values
    left = got.lead_current
    assert np.abs(left.values).max() > 1e-3
    simulation = ln.Simulation(system, magnet, t_end=3.0, save_every=1.0, rtol=1e-6, start="steady")
    rows = [row for _, row in simulation.rows()]
    gone = simulation.equation.layout.outflow(simulation.state)[:, 0].sum()
    assert abs(charge[0] - charge[-1] - gone) < 1e-11
    np.testing.assert_array_equal(rows[-1]["charge_density"], got.charge_density.values[-1])


def test_a_lead_of_one_level_is_a_site_more() -> None:
    """V = 0: the cell is one orbital that the device, of two sites, shares; its voltage moves its level. All of it is
    three orbitals in a closed box, whose density matrix turns with exp(-iHt) in small steps (midpoint, error 1e-9)."""
    rng = np.random.default_rng(7)
    tau = rng.normal(size=4) + 1j * rng.normal(size=4)
    electrons, texture = ln.chain(2, 0.7, 0.3), ln.random(2, 3)
    lead = ln.PeriodicLead(cell=[[0.2]], hopping=[[0.0]], coupling=tau[:, None], voltage=lambda t: 0.2 * np.sin(t))
    system = ln.OpenSystem(electrons, [lead], fermi_energy=0.1, kT=0.1)
    data = ln.simulate(system, ln.Frozen(texture), t_end=3.0, save_every=1.0, rtol=1e-7).dataset

    sigma = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    h = np.zeros((5, 5), dtype=complex)
    h[:4, :4] = np.kron([[0, -0.7], [-0.7, 0]], np.eye(2))
    for i in range(2):
        h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] -= 0.3 * np.tensordot(texture[i], sigma, 1)
    h[:4, 4], h[4, :4], h[4, 4] = tau, tau.conj(), 0.2
    levels, states = np.linalg.eigh(h)
    rho = states @ np.diag(0.5 - 0.5 * np.tanh((levels - 0.1) / 0.2)) @ states.conj().T
    step, count = 1 / 2000, 2000
    for row in range(1, 4):
        for k in range(count):
            h[4, 4] = 0.2 + 0.2 * np.sin(row - 1 + (k + 0.5) * step)
            levels, states = np.linalg.eigh(h)
            turn = states @ np.diag(np.exp(-1j * levels * step / HBAR)) @ states.conj().T
            rho = turn @ rho @ turn.conj().T
        rate = -1j * (np.outer(tau, rho[4, :4]) - np.outer(rho[:4, 4], tau.conj()))  # d rho/dt by the lead, times hbar
        np.testing.assert_allclose(data.lead_current[row, 0], -np.trace(rate).real / HBAR, atol=1e-6)
        np.testing.assert_allclose(data.lead_energy_current[row, 0], -np.trace(h[:4, :4] @ rate).real / HBAR, atol=1e-6)
        spin = [-0.5 * np.trace(np.kron(np.eye(2), s) @ rate).real for s in sigma]
        np.testing.assert_allclose(data.lead_spin_current[row, 0], spin, atol=1e-6)
