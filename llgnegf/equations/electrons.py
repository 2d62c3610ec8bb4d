"""The equations of motion of electrons (and, when they are free, moments) as one right-hand side.

Electrons, hbar = 1 (physics of auxiliary modes: the leads' memory kernel C^<_q(t) is a sum of exponentials, so the
integrals of Sigma^< and Sigma over the past obey ordinary differential equations). With n device states, modes y of
channel q, s_y = sqrt|b_y|, kappa_y = b_y/s_y, device vector u_q:

    h(t) = [[H(t), u_q s_y], [kappa_y u_q^dag, diag(chi_y + V_p)]]
    dC/dt = -i (h C - C h^dag) + D + sum_q (-i u_q S_q^dag + i S_q u_q^dag),     S_q = sum_k v_k  (k of channel q)
    D     = sum_{q,y} ( -i (b_y f(chi_y)/s_y)^* u_q e_y^dag + h.c. )
    dv_k/dt = -i (h - z_k^* - V_p) v_k - i c_k u_q,     c_k = (i r_k Gamma_q(z_k))^*

A wide-band channel has no modes: h gets -i Gamma/2 u u^dag on the device, and dC/dt the delta part of C^<,
+ (Gamma/2) u u^dag. The device block of C is rho(t); P_q = sum_y s_y C_{device,y} + S_q gives every current,
d rho/dt|_leads = sum_q (-i u_q P_q^dag + i P_q u_q^dag).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from llgnegf.equations.kernels.electrons import electronic_rhs, pack_constants
from llgnegf.equations.layout import Layout
from llgnegf.poles.channels import PoleSystem, spectral_bounds
from llgnegf.problem.drives import Drive
from llgnegf.units import HBAR

LARGE_ENERGY = 30.0
"""Device levels (eV) from which on the outflow of energy is watched relative to them."""


class MovingMoments(Protocol):
    """Moments whose motion is prescribed."""

    def moments(self, time: float) -> np.ndarray:
        """M(t), shape (N, 3), at `time` in fs."""

    def drives(self) -> tuple[Drive, ...]:
        """What changes in time."""


def csr_planes(matrix: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(indptr, index, real, imag) of a sparse matrix, contiguous, for the compiled kernels."""
    csr = matrix.tocsr()
    data = csr.data.astype(complex)
    return (
        csr.indptr.astype(np.int64), csr.indices.astype(np.int64),
        np.ascontiguousarray(data.real), np.ascontiguousarray(data.imag),
    )  # fmt: skip


class ElectronArrays:
    """The constants of the electronic equation in the form that the compiled kernel takes."""

    def __init__(self, poles: PoleSystem, n_moments: int = 0) -> None:
        system = poles.system
        channels = poles.channels
        self.n = 2 * system.n_sites
        self.n_leads = len(system.leads)
        ham = csr_planes(system.electrons.hamiltonian)
        vectors = _sparse_rows([c.vector for c in channels], self.n)
        chi = _joined([c.energies for c in channels])
        b = _joined([c.weights for c in channels])
        s = np.sqrt(np.abs(b))
        kappa = b / s
        offset = np.cumsum([0] + [c.energies.size for c in channels])
        self.chi, self.kappa, self.s, self.offset = chi, kappa, s, offset
        self.mode_channel = np.repeat(np.arange(len(channels)), np.diff(offset))
        mu = system.chemical_potentials() - system.voltages()
        z, c, f, first = [], [], [], [0]
        for channel in channels:
            assert poles.fermi is not None
            zq, rq = poles.fermi.poles(mu[channel.lead], system.kT)
            z.append(zq)
            c.append((1j * rq * channel.broadening(zq)).conj())
            f.append(poles.occupation(channel.energies, mu[channel.lead]))
            first.append(first[-1] + zq.size)
        self.z, self.c, self.first = _joined(z), _joined(c), np.array(first)
        self.vector_channel = np.repeat(np.arange(len(channels)), np.diff(self.first))
        self.d = (b * _joined(f) / s).conj()
        self.wide = np.array([channel.wide_band for channel in channels], dtype=float)
        self.lead = np.array([channel.lead for channel in channels], dtype=np.int64)
        levels = np.concatenate([[*_planes(chi), *_planes(kappa), s, *_planes(self.d)], self._vector_levels()], axis=1)
        bounds = (offset, chi.size + self.first)
        self.layout = Layout(self.n, tuple(np.diff(offset).tolist()), self.z.size, n_moments, self.n_leads)
        self.integers, self.numbers = pack_constants(
            ham, vectors, bounds, levels, self.wide, self.lead, system.electrons.j_sd, self.layout.n_complex,
            self.n_leads,
        )  # fmt: skip

    def _vector_levels(self) -> np.ndarray:
        """The Fermi vectors as levels of the kernel: energy z, kappa = 0, s = 1, source c, (7, K)."""
        zero, one = np.zeros(self.z.size), np.ones(self.z.size)
        return np.array([*_planes(self.z), zero, zero, one, *_planes(self.c)])


