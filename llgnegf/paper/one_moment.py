"""Fig. 2: field-like and damping-like torque on one moment, by part, against the coupling to the leads.

The moment turns about y on a cone of `THETA` (Fig. 1a) between two chain leads on its site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llgnegf.paper import drawing, identities, model
from llgnegf.paper.lab_frame import KT, LabCase, lab_columns, lab_frame
from llgnegf.paper.model import STRONG, THETA, WEAK, FirstOrder
from llgnegf.paper.workers import Mapper
from llgnegf.plots.style import label, legend_above, new_figure, styled
from llgnegf.problem.textures import cone

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXIS = "y"
COUPLINGS = np.linspace(0.0, 1.0, 101)
"""gamma_c in eV."""
LAB_COUPLINGS = {WEAK: (0.25, 0.5, 0.75, 1.0), STRONG: (0.5, 1.0)}
LAB_RAMP = {WEAK: 300.0, STRONG: 100.0}
"""In hbar/eV; strong J_sd has no slow excitations."""
KINDS = {"field": "FL", "damping": "DL"}


def data(run: Mapper, time_domain: bool) -> xarray.Dataset:
    """Torques in eV on the grid (j_sd, coupling, part), and at the lab frame's points."""
    grid = [(j, c) for j in (WEAK, STRONG) for c in COUPLINGS]
    found: list[FirstOrder] = run(_point, grid)
    shape, dims = (2, COUPLINGS.size, len(model.PARTS)), ("j_sd", "coupling", "part")
    columns = {
        f"{kind}_like": model.in_eV(dims, np.reshape([getattr(f, f"{kind}_like")[:, 0] for f in found], shape))
        for kind in KINDS
    }
    coordinates = {
        "j_sd": model.in_eV("j_sd", [WEAK, STRONG]),
        "coupling": ("coupling", COUPLINGS, {"units": "eV", "long_name": "gamma_c"}),
    }
    attributes = {"theta_rad": THETA, "axis": AXIS}
    dataset = model.dataset("fig2", columns, coordinates, attributes, _identities(grid, found))
    return dataset.merge(_lab(run), combine_attrs="no_conflicts") if time_domain else dataset


def _point(at: tuple[float, float]) -> FirstOrder:
    return model.first_order(model.rotating_frame(model.wire(1, *at), cone(1, THETA, axis=AXIS), AXIS))


def _identities(grid: list[tuple[float, float]], found: list[FirstOrder]) -> list[identities.Identity]:
    opened = [f for (_, c), f in zip(grid, found, strict=True) if c > 0]
    closed = [f for (_, c), f in zip(grid, found, strict=True) if c == 0]
    field, damping = (np.stack([getattr(f, name) for f in closed]) for name in ("field_like", "damping_like"))
    # Closed, kT = 0, lower level full: -hbar w sigma_y/2 beside -J_sd sigma.M tilts the spin by
    # hbar w sin(theta)/2 J_sd, and T = J_sd s x M does not depend on J_sd.
    limit = 0.5 * model.ENERGY * np.sin(THETA)
    berry = float(np.abs(field[:, 0, 0] / limit - 1).max())
    return [
        identities.pumping([f.torque_sum[2] for f in opened], [f.lead_spin[2] for f in opened]),
        identities.geometric_only(field, damping),
        identities.Identity("closed_geometric", "closed: T^{geo} = (hbar w/2) sin(theta) e_FL; relative", berry, 1e-12),
    ]


def _lab(run: Mapper) -> xarray.Dataset:
    import xarray

    points = [(j, c) for j, couplings in LAB_COUPLINGS.items() for c in couplings]
    moment = cone(1, THETA, axis=AXIS)
    answers = run(lab_frame, [LabCase(model.wire(1, j, c, KT), moment, AXIS, ramp=LAB_RAMP[j]) for j, c in points])
    columns = lab_columns(
        answers, "point", field_like=lambda a: a.field_like[:, 0], damping_like=lambda a: a.damping_like[:, 0]
    )
    columns["lab_difference"] = ("point", [a.torque_difference for a in answers], {"units": "1"})
    places = {"point_j_sd": model.in_eV("point", [j for j, _ in points])}
    places["point_coupling"] = model.in_eV("point", [c for _, c in points])
    return xarray.Dataset(columns, places, {"lab_kT_eV": KT})


@styled
def draw(dataset: xarray.Dataset) -> Figure:
    """Panels (a-d): field-like above damping-like, J_sd = 0.1 left of 20."""
    figure = new_figure(5.6)
    panels = figure.subplots(2, 2, sharex=True)
    for row, (kind, name) in enumerate(KINDS.items()):
        for column, j_sd in enumerate((WEAK, STRONG)):
            axes = panels[row, column]
            drawing.letter(axes, "abcd"[2 * row + column], rf"$J_{{sd}} = {j_sd:g}\,\gamma$" if row == 0 else "")
            _panel(axes, dataset, kind, j_sd)
            if column == 0:
                axes.set_ylabel(label(rf"$T^\mathrm{{{name}}}$", drawing.UNIT))
            if row == 1:
                axes.set_xlabel(r"coupling to the leads $\gamma_c$ ($\gamma$ = 1 eV)")
    legend_above(figure, panels[0, 0], 3)
    _caption(figure, dataset)
    return figure


def _panel(axes: Axes, dataset: xarray.Dataset, kind: str, j_sd: float) -> None:
    drawing.part_curves(axes, dataset["coupling"], dataset[f"{kind}_like"].sel(j_sd=j_sd), "T")
    if drawing.has_lab(dataset):
        at = dataset.isel(point=np.flatnonzero(dataset["point_j_sd"].values == j_sd))
        drawing.lab_points(axes, at["point_coupling"], at, f"{kind}_like")


def _caption(figure: Figure, dataset: xarray.Dataset) -> None:
    found = identities.measured(dataset)
    lines = [
        rf"One moment on a cone of $\theta$ = {np.degrees(THETA):g}° (not given in the paper) about y, "
        rf"$\hbar\omega = {model.ENERGY:g}\,\gamma$, $E_F = 0$; curves: first order in $\hbar\omega$ at $kT = 0$. "
        rf"Damping-like torque along y against the currents pumped: {drawing.order(found['pumping'])} relative."
    ]
    if drawing.has_lab(dataset):
        places = zip(dataset["point_j_sd"].values, dataset["point_coupling"].values, strict=True)
        each = drawing.each(dataset["lab_difference"].values, [f"{j:g}, {c:g}" for j, c in places])
        lines.append(rf"Lab frame against rotating frame, relative difference at ($J_{{sd}}$, $\gamma_c$)/eV: {each}.")
    drawing.caption(figure, lines)
