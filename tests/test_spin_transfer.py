"""Spin-transfer torques: their signs, and motions that are exact or have a derived lattice correction.

L = mu_M/g = hbar n/g_e is the angular momentum of a moment of n Bohr magnetons; g_0 = 1/L turns eV into 1/fs.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from llgnegf.equations.moments import LLG
from llgnegf.problem.magnetism.energies import Exchange, UniaxialAnisotropy, Zeeman
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.torques import SlonczewskiTorque, ZhangLiTorque
from llgnegf.units import G_E, HBAR, MU_B

seeds = st.integers(0, 2**32 - 1)


def random_moments(rng: np.random.Generator, n_sites: int) -> np.ndarray:
    vectors = rng.normal(size=(n_sites, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def run(magnet: Magnet, times, rtol: float = 1e-12) -> np.ndarray:
    llg = LLG(magnet)
    start, span = magnet.moments.flatten(), (times[0], times[-1])
    solution = solve_ivp(
        lambda t, y: llg.rate(y.reshape(-1, 3), t).ravel(), span, start, "DOP853", times, rtol=rtol, atol=rtol
    )
    assert solution.success
    return solution.y.T.reshape(len(times), -1, 3)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, n=st.integers(2, 6))
def test_torque_is_its_formula_and_normal_to_the_moments(seed: int, n: int) -> None:
    """Moments of any length, as they are inside a Runge-Kutta step."""
    rng = np.random.default_rng(seed)
    M, mu = random_moments(rng, n) * rng.uniform(0.8, 1.2, (n, 1)), rng.uniform(1, 4, n)
    damping_like, field_like, u, beta = rng.normal(size=(4, n))
    p, q = random_moments(rng, 2)
    torques = [
        SlonczewskiTorque(damping_like, 0.0, 3 * p),
        SlonczewskiTorque(0.2, lambda t: field_like * t, q),
        ZhangLiTorque(u, beta),
        ZhangLiTorque(lambda t: 0.1 * t, 0.3, spacing=2.0),
    ]
    t = 0.7
    magnet = Magnet(random_moments(rng, n), mu, torques=torques)
    got = LLG(magnet).external_torque(t, M)
    for i in range(n):
        m, left, right = M[i], max(i - 1, 0), min(i + 1, n - 1)
        slope = (M[right] - M[left]) / (right - left)
        slope = slope - m * (m @ slope) / (m @ m)
        want = damping_like[i] * np.cross(m, np.cross(p, m))
        want += 0.2 * np.cross(m, np.cross(q, m)) + field_like[i] * t * np.cross(q, m)
        L = HBAR * mu[i] / G_E
        for speed, ratio in ((u[i], beta[i]), (0.1 * t / 2.0, 0.3)):
            want += L * (-speed * slope + ratio * speed * np.cross(m, slope))
        np.testing.assert_allclose(got[i], want, rtol=0, atol=1e-13)
        assert abs(got[i] @ m) < 1e-13
    assert not magnet.is_static
    assert Magnet(random_moments(rng, n), mu, torques=torques[0]).is_static


@pytest.mark.parametrize("sign", [1, -1])
def test_damping_like_pulls_towards_the_polarization(sign: int) -> None:
    """With a = g_0 a_DL (p - M (M.p)), dM/dt = (a + lambda M x a)/(1 + lambda^2), p = z, r = g_0 a_DL/(1 + lambda^2):
    dm_z/dt = r (1 - m_z^2) and dphi/dt = -lambda r, so m_z = tanh(r t + atanh m_z0), phi = -lambda r t."""
    a, n, damping, theta = sign * 0.004, 2.0, 0.3, 1.2
    magnet = Magnet([[np.sin(theta), 0, np.cos(theta)]], n, damping, torques=SlonczewskiTorque(a, 0.0, "z"))
    times = np.linspace(0, 400, 9)
    M = run(magnet, times)[:, 0]
    r = G_E * a / (HBAR * n) / (1 + damping**2)
    np.testing.assert_allclose(M[:, 2], np.tanh(r * times + np.arctanh(np.cos(theta))), rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.unwrap(np.arctan2(M[:, 1], M[:, 0])), -damping * r * times, rtol=0, atol=1e-8)
    assert np.all(np.diff(sign * M[:, 2]) > 0)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, n=st.integers(1, 4))
def test_field_like_is_a_field_along_the_polarization(seed: int, n: int) -> None:
    """a_FL p x M is the torque of H = -a_FL p.M, of B = a_FL p/mu_M, and the electron torque J_sd <s> x M of
    J_sd <s> = a_FL p."""
    rng = np.random.default_rng(seed)
    M, mu, p, a = random_moments(rng, n), rng.uniform(1, 4, n), random_moments(rng, 1)[0], rng.normal()
    rate = LLG(Magnet(M, mu, 0.2, torques=[SlonczewskiTorque(0.0, a, p)])).rate(M)
    field = LLG(Magnet(M, mu, 0.2, Zeeman(a * p / (MU_B * mu[:, None])))).rate(M)
    electrons = LLG(Magnet(M, mu, 0.2)).rate(M, 0.0, a * np.cross(p, M))
    scale = np.abs(field).max()
    np.testing.assert_allclose(rate, field, rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(electrons, field, rtol=0, atol=1e-13 * scale)


def test_damping_like_balances_gilbert_damping_at_the_critical_current() -> None:
    """Field B and polarization -p along z: dm_z/dt = g_0 (lambda mu B - a_DL) (1 - m_z^2)/(1 + lambda^2). At
    a_DL = lambda mu B the moment precesses for ever at g B, at any angle; 1 % more drives it away from the field."""
    B, n, damping, theta = 30.0, 2.0, 0.05, 0.4
    critical = damping * n * MU_B * B
    start = [[np.sin(theta), 0, np.cos(theta)]]
    for factor in (0.99, 1.0, 1.01):
        torque = SlonczewskiTorque(factor * critical, 0.0, [0, 0, -1])
        times = np.linspace(0, 1000, 201)
        M = run(Magnet(start, n, damping, Zeeman([0, 0, B]), torque), times)[:, 0]
        r = G_E / (HBAR * n) * critical * (1 - factor) / (1 + damping**2)
        np.testing.assert_allclose(M[:, 2], np.tanh(r * times + np.arctanh(np.cos(theta))), rtol=0, atol=1e-9)
        w = G_E / (HBAR * n) * (n * MU_B * B + damping * factor * critical) / (1 + damping**2)
        np.testing.assert_allclose(np.unwrap(np.arctan2(M[:, 1], M[:, 0])), w * times, rtol=0, atol=1e-8)


def test_a_pulse_turns_the_moment_by_its_area() -> None:
    """a_FL(t) p x M with p = z turns M by g_0 int a_FL dt."""
    a, n, width = 0.05, 2.0, 8.0
    torque = SlonczewskiTorque(0.0, lambda t: a * np.sin(np.pi * t / width) ** 2, "z")
    M = run(Magnet([[1, 0, 0]], n, torques=[torque]), [0.0, width])[-1, 0]
    phi = G_E / (HBAR * n) * a * width / 2
    np.testing.assert_allclose(M, [np.cos(phi), np.sin(phi), 0], rtol=0, atol=1e-10)


# Zhang-Li torque on a wall with +z on its left: H = sum_i [-J M_i.M_{i+1} - K m_z^2 + K_hard m_y^2].


def wall(n_sites: int, center: float, width: float, K: float, hard: float, **options) -> Magnet:
    """A wall in the xz plane at rest, at `center` if the first site is at 1: angles t_i to z without torque, from
    m_z = tanh by Newton's method."""
    J = 2 * K * width**2
    angle = np.arccos(np.tanh((center - 1 - np.arange(n_sites)) / width))
    for _ in range(8):
        step = np.diff(angle)
        force = -K * np.sin(2 * angle)
        force[:-1] += J * np.sin(step)
        force[1:] -= J * np.sin(step)
        bond = J * np.cos(step)
        slope = np.diag(-2 * K * np.cos(2 * angle)) - np.diag(np.append(bond, 0)) - np.diag(np.append(0, bond))
        slope += np.diag(bond, 1) + np.diag(bond, -1)
        # the lattice all but lets the wall slide: least squares leaves that direction alone
        angle = angle - np.linalg.lstsq(slope, force, rcond=1e-7)[0]
    texture = np.stack([np.sin(angle), np.zeros(n_sites), np.cos(angle)], axis=1)
    energies = Exchange(J) + UniaxialAnisotropy(K, "z") + UniaxialAnisotropy(-hard, "y")
    return Magnet(texture, energies=energies, **options)


