"""Damped modes of a lead with a matrix self-energy: poles from Sigma, residues by least squares, Gamma >= 0.
Above `loewner` (poles from Sigma above the real axis), `lead_kernel` (the exact C(t)) and `positive` (residues with
Gamma >= 0, certified); below `channels`.

Residues w_y at given chi_y and c_y: by least squares in C(t) at early times and in Sigma(E) at energies that crowd,
which is C(t) at late ones; then under Gamma >= 0.

Late times. With Gamma_h(E) = i [Sigma(E + ih) - Sigma(E + ih)^dag], h the height of the samples of Sigma,

    C(t) exp(-ht) = int dE/2pi Gamma_h(E) exp(-iEt)      (t > 0)

as Sigma is analytic above the axis: the same integral over |Gamma_h - Gamma_fit,h| times exp(ht) bounds |C - C_fit|.
What energies far apart have sampled is smooth, as they were halved until it was, and is left out at times long beside
the inverse of their distance: after t = 1/h, and by that, the bound is an estimate.

hbar = 1. In the units here the support of Gamma is [-2, 2].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llgnegf._blas import one_thread_if_small
from llgnegf.poles.fit_cache import Fit, kept
from llgnegf.poles.lead_kernel import LeadKernel
from llgnegf.poles.loewner import Realization
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.poles.positive import passive
from llgnegf.problem.matrix_spectra import MatrixSpectrum

VERSION = 7
"""Of the numerics here: fits of other versions are not taken from the cache."""
WINDOW = 240.0
"""Times 0 <= t <= WINDOW (in hbar over a quarter of the support's width) at which a tolerance has to be met."""
RESOLUTION, COARSEST = 2.0, 1e-2
"""Structure in E narrower than RESOLUTION tolerance^(2/3) is not looked for: an edge of a band smeared by d changes C
by about d^(3/2). At most COARSEST."""
BETWEEN = 1.05
"""What C - C_fit may exceed its samples by, between them."""
EARLY, FINE = 0.25, 1.0
"""Powers of 1/t and of the spacing of energies in the weights of the least squares: edges of bands seen to a distance d
are times up to 1/d."""
CROWDED = 500
"""Energies of the least squares, at most."""
SMOOTH = 6.0
"""Energies that are that over t apart do not count at the time t."""
NARROWEST = 1e-7
"""Smallest width of a mode."""
GUESS = 0.3
"""Singular values above GUESS tolerance S_0: about the number of modes that a tolerance asks for."""
SEEN, ROUNDED = 1e-3, 1e-13
"""Combinations of orbitals with C(0) below (SEEN tolerance)^2 or ROUNDED of its largest eigenvalue are left out: where
surface levels or zeros of a table leave nothing of one, Gamma > 0 cannot be had."""
FLOOR = 0.2
"""What Gamma (1 + E^2) is lifted to where it is not positive, in units of the tolerance."""
SPARE, WIDE = 0.8, 6.0
"""What least squares may take of the tolerance, as Gamma >= 0 makes the error larger, the more the more orbitals there
are: halved for WIDE of them."""
STALLED = 2
"""Tries that do not make the best error smaller by a third, after which no more are made."""
SPOILED = 10.0
"""Factor over the smallest error of an attempt that was given up, from which on such an attempt is taken to its end."""
GAIN = 1.6
"""Factor by which one more mode per orbital lowers the error, about."""
MORE, MOST_MORE = 12, 4
"""Numbers of modes per orbital that are tried under Gamma >= 0, and how many are added at once."""
LEAST_PER_ORBITAL, MOST_PER_ORBITAL = 4, 70
FAR, LAST = 10.0, 1e-3
"""A tolerance missed by this factor is too fine: one that is coarser by as much is tried too, up to LAST."""


def matrix_modes(spectrum: MatrixSpectrum, tolerance: float, strict: bool = True) -> MatrixModes:
    """Few damped modes with |C - C_fit| <= tolerance |C(0)| for 0 <= t <= WINDOW and Gamma >= 0, certified.

    `MatrixModes.error` bounds the error at all times: at later ones it may exceed the tolerance, by a factor of four to
    nine where C(t) ~ t^(-3/2), and by far more where flat edges of bands keep it from decaying.

    Args:
        spectrum: The lead; it must have a finite support.
        tolerance: Relative to the spectral norm of C(0), surface levels included; in (0, 1).
        strict: Whether a tolerance that is not met is refused; else the best fit is returned, also to a coarser
            tolerance, with its own error.

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
        modes, reached = _kept(spectrum, float(tolerance)) if strict else _best(spectrum, float(tolerance))
    if strict and reached > tolerance * (1 + 1e-9):
        raise ValueError(
            f"{type(spectrum).__name__}: damped modes do not meet tolerance {tolerance:.2g} C(0): "
            f"{reached:.2g} C(0) was reached with {modes.energies.size} modes; allowed: a larger tolerance"
        )
    return modes


def _kept(spectrum: MatrixSpectrum, tolerance: float) -> Fit:
    """The fit of what is `rounded`, where a spectrum has that: those of equal leads on two sides are one."""
    rounded: MatrixSpectrum = getattr(spectrum, "rounded", spectrum)
    return kept(rounded, tolerance, VERSION, lambda: _fit(rounded, tolerance))


def _best(spectrum: MatrixSpectrum, tolerance: float) -> Fit:
    """The fit, or a better one to a coarser tolerance: where it is far from being met, Gamma >= 0 may cost anything."""
    found = _kept(spectrum, tolerance)
    if found[1] <= FAR * tolerance or tolerance > LAST:
        return found
    return min(found, _best(spectrum, FAR * tolerance), key=lambda fit: fit[1])


def _fit(spectrum: MatrixSpectrum, tolerance: float) -> Fit:
    """The modes, and their error in the window relative to C(0)."""
    kernel = LeadKernel(spectrum)
    levels, vectors = kernel.levels
    undamped = MatrixModes(levels.astype(complex), vectors, vectors, 0.0)
    reduced = _Reduced(kernel, undamped, kernel(np.zeros(1))[0], tolerance)
    total, size = (float(np.linalg.norm(each, 2)) for each in (reduced.start + undamped.weight, reduced.start))
    if reduced.unit == 0 or size <= 0.1 * tolerance * total:  # nothing but surface levels
        return MatrixModes(undamped.energies, vectors, vectors, size), size / max(total, 1e-300)
    window = _Window(reduced, tolerance * total)
    (chi, left, right), error = window.fit()
    error, late = error + reduced.lost, window.late(chi, left, right) + reduced.lost
    scale = np.sqrt(np.linalg.norm(right, axis=0) / np.linalg.norm(left, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    energies = np.concatenate([reduced.middle + reduced.unit * chi, undamped.energies])
    left, right = (reduced.seen @ one for one in (left * scale, right / scale))
    left, right = np.hstack([left, vectors]), np.hstack([right, vectors])
    return MatrixModes(energies, left, right, max(error, late)), error / total


@dataclass(frozen=True, eq=False)
class _Reduced:
    """Sigma and C(t) without surface levels in the units of this module, and the times at which fits are judged.

    `start` is C(0) without them, of all orbitals.
    """

    kernel: LeadKernel
    undamped: MatrixModes
    start: np.ndarray
    tolerance: float

    @cached_property
    def _combinations(self) -> tuple[np.ndarray, float]:
        values, vectors = np.linalg.eigh(0.5 * (self.start + self.start.conj().T))
        use = values > max((SEEN * self.tolerance) ** 2, ROUNDED) * values[-1]
        lost = np.sqrt(values[-1] * values[~use].clip(0.0).sum())
        return np.eye(len(values)) if use.all() else vectors[:, use], float(lost)

    @property
    def seen(self) -> np.ndarray:
        """The combinations of orbitals that are fitted, (m, r)."""
        return self._combinations[0]

    @property
    def lost(self) -> float:
        """Bound on what C(t) is beside these, about: |C_ab(t)|^2 <= C_aa(0) C_bb(0)."""
        return self._combinations[1]

    @property
    def size(self) -> int:
        """r."""
        return self.seen.shape[1]

    @cached_property
    def middle(self) -> float:
        low, high = self.kernel.spectrum.support
        return 0.5 * (high + low)

    @cached_property
    def unit(self) -> float:
        low, high = self.kernel.spectrum.support
        return 0.25 * (high - low)

    def __call__(self, times: np.ndarray) -> np.ndarray:
        exact = self.seen.conj().T @ self.kernel(times / self.unit) @ self.seen
        return exact * np.exp(1j * self.middle / self.unit * times)[:, None, None]

    def self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Sigma, in eV^2 over the unit of energy."""
        at = self.middle + self.unit * energies
        sigma = self.kernel.spectrum.self_energy(at)
        sigma = sigma - self.undamped.self_energy(at) if self.undamped.energies.size else sigma
        return self.unit * (self.seen.conj().T @ sigma @ self.seen)

    def realization(self, most: int) -> Realization:
        points = (self.kernel.spectrum.points - self.middle) / self.unit
        resolution = min(COARSEST, RESOLUTION * self.tolerance ** (2 / 3))
        strength = float(np.linalg.norm(self.start, 2))
        return Realization(self.self_energy, points, resolution, self.tolerance * strength, most)

    @cached_property
    def fitted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times, weights and C of the least squares."""
        times = np.unique(np.concatenate([np.arange(0, 30, 0.2), np.geomspace(30, WINDOW, 400)]))
        return times, np.sqrt(np.gradient(times)) * (1 + times) ** -EARLY, self(times)

    @cached_property
    def checked(self) -> tuple[np.ndarray, np.ndarray]:
        """Times in the window that are not fitted, and C."""
        times = np.concatenate([np.arange(0.0, 60, 0.11), np.arange(60.0, WINDOW, 0.37), [WINDOW]])
        return times, self(times)

    def error(self, chi: np.ndarray, left: np.ndarray, right: np.ndarray) -> float:
        """Largest norm of C - C_fit in the window."""
        times, exact = self.checked
        found = np.exp(-1j * np.outer(times, chi)) @ _products(left, right).reshape(chi.size, -1)
        return float(BETWEEN * np.linalg.norm(exact - found.reshape(exact.shape), 2, axis=(1, 2)).max())


def _products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """c_y w_y^dag, (M, m, m)."""
    return left.T[:, :, None] * right.T[:, None, :].conj()


Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""chi_y, c_y, w_y."""
Free = tuple[Found, np.ndarray, float]
"""Modes by least squares whatever the sign of Gamma, the triangular R (M, M) of these, the window's error."""


@dataclass(frozen=True, eq=False)
class _Window:
    """The fits to C, to a tolerance in eV^2."""

    exact: _Reduced
    tolerance: float

    @cached_property
    def realization(self) -> Realization:
        return self.exact.realization(MOST_PER_ORBITAL * self.exact.size)

    def free(self, count: int) -> Free:
        """`count` modes."""
        chi, left = self.realization.poles(count)
        chi = chi.real - 1j * np.maximum(np.abs(chi.imag), NARROWEST)
        times, early, kernel = self.exact.fitted
        energies, fine, sigma = self._crowded
        at_times, at_energies = np.exp(-1j * np.outer(times, chi)), 1 / (energies[:, None] - chi)
        rows = np.vstack([at_times * early[:, None], at_energies * fine[:, None]])
        goal = np.concatenate([kernel * early[:, None, None], sigma * fine[:, None, None]])
        q, r = np.linalg.qr((rows[:, None, :] * left).reshape(-1, count))
        right = (np.linalg.pinv(r, rcond=1e-13) @ (q.conj().T @ goal.reshape(-1, len(left)))).conj().T
        return (chi, left, right), r, self.exact.error(chi, left, right)

    @cached_property
    def _crowded(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Energies that tell of times after the window, weights and Sigma of the least squares."""
        energies, spacing = self.realization.energies, self.realization.spacing
        use = np.flatnonzero(spacing < 1 / WINDOW)
        step = max(1, -(-use.size // CROWDED))
        use = use[::step]
        return energies[use], spacing[use] ** FINE * np.sqrt(step / (2 * np.pi)), self.realization.values[use]

    def late(self, chi: np.ndarray, left: np.ndarray, right: np.ndarray) -> float:
        """What |C - C_fit| may be after the window: the bound up to t = 1/h, and twice what is left of C_fit then."""
        modes, samples = MatrixModes(chi, left, right, 0.0), self.realization
        wrong = modes.self_energy(samples.energies) - samples.values
        size = samples.spacing * np.linalg.norm(wrong - wrong.conj().swapaxes(1, 2), 2, axis=(1, 2)) / (2 * np.pi)
        height = float(samples.energies[0].imag)
        times = np.geomspace(WINDOW, 1 / height, 12)
        seen = samples.spacing < SMOOTH / times[:-1, None]
        end = np.linalg.norm(modes.kernel(np.geomspace(1, 1e3, 40) / height), 2, axis=(1, 2))
        return float(max((np.exp(height * times[1:]) * (seen @ size)).max(), 2 * end.max()))

    def start(self) -> tuple[int, Free]:
        """About the fewest modes per orbital with which least squares leave room for Gamma >= 0, and these."""
        m, size = self.exact.size, self.realization.size
        enough = self.tolerance * SPARE / (1 + (m / WIDE) ** 2)
        count = int(np.sum(size > GUESS * self.exact.tolerance * size[0])) // m
        count = int(np.clip(count, min(LEAST_PER_ORBITAL, self.most), self.most))
        one = self.free(count * m)
        while count < self.most and one[2] > enough:
            count = min(self.most, count + _steps(one[2] / enough, 1))
            one = self.free(count * m)
        while count > LEAST_PER_ORBITAL and (fewer := self.free((count - 1) * m))[2] <= enough:
            count, one = count - 1, fewer
        return count, one

    @property
    def most(self) -> int:
        """Modes per orbital."""
        return max(1, min(MOST_PER_ORBITAL, self.realization.size.size // self.exact.size))

    def fit(self) -> tuple[Found, float]:
        """The modes that meet the tolerance, as few as are found, else the best."""
        best: tuple[Found, float] | None = None
        (count, one), in_vain, least = self.start(), 0, np.inf
        first = nearest = one
        for number in range(MORE):
            found, error = self.positive(one)
            if found is not None:
                in_vain = 0 if best is None or error < 0.7 * best[1] else in_vain + 1
                best = (found, error) if best is None or error < best[1] else best
            elif error < least:
                nearest, least = one, error
            if count == self.most or (best is not None and (in_vain >= STALLED or best[1] <= self.tolerance)):
                break
            count = min(self.most, count + _steps(error / self.tolerance, 1 + number // 2))
            one = self.free(count * self.exact.size)
        # Where bands are narrow Gamma >= 0 costs more than all tries allow, and often less with few modes.
        ends = [first, nearest] if best is None or best[1] > SPOILED * least else []
        tried = [best, *(self.positive(each, whatever_it_costs=True) for each in ends)]
        return min(((f, e) for f, e in filter(None, tried) if f is not None), key=lambda each: each[1])

    def positive(self, modes: Free, whatever_it_costs: bool = False) -> tuple[Found | None, float]:
        """Modes under Gamma >= 0 and their error; None with the error at which they were given up."""
        (chi, left, right), triangle, _ = modes
        errors: list[float] = []

        def hopeless(w: np.ndarray) -> bool:
            errors.append(self.exact.error(chi, left, w))
            return errors[-1] > self.tolerance and not whatever_it_costs

        w = passive(chi, left, right, triangle, FLOOR * self.tolerance, hopeless)
        return (None, errors[-1]) if w is None else ((chi, left, w), self.exact.error(chi, left, w))


def _steps(excess: float, least: int) -> int:
    """More modes per orbital for an error that is `excess` times too large."""
    return int(np.clip(np.log(excess) / np.log(GAIN), least, MOST_MORE))
