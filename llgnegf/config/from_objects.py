"""The way back: problem objects as the tables of an input file.

Inverse of `build`, from the same declarations; what has no words in a file (an own function, an own spectrum) is
refused by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np

from llgnegf._checks import Mistake, Path, shown
from llgnegf.config.matrices import elements, hermitian_entries
from llgnegf.config.messages import ConfigError
from llgnegf.config.own_terms import argument_names, imported
from llgnegf.config.sections import SECTIONS
from llgnegf.problem.arguments import declared
from llgnegf.problem.carriers import KINDS
from llgnegf.problem.device_terms import TimeDependent
from llgnegf.problem.drives import Drive
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession
from llgnegf.problem.magnetism.pairs import PAIRS
from llgnegf.problem.periodic_leads import PeriodicLead
from llgnegf.problem.system import OpenSystem

DRIVES = ", ".join(cls.__name__ for cls in KINDS.values())
OWN_TERMS = (
    "the terms of llgnegf, or a class that can be imported, with numbers, texts, lists and functions of "
    "llgnegf.problem.drives as attributes that are named as the arguments of its constructor"
)


def tables_of(system: OpenSystem | None, motion: Frozen | Precession | Magnet) -> dict[str, Any]:
    """The tables electrons, lead, system, texture, motion or magnet, energy, torque; raises ConfigError."""
    tables: dict[str, Any] = {}
    if system is not None:
        electrons = system.electrons
        tables["electrons"] = {
            "kind": "matrix", "n_sites": electrons.n_sites, "entries": hermitian_entries(electrons.hamiltonian),
            "j_sd": _written(("electrons", "j_sd"), electrons.j_drive or electrons.j_sd),
        }  # fmt: skip
        if electrons.positions is not None:
            tables["electrons"]["positions"] = electrons.positions.tolist()
        tables["term"] = [_term(("term", k), term, electrons.n_sites) for k, term in enumerate(electrons.terms)]
        tables["lead"] = [_lead(("lead", k), lead, electrons.n_sites) for k, lead in enumerate(system.leads)]
        tables["system"] = _table("system", ("system",), system)
    if isinstance(motion, Magnet) and type(motion) is Magnet:
        texture = motion.moments
        tables["magnet"] = _table("magnet", ("magnet",), motion)
        tables["energy"] = [_table("energy", ("energy", k), term) for k, term in enumerate(motion.energies)]
        tables["torque"] = [_table("torque", ("torque", k), term) for k, term in enumerate(motion.torques)]
    elif type(motion) in (Frozen, Precession):  # a subclass may be anything
        texture = motion.texture  # type: ignore[union-attr]
        tables["motion"] = _table("motion", ("motion",), motion)
    else:
        raise _no_words(("motion",), motion, "Frozen, Precession or Magnet")
    return tables | {"texture": {"kind": "list", "moments": texture.tolist()}}


def _term(path: Path, term: Any, n_sites: int) -> dict[str, Any]:
    """The table of a term of the device."""
    if type(term) is not TimeDependent:
        return _table("term", path, term)
    (matrix,) = term.matrices(n_sites, None)
    drive = _written((*path, "drive"), term.drive)
    return {"kind": "time_dependent", "entries": hermitian_entries(matrix), "drive": drive}


def _lead(path: Path, lead: Any, n_sites: int) -> dict[str, Any]:
    """The table of a lead; a ribbon of a lattice is written by its blocks."""
    if type(lead) is not PeriodicLead:
        return _table("lead", path, lead)
    spins = np.eye(2 if len(lead.coupling) == n_sites else 1)  # both alike, where they are not said
    blocks = {name: np.kron(getattr(lead, name), spins) for name in ("cell", "hopping", "coupling")}
    reservoir = {name: getattr(lead, name) for name in ("voltage", "chemical_potential", "kT")}
    said = {name: _written((*path, name), value) for name, value in reservoir.items() if value is not None}
    orbitals = {"orbitals": len(blocks["cell"])}
    return {"kind": "periodic"} | orbitals | {name: elements(block) for name, block in blocks.items()} | said


def _table(section: str, path: Path, made: Any) -> dict[str, Any]:
    """The table of `section` that makes the object again."""
    known = SECTIONS[section]
    kind = known.kind_of(made)
    if kind is None and known.own:
        return _own_table(path, made)
    if kind is None:
        raise _no_words(path, made, ", ".join(make.__name__ for make in known.makes.values()))
    return ({"kind": kind} if kind else {}) | _arguments(path, made)


def _arguments(path: Path, made: Any) -> dict[str, Any]:
    """The declared arguments of an object; what a file has no key for must say nothing that they do not."""
    known, table = {one.name: one for one in declared(type(made))}, {}
    said = [value for name in known if isinstance(value := getattr(made, name), Drive)]
    for name in inspect.signature(type(made)).parameters:
        value = getattr(made, name)
        if name in known and value is not None and known[name].argument.kept:
            table[known[name].key] = _value(known[name].argument, (*path, known[name].key), value)
        elif name not in known and callable(value) and getattr(value, "__self__", None) not in said:
            raise _no_words((*path, name), value, f"left out, or what {', '.join(known)} say")
    return table


def _value(argument: Any, path: Path, value: Any) -> Any:
    if argument.tables == "one":
        return _table(argument.form, path, value)
    if argument.tables == "many":
        return [_channel((*path, k), *pair) for k, pair in enumerate(value)]
    if argument is PAIRS and isinstance(value, np.ndarray):  # a matrix of all pairs
        first, second = np.nonzero(np.triu(value, 1))
        return [[int(i), int(j), float(value[i, j])] for i, j in zip(first, second, strict=True)]
    return _written(path, value)


def _channel(path: Path, vector: np.ndarray, spectrum: Any) -> dict[str, Any]:
    table = _table("spectrum", (*path, "spectrum"), spectrum)
    return {"vector": vector.real.tolist(), "vector_imaginary": vector.imag.tolist(), "spectrum": table}


def _own_table(path: Path, term: Any) -> dict[str, Any]:
    """The table of an object of a class of the user that can be imported."""
    cls = type(term)
    kind = f"{cls.__module__}:{cls.__qualname__}"
    try:
        if imported(kind, cls) is cls:
            return {"kind": kind, **{name: _written(path, getattr(term, name)) for name in argument_names(cls)}}
    except (AttributeError, ValueError):
        pass
    raise _no_words(path, term, OWN_TERMS)


def _written(path: Path, value: Any) -> Any:
    """A value as TOML has it; ConfigError for what it has not."""
    if type(value) in KINDS.values():
        return {"kind": value.kind} | _arguments(path, value)
    if callable(value):
        raise _no_words(path, value, f"a constant, or {DRIVES} of llgnegf.problem.drives")
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Iterable):
        return [_written(path, v) for v in value]
    raise _no_words(path, value, "numbers, texts, lists and functions of llgnegf.problem.drives")


def _no_words(path: Path, value: Any, allowed: str) -> ConfigError:
    return ConfigError([Mistake(path, f"{shown(value)}; allowed in a file: {allowed}", "")])
