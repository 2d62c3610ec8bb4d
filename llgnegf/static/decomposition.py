"""First order in hbar w: adiabatic, geometric, Fermi-sea and Fermi-surface parts, Eq. (2) of PRL 125, 187202.

Called by `rotating_frame`; stands on `steady_state`.

With G_0 = G at w = 0, X_geo = -hbar w sigma_axis/2 and X_sea = (hbar w/2) sum_p (dSigma^up_p - dSigma^down_p)/dE,
    ad = I[G_0],   geo = I[G_0 X_geo G_0],   sea = I[G_0 X_sea G_0],       I[F] = -(1/pi) int dE Im F f
    surf = (hbar w/4 pi) sum_p int dE G_0 (Gamma^up_p - Gamma^down_p) G_0^dag df/dE
Rates of lead p (see `steady_state`): hbar L_p = I[-i [Sigma_p, F]] for each part's F, the sea with the change of
Sigma_p itself added, I[-i [X_p, G_0]]; the surface by the window formula with f_q - f -> (hbar w/2)(+-1) df/dE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._readable import Readable
from llgnegf.problem.occupation import density_matrix, fermi_derivative
from llgnegf.static.closed import occupation_response
from llgnegf.static.contour import FERMI_RANGE
from llgnegf.static.quadrature import Integral, Sampled
from llgnegf.static.steady_state import LeadCurrents, Occupation, SteadyState
from llgnegf.static.views import Density, InLevels
from llgnegf.static.weights import by_column
from llgnegf.static.window import fermi_points


@dataclass(frozen=True, eq=False)
class Decomposition(Readable):
    """The density matrix to first order in hbar w, in the rotating frame, in four parts.

    What `RotatingFrame.decompose` returns. Each part is an array (2N, 2N), or of `decompose_locally` what densities,
    torques and currents take as well.

    Attributes
    ----------
    adiabatic : ndarray of complex, (2N, 2N)
        Equilibrium with the moments frozen.
    geometric, sea, surface : ndarray of complex, (2N, 2N)
        The parts of first order; `nonadiabatic` is their sum.
    error : float
        Estimated quadrature error of the largest entry, all parts together.

    Notes
    -----
    The split is that of [1]_; the integrals are in `llgnegf.static.decomposition`.

    References
    ----------
    .. [1] U. Bajpai, B. K. Nikolic, Phys. Rev. Lett. 125, 187202 (2020).

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(1, j_sd=0.5), [ln.ChainLead(0), ln.ChainLead(0)], kT=0.05)
    >>> parts = ln.RotatingFrame(system, ln.cone(1, 1.0), energy=0.01).decompose()
    >>> bool(np.allclose(parts.nonadiabatic, parts.geometric + parts.sea + parts.surface))
    True
    """

    adiabatic: Any
    geometric: Any
    sea: Any
    surface: Any
    error: float

    @property
    def nonadiabatic(self) -> Any:
        """geometric + sea + surface."""
        return self.geometric + self.sea + self.surface


@dataclass(frozen=True, eq=False)
class CurrentDecomposition(Readable):
    """Lead currents of the four parts of `Decomposition`.

    What `RotatingFrame.decompose_lead_currents` returns.

    Attributes
    ----------
    adiabatic, geometric, sea, surface : LeadCurrents
        Charge (electrons/fs) and spin currents (eV) of each part.

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(1, j_sd=0.5), [ln.ChainLead(0), ln.ChainLead(0)], kT=0.05)
    >>> parts = ln.RotatingFrame(system, ln.cone(1, 1.0), energy=0.01).decompose_lead_currents()
    >>> bool((parts.surface.spin[:, 2] > 0).all())  # pumping: spin along the axis leaves through both leads
    True
    """

    adiabatic: LeadCurrents
    geometric: LeadCurrents
    sea: LeadCurrents
    surface: LeadCurrents


@dataclass(frozen=True, eq=False)
class LinearResponse:
    """The static problem (w = 0), hbar w = `energy`, and sigma.axis (2, 2)."""

    state: SteadyState
    energy: float
    spin: np.ndarray

    def density_matrices(self, view: InLevels) -> Decomposition:
        """The four parts as `view` hands them out."""
        if not self.state.device.channels:
            return self._closed(view)
        common = self.state.contour(view, view.parts(self._turn, self._sea_weights), 3)
        surface = self._surface(view, self.state.spectral_density)
        adiabatic, geometric, sea, fermi = map(view.on_sites, [*common.value, surface.value])
        return Decomposition(adiabatic, geometric, sea, fermi, common.error + surface.error)

    def lead_currents(self, view: InLevels) -> CurrentDecomposition:
        """Lead currents of the four parts."""
        state, device = self.state, self.state.device
        if not device.channels:
            nothing = LeadCurrents.from_rates(np.zeros((state.n_leads, 4)), 0.0)
            return CurrentDecomposition(nothing, nothing, nothing, nothing)
        parts = view.parts(self._turn, self._sea_weights)

        def commutators(z: np.ndarray) -> np.ndarray:
            """-i Tr O [Sigma_p, F] of the first three parts, (n, 3, n_leads, 4)."""
            sides = list(zip(*(side.swapaxes(0, 1) for side in parts.on_vectors(z)), strict=True))
            found = [view.ends.commutators(device.self_energies(z), *pair) for pair in sides]
            found[2] = found[2] + view.ends.commutators(self._sea_weights(z), *sides[0])
            return -1j * np.stack([state.by_lead(part) for part in found], axis=1)

        common = state.traces(view, commutators)
        surface = self._surface(view, state.rate_density)
        error = common.error + surface.error
        return CurrentDecomposition(*(LeadCurrents.from_rates(r, error) for r in [*common.value, surface.value]))

    def _closed(self, view: InLevels) -> Decomposition:
        """Discrete levels: f(H) and its response to -hbar w sigma.axis/2; neither sea nor surface."""
        hamiltonian, mu, kT = self.state.device.hamiltonian, self.state.mu, self.state.kT
        geometric = nothing = np.zeros_like(hamiltonian)
        if self.energy != 0:
            turn = np.kron(np.eye(len(hamiltonian) // 2), self._turn)
            geometric = occupation_response(hamiltonian, turn, mu, kT)
        adiabatic = view.cut(density_matrix(hamiltonian, mu, kT))
        return Decomposition(adiabatic, view.cut(geometric), view.cut(nothing), view.cut(nothing), 0.0)

    @property
    def _turn(self) -> np.ndarray:
        """X_geo on a site, (2, 2)."""
        return -0.5 * self.energy * self.spin

    @property
    def _spin_weights(self) -> np.ndarray:
        """-Q_s hbar w of each column: f_q - f = -Q_s hbar w df/dE."""
        return 0.5 * self.energy * self.state.device.spins

    def _sea_weights(self, z: np.ndarray) -> np.ndarray:
        """X_sea = u W u^dag: W, (n, Q) or (n, Q, Q)."""
        return by_column(self.state.device.self_energy_derivatives(z), self._spin_weights)

    def _surface(
        self, view: InLevels, density: Callable[[InLevels, Occupation], Density | Sampled]
    ) -> Integral:  # fmt: skip
        """int dE of a `density` with f_q - f to first order; at kT = 0 df/dE = -delta(E - mu)."""
        mu, kT, what = self.state.mu, self.state.kT, "RotatingFrame, Fermi surface"
        if kT == 0:
            at_mu = density(view, lambda origin, offset: -self._spin_weights)
            return Integral(Sampled.of(at_mu).at(np.array([mu]), np.zeros(1)), 0.0, 1)

        def occupation(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            return fermi_derivative((origin - mu) + offset, 0.0, kT)[:, None] * self._spin_weights

        window = view.window(mu - FERMI_RANGE * kT, mu + FERMI_RANGE * kT, fermi_points(mu, kT))
        return self.state.integral(view, window, density(view, occupation), what)
