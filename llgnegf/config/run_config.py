"""RunConfig: one run as a file, as objects and as a simulation.

The top of the package `config`: reading, building and writing come together here.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf._checks import Mistake, Problems, mistakes_of
from llgnegf.config.build import Builder, Problem
from llgnegf.config.matrices import hermitian_entries
from llgnegf.config.messages import ConfigError, dotted, in_file
from llgnegf.config.reading import Reader, parsed, too_deep
from llgnegf.config.schema import SCHEMA_VERSION, Document
from llgnegf.config.toml_text import toml_text
from llgnegf.problem.plausibility import largest_energy, silent, warn
from llgnegf.run.options import RunOptions

if TYPE_CHECKING:
    from llgnegf.run.run import Run


LARGEST_FILE = 10 * 2**20
"""Bytes."""


@dataclass(frozen=True, kw_only=True)
class RunConfig(Document):
    """A run as its input file says it: the bridge between problem objects, TOML text and run folders.

    Made by `load` and `loads` (from a file and its text), `from_objects` (from what `simulate` takes) and `from_dict`.
    Equal texts and equal objects make equal configurations.

    Parameters
    ----------
    schema_version : int
        Of the file's format.
    run, lattice, electrons, term, lead, system, texture, motion, magnet, energy, torque, sweep : object
        The tables of the file; None, or () of those that come several times, for a table that it has not.

    Examples
    --------
    >>> magnet = ln.Magnet(ln.uniform(1, "x"), magnetic_moment=1.0, energies=[ln.Zeeman([0, 0, 50.0])])
    >>> config = ln.RunConfig.from_objects(None, magnet, t_end=2.0)
    >>> ln.RunConfig.loads(config.to_toml()) == config
    True
    >>> config.run.t_end
    2.0
    """

    @classmethod
    def load(cls, path: str | PathLike[str]) -> RunConfig:
        """Read and check a TOML file.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        RunConfig
            Checked as a whole.

        Raises
        ------
        ConfigError
            With a line for each mistake; also when the file cannot be read.
        """
        problems = Problems("RunConfig.load")
        file = problems.path("path", path)
        if problems.mistakes:
            raise ConfigError(problems.mistakes)
        try:
            text = _read(file).decode("utf-8")
        except OSError as error:
            raise ConfigError([f"{path}: cannot be read ({error.strerror}); allowed: a TOML file"]) from None
        except UnicodeDecodeError as error:
            raise ConfigError([f"{path}: byte {error.start} is not UTF-8; allowed: a TOML file in UTF-8"]) from None
        return cls.loads(text, str(path))

    @classmethod
    def loads(cls, text: str, name: str = "input") -> RunConfig:
        """Read and check TOML text.

        Parameters
        ----------
        text : str
            TOML.
        name : str, default 'input'
            What the text is called in the message about text that is no TOML.

        Returns
        -------
        RunConfig
            Checked as a whole.

        Raises
        ------
        ConfigError
            With a line for each mistake.
        """
        return cls.from_dict(parsed(text, name))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RunConfig:
        """Read and check what TOML text stands for.

        Parameters
        ----------
        data : dict
            Tables as dicts, lists of tables as lists of dicts.

        Returns
        -------
        RunConfig
            Checked as a whole.

        Raises
        ------
        ConfigError
            With a line for each mistake.

        Warns
        -----
        SuspiciousValueWarning
            For each value that makes no sense beside the others.
        """
        if deep := too_deep(data):
            raise ConfigError([deep])
        reader = Reader()
        config = reader.document(data, cls)
        builder = Builder(config, frozenset(reader.lost), reader.origin)
        builder.problem()
        # What was left out after a mistake is not to be missed, or judged by its default, a second time.
        judged = [m for m in builder.mistakes if not any(m.path[: len(out)] == out for out in reader.removed)]
        if reader.mistakes or judged:
            raise ConfigError([*reader.mistakes, *judged])
        warn(builder.doubts)
        return config

    @classmethod
    def from_objects(cls, system: Any, motion: Any, **run: Any) -> RunConfig:
        """The input file that says the same as problem objects.

        Parameters
        ----------
        system : OpenSystem or None
            As for `simulate`.
        motion : Magnet, Precession or Frozen
            As for `simulate`.
        **run : object
            The keys of [run], options of `simulate`; t_end at least.

        Returns
        -------
        RunConfig
            Its `to_toml` is the file.

        Raises
        ------
        ConfigError
            If something has no words in a file: a function of time that is not from `llgnegf.problem.drives`, a
            `Prescribed` motion, an own spectrum.
        """
        from llgnegf.config.from_objects import tables_of

        if run.get("initial_density_matrix") is not None:
            run["initial_density_matrix"] = hermitian_entries(run["initial_density_matrix"])
        if run.get("electrons") == "full":  # what is meant when nothing is said, and all that moments alone may say
            del run["electrons"]
        if system is None and run.get("start") == "thermal":  # likewise
            del run["start"]
        with silent():  # of the objects was warned when they were made
            return cls.from_dict({"schema_version": SCHEMA_VERSION, "run": run, **tables_of(system, motion)})

    def to_toml(self) -> str:
        """The configuration as TOML text, defaults included; `loads` gives `self` back.

        Returns
        -------
        str
            TOML.
        """
        return toml_text(self)

    def build(self) -> Problem:
        """Make the problem objects.

        Returns
        -------
        Problem
            `system`, `motion` (or magnet), and `options` of the run.

        Raises
        ------
        ConfigError
            With a line for each mistake (a configuration from one of the loaders has none).
        """
        builder = Builder(self)
        problem = builder.problem()
        if problem is None:
            raise ConfigError(builder.mistakes)
        return problem

    def simulation(self) -> Run:
        """Set the run up, at t = 0.

        Returns
        -------
        Simulation or SlowSimulation
            As `simulate` makes it.

        Raises
        ------
        ConfigError
            As `build` does.
        """
        from llgnegf.run.simulate import run_of

        problem = self.build()
        try:
            # Of the file was warned when it was read.
            options = RunOptions.checked(problem.system, problem.motion, **problem.options)
            return run_of(problem.system, problem.motion, options)
        except ValueError as error:  # what shows only when leads and moments are set up
            raise ConfigError(self.placed(one, problem.system) for one in mistakes_of(error)) from None

    def placed(self, mistake: Mistake, system: Any) -> Mistake:
        """A mistake in Python with its place in the file; one in kT with what sets the range of energies.

        Parameters
        ----------
        mistake : Mistake
            Of the problem objects.
        system : OpenSystem or None
            Where it was found.

        Returns
        -------
        Mistake
            With the path of the file.
        """
        hamiltonian = Builder(self).hamiltonian
        found = replace(mistake, path=in_file(mistake.path, hamiltonian), beside=in_file(mistake.beside, hamiltonian))
        if found.path != ("system", "kT") or system is None:
            return found
        place, value = largest_energy(system)
        cause = f"{dotted(in_file(place, hamiltonian))} = {value:g}"
        return replace(found, value=f"{found.value}, or a smaller range, set by {cause}")


def _read(path: Path) -> bytes:
    """The content of a regular file of at most LARGEST_FILE bytes; a device or FIFO could be read for ever."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError([f"{path}: is no regular file; allowed: a TOML file"])
        if status.st_size > LARGEST_FILE:
            size = f"{status.st_size / 2**20:.3g} MiB"
            raise ConfigError([f"{path}: has {size}; allowed: a TOML file of at most {LARGEST_FILE >> 20} MiB"])
        return file.read(LARGEST_FILE)
