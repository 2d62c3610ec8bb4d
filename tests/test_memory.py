"""Memory of a run: the estimate against what is taken, what counts as available, refusals before anything is made."""

from __future__ import annotations

import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inputs import turning

import llgnegf as ln
from llgnegf.cli import main
from llgnegf.equations.layout import Layout
from llgnegf.run import memory
from llgnegf.store.identity import differences, identity

INPUT = turning(n_sites=4, t_end=1.0)


def ribbon(n_x: int, n_y: int) -> tuple[ln.OpenSystem, ln.Precession]:
    lattice = ln.square(n_x, n_y)
    leads = [lattice.lead("left"), lattice.lead("right")]
    system = ln.OpenSystem(lattice.electrons(1.0, j_sd=0.1), leads, fermi_energy=0.0, kT=0.05)
    return system, ln.Precession(ln.bloch_wall(lattice, center=1.0, width=1.0), energy=0.05, axis="z")


@pytest.mark.parametrize(("size", "options"), [((8, 4), {}), ((120, 1), {"rtol": 1e-3}), ((4, 4), {"start": "steady"})])
def test_the_estimate_is_what_a_run_takes(size: tuple[int, int], options: dict[str, Any]) -> None:
    """Within a factor of 1.5 of the peak of all that NumPy and Python hold, start and steps included."""
    options = {"t_end": 0.5, "save_every": 0.5, "rtol": 1e-4, **options}
    for _ in ln.Simulation(*ribbon(*size), **options).rows():  # tables and kernels, once for a process
        pass
    tracemalloc.start()
    run = ln.Simulation(*ribbon(*size), **options)
    for _ in run.rows():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / 1.5 < 1e6 * run.statistics["memory_MB"] < 1.5 * peak


def test_the_estimate_by_hand() -> None:
    """3 device states and 4 modes, of which the state has 11 columns beside blocks of the modes."""
    layout = Layout(3, (2, 2), 4, 0, 2)
    state = 8 * layout.size
    start = 16 * (memory.MATRICES * 7**2 + memory.COLUMNS * 100 * 3 * 4) + 3 * state
    assert memory.full_run(layout, 0, 4) == memory.VECTORS * state < memory.full_run(layout, 100, 4) == start


