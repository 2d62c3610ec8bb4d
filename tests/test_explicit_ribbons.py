"""Ribbons against explicit cells (`explicit_ribbon`), out of equilibrium: to 1e-6 at rtol = 1e-6.

Prescribed moments turn while the voltage of one lead jumps; answering moments obey the LLG equation, damped and
anisotropic, while it is ramped up. Unit cells are built here by hand from positions and bonds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from explicit_ribbon import SIGMA, Answering, PeriodicCells, Ribbon, Rows, spins, stationary, turning

import llgnegf as ln
from llgnegf.problem.spectra import ChainSpectrum

END, EVERY, BOUND = 5.0, 0.5, 1e-6
HEIGHT, JUMP, RAMP = 0.4, 1.3, 2.0
"""Voltage of the biased lead in eV, where it begins and how long the ramp takes, in fs."""
ENERGY, AXIS = 0.7, (1.0, 0.4, -0.5)
"""hbar w of the turning moments (eV) and their axis."""
ONE = np.eye(2)


@dataclass(frozen=True)
class Case:
    """A device with its leads at rest; `biased` is the lead whose voltage changes."""

    hamiltonian: np.ndarray
    leads: Sequence[PeriodicCells]
    j_sd: np.ndarray
    texture: np.ndarray
    biased: int = 0

    @property
    def n_sites(self) -> int:
        return len(self.j_sd)


def case(rng: np.random.Generator, hamiltonian: np.ndarray, leads: Sequence[PeriodicCells], biased: int = 0) -> Case:
    """With random couplings between 0.5 and 1 eV of either sign, and a random texture."""
    n = len(hamiltonian) // 2
    j_sd = rng.uniform(0.5, 1.0, n) * rng.choice([-1, 1], n)
    texture = rng.normal(size=(n, 3))
    return Case(hamiltonian, leads, j_sd, texture / np.linalg.norm(texture, axis=1)[:, None], biased)


def hop(along: Sequence[float], hopping: float = 1.0, rashba: float = 0.0) -> np.ndarray:
    """<r|H|r + d> = -t - i lambda (sigma x d)_z, (2, 2), for a unit vector d in the plane."""
    x, y = along[0], along[1]
    return -hopping * ONE - 1j * rashba * (SIGMA[0] * y - SIGMA[1] * x)


def bonded(positions: np.ndarray, others: np.ndarray, hopping: float = 1.0, rashba: float = 0.0) -> np.ndarray:
    """<positions|H|others> (2n, 2m): a hop wherever two sites are at distance one."""
    h = np.zeros((2 * len(positions), 2 * len(others)), dtype=complex)
    for i, a in enumerate(positions):
        for j, b in enumerate(others):
            if abs(np.linalg.norm(b - a) - 1) < 1e-9:
                h[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = hop(b - a, hopping, rashba)
    return h


def ribbon_lead(
    device: np.ndarray, cell: np.ndarray, step: Sequence[float], hopping: float = 1.0, rashba: float = 0.0,
    contact: float = 1.0, kT: float = 0.2,
) -> PeriodicCells:  # fmt: skip
    """Cells at cell, cell + step, ... that go on from the device's sites, their first contact scaled by `contact`."""
    following = cell + np.asarray(step)
    return PeriodicCells(
        bonded(cell, cell, hopping, rashba), bonded(cell, following, hopping, rashba),
        contact * bonded(device, cell, hopping, rashba), kT=kT,
    )  # fmt: skip


def grid(n_x: int, n_y: int) -> np.ndarray:
    return np.array([(float(x), float(y)) for x in range(n_x) for y in range(n_y)])


def square_rashba(rng: np.random.Generator) -> Case:
    """3 x 2 sites with Rashba coupling, which goes on in both leads; disorder on the device."""
    device = grid(3, 2)
    leads = [
        ribbon_lead(device, grid(1, 2) - [1, 0], [-1, 0], rashba=0.4, contact=0.8),
        ribbon_lead(device, grid(1, 2) + [3, 0], [1, 0], rashba=0.4),
    ]
    levels = np.kron(np.diag(rng.uniform(-0.3, 0.3, 6)), ONE)
    return case(rng, bonded(device, device, rashba=0.4) + levels, leads)


