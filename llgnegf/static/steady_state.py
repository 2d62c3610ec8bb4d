"""Steady state of a stationary device whose channels are filled differently: density matrix and lead currents.

`rotating_frame` maps precession onto this problem; stands on `views`, `contour` and `window`.

With G^< = i G Sigma^in G^dag, Sigma^in = sum_q Gamma_q f_q u_q u_q^dag, a common Fermi function f and
delta = Sigma^in - f Gamma,
    rho = I[G] + (1/2 pi) int dE W,    W = G delta G^dag                      (contour + window on the real axis)
I[.] as in `contour`. G Gamma G^dag = i (G - G^dag) misses bound states on the real axis, I[G] fills them with f.
Lead p changes the density matrix at the rate (from [H, G^<] and the Dyson equation)
    hbar L_p = int dE/2pi { -i Sigma_p G Sigma^in G^dag - i Sigma^in_p G^dag + h.c. }
             = I[-i (Sigma_p G - G Sigma_p)] + (1/2 pi) int dE { -i (Sigma_p W + delta_p G^dag) + h.c. }
and sum_p hbar L_p = i [H, rho]. Currents leave the device: -Tr L_p, and -(hbar/2) Tr sigma_a L_p for spin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llgnegf._readable import Readable
from llgnegf.problem.occupation import density_matrix, fermi
from llgnegf.static.contour import FERMI_RANGE, Contour, twice_real
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import Integral, Sampled
from llgnegf.static.views import Density, InLevels, Parts
from llgnegf.static.weights import by_column
from llgnegf.static.window import Window, fermi_points
from llgnegf.units import HBAR

Occupation = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(origin (n,), offset (n,)) -> what multiplies Gamma_q in delta at E = origin + offset, (n, Q) or (Q,)."""


class HasWindow(Protocol):
    """Holds Green functions, and knows the panels on which to integrate them."""

    def window(self, lower: float, upper: float, points: np.ndarray) -> Window:
        """Panels of the real axis, cut at real `points` and graded towards complex ones."""
        ...


@dataclass(frozen=True, eq=False)
class LeadCurrents(Readable):
    """Currents out of the device into each lead, positive into the lead.

    Attributes
    ----------
    charge : ndarray, (n_leads,)
        Electrons per fs.
    spin : ndarray, (n_leads, 3)
        Spin current in eV.
    error : float
        Estimated error in eV of hbar times a rate.

    Notes
    -----
    The spin current is I^{S_a} = (hbar/2) d<sigma_a>/dt, that of the electrons that pass into the lead.

    Examples
    --------
    >>> leads = [ln.ChainLead(0, chemical_potential=0.1), ln.ChainLead(-1)]
    >>> system = ln.OpenSystem(ln.chain(2), leads, kT=0.05)
    >>> currents = ln.RotatingFrame(system, ln.uniform(2), energy=0.0).lead_currents()
    >>> currents.charge.round(5)  # electrons/fs: 2 mu/h from the first lead into the second
    array([-0.04836,  0.04836])
    """

    charge: np.ndarray
    spin: np.ndarray
    error: float

    @classmethod
    def from_rates(cls, rates: np.ndarray, error: float) -> LeadCurrents:
        """From rates of charge and spin.

        Parameters
        ----------
        rates : ndarray, (n_leads, 4)
            hbar Tr[O L_p] in eV, O = 1, sigma_x, sigma_y, sigma_z.
        error : float
            Their error in eV.

        Returns
        -------
        LeadCurrents
            The same in electrons/fs and eV.
        """
        return cls(-rates[:, 0] / HBAR, -0.5 * rates[:, 1:], error)


