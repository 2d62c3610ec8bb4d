"""Sweeps: every point once, whatever executes them, and one labelled table at the end."""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

from llgnegf.config import ConfigError, RunConfig
from llgnegf.store import StorageError
from llgnegf.sweep import points, run_sweep

TEXT = """
schema_version = 1
[run]
t_end = 20.0
save_every = 5.0
[texture]
kind = "cone"
n_sites = 1
angle = 0.5
[magnet]
magnetic_moment = 1.0
damping = 0.0
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 100.0]
[sweep]
mode = "{mode}"
[sweep.parameters]
"energy.0.B" = [[0.0, 0.0, 100.0], [0.0, 0.0, 200.0]]
"texture.angle" = [0.2, 0.5, 1.0]
"""


class Inline(Executor):
    """Runs everything at once in the calling thread and counts it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls.append(args)
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def grid() -> RunConfig:
    return RunConfig.loads(TEXT.format(mode="grid"))


def check_grid(dataset: xarray.Dataset) -> None:
    """Undamped precession: M_z = cos(angle), and twice the field turns twice as fast, M(t; 2B) = M(2t; B)."""
    assert dataset["moments"].dims == ("energy.0.B", "texture.angle", "time", "site", "component")
    assert dataset["moments"].shape == (2, 3, 5, 1, 3)
    assert dataset["texture.angle"].values.tolist() == [0.2, 0.5, 1.0]
    assert dataset["moments"].attrs["long_name"] and dataset["time"].attrs["units"] == "fs"
    z = dataset["moments"].sel(component="z")
    assert float(abs(z - np.cos(dataset["texture.angle"])).max()) < 1e-6
    slow, fast = dataset["moments"].values[0], dataset["moments"].values[1]
    assert np.allclose(fast[:, [0, 1, 2]], slow[:, [0, 2, 4]], rtol=0, atol=2e-5)


def test_a_grid_gives_one_dim_for_each_parameter(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    dataset = run_sweep(grid(), tmp_path, Inline(), progress=lambda done, total: seen.append((done, total)))
    check_grid(dataset)
    assert seen == [(k, 6) for k in range(1, 7)]
    with xarray.open_dataset(tmp_path / "sweep.nc") as saved:
        assert np.array_equal(saved["moments"], dataset["moments"])


def test_a_list_pairs_the_values(tmp_path: Path) -> None:
    text = TEXT.format(mode="list").replace("[0.2, 0.5, 1.0]", "[0.2, 1.0]")
    dataset = run_sweep(RunConfig.loads(text), tmp_path, Inline())
    assert dataset["moments"].dims == ("run", "time", "site", "component")
    assert dataset["texture.angle"].dims == ("run",) and dataset["energy.0.B"].dims == ("run",)
    assert np.allclose(dataset["moments"].isel(time=0, site=0, component=2), np.cos([0.2, 1.0]), rtol=0, atol=1e-12)


def test_finished_runs_are_kept_and_others_go_on(tmp_path: Path) -> None:
    config = grid()
    run_sweep(config, tmp_path, Inline())
    first = {p: p.stat().st_mtime_ns for p in tmp_path.glob("run_*/result.nc")}
    lost = tmp_path / "run_00003" / "result.nc"
    lost.unlink()  # as after a kill between the last commit and the result
    check_grid(run_sweep(config, tmp_path, Inline()))
    again = {p: p.stat().st_mtime_ns for p in tmp_path.glob("run_*/result.nc")}
    assert len(first) == 6 and {p for p in first if first[p] != again[p]} == {lost}


def test_the_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    run_sweep(grid(), tmp_path, Inline())
    other = RunConfig.loads(TEXT.format(mode="grid").replace("t_end = 20.0", "t_end = 10.0"))
    with pytest.raises(RuntimeError, match=r"6 of 6 runs failed: .*run_00000: run.t_end: 10.0 instead of 20.0"):
        run_sweep(other, tmp_path, Inline())


def test_a_failed_run_does_not_keep_the_others_from_running(tmp_path: Path) -> None:
    (tmp_path / "run_00001").mkdir()
    (tmp_path / "run_00001" / "letter.txt").write_text("dear")
    with pytest.raises(RuntimeError, match="1 of 6 runs failed: .*run_00001: .*letter.txt"):
        run_sweep(grid(), tmp_path, Inline())
    assert len(list(tmp_path.glob("run_*/result.nc"))) == 5


def test_runs_of_different_length_share_a_time_axis(tmp_path: Path) -> None:
    text = TEXT.format(mode="grid").split('"energy.0.B"')[0] + '"run.t_end" = [10.0, 20.0]\n'
    dataset = run_sweep(RunConfig.loads(text), tmp_path, Inline())
    assert dataset["time"].values.tolist() == [0, 5, 10, 15, 20]
    missing = dataset["moments"].isnull().all(("site", "component")).values
    assert missing.tolist() == [[False, False, False, True, True], [False] * 5]


def test_processes_and_threads_give_the_same_bits(tmp_path: Path) -> None:
    config = RunConfig.loads(TEXT.format(mode="grid").replace("[0.2, 0.5, 1.0]", "[0.5]"))
    processes = run_sweep(config, tmp_path / "p", workers=2)
    with ThreadPoolExecutor(1) as pool:
        threads = run_sweep(config, tmp_path / "t", pool)
    assert processes["moments"].shape == (2, 1, 5, 1, 3)
    assert np.array_equal(processes["moments"], threads["moments"])


def test_a_dask_cluster_is_an_executor(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        check_grid(run_sweep(grid(), tmp_path, client.get_executor()))


WRONG = [
    ({}, '"energy.0.B"', '"energy.1.B"', "sweep.parameters.energy.1.B: no table energy.1; allowed"),
    (
        {},
        '"texture.angle"',
        '"textur.angle"',
        "sweep.parameters.textur.angle: no table textur, nearest known name is 'texture'",
    ),
    ({}, '"texture.angle"', '"tex\\nture.angle"', "sweep.parameters.'tex\\nture.angle': no table 'tex\\nture'"),
    ({}, '"texture.angle"', '"angle"', "sweep.parameters.angle: 'angle'; allowed: a path such as"),
    ({}, '"texture.angle"', '"texture.angel"', "sweep: texture.angel: unknown key, nearest known name is 'angle'"),
    ({}, "[0.2, 0.5, 1.0]", '[0.2, "wide", 1.0]', "sweep: texture.angle: 'wide'; allowed: a finite number, in rad"),
    ({"mode": "list"}, "x", "x", "sweep.parameters: lists of "),
]


@pytest.mark.parametrize(("options", "old", "new", "line"), WRONG, ids=[case[3][:40] for case in WRONG])
def test_wrong_sweeps_are_one_line(options: dict[str, str], old: str, new: str, line: str) -> None:
    config = RunConfig.loads(TEXT.format(mode=options.get("mode", "grid")).replace(old, new))
    with pytest.raises(ConfigError) as error:
        points(config)
    assert len(error.value.lines) == 1 and error.value.lines[0].startswith(line), error.value.lines


def test_a_full_disk_at_the_end_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(dataset: Any, path: Path, **options: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space\nleft")

    config = RunConfig.loads(TEXT.format(mode="list").replace("[0.2, 0.5, 1.0]", "[0.2, 1.0]"))
    run_sweep(config, tmp_path, Inline())
    (tmp_path / "sweep.nc").unlink()
    cause = r"sweep.nc: cannot write: No space left .*28"
    with monkeypatch.context() as patch:
        patch.setattr(xarray.Dataset, "to_netcdf", full)
        with pytest.raises(StorageError, match=cause):
            run_sweep(config, tmp_path, Inline())
    assert not list(tmp_path.glob("sweep.nc*"))
    assert run_sweep(config, tmp_path, Inline()).sizes["run"] == 2


def test_workers_beside_an_executor_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="workers: 2; allowed: None beside an executor"):
        run_sweep(grid(), tmp_path, Inline(), workers=2)


def test_the_order_of_a_grid_is_last_parameter_fastest() -> None:
    made = points(grid())
    assert [p.values[1] for p in made] == [0.2, 0.5, 1.0] * 2
    assert made[4].config.texture.angle == 0.5 and made[4].config.energy[0].B == (0.0, 0.0, 200.0)  # type: ignore[union-attr]
    assert all(p.config.sweep is None for p in made)
