"""Levels that no lead reaches: filled at the leads' mean chemical potential like bound states, no part of currents.

H = W (H_bright + H_dark) W^dag with leads on the bright part alone falls apart exactly: the bright part is an open
system by itself, the dark one has rho = f(H_dark).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

import llgnegf as ln
from llgnegf.problem.leads import Reservoir
from llgnegf.static.quadrature import QuadratureError
from llgnegf.units import HBAR

UP = np.array([0.0, 0.0, 1.0])


def hermitian(rng: np.random.Generator, n: int) -> np.ndarray:
    matrix = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return 0.5 * (matrix + matrix.conj().T)


def filled(hamiltonian: np.ndarray, mu: float, kT: float) -> np.ndarray:
    """f(H), by its levels."""
    energies, states = np.linalg.eigh(hamiltonian)
    occupation = 0.5 - 0.5 * (np.tanh((energies - mu) / (2 * kT)) if kT else np.sign(energies - mu))
    return (states * occupation) @ states.conj().T


def frame(hamiltonian: np.ndarray, leads: list[Reservoir], kT: float, energy: float = 0.0) -> ln.RotatingFrame:
    """No moments: spin up and down alike."""
    electrons = ln.Electrons(np.kron(hamiltonian, np.eye(2)), 0.0)
    return ln.RotatingFrame(ln.OpenSystem(electrons, leads, kT=kT), np.tile(UP, (len(hamiltonian), 1)), energy)


def biased(vectors: list[np.ndarray]) -> list[Reservoir]:
    """A chain and a wide band, mean chemical potential 0.05 eV."""
    spectra = [ln.ChainLead(0, coupling=0.6, hopping=1.2).spectrum(), ln.WideBandLead(0, 0.3).spectrum()]
    mus = (0.4, -0.3)
    return [ln.Lead([(v, s)], chemical_potential=m) for v, s, m in zip(vectors, spectra, mus, strict=True)]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), n_bright=st.integers(1, 3), n_dark=st.integers(1, 3), kT=st.sampled_from([0.0, 0.05]),
    place=st.sampled_from(["anywhere", "at the bright levels", "together, between the leads"]), turned=st.booleans(),
)  # fmt: skip
def test_dark_levels_under_bias(seed: int, n_bright: int, n_dark: int, kT: float, place: str, turned: bool) -> None:
    rng = np.random.default_rng(seed)
    bright, dark = hermitian(rng, n_bright), hermitian(rng, n_dark)
    if place == "at the bright levels":  # degenerate: the levels of H mix, and some combination is dark
        dark = np.diag(np.resize(np.linalg.eigvalsh(bright), n_dark))
    elif place == "together, between the leads":
        dark = np.diag(np.full(n_dark, 0.1))
    size = n_bright + n_dark
    unitary = np.linalg.qr(hermitian(rng, size))[0] if turned else np.eye(size)
    vectors = [rng.normal(size=n_bright) for _ in range(2)]
    hamiltonian = unitary @ scipy.linalg.block_diag(bright, dark) @ unitary.conj().T
    hamiltonian = 0.5 * (hamiltonian + hamiltonian.conj().T)
    leads = biased([unitary @ np.concatenate([v, np.zeros(n_dark)]) for v in vectors])
    whole, alone = frame(hamiltonian, leads, kT), frame(bright, biased(vectors), kT)
    parts = scipy.linalg.block_diag(alone.density_matrix(), np.kron(filled(dark, 0.05, kT), np.eye(2)))
    spinful = np.kron(unitary, np.eye(2))
    assert np.abs(whole.density_matrix() - spinful @ parts @ spinful.conj().T).max() < 2e-9  # two tolerances
    assert np.abs(whole.lead_currents().charge - alone.lead_currents().charge).max() < 2e-9 / HBAR


@pytest.mark.parametrize("kT", [0.0, 0.02])
@pytest.mark.parametrize("sites", [(0, 1, 3), (1, 2, 3)])
def test_an_isolated_moment_beside_an_open_chain(sites: tuple[int, ...], kT: float) -> None:
    """Precessing moments; the site that nothing touches is a closed system, first and last order in hbar w alike."""
    lonely = ({0, 1, 2, 3} - set(sites)).pop()
    moments = np.random.default_rng(5).normal(size=(4, 3))
    moments /= np.linalg.norm(moments, axis=1, keepdims=True)
    hamiltonian = np.zeros((4, 4))
    hamiltonian[sites[:-1], sites[1:]] = hamiltonian[sites[1:], sites[:-1]] = -1.0
    electrons, kept = ln.Electrons(np.kron(hamiltonian, np.eye(2)), 0.6), list(sites)
    alone = ln.Electrons(np.kron(hamiltonian[np.ix_(kept, kept)], np.eye(2)), 0.6)
    systems = [
        (electrons, moments, [ln.ChainLead(sites[0], coupling=0.6), ln.WideBandLead(sites[-1], 0.3)]),
        (alone, moments[kept], [ln.ChainLead(0, coupling=0.6), ln.WideBandLead(2, 0.3)]),
        (ln.chain(1, j_sd=0.6), moments[[lonely]], []),
    ]
    frames = [
        ln.RotatingFrame(ln.OpenSystem(e, leads, fermi_energy=0.1, kT=kT), m, 0.2) for e, m, leads in systems
    ]
    rows = np.array([[2 * s, 2 * s + 1] for s in (*kept, lonely)]).ravel()

    def check(*states: np.ndarray) -> None:
        whole, open_part, closed_part = states
        assert np.abs(whole[np.ix_(rows, rows)] - scipy.linalg.block_diag(open_part, closed_part)).max() < 2e-9

    check(*(f.density_matrix() for f in frames))
    for part in ("adiabatic", "geometric", "sea", "surface"):
        check(*(getattr(f.decompose(), part) for f in frames))
    currents = [f.decompose_lead_currents().surface.spin for f in frames[:2]]
    assert np.abs(currents[0] - currents[1]).max() < 2e-9


def two_levels(apart: float) -> tuple[ln.RotatingFrame, np.ndarray]:
    """Two levels that both leads reach alike, at +-2 eV around 0.02 eV filled 3:1; and the odd combination."""
    even = np.array([1.0, 1.0]) / np.sqrt(2)
    leads: list[Any] = [
        ln.Lead([(even, ln.WideBandLead(0, width).spectrum())], chemical_potential=mu)
        for width, mu in ((0.3, 2.0), (0.1, -2.0))
    ]
    levels = np.diag([0.02 - apart / 2, 0.02 + apart / 2])
    return frame(levels, leads, 0.01), np.kron([1.0, -1.0], [1.0, 0.0]) / np.sqrt(2)


def test_equal_levels_have_a_dark_combination() -> None:
    """d apart the odd one is a resonance of width d^2/Gamma that the leads fill 3:1; equal, it is dark.

    The leads' mean chemical potential is 0: f(0.02 eV) = 1/(e^2 + 1) at kT = 0.01 eV.
    """
    resonance, odd = two_levels(1e-4)
    assert abs(odd @ resonance.density_matrix() @ odd - 0.75) < 1e-8
    dark, odd = two_levels(0.0)
    assert abs(odd @ dark.density_matrix() @ odd - 1 / (np.exp(2) + 1)) < 1e-9


@pytest.mark.parametrize("apart", [1e-6, 1e-9, 1e-12])
def test_nearly_equal_levels_are_refused(apart: float) -> None:
    """Narrower than round-off of E - H - Sigma: neither a filling by the leads nor one by convention can be had."""
    with pytest.raises(QuadratureError, match="levels at 0.02 eV, 1e-.* eV apart, combine to a resonance of width"):
        two_levels(apart)[0].density_matrix()


# --- first order in the velocities ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kT", [0.02, 0.05])
@pytest.mark.parametrize("level", [-0.6, 0.0, 0.6])
def test_tensors_of_an_isolated_moment_are_those_of_a_closed_system(level: float, kT: float) -> None:
    """A site that nothing touches beside one with a lead, its levels at J_sd = 0.5 eV on both sides of E_F or on it."""
    moments = np.random.default_rng(3).normal(size=(2, 3))
    moments /= np.linalg.norm(moments, axis=1, keepdims=True)
    both = ln.chain(2, hopping=0.0, j_sd=0.5, onsite=[0.0, level])
    whole = ln.ResponseTensors(ln.OpenSystem(both, [ln.ChainLead(0)], fermi_energy=0.1, kT=kT), moments)
    parts = [
        ln.ResponseTensors(ln.OpenSystem(ln.chain(1, j_sd=0.5, onsite=e), leads, fermi_energy=0.1, kT=kT), moments[[k]])
        for k, (e, leads) in enumerate([(0.0, [ln.ChainLead(0)]), (level, [])])
    ]
    for name in ("friction", "geometric"):
        found, expected = getattr(whole, name), [getattr(part, name)[0, :, 0] for part in parts]
        assert max(np.abs(found[k, :, k] - expected[k]).max() for k in (0, 1)) < 1e-9
        assert not found[0, :, 1].any() and not found[1, :, 0].any()
    assert np.abs(parts[1].geometric).max() > 1e-6


def test_dark_combination_with_moments_in_the_thermal_window_is_refused() -> None:
    """Two sites alike on one lead: motion of a moment mixes the odd level with the damped even one."""
    even = ln.Lead([(np.array([1.0, 1.0]), ln.WideBandLead(0, 0.2).spectrum())])
    for kT, far in ((0.01, False), (0.002, True)):
        system = ln.OpenSystem(ln.chain(2, hopping=0.0, j_sd=0.5), [even], fermi_energy=0.2, kT=kT)
        tensors = ln.ResponseTensors(system, np.tile(UP, (2, 1)))
        if far:  # the levels at -0.5 and 0.5 eV are 150 kT away or more
            assert np.isfinite(tensors.friction).all()
        else:
            with pytest.raises(QuadratureError, match="a level at 0.5 eV that no lead reaches, within 40 kT"):
                assert tensors.friction.any()


def test_a_dark_level_at_the_fermi_energy_is_refused_at_zero_temperature() -> None:
    """The isolated site's lower level, 0.6 - 0.5 eV, at E_F."""
    system = ln.OpenSystem(ln.chain(2, 0.0, 0.5, [0.0, 0.6]), [ln.ChainLead(0)], fermi_energy=0.1)
    with pytest.raises(ValueError, match="ResponseTensors: kT = 0 with a level at the Fermi energy 0.1 eV"):
        assert ln.ResponseTensors(system, np.tile(UP, (2, 1))).geometric.any()


