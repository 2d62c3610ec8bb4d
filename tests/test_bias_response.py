"""Response and noise under bias: the rotating frame, the expansion as it stands, closed forms, explicit leads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st
from propagation import unit_vectors
from scipy.special import expit

import llgnegf as ln
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.spectra import ChainSpectrum, WideBandSpectrum
from llgnegf.response.pairs import ChainPairs
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import QuadratureError
from llgnegf.units import HBAR

TEMPERATURES = st.sampled_from([(0.0, 0.0, 0.0), (0.02, 0.02, 0.02), (0.0, 0.05, 0.01), (0.1, 0.0, 0.0)])


def random_leads(rng: np.random.Generator, n: int, kT: tuple[float, ...]) -> list[Any]:
    """Two or three terminals, biased: chains and wide bands, levels shifted, a lead on all sites, orbitals that mix."""
    weak, strong = rng.uniform(0.4, 0.8), rng.uniform(0.6, 1.1)
    at = [{"chemical_potential": float(mu), "kT": t} for mu, t in zip(rng.uniform(-0.6, 0.6, 3), kT, strict=True)]
    channels = [(rng.normal(size=n), ChainSpectrum(strong, 1.0, 0.1)), (rng.normal(size=n), WideBandSpectrum(weak))]
    mixed = {"cell": [[0.2, 0.3], [0.3, -0.1]], "hopping": [[0.9, 0.1], [0.0, 0.7]]}
    mixed["coupling"] = 0.5 * rng.normal(size=(n, 2))
    kinds: list[list[Any]] = [
        [ln.ChainLead(0, coupling=weak, **at[0]), ln.ChainLead(-1, coupling=strong, voltage=0.2, **at[1])],
        [ln.WideBandLead(0, weak, **at[0]), ln.ChainLead(n // 2, coupling=strong, **at[1]), ln.ChainLead(-1, **at[2])],
        [ln.Lead(channels, **at[0]), ln.ChainLead(-1, coupling=weak, voltage=-0.3, **at[1])],
        [ln.PeriodicLead(**mixed, **at[0]), ln.ChainLead(-1, coupling=weak, **at[1])],
    ]
    return kinds[rng.integers(len(kinds))]


def random_system(rng: np.random.Generator, n: int, kT: tuple[float, ...]) -> ln.OpenSystem:
    electrons = ln.chain(n, rng.uniform(0.6, 1.2, n - 1), rng.uniform(0.1, 1.0, n), rng.uniform(-0.4, 0.4, n))
    return ln.OpenSystem(electrons, random_leads(rng, n, kT))


def slope(system: ln.OpenSystem, moments: np.ndarray, axis: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """d<s>/d(hbar w) at w = 0 of the exact rotating frame: central differences and Richardson's extrapolation."""

    def difference(h: float) -> np.ndarray:
        frames = (ln.RotatingFrame(system, moments, s * h, axis, tolerance=1e-12) for s in (1, -1))
        ahead, behind = (ln.spin_density(frame.density_matrix()) for frame in frames)
        return (ahead - behind) / (2 * h)

    return (4 * difference(step / 2) - difference(step)) / 3


def matrix(tensor: np.ndarray) -> np.ndarray:
    return tensor.reshape(3 * len(tensor), -1)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 4), kT=TEMPERATURES)
def test_response_is_the_slope_of_the_rotating_frame(seed: int, n: int, kT: tuple[float, ...]) -> None:
    rng = np.random.default_rng(seed)
    system, moments, axis = random_system(rng, n, kT), unit_vectors(rng, n), unit_vectors(rng, 1)[0]
    tensors = ln.ResponseTensors(system, moments, 1e-10)
    found = tensors.spin_density_change(np.cross(axis, moments) / HBAR)
    np.testing.assert_allclose(found, slope(system, moments, axis), rtol=0, atol=1e-7)
    assert np.abs(tensors.bias_response).max() > 1e-6  # ten times what is compared to


