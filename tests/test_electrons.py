"""Electrons: the Hamiltonian element by element, the spectrum of a moment, and every bad argument."""

import numpy as np
import pytest
import scipy.sparse as sp

import llgnegf as ln
from llgnegf.problem.electrons import PAULI


def test_chain_matrix():
    electrons = ln.chain(3, hopping=[1.0, 2.0], onsite=[0.1, 0.2, 0.3])
    orbital = np.array([[0.1, -1, 0], [-1, 0.2, -2], [0, -2, 0.3]])
    np.testing.assert_array_equal(electrons.hamiltonian.toarray(), np.kron(orbital, np.eye(2)))
    np.testing.assert_array_equal(electrons.bonds, [[0, 1], [1, 2]])
    assert ln.chain(1, onsite=0.4).hamiltonian.toarray().tolist() == [[0.4, 0], [0, 0.4]]
    assert ln.chain(1).bonds.shape == (0, 2)


def test_open_chain_levels():
    """-2 gamma cos(pi k/(N + 1)), each twice."""
    levels = np.linalg.eigvalsh(ln.chain(6, hopping=0.7).hamiltonian.toarray())
    expected = np.sort(np.repeat(-1.4 * np.cos(np.pi * np.arange(1, 7) / 7), 2))
    np.testing.assert_allclose(levels, expected, atol=1e-14)


def test_sd_coupling_is_minus_j_sigma_m():
    moments = ln.cone(2, 0.7, [0.3, 2.0])
    h = ln.chain(2, hopping=0.0, j_sd=[0.5, -2.0]).hamiltonian_at(moments)
    for i, j_sd in enumerate((0.5, -2.0)):
        block = h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2]
        np.testing.assert_allclose(block, -j_sd * np.einsum("a,ast->st", moments[i], PAULI), atol=1e-16)
    assert not h[:2, 2:].any()


def test_sparse_and_dense_hamiltonians_are_equal():
    matrix = np.array([[0, 1j, 0, 0.5], [-1j, 1, 0, 0], [0, 0, 0, 0], [0.5, 0, 0, 0]])
    dense, sparse = ln.Electrons(matrix, 0.0), ln.Electrons(sp.csr_array(matrix), 0.0)
    np.testing.assert_array_equal(dense.hamiltonian.toarray(), sparse.hamiltonian.toarray())
    np.testing.assert_array_equal(dense.bonds, [[0, 1]])


def test_hamiltonian_is_a_copy():
    matrix = sp.csr_array(np.diag([1.0, 2.0]).astype(complex))
    electrons = ln.Electrons(matrix, 0.0)
    matrix.data[:] = 9.0
    np.testing.assert_array_equal(electrons.hamiltonian.toarray(), np.diag([1, 2]))


def test_problem_is_frozen():
    electrons = ln.chain(2, j_sd=1.0)
    with pytest.raises(AttributeError):
        electrons.j_sd = 2.0
    with pytest.raises(ValueError, match="read-only"):
        electrons.j_sd[0] = 2.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ln.Electrons([[0, 1], [2, 0]], 0.0), r"Electrons.hamiltonian: .*H - H\^dag.*; allowed: .*Hermitian"),
        (lambda: ln.Electrons(np.zeros((3, 3)), 0.0), r"Electrons.hamiltonian: shape \(3, 3\); allowed: \(2N, 2N\)"),
        (lambda: ln.Electrons(np.zeros((2, 4)), 0.0), r"Electrons.hamiltonian: shape \(2, 4\); allowed"),
        (lambda: ln.Electrons([[np.nan, 0], [0, 0]], 0.0), r"Electrons.hamiltonian: holds NaN"),
        (lambda: ln.Electrons("H", 0.0), r"Electrons.hamiltonian: .*; allowed"),
        (lambda: ln.Electrons((4, 4), 0.0), r"Electrons.hamiltonian: shape \(2,\); allowed"),
        (lambda: ln.Electrons([["0", "1"], ["1", "0"]], 0.0), r"Electrons.hamiltonian: .*; allowed"),
        (lambda: ln.Electrons(np.eye(2, dtype=bool), 0.0), r"Electrons.hamiltonian: .*; allowed"),
        (lambda: ln.Electrons([[0, 1], [1]], 0.0), r"Electrons.hamiltonian: .*; allowed"),
        (lambda: ln.Electrons([[None, 1], [1, 0]], 0.0), r"Electrons.hamiltonian: .*; allowed"),
        (lambda: ln.Electrons(0.5, 0.0), r"Electrons.hamiltonian: shape \(\); allowed"),
        (lambda: ln.Electrons(np.zeros((4, 4)), [1.0]), r"Electrons.j_sd: shape \(1,\); allowed: .* 2 of them"),
        (lambda: ln.Electrons(np.zeros((4, 4)), np.inf), r"Electrons.j_sd: inf; allowed"),
        (lambda: ln.Electrons.spinless([[0, 1], [2, 0]], 0.0), r"Electrons.hamiltonian: .*Hermitian"),
        (lambda: ln.chain(0), r"chain.n_sites: 0; allowed: an integer >= 1"),
        (lambda: ln.chain(3, hopping=[1.0]), r"chain.hopping: shape \(1,\); allowed: .* 2 of them"),
        (lambda: ln.chain(3, hopping=np.nan), r"chain.hopping: nan; allowed"),
        (lambda: ln.chain(3, j_sd="a"), r"chain.j_sd: '?a'?; allowed"),
        (lambda: ln.chain(3, onsite=[1.0, np.inf, 0.0]), r"chain.onsite: .*; allowed"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
