"""Ramp, Sine, Pulse and Table: values of their formulas, rates that are the derivatives, equality by value."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

import llgnegf as ln
from llgnegf.integrators.schedule import Schedule
from llgnegf.problem.arguments import declared

DRIVES = [
    ln.Ramp(0.1, 0.4, 2.0, 3.0),
    ln.Ramp([0, 0, 1], [1, 0, 0], 0.0, 5.0),
    ln.Sine(0.3, 7.0, 0.4, 0.1),
    ln.Sine([1, 1, 0], 7.0, [math.pi / 2, 0, 0]),
    ln.Pulse([1, 2, 3], 4.0, 1.5, [0, 0, 1]),
]


@pytest.mark.parametrize("drive", DRIVES, ids=repr)
@pytest.mark.parametrize("time", [0.5, 2.6, 4.9])
def test_rates_are_the_derivatives(drive: Any, time: float) -> None:
    h = 1e-3  # central difference of fourth order: error h^4 v'''''/30 < 1e-12 (2 pi/5)^5, round-off 1e-16/h = 1e-13
    v = [np.asarray(drive(time + k * h)) for k in (-2, -1, 1, 2)]
    d = (8 * (v[2] - v[1]) - (v[3] - v[0])) / (12 * h)
    assert np.allclose(drive.rate(time), d, rtol=0, atol=1e-10)


def test_drives_have_the_values_of_their_formulas() -> None:
    ramp = ln.Ramp(1.0, 3.0, 2.0, 4.0)
    assert [ramp(t) for t in (0.0, 2.0, 6.0, 99.0)] == [1.0, 1.0, 3.0, 3.0]
    assert ramp(4.0) == pytest.approx(2.0, abs=1e-15)  # half way by symmetry
    assert ramp.rate(1.0) == ramp.rate(7.0) == 0
    sine = ln.Sine(2.0, 8.0, 0.0, 1.0)
    assert sine(2.0) == 3.0 and sine(0.0) == 1.0
    pulse = ln.Pulse(2.0, 3.0, 1.0)
    assert pulse(3.0) == 2.0 and pulse(4.0) == pytest.approx(2 * math.exp(-0.5), rel=1e-15)
    table = ln.Table([0.0, 2.0, 3.0], [[0.0, 1.0], [4.0, 1.0], [4.0, 0.0]])
    assert (
        table(1.0).tolist() == [2.0, 1.0] and table(-1.0).tolist() == [0.0, 1.0] and table(9.0).tolist() == [4.0, 0.0]
    )
    assert table.rate(2.5).tolist() == [0.0, -1.0] and table.rate(9.0).tolist() == [0.0, 0.0]


def test_drives_are_values() -> None:
    assert ln.Ramp([0, 1], [1, 0], 0, 1) == ln.Ramp(np.array([0.0, 1.0]), (1.0, 0.0), 0, 1)
    assert len({ln.Sine(1, 2), ln.Sine(1.0, 2), ln.Sine(1, 3)}) == 2
    for drive in (ln.Ramp, ln.Sine, ln.Pulse, ln.Table):
        assert [one.key for one in declared(drive)] == [field.name for field in dataclasses.fields(drive)]


def test_wrong_drives_name_every_argument() -> None:
    with pytest.raises(ValueError, match="Ramp.start") as error:
        ln.Ramp(0.0, [1.0, float("nan")], -1.0, 0.0)
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "Ramp.final",
        "Ramp.start",
        "Ramp.duration",
    ]


def test_a_pulse_is_exactly_its_offset_where_its_gaussian_is_below_round_off() -> None:
    """exp(-x^2/2) = 1e-16 at x = 8.584: outside, value and rate are those of a constant, inside of the formula."""
    pulse = ln.Pulse(2.0, 100.0, 10.0, 0.5)
    assert pulse(100 - 85.9) == pulse(100 + 85.9) == 0.5
    assert pulse.rate(100 - 85.9) == pulse.rate(100 + 85.9) == 0
    assert pulse(100 - 70.0) == 0.5 + 2.0 * math.exp(-0.5 * 7.0**2) != 0.5
    vector = ln.Pulse([2.0, 0, 1.0], 100.0, 10.0)
    assert np.array_equal(vector(0.0), np.zeros(3)) and np.array_equal(vector.rate(0.0), np.zeros(3))


def test_a_thermal_start_takes_a_pulse_that_begins_later_and_says_so_of_one_that_does_not() -> None:
    def run(center: float) -> ln.Simulation:
        leads = [ln.ChainLead(0, voltage=ln.Pulse(0.4, center, 10.0)), ln.ChainLead(-1)]
        system = ln.OpenSystem(ln.chain(1, j_sd=0.1), leads, kT=0.1)
        return ln.Simulation(system, ln.Frozen([[0, 0, 1.0]]), t_end=1.0, rtol=1e-3)

    with pytest.raises(ValueError, match=r"start: 'thermal'; allowed: 'steady' .*6\.09\d*e-09") as refused:
        run(60.0)  # 0.4 exp(-18) = 6.09e-9 eV
    remedy = re.search(r"system\.leads\[0\]\.voltage\.center >= (\S+) fs", str(refused.value))
    assert remedy is not None
    assert float(remedy[1]) == pytest.approx(10 * math.sqrt(2 * math.log(1e16)), abs=0.01)
    run(float(remedy[1]))


def test_a_function_of_time_says_what_is_known_of_it() -> None:
    with pytest.raises(ValueError, match=r"(?s)Function.function: 1.*Function.longest_step: 0.*Function.disc"):
        ln.TimeFunction(1.0, 0.0, [float("nan")], None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"longest_step: 1e-07; allowed: a number >= 1e-06, in fs, inf or None$"):
        ln.TimeFunction(math.sin, 1e-7)
    kinked = ln.TimeFunction(lambda t: abs(t - 3.0), np.inf, [3.0])
    assert [kinked.rate(t) for t in (2.0, 3 - 1e-6, 3 + 1e-6, 4.0)] == pytest.approx([-1, -1, 1, 1], abs=1e-9)
    smooth = ln.TimeFunction(lambda t: [math.sin(t), t**2], discontinuities=[1.0])
    assert np.allclose(smooth.rate(1.0 + 1e-5), [math.cos(1.00001), 2.00002], rtol=0, atol=1e-8)


def test_a_precession_is_seen_with_quarters_of_its_period() -> None:
    """pi hbar/2 over the energy: 1e-6 fs, the shortest there is, at 1.03e6 eV; over 1e12 fs below 1e-12 eV."""
    texture = [[1.0, 0.0, 0.0]]
    steps = [ln.Precession(texture, energy).drives()[0].longest_step for energy in (0.1, -0.1, 2e-12, 1e-20, 0.0)]
    assert steps == pytest.approx([10.339, 10.339, 5.1696e11, np.inf, np.inf], rel=1e-4)
    with pytest.raises(ValueError, match=r"^Precession.energy: 1100000.0; allowed: .* of magnitude up to 1.03e\+06$"):
        ln.Precession(texture, 1.1e6)


def test_corners_of_a_table_are_where_its_slope_changes() -> None:
    straight = ln.Table([0.0, 0.1, 0.2, 0.3, 0.7], [0.0, 0.1, 0.2, 0.3, 0.7])
    assert straight.discontinuities == (0.0, 0.7)
    assert ln.Table([1.0, 2.0, 4.0], [[0, 1], [0, 1], [5, 1]]).discontinuities == (2.0, 4.0)
    assert ln.Table([1.0, 2.0], [3.0, 3.0]).discontinuities == ()


def test_looks_do_not_fall_in_step_with_a_drive() -> None:
    """4096 even looks at 2048 periods would meet a sine at its zeros alone."""
    sine = ln.Sine(1.0, period=10.0)
    times = Schedule([sine]).times_to_look(20480.0)
    assert max(abs(sine(t)) for t in times) > 0.99
