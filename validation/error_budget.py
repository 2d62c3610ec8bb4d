"""The error budget against the true error: random runs out of equilibrium, judged by references without poles.
Run `python -m validation.error_budget [--runs N] [--first SEED]` (360 runs: some 20 min on two cores).

References: explicit lead chains (`_long_chain`), the exact static solver for stationary states, and for wide bands
rho(t) = U rho_0 U^dag + int dE/2pi Gamma f(E) a(E) a(E)^dag with the propagator U(t, t') of h = H(t) - i Gamma/2 and
a = U(t, 0) e^{iEt + i int V} a_0 - i int dt' U(t, t') u e^{iE(t - t') + i int_t'^t V}; after equilibrium a_0 is
(E + V - h)^{-1} u of t = 0, and there is no rho_0. A run counts with the largest error of an element of rho at its end.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit, spherical_jn

import llgnegf as ln
from llgnegf.integrators.schedule import Schedule
from llgnegf.problem.spectra import ChainSpectrum
from llgnegf.units import HBAR
from validation._long_chain import LongChain
from validation._report import Report, run_as_script

Reference = Callable[[], np.ndarray]
RTOLS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)


@dataclass(frozen=True, eq=False)
class Case:
    """One random run: arguments of `simulate` and its reference."""

    family: str
    system: ln.OpenSystem
    motion: Any
    t_end: float
    rtol: float
    start: str
    reference: Reference
    rho: np.ndarray | None = None


def random_unit(rng: np.random.Generator, n: int) -> np.ndarray:
    v = rng.normal(size=(n, 3))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def random_device(rng: np.random.Generator, largest: int) -> ln.Electrons:
    """A chain with random levels, in half of the cases with some outside the leads' bands."""
    n = int(rng.integers(1, largest + 1))
    j_sd = float(rng.choice([0.0, 0.1, 1.0, 5.0, 20.0]))
    onsite = rng.uniform(-0.5, 0.5, n)
    if rng.random() < 0.5:
        onsite[rng.integers(n)] += rng.choice([-1, 1]) * rng.uniform(2.0, 4.0)
    return ln.chain(n, hopping=float(rng.uniform(0.3, 1.0)), j_sd=j_sd, onsite=onsite)


def random_kT(rng: np.random.Generator, smallest: float = 1e-4) -> float:
    return float(10 ** rng.uniform(np.log10(smallest), 0))


def random_coupling(rng: np.random.Generator) -> float:
    return float(10 ** rng.uniform(-2, 0))


def drive(rng: np.random.Generator, t_end: float) -> Any:
    """A voltage of up to 3 eV: step right after t = 0, ramp, pulse or sine."""
    height = float(rng.uniform(-3.0, 3.0))
    kind = rng.integers(4)
    if kind == 0:
        return lambda t: height if t > 0 else 0.0
    if kind == 1:
        return ln.Ramp(0.0, height, 0.0, float(rng.uniform(0.02, 0.5)) * t_end)
    if kind == 2:
        return ln.Pulse(height, 0.3 * t_end, 0.03 * t_end)
    return ln.Sine(height, float(rng.uniform(2.0, 30.0)))


def chain_leads(rng: np.random.Generator, n: int, n_leads: int, **options: Any) -> list[Any]:
    """Chain leads on the ends or anywhere, several on a site among them; some magnetic."""
    leads = []
    for p in range(n_leads):
        site = int(rng.choice([0, n - 1])) if p else 0
        more = {name: value(rng) for name, value in options.items()}
        if rng.random() < 0.25:
            spinor = rng.normal(size=2) + 1j * rng.normal(size=2)
            vector = np.zeros(2 * n, dtype=complex)
            vector[2 * site : 2 * site + 2] = spinor / np.linalg.norm(spinor)
            spectrum = ChainSpectrum(random_coupling(rng), 1.0, float(rng.uniform(-1, 1)))
            leads.append(ln.Lead([(vector, spectrum)], **more))
        else:
            leads.append(ln.ChainLead(site, random_coupling(rng), 1.0, float(rng.uniform(-0.5, 0.5)), **more))
    return leads


def tabulated_leads(rng: np.random.Generator, n: int, **options: Any) -> list[Any]:
    x = np.cos(np.linspace(-np.pi, 0, 61))
    bump = 1 + 0.3 * np.sin(2 * x + rng.uniform(0, 6))
    gamma = random_coupling(rng) ** 2 * (1 - x**2) ** 1.5 * bump
    gamma[[0, -1]] = 0.0
    return [ln.TabulatedLead(0, 2 * x, gamma, **{name: value(rng) for name, value in options.items()})]


