"""Levels of an open device that no lead damps: bound states outside all bands, and dark states.

Their poles of G lie on the real axis, where integrals over the Fermi surface do not see them, and in a stationary state
nothing fills them: `response/` and `start` ask for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llgnegf.static.green import StaticDevice
from llgnegf.static.recursion import ChainGreen
from llgnegf.static.weights import expectation, hermitian

SAME = 1e-9
"""Undamped levels closer than this (eV) are one pole."""
ACCURACY = 1e-14
"""Error of their energies, in units of the largest or of 1 eV."""
MOST_STEPS = 100
UNEVEN = 0.4835
"""Where bisection cuts: in the middle it would meet levels of parts of the chain, which are at simple numbers."""
CIRCLE = 16
"""Points on the circle around a pole that average it away, exactly up to the power (radius/distance)^16."""


FROM_SURFACE = 1e-7
"""Distance (eV) from a real pole of Sigma within which H is lost in the round-off of H + Sigma: a level there is at the
pole."""
UNCOUPLED = 1e-9
"""Norm of a residue below which a level of a lead's end has nothing on the device."""
UNDAMPED = 1e-13
"""Width (eV) below which a level of modes counts as undamped."""
BOUND = 0.5
"""A level outside every band is bound if its width is below this many times its distance from the nearest band; that
width is an artefact of the lead modes, whose tails reach there."""


@dataclass(frozen=True, eq=False)
class UndampedLevel:
    """A pole of G on the real axis: G = residue/(E - energy) + rest + O(E - energy).

    Attributes:
        energy: In eV.
        residue: (2N, 2N); a projector for dark states, less than one for bound states, which are partly in the leads.
        rest: In 1/eV, (2N, 2N).
    """

    energy: float
    residue: np.ndarray
    rest: np.ndarray


def is_undamped(device: StaticDevice, energies: np.ndarray) -> np.ndarray:
    """Whether levels (n,) found with leads in modes, their widths in the imaginary parts, have none with the exact
    leads of `device`: no width at all, or outside every band."""
    below, above = device.bands[:, 0] - energies.real[:, None], energies.real[:, None] - device.bands[:, 1]
    distance = np.maximum(below, above).min(axis=1)  # from the nearest band, negative inside one
    return (energies.imag > -UNDAMPED) | (-energies.imag < BOUND * distance)


def gaps(device: StaticDevice, lower: float, upper: float) -> list[tuple[float, float]]:
    """The parts of [lower, upper] where no channel has states."""
    free = [(lower, upper)]
    for low, high in device.bands.tolist():
        pieces = [piece for a, b in free for piece in ((a, min(b, low)), (max(a, high), b))]
        free = [(a, b) for a, b in pieces if a < b]
    return free


def bound_states(device: StaticDevice, lower: float, upper: float) -> list[UndampedLevel]:
    """The undamped levels in the gaps within [lower, upper].

    There H + Sigma(E) is Hermitian and falls with E: each of its levels lambda_k crosses E at most once between the
    real poles of Sigma, where they jump. A level that sits at such a pole is found by its residue.
    """
    found = []
    for low, high in gaps(device, lower, upper):
        margin = 1e-13 * max(1.0, abs(low), abs(high))
        low, high = low + margin, high - margin
        poles = device.surface_levels[(device.surface_levels > low) & (device.surface_levels < high)]
        energies = np.concatenate([_crossings_between(device, *piece) for piece in _pieces(poles, low, high)])
        distinct = energies[np.diff(energies, prepend=-np.inf) > SAME]
        singular = np.concatenate([distinct, poles, [low, high]])
        for number, energy in enumerate([*distinct.tolist(), *poles.tolist()]):
            others = np.abs(np.delete(singular, number) - energy)
            level = _level_at(device, energy, 0.25 * float(others.min()))
            if number < distinct.size or np.linalg.norm(level.residue) > UNCOUPLED:
                found.append(level)
    return found


def _pieces(poles: np.ndarray, low: float, high: float) -> list[tuple[float, float]]:
    """[low, high] without the neighbourhood of the poles."""
    starts, ends = [low, *(poles + FROM_SURFACE)], [*(poles - FROM_SURFACE), high]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if a < b]


