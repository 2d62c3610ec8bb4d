"""First-order response of the electrons to moving moments: friction and geometric tensors of one configuration.

The reference evaluation, adaptive and for kT >= 0; `fast_tensors` is the one for the equation of motion. Equations are
where the integrals are: `equilibrium` for a common f, of the leads' mean chemical potential and temperature; `bias` for
the window where leads that differ in filling have f_p - f not zero; `noise` for the noise of that state.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._blas import limited
from llgnegf._checks import Problems
from llgnegf._readable import Readable
from llgnegf.problem.magnetism.magnet import torque_prefactor
from llgnegf.problem.observables import spin_density
from llgnegf.problem.system import OpenSystem, check_static
from llgnegf.response.bias import GainingMode, gaining_mode, window_gradient, window_response
from llgnegf.response.comparisons import MotiveForceComparison, PrecessionComparison, motive_force_friction
from llgnegf.response.equilibrium import sea, surface
from llgnegf.response.noise import window_noise
from llgnegf.response.pairs import DensePairs, pair_green
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import Integral
from llgnegf.static.recursion import is_chain
from llgnegf.static.rotating_frame import RotatingFrame
from llgnegf.static.steady_state import SteadyState
from llgnegf.static.views import InLevels
from llgnegf.units import HBAR


@dataclass(frozen=True, eq=False)
class ResponseTensors(Readable):
    """Friction and geometric tensors: how spins follow moments that move slowly, with and without a bias.

    Parameters
    ----------
    system : OpenSystem
        Electrons and leads, open or closed; kT >= 0 of each lead.
    moments : array_like, (N, 3)
        M, unit vectors (N, 3); zero vectors on sites without a moment, as `RotatingFrame` takes them. The tensors have
        their rows and columns all the same: what a moment there would feel.
    tolerance : float, default 1e-09
        Error allowed in the largest entry of K/(hbar J_j), in 1/eV^2, or relative to that entry where it is larger than
        1: narrow levels at the Fermi energy. Under bias once more for its part; in 1/eV for the noise over hbar J_i J_j
        and the curl over J_i J_j.
    max_distance : int, optional
        Only pairs ``|i - j|`` <= max_distance are computed, all others are 0; None is all pairs. Chains then cost O(N)
        for each energy. A cut friction tensor need not be positive.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind, a voltage or device that depends on time included. On first
        use at kT = 0 with a level at the mean chemical potential that no lead couples to.
    QuadratureError
        On first use, when the tolerance cannot be reached, or for a dark state that motion mixes with damped levels,
        within 40 kT of the Fermi energy or between those of the leads.

    Notes
    -----
    The first-order response of the spins of a stationary state is, with equations of the integrals in the modules
    `equilibrium`, `bias` and `noise` of `llgnegf.response`, ::

        delta<s_i>^a = sum_jb K_{ia,jb} dM_jb/dt,    J_i delta<s_i> = -(friction + geometric) dM/dt

    Leads may differ in static voltage, chemical potential and temperature. Attributes whose names begin with bias are
    what that adds; `response`, `friction` and `geometric` are totals. What no lead reaches is filled with the leads'
    mean chemical potential at their mean temperature. Damping by electrons as scattering theory has it: [1]_.
    docs/slow_textures.md measures both tensors against the lab-frame propagator.

    References
    ----------
    .. [1] A. Brataas, Y. Tserkovnyak, G. E. W. Bauer, Phys. Rev. Lett. 101, 037207 (2008).

    Examples
    --------
    >>> leads = [ln.ChainLead(0, chemical_potential=0.4), ln.ChainLead(-1, chemical_potential=-0.4)]
    >>> system = ln.OpenSystem(ln.chain(2, hopping=1.0, j_sd=0.5), leads, kT=0.05)
    >>> tensors = ln.ResponseTensors(system, ln.helix(2, 0.8), tolerance=1e-6)
    >>> tensors.friction.shape
    (2, 3, 2, 3)
    >>> bool(abs(tensors.friction - np.transpose(tensors.friction, (2, 3, 0, 1))).max() < 1e-12)  # symmetric
    True
    >>> tensors.torque_at_rest.shape  # eV
    (2, 3)
    """

    system: OpenSystem
    moments: Any
    tolerance: float = 1e-9
    max_distance: int | None = None

    def __post_init__(self) -> None:
        problems = Problems("ResponseTensors")
        is_system = problems.check(isinstance(self.system, OpenSystem), "system", self.system, "an OpenSystem")
        moments = problems.moments("moments", self.moments, self.system.n_sites if is_system else None, bare=True)
        problems.number("tolerance", self.tolerance, "a finite number > 0, in 1/eV^2", lambda x: x > 0, smallest=0.0)
        if self.max_distance is not None:
            problems.integer("max_distance", self.max_distance, "None or an integer >= 0", lambda d: d >= 0)
        if is_system:
            check_static(problems, self.system)
        problems.raise_all()
        object.__setattr__(self, "moments", moments)

    @property
    def response(self) -> np.ndarray:
        """K in fs, (N, 3, N, 3): delta<s_i>^a = sum_jb K_{ia,jb} dM_jb/dt, dM/dt in 1/fs."""
        return self.sea_response + self.surface_response + self.bias_response

    @property
    def sea_response(self) -> np.ndarray:
        """The part of K with f (contour), in fs, (N, 3, N, 3)."""
        return self._as_response(self._sea.value)

    @property
    def surface_response(self) -> np.ndarray:
        """The part of K with df/dE (Fermi level), in fs, (N, 3, N, 3)."""
        friction, geometric = self._surface.value
        return self._as_response(-(friction + geometric))

    @property
    def bias_response(self) -> np.ndarray:
        """The part of K from leads that differ in filling, in fs, (N, 3, N, 3)."""
        return self._as_response(self._window.value)

    @property
    def friction(self) -> np.ndarray:
        """Friction tensor in eV fs, (N, 3, N, 3): symmetric; power into the electrons = Mdot.friction.Mdot, >= 0
        unless leads differ in filling."""
        return HBAR * self.friction_dimensionless

    @property
    def friction_dimensionless(self) -> np.ndarray:
        """Friction tensor in units of hbar, (N, 3, N, 3)."""
        return self._between_moments(self._surface.value[0]) + self.bias_friction / HBAR

    @property
    def bias_friction(self) -> np.ndarray:
        """Symmetric part of what the bias adds, in eV fs, (N, 3, N, 3)."""
        return self._bias_tensor(1)

    @property
    def geometric(self) -> np.ndarray:
        """Geometric (Berry-curvature) tensor in eV fs, (N, 3, N, 3), antisymmetric: field -geometric.Mdot."""
        return HBAR * self.geometric_dimensionless

    @property
    def geometric_dimensionless(self) -> np.ndarray:
        """Geometric tensor in units of hbar, (N, 3, N, 3)."""
        return self._between_moments(self._surface.value[1] - self._sea.value) + self.bias_geometric / HBAR

    @property
    def bias_geometric(self) -> np.ndarray:
        """Antisymmetric part of what the bias adds, in eV fs, (N, 3, N, 3)."""
        return self._bias_tensor(-1)

    @property
    def curl(self) -> np.ndarray:
        """Antisymmetric part (C - C^T)/2 of C_{ia,jb} = d(J_i <s_i>^a)/dM_jb at rest, in eV, (N, 3, N, 3).

        Zero in equilibrium, where J_i <s_i> is the gradient of a free energy; else the work that the torque at rest
        does around a small loop of the moments.
        """
        change = self._between_moments(self._gradient.value)
        return 0.5 * (change - change.transpose(2, 3, 0, 1))

    @property
    def noise(self) -> np.ndarray:
        """Correlator in eV^2 fs, (N, 3, N, 3), of the field b_i = J_i sigma_i on the moments (equation in `noise`):
        <b_ia(t) b_jb(t')> = noise_{ia,jb} delta(t - t') for slow moments; 2 kT friction in equilibrium.

        Positive semidefinite if no pairs are cut. Levels without width have no part in it.
        """
        return HBAR * self._between_moments(self._noise.value)

    def gaining_mode(self) -> GainingMode | None:
        """The motion of the moments that gains most energy from the electrons; None where friction takes from all.

        Returns
        -------
        GainingMode or None
            Its `eigenvalue` (eV fs, negative) of the friction, and `vector` (N, 3) of norm 1.

        Raises
        ------
        ValueError
            With `max_distance`: a cut tensor may have negative eigenvalues of its own.
        """
        problems = Problems("ResponseTensors")
        allowed = "None for gaining_mode: a cut tensor may have negative eigenvalues of its own"
        problems.check(self.max_distance is None, "max_distance", self.max_distance, allowed)
        problems.raise_all()
        size = HBAR * float((self._j_sd**2).sum())
        return gaining_mode(self._tangential(self.friction), self.moments, 3 * size * self.error)

    @property
    def error(self) -> float:
        """Estimated quadrature error of the largest entry of K/(hbar J_j), in 1/eV^2."""
        return self._sea.error + self._surface.error + self._window.error

    @property
    def evaluations(self) -> int:
        """Number of energies at which Green functions were computed for the tensors."""
        return self._sea.evaluations + self._surface.evaluations + self._window.evaluations

    @cached_property
    def spin_density_stationary(self) -> np.ndarray:
        """<s_i> of the stationary state with these moments at rest, (N, 3)."""
        frame = RotatingFrame(self.system, self.moments, energy=0.0, tolerance=self.tolerance)
        if self.max_distance is not None and not self.system.is_closed and is_chain(self._device):
            return frame.local_density_matrix().spin_density()
        return spin_density(frame.density_matrix())

    @property
    def spin_density_adiabatic(self) -> np.ndarray:
        """`spin_density_stationary`: where moments that do not move leave the electrons, under bias too."""
        return self.spin_density_stationary

    @cached_property
    @limited
    def bias_spin_density(self) -> np.ndarray:
        """What leads that differ in filling add to it, (N, 3); its torque is the current-induced one."""
        view, state = InLevels(self._device), self._state
        what, density = "ResponseTensors.bias_spin_density", state.spectral_density(view, state.occupation_difference)
        found = state.integral(view, state.window(view), density, what).value
        return spin_density(view.on_sites(found)) if found.ndim else np.zeros_like(self.moments)

    @property
    def torque_at_rest(self) -> np.ndarray:
        """Torque J_i <s_i> x M_i of the stationary state in eV, (N, 3)."""
        return self._j_sd[:, None] * np.cross(self.spin_density_stationary, self.moments)

    @property
    def bias_torque(self) -> np.ndarray:
        """J_i <s_i> x M_i of `bias_spin_density` in eV, (N, 3): the current-induced torque."""
        return self._j_sd[:, None] * np.cross(self.bias_spin_density, self.moments)

    def spin_density_change(self, velocity: Any) -> np.ndarray:
        """The spin density that motion adds, delta<s> = K dM/dt.

        Parameters
        ----------
        velocity : array_like, (N, 3)
            dM/dt in 1/fs.

        Returns
        -------
        ndarray, (N, 3)
            Dimensionless, as <s>.
        """
        return np.einsum("iajb,jb->ia", self.response, self._velocity(velocity))

    def torque(self, velocity: Any) -> np.ndarray:
        """Nonadiabatic torque J_i delta<s_i> x M_i of the electrons on the moments.

        Parameters
        ----------
        velocity : array_like, (N, 3)
            dM/dt in 1/fs.

        Returns
        -------
        ndarray, (N, 3)
            In eV.
        """
        change = self.spin_density_change(velocity)
        return self._j_sd[:, None] * np.cross(change, self.moments)

    def power(self, velocity: Any) -> float:
        """Power that friction hands to the electrons, Mdot.friction.Mdot.

        Parameters
        ----------
        velocity : array_like, (N, 3)
            dM/dt in 1/fs.

        Returns
        -------
        float
            In eV/fs.
        """
        v = self._velocity(velocity)
        return float(np.einsum("ia,iajb,jb->", v, self.friction, v))

    def damping(self, magnetic_moment: Any) -> np.ndarray:
        """Scalar Gilbert damping of each moment that moves alone.

        Parameters
        ----------
        magnetic_moment : float or array_like, (N,)
            mu_M in Bohr magnetons, > 0.

        Returns
        -------
        ndarray, (N,)
            lambda_i, dimensionless.

        Raises
        ------
        ValueError
            For moments that are none.

        Notes
        -----
        Gilbert's term dissipates lambda (mu_M/g) ``|dM/dt|^2`` and the friction dM/dt.friction_ii.dM/dt; averaged over
        the two directions normal to M_i, lambda_i = g_e/(hbar n_i) [Tr friction_ii - M_i.friction_ii.M_i]/2.
        """
        problems = Problems("ResponseTensors.damping")
        n = self.system.n_sites
        mu = problems.per_site("magnetic_moment", magnetic_moment, n, "> 0, in mu_B", lambda x: x > 0)
        problems.raise_all()
        local = np.einsum("iaib->iab", self.friction)
        along = np.einsum("ia,iab,ib->i", self.moments, local, self.moments)
        assert mu is not None
        return torque_prefactor(mu) * 0.5 * (np.einsum("iaa->i", local) - along)

    def friction_by_distance(self) -> np.ndarray:
        """Size of the friction between sites a distance apart.

        Root mean square over pairs ``|i - j| = d`` of the norm of their friction block, taken between directions normal
        to the two moments.

        Returns
        -------
        ndarray, (N,)
            In eV fs, for d = 0 .. N-1.
        """
        size = np.linalg.norm(self._tangential(self.friction), axis=(1, 3))
        return np.array([np.sqrt(np.mean(np.diagonal(size, d) ** 2)) for d in range(self.system.n_sites)])

    @property
    def friction_range(self) -> float:
        """Mean distance ``|i - j|`` in sites, weighted with the squared norm of the friction blocks (0: all local)."""
        weight = np.linalg.norm(self._tangential(self.friction), axis=(1, 3)) ** 2
        sites = np.arange(self.system.n_sites)
        total = float(weight.sum())
        return float((weight * np.abs(sites[:, None] - sites)).sum() / total) if total > 0 else 0.0

    def spin_motive_force_friction(self, conductance: float = 2.0) -> np.ndarray:
        """Friction that the formula of the spin-motive force gives instead.

        Parameters
        ----------
        conductance : float, default 2.0
            G_0 in e^2/h, >= 0; 2 for a ballistic chain with both spins open.

        Returns
        -------
        ndarray, (N, 3, 3)
            Local blocks in eV fs.

        Raises
        ------
        ValueError
            For a conductance that is none.

        Notes
        -----
        The force +-(hbar/2e) M.(dM/dt x dM/dz) on the two spins [1]_ dissipates G_0 times its square, which is
        dM/dt.D.dM/dt with ::

            D = (hbar^2 G_0/4e^2) (M x dM/dz)(M x dM/dz)^T

        The torque in the LLG equation is (g/mu_M) M x D.dM/dt [2]_. dM/dz is the central difference in lattice
        constants, one-sided at the ends.

        References
        ----------
        .. [1] S. E. Barnes, S. Maekawa, Phys. Rev. Lett. 98, 246601 (2007).
        .. [2] S. Zhang, S. S.-L. Zhang, Phys. Rev. Lett. 102, 086601 (2009).
        """
        problems = Problems("ResponseTensors.spin_motive_force_friction")
        problems.number("conductance", conductance, "a finite number >= 0, in e^2/h", lambda g: g >= 0)
        problems.raise_all()
        return motive_force_friction(self.moments, conductance)

    def compare_spin_motive_force(self, velocity: Any, conductance: float = 2.0) -> MotiveForceComparison:
        """The friction tensor against `spin_motive_force_friction` for one motion.

        Parameters
        ----------
        velocity : array_like, (N, 3)
            dM/dt in 1/fs.
        conductance : float, default 2.0
            G_0 in e^2/h, >= 0.

        Returns
        -------
        MotiveForceComparison
            Torques (eV) and powers (eV/fs) of both, and their `share`.
        """
        v, local = self._velocity(velocity), self.spin_motive_force_friction(conductance)
        field, local_field = np.einsum("iajb,jb->ia", self.friction, v), np.einsum("iab,ib->ia", local, v)
        return MotiveForceComparison(
            np.cross(self.moments, field), np.cross(self.moments, local_field),
            float(np.sum(v * field)), float(np.sum(v * local_field)),
        )  # fmt: skip

    def compare_precession(self, energy: float, axis: Any = "z") -> PrecessionComparison:
        """K contracted with the velocity of steady precession against the parts of `RotatingFrame.decompose`.

        They agree where leads set the occupation of every level at the Fermi energy. Levels without width keep their
        occupation in slow motion, but not in the rotating frame's equilibrium: in a closed system the parts hold sum_n
        f'(e_n) <n``|X|n>`` ``|n><n|`` in addition, X = -hbar w sigma_axis/2, which no motion brings about.

        Parameters
        ----------
        energy : float
            hbar w in eV.
        axis : str or array_like, (3,)
            'x', 'y', 'z' or a non-zero 3-vector.

        Returns
        -------
        PrecessionComparison
            delta<s> of both, (N, 3), and their largest `difference`.

        Raises
        ------
        ValueError
            As `RotatingFrame`.
        """
        frame = RotatingFrame(self.system, self.moments, energy, axis, tolerance=self.tolerance)
        parts = frame.decompose()
        geometric, sea, surface = (spin_density(rho) for rho in (parts.geometric, parts.sea, parts.surface))
        response = self.spin_density_change(frame.velocity)
        difference = float(np.abs(response - (geometric + sea + surface)).max())
        return PrecessionComparison(response, geometric, sea, surface, difference)

    def _velocity(self, velocity: Any) -> np.ndarray:
        problems = Problems("ResponseTensors")
        v = problems.array("velocity", velocity, (self.system.n_sites, 3), f"shape ({self.system.n_sites}, 3), in 1/fs")
        problems.raise_all()
        assert v is not None
        return v

    def _as_response(self, per_j: np.ndarray) -> np.ndarray:
        """hbar J_j x_{ia,jb}, (N, 3, N, 3), from pairs (P, 3, 3)."""
        return HBAR * self._blocks(per_j) * self._j_sd[:, None]

    def _between_moments(self, per_pair: np.ndarray) -> np.ndarray:
        return self._j_sd[:, None, None, None] * self._as_response(per_pair) / HBAR

    def _bias_tensor(self, sign: int) -> np.ndarray:
        """Symmetric (1) or antisymmetric (-1) part of -J_i K_{ia,jb} of the window."""
        tensor = -HBAR * self._between_moments(self._window.value)
        return 0.5 * (tensor + sign * tensor.transpose(2, 3, 0, 1))

    @property
    def _j_sd(self) -> np.ndarray:
        return np.asarray(self.system.electrons.j_sd)

    def _blocks(self, pairs: np.ndarray) -> np.ndarray:
        n = self.system.n_sites
        full = np.zeros((n, n, 3, 3))
        full[self._pairs] = pairs
        return full.transpose(0, 2, 1, 3)

    def _tangential(self, tensor: np.ndarray) -> np.ndarray:
        normal = np.eye(3) - self.moments[:, :, None] * self.moments[:, None, :]
        return np.einsum("iac,icjd,jdb->iajb", normal, tensor, normal)

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        sites = np.arange(self.system.n_sites)
        distance = np.abs(sites[:, None] - sites)
        reach = self.system.n_sites if self.max_distance is None else self.max_distance
        i, j = np.nonzero(distance <= reach)
        return i, j

    @cached_property
    def _device(self) -> StaticDevice:
        return StaticDevice.of(self.system, self.moments)

    @cached_property
    def _green(self) -> DensePairs:
        return pair_green(self._device, self._pairs, self.max_distance)

    @cached_property
    @limited
    def _sea(self) -> Integral:
        """A of `equilibrium`, (P, 3, 3) in 1/eV^2."""
        return sea(self._state, self._green)

    @cached_property
    @limited
    def _surface(self) -> Integral:
        """(symmetric, antisymmetric) part of -S of `equilibrium`, (2, P, 3, 3) in 1/eV^2."""
        return surface(self._state, self._green, self._j_sd)

    @cached_property
    def _state(self) -> SteadyState:
        """The stationary state, with the common f of the other parts."""
        system = self.system
        mu, kT = system.mean_chemical_potential(), system.mean_temperature
        return SteadyState(self._device, len(system.leads), mu, kT, self.tolerance)

    @cached_property
    @limited
    def _window(self) -> Integral:
        """K/(hbar J_j) of the bias in 1/eV^2, (P, 3, 3)."""
        return window_response(self._state, self._green, self._j_sd)

    @cached_property
    @limited
    def _gradient(self) -> Integral:
        """(d<s>/dM_j)/J_j of the bias in 1/eV, (P, 3, 3)."""
        return window_gradient(self._state, self._green, self._j_sd)

    @cached_property
    @limited
    def _noise(self) -> Integral:
        """Correlator over hbar J_i J_j in 1/eV, (P, 3, 3)."""
        return window_noise(self._state, self._green, self._j_sd)
