"""From samples of states to the rows of a run: what the registry of observables asks for, computed once a row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.sample import Sample, Sampler, bond_observables, site_observables
from llgnegf.equations.slow import Instant, SlowEquation, cross
from llgnegf.problem.electrons import Electrons
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.placement import OnSites
from llgnegf.problem.observables import carried_spin, spin_density
from llgnegf.problem.plausibility import say
from llgnegf.run.observables import REGISTRY, Row
from llgnegf.run.result import PLACES, Variable
from llgnegf.static.frozen import adiabatic_density_matrix
from llgnegf.units import HBAR


class Rows(Protocol):
    """What makes rows of one kind of run: what it is, as `run.observables` has it, and the labels of each dim (and
    those that `run.result.BESIDE` names)."""

    kinds: frozenset[str]
    labels: dict[str, list[Any]]

    def at(self, time: float, vector: np.ndarray) -> Row:
        """The row of a sample at `time` (fs)."""


class Recorder:
    """The columns of a run.

    Args:
        rows: What makes its rows.
        extra: Names of extra observables.
    """

    def __init__(self, rows: Rows, extra: Sequence[str]) -> None:
        self.rows = rows
        kinds, sizes = rows.kinds | set(extra), {dim: len(labels) for dim, labels in rows.labels.items()}
        called = {} if "moment" in sizes else {"moment": "site"}
        dims = {o: tuple(called.get(dim, dim) for dim in o.dims) for o in REGISTRY if o.kinds <= kinds}
        self._chosen = [o for o, names in dims.items() if all(sizes.get(dim, 0) for dim in names)]
        self.variables = {
            o.name: Variable(dims[o], tuple(sizes[dim] for dim in dims[o]), o.units, o.long_name) for o in self._chosen
        }
        self.coordinates: dict[str, list[Any]] = {dim: labels for dim, labels in rows.labels.items() if labels}

    def row(self, time: float, vector: np.ndarray) -> dict[str, np.ndarray]:
        """The columns of a sample at `time` (fs)."""
        row = self.rows.at(time, vector)
        return {o.name: np.asarray(o.value(row), dtype=float) for o in self._chosen}


def labels_of_places(motion: Any, n_sites: int | None) -> dict[str, list[Any]]:
    """Labels of the dim `site`, of moments that are a layer of their own, and of each site the moment it has, or -1.

    `n_sites` is None without electrons.
    """
    if not isinstance(motion, OnSites) or motion.sites is None:
        return {"site": list(range(motion.n_sites))}
    labels = {"moment": list(range(motion.n_sites))}
    if n_sites is not None:
        carried, sites = {i: k for k, on in enumerate(motion.sites) for i in on}, list(range(n_sites))
        labels |= {"site": sites, "moment_of_site": [carried.get(i, -1) for i in sites]}
    return labels


class FullRows:
    """Rows of full electrons, and of moments alone.

    Args:
        equation: The right-hand side of the run (its layout, leads and moments).
        motion: The moments' motion or `Magnet`.
    """

    def __init__(self, equation: Any, motion: Any) -> None:
        self.equation, self.sampler = equation, Sampler(equation)
        self.magnet = motion if isinstance(motion, Magnet) else None
        self.kinds: frozenset[str] = frozenset() if self.magnet is None else frozenset({"magnet"})
        electrons = equation.system.electrons if isinstance(equation, ElectronEquation) else None
        n_sites = None if electrons is None else electrons.n_sites
        self.labels = {**labels_of_places(motion, n_sites), "component": ["x", "y", "z"]}
        if electrons is not None:
            self.kinds |= {"electrons", "full"}
            self.labels["lead"] = list(range(len(equation.system.leads)))
            self.labels["bond"] = [f"{i}-{j}" for i, j in electrons.bonds]
            self.labels |= _places(electrons)
            self._electrons = electrons
            self._now = _parts(electrons, electrons.device.elements(0.0))
            if electrons.drives():
                self.kinds |= {"driven"}

    def hamiltonian(self, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """H_ii (N, 2, 2) and H_ji of the bonds at `time` (fs) without mean fields, and the spin that H_ji carries."""
        electrons = self._electrons
        return _parts(electrons, electrons.device.elements(time)) if electrons.drives() else self._now

    def at(self, time: float, vector: np.ndarray) -> Row:
        """As `Rows.at`, for samples of `equations.sample`."""
        return _FullRow(self, time, self.sampler.split(vector))


class _FullRow:
    """A `Row`; sites, bonds and leads in one call each, since each of many small ones would find cold caches."""

    def __init__(self, rows: FullRows, time: float, sample: Sample) -> None:
        self._rows, self.time, self._sample = rows, time, sample
        self.interpolated = np.array(rows.equation.moments_at(time / HBAR, sample.moments))
        self.moments, self.outflow = self.interpolated.copy(), sample.outflow
        self.spin = np.zeros((0, 3))
        if rows.magnet is not None:
            self.magnetic_moment = np.asarray(rows.magnet.magnetic_moment)
            rows.equation.normalise(self.moments)
        if "electrons" in rows.kinds:
            electrons = rows.equation.system.electrons
            self.j_sd, self.seen = np.array(electrons.j_sd_at(time)), rows.equation.on_electrons(self.moments)
            onsite, hopping, carried = rows.hamiltonian(time)
            sites = site_observables(sample.sites, self.seen, self.j_sd, onsite)
            self.spin, self.charge, torque, on_sites, self.energy_sd = sites
            self.torque = rows.equation.on_moments(torque)
            *self.bond_currents, on_bonds = bond_observables(sample.bonds, hopping, carried)
            self.energy_electronic = on_sites + on_bonds + electrons.device.interaction(sample.sites)

    @cached_property
    def energy_classical(self) -> float:
        assert self._rows.magnet is not None
        return self._rows.magnet.energy.energy(self.moments, self.time)

    @cached_property
    def drive_power(self) -> float:
        electrons = self._rows.equation.system.electrons
        onsite, hopping, carried = _parts(electrons, electrons.device.rates(self.time))
        on_sites = site_observables(self._sample.sites, self.seen, np.array(electrons.j_sd_rate(self.time)), onsite)
        velocity = self._rows.equation.on_electrons(self._rows.equation.given_velocity(self.time))
        moving = np.sum(self.j_sd[:, None] * self.spin * velocity)
        return float(on_sites[3] + on_sites[4] - moving + bond_observables(self._sample.bonds, hopping, carried)[2])

    @property
    def drive_work(self) -> float:
        return float(self._sample.work[0])

    @cached_property
    def lead_rate(self) -> np.ndarray:
        self._rows.equation.hold(self.time, self._sample.sites)
        return self._rows.sampler.lead_flow(self._sample, self.seen)

    @cached_property
    def spin_adiabatic(self) -> np.ndarray:
        equation = self._rows.equation
        return spin_density(adiabatic_density_matrix(equation.poles, self.seen, self.time, equation.levels))

    @cached_property
    def torque_adiabatic(self) -> np.ndarray:
        torque = self.j_sd[:, None] * np.cross(self.spin_adiabatic, self.seen)
        return self._rows.equation.on_moments(torque)


def _places(electrons: Electrons) -> dict[str, list[Any]]:
    """The coordinates of the sites in nm, where they are known."""
    known = electrons.positions is not None
    return dict(zip(PLACES, np.transpose(electrons.positions).tolist(), strict=True)) if known else {}


def _parts(electrons: Electrons, elements: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers on the device's pattern as blocks of sites and bonds, and the spin that the bonds carry."""
    hopping = np.ascontiguousarray(electrons.device.hopping_blocks(elements))
    onsite = np.ascontiguousarray(electrons.device.onsite_blocks(elements))
    return onsite, hopping, np.ascontiguousarray(carried_spin(hopping))


