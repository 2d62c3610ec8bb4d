"""Friction of walls for `slow_textures`: what the spin-motive force misses, its range, long chains, thermal noise."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss

from llgnegf import ChainLead, Magnet, OpenSystem, bloch_wall, chain
from llgnegf.response.tensors import ResponseTensors
from llgnegf.run.langevin import langevin_ensemble
from llgnegf.run.slow_simulation import SlowSimulation
from llgnegf.units import HBAR
from validation._report import OUTPUT, Report

WIDTHS = np.array([0.6, 0.9, 1.5, 2.5, 4.0, 6.0])
SIZES = (100, 200, 400)
NEAR = 2
"""Distance of the pairs that are kept in long chains."""


def motive_shares(j_sd: float, width: float) -> tuple[float, float]:
    """Power of the spin-motive force over that of the friction for a Bloch wall in rigid precession about z.

    First of the local formula, sum_i G_0 F_i^2, then of the whole force in a ballistic wire, G_0 (sum_i F_i)^2, with
    F_i = (hbar/2e) M.(dM/dt x dM/dz) on each site.
    """
    n = max(7, 2 * int(np.ceil(4 * width)) + 1)
    half_metal = j_sd > 2.0
    electrons = chain(n, 1.0, j_sd, onsite=j_sd if half_metal else 0.0)
    texture = bloch_wall(n, 0.5 * (n + 1), width)
    tensors = ResponseTensors(OpenSystem(electrons, [ChainLead(0), ChainLead(-1)]), texture)
    velocity = 1e-3 * np.cross([0.0, 0.0, 1.0], texture)
    local = tensors.compare_spin_motive_force(velocity, 1.0 if half_metal else 2.0).share
    force = np.einsum("ia,ia->i", texture, np.cross(velocity, np.gradient(texture, axis=0)))
    return local, local * float(np.sum(force) ** 2 / np.sum(force**2))


def spin_motive_force(report: Report, plt: Any) -> None:
    figure, axis = plt.subplots(figsize=(5.5, 4))
    report.note("spin-motive-force power / friction power, wall precessing about z, kT = 0, widths " + str(WIDTHS))
    for j_sd in (0.1, 0.5, 1.0, 20.0):
        local, whole = np.transpose([motive_shares(j_sd, width) for width in WIDTHS])
        for name, shares in (("local formula", local), ("whole force  ", whole)):
            report.note(f"J_sd = {j_sd:4g} eV, {name}: " + "  ".join(f"{share:6.3g}" for share in shares))
        (line,) = axis.loglog(WIDTHS, local, "o-", ms=4, label=f"J_sd = {j_sd:g} eV")
        axis.loglog(WIDTHS, whole, "s--", ms=4, color=line.get_color(), lw=1)
    axis.axhline(1.0, color="k", lw=0.5)
    axis.set(xlabel="wall width (sites)", ylabel="spin-motive-force power / friction power", ylim=(0.03, 2e3))
    axis.set_xticks(WIDTHS, [f"{width:g}" for width in WIDTHS])
    axis.minorticks_off()
    axis.legend(fontsize=8, title="full: local formula, dashed: whole force", title_fontsize=8)
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_spin_motive_force.png", dpi=110)
    # Corrections to adiabatic electrons fall as the inverse square of the width.
    what = f"J_sd = 20 eV, width {WIDTHS[-1]:g}: distance from 1 of the whole force's power over the friction's"
    report.check(what, abs(whole[-1] - 1), 1 / WIDTHS[-1] ** 2)


def friction_range(report: Report, plt: Any) -> None:
    figure, axis = plt.subplots(figsize=(5.5, 4))
    report.note("mean distance of the friction in sites, weighted with the squared norm of its blocks, 21 sites")
    for j_sd in (0.1, 1.0, 3.0):
        for kT in (0.0, 0.05):
            system = OpenSystem(chain(21, 1.0, j_sd), [ChainLead(0), ChainLead(-1)], fermi_energy=0.3, kT=kT)
            tensors = ResponseTensors(system, bloch_wall(21, 11.0, 2.0), 1e-8)
            report.note(f"J_sd = {j_sd:4g} eV, kT = {kT:4g} eV: {tensors.friction_range:6.2f}")
            profile = tensors.friction_by_distance() / HBAR
            axis.semilogy(profile, "-" if kT == 0 else "--", label=f"J_sd = {j_sd:g}, kT = {kT:g} eV")
    axis.set(xlabel="|i - j| (sites)", ylabel="norm of the friction block (hbar)", ylim=(1e-12, 2.0))
    axis.set_xticks(range(0, 21, 5))
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(OUTPUT / "slow_textures_range.png", dpi=110)


def long_chains(report: Report) -> None:
    """Cost of the pairs within NEAR sites of a wall in chains of growing length.

    The time for one energy is linear in the length but for the caches (a growth below 1.5 is no square); whole inverses
    take the third power. At kT > 0 the energies grow as well, with the standing waves in the thermal window.
    """
    report.note(f"pairs up to {NEAR} sites apart, tolerance 1e-8: sites, kT, energies, processor time in s")
    for kT in (0.0, 0.02):
        costs, each = [], []
        for n in SIZES:
            texture = bloch_wall(n, 0.5 * (n + 1), 6.0)
            system = OpenSystem(chain(n, 1.0, 0.5), [ChainLead(0), ChainLead(-1)], fermi_energy=0.3, kT=kT)
            tensors = ResponseTensors(system, texture, 1e-8, max_distance=NEAR)
            began = time.process_time()
            _ = tensors.response
            costs.append(time.process_time() - began)
            energies = tensors.evaluations
            each.append(costs[-1] / energies)
            report.note(f"{n:6} {kT:6g} eV {energies:6} {costs[-1]:8.2f}")
        growth = np.log(each[-1] / each[0]) / np.log(SIZES[-1] / SIZES[0])
        report.check(f"kT = {kT:g} eV: power of the number of sites by which the time of an energy grows", growth, 1.5)


def long_chain_is_exact(report: Report) -> None:
    """Pairs by recursion against dense inverses in a chain that both can do."""
    texture = bloch_wall(40, 20.5, 3.0)
    for kT in (0.0, 0.02):
        system = OpenSystem(chain(40, 1.0, 0.5), [ChainLead(0), ChainLead(-1)], fermi_energy=0.3, kT=kT)
        near, full = (ResponseTensors(system, texture, 1e-13, max_distance=d) for d in (NEAR, None))
        inside = (near.friction != 0) | (near.geometric != 0)
        difference = np.abs(np.where(inside, near.response - full.response, 0.0)).max()
        report.check(
            f"kT = {kT:g} eV, 40 sites: near pairs by recursion against the full computation (fs)", difference, 1e-12
        )


def thermal_pair(report: Report) -> None:
    """Moments of 2 and 1 mu_B that only the electrons couple, damp and drive: <M_1.M_2> against the Boltzmann mean."""
    kT = 0.05
    system = OpenSystem(chain(2, 1.0, 1.0), [ChainLead(0), ChainLead(-1)], kT=kT)
    magnet = Magnet([[1.0, 0, 0], [0, 1.0, 0]], [2.0, 1.0])
    electrons = SlowSimulation(system, magnet, t_end=1.0, rtol=1e-4).equation.electrons
    assert electrons is not None
    u, w = leggauss(40)
    pairs = [np.array([[0, 0, 1.0], [np.sqrt(1 - x * x), 0, x]]) for x in u]
    energies = np.array([electrons.grand_potential(pair) for pair in pairs])
    weight = w * np.exp(-(energies - energies.min()) / kT)
    exact = float(np.sum(weight * u) / weight.sum())
    run = langevin_ensemble(
        system, magnet, temperature=kT, t_end=600.0, step=0.25, save_every=8.0, copies=64, seed=1, rtol=1e-3
    )
    cosine = np.einsum("tba,tba->tb", run.moments[12:, :, 0], run.moments[12:, :, 1]).mean(axis=0)
    error = cosine.std(ddof=1) / np.sqrt(cosine.size)
    report.note(f"two moments with noise: <M_1.M_2> = {cosine.mean():.4f} +- {error:.4f}, exactly {exact:.4f}")
    report.check("distance from the exact mean in standard errors", abs(cosine.mean() - exact) / error, 3.0)
