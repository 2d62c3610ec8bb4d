"""Advance a simulation in its run folder: commit every few seconds, stop when asked, finish with result.nc.

A commit is a segment and then a checkpoint that names it; whatever happens in between, the commit before it stands.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from llgnegf._files import TEMPORARY, remove
from llgnegf.run.progress import Progress, silent
from llgnegf.store.checkpoint import Checkpoint, Layout, Recovered, other_generation, state_in
from llgnegf.store.folder import PROVENANCE, RunFolder
from llgnegf.store.identity import identity
from llgnegf.store.lock import Lock, locked
from llgnegf.store.provenance import resume_entry, write_provenance
from llgnegf.store.segments import Segment, Tail, remove_all_but
from llgnegf.store.stop import StopSignals

COMMIT_SHARE = 0.04
"""At most this part of the time goes into commits, however large the state and slow the disk."""

log = logging.getLogger("llgnegf.store")


def run_in_folder(
    folder: RunFolder,
    simulation: Any,
    *,
    progress: Progress = silent,
    commit_every_s: float = 5.0,
    stop_requested: Callable[[], bool] = bool,
    input_text: str | None = None,
    force: bool = False,
) -> bool:
    """Run `simulation` to its end in `folder`, from where the last commit left it.

    A run that is killed at any moment and continued by this function gives the same bits as one that is not. SIGTERM
    and SIGINT, and KeyboardInterrupt of `progress`, commit and stop after the present step (see `StopSignals`),
    `stop_requested` after the present row.

    Args:
        folder, simulation: The run folder, and a new `llgnegf.Simulation` of the input in it.
        progress: Called with the simulated time, the whole (both fs) and what is being done.
        commit_every_s: Seconds between commits, within rows too; 0 commits each row.
        input_text: The input that `simulation` was made from, if known: refused if it is not the folder's.
        force: Take a folder that a process on another host may use, or rows of other code, with a warning.

    Returns:
        Whether the run is finished and result.nc is there.

    Raises:
        ValueError: If the input in the folder was changed, or the rows are of another problem or version of the code.
        StorageError: If the disk cannot be written, with path and errno; what was committed is kept.
        FolderInUseError, DamagedRunError: If another process has the folder, or what was committed is lost.
    """
    if not commit_every_s >= 0:
        raise ValueError(f"commit_every_s: {commit_every_s!r}; allowed: a number >= 0, in seconds")
    with locked(folder.path, force) as lock:
        for text in dict.fromkeys((None, input_text)):
            folder.check_same_input(text)
        if damage := folder.damage:
            log.warning("%s; writing it again from the rows", damage)
        elif folder.result_path.exists():
            return True
        progress(0.0, end := float(simulation.times[-1]), "error budget")
        simulation.error_budget()  # may take long and is kept: nothing is lost if a signal ends it here
        with StopSignals(folder.path) as signals:
            writer, told = _Writer(folder, simulation, lock, force), signals.heeding(progress)
            told(writer.time, end, "running")
            done = writer.complete or _advance(writer, told, commit_every_s, signals, stop_requested)
            if not done or signals.received:  # perhaps in the last step: what comes after the rows takes long too
                return False
        progress(end, end, "writing the result")
        folder.write_result(folder.recover())
        return True


def _advance(
    writer: _Writer,
    progress: Progress,
    commit_every_s: float,
    signals: StopSignals,
    stop_requested: Callable[[], bool],
) -> bool:
    """Run to the end, or until a signal or `stop_requested`; returns whether it is the end."""
    if signals.received or stop_requested():
        return False
    pace = _Pace(writer, signals, commit_every_s)

    def between_steps(time: float) -> None:
        progress(time, writer.layout.t_end, "running")
        stopping = signals.received
        if stopping or (commit_every_s > 0 and pace.due):
            pace.commit()
        if stopping:
            raise _StoppedWithinRow

    writer.simulation.between_steps = between_steps
    try:
        for row, columns in writer.simulation.rows():
            writer.append(row, columns)
            progress(writer.time, writer.layout.t_end, "running")
            stopping = signals.received or stop_requested()
            if stopping or pace.due or writer.complete:
                pace.commit()
            if stopping and not writer.complete:
                return False
    except _StoppedWithinRow:
        return False
    if not writer.complete:
        raise RuntimeError(f"simulation.rows: ended after row {writer.row} of {writer.layout.total_rows}")
    return True


class _StoppedWithinRow(Exception):
    """A signal came between two rows; what they were computed from is committed."""


class _Pace:
    """When the next commit is due: `every_s` after the last, and later if commits take long."""

    def __init__(self, writer: _Writer, signals: StopSignals, every_s: float) -> None:
        self._writer, self._signals, self._every_s = writer, signals, every_s
        self._next = time.monotonic() + every_s

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._next

    def commit(self) -> None:
        began = time.monotonic()
        self._signals.committing = True
        self._writer.commit()
        self._signals.committing = False
        ended = time.monotonic()
        pause = (ended - began) / COMMIT_SHARE if self._every_s else 0.0
        self._next = ended + max(self._every_s, pause)


class _Writer:
    """The open end of a run: rows go in, commits come out."""

    def __init__(self, folder: RunFolder, simulation: Any, lock: Lock, force: bool) -> None:
        found = folder.recover()
        self.folder, self.simulation, self.lock, self.force = folder, simulation, lock, force
        self.identity = identity(folder.config_text)
        self.layout = Layout.of(simulation)
        self.tail = Tail(self.layout.variables)
        self.row, self.time = 0, 0.0
        self._next_generation = found.next_generation
        self._serial = 0 if found.checkpoint is None else found.checkpoint.serial
        self._named: list[Segment | None] = [found.spare_tail]
        self._clean(found)
        if found.checkpoint is None:
            self.commit()
        else:
            self._restore(found.checkpoint, found)

    @property
    def complete(self) -> bool:
        """Whether all rows are in."""
        return self.row == self.layout.total_rows

    def append(self, row: int, columns: dict[str, Any]) -> None:
        """Take in the next row; a full segment is written, and becomes part of the run with the next commit."""
        if row != self.row:
            raise RuntimeError(f"simulation.rows: row {row}; expected row {self.row}")
        self.time = float(self.simulation.times[row])
        self.tail.append(self.time, columns)
        self.row += 1
        if self.tail.full and not self.complete:
            self.tail.write(self.folder.segments_path)

    def commit(self) -> None:
        """Make all rows so far durable, with the state to go on from; not if another process took the folder."""
        self.lock.check()
        tail = self.tail.write(self.folder.segments_path)
        errors, statistics = self.simulation.error_budget(), getattr(self.simulation, "statistics", {})
        self._serial += 1
        checkpoint = Checkpoint(
            self.row, self.time, tail, self.layout, errors, self.identity, self._serial, statistics
        )  # fmt: skip
        checkpoint.write(self.folder.path / self._next_generation, self.simulation.checkpoint(copy=False))
        self._next_generation = other_generation(self._next_generation)
        self._named.append(tail)
        self._remove_superseded()

    def _remove_superseded(self) -> None:
        """Remove the tail of the generation that was just written over, unless it is full and so part of the run."""
        if len(self._named) < 3:
            return
        old, *newer = self._named
        if old is not None and old not in newer and old.end - old.start < self.tail.capacity:
            remove(self.folder.segments_path / old.name)
        self._named = newer

    def _clean(self, found: Recovered) -> None:
        """Remove what a kill left behind: rows no checkpoint names, files not yet renamed."""
        keep = {segment.name for segment in [*found.segments, found.spare_tail] if segment is not None}
        remove_all_but(self.folder.segments_path, keep)
        for path in self.folder.path.glob(f"*{TEMPORARY}"):
            remove(path)

    def _restore(self, checkpoint: Checkpoint, found: Recovered) -> None:
        if checkpoint.layout.tree() != self.layout.tree():
            raise ValueError(f"simulation: its rows differ from those in {self.folder.path}; allowed: the same problem")
        self._check_code(checkpoint)
        for problem in found.damage:
            log.warning("%s; continuing from row %d", problem, checkpoint.row)
        assert found.path is not None
        self.simulation.restore(state_in(found.path))
        self.tail.reload(self.folder.segments_path, checkpoint.tail)
        self.row, self.time = checkpoint.row, checkpoint.time
        self._named.append(checkpoint.tail)
        provenance = self.folder.provenance
        provenance["resumes"].append(resume_entry(provenance, self.row, found.damage))
        write_provenance(self.folder.path / PROVENANCE, provenance)

    def _check_code(self, checkpoint: Checkpoint) -> None:
        """Refuse rows of another version of the physics, unless forced: a run is of one version."""
        before, now = checkpoint.identity.get("code", "unknown"), self.identity["code"]
        if before == now:
            return
        problem = f"code: {self.folder.path} was begun with another version of llgnegf ({before[:12]}, now {now[:12]})"
        if not self.force:
            raise ValueError(f"{problem}; allowed: that version, or resume --force")
        log.warning("%s; going on by force", problem)
