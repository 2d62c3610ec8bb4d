"""simulate(), the command that is called from Python: in memory, or in a run folder as from the command line.

In a folder the objects are written as an input file, which is run and committed.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from llgnegf._checks import need, path_of
from llgnegf._readable import check_call, readable
from llgnegf.config import ConfigError, RunConfig
from llgnegf.problem.plausibility import heard
from llgnegf.problem.system import OpenSystem
from llgnegf.run.error_budget import warn_if_exceeded
from llgnegf.run.options import RunKeywords, RunOptions, takes_run_options
from llgnegf.run.progress import Progress, keeping, shown
from llgnegf.run.result import Result, Rows
from llgnegf.run.run import Run
from llgnegf.run.simulate import all_said, result_of
from llgnegf.run.simulate import simulate as in_memory
from llgnegf.run.simulation import Motion
from llgnegf.store import RunFolder, run_in_folder
from llgnegf.store.checkpoint import state_in

FOLDER = "text or a path, or None"
WITH_FOLDER = "folder = ... writes the run as a file"


@readable
@takes_run_options
def simulate(
    system: OpenSystem | None,
    motion: Motion,
    *,
    folder: str | os.PathLike[str] | None = None,
    progress: bool | Callable[..., None] = False,
    **options: Unpack[RunKeywords],
) -> Result:
    """Run electrons and moments together: G<(t,t) in the lab frame, and moments that move as prescribed or answer.

    Parameters
    ----------
    system : OpenSystem or None
        Electrons and leads; None for moments alone.
    motion : Magnet, Precession, Prescribed or Frozen
        How the moments move: a `Magnet` answers by the LLG equation, the others move as prescribed.
    t_end : float
        End of the run in fs.
    save_every : float, default 1.0
        Time between rows in fs. Rows are interpolated between steps that do not depend on them, unless a bare Python
        function drives the run (a voltage, a field, a torque, moments): nothing is known of it, so no step is longer
        than `save_every` then. Of the drives of `llgnegf.problem.drives` all is known that it takes (of a
        `TimeFunction` what it says): steps end at their discontinuities and do not pass over them.
    rtol : float, default 1e-06
        Accuracy asked for: largest error in elements of the density matrix (whose scale is 1) and of the moments. It
        sets the tolerances of lead poles, Fermi poles and time step together.
    start : str, default 'thermal'
        Electrons at t = 0: "thermal" (equilibrium with the leads attached, equal chemical potentials), "steady"
        (stationary state of the system frozen at t = 0) or "partitioned" (leads attached at t = 0).
    integrator : str, default 'auto'
        "dop853" (explicit, order 8), "ark5" (order 5, far Fermi poles implicit), both adaptive unless `step` is given,
        or "rk4" (explicit, order 4, fixed `step`). "auto" is ark5 for wide-band leads, whose Fermi poles reach far
        beyond the spectrum of the device, and dop853 otherwise; also in adaptive runs at rtol >= 1e-6 whose drives
        move fast most of the time (voltages with a period below 20 fs).
    step : float, optional
        Fixed time step in fs; None for an adaptive one. It is shortened where it has to end on a row or on a
        discontinuity of a drive, or would be longer than a drive can be seen with (within a `Pulse` its width).
    observables : sequence of str, default ()
        Extra columns: "adiabatic" adds the adiabatic spin density and torque of each instant and the nonadiabatic
        torque.
    initial_density_matrix : array_like of complex, (2N, 2N), optional
        rho(0), for start = "partitioned"; None is the isolated equilibrium.
    electrons : str, default 'full'
        "full", or "adiabatic": electrons integrated out one order beyond the adiabatic one, the equilibrium, or under
        a static bias the stationary state, of a `Magnet` at rest plus a first order in its velocities.
    response : sequence of str, default ('geometric', 'friction', 'bias')
        Which tensors of that first order act with electrons = "adiabatic": any of "geometric" and "friction", and
        "bias" for what a bias adds to them; () leaves the adiabatic torque alone.
    temperature : float, default 0.0
        kT (eV) of the moments' thermal noise: that of their damping beside full electrons, who have their own; with
        electrons = "adiabatic" that of all friction (`SlowSimulation`). An interval of the noise is two steps where
        `step` is given, else as long as its error allows.
    seed : int, optional
        Key of the random stream of that noise, >= 0.
    memory : float, optional
        GB that the run may take, None what is free; one that needs more (`llgnegf.run.memory`) is refused.
    threads : int, optional
        How many share a big state of the electrons; None: LLGNEGF_NUM_THREADS or OMP_NUM_THREADS of the environment,
        else every core. They change no bit of a result.
    folder : str or path, optional
        Run folder, as of `llgnegf run`: rows are committed every few seconds, and a run that was stopped or killed goes
        on when it is asked for again (or with `llgnegf resume`). None keeps all in memory.
    progress : bool or callable, default False
        True shows what is done, a bar on a terminal and lines with percentages elsewhere; a function is called with
        (done, total, text): times in fs and the stage of the run.

    Returns
    -------
    Result
        Its dataset has the columns of `llgnegf.run.observables` with dims (time, ...) and units.

    Raises
    ------
    ValueError
        One line for each argument that is not allowed; with a folder also for what an input file has no words for (an
        own function of time, a `Prescribed` motion), and if it holds a run of something else.
    IntegrationStopped
        On NaN, or a step below round-off, with time, quantity and cause.
    StorageError
        If the folder cannot be written.
    KeyboardInterrupt
        On Ctrl-C; with a folder on SIGTERM too, after a commit.

    Warns
    -----
    AccuracyWarning
        Where the error budget comes to more than `rtol`.
    SuspiciousValueWarning
        For values that make no sense beside the others.

    See Also
    --------
    load : What a folder holds, as a `Result`.
    ensemble : Many realisations of the noise.
    Simulation : The same row by row, and coupled to another program.

    Notes
    -----
    Full electrons and moments that answer obey [1]_ ::

        rho = hbar G^<(t, t)/i,     <s_i> = Tr[rho_ii sigma]
        dM_i/dt = -g M_i x B_i + lambda M_i x dM_i/dt + (g/mu_M) (T_ext + J_sd <s_i> x M_i),    B_i = -(1/mu_M) dH/dM_i

    at the same instant; the leads' memory is expanded in damped modes, whose equations are those of
    `llgnegf.equations.electrons`. Slow electrons are those of `SlowSimulation`.

    Whatever stops the rows, a mistake in a drive or Ctrl-C among it, carries a `Result` of the rows so far as its
    attribute `result` (with `density_matrix` None).

    References
    ----------
    .. [1] U. Bajpai, B. K. Nikolic, Phys. Rev. Lett. 125, 187202 (2020).

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(2, j_sd=0.1), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.2)
    >>> magnet = ln.Magnet(ln.helix(2, 0.8), magnetic_moment=2.0, damping=0.1, energies=[ln.Zeeman([0, 0, 100.0])])
    >>> result = ln.simulate(system, magnet, t_end=2.0, rtol=1e-4)
    >>> result["torque"].dims, result["torque"].units
    (('time', 'site', 'component'), 'eV')
    """
    if folder is None:
        return in_memory(system, motion, progress=progress, **options)
    check_call("simulate", inspect.signature(simulate), (system, motion), options)
    place = path_of("simulate", "folder", folder, FOLDER)
    with heard() as said:
        with shown(progress, "fs") as report:
            result = _in_folder(config_of(system, motion, options), place, report)
        warn_if_exceeded(result.errors, options.get("rtol", RunOptions.rtol))
    return replace(result, warnings=all_said(system, motion, options, said))


def _in_folder(config: RunConfig, path: Path, report: Progress) -> Result:
    """The run of `config` from where the one in the folder `path` stands."""
    report(0.0, 0.0, "set-up")
    simulation = config.simulation()
    folder = RunFolder.open_or_create(path, config.to_toml(), ["llgnegf.simulate"])
    with keeping(lambda: committed(folder, simulation), "the committed rows"):
        finished = run_in_folder(
            folder, simulation, progress=report, commit_every_s=config.run.checkpoint_every,
            input_text=config.to_toml(),
        )  # fmt: skip
        if not finished:
            raise KeyboardInterrupt(f"stopped; all rows are saved in {folder.path}, where the same call goes on")
    return committed(folder, simulation)


def config_of(system: Any, motion: Any, options: Mapping[str, Any], why: str = WITH_FOLDER) -> RunConfig:
    """The input file that says the same as the arguments of `simulate`; `why` there has to be one.

    Raises:
        ValueError: One line for each argument that is not allowed, or that no file has words for.
    """
    known = system is None or isinstance(system, OpenSystem)
    need(known, "simulate", "system", system, "an OpenSystem, or None")
    given = {name: value for name, value in options.items() if value is not getattr(RunOptions, name, None)}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
    run = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
    try:
        return RunConfig.from_objects(system, motion, **run)
    except ConfigError as error:
        lines = [f"simulate.{line.removeprefix('run.')}" for line in error.lines]
        raise ConfigError([f"{line} ({why})" for line in lines]) from None


def committed(folder: RunFolder, simulation: Run) -> Result:
    """What is committed; with the density matrix if that is all."""
    found = folder.recover()
    done = found.checkpoint is not None and found.checkpoint.row == simulation.times.size
    if found.path is not None and not (done and simulation.row == simulation.times.size):
        simulation.restore(state_in(found.path))
    with folder.dataset() as dataset:
        columns = {name: np.array(dataset[name].values) for name in simulation.variables}
        rows = Rows(np.array(dataset["time"].values), columns, simulation.variables, simulation.coordinates)
    matrix = simulation.density_matrix if done else None
    return result_of(simulation, rows, matrix)
