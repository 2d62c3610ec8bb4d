"""Mode rows that steps carry without stages, against the same method that carries them as it does the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import llgnegf as ln
from llgnegf import _threads
from llgnegf.equations import mode_rows
from llgnegf.integrators.stepper import RungeKutta
from llgnegf.integrators.tableaus import METHODS, Tableau
from llgnegf.problem.leads import Channel
from llgnegf.problem.spectra import Modes

WALL = ln.bloch_wall(2, center=1.5, width=0.9)
EXCHANGE = [ln.Exchange(0.05)]


def wire(*more: Any, kT: float = 0.05, j_sd: float = 0.4) -> ln.OpenSystem:
    """Two sites between a chain and what is given, by default a chain of another width."""
    leads = [ln.ChainLead(0, 0.8), *(more or (ln.ChainLead(-1, 0.6, hopping=0.8),))]
    return ln.OpenSystem(ln.chain(2, 1.0, j_sd), leads, kT=kT)


def magnet(**options: Any) -> ln.Magnet:
    return ln.Magnet(WALL, magnetic_moment=1.0, damping=0.1, energies=EXCHANGE, **options)


SUDDEN, SLOW = ln.Precession(ln.cone(2, 0.7), 0.3), ln.Precession(ln.cone(2, 0.7), 0.01)
CASES: dict[str, tuple[Callable[[], ln.OpenSystem], Callable[[], Any], dict[str, Any]]] = {
    "sudden precession": (wire, lambda: SUDDEN, {}),
    "slow precession": (wire, lambda: SLOW, {}),
    "bias": (
        lambda: wire(ln.ChainLead(-1, 0.6, chemical_potential=0.5, kT=0.1)),
        lambda: ln.Frozen(WALL), {"start": "steady"},
    ),
    "bias on a partitioned start": (
        lambda: wire(ln.ChainLead(-1, 0.6, voltage=0.4)), lambda: SUDDEN, {"start": "partitioned"},
    ),
    "wide band beside a chain": (lambda: wire(ln.WideBandLead(-1, 0.5)), lambda: SLOW, {"integrator": "dop853"}),
    "moments that answer": (wire, magnet, {}),
    "gate": (
        lambda: ln.OpenSystem(
            ln.Electrons(np.kron([[0.0, -1.0], [-1.0, 0.2]], np.eye(2)), 0.3, terms=[ln.Gate([1], ln.Sine(0.3, 4.0))]),
            [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.05,
        ),
        magnet, {},
    ),
    "ribbon": (
        lambda: (lat := ln.square(2, 2)) and ln.OpenSystem(
            lat.electrons(1.0, 0.4), [lat.lead("left"), lat.lead("right", chemical_potential=0.2)], kT=0.1
        ),
        lambda: ln.Precession(ln.random(4, seed=1), 0.3), {"start": "steady"},
    ),
}  # fmt: skip


def simulation(monkeypatch: pytest.MonkeyPatch, apart: bool, name: str, **options: Any) -> ln.Simulation:
    monkeypatch.setattr(mode_rows, "LARGE", 0 if apart else 2**62)
    system, motion, own = CASES[name]
    run = ln.Simulation(system(), motion(), **{"t_end": 4.0, "save_every": 1.0, "rtol": 1e-4, **own, **options})
    stepper = run._dense.integration.stepper
    assert isinstance(stepper, RungeKutta) and stepper.carries_all is not apart
    return run


def rows(run: ln.Simulation) -> dict[str, np.ndarray]:
    found = [row for _, row in run.rows()]
    return {name: np.array([row[name] for row in found]) for name in found[0]}


@pytest.mark.parametrize("name", CASES)
def test_rows_are_those_of_the_plain_method(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every column, and the whole state at the end, mode rows among it: both to the rtol that they are asked for."""
    runs = [simulation(monkeypatch, apart, name, rtol=1e-6) for apart in (False, True)]
    plain, apart = (rows(run) for run in runs)
    for column, values in plain.items():
        np.testing.assert_allclose(apart[column], values, rtol=0, atol=1e-6 * max(1.0, np.abs(values).max()))
    np.testing.assert_allclose(runs[1].state, runs[0].state, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["sudden precession", "slow precession", "moments that answer", "ribbon"])
