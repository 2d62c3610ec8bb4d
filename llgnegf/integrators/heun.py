"""Heun's rotation with noise: slow moments with the thermal noise of their friction, on the sphere; its random stream.

Equation of motion. With F = H + Omega, Gamma = friction + lambda/p and the symplectic part Q = C^-1 + geometric, both
taken between tangent vectors (C v = -p M x v is antisymmetric, so Q is too),
    (Q + Gamma) dM/dt = -dF/dM + b,     <b_ia(t) b_jb(t')> = 2 kT Gamma_{ia,jb} delta(t - t').
R = (Q + Gamma)^-1 gives dM/dt = R (-dF/dM + b), and R Gamma R^T is the symmetric part of R, so the noise of M is
2 kT R_s: fluctuation and dissipation match. The density P = exp(-F/kT) on the product of spheres is stationary if the
probability current is -R (P dF/dM + kT dP/dM), i.e. if the Ito equation on the sphere has the drift
    -R dF/dM + kT div R,     (div R)_i = sum_j dR_ij/dM_j,
a spurious drift. In Stratonovich form with noise amplitude B = R sigma, sigma sigma^T = 2 kT Gamma, what remains of it
is kT dR^a_ij/dM_j + B_ik dB_jk/dM_j/2. For a damping that does not depend on M both terms vanish (M x . has no
divergence, and the divergence of M x (M x .) is along M): the usual Stratonovich LLG equation. Friction and geometric
tensors of several moments depend on M, and there the drift is needed; without it exp(-F/kT) is not sampled. (The
geometric tensor enters as well: alone it would change the invariant volume of phase space.)

Out of equilibrium, electrons under bias, the noise Sigma, <b b> = Sigma delta, is not 2 kT Gamma, and there is no
density to ask for. The drift is that of the limit of small mass, where the velocity in m dv/dt = F - A v + b,
A = Q + Gamma, is fast: at fixed M it is Gaussian with m <v v^T> = J, and (S. Hottovy, A. McDaniel, G. Volpe, J. Wehr,
Commun. Math. Phys. 336, 1259 (2015), in Ito's sense)
    dM = (R F + S) dt + R sqrt(Sigma) dW,    S_i = sum_jl dR_ij/dM_l J_jl,    A J + J A^T = Sigma,
or R J + J R^T = R Sigma R^T, which is what is solved. F is the whole field, the torque of the stationary state in it.
In equilibrium J = kT 1, since A + A^T = 2 Gamma, and S = kT div R. On spheres the same holds with an isotropic mass: in
coordinates that are normal at M nothing else stands in the equations there, and dR/dM is the covariant derivative, the
tangential part of what R changes by along a geodesic. S is the mean of [R(M + delta W) - R(M)] J W/delta.
Where A has an eigenvalue of negative real part v grows, and there is no such limit: a run with noise stops there.

One step of length h: deterministic drift by Heun's method, noise and spurious drift at its start, all of them rotation
vectors that are added and applied as one rotation, so |M| = 1; weak order 1, deterministic order 2. A rotation by a
normal vector is a geodesic step, for which Ito's drift on the sphere has no further terms. div R is estimated by
    kT div R = < kT/delta [R(M + delta W) - R(M)] W >,     W standard normal in the tangent space
(random finite difference, S. Delong et al., J. Chem. Phys. 140, 134110 (2014): unbiased up to delta^2, its noise is of
order h^2 in a step).

Random numbers: step number k takes them from Philox4x64 with the seed as its key and k in its counter, so they do not
depend on where a run was interrupted.
"""

from __future__ import annotations

import numpy as np

from llgnegf.equations.slow import ROUND_OFF, Instant, SlowEquation, cross, rotate
from llgnegf.integrators.integration import IntegrationStopped
from llgnegf.integrators.schedule import FREE, Schedule
from llgnegf.static.contour import adjoint

DISPLACEMENT = 1e-3
"""delta (rad) of the random finite difference."""


