"""SlowSimulation: a run of slow moments, with electrons integrated out, with or without thermal noise.

What is its own: the sums that the electrons are made of, the choice of the method. The loop is `run.run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from llgnegf.equations.slow import SlowEquation
from llgnegf.integrators.controller import Controller
from llgnegf.integrators.heun import Heun, Noise
from llgnegf.integrators.integration import Integration, runge_kutta
from llgnegf.integrators.schedule import Schedule
from llgnegf.integrators.stepper import Sample
from llgnegf.integrators.tableaus import DOP853, RK4
from llgnegf.poles.channels import PoleSystem, expand
from llgnegf.problem.observables import charge_density, spin_density
from llgnegf.problem.plausibility import silent
from llgnegf.problem.system import OpenSystem
from llgnegf.response.bias_tensors import BiasedTensors
from llgnegf.response.fast_tensors import ContourTensors, LevelTensors, PoleTensors, SlowElectrons
from llgnegf.run import memory, shares
from llgnegf.run.error_budget import equilibrium_estimate, fermi_estimate
from llgnegf.run.options import RunOptions, SlowKeywords
from llgnegf.run.recorder import Rows, SlowRows
from llgnegf.run.result import ErrorEstimate
from llgnegf.run.run import Run
from llgnegf.static.rotating_frame import RotatingFrame

if TYPE_CHECKING:
    from llgnegf.problem.magnetism.magnet import Magnet

FIRST_ANGLE = 1.0
"""Angle (rad) by which the first step tried lets the fastest moment precess, were it out of its equilibrium."""
STEPS_ANGLES = 2.0
"""Length of most steps in units of the first one tried."""


class SlowSimulation(
    Run, moments="magnet", without=("start", "integrator", "initial_density_matrix", "electrons")
):  # fmt: skip
    """A run of slow moments with the electrons integrated out, with or without thermal noise, advanced row by row.

    This is electrons = "adiabatic" of `simulate`: by the default `response` one order beyond the adiabatic torque.

    Parameters
    ----------
    system : OpenSystem or None
        The open system, its leads static; None for moments alone.
    magnet : Magnet
        The moments.
    t_end, save_every, rtol : float
        As for `simulate`.
    step : float, optional
        Fixed time step in fs, with noise too (rows and discontinuities of drives are reached in equal steps no longer
        than it, nor than a drive can be seen with); None is adaptive with interpolation between the steps (DOP853 and
        its interpolant of order 7).
    observables : sequence of str, default ()
        "adiabatic" adds adiabatic spin density and torque, and the nonadiabatic torque.
    response : sequence of str, default ('geometric', 'friction', 'bias')
        Which tensors act: any of "geometric", "friction", and "bias" for what leads of different chemical potential or
        temperature add to them; () is the torque of the stationary state alone.
    temperature : float, default 0.0
        kT of the thermal noise in eV. Electrons in equilibrium have the same. Under bias their noise is that of their
        own occupations, and this is the temperature of Gilbert's damping, 0 allowed.
    seed : int, optional
        Key of the random stream, >= 0; None without noise.
    memory : float, optional
        GB that the run may take, None what is free; one that needs more at least (`llgnegf.run.memory`) is refused.
    threads : int, optional
        As for `simulate`.
    copies : int, default 1
        Independent copies that are carried along (rows show the first one).

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind; a voltage that changes among them.
    IntegrationStopped
        By `rows`, when a step falls below round-off; with noise, where friction under bias is so negative that a motion
        grows.

    Notes
    -----
    The moments obey, with p = g/mu_M and the tensors of `ResponseTensors`, ::

        dM_i/dt = -p_i M_i x h_i + lambda_i M_i x dM_i/dt + p_i T_ext
        h_i     = -dH/dM_i + J_i <s_i>_ad - sum_j [(friction + geometric) dM/dt]_i

    Examples
    --------
    >>> magnet = ln.Magnet(ln.uniform(1, "x"), magnetic_moment=1.0, damping=0.1, energies=[ln.Zeeman([0, 0, 50.0])])
    >>> run = ln.SlowSimulation(None, magnet, t_end=2.0)
    >>> [number for number, row in run.rows()]
    [0, 1, 2]
    """

    equation: SlowEquation
    slow = True

    if TYPE_CHECKING:

        def __init__(self, system: OpenSystem | None, magnet: Magnet, **options: Unpack[SlowKeywords]) -> None: ...

    def _set_up(self, options: RunOptions) -> tuple[Integration, Sample, np.ndarray | None, Rows]:
        system, magnet, step, noisy = self.system, self.motion, options.step, options.is_noisy
        bias = "bias" in options.response
        self._memory = 0.0 if system is None else memory.check_slow(system.n_sites, options)
        electrons, self.poles = (None, None) if system is None else slow_electrons(system, self.rtol, bias)
        equation = self.equation = SlowEquation(magnet, electrons, options.response, noisy)
        start, schedule = np.array(magnet.moments, dtype=float), self._schedule()
        if step is None:
            integration = self._adaptive(start, schedule)
        elif not noisy:
            integration = runge_kutta(equation, RK4, start.ravel(), step, schedule=schedule)
        else:
            assert options.seed is not None
            copies = np.tile(start.ravel(), options.copies)
            stepper = Heun(Noise(equation, options.temperature, options.seed), schedule)
            integration = Integration(stepper, Controller(step), copies, schedule)
        has_potential = system is not None and (system.is_closed or _is_warm(system) and system.in_equilibrium())
        may_gain = bias and system is not None and not system.in_equilibrium()
        rows = SlowRows(equation, has_potential, None if system is None else system.electrons, may_gain)
        return integration, np.array, None, rows

    def _adaptive(self, start: np.ndarray, schedule: Schedule) -> Integration:
        """DOP853 with steps as long as errors allow that may add up to their share of rtol; rows cost no steps."""
        slope = self.equation.rate(0.0, start.ravel())
        # Not from dM/dt: at rest, before a field rises, that says nothing of the steps that the motion will need.
        fastest = max(self.equation.frequency(0.0, start[None]), float(np.abs(slope).max()))
        first = FIRST_ANGLE / fastest if fastest > 1e-12 else 1.0
        steps = 1 + float(self.times[-1]) / (STEPS_ANGLES * first)
        tolerance = shares.STEPS * self.rtol * min(shares.ONE_OF_FEW, 1 / steps)
        return runge_kutta(
            self.equation, DOP853, start.ravel(), first, tolerance, per_time=False, schedule=schedule
        )  # fmt: skip

    def _sizes(self) -> dict[str, float]:
        return {**super()._sizes(), "fermi_surface_nodes": self._surface_nodes}

    @property
    def _surface_nodes(self) -> int:
        """Energies in the last Fermi-surface sum that a row asked for."""
        return self.equation.electrons.surface_nodes if isinstance(self.equation.electrons, PoleTensors) else 0

    def checkpoint(self, copy: bool = True) -> dict[str, Any]:
        """As `Run.checkpoint`, with what the sums over the Fermi surface took.

        Parameters
        ----------
        copy : bool, default True
            Whether arrays are copied.

        Returns
        -------
        dict
            Arrays and numbers by name.
        """
        return {"surface_nodes": self._surface_nodes, **super().checkpoint(copy)}

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `checkpoint` gave in a run of the same problem.

        Parameters
        ----------
        checkpoint : mapping
            As `checkpoint` returned it.

        Raises
        ------
        ValueError
            If it is of another problem.
        """
        super().restore(checkpoint)
        if isinstance(self.equation.electrons, PoleTensors):
            self.equation.electrons.surface_nodes = int(checkpoint["surface_nodes"])

    @cached_property
    def _expansion_errors(self) -> dict[str, ErrorEstimate]:
        if self.system is not None and not self.system.is_closed and not _is_warm(self.system):
            coupling = fermi = ErrorEstimate(0.0, "kT = 0: exact leads and Fermi function on a contour")
        else:
            seen = self.equation.on_electrons(np.array(self.motion.moments, dtype=float))
            coupling = equilibrium_estimate(self.poles, seen)
            if isinstance(self.equation.electrons, BiasedTensors):
                coupling = _stationary_estimate(self.equation.electrons, seen, 1e-3 * self.rtol)
            fermi = fermi_estimate(self.poles)
        surface = ErrorEstimate(
            getattr(self.equation.electrons, "tolerance", 0.0),
            "error allowed in the sums over the Fermi surface, and under bias over the window between the leads, that "
            "enter delta<s>; with noise in that of the tensors over hbar J_i J_j, in 1/eV^2",
        )
        return {"coupling_poles": coupling, "fermi_poles": fermi, "fermi_surface": surface}


