"""Modes and Fermi vectors of ribbons, chosen channel by channel: what estimates are made of, and explicit leads."""

from dataclasses import replace

import numpy as np
import pytest
from propagation import random_hermitian, unit_vectors

import llgnegf as ln
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.poles.channels import FARTHEST_POLE, expand, expand_channels, spectral_bounds
from llgnegf.poles.coupling import semicircle_ladder
from llgnegf.poles.fermi_vectors import FARTHEST, NEAR, fewest_sources
from llgnegf.run.error_budget import expand_for_run
from llgnegf.run.run_errors import RunErrors
from llgnegf.run.shares import LEADS, VECTORS
from llgnegf.run.spectral_errors import EquilibriumErrors, Passages
from llgnegf.static.frozen import FrozenDevice
from llgnegf.static.slices import distance_from_leads, slices_of
from llgnegf.units import HBAR
from validation.ribbon_modes import explicit_ribbon


def ribbon(n_x: int, n_y: int, j_sd: float = 0.7, **system) -> tuple[ln.OpenSystem, ln.Lattice]:  # type: ignore[no-untyped-def]
    lattice = ln.square(n_x, n_y)
    leads = [lattice.lead("left"), lattice.lead("right", coupling=0.6)]
    return ln.OpenSystem(lattice.electrons(1.0, j_sd=j_sd), leads, **system), lattice


def off(channel, amount):  # type: ignore[no-untyped-def]
    """The channel with a spectrum that is off by `amount` at all energies."""

    class Wrong:
        def self_energy(self, energy):  # type: ignore[no-untyped-def]
            return channel.exact.self_energy(energy) + amount

        energies = channel.energies

    return replace(channel, spectrum=Wrong())


@pytest.mark.parametrize("whole", [1000, 8])
def test_equilibrium_errors_are_differences_of_density_matrices(whole, monkeypatch):
    """In one slice those of all elements, in slices those of the blocks that are looked at."""
    monkeypatch.setattr("llgnegf.static.slices.WHOLE", whole)
    system, _ = ribbon(9, 2, kT=0.05, fermi_energy=0.4)
    moments = unit_vectors(np.random.default_rng(1), 18)
    poles = expand(system, 1e-3, 1e-7)
    frozen = FrozenDevice(poles, moments)
    energies, r = frozen.fermi_poles(frozen.mean)
    half = np.einsum("m,mab->ab", r, frozen.device.retarded(energies) - frozen.exact.retarded(energies))
    change = np.abs(half + half.conj().T)
    seen, slices = np.zeros(change.shape, dtype=bool), slices_of(frozen.device)
    assert (len(slices) > 1) == (whole == 8)
    for here, after in zip(slices, [*slices[1:], slices[-1]], strict=True):
        seen[here, here.start : after.stop] = seen[here.start : after.stop, here] = True
    errors = EquilibriumErrors(frozen)
    assert errors.of(poles.channels) == pytest.approx(change[seen].max(), rel=1e-9)
    # One channel at a time, which is first order in dSigma.
    small = [off(c, 1e-6j) if q == 1 else off(c, 0.0) for q, c in enumerate(poles.channels)]
    assert errors.of_group([1], [small[1]])[0] == pytest.approx(errors.of(small), rel=1e-4)


@pytest.mark.parametrize("coupling", [0.6, 0.05])
def test_passages_are_integrals_over_the_window(coupling):
    """By brute force, 1/T above the axis, with resonances narrower and wider than 1/T; dSigma is a constant."""
    lattice = ln.square(4, 2)
    leads = [lattice.lead(side, coupling=coupling) for side in ("left", "right")]
    system = ln.OpenSystem(lattice.electrons(1.0, j_sd=0.5), leads, kT=0.05)
    poles, duration, window = expand(system, 1e-3, 1e-6), 150.0, (-1.0, 0.8)
    frozen = FrozenDevice(poles, unit_vectors(np.random.default_rng(2), 8))
    passages = Passages.of(frozen, window, duration)
    grid = np.linspace(*window, 20001)
    green = frozen.exact.retarded(grid + 1j / duration)
    out, back = np.abs(green @ frozen.u), np.abs(frozen.u.conj().T @ green)
    exact = np.trapezoid(out * back.swapaxes(1, 2), grid, axis=0) / (2 * np.pi)
    for number, group in enumerate(passages.groups):
        found = passages.weights.sum(axis=0)[number]
        assert found.max() == pytest.approx(exact[:, list(group)].sum(axis=1).max(), rel=0.15)
    filling = np.trapezoid(-np.diagonal(green, axis1=1, axis2=2).imag, grid, axis=0) / np.pi
    assert passages.filling == pytest.approx(filling, abs=0.1)
    channels = [off(c, 2e-5) for c in poles.channels]
    total = 2 * 2e-5 * passages.weights.sum(axis=(0, 1))
    assert passages.error(channels, 0.0) == pytest.approx(total, rel=1e-3)


