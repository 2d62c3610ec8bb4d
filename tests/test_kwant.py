"""Systems of kwant: stored matrices in kwant's layout, and kwant itself where it is installed."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from llgnegf.problem.kwant_systems import from_kwant
from llgnegf.problem.lattices.crystals import square
from llgnegf.problem.matrices import PAULI

Site = namedtuple("Site", "pos")


@dataclass
class StoredLead:
    """A lead as kwant finalizes it: h_0 and H[l + 1, l], the latter on the first sites of cell l alone."""

    cell: np.ndarray
    onward: np.ndarray

    def cell_hamiltonian(self, args: Any = (), sparse: bool = False, *, params: Any = None) -> np.ndarray:
        return self.cell * (params or {}).get("scale", 1.0)

    def inter_cell_hopping(self, args: Any = (), sparse: bool = False, *, params: Any = None) -> np.ndarray:
        return self.onward


@dataclass
class StoredSystem:
    matrix: np.ndarray
    norbs: list[int]
    sites: list[Any]
    leads: list[Any]
    lead_interfaces: list[Any]

    def hamiltonian_submatrix(
        self, args: Any = (), to_sites: Any = None, from_sites: Any = None, sparse: bool = False,
        return_norb: bool = False, *, params: Any = None,
    ) -> Any:  # fmt: skip
        matrix = sp.coo_array(self.matrix) if sparse else self.matrix
        return (matrix, np.array(self.norbs), np.array(self.norbs)) if return_norb else matrix


def random_hermitian(rng: np.random.Generator, n: int) -> np.ndarray:
    matrix = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return matrix + matrix.conj().T


def stored(rng: np.random.Generator, norbs: int) -> StoredSystem:
    """Three sites; a lead of two sites a cell, one of which has bonds to the cell before; its interface is site 2."""
    lead = StoredLead(random_hermitian(rng, 2 * norbs), rng.normal(size=(2 * norbs, norbs)) + 0j)
    sites = [Site((0.5 * i, 0.25)) for i in range(3)]
    return StoredSystem(random_hermitian(rng, 3 * norbs), 3 * [norbs], sites, [lead], [np.array([2])])


def test_stored_matrices_with_two_orbitals_a_site() -> None:
    """The device with two explicit cells, block by block from kwant's definitions."""
    system = stored(np.random.default_rng(0), 2)
    electrons, (lead,) = from_kwant(system, {"scale": 2.0}, j_sd=0.3)
    np.testing.assert_array_equal(electrons.hamiltonian.toarray(), system.matrix)
    np.testing.assert_array_equal(electrons.positions, [[0, 0.25, 0], [0.5, 0.25, 0], [1.0, 0.25, 0]])
    np.testing.assert_array_equal(electrons.j_sd, 3 * [0.3])
    (kwant_lead,) = system.leads
    np.testing.assert_array_equal(lead.cell, 2 * kwant_lead.cell)
    onward = np.hstack([kwant_lead.onward, np.zeros((4, 2))])  # H[l + 1, l]
    np.testing.assert_array_equal(lead.hopping, onward.conj().T)
    from_interface = np.hstack([np.zeros((4, 4)), kwant_lead.onward])  # H[first cell, device], site 2 is rows 4 and 5
    np.testing.assert_array_equal(lead.coupling, from_interface.conj().T)


def test_spin_is_added_to_one_orbital_a_site() -> None:
    system = stored(np.random.default_rng(1), 1)
    electrons, (lead,) = from_kwant(system)
    np.testing.assert_array_equal(electrons.hamiltonian.toarray(), np.kron(system.matrix, np.eye(2)))
    assert (lead.cell.shape, lead.hopping.shape, lead.coupling.shape) == ((4, 4), (4, 4), (6, 4))
    np.testing.assert_array_equal(lead.cell, np.kron(system.leads[0].cell, np.eye(2)))
    np.testing.assert_array_equal(lead.coupling[4:], np.kron(system.leads[0].onward.conj().T, np.eye(2)))
    assert not lead.coupling[:4].any()


