"""Steady state of a stationary device whose channels are filled differently: density matrix and lead currents.

`rotating_frame` maps precession onto this problem; stands on `green`, `equilibrium` and `quadrature`.

With G^< = i G Sigma^in G^dag, Sigma^in = sum_q Gamma_q f_q u_q u_q^dag, a common Fermi function f and
delta = Sigma^in - f Gamma,
    rho = I[G] + (1/2 pi) int dE W,    W = G delta G^dag                      (contour + window on the real axis)
I[.] as in `equilibrium`. G Gamma G^dag = i (G - G^dag) misses bound states on the real axis, I[G] fills them with f.
Lead p changes the density matrix at the rate (from [H, G^<] and the Dyson equation)
    hbar L_p = int dE/2pi { -i Sigma_p G Sigma^in G^dag - i Sigma^in_p G^dag + h.c. }
             = I[-i (Sigma_p G - G Sigma_p)] + (1/2 pi) int dE { -i (Sigma_p W + delta_p G^dag) + h.c. }
and sum_p hbar L_p = i [H, rho]. Currents leave the device: -Tr L_p, and -(hbar/2) Tr sigma_a L_p for spin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llgnegf.problem.electrons import PAULI
from llgnegf.static.equilibrium import FERMI_RANGE, contour_integral, fermi, fermi_derivative, occupy_levels
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import Integral, integrate
from llgnegf.static.window import Window, window_panels
from llgnegf.units import HBAR

THERMAL_CUTS = np.array([-FERMI_RANGE, -17.0, -9.0, -4.0, 0.0, 4.0, 9.0, 17.0, FERMI_RANGE])
"""Where a Fermi function is cut, in kT from its chemical potential."""

Occupation = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(origin (n,), offset (n,)) -> what multiplies Gamma_q in delta at E = origin + offset, (n, n_channels)."""


@dataclass(frozen=True, eq=False)
class LeadCurrents:
    """Currents out of the device into each lead.

    Attributes:
        charge: Electrons per fs, (n_leads,).
        spin: I^{S_a} = (hbar/2) d<sigma_a>/dt in eV, (n_leads, 3).
        error: Estimated error in eV of hbar times a rate.
    """

    charge: np.ndarray
    spin: np.ndarray
    error: float

    @classmethod
    def from_rates(cls, rates: np.ndarray, error: float) -> LeadCurrents:
        """From hbar Tr[O L_p], (n_leads, 4), O = 1, sigma_x, sigma_y, sigma_z."""
        return cls(-rates[:, 0] / HBAR, -0.5 * rates[:, 1:], error)


