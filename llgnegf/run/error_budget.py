"""How many lead modes a run needs for its rtol, chosen before it starts, and its error budget: what the pole expansions
and the steps contribute to the error, measured and not guessed. The estimates themselves are in `lead_errors`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf.equations.moments import LLG
from llgnegf.integrators.schedule import Schedule
from llgnegf.poles.channels import PoleSystem, expand, expand_channels
from llgnegf.poles.coupling import KERNEL, TAILS, semicircle_ladder
from llgnegf.problem.magnetism.external import External
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.placement import placement_of
from llgnegf.problem.observables import spin_density
from llgnegf.problem.plausibility import caller_level
from llgnegf.problem.system import OpenSystem
from llgnegf.run import shares
from llgnegf.run.lead_errors import EVERYWHERE, Levels, equilibrium_error, find_levels, lead_error
from llgnegf.run.result import ErrorEstimate
from llgnegf.static.frozen import FrozenDevice, settled
from llgnegf.units import HBAR

SAFETY = 2.0
"""Factor on the equilibrium error of the lead modes, which is looked at in a few instants only."""
COARSE = 3e-4
"""Tolerance of the modes with which levels are found, relative to K(0)."""
DELAYS = (0.23, 0.47, 0.71, 1.0)
"""Parts of the response time after which moments are compared: no simple fractions, which periods might hide behind."""
FINEST_MATRICES = 3e-8
"""The finest tolerance asked for of a fitted matrix lead."""
FIRST, FINER = 0.1**0.5, 0.1
"""First tolerance of such a fit in units of rtol, and the smallest part of it that is tried: fits take seconds."""
STALLED = 0.9
"""Kernels that keep more than this part of the estimate are not refined further: a table has its limits."""
INSTANTS = 3
"""Instants of a run at which levels and the departure from equilibrium are looked at."""
NEAR_FERMI, QUANTA = 20.0, 5.0
"""Moving moments disturb electrons within so many kT, and so many hbar times the rate of turning, of the chemical
potential."""
SIGMAS = 3.0
"""Standard deviations of the angle by which noise turns a moment that are reckoned with."""
NOTHING_EXPANDED = ErrorEstimate(0.0, "no leads: nothing is expanded")
REMEDIES = {
    "coupling_poles": "finer lead modes do not exist, or for matrix leads, below rtol/30, are not tried: "
    "take the larger rtol, a shorter run or a stronger lead",
    "time_step": "take a smaller rtol (or a smaller fixed step)",
}


class AccuracyWarning(UserWarning):
    """The error budget of a run comes to more than the rtol that was asked for."""


@dataclass(frozen=True, eq=False)
class RunErrors:
    """Where and how long the lead modes of a run are judged: `coarse` has its leads in a few poles, t_end is in fs,
    `extremes` are the instants at which what drives it is lowest and highest, and noise turns moments about each axis
    by angles of the variance `wandering` (rad^2/fs)."""

    coarse: PoleSystem
    motion: Any
    start: str
    t_end: float
    extremes: tuple[float, ...]
    wandering: float = 0.0

    @cached_property
    def settled(self) -> bool:
        """Whether the run starts in equilibrium with leads that stay as they are: only moments disturb it."""
        system = self.coarse.system
        still = not system.drives() and not isinstance(self.motion, External)  # whose way is not known
        return self.start != "partitioned" and still and system.in_equilibrium()

    @cached_property
    def window(self) -> tuple[float, float]:
        """Energies (eV) at which electrons leave equilibrium."""
        if not self.settled or self.wandering > 0:  # white noise has all frequencies
            return EVERYWHERE
        reach = NEAR_FERMI * self.coarse.system.mean_temperature + QUANTA * HBAR * self.turning_rate
        mu = self.coarse.system.mean_chemical_potential()
        return mu - reach, mu + reach

    @cached_property
    def instants(self) -> tuple[tuple[float, np.ndarray], ...]:
        """(time in fs, moments as the electrons have them (N, 3)) at which levels are looked for."""
        times = set(self.extremes)
        if not isinstance(self.motion, Magnet):
            times |= set(np.linspace(0.0, self.t_end, INSTANTS).tolist())
        known = [t for t in sorted(times) if np.isfinite(self.coarse.system.amplitudes(t)).all()]
        return tuple(_known_instants(self.motion, known, self.coarse.system.n_sites))

    @cached_property
    def turning_rate(self) -> float:
        """A rate (1/fs) at which the moments may turn; infinite where they jump, or where nothing can be told."""
        drives, magnet = self.motion.drives(), isinstance(self.motion, Magnet)
        times = Schedule(drives).times_to_look(self.t_end)[:: 1 if drives else 16]
        try:
            if magnet:
                return _rate_of_magnet(self.motion, times, self.frozen)
            return _rate_of_path(self.motion.moments, self.motion.velocity, times)
        except Exception:  # what a function gives, or that it fails, is judged by the run, which says when
            return np.inf

    @cached_property
    def frozen(self) -> FrozenDevice:
        return FrozenDevice(self.coarse, self.instants[0][1])

    @cached_property
    def levels(self) -> list[Levels]:
        """The levels of device and leads at each instant."""
        return [find_levels(self.frozen.at(moments, time)) for time, moments in self.instants]

    @cached_property
    def departure(self) -> float:
        """How far, at most 1, an element of rho may be from equilibrium.

        1 where leads differ, change, or are attached at t = 0. Where only moments move it is what the equilibrium
        changes by while electrons respond: the time to leave the device, and that in which a narrow level near the
        chemical potential is filled.
        """
        if not self.settled:
            return 1.0
        response = min(self.t_end, HBAR * self._response_time)
        return min(1.0, max((_change(self.frozen, *pair) for pair in self._displaced(response)), default=0.0))

    @cached_property
    def _response_time(self) -> float:
        """In 1/eV."""
        system, channels = self.coarse.system, self.coarse.channels
        rates = [0.25 * np.subtract(*c.exact.support[::-1]) for c in channels if c.energies.size]
        rates += [c.wide_band for c in channels if c.wide_band]
        passing = (2 * system.n_sites + 10) / min(rates)
        mu, kT = system.mean_chemical_potential(), system.mean_temperature
        near = [at.widths[np.abs(at.energies - mu) < NEAR_FERMI * kT] for at in self.levels]
        narrowest = min((float(w.min()) for w in near if w.size), default=np.inf)
        return max(passing, 1 / max(narrowest, 1e-300))

    def _displaced(self, response: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Moments now and after a response time (fs)."""
        if not isinstance(self.motion, Magnet):
            for time, moments in self.instants:
                delays = [min(time + part * response, self.t_end) for part in DELAYS]
                for _, later in _known_instants(self.motion, delays, self.coarse.system.n_sites):
                    yield moments, later
            return
        moments = self.instants[0][1]
        angle = min(np.pi / 2, response * self.turning_rate + SIGMAS * np.sqrt(2 * self.wandering * response))
        for axis in np.eye(3)[:2]:
            turned = np.cos(angle) * moments + np.sin(angle) * np.cross(axis, moments)
            yield moments, turned + (1 - np.cos(angle)) * np.outer(moments @ axis, axis)

    def estimate(self, poles: PoleSystem) -> ErrorEstimate:
        """Error of rho by the lead modes: in equilibrium, and in what departs from it."""
        frozen = FrozenDevice(poles, self.instants[0][1])
        at = [frozen.at(moments, time) for time, moments in self.instants]
        equilibrium = SAFETY * max(equilibrium_error(f) for f in at)
        known = at if any(c.vector.ndim == 2 for c in poles.channels) else ()
        duration, stationary = self.t_end / HBAR, self.start == "steady"
        driven = self.departure * lead_error(poles, self.levels, duration, self.window, stationary, known)
        return ErrorEstimate(
            equilibrium + driven,
            "error of a density-matrix element by the lead modes, to first order in those of the self-energies: "
            f"{equilibrium:.2g} in equilibrium, {driven:.2g} by band and levels where rho departs from it by up to "
            f"{self.departure:.2g} (kernels K(t) agree to {poles.coupling_error:.2g} eV^2 at all times)",
        )


