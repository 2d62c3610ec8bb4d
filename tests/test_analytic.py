"""The sympy derivation of Eq. (4) against numerical quadrature of its definition, its limits, and laziness."""

import subprocess
import sys

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad

from llgnegf import analytic
from llgnegf.problem.electrons import PAULI


def test_derived_torque_is_eq_4():
    torque = analytic.derive_geometric_torque().torque
    j, g, w, theta = analytic.J, analytic.GAMMA, analytic.OMEGA, analytic.THETA
    assert sp.simplify(torque - w / (2 * sp.pi) * (sp.pi - 2 * sp.atan(g / j)) * sp.sin(theta)) == 0


def test_torque_is_purely_along_the_motion():
    assert analytic.derive_geometric_torque().other_components == (0, 0)


def test_green_function_is_the_inverse():
    green = analytic.derive_geometric_torque().green
    values = {analytic.J: 0.7, analytic.GAMMA: 0.3, analytic.THETA: 0.9, analytic.ENERGY: -0.4}
    found = np.array(green.subs(values).evalf(30), dtype=complex)
    moment = [np.sin(0.9), 0, np.cos(0.9)]
    inverse = (-0.4 + 0.3j) * np.eye(2) + 0.7 * np.einsum("a,ast->st", moment, PAULI)
    np.testing.assert_allclose(found @ inverse, np.eye(2), atol=1e-14)


@pytest.mark.parametrize(("j_sd", "gamma_prime", "theta", "fermi_energy"),
                         [(0.1, 0.3, 0.7, 0.0), (2.0, 0.2, 2.0, 0.0), (1.0, 0.5, 1.1, -0.6)])  # fmt: skip
def test_numeric_function_against_quadrature_of_the_definition(j_sd, gamma_prime, theta, fermi_energy):
    """T = J <s> x M, s_a = (1/pi) int^E_F dE Im Tr[sigma_a G (hbar w sigma_z/2) G]."""
    energy, moment = 0.01, np.array([np.sin(theta), 0, np.cos(theta)])
    along = np.einsum("a,ast->st", moment, PAULI)

    def torque_per_energy(e):
        g = np.linalg.inv((e + 1j * gamma_prime) * np.eye(2) + j_sd * along)
        spin = np.einsum("ast,ts->a", PAULI, g @ (energy / 2 * PAULI[2]) @ g).imag / np.pi
        return j_sd * np.cross(spin, moment)[1]

    expected = quad(torque_per_energy, -np.inf, fermi_energy, epsabs=1e-13, limit=400)[0]
    found = analytic.geometric_torque_wide_band(j_sd, gamma_prime, energy, theta, fermi_energy)
    assert found == pytest.approx(expected, abs=1e-11)


def test_limits():
    limits = analytic.limits()
    half = analytic.OMEGA * sp.sin(analytic.THETA) / 2
    assert sp.simplify(limits["closed"] - half) == 0
    assert sp.simplify(limits["strong_coupling"] - half) == 0
    assert limits["strongly_open"] == 0


def test_numeric_function_approaches_its_limits():
    """pi - 2 arctan x = pi - 2 x + O(x^3)."""
    closed = 0.5e-3 * np.sin(0.7)
    small = analytic.geometric_torque_wide_band(1.0, 1e-6, 1e-3, 0.7)
    assert small == pytest.approx(closed * (1 - 2e-6 / np.pi), rel=1e-12)
    assert analytic.geometric_torque_wide_band(1e6, 1.0, 1e-3, 0.7) == pytest.approx(small, rel=1e-12)


def test_latex():
    text = analytic.latex()
    for piece in (r"\mathbf{T}^\mathrm{geo}", r"\hbar\omega", r"\Gamma'", "J_{sd}", r"\sin", r"\mathbf{e}_\phi"):
        assert piece in text


def test_closed_forms_of_one_moment():
    assert analytic.bound_state_spin(0.5) == pytest.approx(0.242535625036, abs=1e-12)
    # a = 1 is half of the maximum sin^2 theta of the pumped current: 4 a^2/(1 + a^2)^2 = 1.
    assert analytic.pumped_spin_current_adiabatic(2.0, 0.01, np.pi / 2) == pytest.approx(0.01 / (4 * np.pi))


@pytest.mark.parametrize(
    ("name", "value"),
    [("j_sd", 0.0), ("gamma_prime", -1.0), ("energy", np.nan), ("theta", "x"), ("fermi_energy", None)],
)
def test_bad_input_is_named(name, value):
    arguments = {"j_sd": 1.0, "gamma_prime": 1.0, "energy": 0.1, "theta": 0.1} | {name: value}
    with pytest.raises(ValueError, match=rf"geometric_torque_wide_band.{name}: .*; allowed: "):
        analytic.geometric_torque_wide_band(**arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: analytic.bound_state_spin("a"), r"bound_state_spin.j_sd: .*; allowed"),
        (lambda: analytic.bound_state_spin(1.0, 0.0), r"bound_state_spin.hopping: 0.0; allowed: a finite number > 0"),
        (lambda: analytic.pumped_spin_current_adiabatic(1.0, np.nan, 0.1), r"pumped_spin_.*.energy: nan; allowed"),
        (lambda: analytic.pumped_spin_current_adiabatic(1.0, 0.1, 0.1, 0), r"pumped_spin_.*.hopping: 0; allowed"),
    ],
)
def test_bad_input_of_the_closed_forms_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_import_of_the_package_leaves_sympy_out():
    code = "import sys, llgnegf; llgnegf.RotatingFrame; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
