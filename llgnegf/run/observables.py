"""The observables of a run, in the order of its columns. A new one is a line of the registry here, with its function.

A line has name, dims after time, unit, long name, for what kinds of run the column is, and its value in a row. A column
with a dim of no length (a device without leads or bonds) is left out. The dim `moment` is called `site` in runs whose
moments are one on each site.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from llgnegf.units import G_E, HBAR

Row = Any
"""A run at a save time, as `recorder` makes it; all is computed when it is asked for:

    time            fs
    moments         unit vectors, (n, 3); `interpolated` before their length was restored
    magnetic_moment, energy_classical                          mu_i in Bohr magnetons; eV
    spin, charge    <sigma_i> (N, 3) and electrons (N,) of each site
    torque          sum_i P_ik J_i <s_i> x M_k (eV) on each moment, (n, 3), `torque_adiabatic` that of `spin_adiabatic`
    energy_sd, energy_electronic                               eV
    spin_adiabatic  <sigma_i> of the equilibrium with the moments of this instant
    bond_currents   particle (1/fs) and spin currents (eV) through the bonds
    lead_rate, outflow      electrons, <sigma> and energy into each lead, (n_leads, 5), per hbar/eV and since t = 0
    drive_power, drive_work                                    of the drives of the device Hamiltonian, eV/fs and eV
    friction_power, grand_potential                            of slow electrons, eV/fs and eV
"""

KINDS = frozenset({"electrons", "full", "slow", "magnet", "potential", "driven"})
"""What a run is by itself: with electrons, full or slow ones, moments that answer, a grand potential, a device
Hamiltonian that is driven. What else an observable is for has to be asked for by the option `observables`."""


class Observable(NamedTuple):
    """A column."""

    name: str
    dims: tuple[str, ...]
    units: str
    long_name: str
    kinds: frozenset[str]
    value: Callable[[Row], np.ndarray | float]


def _angular_momentum(row: Row) -> np.ndarray:
    """1/2 sum <sigma_i> - sum (mu_i/g hbar) M_i; interpolation keeps it to round-off, restored lengths would not."""
    return 0.5 * row.spin.sum(axis=0) - row.magnetic_moment / G_E @ row.interpolated


# Lead currents are the derivative of the outflow, so that current and accumulated flow agree.
_LINES: tuple[tuple[str, str, str, str, str, Callable[[Row], np.ndarray | float]], ...] = (
    ("moments", "moment component", "1", "direction of the moments", "", lambda row: row.moments),
    ("spin_density", "site component", "1", "electronic spin density Tr[rho_ii sigma]", "full", lambda row: row.spin),
    ("spin_density", "site component", "1", "electronic spin density to first order in the velocities (J_sd != 0)",
     "slow", lambda row: row.spin),
    ("torque", "moment component", "eV", "torque of the electrons on the moments, J_sd <s> x M", "electrons",
     lambda row: row.torque),
    ("charge_density", "site", "1", "electrons on each site", "full", lambda row: row.charge),
    ("charge_density", "site", "1", "adiabatic electrons on each site", "slow", lambda row: row.charge),
    ("lead_current", "lead", "electrons/fs", "particle current into the lead", "full",
     lambda row: row.lead_rate[:, 0] / HBAR),
    ("lead_spin_current", "lead component", "eV", "spin current into the lead, (hbar/2) d<sigma>/dt", "full",
     lambda row: 0.5 * row.lead_rate[:, 1:4]),
    ("lead_energy_current", "lead", "eV/fs", "device energy that leaves through the lead", "full",
     lambda row: row.lead_rate[:, 4] / HBAR),
    ("lead_charge_out", "lead", "electrons", "electrons that left through the lead since t = 0", "full",
     lambda row: row.outflow[:, 0]),
    ("lead_spin_out", "lead component", "hbar", "spin that left through the lead since t = 0", "full",
     lambda row: 0.5 * row.outflow[:, 1:4]),
    ("lead_energy_out", "lead", "eV", "device energy that left through the lead since t = 0", "full",
     lambda row: row.outflow[:, 4]),
    ("bond_current", "bond", "electrons/fs", "particle current from i to j", "full", lambda row: row.bond_currents[0]),
    ("bond_spin_current", "bond component", "eV", "spin current from i to j", "full",
     lambda row: row.bond_currents[1]),
    ("energy_electronic", "", "eV", "electronic energy without sd coupling, Tr[rho H_0] + E_int", "full",
     lambda row: row.energy_electronic),
    ("energy_sd", "", "eV", "sd energy, -sum J_sd <s>.M", "electrons", lambda row: row.energy_sd),
    ("drive_power", "", "eV/fs", "power of what drives the device, given motion too, Tr[rho dH/dt]", "driven",
     lambda row: row.drive_power),
    ("drive_work", "", "eV", "their work since t = 0", "driven", lambda row: row.drive_work),
    ("friction_power", "", "eV/fs", "power that friction hands to the electrons", "slow",
     lambda row: row.friction_power),
    ("free_energy", "", "eV", "classical energy plus electronic grand potential, up to a constant", "potential",
     lambda row: row.energy_classical + row.grand_potential),
    ("spin_density_adiabatic", "site component", "1", "spin density of the equilibrium with the moments of t",
     "electrons adiabatic", lambda row: row.spin_adiabatic),
    ("torque_adiabatic", "moment component", "eV", "torque of the adiabatic spin density", "electrons adiabatic",
     lambda row: row.torque_adiabatic),
    ("torque_nonadiabatic", "moment component", "eV", "torque minus its adiabatic part", "electrons adiabatic",
     lambda row: row.torque - row.torque_adiabatic),
    ("energy_classical", "", "eV", "classical energy of the moments", "magnet", lambda row: row.energy_classical),
    ("angular_momentum", "component", "hbar", "spin of the electrons on the device plus that of the moments", "magnet",
     _angular_momentum),
)  # fmt: skip

REGISTRY = tuple(
    Observable(name, tuple(dims.split()), units, long_name, frozenset(kinds.split()), value)
    for name, dims, units, long_name, kinds, value in _LINES
)


def extra_names() -> tuple[str, ...]:
    """What the option `observables` may name."""
    return tuple(sorted(frozenset().union(*(observable.kinds for observable in REGISTRY)) - KINDS))
