"""The input file: [run], [sweep] and the document as a whole. Keys are the names of the Python arguments.

Field types and units are made in `fields`; which values and combinations are accepted is settled in `build`.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from llgnegf.config.fields import Allowed, ListOf, MatrixEntry, Table
from llgnegf.config.moment_tables import EnergyTable, MagnetTable, MotionTable, TextureTable, TorqueTable
from llgnegf.config.system_tables import ElectronsTable, LeadTable, SystemTable
from llgnegf.run.options import ELECTRONS, INTEGRATORS, LONGEST_RUN, STARTS

SCHEMA_VERSION = 1
NEVER = math.nextafter(LONGEST_RUN, 0.0)
"""Stands for a t_end that cannot be read: no other time is beyond it, and nobody writes this one."""


def _one_of(*names: str) -> Allowed:
    return Allowed(", ".join(repr(name) for name in names[:-1]) + f" or {names[-1]!r}" if names[1:] else repr(names[0]))


class RunTable(Table):
    """[run]: how long, how accurately, and what is kept (`llgnegf.simulate`).

    electrons = "adiabatic" is one order beyond the adiabatic torque; response = [] leaves that torque alone.
    """

    t_end: Annotated[float, Field(gt=0), Allowed("a finite number > 0", "fs")]
    save_every: Annotated[float, Allowed("a finite number > 0 and <= t_end", "fs")] = 1.0
    rtol: Annotated[float, Allowed("1e-12 <= rtol <= 1e-2")] = 1e-6
    start: Annotated[
        Literal["thermal", "steady", "partitioned"] | None, _one_of(*STARTS)
    ] = None
    initial_density_matrix: Annotated[
        Annotated[tuple[MatrixEntry, ...], ListOf] | None,
        Allowed("a list of [row, column, real, imaginary], row <= column, each pair once, counted 2 site + spin"),
    ] = None
    integrator: Annotated[Literal["auto", "dop853", "rk4", "ark5"], _one_of(*INTEGRATORS)] = "auto"
    step: Annotated[float | None, Allowed("a finite number > 0 (left out: adaptive steps)", "fs")] = None
    observables: Annotated[tuple[Literal["adiabatic"], ...], ListOf, Allowed("a list of 'adiabatic'")] = ()
    checkpoint_every: Annotated[float, Field(gt=0), Allowed("a finite number > 0", "s of the clock on the wall")] = 5.0
    electrons: Annotated[Literal["full", "adiabatic"] | None, _one_of(*ELECTRONS)] = None
    response: Annotated[
        tuple[Literal["geometric", "friction"], ...], ListOf, Allowed("a list of 'geometric' and 'friction'")
    ] = ("geometric", "friction")
    temperature: Annotated[float, Field(ge=0), Allowed("a finite number >= 0: kT of the moments' noise", "eV")] = 0.0
    seed: Annotated[Annotated[int, Field(ge=0)] | None, Allowed("an integer >= 0, for runs with random numbers")] = None


class SweepTable(Table):
    """[sweep]: the values that keys of this file take; `parameters` goes from dotted paths to lists of values.

    "lead.0.coupling" moves one lead, "lead.*.coupling" all leads together; so does * in any other list.
    mode = "grid" runs every combination, "list" the first values together, then the second ones, and so on.
    """

    mode: Annotated[Literal["grid", "list"], _one_of("grid", "list")] = "grid"
    workers: Annotated[
        Annotated[int, Field(ge=1)] | None, Allowed("an integer >= 1 (left out: one for each core)")
    ] = None
    parameters: Annotated[
        dict[str, Annotated[tuple[Any, ...], Field(min_length=1), ListOf]],
        Field(min_length=1),
        Allowed('dotted paths such as "electrons.j_sd" or "lead.*.coupling", each with a list of values'),
    ]


def _no_other_one(value: Any) -> Any:
    """1 itself: true and 1.0 are equal to it for Python."""
    if type(value) is not int:
        raise ValueError
    return value


class Document(Table):
    """The whole file, before anything that concerns more than one key is checked."""

    schema_version: Annotated[Literal[1], BeforeValidator(_no_other_one), Allowed("1")]
    run: RunTable
    electrons: ElectronsTable | None = None
    lead: Annotated[tuple[LeadTable, ...], ListOf] = ()
    system: SystemTable | None = None
    texture: TextureTable
    motion: MotionTable | None = None
    magnet: MagnetTable | None = None
    energy: Annotated[tuple[EnergyTable, ...], ListOf] = ()
    torque: Annotated[tuple[TorqueTable, ...], ListOf] = ()
    sweep: SweepTable | None = None