def slow_electrons(system: OpenSystem, rtol: float, bias: bool = True) -> tuple[SlowElectrons, PoleSystem | None]:
    """Electrons that follow moments, with or without what a bias adds to the tensors, and the expansion they are made
    of, if there is one."""
    if system.is_closed:
        return LevelTensors(system), None
    if not _is_warm(system):
        return ContourTensors(system, shares.SURFACE * rtol, bias), None
    poles, tolerance = slow_poles(system, rtol), shares.SURFACE * rtol
    return PoleTensors(poles, tolerance) if system.in_equilibrium() else BiasedTensors(poles, tolerance, bias), poles


def slow_poles(system: OpenSystem, rtol: float) -> PoleSystem:
    """The expansion of warm electrons that follow moments."""
    leads, fermi, tails = shares.SLOW_LEADS * rtol, shares.FERMI * rtol, shares.SLOW_TAILS * rtol
    return expand(system, leads, fermi, tail_tolerance=tails, strict=False)


def _stationary_estimate(electrons: BiasedTensors, moments: np.ndarray, tolerance: float) -> ErrorEstimate:
    """Error of the stationary state of these moments, (N, 3), by the lead modes."""
    with silent():  # the system was warned of
        exact = RotatingFrame(electrons.poles.system, moments, 0.0, tolerance=tolerance).density_matrix()
    rest = electrons.adiabatic(moments[None], False)
    value = max(np.abs(spin_density(exact) - rest.spin).max(), np.abs(charge_density(exact) - rest.charge).max())
    what = "largest difference of a site's spin or charge between exact and expanded leads in the stationary state of "
    return ErrorEstimate(float(value), what + "the moments at t = 0")


def _is_warm(system: OpenSystem) -> bool:
    """Whether all coupled leads have kT > 0, so that Fermi functions have poles."""
    return bool(np.all(system.temperatures()[system.coupled_leads] > 0))
