"""Two-time Green functions along a run: the correlations of an instant with all later ones.

The equations are in `equations.propagator`; `analysis.photoemission` makes spectra of what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from llgnegf._blas import limited
from llgnegf._checks import Problems, memory_of_machine
from llgnegf._readable import Readable
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.propagator import PropagatorEquation
from llgnegf.integrators.integration import Integration
from llgnegf.problem.magnetism.external import External
from llgnegf.problem.system import OpenSystem
from llgnegf.run.options import FullKeywords
from llgnegf.run.simulation import Motion, Simulation, integration_of
from llgnegf.run.watch import Watch
from llgnegf.units import HBAR

if TYPE_CHECKING:
    import xarray

STEPPER_VECTORS = 20
"""Vectors of the size of the state that an integration holds."""


@dataclass(frozen=True)
class Cost:
    """What two-time functions cost: `memory` in bytes, of it `result` in what is handed out, and `seconds`, about.

    Seconds are those of the second interval, times the number of intervals, and of the products; not those of the run
    before the first time that is kept.
    """

    memory: int
    result: int
    seconds: float

    def __str__(self) -> str:
        memory, result = self.memory / 2**30, self.result / 2**30
        return f"{memory:.3g} GiB ({result:.3g} GiB of it the result), about {self.seconds:.2g} s"


class TwoTime(Readable):
    """Two-time Green functions of a run at all pairs of its save times.

    Parameters
    ----------
    system : OpenSystem
        As for `simulate`.
    motion : Magnet, Precession, Prescribed or Frozen
        As for `simulate`.
    begin : float, default 0.0
        First time (fs) that is kept: the next save time. The run before it costs what a run costs.
    sites : sequence of int, optional
        Sites that a and b are on; None: all.
    **options : object
        t_end, save_every, rtol, start, integrator (adaptive), initial_density_matrix, temperature and seed, as for
        `simulate`.

    Attributes
    ----------
    times : ndarray, (n_times,)
        The times t and t', fs.
    cost : Cost
        Memory and time that `run` will take, printed in one line.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; for functions that do not fit into memory.

    See Also
    --------
    analysis.photoemission : Spectra made of them.

    Notes
    -----
    For any bias, drive and moments that answer, ::

        hbar G^<_ab(t, t') = i <c_b^dag(t') c_a(t)>,      hbar G^R_ab(t, t') = -i theta(t - t') <{c_a(t), c_b^dag(t')}>

    with leads and Fermi function in the poles of the run, and no other approximation: hbar G^<(t, t) = i rho(t) is the
    run's own. With T times, s states of the sites asked for, and D = 2N + modes (+ Fermi vectors), memory grows as T^2
    s^2 + T s D + D^2, and time as T D^2 for the propagators and T^2 s D^2 for the products with them.

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(1), [ln.WideBandLead(0, 0.4)], kT=0.5)
    >>> functions = ln.TwoTime(system, ln.Frozen([[0, 0, 1]]), t_end=3.0, save_every=1.0, rtol=1e-3).run()
    >>> functions.lesser.dims, functions.lesser.shape
    (('time', 'time_prime', 'state', 'state_prime'), (4, 4, 2, 2))
    """

    @limited
    def __init__(
        self, system: OpenSystem, motion: Motion, *, begin: float = 0.0, sites: Sequence[int] | None = None,
        **options: Unpack[FullKeywords],
    ) -> None:
        problems = Problems("TwoTime")
        problems.check(system is not None, "system", system, "an OpenSystem: moments alone have no Green functions")
        allowed = "a motion that is known before the run, or a Magnet"
        problems.check(not isinstance(motion, External), "motion", "External", allowed)
        problems.check("observables" not in options, "observables", "given", "none: Simulation has columns")
        allowed = "None: what starts at every save time decays at first as fast as the farthest Fermi pole"
        problems.check(options.get("step") is None, "step", options.get("step"), allowed)
        problems.raise_all()
        self.system, self._run = system, Simulation(system, motion, **options)
        self.sites, self.times = self._kept(problems, begin, sites)
        problems.raise_all()
        self._states = (2 * self.sites[:, None] + np.arange(2)).ravel()
        self._first = self._run.times.size - self.times.size
        span, every = self.times[-1] - self.times[0], self._run.options.save_every
        assert isinstance(self._run.equation, ElectronEquation)
        self._equation = PropagatorEquation(self._run.equation, every, span)
        memory, result = self._memory()
        there = memory_of_machine()
        value = f"{self.times.size} times and {self.sites.size} sites need {memory / 2**30:.3g} GiB"
        allowed = f"at most {there / 2**30:.3g} GiB, what this machine has; fewer times (save_every, begin) or sites"
        problems.check(memory <= there, "save_every", value, allowed)
        problems.raise_all()
        self.cost = Cost(memory, result, self._seconds())

    def _kept(self, problems: Problems, begin: Any, sites: Any) -> tuple[np.ndarray, np.ndarray]:
        """Sites and times of the functions; mistakes in what was asked are noted."""
        times, count = self._run.times, self.system.n_sites
        allowed = f"a number from 0 to {times[-2]:g}, the last save time but one, in fs"
        start = problems.number("begin", begin, allowed, lambda t: 0 <= t <= times[-2])
        allowed = f"different sites from 0 to {count - 1}, in rising order"
        given = problems.array("sites", range(count) if sites is None else sites, (None,), allowed)
        found = np.zeros(0, dtype=int) if given is None else np.intersect1d(given, np.arange(count)).astype(int)
        if given is not None:
            problems.check(found.size > 0 and np.array_equal(found, given), "sites", sites, allowed)
        return found, times[times >= start - 1e-9 * self._run.options.save_every].copy()

    def __repr__(self) -> str:
        shape = f"{self.times.size} times, {self.sites.size} sites"
        return f"TwoTime: {shape} from {self.times[0]:g} to {self.times[-1]:g} fs, {self.cost}"

    @limited
    def run(self) -> xarray.Dataset:
        """The functions at all pairs of times.

        Returns
        -------
        xarray.Dataset
            Dataset with `lesser`, hbar G^<, and `retarded`, hbar G^R, complex and without unit, dims (time, time_prime,
            state, state_prime), and the coordinates site and spin of the states. G^R(t, t) is -i, that of t > t'.

        Raises
        ------
        IntegrationStopped
            As `Simulation.rows`.
        """
        equation, width = self._equation, self._states.size
        count, (rows, every) = self.times.size, equation.shape
        correlations = np.zeros((every, count * width), dtype=complex)
        propagators = np.zeros((rows, count * width), dtype=complex)
        lesser = np.zeros((count, count, width, width), dtype=complex)
        retarded = np.zeros_like(lesser)
        integration, watch = self._integration(), Watch(equation.layout, self._run.rtol)
        for j, tau in enumerate(self.times / HBAR):
            done, new = slice(j * width), slice(j * width, (j + 1) * width)
            if j:
                before = integration.time
                integration.advance(tau)
                watch.check(tau, integration.state[: equation.layout.size])
                x, e = equation.propagator(integration.state, tau - before)
                correlations[:rows, done] = x @ correlations[:, done]
                correlations[rows:, done] *= e[:, None]
                propagators[:, done] = x[:, :rows] @ propagators[:, done]
                _go_on(integration, tau, equation.restarted(integration.state))
            correlations[:, new] = self._columns(integration.state)
            propagators[self._states, np.arange(new.start, new.stop)] = 1.0
            for held, out, factor in ((correlations, lesser, 1j), (propagators, retarded, -1j)):
                block = held[self._states, : new.stop].reshape(width, j + 1, width)
                out[j, : j + 1] = factor * block.transpose(1, 0, 2)
            lesser[:j, j] = -lesser[j, :j].conj().swapaxes(1, 2)
        return self._labelled(lesser, retarded)

    def _integration(self) -> Integration:
        """Of run and propagator, at the first time that is kept."""
        run = self._run
        if run.row <= self._first:
            run.advance_to(self._first)
            run.row = self._first + 1
        state = self._equation.restarted(run.state)
        integration = integration_of(self._equation, state, run.options)
        _go_on(integration, self.times[0] / HBAR, state)
        return integration

    def _columns(self, state: np.ndarray) -> np.ndarray:
        """C(t, t) of device and modes, and v(t)^dag, on the columns of the chosen states, (n + M + K, states)."""
        layout = self._equation.layout
        return layout.device(state[: layout.size])[self._states].conj().T  # rho and C are Hermitian

    def _memory(self) -> tuple[int, int]:
        """Bytes at the most, and those of the result."""
        count, width, (rows, every) = self.times.size, self._states.size, self._equation.shape
        result = 2 * (count * width) ** 2
        held = (3 * every + 2 * rows) * count * width  # with a product on its way
        return 16 * (result + held) + 8 * STEPPER_VECTORS * self._equation.size, 16 * result

    def _seconds(self) -> float:
        """From the second interval after t = 0 and a product with a few columns, both done once."""
        equation, run = self._equation, self._run
        few, (rows, every) = min(64, self.times.size) * self._states.size, equation.shape
        left, right = np.ones((rows, every), dtype=complex), np.ones((every, few), dtype=complex)
        integration, took = integration_of(equation, equation.restarted(run.state), run.options), [0.0]
        for tau in run.times[1:3] / HBAR:
            start = perf_counter()
            integration.advance(tau)
            _go_on(integration, tau, equation.restarted(integration.state))
            took.append(perf_counter() - start)
        start = perf_counter()
        left @ right
        product = (perf_counter() - start) / few
        equation.evaluations = 0
        columns = 0.5 * self.times.size**2 * self._states.size
        return float((self.times.size - 1) * took[-1] + (1 + rows / every) * columns * product)

    def _labelled(self, lesser: np.ndarray, retarded: np.ndarray) -> xarray.Dataset:
        import xarray

        names = {"lesser": (lesser, "hbar G^<(t, t')"), "retarded": (retarded, "hbar G^R(t, t')")}
        dims = ("time", "time_prime", "state", "state_prime")
        coords: dict[str, Any] = {}
        for end in ("", "_prime"):
            coords["time" + end] = ("time" + end, self.times, {"units": "fs", "long_name": "time" + end})
            coords["site" + end] = ("state" + end, np.repeat(self.sites, 2))
            coords["spin" + end] = ("state" + end, np.tile(["up", "down"], self.sites.size))
        data = {name: (dims, values, {"units": "1", "long_name": words}) for name, (values, words) in names.items()}
        return xarray.Dataset(data, coords=coords)


def _go_on(integration: Integration, time: float, state: np.ndarray) -> None:
    """Let an integration go on from another state and time."""
    begin = {"time": time, "time_before": time, "state": state, "state_before": state, "last_step": 0.0}
    integration.restore({**integration.checkpoint(), **begin, "has_rate": False, "has_extra": False})