def in_plane_ferromagnet(rng: np.random.Generator) -> Case:
    """The right lead is magnetised in the plane, off the symmetry axes, and has Rashba coupling: nothing commutes."""
    device = grid(2, 2)
    right = ribbon_lead(device, grid(1, 2) + [2, 0], [1, 0], rashba=0.3)
    field = np.kron(ONE, 0.5 * (0.8 * SIGMA[0] + 0.6 * SIGMA[1]))
    left = ribbon_lead(device, grid(1, 2) - [1, 0], [-1, 0], contact=0.9)
    return case(rng, bonded(device, device, rashba=0.5), [left, replace(right, h0=right.h0 - field)], biased=1)


def zigzag(rng: np.random.Generator) -> Case:
    """Two zigzag chains, four atoms in a cell of length sqrt(3), a cell and a half on the device: C(t) ~ t^(-1/3)."""
    first = np.array([(0, 0), (0, 2.0)])
    second = np.array([(np.sqrt(3) / 2, 0.5), (np.sqrt(3) / 2, 1.5)])
    step = np.array([np.sqrt(3), 0])
    device = np.concatenate([first, second, first + step])
    leads = [
        ribbon_lead(device, np.concatenate([first, second]) - step, -step),
        ribbon_lead(device, np.concatenate([second + step, first + 2 * step]), step, contact=0.9),
    ]
    return case(rng, bonded(device, device), leads)


def armchair(rng: np.random.Generator) -> Case:
    """Three dimer lines, six atoms in a cell of length 3: a gap about 0 and flat bands at +-1 that no end is part of.

    The left lead ends with the tip of a hexagon. The right one begins in the middle of a hexagon: of its first two
    atoms the antisymmetric combination is bound there, at 0, within the gap, and the device couples to it.
    """
    h = np.sqrt(3) / 2
    near = np.array([(-0.5, h), (0, 0), (0, 2 * h)])
    far = np.array([(1, 0), (1, 2 * h), (1.5, h)])
    step = np.array([3.0, 0])
    device = np.concatenate([near, far, near + step])
    leads = [
        ribbon_lead(device, np.concatenate([near, far]) - step, -step, contact=0.9),
        ribbon_lead(device, np.concatenate([far + step, near + 2 * step]), step, contact=0.8),
    ]
    return case(rng, bonded(device, device), leads)


def three_terminals(rng: np.random.Generator) -> Case:
    """A T: plain single chains left and right, a Rashba ribbon two sites wide on top."""
    device = grid(2, 2)
    leads = [
        ribbon_lead(device, np.array([(-1.0, 0.0)]), [-1, 0]),
        ribbon_lead(device, np.array([(2.0, 0.0)]), [1, 0], hopping=0.9, contact=0.7),
        ribbon_lead(device, np.array([(0.0, 2.0), (1.0, 2.0)]), [0, 1], rashba=0.5),
    ]
    return case(rng, bonded(device, device, rashba=0.2), leads, biased=2)


def lead_in_the_middle(rng: np.random.Generator) -> Case:
    """A ribbon that stands on the inner sites of a chain by contacts that turn the spin, at every site another way."""
    device = grid(4, 1)
    middle = ribbon_lead(device, grid(1, 2) + [9, 0], [1, 0], rashba=0.6)
    tau = np.zeros((8, 4), dtype=complex)
    tau[2:6] = 0.4 * (rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))
    leads = [
        ribbon_lead(device, np.array([(-1.0, 0.0)]), [-1, 0]), replace(middle, tau=tau),
        ribbon_lead(device, np.array([(4.0, 0.0)]), [1, 0], rashba=0.3),
    ]  # fmt: skip
    return case(rng, bonded(device, device), leads, biased=1)


CASES = (square_rashba, in_plane_ferromagnet, zigzag, armchair, three_terminals, lead_in_the_middle)


def jump(t: float) -> float:
    return HEIGHT if t >= JUMP else 0.0


def ramp(t: float) -> float:
    """The formula of `ln.Ramp`."""
    return HEIGHT * 0.5 * (1 - np.cos(np.pi * np.clip((t - JUMP) / RAMP, 0, 1)))


STEP = ln.TimeFunction(jump, np.inf, [JUMP])
SMOOTH = ln.Ramp(0.0, HEIGHT, start=JUMP, duration=RAMP)


