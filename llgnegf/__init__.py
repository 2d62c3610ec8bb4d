"""llgnegf: Landau-Lifshitz-Gilbert dynamics coupled to time-dependent nonequilibrium Green functions."""

from llgnegf.decomposition import CurrentDecomposition, Decomposition
from llgnegf.electrons import Electrons, chain
from llgnegf.leads import ChainLead, Lead, TabulatedLead, WideBandLead
from llgnegf.observables import (
    TorqueComponents,
    bond_charge_current,
    bond_spin_current,
    charge_density,
    electron_energy,
    field_like_damping_like,
    spin_density,
    spin_motive_force_current,
    torque,
)
from llgnegf.quadrature import QuadratureError
from llgnegf.rotating_frame import RotatingFrame, rotate_spins
from llgnegf.steady_state import LeadCurrents
from llgnegf.system import OpenSystem
from llgnegf.textures import bloch_wall, cone, neel_wall, uniform

__version__ = "0.1.0"

__all__ = [
    "ChainLead", "CurrentDecomposition", "Decomposition", "Electrons", "Lead", "LeadCurrents", "OpenSystem",
    "QuadratureError", "RotatingFrame", "TabulatedLead", "TorqueComponents", "WideBandLead",
    "bloch_wall", "bond_charge_current", "bond_spin_current", "chain", "charge_density", "cone", "electron_energy",
    "field_like_damping_like", "neel_wall", "rotate_spins", "spin_density", "spin_motive_force_current", "torque",
    "uniform",
]  # fmt: skip