def rate_at_start(magnet: Magnet) -> np.ndarray:
    return LLG(magnet).rate(magnet.moments)


def positions(M: np.ndarray) -> np.ndarray:
    return (M[..., 2].sum(axis=-1) + M.shape[-2]) / 2


@pytest.mark.parametrize("width", [3.0, 6.0])
def test_adiabatic_torque_carries_a_wall_along(width: float) -> None:
    """lambda = beta = 0: the central differences add up to the jump of M over the wall, so the wall's velocity is u
    but for their part along M, M.D = -t' t''/2 with t' = sin t/Delta:
        (1/2) sum m_z (M.D) u = (u/2) int cos t (-sin^2 t cos t/(2 Delta^3)) (Delta/sin t) dt = -u/(6 Delta^2),
    so v = u [1 - 1/(6 Delta^2)] up to order Delta^-4."""
    u = 0.02
    for sign in (1, -1):
        torque = ZhangLiTorque(sign * u)
        numbers = (int(20 * width), 10 * width + 0.5, width, 0.02, 0.0)
        assert np.abs(rate_at_start(wall(*numbers, magnetic_moment=2.0))).max() < 1e-12  # at rest without current
        velocity = rate_at_start(wall(*numbers, magnetic_moment=2.0, torques=torque))[:, 2].sum() / 2
        assert velocity == pytest.approx(sign * u * (1 - 1 / (6 * width**2)), rel=0.3 / width**4)


