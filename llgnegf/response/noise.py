"""Noise of the electrons' spins in a stationary state: thermal, shot noise and what is between.

b_i = J_i sigma_i fluctuates around its mean. For electrons without interaction Wick's theorem leaves
    int dt (1/2) <{delta b_ia(t), delta b_jb(0)}>
        = (hbar/2) J_i J_j int dE/2pi { Tr sigma_a G^>_ij sigma_b G^<_ji + (ia <-> jb) }
with G^< = i sum_p f_p A_p, G^> = -i sum_p (1 - f_p) A_p, A_p = G Gamma_p G^dag: f_p (1 - f_q) for each pair of leads.
In equilibrium f (1 - f) = -kT df/dE and it is 2 kT times the friction; at kT = 0 the pairs remain of which
one lead is full and the other empty. Each energy gives the Gram matrix of sqrt(-i G^<) sigma_a P_i sqrt(i G^>).
"""

from __future__ import annotations

import numpy as np

from llgnegf.problem.occupation import fermi
from llgnegf.response.bias import over_window
from llgnegf.response.pair_kernel import pair_traces
from llgnegf.response.pairs import DensePairs
from llgnegf.static.quadrature import Integral
from llgnegf.static.steady_state import SteadyState


def window_noise(state: SteadyState, pairs: DensePairs, j_sd: np.ndarray) -> Integral:
    """The correlator over hbar J_i J_j in 1/eV, (P, 3, 3); j_sd as for `over_window`."""
    device = state.device

    def density(pairs: DensePairs, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
        x = (origin[:, None] - device.chemical_potentials) + offset[:, None]
        # 1 - f(x) = f(-x): no difference of nearly equal numbers where all leads are full.
        filled, empty = fermi(x, 0.0, device.temperatures), fermi(-x, 0.0, device.temperatures)
        _, (greater, _), (_, lesser) = pairs.on_axis(origin, offset, [empty, filled])
        return pair_traces(greater, lesser).real / (2 * np.pi)

    return over_window(state, pairs, state.fermi_window, density, 2, j_sd)
