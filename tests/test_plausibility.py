"""Values in the wrong unit: one warning each that names field, value and the unit probably meant, or none at all."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llgnegf as ln
from llgnegf.cli import main
from llgnegf.config import RunConfig

EXAMPLES = Path(__file__).parents[1] / "examples"
CHAIN = ln.chain(3, hopping=1.0, j_sd=0.1)
LEADS = [ln.ChainLead(0), ln.ChainLead(-1)]
WALL = ln.uniform(3, "x")


def system(**changed: Any) -> ln.OpenSystem:
    return ln.OpenSystem(**{"electrons": CHAIN, "leads": LEADS, "kT": 0.03, **changed})


def magnet(*energies: Any, **changed: Any) -> ln.Magnet:
    return ln.Magnet(**{"moments": WALL, "magnetic_moment": 1.0, "energies": energies, **changed})


IN_PYTHON = {
    "OpenSystem.kT: 300; above the width of all bands, 4.2 eV: every level is half filled; "  # 2 (2 hopping + J_sd)
    "probably meant in K (0.0259 eV) or meV (0.3 eV)": lambda: system(kT=300.0),
    "OpenSystem.kT: 25; *K (0.00215 eV) or meV (0.025 eV)": lambda: system(kT=25.0),
    "OpenSystem.kT: 4e-21; *J (0.025 eV)": lambda: system(kT=4e-21),
    "OpenSystem.electrons.j_sd: 100; *meV (0.1 eV)": lambda: system(electrons=ln.chain(3, j_sd=100.0)),
    "OpenSystem.electrons.hamiltonian: 1000; *meV (1 eV)": lambda: system(electrons=ln.chain(3, 1000.0)),
    "OpenSystem.leads[1].hopping: 1000; *meV (1 eV)": lambda: system(leads=[LEADS[0], ln.ChainLead(-1, hopping=1e3)]),
    "OpenSystem.leads[0].coupling: 500; *meV (0.5 eV)": lambda: system(leads=[ln.ChainLead(0, coupling=500.0)]),
    "OpenSystem.leads[0].broadening: 200; *meV (0.2 eV)": lambda: system(leads=[ln.WideBandLead(0, broadening=200.0)]),
    "OpenSystem.fermi_energy: -1500; *meV (-1.5 eV)": lambda: system(fermi_energy=-1500.0),
    "OpenSystem.leads[0].chemical_potential: 100; *meV (0.1 eV)":
        lambda: system(leads=[ln.ChainLead(0, chemical_potential=100.0)]),
    "OpenSystem.leads[0].voltage: 100; *meV (0.1 eV)":
        lambda: system(leads=[ln.ChainLead(0, voltage=ln.Ramp(0.0, 100.0, 5.0, 10.0))]),
    "Magnet.energies[0].J: 10; 10 eV or more; probably meant in meV (0.01 eV)": lambda: magnet(ln.Exchange(10.0)),
    "Magnet.energies[0].J: 1.6e-21; *J (0.00999 eV)": lambda: magnet(ln.Exchange(1.6e-21)),
    "Magnet.energies[0].pairs: 12; *meV (0.012 eV)": lambda: magnet(ln.PairExchange([(0, 2, 12.0)])),
    "Magnet.energies[1].K: 20; *meV (0.02 eV)": lambda: magnet(ln.Exchange(0.1), ln.UniaxialAnisotropy(20.0, "z")),
    "Magnet.energies[0].D: 15; *meV (0.015 eV)": lambda: magnet(ln.DMI([0.0, 15.0, 0.0])),
    "Magnet.energies[0].B: 200000; *Oe (20 T) or A/m (0.251 T)": lambda: magnet(ln.Zeeman([0, 0, 2e5])),
    "Magnet.energies[0].B: 200000; *": lambda: magnet(ln.Zeeman(ln.Pulse([0, 0, 2e5], center=50.0, width=1.0))),
    "Magnet.energies[0].spacing: 0.25; *nm (2.5 angstrom)": lambda: magnet(ln.Dipolar(0.25, "x")),
    "Magnet.energies[0].spacing: 2.5e-10; *m (2.5 angstrom)": lambda: magnet(ln.Dipolar(2.5e-10, "x")),
    "Magnet.magnetic_moment: 800000; *A/m*": lambda: magnet(magnetic_moment=8e5),
    "Magnet.magnetic_moment: 9.274e-24; *J/T (1 mu_B)": lambda: magnet(magnetic_moment=9.274e-24),
    "Magnet.damping: 1e+08; *1/s*": lambda: magnet(damping=1e8),
    "Magnet.torques[0].velocity: 100; *m/s (0.001 angstrom/fs)": lambda: magnet(torques=[ln.ZhangLiTorque(100.0)]),
    "Magnet.torques[0].damping_like: 30; *meV (0.03 eV)":
        lambda: magnet(torques=[ln.SlonczewskiTorque(30.0, 0.0, "z")]),
    "RotatingFrame.energy: 5; hbar w above*meV (0.005 eV)": lambda: ln.RotatingFrame(system(), WALL, 5.0),
}  # fmt: skip


def matches(text: str, pattern: str) -> bool:
    """`*` in a pattern stands for anything."""
    position = 0
    for part in pattern.split("*"):
        position = text.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return text.startswith(pattern.split("*")[0])


@pytest.mark.parametrize("expected", IN_PYTHON)
def test_a_wrong_unit_is_named_once_where_the_object_is_made(expected: str) -> None:
    with pytest.warns(ln.SuspiciousValueWarning) as caught:
        IN_PYTHON[expected]()
    assert [matches(str(w.message), expected) for w in caught] == [True], [str(w.message) for w in caught]
    assert caught[0].filename == __file__  # the line of the user, not one of the package


def test_what_shows_only_with_the_parts_together() -> None:
    narrow = system(electrons=ln.chain(3, 0.02, j_sd=0.01), leads=[ln.ChainLead(0, 0.02, 0.02)])
    ferromagnet = magnet(ln.Exchange(0.3))
    beside = r"Magnet.energies\[0\].J: 0.3; 10 times the largest hopping, 0.02 eV"
    with pytest.warns(ln.SuspiciousValueWarning, match=beside):
        ln.Simulation(narrow, ferromagnet, t_end=1.0)
    with pytest.warns(ln.SuspiciousValueWarning, match="Precession.energy: 10; hbar w above"):
        ln.Simulation(system(), ln.Precession(WALL, energy=10.0), t_end=1.0)
    with pytest.warns(ln.SuspiciousValueWarning, match=r"simulate.t_end: 1e-12; .* s \(1e\+03 fs\)"):
        ln.Simulation(None, magnet(ln.Zeeman([0, 0, 1.0])), t_end=1e-12, save_every=1e-12)
    with pytest.warns(ln.SuspiciousValueWarning, match=r"simulate.temperature: 300; .* K \(0.0259 eV\)"):
        ln.SlowSimulation(
            None, magnet(ln.Zeeman([0, 0, 1.0]), damping=0.1), t_end=1.0, step=0.1, temperature=300.0, seed=1
        )


def test_nothing_is_said_of_sensible_values() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ln.SuspiciousValueWarning)
        for path in EXAMPLES.glob("*.toml"):
            RunConfig.load(path)
        paper = system(electrons=ln.chain(3, 1.0, j_sd=20.0), kT=0.001)  # the strongest coupling of PRL 125, 187202
        ln.RotatingFrame(paper, WALL, energy=0.001)
        magnet(ln.Exchange(0.04), ln.Zeeman([0, 0, 500.0]), ln.Dipolar(2.5, "x"), magnetic_moment=7.0, damping=1.0)


def test_pythons_filters_turn_it_off() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ln.SuspiciousValueWarning)
        system(kT=300.0)
    assert not caught


HOT = """
schema_version = 1
[run]
t_end = 1.0
[electrons]
n_sites = 2
hopping = 2700.0
[[lead]]
kind = "chain"
site = 0
voltage = { kind = "sine", amplitude = 1e6, period = 10.0 }
[system]
kT = 5000.0  # below the width of the bands with the hopping in the wrong unit, 2 x 2700
[texture]
kind = "uniform"
[magnet]
magnetic_moment = 1.0
[[energy]]
kind = "exchange"
J = 14.0
"""


def test_an_input_file_is_warned_of_by_its_own_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(ln.SuspiciousValueWarning) as caught:
        config = RunConfig.loads(HOT)
    places = [str(w.message).split(":")[0] for w in caught]
    assert sorted(places) == ["electrons.hopping", "energy.0.J", "lead.0.voltage"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ln.SuspiciousValueWarning)
        config.build()  # said once, when it was read
    path = tmp_path / "hot.toml"
    path.write_text(HOT.replace("2700.0", "1.0").replace("1e6", "0.1").replace("14.0", "0.014"))
    assert main(["oracle", str(path)]) == 2  # no precession: the doubt comes beside the mistake
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("warning: system.kT: 5000; above the width of all bands, 4 eV") and len(lines) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # as PYTHONWARNINGS=ignore::UserWarning does
        assert main(["oracle", str(path)]) == 2
    assert capsys.readouterr().err.splitlines() == lines[1:]


def test_an_input_from_objects_is_warned_of_once() -> None:
    with pytest.warns(ln.SuspiciousValueWarning) as caught:
        RunConfig.from_objects(system(kT=300.0), ln.Frozen(WALL), t_end=1.0)
    assert len(caught) == 1


def test_no_limit_is_near_a_value_in_use() -> None:
    """Room temperature, exchange of iron, and the fields of the examples are a decade from every limit."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ln.SuspiciousValueWarning)
        for factor in (0.1, 10.0):
            system(kT=0.0259 * factor, electrons=ln.chain(3, 1.0, j_sd=0.5 * factor))
            field = ln.Zeeman(np.array([0, 0, 200.0]) * factor)
            magnet(ln.Exchange(0.04 * factor), field, magnetic_moment=2.2 * factor)
