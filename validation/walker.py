"""A classical wall in a field, Walker's motion and its end: `python -m validation.walker`.

Convention: H = sum_i [-J M_i.M_{i+1} - K m_z^2 + K_hard m_y^2 - mu B m_z], one moment of mu = n mu_B on each
site, no dipolar energy: K_hard > 0 is the hard-axis energy for each moment, the easy plane of the wall is xz.
The wall at q has +z on its left, phi is the angle of its plane to the easy plane, Delta^2 = J/(2 (K + K_hard
sin^2 phi)) in lattice constants, lambda Gilbert's. The LLG equation gives (N. L. Schryer and L. R. Walker, J.
Appl. Phys. 45, 5406 (1974))

    dphi/dt + (lambda/Delta) dq/dt = g B,      (1/Delta) dq/dt - lambda dphi/dt = (K_hard/L) sin 2 phi,    L = mu/g.

phi can rest only at sin 2 phi = B/B_W, that is below the threshold B_W = lambda K_hard/mu. Then dq/dt = g B
Delta/lambda. Above it the plane turns for ever, half a turn in T = pi (1 + lambda^2)/(g sqrt(B^2 - B_W^2)), and
on the average
    dq/dt = (Delta/lambda) [g B - pi/T] = (g Delta/lambda) [B - sqrt(B^2 - B_W^2)/(1 + lambda^2)].

Bounds. Lattice: a wall of finite Delta moves slower by 1 - 1/(8 Delta^2) + O(Delta^-4), derived in
tests/test_walls.py. Above B_W Delta breathes by sin^2 phi K_hard/2K about its mean, K_hard/4K, which is put in;
K_hard/K bounds the rest. Near B_W what the lattice changes in B_W itself is magnified by 1/(b^2 - 1), b = B/B_W.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import llgnegf as ln
from llgnegf.plots.style import line, new_figure, points, styled
from llgnegf.units import GYROMAGNETIC_RATIO, MU_B
from validation._report import OUTPUT, Check, Report, run_as_script

N_MU, K, HARD, DAMPING, WIDTH = 2.0, 0.02, 0.002, 0.3, 4.0
"""mu_B; eV; eV; Gilbert's lambda; Delta at phi = 0 in lattice constants."""
WALKER = DAMPING * HARD / (MU_B * N_MU)
"""B_W in tesla."""
BELOW, ABOVE = (0.2, 0.4, 0.6, 0.8, 0.95), (1.2, 1.4, 1.7, 2.0, 3.0)
"""Fields in units of B_W."""
N_SITES, START = 220, 40.5


@dataclass(frozen=True)
class Wall:
    """One run: times (fs), positions (lattice constants), angles of the plane (rad)."""

    time: np.ndarray
    position: np.ndarray
    angle: np.ndarray

    @property
    def far_from_ends(self) -> bool:
        return bool(self.position.min() > 25 and self.position.max() < N_SITES - 25)


def half_turn(b: float) -> float:
    return float(np.pi * (1 + DAMPING**2) / (GYROMAGNETIC_RATIO * WALKER * np.sqrt(b**2 - 1)))


def width(phi: float | np.ndarray) -> float | np.ndarray:
    return WIDTH / np.sqrt(1 + HARD / K * np.sin(phi) ** 2)


def velocity(b: float) -> float:
    """Walker's velocity, mean over half a turn above the threshold, lattice factor included (sites/fs)."""
    if b < 1:
        delta = width(0.5 * np.arcsin(b))
        return float(GYROMAGNETIC_RATIO * b * WALKER * delta / DAMPING * (1 - 1 / (8 * delta**2)))
    delta = WIDTH * (1 - HARD / (4 * K))
    drive = b - np.sqrt(b**2 - 1) / (1 + DAMPING**2)
    return float(GYROMAGNETIC_RATIO * WALKER * delta / DAMPING * drive * (1 - 1 / (8 * delta**2)))


