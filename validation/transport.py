"""Transport in random devices against the stationary state, thermodynamics, closed forms and spin pumping:
`python -m validation.transport`.

Devices of one to eight sites, random moments, two to four leads: chains and wide bands on random sites, coupled from
1e-4 to 1 eV, at chemical potentials within 1 eV and temperatures of their own, one in three at kT = 0.

Bounds: integrals are right to TOLERANCE times their largest entry; currents of the density matrix to 2 TOLERANCE/hbar.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

import llgnegf as ln
from llgnegf.units import HBAR
from validation._report import Check, Report, run_as_script

TOLERANCE = 1e-9
DEVICES = 60
PLANCK = 2 * np.pi * HBAR


def random_leads(rng: np.random.Generator, n: int, filled: dict[str, float] | None) -> list[Any]:
    leads = []
    for _ in range(rng.integers(2, 5)):
        own = {"chemical_potential": rng.uniform(-1, 1), "kT": rng.choice([0.0, 0.01, 0.1])}
        own, site, strength = own if filled is None else filled, int(rng.integers(n)), 10 ** rng.uniform(-4, 0)
        chain = ln.ChainLead(site, np.sqrt(strength), voltage=0.0 if filled else rng.uniform(-0.3, 0.3), **own)
        leads.append(chain if rng.random() < 0.5 else ln.WideBandLead(site, strength, **own))
    return leads


def random_device(seed: int, filled: dict[str, float] | None = None, collinear: bool = False) -> ln.Transport:
    """Leads filled at random, or all alike; moments at random, or along one axis."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    moments = rng.normal(size=(1 if collinear else n, 3)) * np.sign(rng.normal(size=(n, 1)))
    moments /= np.linalg.norm(moments, axis=1)[:, None]
    system = ln.OpenSystem(ln.chain(n, 1.0, rng.uniform(0.1, 1.5, n)), random_leads(rng, n, filled), 0.0, 0.05)
    return ln.Transport(system, moments, TOLERANCE)


def check_bias(report: Report) -> None:
    off = {"charge": 0.0, "energy": 0.0, "sum": 0.0, "negative": 0.0}
    for seed in range(DEVICES):
        flow = random_device(seed)
        found, noise = flow.currents(), flow.noise().values
        rates = ln.RotatingFrame(flow.system, flow.moments, 0.0, tolerance=TOLERANCE).lead_currents().charge
        off["charge"] = max(off["charge"], np.abs(found.charge.values - rates).max())
        off["energy"] = max(off["energy"], abs(found.energy.values.sum()) / np.abs(found.energy.values).max())
        off["sum"] = max(off["sum"], np.abs(noise.sum(axis=0)).max() / noise.max())
        off["negative"] = max(off["negative"], -np.linalg.eigvalsh(noise)[0] / noise.max())
    report.check("currents of T against those of the density matrix, 1/fs", off["charge"], 3 * TOLERANCE / HBAR)
    report.check("energy that is lost, of the largest current", off["energy"], 10 * TOLERANCE)
    report.check("sum of the noise over leads, of the largest", off["sum"], 10 * TOLERANCE)
    report.check("negative eigenvalue of the noise, of the largest", off["negative"], 10 * TOLERANCE)


def check_equilibrium(report: Report) -> None:
    nyquist = pumped = 0.0
    for seed in range(DEVICES):
        kT = 0.03
        flow = random_device(seed, {"chemical_potential": 0.2, "kT": kT})
        g, noise = flow.conductance().charge.values, flow.noise().values
        nyquist = max(nyquist, np.abs(noise + kT * (g + g.T) / PLANCK).max() / noise.max())
        flow = random_device(seed, {"chemical_potential": 0.2, "kT": kT}, collinear=True)
        a, m = flow.mixing_conductance().pumping.values, flow.moments[0]
        velocity = np.cross([0.0, 0.0, 1.0], m)
        frame = ln.RotatingFrame(flow.system, flow.moments, 1.0, "z", tolerance=TOLERANCE)
        surface = frame.decompose_lead_currents().surface.spin
        expected = (np.outer(a.real, np.cross(m, velocity)) + np.outer(a.imag, velocity)) / (4 * np.pi)
        pumped = max(pumped, np.abs(surface - expected).max())
    report.check("noise against 2 kT G, of the largest", nyquist, 10 * TOLERANCE)
    report.check("pumped spin current against the mixing conductance, per hbar w", pumped, 3 * TOLERANCE)


def check_levels(report: Report) -> None:
    """A wide-band level far within the bias V: corrections of 2 (G_L + G_R)/V."""
    off = 0.0
    for left, right in ((0.1, 0.3), (1e-3, 5e-3), (1e-9, 1e-9)):
        bias = 1e8 * (left + right)
        leads = [ln.WideBandLead(0, g, chemical_potential=s * bias / 2) for g, s in ((left, 1), (right, -1))]
        fano = ln.Transport(ln.OpenSystem(ln.chain(1), leads), ln.uniform(1, "z")).fano_factor().values
        off = max(off, np.abs(fano - (left**2 + right**2) / (left + right) ** 2).max())
    report.check("Fano factor of a wide-band level, large bias", off, 4e-8)
    system = ln.OpenSystem(ln.chain(1, j_sd=0.6), [ln.ChainLead(0, chemical_potential=v) for v in (1e-4, -1e-4)])
    flow = ln.Transport(system, ln.uniform(1, "x"))
    t = np.diagonal(flow.transmission(0.0, "x").sel(lead=1, source_lead=0)[0])
    expected = 2e-4 * (t * (1 - t)).sum() / PLANCK
    off = abs(flow.noise().values[0, 0] / expected - 1)
    report.check("shot noise of two channels against V sum T(1-T)/h", off, 1e-8)


def check_seconds(report: Report) -> None:
    for n, limit in ((7, 0.1), (400, 5.0)):
        system = ln.OpenSystem(ln.chain(n, 1.0, 0.5), [ln.ChainLead(0), ln.ChainLead(-1)])
        wall, taken = ln.bloch_wall(n, (n + 1) / 2, 3.0), []
        for _ in range(4):
            start = time.process_time()
            ln.Transport(system, wall).transmission(np.linspace(-1.9, 1.9, 1000))
            taken.append(time.process_time() - start)
        report.check(f"seconds for 1000 energies on {n} sites", min(taken), limit)


def main() -> list[Check]:
    warnings.simplefilter("ignore", ln.SuspiciousValueWarning)  # chemical potentials beyond weak leads' widths
    report = Report(f"Transport, tolerance {TOLERANCE:g}")
    check_seconds(report)
    check_levels(report)
    check_equilibrium(report)
    check_bias(report)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
