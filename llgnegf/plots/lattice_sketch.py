"""A lattice as one draws it: bonds, sites, and leads as ribbons that go on and fade.

`lattice` takes electrons (or a lattice) and leads; `draw` takes plain arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy

from llgnegf._checks import need
from llgnegf.plots.plane import plane_through
from llgnegf.plots.style import COLOURS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PERIODS, LENGTH = 6, 6.0
"""How often a lead's cell is drawn at most, and how far a lead is drawn, in distances of neighbours."""
STRAIGHT = 0.1
"""Part of its length by which a period may lean."""
UPRIGHT = 0.9
"""Cosine of the angle to an axis within which a lead goes along it."""
DEVICE, BOND = "#333333", "#8a8a8a"


class Ribbon(NamedTuple):
    """A lead in the picture: sites and bonds of its cells, with how far they are from the device from 0 to 1."""

    points: np.ndarray
    bonds: np.ndarray
    faint: np.ndarray


def lattice(electrons: Any, leads: Sequence[Any] = (), names: Sequence[str] = (), ax: Axes | None = None) -> Axes:
    """Sketch a device with its leads, each where its channels act; of a lattice without leads the sides of it.

    Parameters
    ----------
    electrons : Electrons or Lattice
        What has `positions` (N, 3) in nm and `bonds` (n, 2): `Electrons`, a `Lattice`.
    leads : sequence of leads
        Any leads of these electrons.
    names : sequence of str
        A name for each; "lead 0", ... if left out.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; None makes a figure (`ax.figure`).

    Returns
    -------
    matplotlib.axes.Axes
        Of a Figure that a notebook shows: `lattice(...).figure`.

    Raises
    ------
    ValueError
        Without positions.

    Examples
    --------
    >>> ribbon = ln.square(4, 2)
    >>> axes = ln.plots.lattice(ribbon.electrons(hopping=1.0, j_sd=0.1), [ribbon.lead("left", hopping=1.0)], ["left"])
    >>> axes.figure.savefig("ribbon.png")
    """
    known = electrons.positions is not None
    need(known, "lattice", "electrons.positions", None, "positions of the sites, in nm")
    if not leads and hasattr(electrons, "sides"):
        sides = [(name, side.sites, side.translation) for name, side in electrons.sides.items()]
        return draw(electrons.positions, electrons.bonds, sides, ax)
    n_sites = len(electrons.positions)
    named = list(names) or [f"lead {p}" for p in range(len(leads))]
    sites = []
    for name, lead in zip(named, leads, strict=True):
        columns = np.concatenate([channel.columns for channel in lead.attach(n_sites)], axis=1)
        sites.append((name, np.unique(np.flatnonzero(np.abs(columns).max(axis=1) > 0) // 2)))
    return draw(electrons.positions, electrons.bonds, sites, ax)


@styled
def draw(positions: Any, bonds: Any, lead_sites: Sequence[tuple[Any, ...]] = (), ax: Axes | None = None) -> Axes:
    """Sites, bonds, and each lead as the device's edge repeated outwards, fading.

    The period of a lead is found from the lattice: the shortest step straight out of the device that leads from other
    sites to those of the lead. Where there is none, of one site perhaps, it goes on with the distance of neighbours.

    Parameters
    ----------
    positions : array_like, (N, 3)
        (N, 3) in nm.
    bonds : array_like of int, (n, 2)
        (n, 2) pairs of sites.
    lead_sites : sequence of tuple
        (name, sites it is attached to) of each lead, or (name, last cell, step in nm (3,)) where the period is known.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; None makes a figure.

    Returns
    -------
    matplotlib.axes.Axes
        Of a Figure that a notebook shows: `draw(...).figure`.

    Examples
    --------
    >>> axes = ln.plots.draw([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1], [0, 2]])
    >>> axes.get_xlabel()
    'x (nm)'
    """
    from matplotlib.collections import LineCollection

    at = np.asarray(positions, dtype=float)
    plane = plane_through(at)
    chosen = (0, 1) if plane is None else plane.axes[:2]
    points, pairs = at[:, list(chosen)], np.asarray(bonds, dtype=int).reshape(-1, 2)
    lengths = np.linalg.norm(points[pairs[:, 1]] - points[pairs[:, 0]], axis=1)
    spacing = float(np.median(lengths)) if lengths.size else 1.0
    ribbons = []
    for name, sites, *step in lead_sites:
        in_plane = [np.asarray(s, dtype=float)[list(chosen)] for s in step]
        if len(sites):
            ribbons.append((name, _ribbon(points, pairs, np.asarray(sites, dtype=int), spacing, in_plane)))
    everything = np.concatenate([points, *(ribbon.points for _, ribbon in ribbons)])
    if ax is None:
        width, height = np.ptp(everything, axis=0) + 2 * spacing
        ax = new_figure(float(np.clip(6.0 * height / width + 0.6, 1.6, 7.0))).subplots()
    size = (0.28 * 72 * 6.0 * spacing / (np.ptp(everything[:, 0]) + 2 * spacing)) ** 2
    size = float(np.clip(size, 1.0, 60.0))
    for k, (name, ribbon) in enumerate(ribbons):
        _draw_ribbon(ax, ribbon, COLOURS[k % len(COLOURS)], size)
        _name(ax, name, points, ribbon, COLOURS[k % len(COLOURS)], spacing)
    ax.add_collection(LineCollection(list(points[pairs]), colors=BOND, linewidths=1.0, zorder=2))
    ax.scatter(points[:, 0], points[:, 1], s=size, color=DEVICE, linewidths=0, zorder=3)
    low, high = everything.min(axis=0) - 1.4 * spacing, everything.max(axis=0) + 1.4 * spacing
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.set(xlabel=f"{'xyz'[chosen[0]]} (nm)", ylabel=f"{'xyz'[chosen[1]]} (nm)")
    ax.grid(False)
    return ax


def _ribbon(
    points: np.ndarray, bonds: np.ndarray, sites: np.ndarray, spacing: float, step: list[np.ndarray]
) -> Ribbon:
    """The cells of a lead, whose period is `step`, if one is given."""
    if step:
        cell, period, outward = sites, step[0], step[0] / np.linalg.norm(step[0])
    else:
        outward = _outward(points, sites)
        cell, period = _cell(points, sites, outward, spacing)
    count = int(np.clip(round(LENGTH * spacing / np.linalg.norm(period)), 2, PERIODS))
    copies = np.concatenate([points[cell] + k * period for k in range(1, count + 1)])
    copies = copies[scipy.spatial.cKDTree(points).query(copies)[0] > 0.3 * spacing]
    faint = np.clip((copies - points[sites].mean(axis=0)) @ outward / (count * np.linalg.norm(period)), 0, 1)
    known = {tuple(step) for step in np.round((points[bonds[:, 1]] - points[bonds[:, 0]]) / spacing, 2)}
    known |= {(-x, -y) for x, y in known} or {tuple(np.round(period / spacing, 2))}
    joined = np.concatenate([copies, points[sites]])
    pairs = scipy.spatial.cKDTree(joined).query_pairs(1.3 * max(spacing, 1e-12), output_type="ndarray")
    pairs = pairs[(pairs < len(copies)).any(axis=1)]
    steps = np.round((joined[pairs[:, 1]] - joined[pairs[:, 0]]) / spacing, 2)
    lead_on = np.abs(np.abs(steps @ (outward)) - np.linalg.norm(period) / spacing) < 0.05
    kept = lead_on | np.array([_is_known(step, known) for step in steps], dtype=bool)
    return Ribbon(copies, joined[pairs[kept]], faint)


def _is_known(step: np.ndarray, known: set[tuple[float, ...]]) -> bool:
    return any(abs(step[0] - x) + abs(step[1] - y) < 0.05 for x, y in known)


def _outward(points: np.ndarray, sites: np.ndarray) -> np.ndarray:
    """The unit vector out of the device, normal to the line of the lead's sites where they make one; along an axis of
    the picture if that is near, since ragged edges lean."""
    away = points[sites].mean(axis=0) - points.mean(axis=0)
    spread = points[sites] - points[sites].mean(axis=0)
    if np.ptp(spread, axis=0).max() > 0:
        along = np.linalg.svd(spread, full_matrices=False)[2][0]
        normal = np.array([-along[1], along[0]])
        k = int(np.argmax(np.abs(normal)))
        normal = np.eye(2)[k] if abs(normal[k]) > UPRIGHT else normal
        return normal * (np.sign(normal @ away) or 1.0)
    # One site: along the axis on whose end it is.
    reach = np.ptp(points, axis=0)
    k = int(np.argmax(np.abs(away) / np.where(reach > 0, reach, np.inf)))
    return np.eye(2)[k] * (np.sign(away[k]) or 1.0)


def _cell(points: np.ndarray, sites: np.ndarray, outward: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """The sites that are repeated, the last ones along each row of the lead, and the step."""
    tree, edge, sideways = scipy.spatial.cKDTree(points), points[sites], np.array([-outward[1], outward[0]])
    steps = edge[0] - points
    ahead, straight = steps @ outward, np.abs(steps @ sideways) < STRAIGHT * spacing
    for j in np.argsort(ahead, kind="stable"):
        if ahead[j] > 0.3 * spacing and straight[j] and tree.query(edge - steps[j])[0].max() < STRAIGHT * spacing:
            beside, margin = (points - edge[0]) @ sideways, 0.6 * spacing
            low, high = beside[sites].min() - margin, beside[sites].max() + margin
            last = tree.query(points + steps[j])[0] > STRAIGHT * spacing
            near = (edge @ outward).max() - points @ outward < 2 * ahead[j]  # no gaps inside the device
            return np.flatnonzero(last & near & (beside > low) & (beside < high)), steps[j]
    return sites, outward * spacing


def _draw_ribbon(axes: Axes, ribbon: Ribbon, colour: str, size: float) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    def faded(part: np.ndarray) -> np.ndarray:
        return np.concatenate([np.tile(to_rgb(colour), (len(part), 1)), 0.75 * (1 - part[:, None]) + 0.06], axis=1)

    if len(ribbon.bonds):
        middle = ribbon.bonds.mean(axis=1)
        nearest = np.linalg.norm(middle[:, None] - ribbon.points, axis=-1).argmin(axis=1)
        axes.add_collection(
            LineCollection(list(ribbon.bonds), colors=faded(ribbon.faint[nearest]), linewidths=1.0, zorder=1)
        )
    axes.scatter(ribbon.points[:, 0], ribbon.points[:, 1], s=size, color=faded(ribbon.faint), linewidths=0, zorder=1)


def _name(axes: Axes, name: str, points: np.ndarray, ribbon: Ribbon, colour: str, spacing: float) -> None:
    """The name of a lead beside its ribbon: above one that goes left or right, to the right of one up or down."""
    center, away = ribbon.points.mean(axis=0), ribbon.points.mean(axis=0) - points.mean(axis=0)
    style: Any = {"color": colour, "fontweight": "bold", "zorder": 4}
    reach = np.ptp(points, axis=0) / 2
    if abs(away[0]) - reach[0] >= abs(away[1]) - reach[1]:
        top = ribbon.points[:, 1].max() + 0.5 * spacing
        axes.text(center[0], top, name, ha="center", va="bottom", **style)
    else:
        axes.text(ribbon.points[:, 0].max() + 0.5 * spacing, center[1], name, ha="left", va="center", **style)
