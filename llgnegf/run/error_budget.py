"""How many lead modes a run needs for its rtol, chosen before it starts, and its error budget: what the pole expansions
and the steps contribute to the error, measured and not guessed. The estimates themselves are in `lead_errors`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llgnegf.equations.moments import LLG
from llgnegf.integrators.schedule import Schedule
from llgnegf.poles.channels import PoleSystem, expand, expand_channels
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.observables import spin_density
from llgnegf.problem.system import OpenSystem
from llgnegf.run.lead_errors import EVERYWHERE, Levels, equilibrium_error, find_levels, lead_error
from llgnegf.run.result import ErrorEstimate
from llgnegf.static.frozen import FrozenDevice
from llgnegf.units import HBAR

LEAD_SHARE, FERMI_SHARE, TAIL_SHARE, STEP_SHARE, STEPS_SHARE = 0.5, 0.01, 0.15, 0.03, 0.3
"""Shares of rtol: error of rho by the lead modes, tolerance of the Fermi function, what it leaves of wide bands, local
error of a step, and of all steps together. The Fermi function's share is small because its error shows at once, as
occupations outside 0 to 1, and costs few poles.
"""
SAFETY = 2.0
"""Factor on the equilibrium error of the lead modes, which is looked at in a few instants only."""
COARSE = 3e-4
"""Tolerance of the modes with which levels are found, relative to K(0)."""
FINEST = 1.2e-10
"""The finest tolerance of kernels that is tried, relative to K(0)."""
DELAYS = (0.23, 0.47, 0.71, 1.0)
"""Parts of the response time after which moments are compared: no simple fractions, which periods might hide behind."""
STALLED = 0.9
"""Kernels that keep more than this part of their error are not refined further: a table has its limits."""
INSTANTS = 3
"""Instants of a run at which levels and the departure from equilibrium are looked at."""
NEAR_FERMI, QUANTA = 20.0, 5.0
"""Moving moments disturb electrons within so many kT, and so many hbar times the rate of turning, of the chemical
potential."""
NOTHING_EXPANDED = ErrorEstimate(0.0, "no leads: nothing is expanded")
REMEDIES = {
    "coupling_poles": "finer lead modes do not exist: take the larger rtol, a shorter run or a stronger lead",
    "time_step": "take a smaller rtol (or a smaller fixed step)",
}


class AccuracyWarning(UserWarning):
    """The error budget of a run comes to more than the rtol that was asked for."""


@dataclass(frozen=True, eq=False)
class RunErrors:
    """Where and how long the lead modes of a run are judged.

    Attributes:
        system, motion: The run's.
        duration: t_end in fs.
        stationary: Whether the run starts in its stationary state.
        settled: Whether the run starts in equilibrium with leads that stay as they are: only moments disturb it.
        window: Energies (eV) at which electrons leave equilibrium.
        instants: (time in fs, moments (N, 3)) at which levels are looked for.
    """

    system: OpenSystem
    motion: Any
    duration: float
    stationary: bool
    settled: bool
    window: tuple[float, float]
    instants: tuple[tuple[float, np.ndarray], ...]

    @classmethod
    def of(cls, poles: PoleSystem, motion: Any, start: str, t_end: float) -> RunErrors:
        """The description of a run from its arguments, its leads expanded in a few `poles`."""
        system = poles.system
        mu = system.common_chemical_potential()
        settled = start != "partitioned" and not system.drives() and mu is not None
        times = set(_extreme_times(system, t_end))
        if not isinstance(motion, Magnet):
            times |= set(np.linspace(0.0, t_end, INSTANTS).tolist())
        window = EVERYWHERE
        if settled and mu is not None and not system.is_closed:
            reach = NEAR_FERMI * system.kT + QUANTA * HBAR * _turning_rate(motion, t_end, poles)
            window = (mu - reach, mu + reach)
        known = [t for t in sorted(times) if np.isfinite(system.voltages(t)).all()]
        instants = tuple(_known_instants(motion, known))
        return cls(system, motion, t_end, start == "steady", settled, window, instants)

    def levels(self, poles: PoleSystem) -> list[Levels]:
        """The levels of device and leads at each instant."""
        frozen = FrozenDevice(poles, self.instants[0][1])
        return [find_levels(frozen.at(moments, time)) for time, moments in self.instants]

    def departure(self, poles: PoleSystem, levels: list[Levels]) -> float:
        """How far, at most 1, an element of rho may be from equilibrium.

        1 where leads differ, change, or are attached at t = 0. Where only moments move it is what the equilibrium
        changes by while electrons respond: the time to leave the device, and that in which a narrow level near the
        chemical potential is filled.
        """
        if not self.settled:
            return 1.0
        response = min(self.duration, HBAR * self._response_time(poles, levels))
        frozen = FrozenDevice(poles, self.instants[0][1])
        return min(1.0, max((_change(frozen, *pair) for pair in self._displaced(poles, response)), default=0.0))

    def _response_time(self, poles: PoleSystem, levels: list[Levels]) -> float:
        """In 1/eV."""
        rates = [0.25 * np.subtract(*c.exact.support[::-1]) for c in poles.channels if c.energies.size]
        rates += [c.wide_band for c in poles.channels if c.wide_band]
        passing = (2 * self.system.n_sites + 10) / min(rates)
        mu = self.system.mean_chemical_potential()
        near = [at.widths[np.abs(at.energies - mu) < NEAR_FERMI * self.system.kT] for at in levels]
        narrowest = min((float(w.min()) for w in near if w.size), default=np.inf)
        return max(passing, 1 / max(narrowest, 1e-300))

    def _displaced(self, poles: PoleSystem, response: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Moments now and after a response time (fs)."""
        if not isinstance(self.motion, Magnet):
            for time, moments in self.instants:
                delays = [min(time + part * response, self.duration) for part in DELAYS]
                for _, later in _known_instants(self.motion, delays):
                    yield moments, later
            return
        moments = self.instants[0][1]
        angle = min(np.pi / 2, response * _turning_rate(self.motion, self.duration, poles))
        for axis in np.eye(3)[:2]:
            turned = np.cos(angle) * moments + np.sin(angle) * np.cross(axis, moments)
            yield moments, turned + (1 - np.cos(angle)) * np.outer(moments @ axis, axis)


