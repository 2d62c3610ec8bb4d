"""From an open system to poles: damped modes for every lead channel and Fermi poles for every lead.

Stands between `problem` and the equations; the expansions themselves are in `coupling` and `fermi`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, singledispatch
from typing import Any

import numpy as np

from llgnegf._readable import readable
from llgnegf.poles.coupling import (
    TAILS,
    CouplingPoles,
    fit_broadening,
    fit_spectrum,
    semicircle_ladder,
    semicircle_poles,
)
from llgnegf.poles.fermi import LARGEST_RATIO, FermiPoles, check_temperature, fermi_poles
from llgnegf.poles.fermi_vectors import FARTHEST, fewest_sources
from llgnegf.poles.matrix_channels import channel_modes
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.poles.spectral_bounds import spectral_bounds, static_voltages
from llgnegf.problem.drives import Drive
from llgnegf.problem.leads import Channel, Reservoir
from llgnegf.problem.matrix_spectra import MatrixSpectrum
from llgnegf.problem.spectra import ChainSpectrum, Spectrum, TabulatedSpectrum
from llgnegf.problem.system import OpenSystem

FARTHEST_POLE = (1.75, 2.0, 2.25, 2.5, 3.0, None)
"""Caps on the farthest Fermi pole in units of the spectral range, tried in this order: the pole sets the stiffness of
an explicit step, but the tighter the cap, the larger the error that no number of poles removes."""
FINEST_FIT = 1e-9
"""Tolerance (of K(0)) beyond which no fit is better."""


@singledispatch
def fitted(spectrum: Spectrum, tolerance: float, strict: bool, family: str) -> CouplingPoles:
    """Damped modes of a spectrum that does not know them itself; register a class for which there is a better way."""
    return fit_spectrum(spectrum, tolerance if strict else max(tolerance, FINEST_FIT), strict)


@fitted.register
def _(spectrum: ChainSpectrum, tolerance: float, strict: bool, family: str) -> CouplingPoles:
    """The unit semicircle of the family shifted and scaled: chi = e + gamma chi_0, b = gamma_c^2 b_0."""
    finest = semicircle_ladder(family)[-1].error
    unit = semicircle_poles(tolerance if strict else max(tolerance, finest), family)
    return unit.shifted_and_scaled(spectrum.onsite, abs(spectrum.hopping), spectrum.coupling**2)


@fitted.register
def _(spectrum: TabulatedSpectrum, tolerance: float, strict: bool, family: str) -> CouplingPoles:
    return fit_broadening(spectrum, tolerance if strict else max(tolerance, FINEST_FIT), strict)


def channel_poles(
    spectrum: Spectrum, tolerance: float, strict: bool = True, family: str = TAILS
) -> CouplingPoles:
    """Damped modes of one lead channel with max_t |K(t) - K_fit(t)| <= tolerance K(0), or, not `strict`, the best ones.

    They come from the spectrum itself where it has a method `modes`, else from a fit (`fitted`); those of chains are
    tabulated in families. Raises ValueError for a spectrum without finite support that does not know its modes.
    """
    own: Callable[[float], Any] | None = getattr(spectrum, "modes", None)
    if own is None:
        return fitted(spectrum, tolerance, strict, family)
    modes = CouplingPoles(*own(tolerance))
    if strict and modes.error > tolerance * abs(modes.weights.sum()) * (1 + 1e-9):
        error = f"{type(spectrum).__name__}.modes: an error of {modes.error:.3g} eV^2"
        raise ValueError(f"{error}; allowed: tolerance {tolerance:.2g} K(0)")
    return modes


@dataclass(frozen=True, eq=False)
class PoleLead:
    """A lead with pole channels in the place of its own; voltage and occupation are those of the `original`."""

    channels: tuple[PoleChannel, ...]
    original: Reservoir

    @property
    def chemical_potential(self) -> float | None:
        return self.original.chemical_potential

    @property
    def kT(self) -> float | None:
        return getattr(self.original, "kT", None)

    def attach(self, n_sites: int) -> list[Channel]:
        return [Channel(c.vector, c.spectrum) for c in self.channels]

    def voltage_at(self, time: float) -> float:
        return self.original.voltage_at(time)

    def drives(self) -> tuple[Drive, ...]:
        return self.original.drives()


@readable
def with_pole_leads(system: OpenSystem, tolerance: float) -> OpenSystem:
    """The same system with every lead's self-energy replaced by its damped modes (wide bands stay).

    Given to `RotatingFrame` it is the oracle of the propagator's own leads.

    Parameters
    ----------
    system : OpenSystem
        Electrons and leads.
    tolerance : float
        Bound on max_t ``|K(t) - K_fit(t)|/K(0)`` of every channel's kernel; `simulate` takes rtol for it.

    Returns
    -------
    OpenSystem
        With other leads.

    Raises
    ------
    ValueError
        Where a lead cannot be expanded to `tolerance`.

    Notes
    -----
    A lead's kernel is expanded as a sum of exponentials, ::

        K(t) = (1/2 pi) int dE Gamma(E) exp(-i E t) = sum_y b_y exp(-i chi_y t),     Im chi_y < 0,   t > 0

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(1), [ln.ChainLead(0)], kT=0.1)
    >>> expanded = ln.RotatingFrame(ln.with_pole_leads(system, 1e-4), [[0, 0, 1]], energy=0.0)
    >>> exact = ln.RotatingFrame(system, [[0, 0, 1]], energy=0.0)
    >>> bool(np.abs(expanded.density_matrix() - exact.density_matrix()).max() < 1e-4)
    True
    """
    return _replace_leads(system, expand_channels(system, tolerance))


def _channels(system: OpenSystem) -> list[tuple[int, Channel]]:
    """(lead, channel) of every coupled channel, lead after lead."""
    return [(p, channel) for p, channels in enumerate(system.lead_channels) for channel in channels]


def _replace_leads(system: OpenSystem, channels: Sequence[PoleChannel]) -> OpenSystem:
    own = [tuple(c for c in channels if c.lead == p) for p in range(len(system.leads))]
    return replace(system, leads=[PoleLead(c, lead) for c, lead in zip(own, system.leads, strict=True)])


@dataclass(frozen=True, eq=False)
class PoleChannel:
    """A lead channel in poles: device vector (2N,) or vectors (2N, m), lead, damped modes, and the `exact` spectrum
    that these stand for."""

    vector: np.ndarray
    lead: int
    spectrum: CouplingPoles | MatrixModes
    exact: Spectrum | MatrixSpectrum

    @property
    def columns(self) -> np.ndarray:
        """Device vectors as columns, (2N, m)."""
        return Channel(self.vector, self.exact).columns

    @property
    def energies(self) -> np.ndarray:
        """chi_y in eV, (M,)."""
        return self.spectrum.energies

    @cached_property
    def left(self) -> np.ndarray:
        """c_y, (m, M): s_y = sqrt|b_y| of a scalar channel; |c_y| = |w_y|, and of one orbital c_y > 0."""
        return self._couplings[0]

    @cached_property
    def right(self) -> np.ndarray:
        """w_y, (m, M): (b_y/s_y)^* of a scalar channel."""
        return self._couplings[1]

    @cached_property
    def _couplings(self) -> tuple[np.ndarray, np.ndarray]:
        if isinstance(self.spectrum, CouplingPoles):
            s = np.sqrt(np.abs(self.spectrum.weights))
            return s[None] + 0j, (self.spectrum.weights / s).conj()[None]
        left, right = self.spectrum.left, self.spectrum.right
        scale = np.sqrt(np.linalg.norm(right, axis=0) / np.linalg.norm(left, axis=0)) + 0j
        if len(left) == 1:
            scale *= np.abs(left[0]) / left[0]
        return left * scale, right / scale.conj()

    @property
    def strength(self) -> float:
        """|C(0)| in eV^2, without wide bands."""
        if isinstance(self.spectrum, CouplingPoles):
            return float(np.abs(self.spectrum.weights.sum()))
        return float(np.linalg.norm(self.spectrum.weight, 2))

    @property
    def wide_band(self) -> float:
        """The part of Gamma in eV that needs no modes."""
        return self.spectrum.wide_band if isinstance(self.spectrum, CouplingPoles) else 0.0

    @property
    def error(self) -> float:
        """Bound on |K - K_fit| in eV^2."""
        return self.spectrum.error

    def broadening(self, energy: np.ndarray) -> np.ndarray:
        """Gamma(E) of the modes in eV, continued to complex E (n,), as matrices (n, m, m)."""
        gamma = self.spectrum.broadening(energy)
        return gamma if gamma.ndim == 3 else gamma[:, None, None]


@dataclass(frozen=True, eq=False)
class PoleSystem:
    """An open system with leads and Fermi function in poles: all that the propagator needs to know of the leads.

    Attributes:
        system: The system that was expanded.
        channels: Every coupled channel, lead after lead.
        fermi: The Fermi poles in units of kT of the coldest lead, the most; None for a closed system.
        fermi_tolerance: Bound on the error of f(E), for leads of other temperatures.
        spectral_range: E_max in eV that the Fermi poles cover on both sides of every chemical potential.
        voltages: Lowest and highest V_p(t) of the run in eV, (n_leads, 2).
        bounds: Of the spectrum of device and leads during the run, in eV.
        tail_error: Error of rho from the part of wide-band spectra beyond the range of the Fermi poles.
        density_blocks: rho_ii (N, 2, 2) that mean fields are taken at where the device is frozen; None leaves them out.
        caps: On the farthest Fermi pole, tried in this order; (None,) is none.
        vector_tolerance: Error (eV) of what Fermi vectors carry, see `fermi_vectors`; 0: a vector for every pole.
    """

    system: OpenSystem
    channels: tuple[PoleChannel, ...]
    fermi: FermiPoles | None
    spectral_range: float
    voltages: np.ndarray
    bounds: tuple[float, float]
    tail_error: float = 0.0
    fermi_tolerance: float = 1e-6
    density_blocks: np.ndarray | None = None
    caps: tuple[float | None, ...] = FARTHEST_POLE
    vector_tolerance: float = 0.0

    def with_pole_leads(self) -> OpenSystem:
        """The system with these poles for leads, as the rotating-frame oracle takes it."""
        return _replace_leads(self.system, self.channels)

    @property
    def n_modes(self) -> int:
        """Modes of all channels."""
        return sum(c.energies.size for c in self.channels)

    @cached_property
    def coupling_error(self) -> float:
        """Largest certified max_t |K - K_fit| over the channels, eV^2."""
        return max((c.error for c in self.channels), default=0.0)

    def fermi_at(self, kT: float) -> FermiPoles | None:
        """The Fermi poles in units of kT (eV) for leads of this temperature: fewer where it is higher."""
        if self.fermi is None:
            return None
        return _capped_fermi_poles(self.spectral_range / kT, self.fermi_tolerance, self.caps)

    def occupation(self, energy: np.ndarray, mu: float, kT: float) -> np.ndarray:
        """The rational Fermi function f(E) with chemical potential mu and kT (eV), continued to complex E."""
        e, fermi = np.asarray(energy, dtype=complex), self.fermi_at(kT)
        return np.full(e.shape, 0.5 + 0j) if fermi is None else fermi.occupation((e - mu) / kT)

    def fermi_poles(self, mu: float, kT: float) -> tuple[np.ndarray, np.ndarray]:
        """z_m and r_m in eV, f(E) = 1/2 - sum_m r_m [1/(E - z_m) + 1/(E - z_m^*)]; none in a closed system."""
        fermi = self.fermi_at(kT)
        return (np.zeros(0, complex), np.zeros(0)) if fermi is None else fermi.poles(mu, kT)

    def fermi_sources(self, q: int, mu: float, kT: float) -> tuple[np.ndarray, np.ndarray]:
        """Fermi poles and sources of the vectors k = (a, m) of channel `q` with its levels at rest, filled up to mu.

        z_k (K,), orbital after orbital, and c_{b,k} = [(i r_m Gamma(z_m))^dag]_{ba}, (orbitals, K); those of fewer
        poles within `vector_tolerance`.
        """
        z, r = self.fermi_poles(mu, kT)
        sources = (1j * r[:, None, None] * self.channels[q].broadening(z)).conj()
        size = sources.shape[1]
        if self.vector_tolerance and size == 1:
            key = id(self.channels[q].spectrum), mu, kT
            if key not in self._fewer:
                found = fewest_sources(z, sources[:, 0, 0], self.spectral_range, self.vector_tolerance)
                self._fewer[key] = found[0], found[1][None]
            return self._fewer[key]
        return np.tile(z, size), sources.transpose(2, 1, 0).reshape(size, -1)

    def with_fewer_vectors(self, error: float, duration: float) -> PoleSystem:
        """The system with the Fermi vectors that keep an element of rho within `error` up to T = `duration` (1/eV).

        Without a cap there are fewer Fermi poles, the farthest of which need no vectors: taken where no vector is left
        that decays faster than with a cap, or fewer vectors. Wide bands need every pole; with one, or matrix channels,
        all stay.
        """
        if self.fermi is None or any(c.vector.ndim == 2 or c.wide_band for c in self.channels):
            return self
        columns = np.concatenate([c.columns for c in self.channels], axis=1)
        tolerance = error / (duration * float(np.linalg.norm(columns, 2)) ** 2)
        capped = replace(self, vector_tolerance=tolerance)
        free = _capped_fermi_poles(self.fermi.x_max, self.fermi_tolerance, (None,))
        free_system = replace(capped, fermi=free, caps=(None,))
        return min((capped, free_system), key=lambda p: p._cost_of_vectors)

    @cached_property
    def _fewer(self) -> dict[tuple[int, float, float], tuple[np.ndarray, np.ndarray]]:
        """Sources that were found for a spectrum, mu and kT."""
        return {}

    @cached_property
    def _cost_of_vectors(self) -> tuple[float, int]:
        """The fastest decay of a Fermi vector in eV, as far as it sets the step, and the number of vectors."""
        temperatures = self.system.temperatures()
        mu = self.system.chemical_potentials() - self.system.voltages()
        found = [self.fermi_sources(q, mu[c.lead], temperatures[c.lead])[0] for q, c in enumerate(self.channels)]
        fastest = max(float(-z.imag.min()) for z in found)
        return max(fastest, FARTHEST * self.spectral_range), sum(z.size for z in found)


def expand(
    system: OpenSystem,
    coupling_tolerance: float,
    fermi_tolerance: float,
    voltages: np.ndarray | None = None,
    tail_tolerance: float = 1e-6,
    strict: bool = True,
    times: Sequence[float] = (0.0,),
    length: float = 1.0,
    caps: tuple[float | None, ...] = FARTHEST_POLE,
) -> PoleSystem:
    """Expand the leads and the Fermi function of `system` in poles.

    Args:
        system: The open system; kT > 0 unless it is closed.
        coupling_tolerance: Bound on max_t |K - K_fit|/K(0) of every channel.
        fermi_tolerance: Bound on the error of f(E) over the whole spectrum.
        voltages: Lowest and highest V_p(t) of the run in eV, (n_leads, 2): f must cover all that they reach. None
            takes those of t = 0.
        tail_tolerance: Error allowed in rho from the part of a wide-band spectrum that f does not cover.
        strict: Whether kernels that miss their tolerance are refused, or taken as good as they get.
        times: Instants (fs) at which the device Hamiltonian is looked at.
        length: Largest |M| of the run.
        caps: As for `PoleSystem`; (None,) where nothing steps: each that is tried takes a second.

    Raises:
        ValueError: For kT too small to be expanded, or tolerances that cannot be met.
    """
    shifts = static_voltages(system) if voltages is None else np.asarray(voltages, dtype=float)
    low, high = bounds = spectral_bounds(system, shifts, times, length)
    if system.is_closed:
        return PoleSystem(system, (), None, 0.0, shifts, bounds)
    channels = expand_channels(system, coupling_tolerance, strict)
    mu = (system.chemical_potentials() - system.voltages())[:, None] + shifts
    reach = float(np.max(np.abs([low - mu, high - mu])))
    scale, wide = reach, [c.wide_band for c in channels if c.wide_band]
    tails = [_wide_band_cutoff(gamma, scale, tail_tolerance) for gamma in wide]
    coldest = float(system.temperatures()[system.coupled_leads].min())
    # Tails that cold leads cannot follow so far are left to `tail_error`.
    reach = max([reach, *(min(tail, 0.99 * LARGEST_RATIO * coldest) for tail in tails)])
    check_temperature(coldest, reach)
    poles = _capped_fermi_poles(reach / coldest, fermi_tolerance, caps)
    tail = max(wide, default=0.0) * scale / (2 * np.pi * reach**2)
    return PoleSystem(system, channels, poles, reach, shifts, bounds, tail, fermi_tolerance, caps=caps)


def expand_channels(
    system: OpenSystem, tolerance: float, strict: bool = True, family: str = TAILS
) -> tuple[PoleChannel, ...]:
    """Every coupled channel in modes with max_t |K - K_fit| <= tolerance K(0), or the best there are.

    Channels of one spectrum have the same modes.
    """

    def found(channel: Channel) -> CouplingPoles | MatrixModes:
        spectrum: Any = channel.spectrum
        if channel.vector.ndim == 2:
            return channel_modes(spectrum, tolerance, strict)
        return channel_poles(spectrum, tolerance, strict, family)

    modes = {key: found(c) for key, c in {id(c.spectrum): c for _, c in _channels(system)}.items()}
    return tuple(PoleChannel(c.vector, p, modes[id(c.spectrum)], c.spectrum) for p, c in _channels(system))


@lru_cache(maxsize=64)
def _capped_fermi_poles(x_max: float, tolerance: float, caps: tuple[float | None, ...]) -> FermiPoles:
    """Fermi poles with the tightest cap that meets the tolerance."""
    for cap in caps[:-1]:
        try:
            return fermi_poles(x_max, tolerance, cap)
        except ValueError:
            continue
    return fermi_poles(x_max, tolerance, caps[-1])


def _wide_band_cutoff(gamma: float, scale: float, tolerance: float) -> float:
    """E_max so that a wide band's spectrum beyond it, where the rational f is wrong, matters less than `tolerance`.

    Far away the spectral function of a level e is Gamma/(E^2) (1 + 2 e/E), and the error of f is odd about mu and at
    most 1/2: the 1/E^2 parts cancel between both tails, and int_{E_max} dE/2pi 2 Gamma e/E^3 = Gamma e/(2 pi E_max^2).
    """
    return float(np.sqrt(gamma * scale / (2 * np.pi * tolerance)))
