"""Arguments of commands from those of a request (commands-api §7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.erlang import term
from xmpp_rest.api.commands.errors import CommandFailure, rejected
from xmpp_rest.api.commands.types import Field, ListOf, TupleOf, Type
from xmpp_rest.api.detail import did_you_mean

Given = list[tuple[str, Any]]
"""Names and JSON values, in the order they came; a name may come twice."""
_DECIMAL = re.compile(r"[+-]?[0-9]{1,4000}")  # more digits than int() takes are not a number


def take(definition: Definition, given: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The arguments of the definition, converted, in its order. Raises CommandFailure: the first that is wrong, then left-over names."""
    renamed = [(definition.renamed.get(name, name), value) for name, value in given] if definition.renamed else list(given)
    values = dict(renamed)
    count = [name for name, _ in renamed].count if len(values) < len(renamed) else None
    taken = {}
    for name, kind in definition.args:
        if count and count(name) > 1:
            raise rejected(f"Request have duplicate argument: {name}")
        taken[name] = convert(values[name], kind) if name in values else _absent(name, kind, definition.optional)
    if not values.keys() <= taken.keys():
        left = [name for name, _ in renamed if name not in taken]
        raise rejected(f"Request have unknown arguments: [{','.join(left)}]")
    return taken


def about_arguments(definition: Definition, given: Iterable[tuple[str, Any]]) -> str:
    """Which arguments the command has, and what a name that it does not have was perhaps meant to be."""
    wanted = {field.name: field.type for field in definition.args}
    listed = ", ".join(f"{name} ({_plain(kind)})" for name, kind in wanted.items()) or "none"
    unknown = next((name for name, _ in given if definition.renamed.get(name, name) not in wanted), None)
    hint = "" if unknown is None else f"{unknown[:100]!r} is none of them{did_you_mean(unknown, wanted) or '.'} "
    return f"{hint}{definition.name} takes: {listed}"


def _plain(kind: Type) -> str:
    """A type without the words of Erlang for text."""
    return str(kind).replace("binary", "text").replace("string", "text")


def _absent(name: str, kind: Type, optional: Mapping[str, Any]) -> Any:
    if name in optional:
        return optional[name]
    if isinstance(kind, ListOf):
        return []
    raise rejected(f"Request have missing argument: {name}")


def convert(value: Any, to: Type) -> Any:
    """`value` as the type `to`: str, int, list or tuple. Raises CommandFailure."""
    if isinstance(to, ListOf):
        return _list(value, to)
    if isinstance(to, TupleOf):
        return _tuple(value, to)
    if to.name == "integer":
        return _integer(value, to)
    if isinstance(value, str):
        return value
    raise _unfit(value, to)


def _unfit(value: Any, to: Type) -> CommandFailure:
    return rejected(f"Arg {term(value)} is not in format {to}")


def _integer(value: Any, to: Type) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return int(value)
    raise _unfit(value, to)


def _list(value: Any, to: ListOf) -> list[Any]:
    if isinstance(value, dict) and (pair := to.pair):
        return [(key, convert(content, pair[1].type)) for key, content in value.items()]
    # COMPAT ejabberd: one element may come without its brackets, as every value of a GET does.
    return [convert(element, to.element.type) for element in (value if isinstance(value, list) else [value])]


def _tuple(value: Any, to: TupleOf) -> tuple[Any, ...]:
    if not isinstance(value, dict):
        raise _unfit(value, to)
    return tuple(convert(_member(value, field, to), field.type) for field in to.fields)


def _member(value: Mapping[str, Any], field: Field, to: TupleOf) -> Any:
    if value.get(field.name) is None:
        raise rejected(f"Missing field {field.name} in tuple {to}")
    return value[field.name]
