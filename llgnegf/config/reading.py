"""From a dict (as tomllib gives it) to a checked document, with every mistake of the file found in one pass.

A mistake is noted and then mended (misspelt names corrected, unusable values left out), so that what is right in the
file can still be checked and no mistake is reported twice.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from llgnegf._checks import Mistake, Path
from llgnegf.config.fields import Table
from llgnegf.config.messages import ConfigError, nearest, path_of, unknown_key, wrong_kind, wrong_value
from llgnegf.config.schema import NEVER, SCHEMA_VERSION, Document

D = TypeVar("D", bound=Document)

STAND_INS: dict[str, Any] = {
    "schema_version": SCHEMA_VERSION, "run": {"t_end": NEVER}, "texture": {"kind": "uniform"},
}  # fmt: skip
"""What takes the place of a required table that cannot be read."""


DEEPEST = 30
"""Levels of tables and lists; the input file has eight."""
LONGEST_INTEGER = 4300
"""Digits that Python reads."""


def parsed(text: str, name: str) -> dict[str, Any]:
    """TOML text as a dict; `name` stands in the messages.

    Raises:
        ConfigError: For text that is no TOML, nested without end, or with a number of thousands of digits.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") >= DEEPEST and (levels := _dots(line)) > DEEPEST:
            raise ConfigError([f"{name}: line {number} has a key of {levels} levels; allowed: at most {DEEPEST}"])
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError([f"{name}: lists or tables without end; allowed: at most {DEEPEST} levels"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{name}: {error}; allowed: TOML 1.0"]) from None
    except ValueError:  # Python's limit, the only other one
        long = next((k for k, line in enumerate(text.splitlines(), 1) if _LONG.search(line)), 0)
        raise ConfigError(
            [f"{name}: line {long} has an integer of thousands of digits; allowed: at most {LONGEST_INTEGER} digits"]
        ) from None


_LONG = re.compile(rf"\d[\d_]{{{LONGEST_INTEGER},}}")
_STRING = re.compile(r"""\"(?:[^"\\]++|\\.)*+(?:"|$)|'[^']*+(?:'|$)""")


def _dots(line: str) -> int:
    """Levels of the longest dotted key in a line, in time that grows with its length alone."""
    bare = _STRING.sub("k", line).partition("#")[0]
    return 1 + max(part.count(".") for part in re.split(r"[^\w\s.-]", bare))


def too_deep(data: dict[str, Any]) -> str | None:
    """The line for tables and lists of more than DEEPEST levels; nothing here may call itself for each level."""
    level: list[tuple[str, Any]] = list(data.items())
    for _ in range(DEEPEST):
        level = [(top, inner) for top, value in level for inner in _inside(value)]
    return f"{level[0][0]}: nested over {DEEPEST} levels deep; allowed: the keys of the input file" if level else None


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


@dataclass
class Draft:
    """A document as far as it could be read.

    Attributes:
        data: The input, mended.
        mistakes: What was wrong.
        lost: Tables of which something is missing now, so that nothing may be concluded from their absence.
        removed: Paths that were left out, with the numbers they have in the file.
        origin: For each array of tables the original numbers of the entries that are left.
    """

    data: dict[str, Any]
    mistakes: list[Mistake] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)
    origin: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data = copy.deepcopy(self.data)
        self.origin = {name: list(range(len(v))) for name, v in self.data.items() if isinstance(v, list)}

    def at(self, path: Path) -> Any:
        """The value at `path`; None where there is none."""
        value: Any = self.data
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def remove(self, path: Path) -> None:
        """Leave out the value at `path`, or the whole table or list if it cannot do without."""
        parent = self.at(path[:-1])
        self.removed.add(self.original(path))
        self.lost.add(str(path[0]))
        if path == ("run", "t_end"):
            parent["t_end"] = NEVER
        elif isinstance(parent, dict) and len(path) > 1:
            parent.pop(path[-1], None)
        elif len(path) == 1:
            self._remove_table(str(path[0]))
        elif isinstance(parent, list) and len(path) == 2:
            parent[int(path[1])] = None  # keeps the numbers of the others while several are removed
        else:
            self.remove(path[:-1])

    def _remove_table(self, name: str) -> None:
        self.data.pop(name, None)
        if name in STAND_INS:
            self.data[name] = copy.deepcopy(STAND_INS[name])

    def original(self, path: Path) -> Path:
        """`path` with the number that an entry of an array of tables has in the file."""
        if len(path) > 1 and isinstance(path[1], int) and path[0] in self.origin:
            return path[0], self.origin[str(path[0])][path[1]], *path[2:]
        return path

    def close_gaps(self) -> None:
        """Take the entries that were removed out of the arrays of tables."""
        for name, entries in self.data.items():
            if isinstance(entries, list):
                kept = [k for k, entry in enumerate(entries) if entry is not None]
                self.origin[name] = [self.origin[name][k] for k in kept]
                self.data[name] = [entries[k] for k in kept]


def draft_of(data: dict[str, Any], model: type[D]) -> tuple[Draft, D | None]:
    """Read `data` into `model`, mending as far as needed; the second is None if nothing could be read at all."""
    draft = Draft(data)
    _mend_names(draft, model)
    document, errors, tables = _validated(draft, model)
    for error in errors:
        path = path_of(error["loc"])
        draft.mistakes.append(wrong_value(error, draft.original(path), draft.at(path[:-1]), tables))
    for _ in range(8):  # removals can make their surroundings unusable, at most once for each level of nesting
        if document is not None:
            return draft, document
        for error in errors:
            path = path_of(error["loc"])
            incomplete = error["type"] == "missing" and path[1:] and path != ("run", "t_end")
            draft.remove(path[:-1] if incomplete else path)
        draft.close_gaps()
        document, errors, _ = _validated(draft, model)
    return draft, document


def _validated(draft: Draft, model: type[D]) -> tuple[D | None, list[Any], dict[int, type[Table]]]:
    tables: dict[int, type[Table]] = {}
    try:
        return model.model_validate(draft.data, context=tables), [], tables
    except ValidationError as error:
        return None, error.errors(include_url=False), tables


def _mend_names(draft: Draft, model: type[Document]) -> None:
    """Note unknown keys and kinds; give them the nearest known name if that is free, remove them if not."""
    while True:
        _, errors, tables = _validated(draft, model)
        names = [e for e in errors if e["type"] in ("extra_forbidden", "kind")]
        if not names:
            return
        for error in names:
            path = path_of(error["loc"])
            if error["type"] == "kind":
                _mend_kind(draft, path, error["input"], error["msg"].split())
            else:
                _mend_key(draft, path, tables[id(draft.at(path[:-1]))])
        draft.close_gaps()


def _mend_key(draft: Draft, path: Path, table: type[Table]) -> None:
    draft.mistakes.append(unknown_key(draft.original(path), table.model_fields))
    parent, name = draft.at(path[:-1]), str(path[-1])
    value = parent.pop(name)
    near = nearest(name, table.model_fields)
    if near and near not in parent:
        parent[near] = value
        if len(path) == 1 and isinstance(value, list):
            draft.origin[near] = list(range(len(value)))


def _mend_kind(draft: Draft, path: Path, value: Any, kinds: list[str]) -> None:
    draft.mistakes.append(wrong_kind(draft.original(path), value, kinds))
    kind = value.get("kind") if isinstance(value, dict) else None
    near = nearest(kind, kinds) if isinstance(kind, str) else None
    if near:
        draft.at(path)["kind"] = near
    else:
        draft.remove(path)
