"""From a document to the problem objects, whose own checks become lines with the path of the file.

Also says which tables go together; whatever does not is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from llgnegf._checks import Problems
from llgnegf.config.drive_tables import DriveTable, built
from llgnegf.config.fields import plain
from llgnegf.config.messages import shown
from llgnegf.config.moment_tables import (
    BlochWallTable,
    ConeTable,
    FrozenTable,
    ListTable,
    NeelWallTable,
    PrecessionTable,
    UniformTable,
)
from llgnegf.config.schema import NEVER, Document
from llgnegf.config.system_tables import MatrixTable
from llgnegf.config.terms import energy_term, lead_of, matrix_of, torque_of
from llgnegf.problem.electrons import Electrons, chain
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession
from llgnegf.problem.plausibility import doubts_of_run, in_file, place_in_file, silent
from llgnegf.problem.system import OpenSystem
from llgnegf.problem.textures import bloch_wall, cone, neel_wall, uniform
from llgnegf.run.options import (
    check_accuracy,
    check_density_matrix,
    check_kind,
    check_memory,
    check_method,
    check_slow_run,
    check_start,
    check_steps,
    check_times,
    is_slow,
)

T = TypeVar("T")

DRIVEN = {"zhang_li": ("velocity",), "slonczewski": ("damping_like", "field_like")}
"""Amplitudes of torques that may be functions of time."""
OPTIONS = (
    "t_end", "save_every", "rtol", "integrator", "step", "observables", "start", "response", "temperature", "seed",
)  # fmt: skip

_LINE = re.compile(r"^\w+(?:\.(?P<field>[\w.\[\]]+))?(?:\([^)]*\))?: (?P<rest>.*)$")


@dataclass(frozen=True, eq=False)
class Problem:
    """What `llgnegf.simulate` takes.

    Attributes:
        system: Electrons and leads; None for moments alone.
        motion: `Frozen`, `Precession` or `Magnet`.
        options: Keyword arguments t_end, save_every, rtol, start, integrator, step, observables.
    """

    system: OpenSystem | None
    motion: Frozen | Precession | Magnet
    options: Mapping[str, Any]


def relocated(line: str, path: str) -> str:
    """`Owner.field: value; allowed: ...` of an object as `path.field: value; allowed: ...`."""
    match = _LINE.match(line)
    if match is None:
        return f"{path}: {line}"
    name = re.sub(r"\[(\d+)\]", r".\1", match["field"] or "")
    return f"{path}.{name}: {match['rest']}" if name else f"{path}: {match['rest']}"


@dataclass
class Builder:
    """Builds the objects of a document and notes a line for each mistake.

    Args:
        document: What was read.
        lost: Tables that were not understood in full: nothing is concluded from what they lack.
        origin: Numbers in the file of the entries of arrays of tables.
    """

    document: Document
    lost: frozenset[str] = frozenset()
    origin: Mapping[str, list[int]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def problem(self) -> Problem | None:
        """The objects, or None with `lines` filled; `doubts` are about values that are allowed but make no sense."""
        with silent():  # about objects, without their place in the file
            problem = self._problem()
        if problem is not None:
            key = "entries" if isinstance(self.document.electrons, MatrixTable) else "hopping"
            found = doubts_of_run(problem.system, problem.motion, problem.options)
            self.doubts = [in_file(doubt, key) for doubt in found]
        return problem

    def _problem(self) -> Problem | None:
        self._check_tables()
        electrons = self._electrons()
        system = self._system(electrons)
        texture = self._texture()
        motion = self._motion(texture)
        options = self._options(system)
        if is_slow(self._has("electrons"), options) and "run" not in self.lost:
            self._check_slow(system, motion, options)
        if self.lines or self.lost or motion is None:
            return None
        problems = Problems("run")
        check_steps(problems, system, motion, options)
        self.lines += [place_in_file(line) for line in problems.lines]
        return None if self.lines else Problem(system, motion, options)

    def attempt(self, path: str, build: Callable[[], T]) -> T | None:
        """What `build` returns; None if it raises ValueError, whose lines are noted with `path` in front."""
        try:
            return build()
        except ValueError as error:
            self.lines += [relocated(line, path) for line in str(error).splitlines()]
            return None

    def refuse(self, path: str, value: str, allowed: str) -> None:
        """Note that `path` has `value`, which is not what is `allowed`."""
        self.lines.append(f"{path}: {value}; allowed: {allowed}")

    def _has(self, name: str) -> bool:
        """Whether the file has this table, understood or not."""
        return name in self.lost or bool(getattr(self.document, name))

    def _check_tables(self) -> None:
        """Tables and keys that need one another, or exclude one another."""
        run = self.document.run
        if self._has("motion") and self._has("magnet"):
            self.refuse("motion", "given beside [magnet]", "one of [motion] (prescribed) and [magnet] (LLG)")
        if not self._has("motion") and not self._has("magnet"):
            self.refuse("motion", "missing, and no [magnet]", "one of [motion] (prescribed) and [magnet] (LLG)")
        for name in ("energy", "torque"):
            if self._has(name) and not self._has("magnet"):
                self.refuse(name, "given without [magnet]", f"[[{name}]] beside [magnet]")
        if not self._has("electrons"):
            for name in ("lead", "system"):
                if self._has(name):
                    self.refuse(name, "given without [electrons]", f"'{name}' beside [electrons]")
            if self._has("motion") and not self._has("magnet"):
                self.refuse("motion", "given without [electrons]", "[magnet] for moments without electrons")
            for name in ("start", "electrons"):
                if getattr(run, name):
                    self.refuse(f"run.{name}", f"{shown(getattr(run, name))} without [electrons]", "left out")
        if run.seed is not None and run.temperature == 0:
            self.refuse("run.seed", shown(run.seed), "left out: nothing in this run is random (temperature = 0)")

    def _electrons(self) -> Electrons | None:
        table = self.document.electrons
        problems = Problems("electrons")
        if table is None or not check_memory(problems, table.n_sites, "n_sites"):
            self.lines += problems.lines
            return None
        if isinstance(table, MatrixTable):
            return self.attempt(
                "electrons",
                lambda: Electrons(matrix_of(table.n_sites, table.entries, "entries"), plain(table.j_sd)),
            )
        arguments = {name: plain(getattr(table, name)) for name in ("n_sites", "hopping", "j_sd", "onsite")}
        return self.attempt("electrons", lambda: chain(**arguments))

    @property
    def n_sites(self) -> int | None:
        """Number of moments; None if it is not known."""
        document = self.document
        if document.electrons is not None:
            return document.electrons.n_sites
        if isinstance(document.texture, ListTable):
            return len(document.texture.moments) or None
        return None if document.texture is None else document.texture.n_sites

    def _driven(self, path: str, value: Any) -> Any:
        """A constant as it is, a table as the function of time; None after a mistake."""
        return self.attempt(path, value.build) if isinstance(value, DriveTable) else plain(built(value))

    def _numbered(self, name: str) -> list[tuple[str, Any]]:
        """Path in the file and table of each entry of an array of tables."""
        entries = getattr(self.document, name)
        numbers = self.origin.get(name) or list(range(len(entries)))
        return [(f"{name}.{k}", entry) for k, entry in zip(numbers, entries, strict=True)]

    def _leads(self) -> list[Any]:
        leads = []
        for path, table in self._numbered("lead"):
            voltage = self._driven(f"{path}.voltage", table.voltage)
            lead = self.attempt(path, lambda t=table, v=voltage: lead_of(t, 0.0 if v is None else v))  # type: ignore[misc]
            if lead is not None and self.document.electrons is not None:
                count = self.document.electrons.n_sites
                if self.attempt(path, lambda x=lead, n=count: x.attach(n)) is None:  # type: ignore[misc]
                    lead = None
            leads.append(lead if voltage is not None else None)
        return leads

    def _system(self, electrons: Electrons | None) -> OpenSystem | None:
        leads, table = self._leads(), self.document.system
        levels = {} if table is None else {"fermi_energy": table.fermi_energy, "kT": table.kT}
        complete = electrons is not None and not any(lead is None for lead in leads)
        if not complete:  # the levels are checked all the same
            self.attempt("system", lambda: OpenSystem(chain(1), [], **levels))
            return None
        assert electrons is not None
        return self.attempt("system", lambda: OpenSystem(electrons, leads, **levels))

    def _texture(self) -> np.ndarray | None:
        table, known = self.document.texture, self.document.electrons
        if isinstance(table, ListTable):
            problems = Problems("texture")
            moments = problems.moments("moments", plain(table.moments), None if known is None else known.n_sites)
            self.lines += problems.lines
            return moments
        count = self.n_sites
        if known is not None and table.n_sites not in (None, known.n_sites):
            self.refuse("texture.n_sites", str(table.n_sites), f"{known.n_sites} as in electrons.n_sites, or left out")
            return None
        if count is None:
            if not self.lost & {"electrons", "texture"}:
                self.refuse("texture.n_sites", "missing", "an integer >= 1: there are no [electrons] to take it from")
            return None
        return self.attempt("texture", lambda: _texture(table, count))

    def _motion(self, texture: np.ndarray | None) -> Any:
        document = self.document
        stand_in = texture if texture is not None else uniform(self.n_sites or 1)
        motion: Any = None
        if isinstance(document.motion, PrecessionTable):
            given = document.motion
            motion = self.attempt(
                "motion", lambda: Precession(stand_in, given.energy, axis=plain(given.axis), ramp=given.ramp)
            )
        elif isinstance(document.motion, FrozenTable):
            motion = Frozen(stand_in)
        terms = self._terms()
        if document.magnet is not None:
            magnet = self._magnet(stand_in, *terms)
            motion = motion or magnet
        return motion if texture is not None else None

    def _terms(self) -> tuple[list[Any], list[Any]]:
        """Energy terms and torques that are usable on this chain."""
        energies, torques = [], []
        for path, table in self._numbered("energy"):
            value = self._driven(f"{path}.B", table.B) if table.kind == "zeeman" else None
            if table.kind == "zeeman" and value is None:
                continue
            term = self.attempt(path, lambda t=table, v=value: energy_term(t, v))  # type: ignore[misc]
            if self._usable(path, term):
                energies.append(term)
        for path, table in self._numbered("torque"):
            driven = DRIVEN.get(table.kind, ())
            values = {name: self._driven(f"{path}.{name}", getattr(table, name)) for name in driven}
            if any(value is None for value in values.values()):
                continue
            torque = self.attempt(path, lambda t=table, v=values: torque_of(t, v))  # type: ignore[misc]
            if self._usable(path, torque):
                torques.append(torque)
        return energies, torques

    def _usable(self, path: str, term: Any) -> bool:
        """Whether `term` was built and fits the number of sites."""
        if term is None:
            return False
        wrong = term.problems(self.n_sites) if self.n_sites else []
        self.lines += [relocated(line, path) for line in wrong]
        return not wrong

    def _magnet(self, texture: np.ndarray, energies: list[Any], torques: list[Any]) -> Magnet | None:
        table = self.document.magnet
        if table is None or (self.n_sites is None and "magnet" not in self.lost and self._per_site(table)):
            return None
        return self.attempt(
            "magnet",
            lambda: Magnet(
                texture, plain(table.magnetic_moment), plain(table.damping), energies, torques, list(table.pinned)
            ),
        )

    @staticmethod
    def _per_site(table: Any) -> bool:
        """Whether a table has something that can be judged only with the number of sites."""
        return any(isinstance(getattr(table, name), tuple) for name in type(table).model_fields)

    def _density_matrix(self) -> np.ndarray | None:
        entries, count = self.document.run.initial_density_matrix, self.n_sites
        if entries is None or count is None or not check_memory(Problems("run"), count):
            return None
        matrix = self.attempt("run", lambda: matrix_of(count, entries, "initial_density_matrix"))
        return None if matrix is None else matrix.toarray()

    def _options(self, system: OpenSystem | None) -> dict[str, Any]:
        """Keyword arguments of the run, checked as `Simulation` does."""
        run = self.document.run
        options = {name: plain(getattr(run, name)) for name in OPTIONS}
        options["start"] = run.start or "thermal"
        options["electrons"] = run.electrons or "full"
        options["initial_density_matrix"] = self._density_matrix()
        problems = Problems("run")
        check_times(problems, options)
        if run.t_end == NEVER:  # nothing is too short beside it
            ends = ("t_end/save_every", "t_end/step")
            problems.mistakes = [m for m in problems.mistakes if not m.allowed.endswith(ends)]
        check_accuracy(problems, system, options)
        check_method(problems, options)
        slow = is_slow(self._has("electrons"), options)
        if not slow and (system is not None or not self._has("electrons")):
            check_start(problems, system, options)
            check_density_matrix(problems, system, options)
        if (run.temperature > 0 or run.seed is None) and not (slow and not self._has("electrons") and run.electrons):
            check_kind(problems, self._has("electrons"), options)
        # kT is a key of [system], and a start that does not fit leads with a mistake may fit them without it
        lines = [line.removeprefix("run.") if line.startswith("run.system.") else line for line in problems.lines]
        doubtful = bool(self.lost & {"electrons", "lead", "system"})
        self.lines += [line for line in lines if not (doubtful and line.startswith("run.start"))]
        return options

    def _check_slow(self, system: OpenSystem | None, motion: Any, options: Mapping[str, Any]) -> None:
        """What runs of slow moments demand beside the rules of all runs: static leads, a magnet, a seed for noise."""
        if self._has("motion") and not self._has("magnet"):
            self.refuse("motion", "given with run.electrons = 'adiabatic'", "[magnet], whose moments answer")
        if motion is None or self._has("motion") or (system is None and self._has("electrons")):
            return
        before, places = len(self.lines), {line.split(": ")[0] for line in self.lines}
        self.attempt("run", lambda: check_slow_run(system, motion, {"copies": 1, **options}))
        found = [line.replace("run.system.leads", "lead", 1) for line in self.lines[before:]]
        self.lines[before:] = [line for line in found if line.split(": ")[0] not in places]


def _texture(table: Any, count: int) -> np.ndarray:
    if isinstance(table, BlochWallTable):
        return bloch_wall(count, table.center, table.width)
    if isinstance(table, NeelWallTable):
        return neel_wall(count, table.center, table.width)
    if isinstance(table, UniformTable):
        return uniform(count, plain(table.direction))
    assert isinstance(table, ConeTable)
    return cone(count, table.angle, plain(table.azimuth), plain(table.axis))
