"""The opening tag of a server's stream, after which the namespaces that it declares are in force (RFC 6120 §4.7, §4.8)."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from xmpp_rest.link.errors import LinkDown
from xmpp_rest.protocol.namespaces import CLIENT, STREAMS

LONGEST = 4096  # bytes of the namespaces that it declares: they are kept as long as the session


class StreamHeader(NamedTuple):
    """What matters of it."""

    text: bytes  # a tag that declares the same namespaces
    version: str  # "" of a server from before RFC 3920, which has no features


class HeaderReader:
    """Fed with the beginning of a stream until the tag is complete. Raises LinkDown for anything else than a stream of XMPP."""

    def __init__(self) -> None:
        self._namespaces: dict[str | None, str] = {}
        self._found: StreamHeader | None = None
        parser = expat.ParserCreate("utf-8", "}")
        if hasattr(parser, "SetReparseDeferralEnabled"):
            parser.SetReparseDeferralEnabled(False)
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler = self._start
        for event in ("Comment", "StartDoctypeDecl", "EntityDecl", "ProcessingInstruction"):
            setattr(parser, f"{event}Handler", self._refuse)
        self._parser = parser

    def feed(self, data: bytes) -> StreamHeader | None:
        """What was received, at most up to the end of the tag; the header, once it is complete."""
        try:
            self._parser.Parse(data)
        except expat.ExpatError as e:
            raise LinkDown("bad-xml", f"the server sent something else than a stream: {e}") from e
        return self._found

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces[prefix] = uri or ""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name != f"{STREAMS}}}stream" or self._namespaces.get(None) != CLIENT:
            raise LinkDown("invalid-namespace", "the server's first element is not a stream of clients")
        declared = "".join(f" xmlns{f':{prefix}' if prefix else ''}={quoteattr(uri)}" for prefix, uri in self._namespaces.items())
        prefix = next(prefix for prefix, uri in self._namespaces.items() if uri == STREAMS)
        text = f"<{prefix}:stream{declared}>".encode()
        if len(text) > LONGEST:
            raise LinkDown("policy-of-login", f"the stream's header declares namespaces of more than {LONGEST} bytes")
        self._found = StreamHeader(text, attributes.get("version", ""))

    def _refuse(self, *_: Any) -> NoReturn:
        raise LinkDown("restricted-xml", "a comment, processing instruction or document type in front of the stream")
