"""rtol and the error budget out of equilibrium: bias, levels outside every band, voltages that jump, shifted energies.

Where errors hid behind tests of quiet systems. Expected values: integrals over exact self-energies, closed forms and
chains of explicit lead sites, none of which knows of modes or poles.
"""

import warnings
from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad

from llgnegf import (
    AccuracyWarning,
    ChainLead,
    Electrons,
    Frozen,
    Lead,
    Magnet,
    OpenSystem,
    Precession,
    Prescribed,
    Ramp,
    RotatingFrame,
    Simulation,
    TimeFunction,
    WideBandLead,
    chain,
    simulate,
)
from llgnegf.problem.spectra import ChainSpectrum
from llgnegf.run.error_budget import expand_for_run
from llgnegf.units import HBAR
from validation._long_chain import LongChain

UP = np.array([[0.0, 0.0, 1.0]])
every_rtol = pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-9])


def self_energy(e: complex, coupling: float, hopping: float) -> complex:
    return 2 * coupling**2 / (e + np.sqrt(e - 2 * hopping + 0j) * np.sqrt(e + 2 * hopping + 0j))


def finish(system, motion, rtol, t_end, **options):  # type: ignore[no-untyped-def]
    """rho at the end, the sum of the budget, and whether there was a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = simulate(system, motion, t_end=t_end, save_every=t_end, rtol=rtol, **options)
    warned = any(issubclass(w.category, AccuracyWarning) for w in caught)
    return result.density_matrix, sum(e.value for e in result.errors.values()), warned


def check(error: float, rtol: float, budget: float, warned: bool) -> None:
    """rtol is met, and the budget bounds the error; where it says that rtol is out of reach there is a warning."""
    assert error <= budget
    assert budget <= rtol or warned
    assert error <= rtol


@cache
def filling_of_the_narrow_resonance() -> float:
    """n = int dE/2pi (Gamma_1 f_1 + Gamma_2 f_2)/|E - e - Sigma|^2; beyond the first band the level is 4e-5 eV wide."""

    def density(e: float) -> float:
        sigmas = self_energy(e, 0.5, 1.0), self_energy(e, 0.01, 3.0)
        filled = [-2 * s.imag / (1 + np.exp((e - mu) / 0.05)) for s, mu in zip(sigmas, (-1, 4), strict=True)]
        return sum(filled) / abs(e - 2.5 - sum(sigmas)) ** 2 / (2 * np.pi)

    level = 2.5
    for _ in range(60):
        level = 2.5 + sum(self_energy(level, *lead).real for lead in ((0.5, 1.0), (0.01, 3.0)))
    steps = np.geomspace(1e-6, 0.3, 40)
    cuts = np.sort(np.concatenate([[-6, -2, -1.2, -1, -0.8, 2, level], level - steps, level + steps, [3.5, 6]]))
    pieces = zip(cuts, cuts[1:], strict=False)
    return sum(quad(density, a, b, epsabs=1e-14, epsrel=1e-12, limit=200)[0] for a, b in pieces)


@every_rtol
def test_narrow_resonance_fed_by_a_weak_lead_beside_the_tails_of_a_strong_one(rtol):
    leads = [
        ChainLead(0, coupling=0.5, chemical_potential=-1),
        ChainLead(0, coupling=0.01, hopping=3, chemical_potential=4),
    ]
    system = OpenSystem(chain(1, onsite=2.5), leads, kT=0.05)
    exact = filling_of_the_narrow_resonance()
    assert exact == pytest.approx(0.9390977, abs=1e-7)
    rho, budget, warned = finish(system, Frozen(UP), rtol, 10.0, start="steady")
    check(abs(rho[0, 0].real - exact), rtol, budget, warned)


OUTSIDE = OpenSystem(
    Electrons(np.diag([2.5, -9.0]), 0), [Lead([(np.array([1.0, 0.0]), ChainSpectrum(1.0, 1.0, 0.0))])], kT=0.05
)


@cache
def electron_outside_the_band(t_end: float) -> np.ndarray:
    return LongChain(OUTSIDE, lambda t: UP, 3300).density_matrix(t_end, np.diag([1.0, 0.0]))


@every_rtol
def test_level_outside_the_band_keeps_its_electron(rtol):
    t_end, full = 1000.0, np.diag([1.0, 0.0])
    exact = electron_outside_the_band(t_end)
    assert exact[0, 0].real == pytest.approx(0.78679, abs=1e-5)
    rho, budget, warned = finish(
        OUTSIDE, Frozen(UP), rtol, t_end, start="partitioned", initial_density_matrix=full
    )
    check(np.abs(rho - exact).max(), rtol, budget, warned)


def amplitude(level: float, time: float) -> complex:
    """<level| exp(-iHt) |level> of a level with a chain, gamma = gamma_c = 1: a bound state above the band, if
    E - level = Sigma(E) has a solution there, and int_-2^2 A(E) exp(-iEt) dE/2pi, as a sum over E = 2 cos(theta)."""
    theta = np.pi * (np.arange(60000) + 0.5) / 60000
    e = 2 * np.cos(theta)
    gamma = np.sqrt(4 - e**2)
    spectral = gamma / np.abs(e - level - 0.5 * (e - 1j * gamma)) ** 2
    band = (spectral * np.exp(-1j * e * time) * 2 * np.sin(theta)).mean() / 2
    # With x = Sigma(E) < 1, E = x + 1/x: 1/x = level.
    bound = level + 1 / level
    return band + (1 - 1 / level**2) * np.exp(-1j * bound * time)  # weight 1/(1 - dSigma/dE) = 1 - x^2


@every_rtol
def test_beating_of_two_bound_states_lasts(rtol):
    # Two sites at 3 eV, each with a chain: even and odd levels at 2 and 4 eV with bound states at 2.5 and 4.25 eV. An
    # electron on one site: n_1 - n_2 = Re(a_2^* a_4), for ever 3/4 x 15/16 cos(1.75 t) and more that decays as t^-3/2.
    up = np.eye(4)[[0, 2]]
    leads = [Lead([(vector, ChainSpectrum(1.0, 1.0, 0.0))]) for vector in up]
    system = OpenSystem(chain(2, onsite=3.0), leads, kT=0.05)
    t_end = {1e-3: 3000.0, 1e-6: 1500.0, 1e-9: 360.0}[rtol]
    low, high = (amplitude(level, t_end / HBAR) for level in (2.0, 4.0))
    exact = (low.conjugate() * high).real
    assert exact == pytest.approx(0.703125 * np.cos(1.75 * t_end / HBAR), abs=1e-5)
    rho, budget, warned = finish(
        system, Frozen(np.repeat(UP, 2, axis=0)), rtol, t_end, start="partitioned",
        initial_density_matrix=np.diag([1.0, 0.0, 0.0, 0.0]),
    )  # fmt: skip
    check(abs(rho[0, 0].real - rho[2, 2].real - exact), rtol, budget, warned)


@cache
def after_the_jump(fermi_energy: float, height: float, t_end: float) -> tuple[OpenSystem, np.ndarray]:
    lead = ChainLead(0, voltage=lambda t: height if t > 0 else 0.0)
    system = OpenSystem(chain(1, onsite=0.5), [lead], fermi_energy, kT=0.02)
    length = int(1.05 * t_end / HBAR + 25 / (np.pi * system.kT)) + 40
    return system, LongChain(system, lambda t: UP, length).density_matrix(t_end, None)


@every_rtol
@pytest.mark.parametrize(
    ("fermi_energy", "height", "t_end"), [(2.0, -1.7, 12.0), (2.0, -1.7, 60.0), (0.0, -3.0, 60.0)]
)
def test_voltage_that_jumps_after_a_thermal_start(rtol, fermi_energy, height, t_end):
    system, exact = after_the_jump(fermi_energy, height, t_end)
    rho, budget, warned = finish(system, Frozen(UP), rtol, t_end)
    check(np.abs(rho - exact).max(), rtol, budget, warned)


@pytest.mark.parametrize("j_sd", [2.0, 20.0])
def test_bound_states_under_bias_are_filled_as_in_the_static_solver_for_every_rtol(j_sd):
    """At the leads' mean chemical potential, whatever the tails of the modes say."""
    leads = [ChainLead(0, coupling=0.3, chemical_potential=3.0), ChainLead(-1, coupling=0.8, voltage=-0.6)]
    system = OpenSystem(chain(3, 0.7, j_sd), leads, kT=0.05)
    texture = np.array([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [0.0, 0.6, -0.8]])
    exact = RotatingFrame(system, texture, 0.0, tolerance=1e-11).density_matrix()
    for rtol in (1e-3, 1e-6, 1e-9):
        rho, budget, warned = finish(system, Frozen(texture), rtol, 20.0, start="steady")
        check(np.abs(rho - exact).max(), rtol, budget, warned)


