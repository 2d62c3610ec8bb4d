"""A run folder belongs to one process, one input and one version of the code."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from fake_simulation import INPUT, FakeSimulation, created, expected, stop_after, stored

from llgnegf.store import DamagedRunError, FolderInUseError, RunFolder, StorageError, run_in_folder
from llgnegf.store import folder as folder_module
from llgnegf.store import lock as lock_module
from llgnegf.store import running as running_module
from llgnegf.store.identity import identity
from validation.folder_races import races

OTHER_INPUT = INPUT.replace("0.02", "0.9")
FRESH, STALE = 10.0, 301.0
"""Seconds since the last sign of life; after 300 a holder on another host counts as gone."""


def elsewhere(age: float) -> str:
    """What the lock file holds that a process on another host wrote `age` seconds ago."""
    return json.dumps({"pid": 7, "host": "elsewhere", "started": "1", "seen": time.time() - age})


def no_locks(*_: Any) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_a_second_input_cannot_come_in_while_a_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, refused = folder_module.write_provenance, []

    def meanwhile(path: Path, provenance: dict[str, Any]) -> None:
        write(path, provenance)
        with pytest.raises(FolderInUseError) as error:
            RunFolder.create(tmp_path / "run", OTHER_INPUT, [])
        refused.append(str(error.value))

    monkeypatch.setattr(folder_module, "write_provenance", meanwhile)
    folder = RunFolder.create(tmp_path / "run", INPUT, [])
    assert len(refused) == 1 and "in use by process" in refused[0]
    assert folder.config_text == INPUT == (folder.path / "input.toml").read_text()


def test_simulation_of_another_input_than_the_folder_s(tmp_path: Path) -> None:
    folder = created(tmp_path)
    with pytest.raises(ValueError, match=r"^magnet.damping: 0.9 instead of 0.02; allowed: the input"):
        run_in_folder(folder, FakeSimulation(), input_text=OTHER_INPUT)
    assert not list(folder.path.glob("checkpoint*"))
    assert run_in_folder(folder, FakeSimulation(), input_text=INPUT.replace("10.0", "10"))


def test_checkpoint_of_another_input_is_not_gone_on_from(tmp_path: Path) -> None:
    theirs = RunFolder.create(tmp_path / "theirs", OTHER_INPUT, [])
    run_in_folder(theirs, FakeSimulation(), stop_requested=stop_after(5))
    ours = created(tmp_path)
    shutil.copytree(theirs.path / "segments", ours.path / "segments", dirs_exist_ok=True)
    for path in theirs.path.glob("checkpoint*"):
        shutil.copy(path, ours.path)
    for read in (lambda: run_in_folder(ours, FakeSimulation()), ours.dataset):
        with pytest.raises(DamagedRunError, match="those of another input"):
            read()


def test_rows_of_another_version_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(5))
    monkeypatch.setattr(running_module, "identity", lambda text: {**identity(text), "code": "f" * 64})
    with pytest.raises(ValueError, match=r"another version of llgnegf \(.{12}, now f{12}\); allowed: .*--force"):
        run_in_folder(folder, FakeSimulation())
    assert run_in_folder(folder, FakeSimulation(), force=True)
    assert stored(folder) == expected(40)


def test_identity_is_that_of_the_fields() -> None:
    same = [INPUT, INPUT.replace("# comment", ""), INPUT.replace("10.0", "1e1"), INPUT.replace("10.0", "10")]
    assert len({identity(text)["input"] for text in same}) == 1
    others = [OTHER_INPUT, INPUT.replace("schema_version = 1", "schema_version = true"), INPUT + "x = []\n"]
    assert len({identity(text)["input"] for text in [INPUT, *others]}) == 4
    assert identity(INPUT)["code"] == identity(OTHER_INPUT)["code"]


def test_result_says_what_it_is_of(tmp_path: Path) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation())
    with folder.dataset() as dataset:
        assert (dataset.attrs["input_sha256"], dataset.attrs["code_sha256"]) == tuple(identity(INPUT).values())


@pytest.mark.parametrize("content", [
    None, "", "{", "[]", "3", '{"input": 3}', '{"input": "", "command": null}', "[" * 100_000,
    '{"input": "", "command": [], "resumes": [3]}',
])  # fmt: skip
def test_neither_status_nor_resume_needs_the_provenance(tmp_path: Path, content: str | None) -> None:
    folder = created(tmp_path)
    run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(5))
    path = folder.path / "provenance.json"
    path.unlink() if content is None else path.write_text(content)
    status = folder.status()
    assert status.rows == 5 and len(status.damage) == 1 and "provenance.json: is " in status.damage[0]
    assert run_in_folder(folder, FakeSimulation())
    assert stored(folder) == expected(40)
    assert folder.status().damage == [] and folder.config_text == INPUT
    assert "provenance.json: is " in folder.provenance["remade"]


# --- lock -------------------------------------------------------------------------------------------------------------


def test_holder_on_another_host(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = created(tmp_path)
    lock = folder.path / "lock"
    lock.write_text(elsewhere(FRESH))
    assert folder.status().running in {f"process 7 on elsewhere, last seen {s} s ago" for s in (10, 11)}
    with pytest.raises(FolderInUseError, match=r"process 7 on elsewhere, last seen 1. s ago; .* after 300 s .*--force"):
        run_in_folder(folder, FakeSimulation())
    assert "elsewhere" in lock.read_text() and not caplog.messages
    assert not run_in_folder(folder, FakeSimulation(), stop_requested=stop_after(2), force=True)
    assert len(caplog.messages) == 1 and "taken from process 7 on elsewhere" in caplog.messages[0]
    lock.write_text(elsewhere(STALE))
    assert folder.status().running is None
    assert run_in_folder(folder, FakeSimulation())


def test_force_does_not_take_a_folder_from_a_process_of_this_host(tmp_path: Path) -> None:
    folder = created(tmp_path)
    with lock_module.locked(folder.path), pytest.raises(FolderInUseError, match=f"process {os.getpid()} on"):
        run_in_folder(folder, FakeSimulation(), force=True)


def test_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = created(tmp_path)
    monkeypatch.setattr(fcntl, "flock", no_locks)
    lock = folder.path / "lock"
    lock.write_text(elsewhere(FRESH))
    with pytest.raises(FolderInUseError, match="elsewhere"):
        run_in_folder(folder, FakeSimulation())
    lock.write_text("")
    with monkeypatch.context() as both:  # another host begins at the same time and writes its name last
        both.setattr(time, "sleep", lambda _: lock.write_text(elsewhere(0.0)))
        with pytest.raises(FolderInUseError, match="taken over by process 7 on elsewhere"):
            run_in_folder(folder, FakeSimulation())
    lock.write_text(elsewhere(STALE))
    caplog.clear()
    assert run_in_folder(folder, FakeSimulation())
    assert len(caplog.messages) == 1 and "the file system has no locks" in caplog.messages[0]


def test_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "BEAT_S", 0.02)
    with lock_module.locked(tmp_path):
        first = json.loads((tmp_path / "lock").read_text())
        assert (first["pid"], first["host"]) == (os.getpid(), socket.gethostname())
        deadline = time.monotonic() + 20
        while json.loads((tmp_path / "lock").read_text())["seen"] == first["seen"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert (tmp_path / "lock").read_text() == ""


def test_a_run_whose_folder_was_taken_over_stops_and_leaves_it_alone(tmp_path: Path) -> None:
    folder = created(tmp_path)
    lock = folder.path / "lock"

    def taken(time: float, total: float, text: str) -> None:
        if time == FakeSimulation().times[4]:
            lock.write_text(elsewhere(0.0))

    with pytest.raises(FolderInUseError, match="taken over by process 7 on elsewhere"):
        run_in_folder(folder, FakeSimulation(), progress=taken, commit_every_s=0.0)
    assert folder.status().rows == 4 and "elsewhere" in lock.read_text()


@pytest.mark.parametrize("content", [
    "{", "[]", "3", '"x"', '{"pid": "7"}', '{"pid": 7, "host": ["a"], "started": "", "seen": 1e300}', "[" * 4096,
    '{"pid": -1, "host": "h", "started": "", "seen": 1.0}', '{"pid": 1, "host": "h", "started": "", "seen": NaN}',
    "{" * 10_000, "\udcff",
])  # fmt: skip
def test_malformed_lock_counts_as_none(tmp_path: Path, content: str) -> None:
    folder = created(tmp_path)
    (folder.path / "lock").write_text(content, errors="surrogateescape")
    assert folder.status().running is None
    assert run_in_folder(folder, FakeSimulation())


def test_links_and_pipes_in_a_folder_that_somebody_sent(tmp_path: Path) -> None:
    folder = created(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    lock = folder.path / "lock"
    lock.unlink()
    lock.symlink_to(victim)
    assert folder.status().running is None
    with pytest.raises(StorageError, match=r"lock: cannot lock: .*ELOOP"):
        run_in_folder(folder, FakeSimulation())
    lock.unlink()
    os.mkfifo(lock)
    assert folder.status().running is None
    with pytest.raises(StorageError, match="is not a regular file"):
        run_in_folder(folder, FakeSimulation())
    lock.unlink()
    for name in ("provenance.json.tmp", "checkpoint-a.bin.tmp", "result.nc.tmp"):
        (folder.path / name).symlink_to(victim)
    assert run_in_folder(folder, FakeSimulation())
    assert victim.read_text() == "precious"


def test_rows_behind_a_link_are_not_ours(tmp_path: Path) -> None:
    folder = created(tmp_path)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.tex").write_text("")
    (folder.path / "segments").rmdir()
    (folder.path / "segments").symlink_to(tmp_path / "theirs")
    with pytest.raises(ValueError, match="segments is a link"):
        RunFolder.open(folder.path)
    run_in_folder(folder, FakeSimulation())
    assert (tmp_path / "theirs" / "thesis.tex").exists()


def test_two_inputs_that_race_for_a_folder(tmp_path: Path) -> None:
    """Of 500 races in validation; the winner's result is its own and the loser gets one line."""
    assert races(tmp_path, 4, seed=2) == []
