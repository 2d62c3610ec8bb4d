"""Functions of time in the input file: { kind = "ramp" | "sine" | "pulse" | "table", ... } in place of a constant.

The tables build the functions of `llgnegf.problem.drives`, which say what the keys mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Tag
from pydantic_core import core_schema

from llgnegf.config.fields import Allowed, Femtosecond, ListOf, Numbers, Table, by_kind, plain
from llgnegf.problem.drives import KINDS, Drive

V = TypeVar("V")

Duration = Annotated[float, Allowed("a finite number > 0", "fs")]
Phase = Annotated[
    float | Numbers | Annotated[tuple[Numbers, ...], ListOf],
    Allowed("finite, a number or of the amplitude's shape", "rad"),
]


class DriveTable(Table):
    """What the four tables share: the way to the function of time, and back."""

    kind: str

    def build(self) -> Drive:
        """The function of time; raises ValueError with a line for each mistake."""
        given = {name: plain(getattr(self, name)) for name in type(self).model_fields if name != "kind"}
        return KINDS[self.kind](**{name: value for name, value in given.items() if value is not None})


class RampTable(DriveTable, Generic[V]):
    """`llgnegf.Ramp`."""

    kind: Literal["ramp"]
    initial: V
    final: V
    start: Femtosecond
    duration: Duration


class SineTable(DriveTable, Generic[V]):
    """`llgnegf.Sine`."""

    kind: Literal["sine"]
    amplitude: V
    period: Duration
    phase: Phase = 0.0
    offset: V | None = None


class PulseTable(DriveTable, Generic[V]):
    """`llgnegf.Pulse`."""

    kind: Literal["pulse"]
    amplitude: V
    center: Femtosecond
    width: Duration
    offset: V | None = None


class TableTable(DriveTable, Generic[V]):
    """`llgnegf.Table`."""

    kind: Literal["table"]
    times: Annotated[Numbers, Allowed("a list of at least 2 increasing finite times", "fs")]
    values: Annotated[tuple[V, ...], ListOf, Allowed("a list with a value for each time, each like a constant one")]


@cache
def _driven_type(value: Any) -> Any:
    tables: dict[str, Any] = {
        "ramp": RampTable[value], "sine": SineTable[value], "pulse": PulseTable[value], "table": TableTable[value],
    }  # fmt: skip
    choice: Any = Annotated[value, Tag("<constant>")]
    for kind, table in tables.items():
        choice = choice | Annotated[table, Tag(f"<{kind}>")]
    return Annotated[choice, by_kind(tables, constant=True)]


@dataclass(frozen=True)
class Driven:
    """Marks a field that takes a constant of the type `value`, or a function of time with such values."""

    value: Any

    @property
    def allowed(self) -> Allowed:
        """What a constant may be."""
        return next(m for m in self.value.__metadata__ if isinstance(m, Allowed))

    @property
    def unit(self) -> str:
        return self.allowed.unit

    @property
    def sentence(self) -> str:
        return f"{self.allowed.sentence}, or a table with kind = 'ramp', 'sine', 'pulse' or 'table'"

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return handler.generate_schema(_driven_type(self.value))


def built(value: Any) -> Any:
    """A field of the kind `Driven` as the Python API takes it."""
    return value.build() if isinstance(value, DriveTable) else value
