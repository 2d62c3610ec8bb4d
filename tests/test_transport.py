"""Transport between leads against closed forms, scattering matrices of its own, runs and the rotating frame.

`Reference` inverts E - H - Sigma site by site and takes Sigma from the leads; everything else of it is written here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial.legendre import leggauss
from scipy.integrate import quad
from test_ribbon_transport import BIAS, KT, RASHBA_SQUARE, biased, grid
from test_ribbon_transport import transmission as of_grid

import llgnegf as ln
from llgnegf.static.mean_field import site_blocks
from llgnegf.static.recursion import ChainGreen
from llgnegf.static.undamped import bound_on_chain, bound_states
from llgnegf.static.views import InLevels
from llgnegf.transport.scattering import Scattering
from llgnegf.units import HBAR

pytestmark = pytest.mark.filterwarnings("ignore::llgnegf.SuspiciousValueWarning")
"""Chemical potentials beyond the widths of weak leads are meant here."""

H = 2 * np.pi * HBAR
"""Planck's constant, eV fs."""


def fermi(x: Any, kT: Any) -> Any:
    """1/(exp(x/kT) + 1), kT > 0."""
    return 0.5 - 0.5 * np.tanh(np.asarray(x) / (2 * np.asarray(kT)))


def roots(gamma: np.ndarray) -> np.ndarray:
    """Gamma^1/2."""
    values, states = np.linalg.eigh(gamma)
    return (states * np.sqrt(np.maximum(values, 0.0))) @ states.conj().T


