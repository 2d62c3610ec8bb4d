"""What a moment feels of the electrons when it turns: full run, adiabatic, friction, inertia, and the whole memory."""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import erf

import llgnegf as ln

ANGLE, NAMES = 0.01, ["adiabatic", "+ friction, geometric", "+ inertia", "memory kernel"]
SYSTEM = ln.OpenSystem(ln.chain(1, j_sd=0.5), [ln.ChainLead(0), ln.ChainLead(0)], fermi_energy=0.3, kT=0.01)


def turn(duration, t):
    """Angle, rate and acceleration of a turn from z towards x in about `duration` (fs), centred at 3 durations."""
    x = (t - 3 * duration) / (0.5 * duration)
    rate = ANGLE * np.exp(-(x**2)) / (np.sqrt(np.pi) * 0.5 * duration)
    return 0.5 * ANGLE * (1 + erf(x)), rate, -2 * x * rate / (0.5 * duration)


def compare(response, duration):
    """Times, and <s> - <s>_adiabatic over the angle, (n, 3): of the full run, and as each of NAMES has it."""

    def path(t):
        return [[np.sin(turn(duration, t)[0]), 0, np.cos(turn(duration, t)[0])]]

    end = 6 * duration + 10
    run = ln.simulate(SYSTEM, ln.Prescribed(path), t_end=end, save_every=end / 400, rtol=1e-8).dataset
    t, spin = run.time.values, run.spin_density.values[:, 0]
    angle, rate, acceleration = (x[:, None] for x in turn(duration, t))
    friction = rate * response.first_order()[0, :, 0, 0]
    inertia = friction - acceleration * response.second_order()[0, :, 0, 0]
    nodes, weights = np.polynomial.legendre.leggauss(800)
    kernel = response.memory_kernel(150 * (1 + nodes))[:, 0, :, 0, 0]
    past = turn(duration, t[:, None] - 150 * (1 + nodes))[0]
    memory = (150 * past * weights) @ kernel - angle * response.static[0, :, 0, 0]
    change = spin - spin[0, 2] * run.moments.values[:, 0]
    return t, [x / ANGLE for x in (change, 0 * spin, friction, inertia, memory)]


def main(picture="memory.png"):
    response, (figure, axes) = ln.LinearResponse(SYSTEM, [[0, 0, 1]]), plt.subplots(1, 3, figsize=(11, 3.4))
    t, curves = compare(response, 1.0)
    for name, style, curve in zip(["full run", *NAMES], ["k-", "C0:", "C1--", "C2--", "C3."], curves, strict=True):
        axes[0].plot(t, curve[:, 0], style, label=name, markevery=6)
    durations, runs = 2.0 ** np.arange(-1, 6), (compare(response, 2.0**k)[1] for k in range(-1, 6))
    errors = [[np.abs(x - full)[:, :2].max() for x in others] for full, *others in runs]
    axes[1].loglog(durations, errors, "o-", ms=3, label=NAMES)
    axes[2].plot(t, response.memory_kernel(t)[:, 0, :2, 0, 0], label=["along the turn", "across"])
    axes[0].set(title="spins along a turn within 1 fs", xlabel="time (fs)", ylabel="(<s> - <s>_ad)/angle")
    axes[1].set(title="largest error", xlabel="duration of the turn (fs)", ylabel="of <s>/angle", ylim=(1e-10, 1))
    axes[2].set(title="memory kernel", xlabel="t (fs)", ylabel="K(t) (1/fs)")
    [axis.legend(fontsize=7) for axis in axes]
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    for duration, row in zip(durations, errors, strict=True):
        print(f"{duration:5.1f} fs", *(f"{error:.1e}" for error in row))


if __name__ == "__main__":
    main()
