"""What stops a run in Python carries the rows so far, and a run in a folder goes on where it stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llgnegf as ln
from llgnegf.cli import main
from llgnegf.store import RunFolder, StorageError, run_in_folder, running

SYSTEM = ln.OpenSystem(ln.chain(2, 1.0, 0.2), [ln.ChainLead(0)], 0.0, 0.1)
MOMENTS = ln.cone(2, 0.5)
MAGNET = ln.Magnet(MOMENTS, magnetic_moment=2.0, energies=[ln.Zeeman([0, 0, 10.0])], damping=0.1)
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "full": (SYSTEM, {}),
    "slow": (SYSTEM, {"electrons": "adiabatic", "response": ("friction",)}),
    "noisy": (None, {"temperature": 0.01, "seed": 3, "step": 0.5}),
    "moments alone": (None, {"rtol": np.float64(1e-7)}),
}


class FailsAt:
    """A constant field that cannot be had from a time on."""

    def __init__(self, time: float) -> None:
        self.time = time

    def __call__(self, t: float) -> np.ndarray:
        if t > self.time:
            raise ZeroDivisionError(f"no field at {t}")
        return np.array([0.0, 0.0, 10.0])


def interrupting(at: float, number: int = signal.SIGINT) -> Any:
    """A progress function that sends this process a signal when the row at `at` fs is in."""

    def progress(done: float, total: float, text: str) -> None:
        if text == "running" and done == at:
            os.kill(os.getpid(), number)

    return progress


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_leaves_the_rows_on_the_exception(kind: str) -> None:
    system, options = KINDS[kind]
    whole = ln.simulate(system, MAGNET, t_end=6.0, **options)
    with pytest.raises(KeyboardInterrupt) as caught:
        ln.simulate(system, MAGNET, t_end=6.0, progress=interrupting(3.0), **options)
    result = caught.value.result  # type: ignore[attr-defined]
    assert isinstance(result, ln.Result)
    assert result.dataset.time.values.tolist() == [0.0, 1.0, 2.0, 3.0]
    for name, values in whole.dataset.data_vars.items():
        assert np.array_equal(result.dataset[name], values[:4]), name
    assert result.density_matrix is None and result.errors.keys() == whole.errors.keys()
    assert any("result" in note for note in caught.value.__notes__)


def test_a_drive_that_fails_leaves_the_rows_on_the_exception() -> None:
    magnet = ln.Magnet(MOMENTS, magnetic_moment=2.0, energies=[ln.Zeeman(FailsAt(7.5))], damping=0.1)
    for system, options in ((SYSTEM, {}), (SYSTEM, {"electrons": "adiabatic"}), (None, {})):
        with pytest.raises(ZeroDivisionError) as caught:
            ln.simulate(system, magnet, t_end=20.0, step=0.5, integrator="auto", **options)
        result = caught.value.result  # type: ignore[attr-defined]
        assert result.dataset.time.values[-1] == 7.0
        assert np.isfinite(result.dataset.moments).all()


def test_a_stopped_ensemble_has_the_configurations_so_far() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        ln.langevin_ensemble(None, MAGNET, temperature=0.01, t_end=6.0, step=0.5, save_every=1.0, copies=3, seed=1,
                             progress=interrupting(2.0))  # fmt: skip
    assert caught.value.result.moments.shape == (3, 3, 2, 3)  # type: ignore[attr-defined]
    assert caught.value.result.times.tolist() == [0.0, 1.0, 2.0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_in_a_folder_is_stopped_and_goes_on_to_the_same_bits(
    tmp_path: Path, kind: str, number: signal.Signals
) -> None:
    system, options = KINDS[kind]
    whole = ln.simulate(system, MAGNET, t_end=6.0, **options)
    with pytest.raises(KeyboardInterrupt, match="all rows are saved in") as caught:
        ln.simulate(system, MAGNET, t_end=6.0, folder=tmp_path / "run", progress=interrupting(3.0, number), **options)
    assert caught.value.result.dataset.sizes["time"] == 4  # type: ignore[attr-defined]
    assert caught.value.result.density_matrix is None  # type: ignore[attr-defined]
    for _ in range(2):  # the second finds it finished
        result = ln.simulate(system, MAGNET, t_end=6.0, folder=tmp_path / "run", **options)
        for name, values in whole.dataset.data_vars.items():
            assert np.array_equal(result.dataset[name], values), name
            assert result.dataset[name].attrs == values.attrs
        assert result.dataset.coords.equals(whole.dataset.coords)
        assert result.errors == whole.errors or np.isnan(whole.errors["time_step"].value)
        assert result.statistics == whole.statistics
        if whole.density_matrix is not None:
            assert np.array_equal(result.density_matrix, whole.density_matrix)


@pytest.mark.parametrize("at", [0.0, 1.0, 2.5, 6.0])
def test_an_interrupt_raised_by_the_progress_function_commits_as_ctrl_c_does(tmp_path: Path, at: float) -> None:
    """Steps of 0.25 fs and rows each 2 fs: before the first row, within one, at a row, and after the last."""
    options: dict[str, Any] = {"t_end": 6.0, "save_every": 2.0, "step": 0.25, "integrator": "rk4", "rtol": 1e-4}
    whole = ln.simulate(SYSTEM, MAGNET, **options)

    def progress(done: float, total: float, text: str) -> None:
        if text == "running" and done >= at:
            raise KeyboardInterrupt("enough")

    with pytest.raises(KeyboardInterrupt, match="all rows are saved in") as caught:
        ln.simulate(SYSTEM, MAGNET, folder=tmp_path / "run", progress=progress, **options)
    rows = {0.0: 0, 1.0: 1, 2.5: 2, 6.0: 4}[at]
    folder = RunFolder.open(tmp_path / "run")
    assert folder.status().rows == rows == caught.value.result.dataset.sizes["time"]  # type: ignore[attr-defined]
    result = ln.simulate(SYSTEM, MAGNET, folder=tmp_path / "run", **options)
    assert np.array_equal(result.dataset.moments, whole.dataset.moments) and result.statistics == whole.statistics
    assert len(folder.provenance["resumes"]) == 1


def test_the_command_line_goes_on_with_a_run_from_python(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        ln.simulate(None, MAGNET, t_end=6.0, folder=folder, progress=interrupting(3.0))
    assert main(["resume", str(folder), "-q"]) == 0
    result = ln.simulate(None, MAGNET, t_end=6.0, folder=folder)
    assert np.array_equal(result.dataset.moments, ln.simulate(None, MAGNET, t_end=6.0).dataset.moments)


def test_a_density_matrix_goes_into_the_folder_too(tmp_path: Path) -> None:
    rho = np.diag([0.0, 0.25, 0.5, 1.0]).astype(complex)
    rho[0, 1], rho[1, 0] = 1e-2j, -1e-2j
    options: dict[str, Any] = {"start": "partitioned", "initial_density_matrix": rho + 0.05 * np.eye(4) * [1, 1, 1, 0]}
    plain = ln.simulate(SYSTEM, MAGNET, t_end=2.0, **options)
    stored = ln.simulate(SYSTEM, MAGNET, t_end=2.0, folder=tmp_path / "run", **options)
    assert np.array_equal(plain.dataset.spin_density, stored.dataset.spin_density)


@pytest.mark.parametrize(
    ("motion", "options", "line"),
    [
        (ln.Prescribed(lambda t: MOMENTS), {}, "simulate.motion: Prescribed"),
        (ln.Magnet(MOMENTS, magnetic_moment=2.0, energies=[ln.Zeeman(FailsAt(9.0))]), {}, "simulate.energy.0.B: "),
        (MAGNET, {"t_end": -1.0}, "simulate.t_end: -1.0; allowed"),
        (MAGNET, {"observables": ("magic",)}, "simulate.observables"),
    ],
)  # fmt: skip
def test_what_no_file_can_say_is_refused_before_anything_is_written(
    tmp_path: Path, motion: Any, options: dict[str, Any], line: str
) -> None:
    with pytest.raises(ln.ConfigError) as caught:
        ln.simulate(SYSTEM, motion, **{"t_end": 2.0, "folder": tmp_path / "run", **options})
    assert str(caught.value).startswith(line)
    assert "folder = ... writes the run as a file" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    ln.simulate(None, MAGNET, t_end=2.0, folder=tmp_path / "run")
    with pytest.raises(ValueError, match=r"run\.t_end: 3\.0 instead of 2\.0; allowed: the input the run in .* began"):
        ln.simulate(None, MAGNET, t_end=3.0, folder=tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match=r"letter\.txt"):
        ln.simulate(None, MAGNET, t_end=2.0, folder=tmp_path / "other")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        ln.simulate(None, MAGNET, t_end=2.0, folder=tmp_path / "file" / "run")


LONG_ROWS: dict[str, tuple[Any, dict[str, Any]]] = KINDS | {
    "implicit": (SYSTEM, {"integrator": "ark5"}),
    "fixed step": (SYSTEM, {"integrator": "rk4", "step": 0.1}),
    "slow, fixed step": (SYSTEM, {"electrons": "adiabatic", "step": 0.5}),
}


@pytest.mark.parametrize("kind", LONG_ROWS)
def test_a_stop_within_a_row_loses_no_step_and_no_bit(tmp_path: Path, kind: str) -> None:
    """One long row, stopped again and again at every third step."""
    system, options = LONG_ROWS[kind]
    ends = {"fixed step": 3.0, "noisy": 6.0, "slow, fixed step": 6.0, "slow": 2e4, "moments alone": 2e4}
    t_end = ends.get(kind, 20.0)
    whole = ln.simulate(system, MAGNET, t_end=t_end, save_every=t_end, **options)
    reached: list[float] = []
    rows: list[int] = []

    def progress(done: float, total: float, text: str) -> None:
        if text == "running" and 0.0 < done < total:
            steps.append(done)
            if len(steps) == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    result, stops = None, 0
    while result is None and stops < 100:
        steps: list[float] = []
        try:
            result = ln.simulate(
                system, MAGNET, t_end=t_end, save_every=t_end, folder=tmp_path / "run", progress=progress, **options
            )
        except KeyboardInterrupt as stop:
            stops += 1
            reached += steps
            rows.append(stop.result.dataset.sizes["time"])  # type: ignore[attr-defined]
    assert reached == sorted(set(reached))  # no step was made twice
    assert rows == [1] * stops and stops >= 2 and result is not None
    for name, values in whole.dataset.data_vars.items():
        assert np.array_equal(result.dataset[name], values), name
    assert result.statistics == whole.statistics


def test_long_rows_are_committed_while_they_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash that nothing can catch (here: an exception in the middle of a step) costs what came after the commit."""
    magnet = ln.Magnet(MOMENTS, magnetic_moment=2.0, energies=[ln.Zeeman([0, 0, 10.0])], damping=0.1)
    config = ln.RunConfig.from_objects(None, magnet, t_end=1e5, save_every=1e5, checkpoint_every=1e-6)
    folder = RunFolder.create(tmp_path / "run", config.to_toml(), ["test"])
    seen: list[float] = []

    def crash(done: float, total: float, text: str) -> None:
        seen.append(done)
        if 0.0 < done < total and len(seen) > 40:
            raise SystemError("power cut")

    monkeypatch.setattr(running, "COMMIT_SHARE", 1e9)  # after every step
    with pytest.raises(SystemError):
        run_in_folder(folder, config.simulation(), progress=crash, commit_every_s=1e-6)
    again: list[float] = []
    simulation = config.simulation()
    assert run_in_folder(folder, simulation, progress=lambda done, *_: again.append(done))
    within = [done for done in again if 0.0 < done < 1e5]
    assert within[0] > seen[-4]
    with folder.dataset() as stored:
        whole = ln.simulate(None, magnet, t_end=1e5, save_every=1e5)
        assert np.array_equal(stored.moments, whole.dataset.moments)
