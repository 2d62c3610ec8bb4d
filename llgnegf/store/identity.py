"""What a run is of: digests of its input and of the code that computes it, kept in every checkpoint and result.

A checkpoint from another run's folder, or written by another version of the physics, is not gone on from.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

AROUND = ("__main__.py", "_files.py", "_netcdf.py", "_processes.py", "cli.py", "commands", "paper", "plots", "store")
"""Files and folders of the package that a result's numbers do not depend on."""


def identity(input_text: str) -> dict[str, str]:
    """Digests of the resolved input (TOML; comments and order do not count) and of the code."""
    canonical = json.dumps(_canonical(tomllib.loads(input_text)), sort_keys=True)
    return {"input": hashlib.sha256(canonical.encode()).hexdigest(), "code": code_digest()}


@cache
def code_digest() -> str:
    """SHA-256 of the package's source without `AROUND`."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] not in AROUND:
            digest.update(name.as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _canonical(value: Any) -> Any:
    """1 and 1.0 are the same input, 1 and true are not."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    return value if isinstance(value, bool | int | float | str) else str(value)