def moments_of(motion: Any, time: float) -> np.ndarray:
    """M (n, 3) of a prescribed motion at `time` (fs), or where a `Magnet` starts."""
    return np.array(motion.moments if isinstance(motion, Magnet) else motion.moments(time), dtype=float)


def seen_at(motion: Any, time: float, n_sites: int) -> np.ndarray:
    """`moments_of` as the electron sites have them, (N, 3)."""
    placement, moments = placement_of(motion, n_sites), moments_of(motion, time)
    return moments if placement is None else placement.to_electrons(moments)


def _known_instants(motion: Any, times: list[float], n_sites: int) -> Iterator[tuple[float, np.ndarray]]:
    """(time, moments as the sites have them) where the motion gives unit vectors; elsewhere the run will say so."""
    for time in times:
        with suppress(Exception):
            yield time, seen_at(motion, time, n_sites)


def _rate_of_magnet(magnet: Magnet, times: np.ndarray, frozen: FrozenDevice) -> float:
    """By what drives the moments in their first position, the electrons' equilibrium spins among it, and a tenth of
    what would turn them out of equilibrium."""
    llg, moments = LLG(magnet), moments_of(magnet, 0.0)
    spins = spin_density(frozen.density_matrix())
    fields = frozen.poles.system.electrons.j_sd[:, None] * spins
    placement = placement_of(magnet, len(spins))
    fields = fields if placement is None else placement.to_moments(fields)
    torque = np.cross(fields, moments)
    rates = [np.abs(llg.rate(moments, t, torque)).max() for t in ([0.0] if magnet.is_static else times)]
    turning = magnet.prefactor[:, None] * (magnet.energy.gradient(moments) - fields)
    given = 0.0 if magnet.prescribed is None else _rate_of_path(magnet.prescribed[1], magnet.prescribed[1].rate, times)
    return max(given, float(np.max(rates)) + 0.1 * float(np.abs(turning).max()))


