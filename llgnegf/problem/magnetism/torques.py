"""Spin-transfer torques of an external current, the T_ext of the LLG equation.

They are no part of an energy; `magnet.py` adds them up, `equations.moments` turns the sums into eV.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem.arguments import Argument
from llgnegf.problem.drives import Drive, unknown_drives
from llgnegf.problem.magnetism.fields import Declared, direction, distance, read_by, strength


class SpinTransferTorque(Declared):
    """Torque on the moments from an external current: what all have in common, and what one of your own inherits.

    Every torque is linear in four sets of amplitudes, so that any number of them is one
    `llgnegf.problem.magnetism.torques.Amplitudes`, to which `add_to` adds. One that depends on time has `is_static`
    False.

    See Also
    --------
    SlonczewskiTorque : A current polarised by another magnet.
    ZhangLiTorque : A current along a texture.

    Examples
    --------
    A field-like torque along z on the first moment alone:

    >>> class Tip(ln.SpinTransferTorque):
    ...     is_static = True
    ...     def add_to(self, amplitudes, t):
    ...         amplitudes.field_like[0] += [0.0, 0.0, 0.001]  # eV
    >>> magnet = ln.Magnet(ln.uniform(3, "x"), magnetic_moment=1.0, torques=[Tip()])
    >>> print(magnet.amplitudes(0.0).field_like[:, 2])
    [0.001 0.    0.   ]
    """

    is_static: bool

    def drives(self) -> tuple[Drive, ...]:
        """What changes in time. Of a torque that is not static and does not say more, the drives among its attributes
        are known, and that there may be another one."""
        return () if self.is_static else unknown_drives(self)

    def add_to(self, amplitudes: Amplitudes, t: float) -> None:
        """Add the amplitudes at time `t` (fs) of this torque at each site in place."""

    def along(self, n_sites: int, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """What this torque has of `near`, `drift` and `nonadiabatic` in `Amplitudes` at `t` (fs); None: nothing."""
        return None


class Amplitudes(NamedTuple):
    """Spin-transfer torques at one instant, as the compiled torque takes them.

    Attributes:
        damping_like, field_like: Sums of a_DL p and a_FL p (eV), (n_sites, 3).
        near: Sites from whose moments derivatives are taken, (n_sites, k).
        drift, nonadiabatic: Weights w of these moments (1/fs), (n_sites, k), for u.grad and beta u.grad:
            sum_k w_ik (M_near(i,k) - M_i), where M_i itself drops out, since only what is normal to it counts.
    """

    damping_like: np.ndarray
    field_like: np.ndarray
    near: np.ndarray
    drift: np.ndarray
    nonadiabatic: np.ndarray

    @classmethod
    def of(
        cls, torques: Iterable[SpinTransferTorque], n_sites: int, t: float, others: Amplitudes | None = None
    ) -> Amplitudes:
        """The sum of `torques` at time `t` (fs), and of `others`."""
        none = np.zeros((n_sites, 0))
        empty = cls(np.zeros((n_sites, 3)), np.zeros((n_sites, 3)), none.astype(np.int64), none, none)
        total, tables = cls(*map(np.copy, others or empty)), []
        for torque in torques:
            torque.add_to(total, t)
            tables += [table for table in (torque.along(n_sites, t),) if table is not None]
        if not tables:
            return total
        return cls(*total[:2], *(np.hstack(parts) for parts in zip(total[2:], *tables, strict=True)))


class _DeclaredTorque(SpinTransferTorque):
    """A torque that depends on time where a declared amplitude does."""

    def drives(self) -> tuple[Drive, ...]:
        return self.declared_drives()

    @property
    def is_static(self) -> bool:  # type: ignore[override]
        """Whether no amplitude depends on time."""
        return not self.drives()


@dataclass(frozen=True, eq=False)
class SlonczewskiTorque(_DeclaredTorque):
    """Torque of a current polarised along p, damping-like and field-like.

    Parameters
    ----------
    damping_like : float or array_like or callable
        a_DL (eV): a number, one for each site, or a function of time (fs) that returns either.
    field_like : float or array_like or callable
        a_FL (eV), likewise.
    polarization : str or array_like
        The direction p: 'x', 'y', 'z' or a non-zero 3-vector (its length is of no account).

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; on use for other numbers of entries than there are sites.

    Notes
    -----
    Added to the LLG equation as (g/mu_M) T [1]_, ::

        T_i = a_DL M_i x (p x M_i) + a_FL p x M_i

    Signs: a_DL > 0 pulls M towards p. a_FL > 0 acts as a magnetic field a_FL/mu_M along +p, i.e. as the energy -a_FL
    p.M: M precesses counter-clockwise about +p. It is the form of the electron torque J_sd <s> x M, p along <s>.

    References
    ----------
    .. [1] J. C. Slonczewski, J. Magn. Magn. Mater. 159, L1 (1996).

    Examples
    --------
    >>> torque = ln.SlonczewskiTorque(damping_like=1e-4, field_like=0.0, polarization="z")
    >>> magnet = ln.Magnet(ln.uniform(1, "x"), magnetic_moment=1.0, torques=[torque])
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
        n_sites = len(amplitudes.damping_like)
        amplitudes.damping_like[:] += self.at("damping_like", n_sites, t)[:, None] * self.polarization
        amplitudes.field_like[:] += self.at("field_like", n_sites, t)[:, None] * self.polarization


