"""The figures' numbers against closed forms and brute force, their identities, and the files that are written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray
from PIL import Image

from llgnegf import Frozen, OpenSystem, bloch_wall, chain, simulate
from llgnegf import paper as figures
from llgnegf.paper import drawing, identities, lab_frame, one_moment, wall_currents, wall_widths
from llgnegf.paper.model import ENERGY, STRONG, THETA, WEAK
from llgnegf.paper.workers import mapper
from llgnegf.plots.curves import plot_moments
from llgnegf.plots.style import SITE

IDENTITIES = {
    "fig2": {"pumping": 1e-8, "closed_geometric_only": 1e-12, "closed_geometric": 1e-12},
    "fig3": {"pumping": 1e-8, "no_net_torque": 1e-10, "closed_geometric_only": 1e-12},
    "fig4": {"pumping": 1e-8, "no_net_torque": 1e-10, "same_smf": 1e-13, "local_sum": 1e-10},
    "figS3": {"pumping": 1e-8, "same_smf": 1e-13},
}
IDENTITIES["figS1"] = IDENTITIES["fig3"] | {"neel_field_like": 1e-10}
IDENTITIES["figS2"] = IDENTITIES["fig4"] | {"neel_field_like": 1e-10, "neel_no_current": 1e-10}
LETTERS = {"fig2": "abcd", "fig3": "abcdefgh", "fig4": "abc", "figS1": "abcdefgh", "figS2": "abc", "figS3": "abcde"}


@pytest.fixture(scope="module")
def datasets() -> Iterator[dict[str, xarray.Dataset]]:
    """Every figure's data on coarse grids, with one lab-frame run in Figs. 2 and 4."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_moment, "COUPLINGS", np.array([0.0, 0.05, 0.25, 0.5, 1.0]))
        patch.setattr(one_moment, "LAB_COUPLINGS", {WEAK: (0.5,)})
        patch.setattr(wall_currents, "COUPLINGS", np.array([0.02, WEAK, 0.5, 1.0, 1.5, 2.0, STRONG]))
        patch.setattr(wall_currents, "LAB_COUPLINGS", (WEAK,))
        patch.setattr(wall_widths, "WIDTHS", np.array([1, 2, 4, 15]))
        yield {name: figures.data(name, name in ("fig2", "fig4"), workers=1) for name in figures.NAMES}


@pytest.mark.parametrize("name", figures.NAMES)
def test_identities_hold(datasets, name):
    found = {i.name: i for i in identities.recorded(datasets[name])}
    assert {n: i.bound for n, i in found.items()} == IDENTITIES[name]
    assert all(np.isfinite(i.measured) and i.holds for i in found.values()), found


def test_an_identity_that_fails_is_seen():
    torque, leads = np.array([1.0, 2.0]), np.array([[0.5, 0.5], [1.0, 1.0 + 1e-7]])
    assert not identities.pumping(torque, leads).holds
    assert not identities.field_like_only(np.array([1.0, -2.0]), np.array([0.0, 1e-9])).holds
    assert not identities.same_line(np.array([1.0]), np.array([1.0 + 1e-12])).holds
    assert not identities.no_net_torque(np.array([[0.0, 1e-9]]), np.array([1.0])).holds
    parts = np.array([[1.0], [0.0], [1e-11]])
    assert not identities.geometric_only(parts, np.zeros_like(parts)).holds


def test_damping_like_torque_of_one_moment_is_the_closed_form(datasets):
    """gamma_c = gamma, E_F = 0: G_0 = [2i + J sigma.M]^-1 pumps (hbar w/4 pi) sin^2(theta) 4a^2/(1 + a^2)^2, a = J/2,
    into each lead. T_DL, whose component along the axis is T_DL sin(theta), balances both leads."""
    at = datasets["fig2"]["damping_like"].sel(coupling=1.0, part="surface")
    a = np.array([WEAK, STRONG]) / 2
    expected = ENERGY / (2 * np.pi) * np.sin(THETA) * 4 * a**2 / (1 + a**2) ** 2
    np.testing.assert_allclose(at.values, expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["fig3", "figS1"])
