"""Where and how long the lead modes of a run are judged: its instants, what departs from equilibrium in it, and what
any set of modes comes to. Between `error_budget`, which chooses the modes, and the estimates (`lead_errors`,
`spectral_errors`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf.equations.moments import LLG
from llgnegf.integrators.schedule import Schedule
from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.magnetism.external import External
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.placement import placement_of
from llgnegf.problem.observables import spin_density
from llgnegf.run.lead_errors import EVERYWHERE, ExactLeads, Levels, find_levels, lead_error
from llgnegf.run.result import ErrorEstimate
from llgnegf.run.spectral_errors import MOST_STATES, EquilibriumErrors, Passages, PropagatorErrors
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.slices import SlicedGreen, distance_from_leads
from llgnegf.units import HBAR

SAFETY = 2.0
"""Factor on the equilibrium error of the lead modes, which is looked at in a few instants only."""
DELAYS = (0.23, 0.47, 0.71, 1.0)
"""Parts of the response time after which moments are compared: no simple fractions, which periods might hide behind."""
INSTANTS = 3
"""Instants of a run at which levels and the departure from equilibrium are looked at."""
NEAR_FERMI, QUANTA = 20.0, 5.0
"""Moving moments disturb electrons within so many kT, and so many hbar times the rate of turning, of the chemical
potential."""
SIGMAS = 3.0
"""Standard deviations of the angle by which noise turns a moment that are reckoned with."""
DENSE, FEW_CHANNELS, LONG = 400, 8, 700
"""Levels are asked for up to DENSE states of device and modes together, and with at most FEW_CHANNELS in devices of
up to LONG states; else, as in wide ribbons, energies."""
SIDES = 1.5
"""Where leads differ G, G^dag and what stands between them are off, not the first two alone."""


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

    @property
    def duration(self) -> float:
        """T in 1/eV."""
        return self.t_end / HBAR

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
        if not isinstance(self.motion, Magnet) or self.motion.prescribed is not None:
            times |= set(np.linspace(0.0, self.t_end, INSTANTS).tolist())
        known = [t for t in sorted(times) if np.isfinite(self.coarse.system.amplitudes(t)).all()]
        return tuple(known_instants(self.motion, known, self.coarse.system.n_sites))

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
    def at_instants(self) -> list[FrozenDevice]:
        """The device at each instant."""
        return [self.frozen.at(moments, time) for time, moments in self.instants]

    @cached_property
    def has_levels(self) -> bool:
        """Whether levels are known one by one."""
        n, channels = self.frozen.arrays.n, len(self.coarse.channels)
        return n + self.coarse.n_modes <= DENSE or (channels <= FEW_CHANNELS and n <= LONG)

    @cached_property
    def levels(self) -> list[Levels]:
        """The levels of device and leads at each instant."""
        return [find_levels(frozen) for frozen in self.at_instants]

    @cached_property
    def exact_leads(self) -> ExactLeads:
        return ExactLeads()

    @cached_property
    def propagators(self) -> list[PropagatorErrors]:
        """What errors of the propagator at each instant are made of, of devices between matrix leads: of chains levels
        tell enough, and nothing of it is asked for a stationary start."""
        matrices = any(c.vector.ndim == 2 for c in self.coarse.channels)
        if not matrices or self.start == "steady" or self.frozen.arrays.n > MOST_STATES:
            return []
        pairs = zip(self.at_instants, self.levels, strict=True)
        return [PropagatorErrors(frozen, levels, self.duration) for frozen, levels in pairs]

    @cached_property
    def equilibria(self) -> list[EquilibriumErrors]:
        """What errors of the equilibrium at each instant are made of."""
        return [EquilibriumErrors(frozen) for frozen in self.at_instants]

    @cached_property
    def has_passages(self) -> bool:
        """Whether errors are integrals over the window too: sharper for what moments disturb, and for many channels."""
        many = len(self.coarse.channels) > FEW_CHANNELS
        return self.start != "steady" and (self.settled or many or not self.has_levels)

    @cached_property
    def passages(self) -> list[Passages]:
        """What those integrals are made of at each instant."""
        window = self.window if np.isfinite(self.window[0]) else self.coarse.bounds
        return [Passages.of(frozen, window, self.duration) for frozen in self.at_instants]

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
        """In 1/eV: twice across the device, and until the narrowest level near the chemical potential is filled (for
        ever where levels are not known)."""
        system, channels = self.coarse.system, self.coarse.channels
        rates = [0.25 * np.subtract(*c.exact.support[::-1]) for c in channels if c.energies.size]
        rates += [c.wide_band for c in channels if c.wide_band]
        passing = (2 * distance_from_leads(self.frozen.device) + 10) / min(rates)
        if not self.has_levels:
            return np.inf
        mu, kT = system.mean_chemical_potential(), system.mean_temperature
        near = [at.widths[np.abs(at.energies - mu) < NEAR_FERMI * kT] for at in self.levels]
        narrowest = min((float(w.min()) for w in near if w.size), default=np.inf)
        return max(passing, 1 / max(narrowest, 1e-300))

    def _displaced(self, response: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Moments now and after a response time (fs)."""
        is_magnet = isinstance(self.motion, Magnet)
        if not is_magnet or self.motion.prescribed is not None:
            for time, moments in self.instants:
                delays = [min(time + part * response, self.t_end) for part in DELAYS]
                for _, later in known_instants(self.motion, delays, self.coarse.system.n_sites):
                    yield moments, later
        if not is_magnet:
            return
        moments = self.instants[0][1]
        angle = min(np.pi / 2, response * self.turning_rate + SIGMAS * np.sqrt(2 * self.wandering * response))
        for axis in np.eye(3)[:2]:
            turned = np.cos(angle) * moments + np.sin(angle) * np.cross(axis, moments)
            yield moments, turned + (1 - np.cos(angle)) * np.outer(moments @ axis, axis)

    def relative_error(self, poles: PoleSystem) -> float:
        """Error of what departs from equilibrium, relative to it: the least of the estimates that are known."""
        stationary, found = self.start == "steady", []
        if self.has_passages:
            errors = [(at, at.error(poles.channels, 1 / self.duration)) for at in self.passages]
            found.append(max(float(self.relative_to_window(*each).max()) for each in errors))
        if self.has_levels or not found:
            propagators = [at.of(poles.channels) for at in self.propagators]
            known = self.levels, self.duration, self.window, stationary, self.exact_leads
            found.append(lead_error(poles, *known, propagators))
        return min(found)

    def relative_to_window(self, at: Passages, errors: np.ndarray) -> np.ndarray:
        """Errors (..., 2N) by passages relative to what departs, which is in the window."""
        if not np.isfinite(self.window[0]):
            return SIDES * errors
        return np.asarray(errors / np.maximum(at.filling, at.filling.mean()))

    def estimate(self, poles: PoleSystem) -> ErrorEstimate:
        """Error of rho by the lead modes: in equilibrium, and in what departs from it."""
        equilibrium = SAFETY * max(at.of(poles.channels) for at in self.equilibria)
        driven = self.departure * self.relative_error(poles)
        return ErrorEstimate(
            equilibrium + driven,
            "error of a density-matrix element by the lead modes, to first order in those of the self-energies: "
            f"{equilibrium:.2g} in equilibrium, {driven:.2g} by band and levels where rho departs from it by up to "
            f"{self.departure:.2g} (kernels K(t) agree to {poles.coupling_error:.2g} eV^2 at all times)",
        )


