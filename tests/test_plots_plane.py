"""Pictures of runs in the plane show the numbers of the dataset at the places of the sites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pytest
import xarray
from PIL import Image

import llgnegf as ln
from llgnegf.plots.animation import animation
from llgnegf.plots.data import MissingDataError
from llgnegf.plots.lattice_sketch import draw, lattice
from llgnegf.plots.maps import plot_bond_currents, plot_bond_spin_currents, plot_density, plot_vectors
from llgnegf.plots.plane import FEWER, MOST_ARROWS, Plane, plane_of, plane_through
from llgnegf.plots.run import plot_run
from llgnegf.plots.style import colour_map
from llgnegf.run.result import Variable, build_dataset

A = 0.4
"""nm."""


def square(n_x: int, n_y: int) -> np.ndarray:
    return A * np.array([(i, j, 0.0) for i in range(n_x) for j in range(n_y)])


def triangular(n: int) -> np.ndarray:
    return A * np.array([(i + 0.5 * (j % 2), np.sqrt(0.75) * j, 0.0) for i in range(n) for j in range(n)])


def honeycomb(n_x: int, n_y: int) -> np.ndarray:
    """Zigzag rows along x: two sites in each cell (sqrt(3), 3/2)."""
    cells = [(np.sqrt(3) * (i + 0.5 * (j % 2)), 1.5 * j) for i in range(n_x) for j in range(n_y)]
    return A * np.array([(x + dx, y + dy, 0.0) for x, y in cells for dx, dy in ((0, 0), (np.sqrt(0.75), 0.5))])


def bonds_of(positions: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(positions[:, None] - positions, axis=-1)
    return np.argwhere(np.triu(np.abs(distance - A) < 1e-6))


def run_of(positions: Any, n_rows: int = 5) -> xarray.Dataset:
    """Columns whose numbers can be told apart; the current from i to j is (j - i) t/40 1e-3/fs."""
    positions, bonds = np.asarray(positions), bonds_of(np.asarray(positions))
    n, time = len(positions), 10.0 * np.arange(n_rows)
    angle = 0.1 * np.arange(n) + 0.2 * np.arange(n_rows)[:, None]
    moments = np.stack([0.6 * np.cos(angle), 0.6 * np.sin(angle), 0.8 + 0 * angle], axis=-1)
    charge = 1 + 1e-3 * np.arange(n) * (1 + time[:, None])
    current = 1e-3 * np.outer(time / 40, bonds[:, 1] - bonds[:, 0])
    columns: dict[str, Any] = {
        "moments": (("site", "component"), "1", moments), "torque": (("site", "component"), "eV", 2e-3 * moments),
        "charge_density": (("site",), "1", charge), "bond_current": (("bond",), "electrons/fs", current),
        "bond_spin_current": (("bond", "component"), "eV", current[..., None] * [1.0, -1.0, 0.5]),
    }  # fmt: skip
    variables = {k: Variable(dims, np.shape(v)[1:], units, k) for k, (dims, units, v) in columns.items()}
    labels: dict[str, Any] = {"site": list(range(n)), "component": ["x", "y", "z"]}
    labels["bond"] = [f"{i}-{j}" for i, j in bonds]
    labels |= {name: positions[:, k].tolist() for k, name in enumerate("xyz")}
    return build_dataset(time, {k: v for k, (_, _, v) in columns.items()}, variables, labels)


def panels(figure: Any) -> list[Any]:
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>" and axes.get_title()]


# Where the sites are


def test_places_go_through_runs_folders_and_files(tmp_path: Path) -> None:
    """In memory, from a folder and from result.nc; slow electrons too. Without positions there are none."""
    at = square(2, 2)
    hopping = np.zeros((4, 4))
    hopping[tuple(bonds_of(at).T)] = hopping[tuple(bonds_of(at)[:, ::-1].T)] = -1.0
    leads = [ln.WideBandLead(0, 0.5), ln.WideBandLead(1, 0.5)]  # one site alone leaves a level at E_F that it misses
    system = ln.OpenSystem(ln.Electrons.spinless(hopping, 0.3, positions=at), leads, kT=0.1)
    moments = ln.uniform(4, "x")
    options: dict[str, Any] = {"t_end": 2.0, "save_every": 1.0, "rtol": 1e-3}
    memory = ln.simulate(system, ln.Frozen(moments), **options).dataset
    stored = ln.simulate(system, ln.Frozen(moments), folder=tmp_path / "run", **options).dataset
    slow = ln.simulate(system, ln.Magnet(moments, 1.0), electrons="adiabatic", **options | {"rtol": 1e-4})
    with xarray.open_dataset(tmp_path / "run" / "result.nc") as file:
        for dataset in (memory, stored, slow.dataset, file):
            for k, name in enumerate("xyz"):
                assert dataset[name].dims == ("site",) and dataset[name].attrs["units"] == "nm"
                np.testing.assert_array_equal(dataset[name], at[:, k])
            assert set("xyz") <= set(dataset.coords) and not set("xyz") & set(dataset.data_vars)
            plane = plane_of(dataset)
            assert plane is not None and plane.spacing == pytest.approx(A)
    alone = ln.simulate(None, ln.Magnet(moments, 1.0), **options).dataset
    assert not set("xyz") & set(alone.coords) and plane_of(alone) is None


def test_which_sites_span_a_plane() -> None:
    """Not a chain in any direction, nor a stack whose layers cover each other; a tilted or buckled layer does."""
    at = square(4, 3)
    assert plane_through(at[at[:, 1] == 0]) is None and plane_through(np.outer(np.arange(5), [1, 2, 3.0])) is None
    assert plane_through(np.concatenate([at, at + [0, 0, A]])) is None
    found = {}
    for name, positions in {"xy": at, "xz": at[:, [0, 2, 1]], "yz": at[:, [2, 0, 1]]}.items():
        plane = plane_through(positions)
        assert plane is not None
        np.testing.assert_array_equal(plane.points, at[:, :2])
        found[name] = "".join(plane.names)
    assert found == {"xy": "xyz", "xz": "xzy", "yz": "yzx"}
    assert plane_through(at + 0.05 * np.outer(np.arange(12) % 2, [0, 0, 1.0])) is not None
    assert plane_through(at @ np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1]])) is not None


@pytest.mark.parametrize(
    ("positions", "corners", "area"),
    [(square(5, 4), 4, A**2), (triangular(5), 6, np.sqrt(0.75) * A**2), (honeycomb(4, 3), 6, np.sqrt(0.75) * A**2)],
)
def test_cells_are_those_of_the_lattice(positions: np.ndarray, corners: int, area: float) -> None:
    """Squares, hexagons, and for honeycombs the hexagons of the triangular lattice that it is with its gaps filled."""
    plane = plane_through(positions)
    assert plane is not None and len(plane.cells) == len(positions)
    for point, cell in zip(plane.points, plane.cells, strict=True):
        np.testing.assert_allclose(cell.mean(axis=0), point, atol=0.02 * A)
        x, y = (cell - point).T
        found = 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
        assert found == pytest.approx(area, rel=0.05)
        assert len(np.unique(np.round(cell / A, 1), axis=0)) == corners


def test_sites_on_no_lattice_are_discs() -> None:
    scattered = np.random.default_rng(1).uniform(0, 4, size=(60, 3)) * [1, 1, 0]
    plane = Plane(scattered[:, :2], (0, 1, 2), 0.3)
    for point, cell in zip(plane.points, plane.cells, strict=True):
        np.testing.assert_allclose(np.linalg.norm(cell - point, axis=1), 0.48 * 0.3)


def test_arrows_are_thinned_evenly() -> None:
    plane = plane_through(square(50, 30))
    small = plane_through(square(20, 20))
    assert plane is not None and small is not None
    assert len(small.arrows) == 400 == MOST_ARROWS
    assert FEWER / 2 < len(plane.arrows) <= FEWER
    chosen = plane.points[plane.arrows]
    nearest = np.sort(np.linalg.norm(chosen[:, None] - chosen, axis=-1), axis=1)[:, 1]
    assert nearest.min() > 0.5 * plane.arrow_spacing and nearest.max() < 1.5 * plane.arrow_spacing


# Maps


def test_maps_of_vectors_are_the_data() -> None:
    dataset = run_of(square(4, 3))
    for name, factor in (("moments", 1.0), ("torque", 1e-3)):
        shown = panels(plot_vectors(dataset, name))
        assert [axes.get_title() for axes in shown] == ["t = 0 fs", "t = 20 fs", "t = 40 fs"]
        for axes, row in zip(shown, (0, 2, 4), strict=True):
            cells, arrows = axes.collections
            values = dataset[name].values[row] / factor
            np.testing.assert_allclose(cells.get_array(), values[:, 2])
            np.testing.assert_allclose(np.stack([arrows.U, arrows.V], axis=1), values[:, :2])
            np.testing.assert_allclose(np.stack([arrows.X, arrows.Y], axis=1), square(4, 3)[:, :2])
    figure = plot_vectors(dataset, "torque", times=[9.0, 31.0])
    assert [axes.get_title() for axes in panels(figure)] == ["t = 10 fs", "t = 30 fs"]
    assert figure.get_supxlabel() == "arrows: $(T_x, T_y)$, the longest 1.2 meV"
    assert "$T_z$ (meV)" in {axes.get_ylabel() for axes in figure.axes} | {a.get_ylabel() for a in _boxes(figure)}


def _boxes(figure: Any) -> list[Any]:
    """Colour bars inside axes."""
    return [child for axes in figure.axes for child in axes.child_axes]


def test_a_layer_across_y_shows_m_y_in_colour() -> None:
    dataset = run_of(square(4, 3)[:, [0, 2, 1]])
    axes = panels(plot_vectors(dataset, "moments"))[0]
    cells, arrows = axes.collections
    np.testing.assert_allclose(cells.get_array(), dataset.moments.values[0, :, 1])
    np.testing.assert_allclose(arrows.V, dataset.moments.values[0, :, 2])
    assert axes.get_ylabel() == "z (nm)"


def test_moments_of_a_layer_stand_in_the_middle_of_their_sites() -> None:
    """Two columns of sites for each moment; one moment on no site, and there is no place for its arrow."""
    dataset = run_of(square(6, 3))
    moment = np.arange(18) // 6 * 3 + np.arange(18) % 3
    layer = dataset[["moments"]].isel(site=slice(0, 9)).rename(site="moment").drop_vars(["x", "y", "z"])
    made = dataset.drop_vars(["moments", "torque"]).merge(layer).assign_coords(moment_of_site=("site", moment))
    plane = plane_of(made, "moment")
    assert plane is not None
    np.testing.assert_allclose(plane.points, square(3, 3)[:, :2] * [2, 1] + [A / 2, 0], atol=1e-12)
    arrows = panels(plot_vectors(made, "moments"))[0].collections[1]
    np.testing.assert_allclose(arrows.U, layer.moments.values[0, :, 0])
    away = made.assign_coords(moment_of_site=("site", np.where(moment == 4, -1, moment)))
    with pytest.raises(MissingDataError, match="the moments have no positions that span a plane"):
        plot_vectors(away, "moments")


def test_map_of_charge() -> None:
    dataset = run_of(square(4, 3))
    (axes,) = panels(plot_density(dataset, times=[20.0]))
    np.testing.assert_array_equal(axes.collections[0].get_array(), dataset.charge_density.values[2])


def test_arrows_on_bonds_point_along_the_current() -> None:
    """From i to j where the current is positive; j - i is 1 or 3 here, and nothing is drawn at t = 0."""
    dataset = run_of(square(4, 3))
    before, _, after = panels(plot_bond_currents(dataset))
    assert not len(before.collections[-1].get_array())
    arrows = after.collections[-1]
    size = arrows.get_array()
    np.testing.assert_allclose(sorted(set(np.round(size, 9))), [1.0, 3.0])
    for path in arrows.get_paths():
        tail, tip = path.vertices[[0, 6]].mean(axis=0), path.vertices[3]
        assert (tip - tail).max() == pytest.approx(0.8 * A)  # all j > i: to the right or up
    reverse = dataset.assign(bond_current=-dataset.bond_current)
    for path in panels(plot_bond_currents(reverse))[-1].collections[-1].get_paths():
        tail, tip = path.vertices[[0, 6]].mean(axis=0), path.vertices[3]
        assert (tip - tail).min() == pytest.approx(-0.8 * A)
    with pytest.raises(MissingDataError, match="all currents on the bonds are zero"):
        plot_bond_currents(dataset.assign(bond_current=1e-15 * dataset.bond_current))
    spins = panels(plot_bond_spin_currents(dataset))
    assert [axes.get_title() for axes in spins] == [f"spin {a}, t = 40 fs" for a in "xyz"]
    assert len(spins[2].collections[-1].get_array()) == dataset.sizes["bond"]


def test_of_many_bonds_the_mean_at_the_sites_is_shown() -> None:
    """A uniform current along x: in the bulk half the sum over two bonds, the current itself; half at the ends."""
    at = square(30, 20)
    dataset = run_of(at)
    first, second = bonds_of(at).T
    along_x = np.abs(at[first, 1] - at[second, 1]) < 1e-9
    dataset["bond_current"] = 2e-3 * xarray.ones_like(dataset.bond_current) * along_x
    cells = panels(plot_bond_currents(dataset))[0].collections[0]
    ends = (at[:, 0] == 0) | np.isclose(at[:, 0], 29 * A)
    np.testing.assert_allclose(cells.get_array(), np.where(ends, 1.0, 2.0))


def test_plot_run_chooses_maps_or_curves(tmp_path: Path) -> None:
    """By the positions alone; what the run does not have is said."""
    dataset = run_of(square(4, 3))
    in_plane = plot_run(dataset, tmp_path / "plane", pdf=False)
    names = {"moments", "moments_over_time", "torque", "charge_density", "bond_current", "bond_spin_current"}
    assert {path.name for path in in_plane.written} == {f"{name}.png" for name in names} | {"texture.gif"}
    assert in_plane.skipped["spin_density"] == "the run has no spin_density"
    along = plot_run(dataset.drop_vars(["x", "y", "z"]), tmp_path / "chain", pdf=False)
    assert {p.name for p in along.written} == {"moments.png", "torque.png", "bond_spin_current.png", "texture.gif"}
    with pytest.raises(MissingDataError, match="no positions that span a plane"):
        plot_vectors(dataset.drop_vars("z"), "moments")
    for path in in_plane.written:
        with Image.open(path) as image:
            assert image.size[0] == (800 if path.suffix == ".gif" else 1050)


@pytest.mark.parametrize("size", [(3, 12), (12, 3), (6, 6), (40, 2)])
def test_labels_stay_within_the_figure(size: tuple[int, int]) -> None:
    dataset = run_of(square(*size))
    for plot in (lambda d: plot_vectors(d, "torque"), plot_density, plot_bond_currents, plot_bond_spin_currents):
        figure: matplotlib.figure.Figure = plot(dataset)
        figure.canvas.draw()
        box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02, size


def test_frames_show_the_data_in_true_colours() -> None:
    """All along +z, then half way: the colour of a cell beside its arrow."""
    import io

    dataset = run_of(square(4, 3), n_rows=2)
    dataset["moments"].values[0], dataset["moments"].values[1] = [0.0, 0.0, 1.0], [np.sqrt(0.75), 0.0, 0.5]
    with Image.open(io.BytesIO(animation(dataset))) as image:
        assert image.n_frames == 2 and image.size[0] == 800
        for k, m_z in enumerate((1.0, 0.5)):
            image.seek(k)
            frame = np.asarray(image.convert("RGB")).astype(int)[:, :650].reshape(-1, 3)
            colour = 255 * np.array(colour_map("PuOr_r")(0.5 * (1 + m_z))[:3])
            assert (np.abs(frame - colour).max(axis=1) < 10).mean() > 0.4


# Sketches


def sites_drawn(axes: Any) -> list[np.ndarray]:
    from matplotlib.collections import PathCollection

    return [np.asarray(c.get_offsets()) for c in axes.collections if isinstance(c, PathCollection)]


def test_sketch_continues_a_ribbon_by_its_period() -> None:
    at = square(5, 3)
    left, device = sites_drawn(draw(at, bonds_of(at), [("left", np.flatnonzero(at[:, 0] == 0))]))
    np.testing.assert_allclose(device, at[:, :2])
    expected = A * np.array([(-i, j) for i in range(1, 7) for j in range(3)])
    np.testing.assert_allclose(left[np.lexsort(left.T)], expected[np.lexsort(expected.T)], atol=1e-12)


def test_sketch_continues_a_honeycomb_with_ragged_edges() -> None:
    """Every site that is added lies on the honeycomb, once: the same lattice drawn longer holds it."""
    at = honeycomb(4, 3)
    rows = np.unique(np.round(at[:, 1], 6))
    last = [max(np.flatnonzero(np.abs(at[:, 1] - y) < 1e-5), key=lambda i: at[i, 0]) for y in rows]
    right, _ = sites_drawn(draw(at, bonds_of(at), [("right", last)]))
    longer = honeycomb(12, 3)[:, :2]
    distance = np.linalg.norm(right[:, None] - longer, axis=-1).min(axis=1)
    assert distance.max() < 1e-9 and len(np.unique(np.round(right, 6), axis=0)) == len(right)
    assert np.linalg.norm(right[:, None] - at[:, :2], axis=-1).min() > 0.9 * A
    step = np.sqrt(3) * A  # two sites more in each of three zigzag rows for each period
    assert len(right) % 6 == 0 and right[:, 0].max() == pytest.approx(at[:, 0].max() + step * len(right) / 6)


def test_sketch_of_a_lattice_shows_its_sides() -> None:
    """With the translations that the lattice states; and with a lead from it the same sites, found from the lattice."""
    lat = ln.honeycomb(4, 3, spacing=A)
    axes = lattice(lat)
    assert [text.get_text() for text in axes.texts] == list(lat.sides)
    for points, side in zip(sites_drawn(axes), lat.sides.values(), strict=False):
        expected = np.concatenate([lat.positions[side.sites] + k * side.translation for k in range(1, 7)])[:, :2]
        assert np.linalg.norm(points[:, None] - expected, axis=-1).min(axis=1).max() < 1e-9
        first = lat.positions[side.sites][:, :2] + side.translation[:2]
        assert np.linalg.norm(first[:, None] - points, axis=-1).min(axis=1).max() < 1e-9
    lead, device = sites_drawn(lattice(lat.electrons(1.0, 0.3), [lat.lead("left")]))
    np.testing.assert_allclose(device, lat.positions[:, :2])
    assert lead[:, 0].max() < device[:, 0].max() and len(lead) % len(lat.sides["left"].sites) == 0


def test_sketch_of_electrons_with_leads() -> None:
    """Each lead where its channels act; a lead on one site goes on outwards."""
    chain = ln.chain(4, positions=A * np.arange(4))
    axes = lattice(chain, [ln.ChainLead(0), ln.ChainLead(-1)], ["source", "drain"])
    assert [text.get_text() for text in axes.texts] == ["source", "drain"]
    first, second, _ = sites_drawn(axes)
    np.testing.assert_allclose(first[:, 0], -A * np.arange(1, 7), atol=1e-12)
    np.testing.assert_allclose(second[:, 0], A * np.arange(4, 10), atol=1e-12)
    with pytest.raises(ValueError, match="lattice.electrons.positions: None; allowed: positions of the sites, in nm"):
        lattice(ln.chain(4))


def test_torque_of_moments_on_no_site_is_drawn_as_curves(tmp_path: Path) -> None:
    """Of an insulating magnet beside a plane some moments have no place in a map."""
    lattice = ln.square(3, 3)
    magnet = ln.Magnet(ln.uniform(3, [1.0, 0.2, 0.4]), 2.0, damping=0.1, sites=[[0, 1], 4, None])
    system = ln.OpenSystem(lattice.electrons(1.0, j_sd=0.2), [], kT=0.1)
    dataset = ln.simulate(system, magnet, t_end=1.0, save_every=0.5, rtol=1e-3).dataset
    report = plot_run(dataset, tmp_path, pdf=False)
    assert {"moments_over_time.png", "torque.png", "spin_density.png"} <= {path.name for path in report.written}
    assert "torque" not in report.skipped
