"""[electrons], [[lead]] and [system] of the input file. Keys are the names of the Python arguments.

Part of `schema`; the objects that the tables build say what the keys mean.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from llgnegf.config.drive_tables import Driven
from llgnegf.config.fields import (
    Allowed,
    Electronvolt,
    Integer,
    ListOf,
    MatrixEntry,
    NumberOfSites,
    Numbers,
    PerBondElectronvolt,
    PerSiteElectronvolt,
    Table,
    by_kind,
)


class ChainTable(Table):
    """[electrons], kind = "chain" (left out: the same): `llgnegf.chain`."""

    kind: Literal["chain"] = "chain"
    n_sites: NumberOfSites
    hopping: PerBondElectronvolt = 1.0
    j_sd: PerSiteElectronvolt = 0.0
    onsite: PerSiteElectronvolt = 0.0


class MatrixTable(Table):
    """[electrons], kind = "matrix": any Hermitian H_0, `llgnegf.Electrons`.

    `entries` holds [row, column, real part, imaginary part] on and above the diagonal, row and column being
    2 site + spin (spin 0 up, 1 down) counted from 0; the rest follows from H_0 = H_0^dag.
    """

    kind: Literal["matrix"]
    n_sites: NumberOfSites
    entries: Annotated[
        tuple[MatrixEntry, ...], ListOf,
        Allowed("a list of [row, column, real, imaginary], row <= column, each pair once, counted 2 site + spin", "eV"),
    ]  # fmt: skip
    j_sd: PerSiteElectronvolt = 0.0


ElectronsTable = Annotated[
    Annotated[ChainTable, Tag("<chain>")] | Annotated[MatrixTable, Tag("<matrix>")],
    by_kind(("chain", "matrix"), default="chain"),
]


class ReservoirTable(Table):
    """Voltage and occupation, common to all leads."""

    voltage: Annotated[Any, Driven(Electronvolt)] = 0.0
    chemical_potential: Annotated[float | None, Allowed("a finite number (left out: the Fermi energy)", "eV")] = None


class ChainLeadTable(ReservoirTable):
    """[[lead]], kind = "chain": `llgnegf.ChainLead`."""

    kind: Literal["chain"]
    site: Integer
    coupling: Electronvolt = 1.0
    hopping: Electronvolt = 1.0
    onsite: Electronvolt = 0.0


class WideBandLeadTable(ReservoirTable):
    """[[lead]], kind = "wide_band": `llgnegf.WideBandLead`."""

    kind: Literal["wide_band"]
    site: Integer
    broadening: Electronvolt


EnergyList = Annotated[Numbers, Allowed("a list of finite numbers", "eV")]


class TabulatedLeadTable(ReservoirTable):
    """[[lead]], kind = "tabulated": `llgnegf.TabulatedLead`."""

    kind: Literal["tabulated"]
    site: Integer
    energies: EnergyList
    broadening: EnergyList


class ChainSpectrumTable(Table):
    """spectrum of a channel, kind = "chain"."""

    kind: Literal["chain"]
    coupling: Electronvolt
    hopping: Electronvolt
    onsite: Electronvolt = 0.0


class WideBandSpectrumTable(Table):
    """spectrum of a channel, kind = "wide_band"; gamma is the broadening."""

    kind: Literal["wide_band"]
    gamma: Electronvolt


class TabulatedSpectrumTable(Table):
    """spectrum of a channel, kind = "tabulated"."""

    kind: Literal["tabulated"]
    energies: EnergyList
    values: EnergyList


class ChannelTable(Table):
    """One channel of a general lead: a device vector (N amplitudes, or 2N with index 2 site + spin) and a spectrum."""

    vector: Annotated[Numbers, Allowed("a list of finite numbers, N or 2N of them")]
    vector_imaginary: Annotated[Numbers | None, Allowed("a list of as many finite numbers as in vector")] = None
    spectrum: Annotated[
        Annotated[ChainSpectrumTable, Tag("<chain>")]
        | Annotated[WideBandSpectrumTable, Tag("<wide_band>")]
        | Annotated[TabulatedSpectrumTable, Tag("<tabulated>")],
        by_kind(("chain", "wide_band", "tabulated")),
    ]


class ChannelLeadTable(ReservoirTable):
    """[[lead]], kind = "channels": `llgnegf.Lead`, e.g. a magnetic lead."""

    kind: Literal["channels"]
    channel: Annotated[tuple[ChannelTable, ...], Field(min_length=1), ListOf]


LeadTable = Annotated[
    Annotated[ChainLeadTable, Tag("<chain>")]
    | Annotated[WideBandLeadTable, Tag("<wide_band>")]
    | Annotated[TabulatedLeadTable, Tag("<tabulated>")]
    | Annotated[ChannelLeadTable, Tag("<channels>")],
    by_kind(("chain", "wide_band", "tabulated", "channels")),
]


class SystemTable(Table):
    """[system]: `llgnegf.OpenSystem`."""

    fermi_energy: Electronvolt = 0.0
    kT: Electronvolt = 0.0
