"""Input files: what is wrong is named once and all at once; what is right comes back the same."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llgnegf as ln
from llgnegf.config import ConfigError, RunConfig
from llgnegf.config.schema import reference
from llgnegf.config.sections import SECTIONS
from llgnegf.problem.arguments import Energy, declared
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.spectra import ChainSpectrum
from llgnegf.run.options import RunOptions

BASE: dict[str, Any] = tomllib.loads("""
schema_version = 1
[run]
t_end = 10.0
save_every = 1.0
[electrons]
n_sites = 3
j_sd = 0.1
[[lead]]
kind = "chain"
site = 0
[[lead]]
kind = "wide_band"
site = -1
broadening = 0.5
[system]
kT = 0.01
[texture]
kind = "bloch_wall"
center = 2.0
width = 0.9
[motion]
kind = "precession"
energy = 0.01
""")

MAGNET: dict[str, Any] = tomllib.loads("""
schema_version = 1
[run]
t_end = 10.0
[texture]
kind = "list"
moments = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
[magnet]
magnetic_moment = 4.0
damping = 0.1
[[energy]]
kind = "exchange"
J = 0.1
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 1.0]
[[torque]]
kind = "slonczewski"
damping_like = 0.001
polarization = "x"
""")

DELETE = object()
NAN, INF = float("nan"), float("inf")
RAMP = {"kind": "ramp", "initial": 0.0, "final": 0.1, "start": 0.0, "duration": 1.0}


def edited(base: dict[str, Any], edits: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values at dotted paths replaced, removed or (list + "+") appended."""
    data = copy.deepcopy(base)
    for path, value in edits.items():
        *steps, last = path.split(".")
        table: Any = data
        for step in steps:
            table = table[int(step)] if isinstance(table, list) else table.setdefault(step, {})
        if value is DELETE:
            del table[last]
        elif last == "+":
            table.append(value)
        else:
            table[int(last) if isinstance(table, list) else last] = value
    return data


def mistakes(data: dict[str, Any]) -> list[str]:
    """The lines for `data`; [] if it is right."""
    try:
        RunConfig.from_dict(data)
    except ConfigError as error:
        return error.lines
    return []


