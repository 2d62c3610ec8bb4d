"""Rows between the steps: exact order of the interpolant, invariants, steps that do not know of the rows."""

import numpy as np
import pytest
from propagation import integration, run, unit_vectors

from llgnegf import ChainLead, OpenSystem, WideBandLead, chain
from llgnegf.integrators.dense import DenseRows
from llgnegf.integrators.integration import Integration
from llgnegf.integrators.tableaus import DOP853
from llgnegf.problem.magnetism.energies import Exchange, Zeeman
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Precession
from llgnegf.run.shares import ROW
from llgnegf.run.simulation import Simulation
from llgnegf.units import HBAR


def oscillator(w: float) -> Integration:
    """y = (cos w t, sin w t, 1) in steps of 1/4, whose own error is far below that of the interpolation."""

    def rate(t: float, y: np.ndarray, out: np.ndarray) -> None:
        out[:] = -w * y[1], w * y[0], 0.0

    return integration(rate, np.array([1.0, 0.0, 1.0]), DOP853, 0.25, 1e-6, largest=0.25)


def rows(w: float, times: np.ndarray, tolerance: float) -> np.ndarray:
    dense = DenseRows(oscillator(w), lambda y: y.copy(), tolerance)
    return np.array([dense.at(t) for t in times])


def test_the_interpolant_has_order_eight():
    """|error| <= (w h)^8 max |prod (t - t_i)^2|/8!; half of w divides it by 2^8."""
    times = np.arange(2.0, 4.0, 0.0173)

    def error(w: float) -> float:
        got = rows(w, times, np.inf)
        return float(np.abs(got[:, :2] - np.stack([np.cos(w * times), np.sin(w * times)], axis=1)).max())

    coarse, fine = error(2.0), error(1.0)
    # The largest |(t - t_1)(t - t_2)(t - t_3)(t - t_4)| is 1 in units of the step to the fourth.
    assert 0.2 < fine / (0.25**8 / 40320) < 1.2
    assert abs(np.log2(coarse / fine) - 8) < 0.15


def test_a_constant_stays_constant_bit_by_bit():
    assert np.array_equal(rows(2.0, np.arange(0.0, 3.0, 0.0317), np.inf)[:, 2], np.ones(95))


def rotation_error(w: float, times: np.ndarray, tolerance: float) -> float:
    exact = np.stack([np.cos(w * times), np.sin(w * times)], axis=1)
    return float(np.abs(rows(w, times, tolerance)[:, :2] - exact).max())


@pytest.mark.parametrize("tolerance", [1e-6, 1e-9])
def test_the_error_asked_for_is_kept(tolerance):
    assert rotation_error(1.0, np.arange(0.0, 4.0, 0.0631), tolerance) < tolerance


def test_inside_a_step_the_error_is_of_the_order_of_the_method():
    """At tolerance 0 every row comes from inside a step: degree 7, so half of w divides the error by 2^8."""
    times = np.arange(0.0, 4.0, 0.0631)
    coarse, fine = rotation_error(2.0, times, 0.0), rotation_error(1.0, times, 0.0)
    assert fine > 1e-12
    assert abs(np.log2(coarse / fine) - 8) < 0.3


@pytest.mark.parametrize("integrator", ["dop853", "ark5"])
def test_looking_at_the_state_between_steps_changes_nothing(integrator):
    def last(look: bool) -> tuple[np.ndarray, dict[str, float]]:
        options = {"t_end": 3.0, "save_every": 0.1, "rtol": 1e-5, "integrator": integrator}
        simulation = Simulation(wire(), motions()["magnet"], **options)
        for _, row in simulation.rows():
            if look:
                trace = np.trace(simulation.density_matrix).real
                assert abs(trace - row["charge_density"].sum()) < 1e-5
        return simulation.state, simulation.statistics

    (quiet, plain), (looked, counted) = last(False), last(True)
    np.testing.assert_array_equal(looked, quiet)
    assert counted == plain


def wire() -> OpenSystem:
    return OpenSystem(chain(3, 1.0, 0.5), [ChainLead(site=0), WideBandLead(site=-1, broadening=0.3)], 0.1, 0.2)


def motions() -> dict[str, Precession | Magnet]:
    start = unit_vectors(np.random.default_rng(5), 3)
    energies = [Exchange(0.05), Zeeman([0, 0, 100.0])]
    return {"precession": Precession(start, 0.02), "magnet": Magnet(start, magnetic_moment=2.0, energies=energies)}


@pytest.mark.parametrize("integrator", ["dop853", "ark5"])
@pytest.mark.parametrize("motion", list(motions()))
def test_rows_change_nothing(motion, integrator):
    """Saving twenty times as often leaves the common rows within their tolerance, and every step as it was."""
    options = {"t_end": 8.0, "rtol": 1e-5, "integrator": integrator}
    few = Simulation(wire(), motions()[motion], save_every=4.0, **options)
    many = Simulation(wire(), motions()[motion], save_every=0.2, **options)
    rare, often = dict(few.rows()), dict(many.rows())
    assert few.statistics["accepted_steps"] == many.statistics["accepted_steps"]
    for index in (0, 1, 2):
        for name, value in rare[index].items():
            np.testing.assert_array_equal(value, often[20 * index][name], err_msg=name)
    np.testing.assert_array_equal(few.state, many.state)


@pytest.mark.parametrize("motion", list(motions()))
def test_rows_are_the_observables_of_the_state_within_their_tolerance(motion):
    rtol = 1e-6
    got = run(wire(), motions()[motion], t_end=20.0, save_every=1.3, rtol=rtol)
    exact = np.array([np.trace(r) for r in got.density_matrices]).real
    assert np.abs(got["charge_density"].sum(axis=1) - exact).max() < 6 * ROW * rtol
    total = got["charge_density"].sum(axis=1) + got["lead_charge_out"].sum(axis=1)
    assert np.ptp(total) < 1e-11
    lengths = np.linalg.norm(got["moments"], axis=-1)
    assert np.abs(lengths - 1).max() < 1e-14


def test_the_current_is_the_derivative_of_what_has_left():
    """Central differences of the accumulated charge over a tenth of a femtosecond; the error is of second order."""
    simulation = Simulation(wire(), motions()["precession"], t_end=6.5, save_every=0.05, rtol=1e-8)
    rows = dict(simulation.rows())
    left = np.array([rows[i]["lead_charge_out"] for i in range(len(rows))])
    current = np.array([rows[i]["lead_current"] for i in range(len(rows))])
    slope = (left[2:] - left[:-2]) / 0.1
    late = slice(100, None)
    assert np.abs(slope[late] - current[1:-1][late]).max() < 0.01 * np.abs(current[late]).max()
    assert np.abs(current[late]).max() > 1e-7 / HBAR


def test_nothing_is_asked_of_a_drive_after_the_end():
    """A table looked up by hand has no entry after the last time."""
    times = []

    def voltage(t: float) -> float:
        times.append(t)
        return 0.1 * np.sin(t)

    system = OpenSystem(chain(1, j_sd=0.5), [ChainLead(site=0, voltage=voltage)], 0.1, 0.2)
    run(system, Precession(unit_vectors(np.random.default_rng(5), 1), 0.02), t_end=3.0, save_every=0.7, rtol=1e-5)
    assert max(times) == pytest.approx(3.0 * HBAR, rel=1e-12)
