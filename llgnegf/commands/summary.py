"""A run in words: the summary at the end of `llgnegf run` and what `llgnegf show` prints.

Stands on `config` and `store`; `commands` prints the lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf.config import RunConfig
from llgnegf.view.words import description, progress, provenance

if TYPE_CHECKING:
    from llgnegf.store import RunFolder


def summary_lines(folder: RunFolder, config: RunConfig, plots: Sequence[Path]) -> list[str]:
    """Where the result is, how accurate, and what to do next."""
    status = folder.status()
    lines = [f"done: {description(config)}", f"  result   {folder.result_path}  ({status.rows} rows)"]
    if plots:
        lines.append(f"  plots    {len(plots)} files in {plots[0].parent} (llgnegf plot {folder.path}: as PDF too)")
    lines += ["error budget:", *error_lines(status.errors)]
    return [*lines, f"next: llgnegf show {folder.path}"]


def status_lines(folder: RunFolder) -> list[str]:
    """What the run is, how far, its error budget and its provenance."""
    status, config = folder.status(), RunConfig.loads(folder.config_text)
    result = f": {folder.result_path}" if status.finished else ""
    lines = [f"{folder.path}: {description(config)}", f"progress: {progress(status)}{result}"]
    lines += [f"damaged: {text}" for text in status.damage]
    if status.errors:
        lines += ["error budget:", *error_lines(status.errors)]
    if status.statistics:
        named = (f"{name.replace('_', ' ')} {value:g}" for name, value in status.statistics.items())
        lines.append(f"statistics: {', '.join(named)}")
    lines += ["provenance:", *(f"  {name:12}  {text}" for name, text in provenance(status.provenance).items())]
    lines.append(f"next: {_next(folder, status)}")
    return lines


def error_lines(errors: Mapping[str, Any]) -> list[str]:
    """A line for each entry of the error budget: number, and what it bounds."""
    width = max((len(name) for name in errors), default=0)
    numbers = {n: f"{e.value:.2e}" if math.isfinite(e.value) else "--" for n, e in errors.items()}
    return [f"  {name:{width}}  {numbers[name]:>8}  {error.bounds}" for name, error in errors.items()]


def _next(folder: RunFolder, status: Any) -> str:
    if status.finished:
        return f'llgnegf plot {folder.path}, or xarray.open_dataset("{folder.result_path}")'
    if status.damage and status.total_rows is None:
        return f"llgnegf run {folder.path}/input.toml -o ANOTHER_DIR"
    return f"llgnegf show {folder.path} again" if status.running else f"llgnegf resume {folder.path}"
