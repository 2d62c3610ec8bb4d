"""Records: nested dicts of numbers, strings and arrays as bytes that show every damage.

The format of checkpoints and segments. Layout of a record, integers little-endian:

    8 bytes   b"LLGNEGF1"
    8 bytes   length of the header
    header    JSON: the tree, with [dtype, shape, order] in place of every array
    arrays    raw, in the order of their appearance
    32 bytes  SHA-256 of all bytes before
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from llgnegf._files import DamagedRunError, storage_errors, write_atomic

MAGIC = b"LLGNEGF1"
DIGEST_SIZE = hashlib.sha256().digest_size
BLOCK = 1 << 20
"""Bytes that are read at a time to see whether a record is whole."""
PLAIN = (bool, int, float, str, type(None))


def write_record(path: Path, tree: Any) -> str:
    """Write `tree` to `path` atomically; returns its digest in hexadecimal.

    Args:
        path: The file.
        tree: dicts with string keys, lists, tuples, NumPy arrays and scalars, bool, int, float, complex, str, None.

    Raises:
        TypeError: For anything else in `tree`.
        StorageError: With path and errno.
    """
    arrays: list[np.ndarray] = []
    header = json.dumps(_described(tree, arrays)).encode()
    parts: list[bytes | memoryview] = [MAGIC + len(header).to_bytes(8, "little") + header]
    parts += [_raw(array) for array in arrays]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    write_atomic(path, [*parts, digest.digest()])
    return digest.hexdigest()


def read_record(path: Path, digest: str | None = None, arrays: bool = True) -> Any:
    """The tree in `path`, with the same types, values and memory order.

    Args:
        path: The file.
        digest: What the digest must be; None accepts any consistent record.
        arrays: Whether to read the arrays; without them, None in their places, a record of any length takes no memory.

    Raises:
        DamagedRunError: If the file is missing, truncated or changed, or is not the one with `digest`.
        StorageError: If it cannot be read for another reason, with path and errno.
    """
    with storage_errors(path, "read"):
        try:
            with open(path, "rb") as file:
                return _read(path, file, digest, arrays)
        except FileNotFoundError:
            raise DamagedRunError(path, "is missing") from None


def _read(path: Path, file: BinaryIO, digest: str | None, arrays: bool) -> Any:
    found, stored = _digests(file)
    start = file.read(len(MAGIC) + 8)
    if found != stored or start[: len(MAGIC)] != MAGIC:
        raise DamagedRunError(path, "is damaged (truncated, or its SHA-256 does not fit)")
    if digest is not None and stored.hex() != digest:
        raise DamagedRunError(path, "is not the file the checkpoint was written with (another SHA-256)")
    header = json.loads(file.read(int.from_bytes(start[len(MAGIC) :], "little")))
    return _rebuilt(header, file if arrays else None)


def _digests(file: BinaryIO) -> tuple[bytes, bytes]:
    """The SHA-256 of what is before the last 32 bytes, and these; the file is at its beginning afterwards."""
    left = max(0, file.seek(0, os.SEEK_END) - DIGEST_SIZE)
    file.seek(0)
    digest = hashlib.sha256()
    while left and (block := file.read(min(left, BLOCK))):
        digest.update(block)
        left -= len(block)
    stored = file.read(DIGEST_SIZE)
    file.seek(0)
    return digest.digest(), stored


def _described(value: Any, arrays: list[np.ndarray]) -> Any:
    """`value` as JSON in which everything that JSON does not know is {tag: content}; appends to `arrays`."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, complex) and not isinstance(value, np.generic):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"record: keys {list(value)!r}; allowed: strings")
        return {"dict": {key: _described(item, arrays) for key, item in value.items()}}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_described(item, arrays) for item in value]}
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject and value.dtype.fields is None:
        array = np.asarray(value)
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        arrays.append(array)
        tag = "array" if isinstance(value, np.ndarray) else "scalar"
        return {tag: [array.dtype.str, list(array.shape), order]}
    raise TypeError(f"record: {type(value).__name__}; allowed: dicts, lists, arrays, numbers and strings")


def _raw(array: np.ndarray) -> memoryview:
    # The memory order is kept: the last bits of a matrix product depend on it.
    order = array.T if array.flags.f_contiguous and not array.flags.c_contiguous else array
    return np.ascontiguousarray(order).reshape(-1).view(np.uint8).data


def _taken(file: BinaryIO, dtype: str, shape: list[int], order: str) -> np.ndarray:
    """The next array of a record."""
    flat = np.empty(int(np.prod(shape, dtype=np.int64)), np.dtype(dtype))
    file.readinto(flat.view(np.uint8).data)  # type: ignore[attr-defined]
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _rebuilt(value: Any, file: BinaryIO | None) -> Any:
    """The tree of a header, its arrays from where the file stands."""
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == "dict":
        return {key: _rebuilt(item, file) for key, item in content.items()}
    if tag in ("list", "tuple"):
        items = [_rebuilt(item, file) for item in content]
        return items if tag == "list" else tuple(items)
    if tag == "complex":
        return complex(*content)
    if file is None:
        return None
    array = _taken(file, *content)
    return array if tag == "array" else array[()]
