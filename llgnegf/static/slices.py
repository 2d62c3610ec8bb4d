"""Green functions of ribbons and long chains slice by slice: O(n b^2) instead of O(n^3) for n states in slices of b.

Under `frozen` and `start`, for energies off the real axis (Fermi poles); `green` is the dense counterpart, `recursion`
the one for chains at real energies.

A = E - H - Sigma(E) connects a slice k of states with its neighbours only. With the slices before it folded in,

    g_k = [A_kk - A_k,k-1 g_k-1 A_k-1,k]^-1
    A x = y:    y'_k = y_k - A_k,k-1 g_k-1 y'_k-1  for k = 1, 2, ...,    x_k = g_k [y'_k - A_k,k+1 x_k+1]  back again
    G_k,k+1 = -g_k A_k,k+1 G_k+1,k+1,    G_k+1,k = -G_k+1,k+1 A_k+1,k g_k,    G_kk = g_k - G_k,k+1 A_k+1,k g_k

(block LU). |g_k| <= 1/Im E, and round-off grows by that factor in units of the hopping, in the last line by its square.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from llgnegf.static.green import StaticDevice
from llgnegf.static.weights import weighted

LEAST = 16
"""Rows of a slice, at least: smaller products cost as much."""
WHOLE = 64
"""Devices of up to so many states are one slice."""


def slices_of(device: StaticDevice) -> list[slice]:
    """Slices of the states, at least `LEAST` each, of which H and the leads connect neighbours only."""
    return cut(_last_connected(device), LEAST, WHOLE)


def cut(last: np.ndarray, least: int, whole: int) -> list[slice]:
    """Slices of at least so many states or sites of which only neighbours are connected, one of up to `whole`; `last`
    is the last one that each is connected to, (n,)."""
    bounds = [0, last.size if last.size <= whole else min(least, last.size)]
    while bounds[-1] < last.size:
        end = max(bounds[-1] + least, int(last[: bounds[-1]].max()) + 1)
        bounds.append(end if end + least <= last.size else last.size)
    return [slice(a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def _last_connected(device: StaticDevice) -> np.ndarray:
    """The last state that each one is connected to by H or by a lead, (2N,)."""
    last = np.minimum(np.arange(device.size) | 1, device.size - 1)  # both spins, whatever the moments are
    row, column = device.entries
    np.maximum.at(last, row, column)
    for channel in device.channels:
        own = np.flatnonzero(np.abs(channel.columns).any(axis=1))
        last[own] = np.maximum(last[own], own.max(initial=0))
    return last


def distance_from_leads(device: StaticDevice) -> int:
    """Sites on the shortest way through the device from a lead to the site farthest from it, both ends counted."""
    row, column = device.entries
    n_sites, farthest = (device.size + 1) // 2, 1
    linked = sparse.csr_array((np.ones(row.size), (row // 2, column // 2)), shape=(n_sites, n_sites))
    for lead in np.unique(device.leads):
        reached = np.zeros(n_sites, dtype=bool)
        reached[np.flatnonzero(device.vectors[:, device.leads == lead].any(axis=1)) // 2] = True
        distance = 0
        while (count := int(reached.sum())) > 0:
            distance, reached = distance + 1, reached | (linked @ reached > 0)
            if reached.sum() == count:
                break
        farthest = max(farthest, distance)
    return farthest


class SlicedGreen:
    """G(E) of a device at energies (n,) with Im E > 0.

    Args:
        device: The device, (2N, 2N).
        energies: In eV.
        dtype: complex, or np.complex64 for estimates, in half the time.
    """

    def __init__(self, device: StaticDevice, energies: np.ndarray, dtype: Any = complex) -> None:
        self.size, self.count, self.slices = device.size, energies.size, slices_of(device)
        self._parts, self._dtype = _Inverse(device, energies, dtype), dtype
        self._folded: list[np.ndarray] = []
        for k, here in enumerate(self.slices):
            block = self._parts(here, here)
            if k:
                before = self.slices[k - 1]
                block = block - self._parts(here, before) @ self._folded[-1] @ self._parts(before, here)
            self._folded.append(np.linalg.inv(block))

    def columns(self, x: np.ndarray) -> np.ndarray:
        """G x, (n, 2N, r), for x (2N, r)."""
        x = x.astype(self._dtype)
        out = np.empty((self.count, *x.shape), dtype=self._dtype)
        for k, (here, g) in enumerate(zip(self.slices, self._folded, strict=True)):
            y = x[here]
            if k:
                before = self.slices[k - 1]
                y = y - self._parts(here, before) @ out[:, before]
            out[:, here] = g @ y
        for k in range(len(self.slices) - 2, -1, -1):
            here, after = self.slices[k : k + 2]
            out[:, here] -= self._folded[k] @ (self._parts(here, after) @ out[:, after])
        return out

    def rows(self, x: np.ndarray) -> np.ndarray:
        """x^dag G, (n, r, 2N), for x (2N, r)."""
        adjoint = x.astype(self._dtype).conj().T
        out = np.empty((self.count, *adjoint.shape), dtype=self._dtype)
        for k, (here, g) in enumerate(zip(self.slices, self._folded, strict=True)):
            y = adjoint[:, here]
            if k:
                before = self.slices[k - 1]
                y = y - out[:, :, before] @ self._parts(before, here)
            out[:, :, here] = y @ g
        for k in range(len(self.slices) - 2, -1, -1):
            here, after = self.slices[k : k + 2]
            out[:, :, here] -= (out[:, :, after] @ self._parts(after, here)) @ self._folded[k]
        return out

    def matrices(self) -> Iterator[np.ndarray]:
        """G at one energy after the other, (2N, 2N)."""
        for n in range(self.count):
            out = np.zeros((self.size, self.size), dtype=self._dtype)
            for k, here in enumerate(self.slices):
                g, seen = self._folded[k][n], slice(0, here.stop)
                out[here, here] = np.eye(here.stop - here.start)
                if k:  # columns beyond the slice are zero: y' is triangular
                    before = self.slices[k - 1]
                    out[here, : before.stop] = -(self._parts(here, before, n) @ out[before, : before.stop])
                out[here, seen] = g @ out[here, seen]
            for k in range(len(self.slices) - 2, -1, -1):
                here, after = self.slices[k : k + 2]
                out[here] -= (self._folded[k][n] @ self._parts(here, after, n)) @ out[after]
            yield out

    def logarithm(self) -> np.ndarray:
        """ln |det G^-1|, (n,): that of all g_k^-1."""
        return -np.sum([np.linalg.slogdet(g)[1] for g in self._folded], axis=0)

    def local(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """(rows, columns, G there (n, ..., ...)) of the slices and of neighbours, from the last slice on."""
        here, last = self.slices[-1], self._folded[-1]
        yield here, here, last
        for k in range(len(self.slices) - 2, -1, -1):
            here, after = self.slices[k : k + 2]
            g = self._folded[k]
            upper = -(g @ self._parts(here, after)) @ last
            lower = -last @ (self._parts(after, here) @ g)
            yield here, after, upper
            yield after, here, lower
            last = g - upper @ (self._parts(after, here) @ g)
            yield here, here, last


class _Inverse:
    """Blocks of E - H - Sigma(E): (n, ..., ...), or without the energies where no lead is."""

    def __init__(self, device: StaticDevice, energies: np.ndarray, dtype: Any) -> None:
        self._hamiltonian, self._touched = device.hamiltonian, device.vectors != 0
        self._origin = float(energies.real.mean()) if energies.size else 0.0  # E - H in few digits, far from zero too
        given = device.vectors, energies - self._origin, device.self_energies(energies)
        self._vectors, self._energies, self._sigma = (x.astype(dtype) for x in given)

    def __call__(self, rows: slice, columns: slice, number: int | None = None) -> np.ndarray:
        """The block of two slices, of all energies or of the one of a `number`."""
        block = -self._hamiltonian[rows, columns]
        if rows == columns:
            block = block + self._origin * np.eye(len(block))
        block = block.astype(self._vectors.dtype)
        own = np.flatnonzero(self._touched[rows].any(axis=0) & self._touched[columns].any(axis=0))
        at = slice(None) if number is None else slice(number, number + 1)
        if own.size:
            sigma = self._sigma[at, own] if self._sigma.ndim == 2 else self._sigma[at, own[:, None], own]
            block = block - weighted(self._vectors[rows, own], sigma) @ self._vectors[columns, own].conj().T
        if rows == columns:
            block = block + self._energies[at, None, None] * np.eye(block.shape[-1], dtype=block.dtype)
        return block[0] if number is not None and block.ndim == 3 else block
