"""The kinds of tables there are: a new lead, texture, term or motion is one line here.

What keys they have, their units and what they may be is declared by the classes and functions themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from llgnegf.config.fields import Section
from llgnegf.config.matrices import channel, matrix, periodic, time_dependent
from llgnegf.problem.arguments import Argument, choice
from llgnegf.problem.device_fields import ElectricField, ElectronZeeman, VectorPotential
from llgnegf.problem.device_terms import Gate, Peierls
from llgnegf.problem.electrons import chain
from llgnegf.problem.lattices.crystals import honeycomb, square, triangular
from llgnegf.problem.lattices.lattice import Lattice
from llgnegf.problem.leads import ChainLead, Lead, TabulatedLead, WideBandLead
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession
from llgnegf.problem.magnetism.onsite import CubicAnisotropy, UniaxialAnisotropy, Zeeman
from llgnegf.problem.magnetism.pairs import DMI, Dipolar, Exchange, PairDMI, PairExchange
from llgnegf.problem.magnetism.terms import EnergyTerm
from llgnegf.problem.magnetism.torques import SlonczewskiTorque, SpinTransferTorque, ZhangLiTorque
from llgnegf.problem.mean_fields import Hubbard
from llgnegf.problem.spectra import ChainSpectrum, TabulatedSpectrum, WideBandSpectrum
from llgnegf.problem.swirls import skyrmion, vortex
from llgnegf.problem.system import OpenSystem
from llgnegf.problem.textures import (
    antiferromagnet,
    bloch_wall,
    cone,
    helix,
    listed,
    neel_wall,
    random,
    uniform,
)
from llgnegf.run.options import RunOptions

TERMS = (Exchange, PairExchange, UniaxialAnisotropy, CubicAnisotropy, DMI, PairDMI, Dipolar, Zeeman)
TORQUES = (SlonczewskiTorque, ZhangLiTorque)
OF_LATTICES: dict[str, Callable[..., Any]] = {
    "lattice_exchange": Lattice.exchange, "lattice_dmi": Lattice.dmi, "lattice_dipolar": Lattice.dipolar
}  # fmt: skip
"""Methods of the lattice in [lattice]: what they make has words of its own, without the lattice."""

SECONDS = Argument(float, "a finite number > 0", "s of the clock on the wall", ok=lambda t: t > 0)
WORKERS = Argument(int, "an integer >= 1", none="one for each core", ok=lambda n: n >= 1)
REALISATIONS = Argument(int, "an integer >= 2", none="one run of each point", ok=lambda n: n >= 2)
PARAMETERS = Argument(
    dict[str, tuple[Any, ...]],
    'dotted paths such as "electrons.j_sd" or "lead.*.coupling", each with a list of values',
    none="realisations alone", ok=lambda given: bool(given) and all(given.values()),
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class FileOptions(RunOptions):
    """[run]: what `llgnegf.simulate` is asked for, and how a run folder is kept.

    Args:
        checkpoint_every: Time between commits of rows to the run folder.
    """

    checkpoint_every: Annotated[float, SECONDS] = 5.0


def sweep(
    parameters: Annotated[Any, PARAMETERS] = None, mode: Annotated[str, choice("grid", "list")] = "grid",
    realisations: Annotated[int | None, REALISATIONS] = None, workers: Annotated[int | None, WORKERS] = None,
) -> None:
    """[sweep]: the values that keys of this file take.

    Args:
        parameters: From dotted paths to lists of values; "lead.*.coupling" moves all leads together.
        mode: Every combination, or the first values together, then the second ones, and so on.
        realisations: Runs of each point with independent noise, whose seeds follow from run.seed.
        workers: Runs at a time.
    """



SECTIONS = {
    "run": Section({"": FileOptions}),
    "lattice": Section({"square": square, "honeycomb": honeycomb, "triangular": triangular}),
    "electrons": Section({"chain": chain, "matrix": matrix, "lattice": Lattice.electrons}, default="chain"),
    "term": Section(
        {
            "time_dependent": time_dependent, "gate": Gate, "electric_field": ElectricField,
            "electron_zeeman": ElectronZeeman, "peierls": Peierls, "vector_potential": VectorPotential,
            "hubbard": Hubbard,
        }
    ),
    "spectrum": Section({"chain": ChainSpectrum, "wide_band": WideBandSpectrum, "tabulated": TabulatedSpectrum}),
    "channel": Section({"": channel}),
    "lead": Section(
        {
            "chain": ChainLead, "wide_band": WideBandLead, "tabulated": TabulatedLead, "channels": Lead,
            "ribbon": Lattice.lead, "periodic": periodic,
        }
    ),
    "system": Section({"": OpenSystem}),
    "texture": Section(
        {
            "bloch_wall": bloch_wall, "neel_wall": neel_wall, "uniform": uniform, "cone": cone, "helix": helix,
            "skyrmion": skyrmion, "vortex": vortex, "antiferromagnet": antiferromagnet, "random": random,
            "list": listed,
        }
    ),
    "motion": Section({"frozen": Frozen, "precession": Precession}),
    "magnet": Section({"": Magnet}),
    "energy": Section({term.name: term for term in TERMS} | OF_LATTICES, own=EnergyTerm),
    "torque": Section(
        {torque.name: torque for torque in TORQUES} | {"lattice_zhang_li": Lattice.zhang_li}, own=SpinTransferTorque
    ),
    "sweep": Section({"": sweep}),
}
"""By their name in the file; `spectrum` and `channel` are within others."""
