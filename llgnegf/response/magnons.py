"""magnons(): small oscillations of moments and electrons together, their frequencies, damping and profiles.

The linearised LLG equation is in `spin_waves`, chi(w) in `linear_response`, the search for all solutions in `zeros`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray

from llgnegf._blas import limited
from llgnegf._checks import Problems
from llgnegf._readable import Readable, readable
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.system import OpenSystem
from llgnegf.response.linear_response import LinearResponse
from llgnegf.response.spin_waves import AT_REST, LinearLLG
from llgnegf.response.zeros import NotCertain, Zeros, zeros_within
from llgnegf.units import HBAR

ROOM, SHALLOWEST = 1.5, 0.2
"""Width of the window to the fastest solution for slow electrons, and its least depth to its width."""
LEAST = 1e-3
"""Width of the window, to the fields on the moments, where they are free to rotate; or 1e-3 eV without any."""
Answer = Callable[[np.ndarray], np.ndarray]
"""J chi(E) between the frames of a `LinearLLG`, eV: (n,) -> (n, 2f, 2f)."""


@dataclass(frozen=True, eq=False)
class Magnons(Readable):
    """Small oscillations of moments (and electrons), by increasing Re E.

    Attributes
    ----------
    energies : ndarray of complex, (n,)
        E = hbar w in eV, complex, (n,). Im E < 0 decays, Im E > 0 grows: the moments at rest are unstable.
    profiles : ndarray of complex, (n, N, 3)
        m_i of each moment, complex, normal to M_i, (n, N, 3): the largest component is 1, pinned ones have 0.
    residuals : ndarray, (n,)
        ``|D(E) m|/|m|`` of each to the mean ``|D|`` on the border of the window, (n,).
    window : tuple of float, or None
        Half axes (eV) of the ellipse in the complex plane of E within which all solutions were found; None without
        electrons, where there are as many as moving moments and all of them are given.
    count : int
        Number of solutions in the window, both of every pair.
    poles : int
        Number of poles of chi in the window; count - poles is what the phase of det D counts.
    dim : str
        What the moments are called in `to_dataset`: "site", or "moment" where they are a layer of their own.

    Notes
    -----
    A solution moves as ::

        M_i(t) = M_i + Re[m_i exp(-i E t/hbar)]

    Of the two solutions E and ``-E^*`` of one motion that with Re E > 0 is given, and all overdamped ones (Re E = 0).

    Examples
    --------
    >>> field, easy = ln.Zeeman([0, 0, 10.0]), ln.UniaxialAnisotropy(0.001, axis="z")
    >>> found = ln.magnons(None, ln.Magnet(ln.uniform(1, "z"), magnetic_moment=1.0, energies=[field, easy]))
    >>> found.energies.real.round(6)  # eV: g mu_B B + 2 g K of one Bohr magneton
    array([0.005164])
    >>> found.frequencies.shape, found.unstable.any().item()
    ((1,), False)
    """

    energies: np.ndarray
    profiles: np.ndarray
    residuals: np.ndarray
    window: tuple[float, float] | None
    count: int
    poles: int = 0
    dim: str = "site"

    @property
    def frequencies(self) -> np.ndarray:
        """Re E/hbar, rad/fs, (n,)."""
        return self.energies.real / HBAR

    @property
    def decay_rates(self) -> np.ndarray:
        """-Im E/hbar, 1/fs, (n,): the amplitude falls as exp(-rate t)."""
        return -self.energies.imag / HBAR

    @property
    def damping_ratios(self) -> np.ndarray:
        """-Im E/Re E, dimensionless, (n,); Gilbert's lambda for a moment that precesses on a circle, infinite for
        overdamped motion, NaN at E = 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return -self.energies.imag / self.energies.real

    @property
    def unstable(self) -> np.ndarray:
        """Which solutions grow, (n,)."""
        return self.energies.imag > AT_REST * np.abs(self.energies).max(initial=0.0)

    def to_dataset(self) -> xarray.Dataset:
        """All of it with labels and units.

        Returns
        -------
        xarray.Dataset
            Dims mode, site or moment, component, and part (real, imaginary) of the profile.
        """
        profile = np.stack([self.profiles.real, self.profiles.imag], axis=-1)
        columns = {
            "energy": (self.energies.real, "eV", "Re hbar w"),
            "frequency": (self.frequencies, "rad/fs", "Re w"),
            "decay_rate": (self.decay_rates, "1/fs", "-Im w"),
            "damping_ratio": (self.damping_ratios, "1", "-Im w/Re w"),
            "residual": (self.residuals, "1", "|D m|/|D||m|"),
        }
        data: dict[str, Any] = {
            name: ("mode", value, {"units": unit, "long_name": words}) for name, (value, unit, words) in columns.items()
        }
        attributes = {"units": "1", "long_name": "profile, largest component 1"}
        data["profile"] = ("mode", self.dim, "component", "part"), profile, attributes
        labels = {"component": ["x", "y", "z"], "part": ["real", "imaginary"]}
        found = xarray.Dataset(data, labels, {"count": self.count, "poles": self.poles})
        return found if self.window is None else found.assign_attrs(window=self.window)


