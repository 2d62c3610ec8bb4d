"""Tables of the input file from what classes and functions declare of their arguments (`problem.arguments`).

Ranges belong to the problem objects (`build` asks them); here only the type and finiteness are settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Annotated, Any, Literal, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    Tag,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from llgnegf.problem.arguments import Argument, Declared, V, declared
from llgnegf.problem.carriers import KINDS

OWN = "package.module:Class"
"""How a class of the user is named as a kind."""
ListOf = Strict(False)
"""A list in the file is a tuple in the object; what is in it stays strict."""


class Table(BaseModel):
    """A table of the input file: its keys are the fields, anything else is refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _remember(cls, data: Any, info: ValidationInfo) -> Any:
        """Leave word of which class read which dict: messages about missing and unknown keys need its fields."""
        if info.context is not None and isinstance(data, dict):
            info.context[id(data)] = cls
        return data


class OwnTable(Table):
    """A table with kind = "package.module:Class": an own energy term or torque, importable under this path.

    The other keys are the arguments of its constructor.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    kind: str


@dataclass(frozen=True)
class Allowed:
    """Marks a field with what it takes; whatever is wrong inside the field is one mistake."""

    argument: Argument

    @property
    def unit(self) -> str:
        return self.argument.unit

    @property
    def sentence(self) -> str:
        return self.argument.sentence

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        def validate(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
            try:
                checked = inner(_tuples(value))
            except (ValidationError, OverflowError):
                checked = None
            if checked is None and value is not None or checked is not None and not self.argument.ok(checked):
                raise PydanticCustomError("allowed", "{allowed}", {"allowed": self.sentence})
            return checked

        return core_schema.no_info_wrap_validator_function(validate, handler(source))


class Driven(Allowed):
    """Marks a field that takes a constant, or a function of time with such values."""

    @property
    def sentence(self) -> str:
        *kinds, last = map(repr, KINDS)
        return f"{self.argument.sentence}, or a table with kind = {', '.join(kinds)} or {last}"

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return handler.generate_schema(_driven_type(self.argument))


@dataclass(frozen=True)
class Tables:
    """Marks a field that is a table of one of several kinds, or (`many`) an array of such tables."""

    kinds: str
    many: bool = False
    least: int = 0

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        one: Any = SECTIONS[self.kinds].type
        several: Any = Annotated[tuple[one, ...], Field(min_length=self.least), ListOf]
        return handler.generate_schema(several if self.many else one)


class Section:
    """Tables of one place in the file, told apart by their key `kind`.

    Args:
        makes: What each kind calls: a class or a function. The one kind "" has no key `kind`.
        default: Kind of a table that does not say it.
        own: Class of which classes of the user may be named as kinds.
    """

    def __init__(self, makes: Mapping[str, Callable[..., Any]], default: str = "", own: type | None = None) -> None:
        self.makes, self.default, self.own = dict(makes), default, own

    @cached_property
    def tables(self) -> dict[str, type[Table]]:
        """The table of each kind."""
        return {kind: table_of(make, kind, kind == self.default) for kind, make in self.makes.items()}

    @property
    def type(self) -> Any:
        """The type of a field with such a table."""
        if "" in self.tables:
            return self.tables[""]
        tables: dict[str, Any] = {**self.tables, **({"own": OwnTable} if self.own else {})}
        return tagged(tables, by_kind(self.makes, self.default, own=self.own is not None))

    def kind_of(self, made: Any) -> str | None:
        """The kind that makes objects of exactly this class; None if there is none."""
        return next((kind for kind, make in self.makes.items() if make is type(made)), None)


SECTIONS: dict[str, Section] = {}
"""By their name in the file, and `spectrum`, `channel` within others; filled by `sections`."""


@cache
def table_of(make: Callable[..., Any], kind: str = "", usual: bool = False, constant: Any = None) -> type[Table]:
    """The table whose keys are the declared arguments of `make`; `constant` is what a drive stands in place of."""
    keys: dict[str, Any] = {"kind": (Literal[kind], kind if usual else ...)} if kind else {}
    keys |= {one.key: (_type_of(one, constant), one.default) for one in declared(make)}
    model = create_model(f"{make.__name__}Table", __base__=Table, __doc__=make.__doc__, **keys)
    MAKES[model] = make
    return model


MAKES: dict[type[Table], Callable[..., Any]] = {}
"""What each table calls."""


def _type_of(one: Declared, constant: Any) -> Any:
    argument, form = one.argument, one.argument.form
    if argument.tables:
        many = argument.tables == "many"
        return Annotated[Any, Tables(form, many, 1 if many else 0)]
    if argument.driven:
        return Annotated[Any, Driven(argument)]
    if form is V:
        return constant
    if constant is not None and get_origin(form) is tuple and V in form.__args__:
        form = tuple[constant, ...]
    return Annotated[form | None if one.default is None else form, Allowed(argument)]


@cache
def _driven_type(argument: Argument) -> Any:
    constant: Any = Annotated[argument.form, Allowed(argument)]
    tables = {kind: table_of(drive, kind, constant=constant) for kind, drive in KINDS.items()}
    return tagged({"constant": constant, **tables}, by_kind(KINDS, constant=True))


def tagged(types: Mapping[str, Any], choose: Discriminator) -> Any:
    """The union of `types`, from which `choose` takes one by its name."""
    choice: Any = None
    for name, one in types.items():
        marked: Any = Annotated[one, Tag(f"<{name}>")]
        choice = marked if choice is None else choice | marked
    return Annotated[choice, choose]


def by_kind(kinds: Iterable[str], default: str = "", constant: bool = False, own: bool = False) -> Discriminator:
    """Choose a table by its key `kind`; tags are written <kind>, which no key can be.

    Args:
        kinds: The kinds there are.
        default: The kind of a table without the key.
        constant: Whether something that is no table is tagged <constant>.
        own: Whether a kind may name a class of the user, which is tagged <own>.
    """
    known = tuple(kinds)

    def tag(value: Any) -> str | None:
        if not isinstance(value, dict | Table):
            return "<constant>" if constant else None
        kind = value.get("kind", default) if isinstance(value, dict) else getattr(value, "kind", None)
        if own and isinstance(kind, str) and ":" in kind:
            return "<own>"
        return f"<{kind}>" if isinstance(kind, str) and kind in known else None

    return Discriminator(
        tag, custom_error_type="kind", custom_error_message=" ".join((*known, OWN) if own else known)
    )


def plain(value: Any) -> Any:
    """Tuples as the lists they are in the file (some objects take a tuple for something else)."""
    return [plain(v) for v in value] if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
