"""Sweeps: every point once, whatever executes them, and one labelled table at the end."""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st
from inputs import moment_in_a_field

from llgnegf.config import ConfigError, RunConfig
from llgnegf.sweep import points, run_sweep
from llgnegf.sweep.axes import axis_attributes, common_times

TEXT = moment_in_a_field(
    "t_end = 20.0\nsave_every = 5.0",
    """[sweep]
mode = "{mode}"
[sweep.parameters]
"energy.0.B" = [[0.0, 0.0, 100.0], [0.0, 0.0, 200.0]]
"texture.angle" = [0.2, 0.5, 1.0]
""",
)


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
    assert dataset["moments"].dims == ("energy_0_B", "texture_angle", "time", "site", "component")
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
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(ConfigError) as caught:
        run_sweep(other, tmp_path, Inline())
    (line,) = caught.value.lines
    assert line.startswith(f"folder: {tmp_path}/run_00000 holds the run of another input (run.t_end: 10.0 instead of ")
    assert line.endswith("; allowed: another folder (-o DIR), or that sweep")
    with pytest.raises(ConfigError, match=r"run_00000 holds a run; allowed: another folder \(-o DIR\)$"):
        run_sweep(grid(), tmp_path / "run_00000", Inline())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


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


def listed(parameters: str) -> RunConfig:
    return RunConfig.loads(TEXT.format(mode="list").split('"energy.0.B"')[0] + parameters)


def test_instants_that_differ_by_round_off_are_one(tmp_path: Path) -> None:
    """Rows every 0.1 and every 0.3 fs, 3 x 0.1 = 0.30000000000000004 among them: 0, 0.3, 0.6, 0.9 are common."""
    text = '"run.save_every" = [0.1, 0.3, 0.1]\n"run.t_end" = [0.9, 0.9, 0.6]\n"texture.angle" = [0.2, 0.2, 0.2]\n'
    dataset = run_sweep(listed(text), tmp_path, Inline())
    assert np.allclose(dataset["time"], 0.1 * np.arange(10), rtol=0, atol=1e-15)
    rows = ~dataset["moments"].isnull().any(("site", "component")).values
    assert rows.tolist() == [[True] * 10, [k % 3 == 0 for k in range(10)], [k <= 6 for k in range(10)]]
    both = dataset["moments"].sel(time=[0.3, 0.6, 0.9]).isel(run=[0, 1])  # no nearest neighbours: the labels are exact
    assert np.allclose(both[0], both[1], rtol=0, atol=1e-6)
    assert dataset["time"].attrs["comment"].startswith("3 of 10 instants are saved by every run")


def test_where_no_instant_is_common_it_says_so(tmp_path: Path) -> None:
    """Periods 1 and sqrt(2) share t = 0 alone."""
    config = listed('"run.save_every" = [1.0, 1.4142135623730951]\n"run.t_end" = [3.0, 4.2]\n')
    with pytest.warns(UserWarning, match="sweep: no instant after t = 0 is saved by every run: 6 of 7 hold some runs"):
        dataset = run_sweep(config, tmp_path, Inline())
    assert "give run.save_every common multiples" in dataset["time"].attrs["comment"]


@given(step=st.floats(1e-3, 1e3), count=st.integers(1, 200), factor=st.integers(1, 9))
def test_no_instant_of_a_run_is_lost(step: float, count: int, factor: int) -> None:
    fine, coarse = step * np.arange(factor * count + 1), (step * factor) * np.arange(count + 1)
    a, b = common_times([fine, coarse])
    assert np.unique(a).size == a.size == fine.size and np.unique(b).size == b.size
    assert np.array_equal(a[::factor], b)  # the coarse instants are among the fine ones


MANY = """
schema_version = 1
[run]
t_end = 1.0
[electrons]
n_sites = 2
j_sd = 0.1
[system]
kT = 0.025
[[lead]]
kind = "chain"
site = 0
[[lead]]
kind = "chain"
site = -1
[texture]
kind = "uniform"
[magnet]
magnetic_moment = 1.0
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 1.0]
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 2.0]
[[energy]]
kind = "exchange"
J = 0.01
[sweep.parameters]
"""


def test_a_star_moves_all_elements_of_a_list_together() -> None:
    made = points(RunConfig.loads(MANY + '"lead.*.coupling" = [0.5, 0.7]\n"energy.0.B.*" = [3.0, 4.0]\n'))
    assert [[lead.coupling for lead in p.config.lead] for p in made] == [[0.5] * 2, [0.5] * 2, [0.7] * 2, [0.7] * 2]
    assert [p.config.energy[0].B for p in made][:2] == [(3.0, 3.0, 3.0), (4.0, 4.0, 4.0)]  # type: ignore[union-attr]
    assert all(p.config.energy[1].B == (0.0, 0.0, 2.0) for p in made)  # type: ignore[union-attr]


