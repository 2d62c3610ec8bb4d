"""The integrators: order, error control, stopping and continuing with identical bits, failing at once."""

import re

import numpy as np
import pytest
from propagation import integration, run, unit_vectors

from llgnegf import ChainLead, OpenSystem, Ramp, Sine, WideBandLead, chain, cone
from llgnegf.equations.layout import Layout
from llgnegf.integrators.integration import IntegrationStopped
from llgnegf.integrators.tableaus import ARK5, DOP853, RK4, Tableau
from llgnegf.integrators.tableaus import METHODS as TABLEAUS
from llgnegf.problem.magnetism.energies import Exchange, Zeeman
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession, Prescribed
from llgnegf.run.simulation import Simulation
from llgnegf.run.watch import Watch
from llgnegf.units import HBAR


def open_system(**left) -> OpenSystem:  # type: ignore[no-untyped-def]
    return OpenSystem(chain(2, 1.0, 0.8), [ChainLead(site=0, **left), ChainLead(site=-1)], 0.1, 0.3)


def wave(t: float) -> float:
    """A voltage in eV that moves in every step."""
    return 0.2 * np.sin(0.3 * t / HBAR) ** 2


def free_moments() -> Magnet:
    return Magnet(
        cone(2, 0.6, [0.0, 1.0]), magnetic_moment=1.0, damping=0.1, energies=[Exchange(0.05), Zeeman([0, 0, 200.0])]
    )


def final_state(system, motion, integrator: str, step: float, t_end: float = 6.0) -> np.ndarray:  # type: ignore[no-untyped-def]
    times = {"t_end": t_end * HBAR, "save_every": t_end * HBAR, "step": step * HBAR}
    simulation = Simulation(system, motion, rtol=1e-2, integrator=integrator, **times)
    for _ in simulation.rows():
        pass
    return simulation.state.copy()


@pytest.mark.parametrize(("integrator", "step"), [("rk4", 0.05), ("ark5", 0.05), ("dop853", 0.3)])
def test_order_of_the_coupled_problem_is_the_nominal_one(integrator, step):
    """Electrons, LLG moments and a moving voltage in one state: halving the step divides the error by 2^order."""
    system, magnet = open_system(voltage=wave), free_moments()
    exact = final_state(system, magnet, "dop853", 0.02)
    coarse, fine = (
        np.abs(final_state(system, magnet, integrator, h) - exact).max() for h in (step, 0.5 * step)
    )
    assert abs(np.log2(coarse / fine) - TABLEAUS[integrator].order) < 0.1


@pytest.mark.parametrize("tableau", [RK4, DOP853], ids=lambda t: t.name)
def test_order_on_a_time_dependent_equation_with_known_solution(tableau):
    """y' = i (1 + cos(t)/2) y has y = exp(i (t + sin(t)/2)) for y(0) = 1."""

    def rate(t: float, y: np.ndarray, out: np.ndarray) -> None:
        w = 1 + 0.5 * np.cos(t)
        out[0], out[1] = -w * y[1], w * y[0]

    def error(step: float) -> float:
        method = integration(rate, np.array([1.0, 0.0]), tableau, step)
        method.advance(12.0)
        phase = 12 + 0.5 * np.sin(12)
        return float(np.hypot(*(method.state - [np.cos(phase), np.sin(phase)])))

    step = 0.04 if tableau.order == 4 else 0.4
    assert abs(np.log2(error(step) / error(0.5 * step)) - tableau.order) < 0.1


@pytest.mark.parametrize("tableau", [RK4, DOP853], ids=lambda t: t.name)
def test_tableau_fulfils_the_quadrature_conditions_of_its_order(tableau):
    """sum b c^{k-1} = 1/k for k <= order, row sums of a are c, weights of the error estimates cancel on constants."""
    for k in range(1, tableau.order + 1):
        assert abs(tableau.b @ tableau.c ** (k - 1) - 1 / k) < 1e-14
    np.testing.assert_allclose(tableau.a.sum(axis=1), tableau.c, rtol=0, atol=1e-14)
    assert not np.any(np.triu(tableau.a))
    for row in tableau.errors:
        assert abs(row.sum()) < 1e-14


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10])
def test_local_error_follows_the_tolerance(tolerance):
    """A chirp, y = (cos t^2, sin t^2): the step has to shrink on the way."""

    def rate(t: float, y: np.ndarray, out: np.ndarray) -> None:
        out[0], out[1] = -2 * t * y[1], 2 * t * y[0]

    method = integration(rate, np.array([1.0, 0.0]), DOP853, 0.1, tolerance)
    method.advance(6.0)
    error = np.abs(method.state - [np.cos(36.0), np.sin(36.0)]).max()
    # The flow is an isometry, so the global error is at most the sum of the local ones.
    assert error < method.progress.accepted * tolerance
    assert error < method.progress.error_sum
    assert method.progress.accepted < 250


