"""Energy integrals with one Fermi function on a complex contour: nothing is evaluated near the real axis.

Used by stationary states and response; stands on `quadrature`.

F is analytic in the upper half plane (G, G X G, ...), F -> c/z far away, f has poles of residue -kT at
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
from dataclasses import dataclass

import numpy as np

from llgnegf.problem.occupation import fermi
from llgnegf.static.quadrature import Integral, Sampled, integrate, segments

POLES_BELOW_PATH = 2
"""n of the contour: y_0 = 4 pi kT keeps the path well away from the poles of f and from the real axis."""
FERMI_RANGE = 40.0
"""|E - mu|/kT beyond which f or 1 - f is below 5e-18."""
THERMAL_CUTS = np.array([-FERMI_RANGE, -17.0, -9.0, -4.0, 0.0, 4.0, 9.0, 17.0, FERMI_RANGE])
"""Where a Fermi function is cut, in kT from its chemical potential: a panel much wider than kT has no node on it, and
does not know."""
RAY_CUTS = np.array([0.0, 0.02, 0.08, 0.25, 0.5, 0.75, 1.0])
"""Graded towards y_0, where the levels are near; 0.25 and 0.5 are y = scale/3 and y = scale."""


def adjoint(matrices: np.ndarray) -> np.ndarray:
    """Hermitian conjugate in the last two axes."""
    return matrices.conj().swapaxes(-1, -2)


def plus_adjoint(matrices: np.ndarray) -> np.ndarray:
    """F + F^dag in the last two axes."""
    return matrices + adjoint(matrices)


def twice_real(traces: np.ndarray) -> np.ndarray:
    """F + F^* of traces with Hermitian operators."""
    return 2 * traces.real


@dataclass(frozen=True)
class Contour:
    """The contour of the module's docstring.

    Attributes:
        mu, kT: Chemical potential and thermal energy in eV; kT = 0 is allowed.
        scale: Energy in eV of the size of the levels' distance from mu; sets the variable on the ray only.
    """

    mu: float
    kT: float
    scale: float

    @classmethod
    def of(cls, hamiltonian: np.ndarray, mu: float, kT: float) -> Contour:
        """With the root mean square of the levels' distance from mu, kept away from 0."""
        # |H - mu|^2 = |H|^2 - 2 mu Tr H + mu^2 dim without a copy of H
        squared = np.vdot(hamiltonian, hamiltonian).real / len(hamiltonian)
        norm = np.sqrt(max(squared - 2 * mu * np.diagonal(hamiltonian).real.mean() + mu**2, 0.0))
        return cls(mu, kT, float(max(norm, 0.01 * np.abs(hamiltonian).max(), 1e-3)))

    def integral(
        self,
        function: Callable[[np.ndarray], np.ndarray] | Sampled,
        residue: np.ndarray | float,
        tolerance: float,
        n_entries: int,
        what: str,
        with_adjoint: Callable[[np.ndarray], np.ndarray] = plus_adjoint,
    ) -> Integral:
        """I[F] = -(1/pi) int dE Im[F(E)] f(E).

        Args:
            function: F(z) for z (n,) in the upper half plane, returning (n, ...), or samples of it.
            residue: c in F -> c/z, broadcast to (...); Hermitian.
            tolerance: Absolute error allowed in the largest entry.
            n_entries: Complex numbers handled at one energy.
            what: Name for error messages.
            with_adjoint: F -> F + F^dag of what `function` returns (it may reuse F): matrices in the last two axes,
                unless given.

        Raises:
            QuadratureError: If the tolerance cannot be reached.
        """
        mu, kT, scale, integrand = self.mu, self.kT, self.scale, Sampled.of(function)
        y0 = 2 * np.pi * POLES_BELOW_PATH * kT

        def ray(panel: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return mu + 1j * (y0 + scale * t / (1 - t)), scale / (1 - t) ** 2 / (2 * np.pi)

        def path(panel: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return mu + kT * x + 1j * y0, 0.5j / np.pi * kT * (fermi(x, 0.0, 1.0) - (x < 0))

        part = integrate(integrand.along(ray, with_adjoint), segments(RAY_CUTS), 0.5 * tolerance, n_entries, what)
        value, error, evaluations = 0.5 * residue + part.value, part.error, part.evaluations
        if kT > 0:
            line = integrand.along(path, with_adjoint)
            thermal = integrate(line, segments(THERMAL_CUTS), 0.5 * tolerance, n_entries, what)
            z = mu + 1j * np.pi * kT * (2 * np.arange(1, POLES_BELOW_PATH + 1) - 1)
            value = value + thermal.value + with_adjoint(integrand.summed(z, np.full(z.size, kT)))
            error, evaluations = error + thermal.error, evaluations + thermal.evaluations + POLES_BELOW_PATH
        return Integral(0.5 * with_adjoint(value), error, evaluations)
