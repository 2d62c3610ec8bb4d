"""Half of the density matrix stored instead of the whole: the same physics, and what is where."""

from __future__ import annotations

import numpy as np
import pytest
from propagation import random_hermitian, store_halves

import llgnegf as ln
from llgnegf import _threads
from llgnegf.equations import shared
from llgnegf.equations.layout import Layout, reach_of
from llgnegf.integrators.integration import IntegrationStopped
from llgnegf.run.watch import Watch, figures


def reach(electrons: ln.Electrons, sites: int = 2) -> int | None:
    """With a lead on so many sites."""
    vectors = np.zeros((2 * electrons.n_sites, 1))
    vectors[: 2 * sites] = 1.0
    return reach_of(electrons.device.rows, electrons.device.indices, vectors)


def test_who_stores_half():
    """Large devices whose Hamiltonian has few diagonals: a site's neighbours are 2 states away in a chain and 2 n_y at
    the most in a ribbon. What hops anywhere, is small or nearly as wide as long, or has leads everywhere, is whole."""
    assert reach(ln.chain(48)) == 2
    assert reach(ln.chain(47)) is None
    assert reach(ln.square(30, 4).electrons(1.0)) == 8
    assert reach(ln.square(30, 4).electrons(1.0, rashba=0.1)) == 10  # from spin down to the next column's spin up: 9
    assert reach(ln.square(10, 20).electrons(1.0)) is None
    assert reach(ln.Electrons(random_hermitian(np.random.default_rng(0), 120), 0.1)) is None
    assert reach(ln.chain(60), sites=10) == 2 and reach(ln.chain(60), sites=11) is None