def test_adaptive_run_stays_within_its_tolerance():
    """rtol bounds the error of density matrix and moments, and the budget says no less than what is there."""
    system, magnet = open_system(voltage=wave), free_moments()
    exact = run(system, magnet, t_end=30, save_every=10, rtol=1e-9)
    for rtol in (1e-4, 1e-6):
        got = run(system, magnet, t_end=30, save_every=10, rtol=rtol)
        error = np.abs(got.density_matrices - exact.density_matrices).max()
        assert error < rtol
        assert np.abs(got["moments"] - exact["moments"]).max() < rtol


MOTIONS = {
    "frozen": lambda: Frozen(cone(2, 0.4, [0.0, 2.0])),
    "precession": lambda: Precession(cone(2, 0.4, [0.0, 2.0]), 0.3, axis=[1, 0, 2], ramp=1.0),
    "prescribed": lambda: Prescribed(lambda t: cone(2, 0.4 + 0.3 * np.sin(t), [t, 2.0])),
    "magnet": free_moments,
}


METHODS = (
    {"integrator": "ark5"}, {"integrator": "ark5", "step": 0.08}, {"integrator": "dop853"},
    {"integrator": "dop853", "step": 0.06}, {"integrator": "rk4", "step": 0.03},
)  # fmt: skip


STARTS = ("thermal", "steady", "partitioned")
LATIN = [(STARTS[(i + k) % 3], METHODS[i], motion) for k, motion in enumerate(MOTIONS) for i in range(len(METHODS))]
"""Every method with every motion, and either of them with every start."""


@pytest.mark.parametrize(("start", "method", "motion"), LATIN, ids=str)
def test_stopping_and_continuing_gives_identical_bits(start, method, motion):
    left = {} if start == "thermal" else {"chemical_potential": 0.4}
    leads = [ChainLead(site=0, voltage=wave, **left), WideBandLead(site=-1, broadening=0.3)]
    system = OpenSystem(chain(2, 1.0, 0.8), leads, 0.1, 0.5)
    options = {"t_end": 1.0, "save_every": 0.2, "rtol": 1e-2, "start": start, **method}
    whole = Simulation(system, MOTIONS[motion](), **options)
    rows = dict(whole.rows())
    first = Simulation(system, MOTIONS[motion](), **options)
    stored = {}
    for index, _ in first.rows():
        if index == 2:
            stored = first.checkpoint()
            break
    for _ in first.rows():  # the stored state must not change when the run goes on
        pass
    second = Simulation(system, MOTIONS[motion](), **options)
    second.restore(stored)
    continued = dict(second.rows())
    assert list(continued) == [3, 4, 5]
    for index, row in continued.items():
        for name, value in row.items():
            assert np.array_equal(value, rows[index][name]), name
    assert np.array_equal(second.state, whole.state)
    assert second.statistics == whole.statistics
    assert second.error_budget()["time_step"] == whole.error_budget()["time_step"] or "step" in method


def test_checkpoint_of_another_problem_is_refused():
    first = Simulation(open_system(), MOTIONS["frozen"](), t_end=1.0, rtol=1e-3)
    second = Simulation(open_system(), free_moments(), t_end=1.0, rtol=1e-3)
    with pytest.raises(ValueError, match=r"checkpoint\.state: \d+ numbers; allowed: \d+"):
        second.restore(first.checkpoint())