# One mistake each: what is edited, and the path and (part of) the value that the single line names.
ONE_MISTAKE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    # missing, unknown and misspelt
    (BASE, {"schema_version": DELETE}, "schema_version: missing; allowed: 1"),
    (BASE, {"schema_version": 2}, "schema_version: 2; allowed: 1"),
    (BASE, {"run": DELETE}, "run: missing; allowed: a table [run]"),
    (BASE, {"run.t_end": DELETE}, "run.t_end: missing"),
    (BASE, {"texture": DELETE}, "texture: missing"),
    (BASE, {"texture.kind": DELETE}, "texture.kind: missing; allowed: 'bloch_wall'"),
    (BASE, {"texture.width": DELETE}, "texture.width: missing"),
    (BASE, {"electrons.n_sites": DELETE}, "electrons.n_sites: missing"),
    (BASE, {"electrons.jsd": 0.2}, "electrons.jsd: unknown key, nearest known name is 'j_sd'"),
    (
        BASE,
        {"electrons.n_sites": DELETE, "electrons.nsites": 3},
        "electrons.nsites: unknown key, nearest known name is 'n_s",
    ),
    (BASE, {"system": DELETE, "sytem": {"kT": 0.01}}, "sytem: unknown key, nearest known name is 'system'"),
    (
        BASE,
        {"lead": DELETE, "leads": [{"kind": "chain", "site": 0}]},
        "leads: unknown key, nearest known name is 'lead'",
    ),
    (BASE, {"run.qwxz": 1}, "run.qwxz: unknown key; allowed: t_end"),
    (BASE, {"run.a\nb": 1}, "run.'a\\nb': unknown key; allowed: t_end"),
    (BASE, {"lead.0.kind": "chian"}, "lead.0.kind: 'chian', nearest known name is 'chain'"),
    (BASE, {"lead.0.kind": 7}, "lead.0.kind: 7; allowed: 'chain'"),
    (BASE, {"lead.0.broadening": 1.0}, "lead.0.broadening: unknown key"),
    (BASE, {"lead.1.broadening": DELETE}, "lead.1.broadening: missing"),
    (BASE, {"motion.kind": "zigzag"}, "motion.kind: 'zigzag'; allowed: 'frozen', 'precession'"),
    (BASE, {"motion.kind": "frozen"}, "motion.energy: unknown key"),
    # types
    (BASE, {"run": 3}, "run: 3; allowed: a table"),
    (BASE, {"electrons": [1]}, "electrons: [1]; allowed: a table"),
    (BASE, {"lead": {"kind": "chain"}}, "lead: {'kind': 'chain'}; allowed: a list of tables"),
    (BASE, {"lead.0": 5}, "lead.0: 5; allowed: a table with kind"),
    (BASE, {"electrons.j_sd": "0.1"}, "electrons.j_sd: '0.1'; allowed: a finite number"),
    (BASE, {"electrons.j_sd": True}, "electrons.j_sd: True"),
    (BASE, {"electrons.j_sd": [0.1, "x", 0.2]}, "electrons.j_sd: [0.1, 'x', 0.2]"),
    (BASE, {"electrons.n_sites": 3.0}, "electrons.n_sites: 3.0; allowed: an integer"),
    (BASE, {"electrons.onsite": 10**400}, "electrons.onsite: 1000"),
    (BASE, {"lead.0.site": "first"}, "lead.0.site: 'first'; allowed: an integer"),
    (BASE, {"run.t_end": [10.0]}, "run.t_end: [10.0]; allowed: a finite number > 0, in fs"),
    (BASE, {"run.observables": "adiabatic"}, "run.observables: 'adiabatic'; allowed: a list"),
    (BASE, {"run.observables": ["charge"]}, "run.observables: ['charge']"),
    (BASE, {"run.start": "hot"}, "run.start: 'hot'; allowed: 'thermal', 'steady' or 'partitioned'"),
    (BASE, {"run.integrator": "euler"}, "run.integrator: 'euler'; allowed: 'auto', 'dop853', 'rk4' or 'ark5'"),
    # NaN, inf, sign
    (BASE, {"run.t_end": NAN}, "run.t_end: nan"),
    (BASE, {"run.t_end": INF}, "run.t_end: inf"),
    (BASE, {"run.t_end": -5.0}, "run.t_end: -5.0; allowed: a finite number > 0"),
    (BASE, {"run.t_end": 0}, "run.t_end: 0"),
    (BASE, {"system.kT": NAN}, "system.kT: nan"),
    (BASE, {"system.kT": -0.1}, "system.kT: -0.1; allowed: a finite number >= 0"),
    (BASE, {"system.kT": 0.0}, "system.kT: 0.0; allowed: > 0 with leads"),
    (BASE, {"lead.0.hopping": 0.0}, "lead.0.hopping: 0.0; allowed: a finite number > 0"),
    (BASE, {"lead.1.broadening": -1.0}, "lead.1.broadening: -1.0"),
    (BASE, {"electrons.n_sites": 0}, "electrons.n_sites: 0"),
    (BASE, {"electrons.n_sites": 10**9}, "electrons.n_sites: 1000000000"),
    (BASE, {"electrons.hopping": [1.0, INF]}, "electrons.hopping: [1.0, inf]"),
    (BASE, {"texture.width": 0.0}, "texture.width: 0.0; allowed: a finite number > 0"),
    (BASE, {"motion.ramp": -1.0}, "motion.ramp: -1.0; allowed: a finite number >= 0"),
    (BASE, {"run.rtol": 0.5}, "run.rtol: 0.5; allowed: 3e-10 <= rtol <= 1e-2"),
    (BASE, {"run.checkpoint_every": 0.0}, "run.checkpoint_every: 0.0"),
    (BASE, {"run.seed": -1}, "run.seed: -1"),
    # one field against another
    (BASE, {"run.save_every": 20.0}, "run.save_every: 20.0; allowed: a number > 0 and <= t_end"),
    (BASE, {"run.save_every": 1e-9}, "run.save_every: 1e-09; allowed: at most 10000000 rows"),
    (BASE, {"run.integrator": "rk4"}, "run.step: None; allowed: a number > 0"),
    (BASE, {"run.step": -0.1}, "run.step: -0.1"),
    (BASE, {"lead.0.site": 3}, "lead.0.site: 3; allowed: -3 <= site < 3"),
    (BASE, {"lead.1.site": -4}, "lead.1.site: -4; allowed: -3 <= site < 3"),
    (BASE, {"electrons.j_sd": [0.1, 0.1]}, "electrons.j_sd: shape (2,)"),
    (BASE, {"electrons.hopping": [1.0, 1.0, 1.0]}, "electrons.hopping: shape (3,)"),
    (BASE, {"texture.n_sites": 4}, "texture.n_sites: 4; allowed: 3 as in electrons.n_sites"),
    (BASE, {"motion.axis": [0.0, 0.0, 0.0]}, "motion.axis: [0.0, 0.0, 0.0]; allowed: 'x', 'y', 'z' or a non-zero"),
    (BASE, {"motion.axis": "w"}, "motion.axis: 'w'"),
    (BASE, {"motion.axis": [0.0, 1.0]}, "motion.axis: [0.0, 1.0]"),
    (BASE, {"lead.0.voltage": 0.1}, "run.start: 'thermal'; allowed: 'steady' or 'partitioned'"),
    (BASE, {"lead": [], "run.start": "steady"}, "run.start: 'steady'; allowed: 'thermal' or 'partitioned'"),
    (BASE, {"run.seed": 3}, "run.seed: 3; allowed: left out"),
    (BASE, {"run.electrons": "classical"}, "run.electrons: 'classical'; allowed: 'full' or 'adiabatic'"),
    # functions of time
    (
        BASE,
        {"lead.0.voltage": RAMP | {"kind": "rampe"}, "run.start": "steady"},
        "lead.0.voltage.kind: 'rampe', nearest known name is 'ramp'",
    ),
    (BASE, {"lead.0.voltage": RAMP | {"duration": 0.0}}, "lead.0.voltage.duration: 0.0; allowed: a finite number >="),
    (BASE, {"lead.0.voltage": RAMP | {"final": "1"}}, "lead.0.voltage.final: '1'"),
    (BASE, {"lead.0.voltage": RAMP | {"until": 3.0}}, "lead.0.voltage.until: unknown key"),
    (
        BASE,
        {"lead.0.voltage": {"kind": "table", "times": [1.0, 0.0], "values": [0.0, 0.0]}},
        "lead.0.voltage.times: [1.0, 0.0]",
    ),
    (
        BASE,
        {"lead.0.voltage": {"kind": "table", "times": [0.0, 1.0], "values": [0.0]}},
        "lead.0.voltage.values: shape (1,)",
    ),
    # tables that do not go together
    (BASE, {"motion": DELETE}, "motion: missing, and no [magnet]; allowed: one of"),
    (BASE, {"magnet": {"magnetic_moment": 1.0}}, "motion: given beside [magnet]; allowed: one of"),
    (BASE, {"energy": [{"kind": "exchange", "J": 0.1}]}, "energy: given without [magnet]"),
    (BASE, {"torque": [{"kind": "zhang_li", "velocity": 0.1}]}, "torque: given without [magnet]"),
    (MAGNET, {"lead": [{"kind": "chain", "site": 0}]}, "lead: given without [electrons]"),
    (MAGNET, {"system": {"kT": 0.1}}, "system: given without [electrons]"),
    (MAGNET, {"run.start": "thermal"}, "run.start: 'thermal' without [electrons]"),
    (MAGNET, {"run.observables": ["adiabatic"]}, "run.observables: ['adiabatic']; allowed: none without electrons"),
    (MAGNET, {"texture": {"kind": "uniform"}}, "texture.n_sites: missing; allowed: an integer >= 1"),
    # moments
    (
        MAGNET,
        {"texture.moments": [[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]},
        "texture.moments: site 1 is [1.0, 1.0, 0.0] of length 1.414",
    ),
    (MAGNET, {"texture.moments": [[0.0, 0.0, 1.0], [1.0, 0.0]]}, "texture.moments: [[0.0, 0.0, 1.0], [1.0, 0.0]]"),
    (MAGNET, {"magnet.magnetic_moment": -4.0}, "magnet.magnetic_moment: -4.0; allowed: > 0"),
    (MAGNET, {"magnet.magnetic_moment": [1.0, 2.0, 3.0]}, "magnet.magnetic_moment: shape (3,)"),
    (MAGNET, {"magnet.damping": -0.1}, "magnet.damping: -0.1; allowed: >= 0"),
    (MAGNET, {"magnet.pinned": [2]}, "magnet.pinned: [2]"),
    (MAGNET, {"magnet.pinned": [0, 1]}, "magnet.pinned: site [0, 1]; allowed: at least one moment that moves"),
    (MAGNET, {"energy.0.J": [0.1, 0.2]}, "energy.0.J: 2 of them; allowed: a number, or 1"),
    (MAGNET, {"energy.0.K": 0.1}, "energy.0.K: unknown key"),
    (
        MAGNET,
        {"energy.+": {"kind": "uniaxial_anisotropy", "K": 0.1, "axis": [0, 0, 0]}},
        "energy.2.axis: [0.0, 0.0, 0.0]",
    ),
    (MAGNET, {"energy.+": {"kind": "dipolar", "spacing": 0.0, "direction": "x"}}, "energy.2.spacing: 0.0"),
    (
        MAGNET,
        {"energy.+": {"kind": "pair_exchange", "pairs": [[0, 2, 0.1]]}},
        "energy.2.pairs: site 2; allowed: 0 to 1",
    ),
    (MAGNET, {"energy.+": {"kind": "pair_exchange", "pairs": [[0, 1]]}}, "energy.2.pairs: [[0, 1]]"),
    (MAGNET, {"energy.1.B": [1.0]}, "energy.1.B: [1.0]; allowed: a vector of 3 finite numbers"),
    (MAGNET, {"energy.1.B": RAMP | {"final": [0.0, 0.0, 1.0]}}, "energy.1.B.initial: 0.0"),
    (MAGNET, {"torque.0.damping_like": 0.0}, "torque.0.damping_like: 0.0; allowed: not zero"),
    (MAGNET, {"torque.0.polarization": [0, 0, 0]}, "torque.0.polarization: [0.0, 0.0, 0.0]"),
    (MAGNET, {"torque.0.damping_like": [0.1, 0.1, 0.1]}, "torque.0.damping_like: 3 of them; allowed: a number, or 2"),
    # sweeps
    (BASE, {"sweep": {"parameters": {}}}, "sweep.parameters: {}"),
    (
        BASE,
        {"sweep": {"mode": "all", "parameters": {"run.t_end": [1.0]}}},
        "sweep.mode: 'all'; allowed: 'grid' or 'list'",
    ),
    (BASE, {"sweep": {"parameters": {"run.t_end": 1.0}}}, "sweep.parameters: {'run.t_end': 1.0}"),
]


