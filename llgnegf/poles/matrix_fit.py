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

from llgnegf._blas import one_thread_if_small
from llgnegf.poles.fit_cache import Fit, kept
from llgnegf.poles.lead_kernel import LeadKernel
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.poles.positive import passive
from llgnegf.problem.matrix_spectra import MatrixSpectrum

VERSION = 4
"""Of the numerics here: fits of other versions are not taken from the cache."""
WINDOW = 240.0
"""Times 0 <= t <= WINDOW (in hbar over a quarter of the support's width) at which a tolerance has to be met."""
LONGER, LONGEST = 2.4e-4, 7400.0
"""Tolerance below which times after the window are fitted too, and the latest of these."""
SLOWEST, STILL = 1200.0, 30.0
"""Up to the former the record gets longer while |C| at its end is more than STILL tolerance |C(0)|."""
BETWEEN = 1.02
"""What C - C_fit may exceed its samples by, between them."""
STEP = 0.25
"""dt."""
ROWS, LARGEST_HANKEL = 160, 1920
"""Rows of blocks in H, and rows, at most."""
SKETCH = 640
"""Rows of H from which on its leading singular vectors are taken from random combinations of its columns."""
EARLY, LATE = 0.25, 0.4
"""Weights of the least squares fall with these powers of t in the window and after it."""
NARROWEST = 1e-7
"""Smallest width of a mode."""
GUESS = 0.3
"""Singular values above GUESS tolerance S_0: about the number of modes that a tolerance asks for."""
FLOOR = 0.2
"""What Gamma (1 + E^2) is lifted to where it is not positive, in units of the tolerance."""
SPARE = 0.4
"""What least squares may take of the tolerance, as Gamma >= 0 at least doubles the error."""
GAIN = 1.6
"""Factor by which one more mode per orbital lowers the error, about."""
MORE = 12
"""Numbers of modes per orbital that are tried under Gamma >= 0."""
LEAST_PER_ORBITAL, MOST_PER_ORBITAL = 4, 44