@dataclass(frozen=True, eq=False)
class SteadyState:
    """A device, the common Fermi level `mu` that fills its bound states, kT and the quadrature's tolerance."""

    device: StaticDevice
    n_leads: int
    mu: float
    kT: float
    tolerance: float

    @property
    def scale(self) -> float:
        """An energy of the size of the levels' distance from mu, at least 1 % of the Hamiltonian's norm."""
        return spectral_scale(self.device.hamiltonian, self.mu)

    def density_matrix(self) -> Integral:
        """rho (2N, 2N) and its error."""
        device = self.device
        if not device.channels:
            return Integral(occupy_levels(device.hamiltonian, self.mu, self.kT), 0.0, 0)
        common = contour_integral(
            lambda z: device.level_green(z).matrix(), np.eye(device.size), self.mu, self.kT, self.scale,
            0.5 * self.tolerance, 3 * device.size**2, "RotatingFrame.density_matrix, contour",
        )  # fmt: skip
        extra = self._window_density()
        value = from_levels(device, common.value) + extra.value
        return Integral(value, common.error + extra.error, common.evaluations + extra.evaluations)

    def lead_rates(self) -> Integral:
        """hbar Tr[O L_p] in eV, (n_leads, 4), O = 1, sigma_x, sigma_y, sigma_z."""
        if not self.device.channels:
            return Integral(np.zeros((self.n_leads, 4)), 0.0, 0)
        device = self.device
        ends = LeadEnds.in_levels(device, self.n_leads)

        def commutators(z: np.ndarray) -> np.ndarray:
            return -1j * ends.commutators(device.self_energies(z), device.level_green(z).matrix())

        common = trace_integral(commutators, self, "RotatingFrame.lead_currents, contour")
        window = self.window()
        extra = window_rates(
            device, window, self.occupation_difference, self.n_leads, 0.5 * self.tolerance,
            "RotatingFrame.lead_currents, window",
        )  # fmt: skip
        value = common.value[..., 0, 0].real + extra.value
        return Integral(value, common.error + extra.error, common.evaluations + extra.evaluations)

    def window_range(self) -> tuple[float, float, np.ndarray]:
        """Ends (equal: no window) and jumps of the part of the real axis where the channels' fillings differ."""
        mus = np.unique([self.mu] + [c.chemical_potential for c in self.device.channels])
        if mus.size == 1:
            return 0.0, 0.0, mus
        reach = FERMI_RANGE * self.kT
        # Cuts around every thermal step too: a panel much wider than kT has no node on it, and does not know.
        steps = mus[:, None] + self.kT * THERMAL_CUTS
        return mus[0] - reach, mus[-1] + reach, np.unique(steps)

    def window(self) -> Window:
        """The part of the real axis where the channels' occupations differ; empty when they are all equal."""
        return window_panels(self.device, *self.window_range())

    def occupation_difference(self, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """f_q - f, (n, n_channels)."""
        mus = np.array([c.chemical_potential for c in self.device.channels])
        filled = fermi((origin[:, None] - mus) + offset[:, None], self.kT)
        return filled - fermi((origin - self.mu) + offset, self.kT)[:, None]

    def _window_density(self) -> Integral:
        return window_density(
            self.device, self.window(), self.occupation_difference, 0.5 * self.tolerance,
            "RotatingFrame.density_matrix, window",
        )  # fmt: skip


def spectral_scale(hamiltonian: np.ndarray, mu: float) -> float:
    """Typical distance of the levels from mu in eV (root mean square), kept away from 0."""
    # |H - mu|^2 = |H|^2 - 2 mu Tr H + mu^2 dim without a copy of H
    squared = np.vdot(hamiltonian, hamiltonian).real / len(hamiltonian)
    norm = np.sqrt(max(squared - 2 * mu * np.diagonal(hamiltonian).real.mean() + mu**2, 0.0))
    return float(max(norm, 0.01 * np.abs(hamiltonian).max(), 1e-3))


def trace_integral(function: Callable[[np.ndarray], np.ndarray], state: SteadyState, what: str) -> Integral:
    """I[Tr O F] for traces with Hermitian O: they behave as 1 x 1 matrices; shape (..., 1, 1)."""

    def as_matrices(z: np.ndarray) -> np.ndarray:
        return function(z)[..., None, None]

    return contour_integral(
        as_matrices, 0.0, state.mu, state.kT, state.scale, 0.5 * state.tolerance, 3 * state.device.size**2, what
    )


@dataclass(frozen=True, eq=False)
class LeadEnds:
    """Vectors u_q (d, n_channels) and O u_q (4, d, n_channels), O = 1, sigma_x, sigma_y, sigma_z, in some basis."""

    vectors: np.ndarray
    turned: np.ndarray
    leads: np.ndarray
    n_leads: int

    @classmethod
    def in_levels(cls, device: StaticDevice, n_leads: int) -> LeadEnds:
        """In the basis of the device's levels."""
        turned = device.levels[1].conj().T @ spin_operators(device.vectors)
        return cls(device.level_vectors, turned, device.leads, n_leads)

    def commutators(self, weights: np.ndarray, matrices: np.ndarray) -> np.ndarray:
        """Tr O [S_p, F], (n, n_leads, 4), for S_p = sum_{q in p} weights_q u_q u_q^dag and F (n, d, d).

        Tr O [S_p, F] = sum_q weights_q u_q^dag (F O - O F) u_q.
        """
        u = self.vectors
        right = np.einsum("iq,nij,ojq->noq", u.conj(), matrices, self.turned, optimize=True)
        left = np.einsum("oiq,nij,jq->noq", self.turned.conj(), matrices, u, optimize=True)
        return by_lead((right - left) * weights[:, None, :], self.leads, self.n_leads)


def from_levels(device: StaticDevice, matrix: np.ndarray) -> np.ndarray:
    """V X V^dag, (..., 2N, 2N): a matrix in the basis of the levels on the sites."""
    states = device.levels[1]
    return states @ matrix @ states.conj().T


def spin_operators(vectors: np.ndarray) -> np.ndarray:
    """O v for O = 1, sigma_x, sigma_y, sigma_z, (4, 2N, n), for columns v (2N, n)."""
    operators = np.concatenate([np.eye(2)[None], PAULI])
    spinors = vectors.reshape(-1, 2, vectors.shape[-1])
    return np.einsum("ost,itq->oisq", operators, spinors).reshape(4, *vectors.shape)


def by_lead(values: np.ndarray, leads: np.ndarray, n_leads: int) -> np.ndarray:
    """Sums (n, 4, n_channels) over the channels of each lead: (n, n_leads, 4)."""
    belongs = (leads[None, :] == np.arange(n_leads)[:, None]).astype(float)
    return np.einsum("noq,pq->npo", values, belongs)


def window_density(
    device: StaticDevice, window: Window, occupation: Occupation, tolerance: float, what: str
) -> Integral:
    """(1/2 pi) int dE G delta G^dag over the window, (2N, 2N)."""
    if not window.panels:
        return Integral(np.zeros((device.size, device.size), dtype=complex), 0.0, 0)

    def integrand(panel: np.ndarray, u: np.ndarray) -> np.ndarray:
        origin, offset, jacobian = window.energies(panel, u)
        return _sandwich(device, origin, offset, occupation) * (jacobian / (2 * np.pi))[:, None, None]

    result = integrate(integrand, window.segments, tolerance, 3 * device.size**2, what)
    return Integral(from_levels(device, result.value), result.error, result.evaluations)


def _sandwich(device: StaticDevice, origin: np.ndarray, offset: np.ndarray, occupation: Occupation) -> np.ndarray:
    """V^dag G delta G^dag V, (n, 2N, 2N)."""
    columns = device.retarded_columns(origin, offset)
    delta = device.broadenings(origin + offset) * occupation(origin, offset)
    return (columns * delta[:, None, :]) @ columns.conj().swapaxes(-1, -2)


def window_rates(
    device: StaticDevice, window: Window, occupation: Occupation, n_leads: int, tolerance: float, what: str
) -> Integral:
    """(1/2 pi) int dE Tr O{-i (Sigma_p W + delta_p G^dag) + h.c.}, (n_leads, 4), in eV."""
    if not window.panels:
        return Integral(np.zeros((n_leads, 4)), 0.0, 0)

    def integrand(panel: np.ndarray, u: np.ndarray) -> np.ndarray:
        origin, offset, jacobian = window.energies(panel, u)
        rates = rate_density(device, origin, offset, occupation, n_leads)
        return rates * (jacobian / (2 * np.pi))[:, None, None]

    return integrate(integrand, window.segments, tolerance, 3 * device.size**2, what)


def rate_density(
    device: StaticDevice, origin: np.ndarray, offset: np.ndarray, occupation: Occupation, n_leads: int
) -> np.ndarray:
    """Tr O{-i (Sigma_p W + delta_p G^dag) + h.c.} at each energy, (n, n_leads, 4).

    With the columns C_q = G u_q: Tr O Sigma_p W = sum_{q in p, q'} Sigma_q (u_q^dag C_q') delta_q' (C_q'^dag O u_q)
    and Tr O delta_p G^dag = sum_{q in p} delta_q C_q^dag O u_q; twice the imaginary part of the sum is asked for.
    """
    columns = device.retarded_columns(origin, offset)
    return rates_of_columns(device, LeadEnds.in_levels(device, n_leads), columns, origin, offset, occupation)


def rates_of_columns(
    device: StaticDevice,
    ends: LeadEnds,
    columns: np.ndarray,
    origin: np.ndarray,
    offset: np.ndarray,
    occupation: Occupation,
) -> np.ndarray:
    """`rate_density` from the columns C_q = G u_q (n, d, n_channels) in the basis of `ends`."""
    energy = origin + offset
    delta = device.broadenings(energy) * occupation(origin, offset)
    sigma = device.self_energies(energy)
    overlap = np.einsum("kq,nkr->nqr", ends.vectors.conj(), columns)
    bras = np.einsum("nkr,okq->norq", columns.conj(), ends.turned)
    scattered = np.einsum("nq,nqr,nr,norq->noq", sigma, overlap, delta, bras, optimize=True)
    direct = np.einsum("nq,noqq->noq", delta, bras)
    return by_lead(2 * (scattered + direct).imag, ends.leads, ends.n_leads)


def fermi_surface_occupation(device: StaticDevice, weights: np.ndarray, mu: float, kT: float) -> Occupation:
    """weights_q df/dE as an `Occupation`, for kT > 0."""

    def occupation(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        return fermi_derivative((origin - mu) + offset, kT)[:, None] * weights

    return occupation
