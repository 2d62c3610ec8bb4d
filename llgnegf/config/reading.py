"""From a dict (as tomllib gives it) to a document of tables, with every mistake of the file found in one pass.

A mistake is noted and then mended (misspelt names corrected, unusable values left out), so that what is right in the
file can still be checked and no mistake is reported twice.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_args, get_origin

from llgnegf._checks import Mistake, Path, shown
from llgnegf.config.fields import DRIVES, Section, Table, fitting, sentence
from llgnegf.config.messages import ConfigError, dotted, nearest, unknown_key, wrong_kind
from llgnegf.config.schema import NEVER, SCHEMA_VERSION, Document
from llgnegf.config.sections import SECTIONS
from llgnegf.problem.arguments import Argument, Declared, V, declared

D = TypeVar("D", bound=Document)

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


class Unusable(Exception):
    """What is wrong is noted."""


@dataclass
class Reader:
    """Reads a document as far as it can be read.

    Attributes:
        mistakes: What was wrong.
        lost: Tables of which something is missing, so that nothing may be concluded from their absence.
        removed: Places that were left out.
        origin: For each array of tables the numbers in the file of those that are left.
    """

    mistakes: list[Mistake] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)
    origin: dict[str, list[int]] = field(default_factory=dict)

    def document(self, data: dict[str, Any], model: type[D]) -> D:
        """`data` as a document; tables that must be there but cannot be read have stand-ins."""
        parts = {f.name: f for f in fields(model)}
        given = self._named((), data, parts)
        self._check_version("schema_version" in given, given.pop("schema_version", None))
        found: dict[str, Any] = {}
        for name, value in given.items():
            if parts[name].default == ():
                found[name] = self._array(name, value)
            else:
                found[name] = self._table((name,), value, SECTIONS[name])
        for name in ("run", "texture"):
            if name not in given:
                self._note((name,), "missing", f"a table [{name}]")
                self._lose((name,))
            found[name] = found.get(name) or self._stand_in(name)
        return model(**{name: value for name, value in found.items() if value is not None})

    def _check_version(self, given: bool, version: Any) -> None:
        if not given or type(version) is not int or version != SCHEMA_VERSION:  # 1.0 and true are equal to 1
            self._note(("schema_version",), shown(version) if given else "missing", str(SCHEMA_VERSION))

    def _stand_in(self, name: str) -> Table:
        """What takes the place of a required table that cannot be read."""
        needed = {"run": {"t_end": NEVER}, "texture": {"kind": "uniform"}}
        table = Reader()._table((name,), needed[name], SECTIONS[name])
        assert table is not None
        return table

    def _note(self, path: Path, value: str, allowed: str) -> None:
        self.mistakes.append(Mistake(path, value, allowed))

    def _lose(self, path: Path) -> None:
        self.lost.add(str(path[0]))
        self.removed.add(path)

    def _array(self, name: str, value: Any) -> tuple[Table, ...]:
        if not isinstance(value, list | tuple):
            self._note((name,), shown(value), f"a list of tables, each headed [[{name}]]")
            self._lose((name,))
            return ()
        tables = {k: self._table((name, k), one, SECTIONS[name]) for k, one in enumerate(value)}
        self.origin[name] = [k for k, table in tables.items() if table is not None]
        return tuple(table for table in tables.values() if table is not None)

    def _named(self, path: Path, value: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
        """The entries of a table by known keys; unknown ones are noted, and read as the nearest one if that is free."""
        known = list(keys)
        given = {name: one for name, one in value.items() if name in known}
        for name in value:
            if name not in known:
                self.mistakes.append(unknown_key((*path, name), known))
                near = nearest(str(name), known)
                if near and near not in given:
                    given[near] = value[name]
        return given

    def _table(self, path: Path, value: Any, section: Section, constant: Argument | None = None) -> Table | None:
        """One table; None if it cannot be used. `constant` is what a function of time stands in place of."""
        kind = self._kind(path, value, section)
        if kind is None:
            self._lose(path)
            return None
        if kind not in section.makes:
            return Table(None, kind, {name: _listed(one) for name, one in value.items() if name != "kind"})
        make = section.makes[kind]
        keys = {one.key: one for one in declared(make)}
        given = self._named(path, value, [*(["kind"] if kind else []), *keys])
        values: dict[str, Any] = {}
        for key, one in keys.items():
            try:
                values[key] = self._entry((*path, key), given, one, constant)
            except Unusable:
                self._lose((*path, key))
                values[key] = NEVER if (*path, key) == ("run", "t_end") else one.default
        if ... not in values.values():
            return Table(make, kind, values)
        self._lose(path)
        return None

    def _kind(self, path: Path, value: Any, section: Section) -> str | None:
        """The kind of a table, the nearest one to what it says; None for what is no table, or of no kind."""
        if "" in section.makes:
            if not isinstance(value, dict):
                self._note(path, shown(value), "a table")
                return None
            return ""
        kind = value.get("kind", section.default) if isinstance(value, dict) else None
        if isinstance(kind, str) and (kind in section.makes or (section.own and ":" in kind)):
            return kind
        self.mistakes.append(wrong_kind(path, value, section.kinds))
        return nearest(kind, section.kinds) if isinstance(kind, str) else None

    def _entry(self, path: Path, given: dict[str, Any], one: Declared, constant: Argument | None) -> Any:
        """The value of one key of a table; Unusable after a mistake."""
        if one.key not in given:
            if one.default is ...:
                self._note(path, "missing", sentence(one))
                raise Unusable
            return one.default
        value, argument = given[one.key], one.argument
        if value is None and one.default is None:
            return None
        if argument.tables:
            return self._made(path, value, argument)
        if argument.driven and isinstance(value, dict):
            return _usable(self._table(path, value, DRIVES, argument))
        form, words = argument.form, sentence(one)
        if constant is not None and form is V:
            form, words, argument = constant.form, constant.sentence, constant
        elif constant is not None and get_origin(form) is tuple and V in get_args(form):
            form = tuple[constant.form, ...]  # type: ignore[name-defined]
        try:
            return fitting(argument, form, value)
        except (ValueError, OverflowError):
            self._note(path, shown(value), words)
            raise Unusable from None

    def _made(self, path: Path, value: Any, argument: Argument) -> Any:
        """A table of its own, or an array of them."""
        if argument.tables == "one":
            return _usable(self._table(path, value, SECTIONS[argument.form]))
        if not isinstance(value, list | tuple) or not value:
            several = f"a list of tables, each headed [[{dotted(path)}]]"
            self._note(path, shown(value), "at least one table" if isinstance(value, list | tuple) else several)
            raise Unusable
        tables = [self._table((*path, k), one, SECTIONS[argument.form]) for k, one in enumerate(value)]
        return tuple(_usable(table) for table in tables)


def _usable(table: Table | None) -> Table:
    if table is None:
        raise Unusable
    return table


def _listed(value: Any) -> Any:
    return tuple(_listed(one) for one in value) if isinstance(value, list) else value
