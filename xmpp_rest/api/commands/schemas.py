"""Arguments and results of commands as JSON Schema, and examples of arguments as JSON, for the OpenAPI description."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.commands.bounds import BOUNDS
from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.results import is_named, is_object
from xmpp_rest.api.commands.types import Field, ListOf, ScalarType, TupleOf, Type
from xmpp_rest.api.openapi.model import STRING, Schema, array, integer, record

ARGUMENTS: dict[str, Schema] = {"integer": {"type": "integer"}, "any": {}}
"""Of the others each is a text."""
RESULTS: dict[str, Schema] = {"integer": {"type": "integer"}, "any": {}, "rescode": integer(0, 1)}

SCHEMAS: dict[str, Schema] = {
    "CommandError": {
        "anyOf": [
            {"type": "string", "examples": ["unknown_command"]},
            record({"status": {"const": "error"}, "code": {"type": "integer"}, "message": STRING}),
        ]
    },
}


def arguments(definition: Definition) -> Schema:
    """The object of all arguments. A list may be left out, and an argument that has a value by itself."""
    members = {field.name: _argument(field, definition) for field in definition.args}
    lists = {field.name for field in definition.args if isinstance(field.type, ListOf)}
    left = {name for name in lists | definition.optional.keys() if "minItems" not in members[name]}
    needed = {name: schema for name, schema in members.items() if name not in left}
    return record(needed, {name: schema for name, schema in members.items() if name in left})


def _argument(field: Field, definition: Definition) -> Schema:
    about = definition.about.get(field.name)
    default = {"default": definition.optional[field.name]} if field.name in definition.optional else {}
    bounds = dict(BOUNDS.get(f"{definition.name}.{field.name}", {}))
    return _schema(field.type, ARGUMENTS) | bounds | ({"description": about.sentence} if about else {}) | default


def result(definition: Definition, version: int) -> Schema:
    """What a call of this API version is answered."""
    schema = _schema(definition.result.type, RESULTS)
    return record({definition.result.name: schema}) if is_named(definition.result, version) else schema


def _schema(shape: Type, scalars: dict[str, Schema]) -> Schema:
    match shape:
        case ListOf(element=element):
            if scalars is RESULTS and is_object(shape) and isinstance(element.type, TupleOf):
                return {"type": "object", "additionalProperties": _schema(element.type.fields[1].type, scalars)}
            return array(_schema(element.type, scalars))
        case TupleOf(fields=fields):
            return record({field.name: _schema(field.type, scalars) for field in fields}, closed=scalars is RESULTS)
        case ScalarType(name=name):
            return scalars.get(name, STRING)
    raise TypeError(f"{shape} is not a type")


def example(definition: Definition) -> dict[str, Any]:
    """The catalogue's example as the object of a request."""
    kinds = {field.name: field.type for field in definition.args}
    return {name: _value(about.example, kinds[name]) for name, about in definition.about.items()}


def _value(word: str, shape: Type) -> Any:
    """A word of the command line as JSON: `a,b` is a list, `a:b` a tuple."""
    match shape:
        case ListOf(element=element):
            return [_value(part.strip(), element.type) for part in word.split(",")] if word.strip() else []
        case TupleOf(fields=fields):
            return {field.name: _value(part.strip(), field.type) for field, part in zip(fields, word.split(":"), strict=True)}
        case ScalarType(name="integer"):
            return int(word)
    return word
