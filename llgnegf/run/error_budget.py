"""How many lead modes a run needs for its rtol, chosen before it starts, and its error budget: what the pole expansions
and the steps contribute to the error, measured and not guessed. Estimates are in `run_errors`, modes
of wide ribbons are chosen spectrum by spectrum in `mode_choice`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from llgnegf.integrators.schedule import Schedule
from llgnegf.poles.channels import PoleChannel, PoleSystem, expand, expand_channels
from llgnegf.poles.coupling import KERNEL, TAILS, semicircle_ladder
from llgnegf.problem.plausibility import say
from llgnegf.problem.system import OpenSystem
from llgnegf.run import shares
from llgnegf.run.mode_choice import modes_by_spectrum
from llgnegf.run.result import ErrorEstimate
from llgnegf.run.run_errors import FEW_CHANNELS, RunErrors, known_instants, seen_at
from llgnegf.run.spectral_errors import EquilibriumErrors
from llgnegf.static.frozen import FrozenDevice, settled

COARSE = 3e-4
"""Tolerance of the modes with which levels are found, relative to K(0)."""
FINEST_MATRICES = 10**-8.5
"""The finest tolerance asked for of a fitted matrix lead: below, rounding decides whether Gamma >= 0."""
FIRST, FINER = 0.1**0.5, 0.1
"""First tolerance of such a fit in units of rtol, and the smallest part of one that the next may be."""
MOST_TRIES = 40
"""Tolerances tried for scalar leads: never reached, the table having fewer and those of fits being halved at least."""
MOST_FITS, MOST_ORBITALS = 4, 8
"""Fits of one matrix lead, and orbitals of a lead that is fitted once: wider ones take a minute."""
STALLED = 0.9
"""Kernels that keep more than this part of the estimate are not refined further: a table has its limits."""
NOTHING_EXPANDED = ErrorEstimate(0.0, "no leads: nothing is expanded")
REMEDIES = {
    "coupling_poles": "finer lead modes do not exist, or for wide matrix leads are not tried: take the larger rtol, "
    "a shorter run or a stronger lead",
    "time_step": "take a smaller rtol (or a smaller fixed step)",
}


class AccuracyWarning(UserWarning):
    """The error budget of a run comes to more than the rtol that was asked for.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("ignore", ln.AccuracyWarning)  # or "error", which stops a script there
    """


def _extreme_times(system: OpenSystem, t_end: float) -> list[float]:
    """t = 0 and the instants (fs) at which a voltage, an amplitude in H or its spectrum is lowest and highest."""
    drives, electrons = system.drives(), system.electrons
    if not drives:
        return [0.0]
    def at(time: float) -> np.ndarray:
        value = system.amplitudes(time)
        if not electrons.drives():
            return value
        low, high = electrons.gershgorin((time,))
        return np.append(value, [low.min(), high.max()])

    times, values, size = [], [], at(0.0).size
    for time in Schedule(drives).times_to_look(t_end).tolist():
        with suppress(Exception):  # a function that fails somewhere: the run itself says where
            value = at(time)
            if value.size == size:
                times.append(time)
                values.append(value)
    known = np.isfinite(values).all(axis=1)
    kept, instants = np.array(values)[known], np.array(times)[known]
    return [0.0, *instants[np.append(kept.argmin(axis=0), kept.argmax(axis=0))].tolist()]


def voltage_range(system: OpenSystem, times: Iterable[float]) -> np.ndarray:
    """Lowest and highest V_p (eV) at `times` (fs), (n_leads, 2)."""
    values = np.array([system.voltages(t) for t in times])
    return np.stack([values.min(axis=0), values.max(axis=0)], axis=1)


def _largest_moment(motion: Any, t_end: float, n_sites: int) -> float:
    """The largest |M| of a run: 1 but for `Prescribed` moments of changing length."""
    if getattr(motion, "unit", True):
        return 1.0
    times = Schedule(motion.drives()).times_to_look(t_end).tolist()
    lengths = [np.linalg.norm(moments, axis=1).max() for _, moments in known_instants(motion, times, n_sites)]
    return float(np.nanmax([1.0, *lengths]))


def expand_for_run(
    system: OpenSystem, motion: Any, start: str, t_end: float, rtol: float, wandering: float = 0.0,
    look: Callable[[PoleSystem], None] = lambda poles: None,
) -> tuple[PoleSystem, ErrorEstimate]:
    """The system in poles that keep the error of rho by the leads below its share of rtol, and what it comes to.

    `wandering` is that of `RunErrors`; `look` is called with the system in few poles, before anything large is made,
    and may refuse it.

    A run that only moments disturb takes, of both families of tabulated modes, the one that needs fewer. Matrix leads
    are fitted, see `_fitted`.
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
        return _refined(run, TAILS, rtol, _fitted(coarse.channels, rtol))
    families = (TAILS, KERNEL) if _has_families(run) else (TAILS,)
    found, target, few = [], shares.LEADS * rtol, len(coarse.channels) <= FEW_CHANNELS
    by_levels = few and run.has_levels  # integrals find the same modes for few channels, and take longer
    if not by_levels and run.has_passages and (own := modes_by_spectrum(run, families, target)) is not None:
        poles = replace(coarse, channels=own)
        found.append((poles, run.estimate(poles)))
    if run.has_levels or not found:
        found += [_refined(run, family, rtol, _scalar(coarse.channels, family, rtol)) for family in families]
    met = [each for each in found if each[1].value <= target]
    chosen, error = min(met, key=lambda e: e[0].n_modes) if met else min(found, key=lambda e: e[1].value)
    if not few:  # few ones cost little, and their equilibrium then stays to round-off
        chosen = chosen.with_fewer_vectors(shares.VECTORS * rtol, run.duration)
    return chosen, error


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


