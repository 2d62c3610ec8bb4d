"""One table of the input file into one object: matrices, leads, energy terms and torques.

Called by `build`, which gives the errors their place in the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from llgnegf._checks import Problems
from llgnegf.config.fields import OwnTable, plain
from llgnegf.config.moment_tables import SlonczewskiTable
from llgnegf.config.own_terms import own_term
from llgnegf.config.system_tables import ChainLeadTable, ChannelLeadTable, TabulatedLeadTable
from llgnegf.problem.drives import Drive
from llgnegf.problem.leads import ChainLead, Lead, TabulatedLead, WideBandLead
from llgnegf.problem.magnetism.energies import (
    DMI,
    CubicAnisotropy,
    Dipolar,
    EnergyTerm,
    Exchange,
    PairExchange,
    UniaxialAnisotropy,
    Zeeman,
)
from llgnegf.problem.magnetism.torques import SlonczewskiTorque, SpinTransferTorque, ZhangLiTorque
from llgnegf.problem.spectra import ChainSpectrum, TabulatedSpectrum, WideBandSpectrum


def matrix_of(n_sites: int, entries: Any, name: str) -> sp.csr_array:
    """A Hermitian (2N, 2N) from its entries on and above the diagonal.

    Raises:
        ValueError: With a line for each wrong entry of the key `name`.
    """
    problems, size, seen = Problems("matrix"), 2 * n_sites, set()
    for k, (row, column, _, imaginary) in enumerate(entries):
        inside = 0 <= row <= column < size and (row, column) not in seen
        allowed = f"0 <= row <= column < {size} = 2 n_sites, each pair once"
        if problems.check(inside, f"{name}[{k}]", list(entries[k]), allowed) and row == column:
            problems.check(imaginary == 0, f"{name}[{k}]", list(entries[k]), "a real number on the diagonal")
        seen.add((row, column))
    problems.raise_all()
    matrix = sp.lil_array((size, size), dtype=complex)
    for row, column, real, imaginary in entries:
        matrix[row, column] = complex(real, imaginary)
        matrix[column, row] = complex(real, -imaginary)
    return sp.csr_array(matrix)


def lead_of(table: Any, voltage: Any) -> Any:
    """The lead of one [[lead]], with `voltage` as a number or a function of time."""
    common = {"voltage": voltage, "chemical_potential": table.chemical_potential}
    if isinstance(table, ChainLeadTable):
        return ChainLead(
            site=table.site, coupling=table.coupling, hopping=table.hopping, onsite=table.onsite, **common
        )
    if isinstance(table, TabulatedLeadTable):
        return TabulatedLead(
            site=table.site, energies=plain(table.energies), broadening=plain(table.broadening), **common
        )
    if isinstance(table, ChannelLeadTable):
        return Lead([(_vector(k, c), _spectrum(k, c.spectrum)) for k, c in enumerate(table.channel)], **common)
    return WideBandLead(site=table.site, broadening=table.broadening, **common)


def _vector(k: int, table: Any) -> np.ndarray:
    vector, imaginary = np.array(table.vector), table.vector_imaginary
    if imaginary is None:
        return vector
    if len(imaginary) != len(vector):
        raise ValueError(
            f"Lead.channel[{k}].vector_imaginary: {len(imaginary)} numbers; allowed: {len(vector)} as in vector"
        )
    return vector + 1j * np.array(imaginary)


def _spectrum(k: int, table: Any) -> Any:
    """A spectrum; the ranges are those of the leads of the same kind."""
    place = f"Lead.channel[{k}].spectrum"
    problems = Problems(place)
    if table.kind == "chain":
        problems.check(table.hopping > 0, "hopping", table.hopping, "a finite number > 0, in eV")
        problems.raise_all()
        return ChainSpectrum(table.coupling, table.hopping, table.onsite)
    if table.kind == "wide_band":
        problems.check(table.gamma >= 0, "gamma", table.gamma, "a finite number >= 0, in eV")
        problems.raise_all()
        return WideBandSpectrum(table.gamma)
    try:
        return TabulatedSpectrum(plain(table.energies), plain(table.values))
    except ValueError as error:
        raise ValueError(str(error).replace("TabulatedSpectrum", place)) from None


def energy_term(table: Any, field: Any = None) -> EnergyTerm:
    """The term of one [[energy]]; `field` is B of a Zeeman term as an array or a function of time."""
    kinds: dict[str, Any] = {
        "exchange": Exchange, "uniaxial_anisotropy": UniaxialAnisotropy, "cubic_anisotropy": CubicAnisotropy,
        "dmi": DMI, "dipolar": Dipolar,
    }  # fmt: skip
    if isinstance(table, OwnTable):
        return own_term(table, EnergyTerm)
    if table.kind == "zeeman":
        return Zeeman(field, rate=field.rate) if isinstance(field, Drive) else Zeeman(field)
    if table.kind == "pair_exchange":
        return PairExchange(list(table.pairs))
    given = {name: plain(getattr(table, name)) for name in type(table).model_fields if name != "kind"}
    return kinds[table.kind](**given)


def torque_of(table: Any, values: dict[str, Any]) -> SpinTransferTorque:
    """The torque of one [[torque]]; `values` are the amplitudes that may depend on time."""
    if isinstance(table, OwnTable):
        return own_term(table, SpinTransferTorque)
    if isinstance(table, SlonczewskiTable):
        return SlonczewskiTorque(polarization=plain(table.polarization), **values)
    return ZhangLiTorque(nonadiabaticity=plain(table.nonadiabaticity), spacing=table.spacing, **values)
