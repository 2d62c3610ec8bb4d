"""All levels that no lead damps, wherever they are: what `transport` reports beside what flows.

`static/undamped` finds them in an interval.
"""

from __future__ import annotations

import numpy as np

from llgnegf.problem.observables import charge_of_sites, spin_of_sites
from llgnegf.static.green import StaticDevice
from llgnegf.static.mean_field import site_blocks
from llgnegf.static.recursion import ChainGreen, is_chain
from llgnegf.static.undamped import SAME, bound_on_chain, bound_states, dark_states


def undamped_levels(device: StaticDevice) -> tuple[np.ndarray, np.ndarray]:
    """Energies (n,), ascending, and traces of the residues of G with 1 and sigma on the sites, (n, N, 4)."""
    if not device.channels:
        levels = _of_closed(device)
    else:
        reach = _reach(device)
        levels = [(x.energy, site_blocks(x.residue)) for x in dark_states(device, -reach, reach)]
        if is_chain(device):
            levels += bound_on_chain(ChainGreen(device), -reach, reach)
        else:
            levels += [(x.energy, site_blocks(x.residue)) for x in bound_states(device, -reach, reach)]
    levels.sort(key=lambda level: level[0])
    values = [np.column_stack([charge_of_sites(blocks), spin_of_sites(blocks)]) for _, blocks in levels]
    return np.array([e for e, _ in levels]), np.reshape(values, (len(levels), device.size // 2, 4))


def _of_closed(device: StaticDevice) -> list[tuple[float, np.ndarray]]:
    """Energies of all levels, equal ones once, and their projectors on the sites, (N, 2, 2)."""
    energies, states = np.linalg.eigh(device.hamiltonian)
    groups = np.split(np.arange(energies.size), np.flatnonzero(np.diff(energies) > SAME) + 1)
    return [(float(energies[k[0]]), site_blocks(states[:, k] @ states[:, k].conj().T)) for k in groups]


def _reach(device: StaticDevice) -> float:
    """|E| (eV) beyond which there is no level: H + Sigma(E) falls with |E| beyond all bands, and is less than |E|."""
    special = np.concatenate([device.band_edges, device.surface_levels])
    reach, size = 1.0 + float(np.abs(special).max(initial=0.0)), _row_sum(device.hamiltonian)
    while True:
        sigma = device.on_device(device.self_energies(np.array([-reach, reach], dtype=complex)))
        if size + max(map(_row_sum, sigma)) < reach:
            return reach
        reach *= 2


def _row_sum(matrix: np.ndarray) -> float:
    """The largest sum of |entries| of a row, a bound on eigenvalues."""
    return float(np.abs(matrix).sum(axis=1).max(initial=0.0))
