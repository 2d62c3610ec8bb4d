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
from llgnegf.leads import AnyLead
from llgnegf.stationary.quadrature import QuadratureError
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


def frame(hamiltonian: np.ndarray, leads: list[AnyLead], kT: float, energy: float = 0.0) -> ln.RotatingFrame:
    """No moments: spin up and down alike."""
    electrons = ln.Electrons(np.kron(hamiltonian, np.eye(2)), 0.0)
    return ln.RotatingFrame(ln.OpenSystem(electrons, leads, kT=kT), np.tile(UP, (len(hamiltonian), 1)), energy)


def biased(vectors: list[np.ndarray]) -> list[AnyLead]:
    """A chain and a wide band, mean chemical potential 0.05 eV."""
    spectra = [ln.ChainLead(0, coupling=0.6, hopping=1.2)._spectrum(), ln.WideBandLead(0, 0.3)._spectrum()]
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
        ln.Lead([(even, ln.WideBandLead(0, width)._spectrum())], chemical_potential=mu)
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
