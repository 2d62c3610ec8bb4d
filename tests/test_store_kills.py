"""Committed rows survive kills at any moment, full disks and damaged files, and a resume gives the same bits."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from fake_simulation import INPUT, FakeSimulation, created, expected, stop_after, stored

from llgnegf._files import write_atomic
from llgnegf.store import DamagedRunError, RunFolder, StorageError, run_in_folder
from llgnegf.store import folder as folder_module
from llgnegf.store import segments as segments_module
from llgnegf.store.checkpoint import read_generations
from llgnegf.store.records import read_record, write_record
from llgnegf.store.segments import Segment, Tail, blocks

# --- kills ------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for SIGKILL: from here on the process does nothing more to the disk."""


class KillAt:
    """Lets the first `count` calls that change the disk happen, kills in the middle of the next one."""

    CALLS = ("write", "fsync", "replace", "unlink", "open", "ftruncate")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int, kill: Callable[[], None] | None = None) -> None:
        self.left, self.kill = count, kill
        for name in self.CALLS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if self.left > 0:
                self.left -= 1
                return call(*arguments, **options)
            if self.left == 0 and call.__name__ == "write":
                call(arguments[0], arguments[1][: len(arguments[1]) // 2])
            self.left = -1
            if self.kill is not None:
                self.kill()
            raise Killed

        return counted


def survives(path: Path, monkeypatch: pytest.MonkeyPatch, count: int, n_rows: int) -> bool:
    """Run in `path`, killed at change number `count` of the disk, then to the end; returns whether it was killed."""
    killed = True
    with monkeypatch.context() as kernel:
        KillAt(kernel, count)
        try:
            folder = RunFolder.open(path) if path.exists() else RunFolder.create(path, INPUT, [])
            run_in_folder(folder, FakeSimulation(n_rows), commit_every_s=0.0)
            killed = False
        except Killed:
            pass
    made = (path / "input.toml").exists()
    folder = RunFolder.open(path) if made else RunFolder.create(path, INPUT, [])
    assert run_in_folder(folder, FakeSimulation(n_rows), commit_every_s=0.0)
    assert not list(path.rglob("*.tmp"))
    return killed


def test_kill_at_every_change_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each system call of a run that changes the disk, from the making of the folder on, is the last one once."""

    def write_bytes(path: Path, folder: Path, segments: list[Segment], *_: Any) -> None:
        columns = [rows for _, rows in blocks(folder, segments, 10**6)]
        write_atomic(path, [columns[0][name].tobytes() for name in sorted(columns[0])])

    monkeypatch.setattr(folder_module, "write_result", write_bytes)  # HDF5 takes a second; it has its own test
    monkeypatch.setattr(segments_module, "SEGMENT_BYTES", 8 * 15 * 3)
    survived = 0
    while survives(tmp_path / str(survived), monkeypatch, survived, n_rows=5):
        rows = expected(5)
        result = RunFolder.open(tmp_path / str(survived)).result_path.read_bytes()
        assert result == b"".join(rows[name] for name in sorted(rows)), f"killed at change {survived}"
        survived += 1
    # 5 commits of a segment and a checkpoint, each opened, written, synced and renamed, are 40 calls at the least.
    assert survived > 40


def test_kill_while_the_result_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows are committed; killed at each change of the disk until result.nc is there."""
    complete = created(tmp_path)
    with patch.object(folder_module, "write_result", side_effect=Killed), pytest.raises(Killed):
        run_in_folder(complete, FakeSimulation(), commit_every_s=1e9)
    assert complete.status().rows == 40
    read, survived = set[bytes](), 0  # files with the same bytes are opened once
    while True:
        path = tmp_path / str(survived)
        shutil.copytree(complete.path, path)
        if not survives(path, monkeypatch, survived, n_rows=40):
            break
        result = RunFolder.open(path).result_path.read_bytes()
        assert result in read or stored(RunFolder.open(path)) == expected(), f"killed at change {survived}"
        read.add(result)
        survived += 1
    assert survived > 8


def child(folder: RunFolder, simulation: FakeSimulation, kill_at: int | None) -> int:
    """Fork a process that runs in `folder` and, if `kill_at` is given, kills itself at that change of the disk."""
    pid = os.fork()
    if pid:
        return pid
    try:
        if kill_at is not None:
            KillAt(pytest.MonkeyPatch(), kill_at, lambda: os.kill(os.getpid(), signal.SIGKILL))
        run_in_folder(folder, simulation, commit_every_s=0.002)
    finally:
        os._exit(0)


def test_ten_kills_at_random_moments(tmp_path: Path) -> None:
    """SIGKILL from outside at any moment, or in the middle of a write; the resumes are killed too."""
    moments = random.Random(20)
    folder, kills = None, 0
    for attempt in range(1000):
        if folder is None or folder.finished:
            folder = RunFolder.create(tmp_path / str(attempt), INPUT, [])
        inside = attempt % 2 == 0
        pid = child(folder, FakeSimulation(60, pause=0.003), moments.randrange(150) if inside else None)
        if not inside:
            time.sleep(moments.uniform(0.0, 0.2))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        kills += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if kills >= 10:
            break
    assert kills == 10
    for path in tmp_path.iterdir():
        run = RunFolder.open(path)
        assert run_in_folder(run, FakeSimulation(60))
        assert stored(run) == expected(60)


def test_resume_in_a_new_interpreter(tmp_path: Path) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(11))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from fake_simulation import *;"
        "from llgnegf.store import run_in_folder;"
        "assert run_in_folder(RunFolder.open(sys.argv[2]), FakeSimulation())"
    )
    subprocess.run([sys.executable, "-c", program, str(Path(__file__).parent), str(folder.path)], check=True)
    assert stored(folder) == expected()


