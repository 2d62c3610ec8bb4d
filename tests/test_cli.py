"""The command line as people meet it: in a process of its own, with exit codes and not a line too many."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray
from inputs import turning

import llgnegf as ln
from llgnegf._netcdf import digest_path, write_dataset
from llgnegf.cli import build_parser, main
from llgnegf.config import RunConfig
from llgnegf.plots.run import PlotReport
from llgnegf.store import RunFolder, StorageError

COMMANDS = ("run", "resume", "rerun", "show", "view", "report", "plot", "oracle", "figure", "sweep")

SMALL = turning(n_sites=2, t_end=2.0)

CLASSICAL = """
schema_version = 1
[run]
t_end = {t_end}
save_every = 0.5
checkpoint_every = 0.05
[texture]
kind = "cone"
n_sites = 1
angle = 0.5
[magnet]
magnetic_moment = 1.0
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 10.0]
"""


def llgnegf(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """One command in its own process, with no terminal."""
    command = [sys.executable, "-m", "llgnegf.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def complaints(err: str) -> list[str]:
    """The lines of stderr without those of the progress, which a log gets from the fifth second on."""
    return [line for line in err.splitlines() if not line.startswith("llgnegf: ")]


def called(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, list[str], list[str]]:
    """One command in this process: exit code, lines of stdout and complaints."""
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out.splitlines(), complaints(err)


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without pictures, which have tests of their own."""
    monkeypatch.setattr("llgnegf.commands.plot.draw_plots", lambda *_, **__: PlotReport((), {}))


def test_help_fits_one_screen_and_every_command_has_an_example() -> None:
    text = build_parser().format_help().splitlines()
    assert len(text) <= 24 and max(map(len, text)) <= 80
    assert all(re.search(rf"^  {name}\b", "\n".join(text), re.M) for name in COMMANDS)
    actions = next(a for a in build_parser()._actions if a.dest == "command")
    assert isinstance(actions.choices, dict) and tuple(actions.choices) == COMMANDS
    for name, parser in actions.choices.items():
        assert f"example:\n  llgnegf {name} " in parser.format_help()


def test_help_in_a_process(tmp_path: Path) -> None:
    done = llgnegf("run", "--help", cwd=tmp_path)
    assert done.returncode == 0 and "example:" in done.stdout and done.stderr == ""


def test_examples_in_the_help_are_real_input_files() -> None:
    root = Path(__file__).parents[1]
    actions = next(a for a in build_parser()._actions if a.dest == "command")
    assert isinstance(actions.choices, dict)
    named = {m for p in actions.choices.values() for m in re.findall(r"examples/\w+\.toml", p.format_help())}
    assert named == {"examples/bloch_wall.toml", "examples/sweep.toml"}
    assert all((root / name).is_file() for name in named)