def test_what_is_no_such_system_is_named() -> None:
    system = stored(np.random.default_rng(2), 1)
    with pytest.raises(ValueError, match=r"from_kwant.fsyst: dict without .*allowed: a finalized kwant system"):
        from_kwant({})
    for norbs in ([1, 1, 2], [3, 3, 3]):
        wrong = StoredSystem(np.eye(sum(norbs)), norbs, system.sites, [], [])
        with pytest.raises(ValueError, match=r"from_kwant.fsyst: norbs \[.*\]; allowed: norbs 1 on every site, or 2"):
            from_kwant(wrong)
    system.leads = [object()]
    with pytest.raises(ValueError, match=r"from_kwant.fsyst.leads\[0\]: 'object'; allowed: a lead from a Builder"):
        from_kwant(system)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # kwant's on MUMPS
def test_a_rashba_ribbon_of_kwant_is_that_of_the_lattice() -> None:
    """The same ribbon written for kwant: its c_i^dag c_j elements are T_ij for every bond, the leads go on; a magnetic
    lead in plane at the right, and one at the top, in the middle of the edge."""
    kwant = pytest.importorskip("kwant")
    t, rashba, n_x, n_y, field = 0.9, 0.3, 5, 3, (0.2, 0.1, -0.3)
    lattice = kwant.lattice.square(norbs=2)
    one, (x, y, z) = np.eye(2), PAULI

    def bonds(builder: Any) -> None:  # kwant: value of hopping (a, b) is H_ab; HoppingKind d = (1, 0): a = b + x
        builder[kwant.builder.HoppingKind((1, 0), lattice, lattice)] = -t * one - 1j * rashba * y
        builder[kwant.builder.HoppingKind((0, 1), lattice, lattice)] = -t * one + 1j * rashba * x

    device = kwant.Builder()
    device[(lattice(i, j) for i in range(n_x) for j in range(n_y))] = lambda site, level: level * one
    bonds(device)
    onsite = {"left": 0.1 * one, "right": -field[0] * x - field[1] * y - field[2] * z, "top": 0 * one}
    ways = {"left": (-1, 0), "right": (1, 0), "top": (0, 1)}
    for side, way in ways.items():
        lead = kwant.Builder(kwant.TranslationalSymmetry(way))
        cells = [lattice(2, 0)] if side == "top" else [lattice(0, j) for j in range(n_y)]
        lead[cells] = onsite[side]
        bonds(lead)
        device.attach_lead(lead)
    system = device.finalized()
    electrons, leads = from_kwant(system, {"level": 0.4}, j_sd=0.1)

    mine = square(n_x, n_y)
    order = [int(np.argmin(np.linalg.norm(mine.positions - p, axis=1))) for p in electrons.positions]
    rows = np.stack([2 * np.array(order), 2 * np.array(order) + 1], axis=1).ravel()
    want = mine.electrons(t, 0.1, rashba=rashba, onsite=0.4).hamiltonian.toarray()
    np.testing.assert_allclose(electrons.hamiltonian.toarray(), want[np.ix_(rows, rows)], atol=1e-15)
    sites = {"left": None, "right": None, "top": [2 * n_y + n_y - 1]}
    more = {"left": {"onsite": 0.1}, "right": {"exchange": field}, "top": {}}
    for side, found in zip(ways, leads, strict=True):
        lead = mine.lead(side, None, t, rashba, sites=sites[side], **more[side])
        # the order of kwant's cell: that in which the device sees it
        seen = np.argmax(np.abs(found.coupling), axis=0)[::2] // 2
        own = [order[k] for k in seen]
        place = {int(np.argmax(np.abs(lead.coupling[:, 2 * c]))) // 2: c for c in range(len(lead.cell) // 2)}
        columns = np.array([[2 * place[k], 2 * place[k] + 1] for k in own]).ravel()
        np.testing.assert_allclose(found.coupling, lead.coupling[np.ix_(rows, columns)], atol=1e-15)
        np.testing.assert_allclose(found.cell, lead.cell[np.ix_(columns, columns)], atol=1e-15)
        np.testing.assert_allclose(found.hopping, lead.hopping[np.ix_(columns, columns)], atol=1e-15)
