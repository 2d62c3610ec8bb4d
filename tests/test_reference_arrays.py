"""The reference right-hand side on arrays of other namespaces, and runs that are made of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from propagation import unit_vectors
from test_kernel import any_magnet, crowded, extended, random_state
from test_matrix_propagator import mixed

import llgnegf as ln
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.kernels.reference import Blocks, Leads, block_rates
from llgnegf.poles.channels import expand
from llgnegf.problem.magnetism.motion import Frozen
from llgnegf.run import array_run
from llgnegf.run.array_run import ArrayRun, as_numpy
from llgnegf.units import HBAR

Build = Callable[[np.random.Generator], ln.OpenSystem]


@cache
def rashba_lead() -> ln.PeriodicLead:
    return ln.square(2, 2).lead("left", hopping=1.0, rashba=0.3, exchange=(0.0, 0.1, 0.2))


def ribbon(rng: np.random.Generator) -> ln.OpenSystem:
    """Transverse modes of plain leads, one of them driven, moments and Fermi energies of their own."""
    lattice = ln.square(3, 2)
    leads = [
        lattice.lead("left", hopping=1.0, voltage=lambda t: 0.2 * np.sin(t + 0.4)),
        lattice.lead("right", hopping=0.9, chemical_potential=0.3),
    ]
    return ln.OpenSystem(lattice.electrons(1.0, rng.uniform(-1, 1, 6), rashba=0.2), leads, 0.1, 0.1)


def rashba(rng: np.random.Generator) -> ln.OpenSystem:
    """A matrix self-energy that turns with energy, and a wide band on one of its sites."""
    electrons = ln.square(2, 2).electrons(1.0, rng.uniform(-1, 1, 4), rashba=0.3)
    return ln.OpenSystem(electrons, [rashba_lead(), ln.WideBandLead(site=1, broadening=0.3, voltage=0.2)], 0.1, 0.1)


def closed(rng: np.random.Generator) -> ln.OpenSystem:
    return ln.OpenSystem(ln.chain(3, 1.0, rng.uniform(-1, 1, 3)), [], 0.1, 0.1)


def one_site(rng: np.random.Generator) -> ln.OpenSystem:
    leads = [ln.ChainLead(site=0, kT=0.2), ln.ChainLead(site=0, voltage=0.5)]
    return ln.OpenSystem(ln.chain(1, 1.0, 0.7), leads, 0.0, 0.1)


def namespace_or_skip(name: str) -> Any:
    xp = pytest.importorskip(name)
    if name == "jax.numpy":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    return xp


BUILDS = (ribbon, rashba, crowded, extended, mixed, closed, one_site)
STANDARD = [(build, name) for build in BUILDS for name in ("numpy", "array_api_strict")]


@pytest.mark.parametrize(("build", "name"), [*STANDARD, (rashba, "jax.numpy"), (rashba, "torch")])
def test_rates_are_those_of_the_compiled_kernels(build: Build, name: str) -> None:
    xp, rng = namespace_or_skip(name), np.random.default_rng(8)
    system = build(rng)
    equation = ElectronEquation(expand(system, 1e-3, 1e-4), Frozen(unit_vectors(rng, system.n_sites)))
    state, _ = random_state(rng, equation)
    tau, compiled = 1.3, np.zeros_like(state)
    equation(tau, state, compiled)
    leads, blocks = Leads.of(equation.poles), Blocks.of(equation.layout, state)
    hamiltonian = system.electrons.hamiltonian_at(equation.moments_at(tau, state))
    arrays = [xp.asarray(x + 0j) for x in (*leads, hamiltonian, system.voltages(tau * HBAR), *blocks)]
    got = block_rates(Leads(*arrays[:12]), arrays[12], arrays[13], Blocks(*arrays[14:]))
    expected = Blocks.of(equation.layout, compiled)
    scale = max(np.abs(x).max(initial=0.0) for x in expected)
    for ours, theirs in zip(got, expected, strict=True):
        assert type(ours) is type(arrays[0])
        np.testing.assert_allclose(as_numpy(ours), theirs, rtol=0, atol=1e-13 * scale)


def driven(rng: np.random.Generator) -> ln.Simulation:
    """A turn that begins on a ramp, a voltage that jumps between rows, a wide band, steps of order 4."""
    texture = unit_vectors(rng, 2)
    jump = ln.TimeFunction(lambda t: 0.3 * (t > 0.55), np.inf, (0.55,))
    leads = [ln.ChainLead(site=0, voltage=jump), ln.WideBandLead(site=1, broadening=0.2, kT=0.3)]
    system = ln.OpenSystem(ln.chain(2, 1.0, [0.8, -0.5]), leads, 0.1, 0.3)
    motion = ln.Precession(texture, 0.3, axis=[0.0, 0.6, 0.8], ramp=0.7)
    return ln.Simulation(system, motion, t_end=1.0, save_every=0.2, rtol=1e-3, integrator="rk4", step=0.01)


def answering(rng: np.random.Generator) -> ln.Simulation:
    """Moments that answer, one pinned, one moment on two sites, one that no electron feels; steps of order 8."""
    magnet = any_magnet(rng, 3, sites=[[0, 3], None, 2])
    return ln.Simulation(ribbon(rng), magnet, t_end=1.0, save_every=0.5, rtol=1e-3, start="steady", step=0.125)


def agree(simulation: ln.Simulation, **options: Any) -> None:
    """All columns of all rows: the same steps, so that nothing but round-off may differ."""
    rows = list(ArrayRun(simulation, **options).rows())
    for (index, row), (at, expected) in zip(rows, simulation.rows(), strict=True):
        assert index == at and row.keys() == expected.keys()
        for name, values in expected.items():
            scale = max(1.0, np.abs(values).max(initial=0.0))
            np.testing.assert_allclose(row[name], values, rtol=0, atol=1e-12 * scale, err_msg=f"{name}, row {index}")


@pytest.fixture(params=["H", "rows of H"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hamiltonian whole, as of small devices, and in rows, as of big ones."""
    monkeypatch.setattr(array_run, "ROWS", np.inf if request.param == "H" else 0)


