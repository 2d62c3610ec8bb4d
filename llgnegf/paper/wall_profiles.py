"""Figs. 3 and S1: torque along the seven-site wall by part, closed and open, for both J_sd; Bloch and Neel wall.

`data` computes on `model` and `lab_frame`; `draw` needs the Dataset alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.paper import drawing, identities, model
from llgnegf.paper.lab_frame import KT, LabCase, lab_columns, lab_frame
from llgnegf.paper.model import CENTER, N_SITES, STRONG, WALLS, WEAK, WIDTH, FirstOrder
from llgnegf.paper.workers import Mapper
from llgnegf.plots.style import SITE, keep_noise_flat, label, largest_of, legend_above, new_figure, styled

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SYSTEMS = {"closed": 0.0, "open": model.HOPPING}
"""gamma_c in eV."""
GRID = [(system, j) for system in SYSTEMS for j in (WEAK, STRONG)]
LETTERS = {
    ("field", "closed"): "ab", ("damping", "closed"): "cd", ("field", "open"): "ef", ("damping", "open"): "gh"
}  # fmt: skip
LAB_SETTINGS: dict[tuple[str, float], dict[str, float]] = {
    ("closed", WEAK): {"ramp": 6000.0, "hold": 0.0, "rtol": 1e-8},
    ("closed", STRONG): {"ramp": 200.0, "hold": 0.0, "rtol": 1e-8},
    ("open", WEAK): {"ramp": 300.0, "hold": 50.0, "rtol": 1e-6},
    ("open", STRONG): {"ramp": 100.0, "hold": 20.0, "rtol": 1e-6},
}
"""In hbar/eV. Nothing damps what a ramp stirs up in a closed wire, of gap 0.03 eV at the weak J_sd: a slow one."""


def data(wall: str, run: Mapper, time_domain: bool) -> xarray.Dataset:
    """Torques in eV, (system, j_sd, part, site), and the lab frame's, (system, j_sd, site)."""
    found: list[FirstOrder] = run(_point, [(wall, *at) for at in GRID])
    shape, dims = (2, 2, len(model.PARTS), N_SITES), ("system", "j_sd", "part", "site")
    columns: dict[str, Any] = {
        f"{kind}_like": model.in_eV(dims, np.reshape([getattr(f, f"{kind}_like") for f in found], shape))
        for kind in ("field", "damping")
    }
    moments = WALLS[wall](N_SITES, CENTER, WIDTH)
    gaps = [_gap(j, moments) for j in (WEAK, STRONG)]
    columns["moments"] = (("site", "component"), moments, {"units": "1"})
    columns["closed_gap"] = ("j_sd", gaps, {"units": "eV", "long_name": "gap of the closed wire at E_F"})
    if time_domain:
        columns |= _lab(wall, run)
    coordinates = {
        "system": list(SYSTEMS), "j_sd": model.in_eV("j_sd", [WEAK, STRONG]), "site": np.arange(N_SITES)
    }  # fmt: skip
    attributes = {"wall": wall, "width": WIDTH, "center": CENTER, "lab_kT_open_eV": KT, "lab_kT_closed_eV": 0.0}
    figure = "figS1" if wall == "neel" else "fig3"
    return model.dataset(figure, columns, coordinates, attributes, _identities(wall, columns, found))


def _point(at: tuple[str, str, float]) -> FirstOrder:
    wall, system, j_sd = at
    texture = WALLS[wall](N_SITES, CENTER, WIDTH)
    return model.first_order(model.rotating_frame(model.wire(N_SITES, j_sd, SYSTEMS[system]), texture))


def _gap(j_sd: float, moments: np.ndarray) -> float:
    levels = np.linalg.eigvalsh(model.wire(N_SITES, j_sd, 0.0).electrons.hamiltonian_at(moments))
    return float(levels[levels > 0].min() - levels[levels < 0].max())


def _identities(wall: str, columns: dict[str, Any], found: list[FirstOrder]) -> list[identities.Identity]:
    opened = [f for (system, _), f in zip(GRID, found, strict=True) if system == "open"]
    field, damping = columns["field_like"][1], columns["damping_like"][1]
    result = [
        identities.pumping([f.damping_like_sum[2, 2] for f in opened], [f.lead_spin[2] for f in opened]),
        identities.no_net_torque([f.torque_sum[:2] for f in found], [f.largest_torque for f in found]),
        identities.geometric_only(field[0], damping[0]),
    ]
    if wall == "neel":
        result.append(identities.field_like_only(field[:, :, 0], damping[:, :, 0]))
    return result


def _lab(wall: str, run: Mapper) -> dict[str, Any]:
    moments = WALLS[wall](N_SITES, CENTER, WIDTH)
    temperatures = {"open": KT, "closed": 0.0}
    cases = [
        LabCase(model.wire(N_SITES, j, SYSTEMS[system], temperatures[system]), moments, **LAB_SETTINGS[system, j])
        for system, j in GRID
    ]
    answers = run(lab_frame, cases)
    columns = lab_columns(
        answers, ("system", "j_sd", "site"), (2, 2, N_SITES),
        field_like=lambda a: a.field_like, damping_like=lambda a: a.damping_like,
    )  # fmt: skip
    difference = np.reshape([a.torque_difference for a in answers], (2, 2))
    return columns | {"lab_difference": (("system", "j_sd"), difference, {"units": "1"})}


