"""The runs that a [sweep] table stands for.

A parameter is a dotted path into the file; the step `*` is every element of a list, so `lead.*.coupling` moves all
leads together. Realisations are an axis of their own, the fastest one: runs with independent noise, whose seeds follow
from run.seed and their numbers alone, so that all points have the same ones.
"""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._checks import Path, shown
from llgnegf.config import ConfigError, RunConfig
from llgnegf.config.messages import dotted, hint

MOST_POINTS = 100_000
EVERY = "*"
"""The step of a path that stands for all elements of a list."""

SEED = "run.seed"
"""What realisations differ in."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Point:
    """One run of a sweep: its number, the values of the swept parameters (and its seed, with realisations), and its
    configuration without [sweep]."""

    index: int
    values: tuple[Any, ...]
    config: RunConfig

    @property
    def name(self) -> str:
        """Name of its run folder."""
        return f"run_{self.index:05d}"


def points(config: RunConfig) -> list[Point]:
    """The runs of a sweep, in the order of the grid (last parameter fastest) or of the lists, realisations within.

    Raises:
        ConfigError: Without [sweep] or anything in it, for realisations without noise, for lists of different lengths
            with mode = "list", for more than MOST_POINTS points, for a path that leads nowhere or to a key that another
            path moves too, and for points that make no run, one line for each mistake and not for each point.
    """
    if config.sweep is None or not (config.sweep.parameters or config.sweep.realisations):
        raise ConfigError(["sweep: missing; allowed: a table [sweep] with parameters or realisations"])
    given, made, wrong = config.sweep.parameters or {}, [], []
    base = config.to_dict()
    del base["sweep"]
    lines = list(_wrong_numbers(config))
    own = {SEED: seeds(config)} if config.sweep.realisations and not lines else {}
    parameters = {**given, **own}
    places, lost = _places(base, parameters)
    if lines + lost:
        raise ConfigError(lines + lost)
    combine = zip if config.sweep.mode == "list" and given else itertools.product
    realised = itertools.product(combine(*given.values()), itertools.product(*own.values()))
    for index, values in enumerate((*those, *seed) for those, seed in realised):
        data = copy.deepcopy(base)
        for path, value in zip(parameters, values, strict=True):
            for place in places[path]:
                _set(data, place, value)
        try:
            made.append(Point(index, tuple(values), RunConfig.from_dict(data)))
        except ConfigError as error:
            wrong += error.lines
    if wrong:
        raise ConfigError([f"sweep: {line}" for line in dict.fromkeys(wrong)])
    return made


def seeds(config: RunConfig) -> tuple[int, ...]:
    """run.seed of each realisation, below 2^63 as TOML has them: hashes, so that the realisations of neighbouring seeds
    are others."""
    assert config.sweep is not None
    each = (np.random.SeedSequence([config.run.seed, k]) for k in range(config.sweep.realisations))
    return tuple(int(one.generate_state(1, np.uint64)[0]) >> 1 for one in each)


def _wrong_numbers(config: RunConfig) -> Iterator[str]:
    assert config.sweep is not None
    parameters, mode, realisations = config.sweep.parameters or {}, config.sweep.mode, config.sweep.realisations
    if realisations and (config.run.seed is None or SEED in parameters):
        yield f"sweep.realisations: {realisations}; allowed: with noise, and a run.seed that no parameter moves"
    lengths = {path: len(values) for path, values in parameters.items()}
    if mode == "list" and len(set(lengths.values())) > 1:
        yield f"sweep.parameters: lists of {lengths} values; allowed: equal lengths with mode = 'list'"
    count = math.prod(lengths.values()) if mode == "grid" else max(lengths.values(), default=1)
    count *= realisations or 1
    if count > MOST_POINTS:
        yield f"sweep.parameters: {count} points; allowed: at most {MOST_POINTS}"


def _places(base: dict[str, Any], parameters: Mapping[str, Any]) -> tuple[dict[str, list[Path]], list[str]]:
    """For each parameter the keys that it moves, and a line for each that leads nowhere or moves what another does."""
    places: dict[str, list[Path]] = {}
    lines: list[str] = []
    for path in parameters:
        try:
            places[path] = _resolved(base, path)
        except LookupError as error:
            lines.append(f"sweep.parameters.{dotted([path])}: {error.args[0]}")
    owner: dict[Path, str] = {}
    moved = [(place, path) for path, own in places.items() for place in own]
    for place, path in sorted(moved, key=lambda one: len(one[0])):
        above = next((place[:k] for k in range(1, len(place) + 1) if place[:k] in owner), None)
        if above is not None:
            other = dotted([owner[above]])
            lines.append(f"sweep.parameters.{dotted([path])}: moves {dotted(place)} as {other} does; allowed: only one")
        owner.setdefault(place, path)
    return places, lines


def _resolved(base: dict[str, Any], path: str) -> list[Path]:
    """The keys that `path` stands for; the last one is checked with the points.

    Raises:
        LookupError: With the rest of the line, if a table on the way is not in the file.
    """
    *steps, last = path.split(".")
    found: list[tuple[Path, Any]] = [((), base)]
    for step in steps:
        below: list[tuple[Path, Any]] = []
        for place, table in found:
            children = [(k, v) for k, v in _children(table, step) if isinstance(v, dict | list)]
            if not children:
                known = hint(step, table) if isinstance(table, dict) else ""
                here = dotted((*place, step))
                raise LookupError(f"no table {here}{known}; allowed: a key of a table in this file")
            below += [((*place, key), value) for key, value in children]
        found = below
    ends = [[(*place, key) for key in _ends(table, last)] for place, table in found]
    if not steps or not all(ends):
        raise LookupError(f"{shown(path)}; allowed: a path such as electrons.j_sd, lead.0.coupling or lead.*.coupling")
    return [place for group in ends for place in group]


def _children(table: Any, step: str) -> list[tuple[str | int, Any]]:
    """Key and value of what `step` names in a table or a list."""
    if isinstance(table, list):
        return [(k, table[k]) for k in _indices(table, step)]
    return [(step, table[step])] if step in table else []


def _ends(table: Any, last: str) -> list[str | int]:
    """The keys that the last step names; in a table it may be one that the file leaves out."""
    return list(_indices(table, last)) if isinstance(table, list) else [last]


def _indices(values: list[Any], step: str) -> range:
    if step == EVERY:
        return range(len(values))
    index = int(step) if _INDEX.fullmatch(step) else len(values)
    return range(index, index + 1) if index < len(values) else range(0)


def _set(data: dict[str, Any], place: Path, value: Any) -> None:
    *steps, last = place
    table: Any = data
    for step in steps:
        table = table[step]
    table[last] = copy.deepcopy(value)
