"""What can go wrong between JSON and a stanza? Three exceptions, one for each answer that is due."""

from __future__ import annotations


class MappingError(ValueError):
    """The JSON value makes no stanza (rest-api: 400 `parse`); the sentence names the field and says what would be right."""

    def __init__(self, remedy: str, field: str = "") -> None:
        super().__init__(remedy)
        self.remedy = remedy
        self.field = field  # where in the object, as in `archive.form.fields[2].values`; "" for the object itself

    def within(self, name: str) -> None:
        """Note that the value at fault stands in the field (or `[index]`) `name`."""
        dot = "." if self.field and not self.field.startswith("[") else ""
        self.field = f"{name}{dot}{self.field}"

    def __str__(self) -> str:
        return f"'{self.field}': {self.remedy}" if self.field else self.remedy


class BadAddress(MappingError):
    """The `field` "to" or "from" is not an XMPP address (rest-api: 422)."""


class Unmappable(ValueError):
    """The stanza has no JSON form: it is none of the three kinds, or its JSON container is broken (rest-api: 500)."""
