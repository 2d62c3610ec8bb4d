"""Whether the state of a run is still a density matrix: looked at with each row, at the cost of reading rho once.

0 <= rho <= 1 demands that rho is Hermitian, that the occupation of every site and spin lies in [0, 1], and, since then
rho^2 <= rho, that sum_ij |rho_ij|^2 <= Tr rho. An unstable step or a growing mode breaks one of them long before it
overflows.
"""

from __future__ import annotations

import numpy as np

from llgnegf.equations.layout import Layout
from llgnegf.integrators.integration import IntegrationStopped

LEAST, SHARE = 1e-6, 10.0
"""What may be missing: this much, or so many rtol."""


class Watch:
    """Stops a run whose density matrix is none.

    Args:
        layout: What is where in the state.
        rtol: That of the run.
    """

    def __init__(self, layout: Layout, rtol: float) -> None:
        self.layout, self.tolerance = layout, max(LEAST, SHARE * rtol)

    def check(self, tau: float, state: np.ndarray) -> None:
        """Raises IntegrationStopped with time (hbar/eV), quantity and cause."""
        n, tolerance = self.layout.n_states, self.tolerance
        if n == 0:
            return
        real, imag = (
            plane[: n * self.layout.columns].reshape(n, -1)[:, :n] for plane in self.layout.electrons(state)
        )
        occupation = real.diagonal()
        worst = int(np.argmax(np.abs(occupation - 0.5)))
        skew = max(float(np.abs(real - real.T).max()), float(np.abs(imag + imag.T).max()))
        excess = float(np.einsum("ij,ij", real, real) + np.einsum("ij,ij", imag, imag) - occupation.sum())
        if not np.abs(occupation[worst] - 0.5) <= 0.5 + tolerance:
            spin = ("up", "down")[worst % 2]
            self._stop(tau, f"occupation {occupation[worst]:.6g} of spin {spin} on site {worst // 2}; allowed: 0 to 1")
        if not excess <= tolerance * n:
            self._stop(tau, f"Tr rho^2 - Tr rho = {excess:.3g}; allowed: at most 0, as for occupations from 0 to 1")
        if not skew <= tolerance:
            self._stop(tau, f"rho differs from its adjoint by {skew:.3g}; allowed: a Hermitian matrix")

    def _stop(self, tau: float, what: str) -> None:
        raise IntegrationStopped(
            f"stopped at t/hbar = {tau:.6g} 1/eV: density matrix: {what} (up to {self.tolerance:.1g}); the step is too "
            "long for this system or rtol too large"
        )
