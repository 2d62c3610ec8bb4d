"""Electrons, moments and beside them the propagator of the extended Hamiltonian: what two-time functions are made of.

C(t, t')_ab = <c_b^dag(t') c_a(t)> is hbar G^<(t, t') = i C. With h, z_k and v_k of `equations.electrons`, rows over
device and modes, columns on the device, and hbar = 1,

    dC(t, t')/dt = -i h(t) C(t, t') - i sum_k u_a(k) w_k(t, t'),      dw_k/dt = -i [z_k + V(t)] w_k,      t > t',
    C(t', t') = the columns of the run's C(t'),      w_k(t', t') = v_k(t')^dag on the device.

That is the Kadanoff-Baym equation i dG^</dt = H G^< + Sigma^R G^< + Sigma^< G^A in modes: for s < t' < t the
self-energy Sigma^<(t, s) is a sum of exponentials in t. Those of modes, sum_y U_y f(chi_y) W_y^dag e^{-i chi_y (t-s)},
go on as mode rows that h turns, from what the run has there at t'. Those of the Fermi poles, e^{-i z_k (t-s)}, leave
i c_k^dag int^t' ds u^dag U(t', s)^dag e^{-i z_k (t'-s)} = v_k(t')^dag. The source D of the run and the delta function
of a wide band act at s = t, beyond t': not here. And hbar G^R(t, t') = -i U(t, t') on the device, t > t', with

    dU/dt = -i h(t) U,    U(t', t') = 1.

All t' have one h: the equation carries the columns of one propagator over device, modes and w, which is started anew at
every time that is wanted, and products take every C(., t') and U(., t') from one time to the next.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.protocol import Section
from llgnegf.problem.electrons import PAULI
from llgnegf.units import HBAR


class PropagatorEquation(ElectronEquation):
    """d(state)/d(t/hbar) of a run, then of X (n + M, n + M + K) and of the amplitudes e (K,) of its sources.

        dX/dt = -i (h - E_0) X - i sum_k u_a(k) e_k on column n + M + k,    de_k/dt = -i (z_k + V - E_0) e_k

    X = (1, 0) and e = 1 at the start of an interval (`restarted`). E_0, the middle of the spectrum, only slows the
    phases down.

    Args:
        run: The equation of the run, with what moves and any thermal field of a bath.
        interval, span: How long X is carried on, and all intervals together, fs.
    """

    def __init__(self, run: ElectronEquation, interval: float, span: float) -> None:
        super().__init__(run.poles, run.motion, None if run.llg is None else run.llg.thermal)
        self._lasting = interval / HBAR, span / HBAR
        a = self.levels
        self.middle = 0.5 * sum(self.poles.bounds)
        self.shape = (a.n + a.chi.size, a.n + a.chi.size + a.z.size)
        start, size = self.layout.size, 2 * (self.shape[0] * self.shape[1] + a.z.size)
        self.size = start + size
        self.sections = (*self.layout.sections, Section("propagator", start, self.size))
        self._out, self._wide = a.vectors.conj().T, -0.5j * a.wide
        self._into, self._sources = a.right.conj().T, a.vectors[:, a.vector_orbital]
        self._static = None if self._device is not None else self.system.electrons.frozen().hamiltonian.astype(complex)

    def restarted(self, state: np.ndarray) -> np.ndarray:
        """The state of a run, or of this equation, with X = (1, 0) and e = 1, as a new vector."""
        x, e = np.eye(*self.shape, dtype=complex), np.ones(self.levels.z.size, dtype=complex)
        return np.concatenate([state[: self.layout.size], *(part.ravel().view(float) for part in (x, e))])

    def propagator(self, state: np.ndarray, interval: float) -> tuple[np.ndarray, np.ndarray]:
        """X and e of an interval (hbar/eV) that ends in `state`, with the phase of E_0."""
        x, e = self._parts(state)
        phase = np.exp(-1j * self.middle * interval)
        return phase * x, phase * e

    def _parts(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Views of X and e."""
        numbers = state[self.layout.size :].view(complex)
        return numbers[: self.shape[0] * self.shape[1]].reshape(self.shape), numbers[self.shape[0] * self.shape[1] :]

    def __call__(self, tau: float, state: np.ndarray, derivative: np.ndarray) -> None:
        run = slice(self.layout.size)
        super().__call__(tau, state[run], derivative[run])
        (x, e), (dx, de) = self._parts(state), self._parts(derivative)
        a, n, voltages = self.levels, self.levels.n, self.system.voltages(tau * HBAR)
        ends, device = self._out @ x[:n], self._device_hamiltonian(tau, state)
        dx[:n] = device @ x[:n] + a.vectors @ (self._wide[:, None] * ends + a.left @ x[n:])
        dx[:n] += self._exchange(tau, state, x[:n])
        dx[:n, self.shape[0] :] += self._sources * e
        dx[n:] = self._into @ ends + (a.chi + voltages[a.mode_lead])[:, None] * x[n:]
        dx -= self.middle * x
        de[:] = (a.z + voltages[a.vector_lead] - self.middle) * e
        dx *= -1j
        de *= -1j

    def stages(self) -> None:
        """None: what stands beside the run is not compiled."""
        return

    def _device_hamiltonian(self, tau: float, state: np.ndarray) -> sparse.csr_array:
        """H(t, rho) without the moments."""
        device = self.system.electrons.device
        if self._static is not None:
            return self._static
        blocks = None
        if device.mean_fields:
            blocks = self.layout.site_blocks(state)
        return device.matrix(tau * HBAR, blocks)

    def _exchange(self, tau: float, state: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """-J_i sigma.M_i x of device columns x (n, ...)."""
        moments = self.on_electrons(self.moments_at(tau, self.layout.moments(state)))
        fields = -self.system.electrons.j_sd_at(tau * HBAR)[:, None] * moments
        blocks = np.einsum("ia,ast->ist", fields, PAULI)
        return np.matmul(blocks, columns.reshape(len(fields), 2, -1)).reshape(columns.shape)

    def jump(self, before: float, after: float, state: np.ndarray) -> None:
        super().jump(before, after, state[: self.layout.size])

    def fastest_rates(self, implicit: bool = False) -> tuple[float, float]:
        """As in a run; the amplitudes e turn and decay with z_k + V - E_0."""
        turning, damped = super().fastest_rates(implicit)
        z = self.levels.z.real + 0j if implicit else self.levels.z
        shifts = self.poles.voltages[self.levels.vector_lead] - self.middle
        return turning, float(np.abs(z[:, None] + shifts).max(initial=damped))

    def error_scale(self) -> np.ndarray:
        """As in a run; an error of a column of w_k lasts as long as w_k does, not to the end, and counts |w_k|.

        |v_k| <= |c_k|/|Im z_k| on the device, since no column of U grows. The sum over the intervals of
        exp(-|Im z_k| t) is at most 1 + 1/(|Im z_k| interval).
        """
        scale, (interval, span), decay = np.ones(self.size), self._lasting, -self.levels.z.imag
        run = super().error_scale()
        scale[: self.layout.size] = 1.0 if run is None else run
        counts = np.minimum(1.0, np.linalg.norm(self.levels.c, axis=0) / decay)
        counts *= np.minimum(1.0, (interval + 1 / decay) / span)
        x, e = self._parts(scale)
        x.fill(1 + 1j)
        x[:, self.shape[0] :] *= counts
        e[:] = (1 + 1j) * counts
        return scale

    def stiff_rates(self) -> np.ndarray:
        amplitudes = np.repeat(-self.levels.z.imag, 2)
        columns = np.zeros(self.size - self.layout.size - amplitudes.size)
        return np.concatenate([super().stiff_rates(), columns, amplitudes])
