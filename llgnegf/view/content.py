"""What a page of a run shows, as arrays: as many rows as a page can show, and in words what it leaves out.

Made from a run's Dataset; texts and units are those of its attributes. `page` draws it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.plots.data import energies, energy_changes, place_of, short_name, thin
from llgnegf.plots.plane import Plane, plane_of
from llgnegf.run.result import ErrorEstimate

if TYPE_CHECKING:
    import xarray

MAX_POINTS, MAX_FRAMES, MIN_FRAMES, MAX_SITES = 2500, 250, 4, 4
"""Most points of a curve, most and least frames of the picture, and single sites whose curves can be chosen."""
FRAME_VALUES = 1_200_000
"""Numbers in all frames together: what a file to send to somebody may hold, 2 bytes each."""
MOST_READ = 10_000_000
"""Numbers of a column that are read to show it over time."""
PICTURES = {"moments": "M", "torque": "T"}
"""Columns that are shown as pictures, and their symbols."""
ALL = "mean of all"
COMPONENTS = ("x", "y", "z")


@dataclass(frozen=True, eq=False)
class Picture:
    """A vector of each site, in each frame.

    Attributes:
        name, text, units: Of the column.
        place: Dim along which the vectors stand, site or moment.
        plane: Where the sites are; None along a wire.
        values: (frames, N, 3); NaN where they are not finite.
    """

    name: str
    text: str
    units: str
    place: str
    plane: Plane | None
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Panel:
    """Curves over time.

    Attributes:
        text, units: Of the column.
        curves: For each choice ("" if there is none) by their names, each (rows,).
        scale: Panels of the same scale share their vertical axis.
        explained: Sentences below the text.
        errors: Of means over realisations, the standard error of each curve, by choice and name; {} of a single run.
    """

    text: str
    units: str
    curves: Mapping[str, Mapping[str, np.ndarray]]
    scale: str
    explained: tuple[str, ...] = ()
    errors: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Content:
    """What a page shows.

    Attributes:
        rows, time: Rows of the run in the curves, and their times in fs.
        frames, frame_time: The same of the pictures.
        pictures, panels: By name.
        notes: What is left out, and why.
        errors: The error budget.
        input: TOML.
        origin: Where the run comes from, by name.
    """

    rows: np.ndarray
    time: np.ndarray
    frames: np.ndarray
    frame_time: np.ndarray
    pictures: Mapping[str, Picture]
    panels: Mapping[str, Panel]
    notes: tuple[str, ...]
    errors: Mapping[str, ErrorEstimate] = field(default_factory=dict)
    input: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)


def evenly(n_rows: int, total: int, at_most: int) -> np.ndarray:
    """Rows 0, s, 2 s, ... of the `n_rows` so far, at most about that many of `total`; with the last one of all.

    While a run goes on rows are added at the end of these, never between them.
    """
    rows = np.arange(0, n_rows, max(1, math.ceil(total / at_most)))
    return rows if n_rows < total or not n_rows else np.union1d(rows, [n_rows - 1])


def content(dataset: xarray.Dataset, total: int, realisations: Sequence[xarray.Dataset] = ()) -> Content:
    """What a page shows of a run of `total` rows of which `dataset` has the first; without budget, input and origin.

    With `realisations` it shows an ensemble, over which `dataset` has the means.
    """
    pictured = [name for name in PICTURES if name in dataset]
    n_rows, n_sites = dataset.sizes["time"], max((dataset.sizes[place_of(dataset, n)] for n in pictured), default=1)
    per_site = 1 if pictured and plane_of(dataset, place_of(dataset, pictured[0])) is not None else 3
    count = FRAME_VALUES // (per_site * n_sites * max(1, len(pictured)))
    frames = evenly(n_rows, total, min(MAX_FRAMES, max(MIN_FRAMES, count)))
    rows = evenly(n_rows, total, max(MIN_FRAMES, min(MAX_POINTS, MOST_READ // (3 * n_sites))))
    pictures = {name: _picture(dataset, name, frames) for name in pictured}
    panels = _panels(dataset, rows)
    if realisations:
        panels = _with_errors(panels, (_panels(one, rows) for one in realisations), len(realisations))
    time = dataset["time"].values
    notes = [*_thinned("curves", rows, n_rows), *_thinned("pictures", frames, n_rows), *_not_finite(pictures, panels)]
    return Content(rows, time[rows], frames, time[frames], pictures, panels, (*notes, *_others(dataset)))


def _values(dataset: xarray.Dataset, name: str, rows: np.ndarray, *dims: str) -> np.ndarray:
    """(len(rows), ...), with NaN for what is not finite, which no axis could show."""
    found = dataset[name].isel(time=rows).transpose("time", *dims).values.astype(float)
    return _finite(found)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _text(dataset: xarray.Dataset, name: str) -> tuple[str, str]:
    attributes = dataset[name].attrs
    units = str(attributes.get("units", ""))
    return str(attributes.get("long_name", name)), "" if units == "1" else units


def _picture(dataset: xarray.Dataset, name: str, frames: np.ndarray) -> Picture:
    place = place_of(dataset, name)
    values = _values(dataset, name, frames, place, "component")
    return Picture(name, *_text(dataset, name), place, plane_of(dataset, place), values)


def _panels(dataset: xarray.Dataset, rows: np.ndarray) -> dict[str, Panel]:
    vectors = {name: _vector_panel(dataset, name, rows) for name in PICTURES if name in dataset}
    return {**vectors, **_lead_panels(dataset, rows), **_energy_panel(dataset, rows)}


def _with_errors(means: Mapping[str, Panel], runs: Iterator[Mapping[str, Panel]], count: int) -> dict[str, Panel]:
    """`means` with the standard error of each curve; `runs` has the same panels for each of `count` realisations.

    Curves depend linearly on the columns: those of the means are the means of those of the runs.
    """
    squares: dict[str, dict[tuple[str, str], Any]] = {name: defaultdict(float) for name in means}
    for run in runs:
        for name, panel in means.items():
            for choice, curves in panel.curves.items():
                for curve, mean in curves.items():
                    squares[name][choice, curve] += (run[name].curves[choice][curve] - mean) ** 2
    errors = {n: {key: np.sqrt(s / (count * (count - 1))) for key, s in of.items()} for n, of in squares.items()}
    return {name: replace(panel, errors=errors[name]) for name, panel in means.items()}


def _vector_panel(dataset: xarray.Dataset, name: str, rows: np.ndarray) -> Panel:
    """The mean over all sites, and some sites."""
    place = place_of(dataset, name)
    values, labels = _values(dataset, name, rows, place, "component"), dataset[place].values
    chosen = {f"{place} {labels[i]}": values[:, i] for i in thin(len(labels), MAX_SITES)}
    if len(labels) > 1:
        chosen = {f"{ALL} {place}s": values.mean(axis=1), **chosen}
    curves = {key: dict(zip(COMPONENTS, value.T, strict=True)) for key, value in chosen.items()}
    text, units = _text(dataset, name)
    return Panel(f"{text}, over time", units, curves, name)


def _lead_panels(dataset: xarray.Dataset, rows: np.ndarray) -> dict[str, Panel]:
    panels = {}
    if "lead_current" in dataset:
        values = _values(dataset, "lead_current", rows, "lead")
        panels["lead_current"] = Panel(*_text(dataset, "lead_current"), _by_lead(dataset, values), "charge")
    if "lead_spin_current" in dataset:
        spin = _values(dataset, "lead_spin_current", rows, "lead", "component")
        text, units = _text(dataset, "lead_spin_current")
        for a, component in enumerate(COMPONENTS):
            curves = _by_lead(dataset, spin[:, :, a])
            panels[f"lead_spin_current_{component}"] = Panel(f"{text}: {component}", units, curves, "spin")
    return panels


def _by_lead(dataset: xarray.Dataset, values: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    return {"": {f"lead {lead}": values[:, p] for p, lead in enumerate(dataset["lead"].values)}}


def _energy_panel(dataset: xarray.Dataset, rows: np.ndarray) -> dict[str, Panel]:
    """The change of each energy since the first row: of slow electrons the free energy too, of full ones the sum."""
    names = energies(dataset)
    if not names:
        return {}
    start = {name: float(dataset[name][0]) for name in names}
    change = {name: _finite(values) for name, values in energy_changes(dataset, rows).items()}
    units = _text(dataset, names[0])[1]
    said = tuple(f"{short_name(n)}: {_text(dataset, n)[0]}, {start[n]:.6g} {units} at the start" for n in names)
    return {"energies": Panel("change of energies since the start", units, {"": change}, "energy", said)}


def _thinned(what: str, rows: np.ndarray, n_rows: int) -> list[str]:
    """The last of the rows may not be a whole step after the one before it."""
    step = int(rows[1] - rows[0]) if rows.size > 1 else 1
    return [f"The {what} show one row in {step} of {n_rows}."] if step > 1 else []


def _not_finite(pictures: Mapping[str, Picture], panels: Mapping[str, Panel]) -> list[str]:
    found = {name: int(np.isnan(picture.values).sum()) for name, picture in pictures.items()}
    for name, panel in panels.items():
        curves = next(iter(panel.curves.values())).values()
        found[name] = max(found.get(name, 0), sum(int(np.isnan(curve).sum()) for curve in curves))
    named = ", ".join(f"{count} in {name}" for name, count in found.items() if count)
    return [f"Values that are not finite (NaN or infinite) are left out: {named}."] if named else []


def _others(dataset: xarray.Dataset) -> list[str]:
    shown = {*PICTURES, "lead_current", "lead_spin_current", *energies(dataset)}
    names = [str(n) for n in dataset.data_vars if n not in shown]
    return [f"Other columns of the run, not on this page: {', '.join(names)}."] if names else []
