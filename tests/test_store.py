"""The run folder: committed rows survive kills, full disks and damage, and a resume gives the same bits.

`FakeSimulation` stands in for the physics: cheap chaotic arithmetic in which one lost bit shows in all later rows.
"""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

from llgnegf.result import ErrorEstimate, Variable, build_dataset
from llgnegf.store import DamagedRunError, FolderInUseError, RunFolder, StorageError, run_in_folder
from llgnegf.store import segments as segments_module
from llgnegf.store.checkpoint import GENERATIONS, read_generations
from llgnegf.store.records import read_record, write_record
from llgnegf.store.segments import Segment, Tail, blocks, chain

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
    """`llgnegf.simulate.Simulation` with coupled logistic maps x -> r x (1 - x) in the place of electrons."""

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
                time.sleep(self.pause)
            flat = self.x.ravel(order="K")
            columns = {
                "moments": self.x, "lead_current": flat[:2], "bond_current": np.diff(self.x[:, 0]),
                "energy_sd": np.asarray(self.mixing),
            }  # fmt: skip
            self.row += 1
            yield self.row - 1, columns

    def checkpoint(self) -> dict[str, Any]:
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


# --- an undisturbed run --------------------------------------------------------------------------------------------


def test_result_is_the_dataset_of_the_rows(tmp_path: Path) -> None:
    folder = created(tmp_path)
    assert run_in_folder(folder, FakeSimulation())
    assert stored(folder) == expected()
    with xarray.open_dataset(folder.result_path, engine="h5netcdf") as dataset:
        assert dict(dataset.sizes) == {"time": 40, "site": 3, "component": 3, "lead": 2, "bond": 2}
        assert dataset.moments.dims == ("time", "site", "component")
        assert dataset.lead_current.attrs == {"units": "electrons/fs", "long_name": "current into the lead"}
        assert dataset.time.attrs["units"] == "fs"
        assert list(dataset.component.values) == ["x", "y", "z"]
        assert list(dataset.bond.values) == ["0-1", "1-2"]
        assert dataset.attrs["input"] == INPUT
        budget = json.loads(dataset.attrs["error_budget"])
        assert budget["coupling_poles"] == {"value": 1e-7 * 40, "bounds": "the kernel"}
        assert budget["time_step"]["value"] is None
        provenance = json.loads(dataset.attrs["provenance"])
    assert provenance["command"] == ["llgnegf", "run", "in.toml"]
    assert provenance["libraries"]["numpy"] == np.__version__
    assert provenance["finished"] >= provenance["created"]
    assert provenance["resumes"] == []


def test_result_equals_build_dataset(tmp_path: Path) -> None:
    folder, simulation = created(tmp_path), FakeSimulation()
    run_in_folder(folder, FakeSimulation())
    rows = [{name: np.array(value) for name, value in columns.items()} for _, columns in simulation.rows()]
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    with folder.dataset() as dataset:
        same = build_dataset(simulation.times, columns, simulation.variables, simulation.coordinates, dataset.attrs)
        xarray.testing.assert_identical(dataset.load(), same)


def test_one_site_has_no_bonds_but_a_result(tmp_path: Path) -> None:
    folder = created(tmp_path)
    assert run_in_folder(folder, FakeSimulation(n_sites=1))
    assert stored(folder) == expected(n_sites=1)
    with folder.dataset() as dataset:
        assert dataset.sizes["bond"] == 0


