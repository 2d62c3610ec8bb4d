"""Integrals over energy of what `scattering` gives, with the Fermi functions of the leads: any bias, any temperatures.

Used by `transport`; panels of the real axis, narrow resonances among them, are those of `static/window`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from llgnegf.problem.occupation import fermi_derivative
from llgnegf.static.contour import FERMI_RANGE
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import Integral, QuadratureError, batch_size, scaled
from llgnegf.static.rotating_frame import LONG_CHAIN, of_fastest
from llgnegf.static.steady_state import SteadyState
from llgnegf.static.views import InLevels
from llgnegf.static.window import Window, fermi_points
from llgnegf.units import HBAR

ROUND_OFF = 1e-15
"""Error of s between open leads."""
Density = Callable[[InLevels, np.ndarray, np.ndarray], np.ndarray]
"""(view, origin (n,), offset (n,)) -> what is integrated, at E = origin + offset, (n, ...)."""


@dataclass(frozen=True, eq=False)
class FermiIntegrals:
    """Integrals for the leads of `state`, to `tolerance` times the largest entry, or as far as round-off lets them.

    What leads cannot reach, and energies at which all are closed, give nothing.
    """

    state: SteadyState
    tolerance: float

    def over_fillings(self, density: Density, shape: tuple[int, ...], what: str) -> np.ndarray:
        """int dE of a density (n, *shape) that vanishes where all leads are empty, and where all are full."""
        return self._integral(density, shape, what, self.state.fermi_window, 1 / (2 * np.pi * HBAR))

    def at_fermi_level(self, density: Density, shape: tuple[int, ...], what: str, mu: float, kT: float) -> np.ndarray:
        """int dE (-df/dE) of a density (n, *shape); at kT = 0 its value at mu."""
        if kT == 0:
            return np.asarray(at_energies(self.state.device, density, shape, np.array([mu]))[0])

        def weighted(view: InLevels, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            return scaled(density(view, origin, offset), -fermi_derivative((origin - mu) + offset, 0.0, kT))

        def window(view: InLevels) -> Window:
            return view.window(mu - FERMI_RANGE * kT, mu + FERMI_RANGE * kT, fermi_points(mu, kT))

        return self._integral(weighted, shape, what, window, 0.25 / kT)

    def _integral(
        self, density: Density, shape: tuple[int, ...], what: str, window: Callable[[InLevels], Window], most: float
    ) -> np.ndarray:
        """int dE of a density (n, *shape), `most` where all passes.

        Where little passes |s|^2 has the error ROUND_OFF |s|, or ROUND_OFF where 1 - |s|^2 of what is reflected is
        asked for: such integrals get as far.
        """
        device = self.state.device
        if not device.channels:
            return np.zeros(shape)

        def ask(view: InLevels) -> np.ndarray:
            def function(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
                return density(view, origin, offset)

            panels = window(view).where(device.is_open)

            def integral(tolerance: float) -> Integral:
                return panels.integral(function, tolerance, _entries(device), f"Transport.{what}")

            found = integral(self.tolerance)
            largest, full = float(np.abs(found.value).max(initial=0.0)), most * panels.length
            wanted = self.tolerance * largest
            sure, hoped = (max(wanted, ROUND_OFF * size) for size in (full, np.sqrt(largest * full)))
            if found.error > sure:  # weak leads, barriers: all is small
                found = integral(sure)
            if found.error > hoped > 0:
                with suppress(QuadratureError):
                    found = integral(hoped)
            return found.value if found.value.shape else np.zeros(shape)

        return of_fastest(device, ask, LONG_CHAIN)


def at_energies(device: StaticDevice, density: Density, shape: tuple[int, ...], energies: np.ndarray) -> np.ndarray:
    """A density at `energies` (n,), zero where all leads are closed: (n, *shape)."""
    places = np.flatnonzero(device.is_open(energies))
    parts = np.split(places, range(step := batch_size(_entries(device)), places.size, step))

    def ask(view: InLevels) -> list[np.ndarray]:
        return [density(view, energies[part], np.zeros(part.size)) for part in parts if part.size]

    found = of_fastest(device, ask, LONG_CHAIN)
    values = np.zeros((energies.size, *shape), dtype=np.result_type(float, *found))
    for part, own in zip(parts, found, strict=False):
        values[part] = own
    return values


def _entries(device: StaticDevice) -> int:
    """Complex numbers handled at one energy."""
    columns = device.vectors.shape[1]
    return 2 * (device.size + columns) * columns
