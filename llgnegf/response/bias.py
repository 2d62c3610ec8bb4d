"""What leads of different filling add to the response of `tensors`: integrals over the window where they differ.

With leads filled by f_p the gradient expansion of G^< = G o Sigma^< o G^dag has, beyond the common f of `tensors`, the
part with S = i sum_p Gamma_p (f_p - f), W = G (S/i) G^dag and Z = 1 - dSigma/dE, hbar = 1:
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

from typing import NamedTuple

import numpy as np

from llgnegf.response.pair_kernel import pair_traces
from llgnegf.response.pairs import DensePairs, separate_dark_states
from llgnegf.static.quadrature import Integral
from llgnegf.static.steady_state import Density, SteadyState
from llgnegf.static.window import Window


class GainingMode(NamedTuple):
    """Motion by which the moments gain energy: power into the electrons = eigenvalue |dM/dt|^2 < 0.

    Attributes:
        eigenvalue: Lowest eigenvalue of the friction between directions normal to the moments, eV fs.
        vector: Its direction, (N, 3), of norm 1.
    """

    eigenvalue: float
    vector: np.ndarray


def window_response(state: SteadyState, pairs: DensePairs, j_sd: np.ndarray) -> Integral:
    """K/(hbar J_j) in 1/eV^2 and (d<s_i>/dM_j)/J_j in 1/eV of the window, (2, P, 3, 3); j_sd as for `on_axis`."""

    def density(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        difference = state.occupation_difference(origin, offset)
        (green, _), (slope, _), (_, turned) = pairs.blocks(origin + offset, [difference], slope=True)
        traces = pair_traces(slope, turned).imag, pair_traces(green, turned).real
        return np.stack(traces, axis=1) / -np.pi

    return on_axis(state, pairs, state.window(pairs), density, (2, pairs.i.size, 3, 3), j_sd)


def window_spin_density(state: SteadyState, pairs: DensePairs) -> np.ndarray:
    """<s_i> of the window, (N, 3): what the differences of filling add to the stationary state, int dE/2pi W_ii."""
    own = np.flatnonzero(pairs.i == pairs.j)

    def density(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        components, _ = pairs.blocks(origin + offset, [state.occupation_difference(origin, offset)])[1]
        return components[:, 1:, own].real.swapaxes(1, 2) / np.pi

    return on_axis(state, pairs, state.window(pairs), density, (own.size, 3)).value


def on_axis(
    state: SteadyState, pairs: DensePairs, window: Window, density: Density, shape: tuple[int, ...],
    j_sd: np.ndarray | None = None,
) -> Integral:  # fmt: skip
    """int dE of a density over the open parts of a window; zeros of `shape` where there is none.

    With `j_sd` (N,) QuadratureError for a dark state there that motion mixes with damped levels.
    """
    if not window.panels:
        return Integral(np.zeros(shape), 0.0, 0)
    if j_sd is not None:
        separate_dark_states(state.device, j_sd, *state.reach)
    what = "ResponseTensors, leads that differ in filling"
    found = window.where(state.device.is_open).integral(density, state.tolerance, pairs.entries, what)
    return Integral(np.broadcast_to(found.value, shape), found.error, found.evaluations)


def gaining_mode(friction: np.ndarray, moments: np.ndarray, error: float) -> GainingMode | None:
    """The mode of the lowest eigenvalue of the friction (N, 3, N, 3), None unless that is below -`error`, eV fs."""
    n = len(moments)
    values, vectors = np.linalg.eigh(friction.reshape(3 * n, 3 * n))
    return GainingMode(float(values[0]), vectors[:, 0].reshape(n, 3)) if values[0] < -error else None