def test_the_bases_of_the_bad_inputs_are_right() -> None:
    assert mistakes(BASE) == [] and mistakes(MAGNET) == []
    assert len(ONE_MISTAKE) >= 60


@pytest.mark.parametrize(("base", "edits", "line"), ONE_MISTAKE, ids=[case[2][:40] for case in ONE_MISTAKE])
def test_one_mistake_makes_one_line(base: dict[str, Any], edits: dict[str, Any], line: str) -> None:
    lines = mistakes(edited(base, edits))
    assert len(lines) == 1, lines
    assert lines[0].startswith(line), lines
    assert "; allowed: " in lines[0] and "\n" not in lines[0]


INDEPENDENT = [
    {"system.kT": -1.0},
    {"lead.0.site": 9},
    {"electrons.jsd": 1.0},
    {"motion.axis": [0, 0, 0]},
    {"run.save_every": 11.0},
    {"texture.width": "wide"},
    {"lead.1.broadening": NAN},
    {"run.integrator": "euler"},
    {"run.colour": "red"},
]
"""Mistakes that do not hide one another."""


@given(st.lists(st.sampled_from(range(len(INDEPENDENT))), min_size=2, unique=True))
@settings(max_examples=25, deadline=None)
def test_mistakes_are_named_all_at_once(chosen: list[int]) -> None:
    together = {path: value for k in chosen for path, value in INDEPENDENT[k].items()}
    alone = [line for k in chosen for line in mistakes(edited(BASE, INDEPENDENT[k]))]
    assert len(alone) == len(chosen)
    assert sorted(mistakes(edited(BASE, together))) == sorted(alone)


