"""Pace: how many steps a run has to make at least, before it is begun.

Part of `options`, which refuses runs that would not end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._checks import Path, Problems
from llgnegf.integrators.schedule import Schedule
from llgnegf.problem.drives import Drive
from llgnegf.problem.magnetism.magnet import Magnet, torque_prefactor
from llgnegf.problem.magnetism.motion import Precession, Prescribed
from llgnegf.problem.magnetism.torques import Amplitudes
from llgnegf.problem.plausibility import largest_energy
from llgnegf.problem.system import OpenSystem
from llgnegf.units import HBAR

if TYPE_CHECKING:
    from llgnegf.run.options import RunOptions

MOST_STEPS = 10**9
"""Steps of one run: beyond them it would not end."""


def check_pace(
    problems: Problems, system: OpenSystem | None, motion: Any, options: RunOptions, slow: bool
) -> None:
    """t_end against the fastest of the run, and moments that follow a function all along it; after no mistake.

    Drives are resolved by all steps, what turns by itself by adaptive ones.
    """
    if problems.mistakes:
        return
    t_end, rates = options.t_end, moment_rates(system, motion) if options.step is None else []
    rates += [(place, _steps(drive, t_end) / t_end) for place, drive in _driven(system, motion)]
    if options.step is None and system is not None and not slow:
        fastest, energy = largest_energy(system)
        rates.append((fastest, energy / HBAR))
    place, rate = max(rates, key=lambda item: item[1], default=((), 0.0))
    if rate * t_end > MOST_STEPS:
        scale = f"{MOST_STEPS:g} times its time scale of {1 / rate:.3g} fs"
        problems.add("t_end", t_end, f"at most {MOST_STEPS / rate:.3g} with {{}}, {scale}", place)
    elif isinstance(motion, Prescribed):
        problems.take(motion.check(t_end))
    elif isinstance(motion, Magnet) and motion.prescribed is not None:
        problems.take(motion.check_prescribed(t_end))


def _driven(system: OpenSystem | None, motion: Any) -> list[tuple[Path, Drive]]:
    """Place and function of all that changes in time."""
    parts: dict[Path, Iterable[Drive]] = {}
    if system is not None:
        parts |= {("OpenSystem", "leads", p, "voltage"): lead.drives() for p, lead in enumerate(system.leads)}
        electrons = system.electrons
        parts |= {("OpenSystem", "electrons", "terms", k): term.drives() for k, term in enumerate(electrons.terms)}
        parts[("OpenSystem", "electrons", "j_sd")] = () if electrons.j_drive is None else (electrons.j_drive,)
    if isinstance(motion, Magnet):
        parts |= {("Magnet", "energies", k): term.drives() for k, term in enumerate(motion.energies)}
        parts |= {("Magnet", "torques", k): torque.drives() for k, torque in enumerate(motion.torques)}
        parts[("Magnet", "prescribed")] = () if motion.prescribed is None else motion.prescribed[1:]
    elif isinstance(motion, Prescribed):
        parts[("Prescribed", "function")] = motion.drives()
    return [(place, drive) for place, drives in parts.items() for drive in drives]


def _steps(drive: Drive, t_end: float) -> float:
    """How many steps a run makes at least to see `drive`, from what it says in the middle between discontinuities."""
    if drive.longest_step in (None, np.inf):
        return 0.0
    schedule = Schedule([drive])
    return sum((stop - start) / schedule.longest_step(0.5 * (start + stop)) for start, stop in schedule.segments(t_end))


def moment_rates(system: OpenSystem | None, motion: Any) -> list[tuple[Path, float]]:
    """1/fs: how fast moments are turned at most, by each energy, each torque and the electrons, or as prescribed."""
    if isinstance(motion, Precession):
        return [(("Precession", "energy"), abs(motion.energy) / HBAR)]
    if not isinstance(motion, Magnet):
        return []
    n_sites, mu, prefactor = motion.n_sites, motion.magnetic_moment, torque_prefactor(motion.magnetic_moment)
    rates: list[tuple[Path, float]] = [
        (("Magnet", "energies", k), float(prefactor.max() * term.steepest(n_sites, mu)))
        for k, term in enumerate(motion.energies)
    ]
    for k, torque in enumerate(motion.torques):
        a = Amplitudes.of([torque], n_sites, 0.0)
        largest = max(np.abs(array).max() for array in (a.damping_like, a.field_like))
        rates.append((("Magnet", "torques", k), float(prefactor.max() * largest + np.abs(a.drift).sum(axis=1).max())))
    if system is not None:
        felt, placement = np.abs(system.electrons.j_sd)[:, None], motion.placement(system.n_sites)
        felt = felt if placement is None else placement.to_moments(felt)
        rates.append((("Magnet", "magnetic_moment"), float((prefactor * felt[:, 0]).max())))
    return rates
