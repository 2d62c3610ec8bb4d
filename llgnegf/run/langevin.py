"""langevin_ensemble(): many copies of moments with thermal noise at once, by `integrators.heun`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llgnegf._blas import one_thread_if_small
from llgnegf._readable import readable
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.system import OpenSystem
from llgnegf.run.options import RESPONSES
from llgnegf.run.progress import keeping, reporting
from llgnegf.run.slow_simulation import SlowSimulation


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Independent runs of the same moments.

    Attributes:
        times: Save times in fs, (T,).
        moments: (T, copies, N, 3).
    """

    times: np.ndarray
    moments: np.ndarray


@readable
@reporting("fs")
def langevin_ensemble(
    system: OpenSystem | None,
    magnet: Magnet,
    *,
    temperature: float,
    t_end: float,
    step: float,
    save_every: float,
    copies: int,
    seed: int,
    rtol: float = 1e-6,
    response: tuple[str, ...] = RESPONSES,
    progress: bool | Callable[..., None] = False,
) -> Ensemble:
    """Many independent Langevin runs at once: thermal averages of moments with or without electrons.

    Whatever stops it, Ctrl-C among it, carries the `Ensemble` so far as its attribute `result`.

    Parameters
    ----------
    system : OpenSystem or None
        Electrons that follow at first order, their leads at kT = temperature or biased; None for moments alone.
    magnet : Magnet
        The moments; all copies start with `magnet.moments`.
    temperature : float
        kT of the noise in eV, > 0. Under bias it is that of the damping's noise alone, and may be 0.
    t_end : float
        End in fs.
    step : float
        Time step in fs; save_every is divided into equal steps no longer than it.
    save_every : float
        Time between saved configurations in fs.
    copies : int
        Number of independent runs.
    seed : int
        Key of the random stream, an integer >= 0: the same seed gives the same bits.
    rtol, response : object
        As for `SlowSimulation`.
    progress : bool or callable, default False
        As for `simulate`.

    Returns
    -------
    Ensemble
        `times` in fs (T,), and `moments` (T, copies, N, 3).

    Raises
    ------
    ValueError
        As `SlowSimulation`.

    See Also
    --------
    ensemble : Runs of `simulate` one beside another, with full electrons too.

    Notes
    -----
    The equation is that of `SlowSimulation` with the noise of its friction, integrated by Heun's method.

    Examples
    --------
    >>> magnet = ln.Magnet(ln.uniform(1, "z"), magnetic_moment=1.0, damping=0.5, energies=[ln.Zeeman([0, 0, 100.0])])
    >>> options = {"temperature": 0.01, "step": 0.5, "save_every": 5.0, "copies": 100, "seed": 1}
    >>> ln.langevin_ensemble(None, magnet, t_end=20.0, **options).moments.shape
    (5, 100, 1, 3)
    """
    assert callable(progress)
    progress(0.0, 0.0, "set-up")
    run = SlowSimulation(
        system, magnet, t_end=t_end, save_every=save_every, rtol=rtol, step=step, response=response,
        temperature=temperature, seed=seed, copies=copies,
    )  # fmt: skip
    moments: list[np.ndarray] = []

    def so_far() -> Ensemble:
        stacked = np.array(moments).reshape(-1, copies, magnet.n_sites, 3)
        return Ensemble(run.times[: len(moments)], stacked)

    with keeping(so_far, "the configurations"):
        for k, time in enumerate(run.times):
            with one_thread_if_small(system):
                moments.append(run.advance_to(k))
            progress(float(time), float(run.times[-1]), "running")
    return so_far()
