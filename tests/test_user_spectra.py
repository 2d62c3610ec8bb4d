"""Leads that a user writes: a level in front of a chain, however narrow; what cannot be expanded is refused at once."""

import time

import numpy as np
import pytest
from propagation import run
from scipy.special import expit

from llgnegf import Electrons, Lead, OpenSystem, RotatingFrame, TabulatedLead
from llgnegf.poles.channels import channel_poles, spectral_bounds
from llgnegf.poles.coupling import fit_broadening
from llgnegf.poles.sampling import sample
from llgnegf.problem.magnetism.motion import Frozen
from llgnegf.problem.spectra import ChainSpectrum, TabulatedSpectrum

LEVEL, COUPLING = 0.3, 0.3


class Resonator:
    """A level at LEVEL of the given width, fed by a chain: Sigma = c^2/(E - e - Sigma_chain)."""

    is_zero = False

    def __init__(self, width):
        self.chain = ChainSpectrum(np.sqrt(width), 1.0)  # Gamma_chain = g^2 sqrt(4 - E^2), about twice the width
        self.support = self.chain.support

    def self_energy(self, energy):
        return COUPLING**2 / (np.asarray(energy, dtype=complex) - LEVEL - self.chain.self_energy(energy))

    def self_energy_derivative(self, energy):
        return -((self.self_energy(energy) / COUPLING) ** 2) * (1 - self.chain.self_energy_derivative(energy))

    def broadening(self, energy):
        return -2 * self.self_energy(np.asarray(energy, dtype=float)).imag


class Lorentzian:
    """Gamma = 2/(1 + E^2): Sigma = 1/(E + i); it never ends."""

    support = (-np.inf, np.inf)
    is_zero = False

    def self_energy(self, energy):
        return 1 / (np.asarray(energy) + 1j)

    def self_energy_derivative(self, energy):
        return -1 / (np.asarray(energy) + 1j) ** 2

    def broadening(self, energy):
        return 2 / (1 + np.asarray(energy) ** 2)


def graded(centers, width, reach=2.0):
    """Midpoints and weights dense about the centers, for energies in (-reach, reach)."""
    u = np.linspace(-18, 18, 40001)
    edges = np.concatenate([c + width * np.sinh(u) for c in centers] + [reach * np.cos(np.linspace(0, np.pi, 4001))])
    edges = np.unique(np.clip(edges, -reach, reach))
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


@pytest.mark.parametrize("width", [5e-3, 1e-4, 1e-6])
def test_narrow_resonator_is_found_and_fitted(width):
    spectrum = Resonator(width)
    started = time.process_time()
    modes = channel_poles(spectrum, 1e-6)
    assert time.process_time() - started < 10
    energies, weights = graded([LEVEL], width)
    exact = spectrum.broadening(energies)
    error = np.abs(modes.broadening(energies) - exact)
    assert error.max() <= 1e-5 * exact.max()
    # K(0) = c^2, as Sigma ~ c^2/E far away; what is promised bounds the difference of the two by its integral.
    assert weights @ exact / (2 * np.pi) == pytest.approx(COUPLING**2, rel=1e-6)
    assert weights @ error / (2 * np.pi) <= modes.error <= 1e-6 * COUPLING**2
    assert len(modes) <= 16


@pytest.mark.parametrize("width", [5e-3, 1e-4])
def test_site_beside_a_narrow_resonator_is_filled_exactly(width):
    """n = int dE/2pi Gamma |G|^2 f with G = 1/(E - eps - Sigma); the resonator splits the level into two."""
    spectrum, eps, mu, kT = Resonator(width), 0.1, 0.0, 0.05
    split = np.hypot((eps - LEVEL) / 2, COUPLING)
    energies, weights = graded([(eps + LEVEL) / 2 - split, (eps + LEVEL) / 2 + split], width)
    density = spectrum.broadening(energies) / np.abs(energies - eps - spectrum.self_energy(energies)) ** 2
    assert weights @ density / (2 * np.pi) == pytest.approx(1, abs=1e-7)  # no bound state is left out
    exact = weights @ (density * expit((mu - energies) / kT)) / (2 * np.pi)
    system = OpenSystem(Electrons(eps * np.eye(2), np.zeros(1)), [Lead([(np.ones(1), spectrum)])], mu, kT)
    up = np.array([[0.0, 0.0, 1.0]])
    frame = RotatingFrame(system, up, 0.0, tolerance=1e-9).density_matrix()
    assert frame[0, 0].real == pytest.approx(exact, abs=1e-7)
    got = run(system, Frozen(up), t_end=0.1, save_every=0.1, rtol=1e-6).density_matrices
    np.testing.assert_allclose(got, exact * np.eye(2) * np.ones((2, 1, 1)), atol=1e-6)


