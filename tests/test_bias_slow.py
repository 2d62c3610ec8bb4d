"""Slow electrons under bias: fast tensors against adaptive ones, the rotating frame and full runs."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from matrix_leads import ModesLead, absorbing, couplings
from propagation import moments_of, restarted

import llgnegf as ln
from llgnegf import ChainLead, Magnet, OpenSystem, Precession, Simulation, Zeeman, chain
from llgnegf.equations.slow import SlowEquation
from llgnegf.poles.channels import PoleSystem, expand
from llgnegf.problem.observables import charge_density, spin_density
from llgnegf.problem.occupation import fermi
from llgnegf.response.bias_tensors import BiasedTensors
from llgnegf.response.fast_tensors import ContourTensors, LevelTensors, PoleTensors
from llgnegf.response.tensors import ResponseTensors
from llgnegf.response.window_rules import Piece, pieces_between, window_rule
from llgnegf.run.slow_simulation import SlowSimulation, slow_electrons
from llgnegf.static.quadrature import QuadratureError
from llgnegf.units import HBAR


def random_moments(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def ribbon() -> OpenSystem:
    lattice = ln.square(2, 2)
    leads = [lattice.lead("left", voltage=0.15), lattice.lead("right", voltage=-0.15)]
    return OpenSystem(lattice.electrons(1.0, 0.6, rashba=0.3), leads, fermi_energy=-0.7, kT=0.03)


def matrix_leads() -> OpenSystem:
    """Self-energies whose eigenvectors turn with energy, exact in modes."""
    rng = np.random.default_rng(4)
    leads = [
        ModesLead(coupling=couplings(rng, 4, 2), modes=absorbing(rng, 2), chemical_potential=0.3, kT=0.02),
        ModesLead(coupling=couplings(rng, 4, 3), modes=absorbing(rng, 3), chemical_potential=-0.3, kT=0.05),
    ]
    return OpenSystem(chain(2, 1.0, [0.7, 0.4]), leads, kT=0.03)


def left_and_right(mu: tuple[float, float], kT: tuple[float, float] = (0.02, 0.02), weak: float = 0.6) -> list:
    right = ChainLead(-1, coupling=weak, chemical_potential=mu[1], kT=kT[1])
    return [ChainLead(0, chemical_potential=mu[0], kT=kT[0]), right]


SYSTEMS = {
    "chemical potentials and temperatures": OpenSystem(
        chain(3, 1.0, [0.7, 0.0, -0.4]), left_and_right((0.3, -0.2), (0.01, 0.05)), kT=0.02
    ),
    "temperatures alone": OpenSystem(chain(3, 1.0, 0.6), left_and_right((0.1, 0.1), (0.01, 0.05)), kT=0.02),
    "voltages": OpenSystem(chain(2, 1.0, 0.6), [ChainLead(0, voltage=0.3), ChainLead(-1)], fermi_energy=0.2, kT=0.02),
    "nearly kT = 0": OpenSystem(chain(2, 1.0, 0.6), left_and_right((0.3, -0.2), (1e-4, 1e-4)), kT=1e-4),
    "weak leads": OpenSystem(chain(2, 1.0, 0.6), left_and_right((1.0, -1.0), weak=0.05), kT=0.02),
    "one site": OpenSystem(chain(1, j_sd=0.7), left_and_right((0.4, -0.4)), kT=0.02),
    "three terminals": OpenSystem(
        chain(3, 1.0, 0.5), [*left_and_right((0.3, -0.2)), ChainLead(1, coupling=0.4, kT=0.04)], kT=0.03
    ),
    "ribbon, band edges in the window": ribbon(),
    "matrix leads": matrix_leads(),
}  # fmt: skip


def in_poles(system: OpenSystem, tolerance: float = 1e-6) -> PoleSystem:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return expand(system, tolerance, 1e-11, tail_tolerance=1e-8, strict=False)


@pytest.mark.parametrize("name", SYSTEMS)
def test_fast_tensors_equal_the_adaptive_ones(name: str) -> None:
    system = SYSTEMS[name]
    moments, size = random_moments(3, system.n_sites), 3 * system.n_sites
    poles = in_poles(system)
    fast = BiasedTensors(poles, 1e-8)
    rest = fast.adiabatic(moments[None], True)
    found = fast.tensors(rest, True, True, noise=True)
    exact = ResponseTensors(poles.with_pole_leads(), moments, 1e-10)
    # 1e-8 is allowed, of K/(hbar J) and, of a correlator, times bias + 2 kT; geometric has the rational f' besides.
    assert np.abs(rest.spin[0] - exact.spin_density_stationary).max() < 1e-8
    assert np.abs(found.friction[0] - exact.friction.reshape(size, size)).max() < 1e-8
    assert np.abs(found.geometric[0] - exact.geometric.reshape(size, size)).max() < 1e-8
    assert found.noise is not None
    assert np.abs(found.noise[0] - exact.noise.reshape(size, size)).max() < 1e-8
    assert np.linalg.eigvalsh(found.noise[0])[0] > -1e-14
    common = BiasedTensors(poles, 1e-8, bias=False)
    parts = common.tensors(common.adiabatic(moments[None], True), True, True, noise=True)
    of_one = (exact.friction - exact.bias_friction).reshape(size, size)
    assert np.abs(parts.friction[0] - of_one).max() < 1e-8
    assert parts.noise is not None
    assert np.abs(parts.noise[0] - 2 * system.mean_temperature * of_one).max() < 1e-8


def test_charge_and_first_order_are_those_of_the_rotating_frame() -> None:
    """d<s>/dw of steady precession, by Richardson's extrapolation of central differences."""
    system = SYSTEMS["chemical potentials and temperatures"]
    system = replace(system, electrons=chain(3, 1.0, 0.6))
    moments, axis = random_moments(1, 3), np.array([0.3, -0.5, 0.8])
    axis /= np.linalg.norm(axis)
    poles = in_poles(system)
    pole_leads, fast = poles.with_pole_leads(), BiasedTensors(poles, 1e-9)
    rest = fast.adiabatic(moments[None], True)
    at_rest = ln.RotatingFrame(pole_leads, moments, 0.0, tolerance=1e-11).density_matrix()
    assert np.abs(charge_density(at_rest) - rest.charge[0]).max() < 1e-8
    tensors = fast.tensors(rest, True, True)
    first = -((tensors.friction + tensors.geometric)[0] @ np.cross(axis, moments).ravel()).reshape(3, 3) / 0.6 / HBAR

    def spin(energy: float) -> np.ndarray:
        return spin_density(ln.RotatingFrame(pole_leads, moments, energy, axis, tolerance=1e-12).density_matrix())

    slopes = [(spin(w) - spin(-w)) / (2 * w) for w in (2e-3, 1e-3)]
    assert np.abs((4 * slopes[1] - slopes[0]) / 3 - first).max() < 1e-7