@pytest.mark.parametrize(("method", "step", "order"), [("dop853", 0.4, 8), ("rk4", 0.1, 4)])
def test_steps_err_as_those_of_the_plain_method(
    method: str, step: float, order: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of fixed steps (fs), and of half of them: by the order less, and no larger than twice those of stages that
    carry everything. The reference is that plain method of order 8 with steps of 0.05 fs, its error 1e-7 of theirs."""
    errors, ends = {}, {"t_end": 4.0, "save_every": 4.0}
    reference = simulation(monkeypatch, False, name, integrator="dop853", step=0.05, **ends)
    rows(reference)
    for apart in (False, True):
        for part in (1, 2):
            run = simulation(monkeypatch, apart, name, integrator=method, step=step / part, **ends)
            rows(run)
            errors[apart, part] = np.abs(run.state - reference.state).max()
    assert errors[True, 1] <= 2 * errors[False, 1] and errors[True, 2] <= 2 * errors[False, 2]
    assert errors[True, 1] / errors[True, 2] >= 2 ** (order - 1)


@pytest.mark.parametrize("name", ["slow precession", "moments that answer"])
def test_slow_motion_takes_no_more_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 fs, most of them after the transient: a place of rest that did not move with the source would take 1.6 to 2
    times the steps of the plain method."""
    options = {"t_end": 100.0, "save_every": 100.0, "rtol": 1e-5}
    runs = [simulation(monkeypatch, apart, name, **options) for apart in (False, True)]
    plain, apart = (rows(run) and run.statistics["accepted_steps"] for run in runs)
    assert apart <= 1.15 * plain
    np.testing.assert_allclose(runs[1].state, runs[0].state, rtol=0, atol=1e-5)


def test_an_equilibrium_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing moves: sums of the memory without X* taken out would leave their own error, 1e-7 in each such step."""
    monkeypatch.setitem(CASES, "at rest", (wire, lambda: ln.Frozen(WALL), {}))
    run = simulation(monkeypatch, True, "at rest", t_end=30.0, save_every=30.0)
    before = run.state
    rows(run)
    assert np.abs(run.state - before).max() <= 1e-11


def test_the_whole_state_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a step too, where an interpolant knows nothing of mode rows; asking for it changes no bit of the run."""
    runs = [simulation(monkeypatch, apart, "sudden precession", rtol=1e-6, save_every=0.31) for apart in (False, True)]
    states = []
    for run in runs:
        states.append([run.state for _ in run.rows()])
    np.testing.assert_allclose(states[1], states[0], rtol=0, atol=1e-6)
    asked = simulation(monkeypatch, True, "sudden precession", rtol=1e-6, save_every=0.31)
    found = []
    for _, row in asked.rows():
        found.append(row["torque"])
        assert asked.density_matrix is not None
    silent = simulation(monkeypatch, True, "sudden precession", rtol=1e-6, save_every=0.31)
    np.testing.assert_array_equal(found, rows(silent)["torque"])


@pytest.mark.parametrize("name", ["moments that answer", "gate", "bias"])
def test_a_run_goes_on_to_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, first = (simulation(monkeypatch, True, name, save_every=0.7) for _ in range(2))
    expected = [row for _, row in straight.rows()]
    for index, _ in first.rows():
        if index == 4:
            break
    second = simulation(monkeypatch, True, name, save_every=0.7)
    second.restore(first.checkpoint())
    for (_, row), other in zip(second.rows(), expected[5:], strict=True):
        for column, values in row.items():
            np.testing.assert_array_equal(values, other[column])


def test_looking_at_a_run_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint made after the whole state was asked for knows which stages there are: a run that goes on from it
    counts its right-hand sides as one that was never looked at."""
    straight = simulation(monkeypatch, True, "moments that answer", save_every=0.37)
    rows(straight)
    first = simulation(monkeypatch, True, "moments that answer", save_every=0.37)
    for _ in first.rows():
        assert first.density_matrix is not None
        second = simulation(monkeypatch, True, "moments that answer", save_every=0.37)
        second.restore(first.checkpoint())
        if second.row < second.times.size:
            rows(second)
        assert second.statistics == straight.statistics
        np.testing.assert_array_equal(second.state, straight.state)


def test_a_method_with_one_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Euler's: no stage after the first, errors of the step (fs)."""
    euler = Tableau("euler", 1, np.zeros((1, 1)), np.ones(1), np.zeros(1), np.zeros((0, 1)), 0, 0.5, 2.0)
    ends, errors = {"t_end": 0.5, "save_every": 0.5}, []
    reference = simulation(monkeypatch, False, "sudden precession", integrator="dop853", step=0.05, **ends)
    rows(reference)
    monkeypatch.setitem(METHODS, "rk4", euler)  # under a name that runs take
    for step in (2e-3, 1e-3):
        run = simulation(monkeypatch, True, "sudden precession", integrator="rk4", step=step, **ends)
        rows(run)
        errors.append(np.abs(run.state - reference.state).max())
    assert errors[1] <= 1e-3 and errors[0] / errors[1] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("name", ["sudden precession", "ribbon", "moments that answer"])
def test_bits_do_not_depend_on_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_threads, "SMALLEST", 0)
    states = []
    for count in (1, 2, 3):
        run = simulation(monkeypatch, True, name, threads=count, t_end=2.0)
        rows(run)
        states.append(run.state)
    np.testing.assert_array_equal(states[1], states[0])
    np.testing.assert_array_equal(states[2], states[0])


