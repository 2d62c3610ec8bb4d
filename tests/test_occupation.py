"""The one Fermi function: its limits, its derivative, and what fills the levels of a closed device."""

import numpy as np
import pytest

from llgnegf.problem.occupation import density_matrix, fermi, fermi_derivative, fill_levels, grand_potential


def test_step_at_zero_temperature_and_no_overflow():
    np.testing.assert_array_equal(fermi([-1e3, 0.3, 1e3], 0.3, 0.0), [1.0, 0.5, 0.0])
    np.testing.assert_array_equal(fermi([-1e3, 1e3], 0.3, 1e-4), [1.0, 0.0])
    assert fermi(0.3 + 0.05 * np.log(3), 0.3, 0.05) == pytest.approx(0.25, abs=1e-15)  # 1/(e^x + 1), x = ln 3

    np.testing.assert_allclose(fermi(0.05 * np.array([20, 30, 38.0]), 0.0, 0.05), np.exp([-20, -30, -38]), rtol=3e-9)


def test_derivative_is_that_of_the_function():
    """f' = -f (1 - f)/kT."""
    energy = np.linspace(-1, 1, 9)
    f = fermi(energy, 0.1, 0.07)
    np.testing.assert_allclose(fermi_derivative(energy, 0.1, 0.07), -f * (1 - f) / 0.07, rtol=1e-8)


@pytest.mark.parametrize("kT", [0.0, 0.05])
def test_levels_at_mu_are_half_filled_whatever_round_off_says(kT):
    levels = np.array([-2.0, 0.3 + 1e-13, 5.0])
    np.testing.assert_allclose(fill_levels(levels, 0.3, kT), [1.0, 0.5, 0.0], rtol=0, atol=1e-15)


def test_grand_potential_gives_the_density_matrix():
    """dOmega/dmu = -Tr f(H)."""
    h = np.array([[0.2, 0.5 + 0.1j], [0.5 - 0.1j, -0.4]])
    levels, step = np.linalg.eigvalsh(h), 1e-4
    slope = (grand_potential(levels, step, 0.1) - grand_potential(levels, -step, 0.1)) / (2 * step)
    assert np.trace(density_matrix(h, 0.0, 0.1)).real == pytest.approx(-slope, abs=1e-7)
    assert grand_potential(levels, 0.0, 0.0) == pytest.approx(levels[levels < 0].sum())
