"""The oracle: exact steady state of electrons under steadily precessing moments, and its four parts.

PRL 125, 187202. Maps precession onto `steady_state` in the rotating frame; nothing of the time domain is used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from llgnegf._blas import limited
from llgnegf._checks import Problems
from llgnegf._readable import Readable, readable
from llgnegf.problem.mean_fields import MeanField
from llgnegf.problem.plausibility import doubts_of_frame, warn
from llgnegf.problem.system import OpenSystem, check_constant
from llgnegf.static.channels import StaticChannel
from llgnegf.static.decomposition import CurrentDecomposition, Decomposition, LinearResponse
from llgnegf.static.green import StaticDevice
from llgnegf.static.local import LocalDensityMatrix
from llgnegf.static.mean_field import RESIDUAL, self_consistent_blocks, site_blocks
from llgnegf.static.recursion import is_chain
from llgnegf.static.spin_channels import COMMUTES, check_leads_keep_spin, commutator, spin_along, static_channels
from llgnegf.static.steady_state import LeadCurrents, SteadyState
from llgnegf.static.views import InLevels, InLevelsCut, OnChain, WindowTooNarrow
from llgnegf.units import HBAR

DENSE_ARRAYS = 8
"""Matrices of the size of the Hamiltonian that a solution holds at the same time, at least."""
LONG_CHAIN = 32
"""Sites from which lead currents are taken from the recursion: below it the levels are faster."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class RotatingFrame(Readable):
    """Electrons under moments that precess steadily: the exact answer, in the frame that turns with them.

    Parameters
    ----------
    system : OpenSystem
        Electrons and leads. For energy != 0, H_0 and every lead's Sigma must commute with sigma.axis: no spin-orbit
        coupling, no magnetic lead (unless magnetised along the axis).
    texture : array_like, (N, 3)
        Moments at t = 0, unit vectors (N, 3); zero vectors on sites without a moment, which have no sd coupling then
        (`on_electrons` of a motion makes them).
    energy : float
        hbar w in eV; negative turns clockwise, 0 is the static system.
    axis : str or array_like, (3,), default 'z'
        'x', 'y', 'z' or a non-zero 3-vector.
    tolerance : float, default 1e-09
        Absolute error allowed in the largest entry of a density matrix (or hbar times a rate, in eV).

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind, a voltage that depends on time included.
    QuadratureError
        By the methods, when the tolerance cannot be reached, and under bias or precession for nearly equal levels with
        a combination that is almost dark: too narrow to be resolved.

    Notes
    -----
    Moments turn counter-clockwise about +axis at w = energy/hbar [1]_, ::

        M_i(t) = R(axis, w t) M_i(0),   U = exp(-i w t sigma_axis/2),   H_RF = H(0) - hbar w sigma_axis/2

    In the frame that turns with the moments the problem is static. A lead's channel of spin s along the axis is shifted
    by Q_s hbar w, Q_up = -1/2, Q_down = +1/2, levels and filling alike::

        G = [E - H_RF - sum_{p,s} Sigma^s_p(E - Q_s hbar w)]^-1,
        rho_RF = (1/2 pi) sum_{p,s} int dE G Gamma^s_p(E - Q_s hbar w) G^dag f(E - mu_p - Q_s hbar w).

    Leads may have static voltages, and temperatures of their own. What this integral leaves open is filled with the
    mean chemical potential of the coupled leads, at their mean temperature: bound states outside all bands, and dark
    states, which no lead reaches (an isolated site, or of equal levels the combinations whose couplings cancel, to
    round-off). A closed system has rho_RF = f(H_RF).

    References
    ----------
    .. [1] U. Bajpai, B. K. Nikolic, Phys. Rev. Lett. 125, 187202 (2020).

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(2, j_sd=0.1), [ln.ChainLead(0), ln.ChainLead(-1)], kT=0.05)
    >>> frame = ln.RotatingFrame(system, ln.cone(2, 0.5), energy=0.05)  # hbar omega in eV
    >>> rho = frame.density_matrix()
    >>> ln.torque(rho, ln.cone(2, 0.5), j_sd=0.1).shape  # eV
    (2, 3)
    >>> bool(frame.lead_currents().spin[0, 2] > 0)  # pumped into the left lead, eV
    True
    """

    system: OpenSystem
    texture: Any
    energy: float
    axis: Any = "z"
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        problems = Problems("RotatingFrame")
        is_system = problems.check(isinstance(self.system, OpenSystem), "system", self.system, "an OpenSystem")
        texture = problems.moments("texture", self.texture, self.system.n_sites if is_system else None, bare=True)
        energy = problems.number("energy", self.energy, "a finite number, in eV")
        axis = problems.axis("axis", self.axis)
        problems.number("tolerance", self.tolerance, "a finite number > 0", lambda x: x > 0, smallest=0.0)
        if is_system and problems.memory("system", self.system.n_sites, DENSE_ARRAYS, "fewer sites"):
            self._check_system(problems, None if energy == 0 else axis)
        problems.raise_all()
        object.__setattr__(self, "texture", texture)
        object.__setattr__(self, "axis", axis)
        warn(doubts_of_frame(self))

    def _check_system(self, problems: Problems, axis: np.ndarray | None) -> None:
        for p, lead in enumerate(self.system.leads):
            if lead.drives():
                allowed = "a number (the rotating frame is stationary)"
                problems.add(f"system.leads[{p}].voltage", "a function of time", allowed)
        check_constant(problems, self.system, mean_fields=True)
        if axis is None or self.system.drives():
            return
        for k, term in enumerate(self.system.electrons.terms):
            if isinstance(term, MeanField) and not term.keeps_spin:
                allowed = "a mean field that turns with the spins, such as Hubbard"
                problems.add(f"system.electrons.terms[{k}]", type(term).__name__, allowed)
        spin = spin_along(axis)
        matrix = self.system.electrons.device.matrix(0.0).toarray()
        if commutator(matrix, spin) > COMMUTES:
            along = np.array2string(axis, precision=4)
            problems.add(
                "system.electrons.hamiltonian", f"does not commute with sigma.axis, axis {along}",
                "no spin-orbit coupling: H_0 must keep the spin along the axis",
            )  # fmt: skip
        check_leads_keep_spin(problems, self.system, axis)

    def density_matrix(self) -> np.ndarray:
        """rho_RF: in the rotating frame at all times, in the lab frame at t = 0.

        Returns
        -------
        ndarray of complex, (2N, 2N)
            Spin index fastest, 2 i + s.
        """
        return self.density_matrix_with_error()[0]

    @limited
    def density_matrix_with_error(self) -> tuple[np.ndarray, float]:
        """rho_RF and how exact it is.

        Returns
        -------
        tuple of ndarray of complex, (2N, 2N), and float
            rho_RF, and the estimated quadrature error of its largest entry.
        """
        result = self.steady_state.density_matrix(InLevels(self.steady_state.device))
        return result.value, result.error

    def local_density_matrix(self) -> LocalDensityMatrix:
        """rho_RF on sites and bonds of a nearest-neighbour chain.

        All that densities, torques and currents take. It costs O(N) for each energy where the whole matrix costs
        O(N^2), e.g. 800 sites in seconds.

        Returns
        -------
        LocalDensityMatrix
            Taken by `spin_density`, `torque` and the other observables in place of rho.

        Raises
        ------
        ValueError
            For a device with hopping beyond neighbours, a lead on several sites or one with a matrix self-energy
            (`density_matrix` takes any).
        """
        return self.local_density_matrix_with_error()[0]

    @limited
    def local_density_matrix_with_error(self) -> tuple[Any, float]:
        """`local_density_matrix`, and how exact it is.

        Returns
        -------
        tuple of LocalDensityMatrix and float
            rho_RF on sites and bonds, and the estimated quadrature error of its largest entry.
        """
        state = self.steady_state
        result = self._along_chain(state.device, "local_density_matrix", state.density_matrix)
        return result.value, result.error

    @limited
    def decompose_locally(self) -> Decomposition:
        """`decompose` on sites and bonds of a nearest-neighbour chain, at a cost of O(N) for each energy.

        Returns
        -------
        Decomposition
            Of parts on sites and bonds.

        Raises
        ------
        ValueError
            As `decompose` and `local_density_matrix`.
        """
        response = self._linear_response("decompose_locally")
        return self._along_chain(response.state.device, "decompose_locally", response.density_matrices)

    def density_matrix_at(self, time: float) -> np.ndarray:
        """The density matrix in the lab frame, rho(t) = U rho_RF U^dag.

        Parameters
        ----------
        time : float
            t in fs.

        Returns
        -------
        ndarray of complex, (2N, 2N)
            Spin index fastest.

        Raises
        ------
        ValueError
            Unless `time` is a finite number.
        """
        problems = Problems("RotatingFrame.density_matrix_at")
        problems.number("time", time, "a finite number, in fs")
        problems.raise_all()
        return rotate_spins(self.density_matrix(), self.axis, self.energy * time / HBAR)

    @limited
    def lead_currents(self) -> LeadCurrents:
        """Charge and spin currents into each lead.

        Returns
        -------
        LeadCurrents
            Charge in electrons/fs and spin in eV, its components in the rotating frame.
        """
        result = of_fastest(self.steady_state.device, self.steady_state.lead_rates, LONG_CHAIN)
        return LeadCurrents.from_rates(result.value, result.error)

    @limited
    def decompose(self) -> Decomposition:
        """Adiabatic part and the three parts of first order in hbar w: geometric, Fermi sea, Fermi surface.

        Returns
        -------
        Decomposition
            Each part (2N, 2N).

        Raises
        ------
        ValueError
            When the coupled leads differ in chemical potential (voltage included) or temperature; at kT = 0 with a
            level at the Fermi energy that no lead couples to.
        QuadratureError
            If the tolerance is not reached.
        """
        response = self._linear_response("decompose")
        return response.density_matrices(InLevels(response.state.device))

    @limited
    def decompose_lead_currents(self) -> CurrentDecomposition:
        """`lead_currents` of each of the four parts of `decompose`.

        Returns
        -------
        CurrentDecomposition
            Each part as `lead_currents` has it.

        Raises
        ------
        ValueError, QuadratureError
            As `decompose`.
        """
        response = self._linear_response("decompose_lead_currents")
        return of_fastest(response.state.device, response.lead_currents, LONG_CHAIN)

    @staticmethod
    def _along_chain(device: StaticDevice, method: str, ask: Callable[[InLevels], T]) -> T:
        if not is_chain(device):
            raise ValueError(
                f"RotatingFrame.{method}: system with hopping beyond neighbouring sites, a lead on several sites or "
                "one with a matrix self-energy; allowed: a nearest-neighbour chain with each scalar channel on one site"
            )
        return of_fastest(device, ask)

    @property
    def velocity(self) -> np.ndarray:
        """dM/dt = w axis x M at t = 0 in 1/fs, (N, 3); exactly zero for a moment along the axis."""
        across = np.cross(self.axis, self.texture)
        across[np.linalg.norm(across, axis=1) < 1e-14] = 0.0
        return self.energy / HBAR * across

    @property
    def reference_level(self) -> float:
        """Mean chemical potential of the coupled leads in eV (the Fermi energy of a closed system)."""
        return self.system.mean_chemical_potential()

    @property
    def _spin(self) -> np.ndarray:
        """sigma.axis, (2, 2)."""
        return spin_along(self.axis)

    @cached_property
    def steady_state(self) -> SteadyState:
        """The static problem in the rotating frame, mean fields at their stationary values."""
        if not self.system.electrons.mean_fields:
            return self._steady_state_at(None)

        def density(blocks: np.ndarray | None) -> np.ndarray:
            state = self._steady_state_at(blocks)
            return state.density_matrix(InLevels(state.device)).value

        # A mean field that turns with the spins is static in the frame that turns with the moments.
        start = site_blocks(density(None))
        return self._steady_state_at(self_consistent_blocks(start, density, max(RESIDUAL, self.tolerance)))

    def _steady_state_at(self, density_blocks: np.ndarray | None) -> SteadyState:
        """The steady state of mean fields at rho_ii, (N, 2, 2); None without."""
        turn = 0.5 * self.energy * np.kron(np.eye(self.system.n_sites), self._spin)
        hamiltonian = self.system.electrons.hamiltonian_at(self.texture, 0.0, density_blocks) - turn
        return self._filled(StaticDevice(hamiltonian, self._channels(self.energy)))

    def _filled(self, device: StaticDevice) -> SteadyState:
        n_leads = len(self.system.leads)
        return SteadyState(device, n_leads, self.reference_level, self.system.mean_temperature, self.tolerance)

    def _channels(self, energy: float) -> tuple[StaticChannel, ...]:
        """Channels of the frame that turns with `energy`, resolved by spin along the axis unless nothing turns."""
        return static_channels(self.system, None if self.energy == 0 else self.axis, energy)

    def _linear_response(self, method: str) -> LinearResponse:
        if self.system.electrons.mean_fields:
            raise ValueError(
                f"RotatingFrame.{method}: electrons with mean fields, which respond to the motion themselves; allowed: "
                "none (density_matrix and lead_currents take Hubbard)"
            )
        if self.system.common_chemical_potential() is None:
            levels = self.system.chemical_potentials()[self.system.coupled_leads].tolist()
            raise ValueError(
                f"RotatingFrame.{method}: leads at the chemical potentials {levels} (voltages "
                f"{self.system.voltages().tolist()} included); allowed: leads in a common equilibrium"
            )
        if self.system.common_temperature is None:
            kT = self.system.temperatures()[self.system.coupled_leads].tolist()
            allowed = "leads in a common equilibrium"
            raise ValueError(f"RotatingFrame.{method}: leads at the temperatures kT = {kT} eV; allowed: {allowed}")
        device = StaticDevice(self.system.electrons.hamiltonian_at(self.texture), self._channels(0.0))
        if self.system.mean_temperature == 0 and device.channels:
            refuse_dark_levels(device, self.reference_level, f"RotatingFrame.{method}")
        return LinearResponse(self._filled(device), self.energy, self._spin)