DERIVATIVE = Argument(
    tuple[tuple[int, int, float], ...], "a list of [site, other site, weight]", "1/nm",
    none="that of a chain in the order of its sites", numbered=True,
)  # fmt: skip


def _read_derivative(problems: Problems, name: str, value: Any) -> Any:
    """(site, other site, weight) as a tuple of them, or None."""
    if value is None:
        return None
    allowed = "None, or a list of (site, other site, weight), sites counted from 0, weights in 1/nm"
    rows = problems.array(name, value, (None, 3), allowed)
    if rows is None:
        return None
    sites = rows[:, :2].astype(int)
    whole = len(rows) > 0 and bool((sites == rows[:, :2]).all() and (sites >= 0).all())
    problems.check(whole and bool((sites[:, 0] != sites[:, 1]).all()), name, value, allowed)
    return tuple(zip(*sites.T.tolist(), rows[:, 2].tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class ZhangLiTorque(_DeclaredTorque):
    """Torque of a current along a texture, adiabatic and nonadiabatic.

    Parameters
    ----------
    velocity : float or array_like or callable
        u: a number, one for each site, or a function of time (fs) that returns either; in sites/fs, in angstrom/fs if
        `spacing` is given, in nm/fs if `derivative` is.
    nonadiabaticity : float or array_like, default 0.0
        beta, dimensionless: a number, or one for each site.
    spacing : float, optional
        Lattice constant (angstrom), positive; None if the velocity is in sites/fs.
    derivative : list of (int, int, float), optional
        Weights (i, j, w), w in 1/nm: the derivative along the current is sum_j w_ij (M_j - M_i), as
        `Lattice.derivative` returns it; None is that of a chain.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; on use for other numbers of entries than there are sites.

    See Also
    --------
    Lattice.zhang_li : The torque of a current in the plane of a lattice.

    Notes
    -----
    It stands beside the precession in the implicit equation dM/dt = -g M x B + lambda M x dM/dt + (g/mu_M) T [1]_, ::

        (g/mu_M) T_i = -(u.grad) M + beta M x (u.grad) M

    Sign: u > 0 carries a texture towards +x (larger site numbers), or along the direction of the derivative; at beta =
    lambda it moves rigidly with velocity u, since M(x - u t) then solves the equation term by term.

    On a chain dM/dx in lattice constants is the central difference (M_{i+1} - M_{i-1})/2, one-sided at the two ends. Of
    any derivative the part along M_i does not count.

    References
    ----------
    .. [1] S. Zhang, Z. Li, Phys. Rev. Lett. 93, 127204 (2004).

    Examples
    --------
    >>> torque = ln.ZhangLiTorque(velocity=0.001, nonadiabaticity=0.02)  # sites/fs
    >>> magnet = ln.Magnet(ln.neel_wall(21, 11, 3), magnetic_moment=1.0, damping=0.02, torques=[torque])
    """

    velocity: Any = strength("sites/fs, or angstrom/fs with spacing", driven=True)
    nonadiabaticity: Any = strength("", default=0.0)
    spacing: float | None = distance("> 0, in angstrom, or None", default=None)
    derivative: Any = read_by(_read_derivative, DERIVATIVE, default=None)
    name: ClassVar[str] = "zhang_li"
    least_sites = 2

    def __post_init__(self) -> None:
        problems = self.read_fields()
        if not callable(self.velocity) and self.velocity is not None:
            problems.check(bool(np.any(self.velocity)), "velocity", self.velocity, "not zero (leave the torque out)")
        both = self.spacing is not None and self.derivative is not None
        problems.check(not both, "spacing", self.spacing, "None with derivative, which is in 1/nm")
        problems.raise_all()

    def problems(self, n_sites: int) -> list[str]:
        last = max(max(i, j) for i, j, _ in self.derivative) if self.derivative else 0
        wrong = [f"ZhangLiTorque.derivative: site {last}; allowed: 0 to {n_sites - 1}"] if last >= n_sites else []
        return [*super().problems(n_sites), *wrong]

    def along(self, n_sites: int, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        near, weights = self._near if self.derivative else _chain(n_sites, self.spacing or 1.0)
        near, weights = (np.pad(part, ((0, n_sites - len(part)), (0, 0))) for part in (near, weights))
        drift = self.at("velocity", n_sites, t)[:, None] * weights
        return near, drift, drift * self.at("nonadiabaticity", n_sites)[:, None]

    @cached_property
    def _near(self) -> tuple[np.ndarray, np.ndarray]:
        """The entries of `derivative` as rows, one for each site up to the last that has any: others and weights."""
        rows: list[list[tuple[int, float]]] = [[] for _ in range(1 + max(i for i, _, _ in self.derivative))]
        for i, j, weight in self.derivative:
            rows[i].append((j, weight))
        most = max(map(len, rows))
        filled = [row + [(0, 0.0)] * (most - len(row)) for row in rows]
        table = np.array(filled)
        return table[:, :, 0].astype(np.int64), table[:, :, 1].copy()


def _chain(n_sites: int, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours (N, 2) and the weights of the central difference, one-sided at the ends."""
    sites = np.arange(n_sites)
    near = np.clip(np.stack([sites - 1, sites + 1], axis=1), 0, n_sites - 1)
    weights = np.tile([-0.5, 0.5], (n_sites, 1))
    weights[0], weights[-1] = (0.0, 1.0), (-1.0, 0.0)
    return near, weights / spacing
