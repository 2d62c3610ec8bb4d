"""The recipes of docs/architecture.md, followed with toys: what a contributor adds works without another edit.

Leads of a new class are in test_foreign_leads, with a table of the input file in test_config; energy terms of one's own
in test_own_terms.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp

import llgnegf as ln
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.integrators.integration import runge_kutta
from llgnegf.integrators.tableaus import Tableau
from llgnegf.poles.channels import expand
from llgnegf.problem.device_terms import DeviceTerm
from llgnegf.problem.mean_fields import MeanField
from llgnegf.run.observables import REGISTRY, Observable
from llgnegf.run.simulation import initial_state
from llgnegf.units import HBAR


def test_an_observable_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = Observable(
        "largest_torque", (), "eV", "largest |T_i|", frozenset({"electrons"}),
        lambda row: np.linalg.norm(row.torque, axis=1).max(),
    )  # fmt: skip
    monkeypatch.setattr("llgnegf.run.recorder.REGISTRY", (*REGISTRY, largest))
    system = ln.OpenSystem(ln.chain(2, j_sd=0.3), [ln.ChainLead(0)], kT=0.1)
    data = ln.simulate(system, ln.Precession(ln.cone(2, 0.7), energy=0.2), t_end=4.0).dataset
    expected = np.linalg.norm(data.torque.values, axis=2).max(axis=1)
    np.testing.assert_array_equal(data.largest_torque, expected)
    assert data.largest_torque.attrs["units"] == "eV"


def test_an_explicit_method_is_one_tableau() -> None:
    """Kutta's third-order method (1901): errors of h^3 in the whole equation of motion."""
    kutta = Tableau(
        "kutta3", order=3, a=np.array([[0, 0, 0], [0.5, 0, 0], [-1.0, 2.0, 0]]), b=np.array([1, 4, 1]) / 6,
        c=np.array([0, 0.5, 1.0]), errors=np.zeros((0, 3)), error_order=3,
    )  # fmt: skip
    system = ln.OpenSystem(ln.chain(2, j_sd=0.3), [], kT=0.1)
    poles, motion = expand(system, 1e-6, 1e-6), ln.Precession(ln.cone(2, 0.7), energy=0.5)

    def final(step: float) -> np.ndarray:
        equation = ElectronEquation(poles, motion)
        integration = runge_kutta(equation, kutta, initial_state(equation, poles, motion, "thermal"), step)
        integration.advance(4.0)
        return integration.state

    exact = ln.simulate(system, motion, t_end=4.0 * HBAR, save_every=4.0 * HBAR, rtol=1e-12).density_matrix
    layout = ElectronEquation(poles, motion).layout
    coarse, fine = (np.abs(layout.density_matrix(final(h)) - exact).max() for h in (0.1, 0.05))
    assert np.log2(coarse / fine) == pytest.approx(3, abs=0.3)


class Staggered(DeviceTerm):
    """f(t) (-1)^i n_i: a term of the device as someone else would write it."""

    driven: ClassVar[str] = "drive"

    def __init__(self, drive: object) -> None:
        self.drive = drive

    def matrices(self, n_sites: int, positions: np.ndarray | None) -> list[sp.csr_array]:
        return [sp.csr_array(np.diag(np.repeat((-1.0) ** np.arange(n_sites), 2)).astype(complex))]


def test_a_term_of_the_device_is_one_class() -> None:
    drive, leads = ln.Sine(0.4, 5.0), [ln.ChainLead(0)]
    own = ln.OpenSystem(ln.chain(3, j_sd=0.2, terms=[Staggered(drive)]), leads, kT=0.1)
    known = ln.TimeDependent(np.diag([1.0, -1.0, 1.0]), drive)
    same = ln.OpenSystem(ln.chain(3, j_sd=0.2, terms=[known]), leads, kT=0.1)
    texture = ln.Frozen(ln.cone(3, 0.5))
    runs = [ln.simulate(system, texture, t_end=5.0).dataset for system in (own, same)]
    np.testing.assert_array_equal(runs[0].charge_density, runs[1].charge_density)
    assert np.abs(runs[0].charge_density - runs[0].charge_density[0]).max() > 0.05


class Screening(MeanField):
    """v (n_i - 1)^2/2 on every site."""

    def field(self, blocks: np.ndarray) -> np.ndarray:
        number = np.trace(blocks, axis1=1, axis2=2).real
        return 0.5 * (number - 1)[:, None, None] * np.eye(2)

    def energy(self, blocks: np.ndarray) -> float:
        return float(0.25 * np.sum((np.trace(blocks, axis1=1, axis2=2).real - 1) ** 2))

    def reach(self, n_sites: int) -> np.ndarray:
        return np.full(n_sites, 0.5)


def test_a_mean_field_is_one_class() -> None:
    """It pushes the charge of a site that a level attracts towards one, and its energy balances."""

    def run(*terms: object):
        electrons = ln.chain(2, onsite=[-0.8, 0.0], terms=[*terms, ln.Gate(0, ln.Pulse(0.4, 9.0, 1.0))])
        system = ln.OpenSystem(electrons, [ln.ChainLead(-1)], kT=0.1)
        return ln.simulate(system, ln.Frozen(ln.uniform(2, "z")), t_end=15.0, rtol=1e-9).dataset

    bare, screened = run(), run(Screening())
    assert 1 < screened.charge_density[0, 0] < bare.charge_density[0, 0]
    energy = screened.energy_electronic + screened.lead_energy_out.sum("lead") - screened.drive_work
    assert np.abs(energy - energy[0]).max() < 1e-8
