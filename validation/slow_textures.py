"""Slow textures: the full propagator against the LLG equation with friction and geometric tensors, and noise.
Run `python validation/slow_textures.py` (about two minutes on one core); pictures go to validation/output/.

1. A wall between pinned ends, driven by a field along z, hbar w = g mu_B B from the paper's 0.001 eV to 0.064 eV:
   difference of both runs after the same Larmor angle, for each choice of tensors. First order ends where it does.
2. Damping of a precessing wall: power of the exact friction tensor against the spin-motive-force formula
   D = (hbar^2 G_0/4e^2) (M x dM/dz)(M x dM/dz)^T with G_0 = 2 e^2/h, for wall widths and couplings; at kT = 0.
3. Range of the friction between sites.
4. Two moments with electronic friction and noise: the sampled mean of M_1.M_2 against exp(-F/kT) for falling steps.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
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

OUTPUT = Path(__file__).with_name("output")
ENERGIES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064)
CHOICES = ((), ("geometric",), ("friction",), ("geometric", "friction"))
ANGLE = 1.0
"""Larmor angle (rad) after which the runs are compared."""


def wall(j_sd: float) -> tuple[OpenSystem, Magnet, list]:
    """Seven sites between two leads, kT = 0.01 eV, and a relaxed wall of moments of 5 mu_B between pinned ends."""
    system = OpenSystem(chain(7, 1.0, j_sd), [ChainLead(0), ChainLead(-1)], kT=0.01)
    terms = [Exchange(0.004), UniaxialAnisotropy(0.0008, "z")]
    texture = bloch_wall(7, 4.0, 1.2)
    texture[[0, -1]] = [[0, 0, 1.0], [0, 0, -1.0]]
    return system, relax(system, Magnet(texture, 5.0, energies=terms, pinned=[0, -1]), 1e-6, 1e-6), terms


def compare_runs(j_sd: float) -> dict[str, list[float]]:
    """For each energy: angle and shift of the wall in the full run, relative errors of the slow ones, costs."""
    system, rest, terms = wall(j_sd)
    table: dict[str, list[float]] = {"angle": [], "shift": [], "ratio": []}
    for choice in CHOICES:
        table["error " + name(choice)] = []
    print(
        f"J_sd = {j_sd} eV\n  hbar w    turned/rad   shift/sites   largest |dM| of the slow runs, by tensors    full/slow"
    )
    for energy in ENERGIES:
        t_end = ANGLE * HBAR / energy
        magnet = replace(rest, energies=[*terms, Zeeman([0, 0, energy / (G_E * MU_B)])])
        full, full_cost = last_row(Simulation(system, magnet, t_end=t_end, save_every=t_end))
        errors = []
        for choice in CHOICES:
            run = SlowSimulation(system, magnet, t_end=t_end, save_every=t_end, response=choice)
            slow, slow_cost = last_row(run)
            errors.append(float(np.abs(slow - full).max()))
            table["error " + name(choice)].append(errors[-1])
        turned = np.arctan2(full[3, 0], full[3, 1])
        shift = 0.5 * float(np.sum(full[:, 2] - magnet.moments[:, 2]))
        for key, value in (("angle", turned), ("shift", shift), ("ratio", full_cost / slow_cost)):
            table[key].append(float(value))
        text = "  ".join(f"{e:.2e}" for e in errors)
        print(f"  {energy:6.3f}   {turned:10.5f}   {shift:11.6f}   {text}   {full_cost / slow_cost:6.0f}")
    return table


def name(choice: tuple[str, ...]) -> str:
    return " + ".join(choice) or "adiabatic only"


def last_row(simulation: Simulation | SlowSimulation) -> tuple[np.ndarray, float]:
    """Moments at the end and the processor time of the run in s."""
    began = time.process_time()
    rows = [row["moments"] for _, row in simulation.rows()]
    return rows[-1], time.process_time() - began


def plot_runs(tables: dict[float, dict[str, list[float]]]) -> None:
    figure, axes = plt.subplots(1, len(tables), figsize=(5 * len(tables), 4), squeeze=False)
    for axis, (j_sd, table) in zip(axes[0], tables.items(), strict=True):
        for choice in CHOICES:
            axis.loglog(ENERGIES, table["error " + name(choice)], "o-", label=name(choice))
        both = table["error " + name(CHOICES[-1])]
        axis.loglog(ENERGIES, both[-1] * np.array(ENERGIES) / ENERGIES[-1], "k:", label="slope 1")
        axis.set(xlabel="hbar w (eV)", ylabel="largest |M_slow - M_full|", title=f"J_sd = {j_sd} eV")
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_runs.png", dpi=150)


def spin_motive_force() -> None:
    """Share of the friction power that the formula gives, for rigid precession about z of Bloch walls."""
    widths = np.array([0.6, 0.9, 1.5, 2.5, 4.0, 6.0])
    figure, axis = plt.subplots(figsize=(5, 4))
    print("spin-motive-force power / friction power, wall precessing about z, kT = 0, E_F = 0")
    print("  J_sd     " + "".join(f"W = {w:<8g}" for w in widths))
    for j_sd in (0.1, 0.5, 1.0, 20.0):
        shares = [motive_share(j_sd, width) for width in widths]
        print(f"  {j_sd:5.1f}    " + "".join(f"{share:<12.3g}" for share in shares))
        axis.loglog(widths, shares, "o-", label=f"J_sd = {j_sd} eV")
    axis.axhline(1.0, color="k", lw=0.5)
    axis.set(xlabel="wall width (sites)", ylabel="spin-motive-force power / friction power")
    axis.legend()
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_spin_motive_force.png", dpi=150)


def motive_share(j_sd: float, width: float) -> float:
    n = max(7, 2 * int(np.ceil(4 * width)) + 1)
    system = OpenSystem(chain(n, 1.0, j_sd), [ChainLead(0), ChainLead(-1)])
    texture = bloch_wall(n, 0.5 * (n + 1), width)
    tensors = ResponseTensors(system, texture)
    velocity = 1e-3 * np.cross([0.0, 0.0, 1.0], texture)
    formula = np.einsum("ia,iab,ib->", velocity, tensors.spin_motive_force_friction(2.0), velocity)
    return float(formula / tensors.power(velocity))


def friction_range() -> None:
    figure, axis = plt.subplots(figsize=(5, 4))
    print("range of the friction in sites (mean distance, weighted with the squared norm of its blocks), 21 sites")
    for j_sd in (0.1, 1.0, 20.0):
        for kT in (0.0, 0.05):
            system = OpenSystem(chain(21, 1.0, j_sd), [ChainLead(0), ChainLead(-1)], fermi_energy=0.3, kT=kT)
            tensors = ResponseTensors(system, bloch_wall(21, 11.0, 2.0), 1e-8)
            profile = tensors.friction_by_distance() / HBAR
            print(f"  J_sd = {j_sd:4g} eV, kT = {kT:4g} eV: {tensors.friction_range:6.2f}")
            axis.semilogy(profile, "-" if kT == 0 else "--", label=f"J_sd = {j_sd:g}, kT = {kT:g} eV")
    axis.set(xlabel="|i - j| (sites)", ylabel="norm of the friction block (hbar)")
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_range.png", dpi=150)


def thermal_pair() -> None:
    kT = 0.05
    system = OpenSystem(chain(2, 1.0, 1.0), [ChainLead(0), ChainLead(-1)], kT=kT)
    magnet = Magnet([[1.0, 0, 0], [0, 1.0, 0]], 2.0)
    run = SlowSimulation(system, magnet, t_end=1.0, rtol=1e-4)
    electrons = run.equation.electrons
    assert electrons is not None
    u, w = leggauss(40)
    energies = np.array([electrons.grand_potential(np.array([[0, 0, 1.0], [np.sqrt(1 - x * x), 0, x]])) for x in u])
    weight = w * np.exp(-(energies - energies.min()) / kT)
    print(
        f"two moments with electronic friction, kT = {kT} eV: <M_1.M_2> = {np.sum(weight * u) / weight.sum():.4f} exactly"
    )
    for step in (2.0, 1.0):
        ensemble = langevin_ensemble(
            system, magnet, temperature=kT, t_end=800.0, step=step, save_every=8.0, copies=48, seed=1, rtol=1e-4
        )
        cosine = np.einsum("tba,tba->tb", ensemble.moments[12:, :, 0], ensemble.moments[12:, :, 1]).mean(axis=0)
        error = cosine.std(ddof=1) / np.sqrt(cosine.size)
        print(f"  step {step} fs: {cosine.mean():.4f} +- {error:.4f}")


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    plot_runs({j_sd: compare_runs(j_sd) for j_sd in (0.1, 1.0)})
    spin_motive_force()
    friction_range()
    thermal_pair()


if __name__ == "__main__":
    main()
