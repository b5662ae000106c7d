"""Sends the messages of a file: to each recipient the caption, if there is one, then the file (files §2.3)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.files.shared_file import SharedFile, payload_of
from xmpp_rest.service.messages.batch import OutboundMessage, Result
from xmpp_rest.service.messages.outcomes import Outcome
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.threads.waits import Wait, Waits

GROUPCHAT = "groupchat"


class FileRecipient(NamedTuple):
    """One who gets the file. `type`: of the messages; `refused`: why nothing can be sent, which was known before."""

    to: JID
    type: str
    refused: Exception | None = None


class FileResult(NamedTuple):
    """What became of one recipient.

    `result`: as of `Sending.send_many`; `outcome`: after a wait, if it is decided by then; `waited`: whether it was waited for.
    """

    recipient: FileRecipient
    id: str
    caption_id: str
    result: Result
    outcome: Outcome | None = None
    waited: bool = False


class FileMessages:
    """Sends by the one way out that all APIs take."""

    def __init__(self, sending: Sending, waits: Waits) -> None:
        self._sending = sending
        self._waits = waits

    def send(self, sender: JID, recipients: Sequence[FileRecipient], file: SharedFile, caption: str, wait: Wait | None) -> list[FileResult]:
        """Send all messages, in order; what sending one raises is among the results.

        `wait`: how long the outcomes are waited for, all together. Raises GatewayError, waits-full, before anything is sent.
        """
        if wait is None:
            return self._send(sender, recipients, file, caption)
        with self._waits.holding(str(sender.bare)):
            return self._decided(sender, self._send(sender, recipients, file, caption), wait)

    def _send(self, sender: JID, recipients: Sequence[FileRecipient], file: SharedFile, caption: str) -> list[FileResult]:
        pairs = [(new_id(), new_id() if caption else "") for _ in recipients]
        payload = payload_of(file)
        outgoing: list[OutboundMessage] = []
        for recipient, (identifier, caption_id) in zip(recipients, pairs, strict=True):
            if recipient.refused is None:
                if caption:
                    outgoing.append(_message(sender, recipient, caption_id, (child("body", caption),)))
                outgoing.append(_message(sender, recipient, identifier, payload))
        results = iter(self._sending.send_many(outgoing) if outgoing else ())
        return [
            FileResult(recipient, identifier, caption_id, recipient.refused or _worse([next(results) for _ in range(1 + bool(caption))]))
            for recipient, (identifier, caption_id) in zip(recipients, pairs, strict=True)
        ]

    def _decided(self, sender: JID, results: Sequence[FileResult], wait: Wait) -> list[FileResult]:
        end = time.monotonic() + wait.seconds
        return [self._one_decided(sender, one, Wait(max(0.0, end - time.monotonic()), wait.gone)) for one in results]

    def _one_decided(self, sender: JID, one: FileResult, wait: Wait) -> FileResult:
        if one.result is not None:
            return one
        return one._replace(outcome=self._sending.outcome_within(sender, one.id, wait), waited=True)


def _message(sender: JID, recipient: FileRecipient, identifier: str, payload: Sequence[Element]) -> OutboundMessage:
    to = recipient.to
    stanza = make("message", *payload, from_=str(sender), to_=str(to), id_=identifier, type_=recipient.type)
    return OutboundMessage(stanza, sender, to)


def _worse(results: Sequence[Result]) -> Result:
    """Of caption and file that which was not accepted."""
    return next((result for result in results if result is not None), None)