@pytest.mark.parametrize("kT", [(0.0, 0.0, 0.0), (0.02, 0.0, 0.05)])
@pytest.mark.parametrize("moving", [0, 1, 2])
def test_columns_of_one_moment_that_moves(moving: int, kT: tuple[float, ...]) -> None:
    """The others along the axis, up or down, stay where they are."""
    rng = np.random.default_rng(moving)
    axis = unit_vectors(rng, 1)[0]
    moments = axis * np.array([1.0, -1.0, 1.0])[:, None]
    moments[moving] = unit_vectors(rng, 1)[0]
    system = random_system(rng, 3, kT)
    tensors, velocity = ln.ResponseTensors(system, moments, 1e-10), np.cross(axis, moments[moving]) / HBAR
    found = tensors.response[:, :, moving] @ velocity
    np.testing.assert_allclose(found, slope(system, moments, axis), rtol=0, atol=1e-7)
    assert np.abs(tensors.bias_response[:, :, moving] @ velocity).max() > 1e-5


def expansion(system: ln.OpenSystem, moments: np.ndarray) -> np.ndarray:
    """The window part of K as the gradient expansion gives it, with dS/dE, dense numbers and SciPy's quadrature.

    G^<_1 = G_1 S G^dag + G S G_1^dag + (i/2) [d_E(G S) d_t G^dag - d_t G S d_E G^dag] - (i/2) d_t G (dS/dE) G^dag
    """
    n, device = system.n_sites, StaticDevice.of(system, moments)
    mu, kT = np.array([lead.chemical_potential for lead in system.leads]), system.temperatures()
    u = device.vectors
    j_sd = system.electrons.j_sd
    turns = [-j_sd[i] * np.kron(np.outer(np.eye(n)[i], np.eye(n)[i]), s) for i in range(n) for s in PAULI]

    def density(energy: float) -> np.ndarray:
        e = np.array([energy + 0j])
        sigma, change = np.diag(device.self_energies(e)[0]), np.diag(device.self_energy_derivatives(e)[0])
        g = np.linalg.inv(energy * np.eye(2 * n) - device.hamiltonian - u @ sigma @ u.conj().T)
        z = np.eye(2 * n) - u @ change @ u.conj().T
        f, common = expit(-(energy - mu) / kT), expit(-(energy - mu.mean()) / kT.mean())
        d_f = -f * (1 - f) / kT + common * (1 - common) / kT.mean()
        f = (f - common)[device.leads]
        s = 1j * u @ np.diag(-2 * sigma.imag.diagonal() * f) @ u.conj().T
        d_s = -2 * (change.imag.diagonal() * f + sigma.imag.diagonal() * d_f[device.leads])
        d_s = 1j * u @ np.diag(d_s) @ u.conj().T
        d_g, a = -g @ z @ g, g.conj().T
        d_a, rows = d_g.conj().T, []
        for h in turns:
            g1 = -0.5j * g @ (z @ g @ h - h @ g @ z) @ g
            t_g, t_a = g @ h @ g, a @ h @ a
            lesser = g1 @ s @ a + g @ s @ g1.conj().T + 0.5j * ((d_g @ s + g @ d_s) @ t_a - t_g @ s @ d_a)
            rho = -1j / (2 * np.pi) * (lesser - 0.5j * t_g @ d_s @ a)
            rows.append(np.einsum("isit,ats->ia", rho.reshape(n, 2, n, 2), PAULI).real.ravel())
        return np.array(rows).T

    found, _ = scipy.integrate.quad_vec(density, -1.4, 1.4, epsabs=1e-11, limit=2000, norm="max", points=mu)
    return HBAR * found