def test_bad_input_is_answered_quickly_without_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(SMALL.replace("j_sd", "jsd").replace("t_end = 2.0", "t_end = nan"))
    began = sum(os.times()[2:4])
    done = llgnegf("run", "bad.toml", cwd=tmp_path)
    # Processor time, which other work on the machine does not lengthen; the bound is the requirement on a free one.
    assert sum(os.times()[2:4]) - began < 2.0
    assert done.returncode == 2 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["run.t_end", "electrons.jsd"]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("run", "none.toml"), "none.toml: cannot be read"),
        (("oracle", "none.toml"), "none.toml: cannot be read"),
        (("sweep", "small.toml"), "sweep: missing"),
        (("resume", "nowhere"), "folder: nowhere holds no input.toml"),
        (("show", "."), "folder: . holds no input.toml"),
        (("plot", "nowhere"), "folder: nowhere holds no input.toml"),
        (("run", "small.toml", "-o", "full"), "folder: full holds 'letter.txt'; allowed: a new or empty folder"),
        (("run", "broken.toml"), "broken.toml: "),
    ],
)
def test_wrong_requests_are_one_line_and_exit_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "broken.toml").write_text("[run\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    code, out, err = called(capsys, *arguments)
    assert code == 2 and out == [] and len(err) == 1 and err[0].startswith(line), err


def test_unknown_options_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = (["run", "a", "--fast"], ["sweep", "a", "-j", "0"], ["view", "a", "--port", "65536"])
    for arguments in (["run"], ["walk"], *wrong):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        assert "Traceback" not in capsys.readouterr().err


def test_a_whole_run_from_the_shell(tmp_path: Path) -> None:
    """run, show, and the stored result against the same run from Python."""
    (tmp_path / "moment.toml").write_text(CLASSICAL.format(t_end=2.0))
    done = llgnegf("run", "moment.toml", cwd=tmp_path)
    assert done.returncode == 0 and complaints(done.stderr) == [] and "\r" not in done.stderr, done.stderr  # no bar
    assert "runs/moment/result.nc" in done.stdout and "next: llgnegf show runs/moment" in done.stdout
    assert "time_step" in done.stdout  # the error budget
    assert list((tmp_path / "runs/moment/plots").glob("*.png"))
    magnet = ln.Magnet(ln.cone(1, 0.5), 1.0, energies=[ln.Zeeman([0.0, 0.0, 10.0])])
    result = ln.simulate(None, magnet, t_end=2.0, save_every=0.5)
    with xarray.open_dataset(tmp_path / "runs/moment/result.nc") as stored:
        for name, variable in result.dataset.data_vars.items():
            assert np.array_equal(stored[name].values, variable.values), name
    shown = llgnegf("show", "runs/moment", cwd=tmp_path)
    assert shown.returncode == 0 and "5 of 5 rows" in shown.stdout and "git_revision" in shown.stdout


def test_a_folder_is_used_again_for_the_same_input_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_plots: None
) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "moment.toml"
    source.write_text(CLASSICAL.format(t_end=2.0))
    assert called(capsys, "run", source, "-q") == (0, [], [])
    code, out, _ = called(capsys, "run", source)  # finished, but without plots, as after a kill while they are drawn
    assert code == 0 and not any("nothing to do" in line for line in out)
    plots = tmp_path / "runs" / "moment" / "plots"
    plots.mkdir()
    for text in ("", "plots of 3 rows\n"):  # killed while drawing; drawn with `llgnegf plot` before the run's end
        (plots / "contents.txt").write_text(text)
        code, out, _ = called(capsys, "run", source)
        assert code == 0 and not any("nothing to do" in line for line in out)
    (plots / "contents.txt").write_text("plots of 5 rows\n")
    code, out, _ = called(capsys, "run", source)
    assert code == 0 and out[0].endswith("is finished already; nothing to do")
    source.write_text(CLASSICAL.format(t_end=1.0))  # would end before the checkpoint of the run that is there
    code, _, err = called(capsys, "run", source)
    assert code == 2 and len(err) == 1
    assert err == ["folder: runs/moment holds the run of another input (run.t_end: 1.0 instead of 2.0); "
                   "allowed: another folder with -o DIR, or that input"]  # fmt: skip
    assert called(capsys, "run", source, "-o", tmp_path / "other", "-q")[0] == 0


def test_files_of_the_same_name_do_not_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_plots: None
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {"a": CLASSICAL.format(t_end=2.0), "b": CLASSICAL.format(t_end=1.0).replace("angle = 0.5", "angle = 0.7")}
    for folder, text in texts.items():
        Path(folder).mkdir()
        Path(folder, "wire.toml").write_text(text)
        Path(folder, "scan.toml").write_text(text + '[sweep.parameters]\n"texture.angle" = [0.2]\n')
    assert called(capsys, "run", "a/wire.toml", "-q") == (0, [], [])
    assert called(capsys, "sweep", "a/scan.toml", "-q") == (0, [], [])
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")}
    code, _, (line,) = called(capsys, "run", "b/wire.toml")
    assert code == 2 and line.startswith("folder: runs/wire holds the run of another input (") and "-o DIR" in line
    code, _, (line,) = called(capsys, "sweep", "b/scan.toml")
    assert code == 2 and line.startswith("folder: runs/scan/run_00000 holds the run of another input (")
    assert "-o DIR" in line
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")} == before
    assert called(capsys, "run", "b/wire.toml", "-q", "-o", "runs/b") == (0, [], [])


@pytest.mark.parametrize(
    ("stop", "code"),
    [(KeyboardInterrupt(), 130), (StorageError(Path("plots"), "cannot write: No space left on device"), 1)],
)
def test_plots_that_were_stopped_are_drawn_by_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stop: BaseException, code: int
) -> None:
    """The pictures are there already, and the folder; the animation is not."""
    pictures = {"moments.png", "energies.png"}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moment.toml").write_text(CLASSICAL.format(t_end=2.0))

    def stopped(dataset: xarray.Dataset) -> bytes:
        raise stop

    with monkeypatch.context() as patched:
        patched.setattr("llgnegf.plots.run.animation", stopped)
        assert called(capsys, "run", "moment.toml", "-o", "a")[0] == code
    assert {path.name for path in Path("a/plots").iterdir()} == pictures and Path("a/result.nc").exists()
    done, out, err = called(capsys, "resume", "a")
    assert (done, err) == (0, []) and "3 files in a/plots" in "\n".join(out)
    assert {path.name for path in Path("a/plots").iterdir()} == {*pictures, "texture.gif", "contents.txt"}
    assert "nothing to do" in called(capsys, "resume", "a")[1][0]
    drawn = [line for line in called(capsys, "plot", "a")[1] if not line.startswith("not drawn")]
    names = ["moments.png", "moments.pdf", "energies.png", "energies.pdf", "texture.gif"]
    assert drawn == [f"a/plots/{name}" for name in names]


