"""Conservation laws of the coupled run: `python -m validation.conservation`.

From the LLG equation with the torque J <s> x M and from d rho/dt = -i [H, rho]/hbar + leads:

- closed, no field, no anisotropy, no damping: the angular momentum (hbar/2) sum <sigma_i> - sum (mu_i/g) M_i
  is a constant vector (the spin of a moment is opposite to it);
- closed, no damping, static field: Tr[rho H(M)] + H_classical(M) is constant; damping only lowers it;
- with leads, what the device lost is what left: charge, angular momentum, and energy Tr[rho H] counted as it leaves.

Bound of all balances: 1e-9 (hbar, eV, electrons) over 60 fs, at the tolerance rtol asked for.
"""

from __future__ import annotations

import numpy as np
import xarray

import llgnegf as ln
from llgnegf.plots.style import line, new_figure, styled
from validation._report import OUTPUT, Check, Report, run_as_script

BOUND, UNTIL = 1e-9, 60.0
CLOSED = ln.OpenSystem(ln.chain(4, 1.0, [0.5, 0.4, 0.6, 0.5]), [], fermi_energy=0.1, kT=0.05)
OPEN = ln.OpenSystem(CLOSED.electrons, [ln.ChainLead(0, coupling=0.8), ln.ChainLead(-1)], fermi_energy=0.1, kT=0.1)
MU = [2.0, 3.0, 4.0, 2.5]
"""Bohr magnetons: different moments on neighbouring sites."""


def texture(seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(4, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def isotropic(**options: object) -> ln.Magnet:
    """Exchange alone: nothing outside holds an angular momentum."""
    return ln.Magnet(texture(1), magnetic_moment=MU, energies=[ln.Exchange([0.1, -0.05, 0.1])], **options)


def anisotropic(**options: object) -> ln.Magnet:
    energies = [
        ln.Exchange(0.1), ln.UniaxialAnisotropy(0.05, "z"), ln.UniaxialAnisotropy(-0.03, [1.0, 1.0, 0.0]),
        ln.DMI([0.0, 0.02, 0.0]), ln.CubicAnisotropy(0.02), ln.Zeeman([100.0, 0.0, 200.0]),
    ]  # fmt: skip
    return ln.Magnet(texture(1), magnetic_moment=MU, energies=energies, **options)


def run(system: ln.OpenSystem, magnet: ln.Magnet, rtol: float, **options: object) -> xarray.Dataset:
    return ln.simulate(system, magnet, t_end=UNTIL, save_every=0.5, rtol=rtol, **options).dataset


def disturbed() -> dict[str, object]:
    """A start far from rest: the electrons of another texture."""
    other = ln.RotatingFrame(CLOSED, texture(2), 0.0).density_matrix()
    return {"start": "partitioned", "initial_density_matrix": other}


def energy(data: xarray.Dataset) -> np.ndarray:
    return (data.energy_electronic + data.energy_sd + data.energy_classical).values


def drift(values: np.ndarray) -> np.ndarray:
    """Largest change of any component since t = 0, at each time."""
    change = np.abs(values - values[0])
    return change.reshape(len(change), -1).max(axis=1)


def check_closed(report: Report) -> dict[str, np.ndarray]:
    free = run(CLOSED, isotropic(), 1e-9, **disturbed())
    moved = drift(free.moments.values).max()
    report.check("closed: moments moved by at least 0.1, 0.1/change", 0.1 / moved, 1.0)
    series = {"angular momentum": drift(free.angular_momentum.values), "energy": drift(energy(free))}
    bent = run(CLOSED, anisotropic(), 1e-9, **disturbed())
    series["energy, with field and anisotropy"] = drift(energy(bent))
    for name, values in series.items():
        report.check(f"closed: drift of {name}", values.max(), BOUND)
    exchanged = np.ptp((bent.energy_electronic + bent.energy_sd).values)
    report.note(f"energy that went to and fro between electrons and moments: {exchanged:.3f} eV")
    return {"time": free.time.values, **series}


def check_open(report: Report) -> dict[str, np.ndarray]:
    data = run(OPEN, isotropic(), 1e-8)
    left = data.lead_spin_out.sum("lead").values
    report.check("leads: spin that left is at least 0.01 hbar, 0.01/spin", 0.01 / np.abs(left).max(), 1.0)
    series = {
        "charge": drift((data.charge_density.sum("site") + data.lead_charge_out.sum("lead")).values),
        "angular momentum": drift(data.angular_momentum.values + left),
        "energy": drift(energy(data) + data.lead_energy_out.sum("lead").values),
    }
    bent = run(OPEN, anisotropic(), 1e-8)
    series["energy, with field and anisotropy"] = drift(energy(bent) + bent.lead_energy_out.sum("lead").values)
    for name, values in series.items():
        report.check(f"leads: drift of {name}, with what left", values.max(), BOUND)
    return {"time": data.time.values, **series}


def check_damped(report: Report) -> dict[str, np.ndarray]:
    data = run(CLOSED, anisotropic(damping=[0.02, 0.05, 0.1, 0.05]), 1e-9)
    total = energy(data)
    report.check("closed, with damping: largest rise of the energy between two rows", np.diff(total).max(), BOUND)
    report.check("closed, with damping: 1 meV over the energy that was lost", 1e-3 / (total[0] - total[-1]), 1.0)
    return {"time": data.time.values, "energy": total - total[0]}


@styled
def figure(closed: dict[str, np.ndarray], opened: dict[str, np.ndarray], damped: dict[str, np.ndarray]) -> None:
    fig = new_figure(3.2)
    axes = fig.subplots(1, 3)
    for ax, series, title in ((axes[0], closed, "closed"), (axes[1], opened, "with leads")):
        names = [n for n in series if n != "time"]
        for k, name in enumerate(names):
            short = name.replace("energy, with field and anisotropy", "energy, anisotropic")
            ax.semilogy(series["time"][1:], np.maximum(series[name][1:], 1e-17), label=short, **line(k))
        ax.axhline(BOUND, color="0.4", linewidth=0.8)
        ax.annotate("bound", (0.0, BOUND), va="bottom", color="0.4", fontsize=8)
        ax.set(xlabel="time (fs)", ylim=(1e-17, 1e-3), title=title)
        ax.legend(loc="upper right", fontsize=7.5)
    axes[0].set_ylabel(r"drift ($\hbar$, eV, electrons)")
    axes[2].plot(damped["time"], damped["energy"], **line(0))
    axes[2].set(xlabel="time (fs)", ylabel="energy - start (eV)", title="closed, Gilbert damping")
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "conservation.png")


def main() -> list[Check]:
    report = Report("Conservation laws of electrons and moments together")
    figure(check_closed(report), check_open(report), check_damped(report))
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
