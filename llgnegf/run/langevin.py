"""Langevin dynamics: slow moments with the thermal noise of their friction, on the sphere, with a counter-based stream.

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

One step of length h: deterministic drift by Heun's method, noise and spurious drift at its start, all of them rotation
vectors that are added and applied as one rotation, so |M| = 1; weak order 1, deterministic order 2. A rotation by a
normal vector is a geodesic step, for which Ito's drift on the sphere has no further terms. div R is estimated by
    kT div R = < kT/delta [R(M + delta W) - R(M)] W >,     W standard normal in the tangent space
(random finite difference: unbiased up to delta^2, its noise is of order h^2 in a step).

Random numbers: step number k takes them from Philox4x64 with the seed as its key and k in its counter, so they do not
depend on where a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llgnegf.equations.slow import Instant, SlowEquation, cross
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.system import OpenSystem
from llgnegf.run.options import RESPONSES
from llgnegf.run.progress import keeping, reporting

DISPLACEMENT = 1e-3
"""delta (rad) of the random finite difference."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Independent runs of the same moments.

    Attributes:
        times: Save times in fs, (T,).
        moments: (T, copies, N, 3).
    """

    times: np.ndarray
    moments: np.ndarray


class Langevin:
    """B copies of the moments with noise, advanced step by step.

    Args:
        equation: The equation of motion.
        moments: Unit vectors at the start, (B, N, 3).
        kT: Thermal energy of the noise in eV, > 0.
        seed: Key of the random stream, an integer >= 0.
    """

    def __init__(self, equation: SlowEquation, moments: np.ndarray, kT: float, seed: int) -> None:
        self.equation, self.kT, self.seed = equation, kT, seed
        self.moments = np.array(moments, dtype=float)
        self.steps = 0
        magnet = equation.magnet
        self._gilbert = np.where(equation.moving, magnet.damping / magnet.prefactor, 0.0)
        self._spurious = equation.electrons is not None and (equation.friction or equation.geometric)

    def step(self, begin: float, end: float, length: float) -> None:
        """One step of `length` fs; `begin` and `end` are its times (fs), on this side of discontinuities there."""
        random = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, self.steps]))
        start = self.equation.instant(begin, self.moments)
        m = start.moments
        noise = np.sqrt(2 * self.kT * length) * start.answer(self._correlated(start, random.standard_normal(m.shape)))
        if self._spurious:
            noise = noise + length * self._spurious_drift(begin, start, random.standard_normal(m.shape))
        kick = cross(m, noise)
        first = cross(m, start.velocity)
        predicted = rotate(length * first + kick, m)
        then = self.equation.instant(end, predicted)
        second = cross(then.moments, then.velocity)
        self.moments = self.equation.place(end, rotate(0.5 * length * (first + second) + kick, m))
        self.steps += 1

    def _correlated(self, start: Instant, normal: np.ndarray) -> np.ndarray:
        """sqrt(Gamma) W for standard normal W, (B, N, 3), in sqrt(eV fs)."""
        if start.tensors is None or not self.equation.friction:
            return np.sqrt(self._gilbert)[:, None] * normal
        n = normal.shape[1]
        total = start.tensors.friction + np.diag(np.repeat(self._gilbert, 3))
        values, vectors = np.linalg.eigh(total)
        flat = normal.reshape(len(normal), 3 * n, 1)
        # Round-off makes zero eigenvalues slightly negative.
        return (vectors @ (np.sqrt(np.maximum(values, 0.0))[..., None] * flat)).reshape(normal.shape)

    def _spurious_drift(self, time: float, start: Instant, normal: np.ndarray) -> np.ndarray:
        """One sample of kT div R, (B, N, 3) in 1/fs."""
        m = start.moments
        moving = self.equation.moving[:, None]
        tangent = np.where(moving, normal - np.sum(normal * m, axis=-1, keepdims=True) * m, 0.0)
        displaced = self.equation.instant(time, m + DISPLACEMENT * tangent)
        return self.kT / DISPLACEMENT * (displaced.answer(tangent) - start.answer(tangent))


def rotate(angle: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """`moments` turned by the rotation vectors `angle` (rad), both (..., 3); Rodrigues' formula."""
    size = np.linalg.norm(angle, axis=-1, keepdims=True)
    half = np.sinc(size / (2 * np.pi))
    turned = cross(angle, moments)
    result = moments + np.sinc(size / np.pi) * turned + 0.5 * half**2 * cross(angle, turned)
    return result / np.linalg.norm(result, axis=-1, keepdims=True)


@reporting("fs")
def langevin_ensemble(
    system: OpenSystem | None,
    magnet: Magnet,
    *,
    temperature: float,
    t_end: float,
    step: float,
    save_every: float,
    copies: int,
    seed: int,
    rtol: float = 1e-6,
    response: tuple[str, ...] = RESPONSES,
    progress: bool | Callable[..., None] = False,
) -> Ensemble:
    """Many independent Langevin runs at once: thermal averages of moments with or without electrons.

    Args:
        system: Electrons that follow at first order, system.kT = temperature; None for moments alone.
        magnet: The moments; all copies start with `magnet.moments`.
        temperature: kT of the noise in eV, > 0.
        t_end, save_every: End and time between saved configurations in fs.
        step: Time step in fs; save_every is divided into equal steps no longer than it.
        copies: Number of independent runs.
        seed: Key of the random stream, an integer >= 0: the same seed gives the same bits.
        rtol, response: As for `SlowSimulation`.
        progress: As for `simulate`.

    Raises:
        ValueError: As `SlowSimulation`.

    Whatever stops it, Ctrl-C among it, carries the `Ensemble` so far as its attribute `result`.
    """
    from llgnegf.run.slow_simulation import SlowSimulation

    assert callable(progress)
    progress(0.0, 0.0, "set-up")
    run = SlowSimulation(
        system, magnet, t_end=t_end, save_every=save_every, rtol=rtol, step=step, response=response,
        temperature=temperature, seed=seed, copies=copies,
    )  # fmt: skip
    moments: list[np.ndarray] = []

    def so_far() -> Ensemble:
        stacked = np.array(moments).reshape(-1, copies, magnet.n_sites, 3)
        return Ensemble(run.times[: len(moments)], stacked)

    with keeping(so_far, "the configurations"):
        for k, time in enumerate(run.times):
            moments.append(run.advance_to(k))
            progress(float(time), float(run.times[-1]), "running")
    return so_far()