def test_ribbon_against_explicit_leads():
    """The middle channel is open at the chemical potential, the one below is closed. Lead ends are 60 cells away:
    echoes come after 60 hbar/eV, thermal correlations of exp(-pi kT 120/2) = 4e-17 across."""
    rtol, t_end, mu, kT = 1e-6, 25 * HBAR, 1.0, 0.2
    lattice = ln.square(2, 3)
    moments = unit_vectors(np.random.default_rng(3), 6)
    system = ln.OpenSystem(
        lattice.electrons(1.0, j_sd=0.6), [lattice.lead("left"), lattice.lead("right")], fermi_energy=mu, kT=kT
    )
    motion = ln.Precession(moments, energy=0.1, axis="z")
    run = ln.Simulation(system, motion, t_end=t_end, save_every=t_end / 5, rtol=rtol)
    got = np.array([run.density_matrix for _ in run.rows()])
    exact = explicit_ribbon((2, 3), 60, 1.0, 0.6, moments, 0.1, np.linspace(0, t_end, 6), mu, kT)
    error, budget = np.abs(got - exact).max(), run.error_budget()
    assert error < rtol
    assert error < sum(estimate.value for estimate in budget.values()) + VECTORS * rtol
    assert budget["coupling_poles"].value < LEADS * rtol
    assert run.poles is not None
    all_vectors = replace(run.poles, vector_tolerance=0.0)
    assert run.equation.levels.z.size < ElectronEquation(all_vectors, motion).levels.z.size


@pytest.mark.parametrize("case", [{}, {"voltage": ln.Ramp(0.0, 0.4, 1.0, 5.0)}])
def test_modes_chosen_by_spectrum_keep_the_estimate(case):
    """The estimate of what is chosen is that of its modes as they are; with a voltage leads are told apart."""
    lattice = ln.square(3, 3)
    leads = [lattice.lead("left", **case), lattice.lead("right")]
    system = ln.OpenSystem(lattice.electrons(1.0, j_sd=0.5), leads, kT=0.05, fermi_energy=-1.2)
    motion = ln.Precession(unit_vectors(np.random.default_rng(4), 9), energy=0.05, axis="x")
    poles, error = expand_for_run(system, motion, "thermal", 20.0, 1e-5)
    assert 0 < error.value <= LEADS * 1e-5
    assert len({c.energies.size for c in poles.channels}) > 1
    spin = [(c.lead, c.exact.onsite, c.energies.size) for c in poles.channels]
    assert len(set(spin)) == len(poles.channels) // 2  # both spins alike


@pytest.mark.parametrize("caps", [FARTHEST_POLE, (None,)])
@pytest.mark.parametrize("seed", range(3))
def test_few_near_sources_carry_the_same(seed, caps):
    """D(E) = 2 Re sum_k i c_k^*/(E - z_k) on other energies than those of the fit; poles far off are replaced."""
    rng = np.random.default_rng(seed)
    lattice = ln.square(3, 5)
    leads = [lattice.lead("left"), lattice.lead("right", chemical_potential=0.3)]
    system = ln.OpenSystem(lattice.electrons(1.0, j_sd=rng.uniform(0, 5)), leads, kT=10 ** rng.uniform(-2.5, -1))
    poles = expand(system, 1e-6, 1e-8, caps=caps)
    reach, tolerance = poles.spectral_range, 10 ** rng.uniform(-9, -6)
    fewer = 0
    for q, channel in enumerate(poles.channels):
        mu = system.chemical_potentials()[channel.lead]
        z, c = poles.fermi_sources(q, mu, system.kT)
        kept, own = fewest_sources(z, c[0], reach, tolerance)
        energies = mu + np.concatenate([rng.uniform(-reach, reach, 3000), rng.normal(size=1000) * system.kT])
        both = (z, c[0]), (kept, own)
        whole, part = (2 * (1j * s.conj() / (energies[:, None] - p)).sum(axis=1).real for p, s in both)
        assert np.abs(whole - part).max() < 1.1 * tolerance
        near = -z.imag <= NEAR * reach
        assert np.isin(kept, z[near]).sum() == min(kept.size, near.sum()) and -kept.imag.min() <= FARTHEST * reach
        fewer += kept.size < z.size
    assert caps == (None,) or fewer == len(poles.channels)
    same = fewest_sources(z, c[0], reach, 0.0)
    assert np.array_equal(same[0], z) and np.array_equal(same[1], c[0])


def test_fewer_vectors_decay_no_faster_and_wide_bands_keep_them():
    system, _ = ribbon(3, 5, j_sd=20.0, kT=0.1)
    poles = expand(system, 1e-5, 1e-7)
    fewer = poles.with_fewer_vectors(1e-6, 50.0)
    motion = ln.Frozen(ln.uniform(15, "x"))
    before, after = (ElectronEquation(p, motion).levels.z for p in (poles, fewer))
    assert after.size < before.size and -after.imag.min() <= -before.imag.min()
    wide = ln.OpenSystem(system.electrons, [*system.leads, ln.WideBandLead(0, 0.2)], kT=0.1)
    known = expand(wide, 1e-5, 1e-4)
    assert known.with_fewer_vectors(1e-6, 50.0) is known


