"""A stand-in for `llgnegf.Simulation` in the tests of the store: cheap arithmetic, known to the last bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from llgnegf.run.result import ErrorEstimate, Variable
from llgnegf.store import RunFolder

INPUT = """
schema_version = 1
t_end = 10.0
[magnet]
damping = 0.02   # comment
[[leads]]
site = 0
[[leads]]
site = -1
"""


class FakeSimulation:
    """`llgnegf.Simulation` with coupled logistic maps x -> r x (1 - x) in the place of electrons."""

    def __init__(self, n_rows: int = 40, n_sites: int = 3, pause: float = 0.0) -> None:
        self.times = 0.25 * np.arange(n_rows)
        self.row, self.pause = 0, pause
        self.x = np.asfortranarray(np.linspace(0.1, 0.9, 3 * n_sites).reshape(n_sites, 3))
        self.mixing = 0.0
        self.variables = {
            "moments": Variable(("site", "component"), (n_sites, 3), "1", "moments"),
            "lead_current": Variable(("lead",), (2,), "electrons/fs", "current into the lead"),
            "bond_current": Variable(("bond",), (n_sites - 1,), "electrons/fs", "current"),
            "energy_sd": Variable((), (), "eV", "sd energy"),
        }
        self.coordinates = {
            "site": list(range(n_sites)), "component": ["x", "y", "z"], "lead": [0, 1],
            "bond": [f"{i}-{i + 1}" for i in range(n_sites - 1)],
        }  # fmt: skip

    def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        while self.row < self.times.size:
            if self.row:
                self.mixing = 0.5 * (self.mixing + float(self.x.mean()))
                self.x = (3.9 + 0.05 * self.mixing) * self.x * (1 - self.x)
                if self.pause:
                    time.sleep(self.pause)
            flat = self.x.ravel(order="K")
            columns = {
                "moments": self.x, "lead_current": flat[:2], "bond_current": np.diff(self.x[:, 0]),
                "energy_sd": np.asarray(self.mixing),
            }  # fmt: skip
            self.row += 1
            yield self.row - 1, columns

    def checkpoint(self, copy: bool = True) -> dict[str, Any]:
        return {"row": self.row, "x": self.x, "mixing": self.mixing}

    def restore(self, checkpoint: dict[str, Any]) -> None:
        self.row, self.x, self.mixing = checkpoint["row"], checkpoint["x"], checkpoint["mixing"]

    def error_budget(self) -> dict[str, ErrorEstimate]:
        return {
            "time_step": ErrorEstimate(float("nan"), "not estimated"),
            "coupling_poles": ErrorEstimate(1e-7 * self.row, "the kernel"),
        }


def expected(n_rows: int = 40, n_sites: int = 3) -> dict[str, bytes]:
    """The bytes of all columns, from the rows themselves: nothing of the store takes part."""
    simulation = FakeSimulation(n_rows, n_sites)
    rows = [{name: np.array(value) for name, value in columns.items()} for _, columns in simulation.rows()]
    columns = {name: np.stack([row[name] for row in rows]).tobytes() for name in rows[0]}
    return columns | {"time": simulation.times.tobytes()}


def stored(folder: RunFolder) -> dict[str, bytes]:
    """The bytes of all columns of the folder's dataset."""
    with folder.dataset() as dataset:
        names = [*dataset.data_vars, "time"]
        return {str(name): np.ascontiguousarray(dataset[name].values).tobytes() for name in names}


def created(path: Path) -> RunFolder:
    return RunFolder.create(path / "run", INPUT, ["llgnegf", "run", "in.toml"])


def stop_after(n_rows: int) -> Callable[[], bool]:
    """Asked once before the first row and once after each: true after `n_rows` rows."""
    asked = iter(range(-1, 10**9))
    return lambda: next(asked) >= n_rows - 1
