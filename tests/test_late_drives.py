"""Late and narrow drives: none is stepped over, in any kind of run, and methods keep their order across jumps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import llgnegf as ln
from llgnegf.problem.magnetism.terms import EnergyTerm
from llgnegf.run.simulation import Simulation
from llgnegf.run.slow_simulation import SlowSimulation
from llgnegf.units import G_E, HBAR, MU_B

CENTER, WIDTH, END = 5000.0, 5.0, 10000.0
FIELD = 200.0


def wire(j_sd: Any, count: int = 1) -> ln.OpenSystem:
    leads = [ln.ChainLead(0, coupling=0.5), ln.ChainLead(-1, coupling=0.5)]
    return ln.OpenSystem(ln.chain(count, j_sd=j_sd), leads, kT=0.1)


KINDS = ("full", "adiabatic", "moments alone")


def last_moments(kind: str, magnet: ln.Magnet, j_sd: Any = 0.0, **options: Any) -> np.ndarray:
    """Moments at the end of the run; full electrons do not touch them (J_sd = 0), slow ones of one site neither."""
    times = {"t_end": END, "save_every": 1000.0, "rtol": 1e-6} | options
    times["save_every"] = min(times["save_every"], times["t_end"])
    if kind == "moments alone":
        data = ln.simulate(None, magnet, **times).dataset
    elif kind == "full":
        data = ln.simulate(wire(0.0, magnet.n_sites), magnet, **times).dataset
    else:
        slow: Any = {"electrons": "adiabatic", "response": ()}
        data = ln.simulate(wire(j_sd, magnet.n_sites), magnet, **slow, **times).dataset
    return data.moments.values[-1]


def center_and_end(kind: str) -> tuple[float, float]:
    """Electrons with memory make a step each 0.5 fs all along: a hundredth of the time must do for them."""
    return (100.0, 150.0) if kind == "full" else (CENTER, END)


def pulses(height: float, center: float) -> dict[str, tuple[Any, float]]:
    """Narrow drives about `center` of a height, and their integrals over time (fs)."""
    gauss = height * WIDTH * math.sqrt(2 * math.pi)
    spike = [center - 0.4, center, center + 0.2]
    bump = lambda t: height * math.cos(0.5 * math.pi * (t - center)) ** 2 if abs(t - center) < 1 else 0.0  # noqa: E731
    return {
        "pulse": (ln.Pulse(height, center, WIDTH), gauss),
        "spike": (ln.Table(spike, [0.0, height, 0.0]), height * 0.3),
        "own": (ln.TimeFunction(bump, longest_step=np.inf, discontinuities=(center - 1, center + 1)), height),
        "jumps": (ln.TimeFunction(lambda t: height * (center <= t < center + 1), np.inf, (center, center + 1)), height),
    }


def along_y(drive: Any) -> ln.Drive:
    value = lambda t: [0.0, float(drive(t)), 0.0]  # noqa: E731
    if isinstance(drive, ln.Pulse):
        return ln.Pulse([0, drive.amplitude, 0], drive.center, drive.width)
    if isinstance(drive, ln.Table):
        return ln.Table(drive.times, [[0, b, 0] for b in drive.values])
    return ln.TimeFunction(value, drive.longest_step, drive.discontinuities)


@pytest.mark.parametrize("shape", ["pulse", "spike", "own", "jumps"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_late_field_turns_the_moment_by_its_exact_angle(kind: str, shape: str) -> None:
    """M turns about the axis of the field by (g mu_B/hbar) times the integral of B."""
    center, end = center_and_end(kind)
    drive, integral = pulses(FIELD, center)[shape]
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, energies=ln.Zeeman(along_y(drive)))
    angle = G_E * MU_B / HBAR * integral
    assert angle > 0.01
    got = last_moments(kind, magnet, j_sd=0.2, t_end=end)[0]
    np.testing.assert_allclose(got, [math.sin(angle), 0, math.cos(angle)], rtol=0, atol=1e-6 * angle)


@pytest.mark.parametrize("shape", ["pulse", "spike", "own", "jumps"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_late_torque_turns_the_moment_by_its_exact_angle(kind: str, shape: str) -> None:
    """A field-like torque a p x M turns M about p by (g_e/hbar n) times the integral of a."""
    center, end = center_and_end(kind)
    drive, integral = pulses(FIELD * MU_B, center)[shape]
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, torques=ln.SlonczewskiTorque(0.0, drive, "y"))
    angle = G_E / HBAR * integral
    got = last_moments(kind, magnet, j_sd=0.2, t_end=end)[0]
    np.testing.assert_allclose(got, [math.sin(angle), 0, math.cos(angle)], rtol=0, atol=1e-6 * angle)


def turned(axis: np.ndarray, angle: float, vector: np.ndarray) -> np.ndarray:
    """Rodrigues' rotation."""
    along = axis * (axis @ vector)
    return along + math.cos(angle) * (vector - along) + math.sin(angle) * np.cross(axis, vector)


