"""llgnegf: Landau-Lifshitz-Gilbert dynamics coupled to time-dependent nonequilibrium Green functions."""

from llgnegf.electrons import Electrons, chain
from llgnegf.leads import ChainLead, Lead, TabulatedLead, WideBandLead
from llgnegf.system import OpenSystem
from llgnegf.textures import bloch_wall, cone, neel_wall, uniform

__version__ = "0.1.0"

__all__ = [
    "ChainLead", "Electrons", "Lead", "OpenSystem", "TabulatedLead", "WideBandLead",
    "bloch_wall", "chain", "cone", "neel_wall", "uniform",
]  # fmt: skip
