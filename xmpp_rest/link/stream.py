"""The stream parser: splits the bytes of a stream into stanzas, strictly, in place of xmpppy's `Dispatcher.Stream`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn
from xml.etree.ElementTree import Element
from xml.parsers import expat

from xmpp_rest.link.errors import LinkDown, stream_error
from xmpp_rest.protocol.element import MAX_NAME, BadXML, BeyondBounds, ElementBuilder
from xmpp_rest.protocol.namespaces import CLIENT, COMPONENT, STREAM_ERRORS, STREAMS
from xmpp_rest.protocol.stanza import condition_in

RENEW = 4 << 20  # bytes after which a parser is replaced: expat and pyexpat keep every name that they have seen
LONG_TAG = 65536  # bytes of a tag that is not complete, from where on expat is not made to look at it again with each read
MAX_TAG = 16 << 20  # bytes of one tag, which expat holds in memory
COMPONENT_HEADER = f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}'>".encode()
_STREAM_ERROR = f"{{{STREAMS}}}error"
_HEAD = ("from", "to", "id", "type")


class _Renewal(Exception):
    """A stanza begins at this byte, which another parser is to read."""

    def __init__(self, index: int) -> None:
        self.index = index


class StanzaStream:
    """Feeds on what the server sends after the handshake and hands each stanza to `on_stanza`, with its size in bytes.

    A well-formed stanza of more than `limit` bytes, or beyond the bounds of ElementBuilder, costs itself alone: it is read to its end
    without being kept, and `on_skipped` gets its head (an element with the four common attributes at most) and why. Whatever ends the
    stream raises LinkDown: XML that is not well-formed; DTD, processing instruction and comment (RFC 6120 §11.1: no server may forward
    them); a stream error; with `ends_beyond_limit`, a stanza of more than `limit` bytes, before it is complete. So may the two that are
    called.

    `header`: stands for the opening tag of the server, with the namespaces that it declares; `namespace`: the default one.
    """

    features = None  # xmpppy reads these two
    streamError = ""  # noqa: N815

    def __init__(
        self,
        on_stanza: Callable[[Element, int], None],
        limit: int,
        on_skipped: Callable[[Element, str], None],
        *,
        header: bytes = COMPONENT_HEADER,
        namespace: str = COMPONENT,
        ends_beyond_limit: bool = False,
    ) -> None:
        self._header = header
        self._namespace = namespace
        self._ends_beyond_limit = ends_beyond_limit
        self._on_stanza = on_stanza
        self._on_skipped = on_skipped
        self._limit = limit
        self._builder: ElementBuilder | None = None  # of the stanza that is not complete yet, unless it is skipped
        self._why = ""  # the stanza is skipped
        self._depth = 0  # elements that are open
        self._root: tuple[str, dict[str, str]] = ("", {})  # name and attributes of the stanza
        self._held: list[bytes] = []  # the rest of a long tag, as far as it has come
        self._held_size = 0
        self._new_parser()

    def _new_parser(self) -> None:
        """Between stanzas: one that remembers nothing."""
        parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True
        if hasattr(parser, "SetReparseDeferralEnabled"):  # expat 2.6: a tag that came in three reads would wait for more
            parser.SetReparseDeferralEnabled(False)
        parser.Parse(self._header)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        for event in ("Comment", "StartDoctypeDecl", "EntityDecl", "ProcessingInstruction"):
            setattr(parser, f"{event}Handler", self._refuse)
        self._parser = parser
        self._fed = self._chunk = self._begin = len(self._header)  # bytes; up to the present chunk; up to the present stanza

    @property
    def is_between_stanzas(self) -> bool:
        """Whether nothing has begun that is to go on, so that another parser may read what follows."""
        return not (self._depth or self._held) and self._fed == self._parser.CurrentByteIndex

    def Parse(self, data: bytes) -> None:  # noqa: N802 (xmpppy's name)
        """Take what was received."""
        data = self._all_of(data)
        while data:
            data = self._feed(data)

    def _all_of(self, data: bytes) -> bytes:
        """What is to be parsed now. Expat reads a tag from its beginning whenever more of it comes, which takes quadratic time."""
        waiting = self._fed - self._parser.CurrentByteIndex + self._held_size
        if waiting < LONG_TAG:
            return data
        most = min(MAX_TAG, self._limit) if self._ends_beyond_limit else MAX_TAG
        if waiting + len(data) > most:
            raise LinkDown("stanza-too-big", f"a single tag of more than {most} bytes")
        self._held.append(data)
        self._held_size += len(data)
        if b">" not in data:
            return b""
        data = b"".join(self._held)
        self._held, self._held_size = [], 0
        return data

    def _feed(self, data: bytes) -> bytes:
        """Parse; what is left for another parser."""
        self._chunk = self._fed
        self._fed += len(data)
        try:
            self._parser.Parse(data)
        except _Renewal as e:
            rest = data[e.index - self._chunk :]
            self._new_parser()
            return rest
        except (expat.ExpatError, BadXML) as e:
            raise LinkDown("bad-xml", f"the server sent something that is not a stanza: {e}") from e
        index = self._parser.CurrentByteIndex
        if self._depth:
            if self._fed - self._begin > self._limit:
                self._too_big()
        elif index > RENEW and index >= self._chunk:
            chunk = self._chunk
            self._new_parser()
            return data[index - chunk :]
        return b""

    def destroy(self) -> None:
        """xmpppy calls this when the stream is unplugged; there is nothing to give back."""

    def _too_big(self) -> None:
        why = f"more than {self._limit} bytes"
        if self._ends_beyond_limit:
            raise LinkDown("stanza-too-big", f"a stanza of {why}")
        self._skip(why)

    def _skip(self, why: str) -> None:
        """The stanza is read on, and nothing of it is kept."""
        if not self._why:
            self._why, self._builder = why, None
            self._parser.CharacterDataHandler = None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._depth:
            self._begin_stanza(name, attributes)
        self._depth += 1
        if self._builder is not None:  # else: it is skipped
            try:
                self._builder.start(_clark(name), {_clark(k): v for k, v in attributes.items()})
            except BeyondBounds as e:
                self._skip(str(e))

    def _begin_stanza(self, name: str, attributes: dict[str, str]) -> None:
        self._begin = self._parser.CurrentByteIndex
        if self._begin > RENEW and self._begin >= self._chunk:  # else a later one: this one began in a chunk that is gone
            raise _Renewal(self._begin)
        self._builder, self._root = ElementBuilder(self._namespace), (name, attributes)

    def _end(self, name: str) -> None:
        if not self._depth:
            raise LinkDown("closed", "the server closed the stream")
        self._depth -= 1
        if self._builder is not None:
            self._builder.end(_clark(name))
        if self._depth:
            return
        size = self._parser.CurrentByteIndex - self._begin
        if size > self._limit:
            self._too_big()
        builder, self._builder = self._builder, None
        if builder is not None:
            stanza = builder.close()
            if stanza.tag == _STREAM_ERROR:  # RFC 6120 §4.9
                raise stream_error(condition_in(stanza, STREAM_ERRORS), stanza.findtext(f"{{{STREAM_ERRORS}}}text") or "")
            self._on_stanza(stanza, size)
        else:
            self._skipped()

    def _skipped(self) -> None:
        (name, attributes), why = self._root, self._why
        self._root, self._why = ("", {}), ""
        self._parser.CharacterDataHandler = self._data
        if _clark(name) == _STREAM_ERROR:
            raise LinkDown("undefined-condition", f"the server's stream error was {why}")
        namespace, _, local = name.rpartition("}")
        tag = local if namespace in ("", self._namespace, CLIENT) else _clark(name)[:MAX_NAME]
        self._on_skipped(Element(tag, {key: attributes[key] for key in _HEAD if key in attributes}), why)

    def _data(self, text: str) -> None:
        if self._builder is not None:  # else: white space between stanzas, RFC 6120 §4.6.1
            self._builder.data(text)

    def _refuse(self, *_: Any) -> NoReturn:
        raise BadXML("a comment, processing instruction or document type")


def _clark(name: str) -> str:
    return f"{{{name}" if "}" in name else name
