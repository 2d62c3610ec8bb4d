"""Segments: the committed rows of a run, in files of bounded size that are never changed once they are named.

A segment names the one before it and its SHA-256, so that the last one vouches for all rows of the run. The last
segment, the tail, is written anew with each commit until it is full; a checkpoint names the tail it goes with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llgnegf._files import TEMPORARY, DamagedRunError, remove
from llgnegf.run.result import Variable
from llgnegf.store.records import read_record, write_record

SEGMENT_BYTES = 1 << 20
"""A tail of this size is full: small enough to write anew every few seconds, large enough to keep the files few."""

Columns = dict[str, np.ndarray]
"""Rows of a run: (n_rows, *shape) for each variable, and "time" (n_rows,) in fs."""


@dataclass(frozen=True)
class Segment:
    """The rows [start, end) of a run, and the SHA-256 of the file they are in."""

    start: int
    end: int
    digest: str

    @property
    def name(self) -> str:
        """File name inside the folder of segments."""
        return f"{self.start:012d}-{self.end:012d}.rows"

    @staticmethod
    def from_tree(tree: Mapping[str, Any] | None) -> Segment | None:
        """The segment whose `tree` this is."""
        return None if tree is None else Segment(**tree)

    def tree(self) -> dict[str, Any]:
        """As the content of a record."""
        return asdict(self)


def read_segment(folder: Path, segment: Segment) -> tuple[Columns, Segment | None]:
    """The rows of `segment`, and the segment before it.

    Raises:
        DamagedRunError: If the file is missing, or is not the one that was committed.
    """
    tree = read_record(folder / segment.name, segment.digest)
    return tree["columns"], Segment.from_tree(tree["previous"])


def chain(folder: Path, tail: Segment | None) -> list[Segment]:
    """All segments up to `tail`, from row 0 on, every byte of them checked.

    Raises:
        DamagedRunError: Naming the first file, from the end, that is missing or changed.
    """
    segments: list[Segment] = []
    while tail is not None:
        segments.append(tail)
        _, previous = read_segment(folder, tail)
        if (0 if previous is None else previous.end) != tail.start:
            raise DamagedRunError(folder / tail.name, f"starts at row {tail.start}, but the rows before it are missing")
        tail = previous
    return segments[::-1]


def blocks(folder: Path, segments: list[Segment], n_rows: int) -> Iterator[tuple[int, Columns]]:
    """The rows of `segments` in blocks of `n_rows` (the last may be shorter), each with its first row's index.

    The blocks do not depend on where the segments end, nor do the files that are written from them.
    """
    start, waiting = 0, 0
    parts: list[Columns] = []
    for segment in segments:
        columns, _ = read_segment(folder, segment)
        parts.append(columns)
        waiting += segment.end - segment.start
        if waiting < n_rows:
            continue
        joined = _joined(parts)
        for first in range(0, waiting - n_rows + 1, n_rows):
            yield start + first, {name: column[first : first + n_rows] for name, column in joined.items()}
        done = waiting - waiting % n_rows
        parts = [{name: column[done:].copy() for name, column in joined.items()}]
        start, waiting = start + done, waiting - done
    if waiting:
        yield start, _joined(parts)


def _joined(parts: list[Columns]) -> Columns:
    return parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def rows_of_a_segment(variables: Mapping[str, Variable]) -> int:
    """Rows of about SEGMENT_BYTES, at least one."""
    row_bytes = 8 + sum(8 * int(np.prod(v.shape, dtype=np.int64)) for v in variables.values())
    return max(1, SEGMENT_BYTES // row_bytes)


class Tail:
    """The rows since the last full segment, in memory of fixed size."""

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self.capacity = rows_of_a_segment(variables)
        self.previous: Segment | None = None
        self.start = self.end = 0
        self._columns: Columns = {name: np.empty((self.capacity, *v.shape)) for name, v in variables.items()}
        self._columns["time"] = np.empty(self.capacity)

    @property
    def full(self) -> bool:
        """Whether the tail must be written before another row is appended."""
        return self.end - self.start == self.capacity

    def append(self, time: float, row: Mapping[str, Any]) -> None:
        """Append one row.

        Raises:
            ValueError: If the row has other columns than the run.
        """
        if row.keys() | {"time"} != self._columns.keys():
            raise ValueError(f"row: columns {sorted(row)}; allowed: {sorted(self._columns.keys() - {'time'})}")
        position = self.end - self.start
        self._columns["time"][position] = time
        for name, value in row.items():
            self._columns[name][position] = value
        self.end += 1

    def write(self, folder: Path) -> Segment | None:
        """Write the rows as a segment, which is part of the run once a checkpoint names it; a full tail is emptied.

        Returns:
            The segment to name; None before the first row.

        Raises:
            StorageError: With path and errno.
        """
        if self.end == self.start:
            return self.previous
        rows = {name: column[: self.end - self.start] for name, column in self._columns.items()}
        previous = None if self.previous is None else self.previous.tree()
        segment = Segment(self.start, self.end, "")
        digest = write_record(folder / segment.name, {"previous": previous, "columns": rows})
        segment = Segment(self.start, self.end, digest)
        if self.full:
            self._begin_after(segment)
        return segment

    def _begin_after(self, segment: Segment) -> None:
        self.previous, self.start, self.end = segment, segment.end, segment.end

    def reload(self, folder: Path, tail: Segment | None) -> None:
        """Continue after the committed segment `tail`: take its rows back unless it is full."""
        self.previous, self.start, self.end = None, 0, 0
        if tail is None:
            return
        columns, previous = read_segment(folder, tail)
        n_rows = tail.end - tail.start
        if n_rows >= self.capacity:
            self._begin_after(tail)
            return
        self.previous, self.start, self.end = previous, tail.start, tail.end
        for name, column in self._columns.items():
            column[:n_rows] = columns[name]


def remove_all_but(folder: Path, keep: set[str]) -> None:
    """Remove our files in `folder` whose names are not in `keep`: superseded tails and what a kill left behind."""
    for path in sorted(folder.iterdir()):
        if path.name not in keep and path.name.endswith((".rows", TEMPORARY)):
            remove(path)
