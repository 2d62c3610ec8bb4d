"""Sweeps on dask workers that are killed: retried on another one, reported where that does not help, never a hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sweep_work
from inputs import moment_in_a_field

import llgnegf.sweep.cluster as cluster_module
from llgnegf.cli import main
from llgnegf.config import RunConfig
from llgnegf.store import RunFolder
from llgnegf.store.lock import locked
from llgnegf.sweep import points, run_sweep
from llgnegf.sweep.cluster import DaskCluster
from llgnegf.sweep.workers import Killed, WorkersFailed

distributed = pytest.importorskip("distributed")

TEXT = moment_in_a_field(
    "t_end = 2000.0\nsave_every = 1.0\ncheckpoint_every = 0.2", '[sweep.parameters]\n"texture.angle" = [0.2, 0.5]'
)
HERE = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])


def worker(address: str) -> subprocess.Popen[bytes]:
    """A worker without a nanny, which nobody starts again; one thread, as a job of a batch system has it."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    options = ["--no-dashboard", "--death-timeout", "30"]
    environment = {**os.environ, "PYTHONPATH": HERE}
    return subprocess.Popen([*command, *options], env=environment, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Any]:
    """A scheduler that begins a task twice before its worker's death counts as its failure."""
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=None) as cluster,
    ):
        yield cluster


def eventually(condition: Any, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def when(condition: Any, act: Any) -> threading.Thread:
    """A thread that acts when the condition is met."""
    thread = threading.Thread(target=lambda: eventually(condition) and act())
    thread.start()
    return thread


@pytest.fixture
def client(scheduler: Any) -> Iterator[Any]:
    with distributed.Client(scheduler) as client:
        yield client


@pytest.fixture(scope="module")
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes of workers that tests have started."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def workers(client: Any, processes: list[subprocess.Popen[bytes]]) -> Any:
    """A function that starts or kills workers until there are so many, and gives their processes."""
    def started(count: int) -> list[subprocess.Popen[bytes]]:
        address = client.scheduler.address
        alive = [process for process in processes if process.poll() is None]
        processes.extend(worker(address) for _ in range(count - len(alive)))
        for process in alive[count:]:
            process.kill()
            process.wait()
        assert eventually(lambda: len(client.nthreads()) == count)
        return [process for process in processes if process.poll() is None]

    return started


def test_points_are_stopped_when_nobody_waits_for_them(tmp_path: Path, client: Any, workers: Any) -> None:
    """Ctrl-C while a point runs: it is asked to stop, as a run is after its row."""
    workers(2)
    outcomes = DaskCluster(client, sweep_work.waits_for_the_end, 30.0).outcomes([(str(tmp_path), "a")])
    stop = when((tmp_path / "a").exists, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    stop.join()
    assert eventually(lambda: (tmp_path / "a").read_text() == "stopped")


def test_a_folder_that_a_lost_worker_still_has_is_waited_for(
    tmp_path: Path, client: Any, workers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process in the place of that worker: it leaves one folder after a while, and the other one not at all."""
    monkeypatch.setattr(cluster_module, "PAUSE_S", 0.1)
    monkeypatch.setattr(cluster_module, "IN_USE_S", 1.0)
    workers(2)
    jobs = [(str(tmp_path / name), "") for name in "ab"]
    for path, _ in jobs:
        Path(path).mkdir()
    with ExitStack() as held, locked(Path(jobs[1][0])):
        held.enter_context(locked(Path(jobs[0][0])))
        timer = threading.Timer(0.5, held.close)
        timer.start()
        outcomes = dict(DaskCluster(client, sweep_work.locks, 30.0).outcomes(jobs))
        timer.join()
    assert outcomes[0] is None and "the folder is in use by process" in outcomes[1]


def test_a_killed_worker_costs_its_point_only(tmp_path: Path, client: Any, workers: Any) -> None:
    """Of four jobs "b" kills its worker once and ends on another one, "d" kills each worker, and is reported."""
    workers(4)  # of whom three die
    jobs = [(str(tmp_path), name) for name in "abcd"]
    outcomes = dict(DaskCluster(client, sweep_work.dies_once_in_cluster, 30.0).outcomes(jobs))
    assert [str(outcomes[k]).split()[0] for k in range(3)] == ["a", "b", "c"]
    assert isinstance(outcomes[3], Killed) and outcomes[3].how.startswith("2 workers that had it died, the last at tcp")
    workers(1)


def test_a_run_whose_worker_is_killed_goes_on_to_the_same_bits(tmp_path: Path, client: Any, workers: Any) -> None:
    """The only worker dies within the first run of a sweep, after a commit; another one comes."""
    config = RunConfig.loads(TEXT)
    (process,) = workers(1)
    first = tmp_path / "run_00000"
    committed = lambda: (first / "input.toml").exists() and RunFolder.open(first).status().rows > 1  # noqa: E731
    killer = when(committed, lambda: (process.kill(), process.wait(), workers(1)))
    with distributed.Client(client.scheduler.address) as own:  # `workers` asks through the other one
        data = run_sweep(config, tmp_path, own, wait=30.0)
    killer.join()
    assert process.returncode == -signal.SIGKILL and RunFolder.open(first).provenance["resumes"]
    straight = [row["moments"] for _, row in points(config)[0].config.simulation().rows()]
    assert np.array_equal(data["moments"].isel(texture_angle=0), straight)


def test_a_cluster_without_workers_is_given_up(tmp_path: Path, client: Any, workers: Any) -> None:
    """Both workers die with their points, of which the scheduler gave one to the other worker in between, perhaps."""
    killer = when(lambda: len(list(tmp_path.iterdir())) == 2, lambda: [each.kill() for each in both])
    both, jobs = workers(2), [(str(tmp_path), name) for name in "abc"]
    with pytest.raises(WorkersFailed, match=r"tcp://.*: no worker for 1 s, 3 of 3 runs are left; start workers"):
        list(DaskCluster(client, sweep_work.waits_for_the_end, 1.0).outcomes(jobs))
    killer.join()


def test_the_command_line_says_what_is_wrong_with_a_scheduler(
    tmp_path: Path, client: Any, workers: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its old name too, and a file that it wrote, which leads to a cluster without workers."""
    workers(0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("llgnegf.commands.sweep.CONNECT_S", 0.3)
    Path("in.toml").write_text(TEXT)
    client.write_scheduler_file("scheduler.json")
    nobody = "tcp://127.0.0.1:9"
    for arguments, code, line in (
        (["--scheduler", "none.json"], 2, "--scheduler: 'none.json'; allowed: an address such as tcp://"),
        (["--wait", "3"], 2, "wait: 3.0; allowed: None without a distributed.Client (--scheduler)"),
        (["--scheduler", "scheduler.json", "--wait", "nan"], 2, "wait: nan; allowed: a number >= 0, in s"),
        (["--scheduler", nobody], 1, f"--scheduler: {nobody}: no scheduler answers (Timed out"),
        (["--dask", "scheduler.json", "--wait", "0"], 1, "tcp://127.0.0.1:"),
    ):
        assert main(["sweep", "in.toml", "-q", "-o", "out", *arguments]) == code
        said = capsys.readouterr()
        (complaint,) = said.err.splitlines()
        assert complaint.startswith(line) and said.out == ""
