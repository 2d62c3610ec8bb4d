"""What leads of different filling add to the response of `tensors`: integrals over the window where they differ.

With leads filled by f_p the gradient expansion of G^< = G o Sigma^< o G^dag has, beyond the common f (`equilibrium`),
the part with S = i sum_p Gamma_p (f_p - f), W = G (S/i) G^dag and Z = 1 - dSigma/dE, hbar = 1:
    G^<_1 = G_1 S G^dag + G S G_1^dag + (i/2) [ d_E(G S) d_t G^dag - d_t G S d_E G^dag ] - (i/2) d_t G (dS/dE) G^dag,
    G_1 = (i/2) [ (d_E G) Hdot G - G Hdot d_E G ],    d_t G = G Hdot G,    d_E G = -G Z G = -D
(the expansion of N. Bode et al., Phys. Rev. Lett. 107, 036804 (2011), with leads that have bands). S vanishes at both
ends of the axis; integrated by parts, dS/dE and with it the jumps of f at kT = 0 and the ends of the bands are gone:
    rho_1 = -i int dE/2pi G^<_1 = -(i/2 pi) int dE [ D Hdot W - W Hdot D^dag ],
which is also the first order in w of delta rho(w) = -i int dE/2pi [ G(E+w) dH G^<(E) + G^<(E+w) dH G^dag(E) ], whose
order 0 is the change of the stationary state. With dH/dM_jb = -J_j sigma_b P_j and the two terms each other's adjoint
    K_{ia,jb}        = -(hbar J_j/pi) int dE Im Tr sigma_a D_ij sigma_b W_ji     (window part)
    d<s_i>^a/dM_jb   = -(J_j/pi) int dE Re Tr sigma_a G_ij sigma_b W_ji          (window part)
The common part of the second is symmetric in ia <-> jb: with f alone the torque is the gradient of a free energy.
Levels that no lead reaches are filled by f; those outside all bands have no window, W = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from llgnegf.response.pair_kernel import pair_traces
from llgnegf.response.pairs import DensePairs, refuse_hidden_levels, separate_dark_states
from llgnegf.static.quadrature import Integral
from llgnegf.static.steady_state import SteadyState
from llgnegf.static.window import Window

Density = Callable[[DensePairs, np.ndarray, np.ndarray], np.ndarray]


class GainingMode(NamedTuple):
    """Motion by which the moments gain energy: power into the electrons = eigenvalue |dM/dt|^2 < 0.

    Attributes:
        eigenvalue: Lowest eigenvalue of the friction between directions normal to the moments, eV fs.
        vector: Its direction, (N, 3), of norm 1.
    """

    eigenvalue: float
    vector: np.ndarray


def window_response(state: SteadyState, pairs: DensePairs, j_sd: np.ndarray) -> Integral:
    """K/(hbar J_j) of the window in 1/eV^2, (P, 3, 3); j_sd as for `over_window`."""

    def density(pairs: DensePairs, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        _, (slope, _), (_, turned) = pairs.on_axis(origin, offset, [state.occupation_difference(origin, offset)], True)
        return pair_traces(slope, turned).imag / -np.pi

    return over_window(state, pairs, state.window, density, 3, j_sd)


def window_gradient(state: SteadyState, pairs: DensePairs, j_sd: np.ndarray) -> Integral:
    """(d<s_i>/dM_j)/J_j of the window in 1/eV, (P, 3, 3); j_sd as for `over_window`."""

    def density(pairs: DensePairs, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        (green, _), (_, turned) = pairs.on_axis(origin, offset, [state.occupation_difference(origin, offset)])
        return pair_traces(green, turned).real / -np.pi

    return over_window(state, pairs, state.window, density, 2, j_sd)


def over_window(
    state: SteadyState, pairs: DensePairs, choose: Callable[[DensePairs], Window], density: Density, order: int,
    j_sd: np.ndarray,
) -> Integral:  # fmt: skip
    """int dE of a density (P, 3, 3) over the open parts of a window of the state; zeros where there is none.

    Args:
        choose: Gives the window.
        density: Of pairs, and of origins and offsets (n,).
        order: Power of 1/width to which a resonance brings its round-off, see `ChainPairs.resolves`.

    Raises:
        QuadratureError: For a dark state there that motion of the moments with `j_sd` (N,) mixes with damped levels.
    """
    window = choose(pairs)
    if not window.panels:
        return Integral(np.zeros((pairs.i.size, 3, 3)), 0.0, 0)
    separate_dark_states(state.device, j_sd, *state.reach)
    refuse_hidden_levels(state.device, j_sd, *state.reach)
    if not pairs.resolves(window, order, state.tolerance):
        pairs = DensePairs(pairs.device, pairs.i, pairs.j)
        window = choose(pairs)
    what, tolerance = "ResponseTensors, window of the leads' occupations", state.tolerance
    window = window.where(state.device.is_open)
    found = window.integral(lambda *energy: density(pairs, *energy), tolerance, pairs.entries, what, tolerance)
    return Integral(np.broadcast_to(found.value, (pairs.i.size, 3, 3)), found.error, found.evaluations)


def gaining_mode(friction: np.ndarray, moments: np.ndarray, error: float) -> GainingMode | None:
    """The mode of the lowest eigenvalue of the friction (N, 3, N, 3), None unless that is below -`error`, eV fs.

    Friction between directions normal to the moments, of sites that have one.
    """
    n, there = len(moments), moments.any(axis=1)
    there = np.repeat(there, 3)
    values, vectors = np.linalg.eigh(friction.reshape(3 * n, 3 * n) * (there[:, None] & there))
    if values[0] >= -(error + 1e-12 * float(np.abs(values).max())):
        return None
    vector = vectors[:, 0].reshape(n, 3)  # normal to the moments but for round-off
    return GainingMode(float(values[0]), vector - moments * np.sum(vector * moments, axis=1, keepdims=True))
