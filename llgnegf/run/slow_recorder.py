"""The columns of a run with slow electrons: those of a full run that first order in the velocities defines.

Currents into the leads and through bonds are left out: the expansion here gives the spins on the moments' sites only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llgnegf.equations.slow import SlowEquation, cross
from llgnegf.problem.system import OpenSystem
from llgnegf.run.result import Variable
from llgnegf.units import G_E

Columns = dict[str, np.ndarray]


class SlowRecorder:
    """Turns moments into rows.

    Args:
        equation: The equation of motion.
        system: The electrons; None for moments alone.
        extra: Names of extra observables ("adiabatic").
    """

    def __init__(self, equation: SlowEquation, system: OpenSystem | None, extra: tuple[str, ...]) -> None:
        self.equation, self.electrons, self.extra = equation, system is not None, extra
        self.n_sites = equation.magnet.n_sites
        self._j = equation.j_sd[:, None]
        self._has_potential = system is not None and (system.is_closed or system.kT > 0)
        self.variables = self._variables()

    @property
    def coordinates(self) -> dict[str, list[Any]]:
        """Labels of the dims that the columns have."""
        return {"site": list(range(self.n_sites)), "component": ["x", "y", "z"]}

    def row(self, time: float, moments: np.ndarray) -> Columns:
        """The columns for the moments (N, 3) of `time` (fs)."""
        energy = self.equation.magnet.energy.energy(moments, time)
        columns: Columns = {"moments": moments, "energy_classical": np.array(energy)}
        spin = np.zeros_like(moments)
        if self.electrons:
            spin = self._electronic(columns, time, moments)
        momentum = np.asarray(self.equation.magnet.magnetic_moment)[:, None] / G_E * moments
        columns["angular_momentum"] = np.sum(0.5 * spin - momentum, axis=0)
        return {name: np.asarray(columns[name], dtype=float) for name in self.variables}

    def _electronic(self, columns: Columns, time: float, moments: np.ndarray) -> np.ndarray:
        evaluations = self.equation.evaluations
        instant = self.equation.instant(time, moments[None])
        self.equation.evaluations = evaluations
        rest, tensors = instant.electrons, instant.tensors
        assert rest is not None and tensors is not None and self.equation.electrons is not None
        velocity = instant.velocity[0].ravel()
        j = np.where(self._j == 0, 1.0, self._j)
        change = -((tensors.friction[0] + tensors.geometric[0]) @ velocity).reshape(-1, 3) / j
        spin = rest.spin[0] + change
        columns["spin_density"], columns["charge_density"] = spin, rest.charge[0]
        columns["torque"] = self._j * cross(spin, moments)
        columns["energy_sd"] = np.array(-np.sum(self._j * spin * moments))
        columns["friction_power"] = np.array(velocity @ tensors.friction[0] @ velocity)
        if self._has_potential:
            potential = self.equation.electrons.grand_potential(moments)
            columns["free_energy"] = columns["energy_classical"] + potential
        columns["spin_density_adiabatic"] = rest.spin[0]
        columns["torque_adiabatic"] = self._j * cross(rest.spin[0], moments)
        columns["torque_nonadiabatic"] = self._j * cross(change, moments)
        return spin

    def _variables(self) -> dict[str, Variable]:
        def vector(units: str, name: str) -> Variable:
            return Variable(("site", "component"), (self.n_sites, 3), units, name)

        def scalar(units: str, name: str) -> Variable:
            return Variable((), (), units, name)

        table = {"moments": vector("1", "direction of the moments")}
        if self.electrons:
            table |= {
                "spin_density": vector("1", "electronic spin density to first order in the velocities (J_sd != 0)"),
                "torque": vector("eV", "torque of the electrons on the moments, J_sd <s> x M"),
                "charge_density": Variable(("site",), (self.n_sites,), "1", "adiabatic electrons on each site"),
                "energy_sd": scalar("eV", "sd energy, -sum J_sd <s>.M"),
                "friction_power": scalar("eV/fs", "power that friction hands to the electrons"),
            }
            if self._has_potential:
                table["free_energy"] = scalar(
                    "eV", "classical energy plus electronic grand potential, up to a constant"
                )
            if "adiabatic" in self.extra:
                table |= {
                    "spin_density_adiabatic": vector("1", "spin density of the equilibrium with the moments of t"),
                    "torque_adiabatic": vector("eV", "torque of the adiabatic spin density"),
                    "torque_nonadiabatic": vector("eV", "torque minus its adiabatic part"),
                }
        table["energy_classical"] = scalar("eV", "classical energy of the moments")
        table["angular_momentum"] = Variable(
            ("component",), (3,), "hbar", "spin of the electrons on the device plus that of the moments"
        )
        return table