@pytest.mark.parametrize("kind", KINDS)
def test_a_neighbour_that_turns_late_is_followed_exactly(kind: str) -> None:
    """M_1 = p(t) until t_1, then p turns about z at the rate w until t_2: dM/dt = k p x M is a rotation about
    k p(0) - w z in the frame that turns with p (k = J g_e/(hbar n)), and about the last p after it."""
    begin = center_and_end(kind)[0]
    w, exchange, span = 0.05, 0.01, 37.3
    phase = lambda t: w * min(max(t - begin, 0.0), span)  # noqa: E731
    follow = ln.TimeFunction(
        lambda t: [[math.cos(phase(t)), math.sin(phase(t)), 0.0]], longest_step=30.0,
        discontinuities=(begin, begin + span),
    )  # fmt: skip
    x = [1.0, 0, 0]
    magnet = ln.Magnet([x, x], 1.0, energies=ln.Exchange(exchange), prescribed=([0], follow))
    end = begin + span + 50.0
    k = exchange * G_E / HBAR
    # dM/dt = -(g/mu) M x J p = k p x M
    inside = k * np.array(x) - w * np.array([0, 0, 1.0])
    rate = float(np.linalg.norm(inside))
    at_end = turned(np.array([0, 0, 1.0]), w * span, turned(inside / rate, rate * span, np.array(x)))
    last = np.array([math.cos(w * span), math.sin(w * span), 0.0])
    exact = turned(last, k * (end - begin - span), at_end)
    assert np.abs(exact - last).max() > 0.3
    got = last_moments(kind, magnet, t_end=end)
    np.testing.assert_allclose(got[1], exact, rtol=0, atol=1e-6)


def final_density(motion: Any, t_end: float, save_every: float, rtol: float, **left: Any) -> np.ndarray:
    system = ln.OpenSystem(ln.chain(2, j_sd=0.5), [ln.ChainLead(0, **left), ln.ChainLead(-1)], 0.1, 0.1)
    rho = ln.simulate(system, motion, t_end=t_end, save_every=save_every, rtol=rtol).density_matrix
    assert rho is not None
    return rho


FROZEN = ln.Frozen([[0, 0, 1.0], [1.0, 0, 0]])


@pytest.mark.parametrize("shape", ["pulse", "spike", "jumps"])
def test_a_late_voltage_does_what_an_early_one_does(shape: str) -> None:
    """Nothing happens in equilibrium: the density matrix after the voltage depends on the time since then alone."""
    late, early = (pulses(0.5, center)[shape][0] for center in (150.0, 50.0))
    got = final_density(FROZEN, 155.0, 155.0, 1e-6, voltage=late)
    exact = final_density(FROZEN, 55.0, 0.1, 1e-8, voltage=early)
    rest = final_density(FROZEN, 1.0, 1.0, 1e-8)
    assert np.abs(exact - rest).max() > 1e-3
    assert np.abs(got - exact).max() < 1e-6


def test_moments_that_move_late_do_what_early_ones_do() -> None:
    def motion(begin: float) -> ln.Prescribed:
        angle = lambda t: 1.3 * math.sin(0.5 * math.pi * min(max((t - begin) / 2.0, 0.0), 1.0)) ** 2  # noqa: E731
        function = lambda t: [[math.sin(angle(t)), 0, math.cos(angle(t))], [1.0, 0, 0]]  # noqa: E731
        return ln.Prescribed(ln.TimeFunction(function, np.inf, (begin, begin + 2.0)))

    got = final_density(motion(150.0), 155.0, 155.0, 1e-6)
    exact = final_density(motion(50.0), 55.0, 0.1, 1e-8)
    assert np.abs(exact - final_density(FROZEN, 1.0, 1.0, 1e-8)).max() > 1e-2
    assert np.abs(got - exact).max() < 1e-6


