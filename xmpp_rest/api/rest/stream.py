"""`GET /rest/stream`: the stanzas that reach an account, as they come (server-sent events, WHATWG HTML §9.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drivers import StorageError
from xmpp_rest.api.eventsource import FIELDS, Readers, Write, event_stream
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.resource import RestResource
from xmpp_rest.auth.caller import CallerKind
from xmpp_rest.errors import GatewayError, storage_failed
from xmpp_rest.http.sse import event
from xmpp_rest.protocol.codecs import CODECS, JSON, XMPP_XML
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.jsonmap import Unmappable
from xmpp_rest.protocol.strict_json import write_json
from xmpp_rest.service.streams.registry import Event
from xmpp_rest.service.streams.stream import MEMBERSHIP

FORMATS = {"json": JSON, "xml": XMPP_XML}


class StreamResource(RestResource):
    """Each event is one stanza, named by its kind; its id is the archive's, and `Last-Event-ID` brings what came since. An event `room`
    says how an account is in a room on another server (rooms-anywhere §8.1).

    `?format=xml` for XML in place of JSON. With the component token `?of=` names the account.
    """

    field_readers = {}
    ignored_fields = frozenset({"Accept"})  # `format` chooses; there is no other type

    def allowed_methods(self) -> list[str]:
        return ["GET", "OPTIONS"]

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("text", "event-stream", "*"), "to_stream")]

    def to_stream(self) -> Iterator[bytes]:
        if self.request.args.get("format", "json") not in FORMATS:
            self.fail(failure("parse", error=f"format: write one of {', '.join(FORMATS)}"))
        owner = self._owner()
        events = iter(()) if self.request.method == "HEAD" else self._listen(owner)  # for a HEAD nobody listens
        for name, value in FIELDS.items():
            self.response.headers[name] = value
        return events

    def _listen(self, owner: JID) -> Iterator[bytes]:
        readers = Readers(owner, is_received, writer(FORMATS[self.request.args.get("format", "json")]), "rest", self.services.listening)
        after = self.request.headers.get("Last-Event-ID") or self.request.args.get("after") or None
        try:
            return event_stream(self.gateway, self.request.environ, readers, after, self.admission())
        except GatewayError as e:
            self.fail_for(e)
        except StorageError as e:
            self.fail_for(storage_failed(e))

    def _owner(self) -> JID:
        """Whose stanzas: the caller's, or with the component token those of the account that `?of=` names."""
        named = self.request.args.get("of")
        if self.caller.kind is not CallerKind.COMPONENT and named is None:
            return self.caller.jid
        try:
            owner = parse_jid(named or "").bare
        except InvalidJID as e:
            self.fail(failure("to", error=f"of: name an account of this domain ({e})"))
        if self.caller.kind is not CallerKind.COMPONENT:
            if owner != self.caller.jid:
                self.fail(failure("of", error=f"of: these credentials are those of {self.caller.jid}"))
            return owner
        if not self.gateway.parts.accounts.exists(owner):
            self.fail(failure("to", error="of: there is no such account"))
        return owner


def is_received(event: Event) -> bool:
    """Whether the event is for a reader of this API: a stanza that reached the account, or a room that it came into or has left."""
    return not event.sent


def is_stanza(event: Event) -> bool:
    """Whether the event is a stanza that reached the account."""
    return not event.sent and event.room != MEMBERSHIP


def writer(media: str) -> Write:
    """What writes an event with its stanza as this type of content."""
    encode: Any = CODECS[media].write

    def write(happened: Event) -> bytes:
        if happened.room == MEMBERSHIP:  # in every format: there is no stanza that says it
            return event(happened.stanza.text or "", name="room", identifier=happened.id)
        try:
            data = encode(happened.stanza).decode()
        except Unmappable as e:  # anybody can send a broken JSON container; the id still counts
            return event(write_json({"error": str(e)}).decode(), name="unmappable", identifier=happened.id)
        return event(data, name=happened.stanza.tag, identifier=happened.id)

    return lambda happened: happened.text(media, write)