def test_all_columns_are_those_of_the_expansion() -> None:
    rng = np.random.default_rng(6)
    leads = [
        ln.ChainLead(0, coupling=0.7, chemical_potential=0.35, kT=0.02),
        ln.ChainLead(1, coupling=0.5, chemical_potential=0.1, kT=0.03),
        ln.WideBandLead(-1, 0.6, chemical_potential=-0.2, kT=0.025),
    ]
    system, moments = ln.OpenSystem(ln.chain(3, 0.8, [0.6, 0.5, 0.9]), leads), unit_vectors(rng, 3)
    tensors = ln.ResponseTensors(system, moments, 1e-11)
    np.testing.assert_allclose(matrix(tensors.bias_response), expansion(system, moments), rtol=0, atol=1e-9)
    j = np.repeat(system.electrons.j_sd, 3)[:, None]
    friction, geometric = matrix(tensors.bias_friction), matrix(tensors.bias_geometric)
    np.testing.assert_allclose(friction + geometric, -j * matrix(tensors.bias_response), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(friction, friction.T)
    np.testing.assert_array_equal(geometric, -geometric.T)
    whole = -j * matrix(tensors.response)
    np.testing.assert_allclose(matrix(tensors.friction), 0.5 * (whole + whole.T), rtol=0, atol=1e-14)
    np.testing.assert_allclose(matrix(tensors.geometric), 0.5 * (whole - whole.T), rtol=0, atol=1e-14)


# --- leads that couple alike: one lead with the mean of the fillings --------------------------------------------------


def alike(mu: tuple[float, float], kT: tuple[float, float], n: int = 3) -> tuple[ln.OpenSystem, np.ndarray]:
    """Two chains on the first site whose Gamma are one third and two thirds of all."""
    leads = [
        ln.ChainLead(0, coupling=0.9 * np.sqrt(w), chemical_potential=m, kT=t)
        for w, m, t in zip((1 / 3, 2 / 3), mu, kT, strict=True)
    ]
    return ln.OpenSystem(ln.chain(n, 1.0, [0.6, 0.9, 0.5][:n]), leads), unit_vectors(np.random.default_rng(8), n)


@pytest.mark.parametrize("kT", [(0.0, 0.0), (0.03, 0.0), (0.02, 0.06)])
def test_leads_that_couple_alike_are_one_with_the_mean_filling(kT: tuple[float, float]) -> None:
    """K is linear in the filling: the mean of two equilibria. The torque at rest has no curl then."""
    (system, moments), mu = alike((0.5, -0.3), kT), (0.5, -0.3)
    tensors = ln.ResponseTensors(system, moments, 1e-12)
    one = [ln.ResponseTensors(alike((m, m), (t, t))[0], moments, 1e-12) for m, t in zip(mu, kT, strict=True)]
    for name in ("response", "friction", "geometric", "spin_density_stationary", "torque_at_rest"):
        expected = getattr(one[0], name) / 3 + 2 * getattr(one[1], name) / 3
        np.testing.assert_allclose(getattr(tensors, name), expected, rtol=0, atol=1e-11)
    assert np.abs(tensors.bias_response).max() > 1e-3
    assert np.abs(tensors.curl).max() < 1e-12
    assert tensors.gaining_mode() is None


@pytest.mark.parametrize("j_sd", [0.3, 2.0])
def test_shot_noise_of_a_wide_band_level(j_sd: float) -> None:
    """N = 1, leads of broadening Gamma/3 and 2 Gamma/3 at +-V/2, kT = 0: f (1 - f) = 2/9 between them. Along M both
    spins add up, across M they scatter into one another, a_s = Gamma/((E + s J)^2 + Gamma^2/4):
        noise = (2/9) hbar J^2/2pi int_{-V/2}^{V/2} dE {a_+^2 + a_-^2, 2 a_+ a_-}
    """
    gamma, bias = 0.8, 1.0
    leads = [ln.WideBandLead(0, gamma * w, chemical_potential=v) for w, v in ((1 / 3, bias / 2), (2 / 3, -bias / 2))]
    noise = ln.ResponseTensors(ln.OpenSystem(ln.chain(1, j_sd=j_sd), leads), [[0, 0, 1.0]], 1e-12).noise[0, :, 0]
    level = [lambda e, s=s: gamma / ((e + s * j_sd) ** 2 + gamma**2 / 4) for s in (1, -1)]
    factor = 2 / 9 * HBAR * j_sd**2 / (2 * np.pi)
    along, across = (
        factor * scipy.integrate.quad(f, -bias / 2, bias / 2, epsabs=1e-13, points=[-j_sd, j_sd])[0]
        for f in (lambda e: level[0](e) ** 2 + level[1](e) ** 2, lambda e: 2 * level[0](e) * level[1](e))
    )
    np.testing.assert_allclose(noise, np.diag([across, across, along]), rtol=0, atol=1e-12)


# --- noise ------------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 4), kT=TEMPERATURES)
def test_noise_is_symmetric_and_positive(seed: int, n: int, kT: tuple[float, ...]) -> None:
    rng = np.random.default_rng(seed)
    noise = matrix(ln.ResponseTensors(random_system(rng, n, kT), unit_vectors(rng, n), 1e-8).noise)
    np.testing.assert_allclose(noise, noise.T, rtol=0, atol=1e-15)
    values = np.linalg.eigvalsh(noise)
    assert values[0] > -1e-14 * values[-1]
    assert values[-1] > 1e-6


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 4), kT=st.sampled_from([0.005, 0.02, 0.1]))
def test_equilibrium_noise_is_twice_kT_times_the_friction(seed: int, n: int, kT: float) -> None:
    rng = np.random.default_rng(seed)
    leads = [ln.ChainLead(0, coupling=rng.uniform(0.2, 1)), ln.WideBandLead(-1, rng.uniform(0.1, 1))]
    electrons = ln.chain(n, 0.9, rng.uniform(0.1, 1.0, n), rng.uniform(-0.4, 0.4, n))
    tensors = ln.ResponseTensors(ln.OpenSystem(electrons, leads, 0.3, kT), unit_vectors(rng, n), 1e-11)
    np.testing.assert_allclose(tensors.noise, 2 * kT * tensors.friction, rtol=0, atol=1e-10)
    assert np.abs(tensors.noise).max() > 1e-5
    for name in ("bias_response", "bias_friction", "bias_geometric", "curl", "bias_spin_density", "bias_torque"):
        assert not getattr(tensors, name).any()


