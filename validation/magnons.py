"""Magnons of moments and electrons against the ring-down of full runs: `python -m validation.magnons`.

`ln.magnons` linearises; a full run does not. Moments at rest get a small kick along one mode after the other and the
run's Hankel fit (`ln.analysis.ring_down`) reads off frequencies and damping. The first 100 fs, in which the electrons
answer the kick, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import llgnegf as ln
from llgnegf.problem.electrons import PAULI
from llgnegf.response.spin_waves import LinearLLG
from llgnegf.units import HBAR
from validation._report import Check, Report, run_as_script

KICK, SKIP = 3e-3, 100
"""rad, and rows of 1 fs."""


@dataclass(frozen=True)
class Case:
    """What is compared: modes of a magnet at rest, seen in the x component of one moment."""

    name: str
    system: ln.OpenSystem
    magnet: ln.Magnet
    t_end: float
    site: int = 0
    rtol: float = 1e-6
    start: str = "thermal"


def cases() -> list[Case]:
    """Thermal and biased, chain and matrix leads, ferro- and antiferromagnets, strong and weak coupling."""
    one, chain, uniaxial = ln.chain(1, j_sd=0.5), ln.ChainLead, ln.UniaxialAnisotropy
    leads = 2 * [chain(0, 0.5)]
    moment = ln.Magnet(ln.uniform(1), 2.0, energies=ln.Zeeman([0, 0, 100.0]))
    biased = [ln.ChainLead(0, 0.5, chemical_potential=mu) for mu in (0.7, -0.4)]
    weak = ln.OpenSystem(ln.chain(1, j_sd=0.01), leads, fermi_energy=0.3, kT=0.025)
    one_spin, (x, y, z) = np.eye(2), PAULI
    crystal = ln.PeriodicLead(0.2 * z + 0.1 * x, 0.2j * y - one_spin, 0.6 * one_spin)
    magnetic = ln.OpenSystem(ln.chain(1, j_sd=0.4), [crystal, chain(0, 0.3)], fermi_energy=-0.5, kT=0.025)
    tilted = ln.Magnet(ln.uniform(1), 1.0, 0.01, uniaxial(0.01, "z"))
    ferro = ln.OpenSystem(ln.chain(4, j_sd=0.3), [chain(0), chain(3)], fermi_energy=-1.4, kT=0.025)
    row = ln.Magnet(ln.uniform(4), 1.0, energies=ln.Exchange(0.01) + uniaxial(0.005, "z"))
    anti = ln.OpenSystem(ln.chain(4, j_sd=0.5), [chain(0), chain(3)], fermi_energy=0.0, kT=0.025)
    neel = ln.Magnet(ln.antiferromagnet(4), 1.0, energies=ln.Exchange(-0.01) + uniaxial(0.003, "z"))
    return [
        Case("one moment", ln.OpenSystem(one, leads, fermi_energy=0.3, kT=0.025), moment, 400.0),
        Case("one moment under bias", ln.OpenSystem(one, biased, kT=0.025), moment, 400.0, start="steady"),
        Case("one moment, damping 2e-4", weak, replace(moment, energies=uniaxial(0.02, "z")), 1500.0, rtol=1e-8),
        Case("one moment at a magnetic Rashba lead", magnetic, ln.relax(magnetic, tilted), 300.0, rtol=1e-5),
        Case("chain of four", ferro, row, 600.0),
        Case("antiferromagnet of four", anti, neel, 600.0),
    ]


def ring_down(case: Case, profile: np.ndarray, n: int) -> np.ndarray:
    """E (n,) of the oscillations after a kick along `profile`, the largest first."""
    kicked = case.magnet.moments + KICK * profile.real
    magnet = replace(case.magnet, moments=kicked / np.linalg.norm(kicked, axis=1, keepdims=True))
    run = ln.simulate(case.system, magnet, t_end=case.t_end, save_every=1.0, rtol=case.rtol, start=case.start)
    column = run.dataset.moments.sel(component="x").isel(time=slice(SKIP, None), site=case.site)
    fit = ln.analysis.ring_down(column, n=n)
    return fit.energy.values - 1j * HBAR * fit.damping.values


def slow(case: Case) -> np.ndarray:
    """E of the positive-frequency modes with chi(0) - i w K alone: friction, no memory."""
    response, magnet = ln.LinearResponse(case.system, case.magnet.moments), case.magnet
    j_sd = case.system.electrons.j_sd
    jump = np.einsum("iaib->iab", response.memory_kernel(0.0))  # -(2 J/hbar) eps_abc <s>^c
    linear = LinearLLG.of(magnet, -HBAR / 2 * jump[:, [1, 2, 0], [2, 0, 1]])
    static, friction = (
        -np.einsum("uia,i,iajb,vjb->uv", linear.frames, j_sd, part, linear.frames)
        for part in (response.static, response.first_order() / HBAR)
    )
    energies = linear.modes(static, friction)[0]
    return np.sort_complex(energies[energies.real > 0])


def main() -> list[Check]:
    report = Report("Magnons against the ring-down of full runs")
    for case in cases():
        modes = ln.magnons(case.system, case.magnet, tolerance=1e-7)
        distinct = np.unique(modes.energies.round(9), return_index=True)[1]
        off = []
        for k in distinct:
            found = ring_down(case, modes.profiles[k], distinct.size)
            nearest = found[np.nanargmin(np.abs(found - modes.energies[k]))]
            off.append([nearest.real / modes.energies[k].real - 1, nearest.imag / modes.energies[k].imag - 1])
        frequency, damping = np.abs(off).max(axis=0)
        least, most = modes.damping_ratios.min(), modes.damping_ratios.max()
        report.note(f"{case.name}: E = {modes.energies[distinct].round(6)} eV".replace("\n", ""))
        report.check(f"{case.name}: frequencies, relative (damping {least:.2g} to {most:.2g})", frequency, 1e-3)
        report.check(f"{case.name}: damping, relative", damping, 1e-3)
        first = slow(case)
        without = [np.abs(part(first) / part(modes.energies) - 1).max() for part in (np.real, np.imag)]
        report.note(f"{case.name}: with chi to first order in w alone {without[0]:.1e} and {without[1]:.1e} off")
        extra = abs(modes.count - 2 * case.magnet.n_sites)
        report.check(f"{case.name}: solutions in the window less two for each moment", extra, 0)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
