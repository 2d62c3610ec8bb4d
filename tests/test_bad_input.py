"""Whatever is wrong with an input file is said in one line for each mistake, at once, and nothing is created."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from pathlib import Path

import pytest

import llgnegf as ln
from llgnegf.cli import main
from llgnegf.commands.ending import EXIT_BAD_INPUT
from llgnegf.config import RunConfig
from llgnegf.plots.run import PlotReport

WIRE = """
schema_version = 1
[run]
t_end = 2.0
save_every = 1.0
[electrons]
n_sites = 2
hopping = 1.0
j_sd = 0.2
[[lead]]
kind = "chain"
site = 0
coupling = 0.9
[system]
kT = 0.1
[texture]
kind = "cone"
angle = 0.5
[magnet]
magnetic_moment = 1.0
damping = 0.1
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 10.0]
[[energy]]
kind = "exchange"
J = 0.1
[[torque]]
kind = "slonczewski"
damping_like = 0.01
polarization = "z"
"""
TURNING = WIRE[: WIRE.index("[magnet]")] + '[motion]\nkind = "precession"\nenergy = 0.1\n'
HUGE = "9" * 5000
NESTED = "[" * 1000 + "]" * 1000

EDITS = [
    # numbers beyond reason: (line to replace, its replacement, beginning of the one line)
    ("t_end = 2.0", "t_end = 1e300", "run.t_end: 1e+300; allowed: a finite number > 0, in fs, at most 1e+12"),
    ("t_end = 2.0", "t_end = 1e13", "run.t_end: "),
    ("t_end = 2.0", "t_end = 0.0", "run.t_end: "),
    ("t_end = 2.0", "t_end = -1.0", "run.t_end: "),
    ("t_end = 2.0", "t_end = nan", "run.t_end: "),
    ("t_end = 2.0", "t_end = inf", "run.t_end: "),
    ("t_end = 2.0", f"t_end = {'9' * 400}", "run.t_end: "),
    ("t_end = 2.0", "t_end = true", "run.t_end: True; allowed: "),
    ("t_end = 2.0", "t_end = 2024-01-01", "run.t_end: "),
    ("t_end = 2.0", 't_end = "2.0"', "run.t_end: '2.0'; allowed: "),
    ("save_every = 1.0", "save_every = 1e-9", "run.save_every: 1e-09; allowed: at most 10000000 rows"),
    ("save_every = 1.0", "save_every = 1e-300", "run.save_every: "),
    ("save_every = 1.0", "save_every = 3.0", "run.save_every: "),
    ("save_every = 1.0", "step = 1e-12", "run.step: 1e-12; allowed: at most 1000000000 steps"),
    ("save_every = 1.0", "step = 1e-300", "run.step: "),
    ("save_every = 1.0", "step = -0.1", "run.step: "),
    ("save_every = 1.0", "rtol = 1e-20", "run.rtol: "),
    ("save_every = 1.0", "rtol = 1e300", "run.rtol: "),
    ("save_every = 1.0", f"seed = {'9' * 400}", "run.seed: "),
    ("save_every = 1.0", "temperature = 1e300", "run.temperature: "),
    ("save_every = 1.0", 'integrator = "rk4"', "run.step: None; allowed: "),
    ("save_every = 1.0", 'start = "warm"', "run.start: 'warm'; allowed: "),
    ("save_every = 1.0", 'observables = ["mass"]', "run.observables: "),
    ("save_every = 1.0", 'checkpoint_every = -1.0', "run.checkpoint_every: "),
    ("n_sites = 2", "n_sites = 100000", "electrons.n_sites: 100000 sites, 20 arrays of (2 x 100000)^2 "),
    ("n_sites = 2", "n_sites = 100001", "electrons.n_sites: "),
    ("n_sites = 2", "n_sites = 0", "electrons.n_sites: "),
    ("n_sites = 2", "n_sites = -3", "electrons.n_sites: "),
    ("n_sites = 2", "n_sites = 2.0", "electrons.n_sites: "),
    ("n_sites = 2", "n_sites = true", "electrons.n_sites: "),
    ("n_sites = 2", f"n_sites = {'9' * 300}", "electrons.n_sites: "),
    ("n_sites = 2", f"n_sites = {HUGE}", "bad.toml: line 7 has an integer of thousands of digits; allowed: "),
    ("hopping = 1.0", "hopping = 1e200", "electrons.hopping: "),
    ("hopping = 1.0", "hopping = [1e200]", "electrons.hopping: "),
    ("hopping = 1.0", "hopping = [1.0, 1.0]", "electrons.hopping: "),
    ("j_sd = 0.2", "j_sd = -1e300", "electrons.j_sd: "),
    ("j_sd = 0.2", "j_sd = [0.1, nan]", "electrons.j_sd: "),
    ("j_sd = 0.2", f"j_sd = {NESTED}", "bad.toml: lists or tables without end; allowed: "),
    ("coupling = 0.9", "coupling = 1e200", "lead.0.coupling: 1e+200; allowed: a finite number, in eV, of "),
    ("coupling = 0.9", "hopping = 1e-200", "lead.0.hopping: 1e-200; allowed: "),
    ("coupling = 0.9", "hopping = 0.0", "lead.0.hopping: "),
    ("coupling = 0.9", "onsite = 1e30", "lead.0.onsite: "),
    ("coupling = 0.9", "voltage = 1e300", "lead.0.voltage: "),
    ("coupling = 0.9", "chemical_potential = 1e300", "lead.0.chemical_potential: "),
    ("coupling = 0.9", 'voltage = { kind = "ramp", initial = 0.0, final = 1.0, start = 0.0, duration = 1e-300 }',
     "lead.0.voltage.duration: 1e-300; allowed: a finite number >= 1e-06, in fs"),
    ("coupling = 0.9", 'voltage = { kind = "sine", amplitude = 0.1, period = 1e-12 }', "lead.0.voltage.period: "),
    ("coupling = 0.9", 'voltage = { kind = "pulse", amplitude = 1e300, center = 1.0, width = 1.0 }',
     "lead.0.voltage.amplitude: "),
    ("coupling = 0.9", 'voltage = { kind = "table", times = [0.0, 1e-300], values = [0.0, 1.0] }',
     "lead.0.voltage.times: "),
    ("site = 0", "site = 7", "lead.0.site: "),
    ("site = 0", f"site = {'9' * 300}", "lead.0.site: "),
    ("kT = 0.1", "kT = 1e300", "system.kT: "),
    ("kT = 0.1", "kT = -0.1", "system.kT: "),
    ("kT = 0.1", "kT = 0.0", "system.kT: "),
    ("kT = 0.1", "kT = 1e-9", "system.kT: "),
    ("kT = 0.1", "kT = 1e-300", "system.kT: "),
    ("kT = 0.1", "fermi_energy = 1e300\nkT = 0.1", "system.fermi_energy: "),
    ("angle = 0.5", "angle = 1e300", "texture.angle: "),
    ("angle = 0.5", "angle = 0.5\nn_sites = 5", "texture.n_sites: "),
    ("angle = 0.5", "angle = 0.5\naxis = [0.0, 0.0, 0.0]", "texture.axis: "),
    ("magnetic_moment = 1.0", "magnetic_moment = 1e300", "magnet.magnetic_moment: "),
    ("magnetic_moment = 1.0", "magnetic_moment = 1e-300", "magnet.magnetic_moment: "),
    ("magnetic_moment = 1.0", "magnetic_moment = [1.0, 1e-300]", "magnet.magnetic_moment: "),
    ("damping = 0.1", "damping = 1e300", "magnet.damping: "),
    ("damping = 0.1", "damping = [0.1, 1e300]", "magnet.damping: "),
    ("damping = 0.1", "pinned = [0, 1]", "magnet.pinned: "),
    ("damping = 0.1", f"pinned = [{'9' * 300}]", "magnet.pinned: "),
    ("B = [0.0, 0.0, 10.0]", "B = [0.0, 0.0, 1e300]", "energy.0.B: "),
    ("B = [0.0, 0.0, 10.0]", "B = [0.0, 0.0]", "energy.0.B: "),
    ("B = [0.0, 0.0, 10.0]", 'B = { kind = "ramp", initial = [0.0, 0.0, 0.0], final = [0.0, 0.0, 1.0], start = 0.0, '
     "duration = 1e-12 }", "energy.0.B.duration: "),
    ("J = 0.1", "J = 1e300", "energy.1.J: "),
    ("J = 0.1", "J = [0.1, 0.1]", "energy.1.J: "),
    ("damping_like = 0.01", "damping_like = 1e300", "torque.0.damping_like: "),
    # a Larmor frequency of 1.761e-4 x 1e15 rad/fs
    ("B = [0.0, 0.0, 10.0]", "B = [0.0, 0.0, 1e15]", "run.t_end: 2.0; allowed: at most 0.00568 with energy.0"),
    ("J = 0.1", "J = 1e12", "run.t_end: 2.0; allowed: at most "),
    ("damping_like = 0.01", "damping_like = 1e12", "run.t_end: 2.0; allowed: at most "),
    ("magnetic_moment = 1.0", "magnetic_moment = 1e-15", "run.t_end: 2.0; allowed: at most "),
    ("t_end = 2.0\nsave_every = 1.0", "t_end = 1e12\nsave_every = 1e9", "run.t_end: 1000000000000.0; allowed: "),
    ("coupling = 0.9", "onsite = 1e15", "run.t_end: 2.0; allowed: at most "),
    # names, versions, nesting
    ("schema_version = 1", "schema_version = true", "schema_version: True; allowed: 1"),
    ("schema_version = 1", "schema_version = 1.0", "schema_version: 1.0; allowed: 1"),
    ("schema_version = 1", "schema_version = 2", "schema_version: 2; allowed: 1"),
    ("schema_version = 1", "", "schema_version: missing; allowed: 1"),
    ("schema_version = 1", "schema_version = 1\n" + "a." * 1000 + "b = 1", "bad.toml: line 3 has a key of 1001 levels"),
    ("[run]", "[" + "a." * 1000 + "b]\n[run]", "bad.toml: line 3 has a key of 1001 levels; "),
    ("[run]", '"a".' * 100_000 + "b = 1\n[run]", "bad.toml: line 3 has a key of 100001 levels"),
    ("[run]", "x = { " + "a. " * 100_000 + "b = 1 }\n[run]", "bad.toml: line 3 has a key of 100001 levels"),
    ("[run]", '"' + '\\"' * 100_000 + "." * 50 + "\n[run]", "bad.toml: "),
    ("[run]", f"a = {NESTED}\n[run]", "bad.toml: lists or tables without end; allowed: "),
    ("[run]", "a = " + "{b = " * 1000 + "1" + "}" * 1000 + "\n[run]", "bad.toml: lists or tables without end; "),
    ("[run]", "a = " + "[" * 200 + "]" * 200 + "\n[run]", "a: nested over 30 levels deep; allowed: "),
    ("[run]", "[run", "bad.toml: "),
    ("j_sd = 0.2", "jsd = 0.2", "electrons.jsd: unknown key, nearest known name is 'j_sd'"),
    ("[system]", "[sytem]", "sytem: unknown key, nearest known name is 'system'"),
    ('kind = "exchange"', 'kind = "exchnge"', "energy.1.kind: 'exchnge', nearest known name is 'exchange'"),
    ('kind = "chain"', "kind = []", "lead.0.kind: []; allowed: "),
]  # fmt: skip


KINDS_OF_VALUE = {
    "text": '"many"', "bool": "true", "nested": "[[[1.0]]]", "table": '{ kind = "none" }', "date": "1979-05-27",
    "inf": "-inf", "nan": "nan",
}  # fmt: skip
FIELDS = {
    "run.t_end": "t_end = 2.0", "run.save_every": "save_every = 1.0", "electrons.n_sites": "n_sites = 2",
    "electrons.hopping": "hopping = 1.0", "electrons.j_sd": "j_sd = 0.2", "lead.0.site": "site = 0",
    "lead.0.coupling": "coupling = 0.9", "system.kT": "kT = 0.1", "texture.angle": "angle = 0.5",
    "magnet.magnetic_moment": "magnetic_moment = 1.0", "magnet.damping": "damping = 0.1",
    "energy.0.B": "B = [0.0, 0.0, 10.0]", "energy.1.J": "J = 0.1", "torque.0.damping_like": "damping_like = 0.01",
    "torque.0.polarization": 'polarization = "z"',
}  # fmt: skip
"""Fields, and their lines in `WIRE`."""

CLASHES = [
    # (line to replace, its replacement, beginning of the one line)
    ("[magnet]", '[motion]\nkind = "precession"\nenergy = 0.1\n[magnet]', "motion"),
    ("save_every = 1.0", 'save_every = 1.0\nelectrons = "adiabatic"\nstart = "steady"', "run.start"),
    ("save_every = 1.0", 'save_every = 1.0\nelectrons = "adiabatic"\nintegrator = "ark5"', "run.integrator"),
    ("save_every = 1.0", "save_every = 1.0\ntemperature = 0.1", "run.seed"),
    ("save_every = 1.0", 'save_every = 1.0\nelectrons = "adiabatic"\ntemperature = 0.1\nstep = 0.1', "run.seed"),
    ("save_every = 1.0", 'save_every = 1.0\nresponse = ["friction"]', "run.response"),
    ("[[lead]]", "[lead]", "lead: "),
    ("[system]", "[[system]]", "system: "),
    ("[texture]", "[[texture]]", "texture: "),
    ("[run]", "[[run]]", "run: "),
    ("[[energy]]", "[energy]", "bad.toml: "),
    ("kT = 0.1", "kT = 0.1\nkT = 0.2", "bad.toml: "),
    ("[system]", "[run]\nrtol = 1e-3\n[system]", "bad.toml: "),
    ("site = 0", "site = 0\nvoltage = 0.1\nVoltage = 0.2", "lead.0.Voltage: unknown key"),
    ("angle = 0.5", "angle = 0.5\ncolour = 1", "texture.colour: unknown key"),
    ("damping = 0.1", "damping = 0.1\nalpha = 0.1", "magnet.alpha: unknown key"),
    ("J = 0.1", "J = 0.1\nB = [0.0, 0.0, 1.0]", "energy.1.B: unknown key"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[str]:
    """Mistakes a command complains of: exit code 2, quick, nothing printed, nothing made; warnings apart."""
    before, began = sorted(os.listdir()), time.process_time()
    assert main([str(a) for a in arguments]) == EXIT_BAD_INPUT
    assert time.process_time() - began < 2.0
    out, err = capsys.readouterr()
    assert not out and sorted(os.listdir()) == before
    return [line for line in err.splitlines() if not line.startswith("warning: ")]


@pytest.mark.parametrize(("old", "new", "line"), EDITS, ids=[f"{k}-{new[:30]}" for k, (_, new, _) in enumerate(EDITS)])
def test_one_mistake_is_one_line(old: str, new: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert WIRE.count(old)
    Path("bad.toml").write_text(WIRE.replace(old, new, 1) if old != "save_every = 1.0" else WIRE.replace(old, new))
    lines = refused(capsys, "run", "bad.toml")
    assert len(lines) == 1 and lines[0].startswith(line), lines
    assert len(lines[0]) < 300


@pytest.mark.parametrize("kind", KINDS_OF_VALUE)
@pytest.mark.parametrize("field", FIELDS)
def test_a_value_of_another_kind_is_one_line(field: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = FIELDS[field]
    Path("bad.toml").write_text(WIRE.replace(line, f"{line.split(' = ')[0]} = {KINDS_OF_VALUE[kind]}", 1))
    (said,) = refused(capsys, "run", "bad.toml")
    assert re.match(rf"{re.escape(field)}(\.kind)?: .*; allowed: ", said) and len(said) < 300


@pytest.mark.parametrize(("old", "new", "line"), CLASHES, ids=[new.splitlines()[-1] for _, new, _ in CLASHES])
def test_what_does_not_go_together_is_one_line(
    old: str, new: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert WIRE.count(old)
    Path("bad.toml").write_text(WIRE.replace(old, new, 1))
    (said,) = refused(capsys, "run", "bad.toml")
    assert said.startswith(line) and len(said) < 300


def test_there_are_200_of_them() -> None:
    assert len(EDITS) + len(FIELDS) * len(KINDS_OF_VALUE) + len(CLASHES) + len(SWEEPS) >= 200


def test_the_base_of_all_these_is_right() -> None:
    RunConfig.loads(WIRE)
    RunConfig.loads(TURNING)


def test_many_mistakes_are_many_lines(capsys: pytest.CaptureFixture[str]) -> None:
    text = WIRE
    for old, new in (("kT = 0.1", "kT = -1.0"), ("site = 0", "site = 9"), ("J = 0.1", "J = 1e300"), ("j_sd", "jsd")):
        text = text.replace(old, new, 1)
    Path("bad.toml").write_text(text)
    assert [line.split(":")[0] for line in refused(capsys, "run", "bad.toml")] == [
        "electrons.jsd", "lead.0.site", "system.kT", "energy.1.J"
    ]  # fmt: skip


SWEEPS = {
    "1e8 points": ('"electrons.j_sd" = [{ten}]\n"lead.0.coupling" = [{ten}]\n"system.kT" = [{ten}]\n'
                   '"magnet.damping" = [{ten}]\n"electrons.hopping" = [{ten}]\n"lead.0.onsite" = [{ten}]\n'
                   '"lead.0.hopping" = [{ten}]\n"lead.0.voltage" = [{ten}]',
                   "sweep.parameters: 100000000 points; allowed: at most 100000"),
    "superscript digits": ('"lead.\u00b9.coupling" = [0.1]', "sweep.parameters.lead.\u00b9.coupling: no table"),
    "a digit of another script": ('"lead.\u0660.coupling" = [0.1]', "sweep.parameters.lead.\u0660.coupling: no table"),
    "zeros in front": ('"energy.0.B" = [[0.0, 0.0, 1.0]]\n"energy.00.B" = [[0.0, 0.0, 2.0]]',
                       "sweep.parameters.energy.00.B: no table energy.00; allowed: "),
    "a path within another": ('"lead.0" = [{kind = "chain", site = 0}]\n"lead.0.broadening" = [0.5]',
                              "sweep.parameters.lead.0.broadening: moves lead.0.broadening as lead.0 does; allowed: "),
    "one lead and all of them": ('"lead.*.coupling" = [0.1]\n"lead.0.coupling" = [0.5]',
                                 "sweep.parameters.lead.0.coupling: moves lead.0.coupling as lead.*.coupling does; "),
    "an index of thousands of digits": (f'"lead.{"9" * 5000}.coupling" = [0.1]', "sweep.parameters.lead.999"),
    "levels without end": (f'"{"lead." * 1000}coupling" = [0.1]', "sweep.parameters.lead.lead."),
    "no values": ('"electrons.j_sd" = []', "sweep.parameters: {'electrons.j_sd': []}; allowed: "),
    "a value beyond reason": ('"system.kT" = [0.1, 1e300]', "sweep: system.kT: 1e+300; allowed: "),
    "too many sites": ('"electrons.n_sites" = [2, 100000]', "sweep: electrons.n_sites: 100000 sites, "),
    "a value nested without end": (f'"electrons.j_sd" = [{"[" * 200}{"]" * 200}]', "sweep: nested over 30 levels"),
}  # fmt: skip


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_that_cannot_be_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, line = SWEEPS[name]
    ten = ", ".join(f"0.{k}1" for k in range(10))
    parameters = text.replace("{ten}", ten)
    Path("bad.toml").write_text(f"{WIRE}\n[sweep.parameters]\n{parameters}\n")
    lines = refused(capsys, "sweep", "bad.toml", "-o", "scan")
    assert len(lines) == 1 and lines[0].startswith(line), lines


QUICK = 1e-6
UP = [[0.0, 0.0, 1.0]]
ENDLESS = {
    "OpenSystem.leads[0].voltage": (4, ln.OpenSystem(
        ln.chain(1), [ln.ChainLead(0, voltage=ln.Sine(0.1, QUICK))], kT=0.1), lambda: ln.Frozen(UP)),
    "Magnet.energies[0]": (1, None, lambda: ln.Magnet(
        UP, 1.0, energies=[ln.Zeeman(ln.TimeFunction(lambda t: UP[0], QUICK))])),
    "Magnet.torques[0]": (4, None, lambda: ln.Magnet(
        UP, 1.0, torques=[ln.SlonczewskiTorque(ln.Sine(0.01, QUICK), 0.0, "z")])),
    "Magnet.prescribed": (1, None, lambda: ln.Magnet(
        UP * 2, 1.0, prescribed=([0], ln.TimeFunction(lambda t: UP, QUICK)))),
    "Prescribed.function": (1, ln.OpenSystem(ln.chain(1)), lambda: ln.Prescribed(ln.TimeFunction(lambda t: UP, QUICK))),
}  # fmt: skip


@pytest.mark.parametrize("step", [None, 1.0])
@pytest.mark.parametrize("place", ENDLESS)
def test_drives_that_ask_for_steps_without_end_are_refused(place: str, step: float | None) -> None:
    """1e9 steps are 1000 fs with steps of 1e-6 fs, and 250 fs with four of them in a period of 1e-6 fs."""
    steps, system, motion = ENDLESS[place]
    line = re.escape(f"t_end: 1100.0; allowed: at most {1e3 / steps:.3g} with {place}, 1e+09 times its time scale of ")
    with pytest.raises(ValueError, match=line):
        ln.Simulation(system, motion(), t_end=1100.0, step=step)


def test_such_drives_are_refused_with_their_place_in_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    text = WIRE.replace("t_end = 2.0", "t_end = 1100.0")
    sine = 'voltage = {kind = "sine", amplitude = 0.1, period = 1e-6}'
    Path("bad.toml").write_text(text.replace("[system]", f"{sine}\n[system]"))
    (line,) = refused(capsys, "run", "bad.toml")
    assert line.startswith("run.t_end: 1100.0; allowed: at most 250 with lead.0.voltage, 1e+09 times ")


def test_short_drives_in_a_long_run_are_welcome() -> None:
    """A ramp is over after one step, a pulse after 17 widths."""
    fields = [ln.Pulse([0.0, 0.0, 1.0], 550.0, QUICK), ln.Ramp([0.0] * 3, [0.0, 0.0, 1.0], 500.0, QUICK)]
    ln.Simulation(None, ln.Magnet(UP, 1.0, energies=[ln.Zeeman(field) for field in fields]), t_end=1100.0)


def test_only_regular_files_of_reasonable_size_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("fifo.toml")
    with open("large.toml", "wb") as file:
        file.truncate(11 * 2**20)
    Path("binary.toml").write_bytes(b"\xff\xfe")
    Path("folder.toml").mkdir()
    Path("long.toml").write_text("#" + "x" * (9 * 2**20))  # 9 MiB are read
    for name, said in {
        "/dev/zero": "/dev/zero: is no regular file; allowed: a TOML file",
        "/dev/stdin": "/dev/stdin: ",
        "fifo.toml": "fifo.toml: is no regular file; allowed: a TOML file",
        "large.toml": "large.toml: has 11 MiB; allowed: a TOML file of at most 10 MiB",
        "binary.toml": "binary.toml: byte 0 is not UTF-8",
        "folder.toml": "folder.toml: ",
        "missing.toml": "missing.toml: cannot be read",
    }.items():
        for command in ("run", "sweep", "oracle"):
            lines = refused(capsys, command, name)
            assert len(lines) == 1 and lines[0].startswith(said), lines
    assert refused(capsys, "run", "long.toml")[0].startswith("schema_version: missing")


def test_the_corrected_file_is_accepted_where_the_wrong_one_was_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """kT is too small for the spectral range: this shows only when the poles are expanded."""
    monkeypatch.setattr("llgnegf.commands.plot.draw_plots", lambda *_, **__: PlotReport((), {}))
    Path("input.toml").write_text(WIRE.replace("kT = 0.1", "kT = 1e-9"))
    (line,) = refused(capsys, "run", "input.toml", "-o", "first")
    assert line.startswith("system.kT: 1e-09 eV is too small") and line.endswith("set by electrons.hopping = 1")
    Path("input.toml").write_text(WIRE.replace("coupling = 0.9", "coupling = 1e7"))
    (line,) = refused(capsys, "run", "input.toml", "-o", "first")
    assert line.startswith("system.kT: 0.1 eV is too small") and line.endswith("set by lead.0.coupling = 1e+07")
    Path("input.toml").write_text(WIRE)
    assert main(["run", "input.toml", "-o", "first", "-q"]) == 0


def test_in_python_too() -> None:
    """The same limits without a file; each call says what is wrong before it takes memory or time."""
    magnet = ln.Magnet(ln.uniform(2), magnetic_moment=1.0, energies=[ln.Zeeman([0, 0, 1.0])])
    damped = dataclasses.replace(magnet, damping=0.1)
    noise = {"temperature": 0.01, "seed": 1, "t_end": 1.0, "step": 0.1, "save_every": 1.0}
    big = ln.Magnet(ln.uniform(20_000), magnetic_moment=1.0)
    for call, said in {
        lambda: ln.simulate(None, magnet, t_end=1e300): "simulate.t_end: 1e+300; allowed: ",
        lambda: ln.simulate(None, magnet, t_end=1.0, save_every=1e-9): "simulate.save_every: 1e-09; allowed: ",
        lambda: ln.simulate(None, magnet, t_end=1.0, step=1e-12): "simulate.step: 1e-12; allowed: ",
        lambda: ln.ChainLead(0, coupling=1e200): "ChainLead.coupling: 1e+200; allowed: ",
        lambda: ln.RotatingFrame(ln.OpenSystem(ln.chain(100_000), [ln.ChainLead(0)]), ln.uniform(100_000), 0.1):
            "RotatingFrame.system: 100000 sites, ",
        lambda: ln.Magnet(ln.uniform(100_000), 1.0, energies=[ln.Dipolar(2.5, "x")]): "Dipolar: 100000 sites, ",
        lambda: ln.Simulation(ln.OpenSystem(ln.chain(100_000)), ln.Frozen(ln.uniform(100_000)), t_end=1.0):
            "simulate.system: 100000 sites, ",
        lambda: ln.chain(10**12): "chain.n_sites: 1000000000000; allowed: an integer >= 1 and <= 100000",
        lambda: ln.uniform(10**12): "uniform.n_sites: 1000000000000; allowed: ",
        lambda: ln.simulate(None, big, t_end=1e7): "simulate.save_every: 10000001 rows of ",
        lambda: ln.langevin_ensemble(None, damped, copies=10**12, **noise):
            "simulate.copies: 1000000000000, which need ",
    }.items():  # fmt: skip
        began = time.process_time()
        with pytest.raises(ValueError, match=f"^{re.escape(said)}[^\n]*$"):
            call()
        assert time.process_time() - began < 2.0