def test_file_does_not_depend_on_where_commits_fell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes after the attributes: chunks are laid out by row number, not by segment."""
    datasets = []
    for i, commit_every_s in enumerate((0.0, 1000.0)):
        monkeypatch.setattr(segments_module, "SEGMENT_BYTES", 150 * (7 + 5 * i))
        folder = RunFolder.create(tmp_path / str(i), INPUT, [])
        run_in_folder(folder, FakeSimulation(), commit_every_s=commit_every_s)
        datasets.append(stored(folder))
    assert datasets[0] == datasets[1] == expected()


def test_status_while_running_and_after(tmp_path: Path) -> None:
    folder = created(tmp_path)
    assert (folder.status().rows, folder.status().total_rows, folder.status().running) == (0, None, None)
    assert not run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(13))
    status = RunFolder.open(folder.path).status()
    assert (status.rows, status.total_rows, status.time, status.t_end) == (13, 40, 3.0, 9.75)
    assert not status.finished
    assert status.errors["coupling_poles"].value == 1e-7 * 13
    assert "input" not in status.provenance
    seen: list[float] = []
    assert run_in_folder(folder, FakeSimulation(), progress=seen.append)
    assert seen == [3.0, *FakeSimulation().times[13:]]
    assert folder.status().finished
    assert run_in_folder(folder, FakeSimulation())


def test_committed_rows_of_an_unfinished_run(tmp_path: Path) -> None:
    folder = created(tmp_path)
    with pytest.raises(StorageError, match="no row is committed yet"):
        folder.dataset()
    run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(7))
    assert stored(folder) == expected(7)
    assert not folder.result_path.exists()


# --- stop and resume -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("segment_rows", [1, 3, 1000])
def test_resume_after_every_row_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segment_rows: int
) -> None:
    """Stopped after each single row, with segments of 1 row, of 3, and one for all."""
    monkeypatch.setattr(segments_module, "SEGMENT_BYTES", 8 * 15 * segment_rows)
    folder = created(tmp_path)
    for row in range(1, 40):
        assert not run_in_folder(folder, FakeSimulation(), commit_every_s=1e9, stop_requested=stop_after(1))
        assert folder.status().rows == row
    assert run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(1))
    assert stored(folder) == expected()
    assert len(folder.provenance["resumes"]) == 39


def test_stop_before_the_first_row(tmp_path: Path) -> None:
    folder = created(tmp_path)
    assert not run_in_folder(folder, FakeSimulation(), stop_requested=lambda: True)
    assert folder.status().rows == 0
    assert folder.dataset().sizes["time"] == 0
    assert run_in_folder(folder, FakeSimulation())
    assert stored(folder) == expected()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_commits_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    folder, before = created(tmp_path), signal.getsignal(number)

    def send_at_row_5(reached: float) -> None:
        if reached == 0.25 * 5:
            os.kill(os.getpid(), number)

    assert not run_in_folder(folder, FakeSimulation(), progress=send_at_row_5, commit_every_s=1e9)
    assert folder.status().rows == 6
    assert signal.getsignal(number) is before
    assert run_in_folder(folder, FakeSimulation())
    assert stored(folder) == expected()


def test_second_interrupt_is_not_held_back(tmp_path: Path) -> None:
    folder = created(tmp_path)

    def twice(reached: float) -> None:
        if reached == 0.25 * 5:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)

    with pytest.raises(KeyboardInterrupt):
        run_in_folder(folder, FakeSimulation(), progress=twice)
    assert run_in_folder(folder, FakeSimulation())
    assert stored(folder) == expected()


def test_runs_outside_the_main_thread(tmp_path: Path) -> None:
    folder, finished = created(tmp_path), []
    thread = threading.Thread(target=lambda: finished.append(run_in_folder(folder, FakeSimulation())))
    thread.start()
    thread.join(20)
    assert finished == [True]


def test_superseded_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """40 commits, each of one row: beside the full segments only the tails of two generations may stay."""
    monkeypatch.setattr(segments_module, "SEGMENT_BYTES", 8 * 15 * 6)
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation(), commit_every_s=0.0)
    full = {f"{i:012d}-{i + 6:012d}.rows" for i in range(0, 36, 6)}
    tails = {f"{36:012d}-{39:012d}.rows", f"{36:012d}-{40:012d}.rows"}
    assert {path.name for path in folder.segments_path.iterdir()} == full | tails


def test_simulation_of_another_problem_is_refused(tmp_path: Path) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(3))
    with pytest.raises(ValueError, match="its rows differ"):
        run_in_folder(folder, FakeSimulation(n_sites=4))


def test_missing_and_repeated_rows_are_noticed(tmp_path: Path) -> None:
    class Skips(FakeSimulation):
        def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
            return ((row + (row > 4), columns) for row, columns in super().rows())

    class Ends(FakeSimulation):
        def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
            return (item for item in super().rows() if item[0] < 10)

    with pytest.raises(RuntimeError, match="row 6; expected row 5"):
        run_in_folder(created(tmp_path), Skips())
    with pytest.raises(RuntimeError, match="ended after row 10 of 40"):
        run_in_folder(RunFolder.create(tmp_path / "other", INPUT, []), Ends())


# --- kills ---------------------------------------------------------------------------------------------------------


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


def test_kill_at_every_change_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every single system call of a run, from making the folder to the rename of result.nc, is the last one once."""
    monkeypatch.setattr(segments_module, "SEGMENT_BYTES", 8 * 15 * 3)
    survived = 0
    for count in range(10_000):
        path = tmp_path / str(count)
        killed = True
        with monkeypatch.context() as patch:
            KillAt(patch, count)
            try:
                run_in_folder(RunFolder.create(path, INPUT, []), FakeSimulation(8), commit_every_s=0.0)
                killed = False
            except Killed:
                pass
        made = (path / "input.toml").exists()
        folder = RunFolder.open(path) if made else RunFolder.create(path, INPUT, [])
        assert run_in_folder(folder, FakeSimulation(8), commit_every_s=0.0)
        assert stored(folder) == expected(8)
        assert not list(path.rglob("*.tmp"))
        survived += killed
        if not killed:
            break
    # 8 commits of a segment and a checkpoint, each opened, written, synced and renamed, are 64 calls at the least.
    assert survived > 64


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
        "import sys; sys.path.insert(0, sys.argv[1]); from test_store import *;"
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