@readable
@limited
def magnons(
    system: OpenSystem | None,
    magnet: Magnet,
    window: tuple[float, float] | None = None,
    *,
    torque_tolerance: float = 1e-6,
    tolerance: float | None = None,
) -> Magnons:
    """All small oscillations of moments at rest, with the electrons' answer at their own frequency.

    Parameters
    ----------
    system : OpenSystem or None
        Electrons and leads in a stationary state, a bias included; None for the moments alone.
    magnet : Magnet
        The moments at rest, such as `relax` gives. Pinned ones stay.
    window : tuple of float, optional
        Half axes (a, b) in eV: solutions with (Re E/a)^2 + (Im E/b)^2 < 1 are looked for. Left out, a is 1.5 times the
        largest ``|E|`` for slow electrons (chi to first order in w), b twice the largest ``|Im E|``, between a/5 and a.
    torque_tolerance : float, default 1e-06
        Largest torque (eV) on a moment that counts as at rest.
    tolerance : float, optional
        Of the leads' modes in chi, as `LinearResponse` takes it.

    Returns
    -------
    Magnons
        Energies, profiles, decay rates.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind, a magnet with spin-transfer torques or with what depends on
        time; for moments that feel a torque; for a window that a solution or a pole of chi is on the border of, or with
        too many of them to tell apart; and as `LinearResponse` raises it (kT = 0 with leads, mean fields, what depends
        on time).

    Notes
    -----
    The linearised LLG equation D(E) m = 0 (`llgnegf.response.spin_waves`) holds the static field on each moment, the
    second derivatives of all energies, Gilbert's damping and J chi(w), the electrons' adiabatic torque, friction,
    inertia and memory in one. Solutions in the lower half plane, damped ones, are those of the analytic continuation of
    chi(w). They are found by contour integrals [1]_ and counted by the argument principle.

    References
    ----------
    .. [1] W.-J. Beyn, Linear Algebra Appl. 436, 3839 (2012).

    Examples
    --------
    >>> magnet = ln.Magnet(ln.uniform(4, "z"), 1.0, 0.01, [ln.Exchange(0.01), ln.UniaxialAnisotropy(0.001, "z")])
    >>> found = ln.magnons(None, magnet)
    >>> found.damping_ratios.round(4)  # Gilbert's lambda, as the moments precess on circles
    array([0.01, 0.01, 0.01, 0.01])
    """
    _check(system, magnet, window, torque_tolerance)
    linear, electrons = (LinearLLG.of(magnet), None) if system is None else _with_electrons(system, magnet, tolerance)
    _check_rest(linear, magnet, torque_tolerance)
    if electrons is None:
        energies, vectors = linear.modes()
        found, half_axes = Zeros(energies, vectors, np.zeros(energies.size), 0, energies.size, 0), None
    else:
        found, half_axes = coupled(linear, electrons, window)
    kept = linear.one_of_each_pair(found.values)
    profiles, dim = linear.profiles(found.vectors[kept]), "site" if magnet.sites is None else "moment"
    values, residuals = found.values[kept], found.residuals[kept]
    return Magnons(values, profiles, residuals, half_axes, found.values.size, found.poles, dim)


