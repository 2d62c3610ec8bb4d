"""Minimax Fermi poles against the exact Fermi function, the alternation theorem and prototype counts."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.special import expit

from llgnegf.poles import fermi
from llgnegf.poles.fermi import FermiPoles, check_temperature, fermi_poles

ROUND_OFF = 1e-14  # of the evaluation below: some fifty terms of at most 1, each good to a few 2e-16

x_maxima = st.floats(math.log(0.5), math.log(1e9)).map(math.exp)
tolerances = st.floats(math.log(1e-10), math.log(1e-2)).map(math.exp)


def error_at(poles: FermiPoles, x: np.ndarray) -> np.ndarray:
    """Summed term by term from the definition minus the exact function 1/(1 + e^x)."""
    rational = np.full(x.shape, 0.5, dtype=complex)
    for eta, residue in zip(poles.eta, poles.residues, strict=True):
        rational -= residue / (x + 1j * eta) + residue / (x - 1j * eta)
    return rational.real - expit(-x)


def signed_extrema(poles: FermiPoles) -> np.ndarray:
    """Largest error, with its sign, of every run of equal sign on (0, x_max]."""
    m = len(poles.eta)
    grid = np.unique(
        np.concatenate(
            [
                np.geomspace(1e-2, poles.x_max, 4000 * m),
                np.linspace(0.0, min(50.0, poles.x_max), 20001)[1:],
                poles.x_max * np.cos(np.linspace(0.0, 1.5, 20001)),
            ]
        )
    )
    e = error_at(poles, np.minimum(grid, poles.x_max))
    runs = [list(run) for _, run in itertools.groupby(e, key=lambda value: value > 0)]
    return np.array([max(run, key=abs) for run in runs])


@settings(max_examples=25, deadline=None)
@given(x_max=x_maxima, tolerance=tolerances, seed=st.integers(0, 2**32 - 1))
@example(x_max=250.0, tolerance=1e-12, seed=0)
@example(x_max=4e5, tolerance=1e-12, seed=1)
@example(x_max=1e9, tolerance=1e-8, seed=2)
def test_error_is_certified_at_random_points(x_max, tolerance, seed):
    poles = fermi_poles(x_max, tolerance)
    assert poles.error <= tolerance
    assert poles.residues.min() > 0.0
    assert poles.eta[0] > 0.0
    assert np.all(np.diff(poles.eta) > 0.0)
    rng = np.random.default_rng(seed)
    logarithmic = np.exp(rng.uniform(math.log(1e-3), math.log(x_max), 3000))
    x = np.concatenate([rng.uniform(-x_max, x_max, 3000), logarithmic, [x_max, -x_max, 0.0]])
    assert np.abs(error_at(poles, x)).max() <= poles.error + ROUND_OFF


@pytest.mark.parametrize(
    ("x_max", "tolerance"),
    [(5.0, 1e-7), (20.0, 1e-4), (250.0, 1e-8), (2500.0, 1e-7), (25000.0, 1e-9), (1e6, 1e-6)],
)
def test_error_alternates_so_the_approximation_is_the_best_one(x_max, tolerance):
    # A rational function with 2M free coefficients is the best approximation if and only if its error takes
    # its largest size at 2M + 1 points with alternating sign (Chebyshev).
    poles = fermi_poles(x_max, tolerance)
    extrema = signed_extrema(poles)
    assert len(extrema) == 2 * len(poles.eta) + 1
    assert np.all(np.sign(extrema[1:]) == -np.sign(extrema[:-1]))
    # Levelled to 1e-3, certified with another 1e-3 and round-off on top.
    assert np.abs(extrema).min() >= (1.0 - 3e-3) * poles.error - 2 * ROUND_OFF
    assert np.abs(extrema).max() <= poles.error + ROUND_OFF


@pytest.mark.parametrize("x_max", [5.0, 250.0, 25000.0])
def test_fewer_poles_are_not_enough(x_max):
    # Just below the error of M poles the answer has M + 1, just above it has M again: no count is skipped,
    # the error falls with M, and no walk towards a tolerance stops at a larger count than needed.
    tolerance, previous = 0.05, None
    while tolerance > 1e-10:
        poles = fermi_poles(x_max, tolerance)
        if previous is not None:
            assert len(poles.eta) == len(previous.eta) + 1
            assert poles.error < previous.error
            assert len(fermi_poles(x_max, previous.error * 1.0001).eta) == len(previous.eta)
        previous, tolerance = poles, poles.error * 0.999


def test_one_pole_by_brute_force():
    # M = 1: sup error over (eta, R) by a direct search; the minimax is lower, but not by more than the mesh.
    x = np.linspace(0.0, 5.0, 2001)
    exact = np.tanh(x / 2) / 2
    eta, residue = np.meshgrid(np.linspace(3.5, 5.0, 151), np.linspace(1.5, 2.6, 151), indexing="ij")
    best = min(
        float(np.abs(2 * x * r / (x * x + e * e) - exact).max())
        for e, r in zip(eta.ravel(), residue.ravel(), strict=True)
    )
    poles = fermi_poles(5.0, 0.02)
    assert len(poles.eta) == 1
    assert poles.error <= best * 1.002
    # Moving R by half a mesh width, 0.004, moves the error by at most 0.004 max 2x/(x^2 + eta^2) < 0.004/3.5,
    # and eta by 0.005 at most 0.005 max 4 x eta R/(x^2 + eta^2)^2 < 0.005 * 1.3 * 2.6/3.5^2.
    assert poles.error >= best - 0.004 / 3.5 - 0.005 * 1.3 * 2.6 / 3.5**2


def test_more_poles_approach_the_matsubara_poles():
    # tanh(x/2)/2 = sum_k 2x/(x^2 + (2k-1)^2 pi^2) is the limit of many poles; the lowest come first.
    results = [fermi_poles(20.0, tolerance) for tolerance in (5e-3, 1e-4, 1e-6, 1e-8, 1e-11)]
    assert [len(p.eta) for p in results] == [2, 3, 4, 5, 6]
    for m in (0, 1):
        shifts = [abs(p.eta[m] - (2 * m + 1) * math.pi) for p in results]
        weights = [abs(p.residues[m] - 1.0) for p in results]
        assert shifts == sorted(shifts, reverse=True)
        assert weights == sorted(weights, reverse=True)
        assert shifts[-1] < 1e-3 * shifts[0]
        assert weights[-1] < 1e-3 * weights[0]


@pytest.mark.parametrize(
    ("x_max", "tolerance", "count"),
    [
        (250.0, 3.5e-7, 8),
        (250.0, 2.5e-9, 10),
        (250.0, 3.5e-11, 12),
        (2500.0, 1.5e-4, 8),
        (2500.0, 5.5e-6, 10),
        (2500.0, 3.5e-7, 12),
        (25000.0, 2.5e-7, 16),
    ],
)
def test_counts_known_to_be_enough(x_max, tolerance, count):
    # Errors of unconstrained least-squares fits with so many poles, rounded up.
    assert len(fermi_poles(x_max, tolerance).eta) <= count


def test_poles_in_electron_volts_give_the_fermi_function():
    mu, kT, e_max = 0.3, 0.01, 4.0
    poles = fermi_poles(e_max / kT, 1e-9)
    z, r = poles.poles(mu, kT)
    energy = mu + np.linspace(-e_max, e_max, 4001)
    pairs = 1 / (energy[:, None] - z) + 1 / (energy[:, None] - z.conj())
    f = 0.5 - (pairs * r).sum(axis=1)
    assert np.abs(f.imag).max() < 1e-13
    assert np.abs(f.real - expit(-(energy - mu) / kT)).max() <= 1e-9 + ROUND_OFF
    np.testing.assert_allclose(poles.occupation((energy - mu) / kT), f.real, atol=1e-13)
    assert np.all(z.imag < 0.0)


def test_occupation_continues_to_complex_energies():
    poles = fermi_poles(100.0, 1e-12)
    x = np.array([[0.3 + 1.0j, -2.0 - 0.5j], [7.0 - 1.0j, 0.0 + 0.0j]])
    occupation = poles.occupation(x)
    assert occupation.shape == (2, 2)
    # Both functions are analytic for |Im x| < pi. Their difference is below 1e-12 on the real axis and, with
    # the pole at distance pi - 3, below 20 at |Im x| = 3. By the three-lines theorem it is below
    # (1e-12)^(2/3) 20^(1/3) at |Im x| = 1.
    np.testing.assert_allclose(occupation, 1 / (1 + np.exp(x)), rtol=0.0, atol=3e-8)
    assert np.isrealobj(poles.occupation(0.7))
    # f(x) + f(-x) = 1 and f(x^*) = f(x)^* hold for the rational function exactly.
    np.testing.assert_allclose(occupation + poles.occupation(-x), 1.0, atol=1e-14)
    np.testing.assert_allclose(poles.occupation(x.conj()), occupation.conj(), atol=1e-15)


@pytest.mark.parametrize(
    ("x_max", "tolerance"), [(250.0, 1e-8), (2500.0, 1e-7), (25000.0, 1e-7), (25000.0, 1e-9)]
)
@pytest.mark.parametrize(("farthest", "extra"), [(10.0, 0), (4.0, 1), (3.0, 1)])
def test_cap_on_the_farthest_pole(x_max, tolerance, farthest, extra):
    free, capped = fermi_poles(x_max, tolerance), fermi_poles(x_max, tolerance, farthest)
    assert capped.eta[-1] <= farthest * x_max * (1 + 1e-12)
    assert capped.error <= tolerance
    assert len(free.eta) <= len(capped.eta) <= len(free.eta) + extra
    x = np.exp(np.random.default_rng(3).uniform(-3.0, math.log(x_max), 20000))
    assert np.abs(error_at(capped, np.append(x, x_max))).max() <= capped.error + 10 * ROUND_OFF
    if free.eta[-1] <= farthest * x_max:
        assert capped is free


def test_capped_poles_with_positive_residues_are_limited():
    # Best approximation by any positive combination of poles up to 2 x_max, as a linear programme: the reason
    # why an active cap needs residues of either sign.
    x_max = 50.0
    x = x_max * np.sin(np.linspace(0.0, math.pi / 2, 301)[1:])
    eta = np.unique(np.r_[math.pi * np.arange(1, 16, 2), np.geomspace(20.0, 2 * x_max, 150)])
    basis, exact = 2 * x[:, None] * eta / (x[:, None] ** 2 + eta**2), np.tanh(x / 2) / 2
    level = np.full((len(x), 1), 1e-3)
    programme = linprog(
        np.r_[np.zeros(len(eta)), 1.0],
        A_ub=np.block([[basis, -level], [-basis, -level]]),
        b_ub=np.r_[exact, -exact],
    )
    reachable = programme.fun * 1e-3
    assert reachable > 1e-5
    capped = fermi_poles(x_max, 1e-6, 2.0)
    assert capped.error <= 1e-6
    assert capped.residues.min() < 0.0
    assert capped.residues[capped.eta < 0.3 * capped.eta[-1]].min() > 0.0


def test_results_are_shared_read_only_and_quick():
    start = time.perf_counter()
    first = fermi_poles(31234.5, 1e-8)
    assert time.perf_counter() - start < 2.0  # 0.05 s on an idle core
    assert fermi_poles(31234.5, 1e-8) is first
    with pytest.raises(ValueError, match="read-only"):
        first.eta[0] = 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 1e-6), r"x_max: -1 is outside .* allowed: 0 < E_max/kT <= 1e\+09"),
        ((math.nan, 1e-6), "x_max: nan"),
        ((1e12, 1e-6), r"x_max: 1e\+12"),
        ((100.0, 0.0), "tolerance: 0 is outside .* allowed: 1e-13 ... 0.1"),
        ((100.0, 1e-15), "tolerance: 1e-15"),
        ((100.0, math.nan), "tolerance: nan"),
        ((100.0, 1e-6, 0.5), "farthest: 0.5 is not allowed; allowed: None or a number >= 1"),
        ((100.0, 1e-6, math.inf), "farthest: inf"),
        ((250.0, 1e-9, 1.0), r"farthest: 1 .*x_max = 250.*tolerance 1e-09; allowed: a larger farthest"),
    ],
)
def test_bad_requests_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        fermi_poles(*arguments)


def test_unreachable_tolerance_states_what_was_reached(monkeypatch):
    monkeypatch.setattr(fermi, "_MOST_POLES", 5)
    best = fermi_poles(12345.0, 0.02)
    assert len(best.eta) == 5
    with pytest.raises(ValueError, match=r"tolerance: 1e-09 at x_max = 12345 .*; allowed: a larger") as info:
        fermi_poles(12345.0, 1e-9)
    assert f"(reached: {best.error:.2g})" in str(info.value)


def test_temperature_check():
    assert check_temperature(0.01, 5.0) == pytest.approx(500.0)
    assert check_temperature(1e-4, 40.0) == pytest.approx(4e5)
    with pytest.raises(ValueError, match=r"kT: 0 is not allowed; .*expanded in poles"):
        check_temperature(0.0, 5.0)
    with pytest.raises(ValueError, match="kT: -0.1 is not allowed"):
        check_temperature(-0.1, 5.0)
    with pytest.raises(ValueError, match=r"kT: 1e-07 eV is too small: .*in poles.*use kT >= 5e-07 eV"):
        check_temperature(1e-7, 5.0)
    with pytest.raises(ValueError, match="spectral_range: -5"):
        check_temperature(0.1, -5.0)
    with pytest.raises(ValueError, match="kT: nan is not allowed"):
        fermi_poles(10.0, 1e-3).poles(0.0, math.nan)
