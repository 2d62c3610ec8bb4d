"""Run the validation scripts and write REPORT.md: `python -m validation [NAME ...] [--list] [--output DIR]`.

Each script runs in a process of its own, two at a time; those that measure seconds run alone, at the end. The speed
comparisons `integrators` and `benchmark` run when they are named.
Exit code 0 if every claim holds, 1 if one fails or a script crashes, 2 for a name that does not exist.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from validation import _markdown
from validation._scripts import HERE, SCRIPTS, Outcome, Script, run


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m validation", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="scripts to run (default: all claims)")
    parser.add_argument("--list", action="store_true", help="list the scripts and end")
    parser.add_argument("--output", type=Path, default=HERE / "output", help="folder of REPORT.md and the figures")
    parser.add_argument("--processes", type=int, default=2, help="scripts at a time (default: 2)")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.names) - {s.name for s in SCRIPTS})
    if unknown:
        parser.error(f"NAME: {', '.join(unknown)}; allowed: {', '.join(s.name for s in SCRIPTS)}")
    if chosen.processes < 1:
        parser.error(f"--processes: {chosen.processes}; allowed: a whole number >= 1")
    return chosen


def tell(outcome: Outcome) -> Outcome:
    """One line; for a failure also the claims that fail, and the end of what the script printed."""
    held = f"{sum(c.holds for c in outcome.checks)}/{len(outcome.checks)}"
    name, seconds, cpu = outcome.script.name, outcome.seconds, outcome.cpu_seconds
    print(f"{name:24} {held:>7} claims {seconds:6.0f} s {cpu:6.0f} s CPU  {outcome.verdict}", flush=True)
    for check in outcome.checks:
        if not check.holds:
            print(f"    {check.measured:.3e} > {check.bound:.3g}: {check.claim}", flush=True)
    if not outcome.holds:
        print("\n".join("    " + line for line in outcome.printed.splitlines()[-15:]), flush=True)
    return outcome


def run_all(scripts: list[Script], output: Path, processes: int) -> list[Outcome]:
    """The outcomes in the order of `scripts`."""
    together = [s for s in scripts if not s.alone]
    with ThreadPoolExecutor(processes) as pool:
        outcomes = list(pool.map(lambda script: tell(run(script, output)), together))
    outcomes += [tell(run(script, output)) for script in scripts if script.alone]
    return sorted(outcomes, key=lambda outcome: scripts.index(outcome.script))


def main() -> int:
    chosen = options()
    everything = not chosen.names
    scripts = [s for s in SCRIPTS if s.name in chosen.names or (everything and (chosen.list or not s.by_name))]
    if chosen.list:
        print("\n".join(f"{s.name:24} {s.claim}" for s in scripts))
        return 0
    began = time.perf_counter()
    outcomes = run_all(scripts, chosen.output, chosen.processes)
    seconds = time.perf_counter() - began
    path = chosen.output / "REPORT.md"
    path.write_text(_markdown.report(outcomes, chosen.output, seconds))
    failed = [o.script.name for o in outcomes if not o.holds]
    print(f"{seconds / 60:.1f} min; {path}")
    print(f"FAILED: {', '.join(failed)}" if failed else "every claim holds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
