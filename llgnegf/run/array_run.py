"""ArrayRun: the rows of a `Simulation` of fixed steps, computed on arrays of another namespace. Experimental.

For devices whose matrices an accelerator multiplies faster than the compiled kernels do: the electrons stay there, in
the blocks of `equations.kernels.reference`; moments, drives and rows are the run's own, in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from llgnegf._checks import Problems, need
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.kernels.reference import Blocks, Leads, SparseRows, block_rates, lead_sums, namespace
from llgnegf.integrators.integration import stability_limit
from llgnegf.integrators.schedule import Schedule, count_of_steps
from llgnegf.integrators.tableaus import METHODS, ImexTableau, Tableau
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.magnetism.external import External
from llgnegf.problem.observables import spin_of_sites
from llgnegf.run.recorder import FullRows, Recorder
from llgnegf.run.simulation import Simulation
from llgnegf.run.watch import Watch
from llgnegf.units import HBAR

ROWS = 32
"""A number of H that is gathered costs as much as about so many rows of a product with all of H."""
State = tuple[Any, ...]
"""`Blocks`, then the integrals of P and of H P (n, Q) over t/hbar, of which the outflow is made."""


class ArrayRun:
    """The rows of a simulation, by its own explicit steps on the arrays of `xp`.

        run = ArrayRun(Simulation(system, motion, t_end=100.0, integrator="rk4", step=0.1), jax.numpy, compiled=jax.jit)
        for index, row in run.rows(): ...

    Args:
        simulation: At its start, with `step`, and "rk4" or "dop853" ("auto" is that) as `integrator`; of electrons
            whose Hamiltonian changes with the moments alone, prescribed ones or a `Magnet` without a bath. It stays as
            it is.
        xp: A namespace of the array API standard, or one as near to it as torch: numpy, jax.numpy (with
            jax_enable_x64), cupy, torch.
        device: Where its arrays are to be, as `xp.asarray` takes it; None for its default.
        compiled: Makes a pure function of arrays fast: jax.jit; None leaves it as it is.

    Raises:
        ValueError: One line for each thing about the simulation that is not of this kind.
    """

    def __init__(
        self, simulation: Simulation, xp: Any = np, device: Any = None, compiled: Callable[..., Any] | None = None
    ) -> None:
        self.equation, self.tableau, self._longest = _checked(simulation)
        options, system, layout = simulation.options, self.equation.system, self.equation.layout
        self.simulation, self.time = simulation, 0.0
        self._schedule = Schedule(self.equation.drives(), options.save_every, HBAR)
        where = {} if device is None else {"device": device}
        self._array: Callable[[Any], Any] = lambda values: xp.asarray(np.asarray(values, dtype=complex), **where)
        leads, n = Leads.of(self.equation.poles), system.n_sites
        self._at_rest, self._columns = system.electrons.hamiltonian_at(np.zeros((n, 3))), None
        rows = SparseRows.of(self._at_rest)
        if 2 * n >= ROWS * rows.values.shape[1]:
            self._at_rest, self._columns = rows.values, xp.asarray(rows.columns, **where)
        self._where_sites = self._array(np.eye(n)[:, None, :, None])
        self._leads, state = Leads(*map(self._array, leads)), simulation.state
        nothing_left = np.zeros_like(leads.u)
        self.state: State = tuple(map(self._array, (*Blocks.of(layout, state), nothing_left, nothing_left)))
        self.moments = layout.moments(state).copy()
        make = compiled or (lambda function: function)
        self._slope, self._moved, self._sites = make(_slope), make(_moved), make(_sites)
        # What is compiled takes each number by itself to the device.
        self._weights: Any = self._array if compiled else np.ndarray.tolist
        made = FullRows(self.equation, simulation.motion)
        self._sample, self._recorder = made.sampler, Recorder(made, options.observables)
        turned = np.einsum("ast,itq->aisq", PAULI, leads.u.reshape(n, 2, -1)).reshape(3, 2 * n, -1)
        self._out = np.concatenate([leads.u[None], turned, leads.u[None]]).conj()
        self._orbital_lead = leads.lead_of_orbital.real

    def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """As `Simulation.rows`: the index and the columns of each row; raises as it does."""
        watch = Watch(self.equation.layout, self.simulation.rtol)
        for index, time in enumerate(self.simulation.times.tolist()):
            self.advance(time / HBAR)
            state = self.packed()
            watch.check(self.time, state)
            yield index, self._recorder.row(time, self._sample(state))

    def advance(self, target: float) -> None:
        """Steps to t/hbar = `target`, which end at every discontinuity of a drive on the way."""
        while self.time < target:
            stop = min(target, self._schedule.stop_after(self.time))
            count = count_of_steps(stop - self.time, min(self._longest, self._schedule.longest_step(self.time)))
            length = (stop - self.time) / count
            self._step(length)
            self.time = stop if count == 1 else self.time + length

    def slope(self, time: float, state: State, free: np.ndarray) -> tuple[State, np.ndarray]:
        """d/d(t/hbar) of a state and of its free moments (n, 3), at t/hbar = `time`."""
        equation = self.equation
        moments, j_sd = equation.moments_at(time, free), equation.system.electrons.j_sd
        seen, voltages = equation.on_electrons(moments), equation.system.voltages(time * HBAR)
        hamiltonian = self._hamiltonian(-np.einsum("i,ia,ast->ist", j_sd, seen, PAULI))
        slope = self._slope(self._leads, hamiltonian, self._array(voltages), state)
        if equation.llg is None:
            return slope, np.zeros_like(free)
        spin = spin_of_sites(as_numpy(self._sites(state[0], self._where_sites)))
        torque = equation.on_moments(j_sd[:, None] * np.cross(spin, seen))
        return slope, equation.llg.rate(moments, time * HBAR, torque)

    def packed(self) -> np.ndarray:
        """The state vector in the simulation's layout."""
        (rho, f, w, v, y, sums, carried), layout = map(as_numpy, self.state), self.equation.layout
        state = layout.pack(rho, f, w, np.concatenate([v, y]), self.moments)
        # 2 Im u^dag O P for O = 1, sigma and H: see `lead_rates`.
        of_orbital = 2 * np.einsum("oiq,oiq->qo", self._out, np.stack([*4 * [sums], carried])).imag
        layout.outflow(state)[:] = self._orbital_lead.T @ of_orbital
        return state

    def _hamiltonian(self, sd: np.ndarray) -> Any:
        """H_0 + the blocks `sd` (N, 2, 2) of -J_i sigma.M_i."""
        values, sites = self._at_rest.copy(), np.arange(len(sd))
        if self._columns is not None:
            values[:, :2] += sd.reshape(-1, 2)
            return SparseRows(self._columns, self._array(values))
        values.reshape(len(sd), 2, len(sd), 2)[sites, :, sites, :] += sd
        return self._array(values)

    def _step(self, length: float) -> None:
        slopes: list[State] = []
        rates: list[np.ndarray] = []
        times = self._schedule.within(self.time, self.time + length * self.tableau.c)
        for time, weights in zip(times, length * self.tableau.a, strict=True):
            slope, rate = self.slope(time, *self._at(slopes, rates, weights))
            slopes.append(slope)
            rates.append(rate)
        self.state, self.moments = self._at(slopes, rates, length * self.tableau.b)
        self.equation.normalise(self.moments)

    def _at(self, slopes: list[State], rates: list[np.ndarray], weights: np.ndarray) -> tuple[State, np.ndarray]:
        """The state and the moments, moved on by the slopes so far."""
        used = [j for j in range(len(slopes)) if weights[j] != 0.0]
        moments = self.moments + np.tensordot(weights[used], np.array(rates)[used], 1) if used else self.moments
        return self._moved(self.state, [slopes[j] for j in used], self._weights(weights[used])), moments


def _slope(leads: Leads, hamiltonian: Any, voltages: Any, state: State) -> State:
    """`block_rates`, P and H P."""
    blocks = Blocks(*state[:5])
    sums = lead_sums(leads, blocks)
    return (*block_rates(leads, hamiltonian, voltages, blocks), sums, hamiltonian @ sums)


def _moved(state: State, slopes: Sequence[State], weights: Any) -> State:
    """state + sum_j weights_j slopes_j."""
    parts = zip(state, *slopes, strict=True)
    return tuple(sum((w * x for w, x in zip(weights, xs, strict=True)), part) for part, *xs in parts)


def _sites(rho: Any, sites: Any) -> Any:
    """rho_ii, (N, 2, 2)."""
    xp, n = namespace(rho), sites.shape[0]
    return xp.sum(xp.reshape(rho, (n, 2, n, 2)) * sites, axis=2)


def as_numpy(array: Any) -> np.ndarray:
    """An array in main memory: CuPy and PyTorch have to be asked, others answer NumPy by themselves."""
    for move in ("get", "cpu"):
        array = getattr(array, move)() if hasattr(array, move) else array
    return np.asarray(array)


def _checked(simulation: Simulation) -> tuple[ElectronEquation, Tableau, float]:
    """Equation, method and longest step (hbar/eV); all that is not here is refused together."""
    owner, equation, options = "ArrayRun.simulation", simulation.equation, simulation.options
    followed = isinstance(equation, ElectronEquation)
    need(followed, owner, "system", None, "an OpenSystem, whose electrons are followed")
    assert isinstance(equation, ElectronEquation)
    problems = Problems(owner)
    method = METHODS["dop853" if options.integrator == "auto" else options.integrator]
    electrons = equation.system.electrons
    explicit, step = not isinstance(method, ImexTableau), options.step or np.inf
    limit = HBAR * stability_limit(equation, method)
    problems.check(explicit, "integrator", method.name, "'rk4' or 'dop853', explicit methods")
    stable = f"a fixed step of at most {limit:.3g} fs, with which {method.name!r} is stable here"
    problems.check(not explicit or step <= limit, "step", options.step, stable)
    problems.check(electrons.is_constant, "system.electrons.terms", electrons.terms, "no drives and no mean fields")
    problems.check(not isinstance(simulation.motion, External), "motion", simulation.motion, "no External moments")
    problems.check(not options.is_noisy, "temperature", options.temperature, "no bath")
    problems.check(simulation.row == 0, "row", simulation.row, "0, a run at its start")
    problems.raise_all()
    return equation, method, step / HBAR
