"""Which stanzas do the bytes of a stream hold? Our parser in the place of xmpppy's (`Dispatcher.Stream`), strict and fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn
from xml.etree.ElementTree import Element
from xml.parsers import expat

from xmpp_rest.link.errors import LinkDown
from xmpp_rest.protocol.element import BadXML, ElementBuilder
from xmpp_rest.protocol.namespaces import COMPONENT, STREAM_ERRORS, STREAMS

_STREAM_ERROR = f"{{{STREAMS}}}error"


def stream_error(error: Element) -> LinkDown:
    """What a `<stream:error/>` says (RFC 6120 §4.9)."""
    prefix = f"{{{STREAM_ERRORS}}}"
    names = [c.tag.removeprefix(prefix) for c in error if c.tag.startswith(prefix)]
    condition = next((n for n in names if n != "text"), "undefined-condition")
    return LinkDown(condition, error.findtext(f"{prefix}text") or "")


class StanzaStream:
    """Feeds on what the server sends after the handshake and hands each stanza to `on_stanza`.

    Refuses DTD, processing instruction and comment (RFC 6120 §11.1), and a stanza of more than `limit` bytes. Whatever ends the stream
    raises LinkDown, and so may `on_stanza`.
    """

    features = None  # xmpppy reads these two
    streamError = ""  # noqa: N815

    def __init__(self, on_stanza: Callable[[Element], None], limit: int) -> None:
        self._on_stanza = on_stanza
        self._limit = limit
        self._builder: ElementBuilder | None = None
        self._pending = 0  # bytes of the stanza that is not complete yet
        parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        for event in ("Comment", "StartDoctypeDecl", "EntityDecl", "ProcessingInstruction"):
            setattr(parser, f"{event}Handler", self._refuse)
        self._open = False
        self._parser = parser
        parser.Parse(f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}'>")
        self._open = True

    def Parse(self, data: bytes) -> None:  # noqa: N802 (xmpppy's name)
        """Take what was received."""
        if not data:
            return
        self._pending += len(data)
        try:
            self._parser.Parse(data)
        except (expat.ExpatError, BadXML) as e:
            raise LinkDown("bad-xml", f"the server sent something that is not a stanza: {e}") from e
        if self._builder is None:
            self._pending = 0
        elif self._pending > self._limit:
            raise LinkDown("stanza-too-big", f"a stanza of more than {self._limit} bytes; raise [link] stanza_size_limit")

    def destroy(self) -> None:
        """xmpppy calls this when the stream is unplugged; there is nothing to give back."""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open:
            return  # the stream header, which this parser was given in __init__
        if self._builder is None:
            self._builder = ElementBuilder(COMPONENT)
        self._builder.start(_clark(name), {_clark(k): v for k, v in attributes.items()})

    def _end(self, name: str) -> None:
        if self._builder is None:
            raise LinkDown("closed", "the server closed the stream")
        if self._builder.end(_clark(name)):
            stanza = self._builder.close()
            self._builder = None
            self._pending = 0
            if stanza.tag == _STREAM_ERROR:
                raise stream_error(stanza)
            self._on_stanza(stanza)

    def _data(self, text: str) -> None:
        if self._builder is not None:  # else: white space between stanzas, RFC 6120 §4.6.1
            self._builder.data(text)

    def _refuse(self, *_: Any) -> NoReturn:
        raise BadXML("a comment, processing instruction or document type")


def _clark(name: str) -> str:
    return f"{{{name}" if "}" in name else name