class Narrow:
    """A lead on the first site with one narrow level, half-width 1e-7 eV, that is coupled with 0.5 eV."""

    chemical_potential, support, is_zero, weight = 0.1, (-np.inf, np.inf), False, 0.25
    energies, weights = np.array([-0.4 - 1e-7j]), np.array([0.25])

    def attach(self, n_sites: int) -> list[Channel]:
        return [Channel(np.eye(2 * n_sites)[row], self) for row in range(2)]  # type: ignore[arg-type]

    def voltage_at(self, time: float) -> float:
        return 0.0

    def drives(self) -> tuple[()]:
        return ()

    def self_energy(self, energy: Any) -> Any:
        return self.weight / (np.asarray(energy) - self.energies[0])

    def self_energy_derivative(self, energy: Any) -> Any:
        return -self.weight / (np.asarray(energy) - self.energies[0]) ** 2

    def broadening(self, energy: Any) -> Any:
        return -2 * self.self_energy(np.asarray(energy, dtype=float)).imag

    def modes(self, tolerance: float) -> Modes:
        return Modes(self.energies, self.weights)


@pytest.mark.parametrize(
    ("system", "options"),
    [
        (lambda: wire(Narrow()), {"integrator": "dop853", "start": "partitioned"}),
        (lambda: wire(ln.ChainLead(-1, 0.6, voltage=ln.Sine(0.2, period=3.0))), {}),
        (lambda: wire(ln.WideBandLead(-1, 0.5)), {"integrator": "ark5"}),
        (lambda: ln.OpenSystem(ln.chain(2, 1.0, 0.1), [ln.WideBandLead(0, 0.5)], kT=0.1), {"integrator": "dop853"}),
    ],
    ids=["far from rest", "voltage in time", "implicit", "no modes"],
)
def test_elsewhere_steps_carry_all(system: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mode_rows, "LARGE", 0)
    run = ln.Simulation(system(), SUDDEN, t_end=0.1, save_every=0.1, rtol=1e-3, **options)
    stepper = run._dense.integration.stepper
    assert isinstance(stepper, RungeKutta) and stepper.carries_all
