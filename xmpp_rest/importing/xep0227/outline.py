"""The outline of a file of XEP-0227: turns expat's calls into events, and builds the elements inside of users.

A file is server-data / host / user / child, and a child of STREAMED has children of its own that are built one by one. A document type,
and so every entity of its own, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from xmpp_rest.importing.sources import BadSource
from xmpp_rest.importing.xep0227.events import Damage, Event, HostBegins, Include, Piece, UserBegins, UserEnds
from xmpp_rest.importing.xep0227.names import HOST, PIE, SERVER, STREAMED, USER, XINCLUDE
from xmpp_rest.protocol.element import BadXML, ElementBuilder
from xmpp_rest.protocol.namespaces import CLIENT

MOST = 32 << 20
"""Characters of one element, such as a vCard: what is larger is passed over."""


_OUTLINE = {SERVER: ([],), HOST: ([], [SERVER]), USER: ([HOST], [SERVER, HOST])}
"""Element → the elements around it."""


class OpenElement(NamedTuple):
    """An element that has begun: its name, bare or in Clark notation, and its attributes."""

    name: str
    attributes: dict[str, str]

    @property
    def local(self) -> str:
        return self.name.rpartition("}")[2]

    def start_tag(self) -> str:
        """A start tag that means the same."""
        namespace = self.name[1:].partition("}")[0] if self.name[:1] == "{" else PIE
        plain = {key: value for key, value in self.attributes.items() if key[:1] != "{"}
        return f"<{self.local} xmlns={quoteattr(namespace)}" + "".join(f" {key}={quoteattr(value)}" for key, value in plain.items()) + ">"


class Outline:
    """Builds events from expat's calls. `open` are the elements around the place where the parser is, of the outline alone."""

    def __init__(self, around: Sequence[OpenElement] = ()) -> None:
        """`around`: elements that have begun before, for a part of a file."""
        self.open = list(around)
        self._silent = len(self.open)  # their start tags are parsed again
        self._builder: ElementBuilder | None = None
        self._size = 0
        self._broken = ""
        self._depth = 0  # inside of the element that is built, or passed over
        self._passed = ""
        self._events: list[Event] = []
        self.parser = parser = expat.ParserCreate("utf-8" if around else None, namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse

    def taken(self) -> list[Event]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    @property
    def passing(self) -> str:
        """The local name of the element that is being built, "" between elements of the outline."""
        return self._passed if self._depth else ""

    def _start(self, expanded: str, attributes: dict[str, str]) -> None:
        if self._silent:
            self._silent -= 1
            return
        if self._depth:
            self._depth += 1
            self._build("start", f"{{{expanded}" if "}" in expanded else expanded, _named(attributes))
            return
        name = _normal(expanded)
        level = len(self.open)
        around = [element.name for element in self.open]
        if name in (SERVER, HOST, USER) and around in _OUTLINE[name]:
            self._begin(OpenElement(name, _named(attributes)))
        elif around[-1:] == [USER] and name in STREAMED:
            self.open.append(OpenElement(name, {}))
        elif USER in around:
            self._piece(expanded, attributes)
        else:
            self._other(name, attributes, level)

    def _begin(self, element: OpenElement) -> None:
        self.open.append(element)
        if element.name == HOST:
            self._events.append(HostBegins(element.attributes.get("jid", "")))
        elif element.name == USER:
            self._events.append(UserBegins(element.attributes))

    def _piece(self, expanded: str, attributes: dict[str, str]) -> None:
        self._builder, self._size, self._broken, self._depth = ElementBuilder(PIE), 0, "", 1
        self._passed = expanded.rpartition("}")[2]
        self._build("start", f"{{{expanded}" if "}" in expanded else expanded, _named(attributes))

    def _other(self, name: str, attributes: dict[str, str], level: int) -> None:
        """What is not of the outline: passed over and named, but for an XInclude."""
        if level == 0:
            raise BadSource(
                f"this is not a file of XEP-0227, as it begins with <{name.rpartition('}')[2]}/> and not with <server-data xmlns='{PIE}'/>"
            )
        self._builder, self._depth, self._passed = None, 1, name.rpartition("}")[2]
        if name == f"{{{XINCLUDE}}}include":
            host = next((element.attributes.get("jid", "") for element in self.open if element.name == HOST), "")
            self._events.append(Include(attributes.get("href", ""), host))
        else:
            self._events.append(Damage(self._passed, "it is not known at this place"))

    def _build(self, what: str, *arguments: object) -> None:
        if self._builder is None or self._broken:
            return
        try:
            getattr(self._builder, what)(*arguments)
        except BadXML as e:
            self._broken = str(e)

    def _text(self, data: str) -> None:
        if self._depth and self._builder:
            self._size += len(data)
            if self._size > MOST:
                self._broken = self._broken or f"it has more than {MOST} characters"
            self._build("data", data)

    def _end(self, expanded: str) -> None:
        if self._depth:
            self._build("end", f"{{{expanded}" if "}" in expanded else expanded)
            self._depth -= 1
            if self._depth == 0 and self._builder:
                self._finish()
            return
        if self.open and self.open.pop().name == USER:
            self._events.append(UserEnds())

    def _finish(self) -> None:
        builder, self._builder = self._builder, None
        assert builder
        if self._broken:
            self._events.append(Damage(self._passed, self._broken))
            return
        container = self.open[-1].name if self.open[-1].name != USER else ""
        self._events.append(Piece(container, builder.close()))

    def _refuse(self, *_: object) -> None:
        raise BadSource("it has a document type, which is refused, as entities could be expanded without end")


def _normal(expanded: str) -> str:
    namespace, brace, local = expanded.rpartition("}")
    return local if not brace or namespace in (PIE, CLIENT) else f"{{{namespace}}}{local}"


def _named(attributes: dict[str, str]) -> dict[str, str]:
    return {f"{{{key}" if "}" in key else key: value for key, value in attributes.items()}