@dataclass
class Reference:
    """The scattering matrix at one energy between the orbitals of all leads, and the lead of each."""

    system: ln.OpenSystem
    moments: np.ndarray

    def channels(self) -> list[tuple[int, np.ndarray, Any]]:
        return [(p, c.columns, c.spectrum) for p, lead in enumerate(self.system.lead_channels) for c in lead]

    @property
    def leads(self) -> np.ndarray:
        return np.array([p for p, u, _ in self.channels() for _ in range(u.shape[1])])

    def green(self, energy: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """G, the columns u of all orbitals, and Gamma between them."""
        h = self.system.electrons.hamiltonian_at(self.moments)
        inverse, columns, blocks = energy * np.eye(len(h)) - h, [], []
        for p, u, spectrum in self.channels():
            e = energy - self.system.voltages()[p]
            sigma = np.reshape(spectrum.self_energy(np.array([e + 0j]))[0], (u.shape[1], u.shape[1]))
            inverse = inverse - u @ sigma @ u.conj().T
            columns.append(u)
            blocks.append(1j * (sigma - sigma.conj().T))
        gamma, first = np.zeros((len(self.leads), len(self.leads)), dtype=complex), 0
        for block in blocks:
            gamma[first : first + len(block), first : first + len(block)] = block
            first += len(block)
        return np.linalg.inv(inverse), np.concatenate(columns, axis=1), gamma

    def s_matrix(self, energy: float) -> np.ndarray:
        g, u, gamma = self.green(energy)
        root = roots(gamma)
        return -np.eye(len(gamma)) + 1j * root @ u.conj().T @ g @ u @ root

    def probabilities(self, energy: float) -> np.ndarray:
        """Sums of |s|^2 between the leads, (L, L)."""
        s, own = np.abs(self.s_matrix(energy)) ** 2, self.leads == np.arange(len(self.system.leads))[:, None]
        return own.astype(float) @ s @ own.T.astype(float)


def directions(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def three_terminals(seed: int, kT: float = 0.05, fillings: Any = None, n: int = 4) -> tuple[ln.OpenSystem, np.ndarray]:
    """A chain with random moments between a chain, a wide band of one polarised spin and a Rashba ribbon (matrix)."""
    rng = np.random.default_rng(seed)
    own = [{}] * 3 if fillings is None else [{"chemical_potential": m, "kT": t} for m, t in fillings]
    spinor = rng.normal(size=(2, 2)) @ [1, 1j]
    polarised = np.kron(np.eye(n)[1], spinor / np.linalg.norm(spinor))
    leads = [
        ln.ChainLead(0, coupling=0.8, hopping=1.1, voltage=0.1, **own[0]),
        ln.Lead([(polarised, ln.WideBandLead(0, 0.7).spectrum())], **own[1]),
        ln.square(n, 1).lead("right", hopping=1.0, rashba=0.6, exchange=(0.1, 0.3, 0.2), **own[2]),
    ]
    return ln.OpenSystem(ln.chain(n, 1.0, rng.uniform(0.3, 1.0, n)), leads, 0.15, kT), directions(rng, n)


def level(left: float, right: float, bias: float, kT: float = 0.0) -> ln.Transport:
    """One site at 0 between wide bands, chemical potentials +-bias/2; both spins alike."""
    leads = [ln.WideBandLead(0, g, chemical_potential=s * bias / 2) for g, s in ((left, 1), (right, -1))]
    return ln.Transport(ln.OpenSystem(ln.chain(1), leads, kT=kT), ln.uniform(1, "z"))


class TestTransmission:
    def test_perfect_chain_and_outside_its_band(self) -> None:
        system = ln.OpenSystem(ln.chain(5), [ln.ChainLead(0), ln.ChainLead(-1)])
        found = ln.Transport(system, ln.uniform(5, "z")).transmission([-2.3, -1.99, 0.0, 1.2, 2.01])
        expected = np.array([0, 2, 2, 2, 0])[:, None, None] * np.array([[0, 1], [1, 0]])
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert found.dims == ("energy", "lead", "source_lead") and found.energy.attrs["units"] == "eV"

    @pytest.mark.parametrize("theta", [0.0, 0.7, 2.0])
    def test_one_moment_resolved_by_spin(self, theta: float) -> None:
        """In an infinite chain t_s = v/(v -+ i J), v = sqrt(4 - E^2); a moment tilted by theta has up and down as
        cos^2 and sin^2 of its own ones: t = t_+ P + t_- (1 - P)."""
        j, energy = 0.6, 0.4
        v = np.sqrt(4 - energy**2)
        t = [1j * v / (1j * v + s * j) for s in (1, -1)]  # H = -J along the moment, level -J: E - 2 Sigma = i v
        c, s = np.cos(theta / 2) ** 2, np.sin(theta / 2) ** 2
        system = ln.OpenSystem(ln.chain(1, j_sd=j), [ln.ChainLead(0), ln.ChainLead(0)])
        flow = ln.Transport(system, np.array([[np.sin(theta), 0, np.cos(theta)]]))
        found = flow.transmission(energy, spin_axis="z").sel(lead=1, source_lead=0)[0]
        expected = [
            [abs(t[0] * c + t[1] * s) ** 2, c * s * abs(t[0] - t[1]) ** 2],
            [c * s * abs(t[0] - t[1]) ** 2, abs(t[0] * s + t[1] * c) ** 2],
        ]
        np.testing.assert_allclose(found, expected, atol=1e-13)

    @given(st.integers(0, 10**6), st.floats(-2.5, 2.5))
    @settings(max_examples=25)
    def test_equals_the_scattering_matrix(self, seed: int, energy: float) -> None:
        """Reflection on the diagonal included; s is unitary, so rows and columns sum to the open channels."""
        system, moments = three_terminals(seed)
        found = ln.Transport(system, moments).transmission(energy).values[0]
        reference = Reference(system, moments)
        expected = reference.probabilities(energy)
        gamma = reference.green(energy)[2]
        for p in range(3):  # orbitals of closed channels: |s| = 1 there
            own = np.ix_(reference.leads == p, reference.leads == p)
            expected[p, p] -= np.sum(np.linalg.eigvalsh(gamma[own]) < 1e-9)
        np.testing.assert_allclose(found, expected, atol=1e-8)
        np.testing.assert_allclose(found.sum(axis=0), found.sum(axis=1), atol=1e-9)
        np.testing.assert_allclose(found.sum(axis=0), np.round(found.sum(axis=0)), atol=1e-9)

    @pytest.mark.parametrize("ribbon", [False, True])
    def test_axis_that_turns_with_the_moments(self, ribbon: bool) -> None:
        """Leads that couple both spins alike: moments and axis turned together change nothing, and sums are the whole.

        A honeycomb ribbon is a matrix lead, whose orbitals are projected on either spin.
        """
        lattice = ln.honeycomb(1, 2) if ribbon else ln.square(3, 1)
        leads = [lattice.lead(side, hopping=1.0) for side in ("left", "right")]
        system = ln.OpenSystem(lattice.electrons(1.0, 0.7), leads)
        moments = directions(np.random.default_rng(2), lattice.n_sites)
        turn = np.linalg.qr(np.arange(9).reshape(3, 3) ** 2.0)[0]
        turn *= np.linalg.det(turn)
        flow = ln.Transport(system, moments)
        found = flow.transmission([0.3, 1.3], spin_axis="z")
        turned = ln.Transport(system, moments @ turn.T).transmission([0.3, 1.3], spin_axis=turn[:, 2])
        np.testing.assert_allclose(turned, found, atol=1e-10)
        np.testing.assert_allclose(found.sum(["spin", "source_spin"]), flow.transmission([0.3, 1.3]), atol=1e-10)
        assert found.min() > -1e-12 and found.sel(spin="up", source_spin="down").max() > 0.01
        channels = found.sum(["lead", "spin"])
        np.testing.assert_allclose(channels, np.round(channels), atol=1e-10)

    def test_long_chain_by_recursion_equals_dense(self) -> None:
        n, rng = 40, np.random.default_rng(3)
        leads = [ln.ChainLead(0, coupling=0.7), ln.WideBandLead(17, 0.3), ln.ChainLead(-1, onsite=0.4)]
        system = ln.OpenSystem(ln.chain(n, 1.0, rng.uniform(0.2, 1.0, n)), leads)
        moments = directions(rng, n)
        energies = np.array([-2.2, -0.3, 0.0, 1.1])
        found = ln.Transport(system, moments).transmission(energies).values
        for e, t in zip(energies, found, strict=True):
            off = ~np.eye(3, dtype=bool)
            np.testing.assert_allclose(t[off], Reference(system, moments).probabilities(e)[off], atol=1e-11)

    @pytest.mark.parametrize("fermi_energy", RASHBA_SQUARE)
    def test_rashba_square(self, fermi_energy: float) -> None:
        """The mean of T over the window of 10 meV; conductance by a quadrature of its own."""
        flow = ln.Transport(biased(ln.square(3, 3), 1.0, fermi_energy, KT, BIAS), ln.uniform(9, "z"))
        assert flow.currents().charge[1] * HBAR / BIAS == pytest.approx(RASHBA_SQUARE[fermi_energy], abs=1e-6)
        rest = ln.Transport(biased(ln.square(3, 3), 1.0, fermi_energy, KT, 0.0), ln.uniform(9, "z"))
        x, weights = leggauss(200)
        energy, (h, h0, v) = fermi_energy + 0.9 * x, grid(3, 3, 1.0)
        derivative = 1 / (4 * KT * np.cosh((energy - fermi_energy) / (2 * KT)) ** 2)
        expected = 0.9 * sum(w * d * of_grid(e, h, h0, v) for w, d, e in zip(weights, derivative, energy, strict=True))
        found = rest.conductance().charge
        np.testing.assert_allclose(found, expected * np.array([[-1, 1], [1, -1]]), atol=1e-7)
        assert found.attrs["units"] == "e^2/h"
        turned = rest.transmission(fermi_energy, spin_axis="y").sum(["spin", "source_spin"])
        np.testing.assert_allclose(turned, rest.transmission(fermi_energy), atol=1e-12)


class TestDensityOfStates:
    @given(st.integers(0, 10**6))
    @settings(max_examples=10)
    def test_injected_parts_and_their_sum(self, seed: int) -> None:
        system, moments = three_terminals(seed)
        found = ln.Transport(system, moments).density_of_states([0.3])
        g, u, gamma = Reference(system, moments).green(0.3)
        blocks = (1j * (g - g.conj().T) / (2 * np.pi)).reshape(4, 2, 4, 2)
        np.testing.assert_allclose(found.charge.sum("source_lead")[0], np.einsum("isis->i", blocks).real, atol=1e-10)
        own = (Reference(system, moments).leads == 1).astype(float)
        injected = g @ u @ (gamma * np.outer(own, own)) @ u.conj().T @ g.conj().T / (2 * np.pi)
        expected = ln.spin_density(injected)
        np.testing.assert_allclose(found.spin.sel(source_lead=1)[0], expected, atol=1e-10)

    @pytest.mark.parametrize("coupling", [1.0, 0.3])
    def test_two_states_on_every_site(self, coupling: float) -> None:
        """int dE of the local density of states and the undamped levels' weights: 2, spin 0; bound states included."""
        leads = [ln.ChainLead(0, coupling=coupling), ln.ChainLead(-1, coupling=coupling)]
        system = ln.OpenSystem(ln.chain(3, 1.0, 1.7), leads)
        flow = ln.Transport(system, directions(np.random.default_rng(1), 3))
        levels = flow.undamped_levels()
        assert levels.sizes["level"] >= 2 and np.all(np.abs(levels.energy) > 2)
        x, weights = leggauss(600)
        angle = 0.5 * np.pi * x
        found = flow.density_of_states(2 * np.sin(angle)).sum("source_lead")
        jacobian = (np.pi * np.cos(angle) * weights)[:, None]
        charge = (found.charge * jacobian).sum("energy") + levels.charge.sum("level")
        spin = (found.spin * jacobian[..., None]).sum("energy") + levels.spin.sum("level")
        np.testing.assert_allclose(charge, 2.0, atol=1e-7)
        np.testing.assert_allclose(spin, 0.0, atol=1e-7)

    def test_bound_state_of_one_moment(self) -> None:
        """|E| = sqrt(4 + J^2) with weight J/sqrt(4 + J^2) = 1/(1 - dSigma/dE) on the site (physics of one moment)."""
        j = 0.5
        system = ln.OpenSystem(ln.chain(1, j_sd=j), [ln.ChainLead(0), ln.ChainLead(0)])
        levels = ln.Transport(system, ln.uniform(1, "x")).undamped_levels()
        np.testing.assert_allclose(levels.energy, [-np.sqrt(4 + j**2), np.sqrt(4 + j**2)], atol=1e-12)
        weight = j / np.sqrt(4 + j**2)
        np.testing.assert_allclose(levels.charge[:, 0], weight, atol=1e-9)
        np.testing.assert_allclose(levels.spin[:, 0], [[weight, 0, 0], [-weight, 0, 0]], atol=1e-9)

    def test_chain_equals_dense(self) -> None:
        """Bound states below, above and between the bands of two leads, by recursion and by eigenvalues."""
        n, rng = 6, np.random.default_rng(8)
        leads = [ln.ChainLead(0, coupling=0.8, hopping=0.3, onsite=-1.0), ln.ChainLead(-1, hopping=0.4, onsite=0.6)]
        flow = ln.Transport(ln.OpenSystem(ln.chain(n, 1.0, rng.uniform(0.3, 2.0, n)), leads), directions(rng, n))
        device = flow._device
        dense, found = bound_states(device, -9.0, 9.0), bound_on_chain(ChainGreen(device), -9.0, 9.0)
        np.testing.assert_allclose([e for e, _ in found], [level.energy for level in dense], atol=1e-12)
        for (_, blocks), level in zip(found, dense, strict=True):
            np.testing.assert_allclose(blocks, site_blocks(level.residue), atol=1e-10)
        assert len(dense) > 6 and flow.undamped_levels().sizes["level"] == len(dense)

    def test_dark_and_closed(self) -> None:
        """Two sites coupled alike to one of a chain have a combination that no lead reaches; closed: all levels."""
        hopping = np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]])
        leads = [ln.ChainLead(0), ln.ChainLead(0)]
        flow = ln.Transport(ln.OpenSystem(ln.Electrons(np.kron(-hopping, np.eye(2)), 0.0), leads), ln.uniform(3, "z"))
        levels = flow.undamped_levels()
        inside = levels.isel(level=np.abs(levels.energy.values) < 2)
        np.testing.assert_allclose(inside.energy, [0.0], atol=1e-12)
        np.testing.assert_allclose(inside.charge[0], [0, 1, 1], atol=1e-12)  # either spin
        closed = ln.Transport(ln.OpenSystem(ln.chain(3, 1.0, 0.5)), ln.uniform(3, "z"))
        expected = np.sort([s * 0.5 + e for s in (1, -1) for e in (-np.sqrt(2), 0, np.sqrt(2))])
        np.testing.assert_allclose(closed.undamped_levels().energy, expected, atol=1e-12)
        weights = np.array([1, 2, 1, 1, 2, 1]).reshape(2, 3) / 4
        np.testing.assert_allclose(closed.undamped_levels().charge[:2], weights, atol=1e-13)
        assert closed.transmission([0.0, 1.0]).shape == (2, 0, 0)


