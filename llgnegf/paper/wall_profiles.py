"""Figs. 3 and S1: torque along the seven-site wall by part, closed and open, for both J_sd; Bloch and Neel wall.

`data` computes on `model` and `lab_frame`; `draw` needs the Dataset alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.paper import identities
from llgnegf.paper.drawing import (
    DIFFERS,
    FIRST_ORDER,
    MICRO,
    NAMES,
    UNIT,
    caption,
    has_lab,
    lab_points,
    letter,
    missed_by_first_order,
    order,
    part_style,
)
from llgnegf.paper.lab_frame import KT, LabCase, lab_frame
from llgnegf.paper.model import (
    CENTER,
    ENERGY,
    HOPPING,
    N_SITES,
    PARTS,
    STRONG,
    WALLS,
    WEAK,
    WIDTH,
    FirstOrder,
    first_order,
    rotating_frame,
    wire,
)
from llgnegf.paper.workers import Mapper
from llgnegf.plots.style import SITE, keep_noise_flat, label, largest_of, legend_above, new_figure, styled

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SYSTEMS = {"closed": 0.0, "open": HOPPING}
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
    import xarray

    found = run(_point, [(wall, *at) for at in GRID])
    shape, dims = (2, 2, len(PARTS), N_SITES), ("system", "j_sd", "part", "site")
    columns: dict[str, Any] = {
        f"{kind}_like": (dims, np.reshape([getattr(f, f"{kind}_like") for f in found], shape), {"units": "eV"})
        for kind in ("field", "damping")
    }
    moments = WALLS[wall](N_SITES, CENTER, WIDTH)
    gaps = [_gap(j, moments) for j in (WEAK, STRONG)]
    columns["moments"] = (("site", "component"), moments, {"units": "1"})
    columns["closed_gap"] = ("j_sd", gaps, {"units": "eV", "long_name": "gap of the closed wire at E_F"})
    if time_domain:
        columns |= _lab(wall, run)
    coordinates = {
        "system": list(SYSTEMS), "j_sd": ("j_sd", [WEAK, STRONG], {"units": "eV"}), "part": list(PARTS),
        "site": np.arange(N_SITES), "component": ["x", "y", "z"],
    }  # fmt: skip
    attributes = {
        "figure": "figS1" if wall == "neel" else "fig3", "wall": wall, "hbar_omega_eV": ENERGY,
        "width": WIDTH, "center": CENTER, "kT_eV": 0.0, "lab_kT_open_eV": KT, "lab_kT_closed_eV": 0.0,
    }  # fmt: skip
    dataset = xarray.Dataset(columns, coordinates, attributes)
    identities.record(dataset, _identities(wall, dataset, found))
    return dataset


def _point(at: tuple[str, str, float]) -> FirstOrder:
    wall, system, j_sd = at
    return first_order(rotating_frame(wire(N_SITES, j_sd, SYSTEMS[system]), WALLS[wall](N_SITES, CENTER, WIDTH)))


def _gap(j_sd: float, moments: np.ndarray) -> float:
    levels = np.linalg.eigvalsh(wire(N_SITES, j_sd, 0.0).electrons.hamiltonian_at(moments))
    return float(levels[levels > 0].min() - levels[levels < 0].max())


def _identities(wall: str, dataset: xarray.Dataset, found: list[FirstOrder]) -> list[identities.Identity]:
    closed = dataset.sel(system="closed")
    opened = [f for (system, _), f in zip(GRID, found, strict=True) if system == "open"]
    torque, pumped = [f.damping_like_sum[2, 2] for f in opened], [f.lead_spin[2] for f in opened]
    size = np.array([max(np.abs(f.field_like).max(), np.abs(f.damping_like).max()) for f in found])
    result = [
        identities.pumping(np.array(torque), np.stack(pumped)),
        identities.no_net_torque(np.stack([f.torque_sum[:2] for f in found]), size),
        identities.geometric_only(closed["field_like"].values, closed["damping_like"].values),
    ]
    if wall == "neel":
        geometric = dataset.sel(part="geometric")
        result.append(identities.field_like_only(geometric["field_like"].values, geometric["damping_like"].values))
    return result


def _lab(wall: str, run: Mapper) -> dict[str, Any]:
    moments = WALLS[wall](N_SITES, CENTER, WIDTH)
    cases = [
        LabCase(wire(N_SITES, j, SYSTEMS[system], KT if system == "open" else 0.0), moments, **LAB_SETTINGS[system, j])
        for system, j in GRID
    ]
    answers = run(lab_frame, cases)
    columns: dict[str, Any] = {
        f"{who}_{kind}_like": (
            ("system", "j_sd", "site"),
            np.reshape([getattr(a, f"{kind}_like")[k] for a in answers], (2, 2, N_SITES)),
            {"units": "eV"},
        )
        for k, who in enumerate(("lab", "exact"))
        for kind in ("field", "damping")
    }
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
            letter(axes, LETTERS[kind, system][column % 2])
            _panel(axes, dataset.sel(system=system, j_sd=j_sd), kind)
            if column == 0:
                axes.set_ylabel(label(rf"$T_i^\mathrm{{{'FL' if kind == 'field' else 'DL'}}}$", UNIT))
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
    values = at[f"{kind}_like"] / MICRO
    for part in PARTS:
        text = rf"$T_i^\mathrm{{{NAMES[part]}}}$"
        axes.plot(at["site"], values.sel(part=part), label=text, **part_style(part, markers=True))
    axes.plot(at["site"], values.sum("part"), label=FIRST_ORDER, **part_style("sum"))
    if has_lab(at):
        lab, exact = at[f"lab_{kind}_like"], at[f"exact_{kind}_like"]
        lab_points(axes, at["site"], lab, exact, "$kT$ in the caption", _missed(at, kind))
    largest = max(largest_of(at["field_like"]), largest_of(at["damping_like"])) / MICRO
    keep_noise_flat(axes, values, largest)


def _missed(at: xarray.Dataset, kind: str) -> float:
    """How far the sum of the parts is from the exact torque in a panel, of the largest there."""
    largest = max(largest_of(at["field_like"]), largest_of(at["damping_like"]))
    return missed_by_first_order(at[f"{kind}_like"].sum("part"), at[f"exact_{kind}_like"], largest)


def _caption(figure: Figure, dataset: xarray.Dataset) -> None:
    found = {i.name: i.measured for i in identities.recorded(dataset)}
    wall = {"bloch": "Bloch", "neel": "Néel"}[str(dataset.attrs["wall"])]
    more = f", Néel geometric damping-like share {order(found['neel_field_like'])}" if wall == "Néel" else ""
    lines = [
        rf"{wall} wall, N = {N_SITES}, centre on site {CENTER - 1:g} (Z = {CENTER:g} in the paper, which counts from "
        rf"1), W = {WIDTH:g}, turning about z, "
        rf"$\hbar\omega = {ENERGY:g}\,\gamma$, $E_F = 0$, open: $\gamma_c = \gamma$; curves: first order in "
        r"$\hbar\omega$ at $kT = 0$. Arrows: ($M^y$, $M^z$). "
        f"Damping-like z torque against pumped currents: {order(found['pumping'])} relative{more}."
    ]
    if has_lab(dataset):
        each = ", ".join(
            rf"{order(float(dataset['lab_difference'].sel(system=s, j_sd=j)))} ({s}, {j:g} $\gamma$)" for s, j in GRID
        )
        lines.append(
            f"Lab frame ($kT$ = {1e3 * KT:g} meV open, 0 closed) against the exact rotating frame at the same $kT$, "
            f"largest difference relative to the largest torque: {each}. Both hold all orders in $\\hbar\\omega$, the "
            f"parts and their sum the first.{_where_they_differ(dataset)}"
        )
    caption(figure, lines)


def _where_they_differ(dataset: xarray.Dataset) -> str:
    missed = _missed(dataset.sel(system="closed", j_sd=WEAK), "damping")
    if missed <= DIFFERS:
        return ""
    return (
        rf" They differ in (c), by {100 * missed:.0f} % of the largest value there, since the gap of the closed wire "
        rf"is only {1e3 * float(dataset['closed_gap'][0]):.0f} meV at $J_{{sd}} = {WEAK:g}\,\gamma$."
    )
