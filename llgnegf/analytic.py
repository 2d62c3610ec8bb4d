"""Closed forms of PRL 125, 187202, derived with sympy: Eq. (4), its limits, and exact results for one moment.

Imported on demand only (`llgnegf.analytic`): nothing else in the package needs sympy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from llgnegf._checks import Problems

J, GAMMA, OMEGA = sp.symbols(r"J_sd Gamma' hbar_omega", positive=True)
THETA, ENERGY, FERMI = sp.symbols("theta E E_F", real=True)
_LATEX_NAMES = {J: r"J_{sd}", GAMMA: r"\Gamma'", OMEGA: r"\hbar\omega", THETA: r"\theta", FERMI: r"E_F"}


@dataclass(frozen=True)
class GeometricTorque:
    """Each step from the wide-band Green function to Eq. (4), as sympy expressions.

    Attributes
    ----------
    green : array_like
        G_0 = [E + J sigma.M + i Gamma']^-1, (2, 2), M = (sin theta, 0, cos theta), axis z.
    integrand : array_like
        J (s x M).e_phi per energy, s_a = (1/pi) Im Tr[sigma_a G_0 (hbar omega sigma_z/2) G_0].
    antiderivative : array_like
        Its integral over E from -oo; sympy has verified derivative and lower limit.
    at_fermi_energy : array_like
        T_phi with the levels filled up to E_F.
    torque : array_like
        T_phi at E_F = 0: (hbar omega/2 pi) [pi - 2 arctan(Gamma'/J)] sin theta, Eq. (4).
    other_components : tuple[Any, Any]
        Integrands of T.M and T.(e_phi x M), both 0: the torque is purely field-like.

    Notes
    -----
    Eq. (4) of [1]_, derived by `derive_geometric_torque`.

    References
    ----------
    .. [1] U. Bajpai, B. K. Nikolic, Phys. Rev. Lett. 125, 187202 (2020).

    Examples
    --------
    >>> from llgnegf import analytic
    >>> analytic.derive_geometric_torque().other_components
    (0, 0)
    """

    green: Any
    integrand: Any
    antiderivative: Any
    at_fermi_energy: Any
    torque: Any
    other_components: tuple[Any, Any]


@cache
def derive_geometric_torque() -> GeometricTorque:
    """Derive Eq. (4) for one moment on a site with Sigma = -i Gamma', kT = 0.

    Returns
    -------
    GeometricTorque
        Every step as a sympy expression.

    Raises
    ------
    AssertionError
        If sympy does not confirm a step.

    Notes
    -----
    Eq. (4) of [1]_ follows from ::

        rho_geo = (1/pi) int dE Im[G_0 (hbar omega sigma_z/2) G_0] f,      T_geo = J <s>_geo x M

    References
    ----------
    .. [1] U. Bajpai, B. K. Nikolic, Phys. Rev. Lett. 125, 187202 (2020).

    Examples
    --------
    >>> from llgnegf import analytic
    >>> print(analytic.derive_geometric_torque().torque)
    hbar_omega*(pi - 2*atan(Gamma'/J_sd))*sin(theta)/(2*pi)
    """
    c, s, z = sp.cos(THETA), sp.sin(THETA), sp.Symbol("z")  # z = E + i Gamma'
    moment = sp.Matrix([s, 0, c])
    pauli = [sp.Matrix([[0, 1], [1, 0]]), sp.Matrix([[0, -sp.I], [sp.I, 0]]), sp.Matrix([[1, 0], [0, -1]])]
    along = pauli[0] * s + pauli[2] * c
    adjugate, determinant = z * sp.eye(2) - J * along, z**2 - J**2
    for entry in (z * sp.eye(2) + J * along) * adjugate - determinant * sp.eye(2):
        _confirm(_reduce(entry), "the inverse of E + J sigma.M + i Gamma'")
    traces = [_reduce((p * adjugate * pauli[2] * adjugate).trace()) for p in pauli]
    # In the basis M, e_phi = (0, 1, 0), e_phi x M: the last carries nothing and T.M = 0 by the cross product.
    torque = sp.Matrix(traces).cross(moment)
    per_energy = J * OMEGA / (2 * sp.pi) * sp.cancel(_reduce(torque[1]) / determinant**2)
    others = (_reduce(torque.dot(moment)), _reduce(torque.dot(sp.Matrix([c, 0, -s]))))
    green = (adjugate / determinant).subs(z, ENERGY + sp.I * GAMMA)
    integrand = _imaginary_part(per_energy.subs(z, ENERGY + sp.I * GAMMA))
    prefactor = OMEGA * sp.sin(THETA) / (2 * sp.pi)
    antiderivative = prefactor * (sp.atan((ENERGY + J) / GAMMA) - sp.atan((ENERGY - J) / GAMMA))
    _confirm(sp.diff(antiderivative, ENERGY) - integrand, "the antiderivative")
    _confirm(antiderivative.subs(ENERGY, -sp.oo), "the lower limit of the integral")
    at_zero = antiderivative.subs(ENERGY, 0)
    # arctan(J/Gamma') = pi/2 - arctan(Gamma'/J): equal slopes in Gamma' and equal values at Gamma' = J.
    final = prefactor * (sp.pi - 2 * sp.atan(GAMMA / J))
    _confirm(sp.diff(at_zero - final, GAMMA), "the slope of the upper limit")
    _confirm((at_zero - final).subs(GAMMA, J), "the value of the upper limit")
    return GeometricTorque(green, integrand, antiderivative, antiderivative.subs(ENERGY, FERMI), final, others)


@cache
def limits() -> dict[str, Any]:
    """Limits of Eq. (4): closed system, strong coupling, and wide bands.

    Returns
    -------
    dict of str to sympy expression
        T_phi.

    Notes
    -----
    hbar omega sin(theta)/2 for Gamma' -> 0 (closed) and J_sd -> oo, 0 for Gamma' -> oo.

    Examples
    --------
    >>> from llgnegf import analytic
    >>> len(analytic.limits())
    3
    """
    torque = derive_geometric_torque().torque
    return {
        "closed": sp.simplify(sp.limit(torque, GAMMA, 0, "+")),
        "strong_coupling": sp.simplify(sp.limit(torque, J, sp.oo)),
        "strongly_open": sp.simplify(sp.limit(torque, GAMMA, sp.oo)),
    }


def latex() -> str:
    """Eq. (4) as LaTeX.

    Returns
    -------
    str
        For a text or a figure.

    Examples
    --------
    >>> from llgnegf import analytic
    >>> "arctan" in analytic.latex() or "atan" in analytic.latex()
    True
    """
    torque = sp.latex(derive_geometric_torque().torque, symbol_names=_LATEX_NAMES)
    return rf"\mathbf{{T}}^\mathrm{{geo}} = {torque}\, \mathbf{{e}}_\phi"


def geometric_torque_wide_band(
    j_sd: float, gamma_prime: float, energy: float, theta: float, fermi_energy: float = 0.0
) -> float:
    """Geometric torque of one precessing moment between wide bands, at kT = 0.

    Parameters
    ----------
    j_sd : float
        J_sd in eV, > 0.
    gamma_prime : float
        Gamma' in eV, > 0, total over the leads; Sigma = -i Gamma' (half the broadening Gamma).
    energy : float
        hbar omega in eV, any sign.
    theta : float
        Cone angle in rad.
    fermi_energy : float, default 0.0
        E_F in eV; Eq. (4) has 0.

    Returns
    -------
    float
        T_geo.e_phi in eV.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    Eq. (4) of [1]_, with the levels filled up to E_F instead of 0; at E_F = 0 ::

        T_phi = (hbar omega/2 pi) [pi - 2 arctan(Gamma'/J)] sin theta

    References
    ----------
    .. [1] U. Bajpai, B. K. Nikolic, Phys. Rev. Lett. 125, 187202 (2020).

    Examples
    --------
    >>> from llgnegf import analytic
    >>> round(analytic.geometric_torque_wide_band(0.1, 1e-9, energy=0.02, theta=np.pi / 2), 6)  # closed: hbar omega/2
    0.01
    """
    problems = Problems("geometric_torque_wide_band")
    problems.number("j_sd", j_sd, "a finite number > 0, in eV", lambda x: x > 0)
    problems.number("gamma_prime", gamma_prime, "a finite number > 0, in eV", lambda x: x > 0)
    for name, value in (("energy", energy), ("theta", theta), ("fermi_energy", fermi_energy)):
        problems.number(name, value, "a finite number")
    problems.raise_all()
    return float(_numeric_torque()(j_sd, gamma_prime, energy, theta, fermi_energy))


def bound_state_spin(j_sd: float, hopping: float = 1.0) -> float:
    """Spin of the bound states of one static moment in an infinite chain, half filled, kT << gamma.

    Parameters
    ----------
    j_sd : float
        J_sd in eV.
    hopping : float, default 1.0
        gamma in eV, > 0.

    Returns
    -------
    float
        <sigma.M>.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    Each spin has a bound state on the site, below the band for spin along M and above it for the other, of weight ::

        J/sqrt(4 gamma^2 + J^2)

    up to the sign of J; at E_F = 0 the bands hold equal weights of both (G_0(iy) is even up to the sign of J).

    Examples
    --------
    >>> from llgnegf import analytic
    >>> analytic.bound_state_spin(1.5)
    0.6
    """
    problems = Problems("bound_state_spin")
    problems.number("j_sd", j_sd, "a finite number, in eV")
    problems.number("hopping", hopping, "a finite number > 0, in eV", lambda x: x > 0)
    problems.raise_all()
    return float(j_sd / np.hypot(2 * hopping, j_sd))


def pumped_spin_current_adiabatic(j_sd: float, energy: float, theta: float, hopping: float = 1.0) -> float:
    """Spin current along the axis that one precessing moment pumps into each half of an infinite chain.

    Parameters
    ----------
    j_sd : float
        J_sd in eV.
    energy : float
        hbar omega in eV.
    theta : float
        Cone angle in rad.
    hopping : float, default 1.0
        gamma in eV, > 0.

    Returns
    -------
    float
        In eV.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    To first order in hbar omega, kT = 0, E_F = 0, with a = J_sd/(2 gamma), ::

        I = (hbar omega/4 pi) sin^2(theta) 4 a^2/(1 + a^2)^2

    Examples
    --------
    >>> from llgnegf import analytic
    >>> round(analytic.pumped_spin_current_adiabatic(2.0, energy=0.01, theta=np.pi / 2), 7)  # a = 1: hbar omega/4 pi
    0.0007958
    """
    problems = Problems("pumped_spin_current_adiabatic")
    for name, value in (("j_sd", j_sd), ("energy", energy), ("theta", theta)):
        problems.number(name, value, "a finite number")
    problems.number("hopping", hopping, "a finite number > 0, in eV", lambda x: x > 0)
    problems.raise_all()
    a = j_sd / (2 * hopping)
    return float(energy / (4 * np.pi) * np.sin(theta) ** 2 * 4 * a**2 / (1 + a**2) ** 2)


@cache
def _numeric_torque() -> Any:
    return sp.lambdify((J, GAMMA, OMEGA, THETA, FERMI), derive_geometric_torque().at_fermi_energy, "numpy")


def _reduce(expression: Any) -> Any:
    """`expression` as a polynomial with cos^2 theta replaced by 1 - sin^2 theta."""
    c, s = sp.symbols("c s", real=True)
    polynomial = sp.expand(expression).subs({sp.cos(THETA): c, sp.sin(THETA): s})
    reduced = sp.rem(polynomial, c**2 + s**2 - 1, c)
    return sp.factor(reduced).subs({c: sp.cos(THETA), s: sp.sin(THETA)})


def _imaginary_part(expression: Any) -> Any:
    """Im of a rational function with real symbols: (x - x*)/2i."""
    return sp.factor(sp.cancel(sp.together((expression - expression.subs(sp.I, -sp.I)) / (2 * sp.I))))


def _confirm(expression: Any, step: str) -> None:
    if sp.cancel(sp.together(expression)) != 0:
        raise AssertionError(f"sympy does not confirm {step}: {expression} is not 0")
