"""The compiled right-hand side against plain dense matrices written from the equations of `equations.electrons`."""

import numpy as np
import pytest
from finite_chain import SIGMA, device_hamiltonian
from propagation import random_hermitian, unit_vectors

from llgnegf import ChainLead, Electrons, Lead, OpenSystem, WideBandLead, bond_charge_current, bond_spin_current, chain
from llgnegf.equations.electrons import Equation
from llgnegf.poles.channels import PoleSystem, expand
from llgnegf.problem.magnetism.motion import Frozen
from llgnegf.problem.spectra import ChainSpectrum
from llgnegf.units import HBAR

Dense = dict[str, np.ndarray]


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


SYSTEMS = (two_chains, crowded, extended)


def random_state(rng: np.random.Generator, equation: Equation) -> tuple[np.ndarray, Dense]:
    """A state that need not be physical: Hermitian C, any vectors."""
    n, m, k = equation.layout.n_states, equation.layout.n_modes, equation.layout.n_vectors
    c = random_hermitian(rng, n + m)
    v = rng.normal(size=(n + m, k)) + 1j * rng.normal(size=(n + m, k))
    state = equation.layout.pack(c[:n, :n], c[:n, n:], c[n:, n:], v, np.zeros((0, 3)))
    return state, {"C": c, "v": v}


def dense_derivative(poles: PoleSystem, moments: np.ndarray, time: float, state: Dense) -> Dense:
    """dC/dt, dv/dt and each lead's part of d rho/dt, term by term as the docstring of `equation` writes them."""
    system = poles.system
    n = 2 * system.n_sites
    c, v = state["C"], state["v"]
    voltage = system.voltages(time)
    mu = [system.fermi_energy if p.chemical_potential is None else p.chemical_potential for p in system.leads]
    size = len(c)
    h = np.zeros((size, size), dtype=complex)
    h[:n, :n] = device_hamiltonian(system, moments)
    source, by_lead = np.zeros_like(c), np.zeros((len(system.leads), n, n), dtype=complex)
    decay, drive, s_total = [], [], np.zeros((len(poles.channels), size), dtype=complex)
    row, column = n, 0
    for q, channel in enumerate(poles.channels):
        u = np.concatenate([channel.vector, np.zeros(size - n)])
        b, chi = channel.weights, channel.energies
        s = np.sqrt(np.abs(b))
        for y in range(chi.size):
            e = np.eye(size)[row + y]
            h += s[y] * np.outer(u, e) + b[y] / s[y] * np.outer(e, u.conj())
            h += (chi[y] + voltage[channel.lead]) * np.outer(e, e)
            occupation = poles.occupation(chi[y], mu[channel.lead])
            term = -1j * np.conj(b[y] * occupation / s[y]) * np.outer(u, e)
            source += term + term.conj().T
        assert poles.fermi is not None
        z, r = poles.fermi.poles(mu[channel.lead], system.kT)
        for z_m, r_m in zip(z, r, strict=True):
            decay.append(np.conj(z_m) + voltage[channel.lead])
            drive.append(np.conj(1j * r_m * channel.broadening(z_m)) * u)
        s_total[q] = v[:, column : column + z.size].sum(axis=1)
        source += -1j * np.outer(u, s_total[q].conj()) + 1j * np.outer(s_total[q], u.conj())
        p = c[:n, row : row + chi.size] @ s + s_total[q][:n]
        w, gamma = channel.vector, channel.wide_band
        h[:n, :n] += -0.5j * gamma * np.outer(w, w.conj())
        source[:n, :n] += 0.5 * gamma * np.outer(w, w.conj())
        rate = -1j * np.outer(w, p.conj()) - 0.5 * gamma * np.outer(w, w.conj()) @ c[:n, :n]
        rate += 0.25 * gamma * np.outer(w, w.conj())
        by_lead[channel.lead] += rate + rate.conj().T
        row, column = row + chi.size, column + z.size
    dv = -1j * (h @ v - v * np.array(decay)) - 1j * np.array(drive).T
    return {"C": -1j * (h @ c - c @ h.conj().T) + source, "v": dv, "leads": by_lead}


def problem(build, seed: int) -> tuple[Equation, np.ndarray, np.ndarray, Dense, float]:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    system = build(rng)
    equation = Equation(expand(system, 1e-3, 1e-4), Frozen(unit_vectors(rng, system.n_sites)))
    state, dense = random_state(rng, equation)
    return equation, equation.moments_at(0.0, state), state, dense, rng.uniform(0.5, 3.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("build", SYSTEMS)
def test_compiled_derivative_is_the_dense_one(build, seed):
    equation, moments, state, dense, tau = problem(build, seed)
    expected = dense_derivative(equation.poles, moments, tau * HBAR, dense)
    got = np.zeros_like(state)
    equation(tau, state, got)
    n, layout = layout_n(equation), equation.layout
    device = layout.device(got)
    scale = np.abs(expected["C"]).max() + np.abs(expected["v"]).max()
    for block, reference in (
        (device[:, : n + layout.n_modes], expected["C"][:n]),
        (device[:, n + layout.n_modes :], expected["v"][:n]),
        (layout.mode_block(got), expected["C"][n:, n:]),
        (layout.vector_modes(got), expected["v"][n:]),
    ):
        np.testing.assert_allclose(block, reference, rtol=0, atol=1e-13 * scale)
    assert np.array_equal(layout.density_matrix(got), layout.density_matrix(got).conj().T)


def layout_n(equation: Equation) -> int:
    return equation.layout.n_states


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("build", SYSTEMS)
def test_outflow_is_minus_the_leads_part_of_the_derivative(build, seed):
    """Charge, sigma and device energy that each lead takes: -Tr[O d rho/dt|_lead]."""
    equation, moments, state, dense, tau = problem(build, seed)
    by_lead = dense_derivative(equation.poles, moments, tau * HBAR, dense)["leads"]
    got = np.zeros_like(state)
    equation(tau, state, got)
    system = equation.system
    one = np.eye(system.n_sites)
    operators = [np.kron(one, s) for s in (np.eye(2), *SIGMA)] + [device_hamiltonian(system, moments)]
    expected = -np.array([[np.trace(o @ rate).real for o in operators] for rate in by_lead])
    np.testing.assert_allclose(equation.layout.outflow(got), expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("build", SYSTEMS)
def test_lead_operators_give_the_leads_part_of_the_derivative(build):
    equation, moments, state, dense, tau = problem(build, 7)
    by_lead = dense_derivative(equation.poles, moments, tau * HBAR, dense)["leads"]
    got = np.zeros_like(by_lead)
    for channel, p in zip(equation.poles.channels, equation.lead_operators(state), strict=True):
        rate = -1j * np.outer(channel.vector, p.conj())
        got[channel.lead] += rate + rate.conj().T
    np.testing.assert_allclose(got, by_lead, rtol=0, atol=1e-12 * np.abs(by_lead).max())


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
    equation = Equation(expand(system, 1e-3, 1e-4), Frozen(moments))
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
        equation = Equation(expand(system, 1e-3, 1e-4), Frozen(unit_vectors(np.random.default_rng(0), n_sites)))
        state, _ = random_state(np.random.default_rng(0), equation)
        out = np.zeros_like(state)
        best = np.inf
        for _ in range(7):
            start = perf_counter()
            equation(0.0, state, out)
            best = min(best, perf_counter() - start)
        return best

    assert seconds(200) < 40 * seconds(50)
