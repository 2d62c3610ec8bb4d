"""What `help`, reprs and mistyped arguments show of public objects, which is decided in `llgnegf._readable`."""

from __future__ import annotations

import inspect
import pickle
import pydoc
from abc import ABC, abstractmethod
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields
from typing import Any, Required, get_origin, get_type_hints

import numpy as np
import pytest

import llgnegf as ln
from llgnegf._readable import BOILERPLATE, Readable
from llgnegf.run import options
from llgnegf.run.simulate import simulate as in_memory

PUBLIC = {name: getattr(ln, name) for name in ln.__all__}
CLASSES = sorted(name for name, one in PUBLIC.items() if inspect.isclass(one) and issubclass(one, Readable))
FUNCTIONS = sorted(name for name, one in PUBLIC.items() if inspect.isfunction(one))
WALL = ln.bloch_wall(7, 4, 0.9)


def _help(thing: Any) -> list[str]:
    lines = pydoc.plain(pydoc.render_doc(thing)).splitlines()
    return [line.removeprefix(" |").strip() for line in lines if line.removeprefix(" |").strip()]


def test_all_public_classes_are_readable() -> None:
    classes = {name: one for name, one in PUBLIC.items() if inspect.isclass(one)}
    assert sorted(name for name, one in classes.items() if not issubclass(one, Exception)) == CLASSES


@pytest.mark.parametrize("name", CLASSES)
def test_help_begins_with_signature_and_summary(name: str) -> None:
    """After the title come `Name(arguments)`, unless there are none, and the first line of the docstring."""
    lines = _help(PUBLIC[name])
    text, first = "\n".join(lines), 2
    parameters = inspect.signature(PUBLIC[name]).parameters
    if parameters:
        assert lines[2].removeprefix(f"{name}(").removeprefix("*, ").startswith(next(iter(parameters)))
        first = 3
        while not lines[first - 1].endswith(")"):  # one argument a line, from Python 3.13 on
            first += 1
    assert lines[first] == (PUBLIC[name].__doc__ or "").splitlines()[0]
    assert "<factory>" not in text and "'float" not in text.split("Method resolution order")[0]
    assert [word for word in BOILERPLATE if f"{word}(" in text or f"{word} =" in text] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_of_functions_have_no_annotations(name: str) -> None:
    lines = _help(PUBLIC[name])
    assert all(one.annotation is one.empty for one in inspect.signature(PUBLIC[name]).parameters.values())
    assert "->" not in lines[1] and f"{name}(" in lines[1]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ln.ChainLead(0, voltge=1), "ChainLead.voltge: unknown; did you mean voltage?"),
        (lambda: ln.ChainLead(), "ChainLead.site: missing"),
        (lambda: ln.ChainLead(0, site=1), "ChainLead.site: given twice, in its place and by name"),
        (
            lambda: ln.ChainLead(0, 1.0, 1.0, 0.0, 0.3),
            "ChainLead: 5 arguments in a row; allowed: site, coupling, hopping, onsite, and by name voltage, "
            "chemical_potential, kT",
        ),
        (lambda: ln.Exchange(j=0.1), "Exchange.j: unknown; did you mean J?\nExchange.J: missing"),
        (
            lambda: ln.OpenSystem(ln.chain(2), temperature=0.1),
            "OpenSystem.temperature: unknown; known: electrons, leads, fermi_energy, kT",
        ),
        (lambda: ln.Drive(1.0), "Drive: 1 arguments in a row; allowed: none"),
        (lambda: ln.chain(7, jsd=0.1), "chain.jsd: unknown; did you mean j_sd?"),
        (lambda: ln.square(2, 2).lead("left", voltge=0.1), "Lattice.lead.voltge: unknown; did you mean voltage?"),
        (lambda: ln.square(2, 2).masked(), "Lattice.masked.keep: missing"),
        (lambda: ln.square(2, 2).masked(1, 2), "Lattice.masked: 2 arguments in a row; allowed: keep"),
        (
            lambda: ln.Electrons.spinless(np.eye(2), jsd=1),
            "Electrons.spinless.jsd: unknown; did you mean j_sd?\nElectrons.spinless.j_sd: missing",
        ),
        (
            lambda: ln.Simulation(ln.OpenSystem(ln.chain(7)), ln.Frozen(WALL), t_end=1.0, steps=0.1),
            "Simulation.steps: unknown; did you mean step?",
        ),
        (
            lambda: ln.simulate(ln.OpenSystem(ln.chain(7)), ln.Frozen(WALL), t_ende=1.0),
            "simulate.t_ende: unknown; did you mean t_end?\nsimulate.t_end: missing",
        ),
    ],
)
def test_what_was_meant(call: Any, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == said


def test_errors_from_within_stay_as_they_are() -> None:
    def broken(time: float) -> float:
        return len(time)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="object of type 'float' has no len"):
        ln.ChainLead(0, voltage=broken)


