"""Between which energies the levels of device and leads are during a run: what the Fermi function has to cover, and
what an explicit step has to follow. Asked by `channels`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

from llgnegf.poles.matrix_channels import matrix_weight, square_root
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.poles.sampling import total_weight
from llgnegf.problem.leads import Channel
from llgnegf.problem.matrix_spectra import MatrixSpectrum
from llgnegf.problem.spectra import Spectrum
from llgnegf.problem.system import OpenSystem

TAIL = 10.0
"""Widths of a mode that f covers on both sides of it, where no band ends."""
FINEST_FIT = 1e-9
"""Tolerance, of K(0), at which a spectrum is asked for its own modes."""
DENSE = 100
"""Rows up to which matrices are dense and all their eigenvalues asked for, beyond the largest one alone."""
CUTS = 6
"""Bisections of the interval with the outermost level."""


def spectral_bounds(
    system: OpenSystem, voltages: np.ndarray | None = None, times: Sequence[float] = (0.0,), length: float = 1.0
) -> tuple[float, float]:
    """Lower and upper bound (eV) of the spectrum of device and leads together, for any moments up to `length`.

    Gershgorin: a device row reaches |H_0 row| + |J_sd| + the couplings c_q = sqrt(int Gamma dE/2pi) |u_q| attached to
    it; a lead band reaches max(0, c_q - half of its half-width) beyond its edges (for a chain the first row has
    radius gamma + gamma_c). Matrix channels, coupled by T_q = U_q C_q(0)^(1/2), widen all that by [sum_q |T_q|^2]^(1/2)
    (Weyl's inequality). `voltages` (n_leads, 2) are the lowest and the highest V_p of the run, None those of t = 0;
    they shift the bands; `times` (fs) are instants at which the device is looked at. Wide bands are left out; a
    spectrum of modes without band reaches TAIL widths beyond them. Where device and leads are plain enough for it, the
    levels beyond all bands are found instead (`_within`).
    """
    shifts = static_voltages(system) if voltages is None else voltages
    first, last = system.electrons.gershgorin(times, length)
    low, high, margin = [], [], 0.0
    for p, channel in _channels(system):
        bottom, top = _band(channel.spectrum)
        spectrum: Any = channel.spectrum
        if channel.vector.ndim == 2:
            margin = np.hypot(margin, np.linalg.norm(channel.vector @ square_root(matrix_weight(spectrum)), 2))
            excess = 0.0
        else:
            coupling = np.sqrt(total_weight(spectrum)) * np.abs(channel.vector)
            excess = max(0.0, float(np.linalg.norm(coupling)) - 0.25 * (top - bottom))
            first, last = first - coupling, last + coupling
        if np.isfinite(bottom):
            low.append(bottom + shifts[p, 0] - excess)
            high.append(top + shifts[p, 1] + excess)
    bounds = min([*low, float(first.min())]) - margin, max([*high, float(last.max())]) + margin
    return _within(system, shifts, length, *bounds) if _is_plain(system) else bounds


def _band(spectrum: Spectrum | MatrixSpectrum) -> tuple[float, float]:
    """Where the spectrum has its weight (eV), surface levels included; infinite for a wide band."""
    own: Callable[[float], Any] | None = getattr(spectrum, "modes", None)
    if np.isfinite(spectrum.support).all():
        levels = [float(e) for e in getattr(spectrum, "surface_levels", ())]
        return min([spectrum.support[0], *levels]), max([spectrum.support[1], *levels])
    found = None if own is None else own(FINEST_FIT)
    chi = np.array(() if found is None else found.energies if isinstance(found, MatrixModes) else found[0], complex)
    if not chi.size:
        return spectrum.support
    return float((chi.real + TAIL * chi.imag).min()), float((chi.real - TAIL * chi.imag).max())


def static_voltages(system: OpenSystem) -> np.ndarray:
    """(n_leads, 2), V_p(0) twice."""
    return np.repeat(system.voltages().reshape(-1, 1), 2, axis=1)


def _channels(system: OpenSystem) -> Iterator[tuple[int, Channel]]:
    """(lead, channel) of every coupled channel."""
    return ((p, channel) for p, channels in enumerate(system.lead_channels) for channel in channels)


def _is_plain(system: OpenSystem) -> bool:
    """Whether H is constant, and all channels are scalar with bands that end."""
    known = (c.vector.ndim == 1 and np.isfinite(c.spectrum.support).all() for _, c in _channels(system))
    return system.electrons.is_constant and any(system.lead_channels) and all(known)


def _within(system: OpenSystem, shifts: np.ndarray, length: float, low: float, high: float) -> tuple[float, float]:
    """Sharper bounds than `low` and `high`, if there are.

    -J sigma.M <= |J| |M|, and levels rise with V, so that nothing lies above the levels of H_0 + |J| |M| with the
    highest voltages. Above all bands these are where E = lambda_max(H_0 + |J| |M| + Sigma(E)), whose right-hand side
    falls with E: there is none above E' if it is at most E' there. The lower end is the upper one of -H.
    """
    electrons, channels = system.electrons, list(_channels(system))
    matrix: Any = sparse.csr_array(electrons.device.matrix(0.0))
    lift: Any = sparse.diags_array(np.repeat(length * np.abs(electrons.j_sd_at(0.0)), 2))
    vectors: Any = np.stack([c.vector for _, c in channels], axis=1)
    if len(vectors) > DENSE:
        vectors, diagonal = sparse.csr_array(vectors), sparse.diags_array
    else:
        matrix, lift, diagonal = matrix.toarray(), lift.toarray(), np.diag
    found = []
    for side, sign in enumerate((-1.0, 1.0)):
        ends = [_band(c.spectrum)[side] + shifts[p, side] for p, c in channels]

        def highest(energy: float, side: int = side, sign: float = sign) -> float:
            at = [np.array(sign * energy - shifts[p, side] + 0j) for p, _ in channels]
            sigma = [float(c.spectrum.self_energy(e).real) for (_, c), e in zip(channels, at, strict=True)]
            return _largest(sign * (matrix + vectors @ diagonal(sigma) @ vectors.conj().T) + lift)

        found.append(sign * _outermost(highest, max(sign * e for e in ends)))
    return float(max(low, found[0])), float(min(high, found[1]))


def _outermost(highest: Callable[[float], float], edge: float) -> float:
    """An upper bound on E = highest(E), which falls, from the band edge on; infinite where nothing is known there."""
    above, below = highest(edge), edge
    if not above > edge:
        return edge if np.isfinite(above) else np.inf
    for _ in range(CUTS if np.isfinite(above) else 0):
        middle = 0.5 * (below + above)
        below, above = (middle, above) if highest(middle) > middle else (below, middle)
    return above


def _largest(matrix: sparse.sparray | np.ndarray) -> float:
    """The largest eigenvalue of a Hermitian matrix; NaN where an element is."""
    if not np.isfinite(matrix if isinstance(matrix, np.ndarray) else matrix.data).all():
        return np.nan
    if isinstance(matrix, np.ndarray):
        return float(np.linalg.eigvalsh(matrix)[-1])
    start = np.random.default_rng(0).normal(size=matrix.shape[0])  # the same each time: runs repeat bit by bit
    return float(eigsh(matrix, k=1, which="LA", v0=start, return_eigenvectors=False)[0])
