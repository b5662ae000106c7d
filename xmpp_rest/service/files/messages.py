"""Sends the messages of a file: to each recipient the caption, if there is one, then the file (files §2.3)."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.request_notes import current_id
from xmpp_rest.service.files.shared_file import SharedFile, payload_of
from xmpp_rest.service.messages.batch import OutboundMessage, Result
from xmpp_rest.service.messages.outcomes import Outcome
from xmpp_rest.service.rooms.said import SpokenResult
from xmpp_rest.service.rooms.speaking import Speaking
from xmpp_rest.threads.waits import Wait, Waits

GROUPCHAT = "groupchat"


class FileWords(NamedTuple):
    """What is said beside the file. `nick`: under which to come into rooms; `wait`: how long outcomes are waited for, all together."""

    caption: str = ""
    nick: str = ""
    wait: Wait | None = None


class FileRecipient(NamedTuple):
    """One who gets the file. `type`: of the messages; `refused`: why nothing can be sent, which was known before."""

    to: JID
    type: str
    refused: Exception | None = None


class FileResult(NamedTuple):
    """What became of one recipient.

    `result`: as of `Sending.send_many`; `outcome`: after a wait, if it is decided by then; `spoken`: of a room that was waited for.
    """

    recipient: FileRecipient
    id: str
    caption_id: str
    result: Result
    outcome: Outcome | None = None
    spoken: SpokenResult | None = None


class _Pair(NamedTuple):
    """The messages to one recipient; without a caption `caption` is None."""

    recipient: FileRecipient
    caption: OutboundMessage | None
    file: OutboundMessage

    @property
    def both(self) -> list[OutboundMessage]:
        """In their order."""
        return [self.file] if self.caption is None else [self.caption, self.file]

    def became(self, result: Result) -> FileResult:
        """What it is for the caller."""
        caption_id = "" if self.caption is None else self.caption.stanza.attrib["id"]
        return FileResult(self.recipient, self.file.stanza.attrib["id"], caption_id, result)


class FileSender(Protocol):
    """Sends for the accounts of one kind; `Sending` says more of each method."""

    def send_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> list[Result]: ...
    def outcome_within(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None: ...


class FileMessages:
    """Sends by the one way out that all APIs take."""

    def __init__(self, sending: FileSender, speaking: Speaking, waits: Waits) -> None:
        self._sending = sending
        self._speaking = speaking
        self._waits = waits

    def send(self, sender: JID, recipients: Sequence[FileRecipient], file: SharedFile, said: FileWords) -> list[FileResult]:
        """Send all messages, in order; what sending one raises is among the results.

        Raises GatewayError, waits-full, before anything is sent.
        """
        payload, request_id = payload_of(file), current_id() or ""

        def message(recipient: FileRecipient, payload: Sequence[Element]) -> OutboundMessage:
            to = recipient.to
            stanza = make("message", *payload, from_=str(sender), to_=str(to), id_=new_id(), type_=recipient.type)
            return OutboundMessage(stanza, sender, to, request_id=request_id)

        caption = (child("body", said.caption),) if said.caption else None
        pairs = [_Pair(one, message(one, caption) if caption else None, message(one, payload)) for one in recipients]
        if said.wait is None:
            return self._send(pairs)
        with self._waits.holding(str(sender.bare)):
            return self._send_and_wait(pairs, said, said.wait)

    def _send(self, pairs: Sequence[_Pair], later: Collection[int] = ()) -> list[FileResult]:
        """Send these, without the files of those in `later`."""
        now = [pair.both[:-1] if number in later else pair.both for number, pair in enumerate(pairs)]
        wanted = [message for pair, some in zip(pairs, now, strict=True) if pair.recipient.refused is None for message in some]
        results = iter(self._sending.send_many(wanted) if wanted else ())
        return [pair.became(pair.recipient.refused or _worse([next(results) for _ in some])) for pair, some in zip(pairs, now, strict=True)]

    def _send_and_wait(self, pairs: Sequence[_Pair], said: FileWords, wait: Wait) -> list[FileResult]:
        """Rooms elsewhere show what they take, and are waited for side by side; of all others the server may refuse something."""
        in_rooms = {n for n, pair in enumerate(pairs) if pair.recipient.refused is None and self._speaking.is_for_room(*pair.file[:3])}
        results = self._send(pairs, in_rooms)
        end = time.monotonic() + wait.seconds
        speaks = [n for n in sorted(in_rooms) if results[n].result is None]
        if speaks:
            begun = self._speaking.begin_and_wait([pairs[n].file for n in speaks], said.nick, wait.seconds, wait)
            try:
                spoken = [results[n]._replace(spoken=one) for n, one in zip(speaks, begun(), strict=True)]
            except (GatewayError, StorageError) as e:  # others may have been told of the file by now, and it may be on its way to rooms
                spoken = [results[n]._replace(result=e) for n in speaks]
            for n, one in zip(speaks, spoken, strict=True):
                results[n] = one
        return [self._decided(pair.file.sender, one, end, wait) for pair, one in zip(pairs, results, strict=True)]

    def _decided(self, sender: JID, one: FileResult, end: float, wait: Wait) -> FileResult:
        if one.result is not None or one.spoken is not None:
            return one
        left = Wait(max(0.0, end - time.monotonic()), wait.gone)
        return one._replace(outcome=self._sending.outcome_within(sender, one.id, left))


def _worse(results: Sequence[Result]) -> Result:
    """Of caption and file that which was not accepted."""
    return next((result for result in results if result is not None), None)
