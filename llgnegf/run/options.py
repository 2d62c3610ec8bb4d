"""RunOptions: all that can be asked of a run, in the one place that has names, defaults, units, words and checks.

The keywords of `simulate`, the table [run] of an input file and what a stored run was asked for derive from its fields.
Imports nothing that takes long: a wrong input file is answered before the propagator is loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Annotated, Any, Required, TypedDict, TypeVar, get_type_hints

import numpy as np

from llgnegf._checks import Problems
from llgnegf.integrators.tableaus import METHODS
from llgnegf.problem.arguments import ENTRIES, NUMBER, Argument, MatrixEntries, choice, choices, declared
from llgnegf.problem.magnetism.external import External
from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.problem.magnetism.motion import Frozen, Precession, Prescribed
from llgnegf.problem.system import OpenSystem
from llgnegf.run import demands
from llgnegf.run.observables import extra_names
from llgnegf.run.pace import MOST_STEPS, check_pace

F = TypeVar("F", bound=Callable[..., Any])

STARTS = ("thermal", "steady", "partitioned")
INTEGRATORS = ("auto", *METHODS)
ELECTRONS = ("full", "adiabatic")
RESPONSES = ("geometric", "friction", "bias")
MOST_ROWS = 10**7
"""Rows of one run: beyond them it would fill the disk."""
LONGEST_RUN = 1e12
"""fs: a millisecond, beyond any integrator of electrons or of moments that turn."""

END = Argument(float, f"{NUMBER} > 0, in fs, at most {LONGEST_RUN:g}", "fs", ok=lambda t: 0 < t <= LONGEST_RUN)
INTERVAL = Argument(float, "a number > 0 and <= t_end", "fs", ok=lambda t: t > 0)
STEP = Argument(float, "a number > 0", "fs", ok=lambda h: h > 0, none="adaptive")
TEMPERATURE = Argument(float, f"{NUMBER} >= 0", "eV", ok=lambda kT: kT >= 0)
MEMORY = Argument(float, "a number > 0", "GB", ok=lambda most: most > 0, none="what is free when the run starts")
THREADS = Argument(
    int, "an integer >= 1", ok=lambda count: count > 0, none="LLGNEGF_NUM_THREADS or OMP_NUM_THREADS, or every core"
)
SEED = Argument(int, "an integer >= 0", ok=lambda seed: seed >= 0, none="nothing is random")


@dataclass(frozen=True, eq=False, kw_only=True)
class RunOptions:
    """What is asked of a run beside the system and its moments; what a file may say is declared with its unit.

    Args:
        t_end: End of the run in fs.
        save_every: Time between rows in fs.
        rtol: Accuracy asked for: largest error in elements of the density matrix and of the moments.
        start: Electrons at t = 0: in equilibrium with the leads, stationary, or with the leads attached then.
        integrator: Method of the time steps, "auto" the one that fits.
        step: Fixed time step in fs; None for an adaptive one.
        observables: Extra columns.
        initial_density_matrix: rho(0), (2N, 2N), for start = "partitioned"; None is the isolated equilibrium.
        electrons: Propagated with their memory, or one order beyond the adiabatic limit.
        response: Which tensors of that first order act; none leaves the adiabatic torque alone.
        temperature: kT of the moments' thermal noise in eV.
        seed: Key of the random stream of the noise.
        memory: Bytes that the run may take, in GB; one that needs more is refused before it begins.
        threads: Threads that share the full electrons' state where it is big; they change no bit of a result.
        copies: Independent copies that are carried along, by `langevin_ensemble` alone.

    Raises:
        MistakesError: A ValueError with a line for each value that no run can have.
    """

    t_end: Annotated[float, END]
    save_every: Annotated[float, INTERVAL] = 1.0
    rtol: Annotated[float, Argument(float, "1e-12 <= rtol <= 1e-2")] = 1e-6
    start: Annotated[str, choice(*STARTS, implied=True)] = "thermal"
    integrator: Annotated[str, choice(*INTEGRATORS)] = "auto"
    step: Annotated[float | None, STEP] = None
    observables: Annotated[Sequence[str], choices(*extra_names())] = ()
    initial_density_matrix: Annotated[Any, Argument(MatrixEntries, ENTRIES)] = None
    electrons: Annotated[str, choice(*ELECTRONS, implied=True)] = "full"
    response: Annotated[Sequence[str], choices(*RESPONSES)] = RESPONSES
    temperature: Annotated[float, TEMPERATURE] = 0.0
    seed: Annotated[int | None, SEED] = None
    memory: Annotated[float | None, MEMORY] = None
    threads: Annotated[int | None, THREADS] = None
    copies: int = 1

    def __post_init__(self) -> None:
        problems = Problems("simulate")
        self.note(problems)
        problems.raise_all()
        for name in ("observables", "response"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @classmethod
    def checked(cls, system: Any, motion: Any, *, slow: bool | None = None, **given: Any) -> RunOptions:
        """The options of a run of `system` and `motion`, after all checks at once.

        Args:
            system, motion: As for `simulate`.
            slow: Whether it is a run of slow moments; None: as the options say.
            given: Options by name.

        Raises:
            MistakesError: A ValueError with a line for each argument that is not of its kind, or does not fit another.
        """
        problems = Problems("simulate")
        cls.unchecked(**given).note_all(problems, system, motion, slow)
        problems.raise_all()
        return cls(**given)

    @classmethod
    def unchecked(cls, **given: Any) -> RunOptions:
        """Options as they are given, for `note`; TypeError for a name that there is not, or one that is missing."""
        bound = inspect.signature(cls).bind(**given)
        bound.apply_defaults()
        options = object.__new__(cls)
        for name, value in bound.arguments.items():
            object.__setattr__(options, name, value)
        return options

    def check(self, system: Any, motion: Any, slow: bool | None = None) -> None:
        """Raise `MistakesError` with a line for each option that does not fit the problem."""
        problems = Problems("simulate")
        self.note_all(problems, system, motion, slow)
        problems.raise_all()

    def by_name(self) -> dict[str, Any]:
        """All options, as keywords."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def is_usual(self, name: str) -> bool:
        """Whether an option has its default; a list of names may be a tuple."""
        value, default = getattr(self, name), type(self).__dataclass_fields__[name].default
        value = tuple(value) if isinstance(value, list) else value
        return value is default or (isinstance(value, str | Real | tuple) and value == default)

    def is_slow(self, has_electrons: bool) -> bool:
        """Whether the run is one of slow moments: electrons = "adiabatic", or noise on moments alone."""
        return self.electrons == "adiabatic" or (self.is_noisy and not has_electrons)

    @property
    def is_noisy(self) -> bool:
        """Whether thermal noise is asked for, rightly or not."""
        return self.seed is not None or not (isinstance(self.temperature, Real) and self.temperature == 0)

    @property
    def times(self) -> np.ndarray:
        """The times of the rows: 0, save_every, 2 save_every ... and t_end, in fs."""
        count = int(np.floor(self.t_end / self.save_every * (1 + 1e-12)))
        times = self.save_every * np.arange(count + 1)
        return np.append(times, self.t_end) if self.t_end - times[-1] > 1e-9 * self.save_every else times

    def note_all(self, problems: Problems, system: Any, motion: Any, slow: bool | None = None) -> None:
        """Note all that is wrong with system, motion and options; arguments as for `checked`."""
        has_electrons = system is not None
        slow = self.is_slow(has_electrons) if slow is None else slow
        known = not has_electrons or isinstance(system, OpenSystem)
        problems.check(known, "system", system, "an OpenSystem, or None")
        kinds: Any = Magnet if slow else (Frozen, Precession, Prescribed, External, Magnet)
        slowly = "a Magnet: slow electrons answer free moments"
        wanted = slowly if slow else "Frozen, Precession, Prescribed, External or a Magnet"
        moves = problems.check(isinstance(motion, kinds), "motion", motion, wanted)
        if moves and not has_electrons and not isinstance(motion, Magnet):
            problems.add("motion", type(motion).__name__, "a Magnet when there are no electrons (system = None)")
        if has_electrons and known:
            demands.check_memory(problems, system.n_sites)
            if moves:
                motion.note_sites(problems, "motion", system.n_sites)
        motion = None if problems.has("motion") else motion
        self.note(problems, system if known else None, motion, has_electrons, slow)

    def note(
        self, problems: Problems, system: OpenSystem | None = None, motion: Any = None,
        has_electrons: bool | None = None, slow: bool | None = None,
    ) -> None:
        """Note what is wrong with the options, as far as it can be told.

        Args:
            problems: Where it is noted.
            system: None without electrons, or where it is not known.
            motion: None where it is not known.
            has_electrons: None where that is not known.
            slow: Whether it is a run of slow moments; None: as the options say.
        """
        self._note_each(problems, system)
        if has_electrons is None:
            return
        slow = self.is_slow(has_electrons) if slow is None else slow
        if slow:
            demands.check_slow(problems, self, system, motion, has_electrons)
        else:
            demands.check_full(problems, self, system, motion, has_electrons)
        if motion is not None and (system is not None or not has_electrons):
            check_pace(problems, system, motion, self, slow)

    def _note_each(self, problems: Problems, system: OpenSystem | None) -> None:
        """Values that are none of their kind, and times that do not fit one another."""
        for one in declared(RunOptions):
            if getattr(self, one.name) is not None or not self.is_usual(one.name):
                one.argument.note(problems, one.name, getattr(self, one.name))
        if not problems.has("rtol"):
            demands.check_accuracy(problems, self.rtol, system)
        if problems.has("t_end"):
            return
        if not problems.has("save_every"):
            every, allowed = self.save_every, "a number > 0 and <= t_end, in fs"
            problems.check(every <= self.t_end, "save_every", every, allowed)
            rows = f"at most {MOST_ROWS} rows, t_end/save_every"
            problems.check(self.t_end / every <= MOST_ROWS, "save_every", every, rows)
        if self.step is not None and not problems.has("step"):
            steps = f"at most {MOST_STEPS} steps, t_end/step"
            problems.check(self.t_end / self.step <= MOST_STEPS, "step", self.step, steps)