FILLINGS = ((0.3, 0.02), (-0.1, 0.06), (0.05, 0.04))


class TestCurrents:
    @pytest.mark.parametrize(("seed", "cold"), [(1, 1.0), (2, 0.0)])
    def test_against_the_stationary_state(self, seed: int, cold: float) -> None:
        """Charge of the density matrix's lead rates (another formula); energy in is energy out. kT = 0 in two leads."""
        fillings = [(mu, kT * (1.0 if p == 1 else cold)) for p, (mu, kT) in enumerate(FILLINGS)]
        system, moments = three_terminals(seed, fillings=fillings)
        found = ln.Transport(system, moments).currents()
        charge = ln.RotatingFrame(system, moments, 0.0).lead_currents().charge
        np.testing.assert_allclose(found.charge, charge, atol=1e-8)
        assert abs(found.energy.sum()) < 1e-9 < 1e-3 < abs(found.energy[0])
        np.testing.assert_allclose(found.heat, found.energy - system.chemical_potentials() * found.charge, atol=1e-15)

    def test_against_a_run(self) -> None:
        """Energy that leaves the device (the time domain's own operator) is what leads at different sites gain."""
        leads = [ln.ChainLead(0, chemical_potential=0.4, kT=0.1), ln.ChainLead(-1, coupling=0.6, kT=0.03)]
        system = ln.OpenSystem(ln.chain(3, 1.0, 0.7), leads, 0.1, 0.05)
        moments = directions(np.random.default_rng(5), 3)
        run = ln.simulate(system, ln.Frozen(moments), t_end=1.0, save_every=0.5, rtol=1e-5, start="steady").dataset
        found = ln.Transport(system, moments).currents()
        np.testing.assert_allclose(run.lead_current[-1], found.charge, atol=2e-5)
        np.testing.assert_allclose(run.lead_energy_current[-1], found.energy, atol=2e-5)
        np.testing.assert_allclose(run.lead_spin_current[-1], found.spin, atol=2e-5)

    @pytest.mark.parametrize("weak", [1e-3, 1e-9])
    @pytest.mark.parametrize("n", [1, 33])
    def test_weak_leads(self, weak: float, n: int) -> None:
        """I = (1/hbar) sum_k G_L G_R/(G_L + G_R) over levels within the bias, widths G_p |psi_k(end)|^2, both spins;
        corrections of the order of the width over the distance of the next level, or of the end of the window."""
        leads = [ln.WideBandLead(i, weak * x, chemical_potential=mu) for i, x, mu in ((0, 1, 0.26), (-1, 3, -0.26))]
        system = ln.OpenSystem(ln.chain(n), leads)
        found = ln.Transport(system, ln.uniform(n, "z")).currents().charge.values
        k = np.pi * np.arange(1, n + 1) / (n + 1)
        width = 2 / (n + 1) * np.sin(k[np.abs(2 * np.cos(k)) < 0.26]) ** 2
        assert width.size == (1 if n == 1 else 3)
        expected = 2 / HBAR * (0.75 * weak * width).sum()
        np.testing.assert_allclose(found, [-expected, expected], rtol=1e-8 + 20 * weak)

    def test_mean_fields_are_those_of_the_stationary_state(self) -> None:
        leads = [ln.WideBandLead(0, 0.5, chemical_potential=0.4), ln.WideBandLead(-1, 0.7, chemical_potential=-0.3)]
        system = ln.OpenSystem(ln.Electrons(ln.chain(2).hamiltonian, 0.4, terms=[ln.Hubbard(0.8)]), leads, kT=0.05)
        moments = ln.uniform(2, "x")
        flow = ln.Transport(system, moments)
        current = ln.RotatingFrame(system, moments, 0.0).lead_currents().charge
        np.testing.assert_allclose(flow.currents().charge, current, atol=1e-8)


