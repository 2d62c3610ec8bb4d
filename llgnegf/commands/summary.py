"""A run in words: the summary at the end of `llgnegf run` and what `llgnegf show` prints.

Stands on `config` and `store`; `commands` prints the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llgnegf.config import RunConfig
from llgnegf.run.result_text import error_rows, statistic_rows
from llgnegf.view.words import description, progress, provenance

if TYPE_CHECKING:
    from llgnegf.store import RunFolder, RunStatus


def summary_lines(folder: RunFolder, config: RunConfig, plots: Sequence[Path]) -> list[str]:
    """Where the result is, how accurate, and what to do next."""
    status = folder.status()
    lines = [f"done: {description(config)}", f"  result   {folder.result_path}  ({status.rows} rows)"]
    if plots:
        lines.append(f"  plots    {len(plots)} files in {plots[0].parent} (llgnegf plot {folder.path}: as PDF too)")
    lines += _error_lines(status)
    return [*lines, f"next: llgnegf show {folder.path}"]


def status_lines(folder: RunFolder) -> list[str]:
    """What the run is, how far, its error budget and its provenance."""
    status, config = folder.status(), RunConfig.loads(folder.config_text)
    result = f": {folder.result_path}" if status.finished else ""
    lines = [f"{folder.path}: {description(config)}", f"progress: {progress(status)}{result}"]
    lines += [f"damaged: {text}" for text in status.damage]
    lines += _error_lines(status)
    if status.statistics:
        lines.append(f"statistics: {', '.join(map(' '.join, statistic_rows(status.statistics)))}")
    lines += ["provenance:", *(f"  {name:12}  {text}" for name, text in provenance(status.provenance).items())]
    lines.append(f"next: {_next(folder, status)}")
    return lines


def _error_lines(status: RunStatus) -> list[str]:
    """The error budget, a line for each entry; none before it is known."""
    rows = error_rows(status.errors)
    width = max((len(name) for name, _, _ in rows), default=0)
    lines = [f"  {name:{width}}  {number:>9}  {bounds}" for name, number, bounds in rows]
    return ["error budget:", *lines] if lines else []


def _next(folder: RunFolder, status: RunStatus) -> str:
    if status.finished:
        return f'llgnegf plot {folder.path}, or xarray.open_dataset("{folder.result_path}")'
    if status.damage and status.total_rows is None:
        return f"llgnegf run {folder.path}/input.toml -o ANOTHER_DIR"
    return f"llgnegf show {folder.path} again" if status.running else f"llgnegf resume {folder.path}"
