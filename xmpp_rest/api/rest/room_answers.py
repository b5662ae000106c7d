"""What is answered to a message to a room elsewhere (rooms-anywhere §3.1, §3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, Protocol
from urllib.parse import quote, unquote
from xml.etree.ElementTree import Element

from flask import Request

from xmpp_rest.api.rest.addressing import Addressed
from xmpp_rest.api.rest.errors import RestFailure
from xmpp_rest.api.rest.idempotent import NICK, STANZA_ID, Answer
from xmpp_rest.api.rest.refused import REFUSED, failure_for, fields_of
from xmpp_rest.http.resource import Accepted
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID, InvalidJID
from xmpp_rest.service.accounts.ports import AccountServices
from xmpp_rest.service.rooms.refused import join_refused
from xmpp_rest.service.rooms.said import REFLECTED, UNSHOWN
from xmpp_rest.threads.waits import Gone, Wait

NICK_FIELD = "HTTP_NICK"
APPLIED = "Preference-Applied"
_ANY_ROOM = JID("room", "rooms.invalid", "")  # nicks are prepared alike for all


class SpeakingRequest(Protocol):
    """The resource that answers the request."""

    @property
    def services(self) -> AccountServices: ...
    @property
    def request(self) -> Request: ...
    @property
    def gone(self) -> Gone: ...
    def wanted_wait(self) -> float | None: ...
    def set_field(self, name: str, value: str) -> None: ...
    def reply(self, *stanzas: Element) -> bool: ...
    def fail(self, error: RestFailure, **fields: str) -> NoReturn: ...


def say_in_room(resource: SpeakingRequest, addressed: Addressed) -> Answer:
    """Say it, and answer what became of it."""
    stanza, sender, to = addressed
    fields = _id_field(stanza.attrib["id"])
    seconds = resource.wanted_wait() or None  # wait=0: as without
    if seconds is not None:
        fields |= {APPLIED: f"wait={seconds:g}"}
    try:
        nick = wanted_nick(resource.request.environ, str(to))
        said = resource.services.sending.say(stanza, sender, to, nick, Wait(seconds, resource.gone) if seconds else None)
        if said.nick:
            fields |= {NICK: quote(said.nick, safe="")}
        if (error := said.error) is not None:
            raise error
    except REFUSED as e:
        failed = failure_for(e)
        resource.fail(failed, **fields_of(failed) | fields)
    if said.state == UNSHOWN:
        resource.fail(unshown(to, stanza.attrib["id"], seconds or 0.0), **fields)
    for name, value in fields.items():
        resource.set_field(name, value)
    answer = said.stanza if said.state == REFLECTED else said.blocked
    return Accepted() if answer is None else resource.reply(answer)


def nick_for_all(resource: SpeakingRequest) -> str:
    """The nick that a request with several messages names for coming into rooms; "": none. Stop with an error."""
    try:
        return wanted_nick(resource.request.environ, "")
    except REFUSED as e:
        resource.fail(failure_for(e))


def wanted_nick(environ: Mapping[str, str], by: str) -> str:
    """The nick that the request names for coming into rooms; "": none. `by`: the room, if it is one. Raises RoomRefused."""
    written = environ.get(NICK_FIELD)
    if written is None:
        return ""
    try:
        nick = _ANY_ROOM.at(unquote(written, errors="strict")).resource if written.isascii() else ""
    except (InvalidJID, UnicodeDecodeError):
        nick = ""
    if not nick.strip():
        text = "Nick: write one as percent-encoded UTF-8, of 1 to 1023 bytes, and not of blanks alone"
        raise join_refused(StanzaError("modify", "jid-malformed", text), by).raised
    return nick


def _id_field(identifier: str) -> dict[str, str]:
    return {STANZA_ID: identifier} if identifier.isascii() and identifier.isprintable() else {}


def unshown(room: JID, identifier: str, seconds: float) -> RestFailure:
    """A room does not show a message in time. It is kept, so that a repetition with the same Idempotency-Key gets this again."""
    text = f"The room did not show the message within {seconds:g} s; ask /rest/outcome/{identifier}"
    return RestFailure(504, "wait", "remote-server-timeout", text, unsure=True, by=str(room))
