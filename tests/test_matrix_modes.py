"""Damped modes of matrix leads: the kernel against long finite leads, the fits at late times, Gamma >= 0, the cache."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.special import jv
from test_periodic_leads import LEADS as CELLS

import llgnegf as ln
from llgnegf.poles.fit_cache import cache_folder, forget
from llgnegf.poles.lead_kernel import LeadKernel
from llgnegf.poles.matrix_fit import matrix_modes
from llgnegf.poles.matrix_modes import MatrixModes
from llgnegf.poles.positive import certified
from llgnegf.problem.matrix_leads import TabulatedMatrixSpectrum
from llgnegf.problem.periodic import PeriodicSpectrum

SX, SZ = np.array([[0, 1], [1, 0]]), np.diag([1.0, -1.0])
SY = np.array([[0, -1j], [1j, 0]])
FERROMAGNET = PeriodicSpectrum(0.4 * SX, -np.eye(2) + 0.3j * SY)
"""A Rashba chain with an exchange field across its spin-orbit axis: does not fall apart."""
DIMERS = PeriodicSpectrum(0.5 * SX, [[0, 0], [1, 0]])
"""With a bound level of weight 3/4 on the first orbital."""
RANDOM = PeriodicSpectrum([[0.2, 0.3 - 0.4j], [0.3 + 0.4j, -0.1]], [[0.5, 0.2j], [0.1, -0.4 + 0.3j]])
LEADS = {"ferromagnet": FERROMAGNET, "dimers": DIMERS, "random": RANDOM}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLGNEGF_CACHE", str(tmp_path / "fits"))
    forget()


@cache
def finite(spectrum: PeriodicSpectrum, layers: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Levels (n,) of a finite lead, and what they are in its first cell, (n, m)."""
    cell, hopping = spectrum.cell, spectrum.hopping
    out = np.kron(np.eye(layers, k=1), hopping)
    levels, states = np.linalg.eigh(np.kron(np.eye(layers), cell) + out + out.conj().T)
    return levels, states[: len(cell)].T


def finite_kernel(spectrum: PeriodicSpectrum, times: np.ndarray) -> np.ndarray:
    """[exp(-iHt)]_11 of a finite lead: what returns from its end arrives at t = 2 layers/v, v <= 2.2 here."""
    levels, first = finite(spectrum)
    products = (first[:, :, None] * first[:, None, :].conj()).reshape(levels.size, -1)
    return (np.exp(-1j * np.outer(times, levels)) @ products).reshape(-1, spectrum.size, spectrum.size)


LATE = np.array([800.0, 3e3, 2e4])


@cache
def late_kernel(spectrum: PeriodicSpectrum) -> np.ndarray:
    return LeadKernel(spectrum)(LATE)


HARD = {name: PeriodicSpectrum(*CELLS[name]) for name in ("zigzag", "random 5")}
"""Gamma ~ E^(-2/3), and edges of bands that nearly meet."""


@pytest.mark.parametrize("spectrum", (LEADS | HARD).values(), ids=LEADS | HARD)
def test_kernel_of_a_long_lead(spectrum: PeriodicSpectrum) -> None:
    times = np.array([0.0, 0.3, 2.0, 17.0, 90.0, 150.0]) / max(1.0, float(np.linalg.norm(spectrum.hopping, 2)))
    kernel = LeadKernel(spectrum)
    levels, vectors = kernel.levels
    found = kernel(times) + MatrixModes(levels, vectors, vectors, 0.0).kernel(times)
    np.testing.assert_allclose(found, finite_kernel(spectrum, times), atol=1e-11)


def test_kernel_of_the_chain() -> None:
    """J_1(2t)/t, also at t = 1e4, to 1e-12 and the rounding of Sigma, 1e-14, times exp(-iEt) on the contour, e^6."""
    times = np.array([0.5, 10.0, 1e3, 1e4])
    found = LeadKernel(PeriodicSpectrum([[0.0]], [[1.0]]))(times)[:, 0, 0]
    np.testing.assert_allclose(found, jv(1, 2 * times) / times, rtol=0, atol=5e-12)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-4])
