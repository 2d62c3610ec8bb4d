"""Pauli matrices, matrices alike for both spins, and the check that one is a Hamiltonian; imports only checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from llgnegf._checks import Problems, as_numbers

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=complex)
"""Pauli matrices sigma_x, sigma_y, sigma_z, shape (3, 2, 2)."""


def hermitian(problems: Problems, field: str, value: Any) -> sp.csr_array | None:
    """`value` as a complex CSR array if it is a finite Hermitian matrix, None otherwise."""
    allowed = "a finite Hermitian matrix, in eV"
    given = value if sp.issparse(value) else as_numbers(value, complex)
    if given is None or given.dtype.kind not in "iufc":
        problems.add(field, value, allowed)
        return None
    square = given.ndim == 2 and given.shape[0] == given.shape[1] and given.shape[0] > 0
    if not problems.check(square, field, f"shape {given.shape}", allowed):
        return None
    matrix = sp.csr_array(given, dtype=complex, copy=True)
    if not problems.check(bool(np.isfinite(matrix.data).all()), field, "holds NaN or inf", allowed):
        return None
    defect = float(abs(matrix - matrix.conj().T).max())
    is_hermitian = defect <= 1e-12 * max(1.0, float(abs(matrix).max()))
    if not problems.check(is_hermitian, field, f"holds |H - H^dag| up to {defect:.3g}", allowed):
        return None
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def both_spins(matrix: Any) -> sp.csr_array:
    """matrix x 1, (2N, 2N), of one (N, N) for either spin."""
    return sp.csr_array(sp.kron(matrix, sp.eye_array(2), format="csr"))


def diagonal(levels: np.ndarray) -> sp.csr_array:
    """The diagonal matrix (2N, 2N) of levels (N,) for either spin."""
    return both_spins(sp.diags_array(levels)).astype(complex)
