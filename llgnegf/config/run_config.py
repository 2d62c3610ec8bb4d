"""RunConfig: one run as a file, as objects and as a simulation.

The top of the package `config`: reading, building and writing come together here.
"""

from __future__ import annotations

import tomllib
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf.config.build import Builder, Problem
from llgnegf.config.messages import ConfigError, dotted
from llgnegf.config.reading import draft_of
from llgnegf.config.schema import SCHEMA_VERSION, Document
from llgnegf.config.toml_text import toml_text

if TYPE_CHECKING:
    from llgnegf.simulation import Simulation
    from llgnegf.slow import SlowSimulation


class RunConfig(Document):
    """A run, as the input file says it. Equal texts and equal objects make equal configurations."""

    @classmethod
    def load(cls, path: str | PathLike[str]) -> RunConfig:
        """Read and check a TOML file.

        Raises:
            ConfigError: With a line for each mistake; also when the file cannot be read.
        """
        try:
            text = Path(path).read_bytes().decode("utf-8")
        except OSError as error:
            raise ConfigError([f"{path}: cannot be read ({error.strerror}); allowed: a TOML file"]) from None
        except UnicodeDecodeError as error:
            raise ConfigError([f"{path}: byte {error.start} is not UTF-8; allowed: a TOML file in UTF-8"]) from None
        return cls.loads(text, str(path))

    @classmethod
    def loads(cls, text: str, name: str = "input") -> RunConfig:
        """Read and check TOML text; `name` stands in the message about text that is no TOML.

        Raises:
            ConfigError: With a line for each mistake.
        """
        try:
            data = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigError([f"{name}: {error}; allowed: TOML 1.0"]) from None
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RunConfig:
        """Read and check what TOML text stands for.

        Raises:
            ConfigError: With a line for each mistake.
        """
        draft, config = draft_of(data, cls)
        lines = draft.lines
        if config is not None:
            builder = Builder(config, frozenset(draft.lost), draft.origin)
            builder.problem()
            # What was left out after a mistake is not to be missed, or judged by its default, a second time.
            again = tuple(f"{dotted(path)}{end}" for path in draft.removed for end in (":", "."))
            lines = lines + [line for line in builder.lines if not line.startswith(again)]
        if lines or config is None:
            raise ConfigError(lines)
        return config

    @classmethod
    def from_objects(cls, system: Any, motion: Any, **run: Any) -> RunConfig:
        """The file that says the same as the objects; `run` are the keys of [run], t_end at least.

        Raises:
            ConfigError: If something has no words in a file: a function of time that is not from `llgnegf.drives`, a
                `Prescribed` motion, an own spectrum.
        """
        from llgnegf.config.from_objects import hermitian_entries, tables_of

        if run.get("initial_density_matrix") is not None:
            run["initial_density_matrix"] = hermitian_entries(run["initial_density_matrix"])
        if run.get("electrons") == "full":  # what is meant when nothing is said, and all that moments alone may say
            del run["electrons"]
        return cls.from_dict({"schema_version": SCHEMA_VERSION, "run": run, **tables_of(system, motion)})

    def to_dict(self) -> dict[str, Any]:
        """The tables as plain dicts and lists, keys without a value left out; `from_dict` gives `self` back."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """The configuration as TOML text, defaults included; `loads` gives `self` back."""
        return toml_text(self)

    def build(self) -> Problem:
        """The problem objects: system, motion or magnet, and the options of the run.

        Raises:
            ConfigError: With a line for each mistake (a configuration from one of the loaders has none).
        """
        builder = Builder(self)
        problem = builder.problem()
        if problem is None:
            raise ConfigError(builder.lines)
        return problem

    def simulation(self) -> Simulation | SlowSimulation:
        """The run, at t = 0.

        Raises:
            ConfigError: As `build` does.
        """
        from llgnegf.simulate import new_simulation

        problem = self.build()
        try:
            return new_simulation(problem.system, problem.motion, **problem.options)
        except ValueError as error:  # what shows only when leads and moments are set up
            raise ConfigError([line.replace("simulate.", "run.", 1) for line in str(error).splitlines()]) from None
