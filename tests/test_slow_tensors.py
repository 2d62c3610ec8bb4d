"""The fast tensors of the slow dynamics against the adaptive ones: any device, and levels that get in the way."""

from __future__ import annotations

import numpy as np
import pytest

import llgnegf as ln
from llgnegf import (
    ChainLead,
    CubicAnisotropy,
    Electrons,
    Exchange,
    Lead,
    Magnet,
    OpenSystem,
    WideBandLead,
    Zeeman,
    chain,
)
from llgnegf.equations.slow import SlowEquation
from llgnegf.poles.channels import expand
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.spectra import ChainSpectrum, WideBandSpectrum
from llgnegf.response.fast_tensors import PoleTensors
from llgnegf.response.pair_kernel import pair_traces
from llgnegf.response.pairs import block_components
from llgnegf.response.surface_rules import bands_in_reach, first_rules, halving
from llgnegf.response.tensors import ResponseTensors
from llgnegf.run.slow_simulation import SlowSimulation
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.quadrature import QuadratureError
from llgnegf.units import HBAR


def random_moments(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(1, n, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def ring() -> Electrons:
    """Four sites in a ring with a magnetic flux through it."""
    hop = np.roll(np.eye(4), 1, axis=0) * np.exp(0.2j)
    return Electrons(-np.kron(hop + hop.conj().T, np.eye(2)), j_sd=[0.4, 0.8, 0.6, 0.2])


def spin_orbit_chain() -> Electrons:
    """Hopping with a spin rotation: H_{i,i+1} is no multiple of 1."""
    hop = -(np.eye(2) + 0.3j * np.array([[0, -1j], [1j, 0]]) + 0.2j * np.diag([1.0, -1.0]))
    h = np.kron(np.diag(np.ones(2), 1), hop)
    return Electrons(h + h.conj().T, j_sd=[0.4, 0.8, 0.6])


BAND, FLAT = ChainSpectrum(0.7, 1.0, 0.1), WideBandSpectrum(0.4)
MAGNETIC = Lead([([1.0, 0, 0.5j, 0, 0, 0], BAND), ([0, 1.0, 0, 0, 0, 0], FLAT)])
TWO_CHANNELS = Lead([([0.5, 0, 1.0], BAND), ([0, 1.0, 0], FLAT)])
SYSTEMS = {
    "chain": (chain(3, 1.0, [0.7, 0.0, -0.4]), [ChainLead(0), ChainLead(-1, coupling=0.6)]),
    "spin-orbit": (spin_orbit_chain(), [ChainLead(0), ChainLead(-1, coupling=0.6)]),
    "ring": (ring(), [ChainLead(0), ChainLead(2)]),
    "several channels": (chain(3, 1.0, 0.7), [TWO_CHANNELS, ChainLead(-1)]),
    "magnetic lead": (chain(3, 1.0, 0.7), [MAGNETIC, ChainLead(-1)]),
    "shifted levels": (chain(3, 1.0, 0.7), [ChainLead(0, voltage=0.3, chemical_potential=-0.2), WideBandLead(1, 0.2)]),
    "one site": (chain(1, j_sd=0.7), [ChainLead(0), WideBandLead(0, 0.3)]),
    # The first block of E - H - Sigma is singular at E = mu: half a chain has a level there, the whole one has not.
    "level of an end": (chain(3, 1.0, [0.1, 0.7, 0.3], [0.0, 0.1, 0.0]), [ChainLead(-1)]),
    "end without moment": (chain(3, 1.0, [0.0, 0.7, 0.3], [0.1, 0.0, 0.0]), [ChainLead(-1)]),
}


def test_traces_are_those_of_the_matrices() -> None:
    rng = np.random.default_rng(0)
    d, g = rng.normal(size=(2, 3, 4, 5)) + 1j * rng.normal(size=(2, 3, 4, 5))
    blocks = [np.einsum("nmp,mij->npij", x, np.concatenate([np.eye(2)[None], PAULI])) for x in (d, g)]
    expected = np.einsum("aij,npjk,bkl,npli->npab", PAULI, blocks[0], PAULI, blocks[1])
    np.testing.assert_allclose(pair_traces(d, g), expected, atol=1e-13)
    stored = blocks[0].transpose(1, 2, 3, 0)
    np.testing.assert_allclose(block_components(stored), d, atol=1e-15)


@pytest.mark.parametrize("name", SYSTEMS)
def test_fast_tensors_of_any_device_equal_the_adaptive_ones(name: str) -> None:
    electrons, leads = SYSTEMS[name]
    system = OpenSystem(electrons, leads, fermi_energy=0.1, kT=0.02)
    moments = random_moments(1, system.n_sites)
    poles = expand(system, 1e-6, 1e-10, tail_tolerance=1e-9)
    fast = PoleTensors(poles, 1e-9)
    rest = fast.adiabatic(moments, True)
    found = fast.tensors(rest, True, True)
    exact = ResponseTensors(poles.with_pole_leads(), moments[0], 1e-11)
    size = 3 * system.n_sites
    np.testing.assert_allclose(found.friction[0], exact.friction.reshape(size, size), atol=2e-9)
    # f' is the derivative of the rational f: its error is that of f, 1e-10, times 1/kT.
    np.testing.assert_allclose(found.geometric[0], exact.geometric.reshape(size, size), atol=5e-8)
    np.testing.assert_allclose(rest.spin[0], exact.spin_density_adiabatic, atol=1e-9)
    assert np.linalg.eigvalsh(found.friction[0] / HBAR)[0] > -1e-12
    np.testing.assert_allclose(found.geometric[0], -found.geometric[0].T, atol=1e-14)


@pytest.mark.parametrize("moment", [0.5, 2.0])
@pytest.mark.parametrize("kT", [0.1, 0.2, 0.3])
def test_warm_electrons_with_bound_states(kT: float, moment: float) -> None:
    """Band edges and bound states within 40 kT of the Fermi energy, against the leads themselves, without poles.

    The bound states have no width: beyond the bands there is no Fermi surface. Leads in poles give them one, in the
    tails of the fit, and friction its inverse. Gamma is fitted to some ten times the tolerance of the kernel.
    """
    kernel = 1e-7
    for n, seed in ((1, 0), (2, 1), (3, 2)):
        system = OpenSystem(chain(n, 1.0, moment), [ChainLead(0), ChainLead(-1, coupling=0.8)], fermi_energy=0.5, kT=kT)
        moments = random_moments(seed, n)
        tensors = PoleTensors(expand(system, kernel, 1e-9, tail_tolerance=1e-7), 1e-8)
        found = tensors.tensors(tensors.adiabatic(moments, True), True, True)
        exact = ResponseTensors(system, moments[0], 1e-10)
        for name in ("friction", "geometric"):
            expected = getattr(exact, name).reshape(3 * n, 3 * n)
            assert np.abs(getattr(found, name)[0] - expected).max() < 100 * kernel * np.abs(expected).max()
        assert np.linalg.eigvalsh(found.friction[0])[0] > -1e-12


def test_no_fermi_surface_in_a_gap() -> None:
    """mu between the band and the bound state, both more than 40 kT away: no friction."""
    system = OpenSystem(chain(2, 1.0, 4.0), [ChainLead(0), ChainLead(-1)], fermi_energy=3.0, kT=0.01)
    tensors = PoleTensors(expand(system, 1e-6, 1e-9, tail_tolerance=1e-7), 1e-8)
    moments = random_moments(1, 2)
    found = tensors.tensors(tensors.adiabatic(moments, True), True, True)
    assert not found.friction.any()
    exact = ResponseTensors(system, moments[0], 1e-10).geometric.reshape(6, 6)
    assert np.abs(found.geometric[0] - exact).max() < 1e-4 * np.abs(exact).max()


def test_rules_between_band_edges() -> None:
    """int (-f') over part of the axis is a difference of f; the Gauss rules of m nodes have int x^2 (-f') = pi^2/3."""
    bands = bands_in_reach([(-3.0, 2.0), (-np.inf, -5.0), (1.0, 60.0)])
    assert bands == [(-40.0, -5.0), (-3.0, 1.0), (1.0, 2.0), (2.0, 40.0)]
    f = lambda x: 0.5 - 0.5 * np.tanh(x / 2)  # noqa: E731
    expected = sum(f(a) - f(b) for a, b in bands)
    sums = [weights.sum() for weights in (rule[1] for rule in first_rules(bands)[1])]
    assert abs(sums[0] - expected) < 1e-7 and abs(sums[1] - expected) < 1e-9
    total = 0.0
    for level in range(7):
        (_, weights), step = halving(bands, level)
        total += weights.sum()
    assert abs(step * total - expected) < 1e-10
    assert bands_in_reach([(-60.0, 41.0)]) == [(-np.inf, np.inf)] and bands_in_reach([(50.0, 60.0)]) == []
    x, weights = first_rules([(-np.inf, np.inf)])[1][1]
    assert x.size == 9 and abs(weights @ x**2 - np.pi**2 / 3) < 1e-12


@pytest.mark.parametrize("tolerance", [1e-3, 1e-7])
def test_narrow_resonances_do_not_hide_from_the_fermi_surface_sums(tolerance: float) -> None:
    """Weak leads, cold and warm: the friction is as accurate as asked for, or a level is too narrow and it is refused.

    Rules that look at the tensors alone pass over levels of 1e-3 eV between their nodes: errors of 1e3 tolerances.
    """
    rng = np.random.default_rng(12)
    judged = 0
    for _ in range(40):
        n, kT, weak = rng.integers(1, 4), rng.choice([0.005, 0.02, 0.05, 0.1]), rng.choice([0.1, 0.3, 1.0])
        electrons = chain(n, rng.uniform(0.3, 1.2, n - 1), rng.uniform(0.0, 2.0, n), rng.uniform(-1.0, 1.0, n))
        leads = [ChainLead(0, coupling=weak), WideBandLead(-1, weak**2 * rng.uniform(0.2, 1.0))]
        poles = expand(OpenSystem(electrons, leads, rng.uniform(-1.0, 1.0), kT), 1e-5, 1e-7, tail_tolerance=1e-4)
        moments = random_moments(int(rng.integers(1000)), n)
        tensors = PoleTensors(poles, tolerance)
        rest = tensors.adiabatic(moments, False)
        try:
            found = tensors.tensors(rest, True, False).friction[0]
        except QuadratureError:
            assert weak < 1.0
            continue
        exact = ResponseTensors(poles.with_pole_leads(), moments[0], 0.1 * tolerance).friction.reshape(3 * n, 3 * n)
        j = np.repeat(tensors.j_sd, 3)
        assert np.abs(found - exact).max() <= 1.1 * tolerance * HBAR * (j[:, None] * j).max()
        judged += 1
    assert judged > 30


def test_recursion_and_dense_inverse_are_one() -> None:
    """The first site's level J - onsite = mu sits on a node of every sum: only pivoting gets past it."""
    for electrons, kT in ((chain(5, 1.0, 0.5), 0.02), (chain(5, 1.0, 0.5, [0.6, 0.0, 0.0, 0.0, 0.0]), 0.02)):
        system = OpenSystem(electrons, [ChainLead(-1)], fermi_energy=0.1, kT=kT)
        tensors = PoleTensors(expand(system, 1e-6, 1e-8, tail_tolerance=1e-6), 1e-9)
        moments = random_moments(4, 5)
        assert tensors._is_chain
        ways = []
        for by_recursion in (True, False):
            tensors._is_chain = by_recursion
            rest = tensors.adiabatic(moments, True)
            found = tensors.tensors(rest, True, True)
            ways.append((rest.spin, rest.charge, found.friction, found.geometric))
        for recursive, dense in zip(*ways, strict=True):
            np.testing.assert_allclose(recursive, dense, atol=1e-13)


def test_level_without_width_at_the_fermi_energy_is_refused() -> None:
    """A site that no lead reaches, its level on the nodes of the Fermi-surface sums: no friction is defined."""
    system = OpenSystem(chain(2, 0.0, 0.5, [0.0, 0.6]), [ChainLead(0)], fermi_energy=0.1, kT=0.02)
    tensors = PoleTensors(expand(system, 1e-6, 1e-8, tail_tolerance=1e-6), 1e-9)
    moments = np.array([[[0, 0, 1.0], [0, 0, 1.0]]])
    with pytest.raises(QuadratureError, match="resonance narrower"):
        tensors.tensors(tensors.adiabatic(moments, True), True, True)


@pytest.mark.parametrize("moment", [4.0, 1.15])
def test_tensors_are_as_accurate_as_their_velocities_need(moment: float) -> None:
    """The error of J K dM/dt stays below that asked for the spin density, even where the geometric tensor makes the
    moments faster than the torque alone: a moment little larger than the electron's, weakly coupled to a lead.
    """
    tolerance = 1e-5
    system = OpenSystem(chain(1, j_sd=0.6), [WideBandLead(0, 0.06)], kT=0.02)
    magnet = Magnet([[np.sin(1.0), 0.0, np.cos(1.0)]], moment, energies=Zeeman([0, 0, 40.0]))
    poles = expand(system, 1e-6, 1e-8, tail_tolerance=1e-6)
    moments = np.array(magnet.moments)[None]
    loose = SlowEquation(magnet, PoleTensors(poles, tolerance)).instant(0.0, moments)
    tight = SlowEquation(magnet, PoleTensors(poles, 1e-13), noisy=True).instant(0.0, moments)
    assert loose.tensors is not None and tight.tensors is not None
    wrong = [getattr(loose.tensors, name) - getattr(tight.tensors, name) for name in ("friction", "geometric")]
    v = tight.velocity.ravel()
    assert np.abs(sum(wrong)[0] @ v).max() / 0.6 < tolerance
    if moment < 2:
        assert np.abs(tight.velocity).max() > 4 * np.abs(tight.force).max()


@pytest.mark.parametrize("response", [(), ("friction",), ("geometric",), ("geometric", "friction")])
@pytest.mark.parametrize("tolerance", [1e-7, 1e-14])
def test_compiled_stages_are_those_of_the_equation(response: tuple[str, ...], tolerance: float) -> None:
    """At 1e-14 the Gauss rules do not suffice and stages go back to the equation one by one."""
    system = OpenSystem(chain(3, 1.0, [0.7, 0.0, -0.4]), [ChainLead(0), ChainLead(-1)], kT=0.05)
    terms = [Exchange(0.02), CubicAnisotropy(0.01), Zeeman(lambda t: [0.0, t, 20.0])]
    magnet = Magnet(random_moments(5, 3)[0], [2.0, 3.0, 1.5], [0.0, 0.1, 0.2], terms, pinned=[1])
    poles = expand(system, 1e-6, 1e-8, tail_tolerance=1e-6)
    equation = SlowEquation(magnet, PoleTensors(poles, tolerance), response)
    start, weights, times = (
        np.array(magnet.moments).ravel(),
        np.array([[0.5, 0, 0], [0.2, 0.3, 0]]),
        np.array([1.0, 2.0]),
    )
    ways = []
    for compiled in (equation._compiled, None):
        equation._compiled = compiled
        slopes = np.zeros((3, 9))
        slopes[0] = equation.rate(0.0, start)
        equation.stages()(start, 3.0, weights, times, slopes, 1)
        ways.append(slopes)
    assert ways[0][:, 3:6].max() == 0 and np.abs(ways[0]).min(axis=0).max() > 1e-3
    np.testing.assert_allclose(ways[0], ways[1], rtol=0, atol=1e-15)


def test_without_a_speed_the_tensors_have_the_tolerance_themselves() -> None:
    system = OpenSystem(chain(2, 1.0, 0.5), [ChainLead(0), ChainLead(-1)], kT=0.05)
    poles = expand(system, 1e-6, 1e-8, tail_tolerance=1e-6)
    moments = random_moments(2, 2)
    exact, tight = PoleTensors(poles, 1e-13), PoleTensors(poles, 1e-8)
    rest = tight.adiabatic(moments, True)
    reference = exact.tensors(rest, True, True)
    for speed, bound in ((None, 1e-8), (1e-2, 1e-8 / (HBAR * 0.5 * 1e-2))):
        found = tight.tensors(rest, True, True, speed)
        for name in ("friction", "geometric"):
            error = np.abs(getattr(found, name) - getattr(reference, name)).max() / (HBAR * 0.25)
            assert error <= bound


def test_shifted_leads_widen_the_range_of_the_fermi_poles() -> None:
    """A lead 1 eV below the other: the poles of f must reach the device's levels, seen from that lead."""
    leads = [ChainLead(0, voltage=-1.0, chemical_potential=1.0), ChainLead(-1)]
    system = OpenSystem(chain(2, 1.0, 3.0), leads, kT=0.05)
    magnet = Magnet(random_moments(3, 2)[0], 2.0, energies=Zeeman([0, 0, 1.0]))
    electrons = SlowSimulation(system, magnet, t_end=1.0).equation.electrons
    assert isinstance(electrons, PoleTensors)
    np.testing.assert_array_equal(electrons.poles.voltages, [[-1.0, -1.0], [0.0, 0.0]])
    exact = ResponseTensors(electrons.poles.with_pole_leads(), magnet.moments, 1e-11).spin_density_adiabatic
    np.testing.assert_allclose(electrons.adiabatic(np.array(magnet.moments)[None], False).spin[0], exact, atol=2e-8)


def test_the_grand_potential_is_that_of_the_levels_where_leads_hardly_couple() -> None:
    """-kT sum ln[1 + exp(-(E - mu)/kT)], whatever the poles: its constant is no matter of rtol."""
    kT, texture = 0.05, ln.cone(3, 0.7)
    electrons = ln.chain(3, j_sd=0.4, onsite=0.2)
    system = ln.OpenSystem(electrons, [ln.ChainLead(0, coupling=1e-5)], fermi_energy=0.1, kT=kT)
    levels = np.linalg.eigvalsh(electrons.hamiltonian_at(texture))
    exact = -kT * np.sum(np.logaddexp(0.0, -(levels - 0.1) / kT))
    for tolerance in (1e-4, 1e-8):
        poles = expand(system, tolerance, tolerance)
        assert FrozenDevice(poles, texture).grand_potential() == pytest.approx(exact, abs=max(1e-8, tolerance))
        assert PoleTensors(poles, 1e-3).grand_potential(texture) == pytest.approx(exact, abs=max(1e-8, tolerance))