def motion_of(rng: np.random.Generator, n: int) -> Any:
    texture = random_unit(rng, n)
    if rng.random() < 0.4:
        return ln.Frozen(texture)
    ramp = float(rng.choice([0.0, 10.0]))
    return ln.Precession(texture, float(10 ** rng.uniform(-3, -0.3)), axis=random_unit(rng, 1)[0], ramp=ramp)


def partitioned(rng: np.random.Generator, rtol: float) -> Case:
    """Leads attached at t = 0 at random fillings and voltages, up to 3000 hbar/gamma."""
    electrons = random_device(rng, 3)
    n = electrons.n_sites
    table = rng.random() < 0.15
    bias = {"chemical_potential": lambda r: float(r.uniform(-2.5, 2.5)), "voltage": lambda r: float(r.uniform(-1, 1))}
    leads = tabulated_leads(rng, n, **bias) if table else chain_leads(rng, n, int(rng.integers(1, 3)), **bias)
    system = ln.OpenSystem(electrons, leads, 0.0, random_kT(rng, 0.1 if table else 1e-4))
    frozen = bool(rng.random() < 0.6) or table
    slow = float(electrons.j_sd.max()) > 2
    longest = 60.0 if table else 300.0 if slow or not frozen else 3000.0
    t_end = HBAR * longest * float(10 ** rng.uniform(-1, 0))
    motion = ln.Frozen(random_unit(rng, n)) if frozen else motion_of(rng, n)
    levels = np.linalg.qr(rng.normal(size=(2 * n, 2 * n)) + 1j * rng.normal(size=(2 * n, 2 * n)))[0]
    rho = (levels * rng.integers(0, 2, 2 * n)) @ levels.conj().T
    chain = LongChain(system, motion.moments, int(2.1 * t_end / HBAR) + (140 if table else 40))
    family = "partitioned, table" if table else "partitioned"
    return Case(family, system, motion, t_end, rtol, "partitioned", lambda: chain.density_matrix(t_end, rho), rho)


def driven(rng: np.random.Generator, rtol: float) -> Case:
    """Equilibrium with the leads attached, then voltages that change and moments that move."""
    t_end = HBAR * float(rng.uniform(20, 80))
    return thermal(rng, rtol, "voltages", t_end, voltage=lambda r: drive(r, t_end))


def moved(rng: np.random.Generator, rtol: float) -> Case:
    """Equilibrium, then moments that move; some of them for long."""
    return thermal(rng, rtol, "moments", HBAR * float(rng.choice([rng.uniform(15, 60), 200.0], p=[0.93, 0.07])))


COLDEST, COOL, WARM = 0.05, 0.1, 0.2
"""Smallest kT (eV) of thermal starts, whose explicit chains are diagonalised whole; with tables; and with moments that
answer, for which whole chains are propagated."""


def thermal(rng: np.random.Generator, rtol: float, drives: str, t_end: float, **options: Any) -> Case:
    electrons = random_device(rng, 4)
    n, table, long = electrons.n_sites, bool(rng.random() < 0.15), t_end > 100 * HBAR
    t_end = min(t_end, HBAR * (40 if table else 25 if electrons.j_sd.max() > 2 else np.inf))
    n_leads = 1 if long else int(rng.integers(1, 3))
    leads = tabulated_leads(rng, n, **options) if table else chain_leads(rng, n, n_leads, **options)
    system = ln.OpenSystem(electrons, leads, fermi_energy(rng), random_kT(rng, COOL if table else COLDEST))
    motion = motion_of(rng, n)
    chain = LongChain(system, motion.moments, settled_length(system, t_end) + 100 * table)
    name = f"thermal, {drives}{', table' * table}"
    return Case(name, system, motion, t_end, rtol, "thermal", lambda: chain.density_matrix(t_end, None))


def fermi_energy(rng: np.random.Generator) -> float:
    """Anywhere in the bands and a little beyond, or at the edge of those that are not shifted."""
    return float(rng.choice([rng.uniform(-2.2, 2.2), -2.0, 2.0], p=[0.8, 0.1, 0.1]))


