"""From the broadening of a lead channel to a few damped modes: chain leads from a table, any other lead by a fit.
Below `channels`, which attaches the modes to a device; numerics in `rational_fit` and `spectral_fit`.

A lead channel acts on the device through its memory kernel K(t) = int dE/2pi Gamma(E) exp(-iEt).  With

    Gamma(E) ~ sum_y [ i b_y/(E - chi_y) + c.c. ] (real E),   Im chi_y < 0,   K(t >= 0) ~ sum_y b_y exp(-i chi_y t)

it is replaced by M auxiliary levels.  Gamma_fit >= 0 on the whole real axis, so the extended dynamics cannot grow.
hbar = 1; energies and chi in eV, b and K in eV^2, t in 1/eV.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llgnegf.poles.rational_fit import MOST_MODES, Fit, Target, fit_modes
from llgnegf.poles.sampling import SampledSpectrum, sample
from llgnegf.poles.spectral_fit import FLOOR, Complex, Real, broadening_of, product_weights
from llgnegf.poles.tabulated_kernel import STEP, TabulatedKernel
from llgnegf.problem.spectra import Modes, Spectrum, TabulatedSpectrum, piecewise_linear_self_energy


@dataclass(frozen=True, eq=False)
class CouplingPoles:
    """Damped modes of one lead channel, and itself the spectrum Sigma(E) = -i wide_band/2 + sum_y b_y/(E - chi_y).

    Given to `RotatingFrame` it makes the oracle use the very leads of the propagator, so that the error of the lead
    expansion and that of the time integration are told apart. Gamma has tails outside the band of the lead it stands
    for, hence the infinite support.

    Attributes:
        energies: chi_y, shape (M,), eV, Im chi_y < 0.
        weights: b_y, shape (M,), eV^2.
        error: Bound on max_{t >= 0} |K(t) - K_fit(t)|, eV^2.
        wide_band: The part of Gamma that does not depend on energy, eV.
    """

    energies: Complex
    weights: Complex
    error: float
    wide_band: float = 0.0

    def __post_init__(self) -> None:
        energies = np.array(self.energies, dtype=complex)
        weights = np.array(self.weights, dtype=complex)
        if energies.ndim != 1 or not np.all(np.isfinite(energies)) or not np.all(energies.imag < 0):
            raise ValueError(f"CouplingPoles.energies: {self.energies}; allowed: a 1d array of finite chi, Im chi < 0")
        if weights.shape != energies.shape or not np.all(np.isfinite(weights)):
            raise ValueError(f"CouplingPoles.weights: {self.weights}; allowed: {energies.size} finite numbers")
        if not (math.isfinite(self.error) and self.error >= 0):
            raise ValueError(f"CouplingPoles.error: {self.error}; allowed: a finite number >= 0, in eV^2")
        if not (math.isfinite(self.wide_band) and self.wide_band >= 0):
            raise ValueError(f"CouplingPoles.wide_band: {self.wide_band}; allowed: a finite number >= 0, in eV")
        energies.setflags(write=False)
        weights.setflags(write=False)
        object.__setattr__(self, "energies", energies)
        object.__setattr__(self, "weights", weights)

    def __len__(self) -> int:
        return len(self.energies)

    @property
    def support(self) -> tuple[float, float]:
        return -np.inf, np.inf

    @property
    def is_zero(self) -> bool:
        return not (self.wide_band or np.any(self.weights))

    @property
    def weight(self) -> float:
        """K(0), with the bound of a wide band's level shift, squared."""
        return float(self.weights.sum().real) + (0.5 * self.wide_band) ** 2

    def modes(self, tolerance: float) -> Modes:
        """Itself."""
        return Modes(self.energies, self.weights, self.error, self.wide_band)

    def broadening(self, energy: Any) -> NDArray[Any]:
        """Gamma(E) = wide_band + sum_y [i b_y/(E - chi_y) - i b_y^*/(E - chi_y^*)], any shape, continued to complex E;
        real for real E."""
        value = broadening_of(energy, self.energies, self.weights) + self.wide_band
        return value if np.iscomplexobj(energy) else value.real

    def kernel(self, time: Any) -> Complex:
        """K(t) = sum_y b_y exp(-i chi_y t) for t >= 0 (1/eV), any shape, without the delta function of `wide_band`."""
        t = np.asarray(time, dtype=float)
        if np.any(t < 0):
            raise ValueError(f"time: {t[t < 0].flat[0]}; allowed: t >= 0 (K(-t) = K(t)^*)")
        return np.exp(-1j * t[..., None] * self.energies) @ self.weights

    def self_energy(self, energy: Any) -> Complex:
        """Retarded Sigma(E), Im E >= 0 and continued below; Gamma = i (Sigma - Sigma^*)."""
        z = np.asarray(energy, dtype=complex)[..., None]
        return (self.weights / (z - self.energies)).sum(-1) - 0.5j * self.wide_band

    def self_energy_derivative(self, energy: Any) -> Complex:
        """dSigma/dE = -sum_y b_y/(E - chi_y)^2, any shape."""
        z = np.asarray(energy, dtype=complex)[..., None]
        return -(self.weights / (z - self.energies) ** 2).sum(-1)

    def shifted_and_scaled(self, center: float, energy_scale: float, weight_scale: float) -> CouplingPoles:
        """Modes e_0 + energy_scale chi, weights weight_scale b: K -> weight_scale K(energy_scale t) exp(-i e_0 t).

        e_0 is `center`. A chain lead follows from the unit semicircle by its onsite energy, energy_scale = |gamma| and
        weight_scale = gamma_c^2.
        """
        for name, value, good in (
            ("center", center, math.isfinite(center)),
            ("energy_scale", energy_scale, math.isfinite(energy_scale) and energy_scale > 0),
            ("weight_scale", weight_scale, math.isfinite(weight_scale) and weight_scale >= 0),
        ):
            if not good:
                raise ValueError(f"{name}: {value}; allowed: a finite number, scales positive (weight_scale 0 too)")
        return CouplingPoles(
            center + energy_scale * self.energies, weight_scale * self.weights, weight_scale * self.error,
            weight_scale / energy_scale * self.wide_band,
        )  # fmt: skip


