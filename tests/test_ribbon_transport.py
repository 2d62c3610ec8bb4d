"""Transport of ribbons against closed forms and a Green function of its own: open channels, gauges, Landauer currents.

Conventions found by that quadrature: I in electrons per hbar/eV, both spins counted, I = (1/2 pi) int dE T (f_L - f_R)
with chemical potentials E_F +- dV/2 and levels of the leads left where they are; a perfect channel carries 1/(2 pi) =
0.159155 for each spin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from explicit_ribbon import HBAR, SIGMA, surface
from scipy.special import expit

import llgnegf as ln
from llgnegf.problem.spectra import ChainSpectrum

ONE = np.eye(2)
BIAS, KT, RTOL = 0.01, 1 / 40, 1e-7
RASHBA_SQUARE = {0.0: 0.514781, 1.5: 0.577730}
"""I/dV of 3 x 3 sites with hopping 1 and Rashba 1 between plain leads three sites wide, by E_F."""
LADDER = {-3.0: 0.159155, -1.0: 0.477465, 0.0: 0.636620}
"""I/dV of the two-wide ladder. Bands -+1 - 2 cos k, [-3, 1] and [-1, 3]: open channels (spins counted) are 2 between -3
and -1, 4 between -1 and 1. At an edge half a step counts, as int_0 dE [f(E - dV/2) - f(E + dV/2)] = dV/2 exactly: so 1,
3 and 4 times 1/(2 pi)."""


def grid(n_x: int, n_y: int, rashba: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """H (2N, 2N) of n_x x n_y sites column by column, hopping 1, and (h0, V) of plain columns beside it."""
    along_x = np.kron(np.diag(np.ones(n_x - 1), 1), np.eye(n_y))
    along_y = np.kron(np.eye(n_x), np.diag(np.ones(n_y - 1), 1))
    h = np.kron(along_x, -ONE + 1j * rashba * SIGMA[1]) + np.kron(along_y, -ONE - 1j * rashba * SIGMA[0])
    rungs = np.diag(np.ones(n_y - 1), 1)
    return h + h.conj().T, -np.kron(rungs + rungs.T, ONE), -np.eye(2 * n_y)


def transmission(energy: float, h: np.ndarray, h0: np.ndarray, v: np.ndarray) -> float:
    """Tr[Gamma_L G Gamma_R G^dag] of a device whose first and last columns go on as leads of cells h0."""
    m, sigma = len(h0), v @ surface(energy, h0, v) @ v.conj().T
    left, right = np.zeros_like(h), np.zeros_like(h)
    left[:m, :m] = right[-m:, -m:] = sigma
    g = np.linalg.inv(energy * np.eye(len(h)) - h - left - right)
    gamma = [1j * (s - s.conj().T) for s in (left, right)]
    return float(np.trace(gamma[0] @ g @ gamma[1] @ g.conj().T).real)


def landauer(fermi_energy: float, curve: Callable[[float], float], edges: tuple[float, ...] = ()) -> float:
    """hbar I/dV; `edges`, where T jumps, are ends of intervals."""
    ends = sorted({fermi_energy - 0.8, fermi_energy + 0.8, *(e for e in edges if abs(e - fermi_energy) < 0.8)})
    x, weights = np.polynomial.legendre.leggauss(400)
    total = 0.0
    for low, high in zip(ends[:-1], ends[1:], strict=True):
        energy = 0.5 * (low + high) + 0.5 * (high - low) * x
        window = expit(-(energy - fermi_energy - BIAS / 2) / KT) - expit(-(energy - fermi_energy + BIAS / 2) / KT)
        values = np.array([curve(e) for e in energy])
        total += 0.5 * (high - low) * np.sum(weights * window * values)
    return total / (2 * np.pi * BIAS)


class TestByQuadrature:
    """The numbers themselves, so that a test that fails below speaks of the package."""

    @pytest.mark.parametrize("fermi_energy", RASHBA_SQUARE)
    def test_rashba_square(self, fermi_energy: float) -> None:
        h, h0, v = grid(3, 3, 1.0)
        found = landauer(fermi_energy, lambda e: transmission(e, h, h0, v))
        assert found == pytest.approx(RASHBA_SQUARE[fermi_energy], abs=1e-6)

    @pytest.mark.parametrize("fermi_energy", LADDER)
    def test_ladder(self, fermi_energy: float) -> None:
        h, h0, v = grid(1, 2, 0.0)
        found = landauer(fermi_energy, lambda e: transmission(e, h, h0, v), (-3.0, -1.0, 1.0, 3.0))
        assert found == pytest.approx(LADDER[fermi_energy], abs=1e-6)


def biased(
    lattice: Any, rashba: float, fermi_energy: float, kT: float, bias: float, of_leads: float = 0.0
) -> ln.OpenSystem:
    """Between left and right leads of Rashba coupling `of_leads`, chemical potentials E_F +- bias/2; J_sd = 0."""
    leads = [
        lattice.lead(side, rashba=of_leads, chemical_potential=fermi_energy + sign * bias / 2)
        for side, sign in (("left", 1), ("right", -1))
    ]
    return ln.OpenSystem(lattice.electrons(1.0, 0.0, rashba=rashba), leads, fermi_energy, kT)


def conductance(system: ln.OpenSystem, bias: float) -> float:
    """hbar I/dV; what the left lead loses the right one gets."""
    currents = ln.RotatingFrame(system, ln.uniform(system.n_sites, "z"), 0.0, tolerance=1e-9).lead_currents().charge
    assert currents.sum() * HBAR == pytest.approx(0.0, abs=1e-9)
    return float(currents[1] * HBAR / bias)


@pytest.mark.parametrize("fermi_energy", RASHBA_SQUARE)
def test_rashba_square_between_plain_leads(fermi_energy: float) -> None:
    found = conductance(biased(ln.square(3, 3), 1.0, fermi_energy, KT, BIAS), BIAS)
    assert found == pytest.approx(RASHBA_SQUARE[fermi_energy], abs=1e-6)


@pytest.mark.parametrize("fermi_energy", LADDER)
def test_ladder(fermi_energy: float) -> None:
    found = conductance(biased(ln.square(2, 2), 0.0, fermi_energy, KT, BIAS), BIAS)
    assert found == pytest.approx(LADDER[fermi_energy], abs=1e-6)


def ladder_of_modes(fermi_energy: float, bias: float, voltages: tuple[Any, Any] = (0.0, 0.0)) -> ln.OpenSystem:
    """Leads as chains of the transverse modes (1, 1) and (1, -1) at -1 and 1: the ladder without ribbons."""
    leads = []
    for end, sign, voltage in ((0, 1, voltages[0]), (1, -1, voltages[1])):
        pairs = []
        for k in (1, -1):
            u = np.zeros(4)
            u[2 * end : 2 * end + 2] = np.array([1, k]) / np.sqrt(2)
            pairs.append((u, ChainSpectrum(1.0, 1.0, -float(k))))
        leads.append(ln.Lead(pairs, voltage=voltage, chemical_potential=fermi_energy + sign * bias / 2))
    h, _, _ = grid(2, 2, 0.0)
    return ln.OpenSystem(ln.Electrons(h, 0.0), leads, fermi_energy, KT)


def ladder_of_ribbons(fermi_energy: float, bias: float, voltages: tuple[Any, Any] = (0.0, 0.0)) -> ln.OpenSystem:
    """The same by `lat.lead`."""
    lattice = ln.square(2, 2)
    leads = [
        lattice.lead(side, voltage=voltage, chemical_potential=fermi_energy + sign * bias / 2)
        for side, sign, voltage in (("left", 1, voltages[0]), ("right", -1, voltages[1]))
    ]
    return ln.OpenSystem(lattice.electrons(1.0, 0.0), leads, fermi_energy, KT)


def flow(system: ln.OpenSystem, t_end: float, start: str) -> np.ndarray:
    """hbar I/dV from left to right, mean of what leaves and what arrives, at three times after the start."""
    rest = ln.Frozen(ln.uniform(system.n_sites, "z"))
    run = ln.simulate(system, rest, t_end=t_end, save_every=t_end / 3, rtol=RTOL, start=start).dataset
    return HBAR / BIAS * 0.5 * (run.lead_current.values[:, 1] - run.lead_current.values[:, 0])


@pytest.mark.parametrize(
    ("ladder", "fermi_energy"),
    [(ladder_of_modes, -1.0), *((ladder_of_ribbons, fermi_energy) for fermi_energy in LADDER)],
)  # fmt: skip
def test_ladder_stays_stationary_in_time(ladder: Any, fermi_energy: float) -> None:
    """hbar I is that of the chemical potentials at all times, to rtol."""
    found = flow(ladder(fermi_energy, BIAS), 9.0, "steady")
    np.testing.assert_allclose(found, LADDER[fermi_energy], rtol=0, atol=RTOL / BIAS)


@pytest.mark.parametrize("ladder", [ladder_of_modes, ladder_of_ribbons])
def test_ladder_after_a_ramp_of_the_bias(ladder: Any) -> None:
    """Voltages +-dV/2 move the levels too: in the middle of the plateau that reflects (dV/8)^2 at most, 2e-6.

    The transients have died down: 50 fs are 76 hbar/eV, and edges are an eV away.
    """
    ramps = [ln.Ramp(0.0, sign * BIAS / 2, start=0.0, duration=15.0) for sign in (1, -1)]
    found = flow(ladder(0.0, 0.0, tuple(ramps)), 48.0, "thermal")
    assert abs(found[0]) < 1e-9
    np.testing.assert_allclose(found[2:], LADDER[0.0], rtol=0, atol=RTOL / BIAS)


class TestOpenChannels:
    """hbar I/dV of a clean ribbon is the number of bands at E_F that run to the right, over 2 pi, to 1e-6.

    kT = 0.002 and the bias 0.001 keep all edges beyond 40 kT.
    """

    KT, BIAS = 0.002, 0.001

    @staticmethod
    def open_channels(h0: np.ndarray, v: np.ndarray, energy: float) -> int:
        """Bands through `energy` on their way up, on a fine grid of k."""
        k = np.linspace(-np.pi, np.pi, 4001) + 1e-4
        phases = np.exp(1j * k)[:, None, None]
        bands = np.linalg.eigvalsh(h0 + phases * v + phases.conj() * v.conj().T)
        assert np.abs(bands - energy).min() < 0.05  # something is there
        # sorted bands cross as often up as down on the circle, whatever their order where they meet
        return int(np.sum((bands[:-1] < energy) & (bands[1:] >= energy)))

    @pytest.mark.parametrize(
        ("build", "rashba", "fermi_energy"),
        [
            (lambda: ln.square(2, 3), 0.0, -0.7), (lambda: ln.square(2, 3), 0.5, -0.7),
            (lambda: ln.square(1, 2), 0.4, -2.9), (lambda: ln.honeycomb(2, 3), 0.0, 0.35),
            (lambda: ln.honeycomb(2, 3, edge="armchair"), 0.0, 0.9),
        ],
        ids=["square", "Rashba", "Rashba near the bottom", "zigzag", "armchair"],
    )  # fmt: skip
    def test_clean_ribbons(self, build: Any, rashba: float, fermi_energy: float) -> None:
        system = biased(build(), rashba, fermi_energy, self.KT, self.BIAS, of_leads=rashba)
        lead = system.leads[0]
        found = conductance(system, self.BIAS)
        expected = self.open_channels(np.asarray(lead.cell), np.asarray(lead.hopping), fermi_energy)
        assert expected > 0
        assert found == pytest.approx(expected / (2 * np.pi), abs=1e-6)


class TestRashbaChain:
    """lambda = t tan(phi): <i|H|i+1> = -t + i lambda sigma_y = -t' W, t' = t/cos(phi), W = exp(-i phi sigma_y).

    (From <r|H|r + d> = -t - i lambda (sigma x d)_z, d along x.) With psi~_i = W^i psi_i this is a plain chain of
    hopping t', and psi_i^dag sigma.M psi_i = psi~_i^dag sigma.(R_i M) psi~_i, R_i the rotation by 2 phi i about y. So
    are spins, torques and tensors turned, site by site; the leads, which go on as Rashba chains, are chains of t'.
    """

    N, PHI, T = 4, 0.37, 0.8
    J_SD = np.array([0.7, -0.5, 0.9, 0.6])

    @property
    def rotations(self) -> np.ndarray:
        """R_i, (N, 3, 3)."""
        angles = 2 * self.PHI * np.arange(self.N)
        c, s, zero = np.cos(angles), np.sin(angles), np.zeros(self.N)
        return np.moveaxis(np.array([[c, zero, s], [zero, zero + 1, zero], [-s, zero, c]]), -1, 0)

    def turned(self, vectors: np.ndarray) -> np.ndarray:
        return np.einsum("iab,ib->ia", self.rotations, vectors)

    @property
    def texture(self) -> np.ndarray:
        vectors = np.random.default_rng(6).normal(size=(self.N, 3))
        return vectors / np.linalg.norm(vectors, axis=1)[:, None]

    def plain(self) -> ln.OpenSystem:
        hopping = self.T / np.cos(self.PHI)
        leads = [ln.ChainLead(site, hopping, hopping) for site in (0, -1)]
        return ln.OpenSystem(ln.chain(self.N, hopping, self.J_SD), leads, 0.2, 0.05)

    def by_hand(self) -> ln.OpenSystem:
        """Matrix written down here; Sigma of a Rashba chain is that of a plain one, V g V^dag = t'^2 g."""
        hops = np.kron(np.diag(np.ones(self.N - 1), 1), -self.T * ONE + 1j * self.T * np.tan(self.PHI) * SIGMA[1])
        return ln.OpenSystem(ln.Electrons(hops + hops.conj().T, self.J_SD), self.plain().leads, 0.2, 0.05)

    def of_lattice(self) -> ln.OpenSystem:
        lattice, rashba = ln.square(self.N, 1), self.T * np.tan(self.PHI)
        leads = [lattice.lead(side, hopping=self.T, rashba=rashba) for side in ("left", "right")]
        return ln.OpenSystem(lattice.electrons(self.T, self.J_SD, rashba=rashba), leads, 0.2, 0.05)

    @pytest.fixture(params=["by_hand", "of_lattice"])
    def rashba(self, request: Any) -> ln.OpenSystem:
        return getattr(self, request.param)()

    def test_torques(self, rashba: ln.OpenSystem) -> None:
        texture = self.texture
        turned = self.turned(texture)
        spins = ln.spin_density(ln.RotatingFrame(rashba, texture, 0.0).density_matrix())
        plain = ln.spin_density(ln.RotatingFrame(self.plain(), turned, 0.0).density_matrix())
        torque, expected = (self.J_SD[:, None] * np.cross(s, m) for s, m in ((spins, texture), (plain, turned)))
        assert np.abs(expected).max() > 1e-2
        np.testing.assert_allclose(self.turned(torque), expected, rtol=0, atol=1e-8)
        np.testing.assert_allclose(self.turned(spins), plain, rtol=0, atol=1e-8)

    def test_tensors(self, rashba: ln.OpenSystem) -> None:
        found = ln.ResponseTensors(rashba, self.texture)
        plain = ln.ResponseTensors(self.plain(), self.turned(self.texture))
        r = self.rotations
        for name in ("response", "friction", "geometric"):
            expected = getattr(plain, name)
            assert np.abs(expected).max() > 1e-3
            turned = np.einsum("iab,ibjd,jcd->iajc", r, getattr(found, name), r)
            np.testing.assert_allclose(turned, expected, rtol=0, atol=1e-8, err_msg=name)

    def test_relax(self, rashba: ln.OpenSystem) -> None:
        """The ends are held, so that no rotation is free; what is between them turns to the same place."""
        texture, options = self.texture, {"magnetic_moment": 1.0, "energies": [], "pinned": [0, self.N - 1]}
        found = ln.relax(rashba, ln.Magnet(texture, **options), torque_tolerance=1e-11)
        plain = ln.relax(self.plain(), ln.Magnet(self.turned(texture), **options), torque_tolerance=1e-11)
        assert np.abs(plain.moments - self.turned(texture)).max() > 0.1
        np.testing.assert_allclose(self.turned(found.moments), plain.moments, rtol=0, atol=1e-8)
