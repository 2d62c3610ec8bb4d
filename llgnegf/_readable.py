"""What public objects show of themselves: a signature that reads, `help` without boilerplate, a short repr, and errors
that say which argument was meant. All of it is decided here; this module imports nothing of the package."""

from __future__ import annotations

import inspect
from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

BOILERPLATE = frozenset(dir(object)) | {
    "__abstractmethods__", "__annotate_func__", "__annotations__", "__annotations_cache__", "__dataclass_fields__",
    "__dataclass_params__", "__dict__", "__firstlineno__", "__match_args__", "__module__", "__post_init__",
    "__replace__", "__signature__", "__static_attributes__", "__weakref__",
}  # fmt: skip
"""What every dataclass has: `dir`, and so `help`, leave it out."""
LONGEST, MOST = 60, 6
"""Characters of numbers, and other entries of a list, that a repr shows."""


def readable(function: F) -> F:
    """A function whose signature has no annotations (its docstring has types and units), and which says what was meant
    where its arguments do not fit."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError:
            name = function.__qualname__
            if first == "self" and args:  # the class that is used, not the one that has the method
                name = f"{type(args[0]).__name__}.{function.__name__}"
            check_call(name, own.replace(parameters=list(own.parameters.values())[bound:]), args[bound:], kwargs)
            raise

    own = inspect.signature(function)
    first = next(iter(own.parameters), "")
    bound = int(first in ("self", "cls"))
    call.__signature__ = _bare(own)  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]


def check_call(name: str, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise TypeError, one line a mistake, where these arguments are not those of `signature`."""
    lines = list(_misfits(name, signature.parameters, len(args), kwargs))
    if lines:
        raise TypeError("\n".join(lines)) from None


def _misfits(
    name: str, parameters: Mapping[str, inspect.Parameter], given: int, kwargs: Mapping[str, Any]
) -> Iterator[str]:
    kinds = {one.kind for one in parameters.values()}
    named = [n for n, one in parameters.items() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    placed = [n for n in named if parameters[n].kind is not inspect.Parameter.KEYWORD_ONLY]
    if given > len(placed) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        rest = [n for n in named if n not in placed]
        by_name = f", and by name {', '.join(rest)}" if rest else ""
        yield f"{name}: {given} arguments in a row; allowed: {', '.join(placed) or 'none'}{by_name}"
    for key in kwargs:
        if key in placed[:given]:
            yield f"{name}.{key}: given twice, in its place and by name"
        elif key not in named and inspect.Parameter.VAR_KEYWORD not in kinds:
            yield f"{name}.{key}: unknown; {_meant(key, named)}"
    for key in named[given:] if given <= len(placed) else ():
        if parameters[key].default is inspect.Parameter.empty and key not in kwargs and key not in placed[:given]:
            yield f"{name}.{key}: missing"


def _meant(key: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # only where something is wrong

    lower = {one.lower(): one for one in known}
    near = get_close_matches(key.lower(), lower, n=1, cutoff=0.6)
    return f"did you mean {lower[near[0]]}?" if near else f"known: {', '.join(known)}"


def _bare(signature: inspect.Signature) -> inspect.Signature:
    """The signature without annotations."""
    parameters = [one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


class ReadableType(ABCMeta):
    """The class of readable classes: what `help`, `dir` and a call with wrong arguments make of them."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the constructor, without `self` and annotations; defaults are as they are made."""
        if cls._signature is not None:  # type: ignore[attr-defined]
            return cls._signature  # type: ignore[attr-defined]
        if cls.__init__ is object.__init__:  # type: ignore[misc]
            return inspect.Signature()
        made = {name: _default(one) for name, one in getattr(cls, "__dataclass_fields__", {}).items()}
        found = _bare(inspect.signature(cls.__init__))  # type: ignore[misc]
        return found.replace(parameters=[
            one.replace(default=made[name]) if made.get(name, MISSING) is not MISSING and one.default is not one.empty
            else one for name, one in list(found.parameters.items())[1:]
        ])  # fmt: skip

    def __dir__(cls) -> list[str]:
        return [name for name in super().__dir__() if name not in BOILERPLATE]

    if not TYPE_CHECKING:  # for which the constructor is what says what a class takes

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().__call__(*args, **kwargs)
            except TypeError:
                check_call(cls.__name__, cls.__signature__, args, kwargs)
                raise


class Readable(metaclass=ReadableType):
    """What public classes inherit; a dataclass's repr says what is not as by default, and what large arrays are."""

    _signature: ClassVar[inspect.Signature | None] = None
    """Of a constructor that does not say itself what it takes."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign] # as its own, so that `dataclass` makes none

    def __repr__(self) -> str:
        if not is_dataclass(self):
            return object.__repr__(self)
        shown = sorted((one for one in fields(self) if one.repr), key=lambda one: one.kw_only)
        values = {one.name: getattr(self, one.name) for one in shown if not _same(getattr(self, one.name), one)}
        return f"{type(self).__name__}({', '.join(f'{name}={brief(value)}' for name, value in values.items())})"


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _same(value: Any, one: Field[Any]) -> bool:
    """Whether a field has its default, one for each site included."""
    default = _default(one)
    if isinstance(value, np.ndarray):
        number = isinstance(default, int | float) and value.ndim <= 1
        return number and bool(np.all(value == default))
    return value is default or (type(value) is type(default) and bool(value == default))


def brief(value: Any) -> str:
    """A value in a few words: small ones as Python has them, of large arrays their shapes."""
    if isinstance(value, np.ndarray):
        return _brief_array(value)
    if isinstance(value, tuple | list):
        if len(value) > LONGEST:
            return f"<{len(value)} entries>"
        opening, closing = ("(", ",)" if len(value) == 1 else ")") if isinstance(value, tuple) else ("[", "]")
        text = f"{opening}{', '.join(map(brief, value))}{closing}"
        plain = all(isinstance(one, tuple | list | int | float | complex) for one in value)
        return text if len(text) <= LONGEST or (len(value) <= MOST and not plain) else f"<{len(value)} entries>"
    if hasattr(value, "shape") and hasattr(value, "nnz"):
        return f"<{' x '.join(map(str, value.shape))} sparse array>"
    if isinstance(value, np.generic):
        return repr(value.item())
    if inspect.isroutine(value):
        return f"<function {getattr(value, '__qualname__', type(value).__name__)}>"
    return repr(value)


def _brief_array(value: np.ndarray) -> str:
    """Numbers that are all alike as one, which is what they were given as."""
    if value.ndim == 1 and value.size > 3 and bool(np.all(value == value[0])):
        return repr(value[0].item())
    text = repr(value.tolist()) if value.size <= LONGEST else ""
    kind = "complex array" if np.iscomplexobj(value) else "array"
    return text if 0 < len(text) <= LONGEST else f"<{' x '.join(map(str, value.shape))} {kind}>"
