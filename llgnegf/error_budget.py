"""How many lead modes a run needs for its rtol, chosen before it starts, and its error budget: what the pole expansions
and the steps contribute to the error, measured and not guessed. The estimates themselves are in `lead_errors`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llgnegf.dynamics.start import FrozenDevice
from llgnegf.lead_errors import equilibrium_error, find_levels, lead_error
from llgnegf.magnetism.magnet import Magnet
from llgnegf.poles.channels import PoleSystem, expand, expand_channels
from llgnegf.result import ErrorEstimate
from llgnegf.system import OpenSystem
from llgnegf.units import HBAR

LEAD_SHARE, FERMI_SHARE, STEP_SHARE = 0.5, 0.01, 0.03
"""Shares of rtol: error of rho by the lead modes, tolerance of the Fermi function, and of one step's local error.

The Fermi function's share is small because its error shows at once, as occupations outside 0 to 1, and costs few poles;
the errors of many steps add up.
"""
COARSE = 3e-4
"""Tolerance of the modes with which levels are found, relative to K(0)."""
FINEST = 1e-9
"""The finest tolerance of kernels that is tried, relative to K(0)."""
INSTANTS = 4
"""Instants of a run at which levels and the departure from equilibrium are looked at."""
NEAR_FERMI = 20.0
"""Levels within this many kT of a chemical potential change their filling when they move."""


@dataclass(frozen=True, eq=False)
class RunErrors:
    """Where and how long the lead modes of a run are judged.

    Attributes:
        system, motion: The run's.
        duration: t_end in fs.
        settled: Whether the run starts in equilibrium with leads that stay as they are: only moments disturb it.
        instants: (time in fs, moments (N, 3)) at which levels are looked for.
    """

    system: OpenSystem
    motion: Any
    duration: float
    settled: bool
    instants: tuple[tuple[float, np.ndarray], ...]

    @classmethod
    def of(cls, system: OpenSystem, motion: Any, start: str, t_end: float) -> RunErrors:
        """The description of a run from its arguments."""
        coupled = np.array([bool(channels) for channels in system.lead_channels], dtype=bool)
        mu = system.chemical_potentials()[coupled]
        driven = any(callable(lead.voltage) for lead in system.leads)
        settled = start != "partitioned" and not driven and np.ptp(mu) <= 1e-12
        times = set(_extreme_times(system, t_end))
        if not isinstance(motion, Magnet):
            times |= set(np.linspace(0.0, t_end, INSTANTS).tolist())
        return cls(system, motion, t_end, settled, tuple((t, moments_of(motion, t)) for t in sorted(times)))

    def levels(self, poles: PoleSystem) -> list[Any]:
        """The levels of device and leads at each instant."""
        return [find_levels(FrozenDevice(poles, moments, time)) for time, moments in self.instants]

    def departure(self, poles: PoleSystem, levels: list[Any]) -> float:
        """How far, at most 1, an element of rho may be from equilibrium.

        1 where leads differ, change, or are attached at t = 0. Where only moments move it is what the equilibrium
        changes by while electrons respond: the time to leave the device, and that in which a narrow level near the
        chemical potential is filled.
        """
        if not self.settled:
            return 1.0
        response = min(self.duration, HBAR * self._response_time(poles, levels))
        return min(1.0, max((_change(poles, *pair) for pair in self._displaced(response)), default=0.0))

    def _response_time(self, poles: PoleSystem, levels: list[Any]) -> float:
        """In 1/eV."""
        rates = [0.25 * np.subtract(*c.exact.support[::-1]) for c in poles.channels if c.energies.size]
        rates += [c.wide_band for c in poles.channels if c.wide_band]
        passing = (2 * self.system.n_sites + 10) / min(rates)
        mu = float(self.system.chemical_potentials()[poles.channels[0].lead])
        near = [at.widths[np.abs(at.energies - mu) < NEAR_FERMI * self.system.kT] for at in levels]
        narrowest = min((float(w.min()) for w in near if w.size), default=np.inf)
        return max(passing, 1 / max(narrowest, 1e-300))

    def _displaced(self, response: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Moments now and after a response time (fs)."""
        if not isinstance(self.motion, Magnet):
            for time, moments in self.instants:
                yield moments, moments_of(self.motion, min(time + response, self.duration))
            return
        moments = self.instants[0][1]
        angle = min(np.pi / 2, response * _turning_rate(self.motion, self.duration))
        for axis in np.eye(3)[:2]:
            turned = np.cos(angle) * moments + np.sin(angle) * np.cross(axis, moments)
            yield moments, turned + (1 - np.cos(angle)) * np.outer(moments @ axis, axis)


