"""Ensembles: realisations as an axis of sweeps and of `ensemble`, with the same bits wherever they run."""

from __future__ import annotations

import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

import llgnegf as ln
from llgnegf.cli import main
from llgnegf.config import ConfigError, RunConfig
from llgnegf.store import RunFolder, run_in_folder
from llgnegf.sweep import points, run_sweep

ELECTRONS = """
[electrons]
n_sites = 1
j_sd = 0.1
[system]
kT = 0.03
[[lead]]
kind = "chain"
site = 0
[texture]
kind = "uniform"
direction = [0.6, 0.0, 0.8]
"""
ALONE = """
step = 0.1
[texture]
kind = "uniform"
n_sites = 1
direction = [0.6, 0.0, 0.8]
"""
TEXT = """
schema_version = 1
[run]
t_end = 2.0
save_every = 0.5
rtol = 1e-3
temperature = 0.03
seed = 4
{of}
[magnet]
magnetic_moment = 1.0
damping = 0.3
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 500.0]
[sweep]
{sweep}
"""


def config(sweep: str, of: str = ALONE) -> RunConfig:
    return RunConfig.loads(TEXT.format(of=of, sweep=sweep))


class Inline(Executor):
    """Runs everything at once in the calling thread."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Stopped(Exception):
    """Stands for a crash in the middle of a run."""


def crash_at(row: int, path: Path, text: str) -> None:
    """Begin the run of `text` in `path`, and die when row number `row` is done."""
    config = RunConfig.loads(text)

    def progress(done: float, total: float, what: str) -> None:
        if done >= row * config.run.save_every:
            raise Stopped

    folder = RunFolder.create(path, text, [])
    with pytest.raises(Stopped):
        run_in_folder(folder, config.simulation(), progress=progress, commit_every_s=0.0, input_text=text)


def in_memory(of: RunConfig) -> dict[str, np.ndarray]:
    """The columns of all points, without files and other processes."""
    runs = [[row for _, row in point.config.simulation().rows()] for point in points(of)]
    return {name: np.array([[row[name] for row in rows] for rows in runs]) for name in runs[0][0]}


def test_ten_seeds_have_the_same_bits_in_other_processes_after_a_crash(tmp_path: Path) -> None:
    """With full electrons; the crash comes at rows 1 to 4 of five, and two processes take up what is left."""
    of = config("realisations = 10", ELECTRONS)
    for k, point in enumerate(points(of)):
        crash_at(1 + k % 4, tmp_path / point.name, point.config.to_toml())
        assert 0 < RunFolder.open(tmp_path / point.name).status().rows < 5
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        dataset = run_sweep(of, tmp_path, pool)
    columns = in_memory(of)
    assert all(np.array_equal(dataset[name].values, values) for name, values in columns.items())
    assert dataset["moments"].dims == ("realisation", "time", "site", "component")
    assert len({row.tobytes() for row in columns["moments"][:, -1]}) == 10


def test_the_same_bits_on_dask_from_the_command_line(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    of, file = config("realisations = 2"), tmp_path / "noise.toml"
    file.write_text(of.to_toml())
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        assert main(["sweep", str(file), "-o", str(tmp_path / "runs"), "--dask", address, "-q"]) == 0
        assert main(["sweep", str(file), "-o", str(tmp_path / "runs"), "--dask", address, "-q", "-j", "2"]) == 2
    with xarray.open_dataset(tmp_path / "runs" / "sweep.nc") as saved:
        assert np.array_equal(saved["moments"].values, in_memory(of)["moments"])


def test_means_and_standard_errors_are_beside_what_they_are_of(tmp_path: Path) -> None:
    """Of slow electrons."""
    slow = 'electrons = "adiabatic"\nstep = 0.1' + ELECTRONS
    dataset = run_sweep(config("realisations = 4", slow), tmp_path, Inline())
    with xarray.open_dataset(tmp_path / "sweep.nc") as saved:
        assert saved.identical(dataset)
    values = dataset["moments"].values
    assert np.allclose(dataset["moments_mean"], values.mean(axis=0), rtol=0, atol=1e-14)
    error = np.sqrt(np.sum((values - values.mean(axis=0)) ** 2, axis=0) / 3 / 4)
    assert np.allclose(dataset["moments_standard_error"], error, rtol=1e-12, atol=1e-15)
    assert dataset["energy_classical_standard_error"].attrs == {
        "units": "eV", "long_name": "standard error over realisations: classical energy of the moments"
    }  # fmt: skip
    assert not dataset["moments_standard_error"][0].any() and dataset["moments_standard_error"][1:].all()


@pytest.mark.parametrize("mode", ["grid", "list"])
def test_realisations_are_the_fastest_axis_and_the_same_at_every_point(mode: str, tmp_path: Path) -> None:
    parameters = '[sweep.parameters]\n"energy.0.B.2" = [500.0, 900.0]\n"magnet.damping" = [0.2, 0.4]\n'
    of = config(f'mode = "{mode}"\nrealisations = 2\n{parameters}')
    made = points(of)
    seeds = [point.config.run.seed for point in made]
    count = 4 if mode == "grid" else 2
    assert len(made) == 2 * count and len(set(seeds)) == 2 and seeds == seeds[:2] * count
    dataset = run_sweep(of, tmp_path, Inline())
    first = ("energy_0_B_2", "magnet_damping") if mode == "grid" else ("run",)
    assert dataset["moments"].dims == (*first, "realisation", "time", "site", "component")
    assert dataset["moments_mean"].dims == (*first, "time", "site", "component")
    assert dataset["run_seed"].values.tolist() == seeds[:2] and dataset["realisation"].values.tolist() == [0, 1]
    assert dataset["magnet_damping"].dims == first[-1:] and dataset["magnet_damping"].values.tolist() == [0.2, 0.4]
    moments = in_memory(of)["moments"]
    assert np.array_equal(dataset["moments"].values.reshape(moments.shape), moments)


SEEDS = ("seed = 4", "seed = 5")


def test_neighbouring_seeds_share_no_realisation() -> None:
    text = TEXT.format(of=ALONE, sweep="realisations = 50")
    one, two = ({p.config.run.seed for p in points(RunConfig.loads(text.replace("seed = 4", s)))} for s in SEEDS)
    assert len(one) == len(two) == 50 and not one & two and max(one | two) < 2**63


@pytest.mark.filterwarnings("ignore:simulate.temperature")
def test_ensemble_takes_objects_and_warns_once(tmp_path: Path) -> None:
    system = ln.OpenSystem(ln.chain(1, j_sd=0.1), [ln.ChainLead(0)], kT=0.02)
    magnet = ln.Magnet([[0.6, 0.0, 0.8]], 1.0, 0.3, ln.Zeeman([0, 0, 500.0]))
    options: dict[str, Any] = {"temperature": 0.03, "seed": 4, "t_end": 2.0, "save_every": 0.5, "rtol": 1e-3}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ln.SuspiciousValueWarning)
        dataset = ln.ensemble(system, magnet, **options, realisations=2, executor=Inline(), folder=tmp_path)
    (line,) = (str(one.message) for one in caught)
    assert line.startswith("simulate.temperature: 0.03 beside electrons at kT = 0.02")
    for k, seed in enumerate(dataset["run_seed"].values.tolist()):
        alone = ln.simulate(system, magnet, **(options | {"seed": seed}))
        assert np.array_equal(dataset["moments"].values[k], alone.rows.columns["moments"])
    assert (tmp_path / "sweep.nc").exists()
    without = ln.ensemble(None, magnet, **options, step=0.1, realisations=2, executor=Inline())
    assert without["moments"].sizes["realisation"] == 2


WRONG = [
    ("", "sweep: missing; allowed: a table [sweep] with parameters or realisations"),
    ("realisations = 1", "sweep.realisations: 1; allowed: an integer >= 2"),
    ('realisations = 3\n[sweep.parameters]\n"run.seed" = [1, 2]', "sweep.realisations: 3; allowed: with noise"),
    ('realisations = 60000\n[sweep.parameters]\n"magnet.damping" = [0.1, 0.2]', "sweep.parameters: 120000 points"),
]


@pytest.mark.parametrize(("sweep", "line"), WRONG)
def test_wrong_realisations_are_one_line(sweep: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        points(config(sweep))
    assert len(caught.value.lines) == 1 and caught.value.lines[0].startswith(line)


def test_realisations_without_noise_are_refused() -> None:
    text = TEXT.format(of=ELECTRONS, sweep="realisations = 3").replace("temperature = 0.03\nseed = 4\n", "")
    with pytest.raises(ConfigError, match="sweep.realisations: 3; allowed: with noise"):
        points(RunConfig.loads(text))
    magnet = ln.Magnet([[0.6, 0.0, 0.8]], 1.0, 0.3, ln.Zeeman(lambda t: [0, 0, 500.0]))
    with pytest.raises(ConfigError, match="an ensemble runs from a file"):
        ln.ensemble(None, magnet, temperature=0.03, seed=4, step=0.1, t_end=1.0, realisations=2)
    with pytest.raises(TypeError, match="colour"):
        ln.ensemble(None, magnet, temperature=0.03, seed=4, step=0.1, t_end=1.0, realisations=2, colour=1)


MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({"realisations": None, "t_end": -1.0}, ["ensemble.realisations: None", "ensemble.t_end: -1.0"]),
    ({"system": "wire"}, ["ensemble.system: 'wire'; allowed: an OpenSystem"]),
    ({"temperature": 0.0, "seed": None}, ["ensemble.temperature: 0.0; allowed: > 0, with a seed"]),
    ({"executor": "dask"}, ["executor: 'dask'; allowed: a concurrent.futures.Executor"]),
    ({"executor": None, "workers": 0}, ["workers: 0; allowed: an integer >= 1"]),
]


@pytest.mark.parametrize(("given", "lines"), MISTAKES)
def test_mistakes_are_lines_of_the_ensemble(given: dict[str, Any], lines: list[str]) -> None:
    options = {"system": None, "temperature": 0.03, "seed": 4, "step": 0.1, "t_end": 1.0, "executor": Inline(), **given}
    with pytest.raises(ValueError, match="allowed") as caught:
        ln.ensemble(magnet=ln.Magnet([[0.6, 0.0, 0.8]], 1.0, 0.3), **{"realisations": 2, **options})
    said = str(caught.value).splitlines()
    assert len(said) == len(lines) and all(a.startswith(b) for a, b in zip(said, lines, strict=True))


def test_a_run_in_a_folder_refuses_what_is_no_system(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"simulate\.system: 'wire'; allowed: an OpenSystem"):
        ln.simulate("wire", ln.Magnet([[0.6, 0.0, 0.8]], 1.0), folder=tmp_path / "run", t_end=1.0)  # type: ignore[arg-type]
