"""Brute force for devices whose Hamiltonian changes: device and chain leads as one closed chain of explicit sites.

The device block is a function h(t, rho_device) that the test writes down by hand; nothing of the package's terms,
propagator, poles or self-energies is used. Exact until the echo of the cut ends returns (length hbar/gamma).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.special import expit

HBAR = 0.6582119569
SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])

Device = Callable[[float, np.ndarray], np.ndarray]
"""t in fs, rho of the device (2N, 2N) -> H of the device in eV, sd coupling included."""


@dataclass(frozen=True)
class Chain:
    """A semi-infinite chain, hopping -gamma, attached to `site` by -coupling, levels shifted by voltage(t)."""

    site: int
    coupling: float = 1.0
    hopping: float = 1.0
    voltage: Callable[[float], float] = lambda t: 0.0


def thermal(device: Device, n: int, leads: Sequence[Chain], length: int, kT: float, mu: float = 0.0) -> np.ndarray:
    """f(H(0, rho)) of the whole chain, self-consistent by damped iteration to 1e-13."""
    rho = 0.5 * np.eye(n + 2 * length * len(leads))
    for _ in range(2000):
        block = device(0.0, rho[:n, :n])
        levels, states = np.linalg.eigh(_whole(block, leads, length, 0.0).toarray())
        new = (states * expit(-(levels - mu) / kT)) @ states.conj().T
        if np.abs(new - rho).max() < 1e-13 or np.array_equal(device(0.0, new[:n, :n]), block):
            return new
        rho = 0.5 * (rho + new)
    raise AssertionError("no self-consistent state")


def propagate(
    device: Device, n: int, leads: Sequence[Chain], length: int, rho: np.ndarray, times: Sequence[float],
    stops: Sequence[float] = (),
) -> np.ndarray:  # fmt: skip
    """rho at `times` (fs) of the device and the first site of every lead, (T, n + 2 leads, n + 2 leads); `stops` are
    instants at which H jumps."""
    size, out = rho.shape[0], []
    kept = np.r_[:n, *(np.arange(2) + n + 2 * length * p for p in range(len(leads)))].astype(int)
    at_rest = _whole(np.zeros((n, n)), [replace(lead, voltage=lambda t: 0.0) for lead in leads], length, 0.0)

    def rate(t: float, y: np.ndarray) -> np.ndarray:
        r = y.reshape(size, size)
        hr = at_rest @ r
        hr[:n] += device(t, r[:n, :n]) @ r[:n]
        for p, lead in enumerate(leads):
            sites = slice(n + 2 * length * p, n + 2 * length * (p + 1))
            hr[sites] += lead.voltage(t) * r[sites]
        return ((hr - hr.conj().T) * (-1j / HBAR)).ravel()

    y, now = rho.astype(complex).ravel(), 0.0
    for t in times:
        for end in [s for s in stops if now < s < t] + [t]:
            if end > now:
                span = (now + 1e-13, end - 1e-13)  # on one side of a jump
                y = solve_ivp(rate, span, y, method="DOP853", rtol=1e-10, atol=1e-11, max_step=0.5).y[:, -1]
                now = end
        out.append(y.reshape(size, size)[np.ix_(kept, kept)])
    return np.array(out)


def lead_currents(rho: np.ndarray, leads: Sequence[Chain]) -> np.ndarray:
    """Electrons per fs and spin current (eV) into each lead, (leads, 4): of rho as `propagate` gives it at one time.

    I = (2/hbar) Im Tr[H_ji rho_ij] from the contact i to the lead's first site j, H_ji = -coupling.
    """
    n = rho.shape[0] - 2 * len(leads)
    found = []
    for p, lead in enumerate(leads):
        i, j = 2 * (lead.site % (n // 2)), n + 2 * p
        block = rho[i : i + 2, j : j + 2]
        flow = [2 / HBAR * np.trace(-lead.coupling * block).imag]
        found.append(flow + [np.trace(-lead.coupling * sigma @ block).imag for sigma in SIGMA])
    return np.array(found)


def bond_currents(rho: np.ndarray, device: np.ndarray, bonds: Sequence[tuple[int, int]]) -> np.ndarray:
    """(2/hbar) Im Tr[H_ji rho_ij] of bonds (i, j) of the device, (bonds,)."""
    parts = [(slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)) for i, j in bonds]
    return np.array([2 / HBAR * np.trace(device[j, i] @ rho[i, j]).imag for i, j in parts])


def _whole(device: np.ndarray, leads: Sequence[Chain], length: int, t: float) -> sp.csr_array:
    n = device.shape[0]
    blocks = [sp.csr_array(device)]
    for lead in leads:
        parts = [-lead.hopping, lead.voltage(t), -lead.hopping]
        chain = sp.diags_array(parts, offsets=[-1, 0, 1], shape=(length, length))
        blocks.append(sp.csr_array(sp.kron(chain, sp.eye_array(2))))
    h = sp.lil_array(sp.block_diag(blocks, format="lil"), dtype=complex)
    for p, lead in enumerate(leads):
        first, contact = n + 2 * length * p, 2 * (lead.site % (n // 2))
        for s in (0, 1):
            h[contact + s, first + s] = h[first + s, contact + s] = -lead.coupling
    return h.tocsr()


def spins(rho: np.ndarray) -> np.ndarray:
    """<s_i>, (..., N, 3)."""
    n = rho.shape[-1] // 2
    blocks = np.stack([rho[..., 2 * i : 2 * i + 2, 2 * i : 2 * i + 2] for i in range(n)], axis=-3)
    return np.einsum("...ist,ats->...ia", blocks, SIGMA).real
