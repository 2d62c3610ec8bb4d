"""How a result shows itself: a few lines for a terminal, the same with tables to unfold for a notebook.

Used by `run.result`; all that is said is read off the rows, the error budget and the statistics. The rows of the tables
of these two are made here for commands and pages too.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llgnegf.run.result import ErrorEstimate, Result

WIDTH = 100
"""Longest line in a terminal."""
STYLE = """<style>
.llgnegf-result {font-size: 0.9em; line-height: 1.5; max-width: 60em}
.llgnegf-result table {border-collapse: collapse; margin: 0.2em 0; font-size: inherit}
.llgnegf-result th, .llgnegf-result td {text-align: left; padding: 0.1em 0.9em 0.1em 0; vertical-align: top;
  font-weight: normal; background: none; border: none; white-space: normal; overflow-wrap: anywhere}
.llgnegf-result th {opacity: 0.7; white-space: nowrap; overflow-wrap: normal}
.llgnegf-result summary {cursor: pointer}
.llgnegf-result details > div {margin-left: 1.1em; overflow-x: auto}
.llgnegf-result .number {text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap}
</style>"""


def text(result: Result) -> str:
    """System, times, worst error, steps, columns and warnings, a line each."""
    lines = [f"Result: {_system(result)}"]
    for name, said in {**_facts(result), "columns": ", ".join(result.rows.variables) or "none"}.items():
        lines += textwrap.wrap(said, WIDTH, initial_indent=f"  {name:<8}  ", subsequent_indent=" " * 12)
    for said in result.warnings:
        lines.append(f"  warning   {textwrap.shorten(said, WIDTH - 12, placeholder=' ...')}")
    return "\n".join(lines)


def html(result: Result) -> str:
    """The same; the whole error budget, the statistics and the dataset unfold."""
    rows = [f"<tr><th>{name}</th><td>{escape(said)}</td></tr>" for name, said in _facts(result).items()]
    rows += [f"<tr><th>warning</th><td>{escape(said)}</td></tr>" for said in result.warnings]
    count = len(result.rows.variables)
    return "".join([
        f'<div class="llgnegf-result">{STYLE}<strong>Result</strong> {escape(_system(result))}',
        f"<table>{''.join(rows)}</table>",
        _folded("error budget", _table(error_rows(result.errors))),
        _folded("statistics", _table(statistic_rows(result.statistics))),
        _folded(f"dataset, {count} column{'s' * (count != 1)}", result.dataset._repr_html_()),
        "</div>",
    ])  # fmt: skip


def error_rows(errors: Mapping[str, ErrorEstimate]) -> list[tuple[str, str, str]]:
    """The table of an error budget: names, numbers, and what they bound."""
    return [(name, _number(error), error.bounds) for name, error in errors.items()]


def statistic_rows(statistics: Mapping[str, float]) -> list[tuple[str, str]]:
    """The table of a run's statistics: names in words, numbers."""
    return [(name.replace("_MB", " (MB)").replace("_", " "), f"{value:g}") for name, value in statistics.items()]


def _number(error: ErrorEstimate) -> str:
    return f"{error.value:.1e}" if math.isfinite(error.value) else "not known"


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary><div>{content}</div></details>"


def _table(rows: Iterable[Sequence[str]]) -> str:
    """Name, number, and what may be said of it."""
    lines = [
        f'<tr><th>{escape(name)}</th><td class="number">{escape(number)}</td>'
        + "".join(f"<td>{escape(said)}</td>" for said in more) + "</tr>"
        for name, number, *more in rows
    ]  # fmt: skip
    return f"<table>{''.join(lines)}</table>"


def _system(result: Result) -> str:
    """What was run, as the columns and labels tell."""
    columns, labels = result.rows.variables, result.rows.coordinates
    moments = labels.get("moment", labels.get("site", ()))
    moving = f"{_count(len(moments), 'moment')} {'with LLG' if 'energy_classical' in columns else 'as prescribed'}"
    if "energy_sd" not in columns:
        return f"{moving}, no electrons"
    electrons = "electrons to first order" if "friction_power" in columns else "electrons with memory"
    leads = f" with {_count(len(labels['lead']), 'lead')}" if "lead" in labels else ""
    return f"{electrons} on {_count(len(labels['site']), 'site')}{leads}; {moving}"


def _facts(result: Result) -> dict[str, str]:
    """Times, accuracy and steps."""
    times, statistics = result.rows.times, result.statistics
    when = f"{times[0]:g} to {times[-1]:g} fs" if times.size else "none"
    facts = {"times": f"{when}, {_count(times.size, 'row')}", "accuracy": _accuracy(result)}
    if statistics:
        steps = f"{statistics.get('accepted_steps', math.nan):g} taken"
        steps += f", {statistics.get('rejected_steps', math.nan):g} rejected"
        facts["steps"] = f"{steps}, {statistics.get('right_hand_sides', math.nan):g} right-hand sides"
    return facts


def _accuracy(result: Result) -> str:
    """The worst entry of the error budget."""
    known = {name: e.value for name, e in result.errors.items() if math.isfinite(e.value)}
    said = "not known"
    if known:
        worst = max(known, key=lambda name: known[name])
        said = f"{_number(result.errors[worst])} ({worst}) is the worst of the error budget"
    unknown = [name for name, e in result.errors.items() if not math.isfinite(e.value)]
    said += f", {' and '.join(unknown)} not known" if known and unknown else ""
    return said + (f"; rtol = {result.rtol:g} was asked for" if result.rtol is not None else "")


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
