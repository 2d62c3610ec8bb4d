"""Other accounts of the same motion, beside the tensors: the rotating frame's parts and the spin-motive force."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llgnegf.units import HBAR


@dataclass(frozen=True, eq=False)
class PrecessionComparison:
    """delta<s> (N, 3) of steady precession: K dM/dt against the parts of the rotating-frame solution.

    Attributes:
        response: K dM/dt.
        geometric, sea, surface: The oracle's parts; their split differs from that of K, their sum does not.
        difference: max |response - (geometric + sea + surface)|.
    """

    response: np.ndarray
    geometric: np.ndarray
    sea: np.ndarray
    surface: np.ndarray
    difference: float


@dataclass(frozen=True, eq=False)
class MotiveForceComparison:
    """The friction's part of the LLG equation against the damping tensor of the spin-motive force, M x D.dM/dt.

    Attributes:
        torque: Torque of the friction tensor, M x friction.dM/dt in eV, (N, 3).
        motive_force_torque: M x D.dM/dt in eV, (N, 3).
        power, motive_force_power: dM/dt.friction.dM/dt and dM/dt.D.dM/dt in eV/fs.
    """

    torque: np.ndarray
    motive_force_torque: np.ndarray
    power: float
    motive_force_power: float

    @property
    def share(self) -> float:
        """Part of the dissipated power that the spin-motive force accounts for; NaN if nothing is dissipated."""
        return self.motive_force_power / self.power if self.power > 0 else float("nan")


def motive_force_friction(moments: np.ndarray, conductance: float) -> np.ndarray:
    """D = (hbar^2 G_0/4e^2) (M x dM/dz)(M x dM/dz)^T, blocks (N, 3, 3) in eV fs, for G_0 in e^2/h."""
    if len(moments) < 2:
        return np.zeros((len(moments), 3, 3))
    chirality = np.cross(moments, np.gradient(moments, axis=0))
    return HBAR * conductance / (8 * np.pi) * chirality[:, :, None] * chirality[:, None, :]
