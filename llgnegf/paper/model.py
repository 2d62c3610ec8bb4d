"""The paper's model: parameters of PRL 125, 187202 and its wires, and the torque and currents of each part.

Shared by the figures; stands on `problem` and `static.rotating_frame` and draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.paper import identities
from llgnegf.problem.electrons import chain
from llgnegf.problem.leads import ChainLead
from llgnegf.problem.observables import bond_spin_current, spin_motive_force_current, torque
from llgnegf.problem.system import OpenSystem
from llgnegf.problem.textures import bloch_wall, neel_wall
from llgnegf.problem.torque_parts import field_like_damping_like
from llgnegf.static.rotating_frame import RotatingFrame

if TYPE_CHECKING:
    import xarray

HOPPING = 1.0
"""gamma in eV."""
ENERGY = 0.001
"""hbar w in eV."""
WEAK, STRONG = 0.1, 20.0
"""The paper's two J_sd in eV; the second is the perfectly adiabatic regime."""
N_SITES, CENTER, WIDTH = 7, 4.0, 0.9
"""The wall of Figs. 3, 4, S1 and S2: sites, centre and width in lattice constants."""
THETA = np.pi / 4
"""Cone angle of the single moment of Fig. 2 in rad. The paper does not give it; every part is close to sin THETA."""
BALLISTIC_CONDUCTANCE = 2.0
"""G_0 = G_up + G_down in e^2/h of the wire without moments: one open channel for each spin at E_F = 0, which lies
inside the band |E| < 2 gamma, and a chain attached with gamma_c = gamma reflects nothing."""
PARTS = ("geometric", "sea", "surface")
WALLS = {"bloch": bloch_wall, "neel": neel_wall}
TOLERANCE = 1e-10
"""Largest error allowed in an entry of an exact density matrix."""


@dataclass(frozen=True, eq=False)
class FirstOrder:
    """What the geometric, sea and surface part do, in this order along the first axis; component along the axis: `a`.

    Attributes:
        field_like, damping_like: T.e_FL and T.e_DL in eV, (3, N).
        damping_like_sum: sum_i (T_i.e_DL) e_DL in eV at t = 0, (3, 3).
        torque_sum: sum_i T_i.a in eV, (3,).
        lead_spin: I^{S_a} into each lead in eV, (3, n_leads).
        bond_spin: I^{S_a}_{i->j} in eV on the bonds of the wire, (3, n_bonds).
    """

    field_like: np.ndarray
    damping_like: np.ndarray
    damping_like_sum: np.ndarray
    torque_sum: np.ndarray
    lead_spin: np.ndarray
    bond_spin: np.ndarray

    @property
    def largest_torque(self) -> float:
        """Of all parts and sites, in eV."""
        return float(max(np.abs(self.field_like).max(), np.abs(self.damping_like).max()))


def in_eV(dims: str | tuple[str, ...], values: Any) -> tuple[Any, ...]:
    """A column or coordinate of a Dataset whose values are in eV."""
    return dims, values, {"units": "eV"}


def dataset(
    figure: str,
    columns: Mapping[str, Any],
    coordinates: Mapping[str, Any],
    attributes: Mapping[str, Any],
    found: Sequence[identities.Identity],
) -> xarray.Dataset:
    """The numbers of a figure, with the model's parameters and the identities that hold in them as attributes."""
    import xarray

    known = {"part": list(PARTS), "component": ["x", "y", "z"]}
    used = {dim for column in columns.values() for dim in ([column[0]] if isinstance(column[0], str) else column[0])}
    coordinates = {name: labels for name, labels in known.items() if name in used} | dict(coordinates)
    attributes = {"figure": figure, "hbar_omega_eV": ENERGY, "kT_eV": 0.0, **attributes}
    made = xarray.Dataset(dict(columns), coordinates, attributes)
    identities.record(made, found)
    return made


def wire(n_sites: int, j_sd: float, coupling: float, kT: float = 0.0) -> OpenSystem:
    """`n_sites` moments in an infinite chain, the leads attached by gamma_c = `coupling` (0: closed), E_F = 0."""
    leads = [ChainLead(site=i, coupling=coupling, hopping=HOPPING) for i in (0, -1)] if coupling else []
    return OpenSystem(chain(n_sites, HOPPING, j_sd), leads, fermi_energy=0.0, kT=kT)


def rotating_frame(system: OpenSystem, texture: np.ndarray, axis: Any = "z") -> RotatingFrame:
    """The texture in steady precession with the paper's frequency."""
    return RotatingFrame(system, texture, ENERGY, axis=axis, tolerance=TOLERANCE)


def first_order(frame: RotatingFrame) -> FirstOrder:
    """Torques and currents of the three parts of first order in hbar w."""
    parts, currents = frame.decompose(), frame.decompose_lead_currents()
    electrons = frame.system.electrons
    rho = np.stack([getattr(parts, name) for name in PARTS])
    full = torque(rho, frame.texture, electrons.j_sd)
    split = field_like_damping_like(full, frame.texture, frame.velocity)
    return FirstOrder(
        split.field_like,
        split.damping_like,
        split.damping_like_vector.sum(axis=-2),
        full.sum(axis=-2) @ frame.axis,
        np.stack([getattr(currents, name).spin @ frame.axis for name in PARTS]),
        bond_spin_current(rho, electrons) @ frame.axis,
    )


def spin_motive_force(frame: RotatingFrame) -> np.ndarray:
    """z component of the spin-motive-force estimate with the ballistic conductance, in eV on the bonds, (N-1,)."""
    return spin_motive_force_current(frame.texture, frame.velocity, BALLISTIC_CONDUCTANCE)[:, 2]
