"""Static solvers of ribbons against dense formulas: sums over energies, panels, rotating frame, `relax`; their cost."""

from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix_leads import absorbing, couplings
from propagation import random_hermitian, unit_vectors
from scipy.optimize import brentq

import llgnegf as ln
from llgnegf.poles.channels import expand
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.spectra import ChainSpectrum, WideBandSpectrum
from llgnegf.run.relax import FreeEnergy
from llgnegf.static import frozen
from llgnegf.static.channels import StaticChannel
from llgnegf.static.green import StaticDevice
from llgnegf.static.level_sums import LevelParts, probes
from llgnegf.static.quadrature import QuadratureError, Sampled, integrate, segments
from llgnegf.static.resonances import hidden_levels
from llgnegf.static.site_green import WHOLE, SiteGreen
from llgnegf.static.undamped import bound_states
from llgnegf.static.views import InLevels
from llgnegf.static.window import fermi_points, window_panels

EDGE = 2 - np.sqrt(2)
"""Where a mode of an ideal ribbon three sites wide begins: its transverse levels are 0 and +-sqrt(2), gamma = 1."""


def device_of(rng, size, matrix_lead):
    """A dense H with a lead of two chains and one more lead, of matrices or with a wide band."""
    scalar = [StaticChannel(u, ChainSpectrum(0.8, 1.5, 0.1), 0.2, 0.0, 0) for u in couplings(rng, size, 2).T]
    other = StaticChannel(couplings(rng, size, 2), absorbing(rng, 2), 0.1, 0.0, 1)
    wide = StaticChannel(couplings(rng, size, 1)[:, 0], WideBandSpectrum(0.4), 0.0, 0.0, 1)
    return StaticDevice(random_hermitian(rng, size), (*scalar, other if matrix_lead else wide))


@given(seed=st.integers(0, 10**6), n_sites=st.integers(1, 5), matrix_lead=st.booleans())
@settings(max_examples=20, deadline=None)
def test_sums_of_products_are_those_of_whole_matrices(seed, n_sites, matrix_lead):
    """G, G X G, G Y G at energies where the low rank is sound and, 1e-8 from a level, where it is not."""
    rng = np.random.default_rng(seed)
    device = device_of(rng, 2 * n_sites, matrix_lead)
    states, u = device.levels[1], device.vectors
    z = np.concatenate([rng.uniform(-2, 2, 5) + 0.3j, device.levels[0][:1] + 1e-8j])
    x = random_hermitian(rng, device.size)
    green, weights = device.retarded(z), device.self_energy_derivatives(z)
    whole = np.stack([green, green @ x @ green, green @ device.on_device(weights) @ green], axis=1)
    whole = states.conj().T @ whole @ states
    parts = LevelParts(device, states.conj().T @ x @ states, device.self_energy_derivatives)
    factors = rng.normal(size=6) + 1j * rng.normal(size=6)
    scale, p, levels = np.abs(whole).max() ** 2, probes(device.size), states.conj().T @ u

    def compare(found, expected):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * max(scale, 1.0))

    compare(parts.total(z, factors), np.einsum("n,npij->pij", factors, whole))
    compare(LevelParts(device).total(z, factors), np.einsum("n,nij->ij", factors, whole[:, 0])[None])
    compare(parts.sample(z), p.conj().T @ whole @ p)
    rows, columns = parts.on_vectors(z)
    compare(rows, levels.conj().T @ whole)
    compare(columns, whole @ levels)
    view, energy, real = InLevels(device), rng.uniform(-2, 2, 4), factors[:4].real
    integrand = view.spectral(view.columns, lambda origin, offset: device.broadenings(origin + offset))
    axis = np.linalg.inv(device.inverse_green(energy.astype(complex)))
    spectral = 1j * states.conj().T @ (axis - axis.conj().swapaxes(-1, -2)) @ states
    compare(integrand.total(energy, 0 * energy, real), np.einsum("n,nij->ij", real, spectral))
    compare(integrand.sample(0 * energy, energy), p.conj().T @ spectral @ p)
    compare(integrand.at(energy[:1], np.zeros(1)), spectral[0])