def _rate_of_path(
    moments: Callable[[float], np.ndarray], velocity: Callable[[float], np.ndarray], times: np.ndarray
) -> float:
    """By differences, and where they are largest by the velocity, which does not see jumps."""
    times = times[np.diff(times, prepend=-np.inf) > 1e-8 * times[-1]]
    path = np.array([moments(t) for t in times])
    steps = np.abs(np.diff(path, axis=0)).max(axis=(1, 2))
    k = int(np.argmax(steps / np.diff(times)))
    rate = max(float(np.abs(velocity(t)).max()) for t in (times[k], times[k : k + 2].mean(), times[k + 1]))
    jumps = np.isnan(path).any() or steps[k] > 2 * rate * (times[k + 1] - times[k]) + 1e-9
    return np.inf if jumps else max(rate, float(steps[k] / (times[k + 1] - times[k])))


def _change(frozen: FrozenDevice, moments: np.ndarray, later: np.ndarray) -> float:
    """Largest change of an element of the equilibrium rho between two sets of moments."""
    if np.array_equal(moments, later):
        return 0.0
    return float(np.abs(frozen.at(moments).density_matrix() - frozen.at(later).density_matrix()).max())


def _extreme_times(system: OpenSystem, t_end: float) -> list[float]:
    """t = 0 and the instants (fs) at which a voltage, an amplitude in H or its spectrum is lowest and highest."""
    drives, electrons = system.drives(), system.electrons
    if not drives:
        return [0.0]
    times, values, size = [], [], system.amplitudes(0.0).size
    for time in Schedule(drives).times_to_look(t_end):
        with suppress(Exception):  # a function that fails somewhere: the run itself says where
            value = system.amplitudes(time)
            if value.size == size and np.isfinite(value).all():
                low, high = electrons.gershgorin((time,)) if electrons.drives() else (np.zeros(1), np.zeros(1))
                values.append([*value, low.min(), high.max()])
                times.append(float(time))
    lowest, highest = np.argmin(values, axis=0), np.argmax(values, axis=0)
    return [0.0, *np.array(times)[np.append(lowest, highest)].tolist()]


def voltage_range(system: OpenSystem, times: Iterable[float]) -> np.ndarray:
    """Lowest and highest V_p (eV) at `times` (fs), (n_leads, 2)."""
    values = np.array([system.voltages(t) for t in times])
    return np.stack([values.min(axis=0), values.max(axis=0)], axis=1)


def _largest_moment(motion: Any, t_end: float, n_sites: int) -> float:
    """The largest |M| of a run: 1 but for `Prescribed` moments of changing length."""
    if getattr(motion, "unit", True):
        return 1.0
    times = Schedule(motion.drives()).times_to_look(t_end).tolist()
    lengths = [np.linalg.norm(moments, axis=1).max() for _, moments in _known_instants(motion, times, n_sites)]
    return float(np.nanmax([1.0, *lengths]))


def expand_for_run(
    system: OpenSystem, motion: Any, start: str, t_end: float, rtol: float, wandering: float = 0.0,
    look: Callable[[PoleSystem], None] = lambda poles: None,
) -> tuple[PoleSystem, ErrorEstimate]:
    """The system in poles that keep the error of rho by the leads below its share of rtol, and what it comes to.

    `wandering` is that of `RunErrors`; `look` is called with the system in few poles, before anything large is made,
    and may refuse it.

    A run that only moments disturb takes, of both families of tabulated modes, the one that needs fewer. Matrix leads
    are fitted once or twice, see `_fitted`.
    """
    times = _extreme_times(system, t_end)
    voltages, tails = voltage_range(system, times), shares.TAILS * rtol
    length = _largest_moment(motion, t_end, system.n_sites)
    coarse = expand(system, COARSE, shares.FERMI * rtol, voltages, tails, strict=False, times=times, length=length)
    look(coarse)
    if system.is_closed:
        return coarse, NOTHING_EXPANDED
    if not any(c.energies.size for c in coarse.channels):
        return coarse, ErrorEstimate(0.0, "wide bands alone, which need no modes")
    begun = settled(coarse, seen_at(motion, 0.0, system.n_sites))
    run = RunErrors(begun, motion, start, t_end, tuple(times), wandering)
    if any(c.vector.ndim == 2 for c in coarse.channels):
        return _fitted(run, rtol)
    found = [_refined(run, family, rtol) for family in ((TAILS, KERNEL) if _has_families(run) else (TAILS,))]
    met = [each for each in found if each[1].value <= shares.LEADS * rtol]
    return min(met, key=lambda e: e[0].n_modes) if met else min(found, key=lambda e: e[1].value)