def test_small_differences_are_equilibrium() -> None:
    """1e-9 eV between the leads: 2 kT friction is the noise, to the first order of that."""
    leads = [ChainLead(0, chemical_potential=1e-9), ChainLead(-1)]
    biased = OpenSystem(chain(2, 1.0, 0.6), leads, kT=0.02)
    system = replace(biased, leads=[ChainLead(0), ChainLead(-1)])
    moments = random_moments(5, 2)[None]
    pair = BiasedTensors(in_poles(biased), 1e-9), PoleTensors(in_poles(system), 1e-9)
    under, equal = (each.tensors(each.adiabatic(moments, True), True, True, noise=True) for each in pair)
    assert under.noise is not None
    assert equal.noise is None
    np.testing.assert_allclose(under.friction, equal.friction, atol=1e-8)
    np.testing.assert_allclose(under.noise, 2 * 0.02 * equal.friction, atol=1e-9)


def test_errors_of_rules_hold_for_narrow_levels() -> None:
    """Random devices with weak leads, hot and cold: what is asked for against a hundredth of it."""
    rng = np.random.default_rng(11)
    for _ in range(2):
        n = int(rng.integers(1, 4))
        leads = [
            ChainLead(site, coupling=float(10 ** rng.uniform(-1.3, 0)), voltage=float(rng.uniform(-0.2, 0.2)),
                      chemical_potential=float(rng.uniform(-0.5, 0.5)), kT=float(10 ** rng.uniform(-3, -1)))
            for site in (0, -1)
        ]  # fmt: skip
        system = OpenSystem(chain(n, 1.0, float(rng.choice([0.1, 1.0]))), leads, kT=0.03)
        poles, moments = in_poles(system, 1e-5), random_moments(int(rng.integers(1000)), n)[None]
        coarse, fine = BiasedTensors(poles, 1e-6), BiasedTensors(poles, 1e-8)
        rest, exact = coarse.adiabatic(moments, True), fine.adiabatic(moments, True)
        assert np.abs(rest.spin - exact.spin).max() < 1e-6
        found, exactly = (t.tensors(r, True, True, noise=True) for t, r in ((coarse, rest), (fine, exact)))
        assert np.abs(found.friction - exactly.friction).max() < 1e-6
        assert found.noise is not None
        assert exactly.noise is not None
        assert np.abs(found.noise - exactly.noise).max() < 1.5e-6  # the window is up to 1.5 eV wide


