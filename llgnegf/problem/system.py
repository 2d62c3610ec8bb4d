"""OpenSystem: electrons, leads, Fermi energy and temperature, the problem that every solver takes.

Knows nothing of how moments move; the solvers add that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from llgnegf._checks import Problems
from llgnegf._readable import Readable
from llgnegf.problem.arguments import Energy
from llgnegf.problem.drives import Drive
from llgnegf.problem.electrons import Electrons
from llgnegf.problem.leads import Channel, Reservoir, check_channel
from llgnegf.problem.plausibility import doubts_of_system, warn

SAME_LEVEL = 1e-12
"""Chemical potentials closer than this part of the largest one, or of 1 eV, are one."""


@dataclass(frozen=True, eq=False)
class OpenSystem(Readable):
    """Device, leads, Fermi energy and temperature: what every solver takes.

    Parameters
    ----------
    electrons : Electrons
        The device, `Electrons` or what `chain` and `Lattice.electrons` return.
    leads : list of leads, default ()
        Leads attached to it: `ChainLead`, `PeriodicLead` and the like, or any objects with the members of
        `llgnegf.problem.leads.Reservoir`; an empty list is a closed system.
    fermi_energy : float, default 0.0
        E_F in eV, the chemical potential of every lead that does not name its own.
    kT : float, default 0.0
        Thermal energy in eV, >= 0, of every lead that does not name its own. Runs in time need kT > 0 with leads.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind, a lead on a missing site included.

    Warns
    -----
    SuspiciousValueWarning
        For a value that makes no sense beside the others.

    Examples
    --------
    >>> leads = [ln.ChainLead(0, voltage=0.1), ln.ChainLead(-1)]
    >>> system = ln.OpenSystem(ln.chain(7, j_sd=0.1), leads, kT=0.025)
    >>> print(system.chemical_potentials())
    [0.1 0. ]
    >>> system.common_chemical_potential() is None  # the leads differ
    True
    """

    electrons: Electrons
    leads: Sequence[Reservoir] = field(default_factory=tuple)
    fermi_energy: Energy = 0.0
    kT: Energy = 0.0

    def __post_init__(self) -> None:
        problems = Problems("OpenSystem")
        is_electrons = isinstance(self.electrons, Electrons)
        problems.check(is_electrons, "electrons", self.electrons, "an Electrons object, e.g. llgnegf.chain(...)")
        is_list = isinstance(self.leads, Sequence) and not isinstance(self.leads, str)
        problems.check(is_list, "leads", self.leads, "a list of leads ([] for a closed system)")
        leads = tuple(self.leads) if is_list else ()
        for p, lead in enumerate(leads):
            is_lead = isinstance(lead, Reservoir) and not isinstance(lead, type)
            wanted = "a lead: an object with attach, voltage_at, chemical_potential and drives"
            if problems.check(is_lead, f"leads[{p}]", lead, wanted) and is_electrons:
                try:
                    _check_channels(problems, p, lead.attach(self.electrons.n_sites), 2 * self.electrons.n_sites)
                except ValueError as error:
                    problems.take(error, "leads", p)
        problems.number("fermi_energy", self.fermi_energy, "a finite number, in eV")
        problems.number("kT", self.kT, "a finite number >= 0, in eV", lambda x: x >= 0)
        problems.raise_all()
        object.__setattr__(self, "leads", leads)
        warn(doubts_of_system(self))

    @property
    def n_sites(self) -> int:
        """Number of device sites N."""
        return self.electrons.n_sites

    @cached_property
    def lead_channels(self) -> tuple[tuple[Channel, ...], ...]:
        """For each lead its coupled channels (those with Sigma = 0 left out)."""
        return tuple(
            tuple(c for c in lead.attach(self.n_sites) if not c.spectrum.is_zero and np.any(c.vector))
            for lead in self.leads
        )

    @property
    def is_closed(self) -> bool:
        """True when no channel is coupled: discrete levels."""
        return not any(self.lead_channels)

    def drives(self) -> tuple[Drive, ...]:
        """All that changes in time: the drives of electrons and leads."""
        return (*self.electrons.drives(), *(drive for lead in self.leads for drive in lead.drives()))

    def amplitudes(self, time: float) -> np.ndarray:
        """All numbers that may change in time, at `time` (fs): voltages, and of electrons that change the amplitudes of
        their terms and J_sd (eV)."""
        electrons = self.electrons
        if not electrons.drives():
            return self.voltages(time)
        of_terms = [term.amplitudes(time) for term in electrons.device.changing]
        return np.concatenate([self.voltages(time), *of_terms, electrons.j_sd_at(time)])

    @property
    def coupled_leads(self) -> list[int]:
        """Numbers of the leads with a coupled channel."""
        return [p for p, channels in enumerate(self.lead_channels) if channels]

    def chemical_potentials(self, time: float = 0.0) -> np.ndarray:
        """mu_p + V_p(t) of every lead in eV at `time` (fs), shape (n_leads,)."""
        rest = [self.fermi_energy if p.chemical_potential is None else p.chemical_potential for p in self.leads]
        return np.array(rest, dtype=float) + self.voltages(time)

    def common_chemical_potential(self, time: float = 0.0) -> float | None:
        """mu + V(t) (eV) that the coupled leads share, the Fermi energy of a closed system; None if they differ."""
        mu = self.chemical_potentials(time)[self.coupled_leads]
        if not mu.size:
            return float(self.fermi_energy)
        return float(mu[0]) if np.ptp(mu) <= SAME_LEVEL * max(1.0, float(np.abs(mu).max())) else None

    def mean_chemical_potential(self, time: float = 0.0) -> float:
        """Mean of mu_p + V_p(t) (eV) over the coupled leads, which fills what no lead reaches."""
        common = self.common_chemical_potential(time)
        return float(np.mean(self.chemical_potentials(time)[self.coupled_leads])) if common is None else common

    def temperatures(self) -> np.ndarray:
        """kT of every lead in eV, (n_leads,)."""
        own = [getattr(lead, "kT", None) for lead in self.leads]
        return np.array([self.kT if kT is None else kT for kT in own], dtype=float)

    @property
    def common_temperature(self) -> float | None:
        """kT (eV) that the coupled leads share, the system's if there is none; None if they differ."""
        kT = self.temperatures()[self.coupled_leads]
        if not kT.size:
            return float(self.kT)
        return float(kT[0]) if np.ptp(kT) <= SAME_LEVEL * float(kT.max()) else None

    @property
    def mean_temperature(self) -> float:
        """Mean kT (eV) of the coupled leads, at which what no lead reaches is filled."""
        common = self.common_temperature
        return float(np.mean(self.temperatures()[self.coupled_leads])) if common is None else common

    def in_equilibrium(self, time: float = 0.0) -> bool:
        """Whether the coupled leads share chemical potential (voltage at `time` in fs included) and temperature."""
        return self.common_chemical_potential(time) is not None and self.common_temperature is not None

    def voltages(self, time: float = 0.0) -> np.ndarray:
        """V_p(t) of every lead in eV at `time` (fs), shape (n_leads,)."""
        return np.array([lead.voltage_at(time) for lead in self.leads], dtype=float)