def explicit(one: Case, time: float, voltage: Any = None, longer: int = 0) -> Ribbon:
    leads = list(one.leads)
    if voltage is not None:
        leads[one.biased] = replace(leads[one.biased], voltage=voltage)
    return Ribbon(one.hamiltonian, one.j_sd, leads, [lead.cells_for(time) + longer for lead in leads])


def times() -> np.ndarray:
    return np.arange(0.0, END + 0.5 * EVERY, EVERY)


def system(one: Case, drive: Any) -> ln.OpenSystem:
    """The case in the package's words."""
    leads = [
        ln.PeriodicLead(
            cell=lead.h0, hopping=lead.V, coupling=lead.tau, voltage=drive if p == one.biased else 0.0,
            chemical_potential=lead.chemical_potential, kT=lead.kT,
        )
        for p, lead in enumerate(one.leads)
    ]  # fmt: skip
    return ln.OpenSystem(ln.Electrons(one.hamiltonian, one.j_sd), leads, fermi_energy=0.0, kT=one.leads[0].kT)


def assert_agree(result: Any, exact: Rows, bound: float = BOUND) -> None:
    data = result.dataset
    np.testing.assert_allclose(result.density_matrix, exact.rho[-1], rtol=0, atol=bound)
    for column, expected in (
        ("spin_density", exact.spin), ("charge_density", exact.charge), ("lead_current", exact.current),
        ("lead_spin_current", exact.spin_current), ("moments", exact.moments),
    ):  # fmt: skip
        np.testing.assert_allclose(data[column].values, expected, rtol=0, atol=bound, err_msg=column)


def assert_something_happens(exact: Rows) -> None:
    """A test of rows that do not change would show little."""
    assert np.abs(exact.current).max() > 1e-2
    assert np.abs(exact.spin_current).max() > 1e-3
    assert np.abs(exact.spin - exact.spin[0]).max() > 1e-2


def answering(one: Case) -> Answering:
    sizes = np.linspace(1.0, 3.0, one.n_sites)
    return Answering(one.texture, sizes, damping=0.1, anisotropy=0.05, axis=(0.0, 0.6, 0.8))


def magnet(moments: Answering) -> ln.Magnet:
    return ln.Magnet(
        moments.moments, magnetic_moment=moments.magnetic_moment, damping=moments.damping,
        energies=[ln.UniaxialAnisotropy(moments.anisotropy, moments.axis)],
    )  # fmt: skip


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_prescribed_moments_and_a_voltage_that_jumps(build: Any) -> None:
    one = build(np.random.default_rng(1))
    ribbon = explicit(one, END, jump)
    exact = ribbon.run(ribbon.thermal(one.texture), turning(one.texture, ENERGY, AXIS), times(), [JUMP])
    assert_something_happens(exact)
    got = ln.simulate(
        system(one, STEP), ln.Precession(one.texture, ENERGY, AXIS), t_end=END, save_every=EVERY, rtol=1e-6
    )  # fmt: skip
    assert_agree(got, exact)


@pytest.mark.parametrize("build", [in_plane_ferromagnet, armchair, three_terminals], ids=lambda build: build.__name__)
def test_moments_that_answer_and_a_bias_that_is_switched_on(build: Any) -> None:
    """Where nothing commutes, with a level bound to an end, with three leads (all cases: validation/ribbons.py)."""
    one = build(np.random.default_rng(2))
    ribbon, moments = explicit(one, END, ramp), answering(one)
    exact = ribbon.run(ribbon.thermal(one.texture), moments, times(), [JUMP, JUMP + RAMP])
    assert_something_happens(exact)
    assert np.abs(exact.moments[-1] - exact.moments[0]).max() > 1e-2
    got = ln.simulate(system(one, SMOOTH), magnet(moments), t_end=END, save_every=EVERY, rtol=1e-6)
    assert_agree(got, exact)


