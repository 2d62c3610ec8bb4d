"""Values that are allowed but make no sense beside the others: the rules, and the warning that names the unit meant.

Mistakes are refused by the objects themselves; what is only doubtful is warned of here, in Python when an object is
made or used, for an input file when it is read. All limits are factors of what stands beside the value, a decade or
two above what anyone would compute, since a unit mistaken for another is off by three decades or more.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf.problem.drives import Pulse, Ramp, Sine, Table
from llgnegf.units import MU_B

if TYPE_CHECKING:
    from llgnegf.problem.magnetism.magnet import Magnet
    from llgnegf.problem.system import OpenSystem

BOLTZMANN = 8.617333262e-5
"""eV/K (CODATA 2018)."""
JOULE = 1.602176634e-19
"""One eV in J."""
MOMENT_SI = MU_B * JOULE
"""One Bohr magneton in J/T."""

FAR = 100.0
"""Hoppings, couplings and broadenings this many times the others (or 1 eV) are no eV."""
NARROW = 0.03
"""eV: magnetic energies and J_sd do not shrink with narrower bands."""
STRONG_SD = 50.0
"""J_sd in units of the largest hopping; the strongest of the literature is 20."""
BEYOND = 10.0
"""Voltages and levels in units of all bands together; magnetic energies in units of the largest hopping, or of 1 eV."""
TINY = 1e-9
"""eV: no energy of a device is smaller, many are in joule."""
LARGEST_FIELD, LARGEST_MOMENT, SMALLEST_MOMENT = 1e5, 100.0, 1e-3
"""T, mu_B, mu_B."""
LARGEST_DAMPING, FASTEST_WALL = 10.0, 10.0
"""Gilbert's lambda; sites/fs or angstrom/fs (10 angstrom/fs are 1e6 m/s)."""
SHORTEST_SPACING, LONGEST_SPACING = 0.5, 1e3
"""angstrom."""
HOTTEST = 1.0
"""eV, of moments without electrons: above every Curie temperature by a factor of ten."""
SHORTEST_RUN = 1e-6
"""fs."""


class SuspiciousValueWarning(UserWarning):
    """A value makes no sense beside the others; the message names field, value and the unit probably meant.

    Python's own means turn it off: `warnings.simplefilter("ignore", llgnegf.SuspiciousValueWarning)`, or
    PYTHONWARNINGS=ignore::UserWarning for the command line.
    """


@dataclass(frozen=True)
class Doubt:
    """One value that makes no sense: where it is, what it is beside, and what it would be in other units."""

    place: str
    value: float
    beside: str
    meant: str

    def __str__(self) -> str:
        return f"{self.place}: {self.value:g}; {self.beside}; probably meant in {self.meant}"


