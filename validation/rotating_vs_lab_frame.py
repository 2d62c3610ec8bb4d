"""The paper's own case: the open wall that turns at hbar w = 0.001 eV, lab frame against rotating frame.
Run `python -m validation.rotating_vs_lab_frame [J_sd ...]` (default 0.1 1 20; about a minute in all).

Moments are switched on smoothly over 1000 hbar/gamma from equilibrium, then turn for a period 2 pi/w. In the frame
that turns with them the nonadiabatic torque, torque minus that of the instant's equilibrium, must be at rest and equal
to the exact one of `RotatingFrame` minus its adiabatic part, field-like and damping-like apart, on every site.
"""

from __future__ import annotations

import sys
from time import perf_counter

import numpy as np

import llgnegf as ln
from llgnegf.plots.style import legend_above, line, new_figure, points, styled
from llgnegf.poles.channels import with_pole_leads
from llgnegf.problem.magnetism.motion import Precession
from llgnegf.run.simulate import simulate
from llgnegf.units import HBAR
from validation._report import OUTPUT, Report, run_as_script

W, KT, RAMP, RTOL = 0.001, 0.01, 1000.0, 1e-6
PERIOD = 2 * np.pi / W
Z = np.array([0.0, 0.0, 1.0])


def exact_torque(system: ln.OpenSystem, wall: np.ndarray, j_sd: float) -> np.ndarray:
    """Torque of rho_RF minus its adiabatic part at t = 0, (7, 3), eV."""
    frame = ln.RotatingFrame(system, wall, W, tolerance=1e-10)
    moving = ln.spin_density(frame.density_matrix()) - ln.spin_density(frame.decompose().adiabatic)
    return j_sd * np.cross(moving, wall)


def components(torque: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """(field-like, damping-like) of every site, (..., 7, 2), in eV."""
    parts = ln.field_like_damping_like(torque, moments, np.cross(Z, moments))
    return np.stack([parts.field_like, parts.damping_like], axis=-1)


def one_coupling(report: Report, j_sd: float, period: float = PERIOD) -> dict[str, np.ndarray]:
    """Run one J_sd and check it."""
    wall = ln.bloch_wall(7, 4, 0.9)
    system = ln.OpenSystem(ln.chain(7, 1.0, j_sd), [ln.ChainLead(site=0), ln.ChainLead(site=-1)], 0.0, KT)
    motion = Precession(wall, W, ramp=RAMP * HBAR)
    began = perf_counter()
    end = (RAMP + period) * HBAR
    result = simulate(system, motion, t_end=end, save_every=end / 146, rtol=RTOL, observables=("adiabatic",))
    seconds = perf_counter() - began
    data = result.dataset
    times = data.time.values / HBAR
    got = components(data.torque_nonadiabatic.values, data.moments.values)
    late = times > RAMP + 50
    name, duration = f"J_sd = {j_sd:g}", f"{period / PERIOD:g} periods"
    for leads, oracle in (("exact leads", system), ("the same pole leads", with_pole_leads(system, RTOL))):
        exact = components(exact_torque(oracle, wall, j_sd), wall)
        largest = np.abs(exact).max()
        for k, part in enumerate(("field-like", "damping-like")):
            error = np.abs(got[late][..., k] - exact[:, k]).max() / largest
            report.check(f"{name}: {part} torque, all sites, {duration}, against {leads}, relative", error, 0.01)
    assert result.density_matrix is not None
    occupations = np.linalg.eigvalsh(result.density_matrix)
    report.check(f"{name}: occupations outside [0, 1]", max(-occupations[0], occupations[-1] - 1), 1e-8)
    per_time = result.statistics["right_hand_sides"] / times[-1]
    report.check(f"{name}: right-hand sides per hbar/gamma", per_time, 30 if j_sd <= 1 else 1000)
    report.note(f"{name}: {seconds:.0f} s for {times[-1]:.0f} hbar/gamma, {dict(result.statistics)}")
    report.note(f"{name}: largest torque {largest:.4g} eV")
    report.note(f"{name}: budget { {k: float(v.value) for k, v in result.errors.items()} }")
    return {"times": times, "got": got, "exact": exact}


@styled
def figure(series: dict[float, dict[str, np.ndarray]]) -> None:
    """Torque components of each site against time, one panel for each J_sd and component."""
    fig = new_figure(5.2, width=max(7.0, 3.3 * len(series)))
    panels = fig.subplots(2, len(series), squeeze=False, sharex="col")
    for column, (j_sd, s) in enumerate(series.items()):
        for k, part in enumerate(("field-like", "damping-like")):
            ax = panels[k, column]
            for site, value in enumerate(s["exact"][:, k]):
                ax.plot(s["times"], 1e6 * s["got"][:, site, k], label=f"site {site + 1}", **line(site))
                ax.plot(s["times"][-1:], 1e6 * value, **points(site, linestyle="none", clip_on=False))
            ax.set(title=f"$J_{{sd}}$ = {j_sd:g} eV, {part}", ylabel="torque (\N{GREEK SMALL LETTER MU}eV)")
        panels[1, column].set_xlabel(r"t ($\hbar$/eV)")
    legend_above(fig, panels[0, 0])
    fig.supxlabel("lines: lab-frame run; markers at the end: exact steady state in the rotating frame", fontsize=8)
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "rotating_vs_lab_frame.png")


def main() -> bool:
    couplings = [float(a) for a in sys.argv[1:]] or [0.1, 1.0, 20.0]
    report = Report(f"Lab frame against rotating frame, hbar w = {W} eV, kT = {KT} eV, rtol = {RTOL}")
    # 20 eV costs some ten times more for each unit of time: a twentieth of a period there.
    series = {j: one_coupling(report, j, PERIOD if j <= 1 else 0.05 * PERIOD) for j in couplings}
    figure(series)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