def test_structure_may_be_named():
    """An isolated peak 1e-9 wide in a band of 4 is found by itself; named, by fewer samples about it."""
    spectrum = Resonator(1e-9)
    found = sample(spectrum, 1e-4)
    assert found.total == pytest.approx(COUPLING**2, rel=1e-4)
    assert found.weights @ np.cos(found.nodes) == pytest.approx(2 * np.sin(2.0), rel=1e-12)
    spectrum.points = (LEVEL,)
    assert sample(spectrum, 1e-4).total == pytest.approx(COUPLING**2, rel=1e-4)


def test_bounds_of_the_spectrum_know_the_whole_weight_of_a_narrow_peak():
    """A row of Gershgorin: eps - |coupling| ... eps + |coupling|, coupling = sqrt(K(0)) = c; c is larger than here."""
    far = 5.0
    system = OpenSystem(Electrons(far * np.eye(2), np.zeros(1)), [Lead([(np.ones(1), Resonator(1e-6))])], 0.0, 0.05)
    found = spectral_bounds(system)[1]
    level = far + COUPLING**2 / (far - LEVEL)  # of E = far + c^2/(E - e), from above
    assert level - (COUPLING / (far - LEVEL)) ** 4 * far < found <= far + COUPLING + 1e-5


def test_spectrum_that_never_ends_is_refused_in_one_line():
    system = OpenSystem(Electrons(np.zeros((2, 2)), np.zeros(1)), [Lead([(np.ones(1), Lorentzian())])], 0.0, 0.05)
    with pytest.raises(ValueError, match=r"Lorentzian\.support: \(-inf, inf\); allowed: finite.*WideBand") as caught:
        run(system, Frozen(np.array([[0.0, 0.0, 1.0]])), t_end=0.1, save_every=0.1)
    assert "\n" not in str(caught.value)


def test_bound_state_of_the_lead_is_refused_with_its_energy_quickly():
    """A level beside the band of its chain: Sigma has a pole on the axis, at 3.3 - ..., that Gamma does not show."""
    spectrum = Resonator(1e-2)
    spectrum.self_energy = lambda e: COUPLING**2 / (np.asarray(e, complex) - 3.0 - spectrum.chain.self_energy(e))
    started = time.process_time()
    with pytest.raises(ValueError, match=r"Resonator: near E = .* samples of Gamma do not give Sigma.*bound"):
        channel_poles(spectrum, 1e-4)
    assert time.process_time() - started < 20


def test_negative_broadening_is_refused():
    spectrum = Resonator(1e-2)
    spectrum.broadening = lambda e: -np.ones_like(e)
    with pytest.raises(ValueError, match=r"Resonator\.broadening: Gamma\(.*\) = -1; allowed"):
        channel_poles(spectrum, 1e-4)


def test_loose_fit_is_the_best_there_is_when_the_tolerance_is_out_of_reach():
    """A comb: no tolerance that is asked for makes it worse than a looser one does."""
    energies = np.linspace(-2, 2, 61)
    comb = np.where(np.arange(61) % 2, 1.0, 0.0)
    table = TabulatedSpectrum(energies, comb)
    errors = [fit_broadening(table, tolerance, strict=False).error for tolerance in (1e-2, 1e-3, 1e-5)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.filterwarnings("ignore::llgnegf.run.error_budget.AccuracyWarning")
def test_table_of_61_points_runs_at_a_tight_tolerance():
    energies = -2 * np.cos(np.linspace(0, np.pi, 61))
    values = np.sqrt(np.maximum(4 - energies**2, 0)) * (1 + 0.3 * energies) * 0.2
    lead = TabulatedLead(site=0, energies=energies, broadening=values)
    system = OpenSystem(Electrons(0.3 * np.eye(2), np.zeros(1)), [lead], 0.2, 0.05)
    up = np.array([[0.0, 0.0, 1.0]])
    exact = RotatingFrame(system, up, 0.0, tolerance=1e-8).density_matrix()
    got = run(system, Frozen(up), t_end=1.0, save_every=1.0, rtol=1e-4).density_matrices
    assert np.abs(got - exact).max() < 1e-4