NARROW = OpenSystem(chain(2, 0.7, 1.0, onsite=[0.1, 0.3]), [ChainLead(0, coupling=0.1)], 0.3, kT=0.03)
"""Levels 5e-3 eV wide near the Fermi energy: what moves them leaves a trace for a picosecond."""


@pytest.mark.parametrize("rtol", [1e-3, 1e-5])
def test_moments_that_electrons_alone_turn_disturb_narrow_levels(rtol):
    """No field, no exchange: nothing but the electrons would move them. The judge has finer modes and steps."""
    magnet = Magnet([[1.0, 0, 0], [0, 0, 1.0]], magnetic_moment=1.0)
    exact, _, _ = finish(NARROW, magnet, 1e-8, 100.0)
    rho, budget, warned = finish(NARROW, magnet, rtol, 100.0)
    check(np.abs(rho - exact).max(), rtol, budget, warned)


@cache
def after_whole_periods(motion: Precession, t_end: float) -> np.ndarray:
    length = int(1.05 * t_end / HBAR + 25 / (np.pi * NARROW.kT)) + 40
    return LongChain(NARROW, motion.moments, length).density_matrix(t_end, None)


WHOLE_PERIODS = Precession([[1.0, 0, 0], [0.6, 0, 0.8]], 0.2)


