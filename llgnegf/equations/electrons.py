"""The equations of motion of electrons (and, when they are free, moments) as one right-hand side.

Electrons, hbar = 1 (physics of auxiliary modes: the leads' memory kernel C^<_q(t) is a sum of exponentials, so the
integrals of Sigma^< and Sigma over the past obey ordinary differential equations). With n device states, modes y of
channel q, s_y = sqrt|b_y|, kappa_y = b_y/s_y, device vector u_q:

    h(t) = [[H(t), u_q s_y], [kappa_y u_q^dag, diag(chi_y + V_p)]]
    dC/dt = -i (h C - C h^dag) + D + sum_q (-i u_q S_q^dag + i S_q u_q^dag),     S_q = sum_k v_k  (k of channel q)
    D     = sum_{q,y} ( -i (b_y f(chi_y)/s_y)^* u_q e_y^dag + h.c. )
    dv_k/dt = -i (h - z_k^* - V_p) v_k - i c_k u_q,     c_k = (i r_k Gamma_q(z_k))^*

Where a lead's orbitals mix with energy, U Sigma(E) U^dag with columns u_a and Sigma(E) = sum_y c_y w_y^dag/(E - chi_y),
a mode has two device vectors of its own, and each orbital a has Fermi vectors k = (a, m), one for each pole:

    u_q s_y -> U c_y,    kappa_y u_q^dag -> (U w_y)^dag,    D = sum_y ( -i f(chi_y)^* U w_y e_y^dag + h.c. ),
    c_k u_q -> U c_k,    c_k = (i r_m Gamma(z_m))^dag e_a,  S_a = sum_m v_am,    P_a = sum_y c_ay^* C_{device,y} + S_a

A mode with real chi and c = w is a level of the lead's end that nothing damps. C does not hold what such a level holds
by itself, f(chi), as it does not hold what else is in the leads.

A wide-band channel has no modes: h gets -i Gamma/2 u u^dag on the device, and dC/dt the delta part of C^<,
+ (Gamma/2) u u^dag. The device block of C is rho(t); P_q = sum_y s_y C_{device,y} + S_q gives every current,
d rho/dt|_leads = sum_q (-i u_q P_q^dag + i P_q u_q^dag).

Moments in the state obey the LLG equation under the electrons' torque at the same instant: nothing is staggered, so
that the coupled scheme has the order of the integrator,

    dM_i/dt = (a_i + lambda M_i x a_i)/(1 + lambda^2),  a_i = -g M_i x B_i + (g/mu_i) (T_ext + J_sd <s_i> x M_i)

with the full spin density <s_i> of rho(t), its adiabatic part included. Where the moments are a layer of their own,
H holds m_i = sum_k P_ik M_k and moment k feels sum_i P_ik J_i <s_i> x M_k (`problem.magnetism.placement`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from llgnegf._compile import resolved
from llgnegf._threads import Team, number_of_threads
from llgnegf.equations.changing_device import ChangingDevice
from llgnegf.equations.kernels import leads as kernels
from llgnegf.equations.kernels.electrons import Workspace
from llgnegf.equations.kernels.halves import GAP, Diagonals
from llgnegf.equations.kernels.orbitals import Orbitals
from llgnegf.equations.kernels.stages import Places, answer, coupled_stages, electronic_stages, place
from llgnegf.equations.layout import Layout
from llgnegf.equations.moments import LLG, stacked
from llgnegf.equations.protocol import NO_WEIGHTS, Equation, Stages
from llgnegf.equations.shared import SharedRhs
from llgnegf.poles.channels import PoleSystem
from llgnegf.poles.levels import LeadLevels
from llgnegf.problem.drives import Drive
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen
from llgnegf.problem.magnetism.placement import placement_of
from llgnegf.problem.magnetism.thermal_field import ThermalField
from llgnegf.units import HBAR

LARGE_ENERGY = 30.0
"""Device levels (eV) from which on the outflow of energy is watched relative to them."""
NO_MOMENTS = np.zeros((0, 3))
"""In the state, where the motion is prescribed."""


class MovingMoments(Protocol):
    """Moments whose motion is prescribed."""

    def moments(self, time: float) -> np.ndarray:
        """M(t), shape (N, 3), at `time` in fs."""

    def velocity(self, time: float) -> np.ndarray:
        """dM/dt in 1/fs, (N, 3)."""

    def drives(self) -> tuple[Drive, ...]:
        """What changes in time."""


class ElectronEquation(Equation):
    """d(state)/d(t/hbar) of electrons and of moments that are prescribed or answer; the state is laid out by `layout`.

    Args:
        poles: The open system in poles.
        motion: What gives M(t), or a `Magnet`, whose moments are part of the state.
        thermal: The field of a bath on the moments of a `Magnet`; None without noise.
        threads: How many share a big state; None: as many as the environment says, or cores there are.
    """

    time_unit = HBAR

    def __init__(
        self, poles: PoleSystem, motion: MovingMoments | Magnet, thermal: ThermalField | None = None,
        threads: int | None = None,
    ) -> None:  # fmt: skip
        self.poles, self.system, self.motion = poles, poles.system, motion
        self.levels = a = LeadLevels(poles)
        self.llg = LLG(motion, HBAR, thermal) if isinstance(motion, Magnet) else None
        n_moments = motion.n_sites if isinstance(motion, Magnet) else 0
        electrons, self.layout = self.system.electrons, Layout.of(self.system, a, n_moments)
        self._device = None if electrons.is_constant else ChangingDevice(electrons, self.layout)
        self.size, self.sections, self.evaluations = self.layout.size, self.layout.sections, 0
        self.constants = _constants(poles, a, self.layout)
        diagonals = self.constants.diagonals
        touched = 0 if diagonals is None else diagonals.touched.size
        self._work = Workspace.of(self.layout, a.lead.size, touched)
        self.placement = placement_of(motion, self.system.n_sites)
        self._driven = [(p, lead) for p, lead in enumerate(self.system.leads) if lead.drives()]
        self._voltages = self.system.voltages(0.0)
        self._places = None if self.llg is None else self._all_places(self.llg.magnet)
        count = number_of_threads(threads, 8 * self.size)
        self.team = Team(count) if count > 1 else None
        self._shared = None if self.team is None else SharedRhs(self.team, self.layout, self.constants, self._work)
        self._scratch = np.zeros(0)  # a state once `stages` are wanted: big ones go without
        known = type(motion) is Frozen or (self.llg is not None and self.llg.is_still)
        self._is_still = known and not self.drives()
        self._still: dict[int, tuple[Any, ...]] = {}  # `_given` for so many times, where nothing changes
        self._compiled = self._resolved()

    def _all_places(self, magnet: Magnet) -> Places:
        """Where the moments of the state are, one on each site without a placement of their own."""
        sites, n, shape = self.system.n_sites, magnet.n_sites, (self.system.n_sites, 3)
        each, where = np.arange(sites), self.placement
        site, moment = (each, each) if where is None else (where.site, where.moment)
        prescribed = [] if magnet.prescribed is None else list(magnet.prescribed[0])
        own = [np.zeros((n, 3)) for _ in range(2)]
        return Places(
            site, moment, np.array(prescribed, dtype=np.int64), own[0], np.zeros(shape), np.zeros(shape), own[1]
        )

    def _resolved(self) -> Any:
        """The compiled stages, or what follows the shared right-hand side."""
        given = self._given([0.0], None if self.llg is None else np.array(self.llg.magnet.moments, dtype=float))
        state = self._scratch
        if self.team is None:
            kernel = electronic_stages if self.llg is None else coupled_stages
            rest = state, 0.0, NO_WEIGHTS, state, state[None], 0
            return resolved(kernel, self.constants, self._work, *given, *rest)
        if self.llg is None:
            return None
        magnet, places, _, linear, amplitudes, prefactor, _ = given
        return resolved(answer, self.constants, magnet, places, linear[0], amplitudes, prefactor, state, state)

    def drives(self) -> tuple[Drive, ...]:
        thermal = None if self.llg is None else self.llg.thermal
        return (*self.system.drives(), *self.motion.drives(), *(() if thermal is None else (thermal,)))

    def moments_at(self, tau: float, free: np.ndarray) -> np.ndarray:
        """M at t/hbar = tau, (n, 3), from `free`, the moments that are part of the state."""
        if self.llg is not None:
            return self.llg.place(tau * HBAR, free)
        assert not isinstance(self.motion, Magnet)
        return self.motion.moments(tau * HBAR)

    def channel_voltages(self, tau: float) -> np.ndarray:
        """V of every channel at t/hbar = tau, in eV."""
        for p, lead in self._driven:
            self._voltages[p] = lead.voltage_at(tau * HBAR)
        return self._voltages[self.levels.lead]

    def __call__(self, tau: float, state: np.ndarray, derivative: np.ndarray) -> None:
        if self._device is not None:
            self._device.follow(tau * HBAR, *self.layout.electrons(state), self.constants)
            if self.layout.n_works:
                time, moments = tau * HBAR, self.on_electrons(self.moments_at(tau, self.layout.moments(state)))
                velocity = self.on_electrons(self.given_velocity(time))
                self.layout.work(derivative)[0] = HBAR * self._device.power(time, moments, velocity)
        self.evaluations += 1
        given = self._still.get(1) or self._given([tau], None if self.llg is None else self.layout.moments(state))
        if self._shared is None:
            self._run(given, state, 0.0, NO_WEIGHTS, derivative[None], 0)
        elif self._places is None:
            self._shared(given[0][0], given[1][0], state, derivative)
        else:
            magnet, places, moments, linear, amplitudes, prefactor, voltages = given
            place(self.constants, places, moments[0], state)
            self._shared(places.seen, voltages[0], state, derivative)
            self._compiled(self.constants, magnet, places, linear[0], amplitudes, prefactor, state, derivative)

    def stages(self) -> Stages | None:
        """As `Equation.stages`: by one thread, where neither H nor what is given to the moments hangs on time or state
        in a way that only Python knows."""
        if self._device is not None or self.team is not None or not (self.llg is None or self.llg.is_linear_in_time):
            return None
        self._scratch = np.zeros(self.size)
        return self._stages

    def _stages(
        self, start: np.ndarray, length: float, weights: np.ndarray, times: np.ndarray, slopes: np.ndarray, first: int
    ) -> None:
        """As `protocol.Stages`."""
        self.evaluations += times.size
        given = self._still.get(times.size) or self._given(times.tolist())
        self._run(given, start, length, weights, slopes, first)

    def _run(
        self, given: tuple[Any, ...], start: np.ndarray, length: float, weights: np.ndarray, slopes: np.ndarray,
        first: int,
    ) -> None:  # fmt: skip
        self._compiled(self.constants, self._work, *given, start, length, weights, self._scratch, slopes, first)

    def _given(self, times: Sequence[float], free: np.ndarray | None = None) -> tuple[Any, ...]:
        """What stages at `times` (t/hbar) take beside the state, `free` being the moments in it where that matters."""
        given = self._given_at(times, free)
        if self._is_still:
            self._still[len(times)] = given
        return given

    def _given_at(self, times: Sequence[float], free: np.ndarray | None) -> tuple[Any, ...]:
        voltages = stacked([self.channel_voltages(tau) for tau in times])
        if self.llg is None:
            moments = [self.on_electrons(self.moments_at(tau, NO_MOMENTS)) for tau in times]
            return stacked(moments), voltages
        magnet, at = self.llg.magnet, [tau * HBAR for tau in times]
        given, linear = self.llg.given(at, free)
        amplitudes = self.llg.amplitudes(at[0])
        return self.llg.constants, self._places, given, linear, amplitudes, magnet.prefactor, voltages

    def on_electrons(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors of the moments (n, 3) as the electron sites have them, (N, 3)."""
        return vectors if self.placement is None else self.placement.to_electrons(vectors)

    def on_moments(self, torques: np.ndarray) -> np.ndarray:
        """What sites (N, 3) add up to on their moments, (n, 3)."""
        return torques if self.placement is None else self.placement.to_moments(torques)

    def given_velocity(self, time: float) -> np.ndarray:
        """dM/dt in 1/fs of moments whose motion is given, 0 for the others, (n, 3)."""
        if not isinstance(self.motion, Magnet):
            return self.motion.velocity(time)
        velocity = np.zeros((self.motion.n_sites, 3))
        if self.motion.prescribed is not None:
            sites, drive = self.motion.prescribed
            velocity[list(sites)] = drive.rate(time)
        return velocity

    def jump(self, before: float, after: float, state: np.ndarray) -> None:
        """Add to `state` the work of a discontinuity, at which H jumps from its value at tau = `before` to `after`."""
        if self._device is not None and self.layout.n_works:
            planes, free = self.layout.electrons(state), self.layout.moments(state)
            moments = [self.on_electrons(self.moments_at(t, free)) for t in (before, after)]
            sides = [self._device.energy(t * HBAR, *planes, m) for t, m in zip((before, after), moments, strict=True)]
            self.layout.work(state)[0] += sides[1] - sides[0]

    def hold(self, time: float, density_blocks: np.ndarray) -> None:
        """Take H and J_sd of `time` (fs) and rho_ii (N, 2, 2) for what is computed next."""
        if self._device is not None:
            self._device.hold(time, density_blocks, self.constants)

    def normalise(self, moments: np.ndarray) -> None:
        """Restore |M| = 1 in place, (N, 3), of moments that obey the LLG equation."""
        if self.llg is not None:
            self.llg.normalise(moments)

    def project(self, state: np.ndarray) -> None:
        self.normalise(self.layout.moments(state))

    def fastest_rates(self, implicit: bool = False) -> tuple[float, float]:
        """Bounds (eV) on |rate| of all that turns and of all that is damped: what an explicit step must follow.

        Matrix elements of C turn with differences of levels within the spectrum. Fermi vectors obey h - z_k^*; the
        levels of h are in the spectrum or close to the modes chi, whose own damping adds to that of the pole. With
        `implicit` the damping of the poles is left to the method.
        """
        a, shifts = self.levels, self.poles.voltages
        low, high = self.poles.bounds
        if a.z.size == 0:
            return float(high - low), 0.0
        lead_x, lead_z = a.mode_lead, a.vector_lead
        z = a.z.real + 0j if implicit else a.z
        mu = a.z.real[:, None] + shifts[lead_z]
        reach = np.abs([low - mu, high - mu]).max() if implicit else self.poles.spectral_range
        far = np.hypot(reach, np.abs(z.imag)).max()
        other = lead_x[:, None] != lead_z  # levels of one lead move together
        across = [other * (shifts[lead_x, i][:, None] - shifts[lead_z, 1 - i]) for i in (0, 1)]
        damped = [np.abs(a.chi[:, None] - z.conj() + v).max(initial=0.0) for v in across]
        return float(high - low), float(max(far, *damped))

    def error_scale(self) -> np.ndarray | None:
        """What errors count in the step control, (layout.size,); None: all alike.

        The energy that has left is as large as the levels are: far from zero its error is taken relative to them, since
        absolute energies are gauge.
        """
        size = max(map(abs, self.poles.bounds))
        if size <= LARGE_ENERGY or not self.system.leads:
            return None
        scale = np.ones(self.layout.size)
        self.layout.outflow(scale)[:, 4] /= size
        self.layout.work(scale)[:] /= size
        return scale

    def stiff_rates(self) -> np.ndarray:
        """Decay rates Im z_k^* of the Fermi vectors, on their components of the state, (layout.size,)."""
        layout, a = self.layout, self.levels
        rates = np.zeros(layout.size)
        for plane in layout.electrons(rates):
            plane[layout.rows[1, :, None] + a.chi.size + np.arange(a.z.size)] = -a.z.imag
            for here, count in zip(layout.blocks, layout.modes, strict=True):
                if count:
                    plane[here].reshape(count, -1)[:, -a.z.size :] = -a.z.imag
        return rates


