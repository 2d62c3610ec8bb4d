"""What the tests of the propagator share: runs checked row by row, bare functions as equations, random problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from llgnegf.equations import layout
from llgnegf.equations.moments import LLG
from llgnegf.equations.protocol import Equation, Section
from llgnegf.integrators.integration import Integration, runge_kutta
from llgnegf.integrators.tableaus import Tableau
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


class FunctionEquation(Equation):
    """A bare f(t, y, out) in units of hbar/eV as an equation, its state in sections (name, start, stop)."""

    time_unit = HBAR

    def __init__(self, function: Callable[..., None], size: int, sections: Sequence[tuple[str, int, int]] = ()) -> None:
        self.function, self.size, self.evaluations = function, size, 0
        self.sections = tuple(Section(*section) for section in sections or [("y", 0, size)])

    def __call__(self, time: float, state: np.ndarray, derivative: np.ndarray) -> None:
        self.evaluations += 1
        self.function(time, state, derivative)

    def drives(self) -> tuple[()]:
        return ()

    def project(self, state: np.ndarray) -> None:
        pass


def integration(
    function: Callable[..., None], state: np.ndarray, tableau: Tableau, step: float, tolerance: float | None = None,
    largest: float = np.inf, sections: Sequence[tuple[str, int, int]] = (),
) -> Integration:  # fmt: skip
    """Of dy/dt = function(t, y, out) from t = 0; a fixed step without a tolerance."""
    equation = FunctionEquation(function, state.size, sections)
    return runge_kutta(equation, tableau, state, step, tolerance, largest)


def unit_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` random directions, (count, 3)."""
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def random_hermitian(rng: np.random.Generator, size: int) -> np.ndarray:
    """A Hermitian matrix with elements of order one."""
    a = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    return 0.5 * (a + a.conj().T)


def moments_of(run: Any) -> np.ndarray:
    """Moments of the rows that are left of a run, (rows, n, 3)."""
    return np.array([row["moments"] for _, row in run.rows()])


def restarted(make: Callable[[], Any], rows: int) -> Any:
    """A second run of `make` that goes on from the checkpoint of a first one after so many rows."""
    first, second = make(), make()
    left = first.rows()
    for _ in range(rows):
        next(left)
    second.restore(first.checkpoint())
    return second


def classical_step(llg: LLG, m: np.ndarray, time: float, step: float) -> np.ndarray:
    """Moments (n, 3) after a step of the classical fourth order in the fields of `time`, on their spheres."""
    k1 = llg.rate(m, time)
    k2 = llg.rate(m + 0.5 * step * k1, time)
    k3 = llg.rate(m + 0.5 * step * k2, time)
    m = m + step / 6 * (k1 + 2 * k2 + 2 * k3 + llg.rate(m + step * k3, time))
    return m / np.linalg.norm(m, axis=1)[:, None]


def store_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of small systems, too, half of rho is stored, whatever their Hamiltonian and leads."""
    for name, value in {"HALVED": 0, "DIAGONALS": 99, "NARROW": 0}.items():
        monkeypatch.setattr(layout, name, value)
