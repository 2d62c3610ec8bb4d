"""Energies of classical moments against plain loops, and fields against differences of the energy.

Differences are the five-point formula: it has no truncation error for a polynomial of degree four, which every
term is, so only round-off is left.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llgnegf.problem.magnetism.energies import (
    DMI,
    ClassicalEnergy,
    CubicAnisotropy,
    Dipolar,
    EnergySum,
    Exchange,
    PairExchange,
    UniaxialAnisotropy,
    Zeeman,
)
from llgnegf.units import MU_B

seeds = st.integers(0, 2**32 - 1)


def random_moments(rng: np.random.Generator, n_sites: int) -> np.ndarray:
    vectors = rng.normal(size=(n_sites, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_terms(rng: np.random.Generator, n: int) -> list:
    matrix = rng.normal(size=(n, n))
    matrix = matrix + matrix.T - 2 * np.diag(np.diag(matrix))
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    wave = rng.normal(size=(n, 3))
    return [
        Exchange(rng.normal(size=n - 1)),
        PairExchange(matrix),
        PairExchange([(n - 1, 0, rng.normal())]),
        UniaxialAnisotropy(rng.normal(size=n), rng.normal(size=(n, 3))),
        CubicAnisotropy(rng.normal(size=n), axes),
        CubicAnisotropy(rng.normal()),
        DMI(rng.normal(size=(n - 1, 3))),
        Dipolar(0.1, rng.normal(size=3)),  # so close that the energy is of order one like the others
        Zeeman(rng.normal(size=(n, 3)) / MU_B),
        Zeeman(lambda t: wave * np.cos(0.3 * t) / MU_B),
    ]


def brute_force(term, M: np.ndarray, mu: np.ndarray, t: float) -> float:
    """The formula of each docstring as loops over sites."""
    n = len(M)
    chain = range(n - 1)
    match term:
        case Exchange():
            return -sum(np.broadcast_to(term.J, n - 1)[i] * np.dot(M[i], M[i + 1]) for i in chain)
        case PairExchange(pairs=np.ndarray()):
            return -sum(term.pairs[i, j] * np.dot(M[i], M[j]) for i, j in itertools.combinations(range(n), 2))
        case PairExchange():
            return -sum(J * np.dot(M[i], M[j]) for i, j, J in term.pairs)
        case UniaxialAnisotropy():
            axis = np.broadcast_to(term.axis, (n, 3))
            return -sum(np.broadcast_to(term.K, n)[i] * np.dot(M[i], axis[i]) ** 2 for i in range(n))
        case CubicAnisotropy():
            squares = [[np.dot(axis, M[i]) ** 2 for axis in term.axes] for i in range(n)]
            return sum(
                np.broadcast_to(term.K1, n)[i] * (x * y + y * z + z * x) for i, (x, y, z) in enumerate(squares)
            )
        case DMI():
            return -sum(np.dot(np.broadcast_to(term.D, (n - 1, 3))[i], np.cross(M[i], M[i + 1])) for i in chain)
        case Dipolar():
            # mu_0 mu_B^2/(4 pi) = 1e-7 (9.2740100783e-24)^2 J m^3 in eV angstrom^3
            scale = 1.00000000055e-7 * 9.2740100783e-24**2 / 1.602176634e-19 * 1e30
            total = 0.0
            for i, j in itertools.combinations(range(n), 2):
                along = np.dot(M[i], term.direction) * np.dot(M[j], term.direction)
                total += scale * mu[i] * mu[j] * (np.dot(M[i], M[j]) - 3 * along) / ((j - i) * term.spacing) ** 3
            return total
        case Zeeman():
            B = np.broadcast_to(term.B(t) if callable(term.B) else term.B, (n, 3))
            return -sum(MU_B * mu[i] * np.dot(B[i], M[i]) for i in range(n))
    raise AssertionError(term)


def difference_field(energy, M: np.ndarray, mu: np.ndarray, h: float = 0.05) -> np.ndarray:
    field = np.empty_like(M)
    for i, a in np.ndindex(M.shape):
        step = np.zeros_like(M)
        step[i, a] = h
        slope = (8 * (energy(M + step) - energy(M - step)) - energy(M + 2 * step) + energy(M - 2 * step)) / (12 * h)
        field[i, a] = -slope / (MU_B * mu[i])
    return field


@settings(max_examples=15, deadline=None)
@given(seed=seeds, n=st.integers(2, 5), t=st.floats(-5, 5))
def test_energy_is_the_formula_and_field_is_its_slope(seed: int, n: int, t: float) -> None:
    rng = np.random.default_rng(seed)
    M, mu = random_moments(rng, n), rng.uniform(0.5, 4, n)
    for term in random_terms(rng, n):
        want = brute_force(term, M, mu, t)
        scale = max(1.0, np.abs(term.gradient(M, mu, t)).max())
        # 1e-8: the Bohr magneton in eV/T and that in J/T are rounded to 11 digits; others agree to round-off
        tolerance = 1e-8 if isinstance(term, Dipolar) else 1e-13
        assert abs(term.energy(M, mu, t) - want) < tolerance * n**2 * scale
        field = difference_field(lambda m, term=term: term.energy(m, mu, t), M, mu)
        assert np.abs(term.field(M, mu, t) - field).max() < 1e-11 * scale / (MU_B * mu.min())


@settings(max_examples=15, deadline=None)
@given(seed=seeds, n=st.integers(2, 5), t=st.floats(-5, 5))
def test_total_is_the_sum_of_its_terms(seed: int, n: int, t: float) -> None:
    rng = np.random.default_rng(seed)
    M, mu = random_moments(rng, n), rng.uniform(0.5, 4, n)
    terms = random_terms(rng, n)
    total = ClassicalEnergy(terms, n, mu)
    scale = np.abs(total.gradient(M, t)).max() + sum(abs(term.energy(M, mu, t)) for term in terms)
    assert total.energy(M, t) == pytest.approx(sum(term.energy(M, mu, t) for term in terms), abs=1e-13 * scale)
    assert sum(total.by_term(M, t).values()) == pytest.approx(total.energy(M, t), abs=1e-13 * scale)
    field = sum(term.field(M, mu, t) for term in terms)
    np.testing.assert_allclose(total.field(M, t), field, rtol=0, atol=1e-13 * scale / (MU_B * mu.min()))
    np.testing.assert_allclose(total.field(M, t), -total.gradient(M, t) / (MU_B * mu[:, None]), rtol=1e-14)
    # and H = 1/2 M.A.M - b.M + cubic part with the arrays that the kernel gets; A symmetric
    assert abs(total.matrix - total.matrix.T).max() < 1e-14 * scale
    rest = ClassicalEnergy([x for x in terms if isinstance(x, CubicAnisotropy)], n, mu).energy(M)
    quadratic = 0.5 * M.ravel() @ (total.matrix @ M.ravel()) - np.sum(total.linear(t) * M)
    assert quadratic + rest == pytest.approx(total.energy(M, t), abs=1e-13 * scale)


def test_terms_add_up_to_a_sum() -> None:
    J, K, B = Exchange(0.1), UniaxialAnisotropy(0.02, "z"), Zeeman([0, 0, 10.0])
    total = J + K + B
    assert isinstance(total, EnergySum)
    assert list(total) == [J, K, B]
    assert list(J + (K + B)) == [J, K, B]
    assert len(total) == 3
    assert total[1] is K
    assert list(total[1:]) == [K, B]
    M = np.tile([0.0, 0, 1], (3, 1))
    energy = ClassicalEnergy(total + B, 3, 2.0)
    # two bonds, three sites, moments of 2 mu_B along the field of two terms
    want = {"exchange": -0.2, "uniaxial_anisotropy": -0.06, "zeeman": -60 * MU_B, "zeeman_2": -60 * MU_B}
    assert energy.by_term(M) == pytest.approx(want, rel=1e-14)
    assert energy.is_static
    assert ClassicalEnergy([], 3, 2.0).energy(M) == 0
    np.testing.assert_array_equal(ClassicalEnergy([], 3, 2.0).field(M), 0)


def test_per_site_values_are_the_broadcast_number() -> None:
    rng = np.random.default_rng(1)
    M = random_moments(rng, 4)
    pairs = [
        (Exchange(0.3), Exchange([0.3] * 3)),
        (Exchange(0.3), PairExchange([(0, 1, 0.3), (2, 1, 0.3), (2, 3, 0.3)])),
        (PairExchange([(0, 3, 0.2)]), PairExchange(0.2 * np.fliplr(np.diag([1.0, 0, 0, 1])))),
        (UniaxialAnisotropy(0.3, [0, 0, 7.0]), UniaxialAnisotropy([0.3] * 4, [[0, 0, 1]] * 4)),
        (DMI([0, 0.2, 0]), DMI(0.2, axis="y")),
        (DMI([0, 0.2, 0]), DMI([0.2] * 3, axis="y")),
        (CubicAnisotropy(0.3), CubicAnisotropy([0.3] * 4, np.eye(3)[[2, 0, 1]])),
        (Zeeman([1, 2, 3.0]), Zeeman([[1, 2, 3.0]] * 4)),
        (Zeeman([1, 2, 3.0]), Zeeman(lambda t: [1, 2, 3.0])),
    ]
    for one, other in pairs:
        np.testing.assert_allclose(one.field(M, 2.0), other.field(M, [2.0] * 4), rtol=1e-13, atol=1e-9)
        assert one.energy(M, 2.0) == pytest.approx(other.energy(M, 2.0), rel=1e-13)


def test_cubic_anisotropy_of_the_three_symmetry_directions() -> None:
    direction = {0.0: [1, 0, 0], 1 / 4: [1, 1, 0], 1 / 3: [1, 1, 1]}
    for energy, vector in direction.items():
        M = np.array([vector]) / np.linalg.norm(vector)
        assert CubicAnisotropy(0.2).energy(M, 1.0) == pytest.approx(0.2 * energy, abs=1e-16)
        # no torque along a symmetry direction
        assert np.abs(np.cross(M, CubicAnisotropy(0.2).gradient(M, 1.0))).max() < 1e-16


@pytest.mark.parametrize("sign", [1, -1])
def test_dmi_winds_counter_clockwise_about_d(sign: int) -> None:
    """E = -(n-1) (J cos q + D sin q) for a spiral of pitch q about D: stationary and lowest at q = atan(D/J)."""
    n, J, D = 6, 0.1, sign * 0.04
    energy = ClassicalEnergy(Exchange(J) + DMI([0, 0, D]), n, 1.0)

    def spiral(q: float) -> np.ndarray:
        return np.stack([np.cos(q * np.arange(n)), np.sin(q * np.arange(n)), np.zeros(n)], axis=1)

    best = np.arctan2(D, J)
    assert energy.energy(spiral(best)) == pytest.approx(-(n - 1) * np.hypot(J, D), rel=1e-14)
    assert energy.energy(spiral(0.3)) == pytest.approx(-(n - 1) * (J * np.cos(0.3) + D * np.sin(0.3)), rel=1e-13)
    # each site is at rest, the ends too: each bond is at its own minimum
    assert np.abs(np.cross(spiral(best), energy.gradient(spiral(best)))).max() < 1e-16
    assert energy.energy(spiral(best)) < energy.energy(spiral(-best))


def test_dipolar_pair() -> None:
    """Two moments of 1 and 2 mu_B, 3 angstrom apart: 2 (mu_0/4 pi) mu_B^2/27 times 1 side by side, -2 in line."""
    unit = 2 * 1e-7 * 9.2740100783e-24**2 / (3e-10) ** 3 / 1.602176634e-19
    dipolar, mu = Dipolar(3.0, "x"), [1.0, 2.0]
    assert dipolar.energy([[0, 0, 1], [0, 0, 1]], mu) == pytest.approx(unit, rel=1e-8)
    assert dipolar.energy([[1, 0, 0], [1, 0, 0]], mu) == pytest.approx(-2 * unit, rel=1e-8)
    assert dipolar.energy([[1, 0, 0], [0, 0, 1]], mu) == 0
    # field of a dipole on its axis: (mu_0/4 pi) 2 mu/r^3
    field = dipolar.field([[1, 0, 0], [0, 1, 0]], mu)
    assert field[1] == pytest.approx([2e-7 * 9.2740100783e-24 / (3e-10) ** 3, 0, 0], rel=1e-8)


def test_power_of_a_driven_field() -> None:
    """dH/dt = -mu dB/dt.M at fixed M."""
    M, w, amplitude = np.array([[0.6, 0, 0.8]]), 0.4, np.array([3.0, 0, 5.0])
    field, rate = (lambda t: amplitude * np.sin(w * t)), (lambda t: w * amplitude * np.cos(w * t))
    want = -2 * MU_B * w * np.cos(w * 1.3) * (3 * 0.6 + 5 * 0.8)
    given_rate = ClassicalEnergy([Zeeman(field, rate), Zeeman([0, 0, 1.0])], 1, 2.0)
    assert given_rate.power(M, 1.3) == pytest.approx(want, rel=1e-14)
    # error of the parabola through three values h = 1e-4 fs apart: h^2 w^3/6 relative to w, plus round-off eps/(w h)
    bound = (1e-4 * w) ** 2 / 6 + 5 * np.finfo(float).eps / (w * 1e-4)
    assert ClassicalEnergy([Zeeman(field)], 1, 2.0).power(M, 1.3) == pytest.approx(want, rel=2 * bound)
    assert not given_rate.is_static
    assert ClassicalEnergy([Zeeman([0, 0, 1.0])], 1, 2.0).power(M) == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Exchange("strong"), "Exchange.J: 'strong'"),
        (lambda: Exchange(np.nan), "Exchange.J: nan"),
        (lambda: UniaxialAnisotropy(0.1, [0, 0, 0]), "UniaxialAnisotropy.axis"),
        (lambda: UniaxialAnisotropy(0.1, [[0, 0, 1], [0, 0, 0]]), "UniaxialAnisotropy.axis"),
        (lambda: UniaxialAnisotropy("a", "b"), "UniaxialAnisotropy.K.*\n.*UniaxialAnisotropy.axis"),
        (lambda: CubicAnisotropy(0.1, np.ones((3, 3))), "CubicAnisotropy.axes"),
        (lambda: DMI([0, 0, 0]), "DMI.D: .*not zero"),
        (lambda: DMI(0.0, axis="z"), "DMI.D: .*not zero"),
        (lambda: DMI(0.1), "DMI.D"),
        (lambda: Dipolar(-1, "z"), "Dipolar.spacing: -1"),
        (lambda: Dipolar(3, "w"), "Dipolar.direction: 'w'"),
        (lambda: Zeeman(3.0), "Zeeman.B"),
        (lambda: Zeeman([0, 0, 1], rate=lambda t: [0, 0, 0]), "Zeeman.rate"),
        (lambda: PairExchange([]), "PairExchange.pairs"),
        (lambda: PairExchange(0.3), "PairExchange.pairs: 0.3"),
        (lambda: PairExchange([(0, 0, 0.1)]), r"PairExchange.pairs: \(0, 0, 0.1\)"),
        (lambda: PairExchange([(0, 1, 0.1), (1, 0, 0.1)]), r"PairExchange.pairs: \(1, 0, 0.1\)"),
        (lambda: PairExchange([(0, 1)]), "PairExchange.pairs"),
        (lambda: PairExchange(np.eye(3)), "PairExchange.pairs"),
        (lambda: PairExchange(np.ones((2, 3))), "PairExchange.pairs: shape"),
    ],
)
def test_wrong_values_are_named(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("term", "n_sites", "words"),
    [
        (Exchange(0.1), 1, "Exchange: a chain of 1 site"),
        (Exchange([0.1, 0.2, 0.3]), 3, "Exchange.J: 3 of them; allowed: a number, or 2, one for each bond"),
        (DMI(0.1, "z"), 1, "DMI: a chain of 1 site"),
        (DMI([[0, 0, 1]] * 3), 3, "DMI.D: 3 of them; allowed: a vector of 3 finite numbers, or 2, one for each bond"),
        (Dipolar(3.0, "z"), 1, "Dipolar: a chain of 1 site"),
        (PairExchange([(0, 5, 0.1)]), 5, "PairExchange.pairs: site 5; allowed: 0 to 4"),
        (PairExchange(np.zeros((3, 3))), 4, "PairExchange.pairs: shape"),
        (UniaxialAnisotropy([0.1, 0.2], "z"), 3, "UniaxialAnisotropy.K: 2 of them"),
        (UniaxialAnisotropy(0.1, [[0, 0, 1]] * 2), 3, "UniaxialAnisotropy.axis: 2 of them"),
        (CubicAnisotropy([0.1, 0.2]), 3, "CubicAnisotropy.K1: 2 of them"),
        (Zeeman([[0, 0, 1]] * 2), 3, "Zeeman.B: 2 of them; allowed: a vector of 3 finite numbers, or 3, one for each"),
        (Zeeman(lambda t: [1.0, 2.0]), 3, "Zeeman.B: shape .* at t = 0"),
        (Zeeman(lambda t: [1.0, 2.0, np.nan]), 3, "Zeeman.B: NaN or inf at t = 0"),
    ],
)
def test_terms_of_no_use_on_the_chain_are_named_together(term, n_sites: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ClassicalEnergy([term], n_sites, 1.0)
    with pytest.raises(ValueError, match=r"magnetic_moment: -1[\s\S]*" + words):
        ClassicalEnergy([term, Zeeman([0, 0, 1.0])], n_sites, -1.0)


def test_a_list_holds_energy_terms_only() -> None:
    with pytest.raises(TypeError, match=r"0.1 is not an energy term"):
        ClassicalEnergy([Exchange(0.1), 0.1], 3, 1.0)  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"moments: shape \(2, 3\); allowed: shape \(3, 3\)"):
        ClassicalEnergy([Exchange(0.1)], 3, 1.0).energy(np.ones((2, 3)))