def answering(rng: np.random.Generator, rtol: float) -> Case:
    """Equilibrium, then moments that answer to electrons, fields and anisotropy."""
    electrons = random_device(rng, 2)
    n, strong = electrons.n_sites, float(electrons.j_sd.max()) > 2
    system = ln.OpenSystem(electrons, chain_leads(rng, n, 1), fermi_energy(rng), random_kT(rng, WARM))
    terms = [ln.Zeeman(rng.normal(size=3) * 50.0), ln.UniaxialAnisotropy(float(rng.uniform(0, 0.05)), axis="z")]
    size = float(10 ** rng.uniform(-0.3, 1))
    magnet = ln.Magnet(random_unit(rng, n), magnetic_moment=size, damping=float(rng.choice([0, 0.1])), energies=terms)
    t_end = HBAR * float(rng.uniform(3, 8) if strong else rng.uniform(10, 25))
    chain = LongChain(system, lambda t: magnet.moments, settled_length(system, t_end))
    answer = lambda: chain.with_answer(magnet, t_end)  # noqa: E731
    return Case("thermal, moments that answer", system, magnet, t_end, rtol, "thermal", answer)


def settled_length(system: ln.OpenSystem, t_end: float) -> int:
    """Lead sites whose end is felt neither in equilibrium, exp(-2 pi kT length/v), nor within the run."""
    return int(max(1.05 * t_end / HBAR, 25 * 2 / (2 * np.pi * system.kT)) + 40)


def steady(rng: np.random.Generator, rtol: float) -> Case:
    """The stationary state under bias, kept for a while; up to twelve sites, any leads."""
    electrons = random_device(rng, 12)
    n = electrons.n_sites
    bias = {"chemical_potential": lambda r: float(r.uniform(-3, 3)), "voltage": lambda r: float(r.uniform(-1, 1))}
    leads = chain_leads(rng, n, int(rng.integers(2, 4)), **bias)
    if rng.random() < 0.3:
        leads[0] = ln.WideBandLead(0, random_coupling(rng) ** 2, chemical_potential=float(rng.uniform(-3, 3)))
    system = ln.OpenSystem(electrons, leads, 0.0, random_kT(rng))
    motion = ln.Frozen(random_unit(rng, n))
    exact = ln.RotatingFrame(system, motion.texture, 0.0, tolerance=1e-10)
    return Case("steady", system, motion, HBAR * 30.0, rtol, "steady", exact.density_matrix)


def wide_band(rng: np.random.Generator, rtol: float) -> Case:
    """Wide-band leads with voltages that change: attached at t = 0 to a device at rest, or in equilibrium before."""
    electrons, partitioned = random_device(rng, 2), bool(rng.random() < 0.5)
    n, t_end = electrons.n_sites, HBAR * float(10 ** rng.uniform(0, 1))
    leads = [
        ln.WideBandLead(
            int(rng.integers(n)), random_coupling(rng) ** 2, voltage=drive(rng, t_end) if rng.random() < 0.6 else 0.0,
            chemical_potential=float(rng.uniform(-2, 2)) if partitioned else 0.3,
        )
        for _ in range(int(rng.integers(1, 3)))
    ]  # fmt: skip
    system = ln.OpenSystem(electrons, leads, 0.0, random_kT(rng, 1e-2))
    motion = ln.Frozen(random_unit(rng, n)) if partitioned else motion_of(rng, n)
    rho = np.diag(rng.integers(0, 2, 2 * n)).astype(complex) if partitioned else None
    exact, start = wide_band_density(system, motion, rho, t_end), "partitioned" if partitioned else "thermal"
    return Case(f"{start}, wide band", system, motion, t_end, rtol, start, exact, rho)


def wide_band_density(system: ln.OpenSystem, motion: Any, rho: np.ndarray | None, t_end: float) -> Reference:
    """rho(t_end) with wide bands, from rho with the leads attached at t = 0, or from equilibrium (None)."""

    def reference() -> np.ndarray:
        t, h = t_end / HBAR, wide_band_hamiltonian(system, motion)
        middles, halves, propagators, phases = propagated(system, motion, h, t_end)
        whole, voltages = propagators[-1], system.voltages(t_end)
        result = np.zeros_like(whole) if rho is None else whole @ rho @ whole.conj().T
        rest = system.chemical_potentials() - system.voltages()
        for p, lead in enumerate(system.leads):
            site = 2 * (lead.site % system.n_sites)
            near, far = thermal_grids(np.linalg.eigvals(h(0.0)), float(rest[p]), system.kT, t)
            turns = np.exp(1j * phases[:, p])
            for u in np.eye(system.n_sites * 2)[site : site + 2]:
                fed = (propagators[:-1] @ u) * turns[:-1, None]
                a = -1j * fourier(near[0], fed, t - middles, halves)
                if rho is None:
                    still = stationary(near[0] + system.voltages()[p], h(0.0), u) @ whole.T
                    a += np.exp(1j * near[0] * t)[:, None] * turns[-1] * still
                # Far below all levels exp(iEt) is too fast to be resolved, and cross terms average to nothing.
                parts = [(near, a), (far, stationary(far[0] + voltages[p], h(t_end), u))]
                if rho is not None:
                    parts.append((far, stationary(far[0] + system.voltages(1e-9)[p], h(1e-9), u) @ whole.T))
                for (energy, weight), amplitude in parts:
                    filled = weight * lead.broadening * expit(-(energy - rest[p]) / system.kT) / (2 * np.pi)
                    result = result + np.einsum("e,ea,eb->ab", filled, amplitude, amplitude.conj())
        return result

    return reference