def _with_electrons(system: OpenSystem, magnet: Magnet, tolerance: float | None) -> tuple[LinearLLG, Answer]:
    """The linear equation with J <s> of the electrons at rest in it, and their answer."""
    response = LinearResponse(system, magnet.on_electrons(magnet.moments, system.n_sites), tolerance)
    placement, j_sd = magnet.placement(system.n_sites), np.asarray(system.electrons.j_sd, dtype=float)
    # The jump of the memory kernel, -(2 J/hbar) eps_abc <s>^c, is J <s> to the accuracy of chi itself: rotations of all
    # spins together then cost nothing to round-off.
    jump = np.einsum("iaib->iab", response.memory_kernel(0.0))
    field = -HBAR / 2 * jump[:, [1, 2, 0], [2, 0, 1]]
    linear = LinearLLG.of(magnet, field if placement is None else placement.to_moments(field))
    frames = magnet.on_electrons(linear.frames, system.n_sites)

    def electrons(energies: np.ndarray) -> np.ndarray:
        chi = response.susceptibility(energies)
        return np.einsum("uia,i,ziajb,vjb->zuv", frames, j_sd, chi, frames, optimize=True)

    return linear, electrons


def coupled(
    linear: LinearLLG, electrons: Answer, window: tuple[float, float] | None = None
) -> tuple[Zeros, tuple[float, float]]:
    """All E in the window with det D(E) = 0, and the window used."""
    half_axes = _window(linear, electrons) if window is None else (float(window[0]), float(window[1]))

    def equation(energies: np.ndarray) -> np.ndarray:
        own = linear.stiffness - 1j * energies[:, None, None] * linear.inverse_precession
        return own - electrons(energies)

    try:
        return zeros_within(equation, half_axes), half_axes
    except NotCertain as error:
        problems = Problems("magnons")
        shown = "({:.4g}, {:.4g}) eV: ".format(*half_axes)
        problems.add("window", shown + str(error), "a window with no solution, and no pole of chi, on its border")
        problems.raise_all()
        raise


def _window(linear: LinearLLG, electrons: Answer) -> tuple[float, float]:
    """That of `magnons` if none is given, from chi(i e) = chi(0) + e K/hbar + O(e^2), real."""
    (static,) = electrons(np.zeros(1)).real
    least = LEAST * (linear.scale or 1.0)
    step = 1e-3 * max(np.abs(linear.modes(-static)[0]).max(), least)
    drag = -(electrons(np.array([1j * step]))[0].real - static) / step
    energies = linear.modes(-static, drag)[0]
    a = ROOM * max(np.abs(energies).max(), least)
    return float(a), float(np.clip(2 * np.abs(energies.imag).max(), SHALLOWEST * a, a))


def _check(system: Any, magnet: Any, window: Any, torque_tolerance: Any) -> None:
    problems = Problems("magnons")
    problems.check(system is None or isinstance(system, OpenSystem), "system", system, "an OpenSystem, or None")
    if problems.check(isinstance(magnet, Magnet), "magnet", magnet, "a Magnet"):
        problems.check(not magnet.torques, "magnet.torques", magnet.torques, "none (those of the electrons are in chi)")
        static = magnet.energy.is_static and magnet.prescribed is None
        problems.check(static, "magnet", "what depends on time", "energies and pinned moments that stay as they are")
        if isinstance(system, OpenSystem):
            magnet.note_sites(problems, "magnet", system.n_sites)
    if window is not None:
        allowed = "None, or two half axes > 0 in eV" if system is not None else "None: without electrons all are given"
        axes = problems.array("window", window, (2,), allowed)
        if axes is not None:
            problems.check(system is not None and bool(np.all(axes > 0)), "window", window, allowed)
    problems.number("torque_tolerance", torque_tolerance, "a number > 0, in eV", lambda t: t > 0)
    problems.raise_all()


def _check_rest(linear: LinearLLG, magnet: Magnet, tolerance: float) -> None:
    problems, worst = Problems("magnons"), int(linear.torque.argmax())
    number = int(np.flatnonzero(magnet.moving)[worst])
    allowed = f"at most {tolerance:g} eV (torque_tolerance): moments at rest, of relax(system, magnet), under bias of "
    value, at_rest = f"a torque of {linear.torque[worst]:.3g} eV on moment {number}", linear.torque[worst] <= tolerance
    problems.check(bool(at_rest), "magnet.moments", value, allowed + "a run that has settled")
    problems.raise_all()
