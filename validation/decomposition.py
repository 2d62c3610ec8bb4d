"""What adiabatic, geometric, sea and surface parts leave out is of second order: `python -m validation.decomposition`.

    rho(hbar w) = ad + geo + sea + surf + O((hbar w)^2):     slope 2 of log|remainder| against log(hbar w)

for the density matrix and for the spin currents into the leads. Random wires: sites, hopping, on-site energies, J_sd
from 0.05 to 20 eV, lead couplings, Fermi energy, kT or kT = 0, texture, axis. The series in hbar w converges up to the
distance from the Fermi energy of the nearest singularity of G_0(E): a pole (a level, with its width) or the edge of a
band. The slope is taken at fractions of this distance, so that the third order changes it by some per cent at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import llgnegf as ln
from llgnegf.plots.style import line, new_figure, points, styled
from validation._report import OUTPUT, Check, Report, run_as_script

TOLERANCE = 1e-12
FRACTIONS = np.array([0.0025, 0.005, 0.01, 0.02])
SLOPE_BOUND = 0.05
COUPLINGS = (0.05, 0.1, 0.3, 1.0, 3.0, 20.0, 20.0)
"""J_sd of the cases, in eV."""


@dataclass(frozen=True)
class Case:
    """A random wire, its moments and their axis."""

    name: str
    system: ln.OpenSystem
    texture: np.ndarray
    axis: np.ndarray

    def frame(self, energy: float) -> ln.RotatingFrame:
        return ln.RotatingFrame(self.system, self.texture, energy, self.axis, tolerance=TOLERANCE)


def unit_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_case(seed: int, j_sd: float) -> Case:
    """Every other case has kT = 0."""
    rng = np.random.default_rng(300 + seed)
    n = int(rng.integers(2, 6))
    electrons = ln.chain(n, rng.uniform(0.7, 1.2, n - 1), j_sd * rng.uniform(0.8, 1.2, n), rng.uniform(-0.2, 0.2, n))
    leads = [ln.ChainLead(site, coupling=rng.uniform(0.6, 1.1)) for site in (0, -1)]
    kT = 0.0 if seed % 2 else float(rng.uniform(0.005, 0.05))
    system = ln.OpenSystem(electrons, leads, fermi_energy=rng.uniform(-0.5, 0.5), kT=kT)
    axis = unit_vectors(rng, 1)[0]
    return Case(f"J_sd ~ {j_sd:g} eV, N = {n}, kT = {kT:.3f} eV", system, unit_vectors(rng, n), axis)


def distance_of_singularities(case: Case) -> float:
    """From the Fermi energy to the nearest band edge or pole of G_0, the self-energy taken at the Fermi energy."""
    system, n = case.system, case.system.n_sites
    channels = [c for lead in system.leads for c in lead.attach(n)]
    edges = np.array([edge for c in channels for edge in c.spectrum.support])
    sigma = np.zeros((2 * n, 2 * n), complex)
    for c in channels:
        sigma += c.spectrum.self_energy(system.fermi_energy) * np.outer(c.vector, c.vector.conj())
    poles = np.linalg.eigvals(system.electrons.hamiltonian_at(case.texture) + sigma)
    return float(np.abs(np.concatenate([edges, poles]) - system.fermi_energy).min())


def remainders(case: Case, energies: np.ndarray) -> np.ndarray:
    """Norms of what is left of density matrix and lead spin currents, (2, energies)."""
    left = []
    for energy in energies:
        frame = case.frame(float(energy))
        parts, currents = frame.decompose(), frame.decompose_lead_currents()
        rho = frame.density_matrix() - parts.adiabatic - parts.nonadiabatic
        spin = frame.lead_currents().spin - sum(
            getattr(currents, part).spin for part in ("adiabatic", "geometric", "sea", "surface")
        )
        left.append((np.linalg.norm(rho), np.linalg.norm(spin)))
    return np.array(left).T


@styled
def figure(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    fig = new_figure(3.6)
    panels = fig.subplots(1, 2)
    for k, (name, (energies, left)) in enumerate(found.items()):
        for axes, values in zip(panels, left, strict=True):
            axes.loglog(1e3 * energies, values, label=name, **points(k, linestyle="none"))
            axes.loglog(1e3 * energies, values[-1] * (energies / energies[-1]) ** 2, **line(k, linestyle="-", lw=0.8))
    panels[0].set(xlabel=r"$\hbar\omega$ (meV)", ylabel="norm of what is left", title="density matrix")
    panels[1].set(xlabel=r"$\hbar\omega$ (meV)", ylabel="norm of what is left (eV)", title="lead spin currents")
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=7)
    fig.suptitle("exact minus the four parts; lines: slope 2", fontsize=9)
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "decomposition.png")


def main() -> list[Check]:
    report = Report("The four parts: exact minus ad + geo + sea + surf is of second order in hbar w")
    found = {}
    for seed, j_sd in enumerate(COUPLINGS):
        case = random_case(seed, j_sd)
        energies = FRACTIONS * distance_of_singularities(case)
        left = remainders(case, energies)
        found[case.name] = (energies, left)
        for what, values in zip(("density matrix", "lead spin currents"), left, strict=True):
            slope = float(np.polyfit(np.log(energies), np.log(values), 1)[0])
            report.check(f"{case.name}: slope of {what} is 2 ({slope:.4f})", abs(slope - 2), SLOPE_BOUND)
    figure(found)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