def moments_of(motion: Any, time: float) -> np.ndarray:
    """M (N, 3) of a prescribed motion at `time` (fs), or where a `Magnet` starts."""
    return np.array(motion.moments if isinstance(motion, Magnet) else motion.moments(time), dtype=float)


def _known_instants(motion: Any, times: list[float]) -> Iterator[tuple[float, np.ndarray]]:
    """(time, moments) where the motion gives unit vectors; elsewhere the run itself will say so."""
    for time in times:
        with suppress(Exception):
            yield time, moments_of(motion, time)


def _turning_rate(motion: Any, t_end: float, poles: PoleSystem) -> float:
    """A rate (1/fs) at which the moments of a run may turn; infinite where they jump, or where nothing can be told."""
    drives = motion.drives()
    times = Schedule(drives).times_to_look(t_end)[:: 1 if drives else 16]
    try:
        return _rate_of_magnet(motion, times, poles) if isinstance(motion, Magnet) else _rate_of_path(motion, times)
    except Exception:  # what a function gives, or that it fails, is judged by the run, which says when
        return np.inf


def _rate_of_magnet(magnet: Magnet, times: np.ndarray, poles: PoleSystem) -> float:
    """By what drives the moments in their first position, the electrons' equilibrium spins among it, and a tenth of
    what would turn them out of equilibrium."""
    llg, moments = LLG(magnet), moments_of(magnet, 0.0)
    frozen = FrozenDevice(poles, moments)
    spins = spin_density(frozen.density_matrix(float(frozen.mu[frozen.arrays.lead].mean())))
    fields = poles.system.electrons.j_sd[:, None] * spins
    torque = np.cross(fields, moments)
    rates = [np.abs(llg.rate(moments, t, torque)).max() for t in ([0.0] if magnet.is_static else times)]
    turning = magnet.prefactor[:, None] * (magnet.energy.gradient(moments) - fields)
    return float(np.max(rates)) + 0.1 * float(np.abs(turning).max())


def _rate_of_path(motion: Any, times: np.ndarray) -> float:
    rates = float(np.max([np.abs(motion.velocity(t)).max() for t in times]))
    path = np.array([motion.moments(t) for t in times])
    jumps = np.abs(np.diff(path, axis=0)).max(axis=(1, 2)) > 2 * rates * np.diff(times) + 1e-9
    return np.inf if jumps.any() or np.isnan(rates) else rates


def _change(frozen: FrozenDevice, moments: np.ndarray, later: np.ndarray) -> float:
    """Largest change of an element of the equilibrium rho between two sets of moments."""
    if np.array_equal(moments, later):
        return 0.0
    mu = float(frozen.mu[frozen.arrays.lead[0]])
    return float(np.abs(frozen.at(moments).density_matrix(mu) - frozen.at(later).density_matrix(mu)).max())


def _extreme_times(system: OpenSystem, t_end: float) -> list[float]:
    """t = 0 and the instants (fs) at which a lead's voltage is lowest and highest."""
    drives = system.drives()
    if not drives:
        return [0.0]
    times, values = [], []
    for time in Schedule(drives).times_to_look(t_end):
        with suppress(Exception):  # a function that fails somewhere: the run itself says where
            if np.isfinite(value := system.voltages(time)).all():
                values.append(value)
                times.append(float(time))
    lowest, highest = np.argmin(values, axis=0), np.argmax(values, axis=0)
    return [0.0, *np.array(times)[np.append(lowest, highest)].tolist()]