@pytest.mark.parametrize("method", [{}, {"step": 0.05}, {"integrator": "rk4", "step": 0.02}], ids=str)
def test_nan_in_the_motion_stops_the_run_at_once(method):
    def broken(t: float) -> np.ndarray:
        return np.full((2, 3), np.nan) if t > 0.5 else cone(2, 0.4)

    simulation = Simulation(open_system(), Prescribed(broken), t_end=50.0, save_every=0.1, rtol=1e-3, **method)
    with pytest.raises((IntegrationStopped, ValueError), match=r"(?s)0\.[5-9].*nan") as stopped:
        for _ in simulation.rows():
            pass
    assert simulation.times[simulation.row] < 0.7
    assert "moments" in str(stopped.value)


@pytest.mark.parametrize("method", [{}, {"step": 0.05}, {"integrator": "rk4", "step": 0.02}], ids=str)
def test_nan_in_a_voltage_stops_the_run_at_once(method):
    """The look at the voltages before the run passes over NaN; a step meets it."""
    system = open_system(voltage=lambda t: np.nan if 0.5 < t < 2.0 else 0.0)
    with pytest.raises((IntegrationStopped, ValueError)) as stopped:
        for _ in Simulation(system, MOTIONS["frozen"](), t_end=50.0, save_every=0.1, rtol=1e-3, **method).rows():
            pass
    message = str(stopped.value)
    assert "voltage" in message or ("t/hbar = 0.7" in message or "t/hbar = 0.8" in message) and "finite" in message


@pytest.mark.parametrize("tolerance", [None, 1e-6])
def test_nan_names_time_quantity_and_cause(tolerance):
    calls = []

    def rate(t: float, y: np.ndarray, out: np.ndarray) -> None:
        calls.append(t)
        out[:] = 1.0
        if t > 2.5:
            out[3] = np.nan

    sections = [("first", 0, 2), ("second", 2, 4)]
    method = integration(rate, np.zeros(4), DOP853, 0.1, tolerance, sections=sections)
    with pytest.raises(IntegrationStopped, match=r"t/hbar = 2\.\d+ 1/eV: second .*finite"):
        method.advance(100.0)
    assert len(calls) < 1000
    assert np.isfinite(method.state[:2]).all()


def stability_limit(tableau: Tableau, angles: np.ndarray) -> float:
    """Smallest r at which |1 + z b.(1 - z a)^-1 1| exceeds 1 on the way from 0 along z = r exp(i angle)."""
    radii = np.linspace(0.0, 8.0, 4001)
    z = radii * np.exp(1j * angles[:, None])
    stages: list[np.ndarray] = []
    for row in tableau.a:
        stages.append(1 + z * sum((a * k for a, k in zip(row, stages, strict=False)), np.zeros_like(z)))
    growth = np.abs(1 + z * sum(b * k for b, k in zip(tableau.b, stages, strict=True)))
    return float(radii[np.argmax(growth > 1 + 1e-9, axis=1)].min())


@pytest.mark.parametrize("where", [0, 2])
def test_nan_is_located_in_whatever_section_it_arises(where):
    """A step with NaN is cut until it is short: the run stops within 1e-6 of t = 0.5, not a whole step after it."""

    def function(t: float, y: np.ndarray, out: np.ndarray) -> None:
        out[:] = -y
        if t > 0.5:
            out[where] = np.nan

    method = integration(function, np.ones(3), DOP853, 0.1, 1e-6, sections=[("first", 0, 1), ("rest", 1, 3)])
    with pytest.raises(IntegrationStopped, match="first" if where == 0 else "rest"):
        method.advance(1.0)
    assert 0 <= 0.5 - method.time < 2e-6


@pytest.mark.parametrize("tableau", [DOP853, RK4, ARK5], ids=lambda t: t.name)
def test_stability_limits_are_those_of_the_stability_function(tableau):
    # The damped part begins where -Re z = |Im z|/4.
    angles = np.radians(np.arange(90.0, 181.0))
    damped = angles[np.tan(angles - np.pi / 2) > 0.25]
    limits = stability_limit(tableau, angles), stability_limit(tableau, damped)
    assert 0.99 * limits[0] < tableau.stability < limits[0]
    assert 0.99 * limits[1] < tableau.damped_stability < limits[1]