def run(b: float, t_end: float, rows: int = 201) -> Wall:
    """A wall that starts with Walker's angle below the threshold, and at rest in the easy plane above it."""
    phi = 0.5 * np.arcsin(b) if b < 1 else 0.0
    _, sech, tanh = ln.neel_wall(N_SITES, START, float(width(phi))).T
    texture = np.stack([sech * np.cos(phi), sech * np.sin(phi), tanh], axis=1)
    energies = [
        ln.Exchange(2 * K * WIDTH**2), ln.UniaxialAnisotropy(K, "z"), ln.UniaxialAnisotropy(-HARD, "y"),
        ln.Zeeman([0.0, 0.0, b * WALKER]),
    ]  # fmt: skip
    magnet = ln.Magnet(texture, magnetic_moment=N_MU, damping=DAMPING, energies=energies)
    data = ln.simulate(None, magnet, t_end=t_end, save_every=t_end / (rows - 1), rtol=1e-6).dataset
    m = data.moments.values
    angle = np.unwrap(np.arctan2(m[..., 1].sum(axis=1), m[..., 0].sum(axis=1)))
    return Wall(data.time.values, (m[..., 2].sum(axis=1) + N_SITES) / 2, angle)


def below(report: Report, b: float) -> tuple[Wall, float]:
    wall = run(b, 2500.0)
    late = wall.time > 1000
    measured = float(np.polyfit(wall.time[late], wall.position[late], 1)[0])
    off = abs(measured / velocity(b) - 1)
    report.check(f"B = {b:g} B_W: wall moves at g B Delta/lambda, relative", off, 1 / WIDTH**4)
    turned = float(np.ptp(wall.angle[late]))
    report.check(f"B = {b:g} B_W: plane at rest, turned (rad) in the last 1500 fs", turned, 1 / WIDTH**4)
    return wall, measured


def above(report: Report, b: float) -> tuple[Wall, float]:
    """Two half turns after a first one; times at which the plane passes whole half turns."""
    wall = run(b, 3.2 * half_turn(b), 641)
    passed = np.interp(np.pi * np.arange(1, 4), wall.angle, wall.time)
    period = (passed[2] - passed[0]) / 2
    # B_W itself has a lattice correction of order Delta^-4 (tests/test_walls.py), magnified by
    # dT/T = (dB_W/B_W)/(b^2 - 1); the breathing enters T squared only.
    bound = (WIDTH**-4 + (HARD / K) ** 2) * (1 + 1 / (b**2 - 1))
    report.check(f"B = {b:g} B_W: plane turns, time of half a turn, relative", abs(period / half_turn(b) - 1), bound)
    where = np.interp(passed, wall.time, wall.position)
    measured = float((where[2] - where[0]) / (2 * period))
    report.check(f"B = {b:g} B_W: mean velocity, relative", abs(measured / velocity(b) - 1), HARD / K + bound)
    return wall, measured


@styled
def figure(walls: dict[float, Wall], measured: dict[float, float]) -> None:
    fig = new_figure(3.0)
    left, right = fig.subplots(1, 2)
    for k, b in enumerate((0.6, 0.95, 1.2, 2.0)):
        wall = walls[b]
        shown = wall.time <= 2500
        left.plot(wall.time[shown], wall.position[shown] - wall.position[0], label=f"{b:g}" + r" $B_W$", **line(k))
    left.set(xlabel="time (fs)", ylabel="wall position (sites)", title="position")
    left.legend()
    for b, k in ((np.linspace(0.01, 0.9999, 200), 0), (np.linspace(1.0001, max(ABOVE), 400), 1)):
        right.plot(b, [1e3 * velocity(float(x)) for x in b], **line(k))
    for k, fields in enumerate((BELOW, ABOVE)):
        name = ("moving", "precessing")[k]
        right.plot(fields, [1e3 * measured[b] for b in fields], label=name, **points(k, linestyle="none"))
    right.axvline(1.0, color="0.4", linewidth=0.8, linestyle=":")
    right.set(xlabel="$B/B_W$", ylabel=r"velocity ($10^{-3}$ sites/fs)")
    right.set_title("mean velocity: run (points), formula (lines)")
    right.legend()
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "walker.png")


def main() -> list[Check]:
    report = Report(f"Walker's wall, B_W = lambda K_hard/mu = {WALKER:.4f} T")
    walls, measured = {}, {}
    for b in BELOW:
        walls[b], measured[b] = below(report, b)
    for b in ABOVE:
        walls[b], measured[b] = above(report, b)
    near = float(not all(w.far_from_ends for w in walls.values()))
    report.check("a wall came within 25 sites of an end (0: none did)", near, 0.0)
    figure(walls, measured)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