def test_bound_state_between_the_chemical_potentials_keeps_its_filling() -> None:
    """A level at 3 eV outside the bands of the leads (-2..2 eV), mu = 2 and 5 eV: filled at 3.5 eV, their mean. In
    modes of the leads it would have a width, and the filling of whose tail is larger."""
    electrons = chain(1, 1.0, 0.2, [2.5])
    leads = [ChainLead(0, coupling=0.8, chemical_potential=mu) for mu in (1.0, 5.0)]
    system = OpenSystem(electrons, leads, kT=0.02)
    moments = random_moments(2, 1)
    fast = BiasedTensors(in_poles(system, 1e-7), 1e-8)
    rest = fast.adiabatic(moments[None], True)
    found = fast.tensors(rest, True, True)
    exact = ResponseTensors(system, moments, 1e-10)
    np.testing.assert_allclose(rest.spin[0], exact.spin_density_stationary, atol=1e-6)
    np.testing.assert_allclose(found.friction[0], exact.friction[0, :, 0], atol=1e-6)
    np.testing.assert_allclose(found.geometric[0], exact.geometric[0, :, 0], atol=1e-6)


def test_level_that_no_lead_reaches_between_the_chemical_potentials_is_refused() -> None:
    lead = ln.Lead([([1.0, 0.0], ln.ChainLead(0).attach(1)[0].spectrum)], chemical_potential=0.5)
    other = ln.Lead([([1.0, 0.0], ln.ChainLead(0).attach(1)[0].spectrum)], chemical_potential=-0.5)
    system = OpenSystem(chain(1, j_sd=0.3), [lead, other], kT=0.02)
    fast = BiasedTensors(in_poles(system), 1e-8)
    with pytest.raises(QuadratureError, match="between their chemical potentials"):
        fast.adiabatic(np.array([[[0.0, 0.0, 1.0]]]), True)


def test_rules_integrate_differences_of_fermi_functions() -> None:
    """int (f_1 - f_2) = mu_1 - mu_2, int (f_1 - f_2) E = (mu_1^2 - mu_2^2)/2 + pi^2/6 (kT_1^2 - kT_2^2)."""
    mu, kT = (0.3, -0.2), (0.01, 0.05)

    def weight(e: np.ndarray) -> np.ndarray:
        return fermi(e, mu[0], kT[0]) - fermi(e, mu[1], kT[1])

    crossing = (kT[1] * mu[0] - kT[0] * mu[1]) / (kT[1] - kT[0])
    cuts = np.array([m + k * x for m, k in zip(mu, kT, strict=True) for x in (-30, -17, -9, -4, 0, 4, 9, 17, 30)])
    pieces = pieces_between(-2.2, 2.3, np.array([-0.4, 5.0]), np.array([crossing]))
    assert [piece.at_edge for piece in pieces] == [True, True, False]
    for halved in (False, True):
        parts = [h for piece in pieces for h in (piece.halves() if halved else (piece,))]
        rules = [window_rule(part, weight, cuts, 6, 0.0) for part in parts]
        assert sum(w[0].sum() for _, w in rules) == pytest.approx(0.5, abs=1e-12)
        first = sum(float(w[0] @ e) for e, w in rules)
        assert first == pytest.approx(0.025 + np.pi**2 / 6 * (1e-4 - 25e-4), abs=1e-12)
    assert window_rule(Piece(1.0, 2.0, False), weight, cuts, 6, 1e-8)[0].size == 0


