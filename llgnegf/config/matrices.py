"""What an input file says entry by entry: Hermitian matrices, and channels of general leads; and the way back.

The makers here are for the file alone: in Python a matrix is an array, a channel a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import scipy.sparse as sp

from llgnegf._checks import Problems, need
from llgnegf.problem.arguments import (
    ENTRIES,
    Argument,
    ChemicalPotential,
    Coupling,
    EnergyOverTime,
    MatrixEntries,
    Numbers,
    Positions,
    SiteCount,
    Temperature,
    TextureSites,
)
from llgnegf.problem.device_terms import Amplitude, TimeDependent
from llgnegf.problem.electrons import Electrons
from llgnegf.problem.periodic_leads import PeriodicLead
from llgnegf.problem.spectra import Spectrum

Entries = Annotated[Any, Argument(MatrixEntries, "a list of [row, column, real, imaginary], each pair once", "eV")]
Orbitals = Annotated[int, Argument(int, "an integer from 1 to 1000", ok=lambda m: 1 <= m <= 1000)]


def matrix(
    n_sites: SiteCount, entries: Annotated[Any, Argument(MatrixEntries, ENTRIES, "eV")], j_sd: Coupling = 0.0,
    positions: Positions = None, terms: Any = (),
) -> Electrons:  # fmt: skip
    """[electrons], kind = "matrix": any Hermitian H_0.

    Args:
        n_sites: Number of sites N.
        entries: H_0 on and above the diagonal, row and column being 2 site + spin (0 up, 1 down) counted from 0.
        j_sd: sd coupling in eV, one number or one for each site.
        positions: Of the sites in nm.
        terms: Those of [[term]].
    """
    return Electrons(hermitian(n_sites, entries, "entries"), j_sd, positions, terms)


def time_dependent(
    entries: Annotated[Any, Argument(MatrixEntries, ENTRIES)], drive: Amplitude, n_sites: TextureSites
) -> TimeDependent:
    """[[term]], kind = "time_dependent": f(t) A.

    Args:
        entries: A on and above the diagonal, as H_0 in [electrons], kind = "matrix".
        drive: f, times which A is in eV.
        n_sites: Number of sites N.
    """
    return TimeDependent(hermitian(n_sites, entries, "entries"), drive)


def periodic(
    orbitals: Orbitals, cell: Entries, hopping: Entries, coupling: Entries, n_sites: TextureSites,
    voltage: EnergyOverTime = 0.0, chemical_potential: ChemicalPotential = None, kT: Temperature = None,
) -> PeriodicLead:  # fmt: skip
    """[[lead]], kind = "periodic": a semi-infinite crystal by the blocks of its Hamiltonian, `PeriodicLead`.

    Args:
        orbitals: Number m of orbitals in a cell, spins counted.
        cell: h_0 in eV, (m, m), Hermitian, all of its elements that are not zero.
        hopping: V in eV, (m, m), from one cell (rows) to the next one away from the device (columns).
        coupling: tau in eV, (2N, m), from the device (rows, 2 site + spin) to the first cell (columns).
        n_sites: Number of sites N.
        voltage: V in eV, number or function of time in fs; shifts levels and chemical potential together.
        chemical_potential: mu in eV, moves the occupation alone.
        kT: Thermal energy of this lead in eV.
    """
    problems, square = Problems("periodic"), (orbitals, orbitals)
    given = {"cell": (cell, square), "hopping": (hopping, square), "coupling": (coupling, (2 * n_sites, orbitals))}
    blocks = {name: _filled(problems, name, entries, shape) for name, (entries, shape) in given.items()}
    problems.raise_all()
    return PeriodicLead(**blocks, voltage=voltage, chemical_potential=chemical_potential, kT=kT)


def _filled(problems: Problems, name: str, entries: Sequence[Sequence[Any]], shape: tuple[int, int]) -> np.ndarray:
    """A matrix from its elements."""
    made, seen = np.zeros(shape, dtype=complex), set()
    for k, (row, column, real, imaginary) in enumerate(entries):
        inside = 0 <= row < shape[0] and 0 <= column < shape[1] and (row, column) not in seen
        allowed = f"0 <= row < {shape[0]}, 0 <= column < {shape[1]}, each pair once"
        if problems.check(inside, f"{name}[{k}]", list(entries[k]), allowed):
            made[row, column] = complex(real, imaginary)
            seen.add((row, column))
    return made


def elements(matrix: np.ndarray) -> list[list[Any]]:
    """[row, column, real part, imaginary part] of all that is not zero."""
    places = zip(*np.nonzero(matrix), strict=True)
    return [[int(i), int(j), float(matrix[i, j].real), float(matrix[i, j].imag)] for i, j in places]


def channel(
    vector: Annotated[Any, Argument(Numbers, "a list of finite numbers, N or 2N of them")],
    spectrum: Annotated[Spectrum, Argument("spectrum", tables="one")],
    vector_imaginary: Annotated[Any, Argument(Numbers, "a list of as many finite numbers as in vector")] = None,
) -> tuple[np.ndarray, Spectrum]:
    """[[lead.channel]]: one channel of a lead, which may be magnetic.

    Args:
        vector: Device vector, N amplitudes for both spins alike, or 2N with index 2 site + spin.
        spectrum: Scalar self-energy.
        vector_imaginary: Imaginary part of the device vector.
    """
    real = np.array(vector)
    if vector_imaginary is None:
        return real, spectrum
    fits, value = len(vector_imaginary) == len(vector), f"{len(vector_imaginary)} numbers"
    need(fits, "channel", "vector_imaginary", value, f"{len(vector)} as in vector")
    return real + 1j * np.array(vector_imaginary), spectrum


def hermitian(n_sites: int, entries: Sequence[Sequence[Any]], name: str) -> sp.csr_array:
    """A Hermitian (2N, 2N) from its entries on and above the diagonal; the mistakes are those of the key `name`."""
    problems, size, seen = Problems("matrix"), 2 * n_sites, set()
    for k, (row, column, _, imaginary) in enumerate(entries):
        inside = 0 <= row <= column < size and (row, column) not in seen
        allowed = f"0 <= row <= column < {size} = 2 n_sites, each pair once"
        if problems.check(inside, f"{name}[{k}]", list(entries[k]), allowed) and row == column:
            problems.check(imaginary == 0, f"{name}[{k}]", list(entries[k]), "a real number on the diagonal")
        seen.add((row, column))
    problems.raise_all()
    made = sp.lil_array((size, size), dtype=complex)
    for row, column, real, imaginary in entries:
        made[row, column] = complex(real, imaginary)
        made[column, row] = complex(real, -imaginary)
    return sp.csr_array(made)


def hermitian_entries(given: Any) -> list[list[Any]]:
    """[row, column, real part, imaginary part] of what is not zero on and above the diagonal."""
    upper = sp.coo_array(sp.triu(sp.csr_array(given, dtype=complex)))
    return [
        [int(i), int(j), float(x.real), float(x.imag) if i != j else 0.0]
        for i, j, x in zip(upper.row, upper.col, upper.data, strict=True)
    ]