@pytest.mark.parametrize("reach", [0, 2, 4, 10, None])
def test_what_is_packed_comes_back(reach):
    """rho, the columns of modes and of Fermi vectors, each number in its place, for n = 10 states."""
    rng = np.random.default_rng(1)

    def random(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) + 1j * rng.normal(size=shape)

    n, modes, k = 10, (2, 3), 4
    store = Layout(n, modes, k, 2, 1, 0, reach)
    rho, w = (a + a.conj().T for a in (random(n, n), random(5, 5)))
    c, v, moments = random(n, 5), random(n + 5, k), rng.normal(size=(2, 3))
    state = store.pack(rho, c, w, v, moments)
    assert state.size == store.size
    np.testing.assert_array_equal(store.density_matrix(state), rho)
    np.testing.assert_array_equal(store.device(state), np.concatenate([rho, c, v[:n]], axis=1))
    np.testing.assert_array_equal(store.mode_block(state), w)
    np.testing.assert_array_equal(store.vector_modes(state), v[n:])
    np.testing.assert_array_equal(store.moments(state), moments)
    # row 2 i or 2 i + 1 has the columns up to 2 i + 1, and the reach
    kept = n * n if reach is None else sum(min(n, r // 2 * 2 + 2 + reach) for r in range(n))
    mode_rows = 2 * (5 + k) + 3 * (3 + k)
    assert store.n_complex == kept + n * (5 + k) + mode_rows


def test_what_the_watch_sees_of_a_half():
    rng = np.random.default_rng(2)
    rho = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
    rho = rho + rho.conj().T
    none = np.zeros((8, 0))
    for reach in (None, 2):
        store = Layout(8, (), 0, 0, 0, 0, reach)
        state = store.pack(rho, none, np.zeros((0, 0)), none, np.zeros((0, 3)))
        np.testing.assert_array_equal(store.site_blocks(state), [rho[k : k + 2, k : k + 2] for k in (0, 2, 4, 6)])
        worst, occupation, excess, skew = figures(store.rows[0], store.widths, *store.electrons(state))
        diagonal = rho.diagonal().real
        assert worst == np.argmax(np.abs(diagonal - 0.5)) and occupation == diagonal[worst] and skew == 0.0
        assert excess == pytest.approx(np.trace(rho @ rho).real - np.trace(rho).real, rel=1e-13)
        state[store.rows[0, 3] + 4] += 0.25  # Re rho_34, which mirrors rho_43
        assert figures(store.rows[0], store.widths, *store.electrons(state))[3] == pytest.approx(0.25, rel=1e-12)
        for column, said in ((3, "occupation nan of spin down on site 1"), (4, "differs from its adjoint by nan")):
            spoilt = store.pack(0.5 * np.eye(8), none, np.zeros((0, 0)), none, np.zeros((0, 3)))
            spoilt[store.rows[0, 3] + column] = np.nan
            with pytest.raises(IntegrationStopped, match=said):
                Watch(store, 1e-6).check(1.0, spoilt)


WALL = ln.bloch_wall(6, center=2.5, width=0.9)
PULSE = ln.Sine(0.3, period=4.0)


def driven_chain() -> ln.OpenSystem:
    terms = [ln.Gate([1, 2], PULSE), ln.Peierls(lambda t: 0.4 * np.sin(t))]
    electrons = ln.Electrons(ln.chain(6).hamiltonian, 0.4, positions=np.arange(6.0), terms=terms)
    return ln.OpenSystem(electrons, [ln.ChainLead(0, 0.9), ln.ChainLead(-1, 0.5, voltage=PULSE)], kT=0.2)


def repelling_chain() -> ln.OpenSystem:
    electrons = ln.Electrons(ln.chain(6).hamiltonian, 0.4, terms=[ln.Hubbard(0.5)])
    return ln.OpenSystem(electrons, [ln.ChainLead(0, 0.9, voltage=PULSE), ln.WideBandLead(-1, 0.5)], kT=0.2)


def with_matrix_leads() -> ln.OpenSystem:
    lattice = ln.square(6, 1)
    leads = [lattice.lead(side, rashba=0.1, exchange=[0.3, 0.0, 0.0], voltage=PULSE) for side in ("left", "right")]
    return ln.OpenSystem(lattice.electrons(1.0, 0.4, rashba=0.1), leads, kT=0.2)


def turning() -> ln.Precession:
    return ln.Precession(WALL, 0.3)


def magnet() -> ln.Magnet:
    return ln.Magnet(WALL, magnetic_moment=1.0, damping=0.1, energies=[ln.Exchange(0.05)])


CASES = {
    "driven": (driven_chain, turning, "1"),
    "repelling": (repelling_chain, turning, "1"),
    "closed": (lambda: ln.OpenSystem(ln.chain(6, 1.0, 0.4), [], kT=0.2), turning, "1"),
    "nothing hops": (lambda: ln.OpenSystem(ln.Electrons(np.zeros((12, 12)), 0.4), [], kT=0.2), turning, "1"),
    "matrix leads, moments answer": (with_matrix_leads, magnet, "2"),
}
"""The system, how moments move, and how many threads: kernels take long to compile, so each case has those of one."""


def run(name: str, count: str, monkeypatch: pytest.MonkeyPatch) -> tuple[ln.Simulation, list[dict[str, np.ndarray]]]:
    monkeypatch.setenv("LLGNEGF_NUM_THREADS", count)
    system, motion, _ = CASES[name]
    start = "partitioned" if name in ("repelling", "closed", "nothing hops") else "steady"
    simulation = ln.Simulation(system(), motion(), t_end=3.0, save_every=1.0, rtol=1e-6, start=start)
    return simulation, [columns for _, columns in simulation.rows()]


@pytest.mark.parametrize("name", CASES)
def test_runs_with_half_are_those_with_the_whole(name, monkeypatch):
    """Every column, within what rtol leaves to the steps of both; with three threads the bits of two."""
    monkeypatch.setattr(_threads, "SMALLEST", 0)
    monkeypatch.setattr(shared, "ALONE", 0)
    whole, rows = run(name, "1", monkeypatch)
    store_halves(monkeypatch)
    count = CASES[name][2]
    half, others = run(name, count, monkeypatch)
    assert (half.equation.constants.orbitals is not None) == (count == "2")
    assert whole.equation.layout.reach is None and half.equation.layout.reach is not None
    np.testing.assert_allclose(half.density_matrix, whole.density_matrix, rtol=0, atol=1e-6)
    for one, other in zip(rows, others, strict=True):
        for column, values in one.items():
            scale = max(1.0, np.abs(values).max(initial=0.0))
            np.testing.assert_allclose(other[column], values, rtol=0, atol=3e-6 * scale, err_msg=column)
    if count != "1":
        np.testing.assert_array_equal(run(name, "3", monkeypatch)[0].state, half.state)
