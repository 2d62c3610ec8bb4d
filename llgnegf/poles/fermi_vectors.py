"""Fewer Fermi vectors for each lead channel: the far Fermi poles carry next to nothing, and near ones take it over.
Asked by `channels` for the sources of a run; the poles themselves are in `fermi`.

The vectors of channel q stand for the part of its Gamma(E) f(E) (real E, hbar = 1, both rational) with the Fermi poles,

    D(E) = 2 Re sum_k i c_k^*/(E - z_k),    c_k = [i r_k Gamma(z_k)]^*

Gamma falls as 1/E^2 or faster off its band: the sources of poles beyond it are tiny, yet the farthest pole sets the
step of an explicit method. Sources of the nearest poles alone are fitted to D by least squares, those of poles beyond
FARTHEST spectral ranges never: others take their place, evenly between the last one within NEAR ranges and there. For
D it does not matter where its poles are. With g_i(t, t') = u_q^dag G^dag(t, t') e_i, whatever moves, a change of D is
one of rho by int int g_i^* dD(t' - t'') g_i, so that

    |d rho_ii| <= max_E |dD(E)| sum_q int_0^T |g_i|^2 dt' <= T |sum_q u_q u_q^dag| max_E |dD(E)|

There are no states beyond the spectral range R, where |g_i(E)|^2 falls as 1/E^2: there |dD| counts (R/E)^2.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BEYOND = 4.0
"""Energies are looked at up to so many spectral ranges."""
POINTS = 601
FARTHEST, NEAR = 1.6, 1.25
"""Of the spectral range R: where few near poles meet the tolerance no vector decays faster than the first, so that
|h - z| <= 1.9 R does not exceed the 2R of elements of C but for what the modes' own damping adds; up to the second the
Fermi poles stay where they are."""
MORE = 4
"""Vectors beyond the number of Fermi poles that are tried."""
LARGEST = 3.0
"""Largest sum of |c_k| in units of that of all poles: what cancels multiplies the errors of the vectors."""


def fewest_sources(z: np.ndarray, c: np.ndarray, reach: float, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Fewest poles, none far, and sources (eV^2) with which D(E) is that of z_k (eV), `c` (K,) to `tolerance` (eV).

    Args:
        z: z_k = mu - i eta_k, nearest first.
        c: Sources of all poles, (K,).
        reach: R (eV), measured from mu.
        tolerance: In eV; where it is not met by few poles all stay as they are.
    """
    mu, nearest = float(z[0].real), float(-z[0].imag)
    top = np.arcsinh(BEYOND * reach / nearest)
    energies = mu + nearest * np.sinh(np.linspace(-top, top, POINTS))
    weights = np.minimum(1.0, (reach / np.maximum(np.abs(energies - mu), 1e-3 * reach)) ** 2)
    exact = weights * (_terms(energies, z) @ _real(c))
    for poles in _candidates(z, reach):
        basis = _terms(energies, poles) * weights[:, None]
        scale = np.linalg.norm(basis, axis=0)
        fitted = np.linalg.lstsq(basis / scale, exact, rcond=1e-14)[0] / scale
        sources = fitted[: poles.size] + 1j * fitted[poles.size :]
        error = float(np.abs(basis @ fitted - exact).max())
        if error <= tolerance and np.abs(sources).sum() <= LARGEST * np.abs(c).sum():
            return poles, sources
    return z, c


def _candidates(z: np.ndarray, reach: float) -> Iterator[np.ndarray]:
    """Sets of poles to try, from few to many; all of z itself is not among them unless it is near."""
    depths = -z.imag
    near = max(1, int(np.count_nonzero(depths <= NEAR * reach)))
    last = FARTHEST * reach
    for count in range(1, z.size + MORE):
        if count <= z.size and depths[count - 1] <= last:
            yield z[:count]
        elif near < count and depths[near - 1] < last:
            between = np.linspace(depths[near - 1], last, count - near + 1)[1:]
            yield np.append(z[:near], z[0].real - 1j * between)


def _terms(energies: np.ndarray, z: np.ndarray) -> np.ndarray:
    """D(E) of Re c_k = 1 and of Im c_k = 1, (n, 2 K)."""
    each = 2 / (energies[:, None] - z)
    return np.concatenate([-each.imag, each.real], axis=1)


def _real(c: np.ndarray) -> np.ndarray:
    return np.concatenate([c.real, c.imag])