def matrix_modes(spectrum: MatrixSpectrum, tolerance: float, strict: bool = True) -> MatrixModes:
    """The fewest damped modes with |C - C_fit| <= tolerance |C(0)| for 0 <= t <= WINDOW and Gamma >= 0, certified.

    `MatrixModes.error` bounds the error at all times: later ones may exceed the tolerance a few times.

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
    with one_thread_if_small(None):
        modes, reached = kept(spectrum, float(tolerance), VERSION, lambda: _fit(spectrum, float(tolerance)))
    if strict and reached > tolerance * (1 + 1e-9):
        raise ValueError(
            f"{type(spectrum).__name__}: damped modes do not meet tolerance {tolerance:.2g} C(0): "
            f"{reached:.2g} C(0) was reached with {modes.energies.size} modes; allowed: a larger tolerance"
        )
    return modes


def _fit(spectrum: MatrixSpectrum, tolerance: float) -> Fit:
    """The modes, and their error in the window relative to C(0)."""
    kernel = LeadKernel(spectrum)
    levels, vectors = kernel.levels
    undamped = MatrixModes(levels.astype(complex), vectors, vectors, 0.0)
    start = kernel(np.zeros(1))[0]
    total = float(np.linalg.norm(start + undamped.weight, 2))
    size = float(np.linalg.norm(start, 2))
    if size <= 0.1 * tolerance * total:  # nothing but surface levels
        return MatrixModes(undamped.energies, vectors, vectors, size), size / max(total, 1e-300)
    low, high = spectrum.support
    reduced = _reduced(kernel, tolerance)
    (chi, left, right), error = _Window(reduced).fit(tolerance * total)
    late = reduced.error(chi, left, right, late=True)
    scale = np.sqrt(np.linalg.norm(right, axis=0) / np.linalg.norm(left, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    energies = np.concatenate([reduced.middle + reduced.unit * chi, undamped.energies])
    left, right = np.hstack([left * scale, vectors]), np.hstack([right / scale, vectors])
    return MatrixModes(energies, left, right, max(error, late)), error / total


def _reduced(kernel: LeadKernel, tolerance: float) -> _Reduced:
    """C up to the latest time that is fitted. Poles of C in the window alone do so with fewer modes, but next to the
    edges, where Gamma rises as a root, they are too broad for Gamma >= 0: what that costs falls as the square of this
    length. Where flat bands keep C from decaying it is longer, too."""
    low, high = kernel.spectrum.support
    length = float(np.clip(WINDOW * (LONGER / tolerance) ** 0.5, WINDOW, LONGEST))
    while True:
        found = _Reduced(kernel, 0.5 * (high + low), 0.25 * (high - low), length)
        if length >= SLOWEST or found.rest <= STILL * tolerance * found.strength:
            return found
        length *= 2


@dataclass(frozen=True, eq=False)
class _Reduced:
    """C(t) in the units of this module up to t = length, and the times at which fits are judged."""

    kernel: LeadKernel
    middle: float
    unit: float
    length: float

    @property
    def size(self) -> int:
        return self.kernel.spectrum.size

    def __call__(self, times: np.ndarray) -> np.ndarray:
        return self.kernel(times / self.unit) * np.exp(1j * self.middle / self.unit * times)[:, None, None]

    @property
    def strength(self) -> float:
        """|C(0)| without surface levels."""
        return float(np.linalg.norm(self.samples[0], 2))

    @property
    def rest(self) -> float:
        """|C| at the end."""
        return float(np.linalg.norm(self.samples[-20:], 2, axis=(1, 2)).max())

    @cached_property
    def samples(self) -> np.ndarray:
        """C at the multiples of STEP."""
        return self.kernel.samples(STEP / self.unit, 2 * int(self.length / (2 * STEP)) + 2, self.middle)

    def after_window(self, count: int, part: float) -> np.ndarray:
        """Numbers of samples after the window, the last one with them; no two `part` give many of the same."""
        first, last = WINDOW / STEP, len(self.samples) - 1
        places = first * (last / first) ** ((np.arange(count) + part) / count)
        return np.unique(np.round(np.append(places, last)).astype(int))

    @cached_property
    def fitted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times, weights and C of the least squares."""
        times = np.unique(np.concatenate([np.arange(0, 30, 0.2), np.geomspace(30, WINDOW, 400)]))
        late = self.after_window(250, 0.0) if self.length > 1.1 * WINDOW else np.zeros(0, int)
        every = np.append(times, STEP * late)
        weight = np.sqrt(np.gradient(every)) * (1 + every) ** -np.where(every > WINDOW, LATE, EARLY)
        return every, weight, np.concatenate([self(times), self.samples[late]])

    @cached_property
    def checked(self) -> tuple[np.ndarray, np.ndarray]:
        """Times in the window that are not fitted, and C."""
        times = np.concatenate([np.arange(0.0, 60, 0.11), np.arange(60.0, WINDOW, 0.37), [WINDOW]])
        return times, self(times)

    @cached_property
    def later(self) -> tuple[np.ndarray, np.ndarray]:
        """Times after the window that are not fitted, and C."""
        if self.length > 1.1 * WINDOW:
            late = self.after_window(240, 0.7)
            return STEP * late, self.samples[late]
        times = np.linspace(WINDOW, 2 * WINDOW, 100)
        return times, self(times)

    def error(self, chi: np.ndarray, left: np.ndarray, right: np.ndarray, late: bool = False) -> float:
        """Largest norm of C - C_fit in the window, or after it: up to the last sample, and of what is left there."""
        times, exact = self.later if late else self.checked
        found = np.exp(-1j * np.outer(times, chi)) @ _products(left, right).reshape(chi.size, -1)
        found = found.reshape(exact.shape)
        differences = np.linalg.norm(exact - found, 2, axis=(1, 2))
        return float(max(BETWEEN * differences.max(), self.rest if late else 0.0))


