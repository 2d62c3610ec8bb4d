"""Result: what it says of itself, its pictures and movies, and that files and folders give all of it back."""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from PIL import Image

import llgnegf as ln
from llgnegf.run.result import ErrorEstimate, Result
from llgnegf.store import DamagedRunError, RunFolder, StorageError, run_in_folder

WIRE = ln.OpenSystem(ln.chain(4, j_sd=0.2), [ln.ChainLead(0)], kT=0.1)
MAGNET = ln.Magnet(ln.helix(4, 0.8), 1.0, 0.1, [ln.Zeeman([0, 0, 50.0])])


@pytest.fixture(scope="module")
def full() -> Result:
    return ln.simulate(WIRE, ln.Frozen(ln.helix(4, 0.8)), t_end=2.0, rtol=1e-3)


@pytest.fixture(scope="module")
def classical() -> Result:
    return ln.simulate(None, MAGNET, t_end=4.0)


def islands() -> Result:
    """Moments that are a layer of their own, on electrons that span a plane."""
    lattice = ln.square(2, 2)
    system = ln.OpenSystem(lattice.electrons(hopping=1.0, j_sd=0.2), [ln.ChainLead(0)], kT=0.1)
    layer = ln.Magnet(ln.uniform(2), 1.0, sites=[[0, 1], [2]])
    return ln.simulate(system, layer, t_end=1.0, rtol=1e-3)


def assert_same(a: Result, b: Result) -> None:
    xarray.testing.assert_identical(a.dataset, b.dataset)
    assert a.rows.variables == b.rows.variables
    assert a.statistics == b.statistics and a.rtol == b.rtol and a.warnings == b.warnings
    assert {n: e.bounds for n, e in a.errors.items()} == {n: e.bounds for n, e in b.errors.items()}
    np.testing.assert_array_equal([e.value for e in a.errors.values()], [e.value for e in b.errors.values()])
    np.testing.assert_equal(a.density_matrix, b.density_matrix)


def all_kinds(full: Result, classical: Result) -> Iterator[Result]:
    yield full
    yield classical
    yield ln.simulate(WIRE, MAGNET, t_end=1.0, electrons="adiabatic", rtol=1e-3)
    yield ln.simulate(None, MAGNET, t_end=1.0, temperature=0.01, seed=1, step=0.5)  # time_step: nan
    yield islands()
    yield dataclasses.replace(full, warnings=("one", "two"))


def test_a_file_gives_back_all_of_a_result(full: Result, classical: Result, tmp_path: Path) -> None:
    for k, result in enumerate(all_kinds(full, classical)):
        path = result.save(tmp_path / f"{k}.nc")
        assert path == tmp_path / f"{k}.nc" and [p.name for p in tmp_path.iterdir()] == [f"{k}.nc"]
        assert_same(ln.load(path), result)
        path.unlink()


def test_other_programs_read_the_file(full: Result, tmp_path: Path) -> None:
    with xarray.open_dataset(full.save(tmp_path / "run.nc")) as data:
        assert data["density_matrix"].dims == ("part", "row", "column") and data.attrs["rtol"] == 1e-3
        assert all("long_name" in v.attrs for name, v in data.variables.items() if name != "part")
        assert data["time"].attrs["units"] == "fs" and data["torque"].attrs["units"] == "eV"