def test_remainder_of_the_propagator_is_of_second_order_under_bias() -> None:
    """As in equilibrium (`test_adiabatic_llg`), the run starting in the stationary state."""
    leads = [ChainLead(0, voltage=0.2), ChainLead(-1, voltage=-0.2)]
    system = OpenSystem(chain(2, 1.0, 0.8), leads, fermi_energy=0.2, kT=0.02)
    wall, energies, remainders = ln.bloch_wall(2, 1.6, 0.9), np.array([0.04, 0.02]), []
    for energy in energies:
        t_end = 3.6 / energy
        motion = Precession(wall, energy=energy, axis="y", ramp=3.0 / energy)
        run = Simulation(system, motion, t_end=t_end, save_every=t_end, rtol=1e-6, start="steady")
        row = [row for _, row in run.rows()][-1]
        velocity = energy / HBAR * np.cross([0.0, 1.0, 0.0], row["moments"])
        assert run.poles is not None
        electrons = BiasedTensors(run.poles, 1e-10)
        rest = electrons.adiabatic(row["moments"][None], True)
        tensors = electrons.tensors(rest, True, True)
        first_order = -((tensors.friction + tensors.geometric)[0] @ velocity.ravel()).reshape(-1, 3) / 0.8
        remainders.append(np.abs(row["spin_density"] - rest.spin[0] - first_order).max())
        assert remainders[-1] < 0.1 * np.abs(first_order).max()
    np.testing.assert_allclose(np.diff(np.log(remainders)) / np.diff(np.log(energies)), 2.0, atol=0.05)


def wall(magnetic_moment: float = 3.0, damping: float = 0.05) -> tuple[OpenSystem, Magnet]:
    """Three sites between leads 0.2 eV apart."""
    leads = [ChainLead(0, voltage=0.1), ChainLead(-1, voltage=-0.1)]
    system = OpenSystem(chain(3, 1.0, 0.6), leads, fermi_energy=-0.8, kT=0.02)
    energies = [ln.Exchange(0.05), ln.UniaxialAnisotropy(0.01, "z")]
    return system, Magnet(ln.neel_wall(3, 2.0, 1.2), magnetic_moment, damping, energies)


def test_a_current_pushes_a_wall_as_in_the_full_run() -> None:
    """Moments n times as large move n times more slowly along one path, to lowest order that of the torque at rest.
    After n times the time equilibrium's own tensors leave part of the first order, 1/n, all of them the second, 1/n^2.
    """
    size, errors = np.array([4.0, 8.0]), []
    for n in size:
        system, magnet = wall(n)
        t_end = 10.0 * n
        run = {"t_end": t_end, "save_every": t_end, "rtol": 1e-6}
        full = ln.simulate(system, magnet, start="steady", **run).dataset.moments.values
        assert np.abs(full[1] - full[0]).max() > 0.1
        slow = [
            ln.simulate(system, magnet, electrons="adiabatic", response=response, **run)
            for response in (("geometric", "friction"), ("geometric", "friction", "bias"))
        ]
        errors.append([np.abs(each.dataset.moments.values[-1] - full[-1]).max() for each in slow])
        assert "free_energy" not in slow[0].dataset
    slopes = np.diff(np.log(errors), axis=0)[0] / np.diff(np.log(size))
    np.testing.assert_allclose(slopes, [-1.0, -2.0], atol=0.2)
    assert errors[-1][1] < 0.2 * errors[-1][0]


def test_restart_under_bias_gives_the_same_bits() -> None:
    system, magnet = wall()
    options = {"t_end": 20.0, "save_every": 2.0, "rtol": 1e-5}

    def make() -> SlowSimulation:
        return SlowSimulation(system, magnet, **options)

    np.testing.assert_array_equal(moments_of(restarted(make, 5)), moments_of(make())[5:])


