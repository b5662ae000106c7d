"""Contents of a child element as one JSON value: text, an attribute, an object, or items (json-mapping §1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, NamedTuple, Protocol
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.protocol.jsonmap.exceptions import within
from xmpp_rest.protocol.jsonmap.plan import MappingLine, MappingPlan, clark
from xmpp_rest.protocol.jsonmap.scalars import STRING, Scalar

ABSENT: Final = object()  # the result of reading an element without content; None is JSON's null

Lines = tuple[MappingLine, ...]


class BoundContent(NamedTuple):
    """The reader and the writer of a content for elements in one namespace."""

    read: Callable[[Element], Any]  # a JSON value or ABSENT
    write: Callable[[Element, Any], None]  # fills the empty element; a value of another type leaves it empty; raises MappingError


class FieldContent(Protocol):
    """A kind of content that an element may hold."""

    def bind(self, namespace: str) -> BoundContent:
        """The reader and writer for elements in `namespace`."""


def own_text(element: Element) -> str | None:
    """The text of an element; None if it has child elements, "" if it is empty."""
    return None if len(element) else element.text or ""


@dataclass(frozen=True)
class TextContent:
    """The element's text."""

    scalar: Scalar = STRING

    def bind(self, namespace: str) -> BoundContent:
        to_value, to_text = self.scalar.read, self.scalar.write

        def read(element: Element) -> Any:
            if (text := own_text(element)) is None or (value := to_value(text)) is None:
                return ABSENT
            return value

        def write(element: Element, value: Any) -> None:
            element.text = to_text(value) or None

        return BoundContent(read, write)


@dataclass(frozen=True)
class AttributeContent:
    """One attribute of the element."""

    attribute: str
    scalar: Scalar = STRING

    def bind(self, namespace: str) -> BoundContent:
        def read(element: Element) -> Any:
            if (text := element.get(self.attribute)) is None or (value := self.scalar.read(text)) is None:
                return ABSENT
            return value

        def write(element: Element, value: Any) -> None:
            if (text := self.scalar.write(value)) is not None:
                element.set(self.attribute, text)

        return BoundContent(read, write)


@dataclass(frozen=True)
class ObjectContent:
    """An object with its own fields, by a table (or a function that returns it, for a table that contains itself)."""

    lines: Lines | Callable[[], Lines]
    shorthand: str = ""  # the field that a plain string is short for

    def bind(self, namespace: str) -> BoundContent:
        @cache  # made on first use, when the tables are complete
        def plan() -> MappingPlan:
            return MappingPlan(self.lines() if callable(self.lines) else self.lines, namespace)

        def read(element: Element) -> Any:
            return plan().read(element, {})

        def write(element: Element, value: Any) -> None:
            if self.shorthand and isinstance(value, str):
                value = {self.shorthand: value}
            if isinstance(value, dict):
                plan().write(element, value)

        return BoundContent(read, write)


@dataclass(frozen=True)
class ItemsContent:
    """Repeated children as an array, `[]` if there is none."""

    tag: str
    content: FieldContent

    def bind(self, namespace: str) -> BoundContent:
        tag = clark(namespace, self.tag)
        item = self.content.bind(namespace)

        def read(element: Element) -> Any:
            items = (item.read(child) for child in element if child.tag == tag)
            return [i for i in items if i is not ABSENT]

        return BoundContent(read, partial(write_items, tag=tag, write=item.write))


@dataclass(frozen=True)
class OwnContent:
    """A hand-written mapping in a module of its own (json-mapping §6)."""

    read: Callable[[Element], Any]
    write: Callable[[Element, Any], None]

    def bind(self, namespace: str) -> BoundContent:
        return BoundContent(self.read, self.write)


def write_items(parent: Element, value: Any, tag: str, write: Callable[[Element, Any], None]) -> None:
    """Add one child per item of the array `value`; any other value adds none. Raises MappingError."""
    for n, item in enumerate(value if isinstance(value, list | tuple) else ()):
        with within(f"[{n}]"):
            write(SubElement(parent, tag), item)