def test_rerun_reproduces_the_bits_and_says_when_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_plots: None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moment.toml").write_text(CLASSICAL.format(t_end=2.0))
    assert called(capsys, "run", "moment.toml", "-q", "-o", "a")[0] == 0
    (tmp_path / "moment.toml").unlink()
    code, out, _ = called(capsys, "rerun", "a")
    assert code == 0 and out[-1] == "a-rerun: every array is bit for bit that of a"
    with xarray.open_dataset("a/result.nc") as stored:
        changed = stored.load()
    changed["moments"].values[-1, 0, 0] += 1e-12
    write_dataset(changed, Path("a/result.nc"))
    digest_path(Path("a/result.nc")).unlink()
    code, out, _ = called(capsys, "rerun", "a", "-o", "b")
    assert code == 1 and out[0] == "b: differs from a" and "moments: differs by up to 1e-12" in out[1]


def test_a_reader_that_has_seen_enough_does_not_change_the_exit_code(tmp_path: Path, no_plots: None) -> None:
    (tmp_path / "moment.toml").write_text(CLASSICAL.format(t_end=1.0))
    for name in ("a", "b"):
        assert main(["run", str(tmp_path / "moment.toml"), "-q", "-o", str(tmp_path / name)]) == 0
    with xarray.open_dataset(tmp_path / "a/result.nc") as stored:
        changed = stored.load()
    changed["moments"].values[-1, 0, 0] += 1e-12
    write_dataset(changed, tmp_path / "a/result.nc")
    digest_path(tmp_path / "a/result.nc").unlink()
    for arguments, code in ((["rerun", "a", "-o", "b"], 1), (["show", "b"], 0)):
        command = [sys.executable, "-m", "llgnegf", *arguments]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()  # type: ignore[union-attr]
        assert process.stderr.read() == b"" and process.wait() == code  # type: ignore[union-attr]


def test_results_are_read_where_hdf5_gets_no_lock(tmp_path: Path, no_plots: None) -> None:
    """A lock that is held stands for a file system without locks: both make flock fail."""
    (tmp_path / "moment.toml").write_text(CLASSICAL.format(t_end=1.0))
    assert main(["run", str(tmp_path / "moment.toml"), "-q", "-o", str(tmp_path / "a")]) == 0
    with open(tmp_path / "a/result.nc", "rb") as result:
        fcntl.flock(result, fcntl.LOCK_EX)
        done = llgnegf("rerun", "a", "-o", "b", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "b: every array is bit for bit that of a"


def test_show_takes_a_provenance_of_any_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_plots: None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moment.toml").write_text(CLASSICAL.format(t_end=1.0))
    assert called(capsys, "run", "moment.toml", "-q", "-o", "a")[0] == 0
    provenance = tmp_path / "a/provenance.json"
    odd = {"input": (tmp_path / "a/input.toml").read_text(), "command": [1], "resumes": [], "host": [3], "cpu": 4.0}
    cases = (("[]", True), ("", True), (json.dumps({**odd, "resumes": None}), True), (json.dumps(odd), False))
    for text, damaged in cases:
        provenance.write_text(text)
        code, out, err = called(capsys, "show", "a")
        assert code == 0 and not err and any(line.startswith("damaged: a/provenance.json") for line in out) == damaged


def test_streams_that_the_caller_closed(tmp_path: Path, no_plots: None) -> None:
    (tmp_path / "moment.toml").write_text(CLASSICAL.format(t_end=1.0))
    assert main(["run", str(tmp_path / "moment.toml"), "-q", "-o", str(tmp_path / "a")]) == 0
    command = f"{sys.executable} -m llgnegf rerun a -o b <&- >&- 2>&-"
    assert subprocess.run(command, shell=True, cwd=tmp_path, check=False).returncode == 0
    assert RunFolder.open(tmp_path / "b").dataset().sizes["time"] == 3


def test_thread_numbers_that_no_library_takes_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("OMP_NUM_THREADS", "0"), ("NUMBA_NUM_THREADS", "-1"), ("OPENBLAS_NUM_THREADS", "two")):
        monkeypatch.setenv(name, text)
    assert called(capsys, "show", "nowhere") == (
        2, [],
        [f"{name}: {text!r} in the environment; allowed: a whole number >= 1, or not set" for name, text in
         (("OMP_NUM_THREADS", "0"), ("OPENBLAS_NUM_THREADS", "two"), ("NUMBA_NUM_THREADS", "-1"))],
    )  # fmt: skip
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")  # nested teams, as OpenMP has it
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "")
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    assert called(capsys, "show", "nowhere")[2] == ["folder: nowhere holds no input.toml; allowed: the folder of a run"]


