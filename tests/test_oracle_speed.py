"""The oracle's fast paths, recursion along chains and low rank in the levels, against dense inversion; their cost."""

import tracemalloc
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llgnegf as ln
from llgnegf.problem.spectra import ChainSpectrum, WideBandSpectrum
from llgnegf.static import rotating_frame
from llgnegf.static.contour import Contour
from llgnegf.static.green import StaticChannel, StaticDevice
from llgnegf.static.level_sums import LevelParts
from llgnegf.static.local import LocalDensityMatrix
from llgnegf.static.recursion import ChainGreen, is_chain
from llgnegf.static.views import OnChain, WindowTooNarrow
from llgnegf.static.window import chain_window

PARTS = ("adiabatic", "geometric", "sea", "surface")


def random_texture(rng, n_sites):
    vectors = rng.normal(size=(n_sites, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_blocks(rng, *shape):
    return rng.normal(size=(*shape, 2, 2)) + 1j * rng.normal(size=(*shape, 2, 2))


def random_chain(rng, n_sites, lead_sites):
    """A chain with complex, spin-dependent blocks everywhere and one lead channel on each of `lead_sites`."""
    hamiltonian = np.zeros((n_sites, 2, n_sites, 2), dtype=complex)
    for i in range(n_sites):
        block = random_blocks(rng)
        hamiltonian[i, :, i] = 0.5 * (block + block.conj().T)
    for i in range(n_sites - 1):
        hamiltonian[i, :, i + 1] = random_blocks(rng)
        hamiltonian[i + 1, :, i] = hamiltonian[i, :, i + 1].conj().T
    channels = []
    for number, site in enumerate(lead_sites):
        vector = np.zeros(2 * n_sites, dtype=complex)
        vector[2 * site : 2 * site + 2] = random_blocks(rng)[0]
        spectrum = WideBandSpectrum(0.7) if number % 2 else ChainSpectrum(0.8, 1.5, 0.1)
        channels.append(StaticChannel(vector, spectrum, 0.1 * number, 0.0, number, 0))
    return StaticDevice(hamiltonian.reshape(2 * n_sites, 2 * n_sites), tuple(channels))


def cut(matrices):
    """Site, upper and lower bond blocks of (n, 2N, 2N), (n, 3 N - 2, 2, 2)."""
    n = matrices.shape[-1] // 2
    blocks = matrices.reshape(-1, n, 2, n, 2).transpose(0, 1, 3, 2, 4)
    i = np.arange(n)
    return np.concatenate([blocks[:, i, i], blocks[:, i[:-1], i[1:]], blocks[:, i[1:], i[:-1]]], axis=1)


@given(seed=st.integers(0, 10**6), n_sites=st.integers(1, 9), data=st.data())
@settings(max_examples=40, deadline=None)
def test_recursion_is_the_inverse(seed, n_sites, data):
    """G, G X G with X on every site, and G u_q; leads anywhere, also in the middle and twice on one site."""
    rng = np.random.default_rng(seed)
    sites = data.draw(st.lists(st.integers(0, n_sites - 1), min_size=1, max_size=3))
    device = random_chain(rng, n_sites, sites)
    assert is_chain(device)
    energy = rng.uniform(-3, 3, 5) + 1j * rng.uniform(0.05, 2.0, 5)
    x = random_blocks(rng, 2, n_sites)
    green = device.retarded(energy)
    found = ChainGreen(device).local_blocks(energy, x[..., None])
    scale = np.abs(green).max() ** 2
    np.testing.assert_allclose(found[:, 0], cut(green), rtol=0, atol=1e-12 * scale)
    for p in range(2):
        full = np.zeros((2 * n_sites, 2 * n_sites), dtype=complex)
        for i in range(n_sites):
            full[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = x[p, i]
        np.testing.assert_allclose(found[:, 1 + p], cut(green @ full @ green), rtol=0, atol=1e-11 * scale**1.5)
    columns = ChainGreen(device).columns(energy).reshape(2 * n_sites, len(sites), 5).transpose(2, 0, 1)
    np.testing.assert_allclose(columns, green @ device.vectors, rtol=0, atol=1e-12 * scale)


@given(seed=st.integers(0, 10**6), n_sites=st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_phase_without_leads_counts_levels(seed, n_sites):
    """arg det(E - H) = pi times the number of levels above E (Sturm)."""
    rng = np.random.default_rng(seed)
    device = StaticDevice(random_chain(rng, n_sites, []).hamiltonian, ())
    energy = rng.uniform(-5, 5, 20)
    above = (device.levels[0] > energy[:, None]).sum(axis=1)
    np.testing.assert_allclose(ChainGreen(device).phase(energy), np.pi * above, rtol=0, atol=1e-9)


def test_phase_with_leads_is_that_of_the_determinant():
    rng = np.random.default_rng(3)
    device, energy = random_chain(rng, 6, [0, 2, 5]), np.linspace(-6, 6, 2001)
    determinant = np.linalg.det(np.linalg.inv(device.retarded(energy.astype(complex))))
    phase = ChainGreen(device).phase(energy)
    np.testing.assert_allclose(np.exp(1j * phase), determinant / np.abs(determinant), rtol=0, atol=1e-10)
    assert np.abs(np.diff(phase)).max() < 2  # continuous: no jump by 2 pi, nor by pi where it turns fast


def test_low_rank_is_the_inverse_for_any_device():
    """Dense Hamiltonian, vectors over all sites, energies down to 1e-5 from a level (the dense fallback)."""
    rng = np.random.default_rng(5)
    n, hermitian = 8, rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
    vectors = rng.normal(size=(3, n)) + 1j * rng.normal(size=(3, n))
    channels = tuple(StaticChannel(v, ChainSpectrum(0.8, 3.0), 0.2, 0.0, 0, 0) for v in vectors)
    device = StaticDevice(hermitian + hermitian.conj().T, channels)
    energy = np.concatenate([rng.uniform(-5, 5, 6) + 0.3j, device.levels[0] + 1e-5j, device.levels[0] + 1e-3j])
    states, x = device.levels[1], random_blocks(rng, 16).reshape(n, n)
    green, weights = device.retarded(energy), rng.normal(size=(energy.size, 3))
    fast = device.level_green(energy)
    assert 0 < fast.doubtful.sum() < energy.size
    parts = LevelParts(device, states.conj().T @ x @ states, lambda z: weights)
    each = np.stack([parts.total(energy, one) for one in np.eye(energy.size)], axis=1)  # the sum over a single energy
    products = green, green @ x @ green, green @ device.on_device(weights) @ green
    for found, expected in zip(each, products, strict=True):
        # D X D is of the size of |D|^2 and cancels: that much round-off, and none where the dense fallback is taken.
        round_off = np.where(fast.doubtful, 1e-11, 1e-14 * np.abs(fast.diagonal).max(axis=1) ** 2)
        error = np.abs(states @ found @ states.conj().T - expected).max(axis=(1, 2))
        assert (error <= np.maximum(round_off, 1e-12)).all()


CASES = [
    # sites of the leads, gamma_c, J_sd, kT, E_F, hbar w
    ((0, -1), 1.0, 0.1, 0.0, 0.0, 0.001),
    ((0, -1), 0.6, 1.0, 0.01, 0.1, 0.01),
    ((0, -1), 1.0, 20.0, 0.01, -0.3, 0.1),
    ((0, 0), 1.0, 1.0, 0.02, 0.1, 0.01),
    ((2, -1), 0.3, 0.5, 0.0, 0.2, 0.05),
    ((0, -1), 0.05, 2.0, 0.02, 0.0, 0.02),
    ((0, -1), 1.0, 0.3, 0.02, 1.9, 0.02),
]


@pytest.mark.parametrize("case", CASES)
def test_local_quantities_are_those_of_the_full_matrices(case, monkeypatch):
    sites, coupling, j_sd, kT, mu, energy = case
    rng = np.random.default_rng(1)
    leads = [ln.ChainLead(site, coupling=coupling) for site in sites]
    electrons = ln.chain(6, rng.uniform(0.8, 1.2, 5), j_sd)
    texture = random_texture(rng, 6)
    frame = ln.RotatingFrame(ln.OpenSystem(electrons, leads, mu, kT), texture, energy, (1, 2, 3))
    full, local = frame.decompose(), frame.decompose_locally()
    pairs = [(getattr(full, part), getattr(local, part)) for part in (*PARTS, "nonadiabatic")]
    pairs.append((frame.density_matrix(), frame.local_density_matrix()))
    for rho, blocks in pairs:
        for found, expected in (
            (blocks.spin_density(), ln.spin_density(rho)),
            (blocks.charge_density(), ln.charge_density(rho)),
            (blocks.torque(texture, j_sd), ln.torque(rho, texture, j_sd)),
            (blocks.bond_charge_current(electrons), ln.bond_charge_current(rho, electrons)),
            (blocks.bond_spin_current(electrons), ln.bond_spin_current(rho, electrons)),
        ):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * max(1.0, j_sd))
    currents = lead_currents(frame)
    monkeypatch.setattr(rotating_frame, "LONG_CHAIN", 1)
    np.testing.assert_allclose(lead_currents(frame), currents, rtol=0, atol=1e-9)


def lead_currents(frame):
    """Exact spin and charge currents and those of the four parts."""
    parts = frame.decompose_lead_currents()
    flows = [frame.lead_currents(), *(getattr(parts, part) for part in PARTS)]
    return np.array([np.concatenate([flow.charge, flow.spin.ravel()]) for flow in flows])


def test_full_matrix_is_the_integral_of_the_inverse():
    """Common part on the same contour with one dense inversion for each energy."""
    rng = np.random.default_rng(2)
    system = ln.OpenSystem(ln.chain(5, j_sd=0.8), [ln.ChainLead(0), ln.ChainLead(3, coupling=0.4)], 0.2, 0.01)
    frame = ln.RotatingFrame(system, random_texture(rng, 5), 0.01)
    state = frame._linear_response("test").state
    contour = Contour.of(state.device.hamiltonian, state.mu, state.kT)
    dense = contour.integral(state.device.retarded, np.eye(10), 1e-10, 300, "test")
    np.testing.assert_allclose(frame.decompose().adiabatic, dense.value, rtol=0, atol=1e-9)


def test_resonance_too_narrow_for_the_recursion_goes_the_dense_way():
    """gamma_c = 1e-6: widths of 1e-12 eV inside the window."""
    leads = [ln.ChainLead(0, coupling=1e-6), ln.ChainLead(-1, coupling=1e-6)]
    system = ln.OpenSystem(ln.chain(4, j_sd=0.2), leads, kT=0.05)
    frame = ln.RotatingFrame(system, random_texture(np.random.default_rng(4), 4), 0.01)
    with pytest.raises(WindowTooNarrow):
        frame.steady_state.density_matrix(OnChain(frame.steady_state.device))
    found, expected = frame.local_density_matrix(), LocalDensityMatrix.cut(frame.density_matrix())
    assert np.array_equal(found.diagonal, expected.diagonal)
    assert np.array_equal(found.upper, expected.upper)


def test_chain_window_resolves_a_resonance_that_fixed_panels_would_miss():
    """A weakly coupled level in the middle of a cell: the cells next to it are as narrow as it is."""
    level, coupling = 0.0371, 1e-3
    device = random_chain(np.random.default_rng(0), 1, [])
    hamiltonian = np.diag([level, 7.0]).astype(complex)
    channel = StaticChannel(np.array([coupling, 0.0], complex), WideBandSpectrum(1.0), 0.0, 0.0, 0, 0)
    device = StaticDevice(hamiltonian, (channel,))
    window = chain_window(ChainGreen(device), -1.0, 1.0, np.zeros(1))
    assert window is not None
    nearest = min(window.panels, key=lambda p: abs(0.5 * (p.lower + p.upper) - level))
    assert nearest.upper - nearest.lower < 4 * coupling**2  # the level's width is Gamma |u|^2 = 1e-6
    total = sum(p.upper - p.lower for p in window.panels)
    assert total == pytest.approx(2.0, abs=1e-12)


def test_closed_chain_has_local_quantities_too():
    frame = ln.RotatingFrame(ln.OpenSystem(ln.chain(4, j_sd=1.0), kT=0.1), ln.cone(4, 0.7), 0.01)
    expected = ln.spin_density(frame.decompose().geometric)
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(frame.decompose_locally().geometric.spin_density(), expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(
        frame.local_density_matrix().charge_density(), ln.charge_density(frame.density_matrix()), rtol=0, atol=1e-15
    )


def test_a_device_that_is_no_chain_is_refused():
    ring = -np.ones((3, 3)) + np.eye(3)
    frame = ln.RotatingFrame(ln.OpenSystem(ln.Electrons.spinless(ring, 0.1), [ln.ChainLead(0)]), ln.uniform(3), 0.01)
    for method in (frame.local_density_matrix, frame.decompose_locally):
        with pytest.raises(ValueError, match="hopping beyond neighbouring sites.*allowed: a nearest-neighbour chain"):
            method()


def test_local_density_matrix_refuses_electrons_of_another_shape():
    frame = ln.RotatingFrame(ln.OpenSystem(ln.chain(3), [ln.ChainLead(0)], kT=0.1), ln.uniform(3), 0.01)
    with pytest.raises(ValueError, match="4 sites.*allowed: a chain of 3 sites"):
        frame.local_density_matrix().bond_charge_current(ln.chain(4))


def wire(n_sites, kT):
    system = ln.OpenSystem(ln.chain(n_sites, j_sd=0.1), [ln.ChainLead(0), ln.ChainLead(-1)], kT=kT)
    return ln.RotatingFrame(system, ln.bloch_wall(n_sites, (n_sites + 1) / 2, n_sites / 20), 0.001)


def seconds(function, repeats=2):
    best = np.inf
    for _ in range(repeats):
        start = process_time()
        function()
        best = min(best, process_time() - start)
    return best


def test_cost_per_energy_is_linear_in_the_sites():
    """800 against 200 sites: 4 when linear, 16 when quadratic. The number of energies is the integrand's affair."""
    energy = 1j + np.linspace(-1, 1, 64)

    def cost(n_sites):
        chain = ChainGreen(wire(n_sites, 0.0).steady_state.device)
        turn = np.broadcast_to(np.eye(2, dtype=complex)[..., None], (1, n_sites, 2, 2, 1))
        chain.local_blocks(energy, turn)
        return seconds(lambda: chain.local_blocks(energy, turn), 4)

    assert cost(800) < 6 * cost(200)


def test_two_hundred_sites_in_seconds():
    """Every local quantity of a 200-site wall at kT = 0.01; 60 s is asked for."""
    frame = wire(200, 0.01)
    assert seconds(lambda: (frame.decompose_locally(), frame.local_density_matrix(), frame.lead_currents()), 1) < 10


def test_full_matrices_of_two_hundred_sites_take_less_than_half_a_gigabyte():
    frame = wire(200, 0.0)
    tracemalloc.start()
    frame.decompose()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6


@pytest.mark.parametrize("distance", [1e-3, 1e-9, 1e-15])
def test_broadening_at_the_band_edge_keeps_its_digits(distance):
    """gamma = 1: sqrt(4 - x^2) = sqrt(d (4 - d)), d = 2 - x as the floating-point x has it."""
    x = 2.0 - distance
    d = 2.0 - x  # exact (Sterbenz)
    assert float(ChainSpectrum(1.0, 1.0).broadening(x)) == pytest.approx(np.sqrt(d * (4 - d)), rel=4e-16)