class TestConductance:
    def test_is_the_derivative_of_the_currents(self) -> None:
        """By chemical potentials, under bias, three terminals, charge and spin: central differences."""
        system, moments = three_terminals(7, fillings=FILLINGS)
        found, step = ln.Transport(system, moments).conductance(), 1e-3
        for q in range(3):
            ends = []
            for sign in (1, -1):
                moved = [(m + sign * step * (p == q), t) for p, (m, t) in enumerate(FILLINGS)]
                ends.append(ln.RotatingFrame(three_terminals(7, fillings=moved)[0], moments, 0.0, tolerance=1e-11))
            up, down = (frame.lead_currents() for frame in ends)
            charge, spin = H * (up.charge - down.charge) / (2 * step), 4 * np.pi * (up.spin - down.spin) / (2 * step)
            np.testing.assert_allclose(found.charge[:, q], charge, atol=2e-4)  # step^2/kT^2 times a third
            np.testing.assert_allclose(found.spin[:, :, q], spin, atol=2e-4)
            assert np.abs(found.charge[:, q]).max() > 0.1

    def test_spin_of_a_collinear_device_is_up_minus_down(self) -> None:
        system = ln.OpenSystem(ln.chain(3, 1.0, 0.8), [ln.ChainLead(0), ln.ChainLead(-1)], 0.3)
        flow = ln.Transport(system, ln.uniform(3, "z"))
        found = flow.conductance()
        t = flow.transmission(0.3, spin_axis="z").sel(lead=1, source_lead=0)[0].values
        assert found.charge[1, 0] == pytest.approx(t[0, 0] + t[1, 1], abs=1e-12)
        assert found.spin.sel(lead=1, source_lead=0, component="z") == pytest.approx(t[0, 0] - t[1, 1], abs=1e-12)
        np.testing.assert_allclose(found.charge.sum("lead"), 0, atol=1e-12)

    def test_closed_at_the_fermi_energy(self) -> None:
        """kT = 0 outside all bands, on a bound state too: nothing."""
        j = 0.5
        for energy in (3.0, np.sqrt(4 + j**2)):
            system = ln.OpenSystem(ln.chain(1, j_sd=j), [ln.ChainLead(0), ln.ChainLead(0)], energy)
            flow = ln.Transport(system, ln.uniform(1, "z"))
            assert not np.any(flow.conductance().charge) and not np.any(flow.noise())


