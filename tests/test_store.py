"""The run folder: what is in it, how a run stops and goes on, what is refused, and how little memory it needs.

Kills, damage and full disks are in test_store_kills.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import signal
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from fake_simulation import INPUT, FakeSimulation, created, expected, stop_after, stored

from llgnegf._netcdf import digest_path
from llgnegf.run.result import Variable, build_dataset
from llgnegf.store import FolderInUseError, RunFolder, StorageError, run_in_folder
from llgnegf.store import segments as segments_module
from llgnegf.store.checkpoint import state_in
from llgnegf.store.records import read_record, write_record
from llgnegf.store.segments import Segment, Tail, blocks, chain

# --- an undisturbed run -----------------------------------------------------------------------------------------------


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
    seen: list[tuple[float, float, str]] = []
    assert run_in_folder(folder, FakeSimulation(), progress=lambda *told: seen.append(told))
    assert [done for done, _, text in seen if text == "running"] == [3.0, *FakeSimulation().times[13:]]
    assert {total for _, total, _ in seen} == {9.75}
    assert list(dict.fromkeys(text for *_, text in seen)) == ["error budget", "running", "writing the result"]
    assert folder.status().finished
    assert run_in_folder(folder, FakeSimulation())


def test_committed_rows_of_an_unfinished_run(tmp_path: Path) -> None:
    folder = created(tmp_path)
    with pytest.raises(StorageError, match="no row is committed yet"):
        folder.dataset()
    run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(7))
    assert stored(folder) == expected(7)
    assert not folder.result_path.exists()


# --- stop and resume --------------------------------------------------------------------------------------------------


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

    def send_at_row_5(reached: float, total: float, text: str) -> None:
        if reached == 0.25 * 5:
            os.kill(os.getpid(), number)

    assert not run_in_folder(folder, FakeSimulation(), progress=send_at_row_5, commit_every_s=1e9)
    assert folder.status().rows == 6
    assert signal.getsignal(number) is before
    assert run_in_folder(folder, FakeSimulation())
    assert stored(folder) == expected()


def test_a_signal_in_the_last_step_stops_before_the_result(tmp_path: Path) -> None:
    folder = created(tmp_path)

    def send_at_the_end(reached: float, total: float, text: str) -> None:
        if reached == total:
            os.kill(os.getpid(), signal.SIGTERM)

    assert not run_in_folder(folder, FakeSimulation(), progress=send_at_the_end, commit_every_s=1e9)
    assert folder.status().rows == 40 and not folder.finished
    assert run_in_folder(folder, FakeSimulation()) and stored(folder) == expected()


def test_sigterm_ends_a_step_that_takes_long(tmp_path: Path) -> None:
    """As the compiler may: the fourth row takes a minute."""
    folder = created(tmp_path)

    class Long(FakeSimulation):
        def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
            for row, columns in super().rows():
                if row == 3:
                    time.sleep(60.0)
                yield row, columns

    pid = os.fork()
    if pid == 0:
        run_in_folder(folder, Long(), commit_every_s=0.0)
        os._exit(0)
    deadline = time.monotonic() + 20
    while folder.status().rows < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    began = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert time.monotonic() - began < 4.0  # 1.6 s, and a machine that does other things too
    assert folder.status().rows == 3 and folder.status().running is None
    assert run_in_folder(folder, FakeSimulation()) and stored(folder) == expected()


def test_second_interrupt_is_not_held_back(tmp_path: Path) -> None:
    folder = created(tmp_path)

    def twice(reached: float, total: float, text: str) -> None:
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


# --- input, lock, folder ----------------------------------------------------------------------------------------------


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
    pid = os.fork()
    if pid == 0:
        run_in_folder(folder, FakeSimulation(10_000, pause=0.01), commit_every_s=0.0)
        os._exit(0)
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


# --- records and segments ---------------------------------------------------------------------------------------------


def test_record_gives_back_types_values_and_memory_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tree = {
        "f": rng.normal(size=(3, 4)), "fortran": np.asfortranarray(rng.normal(size=(3, 4))),
        "z": rng.normal(size=(2, 2)) + 1j, "empty": np.empty((0, 3)), "scalar": np.array(0.1), "bool": np.array([True]),
        "number": np.float64(0.1),
        "int": 2**70, "float": 0.1 + 0.2, "complex": 1 - 2j, "none": None, "inf": float("inf"),
        "nested": {"list": [1, (2.5, "text")], "strided": rng.normal(size=(6, 4))[::2, ::2]},
    }  # fmt: skip
    write_record(tmp_path / "record", tree)
    read = read_record(tmp_path / "record")
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


# --- memory -----------------------------------------------------------------------------------------------------------


def peak_memory(path: Path, n_rows: int) -> int:
    """Peak resident memory, in bytes, of a process that does nothing but one run of `n_rows` rows."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            folder = RunFolder.create(path, INPUT, [])
            assert run_in_folder(folder, FakeSimulation(n_rows, n_sites=10))
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            (path / "memory").write_text(str(used))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    return int((path / "memory").read_text())


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """10^5 rows of 43 numbers are 34 MB; running and finishing take a few segments of 1 MB more than 10^3 rows do."""
    few, many = peak_memory(tmp_path / "few", 1_000), peak_memory(tmp_path / "many", 100_000)
    assert many - few < 12 * segments_module.SEGMENT_BYTES