def semicircle_modes(right: Complex, zeros: Real, log_gain: float) -> tuple[Complex, Complex]:
    """All chi and b of Gamma = g prod_j (E^2 - x_j^2)^2 / prod_y |E^2 - chi_y^2|^2 from chi (Re > 0), x_j and log g.

    The mirror images -chi^* and b^* are exact, hence K_fit is real and Gamma_fit even without rounding. A floor keeps
    Gamma positive when weights and energies are rounded: a positive addition c to a weight adds the Lorentzian
    2 c |Im chi|/|E - chi|^2 to Gamma and at most c to K; the broadest mode carries c = FLOOR sum |b|.
    """
    energies = np.concatenate([right, -right.conj()])
    weights = product_weights(energies, np.concatenate([zeros, -zeros]), log_gain)
    weights[np.argmax(-energies.imag)] += FLOOR * np.abs(weights).sum()
    half = weights[: len(right)]
    return energies, np.concatenate([half, half.conj()])


TAILS, KERNEL = "tails", "kernel"
"""Families of tabulated modes: fitted to Sigma outside the band too, where errors damp and shift levels that nothing
else damps; and to K(t) alone, with fewer modes for the same error of K and tails no smaller than it."""


@lru_cache(maxsize=2)
def semicircle_ladder(family: str = TAILS) -> tuple[CouplingPoles, ...]:
    """Every tabulated expansion of the unit semicircle of a family, fewest modes first."""
    ladder = []
    for entry in json.loads(files("llgnegf.poles").joinpath("semicircle.json").read_text())[family]:
        right = np.array(entry["real"]) - 1j * np.array(entry["width"])
        modes = semicircle_modes(right, np.array(entry["zeros"]), entry["log_gain"])
        ladder.append(CouplingPoles(*modes, entry["error"]))
    return tuple(ladder)


def semicircle_poles(tolerance: float, family: str = TAILS) -> CouplingPoles:
    """Fewest modes of a family with max_t |J_1(2t)/t - K_fit(t)| <= tolerance, for Gamma(E) = sqrt(4 - E^2) on [-2, 2].

    K(0) = 1, so the tolerance is relative to K(0) for every chain lead; see `CouplingPoles.shifted_and_scaled`.
    Raises ValueError for a tolerance that is not in (0, 1) or below the best tabulated error.
    """
    ladder = semicircle_ladder(family)
    _check_tolerance(tolerance, ladder[-1].error)
    return next(modes for modes in ladder if modes.error <= tolerance)


