"""Fifteen fixed runs of every kind, for comparing two versions of the package with each other.

`python -m validation.fixed_runs FILE` writes the columns of every run to FILE (npz); `python -m validation.fixed_runs
FILE --compare OTHER` also compares them with those of another version, which wrote OTHER with its own copy of the
package: every column has to agree to 10 rtol of its largest value (at least 1), the two runs' own errors included, the
free energy up to a constant. Only public names are used, so that any version runs it. Without FILE it is
`fixed_runs.npz` in validation/output.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from time import process_time

import numpy as np

import llgnegf as ln
from validation._report import OUTPUT

RTOL = 1e-6
LEADS = [ln.ChainLead(0), ln.ChainLead(-1)]


def _wall_magnet(n_sites: int, **options: object) -> ln.Magnet:
    energies = [ln.Exchange(0.05), ln.UniaxialAnisotropy(0.01, "x"), ln.DMI(0.01, "y"), ln.Zeeman((0.0, 0.0, 20.0))]
    arguments = {"damping": 0.02, "magnetic_moment": 1.0, "energies": energies, **options}
    return ln.Magnet(ln.bloch_wall(n_sites, (n_sites + 1) / 2, 1.2), **arguments)  # type: ignore[arg-type]


def _full(system: ln.OpenSystem | None, motion: object, **options: object) -> Callable[[], ln.Result]:
    return lambda: ln.simulate(system, motion, rtol=RTOL, **options)  # type: ignore[arg-type]


def runs() -> dict[str, Callable[[], ln.Result]]:
    """Name and function of every run; all are done within seconds."""
    wire = ln.OpenSystem(ln.chain(5, j_sd=0.3), LEADS, kT=0.03)
    wide = ln.OpenSystem(ln.chain(3, j_sd=0.3), [ln.WideBandLead(0, 0.8), ln.WideBandLead(-1, 0.4)], kT=0.05)
    biased = ln.OpenSystem(
        ln.chain(4, j_sd=0.4),
        [ln.ChainLead(0, coupling=0.7, voltage=ln.Sine(0.2, 30.0)), ln.ChainLead(-1, chemical_potential=0.3)], kT=0.04,
    )  # fmt: skip
    pulse = ln.ChainLead(0, voltage=ln.Pulse(0.4, 18.0, 2.0))
    stepped = ln.OpenSystem(ln.chain(2, j_sd=0.3), [pulse, ln.ChainLead(1)], kT=0.05)
    weak = ln.OpenSystem(
        ln.chain(1, onsite=2.5), [ln.ChainLead(0, coupling=0.5), ln.ChainLead(0, coupling=0.05, hopping=3.0)], kT=0.05,
    )  # fmt: skip
    closed = ln.OpenSystem(ln.chain(3, j_sd=0.5), [], kT=0.05)
    table = ln.OpenSystem(
        ln.chain(2, j_sd=0.2),
        [ln.TabulatedLead(0, np.linspace(-3, 3, 7), [0, 0.4, 0.7, 1.0, 0.6, 0.5, 0]), ln.ChainLead(-1)], kT=0.1,
    )  # fmt: skip
    turning = ln.Precession(ln.cone(5, 0.6), energy=0.05)
    spin_torque = [ln.SlonczewskiTorque(2e-4, 1e-4, "z")]
    slow = {"t_end": 100.0, "save_every": 10.0, "electrons": "adiabatic", "step": 0.5}
    return {
        "precession": _full(wire, turning, t_end=60.0, observables=("adiabatic",)),
        "frozen steady bias": _full(biased, ln.Frozen(ln.cone(4, 0.9)), t_end=40.0, start="steady"),
        "partitioned": _full(weak, ln.Frozen(ln.uniform(1, "z")), t_end=80.0, start="partitioned"),
        "wide band": _full(wide, ln.Precession(ln.cone(3, 0.6), energy=0.1), t_end=60.0),
        "coupled wall": _full(wire, _wall_magnet(5), t_end=60.0),
        "coupled wall, steady bias": _full(biased, _wall_magnet(4), t_end=40.0, start="steady"),
        "pulse": _full(stepped, _wall_magnet(2), t_end=40.0),
        "closed": _full(closed, _wall_magnet(3, torques=spin_torque), t_end=60.0),
        "table": _full(table, ln.Frozen(ln.cone(2, 0.7)), t_end=30.0),
        "fixed step": _full(wire, turning, t_end=20.0, integrator="rk4", step=0.02),
        "slow": _full(wire, _wall_magnet(5), t_end=400.0, save_every=10.0, electrons="adiabatic"),
        "slow, fixed step": _full(wire, _wall_magnet(5), **slow),
        "Langevin": _full(wire, _wall_magnet(5), **slow, temperature=0.03, seed=3),
        "classical": _full(None, _wall_magnet(9, torques=spin_torque), t_end=400.0, save_every=10.0),
        "classical Langevin": _full(
            None, _wall_magnet(9), t_end=200.0, save_every=10.0, step=0.5, temperature=0.01, seed=5
        ),
    }


def columns_of_all() -> dict[str, np.ndarray]:
    """'run/column' -> values."""
    columns = {}
    for name, run in runs().items():
        begin = process_time()
        dataset = run().dataset
        print(f"{name:28s} {process_time() - begin:7.2f} s of CPU", file=sys.stderr)
        columns |= {f"{name}/{key}": np.asarray(dataset[key].values, dtype=float) for key in dataset.data_vars}
    return columns


def compare(new: dict[str, np.ndarray], old: dict[str, np.ndarray]) -> int:
    """Print the largest difference of every run in units of rtol; the number of runs beyond 10."""
    worst: dict[str, tuple[float, str]] = {}
    missing = sorted(set(old) - set(new))
    for key in sorted(set(old) & set(new)):
        name, column = key.split("/")
        if column == "free_energy":
            new[key], old[key] = new[key] - new[key][0], old[key] - old[key][0]
        scale = max(1.0, float(np.abs(old[key]).max(initial=0.0)))
        difference = float(np.abs(new[key] - old[key]).max(initial=0.0)) / scale / RTOL
        difference = np.inf if np.isnan(difference) else difference
        worst[name] = max(worst.get(name, (0.0, "")), (difference, column))
    for name, (difference, column) in worst.items():
        print(f"{name:28s} {difference:9.2g} rtol ({column})")
    print("\n".join(f"missing: {key}" for key in missing) or "no column missing")
    return sum(not difference <= 10 for difference, _ in worst.values()) + len(missing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", nargs="?", default=str(OUTPUT / "fixed_runs.npz"))
    parser.add_argument("--compare", metavar="OTHER")
    given = parser.parse_args()
    columns = columns_of_all()
    OUTPUT.mkdir(exist_ok=True)
    np.savez_compressed(given.file, **columns)
    if given.compare is None:
        return 0
    with np.load(given.compare) as other:
        return compare(columns, dict(other))


if __name__ == "__main__":
    sys.exit(main())
