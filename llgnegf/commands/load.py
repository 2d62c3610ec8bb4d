"""load(), the counterpart of simulate(..., folder=...) and Result.save: what a run left on the disk, as a Result.

Reads alone: neither the input of a run nor its folder is touched, and a run that lasts is looked at as far as it is.
"""

from __future__ import annotations

import os
from dataclasses import replace

from llgnegf._checks import Problems, need, path_of
from llgnegf._readable import readable
from llgnegf.commands.simulate import committed
from llgnegf.config import RunConfig
from llgnegf.run.error_budget import excess
from llgnegf.run.result import Result
from llgnegf.store import RunFolder
from llgnegf.store.loading import read, result_of

ALLOWED = "a run folder (of llgnegf run, or simulate(..., folder=...)), or a NetCDF file of Result.save"


@readable
def load(path: str | os.PathLike[str], *, density_matrix: bool = False) -> Result:
    """Read what a run left: its folder, finished or not, or a file that `Result.save` wrote.

    Parameters
    ----------
    path : str or path
        The folder of a run (of `llgnegf run`, or of `simulate` with `folder`), its result.nc, or a file of
        `Result.save`. Folders of sweeps hold one such folder for each point.
    density_matrix : bool, default False
        Whether to compute the density matrix at the end of a finished run with full electrons from its checkpoint, for
        which the run is set up again; without it `Result.density_matrix` of a folder is None. Files hold it as it was
        saved.

    Returns
    -------
    Result
        Rows, error budget, statistics and rtol of the run. Of an unfinished one the committed rows. Its `warnings` say
        where the error budget is beyond rtol, how many rows are missing, and what in the folder is damaged. All rows
        are in memory; `xarray.open_dataset` reads a result.nc as it is used.

    Raises
    ------
    ValueError
        For what is no path, where there is neither a run nor a file, and where `density_matrix` is asked of an
        unfinished run, one without full electrons, or a file.
    StorageError
        If it cannot be read, or no row is committed yet; DamagedRunError, one of them, if the bytes are not those that
        were written.

    Examples
    --------
    >>> magnet = ln.Magnet(ln.uniform(2), magnetic_moment=1.0, energies=[ln.Zeeman([0, 0, 50.0])])
    >>> run = ln.simulate(None, magnet, t_end=5.0, folder="runs/pair")
    >>> ln.load("runs/pair").dataset.moments.identical(run.dataset.moments)
    True
    """
    place, problems = path_of("load", "path", path, ALLOWED), Problems("load")
    sweep = place / "sweep.nc"
    if place.is_dir() and sweep.exists():
        read_it = f"xarray.open_dataset({str(sweep)!r}), or the folder of a run in it"
        problems.add("path", f"{place} is the folder of a sweep", read_it)
    else:
        there = place.is_file() or (place / "input.toml").is_file()
        problems.check(there, "path", f"{place} {'holds no run' if place.is_dir() else 'is not there'}", ALLOWED)
    problems.check(not (density_matrix and place.is_file()), "density_matrix", True, "False for a file, or its folder")
    problems.raise_all()
    result = read(place) if place.is_file() else _from_folder(RunFolder.open(place), density_matrix)
    beyond = None if result.rtol is None else excess(result.errors, result.rtol)
    return replace(result, warnings=tuple(dict.fromkeys([*result.warnings, *([beyond] if beyond else [])])))


def _from_folder(folder: RunFolder, density_matrix: bool) -> Result:
    """What is committed, and what is to be said of it."""
    status = folder.status()
    with folder.dataset() as dataset:
        result = result_of(dataset.load(), status.errors or None, status.statistics or None)
    warnings, rows = list(status.damage), result.rows.times.size
    if status.total_rows is not None and not status.finished:
        how = f"running ({status.running})" if status.running else f"stopped: llgnegf resume {folder.path} goes on"
        warnings.append(f"{folder.path}: {rows} of {status.total_rows} rows, {how}")
    if density_matrix:
        need(status.finished, "load", "density_matrix", True, "False for a run that is not finished")
        matrix = committed(folder, RunConfig.loads(folder.config_text).simulation()).density_matrix
        need(matrix is not None, "load", "density_matrix", True, "False for a run without full electrons")
        result = replace(result, density_matrix=matrix)
    return replace(result, warnings=tuple(warnings))
