"""Noise of a full run: how long the intervals of its thermal field are, and warnings of the electrons' own friction.

Averages err by O(h^2) in the length h of the intervals of `problem.magnetism.thermal_field`. By what happens within h:
- The noise turns a moment by angles of variance s = 2 kT lambda p h/(1 + lambda^2) about each axis. Measured for one
  moment in a field (validation/full_noise.py): <M.B/B> is off by -0.08 s^2.
- A moment precesses by a = Omega h. For small deviations from a field the variance that an interval brings is that of
  white noise times sinc^2(a/4) [3 - cos(a/2)]/2 = 1 + a^2/24 + O(a^4), an error of the temperature.
- Electrons turn by up to W h/hbar, W the width of the spectrum: the motion of moments that is white for slower
  transitions has the power 1 + (w h)^2/24 for those at w, an error of what electrons take from it.
"""

from __future__ import annotations

import numpy as np

from llgnegf._checks import need
from llgnegf.equations.slow import SlowEquation
from llgnegf.integrators.schedule import count_of_steps
from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.thermal_field import ThermalField
from llgnegf.response.fast_tensors import PoleTensors
from llgnegf.run.options import RunOptions
from llgnegf.run.pace import moment_rates
from llgnegf.static.quadrature import QuadratureError
from llgnegf.units import HBAR

ROTATION, PRECESSION, TRANSITION = 0.1, 0.3, 3.0
"""Largest s, a and W h/hbar: 0.001 of <M.B/B>, 0.4 % of the temperature, and some per cent of the power that electrons
take from the noise, of which most is at transitions well below W."""
MOST_JUMPS = 10**7
"""Jumps of the field in a run: beyond them their times alone would fill the memory."""
COARSE = 0.01
"""Error of averages by a `step` of the user beyond which there is a warning."""
PART = 0.1
"""Electrons that damp by this part of the damping or more are warned of."""
TENSOR_TOLERANCE = 1e-3
"""Of the tensors that are compared with the damping, 1/eV^2."""


def wandering(magnet: Magnet, kT: float) -> float:
    """Largest variance (rad^2/fs) by which noise turns a moment about an axis, 2 kT lambda p/(1 + lambda^2)."""
    damping = np.where(magnet.moving, magnet.damping, 0.0)
    return float((2 * kT * damping * magnet.prefactor / (1 + damping**2)).max())


def fastest_turn(magnet: Magnet) -> float:
    """Largest rate (rad/fs) at which fields and torques turn a moment."""
    return max((rate for _, rate in moment_rates(None, magnet)), default=0.0)


def thermal_field(options: RunOptions, magnet: Magnet, poles: PoleSystem) -> tuple[ThermalField, float]:
    """The field of a run, and the length h of its intervals in fs, which divide `save_every`: rows are at their
    ends (but for the last one, where t_end is none of these times).

    Two fixed steps of the user make an interval. Else it is as long as the errors allow, of which the module speaks.

    Raises:
        ValueError: For more jumps of the field than there can be.
    """
    every, t_end = options.save_every, options.t_end
    longest = np.inf if options.step is None else 2 * options.step
    if options.step is None:
        turning = fastest_turn(magnet)
        width = float(np.subtract(*poles.bounds[::-1]))
        wanders = wandering(magnet, options.temperature)
        longest = 1 / max(wanders / ROTATION, turning / PRECESSION, width / HBAR / TRANSITION)
    count = count_of_steps(every, longest)
    jumps = 2 * count * t_end / every
    allowed = f"at most {MOST_JUMPS:g}: a shorter run, or a longer step (fs) that sets the intervals of the noise"
    value = f"{t_end:g} fs with {jumps:.3g} jumps of the thermal field"
    need(jumps <= MOST_JUMPS, "simulate", "t_end", value, allowed)
    assert options.seed is not None
    return ThermalField(magnet, options.temperature, options.seed, every, count, t_end), every / count


def doubts_of_interval(options: RunOptions, magnet: Magnet, interval: float) -> list[str]:
    """What to warn of where a `step` of the user makes intervals (fs) that are too long for the averages."""
    s, a = interval * wandering(magnet, options.temperature), interval * fastest_turn(magnet)
    error = max(0.08 * s**2, a**2 / 24)
    if error <= COARSE:
        return []
    at_most = 0.5 * interval * np.sqrt(COARSE / error)
    return [
        f"simulate.step: {options.step}: within two steps, an interval of the noise, moments turn so far that averages "
        f"err by some {error:.1g}; at most {at_most:.2g} fs for {COARSE:g}"
    ]


def doubts_of_baths(options: RunOptions, magnet: Magnet, poles: PoleSystem) -> list[str]:
    """What to warn of: electrons of another temperature, and those whose own friction matters.

    Measured damping has the friction of conduction electrons in it, which full electrons give once more: it may count
    twice, unless it is larger than the damping given. And <s> in the mean damps moments without the noise of its
    fluctuations, so that slow moments are as at the temperature kT lambda/(lambda + electronic damping).
    """
    system, kT, found = poles.system, options.temperature, []
    if abs(system.mean_temperature - kT) > 1e-6 * kT:
        line = f"simulate.temperature: {kT:g} beside electrons at kT = {system.mean_temperature:g}: moments between two"
        found.append(f"{line} baths have no equilibrium")
    if system.is_closed or not system.in_equilibrium():
        return found
    try:
        given, own = np.where(magnet.moving, magnet.damping, 0.0), electronic_damping(magnet, poles)
    except QuadratureError:  # a level that hardly anything damps at the Fermi energy: no damping to compare with
        return found
    damped = np.flatnonzero(given > 0)
    k = int(damped[np.argmax(own[damped] / given[damped])])
    if own[k] >= PART * given[k]:
        cooled = kT * given[k] / (given[k] + own[k])
        twice = "; if the damping was measured, that counts twice: give what is left without it"
        found.append(
            f"Magnet.damping: {given[k]:.3g} of moment {k}, beside electrons that damp it by {own[k]:.2g} themselves, "
            f"in the mean and without noise: it is as at {cooled:.2g} eV" + (twice if own[k] <= given[k] else "")
        )
    return found


def electronic_damping(magnet: Magnet, poles: PoleSystem) -> np.ndarray:
    """Gilbert's lambda, (n,), that the electrons' own friction at t = 0 amounts to on each moment that moves alone:
    p times half the trace of the local friction tensor between directions normal to the moment."""
    equation = SlowEquation(magnet, PoleTensors(poles, TENSOR_TOLERANCE), ("friction",), noisy=True)
    instant = equation.instant(0.0, np.array(magnet.moments, dtype=float)[None])
    assert instant.friction is not None
    n, m = magnet.n_sites, instant.moments[0]
    local = instant.friction[0].reshape(n, 3, n, 3)[np.arange(n), :, np.arange(n)]
    along = np.einsum("ia,iab,ib->i", m, local, m)
    return 0.5 * magnet.prefactor * (np.trace(local, axis1=1, axis2=2) - along)
