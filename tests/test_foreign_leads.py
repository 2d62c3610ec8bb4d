"""Leads and spectra of classes that the package does not know: taken as they are, with the results of its own."""

from collections.abc import Sequence

import numpy as np
import pytest

import llgnegf as ln
from llgnegf.problem.drives import Drive
from llgnegf.problem.leads import Channel
from llgnegf.problem.spectra import ChainSpectrum, Modes

CHAIN = ChainSpectrum(0.8, 1.1, 0.1)


class Wires:
    """Chains side by side, both spins of several sites: all that the protocol asks for, and nothing of the package."""

    chemical_potential = 0.1

    def __init__(self, sites: Sequence[int], spectrum: object, voltage: float = 0.0) -> None:
        self.sites, self.spectrum, self.V = sites, spectrum, voltage

    def attach(self, n_sites: int) -> list[Channel]:
        rows = [2 * (site % n_sites) + spin for site in self.sites for spin in range(2)]
        return [Channel(np.eye(2 * n_sites)[row], self.spectrum) for row in rows]  # type: ignore[arg-type]

    def voltage_at(self, time: float) -> float:
        return self.V

    def drives(self) -> tuple[Drive, ...]:
        return ()


class Foreign:
    """The self-energy of a chain under another name, which has to be fitted."""

    support, is_zero = CHAIN.support, False

    def self_energy(self, energy):
        return CHAIN.self_energy(energy)

    def self_energy_derivative(self, energy):
        return CHAIN.self_energy_derivative(energy)

    def broadening(self, energy):
        return CHAIN.broadening(energy)


class TwoModes:
    """Gamma = sum of two Lorentzians of half-width 0.5 and height 4 w/0.5: a spectrum that knows its modes, no band."""

    energies, weights, weight = np.array([-0.4 - 0.5j, 0.7 - 0.5j]), np.array([0.2, 0.1]), 0.3
    support, is_zero = (-np.inf, np.inf), False

    def self_energy(self, energy):
        return (self.weights / (np.asarray(energy)[..., None] - self.energies)).sum(-1)

    def self_energy_derivative(self, energy):
        return -(self.weights / (np.asarray(energy)[..., None] - self.energies) ** 2).sum(-1)

    def broadening(self, energy):
        return -2 * self.self_energy(np.asarray(energy, dtype=float)).imag

    def modes(self, tolerance: float) -> Modes:
        return Modes(self.energies, self.weights)


def system_of(leads: list[object]) -> ln.OpenSystem:
    return ln.OpenSystem(ln.chain(3, 1.0, 0.6), leads, 0.1, 0.05)  # type: ignore[arg-type]


def known(voltages: Sequence[float] = (0.0, 0.0)) -> ln.OpenSystem:
    given = {"coupling": 0.8, "hopping": 1.1, "onsite": 0.1, "chemical_potential": 0.1}
    return system_of([ln.ChainLead(site, voltage=v, **given) for site, v in zip((0, -1), voltages, strict=True)])


TEXTURE = np.array([[np.sin(t), 0.3 * t, np.cos(t)] for t in (0.4, 1.0, 1.9)])
TEXTURE = TEXTURE / np.linalg.norm(TEXTURE, axis=1, keepdims=True)


@pytest.mark.parametrize("spectrum", [CHAIN, Foreign()])
def test_one_foreign_lead_is_two_of_the_package(spectrum):
    """A lead of four channels on both ends against two chain leads: frame, tensors, relaxed moments and runs."""
    foreign, own = system_of([Wires((0, -1), spectrum)]), known()
    frames = [ln.RotatingFrame(s, TEXTURE, 0.01) for s in (foreign, own)]
    rho, expected = (frame.density_matrix() for frame in frames)
    np.testing.assert_allclose(rho, expected, rtol=0, atol=1e-8)
    currents = [frame.lead_currents().spin.sum(axis=0) for frame in frames]
    np.testing.assert_allclose(*currents, rtol=0, atol=1e-8)
    friction = [ln.ResponseTensors(s, TEXTURE).friction for s in (foreign, own)]
    np.testing.assert_allclose(*friction, rtol=0, atol=1e-8)
    magnet = ln.Magnet(TEXTURE, 2.0, energies=[ln.Exchange(0.05), ln.UniaxialAnisotropy(0.02, "z")])
    if spectrum is CHAIN:  # the finest fit of another takes half a minute
        relaxed = [ln.relax(s, magnet, 1e-5).moments for s in (foreign, own)]
        np.testing.assert_allclose(*relaxed, rtol=0, atol=1e-9)
    for electrons in ("full", "adiabatic"):
        runs = [ln.simulate(s, magnet, t_end=3.0, rtol=1e-5, electrons=electrons) for s in (foreign, own)]
        np.testing.assert_allclose(*(run.dataset["moments"][-1] for run in runs), rtol=0, atol=1e-5)


