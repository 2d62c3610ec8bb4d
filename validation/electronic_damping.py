"""One moment between leads relaxes without a Gilbert term, by its electrons: `python -m validation.electronic_damping`.

For slow motion the nonadiabatic torque on one moment between unpolarised leads is, by rotation symmetry,

    T = A dM/dt + D M x dM/dt,      A = T_FL/|dM/dt|,  D = T_DL/|dM/dt|   of `RotatingFrame.decompose()`,

A from the geometric and sea parts and D from the Fermi surface alone. With L = mu/g and B along z the LLG
equation reads L dM/dt = -mu M x B + A dM/dt + D M x dM/dt, that of a moment of angular momentum L - A with the
damping

    lambda = D/(L - A):     d theta/dt = -lambda sin(theta) d phi/dt,     artanh(M_z) = artanh(M_z(0)) + lambda phi,

    d phi/dt = mu B/[(L - A)(1 + lambda^2)].

Terms of the next order in d/dt are relative corrections of order hbar w over the electrons' energies (0.5 eV
here), so measured/predicted - 1 goes to zero with w, with slope 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import llgnegf as ln
from llgnegf.plots.style import line, new_figure, points, styled
from llgnegf.units import G_E, HBAR, MU_B
from validation._report import OUTPUT, Check, Report, run_as_script

N_MU, J_SD, COUPLING, RTOL = 2.0, 0.5, 0.5, 1e-6
START, FIRST, LAST = 1.30, 1.20, 0.90
"""Cone angle (rad) at the start, and where the measurement begins and ends: the field is full by then."""
FIELDS = np.array([25.0, 50.0, 100.0, 200.0])
"""Tesla; hbar w is 3 to 27 meV."""
SYSTEM = ln.OpenSystem(ln.chain(1, 1.0, J_SD), 2 * [ln.ChainLead(0, COUPLING)], fermi_energy=0.3, kT=0.025)


@dataclass(frozen=True)
class Prediction:
    """A and D (eV fs) of the slow torque, and what follows from them."""

    field_like: float
    damping_like: float

    @property
    def angular_momentum(self) -> float:
        return HBAR * N_MU / G_E - self.field_like

    @property
    def damping(self) -> float:
        return self.damping_like / self.angular_momentum

    def frequency(self, B: np.ndarray) -> np.ndarray:
        """d phi/dt in rad/fs."""
        return MU_B * N_MU * B / (self.angular_momentum * (1 + self.damping**2))


def predict(report: Report) -> Prediction:
    """The coefficients from the parts of the rotating frame, which must not depend on the cone angle."""
    coefficients, surface_only = [], 0.0
    for theta in (0.5, FIRST, 2.0):
        energy = 1e-3
        frame = ln.RotatingFrame(SYSTEM, ln.cone(1, theta), energy, tolerance=1e-12)
        parts, speed = frame.decompose(), np.linalg.norm(frame.velocity)
        split = {}
        for name in ("geometric", "sea", "surface"):
            torque = ln.torque(getattr(parts, name), frame.texture, J_SD)
            components = ln.field_like_damping_like(torque, frame.texture, frame.velocity)
            split[name] = (components.field_like[0] / speed, components.damping_like[0] / speed)
        total = np.sum(list(split.values()), axis=0)
        surface_only = max(surface_only, abs(total[1] - split["surface"][1]) / abs(total[1]))
        coefficients.append(total)
    spread = np.ptp(coefficients, axis=0).max() / np.abs(coefficients).max()
    report.check("A and D are the same at three cone angles, relative", spread, 1e-8)
    report.check("damping-like torque beyond that of the Fermi surface, relative", surface_only, 1e-8)
    return Prediction(*coefficients[1])


def run(B: float, prediction: Prediction) -> dict[str, np.ndarray]:
    """The coupled run, thermal start, the field switched on smoothly, until the cone has closed past `LAST`."""
    climb = np.arctanh(np.cos(LAST - 0.05)) - np.arctanh(np.cos(START))
    ramp = 3000.0 / B  # the same angle is turned during it
    t_end = ramp + climb / (prediction.damping * prediction.frequency(np.array(B)))
    field = ln.Ramp([0.0, 0.0, 0.0], [0.0, 0.0, B], 0.0, ramp)
    magnet = ln.Magnet(ln.cone(1, START), magnetic_moment=N_MU, energies=[ln.Zeeman(field)])
    data = ln.simulate(SYSTEM, magnet, t_end=float(t_end), save_every=float(t_end) / 800, rtol=RTOL).dataset
    m = data.moments.values[:, 0]
    return {"time": data.time.values, "m": m, "phase": np.unwrap(np.arctan2(m[:, 1], m[:, 0]))}


def measure(series: dict[str, np.ndarray]) -> tuple[float, float]:
    """lambda from d artanh(M_z)/d phi, and d phi/dt, between the angles FIRST and LAST."""
    theta = np.arccos(series["m"][:, 2])
    inside = (theta < FIRST) & (theta > LAST)
    phase, time = series["phase"][inside], series["time"][inside]
    damping = np.polyfit(phase, np.arctanh(series["m"][inside, 2]), 1)[0]
    return float(damping), float(np.polyfit(time, phase, 1)[0])


@styled
def figure(runs: list[dict[str, np.ndarray]], prediction: Prediction, ratios: np.ndarray) -> None:
    fig = new_figure(3.0)
    left, right = fig.subplots(1, 2)
    for k, (B, s) in enumerate(zip(FIELDS, runs, strict=True)):
        left.plot(s["phase"], s["m"][:, 2], label=f"{B:g} T", **line(k))
    phase = np.linspace(0, max(s["phase"].max() for s in runs), 100)
    predicted = np.tanh(np.arctanh(np.cos(START)) + prediction.damping * phase)
    left.plot(phase, predicted, label="surface torque", **line(6, linewidth=1))
    left.set(xlabel="azimuth (rad)", ylabel="$M_z$", title="relaxation without a Gilbert term")
    left.legend()
    w = 1e3 * HBAR * prediction.frequency(FIELDS)
    for k, name in enumerate((r"$\lambda$", r"$d\phi/dt$")):
        right.loglog(w, np.abs(ratios[:, k] - 1), label=name, **points(k))
    right.loglog(w, 0.5 * abs(ratios[0, 0] - 1) * w / w[0], color="0.4", linewidth=1, label="slope 1")
    right.set(xlabel=r"$\hbar\omega$ (meV)", ylabel="|measured/predicted - 1|", title="next order")
    right.set_xticks([5, 10, 20], ["5", "10", "20"])
    right.set_xticks([], minor=True)
    right.legend()
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "electronic_damping.png")


def main() -> list[Check]:
    report = Report("Relaxation of one moment by its electrons")
    prediction = predict(report)
    runs = [run(B, prediction) for B in FIELDS]
    measured = np.array([measure(s) for s in runs])
    frequency = prediction.frequency(FIELDS)
    ratios = measured / np.stack([np.full(FIELDS.size, prediction.damping), frequency], axis=1)
    energy = HBAR * frequency
    for k, name in enumerate(("damping", "frequency")):
        remainder = np.abs(ratios[:, k] - 1)
        # 0.5 eV: sd coupling and half the width of the level, which is 2 gamma_c^2/gamma at the centre of the band
        largest = (0.5 * remainder / energy).max()
        report.check(f"{name}: |measured/predicted - 1| in units of hbar w/0.5 eV, largest", largest, 1.0)
        slope = np.polyfit(np.log(energy), np.log(remainder), 1)[0]
        report.check(f"{name}: slope of the remainder against w is 1 ({slope:.3f})", abs(slope - 1), 0.1)
    report.note(f"lambda = {prediction.damping:.5f}, (L - A)/L = {prediction.angular_momentum * G_E / HBAR / N_MU:.5f}")
    report.note(f"measured/predicted (lambda, dphi/dt): {np.array2string(ratios, precision=5)}".replace("\n", " "))
    figure(runs, prediction, ratios)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