def wide_band_hamiltonian(system: ln.OpenSystem, motion: Any) -> Callable[[float], np.ndarray]:
    """t (fs) -> H(t) - i Gamma/2."""
    damping = np.zeros(2 * system.n_sites)
    for lead in system.leads:
        site = 2 * (lead.site % system.n_sites)
        damping[site : site + 2] += 0.5 * lead.broadening
    return lambda t: system.electrons.hamiltonian_at(motion.moments(t)) - 1j * np.diag(damping)


def stationary(energies: np.ndarray, h: np.ndarray, u: np.ndarray) -> np.ndarray:
    """(E - h)^-1 u, (n_energies, 2N)."""
    levels, right = np.linalg.eig(h)
    return (np.linalg.solve(right, u) / (energies[:, None] - levels)) @ right.T


PANEL, NODES = 0.15, 20
"""Length (hbar/eV) of the pieces of time between which exp(iEt) is integrated exactly, and Gauss nodes in each."""


def propagated(
    system: ln.OpenSystem, motion: Any, h: Callable[[float], np.ndarray], t_end: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Middles and halves of the pieces of time (hbar/eV), U(t_end, t') and int_t'^t_end V_p at all nodes and t' = 0."""
    size, segments = 2 * system.n_sites, Schedule((*system.drives(), *motion.drives())).segments(t_end)
    state = np.concatenate([np.eye(size, dtype=complex).ravel(), np.zeros(len(system.leads))])

    def rate(tau: float, y: np.ndarray, start: float, stop: float) -> np.ndarray:
        time = min(max(tau * HBAR, start + 1e-9), stop - 1e-9)  # of a jump the inner side
        turning = 1j * y[: size**2].reshape(size, size) @ h(time)
        return np.concatenate([turning.ravel(), -system.voltages(time)])

    x, found, pieces = np.polynomial.legendre.leggauss(NODES)[0], [], []
    for start, stop in reversed(segments):
        edges = np.linspace(start, stop, int(np.ceil((stop - start) / (HBAR * PANEL))) + 1) / HBAR
        half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
        times = np.concatenate([[edges[0]], (middle + half * x).ravel()])[::-1]
        done = solve_ivp(
            rate, (edges[-1], edges[0]), state, "DOP853", times, rtol=1e-12, atol=1e-14, max_step=0.05,
            args=(start, stop),
        )  # fmt: skip
        state = done.y[:, -1]
        found.append(done.y[:, -2::-1].T)
        pieces.append(np.hstack([middle, half]))
    values = np.concatenate([*found[::-1], state[None]])
    propagators, phases = values[:, : size**2].reshape(-1, size, size), values[:, size**2 :].real
    return (*np.concatenate(pieces[::-1]).T, propagators, phases)


def fourier(energies: np.ndarray, values: np.ndarray, delays: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """int dt' exp(iE(t - t')) g(t') from g at the nodes of all pieces, whose middles lie `delays` before t: with
    int_-1^1 P_k(x) exp(-izx) dx = 2 (-i)^k j_k(z)."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    order = np.arange(NODES)
    legendre = (order[:, None] + 0.5) * np.polynomial.legendre.legvander(x, NODES - 1).T * w
    result, moments = np.zeros((energies.size, values.shape[1]), dtype=complex), {}
    for g, delay, half in zip(values.reshape(delays.size, NODES, -1), delays, halves, strict=True):
        if (key := round(half, 12)) not in moments:
            bessel = spherical_jn(order, half * energies[:, None])
            moments = {key: 2 * half * (-1j) ** order * bessel}
        result += np.exp(1j * energies * delay)[:, None] * (moments[key] @ (legendre @ g))
    return result


Grid = tuple[np.ndarray, np.ndarray]


def thermal_grids(levels: np.ndarray, mu: float, kT: float, t: float) -> tuple[Grid, Grid]:
    """Gauss-Legendre nodes and weights fine enough for every level, kT and exp(iEt), and those far below all levels."""
    top, far = mu + 40 * kT, 3e4 / np.sqrt(t)
    cuts = [mu + kT * np.linspace(-40, 40, 41)]
    for level in levels:
        near = np.geomspace(max(1e-3 * abs(level.imag), 1e-7), 50, 60)
        cuts.append(np.concatenate([level.real - near, [level.real], level.real + near]))
    cuts.append(np.append(np.arange(-far, top, min(2.0, 8 / t)), -far))
    edges = np.unique(np.concatenate(cuts))
    return gauss(edges[(edges >= -far) & (edges <= top)]), gauss(-np.geomspace(1e14, far, 300))


def gauss(edges: np.ndarray) -> Grid:
    x, w = np.polynomial.legendre.leggauss(12)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (1 + x)).ravel(), (half * w).ravel()


FAMILIES = (partitioned, moved, driven, moved, answering, steady, moved, wide_band)


Row = tuple[int, str, float, float, float, bool, float, int]
"""(seed, family, rtol, error, budget, warned, t_end in hbar/eV, modes of all channels) of a run."""


def outcome(seed: int) -> Row | None:
    """One random run; None where the exact static solver refuses it (a level too narrow to be resolved)."""
    rng = np.random.default_rng(seed)
    rtol = RTOLS[seed // len(FAMILIES) % len(RTOLS)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case = FAMILIES[seed % len(FAMILIES)](rng, rtol)
        result = ln.simulate(
            case.system, case.motion, t_end=case.t_end, save_every=case.t_end, rtol=rtol, start=case.start,
            initial_density_matrix=case.rho,
        )  # fmt: skip
    try:
        error = float(np.abs(result.density_matrix - case.reference()).max())
    except ln.QuadratureError:
        return None
    budget = float(sum(e.value for e in result.errors.values()))
    warned = any(issubclass(w.category, ln.AccuracyWarning) for w in caught)
    return seed, case.family, rtol, error, budget, warned, case.t_end / HBAR, int(result.statistics["coupling_modes"])


def run_all(seeds: range) -> list[Row | None]:
    if len(seeds) == 1:
        return [outcome(seeds[0])]
    workers = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return list(pool.imap_unordered(outcome, seeds, chunksize=2))


REFERENCE = 3e-10
"""Accuracy of the references: below it an error is not measured."""


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=360)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    options = parser.parse_args()
    report = Report("Error budget of random runs against their true error")
    outcomes = run_all(range(options.first, options.first + options.runs))
    rows = sorted(row for row in outcomes if row is not None)
    report.note(f"{len(rows)} runs with a reference, {len(outcomes) - len(rows)} without")
    measured = np.array([row[3] for row in rows])
    error, seen = np.maximum(measured - REFERENCE, 0.0), measured > REFERENCE
    budget, rtol = np.array([row[4] for row in rows]), np.array([row[2] for row in rows])
    warned = np.array([row[5] for row in rows])
    report.note("family                     runs  rtol met  error/rtol  in budget  error/budget  median budget/error")
    for family in sorted({row[1] for row in rows}):
        here = np.array([row[1] == family for row in rows])
        ratio = budget[here & seen] / measured[here & seen]
        report.note(
            f"{family:26} {here.sum():4d}  {np.mean((error <= rtol)[here]):8.1%}  {(error / rtol)[here].max():10.2g}"
            f"  {np.mean((error <= budget)[here]):9.1%}  {(error / budget)[here].max():12.2g}  {np.median(ratio):12.3g}"
        )
    for row in rows:
        if row[3] > row[4] or row[3] > row[2]:
            text = f"rtol {row[2]:.0e}, error {row[3]:.2e}, budget {row[4]:.2e}, warned {row[5]}"
            report.note(f"seed {row[0]}: {row[1]}, {text}")
    report.check("share of runs whose error exceeds the budget", float(np.mean(error > budget)), 0.01)
    report.check("largest error in units of the budget", float((error / budget).max()), 3.0)
    ratio = budget[seen] / measured[seen]
    report.check("median of budget/error, where the reference can tell", float(np.median(ratio)), 100.0)
    report.check("share of runs whose error exceeds rtol", float(np.mean(error > rtol)), 0.05)
    report.check("largest error in units of rtol, no warning given", float((error / rtol)[~warned].max(initial=0)), 5.0)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