_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """No warning for objects made meanwhile: they are warned of elsewhere, or were when first made."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def warn(doubts: Iterable[object]) -> None:
    """One `SuspiciousValueWarning` for each, at the line of the caller that is not of this package."""
    lines = [] if _silent.get() else [str(doubt) for doubt in doubts]
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "llgnegf":
        level, frame = level + 1, frame.f_back
    for line in lines:
        warnings.warn(line, SuspiciousValueWarning, stacklevel=level)


def doubts_of_run(system: OpenSystem | None, motion: Any, options: Mapping[str, Any]) -> list[Doubt]:
    """All doubts about a run: those of its parts and those that show only with the parts together."""
    from llgnegf.problem.magnetism.magnet import Magnet

    own = doubts_of_system(system) if system is not None else []
    own += doubts_of_magnet(motion) if isinstance(motion, Magnet) else []
    return own + doubts_together(system, motion) + doubts_of_options(options)


def doubts_of_system(system: OpenSystem) -> list[Doubt]:
    """kT, J_sd, hoppings, couplings, levels and voltages of one another."""
    low, high = _all_bands(system)
    width, kT = high - low, float(system.kT)
    found = []
    if kT >= (width or BEYOND):
        beside = f"above the width of all bands, {width:.3g} eV: every level is half filled"
        found.append(Doubt("OpenSystem.kT", kT, beside, f"K ({BOLTZMANN * kT:.3g} eV) or meV ({kT / 1e3:.3g} eV)"))
    found += _joule("OpenSystem.kT", kT)
    j_sd, hopping = _largest(system.electrons.j_sd), _largest_hopping(system)
    if j_sd >= STRONG_SD * max(hopping or 1.0, NARROW):
        beside = f"{STRONG_SD:g} times the largest hopping, {hopping or 1.0:.3g} eV, or more"
        found.append(_milli("OpenSystem.electrons.j_sd", j_sd, beside))
    found += _joule("OpenSystem.electrons.j_sd", j_sd) + _hoppings(system) + _levels(system, low, high)
    return found


def doubts_of_magnet(magnet: Magnet) -> list[Doubt]:
    """Moments, damping, fields, spacings, currents, and energies that are no eV whatever stands beside them."""
    moment, damping = magnet.magnetic_moment, _largest(magnet.damping)
    found = _strengths(magnet, BEYOND, np.inf, f"{BEYOND:g} eV or more")
    if moment.max() > LARGEST_MOMENT:
        beside = f"over {LARGEST_MOMENT:g} Bohr magnetons on one site"
        found.append(Doubt("Magnet.magnetic_moment", float(moment.max()), beside, "A/m, a magnetisation"))
    if moment.min() < SMALLEST_MOMENT:
        beside = f"below {SMALLEST_MOMENT:g} Bohr magnetons"
        meant = f"J/T ({moment.min() / MOMENT_SI:.3g} mu_B)"
        found.append(Doubt("Magnet.magnetic_moment", float(moment.min()), beside, meant))
    if damping >= LARGEST_DAMPING:
        beside = "Gilbert's lambda has no unit and is below 1"
        found.append(Doubt("Magnet.damping", damping, beside, "1/s, Landau and Lifshitz' rate"))
    for k, term in enumerate(magnet.energies):
        found += _field(f"Magnet.energies[{k}]", term) + _spacing(f"Magnet.energies[{k}]", term)
    for k, torque in enumerate(magnet.torques):
        found += _current(f"Magnet.torques[{k}]", torque) + _spacing(f"Magnet.torques[{k}]", torque)
    return found


def doubts_together(system: OpenSystem | None, motion: Any) -> list[Doubt]:
    """Magnetic energies beside the hoppings, the quantum of a precession beside the bands."""
    from llgnegf.problem.magnetism.magnet import Magnet
    from llgnegf.problem.magnetism.motion import Precession

    if system is None:
        return []
    hopping, (low, high) = _largest_hopping(system), _all_bands(system)
    if isinstance(motion, Magnet) and hopping > 0:
        beside = f"{BEYOND:g} times the largest hopping, {hopping:.3g} eV, or more"
        return _strengths(motion, BEYOND * min(max(hopping, NARROW), 1.0), BEYOND, beside)
    if isinstance(motion, Precession):
        return doubts_of_rotation("Precession.energy", motion.energy, high - low)
    return []


def doubts_of_rotation(place: str, energy: float, width: float) -> list[Doubt]:
    """hbar w beside the width of all bands."""
    if abs(energy) < (width or BEYOND):
        return []
    return [_milli(place, energy, f"hbar w above the width of all bands, {width:.3g} eV")]


def doubts_of_frame(frame: Any) -> list[Doubt]:
    """hbar w of a `RotatingFrame`."""
    low, high = _all_bands(frame.system)
    return doubts_of_rotation("RotatingFrame.energy", frame.energy, high - low)


def doubts_of_options(options: Mapping[str, Any]) -> list[Doubt]:
    """Times and temperature of a run."""
    found = []
    for name in ("t_end", "step"):
        time = options.get(name)
        if time is not None and 0 < time < SHORTEST_RUN:
            beside = f"below {SHORTEST_RUN:g} fs nothing moves"
            found.append(Doubt(f"simulate.{name}", time, beside, f"s ({time * 1e15:.3g} fs)"))
    temperature = options.get("temperature") or 0.0
    if temperature >= HOTTEST:
        beside = "a thermal energy above every Curie temperature"
        meant = f"K ({BOLTZMANN * temperature:.3g} eV)"
        found.append(Doubt("simulate.temperature", temperature, beside, meant))
    return found


def in_file(doubt: Doubt, electrons: str = "hopping") -> str:
    """The line of a doubt with the path of an input file; `electrons` is the key that holds the Hamiltonian."""
    return str(Doubt(place_in_file(doubt.place, electrons), doubt.value, doubt.beside, doubt.meant))


def place_in_file(place: str, electrons: str = "hopping") -> str:
    """A field of an object as the path in an input file; also within a line of text."""
    place = place.replace("electrons.hamiltonian", f"electrons.{electrons}")
    for pattern, path in _PATHS:
        place = re.sub(pattern, path, place)
    return place


def largest_energy(system: OpenSystem) -> tuple[str, float]:
    """Place and magnitude (eV) of the largest energy of a system, which sets the range of its spectrum."""
    found = {
        "OpenSystem.electrons.hamiltonian": _largest(system.electrons.hamiltonian.data),
        "OpenSystem.electrons.j_sd": _largest(system.electrons.j_sd),
    }
    for p, lead in enumerate(system.leads):
        for name in ("hopping", "coupling", "broadening", "onsite", "voltage"):
            found[f"OpenSystem.leads[{p}].{name}"] = _largest_in_time(getattr(lead, name, None))
    return max(found.items(), key=lambda item: item[1])


_PATHS = (
    (r"\bOpenSystem\.electrons\.", "electrons."), (r"\bOpenSystem\.leads\[(\d+)\]", r"lead.\1"),
    (r"\bOpenSystem\.", "system."), (r"\bMagnet\.energies\[(\d+)\]", r"energy.\1"),
    (r"\bMagnet\.torques\[(\d+)\]", r"torque.\1"), (r"\bMagnet\.", "magnet."), (r"\bPrecession\.", "motion."),
    (r"\bsimulate\.", "run."),
)  # fmt: skip


def _hoppings(system: OpenSystem) -> list[Doubt]:
    """Hoppings, couplings and broadenings beside those of the rest of the system."""
    device = _device_hopping(system)
    chains = [_largest(lead.hopping) for lead in system.leads if hasattr(lead, "hopping")]
    found = _beside("OpenSystem.electrons.hamiltonian", device, max(chains, default=1.0), "the leads' hopping")
    for p, lead in enumerate(system.leads):
        for name in ("hopping", "coupling", "broadening"):
            value = getattr(lead, name, None)
            if value is not None and np.ndim(value) == 0:
                place = f"OpenSystem.leads[{p}].{name}"
                own = _largest(getattr(lead, "hopping", 0.0)) if name == "coupling" else 0.0
                found += _beside(place, abs(value), max(device, own) or 1.0, "the hopping beside it")
    return found


def _beside(place: str, value: float, other: float, what: str) -> list[Doubt]:
    large = [_milli(place, value, f"{FAR:g} times {what}, {other:.3g} eV, or more")] if value >= FAR * other else []
    return large + _joule(place, value)


def _levels(system: OpenSystem, low: float, high: float) -> list[Doubt]:
    """Fermi energy, chemical potentials and voltages beside the bands."""
    width = max(high - low, TINY)
    levels = {"OpenSystem.fermi_energy": system.fermi_energy}
    levels |= {
        f"OpenSystem.leads[{p}].chemical_potential": lead.chemical_potential
        for p, lead in enumerate(system.leads) if lead.chemical_potential is not None
    }  # fmt: skip
    found = [
        _milli(place, value, f"far from all bands, {low:.3g} to {high:.3g} eV")
        for place, value in levels.items() if max(low - value, value - high) >= BEYOND * width
    ]  # fmt: skip
    for p, lead in enumerate(system.leads):
        voltage = _largest_in_time(getattr(lead, "voltage", None))
        if voltage >= BEYOND * width:
            beside = f"over {BEYOND:g} times the width of all bands, {width:.3g} eV"
            found.append(_milli(f"OpenSystem.leads[{p}].voltage", voltage, beside))
    return found


def _strengths(magnet: Magnet, least: float, below: float, beside: str) -> list[Doubt]:
    """Constants in eV of energies and torques from `least` to `below`; in joule where no limit is given."""
    found = []
    for group in ("energies", "torques"):
        for k, term in enumerate(getattr(magnet, group)):
            for name, value in _constants(term):
                place = f"Magnet.{group}[{k}].{name}"
                if least <= value < below:
                    found.append(_milli(place, value, beside))
                found += _joule(place, value) if below == np.inf else []
    return found


def _constants(term: Any) -> Iterator[tuple[str, float]]:
    """Name and largest magnitude of each constant in eV of an energy term or torque."""
    for name in ("J", "K", "K1", "D", "damping_like", "field_like"):
        if getattr(term, name, None) is not None:
            yield name, _largest_in_time(getattr(term, name))
    pairs = getattr(term, "pairs", None)
    if pairs is not None:
        yield "pairs", _largest(pairs if isinstance(pairs, np.ndarray) else [strength for _, _, strength in pairs])


def _field(place: str, term: Any) -> list[Doubt]:
    value = _largest_in_time(getattr(term, "B", None))
    if value <= LARGEST_FIELD:
        return []
    beside = f"a field over {LARGEST_FIELD:g} T"
    return [Doubt(f"{place}.B", value, beside, f"Oe ({1e-4 * value:.3g} T) or A/m ({4e-7 * np.pi * value:.3g} T)")]


def _spacing(place: str, term: Any) -> list[Doubt]:
    value = getattr(term, "spacing", None)
    if value is None or SHORTEST_SPACING <= value <= LONGEST_SPACING:
        return []
    unit, angstrom = ("pm", 0.01) if value > 1 else ("m", 1e10) if value < 1e-6 else ("nm", 10.0)
    meant = f"{unit} ({angstrom * value:.3g} angstrom)"
    return [Doubt(f"{place}.spacing", value, "no lattice constant in angstrom", meant)]


def _current(place: str, torque: Any) -> list[Doubt]:
    value = _largest_in_time(getattr(torque, "velocity", None))
    if value < FASTEST_WALL:
        return []
    beside = "faster than electrons"
    return [Doubt(f"{place}.velocity", value, beside, f"m/s ({1e-5 * value:.3g} angstrom/fs)")]


def _milli(place: str, value: float, beside: str) -> Doubt:
    return Doubt(place, value, beside, f"meV ({1e-3 * value:.3g} eV)")


def _joule(place: str, value: float) -> list[Doubt]:
    if not 0 < value < TINY:
        return []
    return [Doubt(place, value, f"below {TINY:g} eV", f"J ({value / JOULE:.3g} eV)")]


def _all_bands(system: OpenSystem) -> tuple[float, float]:
    """Lowest and highest energy of device and leads (eV), by Gershgorin's circles and the leads' supports."""
    electrons = system.electrons
    matrix = electrons.hamiltonian
    diagonal = matrix.diagonal().real
    radius = np.asarray(abs(matrix).sum(axis=1)).ravel() - abs(diagonal) + np.repeat(abs(electrons.j_sd), 2)
    low, high = float((diagonal - radius).min()), float((diagonal + radius).max())
    for channel in (channel for channels in system.lead_channels for channel in channels):
        bottom, top = channel.spectrum.support
        if not np.isfinite(bottom + top):
            half = 0.5 * float(channel.spectrum.broadening(0.0))
            bottom, top = low - half, high + half
        low, high = min(low, bottom), max(high, top)
    return low, high


def _device_hopping(system: OpenSystem) -> float:
    return _largest(system.electrons.hopping_blocks)


def _largest_hopping(system: OpenSystem) -> float:
    """Largest energy (eV) that moves electrons: hoppings of device and leads, wide-band broadenings."""
    leads = [getattr(lead, name, 0.0) for lead in system.leads for name in ("hopping", "broadening")]
    return max([_device_hopping(system), *(_largest(value) for value in leads)])


def _largest(values: Any) -> float:
    """Largest magnitude; 0 for nothing."""
    return float(np.abs(np.asarray(values)).max(initial=0.0))


def _largest_in_time(value: Any) -> float:
    """Largest magnitude of a constant, or of a `Drive` over its course; of an own function at t = 0."""
    if value is None:
        return 0.0
    if not callable(value):
        return _largest(value)
    instants = [0.0]
    if isinstance(value, Table):
        return _largest(value.values)
    if isinstance(value, Ramp):
        instants.append(value.start + value.duration)
    elif isinstance(value, Pulse):
        instants.append(value.center)
    elif isinstance(value, Sine):
        instants += [value.period * k / 8 for k in range(1, 8)]
    return max(_largest(value(t)) for t in instants)
