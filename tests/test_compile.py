"""Compiled kernels: the same bits whatever the cache holds, and a cache that is never in the way."""

from __future__ import annotations

import errno
import importlib
import multiprocessing
import os
import pkgutil
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numba.core import config
from numba.core.caching import IndexDataCacheFile
from numba.core.dispatcher import Dispatcher

import llgnegf

RIGHT_HAND_SIDE = """
import hashlib
import numpy as np
import llgnegf as ln
from llgnegf.run.simulation import Simulation

wall = ln.bloch_wall(n_sites=5, center=3, width=0.9)
system = ln.OpenSystem(ln.chain(5, 1.0, j_sd=0.5), [ln.ChainLead(0), ln.ChainLead(-1)], 0.0, kT=0.025)
run = Simulation(system, ln.Precession(wall, 0.05), t_end=1.0, save_every=1.0, start="partitioned")
state = np.random.default_rng(1).normal(size=run.state.size)
derivative = np.zeros_like(state)
run.equation(0.0, state, derivative)
print(hashlib.sha256(derivative.tobytes()).hexdigest())
"""

KERNEL = """
from llgnegf._compile import kernel, part

FACTOR = 2.0

@part()
def _scaled_square(x):
    return FACTOR * (x * x)

@kernel()
def total(x):
    return _scaled_square(x) + 1.0

answer = (total(3.0), len(total.stats.cache_hits))
"""
"""total(3) = 2 * 3^2 + 1 = 19; the second number is 1 if the machine code came from the cache."""


def right_hand_side(cache: Path) -> str:
    """The digest that a new process with this cache prints."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", RIGHT_HAND_SIDE]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True).stdout


def answer(script: Path) -> tuple[float, int]:
    """What `script` answers when it is run anew, in this process, with none of its functions compiled."""
    return runpy.run_path(str(script))["answer"]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """KERNEL as a file, with a cache of its own."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "own.py"
    path.write_text(KERNEL)
    return path


@pytest.fixture
def no_place(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nowhere to write but a folder for temporary files; returns what would be made there."""
    monkeypatch.setattr(config, "CACHE_DIR", "")
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "/dev/null")
    (tmp_path / "__pycache__").write_text("a file: no folder can be made here, not even by root")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"llgnegf-cache-{os.getuid()}"


def dispatchers() -> Iterator[Dispatcher]:
    """All compiled functions of the package."""
    for module in pkgutil.walk_packages(llgnegf.__path__, "llgnegf."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Dispatcher):
                yield value


def callees(function: Dispatcher) -> Iterator[Dispatcher]:
    for name in function.py_func.__code__.co_names:
        value = function.py_func.__globals__.get(name)
        if isinstance(value, Dispatcher):
            yield value


def test_right_hand_side_has_the_same_bits_with_an_empty_and_a_full_cache(tmp_path: Path) -> None:
    compiled = right_hand_side(tmp_path)
    assert list(tmp_path.rglob("stages.electronic_stages*.nbc"))
    assert right_hand_side(tmp_path) == compiled


def test_every_kernel_is_one_piece_of_machine_code() -> None:
    found = list(dispatchers())
    assert len({f.py_func.__qualname__ for f in found}) > 50
    outside = {g.py_func.__qualname__ for f in found for g in callees(f) if not g.targetoptions.get("forceinline")}
    assert not outside


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
def test_damaged_cache_files_are_made_again(script: Path, tmp_path: Path, ending: str) -> None:
    assert answer(script) == (19.0, 0)
    assert answer(script) == (19.0, 1)
    (path,) = tmp_path.rglob(f"*{ending}")
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], bytes(len(whole)), b"\x80" + whole[::-1]):
        path.write_bytes(damaged)
        assert answer(script) == (19.0, 0)
        assert answer(script) == (19.0, 1)


def test_full_disk_costs_the_cache_only(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", full)
    assert answer(script) == (19.0, 0)
    assert answer(script) == (19.0, 0)


def test_changed_constant_or_callee_is_compiled_anew(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The callee stands in another file; that of the caller, whose machine code is kept, stays as it is."""
    constants_and_part, caller = KERNEL.split("@kernel()")
    callee = tmp_path / "own_callee.py"
    callee.write_text(constants_and_part)
    script.write_text("from own_callee import _scaled_square, kernel\n@kernel()" + caller)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def changed(old: str, new: str) -> tuple[float, int]:
        callee.write_text(callee.read_text().replace(old, new))
        sys.modules.pop("own_callee", None)
        return answer(script)

    assert changed("", "") == (19.0, 0)
    assert changed("", "") == (19.0, 1)
    assert changed("FACTOR = 2.0", "FACTOR = 3.0") == (3 * 3**2 + 1, 0)
    assert changed("(x * x)", "(x + x)") == (3 * (3 + 3) + 1, 0)
    assert changed("@part()", "@part({'contract'})") == (19.0, 0)


def test_named_tuple_with_other_fields_is_compiled_anew(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the fields is not part of their types, and the class stands in another file."""
    fields = tmp_path / "own_fields.py"
    script.write_text("""
from llgnegf._compile import kernel
from own_fields import Pair

@kernel()
def difference(pair):
    return pair.first - pair.second

answer = (difference(Pair(3.0, 1.0)), len(difference.stats.cache_hits))
""")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def with_fields(*names: str) -> tuple[float, int]:
        lines = ["from typing import NamedTuple", "class Pair(NamedTuple):", *(f"    {name}: float" for name in names)]
        fields.write_text("\n".join(lines))
        sys.modules.pop("own_fields", None)
        return answer(script)

    assert with_fields("first", "second") == (2.0, 0)
    assert with_fields("first", "second") == (2.0, 1)
    assert with_fields("second", "first") == (-2.0, 0)


def test_resolved_is_the_function_for_these_types() -> None:
    from llgnegf._compile import kernel, resolved

    def scaled(pair, out):  # type: ignore[no-untyped-def]
        out[0] = pair[0] * pair[1]

    out = np.zeros(1)
    resolved(kernel()(scaled), (2.0, 1.0), out)((3.0, 4.0), out)
    assert out[0] == 12.0
    resolved(scaled, (2.0, 1.0), out)((3.0, 5.0), out)  # as it comes with NUMBA_DISABLE_JIT
    assert out[0] == 15.0


def test_no_place_for_the_cache_but_that_for_temporary_files(script: Path, no_place: Path) -> None:
    assert [answer(script) for _ in range(2)] == [(19.0, 0), (19.0, 1)]
    assert no_place.stat().st_mode & 0o777 == 0o700


def test_no_place_for_the_cache_at_all(script: Path, no_place: Path) -> None:
    no_place.write_text("not a folder")
    assert [answer(script) for _ in range(2)] == [(19.0, 0)] * 2


def test_folder_that_others_can_write_to_is_not_used(script: Path, no_place: Path) -> None:
    no_place.mkdir()
    no_place.chmod(0o777)
    assert [answer(script) for _ in range(2)] == [(19.0, 0)] * 2
    assert not list(no_place.iterdir())


def answer_with(script: Path, cache: str) -> float:
    """For another process: `answer` with the cache in a given folder."""
    config.CACHE_DIR = cache
    return answer(script)[0]


def test_eight_processes_at_once_with_an_empty_cache(script: Path) -> None:
    context = multiprocessing.get_context("forkserver")  # loads the compiler once; a test process may have threads
    context.set_forkserver_preload(["llgnegf._compile"])
    with context.Pool(8) as pool:
        assert pool.starmap(answer_with, [(script, config.CACHE_DIR)] * 8, chunksize=1) == [19.0] * 8
    assert answer(script) == (19.0, 1)
