"""The kinds of tables there are: a new lead, texture, term or motion is one line here.

What keys they have, their units and what they may be is declared by the classes and functions themselves.
"""

from __future__ import annotations

from llgnegf.config.fields import SECTIONS, Section
from llgnegf.config.matrices import channel, matrix, time_dependent
from llgnegf.problem.device_terms import ElectricField, ElectronZeeman, Gate, Peierls, VectorPotential
from llgnegf.problem.electrons import chain
from llgnegf.problem.leads import ChainLead, Lead, TabulatedLead, WideBandLead
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession
from llgnegf.problem.magnetism.onsite import CubicAnisotropy, UniaxialAnisotropy, Zeeman
from llgnegf.problem.magnetism.pairs import DMI, Dipolar, Exchange, PairExchange
from llgnegf.problem.magnetism.terms import EnergyTerm
from llgnegf.problem.magnetism.torques import SlonczewskiTorque, SpinTransferTorque, ZhangLiTorque
from llgnegf.problem.mean_fields import Hubbard
from llgnegf.problem.spectra import ChainSpectrum, TabulatedSpectrum, WideBandSpectrum
from llgnegf.problem.system import OpenSystem
from llgnegf.problem.textures import bloch_wall, cone, listed, neel_wall, uniform

TERMS = (Exchange, PairExchange, UniaxialAnisotropy, CubicAnisotropy, DMI, Dipolar, Zeeman)
TORQUES = (SlonczewskiTorque, ZhangLiTorque)

SECTIONS |= {
    "electrons": Section({"chain": chain, "matrix": matrix}, default="chain"),
    "term": Section(
        {
            "time_dependent": time_dependent, "gate": Gate, "electric_field": ElectricField,
            "electron_zeeman": ElectronZeeman, "peierls": Peierls, "vector_potential": VectorPotential,
            "hubbard": Hubbard,
        }
    ),
    "spectrum": Section({"chain": ChainSpectrum, "wide_band": WideBandSpectrum, "tabulated": TabulatedSpectrum}),
    "channel": Section({"": channel}),
    "lead": Section({"chain": ChainLead, "wide_band": WideBandLead, "tabulated": TabulatedLead, "channels": Lead}),
    "system": Section({"": OpenSystem}),
    "texture": Section(
        {"bloch_wall": bloch_wall, "neel_wall": neel_wall, "uniform": uniform, "cone": cone, "list": listed}
    ),
    "motion": Section({"frozen": Frozen, "precession": Precession}),
    "magnet": Section({"": Magnet}),
    "energy": Section({term.name: term for term in TERMS}, own=EnergyTerm),
    "torque": Section({torque.name: torque for torque in TORQUES}, own=SpinTransferTorque),
}
