"""The classical LLG equation against exact motions and conservation laws; walls are in `test_walls.py`.

Runs use SciPy's DOP853 around `LLG.rate`, so that nothing but the equation itself is on trial.
L = mu_M/g = hbar n/g_e is the angular momentum of a moment of n Bohr magnetons.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from llgnegf.equations.moments import LLG
from llgnegf.problem.magnetism.energies import (
    DMI,
    CubicAnisotropy,
    Dipolar,
    Exchange,
    PairExchange,
    UniaxialAnisotropy,
    Zeeman,
)
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Precession
from llgnegf.problem.magnetism.torques import SlonczewskiTorque, ZhangLiTorque
from llgnegf.units import G_E, GYROMAGNETIC_RATIO, HBAR, MU_B

seeds = st.integers(0, 2**32 - 1)


def random_moments(rng: np.random.Generator, n_sites: int) -> np.ndarray:
    vectors = rng.normal(size=(n_sites, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_magnet(rng: np.random.Generator, n: int, damping, **options) -> Magnet:
    """A magnet with every kind of static energy, of order 0.1 eV each."""
    energies = [
        Exchange(0.1 * rng.normal(size=n - 1)),
        PairExchange([(0, n - 1, 0.1 * rng.normal())]) if n > 2 else UniaxialAnisotropy(-0.05, "x"),
        UniaxialAnisotropy(0.1 * rng.normal(size=n), rng.normal(size=3)),
        CubicAnisotropy(0.1 * rng.normal(), np.linalg.qr(rng.normal(size=(3, 3)))[0]),
        DMI(0.1 * rng.normal(size=3)),
        Dipolar(1.0, rng.normal(size=3)),
        Zeeman(200 * rng.normal(size=3)),
    ]
    return Magnet(random_moments(rng, n), rng.uniform(1, 4, n), damping, energies, **options)


def run(magnet: Magnet, times, rtol: float = 1e-12) -> np.ndarray:
    """Moments at `times` (fs), the first of which is the start; shape (len(times), n_sites, 3)."""
    llg = LLG(magnet)

    def rate(t: float, y: np.ndarray) -> np.ndarray:
        moments = y.reshape(-1, 3)
        return llg.rate(llg.place(t, moments), t).ravel()

    span = (times[0], times[-1])
    solution = solve_ivp(rate, span, magnet.moments.flatten(), "DOP853", times, rtol=rtol, atol=rtol)
    assert solution.success
    return solution.y.T.reshape(len(times), -1, 3)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, n=st.integers(2, 6))
def test_kernel_solves_the_implicit_equation_for_any_length(seed: int, n: int) -> None:
    """dM/dt = -g M x B + lambda M x dM/dt + (g/mu_M) T with the part of T normal to M; M.dM/dt = 0."""
    rng = np.random.default_rng(seed)
    torques = [SlonczewskiTorque(rng.normal(size=n), 0.3, rng.normal(size=3)), ZhangLiTorque(0.2, rng.normal())]
    magnet = random_magnet(rng, n, rng.uniform(0, 2, n), torques=torques, pinned=[n - 1])
    llg = LLG(magnet)
    M = magnet.moments * rng.uniform(0.7, 1.4, (n, 1))
    electron_torque = rng.normal(size=(n, 3))
    rate = llg.rate(M, 0.0, electron_torque)

    torque = llg.external_torque(0.0, M) + electron_torque
    torque -= M * (np.sum(M * torque, axis=1) / np.sum(M * M, axis=1))[:, None]
    prefactor = G_E / (HBAR * magnet.magnetic_moment[:, None])
    field = magnet.energy.field(M)
    right = -GYROMAGNETIC_RATIO * np.cross(M, field) + magnet.damping[:, None] * np.cross(M, rate)
    right += prefactor * torque
    scale = np.abs(right).max()
    np.testing.assert_allclose(rate[:-1], right[:-1], rtol=0, atol=3e-14 * scale)
    assert np.abs(np.sum(M * rate, axis=1)).max() < 1e-14 * scale
    assert not rate[-1].any()


def test_damped_larmor_precession() -> None:
    """dm_z/dt = w lambda (1 - m_z^2), dphi/dt = w = gamma_0 B/(1 + lambda^2): m_z = tanh(lambda w t + atanh m_z0)."""
    B, damping, theta = 50.0, 0.1, 2.5
    magnet = Magnet([[np.sin(theta), 0, np.cos(theta)]], 3.0, damping, Zeeman([0, 0, B]))
    times = np.linspace(0, 4000, 801)
    M = run(magnet, times)[:, 0]
    phi = GYROMAGNETIC_RATIO * B * times / (1 + damping**2)
    assert phi[-1] * damping > 3.4  # it turns from m_z = -0.8 to 0.996: all of the curve is seen
    np.testing.assert_allclose(M[:, 2], np.tanh(damping * phi + np.arctanh(np.cos(theta))), rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.unwrap(np.arctan2(M[:, 1], M[:, 0])), phi, rtol=0, atol=1e-8)


def test_uniaxial_precession_depends_on_the_angle() -> None:
    """H = -K m_z^2: a field 2 K m_z/mu along z, so dphi/dt = 2 K cos(theta)/L at lambda = 0."""
    K, n, theta = 0.02, 2.5, 1.1
    M = run(Magnet([[np.sin(theta), 0, np.cos(theta)]], n, energies=UniaxialAnisotropy(K, "z")), [0.0, 30.0])[-1, 0]
    phi = 2 * K * np.cos(theta) * G_E / (HBAR * n) * 30.0
    np.testing.assert_allclose(M, [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], atol=1e-9)


def test_two_different_moments_turn_about_their_total_spin() -> None:
    """L_i dM_i/dt = -J M_j x ... gives both moments the rate J |S|/(L_1 L_2) about S = L_1 M_1 + L_2 M_2."""
    J, n = 0.1, np.array([1.0, 3.5])
    start = np.array([[1.0, 0, 0], [0, 0.6, 0.8]])
    times = np.linspace(0, 60, 7)
    M = run(Magnet(start, n, energies=Exchange(J)), times)
    L = HBAR * n / G_E
    S = L @ start
    axis, w = S / np.linalg.norm(S), J * np.linalg.norm(S) / L.prod()
    for t, moments in zip(times, M, strict=True):
        c, s = np.cos(w * t), np.sin(w * t)
        turned = c * start + s * np.cross(axis, start) + (1 - c) * np.outer(start @ axis, axis)
        np.testing.assert_allclose(moments, turned, rtol=0, atol=1e-9)


@pytest.mark.parametrize("theta", [0.01, 0.8, 2.0])
def test_spin_wave_on_a_ring(theta: float) -> None:
    """A cone wave is an exact motion at any angle: hbar w = (g_e/n) {2 cos(theta) [J (1 - cos k) + K] + mu B}.

    M_i = (sin theta e^{i(k i + w t)}, cos theta): mu B_i = 2 J (cos k M_perp, cos theta) + (2 K cos theta + mu B) z.
    """
    n_sites, n, J, K, B, damping = 8, 2.0, 0.1, 0.03, 20.0, 0.0
    k = 2 * np.pi * 3 / n_sites
    phase = k * np.arange(n_sites)

    def cone(t: float, w: float) -> np.ndarray:
        x, y = np.sin(theta) * np.cos(phase + w * t), np.sin(theta) * np.sin(phase + w * t)
        return np.stack([x, y, np.full(n_sites, np.cos(theta))], axis=1)

    ring = PairExchange([(i, (i + 1) % n_sites, J) for i in range(n_sites)])
    magnet = Magnet(cone(0, 0), n, damping, ring + UniaxialAnisotropy(K, "z") + Zeeman([0, 0, B]))
    w = G_E / (HBAR * n) * (2 * np.cos(theta) * (J * (1 - np.cos(k)) + K) + n * MU_B * B)
    np.testing.assert_allclose(LLG(magnet).rate(magnet.moments)[:, 2], 0, atol=1e-15)
    # 20 fs only: beyond theta = pi/2 k the wave may be unstable, and round-off would grow
    np.testing.assert_allclose(run(magnet, [0.0, 20.0])[-1], cone(20.0, w), rtol=0, atol=1e-8)


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_spin_wave_spectrum_of_an_open_chain(damping: float) -> None:
    """Small deviations of M = z: modes cos k(i + 1/2), k = pi m/N, at hbar w = (g_e/n) [2 J (1 - cos k) + 2 K + mu B].

    With damping the linear equation (1 + i lambda) dM_+/dt = ... has the eigenvalues w (i - lambda)/(1 + lambda^2)
    and their conjugates.
    """
    n_sites, n, J, K, B = 7, 2.0, 0.1, 0.03, 20.0
    energies = Exchange(J) + UniaxialAnisotropy(K, "z") + Zeeman([0, 0, B])
    llg = LLG(Magnet(np.tile([0.0, 0, 1], (n_sites, 1)), n, damping, energies))

    def rate(x: np.ndarray) -> np.ndarray:
        moments = np.concatenate([x.reshape(-1, 2), np.ones((n_sites, 1))], axis=1)
        return llg.rate(moments)[:, :2].ravel()

    h = 1e-3  # the rate has no even part in x but h^2 terms of 1/(1 + lambda^2 M.M): the five-point rule leaves h^4
    unit = h * np.eye(2 * n_sites)
    columns = [(8 * (rate(e) - rate(-e)) - rate(2 * e) + rate(-2 * e)) / (12 * h) for e in unit]
    values = np.linalg.eigvals(np.array(columns).T)
    k = np.pi * np.arange(n_sites) / n_sites
    w = G_E / (HBAR * n) * (2 * J * (1 - np.cos(k)) + 2 * K + n * MU_B * B)
    upper = values[values.imag > 0]
    want = w * (1j - damping) / (1 + damping**2)
    np.testing.assert_allclose(upper[np.argsort(upper.imag)], want, rtol=0, atol=1e-10)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, n=st.integers(2, 5))
def test_energy_and_length_are_constant_without_damping(seed: int, n: int) -> None:
    magnet = random_magnet(np.random.default_rng(seed), n, 0.0)
    energy = magnet.energy
    M = run(magnet, np.linspace(0, 30, 7))
    energies = [energy.energy(m) for m in M]
    assert np.ptp(energies) < 1e-9 * np.abs(energy.gradient(M[0])).max()
    assert np.abs(np.linalg.norm(M, axis=2) - 1).max() < 1e-9


@settings(max_examples=8, deadline=None)
@given(seed=seeds, n=st.integers(2, 5))
def test_energy_never_rises_with_damping(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    magnet = random_magnet(rng, n, rng.uniform(0.05, 1, n), pinned=[0])
    llg = LLG(magnet)
    # the power is -sum_i lambda_i L_i |dM_i/dt|^2 at every instant
    rate = llg.rate(magnet.moments)
    power = np.sum(magnet.energy.gradient(magnet.moments) * rate)
    assert power == pytest.approx(-magnet.dissipation(rate), rel=1e-12)
    L = HBAR * magnet.magnetic_moment / G_E
    assert magnet.dissipation(rate) == pytest.approx(np.sum(magnet.damping * L * np.sum(rate**2, axis=1)))
    energies = [magnet.energy.energy(m) for m in run(magnet, np.linspace(0, 30, 61), rtol=1e-10)]
    assert np.diff(energies).max() < 1e-9 * (np.max(energies) - np.min(energies))


def test_energy_balance_in_a_driven_field() -> None:
    """H(t) - H(0) = int (dH/dt explicit - dissipation) dt."""
    w, B = 0.3, np.array([40.0, 0, 90.0])
    drive = Zeeman(lambda t: B * np.cos(w * t), rate=lambda t: -w * B * np.sin(w * t))
    rng = np.random.default_rng(5)
    magnet = Magnet(random_moments(rng, 3), 2.0, 0.1, Exchange(0.05) + UniaxialAnisotropy(0.02, "y") + drive)
    llg = LLG(magnet)

    def rate(t: float, y: np.ndarray) -> np.ndarray:
        moments = y[:9].reshape(3, 3)
        motion = llg.rate(moments, t)
        return np.append(motion, magnet.energy.power(moments, t) - magnet.dissipation(motion))

    y = solve_ivp(rate, (0, 40), np.append(magnet.moments, 0.0), "DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    change = magnet.energy.energy(y[:9].reshape(3, 3), 40.0) - magnet.energy.energy(magnet.moments, 0.0)
    assert abs(y[9]) > 1e-3
    assert change == pytest.approx(y[9], abs=1e-10)


def test_exchange_conserves_the_total_spin_of_different_moments() -> None:
    rng = np.random.default_rng(2)
    n = np.array([1.0, 3.0, 2.0, 4.0])
    M = run(Magnet(random_moments(rng, 4), n, energies=Exchange([0.1, -0.2, 0.15])), [0.0, 50.0])
    np.testing.assert_allclose(n @ M[-1], n @ M[0], rtol=0, atol=1e-9)


def test_pinned_and_prescribed_moments_act_but_do_not_answer() -> None:
    """Neighbours fixed at z act on the middle moment as the field 2 J/mu; turning neighbours drag it along."""
    J, n, theta = 0.1, 2.0, 0.7
    start = np.array([[0, 0, 1], [np.sin(theta), 0, np.cos(theta)], [0, 0, 1]])
    pinned = run(Magnet(start, n, energies=Exchange(J), pinned=[0, -1]), [0.0, 10.0])[-1]
    np.testing.assert_array_equal(pinned[[0, 2]], start[[0, 2]])
    phi = 2 * J * G_E / (HBAR * n) * 10.0
    np.testing.assert_allclose(pinned[1, :2], np.sin(theta) * np.array([np.cos(phi), np.sin(phi)]), atol=1e-9)

    # neighbours on a cone theta turning at w about z; in their frame the middle one sees the field
    # 2 J c - L w z, c = their direction: it rests if it lies along that, so it turns with them for ever
    w = 0.05
    L = HBAR * n / G_E

    def cone(t: float) -> np.ndarray:
        return np.array([np.sin(theta) * np.cos(w * t), np.sin(theta) * np.sin(w * t), np.cos(theta)])

    rest = 2 * J * cone(0) - L * w * np.array([0, 0, 1])
    rest /= np.linalg.norm(rest)
    prescribed = ([0, 2], lambda t: np.array([cone(t), cone(t)]))
    magnet = Magnet(np.array([cone(0), rest, cone(0)]), n, energies=Exchange(J), prescribed=prescribed)
    assert not magnet.is_static
    middle = run(magnet, [0.0, 40.0])[-1, 1]
    turn = np.array([[np.cos(40 * w), -np.sin(40 * w), 0], [np.sin(40 * w), np.cos(40 * w), 0], [0, 0, 1]])
    np.testing.assert_allclose(middle, turn @ rest, rtol=0, atol=1e-9)
    moments = magnet.moments.copy()
    magnet.place(40.0, moments)
    np.testing.assert_array_equal(moments[0], cone(40.0))
    motion = Precession([cone(0), cone(0)], energy=HBAR * w)
    again = run(Magnet(magnet.moments, n, energies=Exchange(J), prescribed=([0, -1], motion)), [0.0, 40.0])[-1, 1]
    np.testing.assert_allclose(again, middle, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(magnet.moving, [False, True, False])
    np.testing.assert_array_equal(Magnet(start, n, pinned=[True, False, True]).moving, magnet.moving)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"moments": [[0, 0, 1.1]]}, "Magnet.moments: site 0 is .* of length 1.1"),
        ({"moments": [[0, 0, 1 + 1e-9]]}, "Magnet.moments: site 0"),
        ({"moments": [0, 0, 1]}, "Magnet.moments: shape"),
        ({"moments": np.zeros((0, 3))}, "Magnet.moments"),
        ({"magnetic_moment": 0.0}, "Magnet.magnetic_moment: 0.0"),
        ({"magnetic_moment": [1, 2]}, r"Magnet.magnetic_moment: shape \(2,\)"),
        ({"damping": -0.1}, "Magnet.damping: -0.1"),
        ({"damping": [0.1, 0.1, -0.1]}, "Magnet.damping"),
        ({"energies": [0.3]}, "Magnet.energies"),
        ({"energies": Exchange([0.1] * 3)}, "Exchange.J: 3 of them"),
        ({"torques": [Exchange(0.1)]}, "Magnet.torques"),
        ({"torques": ZhangLiTorque([0.1, 0.2])}, "ZhangLiTorque.velocity: 2 of them"),
        ({"pinned": [3]}, r"Magnet.pinned: \[3\]"),
        ({"pinned": [0, -3]}, "Magnet.pinned"),
        ({"pinned": [0.5]}, "Magnet.pinned"),
        ({"pinned": [True, False]}, "Magnet.pinned"),
        ({"pinned": [0, 1, 2]}, "at least one moment that moves"),
        ({"prescribed": [0, 1]}, "Magnet.prescribed"),
        ({"prescribed": ([0], Precession([[0, 0, 1]] * 3, 0.1))}, r"Magnet.prescribed: .*shape \(1, 3\)"),
        ({"prescribed": ([], lambda t: [])}, "Magnet.prescribed"),
        ({"prescribed": ([0], lambda t: [[0, 0, 2]])}, r"prescribed: at t = 0 fs site 0 is \[0.0, 0.0, 2.0\]"),
        ({"prescribed": ([0], lambda t: [[0, 1, 0]])}, "Magnet.prescribed: site 0 is"),
        ({"prescribed": ([0], lambda t: [[0, 0, 1]]), "pinned": [0]}, r"Magnet.pinned: site \[0\] is prescribed too"),
    ],
)
def test_wrong_magnets_are_named(options: dict, words: str) -> None:
    arguments = {"moments": [[0, 0, 1]] * 3, "magnetic_moment": 2.0} | options
    with pytest.raises(ValueError, match=words):
        Magnet(**arguments)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ValueError, match="magnetic_moment") as error:
        Magnet([[0, 0, 1]], -1.0, -0.1, [Exchange(0.1), DMI(0.1, "z")], ZhangLiTorque(0.1), [7])
    for words in ("magnetic_moment: -1", "damping: -0.1", "Exchange: a chain", "DMI: a chain", "ZhangLi", "pinned"):
        assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 6


def test_prescribed_moments_stay_unit_vectors_during_the_run() -> None:
    magnet = Magnet([[0, 0, 1]] * 2, 2.0, prescribed=([0], lambda t: [[0, 0, 1 + t]]))
    with pytest.raises(ValueError, match="at t = 3 fs"):
        magnet.place(3.0, magnet.moments.copy())
