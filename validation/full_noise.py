"""Noise of the Gilbert bath beside full electrons: `python -m validation.full_noise`.

Four things that `run/thermal_noise` and docs/thermal_noise.md claim:

- Averages err by O(h^2) in the length h of an interval: <M_z> of moments in a field, integrated accurately within the
  intervals, against the Langevin function coth x - 1/x, for angles of variance s = 0.1 to 0.4 in an interval.
- An oscillator of frequency Omega takes from an interval the variance of white noise times
  sinc^2(a/4) [3 - cos(a/2)]/2 = 1 + a^2/24 + O(a^4), a = Omega h.
- Eight moments in a field and an anisotropy, weakly coupled to the electrons of a chain between leads, sample Boltzmann
  at five temperatures: <M_z> and <M_z^2> against quadrature, in units of their standard errors, with the intervals that
  a run chooses by itself. What is compared are 32 moments' averages over time, which are independent.
- Electrons damp a moment without noise: one strongly coupled moment is as at kT lambda/(lambda + electronic damping).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.polynomial.legendre import leggauss

import llgnegf as ln
from llgnegf.equations.moments import LLG
from llgnegf.plots.style import line, new_figure, points, styled
from llgnegf.problem.magnetism.thermal_field import ThermalField
from llgnegf.units import G_E, HBAR, MU_B
from validation._report import OUTPUT, Check, Report, run_as_script

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from propagation import classical_step

N_FREE, X, LAMBDA, KT = 40_000, 1.7, 0.3, 0.03
"""Moments without electrons, mu B/kT, damping and kT (eV) of the first two parts."""
LENGTHS = (0.4, 0.2, 0.1)
N_SITES, J_SD, DAMPING, FIELD, ANISOTROPY = 8, 0.03, 0.5, 400.0, 0.01
TEMPERATURES = (0.015, 0.025, 0.04, 0.065, 0.1)
REALISATIONS, T_END, SETTLED = 4, 800.0, 100.0


def biased(s: float) -> tuple[float, float]:
    """<M_z> - (coth x - 1/x) and its standard error, with intervals in which noise turns moments by a variance s."""
    random = np.random.default_rng(int(1000 * s))
    z = np.log(np.exp(-X) + 2 * np.sinh(X) * random.random(N_FREE)) / X
    phi, across = 2 * np.pi * random.random(N_FREE), np.sqrt(1 - z**2)
    m = np.stack([across * np.cos(phi), across * np.sin(phi), z], axis=1)
    magnet = ln.Magnet(m, 1.0, LAMBDA, ln.Zeeman([0, 0, X * KT / MU_B]))
    h = s * (1 + LAMBDA**2) / (2 * KT * LAMBDA * G_E / HBAR)
    count = int(24 / s)
    llg = LLG(magnet, thermal=ThermalField(magnet, KT, 1, h, 1, count * h))
    step, sums, rows = h / 8, np.zeros(N_FREE), 0
    for k in range(8 * count):  # four steps of the classical fourth order in each half
        m = classical_step(llg, m, (k + 0.5) * step, step)
        if k % 8 == 7 and k > 2 * count:
            sums, rows = sums + m[:, 2], rows + 1
    means = sums / rows
    return float(means.mean() - (1 / np.tanh(X) - 1 / X)), float(means.std() / np.sqrt(N_FREE))


def variance_of_an_oscillator(angle: float) -> tuple[float, float]:
    """|int_0^h b exp(i Omega t) dt|^2 in units of white noise, measured and as the module says; Omega h = angle."""
    magnet = ln.Magnet(np.tile([0, 0, 1.0], (N_FREE, 1)), 1.0, LAMBDA)
    field = ThermalField(magnet, KT, 2, 1.0, 1, 10.0)
    strength = 3 * N_FREE * 2 * KT * LAMBDA / (G_E / HBAR)
    half = (np.exp(0.5j * angle) - 1) / (1j * angle)
    taken = [np.sum(np.abs(half * (field(k + 0.2) + np.exp(0.5j * angle) * field(k + 0.7))) ** 2) for k in range(10)]
    predicted = np.sinc(angle / 4 / np.pi) ** 2 * (3 - np.cos(angle / 2)) / 2
    return float(np.mean(taken)) / strength, float(predicted)


def exact(kT: float) -> tuple[float, float]:
    """<M_z> and <M_z^2> under exp[(mu B M_z + K M_z^2)/kT]."""
    u, weights = leggauss(60)
    density = weights * np.exp((MU_B * FIELD * u + ANISOTROPY * u**2) / kT)
    return float(density @ u / density.sum()), float(density @ u**2 / density.sum())


def sampled(kT: float) -> np.ndarray:
    """M_z averaged over time, and M_z^2, of each moment of each realisation, (2, moments)."""
    system = ln.OpenSystem(ln.chain(N_SITES, j_sd=J_SD), [ln.ChainLead(0), ln.ChainLead(-1)], kT=kT)
    energies = [ln.Zeeman([0, 0, FIELD]), ln.UniaxialAnisotropy(ANISOTROPY, "z")]
    magnet = ln.Magnet(np.tile([0, 0, 1.0], (N_SITES, 1)), 1.0, DAMPING, energies)
    data = ln.ensemble(
        system, magnet, temperature=kT, seed=round(1e3 * kT), t_end=T_END, save_every=2.0, rtol=1e-3,
        realisations=REALISATIONS,
    )  # fmt: skip
    z = data["moments"].sel(component="z", time=slice(SETTLED, None))
    return np.stack([(z**k).mean("time").values.ravel() for k in (1, 2)])


def cooled() -> tuple[float, float, float, float]:
    """<M_z> of a moment that electrons damp as well, its standard error, what is predicted, and what the bath has."""
    kT, damping, field = 0.06, 0.3, 500.0
    system = ln.OpenSystem(ln.chain(1, j_sd=0.8), [ln.ChainLead(0, coupling=0.7)], kT=0.02)
    magnet = ln.Magnet([[0, 0, 1.0]], 1.0, damping, ln.Zeeman([0, 0, field]))
    tensors = ln.ResponseTensors(system, np.array([[0, 0, 1.0]]))
    own = G_E / HBAR * tensors.friction[0, 0, 0, 0]
    data = ln.ensemble(
        system, magnet, temperature=kT, seed=5, t_end=T_END, save_every=2.0, rtol=1e-3, realisations=8
    )  # fmt: skip
    z = data["moments"].sel(component="z", time=slice(SETTLED, None)).mean("time").values
    x = MU_B * field / kT * np.array([(damping + own) / damping, 1.0])
    return float(z.mean()), float(z.std(ddof=1) / np.sqrt(z.size)), *map(float, 1 / np.tanh(x) - 1 / x)


@styled
def figure(found: list[tuple[float, float]]) -> None:
    """<M_z> against kT."""
    fig, kT = new_figure(2.6, 4.0), np.linspace(0.01, 0.11, 101)
    axis = fig.add_subplot()
    axis.plot(1e3 * kT, [exact(one)[0] for one in kT], label="Boltzmann", **line(0))
    means, sigmas = np.transpose(found)
    at = points(1, linestyle="none", capsize=3, label="with full electrons")
    axis.errorbar(1e3 * np.array(TEMPERATURES), means, sigmas, **at)
    axis.set(xlabel="kT (meV)", ylabel="mean of $M_z$")
    axis.legend()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    fig.savefig(OUTPUT / "full_noise.png", dpi=150)


def main() -> list[Check]:
    report = Report("Noise of the Gilbert bath beside full electrons")
    errors = [biased(s) for s in LENGTHS]
    for s, (error, sigma) in zip(LENGTHS, errors, strict=True):
        report.note(f"s = {s:g}: <M_z> is off by {error:.5f}, standard error {sigma:.5f}")
    (coarse, sigma), (fine, own), (longest, last) = errors
    order, margin = np.log2(abs(coarse / fine)), np.hypot(sigma / coarse, own / fine) / np.log(2)
    report.check(f"order of the error of <M_z> is 2 ({order:.2f} +- {margin:.2f})", abs(order - 2) - 3 * margin, 0.4)
    report.check("<M_z> with s = 0.1, the longest intervals of a run: |error| - 3 sigma", abs(longest) - 3 * last, 1e-3)
    for angle in (0.3, 1.0, 2.0):
        taken, predicted = variance_of_an_oscillator(angle)
        said = f"variance of an oscillator, Omega h = {angle:g}, against {predicted:.4f}"
        report.check(said, abs(taken - predicted), 5e-3)
    found = []
    for kT in TEMPERATURES:
        values = sampled(kT)
        means, sigmas = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
        found.append((float(means[0]), float(sigmas[0])))
        for name, mean, sigma, right in zip(("<M_z>", "<M_z^2>"), means, sigmas, exact(kT), strict=True):
            said = f"{name} at kT = {kT:g} eV, {mean:.4f} +- {sigma:.4f} against {right:.4f}, in standard errors"
            report.check(said, abs(mean - right) / sigma, 3.0)
    mean, sigma, right, bath = cooled()
    said = f"<M_z> of a moment that electrons cool, {mean:.3f} +- {sigma:.3f} against {right:.3f}, in standard errors"
    report.check(said, abs(mean - right) / sigma, 3.0)
    far = f"the same: three standard errors, in units of the distance from the bath, {bath:.3f}"
    report.check(far, 3 * sigma / abs(mean - bath), 1.0)
    figure(found)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
