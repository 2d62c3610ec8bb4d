"""Noise of the Gilbert bath on moments that move with full electrons: its statistics, its path, what it samples."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from propagation import classical_step

import llgnegf as ln
from llgnegf import ChainLead, Magnet, OpenSystem, SuspiciousValueWarning, WideBandLead, Zeeman, chain
from llgnegf.equations.moments import LLG
from llgnegf.poles.channels import expand
from llgnegf.problem.drives import TimeFunction
from llgnegf.problem.magnetism.thermal_field import ThermalField
from llgnegf.run.simulation import Simulation
from llgnegf.run.thermal_noise import electronic_damping
from llgnegf.units import G_E, HBAR, MU_B

KT = 0.03


def langevin_function(x: float) -> float:
    return 1 / np.tanh(x) - 1 / x


def wire(n: int = 2, j_sd: float = 0.4, kT: float = KT) -> OpenSystem:
    return OpenSystem(chain(n, j_sd=j_sd), [ChainLead(0)], kT=kT)


def test_halves_have_variances_and_covariance_of_the_scheme_and_pinned_moments_none() -> None:
    """Integrals over the halves: 3h/4 and -h/4 of 2 kT lambda/p each; 3e5 samples, five standard errors of each."""
    n, h = 1001, 0.5
    damping = np.linspace(0.1, 0.5, n)
    magnet = Magnet(np.tile([0, 0, 1.0], (n, 1)), 2.0, damping, pinned=[n - 1])
    field = ThermalField(magnet, KT, seed=3, every=1.0, count=2, t_end=50.0)
    assert field.discontinuities == tuple(0.25 * k for k in range(1, 200))
    halves = 0.5 * h * np.array([field(0.25 * k + 0.1) for k in range(200)])
    assert not halves[:, -1].any()
    scaled = (halves / np.sqrt(2 * KT * damping / (G_E / HBAR / 2.0))[:, None])[:, :-1].reshape(100, 2, -1)
    first, second = scaled[:, 0], scaled[:, 1]
    error = 5 / np.sqrt(first.size)
    assert abs(np.mean(first**2) / (0.75 * h) - 1) < np.sqrt(2) * error
    assert abs(np.mean(second**2) / (0.75 * h) - 1) < np.sqrt(2) * error
    assert abs(np.mean(first * second) + 0.25 * h) < 0.75 * h * np.sqrt(1 + 1 / 9) * error
    total = first + second
    assert abs(np.mean(total**2) / h - 1) < np.sqrt(2) * error
    assert abs(np.mean(total[1:] * total[:-1])) < h * 5 / np.sqrt(total[1:].size)  # intervals know nothing of another
    assert abs(np.mean(scaled)) < h * error
    again = ThermalField(magnet, KT, seed=3, every=1.0, count=2, t_end=60.0)
    assert np.array_equal(again(33.3), field(33.3)) and np.array_equal(again(7.1), field(7.1))  # in any order
    other = ThermalField(magnet, KT, seed=4, every=1.0, count=2, t_end=50.0)
    assert not np.any(other(33.3)[:-1] == field(33.3)[:-1])


def test_what_the_bath_gives_to_the_energy_is_noise_times_velocity_less_the_loss_by_damping() -> None:
    """(-dH/dM + J <s> + b).dM/dt = (lambda/p)|dM/dt|^2: of the columns' energies -b.dM/dt is left out, no more."""
    random = np.random.default_rng(1)
    m = random.standard_normal((3, 3))
    m /= np.linalg.norm(m, axis=1)[:, None]
    magnet = Magnet(m, [1.0, 2.0, 3.0], [0.1, 0.7, 0.3], [Zeeman([1.0, 2.0, 300.0]), ln.Exchange(0.01)])
    field = ThermalField(magnet, KT, seed=3, every=1.0, count=2, t_end=50.0)
    spin = 0.1 * random.standard_normal((3, 3))
    rate = LLG(magnet, thermal=field).rate(m, 3.1, np.cross(spin, m))
    of_columns = np.sum((magnet.energy.gradient(m) - spin) * rate)
    assert np.sum(field(3.1) * rate) - magnet.dissipation(rate) == pytest.approx(of_columns, rel=1e-12)


