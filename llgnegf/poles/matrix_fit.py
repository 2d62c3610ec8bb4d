"""Damped modes of a lead with a matrix self-energy: poles from its kernel, residues by least squares, Gamma >= 0.
Above `lead_kernel` (the exact C(t)) and `positive` (residues with Gamma >= 0, certified); below `channels`.

Poles. With H_ij = C(t_i + t_j) and H'_ij = C(t_i + t_j + dt), matrices of m x m blocks, the M leading singular
vectors of H = X S Y^dag give the M x M matrix S^-1/2 X^dag H' Y S^-1/2, whose eigenvalues are exp(-i chi_y dt)
(S. Y. Kung, Proc. 12th Asilomar Conf. (1978): the eigensystem realization algorithm; ESPRIT in signal processing).
Its eigenvectors give c_y. Rows are weighted by t^-1/4, as rows of late times outnumber those of early ones, where C
is large.

Residues. w_y by least squares over times up to several windows, c_y kept; then under Gamma >= 0.

hbar = 1. In the units here the support of Gamma is [-2, 2].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf.poles.fit_cache import kept
from llgnegf.poles.lead_kernel import LeadKernel
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.poles.positive import certified, nonnegative
from llgnegf.problem.matrix_spectra import MatrixSpectrum

VERSION = 1
"""Of the numerics here: fits of other versions are not taken from the cache."""
BETWEEN = 1.02
"""What C - C_fit may exceed its samples by, between them."""
STEP = 0.25
"""dt."""
WINDOWS = (240.0, 800.0, 2400.0)
"""Latest times of H, tried in this order: what is later is not fitted, but checked."""
ROWS = 160
"""Rows (and columns) of blocks in H, at most."""
LARGEST_HANKEL = 2400
"""Rows of H, at most."""
LATEST = 2e4
"""Latest time at which C and C_fit are compared point by point."""
REACHED = 0.04
"""A fit to C on t <= T is wrong by about REACHED T^-3/2 later."""
MOST_PER_ORBITAL = 44


def matrix_modes(spectrum: MatrixSpectrum, tolerance: float, strict: bool = True) -> MatrixModes:
    """Damped modes of a lead with max_t ||C(t) - C_fit(t)|| <= tolerance ||C(0)||, Gamma >= 0 certified.

    Args:
        spectrum: The lead; it must have a finite support.
        tolerance: Relative to the spectral norm of C(0), surface levels included; in (0, 1).
        strict: Whether a tolerance that is not met is refused; else the best fit is returned, with its own error.

    Raises:
        ValueError: For a support that is not finite, and where `strict`.
    """
    if isinstance(spectrum, MatrixModes):
        return spectrum
    if not (isinstance(tolerance, int | float | np.floating) and 0 < tolerance < 1):
        raise ValueError(f"tolerance: {tolerance}; allowed: 0 < tolerance < 1, relative to C(0)")
    if not np.isfinite(spectrum.support).all():
        raise ValueError(f"{type(spectrum).__name__}.support: {spectrum.support}; allowed: two finite energies, in eV")
    modes, total = kept(spectrum, float(tolerance), VERSION, lambda: _fit(spectrum, float(tolerance)))
    if strict and modes.error > tolerance * total * (1 + 1e-9):
        raise ValueError(
            f"{type(spectrum).__name__}: damped modes do not meet tolerance {tolerance:.2g} C(0): "
            f"{modes.error / total:.2g} C(0) was reached with {modes.energies.size} modes; allowed: a larger tolerance"
        )
    return modes


def _fit(spectrum: MatrixSpectrum, tolerance: float) -> tuple[MatrixModes, float]:
    """The modes, and the norm of C(0)."""
    kernel = LeadKernel(spectrum)
    levels, vectors = kernel.levels
    undamped = MatrixModes(levels.astype(complex), vectors, vectors, 0.0)
    start = kernel(np.zeros(1))[0]
    total = float(np.linalg.norm(start + undamped.weight, 2))
    size = float(np.linalg.norm(start, 2))
    lost = _lost(spectrum, start + undamped.weight)
    if size <= 0.1 * tolerance * total:  # nothing but surface levels
        return MatrixModes(undamped.energies, vectors, vectors, size), total
    low, high = spectrum.support
    unit, middle = 0.25 * (high - low), 0.5 * (high + low)
    best: MatrixModes | None = None
    reduced = _Reduced(kernel, middle, unit, min(LATEST, 4 * (0.5 * tolerance) ** (-2 / 3)))
    enough = [window for window in WINDOWS if tolerance * window**1.5 > REACHED] or WINDOWS[-1:]
    for window in WINDOWS[WINDOWS.index(enough[0]) :]:
        found = _Window(reduced, window).fit(tolerance * total)
        best = min((one for one in (best, found) if one is not None), key=lambda one: one.error, default=None)
        if best is not None and best.error <= tolerance * total:
            break
    if best is None:
        raise ValueError(f"{type(spectrum).__name__}: no modes with Gamma >= 0 were found; allowed: a larger tolerance")
    energies = np.concatenate([best.energies, undamped.energies])
    left, right = np.hstack([best.left, vectors]), np.hstack([best.right, vectors])
    return MatrixModes(energies, left, right, best.error + lost), total


def _lost(spectrum: MatrixSpectrum, start: np.ndarray) -> float:
    """Weight that the kernel's quadrature has missed: Gamma >= 0, so no |C(t)| is wrong by more."""
    weight: np.ndarray | None = getattr(spectrum, "weight", None)
    return 0.0 if weight is None else float(np.linalg.norm(weight - start, "nuc"))


