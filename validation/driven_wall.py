"""A wall driven by a bias voltage and a wall driven by a field, electrons attached: `python -m validation.driven_wall`.

A Neel wall, +z on its left, in 20 sites between two chain leads; its ends are ferromagnetic contacts, four
moments each that a strong anisotropy holds along +-z. The exchange, the anisotropies along z and fields along z
keep the z component of the angular momentum, and there is no Gilbert damping, so all that changes S_z of the
moments is spin from the electrons:

    (hbar/2) sum <sigma_z> - (mu/g) sum M_z + (spin that left through the leads)_z = const.

A wall that moves by dq changes sum M_z by 2 dq: it can move only as far as spin comes in or goes out.

Bias. Electrons in the contact on their way in have spin +hbar P/2 along J_sd M; behind the wall they have -hbar
P/2. For electrons that flow to the right, +z to -z, J_sd > 0, the spin lost to the moments is +hbar P, and
since the spin of a moment is opposite to it, sum M_z falls: the wall moves against the flow for J_sd > 0, and
with it for J_sd < 0.

Field. Without electrons a wall without damping precesses and stays where it is. With electrons the precession
pumps spin into the leads, and the domain along B grows.

The mirror image of a run, sites reversed and turned by pi about the wall's own moment, is the run with opposite
bias or field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import llgnegf as ln
from llgnegf.plots.style import line, new_figure, styled
from llgnegf.units import G_E
from validation._report import OUTPUT, Check, Report, run_as_script

N_SITES, WIDTH, K, K_END, N_MU, J_SD = 20, 2.0, 0.02, 0.1, 1.0, 0.6
"""Sites; lattice constants; eV; eV; mu_B; eV."""
BIAS, FIELD, RAMP, UNTIL, RTOL = 0.4, 150.0, 10.0, 60.0, 1e-6
"""eV; T; fs; fs; -."""
BALANCE, LEAST = 1e-9, 0.1
"""Bound of the balance (hbar); a way (sites) far above what rtol lets through."""


@dataclass(frozen=True)
class Run:
    """A wall over time: position (sites), M_z (time, site), defect of the balance (hbar), electrons left to right."""

    time: np.ndarray
    position: np.ndarray
    m_z: np.ndarray
    balance: np.ndarray
    passed: np.ndarray

    @property
    def moved(self) -> float:
        return float(self.position[-1] - self.position[0])


def system(bias: float = 0.0, j_sd: float = J_SD) -> ln.OpenSystem:
    """The left lead at +bias/2, switched on smoothly. E_F = -1.5 eV is near the bottom of the minority band."""
    voltages = [ln.Ramp(0.0, sign * bias / 2, 0.0, RAMP) for sign in (1, -1)]
    leads = [ln.ChainLead(site, voltage=v) for site, v in zip((0, -1), voltages, strict=True)]
    return ln.OpenSystem(ln.chain(N_SITES, 1.0, j_sd), leads, fermi_energy=-1.5, kT=0.05)


def magnet(texture: np.ndarray, field: float = 0.0) -> ln.Magnet:
    anisotropy = np.full(N_SITES, K)
    anisotropy[:4] = anisotropy[-4:] = K_END
    energies = [ln.Exchange(2 * K * WIDTH**2), ln.UniaxialAnisotropy(anisotropy, "z")]
    if field:
        energies.append(ln.Zeeman(ln.Ramp([0.0, 0.0, 0.0], [0.0, 0.0, field], 0.0, RAMP)))
    return ln.Magnet(texture, magnetic_moment=N_MU, energies=energies)


def run(texture: np.ndarray, electrons: ln.OpenSystem | None, field: float = 0.0) -> Run:
    data = ln.simulate(electrons, magnet(texture, field), t_end=UNTIL, save_every=0.5, rtol=RTOL).dataset
    m_z = data.moments.values[..., 2]
    total = data.angular_momentum.values[:, 2]
    passed = np.zeros(len(m_z))
    if electrons is not None:
        total = total + data.lead_spin_out.sum("lead").values[:, 2]
        passed = 0.5 * (data.lead_charge_out.values[:, 1] - data.lead_charge_out.values[:, 0])
    return Run(data.time.values, (m_z.sum(axis=1) + N_SITES) / 2, m_z, total - total[0], passed)


def check_pair(report: Report, name: str, plus: Run, minus: Run, direction: int) -> None:
    """Two runs with opposite drive; `direction` is the sign of the motion of the first."""
    for sign, wall in ((1, plus), (-1, minus)):
        moved = sign * direction * wall.moved
        towards = "+-"[sign * direction < 0]
        report.check(f"{name}, drive {sign:+d}: the wall moves to {towards}x, minus its way in sites", -moved, -LEAST)
        drift = np.abs(wall.balance).max()
        report.check(f"{name}, drive {sign:+d}: S_z of device and what left, drift in hbar", drift, BALANCE)
    # both runs meet rtol in each moment, and the position is half the sum over all of them
    sum_of_both = abs(plus.moved + minus.moved)
    report.check(f"{name}: motion is opposite for the opposite drive, sites", sum_of_both, N_SITES * RTOL)


def check_bias(report: Report, walls: dict[str, Run]) -> None:
    plus, minus, reversed_coupling = walls["+V"], walls["-V"], walls["+V, J < 0"]
    check_pair(report, "bias", plus, minus, -1)
    report.check("bias, J_sd < 0: with the flow instead, minus its way", -reversed_coupling.moved, -LEAST)
    report.check("bias, J_sd < 0: S_z drift in hbar", np.abs(reversed_coupling.balance).max(), BALANCE)
    for name, wall in walls.items():
        handed = 2 * N_MU / G_E * abs(wall.moved) / abs(wall.passed[-1])
        report.note(f"bias {name}: {handed:.2f} hbar to the moments for each electron that passed")


@styled
def figure(bias: dict[str, Run], field: dict[str, Run]) -> None:
    fig = new_figure(3.1)
    left, middle, right = fig.subplots(1, 3)
    for axes, walls, title in ((left, bias, f"bias {BIAS:g} V"), (middle, field, f"field {FIELD:g} T")):
        for k, (name, wall) in enumerate(walls.items()):
            axes.plot(wall.time, wall.position - wall.position[0], label=name, **line(k))
        axes.set(xlabel="time (fs)", title=title)
        axes.margins(y=0.6)
        axes.legend(loc="upper left")
    left.set_ylabel("way of the wall (sites)")
    wall = bias["+V"]
    extent = (0, wall.time[-1], 0.5, N_SITES + 0.5)
    image = right.imshow(
        wall.m_z.T, origin="lower", aspect="auto", cmap="RdBu", vmin=-1, vmax=1, extent=extent, interpolation="nearest"
    )
    right.grid(False)
    right.set_yticks([1, 5, 10, 15, 20])
    right.set(xlabel="time (fs)", ylabel="site", title="bias +V, $M_z$")
    fig.colorbar(image, ax=right, ticks=[-1, 0, 1])
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "driven_wall.png")


def main() -> list[Check]:
    report = Report("Walls driven by a bias and by a field, with electrons, no Gilbert damping")
    start = ln.relax(system(), magnet(ln.neel_wall(N_SITES, (N_SITES + 1) / 2, WIDTH))).moments
    other = ln.relax(system(j_sd=-J_SD), magnet(ln.neel_wall(N_SITES, (N_SITES + 1) / 2, WIDTH))).moments
    bias = {
        "+V": run(start, system(BIAS)), "-V": run(start, system(-BIAS)), "+V, J < 0": run(other, system(BIAS, -J_SD)),
    }  # fmt: skip
    check_bias(report, bias)
    field = {
        "+B": run(start, system(), FIELD), "-B": run(start, system(), -FIELD),
        "+B, no electrons": run(start, None, FIELD),
    }  # fmt: skip
    check_pair(report, "field", field["+B"], field["-B"], 1)
    report.check("field without electrons: way of the wall, sites", abs(field["+B, no electrons"].moved), 1e-9)
    figure(bias, field)
    report.all_hold()
    return report.checks


if __name__ == "__main__":
    run_as_script(main)