def test_zero_temperature_under_bias_is_the_limit_of_low_temperature() -> None:
    """Sommerfeld: pi^2/6 kT^2 times second derivatives, 1/eV^2 for these levels; thermal noise is 2 kT friction."""
    moments, found = random_moments(1, 2)[None], []
    for kT in (0.0, 1e-3):
        system = OpenSystem(chain(2, 1.0, 0.6), left_and_right((0.3, -0.2), (kT, kT), 0.8), kT=kT)
        electrons = slow_electrons(system, 1e-7)[0]
        rest = electrons.adiabatic(moments, True)
        tensors = electrons.tensors(rest, True, True, noise=True)
        assert tensors.noise is not None
        found.append([rest.spin, tensors.friction, tensors.geometric, tensors.noise])
    thermal = 2e-3 * np.abs(found[0][1]).max()
    for cold, warm, allowed in zip(*found, (2e-5, 2e-5, 2e-5, 2 * thermal), strict=True):
        np.testing.assert_allclose(cold, warm, atol=allowed)


def test_one_of_the_leads_at_zero_temperature() -> None:
    kinds = {(0.0, 0.02): ContourTensors, (0.01, 0.02): BiasedTensors, (0.02, 0.02): PoleTensors}
    for kT, kind in kinds.items():
        system = OpenSystem(chain(1, j_sd=0.6), left_and_right((0.0, 0.0), kT), kT=0.02)
        assert type(slow_electrons(system, 1e-5)[0]) is kind
    assert type(slow_electrons(OpenSystem(chain(1, j_sd=0.6)), 1e-5)[0]) is LevelTensors


def test_moments_of_several_sites_feel_the_sum_of_their_noise() -> None:
    leads = left_and_right((0.2, -0.2))
    electrons = BiasedTensors(in_poles(OpenSystem(chain(3, 1.0, 0.6), leads, kT=0.02)), 1e-8)
    moments = random_moments(7, 2)
    magnet = Magnet(moments, 2.0, sites=[(0, 2), 1], energies=Zeeman([0, 0, 10.0]))
    found = SlowEquation(magnet, electrons, noisy=True).instant(0.0, moments[None], noise=True).noise
    alone = Magnet(moments[[0, 1, 0]], 2.0)
    each = SlowEquation(alone, electrons, noisy=True).instant(0.0, moments[None, [0, 1, 0]], noise=True).noise
    assert found is not None
    assert each is not None
    to_moments = np.kron([[1, 0, 1], [0, 1, 0]], np.eye(3))
    np.testing.assert_allclose(found[0], to_moments @ each[0] @ to_moments.T, atol=1e-14)


def test_what_slow_runs_refuse_under_bias() -> None:
    system, magnet = wall(damping=0.0)
    undamped = "temperature: 0.1; allowed: 0, or the leads' mean 0.02, without damping"
    refused = {
        undamped: {"temperature": 0.1, "seed": 1, "step": 0.1},
        "seed: None; allowed: an integer": {"temperature": 0.02, "step": 0.1},
        "step: None": {"seed": 3},
        "start: 'steady'; allowed: 'thermal'": {"start": "steady"},
        "seed: 3; allowed: left out .* nothing is random": {"seed": 3, "step": 0.1, "response": ("geometric", "bias")},
        "response: None; allowed: a list of names": {"response": None},
    }
    for message, options in refused.items():
        with pytest.raises(ValueError, match=message):
            ln.simulate(system, magnet, t_end=1.0, electrons="adiabatic", **options)
    with pytest.raises(ValueError, match="relax.system: chemical potentials .* allowed: one for all leads"):
        ln.relax(system, magnet)
    driven = replace(system, leads=[ChainLead(0, voltage=ln.Ramp(0.0, 0.1, 0.0, 5.0)), ChainLead(-1)])
    with pytest.raises(ValueError, match="voltage: a function of time"):
        ln.simulate(driven, magnet, t_end=1.0, electrons="adiabatic")
