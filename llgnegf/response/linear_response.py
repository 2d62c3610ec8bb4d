"""Linear response of the spins to moments that move at any frequency: susceptibility, memory kernel, inertia.

Beside `tensors`, the response to slow motion; the levels of the device and what fills them are in `levels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._blas import limited
from llgnegf._checks import Problems
from llgnegf.poles.channels import expand
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.system import OpenSystem, check_constant
from llgnegf.response.levels import ClosedLevels, Levels, OpenLevels
from llgnegf.units import HBAR

FERMI_TOLERANCE = 1e-11


@dataclass(frozen=True, eq=False)
class LinearResponse:
    system: OpenSystem
    moments: Any
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        problems = Problems("LinearResponse")
        is_system = problems.check(isinstance(self.system, OpenSystem), "system", self.system, "an OpenSystem")
        moments = problems.moments("moments", self.moments, self.system.n_sites if is_system else None, bare=True)
        problems.number("tolerance", self.tolerance, "a finite number > 0", lambda x: x > 0, smallest=0.0)
        if is_system:
            check_constant(problems, self.system)
        problems.raise_all()
        object.__setattr__(self, "moments", moments)

    @cached_property
    @limited
    def levels(self) -> Levels:
        if self.system.is_closed:
            hamiltonian = self.system.electrons.hamiltonian_at(self.moments)
            return ClosedLevels.of(hamiltonian, self.system.fermi_energy, self.system.kT)
        poles = expand(self.system, self.tolerance, FERMI_TOLERANCE, tail_tolerance=self.tolerance, strict=False)
        return OpenLevels.of(poles, self.moments)

    def susceptibility(self, energies: Any) -> np.ndarray:
        return np.array([self.expansion(w, 1)[0] for w in np.asarray(energies, dtype=complex)])

    @limited
    def expansion(self, energy: complex = 0.0, orders: int = 3) -> np.ndarray:
        own = self._half(complex(energy), orders)
        other = own if energy == 0 else self._half(-complex(energy).conjugate(), orders)
        signs = (-1.0) ** np.arange(orders)
        return own + signs[:, None, None, None, None] * other.conj()

    def _half(self, energy: complex, orders: int) -> np.ndarray:
        """S of the module's docstring."""
        n, levels = self.system.n_sites, self.levels
        kets = levels.right.reshape(n, 2, -1)
        bras = levels.left.T.reshape(n, 2, -1)
        pairs = np.einsum("ipk,jtk->ijptk", kets, bras).reshape(n, n, 4, -1)
        out = np.empty((orders, n, 3, n, 3), dtype=complex)
        for order, lesser in enumerate(levels.lesser_series(energy, orders)):
            w = lesser.reshape(-1, n, 2, n, 2).transpose(3, 1, 0, 2, 4).reshape(n, n, -1, 4)
            traces = (pairs @ w).reshape(n, n, 2, 2, 2, 2)
            out[order] = np.einsum("ijptqs,asp,btq->iajb", traces, PAULI, PAULI, optimize=True)
        return -np.asarray(self.system.electrons.j_sd)[:, None] * out

    @cached_property
    def _at_rest(self) -> np.ndarray:
        return self.expansion(0.0, 3)

    @property
    def static(self) -> np.ndarray:
        return self._at_rest[0].real

    def first_order(self) -> np.ndarray:
        return -HBAR * self._at_rest[1].imag

    def second_order(self) -> np.ndarray:
        return HBAR**2 * self._at_rest[2].real

    def inertia(self) -> np.ndarray:
        full = np.asarray(self.system.electrons.j_sd)[:, None, None, None] * self.second_order()
        return 0.5 * (full + full.transpose(2, 3, 0, 1))

    @limited
    def memory_kernel(self, times: Any) -> np.ndarray:
        n, j_sd = self.system.n_sites, np.asarray(self.system.electrons.j_sd)
        out = np.zeros((np.size(times), n, 3, n, 3))
        for k, t in enumerate(np.asarray(times, dtype=float)):
            if t >= 0:
                forward = self.levels.propagator(t / HBAR).reshape(n, 2, n, 2)
                lesser = self.levels.lesser(t / HBAR).reshape(n, 2, n, 2)
                traces = np.einsum("asp,ipjt,btq,jqis->iajb", PAULI, forward, PAULI, lesser, optimize=True)
                out[k] = -2 / HBAR * traces.imag * j_sd[:, None]
        return out
