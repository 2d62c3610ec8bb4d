"""Leads: macroscopic reservoirs attached to sites of the device, each a list of channels.

A channel is a device vector u_q (2N amplitudes) and a scalar self-energy, Sigma(E) = sum_q Sigma_q(E) u_q u_q^dag, or
m vectors as columns U_q and a matrix one, U_q Sigma_q(E) U_q^dag, where a lead's orbitals mix with energy.
`Reservoir` is what every solver asks a lead for, whatever its class; `spectra` holds the self-energies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np

from llgnegf._checks import Problems
from llgnegf._readable import Readable
from llgnegf.problem.arguments import (
    Argument,
    ChemicalPotential,
    Energies,
    Energy,
    EnergyOverTime,
    SiteIndex,
    Temperature,
)
from llgnegf.problem.drives import Drive, drives_of
from llgnegf.problem.matrix_spectra import MatrixSpectrum
from llgnegf.problem.spectra import (
    ChainSpectrum,
    Spectrum,
    TabulatedSpectrum,
    WideBandSpectrum,
    check_spectrum,
    checked_table,
)


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of a lead: Sigma(E) u u^dag with the device vector `vector` (2N,) and a scalar `spectrum`, or
    U Sigma(E) U^dag with the vectors (2N, m) of m lead orbitals and a `MatrixSpectrum`."""

    vector: np.ndarray
    spectrum: Spectrum | MatrixSpectrum

    @property
    def columns(self) -> np.ndarray:
        """The device vectors as columns, (2N, m)."""
        return self.vector if self.vector.ndim == 2 else self.vector[:, None]


def check_channel(problems: Problems, place: str, channel: Channel, size: int) -> None:
    """Note a channel that does not fit a device of `size` = 2N amplitudes, or whose vectors and spectrum differ."""
    spectrum = channel.spectrum
    check_spectrum(problems, f"{place}.spectrum", spectrum)
    if not isinstance(spectrum, MatrixSpectrum):
        problems.array(f"{place}.vector", channel.vector, (size,), f"{size} finite amplitudes", complex)
        return
    allowed = f"finite amplitudes, ({size}, {spectrum.size}): a column for each orbital of its matrix spectrum"
    problems.array(f"{place}.vector", channel.vector, (size, spectrum.size), allowed, complex)