def test_vanishing_numbers_become_zero_and_others_keep_their_bits():
    """Without coupling between them: numbers that fell below 1e-200 would go on to the slow denormal ones."""
    start = np.array([1e-150, 1e-199, -1e-250])
    method = integration(lambda t, y, out: np.multiply(y, -0.5, out=out), start, DOP853, 1.0, 1e-6, largest=1.0)
    assert method.state.tolist() == [1e-150, 1e-199, 0.0]
    method.advance(10.0)
    assert method.state[0] == pytest.approx(1e-150 * np.exp(-5.0), rel=1e-12)
    assert method.state[1] == method.state[2] == 0.0


def test_step_below_round_off_names_time_quantity_and_cause():
    """y' = y^2 from y(0) = 1 is infinite at t = 1: no step is small enough."""
    method = integration(lambda t, y, out: np.square(y, out=out), np.ones(1), DOP853, 0.1, 1e-9)
    reason = r"t/hbar = (1|0\.9999\d*|1\.0000\d*) 1/eV: .*(round-off|finite)"
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(IntegrationStopped, match=reason):
        method.advance(2.0)


@pytest.mark.parametrize("integrator", ["rk4", "ark5", "dop853"])
def test_fixed_step_beyond_the_stability_limit_is_refused_with_it(integrator):
    """The limit that is named works, 1.01 times it does not."""
    system, motion = open_system(), MOTIONS["precession"]()
    times = {"t_end": 40.0, "save_every": 40.0, "rtol": 1e-3}
    with pytest.raises(ValueError, match=rf"simulate\.step: 5; allowed: at most .* fs.*{integrator}") as refused:
        Simulation(system, motion, **times, integrator=integrator, step=5.0)
    limit = float(re.search(r"at most (\S+) fs", str(refused.value)).group(1))
    with pytest.raises(ValueError, match="unstable"):
        Simulation(system, motion, **times, integrator=integrator, step=1.01 * limit)
    for _ in Simulation(system, motion, **times, integrator=integrator, step=limit).rows():
        pass


@pytest.mark.parametrize("integrator", ["rk4", "dop853"])
def test_run_whose_density_matrix_is_none_any_more_stops_with_time_and_cause(integrator, monkeypatch):
    """With the refusal out of the way a step beyond the limit must not end in a result."""
    monkeypatch.setattr("llgnegf.run.simulation._refuse_unstable", lambda *arguments: None)
    step = {"rk4": 0.55, "dop853": 1.6}[integrator]
    simulation = Simulation(
        open_system(), MOTIONS["precession"](), t_end=400.0, save_every=4.0, rtol=1e-3, integrator=integrator, step=step
    )
    with np.errstate(all="ignore"), pytest.raises(IntegrationStopped, match=r"t/hbar = .* density matrix: .*allowed"):
        for _ in simulation.rows():
            pass


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda rho: rho + np.diag([0.7, 0, 0, 0]), "spin up on site 0"),
        (lambda rho: rho + 0.9 * np.eye(4)[::-1], "Tr rho"),
        (lambda rho: rho + 1e-3j * np.eye(4, k=1), "adjoint"),
    ],
)
def test_watch_names_what_is_wrong(spoil, cause):
    layout = Layout(4, (), 0, 0, 0)
    none, rho = np.zeros((4, 0)), 0.5 * np.eye(4)
    Watch(layout, 1e-6).check(1.0, layout.pack(rho, none, np.zeros((0, 0)), none, np.zeros((0, 3))))
    bad = layout.pack(spoil(rho), none, np.zeros((0, 0)), none, np.zeros((0, 3)))
    with pytest.raises(IntegrationStopped, match=cause):
        Watch(layout, 1e-6).check(1.0, bad)


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan])
def test_step_must_be_positive(step):
    with pytest.raises(ValueError, match="step: .*allowed"):
        integration(lambda t, y, out: None, np.zeros(1), DOP853, step)


def test_method_without_error_estimate_cannot_be_adaptive():
    with pytest.raises(ValueError, match="rk4.*fixed step"):
        integration(lambda t, y, out: None, np.zeros(1), RK4, 0.1, 1e-6)


def test_random_save_times_are_met_exactly_and_do_not_change_the_answer():
    """A save time cuts a step short; the solution may change by the tolerance, not more."""
    texture = unit_vectors(np.random.default_rng(0), 2)
    motion = Precession(texture, 0.3)
    often = run(open_system(), motion, t_end=10, save_every=0.37, rtol=1e-6)
    once = run(open_system(), motion, t_end=10, save_every=10, rtol=1e-6)
    assert often.times[-1] == pytest.approx(10, rel=1e-14)
    np.testing.assert_allclose(often.times[:-1], 0.37 * np.arange(28), rtol=1e-13)
    assert np.abs(often.density_matrices[-1] - once.density_matrices[-1]).max() < 1e-6


