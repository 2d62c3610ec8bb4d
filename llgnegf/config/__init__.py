"""A TOML file <-> the objects of a run; every mistake is named in one pass, one line each.

The keys of a table are the arguments that a class or function declares (`problem.arguments`); `sections` lists the
kinds of tables. `reading` makes tables of a file, `build` objects of tables; `from_objects` and `toml_text` go back.
What an option of a run means, its default and what is allowed say `run.options`.
"""

from llgnegf.config.build import Problem
from llgnegf.config.messages import ConfigError
from llgnegf.config.run_config import RunConfig

__all__ = ["ConfigError", "Problem", "RunConfig"]