def _products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """c_y w_y^dag, (M, m, m)."""
    return left.T[:, :, None] * right.T[:, None, :].conj()


Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""chi_y, c_y, w_y."""


@dataclass(frozen=True, eq=False)
class _Window:
    """The fits to C."""

    exact: _Reduced

    @cached_property
    def realization(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """S, X^dag H' Y, and the first block row of X."""
        m, samples = self.exact.size, self.exact.samples
        count = len(samples) // 2 - 1
        rows = max(24, min(ROWS, LARGEST_HANKEL // m))
        late = np.geomspace(rows / 2, count, rows - rows // 2)
        index = np.unique(np.round(np.concatenate([np.arange(rows // 2), late])).astype(int))
        weight = np.sqrt(np.gradient(index.astype(float))) * (1.0 + index) ** -0.25
        both = []
        for shift in (0, 1):
            blocks = samples[index[:, None] + index + shift] * (weight[:, None] * weight)[:, :, None, None]
            both.append(blocks.transpose(0, 2, 1, 3).reshape(index.size * m, -1))
        left, size, right = _leading(both[0], MOST_PER_ORBITAL * m)
        most = int(np.sum(size > 1e-14 * size[0]))
        left, right = left[:, :most], right[:most]
        return size[:most], left.conj().T @ both[1] @ right.conj().T, left[:m] / weight[0]

    def poles(self, count: int, narrowest: float) -> tuple[np.ndarray, np.ndarray]:
        """chi_y and c_y of `count` modes, all at least so wide."""
        size, shifted, first = self.realization
        root = np.sqrt(size[:count])
        values, states = np.linalg.eig(shifted[:count, :count] / root[:, None] / root)
        chi = 1j * np.log(values) / STEP
        chi = chi.real - 1j * np.maximum(np.abs(chi.imag), narrowest)
        left = (first[:, :count] * root) @ states
        return chi, left / np.linalg.norm(left, axis=0)

    def free(self, count: int, enough: float) -> tuple[Found, np.ndarray, float]:
        """Modes by least squares whatever the sign of Gamma, the triangular R (M, M) of these, the window's error.

        Modes narrower than 1/length are mostly spurious, and nothing to build Gamma >= 0 of: they are made that wide,
        where this leaves an error that is small `enough`.
        """
        wide = self._free(count, 1 / self.exact.length)
        return wide if wide[2] <= enough else min(wide, self._free(count, NARROWEST), key=lambda one: one[2])

    def _free(self, count: int, narrowest: float) -> tuple[Found, np.ndarray, float]:
        chi, left = self.poles(count, narrowest)
        times, weight, exact = self.exact.fitted
        phases = np.exp(-1j * np.outer(times, chi)) * weight[:, None]
        q, r = np.linalg.qr((phases[:, None, :] * left).reshape(-1, count))
        goal = (exact * weight[:, None, None]).reshape(-1, left.shape[0])
        right = (np.linalg.pinv(r, rcond=1e-13) @ (q.conj().T @ goal)).conj().T
        return (chi, left, right), r, self.exact.error(chi, left, right)

    def fit(self, tolerance: float) -> tuple[Found, float]:
        """The fewest modes that meet the tolerance (absolute), else the best."""
        m, size = self.exact.size, self.realization[0]
        most = min(MOST_PER_ORBITAL, size.size // m)
        count = int(np.sum(size > GUESS * tolerance * size[0])) // m
        count = int(np.clip(count, min(LEAST_PER_ORBITAL, most), most))
        enough, one = SPARE * tolerance, self.free(count * m, SPARE * tolerance)
        while count > LEAST_PER_ORBITAL and (fewer := self.free((count - 1) * m, enough))[2] <= enough:
            count, one = count - 1, fewer
        while count < most and one[2] > enough:
            count, one = count + 1, self.free((count + 1) * m, enough)
        best: tuple[Found, float] | None = None
        for number in range(MORE):
            (chi, left, right), triangle, _ = one
            last, errors = number == MORE - 1 or count == most, [0.0]

            def hopeless(w: np.ndarray, modes: Found = one[0], errors: list[float] = errors) -> bool:
                errors[0] = self.exact.error(modes[0], modes[1], w)
                return errors[0] > tolerance

            w = passive(chi, left, right, triangle, FLOOR * tolerance, _never if last and best is None else hopeless)
            if w is not None:
                errors[0] = self.exact.error(chi, left, w)
                best = ((chi, left, w), errors[0]) if best is None or errors[0] < best[1] else best
            if last or (best is not None and best[1] <= tolerance):
                break
            steps = int(np.clip(np.log(errors[0] / tolerance) / np.log(GAIN), 1 + number // 2, 4))
            count = min(most, count + steps)
            one = self.free(count * m, enough)
        assert best is not None
        return best


def _never(_: np.ndarray) -> bool:
    return False


def _leading(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The leading singular vectors and values, of large matrices from a random sketch and one power iteration.

    N. Halko, P. G. Martinsson, J. A. Tropp, SIAM Rev. 53, 217 (2011): singular values that fall as fast as here are
    exact but for rounding.
    """
    if len(matrix) <= SKETCH:
        left, size, right = np.linalg.svd(matrix)
        return left[:, :count], size[:count], right[:count]
    rng = np.random.default_rng(2)
    sketch = np.linalg.qr(matrix @ rng.normal(size=(len(matrix), min(len(matrix), count + 20))))[0]
    sketch = np.linalg.qr(matrix @ np.linalg.qr(matrix.conj().T @ sketch)[0])[0]
    left, size, right = np.linalg.svd(sketch.conj().T @ matrix, full_matrices=False)
    return sketch @ left[:, :count], size[:count], right[:count]