def test_sigterm_saves_the_rows_and_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(CLASSICAL.format(t_end=200000.0))
    command = [sys.executable, "-m", "llgnegf.cli", "run", "long.toml", "-o", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("run/segments/*.rows")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and complaints(err) == [], err
    assert "all rows are saved" in out and "next: llgnegf resume run" in out
    shown = llgnegf("show", "run", cwd=tmp_path)
    rows = int(re.search(r"progress: (\d+) of 400001 rows", shown.stdout)[1])  # type: ignore[index]
    assert 0 < rows < 400001 and "stopped" in shown.stdout and "next: llgnegf resume run" in shown.stdout


def test_sigterm_within_a_row_that_would_last_for_hours(tmp_path: Path) -> None:
    text = CLASSICAL.format(t_end=1e9).replace("save_every = 0.5", "save_every = 1e9")
    (tmp_path / "long.toml").write_text(text)
    command = [sys.executable, "-m", "llgnegf.cli", "run", "long.toml", "-o", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "checkpoint-b.bin").exists() and time.monotonic() < deadline:
        time.sleep(0.02)  # the second commit is the first within the row
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and complaints(err) == [], err
    assert "stopped after row 1 of 2" in out and "next: llgnegf resume run" in out


SLOW = """
schema_version = 1
[run]
t_end = 6.0
electrons = "adiabatic"
observables = ["adiabatic"]
{noise}
[electrons]
n_sites = 2
j_sd = 0.5
[[lead]]
kind = "chain"
site = 0
[system]
kT = 0.05
[texture]
kind = "cone"
angle = 0.5
[magnet]
magnetic_moment = 2.0
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 20.0]
"""


@pytest.mark.parametrize("noise", ["", "temperature = 0.05\nseed = 7\nstep = 0.5"])
def test_slow_runs_go_through_the_same_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], noise: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.toml").write_text(SLOW.format(noise=noise))
    code, out, err = called(capsys, "run", "slow.toml", "-o", "a")
    assert code == 0 and err == [], err
    with xarray.open_dataset("a/result.nc") as saved:
        assert saved.moments.shape == (7, 2, 3)
        assert {"spin_density", "torque", "torque_nonadiabatic", "energy_sd", "friction_power"} <= set(saved.variables)
        assert np.all(saved.friction_power.values > 0)
    assert {"moments.png", "torque.png", "energies.png"} <= {path.name for path in Path("a/plots").iterdir()}
    code, out, err = called(capsys, "rerun", "a")
    assert code == 0 and out[-1] == "a-rerun: every array is bit for bit that of a"
    code, out, err = called(capsys, "show", "a")
    assert code == 0 and any("fermi_surface" in line for line in out)


def test_the_oracle_table_is_printed_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("inputs").mkdir()
    Path("inputs/small.toml").write_text(SMALL)
    code, out, err = called(capsys, "oracle", "inputs/small.toml")
    assert code == 0 and err == [] and any("adiabatic" in line for line in out)
    assert os.listdir("inputs") == ["small.toml"]  # which may be another's, or read-only
    problem = RunConfig.loads(SMALL).build()
    assert problem.system is not None
    frame = ln.RotatingFrame(problem.system, problem.motion.moments(0.0), energy=0.1)
    rho = frame.density_matrix()
    with xarray.open_dataset("small_oracle.nc") as saved:
        exact = saved["torque"].sel(part="exact").values
        assert np.allclose(exact, ln.torque(rho, frame.texture, 0.2), rtol=0, atol=1e-12)
        # Along dM/dt, M x dM/dt and M a torque has no third part.
        split = saved["field_like"] ** 2 + saved["damping_like"] ** 2
        assert np.allclose(split, (saved["torque"] ** 2).sum("component"), rtol=1e-9, atol=1e-20)
        rows = (tmp_path / "small_oracle.csv").read_text().splitlines()
        value = saved["damping_like"].sel(part="surface", site=1).item()
        assert f"damping_like,surface,1,,{value!r},eV" in rows
    (tmp_path / "still.toml").write_text(SMALL.replace('"precession"\nenergy = 0.1', '"frozen"'))
    code, _, err = called(capsys, "oracle", "still.toml")
    assert code == 2 and err == [
        "motion.kind: 'frozen'; allowed: 'precession' with energy other than 0, for the oracle"
    ]


