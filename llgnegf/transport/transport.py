"""Transport: what flows between the leads of a device whose moments are at rest.

The public face of the room; `scattering` and `integrals` compute.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray

from llgnegf._blas import limited
from llgnegf._checks import Problems
from llgnegf._readable import Readable
from llgnegf.problem.occupation import fermi
from llgnegf.problem.system import OpenSystem, check_constant
from llgnegf.static.green import StaticDevice
from llgnegf.static.rotating_frame import RotatingFrame
from llgnegf.static.spin_channels import check_leads_keep_spin, static_channels
from llgnegf.static.views import InLevels
from llgnegf.static.weights import by_column
from llgnegf.transport.integrals import FermiIntegrals, at_energies
from llgnegf.transport.labels import densities, labelled
from llgnegf.transport.levels import undamped_levels
from llgnegf.transport.mixing import both_spins, mixing
from llgnegf.transport.scattering import Scattering, open_channels
from llgnegf.units import HBAR

SIEMENS = 3.874045864e-5
"""e^2/h."""
SPINS = ("up", "down")
ENDS = ("lead", "source_lead")


@dataclass(frozen=True, eq=False)
class Transport(Readable):
    """Coherent transport between the leads of a device whose moments stand still.

    Parameters
    ----------
    system : OpenSystem
        Electrons and leads, constant in time.
    moments : array_like, (N, 3)
        M, unit vectors (N, 3); zero vectors on sites without a moment, which have no sd coupling then.
    tolerance : float, default 1e-09
        Error of integrals relative to their largest entry, as far as round-off of G allows; of mean fields and spin
        currents the absolute one of `RotatingFrame`.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; by the methods, where one cannot be computed for this
        system.
    QuadratureError
        By the methods, when an integral does not reach the tolerance.

    Notes
    -----
    With G the Green function of the device and Gamma_p the broadening by lead p [1]_, [2]_, ::

        T_pq(E) = Tr Gamma_p G Gamma_q G^dag,    I_p = (1/h) int dE sum_q T_pq (f_q - f_p).

    Currents are positive into the lead, as everywhere. Every lead has its voltage, chemical potential and temperature
    (kT = 0 included); mean fields are held at the values of the stationary state, and do not follow a small bias or
    fluctuate. Levels that no lead damps carry nothing: see `undamped_levels`.

    All results are labelled: `lead` is where something arrives, `source_lead` where it comes from, both numbered as in
    the system. Long chains take O(N) for each energy.

    References
    ----------
    .. [1] M. Buettiker, Phys. Rev. Lett. 57, 1761 (1986).
    .. [2] Y. Meir, N. S. Wingreen, Phys. Rev. Lett. 68, 2512 (1992).

    Examples
    --------
    >>> leads = [ln.ChainLead(0, chemical_potential=0.1), ln.ChainLead(-1)]
    >>> flow = ln.Transport(ln.OpenSystem(ln.chain(3), leads), ln.uniform(3))
    >>> flow.transmission(0.5).sel(lead=1, source_lead=0).round(6).values  # both spins of an ideal wire
    array([2.])
    >>> flow.conductance().charge.sel(lead=1, source_lead=0).round(6).item()  # e^2/h
    2.0
    """

    system: OpenSystem
    moments: Any
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        problems = Problems("Transport")
        is_system = problems.check(isinstance(self.system, OpenSystem), "system", self.system, "an OpenSystem")
        moments = problems.moments("moments", self.moments, self.system.n_sites if is_system else None, bare=True)
        problems.number("tolerance", self.tolerance, "a finite number > 0", lambda x: x > 0, smallest=0.0)
        if is_system:
            check_constant(problems, self.system, mean_fields=True)
            for p, lead in enumerate(self.system.leads):
                if lead.drives():
                    problems.add(f"system.leads[{p}].voltage", "a function of time", "a number: the device is at rest")
        problems.raise_all()
        object.__setattr__(self, "moments", moments)

    @limited
    def transmission(self, energies: Any, spin_axis: Any = None) -> xarray.DataArray:
        """Transmission T_pq(E) from `source_lead` into `lead`, the sum over channels and spins.

        The diagonal is the reflection R_p, so that rows and columns sum to the open channels of a lead: sum_p T_pq =
        N_q, and by unitarity sum_q T_pq = N_p. A matrix lead's channels are counted by the rank of its Gamma on the
        device, to 1e-9 of Sigma.

        Parameters
        ----------
        energies : float or array_like, (n,)
            Real, in eV.
        spin_axis : str or array_like, (3,), optional
            'x', 'y', 'z' or a non-zero 3-vector along which leads keep the spin: resolves it, with the dims (energy,
            lead, spin, source_lead, source_spin). R_p is then split into reflection with either spin.

        Returns
        -------
        xarray.DataArray
            Dimensionless, dims (energy, lead, source_lead), or with spins as said of `spin_axis`.

        Raises
        ------
        ValueError
            For energies that are no finite numbers; for a lead whose Sigma does not commute with sigma.spin_axis: spins
            of its channels have no value along it.
        """
        problems = Problems("Transport.transmission")
        e = _energies(problems, energies)
        device, groups = self._device, self._groups
        if spin_axis is not None:
            axis = problems.axis("spin_axis", spin_axis)
            if axis is not None:
                check_leads_keep_spin(problems, self.system, axis)
                problems.raise_all()
                device = replace(device, channels=static_channels(self.system, axis))
                place = 2 * device.leads + (device.spins < 0)
                groups = _one_hot(place, 2 * self._n_leads)
        problems.raise_all()

        def density(view: InLevels, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            found = Scattering.at(view, origin, offset).transmission(groups)
            reflected = open_channels(device, origin + offset, groups) - found.sum(axis=1)
            return found + reflected[:, :, None] * np.eye(len(groups))

        values = at_energies(device, density, (len(groups), len(groups)), e)
        name = "transmission, reflection on the diagonal"
        if spin_axis is None:
            return labelled(values, ("energy", *ENDS), "1", name, energy=e)
        values = values.reshape(e.size, self._n_leads, 2, self._n_leads, 2)
        dims = ("energy", "lead", "spin", "source_lead", "source_spin")
        return labelled(values, dims, "1", name, energy=e, spin=list(SPINS), source_spin=list(SPINS))

    @limited
    def density_of_states(self, energies: Any) -> xarray.Dataset:
        """States per eV on the sites, by the lead that they come from.

        Parameters
        ----------
        energies : float or array_like, (n,)
            Real, in eV.

        Returns
        -------
        xarray.Dataset
            In 1/eV, `charge` (energy, source_lead, site) and `spin` (..., component).

        Raises
        ------
        ValueError
            For energies that are no finite numbers.

        Notes
        -----
        The local density of states is split as ::

            (1/2 pi) (G Gamma_q G^dag)_ii

        `charge` and `spin` are its traces with 1 and sigma, so that (charge +- spin)/2 is the density of spin up and
        down along an axis. The sum over `source_lead` is the local density of states -Im G_ii/pi, without the levels of
        `undamped_levels`.
        """
        e = _energies(problems := Problems("Transport.density_of_states"), energies)
        problems.raise_all()

        def density(view: InLevels, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            return Scattering.at(view, origin, offset).densities(view, self._groups)

        values = at_energies(self._device, density, (self._n_leads, self.system.n_sites, 4), e)
        return densities(values, ("energy", "source_lead", "site"), "1/eV", "states per energy", energy=e)

    @limited
    def undamped_levels(self) -> xarray.Dataset:
        """The levels that no lead damps, of which transmission and density of states know nothing.

        They are bound states outside all bands and dark states inside. The trace of the residue of G is 1 for a level
        that lies on the device, less where it reaches into the leads, and more for degenerate levels, which are one
        here.

        Returns
        -------
        xarray.Dataset
            `charge` (level, site) and `spin` (level, site, component) of the residue of G, with the coordinate `energy`
            (level) in eV, ascending.
        """
        e, values = undamped_levels(self._device)
        data = densities(values, ("level", "site"), "1", "weight on the sites")
        return data.assign_coords(energy=("level", e, {"units": "eV"}))

    @limited
    def conductance(self) -> xarray.Dataset:
        """Currents into `lead` for a small rise of the chemical potential of `source_lead`, levels as they are.

        Returns
        -------
        xarray.Dataset
            `charge` in e^2/h and `spin` in e/4 pi, dims (lead, source_lead), spin with component.

        Notes
        -----
        ::

            charge  dI_p/dmu_q = (e^2/h) int dE (-df_q/dE) T_pq,  p != q;  columns sum to zero    [e^2/h]
            spin    dI^{S_a}_p/dmu_q,  I^{S_a} = (hbar/2) d<sigma_a>/dt                           [e/4 pi]

        In a common equilibrium that is linear response, and rows sum to zero too; under bias it is the differential
        conductance there. The spin need not sum to zero: moments and spin-orbit coupling take some. Undamped levels
        keep their filling.
        """
        n, state, own = self._n_leads, self._frame.steady_state, range(self._n_leads)
        values = np.zeros((n, 4, n))

        def density(view: InLevels, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            energy, columns = origin + offset, view.columns_on_ends(view.columns(origin, offset))
            gamma, sigma = self._device.broadenings(energy), self._device.self_energies(energy)
            rates = [state.by_lead(view.ends.rates(columns, sigma, by_column(gamma, one))) for one in self._groups]
            found = -np.stack(rates, axis=-1)
            found[:, own, 0, own] = 0.0
            found[:, own, 0, own] = -found[:, :, 0].sum(axis=1)  # what comes back, and no more
            return found

        mu, kT = self.system.chemical_potentials(), self.system.temperatures()
        for level, temperature in {(mu[p], kT[p]) for p in self.system.coupled_leads}:
            same = (mu == level) & (kT == temperature)
            shape = values.shape
            found = self._integrals.at_fermi_level(density, shape, "conductance", float(level), float(temperature))
            values[..., same] = found[..., same]
        charge, spin = values[:, 0], values[:, 1:]
        return xarray.Dataset({
            "charge": labelled(charge, ENDS, "e^2/h", "conductance", {"siemens_per_unit": SIEMENS}),
            "spin": labelled(spin, ("lead", "component", "source_lead"), "e/4 pi", "spin conductance"),
        })  # fmt: skip

    @limited
    def thermoelectric(self) -> xarray.Dataset:
        """Linear response to small differences of chemical potential and temperature, leads in a common equilibrium.

        Returns
        -------
        xarray.Dataset
            `moments` (order, lead, source_lead) in eV^n, `seebeck` in k_B/e and `thermal_conductance` in 1/fs.

        Raises
        ------
        ValueError
            For leads at different chemical potentials or temperatures.

        Notes
        -----
        With L_n = int dE (-df/dE) T_pq (E - mu)^n (eV^n), the diagonal such that rows sum to zero [1]_, [2]_, ::

            I_p = (1/h) sum_q [L_0 dmu_q + L_1 dT_q/T],      heat_p = (1/h) sum_q [L_1 dmu_q + L_2 dT_q/T].

        `moments` has L_0, L_1, L_2. Where no charge flows while `source_lead` q warms, ::

            seebeck               S_pq = -(dmu_p - dmu_q)/dkT_q in units of k_B/e = 86.17 uV/K
            thermal_conductance   (1/h kT) [L_2 - L_1 L_0^-1 L_1]_pq, heat per fs into p for dkT_q

        S is negative where electrons (of charge -e) carry the heat, void between leads that nothing connects, and 0 at
        kT = 0.

        References
        ----------
        .. [1] L. Onsager, Phys. Rev. 37, 405 (1931).
        .. [2] U. Sivan, Y. Imry, Phys. Rev. B 33, 551 (1986).
        """
        mu, kT = self._equilibrium("thermoelectric")

        def density(view: InLevels, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            found = Scattering.at(view, origin, offset).transmission(self._groups)
            found -= found.sum(axis=1)[:, :, None] * np.eye(self._n_leads)
            x = ((origin - mu) + offset) / unit
            return np.stack([x**k for k in range(3)], axis=1)[:, :, None, None] * found[:, None]

        n, unit = self._n_leads, kT if kT > 0 else 1.0
        orders = self._integrals.at_fermi_level(density, (3, n, n), "thermoelectric", mu, kT)
        orders *= unit ** np.arange(3)[:, None, None]
        # L_0 is singular: all mu alike drive nothing
        response = np.linalg.pinv(orders[0], rcond=1e-12) @ orders[1]
        scale = 1 / kT if kT > 0 else 0.0
        seebeck = scale * (response - np.diagonal(response))
        heat = scale / (2 * np.pi * HBAR) * (orders[2] - orders[1] @ response)
        return xarray.Dataset({
            "moments": labelled(orders, ("order", *ENDS), "eV^order", "int dE (-df/dE) T (E - mu)^order"),
            "seebeck": labelled(seebeck, ENDS, "k_B/e", "Seebeck coefficient"),
            "thermal_conductance": labelled(heat, ENDS, "1/fs", "heat current per kT without charge current"),
        })  # fmt: skip

    @limited
    def currents(self) -> xarray.Dataset:
        """Stationary currents into the leads at the system's bias and temperatures.

        Returns
        -------
        xarray.Dataset
            `charge` (electrons/fs), `energy` and `heat` (eV/fs) with dim lead, `spin` (eV) with component too.

        Notes
        -----
        By the transmission, ::

            charge  (1/h) int dE sum_q T_pq (f_q - f_p)          [electrons/fs]
            energy  the same with E,  heat  with E - mu_p        [eV/fs]
            spin    (hbar/2) d<sigma>/dt, with what flows in equilibrium: RotatingFrame.lead_currents   [eV]
        """
        charge, heat = self._flows
        mu, spin = self.system.chemical_potentials(), self._frame.lead_currents().spin
        return xarray.Dataset({
            "charge": labelled(charge, ("lead",), "electrons/fs", "particle current into the lead"),
            "spin": labelled(spin, ("lead", "component"), "eV", "spin current into the lead, (hbar/2) d<sigma>/dt"),
            "energy": labelled(heat + mu * charge, ("lead",), "eV/fs", "energy current into the lead"),
            "heat": labelled(heat, ("lead",), "eV/fs", "heat current into the lead"),
        })  # fmt: skip

    @limited
    def noise(self) -> xarray.DataArray:
        """Zero-frequency noise of the particle currents into two leads.

        Returns
        -------
        xarray.DataArray
            In electrons^2/fs, dims (lead, other_lead).

        Notes
        -----
        Thermal and shot noise at any bias and temperatures, ::

            S_pq = int dt <dI_p(t) dI_q(0) + dI_q(0) dI_p(t)>/2
                 = (1/h) int dE sum_ab Re Tr[A_ab(p) A_ba(q)] f_b (1 - f_a),      A(p) = 1_p - s^dag 1_p s

        half of the S of [1]_: 2 kT G/e^2 in equilibrium, V sum T(1 - T)/h for two leads at kT = 0, I for single rare
        charges. Every row and column sums to zero.

        References
        ----------
        .. [1] M. Buettiker, Phys. Rev. B 46, 12485 (1992).
        """
        mu, kT = self._device.chemical_potentials, self._device.temperatures

        def density(view: InLevels, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            x = (origin[:, None] - mu) + offset[:, None]
            filled, empty = fermi(x, 0.0, kT), fermi(-x, 0.0, kT)
            return Scattering.at(view, origin, offset).correlations(self._groups, filled, empty) / (2 * np.pi * HBAR)

        values = self._integrals.over_fillings(density, (self._n_leads, self._n_leads), "noise")
        return labelled(values, ("lead", "other_lead"), "electrons^2/fs", "zero-frequency noise of the currents")

    @limited
    def fano_factor(self) -> xarray.DataArray:
        """Noise over current of each lead, ``S_pp/``|I_p|````.

        Returns
        -------
        xarray.DataArray
            Dim lead: 1 for single charges that pass at random, NaN or infinite without a current.
        """
        noise, current = self.noise().values.diagonal(), np.abs(self._flows[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            return labelled(noise / current, ("lead",), "1", "Fano factor")

    @limited
    def mixing_conductance(self, energies: Any = None) -> xarray.Dataset:
        """Spin-mixing conductances of the leads for collinear moments, complex, in e^2/h.

        Parameters
        ----------
        energies : float or array_like, (n,), optional
            Real, in eV: adds the dim `energy`. None averages with -df/dE.

        Returns
        -------
        xarray.Dataset
            Complex, in e^2/h: `reflection` and `pumping` (lead), `transmission` (lead, source_lead).

        Raises
        ------
        ValueError
            For moments that are not along one axis, electrons with spin-orbit coupling, or leads that do not couple
            both spins alike; without energies for leads that are not in a common equilibrium.

        Notes
        -----
        With r the reflection back into lead p and t the transmission from q into p, up along the first moment M, ::

            reflection    G_p = sum_mn [delta_mn - r_mn^up r_mn^down*]
            transmission  T_pq = sum_mn t_mn^up t_mn^down*
            pumping       A_p = G_p - sum_q T_pq

        Of spin across the moments that accumulates in lead p the interface takes in G_p and hands on T_qp [1]_. Moments
        that turn slowly together pump into lead p the spin current [2]_ (whose A_i is -Im A_p) ::

            I_p = (hbar/4 pi) [Re A_p M x dM/dt + Im A_p dM/dt]

        This is the `surface` part of `RotatingFrame.decompose_lead_currents`. At the interface the spin that the
        moments induce in the lead adds what its turning takes, along dM/dt (the `sea` part).

        References
        ----------
        .. [1] A. Brataas, Y. V. Nazarov, G. E. W. Bauer, Phys. Rev. Lett. 84, 2481 (2000).
        .. [2] Y. Tserkovnyak, A. Brataas, G. E. W. Bauer, Phys. Rev. Lett. 88, 117601 (2002).
        """
        problems = Problems("Transport.mixing_conductance")
        e = None if energies is None else _energies(problems, energies)
        device = both_spins(problems, self.system, self._device, self.moments)
        problems.raise_all()
        n = self._n_leads
        groups = _one_hot(device.leads[: len(device.leads) // 2], n)

        def density(view: InLevels, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            return mixing(Scattering.at(view, origin, offset), groups)

        if e is None:
            mu, kT = self._equilibrium("mixing_conductance")
            integrals = replace(self._integrals, state=replace(self._frame.steady_state, device=device))
            values = integrals.at_fermi_level(density, (n, n), "mixing_conductance", mu, kT)
        else:
            values = at_energies(device, density, (n, n), e)
        first: tuple[str, ...] = () if e is None else ("energy",)
        reflection = np.einsum("...pp->...p", values)
        transmission = values * (1 - np.eye(n))
        parts = {"reflection": reflection, "transmission": transmission}
        parts["pumping"] = reflection - transmission.sum(axis=-1)
        coordinates: dict[str, Any] = {} if e is None else {"energy": e}
        return xarray.Dataset({
            name: labelled(
                part, (*first, *ENDS[: part.ndim - len(first)]), "e^2/h", f"spin-mixing conductance, {name}",
                **coordinates,
            ) for name, part in parts.items()
        })  # fmt: skip

    @cached_property
    def _flows(self) -> np.ndarray:
        """Charge (1/fs) and heat (eV/fs) into each lead, (2, n_leads)."""
        mu, kT = self.system.chemical_potentials(), self.system.temperatures()

        def density(view: InLevels, origin: np.ndarray, offset: np.ndarray) -> np.ndarray:
            x = (origin[:, None] - mu) + offset[:, None]
            filled, empty = fermi(x, 0.0, kT), fermi(-x, 0.0, kT)
            differ = filled[:, None, :] * empty[:, :, None] - filled[:, :, None] * empty[:, None, :]  # f_q - f_p
            flow = Scattering.at(view, origin, offset).transmission(self._groups) * differ
            return np.stack([flow.sum(axis=2), x * flow.sum(axis=2)], axis=1) / (2 * np.pi * HBAR)

        return self._integrals.over_fillings(density, (2, self._n_leads), "currents")

    def _equilibrium(self, method: str) -> tuple[float, float]:
        """The chemical potential and kT (eV) that the leads share."""
        mu, kT = self.system.common_chemical_potential(), self.system.common_temperature
        problems = Problems(f"Transport.{method}")
        levels, temperatures = self.system.chemical_potentials().tolist(), self.system.temperatures().tolist()
        allowed = "leads in a common equilibrium: this is their linear response"
        problems.check(mu is not None, "system.leads", f"chemical potentials {levels} eV", allowed)
        problems.check(kT is not None, "system.leads", f"temperatures kT = {temperatures} eV", allowed)
        problems.raise_all()
        assert mu is not None and kT is not None
        return mu, kT

    @cached_property
    def _frame(self) -> RotatingFrame:
        """The stationary state: moments that precess with w = 0."""
        return RotatingFrame(self.system, self.moments, 0.0, tolerance=self.tolerance)

    @property
    def _device(self) -> StaticDevice:
        return self._frame.steady_state.device

    @property
    def _n_leads(self) -> int:
        return len(self.system.leads)

    @property
    def _groups(self) -> np.ndarray:
        """1 for the columns of each lead, (n_leads, Q)."""
        return _one_hot(self._device.leads, self._n_leads)

    @property
    def _integrals(self) -> FermiIntegrals:
        return FermiIntegrals(self._frame.steady_state, self.tolerance)


def _one_hot(place: np.ndarray, count: int) -> np.ndarray:
    """1 where a column has that place, (count, Q)."""
    return (place == np.arange(count)[:, None]).astype(float)


def _energies(problems: Problems, value: Any) -> np.ndarray:
    """Energies as an array (n,), mistakes noted."""
    found = problems.array("energies", np.atleast_1d(value), (None,), "finite numbers in eV, (n,) or one")
    return np.zeros(0) if found is None else found
