"""A device Hamiltonian that changes: written into the constants of the compiled right-hand side before each call.

    dE/dt = Tr[rho dH/dt] - outflow,    E = Tr[rho H_0(t)] + E_int[rho] - sum_i J_i <s_i>.M_i

(dH/dt at fixed rho, with moments whose motion is given: the field of an interaction is the derivative of E_int.)
"""

from __future__ import annotations

import numpy as np

from llgnegf.equations.kernels.leads import Electrons as Constants
from llgnegf.equations.layout import Layout
from llgnegf.problem.electrons import Electrons
from llgnegf.problem.observables import spin_of_sites


class ChangingDevice:
    """H(t, rho) and J_sd(t) on the way through a run.

    Args:
        electrons: The electrons.
        layout: Of the state.
    """

    def __init__(self, electrons: Electrons, layout: Layout) -> None:
        self.electrons, self.device = electrons, electrons.device
        self._places = layout.rows[0, self.device.rows] + self.device.indices
        self._rho = np.zeros(self._places.size, dtype=complex)

    def follow(self, time: float, real: np.ndarray, imag: np.ndarray, constants: Constants) -> None:
        """Take H and J_sd of `time` (fs) and of the density matrix in the planes of a state."""
        self._rho.real, self._rho.imag = real[self._places], imag[self._places]
        self.hold(time, self.device.onsite_blocks(self._rho), constants)

    def hold(self, time: float, blocks: np.ndarray, constants: Constants) -> None:
        """Take H and J_sd of `time` (fs) and of rho_ii (N, 2, 2)."""
        elements = self.device.elements(time, blocks)
        constants.hamiltonian.real[:], constants.hamiltonian.imag[:] = elements.real, elements.imag
        constants.j_sd[:] = self.electrons.j_sd_at(time)

    def energy(self, time: float, real: np.ndarray, imag: np.ndarray, moments: np.ndarray) -> float:
        """Tr[rho H_0(t)] - sum_i J_i <s_i>.M_i in eV of the density matrix in the planes of a state."""
        rho = real[self._places] + 1j * imag[self._places]
        coupled = self.electrons.j_sd_at(time) @ np.sum(spin_of_sites(self.device.onsite_blocks(rho)) * moments, axis=1)
        return float(np.vdot(rho, self.device.elements(time)).real - coupled)

    def power(self, time: float, moments: np.ndarray, velocity: np.ndarray) -> float:
        """Tr[rho dH/dt] - sum_i <s_i>.[dJ_i/dt M_i + J_i dM_i/dt] in eV/fs for the state that was followed last.

        `velocity` is dM/dt (1/fs) of moments whose motion is given, 0 for the others, (N, 3).
        """
        power = float(np.vdot(self._rho, self.device.rates(time)).real)  # Tr[rho A] = sum rho_ab^* A_ab
        rates = self.electrons.j_sd_rate(time)[:, None] * moments + self.electrons.j_sd_at(time)[:, None] * velocity
        return power - float(np.sum(spin_of_sites(self.device.onsite_blocks(self._rho)) * rates))