def test_nothing_fluctuates_at_zero_temperature_without_bias() -> None:
    tensors = ln.ResponseTensors(ln.OpenSystem(ln.chain(2, 1.0, 0.5), [ln.ChainLead(0)]), np.eye(3)[:2])
    assert not tensors.noise.any()
    assert tensors.friction.any()


def test_noise_is_the_correlator_of_explicit_leads() -> None:
    """Device and leads as one chain of 302 sites, filled apart; at t_0 = 90 hbar/eV what the start left has decayed.

    Wick's theorem: <dS_a(t_0 + t) dS_b(t_0)> = Tr S_a U (1 - rho) S_b rho U^dag, summed over |t| < 50 hbar/eV; the
    leads' ends are heard after 150. Start and sum leave 2e-5 of the largest entry; 5e-5 with t_0 = 60.
    """
    length, n, j_sd, mu, kT, coupling = 150, 2, np.array([0.35, 0.2]), (0.4, -0.5), (0.08, 0.12), (0.8, 0.6)
    leads = [
        ln.ChainLead(s, coupling=c, chemical_potential=m, kT=t)
        for s, c, m, t in zip((0, -1), coupling, mu, kT, strict=True)
    ]
    moments = unit_vectors(np.random.default_rng(2), n)
    expected = matrix(ln.ResponseTensors(ln.OpenSystem(ln.chain(n, 0.9, j_sd), leads), moments, 1e-9).noise)
    hop = -np.concatenate([np.ones(length - 1), [coupling[0], 0.9, coupling[1]], np.ones(length - 1)])
    h = np.kron(np.diag(hop, 1) + np.diag(hop, -1), np.eye(2)).astype(complex)
    device = slice(2 * length, 2 * (length + n))
    spins = np.array([np.kron(np.diag(np.eye(n)[i]), s) for i in range(n) for s in PAULI])
    h[device, device] -= np.einsum("k,kxy->xy", (j_sd[:, None] * moments).ravel(), spins)
    rho = np.zeros_like(h)
    for own, m, t in zip((slice(0, device.start), slice(device.stop, None)), mu, kT, strict=True):
        energies, states = np.linalg.eigh(h[own, own])
        rho[own, own] = (states * expit(-(energies - m) / t)) @ states.conj().T
    energies, states = np.linalg.eigh(h)
    near, phase = states.conj().T[:, device], np.exp(-90j * energies)
    filled = phase[:, None] * (states.conj().T @ rho @ (states * phase.conj()[None]) @ near)
    times = np.linspace(0.0, 50.0, 1001)
    turned = (np.exp(1j * times[:, None] * energies)[:, :, None] * near).conj()
    greater = np.einsum("tkx,ky->txy", turned, near - filled, optimize=True)
    lesser = np.einsum("tkx,ky->txy", turned, filled, optimize=True).conj().swapaxes(1, 2)
    correlator = np.einsum("axy,tyz,bzw,twx->tab", spins, greater, spins, lesser, optimize=True).real
    total, j = scipy.integrate.simpson(correlator, x=times, axis=0), np.repeat(j_sd, 3)
    found = HBAR * j[:, None] * (total + total.T) * j
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