@pytest.mark.parametrize(
    "text",
    [
        "ChainLead(site=-1, voltage=Ramp(initial=0.0, final=0.1, start=0.0, duration=5.0))",
        "Sine(amplitude=(1.0, 1.0, 0.0), period=100.0, phase=(1.5, 0.0, 0.0))",
        "Table(times=(0.0, 1.0, 2.0), values=(0.0, 1.0, 0.0))",
        "Gate(sites=(1, 2), drive=Pulse(amplitude=0.1, center=20.0, width=2.0))",
        "Hubbard(U=0.5)",
        "UniaxialAnisotropy(K=0.02, axis=[0.0, 0.0, 1.0])",
        "DMI(D=[0.0, 0.0, 0.01])",
        "PairExchange(pairs=((0, 1, 0.1), (1, 2, 0.2)))",
        "ZhangLiTorque(velocity=0.001, nonadiabaticity=0.02)",
    ],
)
def test_reprs_of_small_objects_are_what_makes_them(text: str) -> None:
    assert repr(eval(text, {name: PUBLIC[name] for name in CLASSES})) == text


def test_reprs_of_large_objects_are_short() -> None:
    lattice = ln.square(4, 3)
    assert repr(lattice) == "<Lattice: 12 sites, 17 bonds, sides left, right, bottom, top>"  # 3 x 3 + 4 x 2 bonds
    assert repr(ln.chain(7, j_sd=0.1)) == "Electrons(hamiltonian=<14 x 14 sparse array>, j_sd=0.1)"
    assert repr(ln.Frozen(WALL)) == "Frozen(texture=<7 x 3 array>)"
    assert repr(lattice.exchange(0.1)) == "PairExchange(pairs=<17 entries>)"
    magnet = ln.Magnet(WALL, magnetic_moment=4.0, damping=0.02, energies=[ln.Zeeman(lambda t: [0, 0, t])])
    assert repr(magnet) == (
        "Magnet(moments=<7 x 3 array>, magnetic_moment=4.0, damping=0.02, energies=(Zeeman(B=<function "
        "test_reprs_of_large_objects_are_short.<locals>.<lambda>>),))"
    )
    assert repr(ln.chain(4, j_sd=ln.Ramp(0.0, 0.1, 0.0, 5.0))).endswith(
        "j_drive=Ramp(initial=0.0, final=0.1, start=0.0, duration=5.0))"
    )


def test_they_stay_frozen_dataclasses() -> None:
    ramp, lead = ln.Ramp(0.0, 0.1, 0.0, 5.0), ln.ChainLead(0)
    assert pickle.loads(pickle.dumps(ramp)) == ramp and hash(ln.Ramp(0.0, 0.1, 0.0, 5.0)) == hash(ramp)
    assert lead != ln.ChainLead(0) and repr(pickle.loads(pickle.dumps(lead))) == "ChainLead(site=0)"
    with pytest.raises(FrozenInstanceError):
        lead.site = 1  # type: ignore[misc]


def test_classes_of_a_user_may_be_abstract_and_have_their_own_repr() -> None:
    class Base(ln.EnergyTerm, ABC):
        @abstractmethod
        def strength(self) -> float: ...

    @dataclass(frozen=True, eq=False)
    class Own(Base):
        """A term."""

        K: float = 0.1

        def strength(self) -> float:
            return self.K

        def __repr__(self) -> str:
            return "mine"

    @dataclass(frozen=True, eq=False)
    class Further(Own):
        """Another."""

    assert (repr(Own()), repr(Further(0.2)), Own(0.2).strength()) == ("mine", "mine", 0.2)
    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]


def test_mistyped_public_names_find_the_right_one():
    with pytest.raises(AttributeError, match=r"^llgnegf\.Chainlead: unknown; did you mean ChainLead\?$"):
        ln.Chainlead  # noqa: B018
    with pytest.raises(AttributeError, match=r"^llgnegf\.xyzzy: unknown$"):
        ln.xyzzy  # noqa: B018
    assert not hasattr(ln, "__path_of_nothing__")


def test_what_type_checkers_are_told_of_options_is_what_there_is() -> None:
    """Names, kinds and the one that must be given: of `RunOptions`, and of each signature that `help` shows."""
    told = get_type_hints(options.RunKeywords)
    assert {**told, "copies": int} == get_type_hints(options.RunOptions)
    marked = get_type_hints(options.RunKeywords, include_extras=True)
    required = {name for name, hint in marked.items() if get_origin(hint) is Required}
    assert required == {f.name for f in fields(options.RunOptions) if f.default is MISSING} == {"t_end"}
    own = {"system", "motion", "magnet", "folder", "progress", "realisations", "executor", "workers", "wait"}
    for made, keywords in (
        (ln.simulate, options.RunKeywords), (ln.ensemble, options.RunKeywords), (in_memory, options.RunKeywords),
        (ln.Simulation, options.FullKeywords), (ln.SlowSimulation, options.SlowKeywords),
    ):  # fmt: skip
        hints = get_type_hints(keywords)
        assert set(inspect.signature(made).parameters) - own == set(hints), made
        assert hints.items() <= {**told, "copies": int}.items()
