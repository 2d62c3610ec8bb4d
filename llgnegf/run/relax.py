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
import scipy

from llgnegf._blas import limited
from llgnegf._checks import Problems
from llgnegf._readable import readable
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.observables import spin_of_sites
from llgnegf.problem.plausibility import doubts_together, silent, warn
from llgnegf.problem.system import OpenSystem, check_constant
from llgnegf.response.fast_tensors import LevelTensors
from llgnegf.run.progress import Progress, reporting
from llgnegf.run.slow_simulation import slow_poles
from llgnegf.static.frozen import FrozenDevice, grand_potential, settled
from llgnegf.static.site_green import SiteGreen


class FreeEnergy:
    """F(M) in eV, up to a constant, and its gradient, for fields and voltages of t = 0; as slow runs have it.

    Args:
        system: The open system in equilibrium; None for moments alone.
        magnet: The moments and their energies.
        rtol: Accuracy of the pole expansions.
    """

    def __init__(self, system: OpenSystem | None, magnet: Magnet, rtol: float = 1e-9) -> None:
        self.magnet = magnet
        self._electrons = None if system is None else _electrons(system, rtol)
        self._placement = None if system is None else magnet.placement(system.n_sites)

    def __call__(self, moments: np.ndarray) -> tuple[float, np.ndarray]:
        """F (eV) and dF/dM (eV), (N, 3), for moments (N, 3)."""
        energy, gradient = self.magnet.energy.energy(moments), self.magnet.energy.gradient(moments)
        if self._electrons is None:
            return energy, gradient
        omega, fields = self._electrons(moments if self._placement is None else self._placement.to_electrons(moments))
        return energy + omega, gradient - (fields if self._placement is None else self._placement.to_moments(fields))


Electrons = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""Moments (N, 3) on the electrons' sites -> Omega (eV) and J_i <s_i> (eV, (N, 3))."""


def _electrons(system: OpenSystem, rtol: float) -> Electrons:
    if system.electrons.mean_fields:
        return _Interacting(system, rtol)
    return _closed(system) if system.is_closed else _Open(system, rtol)


def _closed(system: OpenSystem) -> Electrons:
    levels = LevelTensors(system)

    def found(moments: np.ndarray) -> tuple[float, np.ndarray]:
        spin = levels.adiabatic(moments[None], False).spin[0]
        return levels.grand_potential(moments), levels.j_sd[:, None] * spin

    return found


class _Open:
    """Omega and J_i <s_i> of an open system: <s_i> = 2 Re sum_m r_m Tr sigma G_ii(z_m^*), Omega as `FrozenDevice`."""

    def __init__(self, system: OpenSystem, rtol: float) -> None:
        frozen = FrozenDevice(slow_poles(system, rtol), np.zeros((system.n_sites, 3)))
        energies, self._residues = frozen.fermi_poles(frozen.mean)
        self._green, self._j_sd = SiteGreen(frozen.device, energies), np.asarray(system.electrons.j_sd)[:, None]
        self._at_rest, self._logarithm = frozen.grand_potential(), self._green(np.zeros((system.n_sites, 3)))[1]

    def __call__(self, moments: np.ndarray) -> tuple[float, np.ndarray]:
        blocks, logarithm = self._green(self._j_sd * moments)
        omega = self._at_rest + 2 * float(self._residues @ (logarithm - self._logarithm))
        return omega, 2 * self._j_sd * spin_of_sites(np.einsum("m,mist->ist", self._residues, blocks))


class _Interacting:
    """Omega (eV) and J_i <s_i> (eV, (N, 3)) of electrons with mean fields, self-consistent for given moments.

        Omega = Omega_0[H(rho)] - Tr[rho H_int(rho)] + E_int[rho],

    stationary in rho where it is self-consistent, so that its gradient is that at fixed rho, -J_i <s_i>.
    """

    def __init__(self, system: OpenSystem, rtol: float) -> None:
        self.electrons, self.poles = system.electrons, slow_poles(system, rtol)

    def __call__(self, moments: np.ndarray) -> tuple[float, np.ndarray]:
        self.poles = settled(self.poles, moments)  # where the next search begins
        blocks = self.poles.density_blocks
        assert blocks is not None
        field = sum(np.asarray(term.field(blocks)) for term in self.electrons.mean_fields)
        counted_twice = float(np.einsum("ist,its->", field, blocks).real) - self.electrons.device.interaction(blocks)
        fields = self.electrons.j_sd[:, None] * spin_of_sites(blocks)
        return grand_potential(self.poles, moments) - counted_twice, fields


