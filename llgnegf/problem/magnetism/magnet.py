"""Magnet: moments that answer, the problem object of the LLG equation.

Terms come from `energies.py` and `torques.py`; `equations.moments` holds the equation of motion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from llgnegf._checks import UNIT_TOLERANCE, Mistake, MistakesError, Problems, as_numbers, mistakes_of
from llgnegf.problem.arguments import PER_SITE, Argument, MomentSites, Numbers, PerSite
from llgnegf.problem.drives import Drive, TimeFunction, drives_of
from llgnegf.problem.magnetism.motion import INSTANTS, Frozen, Precession, Prescribed, holds_nan
from llgnegf.problem.magnetism.placement import OnSites, checked_sites
from llgnegf.problem.magnetism.terms import ClassicalEnergy, EnergyTerm, as_terms
from llgnegf.problem.magnetism.torques import Amplitudes, SpinTransferTorque
from llgnegf.problem.plausibility import doubts_of_magnet, warn
from llgnegf.units import G_E, HBAR

PRESCRIBED = "(sites, motion): a function of t (fs) that returns unit vectors (len(sites), 3), or e.g. a Precession"


def torque_prefactor(magnetic_moment: np.ndarray) -> np.ndarray:
    """g/mu_M = g_e/(hbar n), 1/(eV fs), for moments of n Bohr magnetons: dM/dt = prefactor * torque (eV)."""
    return G_E / (HBAR * np.asarray(magnetic_moment, dtype=float))


@dataclass(frozen=True, eq=False)
class Magnet(OnSites):
    """Classical moments that answer: they move by the Landau-Lifshitz-Gilbert equation.

    Parameters
    ----------
    moments : array_like, (n_sites, 3)
        Unit vectors at t = 0.
    magnetic_moment : float or array_like, (n_sites,)
        mu_M in Bohr magnetons, positive: a number, or one for each site.
    damping : float or array_like, (n_sites,), default 0.0
        Gilbert's lambda >= 0: a number, or one for each site.
    energies : EnergyTerm or list of EnergyTerm, default ()
        Energy terms H: a list, a sum such as `Exchange(0.1) + Zeeman([0, 0, 1])`, or one term.
    torques : SpinTransferTorque or list of SpinTransferTorque, default ()
        Spin-transfer torques T_ext: a list, or one of them.
    pinned : list of int or array_like of bool, default ()
        Sites whose moments stay as they are: numbers from 0 (negative ones count from the end), or a mask of n_sites
        booleans. They act on their neighbours and on the electrons.
    prescribed : (list of int, callable), optional
        Sites whose moments follow a given motion: (sites, motion), motion a function of t (fs) that returns unit
        vectors of shape (len(sites), 3), or a `Precession` or `Prescribed` of that many moments. At t = 0 it must agree
        with `moments`. Kept as (sites, function of t), the function as a drive.
    sites : list, optional
        Electron sites of each moment, where the magnet is a layer of its own: for each moment a site, a list of sites
        (their torques add), or None for a moment that no electron feels (of an insulating magnet, or away from the
        device). A site has at most one moment; one that has none has no sd coupling either. Left out, moment i is on
        site i, and there are as many of both. All other arguments count moments: their "site" is then the number of a
        moment. Kept as tuples of site numbers.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind, each energy or torque that is of no use on this chain, and
        if no moment is left to move (use `Frozen` or `Prescribed` then).

    Warns
    -----
    SuspiciousValueWarning
        For a value that makes no sense beside the others.

    Notes
    -----
    Eq. (1) of [1]_, with T the torque of the electrons, ::

        dM/dt = -g M x B + lambda M x dM/dt + (g/mu_M) (T_ext + T),   B = -(1/mu_M) dH/dM

    References
    ----------
    .. [1] U. Bajpai, B. K. Nikolic, Phys. Rev. Lett. 125, 187202 (2020).

    Examples
    --------
    >>> magnet = ln.Magnet(
    ...     ln.bloch_wall(7, center=4, width=0.9), magnetic_moment=4.0, damping=0.02, pinned=[0, -1],
    ...     energies=[ln.Exchange(0.1), ln.UniaxialAnisotropy(0.02, axis="z")],
    ... )
    >>> print(magnet.pinned, magnet.moving.sum())
    (0, 6) 5
    """

    moments: Any
    magnetic_moment: Annotated[Any, Argument(float | Numbers, PER_SITE, "mu_B")]
    damping: PerSite = 0.0
    energies: Any = ()
    torques: Any = ()
    pinned: Annotated[Any, Argument(tuple[int, ...], "a list of different site numbers")] = ()
    prescribed: Any = None
    sites: MomentSites = None

    def __post_init__(self) -> None:
        problems = Problems("Magnet")
        moments = problems.moments("moments", self.moments)
        if moments is None:
            problems.raise_all()
        assert moments is not None
        n = len(moments)
        problems.check(n >= 1, "moments", self.moments, "at least one")
        values = {
            "moments": moments,
            "magnetic_moment": problems.per_site(
                "magnetic_moment", self.magnetic_moment, n, "> 0, in mu_B", lambda x: x > 0
            ),
            "damping": problems.per_site("damping", self.damping, n, ">= 0", lambda x: x >= 0),
            "energies": _energies(problems, self.energies, n),
            "torques": _torques(problems, self.torques, n),
            "pinned": _sites(problems, "pinned", self.pinned, n),
            "prescribed": _prescribed(problems, self.prescribed, moments),
            "sites": checked_sites(problems, self.sites, n),
        }
        _check_moving(problems, values["pinned"], values["prescribed"], n)
        problems.raise_all()
        for name, value in values.items():
            object.__setattr__(self, name, value)
        warn(doubts_of_magnet(self))

    @property
    def n_sites(self) -> int:
        """The number of moments."""
        return len(self.moments)

    @property
    def moving(self) -> np.ndarray:
        """True for the sites that obey the LLG equation, shape (n_sites,)."""
        held = list(self.pinned) + (list(self.prescribed[0]) if self.prescribed else [])
        moving = np.ones(self.n_sites, dtype=bool)
        moving[held] = False
        return moving

    def drives(self) -> tuple[Drive, ...]:
        """All that changes in time: fields, torques and prescribed moments."""
        parts = tuple(drive for part in (*self.energies, *self.torques) for drive in part.drives())
        return parts if self.prescribed is None else (*parts, self.prescribed[1])

    def check_prescribed(self, t_end: float) -> list[Mistake]:
        """A mistake where prescribed moments are no unit vectors from 0 to `t_end` (fs); NaN as in `Prescribed`."""
        assert self.prescribed is not None
        sites, function = self.prescribed
        for time in t_end * INSTANTS:
            value = function(float(time))
            try:
                _unit_vectors("prescribed", value, len(sites), float(time))
            except ValueError as error:
                if not holds_nan(value):
                    return list(mistakes_of(error))
        return []

    @cached_property
    def energy(self) -> ClassicalEnergy:
        """The sum of the energy terms."""
        return ClassicalEnergy(self.energies, self.n_sites, self.magnetic_moment)

    @cached_property
    def prefactor(self) -> np.ndarray:
        """g/mu_M, 1/(eV fs), (n_sites,)."""
        return torque_prefactor(self.magnetic_moment)

    @property
    def is_static(self) -> bool:
        """Whether neither energies, torques nor prescribed moments depend on time explicitly."""
        return self.energy.is_static and self.prescribed is None and all(t.is_static for t in self.torques)

    def place(self, t: float, moments: np.ndarray) -> None:
        """Set the prescribed moments of time `t` (fs) in `moments` (n_sites, 3), in place."""
        if self.prescribed is not None:
            sites, function = self.prescribed
            moments[list(sites)] = _unit_vectors("prescribed", function(t), len(sites), t)

    def amplitudes(self, t: float) -> Amplitudes:
        """All spin-transfer torques at time `t` (fs)."""
        static, driven = self._torques
        return Amplitudes.of(driven, self.n_sites, t, static) if driven else static

    @cached_property
    def _torques(self) -> tuple[Amplitudes, list[SpinTransferTorque]]:
        """The sum of those that do not depend on time, and the others."""
        static = [torque for torque in self.torques if torque.is_static]
        return Amplitudes.of(static, self.n_sites, 0.0), [t for t in self.torques if not t.is_static]

    def dissipation(self, rate: np.ndarray) -> float:
        """Power lost to Gilbert damping (eV/fs), sum_i lambda_i (mu_i/g) (dM_i/dt)^2 >= 0, of dM/dt = `rate`.

        Without torques and with fields at rest dH/dt = -dissipation: M . (M x dM/dt) vanishes, and so does
        dM/dt . (M x B), leaving -mu_M B.dM/dt = -(mu_M/g) lambda (dM/dt)^2 for unit vectors M.
        """
        return float(np.sum(self.damping / self.prefactor * np.sum(np.square(rate), axis=1)))


def _energies(problems: Problems, value: Any, n_sites: int) -> tuple[EnergyTerm, ...]:
    try:
        terms = as_terms(value)
    except TypeError:
        problems.add("energies", value, "energy terms such as Exchange(0.1): a list, a sum or one of them")
        return ()
    problems.take(line for term in terms for line in term.problems(n_sites))
    return terms


def _torques(problems: Problems, value: Any, n_sites: int) -> tuple[SpinTransferTorque, ...]:
    torques = tuple(value) if isinstance(value, Iterable) else (value,)
    for torque in torques:
        if problems.check(
            isinstance(torque, SpinTransferTorque), "torques", torque, "SlonczewskiTorque or ZhangLiTorque"
        ):
            problems.take(torque.problems(n_sites))
    return torques


def _sites(problems: Problems, name: str, value: Any, n_sites: int) -> tuple[int, ...]:
    """Site numbers 0 .. n_sites - 1 in the order of mention (ascending from a mask), from numbers or a mask."""
    allowed = f"different sites from {-n_sites} to {n_sites - 1}, or a mask of {n_sites} booleans"
    try:
        entries = np.asarray(value)
    except ValueError:  # rows of unequal length
        entries = np.zeros(1)
    if entries.size == 0:
        return ()
    if entries.dtype == bool and entries.shape == (n_sites,):
        return tuple(int(i) for i in np.flatnonzero(entries))
    ok = entries.ndim == 1 and np.issubdtype(entries.dtype, np.integer)
    ok = ok and bool(np.all((entries >= -n_sites) & (entries < n_sites)))
    if not problems.check(ok and len(set(entries % n_sites)) == len(entries), name, value, allowed):
        return ()
    return tuple(int(i) for i in entries % n_sites)


def _prescribed(problems: Problems, value: Any, moments: np.ndarray) -> tuple[tuple[int, ...], Drive] | None:
    if value is None:
        return None
    function = value[1] if isinstance(value, tuple | list) and len(value) == 2 else None
    if isinstance(function, OnSites) and function.sites is not None:
        problems.add("prescribed", f"a motion with sites = {function.sites}", "sites of the Magnet alone")
    if isinstance(function, Frozen):
        function = TimeFunction(function.moments, np.inf, derivative=function.velocity)
    elif isinstance(function, Precession | Prescribed):
        (function,) = function.drives()
    if not callable(function):
        problems.add("prescribed", value, PRESCRIBED)
        return None
    sites = _sites(problems, "prescribed", value[0], len(moments))
    if not problems.check(len(sites) > 0, "prescribed", value[0], "at least one site of the chain"):
        return None
    try:
        start = _unit_vectors("prescribed", function(0.0), len(sites), 0.0)
    except ValueError as error:
        problems.take(error)
        return None
    differs = np.flatnonzero(np.abs(start - moments[list(sites)]).max(axis=1) > UNIT_TOLERANCE)
    for k in differs[:1]:
        given = f"site {sites[k]} is {start[k].tolist()} at t = 0"
        problems.add("prescribed", given, f"what moments says, {moments[sites[k]].tolist()}")
    return sites, drives_of(function)[0]


def _unit_vectors(name: str, value: Any, count: int, t: float) -> np.ndarray:
    vectors = as_numbers(value, float)
    shaped = vectors is not None and vectors.shape == (count, 3)
    if shaped and np.all(np.abs(np.linalg.norm(vectors, axis=1) - 1) <= UNIT_TOLERANCE):  # type: ignore[arg-type]
        return vectors  # type: ignore[return-value]
    problems = Problems("Magnet")
    problems.moments(name, value, count)
    raise MistakesError(replace(m, value=f"at t = {t:g} fs {m.value}") for m in problems.mistakes)


def _check_moving(problems: Problems, pinned: Any, prescribed: Any, n_sites: int) -> None:
    others = prescribed[0] if prescribed else ()
    both = sorted(set(pinned) & set(others))
    problems.check(not both, "pinned", f"site {both} is prescribed too", "one of the two for each site")
    if len(set(pinned) | set(others)) == n_sites:
        problems.add("pinned", f"site {sorted({*pinned, *others})}", "at least one moment that moves")