@pytest.fixture
def nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a Green function or a state at t = 0 fails."""
    def fail(*arguments: Any) -> None:
        raise AssertionError("made before it was refused")

    monkeypatch.setattr("llgnegf.static.frozen.FrozenDevice.__init__", fail)
    monkeypatch.setattr("llgnegf.run.simulation.initial_state", fail)
    monkeypatch.setattr("llgnegf.run.slow_simulation.slow_electrons", fail)


def test_a_run_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch, nothing_is_made: None) -> None:
    monkeypatch.setattr(memory, "available", lambda: 5e6)
    with pytest.raises(ValueError, match="simulate.memory: ") as caught:
        ln.simulate(*ribbon(8, 4), t_end=1.0)
    (line,) = str(caught.value).splitlines()
    assert " GB for 64 device states, " in line and "; allowed: at most 0.005 GB, what is free here: " in line
    assert all(word in line for word in ("larger rtol", "warmer leads", "fewer sites", "'adiabatic'", "memory = "))
    with pytest.raises(ValueError, match=r"^simulate.memory: .* at most 0.002 GB, the limit: a larger rtol"):
        ln.simulate(*ribbon(8, 4), t_end=1.0, memory=0.002)
    magnet = ln.Magnet(ribbon(8, 4)[1].moments(0.0), 1.0, 0.1)
    with pytest.raises(ValueError, match=r"^simulate.memory: 0.0524 GB for 800 .*: fewer sites, or memory"):
        ln.simulate(ribbon(8, 4)[0], magnet, t_end=1.0, electrons="adiabatic")
    for wrong in (0.0, -1.0, "much"):
        with pytest.raises(ValueError, match="^simulate.memory: .*; allowed: .*a number > 0, in GB$"):
            ln.simulate(*ribbon(8, 4), t_end=1.0, memory=wrong)  # type: ignore[arg-type]


def test_a_limit_of_ones_own_goes_before_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 0.0)
    magnet = ln.Magnet([[1.0, 0.0, 0.0]], 1.0, 0.1, ln.Zeeman([0, 0, 10.0]))
    with pytest.raises(ValueError, match=r"memory: 4.8e-07 GB for 1 moments"):
        ln.simulate(None, magnet, t_end=1.0)
    assert ln.simulate(None, magnet, t_end=1.0, memory=1e-3).statistics["memory_MB"] >= 0


def test_the_command_line_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], nothing_is_made: None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.toml").write_text(INPUT.replace("t_end = 1.0", "t_end = 1.0\nmemory = 1e-5"))
    assert main(["run", "in.toml", "-q"]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == "" and line.startswith("run.memory: 0.00") and "at most 1e-05 GB, the limit" in line
    assert not Path("runs").exists()


def test_show_has_the_estimate_and_another_limit_goes_on_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("llgnegf.commands.plot.draw_plots", lambda *_, **__: pytest.fail("nothing is left to do"))
    from llgnegf.config import RunConfig
    from llgnegf.store import RunFolder, run_in_folder

    config = RunConfig.loads(INPUT)
    folder = RunFolder.create("runs/in", config.to_toml(), [])
    assert run_in_folder(folder, config.simulation())
    assert main(["show", "runs/in"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("statistics: "))
    assert "memory (MB)" in line and "right hand sides" in line
    text = INPUT.replace("t_end = 1.0", "t_end = 1.0\nmemory = 2.0")
    limited = RunConfig.loads(text).to_toml()
    assert "memory = 2.0" in limited and identity(limited) == identity(config.to_toml())
    assert list(differences(config.to_toml(), limited)) == []
    RunFolder.open_or_create("runs/in", limited, [])  # not refused


MEMINFO = "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    4000 kB\n"
V2 = {
    "/proc/self/cgroup": "0::/job/step\n", "/cg/job/memory.max": "3000000\n", "/cg/job/memory.current": "1500000\n",
    "/cg/job/memory.stat": "anon 1\ninactive_file 250000\n", "/cg/job/step/memory.max": "max\n",
    "/cg/job/step/memory.current": "1\n",
}  # fmt: skip
V1 = {
    "/proc/self/cgroup": "3:cpuset:/\n2:cpu,memory:/slurm/job\n", "/cg/memory/slurm/memory.limit_in_bytes": "2000000\n",
    "/cg/memory/slurm/memory.usage_in_bytes": "800000\n",
    "/cg/memory/slurm/memory.stat": "total_inactive_file 100000\n",
    "/cg/memory/slurm/job/memory.limit_in_bytes": "9223372036854771712\n",
    "/cg/memory/slurm/job/memory.usage_in_bytes": "800000\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "bytes_free"), [({}, 4096000), (V2, 1750000), (V1, 1300000)], ids=["machine", "version 2", "version 1"]
)
def test_control_groups_and_the_machine_say_what_is_free(
    files: dict[str, str], bytes_free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"/proc/meminfo": MEMINFO, **files}
    monkeypatch.setattr(memory, "GROUPS", "/cg")
    monkeypatch.setattr(memory, "_text", lambda path: given.get(str(path), ""))
    assert memory.available() == bytes_free


def test_a_system_that_says_nothing_is_taken_for_its_whole_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_text", lambda path: "")
    physical: Callable[[], float] = memory.memory_of_machine
    assert memory.available() == physical() > 0


def test_a_limit_of_addresses_counts() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    try:
        resource.setrlimit(resource.RLIMIT_AS, (used + 10**8, before[1]))
        assert 0.5e8 < memory.available() <= 1e8
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
