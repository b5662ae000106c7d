"""The lines of the mapping tables: one function per word of json-mapping §1, and the classes that they return.

| word | the field's value is | its place in the XML |
| --- | --- | --- |
| `attr` | a scalar | an attribute of the parent element |
| `text` | a string | the text of the parent element |
| `child` | a scalar | the text of a child element |
| `flag` | true | an empty child element |
| `name` | a string | the name of a child element, one of a list |
| `value` | a string | one attribute of a child element |
| `obj` | an object with fields of its own, by another table | a child element |
| `array` | an array | repeated child elements |
| `wrapped` | an array | repeated elements inside one child element |
| `own` | what a hand-written module makes of it (json-mapping §6) | a child element |
| `stranger` | as `own` | as `own`; read from a child with any name in the namespace that no other line reads |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.protocol.element import is_ncname
from xmpp_rest.protocol.jsonmap import content
from xmpp_rest.protocol.jsonmap.content import ABSENT, FieldContent, Lines
from xmpp_rest.protocol.jsonmap.exceptions import MappingError
from xmpp_rest.protocol.jsonmap.plan import MappingLine, MappingPlan, Object, clark
from xmpp_rest.protocol.jsonmap.scalars import STRING, Scalar


@dataclass(frozen=True)
class Attribute(MappingLine):
    """An attribute of the element itself."""

    scalar: Scalar
    attribute: str

    def index(self, plan: MappingPlan, namespace: str) -> None:
        plan.attributes[self.attribute] = (self.name, self.scalar.read)
        plan.puts[self.name] = content.AttributeContent(self.attribute, self.scalar).bind(namespace).write


@dataclass(frozen=True)
class OwnText(MappingLine):
    """The text of the element itself."""

    scalar: Scalar

    def index(self, plan: MappingPlan, namespace: str) -> None:
        bound = content.TextContent(self.scalar).bind(namespace)
        plan.texts.append(partial(_read_field, self.name, bound.read))
        plan.puts[self.name] = bound.write


@dataclass(frozen=True)
class ChildLine(MappingLine):
    """A line whose value is in a child element."""

    mapping: str  # the word of json-mapping §1
    namespace: str | None  # None: that of the parent
    tag: str

    def clark(self, namespace: str) -> str:
        """The tag of the child in a parent of `namespace`."""
        return clark(self.namespace or namespace, self.tag)


@dataclass(frozen=True)
class One(ChildLine):
    """The first such child."""

    content: FieldContent

    def index(self, plan: MappingPlan, namespace: str) -> None:
        tag, bound = self.clark(namespace), self.content.bind(self.namespace or namespace)

        def put(parent: Element, value: Any) -> None:
            bound.write(SubElement(parent, tag), value)

        plan.children.setdefault(tag, []).append((partial(_read_field, self.name, bound.read), False))
        plan.puts[self.name] = put


@dataclass(frozen=True)
class Stranger(One):
    """The first child in the namespace that no other line names; written under the tag of this line."""

    def index(self, plan: MappingPlan, namespace: str) -> None:
        bound = self.content.bind(self.namespace or namespace)
        plan.strangers[self.namespace or namespace] = partial(_read_field, self.name, bound.read)
        plan.puts[self.name] = lambda parent, value: bound.write(SubElement(parent, self.clark(namespace)), value)


@dataclass(frozen=True)
class Many(ChildLine):
    """All such children, in order."""

    content: FieldContent

    def index(self, plan: MappingPlan, namespace: str) -> None:
        tag, bound = self.clark(namespace), self.content.bind(self.namespace or namespace)

        def take(child: Element, into: Object) -> None:
            if (item := bound.read(child)) is not ABSENT:
                into.setdefault(self.name, []).append(item)

        def put(parent: Element, value: Any) -> None:
            if isinstance(value, str | int | float):  # a scalar instead of an array makes one empty element (json-mapping §1)
                SubElement(parent, tag)
            content.write_items(parent, value, tag, bound.write)

        plan.children.setdefault(tag, []).append((take, True))
        plan.puts[self.name] = put


@dataclass(frozen=True)
class Flag(ChildLine):
    """Whether there is such a child element."""

    def index(self, plan: MappingPlan, namespace: str) -> None:
        tag = self.clark(namespace)

        def put(parent: Element, value: Any) -> None:
            if value is True:
                SubElement(parent, tag)

        plan.children.setdefault(tag, []).append((partial(_read_field, self.name, lambda _: True), False))
        plan.puts[self.name] = put


@dataclass(frozen=True)
class ChildName(ChildLine):
    """The name of a child element: the first of `names` that is present."""

    names: tuple[str, ...]

    def index(self, plan: MappingPlan, namespace: str) -> None:
        own = self.namespace or namespace
        rank = {name: n for n, name in enumerate(self.names)}

        def take(name: str, _: Element, into: Object) -> None:
            if rank[name] < rank.get(into.get(self.name, ""), len(rank)):
                into[self.name] = name

        def put(parent: Element, value: Any) -> None:
            if not isinstance(value, str):
                return
            if not is_ncname(value):
                raise MappingError(f"{value[:40]!r} cannot name an element; give a plain name such as '{self.names[0]}'")
            SubElement(parent, clark(own, value))

        for name in self.names:
            plan.children.setdefault(clark(own, name), []).append((partial(take, name), False))
        plan.puts[self.name] = put


def _read_field(name: str, read: Callable[[Element], Any], element: Element, into: Object) -> None:
    if (value := read(element)) is not ABSENT:
        into[name] = value


def attr(field: str, scalar: Scalar = STRING, attribute: str = "") -> Attribute:
    """attr: an attribute of the parent element, named like the field unless `attribute` is given."""
    return Attribute(field, scalar, attribute or field)


def text(field: str) -> OwnText:
    """text: the text of the element itself."""
    return OwnText(field, STRING)


def child(field: str, namespace: str | None = None, scalar: Scalar = STRING) -> One:
    """child: the text of a child element."""
    return One(field, "child", namespace, field, content.TextContent(scalar))


def flag(field: str, namespace: str | None = None) -> Flag:
    """flag: the presence of an empty child element."""
    return Flag(field, "flag", namespace, field)


def name(field: str, namespace: str, names: tuple[str, ...]) -> ChildName:
    """name: the name of a child element."""
    return ChildName(field, "name", namespace, "", names)


def value(field: str, namespace: str, tag: str, attribute: str) -> One:
    """value@a: one attribute of a child element."""
    return One(field, f"value@{attribute}", namespace, tag, content.AttributeContent(attribute))


def obj(field: str, namespace: str | None, tag: str, lines: Lines | Callable[[], Lines], shorthand: str = "") -> One:
    """object: a child element with fields of its own."""
    return One(field, "object", namespace, tag, content.ObjectContent(lines, shorthand))


def array(field: str, namespace: str | None, tag: str, item: FieldContent | Lines) -> Many:
    """array: repeated child elements, whose items are objects by a table or another content."""
    return Many(field, "array", namespace, tag, _item(item))


def wrapped(field: str, namespace: str | None, tag: str, item_tag: str, item: FieldContent | Lines) -> One:
    """wrapped: one child element around repeated ones."""
    return One(field, "wrapped", namespace, tag, content.ItemsContent(item_tag, _item(item)))


def own(field: str, namespace: str, tag: str, hand_written: FieldContent) -> One:
    """own: a child element with a hand-written content (json-mapping §6)."""
    return One(field, "own", namespace, tag, hand_written)


def stranger(field: str, namespace: str, tag: str, hand_written: FieldContent) -> Stranger:
    """stranger: as `own`, but read from the first child of the namespace whose name no other line has."""
    return Stranger(field, "own", namespace, tag, hand_written)


def _item(item: FieldContent | Lines) -> FieldContent:
    return content.ObjectContent(item) if isinstance(item, tuple) else item