def test_samples_are_of_the_size_of_what_they_sample():
    """F = x x^dag of unit vectors: the largest |p^dag F p'| is 1 on average, and not below 0.1 in a thousand."""
    x = couplings(np.random.default_rng(0), 1000, 80)
    sizes = np.abs(x.conj() @ probes(80)).max(axis=1) ** 2 / np.linalg.norm(x, axis=1) ** 2
    assert 0.9 < sizes.mean() < 1.1
    assert (sizes < 0.1).sum() <= 2


def test_what_is_sampled_is_summed_on_the_nodes_of_the_samples():
    """int_0^9 of exp(-9 x) cos 40 x and exp(-9 x), shown by the first; what is far out counts for nothing."""
    calls = []

    def total(panel, x, weights):
        calls.append(x.max())
        return np.array([weights @ (np.exp(-9 * x) * np.cos(40 * x)), weights @ np.exp(-9 * x)])

    sampled = Sampled(lambda panel, x: np.exp(-9 * x) * np.cos(40 * x), total)
    found = integrate(sampled, segments(np.linspace(0, 9, 5)), 1e-9, 1)
    np.testing.assert_allclose(found.value, [9 / (81 + 1600), 1 / 9], rtol=0, atol=1e-9)
    assert max(calls) < 5  # exp(-9 x) < 1e-11 from 2.9 on, in the panel up to 4.5


def hopping_with_flux(lattice, phase):
    """H_0 of electrons on a lattice, hopping 1 eV, with `phase` through each unit square."""
    matrix, (x, y) = lattice.electrons(0.8).hamiltonian[::2, ::2], lattice.positions.T[:2]
    return matrix * np.exp(0.5j * phase * (np.outer(x, y) - np.outer(y, x)))


def ribbon(n_x=4, n_y=3, j_sd=0.1, fermi_energy=0.2, kT=0.0, sides=("left", "right"), phase=0.0, keep=None, **of_lead):
    """Device hopping 0.8 eV between leads of 1 eV: with a weak sd coupling no level leaves the bands."""
    whole = ln.square(n_x, n_y)
    lattice = whole if keep is None else whole.masked(keep)
    electrons = lattice.electrons(0.8, j_sd=j_sd)
    if phase:
        electrons = ln.Electrons.spinless(hopping_with_flux(lattice, phase), j_sd)
    leads = [lattice.lead(side, **of_lead) for side in sides]
    return lattice, ln.OpenSystem(electrons, leads, fermi_energy, kT)


def by_hand(frame):
    """rho and particle currents of a frame at kT = 0, and int A/2 pi, which is 1 without bound states.

    (1/2 pi) int dE G Gamma f G^dag by Gauss' rule with 2 x 120 nodes between any two of all band edges and Fermi
    levels, in a variable in which square roots at either end are smooth.
    """
    device = frame.steady_state.device
    ends = np.unique(np.concatenate([device.band_edges, device.chemical_potentials]).round(14))
    x, w = np.polynomial.legendre.leggauss(120)
    t = np.concatenate([0.25 * (x + 1), 0.25 * (x + 3)])
    w = 0.25 * np.concatenate([w, w])
    rho = complete = 0.0
    rates = np.zeros(frame.steady_state.n_leads)
    for a, b in zip(ends[:-1], ends[1:], strict=True):
        energy = a + (b - a) * np.sin(0.5 * np.pi * t) ** 2
        weight = w * (b - a) * 0.5 * np.pi * np.sin(np.pi * t) / (2 * np.pi)
        green = np.linalg.inv(device.inverse_green(energy.astype(complex)))
        gamma, full = device.broadenings(energy), (energy[:, None] < device.chemical_potentials).astype(float)
        filled = gamma * full if gamma.ndim == 2 else gamma * full[:, None, :]
        lesser = green @ device.on_device(filled) @ green.conj().swapaxes(-1, -2)
        spectral = 1j * (green - green.conj().swapaxes(-1, -2))
        rho = rho + np.einsum("n,nij->ij", weight, lesser)
        complete = complete + np.einsum("n,nij->ij", weight, spectral)
        for p in range(rates.size):
            own = (device.leads == p).astype(float)
            inward, outward = (device.on_device(g * own) for g in (filled, gamma))
            rates[p] += np.einsum("n,nij,nji->", weight, outward, lesser).real
            rates[p] -= np.einsum("n,nij,nji->", weight, inward, spectral).real
    return rho, rates / ln.units.HBAR, complete


