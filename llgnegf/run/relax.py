"""relax(): static equilibrium of moments and electrons together, a start for `simulate`.

The minimum of F(M) = H_classical(M) + Omega(M), Omega the grand potential of the electrons with the leads attached.
Its gradient dF/dM_i = dH_classical/dM_i - J_i <s_i>, <s_i> the adiabatic spin density, vanishes normal to M_i exactly
where the full LLG equation stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log10

import numpy as np
from scipy.optimize import NoConvergence, OptimizeResult, minimize, newton_krylov

from llgnegf._blas import limited
from llgnegf._checks import Problems
from llgnegf.poles.channels import PoleSystem, expand
from llgnegf.problem.magnetism.magnet import CompiledMagnet, Magnet
from llgnegf.problem.observables import spin_density
from llgnegf.problem.occupation import density_matrix, grand_potential
from llgnegf.problem.plausibility import doubts_together, silent, warn
from llgnegf.problem.system import OpenSystem
from llgnegf.run.progress import Progress, reporting
from llgnegf.static.frozen import FrozenDevice


class FreeEnergy:
    """F(M) in eV and its gradient, for fields and voltages of t = 0.

    Args:
        system: The open system in equilibrium; None for moments alone.
        magnet: The moments and their energies.
        rtol: Accuracy of the pole expansions.
    """

    def __init__(self, system: OpenSystem | None, magnet: Magnet, rtol: float = 1e-9) -> None:
        self.system = system
        self.classical: CompiledMagnet = magnet.compile()
        self.poles: PoleSystem | None = None
        if system is not None:
            self.poles = expand(system, rtol, 0.1 * rtol, tail_tolerance=rtol, strict=False)

    def __call__(self, moments: np.ndarray) -> tuple[float, np.ndarray]:
        """F (eV) and dF/dM (eV), (N, 3), for moments (N, 3)."""
        energy = self.classical.energy.energy(moments)
        gradient = self.classical.energy.gradient(moments)
        if self.poles is None or self.system is None:
            return energy, gradient
        omega, rho = _electrons(self.poles, moments)
        return energy + omega, gradient - self.system.electrons.j_sd[:, None] * spin_density(rho)


@reporting("decades of torque")
@limited
def relax(
    system: OpenSystem | None,
    magnet: Magnet,
    torque_tolerance: float = 1e-9,
    rtol: float = 1e-9,
    *,
    progress: bool | Callable[..., None] = False,
) -> Magnet:
    """The magnet with its moments turned into static equilibrium with the electrons, a minimum of F(M) downhill.

    Args:
        system: The open system, its leads at one chemical potential at t = 0; None for moments alone.
        magnet: Where to start. Pinned and prescribed moments stay as they are at t = 0; time-dependent fields are
            taken at t = 0.
        torque_tolerance: Largest |M_i x dF/dM_i| (eV) that may be left.
        rtol: Accuracy of the pole expansions of leads and Fermi function; take that of the run to follow, then the
            run starts at rest.
        progress: As for `simulate`: done and total are decades from the first torque down to `torque_tolerance`.

    Returns:
        A `Magnet` that differs from `magnet` in its moments only.

    Raises:
        ValueError: If the leads differ in chemical potential, the magnet has spin-transfer torques (no energy
            describes them), or the tolerance is not reached; the message names the torque that is left.
    """
    _check(system, magnet, torque_tolerance)
    warn(doubts_together(system, magnet))
    assert callable(progress)
    progress(0.0, 0.0, "set-up")
    free_energy = FreeEnergy(system, magnet, rtol)
    watch = _Watch(torque_tolerance, progress)
    free = magnet.moving
    start = np.array(magnet.moments)

    def moments_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        vectors = x.reshape(-1, 3)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        moments = start.copy()
        moments[free] = vectors / length
        return moments, length

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        moments, length = moments_of(x)
        energy, gradient = free_energy(moments)
        normal = _normal(gradient, moments)[free]
        watch(normal)
        return energy, (normal / length).ravel()

    def residual(x: np.ndarray) -> np.ndarray:
        """Zero for unit vectors without torque; its radial part keeps Newton's equations regular."""
        moments, length = moments_of(x)
        normal = _normal(free_energy(moments)[1], moments)[free]
        watch(normal)
        return (normal + (length**2 - 1) * moments[free]).ravel()

    def descend(x: np.ndarray) -> OptimizeResult:
        options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-16, "gtol": torque_tolerance}
        return minimize(objective, x, jac=True, method="L-BFGS-B", options=options)

    found = descend(start[free].ravel())
    # A start with a symmetry may end on a saddle or a maximum: from there a slight turn leads to a lower energy.
    turned = descend(found.x + 1e-3 * np.random.default_rng(0).normal(size=found.x.size))
    x = turned.x if turned.fun < found.fun - 1e-9 else found.x
    x = _polished(residual, moments_of(x)[0][free].ravel(), torque_tolerance)
    moments, _ = moments_of(x)
    left = float(np.linalg.norm(_normal(free_energy(moments)[1], moments)[free], axis=1).max())
    if left > torque_tolerance:
        raise ValueError(
            f"relax.torque_tolerance: {torque_tolerance:g} eV; allowed: at least {left:.3g} eV, the torque that is left"
        )
    with silent():  # `magnet` was warned of when it was made
        return replace(magnet, moments=moments)


