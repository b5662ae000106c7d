"""A validator for the part of JSON Schema 2020-12 that the description of the client API uses; other keywords are errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]
TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}
NOTES = {"description", "examples", "default"}


class Checker:
    """Checks against schemas that refer to each other."""

    def __init__(self, components: dict[str, Schema]) -> None:
        self.components = components

    def problems(self, value: Any, schema: Schema, where: str = "$") -> Iterator[str]:
        """What does not fit; nothing if all does."""
        for keyword, argument in schema.items():
            if keyword not in NOTES:
                yield from getattr(self, f"_{keyword.replace('$', '')}")(value, argument, schema, where)

    def fits(self, value: Any, schema: Schema) -> bool:
        return not list(self.problems(value, schema))

    def _ref(self, value: Any, name: str, _: Schema, where: str) -> Iterator[str]:
        yield from self.problems(value, self.components[name.rpartition("/")[2]], where)

    def _type(self, value: Any, name: str, _: Schema, where: str) -> Iterator[str]:
        if not TYPES[name](value):
            yield f"{where} is not {name}: {value!r}"

    def _enum(self, value: Any, values: list[Any], _: Schema, where: str) -> Iterator[str]:
        if value not in values:
            yield f"{where} is none of {values}: {value!r}"

    def _const(self, value: Any, only: Any, _: Schema, where: str) -> Iterator[str]:
        if value != only:
            yield f"{where} is not {only!r}: {value!r}"

    def _minLength(self, value: Any, least: int, _: Schema, where: str) -> Iterator[str]:
        if len(value) < least:
            yield f"{where} is shorter than {least}"

    def _minItems(self, value: Any, least: int, _: Schema, where: str) -> Iterator[str]:
        if len(value) < least:
            yield f"{where} has fewer than {least} items"

    def _required(self, value: Any, names: list[str], _: Schema, where: str) -> Iterator[str]:
        yield from (f"{where}.{name} is missing" for name in names if name not in value)

    def _dependentRequired(self, value: Any, names: dict[str, list[str]], _: Schema, where: str) -> Iterator[str]:
        for name, others in names.items():
            if name in value:
                yield from self._required(value, others, {}, where)

    def _properties(self, value: Any, schemas: dict[str, Schema], _: Schema, where: str) -> Iterator[str]:
        for name in value.keys() & schemas.keys():
            yield from self.problems(value[name], schemas[name], f"{where}.{name}")

    def _additionalProperties(self, value: Any, others: bool | Schema, schema: Schema, where: str) -> Iterator[str]:
        for name in value.keys() - schema.get("properties", {}).keys():
            if others is False:
                yield f"{where}.{name} must not be there"
            elif isinstance(others, dict):
                yield from self.problems(value[name], others, f"{where}.{name}")

    def _items(self, value: Any, schema: Schema, _: Schema, where: str) -> Iterator[str]:
        for n, item in enumerate(value):
            yield from self.problems(item, schema, f"{where}[{n}]")

    def _anyOf(self, value: Any, schemas: list[Schema], _: Schema, where: str) -> Iterator[str]:
        if not any(self.fits(value, schema) for schema in schemas):
            yield f"{where} fits none of {len(schemas)} shapes: {value!r}"

    def _oneOf(self, value: Any, schemas: list[Schema], _: Schema, where: str) -> Iterator[str]:
        fitting = sum(self.fits(value, schema) for schema in schemas)
        if fitting != 1:
            yield f"{where} fits {fitting} of {len(schemas)} shapes: {value!r}"