def of_fastest(device: StaticDevice, ask: Callable[[InLevels], T], least_sites: int = 1) -> T:
    """What `ask` gives with the recursion along an open chain of so many sites, else with whole matrices."""
    if device.channels and device.size >= 2 * least_sites and is_chain(device):
        with suppress(WindowTooNarrow):
            return ask(OnChain(device))
    return ask(InLevelsCut(device))


def refuse_dark_levels(device: StaticDevice, mu: float, owner: str) -> None:
    """Refuse a level at mu that no lead couples to: at kT = 0 its occupation responds without bound."""
    here = device.states_near(mu, 1e-12)
    if np.linalg.matrix_rank(device.vectors.conj().T @ here, tol=1e-12) < here.shape[1]:
        raise ValueError(
            f"{owner}: kT = 0 with a level at the Fermi energy {mu:g} eV that no lead couples to; "
            "allowed: kT > 0, or another Fermi energy"
        )


@readable
def rotate_spins(rho: np.ndarray, axis: np.ndarray, angle: float) -> np.ndarray:
    """Turn the spins of a density matrix by the same angle on every site.

    Parameters
    ----------
    rho : ndarray of complex, (..., 2N, 2N)
        Spin index fastest, 2 i + s.
    axis : array_like, (3,)
        Unit vector.
    angle : float
        In rad, counter-clockwise about the axis.

    Returns
    -------
    ndarray of complex, (..., 2N, 2N)
        U rho U^dag.

    Notes
    -----
    U = exp(-i angle sigma.axis/2) on every site.

    Examples
    --------
    >>> up = np.array([[1.0, 0.0], [0.0, 0.0]])
    >>> ln.spin_density(ln.rotate_spins(up, np.array([0.0, 1.0, 0.0]), np.pi / 2)).round(12)  # z turned to x
    array([[1., 0., 0.]])
    """
    spin = spin_along(axis)
    u = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * spin
    u_all = np.kron(np.eye(rho.shape[-1] // 2), u)
    return u_all @ rho @ u_all.conj().T