@styled
def draw(dataset: xarray.Dataset) -> Figure:
    """Panels (a-h) in the paper's order, the wall above them."""
    figure = new_figure(5.8, width=10.0)
    panels = figure.subplots(3, 4, sharex=True, height_ratios=[0.42, 1, 1])
    for column, (system, j_sd) in enumerate(GRID):
        arrows = _texture(panels[0, column], dataset)
        panels[0, column].set_title(rf"{system}, $J_{{sd}} = {j_sd:g}\,\gamma$")
        for row, kind in enumerate(("field", "damping"), start=1):
            axes = panels[row, column]
            drawing.letter(axes, LETTERS[kind, system][column % 2])
            _panel(axes, dataset.sel(system=system, j_sd=j_sd), kind)
            if column == 0:
                axes.set_ylabel(label(rf"$T_i^\mathrm{{{'FL' if kind == 'field' else 'DL'}}}$", drawing.UNIT))
        panels[2, column].set(xlabel=SITE, xticks=dataset["site"].values)
    bar = figure.colorbar(arrows, ax=panels[0, :], pad=0.01, aspect=6, ticks=[-0.5, 0, 0.5])
    bar.set_label(r"$M^x$")
    legend_above(figure, panels[1, 3], 3)
    _caption(figure, dataset)
    return figure


def _texture(axes: Axes, dataset: xarray.Dataset) -> Any:
    """The moments at t = 0: arrows are (M^y, M^z) seen along x, their colour is M^x."""
    m = dataset["moments"].values
    axes.grid(False)
    axes.axis("off")
    axes.set_ylim(-1, 1)
    arrows = axes.quiver(
        dataset["site"], 0 * m[:, 0], m[:, 1], m[:, 2], m[:, 0], cmap="PuOr_r", clim=(-0.5, 0.5), pivot="mid",
        units="height", scale_units="height", scale=1.9, width=0.08, edgecolor="black", linewidth=0.5,
    )  # fmt: skip
    return arrows


def _panel(axes: Axes, at: xarray.Dataset, kind: str) -> None:
    values = at[f"{kind}_like"]
    drawing.part_curves(axes, at["site"], values, "T_i", markers=True)
    if drawing.has_lab(at):
        drawing.lab_points(axes, at["site"], at, f"{kind}_like", "$kT$ in the caption", _missed(at, kind))
    keep_noise_flat(axes, values / drawing.MICRO, _largest(at) / drawing.MICRO)


def _largest(at: xarray.Dataset) -> float:
    return max(largest_of(at["field_like"]), largest_of(at["damping_like"]))


def _missed(at: xarray.Dataset, kind: str) -> float:
    """How far the sum of the parts is from the exact torque in a panel, of the largest there."""
    return drawing.missed_by_first_order(at[f"{kind}_like"].sum("part"), at[f"exact_{kind}_like"], _largest(at))


def _caption(figure: Figure, dataset: xarray.Dataset) -> None:
    found = identities.measured(dataset)
    wall = {"bloch": "Bloch", "neel": "Néel"}[str(dataset.attrs["wall"])]
    more = f", Néel geometric damping-like share {drawing.order(found['neel_field_like'])}" if wall == "Néel" else ""
    lines = [
        rf"{wall} wall, N = {N_SITES}, centre on site {CENTER - 1:g} (Z = {CENTER:g} in the paper, which counts from "
        rf"1), W = {WIDTH:g}, turning about z, "
        rf"$\hbar\omega = {model.ENERGY:g}\,\gamma$, $E_F = 0$, open: $\gamma_c = \gamma$; curves: first order in "
        r"$\hbar\omega$ at $kT = 0$. Arrows: ($M^y$, $M^z$). "
        f"Damping-like z torque against pumped currents: {drawing.order(found['pumping'])} relative{more}."
    ]
    if drawing.has_lab(dataset):
        each = drawing.each(dataset["lab_difference"].values.ravel(), [rf"{s}, {j:g} $\gamma$" for s, j in GRID])
        lines.append(
            f"Lab frame ($kT$ = {1e3 * KT:g} meV open, 0 closed) against the exact rotating frame at the same $kT$, "
            f"largest difference relative to the largest torque: {each}. Both hold all orders in $\\hbar\\omega$, the "
            f"parts and their sum the first.{_where_they_differ(dataset)}"
        )
    drawing.caption(figure, lines)


def _where_they_differ(dataset: xarray.Dataset) -> str:
    missed = _missed(dataset.sel(system="closed", j_sd=WEAK), "damping")
    if missed <= drawing.DIFFERS:
        return ""
    return (
        rf" They differ in (c), by {100 * missed:.0f} % of the largest value there, since the gap of the closed wire "
        rf"is only {1e3 * float(dataset['closed_gap'][0]):.0f} meV at $J_{{sd}} = {WEAK:g}\,\gamma$."
    )