def test_closed_wall_is_perturbation_theory_in_its_levels(datasets, name):
    """rho_geo = sum_{n full, m empty} |m> <m|X|n>/(E_n - E_m) <n| + h.c., X = -hbar w sigma_z/2, level by level."""
    data = datasets[name]
    wall = data["moments"].values
    for j_sd in (WEAK, STRONG):
        energy, level = np.linalg.eigh(chain(7, 1.0, j_sd).hamiltonian_at(wall))
        x = -0.5 * ENERGY * np.diag(np.tile([1.0, -1.0], 7))
        rho = np.zeros((14, 14), dtype=complex)
        for n in range(7):
            for m in range(7, 14):
                term = np.outer(level[:, m], level[:, n].conj()) * (level[:, m].conj() @ x @ level[:, n])
                rho += (term + term.conj().T) / (energy[n] - energy[m])
        pauli = [[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]]
        blocks = [rho[i : i + 2, i : i + 2] for i in range(0, 14, 2)]
        spin = np.array([[np.trace(block @ s).real for s in pauli] for block in blocks])
        torque = j_sd * np.cross(spin, wall)
        along = np.cross([0, 0, 1], wall)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        at = data.sel(system="closed", j_sd=j_sd, part="geometric")
        # Torques of up to 5e-4 eV; levels 0.03 eV apart enhance the round-off 1e-16 of the eigenvectors some 100 times.
        np.testing.assert_allclose(at["field_like"], (torque * along).sum(axis=1), rtol=0, atol=1e-15)
        np.testing.assert_allclose(at["damping_like"], (torque * np.cross(wall, along)).sum(axis=1), rtol=0, atol=1e-15)


def test_open_wall_of_the_paper(datasets):
    """The text on Fig. 3: sea insignificant, surf dominates the damping-like torque at J = 0.1, negligible at 20."""
    opened = datasets["fig3"].sel(system="open")
    size = abs(opened[["field_like", "damping_like"]]).max("site")
    for kind in size.values():
        assert (kind.sel(part="sea") < 0.2 * kind.max("part")).all()
    damping = size["damping_like"]
    assert damping.sel(j_sd=WEAK).idxmax("part") == "surface"
    assert damping.sel(j_sd=STRONG).idxmax("part") == "geometric"
    field = size["field_like"].sel(j_sd=STRONG)
    assert field.sel(part="surface") < 0.01 * field.sel(part="geometric")


def test_spin_motive_force_is_its_closed_form(datasets):
    """|M| = 1 turns [(z x M) x dM]_z into M_z dM_z: (hbar w/8 pi) (M_z,i+1^2 - M_z,i^2) on a bond at G_0 = 2 e^2/h."""
    cosine = np.tanh((4 - np.arange(1, 8)) / 0.9)
    expected = ENERGY / (8 * np.pi) * np.diff(cosine**2)
    for name in ("fig4", "figS2"):
        data = datasets[name]
        np.testing.assert_allclose(data["smf_bond_spin_current"][1:-1], expected, rtol=0, atol=1e-18)
        assert data["smf_torque"] == pytest.approx(expected[-1] - expected[0], rel=1e-11)
        assert np.isnan(data["smf_bond_spin_current"][[0, -1]]).all()
    # Of an order of magnitude less than the exact torque where that is large, as the paper finds.
    exact = datasets["fig4"]["damping_like_sum"].sel(part="surface", component="z", j_sd=1.0)
    assert datasets["fig4"]["smf_torque"] < 0.1 * exact


def test_transverse_geometric_torque_points_along_x_at_the_start(datasets):
    sums = datasets["fig4"]["damping_like_sum"].sel(part="geometric")
    assert abs(sums.sel(component="x")).max() > 1e-6
    assert abs(sums.sel(component=["y", "z"])).max() < 1e-15


