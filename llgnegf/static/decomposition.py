"""First order in hbar w: adiabatic, geometric, Fermi-sea and Fermi-surface parts, Eq. (2) of PRL 125, 187202.

Called by `rotating_frame`; stands on `equilibrium` and `steady_state`.

With G_0 = G at w = 0, X_geo = -hbar w sigma_axis/2 and X_sea = (hbar w/2) sum_p (dSigma^up_p - dSigma^down_p)/dE,
    ad = I[G_0],   geo = I[G_0 X_geo G_0],   sea = I[G_0 X_sea G_0],       I[F] = -(1/pi) int dE Im F f
    surf = (hbar w/4 pi) sum_p int dE G_0 (Gamma^up_p - Gamma^down_p) G_0^dag df/dE
Rates of lead p (see `steady_state`): hbar L_p = I[-i [Sigma_p, F]] for each part's F, the sea with the change of
Sigma_p itself added, I[-i [X_p, G_0]]; the surface by the window formula with f_q - f -> (hbar w/2)(+-1) df/dE.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.static.equilibrium import FERMI_RANGE, contour_integral, occupation_response, occupy_levels
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import Integral
from llgnegf.static.steady_state import (
    LeadCurrents,
    LeadEnds,
    Occupation,
    SteadyState,
    _sandwich,
    fermi_surface_occupation,
    from_levels,
    rate_density,
    trace_integral,
    window_density,
    window_rates,
)
from llgnegf.static.window import Window, window_panels


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The density matrix to first order in hbar w, each part (2N, 2N), in the rotating frame.

    Attributes:
        adiabatic: Equilibrium with the moments frozen.
        geometric, sea, surface: The parts of first order.
        error: Estimated quadrature error of the largest entry, all parts together.
    """

    adiabatic: np.ndarray
    geometric: np.ndarray
    sea: np.ndarray
    surface: np.ndarray
    error: float

    @property
    def nonadiabatic(self) -> np.ndarray:
        """geometric + sea + surface."""
        return self.geometric + self.sea + self.surface


@dataclass(frozen=True, eq=False)
class CurrentDecomposition:
    """Lead currents of the four parts of `Decomposition`."""

    adiabatic: LeadCurrents
    geometric: LeadCurrents
    sea: LeadCurrents
    surface: LeadCurrents


