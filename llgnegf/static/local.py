"""The oracle's density matrices on sites and bonds only: O(N) in time and memory for each energy, for long chains.

Called by `rotating_frame`; the integrals are those of `steady_state` and `decomposition`, the blocks come from
`recursion`. Spin and charge densities, torques, bond and lead currents need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem import observables
from llgnegf.problem.electrons import Electrons
from llgnegf.static.decomposition import LinearResponse
from llgnegf.static.equilibrium import FERMI_RANGE, adjoint, contour_integral
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import Integral, integrate
from llgnegf.static.recursion import ChainGreen, adjoint_blocks, is_chain
from llgnegf.static.steady_state import LeadEnds, Occupation, SteadyState, rates_of_columns, spin_operators
from llgnegf.static.window import Window, chain_window

BLOCK_ENTRIES = 12
"""Complex numbers per site and energy by which a batch is sized."""


@dataclass(frozen=True, eq=False)
class LocalDensityMatrix:
    """rho_ii and rho_{i,i+1} of a chain; the other blocks were not asked for.

    Attributes:
        diagonal: rho_ii, (N, 2, 2).
        upper: rho_{i,i+1}, (N - 1, 2, 2); rho_{i+1,i} is its Hermitian conjugate.
    """

    diagonal: np.ndarray
    upper: np.ndarray

    @classmethod
    def cut(cls, rho: np.ndarray) -> LocalDensityMatrix:
        """The blocks of a full density matrix (2N, 2N)."""
        n = rho.shape[-1] // 2
        blocks = np.asarray(rho).reshape(n, 2, n, 2).transpose(0, 2, 1, 3)
        sites = np.arange(n)
        return cls(blocks[sites, sites], blocks[sites[:-1], sites[1:]])

    @classmethod
    def unpack(cls, blocks: np.ndarray) -> LocalDensityMatrix:
        """From (3 N - 2, 2, 2) as `ChainGreen.local_blocks` orders them."""
        n = (blocks.shape[0] + 2) // 3
        return cls(blocks[:n], blocks[n : 2 * n - 1])

    def __add__(self, other: LocalDensityMatrix) -> LocalDensityMatrix:
        return LocalDensityMatrix(self.diagonal + other.diagonal, self.upper + other.upper)

    def __sub__(self, other: LocalDensityMatrix) -> LocalDensityMatrix:
        return LocalDensityMatrix(self.diagonal - other.diagonal, self.upper - other.upper)

    def spin_density(self) -> np.ndarray:
        """<s_i>^a = Tr[rho_ii sigma_a], (N, 3)."""
        return observables.spin_density(self.diagonal)[:, 0]

    def charge_density(self) -> np.ndarray:
        """Electrons on each site, (N,)."""
        return observables.charge_density(self.diagonal)[:, 0]

    def torque(self, moments: Any, j_sd: Any) -> np.ndarray:
        """T_i = J_sd <s_i> x M_i in eV, (N, 3), for moments (N, 3) and j_sd in eV, one number or one for each site."""
        n = self.diagonal.shape[0]
        problems = Problems("LocalDensityMatrix.torque")
        m = problems.array("moments", moments, (n, 3), f"finite vectors of shape ({n}, 3)")
        coupling = problems.per_site("j_sd", j_sd, n, "finite, in eV")
        problems.raise_all()
        assert m is not None and coupling is not None
        return coupling[:, None] * np.cross(self.spin_density(), m)

    def bond_charge_current(self, electrons: Electrons) -> np.ndarray:
        """Electrons per fs from i to i + 1 on each bond of `electrons.bonds`, (n_bonds,)."""
        return np.array([observables.bond_charge_current(rho, pair)[0] for rho, pair in self._bonds(electrons)])

    def bond_spin_current(self, electrons: Electrons) -> np.ndarray:
        """I^{S_a} in eV from i to i + 1 on each bond of `electrons.bonds`, (n_bonds, 3)."""
        flow = [observables.bond_spin_current(rho, pair)[0] for rho, pair in self._bonds(electrons)]
        return np.array(flow).reshape(-1, 3)

    def _bonds(self, electrons: Electrons) -> list[tuple[np.ndarray, Electrons]]:
        """For each bond the density matrix (4, 4) and the Hamiltonian of its two sites alone."""
        n = self.diagonal.shape[0]
        reach = np.ptp(electrons.bonds, axis=1).max(initial=0)
        if electrons.n_sites != n or reach > 1:
            given = f"{electrons.n_sites} sites, bonds over up to {reach} sites"
            raise ValueError(
                f"LocalDensityMatrix.electrons: {given}; allowed: a chain of {n} sites, bonds to neighbours"
            )
        pairs = []
        for i, j in electrons.bonds:
            upper = self.upper[i]
            rho = np.block([[self.diagonal[i], upper], [upper.conj().T, self.diagonal[j]]])
            pairs.append((rho, Electrons(electrons.hamiltonian[2 * i : 2 * j + 2, 2 * i : 2 * j + 2], 0.0)))
        return pairs


@dataclass(frozen=True, eq=False)
class LocalDecomposition:
    """`Decomposition` on sites and bonds: each part a `LocalDensityMatrix`; `error` of the largest entry."""

    adiabatic: LocalDensityMatrix
    geometric: LocalDensityMatrix
    sea: LocalDensityMatrix
    surface: LocalDensityMatrix
    error: float

    @property
    def nonadiabatic(self) -> LocalDensityMatrix:
        """geometric + sea + surface."""
        return self.geometric + self.sea + self.surface


class WindowTooNarrow(ArithmeticError):
    """A resonance on the real axis is too narrow for energies measured from 0; the dense path resolves it."""


@dataclass(frozen=True, eq=False)
class LocalState:
    """A `SteadyState` whose device is a chain, evaluated by recursion.

    Raises:
        WindowTooNarrow: By the methods, see there.
    """

    state: SteadyState

    @staticmethod
    def applies(device: StaticDevice) -> bool:
        """True for an open chain."""
        return bool(device.channels) and is_chain(device)

    @cached_property
    def chain(self) -> ChainGreen:
        """Green functions of the device."""
        return ChainGreen(self.state.device)

    @cached_property
    def ends(self) -> LeadEnds:
        """The lead vectors on the lead sites alone, (2 S, n_channels) for S sites."""
        sites, device = self.sites, self.state.device
        rows = (2 * sites[:, None] + np.arange(2)).ravel()
        return LeadEnds(device.vectors[rows], spin_operators(device.vectors)[:, rows], device.leads, self.state.n_leads)

    @cached_property
    def sites(self) -> np.ndarray:
        """Sites with leads, (S,)."""
        return np.unique(self.chain.lead_sites)

    @property
    def entries(self) -> int:
        """Size of a batch, see `quadrature.batch_size`."""
        return BLOCK_ENTRIES * self.chain.n_sites

    def density_matrix(self) -> tuple[LocalDensityMatrix, float]:
        """rho on sites and bonds, and its error."""
        common = self.contour(self.chain.local_blocks, 0.5, "RotatingFrame.local_density_matrix")
        window = self._panels(self.state.window_range())
        extra = self.window_density(window, self.state.occupation_difference, 0.5)
        return LocalDensityMatrix.unpack(common.value[0] + extra.value), common.error + extra.error

    def lead_rates(self) -> Integral:
        """As `SteadyState.lead_rates`."""

        def commutators(z: np.ndarray) -> np.ndarray:
            blocks = self.on_ends(self.chain.local_blocks(z))
            return -1j * self.ends.commutators(self.state.device.self_energies(z), blocks[:, 0])

        common = self.traces(commutators, "RotatingFrame.lead_currents, contour")
        window = self._panels(self.state.window_range())
        extra = self.window_rates(window, self.state.occupation_difference)
        return Integral(common.value[..., 0, 0].real + extra.value, common.error + extra.error, 0)

    def contour(self, function: Callable[[np.ndarray], np.ndarray], share: float, what: str) -> Integral:
        """I[F] of `equilibrium` for packed blocks F (n, parts, 3 N - 2, 2, 2), the first of which is G."""
        s, n = self.state, self.chain.n_sites
        parts = function(np.array([s.mu + 1j * s.scale])).shape[1]
        residue = np.zeros((parts, 3 * n - 2, 2, 2))
        residue[0, :n] = np.eye(2)
        return contour_integral(
            function, residue, s.mu, s.kT, s.scale, share * s.tolerance, self.entries, what, packed_plus_adjoint
        )

    def traces(self, function: Callable[[np.ndarray], np.ndarray], what: str) -> Integral:
        """I[Tr O F] for traces with Hermitian O, (..., 1, 1)."""
        s = self.state
        return contour_integral(
            lambda z: function(z)[..., None, None], 0.0, s.mu, s.kT, s.scale, 0.5 * s.tolerance, self.entries, what
        )

    def window_density(self, window: Window, occupation: Occupation, share: float) -> Integral:
        """(1/2 pi) int dE G delta G^dag over the window, (3 N - 2, 2, 2)."""
        if not window.panels:
            return Integral(np.zeros((3 * self.chain.n_sites - 2, 2, 2)), 0.0, 0)

        def integrand(panel: np.ndarray, u: np.ndarray) -> np.ndarray:
            origin, offset, jacobian = window.energies(panel, u)
            return self.sandwich(origin, offset, occupation) * (jacobian / (2 * np.pi))[:, None, None, None]

        what = "RotatingFrame, window on sites and bonds"
        return integrate(integrand, window.segments, share * self.state.tolerance, self.entries, what)

    def sandwich(self, origin: np.ndarray, offset: np.ndarray, occupation: Occupation) -> np.ndarray:
        """G delta G^dag on sites and bonds, (n, 3 N - 2, 2, 2)."""
        columns, n = self.chain.columns(origin + offset), self.chain.n_sites
        delta = self.state.device.broadenings(origin + offset) * occupation(origin, offset)
        out = np.zeros((3 * n - 2, 2, 2, origin.size), dtype=complex)
        for q, weight in enumerate(delta.T):
            ket = columns[:, :, None, q]
            bra = ket.conj().swapaxes(1, 2)
            ket = ket * weight
            out[:n] += ket * bra
            out[n : 2 * n - 1] += ket[:-1] * bra[1:]
        out[2 * n - 1 :] = adjoint_blocks(out[n : 2 * n - 1])
        return out.transpose(3, 0, 1, 2)

    def window_rates(self, window: Window, occupation: Occupation) -> Integral:
        """As `steady_state.window_rates`."""
        if not window.panels:
            return Integral(np.zeros((self.state.n_leads, 4)), 0.0, 0)

        def integrand(panel: np.ndarray, u: np.ndarray) -> np.ndarray:
            origin, offset, jacobian = window.energies(panel, u)
            return self.rate_density(origin, offset, occupation) * (jacobian / (2 * np.pi))[:, None, None]

        what = "RotatingFrame.lead_currents, window"
        return integrate(integrand, window.segments, 0.5 * self.state.tolerance, self.entries, what)

    def rate_density(self, origin: np.ndarray, offset: np.ndarray, occupation: Occupation) -> np.ndarray:
        """As `steady_state.rate_density`, (n, n_leads, 4)."""
        columns = self.chain.columns(origin + offset)[self.sites]
        columns = columns.reshape(-1, *columns.shape[2:]).transpose(2, 0, 1)
        return rates_of_columns(self.state.device, self.ends, columns, origin, offset, occupation)

    def on_ends(self, blocks: np.ndarray) -> np.ndarray:
        """Site blocks of the lead sites, block-diagonal (n, parts, 2 S, 2 S): all that lead currents take."""
        count = self.sites.size
        out = np.zeros((*blocks.shape[:2], count, 2, count, 2), dtype=complex)
        for k, site in enumerate(self.sites):
            out[:, :, k, :, k] = blocks[:, :, site]
        return out.reshape(*blocks.shape[:2], 2 * count, 2 * count)

    def _panels(self, limits: tuple[float, float, np.ndarray]) -> Window:
        window = chain_window(self.chain, *limits)
        if window is None:
            raise WindowTooNarrow("a resonance in the window is narrower than the recursion resolves")
        return window


@dataclass(frozen=True, eq=False)
class LocalResponse:
    """A `LinearResponse` whose device is a chain, evaluated by recursion; raises as `LocalState`."""

    response: LinearResponse

    @cached_property
    def local(self) -> LocalState:
        """The static problem."""
        return LocalState(self.response.state)

    def density_matrices(self) -> LocalDecomposition:
        """The four parts."""
        common = self.local.contour(self._blocks, 0.5, "RotatingFrame.decompose_locally")
        surface = self._surface()
        adiabatic, geometric, sea, fermi = map(LocalDensityMatrix.unpack, (*common.value, surface.value))
        return LocalDecomposition(adiabatic, geometric, sea, fermi, common.error + surface.error)

    def lead_rates(self) -> tuple[list[np.ndarray], float]:
        """hbar Tr[O L_p] of the four parts, each (n_leads, 4), and the error."""

        def commutators(z: np.ndarray) -> np.ndarray:
            matrices = self.local.on_ends(self._blocks(z))
            return self.response.rates(self.local.ends, z, list(matrices.swapaxes(0, 1)))

        common = self.local.traces(commutators, "RotatingFrame.decompose_lead_currents")
        state = self.response.state
        if state.kT > 0:
            surface = self.local.window_rates(self._window(), self.response.thermal_surface())
        else:
            at_mu = self.local.rate_density(np.array([state.mu]), np.zeros(1), self.response.sharp_surface())[0]
            surface = Integral(at_mu / (2 * np.pi), 0.0, 1)
        return [*common.value[..., 0, 0].real, surface.value], common.error + surface.error

    def _blocks(self, z: np.ndarray) -> np.ndarray:
        """G_0, G_0 X_geo G_0 and G_0 X_sea G_0 on sites and bonds, (n, 3, 3 N - 2, 2, 2)."""
        chain = self.local.chain
        x = np.empty((2, chain.n_sites, 2, 2, z.size), dtype=complex)
        x[0] = -0.5 * self.response.energy * self.response.spin[:2, :2, None]
        x[1] = chain.on_lead_sites(self.response.sea_weights(z))
        return chain.local_blocks(z, x)

    def _surface(self) -> Integral:
        state = self.response.state
        if state.kT > 0:
            return self.local.window_density(self._window(), self.response.thermal_surface(), 0.5)
        at_mu = self.local.sandwich(np.array([state.mu]), np.zeros(1), self.response.sharp_surface())[0]
        return Integral(at_mu / (2 * np.pi), 0.0, 1)

    def _window(self) -> Window:
        mu, reach = self.response.state.mu, FERMI_RANGE * self.response.state.kT
        return self.local._panels((mu - reach, mu + reach, np.array([mu])))


def packed_plus_adjoint(blocks: np.ndarray) -> np.ndarray:
    """F + F^dag for packed blocks (..., 3 N - 2, 2, 2), in place."""
    n = (blocks.shape[-3] + 2) // 3
    site, upper, lower = blocks[..., :n, :, :], blocks[..., n : 2 * n - 1, :, :], blocks[..., 2 * n - 1 :, :, :]
    site += adjoint(site)
    upper += adjoint(lower)
    lower[:] = adjoint(upper)
    return blocks
