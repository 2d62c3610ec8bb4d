"""The README tells the truth: its Python runs, its commands exist, its scripts are there."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pages
import pytest

from llgnegf.cli import build_parser
from llgnegf.units import GYROMAGNETIC_RATIO

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return [block.text for block in pages.blocks(TEXT) if block.language == language]


def moved(result):
    """Largest change of a component of a moment."""
    moments = result.dataset.moments
    return float(abs(moments - moments.isel(time=0)).max())


@pytest.fixture(scope="module")
def snippets(tmp_path_factory):
    """The names after each block, run one after the other, and what they printed."""
    folder = tmp_path_factory.mktemp("readme")
    after, printed = pages.run(ROOT / "README.md", folder)
    return after, printed, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_python_snippets_run_one_after_the_other_and_show_what_they_say(snippets):
    after, printed, _ = snippets
    names = after[2]
    results = [n["result"] for n in after]
    assert "lead_spin_current" in printed
    turning, driven = results[:2]
    assert float(names["pulse"].drive_work[-1]) > 0.01
    for result in results:
        assert abs((result.dataset.moments**2).sum("component") - 1).max() < 1e-12
    # A turn of 0.05 eV/hbar (60 - 20/2) fs = 3.8 rad, which pumps spin into both leads as the rotating frame says.
    assert moved(turning) > 1.5
    exact = names["frame"].lead_currents().spin[:, 2]
    spin = turning.dataset.lead_spin_current.isel(time=-1, component=2).values
    assert (exact > 1e-5).all() and abs(spin - exact).max() < 0.05 * exact.min()
    # The field turns the middle of the wall by g B (20 - 5/2) fs; exchange with the ends that are held, and electrons,
    # change that by less than a tenth. Without the field nothing moves: it is at rest. The wall is still there.
    x, y, z = driven.dataset.moments.sel(site=3).values.T
    azimuth = np.unwrap(np.arctan2(y, x))
    larmor = GYROMAGNETIC_RATIO * 100.0 * 17.5
    assert abs(azimuth[-1] - azimuth[0] - larmor) < 0.1 * larmor and abs(np.degrees(larmor) - 18) < 0.5
    assert abs(z).max() < 0.1 and driven.dataset.moments.values[-1, [0, -1], 2].prod() < -0.9
    ln, magnet = names["ln"], names["magnet"]
    no_field = dataclasses.replace(magnet, energies=magnet.energies[:2])
    at_rest = ln.simulate(names["system"], ln.relax(names["system"], no_field), t_end=20.0, save_every=1.0)
    assert moved(at_rest) < 1e-6 < 0.1 < moved(driven)


def test_a_voltage_moves_the_wall_of_the_ribbon_against_the_flow(snippets):
    after, printed, files = snippets
    names = after[3]
    ln, data = names["ln"], names["result"].dataset
    assert "center of the wall" in printed and {"wall.gif", "ribbon.png"} <= set(files)
    assert files["wall.gif"].startswith(b"GIF8") and len(blocks("python")[3].splitlines()) < 20
    assert float(data.lead_charge_out.sel(lead=0)[-1]) > 1  # electrons flow to the left
    moved_by = ln.analysis.wall_position(data.moments)[-1] - ln.analysis.wall_position(data.moments)[0]
    assert (moved_by > 1).all()
    # Without the voltage nothing carries it away: what the electrons do to its shape is small beside that.
    lead = names["ribbon"].lead("left", hopping=1.0)
    system = dataclasses.replace(names["system"], leads=[lead, names["leads"][1]])
    options = {"t_end": 40.0, "save_every": 40.0, "rtol": 1e-3}
    still = ln.simulate(system, ln.relax(None, names["magnet"]), **options).dataset
    shift = ln.analysis.wall_position(still.moments)[-1] - 4.5
    assert abs(shift).max() < 0.1 * moved_by.min()


def test_every_command_is_one_of_the_command_line():
    named = set(re.findall(r"^\| `llgnegf (\w+)", TEXT, flags=re.MULTILINE))
    assert named == {"run", "resume", "rerun", "show", "plot", "oracle", "figure", "sweep"}
    for command in named:
        with pytest.raises(SystemExit) as stop:
            build_parser().parse_args([command, "--help"])
        assert stop.value.code == 0


def test_both_commands_need_only_python3():
    for block in blocks("sh"):
        line = block.strip()
        assert "\n" not in line
        assert line.startswith('VENV="${VENV:-.venv}"; python3 -m venv "$VENV" && "$VENV/bin/pip" install')


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:examples|validation|llgnegf|docs)/[\w./]+\w)`", TEXT))))
def test_every_file_named_is_there(path):
    assert (ROOT / path).exists()