def bound_on_chain(chain: ChainGreen, lower: float, upper: float) -> list[tuple[float, np.ndarray]]:
    """Energies of the undamped levels in the gaps within [lower, upper], and their residues on the sites, (N, 2, 2).

    As `bound_states`, at O(N) for each energy: in a gap `ChainGreen.phase` is pi times the number of levels above.
    """
    found: list[tuple[float, np.ndarray]] = []
    for low, high in gaps(chain.device, lower, upper):
        margin = 1e-13 * max(1.0, abs(low), abs(high))
        low, high = low + margin, high - margin
        most, least = np.rint(chain.phase(np.array([low, high])) / np.pi).astype(int)
        numbers = np.arange(least, most)[::-1]
        below, above = np.full(numbers.size, low), np.full(numbers.size, high)
        while numbers.size and (above - below).max() > ACCURACY * max(1.0, abs(low), abs(high)):
            middle = below + UNEVEN * (above - below)
            is_above = np.rint(chain.phase(middle) / np.pi) > numbers
            below, above = np.where(is_above, middle, below), np.where(is_above, above, middle)
        energies = 0.5 * (below + above)
        energies = energies[np.diff(energies, prepend=-np.inf) > SAME]
        ends = np.concatenate([[low], energies, [high]])
        for energy, radius in zip(energies, 0.25 * np.minimum(np.diff(ends)[1:], np.diff(ends)[:-1]), strict=True):
            z = energy + radius * _half_circle()
            moment = chain.local_blocks(z)[:, 0, : chain.n_sites] * (z - energy)[:, None, None, None]
            found.append((float(energy), (moment + moment.conj().swapaxes(-1, -2)).sum(axis=0) / CIRCLE))
    return found


def dark_states(device: StaticDevice, lower: float, upper: float) -> list[UndampedLevel]:
    """The undamped levels in the bands within [lower, upper]; rest has the width of the levels around them."""
    energies, states = device.levels
    reached = device.level_vectors.any(axis=1)
    inside = ~reached & (energies >= lower) & (energies <= upper)
    inside &= device.is_open(energies)
    candidates = np.unique(energies[inside])
    found = []
    for energy in candidates[np.diff(candidates, prepend=-np.inf) > SAME]:
        here = ~reached & (np.abs(energies - energy) <= SAME)
        other = ~reached & ~here
        rest = device.reached_green(np.array([energy]), np.zeros(1))[0]
        rest += (states[:, other] / (energy - energies[other])) @ states[:, other].conj().T
        found.append(UndampedLevel(float(energy), states[:, here] @ states[:, here].conj().T, rest))
    return found


def _levels(device: StaticDevice, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (n, 2N) and eigenvectors (n, 2N, 2N) of H + Sigma(E) at energies (n,) outside all bands."""
    sigma = hermitian(device.self_energies(energies + 0j))
    values, states = np.linalg.eigh(device.hamiltonian + device.on_device(sigma))
    return values, states


def _crossings_between(device: StaticDevice, low: float, high: float) -> np.ndarray:
    """Where a level of H + Sigma(E) is E, for `low` < E < `high`, ascending."""
    first, last = (int((_levels(device, np.array([e]))[0][0] < e).sum()) for e in (low, high))
    return _crossings(device, low, high, np.arange(first, last))


def _crossings(device: StaticDevice, low: float, high: float, numbers: np.ndarray) -> np.ndarray:
    """Where E = lambda_k(E) between `low` and `high`, for each k in `numbers`: Newton's steps, bisection outside."""
    below, above = np.full(numbers.size, low), np.full(numbers.size, high)
    energies, rows = 0.5 * (below + above), np.arange(numbers.size)
    for _ in range(MOST_STEPS if numbers.size else 0):
        values, states = _levels(device, energies)
        excess = energies - values[rows, numbers]
        below, above = np.where(excess < 0, energies, below), np.where(excess < 0, above, energies)
        change = hermitian(device.self_energy_derivatives(energies + 0j))
        slope = 1 - expectation(states[rows, :, numbers].conj() @ device.vectors, change).real
        step = energies - excess / slope
        before, energies = energies, np.where((below <= step) & (step <= above), step, 0.5 * (below + above))
        if np.abs(energies - before).max() <= ACCURACY * max(1.0, float(np.abs(energies).max())):
            break
    return energies


def _level_at(device: StaticDevice, energy: float, radius: float) -> UndampedLevel:
    """Residue and rest as means over a circle, of which G(z^*) = G(z)^dag gives the lower half."""
    turn = _half_circle()
    green = device.retarded(energy + radius * turn)
    adjoint = green.conj().swapaxes(-1, -2)
    moment = green * (radius * turn)[:, None, None]
    residue = (moment + moment.conj().swapaxes(-1, -2)).sum(axis=0) / CIRCLE
    return UndampedLevel(energy, residue, (green + adjoint).sum(axis=0) / CIRCLE)


def _half_circle() -> np.ndarray:
    """Points of the upper half of a circle around 0, (CIRCLE/2,)."""
    return np.exp(2j * np.pi * (np.arange(CIRCLE // 2) + 0.5) / CIRCLE)