@pytest.mark.parametrize("spectrum", LEADS.values(), ids=LEADS)
def test_modes_at_times_that_were_not_fitted(spectrum: PeriodicSpectrum, tolerance: float) -> None:
    modes = matrix_modes(spectrum, tolerance, True)
    times = np.concatenate([np.linspace(0, 150, 700), [160.0]])
    difference = modes.kernel(times) - finite_kernel(spectrum, times)
    errors = np.linalg.norm(difference, 2, axis=(1, 2))
    assert errors.max() <= min(modes.error, tolerance)
    damped = modes.energies.imag < 0
    own = MatrixModes(modes.energies[damped], modes.left[:, damped], modes.right[:, damped], 0.0)
    assert np.linalg.norm(own.kernel(LATE) - late_kernel(spectrum), 2, axis=(1, 2)).max() <= modes.error
    np.testing.assert_allclose(modes.surface_levels, spectrum.surface_levels, atol=1e-12)
    assert np.all(modes.energies.imag <= 0)


@pytest.mark.parametrize("spectrum", LEADS.values(), ids=LEADS)
def test_gamma_is_not_negative(spectrum: PeriodicSpectrum) -> None:
    """On a grid that is finer than what the fit looks at, and far away."""
    modes = matrix_modes(spectrum, 1e-4, True)
    near = modes.energies.real[:, None] + np.abs(modes.energies.imag)[:, None] * np.linspace(-6, 6, 201)
    far = np.geomspace(5, 1e7, 200)
    grid = np.concatenate([near.ravel(), np.linspace(-4, 4, 4001), far, -far])
    assert np.linalg.eigvalsh(modes.broadening(grid))[:, 0].min() > 0


def test_certificate_catches_a_spoiled_fit() -> None:
    """A hole in Gamma outside the band, 1e-6 wide and 2 deep, which no grid would find; and all of it negative."""
    modes = matrix_modes(FERROMAGNET, 1e-3, True)
    assert certified(modes.energies, modes.left, modes.right)
    hole = np.array([[1e-3], [0.0]])
    energies = np.append(modes.energies, 2.9 - 1e-6j)
    spoiled = np.hstack([modes.left, hole]), np.hstack([modes.right, -hole])
    assert not certified(energies, *spoiled)
    assert not certified(modes.energies, modes.left, -modes.right)


def test_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process reads what the first one fitted, to the last bit; a broken file is fitted again."""
    first = matrix_modes(RANDOM, 1e-3, True)
    folder = cache_folder()
    assert folder is not None
    (path,) = folder.iterdir()

    def no_fit(*_: object) -> None:
        raise AssertionError("fitted again")

    forget()
    with monkeypatch.context() as patch:
        patch.setattr("llgnegf.poles.matrix_fit._fit", no_fit)
        again = matrix_modes(PeriodicSpectrum(RANDOM.cell, RANDOM.hopping), 1e-3, True)
    for name in ("energies", "left", "right"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    assert again.error == first.error
    for spoiled in (b"", b"PK\x03\x04", path.read_bytes()[:-40]):
        path.write_bytes(spoiled)
        forget()
        assert matrix_modes(RANDOM, 1e-3, True).energies.size == first.energies.size


def test_leads_that_differ_by_round_off_are_fitted_once() -> None:
    noise = 1e-16 * np.array([[1, -2], [-2, 3]])
    first, other = (PeriodicSpectrum(0.3 * SX + x, [[0.7, 0], [0.2j, -0.7]] + x) for x in (0 * noise, noise))
    assert matrix_modes(first, 1e-2) is matrix_modes(other, 1e-2)


def test_no_folder_to_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit is the same with and without a folder that keeps it."""
    (tmp_path / "file").write_text("")
    found = []
    for folder in (str(tmp_path / "file" / "below"), "", str(tmp_path / "kept")):
        monkeypatch.setenv("LLGNEGF_CACHE", folder)
        forget()
        found.append(matrix_modes(DIMERS, 1e-2, True))
    assert list((tmp_path / "kept").iterdir())
    for other in found[1:]:
        assert np.array_equal(other.energies, found[0].energies) and np.array_equal(other.right, found[0].right)


