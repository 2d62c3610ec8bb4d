"""Moments with noise out of equilibrium: `python -m validation.bias_noise` (five minutes on one core).

- The drift that comes with noise that is not 2 kT times the friction, by brute force: one moment with tensors that
  depend on where it points is given a small mass m, m dv/dt = F - (Q + Gamma) v + b, and stepped with its velocity on
  the sphere. Means of M_z, extrapolated from m and m/2 to none, against those of `integrators.heun`, and without S.
- One moment under bias between leads without spin samples exp(-H/T_eff), T_eff = noise/(2 friction).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import llgnegf as ln
from llgnegf.equations.slow import SlowEquation
from llgnegf.integrators.heun import Heun, Noise, rotate
from llgnegf.response.fast_tensors import Adiabatic, Tensors
from llgnegf.units import MU_B
from validation._report import Check, Report, run_as_script

COPIES, FIELD = 2500, np.array([0.004, 0.0, 0.008])
"""Copies of the moment; energy -FIELD.M in eV."""
START = np.array([np.sqrt(0.75), 0.0, 0.5])


@dataclass(frozen=True, eq=False)
class Invented:
    """Friction, geometric tensor and noise of one moment that depend on where it points, of no equilibrium."""

    j_sd: np.ndarray

    def adiabatic(self, moments: np.ndarray, geometric: bool) -> Adiabatic:
        return Adiabatic(moments, np.zeros_like(moments), np.zeros(moments.shape[:2]))

    def tensors(
        self, rest: Adiabatic, friction: bool, geometric: bool, speed: float | None = None, noise: bool = False
    ) -> Tensors:
        m = rest.moments[:, 0]
        z, across = m[:, 2, None, None], np.cross(m, [0.6, 0.0, 0.8])
        squared = across[:, :, None] * across[:, None, :]
        turn = 0.1 * z * np.cross(m[:, None, :], np.eye(3)).swapaxes(1, 2)
        correlator = 0.004 * (2 - z) * np.eye(3) + 0.002 * squared
        return Tensors(0.2 * (1 + 0.8 * z) * np.eye(3) + 0.1 * squared, turn, correlator if noise else None)

    def grand_potential(self, moments: np.ndarray) -> float:
        return float("nan")


def equation() -> SlowEquation:
    magnet = ln.Magnet([[0.0, 0.0, 1.0]], 0.5, 0.05, ln.Zeeman(FIELD / (0.5 * MU_B)))
    return SlowEquation(magnet, Invented(np.ones(1)), noisy=True)


def mean_and_error(samples: list[np.ndarray]) -> tuple[float, float]:
    means = np.mean(samples, axis=0)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(means.size))


def without_mass(drift: bool, step: float = 0.1, t_end: float = 120.0) -> tuple[float, float]:
    """<M_z> by Heun's rotation."""
    noise = Noise(equation(), 0.01, 1)
    if not drift:
        noise._has_drift = False
    heun, state, samples = Heun(noise), np.tile(START, COPIES), []
    out = np.empty_like(state)
    for k in range(round(t_end / step)):
        heun.forget(k)
        heun.step(k * step, state, step, out)
        state, out = out, state
        if k * step > 0.5 * t_end:
            samples.append(state.reshape(-1, 3)[:, 2].copy())
    return mean_and_error(samples)


