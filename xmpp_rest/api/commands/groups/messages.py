"""Messages and stanzas that commands send (commands-api §12)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat import ErrorString

from xmpp_rest.api.commands.errors import CommandFailure, rejected
from xmpp_rest.api.commands.groups.accounts import account
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import KINDS, child, new_id
from xmpp_rest.service.messages.batch import OutboundMessage
from xmpp_rest.service.rooms.said import REFLECTED
from xmpp_rest.threads.waits import Wait

TYPES = frozenset(("chat", "error", "groupchat", "headline"))  # any other one is a normal message (RFC 6121 §5.2.2)
IQ_TYPES = ("get", "set", "result", "error")
PRESENCE_TYPES = frozenset((None, "", "error", "probe", "subscribe", "subscribed", "unavailable", "unsubscribe", "unsubscribed"))


def of_bad_xml(error: BadXML) -> CommandFailure:
    """What XML cannot hold, or what is none, is the caller's mistake; the parser's word for it where it has one."""
    cause = error.__cause__
    return rejected(ErrorString(cause.code) if isinstance(cause, ParseError) else str(error))


@contextmanager
def _in_xml() -> Iterator[None]:
    try:
        yield
    except BadXML as e:
        raise of_bad_xml(e) from e


def _end(text: str, attribute: str) -> JID:
    try:
        return parse_jid(text)
    except InvalidJID as e:
        raise rejected(f"Bad value of attribute '{attribute}' in tag <message/> qualified by namespace 'jabber:client'") from e


def _send(services: Services, stanza: Element, sender: JID, to: JID) -> None:
    """From a hosted address to anybody, or from anybody to a hosted address, as if it had come over the link."""
    hosted = services.parts.router.domains
    with _in_xml():
        if sender.domain in hosted and stanza.tag == "iq":
            services.parts.counts.handed_in(stanza.tag)
            services.parts.router.send(stanza)
        elif services.parts.sending.is_for_room(stanza, sender, to):
            _say(services, stanza, sender, to)
        elif sender.domain in hosted:
            services.parts.sending.post(stanza, sender, to)
        elif to.domain in hosted:
            services.parts.sending.receive(stanza, sender, to)
        else:
            raise rejected(f"Neither {sender.domain} nor {to.domain} is hosted here")


def _say(services: Services, stanza: Element, sender: JID, to: JID) -> None:
    """Say it in a room elsewhere, and wait until that shows it. Raises CommandFailure, GatewayError, RoomRefused."""
    seconds = services.gateway.settings.rooms_anywhere.join_timeout
    said = services.parts.sending.say(stanza, sender, to, wait=Wait(seconds))
    if (error := said.error) is not None:
        raise error
    if said.blocked is not None:
        raise GatewayError("blocked")
    if said.state != REFLECTED:
        raise CommandFailure(504, f"The room did not show the message within {seconds:g} s; it may still do so")


def message(new_id: Callable[[], str], type_: str, from_: str, to: str, subject: str, body: str) -> OutboundMessage:
    """The message that `send_message` sends for these arguments. Raises CommandFailure."""
    sender, recipient = _end(from_, "from"), _end(to, "to")
    kind = {"type": type_} if type_ in TYPES else {}
    stanza = Element("message", kind | {"id": new_id(), "from": str(sender), "to": str(recipient)})
    if subject:
        stanza.append(child("subject", subject))
    stanza.append(child("body", body))
    return OutboundMessage(stanza, sender, recipient, posted=True)


@command("send_message")
def send_message(services: Services, type_: str, from_: str, to: str, subject: str, body: str) -> bool:
    stanza, sender, recipient = message(new_id, type_, from_, to, subject, body)[:3]
    _send(services, stanza, sender, recipient)
    return True


def _stanza(text: str) -> Element:
    with _in_xml():
        stanza = parse_text(text)
    if stanza.tag not in KINDS:
        raise rejected("The stanza must be a message, presence or iq")
    _require_sense(stanza)
    stanza.attrib.setdefault("id", new_id())
    return stanza


def _require_sense(stanza: Element) -> None:
    """Raises CommandFailure for what no server would pass on: it would be lost, and the command must not say that it was sent."""
    kind = stanza.get("type")
    if stanza.tag == "iq" and stanza.get("id") is None:  # RFC 6120 §8.2.3
        raise rejected("An iq needs the attribute id")
    if stanza.tag == "iq" and kind not in IQ_TYPES:
        raise rejected(f"An iq needs the attribute type: one of {', '.join(IQ_TYPES)}")
    if stanza.tag == "presence" and kind not in PRESENCE_TYPES:  # RFC 6121 §4.7.1
        raise rejected(f"The type of a presence is one of {', '.join(sorted(filter(None, PRESENCE_TYPES)))}, or there is none")


@command("send_stanza")
def send_stanza(services: Services, from_: str, to: str, stanza: str) -> bool:
    try:
        sender, recipient = parse_jid(from_), parse_jid(to)
    except InvalidJID as e:
        raise rejected("JID malformed") from e
    element = _stanza(stanza)
    element.attrib |= {"from": str(sender), "to": str(recipient)}
    _send(services, element, sender, recipient)
    return True


@command("send_stanza_c2s")
def send_stanza_c2s(services: Services, user: str, host: str, resource: str, stanza: str) -> bool:
    """As if the session had sent it; without `to` it is for the account itself."""
    jid = account(services, user, host)
    sessions = services.parts.online.of(jid) if jid else []
    sender = next((s.jid for s in sessions if s.jid.resource == resource), None)
    if sender is None:
        raise rejected("no_session")
    sender = services.parts.sessions.sender(sender)
    element = _stanza(stanza)
    to = element.get("to")
    try:
        recipient = parse_jid(to) if to else sender.bare
    except InvalidJID as e:
        raise rejected("JID malformed") from e
    element.attrib |= {"from": str(sender)} | ({"to": str(recipient)} if to else {})
    _send(services, element, sender, recipient)
    return True


COMMANDS = (send_message, send_stanza, send_stanza_c2s)