def on_magnetic(n_sites):
    """Rows and columns of a periodic lead along the edge of a ribbon, its cells of three sites with spin."""
    cell = -np.kron(np.eye(3, k=1) + np.eye(3, k=-1), np.eye(2)) + 0.2 * np.kron(np.diag([1, 0, 2]), np.eye(2))
    coupling = np.zeros((2 * n_sites, 6))
    coupling[-6:] = -0.7 * np.eye(6)
    return ln.PeriodicLead(cell=cell, hopping=-np.eye(6) + 0.2 * np.kron(np.eye(3, k=1), np.eye(2)), coupling=coupling)


def biased(lattice_system):
    """The same with 0.3 V on the first lead."""
    lattice, system = lattice_system
    leads = [lattice.lead("left", voltage=0.3), *system.leads[1:]]
    return lattice, ln.OpenSystem(system.electrons, leads, system.fermi_energy, 0.0)


def with_matrix_lead():
    lattice, system = ribbon()
    leads = [lattice.lead("left", voltage=0.2), on_magnetic(lattice.n_sites)]
    return lattice, ln.OpenSystem(system.electrons, leads, 0.1, 0.0)


CASES = {
    "bias": lambda: biased(ribbon()),
    "edge": lambda: ribbon(fermi_energy=EDGE),
    "flux": lambda: biased(ribbon(phase=0.7)),
    "vacancy": lambda: biased(ribbon(keep=np.arange(12) != 4)),
    "three terminals": lambda: biased(ribbon(sides=("left", "right", "top"))),
    "matrix lead": with_matrix_lead,
    "one site": lambda: (None, ln.OpenSystem(ln.chain(1, j_sd=0.1), [ln.ChainLead(0, voltage=0.4), ln.ChainLead(0)])),
}


@pytest.mark.parametrize("name", CASES)
def test_rotating_frame_of_ribbons_by_hand(name):
    _, system = CASES[name]()
    texture = unit_vectors(np.random.default_rng(3), system.n_sites)
    frame = ln.RotatingFrame(system, texture, 0.05, tolerance=1e-9)
    rho, rates, complete = by_hand(frame)
    np.testing.assert_allclose(complete, np.eye(len(complete)), rtol=0, atol=1e-9)
    np.testing.assert_allclose(frame.density_matrix(), rho, rtol=0, atol=2e-9)
    np.testing.assert_allclose(frame.lead_currents().charge, rates, rtol=0, atol=4e-9)


def test_closed_ribbons():
    """f(H_RF), and no lead to which a current could flow."""
    texture = unit_vectors(np.random.default_rng(0), 6)
    closed = ln.RotatingFrame(ln.OpenSystem(ln.square(3, 2).electrons(1.0, j_sd=0.5), [], 0.1, 0.05), texture, 0.02)
    energies, states = np.linalg.eigh(closed.steady_state.device.hamiltonian)
    exact = (states / (1 + np.exp((energies - 0.1) / 0.05))) @ states.conj().T
    np.testing.assert_allclose(closed.density_matrix(), exact, rtol=0, atol=1e-14)
    assert not closed.lead_currents().charge.size


class Modes:
    """A ribbon four sites wide whose moments are the same in each of its six columns: four chains.

    H = 1 x H_chain + e_k, e_k = -2 cos(pi k/5), phi_k(y) = sqrt(2/5) sin(pi k y/5).
    """

    levels = -2 * np.cos(np.pi * np.arange(1, 5) / 5)
    profiles = np.sqrt(0.4) * np.sin(np.pi * np.outer(np.arange(1, 5), np.arange(1, 5)) / 5)

    def __init__(self, fermi_energy, kT, j_sd=0.4):
        lattice = ln.square(6, 4)
        leads = [lattice.lead("left"), lattice.lead("right")]
        self.system = ln.OpenSystem(lattice.electrons(1.0, j_sd=j_sd), leads, fermi_energy, kT)
        self.column = ln.bloch_wall(6, center=3.5, width=1.0)
        self.wall = self.column[np.rint(lattice.positions[:, 0]).astype(int)]
        self.sites = np.lexsort((lattice.positions[:, 1], lattice.positions[:, 0]))  # column after column
        ends = [ln.ChainLead(0), ln.ChainLead(-1)]
        self.chains = [ln.OpenSystem(ln.chain(6, 1.0, j_sd), ends, fermi_energy - e, kT) for e in self.levels]

    def together(self, chains):
        """rho of the ribbon from those of the chains, (12, 12) each."""
        blocks = [r.reshape(6, 2, 6, 2) for r in chains]
        rho = np.einsum("ky,kz,kisjt->iysjzt", self.profiles, self.profiles, blocks).reshape(24, 2, 24, 2)
        place = np.argsort(self.sites)
        return rho[place][:, :, place].reshape(48, 48)


