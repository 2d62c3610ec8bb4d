"""What options, system and moments of a run demand of one another, noted as mistakes.

Part of `options`, which says what each option may be by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._checks import Problems, memory_of_machine
from llgnegf.integrators.tableaus import METHODS
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.system import OpenSystem, check_static
from llgnegf.problem.waveforms import REACH, Pulse

if TYPE_CHECKING:
    from llgnegf.run.options import RunOptions

FINEST_LEADS = 3e-10
"""Smallest rtol with leads: some three times the error, 1.1e-10 of K(0), of the finest tabulated lead modes."""
COPY_BYTES = 240
"""Memory of a moment of a copy: ten vectors."""
STATE_VECTORS = 20
"""Vectors of the size of the density matrix that a run of the full electrons holds: those of the integrator."""


def check_accuracy(problems: Problems, rtol: float, system: OpenSystem | None) -> None:
    """rtol: closed systems need no pole expansion and can be more exact than the finest one."""
    expanded = system is not None and not system.is_closed
    least = FINEST_LEADS if expanded else 1e-12
    because = " (with leads: the finest expansion in poles there is)" if expanded else ""
    problems.check(least <= rtol <= 1e-2, "rtol", rtol, f"{least:g} <= rtol <= 1e-2{because}")


def check_full(
    problems: Problems, options: RunOptions, system: OpenSystem | None, motion: Any, has_electrons: bool
) -> None:
    """A run of electrons with their memory, of a noisy bath beside them too, or of moments alone without noise."""
    if has_electrons:
        _check_usual(problems, options, {"response": "the default with electrons = 'full', which has all of it"})
        _check_bath(problems, options, motion)
    else:
        noise = "without electrons, whose noise is that of a SlowSimulation"
        usual = {"start": "the default without electrons, who alone have a start"}
        _check_usual(problems, options, usual | {"temperature": f"0 {noise}", "seed": f"left out {noise}"})
        _check_alone(problems, options)
    name, fixed = options.integrator, [m.name for m in METHODS.values() if m.errors.size == 0]
    if name in fixed and options.step is None:
        problems.add("step", None, f"a number > 0, in fs, with integrator = {name!r}, which has no step control")
    if system is not None:
        _check_start(problems, options.start, system)
        _check_density_matrix(problems, options, 2 * system.n_sites)


def _check_usual(problems: Problems, options: RunOptions, allowed: dict[str, str]) -> None:
    """Note options that are not the default where nothing else has a meaning, unless they are noted already."""
    for name, words in allowed.items():
        if not problems.has(name):
            problems.check(options.is_usual(name), name, getattr(options, name), words)


def _check_alone(problems: Problems, options: RunOptions) -> None:
    """What moments without electrons may not say."""
    usual = "the default without electrons"
    words = {"electrons": usual, "response": usual, "observables": "none without electrons"}
    none = dict.fromkeys(("initial_density_matrix", "threads"), "None without electrons")
    _check_usual(problems, options, words | none)


def _check_start(problems: Problems, start: str, system: OpenSystem) -> None:
    """start against the system: its leads, their occupations and the temperature."""
    for p in system.coupled_leads:
        own = getattr(system.leads[p], "kT", None)
        field, kT = ("system.kT", system.kT) if own is None else (f"system.leads[{p}].kT", own)
        if kT == 0 and not problems.has(field):
            problems.add(field, kT, "> 0 with leads: the Fermi function is expanded in poles at distance "
                         "pi kT from the real axis (the rotating frame has kT = 0)")  # fmt: skip
    if start == "steady" and system.is_closed:
        problems.add("start", start, "'thermal' or 'partitioned' for a closed system, which never settles")
    if start == "thermal" and system.common_chemical_potential() is None:
        mu = system.chemical_potentials().tolist()
        differ = f"'steady' or 'partitioned' when the leads differ at t = 0: {mu} eV"
        problems.add("start", start, differ + _later_pulses(system))
    elif start == "thermal" and system.common_temperature is None:
        differ = f"'steady' or 'partitioned' with leads of different kT: {system.temperatures().tolist()} eV"
        problems.add("start", start, differ)


def _check_density_matrix(problems: Problems, options: RunOptions, size: int) -> None:
    """initial_density_matrix: Hermitian, occupations from 0 to 1, for start = "partitioned" alone."""
    name, given = "initial_density_matrix", options.initial_density_matrix
    if given is None:
        return
    problems.check(options.start == "partitioned", name, "given", "start = 'partitioned' with it")
    rho = problems.array(name, given, (size, size), f"a ({size}, {size}) Hermitian matrix", complex)
    if rho is None:
        return
    if problems.check(bool(np.abs(rho - rho.conj().T).max() < 1e-12), name, "not Hermitian", "a Hermitian matrix"):
        levels = np.linalg.eigvalsh(rho)
        inside = levels[0] > -1e-10 and levels[-1] < 1 + 1e-10
        problems.check(inside, name, f"eigenvalues {levels[0]:.3g} .. {levels[-1]:.3g}", "0 to 1")


def check_slow(
    problems: Problems, options: RunOptions, system: OpenSystem | None, magnet: Magnet | None, has_electrons: bool
) -> None:
    """A run of slow moments, with or without noise."""
    if not has_electrons:
        _check_alone(problems, options)
    usual = {"start": "'thermal' with slow electrons, which begin in the stationary state of their leads"}
    none = dict.fromkeys(("initial_density_matrix", "threads"), "None with slow electrons")
    _check_usual(problems, options, usual | none)
    kinds = ("auto", "dop853") if options.step is None else ("auto",)
    if not problems.has("integrator"):
        method = "slow moments: dop853 if adaptive; with a fixed step order 4, or Heun's rotation with noise"
        allowed = f"{' or '.join(map(repr, kinds))} ({method})"
        problems.check(options.integrator in kinds, "integrator", options.integrator, allowed)
    if has_electrons and not problems.has("response"):
        named = tuple(options.response)
        problems.check(named != ("bias",), "response", named, "with 'geometric' or 'friction', of which it is a part")
    if system is not None:
        check_static(problems, system)
    if magnet is not None:
        _check_copies(problems, options, magnet.n_sites)
    if not problems.has("temperature"):
        _check_noise(problems, options, system)
        if magnet is not None and not problems.has("response") and not (has_electrons and system is None):
            _check_friction(problems, options, system, magnet)


def _check_copies(problems: Problems, options: RunOptions, n_sites: int) -> None:
    noisy = options.is_noisy
    many = "an integer >= 1" if noisy else "1 without a temperature: all copies would be the same"
    copies = problems.integer("copies", options.copies, many, lambda n: n == 1 or (noisy and n > 1))
    needed, there = COPY_BYTES * (copies or 0) * n_sites, memory_of_machine()
    value = f"{copies}, which need {needed / 2**30:.3g} GiB"
    allowed = f"copies that fit into the {there / 2**30:.3g} GiB of this machine"
    problems.check(needed <= there, "copies", value, allowed)


def _check_noise(problems: Problems, options: RunOptions, system: OpenSystem | None) -> None:
    """temperature, seed and step of a Langevin run."""
    kT, biased = options.temperature, system is not None and not system.in_equilibrium()
    friction = not problems.has("response") and "friction" in options.response
    own_noise = biased and friction and options.seed is not None
    _check_seed(problems, options, own_noise)
    if not (kT > 0 or own_noise):
        return
    if options.step is None:
        problems.add("step", None, "a number > 0, in fs, with a temperature: noise has no step control")
    if system is not None and not biased:
        own = system.mean_temperature  # of the coupled leads, which have one
        name = "system.kT" if own == system.kT else "kT of the leads"
        allowed = f"{name} = {own}: friction and its noise have one temperature"
        problems.check(abs(own - kT) <= 1e-12 * kT, "temperature", kT, allowed)


def _check_seed(problems: Problems, options: RunOptions, own_noise: bool = False) -> None:
    """A seed where something is random, and only there; `own_noise`: of biased electrons, without a temperature."""
    if problems.has("seed"):
        return
    if options.temperature > 0 or own_noise:
        allowed = "an integer from 0 to 2^64 - 1 with a temperature"
        problems.integer("seed", options.seed, allowed, lambda seed: 0 <= seed < 2**64)
    else:
        problems.check(options.seed is None, "seed", options.seed, "left out without a temperature: nothing is random")


def _check_bath(problems: Problems, options: RunOptions, motion: Any) -> None:
    """temperature and seed of a run of full electrons: noise comes from the damping of moments that answer."""
    if problems.has("temperature"):
        return
    _check_seed(problems, options)
    if options.temperature > 0 and motion is not None:
        free = isinstance(motion, Magnet)
        damped = free and bool(np.any(np.asarray(motion.damping)[motion.moving] > 0))
        damping = "damping, whose noise it is: full electrons have their own"
        why = damping if free else "a Magnet, which noise can move"
        problems.check(damped, "temperature", options.temperature, f"0 without {why}")


def _check_friction(problems: Problems, options: RunOptions, system: OpenSystem | None, magnet: Magnet) -> None:
    """Noise comes from damping or friction; under bias `temperature` is that of the damping alone."""
    kT, biased = options.temperature, system is not None and not system.in_equilibrium()
    damped = bool(np.any(np.asarray(magnet.damping)[magnet.moving] > 0))
    friction = system is not None and not system.is_closed and "friction" in options.response
    if biased and friction and not damped:
        assert system is not None
        own = system.mean_temperature
        allowed = f"0, or the leads' mean {own:g}, without damping: under bias electrons bring the noise of their leads"
        problems.check(kT == 0 or abs(own - kT) <= 1e-12 * own, "temperature", kT, allowed)
    dissipates = damped or friction or not options.is_noisy
    allowed = "0 without damping or friction, which noise comes from"
    problems.check(dissipates, "temperature", kT, allowed)


def check_memory(problems: Problems, n_sites: int, field: str = "system") -> bool:
    """Note a number of sites whose electrons do not fit into this machine; returns whether they do."""
    remedy = "fewer sites, or moments without electrons"
    return problems.memory(field, n_sites, STATE_VECTORS, remedy)


def _later_pulses(system: OpenSystem) -> str:
    """The remedy where a pulse has begun before t = 0: its least center."""
    begun = {
        p: drive for p, lead in enumerate(system.leads) for drive in lead.drives()
        if isinstance(drive, Pulse) and drive.discontinuities[0] < 0
    }  # fmt: skip
    return "".join(
        f"; or system.leads[{p}].voltage.center >= {np.ceil(100 * REACH * pulse.width) / 100:g} fs: a Pulse is exactly "
        f"its offset {REACH:.2f} widths from its center"
        for p, pulse in begun.items()
    )
