"""Many runs of one input file: every point of its [sweep] table, over processes or any executor.

`run_sweep(config, folder)` uses the cores of this machine. Over a cluster, pass an executor of the kind of
concurrent.futures: `dask.distributed.Client(...).get_executor()`, or under MPI `mpi4py.futures.MPIPoolExecutor()`
(started as `mpiexec -n 8 python -m mpi4py.futures script.py`); all its workers must see `folder`.
"""

from __future__ import annotations

import copy
import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf.config import ConfigError, RunConfig
from llgnegf.config.messages import dotted, nearest, shown

if TYPE_CHECKING:
    import xarray

RESULT = "sweep.nc"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Point:
    """One run of a sweep: its number, the values of the swept parameters, and its configuration without [sweep]."""

    index: int
    values: tuple[Any, ...]
    config: RunConfig

    @property
    def name(self) -> str:
        """Name of its run folder."""
        return f"run_{self.index:05d}"


def points(config: RunConfig) -> list[Point]:
    """The runs of a sweep, in the order of the grid (last parameter fastest) or of the lists.

    Raises:
        ConfigError: Without [sweep], for lists of different lengths with mode = "list", for a path that leads
            nowhere, and for points that make no run, one line for each mistake and not for each point.
    """
    if config.sweep is None:
        raise ConfigError(["sweep: missing; allowed: a table [sweep] with parameters"])
    parameters = config.sweep.parameters
    base = config.to_dict()
    del base["sweep"]
    lines = [line for path in parameters for line in _unknown_path(base, path)]
    lengths = {path: len(values) for path, values in parameters.items()}
    if config.sweep.mode == "list" and len(set(lengths.values())) > 1:
        lines.append(f"sweep.parameters: lists of {lengths} values; allowed: equal lengths with mode = 'list'")
    if lines:
        raise ConfigError(lines)
    combine = itertools.product if config.sweep.mode == "grid" else zip
    made, wrong = [], []
    for index, values in enumerate(combine(*parameters.values())):
        data = copy.deepcopy(base)
        for path, value in zip(parameters, values, strict=True):
            _set(data, path, value)
        try:
            made.append(Point(index, tuple(values), RunConfig.from_dict(data)))
        except ConfigError as error:
            wrong += error.lines
    if wrong:
        raise ConfigError([f"sweep: {line}" for line in dict.fromkeys(wrong)])
    return made


