"""The vocabulary of input tables: a base class that refuses unknown keys, and fields that know their unit.

Ranges belong to the problem objects (`build` asks them); here only the type and finiteness are settled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from llgnegf._checks import MOST_SITES


@dataclass(frozen=True)
class Allowed:
    """What a field takes, in words, and its unit; whatever is wrong inside the field is one mistake."""

    text: str
    unit: str = ""

    @property
    def sentence(self) -> str:
        """`text` with the unit."""
        return f"{self.text}, in {self.unit}" if self.unit else self.text

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        def validate(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
            try:
                return inner(value)
            except (ValidationError, OverflowError):
                raise PydanticCustomError("allowed", "{allowed}", {"allowed": self.sentence}) from None

        return core_schema.no_info_wrap_validator_function(validate, handler(source))


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


OWN = "package.module:Class"
"""How a class of the user is named as a kind."""


class OwnTable(Table):
    """A table with kind = "package.module:Class": an own energy term or torque, importable under this path.

    The other keys are the arguments of its constructor.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    kind: str


def by_kind(
    kinds: Iterable[str], default: str | None = None, constant: bool = False, own: bool = False
) -> Discriminator:
    """Choose a table by its key `kind`; tags are written <kind>, which no key can be.

    Args:
        kinds: The kinds there are.
        default: The kind of a table without the key.
        constant: Whether something that is no table is tagged <constant>.
        own: Whether a kind may name a class of the user, which is tagged <own>.
    """
    known = tuple(kinds)

    def tag(value: Any) -> str | None:
        if isinstance(value, dict):
            kind = value.get("kind", default)
        elif isinstance(value, Table):
            kind = getattr(value, "kind", None)
        else:
            return "<constant>" if constant else None
        if own and isinstance(kind, str) and ":" in kind:
            return "<own>"
        return f"<{kind}>" if isinstance(kind, str) and kind in known else None

    shown = (*known, OWN) if own else known
    return Discriminator(tag, custom_error_type="kind", custom_error_message=" ".join(shown))


def plain(value: Any) -> Any:
    """Tuples as the lists they are in the file (some objects take a tuple for something else)."""
    return [plain(v) for v in value] if isinstance(value, tuple) else value


ListOf = Strict(False)
"""A list in the file is a tuple in the object; what is in it stays strict."""

Numbers = Annotated[tuple[float, ...], ListOf]
Vector = Annotated[tuple[float, float, float], ListOf]
Vectors = Annotated[tuple[Vector, ...], ListOf]
Integers = Annotated[tuple[int, ...], ListOf]

MatrixEntry = Annotated[tuple[int, int, float, float], ListOf]
"""[row, column, real part, imaginary part] on or above the diagonal of a Hermitian matrix."""

NUMBER = "a finite number"
PER_SITE = "a finite number, or a list with one for each site"

Plain = Annotated[float, Allowed(NUMBER)]
Electronvolt = Annotated[float, Allowed(NUMBER, "eV")]
Femtosecond = Annotated[float, Allowed(NUMBER, "fs")]
Radian = Annotated[float, Allowed(NUMBER, "rad")]
Integer = Annotated[int, Allowed("an integer")]
Text = Annotated[str, Allowed("a text")]
Axis = Annotated[str | Vector, Allowed("'x', 'y', 'z' or a non-zero vector of 3 finite numbers")]
PerSiteElectronvolt = Annotated[float | Numbers, Allowed(PER_SITE, "eV")]
PerBondElectronvolt = Annotated[float | Numbers, Allowed("a finite number, or a list with one for each bond", "eV")]
NumberOfSites = Annotated[int, Field(ge=1, le=MOST_SITES), Allowed(f"an integer from 1 to {MOST_SITES}")]
