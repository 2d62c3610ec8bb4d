"""The standard plots show the numbers of the dataset, in stated units, and make do with what a run has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
import xarray
from PIL import Image

from llgnegf.plots.curves import (
    plot_bond_spin_current,
    plot_energies,
    plot_lead_currents,
    plot_moments,
    plot_nonadiabatic_torque,
    plot_torque,
)
from llgnegf.plots.data import MissingDataError
from llgnegf.plots.files import RECORD, complete
from llgnegf.plots.overview import plot_overview
from llgnegf.plots.run import animate_texture, plot_run
from llgnegf.plots.style import colour_map, scale
from llgnegf.run.result import Variable, build_dataset
from llgnegf.store import StorageError
from llgnegf.view.content import content

FIELD_LIKE, DAMPING_LIKE = np.array([1e-6, 2e-6, 3e-6]), np.array([-4e-6, 5e-6, 6e-6])
"""Nonadiabatic torque of `precession` in eV at its three sites, the same at all times."""


def precession(n_rows: int = 40, n_sites: int = 3, electrons: bool = True) -> xarray.Dataset:
    """Moments on a cone of 0.7 about z, turning by 0.1 a row, with torques of known field- and damping-like part."""
    time, angle = np.arange(n_rows) * 2.0, 0.1 * np.arange(n_rows)[:, None] + np.arange(n_sites)
    moments = np.stack([np.sin(0.7) * np.cos(angle), np.sin(0.7) * np.sin(angle), np.cos(0.7) + 0 * angle], axis=-1)
    along = np.stack([-np.sin(angle), np.cos(angle), 0 * angle], axis=-1)  # z x M, normalised
    across = np.cross(moments, along)
    site = np.arange(n_sites) % 3
    torque = FIELD_LIKE[site, None] * along + DAMPING_LIKE[site, None] * across
    vector = (("site", "component"), (n_sites, 3))
    table = {"moments": (Variable(*vector, "1", "moments"), moments)}
    wave = np.sin(time / 9)
    if electrons:
        leads, bonds = np.array([1.0, -0.5]), np.linspace(-1, 1, n_sites - 1)
        table |= {
            "torque": (Variable(*vector, "eV", "torque"), 2 * torque),
            "torque_adiabatic": (Variable(*vector, "eV", "adiabatic torque"), torque),
            "torque_nonadiabatic": (Variable(*vector, "eV", "nonadiabatic torque"), torque),
            "lead_current": (Variable(("lead",), (2,), "electrons/fs", ""), 1e-5 * np.multiply.outer(wave, leads)),
            "lead_spin_current": (
                Variable(("lead", "component"), (2, 3), "eV", ""),
                np.einsum("t,p,a->tpa", wave, leads, [1e-3, 2e-3, 0]),
            ),
            "bond_spin_current": (
                Variable(("bond", "component"), (n_sites - 1, 3), "eV", ""),
                np.einsum("t,b,a->tba", wave, bonds, [1e-3, 2e-3, 0]),
            ),
            "energy_electronic": (Variable((), (), "eV", ""), -3 + 2e-3 * wave),
            "energy_sd": (Variable((), (), "eV", ""), -1 - 2e-3 * wave),
        }  # fmt: skip
    variables = {name: v for name, (v, _) in table.items()}
    columns = {name: values for name, (_, values) in table.items()}
    bond = [f"{i}-{i + 1}" for i in range(n_sites - 1)]
    coordinates: dict[str, Any] = {"site": range(n_sites), "component": ["x", "y", "z"], "lead": [0, 1], "bond": bond}
    return build_dataset(time, columns, variables, coordinates)


def one_moment() -> xarray.Dataset:
    """A run with two plots only: its moment over time and as an animation."""
    return precession(n_sites=1, electrons=False)


def oracle() -> xarray.Dataset:
    """Adiabatic part equal to the nonadiabatic one, which is all geometric."""
    parts = {"adiabatic": 1.0, "geometric": 1.0, "sea": 0.0, "surface": 0.0, "exact": 2.0}
    shares = np.array(list(parts.values()))[:, None]
    data = {
        "field_like": (("part", "site"), shares * FIELD_LIKE),
        "damping_like": (("part", "site"), shares * DAMPING_LIKE),
    }
    return xarray.Dataset(data, coords={"part": list(parts), "site": range(3)})


def panels(figure: Any) -> list[Any]:
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def test_all_plots_of_a_run(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    report = plot_run(precession(), tmp_path / "plots", oracle())
    assert dict(matplotlib.rcParams) == before
    assert report.skipped == {}
    names = {path.name for path in report.written}
    stems = ("moments", "torque", "bond_spin_current", "lead_currents", "energies", "nonadiabatic_torque")
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("png", "pdf")} | {"texture.gif"}
    for path in report.written:
        assert 1_000 < path.stat().st_size < 300_000, path.name
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.size[0] == 1050  # 7 inches at 150 dpi
        if path.suffix == ".pdf":
            assert path.read_bytes().startswith(b"%PDF")


def test_what_a_run_does_not_have_is_skipped_and_said(tmp_path: Path) -> None:
    """One moment, no electrons, no leads."""
    report = plot_run(precession(n_sites=1, electrons=False), tmp_path)
    assert {path.name for path in report.written} == {"moments.png", "moments.pdf", "texture.gif"}
    assert report.skipped["torque"] == "the run has no torque"
    assert report.skipped["lead_currents"] == "the run has no lead_current, lead_spin_current"
    assert 'observables = ["adiabatic"]' in report.skipped["nonadiabatic_torque"]
    assert set(report.skipped) == {"torque", "bond_spin_current", "lead_currents", "energies", "nonadiabatic_torque"}


def test_curves_are_the_data() -> None:
    dataset = precession()
    axes = panels(plot_torque(dataset))
    over_time, along_wire = axes[:3], axes[3:]
    for a, (left, right) in enumerate(zip(over_time, along_wire, strict=True)):
        assert left.get_ylabel() == rf"$T_{'xyz'[a]}$ (µeV)".replace("µ", "\N{GREEK SMALL LETTER MU}")
        for i, curve in enumerate(left.lines):
            assert curve.get_label() == f"site {i}"
            np.testing.assert_allclose(curve.get_ydata() * 1e-6, dataset.torque[:, i, a], rtol=1e-12)
        for row, curve in zip((0, 20, 39), right.lines, strict=True):
            np.testing.assert_allclose(curve.get_ydata() * 1e-6, dataset.torque[row, :, a], rtol=1e-12)


def test_torque_is_split_along_the_motion_and_lies_on_the_oracle() -> None:
    axes = panels(plot_nonadiabatic_torque(precession(), oracle()))
    for panel, part in zip(axes[:2], (FIELD_LIKE, DAMPING_LIKE), strict=True):
        curves = {curve.get_label(): curve.get_ydata() * 1e-6 for curve in panel.lines}
        assert set(curves) == {"rotating frame, exact", "first order", "this run"}
        for values in curves.values():
            np.testing.assert_allclose(values, part, rtol=1e-9)
    for panel, part in zip(axes[4:6], (FIELD_LIKE, DAMPING_LIKE), strict=True):
        np.testing.assert_allclose(panel.lines[0].get_ydata() * 1e-6, part[2], rtol=1e-9)  # the largest is at site 2


def test_energies_start_at_zero_and_their_sum_is_kept() -> None:
    """-3 + 2e-3 sin and -1 - 2e-3 sin: the sum does not change."""
    (axes,) = panels(plot_energies(precession()))
    curves = {curve.get_label().split(",")[0]: curve.get_ydata() for curve in axes.lines}
    np.testing.assert_allclose(curves["electronic"], 2 * np.sin(precession().time / 9), atol=1e-9)
    np.testing.assert_allclose(curves["sum"], 0, atol=1e-9)
    assert axes.get_ylabel() == "change of energy (meV)"


def test_the_free_energy_of_slow_electrons_is_shown_wherever_energies_are() -> None:
    """In the picture, the overview and on the page: after its parts, and not in any sum."""
    names = {"free_energy": -7.0, "energy_sd": -1.0, "energy_classical": -2.0, "friction_power": 0.0}
    columns = {name: start - 1e-3 * k * np.arange(5.0) for k, (name, start) in enumerate(names.items(), 1)}
    variables = {name: Variable((), (), "eV", name) for name in columns}
    data = build_dataset(np.arange(5.0), columns, variables, {})
    expected = {"sd": 2.0, "classical": 3.0, "free energy": 1.0}  # meV lost in a row
    (axes,) = panels(plot_energies(data))
    labels = [curve.get_label() for curve in axes.lines]
    assert labels == ["sd, -1 eV at 0 fs", "classical, -2 eV at 0 fs", "free energy, -7 eV at 0 fs"]
    (overview,) = panels(plot_overview(data))
    shown = content(data, 5)
    page = shown.panels["energies"].curves[""]
    assert list(page) == [curve.get_label() for curve in overview.lines] == list(expected)
    for picture in (axes, overview):
        lost = [-curve.get_ydata()[1] for curve in picture.lines]
        np.testing.assert_allclose(lost, list(expected.values()), rtol=1e-9)
    np.testing.assert_allclose([-1e3 * curve[1] for curve in page.values()], list(expected.values()), rtol=1e-9)
    assert shown.notes == ("Other columns of the run, not on this page: friction_power.",)


def test_colour_is_never_the_only_difference() -> None:
    dataset = precession(n_sites=3)
    for plot in (plot_moments, plot_torque, plot_lead_currents, plot_energies, plot_nonadiabatic_torque):
        for axes in panels(plot(dataset)):
            looks = [(str(c.get_linestyle()), str(c.get_marker()), str(c._dash_pattern)) for c in axes.lines]
            assert len(set(looks)) == len(looks), plot.__name__


def test_legends_cover_no_panel() -> None:
    dataset = precession(n_sites=9)
    for plot in (plot_moments, plot_lead_currents, plot_energies, plot_nonadiabatic_torque):
        figure = plot(dataset)
        figure.canvas.draw()
        halves = [figure, *figure.subfigs]
        legends = [legend.get_window_extent() for half in halves for legend in half.legends]
        assert legends, plot.__name__
        for box in legends:
            assert not any(box.overlaps(axes.get_tightbbox()) for axes in panels(figure)), plot.__name__
            assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, plot.__name__


def test_long_runs_are_thinned_and_keep_both_ends() -> None:
    dataset = precession(n_rows=20_000)
    curve = panels(plot_moments(dataset))[0].lines[0]
    assert len(curve.get_xdata()) == 1500
    assert (curve.get_xdata()[0], curve.get_xdata()[-1]) == (0.0, 2.0 * 19_999)
    mesh = panels(plot_bond_spin_current(dataset))[0].collections[0]
    assert mesh.get_array().shape[0] == 400


def test_animation_is_short_and_small(tmp_path: Path) -> None:
    path = animate_texture(precession(n_rows=500, n_sites=20), tmp_path / "texture.gif")
    with Image.open(path) as image:
        assert 20 <= image.n_frames < 60
    assert path.stat().st_size < 500_000


@pytest.mark.parametrize("n_rows", [1, 2])
def test_first_rows_of_a_run_can_be_plotted(n_rows: int) -> None:
    dataset = precession(n_rows=n_rows)
    for plot in (plot_moments, plot_torque, plot_bond_spin_current, plot_lead_currents, plot_energies):
        assert panels(plot(dataset))
    with pytest.raises(MissingDataError, match="three rows"):
        plot_nonadiabatic_torque(dataset)
    with pytest.raises(MissingDataError, match="no rows"):
        plot_moments(dataset.isel(time=slice(0, 0)))


def test_moments_at_rest_have_no_nonadiabatic_torque() -> None:
    dataset = precession()
    dataset["moments"] = dataset.moments.isel(time=0).expand_dims(time=dataset.time)
    with pytest.raises(MissingDataError, match="do not move"):
        plot_nonadiabatic_torque(dataset)


@pytest.mark.parametrize(
    ("largest", "units", "factor", "shown"),
    [
        (1.0, "1", 1.0, ""), (2.5, "eV", 1.0, "eV"), (0.3, "eV", 1e-3, "meV"), (1e-3, "eV", 1e-3, "meV"),
        (4e-7, "eV", 1e-9, "neV"), (1e-17, "eV", 1.0, "eV"), (0.02, "electrons/fs", 1.0, "electrons/fs"),
        (3e-5, "electrons/fs", 1e-5, "$10^{-5}$ electrons/fs"), (0.0, "eV", 1.0, "eV"),
    ],
)  # fmt: skip
def test_units_get_the_prefix_that_fits(largest: float, units: str, factor: float, shown: str) -> None:
    found = scale([0.1 * largest, -largest, np.nan], units)
    assert found.factor == pytest.approx(factor)
    assert found.units == shown


def test_no_global_state_of_pyplot() -> None:
    program = "import sys, llgnegf.plots.curves as p, test_plots as t; p.plot_moments(t.precession());"
    program += "assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parent)


@pytest.mark.parametrize("name", ["moments.png", "texture.gif", "contents.txt"])
def test_a_full_disk_names_the_file_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nothing half written, the picture that was there before whole, and no record that says all is drawn."""
    write = os.write

    def full(descriptor: int, data: Any) -> int:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(f"/{name}.tmp"):
            write(descriptor, bytes(data[: len(data) // 2]))
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    plot_run(one_moment(), tmp_path, pdf=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match="No space left") as caught:
        plot_run(one_moment(), tmp_path, pdf=False)
    assert (caught.value.errno, caught.value.path) == (28, tmp_path / name)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {n: b for n, b in before.items() if n != RECORD}
    assert not complete(tmp_path, 40)


def test_plots_are_complete_when_all_of_these_rows_are_drawn_and_there(tmp_path: Path) -> None:
    assert not complete(tmp_path / "plots", 40)
    report = plot_run(one_moment(), tmp_path / "plots", pdf=False)
    assert complete(tmp_path / "plots", 40)
    assert not complete(tmp_path / "plots", 41)  # drawn while the run was not at its end
    report.written[1].unlink()
    assert not complete(tmp_path / "plots", 40)
    for text in (b"", b"\xff\xfe", b"plots of 4"):
        (tmp_path / "plots" / RECORD).write_bytes(text)
        assert not complete(tmp_path / "plots", 40)


def test_a_stop_while_drawing_leaves_no_record(tmp_path: Path) -> None:
    plot_run(one_moment(), tmp_path, pdf=False)

    def stop(done: float, total: float, text: str) -> None:
        assert total == 7
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plot_run(one_moment(), tmp_path, pdf=False, progress=stop)
    assert not complete(tmp_path, 40)


def test_nothing_is_written_through_links(tmp_path: Path) -> None:
    """A folder from elsewhere with links in the places of pictures, of their temporary files and of the folder."""
    precious = tmp_path / "precious.txt"
    precious.write_text("thesis")
    plots = tmp_path / "plots"
    plots.mkdir()
    for name in ("moments.png", "texture.gif.tmp", RECORD, f"{RECORD}.tmp"):
        (plots / name).symlink_to(precious)
    plot_run(one_moment(), plots, pdf=False)
    assert precious.read_text() == "thesis"
    assert not any(path.is_symlink() for path in plots.iterdir())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "linked").symlink_to(elsewhere)
    with pytest.raises(StorageError, match="linked: is a symbolic link"):
        plot_run(one_moment(), tmp_path / "linked", pdf=False)
    assert not list(elsewhere.iterdir())


def test_a_picture_is_drawn_once_and_an_animation_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is what plots take long for: six pictures, the layout of the animation and its empty axes."""
    drawn: list[Any] = []
    draw = matplotlib.figure.Figure.draw
    monkeypatch.setattr(
        matplotlib.figure.Figure, "draw", lambda figure, renderer: (drawn.append(figure), draw(figure, renderer))[1]
    )
    report = plot_run(precession(), tmp_path, pdf=False)
    assert len(report.written) == 7 and len(drawn) == 8


def test_the_animation_shows_the_data_in_true_colours(tmp_path: Path) -> None:
    """At rest along z, M_y = 0, then along y: two frames, white paper, and the colours of the colour map."""
    dataset = precession(n_rows=2, n_sites=4, electrons=False)
    dataset["moments"].values[:] = [0.0, 0.0, 1.0]
    dataset["moments"].values[1] = [0.6, 0.8, 0.0]
    with Image.open(animate_texture(dataset, tmp_path / "texture.gif")) as image:
        assert image.size == (800, 250) and image.n_frames == 2
        frames = []
        for k in range(2):
            image.seek(k)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
    for frame, m_y in zip(frames, (0.0, 0.8), strict=True):
        wire = frame[:, :690].reshape(-1, 3)  # without the colour bar
        assert (wire == 255).all(axis=1).mean() > 0.8
        colour = 255 * np.array(colour_map("PuOr_r")(0.5 * (1 + m_y))[:3])
        assert (np.abs(wire - colour).max(axis=1) < 10).sum() > 4 * 170  # four arrows