def _constants(poles: PoleSystem, levels: LeadLevels, layout: Layout) -> kernels.Electrons:
    """The constants of the equation as the compiled kernel takes them."""
    zero, one, scalar = np.zeros(levels.z.size), np.ones(levels.z.size), levels.is_scalar
    # The only entry of a column; where a channel has several `_orbitals` has them.
    s, kappa, d, c = (x.sum(axis=0) for x in (levels.left.real, levels.right.conj(), levels.d, levels.c))
    kappa = kappa if scalar else np.ones_like(kappa)
    modes, fermi = [*_planes(levels.chi), *_planes(kappa), s, *_planes(d)], [zero, zero, one, *_planes(c)]
    electrons = poles.system.electrons
    hamiltonian = _sparse(electrons.device.matrix(0.0) if electrons.has_terms else electrons.hamiltonian)
    return kernels.Electrons(
        hamiltonian=hamiltonian,
        vectors=_sparse(levels.vectors.T),
        attached=_sparse(levels.vectors),
        bounds=np.array([levels.offset, levels.chi.size + levels.first[levels.orbitals]]),
        levels=np.concatenate([modes, [*_planes(levels.z), *fermi]], axis=1),
        wide=levels.wide,
        lead=levels.lead,
        j_sd=np.array(electrons.j_sd, dtype=float),
        density_rows=layout.rows[0],
        level_rows=layout.rows[1],
        channel_rows=np.arange(levels.lead.size) * layout.columns,
        n_complex=layout.n_complex,
        n_leads=layout.n_leads,
        orbitals=None if scalar else _orbitals(levels),
        diagonals=_diagonals(hamiltonian, levels.vectors, layout),
    )