def test_figures_are_listed_made_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is asked for reaches `paper.make`, whose own tests draw them."""
    names = ["fig2", "fig3", "fig4", "figS1", "figS2", "figS3"]
    made: list[tuple[str, Path]] = []

    def make(name: str, folder: Path) -> list[Path]:
        made.append((name, folder))
        return [folder / f"{name}.png"]

    monkeypatch.setattr("llgnegf.paper.make", make)
    assert called(capsys, "figure", "--list") == (0, [*names, "all"], [])
    assert made == []
    assert called(capsys, "figure", "fig3", "-o", tmp_path) == (0, [str(tmp_path / "fig3.png")], [])
    assert made == [("fig3", tmp_path)]
    made.clear()
    code, out, err = called(capsys, "figure", "all")
    assert (code, err) == (0, []) and made == [(name, Path("figures")) for name in names]
    assert out == [f"figures/{name}.png" for name in names]
    made.clear()
    allowed = f"allowed: {', '.join(names)}, all"
    assert called(capsys, "figure", "fig5") == (2, [], [f"figure: 'fig5'; {allowed}"])
    assert called(capsys, "figure") == (2, [], [f"figure: missing; {allowed}"])
    assert made == []


@pytest.mark.parametrize("wrong", [{"name": "fig5"}, {"workers": 0}, {"time_domain": "no"}])
def test_the_signature_that_the_figure_command_relies_on(tmp_path: Path, wrong: dict[str, object]) -> None:
    """The real `make` takes (name, folder) and refuses mistakes before it computes anything."""
    from llgnegf import paper

    arguments: dict[str, object] = {"name": "fig2", "folder": tmp_path} | wrong
    with pytest.raises(ValueError, match=f"^paper.make.{next(iter(wrong))}: "):
        paper.make(**arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OSError(28, "No space left on device", "run/x"), 1, "run/x: No space left on device (errno 28)"),
        (OSError(28, "write failed:\nNo space left"), 1, "write failed: No space left (errno 28)"),
        (OSError("Unable to open\nthe file"), 1, "Unable to open the file"),
        (RuntimeError("stopped\nat t = 3 fs"), 1, "stopped at t = 3 fs"),
        (MemoryError("8 GB"), 1, "not enough memory: 8 GB"),
        (KeyError("x"), 1, "KeyError: 'x' (LLGNEGF_DEBUG=1 shows where)"),
        (KeyboardInterrupt(), 130, "stopped; nothing more was saved"),
    ],
)
def test_failures_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    def fail(given: object) -> int:
        raise error

    monkeypatch.setattr("llgnegf.commands.show.main", fail)
    assert called(capsys, "show", "x") == (code, [], [line])


def test_plot_says_which_plots_were_not_drawn_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "llgnegf.commands.plot.draw_plots",
        lambda folder, pdf: PlotReport((Path("a.png"),), {"torque": "the run has no torque"}),
    )
    monkeypatch.setattr("llgnegf.store.RunFolder.open", lambda path: path)
    assert called(capsys, "plot", "x") == (0, ["a.png", "not drawn: torque (the run has no torque)"], [])


def test_show_of_a_folder_without_a_whole_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = RunFolder.create(tmp_path / "run", SMALL, [])
    assert "progress: not started" in called(capsys, "show", folder.path)[1]
    (folder.path / "checkpoint-a.bin").write_bytes(b"half")
    code, out, err = called(capsys, "show", folder.path)
    assert code == 0 and err == [] and out[1] == "progress: unknown, no checkpoint is whole"
    assert out[-1].startswith("next: llgnegf run ") and "resume" not in out[-1]


def test_the_oracle_names_places_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = '[[term]]\nkind = "gate"\nsites = 0\ndrive = {kind = "sine", amplitude = 0.1, period = 5.0}\n[texture]'
    (tmp_path / "driven.toml").write_text(SMALL.replace("[texture]", gate))
    assert main(["oracle", str(tmp_path / "driven.toml")]) == 2
    assert capsys.readouterr().err.startswith("term.0: Gate that depends on time; allowed: ")
    (tmp_path / "still.toml").write_text(SMALL.replace("energy = 0.1", "energy = 0.0"))
    assert main(["oracle", str(tmp_path / "still.toml")]) == 2
    assert capsys.readouterr().err.startswith("motion.energy: 0.0; allowed: a number other than 0")
