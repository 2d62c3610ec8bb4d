"""Spin-transfer torques of an external current, the T_ext of the LLG equation.

They are no part of an energy; `magnet.py` adds them up, `spin_transfer_kernel` of `llg.py` turns the sums into eV.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from llgnegf._checks import Problems, as_numbers, dimensions
from llgnegf.problem.arguments import PER_SITE, Argument, Axis, EnergyPerSiteOverTime, Numbers, PerSite
from llgnegf.problem.drives import Drive, drives_of, unknown_drives
from llgnegf.problem.magnetism.onsite import length_problem, number_or_array, wrong_array

AMPLITUDE = "a number, one for each site, or a function of time (fs) that returns either"


class SpinTransferTorque:
    """A torque on the moments from an external current; its amplitudes may depend on time.

    Every torque is linear in four sets of amplitudes, so that any number of them is one `Amplitudes`.
    """

    is_static: bool

    def drives(self) -> tuple[Drive, ...]:
        """What changes in time. Of a torque that is not static and does not say more, the drives among its attributes
        are known, and that there may be another one."""
        return () if self.is_static else unknown_drives(self)

    def problems(self, n_sites: int) -> list[str]:
        """One line for each reason why this torque is of no use on a chain of `n_sites`."""
        raise NotImplementedError

    def add_to(self, amplitudes: Amplitudes, t: float) -> None:
        """Add the amplitudes at time `t` (fs) of this torque in place."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Amplitudes:
    """Spin-transfer torques at one instant, as `spin_transfer_kernel` takes them.

    Attributes:
        damping_like, field_like: Sums of a_DL p and a_FL p (eV), (n_sites, 3).
        drift, nonadiabatic: Sums of u and beta u (sites/fs), (n_sites,).
    """

    damping_like: np.ndarray
    field_like: np.ndarray
    drift: np.ndarray
    nonadiabatic: np.ndarray

    @classmethod
    def zero(cls, n_sites: int) -> Amplitudes:
        return cls(np.zeros((n_sites, 3)), np.zeros((n_sites, 3)), np.zeros(n_sites), np.zeros(n_sites))

    @classmethod
    def of(cls, torques: Iterable[SpinTransferTorque], n_sites: int, t: float) -> Amplitudes:
        """The sum of `torques` at time `t` (fs)."""
        total = cls.zero(n_sites)
        for torque in torques:
            torque.add_to(total, t)
        return total


@dataclass(frozen=True, eq=False)
class SlonczewskiTorque(SpinTransferTorque):
    """Torque of a current polarised along p: T_i = a_DL M_i x (p x M_i) + a_FL p x M_i, added as (g/mu_M) T.

    Signs: a_DL > 0 pulls M towards p. a_FL > 0 acts as a magnetic field a_FL/mu_M along +p, i.e. as the energy
    -a_FL p.M: M precesses counter-clockwise about +p. It is the form of the electron torque J_sd <s> x M, p along <s>.

    Args:
        damping_like: a_DL (eV): a number, one for each site, or a function of time (fs) that returns either.
        field_like: a_FL (eV), likewise.
        polarization: p: 'x', 'y', 'z' or a non-zero 3-vector (its length is of no account).

    Raises:
        ValueError: For a value that is none of these, or both amplitudes zero; on use, for amplitudes whose
            number is not that of the sites.
    """

    damping_like: EnergyPerSiteOverTime
    field_like: EnergyPerSiteOverTime
    polarization: Axis
    name: ClassVar[str] = "slonczewski"

    def __post_init__(self) -> None:
        problems = Problems("SlonczewskiTorque")
        values = {f: _amplitude(problems, f, getattr(self, f), "eV") for f in ("damping_like", "field_like")}
        values["polarization"] = problems.axis("polarization", self.polarization)
        problems.raise_all()
        if not any(callable(values[f]) or np.any(values[f]) for f in ("damping_like", "field_like")):
            problems.add("damping_like", self.damping_like, "not zero if field_like is (leave the torque out)")
        problems.raise_all()
        for field, value in values.items():
            object.__setattr__(self, field, value)

    def drives(self) -> tuple[Drive, ...]:
        return drives_of(self.damping_like, self.field_like)

    @property
    def is_static(self) -> bool:  # type: ignore[override]
        return not self.drives()

    def problems(self, n_sites: int) -> list[str]:
        return [
            line
            for field in ("damping_like", "field_like")
            for line in _amplitude_problems("SlonczewskiTorque", field, getattr(self, field), n_sites)
        ]

    def add_to(self, amplitudes: Amplitudes, t: float) -> None:
        n_sites = len(amplitudes.drift)
        for field in ("damping_like", "field_like"):
            strength = _at(f"SlonczewskiTorque.{field}", getattr(self, field), t, n_sites)
            getattr(amplitudes, field)[:] += strength[:, None] * self.polarization


