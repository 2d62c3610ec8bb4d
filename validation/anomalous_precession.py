"""One moment with a closed electron system turns faster than Larmor: `python -m validation.anomalous_precession`.

Gapped electrons that follow the moment carry the spin S M, S = sum_i <sigma_i>.M. In a steady precession their
geometric torque is exactly what turns this spin, since nothing else does,

    sum_i T_geo,i = (hbar/2) S dM/dt,

so that L dM/dt = -mu M x B + (hbar/2) S dM/dt with L = mu/g: the moment turns with the angular momentum L -
hbar S/2,

    w_geo = mu B/(L - hbar S/2) = g B/(1 - g_e S/(2 n))      for n Bohr magnetons.

This is first order in hbar w over the gap; the next order is relative, -(hbar S/2) c hbar w, hence w_geo - w
goes as w^2. On a single site the steady precession is exact at any speed. The spin S is along J M + (hbar w/2)
z, and
    L - hbar J S/|2 J M + hbar w z| = mu B/w,    |2 J M + hbar w z| = 2 J sqrt(1 + 2 e cos(theta) + e^2), e = hbar w/2J.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

import llgnegf as ln
from llgnegf.plots.style import line, new_figure, points, styled
from llgnegf.units import G_E, GYROMAGNETIC_RATIO, HBAR
from validation._report import OUTPUT, Check, Report, run_as_script

THETA, RTOL = 1.1, 1e-9
FIELDS = np.array([10.0, 20.0, 40.0, 80.0])
"""Tesla; hbar w over the gap is 0.002 to 0.03."""
ONE_SITE = ln.OpenSystem(ln.chain(1, 1.0, 0.5), [], fermi_energy=0.0, kT=0.01)
"""S = tanh(J/2kT) = 1 to 1e-21: one electron, gap 2 J = 1 eV."""
MOLECULE = ln.OpenSystem(ln.chain(3, 1.0, [0.8, 0.0, 0.0]), [], fermi_energy=0.15, kT=0.005)
"""Three sites, the moment on the first of them."""
SPIN_OF_MOMENT = {"one site": 3.0, "three sites": 3.0}
"""Size of the moment in Bohr magnetons."""


def moments(system: ln.OpenSystem, theta: float = THETA) -> np.ndarray:
    """The moment of site 0 on the cone; those of sites without sd coupling are parallel to it."""
    return ln.cone(system.n_sites, theta)


def total_torque(rho: np.ndarray, system: ln.OpenSystem) -> np.ndarray:
    return ln.torque(rho, moments(system), system.electrons.j_sd).sum(axis=0)


def spin(system: ln.OpenSystem) -> float:
    """S, the spin along M of the electrons in equilibrium."""
    rho = ln.RotatingFrame(system, moments(system), 0.0).density_matrix()
    return float(ln.spin_density(rho).sum(axis=0) @ moments(system)[0])


def geometric_frequency(n: float, system: ln.OpenSystem, B: np.ndarray | float) -> np.ndarray | float:
    """w_geo in rad/fs."""
    return GYROMAGNETIC_RATIO * B / (1 - G_E * spin(system) / (2 * n))


def exact_frequency(n: float, system: ln.OpenSystem, B: float) -> float:
    """w of the steady precession, L w sin(theta) = mu B sin(theta) + T_FL(w), T of the exact rotating frame."""

    def mismatch(w: float) -> float:
        rho = ln.RotatingFrame(system, moments(system), HBAR * w).density_matrix()
        along = total_torque(rho, system)[1]  # dM/dt is along +y at azimuth 0
        return HBAR * n / G_E * (w - GYROMAGNETIC_RATIO * B) - along / np.sin(THETA)

    guess = geometric_frequency(n, system, B)
    return float(brentq(mismatch, 0.5 * guess, 1.5 * guess, xtol=1e-15, rtol=1e-14))


def one_site_frequency(n: float, B: float) -> float:
    """The same from the formula of one site in the head of this file, S = 1."""
    J = float(ONE_SITE.electrons.j_sd[0])

    def mismatch(w: float) -> float:
        field = 2 * J * moments(ONE_SITE)[0] + [0.0, 0.0, HBAR * w]
        return (n / G_E - J / np.linalg.norm(field)) * w - n / G_E * GYROMAGNETIC_RATIO * B

    return float(brentq(mismatch, 0.0, 0.5, xtol=1e-16))


def run(
    n: float, system: ln.OpenSystem | None, B: object, t_end: float, rho: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Times (fs) and moment 0 of the full run, rho(0) given or thermal; without a system of a moment alone."""
    texture = moments(system or ONE_SITE)
    others = range(1, len(texture))  # not coupled to the electrons
    magnet = ln.Magnet(texture, magnetic_moment=n, energies=[ln.Zeeman(B)], pinned=list(others))
    start = {"start": "partitioned", "initial_density_matrix": rho} if rho is not None else {}
    data = ln.simulate(system, magnet, t_end=t_end, save_every=t_end / 200, rtol=RTOL, **start).dataset
    return data.time.values, data.moments.values[:, 0]


