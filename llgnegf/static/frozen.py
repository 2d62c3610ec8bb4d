"""A device at rest whose leads are damped modes and Fermi poles: what the equation of motion sees of an instant.

`start` builds the states of runs from it, `tensors` the slow electrons, `relax` and the error budget ask it for
equilibria. `green.StaticDevice` is the device; here are the modes and the Fermi vectors beside it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from llgnegf.poles.channels import PoleSystem
from llgnegf.poles.levels import LeadLevels
from llgnegf.problem import occupation
from llgnegf.problem.occupation import density_matrix
from llgnegf.static.contour import plus_adjoint
from llgnegf.static.green import StaticDevice
from llgnegf.static.mean_field import self_consistent


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
        voltages: V of each channel in eV, (n_channels,).
        mu: mu_p + V_p of each lead in eV, (n_leads,); `mean` that of what no lead reaches.
    """

    def __init__(
        self, poles: PoleSystem, moments: np.ndarray, time: float = 0.0, levels: LeadLevels | None = None
    ) -> None:
        system = poles.system
        self.poles = poles
        self.device = StaticDevice.of(system, moments, time, poles.channels, poles.density_blocks)
        self.arrays = a = LeadLevels(poles) if levels is None else levels
        self.voltages = system.voltages(time)[a.lead] if a.lead.size else np.zeros(0)
        self.chi = a.chi + self.voltages[a.mode_channel]
        self.z = a.z + self.voltages[a.vector_channel]
        self.mu, self.mean = system.chemical_potentials(time), system.mean_chemical_potential(time)

    def at(self, moments: np.ndarray, time: float = 0.0) -> FrozenDevice:
        """The same device with other moments, and the voltages of another time (fs)."""
        return FrozenDevice(self.poles, moments, time, self.arrays)

    @property
    def hamiltonian(self) -> np.ndarray:
        """H of the device in eV, (2N, 2N)."""
        return self.device.hamiltonian

    @property
    def u(self) -> np.ndarray:
        """Device vectors of the channels as columns, (2N, n_channels)."""
        return self.device.vectors

    @cached_property
    def exact(self) -> StaticDevice:
        """The same device with the leads that the modes stand for."""
        pairs = zip(self.device.channels, self.poles.channels, strict=True)
        return StaticDevice(self.hamiltonian, tuple(replace(c, spectrum=pole.exact) for c, pole in pairs))

    def inverse_green(self, energies: np.ndarray) -> np.ndarray:
        """E - H - Sigma(E) on the device for Im E >= 0, (n_energies, 2N, 2N); Sigma from the modes."""
        return self.device.inverse_green(energies)

    def fermi_poles(self, mu: float) -> tuple[np.ndarray, np.ndarray]:
        """z_m^* and r_m of the rational f at mu, each (n_poles,), in eV."""
        z, r = self.poles.fermi_poles(mu)
        return z.conj(), r

    def density_matrix(self, mu: float | None = None) -> np.ndarray:
        """rho = 1/2 + sum_m r_m [G(z_m^*) + G(z_m^*)^dag] at the common chemical potential mu (None: `mean`)."""
        energies, r = self.fermi_poles(self.mean if mu is None else mu)
        return 0.5 * np.eye(self.arrays.n) + plus_adjoint(np.einsum("m,mab->ab", r, self.device.retarded(energies)))

    def grand_potential(self, mu: float | None = None) -> float:
        """Electronic grand potential Omega (eV) up to a constant of the leads; dOmega = Tr[rho dH] for the same rho.

        Omega = Tr(H - mu)/2 - 2 sum_m r_m ln |det[(z_m^* - H - Sigma)/(z_m^* - mu)]| - 2N kT ln 2, since
        d ln det(z - H - Sigma) = -Tr[G dH]; without leads it is -kT sum ln[1 + exp(-(E - mu)/kT)].
        """
        level = self.mean if mu is None else mu
        energies, r = self.fermi_poles(level)
        logarithm = np.linalg.slogdet(self.inverse_green(energies))[1]
        size, kT = len(self.hamiltonian), self.poles.system.kT
        levels = 0.5 * np.trace(self.hamiltonian).real - size * (0.5 * level + kT * np.log(2))
        return float(levels - 2 * r @ (logarithm - size * np.log(np.abs(energies - level))))

    def fermi_vectors(self) -> np.ndarray:
        """Stationary v_k = c_k G_ext(z_k^*) u_q, (n + M, K)."""
        return self.vectors(self.z, self.arrays.c, self.arrays.vector_channel)

    def vectors(self, z: np.ndarray, c: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """c_k G_ext(z_k^*) u_q, q = channel_k, (n + M, K); the mode rows are kappa_y u_y^dag v/(z_k^* - chi_y)."""
        a = self.arrays
        energies, place = np.unique(z.conj(), return_inverse=True)
        green = self.device.retarded(energies)[place]
        device = c * np.einsum("kab,bk->ak", green, self.u[:, channel])
        projected = self.u.conj().T[a.mode_channel] @ device
        return np.concatenate([device, a.kappa[:, None] * projected / (z.conj() - self.chi[:, None])])

    def sources_at(self, mu: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fermi poles z_k, sources c_k and channels, (K,) each, if all leads were filled up to mu, their levels as
        they are."""
        found = [self.poles.fermi_sources(q, mu - v) for q, v in enumerate(self.voltages)]
        z, c = ([part[k] for part in found] for k in (0, 1))
        z = [own + v for own, v in zip(z, self.voltages, strict=True)]
        return np.concatenate(z), np.concatenate(c), np.repeat(np.arange(len(z)), [own.size for own in z])

    def fillings(self, mu: np.ndarray) -> np.ndarray:
        """f(chi_y) of every mode, (M,), for the chemical potentials mu of the channels, (n_channels,)."""
        a = self.arrays
        parts = [self.chi[a.offset[q] : a.offset[q + 1]] for q in range(a.lead.size)]
        filled = [self.poles.occupation(chi, m) for chi, m in zip(parts, mu, strict=True)]
        return np.concatenate([np.zeros(0), *filled])

    def extended_hamiltonian(self) -> np.ndarray:
        """h as a dense (n + M, n + M) matrix; used at the start, never in a step."""
        a = self.arrays
        u = self.u[:, a.mode_channel]
        h = np.diag(np.concatenate([np.zeros(a.n), self.chi])).astype(complex)
        h[: a.n, : a.n] = self.hamiltonian - 0.5j * (self.u * a.wide) @ self.u.conj().T
        h[: a.n, a.n :] = u * a.s
        h[a.n :, : a.n] = a.kappa[:, None] * u.conj().T
        return h


def adiabatic_density_matrix(poles: PoleSystem, moments: np.ndarray, time: float = 0.0) -> np.ndarray:
    """Equilibrium rho, (2N, 2N), of device and leads for the moments and voltages of an instant (fs).

    It uses the leads and the Fermi function of the run, so that their expansion errors cancel in the difference
    rho(t) - rho_adiabatic. The chemical potential is the mean over the leads of that instant.
    """
    return _density(settled(poles, moments, time), moments, time)


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


def _density(poles: PoleSystem, moments: np.ndarray, time: float) -> np.ndarray:
    """Equilibrium rho for the density that mean fields are taken at."""
    system = poles.system
    if system.is_closed:
        hamiltonian = system.electrons.hamiltonian_at(moments, time, poles.density_blocks)
        return density_matrix(hamiltonian, system.fermi_energy, system.kT)
    return FrozenDevice(poles, moments, time).density_matrix()