def test_foreign_leads_with_a_voltage_settle_as_those_of_the_package():
    foreign, own = system_of([Wires((0,), CHAIN, 0.2), Wires((-1,), CHAIN, -0.1)]), known((0.2, -0.1))
    assert foreign.common_chemical_potential() is None
    assert foreign.mean_chemical_potential() == pytest.approx(0.15)
    frozen = ln.Frozen(TEXTURE)
    runs = [ln.simulate(s, frozen, t_end=1.0, rtol=1e-5, start="steady") for s in (foreign, own)]
    flows = [got.dataset["lead_current"][-1] for got in runs]
    np.testing.assert_allclose(*flows, rtol=0, atol=1e-8)
    exact = ln.RotatingFrame(foreign, TEXTURE, 0.0).lead_currents().charge
    assert np.abs(exact).min() > 1e-3
    np.testing.assert_allclose(flows[0], exact, rtol=0, atol=1e-5)


def test_spectrum_that_knows_its_modes_needs_no_band():
    system = system_of([Wires((0, 1, 2), TwoModes())])
    got = ln.simulate(system, ln.Frozen(TEXTURE), t_end=1.0, rtol=1e-6)
    exact = ln.spin_density(ln.RotatingFrame(system, TEXTURE, 0.0).density_matrix())
    np.testing.assert_allclose(got.dataset["spin_density"][-1], exact, rtol=0, atol=1e-6)
    poles = ln.with_pole_leads(system, 1e-3)
    np.testing.assert_array_equal(poles.lead_channels[0][0].spectrum.energies, TwoModes.energies)


@pytest.mark.parametrize(
    ("lead", "message"),
    [
        (Wires, r"OpenSystem.leads\[0\]: <class.*; allowed: a lead: an object with attach, voltage_at"),
        (3, r"OpenSystem.leads\[0\]: 3; allowed: a lead: an object with"),
        (Wires((0,), 3), r"OpenSystem.leads\[0\].attach\(\)\[0\].spectrum: 3; allowed: an object with self_energy"),
    ],
)  # fmt: skip
def test_what_a_lead_lacks_is_named(lead, message):
    with pytest.raises(ValueError, match=message):
        system_of([lead])


def test_channel_of_another_size_is_named():
    lead = Wires((0,), CHAIN)
    lead.attach = lambda n_sites: [Channel(np.ones(3), CHAIN)]
    with pytest.raises(ValueError, match=r"OpenSystem.leads\[0\].attach\(\)\[0\].vector: shape \(3,\); allowed: 6"):
        system_of([lead])


def test_one_answer_to_whether_leads_share_a_chemical_potential():
    leads = [ln.ChainLead(0, voltage=0.1, chemical_potential=0.2), ln.ChainLead(1, coupling=0.0, voltage=5.0)]
    assert ln.OpenSystem(ln.chain(2), leads).common_chemical_potential() == pytest.approx(0.3)  # detached: no say
    assert ln.OpenSystem(ln.chain(2), [], 0.7).common_chemical_potential() == 0.7
    ramp = ln.ChainLead(1, voltage=ln.Ramp(0.0, 0.4, 0.0, 10.0), chemical_potential=0.3)
    driven = ln.OpenSystem(ln.chain(2), [leads[0], ramp])
    assert driven.common_chemical_potential() == pytest.approx(0.3)
    assert driven.common_chemical_potential(10.0) is None
    assert driven.mean_chemical_potential(10.0) == pytest.approx(0.5)


def test_voltages_are_asked_for_at_every_run():
    """A lead of one's own may be set to another voltage between two runs of one system."""
    lead = Wires([0], CHAIN)
    system = ln.OpenSystem(ln.chain(2), [lead, ln.ChainLead(-1)], kT=0.1)
    assert system.voltages(0.0)[0] == 0.0
    lead.V = 0.3
    run = ln.simulate(system, ln.Frozen(ln.uniform(2, "z")), t_end=1.0, start="steady")
    other = ln.OpenSystem(ln.chain(2), [Wires([0], CHAIN, 0.3), ln.ChainLead(-1)], kT=0.1)
    again = ln.simulate(other, ln.Frozen(ln.uniform(2, "z")), t_end=1.0, start="steady")
    assert abs(run.dataset.lead_current.values[0, 0]) > 0.01
    np.testing.assert_array_equal(run.dataset.lead_current.values, again.dataset.lead_current.values)