@pytest.mark.parametrize("kT", [0.0, 0.02])
def test_a_ribbon_is_as_many_chains_as_it_has_modes(kT):
    """rho, its four parts and the currents, one mode just at its edge; levels of one mode in the band of others."""
    ribbon, parts = Modes(2 - 2 * np.cos(np.pi / 5), kT), ("adiabatic", "geometric", "sea", "surface")
    frame = ln.RotatingFrame(ribbon.system, ribbon.wall, 0.05)
    frames = [ln.RotatingFrame(chain, ribbon.column, 0.05) for chain in ribbon.chains]
    np.testing.assert_allclose(
        frame.density_matrix(), ribbon.together([f.density_matrix() for f in frames]), rtol=0, atol=2e-9
    )
    found, single = frame.decompose(), [f.decompose() for f in frames]
    flows, single_flows = frame.decompose_lead_currents(), [f.decompose_lead_currents() for f in frames]
    for part in parts:
        expected = ribbon.together([getattr(d, part) for d in single])
        np.testing.assert_allclose(getattr(found, part), expected, rtol=0, atol=2e-9)
        expected = sum(getattr(d, part).spin for d in single_flows)
        np.testing.assert_allclose(getattr(flows, part).spin, expected, rtol=0, atol=2e-9)
    expected = sum(f.lead_currents().spin for f in frames)
    np.testing.assert_allclose(frame.lead_currents().spin, expected, rtol=0, atol=2e-9)


def test_levels_that_couple_to_closed_channels_only():
    """Bound states of one mode, which `bound_states` finds in its chain, where another mode is open."""
    ribbon = Modes(0.2, 0.02)
    device = StaticDevice.of(ribbon.system, ribbon.wall)
    chain = StaticDevice.of(ribbon.chains[0], ribbon.column)
    bound = [level.energy for ends in ((-5, -2), (2, 5)) for level in bound_states(chain, *ends)]
    energies = np.add.outer(ribbon.levels, bound).ravel()
    others = np.abs(energies[:, None] - ribbon.levels) < 2
    expected = np.sort(energies[others.any(axis=1) & (np.abs(energies) < 1.5)])
    assert expected.size > 2
    np.testing.assert_allclose(np.sort(hidden_levels(device, -1.5, 1.5)), expected, rtol=0, atol=1e-10)
    with pytest.raises(QuadratureError, match="couples to closed channels only"):
        _ = ln.ResponseTensors(ribbon.system, ribbon.wall).friction
    turned = ribbon.wall + 0.2 * np.random.default_rng(0).normal(size=ribbon.wall.shape)
    turned /= np.linalg.norm(turned, axis=1)[:, None]
    assert ln.ResponseTensors(ribbon.system, turned, tolerance=1e-5).friction.any()