def with_mass(mass: float, t_end: float = 120.0, seed: int = 2) -> tuple[float, float]:
    """<M_z> of moments of a mass (eV fs^2): the velocity by the midpoint rule, then a turn that carries it along."""
    own, rng = equation(), np.random.default_rng(seed)
    step = 0.15 * mass  # friction and the rest of A are a few tenths of an eV fs
    m, v = np.tile(START, (COPIES, 1)), np.zeros((COPIES, 3))
    gilbert = own.magnet.damping[0] / own.magnet.prefactor[0]
    samples, one = [], np.eye(3)
    for k in range(round(t_end / step)):
        found = own.electrons.tensors(own.electrons.adiabatic(m[:, None], True), True, True, noise=True)  # type: ignore[union-attr]
        across = np.cross(m[:, None, :], one).swapaxes(1, 2)
        drag = across / own.precession[0] + gilbert * one + found.friction + found.geometric
        values, vectors = np.linalg.eigh(found.noise + 0.02 * gilbert * one)
        kick = np.einsum("bij,bj,bkj,bk->bi", vectors, np.sqrt(values), vectors, rng.standard_normal(m.shape))
        normal = one - m[:, :, None] * m[:, None, :]
        drag = normal @ drag @ normal * (0.5 * step / mass)
        push = step / mass * FIELD + np.sqrt(step) / mass * kick
        right = v - np.einsum("bij,bj->bi", drag, v) + np.einsum("bij,bj->bi", normal, push)
        v = np.linalg.solve(one + drag, right[..., None])[..., 0]
        turn = step * np.cross(m, v)
        length = np.linalg.norm(v, axis=1, keepdims=True)
        m, v = rotate(turn, m), rotate(turn, v / length) * length
        v -= np.sum(v * m, axis=1, keepdims=True) * m
        if k * step > 0.5 * t_end and k % 10 == 0:
            samples.append(m[:, 2].copy())
    return mean_and_error(samples)


def check_drift(report: Report) -> None:
    (heavy, error), (light, error_2) = with_mass(0.4), with_mass(0.2, seed=3)
    limit, spread = 2 * light - heavy, float(np.hypot(2 * error_2, error))
    own, own_error = without_mass(True)
    plain, _ = without_mass(False)
    spread = float(np.hypot(spread, own_error))
    report.note(f"<M_z> with a mass of 0.4 eV fs^2 {heavy:.4f}, 0.2 {light:.4f}, none {limit:.4f} +- {spread:.4f}")
    report.note(f"<M_z> without mass {own:.4f} +- {own_error:.4f}, without S {plain:.4f}")
    report.check("no mass against small mass, in standard errors", abs(limit - own) / spread, 3.0)
    report.check("standard error over what S does to the mean", spread / abs(plain - own), 0.2)


def check_temperature(report: Report) -> None:
    """<cos theta> at biases and temperatures of Gilbert's damping; both kinds of noise. The step has an error of first
    order: 3 % of <cos theta> at 0.4 fs, in equilibrium at the same temperature too."""
    for seed, (bias, damping, temperature) in enumerate([(0.1, 0.0, 0.0), (0.3, 0.0, 0.0), (0.3, 0.3, 0.01)]):
        widths = {1.2: bias / 2, 0.5: -bias / 2}
        leads = [ln.WideBandLead(0, width, chemical_potential=mu) for width, mu in widths.items()]
        system = ln.OpenSystem(ln.chain(1, j_sd=1.0), leads, kT=0.005)
        magnet = ln.Magnet([[0.6, 0.0, 0.8]], 1.0, damping, ln.Zeeman([0, 0, 900.0]))
        tensors = ln.ResponseTensors(system, magnet.moments)
        normal = np.array([0.0, 1.0, 0.0])
        friction, noise = (normal @ tensor[0, :, 0] @ normal for tensor in (tensors.friction, tensors.noise))
        gilbert = damping / magnet.prefactor[0]
        x = MU_B * 900.0 * 2 * (friction + gilbert) / (noise + 2 * temperature * gilbert)
        run = ln.langevin_ensemble(
            system, magnet, temperature=temperature, t_end=100.0, step=0.1, save_every=4.0, copies=400, seed=seed,
            rtol=1e-3,
        )  # fmt: skip
        mean, error = mean_and_error(list(run.moments[10:, :, 0, 2]))
        expected = 1 / np.tanh(x) - 1 / x
        what = f"bias {bias} eV, damping {damping} at kT = {temperature} eV: <cos> {mean:.4f}, expected {expected:.4f}"
        report.check(f"{what}, in standard errors of {error:.4f}", abs(mean - expected) / error, 3.0)


def main() -> list[Check]:
    report = Report("Noise of electrons under bias")
    check_temperature(report)
    check_drift(report)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
