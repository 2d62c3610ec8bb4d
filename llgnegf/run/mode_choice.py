"""How many tabulated modes each lead spectrum of a run needs, where errors add up over spectra: in ribbons those of
transverse channels that open near the chemical potential need more than the others. Called by `error_budget`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from llgnegf.poles.channels import PoleChannel, channel_poles
from llgnegf.poles.coupling import CouplingPoles, semicircle_ladder
from llgnegf.problem.spectra import ChainSpectrum
from llgnegf.run.run_errors import SAFETY, RunErrors

COARSEST = 1e-2
"""Largest error of a kernel, of K(0)."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Modes for a group of channels of one spectrum, fewest first, and what they do to rho.

    Attributes:
        modes: The candidates, (n,).
        equilibrium: Bounds on the error in equilibrium, (n,).
        driven: Errors of what departs from it at each instant, (n, instants, 2N).
    """

    modes: list[CouplingPoles]
    equilibrium: np.ndarray
    driven: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """What each comes to, (n,)."""
        return self.equilibrium + self.driven.max(axis=(1, 2))


def modes_by_spectrum(run: RunErrors, families: Sequence[str], target: float) -> tuple[PoleChannel, ...] | None:
    """The channels with modes whose errors, added over the spectra, stay below `target`; None where modes are not
    tabulated, or none do.

    From the fewest modes on, the spectrum that adds the most gets more. Errors in equilibrium are bounded by the sum of
    those of each spectrum by itself.
    """
    channels, groups = run.coarse.channels, run.passages[0].groups
    fitted = [g for g, own in enumerate(groups) if channels[own[0]].energies.size]
    if not all(isinstance(channels[groups[g][0]].exact, ChainSpectrum) for g in fitted):
        return None
    found = {g: _candidates(run, families, g) for g in fitted}
    place = dict.fromkeys(fitted, 0)

    def total() -> float:
        driven = np.sum([found[g].driven[k] for g, k in place.items()], axis=0)
        return float(sum(found[g].equilibrium[k] for g, k in place.items()) + driven.max())

    while total() > target:
        more = [g for g in fitted if place[g] + 1 < len(found[g].modes)]
        if not more:
            return None
        place[max(more, key=lambda g: found[g].errors[place[g]])] += 1
    own = {q: found[g].modes[place[g]] for g in fitted for q in groups[g]}
    return tuple(replace(c, spectrum=own.get(q, c.spectrum)) for q, c in enumerate(channels))


def _candidates(run: RunErrors, families: Sequence[str], group: int) -> Candidates:
    """All modes of the families that are better than those with fewer."""
    members = run.passages[0].groups[group]
    channel = run.coarse.channels[members[0]]
    modes = [
        channel_poles(channel.exact, unit.error * (1 + 1e-9), strict=False, family=family)
        for family in families
        for unit in semicircle_ladder(family)
        if unit.error <= COARSEST
    ]
    modes.sort(key=len)
    as_channels = [replace(channel, spectrum=m) for m in modes]
    equilibrium = SAFETY * np.max([at.of_group(members, as_channels) for at in run.equilibria], axis=0)
    frames = {at.voltages[group]: at for at in run.passages}
    wrong = {voltage: at.wrong(group, as_channels, 1 / run.duration) for voltage, at in frames.items()}
    driven = [run.relative_to_window(at, at.of_group(group, wrong[at.voltages[group]])) for at in run.passages]
    found = Candidates(modes, equilibrium, run.departure * np.stack(driven, axis=1))
    errors = found.errors
    chosen = np.flatnonzero(errors < np.minimum.accumulate(np.append(np.inf, errors[:-1])))
    return Candidates([modes[k] for k in chosen], equilibrium[chosen], found.driven[chosen])