@pytest.mark.parametrize("sign", [1, -1])
def test_wall_moves_rigidly_at_u_if_beta_is_lambda(sign: int) -> None:
    """M(x - u t) solves the continuum's equation term by term. On the lattice the part D of the differences along the
    wall's angle is t' + (t_xxx - t'^3)/6, and the power balance lambda v sum t'^2 = beta u sum t' D gives, with
    t' = sin t/Delta, v = (beta/lambda) u [1 - 1/(6 Delta^2)]: the same factor as for the adiabatic part."""
    width, u, damping = 5.0, sign * 0.03, 0.1
    options = {"magnetic_moment": 2.0, "damping": damping, "torques": ZhangLiTorque(u, damping)}
    magnet = wall(140, 70.5, width, 0.02, 0.02, **options)
    times = np.array([0.0, 500.0, 1000.0])
    M = run(magnet, times, rtol=1e-9)
    velocity = np.diff(positions(M)) / np.diff(times)
    np.testing.assert_allclose(velocity, u * (1 - 1 / (6 * width**2)), rtol=0.5 / width**4)
    assert np.abs(M[:, :, 1]).max() < 0.05 / width**2  # the plane does not tilt but for the lattice


def test_wall_velocity_is_beta_over_lambda_with_a_hard_axis() -> None:
    """A wall whose plane is held, dphi/dt = 0: only beta u and lambda v act on its position: v = beta u/lambda
    but for the lattice's factor 1 - 1/(6 Delta^2); without beta the wall stops. The plane tilts until
    dq/dt - u = Delta (K_hard/L) sin 2 phi, phi < 0 for beta < lambda."""
    width, u, damping, n, K, hard = 5.0, 0.03, 0.2, 2.0, 0.02, 0.02
    for beta in (0.0, 0.1, 0.4):
        magnet = wall(160, 60.5, width, K, hard, magnetic_moment=n, damping=damping, torques=ZhangLiTorque(u, beta))
        M = run(magnet, np.array([0.0, 600.0, 900.0]), rtol=1e-9)
        velocity = (positions(M[2]) - positions(M[1])) / 300.0
        want = beta * u / damping * (1 - 1 / (6 * width**2))
        assert velocity == pytest.approx(want, abs=0.5 * u / width**4 * max(1.0, beta / damping))
        phi = np.arctan2(M[2, :, 1].sum(), M[2, :, 0].sum())
        tilt = 0.5 * np.arcsin((beta / damping - 1) * u * HBAR * n / (G_E * width * hard))
        # the width sqrt(J/2 (K + K_hard sin^2 phi)) changes by sin^2 phi/2 of itself
        assert phi == pytest.approx(tilt, rel=1 / (4 * width**2) + np.sin(tilt) ** 2)


