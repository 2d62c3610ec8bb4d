"""A disk that is full at any call that needs space: one line, exit code 1, nothing lost, and on it goes with space."""

from __future__ import annotations

import errno
import io
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from fake_simulation import INPUT, FakeSimulation, expected, stored
from inputs import turning

from llgnegf.cli import main
from llgnegf.commands.oracle import oracle
from llgnegf.config import RunConfig
from llgnegf.plots.run import PlotReport
from llgnegf.plots.style import new_figure
from llgnegf.store import RunFolder, StorageError, run_in_folder

CALLS = ("open", "mkdir", "write", "pwrite", "fsync", "ftruncate", "replace")
TURNING = turning(n_sites=1, t_end=1.0)
MOMENT = """
schema_version = 1
[run]
t_end = 1.0
checkpoint_every = 1e-9
[texture]
kind = "cone"
n_sites = 1
angle = 0.5
[magnet]
magnetic_moment = 1.0
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 10.0]
"""
SWEEP = '[sweep.parameters]\n"texture.angle" = [0.5, 0.6]\n'
COMMANDS: dict[str, tuple[str, list[str]]] = {
    "run": (MOMENT, ["run", "in.toml", "-o", "disk/a", "-q"]),
    "sweep": (MOMENT + SWEEP, ["sweep", "in.toml", "-o", "disk/a", "-q"]),
    "oracle": (TURNING, ["oracle", "in.toml", "-o", "disk/a"]),
    "figure": (MOMENT, ["figure", "fig2", "-o", "disk/a"]),
    "plot": (MOMENT, ["plot", "disk/a"]),
}  # fmt: skip


EVERY = {"run": 2, "sweep": 13, "oracle": 7, "plot": 4}
"""Commands that take long are tried with every so manieth call; what writes is the same for all of them."""


class InThisProcess:
    """In the place of the processes of a sweep."""

    def __init__(self, work: Callable[..., Any], count: int) -> None:
        self.work = work

    def outcomes(self, jobs: list[Any]) -> Generator[tuple[int, Any], None, None]:
        yield from ((number, self.work(*job)) for number, job in enumerate(jobs))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but what is written takes no time."""
    numbers = xarray.Dataset({"x": ("place", np.arange(3.0))}, {"place": ["a", "b", "c"]}, {"said": "by the paper"})
    for name in ("png", "pdf"):
        monkeypatch.setattr(f"llgnegf.plots.files._{name}", lambda figure: b"picture" * 100)
    monkeypatch.setattr("llgnegf.plots.run.animation", lambda dataset: b"moving" * 100)
    monkeypatch.setattr("llgnegf.sweep.run.WorkerPool", InThisProcess)
    monkeypatch.setattr("llgnegf.paper.data", lambda *_: numbers)
    monkeypatch.setattr("llgnegf.paper._module", lambda name: (None, lambda dataset: new_figure(1.0)))


@lru_cache(maxsize=64)
def values(netcdf: bytes) -> dict[str, bytes]:
    """All that is in a file, which is opened once for all that have the same bytes."""
    with xarray.open_dataset(io.BytesIO(netcdf), engine="h5netcdf") as dataset:
        return {str(k): v.values.tobytes() for k, v in dataset.load().variables.items()}


def contents(folder: Path) -> dict[str, Any]:
    """Every file that a command makes, NetCDF by its values, and no provenance, which has times."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".nc":
            found[name] = values(path.read_bytes())
        elif path.is_file() and path.suffix in (".png", ".pdf", ".gif", ".csv", ".toml", ".tmp"):
            found[name] = path.read_bytes()
    return found