SLOW = edited(
    MAGNET,
    {
        "run.electrons": "adiabatic",
        "electrons": {"n_sites": 2, "j_sd": 0.2},
        "lead": [{"kind": "chain", "site": 0}],
        "system": {"kT": 0.05},
        "magnet.damping": 0.01,
        "torque": DELETE,
    },
)
NOISE = edited(SLOW, {"run.temperature": 0.05, "run.seed": 3, "run.step": 0.1})
ALONE = edited(MAGNET, {"run.temperature": 0.05, "run.seed": 3, "run.step": 0.1, "magnet.damping": 0.01})
BIASED = {"lead.+": {"kind": "chain", "site": 1, "voltage": 0.1}, "magnet.damping": 0.0}
SLOW_MISTAKES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (NOISE, {"run.seed": DELETE}, "run.seed: None; allowed: an integer from 0 to 2^64 - 1 with a temperature"),
    (NOISE, {"run.seed": 2**70}, "run.seed: 1180591620717411303424; allowed: an integer from 0 to 2^64 - 1"),
    (NOISE, {"run.step": DELETE}, "run.step: None; allowed: a number > 0, in fs, with a temperature"),
    (NOISE, {"run.step": -0.1}, "run.step: -0.1"),
    (NOISE, {"run.rtol": 0.5}, "run.rtol: 0.5"),
    (NOISE, {"run.temperature": 0.06}, "run.temperature: 0.06; allowed: system.kT = 0.05"),
    (NOISE, BIASED | {"run.temperature": 0.06}, "run.temperature: 0.06; allowed: 0, or the leads' mean 0.05, without"),
    (SLOW, {"lead.0.voltage": RAMP}, "lead.0.voltage: a function of time"),
    (SLOW, {"magnet": DELETE, "energy": DELETE, "motion": {"kind": "frozen"}}, "motion: given with run.electrons"),
    (SLOW, {"run.start": "steady"}, "run.start: 'steady'; allowed: 'thermal' with slow electrons"),
    (ALONE, {"magnet.damping": 0.0}, "run.temperature: 0.05; allowed: 0 without damping"),
    (ALONE, {"run.step": DELETE}, "run.step: None"),
    (ALONE, {"run.electrons": "adiabatic"}, "run.electrons: 'adiabatic' without [electrons]"),
]