def test_widths(datasets):
    """Text on Fig. S3: the estimate peaks at W = 2 and the exact currents grow with the width, slower and slower."""
    data = datasets["figS3"]
    assert (data["smf_local_spin_current"].idxmax("width") == 2).all()
    for name in ("local_spin_current", "outflow"):
        total = data[name].sum("part")
        slope = total.diff("width") / total["width"].diff("width")
        assert (slope > 0).all()
        assert (slope.isel(width=-1) < slope.isel(width=-2)).all()


def test_lab_frame_is_the_rotating_frame(datasets):
    """The paper's claim; 1e-3 is far below the nonadiabatic parts, whose own relative size is 1."""
    assert datasets["fig2"]["lab_difference"].max() < 1e-3
    data = datasets["fig4"]
    assert data["lab_difference"].max() < 1e-3
    assert data["lab_bond_difference"] < 1e-3
    np.testing.assert_allclose(data["lab_pumped"], data["lab_torque"], rtol=1e-3)


def test_lab_and_exact_values_are_not_the_same_numbers(datasets):
    """Two computations, not one shown twice."""
    for name, column in (("fig2", "field_like"), ("fig4", "bond_spin_current")):
        assert not np.array_equal(datasets[name][f"lab_{column}"], datasets[name][f"exact_{column}"])


def test_differences_are_relative_to_the_largest():
    case = lab_frame.LabAnswer(*(np.zeros((2, 1)) for _ in range(5)))
    object.__setattr__(case, "field_like", np.array([[3.0], [4.0]]))
    object.__setattr__(case, "damping_like", np.array([[1.0], [1.0]]))
    assert case.torque_difference == pytest.approx(0.25)


def test_curves_are_the_data(datasets):
    data = datasets["fig2"]
    axes = one_moment.draw(data).axes[3]
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    expected = data["damping_like"].sel(j_sd=STRONG)
    assert axes.get_ylabel() == "" and len(lines) == 6
    np.testing.assert_allclose(lines[r"$T^\mathrm{surf}$"], 1e6 * expected.sel(part="surface"), rtol=1e-14)
    np.testing.assert_allclose(lines[drawing.FIRST_ORDER], 1e6 * expected.sum("part"), rtol=1e-14)


@pytest.mark.parametrize("name", figures.NAMES)
def test_panels_are_lettered_labelled_and_apart(datasets, name):
    """Letters, units, legend and caption are there, and nothing that is drawn covers anything else."""
    figure = figures._module(name)[1](datasets[name])
    lettered = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert sorted(axes.get_title(loc="left") for axes in lettered) == [f"({c})" for c in LETTERS[name]]
    assert any(r"μeV" in axes.get_ylabel() or "\N{MICRO SIGN}eV" in axes.get_ylabel() for axes in lettered)
    assert figure.legends and figure.get_supxlabel()
    if name == "fig2":
        assert rf"$\theta$ = {np.degrees(THETA):g}" in figure.get_supxlabel()
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [legend.get_window_extent() for legend in figure.legends] + [figure._supxlabel.get_window_extent()]
    for k, a in enumerate(boxes):
        assert a.x0 >= -1 and a.x1 <= figure.bbox.x1 + 1 and a.y0 >= -1 and a.y1 <= figure.bbox.y1 + 1
        for b in boxes[:k]:
            assert min(a.x1, b.x1) - max(a.x0, b.x0) <= 1 or min(a.y1, b.y1) - max(a.y0, b.y0) <= 1


