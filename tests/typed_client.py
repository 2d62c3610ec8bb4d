"""A program that uses llgnegf as a typed library, not a test: `.ci/run` has `mypy --strict` read it beside the
installed wheel, and runs it. An expected complaint that does not come is an error too: nothing has become `Any`.
"""

from typing import assert_type

import numpy as np

import llgnegf as ln


def system() -> ln.OpenSystem:
    electrons = ln.chain(n_sites=2, hopping=1.0, j_sd=0.2)
    assert_type(electrons, ln.Electrons)
    leads = [ln.ChainLead(site=0, coupling=1.0), ln.WideBandLead(-1, 0.3)]
    return ln.OpenSystem(electrons, leads, fermi_energy=0.1, kT=0.05)


def largest_torque(open_system: ln.OpenSystem, motion: ln.Frozen | ln.Precession | ln.Magnet) -> float:
    result = ln.simulate(open_system, motion, t_end=2.0, save_every=1.0, rtol=1e-4, progress=False)
    assert_type(result, ln.Result)
    assert_type(result.statistics["right_hand_sides"], float)
    assert_type(result.errors["time_step"].value, float)
    return float(np.abs(result.dataset.torque).max())


def main() -> None:
    wall = ln.bloch_wall(n_sites=2, center=1.5, width=0.5)
    electrons, motion = system(), ln.Precession(wall, energy=0.05, axis="z")
    parts = ln.RotatingFrame(electrons, wall, energy=0.05, axis="z").decompose()
    assert_type(parts, ln.Decomposition)
    magnet = ln.Magnet(wall, magnetic_moment=1.0, energies=[ln.Exchange(0.1), ln.Zeeman([0, 0, 1.0])])
    assert_type(ln.relax(electrons, magnet), ln.Magnet)
    print(ln.torque(parts.geometric, wall, j_sd=0.2).shape, largest_torque(electrons, motion))


def misuse() -> None:
    """Never called: what the types refuse."""
    ln.relax(system())  # type: ignore[call-arg]
    ln.simulate(system(), "a motion", t_end=1.0)  # type: ignore[arg-type]
    magnet = ln.Magnet(ln.uniform(2), magnetic_moment=1.0)
    ln.simulate(system(), magnet, rtol=1e-4)  # type: ignore[call-arg]
    ln.simulate(system(), magnet, t_end=1.0, rtoll=1e-4)  # type: ignore[call-arg]
    ln.simulate(system(), magnet, t_end=1.0, step="adaptive")  # type: ignore[arg-type]
    ln.ensemble(None, magnet, realisations=4)  # type: ignore[call-arg]
    ln.Simulation(system(), magnet, save_every=1.0)  # type: ignore[call-arg]
    ln.Simulation(system(), magnet, t_end=1.0, electrons="adiabatic")  # type: ignore[call-arg]
    ln.SlowSimulation(system(), magnet, t_end=1.0, start="steady")  # type: ignore[call-arg]
    ln.TwoTime(system(), magnet, sites=[0])  # type: ignore[call-arg]
    ln.OpenSystem(system(), [])  # type: ignore[arg-type]
    system().chemical_potental  # type: ignore[attr-defined]  # noqa: B018
    ln.RotatingFrme  # type: ignore[attr-defined]  # noqa: B018


if __name__ == "__main__":
    main()