# --- result -----------------------------------------------------------------------------------------------------------


def test_every_flipped_bit_of_a_result_is_noticed_and_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation())
    whole, offsets = folder.result_path.read_bytes(), random.Random(5)
    rows = FakeSimulation().times.size
    for place in [0, len(whole) - 1, *(offsets.randrange(len(whole)) for _ in range(80))]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << offsets.randrange(8)
        folder.result_path.write_bytes(flipped)
        assert folder.damage is not None and "result.nc: is damaged" in folder.damage and not folder.finished
    caplog.clear()
    assert run_in_folder(folder, FakeSimulation())
    assert len(caplog.messages) == 1 and "writing it again from the rows" in caplog.messages[0]
    assert folder.damage is None and stored(folder) == expected(rows)


def test_the_digest_is_one_for_sha256sum(tmp_path: Path) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation())
    line = (folder.path / "result.nc.sha256").read_text()
    assert line == f"{hashlib.sha256(folder.result_path.read_bytes()).hexdigest()}  result.nc\n"


def test_a_result_of_an_earlier_version_has_no_digest(tmp_path: Path) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation())
    digest_path(folder.result_path).unlink()
    with folder.dataset() as dataset:
        assert dataset.sizes["time"] == 40 and folder.damage is None  # though it is open
    whole = folder.result_path.read_bytes()
    folder.result_path.write_bytes(whole[: len(whole) // 2])
    assert not folder.finished and folder.damage is not None
    assert run_in_folder(folder, FakeSimulation()) and digest_path(folder.result_path).exists()


def test_ctrl_c_waits_until_hdf5_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in the middle of HDF5 may end the process; signals come in each of its writes here."""
    folder, real = created(tmp_path), os.write

    def interrupted(descriptor: int, data: Any) -> int:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("result.nc.tmp"):
            os.kill(os.getpid(), signal.SIGINT)
        return real(descriptor, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_in_folder(folder, FakeSimulation())
    assert folder.damage is None and stored(folder) == expected()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_result_is_written_again(tmp_path: Path, share: float) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation())
    whole = folder.result_path.read_bytes()
    folder.result_path.write_bytes(whole[: int(share * len(whole))])
    status = folder.status()
    assert not status.finished and status.rows == 40 and "result.nc: is damaged" in status.damage[-1]
    assert stored(folder) == expected(40)  # from the committed rows
    assert run_in_folder(folder, FakeSimulation())
    assert folder.status().finished and stored(folder) == expected(40)


def test_a_large_state_is_committed_and_looked_at_without_copies(tmp_path: Path) -> None:
    """16 MB of state, of which a commit, `recover` and `status` hold no more than the block that is read at a time."""
    class Large(FakeSimulation):
        def checkpoint(self, copy: bool = True) -> dict[str, Any]:
            return {**super().checkpoint(), "large": large.copy() if copy else large}

    large = np.arange(2.0**21)
    folder = created(tmp_path)
    tracemalloc.start()
    assert run_in_folder(folder, Large(10), commit_every_s=0.0)
    assert folder.status().rows == 10
    assert tracemalloc.get_traced_memory()[1] < 8e6
    tracemalloc.stop()
    found = folder.recover()
    assert found.path is not None and np.array_equal(state_in(found.path)["large"], large)
