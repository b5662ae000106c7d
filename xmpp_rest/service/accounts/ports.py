"""What the APIs have done for an account, wherever it lives: hosted here, or on another server, by a session there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.batch import OutboundMessage, Result, Results
from xmpp_rest.service.messages.outcomes import Outcome
from xmpp_rest.service.rooms.said import SpokenResult
from xmpp_rest.threads.waits import Wait


class SendingPort(Protocol):
    """Sends stanzas that are addressed and have an id. `Sending` says more of each method, and what it raises."""

    def send(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Send a message or presence. The answer if it was refused at once; None: it was accepted."""

    def send_and_wait(self, stanza: Element, sender: JID, to: JID, wait: Wait) -> tuple[Element | None, str]:
        """As `send`, but wait for the server to refuse or process it; with the state of the outcome."""

    def send_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> list[Result]:
        """As `send` for each of them, in order; what it would raise is a result. `nick`: under which to come into rooms."""

    def begin_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> Results:
        """As `send_many`, in two steps: what is returned waits for the results. Raises nothing."""

    def post(self, stanza: Element, sender: JID, to: JID) -> None:
        """Send a message; that it was refused is told by the sender's streams, or by its outcome."""

    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]:
        """Send an iq and wait for its answer; with the archive results that belong to it."""

    def outcome(self, sender: JID, identifier: str) -> Outcome | None:
        """What became of a stanza that was sent, if it is remembered."""

    def outcome_within(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        """The same once it is decided, or when the wait is over. Raises nothing."""

    def require_sendable(self, stanza: Element, to: JID) -> None:
        """Raise GatewayError for a stanza that cannot be sent."""

    def is_for_room(self, stanza: Element, sender: JID, to: JID) -> bool:
        """Whether this is said in a room of another server: `say` tells more of that."""

    def say(self, stanza: Element, sender: JID, to: JID, nick: str = "", wait: Wait | None = None) -> SpokenResult:
        """Say something in a room of another server; `wait`: for the room to show it."""

    def say_many(self, stanzas: Sequence[OutboundMessage], nick: str, wait: Wait) -> list[SpokenResult]:
        """As `say` of each, and all are waited for side by side."""


@dataclass(frozen=True)
class AccountServices:
    """What is done for the accounts of one kind. An API takes those of its caller: `Authenticated.services`."""

    sending: SendingPort
