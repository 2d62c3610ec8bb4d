"""REPORT.md: machine, versions, and for each script its table of claims, its figures and its notes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from llgnegf.store.provenance import environment
from validation._scripts import Outcome


def report(outcomes: list[Outcome], folder: Path, seconds: float) -> str:
    """The text of a report that lies in `folder`; `seconds` is the time of the whole run."""
    pieces = [_head(outcomes, seconds), _summary(outcomes), *(_section(o, folder) for o in outcomes)]
    return "\n\n".join(pieces) + "\n"


def _head(outcomes: list[Outcome], seconds: float) -> str:
    here = environment()
    revision = str(here["git_revision"] or "unknown") + (" with changes" if here["git_modified"] else "")
    libraries = ", ".join(f"{name} {version}" for name, version in here["libraries"].items() if version)
    claims = [c for o in outcomes for c in o.checks]
    held, passed = sum(c.holds for c in claims), sum(o.holds for o in outcomes)
    return "\n".join(
        [
            "# Validation report",
            "",
            f"**{held} of {len(claims)} claims hold; {passed} of {len(outcomes)} scripts pass.**",
            "",
            f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds / 60:.1f} min in all",
            f"- {here['cpu']}, {here['cpu_count']} cores, {here['platform']}",
            f"- llgnegf {here['llgnegf']}, revision {revision}, Python {here['python']}",
            f"- {libraries}",
            "",
            "A claim holds if what is measured does not exceed its bound. Bounds come from physics or from the",
            "tolerance that was asked for; the script says which.",
        ]
    )


def _summary(outcomes: list[Outcome]) -> str:
    rows = ["| script | claims | verdict | CPU s | s |", "|---|--:|---|--:|--:|"]
    for o in outcomes:
        name, held = o.script.name, sum(c.holds for c in o.checks)
        link = f"[{name}](#{name})"
        rows.append(f"| {link} | {held}/{len(o.checks)} | {o.verdict} | {o.cpu_seconds:.0f} | {o.seconds:.0f} |")
    total = sum(o.cpu_seconds for o in outcomes)
    return "\n".join([*rows, f"| all | | | {total:.0f} | |"])


def _section(outcome: Outcome, folder: Path) -> str:
    command = " ".join(["python -m", f"validation.{outcome.script.name}", *outcome.script.arguments])
    lines = [f"## {outcome.script.name}", "", _cell(outcome.title) + f": {outcome.verdict}. `{command}`", ""]
    lines += ["| claim | measured | bound | verdict |", "|---|--:|--:|---|"]
    for c in outcome.checks:
        verdict = "holds" if c.holds else "**FAILS**"
        lines.append(f"| {_cell(c.claim)} | {c.measured:.3e} | {c.bound:.3g} | {verdict} |")
    for figure in outcome.figures:
        link = Path(os.path.relpath(figure, folder)).as_posix()
        lines += ["", f"![{figure.stem}]({link})"]
    text = outcome.notes if outcome.holds else outcome.printed.splitlines()[-60:]
    if text:
        lines += ["", "```text", *text, "```"]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text that a table cell or a heading shows as it is."""
    for sign in "\\|*_<>":
        text = text.replace(sign, "\\" + sign)
    return text.replace("\n", " ")
