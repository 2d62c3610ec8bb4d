"""A run in words: what it computes, how far it is, where it comes from.

For the pages of `view` and for what commands print.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llgnegf.config import RunConfig
    from llgnegf.store import RunStatus


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


def progress(status: RunStatus) -> str:
    """How far the run is, and whether a process works on it."""
    if status.total_rows is None:
        return "unknown, no checkpoint is whole" if status.damage else "not started"
    far = f"{status.rows} of {status.total_rows} rows, {status.time:g} of {status.t_end:g} fs"
    if status.finished:
        return f"{far}, finished"
    return f"{far}, {f'running ({status.running})' if status.running else 'stopped'}"


def provenance(found: Mapping[str, Any]) -> dict[str, str]:
    """Where the run comes from: each entry of provenance.json in a line."""
    lines = {}
    for name, value in found.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items() if v is not None) or None
        elif name == "command":
            value = " ".join(map(str, value))
        elif name == "resumes":
            value = "; ".join(f"{entry['time']} at row {entry['row']}" for entry in value)
        if value not in (None, ""):
            lines[name] = str(value)
    return lines
