"""From a document to the problem objects, whose own checks become mistakes with the places of the file.

Also says which tables go together; whatever does not is refused by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from llgnegf._checks import Mistake, Path, Problems, mistakes_of, shown
from llgnegf.config.fields import Table, plain
from llgnegf.config.matrices import hermitian
from llgnegf.config.messages import dotted, in_file
from llgnegf.config.own_terms import own_term
from llgnegf.config.schema import NEVER, Document
from llgnegf.config.sections import SECTIONS
from llgnegf.problem.arguments import declared
from llgnegf.problem.electrons import Electrons, chain
from llgnegf.problem.lattices.lattice import Lattice
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession
from llgnegf.problem.magnetism.pairs import DMI, Dipolar, Exchange
from llgnegf.problem.magnetism.torques import ZhangLiTorque
from llgnegf.problem.plausibility import doubts_of_run, silent
from llgnegf.problem.system import OpenSystem
from llgnegf.problem.textures import uniform
from llgnegf.run.demands import check_memory
from llgnegf.run.options import RunOptions

T = TypeVar("T")

SYSTEM = {"lattice", "electrons", "term", "lead", "system"}
MOMENTS = {"lattice", "texture", "motion", "magnet", "energy", "torque"}
"""Tables that make the system, and the moments."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What `llgnegf.simulate` takes.

    Attributes:
        system: Electrons and leads; None for moments alone.
        motion: `Frozen`, `Precession` or `Magnet`.
        options: Keyword arguments of `llgnegf.simulate`.
    """

    system: OpenSystem | None
    motion: Frozen | Precession | Magnet
    options: Mapping[str, Any]


@dataclass
class Builder:
    """Builds the objects of a document and notes each mistake.

    Args:
        document: What was read.
        lost: Tables that were not understood in full: nothing is concluded from what they lack.
        origin: Numbers in the file of the entries of arrays of tables.
    """

    document: Document
    lost: frozenset[str] = frozenset()
    origin: Mapping[str, list[int]] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def problem(self) -> Problem | None:
        """The objects, or None with `mistakes` filled; `doubts` are about values that are allowed but make no sense."""
        with silent():  # about objects, without their place in the file
            problem = self._problem()
        if problem is not None:
            found = doubts_of_run(problem.system, problem.motion, problem.options)
            self.doubts = [doubt.line(lambda path: dotted(in_file(path, self.hamiltonian))) for doubt in found]
        return problem

    @property
    def hamiltonian(self) -> str:
        """The key of [electrons] that holds H_0."""
        return "entries" if "entries" in getattr(self.document.electrons, "given", ()) else "hopping"

    @cached_property
    def lattice(self) -> Lattice | None:
        """The sites of electrons and moments in space; None for a chain."""
        table = self.document.lattice
        return None if table is None else self.made(("lattice",), table)

    def _problem(self) -> Problem | None:
        self._check_tables()
        electrons = self._electrons()
        system = self._system(electrons)
        motion = self._motion()
        options = self._options(system, motion)
        if self.mistakes or self.lost or motion is None:
            return None
        return Problem(system, motion, options)

    def attempt(self, path: Path, build: Callable[[], T], keys: Mapping[Any, str] | None = None) -> T | None:
        """What `build` returns; None if it raises ValueError, whose mistakes are noted below `path`.

        `keys` are those of the file for arguments of another name.
        """
        try:
            return build()
        except ValueError as error:
            for one in mistakes_of(error):
                steps = [keys.get(step, step) if keys else step for step in one.path[1:2]]
                self.mistakes.append(replace(one, path=(*path, *steps, *one.path[2:])))
            return None

    def refuse(self, path: Path, value: str, allowed: str) -> None:
        """Note that `path` has `value`, which is not what is `allowed`."""
        self.mistakes.append(Mistake(path, value, allowed))

    def made(self, path: Path, table: Table, **context: Any) -> Any:
        """The object of a table, with `context` as further arguments; None after a mistake."""
        if table.make is None:
            base = SECTIONS[str(path[0])].own
            assert base is not None
            return self.attempt(path, lambda: own_term(table, base))
        make, before = table.make, len(self.mistakes)
        given, keys = dict(context), {}
        for name in {"self", "lattice"} & set(inspect.signature(make).parameters):  # what a lattice makes
            given[name] = self.lattice
            if self.lattice is None:
                if not self._has("lattice"):
                    self.refuse((*path, "kind"), f"{table.kind!r} without [lattice]", "a table [lattice] beside it")
                return None
        for one in declared(make):
            keys[one.name], value = one.key, table.given[one.key]
            if value is not None and one.name not in context:
                given[one.name] = self._argument((*path, one.key), value)
        complete = {name: value for name, value in given.items() if value is not None}
        if any(one.default is ... and one.name not in complete for one in declared(make)):
            return None
        found = self.attempt(path, lambda: make(**complete), keys)
        return found if len(self.mistakes) == before else None

    def _argument(self, path: Path, value: Any) -> Any:
        """A value of the file as an argument: tables as what they make."""
        if isinstance(value, Table):
            return self.made(path, value)
        if isinstance(value, tuple) and value and isinstance(value[0], Table):
            parts = [self.made((*path, k), part) for k, part in enumerate(value)]
            return None if any(part is None for part in parts) else parts
        return plain(value)

    def _has(self, name: str) -> bool:
        """Whether the file has this table, understood or not."""
        return name in self.lost or bool(getattr(self.document, name))

    def _check_tables(self) -> None:
        """Tables and keys that need one another, or exclude one another."""
        run = self.document.run
        if self.lattice is not None:
            self._check_lattice(self.lattice.n_sites)
        either = "one of [motion] (prescribed) and [magnet] (LLG)"
        if self._has("motion") and self._has("magnet"):
            self.refuse(("motion",), "given beside [magnet]", either)
        if not self._has("motion") and not self._has("magnet"):
            self.refuse(("motion",), "missing, and no [magnet]", either)
        for name in ("energy", "torque"):
            if self._has(name) and not self._has("magnet"):
                self.refuse((name,), "given without [magnet]", f"[[{name}]] beside [magnet]")
        if self._has("electrons"):
            if run.electrons == "adiabatic" and self._has("motion") and not self._has("magnet"):
                self.refuse(("motion",), "given with run.electrons = 'adiabatic'", "[magnet], whose moments answer")
            return
        for name in ("term", "lead", "system"):
            if self._has(name):
                self.refuse((name,), "given without [electrons]", f"'{name}' beside [electrons]")
        if self._has("motion") and not self._has("magnet"):
            self.refuse(("motion",), "given without [electrons]", "[magnet] for moments without electrons")
        for name in ("start", "electrons"):
            if getattr(run, name):
                self.refuse(("run", name), f"{shown(getattr(run, name))} without [electrons]", "left out")

    def _check_lattice(self, count: int) -> None:
        """Electrons and moments have as many sites as the lattice."""
        electrons = self.document.electrons
        if electrons is not None and electrons.kind == "chain":
            self.refuse(("electrons", "kind"), "'chain' beside [lattice]", "'lattice', or 'matrix'")
        elif self.n_electron_sites not in (None, count):
            self.refuse(("electrons", "n_sites"), str(self.n_electron_sites), f"{count}, the sites of [lattice]")
        if self.sites is not None and len(self.sites) != count:
            table = "motion" if self.document.magnet is None else "magnet"
            self.refuse((table, "sites"), f"{len(self.sites)} moments", f"{count}, one for each site of [lattice]")

    def _electrons(self) -> Electrons | None:
        table, count = self.document.electrons, self.n_electron_sites
        own = hasattr(table, "n_sites")
        problems = Problems("electrons" if own else "lattice")
        fits = table is not None and count is not None and check_memory(problems, count, "n_sites" if own else "n_x")
        self.mistakes += problems.mistakes
        if not fits:
            return None if table is None or own else self.made(("electrons",), table)
        plain_device = self.made(("electrons",), table)
        terms = [] if plain_device is None else self._device_terms(plain_device)
        return self.made(("electrons",), table, terms=terms) if terms else plain_device

    def _device_terms(self, electrons: Electrons) -> list[Any]:
        """What the Hamiltonian has on top of H_0, usable on this device."""
        terms = []
        for path, table in self._numbered("term"):
            term = self.made(path, table, **_count_for(table, electrons.n_sites))
            if term is not None:
                fits = self.attempt(path, lambda term=term: term.check(electrons.n_sites, electrons.positions) or True)  # type: ignore[misc]
                terms += [term] if fits else []
        return terms

    @property
    def sites(self) -> tuple[Any, ...] | None:
        """The electron sites of the moments, where they are a layer of their own."""
        placed = self.document.magnet or self.document.motion
        return getattr(placed, "sites", None)

    @property
    def n_electron_sites(self) -> int | None:
        """Number of sites of the electrons; None if it is not known, or there are none."""
        known = self.document.electrons
        if known is None or hasattr(known, "n_sites"):
            return getattr(known, "n_sites", None)
        return None if self.lattice is None else self.lattice.n_sites

    @property
    def n_sites(self) -> int | None:
        """Number of moments; None if it is not known."""
        texture = self.document.texture
        if self.sites is not None:
            return len(self.sites)
        if self.document.electrons is not None:
            return self.n_electron_sites
        if self.lattice is not None:
            return self.lattice.n_sites
        return getattr(texture, "n_sites", None) or len(getattr(texture, "moments", ())) or None

    def _numbered(self, name: str) -> Iterator[tuple[Path, Any]]:
        """Place in the file and table of each entry of an array of tables."""
        entries = getattr(self.document, name)
        for k, entry in zip(self.origin.get(name) or range(len(entries)), entries, strict=True):
            yield (name, k), entry

    def _system(self, electrons: Electrons | None) -> OpenSystem | None:
        count = self.n_electron_sites
        leads = [self.made(path, table, **_count_for(table, count)) for path, table in self._numbered("lead")]
        for k, (path, _) in enumerate(self._numbered("lead")):
            keys = {"channels": "channel"}
            if leads[k] is not None and count is not None:
                leads[k] = leads[k] if self.attempt(path, lambda k=k: leads[k].attach(count), keys) else None  # type: ignore[misc]
        complete = electrons is not None and not any(lead is None for lead in leads)
        parts = {"electrons": electrons, "leads": leads} if complete else {"electrons": chain(1), "leads": []}
        table = self.document.system or Table(OpenSystem, "", {"fermi_energy": 0.0, "kT": 0.0})
        system = self.made(("system",), table, **parts)  # the levels are checked all the same
        return system if complete else None

    def _texture(self) -> np.ndarray | None:
        table, known, count = self.document.texture, self.document.electrons or self.lattice, self.n_sites
        own = getattr(table, "n_sites", None)
        if (known is not None or self.sites is not None) and own not in (None, count):
            place = "electrons.n_sites" if self.lattice is None else "[lattice]"
            place = place if self.sites is None else "the list of sites"
            self.refuse(("texture", "n_sites"), str(own), f"{count} as in {place}, or left out")
            return None
        if count is None and hasattr(table, "n_sites"):
            if not self.lost & {"electrons", "texture", "lattice"} and not self._has("lattice"):
                allowed = "an integer >= 1: there are no [electrons] to take it from"
                self.refuse(("texture", "n_sites"), "missing", allowed)
            return None
        places = self.lattice if self.lattice is not None and hasattr(table, "n_sites") else count
        takes = table.make is not None and "n_sites" in inspect.signature(table.make).parameters
        return self.made(("texture",), table, **({"n_sites": places} if takes else {}))

    def _motion(self) -> Any:
        texture, document = self._texture(), self.document
        stand_in = texture if texture is not None else uniform(self.n_sites or 1)
        motion = None if document.motion is None else self.made(("motion",), document.motion, texture=stand_in)
        energies, torques = self._terms("energy"), self._terms("torque")
        magnet = document.magnet
        if magnet is not None and not (self.n_sites is None and "magnet" not in self.lost and _per_site(magnet)):
            made = self.made(("magnet",), magnet, moments=stand_in, energies=energies, torques=torques)
            motion = motion or made
        if motion is None or texture is None or not self._fits(motion):
            return None
        return motion

    def _fits(self, motion: Any) -> bool:
        """Whether the electrons have the sites that the moments are on."""
        electrons, problems = self.document.electrons, Problems("motion" if self.document.magnet is None else "magnet")
        if motion.sites is None or electrons is None or self.n_electron_sites is None:
            return True
        motion.note_sites(problems, "", self.n_electron_sites)
        self.mistakes += problems.mistakes
        return not problems.mistakes

    def _terms(self, name: str) -> list[Any]:
        """Energy terms, or torques, that are usable on this chain."""
        terms = []
        for path, table in self._numbered(name):
            term = self.made(path, table)
            problems = Problems(name)
            problems.take([] if term is None or not self.n_sites else term.problems(self.n_sites))
            if self.lattice is not None and _of_a_chain(term):
                allowed = f"'lattice_{term.name}', or all of it said pair by pair"
                self.refuse((*path, "kind"), f"{table.kind!r}, that of a chain, beside [lattice]", allowed)
            self.mistakes += [mistake.below(*path) for mistake in problems.mistakes]
            if term is not None and not problems.mistakes:
                terms.append(term)
        return terms

    def _density_matrix(self) -> np.ndarray | None:
        name, count = "initial_density_matrix", self.n_electron_sites or self.n_sites
        entries = getattr(self.document.run, name)
        if entries is None or count is None or not check_memory(Problems("run"), count):
            return None
        matrix = self.attempt(("run",), lambda: hermitian(count, entries, name))
        return None if matrix is None else matrix.toarray()

    def _options(self, system: OpenSystem | None, motion: Any) -> dict[str, Any]:
        """Keyword arguments of the run, checked as `simulate` does with what is known of system and moments."""
        run, electrons = self.document.run, self._has("electrons")
        given = {one.name: plain(run.given[one.key]) for one in declared(RunOptions)}
        given["initial_density_matrix"] = self._density_matrix()
        given = {name: value for name, value in given.items() if value is not None}
        end = np.nan if run.t_end == NEVER else run.t_end
        options = RunOptions.unchecked(**{**given, "t_end": end})
        if options.is_slow(electrons) and not isinstance(motion, Magnet):
            motion = None
        if self.mistakes or self.lost & MOMENTS:
            motion = None
        known = None if self.lost & SYSTEM else system
        problems = Problems("simulate")
        options.note(problems, known, motion, None if "run" in self.lost else electrons)
        self._note(problems.mistakes)
        return {name: value for name, value in options.by_name().items() if name != "copies"}

    def _note(self, found: Iterable[Mistake]) -> None:
        """Note mistakes with places in Python, where nothing is noted yet."""
        taken = {one.path for one in self.mistakes}
        for one in found:
            path = in_file(one.path, self.hamiltonian)
            if path not in taken:
                self.mistakes.append(replace(one, path=path, beside=in_file(one.beside, self.hamiltonian)))


def _per_site(table: Any) -> bool:
    """Whether a table has something that can be judged only with the number of sites."""
    return any(isinstance(value, tuple) for value in table.given.values())


def _count_for(table: Table, count: int | None) -> dict[str, Any]:
    """The number of the electrons' sites, for what is made with it."""
    return {"n_sites": count} if any(one.name == "n_sites" for one in declared(table.make)) else {}


def _of_a_chain(term: Any) -> bool:
    """Whether an energy or a torque is about neighbours in the order of the sites."""
    if isinstance(term, Dipolar):
        return term.positions is None
    return isinstance(term, Exchange | DMI) or (isinstance(term, ZhangLiTorque) and term.derivative is None)
