"""Thermal noise of slow moments: exact averages, the drift that makes them exact, and the random stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss

import llgnegf as ln
from llgnegf import ChainLead, Exchange, Magnet, OpenSystem, UniaxialAnisotropy, WideBandLead, Zeeman, chain
from llgnegf.equations.slow import SlowEquation
from llgnegf.integrators.heun import Noise, rotate
from llgnegf.poles.channels import expand
from llgnegf.response.fast_tensors import PoleTensors
from llgnegf.run.langevin import langevin_ensemble
from llgnegf.run.slow_simulation import SlowSimulation
from llgnegf.store.records import read_record, write_record
from llgnegf.units import MU_B


def mean_and_error(samples: np.ndarray) -> tuple[float, float]:
    """Mean of samples (T, copies) and its standard error; the copies are independent."""
    means = samples.mean(axis=0)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(means.size))


def langevin_function(x: float) -> float:
    return 1 / np.tanh(x) - 1 / x


@pytest.mark.parametrize("kT", [0.01, 0.015, 0.02, 0.03, 0.045])
def test_moment_with_electronic_friction_samples_the_langevin_function(kT: float) -> None:
    """One moment in a field, noise and friction from the electrons alone; <cos theta> = coth x - 1/x.

    The friction of a wide-band site with Gamma' = J is hbar/2 pi: lambda = 0.32, relaxation within 10^2 fs.
    """
    field = 600.0
    system = OpenSystem(chain(1, j_sd=1.0), [WideBandLead(0, 2.0)], kT=kT)
    magnet = Magnet([[1.0, 0.0, 0.0]], 1.0, energies=Zeeman([0, 0, field]))
    run = langevin_ensemble(
        system, magnet, temperature=kT, t_end=400.0, step=0.8, save_every=8.0, copies=60, seed=11, rtol=1e-3
    )
    mean, error = mean_and_error(run.moments[15:, :, 0, 2])
    assert error < 0.025
    assert abs(mean - langevin_function(MU_B * field / kT)) < 3 * error


def test_two_moments_of_different_size_sample_their_exact_energy() -> None:
    """H = -J M_1.M_2 for classical unit vectors: <M_1.M_2> = coth(J/kT) - kT/J, and the moments' sizes drop out."""
    kT, j = 0.02, 0.03
    magnet = Magnet([[1.0, 0, 0], [0, 1.0, 0]], [1.0, 3.0], [0.3, 0.2], Exchange(j))
    run = langevin_ensemble(None, magnet, temperature=kT, t_end=800.0, step=0.8, save_every=16.0, copies=300, seed=5)
    energy = -j * np.einsum("tba,tba->tb", run.moments[10:, :, 0], run.moments[10:, :, 1])
    mean, error = mean_and_error(energy)
    parallel = magnet.energy.energy(np.array([[0, 0, 1.0], [0, 0, 1.0]]))
    assert parallel == pytest.approx(-j)
    assert error < 0.02 * j
    assert abs(mean + j * langevin_function(j / kT)) < 3 * error


def test_anisotropy_and_cubic_terms_are_sampled_by_many_copies_at_once() -> None:
    """<M_z^2> under exp(K M_z^2/kT) by quadrature."""
    kT, k = 0.02, 0.03
    magnet = Magnet([[0.6, 0.0, 0.8]], 2.0, 0.5, UniaxialAnisotropy(k, "z"))
    run = langevin_ensemble(None, magnet, temperature=kT, t_end=800.0, step=0.8, save_every=16.0, copies=300, seed=8)
    mean, error = mean_and_error(run.moments[10:, :, 0, 2] ** 2)
    u, w = leggauss(40)
    energy = np.array([magnet.energy.energy(np.array([[np.sqrt(1 - x * x), 0, x]])) for x in u])
    weight = w * np.exp(-energy / kT)
    assert abs(mean - np.sum(weight * u**2) / weight.sum()) < 3 * error


