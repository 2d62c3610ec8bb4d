"""Narrow resonances of a device in an interval of the real axis: hints for `window`, and levels that it must know of.

Stands on `green`. At band edges Sigma(E) changes fast: eigenvalues of H + Sigma(E) are taken between any two.
"""

from __future__ import annotations

import numpy as np

from llgnegf.static.green import StaticDevice
from llgnegf.static.quadrature import QuadratureError
from llgnegf.static.weights import antihermitian, diagonal, expectation, times, weighted

CLOSEST = 40
"""Levels of which resonances are sought, at least."""
HIDDEN = 1e-11
"""eV; a width below may be round-off."""
DISPLACED, SETTLING = 10, 12
"""Distance from the nearest level, over the width, beyond which a resonance is sought, in so many steps."""
FARTHEST = 1.0
"""eV from where it was sought at which a resonance is another one."""
FINE = 1e-3
"""Resonances narrower than this part of the window have energies measured from their own level."""
RESOLVED = 1e-10
"""Part of the terms that cancel in the width of a resonance down to which the width is a number."""
BESIDE = 1e-6
"""eV, see `_self_energies`."""


def resonances(device: StaticDevice, lower: float, upper: float) -> list[tuple[float, float, float]]:
    """Resonances near the window that are narrow against it: a level, the centre measured from it, the width; sorted.

    Of weakly coupled levels in first order, centre eps + Re <n|Sigma|n>, width <n|Gamma|n>; of all from the
    self-energies between any two band edges. These are hints, the quadrature does the rest.
    """
    energies, states = device.levels
    length = upper - lower
    found: list[tuple[float, float, float]] = []
    sigma, amplitudes = _self_energies(device, energies), states.conj().T @ device.vectors
    shifts = expectation(amplitudes, sigma)
    strengths = expectation(np.abs(amplitudes).astype(complex), np.abs(sigma)).real
    near = (energies + shifts.real >= lower - length) & (energies + shifts.real <= upper + length)
    for n in np.flatnonzero(near & (strengths < FINE * length) & (shifts.imag < 0)):
        found.append((float(energies[n]), float(shifts[n].real), float(-2 * shifts[n].imag)))
    cells = _between_edges(device, lower, upper)
    values = [v for a, b in cells for v in _eigenvalues(device, 0.5 * (a + b), b - a)]
    # Far from its level, the centre of a narrow one must be known to its width, where E is in Sigma what it is outside.
    values += [_settled(device, v) for v in values if v.imag > -0.5 * FINE * length and _is_displaced(v, energies)]
    for value in values:
        width = -2 * value.imag
        if HIDDEN < width < length:
            origin = float(energies[np.argmin(np.abs(energies - value.real))])
            found.append((origin, float(value.real - origin), float(width)))
    return sorted(found)


def hidden_levels(device: StaticDevice, lower: float, upper: float) -> np.ndarray:
    """Energies (eV) in open bands, within two bounds, of coupled levels without a width, (n,).

    Of a symmetric device: modes whose own channels are closed there, while others are open. Unlike dark states they do
    couple, only not to what is open.
    """
    found = []
    for a, b in _between_edges(device, lower, upper):
        for value in _eigenvalues(device, 0.5 * (a + b), b - a):
            settled = _settled(device, value).real if abs(value.imag) < HIDDEN else np.nan
            if a < settled < b and device.is_open(np.array([settled]))[0] and _has_cancelled(device, settled):
                found.append(settled)
    return np.array(found)


def _has_cancelled(device: StaticDevice, energy: float) -> bool:
    """Whether nothing is left of the width of the level at an energy that its couplings could give it."""
    values, states, u = _effective_levels(device, energy, 0.0)
    nearest = np.argmin(np.abs(values - energy))
    sigma = _self_energies(device, np.array([energy]))
    size = expectation(np.abs(states[:, [nearest]]).T @ np.abs(u) + 0j, np.abs(sigma)).real[0]
    return bool(2 * abs(values[nearest].imag) < RESOLVED * size)


def _between_edges(device: StaticDevice, lower: float, upper: float) -> list[tuple[float, float]]:
    """The parts of [lower, upper] between neighbouring band edges."""
    edges = device.band_edges
    ends = separate(np.concatenate([[lower], edges[(edges > lower) & (edges < upper)], [upper]])).tolist()
    return list(zip(ends[:-1], ends[1:], strict=True))


