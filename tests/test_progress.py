"""One convention of progress for all that takes long: nothing, a bar or lines, or a call of one's own function."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import llgnegf as ln
from llgnegf.run import progress as module
from llgnegf.run.progress import shown

SYSTEM = ln.OpenSystem(ln.chain(2, 1.0, 0.2), [ln.ChainLead(0)], 0.0, 0.1)
MAGNET = ln.Magnet(ln.cone(2, 0.5), magnetic_moment=2.0, energies=[ln.Zeeman([0, 0, 10.0])], damping=0.1)
SWEEP = """
schema_version = 1
[run]
t_end = 2.0
[texture]
kind = "cone"
n_sites = 1
angle = 0.5
[magnet]
magnetic_moment = 1.0
[sweep.parameters]
"magnet.damping" = [0.0, 0.1]
"""


def sweep(folder: Path, progress: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return ln.run_sweep(ln.RunConfig.loads(SWEEP), folder, pool, progress=progress)


def ensemble(folder: Path, progress: Any) -> Any:
    return ln.langevin_ensemble(
        None, MAGNET, temperature=0.01, t_end=2.0, step=1.0, save_every=1.0, copies=2, seed=1, progress=progress
    )


LONG: dict[str, tuple[Callable[[Path, Any], Any], list[str], float]] = {
    "full": (
        lambda folder, progress: ln.simulate(SYSTEM, MAGNET, t_end=2.0, progress=progress),
        ["set-up", "error budget", "running"], 2.0,
    ),
    "slow": (
        lambda folder, progress: ln.simulate(SYSTEM, MAGNET, t_end=2.0, electrons="adiabatic", progress=progress),
        ["set-up", "error budget", "running"], 2.0,
    ),
    "in a folder": (
        lambda folder, progress: ln.simulate(None, MAGNET, t_end=2.0, folder=folder / "run", progress=progress),
        ["set-up", "error budget", "running", "writing the result"], 2.0,
    ),
    "relax": (lambda folder, progress: ln.relax(None, MAGNET, progress=progress), ["set-up", "relaxing"], 6.0),
    "sweep": (sweep, ["running"], 2.0),
    "ensemble": (ensemble, ["set-up", "running"], 2.0),
}  # fmt: skip
"""For each a call, its stages, and the total it comes to, or for `relax` the least it may be: from B mu sin(0.5) to
1e-9 eV, with B mu = 1.2e-3 eV, it is 5.8 decades, and the torque on the way is larger than at the start."""


@pytest.mark.parametrize("name", LONG)
def test_a_function_gets_done_total_and_text(tmp_path: Path, name: str) -> None:
    call, stages, end = LONG[name]
    told: list[tuple[float, float, str]] = []
    call(tmp_path, lambda done, total, text: told.append((done, total, text)))
    assert list(dict.fromkeys(text for *_, text in told)) == stages
    assert all(0 <= done <= total for done, total, _ in told)
    done = [done for done, total, text in told if text in ("running", "relaxing")]
    assert done == sorted(done)
    assert told[-1][0] == told[-1][1] >= (end if name != "relax" else 5.0)


@pytest.mark.parametrize("name", LONG)
def test_a_function_of_two_and_the_old_values_are_taken_too(tmp_path: Path, name: str) -> None:
    told: list[tuple[float, float]] = []
    LONG[name][0](tmp_path, lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > 0
    LONG[name][0](tmp_path / "off", False)
    LONG[name][0](tmp_path / "none", None)


@pytest.mark.parametrize("name", LONG)
def test_what_is_neither_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"^progress: 'yes'; allowed: True, False, or a function of"):
        LONG[name][0](tmp_path, "yes")


def test_a_log_gets_lines_with_percentages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a clock of our own: a report each second for 100 s, after a set-up of 20 s."""
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    with shown(True, "fs") as report:
        report(0.0, 0.0, "set-up")
        clock[0] = 20.0
        for second in range(101):
            clock[0] = 20.0 + second
            report(2.0 * second, 200.0, "running")
    lines = capsys.readouterr().err.splitlines()
    assert "llgnegf: running 50 %, 100 of 200 fs (50 s, 50 s left)" in lines
    assert lines[0] in ("llgnegf: set-up (20 s)", "llgnegf: running 0 %, 0 of 200 fs (0 s)")  # as the thread is quick
    assert 20 <= len(lines) <= 22  # one for each 5 %


def test_a_short_run_leaves_the_log_empty(capsys: pytest.CaptureFixture[str]) -> None:
    ln.simulate(None, MAGNET, t_end=2.0, progress=True)
    assert capsys.readouterr() == ("", "")


def test_a_stage_that_reports_nothing_shows_while_it_lasts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "LINE_S", 0.05)
    with shown(True, "fs") as report:
        report(0.0, 0.0, "set-up")
        time.sleep(0.5)
        assert re.fullmatch(r"llgnegf: set-up \(\d+ s\)\n", capsys.readouterr().err)  # more than 0 s on a busy machine


def test_a_terminal_gets_a_bar_with_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    ln.simulate(None, MAGNET, t_end=2.0, progress=True)
    drawn = terminal.getvalue()
    assert drawn.index("set-up") < drawn.index("error budget") < drawn.index("running")
    assert "2/2 fs" in drawn.split("\r")[-1]