class SlowRows:
    """Rows of slow moments; of many copies the first one.

    Currents into the leads and through bonds are left out: the expansion gives the spins on the moments' sites only.

    Args:
        equation: The equation of motion.
        has_potential: Whether the electrons have a grand potential.
        at: The electrons, where the sites have a place.
        may_gain: Whether friction may be negative, of which the first row that finds it so warns.
    """

    def __init__(
        self, equation: SlowEquation, has_potential: bool, at: Electrons | None = None, may_gain: bool = False
    ) -> None:
        self.equation, self._may_gain = equation, may_gain
        electrons = {"electrons", "slow"} | ({"potential"} if has_potential else set())
        self.kinds = frozenset({"magnet"} | (set() if equation.electrons is None else electrons))
        n_sites = None if equation.electrons is None else equation.j_sd.size
        self.labels = {**labels_of_places(equation.magnet, n_sites), "component": ["x", "y", "z"]}
        self.labels |= {} if at is None else _places(at)

    def at(self, time: float, vector: np.ndarray) -> Row:
        """As `Rows.at`, for states."""
        first = vector[: self.equation.size].reshape(1, -1, 3)
        row = _SlowRow(self.equation, time, self.equation.place(time, first)[0])
        least, motion = row.instant.least_damped() if self._may_gain and row.instant is not None else (0.0, "")
        if least < 0:
            self._may_gain = False
            said = f"t = {time:.6g} fs: electrons under bias hand energy to the moments, {motion}"
            say(said)
        return row


class _SlowRow:
    """A `Row`; looking at it is no part of the run, so what it evaluates is not counted."""

    def __init__(self, equation: SlowEquation, time: float, moments: np.ndarray) -> None:
        self._equation, self.time = equation, time
        self.moments = self.interpolated = moments
        self.magnetic_moment, self.j_sd = np.asarray(equation.magnet.magnetic_moment), equation.j_sd
        self.energy_classical = equation.magnet.energy.energy(moments, time)
        self.spin = np.zeros((0, 3))
        self.instant: Instant | None = None
        if equation.electrons is not None:
            self._electronic()

    def _electronic(self) -> None:
        """Spins to first order, <sigma> = <sigma>_ad - (friction + geometric) dM/dt / J."""
        evaluations = self._equation.evaluations
        self.instant = instant = self._equation.instant(self.time, self.moments[None])
        self._equation.evaluations = evaluations
        rest, tensors = instant.electrons, instant.tensors
        velocity = self._equation.on_electrons(instant.velocity[0]).ravel()
        self._seen = seen = self._equation.on_electrons(self.moments)
        assert rest is not None and tensors is not None
        j = np.where(self.j_sd == 0, 1.0, self.j_sd)[:, None]
        self.spin_adiabatic, self.charge = rest.spin[0], rest.charge[0]
        self.spin = rest.spin[0] - ((tensors.friction[0] + tensors.geometric[0]) @ velocity).reshape(-1, 3) / j
        self.torque = self._equation.on_moments(self.j_sd[:, None] * cross(self.spin, seen))
        self.energy_sd = -float(np.sum(self.j_sd[:, None] * self.spin * seen))
        self.friction_power = float(velocity @ tensors.friction[0] @ velocity)

    @cached_property
    def torque_adiabatic(self) -> np.ndarray:
        return self._equation.on_moments(self.j_sd[:, None] * cross(self.spin_adiabatic, self._seen))

    @property
    def grand_potential(self) -> float:
        assert self._equation.electrons is not None
        return self._equation.electrons.grand_potential(self._seen)