def _with_lab(data: xarray.Dataset, change: float) -> xarray.Dataset:
    """Figs. 3 and S1 as if the exact values differed from the first order in panel (c) by `change` of the largest."""
    data = data.copy(deep=True)
    for kind in ("field", "damping"):
        exact = data[f"{kind}_like"].sum("part")
        if kind == "damping":
            exact[0, 0, -1] += change * float(abs(exact[0, 0]).max())
        data[f"lab_{kind}_like"] = data[f"exact_{kind}_like"] = exact
    data["lab_difference"] = (("system", "j_sd"), np.zeros((2, 2)), {"units": "1"})
    return data


@pytest.mark.parametrize(
    ("name", "change", "told"), [("fig3", 0.5, True), ("fig3", 0.01, False), ("figS1", 0.5, False)]
)
def test_a_panel_says_where_its_points_are_not_its_sum(datasets, name, change, told):
    """The damping-like torque of a closed Neel wall (Fig. S1 c) is round-off: no difference is seen in it."""
    data = _with_lab(datasets[name], change)
    figure = figures._module(name)[1](data)
    for axes in figure.axes:
        if not axes.get_title(loc="left"):
            continue
        here = told and axes.get_title(loc="left") == "(c)"
        assert [t.get_text() for t in axes.texts] == (
            ["solid black: exact, all orders\ndotted: first order only"] if here else []
        )
        (exact,) = (line for line in axes.get_lines() if str(line.get_label()).startswith("exact rotating frame"))
        assert exact.get_linestyle() == ("-" if here else "None")
    assert ("They differ in (c)" in figure.get_supxlabel().replace("\n", " ")) == told


def test_sites_count_from_0_as_in_runs(datasets):
    """The centre of a wall of 7 at Z = 4, the paper's count, is on site 3 of figures, results and plots."""
    system = OpenSystem(chain(7), kT=0.1)
    run = simulate(system, Frozen(bloch_wall(7, center=4, width=0.9)), t_end=1.0).dataset
    assert list(run["site"].values) == list(datasets["fig3"]["site"].values) == list(range(7))
    assert abs(run["moments"].sel(site=3, component="z")).max() < 1e-15
    assert abs(datasets["fig3"]["moments"].sel(site=3, component="z")) < 1e-15
    assert list(run["bond"].values) == list(datasets["fig4"]["bond"].values)[1:-1] == [f"{i}-{i + 1}" for i in range(6)]
    figure = figures._module("fig3")[1](datasets["fig3"])
    labels = {axes.get_xlabel() for axes in figure.axes} | {a.get_xlabel() for a in plot_moments(run).axes}
    assert labels - {"", "time (fs)"} == {SITE}


def test_captions_break_between_words_and_not_in_formulas():
    text = drawing._wrapped(r"one two $a + b = c$ three, ($x = 1$, 2) four", 12)
    assert text.split("\n") == ["one two", r"$a + b = c$", "three,", r"($x = 1$, 2)", "four"]


def test_files(tmp_path: Path, datasets, monkeypatch):
    monkeypatch.setattr(figures, "data", lambda name, *_: datasets[name])
    for name in ("fig3", "fig4"):  # the most crowded one and one with the lab frame
        png, pdf, netcdf = figures.make(name, tmp_path / "new")
        assert [p.name for p in (png, pdf, netcdf)] == [f"{name}{end}" for end in (".png", ".pdf", ".nc")]
        assert png.stat().st_size < 300e3
        with Image.open(png) as image:
            assert image.size[0] >= 900
        assert pdf.read_bytes().startswith(b"%PDF")
        with xarray.open_dataset(netcdf, engine="h5netcdf") as stored:
            xarray.testing.assert_identical(stored.load(), datasets[name])


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="(?s)name: 'fig9'; allowed: 'fig2'.*workers: 0; allowed") as caught:
        figures.make("fig9", "nowhere", workers=0)
    assert len(str(caught.value).splitlines()) == 2


def test_processes_give_what_one_process_gives():
    with mapper(1) as here, mapper(2) as there:
        assert here(abs, [-1.5, 2.0, -3.0]) == there(abs, [-1.5, 2.0, -3.0]) == [1.5, 2.0, 3.0]
