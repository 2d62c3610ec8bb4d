"""What is recorded of a state at a save time: the columns of a result, their units, and how each is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llgnegf.equations.electrons import Equation
from llgnegf.equations.sample import Sample, Sampler, bond_observables, site_observables
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.observables import carried_spin, spin_density
from llgnegf.run.result import Variable
from llgnegf.static.frozen import adiabatic_density_matrix
from llgnegf.units import G_E, HBAR

Columns = dict[str, np.ndarray]


class Recorder:
    """Turns samples of states into rows.

    Args:
        equation: The right-hand side of the run (its layout, leads and moments).
        motion: The moments' motion or `Magnet`.
        extra: Names of extra observables ("adiabatic").
    """

    def __init__(self, equation: Any, motion: Any, extra: tuple[str, ...]) -> None:
        self.equation = equation
        self.extra = extra
        self.electrons = isinstance(equation, Equation)
        self.magnet = motion if isinstance(motion, Magnet) else None
        self._classical = self.magnet.compile() if self.magnet is not None else None
        self.sampler = Sampler(equation)
        if self.electrons:
            electrons = equation.system.electrons
            self._j_sd = np.array(electrons.j_sd, dtype=float)
            self._onsite = np.ascontiguousarray(electrons.onsite_blocks, dtype=complex)
            self._hopping = np.ascontiguousarray(electrons.hopping_blocks, dtype=complex)
            self._carried = np.ascontiguousarray(carried_spin(self._hopping))
        if self.magnet is not None:
            # mu/(g hbar) = n/g_e for n Bohr magnetons
            self._spin_of_moments = np.array(self.magnet.magnetic_moment, dtype=float) / G_E
        self.n_sites = motion.n_sites
        self.n_leads = len(equation.system.leads) if self.electrons else 0
        self.variables = self._variables()

    @property
    def coordinates(self) -> dict[str, list[Any]]:
        """Labels of the dims that the columns have."""
        labels: dict[str, list[Any]] = {"site": list(range(self.n_sites)), "component": ["x", "y", "z"]}
        if self.n_leads:
            labels["lead"] = list(range(self.n_leads))
        if self.electrons and len(self.equation.system.electrons.bonds):
            labels["bond"] = [f"{i}-{j}" for i, j in self.equation.system.electrons.bonds]
        return labels

    def row(self, tau: float, vector: np.ndarray) -> Columns:
        """The columns of a sample (see `equations.sample`) at t/hbar = tau."""
        sample = self.sampler.split(vector)
        interpolated = np.array(self.equation.moments_at(tau, sample.moments))
        moments = interpolated.copy()
        if self.magnet is not None:
            self.equation.normalise(moments)
        columns: Columns = {"moments": moments}
        if self._classical is not None:
            columns["energy_classical"] = np.array(self._classical.energy.energy(moments, tau * HBAR))
        if self.electrons:
            self._electronic(columns, tau, sample, moments)
        if self.magnet is not None:
            # Interpolation keeps this linear invariant to round-off, moments of restored length to their error.
            columns["angular_momentum"] = self._angular_momentum(columns, interpolated)
        return {name: np.asarray(columns[name], dtype=float) for name in self.variables}

    def _electronic(self, columns: Columns, tau: float, sample: Sample, moments: np.ndarray) -> None:
        spin, charge, torque, on_sites, coupled = site_observables(sample.sites, moments, self._j_sd, self._onsite)
        columns["spin_density"], columns["charge_density"], columns["torque"] = spin, charge, torque
        current, spin_current, on_bonds = bond_observables(sample.bonds, self._hopping, self._carried)
        columns["bond_current"], columns["bond_spin_current"] = current, spin_current
        columns["energy_sd"], columns["energy_electronic"] = np.array(coupled), np.array(on_sites + on_bonds)
        if self.n_leads:
            self._leads(columns, sample, moments)
        if "adiabatic" in self.extra:
            adiabatic = adiabatic_density_matrix(self.equation.poles, moments, tau * HBAR)
            columns["spin_density_adiabatic"] = spin_density(adiabatic)
            without_motion = self._j_sd[:, None] * np.cross(columns["spin_density_adiabatic"], moments)
            columns["torque_adiabatic"] = without_motion
            columns["torque_nonadiabatic"] = torque - without_motion

    def _leads(self, columns: Columns, sample: Sample, moments: np.ndarray) -> None:
        """Currents are the derivative of the outflow, so that current and accumulated flow agree."""
        rate, total = self.sampler.lead_flow(sample, moments), sample.outflow
        columns["lead_current"] = rate[:, 0] / HBAR
        columns["lead_spin_current"] = 0.5 * rate[:, 1:4]
        columns["lead_energy_current"] = rate[:, 4] / HBAR
        columns["lead_charge_out"] = total[:, 0]
        columns["lead_spin_out"] = 0.5 * total[:, 1:4]
        columns["lead_energy_out"] = total[:, 4]

    def _angular_momentum(self, columns: Columns, moments: np.ndarray) -> np.ndarray:
        """1/2 sum <sigma_i> - sum (mu_i/g hbar) M_i in units of hbar."""
        total = -self._spin_of_moments @ moments
        if self.electrons:
            total += 0.5 * columns["spin_density"].sum(axis=0)
        return total

    def _variables(self) -> dict[str, Variable]:
        vector: Callable[[str, str], Variable] = lambda units, name: Variable(  # noqa: E731
            ("site", "component"), (self.n_sites, 3), units, name
        )
        scalar: Callable[[str, str], Variable] = lambda units, name: Variable((), (), units, name)  # noqa: E731
        table = {"moments": vector("1", "direction of the moments")}
        if self.electrons:
            table |= {
                "spin_density": vector("1", "electronic spin density Tr[rho_ii sigma]"),
                "torque": vector("eV", "torque of the electrons on the moments, J_sd <s> x M"),
                "charge_density": Variable(("site",), (self.n_sites,), "1", "electrons on each site"),
            }
            table |= self._lead_variables() | self._bond_variables()
            table |= {
                "energy_electronic": scalar("eV", "electronic energy without sd coupling, Tr[rho H_0]"),
                "energy_sd": scalar("eV", "sd energy, -sum J_sd <s>.M"),
            }
            if "adiabatic" in self.extra:
                table |= {
                    "spin_density_adiabatic": vector("1", "spin density of the equilibrium with the moments of t"),
                    "torque_adiabatic": vector("eV", "torque of the adiabatic spin density"),
                    "torque_nonadiabatic": vector("eV", "torque minus its adiabatic part"),
                }
        if self.magnet is not None:
            table["energy_classical"] = scalar("eV", "classical energy of the moments")
            table["angular_momentum"] = Variable(
                ("component",), (3,), "hbar", "spin of the electrons on the device plus that of the moments"
            )
        return table

    def _lead_variables(self) -> dict[str, Variable]:
        if not self.n_leads:
            return {}
        scalar, vector = (("lead",), (self.n_leads,)), (("lead", "component"), (self.n_leads, 3))
        return {
            "lead_current": Variable(*scalar, "electrons/fs", "particle current into the lead"),
            "lead_spin_current": Variable(*vector, "eV", "spin current into the lead, (hbar/2) d<sigma>/dt"),
            "lead_energy_current": Variable(*scalar, "eV/fs", "device energy that leaves through the lead"),
            "lead_charge_out": Variable(*scalar, "electrons", "electrons that left through the lead since t = 0"),
            "lead_spin_out": Variable(*vector, "hbar", "spin that left through the lead since t = 0"),
            "lead_energy_out": Variable(*scalar, "eV", "device energy that left through the lead since t = 0"),
        }

    def _bond_variables(self) -> dict[str, Variable]:
        count = len(self.equation.system.electrons.bonds)
        if not count:
            return {}
        return {
            "bond_current": Variable(("bond",), (count,), "electrons/fs", "particle current from i to j"),
            "bond_spin_current": Variable(("bond", "component"), (count, 3), "eV", "spin current from i to j"),
        }

