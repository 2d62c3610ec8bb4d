"""How kernels are compiled: `kernel` for functions that Python calls, `part` for what only kernels call.

Importing this loads the compiler; only modules with kernels do. Machine code is kept in numba's cache: in
NUMBA_CACHE_DIR, else beside the package, else in the user's cache, else in a private folder for temporary files; where
nothing can be written it is compiled in each process.

Every function is inlined into every caller. With relaxed arithmetic (fused multiply-add, sums in another order) each
compiled copy of a function may have last bits of its own. Numba leaves a copy of a callee that is not inlined in each
of its callers and runs the one that was loaded first: the bits of a result then depend on what else the process has
compiled, and what it took from the cache. Inlined, a kernel is one piece of machine code, the same in every process.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numba as nb
from numba import config
from numba.core import sigutils
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

FUSED = frozenset({"contract"})
"""Relaxed arithmetic: products and sums may be fused."""
REORDERED = frozenset({"contract", "reassoc"})
"""Relaxed arithmetic: fused, and sums in the order of the vector lanes."""

Decorator = Callable[[Callable[..., Any]], Any]


def _distinct() -> dict[str, bool]:
    """The option by which a function says that arrays among its arguments do not overlap, `restrict` in C.

    Numba has the flag (its own parallel loops set it) but no option for it: one is added. Without it loops are as
    correct, and slower where they are short.
    """
    with suppress(ImportError, AttributeError):
        from numba.core.cpu import CPUTargetOptions
        from numba.core.options import TargetOptions

        options: Any = CPUTargetOptions
        options.noalias = TargetOptions.Mapping("noalias")
        return {"noalias": True}
    return {}


DISTINCT = _distinct()
"""Options of a `part` that writes nothing which it reaches by another of its arrays as well: two may be one, if what is
touched through each does not overlap. Only for those with nothing but a loop."""


def _counted(allocates: bool) -> dict[str, Any]:
    """The option by which a function counts who refers to an array, or not: it can make none then.

    Counting costs two calls wherever an array is given a name: a fifth of a right-hand side of seven sites. Numba has
    the option for itself; without it functions are as correct, and slower.
    """
    with suppress(ImportError):
        from numba.core.cpu import CPUTargetOptions

        return {"_nrt": allocates} if hasattr(CPUTargetOptions, "_nrt") else {}
    return {}


def kernel(relaxed: Set[str] = frozenset(), *, allocates: bool = False, **options: Any) -> Decorator:
    """Decorator of a compiled function with cached machine code.

    Args:
        relaxed: FUSED, REORDERED, or nothing for IEEE arithmetic as written.
        allocates: Whether it makes arrays, or is handed new ones by what it calls; views of what it is given are none.
        options: Of `numba.njit`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        compiled = nb.njit(forceinline=True, fastmath=set(relaxed), **_counted(allocates), **options)(function)
        if isinstance(compiled, Dispatcher):  # not with NUMBA_DISABLE_JIT
            _keep(compiled)
        return compiled

    return decorate


def part(relaxed: Set[str] = frozenset(), *, allocates: bool = False, **options: Any) -> Decorator:
    """Decorator as `kernel` for a function that only kernels call: no machine code of its own is kept."""
    without: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **_counted(allocates)}
    return nb.njit(forceinline=True, fastmath=set(relaxed), **without, **options)


def resolved(compiled: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """`compiled` for arguments of the types of these, to be called with such only.

    The choice among the signatures of a compiled function looks at every array in a named tuple: 2 us for twenty of
    them, 0.5 us without. Nothing is looked at here: an array of another type or order would be read as what it is not.
    """
    if not isinstance(compiled, Dispatcher):
        return compiled
    signature = tuple(nb.typeof(argument) for argument in arguments)
    compiled.compile(signature)
    found: Any = compiled.overloads[signature]
    return found.entry_point


def _keep(compiled: Any) -> None:
    """Cache the machine code of `compiled` in the first folder that can be written, if there is one."""
    with suppress(RuntimeError):  # numba found no folder
        compiled._cache = _Cache(compiled.py_func)
        return
    with suppress(RuntimeError, OSError), _cache_folder(_temporary_folder()):
        compiled._cache = _Cache(compiled.py_func)


@contextmanager
def _cache_folder(folder: Path) -> Iterator[None]:
    settings: Any = config
    before, settings.CACHE_DIR = settings.CACHE_DIR, str(folder)
    try:
        yield
    finally:
        settings.CACHE_DIR = before


def _temporary_folder() -> Path:
    """A folder that nobody else can write to: what is in it is executed. Raises PermissionError if there is none."""
    folder = Path(tempfile.gettempdir()) / f"llgnegf-cache-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder}: is open to others")
    return folder


class _Cache(FunctionCache):
    """Numba's cache of one kernel: a file that is damaged or cannot be written costs a compilation, never the run."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), fingerprint(self._py_func), _fields(sig))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # unpickling a damaged file may raise anything
            return None
        # Another process may have put other argument types into the file between the reading of index and file.
        return found if found is not None and found.signature.args == sigutils.normalize_signature(sig)[0] else None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception:  # a damaged index, or no space
            with suppress(Exception):
                self.flush()
                super().save_overload(sig, data)


def _fields(types: Iterable[Any]) -> tuple[Any, ...]:
    """The names of the fields of all named tuples among types of arguments: numba compares their types only."""
    return tuple((getattr(t, "fields", ()), _fields(t.types)) for t in types if hasattr(t, "types"))


@cache
def fingerprint(function: FunctionType) -> str:
    """A digest of all that `function` is compiled from: itself, the kernels it calls, their options and constants.

    Numba compares the source file of a kernel only, not those of the functions it calls.
    """
    digest = hashlib.sha256()
    seen: set[FunctionType] = set()
    waiting = [function]
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        code = here.__code__
        digest.update(repr((here.__qualname__, code.co_code, code.co_consts, code.co_names)).encode())
        for name in code.co_names:
            value = here.__globals__.get(name)
            if isinstance(value, Dispatcher):
                options = {k: sorted(v) if isinstance(v, set) else v for k, v in value.targetoptions.items()}
                digest.update(repr(sorted(options.items())).encode())
                waiting.append(value.py_func)
            elif value is not None and not isinstance(value, ModuleType):
                digest.update(repr((name, value)).encode())
    return digest.hexdigest()
