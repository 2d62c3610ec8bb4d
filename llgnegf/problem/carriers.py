"""Drives that oscillate with a changing amplitude or frequency: light pulses and sweeps; and the list of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from llgnegf.problem.arguments import NUMBER, Argument, Femtoseconds
from llgnegf.problem.drives import Drive, largest
from llgnegf.problem.waveforms import Described, Enveloped, Phase, Pulse, Ramp, Sine, Span, Table, Value

SEEN = 6.0
"""Widths from the center up to which the frequency of a chirped pulse is followed: beyond it is 1e-8 of its height."""

Sweep = Annotated[float, Argument(float, NUMBER, "1/fs^2")]


@dataclass(frozen=True)
class LightPulse(Enveloped):
    """Gaussian pulse with a carrier, exactly zero beyond 8.58 widths from its center.

    Parameters
    ----------
    amplitude : float or array_like
        Of the envelope, a number or an array (a vector potential's components).
    center : float
        Time of the maximum in fs; center >= 8.6 widths begins at exactly zero.
    width : float
        Standard deviation of the envelope in fs, >= 1e-6 (that of the intensity is width/sqrt(2)).
    period : float
        Of the carrier at the center in fs, >= 1e-6: 4.136 fs over the photon energy in eV.
    phase : float or array_like, default 0.0
        Carrier-envelope phase in rad, a number or of the amplitude's shape (circular light: 0 and pi/2).
    chirp : float, default 0.0
        Rate of the frequency in 1/fs^2.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    ::

        v(t) = amplitude exp[-s^2/(2 width^2)] cos(2 pi s/period + pi chirp s^2 + phase),    s = t - center

    Examples
    --------
    Photons of 1.5 eV as a vector potential along x, in V fs/nm:

    >>> light = ln.LightPulse(1.0, center=13.0, width=1.5, period=4.136 / 1.5)
    >>> term = ln.VectorPotential(light, direction="x")
    >>> print(light(0.0), light(13.0))
    0.0 1.0
    """

    amplitude: Value
    center: Femtoseconds
    width: Span
    period: Span
    phase: Phase = 0.0
    chirp: Sweep = 0.0
    kind: ClassVar[str] = "light_pulse"

    @property
    def longest_step(self) -> float:
        fastest = 1 / self.period + abs(self.chirp) * SEEN * self.width
        return min(self.width, 0.25 / fastest)

    @property
    def largest(self) -> float:
        return largest(self.amplitude)

    def _parts(self, time: float) -> tuple[float, Any, Any]:
        """Time from the center, envelope, and angle of the carrier."""
        amplitude, phase = self._arrays
        s = time - self.center
        angle = 2 * np.pi * s / self.period + np.pi * self.chirp * s**2 + phase
        return s, amplitude * np.exp(-0.5 * (s / self.width) ** 2), angle

    def __call__(self, time: float) -> Any:
        _, envelope, angle = self._parts(time)
        return envelope * np.cos(angle) if self.is_on(time) else 0.0 * envelope

    def rate(self, time: float) -> Any:
        s, envelope, angle = self._parts(time)
        if not self.is_on(time):
            return 0.0 * envelope
        frequency = 2 * np.pi * (1 / self.period + self.chirp * s)
        return -envelope * (s / self.width**2 * np.cos(angle) + frequency * np.sin(angle))


@dataclass(frozen=True)
class Chirp(Described):
    """Sine whose frequency is swept from one value to another.

    Parameters
    ----------
    amplitude : float or array_like
        A number or an array.
    period : float
        At t = 0 in fs, >= 1e-6.
    final_period : float
        From `duration` on in fs, >= 1e-6.
    duration : float
        Of the sweep in fs, >= 1e-6.
    phase : float or array_like, default 0.0
        In rad, a number or of the amplitude's shape.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    With n(t) the number of periods so far, ::

        v(t) = amplitude sin(2 pi n(t) + phase)
        dn/dt: 1/period at t = 0, linear in t up to 1/final_period at t = duration, that after it

    Examples
    --------
    >>> sweep = ln.Chirp(0.1, period=100.0, final_period=10.0, duration=1000.0)
    >>> print(sweep.discontinuities, sweep.longest_step)
    (1000.0,) 2.5
    """

    amplitude: Value
    period: Span
    final_period: Span
    duration: Span
    phase: Phase = 0.0
    kind: ClassVar[str] = "chirp"

    @property
    def longest_step(self) -> float:
        return 0.25 * min(self.period, self.final_period)

    @property
    def discontinuities(self) -> tuple[float]:
        """The end of the sweep, where the slope of the frequency jumps."""
        return (self.duration,)

    @property
    def largest(self) -> float:
        return largest(self.amplitude)

    def _periods(self, time: float) -> tuple[float, float]:
        """n and dn/dt."""
        first, last = 1 / self.period, 1 / self.final_period
        swept = min(max(time, 0.0), self.duration)
        frequency = first + (last - first) / self.duration * swept
        return 0.5 * (first + frequency) * swept + frequency * (time - swept), frequency

    def __call__(self, time: float) -> Any:
        amplitude, phase = self._arrays
        return amplitude * np.sin(2 * np.pi * self._periods(time)[0] + phase)

    def rate(self, time: float) -> Any:
        amplitude, phase = self._arrays
        periods, frequency = self._periods(time)
        return 2 * np.pi * frequency * amplitude * np.cos(2 * np.pi * periods + phase)


KINDS: dict[str, Callable[..., Drive]] = {
    drive.kind: drive for drive in (Ramp, Sine, Pulse, Table, LightPulse, Chirp)
}
"""By the name that an input file has for them."""
