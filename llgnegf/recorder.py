"""What is recorded of a state at a save time: the columns of a result, their units, and how each is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llgnegf.dynamics.equation import Equation
from llgnegf.dynamics.sample import Sample, Sampler
from llgnegf.dynamics.start import adiabatic_density_matrix
from llgnegf.magnetism.magnet import Magnet
from llgnegf.observables import (
    carried_spin,
    charge_of_sites,
    charge_through_bonds,
    spin_density,
    spin_of_sites,
    spin_through_bonds,
)
from llgnegf.result import Variable
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
            self._j_sd = electrons.j_sd[:, None]
            self._carried = carried_spin(electrons.hopping_blocks)
            self._reverse = electrons.hopping_blocks.conj().swapaxes(1, 2).copy()
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
        """The columns of a sample (see `dynamics.sample`) at t/hbar = tau."""
        sample = self.sampler.split(vector)
        moments = np.array(self.equation.moments_at(tau, sample.moments))
        columns: Columns = {"moments": moments}
        if self._classical is not None:
            columns["energy_classical"] = np.array(self._classical.energy.energy(moments, tau * HBAR))
        if self.electrons:
            self._electronic(columns, tau, sample, moments)
        if self.magnet is not None:
            columns["angular_momentum"] = self._angular_momentum(columns, moments)
        return {name: np.asarray(columns[name], dtype=float) for name in self.variables}

    def _electronic(self, columns: Columns, tau: float, sample: Sample, moments: np.ndarray) -> None:
        electrons = self.equation.system.electrons
        spin = columns["spin_density"] = spin_of_sites(sample.sites)
        columns["charge_density"] = charge_of_sites(sample.sites)
        coupled = self._j_sd * spin
        columns["torque"] = _cross(coupled, moments)
        if len(electrons.bonds):
            columns["bond_current"] = charge_through_bonds(electrons.hopping_blocks, sample.bonds)
            columns["bond_spin_current"] = spin_through_bonds(self._carried, sample.bonds)
        columns["energy_sd"] = -np.vdot(coupled, moments)
        # Tr[rho H_0]: every bond (i, j) counts twice, as (j, i) too.
        on_sites = np.vdot(electrons.onsite_blocks, sample.sites).real
        on_bonds = np.vdot(self._reverse, sample.bonds).real
        columns["energy_electronic"] = on_sites + 2 * on_bonds
        if self.n_leads:
            self._leads(columns, sample, moments)
        if "adiabatic" in self.extra:
            adiabatic = adiabatic_density_matrix(self.equation.poles, moments, tau * HBAR)
            columns["spin_density_adiabatic"] = spin_density(adiabatic)
            torque = _cross(self._j_sd * columns["spin_density_adiabatic"], moments)
            columns["torque_adiabatic"] = torque
            columns["torque_nonadiabatic"] = columns["torque"] - torque

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
        """1/2 sum <sigma_i> - sum (mu_i/g hbar) M_i in units of hbar; mu/(g hbar) = n/g_e for n Bohr magnetons."""
        assert self.magnet is not None
        total = -np.sum(np.asarray(self.magnet.magnetic_moment)[:, None] / G_E * moments, axis=0)
        if self.electrons:
            total = total + 0.5 * columns["spin_density"].sum(axis=0)
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


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a x b for (N, 3); np.cross takes several times as long for a few vectors."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    product = np.empty_like(a)
    product[:, 0], product[:, 1], product[:, 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return product
