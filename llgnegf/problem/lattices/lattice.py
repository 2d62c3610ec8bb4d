"""Lattice: sites in space, their bonds and the sides at which ribbons go on; electrons, leads and energies from them.

The face of this room: `crystals` makes the usual lattices, `hopping` and `ribbons` do the work of electrons and leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order, connected_components

from llgnegf._checks import Problems, as_numbers, dimensions
from llgnegf._readable import Readable, readable
from llgnegf.problem.arguments import (
    Axis,
    ChemicalPotential,
    Coupling,
    Energy,
    EnergyOverTime,
    EnergyPerSite,
    PerSite,
    Temperature,
)
from llgnegf.problem.electrons import Electrons
from llgnegf.problem.lattices.hopping import Hopping
from llgnegf.problem.lattices.parts import (
    ExchangeConstant,
    ExchangeField,
    Flux,
    InterfaceHopping,
    Seed,
    Side,
    SideName,
    SideSites,
    Symmetry,
    Velocity,
    checked_lengths,
    checked_pairs,
    checked_sides,
    second_neighbours,
)
from llgnegf.problem.lattices.ribbons import Ribbon
from llgnegf.problem.magnetism.pairs import Dipolar, PairDMI, PairExchange
from llgnegf.problem.magnetism.torques import ZhangLiTorque
from llgnegf.problem.periodic_leads import PeriodicLead


@dataclass(frozen=True, eq=False)
class Lattice(Readable):
    """Sites and bonds. `square`, `honeycomb` and `triangular` make the usual ones, ribbons along x.

    Args:
        positions: Of the sites in nm, (N, 3), or (N, 2) in the plane z = 0.
        bonds: Pairs (i, j) of nearest neighbours.
        next_bonds: Pairs of next-nearest neighbours; None takes the closest of the pairs that have a common neighbour
            and no bond.
        sides: From "left", "right", "bottom", "top" to (sites, translation): the last unit cell there, and the vector
            in nm that takes it to the first cell of the ribbon that goes on.
        plaquette: Area in nm^2 of the loop whose flux `flux` is; None allows no flux.
        lengths: Of bonds and of next-nearest bonds in nm, two lists; None takes those of the bonds. In a ribbon, and
            between it and the device, all sites at these distances are bonded.

    Attributes:
        bonds, next_bonds: (n_bonds, 2) with i < j, in lexical order.
        sides: From their names to `Side`.

    Raises:
        ValueError: One line for each argument that is not of this kind.
    """

    positions: Any
    bonds: Any
    next_bonds: Any = None
    sides: Mapping[str, Any] = field(default_factory=dict)
    plaquette: float | None = None
    lengths: Any = None

    def __post_init__(self) -> None:
        problems = Problems("Lattice")
        given = as_numbers(self.positions, float)
        given = self.positions if given is None else given
        if dimensions(given) == 2 and np.shape(given)[1] == 2:
            given = np.pad(given, ((0, 0), (0, 1)))
        allowed = "at least one row (x, y, z), or (x, y), of finite numbers in nm"
        positions = problems.array("positions", given, (None, 3), allowed)
        if positions is None or not problems.check(len(positions) > 0, "positions", self.positions, allowed):
            problems.raise_all()
            raise AssertionError("unreachable")
        n = len(positions)
        bonds = checked_pairs(problems, "bonds", self.bonds, n)
        problems.raise_all()
        second = second_neighbours(positions, bonds) if self.next_bonds is None else self.next_bonds
        second = checked_pairs(problems, "next_bonds", second, n)
        sides = checked_sides(problems, self.sides, n)
        lengths = checked_lengths(problems, self.lengths, positions, bonds, second)
        if self.plaquette is not None:
            problems.number("plaquette", self.plaquette, "None or an area > 0, in nm^2", lambda a: a > 0)
        problems.raise_all()
        values = {"positions": positions, "bonds": bonds, "next_bonds": second, "sides": sides, "lengths": lengths}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        sides = f", sides {', '.join(self.sides)}" if self.sides else ""
        return f"<Lattice: {self.n_sites} sites, {len(self.bonds)} bonds{sides}>"

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return len(self.positions)

    @property
    def edges(self) -> dict[str, np.ndarray]:
        """The sites of the last unit cell at each side that a ribbon can go on from."""
        return {name: side.sites for name, side in self.sides.items()}

    @readable
    def masked(self, keep: Any) -> Lattice:
        """What is left with vacancies, or of a constriction; the sites keep their order, and are counted anew.

        Args:
            keep: Which sites stay: (N,) booleans, or a function of x and y in nm of one site that returns one.
        """
        problems, allowed = _problems("masked"), f"{self.n_sites} booleans, or a function of x and y"
        given = [bool(keep(x, y)) for x, y, _ in self.positions] if callable(keep) else keep
        stays = np.asarray(given) if dimensions(given) == 1 else np.zeros(0)
        problems.check(stays.dtype == bool and stays.shape == (self.n_sites,), "keep", keep, allowed)
        problems.raise_all()
        problems.check(bool(stays.any()), "keep", keep, "at least one site that stays")
        problems.raise_all()
        number = np.cumsum(stays) - 1
        bonds, second = (number[b[stays[b].all(axis=1)]] for b in (self.bonds, self.next_bonds))
        sides = {
            name: Side(number[side.sites[stays[side.sites]]], side.translation,
                       side.missing + int(np.sum(~stays[side.sites])))
            for name, side in self.sides.items()
        }  # fmt: skip
        return Lattice(self.positions[stays], bonds, second, sides, self.plaquette, self.lengths)

    @readable
    def electrons(
        self, hopping: Energy = 1.0, j_sd: Coupling = 0.0, rashba: Energy = 0.0, dresselhaus: Energy = 0.0,
        onsite: EnergyPerSite = 0.0, next_hopping: Energy = 0.0, disorder: Energy = 0.0, seed: Seed = None,
        flux: Flux = 0.0, terms: Any = (),
    ) -> Electrons:  # fmt: skip
        """Electrons on this lattice, H_0 as in `Hopping`: T_ij = -t - i lambda (sigma x d)_z - ... in c_i^dag T_ij c_j.

        Args:
            hopping: t in eV, on the bonds.
            j_sd: sd coupling in eV, one number, one for each site, or a function of time (fs).
            rashba: lambda in eV, on the bonds.
            dresselhaus: beta in eV, on the bonds.
            onsite: On-site energy in eV, one number or one for each site.
            next_hopping: t' in eV, on the next-nearest bonds.
            disorder: W in eV, >= 0: on-site energies uniform in [-W/2, W/2] are added.
            seed: Of the disorder, an integer >= 0; needed with it, and of no use without.
            flux: Magnetic flux along +z through a plaquette (a square, a hexagon, a triangle) in h/e, by the phases of
                bonds. The electrons' Zeeman energy is a term of its own, `ElectronZeeman`.
            terms: As for `Electrons`.

        Raises:
            ValueError: One line for each argument that is not of this kind.
        """
        problems = _problems("electrons")
        bonds = self.hoppings(problems, hopping, rashba, dresselhaus, next_hopping, flux)
        levels = problems.per_site("onsite", onsite, self.n_sites, "finite, in eV")
        width = problems.number("disorder", disorder, "a finite number >= 0, in eV", lambda w: w >= 0)
        if width > 0:
            problems.integer("seed", seed, "an integer >= 0 with disorder", lambda s: s >= 0)
        else:
            problems.check(seed is None, "seed", seed, "None without disorder")
        problems.raise_all()
        assert levels is not None
        if width > 0:
            levels = levels + width * (np.random.default_rng(seed).random(self.n_sites) - 0.5)
        blocks = levels[:, None, None] * np.eye(2)
        return Electrons(bonds.matrix(self.positions, self.bonds, self.next_bonds, blocks), j_sd, self.positions, terms)

    @readable
    def lead(
        self, side: SideName, coupling: InterfaceHopping = None, hopping: Energy = 1.0, rashba: Energy = 0.0,
        dresselhaus: Energy = 0.0, onsite: EnergyPerSite = 0.0, next_hopping: Energy = 0.0, flux: Flux = 0.0,
        exchange: ExchangeField = (0.0, 0.0, 0.0), sites: SideSites = None, *, voltage: EnergyOverTime = 0.0,
        chemical_potential: ChemicalPotential = None, kT: Temperature = None,
    ) -> PeriodicLead:  # fmt: skip
        """The ribbon that goes on at a side, a `PeriodicLead`.

        Its cells, and the bonds between its first cell and the device, have the bonds of the lattice with what is given
        here. With flux its orbitals are in the gauge that does not change along it (`Hopping.gauge`).

        Args:
            side: Side of the device: "left", "right", "bottom" or "top".
            coupling: Hopping in eV of the bonds between device and first cell, on which all else that hops is scaled by
                coupling/hopping; None is `hopping`.
            hopping, rashba, dresselhaus, next_hopping, flux: As for `electrons`, of which nothing is taken over.
            onsite: In eV, one number or one for each site of a cell.
            exchange: Delta in eV, 3 numbers: H = ... - Delta.sigma on every site, a ferromagnetic lead.
            sites: Device sites of the side from which the ribbon goes on, for a narrower one, and where a mask has
                taken some; None are all.
            voltage: V in eV, number or function of time in fs; shifts levels and chemical potential together.
            chemical_potential: mu in eV, moves the occupation alone; None takes the system's Fermi energy.
            kT: Thermal energy of this lead in eV; None takes the system's.

        Raises:
            ValueError: One line for each argument that is not of this kind, also where the side has lost sites.
        """
        problems = _problems("lead")
        bonds = self.hoppings(problems, hopping, rashba, dresselhaus, next_hopping, flux)
        chosen = self._side(problems, side, sites)
        field = problems.array("exchange", exchange, (3,), "3 finite numbers, in eV")
        scale = self._scale(problems, coupling, bonds.hopping)
        problems.raise_all()
        assert chosen is not None and field is not None
        ribbon = Ribbon.of(problems, self, chosen, bonds)
        levels = problems.per_site("onsite", onsite, len(chosen.sites), "finite, in eV")
        problems.raise_all()
        assert levels is not None
        cell, onward, first = ribbon.blocks(bonds, levels, field)
        reservoir = {"voltage": voltage, "chemical_potential": chemical_potential, "kT": kT}
        return PeriodicLead(cell, onward, scale * first, **reservoir)

    @readable
    def exchange(self, J: ExchangeConstant) -> PairExchange:
        """H = -sum_<ij> J_ij M_i . M_j over the bonds.

        Args:
            J: Exchange in eV: a number, one for each bond, or a (3, 3) tensor, the same on all bonds (i, j), i < j.
        """
        problems, allowed = _problems("exchange"), f"a number, {len(self.bonds)} of them, or a (3, 3) tensor, in eV"
        shapes = {0: (), 1: (len(self.bonds),)}
        given = problems.array("J", J, shapes.get(dimensions(J), (3, 3)), allowed)
        problems.raise_all()
        assert given is not None
        each = [given] * len(self.bonds) if given.ndim != 1 else given
        return PairExchange([(int(i), int(j), x) for (i, j), x in zip(self.bonds, each, strict=True)])

    @readable
    def dmi(self, D: Energy, kind: Symmetry = "interfacial") -> PairDMI:
        """H = -sum_<ij> D_ij . (M_i x M_j) over the bonds, d_ij the unit vector from i to j.

        "interfacial": D_ij = D z x d_ij. D > 0 favours cycloids that turn from +z to +d along d, skyrmions with
        outward moments about a core along +z, and inward ones about a core along -z.
        "bulk": D_ij = D d_ij. D > 0 favours helices that turn counter-clockwise about d along d.

        Args:
            D: Strength in eV, not zero.
            kind: "interfacial" or "bulk".
        """
        problems = _problems("dmi")
        strength = problems.number("D", D, "a finite number, in eV, not zero", lambda x: x != 0)
        problems.check(kind in ("interfacial", "bulk"), "kind", kind, "'interfacial' or 'bulk'")
        problems.raise_all()
        step = self.positions[self.bonds[:, 1]] - self.positions[self.bonds[:, 0]]
        unit = step / np.linalg.norm(step, axis=1, keepdims=True)
        vectors = strength * (unit if kind == "bulk" else np.cross([0.0, 0.0, 1.0], unit))
        return PairDMI([(int(i), int(j), v) for (i, j), v in zip(self.bonds, vectors, strict=True)])

    def dipolar(self) -> Dipolar:
        """Dipolar interaction of moments at the positions of the sites, `Dipolar(positions=...)`."""
        return Dipolar(positions=self.positions)

    @readable
    def zhang_li(
        self, velocity: Velocity, nonadiabaticity: PerSite = 0.0, direction: Axis = "x"
    ) -> ZhangLiTorque:
        """The torque of a current in the plane, `ZhangLiTorque`.

        Args:
            velocity: u in nm/fs: a number, one for each site, or a function of time (fs) that returns either.
            nonadiabaticity: beta: a number, or one for each site.
            direction: Of the current: 'x', 'y' or a vector.
        """
        return ZhangLiTorque(velocity, nonadiabaticity, derivative=self.derivative(direction))

    @readable
    def derivative(self, direction: Any = "x") -> tuple[tuple[int, int, float], ...]:
        """(i, j, w): (e.grad f)_i = sum_j w_ij (f_j - f_i) in 1/nm, along the unit vector e of `direction`.

        w_ij are those of the gradient that fits the differences to the bonded neighbours best (least squares), exact
        for what is linear in space: central differences on a square lattice, one-sided ones at its edges. Where all
        bonds of a site are normal to a direction the derivative along it is 0.
        """
        problems = _problems("derivative")
        axis = problems.axis("direction", direction)
        problems.raise_all()
        entries: list[tuple[int, int, float]] = []
        for i in range(self.n_sites):
            others = self.adjacency.indices[self.adjacency.indptr[i] : self.adjacency.indptr[i + 1]]
            weights = axis @ np.linalg.pinv(self.positions[others] - self.positions[i], rcond=1e-9)
            entries += [(i, int(j), float(w)) for j, w in zip(others, weights, strict=True) if abs(w) > 1e-12]
        return tuple(entries)

    @readable
    def plot(self, ax: Any = None) -> Any:
        """A sketch of sites, bonds and sides, on `ax` or axes of its own (`llgnegf.plots.lattice` draws leads too)."""
        from llgnegf.plots import lattice  # upwards: a convenience, loaded when it is asked for

        return lattice(self, ax=ax)

    def sublattices(self) -> np.ndarray:
        """+1 and -1 for sites none of which has a bond within its own sublattice, (N,); the first site of each
        connected part is +1.

        Raises:
            ValueError: If there is a loop of an odd number of bonds.
        """
        signs = np.zeros(self.n_sites, dtype=int)
        _, part = connected_components(self.adjacency, directed=False)
        for start in np.unique(part, return_index=True)[1]:
            order, before = breadth_first_order(self.adjacency, start, directed=False)
            signs[start] = 1
            for i in order[1:]:
                signs[i] = -signs[before[i]]
        problems = _problems("sublattices")
        odd = self.bonds[signs[self.bonds[:, 0]] == signs[self.bonds[:, 1]]]
        value = f"{tuple(odd[0].tolist())} closes a loop of an odd number of bonds" if len(odd) else ""
        problems.check(not len(odd), "bonds", value, "two sublattices, each bonded to the other alone")
        problems.raise_all()
        return signs

    @cached_property
    def adjacency(self) -> sp.csr_array:
        """1 where two sites are bonded, (N, N)."""
        i, j = self.bonds.T
        upper = sp.coo_array((np.ones(len(i)), (i, j)), shape=(self.n_sites, self.n_sites))
        return sp.csr_array(upper + upper.T)

    def hoppings(
        self, problems: Problems, hopping: Any, rashba: Any, dresselhaus: Any, next_hopping: Any, flux: Any
    ) -> Hopping:
        """What hops along the bonds, checked."""
        given = {"hopping": hopping, "rashba": rashba, "dresselhaus": dresselhaus, "next_hopping": next_hopping}
        energies = {name: problems.number(name, value, "a finite number, in eV") for name, value in given.items()}
        through = problems.number("flux", flux, "a finite number, in h/e")
        known = self.plaquette is not None or through == 0
        problems.check(known, "flux", flux, "0: this lattice has no plaquette")
        return Hopping(**energies, flux=through, plaquette=self.plaquette or 1.0)

    def _side(self, problems: Problems, name: Any, sites: Any) -> Side | None:
        """The side, or the part of it that `sites` names."""
        known = ", ".join(map(repr, self.sides)) or "none, this lattice has no sides"
        if not problems.check(isinstance(name, str) and name in self.sides, "side", name, known):
            return None
        side = self.sides[name]
        if sites is None:
            value = f"{name!r}, which has lost {side.missing} of {side.missing + len(side.sites)} sites"
            allowed = f"sites=[...], those of {side.sites.tolist()} from which the ribbon goes on"
            problems.check(side.missing == 0, "side", value, allowed if len(side.sites) else "a side with sites")
            return side
        chosen, allowed = np.asarray(sites), f"different sites of this side, {side.sites.tolist()}"
        fits = chosen.ndim == 1 and chosen.size > 0 and np.issubdtype(chosen.dtype, np.integer)
        fits = fits and len(set(chosen.tolist())) == chosen.size and bool(np.isin(chosen, side.sites).all())
        return Side(chosen, side.translation) if problems.check(fits, "sites", sites, allowed) else None

    @staticmethod
    def _scale(problems: Problems, coupling: Any, hopping: float) -> float:
        """What all that hops between device and first cell is multiplied by."""
        if coupling is None:
            return 1.0
        given = problems.number("coupling", coupling, "None (the hopping) or a finite number, in eV")
        if hopping == 0:
            problems.add("coupling", coupling, "None with hopping = 0: it is given in its proportion")
            return 1.0
        return given / hopping


def _problems(method: str) -> Problems:
    """Those of a method, whose name and class are one step of their places: arguments come next, as in a function."""
    problems = Problems("Lattice")
    problems.owner = (f"Lattice.{method}",)
    return problems