@dataclass(frozen=True, eq=False)
class SteadyState:
    """A device, the common Fermi level `mu` and kT that fill its bound states, and the quadrature's tolerance.

    Leads that differ in filling have mu and kT of their own, in the device; f is then any Fermi function between them.

    All methods take the view of G to be used, see `views`; errors name the integral by `what`.
    """

    device: StaticDevice
    n_leads: int
    mu: float
    kT: float
    tolerance: float

    def density_matrix(self, view: InLevels) -> Integral:
        """rho as `view` hands it out, and its error."""
        if not self.device.channels:
            return Integral(view.cut(density_matrix(self.device.hamiltonian, self.mu, self.kT)), 0.0, 0)
        common, what = self.contour(view, view.green(), 1), "RotatingFrame.density_matrix, window"
        extra = self.integral(view, self.window(view), self.spectral_density(view, self.occupation_difference), what)
        value = view.on_sites(common.value[0] + extra.value)
        return Integral(value, common.error + extra.error, common.evaluations + extra.evaluations)

    def lead_rates(self, view: InLevels) -> Integral:
        """hbar Tr[O L_p] in eV, (n_leads, 4), O = 1, sigma_x, sigma_y, sigma_z."""
        if not self.device.channels:
            return Integral(np.zeros((self.n_leads, 4)), 0.0, 0)

        def commutators(z: np.ndarray) -> np.ndarray:
            rows, columns = view.green().on_vectors(z)
            return -1j * self.by_lead(view.ends.commutators(self.device.self_energies(z), rows[:, 0], columns[:, 0]))

        common, what = self.traces(view, commutators), "RotatingFrame.lead_currents, window"
        extra = self.integral(view, self.window(view), self.rate_density(view, self.occupation_difference), what)
        value = common.value + extra.value
        return Integral(value, common.error + extra.error, common.evaluations + extra.evaluations)

    def contour(self, view: InLevels, parts: Parts, count: int) -> Integral:
        """I[F] of `count` matrices, (count, ...), of which the first is G."""
        unit = np.zeros((count, *view.unit.shape))
        unit[0] = view.unit
        what, integrand = "RotatingFrame, contour", Sampled(parts.sample, parts.total)
        return self._contour.integral(integrand, unit, 0.5 * self.tolerance, view.entries, what, view.plus_adjoint)

    def traces(self, view: InLevels, function: Callable[[np.ndarray], np.ndarray]) -> Integral:
        """I[Tr O F] for traces (n, ...) with Hermitian O."""
        what = "RotatingFrame, contour of lead currents"
        return self._contour.integral(function, 0.0, 0.5 * self.tolerance, view.entries, what, twice_real)

    def integral(self, view: InLevels, window: Window, density: Density | Sampled, what: str) -> Integral:
        """int dE of `density` over a window."""
        return window.integral(density, 0.5 * self.tolerance, view.entries, what)

    def spectral_density(self, view: InLevels, occupation: Occupation) -> Sampled:
        """G delta G^dag/2 pi, delta_q = Gamma_q times the `occupation`."""

        def delta(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            return by_column(self.device.broadenings(origin + offset), occupation(origin, offset)) / (2 * np.pi)

        return view.spectral(view.columns, delta)

    def rate_density(self, view: InLevels, occupation: Occupation) -> Density:
        """Tr O{-i (Sigma_p W + delta_p G^dag) + h.c.}/2 pi, (n, n_leads, 4)."""

        def density(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            energy = origin + offset
            delta = by_column(self.device.broadenings(energy), occupation(origin, offset)) / (2 * np.pi)
            columns = view.columns_on_ends(view.columns(origin, offset))
            return self.by_lead(view.ends.rates(columns, self.device.self_energies(energy), delta))

        return density

    def by_lead(self, values: np.ndarray) -> np.ndarray:
        """Sums (n, 4, Q) over the columns of each lead: (n, n_leads, 4)."""
        belongs = (self.device.leads[None, :] == np.arange(self.n_leads)[:, None]).astype(float)
        return np.einsum("noq,pq->npo", values, belongs)

    def window(self, view: HasWindow) -> Window:
        """The part of the real axis where the channels' occupations differ; empty when they are all equal."""
        return Window(()) if self._fillings.shape[1] == 1 else self.fermi_window(view)

    def fermi_window(self, view: HasWindow) -> Window:
        """The part of the real axis within `reach`."""
        mu, kT = self._fillings
        return view.window(*self.reach, fermi_points(mu, kT))

    @property
    def reach(self) -> tuple[float, float]:
        """Energies (eV) between which channels are neither full nor empty, or differ."""
        mu, kT = self._fillings
        return float((mu - FERMI_RANGE * kT).min()), float((mu + FERMI_RANGE * kT).max())

    @property
    def _fillings(self) -> np.ndarray:
        """All different pairs mu, kT, that of the undamped levels among them, (2, n)."""
        device = self.device
        own = zip(device.chemical_potentials.tolist(), device.temperatures.tolist(), strict=True)
        return np.array(sorted({(self.mu, self.kT), *own})).T

    def occupation_difference(self, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """f_q - f, (n, Q)."""
        device = self.device
        filled = fermi((origin[:, None] - device.chemical_potentials) + offset[:, None], 0.0, device.temperatures)
        return filled - fermi((origin - self.mu) + offset, 0.0, self.kT)[:, None]

    @property
    def _contour(self) -> Contour:
        return Contour.of(self.device.hamiltonian, self.mu, self.kT)
