"""The LLG equation of a magnet in compiled form, and the equation of motion of moments alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llgnegf._compile import resolved
from llgnegf.equations.kernels import moments as kernels
from llgnegf.equations.layout import Layout
from llgnegf.equations.protocol import Equation, Stages
from llgnegf.problem.drives import Drive
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.thermal_field import ThermalField
from llgnegf.problem.magnetism.torques import Amplitudes
from llgnegf.units import HBAR

NO_TORQUES = Amplitudes.of([], 0, 0.0)
"""Amplitudes of no sites."""


class LLG:
    """What the compiled LLG equation takes of a magnet.

    Args:
        magnet: The moments.
        time_unit: fs in the unit of time of the rates.
        thermal: The field of a bath, t in fs -> b (eV, (N, 3)); None without noise.
    """

    def __init__(self, magnet: Magnet, time_unit: float = 1.0, thermal: ThermalField | None = None) -> None:
        self.magnet, self.free, self.thermal = magnet, magnet.moving, thermal
        matrix, energy = magnet.energy.matrix, magnet.energy
        csr = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data.astype(float)
        self.energy = kernels.Energy(*csr, energy.cubic_constants, energy.cubic_axes)
        damping = np.array(magnet.damping, dtype=float)
        self.constants = kernels.Moments(self.energy, time_unit * magnet.prefactor, damping, self.free)
        self._torque = np.zeros((magnet.n_sites, 3))
        self._constant = np.array(energy.constant) if energy.is_constant else None
        self._placed = np.array(magnet.moments, dtype=float)
        self._add = resolved(
            kernels.add_spin_transfer, self._placed, self.amplitudes(0.0), magnet.prefactor, self._torque
        )

    def place(self, time: float, moments: np.ndarray) -> np.ndarray:
        """M (N, 3) with prescribed moments as at `time` (fs); an array of this object unless none is prescribed."""
        if self.magnet.prescribed is None:
            return moments
        self._placed[:] = moments
        self.magnet.place(time, self._placed)
        return self._placed

    def linear(self, time: float, moments: np.ndarray) -> np.ndarray:
        """b (eV, (N, 3)) at `time` (fs) beside the compiled parts of the energy: -dH/dM of others, and the bath's."""
        linear = self._constant
        if linear is None:
            linear = np.ascontiguousarray(self.magnet.energy.linear(time, moments), dtype=float)
        return linear if self.thermal is None else linear + self.thermal(time)

    @property
    def is_still(self) -> bool:
        """Whether all that acts on the moments is constant, but for what compiled functions know."""
        constant = self.magnet.energy.is_constant and self.magnet.prescribed is None and self.thermal is None
        return constant and self.is_linear_in_time

    @property
    def is_linear_in_time(self) -> bool:
        """Whether `given` does not hang on the moments, nor the torques of external currents on time."""
        return not self.magnet.energy.others and all(torque.is_static for torque in self.magnet.torques)

    def given(self, times: Sequence[float], moments: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The prescribed moments (S, k, 3) and `linear` (S, N, 3) at `times` (fs), this for `moments`."""
        moments = self._placed if moments is None else moments
        if self.magnet.prescribed is None:
            return np.empty((len(times), 0, 3)), stacked([self.linear(time, moments) for time in times])
        sites, placed, linear = list(self.magnet.prescribed[0]), [], []
        for time in times:
            there = self.place(time, moments)
            placed.append(there[sites])
            linear.append(self.linear(time, there))
        return stacked(placed), stacked(linear)

    def external_torque(self, time: float, moments: np.ndarray) -> np.ndarray:
        """The torques of external currents (eV, (N, 3)) at `time` (fs); an array of this object."""
        self._torque[:] = 0.0
        if self.magnet.torques:
            self._add(moments, self.amplitudes(time), self.magnet.prefactor, self._torque)
        return self._torque

    def amplitudes(self, time: float) -> Amplitudes:
        """Of all spin-transfer torques at `time` (fs), as compiled functions take them."""
        return self.magnet.amplitudes(time) if self.magnet.torques else NO_TORQUES

    def rate(self, moments: np.ndarray, time: float = 0.0, electron_torque: np.ndarray | None = None) -> np.ndarray:
        """dM/dt (N, 3) at `time` (fs), the electrons' torque J_sd <s> x M (eV, (N, 3)) added to the external one."""
        moments = np.array(moments, dtype=float)
        torque, out = self.external_torque(time, moments), np.empty_like(moments)
        if electron_torque is not None:
            torque += electron_torque
        kernels.moment_rates(self.constants, moments, self.linear(time, moments), torque, out)
        return out

    def normalise(self, moments: np.ndarray) -> None:
        """|M| = 1 in place, (N, 3), of free moments: an error in the length, of the order of a step's local error, is
        removed. Pinned and prescribed ones are left as they are."""
        kernels.normalise_free(moments, self.free)


def stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of one shape as one array of floats, in the order of C; of one array no more than a view."""
    return np.ascontiguousarray(arrays[0], dtype=float)[None] if len(arrays) == 1 else np.array(arrays, dtype=float)


class MomentEquation(Equation):
    """d(state)/d(t/hbar) of moments alone; the state is M, (3N,)."""

    time_unit = HBAR

    def __init__(self, magnet: Magnet) -> None:
        self.magnet, self.llg = magnet, LLG(magnet, HBAR)
        self.layout = Layout(0, (), 0, magnet.n_sites, 0)
        self.size, self.sections, self.evaluations = self.layout.size, self.layout.sections, 0
        vectors = np.zeros((magnet.n_sites, 3))
        self._rates = resolved(kernels.moment_rates, self.llg.constants, vectors, vectors, vectors, vectors)
        state, many = np.zeros(self.size), np.zeros((1, self.size))
        amplitudes, linear = self.llg.amplitudes(0.0), np.zeros((1, *vectors.shape))
        self._compiled = resolved(
            kernels.moment_stages, state, 0.0, many, many, 0, self.llg.constants, linear, amplitudes, magnet.prefactor
        )

    def drives(self) -> tuple[Drive, ...]:
        return self.magnet.drives()

    def moments_at(self, tau: float, free: np.ndarray) -> np.ndarray:
        """M at t/hbar = tau, (N, 3), from the moments in the state."""
        return self.llg.place(tau * HBAR, free)

    def __call__(self, tau: float, state: np.ndarray, derivative: np.ndarray) -> None:
        self.evaluations += 1
        moments = self.moments_at(tau, self.layout.moments(state))
        linear = self.llg.linear(tau * HBAR, moments)
        torque = self.llg.external_torque(tau * HBAR, moments)
        self._rates(self.llg.constants, moments, linear, torque, self.layout.moments(derivative))

    def stages(self) -> Stages | None:
        """As `Equation.stages`: of free and pinned moments, where what acts on them does not hang on them."""
        return self._stages if self.llg.is_linear_in_time and self.magnet.prescribed is None else None

    def _stages(
        self, start: np.ndarray, length: float, weights: np.ndarray, times: np.ndarray, slopes: np.ndarray, first: int
    ) -> None:
        """As `protocol.Stages`."""
        self.evaluations += len(weights)
        magnet, (_, linear) = self.magnet, self.llg.given([HBAR * tau for tau in times.tolist()], None)
        amplitudes, prefactor = self.llg.amplitudes(0.0), magnet.prefactor
        self._compiled(start, length, weights, slopes, first, self.llg.constants, linear, amplitudes, prefactor)

    def normalise(self, moments: np.ndarray) -> None:
        """|M| = 1 in place, (N, 3)."""
        self.llg.normalise(moments)

    def project(self, state: np.ndarray) -> None:
        self.normalise(self.layout.moments(state))
