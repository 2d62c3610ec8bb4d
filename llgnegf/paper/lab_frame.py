"""The time domain beside the oracle: torque and currents from G<(t,t) propagated in the lab frame, and the exact ones.

The paper's claim that its density matrix is identical to hbar G<(t,t)/i of the lab frame, put to numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf.paper.model import ENERGY, in_eV, rotating_frame
from llgnegf.problem.magnetism.motion import Precession
from llgnegf.problem.observables import bond_spin_current, spin_density
from llgnegf.problem.system import OpenSystem
from llgnegf.problem.torque_parts import field_like_damping_like
from llgnegf.run.simulate import simulate
from llgnegf.units import HBAR

KT = 0.002
"""kT in eV of the lab-frame runs with leads, which need kT > 0, and of the exact values beside them."""


@dataclass(frozen=True, eq=False)
class LabCase:
    """One run in the lab frame: thermal start, the rotation switched on within `ramp`, then `hold` more.

    Attributes:
        system, texture, axis: As for `RotatingFrame`.
        ramp, hold: In hbar/eV. A ramp much slower than the slowest excitation ends in the steady state.
        rtol: Accuracy asked of `simulate`.
    """

    system: OpenSystem
    texture: np.ndarray
    axis: Any = "z"
    ramp: float = 300.0
    hold: float = 50.0
    rtol: float = 1e-6


@dataclass(frozen=True, eq=False)
class LabAnswer:
    """Nonadiabatic quantities, along the first axis (lab frame, exact); spin components along the precession's axis.

    All orders in hbar w are in both. What flows in equilibrium is subtracted from both: the adiabatic part from the
    exact currents, what flows at the start, at rest, from those of the lab frame.

    Attributes:
        field_like, damping_like: Torque in eV, (2, N).
        torque_sum: Torque along the axis, summed over the sites, in eV, (2,).
        lead_spin: Spin current into each lead in eV, (2, n_leads).
        bond_spin: Spin current on each bond in eV, (2, n_bonds).
    """

    field_like: np.ndarray
    damping_like: np.ndarray
    torque_sum: np.ndarray
    lead_spin: np.ndarray
    bond_spin: np.ndarray

    @property
    def torque_difference(self) -> float:
        """Largest |lab - exact| of all sites' components, relative to the largest of the exact ones."""
        return relative_difference(np.concatenate([self.field_like, self.damping_like], axis=-1))


def relative_difference(pair: np.ndarray) -> float:
    """Largest |pair[0] - pair[1]| relative to the largest |pair[1]|."""
    return float(np.abs(pair[0] - pair[1]).max() / np.abs(pair[1]).max())


def lab_columns(
    answers: Sequence[LabAnswer],
    dims: str | tuple[str, ...],
    lengths: Sequence[int] = (-1,),
    **fields: Callable[[LabAnswer], np.ndarray],
) -> dict[str, Any]:
    """Columns lab_NAME and exact_NAME in eV: what each of `fields` takes from an answer, (2, ...)."""
    columns = {}
    for name, field in fields.items():
        pairs = np.stack([field(answer) for answer in answers], axis=1)
        for who, values in zip(("lab", "exact"), pairs, strict=True):
            columns[f"{who}_{name}"] = in_eV(dims, values.reshape(lengths))
    return columns


def lab_frame(case: LabCase) -> LabAnswer:
    """Run `case` in the lab frame and solve it exactly in the rotating one."""
    exact, lab = _exact(case), _propagated(case)
    return LabAnswer(*(np.stack(pair) for pair in zip(lab, exact, strict=True)))


def _propagated(case: LabCase) -> tuple[np.ndarray, ...]:
    end = (case.ramp + case.hold) * HBAR
    motion = Precession(case.texture, ENERGY, axis=case.axis, ramp=case.ramp * HBAR)
    result = simulate(case.system, motion, t_end=end, save_every=end, rtol=case.rtol, observables=("adiabatic",))
    run = result.dataset
    moments, torque = run["moments"].values[-1], run["torque_nonadiabatic"].values[-1]
    split = field_like_damping_like(torque, moments, motion.velocity(end))

    def change(name: str) -> np.ndarray:
        rows = run[name].values if name in run else np.zeros((2, 0, 3))
        return (rows[-1] - rows[0]) @ motion.axis

    along = np.array(torque.sum(axis=0) @ motion.axis)
    return split.field_like, split.damping_like, along, change("lead_spin_current"), change("bond_spin_current")


def _exact(case: LabCase) -> tuple[np.ndarray, ...]:
    frame = rotating_frame(case.system, case.texture, case.axis)
    electrons = case.system.electrons
    moving = frame.density_matrix() - frame.decompose().adiabatic
    torque = electrons.j_sd[:, None] * np.cross(spin_density(moving), frame.texture)
    split = field_like_damping_like(torque, frame.texture, frame.velocity)
    leads, bonds = frame.lead_currents().spin @ frame.axis, bond_spin_current(moving, electrons) @ frame.axis
    return split.field_like, split.damping_like, np.array(torque.sum(axis=0) @ frame.axis), leads, bonds