class Noise:
    """The random rotations of steps, those of a step the same whenever it is made.

    Args:
        equation: The equation of motion.
        kT: Thermal energy in eV of Gilbert's damping, and of electrons in equilibrium; > 0 unless the noise is that of
            electrons under bias.
        seed: Key of the random stream, an integer >= 0.
    """

    def __init__(self, equation: SlowEquation, kT: float, seed: int) -> None:
        self.equation, self.kT, self.seed = equation, kT, seed
        self._gilbert = np.where(equation.moving, equation.magnet.damping / equation.magnet.prefactor, 0.0)
        self._has_drift = equation.electrons is not None and (equation.friction or equation.geometric)

    def kick(self, number: int, time: float, start: Instant, length: float) -> np.ndarray:
        """Rotation vectors of step `number` (rad), (B, N, 3): noise and spurious drift at its start.

        Raises:
            IntegrationStopped: Where the friction of electrons under bias lets a motion of the moments grow.
        """
        m = start.moments
        random = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, number]))
        normal = random.standard_normal(m.shape)
        if start.noise is None:
            moved = np.sqrt(2 * self.kT * length) * start.answer(self.correlated(start, normal))
        else:
            moved = np.sqrt(length) * start.answer(_root(self._correlator(start), normal))
        if self._has_drift:
            moved = moved + length * self.spurious_drift(time, start, random.standard_normal(m.shape))
        return cross(m, moved)

    def correlated(self, start: Instant, normal: np.ndarray) -> np.ndarray:
        """sqrt(Gamma) W for standard normal W, (B, N, 3), in sqrt(eV fs): the noise of an equilibrium, over 2 kT."""
        if start.friction is None or not self.equation.friction:
            return np.sqrt(self._gilbert)[:, None] * normal
        return _root(start.friction + np.diag(np.repeat(self._gilbert, 3)), normal)

    def spurious_drift(self, time: float, start: Instant, normal: np.ndarray) -> np.ndarray:
        """One sample of S, in equilibrium kT div R, (B, N, 3) in 1/fs."""
        m = start.moments
        moving = self.equation.moving[:, None]
        tangent = np.where(moving, normal - np.sum(normal * m, axis=-1, keepdims=True) * m, 0.0)
        displaced = self.equation.instant(time, m + DISPLACEMENT * tangent)
        if start.noise is None:
            return self.kT / DISPLACEMENT * (displaced.answer(tangent) - start.answer(tangent))
        kinetic = self._kinetic(time, start) @ tangent.reshape(len(m), -1, 1)
        field = kinetic.reshape(m.shape)
        return (displaced.answer(field) - start.answer(field)) / DISPLACEMENT

    def _correlator(self, start: Instant) -> np.ndarray:
        """Sigma in eV^2 fs, (B, 3n, 3n), of electrons under bias and Gilbert's damping."""
        assert start.noise is not None
        return start.noise + np.diag(2 * self.kT * np.repeat(self._gilbert, 3))

    def _kinetic(self, time: float, start: Instant) -> np.ndarray:
        """J in eV, (B, 3n, 3n)."""
        t, mobility = start.tangents, start.mobility
        turned = np.swapaxes(t, 1, 2)
        values, vectors = np.linalg.eig(mobility)
        # R J + J R^T = R Sigma R^T between eigenvectors of R.
        left = np.linalg.inv(vectors) @ mobility @ turned
        between = left @ self._correlator(start) @ adjoint(left)
        noise = np.einsum("bkk->bk", between).real
        # A motion that nothing damps and no noise reaches, of a moment without electrons or damping, has no velocity.
        still = (np.abs(values.real) <= ROUND_OFF * np.abs(values)) & (noise <= ROUND_OFF * noise.max(1, keepdims=True))
        if (~still & (values.real <= 0)).any():
            allowed = "allowed with noise: friction and damping that let every motion decay"
            raise IntegrationStopped(f"stopped at t = {time:.6g} fs: {start.least_damped()[1]}; {allowed}")
        rates = values[:, :, None] + values[:, None, :].conj()
        between = between / np.where(still[:, :, None] | still[:, None, :], np.inf, rates)
        return t @ (vectors @ between @ adjoint(vectors)).real @ turned


def _root(matrices: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The symmetric root of matrices (B, 3N, 3N) >= 0 times vectors (B, N, 3).

    It is a continuous function of the matrix: eigenvectors by themselves have signs and, where eigenvalues meet,
    directions of their own, and the path of a seed would hang on round-off.
    """
    values, vectors = np.linalg.eigh(matrices)
    along = np.swapaxes(vectors, -1, -2) @ normal.reshape(len(normal), -1, 1)
    # Round-off makes zero eigenvalues slightly negative.
    return (vectors @ (np.sqrt(np.maximum(values, 0.0))[..., None] * along)).reshape(normal.shape)


class Heun:
    """Fixed steps of B copies of the moments with noise; a `stepper.Stepper`.

    Args:
        noise: The random rotations, and the equation of motion.
        schedule: Drives are asked on this side of their discontinuities.
    """

    def __init__(self, noise: Noise, schedule: Schedule = FREE) -> None:
        self.noise, self.equation, self.schedule = noise, noise.equation, schedule
        self._number = 0

    def step(self, time: float, state: np.ndarray, length: float, out: np.ndarray) -> float:
        """As `Stepper.step`, for states (3 B N,)."""
        begin, end = self.schedule.within(time, np.array([time, time + length]))
        start = self.equation.instant(begin, state.reshape(-1, self.equation.magnet.n_sites, 3), noise=True)
        m, first = start.moments, cross(start.moments, start.velocity)
        kick = self.noise.kick(self._number, begin, start, length)
        then = self.equation.instant(end, rotate(length * first + kick, m))
        second = cross(then.moments, then.velocity)
        turned = rotate(0.5 * length * (first + second) + kick, m)
        out[:] = self.equation.place(end, turned).ravel()
        return 0.0

    def forget(self, accepted: int) -> None:
        """The number of steps is the position in the random stream."""
        self._number = accepted
