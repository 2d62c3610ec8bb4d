"""Where a result comes from: versions, machine, command, start, end and every resume.

Kept in provenance.json of the run folder and copied into the attributes of the result.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from llgnegf._files import DamagedRunError, storage_errors, write_atomic
from llgnegf._processes import THREAD_VARIABLES

LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "xarray", "h5netcdf", "h5py", "sympy", "matplotlib")


def new_provenance(command: Sequence[str], input_text: str) -> dict[str, Any]:
    """The provenance of a run that starts now with `command` and the resolved input `input_text`."""
    return {
        "command": list(command), "created": now(), "finished": None, **environment(), "resumes": [],
        "input": input_text,
    }  # fmt: skip


@cache
def _environment() -> str:
    from llgnegf import __version__  # of the code that runs, which an older installation may point to

    revision, modified = _git_revision()
    found = {
        "llgnegf": __version__,
        "git_revision": revision,
        "git_modified": modified,
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "cpu": _cpu(),
        "cpu_count": os.cpu_count(),
        "threads": {name: os.environ.get(name) for name in THREAD_VARIABLES},
    }
    return json.dumps(found)


def environment() -> dict[str, Any]:
    """Versions and machine: what may change the last bits of a result. Looked up once in a process."""
    return json.loads(_environment())


def resume_entry(provenance: dict[str, Any], row: int, notes: Sequence[str]) -> dict[str, Any]:
    """What is noted when a run goes on after `row` rows: time, process, and what differs from its start."""
    here = environment()
    changed = {name: value for name, value in here.items() if value != provenance.get(name)}
    return {"time": now(), "row": row, "pid": os.getpid(), "changed": changed, "notes": list(notes)}


def read_provenance(path: Path) -> dict[str, Any]:
    """The content of provenance.json; raises DamagedRunError."""
    try:
        with storage_errors(path, "read"):
            if not path.exists():
                raise DamagedRunError(path, "is missing")
            content = json.loads(path.read_text())
    except (ValueError, RecursionError):
        raise DamagedRunError(path, "is damaged (not JSON)") from None
    if not isinstance(content, dict):
        raise DamagedRunError(path, f"is damaged ({type(content).__name__} instead of an object)")
    kinds: dict[str, type] = {"input": str, "command": list, "resumes": list}
    for name, kind in kinds.items():
        if type(content.get(name)) is not kind:
            raise DamagedRunError(path, f"is damaged ({name} is not a {kind.__name__})")
    if not all(isinstance(entry, dict) and {"time", "row"} <= entry.keys() for entry in content["resumes"]):
        raise DamagedRunError(path, "is damaged (resumes holds other things than resumes)")
    return content


def write_provenance(path: Path, provenance: dict[str, Any]) -> None:
    """Write provenance.json atomically; raises StorageError."""
    write_atomic(path, [(json.dumps(provenance, indent=2) + "\n").encode()])


def now() -> str:
    """The time in UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_revision() -> tuple[str | None, bool | None]:
    """Revision of the repository the package is tracked in, and whether the package differs from it."""
    package = Path(__file__).resolve().parents[1]
    # A package installed inside some other repository is not that repository's: ask for this very file.
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None, None
    changes = _git(package, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return _git(package, "rev-parse", "HEAD"), None if changes is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu() -> str:
    if sys.platform == "linux":
        try:
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()