def test_many_moments_sample_boltzmann_with_long_intervals() -> None:
    """Angles of variance s = 0.1 in an interval: <M_z> is coth x - 1/x less 0.08 s^2 (independent halves: 0.08 s)."""
    n, kT, damping, tesla, s = 9000, 0.03, 0.3, 900.0, 0.1
    x = MU_B * tesla / kT
    random = np.random.default_rng(2)
    z = np.log(np.exp(-x) + 2 * np.sinh(x) * random.random(n)) / x  # of the distribution itself
    phi = 2 * np.pi * random.random(n)
    m = np.stack([np.sqrt(1 - z**2) * np.cos(phi), np.sqrt(1 - z**2) * np.sin(phi), z], axis=1)
    magnet = Magnet(m, 1.0, damping, Zeeman([0, 0, tesla]))
    h = s * (1 + damping**2) / (2 * kT * damping * G_E / HBAR)
    field = ThermalField(magnet, kT, seed=9, every=h, count=1, t_end=150 * h)
    llg, step, means = LLG(magnet, thermal=field), h / 4, []
    for k in range(600):  # two RK4 steps in each half
        m = classical_step(llg, m, (k + 0.5) * step, step)
        if k % 4 == 3 and k > 100:
            means.append(m[:, 2])
    means = np.mean(means, axis=0)
    error = means.std() / np.sqrt(n)
    assert error < 0.0025
    assert abs(means.mean() - langevin_function(x)) < 3 * error + 0.1 * s**2


@pytest.mark.filterwarnings("ignore:Magnet.damping")
@pytest.mark.parametrize("sites", [None, [0]])
def test_a_noisy_run_is_one_in_the_same_field(sites: Any) -> None:
    """b acts as mu_M B does, jumps where it says, and the rest of the run knows nothing of it."""
    system = OpenSystem(chain(1 if sites is None else 2, j_sd=0.4), [ChainLead(0)], kT=KT)
    options: dict[str, Any] = {"t_end": 4.0, "save_every": 1.0, "rtol": 1e-7}
    start, rest = [[0.6, 0.0, 0.8]], (2.0, 0.1)
    magnet = Magnet(start, *rest, [Zeeman([0, 0, 300.0])], sites=sites)
    run = Simulation(system, magnet, temperature=KT, seed=5, **options)
    count = round(1.0 / run.statistics["noise_interval"])
    field = ThermalField(magnet, KT, seed=5, every=1.0, count=count, t_end=4.0)
    tesla = TimeFunction(lambda t: field(t)[0] / (2.0 * MU_B), np.inf, field.discontinuities)
    given = Magnet(start, *rest, [Zeeman([0, 0, 300.0]), Zeeman(tesla)], sites=sites)
    noisy, driven = list(run.rows()), list(Simulation(system, given, **options).rows())
    for (_, a), (_, b) in zip(noisy, driven, strict=True):
        for name in set(a) - {"energy_classical"}:  # without the energy in the thermal field
            assert np.abs(a[name] - b[name]).max() < 2e-7 * max(1.0, np.abs(b[name]).max()), name
    moved = np.linalg.norm(noisy[-1][1]["moments"] - start)
    assert moved > 0.1
    charge = [row["charge_density"].sum() + row["lead_charge_out"].sum() for _, row in noisy]
    assert np.ptp(charge) < 1e-11
    energy = -2.0 * MU_B * 300.0 * noisy[-1][1]["moments"][0, 2]
    assert noisy[-1][1]["energy_classical"] == pytest.approx(energy, rel=1e-12)