# --- damage --------------------------------------------------------------------------------------------------------


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
        assert run_in_folder(folder, FakeSimulation()), what
        assert "continuing from row 10" in caplog.text, what
        assert stored(folder) == expected(), what
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
        tree, _ = read_record(path)
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


# --- full disk -----------------------------------------------------------------------------------------------------


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

    with monkeypatch.context() as patch:
        patch.setattr(os, name, full)
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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB; skipped where mounting is not allowed."""
    mount = tmp_path / "disk"
    mount.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)]
        done = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        done = False
    if not done:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.parametrize("ballast_kB", [0, 800, 1990])
def test_full_disk_of_2_MB(small_disk: Path, ballast_kB: int) -> None:
    """2.5 MB of rows do not fit; with 0.8 MB of ballast not even ... until the ballast is gone and they are fewer."""
    ballast = small_disk / "ballast"
    n_rows = 4000  # of 15 numbers: 480 kB of rows, twice in the end, and two tails
    folder = RunFolder.create(small_disk / "run", INPUT, [])
    ballast.write_bytes(bytes(1000 * ballast_kB))
    simulation = FakeSimulation(n_rows)
    if ballast_kB:
        with pytest.raises(StorageError) as caught:
            run_in_folder(folder, simulation, commit_every_s=0.01)
        assert caught.value.errno == errno.ENOSPC
        rows = folder.status().rows
        if rows:
            assert stored(folder) == expected(rows)
        ballast.unlink()
    assert run_in_folder(folder, FakeSimulation(n_rows), commit_every_s=1e9)
    assert stored(folder) == expected(n_rows)


# --- input, lock, folder -------------------------------------------------------------------------------------------


def test_changed_input_is_refused_by_field(tmp_path: Path) -> None:
    folder = created(tmp_path)
    folder.check_same_input(INPUT.replace("# comment", "").replace("10.0", "1e1"))
    changed = INPUT.replace("0.02", "0.03").replace("site = -1", "site = -2\nvoltage = 0.1").replace("t_end = 10.0", "")
    with pytest.raises(ValueError, match="magnet.damping") as caught:
        folder.check_same_input(changed)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["leads[1].site", "leads[1].voltage", "magnet.damping", "t_end"]
    assert "magnet.damping: 0.03 instead of 0.02" in lines[2]
    with pytest.raises(ValueError, match="schema_version: True instead of 1"):
        folder.check_same_input(INPUT.replace("schema_version = 1", "schema_version = true"))


def test_edited_input_file_is_refused(tmp_path: Path) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(3))
    (folder.path / "input.toml").write_text(INPUT.replace("t_end = 10.0", "t_end = 20.0"))
    with pytest.raises(ValueError, match="t_end: 20.0 instead of 10.0"):
        run_in_folder(folder, FakeSimulation())
    assert folder.config_text == INPUT


def test_folder_that_is_not_new_is_refused(tmp_path: Path) -> None:
    folder = created(tmp_path)
    with pytest.raises(ValueError, match="holds a run"):
        RunFolder.create(folder.path, INPUT, [])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match=r"holds 'thesis\.tex'"):
        RunFolder.create(tmp_path / "other", INPUT, [])
    with pytest.raises(ValueError, match=r"holds no input\.toml"):
        RunFolder.open(tmp_path / "other")


def test_two_processes_cannot_run_in_one_folder(tmp_path: Path) -> None:
    folder = created(tmp_path)
    pid = child(folder, FakeSimulation(10_000, pause=0.01), None)
    deadline = time.monotonic() + 20
    while folder.status().rows == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        assert folder.status().running.startswith(f"process {pid} on ")
        with pytest.raises(FolderInUseError, match=f"in use by process {pid}"):
            run_in_folder(folder, FakeSimulation(10_000))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert folder.status().running is None
    assert not run_in_folder(folder, FakeSimulation(10_000), stop_requested=stop_after(1))


# --- records and segments ------------------------------------------------------------------------------------------


def test_record_gives_back_types_values_and_memory_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tree = {
        "f": rng.normal(size=(3, 4)), "fortran": np.asfortranarray(rng.normal(size=(3, 4))),
        "z": rng.normal(size=(2, 2)) + 1j, "empty": np.empty((0, 3)), "scalar": np.array(0.1), "bool": np.array([True]),
        "number": np.float64(0.1), "int": 2**70, "float": 0.1 + 0.2, "complex": 1 - 2j, "none": None, "inf": float("inf"),
        "nested": {"list": [1, (2.5, "text")], "strided": rng.normal(size=(6, 4))[::2, ::2]},
    }  # fmt: skip
    write_record(tmp_path / "record", tree)
    read, _ = read_record(tmp_path / "record")
    for name in ("f", "fortran", "z", "empty", "scalar", "bool"):
        assert read[name].dtype == tree[name].dtype
        np.testing.assert_array_equal(read[name], tree[name])
        assert read[name].flags.f_contiguous == tree[name].flags.f_contiguous
        assert read[name].flags.writeable
    np.testing.assert_array_equal(read["nested"]["strided"], tree["nested"]["strided"])
    assert read["nested"]["list"] == [1, (2.5, "text")]
    for name in ("number", "int", "float", "complex", "none", "inf"):
        assert read[name] == tree[name]
        assert type(read[name]) is type(tree[name])
    with pytest.raises(TypeError, match="set"):
        write_record(tmp_path / "record", {"a": {1}})


def test_blocks_do_not_depend_on_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of 1 to 9 rows, cut at random, in blocks of 5: always rows 0-4, 5-9, ..."""
    cuts = random.Random(3)
    monkeypatch.setattr(segments_module, "SEGMENT_BYTES", 16 * 9)
    tail = Tail({"energy": Variable((), (), "eV", "")})
    named: Segment | None = None
    for row in range(53):
        tail.append(float(row), {"energy": np.array(2.0 * row)})
        if tail.full or cuts.random() < 0.3:
            named = tail.write(tmp_path)
    named = tail.write(tmp_path)
    found = list(blocks(tmp_path, chain(tmp_path, named), 5))
    assert [start for start, _ in found] == list(range(0, 53, 5))
    np.testing.assert_array_equal(np.concatenate([b["energy"] for _, b in found]), 2.0 * np.arange(53))
    assert {len(b["time"]) for _, b in found[:-1]} == {5}


# --- memory --------------------------------------------------------------------------------------------------------


def peak_memory(path: Path, n_rows: int) -> int:
    """Peak resident memory, in bytes, of a process that does nothing but one run of `n_rows` rows."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            folder = RunFolder.create(path, INPUT, [])
            assert run_in_folder(folder, FakeSimulation(n_rows, n_sites=30))
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            (path / "memory").write_text(str(used))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    return int((path / "memory").read_text())


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """10^5 rows of 123 numbers are 98 MB; running and finishing take a few segments of 1 MB more than 10^3 rows do."""
    few, many = peak_memory(tmp_path / "few", 1_000), peak_memory(tmp_path / "many", 100_000)
    assert many - few < 16 * segments_module.SEGMENT_BYTES
    assert GENERATIONS[0] in os.listdir(tmp_path / "many")