def check_static(problems: Problems, system: OpenSystem) -> None:
    """Note what changes in time, or a mean field."""
    if not system.electrons.is_constant:
        check_constant(problems, system)
        return
    for p, lead in enumerate(system.leads):
        if lead.drives():
            problems.add(
                f"system.leads[{p}].voltage", "a function of time", "a number: the response is that of static leads"
            )
            return


def check_constant(problems: Problems, system: OpenSystem, mean_fields: bool = False) -> None:
    """Note what makes the device Hamiltonian depend on time, or (unless `mean_fields`) on the density."""
    electrons = system.electrons
    if electrons.j_drive is not None:
        problems.add("system.electrons.j_sd", "a function of time", "numbers: the device is one that does not change")
    for k, term in enumerate(electrons.terms):
        field, kind = f"system.electrons.terms[{k}]", type(term).__name__
        if term.drives():
            problems.add(field, f"{kind} that depends on time", "one with a number: the device does not change")
        elif term in electrons.mean_fields and not mean_fields:
            problems.add(field, kind, "no mean field: the response of one that follows the spins is not part of this")


def _check_channels(problems: Problems, p: int, channels: Sequence[Channel], size: int) -> None:
    """Note the channels of lead `p` that do not fit a device of `size` = 2N amplitudes."""
    for q, channel in enumerate(channels):
        check_channel(problems, f"leads[{p}].attach()[{q}]", channel, size)
