"""Energy terms and torques of one's own in an input file: written, read and run like those of the package."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llgnegf as ln
from llgnegf.cli import main
from llgnegf.config import ConfigError, RunConfig
from llgnegf.plots.run import PlotReport
from llgnegf.units import G_E, GYROMAGNETIC_RATIO, HBAR

MODULE = '''
from dataclasses import dataclass
from typing import Any, ClassVar
import numpy as np
from llgnegf.problem.drives import TimeFunction
from llgnegf.problem.magnetism.terms import EnergyTerm
from llgnegf.problem.magnetism.torques import SpinTransferTorque
from llgnegf.units import MU_B


@dataclass(frozen=True, eq=False)
class Bias(EnergyTerm):
    """H = -f(t) sum_i mu_i field.M_i on sites first, first + step ...; f a function of time or a number."""

    field: Any
    strength: Any = 1.0
    first: int = 0
    label: str = "bias"
    name: ClassVar[str] = "bias"

    def __post_init__(self):
        if len(self.field) != 3:
            raise ValueError(f"Bias.field: {self.field}; allowed: 3 numbers, in T")

    def b(self, n, mu, strength):
        b = np.zeros((n, 3))
        b[self.first:] = MU_B * mu[self.first:, None] * strength * np.asarray(self.field)
        return b

    def linear(self, n_sites, magnetic_moment):
        return None if callable(self.strength) else self.b(n_sites, magnetic_moment, self.strength)

    def driven(self, n_sites, magnetic_moment):
        if not callable(self.strength):
            return None
        return TimeFunction(lambda t: self.b(n_sites, magnetic_moment, self.strength(t)),
                            derivative=lambda t: self.b(n_sites, magnetic_moment, self.strength.rate(t)))


class Push(SpinTransferTorque):
    is_static = True

    def __init__(self, amplitude):
        self.amplitude = amplitude

    def problems(self, n_sites):
        return []

    def add_to(self, amplitudes, t):
        amplitudes.damping_like[:] += np.asarray(self.amplitude)


@dataclass(frozen=True, eq=False)
class Wave(EnergyTerm):
    """H = -f(t) sum_i K (M_i.axis)^2 by energy and gradient, as if compiled code knew nothing of its kind."""

    K: float
    axis: Any
    strength: Any = 1.0
    name: ClassVar[str] = "wave"

    def _scale(self, t):
        return self.K * (self.strength(t) if callable(self.strength) else self.strength)

    def energy(self, moments, magnetic_moment, t=0.0):
        return -self._scale(t) * np.sum((np.asarray(moments) @ self.axis) ** 2)

    def gradient(self, moments, magnetic_moment, t=0.0):
        along = np.asarray(moments) @ self.axis
        return -2 * self._scale(t) * along[:, None] * np.asarray(self.axis)


class Opaque(Bias):
    def __init__(self, size):
        super().__init__([0.0, 0.0, float(size)])


NOT_A_TERM = 3
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "own_physics.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield importlib.import_module("own_physics")
    del sys.modules["own_physics"]


def magnet(own: Any, **changed: Any) -> ln.Magnet:
    ramp = ln.Ramp(0.0, 1.0, start=0.0, duration=5.0)
    terms = [own.Bias([0.0, 0.0, 50.0], first=1, label='say "b"'), own.Bias(np.array([0.0, 0.0, 20.0]), strength=ramp)]
    return ln.Magnet(**{"moments": ln.uniform(2, "x"), "magnetic_moment": 1.0, "energies": terms, **changed})


def test_an_own_term_goes_to_a_file_and_back(own: Any) -> None:
    config = RunConfig.from_objects(None, magnet(own, torques=[own.Push([0.0, 0.001, 0.0])]), t_end=10.0)
    text = config.to_toml()
    assert 'kind = "own_physics:Bias"' in text and 'kind = "own_physics:Push"' in text
    again = RunConfig.loads(text)
    assert again == config and again.to_toml() == text and RunConfig.from_dict(config.to_dict()) == config
    built = again.build().motion
    assert [type(term) for term in built.energies] == [own.Bias, own.Bias]
    first, second = built.energies
    assert (first.field, first.first, first.label) == ([0.0, 0.0, 50.0], 1, 'say "b"')
    assert second.strength == ln.Ramp(0.0, 1.0, start=0.0, duration=5.0)
    assert built.torques[0].amplitude == [0.0, 0.001, 0.0]


def test_it_moves_the_moments_as_it_says(own: Any) -> None:
    """Site 1 turns about z with g times the field, whose ramp of 20 T has an area of 20 (10 - 2.5) T fs."""
    simulation = RunConfig.loads(RunConfig.from_objects(None, magnet(own), t_end=10.0).to_toml()).simulation()
    rows = [row for _, row in simulation.rows()]
    x, y, _ = rows[-1]["moments"].T
    angle = GYROMAGNETIC_RATIO * np.array([20.0 * 7.5, 50.0 * 10.0 + 20.0 * 7.5])
    np.testing.assert_allclose(np.arctan2(y, x), angle, atol=1e-6)


def test_a_run_with_it_is_run_again_from_its_folder(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llgnegf.commands.plot.draw_plots", lambda *_, **__: PlotReport((), {}))
    Path("input.toml").write_text(RunConfig.from_objects(None, magnet(own), t_end=5.0).to_toml())
    assert main(["run", "input.toml", "-o", "first", "-q"]) == 0
    assert main(["rerun", "first", "-q"]) == 0
    assert main(["resume", "first", "-q"]) == 0


def devices() -> dict[str, ln.OpenSystem | None]:
    leads = [ln.ChainLead(0, coupling=0.8), ln.ChainLead(-1, coupling=0.9)]
    return {"electrons": ln.OpenSystem(ln.chain(3, 1.0, 0.5), leads, 0.1, kT=0.05), "alone": None}


@pytest.mark.parametrize(
    ("device", "options"),
    [
        ("electrons", {}), ("electrons", {"electrons": "adiabatic"}), ("alone", {}),
        ("electrons", {"electrons": "adiabatic", "temperature": 0.05, "step": 1.0, "seed": 3}),
    ],
    ids=["full", "slow", "alone", "noisy"],
)  # fmt: skip
def test_a_term_with_its_own_gradient_moves_like_the_same_one_in_known_parts(
    own: Any, device: str, options: dict[str, Any]
) -> None:
    """A uniaxial anisotropy written by energy and gradient, and the one that compiled code knows."""
    axis = [0.6, 0.0, 0.8]
    rows = []
    for term in (own.Wave(0.02, axis), ln.UniaxialAnisotropy(0.02, axis)):
        terms = [ln.Exchange(0.1), ln.CubicAnisotropy(0.05), term]
        given = ln.Magnet(ln.bloch_wall(3, 2, 0.9), 2.0, damping=0.1, energies=terms)
        data = ln.simulate(devices()[device], given, t_end=30.0, save_every=10.0, rtol=1e-6, **options).dataset
        rows.append([data.moments.values, data.energy_classical.values[:, None, None]])
    assert np.abs(np.diff(rows[1][0], axis=0)).max() > 0.01
    for one, other in zip(*rows, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize("device", ["electrons", "alone"])
def test_relax_with_a_term_of_its_own_gradient(own: Any, device: str) -> None:
    axis, found = [0.6, 0.0, 0.8], []
    for term in (own.Wave(0.02, axis), ln.UniaxialAnisotropy(0.02, axis)):
        given = ln.Magnet(ln.bloch_wall(3, 2, 0.9), 2.0, energies=[ln.Exchange(0.1), term])
        found.append(ln.relax(devices()[device], given, rtol=1e-6).moments)
    np.testing.assert_allclose(*found, rtol=0, atol=1e-6)


@pytest.mark.parametrize("device", ["electrons", "alone"])
def test_no_step_passes_over_the_pulse_of_a_term_with_its_own_gradient(own: Any, device: str) -> None:
    """H = -K f(t) M_y M_y on one moment along (0, 1, 1): dM/dt = (g/mu) M x dH/dM turns it about y by the integral."""
    spike = ln.Table([5000.0, 5000.2, 5000.4], [0.0, 1.0, 0.0])
    start = np.array([[0.0, 1.0, 1.0]] * (3 if device == "electrons" else 1)) / np.sqrt(2)
    system = devices()[device] and ln.OpenSystem(ln.chain(3, 1.0, 0.0), [ln.ChainLead(0)], kT=0.1)
    term = own.Wave(0.5, [0.0, 1.0, 0.0], spike)
    given = ln.Magnet(start, 1.0, energies=[term])
    got = ln.simulate(system, given, t_end=5300.0, save_every=5300.0).dataset.moments.values[-1]
    # dM/dt = -2 K f (g_e/hbar) M_y M x y = 2 K f (g_e/hbar) M_y (M_z x - M_x z)
    angle = 2 * 0.5 * 0.2 * G_E / HBAR / np.sqrt(2)
    turned = [np.sin(angle) / np.sqrt(2), 1 / np.sqrt(2), np.cos(angle) / np.sqrt(2)]
    np.testing.assert_allclose(got, [turned] * len(start), rtol=0, atol=2e-6)


def test_a_term_with_its_own_gradient_goes_to_a_file_and_says_its_power(own: Any) -> None:
    ramp = ln.Ramp(0.0, 1.0, start=0.0, duration=5.0)
    term = own.Wave(0.02, [0.0, 0.6, 0.8], ramp)
    config = RunConfig.from_objects(None, magnet(own, energies=[term]), t_end=5.0)
    (built,) = RunConfig.loads(config.to_toml()).build().motion.energies
    assert type(built) is own.Wave and built.strength == ramp
    moments = ln.uniform(2, [1.0, 2.0, 2.0])
    # -K f'(t) sum_i (M_i.axis)^2, M_i = (1, 2, 2)/3
    expected = -0.02 * ramp.rate(2.0) * 2 * (2.8 / 3) ** 2
    assert magnet(own, energies=[term]).energy.power(moments, 2.0) == pytest.approx(expected, rel=1e-6)


def test_half_of_an_own_energy_is_refused() -> None:
    with pytest.raises(TypeError, match="Half: one of energy and gradient; allowed: both or neither"):

        class Half(ln.EnergyTerm):
            def gradient(self, moments: Any, magnetic_moment: Any, t: float = 0.0) -> np.ndarray:
                return np.zeros((1, 3))


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"kind": "no_such_module_here:Bias"}, "energy.0.kind: 'no_such_module_here:Bias' (No module named "),
        ({"kind": "own_physics:Missing"}, "energy.0.kind: 'own_physics:Missing' (module 'own_physics' has"),
        ({"kind": "own_physics:NOT_A_TERM"}, "energy.0.kind: 'own_physics:NOT_A_TERM'; allowed: "),
        ({"kind": "own_physics:Push"}, "energy.0.kind: 'own_physics:Push'; allowed: package.module:Class, a "),
        ({"kind": ":"}, "energy.0.kind: ':' ("),
        ({"kind": "own_physics:Bias", "field": [0.0] * 3, "size": 1}, "energy.0.size: unknown key; allowed: field"),
        ({"kind": "own_physics:Bias", "field": [0.0]}, "energy.0.field: [0.0]; allowed: 3 numbers, in T"),
        ({"kind": "own_physics:Bias"}, "energy.0.kind: own_physics:Bias cannot be made ("),
        ({"kind": "bias"}, "energy.0.kind: 'bias'; allowed: 'exchange', "),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_one_line(own: Any, table: dict[str, Any], line: str) -> None:
    data = {
        "schema_version": 1, "run": {"t_end": 1.0}, "texture": {"kind": "uniform", "n_sites": 2},
        "magnet": {"magnetic_moment": 1.0}, "energy": [table],
    }  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_dict(data)
    assert len(caught.value.lines) == 1 and caught.value.lines[0].startswith(line), caught.value.lines


def test_what_has_no_words_in_a_file_says_so(own: Any) -> None:
    class Local(own.Bias):  # type: ignore[name-defined, misc]
        pass

    for term in (own.Bias([0.0, 0.0, 1.0], strength=lambda t: 1.0), own.Opaque(2), Local([0.0, 0.0, 1.0])):
        with pytest.raises(ConfigError, match=r"^energy\.0: .*; allowed in a file: .*class that can be imported"):
            RunConfig.from_objects(None, magnet(own, energies=[term]), t_end=1.0)


def test_a_subclass_is_not_written_as_its_parent() -> None:
    class Doubled(ln.Zeeman):
        pass

    class Own(ln.ChainLead):
        pass

    with pytest.raises(ConfigError, match=r"^energy\.0: "):
        RunConfig.from_objects(None, ln.Magnet(ln.uniform(1), 1.0, energies=[Doubled([0, 0, 1.0])]), t_end=1.0)
    system = ln.OpenSystem(ln.chain(1), [Own(0)], kT=0.1)
    with pytest.raises(ConfigError, match=r"^lead\.0: "):
        RunConfig.from_objects(system, ln.Frozen(ln.uniform(1)), t_end=1.0)


def test_a_misspelt_key_of_a_drive_in_an_own_term_is_a_mistake_of_the_file(own: Any) -> None:
    text = RunConfig.from_objects(None, magnet(own), t_end=5.0).to_toml()
    assert "initial = 0.0" in text
    with pytest.raises(ConfigError, match=r"energy\.1.*initail"):
        RunConfig.loads(text.replace("initial = 0.0", "initail = 0.0", 1))