@pytest.mark.filterwarnings("ignore:Magnet.damping")
def test_a_seed_is_a_path_whatever_the_steps_are() -> None:
    system, magnet = wire(), Magnet(np.tile([0.6, 0.0, 0.8], (2, 1)), 1.0, 0.2, Zeeman([0, 0, 300.0]))

    def moments(**options: Any) -> tuple[np.ndarray, float]:
        result = ln.simulate(system, magnet, t_end=5.0, temperature=KT, seed=8, **options)
        return result.rows.columns["moments"], result.statistics["noise_interval"]

    fine, interval = moments(rtol=1e-7)
    coarse, same = moments(rtol=1e-5)
    fixed, own = moments(rtol=1e-7, step=interval / 2)
    assert interval == same == own
    assert 1e-12 < np.abs(coarse - fine).max() < 1e-4
    assert np.abs(fixed - fine).max() < 1e-4
    assert ln.simulate(system, magnet, t_end=1.0, temperature=KT, seed=8, step=0.07).statistics[
        "noise_interval"
    ] == pytest.approx(1 / 8)  # two steps, and a divisor of save_every
    assert np.abs(moments(rtol=1e-5, step=interval / 4)[0] - fine).max() > 0.01  # another path


@pytest.mark.filterwarnings("ignore:Magnet.damping")
@pytest.mark.parametrize("integrator", ["dop853", "ark5"])
def test_a_run_goes_on_from_any_step_to_the_same_bits(integrator: str) -> None:
    """Checkpoints after steps that end at jumps and, with small rtol, between them."""
    magnet = Magnet(np.tile([0.6, 0.0, 0.8], (2, 1)), 1.0, 0.2, Zeeman([0, 0, 300.0]))

    def run() -> Simulation:
        options: dict[str, Any] = {"t_end": 1.5, "save_every": 0.7, "rtol": 1e-5, "integrator": integrator}
        return Simulation(wire(), magnet, temperature=KT, seed=8, **options)

    whole, kept = run(), []
    whole.between_steps = lambda time: kept.append(whole.checkpoint())
    rows = list(whole.rows())
    count = round(0.7 / whole.statistics["noise_interval"])
    jumps = set(ThermalField(magnet, KT, 8, 0.7, count, 1.5).discontinuities)
    times = [float(one["time"]) * HBAR for one in kept]
    at_jump = [min(abs(t - jump) for jump in jumps) < 1e-12 for t in times]
    assert any(at_jump) and (integrator == "dop853" or not all(at_jump))
    for checkpoint in kept[:: max(1, len(kept) // 4)]:
        again = run()
        again.restore(checkpoint)
        for index, row in again.rows():
            assert all(np.array_equal(row[name], rows[index][1][name]) for name in row)
        assert np.array_equal(again.state, whole.state)


@pytest.mark.parametrize("kT", [0.03, 0.06])
def test_moments_on_weakly_coupled_electrons_sample_boltzmann(kT: float) -> None:
    """<M_z> and <M_z^2> = 1 - 2 <M_z>/x of eight moments; blocks of 25 fs are ten relaxation times, and independent."""
    n, tesla = 8, 800.0
    magnet = Magnet(np.tile([0, 0, 1.0], (n, 1)), 1.0, 1.0, Zeeman([0, 0, tesla]))
    run = ln.simulate(
        wire(n, 0.03, kT), magnet, t_end=525.0, rtol=1e-3, step=0.25, temperature=kT, seed=21, integrator="dop853"
    )
    z = run.rows.columns["moments"][25:, :, 2][: 20 * 25].reshape(20, 25, n)
    x = MU_B * tesla / kT
    for values, exact in ((z, langevin_function(x)), (z**2, 1 - 2 * langevin_function(x) / x)):
        blocks = values.mean(axis=1).ravel()
        error = blocks.std(ddof=1) / np.sqrt(blocks.size)
        assert error < 0.025
        assert abs(blocks.mean() - exact) < 3 * error


def test_friction_that_counts_twice_and_two_temperatures_are_warned_of() -> None:
    """One wide-band level, Gamma' = J: friction hbar/2 pi, lambda = g_e/2 pi = 0.32 for one Bohr magneton."""
    system = OpenSystem(chain(1, j_sd=1.0), [WideBandLead(0, 2.0)], kT=0.01)

    def warned(damping: float, temperature: float, on: OpenSystem = system) -> list[str]:
        magnet = Magnet([[0.6, 0.0, 0.8]], 1.0, damping)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Simulation(on, magnet, t_end=1.0, temperature=temperature, seed=1, rtol=1e-3)
        return [str(w.message) for w in caught if issubclass(w.category, SuspiciousValueWarning)]

    (line,) = warned(0.5, 0.01)
    assert line.startswith("Magnet.damping: 0.5 of moment 0, beside electrons that damp it by 0.32 themselves")
    assert "it is as at 0.0061 eV; if the damping was measured, that counts twice" in line  # 0.01 0.5/0.82
    (line,) = warned(0.3, 0.01)
    assert line.endswith("it is as at 0.0048 eV")  # more than 0.3: cannot be in it
    assert warned(3.5, 0.01) == []
    (line,) = warned(3.5, 0.02)
    assert line.startswith("simulate.temperature: 0.02 beside electrons at kT = 0.01")
    assert warned(0.5, 0.01, OpenSystem(chain(1, j_sd=1.0), [], kT=0.01)) == []  # no leads, no friction
    own = electronic_damping(Magnet([[0.6, 0.0, 0.8]], 1.0, 0.1), expand(system, 1e-3, 1e-6))
    assert own == pytest.approx([G_E / (2 * np.pi)], rel=5e-3)  # kT = 0.01 of Gamma' = 1: (pi kT)^2


def test_steps_that_are_too_long_for_the_averages_are_warned_of() -> None:
    """Intervals of h = 1 fs: s = 2 kT lambda p h/(1 + lambda^2) with p = 5 g_e/hbar is 0.913, and 0.08 s^2 = 0.067."""
    magnet, s = Magnet([[0.6, 0.0, 0.8]], 0.2, 1.0), KT * 5 * G_E / HBAR
    options: dict[str, Any] = {"t_end": 2.0, "temperature": 2 * KT, "seed": 1, "rtol": 1e-3}
    with pytest.warns(SuspiciousValueWarning, match=r"^simulate\.step: 0\.5: .*err by some 0\.07; at most 0\.19 fs"):
        Simulation(wire(1, 0.01, 2 * KT), magnet, step=0.5, **options)
    assert 0.08 * (2 * s) ** 2 == pytest.approx(0.067, abs=5e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Simulation(wire(1, 0.01, 2 * KT), magnet, **options)


MISTAKES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"damping": 0.0}, {}, "simulate.temperature: 0.03; allowed: 0 without damping, whose noise it is"),
    ({}, {"seed": None}, "simulate.seed: None; allowed: an integer from 0 to 2^64 - 1 with a temperature"),
    ({}, {"temperature": 0.0}, "simulate.seed: 1; allowed: left out without a temperature"),
    ({}, {"response": ("friction",)}, "simulate.response: ('friction',); allowed: the default with electrons = 'full'"),
]


