"""llgnegf oracle FILE.toml: the rotating frame's exact answer as a labelled table, printed and saved.

Torque by part and site, lead currents; the physics is `rotating_frame`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._checks import mistakes_of
from llgnegf._files import storage_errors, write_atomic
from llgnegf._netcdf import write_dataset
from llgnegf.commands.ending import EXIT_OK, say
from llgnegf.config import ConfigError, RunConfig
from llgnegf.problem.magnetism.motion import Precession
from llgnegf.problem.observables import spin_density, torque
from llgnegf.problem.plausibility import silent
from llgnegf.problem.torque_parts import field_like_damping_like
from llgnegf.run.progress import shown
from llgnegf.static.quadrature import QuadratureError
from llgnegf.static.rotating_frame import RotatingFrame

if TYPE_CHECKING:
    import xarray

PARTS = ("adiabatic", "geometric", "sea", "surface")
COMPONENTS = ["x", "y", "z"]


def main(given: argparse.Namespace) -> int:
    """Print the table, and save it as NetCDF and CSV."""
    with shown(True, "tables") as progress:
        progress(0, 0, "rotating frame")
        dataset = oracle(RunConfig.load(given.file))
    say(*table_lines(dataset))
    folder, stem = Path(given.output or "."), Path(given.file).stem
    netcdf, csv = folder / f"{stem}_oracle.nc", folder / f"{stem}_oracle.csv"
    with storage_errors(folder, "make the folder"):
        folder.mkdir(parents=True, exist_ok=True)
    write_dataset(dataset, netcdf)
    write_atomic(csv, ["".join(f"{line}\n" for line in csv_lines(dataset)).encode()])
    say(f"\nsaved {netcdf} and {csv}")
    return EXIT_OK


def rotating_frame(config: RunConfig) -> RotatingFrame:
    """The oracle of a run with [electrons] and steady precession.

    Raises:
        ConfigError: For a run that has none, one line for each reason.
    """
    motion = config.motion
    if getattr(motion, "kind", "") != "precession":
        given = "missing" if motion is None else f"{motion.kind!r}"
        raise ConfigError([f"motion.kind: {given}; allowed: 'precession' with energy other than 0, for the oracle"])
    if motion.energy == 0:
        raise ConfigError(["motion.energy: 0.0; allowed: a number other than 0, for the oracle"])
    problem = config.build()
    assert problem.system is not None and isinstance(problem.motion, Precession)
    try:
        with silent():  # of the file was warned when it was read
            texture = problem.motion.on_electrons(problem.motion.moments(0.0), problem.system.n_sites)
            return RotatingFrame(problem.system, texture, motion.energy, axis=problem.motion.axis)
    except ValueError as error:
        raise ConfigError(config.placed(one, problem.system) for one in mistakes_of(error)) from None


def oracle(config: RunConfig) -> xarray.Dataset:
    """Torque and currents of steady precession, exact and to first order in hbar w by part, at t = 0.

    Dims: part (adiabatic, geometric, sea, surface, exact), site, component, lead. `torque` is J_sd <s> x M in eV,
    `field_like` and `damping_like` its parts along dM/dt and M x dM/dt, `lead_current` electrons/fs and
    `lead_spin_current` eV out of the device. A system whose leads are not in equilibrium with one another has no
    decomposition: part is "exact" alone.

    Raises:
        ConfigError: For a run without oracle.
    """
    frame = rotating_frame(config)
    decomposed = frame.system.in_equilibrium()
    density = {"exact": frame.density_matrix()}
    currents: dict[str, Any] = {"exact": frame.lead_currents()}
    if decomposed:
        parts, flows = frame.decompose(), frame.decompose_lead_currents()
        density = {name: getattr(parts, name) for name in PARTS} | density
        currents = {name: getattr(flows, name) for name in PARTS} | currents
    return _dataset(config, frame, density, currents)


def oracle_or_none(config: RunConfig) -> xarray.Dataset | None:
    """`oracle`, or None for a run that has none or whose integrals do not converge."""
    try:
        return oracle(config)
    except (ConfigError, QuadratureError):
        return None


def _dataset(
    config: RunConfig, frame: RotatingFrame, density: dict[str, np.ndarray], currents: dict[str, Any]
) -> xarray.Dataset:
    import xarray

    spin = np.array([spin_density(rho) for rho in density.values()])
    torques = np.array([torque(rho, frame.texture, frame.system.electrons.j_sd) for rho in density.values()])
    split = field_like_damping_like(torques, np.array([frame.texture] * len(torques)), frame.velocity)
    vector, per_site = ("part", "site", "component"), ("part", "site")
    charge = np.array([c.charge for c in currents.values()])
    flow = np.array([c.spin for c in currents.values()])
    data = {
        "moments": (("site", "component"), frame.texture, {"units": "1", "long_name": "moments at t = 0"}),
        "spin_density": (vector, spin, {"units": "1", "long_name": "spin density <sigma>"}),
        "torque": (vector, torques, {"units": "eV", "long_name": "torque J_sd <s> x M"}),
        "field_like": (per_site, split.field_like, {"units": "eV", "long_name": "torque along dM/dt"}),
        "damping_like": (per_site, split.damping_like, {"units": "eV", "long_name": "torque along M x dM/dt"}),
        "lead_current": (("part", "lead"), charge, {"units": "1/fs", "long_name": "electrons into the lead"}),
        "lead_spin_current": (
            ("part", "lead", "component"), flow, {"units": "eV", "long_name": "spin current into the lead"},
        ),
    }  # fmt: skip
    sites, leads = np.arange(frame.system.n_sites), np.arange(len(frame.system.leads))
    coords = {"part": list(density), "site": sites, "component": COMPONENTS, "lead": leads}
    return xarray.Dataset(data, coords=coords, attrs={"title": "llgnegf oracle", "input": config.to_toml()})


def table_lines(dataset: xarray.Dataset) -> list[str]:
    """The torque (field-like FL, damping-like DL) of each part and site, and the lead currents, as text."""
    parts = [str(p) for p in dataset["part"].values]
    lines = ["torque in eV (FL: along dM/dt, DL: along M x dM/dt)"]
    lines.append("     " + "".join(f"{part:>22}" for part in parts))
    lines.append("site " + f"{'FL':>11}{'DL':>11}" * len(parts))
    for i in dataset["site"].values:
        row = dataset.sel(site=i)
        cells = zip(row["field_like"].values, row["damping_like"].values, strict=True)
        lines.append(f"{i:4d} " + "".join(f"{fl:11.3e}{dl:11.3e}" for fl, dl in cells))
    if dataset.sizes["lead"]:
        lines += ["", "currents out of the device (charge in electrons/fs; spin x, y, z in eV)"]
        lines.append("lead part      " + "".join(f"{name:>14}" for name in ("charge", "spin x", "spin y", "spin z")))
    for lead in dataset["lead"].values:
        for part in parts:
            here = dataset.sel(lead=lead, part=part)
            numbers = [float(here["lead_current"]), *here["lead_spin_current"].values]
            lines.append(f"{lead:4d} {part:10}" + "".join(f"{x:14.5e}" for x in numbers))
    return lines


def csv_lines(dataset: xarray.Dataset) -> list[str]:
    """All numbers of the table, one a line: quantity, part, site or lead, component, value, unit."""
    lines = ["quantity,part,place,component,value,unit"]
    for name in ("field_like", "damping_like", "torque", "lead_current", "lead_spin_current"):
        variable = dataset[name]
        for index in np.ndindex(variable.shape):
            place = dict(zip(variable.dims, index, strict=True))
            labels = {str(d): str(dataset[d].values[k]) for d, k in place.items()}
            where = labels.get("site", labels.get("lead", ""))
            value = float(variable.values[index])
            lines.append(f"{name},{labels['part']},{where},{labels.get('component', '')},{value!r},{variable.units}")
    return lines
