"""Run every point of a sweep, over processes or any executor.

`run_sweep(config, folder)` uses the cores of this machine. Over a cluster, pass a `distributed.Client(...)` of dask, or
an executor of the kind of concurrent.futures, under MPI `mpi4py.futures.MPIPoolExecutor()` (started as `mpiexec -n 8
python -m mpi4py.futures script.py`); all its workers must see `folder`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Executor
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf._checks import Problems
from llgnegf._files import FolderInUseError, storage_errors
from llgnegf._netcdf import write_dataset
from llgnegf._processes import one_thread_each
from llgnegf._readable import readable
from llgnegf._threads import single
from llgnegf.config import ConfigError, RunConfig
from llgnegf.problem.plausibility import silent
from llgnegf.run.progress import Progress, reporting
from llgnegf.sweep.cluster import WAIT_S, DaskCluster, InUse
from llgnegf.sweep.gather import gather
from llgnegf.sweep.points import Point, points
from llgnegf.sweep.workers import Killed, WorkerPool, stop_signals_interrupt

if TYPE_CHECKING:
    import xarray
    from distributed import Client

RESULT = "sweep.nc"
SHOWN_FAILURES = 5

Job = tuple[str, str, bool]
"""Input text and run folder of a point, and whether it warns of nothing: another realisation of it does."""
Outcomes = Generator[tuple[int, Any], None, None]
"""Number and outcome of each job: None, or why it failed."""


class SweepError(RuntimeError):
    """Runs of a sweep failed; all others are finished.

    Attributes:
        failures: Cause by run folder.
        total: Number of runs.
    """

    def __init__(self, failures: Mapping[str, str], total: int) -> None:
        self.failures, self.total = dict(failures), total
        named = [f"{path}: {cause}" for path, cause in self.failures.items()]
        more = f" (and {len(named) - SHOWN_FAILURES} more)" if named[SHOWN_FAILURES:] else ""
        super().__init__(f"{len(named)} of {total} runs failed: {'; '.join(named[:SHOWN_FAILURES])}{more}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.failures, self.total), self.__dict__


@readable
@reporting("runs")
def run_sweep(
    config: RunConfig,
    folder: str | os.PathLike[str],
    executor: Executor | Client | None = None,
    *,
    workers: int | None = None,
    wait: float | None = None,
    progress: bool | Callable[..., None] = False,
) -> xarray.Dataset:
    """Run every point of `config.sweep` in its own folder below `folder` and gather the results.

    Runs that are finished are kept, others go on from their last commit, so a stopped sweep is simply run again.
    SIGINT, SIGTERM and SIGHUP stop it: the runs under way are committed, and KeyboardInterrupt is raised. A point whose
    process dies (out of memory, say) is tried once more; the others are not concerned.

    Parameters
    ----------
    config : RunConfig
        A configuration with [sweep].
    folder : str or path
        Where the run folders and sweep.nc go.
    executor : distributed.Client or concurrent.futures.Executor, optional
        A `distributed.Client`, whose workers may die (`sweep.cluster`), or any concurrent.futures.Executor; None starts
        processes with one thread each.
    workers : int, optional
        Number of processes; None takes sweep.workers, or one for each core.
    wait : float, optional
        Seconds without a single worker of a Client, at the start as later, after which they are given up; None is 600.
    progress : bool or callable, default False
        True shows how many runs are finished, on a bar or in lines; a function is called with (done, total, text) after
        each run.

    Returns
    -------
    xarray.Dataset
        All results in one Dataset, also saved as sweep.nc, as `gather` makes it.

    Raises
    ------
    ConfigError
        As `points`; for a `folder` that is no path; for `workers` beside an executor, `wait` without a Client, or an
        executor that is none; if the folder holds runs of another sweep.
    SweepError
        A RuntimeError: if runs failed, with the cause for each; the others are finished all the same.
    WorkersFailed
        A RuntimeError: if no process can be started, or no worker of a Client is left.
    KeyboardInterrupt
        After SIGINT, SIGTERM or SIGHUP.

    Examples
    --------
    >>> magnet = ln.Magnet(ln.uniform(1, "x"), magnetic_moment=1.0, damping=0.1, energies=[ln.Zeeman([0, 0, 50.0])])
    >>> run = ln.RunConfig.from_objects(None, magnet, t_end=2.0).to_dict()
    >>> config = ln.RunConfig.from_dict({**run, "sweep": {"parameters": {"magnet.damping": [0.1, 0.2]}}})
    >>> ln.run_sweep(config, "runs/damping", workers=2).moments.dims  # doctest: +SKIP
    ('magnet_damping', 'time', 'site', 'component')
    """
    root = _checked(folder, executor, workers, wait)
    assert callable(progress)
    runs = points(config)
    assert config.sweep is not None
    every = config.sweep.realisations or 1
    jobs = [(p.config.to_toml(), str((root / p.name).absolute()), p.index % every > 0) for p in runs]
    _check_folder(root, runs)
    with storage_errors(root, "make the folder"):
        root.mkdir(parents=True, exist_ok=True)
    with stop_signals_interrupt():
        _finish(_outcomes(executor, jobs, workers or config.sweep.workers, wait), jobs, progress)
    dataset = gather(config, root)
    write_dataset(dataset, root / RESULT)
    return dataset


def _is_client(executor: Any) -> bool:
    """Whether it is a client of dask, which need not be installed; a class of its executors is another."""
    return hasattr(executor, "scheduler") and hasattr(executor, "cancel")


def _checked(folder: Any, executor: Any, workers: Any, wait: Any) -> Path:
    """The folder; ConfigError for one that is no path, for an executor or a number of processes that are none, or both,
    and for seconds to wait likewise."""
    problems = Problems("")
    root = problems.path("folder", folder)
    submits = executor is None or callable(getattr(executor, "submit", None))
    problems.check(submits, "executor", executor, "a concurrent.futures.Executor, or None")
    if executor is not None:
        problems.check(workers is None, "workers", workers, "None beside an executor, which has its own")
    elif workers is not None:
        problems.integer("workers", workers, "an integer >= 1, or None", lambda n: n > 0)
    allowed = "None without a distributed.Client (--scheduler)"
    if wait is not None and problems.check(_is_client(executor), "wait", wait, allowed):
        problems.number("wait", wait, "a number >= 0, in s, or None", lambda seconds: seconds >= 0)
    if problems.mistakes:
        raise ConfigError(problems.mistakes)
    return root


def _check_folder(root: Path, runs: list[Point]) -> None:
    """Refuse, before anything is written, the folder of a run or of another sweep, of a file of the same name perhaps.

    Raises:
        ConfigError: In one line.
    """
    from llgnegf.store import OtherInputError, RunFolder, StorageError

    advice = "allowed: another folder (-o DIR)"
    if (root / "input.toml").exists():
        raise ConfigError([f"folder: {root} holds a run; {advice}"])
    for point in runs:
        if (root / point.name / "input.toml").exists():
            try:
                RunFolder.open(root / point.name).check_same_input(point.config.to_toml())
            except OtherInputError as error:
                raise ConfigError([f"{error.short}; {advice}, or that sweep"]) from None
            except (StorageError, ValueError):
                continue  # of this point alone, which says so itself


def _finish(outcomes: Outcomes, jobs: list[Job], progress: Progress) -> None:
    """Wait for all jobs; a failed one does not keep the others from running.

    Raises:
        SweepError: If runs failed.
    """
    failures: dict[int, str] = {}
    with closing(outcomes):
        for done, (number, outcome) in enumerate(outcomes, 1):
            if outcome is not None:
                failures[number] = outcome.how if isinstance(outcome, Killed) else outcome
            progress(done, len(jobs), "running")
    if failures:
        raise SweepError({jobs[number][1]: failures[number] for number in sorted(failures)}, len(jobs))


def _outcomes(executor: Any, jobs: list[Job], workers: int | None, wait: float | None) -> Outcomes:
    """Of processes, the workers of a client of dask, or another executor."""
    if executor is None:
        with one_thread_each():
            yield from WorkerPool(attempt, min(workers or os.cpu_count() or 1, len(jobs))).outcomes(jobs)
    elif _is_client(executor):
        yield from DaskCluster(executor, attempt, WAIT_S if wait is None else wait).outcomes(jobs)
    else:
        yield from _in_executor(executor, jobs)


def _in_executor(executor: Executor, jobs: list[Job]) -> Outcomes:
    """Number and outcome of each job, in order; jobs that have not begun are cancelled when nobody waits any more."""
    futures = [executor.submit(attempt, *job) for job in jobs]
    try:
        for number, future in enumerate(futures):
            try:
                outcome = future.result()
            except Exception as error:  # of the executor: its processes died, its connection is lost
                outcome = cause_of(error)
            yield number, outcome
    finally:
        for future in futures:
            future.cancel()


def attempt(text: str, path: str, quiet: bool = False, stop_requested: Callable[[], bool] = bool) -> str | None:
    """`run_point`; returns in words why it failed, whatever was raised, None if it did not."""
    try:
        run_point(text, path, quiet, stop_requested)
    except FolderInUseError as error:
        return InUse(cause_of(error))
    except (Exception, SystemExit) as error:
        return cause_of(error)
    return None


def cause_of(error: BaseException) -> str:
    """An error in one line; the name of its kind where the message does not speak for itself."""
    text = " ".join(str(error).split())
    speaks = isinstance(error, ValueError | RuntimeError | OSError) and text
    return text if speaks else ": ".join(part for part in (type(error).__name__, text) if part)


def run_point(text: str, path: str, quiet: bool = False, stop_requested: Callable[[], bool] = bool) -> None:
    """Run the input `text` in the run folder `path` to its end, from where it stands; `quiet` without doubts about it.

    It has one thread, unless it asks for more.

    Raises:
        ValueError: If the folder holds a run of another input.
        RuntimeError: If the run was stopped, by a signal or by `stop_requested` after a row.
    """
    from llgnegf.run.error_budget import warn_if_exceeded
    from llgnegf.store import RunFolder, run_in_folder

    with silent():  # whoever started the sweep was warned
        config = RunConfig.loads(text)
    folder = RunFolder.open(path) if (Path(path) / "input.toml").exists() else None
    if folder is not None:
        folder.check_same_input(text)
    with single(), silent() if quiet else nullcontext():
        simulation = config.simulation() if folder is None or not folder.finished else None
    if folder is None:  # a point that is refused makes no folder
        folder = RunFolder.create(path, text, ["llgnegf", "sweep"])
    if simulation is not None and not run_in_folder(
        folder, simulation, commit_every_s=config.run.checkpoint_every, stop_requested=stop_requested, input_text=text
    ):
        raise RuntimeError("stopped; run the sweep again to go on")
    if simulation is not None:
        warn_if_exceeded(simulation.error_budget(), config.run.rtol)