# --- the stationary state and its torque ------------------------------------------------------------------------------


@pytest.mark.parametrize("kT", [0.0, 0.03])
def test_curl_is_that_of_the_stationary_torque(kT: float) -> None:
    """C_{ia,jb} = d(J_i <s_i>^a)/dM_jb by differences: H knows J_j M_j alone, so M_j may change its length too."""
    leads = [
        ln.ChainLead(0, coupling=0.8, chemical_potential=0.5, kT=kT),
        ln.ChainLead(-1, coupling=0.6, voltage=-0.2, chemical_potential=-0.1, kT=0.5 * kT),
    ]
    rng, j_sd = np.random.default_rng(4), np.array([0.6, 0.8])
    fields = j_sd[:, None] * unit_vectors(rng, 2)

    def spins(fields: np.ndarray) -> np.ndarray:
        size = np.linalg.norm(fields, axis=1)
        frame = ln.RotatingFrame(
            ln.OpenSystem(ln.chain(2, 1.0, size), leads), fields / size[:, None], 0.0, tolerance=1e-12
        )
        return ln.spin_density(frame.density_matrix()).ravel()

    def column(k: int, step: float) -> np.ndarray:
        change = step * np.eye(6)[k].reshape(2, 3) * j_sd[:, None]
        return (spins(fields + change) - spins(fields - change)) / (2 * step)

    columns = [(4 * column(k, 1e-3) - column(k, 2e-3)) / 3 for k in range(6)]
    change = np.repeat(j_sd, 3)[:, None] * np.array(columns).T
    tensors = ln.ResponseTensors(ln.OpenSystem(ln.chain(2, 1.0, j_sd), leads), fields / j_sd[:, None], 1e-11)
    np.testing.assert_allclose(matrix(tensors.curl), 0.5 * (change - change.T), rtol=0, atol=1e-8)
    assert np.abs(tensors.curl).max() > 1e-3
    np.testing.assert_allclose(tensors.spin_density_stationary.ravel(), spins(fields), rtol=0, atol=1e-10)
    expected = j_sd[:, None] * np.cross(spins(fields).reshape(2, 3), tensors.moments)
    np.testing.assert_allclose(tensors.torque_at_rest, expected, rtol=0, atol=1e-10)


def test_bias_part_of_the_spin_density_is_what_the_bias_changes() -> None:
    """Leads filled alike at the mean chemical potential and temperature leave the rest."""
    moments = unit_vectors(np.random.default_rng(5), 3)

    def tensors(mu: tuple[float, float], kT: tuple[float, float]) -> ln.ResponseTensors:
        leads = [
            ln.ChainLead(s, coupling=0.7, chemical_potential=m, kT=t) for s, m, t in zip((0, -1), mu, kT, strict=True)
        ]
        return ln.ResponseTensors(ln.OpenSystem(ln.chain(3, 1.0, 0.5), leads), moments, 1e-11)

    biased, rest = tensors((0.5, -0.1), (0.06, 0.0)), tensors((0.2, 0.2), (0.03, 0.03))
    changed = biased.spin_density_stationary - rest.spin_density_stationary
    np.testing.assert_allclose(biased.bias_spin_density, changed, rtol=0, atol=1e-10)
    np.testing.assert_allclose(biased.bias_torque, biased.torque_at_rest - rest.torque_at_rest, rtol=0, atol=1e-10)
    # What f adds is the same in both.
    for name in ("sea_response", "surface_response"):
        np.testing.assert_array_equal(getattr(biased, name), getattr(rest, name))


