"""A run folder, or that of an ensemble, read for a page; nothing in it is written, and another process may run in it.

`Follower` looks at it again and again, for pages that are open.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import xarray

from llgnegf.config import ConfigError, RunConfig
from llgnegf.problem.plausibility import silent
from llgnegf.store import RunFolder, RunStatus, StorageError
from llgnegf.store.checkpoint import GENERATIONS
from llgnegf.store.lock import holder
from llgnegf.sweep.gather import REALISATION
from llgnegf.sweep.run import RESULT
from llgnegf.view.content import Content, content
from llgnegf.view.words import description, progress, provenance

LOOK_S, SHARE = 0.5, 0.1
"""Seconds between two looks at the folder, and the part of a core's time that goes into reading it at most."""
WATCHED = (*GENERATIONS, ".", "segments", "result.nc", "provenance.json", "input.toml", RESULT)
Mark = tuple[int, int, int] | None
RATE_S = 60.0
"""The rate of a run is that of the last so many seconds."""


@dataclass(frozen=True)
class State:
    """A folder at one moment.

    Attributes:
        content: What there is to show; None before the first row, and of a folder that cannot be read.
        about: What the run computes, in words.
        progress: How far it is, in words.
        done: The same as a number from 0 to 1.
        time: The same in fs.
        running: Whether a process runs in it.
        complaint: What is wrong with the folder; "" if nothing is.
    """

    content: Content | None = None
    about: str = ""
    progress: str = ""
    done: float = 0.0
    time: float = 0.0
    running: bool = False
    complaint: str = ""


def read(path: Path) -> State:
    """The run, finished or not, or the means of the ensemble in the folder `path` with their standard errors.

    Raises:
        ValueError: If there is neither.
        StorageError: If it is damaged.
    """
    if (path / RESULT).is_file() and not (path / "input.toml").exists():
        return _ensemble(path)
    try:
        folder = RunFolder.open(path)
    except ValueError:
        if runs := sorted(child.name for child in path.glob("run_*") if (child / "input.toml").is_file()):
            allowed = f"the folder of a run, such as {path / runs[0]}, or of an ensemble that is finished"
            raise ValueError(f"folder: {path} holds a sweep; allowed: {allowed}") from None
        raise
    status, text = folder.status(), folder.config_text
    if not status.rows and not status.finished:
        return _state(status, text)
    with folder.dataset() as dataset:
        n_rows = dataset.sizes["time"]
        if n_rows > status.rows:  # committed meanwhile
            status = folder.status()
        state = _state(status, text)
        if n_rows < status.rows and (lost := folder.recover().damage):  # an older commit is whole
            state = replace(state, complaint="; ".join(dict.fromkeys([*status.damage, *lost])))
        if not n_rows:
            return state
        shown = content(dataset, max(n_rows, status.total_rows or 0))
    origin = provenance(status.provenance)
    return replace(state, content=replace(shown, errors=status.errors, input=text, origin=origin))


def _state(status: RunStatus, text: str) -> State:
    done = status.rows / status.total_rows if status.total_rows else 0.0
    running, complaint = status.running is not None, "; ".join(status.damage)
    return State(None, _about(text), progress(status), done, status.time, running, complaint)


def _ensemble(path: Path) -> State:
    try:
        with xarray.open_dataset(path / RESULT, engine="h5netcdf") as dataset:
            swept = {str(dim) for v in dataset.data_vars.values() if "time" in v.dims for dim in v.dims[:1]}
            if not swept <= {REALISATION, "time"} or REALISATION not in dataset.dims:
                allowed = "the folder of one of its runs, or that of an ensemble"
                raise ValueError(f"folder: {path} holds a sweep; allowed: {allowed}")
            means, count, text = _means(dataset), dataset.sizes[REALISATION], str(dataset.attrs.get("input", ""))
            runs = [dataset[list(means.data_vars)].isel({REALISATION: k}) for k in range(count)]
            shown = content(means, means.sizes["time"], runs)
    except OSError as error:
        raise StorageError(path / RESULT, " ".join(str(error).split())) from None
    notes = (
        f"Means over the {count} realisations, each of which has its own folder and error budget.",
        "The bands about the curves over time are one standard error of the mean to either side.", *shown.notes,
    )  # fmt: skip
    time = float(shown.time[-1]) if shown.time.size else 0.0
    return State(replace(shown, notes=notes, input=text), _about(text), f"{count} realisations, finished", 1.0, time)


def _means(dataset: xarray.Dataset) -> xarray.Dataset:
    """The means over the realisations, by the names of what they are means of."""
    names = {str(name): str(name).removesuffix("_mean") for name in dataset.data_vars if str(name).endswith("_mean")}
    return dataset[list(names)].rename(names)


@lru_cache(maxsize=4)
def _about(text: str) -> str:
    try:
        with silent():  # of the file was warned when it was run
            return description(RunConfig.loads(text))
    except ConfigError:
        return ""  # terms that are no longer declared, say; the page shows the file


class Follower:
    """Reads the folder `path` when something in it has changed; `state` is what it found last.

    Attributes:
        state: Replaced, never changed. A folder that cannot be read any more keeps the content that it had.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.state = path, State(progress="reading")
        self._seen: object = None
        self._times: deque[tuple[float, float]] = deque()

    def start(self) -> None:
        """Look again and again until the process ends."""
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            began = time.thread_time()
            self.look()
            time.sleep(max(LOOK_S, (time.thread_time() - began) * (1 / SHARE - 1)))

    def look(self) -> None:
        """Read the folder, if it is not as it was at the last look."""
        marks = [_mark(self.path / name) for name in WATCHED]
        seen = (marks, holder(self.path) is not None)
        if seen == self._seen:
            return
        try:
            found = read(self.path)
            self.state = replace(found, progress=found.progress + self._rate(found, marks))
        except Exception as error:  # of any kind: what somebody does to the folder must not end the page
            known = isinstance(error, ValueError | StorageError | OSError)
            text = str(error) if known else f"{self.path}: cannot be read ({type(error).__name__}: {error})"
            gone = f"{self.path} is gone; what is shown is what was read last"
            self.state = replace(self.state, complaint=text if self.path.exists() else gone)
        self._seen = seen

    def _rate(self, found: State, marks: list[Mark]) -> str:
        """How fast the run was in the last commits, and when it ends at that rate; "" before there were two."""
        committed = max((mark[0] for mark in marks[: len(GENERATIONS)] if mark), default=0) / 1e9
        times = self._times
        if found.done >= 1 or (times and times[-1] > (committed, found.time)):
            times.clear()
        if not times or times[-1][0] < committed:
            times.append((committed, found.time))
        while len(times) > 2 and committed - times[1][0] > RATE_S:
            times.popleft()
        gained, waited = found.time - times[0][1], committed - times[0][0]
        if min(gained, waited) <= 0 or not found.running:  # a commit after the marks were taken, say
            return ""
        rate = gained / waited
        return f"; {rate:.3g} fs each second, {_duration(found.time * (1 / found.done - 1) / rate)} left at that rate"


def _mark(path: Path) -> Mark:
    """What changes when a file is written."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