class TestThermoelectric:
    def test_wiedemann_franz(self) -> None:
        """T = 2 everywhere: kappa = 2 (pi^2/3) kT/h, no Seebeck effect."""
        for kT in (0.02, 1e-5):
            system = ln.OpenSystem(ln.chain(3), [ln.ChainLead(0), ln.ChainLead(-1)], kT=kT)
            found = ln.Transport(system, ln.uniform(3, "z")).thermoelectric()
            assert found.thermal_conductance[1, 0] == pytest.approx(2 * np.pi**2 / 3 * kT / H, rel=1e-8)
        assert found.seebeck[1, 0] == pytest.approx(0, abs=1e-8)

    def test_of_a_level(self) -> None:
        """A level above the Fermi energy is electron-like: S = -(k_B/e) L_1/(L_0 kT) < 0, both ways."""
        e, gamma, kT = 0.1, 0.04, 0.03
        leads = [ln.WideBandLead(0, gamma), ln.WideBandLead(0, gamma)]
        system = ln.OpenSystem(ln.Electrons(e * np.eye(2), 0.0), leads, kT=kT)

        def moment(k: int) -> float:
            def f(x: float) -> float:
                return 2 * gamma**2 / ((x - e) ** 2 + gamma**2) * x**k / (4 * kT * np.cosh(x / (2 * kT)) ** 2)

            return quad(f, -1.2, 1.2, points=[0, e], epsabs=1e-13, limit=200)[0]

        l0, l1, l2 = (moment(k) for k in range(3))
        found = ln.Transport(system, ln.uniform(1, "z")).thermoelectric()
        np.testing.assert_allclose(found.moments[:, 1, 0], [l0, l1, l2], atol=1e-10)
        assert float(found.seebeck[1, 0]) == pytest.approx(-l1 / (l0 * kT), rel=1e-8)
        assert float(found.seebeck[0, 1]) == pytest.approx(-l1 / (l0 * kT), rel=1e-8) and l1 > 0
        assert float(found.thermal_conductance[1, 0]) == pytest.approx((l2 - l1**2 / l0) / (kT * H), rel=1e-8)

    def test_response_to_a_warm_lead(self) -> None:
        """Three terminals: with the chemical potentials that `seebeck` says no charge flows, and the heat follows."""
        kT, mu, warm = 0.05, 0.15, 1e-4
        found = ln.Transport(*three_terminals(11, kT, [(mu - 0.1, kT), (mu, kT), (mu, kT)])).thermoelectric()
        rise = mu - warm * found.seebeck[:, 2].values
        system, moments = three_terminals(11, kT, [(rise[0] - 0.1, kT), (rise[1], kT), (rise[2], kT + warm)])
        flow = ln.Transport(system, moments).currents()
        assert float(np.abs(found.seebeck[:2, 2]).min()) > 0.01
        np.testing.assert_allclose(flow.charge / warm, 0, atol=5e-5)  # second order: 0.01/fs times warm/kT
        np.testing.assert_allclose(flow.heat / warm, found.thermal_conductance[:, 2], atol=2e-4)


