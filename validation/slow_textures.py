"""Slow textures, full propagator against friction and geometric tensors: `python -m validation.slow_textures`.

1. A wall between pinned ends under a field along z that rises smoothly over the run, hbar w = g mu_B B at its end from
   the paper's 0.001 eV to 0.064 eV: difference to the full run after the same Larmor angle, for each choice of
   tensors. The first order is left with an error that is linear in the rate.
2. Damping of a precessing wall at kT = 0: power of the exact friction tensor against the spin-motive-force formula
   D = (hbar^2 G_0/4e^2) (M x dM/dz)(M x dM/dz)^T, G_0 = 2 e^2/h, for widths and couplings. At J_sd = 20 eV the
   minority band is out of reach: the majority band is put at the Fermi energy by an on-site energy, G_0 = e^2/h.
   The formula is local and knows nothing of J_sd.
3. Range of the friction between sites.
4. Two moments with electronic friction and noise sample <M_1.M_2> under exp(-F/kT).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
from numpy.polynomial.legendre import leggauss

from llgnegf import (
    ChainLead,
    Exchange,
    Magnet,
    OpenSystem,
    Simulation,
    UniaxialAnisotropy,
    Zeeman,
    bloch_wall,
    chain,
    relax,
)
from llgnegf.slow import ResponseTensors, SlowSimulation, langevin_ensemble
from llgnegf.units import G_E, HBAR, MU_B
from validation._report import OUTPUT, Report, run_as_script

ENERGIES = np.array([0.001, 0.004, 0.016, 0.064])
CHOICES: tuple[tuple[str, ...], ...] = ((), ("geometric",), ("friction",), ("geometric", "friction"))
ANGLE = 1.0
"""Larmor angle (rad) after which the runs are compared."""
WALLS = ((0.1, 0.004), (1.0, 0.2))
"""(J_sd, exchange) in eV. The exchange outweighs the electrons' own coupling between moments, or the wall would break
up and its inner motion, not the drive, would be what the electrons have to follow."""
WIDTHS = np.array([0.6, 0.9, 1.5, 2.5, 4.0, 6.0])


def name(choice: tuple[str, ...]) -> str:
    return " + ".join(choice) or "adiabatic only"


def wall(j_sd: float, exchange: float) -> tuple[OpenSystem, Magnet, list[Any]]:
    """Seven sites between two leads, kT = 0.01 eV, and a relaxed wall of moments of 5 mu_B between pinned ends."""
    system = OpenSystem(chain(7, 1.0, j_sd), [ChainLead(0), ChainLead(-1)], kT=0.01)
    terms = [Exchange(exchange), UniaxialAnisotropy(exchange / 5, "z")]
    texture = bloch_wall(7, 4.0, 1.2)
    texture[[0, -1]] = [[0, 0, 1.0], [0, 0, -1.0]]
    return system, relax(system, Magnet(texture, 5.0, energies=terms, pinned=[0, -1]), 1e-6, 1e-6), terms


def driven(rest: Magnet, terms: list[Any], energy: float, t_end: float) -> Magnet:
    """The wall in a field that rises as a cosine to energy/(g mu_B) at t_end; its mean is half of that."""
    top = energy / (G_E * MU_B)
    return replace(rest, energies=[*terms, Zeeman(lambda t: [0, 0, top * 0.5 * (1 - np.cos(np.pi * t / t_end))])])


def last_row(simulation: Simulation | SlowSimulation) -> tuple[np.ndarray, float]:
    """Moments at the end and the processor time of the run in s."""
    began = time.process_time()
    rows = [row["moments"] for _, row in simulation.rows()]
    return rows[-1], time.process_time() - began


def turned(moments: np.ndarray) -> float:
    """Angle of the middle moment about z; it starts along y."""
    return float(np.arctan2(moments[3, 0], moments[3, 1]))


def moved(moments: np.ndarray, magnet: Magnet) -> float:
    """Shift of the wall in sites: a wall from +z to -z adds 2 to sum M_z for each site."""
    return 0.5 * float(np.sum(moments[:, 2] - magnet.moments[:, 2]))


def compare_runs(report: Report, j_sd: float, exchange: float) -> dict[str, np.ndarray]:
    """For each energy the largest |M_slow - M_full| by choice of tensors, errors of angle and shift, ratio of costs."""
    system, rest, terms = wall(j_sd, exchange)
    rows = []
    report.note(f"J_sd = {j_sd} eV: hbar w, turned, shift, then |dM| for " + ", ".join(map(name, CHOICES)))
    for energy in ENERGIES:
        t_end = 2 * ANGLE * HBAR / energy
        magnet = driven(rest, terms, energy, t_end)
        full, full_cost = last_row(Simulation(system, magnet, t_end=t_end, save_every=t_end))
        errors = {}
        for choice in CHOICES:
            run = SlowSimulation(system, magnet, t_end=t_end, save_every=t_end, response=choice)
            slow, slow_cost = last_row(run)
            errors[name(choice)] = float(np.abs(slow - full).max())
        angle, shift = turned(full), moved(full, magnet)
        relative = {"angle": abs(turned(slow) / angle - 1), "shift": abs(moved(slow, magnet) / shift - 1)}
        rows.append({**errors, **relative, "cost": slow_cost / full_cost})
        text = "  ".join(f"{e:.1e}" for e in errors.values())
        report.note(f"{energy:6.3f} eV {angle:8.4f} rad {shift:9.5f} sites  {text}")
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def judge_runs(report: Report, table: dict[str, np.ndarray]) -> None:
    both = table[name(CHOICES[-1])]
    slopes = np.diff(np.log(both)) / np.diff(np.log(ENERGIES))
    report.check("J_sd = 0.1 eV: distance from slope 1 of the difference against hbar w", abs(slopes - 1).max(), 0.15)
    report.check("hbar w = 0.001 eV: relative error of the precession angle", table["angle"][0], 1e-2)
    report.check("hbar w = 0.001 eV: relative error of the wall's shift", table["shift"][0], 1e-2)
    report.check("hbar w = 0.001 eV: processor time of the slow run over the full one", table["cost"][0], 0.02)
    alone = table[name(CHOICES[0])]
    report.check("hbar w = 0.001 eV: error with both tensors over that without", both[0] / alone[0], 0.01)


def plot_runs(plt: Any, tables: dict[float, dict[str, np.ndarray]]) -> None:
    figure, axes = plt.subplots(1, len(tables), figsize=(5 * len(tables), 4), squeeze=False)
    for axis, (j_sd, table) in zip(axes[0], tables.items(), strict=True):
        for choice in CHOICES:
            axis.loglog(ENERGIES, table[name(choice)], "o-", label=name(choice))
        axis.loglog(ENERGIES, table[name(CHOICES[-1])][-1] * ENERGIES / ENERGIES[-1], "k:", label="slope 1")
        axis.set(xlabel="hbar w (eV)", ylabel="largest |M_slow - M_full|", title=f"J_sd = {j_sd} eV")
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_runs.png", dpi=150)


def motive_share(j_sd: float, width: float) -> float:
    """Spin-motive-force power over friction power for rigid precession about z of a Bloch wall."""
    n = max(7, 2 * int(np.ceil(4 * width)) + 1)
    half_metal = j_sd > 2.0
    electrons = chain(n, 1.0, j_sd, onsite=j_sd if half_metal else 0.0)
    texture = bloch_wall(n, 0.5 * (n + 1), width)
    tensors = ResponseTensors(OpenSystem(electrons, [ChainLead(0), ChainLead(-1)]), texture)
    velocity = 1e-3 * np.cross([0.0, 0.0, 1.0], texture)
    local = tensors.spin_motive_force_friction(1.0 if half_metal else 2.0)
    return float(np.einsum("ia,iab,ib->", velocity, local, velocity) / tensors.power(velocity))


def spin_motive_force(report: Report, plt: Any) -> None:
    figure, axis = plt.subplots(figsize=(5, 4))
    report.note("spin-motive-force power / friction power, wall precessing about z, kT = 0, widths " + str(WIDTHS))
    for j_sd in (0.1, 0.5, 1.0, 20.0):
        shares = [motive_share(j_sd, width) for width in WIDTHS]
        report.note(f"J_sd = {j_sd:4g} eV: " + "  ".join(f"{share:.3g}" for share in shares))
        axis.loglog(WIDTHS, shares, "o-", label=f"J_sd = {j_sd:g} eV")
    axis.axhline(1.0, color="k", lw=0.5)
    axis.set(xlabel="wall width (sites)", ylabel="spin-motive-force power / friction power")
    axis.legend()
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_spin_motive_force.png", dpi=150)


def friction_range(report: Report, plt: Any) -> None:
    figure, axis = plt.subplots(figsize=(5, 4))
    report.note("mean distance of the friction in sites, weighted with the squared norm of its blocks, 21 sites")
    for j_sd in (0.1, 1.0, 3.0):
        for kT in (0.0, 0.05):
            system = OpenSystem(chain(21, 1.0, j_sd), [ChainLead(0), ChainLead(-1)], fermi_energy=0.3, kT=kT)
            tensors = ResponseTensors(system, bloch_wall(21, 11.0, 2.0), 1e-8)
            report.note(f"J_sd = {j_sd:4g} eV, kT = {kT:4g} eV: {tensors.friction_range:6.2f}")
            profile = tensors.friction_by_distance() / HBAR
            axis.semilogy(profile, "-" if kT == 0 else "--", label=f"J_sd = {j_sd:g}, kT = {kT:g} eV")
    axis.set(xlabel="|i - j| (sites)", ylabel="norm of the friction block (hbar)")
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_range.png", dpi=150)


def thermal_pair(report: Report) -> None:
    kT = 0.05
    system = OpenSystem(chain(2, 1.0, 1.0), [ChainLead(0), ChainLead(-1)], kT=kT)
    magnet = Magnet([[1.0, 0, 0], [0, 1.0, 0]], 2.0)
    electrons = SlowSimulation(system, magnet, t_end=1.0, rtol=1e-4).equation.electrons
    assert electrons is not None
    u, w = leggauss(40)
    pairs = [np.array([[0, 0, 1.0], [np.sqrt(1 - x * x), 0, x]]) for x in u]
    energies = np.array([electrons.grand_potential(pair) for pair in pairs])
    weight = w * np.exp(-(energies - energies.min()) / kT)
    exact = float(np.sum(weight * u) / weight.sum())
    run = langevin_ensemble(
        system, magnet, temperature=kT, t_end=600.0, step=1.0, save_every=8.0, copies=64, seed=1, rtol=1e-3
    )
    cosine = np.einsum("tba,tba->tb", run.moments[12:, :, 0], run.moments[12:, :, 1]).mean(axis=0)
    error = cosine.std(ddof=1) / np.sqrt(cosine.size)
    report.note(f"two moments with noise: <M_1.M_2> = {cosine.mean():.4f} +- {error:.4f}, exactly {exact:.4f}")
    report.check("distance from the exact mean in standard errors", abs(cosine.mean() - exact) / error, 3.0)


def main() -> bool:
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    OUTPUT.mkdir(exist_ok=True)
    report = Report("Slow textures: tensors against the full propagator")
    tables = {j_sd: compare_runs(report, j_sd, exchange) for j_sd, exchange in WALLS}
    judge_runs(report, tables[0.1])
    plot_runs(plt, tables)
    spin_motive_force(report, plt)
    friction_range(report, plt)
    thermal_pair(report)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
