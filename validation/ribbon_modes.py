"""Modes and Fermi vectors that ribbons take for their rtol, judged by explicit leads: random ribbons.
Run `python -m validation.ribbon_modes [--runs N] [--first SEED]` (six runs: two minutes).

Moments that precess about z from t = 0 on, without a ramp: in the frame that turns with them H - hbar w sigma_z/2 is
static, and one eigendecomposition of device and lead cells gives rho at all times. Echoes of the ends come after
2 cells hbar/gamma, thermal correlations from one end to the other are exp(-pi kT cells/gamma).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

import llgnegf as ln
from llgnegf.units import HBAR
from validation._report import Report, run_as_script


def explicit_ribbon(
    shape: tuple[int, int], cells: int, coupling: float, j_sd: float, moments: np.ndarray, energy: float,
    times: Sequence[float] | np.ndarray, mu: float, kT: float,
) -> np.ndarray:  # fmt: skip
    """rho (times, 2N, 2N) of a square ribbon of this shape with `cells` of lead on either side, hopping 1 eV."""
    n_x, n_y = shape
    whole = ln.square(n_x + 2 * cells, n_y)
    own = np.arange(cells * n_y, (cells + n_x) * n_y)
    j, everywhere = np.zeros(whole.n_sites), np.tile([0.0, 0.0, 1.0], (whole.n_sites, 1))
    j[own], everywhere[own] = j_sd, moments
    h, at = whole.electrons(1.0, j_sd=j).hamiltonian_at(everywhere), slice(2 * own[0], 2 * own[-1] + 2)
    outside = np.r_[: at.start, at.stop : len(h)]
    h[at, outside] *= coupling
    h[outside, at] *= coupling
    levels, states = np.linalg.eigh(h)
    rho = (states / (1 + np.exp((levels - mu) / kT))) @ states.conj().T
    spin = np.tile([1.0, -1.0], whole.n_sites)
    levels, states = np.linalg.eigh(h - 0.5 * energy * np.diag(spin))
    inner, found = states.conj().T @ rho @ states, []
    for t in times:
        turn = np.exp(-0.5j * energy * t / HBAR * spin[at])
        u = states[at] * np.exp(-1j * levels * t / HBAR)
        found.append(turn[:, None] * (u @ inner @ u.conj().T) * turn.conj())
    return np.array(found)


def outcome(seed: int) -> tuple[str, float, float, float]:
    """What was run, rtol, the largest error of an element of rho at eight times and the error budget."""
    rng = np.random.default_rng(seed)
    n_x, n_y = (int(n) for n in rng.integers([2, 3], [6, 5]))
    kT, rtol, cells = float(rng.uniform(0.08, 0.2)), 10.0 ** -float(rng.integers(3, 8)), 110
    j_sd, coupling = float(rng.choice([0.1, 0.5, 2.0])), float(rng.choice([0.3, 1.0]))
    mu, energy = float(rng.uniform(-3, 3)), float(rng.choice([0.02, 0.1, 0.4]))
    lattice = ln.square(n_x, n_y)
    moments = rng.normal(size=(n_x * n_y, 3))
    moments /= np.linalg.norm(moments, axis=1, keepdims=True)
    leads = [lattice.lead(side, coupling=coupling) for side in ("left", "right")]
    system = ln.OpenSystem(lattice.electrons(1.0, j_sd=j_sd), leads, fermi_energy=mu, kT=kT)
    t_end = HBAR * float(rng.uniform(20, 90))
    motion = ln.Precession(moments, energy=energy, axis="z")
    run = ln.Simulation(system, motion, t_end=t_end, save_every=t_end / 7, rtol=rtol)
    got = np.array([run.density_matrix for _ in run.rows()])
    exact = explicit_ribbon(
        (n_x, n_y), cells, coupling, j_sd, moments, energy, np.linspace(0, t_end, len(got)), mu, kT
    )
    modes = sorted({c.energies.size for c in run.poles.channels}) if run.poles is not None else []
    what = f"{n_x} x {n_y}, J {j_sd:g}, coupling {coupling:g}, mu {mu:.2f}, kT {kT:.2f}, w {energy:g}, modes {modes}"
    budget = sum(estimate.value for estimate in run.error_budget().values())
    return what, rtol, float(np.abs(got - exact).max()), float(budget)


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    options = parser.parse_args()
    report = Report("Ribbons with modes and Fermi vectors chosen channel by channel, against explicit leads")
    for seed in range(options.first, options.first + options.runs):
        what, rtol, error, budget = outcome(seed)
        report.check(f"error within rtol: {what}", error, rtol)
        report.check("error within the budget", error, budget)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
