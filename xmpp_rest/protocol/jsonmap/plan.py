"""The index over the lines of one table, with which an element is read in one pass and an object is written.

The tables are data in reading order; a `MappingPlan` is made from one of them, once, for elements of one namespace.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jsonmap.exceptions import MappingError
from xmpp_rest.protocol.namespaces import CLIENT

Object = dict[str, Any]
Take = Callable[[Element, Object], None]  # reads an element into the object
Put = Callable[[Element, Any], None]  # puts a JSON value into the element; raises MappingError


def clark(namespace: str, name: str) -> str:
    """The tag of an element: bare in `jabber:client`, else in Clark notation."""
    return name if namespace == CLIENT else f"{{{namespace}}}{name}"


@dataclass(frozen=True)
class MappingLine(ABC):
    """One line of a table: a JSON field and the place of its XML."""

    name: str  # of the JSON field

    @abstractmethod
    def index(self, plan: MappingPlan, namespace: str) -> None:
        """Add this line to the plan for elements in `namespace`."""


class MappingPlan:
    """The lines of one table, for elements in `namespace`. Not changed after it is made."""

    __slots__ = ("attributes", "children", "puts", "strangers", "texts")

    def __init__(self, lines: Iterable[MappingLine], namespace: str = CLIENT) -> None:
        self.attributes: dict[str, tuple[str, Callable[[str], Any]]] = {}
        self.children: dict[str, list[tuple[Take, bool]]] = {}  # by tag; True: every such child is read, not only the first
        self.strangers: dict[str, Take] = {}  # by namespace, for tags that are not among `children`
        self.texts: list[Take] = []
        self.puts: dict[str, Put] = {}  # by field
        for line in lines:
            line.index(self, namespace)

    def read(self, element: Element, into: Object) -> Object:
        """`into`, with the fields from the element's attributes, children and text."""
        attributes = self.attributes
        for key, text in element.items():
            if key in attributes:
                name, read = attributes[key]
                if (value := read(text)) is not None:
                    into[name] = value
        if len(element):
            self._read_children(element, into)
        for take in self.texts:
            take(element, into)
        return into

    def _read_children(self, element: Element, into: Object) -> None:
        children = self.children
        seen = set()
        for child in element:
            tag = child.tag
            if tag in children:
                for take, again in children[tag]:
                    if again or tag not in seen:
                        take(child, into)
            elif self.strangers and (take_stranger := self.strangers.get(tag[1:].partition("}")[0])):
                tag = tag[1:].partition("}")[0]
                if tag not in seen:
                    take_stranger(child, into)
            seen.add(tag)

    def write(self, element: Element, fields: Object) -> None:
        """Put the fields into the element; those that the table does not know are ignored. Raises MappingError."""
        puts = self.puts
        for name, value in fields.items():
            if name in puts:
                try:
                    puts[name](element, value)
                except MappingError as e:
                    e.within(name)
                    raise