@pytest.mark.parametrize(("base", "edits", "line"), SLOW_MISTAKES, ids=[case[2][:40] for case in SLOW_MISTAKES])
def test_mistakes_of_slow_runs_are_named_before_the_run_begins(
    base: dict[str, Any], edits: dict[str, Any], line: str
) -> None:
    assert mistakes(SLOW) == mistakes(NOISE) == mistakes(ALONE) == []
    lines = mistakes(edited(base, edits))
    assert len(lines) == 1 and lines[0].startswith(line), lines


def test_slow_electrons_may_be_at_zero_temperature() -> None:
    """As in Python: the response is then integrated, not expanded in poles of the Fermi function."""
    assert mistakes(edited(SLOW, {"system.kT": 0.0})) == []


def test_a_mistake_in_one_lead_leaves_the_numbers_of_the_others() -> None:
    lines = mistakes(edited(BASE, {"lead.0": {"kind": "x"}, "lead.1.site": 7}))
    assert [line.split(":")[0] for line in lines] == ["lead.0.kind", "lead.1.site"]


def test_misspelt_tables_are_still_checked_inside() -> None:
    data = edited(BASE, {"electrons": DELETE, "electron": {"n_site": 3, "j_sd": [1.0]}})
    assert [line.split(":")[0] for line in mistakes(data)] == ["electron", "electrons.n_site", "electrons.j_sd"]