def run_sweep(
    config: RunConfig,
    folder: str | os.PathLike[str],
    executor: Executor | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xarray.Dataset:
    """Run every point of `config.sweep` in its own folder below `folder` and gather the results.

    Runs that are finished are kept, others go on from their last commit, so a stopped sweep is simply run again.

    Args:
        config: A configuration with [sweep].
        folder: Where the run folders and sweep.nc go.
        executor: Any concurrent.futures.Executor; None starts processes with one thread each.
        workers: Number of processes; None takes sweep.workers, or one for each core.
        progress: Called with (finished, total) after each run.

    Returns:
        All results in one Dataset, also saved as sweep.nc: each variable of a run with the swept parameters as first
        dims (mode = "list": one dim `run` with the parameters as coordinates). Where runs differ in times or sites,
        what one of them lacks is NaN.

    Raises:
        ConfigError: As `points`; for `workers` beside an executor; if the folder holds runs of another sweep.
        RuntimeError: If runs failed, naming the first one; the others are finished all the same.
    """
    if executor is not None and workers is not None:
        raise ConfigError([f"workers: {workers}; allowed: None beside an executor, which has its own"])
    assert config.sweep is not None or points(config)
    runs, root = points(config), Path(folder)
    jobs = [(point.config.to_toml(), str((root / point.name).absolute())) for point in runs]
    root.mkdir(parents=True, exist_ok=True)
    if executor is not None:
        _run_all(executor, jobs, progress)
    else:
        count = min(workers or config.sweep.workers or os.cpu_count() or 1, len(jobs))  # type: ignore[union-attr]
        context = multiprocessing.get_context("spawn")
        with _one_thread_each(), ProcessPoolExecutor(count, mp_context=context) as pool:
            _run_all(pool, jobs, progress)
    dataset = gather(config, root)
    _save(dataset, root / RESULT)
    return dataset


def gather(config: RunConfig, folder: str | os.PathLike[str]) -> xarray.Dataset:
    """The results of a sweep that has run in `folder`, as `run_sweep` returns them."""
    import xarray

    from llgnegf.store import RunFolder

    runs = points(config)
    results = []
    for point in runs:
        with RunFolder.open(Path(folder) / point.name).dataset() as dataset:
            results.append(dataset.load().drop_attrs(deep=False))
    attributes = {name: variable.attrs for name, variable in results[0].variables.items()}
    stacked = xarray.concat(
        results, dim="run", join="outer", combine_attrs="override", coords="minimal", compat="override"
    )
    assert config.sweep is not None
    parameters = config.sweep.parameters
    if config.sweep.mode == "list":
        labels = {path: ("run", _labels(v.values[k] for v in runs)) for k, path in enumerate(parameters)}
        swept = stacked.assign_coords(labels)
    else:
        swept = _unfolded(stacked, parameters)
    for name, attrs in attributes.items():
        if name in swept.variables:
            swept[name].attrs.update(attrs)
    swept.attrs = {"title": "llgnegf sweep", "input": config.to_toml()}
    return swept


def _unfolded(stacked: xarray.Dataset, parameters: Mapping[str, tuple[Any, ...]]) -> xarray.Dataset:
    """The dim `run` as one dim for each parameter; the last parameter varies fastest."""
    import xarray

    shape = tuple(len(values) for values in parameters.values())
    data = {}
    for name, variable in stacked.data_vars.items():
        array = variable.transpose("run", ...)
        values = array.values.reshape(*shape, *array.shape[1:])
        data[name] = ((*parameters, *array.dims[1:]), values)
    coords = {name: c.variable for name, c in stacked.coords.items() if "run" not in c.dims}
    return xarray.Dataset(data, coords={**{p: _labels(v) for p, v in parameters.items()}, **coords})


def _labels(values: Any) -> list[Any]:
    """Coordinates: numbers and texts as they are, anything else (a list, a table) as text."""
    kept = list(values)
    simple = all(isinstance(v, int | float) for v in kept) or all(isinstance(v, str) for v in kept)
    return kept if simple else [v if isinstance(v, str) else repr(v) for v in kept]


def _run_all(executor: Executor, jobs: list[tuple[str, str]], progress: Callable[[int, int], None] | None) -> None:
    """Run all jobs; a failed one does not keep the others from running."""
    futures: list[Future[None]] = [executor.submit(run_point, *job) for job in jobs]
    failures = []
    for done, (future, (_, path)) in enumerate(zip(futures, jobs, strict=True), 1):
        try:
            future.result()
        except Exception as error:
            failures.append(f"{path}: {' '.join(str(error).split()) or type(error).__name__}")
        if progress is not None:
            progress(done, len(jobs))
    if failures:
        more = f" (and {len(failures) - 1} more)" if failures[1:] else ""
        raise RuntimeError(f"{len(failures)} of {len(jobs)} runs failed: {failures[0]}{more}")


def run_point(text: str, path: str) -> None:
    """Run the input `text` in the run folder `path` to its end, from where it stands.

    Raises:
        ValueError: If the folder holds a run of another input.
        RuntimeError: If the run was stopped by a signal.
    """
    from llgnegf.store import RunFolder, run_in_folder

    config = RunConfig.loads(text)
    if (Path(path) / "input.toml").exists():
        folder = RunFolder.open(path)
        folder.check_same_input(text)
    else:
        folder = RunFolder.create(path, text, ["llgnegf", "sweep"])
    if not (folder.finished and folder.damage is None) and not run_in_folder(
        folder, config.simulation(), commit_every_s=config.run.checkpoint_every, input_text=text
    ):
        raise RuntimeError("stopped; run the sweep again to go on")


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile use one thread for linear algebra and compiled code."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update({name: "1" for name in THREAD_VARIABLES})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _unknown_path(base: dict[str, Any], path: str) -> list[str]:
    """A line if the table that `path` points into is not in the file; its last key is checked with the points."""
    *steps, last = path.split(".")
    name = f"sweep.parameters.{dotted([path])}"
    value: Any = base
    for k, step in enumerate(steps):
        here, known = dotted(steps[: k + 1]), list(value) if isinstance(value, dict) else []
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and isinstance(value.get(step), dict | list):
            value = value[step]
        else:
            near = nearest(step, known)
            hint = f", nearest known name is '{near}'" if near else ""
            return [f"{name}: no table {here}{hint}; allowed: a key of a table in this file"]
    if not steps or (isinstance(value, list) and not (last.isdigit() and int(last) < len(value))):
        return [f"{name}: {shown(path)}; allowed: a path such as electrons.j_sd or lead.0.coupling"]
    return []


def _set(data: dict[str, Any], path: str, value: Any) -> None:
    *steps, last = path.split(".")
    table: Any = data
    for step in steps:
        table = table[int(step)] if isinstance(table, list) else table[step]
    table[int(last) if isinstance(table, list) else last] = copy.deepcopy(value)


def _save(dataset: xarray.Dataset, path: Path) -> None:
    """Write the file beside and rename it: a kill leaves the old one or the new one; raises StorageError."""
    from llgnegf.store.atomic import storage_errors

    temporary = path.with_suffix(".nc.tmp")
    try:
        with storage_errors(path, "write"):
            dataset.to_netcdf(temporary, engine="h5netcdf")
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