def test_a_voltage_on_all_leads_is_a_gate_on_the_device() -> None:
    moments = unit_vectors(np.random.default_rng(6), 2)
    found = []
    for voltage, onsite in ((0.3, 0.3), (0.0, 0.0)):
        leads = [
            ln.ChainLead(0, voltage=voltage, chemical_potential=0.2, kT=0.01),
            ln.WideBandLead(-1, 0.5, voltage=voltage, chemical_potential=-0.3, kT=0.0),
        ]
        system = ln.OpenSystem(ln.chain(2, 1.0, 0.5, onsite=onsite), leads)
        found.append(ln.ResponseTensors(system, moments, 1e-12))
    for name in ("response", "noise", "curl", "bias_spin_density"):
        np.testing.assert_allclose(getattr(found[0], name), getattr(found[1], name), rtol=0, atol=1e-11)


def test_weak_leads_make_friction_negative() -> None:
    """Levels 1e-4 eV wide between two Fermi energies: the moments gain energy along a mode that friction names."""
    leads = [ln.ChainLead(s, coupling=0.01, chemical_potential=m) for s, m in ((0, 1.2), (-1, -0.2))]
    system, moments = ln.OpenSystem(ln.chain(2, 1.0, 0.5), leads), unit_vectors(np.random.default_rng(3), 2)
    tensors = ln.ResponseTensors(system, moments)
    mode = tensors.gaining_mode()
    assert mode is not None and mode.eigenvalue < 0
    np.testing.assert_allclose(np.sum(mode.vector * moments, axis=1), 0.0, atol=1e-12)
    assert np.linalg.norm(mode.vector) == pytest.approx(1.0)
    assert tensors.power(mode.vector) == pytest.approx(mode.eigenvalue, rel=1e-9)
    assert mode.eigenvalue < -1e-4
    for velocity in np.cross(np.random.default_rng(1).normal(size=(20, 2, 3)), moments):
        assert tensors.power(velocity) >= mode.eigenvalue * np.sum(velocity**2)
    axis = np.array([0.0, 0.6, 0.8])
    found = tensors.spin_density_change(np.cross(axis, moments) / HBAR)
    np.testing.assert_allclose(found, slope(system, moments, axis, 2e-6), rtol=0, atol=1e-7)


# --- devices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kT", [(0.0, 0.0), (0.02, 0.05), (0.0, 0.03)])
@pytest.mark.parametrize(("n", "distance"), [(1, 2), (2, 0), (9, 2)])
def test_local_pairs_by_recursion_are_those_of_the_full_tensors(n: int, distance: int, kT: tuple[float, float]) -> None:
    rng = np.random.default_rng(n)
    leads = [
        ln.ChainLead(0, coupling=0.7, chemical_potential=0.3, kT=kT[0]),
        ln.WideBandLead(-1, 0.4, chemical_potential=-0.2, kT=kT[1]),
    ]
    electrons = ln.chain(n, rng.uniform(0.6, 1.2, n - 1), rng.uniform(0.1, 1.0, n), rng.uniform(-0.4, 0.4, n))
    full, near = (
        ln.ResponseTensors(ln.OpenSystem(electrons, leads), unit_vectors(np.random.default_rng(1), n), 1e-11, d)
        for d in (None, distance)
    )
    assert isinstance(near._green, ChainPairs) and not isinstance(full._green, ChainPairs)
    kept = (np.abs(np.arange(n)[:, None] - np.arange(n)) <= distance)[:, None, :, None]
    for name in ("bias_response", "response", "noise", "curl"):
        expected = np.where(kept, getattr(full, name), 0.0)
        np.testing.assert_allclose(getattr(near, name), expected, rtol=0, atol=1e-10)
    for name in ("bias_spin_density", "spin_density_stationary"):
        np.testing.assert_allclose(getattr(near, name), getattr(full, name), rtol=0, atol=1e-10)


