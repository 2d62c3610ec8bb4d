"""Eq. (4), the geometric torque on one moment in the wide-band limit: `python -m validation.equation_4`.

    T_geo = (hbar w/2 pi) [pi - 2 arctan(Gamma'/J)] sin(theta) e_phi,     Sigma = -i Gamma', E_F = 0, kT = 0.

1. sympy derives it from G_0 = [E + J sigma.M + i Gamma']^-1; its integral over energies is done once more by numbers.
2. The geometric part of `RotatingFrame` with two wide-band leads is Eq. (4) within the tolerance asked for.
3. At kT > 0, g(E) the torque for each energy (Sommerfeld):
       T(kT) - T(0) = (pi^2/6) kT^2 g'(0) + (7 pi^4/360) kT^4 g'''(0) + O(kT^6):     slope 2, then slope 4.
4. Of the exact torque at any w, the part filled with the common Fermi function has in the rotating frame the field
   B = J M + (hbar w/2) z and Sigma = -i Gamma', hence s = (2/pi) arctan(B/Gamma') B/|B| and along e_phi
       T = (hbar w/pi) J arctan(B/Gamma')/B sin(theta),     Eq. (4) for B -> J;
   the rest, spins up filled to -hbar w/2 and down to +hbar w/2, is an integral over this window. Beyond the surface
   part of first order both differ from Eq. (4) by a relative hbar w/J: slope 1.
"""

from __future__ import annotations

import numpy as np
import sympy as sp
from scipy.integrate import quad, quad_vec

import llgnegf as ln
from llgnegf import analytic
from llgnegf.plots.style import line, new_figure, points, styled
from llgnegf.problem.electrons import PAULI
from validation._report import OUTPUT, Check, Report, run_as_script

THETA, TOLERANCE = 0.7, 1e-12
TORQUE_BOUND = 4 * TOLERANCE
"""For each eV of J: entries of rho within TOLERANCE make |s| wrong by at most 2 sqrt(3) TOLERANCE, and T = J s x M."""
COUPLINGS = (0.1, 1.0, 20.0)
RATIOS = np.array([0.01, 0.1, 0.5, 1.0, 2.0, 5.0])
"""Gamma'/J."""
TEMPERATURES = np.array([0.01, 0.014, 0.02, 0.028, 0.04])
SPEEDS = np.array([0.00125, 0.0025, 0.005, 0.01])
"""hbar w/J."""


def frame(j_sd: float, gamma_prime: float, energy: float, kT: float = 0.0) -> ln.RotatingFrame:
    """Two leads of broadening Gamma' each, so that Sigma = -i Gamma'."""
    leads = [ln.WideBandLead(0, broadening=gamma_prime)] * 2
    system = ln.OpenSystem(ln.chain(1, j_sd=j_sd), leads, kT=kT)
    return ln.RotatingFrame(system, ln.cone(1, THETA), energy, tolerance=TOLERANCE)


def torque(rho: np.ndarray, j_sd: float) -> np.ndarray:
    return ln.torque(rho, ln.cone(1, THETA), j_sd)[0]


def green(field: np.ndarray, gamma_prime: float, energy: float) -> np.ndarray:
    """[E + B.sigma + i Gamma']^-1 = (z - B.sigma)/(z^2 - B^2), z = E + i Gamma'."""
    z = energy + 1j * gamma_prime
    return (z * np.eye(2) - np.einsum("a,ast->st", field, PAULI)) / (z**2 - field @ field)


def torque_by_quadrature(j_sd: float, gamma_prime: float) -> float:
    """T_geo.e_phi/(hbar w) from s_a = (1/pi) int^0 dE Im Tr[sigma_a G_0 (sigma_z/2) G_0]."""
    moment = ln.cone(1, THETA)[0]

    def per_energy(energy: float) -> float:
        g = green(j_sd * moment, gamma_prime, energy)
        spin = np.einsum("ast,ts->a", PAULI, g @ PAULI[2] @ g).imag / (2 * np.pi)
        return float(j_sd * np.cross(spin, moment)[1])

    near = [quad(per_energy, a, b, epsabs=1e-13, limit=400)[0] for a, b in ((-2 * j_sd, -j_sd), (-j_sd, 0.0))]
    return quad(per_energy, -np.inf, -2 * j_sd, epsabs=1e-13, limit=400)[0] + sum(near)


