"""Exceptions of the JSON mapping, one for each HTTP status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MappingError(ValueError):
    """The JSON value is not a stanza (rest-api: 400 `parse`); the sentence names the field and says what would be right."""

    def __init__(self, remedy: str, field: str = "") -> None:
        super().__init__(remedy)
        self.remedy = remedy
        self.field = field  # the path in the object, as in `archive.form.fields[2].values`; "" for the object itself

    def within(self, name: str) -> None:
        """Prepend the field (or `[index]`) `name` to the path of the value at fault."""
        dot = "." if self.field and not self.field.startswith("[") else ""
        self.field = f"{name}{dot}{self.field}"

    def __str__(self) -> str:
        return f"'{self.field}': {self.remedy}" if self.field else self.remedy


@contextmanager
def within(name: str) -> Iterator[None]:
    """Prepend the field (or `[index]`) `name` to the path of a value at fault."""
    try:
        yield
    except MappingError as e:
        e.within(name)
        raise


class BadAddress(MappingError):
    """The `field` "to" or "from" is not an XMPP address (rest-api: 422)."""


class Unmappable(ValueError):
    """The stanza has no JSON form: it is not of one of the three kinds, or its JSON container is broken (rest-api: 500)."""