@readable
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
    """Turn the moments of a magnet into static equilibrium with the electrons.

    Parameters
    ----------
    system : OpenSystem or None
        The open system, its leads at one chemical potential at t = 0; None for moments alone.
    magnet : Magnet
        Where to start. Pinned and prescribed moments stay as they are at t = 0; time-dependent fields are taken at t =
        0.
    torque_tolerance : float, default 1e-09
        Largest ``|M_i x dF/dM_i|`` (eV) that may be left.
    rtol : float, default 1e-09
        Accuracy of the pole expansions of leads and Fermi function; take that of the run to follow, then the run starts
        at rest.
    progress : bool or callable, default False
        As for `simulate`: done and total are decades from the first torque down to `torque_tolerance`.

    Returns
    -------
    Magnet
        It differs from `magnet` in its moments only.

    Raises
    ------
    ValueError
        If the leads differ in chemical potential or temperature, the magnet has spin-transfer torques (no energy
        describes them), or the tolerance is not reached; the message names the torque that is left.

    Notes
    -----
    The minimum of the free energy downhill from where the magnet is, with the grand potential Omega of the electrons
    and their adiabatic spin density, ::

        F(M) = H(M) + Omega(M),      dF/dM_i = dH/dM_i - J_i <s_i>

    It vanishes normal to M_i exactly where the full LLG equation stands still.

    Examples
    --------
    >>> easy = ln.UniaxialAnisotropy(0.01, axis="z")
    >>> magnet = ln.Magnet(ln.cone(1, 0.3), magnetic_moment=1.0, energies=[easy])
    >>> ln.relax(None, magnet).moments.round(6)
    array([[0., 0., 1.]])
    """
    _check(system, magnet, torque_tolerance)
    warn(doubts_together(system, magnet))
    assert callable(progress)
    progress(0.0, 0.0, "set-up")
    landscape = _Landscape(FreeEnergy(system, magnet, rtol), magnet, torque_tolerance, progress)
    found = landscape.descend(np.array(magnet.moments)[magnet.moving].ravel())
    # A start with a symmetry may end on a saddle or a maximum: from there a slight turn leads to a lower energy.
    turned = landscape.descend(found.x + 1e-3 * np.random.default_rng(0).normal(size=found.x.size))
    moments = landscape.polished(turned.x if turned.fun < found.fun - 1e-9 else found.x)
    left = landscape.torque(moments)
    if left > torque_tolerance:
        raise ValueError(
            f"relax.torque_tolerance: {torque_tolerance:g} eV; allowed: at least {left:.3g} eV, the torque that is left"
        )
    with silent():  # `magnet` was warned of when it was made
        return replace(magnet, moments=moments)


class _Landscape:
    """F over x, the vectors of the free moments, (3 n_free,), whose lengths mean nothing; and the ways down.

    Tells with each look how far the largest torque has come down so far.
    """

    def __init__(self, free_energy: FreeEnergy, magnet: Magnet, tolerance: float, progress: Progress) -> None:
        self._free_energy, self._tolerance, self._progress = free_energy, tolerance, progress
        self._start, self._free = np.array(magnet.moments), magnet.moving
        self._first = self._least = 0.0

    def moments(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """M (N, 3), and the lengths of the vectors in x, (n_free, 1)."""
        vectors = x.reshape(-1, 3)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        moments = self._start.copy()
        moments[self._free] = vectors / length
        return moments, length

    def objective(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """F and dF/dx."""
        moments, length = self.moments(x)
        energy, normal = self._look(moments)
        return energy, (normal / length).ravel()

    def residual(self, x: np.ndarray) -> np.ndarray:
        """Zero for unit vectors without torque; its radial part keeps Newton's equations regular."""
        moments, length = self.moments(x)
        return (self._look(moments)[1] + (length**2 - 1) * moments[self._free]).ravel()

    def torque(self, moments: np.ndarray) -> float:
        """Largest |M_i x dF/dM_i| (eV) of the free moments."""
        return float(np.linalg.norm(self._normal(moments)[1], axis=1).max())

    def descend(self, x: np.ndarray) -> scipy.optimize.OptimizeResult:
        """A minimum downhill from x."""
        options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-16, "gtol": self._tolerance}
        return scipy.optimize.minimize(self.objective, x, jac=True, method="L-BFGS-B", options=options)

    def polished(self, x: np.ndarray) -> np.ndarray:
        """M after Newton-Krylov steps from a minimiser's answer, whose energy differences end at round-off."""
        start = self.moments(x)[0]
        x = start[self._free].ravel()
        if np.abs(self.residual(x)).max() <= 0.3 * self._tolerance:
            return start
        try:
            polished = scipy.optimize.newton_krylov(self.residual, x, f_tol=0.3 * self._tolerance, maxiter=30)
        except (scipy.optimize.NoConvergence, ValueError, ZeroDivisionError):
            return start
        return self.moments(polished)[0]

    def _normal(self, moments: np.ndarray) -> tuple[float, np.ndarray]:
        """F, and dF/dM normal to the free moments, (n_free, 3)."""
        energy, gradient = self._free_energy(moments)
        return energy, (gradient - np.sum(gradient * moments, axis=1, keepdims=True) * moments)[self._free]

    def _look(self, moments: np.ndarray) -> tuple[float, np.ndarray]:
        energy, normal = self._normal(moments)
        torque = max(float(np.linalg.norm(normal, axis=1).max(initial=0.0)), self._tolerance)
        self._first = self._first or torque
        self._least = min(self._least or torque, torque)
        self._progress(log10(self._first / self._least), log10(self._first / self._tolerance), "relaxing")
        return energy, normal


def _check(system: OpenSystem | None, magnet: Magnet, tolerance: float) -> None:
    problems = Problems("relax")
    problems.check(system is None or isinstance(system, OpenSystem), "system", system, "an OpenSystem, or None")
    if problems.check(isinstance(magnet, Magnet), "magnet", magnet, "a Magnet"):
        problems.check(not magnet.torques, "magnet.torques", magnet.torques, "none: no energy describes them")
        if isinstance(system, OpenSystem):
            check_constant(problems, system, mean_fields=True)
            magnet.note_sites(problems, "magnet", system.n_sites)
    problems.number("torque_tolerance", tolerance, "a number > 0, in eV", lambda t: t > 0)
    if isinstance(system, OpenSystem) and not system.is_closed:
        mu = system.chemical_potentials()[system.coupled_leads].tolist()
        equal = system.common_chemical_potential() is not None
        problems.check(equal, "system", f"chemical potentials {mu} eV", "one for all leads")
        kT = system.temperatures()[system.coupled_leads]
        equal = system.common_temperature is not None
        problems.check(equal, "system", f"temperatures kT = {kT.tolist()} eV", "one for all leads")
        allowed = "> 0 with leads (the Fermi function is taken in poles)"
        problems.check(bool(np.all(kT > 0)), "system.kT", float(kT.min()), allowed)
    problems.raise_all()
