"""Leads: Dyson equation of the half chain, Kramers-Kronig, analyticity, derivatives, and every bad argument."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

import llgnegf as ln
from llgnegf.problem.spectra import ChainSpectrum, TabulatedSpectrum, WideBandSpectrum

TABLE = TabulatedSpectrum([-1.5, -0.4, 0.3, 2.0], [0.0, 0.8, 0.5, 0.0])
SPECTRA = {"chain": ChainSpectrum(0.8, 1.3, 0.2), "wide band": WideBandSpectrum(0.7), "table": TABLE}


@given(x=st.floats(-50, 50), y=st.floats(1e-6, 50))
def test_half_chain_solves_its_dyson_equation(x, y):
    """Sigma = gamma_c^2 g, g = 1/(E - e - gamma^2 g), Im Sigma < 0 in the upper half plane."""
    energy = x + 1j * y
    sigma = complex(SPECTRA["chain"].self_energy(energy))
    g = sigma / 0.8**2
    assert g * (energy - 0.2 - 1.3**2 * g) == pytest.approx(1.0, abs=1e-12)
    assert sigma.imag < 0


@pytest.mark.parametrize("name", SPECTRA)
def test_broadening_is_minus_twice_the_imaginary_part(name):
    energies = np.linspace(-4, 4, 400)  # none on a band edge, where round-off enters as its square root
    spectrum = SPECTRA[name]
    sigma = spectrum.self_energy(energies)
    np.testing.assert_allclose(spectrum.broadening(energies), -2 * sigma.imag, atol=1e-14)
    lower, upper = spectrum.support
    outside = (energies < lower) | (energies > upper)
    assert not spectrum.broadening(energies)[outside].any()
    assert (spectrum.broadening(energies) >= 0).all()


@pytest.mark.parametrize("name", ["chain", "table"])
@pytest.mark.parametrize("energy", [0.3 + 0.2j, -5.0 + 0.1j, 30j])
def test_self_energy_is_the_hilbert_transform_of_the_broadening(name, energy):
    """Sigma(z) = int dE'/(2 pi) Gamma(E')/(z - E')."""
    spectrum = SPECTRA[name]

    def part(pick):
        return quad(
            lambda e: pick(spectrum.broadening(e) / (energy - e)) / (2 * np.pi), *spectrum.support,
            points=[-0.4, 0.3], limit=400, epsabs=1e-11,
        )[0]  # fmt: skip

    assert complex(spectrum.self_energy(energy)) == pytest.approx(part(np.real) + 1j * part(np.imag), abs=1e-8)


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("energy", [0.31, -0.9, 5.0, 0.4 + 0.3j, -2j + 4j])
def test_derivative(name, energy):
    """Central difference: error h^2 |Sigma'''|/6 + 1e-16/h ~ 1e-10 at h = 1e-5."""
    spectrum, h = SPECTRA[name], 1e-5
    difference = (spectrum.self_energy(energy + h) - spectrum.self_energy(energy - h)) / (2 * h)
    assert complex(spectrum.self_energy_derivative(energy)) == pytest.approx(complex(difference), abs=1e-8)


@pytest.mark.parametrize("energy", [1e6, -1e6, 1e6j])
def test_far_away_the_coupling_squared_over_energy(energy):
    assert complex(SPECTRA["chain"].self_energy(energy)) == pytest.approx(0.8**2 / (energy - 0.2), rel=1e-10)


@pytest.mark.parametrize("name", ["chain", "table"])
def test_lower_half_plane_is_refused(name):
    with pytest.raises(ValueError, match=r"energy: .*; allowed: Im E >= 0"):
        SPECTRA[name].self_energy(0.1 - 0.1j)


def test_table_is_finite_on_its_nodes():
    values = TABLE.self_energy(np.array([-1.5, -0.4, 0.3, 2.0]))
    near = TABLE.self_energy(np.array([-1.5, -0.4, 0.3, 2.0]) + 1e-9)
    np.testing.assert_allclose(values, near, atol=1e-6)


def test_channels_of_a_site():
    channels = ln.ChainLead(-1, coupling=0.5).attach(3)
    assert [int(np.argmax(c.vector)) for c in channels] == [4, 5]
    general = ln.Lead([(np.array([1, 1j, 0]), SPECTRA["chain"])]).attach(3)
    np.testing.assert_array_equal(general[1].vector, [0, 1, 0, 1j, 0, 0])


def test_voltage_before_the_start_is_the_voltage_at_the_start():
    lead = ln.ChainLead(0, voltage=lambda t: 0.1 + t)
    assert [lead.voltage_at(t) for t in (-5.0, 0.0, 1.0)] == pytest.approx([0.1, 0.1, 1.1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ln.ChainLead(0.5), r"ChainLead.site: 0.5; allowed: an integer"),
        (lambda: ln.ChainLead(0, coupling=np.nan), r"ChainLead.coupling: nan; allowed"),
        (lambda: ln.ChainLead(0, hopping=0.0), r"ChainLead.hopping: 0.0; allowed: a finite number > 0"),
        (lambda: ln.ChainLead(0, onsite="a"), r"ChainLead.onsite: '?a'?; allowed"),
        (lambda: ln.ChainLead(0, voltage=np.inf), r"ChainLead.voltage: inf; allowed"),
        (lambda: ln.ChainLead(0, chemical_potential=np.nan), r"ChainLead.chemical_potential: nan; allowed"),
        (lambda: ln.WideBandLead(0, broadening=-1.0), r"WideBandLead.broadening: -1.0; allowed: a finite number >= 0"),
        (lambda: ln.WideBandLead("a", broadening=1.0), r"WideBandLead.site: '?a'?; allowed"),
        (lambda: ln.TabulatedLead(0, energies=[0, 1], broadening=[0, 0]), r"TabulatedLead.energies: .*at least 3"),
        (lambda: ln.TabulatedLead(0, energies=[0, 2, 1], broadening=[0, 1, 0]), r"TabulatedLead.energies: .*incr"),
        (lambda: ln.TabulatedLead(0, energies=[0, 1, 2], broadening=[0, 1, 1]), r"TabulatedLead.broadening: .*zero at"),
        (lambda: ln.TabulatedLead(0, energies=[0, 1, 2], broadening=[0, -1, 0]), r"TabulatedLead.broadening: .*>= 0"),
        (lambda: ln.Lead([]), r"Lead.channels: \[\]; allowed: a non-empty list"),
        (lambda: ln.Lead([([np.nan], SPECTRA["chain"])]), r"Lead.channels\[0\].vector: .*; allowed"),
        (lambda: ln.Lead([3]), r"Lead.channels\[0\]: 3; allowed: a pair"),
        (lambda: ln.Lead("ab"), r"^Lead.channels: 'ab'; allowed: a non-empty list"),
        (lambda: ln.Lead([([1.0], ChainSpectrum)]), r"Lead.channels\[0\].spectrum: <class.*; allowed: an object"),
        (lambda: ln.Lead([([1.0], 3)]), r"Lead.channels\[0\].spectrum: 3; allowed: an object with self_energy"),
        (lambda: ln.Lead([([1.0, 0, 0], SPECTRA["chain"])]).attach(2), r"channels\[0\].vector: 3 amplitudes; allowed"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
