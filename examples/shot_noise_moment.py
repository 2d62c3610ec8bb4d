"""A moment that shot noise drives: its temperature is that of the electrons' noise: python shot_noise_moment.py.

One moment in a field, on a level between two leads without spin. Nothing in it depends on where the moment points, so
it has a temperature under bias too, noise over twice the friction; <cos> is Langevin's function of that temperature,
here sampled at kT = 5 meV. Curves in `shot_noise_moment.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln
from llgnegf.units import MU_B

KT, FIELD, COPIES = 0.005, 900.0, 100
"""eV, T, independent copies."""
BIASES = np.array([0.0, 0.1, 0.2, 0.4, 0.7, 1.0])


def system(bias: float) -> ln.OpenSystem:
    leads = [ln.WideBandLead(0, 1.0, chemical_potential=mu) for mu in (bias / 2, -bias / 2)]
    return ln.OpenSystem(ln.chain(1, j_sd=1.0), leads, kT=KT)


def temperature(bias: float) -> float:
    """Effective kT in eV."""
    tensors = ln.ResponseTensors(system(bias), [[0.0, 0.0, 1.0]])
    return float(tensors.noise[0, 0, 0, 0] / (2 * tensors.friction[0, 0, 0, 0]))


def sampled(bias: float, seed: int) -> np.ndarray:
    """Mean <cos> of each copy."""
    magnet = ln.Magnet([[0.6, 0.0, 0.8]], 1.0, energies=ln.Zeeman([0, 0, FIELD]))
    run = ln.langevin_ensemble(
        system(bias), magnet, temperature=KT, t_end=160.0, step=0.4, save_every=4.0, copies=COPIES, seed=seed, rtol=1e-3
    )
    return np.asarray(run.moments[20:, :, 0, 2].mean(axis=0))


def main() -> None:
    fine = np.linspace(0, 1.0, 60)
    effective = np.array([temperature(bias) for bias in fine])
    means = np.array([sampled(bias, seed) for seed, bias in enumerate(BIASES)])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    left.plot(fine, 1e3 * effective, "C0", label="noise / 2 friction")
    left.plot(fine, 1e3 * fine / 4, "k:", label="$eV/4$, a small bias at $T = 0$")
    left.set(xlabel="bias (V)", ylabel="effective $k_BT$ (meV)")
    x = MU_B * FIELD / effective
    right.plot(fine, 1 / np.tanh(x) - 1 / x, "C0", label="Langevin's function of it")
    errors = means.std(axis=1, ddof=1) / COPIES**0.5
    right.errorbar(BIASES, means.mean(axis=1), errors, fmt="C3.", capsize=3, label="sampled")
    right.set(xlabel="bias (V)", ylabel=r"$\langle\cos\theta\rangle$")
    for axes in (left, right):
        axes.legend(frameon=False)
    plt.savefig("shot_noise_moment.png", dpi=120)


if __name__ == "__main__":
    main()
