"""Response at any frequency against what it expands to and against full runs: `python -m validation.linear_response`.

1. K = first_order() against `ResponseTensors` (exact leads, quadrature, exact Fermi function): random chains with leads
   in equilibrium and not, of up to three kinds; allowed 1e-9 of the larger of K and 1 fs.
2. chi(w) against the Fourier transform of full runs after weak kicks to both sides, under bias, each moment in turn.
   The kick is 2e-3: its square, 4e-6, is what the answer may be off by in relation.
3. A moment that nearly has the spin of its electron oscillates against it: zeros of w S - J [chi(w) - chi(0)] for the
   circular component, S = hbar n/g_e, against the lines of full coupled runs, to 1e-3; and where the inertia alone puts
   that mode, to show that it is not there.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

import llgnegf as ln
from llgnegf.units import G_E, HBAR
from validation._report import Check, Report, run_as_script

SYSTEMS, KICK, CENTER, WIDTH, T_END, EVERY = 40, 2e-3, 4.0, 0.5, 120.0, 0.25
J_SD, LINE_END, LINE_EVERY, LINES = 5.0, 24.0, 0.04, 10


def moments(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_system(rng: np.random.Generator, n: int, biased: bool) -> ln.OpenSystem:
    """Chains, wide bands, or both; levels above the band too; biased leads have temperatures of their own."""
    mu, kT = rng.uniform(-0.6, 0.6, 3), rng.uniform(0.01, 0.1, 3)
    mu, kT = (mu, kT) if biased else (np.full(3, mu[0]), np.full(3, kT[0]))
    own = [{"chemical_potential": m, "kT": t} for m, t in zip(mu.tolist(), kT.tolist(), strict=True)]
    chains = [ln.ChainLead(s, rng.uniform(0.3, 1.1), **o) for s, o in zip((0, -1), own, strict=False)]
    wide = [ln.WideBandLead(0, rng.uniform(0.2, 1.0), **own[2])]
    kinds = [chains, [*chains, *wide], [*chains[1:], *wide]]
    electrons = ln.chain(n, 1.0, rng.uniform(0.1, 2.0, n), rng.uniform(-0.5, 2.5, n))
    return ln.OpenSystem(electrons, kinds[rng.integers(3)])


def first_order(report: Report) -> None:
    for biased in (False, True):
        worst = 0.0
        for seed in range(SYSTEMS):
            rng = np.random.default_rng([seed, biased])
            n = int(rng.integers(1, 6))
            system, texture = random_system(rng, n, biased), moments(rng, n)
            exact = ln.ResponseTensors(system, texture, tolerance=1e-10).response  # below, rounding decides
            found = ln.LinearResponse(system, texture).first_order()
            worst = max(worst, float(np.abs(found - exact).max() / max(1.0, np.abs(exact).max())))
        report.check(f"K of {SYSTEMS} random {'biased' if biased else 'thermal'} systems", worst, 1e-9)


def kick(time: np.ndarray | float) -> np.ndarray:
    return np.exp(-0.5 * ((time - CENTER) / WIDTH) ** 2)


def full_runs(report: Report) -> None:
    rng = np.random.default_rng(1)
    texture, leads = moments(rng, 2), [ln.ChainLead(0, 0.8, chemical_potential=0.5), ln.ChainLead(-1, 0.6, kT=0.1)]
    system = ln.OpenSystem(ln.chain(2, 1.0, [0.6, 0.9]), leads, fermi_energy=-0.2, kT=0.05)
    energies = np.array([0.0, 0.05, 0.3, -0.8, 1.5, 2.6])
    chi, worst = ln.LinearResponse(system, texture).susceptibility(energies), 0.0
    for j in range(2):
        direction = np.cross(texture[j], [0.3, -0.5, 0.8])
        step, answers = np.outer(np.eye(2)[j], direction), []
        for size in (KICK, -KICK):
            motion = ln.Prescribed(lambda t, s=size, d=step: texture + s * kick(t) * d, unit=False)
            run = ln.simulate(system, motion, t_end=T_END, save_every=EVERY, rtol=1e-8, start="steady").dataset
            answers.append(run.spin_density.values / (2 * size))
        times = run.time.values
        late = np.clip(2 * times / T_END - 1, 0, 1)  # cut off smoothly, what is left turns at frequencies of its own
        phases = np.exp(1j * energies[:, None] / HBAR * times) * np.cos(0.5 * np.pi * late) ** 2
        found = np.tensordot(phases, sum(answers), 1) / (phases @ kick(times))[:, None, None]
        worst = max(worst, float(np.abs(found - np.einsum("wiab,b->wia", chi[:, :, :, j], direction)).max()))
    report.check("chi(w) against full runs under bias, after weak kicks", worst, 1e-5)


def lines(n_mu: float, system: ln.OpenSystem) -> np.ndarray:
    """Complex energies (eV) in dM/dt of the coupled run after a kick by a field, by a matrix pencil."""
    field = ln.Pulse([0.0, 300.0, 0.0], center=0.8, width=0.08)
    magnet = ln.Magnet([[0, 0, 1]], magnetic_moment=n_mu, energies=[ln.Zeeman(field)])
    run = ln.simulate(system, magnet, t_end=LINE_END, save_every=LINE_EVERY, rtol=1e-7).dataset
    moment = run.moments.values[run.time.values > 1.6, 0]
    signal = np.diff(moment[:, 0] + 1j * moment[:, 1])
    hankel = scipy.linalg.hankel(signal[: signal.size // 2], signal[signal.size // 2 - 1 :])
    basis = np.linalg.svd(hankel)[2][:LINES].T
    factors = np.linalg.eigvals(np.linalg.lstsq(basis[:-1], basis[1:], rcond=None)[0])
    return 1j * HBAR * np.log(factors) / LINE_EVERY


def electron_modes(report: Report) -> None:
    system = ln.OpenSystem(ln.chain(1, 1.0, J_SD), 2 * [ln.ChainLead(0)], fermi_energy=0.3, kT=0.05)
    response, plus = ln.LinearResponse(system, [[0, 0, 1]]), np.array([1, -1j, 0]) / np.sqrt(2)

    def circular(energy: complex) -> np.ndarray:
        return np.einsum("a,nab,b->n", plus.conj(), response.expansion(energy, 2)[:, 0, :, 0], plus)

    at_rest, inertia = circular(0.0)[0], response.inertia()[0, 0, 0, 0]
    for n_mu, start in ((1.2, 2.7 - 0.1j), (2.0, 4.52), (2.0, 7.87)):
        spin, zero = n_mu / G_E, complex(start)
        for _ in range(12):
            value, slope = circular(zero)
            zero -= (zero * spin - J_SD * (value - at_rest)) / (spin - J_SD * slope)
        found = lines(n_mu, system)
        nearest = found[np.argmin(np.abs(found - zero))]
        claim = f"{n_mu:g} mu_B: zero at {zero:.4f} eV, full run {nearest:.4f}"
        report.check(claim, float(abs(nearest / zero - 1)), 1e-3)
        alone = HBAR * (HBAR * spin - abs(J_SD * response.first_order()[0, 1, 0, 0])) / inertia
        report.note(f"by the inertia alone: {alone:.3g} eV")


def main() -> list[Check]:
    report = Report("Linear response at any frequency")
    first_order(report)
    full_runs(report)
    electron_modes(report)
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
