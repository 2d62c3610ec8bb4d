"""All energy terms of classical moments under one name, with their sum.

Single-moment terms are written in `onsite.py`, pair terms in `pairs.py`, what they share in `terms.py`.
"""

from llgnegf.problem.magnetism.onsite import CubicAnisotropy, UniaxialAnisotropy, Zeeman
from llgnegf.problem.magnetism.pairs import DMI, Dipolar, Exchange, PairDMI, PairExchange
from llgnegf.problem.magnetism.terms import ClassicalEnergy, EnergySum, EnergyTerm

__all__ = [
    "DMI",
    "ClassicalEnergy",
    "CubicAnisotropy",
    "Dipolar",
    "EnergySum",
    "EnergyTerm",
    "Exchange",
    "PairDMI",
    "PairExchange",
    "UniaxialAnisotropy",
    "Zeeman",
]