@dataclass(frozen=True, eq=False)
class LinearResponse:
    """The static problem (w = 0), hbar w = `energy`, and sigma.axis on every site (2N, 2N)."""

    state: SteadyState
    energy: float
    spin: np.ndarray

    def density_matrices(self) -> Decomposition:
        """The four parts."""
        device, state = self.state.device, self.state
        if not device.channels:
            return self._closed()
        # One integral for each part: their matrices at one time would be three times the memory.
        parts = [
            contour_integral(
                part, residue, state.mu, state.kT, state.scale, state.tolerance / 6, 3 * device.size**2,
                f"RotatingFrame.decompose, {name}",
            )
            for name, part, residue in (
                ("adiabatic", self._adiabatic, np.eye(device.size)),
                ("geometric", self._geometric, 0.0),
                ("sea", self._sea, 0.0),
            )
        ]  # fmt: skip
        surface = self._surface()
        adiabatic, geometric, sea = (from_levels(device, part.value) for part in parts)
        error = sum(part.error for part in parts) + surface.error
        return Decomposition(adiabatic, geometric, sea, surface.value, error)

    def lead_currents(self) -> CurrentDecomposition:
        """Lead currents of the four parts."""
        state, device = self.state, self.state.device
        if not device.channels:
            nothing = LeadCurrents.from_rates(np.zeros((state.n_leads, 4)), 0.0)
            return CurrentDecomposition(nothing, nothing, nothing, nothing)
        common = trace_integral(self._commutators, state, "RotatingFrame.decompose_lead_currents")
        surface = self._surface_rates()
        rates = [*common.value[..., 0, 0].real, surface.value]
        error = common.error + surface.error
        return CurrentDecomposition(*(LeadCurrents.from_rates(r, error) for r in rates))

    def _closed(self) -> Decomposition:
        """Discrete levels: f(H) and its response to -hbar w sigma.axis/2; neither sea nor surface."""
        hamiltonian, mu, kT = self.state.device.hamiltonian, self.state.mu, self.state.kT
        nothing = np.zeros_like(hamiltonian)
        geometric = nothing
        if self.energy != 0:
            geometric = occupation_response(hamiltonian, -0.5 * self.energy * self.spin, mu, kT)
        return Decomposition(occupy_levels(hamiltonian, mu, kT), geometric, nothing, nothing, 0.0)

    def _adiabatic(self, z: np.ndarray) -> np.ndarray:
        """G_0 in the basis of the levels, (n, 2N, 2N)."""
        return self.state.device.level_green(z).matrix()

    def _geometric(self, z: np.ndarray) -> np.ndarray:
        """G_0 X_geo G_0."""
        return self.state.device.level_green(z).sandwich(self._turn)

    def _sea(self, z: np.ndarray) -> np.ndarray:
        """G_0 X_sea G_0."""
        device = self.state.device
        return device.level_green(z).between(device.level_vectors, self.sea_weights(z))

    @cached_property
    def _turn(self) -> np.ndarray:
        """X_geo = -hbar w sigma.axis/2 in the basis of the levels."""
        states = self.state.device.levels[1]
        return -0.5 * self.energy * states.conj().T @ self.spin @ states

    def sea_weights(self, z: np.ndarray) -> np.ndarray:
        """X_sea = sum_q w_q u_q u_q^dag: w, (n, n_channels)."""
        device = self.state.device
        return 0.5 * self.energy * device.spins * device.self_energy_derivatives(z)

    def _commutators(self, z: np.ndarray) -> np.ndarray:
        """-i Tr O [Sigma_p, F] of the first three parts, (n, 3, n_leads, 4)."""
        device = self.state.device
        ends = LeadEnds.in_levels(device, self.state.n_leads)
        return self.rates(ends, z, [self._adiabatic(z), self._geometric(z), self._sea(z)])

    def rates(self, ends: LeadEnds, z: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
        """-i Tr O [Sigma_p, F], (n, 3, n_leads, 4), for F = G_0, G_0 X_geo G_0, G_0 X_sea G_0 in the `ends`' basis."""
        parts = [ends.commutators(self.state.device.self_energies(z), f) for f in matrices]
        parts[2] = parts[2] + ends.commutators(self.sea_weights(z), matrices[0])
        return -1j * np.stack(parts, axis=1)

    def _surface(self) -> Integral:
        state, device = self.state, self.state.device
        what = "RotatingFrame.decompose, Fermi surface"
        if state.kT > 0:
            window = self._thermal_window()
            return window_density(device, window, self.thermal_surface(), 0.5 * state.tolerance, what)
        at_mu = _sandwich(device, np.array([state.mu]), np.zeros(1), self.sharp_surface())[0]
        return Integral(from_levels(device, at_mu) / (2 * np.pi), 0.0, 1)

    def _surface_rates(self) -> Integral:
        state, device = self.state, self.state.device
        what = "RotatingFrame.decompose_lead_currents, Fermi surface"
        if state.kT > 0:
            window, tolerance = self._thermal_window(), 0.5 * state.tolerance
            return window_rates(device, window, self.thermal_surface(), state.n_leads, tolerance, what)
        at_mu = rate_density(device, np.array([state.mu]), np.zeros(1), self.sharp_surface(), state.n_leads)[0]
        return Integral(at_mu / (2 * np.pi), 0.0, 1)

    def _thermal_window(self) -> Window:
        state = self.state
        reach = FERMI_RANGE * state.kT
        return window_panels(state.device, state.mu - reach, state.mu + reach, np.array([state.mu]))

    @property
    def _spin_weights(self) -> np.ndarray:
        """-Q_s hbar w of each channel: f_q - f = -Q_s hbar w df/dE."""
        device: StaticDevice = self.state.device
        return 0.5 * self.energy * device.spins

    def thermal_surface(self) -> Occupation:
        """f_q - f to first order for kT > 0: (hbar w/2)(+-1) df/dE."""
        return fermi_surface_occupation(self.state.device, self._spin_weights, self.state.mu, self.state.kT)

    def sharp_surface(self) -> Occupation:
        """df/dE = -delta(E - mu) at kT = 0, the integral over E taken."""
        return lambda origin, offset: np.broadcast_to(-self._spin_weights, (origin.size, self._spin_weights.size))