class Pair:
    """Two moments on an open chain: friction and geometric tensor depend on the angle between them."""

    kT = 0.05

    def __init__(self) -> None:
        system = OpenSystem(chain(2, 1.0, 1.0), [ChainLead(0), ChainLead(-1)], kT=self.kT)
        self.electrons = PoleTensors(expand(system, 1e-6, 1e-8, tail_tolerance=1e-6), 1e-10)
        self.magnet = Magnet([[0, 0, 1.0], [1.0, 0, 0]], [1.0, 2.0])
        self.equation = SlowEquation(self.magnet, self.electrons, noisy=True)

    def at(self, cosine: float) -> np.ndarray:
        return np.array([[0, 0, 1.0], [np.sqrt(1 - cosine**2), 0, cosine]])

    def tangents(self, moments: np.ndarray) -> np.ndarray:
        """Four orthonormal tangent vectors, (4, 2, 3)."""
        basis = []
        for i, m in enumerate(moments):
            for e in np.linalg.svd(m[None])[2][1:]:
                vector = np.zeros((2, 3))
                vector[i] = e
                basis.append(vector)
        return np.array(basis)

    def generator(self, moments: np.ndarray, spurious: bool) -> float:
        """L c for c = M_1.M_2: Ito drift times gradient plus kT R_s : Hessian along geodesics."""
        basis = self.tangents(moments)
        start = self.equation.instant(0.0, moments[None])
        drift = start.velocity[0]
        if spurious:
            noise = Noise(self.equation, self.kT, 0)
            # The estimate is bilinear in W: its mean over normal W is the sum over an orthonormal basis.
            both = [noise.spurious_drift(0.0, start, sign * e[None])[0] for e in basis for sign in (1, -1)]
            drift = drift + 0.5 * sum(both)
        # A step turns the moments: of drift and gradient the tangential parts count.
        cosine = float(moments[0] @ moments[1])
        gradient = moments[::-1] - cosine * moments
        mobility = np.array([[np.sum(a * start.answer(b[None])[0]) for b in basis] for a in basis])
        hessian = np.zeros((4, 4))
        for k, a in enumerate(basis):
            for n, b in enumerate(basis):
                # Second derivatives along geodesics: cross terms e_1.e_2, and -c on each sphere.
                crossed = a[0] @ b[1] + a[1] @ b[0]
                same = a[0] @ b[0] + a[1] @ b[1]
                hessian[k, n] = crossed - cosine * same
        return float(np.sum(gradient * drift) + self.kT * np.sum(mobility * hessian))

    def stationarity(self, spurious: bool) -> float:
        """<L c> under exp(-F/kT), relative to <|L c|>; 0 if that is the stationary density."""
        cosines, weights = leggauss(24)
        energy = np.array([self.electrons.grand_potential(self.at(x)) for x in cosines])
        weights = weights * np.exp(-(energy - energy.min()) / self.kT)
        values = np.array([self.generator(self.at(x), spurious) for x in cosines])
        return float(np.sum(weights * values) / np.sum(weights * np.abs(values)))


def test_spurious_drift_makes_the_boltzmann_density_stationary() -> None:
    """F, friction and geometric tensor depend on the angle; <L c> = 0 holds with kT div R and fails without it."""
    pair = Pair()
    # The finite difference has an error of delta^2 = 1e-6, the quadrature much less.
    assert abs(pair.stationarity(spurious=True)) < 1e-4
    assert abs(pair.stationarity(spurious=False)) > 0.05


def test_noise_has_the_friction_as_its_covariance() -> None:
    pair = Pair()
    moments = np.repeat(pair.at(0.3)[None], 20000, axis=0)
    one = pair.equation.instant(0.0, moments[:1])
    normal = np.random.default_rng(0).standard_normal(moments.shape)
    noise = Noise(pair.equation, pair.kT, 0).correlated(one, normal).reshape(-1, 6)
    assert one.tensors is not None
    expected = one.tensors.friction[0]
    spread = np.sqrt(np.outer(np.diag(expected), np.diag(expected)) + expected**2) / np.sqrt(20000)
    assert np.all(np.abs(noise.T @ noise / 20000 - expected) < 4.5 * spread)


def test_ten_seeds_reproduce_bit_for_bit_and_differ() -> None:
    system = OpenSystem(chain(2, 1.0, 0.7), [ChainLead(0), ChainLead(-1)], kT=0.03)
    magnet = Magnet([[1.0, 0, 0], [0, 1.0, 0]], 2.0, 0.01, Zeeman([0, 0, 20.0]))

    def end(seed: int) -> np.ndarray:
        run = SlowSimulation(
            system, magnet, t_end=10.0, save_every=5.0, step=1.0, temperature=0.03, seed=seed, rtol=1e-4
        )
        return np.array([row["moments"] for _, row in run.rows()])

    runs = [end(seed) for seed in range(10)]
    for seed, run in enumerate(runs):
        np.testing.assert_array_equal(end(seed), run)
    assert len({run[-1].tobytes() for run in runs}) == 10


@pytest.mark.parametrize("electrons", [True, False])
def test_restart_keeps_the_random_stream(electrons: bool) -> None:
    system = OpenSystem(chain(1, j_sd=0.7), [ChainLead(0)], kT=0.03) if electrons else None
    magnet = Magnet([[1.0, 0, 0]], 2.0, 0.02, Zeeman([0, 0, 20.0]))

    def new() -> SlowSimulation:
        return SlowSimulation(system, magnet, t_end=60.0, save_every=7.0, step=0.5, temperature=0.03, seed=4, rtol=1e-4)

    whole = np.array([row["moments"] for _, row in new().rows()])
    first = new()
    rows = first.rows()
    for _ in range(4):
        next(rows)
    second = new()
    second.restore(first.checkpoint())
    np.testing.assert_array_equal(np.array([row["moments"] for _, row in second.rows()]), whole[4:])


