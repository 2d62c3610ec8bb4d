"""Linear response of the spins to moments that move at any frequency: susceptibility, memory kernel, inertia.

Beside `tensors`, the response to slow motion; levels and fillings are those of `levels`, which has the derivation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._blas import limited
from llgnegf._checks import Problems, as_numbers
from llgnegf._readable import Readable
from llgnegf.poles.channels import PoleSystem, expand
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.system import OpenSystem, check_static
from llgnegf.response.levels import ClosedLevels, Levels, OpenLevels
from llgnegf.units import HBAR

FINEST = 1e-10
"""Tolerance beyond which no lead is finer."""
FERMI_TOLERANCE = 1e-13
"""Error of the Fermi function, whose poles cost little here; what K has of it is divided by kT and by widths."""
ILL_CONDITIONED = 1e3
"""Condition number of the eigenvectors from which on nearby devices are taken; c loses some c^2 times the round-off."""
APART = 1e-5
"""eV between the devices next to one without a basis of eigenvectors."""
BESIDE = ((1, 0.75), (2, -0.3), (3, 0.05))
"""(distance, weight) of devices on both sides; their mean is exact up to the sixth power of the distance."""
ENTRIES = 2**22
"""Complex numbers handled at once."""
PLACE = "ijptqs,asp,btq->iajb"
"""Tr sigma_a |is'><jt| sigma_b |jt'><is|: s, s' and t, t' are spins."""


@dataclass(frozen=True, eq=False)
class LinearResponse(Readable):
    """Linear response of the electrons' spins to moments that leave their places by a little, at any frequency.

    Parameters
    ----------
    system : OpenSystem
        Electrons and leads that do not change in time; leads may be of any kind and differ in filling.
    moments : array_like, (N, 3)
        M, unit vectors (N, 3), zero vectors on sites without a moment.
    tolerance : float, optional
        Of the leads' damped modes, max_t ``|K - K_fit|/K(0)`` of their kernels; chi is good to about as much, next to a
        band edge to some ten times as much. None: as fine as they get, 1e-10 for chains and 1e-8 to 1e-7 for most
        fits of matrix leads, which take seconds or, for wide ones, minutes: 1e-5 takes less.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; kT = 0 of an open system (there are no Fermi poles to sum
        over; `ResponseTensors` takes it). On first use where leads cannot be fitted to `tolerance`.

    Notes
    -----
    For moments M_j + Re[dM_j exp(-iwt)] around a stationary state, thermal or (leads that differ in chemical potential,
    voltage or temperature) steady, ::

        delta<s_i>^a(w) = sum_jb chi_{ia,jb}(w) dM_jb(w),     chi(w) = chi(0) - i w K + w^2 chi_2 + ...
        delta<s_i>^a(t) = sum_jb int_{-oo}^t dt' K_{ia,jb}(t - t') dM_jb(t'),

    to first order in dM (Kubo's formula [1]_ with dH = -sum_j J_j sigma_j.dM_j). Levels that no lead damps keep their
    populations while their energies move: chi(0) is the derivative of the stationary <s> but for those within some kT
    of the Fermi energy.

    Everything is a sum over the T = 2N + (lead modes) eigenvectors of device and leads, found once, of order T^3: an
    energy or an order of the expansion takes 8 N^2 T^2 multiplications (7 sites between chains: T = 254, 30 ms), a time
    4 N^2 T, the memory is 64 N^2 T bytes. Next to an exceptional point, where two eigenvectors are one (told by their
    condition number), chi is extrapolated from six devices 1e-5 to 3e-5 eV to the sides of it, at six times the cost.

    References
    ----------
    .. [1] R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(1, j_sd=0.5), [ln.ChainLead(0), ln.ChainLead(0)], kT=0.02)
    >>> response = ln.LinearResponse(system, [[0, 0, 1]], tolerance=1e-6)
    >>> response.susceptibility([0.0, 0.1]).shape  # at hbar w = 0 and 0.1 eV
    (2, 1, 3, 1, 3)
    """

    system: OpenSystem
    moments: Any
    tolerance: float | None = None

    def __post_init__(self) -> None:
        problems = Problems("LinearResponse")
        is_system = problems.check(isinstance(self.system, OpenSystem), "system", self.system, "an OpenSystem")
        moments = problems.moments("moments", self.moments, self.system.n_sites if is_system else None, bare=True)
        if self.tolerance is not None:
            problems.number("tolerance", self.tolerance, "None or a finite number > 0", lambda x: x > 0, smallest=0.0)
        if is_system:
            self._check_system(problems)
        problems.raise_all()
        object.__setattr__(self, "moments", moments)

    def _check_system(self, problems: Problems) -> None:
        system = self.system
        check_static(problems, system)
        problems.memory("system", system.n_sites, 2 * system.n_sites, "the response holds each level's pairs of sites")
        coldest = min(system.temperatures()[system.coupled_leads].tolist(), default=1.0)
        allowed = "> 0 with leads, in eV: the response is a sum over Fermi poles"
        problems.check(coldest > 0, "system.kT", coldest, allowed)

    def susceptibility(self, energies: Any) -> np.ndarray:
        """The susceptibility chi_{ia,jb} = d<s_i>^a/dM_jb at complex or real frequencies.

        Continued analytically from the upper half plane, where motion grows as exp(Im w t); in the lower one are the
        poles, excitations of the electrons. ``chi(-w^*) = chi(w)^*``.

        Parameters
        ----------
        energies : array_like, (...)
            hbar w in eV, real or complex.

        Returns
        -------
        ndarray of complex, (..., N, 3, N, 3)
            Dimensionless.

        Raises
        ------
        ValueError
            For anything but numbers, and at a real excitation energy between levels that no lead damps.
        """
        n, values = self.system.n_sites, self._numbers("susceptibility", "energies", energies, complex)
        flat = values.ravel().tolist()
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.array([self.expansion(w, 1)[0] for w in flat]).reshape(-1, n, 3, n, 3)
        infinite = ~np.isfinite(found).all(axis=(1, 2, 3, 4))
        if infinite.any():
            problems = Problems("LinearResponse.susceptibility")
            allowed = "not an excitation energy between levels that no lead damps"
            problems.add("energies", flat[int(np.argmax(infinite))], allowed)
            problems.raise_all()
        return found.reshape(*values.shape, n, 3, n, 3)

    @limited
    def expansion(self, energy: complex = 0.0, orders: int = 3) -> np.ndarray:
        """Taylor coefficients of chi in hbar w.

        Parameters
        ----------
        energy : complex, default 0.0
            hbar w in eV around which chi is expanded.
        orders : int, default 3
            Number of coefficients.

        Returns
        -------
        ndarray of complex, (orders, N, 3, N, 3)
            In 1/eV^order.
        """
        found = np.zeros((orders, *2 * (self.system.n_sites, 3)), dtype=complex)
        turned = (-1.0) ** np.arange(orders)[:, None, None, None, None]
        for weight, levels in self._levels:
            own = self._half(levels, complex(energy), orders)
            # The part with A^dag at -w^*: a derivative in w is minus the one in -w^*.
            other = own if energy == 0 else self._half(levels, -complex(energy).conjugate(), orders)
            found += weight * (own + turned * other.conj())
        return found

    @property
    def static(self) -> np.ndarray:
        """chi(0), (N, 3, N, 3)."""
        return self._at_rest[0].real

    def first_order(self) -> np.ndarray:
        """K, the response of slow motion in the velocities: delta<s> = K dM/dt.

        Returns
        -------
        ndarray, (N, 3, N, 3)
            In fs, as `ResponseTensors.response`.
        """
        return -HBAR * self._at_rest[1].imag

    def second_order(self) -> np.ndarray:
        """chi_2, what is next in slow motion: delta<s> = -chi_2 d^2M/dt^2.

        Returns
        -------
        ndarray, (N, 3, N, 3)
            In fs^2.
        """
        return HBAR**2 * self._at_rest[2].real

    def inertia(self) -> np.ndarray:
        """Inertia tensor I of the moments by the electrons: the symmetric part of J_i chi_2.

        The field conjugate to M, J <s>, gains -I d^2M/dt^2: an electronic mass, with kinetic energy Mdot.I.Mdot/2. (The
        antisymmetric part of J_i chi_2, zero in an equilibrium without dissipation, corrects the damping.) Of one
        moment and its electron without leads, I = hbar^2 <s>/(4 J) normal to M. It is there for motion slow against
        2J/hbar and the electrons' passage, not for the nutation that it would have by itself at the rate ``|spin of the
        moment|/I``: where that is fast, the whole of chi counts.

        Returns
        -------
        ndarray, (N, 3, N, 3)
            In eV fs^2.
        """
        full = np.asarray(self.system.electrons.j_sd)[:, None, None, None] * self.second_order()
        return 0.5 * (full + full.transpose(2, 3, 0, 1))

    @limited
    def memory_kernel(self, times: Any) -> np.ndarray:
        """Memory kernel K(t), the Fourier transform of chi: zero for t < 0, with a jump at t = 0.

        Parameters
        ----------
        times : array_like, (...)
            t in fs.

        Returns
        -------
        ndarray, (..., N, 3, N, 3)
            In 1/fs.

        Notes
        -----
        At the jump, with the antisymmetric tensor eps, ::

            K_{ia,jb}(0+) = -(2 J_j/hbar) delta_ij sum_c eps_abc <s_i>^c
        """
        n, values = self.system.n_sites, self._numbers("memory_kernel", "times", times, float)
        out = np.zeros((values.size, n, 3, n, 3))
        for k in np.flatnonzero(values.ravel() >= 0).tolist():
            out[k] = sum(w * self._kernel(levels, values.flat[k] / HBAR) for w, levels in self._levels)
        return out.reshape(*values.shape, n, 3, n, 3)

    @property
    def condition(self) -> float:
        """Condition number of the eigenvectors that are used, the largest of several."""
        return max(levels.condition for _, levels in self._levels)

    @property
    def lead_error(self) -> float:
        """Largest certified error of the kernels, ``max_t |K - K_fit|/|K(0)|`` (of fits careful at late times)."""
        strong = [c for c in self._poles.channels if c.strength]
        return max((c.error / c.strength for c in strong), default=0.0)

    @cached_property
    def _poles(self) -> PoleSystem:
        fine = FINEST if self.tolerance is None else self.tolerance
        strict = self.tolerance is not None
        return expand(self.system, fine, FERMI_TOLERANCE, tail_tolerance=fine, strict=strict, caps=(None,))

    @cached_property
    @limited
    def _levels(self) -> list[tuple[float, Levels]]:
        """Levels and their weights: of the device itself, or of devices beside it."""
        levels = self._levels_beside(0.0)
        if levels.condition <= ILL_CONDITIONED:
            return [(1.0, levels)]
        return [(w, self._levels_beside(sign * k * APART)) for k, w in BESIDE for sign in (1, -1)]

    def _levels_beside(self, distance: float) -> Levels:
        """Of H + distance P with some Hermitian P of norm 1."""
        system, size = self.system, 2 * self.system.n_sites
        if distance:
            rng = np.random.default_rng(0)
            matrix = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
            matrix += matrix.conj().T
            change = distance / np.linalg.norm(matrix, 2) * matrix
            electrons = replace(system.electrons, hamiltonian=system.electrons.hamiltonian + change)
            system = replace(system, electrons=electrons)
        if system.is_closed:
            return ClosedLevels.of(system.electrons.hamiltonian_at(self.moments), system.fermi_energy, system.kT)
        return OpenLevels.of(replace(self._poles, system=system), self.moments)

    def _half(self, levels: Levels, energy: complex, orders: int) -> np.ndarray:
        """Tr sigma_a P_i Q(w)[-J_j sigma_b P_j], (orders, N, 3, N, 3)."""
        n = self.system.n_sites
        traces = np.zeros((orders, n, n, 4, 4), dtype=complex)
        step = max(1, ENTRIES // (4 * n**2 * orders))
        for first in range(0, levels.energies.size, step):
            rows = slice(first, first + step)
            kets, bras = levels.right[:, rows].reshape(n, 2, -1), levels.left[rows].T.reshape(n, 2, -1)
            pairs = np.einsum("ipk,jtk->ijptk", kets, bras).reshape(n, n, 4, -1)
            for order, filled in enumerate(levels.filled(rows, energy, orders)):
                traces[order] += pairs @ filled.reshape(-1, n, 2, n, 2).transpose(3, 1, 0, 2, 4).reshape(n, n, -1, 4)
        whole = [np.einsum(PLACE, t.reshape(n, n, 2, 2, 2, 2), PAULI, PAULI, optimize=True) for t in traces]
        return -np.asarray(self.system.electrons.j_sd)[:, None] * np.array(whole)

    def _kernel(self, levels: Levels, time: float) -> np.ndarray:
        """2 Re Tr sigma_a P_i Q(t), Q(t) = -i exp(-iht) A F(t), per hbar, (N, 3, N, 3)."""
        n = self.system.n_sites
        forward, lesser = (m.reshape(n, 2, n, 2) for m in (levels.propagator(time), levels.lesser(time)))
        traces = np.einsum("asp,ipjt,btq,jqis->iajb", PAULI, forward, PAULI, lesser, optimize=True)
        return -2 / HBAR * traces.imag * np.asarray(self.system.electrons.j_sd)[:, None]

    @cached_property
    def _at_rest(self) -> np.ndarray:
        return self.expansion(0.0, 3)

    def _numbers(self, method: str, field: str, value: Any, dtype: type) -> np.ndarray:
        problems, found = Problems(f"LinearResponse.{method}"), as_numbers(value, dtype)
        finite = found is not None and bool(np.isfinite(found).all())
        problems.check(finite, field, value, f"finite numbers, {dtype.__name__}")
        problems.raise_all()
        assert found is not None
        return found