class _Ladder(NamedTuple):
    """Tolerances of lead modes, from `first` to `finest`.

    Attributes:
        finer: Smallest part of one that the next may be.
        most: So many are tried.
        on: The tolerance that is taken for one that is wanted.
        coarser: Largest part of one that the next may be.
        is_quick: Whether one more costs next to nothing.
    """

    first: float
    finest: float
    finer: float
    most: int
    on: Callable[[float], float]
    coarser: float = 0.5
    is_quick: bool = False


def _are_tabulated(channels: Sequence[PoleChannel]) -> bool:
    """Whether all modes are from the table of chains, none fitted."""
    errors = np.array([modes.error for modes in semicircle_ladder(TAILS)])
    return all(np.isclose(c.error, errors * c.strength, rtol=1e-9).any() for c in channels if c.energies.size)


def _scalar(channels: Sequence[PoleChannel], family: str, rtol: float) -> _Ladder:
    """Of scalar leads: the rungs of the table for chains, any tolerance where others are fitted beside them."""
    errors = [modes.error for modes in semicircle_ladder(family)]
    if not _are_tabulated(channels):
        return _Ladder(min(1e-2, 300 * rtol), min(errors), 1e-3, MOST_TRIES, float)

    def rung(tolerance: float) -> float:
        return max((error for error in errors if error <= tolerance), default=min(errors))

    return _Ladder(rung(min(1e-2, 300 * rtol)), min(errors), 1e-3, MOST_TRIES, rung, 1 - 1e-6, True)


def _fitted(channels: Sequence[PoleChannel], rtol: float) -> _Ladder:
    """Of matrix leads, whose fits take seconds, wide ones a minute."""
    widest = max(c.vector.shape[1] for c in channels if c.vector.ndim == 2)
    first = _half_decade(max(FINEST_MATRICES, FIRST * rtol))
    return _Ladder(first, FINEST_MATRICES, FINER, MOST_FITS if widest <= MOST_ORBITALS else 1, _half_decade)


def _refined(run: RunErrors, family: str, rtol: float, ladder: _Ladder) -> tuple[PoleSystem, ErrorEstimate]:
    """Kernels of a family refined until the estimate holds, or until there are no finer ones."""
    tolerance, target = ladder.first, shares.LEADS * rtol
    best: tuple[PoleSystem, ErrorEstimate] | None = None
    tried: list[tuple[float, float]] = []
    for _ in range(ladder.most):
        poles, estimate = _expanded(run, family, tolerance)
        tried.append((tolerance, estimate.value))
        missed = any(c.error > tolerance * c.strength for c in poles.channels if c.energies.size)
        stalled = missed and best is not None and estimate.value > STALLED * best[1].value
        best = (poles, estimate) if best is None or estimate.value < best[1].value else best
        if best[1].value <= target or tolerance <= ladder.finest or stalled:
            break
        part = min(ladder.coarser, max(ladder.finer, target / estimate.value))
        tolerance = ladder.on(max(ladder.finest, tolerance * part))
    assert best is not None
    while ladder.is_quick and (between := _rung_between(tried, target, ladder)) is not None:
        poles, estimate = _expanded(run, family, between)
        holds = estimate.value <= target
        tried[-1 if holds else -2] = between, estimate.value
        best = (poles, estimate) if holds else best
    return best


def _rung_between(tried: Sequence[tuple[float, float]], target: float, ladder: _Ladder) -> float | None:
    """The tolerance between the last two at which the estimate may still hold, by a power law through both; None if
    there is none. Estimates fall faster than the tolerance, so that the last step goes too far."""
    if len(tried) < 2:
        return None
    (coarse, above), (fine, below) = tried[-2:]
    if not 0 < below <= target < above:
        return None
    power = np.log(above / below) / np.log(coarse / fine)
    rung = ladder.on(fine * (target / below) ** (1 / power))
    return rung if fine < rung < coarse else None


def _half_decade(tolerance: float) -> float:
    """The next power of sqrt(10) that is not larger: few tolerances, so that fits are shared among runs."""
    return float(10 ** (0.5 * np.floor(2 * np.log10(tolerance) + 1e-6)))


def equilibrium_estimate(poles: PoleSystem | None, moments: np.ndarray) -> ErrorEstimate:
    """Error of the equilibrium rho of these moments, (N, 3), by the lead modes."""
    if poles is None or poles.fermi is None:
        return NOTHING_EXPANDED
    value = EquilibriumErrors(FrozenDevice(poles, moments)).of(poles.channels)
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


def excess(budget: Mapping[str, ErrorEstimate], rtol: float) -> str | None:
    """What there is to say where the budget (without what it does not know) comes to more than rtol; else None."""
    total = float(np.nansum([estimate.value for estimate in budget.values()]))
    if total <= rtol:
        return None
    largest = max(budget, key=lambda name: np.nan_to_num(budget[name].value))
    return (
        f"simulate.rtol: {rtol:g} was asked for, the error budget comes to {total:.2g}, most of it {largest}: "
        f"{budget[largest].bounds}; {REMEDIES.get(largest, 'a smaller rtol')}"
    )


def warn_if_exceeded(budget: Mapping[str, ErrorEstimate], rtol: float) -> None:
    """An AccuracyWarning where there is an `excess`."""
    if (line := excess(budget, rtol)) is not None:
        say(line, AccuracyWarning)