def test_local_pairs_of_a_chain_with_narrow_levels() -> None:
    """Widths of 1e-5 eV: the recursion measures energies from 0, which whole matrices must make good."""
    leads = [ln.ChainLead(s, coupling=c, chemical_potential=m) for s, c, m in ((0, 0.01, 0.8), (-1, 0.02, -0.2))]
    moments = unit_vectors(np.random.default_rng(3), 6)
    full, near = (ln.ResponseTensors(ln.OpenSystem(ln.chain(6, 1.0, 0.3), leads), moments, 1e-9, d) for d in (None, 1))
    assert not near._green.resolves(near._state.window(near._green), 3, 1e-9)
    kept = (np.abs(np.arange(6)[:, None] - np.arange(6)) <= 1)[:, None, :, None]
    size = np.abs(full.bias_response).max()
    assert size > 10.0
    expected = np.where(kept, full.bias_response, 0.0)
    np.testing.assert_allclose(near.bias_response, expected, rtol=0, atol=1e-8 * size)


def test_closed_devices_have_no_bias() -> None:
    tensors = ln.ResponseTensors(ln.OpenSystem(ln.chain(2, 1.0, 0.5), fermi_energy=0.1, kT=0.01), np.eye(3)[:2])
    for name in ("bias_response", "noise", "curl", "friction", "bias_spin_density"):
        assert not getattr(tensors, name).any()
    assert tensors.gaining_mode() is None


def test_levels_that_no_lead_reaches_are_no_part_of_the_window() -> None:
    """An isolated site with levels between the Fermi energies, and bound states at sqrt(4 + J^2) = 2.2 eV."""
    leads = [ln.ChainLead(0, chemical_potential=m, kT=0.02, coupling=c) for m, c in ((2.6, 1.0), (1.6, 0.6))]
    moments = unit_vectors(np.random.default_rng(3), 2)
    apart = ln.ResponseTensors(ln.OpenSystem(ln.chain(2, 0.0, [1.0, 0.4], [0.0, 2.0]), leads), moments, 1e-10)
    alone = ln.ResponseTensors(ln.OpenSystem(ln.chain(1, j_sd=1.0), leads), moments[:1], 1e-10)
    for name in ("bias_response", "noise", "curl"):
        found = getattr(apart, name)
        np.testing.assert_allclose(found[0, :, 0], getattr(alone, name)[0, :, 0], rtol=0, atol=1e-9)
        found[0, :, 0] = 0.0
        assert not found.any()
    assert np.abs(alone.noise).max() > 1e-4


def test_dark_combination_between_the_fermi_energies_is_refused() -> None:
    """Two sites alike on both leads, levels at +-0.5 eV: motion mixes the odd one with the damped even one."""
    even = np.array([1.0, 1.0])
    leads = [ln.Lead([(even, WideBandSpectrum(0.2))], chemical_potential=m) for m in (0.7, 0.2)]
    tensors = ln.ResponseTensors(ln.OpenSystem(ln.chain(2, 0.0, 0.5), leads), np.tile([0.0, 0.0, 1.0], (2, 1)))
    for name in ("response", "noise", "curl"):
        with pytest.raises(QuadratureError, match="0.5 eV that no lead reaches, within 40 kT of the Fermi energy or"):
            getattr(tensors, name)
    assert np.isfinite(tensors.torque_at_rest).all()


def test_a_mode_moves_moments_alone() -> None:
    """Sites without a moment have their part in the tensors, none in the mode."""
    leads = [ln.ChainLead(s, coupling=0.01, chemical_potential=m) for s, m in ((0, 1.2), (-1, -0.2))]
    moments = unit_vectors(np.random.default_rng(3), 3)
    moments[1] = 0.0
    tensors = ln.ResponseTensors(ln.OpenSystem(ln.chain(3, 1.0, 0.5), leads), moments)
    mode = tensors.gaining_mode()
    assert mode is not None
    assert np.abs(mode.vector[1]).max() < 1e-12 < np.abs(tensors.friction[1, :, 1]).max()
    round_off = 1e-13 * np.abs(tensors.friction).max()
    assert tensors.power(mode.vector) == pytest.approx(mode.eigenvalue, abs=round_off)
    assert mode.eigenvalue < -1e3 * round_off


def test_cut_tensors_name_no_mode() -> None:
    tensors = ln.ResponseTensors(ln.OpenSystem(ln.chain(2, 1.0, 0.5), [ln.ChainLead(0)]), np.eye(3)[:2], 1e-6, 0)
    with pytest.raises(ValueError, match=r"ResponseTensors.max_distance: 0; allowed: None for gaining_mode"):
        tensors.gaining_mode()
