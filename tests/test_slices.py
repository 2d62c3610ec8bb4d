"""Green functions slice by slice against the inverse of the whole matrix, and the start that is made of them."""

import numpy as np
import pytest
from matrix_leads import absorbing, couplings
from propagation import random_hermitian, unit_vectors

import llgnegf as ln
from llgnegf.poles.channels import expand
from llgnegf.problem.spectra import ChainSpectrum, WideBandSpectrum
from llgnegf.static import start as starts
from llgnegf.static.channels import StaticChannel
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.green import StaticDevice
from llgnegf.static.slices import LEAST, WHOLE, SlicedGreen, slices_of

ENERGIES = np.array([0.2 + 0.01j, -1.3 + 0.4j, 0.2 + 7j])


def banded(rng: np.random.Generator, size: int, width: int) -> np.ndarray:
    """A random Hermitian matrix with `width` diagonals on each side."""
    matrix, place = random_hermitian(rng, size), np.arange(size)
    return np.where(np.abs(place[:, None] - place) <= width, matrix, 0.0)


def on_states(rng: np.random.Generator, size: int, first: int, last: int, columns: int) -> np.ndarray:
    out = np.zeros((size, columns), dtype=complex)
    out[first:last] = couplings(rng, last - first, columns)
    return out


def devices(rng: np.random.Generator) -> list[tuple[StaticDevice, bool]]:
    """Devices, and whether they fall into more than two slices: leads at the ends, across slices, on all states."""
    n = WHOLE + 3 * LEAST + 5

    def scalar(first: int, last: int) -> StaticChannel:
        return StaticChannel(on_states(rng, n, first, last, 1)[:, 0], ChainSpectrum(0.7, 1.1, 0.1), 0.3, 0.0, 0)

    matrix = StaticChannel(on_states(rng, n, n - 4, n, 2), absorbing(rng, 2), 0.1, 0.0, 1)
    wide = StaticChannel(on_states(rng, n, 40, 41, 1)[:, 0], WideBandSpectrum(0.4), 0.0, 0.0, 1)
    narrow = banded(rng, n, 5)
    return [
        (StaticDevice(narrow, (scalar(0, 3), scalar(14, 19), wide)), True),
        (StaticDevice(narrow, (scalar(0, 3), scalar(30, 60), matrix)), True),
        (StaticDevice(narrow, ()), True),
        (StaticDevice(banded(rng, n, 40), (scalar(0, 1),)), True),
        (StaticDevice(narrow, (scalar(0, n),)), False),
        (StaticDevice(banded(rng, n, n), (matrix,)), False),
        (StaticDevice(random_hermitian(rng, 6), ()), False),
    ]


@pytest.mark.parametrize("number", range(7))
def test_slices_against_the_inverse_of_the_whole(number):
    rng = np.random.default_rng(number)
    device, apart = devices(rng)[number]
    slices = slices_of(device)
    assert (len(slices) > 2) == apart
    assert np.array_equal(np.concatenate([np.arange(s.start, s.stop) for s in slices]), np.arange(device.size))
    exact, green, x = device.retarded(ENERGIES), SlicedGreen(device, ENERGIES), couplings(rng, device.size, 3)
    # |G| <= 1/Im E = 100/eV multiplies the round-off.
    close = pytest.approx
    assert green.columns(x) == close(exact @ x, abs=1e-11)
    assert green.rows(x) == close(x.conj().T @ exact, abs=1e-11)
    assert np.array(list(green.matrices())) == close(exact, abs=1e-11)
    assert green.logarithm() == close(-np.linalg.slogdet(exact)[1], rel=1e-11)
    seen = np.zeros(exact.shape[1:], dtype=bool)
    for rows, columns, block in green.local():
        assert block == close(exact[:, rows, columns], abs=1e-10)
        seen[rows, columns] = True
    assert all(seen[a, b].all() for a, b in zip(slices, slices, strict=True))
    assert all(seen[a, b].all() and seen[b, a].all() for a, b in zip(slices[1:], slices[:-1], strict=True))


def test_start_of_a_ribbon_against_resolvents_of_device_and_modes():
    """rho and C_dy by partial fractions of the dense inverse of z - h, h with all modes; v by one solve for each k."""
    lattice, rng = ln.square(5, 4), np.random.default_rng(3)
    electrons = lattice.electrons(1.0, j_sd=0.7, rashba=0.2)
    left, right = (lattice.lead(side, coupling=c) for side, c in (("left", 0.8), ("right", 0.5)))
    system = ln.OpenSystem(electrons, [left, right], fermi_energy=0.3, kT=0.05)
    moments = unit_vectors(rng, 20)
    poles = expand(system, 1e-2, 1e-4)
    frozen = FrozenDevice(poles, moments)
    n, a = frozen.arrays.n, frozen.arrays
    assert len(slices_of(frozen.device)) == 1  # 40 states; the next device is the same one in slices
    blocks = starts.thermal(poles, moments)
    h, (z, r) = frozen.extended_hamiltonian(), frozen.fermi_poles(frozen.mean)
    whole = [np.linalg.inv(e * np.eye(len(h)) - h) for e in z]
    rho = 0.5 * np.eye(n) + sum(w * (g + g.conj().T)[:n, :n] for w, g in zip(r, whole, strict=True))
    assert blocks.density_matrix == pytest.approx(rho, abs=1e-12)
    w, chi = a.vectors @ a.right, frozen.chi.conj()
    mode = -sum(
        x * (g[:n, :n] @ w / (chi - e) + g[:n, :n].conj().T @ w / (chi - e.conj()))
        for x, e, g in zip(r, z, whole, strict=True)
    )
    assert blocks.device_mode == pytest.approx(mode, abs=1e-12)
    source = np.concatenate([a.vectors @ a.c, np.zeros((a.chi.size, a.z.size))])
    pairs = zip(frozen.z.conj(), source.T, strict=True)
    vectors = np.stack([np.linalg.solve(e * np.eye(len(h)) - h, c) for e, c in pairs])
    assert blocks.vectors == pytest.approx(vectors.T, abs=1e-12)


def test_ribbon_in_slices_is_the_ribbon_in_one(monkeypatch):
    lattice, rng = ln.square(9, 4), np.random.default_rng(4)
    electrons = lattice.electrons(1.0, j_sd=0.7, rashba=0.2)
    leads = [lattice.lead("left", coupling=0.8), lattice.lead("right", chemical_potential=0.2)]
    system, moments = ln.OpenSystem(electrons, leads, kT=0.05), unit_vectors(rng, 36)
    poles = expand(system, 1e-2, 1e-4)
    assert len(slices_of(FrozenDevice(poles, moments).device)) > 1
    sliced = starts.steady(poles, moments)
    monkeypatch.setattr("llgnegf.static.slices.WHOLE", 1000)
    whole = starts.steady(poles, moments)
    for name in ("density_matrix", "device_mode", "mode_block", "vectors"):
        assert getattr(sliced, name) == pytest.approx(getattr(whole, name), abs=1e-11)
