"""Names, units and labels of the axes that swept parameters make, and one time axis for runs with several.

Part of `gather`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from llgnegf.config import RunConfig
from llgnegf.config.fields import Table
from llgnegf.problem.arguments import declared
from llgnegf.sweep.points import EVERY

SAME_INSTANT = 16 * np.finfo(float).eps
"""Times closer than this part of themselves are one instant: 3 x 0.1 and 0.3 differ by half of eps."""


def axis_names(paths: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """A name for each path that Python takes as a keyword: lead_coupling for lead.*.coupling, lead_0_coupling."""
    used, names = set(taken), {}
    for path in paths:
        name = re.sub(r"\W", "_", "_".join(step for step in path.split(".") if step != EVERY))
        while name in used:
            name += "_"
        used.add(name)
        names[path] = name
    return names


def axis_attributes(config: RunConfig, path: str) -> dict[str, str]:
    """Long name, full path and, where the field has one, the unit ("1" for a plain number) of a swept parameter."""
    *steps, last = path.split(".")
    words = " ".join({EVERY: "(every one)"}.get(step, step) for step in steps)
    attributes = {"long_name": f"{last} of {words}" if last != EVERY else f"all of {words}", "path": path}
    unit = _unit(config, path)
    if unit is not None:
        attributes["units"] = unit or "1"
    return attributes


def labels(values: Iterable[Any]) -> list[Any]:
    """Coordinates: numbers and texts as they are, anything else (a list, a table) as text."""
    kept = list(values)
    simple = all(isinstance(v, int | float) for v in kept) or all(isinstance(v, str) for v in kept)
    return kept if simple else [v if isinstance(v, str) else repr(v) for v in kept]


def common_times(axes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The axes with one number for each instant: times that differ by round-off become the shortest among them."""
    together = np.unique(np.concatenate(axes))
    first = np.diff(together, prepend=-np.inf) > SAME_INSTANT * np.abs(together)
    groups = np.split(together, np.flatnonzero(first)[1:])
    instants = np.array([min(group, key=lambda t: len(repr(float(t)))) for group in groups])
    number = np.cumsum(first) - 1
    return [instants[number[np.searchsorted(together, axis)]] for axis in axes]


def _unit(config: RunConfig, path: str) -> str | None:
    """The unit of the key that `path` leads to, or leads into; None where it has no words for it."""
    value: Any = config
    unit = None
    for step in path.split("."):
        if isinstance(value, Table):
            found = next((one.argument for one in declared(value.make) if one.key == step), None)
            # An amplitude of a function of time has the unit of the constant in whose place it stands.
            unit = found.unit if found is not None and (unit is None or found.unit) else unit
        if isinstance(value, tuple | list):
            value = value[0 if step == EVERY else int(step)]
        else:
            value = value[step] if isinstance(value, Mapping) else getattr(value, step)
    return unit