@pytest.mark.parametrize("level", [-0.9, 0.3, 1.4])
def test_a_resonance_far_from_its_level_is_found(level):
    """A level e on a strong lead A with a narrow band, and on a lead B of weak coupling c and a wide band.

    A level at E_b - e = Re Sigma_A(E_b) outside the band of A is a resonance of B alone: of its weight on the site,
    1/(1 - Sigma_A'(E_b)), f_B(E_b) is filled, up to the width c^2 ~ 1e-8. The band of A has f_A.
    """
    strong, bottom, top = ChainSpectrum(0.7, 0.5), -0.3, 0.5
    x, w = np.polynomial.legendre.leggauss(300)
    phi = 0.5 * np.pi * (x + 1)
    energy = -np.cos(phi)  # of the band of A
    green = 1 / (energy - level - strong.self_energy(energy + 0j))
    filled = strong.broadening(energy) * np.abs(green) ** 2 / (1 + np.exp((energy - bottom) / 0.1))
    expected = 0.25 * w @ (np.sin(phi) * filled)
    for side in (-1, 1):

        def distance(e):
            return e - level - strong.self_energy(np.array([e + 0j]))[0].real

        near, far = side * (1 + 1e-12), side * 10.0
        if distance(near) * distance(far) < 0:
            bound = brentq(distance, near, far, xtol=1e-14)
            slope = strong.self_energy_derivative(np.array([bound + 0j]))[0].real
            expected += 1 / (1 - slope) / (1 + np.exp((bound - top) / 0.1))
    electrons = ln.Electrons.spinless(np.array([[level]]), 0.0)
    leads = [ln.ChainLead(0, hopping=0.5, coupling=0.7, chemical_potential=bottom),
             ln.ChainLead(0, hopping=2.0, coupling=1e-4, chemical_potential=top)]  # fmt: skip
    frame = ln.RotatingFrame(ln.OpenSystem(electrons, leads, kT=0.1), ln.uniform(1), 0.0)
    np.testing.assert_allclose(frame.density_matrix(), expected * np.eye(2), rtol=0, atol=1e-7)


def test_panels_are_short_at_poles_only():
    """Without resonances nearby two panels are enough; next to a pole at distance d none is longer than 8 d.

    The ellipse about a panel of length 2 a whose half axes add up to NEAREST a = 2 a has the half axes 5 a/4 and 3 a/4:
    a pole outside of it is at least a/4 away, beyond an end.
    """
    device = StaticDevice(np.diag([9.0, -9.0]).astype(complex), ())
    assert len(window_panels(device, -1.0, 1.0, np.zeros(0)).panels) == 2
    panels = window_panels(device, -1.0, 1.0, fermi_points(np.array([0.2]), np.array([1e-3]))).panels
    for p in panels:
        distance = np.hypot(max(p.lower - 0.2, 0.2 - p.upper, 0.0), np.pi * 1e-3)
        assert p.upper - p.lower <= 8 * distance
    assert len(panels) < 30
    assert {p.upper for p in window_panels(device, -1.0, 1.0, fermi_points(0.2, 0.0)).panels} >= {0.2}


def site_blocks(matrices):
    n = matrices.shape[-1] // 2
    sites = np.arange(n)
    return matrices.reshape(-1, n, 2, n, 2)[:, sites, :, sites, :].swapaxes(0, 1)


