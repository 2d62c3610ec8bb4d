"""LLG with the electrons' tensors: exact single-moment motion, energy balance, the full coupled run as its judge."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from propagation import moments_of, restarted

from llgnegf import (
    ChainLead,
    Exchange,
    Magnet,
    OpenSystem,
    Precession,
    Simulation,
    UniaxialAnisotropy,
    WideBandLead,
    Zeeman,
    bloch_wall,
    chain,
    relax,
    simulate,
)
from llgnegf.poles.channels import expand
from llgnegf.response.fast_tensors import PoleTensors
from llgnegf.response.tensors import ResponseTensors
from llgnegf.run.slow_simulation import SlowSimulation
from llgnegf.units import G_E, HBAR, MU_B


@pytest.mark.parametrize(("kT", "weak"), [(0.01, 1.0), (0.05, 1.0), (0.02, 0.05)])
def test_fast_tensors_equal_the_adaptive_ones_with_the_same_leads(kT: float, weak: float) -> None:
    """Weak leads make resonances narrower than kT: the trapezoidal sum has to take over."""
    rng = np.random.default_rng(1)
    moments = rng.normal(size=(2, 4, 3))
    moments /= np.linalg.norm(moments, axis=-1, keepdims=True)
    electrons = chain(4, 1.0, [0.4, 0.8, 1.0, 0.3], [0.1, -0.1, 0.0, 0.2])
    system = OpenSystem(electrons, [ChainLead(0, coupling=weak), ChainLead(-1, coupling=weak)], 0.1, kT)
    poles = expand(system, 1e-6, 1e-9, tail_tolerance=1e-6)
    electrons = PoleTensors(poles, 1e-8)
    rest = electrons.adiabatic(moments, True)
    fast = electrons.tensors(rest, True, True)
    for k in range(2):
        exact = ResponseTensors(poles.with_pole_leads(), moments[k], 1e-10)
        np.testing.assert_allclose(fast.friction[k], exact.friction.reshape(12, 12), atol=2e-8)
        # f' is the derivative of the rational f: its error is that of f, 1e-9, times 1/kT.
        np.testing.assert_allclose(fast.geometric[k], exact.geometric.reshape(12, 12), atol=1e-6)
        np.testing.assert_allclose(rest.spin[k], exact.spin_density_adiabatic, atol=1e-8)


def test_closed_moment_precesses_with_the_angular_momentum_of_moment_and_electron() -> None:
    """The electron's spin 1/2 is slaved to M and opposes the angular momentum -(n/g_e) M: the field acts on
    n/g_e - 1/2, so w = n mu_B B/(hbar (n/g_e - 1/2)); without the geometric tensor on n/g_e.
    """
    n, field, start = 5.0, 10.0, [np.sin(0.6), 0.0, np.cos(0.6)]
    system = OpenSystem(chain(1, j_sd=2.0), kT=0.01)
    magnet = Magnet([start], n, energies=Zeeman([0, 0, field]))
    for response, momentum in ((("geometric", "friction"), n / G_E - 0.5), (("friction",), n / G_E)):
        run = SlowSimulation(system, magnet, t_end=1000.0, save_every=50.0, rtol=1e-9, response=response)
        m = moments_of(run)[:, 0]
        phase = n * MU_B * field / (HBAR * momentum) * run.times
        np.testing.assert_allclose(m[:, 2], start[2], atol=1e-8)
        np.testing.assert_allclose(m[:, 0], start[0] * np.cos(phase), atol=1e-7)
        np.testing.assert_allclose(m[:, 1], start[0] * np.sin(phase), atol=1e-7)


def test_wide_band_moment_relaxes_with_its_own_damping() -> None:
    """A single moment feels constant tensors: dM/dt = -p' M x h' with lambda from `damping`, so tan(theta/2) decays
    exponentially at the rate lambda w_0/((1 - G)^2 + lambda^2), p geometric = G.
    """
    n, field = 2.0, 20.0
    system = OpenSystem(chain(1, j_sd=1.0), [WideBandLead(0, 2.0)], kT=0.02)
    start = [np.sin(1.0), 0.0, np.cos(1.0)]
    magnet = Magnet([start], n, energies=Zeeman([0, 0, field]))
    m = moments_of(SlowSimulation(system, magnet, t_end=300.0, save_every=25.0, rtol=1e-6))[:, 0]
    tensors = ResponseTensors(system, [[0, 0, 1.0]], 1e-10)
    damping, p = tensors.damping(n)[0], G_E / (HBAR * n)
    turned = 1 - p * tensors.geometric[0, 0, 0, 1]  # field = -geometric dM/dt = +g M x dM/dt, g = geometric_xy
    bare = p * n * MU_B * field
    rate = damping * bare / (turned**2 + damping**2)
    times = np.linspace(0, 300.0, 13)
    np.testing.assert_allclose(np.arccos(m[:, 2]), 2 * np.arctan(np.tan(0.5) * np.exp(-rate * times)), atol=1e-5)


def test_remainder_of_the_propagator_is_of_second_order() -> None:
    """A wall set turning smoothly, the same motion in the slow time w t: what the propagated spin density leaves to
    adiabatic + K dM/dt falls as w^2. K and the adiabatic part have the propagator's own poles: no error of the
    expansions is left between them.
    """
    system = OpenSystem(chain(5, 1.0, 0.8), [ChainLead(0), ChainLead(-1)], fermi_energy=0.2, kT=0.02)
    rest_wall, energies, remainders = bloch_wall(5, 3.0, 0.9), np.array([0.02, 0.01, 0.005]), []
    for energy in energies:
        motion = Precession(rest_wall, energy=energy, axis="y", ramp=3.0 / energy)
        t_end = 3.6 / energy
        run = Simulation(system, motion, t_end=t_end, save_every=t_end, rtol=1e-7, observables=("adiabatic",))
        row = [row for _, row in run.rows()][-1]
        moments, velocity = row["moments"], energy / HBAR * np.cross([0.0, 1.0, 0.0], row["moments"])
        assert run.poles is not None
        electrons = PoleTensors(run.poles, 1e-11)
        rest = electrons.adiabatic(moments[None], True)
        tensors = electrons.tensors(rest, True, True)
        first_order = -((tensors.friction + tensors.geometric)[0] @ velocity.ravel()).reshape(-1, 3) / 0.8
        np.testing.assert_allclose(rest.spin[0], row["spin_density_adiabatic"], atol=1e-12)
        remainders.append(np.abs(row["spin_density"] - rest.spin[0] - first_order).max())
        assert remainders[-1] < 0.1 * np.abs(first_order).max()
    slopes = np.diff(np.log(remainders)) / np.diff(np.log(energies))
    np.testing.assert_allclose(slopes, 2.0, atol=0.05)


def wall_system(field: float, n_sites: int = 7, kT: float = 0.01) -> tuple[OpenSystem, Magnet]:
    """A relaxed wall between pinned ends, driven by a field along z that turns it at about hbar w = g mu_B B."""
    system = OpenSystem(chain(n_sites, 1.0, 0.1), [ChainLead(0), ChainLead(-1)], kT=kT)
    terms = [Exchange(0.004), UniaxialAnisotropy(0.0008, "z")]
    middle = 0.5 * (n_sites + 1)
    wall = bloch_wall(n_sites, middle, 1.2)
    wall[[0, -1]] = [[0, 0, 1.0], [0, 0, -1.0]]
    rest = relax(system, Magnet(wall, 5.0, energies=terms, pinned=[0, -1]), 1e-6, 1e-6)
    return system, replace(rest, energies=[*terms, Zeeman([0, 0, field])])


FIELD = 0.001 / (G_E * MU_B)


def test_energy_falls_by_what_friction_takes() -> None:
    system, magnet = wall_system(5 * FIELD)
    result = SlowSimulation(system, magnet, t_end=400.0, save_every=2.0, rtol=1e-7)
    rows = [row for _, row in result.rows()]
    energy = np.array([row["free_energy"] for row in rows])
    power = np.array([row["friction_power"] for row in rows])
    lost = np.concatenate([[0.0], np.cumsum(0.5 * (power[1:] + power[:-1]) * 2.0)])
    assert lost[-1] > 1e-5
    # Trapezoidal rule with 2 fs rows; the power changes over hundreds of fs.
    np.testing.assert_allclose(energy[0] - energy, lost, atol=2e-3 * lost[-1])
    still = SlowSimulation(system, magnet, t_end=400.0, save_every=50.0, rtol=1e-7, response=("geometric",))
    conserved = np.array([row["free_energy"] for _, row in still.rows()])
    assert np.ptp(conserved) < 1e-3 * lost[-1]


def test_wall_at_the_papers_frequency_moves_as_in_the_full_run_fifty_times_faster() -> None:
    system, magnet = wall_system(FIELD)
    full = Simulation(system, magnet, t_end=240.0, save_every=120.0)
    rows = full.rows()
    next(rows)
    began = time.process_time()
    exact = np.array([row["moments"] for _, row in rows])
    full_cost = (time.process_time() - began) / 240.0
    long = SlowSimulation(system, magnet, t_end=4800.0, save_every=480.0).rows()
    start = next(long)[1]["moments"]
    began = time.process_time()
    list(long)
    slow_cost = (time.process_time() - began) / 4800.0
    moments = moments_of(SlowSimulation(system, magnet, t_end=240.0, save_every=120.0))[1:]
    middle = 3
    turned, expected = (np.arctan2(m[1, middle, 0], m[1, middle, 1]) for m in (moments, exact))
    assert abs(expected) > 0.3
    assert turned == pytest.approx(expected, rel=0.01)
    moved, expected = (np.sum(m[1, :, 2] - start[:, 2]) for m in (moments, exact))
    assert abs(expected) > 1e-3
    assert moved == pytest.approx(expected, rel=0.01)
    assert full_cost > 50 * slow_cost


def test_difference_to_the_full_run_falls_linearly_with_the_rate() -> None:
    """After the same angle: second order of the rate, for a time that grows as its inverse."""
    system = OpenSystem(chain(1, j_sd=0.8), [ChainLead(0), ChainLead(0)], kT=0.02)
    differences = []
    for field in (32.0, 16.0, 8.0):
        magnet = Magnet([[np.sin(1.0), 0.0, np.cos(1.0)]], 4.0, energies=Zeeman([0, 0, field]))
        t_end = 4000.0 / field
        full = simulate(system, magnet, t_end=t_end, save_every=t_end, rtol=1e-7).dataset.moments.values[-1]
        slow = moments_of(SlowSimulation(system, magnet, t_end=t_end, save_every=t_end, rtol=1e-7))[-1]
        differences.append(abs(np.arccos(full[0, 2]) - np.arccos(slow[0, 2])))
    assert 1e-6 < differences[0] < 1e-4
    slopes = np.diff(np.log2(differences))
    np.testing.assert_allclose(slopes, -1.0, atol=0.2)


@pytest.mark.parametrize("step", [None, 4.0])
def test_restart_gives_the_same_bits(step: float | None) -> None:
    system, magnet = wall_system(5 * FIELD, n_sites=4)
    options = {"t_end": 300.0, "save_every": 15.0, "step": step}

    def make() -> SlowSimulation:
        return SlowSimulation(system, magnet, **options)

    np.testing.assert_array_equal(moments_of(restarted(make, 7)), moments_of(make())[7:])


def test_a_run_restored_at_its_end_has_the_same_statistics() -> None:
    """The first sum over the Fermi surface, whose number of energies a new run shows, needs more than the last one."""
    leads = [ChainLead(0, coupling=0.9), ChainLead(-1, coupling=0.7)]
    system = OpenSystem(chain(3, [1.0, 0.8], [0.6, 0.3, 0.5], [0.1, 0.0, -0.2]), leads, fermi_energy=0.1, kT=0.05)
    start = np.random.default_rng(5).normal(size=(3, 3))
    start /= np.linalg.norm(start, axis=1)[:, None]
    magnet = Magnet(start, 2.0, energies=Zeeman(lambda t: [20.0 * np.sin(0.4 * t), 0.0, 0.0]))
    first, second = (SlowSimulation(system, magnet, t_end=30.0, save_every=10.0) for _ in range(2))
    new = dict(second.statistics)
    moments_of(first)
    assert first.statistics["fermi_surface_nodes"] != new["fermi_surface_nodes"]
    second.restore(first.checkpoint())
    assert second.statistics == first.statistics


def test_fixed_and_adaptive_steps_agree_and_prescribed_moments_drag_the_others() -> None:
    system = OpenSystem(chain(3, 1.0, 0.5), [ChainLead(0), ChainLead(-1)], kT=0.02)
    w = 0.01
    follow = ([0], lambda t: [[np.cos(w * t), np.sin(w * t), 0.0]])
    magnet = Magnet([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]], 2.0, 0.05, Exchange(0.005), pinned=[2], prescribed=follow)
    adaptive = moments_of(SlowSimulation(system, magnet, t_end=60.0, save_every=20.0, rtol=1e-8))
    fixed = moments_of(SlowSimulation(system, magnet, t_end=60.0, save_every=20.0, rtol=1e-8, step=1.0))
    np.testing.assert_allclose(adaptive, fixed, atol=1e-6)
    np.testing.assert_allclose(adaptive[:, 2], [[0, 0, 1.0]] * 4, atol=1e-15)
    np.testing.assert_allclose(adaptive[-1, 0], [np.cos(0.6), np.sin(0.6), 0.0], atol=1e-12)


@pytest.mark.parametrize("step", [None, 0.7])
def test_drives_are_not_asked_for_times_after_the_end(step: float | None) -> None:
    asked = []

    def field(t: float) -> list[float]:
        asked.append(t)
        return [0.0, 0.0, 20.0]

    system = OpenSystem(chain(1, j_sd=0.5), [ChainLead(0)], kT=0.05)
    magnet = Magnet([[1.0, 0, 0]], 2.0, energies=Zeeman(field))
    run = SlowSimulation(system, magnet, t_end=30.5, save_every=4.0, step=step)
    assert moments_of(run).shape == (9, 1, 3)
    assert max(asked) <= 30.5
    assert run.times[-1] == 30.5


def test_every_end_is_reached_whatever_its_digits() -> None:
    rng = np.random.default_rng(3)
    magnet = Magnet([[1.0, 0, 0]], 2.0, 0.1, Zeeman([0, 0, 20.0]))
    rate = 2.0 * MU_B * 20.0 * G_E / (2.0 * HBAR) / (1 + 0.1**2)
    for t_end in np.concatenate([rng.uniform(0.01, 3000.0, 60), 10.0 ** -np.arange(8)]):
        run = SlowSimulation(None, magnet, t_end=t_end, save_every=t_end / rng.integers(1, 5), rtol=1e-8)
        m = moments_of(run)[-1, 0]
        exact = [np.cos(rate * t_end), np.sin(rate * t_end), np.sinh(0.1 * rate * t_end)]
        np.testing.assert_allclose(m, np.array(exact) / np.cosh(0.1 * rate * t_end), atol=1e-6)


def test_zero_temperature_is_the_limit_of_low_temperature() -> None:
    start = [[np.sin(0.5), 0.0, np.cos(0.5)]]
    runs = []
    for kT in (0.0, 1e-3):
        system = OpenSystem(chain(1, j_sd=1.0), [ChainLead(0)], kT=kT)
        magnet = Magnet(start, 3.0, energies=Zeeman([0, 0, 30.0]))
        runs.append(moments_of(SlowSimulation(system, magnet, t_end=100.0, save_every=50.0)))
    # Sommerfeld: the tensors change by (pi kT)^2/6 times their curvature in E/eV.
    np.testing.assert_allclose(runs[0], runs[1], atol=2e-5)


@pytest.mark.parametrize(
    ("system", "options", "message"),
    [
        (OpenSystem(chain(1), [ChainLead(0, voltage=np.cos)], kT=0.1), {}, r"leads\[0\].voltage: a function of time"),
        (OpenSystem(chain(1), [ChainLead(0)], kT=0.1), {"response": ("bias",)}, r"response: \('bias',\); allowed"),
        (None, {"response": ("viscous",)}, "response"),
        (None, {"seed": 3}, "seed: 3; allowed: left out without a temperature"),
        (None, {"step": -1.0}, "step"),
        (None, {"observables": ["adiabatic"]}, "observables"),
        (None, {"observables": None}, "observables: None"),
        (None, {"response": None}, "response: None"),
        (None, {"copies": 2}, "copies: 2; allowed: 1 without a temperature"),
        (None, {"step": np.nan}, "step: nan"),
        (OpenSystem(chain(2), kT=0.1), {}, "motion: 1 moments"),
    ],
)
def test_bad_requests_are_refused(system: OpenSystem | None, options: dict, message: str) -> None:
    magnet = Magnet([[0, 0, 1.0]], 1.0, energies=Zeeman([1.0, 0, 0]))
    with pytest.raises(ValueError, match=message):
        SlowSimulation(system, magnet, t_end=1.0, **options)


def test_simulate_takes_slow_electrons_and_writes_the_same_variables() -> None:
    system, magnet = wall_system(FIELD, n_sites=4)
    options = {"t_end": 20.0, "save_every": 10.0, "observables": ["adiabatic"]}
    slow = simulate(system, magnet, electrons="adiabatic", **options)
    full = simulate(system, magnet, **options)
    shared = ("moments", "spin_density", "torque", "energy_sd", "energy_classical", "angular_momentum")
    for name in (*shared, "spin_density_adiabatic", "torque_nonadiabatic"):
        assert slow.dataset[name].dims == full.dataset[name].dims
        assert slow.dataset[name].attrs["units"] == full.dataset[name].attrs["units"]
    assert slow.dataset.time.values.tolist() == full.dataset.time.values.tolist()
    # 20 fs after the field was switched on the electrons have forgotten the start: the torques agree.
    nonadiabatic = full.dataset.torque_nonadiabatic.values[-1]
    assert np.abs(nonadiabatic).max() > 1e-6
    np.testing.assert_allclose(slow.dataset.torque_nonadiabatic.values[-1], nonadiabatic, atol=2e-8)
    noisy = simulate(
        None, Magnet([[1.0, 0, 0]], 1.0, 0.1, Zeeman([0, 0, 9.0])), t_end=5.0, step=0.5, temperature=0.01, seed=3
    )
    assert noisy.dataset.moments.shape == (6, 1, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"electrons": "quick"}, "electrons"),
        ({"response": ("friction",)}, "response"),
        ({"temperature": 0.1, "seed": 1}, "temperature"),
        ({"electrons": "adiabatic", "start": "partitioned"}, "start"),
        ({"electrons": "adiabatic", "response": None}, "response: None"),
        ({"electrons": "adiabatic", "response": "friction"}, "response: 'friction'"),
        ({"electrons": "adiabatic", "temperature": np.nan, "seed": 1, "step": 0.1}, "temperature: nan"),
        ({"electrons": "adiabatic", "integrator": "rk4", "step": 1.0}, "integrator"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict, message: str) -> None:
    system, magnet = OpenSystem(chain(1, j_sd=1.0), kT=0.1), Magnet([[0, 0, 1.0]], 1.0, energies=Zeeman([1.0, 0, 0]))
    with pytest.raises(ValueError, match=message):
        simulate(system, magnet, t_end=1.0, **options)