def test_a_file_that_cannot_be_written_leaves_the_one_before(classical: Result, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere/run\.nc: cannot write: No such file"):
        classical.save(tmp_path / "nowhere" / "run.nc")
    before = classical.save(tmp_path / "run.nc").read_bytes()
    broken = dataclasses.replace(classical, statistics={"steps": object()})  # no JSON: found before the file is opened
    with pytest.raises(TypeError):
        broken.save(tmp_path / "run.nc")
    assert (tmp_path / "run.nc").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_no_folder_and_no_result_of_a_run_is_replaced(classical: Result, tmp_path: Path) -> None:
    run = ln.simulate(None, MAGNET, t_end=1.0, folder=tmp_path / "run")
    with pytest.raises(ValueError, match=r"save.path: .*result\.nc is the result of a run"):
        run.save(tmp_path / "run" / "result.nc")
    assert ln.load(tmp_path / "run").warnings == ()
    for folder in (tmp_path, "."):
        with pytest.raises(ValueError, match="save.path: .*; allowed: the name of a file"):
            classical.save(folder)


def test_damage_of_a_file_is_told(classical: Result, tmp_path: Path) -> None:
    path = classical.save(tmp_path / "run.nc")
    whole = path.read_bytes()
    number = classical.dataset["moments"].values[2, 3].tobytes()
    assert whole.count(number) == 1
    spoilt = whole.replace(number, bytes([number[0] ^ 1]) + number[1:])
    for content in (spoilt, whole[: len(whole) // 2], b"", b"no HDF5"):
        path.write_bytes(content)
        with pytest.raises(DamagedRunError, match=r"run\.nc: is damaged"):
            ln.load(path)
    xarray.Dataset({"a": ("time", [1.0])}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(DamagedRunError, match="no result of a run"):
        ln.load(path)


def test_a_folder_gives_back_its_run(tmp_path: Path) -> None:
    run = ln.simulate(WIRE, ln.Frozen(ln.helix(4, 0.8)), t_end=2.0, rtol=1e-3, folder=tmp_path / "run")
    loaded = ln.load(tmp_path / "run")
    assert loaded.density_matrix is None
    assert_same(ln.load(tmp_path / "run", density_matrix=True), run)
    assert_same(ln.load(tmp_path / "run" / "result.nc"), loaded)
    with pytest.raises(ValueError, match="load.density_matrix: True; allowed: False for a file, or its folder"):
        ln.load(tmp_path / "run" / "result.nc", density_matrix=True)
    ln.simulate(None, MAGNET, t_end=1.0, folder=tmp_path / "moments")
    with pytest.raises(ValueError, match="load.density_matrix: True; allowed: False for a run without full electrons"):
        ln.load(tmp_path / "moments", density_matrix=True)


def test_an_unfinished_folder_gives_its_rows_and_says_so(tmp_path: Path) -> None:
    def stop(done: float, total: float, text: str) -> None:
        if done >= 3.0:
            raise KeyboardInterrupt

    folder, whole = tmp_path / "run", ln.simulate(None, MAGNET, t_end=8.0)
    config = ln.RunConfig.from_objects(None, MAGNET, t_end=8.0)
    made = RunFolder.create(folder, config.to_toml(), [])
    with pytest.raises(StorageError, match="no row is committed yet"):
        ln.load(folder)
    assert not run_in_folder(made, config.simulation(), progress=stop)
    part = ln.load(folder)
    count = part["time"].size
    assert 0 < count < 9
    xarray.testing.assert_identical(part.dataset, whole.dataset.isel(time=slice(count)))
    assert part.warnings == (f"{folder}: {count} of 9 rows, stopped: llgnegf resume {folder} goes on",)
    assert "  warning   " in repr(part)
    with pytest.raises(ValueError, match="load.density_matrix: True; allowed: False for a run that is not finished"):
        ln.load(folder, density_matrix=True)


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="load.path: nowhere is not there; allowed: a run folder"):
        ln.load("nowhere")
    with pytest.raises(ValueError, match="load.path: .* holds no run; allowed: a run folder"):
        ln.load(tmp_path)
    (tmp_path / "sweep.nc").touch()
    with pytest.raises(ValueError, match=r"load.path: .* is the folder of a sweep; allowed: xarray.open_dataset"):
        ln.load(tmp_path)


def test_it_prints_what_it_is(full: Result, classical: Result) -> None:
    lines = repr(full).splitlines()
    assert lines[0] == "Result: electrons with memory on 4 sites with 1 lead; 4 moments as prescribed"
    assert lines[1] == "  times     0 to 2 fs, 3 rows"
    worst = max(full.errors, key=lambda name: full.errors[name].value)
    said = f"{full.errors[worst].value:.1e} ({worst}) is the worst of the error budget; rtol = 0.001 was asked for"
    assert lines[2] == f"  accuracy  {said}"
    assert lines[3].startswith(f"  steps     {full.statistics['accepted_steps']:g} taken, ")
    assert lines[4].startswith("  columns   moments, spin_density, torque, ")
    assert len(lines) < 9 and max(map(len, lines)) <= 100
    first = [repr(result).splitlines()[0] for result in all_kinds(full, classical)]
    assert first[1:5] == [
        "Result: 4 moments with LLG, no electrons",
        "Result: electrons to first order on 4 sites; 4 moments with LLG",
        "Result: 4 moments with LLG, no electrons",
        "Result: electrons with memory on 4 sites with 1 lead; 2 moments with LLG",
    ]
    unknown = {"a": ErrorEstimate(2e-7, ""), "time_step": ErrorEstimate(float("nan"), "")}
    text = repr(dataclasses.replace(classical, errors=unknown, rtol=None))
    assert "accuracy  2.0e-07 (a) is the worst of the error budget, time_step not known\n" in text


def test_a_result_without_rows_prints_too(full: Result) -> None:
    rows = full.rows
    none = dataclasses.replace(rows, times=rows.times[:0], columns={n: c[:0] for n, c in rows.columns.items()})
    assert "  times     none, 0 rows" in repr(dataclasses.replace(full, rows=none))


def test_html_unfolds_and_is_escaped(full: Result) -> None:
    html = dataclasses.replace(full, warnings=("kT < 0 & more",))._repr_html_()
    assert html.count("<details>") == html.count("</details>") and "<th>times</th><td>0 to 2 fs, 3 rows</td>" in html
    assert "<td>kT &lt; 0 &amp; more</td>" in html and "xarray.Dataset" in html
    for name, error in full.errors.items():
        assert f'<th>{name}</th><td class="number">{error.value:.1e}</td>' in html


def test_columns_by_name(full: Result) -> None:
    xarray.testing.assert_identical(full["torque"], full.dataset["torque"])
    assert list(full) == list(full.dataset.data_vars) == full._ipython_key_completions_()
    assert "torque" in full and "time" in full and "lead" in full and "torq" not in full
    with pytest.raises(KeyError, match="'torq'; allowed: 'moments', "):
        full["torq"]


def test_everything_has_a_name_and_a_unit(full: Result, classical: Result) -> None:
    for result in all_kinds(full, classical):
        for name, variable in result.dataset.variables.items():
            assert variable.attrs["long_name"], name
        assert all("units" in column.attrs for column in result.dataset.data_vars.values())
        assert result["time"].attrs["units"] == "fs"
    places = islands().dataset
    np.testing.assert_array_equal(np.stack([places["x"], places["y"]], axis=1), ln.square(2, 2).positions[:, :2])
    assert {places[a].attrs["units"] for a in "xyz"} == {"nm"} and set("xyz") <= set(places["charge_density"].coords)


def test_warnings_are_kept() -> None:
    hot = [ln.Zeeman([0, 0, 1e6])]
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        magnet = ln.Magnet(ln.uniform(1, "x"), 1.0, 0.0, hot)
        result = ln.simulate(None, magnet, t_end=1e-7, save_every=1e-7)
    said = [str(w.message) for w in shown]
    assert len(said) == 2 and sorted(result.warnings) == sorted(said)
    assert "a field over 100000 T" in result.warnings[0]


def test_a_budget_beyond_rtol_is_a_warning_of_files_too(classical: Result, tmp_path: Path) -> None:
    rough = dataclasses.replace(classical, errors={"time_step": ErrorEstimate(1e-3, "steps")})
    (line,) = ln.load(rough.save(tmp_path / "run.nc")).warnings
    assert line.startswith("simulate.rtol: 1e-06 was asked for, the error budget comes to 0.001, most of it time_step")


PICTURES: dict[str, dict[str, Any]] = {
    "moments": {}, "texture": {"time": 2.0}, "torque": {}, "currents": {}, "bond_spin_currents": {}, "energies": {},
}  # fmt: skip


def test_pictures(full: Result, classical: Result, tmp_path: Path) -> None:
    for name, options in PICTURES.items():
        assert getattr(full.plot, name)(**options).axes
    figure = full.plot.texture(time=2.0)
    with Image.open(io.BytesIO(figure._repr_png_())) as shown:  # as a notebook asks for it
        np.testing.assert_allclose(shown.size, figure.get_size_inches() * figure.dpi, atol=1)
    assert [axes.get_title() for axes in full.plot().axes] == [
        "mean of all 4 moments", "largest torque on a moment", "current into the lead", "change of energy"
    ]  # fmt: skip
    written = classical.plot.save(tmp_path).written
    assert [path.name for path in written] == ["moments.png", "energies.png", "texture.gif"]
    for name in PICTURES:
        assert f".{name}()" in repr(full.plot)


def test_the_overview_shows_the_data(full: Result, classical: Result) -> None:
    mean, torque, current, energy = full.plot().axes
    np.testing.assert_allclose(mean.lines[1].get_ydata(), full["moments"].mean("site").sel(component="y"))
    largest = np.sqrt((full["torque"] ** 2).sum("component")).max("site").values
    np.testing.assert_allclose(torque.lines[0].get_ydata() / torque.lines[0].get_ydata()[0], largest / largest[0])
    assert len(current.lines) == 1 and len(energy.lines) == 3  # of electrons, of the coupling, and their sum
    assert [axes.get_title() for axes in classical.plot().axes] == ["mean of all 4 moments", "change of energy"]


def test_the_texture_at_a_time_is_that_of_the_next_row(classical: Result) -> None:
    (first, second, *_) = classical.plot.texture(time=[0.0, 2.9]).axes
    assert first.get_title() == "t = 0 fs" and second.get_title() == "t = 3 fs"
    row = classical["moments"].sel(time=3.0).values
    np.testing.assert_array_equal(second.collections[0].U, row[:, 0])
    np.testing.assert_array_equal(second.collections[0].V, row[:, 2])
    plane = islands()
    (axes, *_) = plane.plot.vectors("spin_density", time=1.0).axes
    assert axes.get_title() == "t = 1 fs"


@pytest.mark.parametrize("time", [5.0, -1.0, float("nan"), "now", [], [[1.0]], [0.0, 9.0]])
def test_times_that_are_none_of_the_run_are_refused(classical: Result, time: Any) -> None:
    with pytest.raises(ValueError, match="plot.time: .*; allowed: times of the run, 0 to 4 fs"):
        classical.plot.texture(time=time)


def test_a_column_of_another_kind_is_refused() -> None:
    plane = ln.square(2, 2)
    run = ln.simulate(ln.OpenSystem(plane.electrons(hopping=1.0), kT=0.2), ln.Frozen(ln.uniform(plane)), t_end=1.0)
    with pytest.raises(ValueError, match="plot.name: 'charge_density'; allowed: moments, spin_density, torque"):
        run.plot.vectors("charge_density")
    with pytest.raises(ValueError, match="plot.name: 'energy_sd'; allowed: charge_density"):
        run.plot.density("energy_sd")


def test_a_time_that_would_be_ignored_is_refused(full: Result) -> None:
    with pytest.raises(ValueError, match="plot.bond_spin_currents.time: 1.0; allowed: None along a wire"):
        full.plot.bond_spin_currents(time=1.0)


def test_movies(classical: Result, tmp_path: Path) -> None:
    movie = classical.animate(tmp_path / "run.gif", frames=3, fps=5)
    assert movie.gif == (tmp_path / "run.gif").read_bytes()
    with Image.open(tmp_path / "run.gif") as image:
        assert image.n_frames == 3 and image.info["duration"] == 200  # type: ignore[attr-defined]
        assert repr(movie) == f"Movie: 3 pictures of {image.width} x {image.height} pixels, 5 a second"
    assert 'src="data:image/gif;base64,R0lG' in movie._repr_html_()
    for options in ({"frames": 0}, {"frames": 2.5}, {"fps": 0.5}, {"fps": 100}, {"path": tmp_path / "run.avi"}):
        with pytest.raises(ValueError, match=rf"animate.{next(iter(options))}: "):
            classical.animate(**options)


def test_mp4_goes_through_ffmpeg(classical: Result, tmp_path: Path) -> None:
    """A program that notes what it is told in place of the movie; another one that fails; and none."""
    import matplotlib

    script = tmp_path / "ffmpeg"
    script.write_text('#!/bin/sh\nfor last; do :; done\n{ echo "$@"; wc -c; } > "$last"\n')
    script.chmod(0o755)
    with matplotlib.rc_context({"animation.ffmpeg_path": str(script)}):
        movie = classical.animate(tmp_path / "run.mp4", frames=2, fps=4)
        told = (tmp_path / "run.mp4").read_text().split()
        width, height = movie.frames[0].size
        assert told[told.index("-s") + 1] == f"{width}x{height}" and told[told.index("-r") + 1] == "4"
        assert int(told[-1]) == 2 * 3 * width * height
        script.write_text("#!/bin/sh\ncat > /dev/null; echo no codec >&2; exit 3\n")
        with pytest.raises(StorageError, match=r"other\.mp4: cannot be made by ffmpeg: no codec"):
            movie.save(tmp_path / "other.mp4")
        assert not (tmp_path / "other.mp4").exists()
    missing, said = {"animation.ffmpeg_path": str(tmp_path / "none")}, "a name that ends in .gif, unless ffmpeg"
    with matplotlib.rc_context(missing), pytest.raises(ValueError, match=f"animate.path: .*; allowed: {said}"):
        movie.save(tmp_path / "run.mp4")


def test_what_is_left_of_a_stopped_run_has_its_warnings() -> None:
    def stop(done: float, total: float, text: str) -> None:
        if done >= 2.0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped, pytest.warns(ln.SuspiciousValueWarning, match="temperature"):
        ln.simulate(None, MAGNET, t_end=4.0, temperature=2.0, seed=1, step=0.5, progress=stop)
    result = stopped.value.result  # type: ignore[attr-defined]
    assert result["time"].size == 3 and ["temperature" in line for line in result.warnings] == [True]
