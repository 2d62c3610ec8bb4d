"""How many tabulated modes each lead spectrum of a run needs, where errors add up over spectra: in ribbons closed transverse
channels need fewer than those that open near the chemical potential. Called by `error_budget`.
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
    """Modes for a group of channels of one spectrum, fewest first, and what each comes to in the error of rho."""

    modes: list[CouplingPoles]
    errors: list[float]


def modes_by_spectrum(run: RunErrors, families: Sequence[str], target: float) -> tuple[PoleChannel, ...] | None:
    """The channels with modes whose errors, added over the spectra, stay below `target`; None where modes are not
    tabulated, or none do.

    With the error e_g(modes) of each spectrum by itself (in equilibrium times SAFETY, and driven) the sum of all e_g
    bounds that of all together. From the fewest modes on, the spectrum with the largest error gets more.
    """
    channels = run.coarse.channels
    groups = run.passages[0].groups
    fitted = [g for g in range(len(groups)) if channels[groups[g][0]].energies.size]
    if not all(isinstance(channels[groups[g][0]].exact, ChainSpectrum) for g in fitted):
        return None
    found = {g: _candidates(run, families, g) for g in fitted}
    place = dict.fromkeys(fitted, 0)
    while sum(found[g].errors[place[g]] for g in fitted) > target:
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
    rungs = [r.error for family in families for r in semicircle_ladder(family) if r.error <= COARSEST]
    named = [family for family in families for r in semicircle_ladder(family) if r.error <= COARSEST]
    modes = [
        channel_poles(channel.exact, error * (1 + 1e-9), strict=False, family=family)
        for error, family in zip(rungs, named, strict=True)
    ]
    order = np.argsort([len(m) for m in modes], kind="stable")
    modes = [modes[k] for k in order]
    as_channels = [replace(channel, spectrum=m) for m in modes]
    equilibrium = SAFETY * np.max([at.of_group(members, as_channels) for at in run.equilibria], axis=0)
    height = 1 / run.duration
    driven = [run.of_passage(at, at.of_group(group, as_channels, height)) for at in run.passages]
    errors = equilibrium + run.departure * np.max(driven, axis=0)
    best = errors < np.minimum.accumulate(np.append(np.inf, errors[:-1]))
    chosen = np.flatnonzero(best)
    return Candidates([modes[k] for k in chosen], errors[chosen].tolist())
