"""What is recorded of a state at a save time: the columns of a result, their units, and how each is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from llgnegf.dynamics.equation import Equation
from llgnegf.dynamics.start import adiabatic_density_matrix
from llgnegf.magnetism.magnet import Magnet
from llgnegf.observables import bond_charge_current, bond_spin_current, charge_density, electron_energy, spin_density
from llgnegf.result import Variable
from llgnegf.units import G_E, HBAR

Columns = dict[str, np.ndarray]


class Recorder:
    """Turns states into rows.

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
        self._derivative = np.zeros(equation.layout.size)
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

    def row(self, tau: float, state: np.ndarray) -> Columns:
        """The columns of the state at t/hbar = tau."""
        moments = np.array(self.equation.moments_at(tau, state))
        columns: Columns = {"moments": moments}
        if self._classical is not None:
            columns["energy_classical"] = np.array(self._classical.energy.energy(moments, tau * HBAR))
        if self.electrons:
            self._electronic(columns, tau, state, moments)
        if self.magnet is not None:
            columns["angular_momentum"] = self._angular_momentum(columns, moments)
        # Copies: the state behind a view goes on changing after the row was handed out.
        return {name: np.array(columns[name], dtype=float) for name in self.variables}

    def _electronic(self, columns: Columns, tau: float, state: np.ndarray, moments: np.ndarray) -> None:
        electrons = self.equation.system.electrons
        rho = self.equation.layout.density_matrix(state)
        spin = spin_density(rho)
        columns["spin_density"] = spin
        columns["charge_density"] = charge_density(rho)
        columns["torque"] = electrons.j_sd[:, None] * np.cross(spin, moments)
        if len(electrons.bonds):
            columns["bond_current"] = bond_charge_current(rho, electrons)
            columns["bond_spin_current"] = bond_spin_current(rho, electrons)
        columns["energy_sd"] = -np.sum(electrons.j_sd[:, None] * spin * moments)
        columns["energy_electronic"] = electron_energy(rho, electrons.hamiltonian_at(moments)) - columns["energy_sd"]
        if self.n_leads:
            self._leads(columns, tau, state, moments)
        if "adiabatic" in self.extra:
            adiabatic = adiabatic_density_matrix(self.equation.poles, moments, tau * HBAR)
            columns["spin_density_adiabatic"] = spin_density(adiabatic)
            torque = electrons.j_sd[:, None] * np.cross(columns["spin_density_adiabatic"], moments)
            columns["torque_adiabatic"] = torque
            columns["torque_nonadiabatic"] = columns["torque"] - torque

    def _leads(self, columns: Columns, tau: float, state: np.ndarray, moments: np.ndarray) -> None:
        """Currents are the derivative of the outflow, so that current and accumulated flow agree to the last bit."""
        evaluations = self.equation.evaluations
        self.equation.electrons(tau, state, moments, self._derivative)
        self.equation.evaluations = evaluations
        rate = self.equation.layout.outflow(self._derivative)
        total = self.equation.layout.outflow(state)
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