def test_orphan_segments_are_discarded(tmp_path: Path) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(9))
    tail = Tail(FakeSimulation().variables)
    for row, columns in FakeSimulation().rows():
        tail.append(-1.0, columns)
        if row == 20:
            break
    tail.write(folder.segments_path)
    (folder.segments_path / "000000000021-000000000030.rows").write_bytes(b"half a segm")
    assert run_in_folder(folder, FakeSimulation())
    assert stored(folder) == expected()


# --- damage -----------------------------------------------------------------------------------------------------------


def damages(path: Path, n_offsets: int) -> Iterator[tuple[str, bytes]]:
    """The content of `path` truncated, and with one bit flipped, at `n_offsets` offsets from first to last byte."""
    data = path.read_bytes()
    for offset in np.linspace(0, len(data) - 1, n_offsets).astype(int):
        yield f"truncated at {offset}", data[:offset]
        yield f"flipped at {offset}", data[:offset] + bytes([data[offset] ^ 0x10]) + data[offset + 1 :]


def stopped_twice(path: Path) -> tuple[RunFolder, Path, Path]:
    """A run stopped after rows 10 and 20: its folder, its newer and its older checkpoint."""
    folder = RunFolder.create(path, INPUT, [])
    for _ in range(2):
        run_in_folder(folder, FakeSimulation(), commit_every_s=1e9, stop_requested=stop_after(10))
    newer, older = read_generations(folder.path)[0]
    assert [read_generations(folder.path)[0][name].row for name in (newer, older)] == [20, 10]
    return folder, folder.path / newer, folder.path / older


def test_damaged_checkpoint_is_noticed_and_the_one_before_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, newer, _ = stopped_twice(tmp_path / "run")
    whole = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    for what, data in damages(newer, 20):
        for path in set(folder.path.rglob("*")) - set(whole):
            if path.is_file():
                path.unlink()
        for path, content in whole.items():
            path.write_bytes(content)
        newer.write_bytes(data)
        status = folder.status()
        assert status.rows == 10, what
        assert newer.name in status.damage[0], what
        caplog.clear()
        assert not run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(15)), what
        assert "continuing from row 10" in caplog.text, what
        assert stored(folder) == expected(25), what
        assert newer.name in folder.provenance["resumes"][-1]["notes"][0], what


def test_both_checkpoints_damaged_is_refused(tmp_path: Path) -> None:
    folder, newer, older = stopped_twice(tmp_path / "run")
    older.write_bytes(older.read_bytes()[:-1])
    for what, data in damages(newer, 20):
        newer.write_bytes(data)
        with pytest.raises(DamagedRunError, match="no whole checkpoint"):
            run_in_folder(folder, FakeSimulation())
        assert folder.status().rows == 0, what


def test_damaged_tail_falls_back_and_damaged_history_is_refused(tmp_path: Path) -> None:
    folder, newer, older = stopped_twice(tmp_path / "run")
    tail = folder.segments_path / "000000000000-000000000020.rows"
    whole = tail.read_bytes()
    for _, data in damages(tail, 20):
        tail.write_bytes(data)
        assert folder.recover().checkpoint.row == 10
    tail.write_bytes(whole)
    assert folder.recover().checkpoint.row == 20
    for path in folder.segments_path.iterdir():
        path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedRunError, match=r"\.rows is damaged|\.rows: is damaged"):
        run_in_folder(folder, FakeSimulation())
    for path in (newer, older):
        path.unlink()
    with pytest.raises(DamagedRunError, match="rows but no checkpoint"):
        run_in_folder(folder, FakeSimulation())


def test_a_segment_of_another_run_is_not_accepted(tmp_path: Path) -> None:
    """Whole in itself, but not the file that the checkpoint was written with."""
    folder, _, _ = stopped_twice(tmp_path / "run")
    for path in folder.segments_path.iterdir():
        tree = read_record(path)
        tree["columns"]["energy_sd"][3] += 1e-16
        write_record(path, tree)
    with pytest.raises(DamagedRunError, match="not the file the checkpoint was written with"):
        folder.recover()


def test_kill_after_a_fallback(tmp_path: Path) -> None:
    """The whole checkpoint must stay until another whole one replaces the damaged one."""
    folder, newer, older = stopped_twice(tmp_path / "run")
    newer.write_bytes(b"")
    before = older.read_bytes()
    assert not run_in_folder(folder, FakeSimulation(), commit_every_s=1e9, stop_requested=stop_after(3))
    assert older.read_bytes() == before
    assert folder.status().rows == 13
    assert run_in_folder(folder, FakeSimulation())
    assert stored(folder) == expected()


# --- full disk --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["write", "fsync", "open"])
def test_simulated_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    folder = created(tmp_path)
    calls = 0
    real = getattr(os, name)

    def full(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **options)

    with monkeypatch.context() as kernel:
        kernel.setattr(os, name, full)
        with pytest.raises(StorageError) as caught:
            run_in_folder(folder, FakeSimulation(), commit_every_s=0.0)
    message = str(caught.value)
    assert caught.value.errno == errno.ENOSPC
    assert str(folder.path) in message and "errno 28, ENOSPC" in message and "\n" not in message
    rows = folder.status().rows
    assert rows > 0
    assert stored(folder) == expected(rows)
    assert run_in_folder(folder, FakeSimulation())
    assert stored(folder) == expected()