class Equation:
    """d(state)/d(t/hbar) of electrons whose moments move as prescribed.

    Args:
        poles: The open system in poles.
        motion: What gives M(t).

    The state is laid out by `layout`; times are t/hbar in 1/eV.
    """

    def __init__(self, poles: PoleSystem, motion: MovingMoments | None, n_moments: int = 0) -> None:
        self.poles = poles
        self.system = poles.system
        self.motion = motion
        self.arrays = a = ElectronArrays(poles, n_moments)
        self.layout = a.layout
        self._scratch = np.zeros(
            3 * (a.chi.size + a.z.size) + 4 * a.lead.size * self.layout.columns + 3 * self.system.n_sites
        )
        self._moments = np.zeros((self.system.n_sites, 3))
        self._time_dependent = any(lead.drives() for lead in self.system.leads)
        self._voltage = self.system.voltages(0.0)[a.lead]
        self.evaluations = 0

    def moments_at(self, tau: float, free: np.ndarray) -> np.ndarray:
        """M at t/hbar = tau, (N, 3); `free` are the moments that are part of the state (none here)."""
        assert self.motion is not None
        return self.motion.moments(tau * HBAR)

    def channel_voltages(self, tau: float) -> np.ndarray:
        """V of every channel at t/hbar = tau, in eV."""
        return self.system.voltages(tau * HBAR)[self.arrays.lead] if self._time_dependent else self._voltage

    def __call__(self, tau: float, state: np.ndarray, derivative: np.ndarray) -> None:
        """Write d(state)/d(t/hbar) at t/hbar = tau into `derivative`."""
        self.electrons(tau, state, self.moments_at(tau, state[:0]), derivative)

    def electrons(self, tau: float, state: np.ndarray, moments: np.ndarray, derivative: np.ndarray) -> None:
        """The electronic part of the derivative, and the outflow into the leads."""
        self.evaluations += 1
        a = self.arrays
        self._moments[:] = moments  # one type of array for the compiled function, whatever the motion hands over
        electronic_rhs(
            a.integers, a.numbers, self._moments, self.channel_voltages(tau), self._scratch, state, derivative
        )

    def fastest_rates(self, implicit: bool = False) -> tuple[float, float]:
        """Bounds (eV) on |rate| of all that turns and of all that is damped: what an explicit step must follow.

        Matrix elements of C turn with differences of levels within the spectrum. Fermi vectors obey h - z_k^*; the
        levels of h are in the spectrum or close to the modes chi, whose own damping adds to that of the pole. With
        `implicit` the damping of the poles is left to the method.
        """
        a, shifts = self.arrays, self.poles.voltages
        low, high = spectral_bounds(self.system, shifts)
        if a.z.size == 0:
            return float(high - low), 0.0
        lead_x, lead_z = a.lead[a.mode_channel], a.lead[a.vector_channel]
        z = a.z.real + 0j if implicit else a.z
        mu = a.z.real[:, None] + shifts[lead_z]
        reach = np.abs([low - mu, high - mu]).max() if implicit else self.poles.spectral_range
        far = np.hypot(reach, np.abs(z.imag)).max()
        other = lead_x[:, None] != lead_z  # levels of one lead move together
        across = [other * (shifts[lead_x, i][:, None] - shifts[lead_z, 1 - i]) for i in (0, 1)]
        damped = [np.abs(a.chi[:, None] - z.conj() + v).max(initial=0.0) for v in across]
        return float(high - low), float(max(far, *damped))

    def error_scale(self) -> np.ndarray | None:
        """What errors count in the step control, (layout.size,); None: all alike.

        The energy that has left is as large as the levels are: far from zero its error is taken relative to them, since
        absolute energies are gauge.
        """
        size = float(abs(self.system.electrons.hamiltonian).sum(axis=1).max())
        if size <= LARGE_ENERGY or not self.system.leads:
            return None
        scale = np.ones(self.layout.size)
        self.layout.outflow(scale)[:, 4] /= size
        return scale

    def stiff_rates(self) -> np.ndarray:
        """Decay rates Im z_k^* of the Fermi vectors, on their components of the state, (layout.size,)."""
        layout, a = self.layout, self.arrays
        rates = np.zeros(layout.size)
        for plane in layout.electrons(rates):
            device = plane[: a.n * layout.columns].reshape(a.n, layout.columns)
            device[:, a.n + a.chi.size :] = -a.z.imag
            for (_, here), count in zip(layout.blocks, layout.modes, strict=True):
                plane[here] = np.repeat(-a.z.imag, count)
        return rates

    def lead_operators(self, state: np.ndarray) -> np.ndarray:
        """P_q of every channel, (Q, n): d rho/dt|_q = -i u_q P_q^dag + i P_q u_q^dag."""
        a = self.arrays
        device = self.layout.device(state)
        n, m = a.n, a.chi.size
        operators = np.zeros((a.lead.size, n), dtype=complex)
        for q, channel in enumerate(self.poles.channels):
            y = slice(n + a.offset[q], n + a.offset[q + 1])
            k = slice(n + m + a.first[q], n + m + a.first[q + 1])
            operators[q] = device[:, y] @ a.s[a.offset[q] : a.offset[q + 1]] + device[:, k].sum(axis=1)
            u = channel.vector
            operators[q] += 0.5j * channel.wide_band * (device[:, :n] @ u - 0.5 * u)
        return operators


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=complex)


def _planes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(values.real), np.ascontiguousarray(values.imag)


def _sparse_rows(vectors: list[np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The device vectors u_q as (indptr, index, real, imag), one row for each channel."""
    index = [np.flatnonzero(u) for u in vectors]
    data = _joined([u[i].astype(complex) for u, i in zip(vectors, index, strict=True)])
    indptr = np.cumsum([0] + [i.size for i in index])
    flat = np.concatenate(index) if index else np.zeros(0, dtype=np.int64)
    return indptr.astype(np.int64), flat.astype(np.int64), *_planes(data)
