"""Equation of motion of slow moments: LLG with the adiabatic torque, friction and geometric tensors of the electrons.

The right-hand side of slow runs, and the deterministic part of `integrators.heun`.

    dM_i/dt = -p_i M_i x h_i + lambda_i M_i x dM_i/dt + p_i T_ext,     p = g/mu_M,
    h_i     = -dH/dM_i + J_i <s_i>_ad - sum_j [(friction + geometric) dM/dt]_i          (eV, conjugate to M_i)
is linear in dM/dt: with X_i v = M_i x v and a = -p M x (-dH/dM + J <s>_ad) + p T_ext,
    [1 - X (lambda + p (friction + geometric))] dM/dt = a.
Every term of it is normal to M, so the solution is tangential without further projection. For |M| != 1 inside a stage
everything is taken at M/|M|: the length is a constant of the motion. The free energy F = H + Omega falls at the rate
dM/dt.(friction + lambda/p).dM/dt when nothing depends on time; the geometric tensor, antisymmetric, does no work.
Under bias "ad" is the stationary state, whose torque has no potential, and friction may be negative.
Moments that are a layer of their own have P^T J <s> for their field and P^T K P for their tensors
(`problem.magnetism.placement`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf.equations.kernels.slow import (
    add_spin_fields,
    energy_fields,
    largest,
    place_on_spheres,
    pole_stages,
    precession_rates,
    products,
    rotated,
    solve,
    velocity_matrices,
)
from llgnegf.equations.moments import LLG
from llgnegf.equations.protocol import NO_WEIGHTS, Equation, Section, Stages
from llgnegf.problem.drives import Drive
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.placement import Placement
from llgnegf.response.fast_tensors import Adiabatic, PoleTensors, SlowElectrons, Tensors

SPEED_MARGIN = 4.0
"""The tensors are first computed to the accuracy that moments this much faster than without tensors would need."""
ROUND_OFF = 1e-12
"""Friction below this part of what a motion precesses with, and noise below it of the largest, are none."""


@dataclass(frozen=True, eq=False)
class Instant:
    """The linear equation for dM/dt of B configurations at one time.

    Attributes:
        moments: Unit vectors (B, N, 3).
        force: a of the module's docstring, 1/fs, (B, N, 3); the given velocity of sites that do not obey the LLG.
        precession: p_i of sites that do and 0 of the others, 1/(eV fs), (N,).
        damping: lambda_i, (N,).
        matrix: 1 - X (lambda + p (friction + geometric)), (B, 3N, 3N); None without electrons: solved site by site.
        electrons, tensors: What the electrons gave on their sites; None without them.
        friction: The friction tensor between moments in eV fs, (B, 3n, 3n); None without electrons.
        noise: The correlator of the electrons' field between moments in eV^2 fs, (B, 3n, 3n), where it was asked for
            and they are not in equilibrium; else None.
    """

    moments: np.ndarray
    force: np.ndarray
    precession: np.ndarray
    damping: np.ndarray
    matrix: np.ndarray | None
    electrons: Adiabatic | None
    tensors: Tensors | None
    friction: np.ndarray | None = None
    noise: np.ndarray | None = None

    @cached_property
    def velocity(self) -> np.ndarray:
        """dM/dt in 1/fs, (B, N, 3)."""
        return self._solve(self.force)

    def answer(self, field: np.ndarray) -> np.ndarray:
        """R field: dM/dt (1/fs) of a field (eV, conjugate to M) alone, both (B, N, 3); given velocities left out."""
        return self._solve(precession_rates(self.moments, field, self.precession))

    @cached_property
    def tangents(self) -> np.ndarray:
        """Orthonormal directions in which moments obey the LLG, as columns, (B, 3n, 2f) for f of them."""
        free = np.flatnonzero(self.precession > 0)
        m = self.moments[:, free]
        first = cross(m, np.eye(3)[np.argmin(np.abs(m), axis=-1)])
        first /= np.linalg.norm(first, axis=-1, keepdims=True)
        out = np.zeros((*self.moments.shape, 2 * free.size))
        for k, vectors in enumerate((first, cross(m, first))):
            out[:, free, :, 2 * np.arange(free.size) + k] = vectors.swapaxes(0, 1)
        return out.reshape(len(m), -1, 2 * free.size)

    @cached_property
    def mobility(self) -> np.ndarray:
        """R = (Q + Gamma)^-1 between the `tangents` in 1/(eV fs), (B, 2f, 2f); with electrons."""
        assert self.matrix is not None
        batch, _, count = self.tangents.shape
        right = np.empty((batch, self.moments[0].size, count))
        for k in range(count):
            field = self.tangents[:, :, k].reshape(self.moments.shape)
            right[:, :, k] = precession_rates(self.moments, field, self.precession).reshape(batch, -1)
        return self.tangents.swapaxes(1, 2) @ np.linalg.solve(self.matrix, right)

    def least_damped(self) -> tuple[float, str]:
        """The smallest eigenvalue of Gamma (eV fs), friction and damping between the tangents, and its motion in words.

        Where it is negative the electrons hand energy to that motion; 0 where it is no more than round-off.
        """
        inverse = np.linalg.inv(self.mobility)
        values, vectors = np.linalg.eigh(0.5 * (inverse + inverse.swapaxes(1, 2)))
        worst = int(np.argmin(values[:, 0]))
        motion = (self.tangents[worst] @ vectors[worst, :, 0]).reshape(-1, 3)
        sizes = np.linalg.norm(motion, axis=1)
        first = int(np.argmax(sizes))
        along = np.array2string(motion[first] / sizes[first], precision=2, suppress_small=True)
        moments = np.flatnonzero(sizes > 0.5 * sizes[first]).tolist()
        value = float(values[worst, 0])
        if abs(value) <= ROUND_OFF * np.abs(inverse[worst]).max():
            value = 0.0
        return value, f"friction of {value:.3g} eV fs for the motion of moments {moments}, moment {first} along {along}"

    def _solve(self, right: np.ndarray) -> np.ndarray:
        if self.matrix is not None:
            return solve(self.matrix, right.reshape(len(right), -1)).reshape(right.shape)
        damping = np.where(self.precession > 0, self.damping, 0.0)[:, None]
        return (right + damping * cross(self.moments, right)) / (1 + damping**2)


class SlowEquation(Equation):
    """The equation of motion of the module's docstring; times in fs, the state is M of one configuration, (3N,).

    Args:
        magnet: The moments.
        electrons: Electrons that follow; None for moments alone.
        response: Which tensors act: any of "geometric" and "friction"; () is the adiabatic torque alone.
        noisy: Whether friction is the source of noise as well, and needed to an accuracy of its own.
    """

    time_unit = 1.0

    def __init__(
        self,
        magnet: Magnet,
        electrons: SlowElectrons | None,
        response: Sequence[str] = ("geometric", "friction"),
        noisy: bool = False,
    ) -> None:
        self.magnet, self.electrons, self.noisy, self.llg = magnet, electrons, noisy, LLG(magnet)
        self.friction, self.geometric = "friction" in response, "geometric" in response
        self.moving = self.llg.free
        self.precession = np.where(self.moving, magnet.prefactor, 0.0)
        self.j_sd = np.zeros(magnet.n_sites) if electrons is None else np.asarray(electrons.j_sd, dtype=float)
        self.placement: Placement | None = None if electrons is None else magnet.placement(self.j_sd.size)
        self.size = 3 * magnet.n_sites
        self.sections, self.evaluations = (Section("moments", 0, self.size),), 0
        self._compiled = self._compiled_arguments()

    def drives(self) -> tuple[Drive, ...]:
        return self.magnet.drives()

    def __call__(self, time: float, state: np.ndarray, derivative: np.ndarray) -> None:
        self._stages(state, 0.0, NO_WEIGHTS, np.array([time]), derivative[None], 0)

    def project(self, state: np.ndarray) -> None:
        state[:] = place_on_spheres(state.reshape(1, -1, 3)).ravel()

    def instant(self, time: float, moments: np.ndarray, noise: bool = False) -> Instant:
        """The linear equation at `time` (fs) for moments (B, N, 3), the correlator of the `noise` with it if asked."""
        self.evaluations += 1
        m = self.place(time, moments)
        field, rest = self._field(m, time)
        force = self._force(m, field, time)
        if rest is None:
            return Instant(m, force, self.precession, self.llg.constants.damping, None, None, None)
        if self.noisy:
            return self._instant(m, rest, force, None, noise)
        speed = SPEED_MARGIN * largest(force)
        instant = self._instant(m, rest, force, speed)
        fastest = largest(instant.velocity)
        return instant if fastest <= speed else self._instant(m, rest, force, fastest)

    def frequency(self, time: float, moments: np.ndarray) -> float:
        """Largest p |h| (rad/fs) of moments (B, N, 3) at rest: what they precess with when they leave equilibrium."""
        field, _ = self._field(self.place(time, moments), time)
        return float((self.precession * np.sqrt(np.sum(field**2, axis=-1))).max())

    def rate(self, time: float, state: np.ndarray) -> np.ndarray:
        """dM/dt (3N,) in 1/fs of one configuration (3N,)."""
        return self.instant(time, state.reshape(1, -1, 3)).velocity.ravel()

    def stages(self) -> Stages:
        """As `Equation.stages`."""
        return self._stages

    def _stages(
        self, start: np.ndarray, length: float, weights: np.ndarray, times: np.ndarray, slopes: np.ndarray, first: int
    ) -> None:
        """As `protocol.Stages`: in one compiled call where there is one, stage by stage where that gives up."""
        done, linear = 0, None
        if self._compiled is not None:
            linear = np.stack([self.magnet.energy.linear(t) for t in times])
        while done < times.size:
            if linear is not None:
                begin = done
                done = pole_stages(start, length, weights, linear, slopes, first, begin, *self._compiled)
                self.evaluations += done - begin
            if done < times.size:
                weight = weights[done, : first + done]
                slopes[first + done] = self.rate(times[done], start + length * (weight @ slopes[: first + done]))
                done += 1

    def place(self, time: float, moments: np.ndarray) -> np.ndarray:
        """Unit vectors (B, N, 3), those that are prescribed in the place of `time` (fs)."""
        m = place_on_spheres(moments)
        for one in m if self.magnet.prescribed is not None else ():
            self.magnet.place(time, one)
        return m

    def on_electrons(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors of the moments (..., n, 3) as the electron sites have them, (..., N, 3)."""
        return vectors if self.placement is None else self.placement.to_electrons(vectors)

    def on_moments(self, torques: np.ndarray) -> np.ndarray:
        """What sites (..., N, 3) add up to on their moments, (..., n, 3)."""
        return torques if self.placement is None else self.placement.to_moments(torques)

    def _compiled_arguments(self) -> Any:
        """The last arguments of `pole_stages`; None if only `instant` knows how."""
        beyond = self.magnet.torques or self.magnet.prescribed is not None or self.magnet.energy.others or self.noisy
        beyond = beyond or self.placement is not None
        if beyond or not isinstance(self.electrons, PoleTensors) or not self.electrons.compilable:
            return None
        electrons, surface, accuracy = self.electrons.compiled(SPEED_MARGIN)
        magnet = self.llg.constants._replace(prefactor=self.precession)
        return magnet, electrons, surface, (self.friction, self.geometric), accuracy

    def _field(self, m: np.ndarray, time: float) -> tuple[np.ndarray, Adiabatic | None]:
        """-dH/dM + J <s>_ad (eV), (B, N, 3), and the electrons behind it."""
        field = energy_fields(self.llg.energy, m, self.magnet.energy.linear(time))
        for term in self.magnet.energy.others:
            field -= np.stack([term.gradient(one, self.magnet.magnetic_moment, time) for one in m])
        if self.electrons is None:
            return field, None
        rest = self.electrons.adiabatic(self.on_electrons(m), self.geometric)
        if self.placement is None:
            add_spin_fields(field, self.j_sd, rest.spin)
        else:
            field += self.placement.to_moments(self.j_sd[:, None] * rest.spin)
        return field, rest

    def _force(self, m: np.ndarray, field: np.ndarray, time: float) -> np.ndarray:
        """a of the module's docstring, and given velocities, (B, N, 3)."""
        force = precession_rates(m, field, self.precession)
        if self.magnet.torques:
            torques = np.stack([self.llg.external_torque(time, one).copy() for one in m])
            force += self.precession[:, None] * (torques - np.sum(torques * m, axis=-1, keepdims=True) * m)
        if self.magnet.prescribed is not None:
            sites, drive = self.magnet.prescribed
            force[:, list(sites)] = drive.rate(time)
        return force

    def _instant(
        self, m: np.ndarray, rest: Adiabatic, force: np.ndarray, speed: float | None, noise: bool = False
    ) -> Instant:
        assert self.electrons is not None
        tensors = self.electrons.tensors(rest, self.friction, self.geometric, speed, noise)
        friction, geometric, correlator = tensors.friction, tensors.geometric, tensors.noise
        if self.placement is not None:
            friction, geometric = (self.placement.between_moments(t) for t in (friction, geometric))
            correlator = None if correlator is None else self.placement.between_moments(correlator)
        damping = self.llg.constants.damping
        matrix = velocity_matrices(m, friction, geometric, self.precession, damping)
        return Instant(m, force, self.precession, damping, matrix, rest, tensors, friction, correlator)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a x b for arrays (..., 3) of one shape; a tenth of the time that `np.cross` takes for a few vectors."""
    assert a.shape == b.shape
    return products(_rows(a), _rows(b)).reshape(a.shape)


def rotate(angle: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """`moments` turned by the rotation vectors `angle` (rad), both (..., 3); of length 1 to round-off."""
    assert angle.shape == moments.shape
    return rotated(_rows(angle), _rows(moments)).reshape(moments.shape)


def _rows(vectors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(vectors).reshape(-1, 3)