class HandMade(EnergyTerm):
    """An energy term of a user's own that says nothing of its drives."""

    name = "hand_made"

    def __init__(self, drive: Callable[[float], Any]) -> None:
        self.inner = [drive]  # out of sight of a look at the attributes

    def driven(self, n_sites: int, magnetic_moment: np.ndarray) -> Any:
        return ln.Zeeman(self.inner[0]).driven(n_sites, magnetic_moment)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("own_term", [False, True])
def test_with_a_bare_function_no_step_is_longer_than_save_every(kind: str, own_term: bool) -> None:
    asked = []

    def field(t: float) -> list[float]:
        asked.append(t)
        return [0.0, 0.0, 1.0]

    term = HandMade(field) if own_term else ln.Zeeman(field)
    last_moments(kind, ln.Magnet([[1.0, 0, 0]], 1.0, energies=term), t_end=200.0, save_every=2.0)
    # The stages of DOP853 lie less than 0.35 of a step apart.
    assert np.diff(np.unique(asked)).max() < 0.7


class OneField(EnergyTerm):
    """An energy term of a user's own with its drive as an attribute, which says nothing of its drives."""

    name = "one_field"

    def __init__(self, drive: ln.Drive) -> None:
        self.field = drive

    driven = HandMade.driven
    inner = property(lambda self: [self.field])


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_drive_among_the_attributes_of_an_own_term_is_met(kind: str) -> None:
    """The spike lasts 0.6 fs, rows are 1000 fs apart; the angle is that of the field's integral."""
    spike = ln.Table([CENTER - 0.4, CENTER, CENTER + 0.2], [[0.0] * 3, [0.0, FIELD, 0.0], [0.0] * 3])
    angle = G_E * MU_B / HBAR * FIELD * 0.3
    got = last_moments(kind, ln.Magnet([[0, 0, 1.0]], 1.0, energies=OneField(spike)))
    assert np.allclose(np.abs(got[0]), [math.sin(angle), 0, math.cos(angle)], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_steps_are_long_where_nothing_happens(kind: str) -> None:
    """17 widths of the pulse with steps no longer than one width, and few steps for the other 9900 fs."""
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, energies=ln.Zeeman(ln.Pulse([0, FIELD, 0], CENTER, WIDTH)))
    if kind == "moments alone":
        run: Any = Simulation(None, magnet, t_end=END, save_every=END)
    else:
        run = SlowSimulation(None, magnet, t_end=END, save_every=END)
    assert len(list(run.rows())) == 2
    assert 17 < run.statistics["accepted_steps"] < 90


def larmor(field: np.ndarray, start: np.ndarray, length: float) -> np.ndarray:
    """M after `length` fs in a constant field (T)."""
    size = float(np.linalg.norm(field))
    return turned(field / size, G_E * MU_B / HBAR * size * length, start)


JUMP, STOP = 30.0 + 1 / math.sqrt(3), 80.0
BEFORE, AFTER = np.array([0, 400.0, 0]), np.array([300.0, 0, 200.0])


def jumping(sided: str) -> ln.TimeFunction:
    """A field that jumps from BEFORE to AFTER at JUMP; what it is at that instant is a third thing."""
    at = {"right": AFTER, "left": BEFORE, "neither": 50 * AFTER}[sided]
    value = lambda t: at if t == JUMP else (AFTER if t > JUMP else BEFORE)  # noqa: E731
    return ln.TimeFunction(value, np.inf, (JUMP,))


def errors_at_steps(run: Callable[[float], Any], steps: tuple[float, float], exact: np.ndarray) -> list[float]:
    errors = []
    for step in steps:
        simulation = run(step)
        for _, row in simulation.rows():
            moments = row["moments"][0]
        errors.append(float(np.abs(moments - exact).max()))
    return errors