SITE_CASES = {
    "wide": lambda: ribbon(4, 12),
    "long": lambda: ribbon(13, 3, phase=0.4),
    "masked": lambda: ribbon(8, 6, keep=(np.arange(48) % 11 != 5) | (np.arange(48) // 6 % 7 == 0)),
    "three terminals": lambda: ribbon(9, 5, sides=("left", "right", "top")),
    "matrix lead": lambda: (None, ln.OpenSystem(ln.square(12, 3).electrons(1.0), [on_magnetic(36)], kT=0.1)),
    "apart": lambda: (None, ln.OpenSystem(ln.Electrons.spinless(np.zeros((40, 40)), 0.0), [ln.ChainLead(3)], kT=0.1)),
    "one site": lambda: (None, ln.OpenSystem(ln.chain(1), [ln.ChainLead(0)], kT=0.1)),
}


@pytest.mark.parametrize("name", SITE_CASES)
def test_site_blocks_and_determinant_slice_by_slice(name):
    """Against the inverse of the whole matrix, down to 1e-3 eV from the real axis; more than one slice where it is for
    that."""
    _, system = SITE_CASES[name]()
    rng = np.random.default_rng(1)
    fields, energies = rng.normal(size=(system.n_sites, 3)), np.array([0.1 + 0.001j, -0.4 + 0.2j, 0.1 + 9j])
    device = StaticDevice.of(system, np.zeros((system.n_sites, 3)))
    local = np.einsum("ia,ast->ist", fields, PAULI)
    matrix = device.inverse_green(energies)
    for i, block in enumerate(local):
        matrix[:, 2 * i : 2 * i + 2, 2 * i : 2 * i + 2] += block
    green = SiteGreen(device, energies)
    assert (len(green.slices) > 2) == (system.n_sites > WHOLE)
    blocks, logarithm = green(fields)
    exact = np.linalg.inv(matrix)
    np.testing.assert_allclose(blocks, site_blocks(exact), rtol=0, atol=1e-13 * np.abs(exact).max() ** 2)
    np.testing.assert_allclose(logarithm, -np.linalg.slogdet(matrix)[1], rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("sites", [None, np.arange(0, 40, 3)])
def test_free_energy_of_a_ribbon_is_that_of_whole_matrices(sites):
    """Differences of Omega and its gradient by `frozen` alone, with moments on all sites and on some."""
    lattice, system = ribbon(8, 5, j_sd=0.4, kT=0.05, sides=("left", "top"))
    rng = np.random.default_rng(2)
    count = 40 if sites is None else sites.size
    first, second = unit_vectors(rng, count), unit_vectors(rng, count)
    magnet = ln.Magnet(first, magnetic_moment=1.0, damping=0.1, sites=sites)
    free = FreeEnergy(system, magnet, 1e-6)
    poles = expand(system, 1e-7, 1e-8, strict=False)
    place = np.arange(40) if sites is None else sites
    found, expected, gradients = [], [], []
    for moments in (first, second):
        seen = np.zeros((40, 3))
        seen[place] = moments
        energy, gradient = free(moments)
        found.append(energy)
        gradients.append(gradient)
        expected.append(frozen.grand_potential(poles, seen))
        spin = ln.spin_density(frozen.FrozenDevice(poles, seen).density_matrix())
        np.testing.assert_allclose(gradient, -0.4 * spin[place], rtol=0, atol=1e-6)
    assert np.diff(found)[0] == pytest.approx(np.diff(expected)[0], abs=1e-5)
    step = 1e-4 * rng.normal(size=first.shape)
    slope = 0.5 * (free(first + step)[0] - free(first - step)[0])
    assert slope == pytest.approx(float(np.sum(gradients[0] * step)), abs=1e-3 * np.abs(step).max() ** 2)


def seconds(function):
    start = process_time()
    function()
    return process_time() - start


def test_a_ribbon_at_a_band_edge_in_the_rotating_frame_in_two_seconds():
    """15 x 4, its fourth mode beginning at E_F = 2 - 2 cos(pi/5): decomposition, currents and rho take 0.7 s."""
    lattice = ln.square(15, 4)
    leads = [lattice.lead("left"), lattice.lead("right")]
    system = ln.OpenSystem(lattice.electrons(1.0, j_sd=0.1), leads, 2 - 2 * np.cos(np.pi / 5), 0.01)
    frame = ln.RotatingFrame(system, ln.bloch_wall(lattice, center=7, width=2.0), 0.05)
    assert seconds(lambda: (frame.decompose(), frame.lead_currents(), frame.density_matrix())) < 2
    state = frame.steady_state
    assert state.density_matrix(InLevels(state.device)).evaluations < 1500  # 5000 with panels of equal length


@pytest.mark.parametrize("kind", ["wall", "DMI", "sites"])
def test_eighty_sites_relax_in_five_seconds(kind):
    lattice, rng = ln.square(10, 8), np.random.default_rng(5)
    leads = [lattice.lead("left"), lattice.lead("right")]
    system = ln.OpenSystem(lattice.electrons(1.0, j_sd=0.3), leads, 0.0, 0.05)
    wall, terms, sites = ln.bloch_wall(lattice, center=4.5, width=2.0), [ln.UniaxialAnisotropy(0.02, axis="z")], None
    if kind == "sites":
        sites = np.arange(0, 80, 2)
        bonds = [(i, j, 0.05) for i in range(40) for j in (i + 1, i + 4) if j < 40]
        wall, terms = wall[sites], [*terms, ln.PairExchange(bonds)]
    else:
        terms = [*terms, lattice.exchange(0.05), *([lattice.dmi(0.02)] if kind == "DMI" else [])]
    turned = wall + 0.1 * rng.normal(size=wall.shape)
    start = turned / np.linalg.norm(turned, axis=1)[:, None]
    magnet = ln.Magnet(start, magnetic_moment=2.0, damping=0.1, energies=terms, sites=sites)
    relaxed = []
    assert seconds(lambda: relaxed.append(ln.relax(system, magnet))) < 5
    found = np.array(relaxed[0].moments)
    assert np.abs(np.cross(found, FreeEnergy(system, magnet)(found)[1])).max() < 1.1e-9