@pytest.mark.parametrize(("moment", "options", "line"), MISTAKES)
def test_noise_that_cannot_be_is_refused(moment: dict[str, Any], options: dict[str, Any], line: str) -> None:
    magnet = Magnet([[0.6, 0.0, 0.8]], 1.0, **{"damping": 0.1, **moment})
    with pytest.raises(ValueError, match=re.escape(line)):
        ln.simulate(wire(1), magnet, **{"t_end": 1.0, "temperature": KT, "seed": 1, **options})


@pytest.mark.filterwarnings("ignore:Magnet.damping")
def test_moments_that_do_not_answer_and_a_simulation_without_electrons_have_no_noise() -> None:
    with pytest.raises(ValueError, match=r"simulate.temperature: 0.03; allowed: 0 without a Magnet"):
        ln.simulate(wire(1), ln.Frozen([[0.6, 0.0, 0.8]]), t_end=1.0, temperature=KT, seed=1)
    magnet = Magnet([[0.6, 0.0, 0.8]], 1.0, 0.1)
    with pytest.raises(ValueError, match=r"simulate.temperature: 0.03; allowed: 0 without electrons"):
        Simulation(None, magnet, t_end=1.0, temperature=KT, seed=1)
    with pytest.raises(ValueError, match=r"jumps of the thermal field; allowed: at most 1e\+07"):
        ln.simulate(wire(1), magnet, t_end=1e7, save_every=10.0, temperature=KT, seed=1)