@pytest.mark.parametrize("sided", ["left", "right", "neither"])
@pytest.mark.parametrize(
    ("method", "order", "steps"), [("rk4", 4, (2.0, 1.0)), ("ark5", 5, (2.0, 1.0)), ("dop853", 8, (8.0, 4.0))]
)
def test_fixed_steps_keep_their_order_across_a_jump(method: str, order: int, steps: Any, sided: str) -> None:
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, energies=ln.Zeeman(jumping(sided)))
    options = {"t_end": STOP, "save_every": STOP, "integrator": method}
    exact = larmor(AFTER, larmor(BEFORE, np.array([0, 0, 1.0]), JUMP), STOP - JUMP)
    coarse, fine = errors_at_steps(lambda h: Simulation(None, magnet, step=h, **options), steps, exact)
    assert fine > 1e-13
    assert math.log2(coarse / fine) > order - 0.5


@pytest.mark.parametrize("sided", ["left", "right", "neither"])
@pytest.mark.parametrize(("noise", "order"), [({}, 4), ({"temperature": 1e-40, "seed": 0}, 2)], ids=["rk4", "heun"])
def test_slow_fixed_steps_keep_their_order_across_a_jump(noise: Any, order: int, sided: str) -> None:
    """Noise of 1e-40 eV moves nothing: the deterministic part of Heun's method is left."""
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, damping=1e-12, energies=ln.Zeeman(jumping(sided)))
    exact = larmor(AFTER, larmor(BEFORE, np.array([0, 0, 1.0]), JUMP), STOP - JUMP)
    options: Any = {"t_end": STOP, "save_every": STOP, **noise}
    coarse, fine = errors_at_steps(lambda h: SlowSimulation(None, magnet, step=h, **options), (1.0, 0.5), exact)
    assert math.log2(coarse / fine) > order - 0.3


@pytest.mark.parametrize("make", [Simulation, SlowSimulation])
@pytest.mark.parametrize("sided", ["left", "right", "neither"])
def test_adaptive_steps_meet_a_jump_and_rows_near_it(make: Any, sided: str) -> None:
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, energies=ln.Zeeman(jumping(sided)))
    run = make(None, magnet, t_end=STOP, save_every=0.7, rtol=1e-8)
    got = np.array([row["moments"][0] for _, row in run.rows()])
    at_jump = larmor(BEFORE, np.array([0, 0, 1.0]), JUMP)
    for t, m in zip(run.times, got, strict=True):
        exact = larmor(BEFORE, np.array([0, 0, 1.0]), t) if t < JUMP else larmor(AFTER, at_jump, t - JUMP)
        assert np.abs(m - exact).max() < 1e-6, t


@pytest.mark.parametrize("method", ["rk4", "ark5", "dop853"])
def test_electrons_keep_the_order_across_a_jump_of_the_voltage(method: str) -> None:
    jump = 1.5 + 0.1 / math.sqrt(3)
    voltage = ln.TimeFunction(lambda t: 0.4 * (t > jump), np.inf, (jump,))
    leads = [ln.ChainLead(0, voltage=voltage), ln.WideBandLead(0, 0.04)]
    system = ln.OpenSystem(ln.chain(1, j_sd=0.5), leads, 0.1, 0.5)

    def state(integrator: str, step: float) -> np.ndarray:
        run = Simulation(
            system, ln.Frozen([[0, 0, 1.0]]), t_end=3.0, save_every=3.0, rtol=1e-2, integrator=integrator, step=step
        )
        assert len(list(run.rows())) == 2
        return run.state

    h, order = {"rk4": (0.06, 4), "ark5": (0.06, 5), "dop853": (0.3, 8)}[method]
    exact = state("dop853", 0.02)
    coarse, fine = (np.abs(state(method, step) - exact).max() for step in (h, h / 2))
    assert math.log2(coarse / fine) > order - 0.5


