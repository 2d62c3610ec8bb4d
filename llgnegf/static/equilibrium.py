"""Energy integrals with one Fermi function: complex contour for open systems, discrete levels for closed ones.

Used by `steady_state` and `rotating_frame`; stands on `quadrature`.

Contour. F is analytic in the upper half plane (G, G X G, ...), F -> c/z far away, f has poles of residue -kT at
z_k = mu + i (2k - 1) pi kT, and f(x + i y_0) = f(x) at y_0 = 2 pi n kT. Raising the path from the real axis to
Im z = y_0 crosses n poles:
    int F f dE = -2 pi i kT sum_{k<=n} F(z_k) + int dx f(x) F(x + i y_0)
With f = theta(mu - x) + (f - theta), the theta part is turned from the left half line to the ray mu + i y, y > y_0:
    int_{-oo}^{mu} dx F(x + i y_0) = -i int_{y_0}^oo dy F(mu + i y) - i (pi/2) c          (the last from the arc)
I[F] = -(1/pi) int dE Im F f = (i/2 pi) int dE (F - F^dag) f is therefore
    I[F] = c/2 + kT sum_k [F + F^dag](z_k) + (1/2 pi) int_{y_0}^oo dy [F + F^dag](mu + i y)
               + (i/2 pi) int dx (f - theta) [F - F^dag](x + i y_0).
Nothing is assumed of the spectrum below: bound states, band edges and wide-band leads need no special care.
At kT = 0 only c/2 and the ray from mu + i0 are left. The ray's integrand falls as 1/y^2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llgnegf.static.quadrature import Integral, integrate

POLES_BELOW_PATH = 2
"""n of the contour: y_0 = 4 pi kT keeps the path well away from the poles of f and from the real axis."""
FERMI_RANGE = 40.0
"""|E - mu|/kT beyond which f or 1 - f is below 5e-18."""


def fermi(energy: np.ndarray, kT: float) -> np.ndarray:
    """f = 1/(exp(E/kT) + 1) for real E measured from mu; a step with f(0) = 1/2 at kT = 0."""
    if kT == 0:
        return 0.5 - 0.5 * np.sign(energy)
    return 0.5 - 0.5 * np.tanh(np.clip(energy / (2 * kT), -400, 400))


def fermi_derivative(energy: np.ndarray, kT: float) -> np.ndarray:
    """df/dE in 1/eV for real E measured from mu, kT > 0."""
    return -0.25 / kT / np.cosh(np.clip(energy / (2 * kT), -350, 350)) ** 2


def adjoint(matrices: np.ndarray) -> np.ndarray:
    """Hermitian conjugate in the last two axes."""
    return matrices.conj().swapaxes(-1, -2)


def plus_adjoint(matrices: np.ndarray) -> np.ndarray:
    """F + F^dag in the last two axes."""
    return matrices + adjoint(matrices)


def contour_integral(
    function: Callable[[np.ndarray], np.ndarray],
    residue: np.ndarray | float,
    mu: float,
    kT: float,
    scale: float,
    tolerance: float,
    n_entries: int,
    what: str,
    with_adjoint: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Integral:
    """I[F] = -(1/pi) int dE Im[F(E)] f(E) on the contour of the module's docstring.

    Args:
        function: F(z) for z (n,) in the upper half plane, returning (n, ..., d, d).
        residue: c in F -> c/z, broadcast to (..., d, d); Hermitian.
        mu, kT: Chemical potential and thermal energy in eV; kT = 0 is allowed.
        scale: Energy in eV of the size of the spectrum around mu; sets the variable on the ray only.
        tolerance: Absolute error allowed in the largest entry.
        n_entries: Complex numbers handled at one energy.
        what: Name for error messages.
        with_adjoint: F -> F + F^dag of what `function` returns (it may reuse F), where that is no full matrix.

    Returns:
        Integral of shape (..., d, d), Hermitian in the last two axes.

    Raises:
        QuadratureError: If the tolerance cannot be reached.
    """
    y0 = 2 * np.pi * POLES_BELOW_PATH * kT
    doubled = plus_adjoint if with_adjoint is None else with_adjoint

    def ray(panel: np.ndarray, t: np.ndarray) -> np.ndarray:
        values = _scaled(function(mu + 1j * (y0 + scale * t / (1 - t))), scale / (1 - t) ** 2 / (2 * np.pi))
        return doubled(values)

    def path(panel: np.ndarray, x: np.ndarray) -> np.ndarray:
        values = _scaled(function(mu + kT * x + 1j * y0), 0.5j / np.pi * kT * (fermi(x, 1.0) - (x < 0)))
        return doubled(values)

    # Graded towards y_0, where the levels are near; 0.25 and 0.5 are y = scale/3 and y = scale.
    part = integrate(ray, _segments([0.0, 0.02, 0.08, 0.25, 0.5, 0.75, 1.0]), 0.5 * tolerance, n_entries, what)
    value, error, evaluations = 0.5 * residue + part.value, part.error, part.evaluations
    if kT > 0:
        reach = [4.0, 9.0, 17.0, FERMI_RANGE]
        ends = [-x for x in reversed(reach)] + [0.0] + reach
        thermal = integrate(path, _segments(ends), 0.5 * tolerance, n_entries, what)
        points = function(mu + 1j * np.pi * kT * (2 * np.arange(1, POLES_BELOW_PATH + 1) - 1))
        value = value + thermal.value + kT * doubled(points).sum(axis=0)
        error, evaluations = error + thermal.error, evaluations + thermal.evaluations + POLES_BELOW_PATH
    return Integral(0.5 * doubled(value), error, evaluations)


def occupy_levels(hamiltonian: np.ndarray, mu: float, kT: float) -> np.ndarray:
    """Equilibrium density matrix f(H) of a closed system; a level at mu is half filled at kT = 0."""
    energies, states = np.linalg.eigh(hamiltonian)
    occupation = fermi(_snap(energies - mu, hamiltonian), kT)
    return (states * occupation) @ states.conj().T


def occupation_response(hamiltonian: np.ndarray, perturbation: np.ndarray, mu: float, kT: float) -> np.ndarray:
    """First-order change of f(H) under H -> H + X.

        delta f = V [ f[eps_i, eps_j] (V^dag X V)_ij ] V^dag,    f[a, b] = (f(a) - f(b))/(a - b), f'(a) for a = b

    Raises:
        ValueError: At kT = 0 with a level at the Fermi energy: f' is infinite there.
    """
    energies, states = np.linalg.eigh(hamiltonian)
    measured = _snap(energies - mu, hamiltonian)
    if kT == 0 and np.any(measured == 0):
        raise ValueError(
            f"OpenSystem.kT: 0 with a level of the closed system at the Fermi energy {mu}; "
            "allowed: kT > 0, or a Fermi energy between the levels"
        )
    inner = states.conj().T @ perturbation @ states
    return states @ (divided_difference(measured, kT) * inner) @ states.conj().T


def divided_difference(energies: np.ndarray, kT: float) -> np.ndarray:
    """f[a_i, a_j] of the Fermi function for levels a (n,) measured from mu, (n, n), free of cancellation.

    f(a) - f(b) = -sinh(x - y)/(2 cosh x cosh y) with x = a/2kT, y = b/2kT; used where |x - y| < 1.
    """
    difference = energies[:, None] - energies[None, :]
    f = fermi(energies, kT)
    same = difference == 0
    direct = (f[:, None] - f[None, :]) / np.where(same, 1.0, difference)
    if kT == 0:
        return np.where(same, 0.0, direct)
    x = np.clip(energies / (2 * kT), -300, 300)
    gap = np.where(np.abs(difference) < 2 * kT, difference / (2 * kT), 0.0)
    quotient = np.where(gap == 0, 1.0, np.sinh(gap) / np.where(gap == 0, 1.0, gap))
    close = -quotient / (4 * kT * np.cosh(x)[:, None] * np.cosh(x)[None, :])
    return np.where(np.abs(difference) < 2 * kT, close, direct)


def _snap(measured: np.ndarray, hamiltonian: np.ndarray) -> np.ndarray:
    """Levels measured from mu, with those at mu to round-off set to exactly 0."""
    round_off = 1e-13 * max(1.0, float(np.abs(hamiltonian).max()))
    return np.where(np.abs(measured) < round_off, 0.0, measured)


def _segments(ends: list[float]) -> np.ndarray:
    return np.stack([np.zeros(len(ends) - 1), np.array(ends[:-1]), np.array(ends[1:])], axis=1)


def _scaled(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`values` times one weight for each energy, in place: they are large."""
    values *= weights.reshape((-1,) + (1,) * (values.ndim - 1))
    return values
