"""What the validation scripts share: each claim is printed with what was measured, its bound and the verdict.

`python -m validation` reads the claims of a script from the file that it names in the environment variable RECORD.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

OUTPUT = Path(os.environ.get("LLGNEGF_VALIDATION_OUTPUT", Path(__file__).parent / "output"))
"""Where the figures go; not part of the repository."""
RECORD = "LLGNEGF_VALIDATION_RECORD"
"""Environment variable: a path; every `Report` is written there as JSON, anew with each of its lines."""


@dataclass(frozen=True)
class Check:
    """One claim: `measured` must not exceed `bound`."""

    claim: str
    measured: float
    bound: float

    @property
    def holds(self) -> bool:
        """False for NaN too."""
        return bool(self.measured <= self.bound)


@dataclass
class Report:
    """Prints checks as they come in and collects them."""

    title: str
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _began: float = field(default_factory=perf_counter)

    def __post_init__(self) -> None:
        print(f"{self.title}\n{'measured':>12} {'bound':>10}  verdict  claim")
        self._record()

    def check(self, claim: str, measured: float, bound: float) -> None:
        """Add one claim and print its line."""
        check = Check(claim, float(measured), float(bound))
        self.checks.append(check)
        verdict = "holds" if check.holds else "FAILS"
        print(f"{check.measured:12.3e} {check.bound:10.1e}  {verdict:7}  {claim}", flush=True)
        self._record()

    def note(self, text: str) -> None:
        """A line that claims nothing."""
        self.notes.append(text)
        print(f"{'':23}  {'':7}  {text}", flush=True)
        self._record()

    def all_hold(self) -> bool:
        """Print the summary; True if there are claims and every one holds."""
        failed = sum(not c.holds for c in self.checks)
        print(f"{len(self.checks) - failed} of {len(self.checks)} claims hold, {perf_counter() - self._began:.0f} s\n")
        return failed == 0 and bool(self.checks)

    def _record(self) -> None:
        path = os.environ.get(RECORD)
        if path:
            record = {"title": self.title, "checks": [asdict(c) for c in self.checks], "notes": self.notes}
            Path(path).write_text(json.dumps(record))


def run_as_script(main: Callable[[], bool | list[Check]]) -> None:
    """Exit with 0 if every claim holds and 1 otherwise."""
    result = main()
    holds = result if isinstance(result, bool) else bool(result) and all(check.holds for check in result)
    sys.exit(0 if holds else 1)
