"""Angular momentum about the axis, part by part, and the spectral identity: `python -m validation.sum_rules`.

In a steady precession about alpha the electrons' spin along alpha is constant, so what the moments hand over leaves
through the leads:

    sum_i (T_i)_alpha = sum_p I_p^{S_alpha},     for the exact state and for the surface part;
    sum_i (T_i)_alpha = 0 = sum_p I_p^{S_alpha}   for the adiabatic, geometric and sea parts.

For the exact state all components hold, with what turns the spin in the frame that rotates: sum_i <s_i> x (J M_i +
(hbar w/2) alpha) = sum_p I_p. And sum_q G_0 Gamma_q G_0^dag = i (G_0 - G_0^dag), inside the bands and outside.

Also the paper's walls: a Neel wall's geometric torque is field-like; a closed wall has a geometric part alone.

Bounds: every entry of rho, and of hbar times a rate, is right to TOLERANCE, so <s_i> is to 2 sqrt(3) TOLERANCE and
a torque to J_sd times that; 4 (sum_i J_i + number of leads) TOLERANCE covers both sides of a sum rule.
"""

from __future__ import annotations

import numpy as np

import llgnegf as ln
from llgnegf.plots.style import new_figure, points, styled
from validation._report import OUTPUT, Check, Report, run_as_script
from validation.decomposition import Case, random_case, unit_vectors

TOLERANCE, ENERGY = 1e-12, 0.001
RELATIVE = 1e-8
"""Asked for beside the absolute bound: with J_sd = 20 eV little is pumped."""
PARTS = ("adiabatic", "geometric", "sea", "surface")
WALLS = {"Bloch": ln.bloch_wall, "Neel": ln.neel_wall}


def paper_wall(kind: str, j_sd: float, kT: float, coupling: float = 1.0) -> Case:
    """Seven sites, width 0.9, rotating about z."""
    leads = [ln.ChainLead(site, coupling=coupling) for site in (0, -1)]
    system = ln.OpenSystem(ln.chain(7, 1.0, j_sd), leads, kT=kT)
    return Case(f"{kind} wall, J_sd = {j_sd:g} eV, kT = {kT:g} eV", system, WALLS[kind](7, 4, 0.9), np.eye(3)[2])


def cases() -> list[Case]:
    walls = [paper_wall(kind, j_sd, kT) for kind in WALLS for j_sd in (0.1, 20.0) for kT in (0.0, 0.01)]
    return walls + [random_case(seed, j_sd) for seed, j_sd in enumerate((0.1, 0.5, 2.0, 20.0), start=20)]


def bound(case: Case) -> float:
    return 4 * TOLERANCE * (float(np.abs(case.system.electrons.j_sd).sum()) + len(case.system.leads))


def torque_sum(rho: np.ndarray, case: Case) -> float:
    """sum_i (T_i)_alpha."""
    return float(ln.torque(rho, case.texture, case.system.electrons.j_sd).sum(axis=0) @ case.axis)


def check_angular_momentum(report: Report, case: Case) -> tuple[float, float]:
    """The sum rules of one case; surface torque and pumped current in units of hbar w, for the figure."""
    frame = ln.RotatingFrame(case.system, case.texture, ENERGY, case.axis, tolerance=TOLERANCE)
    parts, currents = frame.decompose(), frame.decompose_lead_currents()
    pumped = {part: float(getattr(currents, part).spin.sum(axis=0) @ case.axis) for part in PARTS}
    torques = {part: torque_sum(getattr(parts, part), case) for part in PARTS}
    off = abs(torques["surface"] - pumped["surface"])
    report.check(f"{case.name}: surface torque = pumped currents, eV", off, bound(case))
    report.check(f"{case.name}: the same, relative", off / abs(pumped["surface"]), RELATIVE)
    for part in PARTS[:3]:
        largest = max(abs(torques[part]), abs(pumped[part]))
        report.check(f"{case.name}: {part} torques and currents add up to 0, eV", largest, bound(case))
    rho, spin = frame.density_matrix(), frame.lead_currents().spin.sum(axis=0)
    off = abs(torque_sum(rho, case) - spin @ case.axis)
    report.check(f"{case.name}: exact torque = exact currents, eV", off, bound(case))
    turning = np.asarray(case.system.electrons.j_sd)[:, None] * case.texture + 0.5 * ENERGY * case.axis
    flow = np.cross(ln.spin_density(rho), turning).sum(axis=0)
    report.check(f"{case.name}: exact currents, all components, eV", np.abs(flow - spin).max(), bound(case))
    return torques["surface"] / ENERGY, pumped["surface"] / ENERGY


