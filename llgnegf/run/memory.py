"""How much memory a run takes, from its sizes alone, and how much there is: what does not fit is refused beforehand.

Asked by `simulation` and `slow_simulation` before they make anything large; `store` and `commands` show the estimate.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llgnegf._checks import memory_of_machine, need
from llgnegf.equations.layout import Layout
from llgnegf.poles.channels import PoleSystem
from llgnegf.poles.levels import LeadLevels

if TYPE_CHECKING:
    from llgnegf.run.options import RunOptions

GB, GROUPS = 1e9, "/sys/fs/cgroup"
VECTORS = 20
"""Vectors of the state that a step keeps: dop853 has 12 stages, the rate at the end and three for rows inside a step,
one to work with, and the states before, at and tried for the end of the step."""
MATRICES = 8
"""Complex matrices between all device states and modes that the start holds at a time."""
COLUMNS = 2
"""Sets of G u for all Fermi poles and lead orbitals that the start holds at a time (`static.slices`)."""
SLOW_GREENS = 800
"""Green functions that the tensors of slow moments hold in equilibrium; narrow resonances and a bias ask for up to ten
times as many energies, which is known only when they are summed."""
REMEDY = (
    "a larger rtol (fewer modes), warmer leads (fewer Fermi vectors), fewer sites, electrons = 'adiabatic', "
    "or memory = ... (GB), the limit to go by"
)
SLOW_REMEDY = "fewer sites, or memory = ... (GB), the limit to go by"


def full_run(layout: Layout, n_poles: int, n_orbitals: int) -> float:
    """Bytes of a run of the full electrons, or of moments alone, beside the program and its libraries.

    The larger of what the start and the steps take; complex numbers have 16 bytes:

        start   MATRICES 16 (n + M)^2 + COLUMNS 16 n_poles n n_orbitals + 3 states
        steps   VECTORS states

    Args:
        layout: What is where in the state, n device states and M modes among it.
        n_poles: Poles of the Fermi function.
        n_orbitals: Of all leads.
    """
    n, state = layout.n_states, 8.0 * layout.size
    start = 16.0 * (MATRICES * (n + layout.n_modes) ** 2 + COLUMNS * n_poles * n * n_orbitals) + 3 * state
    return max(start, VECTORS * state)


def check_slow(n_sites: int, options: RunOptions) -> float:
    """Refuse a run of slow electrons that takes more at least than there is; raises as `check` does.

    Returns:
        This lower bound in bytes, that of the Green functions that its tensors are summed from.
    """
    needed = 16.0 * SLOW_GREENS * (2 * n_sites) ** 2
    check(needed, f"{SLOW_GREENS} Green functions of {2 * n_sites} device states", SLOW_REMEDY, options)
    return needed


def check_poles(poles: PoleSystem, options: RunOptions) -> None:
    """Refuse a run of the full electrons whose leads are expanded like this; raises as `check` does."""
    check_layout(Layout.of(poles.system, LeadLevels(poles)), poles, options)


def check_layout(layout: Layout, poles: PoleSystem | None, options: RunOptions) -> float:
    """Refuse a run of the full electrons, or of moments alone (poles None), with this state; raises as `check` does.

    Returns:
        Its estimate in bytes.
    """
    n_poles = 0 if poles is None or poles.fermi is None else poles.fermi.eta.size
    n_orbitals = 0 if poles is None else sum(channel.columns.shape[1] for channel in poles.channels)
    needed = full_run(layout, n_poles, n_orbitals)
    sizes = f"{layout.n_states} device states, {layout.n_modes} lead modes, {layout.n_vectors} Fermi vectors"
    check(needed, sizes if poles is not None else f"{layout.n_moments} moments", REMEDY, options)
    return needed


def check(needed: float, what: str, remedy: str, options: RunOptions) -> None:
    """Refuse a run that needs so many bytes for `what` if there are fewer.

    Raises:
        MistakesError: A ValueError with the figure, what is available, and what to change.
    """
    there, whose = (available(), "what is free here") if options.memory is None else (options.memory * GB, "the limit")
    allowed = f"at most {there / GB:.3g} GB, {whose}: {remedy}"
    need(needed <= there, "simulate", "memory", f"{needed / GB:.3g} GB for {what}", allowed)


def available() -> float:
    """Bytes that this process can still take: the least of what is free on the machine, in the process's control groups
    (a batch job's), and below its limit of addresses; where no system says what is free, all memory of the machine, and
    infinite where that is not known either."""
    return max(0.0, min(_free_here(), _free_addresses(), *_free_in_groups()))


def _free_here() -> float:
    """Of Linux, which counts what it can take back from its caches; elsewhere the whole memory."""
    free = [line.split()[1] for line in _text("/proc/meminfo").splitlines() if line.startswith("MemAvailable:")]
    return 1024.0 * int(free[0]) if free else memory_of_machine()


def _free_addresses() -> float:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return np.inf
    used = _text("/proc/self/statm").split()[:1]
    return limit - (int(used[0]) * os.sysconf("SC_PAGE_SIZE") if used else 0.0)


def _free_in_groups() -> Iterator[float]:
    """Of each memory control group of this process and those it is in, versions 1 and 2; caches count as free."""
    yield np.inf
    for line in _text("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = Path(GROUPS, "memory") if controllers else Path(GROUPS)
        names = ("limit_in_bytes", "usage_in_bytes", "total_inactive_file") if controllers else (
            "max", "current", "inactive_file",
        )  # fmt: skip
        group = top / path.lstrip("/")
        for folder in (group, *(above for above in group.parents if above == top or top in above.parents)):
            limit, used = (_text(folder / f"memory.{name}").strip() for name in names[:2])
            if limit.isdecimal() and used.isdecimal():
                kept = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
                yield float(int(limit) - int(used) + int(kept.get(names[2], 0)))


def _text(path: str | Path) -> str:
    """The content of a file of the system; "" if there is none to read."""
    with suppress(OSError):
        return Path(path).read_text()
    return ""
