"""The oracle: exact steady state of electrons under steadily precessing moments, and its four parts.

PRL 125, 187202. Maps precession onto `steady_state` in the rotating frame; nothing of the time domain is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from llgnegf._blas import limited
from llgnegf._checks import Problems
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.leads import Channel
from llgnegf.problem.mean_fields import MeanField
from llgnegf.problem.plausibility import doubts_of_frame, warn
from llgnegf.problem.system import OpenSystem, check_constant
from llgnegf.static.channels import StaticChannel
from llgnegf.static.decomposition import CurrentDecomposition, Decomposition, LinearResponse
from llgnegf.static.green import StaticDevice
from llgnegf.static.local import LocalDensityMatrix
from llgnegf.static.mean_field import RESIDUAL, self_consistent_blocks, site_blocks
from llgnegf.static.recursion import is_chain
from llgnegf.static.steady_state import LeadCurrents, SteadyState
from llgnegf.static.views import InLevels, InLevelsCut, OnChain, WindowTooNarrow
from llgnegf.units import HBAR

DENSE_ARRAYS = 8
"""Matrices of the size of the Hamiltonian that a solution holds at the same time, at least."""
COMMUTES = 1e-10
"""How far a commutator with sigma.axis may be from 0, relative to the matrix."""
ROUND_OFF = 1e-14
"""Part of a lead's vectors that is round-off of their projection."""
LONG_CHAIN = 32
"""Sites from which lead currents are taken from the recursion: below it the levels are faster."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class RotatingFrame:
    """Electrons of `system` under moments that precess steadily, counter-clockwise about +axis at w = energy/hbar.

        M_i(t) = R(axis, w t) M_i(0),   U = exp(-i w t sigma_axis/2),   H_RF = H(0) - hbar w sigma_axis/2

    In the frame that turns with the moments the problem is static. A lead's channel of spin s along the axis is
    shifted by Q_s hbar w, Q_up = -1/2, Q_down = +1/2, levels and filling alike:
        G = [E - H_RF - sum_{p,s} Sigma^s_p(E - Q_s hbar w)]^-1,
        rho_RF = (1/2 pi) sum_{p,s} int dE G Gamma^s_p(E - Q_s hbar w) G^dag f(E - mu_p - Q_s hbar w).
    Leads may have static voltages, and temperatures of their own. What this integral leaves open is filled with the
    mean chemical potential of the coupled leads, at their mean temperature: bound states outside all bands, and dark
    states, which no lead reaches (an isolated site, or of equal levels the combinations whose couplings cancel, to
    round-off). A closed system has rho_RF = f(H_RF).

    Args:
        system: Electrons and leads. For energy != 0, H_0 and every lead's Sigma must commute with sigma.axis: no
            spin-orbit coupling, no magnetic lead (unless magnetised along the axis).
        texture: Moments at t = 0, unit vectors (N, 3); zero vectors on sites without a moment, which have no sd
            coupling then (`on_electrons` of a motion makes them).
        energy: hbar w in eV; negative turns clockwise, 0 is the static system.
        axis: 'x', 'y', 'z' or a non-zero 3-vector.
        tolerance: Absolute error allowed in the largest entry of a density matrix (or hbar times a rate, in eV).

    Raises:
        ValueError: One line for each argument that is not of this kind, a voltage that depends on time included.
        QuadratureError: By the methods, when the tolerance cannot be reached, and under bias or precession for nearly
            equal levels with a combination that is almost dark: too narrow to be resolved.
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
        spin = np.einsum("a,ast->st", axis, PAULI)
        matrix = self.system.electrons.device.matrix(0.0).toarray()
        along = np.array2string(axis, precision=4)
        if _commutator(matrix, spin) > COMMUTES:
            problems.add(
                "system.electrons.hamiltonian", f"does not commute with sigma.axis, axis {along}",
                "no spin-orbit coupling: H_0 must keep the spin along the axis",
            )  # fmt: skip
        for p, channels in enumerate(self.system.lead_channels):
            probes = _probe(channels, self.system.n_sites)
            if any(_commutator(m, spin) > COMMUTES for m in probes):
                kind = "is magnetic" if any(_odd(m) > COMMUTES for m in probes) else "has spin-orbit coupling"
                problems.add(
                    f"system.leads[{p}]", f"{kind}: Sigma does not commute with sigma.axis, axis {along}",
                    "leads that keep the spin along the axis, such as those that couple both spins alike",
                )  # fmt: skip

    def density_matrix(self) -> np.ndarray:
        """rho_RF, (2N, 2N): in the rotating frame at all times, in the lab frame at t = 0."""
        return self.density_matrix_with_error()[0]

    @limited
    def density_matrix_with_error(self) -> tuple[np.ndarray, float]:
        """rho_RF (2N, 2N) and the estimated quadrature error of its largest entry."""
        result = self._steady_state.density_matrix(InLevels(self._steady_state.device))
        return result.value, result.error

    def local_density_matrix(self) -> LocalDensityMatrix:
        """rho_RF on sites and bonds of a nearest-neighbour chain: all that densities, torques and currents take.

        O(N) for each energy where the whole matrix costs O(N^2), e.g. 800 sites in seconds.

        Raises:
            ValueError: For a device with hopping beyond neighbours, a lead on several sites or one with a matrix
                self-energy (`density_matrix` takes any).
        """
        return self.local_density_matrix_with_error()[0]

    @limited
    def local_density_matrix_with_error(self) -> tuple[Any, float]:
        """`local_density_matrix` and the estimated quadrature error of its largest entry."""
        state = self._steady_state
        result = self._along_chain(state.device, "local_density_matrix", state.density_matrix)
        return result.value, result.error

    @limited
    def decompose_locally(self) -> Decomposition:
        """`decompose` on sites and bonds of a nearest-neighbour chain, at a cost of O(N) for each energy.

        Raises:
            ValueError: As `decompose` and `local_density_matrix`.
        """
        response = self._linear_response("decompose_locally")
        return self._along_chain(response.state.device, "decompose_locally", response.density_matrices)

    def density_matrix_at(self, time: float) -> np.ndarray:
        """rho_lab(t) = U rho_RF U^dag, (2N, 2N), at `time` in fs; ValueError unless that is a finite number."""
        problems = Problems("RotatingFrame.density_matrix_at")
        problems.number("time", time, "a finite number, in fs")
        problems.raise_all()
        return rotate_spins(self.density_matrix(), self.axis, self.energy * time / HBAR)

    @limited
    def lead_currents(self) -> LeadCurrents:
        """Charge (electrons/fs) and spin currents (eV) into each lead, spin components in the rotating frame."""
        result = _of_fastest(self._steady_state.device, self._steady_state.lead_rates, LONG_CHAIN)
        return LeadCurrents.from_rates(result.value, result.error)

    @limited
    def decompose(self) -> Decomposition:
        """Adiabatic part and the three parts of first order in hbar w: geometric, Fermi sea, Fermi surface.

        Raises:
            ValueError: When the coupled leads differ in chemical potential (voltage included) or temperature; at kT = 0
                with a level at the Fermi energy that no lead couples to.
            QuadratureError: If the tolerance is not reached.
        """
        response = self._linear_response("decompose")
        return response.density_matrices(InLevels(response.state.device))

    @limited
    def decompose_lead_currents(self) -> CurrentDecomposition:
        """`lead_currents` of each of the four parts; raises as `decompose` does."""
        response = self._linear_response("decompose_lead_currents")
        return _of_fastest(response.state.device, response.lead_currents, LONG_CHAIN)

    @staticmethod
    def _along_chain(device: StaticDevice, method: str, ask: Callable[[InLevels], T]) -> T:
        if not is_chain(device):
            raise ValueError(
                f"RotatingFrame.{method}: system with hopping beyond neighbouring sites, a lead on several sites or "
                "one with a matrix self-energy; allowed: a nearest-neighbour chain with each scalar channel on one site"
            )
        return _of_fastest(device, ask)

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
        return np.einsum("a,ast->st", self.axis, PAULI)

    @cached_property
    def _steady_state(self) -> SteadyState:
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
        """Channels of the frame that turns with `energy`, resolved by spin along the axis.

        P_s Sigma_p P_s is laid out channel by channel, a matrix one with the vectors P_s U; the cross terms
        P_up Sigma_p P_down cancel in the sum over the channels of a lead that commutes with sigma.axis.
        """
        one = np.eye(2, dtype=complex)
        spins = {0: one} if self.energy == 0 else {s: 0.5 * (one + s * self._spin) for s in (1, -1)}
        levels, voltages = self.system.chemical_potentials().tolist(), self.system.voltages().tolist()
        temperatures = self.system.temperatures().tolist()
        result = []
        for lead, channels in enumerate(self.system.lead_channels):
            for spin, projector in spins.items():
                shift = -0.5 * spin * energy
                for vectors, spectrum in _merged(channels, projector):
                    place = shift + voltages[lead], shift + levels[lead], lead, spin, temperatures[lead]
                    result += [StaticChannel(v, spectrum, *place) for v in vectors]
        return tuple(result)

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