@pytest.mark.parametrize("rtol", [1e-3, 1e-5])
def test_motion_over_whole_periods_is_seen(rtol):
    motion, t_end = WHOLE_PERIODS, 4 * 2 * np.pi * HBAR / 0.2
    exact = after_whole_periods(motion, t_end)
    rho, budget, warned = finish(NARROW, motion, rtol, t_end)
    check(np.abs(rho - exact).max(), rtol, budget, warned)


@pytest.mark.parametrize("rtol", [1e-2, 1e-3, 1e-6])
def test_weakly_bound_level_beside_a_band_edge_under_bias(rtol):
    """7e-4 eV from the nearer of two bands that do not overlap."""
    leads = [
        ChainLead(0, coupling=0.4233, hopping=0.5, chemical_potential=2.4435),
        ChainLead(0, coupling=0.4892, hopping=0.5, onsite=2.0434, chemical_potential=-2.5259),
    ]
    system = OpenSystem(chain(1, j_sd=0.004, onsite=1.0176), leads, kT=0.001)
    exact = RotatingFrame(system, UP, 0.0).density_matrix()
    rho, budget, warned = finish(system, Frozen(UP), rtol, 0.1, start="steady")
    check(np.abs(rho - exact).max(), rtol, budget, warned)


def test_both_spins_of_a_bound_state_under_bias_have_a_filling_in_the_static_solver_too():
    leads = [ChainLead(0, coupling=0.5, chemical_potential=mu) for mu in (-1.0, 1.0)]
    system = OpenSystem(chain(1, onsite=2.5), leads, kT=0.05)
    exact = RotatingFrame(system, UP, 0.0).density_matrix()
    rho, _, _ = finish(system, Frozen(UP), 1e-7, 0.1, start="steady")
    assert np.abs(rho - exact).max() < 1e-7
    # The bound state itself: weight 1/(1 - dSigma/dE) at E = 2.5 + Sigma(E), filled with f of the mean, 0.
    level = 2.5
    for _ in range(200):
        level = 2.5 + 2 * self_energy(level, 0.5, 1.0).real
    weight = 1 / (1 + 2 * self_energy(level, 0.5, 1.0).real / np.sqrt(level**2 - 4))
    assert exact[0, 0].real >= weight / (1 + np.exp(level / 0.05))


def test_round_off_of_very_narrow_levels_is_in_the_budget():
    """Both leads on one site with one band: rho is the mean of two equilibria, weighted 9 to 4 as the broadenings."""
    texture, leads = np.repeat(UP, 3, axis=0), [(0.3, -1.0), (0.2, 1.0)]
    electrons = chain(3, 0.5, onsite=[0.2, 0.2, 0.2001])
    made = [ChainLead(1, coupling=c, chemical_potential=mu) for c, mu in leads]
    equilibria = [
        RotatingFrame(
            OpenSystem(electrons, [ChainLead(1, coupling=c) for c, _ in leads], mu, kT=0.05), texture, 0.0
        ).density_matrix()
        for _, mu in leads
    ]
    exact = (9 * equilibria[0] + 4 * equilibria[1]) / 13
    rho, budget, warned = finish(OpenSystem(electrons, made, kT=0.05), Frozen(texture), 1e-8, 0.1, start="steady")
    assert np.abs(rho - exact).max() <= budget and warned