def spectral_defect(case: Case, energy: float) -> float:
    """|sum_q G_0 Gamma_q G_0^dag - i (G_0 - G_0^dag)| over |G_0|^2, largest entry over squared norm (or 1)."""
    n = case.system.n_sites
    channels = [c for lead in case.system.leads for c in lead.attach(n)]
    projectors = [np.outer(c.vector, c.vector.conj()) for c in channels]
    sigma = sum(c.spectrum.self_energy(energy) * p for c, p in zip(channels, projectors, strict=True))
    gamma = sum(c.spectrum.broadening(energy) * p for c, p in zip(channels, projectors, strict=True))
    hamiltonian = case.system.electrons.hamiltonian_at(case.texture)
    green = np.linalg.inv(energy * np.eye(2 * n) - hamiltonian - sigma)
    defect = green @ gamma @ green.conj().T - 1j * (green - green.conj().T)
    return float(np.abs(defect).max() / max(1.0, np.linalg.norm(green, 2) ** 2))


def check_spectral_identity(report: Report) -> dict[str, np.ndarray]:
    """Many random wires and energies, wide-band leads among them."""
    rng = np.random.default_rng(5)
    energies = {"inside the bands": np.linspace(-1.99, 1.99, 60), "outside": np.linspace(2.01, 6.0, 30)}
    found = {}
    for name, values in energies.items():
        wires = [random_case(seed, j_sd) for seed, j_sd in enumerate((0.1, 1.0, 5.0, 20.0), start=40)]
        if name == "inside the bands":
            leads = [ln.WideBandLead(0, broadening=0.7), ln.WideBandLead(-1, broadening=0.2)]
            wide = ln.OpenSystem(ln.chain(4, 1.0, 0.7), leads)
            wires.append(Case("wide band", wide, unit_vectors(rng, 4), np.eye(3)[2]))
        defects = np.array([[spectral_defect(wire, float(e)) for e in values] for wire in wires]).max(axis=0)
        report.check(f"spectral identity {name}, over |G_0|^2", defects.max(), 1e-12)
        found[name] = np.stack([values, defects])
    return found


def check_walls(report: Report) -> None:
    for j_sd in (0.1, 20.0):
        neel = paper_wall("Neel", j_sd, 0.0)
        frame = ln.RotatingFrame(neel.system, neel.texture, ENERGY, tolerance=TOLERANCE)
        torque = ln.torque(frame.decompose().geometric, neel.texture, j_sd)
        off = np.abs(ln.field_like_damping_like(torque, neel.texture, frame.velocity).damping_like).max()
        report.check(f"{neel.name}: damping-like part of the geometric torque, eV", off, 1e-10)
        closed = paper_wall("Bloch", j_sd, 0.01, coupling=0.0)
        parts = ln.RotatingFrame(closed.system, closed.texture, ENERGY, tolerance=TOLERANCE).decompose()
        others = max(np.abs(parts.sea).max(), np.abs(parts.surface).max())
        report.check(f"closed {closed.name}: sea and surface parts", others, 0.0)


@styled
def figure(found: dict[str, tuple[float, float]], spectral: dict[str, np.ndarray]) -> None:
    fig = new_figure(3.6)
    left, right = fig.subplots(1, 2, width_ratios=(1.3, 1))
    rows = np.arange(len(found))
    torques, pumped = np.array(list(found.values())).T
    left.plot(torques, rows, label=r"$\sum_i (T_\mathrm{surf})_\alpha$", **points(0, linestyle="none", markersize=8))
    left.plot(pumped, rows, label=r"$\sum_p I^{S_\alpha}_p$", **points(1, linestyle="none", markersize=3.5))
    left.set_yticks(rows, [name.replace(" eV", "").replace("J_sd", "J") for name in found], fontsize=7)
    left.invert_yaxis()
    left.set_xscale("log")
    left.set(xlabel=r"surface torque, pumped current ($\hbar\omega$)", title="sum rule")
    left.set_xlim(torques.min() / 3, 10 * torques.max())
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    for k, (name, (energies, defects)) in enumerate(spectral.items()):
        right.semilogy(energies, np.maximum(defects, 1e-19), label=name, **points(k, linestyle="none"))
    right.axhline(1e-12, color="0.4", lw=0.8)
    right.annotate("bound", (-2.0, 1e-12), va="bottom", color="0.4")
    right.set(xlabel="energy (eV)", ylabel=r"defect/$|G_0|^2$", title="spectral identity", ylim=(1e-19, 1e-10))
    right.legend(loc="upper right")
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "sum_rules.png")


def main() -> list[Check]:
    report = Report(f"Sum rules at hbar w = {ENERGY:g} eV, tolerance {TOLERANCE:g}")
    found = {case.name: check_angular_momentum(report, case) for case in cases()}
    spectral = check_spectral_identity(report)
    check_walls(report)
    figure(found, spectral)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
