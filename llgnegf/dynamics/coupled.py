"""Right-hand sides with moments that answer: electrons and LLG equation as one state, and moments alone.

Nothing is staggered: torque and field of an instant come from the state of that instant, so the coupled scheme has the
order of the integrator.
"""

from __future__ import annotations

import numpy as np

from llgnegf.dynamics.equation import Equation
from llgnegf.dynamics.kernel import sd_torque
from llgnegf.dynamics.layout import Layout
from llgnegf.magnetism.llg import llg_kernel
from llgnegf.magnetism.magnet import Magnet
from llgnegf.magnetism.torques import spin_transfer_kernel
from llgnegf.poles.channels import PoleSystem
from llgnegf.units import HBAR


class _Moments:
    """The LLG part of a right-hand side: dM/d(t/hbar) for given electron torques."""

    def __init__(self, magnet: Magnet) -> None:
        self.compiled = magnet.compile()
        self.free = np.array(self.compiled.moving)
        self._placed = np.array(magnet.moments, dtype=float)

    def at(self, tau: float, moments: np.ndarray) -> np.ndarray:
        """M with prescribed moments in place; the array belongs to this object unless all are free or pinned."""
        if self.compiled.prescribed is None:
            return moments
        self._placed[:] = moments
        self.compiled.place(tau * HBAR, self._placed)
        return self._placed

    def rate(self, tau: float, moments: np.ndarray, torque: np.ndarray, out: np.ndarray) -> None:
        """dM/d(t/hbar) into `out`; `torque` (eV) holds the electrons' and gets the spin-transfer torques added."""
        c, time = self.compiled, tau * HBAR
        if c.torques:
            a = c.amplitudes(time)
            spin_transfer_kernel(
                moments, a.damping_like, a.field_like, a.drift, a.nonadiabatic, c.prefactor, torque
            )
        llg_kernel(
            moments, *c.arrays, c.energy.linear(time), c.energy.cubic_constants, c.energy.cubic_axes, torque,
            c.prefactor, c.damping, self.free, out,
        )  # fmt: skip
        out *= HBAR

    def project(self, moments: np.ndarray) -> None:
        """|M| = 1 after a step: the step's own error in the length, of the order of its local error, is removed."""
        moments[self.free] /= np.linalg.norm(moments[self.free], axis=1, keepdims=True)


class CoupledEquation(Equation):
    """d(state)/d(t/hbar) of electrons and moments that obey the LLG equation under the electrons' torque.

        dM_i/dt = (a_i + lambda M_i x a_i)/(1 + lambda^2),  a_i = -g M_i x B_i + (g/mu_i) (T_ext + J_sd <s_i> x M_i)

    with the full spin density <s_i> of rho(t), its adiabatic part included.
    """

    def __init__(self, poles: PoleSystem, magnet: Magnet) -> None:
        super().__init__(poles, None, n_moments=magnet.n_sites)
        self.magnet = magnet
        self._llg = _Moments(magnet)
        self._torque = np.zeros((magnet.n_sites, 3))
        self._j_sd = np.array(self.system.electrons.j_sd, dtype=float)

    def moments_at(self, tau: float, state: np.ndarray) -> np.ndarray:
        return self._llg.at(tau, self.layout.moments(state))

    def __call__(self, tau: float, state: np.ndarray, derivative: np.ndarray) -> None:
        moments = self.moments_at(tau, state)
        self.electrons(tau, state, moments, derivative)
        real, imag = self.layout.electrons(state)
        sd_torque(self.arrays.n, self.layout.columns, real, imag, self._j_sd, moments, self._torque)
        self._llg.rate(tau, moments, self._torque, self.layout.moments(derivative))

    def project(self, state: np.ndarray) -> None:
        """Restore |M| = 1 in an accepted state."""
        self._llg.project(self.layout.moments(state))


class ClassicalEquation:
    """d(state)/d(t/hbar) of moments alone; the state is M, (3 N,)."""

    def __init__(self, magnet: Magnet) -> None:
        self.magnet = magnet
        self.layout = Layout(0, (), 0, magnet.n_sites, 0)
        self._llg = _Moments(magnet)
        self._torque = np.zeros((magnet.n_sites, 3))
        self.evaluations = 0

    def moments_at(self, tau: float, state: np.ndarray) -> np.ndarray:
        """M at t/hbar = tau, (N, 3)."""
        return self._llg.at(tau, self.layout.moments(state))

    def __call__(self, tau: float, state: np.ndarray, derivative: np.ndarray) -> None:
        """Write dM/d(t/hbar) into `derivative`."""
        self.evaluations += 1
        self._torque[:] = 0
        self._llg.rate(tau, self.moments_at(tau, state), self._torque, self.layout.moments(derivative))

    def project(self, state: np.ndarray) -> None:
        """Restore |M| = 1 in an accepted state."""
        self._llg.project(self.layout.moments(state))