@runtime_checkable
class Reservoir(Protocol):
    """What an `OpenSystem` takes for a lead: any object with these members.

    An attribute `kT` (eV), if it has one, is the lead's own temperature; None or none is the system's.
    """

    @property
    def chemical_potential(self) -> float | None:
        """mu in eV without the voltage; None is the system's Fermi energy."""

    def attach(self, n_sites: int) -> Sequence[Channel]:
        """The channels on a device of `n_sites` sites; a ValueError says why they do not fit."""

    def voltage_at(self, time: float) -> float:
        """V(t) in eV at `time` in fs, V(0) before t = 0: shifts levels and occupation together."""

    def drives(self) -> tuple[Drive, ...]:
        """What changes in time; () for a constant voltage."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LeadAtVoltage(Readable):
    """Voltage and occupation, common to all leads.

    Parameters
    ----------
    voltage : float or callable, default 0.0
        V in eV, a number or a function of time (fs): shifts the lead's levels and its chemical potential together.
        Before t = 0 it is V(0).
    chemical_potential : float, optional
        mu in eV, moves the occupation alone; None takes the system's Fermi energy.
    kT : float, optional
        Thermal energy of this lead in eV; None takes the system's.
    """

    voltage: EnergyOverTime = 0.0
    chemical_potential: ChemicalPotential = None
    kT: Temperature = None

    def _check_reservoir(self, problems: Problems) -> None:
        allowed = "a finite number, or a function of time in fs that returns one, in eV"
        problems.number("voltage", self.voltage(0.0) if callable(self.voltage) else self.voltage, allowed)
        if self.chemical_potential is not None:
            problems.number("chemical_potential", self.chemical_potential, "None (the Fermi energy) or finite, in eV")
        if self.kT is not None:
            problems.number("kT", self.kT, "None (that of the system) or a finite number >= 0, in eV", lambda x: x >= 0)

    def drives(self) -> tuple[Drive, ...]:
        """What changes in time: the voltage, if it is a function."""
        return drives_of(self.voltage)

    def voltage_at(self, time: float) -> float:
        """V(t) in eV at `time` in fs; V(0) before t = 0.

        Raises ValueError where a function gives no finite number; a NaN during a run is left to the integrator,
        which says when it came.
        """
        if not callable(self.voltage):
            return float(self.voltage)
        value = self.voltage(max(time, 0.0))
        if isinstance(value, float):  # of NumPy too: asked for in every right-hand side
            return float(value)
        if np.ndim(value) != 0 or not isinstance(value, int | float | np.number):
            raise ValueError(f"{type(self).__name__}.voltage: {value!r} at t = {time:g} fs; allowed: a number, in eV")
        return float(value)


@dataclass(frozen=True, eq=False)
class Lead(LeadAtVoltage):
    """Any lead as a list of channels, each a vector on the device and a self-energy.

    The self-energy on the device is, ::

        Sigma(E) = sum_q Sigma_q(E) u_q u_q^dag

    Parameters
    ----------
    channels : list of (array_like, spectrum)
        Pairs (u, spectrum): u of length N couples both spins alike (two channels, one for each spin); u of length 2N
        (index 2 i + s) couples one combination of spins, as in a magnetic lead. `spectrum` is any object with the
        methods of `llgnegf.problem.spectra.Spectrum`.
    voltage : float or callable, default 0.0
        V in eV, a number or a function of time (fs): shifts the lead's levels and its chemical potential together.
    chemical_potential : float, optional
        mu in eV, moves the occupation alone; None takes the system's Fermi energy.
    kT : float, optional
        Thermal energy of this lead in eV; None takes the system's.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    A chain that takes spin up along x from the first of two sites:

    >>> from llgnegf.problem.spectra import ChainSpectrum
    >>> up = np.array([1, 1, 0, 0]) / np.sqrt(2)
    >>> lead = ln.Lead([(up, ChainSpectrum(1.0, 1.0, 0.0))])
    >>> len(lead.attach(2))
    1
    """

    channels: Annotated[Sequence[tuple[Any, Spectrum]], Argument("channel", key="channel", tables="many")]

    def __post_init__(self) -> None:
        problems = Problems("Lead")
        allowed = "a non-empty list of pairs (device vector, spectrum)"
        is_list = isinstance(self.channels, Sequence) and not isinstance(self.channels, str)
        pairs = list(self.channels) if is_list else []
        problems.check(len(pairs) > 0, "channels", self.channels, allowed)
        checked = []
        for k, pair in enumerate(pairs):
            is_pair = isinstance(pair, Sequence) and len(pair) == 2
            if not problems.check(is_pair, f"channels[{k}]", pair, "a pair (device vector, spectrum)"):
                continue
            vector = problems.array(f"channels[{k}].vector", pair[0], (None,), "N or 2N finite amplitudes", complex)
            check_spectrum(problems, f"channels[{k}].spectrum", pair[1])
            checked.append((vector, pair[1]))
        self._check_reservoir(problems)
        problems.raise_all()
        object.__setattr__(self, "channels", tuple(checked))

    def attach(self, n_sites: int) -> list[Channel]:
        """The channels on a device of `n_sites` sites; raises ValueError where a vector does not fit."""
        attached: list[Channel] = []
        problems = Problems("Lead")
        for k, (vector, spectrum) in enumerate(self.channels):
            if vector.size == n_sites:
                attached += [Channel(np.kron(vector, spin), spectrum) for spin in np.eye(2)]
            elif vector.size == 2 * n_sites:
                attached.append(Channel(vector, spectrum))
            else:
                allowed = f"{n_sites} (both spins alike) or {2 * n_sites}"
                problems.add(f"channels[{k}].vector", f"{vector.size} amplitudes", allowed)
        problems.raise_all()
        return attached


@dataclass(frozen=True, eq=False)
class SiteLead(LeadAtVoltage):
    """A lead that couples both spins of one site alike.

    Parameters
    ----------
    site : int
        Device site, 0 .. N-1, or negative from the end.
    """

    site: SiteIndex

    def _check_site(self, problems: Problems) -> None:
        problems.integer("site", self.site, "an integer, -n_sites <= site < n_sites")

    def spectrum(self) -> Spectrum:
        """The self-energy of each of its two channels; what a new kind of lead on a site says."""
        raise NotImplementedError

    def attach(self, n_sites: int) -> list[Channel]:
        """The two channels (spin up, spin down) on a device of `n_sites` sites; ValueError for a site out of range."""
        problems, allowed = Problems(type(self).__name__), f"-{n_sites} <= site < {n_sites}"
        inside = -n_sites <= self.site < n_sites
        problems.check(inside, "site", self.site, f"{allowed} (the device has {n_sites} sites)")
        problems.raise_all()
        index = 2 * (self.site % n_sites)
        vectors = np.zeros((2, 2 * n_sites), dtype=complex)
        vectors[(0, 1), (index, index + 1)] = 1.0
        spectrum = self.spectrum()
        return [Channel(vector, spectrum) for vector in vectors]


@dataclass(frozen=True, eq=False)
class ChainLead(SiteLead):
    """Semi-infinite chain attached to one site: the lead of the paper.

    Parameters
    ----------
    site : int
        Device site, 0 .. N-1, or negative from the end. Two leads may share a site.
    coupling : float, default 1.0
        gamma_c in eV, hopping between chain and site; 0 detaches the lead.
    hopping : float, default 1.0
        gamma in eV, positive: the band reaches 2 gamma to both sides of `onsite`.
    onsite : float, default 0.0
        On-site energy e of the chain in eV.
    voltage : float or callable, default 0.0
        V in eV, a number or a function of time (fs): shifts the lead's levels and its chemical potential together.
    chemical_potential : float, optional
        mu in eV, moves the occupation alone; None takes the system's Fermi energy.
    kT : float, optional
        Thermal energy of this lead in eV; None takes the system's.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    See Also
    --------
    Lattice.lead : The ribbon that goes on at a side of a lattice.
    PeriodicLead : Any semi-infinite crystal.

    Notes
    -----
    The self-energy of each spin on the site is the surface Green function of the chain times gamma_c^2 [1]_, ::

        Sigma(E) = gamma_c^2/(2 gamma^2) [x - sqrt(x - 2 gamma) sqrt(x + 2 gamma)],     x = E - e - V(t)

    References
    ----------
    .. [1] S. Datta, Electronic Transport in Mesoscopic Systems (Cambridge University Press, 1995), chapter 3.

    Examples
    --------
    >>> left = ln.ChainLead(0, voltage=ln.Ramp(0.0, 0.1, start=0.0, duration=5.0))
    >>> left.voltage_at(5.0)
    0.1

    In the middle of the band the self-energy is -i gamma_c^2/gamma:

    >>> sigma = ln.ChainLead(-1, coupling=0.5).spectrum().self_energy(0.0)
    >>> round(float(sigma.imag), 6)
    -0.25
    """

    coupling: Energy = 1.0
    hopping: Energy = 1.0
    onsite: Energy = 0.0

    def __post_init__(self) -> None:
        problems = Problems("ChainLead")
        self._check_site(problems)
        problems.number("coupling", self.coupling, "a finite number, in eV")
        problems.number("hopping", self.hopping, "a finite number > 0, in eV", lambda x: x > 0)
        problems.number("onsite", self.onsite, "a finite number, in eV")
        self._check_reservoir(problems)
        problems.raise_all()

    def spectrum(self) -> Spectrum:
        return ChainSpectrum(self.coupling, self.hopping, self.onsite)


@dataclass(frozen=True, eq=False)
class WideBandLead(SiteLead):
    """Lead whose self-energy does not depend on energy, on one site.

    Parameters
    ----------
    site : int
        Device site, 0 .. N-1, or negative from the end.
    broadening : float
        Gamma in eV, >= 0 (the paper's wide-band Gamma' is Gamma/2).
    voltage : float or callable, default 0.0
        V in eV, a number or a function of time (fs): shifts the lead's levels and its chemical potential together.
    chemical_potential : float, optional
        mu in eV, moves the occupation alone; None takes the system's Fermi energy.
    kT : float, optional
        Thermal energy of this lead in eV; None takes the system's.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    Sigma(E) = -i Gamma/2 for either spin.

    Examples
    --------
    >>> sigma = ln.WideBandLead(0, broadening=0.3).spectrum().self_energy(1.0)
    >>> float(sigma.imag)
    -0.15
    """

    broadening: Energy

    def __post_init__(self) -> None:
        problems = Problems("WideBandLead")
        self._check_site(problems)
        problems.number("broadening", self.broadening, "a finite number >= 0, in eV", lambda x: x >= 0)
        self._check_reservoir(problems)
        problems.raise_all()

    def spectrum(self) -> Spectrum:
        return WideBandSpectrum(self.broadening)


@dataclass(frozen=True, eq=False)
class TabulatedLead(SiteLead):
    """Lead whose broadening is a table, on one site.

    Parameters
    ----------
    site : int
        Device site, 0 .. N-1, or negative from the end.
    energies : array_like, (n,)
        Increasing energies in eV.
    broadening : array_like, (n,)
        Gamma >= 0 in eV at these energies, zero at both ends.
    voltage : float or callable, default 0.0
        V in eV, a number or a function of time (fs): shifts the lead's levels and its chemical potential together.
    chemical_potential : float, optional
        mu in eV, moves the occupation alone; None takes the system's Fermi energy.
    kT : float, optional
        Thermal energy of this lead in eV; None takes the system's.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    See Also
    --------
    TabulatedMatrixLead : A table of matrices, from a transport code.

    Notes
    -----
    Gamma is linear between the energies of the table and zero outside, and the self-energy is its Hilbert transform,
    exact for each piece, ::

        Sigma(E) = int dE'/(2 pi) Gamma(E')/(E - E')

    Examples
    --------
    >>> lead = ln.TabulatedLead(0, energies=[-1.0, 0.0, 1.0], broadening=[0.0, 0.4, 0.0])
    >>> print(lead.spectrum().broadening(0.5))
    0.2
    """

    energies: Energies
    broadening: Energies

    def __post_init__(self) -> None:
        problems = Problems("TabulatedLead")
        self._check_site(problems)
        self._check_reservoir(problems)
        checked_table(problems, self.energies, self.broadening, "broadening")
        problems.raise_all()

    def spectrum(self) -> Spectrum:
        return TabulatedSpectrum(self.energies, self.broadening)
