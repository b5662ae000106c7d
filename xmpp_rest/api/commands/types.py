"""Types of arguments and results: the notation of the catalogue, and their names in messages (commands-api §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

SCALARS = frozenset(("integer", "string", "binary", "atom", "rescode", "restuple", "any"))
TEXTS = frozenset(("string", "binary", "atom"))


@dataclass(frozen=True, slots=True)
class ScalarType:
    """One of SCALARS."""

    name: str

    def __str__(self) -> str:
        return self.name


class Field(NamedTuple):
    """A named value: an argument, a result, a field of a tuple, the element of a list."""

    name: str
    type: Type

    def __str__(self) -> str:
        return f"{{{self.name},{self.type}}}"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A sequence of one type; JSON array."""

    element: Field

    def __str__(self) -> str:
        return f"{{list,{self.element}}}"

    @property
    def pair(self) -> tuple[Field, Field] | None:
        """The two fields, if the elements are tuples of two whose first one is text: a JSON object says the same."""
        match self.element.type:
            case TupleOf(fields=(Field(type=ScalarType(name=name)) as first, second)) if name in TEXTS:
                return first, second
        return None


@dataclass(frozen=True, slots=True)
class TupleOf:
    """Fixed fields in this order; JSON object."""

    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return f"{{tuple,[{','.join(map(str, self.fields))}]}}"


Type = ScalarType | ListOf | TupleOf


def read_type(notation: Any) -> Type:
    """The type that the catalogue's notation says: a word, `{"list": FIELD}` or `{"tuple": [FIELD, …]}`. Raises ValueError."""
    match notation:
        case str() if notation in SCALARS:
            return ScalarType(notation)
        case {"list": element}:
            return ListOf(read_field(element))
        case {"tuple": fields}:
            return TupleOf(tuple(map(read_field, fields)))
    raise ValueError(f"{notation!r} is not the notation of a type")


def read_field(notation: Mapping[str, Any]) -> Field:
    """A `{"name": …, "type": …}` of the catalogue. Raises ValueError."""
    return Field(notation["name"], read_type(notation["type"]))
