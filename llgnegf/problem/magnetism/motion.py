"""Prescribed motion of the moments: at rest, in steady precession, or any function of time.

What `simulate` takes in place of a `Magnet`; times in fs, energies in eV.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import cos, sin
from typing import Any

import numpy as np

from llgnegf._checks import UNIT_TOLERANCE, Mistake, MistakesError, Problems, as_numbers
from llgnegf.problem.arguments import Axis, Energy, Femtoseconds, MomentSites
from llgnegf.problem.drives import SHORTEST, Drive, TimeFunction, drives_of
from llgnegf.problem.magnetism.placement import OnSites, Textured, checked_sites
from llgnegf.units import HBAR

INSTANTS = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 25), np.linspace(0.0, 1.0, 24)[1:-1]])
"""Parts of a run at which a function of time is looked at before it begins."""
FASTEST, SLOWEST = 0.5 * np.pi * HBAR / SHORTEST, 1e-12
"""eV, hbar w of precessions: a quarter of a period is 1e-6 fs, and longer than any run."""


def holds_nan(value: Any) -> bool:
    """Whether `value` is made of numbers of which one is NaN."""
    array = as_numbers(value, float)
    return array is not None and bool(np.isnan(array).any())


@dataclass(frozen=True, eq=False)
class Frozen(Textured):
    """Moments at rest.

    Parameters
    ----------
    texture : array_like, (N, 3)
        Unit vectors.
    sites : list, optional
        Electron sites of each moment, as for `Magnet`.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    >>> motion = ln.Frozen(ln.uniform(7))
    >>> print(motion.velocity(0.0).any())
    False
    """

    texture: Any
    sites: MomentSites = None

    def __post_init__(self) -> None:
        problems = Problems("Frozen")
        self._check_texture(problems)
        problems.raise_all()

    def drives(self) -> tuple[Drive, ...]:
        """Nothing changes in time."""
        return ()

    def moments(self, time: float) -> np.ndarray:
        """M(t), (N, 3), at `time` in fs."""
        return self.texture

    def velocity(self, time: float) -> np.ndarray:
        """dM/dt in 1/fs, (N, 3)."""
        return np.zeros_like(self.texture)


@dataclass(frozen=True, eq=False)
class Precession(Textured):
    """Steady precession of a texture about an axis, counter-clockwise, the motion of the paper.

    Parameters
    ----------
    texture : array_like, (N, 3)
        Unit vectors M_i(0).
    energy : float
        hbar w in eV; negative for clockwise.
    axis : str or array_like, default 'z'
        'x', 'y', 'z' or a non-zero 3-vector.
    ramp : float, default 0.0
        Switch-on time in fs, >= 0.
    sites : list, optional
        Electron sites of each moment, as for `Magnet`.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    M_i(t) = R(axis, phase(t)) M_i(0) with ::

        phase(t) = w [t - (ramp/pi) sin(pi t/ramp)]/2  for t < ramp,   w (t - ramp/2) after it,   w = energy/hbar

    so that the angular velocity rises smoothly from 0 to w; without a ramp it starts with w at t = 0.

    Examples
    --------
    >>> turning = ln.Precession(ln.cone(1, angle=np.pi / 2), energy=0.01)
    >>> quarter = 0.5 * np.pi * 0.6582119569 / 0.01  # fs: pi/2 over w = energy/hbar
    >>> turning.moments(quarter).round(6) + 0.0
    array([[0., 1., 0.]])
    """

    texture: Any
    energy: Energy
    axis: Axis = "z"
    ramp: Femtoseconds = 0.0
    sites: MomentSites = None

    def __post_init__(self) -> None:
        problems = Problems("Precession")
        self._check_texture(problems)
        allowed = f"a finite number, in eV, of magnitude up to {FASTEST:.3g}"
        problems.number("energy", self.energy, allowed, lambda e: abs(e) <= FASTEST)
        axis = problems.axis("axis", self.axis)
        problems.number("ramp", self.ramp, "a finite number >= 0, in fs", lambda x: x >= 0)
        problems.raise_all()
        assert axis is not None
        object.__setattr__(self, "axis", axis)
        texture = self.texture
        along = np.outer(texture @ axis, axis)
        # Rodrigues: R M = M_parallel + cos(phase) M_perp + sin(phase) axis x M
        parts = np.array([along, texture - along, np.cross(axis, texture)]).reshape(3, -1)
        object.__setattr__(self, "_parts", parts)

    def drives(self) -> tuple[Drive, ...]:
        """The moments: seen with steps of a quarter of a period; the curvature of the phase jumps after the ramp."""
        quarter = 0.5 * np.pi * HBAR / abs(self.energy) if abs(self.energy) > SLOWEST else np.inf
        kinks = (self.ramp,) if self.ramp > 0 else ()
        return (TimeFunction(self.moments, quarter, kinks, self.velocity),)

    def phase(self, time: float) -> float:
        """Angle turned since t = 0, in rad, at `time` in fs."""
        w = self.energy / HBAR
        if time >= self.ramp:
            return w * (time - 0.5 * self.ramp)
        return 0.5 * w * (time - self.ramp / np.pi * np.sin(np.pi * time / self.ramp))

    def angular_velocity(self, time: float) -> float:
        """d(phase)/dt in rad/fs."""
        w = self.energy / HBAR
        return w if time >= self.ramp else 0.5 * w * (1 - np.cos(np.pi * time / self.ramp))

    def moments(self, time: float) -> np.ndarray:
        """M(t), (N, 3), at `time` in fs."""
        phase = self.phase(time)
        return (np.array([1.0, cos(phase), sin(phase)]) @ self._parts).reshape(-1, 3)  # type: ignore[attr-defined]

    def velocity(self, time: float) -> np.ndarray:
        """dM/dt in 1/fs, (N, 3)."""
        return self.angular_velocity(time) * np.cross(self.axis, self.moments(time))


@dataclass(frozen=True, eq=False)
class Prescribed(OnSites):
    """Moments that follow any function of time.

    Parameters
    ----------
    function : callable
        Time in fs -> (n_sites, 3) unit vectors; called at any t >= 0, must depend on t alone. A run looks at it at some
        fifty instants before it begins. A `TimeFunction` where something is known of it: steps are no longer than
        `save_every` otherwise.
    unit : bool, default True
        False for moments whose length changes as well (``|M|`` = 1 is the whole moment, whose exchange field is J_sd):
        any finite vectors.
    sites : list, optional
        Electron sites of each moment, as for `Magnet`.

    Raises
    ------
    ValueError
        If `function` is not callable or gives no such vectors at t = 0, and for sites of another kind.

    Examples
    --------
    >>> def nodding(time):
    ...     return ln.cone(3, angle=0.1 * np.sin(0.01 * time))
    >>> motion = ln.Prescribed(ln.TimeFunction(nodding, longest_step=20.0))
    >>> print(motion.n_sites)
    3
    """

    function: Callable[[float], Any]
    unit: bool = True
    sites: Any = None

    def __post_init__(self) -> None:
        problems, count = Problems("Prescribed"), None
        if problems.check(callable(self.function), "function", self.function, "a function of time in fs"):
            start = self.function(0.0)
            self._note(problems, "function(0.0)", start)
            count = None if problems.mistakes else len(start)
        problems.check(isinstance(self.unit, bool), "unit", self.unit, "True or False")
        sites = checked_sites(problems, self.sites, count)
        problems.raise_all()
        object.__setattr__(self, "sites", sites)

    def _note(self, problems: Problems, field: str, value: Any, n_sites: int | None = None) -> None:
        """Note a value that is none."""
        if self.unit:
            problems.moments(field, value, n_sites)
        else:
            rows = "n_sites" if n_sites is None else n_sites
            problems.array(field, value, (n_sites, 3), f"finite vectors of shape ({rows}, 3)")

    @property
    def n_sites(self) -> int:
        """Number of moments N."""
        return len(self.function(0.0))

    def drives(self) -> tuple[Drive, ...]:
        """The function."""
        return drives_of(self.function)

    def moments(self, time: float) -> np.ndarray:
        """M(t), (N, 3), at `time` in fs; raises ValueError where the function gives no unit vectors but should."""
        moments = np.asarray(self.function(time), dtype=float)
        if not self.unit:
            return moments
        length = np.sqrt(np.einsum("ia,ia->i", moments, moments))
        if not np.all(np.abs(length - 1) <= UNIT_TOLERANCE):
            problems = Problems("Prescribed")
            problems.moments(f"function({time:g})", moments)
            raise MistakesError(replace(m, value=f"moments, {m.value}") for m in problems.mistakes)
        return moments

    def check(self, t_end: float) -> list[Mistake]:
        """A mistake if the function gives no such vectors somewhere; it is called at instants from 0 to `t_end` (fs).

        A NaN is left to the integrator, which says when it came.
        """
        for time in t_end * INSTANTS:
            value, problems = self.function(float(time)), Problems("Prescribed")
            self._note(problems, f"function({time:g})", value, self.n_sites)
            if problems.mistakes and not holds_nan(value):
                return problems.mistakes
        return []

    def velocity(self, time: float) -> np.ndarray:
        """dM/dt in 1/fs, (N, 3): what the function says of itself, or from differences (see `Drive.rate`)."""
        (drive,) = self.drives()
        return np.asarray(drive.rate(time), dtype=float)
