"""Devices and leads of finalized kwant systems as electrons and periodic leads.

Asks a system for its matrices alone, so that kwant is needed only where the system is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from llgnegf._checks import Problems
from llgnegf._readable import readable
from llgnegf.problem.electrons import Electrons
from llgnegf.problem.periodic_leads import PeriodicLead

DEVICE = ("hamiltonian_submatrix", "sites", "leads", "lead_interfaces")
LEAD = ("cell_hamiltonian", "inter_cell_hopping")


@readable
def from_kwant(
    fsyst: Any, params: Mapping[str, Any] | None = None, j_sd: Any = 0.0, terms: Any = ()
) -> tuple[Electrons, list[PeriodicLead]]:
    """Electrons and leads of a finalized kwant system (tested with kwant 1.5; `pip install kwant`).

    Parameters
    ----------
    fsyst : kwant.system.FiniteSystem
        What `builder.finalized()` returns, with norbs 1 on every site (both spins alike, spin is added), or 2 (spin up
        and down along z, in this order). Energies in eV.
    params : dict, optional
        Parameters of the Hamiltonian, as kwant takes them; the leads' too.
    j_sd : float or array_like or callable, default 0.0
        sd coupling in eV, as for `Electrons`.
    terms : list, default ()
        As for `Electrons`. Positions are kwant's, taken in nm.

    Returns
    -------
    electrons : Electrons
        The device. Sites, and the moments that are given to them, are in kwant's order, that of `fsyst.sites`.
    leads : list of PeriodicLead
        In the order of `fsyst.leads`, without voltages; `dataclasses.replace(lead, voltage=0.1)` gives one to it.

    Raises
    ------
    ValueError
        If it is no such system, a site has another number of orbitals, or a lead is not periodic.

    Notes
    -----
    A lead's cell l grows away from the device; kwant [1]_ gives the block from a cell to the one before it,
    V_kwant = H[l + 1, l] on the first sites of a cell, and attaches the first cell to the interface sites with the same
    block. Hence V = (V_kwant, 0)^dag, and tau = V_kwant^dag on the interface.

    References
    ----------
    .. [1] C. W. Groth, M. Wimmer, A. R. Akhmerov, X. Waintal, New J. Phys. 16, 063065 (2014).

    Examples
    --------
    >>> import kwant  # doctest: +SKIP
    >>> electrons, leads = ln.from_kwant(builder.finalized(), j_sd=0.1)  # doctest: +SKIP
    >>> system = ln.OpenSystem(electrons, leads, kT=0.025)  # doctest: +SKIP
    """
    problems = Problems("from_kwant")
    missing = [name for name in DEVICE if not hasattr(fsyst, name)]
    value = f"{type(fsyst).__name__} without {', '.join(missing)}"
    problems.check(not missing, "fsyst", value, "a finalized kwant system: kwant.Builder(...).finalized()")
    problems.raise_all()
    given = None if params is None else dict(params)
    matrix, orbitals, _ = fsyst.hamiltonian_submatrix(params=given, sparse=True, return_norb=True)
    orbitals = np.asarray(orbitals)
    first = int(orbitals[0])
    same = first in (1, 2) and bool((orbitals == first).all())
    norbs = f"norbs {sorted(set(orbitals.tolist()))}"
    problems.check(same, "fsyst", norbs, "norbs 1 on every site, or 2 on every site")
    for k, lead in enumerate(fsyst.leads):
        periodic = all(hasattr(lead, name) for name in LEAD)
        problems.check(periodic, f"fsyst.leads[{k}]", type(lead).__name__, "a lead from a Builder, periodic")
    problems.raise_all()
    spins = np.eye(3 - first)  # added to spinless orbitals
    device = Electrons(sp.kron(matrix, spins, format="csr"), j_sd, _positions(fsyst.sites), terms)
    leads = []
    for lead, interface in zip(fsyst.leads, fsyst.lead_interfaces, strict=True):
        rows = (first * np.asarray(interface, dtype=int)[:, None] + np.arange(first)).ravel()
        leads.append(PeriodicLead(*(np.kron(block, spins) for block in _blocks(lead, given, rows, matrix.shape[0]))))
    return device, leads


def _blocks(lead: Any, params: Any, rows: np.ndarray, size: int) -> tuple[np.ndarray, ...]:
    """h_0, V and tau of a lead, attached to these rows of the device."""
    cell, hopping = (np.asarray(make(params=params)) for make in (lead.cell_hamiltonian, lead.inter_cell_hopping))
    onward = np.zeros_like(cell, dtype=complex)
    onward[: hopping.shape[1]] = hopping.conj().T
    coupling = np.zeros((size, len(cell)), dtype=complex)
    coupling[rows] = hopping.conj().T
    return cell, onward, coupling


def _positions(sites: Any) -> np.ndarray | None:
    """(N, 3), or None where the sites have no positions in real space."""
    if not all(hasattr(site, "pos") for site in sites):
        return None
    places = np.array([site.pos for site in sites], dtype=float)
    return np.pad(places, ((0, 0), (0, 3 - places.shape[1])))
