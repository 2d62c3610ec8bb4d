"""Moments that another program moves: handed over from time to time, turned along great circles in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf.problem.drives import Drive
from llgnegf.problem.magnetism.placement import OnSites, Textured


@dataclass(frozen=True, eq=False)
class External(Textured):
    """Moments that another program moves: `Simulation.advance` is given them.

    Make `Simulation(system, External(moments), t_end=...)` and call `advance(time, moments)`.

    Parameters
    ----------
    texture : array_like, (N, 3)
        Where they are at t = 0, unit vectors.
    sites : list, optional
        Electron sites of each moment, as for `Magnet`.

    Raises
    ------
    ValueError
        If it is anything else.

    Notes
    -----
    Between calls each moment turns along the great circle from where it was to where it was sent, at an even rate, ::

        M(t) = [sin((1 - x) theta) M_0 + sin(x theta) M_1]/sin(theta),   x = (t - t_0)/(t_1 - t_0), cos(theta) = M_0.M_1

    Examples
    --------
    >>> motion = ln.External(ln.uniform(2, "z"))
    >>> print(motion.n_sites)
    2
    """

    texture: Any
    sites: Any = None

    def __post_init__(self) -> None:
        problems = Problems("External")
        self._check_texture(problems)
        problems.raise_all()

    def drives(self) -> tuple[Drive, ...]:
        """Nothing that is known beforehand."""
        return ()

    def moments(self, time: float) -> np.ndarray:
        """M (N, 3) at t = 0: later ones are not known here."""
        return self.texture

    def velocity(self, time: float) -> np.ndarray:
        """Infinite, (N, 3): nothing bounds how fast they will be turned."""
        return np.full(self.texture.shape, np.inf)


class GreatCircles(OnSites):
    """The way of external moments: each on the great circle from where it was to where it was sent, at an even rate.

        M(t) = [sin((1 - x) theta) M_0 + sin(x theta) M_1]/sin(theta),   x = (t - t_0)/(t_1 - t_0), cos(theta) = M_0.M_1

    Args:
        external: Where they begin.
    """

    def __init__(self, external: External) -> None:
        self.times, self.sites = np.zeros(2), external.sites
        self.ends = np.array([external.texture, external.texture])

    @property
    def n_sites(self) -> int:
        """Number of moments N."""
        return self.ends.shape[1]

    def drives(self) -> tuple[Drive, ...]:
        """None: the run goes no further than the way does."""
        return ()

    def turn_to(self, time: float, moments: np.ndarray) -> None:
        """Go on from the present end to `moments` (N, 3) at `time` (fs).

        Raises:
            ValueError: For a moment that is sent to its opposite: every great circle leads there.
        """
        cosine = np.sum(self.ends[1] * moments, axis=1)
        opposite = np.flatnonzero(cosine < -1 + 1e-12)
        if opposite.size:
            raise ValueError(
                f"advance.moments: site {opposite[0]} is sent to its opposite; allowed: moments less than half a turn "
                "from the ones before (hand them over more often)"
            )
        self.times, self.ends = np.array([self.times[1], time]), np.array([self.ends[1], moments])

    def moments(self, time: float) -> np.ndarray:
        """M(t), (N, 3), at `time` (fs) on the way."""
        start, stop = self.times
        if time >= stop:
            return self.ends[1]
        x = max(time - start, 0.0) / (stop - start)
        angle = self._angle()
        weights = np.stack([(1 - x) * np.sinc((1 - x) * angle / np.pi), x * np.sinc(x * angle / np.pi)])
        return np.einsum("ki,kia->ia", weights / np.sinc(angle / np.pi), self.ends)

    def velocity(self, time: float) -> np.ndarray:
        """dM/dt in 1/fs, (N, 3), on the way and at both its ends."""
        start, stop = self.times
        if stop == start:
            return np.zeros_like(self.ends[1])
        x, angle = min(max((time - start) / (stop - start), 0.0), 1.0), self._angle()
        weights = np.stack([-np.cos((1 - x) * angle), np.cos(x * angle)])
        return np.einsum("ki,kia->ia", weights / np.sinc(angle / np.pi), self.ends) / (stop - start)

    def _angle(self) -> np.ndarray:
        """Between the two ends, (N,) in rad, exact for small ones."""
        first, last = self.ends
        return 2 * np.arctan2(np.linalg.norm(last - first, axis=1), np.linalg.norm(last + first, axis=1))
