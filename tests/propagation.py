"""What the tests of the propagator share: runs that are checked row by row, random problems, units of hbar/eV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf.run.result import ErrorEstimate
from llgnegf.run.simulation import Simulation
from llgnegf.units import HBAR

HERMITICITY = 1e-13
OCCUPATION = 1e-8


@dataclass(frozen=True)
class Run:
    """A finished run: times in hbar/eV, columns as in `Result.dataset`, rho (rows, 2N, 2N)."""

    times: np.ndarray
    columns: Mapping[str, np.ndarray]
    density_matrices: np.ndarray
    statistics: Mapping[str, float]
    errors: Mapping[str, ErrorEstimate]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]


def assert_physical(rho: np.ndarray) -> None:
    """rho is Hermitian and its occupations lie in [0, 1]."""
    assert np.abs(rho - rho.conj().T).max() <= HERMITICITY
    occupations = np.linalg.eigvalsh(rho)
    assert occupations[0] >= -OCCUPATION, f"occupation {occupations[0]:.3g}"
    assert occupations[-1] <= 1 + OCCUPATION, f"occupation 1 + {occupations[-1] - 1:.3g}"


def run(system: Any, motion: Any, *, t_end: float, save_every: float, **options: Any) -> Run:
    """Simulate with `t_end`, `save_every` and `step` in hbar/eV; every row's rho must be physical."""
    if "step" in options:
        options["step"] *= HBAR
    simulation = Simulation(system, motion, t_end=t_end * HBAR, save_every=save_every * HBAR, **options)
    rows, matrices = [], []
    for _, row in simulation.rows():
        rho = simulation.density_matrix
        assert rho is not None
        assert_physical(rho)
        rows.append(row)
        matrices.append(rho)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Run(
        simulation.times / HBAR, columns, np.array(matrices), simulation.statistics, simulation.error_budget()
    )


def unit_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` random directions, (count, 3)."""
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def random_hermitian(rng: np.random.Generator, size: int) -> np.ndarray:
    """A Hermitian matrix with elements of order one."""
    a = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    return 0.5 * (a + a.conj().T)
