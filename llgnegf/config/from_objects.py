"""The way back: problem objects as the tables of an input file.

Inverse of `build`; what has no words in a file (an own function, an own spectrum) is refused by name.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import scipy.sparse as sp

from llgnegf.config.messages import ConfigError, shown
from llgnegf.config.own_terms import own_table
from llgnegf.problem.drives import KINDS
from llgnegf.problem.electrons import Electrons
from llgnegf.problem.leads import ChainLead, Lead, TabulatedLead, WideBandLead
from llgnegf.problem.magnetism.energies import (
    DMI,
    CubicAnisotropy,
    Dipolar,
    Exchange,
    PairExchange,
    UniaxialAnisotropy,
    Zeeman,
)
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession
from llgnegf.problem.magnetism.torques import SlonczewskiTorque, ZhangLiTorque
from llgnegf.problem.spectra import ChainSpectrum, TabulatedSpectrum, WideBandSpectrum
from llgnegf.problem.system import OpenSystem

LEADS = {ChainLead: "chain", WideBandLead: "wide_band", TabulatedLead: "tabulated"}
SPECTRA = {ChainSpectrum: "chain", WideBandSpectrum: "wide_band", TabulatedSpectrum: "tabulated"}
TERMS = {
    Exchange: "exchange", UniaxialAnisotropy: "uniaxial_anisotropy", CubicAnisotropy: "cubic_anisotropy",
    Dipolar: "dipolar", SlonczewskiTorque: "slonczewski", ZhangLiTorque: "zhang_li",
}  # fmt: skip


def tables_of(system: OpenSystem | None, motion: Frozen | Precession | Magnet) -> dict[str, Any]:
    """The tables electrons, lead, system, texture, motion or magnet, energy, torque; raises ConfigError."""
    tables: dict[str, Any] = {}
    if system is not None:
        tables["electrons"] = electrons_table(system.electrons)
        tables["lead"] = [_lead(f"lead.{k}", lead) for k, lead in enumerate(system.leads)]
        tables["system"] = {"fermi_energy": float(system.fermi_energy), "kT": float(system.kT)}
    if type(motion) not in (Magnet, Frozen, Precession):  # a subclass may be anything
        raise ConfigError([f"motion: {shown(motion)}; allowed in a file: Frozen, Precession or Magnet"])
    if isinstance(motion, Magnet):
        return tables | _magnet(motion)
    tables["texture"] = {"kind": "list", "moments": _plain(motion.texture)}
    if isinstance(motion, Frozen):
        return tables | {"motion": {"kind": "frozen"}}
    given = {"energy": float(motion.energy), "axis": motion.axis.tolist(), "ramp": float(motion.ramp)}
    return tables | {"motion": {"kind": "precession", **given}}


def electrons_table(electrons: Electrons) -> dict[str, Any]:
    """H_0 entry by entry (on and above the diagonal) and the sd couplings."""
    entries = hermitian_entries(electrons.hamiltonian)
    return {"kind": "matrix", "n_sites": electrons.n_sites, "entries": entries, "j_sd": _plain(electrons.j_sd)}


def hermitian_entries(matrix: Any) -> list[list[Any]]:
    """[row, column, real part, imaginary part] of what is not zero on and above the diagonal."""
    upper = sp.coo_array(sp.triu(sp.csr_array(matrix, dtype=complex)))
    return [
        [int(i), int(j), float(x.real), float(x.imag) if i != j else 0.0]
        for i, j, x in zip(upper.row, upper.col, upper.data, strict=True)
    ]


def _lead(path: str, lead: Any) -> dict[str, Any]:
    table: dict[str, Any] = {"voltage": _driven(f"{path}.voltage", lead.voltage)}
    if lead.chemical_potential is not None:
        table["chemical_potential"] = float(lead.chemical_potential)
    if type(lead) is Lead:
        channels = [_channel(f"{path}.channel.{k}", *pair) for k, pair in enumerate(lead.channels)]
        return {"kind": "channels", "channel": channels, **table}
    if type(lead) not in LEADS:
        raise ConfigError([f"{path}: {shown(lead)}; allowed in a file: Lead, {', '.join(k.__name__ for k in LEADS)}"])
    own = [f.name for f in fields(lead) if f.name not in ("voltage", "chemical_potential")]
    return {"kind": LEADS[type(lead)], **{name: _plain(getattr(lead, name)) for name in own}, **table}


def _channel(path: str, vector: np.ndarray, spectrum: Any) -> dict[str, Any]:
    kind = SPECTRA.get(type(spectrum))
    if kind is None:
        raise ConfigError([f"{path}.spectrum: {shown(spectrum)}; allowed in a file: {', '.join(SPECTRA.values())}"])
    given = {f.name: _plain(getattr(spectrum, f.name)) for f in fields(spectrum)}
    return {
        "vector": _plain(vector.real), "vector_imaginary": _plain(vector.imag), "spectrum": {"kind": kind, **given},
    }  # fmt: skip


def _magnet(magnet: Magnet) -> dict[str, Any]:
    if magnet.prescribed is not None:
        raise ConfigError(["magnet.prescribed: a function of time; allowed in a file: pinned moments"])
    return {
        "texture": {"kind": "list", "moments": _plain(magnet.moments)},
        "magnet": {
            "magnetic_moment": _plain(magnet.magnetic_moment),
            "damping": _plain(magnet.damping),
            "pinned": list(magnet.pinned),
        },
        "energy": [_term(f"energy.{k}", term) for k, term in enumerate(magnet.energies)],
        "torque": [_term(f"torque.{k}", term) for k, term in enumerate(magnet.torques)],
    }


def _term(path: str, term: Any) -> dict[str, Any]:
    if type(term) is Zeeman:
        if term.rate is not None and getattr(term.rate, "__self__", None) != term.B:
            raise ConfigError([f"{path}.rate: {shown(term.rate)}; allowed in a file: left out, or that of B"])
        return {"kind": "zeeman", "B": _driven(f"{path}.B", term.B)}
    if type(term) is DMI:  # its D is the vector already, whatever it was made from
        return {"kind": "dmi", "D": _plain(term.D)}
    if type(term) is PairExchange:
        return {"kind": "pair_exchange", "pairs": _pairs(term.pairs)}
    kind = TERMS.get(type(term))
    if kind is None:
        own = own_table(term)
        if own is None:
            allowed = "the terms of llgnegf, or a class that can be imported, with numbers, texts, lists and functions "
            allowed += "of llgnegf.problem.drives as attributes that are named as the arguments of its constructor"
            raise ConfigError([f"{path}: {shown(term)}; allowed in a file: {allowed}"])
        return own
    table: dict[str, Any] = {"kind": kind}
    for name in (f.name for f in fields(term)):
        value = getattr(term, name)
        if name in ("axis", "direction", "polarization"):
            table[name] = value.tolist()
        elif value is not None:
            table[name] = _driven(f"{path}.{name}", value)
    return table


def _pairs(pairs: Any) -> list[list[Any]]:
    if not isinstance(pairs, np.ndarray):
        return [[i, j, float(strength)] for i, j, strength in pairs]
    first, second = np.nonzero(np.triu(pairs, 1))
    return [[int(i), int(j), float(pairs[i, j])] for i, j in zip(first, second, strict=True)]


def _driven(path: str, value: Any) -> Any:
    if type(value) in KINDS.values():
        return _drive(value)
    if callable(value):
        allowed = "a constant, or Ramp, Sine, Pulse or Table of llgnegf.problem.drives"
        raise ConfigError([f"{path}: {shown(value)}; allowed in a file: {allowed}"])
    return _plain(value)


def _drive(drive: Any) -> dict[str, Any]:
    table = {"kind": drive.kind, **{f.name: _plain(getattr(drive, f.name)) for f in fields(drive)}}
    if "offset" in table:  # in a file it has the shape of the amplitude
        table["offset"] = np.broadcast_to(drive.offset, np.shape(drive.amplitude)).tolist()
    return table


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, numbers of NumPy as Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value