class CommonKeywords(TypedDict, total=False):
    """Options of every run, for type checkers, which cannot derive them from the fields of `RunOptions`."""

    t_end: Required[float]
    save_every: float
    rtol: float
    step: float | None
    observables: Sequence[str]
    temperature: float
    seed: int | None
    memory: float | None
    threads: int | None


class FullKeywords(CommonKeywords, total=False):
    """Those of `Simulation`."""

    start: str
    integrator: str
    initial_density_matrix: Any


class SlowKeywords(CommonKeywords, total=False):
    """Those of `SlowSimulation`."""

    response: Sequence[str]
    copies: int


class RunKeywords(FullKeywords, total=False):
    """Those of `simulate`."""

    electrons: str
    response: Sequence[str]


def tell(owner: Any, names: Iterable[str]) -> None:
    """Name the options in a docstring that has one entry `**options` for all of them."""
    owner.__doc__ = (owner.__doc__ or "").replace("**options : object", f"{', '.join(names)} : object")


def takes_run_options(function: F) -> F:
    """Give a function that passes `**options` on to `RunOptions` their names and defaults as its signature."""
    own = inspect.signature(function)
    asked = inspect.signature(RunOptions).parameters
    given = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
    first = [p for p in given if p.kind is not p.KEYWORD_ONLY]
    hints = get_type_hints(RunOptions)
    options = [asked[one.name].replace(annotation=hints[one.name]) for one in declared(RunOptions)]
    signature = own.replace(parameters=[*first, *options, *(p for p in given if p not in first)])
    function.__signature__ = signature  # type: ignore[attr-defined]
    tell(function, [one.name for one in options])
    return function