def test_a_lead_of_flat_bands_alone() -> None:
    """V^2 = 0: its end is one level, whatever the rounding of C(0) beside the tolerance, 5e-15 here."""
    modes = matrix_modes(PeriodicSpectrum(np.zeros((2, 2)), [[0, 0], [1, 0]], [[1, 0]]), 1e-14, strict=False)
    np.testing.assert_allclose(modes.energies, 0, atol=1e-12)
    np.testing.assert_allclose(modes.weight, 1, atol=1e-12)


def test_a_tolerance_that_is_far_too_fine() -> None:
    """A block of an armchair ribbon, where Gamma >= 0 with 70 modes costs 0.09 of C(0): a coarser fit is taken."""
    ribbon = ln.honeycomb(3, 3, edge="armchair")
    spectrum = ribbon.lead("left", hopping=1.0).attach(ribbon.n_sites)[0].spectrum
    times = np.linspace(0, 150, 400)
    exact = LeadKernel(spectrum)(times)
    modes = matrix_modes(spectrum, 10**-7.5, strict=False)
    levels, vectors = LeadKernel(spectrum).levels
    exact += MatrixModes(levels, vectors, vectors, 0.0).kernel(times)
    assert np.abs(modes.kernel(times) - exact).max() < 1e-6


def test_table_of_matrices_in_modes() -> None:
    grid = np.linspace(-2, 2, 81)
    angle = 0.4 * grid
    vector = np.stack([np.cos(angle), np.sin(angle) * np.exp(0.3j)], axis=1)
    gamma = np.sqrt(4 - grid**2)[:, None, None] * (vector[:, :, None] * vector[:, None, :].conj() + 0.2 * np.eye(2))
    spectrum = TabulatedMatrixSpectrum(grid, gamma)
    modes = matrix_modes(spectrum, 2e-3, True)
    energies = np.linspace(-1.9, 1.9, 7)
    assert modes.error <= 2e-3 * np.linalg.norm(spectrum.weight, 2)
    np.testing.assert_allclose(modes.self_energy(energies), spectrum.self_energy(energies), atol=0.05)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="tolerance: 2; allowed"):
        matrix_modes(RANDOM, 2)
    with pytest.raises(ValueError, match="do not meet tolerance 1e-12"):
        matrix_modes(PeriodicSpectrum([[0.0]], [[1.0]]), 1e-12)


def test_combinations_of_orbitals_that_nothing_is_left_of() -> None:
    """A table with an orbital that is not coupled; a crystal, one orbital of which is a level by itself."""
    grid = np.linspace(-2, 2, 81)
    table = TabulatedMatrixSpectrum(grid, np.sqrt(4 - grid**2)[:, None, None] * np.diag([1.0, 0.0, 0.5]))
    crystal = PeriodicSpectrum(np.diag([0.0, 0.4, -0.7]), np.diag([1.0, 0.0, 0.5]))
    times = np.linspace(0, 100, 301)
    for spectrum, level in ((table, 0), (crystal, 1)):
        modes = matrix_modes(spectrum, 1e-3)
        exact = LeadKernel(spectrum)(times) + level * np.diag([0, 1, 0]) * np.exp(-0.4j * times)[:, None, None]
        wrong = np.linalg.norm(modes.kernel(times) - exact, 2, axis=(1, 2)).max()
        assert wrong <= 1e-3 * np.linalg.norm(spectrum.weight, 2)


def test_a_tolerance_that_is_missed_leaves_a_fit() -> None:
    """A band 1e-3 wide in one of 4: with the most modes Gamma >= 0 makes the error of C(t) as large as C(0)."""
    spectrum = PeriodicSpectrum([[0, 0.01], [0.01, 0.3]], np.diag([1, 1e-3]))
    modes = matrix_modes(spectrum, 1e-4, strict=False)
    times = np.linspace(0, 200, 301)
    wrong = np.linalg.norm(modes.kernel(times) - LeadKernel(spectrum)(times), 2, axis=(1, 2)).max()
    assert wrong <= min(modes.error, 3e-3)
