"""Response and noise of leads that differ in filling: `python -m validation.bias_response`.

Random wires with two or three terminals (chains at a voltage, wide bands, orbitals that mix with energy), random
moments, axes, chemical potentials and temperatures, zero included:

    K dM/dt = d<s>/d(hbar w) hbar w of the exact rotating frame, by differences whose error is below 1e-9;
    noise of the field on the moments: no negative eigenvalue; 2 kT friction where the leads are alike;
    the propagator with its memory: what first order leaves out falls as (hbar w)^2.

Two closed forms beside it: the nonlocal friction of a perfect chain for J -> 0, 2 hbar J^2 cos^2(k_F |i-j|)/
[pi (2 gamma sin k_F)^2], and that of a wide-band level, 2 hbar J^2 Gamma'^2/[pi (J^2 + Gamma'^2)^2], where
Sigma = -i Gamma'.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import llgnegf as ln
from llgnegf.units import HBAR
from validation._report import Check, Report, run_as_script
from validation.decomposition import unit_vectors

COLD = (0.0, 0.0, 0.01, 0.05)
"""kT of a lead in eV is one of them."""


def random_system(rng: np.random.Generator, common: float | None = None) -> ln.OpenSystem:
    """1 to 6 sites; with a `common` kT all leads are alike."""
    n = int(rng.integers(1, 7))
    leads: list[Any] = []
    for _ in range(int(rng.integers(2, 4))):
        mu, kT = (0.2, common) if common is not None else (float(rng.uniform(-0.7, 0.7)), float(rng.choice(COLD)))
        filled = {"chemical_potential": mu, "kT": kT, "voltage": 0.0 if common else float(rng.uniform(-0.3, 0.3))}
        kind, site, coupling = rng.choice(3, p=[0.5, 0.3, 0.2]), int(rng.integers(n)), float(rng.uniform(0.3, 1.0))
        if kind < 2:
            leads.append((ln.ChainLead, ln.WideBandLead)[kind](site, coupling, **filled))
            continue
        turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
        crystal = {"cell": turn @ np.diag([0.3, -0.2]) @ turn.T, "hopping": np.diag([1.0, 0.7])}
        leads.append(ln.PeriodicLead(**crystal, coupling=0.5 * coupling * rng.normal(size=(n, 2)), **filled))
    electrons = ln.chain(n, rng.uniform(0.6, 1.2, n - 1), rng.uniform(0.05, 1.5, n), rng.uniform(-0.4, 0.4, n))
    return ln.OpenSystem(electrons, leads)


def slope(system: ln.OpenSystem, moments: np.ndarray, axis: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """d<s>/d(hbar w) at w = 0: central differences, extrapolated twice."""

    def difference(h: float) -> np.ndarray:
        frames = (ln.RotatingFrame(system, moments, s * h, axis, tolerance=1e-12) for s in (1, -1))
        ahead, behind = (ln.spin_density(frame.density_matrix()) for frame in frames)
        return (ahead - behind) / (2 * h)

    rough, fine, finest = (difference(step / 2**k) for k in range(3))
    once = (4 * fine - rough) / 3, (4 * finest - fine) / 3
    return (16 * once[1] - once[0]) / 15


def check_slopes(report: Report, cases: int) -> None:
    found, parts, cold = [], [], 0
    for seed in range(cases):
        rng = np.random.default_rng([seed, 17])
        system = random_system(rng)
        moments, axis = unit_vectors(rng, system.n_sites), unit_vectors(rng, 1)[0]
        tensors = ln.ResponseTensors(system, moments, 1e-10)
        velocity = np.cross(axis, moments) / HBAR
        found.append(np.abs(tensors.spin_density_change(velocity) - slope(system, moments, axis)).max())
        parts.append(np.abs(np.einsum("iajb,jb->ia", tensors.bias_response, velocity)).max())
        cold += not system.temperatures().all()
    report.check(f"K dM/dt under bias against the rotating frame, {cases} systems, 1/eV", max(found), 1e-7)
    report.note(f"kT = 0 of a lead in {cold} of them; part of the bias {min(parts):.1e} to {max(parts):.1e} 1/eV")


def check_noise(report: Report, cases: int) -> None:
    lowest, gaining = [], 0
    for seed in range(cases):
        rng = np.random.default_rng([seed, 18])
        system = random_system(rng)
        tensors = ln.ResponseTensors(system, unit_vectors(rng, system.n_sites), 1e-8)
        values = np.linalg.eigvalsh(tensors.noise.reshape(3 * system.n_sites, -1))
        lowest.append(-values[0] / values[-1])
        gaining += tensors.gaining_mode() is not None
    report.check(f"noise under bias: most negative eigenvalue over largest, {cases} systems", max(lowest), 1e-12)
    report.note(f"friction is negative along some motion in {gaining} of them")
    off = []
    for seed in range(cases // 4):
        rng = np.random.default_rng([seed, 19])
        kT = float(rng.choice([0.003, 0.02, 0.1]))
        system = random_system(rng, kT)
        tensors = ln.ResponseTensors(system, unit_vectors(rng, system.n_sites), 1e-11)
        off.append(np.abs(tensors.noise - 2 * kT * tensors.friction).max())
    report.check(f"noise in equilibrium against 2 kT friction, {cases // 4} systems, eV^2 fs", max(off), 1e-10)


def check_propagator(report: Report) -> None:
    """Moments that have turned by hbar w t: <s>(t) - <s> at rest - K dM/dt at hbar w = 0.02 and 0.01 eV."""
    leads = [
        ln.ChainLead(0, coupling=0.8, chemical_potential=0.3, kT=0.05),
        ln.ChainLead(-1, coupling=0.9, voltage=-0.2, chemical_potential=0.0, kT=0.02),
    ]
    system, start = ln.OpenSystem(ln.chain(2, 1.0, [0.6, 0.5]), leads), unit_vectors(np.random.default_rng(3), 2)
    left = []
    for energy in (0.02, 0.01):
        motion = ln.Precession(start, energy, "y", ramp=60.0)
        last = ln.simulate(system, motion, t_end=160.0, rtol=1e-7, start="steady").dataset.isel(time=-1)
        moments = last.moments.values
        tensors = ln.ResponseTensors(system, moments, 1e-11)
        change = tensors.spin_density_change(energy / HBAR * np.cross([0.0, 1.0, 0.0], moments))
        left.append(np.abs(last.spin_density.values - tensors.spin_density_stationary - change).max())
    order = np.log2(left[0] / left[1])
    report.check(f"propagator under bias: order {order:.3f} of what K leaves out, from 2", abs(order - 2), 0.05)


def check_closed_forms(report: Report) -> None:
    n, j_sd, off = 41, 1e-4, []
    distance = np.abs(np.arange(n)[:, None] - np.arange(n))
    for mu in (0.0, 0.7, -1.3):
        system = ln.OpenSystem(ln.chain(n, 1.0, j_sd), [ln.ChainLead(0), ln.ChainLead(-1)], fermi_energy=mu)
        found = ln.ResponseTensors(system, np.tile([0.0, 0.0, 1.0], (n, 1))).friction[:, 0, :, 0]
        k = np.arccos(-mu / 2)
        expected = 2 * HBAR * j_sd**2 * np.cos(k * distance) ** 2 / (np.pi * (2 * np.sin(k)) ** 2)
        off.append(np.abs(found - expected).max() / expected.max())
    report.check("nonlocal friction of a perfect chain, J = 1e-4 eV, relative", max(off), 1e-4)
    off = []
    for j_sd, gamma in ((0.1, 0.3), (1.0, 1.0), (20.0, 1.0)):
        system = ln.OpenSystem(ln.chain(1, j_sd=j_sd), [ln.WideBandLead(0, 2 * gamma)])
        expected = 2 * HBAR * j_sd**2 * gamma**2 / (np.pi * (j_sd**2 + gamma**2) ** 2)
        off.append(abs(ln.ResponseTensors(system, [[0, 0, 1.0]]).friction[0, 0, 0, 0] / expected - 1))
    report.check("friction of a wide-band level, relative", max(off), 1e-10)


def main() -> list[Check]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", type=int, default=200, help="random systems for the noise; a quarter for K")
    systems = parser.parse_args().systems
    report = Report("Response and noise under bias")
    check_slopes(report, max(1, systems // 4))
    check_noise(report, systems)
    check_propagator(report)
    check_closed_forms(report)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