def fit_broadening(spectrum: TabulatedSpectrum, tolerance: float, strict: bool = True) -> CouplingPoles:
    """Damped modes of a tabulated broadening, from the exact self-energy of its straight pieces.

    Args:
        spectrum: The table.
        tolerance: Bound on max_{t >= 0} |K - K_fit|/K(0), at least 1e-9; proven at every t >= 0, not on samples.
        strict: Whether a tolerance that is not met is refused; else the best fit is returned, with its own error.
    """
    _check_tolerance(tolerance)
    grid, table = spectrum.energies, spectrum.values
    center, scale, peak = 0.5 * (grid[0] + grid[-1]), 0.25 * (grid[-1] - grid[0]), float(table.max())
    # Rounded, so that a table that was only shifted or scaled is the same table.
    nodes = (grid - center) / scale
    rounded = np.round(nodes, 13)
    nodes = rounded if np.all(np.diff(rounded) > 0) else nodes
    modes = _fit_table(nodes.tobytes(), (table / peak).tobytes(), float(tolerance))
    remedy = "a smoother or finer table, whose straight pieces of length d return as an echo in K at t = 2 pi/d"
    modes = modes.shifted_and_scaled(center, scale, scale * peak)
    return modes if not strict else _accepted(spectrum, modes, tolerance, spectrum.weight, remedy)


@lru_cache(maxsize=64)
def _fit_table(nodes: bytes, values: bytes, tolerance: float) -> CouplingPoles:
    """The first fit in reduced units that meets the tolerance (of K(0)), else the best."""
    grid, table = np.frombuffer(nodes), np.frombuffer(values)
    kernel, total = TabulatedKernel(grid, table), float(np.trapezoid(table, grid)) / (2 * np.pi)
    # Half of the tolerance is left to the tail, where K and K_fit are bounded one by one.
    end = kernel.time_below(0.5 * tolerance * total)
    bound, picked = kernel.error_bound(end), _times_to_fit(end)
    times, exact = STEP * picked, kernel.on_grid(0, int(picked[-1]) + 1)[picked]

    def sampled(chi: Complex, b: Complex) -> float:
        return float(np.abs(np.exp(-1j * np.outer(times, chi)) @ b - exact).max())

    target = Target(lambda e: piecewise_linear_self_energy(grid, table, e), _samples(grid), sampled, total)
    best = _first_within(target, tolerance * total, bound)
    return _better(best, tolerance, total, lambda looser: _fit_table(nodes, values, looser))


def fit_spectrum(spectrum: Spectrum, tolerance: float, strict: bool = True) -> CouplingPoles:
    """Damped modes of a user's spectrum, from its self-energy on the real axis.

    Args:
        spectrum: Any object of finite support; see `sampling.sample` for how its structure is found.
        tolerance: Bound on max_t |K - K_fit|/K(0), at least 1e-9. What is bounded is int |dGamma| dE/2pi, by
            quadrature on samples that resolve Gamma, plus what these miss.
        strict: Whether a tolerance that is not met is refused; else the best fit is returned, with its own error.
    """
    _check_tolerance(tolerance)
    sampled = sample(spectrum, tolerance)
    modes = _fit_samples(sampled, float(tolerance))
    remedy = "a spectrum with fewer sharp features"
    return modes if not strict else _accepted(spectrum, modes, tolerance, sampled.total, remedy)


def _check_tolerance(tolerance: float, best: float = 1e-9) -> None:
    if not (isinstance(tolerance, int | float | np.floating) and best <= tolerance < 1):
        raise ValueError(f"tolerance: {tolerance}; allowed: {best:.3g} <= tolerance < 1, relative to K(0)")


def _accepted(spectrum: Spectrum, modes: CouplingPoles, tolerance: float, total: float, remedy: str) -> CouplingPoles:
    """The modes if they meet the tolerance of K(0) = `total`, else a ValueError."""
    if modes.error <= tolerance * total * (1 + 1e-9):
        return modes
    raise ValueError(
        f"{type(spectrum).__name__}: damped modes do not meet tolerance {tolerance:.2g} K(0): "
        f"{modes.error / total:.2g} K(0) was reached with at most {MOST_MODES} modes; allowed: a larger tolerance, or "
        f"{remedy}"
    )


