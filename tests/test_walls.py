"""Classical walls against wall theory on a lattice: width, Walker's motion below the threshold field, turning above it.

Runs use SciPy's DOP853 around `LLG.rate`, so that nothing but the equation itself is on trial.
L = mu_M/g = hbar n/g_e is the angular momentum of a moment of n Bohr magnetons.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from llgnegf.equations.moments import LLG
from llgnegf.problem.magnetism.energies import Exchange, UniaxialAnisotropy, Zeeman
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.textures import neel_wall
from llgnegf.units import G_E, GYROMAGNETIC_RATIO, HBAR, MU_B


def run(magnet: Magnet, times, rtol: float) -> np.ndarray:
    """Moments at `times` (fs), the first of which is the start; shape (len(times), n_sites, 3)."""
    llg = LLG(magnet)
    solution = solve_ivp(
        lambda t, y: llg.rate(y.reshape(-1, 3), t).ravel(), (times[0], times[-1]), magnet.moments.flatten(),
        "DOP853", times, rtol=rtol, atol=rtol,
    )  # fmt: skip
    assert solution.success
    return solution.y.T.reshape(len(times), -1, 3)


# Walls: H = sum_i [-J M_i.M_{i+1} - K m_z^2 + K_hard m_y^2], width Delta = sqrt(J/2K) in lattice constants.


def wall(n_sites: int, center: float, width: float, K: float, hard: float = 0.0, B: float = 0.0, **options) -> Magnet:
    """A wall in the xz plane, +z on its left, in a chain whose exchange gives it this width at rest.

    `moving=True` starts it as Walker's moving wall instead: turned by phi and narrowed, see below.
    """
    phi, narrow = walker_wall(width, K, hard, B, options) if options.pop("moving", False) else (0.0, width)
    energies = Exchange(2 * K * width**2) + UniaxialAnisotropy(K, "z")
    energies += UniaxialAnisotropy(-hard, "y") + Zeeman([0, 0, B])
    _, sech, tanh = neel_wall(n_sites, center, narrow).T
    texture = np.stack([sech * np.cos(phi), sech * np.sin(phi), tanh], axis=1)
    return Magnet(texture, energies=energies, **options)


def positions(M: np.ndarray) -> np.ndarray:
    """Where the wall is over time, in lattice constants from the left end, from the sum of m_z."""
    return (M[:, :, 2].sum(axis=1) + M.shape[1]) / 2


@pytest.mark.parametrize("width", [2.0, 4.0])
def test_width_of_a_relaxed_wall(width: float) -> None:
    """Delta = sqrt(J/2K) with the lattice's own corrections, for a wall centred between two sites.

    Angles obey J [sin(t_{i+1} - t_i) - sin(t_i - t_{i-1})] = K sin 2 t_i. In the tails it is linear:
        t_i ~ cosh kappa(i + 1/2) from the free end i = 0, 4 sinh^2(kappa/2) = 2 K/J: kappa = 2 asinh(1/(2 Delta)).
    To the next order, J [t'' + t''''/12 - t'^2 t''/2] = K sin 2t with t' = sin t/Delta in the small terms has the
    integral t'^2 = s^2/Delta^2 - s^2/(12 Delta^4) + s^4/(2 Delta^4), s = sin t: at the centre
        t' = (1/Delta) [1 + 5/(24 Delta^2)],  t''' = -1/Delta^3,
    and the step over the central bond is t' + t'''/24 = (1/Delta) [1 + 1/(6 Delta^2)] up to order Delta^-5.
    """
    K, half = 0.02, int(10 * width)
    magnet = wall(2 * half, half + 0.5, width, K, magnetic_moment=2.0, damping=1.0)
    # slowest relaxation: gap 2 K of the wall's width mode, half of it at lambda = 1; e^-28 is left
    relaxation = HBAR * 2.0 / G_E / (2 * K)
    relaxed = run(magnet, [0.0, 56 * relaxation], rtol=1e-11)[-1]
    assert np.abs(relaxed[:, 1]).max() < 1e-9  # the plane of the wall is free; it enters the angles squared
    angle = np.arctan2(relaxed[:, 0], relaxed[:, 2])
    centre = angle[half] - angle[half - 1]
    assert width * centre == pytest.approx(1 + 1 / (6 * width**2), abs=0.3 / width**4)
    tail = angle[: int(3 * width)]  # small angles: cubic terms below tail^2
    kappa = 2 * np.arcsinh(1 / (2 * width))
    want = np.cosh(kappa * (np.arange(len(tail)) + 0.5))
    np.testing.assert_allclose(tail / tail[0], want / want[0], rtol=tail[-1] ** 2)


# Walker's motion. With the wall at q and its plane turned by phi from the easy plane, H = -2 mu B q +
# 2 Delta K_hard sin^2 phi, and the LLG equation reads (Slonczewski 1972; Schryer and Walker 1974)
#     dphi/dt + (lambda/Delta) dq/dt = g B,   (1/Delta) dq/dt - lambda dphi/dt = (K_hard/L) sin 2 phi.
# phi is at rest only for sin 2 phi = B/B_W, B_W = lambda K_hard/mu_M: then dq/dt = g B Delta/lambda. In the continuum
# this is an exact solution, with Delta^2 = J/(2 (K + K_hard sin^2 phi)). Above B_W the plane turns for ever,
#     (1 + lambda^2) dphi/dt = g (B - B_W sin 2 phi),   half a turn in pi (1 + lambda^2)/(g sqrt(B^2 - B_W^2)).


def breakdown_field(hard: float, options: dict) -> float:
    return options["damping"] * hard / (MU_B * options["magnetic_moment"])


def half_turn(hard: float, B: float, options: dict) -> float:
    root = np.sqrt(B**2 - breakdown_field(hard, options) ** 2)
    return np.pi * (1 + options["damping"] ** 2) / (GYROMAGNETIC_RATIO * root)


def walker_wall(width: float, K: float, hard: float, B: float, options: dict) -> tuple[float, float]:
    """phi and Delta of the moving wall below breakdown."""
    phi = 0.5 * np.arcsin(B / breakdown_field(hard, options))
    return phi, width / np.sqrt(1 + hard / K * np.sin(phi) ** 2)


def plane_angles(M: np.ndarray) -> np.ndarray:
    """phi over time, from the sum of the moments, which in a wall points along its middle."""
    return np.unwrap(np.arctan2(M[:, :, 1].sum(axis=1), M[:, :, 0].sum(axis=1)))


@pytest.mark.parametrize("fraction", [0.5, 0.95])
def test_walker_solution_below_breakdown(fraction: float) -> None:
    """Velocity and angle. A rigid wall loses the power lambda L v^2 sum t'^2 and gains 2 mu B v, and on the lattice
    sum t'^2 = int t' dt = (2/Delta) [1 + 1/(8 Delta^2)], t' as in the test of the width: v has the factor
    1 - 1/(8 Delta^2), up to order Delta^-4. The angle is met to the largest number of order Delta^-2 in the wall's
    shape, 5/24, which d(2 phi)/d(sin 2 phi) = 1/cos 2 phi magnifies near breakdown."""
    K, hard, width, options = 0.01, 0.02, 5.0, {"damping": 0.2, "magnetic_moment": 2.0}
    B = fraction * breakdown_field(hard, options)
    phi, narrow = walker_wall(width, K, hard, B, options)
    velocity = GYROMAGNETIC_RATIO * B * narrow / options["damping"] * (1 - 1 / (8 * narrow**2))
    times = np.array([0.0, 500.0, 800.0, 1100.0])
    M = run(wall(220, 50.5, width, K, hard, B, moving=True, **options), times, rtol=1e-8)
    measured = np.diff(positions(M)) / np.diff(times)
    assert 40 < positions(M)[-1] < 180  # the ends are far
    np.testing.assert_allclose(measured[1:], velocity, rtol=0.25 / narrow**4)
    np.testing.assert_allclose(plane_angles(M)[1:], phi, rtol=0, atol=0.25 / narrow**2 / np.cos(2 * phi))


def test_walker_breakdown() -> None:
    """At 0.95 B_W the plane stays below pi/4, at 1.05 B_W it turns past pi."""
    K, hard, width, options = 0.02, 0.01, 3.0, {"damping": 0.7, "magnetic_moment": 2.0}
    B_W = breakdown_field(hard, options)
    times = np.linspace(0, 1.3 * half_turn(hard, 1.05 * B_W, options), 101)
    for fraction in (0.95, 1.05):
        M = run(wall(120, 20.5, width, K, hard, fraction * B_W, **options), times, rtol=1e-8)
        assert 10 < positions(M).min() < positions(M).max() < 110
        phi = plane_angles(M)
        if fraction < 1:
            assert phi.max() < np.pi / 4
            assert abs(phi[-1] - phi[-20]) < 1e-3  # at rest
            assert positions(M)[-1] > 40  # while the wall moves
        else:
            assert phi[-1] > np.pi


def test_walker_precession_above_breakdown() -> None:
    """Time of half a turn at 1.5 B_W. Delta drops out of the equation for phi, so the breathing of the wall enters
    squared, (K_hard/K)^2. On the lattice B_W has the factor sum t'^2 sum sin^2 t/4 of the wall at rest, t' as in
    the test of its width: (1 + 1/(8 Delta^2)) (1 - 1/(8 Delta^2)), so the lattice enters as Delta^-4."""
    K, hard, width, options = 0.02, 0.001, 4.0, {"damping": 0.5, "magnetic_moment": 2.0}
    B = 1.5 * breakdown_field(hard, options)
    times = np.linspace(0, half_turn(hard, B, options), 5)
    M = run(wall(90, 30.5, width, K, hard, B, **options), times, rtol=1e-8)
    assert 30 < positions(M)[-1] < 70
    assert plane_angles(M)[-1] == pytest.approx(np.pi, rel=(hard / K) ** 2 + width**-4)