@pytest.mark.parametrize("build", [three_terminals], ids=lambda build: build.__name__)
def test_partitioned_start_with_a_chemical_potential_and_a_temperature_for_every_lead(build: Any) -> None:
    one = build(np.random.default_rng(3))
    leads = [
        replace(lead, chemical_potential=mu, kT=kT)
        for lead, mu, kT in zip(one.leads, (0.3, -0.2, 0.1), (0.2, 0.35, 0.25), strict=False)
    ]
    one = replace(one, leads=leads)
    size = 2 * one.n_sites
    rng = np.random.default_rng(4)
    basis, _ = np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))
    rho = (basis * rng.uniform(0, 1, size)) @ basis.conj().T
    ribbon = explicit(one, END, ramp)
    exact = ribbon.run(ribbon.partitioned(rho), turning(one.texture, ENERGY, AXIS), times(), [JUMP, JUMP + RAMP])
    got = ln.simulate(
        system(one, SMOOTH), ln.Precession(one.texture, ENERGY, AXIS), t_end=END, save_every=EVERY, rtol=1e-6,
        start="partitioned", initial_density_matrix=rho,
    )  # fmt: skip
    assert_agree(got, exact)


def quiet(one: Case) -> Case:
    """With a device too narrow in energy to bind anything, and leads that are filled differently."""
    leads = [
        replace(lead, chemical_potential=mu, kT=kT, voltage=lambda t, v=v: v)
        for lead, mu, kT, v in zip(one.leads, (0.3, -0.2), (0.1, 0.25), (0.2, 0.0), strict=True)
    ]
    return replace(one, hamiltonian=0.5 * one.hamiltonian, j_sd=0.3 * one.j_sd, leads=leads)


def assert_stationary(result: Any, one: Case, owner: Sequence[int]) -> None:
    """All rows are those of `stationary`; lead q of the run is a part of lead owner[q]."""
    rho, current, spin_current = stationary(one.hamiltonian + explicit(one, END).exchange(one.texture), one.leads)
    assert np.abs(current).min() > 1e-2
    assert np.abs(spin_current).max() > 1e-3
    data, belongs = result.dataset, np.equal.outer(np.arange(len(one.leads)), owner).astype(float)
    np.testing.assert_allclose(result.density_matrix, rho, rtol=0, atol=BOUND)
    for values, expected in (
        (data.spin_density, spins(rho)),
        (np.einsum("pq,tq->tp", belongs, data.lead_current), current),
        (np.einsum("pq,tqa->tpa", belongs, data.lead_spin_current), spin_current),
    ):  # fmt: skip
        np.testing.assert_allclose(values, np.broadcast_to(expected, values.shape), rtol=0, atol=BOUND)


def filled_differently(one: Case) -> ln.OpenSystem:
    """The device between leads of their own temperatures, chemical potentials and constant voltages."""
    leads = [
        ln.PeriodicLead(
            cell=lead.h0, hopping=lead.V, coupling=lead.tau, voltage=lead.voltage(0.0),
            chemical_potential=lead.chemical_potential, kT=lead.kT,
        )
        for lead in one.leads
    ]  # fmt: skip
    return ln.OpenSystem(ln.Electrons(one.hamiltonian, one.j_sd), leads, kT=0.1)


@pytest.mark.parametrize("build", [in_plane_ferromagnet], ids=lambda build: build.__name__)
def test_stationary_start_under_bias(build: Any) -> None:
    """Leads of their own temperatures, chemical potentials and voltages, moments at rest: nothing moves."""
    one = quiet(build(np.random.default_rng(7)))
    system = filled_differently(one)
    got = ln.simulate(system, ln.Frozen(one.texture), t_end=END, save_every=END, rtol=1e-6, start="steady")
    assert_stationary(got, one, [0, 1])


