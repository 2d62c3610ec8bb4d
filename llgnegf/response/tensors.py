"""First-order response of the electrons to moving moments: friction and geometric tensors of one configuration.

The reference evaluation, adaptive and for kT >= 0; `fast_tensors` is the one for the equation of motion.

With static leads in equilibrium the gradient expansion of G^< = G o Sigma^< o G^dag gives, hbar = 1,
    delta<s_i>^a = sum_jb K_{ia,jb} dM_jb/dt,      K_{ia,jb} = J_j (A_{ia,jb} + S_{ia,jb}),
with D = G (1 - dSigma/dE) G = -dG/dE, the spectral function a = i (G - G^dag), I[F] = -(1/pi) int dE Im F f:
    A = I[ (i/2) (Tr sigma_a D_ij sigma_b G_ji - Tr sigma_a G_ij sigma_b D_ji) ]                    (contour)
    S = -(1/2 pi) int dE (-f') [ Tr(sigma_a a_ij sigma_b a_ji)/2
                                 + (Tr sigma_a G_ij sigma_b G^dag_ji - Tr sigma_a G^dag_ij sigma_b G_ji)/2 ]
(from d<s> = Tr[sigma_a P_i R_jb] of the expansion with dH/dM_jb = -J_j sigma_b P_j: the traces of G G and G^dag G^dag
are symmetric in ia <-> jb and complete the square -(a a)/2). A is antisymmetric, and so is the second part of S.

The field conjugate to M that the motion adds is J_i delta<s_i> = -(friction + geometric) dM/dt:
    friction_{ia,jb}  = hbar J_i J_j/(4 pi) int dE (-f') Tr(sigma_a a_ij sigma_b a_ji),     symmetric and >= 0,
    geometric_{ia,jb} = the antisymmetric rest of -hbar J_i K_{ia,jb}: Berry curvature, no power.
A closed system has discrete levels and no friction: rho_1,nm = i hbar (f_n - f_m)/(e_n - e_m)^2 (dH/dt)_nm between
different levels, populations unchanged. So it is for the levels of an open system that no lead damps, bound states and
dark ones: each has the filling f(e) of its energy at rest and keeps it while its energy moves. G^R and G^A differ at
such a pole, G = B/(E - e) + R, by 2 pi i delta(E - e) B, which an integral along the axis misses: S is given
    (i/2) (-f'(e)) [ Tr sigma_a B_ij sigma_b (R + R^dag)_ji - Tr sigma_a (R + R^dag)_ij sigma_b B_ji ]/2
(`pairs.undamped_density`); it cancels what the double poles of A hold of f'(e).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from llgnegf._blas import limited
from llgnegf._checks import Problems
from llgnegf.problem.magnetism.magnet import torque_prefactor
from llgnegf.problem.observables import spin_density
from llgnegf.problem.occupation import fermi_derivative, fill_levels
from llgnegf.problem.system import OpenSystem, check_equilibrium
from llgnegf.response.pairs import DensePairs, pair_green, sea_density, surface_density, undamped_density
from llgnegf.static.closed import berry_curvature
from llgnegf.static.contour import FERMI_RANGE, Contour, twice_real
from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import Integral, QuadratureError, scaled
from llgnegf.static.recursion import is_chain
from llgnegf.static.rotating_frame import RotatingFrame, refuse_dark_levels
from llgnegf.static.undamped import UndampedLevel, bound_states, dark_states
from llgnegf.units import HBAR


@dataclass(frozen=True, eq=False)
class PrecessionComparison:
    """delta<s> (N, 3) of steady precession: K dM/dt against the parts of the rotating-frame solution.

    Attributes:
        response: K dM/dt.
        geometric, sea, surface: The oracle's parts; their split differs from that of K, their sum does not.
        difference: max |response - (geometric + sea + surface)|.
    """

    response: np.ndarray
    geometric: np.ndarray
    sea: np.ndarray
    surface: np.ndarray
    difference: float


@dataclass(frozen=True, eq=False)
class MotiveForceComparison:
    """The friction's part of the LLG equation against the damping tensor of the spin-motive force, M x D.dM/dt.

    Attributes:
        torque: Torque of the friction tensor, M x friction.dM/dt in eV, (N, 3).
        motive_force_torque: M x D.dM/dt in eV, (N, 3).
        power, motive_force_power: dM/dt.friction.dM/dt and dM/dt.D.dM/dt in eV/fs.
    """

    torque: np.ndarray
    motive_force_torque: np.ndarray
    power: float
    motive_force_power: float

    @property
    def share(self) -> float:
        """Part of the dissipated power that the spin-motive force accounts for; NaN if nothing is dissipated."""
        return self.motive_force_power / self.power if self.power > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class ResponseTensors:
    """Linear response of the electrons' spins to the velocities of the moments (equations in the module's docstring).

    Args:
        system: Electrons and leads in a common equilibrium; kT >= 0, open or closed.
        moments: M, unit vectors (N, 3); zero vectors on sites without a moment, as `RotatingFrame` takes them. The
            tensors have their rows and columns all the same: what a moment there would feel.
        tolerance: Absolute error allowed in the largest entry of K/(hbar J_j), in 1/eV^2.
        max_distance: Only pairs |i - j| <= max_distance are computed, all others are 0; None is all pairs. Chains
            then cost O(N) for each energy. A cut friction tensor need not be positive.

    Raises:
        ValueError: One line for each argument that is not of this kind; for leads at different chemical potentials
            or temperatures, or with a time-dependent voltage (there is no common f, and the noise is not that of an
            equilibrium). On first use at kT = 0 with a level at the Fermi energy that no lead couples to.
        QuadratureError: On first use, when the tolerance cannot be reached, or for a dark state within 40 kT of the
            Fermi energy that motion mixes with damped levels.
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
            check_equilibrium(problems, self.system)
        problems.raise_all()
        object.__setattr__(self, "moments", moments)

    @property
    def response(self) -> np.ndarray:
        """K in fs, (N, 3, N, 3): delta<s_i>^a = sum_jb K_{ia,jb} dM_jb/dt, dM/dt in 1/fs."""
        return self.sea_response + self.surface_response

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
    def friction(self) -> np.ndarray:
        """Friction tensor in eV fs, (N, 3, N, 3): symmetric, >= 0; power into the electrons = Mdot.friction.Mdot."""
        return HBAR * self.friction_dimensionless

    @property
    def friction_dimensionless(self) -> np.ndarray:
        """Friction tensor in units of hbar, (N, 3, N, 3)."""
        return self._between_moments(self._surface.value[0])

    @property
    def geometric(self) -> np.ndarray:
        """Geometric (Berry-curvature) tensor in eV fs, (N, 3, N, 3), antisymmetric: field -geometric.Mdot."""
        return HBAR * self.geometric_dimensionless

    @property
    def geometric_dimensionless(self) -> np.ndarray:
        """Geometric tensor in units of hbar, (N, 3, N, 3)."""
        return self._between_moments(self._surface.value[1] - self._sea.value)

    @property
    def error(self) -> float:
        """Estimated quadrature error of the largest entry of K/(hbar J_j), in 1/eV^2."""
        return self._sea.error + self._surface.error

    @property
    def evaluations(self) -> int:
        """Number of energies at which Green functions were computed for the tensors."""
        return self._sea.evaluations + self._surface.evaluations

    @cached_property
    def spin_density_adiabatic(self) -> np.ndarray:
        """<s_i> of the equilibrium with these moments at rest, (N, 3)."""
        frame = RotatingFrame(self.system, self.moments, energy=0.0, tolerance=self.tolerance)
        if self.max_distance is not None and not self.system.is_closed and is_chain(self._device):
            return frame.local_density_matrix().spin_density()
        return spin_density(frame.density_matrix())

    def spin_density_change(self, velocity: Any) -> np.ndarray:
        """delta<s> = K dM/dt, (N, 3), for dM/dt (N, 3) in 1/fs."""
        return np.einsum("iajb,jb->ia", self.response, self._velocity(velocity))

    def torque(self, velocity: Any) -> np.ndarray:
        """Nonadiabatic torque J_i delta<s_i> x M_i in eV, (N, 3), for dM/dt (N, 3) in 1/fs."""
        change = self.spin_density_change(velocity)
        return np.asarray(self.system.electrons.j_sd)[:, None] * np.cross(change, self.moments)

    def power(self, velocity: Any) -> float:
        """Power handed to the electrons, Mdot.friction.Mdot in eV/fs, for dM/dt (N, 3) in 1/fs."""
        v = self._velocity(velocity)
        return float(np.einsum("ia,iajb,jb->", v, self.friction, v))

    def damping(self, magnetic_moment: Any) -> np.ndarray:
        """Scalar damping lambda_i of each moment that moves alone, (N,), for moments of n Bohr magnetons.

        Gilbert's term dissipates lambda (mu_M/g) |dM/dt|^2 and the friction dM/dt.friction_ii.dM/dt; averaged over
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
        """Root mean square over pairs |i - j| = d of the norm of their friction block, in eV fs, (N,) for d = 0 .. N-1.

        Blocks are taken between directions normal to the two moments.
        """
        size = np.linalg.norm(self._tangential(self.friction), axis=(1, 3))
        return np.array([np.sqrt(np.mean(np.diagonal(size, d) ** 2)) for d in range(self.system.n_sites)])

    @property
    def friction_range(self) -> float:
        """Mean distance |i - j| in sites, weighted with the squared norm of the friction blocks (0: purely local)."""
        weight = np.linalg.norm(self._tangential(self.friction), axis=(1, 3)) ** 2
        sites = np.arange(self.system.n_sites)
        total = float(weight.sum())
        return float((weight * np.abs(sites[:, None] - sites)).sum() / total) if total > 0 else 0.0

    def spin_motive_force_friction(self, conductance: float = 2.0) -> np.ndarray:
        """Friction that the spin-motive-force formula gives instead, local blocks (N, 3, 3) in eV fs.

        The force +-(hbar/2e) M.(dM/dt x dM/dz) on the two spins dissipates G_0 times its square, which is
        dM/dt.D.dM/dt with D = (hbar^2 G_0/4e^2) (M x dM/dz)(M x dM/dz)^T; the torque in the LLG equation is
        (g/mu_M) M x D.dM/dt. dM/dz is the central difference in lattice constants, one-sided at the ends.

        Args:
            conductance: G_0 in e^2/h, >= 0; 2 for a ballistic chain with both spins open.
        """
        problems = Problems("ResponseTensors.spin_motive_force_friction")
        problems.number("conductance", conductance, "a finite number >= 0, in e^2/h", lambda g: g >= 0)
        problems.raise_all()
        if self.system.n_sites < 2:
            return np.zeros((self.system.n_sites, 3, 3))
        chirality = np.cross(self.moments, np.gradient(self.moments, axis=0))
        return HBAR * conductance / (8 * np.pi) * chirality[:, :, None] * chirality[:, None, :]

    def compare_spin_motive_force(self, velocity: Any, conductance: float = 2.0) -> MotiveForceComparison:
        """The friction tensor against `spin_motive_force_friction` for dM/dt (N, 3) in 1/fs."""
        v, local = self._velocity(velocity), self.spin_motive_force_friction(conductance)
        field, local_field = np.einsum("iajb,jb->ia", self.friction, v), np.einsum("iab,ib->ia", local, v)
        return MotiveForceComparison(
            np.cross(self.moments, field), np.cross(self.moments, local_field),
            float(np.sum(v * field)), float(np.sum(v * local_field)),
        )  # fmt: skip

    def compare_precession(self, energy: float, axis: Any = "z") -> PrecessionComparison:
        """K contracted with the velocity of steady precession against the parts of `RotatingFrame.decompose`.

        They agree where leads set the occupation of every level at the Fermi energy. Levels without width keep
        their occupation in slow motion, but not in the rotating frame's equilibrium: in a closed system the parts
        hold sum_n f'(e_n) <n|X|n> |n><n| in addition, X = -hbar w sigma_axis/2, which no motion brings about.

        Args:
            energy: hbar w in eV.
            axis: 'x', 'y', 'z' or a non-zero 3-vector.

        Raises:
            ValueError: As `RotatingFrame`.
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
        return HBAR * self._blocks(per_j) * np.asarray(self.system.electrons.j_sd)[:, None]

    def _between_moments(self, per_pair: np.ndarray) -> np.ndarray:
        j = np.asarray(self.system.electrons.j_sd)
        return j[:, None, None, None] * self._blocks(per_pair) * j[:, None]

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
        """A of the module's docstring, (P, 3, 3) in 1/eV^2."""
        if self.system.is_closed:
            n, energies, states = self.system.n_sites, *np.linalg.eigh(self._device.hamiltonian[None])
            filling = fill_levels(energies, self.system.fermi_energy, self.system.kT)
            curvature = berry_curvature(energies, states, filling).reshape(n, 3, n, 3)
            return Integral(curvature.transpose(0, 2, 1, 3)[self._pairs], 0.0, 0)
        green = self._green
        mu, kT = self.system.mean_chemical_potential(), self.system.mean_temperature
        if kT == 0:
            refuse_dark_levels(self._device, mu, "ResponseTensors")
        contour = Contour.of(self._device.hamiltonian, mu, kT)
        return contour.integral(
            lambda z: sea_density(green, z), 0.0, 0.5 * self.tolerance, green.entries, "ResponseTensors, contour",
            twice_real,
        )  # fmt: skip

    @cached_property
    @limited
    def _surface(self) -> Integral:
        """(symmetric, antisymmetric) part of -S, (2, P, 3, 3) in 1/eV^2."""
        value = np.zeros((2, self._pairs[0].size, 3, 3))
        if self.system.is_closed:
            return Integral(value, 0.0, 0)
        mu, kT, green = self.system.mean_chemical_potential(), self.system.mean_temperature, self._green
        if kT == 0:
            return Integral(surface_density(green, np.array([mu]))[0], 0.0, 1)
        reach = mu - FERMI_RANGE * kT, mu + FERMI_RANGE * kT
        # Outside all bands G is Hermitian and the density zero, next to the pole of a bound state too.
        window = green.window(*reach, np.array([mu])).where(self._device.is_open)

        def density(origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            weight = -fermi_derivative((origin - mu) + offset, 0.0, kT)
            return scaled(surface_density(green, origin + offset), weight)

        found = window.integral(density, 0.5 * self.tolerance, green.entries, "ResponseTensors, Fermi surface")
        value += found.value
        for level in [*bound_states(self._device, *reach), *self._dark_states(*reach)]:
            value[1] -= fermi_derivative(level.energy, mu, kT) * undamped_density(level, *self._pairs)
        return Integral(value, found.error, found.evaluations)

    def _dark_states(self, lower: float, upper: float) -> list[UndampedLevel]:
        """Dark states in the bands; they must not be where others have a width.

        Raises:
            QuadratureError: For a dark state that motion mixes with damped levels, which empty it in no time that
                first order knows.
        """
        levels = dark_states(self._device, lower, upper)
        for level in levels:
            width = 1j * (level.rest - level.rest.conj().T)
            damped = np.abs(width).reshape(self.system.n_sites, -1).max(axis=1)
            here = np.abs(level.residue).reshape(self.system.n_sites, -1).max(axis=1)
            moving = np.asarray(self.system.electrons.j_sd) != 0
            shared = np.flatnonzero(moving & (damped > 1e-9) & (here > 1e-9))
            if shared.size:
                raise QuadratureError(
                    f"ResponseTensors: a level at {level.energy:.6g} eV that no lead reaches, within 40 kT of the Fermi"
                    f" energy and on sites {shared.tolist()} with others that leads reach; allowed: a lower kT, or "
                    "moments that do not leave a combination of levels dark"
                )
        return levels