def _of_fastest(device: StaticDevice, ask: Callable[[InLevels], T], least_sites: int = 1) -> T:
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


def rotate_spins(rho: np.ndarray, axis: np.ndarray, angle: float) -> np.ndarray:
    """U rho U^dag with U = exp(-i angle sigma.axis/2) on every site, (..., 2N, 2N)."""
    spin = np.einsum("a,ast->st", axis, PAULI)
    u = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * spin
    u_all = np.kron(np.eye(rho.shape[-1] // 2), u)
    return u_all @ rho @ u_all.conj().T


def _commutator(matrix: np.ndarray, spin: np.ndarray) -> float:
    """max |[matrix, spin on every site]| relative to max |matrix|, for spin (2, 2)."""
    size = np.abs(matrix).max()
    if size == 0:
        return 0.0
    n = matrix.shape[0] // 2
    blocks = matrix.reshape(n, 2, n, 2)
    turned = np.einsum("isju,ut->isjt", blocks, spin) - np.einsum("su,iujt->isjt", spin, blocks)
    return float(np.abs(turned).max() / size)


def _odd(matrix: np.ndarray) -> float:
    """max |sigma_y Sigma^T sigma_y - Sigma| relative to max |Sigma|: 0 where Sigma is symmetric under time reversal."""
    turn = np.kron(np.eye(len(matrix) // 2), PAULI[1])
    return float(np.abs(turn @ matrix.T @ turn - matrix).max() / max(np.abs(matrix).max(), np.finfo(float).tiny))


def _probe(channels: Sequence[Channel], n_sites: int) -> list[np.ndarray]:
    """Sigma of a lead, on the sites that it couples to, at three energies in general position.

    It is analytic, so a commutator shows at one of them.
    """
    probes = np.array([-1.37 + 0.71j, 0.23 + 0.31j, 1.91 + 1.13j])
    coupled = np.any([np.any(c.columns.reshape(n_sites, -1) != 0, axis=1) for c in channels], axis=0)
    rows = np.flatnonzero(np.repeat(coupled, 2))
    own = tuple(StaticChannel(c.vector[rows], c.spectrum, 0.0, 0.0, 0) for c in channels)
    device = StaticDevice(np.zeros((rows.size, rows.size)), own)
    return list(device.on_device(device.self_energies(probes))) if rows.size else []


def _merged(channels: Sequence[Channel], projector: np.ndarray) -> list[tuple[list[np.ndarray], Any]]:
    """Channels P u, those of one scalar spectrum merged: sum_q P u_q u_q^dag P as few vectors as its rank.

    P (2, 2) acts on the spin of every site. The vectors of a matrix spectrum stay together.
    """
    groups: list[tuple[Any, list[np.ndarray]]] = []
    matrices: list[tuple[list[np.ndarray], Any]] = []
    for c in channels:
        projected = np.einsum("st,itq->isq", projector, c.columns.reshape(len(c.vector) // 2, 2, -1))
        projected = projected.reshape(c.columns.shape)
        if c.vector.ndim == 2:
            projected[np.abs(projected) < ROUND_OFF * np.abs(c.vector).max()] = 0.0
            matrices.append(([projected], c.spectrum))
            continue
        for spectrum, vectors in groups:
            if spectrum is c.spectrum or spectrum == c.spectrum:
                vectors.append(projected[:, 0])
                break
        else:
            groups.append((c.spectrum, [projected[:, 0]]))
    merged = matrices
    for spectrum, vectors in groups:
        left, singular, _ = np.linalg.svd(np.stack(vectors, axis=1), full_matrices=False)
        # Squared singular values enter Sigma: the direction of a small one is round-off of the projection.
        keep = singular > ROUND_OFF * max(np.linalg.norm(c.vector) for c in channels)
        merged.append(([s * v for s, v in zip(singular[keep], left.T[keep], strict=True)], spectrum))
    return merged