class TestNoise:
    @pytest.mark.parametrize("kT", [0.01, 0.1])
    def test_johnson_nyquist(self, kT: float) -> None:
        """S_pq = -kT (G_pq + G_qp)/h with G_pq = dI_p/dmu_q; for two leads 2 kT G."""
        flow = ln.Transport(*three_terminals(3, kT, [(0.05, kT), (0.15, kT), (0.15, kT)]))
        g = flow.conductance().charge.values
        np.testing.assert_allclose(flow.noise(), kT * -(g + g.T) / H, atol=1e-10 * kT)

    @given(st.integers(0, 10**6))
    @settings(max_examples=10)
    def test_integrand_by_counting_statistics(self, seed: int) -> None:
        """Levitov's formula at one energy: S_pq = -d^2/dl_p dl_q ln det[1 + f (e^{-i l} s^dag e^{i l} s - 1)].

        Between energies [0.3, 0.3 + 1e-6] only: kT is so high that fillings are constants there.
        """
        system, moments = three_terminals(seed, fillings=((0.9, 0.7), (-0.4, 0.5), (0.2, 0.9)))
        flow, reference = ln.Transport(system, moments), Reference(system, moments)
        s, leads, n = reference.s_matrix(0.3), reference.leads, len(reference.leads)
        f = np.diag(fermi(0.3 - system.chemical_potentials()[leads], system.temperatures()[leads]))

        def cumulants(counting: np.ndarray) -> complex:
            phase = np.exp(1j * counting[leads])
            return np.linalg.slogdet(np.eye(n) + f @ ((s.conj().T * phase) @ s / phase[:, None] - np.eye(n)))

        def log(counting: np.ndarray) -> complex:
            sign, size = cumulants(counting)
            return size + np.log(sign)

        step, one = 1e-3, np.eye(3)
        expected = np.array([[
            -sum(a * b * log(step * (a * one[p] + b * one[q])) for a in (1, -1) for b in (1, -1)).real / (4 * step**2)
            for q in range(3)] for p in range(3)
        ])  # fmt: skip
        device = flow._device
        at = Scattering.at(InLevels(device), np.array([0.3]), np.zeros(1))
        filling = fermi(0.3 - device.chemical_potentials, device.temperatures)[None]
        np.testing.assert_allclose(at.correlations(flow._groups, filling, 1 - filling)[0], expected, atol=1e-5)

    def test_shot_noise_of_two_channels(self) -> None:
        """kT = 0: S = (1/h) int dE sum_s T_s (1 - T_s) over the bias; for small bias V sum T(1 - T)/h."""
        j, v = 0.6, 0.5
        leads = [ln.ChainLead(0, chemical_potential=v), ln.ChainLead(0, chemical_potential=0.0)]
        flow = ln.Transport(ln.OpenSystem(ln.chain(1, j_sd=j), leads), ln.uniform(1, "x"))

        def mean(f: Callable[[float], float]) -> float:
            return 2 * quad(lambda e: f((4 - e**2) / (4 - e**2 + j**2)), 0, v, epsabs=1e-13)[0] / H

        expected = mean(lambda t: t * (1 - t))
        np.testing.assert_allclose(flow.noise(), expected * np.array([[1, -1], [-1, 1]]), atol=1e-11)
        np.testing.assert_allclose(flow.fano_factor(), expected / mean(lambda t: t), rtol=1e-9)

    @pytest.mark.parametrize(("left", "right"), [(0.1, 0.3), (0.2, 0.2), (1e-9, 4e-9)])
    def test_fano_factor_of_a_wide_band_level(self, left: float, right: float) -> None:
        """T = G_L G_R/(E^2 + a^2), a = (G_L + G_R)/2: with x = V/2, int T = (2 G_L G_R/a) atan(x/a), int T^2 = (G_L
        G_R/a^2)^2 [x/(1 + x^2/a^2) + a atan(x/a)]/... exactly; (G_L^2 + G_R^2)/(G_L + G_R)^2 up to a/x."""
        bias, a, product = 40.0, 0.5 * (left + right), left * right
        x = bias / 2
        first = 2 * product / a * np.arctan(x / a)
        second = product**2 / a**2 * (x / (x**2 + a**2) + np.arctan(x / a) / a)
        found = level(left, right, bias).fano_factor()
        np.testing.assert_allclose(found, 1 - second / first, rtol=1e-9)
        np.testing.assert_allclose(found, (left**2 + right**2) / (left + right) ** 2, atol=2 * a / x)

    def test_poisson(self) -> None:
        """Rare charges through a level far away: S = I."""
        leads = [ln.WideBandLead(0, 1e-3, chemical_potential=0.1), ln.WideBandLead(0, 1e-3, chemical_potential=-0.1)]
        system = ln.OpenSystem(ln.Electrons(np.eye(2), 0.0), leads)
        np.testing.assert_allclose(ln.Transport(system, ln.uniform(1, "z")).fano_factor(), 1.0, atol=2e-6)

    @given(st.integers(0, 10**6))
    @settings(max_examples=10)
    def test_conserves_charge_and_is_positive(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        kT = rng.uniform(0, 0.1, 3) * (rng.random(3) > 0.3)
        fillings = list(zip(rng.uniform(-1, 1, 3), kT, strict=True))
        s = ln.Transport(*three_terminals(seed, fillings=fillings)).noise().values
        np.testing.assert_allclose(s.sum(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(s, s.T, atol=1e-12)
        assert np.linalg.eigvalsh(s).min() > -1e-9 and s.max() > 1e-3


class TestHardlyAnything:
    """What is zero, or small beside what is reflected, to the digits that it has."""

    def test_one_lead_takes_back_what_it_gives(self) -> None:
        """kT > 0, one lead coupled, beside one that is not and has another filling: no current, no noise."""
        leads = [ln.ChainLead(0), ln.ChainLead(-1, coupling=0.0, chemical_potential=1.0, kT=0.2)]
        flow = ln.Transport(ln.OpenSystem(ln.chain(3, j_sd=0.5), leads, kT=0.02), ln.uniform(3, "z"))
        assert not np.any(flow.noise()) and not np.any(flow.conductance().charge)
        np.testing.assert_allclose(flow.conductance().spin, 0, atol=1e-14)

    def test_barrier(self) -> None:
        """T = 2e-19 at E = 0, alike over 40 kT and V to 1e-3: G = T, and single charges, S = I = V T/h."""
        n, kT, v = 6, 1e-6, 1e-4
        h = np.kron(35 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1), np.eye(2))
        leads = [ln.ChainLead(0, chemical_potential=v), ln.ChainLead(-1)]
        flow = ln.Transport(ln.OpenSystem(ln.Electrons(h, 0.0), leads, kT=kT), [[0, 0, 1]] * n)
        t, signs = float(flow.transmission(0.0)[0, 1, 0]), np.array([[1, -1], [-1, 1]])
        assert 1e-20 < t < 1e-17
        np.testing.assert_allclose(flow.noise(), v * t / H * signs, rtol=1e-3)
        np.testing.assert_allclose(flow.fano_factor(), 1, rtol=1e-6)
        cold = ln.Transport(ln.OpenSystem(flow.system.electrons, leads), flow.moments)
        np.testing.assert_allclose(cold.conductance().charge, -t * signs, rtol=1e-3)

    def test_small_bias(self) -> None:
        """V = 1e-10 eV beside kT = 0.03: I = V G/h, to the digits that V has beside the energies."""
        flow = level(0.2, 0.3, 1e-10, 0.03)
        current = float(flow.currents().charge[1])
        assert current == pytest.approx(1e-10 * float(flow.conductance().charge[1, 0]) / H, rel=1e-5)


class TestMixingConductance:
    def test_without_exchange_is_the_conductance(self) -> None:
        """r_up = r_down: 1 - |r|^2 is the transmission of one spin; nothing is pumped."""
        leads = [ln.ChainLead(0, coupling=0.7), ln.ChainLead(2), ln.ChainLead(-1)]
        system = ln.OpenSystem(ln.chain(4), leads, 0.3, 0.02)
        flow = ln.Transport(system, ln.uniform(4, "x"))
        found, g = flow.mixing_conductance(), flow.conductance().charge.values / 2
        np.testing.assert_allclose(found.reflection, -np.diagonal(g), atol=1e-10)
        np.testing.assert_allclose(found.transmission, g - np.diag(np.diagonal(g)), atol=1e-10)
        np.testing.assert_allclose(found.pumping, 0, atol=1e-10)

    def test_wide_band_level(self) -> None:
        """g_s = 1/(E + s J + i a), a = (G_L + G_R)/2; r_s = -1 + i G_L g_s, t_s = i sqrt(G_L G_R) g_s."""
        left, right, j, e = 0.3, 0.5, 0.4, 0.2
        leads = [ln.WideBandLead(0, left), ln.WideBandLead(0, right)]
        flow = ln.Transport(ln.OpenSystem(ln.chain(1, j_sd=j), leads, e), ln.uniform(1, "y"))
        up, down = (1 / (e + s * j + 0.5j * (left + right)) for s in (1, -1))
        r = [-1 + 1j * left * g for g in (up, down)]
        for found in (flow.mixing_conductance(), flow.mixing_conductance([e]).isel(energy=0)):
            assert complex(found.reflection[0]) == pytest.approx(1 - r[0] * np.conj(r[1]), abs=1e-13)
            assert complex(found.transmission[1, 0]) == pytest.approx(left * right * up * np.conj(down), abs=1e-13)

    def test_pumping_number_of_one_moment(self) -> None:
        """4 a^2/(1 + a^2)^2 with a = J/2 in an infinite chain at E = 0."""
        for j in (0.5, 2.0):
            system = ln.OpenSystem(ln.chain(1, j_sd=j), [ln.ChainLead(0), ln.ChainLead(0)])
            found = ln.Transport(system, ln.uniform(1, "z")).mixing_conductance().pumping
            np.testing.assert_allclose(found.real, 4 * (j / 2) ** 2 / (1 + (j / 2) ** 2) ** 2, rtol=1e-12)

    @pytest.mark.parametrize("kT", [0.0, 0.03])
    @pytest.mark.parametrize("ribbon", [False, True])
    def test_pumps_what_the_rotating_frame_says(self, ribbon: bool, kT: float) -> None:
        """I_p = (hbar/4 pi)[Re A_p M x dM/dt + Im A_p dM/dt] for collinear moments of both signs that turn together is
        what changes at the Fermi level; the rest is spin induced in the leads that turns along, and along dM/dt.

        An asymmetric device, two or three leads, ribbons two wide as matrix leads."""
        rng = np.random.default_rng(4)
        n, signs = 4, np.array([1, -1, 1, 1])
        if ribbon:
            lattice = ln.honeycomb(1, 2)
            n = lattice.n_sites
            signs = np.sign(rng.normal(size=n))
            leads = [lattice.lead(side, hopping=1.0) for side in ("left", "right")]
            electrons = lattice.electrons(1.0, rng.uniform(0.3, 1.0, n))
        else:
            leads = [ln.ChainLead(0, coupling=0.7), ln.WideBandLead(1, 0.4), ln.ChainLead(-1, onsite=0.5)]
            electrons = ln.chain(n, 1.0, rng.uniform(0.3, 1.0, n))
        direction = np.array([0.6, 0.0, 0.8])
        system = ln.OpenSystem(electrons, leads, 0.35, kT)
        moments = signs[:, None] * direction
        found = ln.Transport(system, moments).mixing_conductance().pumping.values
        energy = 1e-3
        parts = ln.RotatingFrame(system, moments, energy, "z", tolerance=1e-12).decompose_lead_currents()
        m = moments[0]
        velocity = energy * np.cross([0, 0, 1], m)  # hbar dM/dt
        expected = (found.real[:, None] * np.cross(m, velocity) + found.imag[:, None] * velocity) / (4 * np.pi)
        np.testing.assert_allclose(parts.surface.spin / energy, expected / energy, atol=1e-8)
        others = (parts.geometric.spin + parts.sea.spin) / energy
        np.testing.assert_allclose(others - np.outer(others @ velocity, velocity) / (velocity @ velocity), 0, atol=1e-8)
        assert np.abs(expected / energy).max() > 1e-3


class TestBadInput:
    def test_arguments(self) -> None:
        with pytest.raises(ValueError, match="OpenSystem") as error:
            ln.Transport(None, [[1, 1, 0]], tolerance=0)  # type: ignore[arg-type]
        assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
            "Transport.system", "Transport.moments", "Transport.tolerance",
        ]  # fmt: skip
        leads = [ln.ChainLead(0, voltage=lambda t: 0.1 * t)]
        with pytest.raises(ValueError, match=r"Transport\.system\.leads\[0\]\.voltage: a function of time"):
            ln.Transport(ln.OpenSystem(ln.chain(2), leads), ln.uniform(2, "z"))

    @pytest.mark.parametrize("energies", ["0", [0.0, np.nan], [[0.0]], 1j, None])
    def test_energies(self, energies: Any) -> None:
        flow = level(0.1, 0.1, 0.0)
        for method in (flow.transmission, flow.density_of_states):
            with pytest.raises(ValueError, match="energies: .*allowed: finite numbers in eV"):
                method(energies)

    def test_leads_without_a_spin_along_the_axis(self) -> None:
        flow = ln.Transport(*three_terminals(1))
        with pytest.raises(ValueError, match="keep the spin") as error:
            flow.transmission(0.0, spin_axis="z")
        assert "leads[1]: is magnetic" in str(error.value) and "leads[2]" in str(error.value)
        with pytest.raises(ValueError, match="spin_axis"):
            flow.transmission(0.0, spin_axis="w")

    def test_methods_of_linear_response(self) -> None:
        flow = level(0.1, 0.1, 0.2)
        for method in (flow.thermoelectric, flow.mixing_conductance):
            with pytest.raises(ValueError, match="chemical potentials .*common equilibrium"):
                method()
        flow.mixing_conductance(0.0)

    def test_mixing_conductance(self) -> None:
        leads = [ln.ChainLead(0), ln.ChainLead(-1)]
        twisted = ln.Transport(ln.OpenSystem(ln.chain(3, j_sd=0.5), leads), ln.bloch_wall(3, 2, 0.9))
        with pytest.raises(ValueError, match="moments: H does not commute"):
            twisted.mixing_conductance()
        polarised = ln.Lead([(np.array([1.0, 0.0]), ln.WideBandLead(0, 0.2).spectrum())])
        for axis in ("x", "z"):
            flow = ln.Transport(ln.OpenSystem(ln.chain(1, j_sd=0.5), [polarised]), ln.uniform(1, axis))
            with pytest.raises(ValueError, match=r"leads\[0\]: is magnetic"):
                flow.mixing_conductance(0.0)
