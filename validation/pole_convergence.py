"""Each of the three errors of a run alone, as rtol goes from 1e-3 to 1e-8: lead poles, Fermi poles, time step.
Run `python -m validation.pole_convergence` (about a minute on one core).

Three sites of a driven, biased chain, one error switched on at a time with the other two far below it. Reference:
lead poles 1.5e-10, Fermi poles 1e-11, local error 1e-11. `simulate` chooses the poles and gives every error its share
of rtol (see `llgnegf.run.error_budget`); the sum must stay within rtol, and the error budget must not lie too low.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from validation._report import OUTPUT, Report, run_as_script

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from propagation import run, unit_vectors

from llgnegf import ChainLead, OpenSystem, chain
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.integrators.integration import runge_kutta
from llgnegf.integrators.tableaus import DOP853
from llgnegf.plots.style import new_figure, points, styled
from llgnegf.poles.channels import PoleSystem, expand
from llgnegf.problem.magnetism.motion import Precession
from llgnegf.run.error_budget import expand_for_run
from llgnegf.run.shares import step_tolerance
from llgnegf.static.start import thermal
from llgnegf.units import HBAR

END = 30.0
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
FINE_LEADS, FINE_FERMI, FINE_STEP = 1.5e-10, 1e-11, 1e-11


def problem() -> tuple[OpenSystem, Precession]:
    """Three random moments that turn fast, under a voltage wave."""
    rng = np.random.default_rng(1)
    leads = [
        ChainLead(site=0, coupling=0.8, voltage=lambda t: 0.3 * np.sin(0.2 * t / HBAR) ** 2), ChainLead(site=-1)
    ]  # fmt: skip
    system = OpenSystem(chain(3, 1.0, [1.0, -0.6, 0.8]), leads, 0.2, 0.05)
    return system, Precession(unit_vectors(rng, 3), 0.3, axis=[1, 0, 1])


def finest() -> PoleSystem:
    """The poles of the reference."""
    system, _ = problem()
    return expand(system, FINE_LEADS, FINE_FERMI, voltages=np.array([[0.0, 0.3], [0.0, 0.0]]))


def density_matrix(poles: PoleSystem, local: float) -> tuple[np.ndarray, int]:
    """rho(END), and the number of right-hand sides."""
    _, motion = problem()
    equation = ElectronEquation(poles, motion)
    b = thermal(poles, motion.moments(0.0))
    state = equation.layout.pack(b.density_matrix, b.device_mode, b.mode_block, b.vectors, np.zeros((0, 3)))
    integration = runge_kutta(equation, DOP853, state, 0.05, local)
    integration.advance(END)
    return equation.layout.density_matrix(integration.state), equation.evaluations


def alone(rtol: float) -> dict[str, tuple[np.ndarray, int]]:
    """rho(END) with one error of a run at a time, and the number of modes, Fermi poles, right-hand sides."""
    system, motion = problem()
    fine, chosen = finest(), expand_for_run(system, motion, "thermal", END * HBAR, rtol)[0]
    assert chosen.fermi is not None
    leads = density_matrix(replace(fine, channels=chosen.channels), FINE_STEP)[0]
    fermi = density_matrix(replace(fine, fermi=chosen.fermi, spectral_range=chosen.spectral_range), FINE_STEP)[0]
    return {
        "lead poles": (leads, chosen.channels[0].energies.size),
        "Fermi poles": (fermi, chosen.fermi.eta.size),
        "time step": density_matrix(fine, step_tolerance(rtol, END * HBAR)),
    }


@styled
def figure(errors: dict[str, list[float]]) -> None:
    """The three errors and their sum in a run against rtol."""
    fig = new_figure(3.6, width=5.0)
    ax = fig.subplots()
    for k, (name, values) in enumerate(errors.items()):
        ax.loglog(TOLERANCES, values, label=name, **points(k))
    ax.loglog(TOLERANCES, TOLERANCES, color="0.4", linewidth=0.8, label="rtol")
    ax.set(xlabel="rtol", ylabel="largest error of the density matrix")
    ax.legend()
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "pole_convergence.png")


def main() -> bool:
    report = Report(f"Lead poles, Fermi poles and time step one by one, t = {END:g} hbar/eV")
    exact = density_matrix(finest(), FINE_STEP)[0]
    errors: dict[str, list[float]] = {"lead poles": [], "Fermi poles": [], "time step": [], "run": []}
    for rtol in TOLERANCES:
        for name, (rho, count) in alone(rtol).items():
            errors[name].append(np.abs(rho - exact).max())
            report.check(f"rtol = {rtol:g}: {name} alone ({count})", errors[name][-1], rtol)
        system, motion = problem()
        got = run(system, motion, t_end=END, save_every=END, rtol=rtol)
        errors["run"].append(np.abs(got.density_matrices[-1] - exact).max())
        report.check(f"rtol = {rtol:g}: the whole run", errors["run"][-1], rtol)
        budget = sum(e.value for e in got.errors.values())
        report.check(f"rtol = {rtol:g}: error of the run over the sum of its budget", errors["run"][-1] / budget, 1.0)
    figure(errors)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
