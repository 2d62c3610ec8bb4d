"""Fitted modes kept between runs, by content: what was fitted once is read afterwards.
Used by `matrix_fit`. The cache can only save time: one that is broken, full or not ours to write is passed over.

Files lie in $LLGNEGF_CACHE, else in $XDG_CACHE_HOME/llgnegf, else in ~/.cache/llgnegf, named by a hash of the lead, the
tolerance and the version of the fit; they may be removed at any time. An empty LLGNEGF_CACHE turns them off.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from llgnegf._files import StorageError, write_atomic
from llgnegf.poles.matrix_modes import MatrixModes

Fit = tuple[MatrixModes, float]
"""The modes, and their error in the window of the fit relative to C(0)."""


def kept(spectrum: Any, tolerance: float, version: int, make: Callable[[], Fit]) -> Fit:
    """The fit of a spectrum to a tolerance: from memory, from the disk, or made and stored.

    A spectrum that is a dataclass of arrays is told by its class and these; any other is fitted every time.
    """
    key = _key(spectrum, tolerance, version)
    if key is None:
        return make()
    return _remembered(key, _Maker(make))


class _Maker:
    """A function that is equal to any other, so that it plays no part in what is remembered."""

    def __init__(self, make: Callable[[], Fit]) -> None:
        self.make = make

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Maker)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=256)
def _remembered(key: str, maker: _Maker) -> Fit:
    folder = cache_folder()
    path = None if folder is None else folder / f"{key}.npz"
    found = None if path is None else _read(path)
    if found is None:
        found = maker.make()
        if path is not None:
            _write(path, found)
    return found


def forget() -> None:
    """Drop what is remembered in memory."""
    _remembered.cache_clear()


def cache_folder() -> Path | None:
    """Where fits are kept; None where none are."""
    own = os.environ.get("LLGNEGF_CACHE")
    if own is not None:
        return Path(own) if own else None
    base = os.environ.get("XDG_CACHE_HOME")
    with suppress(RuntimeError):  # no home
        return (Path(base) if base else Path.home() / ".cache") / "llgnegf"
    return None


def _key(spectrum: Any, tolerance: float, version: int) -> str | None:
    parts: list[Any] = [type(spectrum).__qualname__, repr(tolerance), repr(version)]
    if not hasattr(type(spectrum), "__dataclass_fields__"):
        return None
    for field in fields(spectrum):
        value = getattr(spectrum, field.name)
        array = np.ascontiguousarray(value)
        if array.dtype.kind not in "fc":
            return None
        parts += [field.name, repr(array.shape), array.dtype.str, array.tobytes()]
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def _read(path: Path) -> Fit | None:
    """What is stored, if it is whole and has the form of a fit."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
            chi, left, right, numbers = (np.array(data[name]) for name in ("energies", "left", "right", "numbers"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    good = chi.ndim == 1 and left.ndim == 2 and left.shape == right.shape == (len(left), chi.size)
    if not good or numbers.shape != (2,) or not all(np.isfinite(x).all() for x in (chi, left, right)):
        return None
    return MatrixModes(chi, left, right, float(numbers[0])), float(numbers[1])


def _write(path: Path, fit: Fit) -> None:
    modes, reached = fit
    buffer = io.BytesIO()
    numbers = np.array([modes.error, reached])
    np.savez(buffer, energies=modes.energies, left=modes.left, right=modes.right, numbers=numbers)
    with suppress(OSError, StorageError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, [buffer.getvalue()])