def wide_band_runs(rtol: float, **lead) -> list:  # type: ignore[no-untyped-def, type-arg]
    """The default, which is the implicit-explicit method for a wide band, and the explicit one."""
    system = OpenSystem(chain(1, onsite=0.2), [WideBandLead(site=0, broadening=0.5, **lead)], 0.1, 0.2)
    motion = Precession(cone(1, 0.7), 0.3)
    return [run(system, motion, t_end=5, save_every=1, rtol=rtol, integrator=i) for i in ("auto", "dop853")]


def test_implicit_far_poles_and_explicit_ones_agree():
    default, explicit = wide_band_runs(1e-4, voltage=wave)
    assert np.abs(default.density_matrices - explicit.density_matrices).max() < 1e-4


def test_implicit_far_poles_cost_no_small_steps():
    default, explicit = wide_band_runs(1e-6)
    assert default.statistics["right_hand_sides"] < 0.2 * explicit.statistics["right_hand_sides"]


def driven_wide_band(voltage, motion, rtol: float, integrator: str) -> Simulation:  # type: ignore[no-untyped-def]
    lead = WideBandLead(site=0, broadening=0.5, voltage=voltage)
    system = OpenSystem(chain(1, onsite=0.2, j_sd=0.2), [lead], 0.1, 0.1)
    return Simulation(system, motion, t_end=3.0, save_every=0.5, rtol=rtol, integrator=integrator)


STILL = Precession(cone(1, 0.3), 0.002)
WIDE_BANDS = {
    "nothing moves": (0.0, Frozen(cone(1, 0.3))),
    "moments turn": (0.0, Precession(cone(1, 0.3), 0.05)),
    "moments answer": (0.0, Magnet(cone(1, 0.3), 1.0, energies=Zeeman([0, 0, 10.0]))),
    "a short ramp": (Ramp(0.0, 0.2, 1.0, 1.0), STILL),
    "a fast voltage": (Sine(0.2, 3.0), STILL),
    "a large fast voltage": (Sine(1.0, 3.0), STILL),
}


@pytest.mark.parametrize("rtol", [1e-3, 1e-4, 1e-6, 1e-7])
@pytest.mark.parametrize("case", list(WIDE_BANDS))
def test_the_integrator_chosen_for_wide_bands_is_the_cheaper_one(case, rtol):
    """In right-hand sides, those of ark5 counted one and a half times: there is more to do beside them. Where both cost
    about the same the choice may lose the factor that docs/performance.md admits."""

    def cost(integrator: str) -> tuple[float, str]:
        simulation = driven_wide_band(*WIDE_BANDS[case], rtol, integrator)
        assert len(list(simulation.rows())) == 7
        name = simulation._dense.integration.stepper.tableau.name
        return (1.5 if name == "ark5" else 1.0) * simulation.statistics["right_hand_sides"], name

    taken, name = cost("auto")
    left, other = cost({"ark5": "dop853", "dop853": "ark5"}[name])
    assert other != name and taken < 1.3 * left


@pytest.mark.parametrize("case", list(WIDE_BANDS))
def test_implicit_vectors_keep_density_matrix_and_currents_within_rtol(case):
    """Errors of fast vectors count less in the step control; steps of error 1e-11 tell what is left, poles apart.

    Currents in eV (times hbar), whose scale is Gamma = 0.5.
    """
    rtol = 1e-4
    got, exact = (driven_wide_band(*WIDE_BANDS[case], rtol, name) for name in ("ark5", "dop853"))
    exact._dense.integration.controller.tolerance = 1e-11
    for (_, row), (_, true) in zip(got.rows(), exact.rows(), strict=True):
        assert np.abs(got.density_matrix - exact.density_matrix).max() < rtol
        assert np.abs(row["moments"] - true["moments"]).max() < rtol
        assert np.abs(row["lead_current"] - true["lead_current"]).max() * HBAR < 0.5 * rtol
