"""Results of commands as JSON (commands-api §8).

A command returns bool or NotDone for a rescode (True: done), str, int, a list, and a tuple of its fields in the order of the definition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from xmpp_rest.api.commands.types import Field, ListOf, ScalarType, TupleOf, Type
from xmpp_rest.http.body import dump_json

PIECE = 1000  # rows of a long list that are sent together
_NAMED_IN_V0 = frozenset(("integer", "string", "binary", "atom"))


@dataclass(frozen=True, slots=True)
class NotDone:
    """False with a reason, which the command line prints; over HTTP it is 1 all the same (COMPAT ejabberd)."""

    reason: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Rows:
    """A list that may be long, made while it is sent. The rows come in the order that `order` has, and its end is whole or an exception."""

    rows: Iterator[Any]


def pieces(value: Rows, result: Field) -> bytes | Iterator[bytes]:
    """The JSON text of a result of this type: whole if it is short. Raises what the first rows raise."""
    shape = result.type
    if not isinstance(shape, ListOf):
        raise TypeError(f"{result.name} is not a list")
    element = shape.element.type
    rows = (_render(row, element) for row in value.rows)
    first = list(islice(rows, PIECE + 1))
    return dump_json(first) if len(first) <= PIECE else _pieces(chain(first, rows))


def _pieces(rows: Iterator[Any]) -> Iterator[bytes]:
    begin = b"["
    while piece := list(islice(rows, PIECE)):
        yield begin + dump_json(piece)[1:-1]
        begin = b","
    yield b"]"


def render(value: Any, result: Field, version: int) -> Any:
    """The JSON value of a result; `version` is the one that was asked for."""
    if isinstance(value, Rows):
        value = list(value.rows)
    rendered = _render(value, result.type)
    return {result.name: rendered} if is_named(result, version) else rendered


def is_named(result: Field, version: int) -> bool:
    """Whether the value stands in an object under its name. COMPAT ejabberd: so in version 0 alone."""
    return version == 0 and isinstance(result.type, ScalarType) and result.type.name in _NAMED_IN_V0


def _render(value: Any, shape: Type) -> Any:
    match shape:
        case ListOf():
            return _list(value, shape)
        case TupleOf(fields=fields):
            return {field.name: _render(v, field.type) for field, v in zip(fields, value, strict=True)}
        case ScalarType(name="rescode"):
            return 0 if value else 1
    return value


def _list(values: list[Any], shape: ListOf) -> Any:
    if is_object(shape):
        return dict(values)
    return [_render(value, shape.element.type) for value in sorted(values, key=order)]


def is_object(shape: ListOf) -> bool:
    """Whether the pairs of the list are shown as one JSON object."""
    if not isinstance(shape.element.type, TupleOf) or len(fields := shape.element.type.fields) != 2:
        return False
    return tuple(f.name for f in fields) == ("name", "value") or fields[0].type == ScalarType("atom")


def order(value: Any) -> tuple[int, Any]:
    """Integers before texts before what is composed."""
    if isinstance(value, int):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, tuple(map(order, value)))