def _effective_levels(device: StaticDevice, energy: float, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Complex eigenvalues (k,) at a real E of H + Sigma(E) for the k levels within 2 `reach`, or the `CLOSEST` ones,
    their states (k, k) in columns and the leads' vectors (k, Q): the other levels are eliminated, which turns Sigma
    into (1 - Sigma u^dag D u)^-1 Sigma, D = 1/(E - eps) of the others."""
    distances, u = energy - device.levels[0], device.level_vectors
    nearest = np.sort(np.abs(distances))[min(CLOSEST, distances.size) - 1]
    close = np.abs(distances) <= max(2 * reach, float(nearest))
    far, sigma = u[~close], _self_energies(device, np.array([energy]))
    inner = np.eye(u.shape[1]) - times(sigma, far.conj().T @ (far / distances[~close, None]))
    effective = np.linalg.solve(inner[0], times(sigma, u[close].conj().T)[0])
    return *np.linalg.eig(np.diag(device.levels[0][close]) + u[close] @ effective), u[close]


def _eigenvalues(device: StaticDevice, energy: float, reach: float) -> np.ndarray:
    """Those within `reach` of a real E."""
    values = _effective_levels(device, energy, reach)[0]
    return values[np.abs(values.real - energy) <= reach]


def _is_displaced(value: complex, levels: np.ndarray) -> bool:
    """Whether a resonance, of a width that is more than round-off, is farther from every level than that by much."""
    return bool(np.abs(levels - value.real).min() > DISPLACED * abs(value.imag) > HIDDEN)


def _settled(device: StaticDevice, value: complex) -> complex:
    """The resonance at E = Re of an eigenvalue of H + Sigma(E), sought by the secant method from `value` on; `value`
    where the search leaves its neighbourhood."""

    def nearest(energy: float) -> complex:
        values = _effective_levels(device, energy, 0.0)[0]
        return complex(values[np.argmin(np.abs(values - value))])

    tolerance = max(0.1 * abs(value.imag), HIDDEN)
    before, energy = value.real, nearest(value.real).real
    excess = energy - before
    for _ in range(SETTLING):
        now = nearest(energy).real - energy
        if abs(energy - before) <= tolerance or now == excess:
            break
        before, energy, excess = energy, energy - now * (energy - before) / (now - excess), now
        if abs(energy - value.real) > FARTHEST:
            return value
    return nearest(energy)


def refuse_unresolved(device: StaticDevice, lower: float, upper: float) -> None:
    """Refuse combinations of nearly equal levels whose couplings cancel: a width d^2/Gamma for levels d apart.

    E - H - Sigma holds d beside Gamma: of the width, round-off leaves nothing. (Levels that are equal to round-off have
    combinations without any coupling, which `StaticDevice.levels` sets apart.)
    """
    reached = device.level_vectors.any(axis=1)
    energies, vectors = device.levels[0][reached], device.level_vectors[reached]
    inside = (energies >= lower) & (energies <= upper)
    if device.has_matrices:  # where Im Sigma outside the bands is round-off
        inside &= device.is_open(energies)
    energies, vectors = energies[inside], vectors[inside]
    sizes = expectation(np.abs(vectors).astype(complex), np.abs(_self_energies(device, energies))).real
    near = 10 * np.sqrt(RESOLVED) * float(sizes.max(initial=0.0))
    starts = np.flatnonzero(np.diff(energies, prepend=-np.inf) > near)
    for group in np.split(np.arange(energies.size), starts)[1:]:
        level, u = energies[group].mean(keepdims=True), vectors[group]
        sigma = _self_energies(device, level)
        values, states = np.linalg.eig(np.diag(energies[group] - level) + (weighted(u, sigma) @ u.conj().T)[0])
        widths = _all_expectations(states.conj().T @ u, antihermitian(sigma))
        # Of channels that are open there: outside every band nothing has a width that could be lost.
        open_ = diagonal(antihermitian(sigma))[0] > 0
        cancelled = _all_expectations(np.abs(states).T @ np.abs(u) * open_, np.abs(sigma))
        if group.size > 1 and (widths < RESOLVED * cancelled).any():
            raise QuadratureError(
                f"levels at {level[0]:.6g} eV, {np.ptp(energies[group]):.2g} eV apart, combine to a resonance of width "
                f"{widths.min():.2g} eV, too narrow to be resolved where the leads are filled differently; allowed: "
                f"levels that are equal (a dark state, filled with the leads' mean chemical potential) or further apart"
            )


def _self_energies(device: StaticDevice, energies: np.ndarray) -> np.ndarray:
    """Sigma at real energies, next to a level of a lead's end, where it is infinite, at `BESIDE` above the axis."""
    levels = device.surface_levels
    beside = (np.abs(energies[:, None] - levels) < BESIDE).any(axis=1)
    return device.self_energies(energies + 1j * np.where(beside, BESIDE, 0.0))


def _all_expectations(amplitudes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """<k|u W u^dag|k> of states k with amplitudes <k|u_a> (k, Q), for the weights of a single energy."""
    return expectation(amplitudes, np.broadcast_to(weights, (len(amplitudes), *weights.shape[1:]))).real


def separate(points: np.ndarray) -> np.ndarray:
    """Sorted points without those equal to the one before up to round-off; the last one stays."""
    if points.size < 2:
        return points
    keep = np.concatenate([[True], np.diff(points) > 8 * np.finfo(float).eps * np.abs(points[:-1])])
    keep[-1] = True
    return points[keep]
