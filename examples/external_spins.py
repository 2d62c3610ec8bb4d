"""Coupled to another program's spins, exchanged every few femtoseconds: python external_spins.py.

The spin code is ten lines: one moment in a field and the electrons' torque, carried on by rotations. Torques go to it,
moments come back; between two exchanges llgnegf turns the moments along great circles. With the torque of the middle of
each interval (predicted from the two exchanges before it) the whole is of second order in the interval, and meets the
run in which llgnegf integrates both: the differences fall four times when the interval is halved.
"""

from __future__ import annotations

import numpy as np

import llgnegf as ln
from llgnegf.units import G_E, GYROMAGNETIC_RATIO, HBAR

FIELD, END = 60.0, 24.0
"""Tesla along z; fs."""
START = ln.cone(1, 0.6)


def system() -> ln.OpenSystem:
    return ln.OpenSystem(ln.chain(1, j_sd=0.3), [ln.ChainLead(0), ln.ChainLead(0)], kT=0.1)


def turned(moment: np.ndarray, torque: np.ndarray, interval: float) -> np.ndarray:
    """The spin code: dM/dt = -g M x B + (g/mu) T, T = (M x T) x M, as one rotation over the interval."""
    rate = np.array([0.0, 0.0, GYROMAGNETIC_RATIO * FIELD]) + G_E / HBAR * np.cross(moment, torque)
    angle = np.linalg.norm(rate) * interval
    axis = rate / np.linalg.norm(rate)
    along = axis * (axis @ moment)
    return along + np.cos(angle) * (moment - along) + np.sin(angle) * np.cross(axis, moment)


def exchanged(interval: float) -> np.ndarray:
    """M at the end, with an exchange every `interval` (fs)."""
    electrons = ln.Simulation(system(), ln.External(START), t_end=END, rtol=1e-8)
    moment, before, now = START[0], np.zeros(3), np.zeros(3)
    for k in range(round(END / interval)):
        middle = 1.5 * now - 0.5 * before
        moment = turned(moment, middle, interval)
        row = electrons.advance((k + 1) * interval, moment[None])
        before, now = now, row["torque"][0]
    return moment


def main() -> list[float]:
    magnet = ln.Magnet(START, magnetic_moment=1.0, energies=[ln.Zeeman((0, 0, FIELD))])
    whole = ln.simulate(system(), magnet, t_end=END, save_every=END, rtol=1e-7).dataset.moments.values[-1, 0]
    differences = []
    for interval in (0.8, 0.4, 0.2):
        differences.append(float(np.abs(exchanged(interval) - whole).max()))
        print(f"exchange every {interval} fs: differs by {differences[-1]:.1e}")
    return differences


if __name__ == "__main__":
    main()
