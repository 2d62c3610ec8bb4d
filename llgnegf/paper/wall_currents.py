"""Figs. 4 and S2: damping-like torque on the wall and pumped currents against J_sd; local spin currents by part.

`data` computes on `model` and `lab_frame`; `draw` needs the Dataset alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.paper import drawing, identities, model
from llgnegf.paper.drawing import MICRO, NAMES, SMF, UNIT, part_style
from llgnegf.paper.lab_frame import KT, LabAnswer, LabCase, lab_columns, lab_frame, relative_difference
from llgnegf.paper.model import CENTER, N_SITES, STRONG, WALLS, WEAK, WIDTH, FirstOrder, in_eV
from llgnegf.paper.workers import Mapper
from llgnegf.plots.style import COLOURS, LINES, keep_noise_flat, label, largest_of, legend_above, new_figure, styled

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from llgnegf.problem.system import OpenSystem
    from llgnegf.static.rotating_frame import RotatingFrame

COUPLINGS = np.unique(np.concatenate([np.geomspace(0.02, STRONG, 61), np.linspace(0.5, 2.2, 69), [WEAK]]))
"""J_sd in eV, dense where the wall has resonances. Above 2 gamma no state at E_F fits into uniform moments."""
LAB_COUPLINGS = (WEAK, 0.3, 0.7, 1.2)
BONDS = ["L-0", *(f"{i}-{i + 1}" for i in range(N_SITES - 1)), f"{N_SITES - 1}-R"]
CIRCLES = 5
"""Every how many points a circle is drawn."""


def data(wall: str, run: Mapper, time_domain: bool) -> xarray.Dataset:
    """Sums over the wall against `j_sd`, local currents on `bond` at the weak coupling, SMF estimates; all in eV."""
    found: list[FirstOrder] = run(_point, [(wall, float(j)) for j in COUPLINGS])
    local = found[int(np.flatnonzero(COUPLINGS == WEAK)[0])]
    estimates = {w: model.spin_motive_force(_frame(w, WEAK)) for w in WALLS}
    smf = estimates[wall]
    # Differences of moments say nothing on the bonds to the leads.
    on_bonds = np.concatenate([np.full(1, np.nan), smf, np.full(1, np.nan)])
    outflow = {"units": "eV", "long_name": "outflow by the estimate: last minus first bond"}
    columns: dict[str, Any] = {
        "damping_like_sum": in_eV(("j_sd", "part", "component"), np.stack([f.damping_like_sum for f in found])),
        "lead_spin_current": in_eV(("j_sd", "part", "lead"), np.stack([f.lead_spin for f in found])),
        "bond_spin_current": in_eV(("part", "bond"), _with_leads(local.bond_spin, local.lead_spin)),
        "smf_bond_spin_current": in_eV("bond", on_bonds),
        "smf_torque": ((), smf[-1] - smf[0], outflow),
    }
    if time_domain:
        columns |= _lab(wall, run)
    coordinates = {
        "j_sd": in_eV("j_sd", COUPLINGS), "lead": ["L", "R"], "bond": BONDS,
        "point_j_sd": in_eV("point", list(LAB_COUPLINGS)),
    }  # fmt: skip
    attributes = {
        "wall": wall, "width": WIDTH, "center": CENTER, "lab_kT_eV": KT, "local_currents_j_sd_eV": WEAK,
    }  # fmt: skip
    figure = "figS2" if wall == "neel" else "fig4"
    return model.dataset(figure, columns, coordinates, attributes, _identities(wall, found, columns, estimates))


def _wire(j_sd: float, kT: float = 0.0) -> OpenSystem:
    return model.wire(N_SITES, j_sd, model.HOPPING, kT)


def _frame(wall: str, j_sd: float) -> RotatingFrame:
    return model.rotating_frame(_wire(j_sd), WALLS[wall](N_SITES, CENTER, WIDTH))


def _point(at: tuple[str, float]) -> FirstOrder:
    return model.first_order(_frame(*at))


def _with_leads(bonds: np.ndarray, leads: np.ndarray) -> np.ndarray:
    """Currents from left to right on all bonds, those to the leads included: (..., N + 1)."""
    return np.concatenate([-leads[..., :1], bonds, leads[..., 1:]], axis=-1)


def _identities(
    wall: str, found: list[FirstOrder], columns: dict[str, Any], smf: dict[str, np.ndarray]
) -> list[identities.Identity]:
    local = columns["bond_spin_current"][1]
    largest = np.abs(local).max()
    # geo and sea carry spin from one half of the wall to the other, none out of it.
    text = "geo and sea: local currents sum to zero over the bonds; relative to the largest local current"
    result = [
        identities.pumping([f.damping_like_sum[2, 2] for f in found], [f.lead_spin[2] for f in found]),
        identities.no_net_torque([f.torque_sum[:2] for f in found], [f.largest_torque for f in found]),
        identities.same_line(smf["bloch"], smf["neel"]),
        identities.Identity("local_sum", text, float(np.abs(local[:2].sum(axis=-1)).max() / largest), 1e-10),
    ]
    if wall == "neel":
        field, damping = (np.stack([getattr(f, name)[0] for f in found]) for name in ("field_like", "damping_like"))
        text = "Neel wall: |I^{geo}_{i->j}| / largest local current, all bonds"
        result.append(identities.field_like_only(field, damping))
        result.append(identities.Identity("neel_no_current", text, float(np.abs(local[0]).max() / largest), 1e-10))
    return result


def _lab(wall: str, run: Mapper) -> dict[str, Any]:
    moments = WALLS[wall](N_SITES, CENTER, WIDTH)
    answers: list[LabAnswer] = run(lab_frame, [LabCase(_wire(j, KT), moments) for j in LAB_COUPLINGS])
    columns = lab_columns(answers, "point", torque=lambda a: a.torque_sum, pumped=lambda a: a.lead_spin.sum(axis=-1))
    local = answers[LAB_COUPLINGS.index(WEAK)]
    columns |= lab_columns([local], "bond", bond_spin_current=lambda a: _with_leads(a.bond_spin, a.lead_spin))
    pairs = [np.stack([a.torque_sum, a.lead_spin.sum(axis=-1)], axis=-1) for a in answers]
    columns["lab_difference"] = ("point", [relative_difference(p) for p in pairs], {"units": "1"})
    currents = relative_difference(_with_leads(local.bond_spin, local.lead_spin))
    return columns | {"lab_bond_difference": ((), currents, {"units": "1"})}


@styled
def draw(dataset: xarray.Dataset) -> Figure:
    """Panel (a) against J_sd on the left; (b) and (c) along the wire on the right."""
    figure = new_figure(5.6, width=8.5)
    panels = figure.subplot_mosaic([["a", "b"], ["a", "c"]], width_ratios=[1.15, 1])
    _totals(panels["a"], dataset)
    _local(panels["b"], dataset, ["surface"])
    _local(panels["c"], dataset, ["geometric", "sea"])
    figure.align_ylabels([panels["b"], panels["c"]])
    legend_above(figure, panels["a"], 3)
    _caption(figure, dataset)
    return figure


def _totals(axes: Axes, dataset: xarray.Dataset) -> None:
    drawing.letter(axes, "a")
    j_sd, sums = dataset["j_sd"], dataset["damping_like_sum"] / MICRO
    along = sums.sel(component="z")
    for part in model.PARTS:
        text = rf"$(\Sigma_i T_i^\mathrm{{{NAMES[part]},DL}})_z$"
        axes.plot(j_sd, along.sel(part=part), label=text, **part_style(part))
    pumped = dataset["lead_spin_current"].sel(part="surface").sum("lead").values[::CIRCLES] / MICRO
    text = r"pumped $I_L^{S_z} + I_R^{S_z}$"
    axes.plot(j_sd[::CIRCLES], pumped, "o", markerfacecolor="none", color=COLOURS[1], markersize=4, label=text)
    # T_DL is even about the wall's centre, e_DL^x even and e_DL^y odd: at t = 0 the sum points along x, its y component
    # is zero. A quarter of a period turns x into y.
    transverse = sums.sel(part="geometric", component="x")
    text = r"$(\Sigma_i T_i^\mathrm{geo,DL})_y$ at $\omega t = \pi/2$"
    axes.plot(j_sd, transverse, label=text, color=COLOURS[4], linestyle=LINES[4])
    estimate = np.full(j_sd.size, float(dataset["smf_torque"]) / MICRO)
    axes.plot(j_sd, estimate, label="spin-motive force", **SMF)
    drawing.lab_points(axes, dataset["point_j_sd"], dataset, "torque")
    axes.set(xscale="log", xlabel=r"$J_{sd}$ ($\gamma$ = 1 eV)")
    axes.set_ylabel(label("torque on the wall, pumped current", UNIT))


def _local(axes: Axes, dataset: xarray.Dataset, parts: list[str]) -> None:
    surface = parts == ["surface"]
    drawing.letter(axes, "b" if surface else "c", rf"$J_{{sd}} = {WEAK:g}\,\gamma$")
    at, values = np.arange(len(BONDS)), dataset["bond_spin_current"] / MICRO
    for part in parts:
        axes.plot(at, values.sel(part=part), label=NAMES[part], **part_style(part, markers=True))
    if surface:
        axes.plot(at, dataset["smf_bond_spin_current"] / MICRO, label="spin-motive force", **SMF)
        drawing.lab_points(axes, at, dataset, "bond_spin_current", "")
    keep_noise_flat(axes, values.sel(part=parts), largest_of(values))
    axes.set(xticks=at, ylabel=label(r"$I^{S_z}_{i\to j}$", UNIT))
    axes.set_xticklabels(BONDS)
    axes.set_xlabel("bond i-j (the first site is 0)")


def _caption(figure: Figure, dataset: xarray.Dataset) -> None:
    found = identities.measured(dataset)
    wall = {"bloch": "Bloch", "neel": "Néel"}[str(dataset.attrs["wall"])]
    lines = [
        rf"{wall} wall, N = {N_SITES}, W = {WIDTH:g}, $\hbar\omega = {model.ENERGY:g}\,\gamma$, $\gamma_c = \gamma$, "
        r"$E_F = 0$; curves: first order in $\hbar\omega$ at $kT = 0$. Spin-motive force with "
        r"$G_0 = G_\uparrow + G_\downarrow = 2e^2/h$ (ballistic wire); in (a) its outflow, last bond minus first. "
        rf"Torque against pumped currents: {drawing.order(found['pumping'])} relative; spin-motive force, Bloch "
        rf"against Néel: {drawing.order(found['same_smf'])}."
    ]
    if wall == "Bloch":
        lines[0] += " The transverse geometric torque points along x at $t = 0$, along y a quarter of a period later."
    if drawing.has_lab(dataset):
        each = drawing.each(dataset["lab_difference"].values, [f"{j:g}" for j in dataset["point_j_sd"].values])
        lines.append(
            r"Lab frame against rotating frame at the same $kT$, relative difference of total torque and pumped "
            rf"current at $J_{{sd}}/\gamma$: {each}; of the local currents in (b), all parts together: "
            f"{drawing.order(float(dataset['lab_bond_difference']))}."
        )
    drawing.caption(figure, lines)
