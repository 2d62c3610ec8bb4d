"""Fig. S3: local and outflowing spin current of 21-site walls against their width, Bloch and Neel, beside the SMF.

`data` computes on `model` and `lab_frame`; `draw` needs the Dataset alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.paper import drawing, identities, model
from llgnegf.paper.drawing import MICRO, SMF, UNIT
from llgnegf.paper.lab_frame import KT, LabAnswer, LabCase, lab_columns, lab_frame, relative_difference
from llgnegf.paper.model import WALLS, WEAK, in_eV
from llgnegf.paper.workers import Mapper
from llgnegf.plots.style import SITE, label, legend_above, line, new_figure, styled

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

N_SITES, CENTER = 21, 11.0
J_SD = WEAK
"""In eV; the supplement does not say which of its two it takes."""
WIDTHS = np.arange(1, 16)
SHOWN = (1, 15)
"""Widths of panel (a)."""
BOND = 11
"""The bond from site 11 to 12, which the paper, counting from 1, calls 12-13."""
LAB_WIDTHS = (2, 8)
NAMES = {"bloch": "Bloch", "neel": "Néel"}


def data(run: Mapper, time_domain: bool) -> xarray.Dataset:
    """Currents in eV, (wall, width, part), SMF estimates, (wall, width), and the profiles M of panel (a)."""
    found = run(_point, [(wall, int(w)) for wall in WALLS for w in WIDTHS])
    local, outflow, smf, torque, pumped = (np.stack(those) for those in zip(*found, strict=True))
    shape, by_part = (len(WALLS), WIDTHS.size), ("wall", "width", "part")
    smf = smf.reshape(*shape, N_SITES - 1)
    columns: dict[str, Any] = {
        "local_spin_current": in_eV(by_part, local.reshape(*shape, 3)),
        "outflow": in_eV(by_part, outflow.reshape(*shape, 3)),
        "smf_local_spin_current": in_eV(("wall", "width"), smf[..., BOND]),
        "smf_outflow": in_eV(("wall", "width"), smf[..., -1]),
        "moments": (("wall", "shown_width", "site", "component"), _profiles(), {"units": "1"}),
    }
    if time_domain:
        columns |= _lab(run)
    constants = {"units": "lattice constants"}
    coordinates = {
        "wall": list(WALLS), "width": ("width", WIDTHS, constants), "shown_width": list(SHOWN),
        "site": np.arange(N_SITES), "point_width": ("point", list(LAB_WIDTHS), constants),
    }  # fmt: skip
    attributes = {"j_sd_eV": J_SD, "lab_kT_eV": KT, "center": CENTER}
    hold = [identities.pumping(torque, pumped), identities.same_line(smf[0], smf[1])]
    return model.dataset("figS3", columns, coordinates, attributes, hold)


def _point(at: tuple[str, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, np.ndarray]:
    """Local current and outflow to the right by part, SMF on all bonds, surface torque and pumped currents."""
    wall, width = at
    frame = model.rotating_frame(model.wire(N_SITES, J_SD, model.HOPPING), WALLS[wall](N_SITES, CENTER, width))
    f, smf = model.first_order(frame), model.spin_motive_force(frame)
    return f.bond_spin[:, BOND], f.lead_spin[:, 1], smf, f.damping_like_sum[2, 2], f.lead_spin[2]


def _profiles() -> np.ndarray:
    return np.stack([[make(N_SITES, CENTER, w) for w in SHOWN] for make in WALLS.values()])


def _lab(run: Mapper) -> dict[str, Any]:
    system = model.wire(N_SITES, J_SD, model.HOPPING, KT)
    cases = [LabCase(system, make(N_SITES, CENTER, w)) for make in WALLS.values() for w in LAB_WIDTHS]
    answers: list[LabAnswer] = run(lab_frame, cases)
    shape, dims = (len(WALLS), len(LAB_WIDTHS)), ("wall", "point")
    columns = lab_columns(
        answers, dims, shape, local_spin_current=lambda a: a.bond_spin[:, BOND], outflow=lambda a: a.lead_spin[:, 1]
    )
    pairs = [np.stack([a.bond_spin[:, BOND], a.lead_spin[:, 1]], axis=-1) for a in answers]
    difference = np.reshape([relative_difference(p) for p in pairs], shape)
    return columns | {"lab_difference": (dims, difference, {"units": "1"})}


@styled
def draw(dataset: xarray.Dataset) -> Figure:
    """Panel (a) on top; (b, c) local currents, (d, e) outflow, Bloch left of Neel."""
    figure = new_figure(7.0)
    panels = figure.subplot_mosaic([["a", "a"], ["b", "c"], ["d", "e"]], height_ratios=[0.75, 1, 1])
    _profile_panel(panels["a"], dataset)
    for column, wall in enumerate(WALLS):
        local = rf"I^{{S_z}}_{{{BOND}\to {BOND + 1}}}"
        for name, key, text in (("local_spin_current", "bc", local), ("outflow", "de", "I^{S_z}_R")):
            axes = panels[key[column]]
            drawing.letter(axes, key[column], f"{NAMES[wall]} wall")
            at = dataset.sel(wall=wall)
            axes.plot(at["width"], at[name].sum("part") / MICRO, label="geo + sea + surf", **line(0))
            axes.plot(at["width"], at[f"smf_{name}"] / MICRO, label="spin-motive force", **SMF)
            drawing.lab_points(axes, at["point_width"], at, name)
            axes.set(xlabel="width W (lattice constants)", ylabel=label(f"${text}$", UNIT), xticks=range(1, 16, 2))
            axes.set_ylim(bottom=0)
    legend_above(figure, panels["b"], 2)
    _caption(figure, dataset)
    return figure


def _profile_panel(axes: Any, dataset: xarray.Dataset) -> None:
    drawing.letter(axes, "a", "Bloch walls")
    profiles = dataset["moments"].sel(wall="bloch", component="y")
    for width, style in zip(SHOWN, ("-", "-."), strict=True):
        axes.plot(dataset["site"], profiles.sel(shown_width=width), **line(0, linestyle=style), label=f"W = {width}")
    axes.axvline(BOND + 0.5, color="black", linestyle=":", linewidth=1.2)
    axes.text(BOND + 0.7, 0.5, f"bond {BOND}-{BOND + 1}", fontsize=8)
    axes.set(xlabel=SITE, ylabel="$M_i^y$", xticks=range(0, N_SITES, 2))
    axes.legend(loc="center left", bbox_to_anchor=(0.02, 0.35))


def _caption(figure: Figure, dataset: xarray.Dataset) -> None:
    found = identities.measured(dataset)
    lines = [
        rf"N = {N_SITES}, centre on site {CENTER - 1:g} (Z = {CENTER:g} in the paper, which counts from 1), "
        rf"$J_{{sd}} = {J_SD:g}\,\gamma$ (not given in the paper), "
        rf"$\hbar\omega = {model.ENERGY:g}\,\gamma$, $\gamma_c = \gamma$, $E_F = 0$; curves: first order in "
        r"$\hbar\omega$ at $kT = 0$. Spin-motive force with $G_0 = G_\uparrow + G_\downarrow = 2e^2/h$ (ballistic "
        f"wire), in (d, e) on the last bond; Bloch against Néel: {drawing.order(found['same_smf'])} relative. "
        f"Damping-like torque against pumped currents: {drawing.order(found['pumping'])}."
    ]
    if drawing.has_lab(dataset):
        places = [f"{NAMES[wall]}, {w:g}" for wall in WALLS for w in dataset["point_width"].values]
        each = drawing.each(dataset["lab_difference"].values.ravel(), places)
        lines.append(f"Lab frame against rotating frame at the same $kT$, relative difference at (wall, W): {each}.")
    drawing.caption(figure, lines)