def test_free_wall_shares_the_drift_between_motion_and_rotation() -> None:
    """No hard axis: dphi/dt + (lambda/Delta) dq/dt = (beta/Delta) u and (1/Delta) dq/dt - lambda dphi/dt = u/Delta give
    dq/dt = u (1 + lambda beta)/(1 + lambda^2), dphi/dt = (u/Delta) (beta - lambda)/(1 + lambda^2)."""
    width, u, damping, beta = 5.0, 0.03, 0.3, 0.05
    torque = ZhangLiTorque(u, beta)
    magnet = wall(120, 40.5, width, 0.02, 0.0, magnetic_moment=2.0, damping=damping, torques=torque)
    M = run(magnet, np.array([0.0, 400.0, 800.0]), rtol=1e-9)
    velocity = np.diff(positions(M)) / 400.0
    share = (1 + damping * beta) / (1 + damping**2) * (1 - 1 / (6 * width**2))
    np.testing.assert_allclose(velocity, u * share, rtol=0.5 / width**4)
    phi = np.unwrap(np.arctan2(M[:, :, 1].sum(axis=1), M[:, :, 0].sum(axis=1)))
    rotation = u / width * (beta - damping) / (1 + damping**2)
    np.testing.assert_allclose(np.diff(phi) / 400.0, rotation, rtol=1 / (4 * width**2))


def test_spacing_turns_angstrom_into_sites() -> None:
    M = random_moments(np.random.default_rng(3), 5)
    one = LLG(Magnet(M, 2.0, torques=ZhangLiTorque(0.5, 0.1, spacing=2.5))).rate(M)
    other = LLG(Magnet(M, 2.0, torques=ZhangLiTorque(0.2, 0.1))).rate(M)
    np.testing.assert_allclose(one, other, rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SlonczewskiTorque(0.0, 0.0, "z"), "SlonczewskiTorque.damping_like: 0.0; allowed: not zero"),
        (lambda: SlonczewskiTorque("a", 0.0, "z"), "SlonczewskiTorque.damping_like: 'a'"),
        (lambda: SlonczewskiTorque(0.1, [[1.0]], "z"), "SlonczewskiTorque.field_like"),
        (lambda: SlonczewskiTorque(0.1, 0.0, [0, 0, 0]), "SlonczewskiTorque.polarization"),
        (lambda: SlonczewskiTorque(np.nan, 0.0, "w"), "damping_like: nan.*\n.*polarization: 'w'"),
        (lambda: ZhangLiTorque(0.0), "ZhangLiTorque.velocity: 0.0; allowed: not zero"),
        (lambda: ZhangLiTorque(0.1, "b"), "ZhangLiTorque.nonadiabaticity: 'b'"),
        (lambda: ZhangLiTorque(0.1, 0.1, spacing=0.0), "ZhangLiTorque.spacing: 0.0"),
    ],
)
def test_wrong_values_are_named(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("torque", "n_sites", "words"),
    [
        (SlonczewskiTorque([0.1, 0.2], 0.0, "z"), 3, "SlonczewskiTorque.damping_like: 2 of them"),
        (SlonczewskiTorque(0.1, lambda t: [1.0, 2.0], "z"), 3, r"field_like: shape \(2,\) at t = 0 fs"),
        (SlonczewskiTorque(0.1, lambda t: np.nan, "z"), 3, "SlonczewskiTorque.field_like: NaN or inf"),
        (ZhangLiTorque(0.1), 1, "ZhangLiTorque: a chain of 1 site"),
        (ZhangLiTorque(0.1, [0.1, 0.2]), 3, "ZhangLiTorque.nonadiabaticity: 2 of them"),
        (ZhangLiTorque([0.1, 0.2]), 3, "ZhangLiTorque.velocity: 2 of them"),
    ],
)
def test_torques_of_no_use_on_the_chain_are_named(torque, n_sites: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Magnet([[0, 0, 1]] * n_sites, 2.0, torques=[torque])