def test_a_fixed_step_longer_than_a_pulse_is_shortened_within_it() -> None:
    """h = 50 fs, width 5 fs: steps of a width sum up a Gaussian to exp(-2 pi^2) = 3e-9 of its integral."""
    pulse, integral = ln.Pulse([0, FIELD, 0], CENTER, WIDTH), FIELD * WIDTH * math.sqrt(2 * math.pi)
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, damping=1e-9, energies=ln.Zeeman(pulse))
    angle = G_E * MU_B / HBAR * integral
    for run in (
        Simulation(None, magnet, t_end=END, save_every=END, step=50.0),
        SlowSimulation(None, magnet, t_end=END, save_every=END, step=50.0),
        SlowSimulation(None, magnet, t_end=END, save_every=END, step=50.0, temperature=1e-40, seed=1),
    ):
        moments = [row["moments"][0] for _, row in run.rows()][-1]
        np.testing.assert_allclose(moments, [math.sin(angle), 0, math.cos(angle)], rtol=0, atol=1e-4)
        assert run.statistics["accepted_steps"] < 230


@pytest.mark.parametrize("options", [{}, {"step": 3.0}, {"step": 3.0, "temperature": 0.02, "seed": 3}], ids=str)
@pytest.mark.parametrize("slow", [False, True])
def test_a_run_goes_on_with_the_same_bits_before_at_and_after_a_jump(slow: bool, options: Any) -> None:
    if not slow and "seed" in options:
        options = {"step": 2.0, "integrator": "ark5"}
    terms = ln.Zeeman(jumping("left")) + ln.Zeeman(ln.Pulse([0, 0, 50.0], 50.0, 1.0))
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, damping=0.01, energies=terms)

    def new() -> Any:
        make = SlowSimulation if slow else Simulation
        return make(None, magnet, t_end=STOP, save_every=JUMP / 10, **options)

    whole = new()
    rows = [row["moments"] for _, row in whole.rows()]
    for stop in (4, 9, 10, 11, 16):
        first = new()
        for index, _ in first.rows():
            if index == stop:
                break
        second = new()
        second.restore(first.checkpoint())
        for index, row in second.rows():
            assert np.array_equal(row["moments"], rows[index]), (stop, index)
        assert second.statistics == whole.statistics


def test_discontinuities_closer_than_round_off_are_one() -> None:
    """A field that rises within 1e-10 fs at 5000 fs is a jump."""
    rise = (CENTER, CENTER + 1e-10)
    step = ln.TimeFunction(lambda t: [0.0, float(np.interp(t, rise, [0, FIELD])), 0.0], np.inf, rise)
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, energies=ln.Zeeman(step))
    angle = G_E * MU_B / HBAR * FIELD * 1000.0
    for kind in KINDS[1:]:
        got = last_moments(kind, magnet, t_end=6000.0)[0]
        np.testing.assert_allclose(got, [math.sin(angle), 0, math.cos(angle)], rtol=0, atol=1e-6 * angle)


def test_tables_in_files_are_met() -> None:
    text = f"""
    schema_version = 1
    [run]
    t_end = {END}
    save_every = 1000.0
    [texture]
    kind = "uniform"
    n_sites = 1
    direction = [0.0, 0.0, 1.0]
    [magnet]
    magnetic_moment = 1.0
    [[energy]]
    kind = "zeeman"
    B = {{ kind = "table", times = [4321.0, 4321.5, 4322.0], values = [[0, 0, 0], [0, {FIELD}, 0], [0, 0, 0]] }}
    """
    simulation = ln.RunConfig.loads(text).simulation()
    rows = [row["moments"][0] for _, row in simulation.rows()]
    angle = G_E * MU_B / HBAR * 0.5 * FIELD
    np.testing.assert_allclose(rows[-1], [math.sin(angle), 0, math.cos(angle)], rtol=0, atol=1e-6 * angle)


@pytest.mark.parametrize("shape", ["pulse", "spike", "own", "jumps"])
def test_the_leads_are_expanded_for_the_largest_voltage_however_short(shape: str) -> None:
    """Neither lies on one of 1025 equal times: 10000/1024 = 9.8 fs apart, and 5000 among them."""
    voltage = pulses(1.5, CENTER + 4.9)[shape][0]
    system = ln.OpenSystem(ln.chain(1, j_sd=0.5), [ln.ChainLead(0, voltage=voltage)], 0.1, 0.2)
    simulation = Simulation(system, ln.Frozen([[0, 0, 1.0]]), t_end=END, save_every=END, rtol=1e-3)
    assert simulation.poles is not None
    assert simulation.poles.voltages[0, 1] == pytest.approx(1.5, rel=0.05)
