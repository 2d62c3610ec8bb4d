"""Spin-transfer torques of an external current, the T_ext of the LLG equation.

They are no part of an energy; `magnet.py` adds them up, `equations.moments` turns the sums into eV.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from llgnegf.problem.drives import Drive, unknown_drives
from llgnegf.problem.magnetism.fields import Declared, direction, distance, strength


class SpinTransferTorque(Declared):
    """A torque on the moments from an external current; its amplitudes may depend on time.

    Every torque is linear in four sets of amplitudes, so that any number of them is one `Amplitudes`.
    """

    is_static: bool

    def drives(self) -> tuple[Drive, ...]:
        """What changes in time. Of a torque that is not static and does not say more, the drives among its attributes
        are known, and that there may be another one."""
        return () if self.is_static else unknown_drives(self)

    def add_to(self, amplitudes: Amplitudes, t: float) -> None:
        """Add the amplitudes at time `t` (fs) of this torque in place."""
        raise NotImplementedError


class Amplitudes(NamedTuple):
    """Spin-transfer torques at one instant, as the compiled torque takes them.

    Attributes:
        damping_like, field_like: Sums of a_DL p and a_FL p (eV), (n_sites, 3).
        drift, nonadiabatic: Sums of u and beta u (sites/fs), (n_sites,).
    """

    damping_like: np.ndarray
    field_like: np.ndarray
    drift: np.ndarray
    nonadiabatic: np.ndarray

    @classmethod
    def of(
        cls, torques: Iterable[SpinTransferTorque], n_sites: int, t: float, others: Amplitudes | None = None
    ) -> Amplitudes:
        """The sum of `torques` at time `t` (fs), and of `others`."""
        shapes = ((n_sites, 3), (n_sites, 3), n_sites, n_sites)
        total = cls(*(np.zeros(shape) for shape in shapes) if others is None else map(np.copy, others))
        for torque in torques:
            torque.add_to(total, t)
        return total


class _DeclaredTorque(SpinTransferTorque):
    """A torque that depends on time where a declared amplitude does."""

    def drives(self) -> tuple[Drive, ...]:
        return self.declared_drives()

    @property
    def is_static(self) -> bool:  # type: ignore[override]
        return not self.drives()


@dataclass(frozen=True, eq=False)
class SlonczewskiTorque(_DeclaredTorque):
    """Torque of a current polarised along p: T_i = a_DL M_i x (p x M_i) + a_FL p x M_i, added as (g/mu_M) T.

    Signs: a_DL > 0 pulls M towards p. a_FL > 0 acts as a magnetic field a_FL/mu_M along +p, i.e. as the energy
    -a_FL p.M: M precesses counter-clockwise about +p. It is the form of the electron torque J_sd <s> x M, p along <s>.

    Args:
        damping_like: a_DL (eV): a number, one for each site, or a function of time (fs) that returns either.
        field_like: a_FL (eV), likewise.
        polarization: p: 'x', 'y', 'z' or a non-zero 3-vector (its length is of no account).
    """

    damping_like: Any = strength("eV", driven=True, in_file=0.0)
    field_like: Any = strength("eV", driven=True, in_file=0.0)
    polarization: Any = direction()
    name: ClassVar[str] = "slonczewski"

    def __post_init__(self) -> None:
        problems = self.read_fields()
        problems.raise_all()
        if not any(callable(a) or np.any(a) for a in (self.damping_like, self.field_like)):
            problems.add("damping_like", self.damping_like, "not zero if field_like is (leave the torque out)")
        problems.raise_all()

    def add_to(self, amplitudes: Amplitudes, t: float) -> None:
        n_sites = len(amplitudes.drift)
        amplitudes.damping_like[:] += self.at("damping_like", n_sites, t)[:, None] * self.polarization
        amplitudes.field_like[:] += self.at("field_like", n_sites, t)[:, None] * self.polarization


@dataclass(frozen=True, eq=False)
class ZhangLiTorque(_DeclaredTorque):
    """Torque of a current along the chain on a texture: (g/mu_M) T_i = -u dM/dx + beta u M x dM/dx.

    It stands beside the precession in the implicit equation dM/dt = -g M x B + lambda M x dM/dt + (g/mu_M) T.
    Sign: u > 0 carries a texture towards +x (larger site numbers); at beta = lambda it moves rigidly with
    velocity u, since M(x - u t) then solves the equation term by term.

    dM/dx in lattice constants is the central difference (M_{i+1} - M_{i-1})/2, one-sided at the two ends, without
    its part along M_i.

    Args:
        velocity: u: a number, one for each site, or a function of time (fs) that returns either; in sites/fs,
            or in angstrom/fs if `spacing` is given.
        nonadiabaticity: beta, dimensionless: a number, or one for each site.
        spacing: Lattice constant (angstrom), positive; None if the velocity is in sites/fs.
    """

    velocity: Any = strength("sites/fs, or angstrom/fs with spacing", driven=True)
    nonadiabaticity: Any = strength("", default=0.0)
    spacing: float | None = distance("> 0, in angstrom, or None", default=None)
    name: ClassVar[str] = "zhang_li"
    least_sites = 2

    def __post_init__(self) -> None:
        problems = self.read_fields()
        if not callable(self.velocity) and self.velocity is not None:
            problems.check(bool(np.any(self.velocity)), "velocity", self.velocity, "not zero (leave the torque out)")
        problems.raise_all()

    def add_to(self, amplitudes: Amplitudes, t: float) -> None:
        n_sites = len(amplitudes.drift)
        drift = self.at("velocity", n_sites, t) / (self.spacing or 1.0)
        amplitudes.drift[:] += drift
        amplitudes.nonadiabatic[:] += drift * self.at("nonadiabaticity", n_sites)
