"""Processes of a sweep: a death costs one point, an error is named whole, and no process outlives its parent."""

from __future__ import annotations

import importlib
import os
import pickle
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sweep_work
from inputs import moment_in_a_field

import llgnegf
from llgnegf.config import ConfigError, RunConfig
from llgnegf.store import DamagedRunError, FolderInUseError, OtherInputError, RunFolder, StorageError
from llgnegf.store.lock import locked
from llgnegf.sweep import SweepError, run_sweep
from llgnegf.sweep.workers import Killed, WorkerPool, WorkersFailed

TEXT = moment_in_a_field(
    "t_end = 20.0\nsave_every = 5.0", '[sweep.parameters]\n"texture.angle" = [0.2, 0.5, 1.0, 1.5]'
)

# --- exceptions cross processes ---------------------------------------------------------------------------------------

WHOLE: list[BaseException] = [
    ConfigError(["run.t_end: missing; allowed: a number", "lead.0: 3; allowed: a table"]),
    SweepError({"a/run_00001": "cause", "a/run_00004": "other"}, 9),
    *(kind(Path("a/b"), "cannot write", 28) for kind in (StorageError, DamagedRunError, FolderInUseError)),
    OtherInputError(Path("a"), ["t_end: 1.0 instead of 2.0", "seed: 3 is new"]),
]


def exception_classes() -> Iterator[type[BaseException]]:
    for module in pkgutil.walk_packages(llgnegf.__path__, "llgnegf."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == module.name:
                yield value


def test_every_exception_comes_whole_out_of_a_pickle() -> None:
    """Class, message and all attributes, those given later included; classes that are not in WHOLE take a message."""
    examples = {type(error): error for error in WHOLE}
    found = set(exception_classes())
    assert set(examples) <= found and len(found) >= 10
    for kind in found:
        error = examples.get(kind) or kind("what went wrong")
        error.add_note("seen")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind and str(again) == str(error) and vars(again) == vars(error), kind


# --- failing points ---------------------------------------------------------------------------------------------------


def test_bad_points_are_named_and_the_others_finish(tmp_path: Path) -> None:
    """Through processes: a folder in use, a damaged run and a folder of something else, in one sweep of four."""
    config = RunConfig.loads(TEXT)
    run_sweep(config, tmp_path, workers=2)
    for path in tmp_path.glob("run_*/result.nc"):
        path.unlink()
    (tmp_path / "run_00001" / "input.toml").write_text((tmp_path / "run_00002" / "input.toml").read_text())
    for name in ("checkpoint-a.bin", "checkpoint-b.bin"):
        (tmp_path / "run_00003" / name).write_bytes(b"not a checkpoint")
    with locked(tmp_path / "run_00000"), pytest.raises(SweepError) as caught:
        run_sweep(config, tmp_path, workers=2)
    failures = {Path(path).name: cause for path, cause in caught.value.failures.items()}
    assert list(failures) == ["run_00000", "run_00001", "run_00003"]
    assert "lock: the folder is in use by process" in failures["run_00000"]
    assert "input" in failures["run_00001"] and "start the run again" in failures["run_00003"]
    assert "3 of 4 runs failed" in str(caught.value) and failures["run_00003"] in str(caught.value)
    assert [p.parent.name for p in tmp_path.glob("run_*/result.nc")] == ["run_00002"]


def test_a_killed_process_costs_its_point_only(tmp_path: Path) -> None:
    jobs = [(str(tmp_path), name) for name in "abcd"]
    outcomes = dict(WorkerPool(sweep_work.dies_once, 1).outcomes(jobs))
    assert [str(outcomes[k]).split()[0] for k in range(3)] == ["a", "b", "c"]
    assert outcomes[3] == Killed("its process was killed by SIGKILL; out of memory?")
    assert outcomes[0].split()[2] != outcomes[1].split()[2] == outcomes[2].split()[2]  # b, begun again in a new process


def test_processes_that_cannot_start_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr("multiprocessing.spawn._python_exe", b"/bin/false")
    with pytest.raises(WorkersFailed, match="3 processes ended before they could work .its process ended with exit"):
        list(WorkerPool(sweep_work.dies_once, 2).outcomes([(str(tmp_path), "a")]))


# --- the end of the parent --------------------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def eventually(condition: Any, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_no_process_outlives_its_parent(number: signal.Signals, tmp_path: Path) -> None:
    """Even processes that do not end when asked to; all signals but KILL interrupt the parent like Ctrl-C."""
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, sweep_work.__file__, str(tmp_path)], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": paths},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # which nohup ignores, for children too
    )  # fmt: skip
    try:
        assert eventually(lambda: all((tmp_path / k).exists() and (tmp_path / k).read_text() for k in "01"))
        children = [int((tmp_path / k).read_text()) for k in "01"]
        assert all(alive(pid) for pid in children)
        parent.send_signal(number)
        error = parent.communicate(timeout=30)[1]
        assert number == signal.SIGKILL or "KeyboardInterrupt" in error
        assert eventually(lambda: not any(alive(pid) for pid in children), 10.0)
    finally:
        parent.kill()


def test_a_stopped_sweep_has_committed_its_runs(tmp_path: Path) -> None:
    """SIGTERM to `llgnegf sweep`: the rows of the run under way are whole, the next point is not begun."""
    text = TEXT.replace("t_end = 20.0", "t_end = 1e6").replace("save_every = 5.0", "save_every = 1.0")
    (tmp_path / "in.toml").write_text(text.replace("[0.2, 0.5, 1.0, 1.5]", "[0.2, 0.5]"))
    command = [sys.executable, "-m", "llgnegf.cli", "sweep", "in.toml", "-o", "out", "-j", "1", "-q"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    first, segments = tmp_path / "out" / "run_00000", tmp_path / "out" / "run_00000" / "segments"
    try:
        assert eventually(lambda: any(segments.glob("*.rows")))
        process.terminate()
        said = process.communicate(timeout=30)[0]
    finally:
        process.kill()
    assert process.returncode == 130 and said.startswith("out: stopped; committed rows are saved")
    assert RunFolder.open(first).status().rows > 0 and not (first / "result.nc").exists()
    assert not (tmp_path / "out" / "run_00001").exists()
