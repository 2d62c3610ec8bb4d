"""Objects to TOML and back is the identity: for the input tables, and for the problem objects bit by bit."""

from __future__ import annotations

import copy
import pickle
import string
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llgnegf as ln
from llgnegf.config import ConfigError, RunConfig
from llgnegf.config.reading import Reader
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.spectra import ChainSpectrum, WideBandSpectrum

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=1e-6, max_value=1e6)
listed = st.lists(finite, min_size=1, max_size=3).map(tuple)
number_or_list = finite | listed
vectors = st.tuples(finite, finite, finite)
axes = st.sampled_from(["x", "y", "z"]) | vectors
texts = st.text(string.printable + 'äß€😀\x7f\x00\\"', max_size=8)


def drives(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A constant, or a table for a function of time."""
    ramp = st.fixed_dictionaries(
        {"kind": st.just("ramp"), "initial": value, "final": value, "start": positive, "duration": positive}
    )
    sine = st.fixed_dictionaries(
        {"kind": st.just("sine"), "amplitude": value, "period": positive},
        optional={"phase": number_or_list, "offset": value},
    )
    pulse = st.fixed_dictionaries({"kind": st.just("pulse"), "amplitude": value, "center": finite, "width": positive})
    table = st.fixed_dictionaries(
        {"kind": st.just("table"), "times": listed, "values": st.lists(value, max_size=3).map(tuple)}
    )
    return value | ramp | sine | pulse | table


def tables(kind: str, needed: dict[str, Any], optional: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"kind": st.just(kind), **needed}, optional=optional or {})


reservoir = {"voltage": drives(finite), "chemical_potential": finite}
channels = st.fixed_dictionaries(
    {
        "vector": listed,
        "spectrum": tables("wide_band", {"gamma": finite})
        | tables("tabulated", {"energies": listed, "values": listed}),
    },
    optional={"vector_imaginary": listed},
)
leads = (
    tables("chain", {"site": st.integers(-99, 99)}, {**reservoir, "coupling": finite, "onsite": finite})
    | tables("wide_band", {"site": st.integers(-99, 99), "broadening": finite}, reservoir)
    | tables("tabulated", {"site": st.integers(), "energies": listed, "broadening": listed}, reservoir)
    | tables("channels", {"channel": st.lists(channels, min_size=1, max_size=2).map(tuple)}, reservoir)
    | tables("ribbon", {"side": st.just("left")}, {**reservoir, "sites": st.just((0, 2)), "exchange": vectors})
)
energies = (
    tables("exchange", {"J": number_or_list})
    | tables(
        "pair_exchange", {"pairs": st.lists(st.tuples(st.integers(), st.integers(), finite), max_size=2).map(tuple)}
    )
    | tables("uniaxial_anisotropy", {"K": number_or_list, "axis": axes})
    | tables("cubic_anisotropy", {"K1": number_or_list}, {"axes": st.lists(vectors, max_size=3).map(tuple)})
    | tables("dmi", {"D": number_or_list}, {"axis": axes})
    | tables("dipolar", {"spacing": finite, "direction": axes})
    | tables("dipolar", {"positions": st.lists(vectors, max_size=2).map(tuple)})
    | tables("pair_dmi", {"pairs": st.lists(st.tuples(st.integers(), st.integers(), vectors), max_size=2).map(tuple)})
    | tables("lattice_exchange", {"J": number_or_list | st.tuples(vectors, vectors, vectors)})
    | tables("lattice_dmi", {"D": finite}, {"symmetry": st.sampled_from(["bulk", "interfacial"])})
    | tables("lattice_dipolar", {})
    | tables("zeeman", {"B": drives(vectors)})
)
torques = tables(
    "slonczewski", {"polarization": axes}, {"damping_like": drives(finite), "field_like": drives(finite)}
) | tables("zhang_li", {"velocity": drives(finite)}, {"nonadiabaticity": number_or_list, "spacing": finite})
textures = (
    tables("bloch_wall", {"center": finite, "width": finite}, {"n_sites": st.integers(1, 99)})
    | tables("uniform", {}, {"direction": axes})
    | tables("cone", {"angle": finite}, {"azimuth": number_or_list, "axis": axes})
    | tables("list", {"moments": st.lists(vectors, max_size=3).map(tuple)})
    | tables("skyrmion", {"center": st.tuples(finite, finite), "radius": finite, "wall_width": finite},
             {"helicity": finite | st.sampled_from(["neel", "anti"]), "vorticity": st.integers(-3, 3)})
    | tables("helix", {"q": finite | vectors}, {"phase": finite})
    | tables("random", {"seed": st.integers(0, 9)})
)  # fmt: skip
electrons = st.fixed_dictionaries(
    {"n_sites": st.integers(1, 99)},
    optional={"hopping": number_or_list, "j_sd": number_or_list, "onsite": number_or_list},
) | tables(
    "matrix",
    {
        "n_sites": st.integers(1, 99),
        "entries": st.lists(st.tuples(st.integers(), st.integers(), finite, finite), max_size=3).map(tuple),
    },
)
runs = st.fixed_dictionaries(
    {"t_end": positive},
    optional={
        "save_every": positive,
        "rtol": finite,
        "start": st.sampled_from(["thermal", "steady", "partitioned"]),
        "integrator": st.sampled_from(["auto", "dop853", "rk4"]),
        "step": positive,
        "observables": st.just(("adiabatic",)),
        "checkpoint_every": positive,
        "electrons": st.just("full"),
        "seed": st.integers(0, 2**70),
    },
)
sweeps = st.fixed_dictionaries(
    {
        "parameters": st.dictionaries(
            texts,
            st.lists(finite | texts | st.booleans() | listed.map(list), min_size=1, max_size=3).map(tuple),
            min_size=1,
            max_size=2,
        )
    },
    optional={
        "mode": st.sampled_from(["grid", "list"]), "workers": st.integers(1, 9), "realisations": st.integers(2, 9)
    },
)
lattices = tables("honeycomb", {"n_x": st.integers(1, 99), "n_y": st.integers(1, 99)}, {
    "edge": st.sampled_from(["zigzag", "armchair"]), "spacing": finite,
})  # fmt: skip
documents = st.fixed_dictionaries(
    {"schema_version": st.just(1), "run": runs, "texture": textures},
    optional={
        "lattice": lattices,
        "electrons": electrons | tables("lattice", {}, {"rashba": finite, "seed": st.integers(0, 9), "flux": finite}),
        "lead": st.lists(leads, max_size=3).map(tuple),
        "system": st.fixed_dictionaries({}, optional={"fermi_energy": finite, "kT": finite}),
        "motion": tables("frozen", {}) | tables("precession", {"energy": finite}, {"axis": axes, "ramp": finite}),
        "magnet": st.fixed_dictionaries(
            {"magnetic_moment": number_or_list}, optional={"pinned": st.lists(st.integers(), max_size=3).map(tuple)}
        ),
        "energy": st.lists(energies, max_size=3).map(tuple),
        "torque": st.lists(torques, max_size=2).map(tuple),
        "sweep": sweeps,
    },
)


def read(data: dict[str, Any]) -> RunConfig:
    """A document without the checks of its objects."""
    reader = Reader()
    config = reader.document(data, RunConfig)
    assert reader.mistakes == []
    return config


@given(documents)
@settings(max_examples=80, deadline=None)
def test_objects_to_toml_and_back_is_the_identity(data: dict[str, Any]) -> None:
    config = read(data)
    again = read(tomllib.loads(config.to_toml()))
    assert again == config
    assert again.to_toml() == config.to_toml()
    assert read(config.to_dict()) == config


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_come_back_the_same(path: Path) -> None:
    config = RunConfig.load(path)
    assert RunConfig.loads(config.to_toml()) == config
    assert pickle.loads(pickle.dumps(config)) == config == copy.deepcopy(config)
    assert read(tomllib.loads(path.read_text())).run == config.run


def test_units_stand_in_the_comments() -> None:
    text = RunConfig.load(EXAMPLES[0].parent / "bloch_wall.toml").to_toml()
    assert "t_end = 100.0  # fs" in text and "kT = 0.01  # eV" in text and "width = 0.9  # lattice constants" in text


def test_problem_objects_to_toml_and_back_have_the_same_bits() -> None:
    """General Hamiltonian, every kind of lead, term and torque; normalised axes must not move in the last bit."""
    rng = np.random.default_rng(5)
    n = 4
    h = rng.normal(size=(2 * n, 2 * n)) + 1j * rng.normal(size=(2 * n, 2 * n))
    channel = rng.normal(size=2 * n) + 1j * rng.normal(size=2 * n)
    system = ln.OpenSystem(
        ln.Electrons(h + h.conj().T, rng.normal(size=n)),
        [
            ln.ChainLead(site=0, voltage=ln.Ramp(0.0, 0.1, 1.0, 2.0)),
            ln.TabulatedLead(site=-1, energies=[-1, 0, 1], broadening=[0, 1, 0], chemical_potential=0.1),
            ln.WideBandLead(site=0, broadening=0.3),
            ln.Lead([(channel, WideBandSpectrum(0.2)), (np.ones(n), ChainSpectrum(0.5, 1.0, 0.1))]),
        ],
        fermi_energy=0.1,
        kT=0.01,
    )
    magnet = Magnet(
        ln.uniform(n, [1, 2, 3]),
        4.0,
        0.1,
        [
            ln.Exchange([0.1, 0.2, 0.3]),
            ln.PairExchange([(0, 3, 0.1)]),
            ln.DMI(0.1, axis=[1, 1, 0]),
            ln.Dipolar(3.0, [1, 1, 0]),
            ln.CubicAnisotropy(0.1),
            ln.UniaxialAnisotropy(0.1, rng.normal(size=(n, 3))),
            ln.Zeeman(ln.Sine([1, 1, 0], 10.0, [0, 1.5, 0], 0.5)),
            ln.Zeeman([0, 0, 1]),
        ],
        [
            ln.SlonczewskiTorque(ln.Pulse(0.1, 2, 3), 0.0, rng.normal(size=3)),
            ln.ZhangLiTorque(ln.Table([0, 1], [0, 1]), 0.1),
        ],
        pinned=[0],
    )
    config = RunConfig.from_objects(system, magnet, t_end=10.0, start="steady")
    problem = RunConfig.loads(config.to_toml()).build()
    assert RunConfig.from_objects(problem.system, problem.motion, **problem.options) == config
    assert problem.system is not None and isinstance(problem.motion, Magnet)
    assert (problem.system.electrons.hamiltonian != system.electrons.hamiltonian).nnz == 0
    assert problem.system.leads[0].voltage == system.leads[0].voltage
    for mine, theirs in zip(magnet.energies, problem.motion.energies, strict=True):
        # The vector D of a DMI says its axis, and a described field knows its own rate.
        for name in vars(mine).keys() - {"axis" if isinstance(mine, ln.DMI) else "", "rate"}:
            a, b = getattr(mine, name), getattr(theirs, name)
            assert callable(b) if callable(a) else np.array_equal(a, b), (mine, name)
    assert np.array_equal(magnet.torques[0].polarization, problem.motion.torques[0].polarization)


def test_an_initial_density_matrix_comes_back_the_same() -> None:
    rng = np.random.default_rng(1)
    unitary = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))[0]
    rho = unitary * rng.uniform(0.1, 0.9, size=4) @ unitary.conj().T
    rho = (rho + rho.conj().T) / 2
    system, motion = ln.OpenSystem(ln.chain(2)), ln.Frozen(ln.uniform(2))
    config = RunConfig.from_objects(system, motion, t_end=1.0, start="partitioned", initial_density_matrix=rho)
    problem = RunConfig.loads(config.to_toml()).build()
    assert np.array_equal(problem.options["initial_density_matrix"], rho)
    assert np.array_equal(config.simulation().density_matrix, rho)
    with pytest.raises(ConfigError, match=r"^run.initial_density_matrix: eigenvalues .*; allowed: 0 to 1$"):
        RunConfig.from_objects(system, motion, t_end=1.0, start="partitioned", initial_density_matrix=2 * np.eye(4))
    with pytest.raises(ConfigError, match=r"^run.initial_density_matrix: 'given'; allowed: start = 'partitioned'"):
        RunConfig.from_objects(system, motion, t_end=1.0, initial_density_matrix=rho)


def test_what_has_no_words_in_a_file_is_refused_by_name() -> None:
    system = ln.OpenSystem(ln.chain(2), [ln.ChainLead(site=0, voltage=lambda t: t)], kT=0.1)
    with pytest.raises(ConfigError, match=r"^lead\.0\.voltage: .*allowed in a file: a constant, or Ramp"):
        RunConfig.from_objects(system, ln.Frozen(ln.uniform(2)), t_end=1.0)
    with pytest.raises(ConfigError, match=r"^motion: .*Frozen, Precession or Magnet"):
        RunConfig.from_objects(None, ln.Prescribed(lambda t: [[0, 0, 1]]), t_end=1.0)
