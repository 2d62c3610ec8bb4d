from .config import ConfigError, RunConfig
from .drives import Drive, Pulse, Ramp, Sine, Table, TimeFunction
from .dynamics.integrate import IntegrationStopped
from .electrons import Electrons, chain
from .error_budget import AccuracyWarning
from .leads import ChainLead, Lead, TabulatedLead, WideBandLead
from .magnetism.energies import DMI, CubicAnisotropy, Dipolar, Exchange, PairExchange, UniaxialAnisotropy, Zeeman
from .magnetism.magnet import Magnet
from .magnetism.motion import Frozen, Precession, Prescribed
from .magnetism.torques import SlonczewskiTorque, ZhangLiTorque
from .observables import (
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
from .plausibility import SuspiciousValueWarning
from .poles.channels import with_pole_leads
from .relax import relax
from .result import Result
from .rotating_frame import RotatingFrame, rotate_spins
from .simulate import simulate
from .simulation import Simulation
from .slow import ResponseTensors, SlowSimulation, langevin_ensemble
from .stationary.decomposition import CurrentDecomposition, Decomposition
from .stationary.quadrature import QuadratureError
from .stationary.steady_state import LeadCurrents
from .sweep import run_sweep
from .system import OpenSystem
from .textures import bloch_wall, cone, neel_wall, uniform

__version__: str

__all__ = [
    "AccuracyWarning", "ChainLead", "ConfigError", "CubicAnisotropy", "CurrentDecomposition", "DMI", "Decomposition",
    "Dipolar", "Drive", "Electrons", "Exchange", "Frozen", "IntegrationStopped", "Lead", "LeadCurrents", "Magnet",
    "OpenSystem",
    "PairExchange", "Precession", "Prescribed", "Pulse", "QuadratureError", "Ramp", "ResponseTensors", "Result",
    "RotatingFrame", "RunConfig", "Simulation", "Sine", "SlonczewskiTorque", "SlowSimulation",
    "SuspiciousValueWarning", "Table", "TabulatedLead", "TimeFunction", "TorqueComponents", "UniaxialAnisotropy",
    "WideBandLead", "Zeeman", "ZhangLiTorque",
    "bloch_wall", "bond_charge_current", "bond_spin_current", "chain", "charge_density", "cone", "electron_energy",
    "field_like_damping_like", "langevin_ensemble", "neel_wall", "relax", "rotate_spins", "run_sweep", "simulate",
    "spin_density", "spin_motive_force_current", "torque", "uniform", "with_pole_leads",
]  # fmt: skip