@pytest.mark.parametrize("seed", range(8))
def test_bounds_hold_the_levels_of_explicit_leads(seed):
    """Between the outermost levels and 2 max |J| beyond them, whatever the moments are; voltages shift bands."""
    rng = np.random.default_rng(seed)
    n_y, cells, coupling, voltages = 3, 25, rng.uniform(0.3, 1.6), rng.uniform(-1.5, 1.5, 2)
    lattice, j_sd = ln.square(2, n_y), rng.uniform(0, 3)
    h_0 = lattice.electrons(1.0, j_sd=j_sd, rashba=0.3).hamiltonian
    h_0 = (h_0 + np.diag(rng.uniform(-1, 1, h_0.shape[0]))) if isinstance(h_0, np.ndarray) else h_0.toarray()
    electrons = ln.Electrons(h_0, j_sd)
    leads = [lattice.lead(s, coupling=coupling, voltage=v) for s, v in zip(("left", "right"), voltages, strict=True)]
    low, high = spectral_bounds(ln.OpenSystem(electrons, leads, kT=0.1))
    chain, slab = -(np.eye(n_y, k=1) + np.eye(n_y, k=-1)), 2 * n_y
    lead = np.kron(np.eye(cells), np.kron(chain, np.eye(2)))
    lead -= np.kron(np.eye(cells, k=1) + np.eye(cells, k=-1), np.eye(slab))
    n, m = h_0.shape[0], lead.shape[0]
    whole = np.zeros((n + 2 * m, n + 2 * m), dtype=complex)
    whole[:n, :n] = electrons.hamiltonian_at(unit_vectors(rng, 2 * n_y))
    for start, end, v in ((n, slice(0, slab), voltages[0]), (n + m, slice(n - slab, n), voltages[1])):
        whole[start : start + m, start : start + m] = lead + v * np.eye(m)
        whole[end, start : start + slab] = whole[start : start + slab, end] = -coupling * np.eye(slab)
    levels = np.linalg.eigvalsh(whole)
    assert low - 1e-9 <= levels[0] and levels[-1] <= high + 1e-9
    # 25 cells end 0.015 eV from the edges of the bands; six bisections are to 1/64 of what they cut.
    assert high - levels[-1] < 2 * j_sd + 0.1 and levels[0] - low < 2 * j_sd + 0.1


def test_distance_from_leads():
    def of(electrons, leads):  # type: ignore[no-untyped-def]
        poles = expand(ln.OpenSystem(electrons, leads, kT=0.1), 1e-2, 1e-3)
        return distance_from_leads(FrozenDevice(poles, ln.uniform(electrons.n_sites, "z")).device)

    assert of(ln.chain(9), [ln.ChainLead(0), ln.ChainLead(-1)]) == 9
    assert of(ln.chain(9), [ln.ChainLead(4)]) == 5
    assert of(ln.chain(1), [ln.ChainLead(0)]) == 1
    lattice = ln.square(6, 4)
    assert of(lattice.electrons(1.0, j_sd=0.1), [lattice.lead("left"), lattice.lead("right")]) == 6
    dense = ln.Electrons(random_hermitian(np.random.default_rng(0), 10), 0.1)
    assert of(dense, [ln.ChainLead(0)]) == 2


@pytest.mark.parametrize("seed", range(8))
def test_chains_get_at_most_one_rung_more_than_the_estimate_needs(seed, monkeypatch):
    """With the rung of the table two before the one that is taken the estimate is above its share of rtol."""
    runs: list[RunErrors] = []
    estimate = RunErrors.estimate
    monkeypatch.setattr(RunErrors, "estimate", lambda run, poles: (runs.append(run), estimate(run, poles))[1])
    rng = np.random.default_rng(seed)
    n, rtol = int(rng.integers(1, 7)), 10.0 ** -rng.uniform(4, 7)
    leads = [ln.ChainLead(0, coupling=rng.uniform(0.3, 1.0), voltage=rng.uniform(0.1, 0.5)), ln.ChainLead(-1)]
    system = ln.OpenSystem(ln.chain(n, j_sd=0.4), leads, kT=0.03)
    poles, error = expand_for_run(system, ln.Frozen(ln.cone(n, 0.5)), "steady", float(rng.uniform(5, 100)), rtol)
    coarser = [m.error for m in semicircle_ladder() if m.energies.size < poles.channels[0].energies.size]
    fewer = replace(poles, channels=expand_channels(poles.system, coarser[-2]))
    assert error.value <= LEADS * rtol < estimate(runs[-1], fewer).value