def exact_torque(j_sd: float, gamma_prime: float, energy: float) -> np.ndarray:
    """The whole torque of the steady precession from the formulas in the head of this file, 4."""
    moment = ln.cone(1, THETA)[0]
    field = j_sd * moment + [0.0, 0.0, energy / 2]
    size = float(np.linalg.norm(field))
    common = 2 / np.pi * np.arctan(size / gamma_prime) * field / size

    def window(e: float, projector: np.ndarray) -> np.ndarray:
        g = green(field, gamma_prime, e)
        return np.einsum("ast,ts->a", PAULI, g @ projector @ g.conj().T).real * gamma_prime / np.pi

    up, down = 0.5 * (np.eye(2) + PAULI[2]), 0.5 * (np.eye(2) - PAULI[2])
    lost = quad_vec(lambda e: window(e, up), -energy / 2, 0.0, epsabs=1e-14)[0]
    gained = quad_vec(lambda e: window(e, down), 0.0, energy / 2, epsabs=1e-14)[0]
    return j_sd * np.cross(common + gained - lost, moment)


def slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def check_derivation(report: Report) -> None:
    """sympy has confirmed each step if `derive_geometric_torque` returns."""
    derived = analytic.derive_geometric_torque()
    j, g, w, theta = analytic.J, analytic.GAMMA, analytic.OMEGA, analytic.THETA
    equation_4 = w / (2 * sp.pi) * (sp.pi - 2 * sp.atan(g / j)) * sp.sin(theta)
    half = w * sp.sin(theta) / 2
    limits = analytic.limits()
    differences = {
        "torque minus Eq. (4)": derived.torque - equation_4,
        "components along M and M x e_phi": sp.Abs(derived.other_components[0]) + sp.Abs(derived.other_components[1]),
        "closed system, Gamma' to 0, minus hbar w sin(theta)/2": limits["closed"] - half,
        "J to infinity, minus hbar w sin(theta)/2": limits["strong_coupling"] - half,
        "Gamma' to infinity": limits["strongly_open"],
    }
    for name, difference in differences.items():
        report.check(f"sympy: {name}, 1 unless it is 0 by simplification", float(sp.simplify(difference) != 0), 0.0)


def check_wide_band(report: Report) -> dict[float, np.ndarray]:
    """Quadrature and the rotating frame against Eq. (4) for many J and Gamma'; torques over hbar w."""
    energy, found = 1e-3, {}
    for j_sd in COUPLINGS:
        expected = [analytic.geometric_torque_wide_band(j_sd, r * j_sd, 1.0, THETA) for r in RATIOS]
        numbers = [torque_by_quadrature(j_sd, r * j_sd) for r in RATIOS]
        off = np.abs(np.subtract(numbers, expected)).max()
        report.check(f"J = {j_sd:g}: quadrature of the definition against Eq. (4), asked for 1e-13 a piece", off, 1e-12)
        parts = [frame(j_sd, r * j_sd, energy).decompose() for r in RATIOS]
        torques = np.array([torque(p.geometric, j_sd) for p in parts])
        error = torques - np.outer(np.multiply(energy, expected), [0.0, 1.0, 0.0])
        report.check(f"J = {j_sd:g}: rotating frame, all components, error/J", np.abs(error).max() / j_sd, TORQUE_BOUND)
        report.check(f"J = {j_sd:g}: wide band has no sea part", max(np.abs(p.sea).max() for p in parts), 0.0)
        found[j_sd] = torques[:, 1] / energy
    return found


def check_temperature(report: Report) -> tuple[np.ndarray, np.ndarray]:
    """What kT adds, and what it adds beyond the first term of Sommerfeld's expansion; hbar w = 1."""
    j_sd, gamma_prime = 1.0, 0.3
    values = {analytic.J: j_sd, analytic.GAMMA: gamma_prime, analytic.OMEGA: 1, analytic.THETA: THETA}
    integrand = analytic.derive_geometric_torque().integrand
    at_zero = values | {analytic.ENERGY: 0}
    first, third, fifth = (float(sp.diff(integrand, analytic.ENERGY, k).subs(at_zero)) for k in (1, 3, 5))
    eq_4 = analytic.geometric_torque_wide_band(j_sd, gamma_prime, 1.0, THETA)
    found = [torque(frame(j_sd, gamma_prime, 1.0, kT).decompose().geometric, j_sd)[1] for kT in TEMPERATURES]
    change = np.array(found) - eq_4
    beyond = change - np.pi**2 / 6 * TEMPERATURES**2 * first
    measured = slope(TEMPERATURES, np.abs(change))
    report.check(f"kT: slope of the difference to Eq. (4) is 2 ({measured:.3f})", abs(measured - 2), 0.05)
    measured = slope(TEMPERATURES, np.abs(beyond))
    report.check(f"kT: slope of what Sommerfeld's first term leaves is 4 ({measured:.3f})", abs(measured - 4), 0.05)
    second = 7 * np.pi**4 / 360 * TEMPERATURES**4 * third
    next_term = 31 * np.pi**6 / 15120 * TEMPERATURES**6 * fifth
    # An asymptotic series far from its smallest term: the next one is all but what is left.
    off = np.abs(beyond - second) / np.abs(next_term)
    report.check("kT: what Sommerfeld's first two terms leave over the third term, largest", off.max(), 2.0)
    return np.abs(change), np.abs(beyond)