def _diagonals(hamiltonian: kernels.Sparse, vectors: np.ndarray, layout: Layout) -> Diagonals | None:
    """Room for H by diagonals, and where leads are attached; None where rho is stored whole."""
    if layout.reach is None:
        return None
    n, touched = len(vectors), np.flatnonzero(vectors.any(axis=1))
    away = np.repeat(np.arange(n), np.diff(hamiltonian.start)) - hamiltonian.column
    offsets, edge = np.union1d([0, 1, 2], np.abs(away)), np.zeros(n, dtype=np.int64)
    edge[touched] = n * np.arange(touched.size)
    place = np.where(away < 0, -1, np.searchsorted(offsets, away) * (n + GAP) + GAP + hamiltonian.column)
    real, imag = np.zeros((2, offsets.size * (n + GAP)))
    flags = np.zeros(offsets.size, dtype=bool), np.isin(np.arange(n), touched)
    return Diagonals(offsets, place, real, imag, flags[0], layout.reach, layout.widths, touched, flags[1], edge)


def _orbitals(levels: LeadLevels) -> Orbitals:
    """The couplings of modes and Fermi vectors to the orbitals of their own channel."""
    sizes, m = np.diff(levels.orbitals), levels.chi.size
    couplings = np.zeros((6, sizes.max(), m + levels.z.size))
    for g, size in enumerate(sizes):
        own = slice(levels.orbitals[g], levels.orbitals[g + 1])
        modes, vectors = slice(*levels.offset[g : g + 2]), slice(*levels.first[levels.orbitals[g : g + 2]])
        of_modes = levels.left, levels.right.conj(), levels.d
        couplings[:, :size, modes] = [plane for x in of_modes for plane in _planes(x[own, modes])]
        couplings[4:, :size, m + vectors.start : m + vectors.stop] = _planes(levels.c[own, vectors])
    channel = np.repeat(np.arange(sizes.size), sizes)
    return Orbitals(levels.orbitals.astype(np.int64), channel, m + levels.first, couplings)


def _sparse(matrix: sparse.sparray | np.ndarray) -> kernels.Sparse:
    csr = sparse.csr_array(matrix)
    data = csr.data.astype(complex)
    return kernels.Sparse(csr.indptr.astype(np.int64), csr.indices.astype(np.int64), *_planes(data))


def _planes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(values.real), np.ascontiguousarray(values.imag)
