"""Every example runs as a reader would run it, and gives the physics that it claims.

Input files go through the command line without their pictures, which have tests of their own; scripts through runpy.
"""

from __future__ import annotations

import re
import runpy
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from test_kwant import Site, StoredLead, StoredSystem

import llgnegf as ln
from llgnegf.cli import main
from llgnegf.config import RunConfig
from llgnegf.plots.run import PlotReport
from llgnegf.units import G_E, GYROMAGNETIC_RATIO, HBAR, MU_B

EXAMPLES = Path(__file__).parents[1] / "examples"
SPIN_BOUND = 2 * np.sqrt(3)
"""Error of a vector <sigma> for an error 1 in the elements of rho: each component is made of two elements."""
MOVES = 0.2
"""Some component of some moment changes by this much in every example: there is something to see."""
BALANCE = 1e-9
"""hbar. Runge-Kutta methods keep linear invariants at any step, so only round-off is left; far above that."""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("llgnegf.commands.plot.draw_plots", lambda *_, **__: PlotReport((), {}))
    return tmp_path


def script(name: str) -> dict[str, Any]:
    """The names of an example's script, not run yet."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def from_command_line(name: str) -> xarray.Dataset:
    """Result of `llgnegf run NAME.toml`."""
    assert main(["run", str(EXAMPLES / f"{name}.toml"), "-q"]) == 0
    data = xarray.load_dataset(f"runs/{name}/result.nc")
    assert abs(data.moments - data.moments.isel(time=0)).max() > MOVES, name
    return data


def assert_twins(stored: xarray.Dataset, result: ln.Result) -> None:
    """The input file and the script describe the same problem: the same bits."""
    assert set(stored.data_vars) == set(result.dataset.data_vars)
    for name, variable in result.dataset.data_vars.items():
        assert np.array_equal(stored[name].values, variable.values), name


def defect_of_angular_momentum(data: xarray.Dataset) -> float:
    """Largest change of S_z of moments, electrons on the device and what left through the leads, in hbar."""
    total = (data.angular_momentum + data.lead_spin_out.sum("lead")).sel(component="z")
    return float(abs(total - total.isel(time=0)).max())


def test_first_run_settles_on_the_rotating_frame(capsys: pytest.CaptureFixture[str]) -> None:
    example = script("first_run")
    result, frame = example["main"]()
    assert "of the rotating frame" in capsys.readouterr().out and Path("first_run.png").stat().st_size > 10_000
    assert_twins(from_command_line("bloch_wall"), result)
    last, j_sd, rtol = result.dataset.isel(time=-1), example["J_SD"], 1e-6
    exact = frame.density_matrix() - frame.decompose().adiabatic
    nonadiabatic = ln.torque(exact, frame.texture, j_sd)
    run = example["turned_back"](last.torque_nonadiabatic.values, last.moments.values)
    bound = 2 * SPIN_BOUND * j_sd * rtol  # twice: the adiabatic part has the error of the poles as well
    assert bound < 0.01 * np.abs(nonadiabatic).max()
    assert np.abs(run - nonadiabatic).max() < bound
    # Steady state: what the moments give to the electrons' spin along the axis goes into the leads.
    given, taken = last.torque.values[:, 2].sum(), last.lead_spin_current.values[:, 2].sum()
    assert abs(given - taken) < 7 * bound
    assert abs(taken - frame.lead_currents().spin[:, 2].sum()) < 7 * bound < 0.05 * taken


def test_read_results_accounts_for_the_spin(capsys: pytest.CaptureFixture[str]) -> None:
    example = script("read_results")
    with pytest.raises(SystemExit, match="first: llgnegf run examples/bloch_wall.toml"):
        example["main"]()
    from_command_line("bloch_wall")
    data = example["main"]()
    out = capsys.readouterr().out
    assert re.search(r"^torque +eV +time, site, component$", out, re.M) and "largest torque: 4" in out
    torque = data.torque.sel(component="z").sum("site")
    # Error of the trapezoidal rule: at most h^2/12 int |T''| dt; T'' by differences of the rows, h = 1 fs.
    bound = float(abs(torque.diff("time").diff("time")).sum()) / 12
    passed = HBAR * float(data.lead_spin_out.sel(component="z").sum("lead")[-1])
    assert example["balance"](data) < bound < 0.02 * passed
    table = np.loadtxt("torque.csv", delimiter=",", skiprows=1)
    assert np.array_equal(table[:, 1:], data.torque.values[-1])
    frame = script("first_run")
    exact = ln.RotatingFrame(frame["SYSTEM"], frame["WALL"], frame["ENERGY"]).lead_currents().spin[:, 2].sum()
    printed = float(re.search(r"after 50 fs: (\S+) eV", out)[1])  # type: ignore[index]
    # Sum over sites of the torque's error, see above.
    assert abs(printed - exact) < 7 * SPIN_BOUND * 0.1 * 1e-6 < 0.02 * exact


def test_a_field_moves_a_wall_by_the_spin_of_its_electrons() -> None:
    example = script("driven_wall")
    runs, position = example["main"](), example["position"]
    assert_twins(from_command_line("driven_wall"), runs["with electrons"])
    n_sites, rtol = example["N_SITES"], 1e-5
    way = position(runs["with electrons"].dataset)
    assert way[-1] > 0.1  # the domain along the field grows; far above what rtol lets through
    assert defect_of_angular_momentum(runs["with electrons"].dataset) < BALANCE
    # Every moment is right to rtol and the position is half the sum over them, for the two runs together N rtol.
    assert abs(position(runs["without"].dataset)).max() < n_sites * rtol / 2
    mirrored = example["run"](field=-example["FIELD"]).dataset  # sites reversed and turned by pi about y
    assert abs(position(mirrored) + way).max() < n_sites * rtol
    there, back = runs["with electrons"].dataset.moments.values, mirrored.moments.values[:, ::-1] * [-1, 1, -1]
    assert np.abs(there - back).max() < 2 * rtol


def test_a_current_moves_a_wall_against_its_flow() -> None:
    example = script("bias_driven_wall")
    runs, position = example["main"](), example["position"]
    assert_twins(from_command_line("bias_driven_wall"), runs["+"])
    for sign, result in ((1, runs["+"]), (-1, runs["-"])):
        charge = result.dataset.lead_charge_out.isel(time=-1).values
        assert sign * (charge[1] - charge[0]) > 0  # electrons flow from the raised lead
        assert sign * position(result.dataset)[-1] < -0.1
        assert defect_of_angular_momentum(result.dataset) < BALANCE
    both = position(runs["+"].dataset) + position(runs["-"].dataset)
    assert np.abs(both).max() < example["N_SITES"] * 1e-5


def test_one_moment_turns_with_the_renormalised_larmor_frequency() -> None:
    example = script("anomalous_precession")
    result = example["main"]()
    assert_twins(from_command_line("anomalous_precession"), result)
    assert defect_of_angular_momentum(result.dataset) < BALANCE
    field = example["FIELD"]
    ratio = [example["measured"](r) / (GYROMAGNETIC_RATIO * b) for r, b in ((result, field),
             (example["run"](field / 2), field / 2))]  # fmt: skip
    first_order = example["predicted"](field) / (GYROMAGNETIC_RATIO * field)
    # The remainder begins with hbar w/(2 J); a line through two fields leaves its square.
    small = HBAR * example["measured"](result) / (2 * example["J_SD"])
    assert abs(ratio[0] - first_order) < small
    assert abs(2 * ratio[1] - ratio[0] - first_order) < small**2 < 0.1 * (first_order - 1)
    # The same two numbers close the cone: d ln tan(theta/2)/dt = -alpha w, alpha > 0 since spin only leaves.
    m_z = result.dataset.moments.isel(site=0, component=2)
    assert (m_z.diff("time").sel(time=slice(50, None)) > 0).all()


def test_sweep_gives_the_pumped_spin_of_each_point() -> None:
    assert main(["sweep", str(EXAMPLES / "sweep.toml"), "-o", "scan", "-q", "-j", "1"]) == 0
    from_shell = xarray.load_dataset("scan/sweep.nc")
    example = script("sweep")
    with ThreadPoolExecutor(1) as executor:
        data = example["main"](executor, "scan").load()  # its runs are finished and kept
    xarray.testing.assert_identical(from_shell, data)
    assert abs(data.moments - data.moments.isel(time=0)).max() > MOVES
    pumped = example["pumped"](data)
    assert pumped.dims == ("electrons_j_sd", "lead_0_coupling") and pumped.shape == (2, 2)
    for j_sd in (0.1, 0.5):
        for coupling in (0.5, 1.0):
            leads = [ln.ChainLead(0, coupling=coupling), ln.ChainLead(-1)]
            system = ln.OpenSystem(ln.chain(5, j_sd=j_sd), leads, kT=0.025)
            frame = ln.RotatingFrame(system, ln.neel_wall(5, center=3, width=0.9), energy=0.01)
            exact = frame.lead_currents().spin[:, 2].sum()
            run = pumped.sel(electrons_j_sd=j_sd, lead_0_coupling=coupling).item()
            bound = 5 * SPIN_BOUND * j_sd * 1e-6  # the total torque, whose z component leaves through the leads
            assert abs(run - exact) < bound < 0.05 * exact


def test_the_lowest_magnon_of_a_wall_is_its_motion(capsys: pytest.CaptureFixture[str]) -> None:
    n = 11
    example = script("wall_magnons")
    wall, domain = example["main"](n)
    assert "wall: 9 modes" in capsys.readouterr().out and Path("wall_magnons.png").stat().st_size > 10_000
    assert wall.energies.real[0] < 0.2 * domain.energies.real[0] and not wall.unstable.any()
    moments = example["at_rest"](ln.bloch_wall(n, (n - 1) / 2, 2.2)).moments
    # The collective coordinates of a wall are its place and its angle about z: dM/dz and z x M.
    coordinates = np.stack([np.gradient(moments, axis=0), np.cross([0, 0, 1], moments)])[:, 1:-1]
    basis, profile = np.linalg.qr(coordinates.reshape(2, -1).T)[0], wall.profiles[0, 1:-1].ravel()
    assert np.linalg.norm(basis.T @ profile) > 0.95 * np.linalg.norm(profile)


def test_magnons_of_an_insulator_pump_spin_into_a_metal(capsys: pytest.CaptureFixture[str]) -> None:
    example = script("magnon_pumping")
    data = example["main"]().dataset
    assert "into the metal: spin" in capsys.readouterr().out and Path("magnon_pumping.png").stat().st_size > 10_000
    assert abs(data.moments - data.moments[0]).max() > MOVES
    spin, charge = data.lead_spin_current[:, 0, 2], data.lead_charge_out[:, 0]
    # hbar w = (g_e/n) [2 K + 2 J (1 - cos k)]: no magnon is faster than 2 J g_e/(n hbar).
    n, j = example["N"], example["J"]
    arrival = (n - 1) / (2 * j * G_E / (example["MU"] * HBAR))
    assert abs(spin.sel(time=slice(0, 0.8 * arrival))).max() < 1e-3 * spin.max()
    assert abs(charge).max() < 1e-5 < 1e-3 * float(data.lead_spin_out[-1, 0, 2])
    # Between the first arrival and that of what came back from the far end. The metal answers within a few fs: by that
    # times what the current varies by, of the length of the window, the means may differ.
    window = slice(1.5 * arrival, 2.8 * arrival)
    steady = spin.copy(data=example["steadily_pumped"](data.moments[:, -1, 2].values)).sel(time=window)
    mean, lag = float(spin.sel(time=window).mean()), 10.0
    bound = float(steady.max() - steady.min()) * lag / (1.3 * arrival)
    assert abs(float(steady.mean()) - mean) < bound < 0.05 * mean
    # Spin along the axis comes from the field alone, mu (M x B)_z/hbar on the first moment; trapezoidal rule, h = 2 fs.
    fields = np.array([example["field"](t)[0] for t in data.time.values])
    given = MU_B * example["MU"] * np.cross(data.moments[:, 0].values, fields)[:, 2] / HBAR
    total = (data.angular_momentum + data.lead_spin_out.sum("lead")).sel(component="z").values
    error = 2 / 12 * np.abs(np.diff(given, 2)).sum()
    assert abs(total[-1] - total[0] - np.trapezoid(given, data.time)) < error < 0.05 * abs(total[-1] - total[0])


def test_readme_of_the_examples_names_each_of_them() -> None:
    named = re.findall(r"`(\w+\.(?:toml|py))`", (EXAMPLES / "README.md").read_text())
    files = [p.name for p in EXAMPLES.iterdir() if p.suffix in (".toml", ".py")]
    assert sorted(named) == sorted(files)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_input_files_say_how_they_are_run(path: Path) -> None:
    command = "sweep" if RunConfig.load(path).sweep is not None else "run"
    assert f"llgnegf {command} {path.name}" in path.read_text()


def test_a_light_pulse_makes_odd_harmonics_of_charge_and_even_ones_of_spin() -> None:
    """Seen from both sides the wire is the same, but for the wall, whose M_z turns round: parity of the currents."""
    spectra = script("laser_pulse")["main"]()

    def peak(name: str, harmonic: int) -> float:
        order, magnitude = spectra[name]
        return float(magnitude[np.abs(order - harmonic) < 0.3].max())

    for odd, even in ((1, 2), (3, 4), (5, 6)):
        assert peak("charge current", odd) > 3 * peak("charge current", even)
        assert peak("spin current, x", even) > 3 * peak("spin current, x", odd)
    assert Path("laser_pulse.png").stat().st_size > 10_000


def test_a_gate_pulse_runs_at_the_fermi_velocity() -> None:
    found = script("gate_pulse")["main"]()
    assert found["speed"] == pytest.approx(2 / HBAR, rel=0.05)
    assert found["work"] > 0.01


def test_shrinking_moments_pump_the_spin_that_the_device_loses() -> None:
    data = script("demagnetisation")["main"]().dataset
    held = 0.5 * data.spin_density.sum("site") + data.lead_spin_out.sum("lead")
    assert np.abs(held.sel(component="z") - held.sel(component="z")[0]).max() < BALANCE
    current = data.lead_spin_current.sum("lead").sel(component="z")
    assert current.max() > 5e-3 and current.min() < -5e-4  # out while they shrink, back while they recover


def test_a_moment_forms_where_the_repulsion_is_strong_enough() -> None:
    names = script("stoner_moment")
    found, expected = names["main"](), names["expected"]
    for strength in (0.4, 1.2, 2.0):  # that at 0.8 eV is still growing
        assert found[strength] == pytest.approx(expected(strength), abs=2e-3)


def test_another_program_s_spins_meet_the_whole_run_to_second_order() -> None:
    differences = script("external_spins")["main"]()
    assert differences[0] / differences[1] > 3.4 and differences[1] / differences[2] > 3.4
    assert differences[2] < 5e-6


def test_electrons_damp_the_resonance_of_an_antiferromagnet() -> None:
    example = script("antiferromagnet")
    runs, tilt = example["main"](), example["TILT"]
    found = {
        name: ln.analysis.ring_down(ln.analysis.neel_vector(r.dataset.moments).sel(component="x")).isel(mode=0)
        for name, r in runs.items()
    }
    alone, damped = found["moments alone"], found["with electrons"]
    # Small angles: the next order is relative, of the square of the tilt.
    assert float(alone.energy) == pytest.approx(example["predicted"](), rel=tilt**2)
    assert float(alone.amplitude) == pytest.approx(np.sin(tilt), rel=tilt)
    period = 1 / float(alone.frequency)
    assert abs(float(alone.damping)) * period < tilt**2
    assert float(damped.damping) > 100 * float(damped.damping_error) and float(damped.damping) * period > 0.05
    assert defect_of_angular_momentum(runs["with electrons"].dataset) < BALANCE
    assert Path("antiferromagnet.png").stat().st_size > 10_000


def test_precession_on_rashba_electrons_pumps_charge_in_harmonics() -> None:
    """In the frame of the precession phi n(t) alone moves, n(t) turning with it: harmonic k has k factors phi."""
    example = script("rashba_pumping")
    run = example["main"].__globals__["run"] = cache(example["run"])  # one of its runs is looked at below
    found = example["main"]()
    assert Path("rashba_pumping.png").stat().st_size > 10_000
    # 4 t Im rho_ij/hbar of both spins, and the fit of a windowed record has at most twice the largest error.
    bound = 2 * 4 * 1.0 / HBAR * 1e-6
    assert (found[0.0] < bound).all() and (found[0.1][1:3] > 10 * bound).all()
    # Turned by pi about z the device is itself half a period later: I_R is I_L then, and no charge flows on average.
    assert all(float(abs(amplitude[0])) < bound for amplitude in found.values())
    current = example["steady"](run(0.2)).values
    half = example["ROWS"] // 2
    assert np.abs(current[half:, 0] - current[:-half, 1]).max() < bound < 0.01 * np.abs(current).max()
    # ln A_n(lambda)/ln lambda = n + O(lambda^2): halved lambda leaves a quarter of what is missing to n, or nearly.
    size = {s: amplitude[1:4].values for s, amplitude in found.items()}
    for s in (0.05, 0.025):
        weak = ln.analysis.harmonics(example["steady"](run(s)), 1 / example["PERIOD"], n=3)
        size[s] = weak.amplitude.sel(lead=0)[1:].values
    order = np.arange(1, 4)
    coarse, fine = (np.abs(np.log2(size[2 * s] / size[s]) - order) for s in (0.05, 0.025))
    assert (fine < 0.35 * coarse).all() and (coarse < 0.5).all()


def test_a_spectrum_shows_the_electrons_that_cannot_follow_a_moment() -> None:
    """Spin up stays up with the probability 1/cosh^2(pi J WIDTH/hbar) of a field (sech x, 0, -tanh x), x = t/WIDTH
    [F. T. Hioe, Phys. Rev. A 30, 2100 (1984), equal Rabi and detuning frequency 2J/hbar], and leaves the upper level as
    exp(-Gamma t/hbar), averaged over the probe exp(+(Gamma PROBE/hbar)^2/2). It leaves while it turns, too: WIDTH over
    the lifetime, 8 %; the lower level's tail above 0 adds, by (Gamma/2)/(2 pi J) of what is there.
    """
    example = script("time_resolved_spectrum")
    found = example["main"]()
    assert Path("time_resolved_spectrum.png").stat().st_size > 10_000
    j, gamma, step = example["J_SD"], 2 * example["COUPLING"] ** 2, float(found.energy[1] - found.energy[0])
    upper = found.sel(energy=slice(0, None), time=160.0).sum("energy") * step
    stays = 1 / np.cosh(np.pi * j * example["WIDTH"] / HBAR) ** 2
    waited, probe = (gamma * t / HBAR for t in (160.0 - example["MIDDLE"], example["PROBE"]))
    expected = stays * np.exp(-waited + 0.5 * probe**2)
    assert abs(float(upper.occupied[0]) / expected - 1) < 0.15
    assert float(upper.total[0]) > 0.9 and float(found.occupied.min()) > -1e-3


def test_a_skyrmion_goes_aside_and_one_of_opposite_charge_to_the_other_side(capsys: pytest.CaptureFixture[str]) -> None:
    example = script("skyrmion_voltage")
    data = example["main"]().dataset
    assert "Hall angle" in capsys.readouterr().out and Path("skyrmion_voltage.png").stat().st_size > 10_000
    path = ln.analysis.skyrmion_position(data.moments).values
    assert np.hypot(*(path[-1] - path[0])) > 1.5 and abs(path[-1, 1] - path[0, 1]) > abs(path[-1, 0] - path[0, 0])
    charge = ln.analysis.skyrmion_number(data.moments)
    assert (abs(charge + 1) < 0.15).all()  # what the tilted edge of a lattice this small takes
    other = example["run"](t_end=5.0, core=1).dataset
    there = ln.analysis.skyrmion_position(other.moments).values
    # Mirrored at y = 5, spins as axial vectors, the other charge is the same problem: runs of one length, and so of the
    # same lead modes, differ by rounding alone.
    same = example["run"](t_end=5.0).dataset
    mirrored = other.moments.values.reshape(-1, 9, 11, 3)[:, :, ::-1].reshape(-1, 99, 3) * [-1, 1, -1]
    assert np.abs(mirrored - same.moments.values).max() < 1e-6
    assert (there[-1, 1] - 5.0) * (path[5, 1] - 5.0) < 0


def test_without_kwant_its_example_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kwant", None)
    assert script("from_kwant")["main"]() is None
    assert "pip install kwant" in capsys.readouterr().out


def test_a_chain_in_kwant_s_layout_conducts_a_quantum_for_each_spin() -> None:
    """Without kwant: matrices as kwant stores them, of a chain that goes on as its leads, which reflect nothing."""
    example = script("from_kwant")
    chain = -np.eye(3, k=1) - np.eye(3, k=-1)
    leads = [StoredLead(np.zeros((1, 1)), -np.eye(1)) for _ in range(2)]
    sites, ends = [Site((float(i), 0.0)) for i in range(3)], [np.array([0]), np.array([2])]
    stored = StoredSystem(chain, [1, 1, 1], sites, leads, ends)
    charge = example["currents"](stored, 0.0, example["BIAS"], 0.0).charge
    quantum = 2 * example["BIAS"] / (2 * np.pi * HBAR)
    tolerance = 2 * 3 * 1e-9 / HBAR  # of an element of the density matrix, on three sites
    assert np.abs(charge - [-quantum, quantum]).max() < tolerance < 1e-3 * quantum


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # kwant's on MUMPS
def test_a_ring_of_kwant_conducts_what_kwant_says() -> None:
    pytest.importorskip("kwant")
    example = script("from_kwant")
    theirs, ours, pumped = example["main"]()
    assert Path("from_kwant.png").stat().st_size > 10_000
    # Tolerance of the rotating frame over the bias, for each of the ends of a lead's two sites; the curvature of the
    # transmission adds less: features are as wide as the coupling squared over the ring, 0.1 eV, (BIAS/0.1)^2.
    tolerance = 2 * 2 * 2 * np.pi * 1e-9 / example["BIAS"]
    assert np.abs(ours - theirs).max() < tolerance < 1e-3 * theirs.max()
    assert np.abs(pumped.sum(axis=1)).max() < 1e-3 * np.abs(pumped).max()
    assert np.abs(theirs - theirs[::-1]).max() < 1e-9  # Onsager: even in the flux, which what is pumped is not
    assert np.abs(pumped - pumped[::-1]).max() > 0.1 * np.abs(pumped).max()


def test_a_voltage_moves_the_wall_of_the_ribbon() -> None:
    data = from_command_line("ribbon")
    position = ln.analysis.wall_position(data.moments, along="y")
    assert (abs(position[-1] - position[0]) > 1).all()
    # It waits for its current: what 40 fs without the voltage do to it is small beside that.
    text = (EXAMPLES / "ribbon.toml").read_text().replace("final = -0.8", "final = 0.0")
    Path("still.toml").write_text(text.replace("save_every = 1.0, rtol = 1e-4", "save_every = 40.0, rtol = 1e-3"))
    assert main(["run", "still.toml", "-q"]) == 0
    still = ln.analysis.wall_position(xarray.load_dataset("runs/still/result.nc").moments, along="y")
    assert abs(still[-1] - still[0]).max() < 0.1 * abs(position[-1] - position[0]).min()


def test_wall_transport_turns_spins_makes_noise_and_takes_spin_in() -> None:
    example = script("wall_transport")
    through, noise, current, passed = example["main"]()
    assert Path("wall_transport.png").stat().st_size > 10_000
    narrow, wide = (t.sel(energy=-0.9, method="nearest") for t in through.values())
    turned, kept = {"spin": "down", "source_spin": "up"}, {"spin": "up", "source_spin": "up"}
    assert wide.sel(turned) > 0.8 > 0.2 > wide.sel(kept) and narrow.sel(kept) > narrow.sel(turned)
    below = through[example["WIDTHS"][1]].sel(energy=-1.6, method="nearest")
    assert below.sel(turned) > 0.99 * below.sum() > 0.5
    assert np.all(np.diff(noise) > 0) and current[0] == pytest.approx(0, abs=1e-12)
    assert noise[0] > 0 and noise[-1] < current[-1]
    assert max(map(abs, passed[9:])) < 0.02 < 0.5 < abs(passed[0])