def check_speed(report: Report) -> np.ndarray:
    """The exact torque against its closed form, and its approach to Eq. (4)."""
    j_sd, gamma_prime = 1.0, 0.3
    relative = []
    for energy in SPEEDS * j_sd:
        turning = frame(j_sd, gamma_prime, energy)
        beside_surface = turning.density_matrix() - turning.decompose().surface
        expected = analytic.geometric_torque_wide_band(j_sd, gamma_prime, energy, THETA)
        relative.append(abs(torque(beside_surface, j_sd)[1] / expected - 1))
    for j, energy in ((1.0, 0.01), (1.0, 1.0), (20.0, 0.001), (20.0, 5.0), (0.1, 0.3)):
        off = torque(frame(j, 0.3 * j, energy).density_matrix(), j) - exact_torque(j, 0.3 * j, energy)
        name = f"J = {j:g}, hbar w = {energy:g}: exact torque against its closed form, error/J"
        report.check(name, np.abs(off).max() / j, TORQUE_BOUND)
    measured = slope(SPEEDS, np.array(relative))
    report.check(f"hbar w/J: slope of (exact - surface)/Eq. (4) - 1 is 1 ({measured:.3f})", abs(measured - 1), 0.05)
    return np.array(relative)


@styled
def figure(found: dict[float, np.ndarray], thermal: tuple[np.ndarray, np.ndarray], relative: np.ndarray) -> None:
    fig = new_figure(3.2, width=10.0)
    left, middle, right = fig.subplots(1, 3)
    r = np.geomspace(RATIOS[0] / 2, 2 * RATIOS[-1], 200)
    left.semilogx(r, 0.5 - np.arctan(r) / np.pi, label="Eq. (4)", **line(6, lw=1, linestyle="-"))
    for k, (j_sd, torques) in enumerate(found.items()):
        name = rf"$J_{{sd}}$ = {j_sd:g} eV"
        sizes = {"markersize": 8 - 2.5 * k}
        left.semilogx(RATIOS, torques / np.sin(THETA), label=name, **points(k, linestyle="none", **sizes))
    left.set(xlabel=r"$\Gamma'/J_{sd}$", ylabel=r"$T_\mathrm{geo}/\hbar\omega\,\sin\theta$", title="kT = 0")
    left.set_ylim(0, 0.55)
    left.legend(loc="lower left")
    for k, (values, order, name) in enumerate(((thermal[0], 2, "to Eq. (4)"), (thermal[1], 4, r"beyond $kT^2$ term"))):
        middle.loglog(TEMPERATURES, values, label=name, **points(k, linestyle="none"))
        middle.loglog(TEMPERATURES, values[0] * (TEMPERATURES / TEMPERATURES[0]) ** order, **line(k))
    middle.set(xlabel="kT (eV)", ylabel=r"difference/$\hbar\omega$", title="lines: slopes 2 and 4")
    middle.set_xticks([0.01, 0.02, 0.04], ["0.01", "0.02", "0.04"])
    middle.set_ylim(thermal[1][0] / 3, 10 * thermal[0][-1])
    middle.legend(loc="upper left")
    right.loglog(SPEEDS, relative, **points(2, linestyle="none"))
    right.loglog(SPEEDS, relative[0] * SPEEDS / SPEEDS[0], **line(2))
    right.set(xlabel=r"$\hbar\omega/J_{sd}$", ylabel=r"(exact $-$ surface)/Eq. (4) $-$ 1", title="line: slope 1")
    right.set_xticks([0.002, 0.005, 0.01], ["0.002", "0.005", "0.01"])
    right.set_yticks([1e-3, 2e-3, 5e-3], ["0.001", "0.002", "0.005"])
    right.set_yticks([], minor=True)
    for axes in (middle, right):
        axes.set_xticks([], minor=True)
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "equation_4.png")


def main() -> list[Check]:
    report = Report("Eq. (4): one moment, wide band")
    check_derivation(report)
    figure(check_wide_band(report), check_temperature(report), check_speed(report))
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