@lru_cache(maxsize=64)
def _fit_samples(sampled: SampledSpectrum, tolerance: float) -> CouplingPoles:
    """The first fit to a user's spectrum (eV) that meets the tolerance (of K(0)), else the best."""
    low, high = sampled.spectrum.support
    center, scale, peak = 0.5 * (low + high), 0.25 * (high - low), float(sampled.values.max())
    inside, weights = (sampled.nodes - center) / scale, sampled.weights / (2 * np.pi * scale)
    beyond = 4.0 * np.geomspace(1e-8, 1e4, 400)
    energies = np.concatenate([inside, -2 - beyond, 2 + beyond])
    spacing = np.gradient(beyond) / (2 * np.pi)
    spacing[0] += beyond[0] / (2 * np.pi)
    weights = np.concatenate([weights, spacing, spacing])
    exact = np.concatenate([sampled.values / peak, np.zeros(2 * beyond.size)])
    missed = sampled.missed / (scale * peak)

    def bound(chi: Complex, b: Complex) -> float:
        gamma = broadening_of(energies, chi, b).real
        # Beyond the last sample Gamma_fit ~ 1/E^2.
        tails = beyond[-1] * (gamma[-1] + gamma[inside.size + beyond.size - 1]) / (2 * np.pi)
        return float(weights @ np.abs(gamma - exact)) + abs(float(tails)) + missed

    def self_energy(e: Complex) -> Complex:
        return sampled.spectrum.self_energy(center + scale * e) / peak

    total = sampled.total / (scale * peak)
    unit = _first_within(Target(self_energy, inside, bound, total), tolerance * total, bound)
    best = unit.shifted_and_scaled(center, scale, scale * peak)
    return _better(best, tolerance, sampled.total, lambda looser: _fit_samples(sampled, looser))


def _better(
    best: CouplingPoles, tolerance: float, total: float, fit: Callable[[float], CouplingPoles]
) -> CouplingPoles:
    """`best`, or where it misses its tolerance (of K(0) = `total`) what a looser one gives, if that is better.

    The tolerance decides which structure is left out: one out of reach keeps too much for the number of modes.
    """
    if best.error <= tolerance * total or tolerance > 0.01:
        return best
    looser = fit(10 * tolerance)
    return looser if looser.error < best.error else best


def _first_within(target: Target, tolerance: float, bound: Callable[[Complex, Complex], float]) -> CouplingPoles:
    """The first of ever larger fits whose bound is within the tolerance, else the one of the least estimate."""
    best: Fit | None = None
    for chi, b, error in fit_modes(target, tolerance):
        if error <= tolerance and (proven := bound(chi, b)) <= tolerance:
            return CouplingPoles(chi, b, proven)
        best = (chi, b, error) if best is None or error < best[2] else best
    if best is None:
        raise ValueError("broadening: no fit by damped modes was found; allowed: a smoother one")
    return CouplingPoles(best[0], best[1], bound(*best[:2]))


def _samples(nodes: Real) -> Real:
    """Energies inside a table: the nodes, and between them ever closer to each node (there Sigma' diverges)."""
    side = int(np.clip(300 // nodes.size, 1, 12))
    near = 0.5 ** np.arange(1, side + 1)
    steps = np.unique(np.concatenate([[0.0], near, 1 - near]))
    return (nodes[:-1, None] + np.diff(nodes)[:, None] * steps).ravel()[1:]


def _times_to_fit(end: float) -> NDArray[np.int64]:
    """Times up to `end` in STEPs: dense for both signs of energy up to 75, then log-spaced at irregular phases."""
    dense = np.arange(0.0, min(end, 75.0), 0.25)
    golden = (np.arange(300) * 0.6180339887498949) % 1.0
    late = np.geomspace(dense[-1] + 0.5, end, 300) + golden if end > dense[-1] + 1 else np.zeros(0)
    return np.unique(np.round(np.concatenate([dense, late]) / STEP)).astype(np.int64)
