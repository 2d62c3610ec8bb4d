"""`llgnegf view` and `llgnegf report`: what they show, in a real browser without a screen, and who is let in."""

from __future__ import annotations

import inspect
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.document.events import ColumnDataChangedEvent, ColumnsStreamedEvent
from fake_simulation import INPUT, FakeSimulation, stop_after

import llgnegf as ln
from llgnegf._files import write_all
from llgnegf._netcdf import write_dataset
from llgnegf.cli import main
from llgnegf.problem.lattices.crystals import honeycomb
from llgnegf.run.result import Variable
from llgnegf.run.result_text import error_rows
from llgnegf.store import RunFolder, run_in_folder
from llgnegf.view.content import content, evenly
from llgnegf.view.curves import HIGH, LOW
from llgnegf.view.folder import Follower, read
from llgnegf.view.page import Page, _columns
from llgnegf.view.picture import WHOLE, packed

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = (1280, 400)


class Turning(FakeSimulation):
    """Moments that turn about z, site i by 0.1 k + i in row k, with torque, currents into three leads, and energies."""

    def __init__(self, n_rows: int = 40, n_sites: int = 7, positions: np.ndarray | None = None) -> None:
        super().__init__(n_rows, n_sites)
        vector = (("site", "component"), (n_sites, 3))
        self.variables = {
            "moments": Variable(*vector, "1", "direction of the moments"),
            "torque": Variable(*vector, "eV", "torque <T> of the electrons"),
            "lead_current": Variable(("lead",), (3,), "electrons/fs", "current into the lead"),
            "lead_spin_current": Variable(("lead", "component"), (3, 3), "eV", "spin current into the lead"),
            "energy_sd": Variable((), (), "eV", "sd energy"),
            "energy_classical": Variable((), (), "eV", "energy of the moments"),
        }
        self.coordinates |= {"lead": [0, 1, 2]}
        del self.coordinates["bond"]
        if positions is not None:
            self.coordinates |= dict(zip("xyz", positions.T.tolist(), strict=True))

    def rows(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        while self.row < self.times.size:
            columns = self.columns(self.row)
            self.row += 1
            yield self.row - 1, columns

    def columns(self, k: int) -> dict[str, Any]:
        angle = 0.1 * k + np.arange(self.x.shape[0])
        moments = np.stack([0.6 * np.cos(angle), 0.6 * np.sin(angle), np.full(angle.shape, 0.8)], axis=1)
        lead = np.arange(1.0, 4.0) * np.sin(0.1 * k)
        return {
            "moments": moments, "torque": 1e-3 * k * moments[:, ::-1], "lead_current": lead,
            "lead_spin_current": 1e-3 * lead[:, None] * np.eye(3), "energy_sd": np.asarray(1e-4 * k),
            "energy_classical": np.asarray(-5.0 - 1e-4 * k),
        }  # fmt: skip


class Broken(Turning):
    """One moment alone that becomes NaN, and a torque that becomes infinite."""

    def columns(self, k: int) -> dict[str, Any]:
        columns = super().columns(k)
        if k > 20:
            columns["moments"][0, 0], columns["torque"][0, 1] = np.nan, np.inf
        return columns


def folder_with(path: Path, simulation: FakeSimulation, n_rows: int | None = None) -> RunFolder:
    """The folder of a run that is finished, or has stopped after some rows."""
    folder = RunFolder.create(path, INPUT, ["llgnegf", "run", "<in>.toml"])
    run_in_folder(folder, simulation, stop_requested=stop_after(n_rows) if n_rows else bool)
    return folder


def go_on(path: Path, n_rows: int | None = None) -> None:
    run_in_folder(RunFolder.open(path), Turning(), stop_requested=stop_after(n_rows) if n_rows else bool)


# --- what is shown, without a browser ---------------------------------------------------------------------------------


def test_rows_of_a_page_are_few_and_more_come_at_their_end() -> None:
    shown = [evenly(n, 1000, 250) for n in (0, 1, 11, 999, 1000)]
    assert [rows.tolist() for rows in shown[:3]] == [[], [0], [0, 4, 8]]
    assert shown[3].tolist() == list(range(0, 999, 4)) and shown[4].tolist() == [*range(0, 1000, 4), 999]


def test_frames_are_packed_to_a_part_in_65000_of_the_largest() -> None:
    values = np.random.default_rng(1).normal(size=(5, 30)) * 10.0 ** np.arange(-20, 5, 5)[:, None]
    values[2, 3], values[4] = np.nan, 0.0
    whole, unit = packed(values)
    found = np.where(whole == -WHOLE - 1, np.nan, whole).reshape(5, 30) * unit[:, None] / WHOLE
    assert np.array_equal(np.isnan(found), np.isnan(values)) and unit[4] == 0
    difference = np.nan_to_num(np.abs(found - values)).max(axis=1)
    assert (difference <= 0.5001 * unit / WHOLE).all()


def test_an_update_sends_the_new_rows_alone(tmp_path: Path) -> None:
    path = folder_with(tmp_path / "run", Turning(), 10).path
    document, events = Document(), []
    page = Page(document, read(path), "run", live=True)
    go_on(path, 4)
    document.on_change(events.append)
    page.show(read(path))
    streamed = [event for event in events if isinstance(event, ColumnsStreamedEvent)]
    assert not any(isinstance(event, ColumnDataChangedEvent) for event in events)
    lengths = sorted(len(next(iter(event.data.values()))) for event in streamed)
    assert lengths == [4, 4, 4 * 21, 4 * 21]  # curves, times of the frames; two vectors of seven sites
    assert page._slider.value == page._slider.end == 13  # who looks at the newest row goes on to do so
    go_on(path)
    page._slider.value = 3
    page.show(read(path))
    assert (page._slider.value, page._slider.end) == (3, 39)


def test_big_runs_show_few_rows_and_say_so() -> None:
    import xarray

    n_rows, n_sites = 5000, 500
    moments = np.zeros((n_rows, n_sites, 3), np.float32)
    dims = ("time", "site", "component")
    columns = {"moments": (dims, moments, {"units": "1"}), "density": ("time", np.zeros(n_rows))}
    labels = {"time": np.arange(n_rows), "site": np.arange(n_sites), "component": list("xyz")}
    data = xarray.Dataset(columns, labels)
    shown = content(data, n_rows)
    assert len(shown.frames) <= 251 and len(shown.rows) <= 2501 and shown.rows[-1] == shown.frames[-1] == n_rows - 1
    assert shown.notes == (
        "The curves show one row in 2 of 5000.", "The pictures show one row in 20 of 5000.",
        "Other columns of the run, not on this page: density.",
    )  # fmt: skip


def test_nothing_is_read_again_before_something_changes_and_damage_is_said(tmp_path: Path) -> None:
    path = folder_with(tmp_path / "run", Turning(), 10).path
    follower = Follower(path)
    follower.look()
    first = follower.state
    follower.look()
    assert follower.state is first and first.content is not None and first.complaint == ""
    tail = next((path / "segments").iterdir())
    with tail.open("r+b") as file:
        file.seek(200)
        write_all(file.fileno(), b"other")
    (path / "segments" / "touched").touch()
    follower.look()
    assert "damaged" in follower.state.complaint and follower.state.content is None  # the commit before it had no rows
    shutil.rmtree(path)
    follower.look()
    assert follower.state.complaint == f"{path} is gone; what is shown is what was read last"


def test_a_commit_while_the_folder_is_read_is_no_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint looked at is then older than the rows that were read: no time has passed between two of them."""
    path = folder_with(tmp_path / "run", Turning(), 10).path
    follower = Follower(path)
    follower.look()
    later = replace(follower.state, time=follower.state.time + 1.0, running=True)
    monkeypatch.setattr("llgnegf.view.folder.read", lambda _: later)
    (path / "segments" / "touched").touch()
    follower.look()
    assert follower.state == later


def test_of_an_ensemble_the_means_are_shown_and_of_other_sweeps_none(tmp_path: Path) -> None:
    import xarray

    moments = np.random.default_rng(2).normal(size=(4, 6, 2, 3))
    dims = ("realisation", "time", "site", "component")
    columns = {
        "moments": (dims, moments, {"units": "1", "long_name": "direction"}),
        "moments_mean": (dims[1:], moments.mean(0), {"units": "1", "long_name": "mean of direction"}),
    }
    coordinates = {"time": np.arange(6.0), "site": [0, 1], "component": list("xyz")}
    write_dataset(xarray.Dataset(columns, coordinates, {"input": INPUT}), tmp_path / "sweep.nc")
    state = read(tmp_path)
    assert state.content is not None and state.progress == "4 realisations, finished"
    assert np.array_equal(state.content.pictures["moments"].values, moments.mean(0))
    assert state.content.pictures["moments"].text == "mean of direction"
    assert "Means over the 4 realisations" in state.content.notes[0]
    panel = state.content.panels["moments"]
    for choice, of in {"mean of all sites": moments.mean(2), "site 1": moments[:, :, 1]}.items():
        error = of.std(0, ddof=1)[:, 1] / np.sqrt(4)  # of the mean over sites that of the sites' mean, not of any site
        assert np.allclose(panel.errors[choice, "y"], error, rtol=1e-12)
        shown = _columns(state.content)
        low, curve, high = (shown[f"moments/{choice}/y{edge}"] for edge in (LOW, "", HIGH))
        assert np.allclose([curve - low, high - curve], error, rtol=1e-5)
    other = xarray.Dataset(columns, coordinates).rename(realisation="run_rtol")
    write_dataset(other, tmp_path / "sweep.nc")
    with pytest.raises(ValueError, match="holds a sweep"):
        read(tmp_path)
    (tmp_path / "sweep.nc").unlink()
    folder_with(tmp_path / "run_00000", Turning(2))
    with pytest.raises(ValueError, match="holds a sweep.*run_00000"):
        read(tmp_path)


def test_show_page_and_notebook_have_the_same_table_of_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fixed step: its error is not known, and there is nothing else that could be wrong."""
    magnet = ln.Magnet(ln.uniform(1, "x"), magnetic_moment=1.0, energies=[ln.Zeeman([0, 0, 50.0])])
    result = ln.simulate(None, magnet, t_end=1.0, step=0.5, integrator="rk4", folder=tmp_path / "run")
    numbers = {"coupling_poles": "0.0e+00", "fermi_poles": "0.0e+00", "time_step": "not known"}
    assert {name: number for name, number, _ in error_rows(result.errors)} == numbers
    document = Document()
    page = Page(document, read(tmp_path / "run"), "run", live=False)._texts.text
    assert main(["show", str(tmp_path / "run")]) == 0
    said, notebook = capsys.readouterr().out, result._repr_html_()
    for name, number in numbers.items():
        bounds = result.errors[name].bounds
        assert re.search(rf"^  {name} +{re.escape(number)}  {re.escape(bounds)}$", said, re.MULTILINE)
        assert f"<td>{name}</td><td>{number}</td><td>{bounds}</td>" in page
        assert f'<th>{name}</th><td class="number">{number}</td><td>{bounds}</td>' in notebook
    right_hand_sides = f"{result.statistics['right_hand_sides']:g}"
    assert f"statistics: right hand sides {right_hand_sides}, " in said
    assert f'<th>right hand sides</th><td class="number">{right_hand_sides}</td>' in notebook


# --- commands ---------------------------------------------------------------------------------------------------------


def test_reports_replace_nothing_but_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, mine = folder_with(tmp_path / "run", Turning(12)).path, tmp_path / "mine.html"
    mine.write_text("mine")
    assert main(["report", str(path), "-o", str(mine)]) == 2
    (refused,) = capsys.readouterr().err.splitlines()
    assert refused == f"output: {mine} is there and is no report of llgnegf; allowed: another file with -o"
    assert main(["report", str(path), "-o", str(tmp_path)]) == 2 and mine.read_text() == "mine"
    for _ in range(2):
        assert main(["report", str(path)]) == 0
    assert 1e6 < (path / "report.html").stat().st_size < 3e6
    for command in ("view", "report"):
        assert main([command, str(tmp_path / "none")]) == 2
    RunFolder.create(tmp_path / "new", INPUT, [])
    capsys.readouterr()
    assert main(["report", str(tmp_path / "new")]) == 2 and "no rows yet" in capsys.readouterr().err


def test_without_bokeh_a_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder_with(tmp_path / "run", Turning(3)).path
    monkeypatch.setitem(sys.modules, "bokeh", None)
    for command in ("view", "report"):
        assert main([command, str(path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert 'pip install "llgnegf[view]"' in line


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def opened(browser: Any, url: str, offline: bool = False) -> Iterator[Any]:
    """The page at `url`, on which nothing may go wrong."""
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 900}, offline=offline)
    context.set_default_timeout(60_000)
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    try:
        page.goto(url)
        yield page
        assert wrong == []
    finally:
        context.close()


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address of the page of a folder; SIGINT ends the command in order."""
    command = [sys.executable, "-m", "llgnegf", "view", str(path), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()  # type: ignore[union-attr]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert [line for line in err.splitlines() if "Refusing websocket connection" not in line] == []
    finally:
        process.kill()


def slide(page: Any, key: str) -> None:
    page.locator(".noUi-handle").focus()
    page.keyboard.press(key)


def until(page: Any, holds: Callable[[], bool]) -> None:
    """Wait for what comes soon; TimeoutError names what does not."""
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(50)
    raise TimeoutError(inspect.getsource(holds))


def time_shown(page: Any) -> float:
    return float(page.locator(".bk-slider-title").inner_text().removeprefix("time: ").removesuffix(" fs"))


def said(page: Any) -> str:
    return "\n".join(page.locator("h1, h2, p, table, pre").all_inner_texts())


def picture(page: Any) -> bytes:
    return bytes(page.locator(".picture").first.screenshot())


def fits(page: Any) -> bool:
    """Whether nothing is wider than the window, at any of the widths."""
    found = []
    for width in (*WIDTHS[1:], WIDTHS[0]):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        found.append(page.evaluate("document.documentElement.scrollWidth") <= width)
    return all(found)


def test_a_page_follows_its_run_from_before_the_first_row_to_its_disappearance(browser: Any, tmp_path: Path) -> None:
    path = RunFolder.create(tmp_path / "run", INPUT, ["llgnegf", "run"]).path
    with served(path) as url, opened(browser, url) as page:
        page.get_by_text("No row is committed yet").wait_for()
        go_on(path, 10)
        page.locator(".picture").first.wait_for()
        until(page, lambda: page.locator(".picture").count() == 3 and time_shown(page) == 0.25 * 9)
        assert fits(page)
        before = {name.relative_to(path): name.stat().st_mtime_ns for name in path.rglob("*")}
        last = picture(page)
        slide(page, "ArrowLeft")
        until(page, lambda: time_shown(page) == 0.25 * 8 and picture(page) != last)
        slide(page, "End")
        until(page, lambda: picture(page) == last)
        page.get_by_role("button", name="Play").click()
        page.get_by_role("button", name="Pause").wait_for()
        page.get_by_role("button", name="Play").wait_for()
        assert time_shown(page) == 0.25 * 9
        assert {name.relative_to(path): name.stat().st_mtime_ns for name in path.rglob("*")} == before
        go_on(path, 10)
        page.get_by_text("20 of 40 rows, 4.75 of 9.75 fs").wait_for()
        until(page, lambda: time_shown(page) == 4.75)
        go_on(path)
        page.get_by_text("40 of 40 rows, 9.75 of 9.75 fs, finished").wait_for()
        shutil.rmtree(path)
        page.get_by_role("alert").get_by_text("is gone").wait_for()


def test_nobody_is_let_in_without_the_token_or_from_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder_with(tmp_path / "run", Turning(5)).path
    with served(path) as url:
        address, port, token = re.fullmatch(r"http://(.+):(\d+)/([\w-]{32,})/", url).groups()  # type: ignore[union-attr]
        assert address == "127.0.0.1" and urllib.request.urlopen(url, timeout=10).status == 200
        nearly = token[:-1]
        for wrong in ("", "ws", "static/js/bokeh.min.js", f"{nearly}/", f"{nearly}/ws", f"x{token}/", "autoload.js"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://{address}:{port}/{wrong}", timeout=10)
        assert handshake(int(port), "/ws").startswith(b"HTTP/1.1 404")
        assert handshake(int(port), f"/{token}/ws", "http://elsewhere.org").startswith(b"HTTP/1.1 403")
        for other in {"127.0.0.2", socket.gethostbyname(socket.gethostname())} - {"127.0.0.1"}:
            with pytest.raises(OSError), socket.create_connection((other, int(port)), timeout=5):  # noqa: PT011
                pass
        assert main(["view", str(path), "--no-browser", "--port", port]) == 2
        assert capsys.readouterr().err == f"port: {port} is in use or not permitted; allowed: another one with --port\n"


def handshake(port: int, path: str, origin: str = "http://127.0.0.1") -> bytes:
    """The first bytes of the answer to one who asks for a websocket."""
    lines = [
        f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", f"Origin: {origin}", "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(64)


PLANE = honeycomb(3, 2).positions
REPORTED = {
    "wire": lambda: Turning(40, 7),
    "one moment, NaN": lambda: Broken(40, 1),
    "plane": lambda: Turning(40, len(PLANE), PLANE),
    "classical": lambda: FakeSimulation(40),
}
"""Runs of all kinds: along a wire, of one moment with values that are not finite, in a plane, with few columns."""


@pytest.mark.parametrize("kind", REPORTED)
def test_a_report_needs_neither_server_nor_network(browser: Any, tmp_path: Path, kind: str) -> None:
    simulation = REPORTED[kind]()
    path = folder_with(tmp_path / "run", simulation).path
    assert main(["report", str(path), "-o", str(tmp_path / "r.html")]) == 0
    with opened(browser, (tmp_path / "r.html").as_uri(), offline=True) as page:
        page.locator(".noUi-handle").wait_for()
        until(page, lambda: time_shown(page) == 9.75)
        assert fits(page)
        last = picture(page)
        slide(page, "Home")
        until(page, lambda: time_shown(page) == 0 and picture(page) != last)
        text = said(page)
        assert "coupling_poles" in text and "4.0e-06" in text  # 1e-7 for each of the 40 rows
        assert ("not finite" in text) == (kind == "one moment, NaN")
        for heading in ("Input", "Provenance"):
            page.get_by_text(heading, exact=True).click()
        assert "damping = 0.02" in said(page) and "llgnegf run <in>.toml" in said(page)
        slide(page, "ArrowRight")
        until(page, lambda: time_shown(page) == 0.25)
        drawn = page.evaluate(DRAWN)
        if kind == "plane":
            exact = [simulation.columns(1)[name][:, 2] for name in ("moments", "torque")]
        elif kind != "classical":
            exact = [simulation.columns(1)[name].T for name in ("moments", "torque")]
        for found, expected in zip(drawn, exact if kind != "classical" else [], strict=kind != "classical"):
            assert np.abs(np.array(found) - expected).max() <= np.abs(expected).max() / WHOLE
        if kind == "plane":
            across, up = page.evaluate(SCALES)
            assert abs(across / up - 1) < 0.01
        if kind == "wire":
            curves = page.locator(".panel").first
            mean = curves.screenshot()
            page.locator("select").select_option("site 6")
            until(page, lambda: curves.screenshot() != mean)


SCALES = """
["width", "height"].map((side, a) => {
  const plot = Bokeh.documents[0].get_model_by_name("plane of moments"), range = a ? plot.y_range : plot.x_range
  return plot[`inner_${side}`] / (range.end - range.start)
})
"""
"""Pixels of a nm."""
DRAWN = """
["moments", "torque"].map((name) => {
  const find = (text) => Bokeh.documents[0].get_model_by_name(`${name} ${text}`)
  const wire = find("along the wire"), plane = find("of the sites")
  return wire ? ["x", "y", "z"].map((a) => Array.from(wire.data[a])) : plane ? Array.from(plane.data.value) : []
})
"""
"""What is on the screen: components along the wire, or the one across the plane."""
