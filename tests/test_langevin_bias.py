"""Noise of electrons under bias: an effective temperature, the drift that comes with it, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.integrate import quad

import llgnegf as ln
from llgnegf import ChainLead, IntegrationStopped, Lead, Magnet, OpenSystem, WideBandLead, Zeeman, chain
from llgnegf.equations.slow import SlowEquation
from llgnegf.integrators.heun import Noise
from llgnegf.poles.channels import expand
from llgnegf.problem.occupation import fermi
from llgnegf.problem.spectra import WideBandSpectrum
from llgnegf.response.bias_tensors import BiasedTensors
from llgnegf.response.fast_tensors import Adiabatic, PoleTensors, Tensors
from llgnegf.run.langevin import langevin_ensemble
from llgnegf.run.slow_simulation import SlowSimulation
from llgnegf.units import HBAR, MU_B

J, LEFT, RIGHT, BIAS, KT = 1.0, 1.2, 0.5, 0.3, 0.01
"""sd coupling, broadenings by both leads, bias and kT in eV."""


def one_moment(bias: float = BIAS) -> OpenSystem:
    leads = [WideBandLead(0, LEFT, chemical_potential=bias / 2), WideBandLead(0, RIGHT, chemical_potential=-bias / 2)]
    return OpenSystem(chain(1, j_sd=J), leads, kT=KT)


def friction_and_noise() -> tuple[float, float]:
    """Normal to the moment, in eV fs and eV^2 fs, of leads without spin.

    g = 1/[(E + J)^2 + G^2/4], G = LEFT + RIGHT, and the same with -J: with F = g_+ g_-
        noise    = (hbar J^2/2 pi) int dE 2 F sum_pq G_p G_q f_p (1 - f_q),
        friction = (hbar J^2/4 pi) int dE 2 F G sum_p G_p (-f_p'),
    the latter since G^< = i a phi with one phi = sum_p G_p f_p/G, as in an equilibrium with the distribution phi.
    """
    widths, mu, total = np.array([LEFT, RIGHT]), np.array([BIAS, -BIAS]) / 2, LEFT + RIGHT

    def both(e: float) -> float:
        return float(1 / ((e + J) ** 2 + total**2 / 4) / ((e - J) ** 2 + total**2 / 4))

    def noise(e: float) -> float:
        return 2 * both(e) * float(widths @ fermi(e, mu, KT)) * float(widths @ fermi(-e, -mu, KT))

    def friction(e: float) -> float:
        return 2 * both(e) * total * float(widths @ (0.25 / KT / np.cosh((e - mu) / (2 * KT)) ** 2))

    reach = {"a": -BIAS / 2 - 40 * KT, "b": BIAS / 2 + 40 * KT, "points": [-BIAS / 2, BIAS / 2], "limit": 200}
    scale = HBAR * J**2 / (2 * np.pi)
    return 0.5 * scale * quad(friction, **reach)[0], scale * quad(noise, **reach)[0]


def test_shot_noise_and_friction_of_a_level() -> None:
    fast = BiasedTensors(expand(one_moment(), 1e-6, 1e-9, tail_tolerance=1e-8), 1e-9)
    m = np.array([[[0.0, 0.6, 0.8]]])
    found = fast.tensors(fast.adiabatic(m, True), True, True, noise=True)
    friction, noise = friction_and_noise()
    normal = np.eye(3) - m[0, 0][:, None] * m[0, 0]
    np.testing.assert_allclose(found.friction[0] @ normal, friction * normal, atol=1e-8)
    assert found.noise is not None
    np.testing.assert_allclose(normal @ found.noise[0] @ normal, noise * normal, atol=1e-8)
    assert noise / (2 * friction) > 4 * KT  # most of it is shot noise


@pytest.mark.parametrize(("damping", "temperature", "seed"), [(0.0, 0.0, 3), (0.3, 0.02, 4)])
def test_one_moment_under_bias_has_the_temperature_of_its_noise(damping: float, temperature: float, seed: int) -> None:
    """Leads without spin: nothing depends on where the moment points, J = T_eff 1 and S = 0, so that the density is
    exp(-H/T_eff) exactly, T_eff = (noise + 2 kT lambda/p)/(2 friction + 2 lambda/p); <cos> is Langevin's function."""
    field = 900.0
    magnet = Magnet([[1.0, 0.0, 0.0]], 1.0, damping, energies=Zeeman([0, 0, field]))
    friction, noise = friction_and_noise()
    gilbert = damping / float(magnet.prefactor[0])
    effective = (noise + 2 * temperature * gilbert) / (2 * friction + 2 * gilbert)
    run = langevin_ensemble(
        one_moment(), magnet, temperature=temperature, t_end=140.0, step=0.4, save_every=4.0, copies=50, seed=seed,
        rtol=1e-3,
    )  # fmt: skip
    means = run.moments[10:, :, 0, 2].mean(axis=0)
    error = means.std(ddof=1) / np.sqrt(means.size)
    x = MU_B * field / effective
    cold = MU_B * field / KT
    assert error < 0.03
    assert abs(means.mean() - (1 / np.tanh(x) - 1 / x)) < 3 * error
    assert abs(means.mean() - (1 / np.tanh(cold) - 1 / cold)) > 5 * error


@dataclass(frozen=True, eq=False)
class Invented:
    """Tensors of one moment that depend on where it points, not of any equilibrium: for the drift they bring."""

    j_sd: np.ndarray

    def adiabatic(self, moments: np.ndarray, geometric: bool) -> Adiabatic:
        return Adiabatic(moments, np.zeros_like(moments), np.zeros(moments.shape[:2]))

    def tensors(
        self, rest: Adiabatic, friction: bool, geometric: bool, speed: float | None = None, noise: bool = False
    ) -> Tensors:
        m = rest.moments[:, 0]
        z, axis = m[:, 2, None, None], np.array([0.6, 0.0, 0.8])
        squared = np.einsum("ba,bc->bac", np.cross(m, axis), np.cross(m, axis))
        damping = 0.3 * (1 + 0.5 * z) * np.eye(3) + 0.4 * squared
        turn = 0.3 * m[:, 0, None, None] * np.einsum("abc,dc->dab", EPSILON, m)
        correlator = 0.02 * (1 + z**2) * np.eye(3) + 0.03 * squared
        return Tensors(damping, turn, correlator if noise else None)

    def grand_potential(self, moments: np.ndarray) -> float:
        return float("nan")


EPSILON = np.array([np.cross(np.eye(3), e) for e in np.eye(3)])


def dragged(equation: SlowEquation, frame: np.ndarray, m: np.ndarray) -> np.ndarray:
    """A = Q + Gamma of one moment between the vectors of a frame normal to it, (2, 2): (M x)/p + lambda/p + tensors."""
    assert equation.electrons is not None
    found = equation.electrons.tensors(equation.electrons.adiabatic(m[None, None], True), True, True)
    p, damping = equation.precession[0], equation.magnet.damping[0]
    own = np.array([[b @ np.cross(m, c) for c in frame] for b in frame]) / p + damping / p * np.eye(2)
    return own + frame @ (found.friction + found.geometric)[0] @ frame.T


def test_spurious_drift_is_that_of_small_mass() -> None:
    """S_i = dR_ij/dM_l J_jl with A J + J A^T = Sigma: derivatives along geodesics in frames that are carried along, J
    by the linear system of its four entries. The estimate is bilinear in W: its mean is the sum over a basis.
    """
    magnet, kT = Magnet([[0.0, 0.0, 1.0]], 0.3, 0.1), 0.015
    equation = SlowEquation(magnet, Invented(np.ones(1)), noisy=True)
    for seed in range(4):
        m = np.random.default_rng(seed).normal(size=3)
        m /= np.linalg.norm(m)
        frame = np.linalg.svd(m[None])[2][1:]
        frame[1] = np.cross(m, frame[0])
        drag = dragged(equation, frame, m)
        start = equation.instant(0.0, m[None, None], noise=True)
        assert start.noise is not None
        sigma = frame @ start.noise[0] @ frame.T + 2 * kT * 0.1 / magnet.prefactor[0] * np.eye(2)
        both = np.kron(drag, np.eye(2)) + np.kron(np.eye(2), drag)
        kinetic = np.linalg.solve(both, sigma.ravel()).reshape(2, 2)
        assert np.abs(kinetic - np.trace(kinetic) / 2 * np.eye(2)).max() > 1e-4  # no temperature
        expected = np.zeros(2)
        for step in (0, 1):
            ways = []
            for angle in (1e-4, -1e-4):
                there = np.cos(angle) * m + np.sin(angle) * frame[step]
                carried = frame.copy()
                carried[step] = np.cos(angle) * frame[step] - np.sin(angle) * m
                ways.append(np.linalg.inv(dragged(equation, carried, there)))
            expected += (ways[0] - ways[1]) / 2e-4 @ kinetic[:, step]
        noise = Noise(equation, kT, 0)
        samples = [noise.spurious_drift(0.0, start, sign * e[None, None])[0, 0] for e in frame for sign in (1, -1)]
        found = 0.5 * np.sum(samples, axis=0)
        np.testing.assert_allclose(frame @ found, expected, atol=2e-5 * np.abs(expected).max())
        assert np.abs(expected).max() > 1e-4


@dataclass(frozen=True, eq=False)
class Outspoken:
    """Electrons in equilibrium that name their noise: what under bias is done with it must come to the same."""

    electrons: PoleTensors

    @property
    def j_sd(self) -> np.ndarray:
        return self.electrons.j_sd

    def adiabatic(self, moments: np.ndarray, geometric: bool) -> Adiabatic:
        return self.electrons.adiabatic(moments, geometric)

    def tensors(
        self, rest: Adiabatic, friction: bool, geometric: bool, speed: float | None = None, noise: bool = False
    ) -> Tensors:
        found = self.electrons.tensors(rest, friction, geometric, speed)
        return replace(found, noise=2 * self.electrons.kT * found.friction)

    def grand_potential(self, moments: np.ndarray) -> float:
        return self.electrons.grand_potential(moments)


def test_in_equilibrium_the_drift_is_that_of_the_boltzmann_density() -> None:
    system = OpenSystem(chain(2, 1.0, 1.0), [ChainLead(0), ChainLead(-1)], kT=0.05)
    electrons = PoleTensors(expand(system, 1e-6, 1e-8, tail_tolerance=1e-6), 1e-10)
    magnet = Magnet([[0, 0, 1.0], [0.8, 0, 0.6]], [1.0, 2.0], [0.0, 0.1])
    normal, kicks = np.random.default_rng(1).normal(size=(1, 2, 3)), []
    for each in (electrons, Outspoken(electrons)):
        noise = Noise(SlowEquation(magnet, each, noisy=True), 0.05, 7)
        start = noise.equation.instant(0.0, np.array(magnet.moments)[None], noise=True)
        kicks.append((noise.spurious_drift(0.0, start, normal), noise.kick(5, 0.0, start, 0.5)))
    for equilibrium, general in zip(*kicks, strict=True):
        np.testing.assert_allclose(general, equilibrium, atol=1e-9 * np.abs(equilibrium).max())


def inverted() -> OpenSystem:
    """The spin of the upper level is filled by its lead, that of the lower one emptied: a population inversion."""
    up, down = ([([1.0, 0.0], WideBandSpectrum(0.7))], [([0.0, 1.0], WideBandSpectrum(0.7))])
    leads = [Lead(up, chemical_potential=-0.8), Lead(down, chemical_potential=0.8)]
    return OpenSystem(chain(1, j_sd=0.8), leads, kT=0.02)


@pytest.mark.filterwarnings("ignore")
def test_negative_friction_is_named() -> None:
    """Without noise the first row that finds it warns; with noise, which has no limit there, the run stops."""
    system, m = inverted(), np.array([[0.28, 0.0, 0.96]])
    gain = ln.ResponseTensors(system, m).gaining_mode()
    assert gain is not None
    assert gain.eigenvalue < -0.1
    magnet = Magnet(m, 2.0, energies=Zeeman([0, 0, 10.0]))
    told = rf"friction of {gain.eigenvalue:.3g} eV fs for the motion of moments \[0\]"
    with pytest.warns(UserWarning, match=f"t = 0 fs: electrons under bias hand energy to the moments, {told}"):
        ln.simulate(system, magnet, t_end=1.0, electrons="adiabatic", rtol=1e-4)
    options = {"t_end": 1.0, "electrons": "adiabatic", "step": 0.5, "seed": 1, "rtol": 1e-4}
    with pytest.raises(IntegrationStopped, match=f"stopped at t = 0 fs: {told}.*; allowed with noise: friction and"):
        ln.simulate(system, magnet, **options)
    ln.simulate(system, replace(magnet, damping=1.0), temperature=0.02, **options)


@pytest.mark.filterwarnings("error")
def test_a_moment_without_electrons_or_damping_only_precesses() -> None:
    """Nothing damps it and no noise reaches it: it goes on as alone, beside one that the noise of the bias drives.

    Its friction is round-off of either sign: no warning of negative friction.
    """
    leads = [ChainLead(0, voltage=0.3), ChainLead(-1, voltage=-0.3)]
    system = OpenSystem(chain(2, 1.0, [0.5, 0.0]), leads, kT=0.03)
    magnet = Magnet([[0.6, 0.0, 0.8], [0.0, 0.6, 0.8]], 3.0, 0.0, Zeeman([0, 0, 100.0]))
    options = {"t_end": 5.0, "save_every": 5.0, "step": 0.2}
    noisy = ln.simulate(system, magnet, electrons="adiabatic", seed=1, **options).dataset.moments.values[-1]
    alone = ln.simulate(None, magnet, **options).dataset.moments.values[-1]
    np.testing.assert_allclose(noisy[1], alone[1], rtol=0, atol=1e-6)
    assert np.abs(noisy[0] - alone[0]).max() > 1e-3


def test_seeds_and_restarts_under_bias_give_the_same_bits() -> None:
    leads = [ChainLead(0, voltage=0.1), ChainLead(-1, voltage=-0.1)]
    system = OpenSystem(chain(2, 1.0, 0.7), leads, kT=0.03)
    magnet = Magnet([[1.0, 0, 0], [0, 1.0, 0]], 2.0, 0.01, Zeeman([0, 0, 20.0]))

    def run(seed: int) -> SlowSimulation:
        return SlowSimulation(system, magnet, t_end=10.0, save_every=2.0, step=1.0, seed=seed, rtol=1e-4)

    ends = []
    for seed in range(3):
        whole = np.array([row["moments"] for _, row in run(seed).rows()])
        first, second = run(seed), run(seed)
        rows = first.rows()
        for _ in range(3):
            next(rows)
        second.restore(first.checkpoint())
        np.testing.assert_array_equal([row["moments"] for _, row in second.rows()], whole[3:])
        ends.append(whole[-1].tobytes())
    assert len(set(ends)) == 3
