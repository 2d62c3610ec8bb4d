"""The scripts of this folder, how each is run in a process of its own, and what comes back from it.

Read by `__main__`, which runs them, and by `_markdown`, which writes the report.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from llgnegf._processes import THREAD_VARIABLES
from validation._report import RECORD, Check

HERE = Path(__file__).parent
THREADS = THREAD_VARIABLES
TIME_LIMIT = 1200.0
"""Seconds after which a script counts as hanging."""


@dataclass(frozen=True)
class Script:
    """One module of this folder.

    Attributes:
        name: Module in `validation`.
        claim: What it shows, for lists.
        arguments: Command line.
        alone: It measures seconds: nothing else runs meanwhile.
        by_name: Runs only when it is named: it compares speed with goals that depend on the machine.
    """

    name: str
    claim: str
    arguments: tuple[str, ...] = ()
    alone: bool = False
    by_name: bool = False


SCRIPTS = (
    Script("finite_chain", "the propagator against a closed chain of some hundred explicit lead sites"),
    Script("ribbons", "the propagator with periodic leads against explicit cells: named, random and wide ribbons"),
    Script("matrix_leads", "modes of leads with a matrix self-energy; Gamma >= 0 of random leads", ("--random", "32")),
    Script("ribbon_modes", "modes and Fermi vectors of ribbons, channel by channel, against explicit leads"),
    Script("error_budget", "random runs out of equilibrium: error budget against true error", ("--runs", "64")),
    Script("rotating_vs_lab_frame", "the paper's wall: lab-frame propagator against the rotating frame"),
    Script("kill_and_resume", "kills at random moments: every resumed run is the undisturbed one", ("--kills", "30")),
    Script("folder_races", "two inputs race for one folder: no result under another's name", ("--races", "50")),
    Script("pole_convergence", "errors of lead poles, Fermi poles and time step against rtol"),
    Script("convergence_order", "order of each integrator, alone and in the coupled scheme"),
    Script("conservation", "angular momentum, energy and charge, closed and with leads"),
    Script("driven_wall", "walls driven by a bias and by a field"),
    Script("anomalous_precession", "a moment with a closed electron system turns faster than Larmor"),
    Script("harmonics", "how many harmonics precessing moments pump in Rashba wires, and what sets the number"),
    Script("electronic_damping", "relaxation by the Fermi surface without a Gilbert term"),
    Script("full_noise", "noise of the Gilbert bath beside full electrons samples Boltzmann at five temperatures"),
    Script("magnons", "magnons with their electronic damping against the ring-down of full runs"),
    Script("bias_noise", "noise under bias: an effective temperature, and the drift against moments with a mass"),
    Script("walker", "Walker's wall below and above the threshold"),
    Script("transport", "transmission, currents, noise and mixing conductance of random biased devices", alone=True),
    Script("equation_4", "Eq. (4): sympy, quadrature and the wide-band rotating frame"),
    Script("decomposition", "what the four parts leave out is of second order in hbar w"),
    Script("linear_response", "susceptibility: its expansion, kicks of full runs, modes of moment and electrons"),
    Script("sum_rules", "angular momentum of the parts, and the spectral identity"),
    Script("bias_response", "response and noise under bias: rotating frame, propagator, closed forms"),
    Script("low_storage", "explicit methods for big states: right-hand sides, vectors moved"),
    Script("fixed_runs", "fifteen runs of every kind, kept for comparing two versions", by_name=True),
    Script("semicircle_table", "error bounds of the lead poles, certified again", ("--check",)),
    Script("slow_textures", "friction and geometric tensors against the full propagator", alone=True),
    Script("integrators", "the default integrator against five others", alone=True, by_name=True),
    Script("oracle_timing", "seconds of the rotating frame", alone=True),
    Script("blas_threads", "one BLAS thread against all, on free and on busy cores", alone=True, by_name=True),
    Script("scale", "big devices: threads, steps, starts, static solvers, memory", alone=True, by_name=True),
    Script("array_api", "the reference right-hand side on arrays of other namespaces", alone=True, by_name=True),
    Script("benchmark", "seconds and memory of the propagator", ("--quick",), alone=True, by_name=True),
)  # fmt: skip
"""Long ones first, those that measure seconds last."""


@dataclass(frozen=True)
class Outcome:
    """What a script did.

    Attributes:
        script: The script.
        title: First line of its report; its name if it made none.
        checks: Its claims. A script that makes no report claims to end with exit code 0.
        notes: Lines that claim nothing.
        exit_code: 0 if all claims hold; negative for a signal.
        printed: Everything it printed, errors last.
        seconds, cpu_seconds: Of the process and of its children.
        figures: PNG files that it wrote.
    """

    script: Script
    title: str
    checks: list[Check]
    notes: list[str]
    exit_code: int
    printed: str
    seconds: float
    cpu_seconds: float
    figures: list[Path] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return self.exit_code == 0 and bool(self.checks) and all(c.holds for c in self.checks)

    @property
    def verdict(self) -> str:
        """One word, or why there is none."""
        if self.holds:
            return "holds"
        failed = sum(not c.holds for c in self.checks)
        return f"{failed} FAIL" if failed and self.exit_code in (0, 1) else f"CRASHED (exit code {self.exit_code})"


def run(script: Script, output: Path) -> Outcome:
    """Run one script to its end, or until TIME_LIMIT; its figures go to `output`."""
    output.mkdir(parents=True, exist_ok=True)
    began, moment = time.perf_counter(), time.time()
    with tempfile.TemporaryDirectory() as scratch:
        record, log = Path(scratch) / "record.json", Path(scratch) / "log"
        with log.open("w") as stream:
            exit_code, cpu_seconds = _wait(_start(script, record, output, stream.fileno()))
        printed = log.read_text(errors="replace")
        found = json.loads(record.read_text()) if record.exists() else None
    seconds = time.perf_counter() - began
    if found is None:
        checks, notes = [Check("ends with exit code", abs(exit_code), 0.0)], printed.splitlines()
        found = {"title": script.claim, "notes": notes}
    else:
        checks = [Check(**c) for c in found["checks"]]
    # File systems store times with a coarse grain.
    figures = [p for p in sorted(output.glob(f"{script.name}*.png")) if p.stat().st_mtime >= moment - 1]
    return Outcome(
        script, found["title"], checks, found["notes"], exit_code, printed, seconds, cpu_seconds, figures
    )  # fmt: skip


def _start(script: Script, record: Path, output: Path, stream: int) -> subprocess.Popen[bytes]:
    environment = os.environ | dict.fromkeys(THREADS, "1")
    # HERE: some scripts can be started by their path too and import `_report` without the package.
    paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    environment |= {
        RECORD: str(record), "LLGNEGF_VALIDATION_OUTPUT": str(output.resolve()), "MPLBACKEND": "Agg",
        "PYTHONPATH": os.pathsep.join(p for p in paths if p),
    }  # fmt: skip
    command = [sys.executable, "-m", f"validation.{script.name}", *script.arguments]
    return subprocess.Popen(command, cwd=HERE.parent, env=environment, stdout=stream, stderr=subprocess.STDOUT)


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Exit code and CPU seconds, those of the children that it waited for included."""
    alarm = threading.Timer(TIME_LIMIT, process.kill)
    alarm.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        alarm.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime
