"""What must hold exactly in a figure: each identity with its measured value and bound, in the attributes of the data.

Written by the figures, read by the captions, by the tests and by whoever opens the NetCDF file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Identity:
    """`statement` holds if `measured` <= `bound`."""

    name: str
    statement: str
    measured: float
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the measured value is within the bound."""
        return self.measured <= self.bound


def record(dataset: xarray.Dataset, found: Sequence[Identity]) -> None:
    """Put the identities into the attributes of `dataset`."""
    dataset.attrs["identities"] = " ".join(i.name for i in found)
    for i in found:
        values = {"statement": i.statement, "measured": i.measured, "bound": i.bound}
        dataset.attrs |= {f"{i.name}_{key}": value for key, value in values.items()}


def recorded(dataset: xarray.Dataset) -> list[Identity]:
    """The identities in the attributes of `dataset`."""
    names, a = str(dataset.attrs["identities"]).split(), dataset.attrs
    return [Identity(n, str(a[f"{n}_statement"]), float(a[f"{n}_measured"]), float(a[f"{n}_bound"])) for n in names]


def measured(dataset: xarray.Dataset) -> dict[str, float]:
    """The measured values of the identities in `dataset`, by name."""
    return {identity.name: identity.measured for identity in recorded(dataset)}


def pumping(torque: Any, lead_spin: Any) -> Identity:
    """Damping-like torque along the axis, summed over the wire, against the currents pumped into the leads.

    Args:
        torque: Of the surface part in eV, (n,).
        lead_spin: Of the surface part in eV, (n, n_leads).
    """
    pumped = np.sum(lead_spin, axis=-1)
    text = "(sum_i T_i^{surf,DL}) along the axis = I_L + I_R pumped; largest relative difference"
    return Identity("pumping", text, float(np.abs(np.asarray(torque) / pumped - 1).max()), 1e-8)


def no_net_torque(torque: Any, size: Any) -> Identity:
    """Geometric and sea torques along the axis sum to zero over the wire.

    Args:
        torque: Their sums over the wire in eV, (n, 2).
        size: Largest torque on a site in eV, (n,).
    """
    text = "sum_i T_i^{geo} = sum_i T_i^{sea} = 0 along the axis; relative to the largest torque on a site"
    return Identity("no_net_torque", text, float((np.abs(torque) / np.asarray(size)[:, None]).max()), 1e-10)


def field_like_only(field_like: np.ndarray, damping_like: np.ndarray) -> Identity:
    """The geometric torque of a coplanar (Neel) wall has no damping-like part on any site."""
    text = "Neel wall: |T_i^{geo,DL}| / max |T_i^{geo,FL}|, all sites"
    return Identity("neel_field_like", text, float(np.abs(damping_like).max() / np.abs(field_like).max()), 1e-10)


def same_line(bloch: np.ndarray, neel: np.ndarray) -> Identity:
    """The spin-motive-force estimate does not tell a Bloch wall from a Neel wall."""
    text = "I_SMF of the Bloch wall = I_SMF of the Neel wall; largest difference relative to the largest value"
    # Both are products of a few rounded numbers: 1e-13 leaves room for some 500 units of round-off.
    return Identity("same_smf", text, float(np.abs(bloch - neel).max() / np.abs(bloch).max()), 1e-13)


def geometric_only(field_like: np.ndarray, damping_like: np.ndarray) -> Identity:
    """A closed system has the geometric torque alone; arrays (..., part, site) in the order of `model.PARTS`."""
    others = max(np.abs(field_like[..., 1:, :]).max(), np.abs(damping_like[..., 1:, :]).max())
    text = "closed: max |T^{sea}|, |T^{surf}| / max |T^{geo}|"
    return Identity("closed_geometric_only", text, float(others / np.abs(field_like[..., 0, :]).max()), 1e-12)