def test_quiet_run_gets_few_modes_and_one_out_of_equilibrium_as_many_as_it_needs():
    def modes(start, voltage, motion):  # type: ignore[no-untyped-def]
        leads = [ChainLead(0, voltage=voltage), ChainLead(-1)]
        system = OpenSystem(chain(2, onsite=[0.0, 2.6]), leads, kT=0.02)
        return Simulation(system, motion, t_end=500.0, start=start).poles.channels[0].energies.size

    still = Frozen(np.repeat(UP, 2, axis=0))
    quiet = modes("thermal", 0.0, still)
    assert quiet <= 22
    assert quiet < modes("thermal", Ramp(0.0, 0.5, 0.0, 10.0), still)
    assert quiet < modes("partitioned", 0.0, still)
    assert quiet <= modes("thermal", 0.0, Precession(still.texture, 0.01, "x")) <= modes("partitioned", 0.0, still)


def test_a_budget_beyond_rtol_is_warned_of_with_the_remedy():
    """A level 1e-5 eV wide, filled by a wide band, next to the edge of a strong lead's band: 1e-9 is out of reach."""
    leads = [WideBandLead(0, 1e-5, chemical_potential=3.0), ChainLead(0, coupling=0.3, chemical_potential=-1.0)]
    system = OpenSystem(chain(1, onsite=2.0), leads, kT=0.05)
    with pytest.warns(AccuracyWarning, match="rtol: 1e-09 .* budget comes to .*coupling_poles.*larger rtol"):
        simulate(system, Frozen(UP), t_end=1.0, rtol=1e-9, start="steady")


@pytest.mark.parametrize("shift", [1000.0, -1000.0])
def test_absolute_energies_cost_nothing(shift):
    """Device and lead shifted together, the lead by its voltage or by its on-site energy: the same run."""

    def run(level: float, **lead: float):  # type: ignore[no-untyped-def]
        system = OpenSystem(chain(1, onsite=level), [ChainLead(0, **lead)], kT=0.05)
        full = {"start": "partitioned", "initial_density_matrix": np.eye(2)}
        return simulate(system, Frozen(UP), t_end=10.0, rtol=1e-5, **full)

    here = run(0.3)
    for moved in (run(0.3 + shift, voltage=shift), run(0.3 + shift, onsite=shift, chemical_potential=shift)):
        assert moved.statistics["right_hand_sides"] <= 1.1 * here.statistics["right_hand_sides"]
        assert np.abs(moved.density_matrix - here.density_matrix).max() < 1e-5


def test_prescribed_moments_of_a_magnet_disturb_as_a_prescribed_motion_does():
    """Turned fast among free ones at rest, they ask for as many lead modes, within what the free ones add."""
    still = np.repeat(UP, 2, axis=0)

    def turned(t: float) -> np.ndarray:
        return np.array([[np.sin(t), 0.0, np.cos(t)]])

    drive = TimeFunction(turned, 0.5)
    held = Magnet(still, magnetic_moment=1.0, energies=[], prescribed=([0], drive))
    alone = Prescribed(TimeFunction(lambda t: np.concatenate([turned(t), UP]), 0.5))
    system = OpenSystem(chain(2, j_sd=1.0), [ChainLead(0, coupling=0.4), ChainLead(1, coupling=0.4)], kT=0.02)
    found = [expand_for_run(system, motion, "thermal", 100.0, 1e-5)[0].n_modes for motion in (held, alone)]
    assert found[0] >= 0.9 * found[1]


def test_a_warning_names_the_line_of_the_user():
    leads = [WideBandLead(0, 1e-5, chemical_potential=3.0), ChainLead(0, coupling=0.3, chemical_potential=-1.0)]
    system = OpenSystem(chain(1, onsite=2.0), leads, kT=0.05)
    with pytest.warns(AccuracyWarning) as caught:
        simulate(system, Frozen(UP), t_end=1.0, rtol=1e-9, start="steady")
    assert caught[0].filename == __file__
