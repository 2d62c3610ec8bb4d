"""[lattice] and what is made from it in input files: the same objects as in Python, and mistakes with their places."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llgnegf.commands.report import description
from llgnegf.config import ConfigError, RunConfig
from llgnegf.problem import swirls, textures
from llgnegf.problem.lattices.crystals import honeycomb, square
from llgnegf.problem.magnetism.energies import DMI, Dipolar, Exchange, PairDMI, PairExchange
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.torques import ZhangLiTorque
from llgnegf.problem.system import OpenSystem

RIBBON = Path(__file__).parents[1] / "examples" / "ribbon.toml"
MOMENTS: dict[str, Any] = {
    "schema_version": 1, "run": {"t_end": 1.0}, "lattice": {"kind": "square", "n_x": 4, "n_y": 3, "spacing": 0.5},
    "texture": {"kind": "uniform"}, "magnet": {"magnetic_moment": 2.0},
}  # fmt: skip
DEVICE: dict[str, Any] = {
    "schema_version": 1, "run": {"t_end": 1.0}, "lattice": {"kind": "square", "n_x": 2, "n_y": 2},
    "electrons": {"kind": "lattice"}, "texture": {"kind": "uniform"}, "motion": {"kind": "frozen"},
}  # fmt: skip


def edited(base: dict[str, Any], **tables: Any) -> dict[str, Any]:
    return {**copy.deepcopy(base), **tables}


def lines(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_dict(data)
    return caught.value.lines


def test_the_ribbon_of_the_examples() -> None:
    """Matrix, leads, texture and energies are those of the Python calls; text and tables come back."""
    config = RunConfig.load(RIBBON)
    problem, lattice = config.build(), square(3, 10)
    assert problem.system is not None
    want = lattice.electrons(1.0, 0.5, rashba=0.2)
    np.testing.assert_array_equal(problem.system.electrons.hamiltonian.toarray(), want.hamiltonian.toarray())
    np.testing.assert_array_equal(problem.system.electrons.positions, lattice.positions)
    for lead, made in zip(problem.system.leads, (
        lattice.lead("bottom", exchange=(0, 0, 0.5)), lattice.lead("top"),
    ), strict=True):  # fmt: skip
        for name in ("cell", "hopping", "coupling"):
            np.testing.assert_array_equal(getattr(lead, name), getattr(made, name))
    assert problem.system.leads[0].voltage_at(100.0) == -0.8
    np.testing.assert_array_equal(problem.motion.moments, textures.neel_wall(lattice, 4.5, 1.2, "y"))
    want = Magnet(problem.motion.moments, 1.0, energies=[lattice.exchange(0.06), lattice.dmi(0.02)])
    got = Magnet(problem.motion.moments, 1.0, energies=problem.motion.energies[:2])
    np.testing.assert_array_equal(got.energy.matrix.toarray(), want.energy.matrix.toarray())
    assert RunConfig.loads(config.to_toml()) == config
    assert description(config).startswith("electrons on 3 x 10 of a square lattice (lattice), leads: ribbon, ribbon; ")


@pytest.mark.parametrize(
    ("table", "make"),
    [
        ({"kind": "skyrmion", "center": [0.7, 0.5], "radius": 0.6, "wall_width": 0.2, "helicity": "bloch"},
         lambda lattice: swirls.skyrmion(lattice, (0.7, 0.5), 0.6, 0.2, "bloch")),
        ({"kind": "skyrmion", "center": [0.7, 0.5], "radius": 0.6, "wall_width": 0.2, "helicity": 0.3, "polarity": 1,
          "vorticity": -1}, lambda lattice: swirls.skyrmion(lattice, (0.7, 0.5), 0.6, 0.2, 0.3, 1, -1)),
        ({"kind": "vortex", "center": [0.7, 0.5], "core": 0.3},
         lambda lattice: swirls.vortex(lattice, (0.7, 0.5), 0.3)),
        ({"kind": "helix", "q": [0.1, 0.2, 0.0], "axis": "y"},
         lambda lattice: textures.helix(lattice, (0.1, 0.2, 0), "y")),
        ({"kind": "helix", "q": 0.1}, lambda lattice: textures.helix(lattice, 0.1)),
        ({"kind": "antiferromagnet", "axis": "x"}, lambda lattice: textures.antiferromagnet(lattice, "x")),
        ({"kind": "random", "seed": 5}, lambda lattice: textures.random(lattice, 5)),
        ({"kind": "bloch_wall", "center": 0.5, "width": 0.3, "along": "y"},
         lambda lattice: textures.bloch_wall(lattice, 0.5, 0.3, "y")),
        ({"kind": "cone", "angle": 0.3}, lambda lattice: textures.cone(lattice, 0.3)),
        ({"kind": "list", "moments": 12 * [[0.0, 1.0, 0.0]]}, lambda lattice: textures.uniform(lattice, "y")),
    ],
)  # fmt: skip
def test_textures_of_a_lattice(table: dict[str, Any], make: Any) -> None:
    config = RunConfig.from_dict(edited(MOMENTS, texture=table))
    np.testing.assert_array_equal(config.build().motion.moments, make(square(4, 3, 0.5)))
    assert RunConfig.loads(config.to_toml()) == config


def test_energies_and_torques_of_a_lattice() -> None:
    lattice = square(4, 3, 0.5)
    tensor = [[0.1, 0.0, 0.0], [0.0, 0.2, 0.3], [0.0, -0.3, 0.2]]
    tables = [
        {"kind": "lattice_exchange", "J": 0.1}, {"kind": "lattice_exchange", "J": tensor},
        {"kind": "lattice_dmi", "D": 0.02}, {"kind": "lattice_dmi", "D": 0.02, "symmetry": "bulk"},
        {"kind": "lattice_dipolar"}, {"kind": "pair_dmi", "pairs": [[0, 2, [0.0, 0.1, 0.2]]]},
        {"kind": "pair_exchange", "pairs": [[0, 2, 0.3], [3, 1, tensor]]},
    ]  # fmt: skip
    drive = {"kind": "sine", "amplitude": 0.1, "period": 5.0}
    torque = {"kind": "lattice_zhang_li", "velocity": drive, "direction": "y"}
    config = RunConfig.from_dict(edited(MOMENTS, energy=tables, torque=[torque], texture={"kind": "random", "seed": 1}))
    magnet = config.build().motion
    want = [
        lattice.exchange(0.1), lattice.exchange(tensor), lattice.dmi(0.02), lattice.dmi(0.02, "bulk"),
        Dipolar(positions=lattice.positions), PairDMI([(0, 2, [0, 0.1, 0.2])]),
        PairExchange([(0, 2, 0.3), (3, 1, tensor)]),
    ]  # fmt: skip
    for made, wanted in zip(magnet.energies, want, strict=True):
        np.testing.assert_array_equal(made.gradient(magnet.moments, 2.0), wanted.gradient(magnet.moments, 2.0))
    assert magnet.torques[0].derivative == lattice.derivative("y")
    assert RunConfig.loads(config.to_toml()) == config
    # the way back has pairs, positions and weights, and no lattice
    back = RunConfig.from_objects(None, magnet, t_end=1.0)
    assert back.lattice is None
    again = back.build().motion
    np.testing.assert_array_equal(again.energy.matrix.toarray(), magnet.energy.matrix.toarray())
    assert again.torques[0].derivative == magnet.torques[0].derivative
    assert RunConfig.loads(back.to_toml()) == back


def test_electrons_of_a_lattice_and_the_way_back() -> None:
    table = {"kind": "lattice", "hopping": 0.8, "disorder": 0.3, "seed": 4, "flux": 0.1, "j_sd": 0.2}
    lattice = {"kind": "honeycomb", "n_x": 2, "n_y": 2, "edge": "armchair"}
    problem = RunConfig.from_dict(edited(DEVICE, electrons=table, lattice=lattice)).build()
    want = honeycomb(2, 2, "armchair").electrons(0.8, 0.2, disorder=0.3, seed=4, flux=0.1)
    assert problem.system is not None
    np.testing.assert_array_equal(problem.system.electrons.hamiltonian.toarray(), want.hamiltonian.toarray())
    back = RunConfig.from_objects(OpenSystem(want, []), problem.motion, t_end=1.0)
    again = back.build().system
    assert back.lattice is None and again is not None
    np.testing.assert_array_equal(again.electrons.hamiltonian.toarray(), want.hamiltonian.toarray())
    np.testing.assert_array_equal(again.electrons.positions, want.positions)


def test_leads_are_written_by_their_blocks() -> None:
    """The way back of ribbons, whose lattice is not known any more; text and tables come back."""
    problem = RunConfig.load(RIBBON).build()
    assert problem.system is not None
    back = RunConfig.from_objects(problem.system, problem.motion, t_end=1.0)
    assert [table.kind for table in back.lead] == ["periodic", "periodic"]
    assert RunConfig.loads(back.to_toml()) == back
    again = back.build().system
    assert again is not None
    for lead, made in zip(problem.system.leads, again.leads, strict=True):
        for name in ("cell", "hopping", "coupling"):
            np.testing.assert_array_equal(getattr(lead, name), getattr(made, name))
        assert lead.voltage_at(3.0) == made.voltage_at(3.0)
    blocks = {"cell": [[0, 0, 0.0, 0.0]], "hopping": [[0, 1, 1, 0]], "coupling": [[0, 0, 1, 0], [8, 0, 1, 0]]}
    assert lines(edited(DEVICE, lead=[{"kind": "periodic", "orbitals": 1, **blocks}])) == [
        "lead.0.hopping.0: [0, 1, 1.0, 0.0]; allowed: 0 <= row < 1, 0 <= column < 1, each pair once",
        "lead.0.coupling.1: [8, 0, 1.0, 0.0]; allowed: 0 <= row < 8, 0 <= column < 1, each pair once",
    ]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (edited(MOMENTS, lattice={"kind": "square", "n_x": 0, "n_y": 3}), "lattice.n_x: 0; allowed: an integer from 1"),
        (edited(MOMENTS, lattice={"kind": "cubic", "n_x": 1, "n_y": 3}), "lattice.kind: 'cubic'; allowed: 'square', "),
        (edited(MOMENTS, lattice={"kind": "square", "n_x": 4, "n_y": 3, "spacing": -1.0}), "lattice.spacing: -1.0; "),
        (edited(MOMENTS, energy=[{"kind": "exchange", "J": 0.1}]),
         "energy.0.kind: 'exchange', that of a chain, beside [lattice]; allowed: 'lattice_exchange'"),
        (edited(MOMENTS, torque=[{"kind": "zhang_li", "velocity": 0.1}]), "torque.0.kind: 'zhang_li', that of a chain"),
        (edited(MOMENTS, energy=[{"kind": "dipolar", "spacing": 3.0, "direction": "x"}]), "energy.0.kind: 'dipolar', "),
        (edited(MOMENTS, energy=[{"kind": "lattice_dmi", "D": 0.0}]), "energy.0.D: 0.0; allowed: a finite number"),
        (edited(MOMENTS, texture={"kind": "uniform", "n_sites": 5}), "texture.n_sites: 5; allowed: 12 as in [lattice]"),
        (edited(MOMENTS, texture={"kind": "list", "moments": [[0.0, 0.0, 1.0]]}), "texture.moments: shape (1, 3)"),
        (edited(MOMENTS, texture={"kind": "vortex", "center": [0.0, 0.0], "core": 0.0}), "texture.core: 0.0; allowed"),
        (edited(MOMENTS, texture={"kind": "vortex", "center": 0.0, "core": 1.0}), "texture.center: 0.0; allowed: two"),
        (edited(DEVICE, electrons={"kind": "chain", "n_sites": 4}), "electrons.kind: 'chain' beside [lattice]; "),
        (edited(DEVICE, electrons={"kind": "matrix", "n_sites": 3, "entries": []}),
         "electrons.n_sites: 3; allowed: 4, the sites of [lattice]"),
        (edited(DEVICE, electrons={"kind": "lattice", "disorder": 0.1}), "electrons.seed: None; allowed: an int"),
        (edited(DEVICE, electrons={"kind": "lattice", "onsite": [0.1]}), "electrons.onsite: shape (1,); allowed"),
        (edited(DEVICE, lead=[{"kind": "periodic", "orbitals": 10**8, "cell": [], "hopping": [], "coupling": []}]),
         "lead.0.orbitals: 100000000; allowed: an integer from 1 to 1000"),
        (edited(DEVICE, lead=[{"kind": "ribbon", "side": "up"}]), "lead.0.side: 'up'; allowed: 'left', 'right', "),
        (edited(DEVICE, lead=[{"kind": "ribbon", "side": "left", "sites": [3]}]), "lead.0.sites: [3]; allowed: "),
    ],
)  # fmt: skip
def test_mistakes_have_their_places(data: dict[str, Any], wanted: str) -> None:
    found = lines(data)
    assert len(found) == 1 and found[0].startswith(wanted), found


def test_what_needs_a_lattice_says_so() -> None:
    plain = {name: value for name, value in MOMENTS.items() if name != "lattice"}
    texture = {"kind": "uniform", "n_sites": 3}
    assert lines(edited(plain, texture=texture, energy=[{"kind": "lattice_exchange", "J": 0.1}])) == [
        "energy.0.kind: 'lattice_exchange' without [lattice]; allowed: a table [lattice] beside it"
    ]
    skyrmion = {"kind": "skyrmion", "center": [0.0, 0.0], "radius": 1.0, "wall_width": 1.0}
    assert "texture.kind: 'skyrmion' without [lattice]; allowed: a table [lattice] beside it" in lines(
        edited(plain, texture=skyrmion)
    )
    chain = {"kind": "chain", "n_sites": 3}
    ribbon = edited(plain, electrons=chain, texture={"kind": "uniform"}, lead=[{"kind": "ribbon", "side": "left"}])
    assert lines(ribbon) == ["lead.0.kind: 'ribbon' without [lattice]; allowed: a table [lattice] beside it"]


def test_chains_are_as_before() -> None:
    """Terms of chains, in a file without [lattice]."""
    plain = {name: value for name, value in MOMENTS.items() if name != "lattice"}
    tables = [
        {"kind": "exchange", "J": 0.1}, {"kind": "dmi", "D": 0.1, "axis": "z"},
        {"kind": "dipolar", "spacing": 3.0, "direction": "x"},
    ]  # fmt: skip
    data = edited(plain, texture={"kind": "uniform", "n_sites": 3}, energy=tables)
    magnet = RunConfig.from_dict(edited(data, torque=[{"kind": "zhang_li", "velocity": 0.1}])).build().motion
    assert [type(term) for term in magnet.energies] == [Exchange, DMI, Dipolar]
    assert type(magnet.torques[0]) is ZhangLiTorque
