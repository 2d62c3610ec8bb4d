from . import analysis, plots
from .commands.ensemble import ensemble
from .commands.load import load
from .commands.simulate import simulate
from .config import ConfigError, RunConfig
from .integrators.integration import IntegrationStopped
from .poles.channels import with_pole_leads
from .problem.carriers import Chirp, LightPulse
from .problem.device_fields import ElectricField, ElectronZeeman, VectorPotential
from .problem.device_terms import Gate, Peierls, TimeDependent
from .problem.drives import Drive, TimeFunction
from .problem.electrons import Electrons, chain
from .problem.kwant_systems import from_kwant
from .problem.lattices.crystals import honeycomb, square, triangular
from .problem.lattices.lattice import Lattice
from .problem.leads import ChainLead, Lead, TabulatedLead, WideBandLead
from .problem.magnetism.energies import (
    DMI,
    CubicAnisotropy,
    Dipolar,
    Exchange,
    PairDMI,
    PairExchange,
    UniaxialAnisotropy,
    Zeeman,
)
from .problem.magnetism.external import External
from .problem.magnetism.magnet import Magnet
from .problem.magnetism.motion import Frozen, Precession, Prescribed
from .problem.magnetism.terms import EnergyTerm
from .problem.magnetism.torques import SlonczewskiTorque, SpinTransferTorque, ZhangLiTorque
from .problem.matrix_leads import TabulatedMatrixLead
from .problem.mean_fields import DensityDependent, Hubbard
from .problem.observables import (
    bond_charge_current,
    bond_spin_current,
    charge_density,
    electron_energy,
    spin_density,
    spin_motive_force_current,
    torque,
)
from .problem.periodic_leads import PeriodicLead
from .problem.plausibility import SuspiciousValueWarning
from .problem.swirls import skyrmion, vortex
from .problem.system import OpenSystem
from .problem.textures import (
    antiferromagnet,
    bloch_wall,
    cone,
    helix,
    neel_wall,
    random,
    uniform,
)
from .problem.torque_parts import TorqueComponents, field_like_damping_like
from .problem.waveforms import Pulse, Ramp, Sine, Table
from .response.linear_response import LinearResponse
from .response.magnons import Magnons, magnons
from .response.tensors import ResponseTensors
from .run.error_budget import AccuracyWarning
from .run.langevin import langevin_ensemble
from .run.relax import relax
from .run.result import Result
from .run.simulation import Simulation
from .run.slow_simulation import SlowSimulation
from .run.two_time import TwoTime
from .static.decomposition import CurrentDecomposition, Decomposition
from .static.quadrature import QuadratureError
from .static.rotating_frame import RotatingFrame, rotate_spins
from .static.steady_state import LeadCurrents
from .sweep import run_sweep
from .transport.transport import Transport

__version__: str

__all__ = [
    "Lattice", "LinearResponse", "PairDMI", "antiferromagnet", "from_kwant", "helix", "honeycomb", "random", "skyrmion",
    "square", "triangular", "vortex",
    "Chirp", "DensityDependent", "ElectricField", "ElectronZeeman", "External", "Gate", "Hubbard", "LightPulse",
    "Peierls", "TimeDependent", "VectorPotential",
    "AccuracyWarning", "ChainLead", "ConfigError", "CubicAnisotropy", "CurrentDecomposition", "DMI", "Decomposition",
    "Dipolar", "Drive", "Electrons", "EnergyTerm", "Exchange", "Frozen", "IntegrationStopped", "Lead", "LeadCurrents",
    "Magnet", "Magnons",
    "OpenSystem",
    "PairExchange", "Precession", "Prescribed", "Pulse", "QuadratureError", "Ramp", "ResponseTensors", "Result",
    "RotatingFrame", "RunConfig", "Simulation", "Sine", "SlonczewskiTorque", "SlowSimulation", "SpinTransferTorque",
    "PeriodicLead", "SuspiciousValueWarning", "Table", "TabulatedLead", "TabulatedMatrixLead", "TimeFunction",
    "TorqueComponents", "Transport", "TwoTime", "UniaxialAnisotropy",
    "WideBandLead", "Zeeman", "ZhangLiTorque",
    "analysis", "plots",
    "bloch_wall", "bond_charge_current", "bond_spin_current", "chain", "charge_density", "cone", "electron_energy",
    "ensemble", "field_like_damping_like", "langevin_ensemble", "load", "magnons", "neel_wall", "relax", "rotate_spins",
    "run_sweep",
    "simulate", "spin_density", "spin_motive_force_current", "torque", "uniform", "with_pole_leads",
]  # fmt: skip
