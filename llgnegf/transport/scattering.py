"""G between the leads' orbitals at real energies, and the transmissions, noise and densities of states made of it.

Asked by `transport` and `integrals`; the linear algebra is that of `static/green` and `static/recursion`.

With the orbitals of all leads as columns u, g = u^dag G u and Gamma are Q x Q, and the scattering matrix between the
channels of the leads is s = -1 + i Gamma^1/2 g Gamma^1/2 [D. S. Fisher, P. A. Lee, Phys. Rev. B 23, 6851 (1981)].
Unitarity is i (g - g^dag) = g Gamma g^dag. The root drops out of all that is asked for:

    T_pq = Tr s_pq s_pq^dag = Tr Gamma_p g_pq Gamma_q g_pq^dag            p != q
    R_p  = Tr s_pp s_pp^dag = N_p - sum_{q != p} T_qp                     N_p open channels
    1_p - s^dag 1_p s = Gamma^1/2 M_p Gamma^1/2,     M_p = i (1_p g - g^dag 1_p) - g^dag Gamma_p g,     sum_p M_p = 0
    1_p M_p 1_p = 1_p g^dag (Gamma - Gamma_p) g 1_p, of which little is left where little passes
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llgnegf.problem.electrons import PAULI
from llgnegf.static.channels import NOTHING
from llgnegf.static.green import StaticDevice
from llgnegf.static.views import InLevels
from llgnegf.static.weights import by_column, times, weighted


@dataclass(frozen=True, eq=False)
class Scattering:
    """The leads of a device, seen from one another at n real energies.

    Attributes:
        columns: G u as the view holds it.
        green: g = u^dag G u in 1/eV, (n, Q, Q).
        broadening: Gamma in eV, (n, Q) or (n, Q, Q) as in `static/weights`.
    """

    columns: np.ndarray
    green: np.ndarray
    broadening: np.ndarray

    @classmethod
    def at(cls, view: InLevels, origin: np.ndarray, offset: np.ndarray) -> Scattering:
        """At E = origin + offset, (n,)."""
        columns = view.columns(origin, offset)
        green = view.ends.vectors.conj().T @ view.columns_on_ends(columns)
        return cls(columns, green, view.device.broadenings(origin + offset))

    def transmission(self, groups: np.ndarray) -> np.ndarray:
        """T_kl from l into k, (n, K, K), zero for k = l; `groups` (K, Q) holds 1 for the columns of each."""
        found = between(groups, self.broadening, self.green, self.green).real
        found[:, range(len(groups)), range(len(groups))] = 0.0
        return found

    def correlations(self, groups: np.ndarray, filled: np.ndarray, empty: np.ndarray) -> np.ndarray:
        """Re Tr M_p (1 - f) Gamma M_q f Gamma, (n, K, K), for f and 1 - f of each column, (n, Q).

        That is sum_{ab} Tr A_ab(p) A_ba(q) f_b (1 - f_a), A(p) = 1_p - s^dag 1_p s, of M. Buttiker, Phys. Rev. B 46,
        12485 (1992), symmetrised.
        """
        g, gamma = self.green, self.broadening
        own = groups[:, :, None] * g[:, None]  # 1_p g
        adjoint = g.conj().swapaxes(1, 2)
        scattered = np.stack([adjoint @ times(by_column(gamma, one), g) for one in groups], axis=1)
        from_others = np.einsum("kl,nlab->nkab", 1 - np.eye(len(groups)), scattered)
        within = groups[:, :, None] * groups[:, None, :] > 0
        m = np.where(within, from_others, 1j * (own - own.conj().swapaxes(2, 3)) - scattered)
        rows = m.reshape(len(m), -1, m.shape[-1])
        ahead, behind = (weighted(rows, by_column(gamma, f)).reshape(m.shape) for f in (empty, filled))
        return np.einsum("npab,nqba->npq", ahead, behind, optimize=True).real

    def densities(self, view: InLevels, groups: np.ndarray) -> np.ndarray:
        """Tr O (G Gamma_k G^dag)_ii/2 pi in 1/eV, O = 1, sigma_x, sigma_y, sigma_z: (n, K, N, 4)."""
        columns, operators = view.on_all_sites(self.columns), np.concatenate([np.eye(2)[None], PAULI])
        rows = columns.reshape(len(columns), -1, columns.shape[-1])
        found = []
        for one in groups:
            ket = weighted(rows, by_column(self.broadening, one)).reshape(columns.shape)
            blocks = np.einsum("nisq,nitq->nist", ket, columns.conj())
            found.append(np.einsum("nist,ots->nio", blocks, operators).real / (2 * np.pi))
        return np.stack(found, axis=1)


def between(groups: np.ndarray, gamma: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Tr Gamma_k x_kl Gamma_l y_kl^dag, (n, K, K), for x and y (n, Q, Q)."""
    return np.asarray(groups @ (times(gamma, weighted(first, gamma)) * second.conj()) @ groups.T)


def open_channels(device: StaticDevice, energy: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Number of open channels of each group at real energies: (n, K).

    Scalar channels are open where Gamma > 0. With matrices it is the rank of Gamma on the device: projected on a spin,
    the orbitals of a lead may be more vectors than it has channels.
    """
    gamma, sigma = device.broadenings(energy), device.self_energies(energy.astype(complex))
    if gamma.ndim == 2:
        return (gamma > 0) @ groups.T
    found = np.zeros((energy.size, len(groups)))
    for k, own in enumerate(groups > 0):
        right = np.asarray(np.linalg.qr(device.vectors[:, own], mode="r"))
        on_device = [right @ w[:, own][:, :, own] @ right.conj().T for w in (gamma, sigma)]
        size = np.abs(on_device[1]).max(axis=(1, 2), initial=0.0)
        found[:, k] = (np.linalg.eigvalsh(on_device[0]) > NOTHING * size[:, None]).sum(axis=1)
    return found
