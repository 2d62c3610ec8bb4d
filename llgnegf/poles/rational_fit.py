"""Damped modes from a self-energy on the real axis: poles by AAA, weights by least squares with Gamma >= 0.
Used by `coupling`; in the reduced units chosen there (band on [-2, 2], peak of Gamma 1).

Poles. The AAA algorithm (Y. Nakatsukasa, O. Sete, L. N. Trefethen, SIAM J. Sci. Comput. 40, A1494 (2018)) interpolates
samples of Sigma by a barycentric quotient: the next support point is where the error is largest, the barycentric
weights are the smallest singular vector of the Loewner matrix. It sees Sigma(E + i delta): what is closer to the axis
than delta (edges, the kinks of a table) matters to K(t) by about delta^(3/2) only and should draw no poles.

Weights. Sigma_fit = sum_y b_y/(E - chi_y) is linear in b, and so is Gamma_fit(E) at each E: least squares with the
linear inequalities Gamma_fit >= 0 (least-distance programming), added where the fit before dips below zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy
from scipy.linalg import eigvals, qr, solve_triangular, svd

from llgnegf.poles.spectral_fit import FLOOR, Complex, Real, broadening_of, numerator_roots, smallest_margin

MOST_MODES = 64
"""A broadening that needs more modes than this is refused."""
BEYOND = 4.0 * np.geomspace(1e-3, 20.0, 60)
"""Distances from the edges of the band at which Sigma is sampled outside."""
WIDEST, FARTHEST = 4.0, 8.0
"""Largest |Im chi|, as what decays faster is gone before the band has responded, and |chi|, which sets the step."""
SMOOTHING = (16.0, 4.0, 1.0, 0.25)
"""delta in units of 10 (tolerance/K(0))^(2/3)."""
CUTS = 20
"""Rounds of new inequalities at most."""
STALLED = 10
"""A fit that gains less than 30 % over so many increases of the number of modes is given up."""
MOST_SAMPLES = 700
"""So many samples in the band, about, are given to the poles."""

Fit = tuple[Complex, Complex, float]
"""(chi, b, error)."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is fitted.

    Attributes:
        self_energy: Sigma(E) for Im E >= 0.
        inside: Increasing energies in the band at which it is sampled; dense where it varies.
        error: (chi, b) -> estimate of the largest error of K.
        total: K(0).
    """

    self_energy: Callable[[Complex], Complex]
    inside: Real
    error: Callable[[Complex, Complex], float]
    total: float

    @cached_property
    def energies(self) -> Real:
        thin = max(1, round(self.inside.size / MOST_SAMPLES))
        return np.concatenate([-2 - BEYOND[::-1], self.inside[::thin], 2 + BEYOND])

    @cached_property
    def values(self) -> Complex:
        return self.self_energy(self.energies.astype(complex))

    @cached_property
    def scale(self) -> Real:
        """Weights of the misfit of Sigma, before it is squared.

        Outside the band by ln of the distance, about ten times larger than inside: errors there damp and shift levels
        that nothing else damps, so they grow with time. Inside dE^(3/4), between the powers 1/2 and 1 of the norms of
        Gamma_fit - Gamma that are the mean square of K_fit - K over time and a bound on it.
        """
        spread = np.sqrt(np.gradient(np.log(BEYOND)) * np.minimum(1.0, BEYOND / 0.3))
        inside = 1.5 * np.gradient(self.energies[BEYOND.size : -BEYOND.size]) ** 0.75
        return np.concatenate([spread[::-1], inside, spread])


def fit_modes(target: Target, tolerance: float) -> Iterator[Fit]:
    """Fits with Gamma > 0 proven, of more and more modes, the best of every number; ends where they gain no more."""
    starts = [_poles(target, 10 * factor * (tolerance / target.total) ** (2 / 3)) for factor in SMOOTHING]
    errors: list[float] = []
    for count in [*range(4, 25), *range(26, 41, 2), *range(44, MOST_MODES + 1, 4)]:
        free = [WeightFit(poles, target) for start in starts if (poles := start(count)) is not None]
        free.sort(key=lambda fit: target.error(fit.poles, fit.free()))
        fits = [fit for f in free[:2] if (fit := _proven(target, f.poles, f.nonnegative())) is not None]
        if not fits:
            continue
        best = min(fits, key=lambda fit: fit[2])
        yield best
        errors.append(best[2])
        before = min(errors[:-STALLED], default=np.inf)
        if np.isfinite(before) and min(errors[-STALLED:]) > 0.7 * before:
            return


def _poles(target: Target, delta: float) -> Callable[[int], Complex | None]:
    """The function count -> poles of the first approximant with so many in the lower half plane, or None."""
    shifted = target.energies + 1j * delta
    approximants = aaa_poles(shifted, target.self_energy(shifted), MOST_MODES + 8)
    known: list[Complex] = []

    def of_size(count: int) -> Complex | None:
        while not known or known[-1].size < count:
            poles = next(approximants, None)
            if poles is None or len(known) > MOST_MODES:
                return None
            low = poles[(poles.imag < 0) & (np.abs(poles) < FARTHEST)]
            known.append(low.real + 1j * np.clip(low.imag, -WIDEST, -1e-9))
        return next((poles for poles in known if poles.size == count), None)

    return of_size


def aaa_poles(energies: Complex, values: Complex, most: int) -> Iterator[Complex]:
    """Poles of the AAA approximants of samples of a function, of more and more support points: 3 to `most` poles."""
    free = np.ones(energies.size, dtype=bool)
    fit = np.full(energies.size, values.mean())
    support: list[int] = []
    for count in range(min(most, energies.size // 2) + 1):
        worst = int(np.argmax(np.where(free, np.abs(values - fit), -1.0)))
        free[worst] = False
        support.append(worst)
        cauchy = 1 / (energies[free, None] - energies[support])
        loewner = (values[free, None] - values[support]) * cauchy
        triangle = qr(loewner, mode="r", check_finite=False)[0][: count + 1]
        weights = svd(triangle, check_finite=False)[2][-1].conj()
        fit = values.copy()
        fit[free] = (cauchy @ (weights * values[support])) / (cauchy @ weights)
        if count >= 3:
            yield _roots(energies[support], weights)


def _roots(support: Complex, weights: Complex) -> Complex:
    """Zeros of sum_j w_j/(E - z_j), from the arrowhead pencil."""
    n = support.size
    matrix = np.zeros((n + 1, n + 1), dtype=complex)
    matrix[0, 1:], matrix[1:, 0] = weights, 1.0
    matrix[1:, 1:] = np.diag(support)
    metric = np.eye(n + 1)
    metric[0, 0] = 0.0
    with np.errstate(all="ignore"):
        roots = eigvals(matrix, metric)
    return roots[np.isfinite(roots)]


def _proven(target: Target, chi: Complex, b: Complex) -> Fit | None:
    """The fit with Gamma > 0 proven, on a floor no higher than that takes; None if Gamma is negative all the same."""
    broadest = int(np.argmin(chi.imag))
    for lift in FLOOR * 10.0 ** np.arange(5):
        lifted = b.copy()
        lifted[broadest] += lift * np.abs(b).sum()
        try:
            smallest_margin(chi, lifted)
        except ValueError:
            continue
        return chi, lifted, target.error(chi, lifted)
    return None


@dataclass(frozen=True, eq=False)
class WeightFit:
    """Least squares over x = (Re b, Im b) for given poles, with Im sum b = 0 (else Gamma ~ 1/E changes its sign).

    Columns are scaled by the widths: narrow modes carry little weight.
    """

    poles: Complex
    target: Target

    @cached_property
    def _sizes(self) -> Real:
        return np.sqrt(-self.poles.imag)

    @cached_property
    def _system(self) -> tuple[Real, Real]:
        """R and d of min |R x - d|."""
        columns = self.target.scale[:, None] * self._sizes / (self.target.energies[:, None] - self.poles)
        rows = [np.hstack([columns.real, -columns.imag]), np.hstack([columns.imag, columns.real])]
        right = self.target.scale * self.target.values
        q, r = qr(self._reduced(np.vstack(rows)), mode="economic", check_finite=False)
        return r, q.T @ np.concatenate([right.real, right.imag])

    @cached_property
    def _elimination(self) -> Real:
        """The last Im b as - this . x."""
        return np.concatenate([np.zeros(self.poles.size), self._sizes[:-1] / self._sizes[-1]])

    def _reduced(self, rows: Real) -> Real:
        return rows[:, :-1] - rows[:, -1:] * self._elimination

    def _weights(self, x: Real) -> Complex:
        m = self.poles.size
        full = np.append(x, -self._elimination @ x)
        b = self._sizes * (full[:m] + 1j * full[m:])
        b[np.argmax(self._sizes)] -= 1j * b.imag.sum()  # what rounding left of it
        return b

    def free(self) -> Complex:
        """Weights without regard to the sign of Gamma."""
        return self._weights(solve_triangular(*self._system))

    def nonnegative(self) -> Complex:
        """Weights with Gamma >= 0 at every energy where it dipped below: everywhere, up to rounding."""
        r, d = self._system
        grid, rows = self._looked_at(), np.zeros((0, d.size))
        x = solve_triangular(r, d)
        for _ in range(CUTS):
            dips = self._dips(grid, self._weights(x))
            if dips.size == 0:
                break
            rows = np.vstack([rows, self._rows(dips)])
            x = _least_distance(r, d, rows)
        return self._weights(x)

    def _dips(self, grid: Real, weights: Complex) -> Real:
        """Where Gamma is negative and lowest on the grid, or between real roots of its numerator."""
        gamma = broadening_of(grid, self.poles, weights).real * (1 + grid**2)
        lowest = (gamma <= np.append(gamma[1:], np.inf)) & (gamma <= np.insert(gamma[:-1], 0, np.inf))
        level = -FLOOR * np.abs(weights).sum()
        if np.any(lowest & (gamma < level)):
            return grid[lowest & (gamma < level)]
        roots = numerator_roots(self.poles, weights)
        real = np.sort(roots[np.abs(roots.imag) < 1e-9 * (1 + np.abs(roots))].real)
        middle = (real[1:] + real[:-1]) / 2
        return middle[broadening_of(middle, self.poles, weights).real * (1 + middle**2) < level]

    def _looked_at(self) -> Real:
        steps = np.geomspace(0.1, 10, 9)
        near = self.poles.real[:, None] - self.poles.imag[:, None] * np.concatenate([-steps, [0.0], steps])
        far = np.geomspace(100.0, 1e6, 30)
        middle = 0.5 * (self.target.energies[1:] + self.target.energies[:-1])
        return np.unique(np.concatenate([near.ravel(), self.target.energies, middle, far, -far]))

    def _rows(self, energies: Real) -> Real:
        """Gamma = -2 Im Sigma at some energies as rows on x, times 1 + E^2."""
        g = -2 * self._sizes / (energies[:, None] - self.poles) * (1 + energies[:, None] ** 2)
        return self._reduced(np.hstack([g.imag, g.real]))


def _least_distance(r: Real, d: Real, rows: Real) -> Real:
    """The x that minimises |r x - d| with rows x >= 0, by non-negative least squares (Lawson and Hanson)."""
    turned = solve_triangular(r, rows.T, trans="T").T
    turned = turned / np.linalg.norm(turned, axis=1)[:, None]
    missing = -turned @ d
    unit = max(float(missing.max()), 1e-300)
    stacked = np.vstack([turned.T, missing / unit])
    goal = np.append(np.zeros(d.size), 1.0)
    rest = stacked @ scipy.optimize.nnls(stacked, goal, maxiter=50 * rows.shape[0] + 200)[0] - goal
    return solve_triangular(r, d - unit * rest[:-1] / rest[-1])