@pytest.mark.parametrize("build", [driven, answering])
def test_rows_are_those_of_the_simulation(build: Callable[[np.random.Generator], ln.Simulation], form: None) -> None:
    agree(build(np.random.default_rng(2)))


@pytest.mark.parametrize("name", ["array_api_strict", "torch"])
def test_rows_from_other_namespaces(name: str, form: None) -> None:
    agree(driven(np.random.default_rng(2)), xp=namespace_or_skip(name))


def test_rows_from_jax(form: None) -> None:
    xp = namespace_or_skip("jax.numpy")
    agree(answering(np.random.default_rng(2)), xp=xp, compiled=importlib.import_module("jax").jit)


def test_a_closed_chain_has_rows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without leads, hence without modes and Fermi vectors."""
    monkeypatch.setattr(array_run, "ROWS", 0)
    system, motion = closed(np.random.default_rng(0)), ln.Precession(np.eye(3), 0.3)
    agree(ln.Simulation(system, motion, t_end=0.5, save_every=0.5, rtol=1e-3, integrator="rk4", step=0.05))


@pytest.mark.filterwarnings("ignore::llgnegf.SuspiciousValueWarning")
def test_what_it_does_not_follow_is_refused() -> None:
    system = ln.OpenSystem(ln.chain(2, 1.0, 0.5, terms=[ln.Hubbard(0.4)]), [ln.ChainLead(site=0)], 0.0, 0.2)
    moments = np.eye(3)[:2]
    adaptive = ln.Simulation(system, ln.External(moments), t_end=1.0, rtol=1e-3)
    with pytest.raises(ValueError, match=r"(?s)step: None; allowed: a fixed step of at most.*terms.*motion"):
        ArrayRun(adaptive)
    magnet = ln.Magnet(moments, 1.0, 0.5)
    with pytest.raises(ValueError, match="system: None"):
        ArrayRun(ln.Simulation(None, magnet, t_end=1.0))
    plain = ln.OpenSystem(ln.chain(2, 1.0, 0.5), [ln.WideBandLead(site=0, broadening=0.3)], 0.0, 0.2)
    noisy = ln.Simulation(
        plain, magnet, t_end=1.0, save_every=0.5, rtol=1e-3, integrator="ark5", step=0.1, temperature=0.2, seed=1
    )
    next(noisy.rows())
    with pytest.raises(ValueError, match=r"(?s)integrator: 'ark5'.*temperature: 0.2.*row: 1"):
        ArrayRun(noisy)
