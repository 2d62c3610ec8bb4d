"""Whether the state of a run is still a density matrix: looked at with each row, at the cost of reading rho once.

0 <= rho <= 1 demands that rho is Hermitian, that the occupation of every site and spin lies in [0, 1], and, since then
rho^2 <= rho, that sum_ij |rho_ij|^2 <= Tr rho. An unstable step or a growing mode breaks one of them long before it
overflows.
"""

from __future__ import annotations

import numpy as np

from llgnegf._compile import kernel
from llgnegf.equations.layout import Layout
from llgnegf.integrators.integration import IntegrationStopped

LEAST, SHARE = 1e-6, 10.0
"""What may be missing: this much, or so many rtol."""


@kernel()
def figures(rows, widths, real, imag):  # type: ignore[no-untyped-def]
    """The state whose occupation is furthest from 1/2 and that occupation, Tr rho^2 - Tr rho of a Hermitian rho, and
    the largest |Re| or |Im| of rho_rc - rho_cr^* where both are stored.

    Args:
        rows, widths: Where the planes hold rho_r0, and how many columns of row r, (n,).
        real, imag: The planes of a state.
    """
    worst, far, trace, square, skew = 0, -1.0, 0.0, 0.0, 0.0
    for r in range(rows.size):
        first, occupation = rows[r], real[rows[r] + r]
        trace += occupation
        off = abs(occupation - 0.5)
        if far == far and not off <= far:  # the first that is not a number is the furthest
            worst, far = r, off
        for c in range(r):
            square += 2 * (real[first + c] ** 2 + imag[first + c] ** 2)
        square += occupation**2
        for c in range(r, widths[r]):
            other = rows[c] + r
            for off in (abs(real[first + c] - real[other]), abs(imag[first + c] + imag[other])):
                if skew == skew and not off <= skew:
                    skew = off
    return worst, real[rows[worst] + worst], square - trace, skew


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
        store = self.layout
        worst, occupation, excess, skew = figures(store.rows[0], store.widths, *store.electrons(state))
        if not abs(occupation - 0.5) <= 0.5 + tolerance:
            spin = ("up", "down")[worst % 2]
            self._stop(tau, f"occupation {occupation:.6g} of spin {spin} on site {worst // 2}; allowed: 0 to 1")
        if not excess <= tolerance * n:
            self._stop(tau, f"Tr rho^2 - Tr rho = {excess:.3g}; allowed: at most 0, as for occupations from 0 to 1")
        if not skew <= tolerance:
            self._stop(tau, f"rho differs from its adjoint by {skew:.3g}; allowed: a Hermitian matrix")

    def _stop(self, tau: float, what: str) -> None:
        raise IntegrationStopped(
            f"stopped at t/hbar = {tau:.6g} 1/eV: density matrix: {what} (up to {self.tolerance:.1g}); the step is too "
            "long for this system or rtol too large"
        )