@dataclass(frozen=True, eq=False)
class _Reduced:
    """C(t) in the units of this module, and the times at which fits are judged."""

    kernel: LeadKernel
    middle: float
    unit: float
    latest: float

    @property
    def size(self) -> int:
        return self.kernel.spectrum.size

    def __call__(self, times: np.ndarray) -> np.ndarray:
        return self.kernel(times / self.unit) * np.exp(1j * self.middle / self.unit * times)[:, None, None]

    @cached_property
    def checked(self) -> tuple[np.ndarray, np.ndarray]:
        """Times that are not fitted, and C."""
        rng = np.random.default_rng(1)
        late = np.geomspace(60, max(self.latest, 500.0), 400) * (1 + 1e-3 * rng.random(400))
        times = np.unique(np.concatenate([np.arange(0.0, 60, 0.11), np.arange(60.0, 240, 0.37), late]))
        return times, self(times)

    def error(self, chi: np.ndarray, left: np.ndarray, right: np.ndarray) -> float:
        """Largest norm of C - C_fit at the checked times, and of C beyond."""
        times, exact = self.checked
        found = np.einsum("ay,ty,by->tab", left, np.exp(-1j * np.outer(times, chi)), right.conj(), optimize=True)
        differences = np.linalg.norm(exact - found, 2, axis=(1, 2))
        return float(max(BETWEEN * differences.max(), np.linalg.norm(exact[-50:], 2, axis=(1, 2)).max()))


@dataclass(frozen=True, eq=False)
class _Window:
    """The fits to C on 0 <= t <= length."""

    exact: _Reduced
    length: float

    @cached_property
    def realization(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """S, X^dag H' Y, and the first block rows of X and Y."""
        m, count = self.exact.size, int(self.length / (2 * STEP))
        samples = self.exact(STEP * np.arange(2 * count + 2))
        rows = max(24, min(ROWS, LARGEST_HANKEL // m))
        late = np.geomspace(rows / 2, count, rows - rows // 2)
        index = np.unique(np.round(np.concatenate([np.arange(rows // 2), late])).astype(int))
        weight = np.sqrt(np.gradient(index.astype(float))) * (1.0 + index) ** -0.25
        both = []
        for shift in (0, 1):
            blocks = samples[index[:, None] + index + shift] * (weight[:, None] * weight)[:, :, None, None]
            both.append(blocks.transpose(0, 2, 1, 3).reshape(index.size * m, -1))
        left, size, right = np.linalg.svd(both[0])
        most = min(MOST_PER_ORBITAL * m, int(np.sum(size > 1e-14 * size[0])))
        left, right = left[:, :most], right[:most]
        return size[:most], left.conj().T @ both[1] @ right.conj().T, left[:m] / weight[0], right[:, :m] / weight[0]

    def poles(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """chi_y and c_y of `count` modes, all damped."""
        size, shifted, first, _ = self.realization
        root = np.sqrt(size[:count])
        values, states = np.linalg.eig(shifted[:count, :count] / root[:, None] / root)
        chi = 1j * np.log(values) / STEP
        chi = chi.real - 1j * np.maximum(np.abs(chi.imag), 1e-7)
        left = (first[:, :count] * root) @ states
        return chi, left / np.linalg.norm(left, axis=0)

    @cached_property
    def fitted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times, weights and C of the least squares."""
        last = 2 * self.length
        times = np.unique(np.concatenate([np.arange(0, 30, 0.2), np.geomspace(30, last, 500)]))
        weight = np.sqrt(np.gradient(times)) * (1 + times) ** -0.5
        return times, weight, self.exact(times)

    def weights(self, chi: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """w_y (m, M) of the least squares, and its triangular matrix R (M, M)."""
        times, weight, exact = self.fitted
        phases = np.exp(-1j * np.outer(times, chi)) * weight[:, None]
        design = (phases[:, None, :] * left).reshape(-1, chi.size)
        q, r = np.linalg.qr(design)
        goal = (exact * weight[:, None, None]).reshape(-1, left.shape[0])
        inverse = np.linalg.pinv(r, rcond=1e-13)
        return (inverse @ (q.conj().T @ goal)).conj().T, r

    def fit(self, tolerance: float) -> MatrixModes | None:
        """The fewest modes that meet the tolerance (absolute), else the best; None if Gamma < 0 for all of them."""
        m = self.exact.size
        most = self.realization[0].size
        best: MatrixModes | None = None
        for per_orbital in range(6, MOST_PER_ORBITAL + 1, 1 if m == 1 else 2):
            count = min(per_orbital * m, most)
            chi, left = self.poles(count)
            right, triangle = self.weights(chi, left)
            last = count == most or per_orbital + 2 > MOST_PER_ORBITAL
            if last or self.exact.error(chi, left, right) <= 0.97 * tolerance:
                right = nonnegative(chi, left, right, triangle, 0.01 * tolerance)
                error = self.exact.error(chi, left, right)
                if (best is None or error < best.error) and certified(chi, left, right):
                    best = self._in_ev(chi, left, right, error)
                if best is not None and best.error <= tolerance:
                    break
            if count == most:
                break
        return best

    def _in_ev(self, chi: np.ndarray, left: np.ndarray, right: np.ndarray, error: float) -> MatrixModes:
        """Modes in eV, c_y and w_y equally long."""
        scale = np.sqrt(np.linalg.norm(right, axis=0) / np.linalg.norm(left, axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        return MatrixModes(self.exact.middle + self.exact.unit * chi, left * scale, right / scale, error)