def azimuth(m: np.ndarray) -> np.ndarray:
    return np.unwrap(np.arctan2(m[:, 1], m[:, 0]))


def turning(n: float, system: ln.OpenSystem, B: float) -> tuple[float, float]:
    """w of a run over one Larmor turn that starts in the exact steady state, and how far M leaves its cone."""
    w = exact_frequency(n, system, B)
    rho = ln.RotatingFrame(system, moments(system), HBAR * w).density_matrix()
    times, m = run(n, system, [0.0, 0.0, B], 2 * np.pi / (GYROMAGNETIC_RATIO * B), rho)
    return float(azimuth(m)[-1] / times[-1]), float(np.abs(m[:, 2] - np.cos(THETA)).max())


def check_system(report: Report, name: str, system: ln.OpenSystem) -> dict[str, np.ndarray]:
    n = SPIN_OF_MOMENT[name]
    w0 = 1e-3
    parts = ln.RotatingFrame(system, moments(system), w0).decompose()
    velocity = w0 / HBAR * np.cross([0, 0, 1], moments(system)[0])
    identity = total_torque(parts.geometric, system) - 0.5 * HBAR * spin(system) * velocity
    report.check(f"{name}: geometric torque = (hbar/2) S dM/dt, relative", np.linalg.norm(identity) / w0, 1e-9)
    measured, exact, cone = [], [], []
    for B in FIELDS:
        w, off = turning(n, system, B)
        measured.append(w)
        exact.append(exact_frequency(n, system, B))
        cone.append(off)
    w, larmor = np.array(measured), GYROMAGNETIC_RATIO * FIELDS
    formula = geometric_frequency(n, system, FIELDS)
    report.check(f"{name}: Larmor frequency over measured one, largest (1: not faster)", (larmor / w).max(), 0.99)
    # a turn is 2 pi long, so an error rtol in M is rtol/(2 pi sin theta) in the frequency; a run adds up its steps
    report.check(f"{name}: frequency of the run against the exact steady precession", np.abs(w / exact - 1).max(), 1e-7)
    report.check(f"{name}: M_z of the run leaves the cone by", max(cone), 1e-7)
    remainder = np.abs(1 - w / formula)
    slope = np.polyfit(np.log(formula), np.log(remainder), 1)[0]
    report.check(f"{name}: slope of the relative remainder of w_geo against w is 1 ({slope:.3f})", abs(slope - 1), 0.1)
    report.note(f"{name}: S = {spin(system):.6f}, w/Larmor = {w[0] / larmor[0]:.5f} .. {w[-1] / larmor[-1]:.5f}, "
                f"w_geo/Larmor = {formula[0] / larmor[0]:.5f}")  # fmt: skip
    return {"w": w, "larmor": larmor, "formula": formula, "remainder": remainder}


