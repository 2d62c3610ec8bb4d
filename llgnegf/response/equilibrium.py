"""Response of electrons in a common equilibrium to moving moments: the part of `tensors` with one Fermi function f.

With static leads filled by one f the gradient expansion of G^< = G o Sigma^< o G^dag gives, hbar = 1,
    delta<s_i>^a = sum_jb K_{ia,jb} dM_jb/dt,      K_{ia,jb} = J_j (A_{ia,jb} + S_{ia,jb}),
with D = G (1 - dSigma/dE) G = -dG/dE, the spectral function a = i (G - G^dag), I[F] = -(1/pi) int dE Im F f:
    A = I[ (i/2) (Tr sigma_a D_ij sigma_b G_ji - Tr sigma_a G_ij sigma_b D_ji) ]                    (contour)
    S = -(1/2 pi) int dE (-f') [ Tr(sigma_a a_ij sigma_b a_ji)/2
                                 + (Tr sigma_a G_ij sigma_b G^dag_ji - Tr sigma_a G^dag_ij sigma_b G_ji)/2 ]
(from d<s> = Tr[sigma_a P_i R_jb] of the expansion with dH/dM_jb = -J_j sigma_b P_j: the traces of G G and G^dag G^dag
are symmetric in ia <-> jb and complete the square -(a a)/2). A is antisymmetric, and so is the second part of S.

The field conjugate to M that the motion adds is J_i delta<s_i> = -(friction + geometric) dM/dt:
    friction_{ia,jb}  = hbar J_i J_j/(4 pi) int dE (-f') Tr(sigma_a a_ij sigma_b a_ji),     symmetric and >= 0,
    geometric_{ia,jb} = the antisymmetric rest of -hbar J_i K_{ia,jb}: Berry curvature, no power.
A closed system has discrete levels and no friction: rho_1,nm = i hbar (f_n - f_m)/(e_n - e_m)^2 (dH/dt)_nm between
different levels, populations unchanged. So it is for the levels of an open system that no lead damps, bound states and
dark ones: each has the filling f(e) of its energy at rest and keeps it while its energy moves. G^R and G^A differ at
such a pole, G = B/(E - e) + R, by 2 pi i delta(E - e) B, which an integral along the axis misses: S is given
    (i/2) (-f'(e)) [ Tr sigma_a B_ij sigma_b (R + R^dag)_ji - Tr sigma_a (R + R^dag)_ij sigma_b B_ji ]/2
(`pairs.undamped_density`); it cancels what the double poles of A hold of f'(e).
"""

from __future__ import annotations

import numpy as np

from llgnegf.problem.occupation import fermi_derivative, fill_levels
from llgnegf.response.pair_kernel import pair_traces
from llgnegf.response.pairs import DensePairs, refuse_hidden_levels, separate_dark_states, undamped_density
from llgnegf.static.closed import berry_curvature
from llgnegf.static.contour import FERMI_RANGE, Contour, twice_real
from llgnegf.static.quadrature import Integral, scaled
from llgnegf.static.rotating_frame import refuse_dark_levels
from llgnegf.static.steady_state import SteadyState
from llgnegf.static.undamped import bound_states


def sea(state: SteadyState, pairs: DensePairs) -> Integral:
    """A of the module's docstring, (P, 3, 3) in 1/eV^2; of a closed device all there is."""
    device, mu, kT = state.device, state.mu, state.kT
    if not device.channels:
        n, energies, states = device.size // 2, *np.linalg.eigh(device.hamiltonian[None])
        curvature = berry_curvature(energies, states, fill_levels(energies, mu, kT)).reshape(n, 3, n, 3)
        return Integral(curvature.transpose(0, 2, 1, 3)[pairs.i, pairs.j], 0.0, 0)
    if kT == 0:
        refuse_dark_levels(device, mu, "ResponseTensors")
    return Contour.of(device.hamiltonian, mu, kT).integral(
        lambda z: sea_density(pairs, z), 0.0, 0.5 * state.tolerance, pairs.entries, "ResponseTensors, contour",
        twice_real,
    )  # fmt: skip


def surface(state: SteadyState, pairs: DensePairs, j_sd: np.ndarray) -> Integral:
    """(symmetric, antisymmetric) part of -S, (2, P, 3, 3) in 1/eV^2."""
    device, mu, kT = state.device, state.mu, state.kT
    value = np.zeros((2, pairs.i.size, 3, 3))
    if not device.channels:
        return Integral(value, 0.0, 0)
    if kT == 0:
        return Integral(surface_density(pairs, np.array([mu]), np.zeros(1))[0], 0.0, 1)
    reach = mu - FERMI_RANGE * kT, mu + FERMI_RANGE * kT
    # Outside all bands G is Hermitian and the density zero, next to the pole of a bound state too.
    window = pairs.window(*reach, np.array([mu])).where(device.is_open)

    def density(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        weight = -fermi_derivative((origin - mu) + offset, 0.0, kT)
        return scaled(surface_density(pairs, origin, offset), weight)

    half = 0.5 * state.tolerance
    # Beyond -f' is below the tolerance.
    near = kT * float(np.clip(-np.log(kT * half), 1.0, FERMI_RANGE))
    refuse_hidden_levels(device, j_sd, mu - near, mu + near)
    found = window.integral(density, half, pairs.entries, "ResponseTensors, Fermi surface", half)
    value += found.value
    for level in [*bound_states(device, *reach), *separate_dark_states(device, j_sd, *reach)]:
        value[1] -= fermi_derivative(level.energy, mu, kT) * undamped_density(level, pairs.i, pairs.j)
    return Integral(value, found.error, found.evaluations)


def sea_density(pairs: DensePairs, z: np.ndarray) -> np.ndarray:
    """(i/2) (Tr sigma_a D_ij sigma_b G_ji - Tr sigma_a G_ij sigma_b D_ji), (n, P, 3, 3)."""
    (g, g_turned), (d, d_turned) = pairs.green_and_slope(z)
    return 0.5j * (pair_traces(d, g_turned) - pair_traces(g, d_turned))


def surface_density(pairs: DensePairs, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Symmetric and antisymmetric part of -S at each energy origin + offset, (n, 2, P, 3, 3) in 1/eV^2."""
    (g, g_turned), (a, a_turned) = pairs.on_axis(origin, offset, [np.ones(pairs.device.leads.size)])
    friction = pair_traces(a, a_turned).real / (4 * np.pi)
    # The components of (G^dag)_ji = (G_ij)^dag are the conjugates of those of G_ij.
    forward, backward = pair_traces(g, g.conj()), pair_traces(g_turned.conj(), g_turned)
    return np.stack([friction, (forward - backward).real / (4 * np.pi)], axis=1)