def moments_of(motion: Any, time: float) -> np.ndarray:
    """M (n, 3) of a prescribed motion at `time` (fs), or where a `Magnet` starts, what is prescribed of it moved on."""
    if isinstance(motion, Magnet):
        start = np.array(motion.moments, dtype=float)
        return start if motion.prescribed is None or time == 0 else LLG(motion).place(time, start)
    return np.array(motion.moments(time), dtype=float)


def seen_at(motion: Any, time: float, n_sites: int) -> np.ndarray:
    """`moments_of` as the electron sites have them, (N, 3)."""
    placement, moments = placement_of(motion, n_sites), moments_of(motion, time)
    return moments if placement is None else placement.to_electrons(moments)


def known_instants(motion: Any, times: list[float], n_sites: int) -> Iterator[tuple[float, np.ndarray]]:
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
    """Largest change of an element of the equilibrium rho within and between neighbouring slices of the device."""
    if np.array_equal(moments, later):
        return 0.0
    pairs = zip(_half_rho(frozen.at(moments)), _half_rho(frozen.at(later)), strict=True)
    change = {place: after - before for (place, before), (_, after) in pairs}
    return max(float(np.abs(x + change[j, i].conj().T).max()) for (i, j), x in change.items())


def _half_rho(frozen: FrozenDevice) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """sum_m r_m G(z_m^*), the part of rho of which it is the Hermitian sum, by the first rows and columns of blocks."""
    energies, r = frozen.fermi_poles(frozen.mean)
    for rows, columns, green in SlicedGreen(frozen.device, energies).local():
        yield (rows.start, columns.start), np.tensordot(r, green, 1)