def check_switched_field(report: Report) -> dict[str, np.ndarray]:
    """From thermal equilibrium, the field switched on smoothly: what an experiment does."""
    n, B, ramp = SPIN_OF_MOMENT["one site"], 80.0, 60.0
    drive = ln.Ramp([0.0, 0.0, 0.0], [0.0, 0.0, B], 0.0, ramp)
    times, m = run(n, ONE_SITE, drive, 500.0, None)
    late = times >= ramp
    phase = azimuth(m)
    w = float(np.polyfit(times[late], phase[late], 1)[0])
    formula = float(geometric_frequency(n, ONE_SITE, B))
    gap = 2 * float(ONE_SITE.electrons.j_sd[0])
    off = abs(w / formula - 1)
    report.check("switched field: w against w_geo, relative (next order: hbar w/gap)", off, HBAR * w / gap)
    without = run(n, None, drive, 500.0, None)[1]
    straight = phase[late][0] + formula * (times - ramp)
    return {"times": times, "phase": phase, "without": azimuth(without), "formula": straight}


@styled
def figure(series: dict[str, dict[str, np.ndarray]], switched: dict[str, np.ndarray]) -> None:
    fig = new_figure(3.0)
    left, middle, right = fig.subplots(1, 3)
    left.plot(switched["times"], switched["phase"], label="with electrons", **line(0))
    left.plot(switched["times"], switched["without"], label="without", **line(1))
    late = switched["times"] >= 60
    left.plot(switched["times"][late], switched["formula"][late], label=r"slope $\omega_\mathrm{geo}$", **line(6, lw=1))
    left.set(xlabel="time (fs)", ylabel="azimuth (rad)", title="80 T switched on in 60 fs")
    left.legend()
    for k, (name, s) in enumerate(series.items()):
        middle.plot(FIELDS, s["w"] / s["larmor"], label=name, **points(k, linestyle="none"))
        middle.plot(FIELDS, s["formula"] / s["larmor"], **line(k))
        right.loglog(HBAR * 1e3 * s["w"], s["remainder"], label=name, **points(k))
    middle.axhline(1.0, color="0.4", lw=1)
    middle.annotate("Larmor", (FIELDS[-1], 1.0), ha="right", va="bottom", color="0.4")
    middle.set(xlabel="field (T)", ylabel=r"$\omega/gB$", title=r"run (points), $\omega_\mathrm{geo}$ (lines)")
    middle.set_ylim(0.95, None)
    guide = HBAR * 1e3 * series["one site"]["w"]
    right.loglog(guide, 0.5 * series["one site"]["remainder"][0] * guide / guide[0], color="0.4", lw=1, label="slope 1")
    right.set(xlabel=r"$\hbar\omega$ (meV)", ylabel=r"$|1-\omega/\omega_\mathrm{geo}|$", title="remainder")
    right.set_xticks([2, 5, 10], ["2", "5", "10"])
    right.set_xticks([], minor=True)
    right.set_yticks([3e-4, 1e-3, 3e-3], ["$3\\cdot 10^{-4}$", "$10^{-3}$", "$3\\cdot 10^{-3}$"])
    right.set_yticks([], minor=True)
    right.legend(loc="upper left")
    middle.legend()
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "anomalous_precession.png")


def main() -> list[Check]:
    report = Report("Anomalous precession of one moment with a closed electron system")
    series = {"one site": check_system(report, "one site", ONE_SITE)}
    n = SPIN_OF_MOMENT["one site"]
    formula = [one_site_frequency(n, B) for B in FIELDS]
    off = np.abs(series["one site"]["w"] / formula - 1).max()
    report.check("one site: frequency of the run against the formula of one site", off, 1e-7)
    series["three sites"] = check_system(report, "three sites", MOLECULE)
    figure(series, check_switched_field(report))
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
