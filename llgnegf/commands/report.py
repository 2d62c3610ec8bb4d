"""A run in words: the summary at the end of `llgnegf run` and what `llgnegf show` prints.

Stands on `config` and `store`; `commands` prints the lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llgnegf.config import RunConfig

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
    lines = [f"{folder.path}: {description(config)}", f"progress: {_progress(folder, status)}"]
    lines += [f"damaged: {text}" for text in status.damage]
    if status.errors:
        lines += ["error budget:", *error_lines(status.errors)]
    if status.statistics:
        named = (f"{name.replace('_', ' ')} {value:g}" for name, value in status.statistics.items())
        lines.append(f"statistics: {', '.join(named)}")
    lines += ["provenance:", *_provenance(status.provenance)]
    lines.append(f"next: {_next(folder, status)}")
    return lines


def description(config: RunConfig) -> str:
    """One line: sites, leads, moments, duration."""
    parts = []
    if config.electrons is not None:
        kinds = ", ".join(table.kind for table in config.lead) or "none"
        parts.append(f"electrons on {_sites(config)} ({config.electrons.kind}), leads: {kinds}")
    parts.append(f"texture {config.texture.kind}")
    if config.motion is not None:
        parts.append(f"motion {config.motion.kind}")
    else:
        terms = ", ".join(table.kind for table in (*config.energy, *config.torque)) or "no terms"
        parts.append(f"LLG with {terms}")
    return f"{'; '.join(parts)}; {config.run.t_end:g} fs"


def _sites(config: RunConfig) -> str:
    """How many sites the electrons have, or which lattice."""
    if hasattr(config.electrons, "n_sites"):
        return f"{config.electrons.n_sites} sites"
    return f"{config.lattice.n_x} x {config.lattice.n_y} of a {config.lattice.kind} lattice"


def error_lines(errors: Mapping[str, Any]) -> list[str]:
    """A line for each entry of the error budget: number, and what it bounds."""
    width = max((len(name) for name in errors), default=0)
    numbers = {n: f"{e.value:.2e}" if math.isfinite(e.value) else "--" for n, e in errors.items()}
    return [f"  {name:{width}}  {numbers[name]:>8}  {error.bounds}" for name, error in errors.items()]


def _progress(folder: RunFolder, status: Any) -> str:
    if status.total_rows is None:
        return "unknown, no checkpoint is whole" if status.damage else "not started"
    far = f"{status.rows} of {status.total_rows} rows, {status.time:g} of {status.t_end:g} fs"
    if status.finished:
        return f"{far}, finished: {folder.result_path}"
    return f"{far}, {f'running ({status.running})' if status.running else 'stopped'}"


def _provenance(provenance: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, value in provenance.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items() if v is not None) or None
        elif name == "command":
            value = " ".join(map(str, value))
        elif name == "resumes":
            value = "; ".join(f"{entry['time']} at row {entry['row']}" for entry in value)
        if value not in (None, ""):
            lines.append(f"  {name:12}  {value}")
    return lines


def _next(folder: RunFolder, status: Any) -> str:
    if status.finished:
        return f'llgnegf plot {folder.path}, or xarray.open_dataset("{folder.result_path}")'
    if status.damage and status.total_rows is None:
        return f"llgnegf run {folder.path}/input.toml -o ANOTHER_DIR"
    return f"llgnegf show {folder.path} again" if status.running else f"llgnegf resume {folder.path}"
