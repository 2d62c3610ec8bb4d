"""Values that are allowed but make no sense beside the others: the rules, and the warning that names the unit meant.

Mistakes are refused by the objects themselves; what is only doubtful is warned of here, in Python when an object is
made or used, for an input file when it is read. All limits are factors of what stands beside the value, a decade or
two above what anyone would compute, since a unit mistaken for another is off by three decades or more.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llgnegf._checks import Path, python_place
from llgnegf.problem.arguments import quantities
from llgnegf.problem.drives import largest
from llgnegf.units import MU_B

if TYPE_CHECKING:
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
    """Value that makes no sense beside the others; the message names field, value and the unit probably meant.

    Python's own means turn it off: `warnings.simplefilter("ignore", llgnegf.SuspiciousValueWarning)`, or
    PYTHONWARNINGS=ignore::UserWarning for the command line.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     system = ln.OpenSystem(ln.chain(2), [ln.ChainLead(0)], kT=300.0)
    >>> print(str(told[0].message).split("; ")[2])
    probably meant in K (0.0259 eV) or meV (0.3 eV)
    """


@dataclass(frozen=True)
class Doubt:
    """One value that makes no sense: where it is, what it is beside, and what it would be in other units."""

    path: Path
    value: float
    beside: str
    meant: str

    def __str__(self) -> str:
        return self.line(python_place)

    def line(self, place: Callable[[Path], str]) -> str:
        """The doubt in one line, with places as `place` writes them."""
        return f"{place(self.path)}: {self.value:g}; {self.beside}; probably meant in {self.meant}"


_silent: ContextVar[bool] = ContextVar("silent", default=False)
_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)


@contextmanager
def silent() -> Iterator[None]:
    """No warning for objects made meanwhile: they are warned of elsewhere, or were when first made."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def caller_level() -> int:
    """`stacklevel` with which the calling function warns at the line of the caller that is not of this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "llgnegf":
        level, frame = level + 1, frame.f_back
    return level


def say(line: str, category: type[Warning] = UserWarning) -> None:
    """A warning at the line of the caller that is not of this package, which `heard` keeps too."""
    if (kept := _heard.get()) is not None:
        kept.append(line)
    warnings.warn(line, category, stacklevel=caller_level())


@contextmanager
def heard() -> Iterator[list[str]]:
    """What `say` and `warn` say meanwhile, beside the warnings themselves."""
    kept: list[str] = []
    token = _heard.set(kept)
    try:
        yield kept
    finally:
        _heard.reset(token)


def warn(doubts: Iterable[object]) -> None:
    """One `SuspiciousValueWarning` for each, unless `silent`."""
    for doubt in () if _silent.get() else doubts:
        say(str(doubt), SuspiciousValueWarning)


def doubts_of_run(system: OpenSystem | None, motion: Any, options: Mapping[str, Any]) -> list[Doubt]:
    """All doubts about a run: those of its parts and those that show only with the parts together."""
    own = doubts_of_system(system) if system is not None else []
    own += doubts_of_magnet(motion) if hasattr(motion, "magnetic_moment") else []
    return own + doubts_together(system, motion) + doubts_of_options(options)


def doubts_of_system(system: OpenSystem) -> list[Doubt]:
    """kT, J_sd, hoppings, couplings, levels and voltages of one another."""
    low, high = _all_bands(system)
    width, kT = high - low, float(system.kT)
    found = []
    if kT >= (width or BEYOND):
        beside = f"above the width of all bands, {width:.3g} eV: every level is half filled"
        meant = f"K ({BOLTZMANN * kT:.3g} eV) or meV ({kT / 1e3:.3g} eV)"
        found.append(Doubt(("OpenSystem", "kT"), kT, beside, meant))
    found += _joule(("OpenSystem", "kT"), kT)
    place, j_sd, hopping = ("OpenSystem", "electrons", "j_sd"), _coupling(system), _hopping(system)
    if j_sd >= STRONG_SD * max(hopping or 1.0, NARROW):
        beside = f"{STRONG_SD:g} times the largest hopping, {hopping or 1.0:.3g} eV, or more"
        found.append(_milli(place, j_sd, beside))
    return found + _joule(place, j_sd) + _doubts_of_hoppings(system) + _doubts_of_levels(system, low, high)


def doubts_of_magnet(magnet: Any) -> list[Doubt]:
    """Moments, damping, fields, spacings, currents, and energies that are no eV whatever stands beside them."""
    least, most, damping = magnet.magnetic_moment.min(), magnet.magnetic_moment.max(), largest(magnet.damping)
    found = _strengths(magnet, BEYOND, np.inf, f"{BEYOND:g} eV or more")
    place: Path = ("Magnet", "magnetic_moment")
    if most > LARGEST_MOMENT:
        beside = f"over {LARGEST_MOMENT:g} Bohr magnetons on one site"
        found.append(Doubt(place, float(most), beside, "A/m, a magnetisation"))
    if least < SMALLEST_MOMENT:
        meant = f"J/T ({least / MOMENT_SI:.3g} mu_B)"
        found.append(Doubt(place, float(least), f"below {SMALLEST_MOMENT:g} Bohr magnetons", meant))
    if damping >= LARGEST_DAMPING:
        beside = "Gilbert's lambda has no unit and is below 1"
        found.append(Doubt(("Magnet", "damping"), damping, beside, "1/s, Landau and Lifshitz' rate"))
    for place, unit, value in _of_terms(magnet):
        if unit == "T" and value > LARGEST_FIELD:
            meant = f"Oe ({1e-4 * value:.3g} T) or A/m ({4e-7 * np.pi * value:.3g} T)"
            found.append(Doubt(place, value, f"a field over {LARGEST_FIELD:g} T", meant))
        if unit == "angstrom" and not SHORTEST_SPACING <= value <= LONGEST_SPACING:
            other, angstrom = ("pm", 0.01) if value > 1 else ("m", 1e10) if value < 1e-6 else ("nm", 10.0)
            meant = f"{other} ({angstrom * value:.3g} angstrom)"
            found.append(Doubt(place, value, "no lattice constant in angstrom", meant))
        if unit.startswith("sites/fs") and value >= FASTEST_WALL:
            meant = f"m/s ({1e-5 * value:.3g} angstrom/fs)"
            found.append(Doubt(place, value, "faster than electrons", meant))
    return found


def doubts_together(system: OpenSystem | None, motion: Any) -> list[Doubt]:
    """Magnetic energies beside the hoppings, the quantum of a precession beside the bands."""
    if system is None:
        return []
    hopping = _hopping(system)
    beside = f"{BEYOND:g} times the largest hopping, {hopping:.3g} eV, or more"
    least = BEYOND * min(max(hopping, NARROW), 1.0) if hopping > 0 else np.inf
    found = _strengths(motion, least, BEYOND, beside)
    turning = [((type(motion).__name__, name), value) for name, unit, value in quantities(motion) if unit == "eV"]
    return found + [doubt for place, quantum in turning for doubt in _doubts_of_rotation(system, place, quantum)]


def doubts_of_frame(frame: Any) -> list[Doubt]:
    """hbar w of a `RotatingFrame`."""
    return _doubts_of_rotation(frame.system, ("RotatingFrame", "energy"), frame.energy)


def _doubts_of_rotation(system: OpenSystem, place: Path, quantum: float) -> list[Doubt]:
    """hbar w beside the width of all bands."""
    low, high = _all_bands(system)
    if abs(quantum) < (high - low or BEYOND):
        return []
    return [_milli(place, quantum, f"hbar w above the width of all bands, {high - low:.3g} eV")]


def doubts_of_options(options: Mapping[str, Any]) -> list[Doubt]:
    """Times and temperature of a run."""
    found = []
    for name in ("t_end", "step"):
        time = options.get(name)
        if time is not None and 0 < time < SHORTEST_RUN:
            beside = f"below {SHORTEST_RUN:g} fs nothing moves"
            found.append(Doubt(("simulate", name), time, beside, f"s ({time * 1e15:.3g} fs)"))
    temperature = options.get("temperature") or 0.0
    if temperature >= HOTTEST:
        beside, meant = "a thermal energy above every Curie temperature", f"K ({BOLTZMANN * temperature:.3g} eV)"
        found.append(Doubt(("simulate", "temperature"), temperature, beside, meant))
    return found


def _coupling(system: OpenSystem) -> float:
    """Largest J_sd (eV), as far as that is known of a function of time."""
    electrons = system.electrons
    return largest(electrons.j_sd) if electrons.j_drive is None else electrons.j_drive.largest


def largest_energy(system: OpenSystem) -> tuple[Path, float]:
    """Place and magnitude (eV) of the largest energy of a system, which sets the range of its spectrum."""
    found: dict[Path, float] = {
        ("OpenSystem", "electrons", "hamiltonian"): largest(system.electrons.device.elements(0.0)),
        ("OpenSystem", "electrons", "j_sd"): _coupling(system),
    }
    for p in range(len(system.leads)):
        found |= {place: value for place, value in _of_lead(system, p).items() if place[-1] != "chemical_potential"}
    return max(found.items(), key=lambda item: item[1])


def _of_lead(system: OpenSystem, p: int) -> dict[Path, float]:
    """Place and largest magnitude of every energy (eV) of a lead."""
    energies = {name: value for name, unit, value in quantities(system.leads[p]) if unit == "eV"}
    return {("OpenSystem", "leads", p, name): largest(value) for name, value in energies.items()}


def _of_terms(magnet: Any) -> Iterator[tuple[Path, str, float]]:
    """Place, unit and largest magnitude of every quantity of energy terms and torques."""
    for group in ("energies", "torques"):
        for k, term in enumerate(getattr(magnet, group, ())):
            for name, unit, value in quantities(term):
                if unit:
                    yield ("Magnet", group, k, name), unit, largest(value)


def _strengths(magnet: Any, least: float, below: float, beside: str) -> list[Doubt]:
    """Constants in eV of energies and torques from `least` to `below`; in joule where no limit is given."""
    found = []
    for place, unit, value in _of_terms(magnet):
        if unit == "eV":
            found += [_milli(place, value, beside)] if least <= value < below else []
            found += _joule(place, value) if below == np.inf else []
    return found


def _doubts_of_hoppings(system: OpenSystem) -> list[Doubt]:
    """Hoppings, couplings and broadenings beside those of the rest of the system."""
    device = largest(system.electrons.hopping_blocks)
    leads = [{str(place[-1]): (place, value) for place, value in _of_lead(system, p).items()}
             for p in range(len(system.leads))]  # fmt: skip
    chains = [lead["hopping"][1] for lead in leads if "hopping" in lead]
    place = ("OpenSystem", "electrons", "hamiltonian")
    found = _beside(place, device, max(chains, default=1.0), "the leads' hopping")
    for lead in leads:
        own = lead["hopping"][1] if {"coupling", "hopping"} <= set(lead) else 0.0
        for name, other in (("hopping", device), ("coupling", max(device, own)), ("broadening", device)):
            if name in lead and "energies" not in lead:  # a table has its own scale
                found += _beside(*lead[name], other or 1.0, "the hopping beside it")
    return found


def _beside(place: Path, value: float, other: float, what: str) -> list[Doubt]:
    large = [_milli(place, value, f"{FAR:g} times {what}, {other:.3g} eV, or more")] if value >= FAR * other else []
    return large + _joule(place, value)


def _doubts_of_levels(system: OpenSystem, low: float, high: float) -> list[Doubt]:
    """Fermi energy, chemical potentials and voltages beside the bands."""
    width, found = max(high - low, TINY), []
    levels: dict[Path, Any] = {("OpenSystem", "fermi_energy"): system.fermi_energy}
    for p, lead in enumerate(system.leads):
        levels["OpenSystem", "leads", p, "chemical_potential"] = lead.chemical_potential
        voltage = _of_lead(system, p).get(("OpenSystem", "leads", p, "voltage"), 0.0)
        if voltage >= BEYOND * width:
            beside = f"over {BEYOND:g} times the width of all bands, {width:.3g} eV"
            found.append(_milli(("OpenSystem", "leads", p, "voltage"), voltage, beside))
    for place, level in levels.items():
        if level is not None and max(low - level, level - high) >= BEYOND * width:
            found.append(_milli(place, level, f"far from all bands, {low:.3g} to {high:.3g} eV"))
    return found


def _milli(place: Path, value: float, beside: str) -> Doubt:
    return Doubt(place, value, beside, f"meV ({1e-3 * value:.3g} eV)")


def _joule(place: Path, value: float) -> list[Doubt]:
    if not 0 < value < TINY:
        return []
    return [Doubt(place, value, f"below {TINY:g} eV", f"J ({value / JOULE:.3g} eV)")]


def _all_bands(system: OpenSystem) -> tuple[float, float]:
    """Lowest and highest energy of device and leads (eV), by Gershgorin's circles and the leads' supports."""
    bottoms, tops = system.electrons.gershgorin()
    low, high = float(bottoms.min()), float(tops.max())
    for channel in (channel for channels in system.lead_channels for channel in channels):
        bottom, top = channel.spectrum.support
        if not np.isfinite(bottom + top):
            half = 0.5 * float(np.abs(channel.spectrum.broadening(0.0)).max())
            bottom, top = low - half, high + half
        low, high = min(low, bottom), max(high, top)
    return low, high


def _hopping(system: OpenSystem) -> float:
    """Largest energy (eV) that moves electrons: hoppings of device and leads, broadenings."""
    leads = [value for p in range(len(system.leads)) for place, value in _of_lead(system, p).items()
             if place[-1] in ("hopping", "broadening")]  # fmt: skip
    return max([largest(system.electrons.hopping_blocks), *leads])
