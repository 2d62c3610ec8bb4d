"""ensemble(): the same moments with many realisations of their noise, over processes or any executor."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import nullcontext
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Unpack

from llgnegf._checks import Problems
from llgnegf._readable import check_call, readable
from llgnegf.commands.simulate import FOLDER, config_of
from llgnegf.config import RunConfig
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.plausibility import silent
from llgnegf.problem.system import OpenSystem
from llgnegf.run.options import RunKeywords, RunOptions, takes_run_options
from llgnegf.sweep import run_sweep

if TYPE_CHECKING:
    import xarray
    from distributed import Client


@readable
@takes_run_options
def ensemble(
    system: OpenSystem | None,
    magnet: Magnet,
    *,
    realisations: int,
    folder: str | os.PathLike[str] | None = None,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    wait: float | None = None,
    progress: bool | Callable[..., None] = False,
    **options: Unpack[RunKeywords],
) -> xarray.Dataset:
    """Many runs of `simulate` that differ in their noise alone, gathered: with full or slow electrons, or none.

    Parameters
    ----------
    system : OpenSystem or None
        Electrons and leads; None for moments alone.
    magnet : Magnet
        The moments.
    **options : object
        As for `simulate`. Seeds of the realisations follow from `seed` and their numbers; they are the coordinate
        `run_seed`, each of which gives its run again.
    realisations : int
        Number of runs, at least 2.
    folder : str or path, optional
        Where the runs and sweep.nc go, and where the same call goes on after it was stopped; None keeps nothing. All
        workers must see it.
    executor : distributed.Client or concurrent.futures.Executor, optional
        Where the runs are done; None starts processes with one thread each. A realisation has the same bits wherever it
        runs.
    workers : int, optional
        Number of processes; None is one for each core.
    wait, progress : object
        As for `run_sweep`.

    Returns
    -------
    xarray.Dataset
        The columns of `simulate` with the first dim `realisation`, and beside each, as `moments_mean` and
        `moments_standard_error` beside `moments`, its mean over them and the standard error of that mean.

    Raises
    ------
    ValueError
        One line for each argument that is not allowed, or that no input file has words for (a function of time of one's
        own).
    SweepError, WorkersFailed, KeyboardInterrupt
        As `run_sweep`.

    See Also
    --------
    langevin_ensemble : Many copies at once of moments alone, or with slow electrons.

    Examples
    --------
    >>> magnet = ln.Magnet([[1.0, 0, 0]], magnetic_moment=1.0, damping=0.3, energies=[ln.Zeeman([0, 0, 500.0])])
    >>> options = {"temperature": 0.03, "seed": 1, "step": 0.5, "t_end": 10.0, "realisations": 4}
    >>> data = ln.ensemble(None, magnet, **options)  # doctest: +SKIP
    >>> data.moments_mean.sel(component="z"), data.moments_standard_error.sel(component="z")  # doctest: +SKIP
    """
    given = {"realisations": realisations, **options}
    check_call("ensemble", inspect.signature(ensemble), (system, magnet), given)
    count = _checked(realisations, folder, system, magnet, RunOptions.unchecked(**options))
    data = config_of(system, magnet, options, "an ensemble runs from a file").to_dict()
    with silent():  # of the objects was warned when they were made
        config = RunConfig.from_dict({**data, "sweep": {"realisations": count}})
    kept = TemporaryDirectory(prefix="llgnegf-") if folder is None else nullcontext(folder)
    with kept as path:
        return run_sweep(config, path, executor, workers=workers, wait=wait, progress=progress)


def _checked(realisations: Any, folder: Any, system: Any, magnet: Any, options: RunOptions) -> int | None:
    """The number of realisations, after all checks of the arguments at once."""
    problems = Problems("ensemble")
    count = problems.integer("realisations", realisations, "an integer >= 2", lambda n: n >= 2)
    if folder is not None:
        problems.path("folder", folder, FOLDER)
    options.note_all(problems, system, magnet)
    noisy = bool(problems.mistakes) or options.is_noisy
    problems.check(noisy, "temperature", options.temperature, "> 0, with a seed: all realisations are one without")
    problems.raise_all()
    return count
