"""The compiled right-hand side of big states, its pieces of work shared among threads.

Beside `electrons`, which calls it where it has a team; with the same bits as by one thread.
"""

from __future__ import annotations

import numpy as np

from llgnegf._compile import resolved
from llgnegf._threads import Team, shares
from llgnegf.equations.kernels.electrons import (
    DEVICE,
    GATHER,
    JOIN,
    LEVELS,
    Workspace,
    begin_rhs,
    finish_rhs,
    run_pieces,
)
from llgnegf.equations.kernels.leads import Electrons
from llgnegf.equations.layout import Layout

ADJOINT = 1.5
"""What a number of rho costs, whose mirror image is added, in units of one in another column of B."""

BOTH = 2.0
"""What a number of a half of rho costs, on which H acts from both sides."""

ALONE = 2**15
"""Cost of a phase, in complex numbers combined, that one thread does before others would have woken up (0.05 ms)."""


class SharedRhs:
    """`electronic_rhs` of several threads.

    Args:
        team: The threads.
        layout: Of the state.
        constants, work: As for `electronic_rhs`.
    """

    def __init__(self, team: Team, layout: Layout, constants: Electrons, work: Workspace) -> None:
        self.team, self._constants = team, (constants, work)
        vector, moments = np.zeros(0), np.zeros((0, 3))
        self._begin = resolved(begin_rhs, constants, work, moments, vector)
        self._some = resolved(run_pieces, constants, work, vector, vector, 0, 0, 0)
        self._finish = resolved(finish_rhs, constants, work, vector)
        costs = _costs(layout, work)
        self._pieces = [phase.size for phase in costs]
        self._bounds = [shares(phase, team.count) if phase.sum() > ALONE else None for phase in costs]

    def __call__(self, moments: np.ndarray, voltage: np.ndarray, state: np.ndarray, derivative: np.ndarray) -> None:
        """For moments (N, 3) and V of every orbital in eV, (Q,)."""
        constants, work = self._constants
        self._begin(constants, work, moments, voltage)
        for phase in (GATHER, LEVELS, JOIN, DEVICE):
            arguments, bounds = (constants, work, state, derivative, phase), self._bounds[phase]
            if bounds is None:
                self._some(*arguments, 0, self._pieces[phase])
            else:
                self.team.share(self._some, arguments, bounds)
        self._finish(constants, work, derivative)


def _costs(layout: Layout, work: Workspace) -> list[np.ndarray]:
    """About what each piece of each phase costs."""
    n, count = layout.n_states, layout.n_modes + layout.n_vectors
    widths, first = np.diff(work.columns, axis=1)[:, 0], work.columns[:, 0]
    orbitals = work.channels.shape[1] // (n + count)
    gather = widths * np.where(first < n, orbitals + count, 2 * orbitals)
    modes = np.array(layout.modes)
    levels = modes * (count - np.cumsum(modes) + modes)
    rows, on = work.tiles.T
    sides, strips = np.diff(work.cuts, axis=1)[:, 0], np.diff(work.strips, axis=1)[:, 0]
    inside = rows >= 0
    if layout.reach is None:
        rho = ADJOINT * sides[rows[inside]] * sides[on[inside]] * np.where(rows == on, 1, 2)[inside]
    else:
        rho = BOTH * sides * work.cuts[:, 1]
    return [gather, levels, np.full(orbitals, layout.n_modes), np.concatenate([rho, count * strips])]