def _fitted(run: RunErrors, rtol: float) -> tuple[PoleSystem, ErrorEstimate]:
    """Matrix leads fitted at a tolerance of 0.3 rtol, and finer where as little as a tenth of it brings the target.

    Runs of 5 fs are then right to rtol against explicit cells, where the estimate may say more.
    """
    tolerance, target = _half_decade(max(FINEST_MATRICES, FIRST * rtol)), shares.LEADS * rtol
    first = _expanded(run, TAILS, tolerance)
    finer = _half_decade(max(FINEST_MATRICES, tolerance * target / max(first[1].value, target)))
    if first[1].value > target / FINER or finer >= tolerance:
        return first
    return min(first, _expanded(run, TAILS, finer), key=lambda e: e[1].value)


def _has_families(run: RunErrors) -> bool:
    """Whether only moments disturb the run, and some lead has modes of both families."""
    if not run.settled:
        return False
    others = expand_channels(run.coarse.system, COARSE, strict=False, family=KERNEL)
    return any(not np.array_equal(a.energies, b.energies) for a, b in zip(run.coarse.channels, others, strict=True))


def _expanded(run: RunErrors, family: str, tolerance: float) -> tuple[PoleSystem, ErrorEstimate]:
    """The run's system with kernels of a tolerance, as good as they get, and the estimate."""
    channels = expand_channels(run.coarse.system, tolerance, strict=False, family=family)
    poles = replace(run.coarse, channels=channels)
    return poles, run.estimate(poles)


def _refined(run: RunErrors, family: str, rtol: float) -> tuple[PoleSystem, ErrorEstimate]:
    """Kernels of a family refined until the estimate holds, or until there are no finer ones."""
    finest, tolerance, target = semicircle_ladder(family)[-1].error, min(1e-2, 300 * rtol), shares.LEADS * rtol
    best: tuple[PoleSystem, ErrorEstimate] | None = None
    while True:
        poles, estimate = _expanded(run, family, tolerance)
        missed = any(c.error > tolerance * c.strength for c in poles.channels if c.energies.size)
        stalled = missed and best is not None and estimate.value > STALLED * best[1].value
        best = (poles, estimate) if best is None or estimate.value < best[1].value else best
        if best[1].value <= target or tolerance <= finest or stalled:
            return best
        tolerance = max(finest, tolerance * min(0.5, max(1e-3, target / estimate.value)))


def _half_decade(tolerance: float) -> float:
    """The next power of sqrt(10) that is not larger: few tolerances, so that fits are shared among runs."""
    return float(10 ** (0.5 * np.floor(2 * np.log10(tolerance) + 1e-6)))


def equilibrium_estimate(poles: PoleSystem | None, moments: np.ndarray) -> ErrorEstimate:
    """Error of the equilibrium rho of these moments, (N, 3), by the lead modes."""
    if poles is None or poles.fermi is None:
        return NOTHING_EXPANDED
    frozen = FrozenDevice(poles, moments)
    value = equilibrium_error(frozen)
    what = "largest difference of a density-matrix element between exact and expanded leads in the equilibrium of "
    return ErrorEstimate(value, what + "the moments at t = 0")


def fermi_estimate(poles: PoleSystem | None) -> ErrorEstimate:
    """The certified error of the Fermi function."""
    if poles is None or poles.fermi is None:
        return NOTHING_EXPANDED
    reach = f"largest error of f(E) for |E - mu| <= {poles.spectral_range:.3g} eV: bounds every occupation"
    if poles.tail_error:
        reach += f"; {poles.tail_error:.2g} by the tails of wide bands beyond"
    system = poles.system
    fits = [poles.fermi_at(kT) for kT in system.temperatures()[system.coupled_leads].tolist()]
    return ErrorEstimate(max(fit.error for fit in fits if fit is not None) + poles.tail_error, reach)


def warn_if_exceeded(budget: Mapping[str, ErrorEstimate], rtol: float) -> None:
    """An AccuracyWarning where the budget (without what it does not know) comes to more than rtol."""
    total = float(np.nansum([estimate.value for estimate in budget.values()]))
    if total > rtol:
        largest = max(budget, key=lambda name: np.nan_to_num(budget[name].value))
        warnings.warn(
            f"simulate.rtol: {rtol:g} was asked for, the error budget comes to {total:.2g}, most of it {largest}: "
            f"{budget[largest].bounds}; {REMEDIES.get(largest, 'a smaller rtol')}",
            AccuracyWarning,
            stacklevel=caller_level(),
        )
