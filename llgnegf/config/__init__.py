"""A TOML file <-> the objects of a run; every mistake is named in one pass, one line each.

`fields`, `drive_tables`, `system_tables`, `moment_tables` and `schema` say what a file may hold, `messages` words the
mistakes, `reading` collects them, `terms` and `build` make the objects, `toml_text` and `from_objects` go back.
"""

from llgnegf.config.build import Problem
from llgnegf.config.messages import ConfigError
from llgnegf.config.run_config import RunConfig

__all__ = ["ConfigError", "Problem", "RunConfig"]
