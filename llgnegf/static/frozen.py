"""A device at rest whose leads are damped modes and Fermi poles: what the equation of motion sees of an instant.

`start` builds the states of runs from it, `response/` the slow electrons, `relax` and the error budget ask it for
equilibria. `green.StaticDevice` is the device; here are the modes and the Fermi vectors beside it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from llgnegf.poles.channels import PoleSystem
from llgnegf.poles.levels import LeadLevels, block_diagonal
from llgnegf.problem import occupation
from llgnegf.problem.occupation import density_matrix
from llgnegf.static.contour import plus_adjoint
from llgnegf.static.green import StaticDevice
from llgnegf.static.mean_field import self_consistent
from llgnegf.static.slices import SlicedGreen


class FrozenDevice:
    """The extended Hamiltonian h of frozen moments and voltages, with the poles of every channel.

    Args:
        poles: The expanded system, not closed.
        moments: (N, 3).
        time: Instant of the voltages, fs.
        levels: Those of `poles` where they are known already.

    Attributes:
        device: Device and leads in modes.
        arrays: Modes and Fermi poles at zero voltage; `chi`, `z` those at the voltages of the instant.
        voltages: V of each orbital in eV, (Q,); a scalar channel has one orbital.
        mu, kT: mu_p + V_p and kT_p of each lead in eV, (n_leads,).
        mean, mean_kT: Those of what no lead reaches, in eV: the means over the leads.
    """

    def __init__(
        self, poles: PoleSystem, moments: np.ndarray, time: float = 0.0, levels: LeadLevels | None = None
    ) -> None:
        system = poles.system
        self.poles = poles
        self.device = StaticDevice.of(system, moments, time, poles.channels, poles.density_blocks)
        self.arrays = a = LeadLevels(poles) if levels is None else levels
        voltages = system.voltages(time)
        self.voltages = voltages[a.lead]
        self.chi = a.chi + voltages[a.mode_lead]
        self.z = a.z + voltages[a.vector_lead]
        self.mu, self.mean = system.chemical_potentials(time), system.mean_chemical_potential(time)
        self.kT, self.mean_kT = system.temperatures(), system.mean_temperature

    def at(self, moments: np.ndarray, time: float = 0.0) -> FrozenDevice:
        """The same device with other moments, and the voltages of another time (fs)."""
        return FrozenDevice(self.poles, moments, time, self.arrays)

    @property
    def hamiltonian(self) -> np.ndarray:
        """H of the device in eV, (2N, 2N)."""
        return self.device.hamiltonian

    @property
    def u(self) -> np.ndarray:
        """Device vectors of the orbitals as columns, (2N, Q)."""
        return self.arrays.vectors

    @cached_property
    def exact(self) -> StaticDevice:
        """The same device with the leads that the modes stand for."""
        pairs = zip(self.device.channels, self.poles.channels, strict=True)
        return StaticDevice(self.hamiltonian, tuple(replace(c, spectrum=pole.exact) for c, pole in pairs))

    def inverse_green(self, energies: np.ndarray) -> np.ndarray:
        """E - H - Sigma(E) on the device for Im E >= 0, (n_energies, 2N, 2N); Sigma from the modes."""
        return self.device.inverse_green(energies)

    def fermi_poles(self, mu: float) -> tuple[np.ndarray, np.ndarray]:
        """z_m^* and r_m of the rational f at mu and the mean temperature, each (n_poles,), in eV."""
        z, r = self.poles.fermi_poles(mu, self.mean_kT)
        return z.conj(), r

    def density_matrix(self, mu: float | None = None) -> np.ndarray:
        """rho = 1/2 + sum_m r_m [G(z_m^*) + G(z_m^*)^dag] at the common chemical potential mu (None: `mean`)."""
        energies, r = self.fermi_poles(self.mean if mu is None else mu)
        rho = np.zeros((self.arrays.n, self.arrays.n), dtype=complex)
        for weight, green in zip(r.tolist(), SlicedGreen(self.device, energies).matrices(), strict=True):
            rho += weight * green
        return 0.5 * np.eye(self.arrays.n) + plus_adjoint(rho)

    def grand_potential(self, mu: float | None = None) -> float:
        """Electronic grand potential Omega (eV) up to a constant of the leads; dOmega = Tr[rho dH] for the same rho.

        Omega = Tr(H - mu)/2 - 2 sum_m r_m ln |det[(z_m^* - H - Sigma)/(z_m^* - mu)]| - 2N kT ln 2, since
        d ln det(z - H - Sigma) = -Tr[G dH]; without leads it is -kT sum ln[1 + exp(-(E - mu)/kT)].
        """
        level = self.mean if mu is None else mu
        energies, r = self.fermi_poles(level)
        logarithm = SlicedGreen(self.device, energies).logarithm()
        size, kT = len(self.hamiltonian), self.mean_kT
        levels = 0.5 * np.trace(self.hamiltonian).real - size * (0.5 * level + kT * np.log(2))
        return float(levels - 2 * r @ (logarithm - size * np.log(np.abs(energies - level))))

    def fermi_vectors(self) -> np.ndarray:
        """Stationary v_k = G_ext(z_k^*) U c_k, (n + M, K)."""
        return self.vectors(self.z, self.arrays.c)

    def vectors(self, z: np.ndarray, c: np.ndarray) -> np.ndarray:
        """G_ext(z_k^*) U c_k for z (K,) and c (Q, K), (n + M, K); the mode rows are W_y^dag v/(z_k^* - chi_y)."""
        energies, place = np.unique(z.conj(), return_inverse=True)
        device = np.zeros((self.arrays.n, z.size), dtype=complex)
        for k, columns in enumerate(SlicedGreen(self.device, energies).columns(self.u)):
            device[:, place == k] = columns @ c[:, place == k]
        modes = self.into_modes(device)
        modes /= z.conj() - self.chi[:, None]
        return np.concatenate([device, modes])

    def into_modes(self, columns: np.ndarray) -> np.ndarray:
        """W_y^dag x of device columns (2N, ...), (M, ...)."""
        return self.arrays.right.conj().T @ (self.u.conj().T @ columns)

    def sources_at(self, mu: float, kT: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fermi poles z_k (K,), sources c_k (Q, K) and orbitals (K,) if all leads were filled up to mu at kT, their
        levels as they are."""
        a, channels = self.arrays, self.poles.channels
        shifts = [float(self.voltages[first]) for first in a.orbitals[:-1]]
        found = [self.poles.fermi_sources(g, mu - v, kT) for g, v in enumerate(shifts)]
        z = np.concatenate([own + v for (own, _), v in zip(found, shifts, strict=True)])
        counts = [own.size // c.columns.shape[1] for (own, _), c in zip(found, channels, strict=True)]
        orbital = np.repeat(np.arange(a.lead.size), np.repeat(counts, np.diff(a.orbitals)))
        return z, block_diagonal([c for _, c in found], a.lead.size), orbital

    def fillings(self, mu: np.ndarray, kT: np.ndarray) -> np.ndarray:
        """f(chi_y) of every mode, (M,), for the chemical potentials and temperatures of the leads, (n_leads,) each."""
        filled = np.zeros(self.chi.size, dtype=complex)
        for p in range(mu.size):
            own = self.arrays.mode_lead == p
            filled[own] = self.poles.occupation(self.chi[own], mu[p], kT[p])
        return filled

    def extended_hamiltonian(self) -> np.ndarray:
        """h as a dense (n + M, n + M) matrix; used at the start, never in a step."""
        a = self.arrays
        h = np.diag(np.concatenate([np.zeros(a.n), self.chi])).astype(complex)
        h[: a.n, : a.n] = self.hamiltonian - 0.5j * (self.u * a.wide) @ self.u.conj().T
        h[: a.n, a.n :] = self.u @ a.left
        h[a.n :, : a.n] = (self.u @ a.right).conj().T
        return h


def adiabatic_density_matrix(
    poles: PoleSystem, moments: np.ndarray, time: float = 0.0, levels: LeadLevels | None = None
) -> np.ndarray:
    """Equilibrium rho, (2N, 2N), of device and leads for the moments and voltages of an instant (fs).

    `levels` are those of `poles` where they are known already.

    It uses the leads and the Fermi function of the run, so that their expansion errors cancel in the difference
    rho(t) - rho_adiabatic. Chemical potential and temperature are the means over the leads of that instant.
    """
    return _density(settled(poles, moments, time), moments, time, levels)


def settled(poles: PoleSystem, moments: np.ndarray, time: float = 0.0) -> PoleSystem:
    """The system with the density of its equilibrium at `time` (fs) in its mean fields."""
    return self_consistent(poles, lambda at: _density(at, moments, time))


def grand_potential(poles: PoleSystem, moments: np.ndarray) -> float:
    """Electronic grand potential (eV) at the density that mean fields are taken at, up to a constant of the leads."""
    system = poles.system
    if system.is_closed:
        hamiltonian = system.electrons.hamiltonian_at(moments, 0.0, poles.density_blocks)
        return occupation.grand_potential(np.linalg.eigvalsh(hamiltonian), system.fermi_energy, system.kT)
    return FrozenDevice(poles, moments).grand_potential()


def _density(
    poles: PoleSystem, moments: np.ndarray, time: float, levels: LeadLevels | None = None
) -> np.ndarray:
    """Equilibrium rho for the density that mean fields are taken at."""
    system = poles.system
    if system.is_closed:
        hamiltonian = system.electrons.hamiltonian_at(moments, time, poles.density_blocks)
        return density_matrix(hamiltonian, system.fermi_energy, system.kT)
    return FrozenDevice(poles, moments, time, levels).density_matrix()
