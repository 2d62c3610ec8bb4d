"""Right-hand sides with moments that answer: electrons and LLG equation as one state, and moments alone.

Nothing is staggered: torque and field of an instant come from the state of that instant, so the coupled scheme has the
order of the integrator.
"""

from __future__ import annotations

import numpy as np

from llgnegf._compile import kernel
from llgnegf.equations import protocol
from llgnegf.equations.electrons import Equation
from llgnegf.equations.kernels.electrons import electronic_rhs, sd_torque
from llgnegf.equations.layout import Layout
from llgnegf.poles.channels import PoleSystem
from llgnegf.problem.drives import Drive
from llgnegf.problem.magnetism.llg import llg_kernel, spin_transfer_kernel
from llgnegf.problem.magnetism.magnet import CompiledMagnet, Magnet
from llgnegf.units import HBAR


def pack_magnet(compiled: CompiledMagnet, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The constants of the LLG equation in one integer and one float array, as `moment_rate` takes them."""
    data, indices, indptr = compiled.arrays
    cubic = compiled.energy.cubic_constants
    integers = np.concatenate([[data.size, len(cubic)], indptr, indices, free])
    axes = compiled.energy.cubic_axes
    numbers = np.concatenate([data, compiled.prefactor, compiled.damping, cubic.ravel(), axes.ravel()])
    return integers.astype(np.int64), numbers.astype(float)


@kernel()
def moment_rate(integers, numbers, moments, linear, torque, out):  # type: ignore[no-untyped-def]
    """dM/d(t/hbar) into `out` (N, 3) by `llg_kernel`, for constants from `pack_magnet`; torque in eV."""
    n, nnz, cubic = moments.shape[0], integers[0], integers[1]
    indptr, indices = integers[2 : 3 + 3 * n], integers[3 + 3 * n : 3 + 3 * n + nnz]
    a, b, c = nnz + n, nnz + 2 * n, nnz + 2 * n + cubic * n
    llg_kernel(
        moments, numbers[:nnz], indices, indptr, linear, numbers[b:c].reshape(cubic, n),
        numbers[c:].reshape(cubic, 3, 3), torque, numbers[nnz:a], numbers[a:b], integers[3 + 3 * n + nnz :], out,
    )  # fmt: skip
    for i in range(n):
        for k in range(3):
            out[i, k] *= HBAR


@kernel()
def coupled_rhs(  # type: ignore[no-untyped-def]
    integers, numbers, magnet_integers, magnet_numbers, moments, linear, torque, voltage, scratch, state, derivative
):
    """`electronic_rhs` and the LLG equation under its torque, in one call; `torque` (N, 3) holds the external ones."""
    electronic_rhs(integers, numbers, moments, voltage, scratch, state, derivative)
    n, n_complex = 2 * moments.shape[0], integers[5]
    columns, first = n + integers[4], 2 * n_complex
    last = first + 3 * moments.shape[0]
    j_sd = numbers[numbers.size - moments.shape[0] :]
    sd_torque(n, columns, state[:n_complex], state[n_complex:first], j_sd, moments, torque)
    out = derivative[first:last].reshape(moments.shape[0], 3)
    moment_rate(magnet_integers, magnet_numbers, moments, linear, torque, out)


@kernel()
def normalise_free(moments, free):  # type: ignore[no-untyped-def]
    """|M_i| = 1 in place where free_i; a length that is 1 to round-off keeps its bits."""
    for i in range(free.size):
        length = np.sqrt(moments[i, 0] ** 2 + moments[i, 1] ** 2 + moments[i, 2] ** 2)
        if free[i] and abs(length - 1.0) > 4e-16:
            for k in range(3):
                moments[i, k] /= length


class _Moments:
    """The LLG part of a right-hand side: what it needs besides moments and the electrons' torque."""

    def __init__(self, magnet: Magnet) -> None:
        self.compiled = magnet.compile()
        self.free = np.array(self.compiled.moving)
        self.packed = pack_magnet(self.compiled, self.free)
        self.torque = np.zeros((magnet.n_sites, 3))
        self._placed = np.array(magnet.moments, dtype=float)

    def at(self, tau: float, moments: np.ndarray) -> np.ndarray:
        """M with prescribed moments in place; the array belongs to this object unless all are free or pinned."""
        if self.compiled.prescribed is None:
            return moments
        self._placed[:] = moments
        self.compiled.place(tau * HBAR, self._placed)
        return self._placed

    def external(self, tau: float, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Linear energies b (eV) and the torques of external currents (eV) at t/hbar = tau, (N, 3) each."""
        c = self.compiled
        self.torque[:] = 0.0
        if c.torques:
            a = c.amplitudes(tau * HBAR)
            spin_transfer_kernel(
                moments, a.damping_like, a.field_like, a.drift, a.nonadiabatic, c.prefactor, self.torque
            )
        return c.energy.linear(tau * HBAR), self.torque

    def normalise(self, moments: np.ndarray) -> None:
        """|M| = 1 of free moments: an error in the length, of the order of a step's local error, is removed."""
        normalise_free(moments, self.free)


class CoupledEquation(Equation):
    """d(state)/d(t/hbar) of electrons and moments that obey the LLG equation under the electrons' torque.

        dM_i/dt = (a_i + lambda M_i x a_i)/(1 + lambda^2),  a_i = -g M_i x B_i + (g/mu_i) (T_ext + J_sd <s_i> x M_i)

    with the full spin density <s_i> of rho(t), its adiabatic part included.
    """

    def __init__(self, poles: PoleSystem, magnet: Magnet) -> None:
        super().__init__(poles, None, n_moments=magnet.n_sites)
        self.magnet = magnet
        self._llg = _Moments(magnet)

    def drives(self) -> tuple[Drive, ...]:
        """Those of the leads and of the magnet."""
        return (*self.system.drives(), *self.magnet.drives())

    def moments_at(self, tau: float, free: np.ndarray) -> np.ndarray:
        return self._llg.at(tau, free)

    def __call__(self, tau: float, state: np.ndarray, derivative: np.ndarray) -> None:
        self.evaluations += 1
        moments = self.moments_at(tau, self.layout.moments(state))
        coupled_rhs(
            self.arrays.integers, self.arrays.numbers, *self._llg.packed, moments, *self._llg.external(tau, moments),
            self.channel_voltages(tau), self._scratch, state, derivative,
        )  # fmt: skip

    def normalise(self, moments: np.ndarray) -> None:
        """Restore |M| = 1 in place, (N, 3); pinned and prescribed moments are left as they are."""
        self._llg.normalise(moments)

    def project(self, state: np.ndarray) -> None:
        """Restore |M| = 1 in an accepted state."""
        self.normalise(self.layout.moments(state))


class ClassicalEquation(protocol.Equation):
    """d(state)/d(t/hbar) of moments alone; the state is M, (3 N,)."""

    time_unit = HBAR

    def __init__(self, magnet: Magnet) -> None:
        self.magnet = magnet
        self.layout = Layout(0, (), 0, magnet.n_sites, 0)
        self.size, self.sections = self.layout.size, self.layout.sections
        self._llg = _Moments(magnet)
        self.evaluations = 0

    def drives(self) -> tuple[Drive, ...]:
        """Those of the magnet."""
        return self.magnet.drives()

    def moments_at(self, tau: float, free: np.ndarray) -> np.ndarray:
        """M at t/hbar = tau, (N, 3), from the moments in the state."""
        return self._llg.at(tau, free)

    def __call__(self, tau: float, state: np.ndarray, derivative: np.ndarray) -> None:
        """Write dM/d(t/hbar) into `derivative`."""
        self.evaluations += 1
        moments = self.moments_at(tau, self.layout.moments(state))
        external = self._llg.external(tau, moments)
        moment_rate(*self._llg.packed, moments, *external, self.layout.moments(derivative))

    def normalise(self, moments: np.ndarray) -> None:
        """Restore |M| = 1 in place, (N, 3); pinned and prescribed moments are left as they are."""
        self._llg.normalise(moments)

    def project(self, state: np.ndarray) -> None:
        """Restore |M| = 1 in an accepted state."""
        self.normalise(self.layout.moments(state))