def moments_of(motion: Any, time: float) -> np.ndarray:
    """M (N, 3) of a prescribed motion at `time` (fs), or where a `Magnet` starts."""
    return np.array(motion.moments if isinstance(motion, Magnet) else motion.moments(time), dtype=float)


def _turning_rate(magnet: Magnet, t_end: float) -> float:
    """A rate (1/fs) at which the moments of a `Magnet` may turn: what drives them in their first position."""
    compiled = magnet.compile()
    moments = moments_of(magnet, 0.0)
    times = [0.0] if compiled.is_static else np.linspace(0.0, t_end, 65)
    fields = compiled.prefactor[:, None] * compiled.energy.gradient(moments)
    turning = max(float(np.abs(compiled.rate(moments, t)).max()) for t in times)
    return turning + 0.1 * float(np.abs(fields).max())


def _change(poles: PoleSystem, moments: np.ndarray, later: np.ndarray) -> float:
    """Largest change of an element of the equilibrium rho between two sets of moments."""
    if np.array_equal(moments, later):
        return 0.0
    first, second = (FrozenDevice(poles, m) for m in (moments, later))
    mu = float(first.mu[poles.channels[0].lead])
    return float(np.abs(first.density_matrix(mu) - second.density_matrix(mu)).max())


def _extreme_times(system: OpenSystem, t_end: float) -> list[float]:
    """t = 0 and the instants (fs) at which a lead's voltage is lowest and highest."""
    if not any(callable(lead.voltage) for lead in system.leads):
        return [0.0]
    times = np.linspace(0.0, t_end, 1025)
    values = np.array([system.voltages(t) for t in times])
    return [0.0, *times[np.nanargmin(values, axis=0)], *times[np.nanargmax(values, axis=0)]]


def voltage_range(system: OpenSystem, t_end: float) -> np.ndarray:
    """Lowest and highest V_p (eV) of a run, (n_leads, 2)."""
    values = np.array([system.voltages(t) for t in _extreme_times(system, t_end)])
    return np.stack([values.min(axis=0), values.max(axis=0)], axis=1)


def expand_for_run(system: OpenSystem, motion: Any, start: str, t_end: float, rtol: float) -> PoleSystem:
    """The system in poles that keep the error of rho by the leads below LEAD_SHARE rtol, as far as there are any.

    Kernels are refined until the estimate holds; what it then comes to is in the error budget.
    """
    coarse = expand(system, COARSE, FERMI_SHARE * rtol, voltage_range(system, t_end), rtol)
    if system.is_closed or not any(c.energies.size for c in coarse.channels):
        return coarse
    run = RunErrors.of(system, motion, start, t_end)
    levels = run.levels(coarse)
    departure = run.departure(coarse, levels)
    tolerance, target = 10 * rtol, LEAD_SHARE * rtol
    while True:
        poles = replace(coarse, channels=expand_channels(system, tolerance))
        error = estimate(run, poles, levels, departure)
        if error <= target or tolerance <= FINEST:
            return poles
        tolerance = max(FINEST, tolerance * min(0.5, max(1e-3, target / error)))


def estimate(run: RunErrors, poles: PoleSystem, levels: list[Any], departure: float) -> float:
    """Error of rho by the lead modes: in equilibrium, and in what departs from it."""
    equilibrium = 0.0
    for time, moments in run.instants:
        frozen = FrozenDevice(poles, moments, time)
        equilibrium = max(equilibrium, equilibrium_error(frozen, float(frozen.mu[frozen.arrays.lead].mean())))
    return equilibrium + lead_error(poles, levels, run.duration / HBAR, departure)


def estimate_errors(poles: PoleSystem | None, motion: Any, start: str, t_end: float) -> dict[str, ErrorEstimate]:
    """Errors of a run that stay when the time step goes to zero."""
    if poles is None or poles.fermi is None:
        exact = ErrorEstimate(0.0, "no leads: nothing is expanded")
        return {"coupling_poles": exact, "fermi_poles": exact}
    run = RunErrors.of(poles.system, motion, start, t_end)
    levels = run.levels(poles)
    departure = run.departure(poles, levels)
    return {
        "coupling_poles": ErrorEstimate(estimate(run, poles, levels, departure), "..."),
        "fermi_poles": ErrorEstimate(
            poles.fermi.error,
            f"largest error of f(E) for |E - mu| <= {poles.spectral_range:.3g} eV: bounds every occupation",
        ),
    }
