"""Explicit methods for states beyond the caches: right-hand sides and vectors of the state that they move.
Run `python -m validation.low_storage` (a minute); docs/performance.md quotes the table.

A ribbon of 6 x 4 sites of the family of `scale`, rtol = 1e-5 over 700 hbar/gamma: its rates are those of wider ones,
and what a method needs does not depend on the size. At three times of the run each method makes the longest step that
is stable (5 % off the limit found from its stability function on the half disk of `fastest_rates`) and whose local
error, against dop853 in ten steps, is at most what the run allows a step of that length. Vectors moved by one
right-hand side, its own reading and writing included, count each vector read or written once, as without caches:

    dop853             66 in a step of 12 with its error estimates (`stepper.combine_ahead`), and 2 each
    rk4                k_i becomes Y_i in place, y_1 = (-y + Y_2 + 2 Y_3 + Y_4)/3 + h k_4/6: 15 in a step, and 2 each
    2N (Williamson)    S = A S + h k, y = y + B S: 5 and 2; no error estimate
    3S*+ (Ketcheson)   S_2 = S_2 + d S_1, S_1 = g_1 S_1 + g_2 S_2 + g_3 S_3 + b h k and the estimate: 8 and 2

2N: J. Niegemann, R. Diehl, K. Busch, J. Comput. Phys. 231, 364 (2012), 12, 13 and 14 stages, order 4, stable along i,
and in parts of the left half plane. 3S*+: H. Ranocha, L. Dalcin, M. Parsani, D. I. Ketcheson, Commun. Appl. Math.
Comput. 4, 1191 (2022), RDPK3Sp510, order 5.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llgnegf.equations.protocol import Equation
from llgnegf.integrators.integration import STABLE, runge_kutta
from llgnegf.integrators.tableaus import DOP853, RK4, Tableau
from llgnegf.run.simulation import Simulation
from llgnegf.units import HBAR
from validation._report import Report, run_as_script
from validation._scale_speed import system_of

LENGTH, RTOL = 700.0, 1e-5
TIMES = (5.0, 20.0, 60.0)
DIGITS = json.loads((Path(__file__).parent / "low_storage.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Method:
    """A Runge-Kutta method and the vectors that one of its right-hand sides moves."""

    tableau: Tableau
    vectors: float


def williamson(name: str) -> Method:
    """A 2N method as a tableau: dU = A dU + h k, U = U + B dU."""
    a, b = ([0.0, *DIGITS[name]["A"]], DIGITS[name]["B"])
    change, place, rows = np.zeros(len(b)), np.zeros(len(b)), []
    for j, (a_j, b_j) in enumerate(zip(a, b, strict=True)):
        rows.append(place)
        change = a_j * change + np.eye(len(b))[j]
        place = place + b_j * change
    stages = np.array(rows)
    return Method(Tableau(name, 4, stages, place, stages.sum(axis=1), np.zeros((0, len(b))), 0), 7.0)


def three_registers(name: str) -> Method:
    """A 3S* method as a tableau; the last place of each row is the weight of the state at the start."""
    gamma_1, gamma_2, gamma_3, delta, beta = (DIGITS[name][k] for k in ("gamma1", "gamma2", "gamma3", "delta", "beta"))
    s = len(beta)
    start = np.eye(s + 1)[s]
    one, two, rows = start, np.zeros(s + 1), []
    for i in range(s):
        rows.append(one[:s])
        two = two + delta[i] * one
        one = gamma_1[i] * one + gamma_2[i] * two + gamma_3[i] * start + beta[i] * np.eye(s + 1)[i]
    stages = np.array(rows)
    return Method(Tableau(name, 5, stages, one[:s], stages.sum(axis=1), np.zeros((0, s)), 0), 10.0)


def methods() -> list[Method]:
    """All that are compared; each consistent to the round-off of its digits."""
    found = [Method(DOP853, 66 / 12 + 2), Method(RK4, 15 / 4 + 2)]
    found += [williamson(name) for name in ("ndb12", "ndb13", "ndb14")] + [three_registers("rdpk3sp510")]
    assert all(abs(m.tableau.b.sum() - 1) < 1e-12 and abs(m.tableau.b @ m.tableau.c - 0.5) < 1e-12 for m in found)
    return found


def stable_step(tableau: Tableau, turning: float, damped: float) -> float:
    """Longest step that damps the half disks |rate| < turning, and |rate| < damped with -Re rate > |Im rate|/4."""
    power, coefficients = np.ones(tableau.b.size), [1.0]
    for _ in tableau.b:
        coefficients.append(float(tableau.b @ power))
        power = tableau.a @ power
    angles = np.linspace(np.pi / 2, np.pi, 181)
    radius = np.where(-np.cos(angles) > np.sin(angles) / 4, max(turning, damped), turning)
    edge = radius * np.exp(1j * angles)
    shares = np.linspace(0.02, 1.0, 50)[:, None]
    for h in np.arange(0.01, 3.0, 0.005):
        if (np.abs(np.polyval(coefficients[::-1], h * shares * edge)) > 1 + 1e-7).any():
            return STABLE * float(h)
    return 3.0


def local_error(equation: Equation, tableau: Tableau, start: tuple[float, np.ndarray], h: float) -> float:
    """Largest error of a step of length h from (time, state)."""
    states = []
    for method, count in ((tableau, 1), (DOP853, 10)):
        integration = runge_kutta(equation, method, start[1], h / count)
        integration.time = start[0]
        integration.advance(start[0] + h)
        states.append(integration.state)
    return float(np.abs(states[0] - states[1]).max())


def main() -> bool:
    report = Report("Explicit methods for big states: right-hand sides and vectors moved per hbar/gamma")
    simulation = Simulation(*system_of(6, 4), t_end=LENGTH * HBAR, save_every=LENGTH * HBAR, rtol=RTOL)
    integration, equation = simulation._dense.integration, simulation.equation
    starts = []
    for time in TIMES:
        integration.advance(time)
        starts.append((time, integration.state.copy()))
    limits = {m.tableau.name: stable_step(m.tableau, *equation.fastest_rates()) for m in methods()}
    moved = {}
    for method in methods():
        tableau, longest = method.tableau, limits[method.tableau.name]
        h = longest
        while max(local_error(equation, tableau, s, h) for s in starts) > integration.controller.may_err(h):
            h *= 0.97
        count = tableau.b.size / h
        moved[tableau.name] = count * method.vectors
        report.note(
            f"{tableau.name:12} stable to {longest:.3f}, taken {h:.3f}; right-hand sides per hbar/gamma {count:5.1f}, "
            f"vectors moved {count * method.vectors:6.1f}"
        )
    best = min(moved, key=moved.__getitem__)
    ratio = moved["dop853"] / moved[best]
    report.check(f"vectors that dop853 moves in units of the fewest ({best}, which has no estimate)", ratio, 1.2)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
