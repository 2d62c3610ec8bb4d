"""[texture], [motion], [magnet], [[energy]] and [[torque]] of the input file. Keys are the names of the arguments.

Part of `schema`; the objects that the tables build say what the keys mean.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field as Range
from pydantic import Tag

from llgnegf._checks import MOST_SITES
from llgnegf.config.drive_tables import Driven
from llgnegf.config.fields import (
    NUMBER,
    PER_SITE,
    Allowed,
    Axis,
    Electronvolt,
    Femtosecond,
    Integers,
    ListOf,
    Numbers,
    OwnTable,
    PerBondElectronvolt,
    PerSiteElectronvolt,
    Radian,
    Table,
    Vector,
    Vectors,
    by_kind,
)


class BuiltTextureTable(Table):
    """Textures made for a number of sites, which is that of the electrons when left out."""

    n_sites: Annotated[
        Annotated[int, Range(ge=1, le=MOST_SITES)] | None,
        Allowed(f"an integer from 1 to {MOST_SITES} (left out: that of the electrons)"),
    ] = None


LatticeConstant = Annotated[float, Allowed(NUMBER, "lattice constants")]


class BlochWallTable(BuiltTextureTable):
    """[texture], kind = "bloch_wall": `llgnegf.bloch_wall`."""

    kind: Literal["bloch_wall"]
    center: LatticeConstant
    width: LatticeConstant


class NeelWallTable(BuiltTextureTable):
    """[texture], kind = "neel_wall": `llgnegf.neel_wall`."""

    kind: Literal["neel_wall"]
    center: LatticeConstant
    width: LatticeConstant


class UniformTable(BuiltTextureTable):
    """[texture], kind = "uniform": `llgnegf.uniform`."""

    kind: Literal["uniform"]
    direction: Axis = "z"


class ConeTable(BuiltTextureTable):
    """[texture], kind = "cone": `llgnegf.cone`."""

    kind: Literal["cone"]
    angle: Radian
    azimuth: Annotated[float | Numbers, Allowed(PER_SITE, "rad")] = 0.0
    axis: Axis = "z"


class ListTable(Table):
    """[texture], kind = "list": the moments themselves."""

    kind: Literal["list"]
    moments: Annotated[Vectors, Allowed("a list of unit vectors [x, y, z], one for each site")]


TextureTable = Annotated[
    Annotated[BlochWallTable, Tag("<bloch_wall>")]
    | Annotated[NeelWallTable, Tag("<neel_wall>")]
    | Annotated[UniformTable, Tag("<uniform>")]
    | Annotated[ConeTable, Tag("<cone>")]
    | Annotated[ListTable, Tag("<list>")],
    by_kind(("bloch_wall", "neel_wall", "uniform", "cone", "list")),
]


class FrozenTable(Table):
    """[motion], kind = "frozen": `llgnegf.Frozen`."""

    kind: Literal["frozen"]


class PrecessionTable(Table):
    """[motion], kind = "precession": `llgnegf.Precession`."""

    kind: Literal["precession"]
    energy: Electronvolt
    axis: Axis = "z"
    ramp: Femtosecond = 0.0


MotionTable = Annotated[
    Annotated[FrozenTable, Tag("<frozen>")] | Annotated[PrecessionTable, Tag("<precession>")],
    by_kind(("frozen", "precession")),
]


class MagnetTable(Table):
    """[magnet]: `llgnegf.Magnet`, with the terms of [[energy]] and [[torque]]."""

    magnetic_moment: Annotated[float | Numbers, Allowed(PER_SITE, "mu_B")]
    damping: Annotated[float | Numbers, Allowed(PER_SITE)] = 0.0
    pinned: Annotated[Integers, Allowed("a list of different site numbers")] = ()


class ExchangeTable(Table):
    """[[energy]], kind = "exchange": `llgnegf.Exchange`."""

    kind: Literal["exchange"]
    J: PerBondElectronvolt


Pair = Annotated[tuple[int, int, float], ListOf]


class PairExchangeTable(Table):
    """[[energy]], kind = "pair_exchange": `llgnegf.PairExchange`."""

    kind: Literal["pair_exchange"]
    pairs: Annotated[tuple[Pair, ...], ListOf, Allowed("a list of [site, other site, J], each pair once", "eV")]


class UniaxialAnisotropyTable(Table):
    """[[energy]], kind = "uniaxial_anisotropy": `llgnegf.UniaxialAnisotropy`."""

    kind: Literal["uniaxial_anisotropy"]
    K: PerSiteElectronvolt
    axis: Annotated[
        str | Vector | Vectors, Allowed("'x', 'y', 'z' or a non-zero vector of 3 finite numbers, or one for each site")
    ]


class CubicAnisotropyTable(Table):
    """[[energy]], kind = "cubic_anisotropy": `llgnegf.CubicAnisotropy`."""

    kind: Literal["cubic_anisotropy"]
    K1: PerSiteElectronvolt
    axes: Annotated[Vectors | None, Allowed("three orthonormal vectors")] = None


class DMITable(Table):
    """[[energy]], kind = "dmi": `llgnegf.DMI`."""

    kind: Literal["dmi"]
    D: Annotated[
        float | Numbers | Vectors,
        Allowed("a vector of 3 finite numbers or one for each bond; with axis a number or one for each bond", "eV"),
    ]
    axis: Axis | None = None


class DipolarTable(Table):
    """[[energy]], kind = "dipolar": `llgnegf.Dipolar`."""

    kind: Literal["dipolar"]
    spacing: Annotated[float, Allowed(NUMBER, "angstrom")]
    direction: Axis


Field = Annotated[Vector | Vectors, Allowed("a vector of 3 finite numbers, or one for each site", "T")]


class ZeemanTable(Table):
    """[[energy]], kind = "zeeman": `llgnegf.Zeeman`."""

    kind: Literal["zeeman"]
    B: Annotated[Any, Driven(Field)]


EnergyTable = Annotated[
    Annotated[ExchangeTable, Tag("<exchange>")]
    | Annotated[PairExchangeTable, Tag("<pair_exchange>")]
    | Annotated[UniaxialAnisotropyTable, Tag("<uniaxial_anisotropy>")]
    | Annotated[CubicAnisotropyTable, Tag("<cubic_anisotropy>")]
    | Annotated[DMITable, Tag("<dmi>")]
    | Annotated[DipolarTable, Tag("<dipolar>")]
    | Annotated[ZeemanTable, Tag("<zeeman>")]
    | Annotated[OwnTable, Tag("<own>")],
    by_kind(
        ("exchange", "pair_exchange", "uniaxial_anisotropy", "cubic_anisotropy", "dmi", "dipolar", "zeeman"), own=True
    ),
]


class SlonczewskiTable(Table):
    """[[torque]], kind = "slonczewski": `llgnegf.SlonczewskiTorque`."""

    kind: Literal["slonczewski"]
    damping_like: Annotated[Any, Driven(PerSiteElectronvolt)] = 0.0
    field_like: Annotated[Any, Driven(PerSiteElectronvolt)] = 0.0
    polarization: Axis


Velocity = Annotated[float | Numbers, Allowed(PER_SITE, "sites/fs, or angstrom/fs with spacing")]


class ZhangLiTable(Table):
    """[[torque]], kind = "zhang_li": `llgnegf.ZhangLiTorque`."""

    kind: Literal["zhang_li"]
    velocity: Annotated[Any, Driven(Velocity)]
    nonadiabaticity: Annotated[float | Numbers, Allowed(PER_SITE)] = 0.0
    spacing: Annotated[float | None, Allowed("a finite number > 0", "angstrom")] = None


TorqueTable = Annotated[
    Annotated[SlonczewskiTable, Tag("<slonczewski>")]
    | Annotated[ZhangLiTable, Tag("<zhang_li>")]
    | Annotated[OwnTable, Tag("<own>")],
    by_kind(("slonczewski", "zhang_li"), own=True),
]
