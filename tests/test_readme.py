"""README and tour tell the truth: their Python gives what they say, the commands and scripts named are there."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pages
import pytest

from llgnegf.cli import build_parser
from llgnegf.units import GYROMAGNETIC_RATIO

ROOT = Path(__file__).parents[1]
README, TOUR = ROOT / "README.md", ROOT / "docs" / "tour.md"
TEXT = README.read_text()


def blocks(language: str) -> list[str]:
    return [block.text for block in pages.blocks(TEXT) if block.language == language]


def moved(result):
    """Largest change of a component of a moment."""
    moments = result.dataset.moments
    return float(abs(moments - moments.isel(time=0)).max())


def run(page, folder):
    """The names after each block of Python, what all printed, and the files they made."""
    after, printed = pages.run(page, folder)
    return after, printed, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_blocks_of_the_tour_run_one_after_the_other_and_show_what_they_say(tmp_path):
    after, printed, _ = run(TOUR, tmp_path)
    names = after[-1]
    turning, driven = (n["result"] for n in after[:2])
    assert "lead_spin_current" in printed
    assert float(names["pulse"].drive_work[-1]) > 0.01
    for result in (turning, driven):
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
    # Slow electrons follow: what they miss of the motion is far below the motion.
    assert abs(names["slow"].dataset.moments - driven.dataset.moments).max() < 1e-3 * moved(driven)


def test_a_voltage_moves_the_wall_of_the_ribbon_against_the_flow(tmp_path):
    after, printed, files = run(README, tmp_path)
    (names,) = after
    ln, data = names["ln"], names["result"].dataset
    assert "center of the wall" in printed and {"wall.gif", "ribbon.png"} <= set(files)
    assert files["wall.gif"].startswith(b"GIF8") and len(blocks("python")[0].splitlines()) <= 20
    assert float(data.lead_charge_out.sel(lead=0)[-1]) > 1  # electrons flow to the left
    position = ln.analysis.wall_position(data.moments)
    assert (position[-1] - position[0] > 1).all()
    # Without the voltage nothing carries it away.
    at_rest = dataclasses.replace(names["left"], voltage=0.0)
    system = dataclasses.replace(names["system"], leads=[at_rest, names["right"]])
    still = ln.simulate(system, ln.relax(None, names["magnet"]), t_end=10.0, save_every=10.0, rtol=1e-3).dataset
    shift = ln.analysis.wall_position(still.moments)[-1] - 4.5
    assert abs(shift).max() < 0.1 * (position.sel(time=10.0) - position[0]).min()


def test_every_command_is_one_of_the_command_line():
    named = set(re.findall(r"^\| `llgnegf (\w+)", TEXT, flags=re.MULTILINE))
    assert named == {"run", "resume", "rerun", "show", "view", "report", "plot", "oracle", "figure", "sweep"}
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
