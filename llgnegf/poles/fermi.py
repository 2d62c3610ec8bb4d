"""Minimax Fermi poles: the occupation as a short sum of simple poles, for a temperature and a spectral range.
The time-domain equations give every pole and lead channel one auxiliary vector: few poles make them cheap.

With x = (E - mu)/kT the Fermi function is f = 1/2 - tanh(x/2)/2, where

    tanh(x/2)/2  =  sum_k 2x/(x^2 + (2k-1)^2 pi^2)  ~  sum_m R_m 2x/(x^2 + eta_m^2)

is x times a Stieltjes function of x^2. Its best approximation on |x| <= X by M terms has real eta_m and
R_m > 0 and is known by its error: 2M + 1 extrema of equal size and alternating sign on (0, X]. The lowest
eta_m are the Matsubara values pi, 3 pi, ...; then they thin out to a geometric sequence
that ends at a few X.

Capping the last ones at c X costs about one pole more, but needs residues of either sign: with positive
residues and eta_m <= c X the sum is a Stieltjes function, analytic where tanh is not, and comes no closer
than about 6e-7, 7e-5 and 8e-4 for c = 3, 2 and 1.5 (linear programming at X = 250).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llgnegf.poles._fermi_minimax import best_approximation, estimated_count

Floats = NDArray[np.float64]

SMALLEST_TOLERANCE = 1e-13  # terms of order one, summed in double precision, are good to some 1e-16
LARGEST_TOLERANCE = 0.1
LARGEST_X_MAX = 1e9
LARGEST_RATIO = 1e7  # spectral range over kT accepted for leads with a finite band

_SMALLEST_FIT = 1.0  # a smaller x_max is covered by the fit on |x| <= 1, which needs one or two poles
_MOST_POLES = 80
_SPREAD_AT_CAP = (0.0, 0.3, 0.2, 0.2, 0.2, 0.15)  # spacing of 1, 2, ... poles at the cap, relative to the cap
_EXTRA_FOR_CAP = 5
_LARGEST_CANCELLATION = 30.0  # sum |R| over sum R: multiplies propagation errors of the pole vectors


@dataclass(frozen=True, eq=False)
class FermiPoles:
    """f(x) = 1/2 - sum_m R_m [1/(x + i eta_m) + 1/(x - i eta_m)] with x = (E - mu)/kT.

    eta        (M,) ascending, positive, dimensionless
    residues   (M,) R_m = r_m/kT, dimensionless; all positive unless a cap on eta is active, then the
               last few alternate in sign
    x_max      the expansion holds for real |x| <= x_max
    error      bound of |f - exact| there
    """

    eta: Floats
    residues: Floats
    x_max: float
    error: float

    def occupation(self, x: ArrayLike) -> NDArray[Any]:
        """The rational Fermi function at x of any shape; real for real x, continued for complex x."""
        x = np.asarray(x)[..., None]
        if np.iscomplexobj(x):
            pairs = 1.0 / (x + 1j * self.eta) + 1.0 / (x - 1j * self.eta)
        else:
            pairs = 2.0 * x / (x * x + self.eta**2)
        return np.asarray(0.5 - pairs @ self.residues)

    def poles(self, mu: float, kT: float) -> tuple[NDArray[np.complex128], Floats]:
        """(z, r) in eV, each (M,), with z_m = mu - i eta_m kT, r_m = R_m kT; `mu` and `kT` in eV.

        f(E) = 1/2 - sum_m r_m [1/(E - z_m) + 1/(E - z_m^*)]
        """
        _check_kT(kT)
        return np.asarray(mu - 1j * self.eta * kT, dtype=np.complex128), self.residues * kT


def fermi_poles(x_max: float, tolerance: float, farthest: float | None = None) -> FermiPoles:
    """Fewest poles whose Fermi function is within `tolerance` of the exact one for all real |x| <= x_max.

    x_max      largest |E - mu|/kT of the spectrum, 0 < x_max <= 1e9
    tolerance  1e-13 ... 0.1, absolute error of the occupation
    farthest   None, or c >= 1: every eta_m <= c x_max. The decay rate eta_M kT is the stiffness that an
               explicit integrator meets. Where the cap is active, a few poles are placed evenly from c x_max
               down; the others and all residues, now of either sign, are minimax under that condition.

    Raises ValueError if an argument is out of bounds or the request cannot be met in double precision.
    """
    x_max, tolerance = float(x_max), float(tolerance)
    if not 0.0 < x_max <= LARGEST_X_MAX:
        raise ValueError(f"x_max: {x_max:g} is outside what is allowed: 0 < E_max/kT <= {LARGEST_X_MAX:g}")
    if not SMALLEST_TOLERANCE <= tolerance <= LARGEST_TOLERANCE:
        raise ValueError(
            f"tolerance: {tolerance:g} is outside what is allowed: "
            f"{SMALLEST_TOLERANCE:g} ... {LARGEST_TOLERANCE:g}"
        )
    if farthest is None:
        return _fewest(x_max, tolerance)
    farthest = float(farthest)
    if not (math.isfinite(farthest) and farthest >= 1.0):
        raise ValueError(f"farthest: {farthest:g} is not allowed; allowed: None or a number >= 1 (of x_max)")
    return _fewest_capped(x_max, tolerance, farthest)


def check_temperature(kT: float, spectral_range: float) -> float:
    """x_max = spectral_range/kT, after refusing temperatures whose Fermi function takes too many poles.

    spectral_range is the largest |E - mu| of the spectrum, bound states included, in eV; kT in eV.
    Raises ValueError for kT <= 0 or spectral_range/kT > 1e7.
    """
    _check_kT(kT)
    if not (math.isfinite(spectral_range) and spectral_range > 0.0):
        raise ValueError(
            f"spectral_range: {spectral_range:g} is not allowed; allowed: a finite number > 0, in eV"
        )
    if spectral_range > LARGEST_RATIO * kT:
        raise ValueError(
            f"kT: {kT:g} eV is too small: the Fermi function is expanded in poles, whose number grows with "
            f"spectral_range/kT, {spectral_range / kT:.3g} here; "
            f"use kT >= {spectral_range / LARGEST_RATIO:.3g} eV"
        )
    return float(spectral_range / kT)


def _check_kT(kT: float) -> None:
    if not (math.isfinite(kT) and kT > 0.0):
        raise ValueError(
            f"kT: {kT:g} is not allowed; allowed: a finite number > 0, in eV; "
            "the Fermi function is expanded in poles at distance pi kT from the real axis: none at kT = 0"
        )


@lru_cache(maxsize=256)
def _fewest(x_max: float, tolerance: float) -> FermiPoles:
    """Start at the estimated count and walk until count M meets the tolerance and M - 1 does not."""
    count = min(max(estimated_count(max(x_max, _SMALLEST_FIT), tolerance), 1), _MOST_POLES)
    found = _solution(x_max, count)
    if found is not None and found.error <= tolerance:
        while count > 1:
            count -= 1
            fewer = _solution(x_max, count)
            if fewer is None or fewer.error > tolerance:
                break
            found = fewer
        return found
    reached = math.inf if found is None else found.error
    while count < _MOST_POLES:
        count += 1
        more = _solution(x_max, count)
        if more is None:
            continue
        if more.error <= tolerance:
            return more
        if more.error > 0.9 * reached:  # round-off: more poles do not help any longer
            break
        reached = more.error
    raise ValueError(
        f"tolerance: {tolerance:g} at x_max = {x_max:g} is not reached in double precision "
        f"(reached: {reached:.2g}); "
        "allowed: a larger tolerance or a smaller x_max (a higher kT)"
    )


@lru_cache(maxsize=256)
def _fewest_capped(x_max: float, tolerance: float, farthest: float) -> FermiPoles:
    """Cap inactive: the free solution. Otherwise more and more poles, with one to six of them at the cap."""
    free = _fewest(x_max, tolerance)
    if free.eta[-1] <= farthest * x_max:
        return free
    reached, fewest_at_cap = math.inf, 1
    for count in range(len(free.eta), len(free.eta) + _EXTRA_FOR_CAP + 1):
        found = _with_some_at_cap(x_max, count, tolerance, farthest, fewest_at_cap)
        good = [poles for poles in found.values() if poles.error <= tolerance]
        if good:
            return min(good, key=lambda poles: float(np.abs(poles.residues).sum()))
        reached = min([reached, *(poles.error for poles in found.values())])
        fewest_at_cap = min(found, default=fewest_at_cap)
    best = "no solution" if math.isinf(reached) else f"an error of {reached:.2g}"
    raise ValueError(
        f"farthest: {farthest:g} allows {best} at x_max = {x_max:g} with up to "
        f"{len(free.eta) + _EXTRA_FOR_CAP} poles, asked: tolerance {tolerance:g}; allowed: a larger farthest "
        f"(the free solution has {free.eta[-1] / x_max:.3g}) or None"
    )


def _with_some_at_cap(
    x_max: float, count: int, tolerance: float, farthest: float, fewest: int
) -> dict[int, FermiPoles]:
    """Solutions by the number of poles at the cap, `fewest` and more, up to the first that misses the tolerance.

    A solution needs at least as many at the cap as one with fewer poles does, and every further one costs accuracy.
    """
    found: dict[int, FermiPoles] = {}
    for at_cap in range(fewest, min(len(_SPREAD_AT_CAP), count) + 1):
        poles = _solution(x_max, count, farthest, at_cap)
        if poles is not None:
            found[at_cap] = poles
            if poles.error > tolerance:
                break
    return found


@lru_cache(maxsize=1024)
def _solution(x_max: float, count: int, farthest: float | None = None, at_cap: int = 0) -> FermiPoles | None:
    """Minimax poles for a given count, `at_cap` of them at the cap; None without a usable solution."""
    fit_range = max(x_max, _SMALLEST_FIT)
    fixed: Floats = np.zeros(0)
    if farthest is not None:
        steps = np.arange(at_cap - 1, -1, -1, dtype=np.float64)
        fixed = farthest * x_max * (1.0 - _SPREAD_AT_CAP[at_cap - 1] * steps)
    best = best_approximation(fit_range, count, fixed)
    if best is None:
        return None
    eta, residues, error = best
    if farthest is not None and eta.max() > farthest * x_max * (1.0 + 1e-12):
        return None
    if at_cap <= 1 and residues.min() <= 0.0:
        return None
    if np.abs(residues).sum() > _LARGEST_CANCELLATION * residues.sum():
        return None
    order = np.argsort(eta)
    eta, residues = eta[order], residues[order]
    # Shared by every caller through the cache.
    eta.flags.writeable = residues.flags.writeable = False
    return FermiPoles(eta, residues, x_max, error)
