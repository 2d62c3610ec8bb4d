"""The figures of PRL 125, 187202 and its supplement, computed anew: data first, then the picture from the data alone.

Each module has `data(run, time_domain) -> Dataset` and `draw(dataset) -> Figure`; `make` saves both.
"""

from __future__ import annotations

from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf._checks import Problems
from llgnegf._files import storage_errors
from llgnegf._netcdf import write_dataset
from llgnegf.plots.files import save

if TYPE_CHECKING:
    import xarray

NAMES = ("fig2", "fig3", "fig4", "figS1", "figS2", "figS3")
WORKERS = 2
DPI = 130
"""Of the PNG files: legible on a screen and well below 300 kB."""


def make(name: str, folder: str | PathLike[str], time_domain: bool = True, workers: int = WORKERS) -> list[Path]:
    """Compute and draw one figure; writes NAME.png, NAME.pdf and NAME.nc.

    Args:
        name: One of `NAMES`.
        folder: Where the files go; it is made if need be.
        time_domain: Lay runs of the lab-frame propagator over the exact curves.
        workers: Processes; with more than 1 a script needs `if __name__ == "__main__":`, as always for processes.

    Returns:
        The three files. The Dataset in NAME.nc has the identities' measured values in its attributes.

    Raises:
        ValueError: One line for each argument that is not of this kind.
        StorageError: If a file cannot be written; what was there before is whole.
    """
    problems = Problems("paper.make")
    problems.check(name in NAMES, "name", name, ", ".join(map(repr, NAMES)))
    problems.check(isinstance(time_domain, bool), "time_domain", time_domain, "True or False")
    problems.integer("workers", workers, "an integer >= 1", lambda n: n >= 1)
    stem = problems.path("folder", folder) / str(name)
    problems.raise_all()
    with storage_errors(stem.parent, "make the folder"):
        stem.parent.mkdir(parents=True, exist_ok=True)
    dataset = data(name, time_domain, workers)
    write_dataset(dataset, stem.with_suffix(".nc"))
    return [*save(_module(name)[1](dataset), stem, pdf=True, dpi=DPI), stem.with_suffix(".nc")]


def data(name: str, time_domain: bool = True, workers: int = WORKERS) -> xarray.Dataset:
    """The numbers of a figure alone; arguments as for `make`."""
    from llgnegf.paper.workers import mapper

    with mapper(workers) as run:
        return _module(name)[0](run, time_domain)


def _module(name: str) -> tuple[Any, Any]:
    """`data` and `draw` of a figure, imported when they are needed."""
    from llgnegf.paper import one_moment, wall_currents, wall_profiles, wall_widths

    wall = "neel" if name in ("figS1", "figS2") else "bloch"
    if name in ("fig3", "figS1"):
        return partial(wall_profiles.data, wall), wall_profiles.draw
    if name in ("fig4", "figS2"):
        return partial(wall_currents.data, wall), wall_currents.draw
    module = one_moment if name == "fig2" else wall_widths
    return module.data, module.draw
