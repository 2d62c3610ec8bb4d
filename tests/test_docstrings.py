"""The docstring of every public name has numpydoc's sections, tells its arguments as they are, and its examples run.

Public are the names of `llgnegf/__init__.pyi` and of `llgnegf.analysis`, `llgnegf.plots` and `llgnegf.analytic`, with
their public methods. Examples know `ln`, `np` and `xarray`.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import textwrap
import warnings
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from numpydoc.docscrape import NumpyDocString

import llgnegf as ln

FURTHER = ("analysis", "plots", "analytic")
BRIEF = "llgnegf.problem."
"""Of problem objects, methods that solvers rather than users call may say in one sentence what they do."""
NO_EQUATION = frozenset({
    "AccuracyWarning", "ConfigError", "CurrentDecomposition", "DensityDependent", "Drive", "Frozen",
    "IntegrationStopped", "Lattice", "OpenSystem", "Prescribed", "QuadratureError", "Result", "RunConfig",
    "SpinTransferTorque", "SuspiciousValueWarning", "Table", "TimeFunction", "TorqueComponents", "analytic.latex",
    "antiferromagnet", "ensemble", "honeycomb", "load", "random", "run_sweep", "square", "triangular", "uniform",
    *("plots." + name for name in dir(ln.plots) if name not in ("plot_nonadiabatic_torque", "plot_torque")),
})  # fmt: skip
"""Public names without an equation in their first sentences or their Notes, since there is none to them."""


def _names() -> dict[str, Any]:
    found = {name: getattr(ln, name) for name in ln.__all__}
    for room in FURTHER:
        module = importlib.import_module(f"llgnegf.{room}")
        own = [n for n, x in vars(module).items() if getattr(x, "__module__", "") == module.__name__]
        names = [n for n in getattr(module, "__all__", own) if not n.startswith("_")]
        found |= {f"{room}.{name}": getattr(module, name) for name in names}
    return {name: x for name, x in found.items() if callable(x)}


def _members(name: str, cls: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties, inherited ones of this package too."""
    members: dict[str, Any] = {}
    for base in reversed([b for b in cls.__mro__ if b.__module__.startswith("llgnegf.")]):
        members |= vars(base)
    for key, member in members.items():
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        method = inspect.isfunction(plain) and "." in plain.__qualname__
        if not key.startswith("_") and (method or isinstance(plain, property | cached_property)):
            yield f"{name}.{key}", plain


PUBLIC = _names()
CLASSES = {name: x for name, x in PUBLIC.items() if inspect.isclass(x)}
MEMBERS = {key: member for name, cls in CLASSES.items() for key, member in _members(name, cls)}
FUNCTIONS = {name: x for name, x in PUBLIC.items() if name not in CLASSES}
METHODS = {key: member for key, member in MEMBERS.items() if inspect.isfunction(member)}


def _text(name: str) -> str:
    """The docstring; of a method without one that of the method which it overrides."""
    owner, _, key = name.rpartition(".")
    x = getattr(CLASSES[owner], key) if name in METHODS else (PUBLIC | MEMBERS)[name]
    return inspect.getdoc(x) or ""


@cache
def _parsed(name: str) -> NumpyDocString:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a section that numpydoc does not know
        return NumpyDocString(_text(name))


def _described(document: NumpyDocString, section: str = "Parameters") -> list[str]:
    return [name.strip() for entry in document[section] for name in entry.name.split(",")]


def _arguments(x: Any) -> list[str]:
    """The names in a signature, with the stars of those that take several."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = list(inspect.signature(x).parameters.values())
    return [stars.get(p.kind, "") + p.name for p in parameters if p.name not in ("self", "cls")]


def _raises(x: Any) -> bool:
    """Whether the code says itself that it refuses something."""
    parts = [inspect.unwrap(x)]
    if inspect.isclass(x):
        parts = [vars(x)[name] for name in ("__init__", "__post_init__") if name in vars(x)]
    sources = [inspect.getsource(part) for part in parts if inspect.getsourcefile(part) not in (None, "<string>")]
    return any(re.search(r"^\s*raise \w|raise_all\(\)|\bneed\(", source, re.MULTILINE) for source in sources)


def _is_warning_or_error(x: Any) -> bool:
    return inspect.isclass(x) and issubclass(x, BaseException)


def _returns(x: Any) -> bool:
    return getattr(inspect.unwrap(x), "__annotations__", {}).get("return") not in (None, "None")


@pytest.mark.parametrize("name", sorted(PUBLIC | MEMBERS))
def test_it_begins_with_a_sentence(name: str) -> None:
    summary = _parsed(name)["Summary"]
    assert summary, "no docstring"
    assert " ".join(summary).rstrip().endswith((".", ":")), summary
    assert not re.search(r"^(Args|Attributes|Returns|Raises|Example|Examples):\s*$", _text(name), re.MULTILINE)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_parameters_and_results(name: str) -> None:
    x, document = PUBLIC[name], _parsed(name)
    if _is_warning_or_error(x):
        return
    filled_in = name in MADE_BY_OTHERS
    given = _described(document, "Attributes" if filled_in else "Parameters")
    assert sorted(given) == sorted(_arguments(x)) if filled_in else given == _arguments(x)
    if name in FUNCTIONS:
        assert bool(document["Returns"] or document["Yields"]) == _returns(x)
    assert document["Raises"] or not _raises(x), "raises what it does not tell"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_methods(name: str) -> None:
    x, document = METHODS[name], _parsed(name)
    if x.__module__.startswith(BRIEF) and not any(document[section] for section in ("Parameters", "Returns", "Raises")):
        return
    assert _described(document) == _arguments(x)
    assert bool(document["Returns"] or document["Yields"]) == _returns(x)
    assert document["Raises"] or not _raises(x), "raises what it does not tell"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_name_has_an_example_and_its_equation(name: str) -> None:
    document = _parsed(name)
    assert ">>> " in "\n".join(document["Examples"])
    told = "\n".join([*document["Summary"], *document["Extended Summary"], *document["Notes"]])
    assert (" = " in told or bool(document["Notes"])) == (name not in NO_EQUATION)
    if document["References"]:
        text, numbers = _text(name), re.findall(r"^\s*\.\. \[(\d+)\]", "\n".join(document["References"]), re.MULTILINE)
        assert numbers
        assert all(f"[{number}]_" in text for number in numbers), "a source that is referred to nowhere"


@pytest.mark.parametrize("name", sorted(name for name in PUBLIC | MEMBERS if ">>> " in _text(name)))
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = {"ln": ln, "np": np, "xarray": xarray}
    test = doctest.DocTestParser().get_doctest(textwrap.dedent(_text(name)), known, name, None, 0)
    runner, said = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS), []
    with warnings.catch_warnings():
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


MADE_BY_OTHERS = frozenset({
    "CurrentDecomposition", "Decomposition", "LeadCurrents", "Magnons", "Result", "TorqueComponents",
    "analytic.GeometricTorque", "plots.Movie",
})  # fmt: skip
"""Classes that functions return: their fields are told as attributes."""