def test_text_that_is_no_toml_and_files_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(ConfigError, match=r"input: .*line 1") as no_toml:
        RunConfig.loads("a = = 1")
    with pytest.raises(ConfigError, match="cannot be read") as missing:
        RunConfig.load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="byte 2 is not UTF-8") as latin:
        RunConfig.load(tmp_path / "latin.toml")
    assert all(len(error.value.lines) == 1 for error in (no_toml, missing, latin))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PATHS = [
    "run",
    "run.t_end",
    "run.step",
    "run.observables",
    "electrons",
    "electrons.n_sites",
    "electrons.hopping",
    "lead",
    "lead.0",
    "lead.0.voltage",
    "lead.1.site",
    "system.kT",
    "texture",
    "texture.center",
    "motion",
    "motion.axis",
    "magnet",
    "energy",
    "torque",
    "sweep",
    "lead.0.kind",
    "texture.kind",
    "electrons.kind",
    "motion.kind",
]


@given(st.dictionaries(st.sampled_from(PATHS), JUNK, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_no_input_raises_anything_but_lines(edits: dict[str, Any]) -> None:
    data = copy.deepcopy(BASE)
    for path, value in sorted(edits.items(), key=lambda item: -item[0].count(".")):
        data = edited(data, {path: value})
    for line in mistakes(data):
        assert "; allowed: " in line and len(line.splitlines()) == 1


def test_a_file_builds_what_the_python_calls_build() -> None:
    problem = RunConfig.from_dict(BASE).build()
    wall = ln.bloch_wall(n_sites=3, center=2.0, width=0.9)
    expected = ln.Precession(wall, energy=0.01, axis="z")
    assert problem.system is not None
    assert np.array_equal(problem.motion.moments(7.0), expected.moments(7.0))
    electrons = ln.chain(3, hopping=1.0, j_sd=0.1)
    assert np.array_equal(problem.system.electrons.hamiltonian_at(wall), electrons.hamiltonian_at(wall))
    assert [type(lead).__name__ for lead in problem.system.leads] == ["ChainLead", "WideBandLead"]
    assert problem.options["start"] == "thermal" and problem.options["t_end"] == 10.0


def test_a_matrix_file_is_hermitian_and_site_major() -> None:
    data = edited(
        BASE, {"electrons": {"kind": "matrix", "n_sites": 1, "entries": [[0, 0, 0.5, 0.0], [0, 1, 1.0, -2.0]]}}
    )
    data = edited(data, {"lead": [], "texture": {"kind": "uniform"}, "motion": {"kind": "frozen"}})
    problem = RunConfig.from_dict(data).build()
    assert problem.system is not None
    assert problem.system.electrons.hamiltonian.toarray().tolist() == [[0.5, 1 - 2j], [1 + 2j, 0]]
    for entry in ([1, 0, 1.0, 0.0], [0, 2, 1.0, 0.0], [0, 0, 1.0, 1.0]):
        lines = mistakes(edited(data, {"electrons.entries": [entry]}))
        assert len(lines) == 1 and lines[0].startswith("electrons.entries.0: "), lines


def test_a_classical_file_has_no_system() -> None:
    problem = RunConfig.from_dict(MAGNET).build()
    assert problem.system is None and isinstance(problem.motion, Magnet)


def test_options_are_written_once() -> None:
    """Fields of RunOptions, keywords of `simulate` and keys of [run]: same names, defaults and verdicts."""
    fields = {one.name: one.usual for one in declared(RunOptions)}
    keywords = inspect.signature(ln.simulate).parameters
    asked = {name: p.default for name, p in keywords.items() if name not in ("system", "motion", "progress", "folder")}
    assert {name: ... if default is inspect.Parameter.empty else default for name, default in asked.items()} == fields
    keys = {key.name: ... if key.needed else key.default for key in reference() if key.table == "run"}
    assert keys.pop("checkpoint_every") == 5.0  # of run folders alone
    assert keys == fields
    closed, at_rest = ln.OpenSystem(ln.chain(1)), ln.Frozen(ln.uniform(1))
    for options in (
        {"integrator": "rk4"}, {"step": -1.0}, {"save_every": 11.0}, {"rtol": 1.0}, {"start": "steady"},
        {"observables": ["x"]}, {"seed": 1}, {"temperature": -1.0}, {"response": ["x"]}, {"electrons": "x"},
    ):  # fmt: skip
        (name,) = options
        name = {"integrator": "step"}.get(name, name)
        with pytest.raises(ValueError, match=rf"^simulate\.{name}: [^\n]*; allowed: [^\n]*$"):
            ln.simulate(closed, at_rest, **{"t_end": 10.0, **options})
        file = edited(BASE, {"lead": [], **{f"run.{key}": value for key, value in options.items()}})
        assert [line.split(":")[0] for line in mistakes(file)] == [f"run.{name}"]


def test_every_key_of_the_file_is_listed_with_its_words() -> None:
    """One line for each key that a file may have: what examples/ and the tables above use is among them."""
    keys = reference()
    names = {(key.table, key.kind, key.name) for key in keys}
    assert len(names) == len(keys)
    assert all(key.allowed and key.doc for key in keys), [key for key in keys if not (key.allowed and key.doc)]
    listed = {(key.table, key.name): key for key in keys}
    assert (listed["run", "t_end"].unit, listed["run", "t_end"].needed) == ("fs", True)
    assert (listed["lead", "voltage"].unit, listed["lead", "voltage"].driven) == ("eV", True)
    assert listed["system", "kT"].default == 0.0 and listed["energy", "B"].unit == "T"
    assert ("lead.channel.spectrum", "wide_band", "gamma") in names
    for base in (BASE, MAGNET):
        for table, value in base.items():
            for entry in value if isinstance(value, list) else [value] if isinstance(value, dict) else []:
                assert all((table, key) in listed for key in entry if key != "kind")


@dataclasses.dataclass(frozen=True, eq=False)
class HalfChain(ln.ChainLead):
    """A chain coupled by half of what is said.

    Args:
        detuning: Shift of its levels.
    """

    detuning: Energy = 0.0

    def spectrum(self) -> ChainSpectrum:
        return ChainSpectrum(0.5 * self.coupling, self.hopping, self.onsite + self.detuning)


def test_a_new_lead_is_its_class_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Table, errors, units, the list of keys and the way back follow from the arguments that it declares."""
    monkeypatch.setitem(SECTIONS["lead"].makes, "half", HalfChain)
    data = edited(BASE, {"lead.0": {"kind": "half", "site": 0, "coupling": 0.8, "detuning": 0.1}})
    config = RunConfig.from_dict(data)
    problem = config.build()
    assert problem.system is not None
    (left, _) = problem.system.leads
    assert isinstance(left, HalfChain)
    assert left.spectrum() == ChainSpectrum(0.4, 1.0, 0.1)
    assert "detuning = 0.1  # eV" in config.to_toml() and RunConfig.loads(config.to_toml()) == config
    again = RunConfig.from_objects(problem.system, problem.motion, t_end=1.0)
    assert again.lead[0].to_dict() == config.lead[0].to_dict()
    assert mistakes(edited(data, {"lead.0.detuning": "x", "lead.0.sit": 1})) == [
        "lead.0.sit: unknown key, nearest known name is 'site'; allowed: kind, site, coupling, hopping, onsite, "
        "detuning, voltage, chemical_potential, kT",
        "lead.0.detuning: 'x'; allowed: a finite number, in eV",
    ]
    (key,) = (key for key in reference() if key.kind == "half" and key.name == "detuning")
    assert (key.unit, key.default, key.doc) == ("eV", 0.0, "Shift of its levels")