def full_from(monkeypatch: pytest.MonkeyPatch, count: int) -> list[int]:
    """The disk takes `count` calls that need space and refuses those that follow; returns the count of calls left."""
    left = [count]

    def limited(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            left[0] -= 1
            if left[0] >= 0:
                return real(*arguments, **options)
            if name == "write" and left[0] == -1:
                real(arguments[0], bytes(arguments[1][: len(arguments[1]) // 2]))
            raise OSError(errno.ENOSPC, "No space left on device")

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, limited(getattr(os, name), name))
    return left


@pytest.fixture(params=COMMANDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, quick: None) -> Callable[[object], list[str]]:
    """Makes a new working directory with all that a command needs, and returns the command."""
    text, command = COMMANDS[request.param]
    patched = request.getfixturevalue("monkeypatch")
    (tmp_path / "in.toml").write_text(text)
    if request.param in ("plot", "sweep"):  # whose runs are finished: of these is the case "run"
        first = "run" if request.param == "plot" else "sweep"
        assert main([first, str(tmp_path / "in.toml"), "-o", str(tmp_path / "whole"), "-q"]) == 0
        shutil.rmtree(tmp_path / "whole" / "plots", ignore_errors=True)
        for lost in ("sweep.nc", "run_00001/result.nc"):
            (tmp_path / "whole" / lost).unlink(missing_ok=True)
    elif request.param == "oracle":
        table = oracle(RunConfig.load(tmp_path / "in.toml"))
        patched.setattr("llgnegf.commands.oracle.oracle", lambda config: table)
    elif request.param == "run":
        patched.setattr("llgnegf.commands.plot.draw_plots", lambda *_, **__: PlotReport((), {}))

    def begin(name: object) -> list[str]:
        folder = tmp_path / str(name)
        (folder / "disk").mkdir(parents=True, exist_ok=True)
        if (tmp_path / "whole").exists():
            shutil.copytree(tmp_path / "whole", folder / "disk" / "a")
        patched.chdir(folder)
        Path("in.toml").write_text(text)
        return command

    return begin


def test_each_call_that_needs_space_in_turn_is_the_first_to_fail(
    place: Callable[[object], list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = place("undisturbed")
    assert main(command) == 0
    whole = contents(Path("disk"))
    for count in itertools.count(step=EVERY.get(command[0], 1)):
        command = place(count)
        with monkeypatch.context() as patched:
            left = full_from(patched, count)
            capsys.readouterr()
            code, err = main(command), capsys.readouterr().err.splitlines()
        if code == 0:  # the disk was never full, or only when the lock was emptied at the end
            assert count > 20 and contents(Path("disk")) == whole
            if left[0] >= 0:
                break
            continue
        assert code == 1 and len(err) == 1 and "No space left on device (errno 28, ENOSPC)" in err[0], (count, err)
        half = contents(Path("disk"))
        assert all(half[name] == whole[name] for name in half), count  # so no temporary file either
        assert main(command) == 0
        assert contents(Path("disk")) == whole, count


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB; skipped where mounting is not allowed."""
    mount = tmp_path / "small" / "disk"
    mount.mkdir(parents=True)
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)]
        done = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        done = False
    if not done:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_full_disk_of_2_MB(
    small_disk: Path, place: Callable[[object], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a page left, and with so few that HDF5 gets some of its bytes through."""
    command = place("small")
    for pages in (0, 1, 4, 9):
        with open(small_disk / "ballast", "wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        os.truncate(small_disk / "ballast", max(0, os.path.getsize(small_disk / "ballast") - 4096 * pages))
        capsys.readouterr()
        code, err = main(command), capsys.readouterr().err.splitlines()
        assert code == 0 or (code == 1 and len(err) == 1 and "No space left on device (errno 28" in err[0]), err
        assert code == 1 or pages
        assert not list(small_disk.rglob("*.tmp"))
    (small_disk / "ballast").unlink()
    assert main(command) == 0
    small = contents(small_disk)
    whole = place("large")
    assert main(whole) == 0 and contents(Path("disk")) == small


@pytest.mark.parametrize("ballast_kB", [0, 1300, 1990])
def test_more_rows_than_the_disk_takes(small_disk: Path, ballast_kB: int) -> None:
    """480 kB of rows, twice in the end (result.nc), and an older tail fit on 2 MB, but not beside the ballast."""
    ballast, n_rows = small_disk / "ballast", 4000
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