class TestReference:
    """The reference itself: independent of the cut, of its tolerance, and right where chains already are."""

    @pytest.mark.parametrize("build", [armchair], ids=lambda build: build.__name__)
    def test_longer_leads_and_a_finer_integration_change_nothing(self, build: Any) -> None:
        """An eighth of the bound at most leaves the rest to what is judged (all cases: validation/ribbons.py)."""
        one = build(np.random.default_rng(2))
        moments, stops = answering(one), [JUMP, JUMP + RAMP]
        rows = []
        for longer, rtol in ((0, 1e-8), (6, 1e-9)):
            ribbon = explicit(one, END, ramp, longer)
            rows.append(ribbon.run(ribbon.thermal(one.texture), moments, times()[-1:], stops, rtol))
        for name in ("rho", "current", "spin_current", "moments"):
            coarse, fine = (getattr(r, name) for r in rows)
            np.testing.assert_allclose(coarse, fine, rtol=0, atol=BOUND / 8, err_msg=name)

    @pytest.mark.parametrize(("legs", "moves"), [("separate", "prescribed"), ("coupled", "answering")])
    def test_ladders_whose_leads_are_chains(self, legs: str, moves: str) -> None:
        """Legs apart: a `ChainLead` for each site. Legs coupled by -t': chains of (1, 1) and (1, -1) at -t' and t'."""
        device, answers = grid(2, 2), moves == "answering"
        voltage, drive = (ramp, SMOOTH) if answers else (jump, STEP)
        rung, kT, biased = (0.0 if legs == "separate" else 0.6), 0.2, 1
        cells, chains, owner = [], list[Any](), list[int]()
        for p, (cell, step) in enumerate(((grid(1, 2) - [1, 0], -1), (grid(1, 2) + [2, 0], 1))):
            contact, onsite, own = (0.8, 1.0)[p], (0.1, -0.2)[p], drive if p == biased else 0.0
            lead = ribbon_lead(device, cell, [step, 0], contact=contact, kT=kT)
            cells.append(replace(lead, h0=np.kron([[onsite, -rung], [-rung, onsite]], ONE)))
            sites = (0, 1) if p == 0 else (2, 3)
            if legs == "separate":
                chains += [ln.ChainLead(site, contact, onsite=onsite, voltage=own) for site in sites]
            else:
                modes = [np.isin(np.arange(4), sites) * np.where(np.arange(4) == sites[1], k, 1) for k in (1, -1)]
                spectra = [ChainSpectrum(contact, 1.0, onsite - k * rung) for k in (1, -1)]
                chains.append(ln.Lead(list(zip(np.array(modes) / np.sqrt(2), spectra, strict=True)), voltage=own))
            owner += [p] * (len(chains) - len(owner))
        one = case(np.random.default_rng(5), bonded(device, device, rashba=0.4), cells, biased)
        ribbon = explicit(one, END, voltage)
        motion = answering(one) if answers else turning(one.texture, ENERGY, AXIS)
        exact = ribbon.run(ribbon.thermal(one.texture), motion, times(), [JUMP, JUMP + RAMP])
        assert_something_happens(exact)
        moving: Any = magnet(motion) if answers else ln.Precession(one.texture, ENERGY, AXIS)
        chained = ln.OpenSystem(ln.Electrons(one.hamiltonian, one.j_sd), chains, kT=kT)
        got = ln.simulate(chained, moving, t_end=END, save_every=EVERY, rtol=1e-6)
        belongs = np.equal.outer([0, 1], owner).astype(float)
        data = got.dataset
        for values, expected in (
            (data.spin_density, exact.spin), (data.charge_density, exact.charge), (data.moments, exact.moments),
            (np.einsum("pq,tq->tp", belongs, data.lead_current), exact.current),
            (np.einsum("pq,tqa->tpa", belongs, data.lead_spin_current), exact.spin_current),
        ):  # fmt: skip
            np.testing.assert_allclose(values, expected, rtol=0, atol=BOUND)

    def test_stationary_state_of_legs_that_are_chains(self) -> None:
        """`stationary` against a `ChainLead` for each leg, all at one temperature."""
        device, kT, biases = grid(2, 2), 0.15, ((0.3, 0.1), (-0.2, 0.0))
        cells, chains = [], list[ln.ChainLead]()
        for (mu, v), cell, step, sites in zip(
            biases, (grid(1, 2) - [1, 0], grid(1, 2) + [2, 0]), (-1, 1), ((0, 1), (2, 3)), strict=True
        ):
            lead = ribbon_lead(device, cell, [step, 0], contact=0.9, kT=kT)
            cells.append(replace(lead, h0=0 * lead.h0, chemical_potential=mu, voltage=lambda t, v=v: v))
            chains += [ln.ChainLead(site, 0.9, voltage=v, chemical_potential=mu) for site in sites]
        one = case(np.random.default_rng(8), 0.5 * bonded(device, device, rashba=0.4), cells)
        one = replace(one, j_sd=0.3 * one.j_sd)
        chained = ln.OpenSystem(ln.Electrons(one.hamiltonian, one.j_sd), chains, kT=kT)
        got = ln.simulate(chained, ln.Frozen(one.texture), t_end=END, save_every=END, rtol=1e-6, start="steady")
        assert_stationary(got, one, [0, 0, 1, 1])
