"""Lattice: sites in space, their bonds and the sides at which ribbons go on; electrons, leads and energies from them.

The face of this room: `geometry` has the sites, `crystals` makes the usual lattices, `hopping` and `ribbons` do the
work of electrons and leads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._checks import Problems, dimensions
from llgnegf._readable import readable
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
from llgnegf.problem.lattices.geometry import Geometry
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
    problems_of,
)
from llgnegf.problem.lattices.ribbons import Ribbon
from llgnegf.problem.magnetism.pairs import Dipolar, PairDMI, PairExchange
from llgnegf.problem.magnetism.torques import ZhangLiTorque
from llgnegf.problem.periodic_leads import PeriodicLead


@dataclass(frozen=True, eq=False)
class Lattice(Geometry):
    """Sites in space and their bonds, of which electrons, ribbon leads and pair energies are made.

    `square`, `honeycomb` and `triangular` make the usual ones, ribbons along x.

    Parameters
    ----------
    positions : array_like, (N, 3) or (N, 2)
        Of the sites in nm; (N, 2) in the plane z = 0.
    bonds : list of (int, int)
        Pairs (i, j) of nearest neighbours.
    next_bonds : list of (int, int), optional
        Pairs of next-nearest neighbours; None takes the closest of the pairs that have a common neighbour and no bond.
    sides : dict, default {}
        From "left", "right", "bottom", "top" to (sites, translation): the last unit cell there, and the vector in nm
        that takes it to the first cell of the ribbon that goes on.
    plaquette : float, optional
        Area in nm^2 of the loop whose flux `flux` is; None allows no flux.
    lengths : (list of float, list of float), optional
        Of bonds and of next-nearest bonds in nm; None takes those of the bonds. In a ribbon, and between it and the
        device, all sites at these distances are bonded.

    Attributes
    ----------
    bonds, next_bonds : ndarray, (n_bonds, 2)
        Pairs with i < j, in lexical order.
    sides : dict
        From their names to (sites, translation, number of sites that a mask took).

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Examples
    --------
    A triangle of three sites:

    >>> trimer = ln.Lattice([[0, 0], [1, 0], [0.5, 0.866]], bonds=[(0, 1), (1, 2), (2, 0)])
    >>> trimer
    <Lattice: 3 sites, 3 bonds>
    >>> electrons = trimer.electrons(hopping=1.0, j_sd=0.5)
    >>> magnet = ln.Magnet(ln.uniform(trimer), magnetic_moment=1.0, energies=[trimer.exchange(0.01)])
    """

    @readable
    def electrons(
        self, hopping: Energy = 1.0, j_sd: Coupling = 0.0, rashba: Energy = 0.0, dresselhaus: Energy = 0.0,
        onsite: EnergyPerSite = 0.0, next_hopping: Energy = 0.0, disorder: Energy = 0.0, seed: Seed = None,
        flux: Flux = 0.0, terms: Any = (),
    ) -> Electrons:  # fmt: skip
        """Electrons that hop along the bonds, with spin-orbit coupling, next neighbours, disorder and flux.

        Parameters
        ----------
        hopping : float, default 1.0
            t in eV, on the bonds.
        j_sd : float or array_like or callable, default 0.0
            sd coupling in eV, one number, one for each site, or a function of time (fs).
        rashba : float, default 0.0
            lambda in eV, on the bonds.
        dresselhaus : float, default 0.0
            beta in eV, on the bonds.
        onsite : float or array_like, default 0.0
            On-site energy in eV, one number or one for each site.
        next_hopping : float, default 0.0
            t' in eV, on the next-nearest bonds.
        disorder : float, default 0.0
            W in eV, >= 0: on-site energies uniform in [-W/2, W/2] are added.
        seed : int, optional
            Of the disorder, an integer >= 0; needed with it, and of no use without.
        flux : float, default 0.0
            Magnetic flux along +z through a plaquette (a square, a hexagon, a triangle) in h/e, by the phases of bonds.
            The electrons' Zeeman energy is a term of its own, `ElectronZeeman`.
        terms : list, default ()
            As for `Electrons`.

        Returns
        -------
        Electrons
            On the sites of the lattice, with their positions.

        Raises
        ------
        ValueError
            One line for each argument that is not of this kind.

        Notes
        -----
        With d the unit vector of the bond from i to j [1]_, and theta_ij the phase of the flux, ::

            H_0 = sum_<ij> c_i^dag T_ij c_j + h.c.
            T_ij = exp(i theta_ij) [-t - i lambda (sigma x d)_z - i beta (sigma_x d_x - sigma_y d_y)]

        References
        ----------
        .. [1] B. K. Nikolic, S. Souma, L. P. Zarbo, J. Sinova, Phys. Rev. Lett. 95, 046601 (2005).
        """
        problems = problems_of("electrons")
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
        """The ribbon that goes on at a side, a lead with the lattice's own bonds.

        Its cells, and the bonds between its first cell and the device, have the bonds of the lattice with what is given
        here. With flux its orbitals are in the gauge that does not change along it.

        Parameters
        ----------
        side : {'left', 'right', 'bottom', 'top'}
            Side of the device: "left", "right", "bottom" or "top".
        coupling : float, optional
            Hopping in eV of the bonds between device and first cell, on which all else that hops is scaled by
            coupling/hopping; None is `hopping`.
        hopping, rashba, dresselhaus : float
            In eV, as for `electrons`, of which nothing is taken over.
        onsite : float or array_like, default 0.0
            In eV, one number or one for each site of a cell.
        next_hopping, flux : float
            In eV and h/e, as for `electrons`, of which nothing is taken over.
        exchange : array_like, (3,)
            Delta in eV, 3 numbers: H = ... - Delta.sigma on every site, a ferromagnetic lead.
        sites : list of int, optional
            Device sites of the side from which the ribbon goes on, for a narrower one, and where a mask has taken some;
            None are all.
        voltage : float or callable, default 0.0
            V in eV, number or function of time in fs; shifts levels and chemical potential together.
        chemical_potential : float, optional
            mu in eV, moves the occupation alone; None takes the system's Fermi energy.
        kT : float, optional
            Thermal energy of this lead in eV; None takes the system's.

        Returns
        -------
        PeriodicLead
            Attached to the sites of the side.

        Raises
        ------
        ValueError
            One line for each argument that is not of this kind, also where the side has lost sites.
        """
        problems = problems_of("lead")
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
        """Exchange over the bonds, H = -sum_<ij> J_ij M_i . M_j.

        Parameters
        ----------
        J : float or array_like
            Exchange in eV: a number, one for each bond, or a (3, 3) tensor, the same on all bonds (i, j), i < j.

        Returns
        -------
        PairExchange
            For `Magnet(energies=[...])`.

        Raises
        ------
        ValueError
            One line for each argument that is not of this kind.
        """
        problems, allowed = problems_of("exchange"), f"a number, {len(self.bonds)} of them, or a (3, 3) tensor, in eV"
        shapes = {0: (), 1: (len(self.bonds),)}
        given = problems.array("J", J, shapes.get(dimensions(J), (3, 3)), allowed)
        problems.raise_all()
        assert given is not None
        each = [given] * len(self.bonds) if given.ndim != 1 else given
        return PairExchange([(int(i), int(j), x) for (i, j), x in zip(self.bonds, each, strict=True)])

    @readable
    def dmi(self, D: Energy, kind: Symmetry = "interfacial") -> PairDMI:
        """Dzyaloshinskii-Moriya interaction over the bonds, H = -sum_<ij> D_ij . (M_i x M_j).

        Parameters
        ----------
        D : float
            Strength in eV, not zero.
        kind : {'interfacial', 'bulk'}
            "interfacial" or "bulk", with d_ij the unit vector from i to j. "interfacial": D_ij = D z x d_ij. D > 0
            favours cycloids that turn from +z to +d along d, skyrmions with outward moments about a core along +z, and
            inward ones about a core along -z. "bulk": D_ij = D d_ij. D > 0 favours helices that turn counter-clockwise
            about d along d.

        Returns
        -------
        PairDMI
            For `Magnet(energies=[...])`.

        Raises
        ------
        ValueError
            One line for each argument that is not of this kind.
        """
        problems = problems_of("dmi")
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
        """Torque of a current in the plane.

        Parameters
        ----------
        velocity : float or array_like or callable
            u in nm/fs: a number, one for each site, or a function of time (fs) that returns either.
        nonadiabaticity : float or array_like, default 0.0
            beta: a number, or one for each site.
        direction : str or array_like, default 'x'
            Of the current: 'x', 'y' or a vector.

        Returns
        -------
        ZhangLiTorque
            For `Magnet(torques=[...])`.
        """
        return ZhangLiTorque(velocity, nonadiabaticity, derivative=self.derivative(direction))

    @readable
    def plot(self, ax: Any = None) -> Any:
        """A sketch of sites, bonds and sides, on `ax` or axes of its own (`llgnegf.plots.lattice` draws leads too)."""
        from llgnegf.plots import lattice  # upwards: a convenience, loaded when it is asked for

        return lattice(self, ax=ax)

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
