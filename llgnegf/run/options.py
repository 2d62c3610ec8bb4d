"""The options of a run and what they demand of each other, for `simulate` and for input files alike.

Imports nothing that takes long: a wrong input file is answered before the propagator is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from llgnegf._checks import Problems, memory_of_machine
from llgnegf.integrators.schedule import Schedule
from llgnegf.problem.drives import REACH, Drive, Pulse
from llgnegf.problem.magnetism.magnet import Magnet, torque_prefactor
from llgnegf.problem.magnetism.motion import Precession, Prescribed
from llgnegf.problem.magnetism.torques import Amplitudes
from llgnegf.problem.plausibility import largest_energy
from llgnegf.problem.system import OpenSystem, check_equilibrium
from llgnegf.units import HBAR

STARTS = ("thermal", "steady", "partitioned")
INTEGRATORS = ("auto", "dop853", "rk4", "ark5")
OBSERVABLES = ("adiabatic",)
ELECTRONS = ("full", "adiabatic")
RESPONSES = ("geometric", "friction")


FINEST_LEADS = 3e-10
"""Smallest rtol with leads: the most accurate entry of the table of lead poles."""


MOST_ROWS, MOST_STEPS = 10**7, 10**9
"""Rows and fixed steps of one run: beyond them it would not end, or fill the disk."""
LONGEST_RUN = 1e12
"""fs: a millisecond, beyond any integrator of electrons or of moments that turn."""
COPY_BYTES = 240
"""Memory of a moment of a copy: ten vectors."""
STATE_VECTORS = 20
"""Vectors of the size of the density matrix that a run of the full electrons holds: those of the integrator."""


def check_times(problems: Problems, options: Mapping[str, Any]) -> None:
    """t_end, save_every and step: numbers by themselves, and no more rows or steps than can be made."""
    allowed = f"a finite number > 0, in fs, at most {LONGEST_RUN:g}"
    t_end = problems.number("t_end", options["t_end"], allowed, lambda t: 0 < t <= LONGEST_RUN)
    limit = t_end if t_end > 0 else np.inf
    allowed = "a number > 0 and <= t_end, in fs"
    every = problems.number("save_every", options["save_every"], allowed, lambda t: 0 < t <= limit)
    if 0 < every < t_end / MOST_ROWS:
        problems.add("save_every", every, f"at most {MOST_ROWS} rows, t_end/save_every")
    if options["step"] is not None:
        step = problems.number("step", options["step"], "None (adaptive) or a number > 0, in fs", lambda h: h > 0)
        if 0 < step < t_end / MOST_STEPS:
            problems.add("step", step, f"at most {MOST_STEPS} steps, t_end/step")


def check_steps(problems: Problems, system: Any, motion: Any, options: Mapping[str, Any]) -> None:
    """t_end against the fastest of the run: drives, which all steps resolve, and what turns, which adaptive ones do.

    Silent after other mistakes.
    """
    if problems.lines:
        return
    rates = _drive_rates(system, motion, options["t_end"])
    if options["step"] is None:
        if system is not None and options.get("electrons") != "adiabatic":
            place, energy = largest_energy(system)
            rates.append((place, energy / HBAR))
        if isinstance(motion, Magnet):
            rates += _moment_rates(system, motion).items()
        elif isinstance(motion, Precession):
            rates.append(("Precession.energy", abs(motion.energy) / HBAR))
    place, rate = max(rates, key=lambda item: item[1], default=("", 0.0))
    if rate * options["t_end"] > MOST_STEPS:
        scale = f"{MOST_STEPS:g} times its time scale of {1 / rate:.3g} fs"
        problems.add("t_end", options["t_end"], f"at most {MOST_STEPS / rate:.3g} with {place}, {scale}")


def check_motion(problems: Problems, motion: Any, options: Mapping[str, Any]) -> None:
    """Moments that follow a function: unit vectors all along the run, as far as instants tell; after no mistake."""
    if problems.lines:
        return
    if isinstance(motion, Prescribed):
        problems.lines += motion.check(options["t_end"])
    if isinstance(motion, Magnet) and motion.prescribed is not None:
        problems.lines += motion.check_prescribed(options["t_end"])


def _drive_rates(system: Any, motion: Any, t_end: float) -> list[tuple[str, float]]:
    """Place and steps (1/fs) that each drive asks for, on the average over the run."""
    parts: dict[str, Iterable[Drive]] = {}
    if system is not None:
        parts |= {f"OpenSystem.leads[{p}].voltage": lead.drives() for p, lead in enumerate(system.leads)}
    if isinstance(motion, Magnet):
        parts |= {f"Magnet.energies[{k}]": term.drives() for k, term in enumerate(motion.energies)}
        parts |= {f"Magnet.torques[{k}]": torque.drives() for k, torque in enumerate(motion.torques)}
        parts["Magnet.prescribed"] = () if motion.prescribed is None else motion.prescribed[1:]
    elif isinstance(motion, Prescribed):
        parts["Prescribed.function"] = motion.drives()
    return [(place, _steps(drive, t_end) / t_end) for place, drives in parts.items() for drive in drives]


def _steps(drive: Drive, t_end: float) -> float:
    """How many steps a run makes at least to see `drive`, from what it says in the middle between discontinuities."""
    if drive.longest_step in (None, np.inf):
        return 0.0
    schedule = Schedule([drive])
    return sum((stop - start) / schedule.longest_step(0.5 * (start + stop)) for start, stop in schedule.segments(t_end))


def _moment_rates(system: Any, magnet: Magnet) -> dict[str, float]:
    """1/fs: how fast each energy, each torque and the electrons turn a moment, at most."""
    prefactor = torque_prefactor(magnet.magnetic_moment)
    rates = {
        f"Magnet.energies[{k}]": float(prefactor.max() * term.steepest(magnet.n_sites, magnet.magnetic_moment))
        for k, term in enumerate(magnet.energies)
    }
    for k, torque in enumerate(magnet.torques):
        a = Amplitudes.of([torque], magnet.n_sites, 0.0)
        largest = [np.abs(array).max() for array in (a.damping_like, a.field_like)]
        rates[f"Magnet.torques[{k}]"] = float(prefactor.max() * max(largest) + np.abs(a.drift).max())
    if system is not None:
        rates["Magnet.magnetic_moment"] = float((prefactor * np.abs(system.electrons.j_sd)).max())
    return rates


def check_memory(problems: Problems, n_sites: int, field: str = "system") -> bool:
    """Note a number of sites whose electrons do not fit into this machine; returns whether they do."""
    remedy = "fewer sites, or moments without electrons"
    return problems.memory(field, n_sites, STATE_VECTORS, remedy)


def check_accuracy(problems: Problems, system: OpenSystem | None, options: Mapping[str, Any]) -> None:
    """rtol: closed systems need no pole expansion and can be more exact than the finest one."""
    expanded = system is not None and not system.is_closed
    least = FINEST_LEADS if expanded else 1e-12
    because = " (with leads: the finest expansion in poles there is)" if expanded else ""
    problems.number("rtol", options["rtol"], f"{least:g} <= rtol <= 1e-2{because}", lambda r: least <= r <= 1e-2)


def check_method(problems: Problems, options: Mapping[str, Any]) -> None:
    """integrator, step and observables."""
    integrator, step, extra = options["integrator"], options["step"], options["observables"]
    problems.check(integrator in INTEGRATORS, "integrator", integrator, ", ".join(map(repr, INTEGRATORS)))
    if step is None and integrator == "rk4":
        problems.add("step", step, "a number > 0, in fs, with integrator = 'rk4', which has no step control")
    known = isinstance(extra, list | tuple) and all(name in OBSERVABLES for name in extra)
    problems.check(known, "observables", extra, f"a list of names; known: {', '.join(map(repr, OBSERVABLES))}")


def check_density_matrix(problems: Problems, system: OpenSystem | None, options: Mapping[str, Any]) -> None:
    """initial_density_matrix: Hermitian, occupations from 0 to 1, for start = "partitioned" alone."""
    name, given = "initial_density_matrix", options["initial_density_matrix"]
    if given is None:
        return
    if not problems.check(system is not None, name, given, "None without electrons"):
        return
    assert system is not None
    problems.check(options["start"] == "partitioned", name, "given", "start = 'partitioned' with it")
    size = 2 * system.n_sites
    rho = problems.array(name, given, (size, size), f"a ({size}, {size}) Hermitian matrix", complex)
    if rho is None:
        return
    if problems.check(bool(np.abs(rho - rho.conj().T).max() < 1e-12), name, "not Hermitian", "a Hermitian matrix"):
        levels = np.linalg.eigvalsh(rho)
        inside = levels[0] > -1e-10 and levels[-1] < 1 + 1e-10
        problems.check(inside, name, f"eigenvalues {levels[0]:.3g} .. {levels[-1]:.3g}", "0 to 1")


def check_start(problems: Problems, system: OpenSystem | None, options: Mapping[str, Any]) -> None:
    """start and observables against the system: its leads, their occupations and the temperature."""
    start = options["start"]
    if not problems.check(start in STARTS, "start", start, ", ".join(map(repr, STARTS))):
        return
    if system is None:
        problems.check(start == "thermal", "start", start, "the default without electrons, who alone have a start")
        problems.check(not options["observables"], "observables", options["observables"], "none without electrons")
        return
    if not system.is_closed and system.kT == 0:
        problems.add("system.kT", system.kT, "> 0 with leads: the Fermi function is expanded in poles at distance "
                     "pi kT from the real axis (the rotating frame has kT = 0)")  # fmt: skip
    if start == "steady" and system.is_closed:
        problems.add("start", start, "'thermal' or 'partitioned' for a closed system, which never settles")
    if start == "thermal" and system.common_chemical_potential() is None:
        differ = f"'steady' or 'partitioned' when the leads differ at t = 0: {system.chemical_potentials().tolist()} eV"
        problems.add("start", start, differ + _later_pulses(system))


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


def is_slow(has_electrons: bool, options: Mapping[str, Any]) -> bool:
    """Whether a run is one of slow moments: electrons = "adiabatic", or noise on moments alone."""
    noisy = options["temperature"] != 0 or options["seed"] is not None
    return options["electrons"] == "adiabatic" or (noisy and not has_electrons)


def check_kind(problems: Problems, has_electrons: bool, options: Mapping[str, Any]) -> None:
    """electrons, response, temperature and seed, and what the other options may be in the kind of run they choose."""
    electrons, response = options["electrons"], options["response"]
    response = tuple(response) if isinstance(response, list | tuple) else response
    problems.check(electrons in ELECTRONS, "electrons", electrons, ", ".join(map(repr, ELECTRONS)))
    if not has_electrons:
        problems.check(electrons == "full", "electrons", electrons, "the default without electrons")
        problems.check(response == RESPONSES, "response", response, "the default without electrons")
    if not is_slow(has_electrons, options):
        if has_electrons:
            allowed = "the default with electrons = 'full', which has the whole response"
            problems.check(response == RESPONSES, "response", response, allowed)
            noise = "with electrons = 'full': the noise is that of slow moments ('adiabatic') or of moments alone"
            problems.check(options["temperature"] == 0, "temperature", options["temperature"], f"0 {noise}")
            problems.check(options["seed"] is None, "seed", options["seed"], f"None {noise}")
        return
    start, integrator = options["start"], options["integrator"]
    problems.check(start == "thermal", "start", start, "'thermal' with slow electrons, which are in equilibrium")
    rho = options["initial_density_matrix"]
    problems.check(rho is None, "initial_density_matrix", "was given", "None with slow electrons")
    kinds = ("auto", "dop853") if options["step"] is None else ("auto",)
    method = "slow moments: dop853 if adaptive; with a fixed step order 4, or Heun's rotation with noise"
    problems.check(integrator in kinds, "integrator", integrator, f"{' or '.join(map(repr, kinds))} ({method})")


def check_slow_run(system: Any, magnet: Any, options: Mapping[str, Any]) -> None:
    """All options of a run of slow moments, with its system and magnet.

    Raises:
        ValueError: One line for each that is not allowed.
    """
    problems = Problems("simulate")
    problems.check(system is None or isinstance(system, OpenSystem), "system", system, "an OpenSystem, or None")
    wanted = "a Magnet: slow electrons answer free moments"
    known_magnet = problems.check(isinstance(magnet, Magnet), "motion", magnet, wanted)
    if known_magnet and isinstance(system, OpenSystem):
        sites = f"{system.n_sites}, one for each site of the electrons"
        problems.check(magnet.n_sites == system.n_sites, "motion", f"{magnet.n_sites} moments", sites)
    if isinstance(system, OpenSystem):
        check_equilibrium(problems, system)
        check_memory(problems, system.n_sites)
    check_times(problems, options)
    check_accuracy(problems, system if isinstance(system, OpenSystem) else None, options)
    response = options["response"]
    names = isinstance(response, Sequence) and not isinstance(response, str) and set(response) <= set(RESPONSES)
    problems.check(names, "response", response, "any of 'geometric' and 'friction' in a tuple; () for none")
    extra, has_electrons = options["observables"], isinstance(system, OpenSystem)
    known = isinstance(extra, list | tuple) and all(name == "adiabatic" and has_electrons for name in extra)
    problems.check(known, "observables", extra, "a list of names; known: 'adiabatic', with electrons")
    noisy = options["temperature"] != 0
    many = "an integer >= 1" if noisy else "1 without a temperature: all copies would be the same"
    copies = problems.integer("copies", options["copies"], many, lambda n: n == 1 or (noisy and n > 1))
    if known_magnet and copies is not None:
        needed, there = COPY_BYTES * copies * magnet.n_sites, memory_of_machine()
        value = f"{copies}, which need {needed / 2**30:.3g} GiB"
        allowed = f"copies that fit into the {there / 2**30:.3g} GiB of this machine"
        problems.check(needed <= there, "copies", value, allowed)
    if names:
        check_noise(problems, system, magnet, options)
    check_steps(problems, system, magnet, {**options, "electrons": "adiabatic"})
    check_motion(problems, magnet, options)
    problems.raise_all()


def check_noise(problems: Problems, system: Any, magnet: Any, options: Mapping[str, Any]) -> None:
    """Note what is wrong with temperature, seed and step of a Langevin run."""
    temperature, seed = options["temperature"], options["seed"]
    kT = problems.number("temperature", temperature, "0, or a number > 0 in eV", lambda x: x >= 0)
    if not kT > 0:
        problems.check(seed is None, "seed", seed, "None without a temperature: nothing is random")
        return
    problems.integer("seed", seed, "an integer >= 0 with a temperature", lambda s: 0 <= s < 2**64)
    if options["step"] is None:
        problems.add("step", None, "a number > 0, in fs, with a temperature: noise has no step control")
    if isinstance(system, OpenSystem):
        same = abs(system.kT - kT) <= 1e-12 * kT
        problems.check(same, "temperature", kT, f"system.kT = {system.kT}: friction and its noise have one temperature")
    damped = isinstance(magnet, Magnet) and bool(np.any(np.asarray(magnet.damping)[magnet.moving] > 0))
    friction = isinstance(system, OpenSystem) and not system.is_closed and "friction" in options["response"]
    problems.check(damped or friction, "temperature", kT, "0 without damping or friction, which noise comes from")


def save_times(t_end: float, save_every: float) -> np.ndarray:
    """0, save_every, 2 save_every ... and t_end, in fs."""
    count = int(np.floor(t_end / save_every * (1 + 1e-12)))
    times = save_every * np.arange(count + 1)
    if t_end - times[-1] > 1e-9 * save_every:
        times = np.append(times, t_end)
    return times