def test_pinned_moments_feel_no_noise_and_lengths_stay() -> None:
    magnet = Magnet([[1.0, 0, 0], [0, 1.0, 0]], 1.0, 0.3, Exchange(0.01), pinned=[1])
    run = langevin_ensemble(None, magnet, temperature=0.02, t_end=50.0, step=0.5, save_every=5.0, copies=3, seed=1)
    assert np.all(run.moments[:, :, 1] == np.array([0, 1.0, 0]))
    assert np.abs(np.linalg.norm(run.moments, axis=-1) - 1).max() < 1e-14
    assert np.abs(run.moments[-1, :, 0] - [1.0, 0, 0]).max() > 0.1


def test_rotation_is_rodrigues_formula() -> None:
    rng = np.random.default_rng(0)
    for angle in (0.0, 1e-9, 0.3, 3.0):
        axis, m = rng.normal(size=(2, 3))
        axis, m = axis / np.linalg.norm(axis), m / np.linalg.norm(m)
        along = axis * (axis @ m)
        expected = along + np.cos(angle) * (m - along) + np.sin(angle) * np.cross(axis, m)
        np.testing.assert_allclose(rotate(angle * axis, m), expected, atol=1e-14)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature: -0.1"),
        ({"temperature": 0.1, "seed": 1}, "step: None"),
        ({"temperature": 0.1, "step": 1.0}, "seed: None"),
        ({"temperature": 0.1, "step": 1.0, "seed": 1.5}, "seed: 1.5"),
    ],
)
def test_bad_noise_is_refused(options: dict, message: str) -> None:
    magnet = Magnet([[1.0, 0, 0]], 1.0, 0.1, Zeeman([0, 0, 1.0]))
    with pytest.raises(ValueError, match=message):
        SlowSimulation(None, magnet, t_end=10.0, **options)


def test_noise_needs_its_friction_and_its_temperature() -> None:
    undamped = Magnet([[1.0, 0, 0]], 1.0, 0.0, Zeeman([0, 0, 1.0]))
    noise = {"t_end": 10.0, "step": 1.0, "seed": 1}
    with pytest.raises(ValueError, match="without damping or friction"):
        SlowSimulation(None, undamped, temperature=0.1, **noise)
    system = OpenSystem(chain(1, j_sd=0.5), [ChainLead(0)], kT=0.02)
    with pytest.raises(ValueError, match="without damping or friction"):
        SlowSimulation(system, undamped, temperature=0.02, response=("geometric",), **noise)
    with pytest.raises(ValueError, match="temperature: 0.1; allowed: system.kT = 0.02"):
        SlowSimulation(system, undamped, temperature=0.1, **noise)


@pytest.mark.parametrize("step", [None, 0.5])
def test_checkpoint_survives_the_disk(tmp_path: Path, step: float | None) -> None:
    magnet = Magnet([[1.0, 0, 0]], 2.0, 0.1, Zeeman([0, 0, 20.0]))
    noise = {} if step is None else {"temperature": 0.02, "seed": 2**40 + 1}

    def new() -> SlowSimulation:
        return SlowSimulation(None, magnet, t_end=40.0, save_every=3.0, step=step, **noise)

    whole = [row["moments"] for _, row in new().rows()]
    first = new()
    rows = first.rows()
    for _ in range(5):
        next(rows)
    write_record(tmp_path / "checkpoint", first.checkpoint())
    second = new()
    second.restore(read_record(tmp_path / "checkpoint"))
    np.testing.assert_array_equal([row["moments"] for _, row in second.rows()], whole[5:])


def test_the_path_of_a_seed_is_one_of_the_problem_and_not_of_round_off() -> None:
    """Finer tensors change a path by what they differ, until the moments' own chaos has its way: noise is a continuous
    function of the friction."""
    magnet = Magnet(
        ln.bloch_wall(4, 2.5, 1.2), damping=0.05, magnetic_moment=1.0,
        energies=[Exchange(0.05), UniaxialAnisotropy(0.02, "x")],
    )  # fmt: skip
    system = OpenSystem(chain(4, j_sd=0.3), [ChainLead(0), ChainLead(-1)], kT=0.03)
    paths = [
        ln.simulate(
            system, magnet, t_end=5.0, electrons="adiabatic", step=0.5, temperature=0.03, seed=3, rtol=rtol
        ).dataset.moments.values
        for rtol in (1e-4, 1e-7)
    ]  # fmt: skip
    assert np.abs(paths[0] - paths[1]).max() < 1e-2 < np.abs(paths[0] - paths[0][0]).max()