def voltage_range(system: OpenSystem, t_end: float) -> np.ndarray:
    """Lowest and highest V_p (eV) of a run, (n_leads, 2)."""
    values = np.array([system.voltages(t) for t in _extreme_times(system, t_end)])
    return np.stack([values.min(axis=0), values.max(axis=0)], axis=1)


def expand_for_run(
    system: OpenSystem, motion: Any, start: str, t_end: float, rtol: float
) -> tuple[PoleSystem, ErrorEstimate]:
    """The system in poles that keep the error of rho by the leads below LEAD_SHARE rtol, and what it comes to.

    Kernels are refined until the estimate holds, or until there are no finer ones.
    """
    coarse = expand(system, COARSE, FERMI_SHARE * rtol, voltage_range(system, t_end), TAIL_SHARE * rtol, strict=False)
    if system.is_closed:
        return coarse, NOTHING_EXPANDED
    if not any(c.energies.size for c in coarse.channels):
        return coarse, ErrorEstimate(0.0, "wide bands alone, which need no modes")
    run = RunErrors.of(coarse, motion, start, t_end)
    levels = run.levels(coarse)
    departure = run.departure(coarse, levels)
    tolerance, target = min(1e-2, 300 * rtol), LEAD_SHARE * rtol
    best: tuple[PoleSystem, ErrorEstimate] | None = None
    while True:
        poles = replace(coarse, channels=expand_channels(system, tolerance, strict=False))
        estimate = estimate_leads(run, poles, levels, departure)
        missed = any(c.error > tolerance * abs(c.weights.sum()) for c in poles.channels if c.energies.size)
        stalled = missed and best is not None and poles.coupling_error > STALLED * best[0].coupling_error
        best = (poles, estimate) if best is None or estimate.value < best[1].value else best
        if best[1].value <= target or tolerance <= FINEST or stalled:
            return best
        tolerance = max(FINEST, tolerance * min(0.5, max(1e-3, target / estimate.value)))


def estimate_leads(run: RunErrors, poles: PoleSystem, levels: list[Levels], departure: float) -> ErrorEstimate:
    """Error of rho by the lead modes: in equilibrium, and in what departs from it."""
    frozen = FrozenDevice(poles, run.instants[0][1])
    at = [frozen.at(moments, time) for time, moments in run.instants]
    equilibrium = SAFETY * max(equilibrium_error(f, float(f.mu[f.arrays.lead].mean())) for f in at)
    driven = departure * lead_error(poles, levels, run.duration / HBAR, run.window, run.stationary)
    return ErrorEstimate(
        equilibrium + driven,
        "error of a density-matrix element by the lead modes, to first order in those of the self-energies: "
        f"{equilibrium:.2g} in equilibrium, {driven:.2g} by band and levels where rho departs from it by up to "
        f"{departure:.2g} (kernels K(t) agree to {poles.coupling_error:.2g} eV^2 at all times)",
    )


def equilibrium_estimate(poles: PoleSystem | None, moments: np.ndarray) -> ErrorEstimate:
    """Error of the equilibrium rho of these moments, (N, 3), by the lead modes."""
    if poles is None or poles.fermi is None:
        return NOTHING_EXPANDED
    frozen = FrozenDevice(poles, moments)
    value = equilibrium_error(frozen, float(frozen.mu[frozen.arrays.lead[0]]))
    what = "largest difference of a density-matrix element between exact and expanded leads in the equilibrium of "
    return ErrorEstimate(value, what + "the moments at t = 0")


def fermi_estimate(poles: PoleSystem | None) -> ErrorEstimate:
    """The certified error of the Fermi function."""
    if poles is None or poles.fermi is None:
        return NOTHING_EXPANDED
    reach = f"largest error of f(E) for |E - mu| <= {poles.spectral_range:.3g} eV: bounds every occupation"
    if poles.tail_error:
        reach += f"; {poles.tail_error:.2g} by the tails of wide bands beyond"
    return ErrorEstimate(poles.fermi.error + poles.tail_error, reach)


def step_tolerance(rtol: float, t_end: float) -> float:
    """Local error that a step may make for each unit of time (hbar/eV): errors of long runs may add up."""
    return rtol * min(STEP_SHARE, STEPS_SHARE * HBAR / t_end)


def warn_if_exceeded(budget: Mapping[str, ErrorEstimate], rtol: float) -> None:
    """An AccuracyWarning where the budget (without what it does not know) comes to more than rtol."""
    total = float(np.nansum([estimate.value for estimate in budget.values()]))
    if total > rtol:
        largest = max(budget, key=lambda name: np.nan_to_num(budget[name].value))
        warnings.warn(
            f"simulate.rtol: {rtol:g} was asked for, the error budget comes to {total:.2g}, most of it {largest}: "
            f"{budget[largest].bounds}; {REMEDIES.get(largest, 'a smaller rtol')}",
            AccuracyWarning,
            stacklevel=3,
        )