@dataclass(frozen=True, eq=False)
class ZhangLiTorque(SpinTransferTorque):
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

    Raises:
        ValueError: For a value that is none of these, or zero velocity; on use, for one site or amplitudes whose
            number is not that of the sites.
    """

    velocity: Annotated[
        Any, Argument(float | Numbers, PER_SITE, "sites/fs, or angstrom/fs with spacing", driven=True)
    ]
    nonadiabaticity: PerSite = 0.0
    spacing: Annotated[float | None, Argument(float, "a finite number > 0", "angstrom")] = None
    name: ClassVar[str] = "zhang_li"

    def __post_init__(self) -> None:
        problems = Problems("ZhangLiTorque")
        velocity = _amplitude(problems, "velocity", self.velocity, "sites/fs, or angstrom/fs with spacing=")
        if not callable(velocity) and velocity is not None:
            problems.check(bool(np.any(velocity)), "velocity", self.velocity, "not zero (leave the torque out)")
        beta = number_or_array(problems, "nonadiabaticity", self.nonadiabaticity, "dimensionless")
        spacing = self.spacing
        if spacing is not None:
            spacing = problems.number("spacing", spacing, "> 0, in angstrom, or None", lambda x: x > 0)
        problems.raise_all()
        for field, value in (("velocity", velocity), ("nonadiabaticity", beta), ("spacing", spacing)):
            object.__setattr__(self, field, value)

    def drives(self) -> tuple[Drive, ...]:
        return drives_of(self.velocity)

    @property
    def is_static(self) -> bool:  # type: ignore[override]
        return not self.drives()

    def problems(self, n_sites: int) -> list[str]:
        if n_sites < 2:
            return ["ZhangLiTorque: a chain of 1 site has no texture; allowed: at least 2 sites"]
        return _amplitude_problems("ZhangLiTorque", "velocity", self.velocity, n_sites) + length_problem(
            "ZhangLiTorque", "nonadiabaticity", self.nonadiabaticity, n_sites, "site"
        )

    def add_to(self, amplitudes: Amplitudes, t: float) -> None:
        n_sites = len(amplitudes.drift)
        drift = _at("ZhangLiTorque.velocity", self.velocity, t, n_sites) / (self.spacing or 1.0)
        amplitudes.drift[:] += drift
        amplitudes.nonadiabatic[:] += drift * self.nonadiabaticity


def _amplitude(problems: Problems, field: str, value: Any, unit: str) -> Any:
    """A function of time as it is, anything else as a float or a read-only array."""
    if callable(value):
        return value
    if dimensions(value) == 0:
        return problems.number(field, value, f"{AMPLITUDE}, in {unit}")
    return problems.array(field, value, (None,), f"{AMPLITUDE}, in {unit}")


def _amplitude_problems(owner: str, field: str, value: Any, n_sites: int) -> list[str]:
    if not callable(value):
        return length_problem(owner, field, value, n_sites, "site")
    try:
        _at(f"{owner}.{field}", value, 0.0, n_sites)
    except ValueError as error:
        return [str(error)]
    return []


def _at(field: str, value: float | np.ndarray | Callable[[float], Any], t: float, n_sites: int) -> np.ndarray:
    """An amplitude at time `t` for each site, (n_sites,)."""
    if not callable(value):
        return np.broadcast_to(value, n_sites)
    given = value(t)
    result = as_numbers(given, float)
    if result is None or result.shape not in ((), (n_sites,)) or not np.isfinite(result).all():
        wrong = wrong_array(given, result)
        raise ValueError(f"{field}: {wrong} at t = {t:g} fs; allowed: a finite number, or {n_sites} of them")
    return np.broadcast_to(result, n_sites)