def test_swept_coordinates_have_keyword_names_units_and_long_names(tmp_path: Path) -> None:
    text = TEXT.format(mode="grid").replace('"energy.0.B"', '"energy.*.B"').replace("[0.2, 0.5, 1.0]", "[0.2, 0.5]")
    dataset = run_sweep(RunConfig.loads(text), tmp_path, Inline())
    with xarray.open_dataset(tmp_path / "sweep.nc") as saved:
        for data in (dataset, saved):
            angle, field = data["texture_angle"], data["energy_B"]
            assert (angle.attrs["units"], angle.attrs["path"]) == ("rad", "texture.angle")
            assert angle.attrs["long_name"] == "angle of texture"
            assert (field.attrs["units"], field.attrs["path"]) == ("T", "energy.*.B")
            assert field.attrs["long_name"] == "B of energy (every one)"
            chosen = data.moments.sel(texture_angle=0.5, energy_B="[0.0, 0.0, 200.0]", component="z")
            assert np.allclose(chosen, np.cos(0.5), rtol=0, atol=1e-6)
            assert np.array_equal(data["texture.angle"], angle)  # the name of earlier versions


UNITS = {
    "electrons.j_sd": "eV", "lead.*.coupling": "eV", "magnet.damping": "1", "magnet.magnetic_moment": "mu_B",
    "run.t_end": "fs", "system.kT": "eV", "lead.0.voltage": "eV", "energy.0.B.1": "T", "energy.2.J": "eV",
    "lead.1.voltage.amplitude": "eV", "lead.1.voltage.period": "fs", "lead.1.voltage.phase": "rad",
}  # fmt: skip


def test_units_are_those_of_the_fields() -> None:
    driven = 'site = -1\nvoltage = { kind = "sine", amplitude = 0.1, period = 5.0, phase = 0.0 }'
    config = RunConfig.loads(MANY.replace("site = -1", driven) + '"run.t_end" = [1.0]\n')
    assert {path: axis_attributes(config, path)["units"] for path in UNITS} == UNITS


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
    ({}, '"energy.0.B"', '"energy.00.B"', "sweep.parameters.energy.00.B: no table energy.00; allowed"),
    ({}, '"energy.0.B"', '"energy.\u00b2.B"', "sweep.parameters.energy.\u00b2.B: no table energy.\u00b2; allowed"),
    ({}, '"energy.0.B"', f'"energy.{"9" * 5000}.B"', "sweep.parameters.energy.9999"),
    ({}, '"energy.0.B"', '"torque.*.velocity"', "sweep.parameters.torque.*.velocity: no table torque.*; allowed"),
    ({}, '"texture.angle"', '"energy.*.B"', "sweep.parameters.energy.*.B: moves energy.0.B as energy.0.B does"),
    ({}, '"texture.angle"', '"energy.0.B.2"', "sweep.parameters.energy.0.B.2: moves energy.0.B.2 as energy.0.B does"),
    ({}, "[0.2, 0.5, 1.0]", f"[{'0.1, ' * 60000}]", "sweep.parameters: 120000 points; allowed: at most 100000"),
]


@pytest.mark.parametrize(("options", "old", "new", "line"), WRONG, ids=[case[3][:40] for case in WRONG])
def test_wrong_sweeps_are_one_line(options: dict[str, str], old: str, new: str, line: str) -> None:
    config = RunConfig.loads(TEXT.format(mode=options.get("mode", "grid")).replace(old, new))
    with pytest.raises(ConfigError) as error:
        points(config)
    assert len(error.value.lines) == 1 and error.value.lines[0].startswith(line), error.value.lines


def test_workers_beside_an_executor_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="workers: 2; allowed: None beside an executor"):
        run_sweep(grid(), tmp_path, Inline(), workers=2)


def test_the_order_of_a_grid_is_last_parameter_fastest() -> None:
    made = points(grid())
    assert [p.values[1] for p in made] == [0.2, 0.5, 1.0] * 2
    assert made[4].config.texture.angle == 0.5 and made[4].config.energy[0].B == (0.0, 0.0, 200.0)  # type: ignore[union-attr]
    assert all(p.config.sweep is None for p in made)
