"""The run folder: what is in it, what it says of itself, and its rows as a Dataset.

    input.toml          the resolved input; provenance.json keeps it too, so that a later change is noticed
    provenance.json     see `provenance`
    segments/           committed rows, see `segments`
    checkpoint-a.bin, checkpoint-b.bin    see `checkpoint`
    lock                see `lock`
    result.nc           at the end: everything, NetCDF-4
    result.nc.sha256    its digest; `sha256sum --check` reads it
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf._files import TEMPORARY, DamagedRunError, StorageError, storage_errors, sync_folder, write_atomic
from llgnegf._netcdf import netcdf_damage
from llgnegf.run.result import ErrorEstimate
from llgnegf.run.result_file import budget_text
from llgnegf.store.checkpoint import Checkpoint, Recovered, read_generations, recover
from llgnegf.store.identity import differences, identity
from llgnegf.store.lock import LOCK, holder, locked
from llgnegf.store.netcdf import committed_dataset, open_result, write_result
from llgnegf.store.provenance import new_provenance, now, read_provenance, write_provenance

if TYPE_CHECKING:
    import xarray

INPUT, PROVENANCE, SEGMENTS, RESULT = "input.toml", "provenance.json", "segments", "result.nc"


class OtherInputError(ValueError):
    """The folder is that of a run of another input; one line for each field that differs.

    Attributes:
        short: The same in one line, with the first of the differences.
    """

    def __init__(self, path: Path, differences: Sequence[str]) -> None:
        allowed = f"allowed: the input the run in {path} began with"
        super().__init__("\n".join(f"{line}; {allowed}" for line in differences))
        more = f" and {len(differences) - 1} more" if differences[1:] else ""
        self.short = f"folder: {path} holds the run of another input ({differences[0]}{more})"
        self._arguments = path, differences

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments, self.__dict__


@dataclass(frozen=True, eq=False)
class RunStatus:
    """What a run folder says of its run.

    Attributes:
        rows: Rows committed.
        total_rows: Rows of the finished run; None before the run first started.
        time: Time of the last committed row in fs.
        t_end: End of the run in fs; None before the run first started.
        finished: Whether result.nc is there, as it was written.
        running: The process that runs in the folder now, as "process PID on HOST"; None if there is none.
        errors: The error budget so far.
        statistics: Those of the run so far: steps, sizes of the expansions, memory.
        provenance: The content of provenance.json, without the input.
        damage: For each checkpoint that is not whole, why; the same for provenance.json and result.nc.
    """

    rows: int
    total_rows: int | None
    time: float
    t_end: float | None
    finished: bool
    running: str | None
    errors: Mapping[str, ErrorEstimate]
    statistics: Mapping[str, float]
    provenance: Mapping[str, Any]
    damage: Sequence[str]


class RunFolder:
    """The folder of one run. Use `create` or `open`.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: str | Path, config_text: str, command: Sequence[str]) -> RunFolder:
        """Make a run folder; one whose making was interrupted is taken over.

        Args:
            path: A new or empty folder; its parents are made too.
            config_text: The resolved input, TOML.
            command: The command line that makes the run.

        Raises:
            ValueError: If the folder holds a run or anything else.
            FolderInUseError: If another process makes a run in the folder at the moment.
            StorageError: With path and errno.
        """
        folder = cls(Path(path))
        folder._check_new()
        with storage_errors(folder.path, "make the folder"):
            folder.path.mkdir(parents=True, exist_ok=True)
        with locked(folder.path):
            folder._check_new()
            with storage_errors(folder.path, "make the folder"):
                folder.segments_path.mkdir(exist_ok=True)
            write_provenance(folder.path / PROVENANCE, new_provenance(command, config_text))
            write_atomic(folder.path / INPUT, [config_text.encode()])
            with storage_errors(folder.path, "write"):
                sync_folder(folder.path.absolute().parent)
        return folder

    def _check_new(self) -> None:
        present = set(os.listdir(self.path)) if self.path.is_dir() else set()
        if INPUT in present:
            raise ValueError(f"folder: {self.path} holds a run; allowed: a new or empty folder, or resume that run")
        ours = {SEGMENTS, *(name + end for name in (PROVENANCE, INPUT, LOCK) for end in ("", TEMPORARY))}
        if present - ours:
            raise ValueError(f"folder: {self.path} holds {sorted(present - ours)[0]!r}; allowed: a new or empty folder")

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """The run folder at `path`.

        Raises:
            ValueError: If there is no run in it.
        """
        folder = cls(Path(path))
        if not (folder.path / INPUT).is_file():
            raise ValueError(f"folder: {path} holds no {INPUT}; allowed: the folder of a run")
        if folder.segments_path.is_symlink():
            raise ValueError(f"folder: {folder.segments_path} is a link; allowed: a folder of the run's own")
        return folder

    @classmethod
    def open_or_create(cls, path: str | Path, config_text: str, command: Sequence[str]) -> RunFolder:
        """The run folder for the input `config_text`: a new one, or that of the same input, to go on with.

        Raises:
            ValueError: If the folder holds a run of another input, one line for each field, or anything else.
            StorageError: With path and errno.
        """
        if not (Path(path) / INPUT).exists():
            return cls.create(path, config_text, command)
        folder = cls.open(path)
        folder.check_same_input(config_text)
        folder.check_same_input()
        return folder

    @property
    def segments_path(self) -> Path:
        """Where the committed rows are."""
        return self.path / SEGMENTS

    @property
    def result_path(self) -> Path:
        """The NetCDF-4 file; it is there when the run is finished."""
        return self.path / RESULT

    @property
    def finished(self) -> bool:
        """Whether result.nc is there and every byte of it is as it was written."""
        return self.result_path.exists() and self.damage is None

    @property
    def damage(self) -> str | None:
        """What is wrong with result.nc, every byte of it read; None if nothing is, or it is not there yet."""
        return netcdf_damage(self.result_path) if self.result_path.exists() else None

    @property
    def provenance(self) -> dict[str, Any]:
        """The content of provenance.json; where that is damaged, what can still be said of the run."""
        return self._read_provenance()[0]

    def _read_provenance(self) -> tuple[dict[str, Any], list[str]]:
        try:
            return read_provenance(self.path / PROVENANCE), []
        except DamagedRunError as error:
            with storage_errors(self.path / INPUT, "read"):
                text = (self.path / INPUT).read_text()
            return {**new_provenance([], text), "created": None, "remade": str(error)}, [str(error)]

    @property
    def config_text(self) -> str:
        """The resolved input the run was started with, TOML.

        Where provenance.json is damaged it is input.toml: `recover` refuses rows of another input.
        """
        return str(self.provenance["input"])

    def check_same_input(self, text: str | None = None) -> None:
        """Refuse an input that differs, as parsed TOML, from the one the run was started with.

        Args:
            text: The input, TOML; None is the input.toml of the folder, which someone may have edited.

        Raises:
            OtherInputError: One line for each field that differs.
        """
        if text is None:
            with storage_errors(self.path / INPUT, "read"):
                text = (self.path / INPUT).read_text()
        if lines := list(differences(self.config_text, text)):
            raise OtherInputError(self.path, lines)

    def status(self) -> RunStatus:
        """How far the run is; also while it runs."""
        generations, damage = read_generations(self.path)
        newest = next(iter(generations.values()), None)
        finished = self.finished
        provenance, remade = self._read_provenance()
        del provenance["input"]
        return RunStatus(
            rows=newest.row if newest else 0,
            total_rows=newest.layout.total_rows if newest else None,
            time=newest.time if newest else 0.0,
            t_end=newest.layout.t_end if newest else None,
            finished=finished,
            running=None if (process := holder(self.path)) is None else str(process),
            errors=newest.errors if newest else {},
            statistics=newest.statistics if newest else {},
            provenance=provenance,
            damage=[*damage, *remade, *([] if finished else filter(None, [self.damage]))],
        )

    def recover(self) -> Recovered:
        """Where the run stands, everything on the disk verified; raises DamagedRunError."""
        found = recover(self.path, self.segments_path)
        known = found.checkpoint.identity if found.checkpoint is not None else {}
        if known and known["input"] != identity(self.config_text)["input"]:
            raise DamagedRunError(self.path, f"its checkpoint and rows are those of another input than {INPUT}")
        return found

    def dataset(self) -> xarray.Dataset:
        """The result; of an unfinished run the committed rows.

        Raises:
            StorageError: If no row is committed yet.
            DamagedRunError: If what was committed is damaged.
        """
        if self.finished:
            return open_result(self.result_path)
        for attempt in range(5):
            try:
                found = self.recover()
                if found.checkpoint is None:
                    raise StorageError(self.path, "no row is committed yet")
                attributes = self.attributes(found.checkpoint)
                return committed_dataset(self.segments_path, found.segments, found.checkpoint.layout, attributes)
            except DamagedRunError:
                # A running process may have replaced the tail between two reads.
                if attempt == 4 or holder(self.path) is None:
                    raise
                time.sleep(0.1)
        raise AssertionError("unreachable")

    def write_result(self, found: Recovered) -> None:
        """Write result.nc from all rows; raises StorageError."""
        if found.checkpoint is None or found.checkpoint.row != found.checkpoint.layout.total_rows:
            raise StorageError(self.path, "the run is not complete")
        write_provenance(self.path / PROVENANCE, {**self.provenance, "finished": now()})
        write_result(
            self.result_path,
            self.segments_path,
            found.segments,
            found.checkpoint.layout,
            self.attributes(found.checkpoint),
        )

    def attributes(self, checkpoint: Checkpoint) -> dict[str, str]:
        """What the Dataset says of itself: source, input (TOML), error budget and provenance (JSON)."""
        provenance = self.provenance
        text = provenance.pop("input")
        return {
            "title": "llgnegf run",
            "source": f"llgnegf {provenance.get('llgnegf')}",
            "input": text,
            "input_sha256": checkpoint.identity.get("input", ""),
            "code_sha256": checkpoint.identity.get("code", ""),
            "error_budget": budget_text(checkpoint.errors),
            "statistics": json.dumps(dict(checkpoint.statistics)),
            "provenance": json.dumps(provenance),
        }
