"""Two generations of checkpoint: the newer is written over the older, so one of them is always whole.

A checkpoint holds the state of the simulation after a row and names the segment with that row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from llgnegf._files import DamagedRunError
from llgnegf.run.result import ErrorEstimate, Variable
from llgnegf.store.records import read_record, write_record
from llgnegf.store.segments import Segment, chain

GENERATIONS = ("checkpoint-a.bin", "checkpoint-b.bin")


@dataclass(frozen=True)
class Layout:
    """What the rows of a run hold.

    Attributes:
        variables: The columns.
        coordinates: Labels of the dims site, moment, component, lead, bond, and what stands beside the sites.
        total_rows: Rows of the finished run.
        t_end: Time of the last row in fs.
    """

    variables: Mapping[str, Variable]
    coordinates: Mapping[str, list[Any]]
    total_rows: int
    t_end: float

    @staticmethod
    def of(simulation: Any) -> Layout:
        """The layout of a `Simulation`."""
        coordinates = {name: np.asarray(labels).tolist() for name, labels in simulation.coordinates.items()}
        total = len(simulation.times)
        return Layout(dict(simulation.variables), coordinates, total, float(simulation.times[-1]) if total else 0.0)

    @staticmethod
    def from_tree(tree: Mapping[str, Any]) -> Layout:
        """The layout whose `tree` this is."""
        variables = {name: Variable(**fields) for name, fields in tree["variables"].items()}
        return Layout(variables, tree["coordinates"], tree["total_rows"], tree["t_end"])

    def tree(self) -> dict[str, Any]:
        """As the content of a record."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run up to a row; the state that it goes on from is read when it is needed, by `state_in`.

    Attributes:
        row: Number of rows committed.
        time: Time of the last of them in fs; 0 before the first.
        tail: The segment that ends with this row; None before the first.
        layout: What the rows hold.
        errors: The error budget so far.
        identity: Of the run, see `identity`; empty in checkpoints of versions that kept none.
        serial: Number of this commit: several within a long row differ in it.
        statistics: Those of the run so far; empty in checkpoints of versions that kept none.
    """

    row: int
    time: float
    tail: Segment | None
    layout: Layout
    errors: Mapping[str, ErrorEstimate]
    identity: Mapping[str, str]
    serial: int = 0
    statistics: Mapping[str, float] = field(default_factory=dict)

    def write(self, path: Path, state: Mapping[str, Any]) -> None:
        """Write atomically, with `Simulation.checkpoint()`; raises StorageError."""
        errors = {name: {"value": float(e.value), "bounds": e.bounds} for name, e in self.errors.items()}
        tail = None if self.tail is None else self.tail.tree()
        tree = {
            "row": self.row, "time": self.time, "tail": tail, "layout": self.layout.tree(), "errors": errors,
            "state": dict(state), "identity": dict(self.identity), "serial": self.serial,
            "statistics": {name: float(value) for name, value in self.statistics.items()},
        }  # fmt: skip
        write_record(path, tree)

    @staticmethod
    def read(path: Path) -> Checkpoint:
        """Read and verify; raises DamagedRunError."""
        tree = read_record(path, arrays=False)
        errors = {name: ErrorEstimate(**fields) for name, fields in tree["errors"].items()}
        layout = Layout.from_tree(tree["layout"])
        tail, known = Segment.from_tree(tree["tail"]), tree.get("identity", {})
        serial, statistics = tree.get("serial", 0), tree.get("statistics", {})
        return Checkpoint(tree["row"], tree["time"], tail, layout, errors, known, serial, statistics)


def state_in(path: Path) -> Mapping[str, Any]:
    """The state in the checkpoint at `path`, as `Simulation.restore` takes it; raises DamagedRunError."""
    return read_record(path)["state"]


@dataclass(frozen=True, eq=False)
class Recovered:
    """Where a run stands after everything on the disk was verified.

    Attributes:
        checkpoint: The newest whole checkpoint; None if the run never committed one.
        path: The file that it is in, for `state_in`; None without one.
        segments: All its segments, in order.
        next_generation: Name of the file that the next checkpoint is written to.
        spare_tail: The segment of the other generation, kept while that generation is.
        damage: For each generation that had to be passed over, why.
    """

    checkpoint: Checkpoint | None
    path: Path | None
    segments: list[Segment]
    next_generation: str
    spare_tail: Segment | None
    damage: list[str]


def other_generation(name: str) -> str:
    """The file name of the other one of the two generations."""
    return GENERATIONS[1 - GENERATIONS.index(name)]


def read_generations(folder: Path) -> tuple[dict[str, Checkpoint], list[str]]:
    """The whole checkpoints by file name, newest first, and what is wrong with those that are not whole."""
    found: dict[str, Checkpoint] = {}
    damage: list[str] = []
    for name in GENERATIONS:
        if not (folder / name).exists():
            continue
        try:
            found[name] = Checkpoint.read(folder / name)
        except DamagedRunError as error:
            damage.append(str(error))
    return dict(sorted(found.items(), key=lambda item: (item[1].row, item[1].serial), reverse=True)), damage


def recover(folder: Path, segments_folder: Path) -> Recovered:
    """Find the newest checkpoint that is whole and whose rows are all there.

    Raises:
        DamagedRunError: If there are checkpoints or rows, but no checkpoint with all its rows.
    """
    generations, damage = read_generations(folder)
    for name, checkpoint in generations.items():
        try:
            segments = chain(segments_folder, checkpoint.tail)
        except DamagedRunError as error:
            damage.append(str(error))
            continue
        other = other_generation(name)
        spare = generations[other].tail if other in generations and generations[other].row < checkpoint.row else None
        return Recovered(checkpoint, folder / name, segments, other, spare, damage)
    if damage:
        advice = "no whole checkpoint with all its rows is left; start the run again in a new folder"
        raise DamagedRunError(folder, f"{'; '.join(damage)}: {advice}")
    if any(segments_folder.glob("*.rows")):
        raise DamagedRunError(folder, "holds rows but no checkpoint; start the run again in a new folder")
    return Recovered(None, None, [], GENERATIONS[0], None, [])
