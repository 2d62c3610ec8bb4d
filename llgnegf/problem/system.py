"""OpenSystem: electrons, leads, Fermi energy and temperature, the problem that every solver takes.

Knows nothing of how moments move; the solvers add that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem.arguments import Energy
from llgnegf.problem.drives import Drive
from llgnegf.problem.electrons import Electrons
from llgnegf.problem.leads import AnyLead, Channel, Lead, _SiteLead
from llgnegf.problem.plausibility import doubts_of_system, warn


@dataclass(frozen=True, eq=False)
class OpenSystem:
    """Electrons open to leads, in units of eV.

    Args:
        electrons: The device (`chain(...)` or `Electrons`).
        leads: Leads attached to it; an empty list is a closed system.
        fermi_energy: E_F in eV, the chemical potential of every lead that does not name its own.
        kT: Thermal energy in eV, >= 0.

    Raises:
        ValueError: One line for each argument that is not of this kind, a lead on a missing site included.
    """

    electrons: Electrons
    leads: Sequence[AnyLead] = field(default_factory=tuple)
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
            if not problems.check(isinstance(lead, Lead | _SiteLead), f"leads[{p}]", lead, "a lead"):
                continue
            if is_electrons:
                try:
                    lead.attach(self.electrons.n_sites)
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
        """All that changes in time: the drives of the leads."""
        return tuple(drive for lead in self.leads for drive in lead.drives())

    def chemical_potentials(self, time: float = 0.0) -> np.ndarray:
        """mu_p + V_p(t) of every lead in eV at `time` (fs), shape (n_leads,)."""
        rest = [self.fermi_energy if p.chemical_potential is None else p.chemical_potential for p in self.leads]
        return np.array(rest, dtype=float) + self.voltages(time)

    def voltages(self, time: float = 0.0) -> np.ndarray:
        """V_p(t) of every lead in eV at `time` (fs), shape (n_leads,)."""
        return np.array([lead.voltage_at(time) for lead in self.leads], dtype=float)