class _Watch:
    """Tells how far the largest torque has come down so far."""

    def __init__(self, tolerance: float, progress: Progress) -> None:
        self._tolerance, self._progress = tolerance, progress
        self._first = self._least = 0.0

    def __call__(self, normal: np.ndarray) -> None:
        torque = max(float(np.linalg.norm(normal, axis=1).max(initial=0.0)), self._tolerance)
        self._first = self._first or torque
        self._least = min(self._least or torque, torque)
        self._progress(log10(self._first / self._least), log10(self._first / self._tolerance), "relaxing")


def _polished(gradient: object, x: np.ndarray, tolerance: float) -> np.ndarray:
    """Newton-Krylov steps from a minimiser's answer, whose energy differences end at round-off; x if they fail."""
    if np.abs(gradient(x)).max() <= 0.3 * tolerance:  # type: ignore[operator]
        return x
    try:
        return np.asarray(newton_krylov(gradient, x, f_tol=0.3 * tolerance, maxiter=30))
    except (NoConvergence, ValueError, ZeroDivisionError):
        return x


def _normal(gradient: np.ndarray, moments: np.ndarray) -> np.ndarray:
    return gradient - np.sum(gradient * moments, axis=1, keepdims=True) * moments


def _electrons(poles: PoleSystem, moments: np.ndarray) -> tuple[float, np.ndarray]:
    """Grand potential (eV) and equilibrium density matrix for frozen moments."""
    system = poles.system
    if not system.is_closed:
        frozen = FrozenDevice(poles, moments)
        mu = float(frozen.mu[frozen.arrays.lead[0]])
        return frozen.grand_potential(mu), frozen.density_matrix(mu)
    hamiltonian = system.electrons.hamiltonian_at(moments)
    omega = grand_potential(np.linalg.eigvalsh(hamiltonian), system.fermi_energy, system.kT)
    return omega, density_matrix(hamiltonian, system.fermi_energy, system.kT)


def _check(system: OpenSystem | None, magnet: Magnet, tolerance: float) -> None:
    problems = Problems("relax")
    problems.check(system is None or isinstance(system, OpenSystem), "system", system, "an OpenSystem, or None")
    if problems.check(isinstance(magnet, Magnet), "magnet", magnet, "a Magnet"):
        problems.check(not magnet.torques, "magnet.torques", magnet.torques, "none: no energy describes them")
        if isinstance(system, OpenSystem):
            sites = f"{system.n_sites}, one for each site of the electrons"
            problems.check(magnet.n_sites == system.n_sites, "magnet", f"{magnet.n_sites} moments", sites)
    problems.number("torque_tolerance", tolerance, "a number > 0, in eV", lambda t: t > 0)
    if isinstance(system, OpenSystem) and not system.is_closed:
        mu = system.chemical_potentials()[system.coupled_leads].tolist()
        equal = system.common_chemical_potential() is not None
        problems.check(equal, "system", f"chemical potentials {mu} eV", "one for all leads")
        problems.check(system.kT > 0, "system.kT", system.kT, "> 0 with leads (the Fermi function is taken in poles)")
    problems.raise_all()
