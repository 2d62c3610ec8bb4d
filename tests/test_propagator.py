"""The whole propagator against brute force, the reference series, closed evolution and the rotating frame."""

from pathlib import Path

import numpy as np
import pytest
from finite_chain import COMPARED, FiniteChain, device_hamiltonian
from propagation import random_hermitian, run, unit_vectors
from scipy.linalg import expm

from llgnegf import (
    ChainLead,
    Electrons,
    OpenSystem,
    RotatingFrame,
    bloch_wall,
    chain,
    field_like_damping_like,
    rotate_spins,
    spin_density,
)
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.integrators.integration import runge_kutta
from llgnegf.integrators.tableaus import DOP853
from llgnegf.poles.channels import expand, with_pole_leads
from llgnegf.problem.magnetism.motion import Frozen, Precession, Prescribed
from llgnegf.static.start import thermal
from llgnegf.units import HBAR

REFERENCE = Path(__file__).parent / "data" / "sudden_precession.npz"


def test_sudden_precession_of_the_wall_meets_the_reference_series():
    """Infinite chain at T = 0, exact to 1e-8; kT = 1e-3 changes it by less than 1e-6 (a Sommerfeld term ~ (kT)^2)."""
    reference = np.load(REFERENCE)
    wall = bloch_wall(7, 4, 0.9)
    system = OpenSystem(chain(7, 1.0, 0.1), [ChainLead(site=0), ChainLead(site=-1)], 0.0, 1e-3)
    times = reference["times"]
    got = run(system, Precession(wall, 0.001), t_end=times[-1], save_every=times[1], rtol=1e-7)
    np.testing.assert_allclose(got.times, times, rtol=1e-12)
    np.testing.assert_allclose(got["spin_density"], reference["spin"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(got["charge_density"], reference["charge"], rtol=0, atol=1e-6)
    # The reference counts sigma per hbar/gamma; a spin current is (hbar/2) d<sigma>/dt.
    np.testing.assert_allclose(got["lead_spin_current"], 0.5 * reference["spin_current"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(HBAR * got["lead_current"], reference["current"], rtol=0, atol=1e-6)


def wandering(rng: np.random.Generator, count: int) -> Prescribed:
    """Every moment on a smooth path of its own; frequencies below 0.5 eV/hbar."""
    w, a = rng.uniform(0.1, 0.5, (2, count)) / HBAR, rng.uniform(0.5, 3, (2, count))

    def moments(t: float) -> np.ndarray:
        theta, phi = a[0] * np.cos(w[0] * t) + 1, a[1] * np.sin(w[1] * t) + w[0] * t
        return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1)

    return Prescribed(moments)


def turning(rng: np.random.Generator, count: int) -> Precession:
    return Precession(unit_vectors(rng, count), rng.uniform(0.05, 0.6), axis=rng.normal(size=3))


def pulse(height: float, center: float, width: float):  # type: ignore[no-untyped-def]
    """A smooth voltage pulse, exactly zero outside center +- width; center and width in hbar/eV."""

    def voltage(t: float) -> float:
        x = (t / HBAR - center) / width
        return height * np.cos(0.5 * np.pi * x) ** 4 if abs(x) < 1 else 0.0

    return voltage


def step(height: float):  # type: ignore[no-untyped-def]
    """A voltage that jumps right after t = 0."""
    return lambda t: height if t > 0 else 0.0


# name: (start, motion, what the left and the right lead have)
BRUTE_FORCE = {
    "thermal, precession": ("thermal", turning, {}, {}),
    "thermal, any path": ("thermal", wandering, {}, {}),
    "thermal, voltage step": ("thermal", turning, {"voltage": step(0.3)}, {"voltage": step(-0.15)}),
    "thermal, voltage pulse": ("thermal", wandering, {"voltage": pulse(0.5, 12, 9)}, {}),
    "partitioned, biased filling": ("partitioned", turning, {"chemical_potential": 0.4}, {"chemical_potential": -0.3}),
    "partitioned, voltages": ("partitioned", wandering, {"voltage": 0.3}, {"voltage": pulse(-0.4, 10, 8)}),
    "steady, biased filling": ("steady", turning, {"chemical_potential": 0.2}, {"chemical_potential": -0.25}),
    "steady, voltage, then pulse": ("steady", wandering, {"voltage": 0.2}, {"voltage": pulse(-0.3, 14, 9)}),
}  # fmt: skip


def random_chain(rng: np.random.Generator, left: dict, right: dict, sites: tuple[int, int] = (0, -1)) -> OpenSystem:
    """Three sites with random hopping, levels and J_sd; gamma_c < gamma, leads of different bands, E_F != 0."""
    electrons = chain(3, rng.uniform(0.7, 1.2, 2), rng.uniform(-1, 1, 3), rng.uniform(-0.3, 0.3, 3))
    leads = [
        ChainLead(site=site, coupling=rng.uniform(0.5, 0.9), hopping=gamma, onsite=rng.uniform(-0.2, 0.2), **own)
        for site, gamma, own in zip(sites, (1.0, 1.1), (left, right), strict=True)
    ]
    return OpenSystem(electrons, leads, fermi_energy=rng.uniform(-0.3, 0.3), kT=0.1)


SETTLE = 60.0  # hbar/eV; see FiniteChain.steady


def compare(got, exact: FiniteChain, start: str, motion, tolerance: float = 1e-6) -> None:  # type: ignore[no-untyped-def]
    first = motion.moments(0.0)
    initial = {
        "thermal": lambda: exact.thermal(first),
        "partitioned": lambda: exact.partitioned(first),
        "steady": lambda: exact.steady(first, SETTLE),
    }[start]()
    for row, tau in enumerate(got.times):
        snapshot = exact.at(tau * HBAR, initial, motion.moments)
        for name in ("density_matrix", *COMPARED):
            value = got.density_matrices[row] if name == "density_matrix" else got[name][row]
            error = np.abs(value - getattr(snapshot, name)).max()
            assert error < tolerance, f"{name} at t = {tau:.3g}: {error:.2g}"


@pytest.mark.parametrize("name", BRUTE_FORCE)
def test_brute_force_chain(name):
    start, path, left, right = BRUTE_FORCE[name]
    rng = np.random.default_rng(list(BRUTE_FORCE).index(name))
    system = random_chain(rng, left, right)
    motion = path(rng, 3)
    got = run(system, motion, t_end=36, save_every=18, rtol=1e-7, start=start)
    # What the cut does to the device is below exp(-pi kT (length - t - settle)).
    compare(got, FiniteChain(system, 150 if start == "steady" else 100), start, motion)


def test_brute_force_two_leads_on_one_site():
    rng = np.random.default_rng(11)
    system = random_chain(rng, {"voltage": pulse(0.4, 8, 7)}, {}, sites=(1, 1))
    motion = turning(rng, 3)
    got = run(system, motion, t_end=36, save_every=18, rtol=1e-7)
    compare(got, FiniteChain(system, 100), "thermal", motion)


def test_brute_force_spin_orbit_coupling():
    rng = np.random.default_rng(12)
    electrons = Electrons(0.6 * random_hermitian(rng, 4), [0.8, -0.5])
    leads = [ChainLead(site=0, coupling=0.9, voltage=step(0.2)), ChainLead(site=1, coupling=0.8)]
    system = OpenSystem(electrons, leads, 0.2, 0.1)
    motion = wandering(rng, 2)
    got = run(system, motion, t_end=36, save_every=18, rtol=1e-7)
    compare(got, FiniteChain(system, 100), "thermal", motion)


@pytest.mark.parametrize("name", ["thermal, any path", "steady, biased filling"])
def test_brute_force_itself_does_not_depend_on_the_length(name):
    start, path, left, right = BRUTE_FORCE[name]
    rng = np.random.default_rng(3)
    system = random_chain(rng, left, right)
    motion = path(rng, 3)
    short, long = (FiniteChain(system, length) for length in ((150, 170) if start == "steady" else (100, 130)))
    first = motion.moments(0.0)
    states = [c.steady(first, SETTLE) if start == "steady" else c.thermal(first) for c in (short, long)]
    a, b = (c.at(36 * HBAR, s, motion.moments) for c, s in zip((short, long), states, strict=True))
    assert np.abs(a.density_matrix - b.density_matrix).max() < 5e-8
    assert np.abs(a.lead_spin_current - b.lead_spin_current).max() < 5e-8


def closed(rng: np.random.Generator) -> tuple[OpenSystem, np.ndarray]:
    """Three closed sites, and a state of random occupations that is not stationary."""
    system = OpenSystem(chain(3, 1.0, rng.uniform(-2, 2, 3), rng.uniform(-1, 1, 3)), [], 0.0, 0.1)
    states = np.linalg.eigh(random_hermitian(rng, 6))[1]
    return system, (states * rng.uniform(0, 1, 6)) @ states.conj().T


def test_closed_static_system_evolves_by_the_exponential_of_its_hamiltonian():
    rng = np.random.default_rng(0)
    system, rho = closed(rng)
    texture = unit_vectors(rng, 3)
    given = {"start": "partitioned", "initial_density_matrix": rho}
    got = run(system, Frozen(texture), t_end=20, save_every=5, rtol=1e-12, **given)
    h = device_hamiltonian(system, texture)
    for tau, value in zip(got.times, got.density_matrices, strict=True):
        evolve = expm(-1j * h * tau)
        np.testing.assert_allclose(value, evolve @ rho @ evolve.conj().T, rtol=0, atol=1e-10)


def test_closed_precessing_system_evolves_by_an_exponential_in_the_rotating_frame():
    """U = exp(-i w t sigma_axis/2) makes H static: rho(t) = V rho(0) V^dag, V = U e^{-i H_RF t}."""
    rng = np.random.default_rng(1)
    system, rho = closed(rng)
    texture, w, axis = unit_vectors(rng, 3), 0.7, np.array([2.0, -1.0, 2.0]) / 3
    motion = Precession(texture, w, axis=axis)
    got = run(system, motion, t_end=20, save_every=5, rtol=1e-12, start="partitioned", initial_density_matrix=rho)
    spin = np.kron(np.eye(3), np.array([[axis[2], axis[0] - 1j * axis[1]], [axis[0] + 1j * axis[1], -axis[2]]]))
    h = device_hamiltonian(system, texture) - 0.5 * w * spin
    for tau, value in zip(got.times, got.density_matrices, strict=True):
        evolve = expm(-0.5j * w * tau * spin) @ expm(-1j * h * tau)
        np.testing.assert_allclose(value, evolve @ rho @ evolve.conj().T, rtol=0, atol=1e-10)


@pytest.mark.parametrize("j_sd", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("options", [{"rtol": 1e-6, "step": 0.2}, {"rtol": 1e-6}], ids=["fixed step", "adaptive"])
def test_static_equilibrium_stays_put(j_sd, options):
    """Bound states (J = 5) included; 10^4 hbar/gamma are in validation/finite_chain.py."""
    leads = [ChainLead(site=0, coupling=0.8), ChainLead(site=-1)]
    system = OpenSystem(chain(2, 1.0, j_sd), leads, 0.3, 0.02)
    texture = unit_vectors(np.random.default_rng(2), 2)
    got = run(system, Frozen(texture), t_end=100, save_every=25, **options)
    assert np.abs(got.density_matrices - got.density_matrices[0]).max() < 1e-9
    assert np.abs(got["lead_charge_out"]).max() < 1e-9
    assert np.abs(got["lead_spin_out"]).max() < 1e-9


def test_paper_wall_needs_fewer_than_30_right_hand_sides_per_unit_of_time():
    wall = bloch_wall(7, 4, 0.9)
    for j_sd in (0.1, 1.0):
        system = OpenSystem(chain(7, 1.0, j_sd), [ChainLead(site=0), ChainLead(site=-1)], 0.0, 0.01)
        got = run(system, Precession(wall, 0.001), t_end=60, save_every=60, rtol=1e-6)
        assert got.statistics["right_hand_sides"] / 60 < 30


@pytest.mark.parametrize("j_sd", [0.1, 1.0])
def test_nonadiabatic_torque_settles_to_that_of_the_rotating_frame(j_sd):
    """After a smooth ramp, rotated back: field-like and damping-like apart, for half a period, to 1 % of the maximum.

    The paper's own frequency is in validation/rotating_vs_lab_frame.py.
    """
    w, ramp, wall = 0.05, 60.0, bloch_wall(5, 3, 0.9)
    system = OpenSystem(chain(5, 1.0, j_sd), [ChainLead(site=0), ChainLead(site=-1)], 0.0, 0.05)
    motion = Precession(wall, w, ramp=ramp * HBAR)
    got = run(system, motion, t_end=ramp + 100, save_every=20, rtol=1e-6, observables=("adiabatic",))
    frame = RotatingFrame(system, wall, w)
    moving = spin_density(frame.density_matrix()) - spin_density(frame.decompose().adiabatic)
    expected = j_sd * np.cross(moving, wall)
    velocity = np.cross([0.0, 0.0, 1.0], wall)
    exact = field_like_damping_like(expected, wall, velocity)
    checked = 0
    for row, tau in enumerate(got.times):
        if tau < ramp + 40:
            continue
        checked += 1
        m = got["moments"][row]
        parts = field_like_damping_like(got["torque_nonadiabatic"][row], m, np.cross([0.0, 0.0, 1.0], m))
        for a, b in ((parts.field_like, exact.field_like), (parts.damping_like, exact.damping_like)):
            np.testing.assert_allclose(a, b, rtol=0, atol=0.01 * np.abs(expected).max())
    assert checked >= 3


def test_oracle_with_pole_leads_tells_lead_error_from_time_error():
    """Coarse leads, fine Fermi poles and steps: the long-time state is far closer to the oracle with the same leads."""
    w, coarse, texture = 0.3, 1e-2, unit_vectors(np.random.default_rng(4), 2)
    system = OpenSystem(chain(2, 1.0, 1.0), [ChainLead(site=0), ChainLead(site=-1)], 0.2, 0.1)
    motion = Precession(texture, w, ramp=60 * HBAR)
    poles = expand(system, coarse, 1e-9)
    equation = ElectronEquation(poles, motion)
    start = thermal(poles, motion.moments(0.0))
    state = equation.layout.pack(
        start.density_matrix, start.device_mode, start.mode_block, start.vectors, np.zeros((0, 3))
    )
    integration = runge_kutta(equation, DOP853, state, 0.2)
    integration.advance(200.0)
    rho = equation.layout.density_matrix(integration.state)
    turned = rotate_spins(rho, np.array([0.0, 0.0, 1.0]), -motion.phase(200.0 * HBAR))
    exact, same_leads = (
        np.abs(RotatingFrame(s, texture, w).density_matrix() - turned).max()
        for s in (system, with_pole_leads(system, coarse))
    )
    assert exact < coarse
    assert same_leads < 0.05 * exact