def test_bound_states_keep_their_filling_in_slow_motion() -> None:
    """A moment in a perfect chain, its bound state sqrt(4 + J^2) = 2.24 eV only 2.5 kT above the Fermi energy.

    The propagator with its memory, hbar w = 0.02 and 0.01 eV: delta<s>/w, extrapolated to w = 0, is K of first order.
    Filled with f of its energy in motion, the bound state would add a third to the component along the axis.
    """
    leads = [ln.ChainLead(0), ln.ChainLead(0)]
    system = ln.OpenSystem(ln.chain(1, j_sd=1.0), leads, fermi_energy=1.5, kT=0.3)
    moment = np.array([[np.sin(0.9), 0.0, np.cos(0.9)]])
    measured = []
    for energy in (0.02, 0.01):
        motion = ln.Precession(moment, energy, "z", ramp=100.0)
        data = ln.simulate(system, motion, t_end=250.0, rtol=1e-6, observables=["adiabatic"]).dataset.isel(site=0)
        change = (data.spin_density - data.spin_density_adiabatic).sel(component="z", time=slice(220, None))
        measured.append(float(change.mean()) / energy)
    response = ln.ResponseTensors(system, moment).spin_density_change(np.cross(UP, moment))[0, 2] / HBAR
    extrapolated = 2 * measured[1] - measured[0]
    assert abs(extrapolated - response) < 0.1 * abs(measured[1] - measured[0]) < 1e-3 * abs(response)
