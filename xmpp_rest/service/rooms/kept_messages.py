"""The messages to rooms that were accepted, and whose end is not known yet, on disk (rooms-anywhere §3)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.journals import JournalPort, Journals, LateEntry, rooms_outbox
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.rooms.spoken_message import SpokenMessage
from xmpp_rest.service.rooms.values import RoomPlace, Wish


class KeptMessage(NamedTuple):
    """A message that an earlier process has accepted."""

    number: int
    place: RoomPlace
    stanza: Element
    wish: Wish
    request_id: str
    since: float
    """When it was accepted (Unix time)."""


class KeptMessages:
    """A journal beside those of the outbox. `open` and `close` are called once each, by the leader; without `journals` nothing is kept."""

    def __init__(self, journals: Journals | None, domain: str) -> None:
        """`domain`: of the accounts."""
        self._journals = journals
        self._name = rooms_outbox(domain)
        self._journal: JournalPort | None = None

    def open(self, on_late: Callable[[KeptMessage], None]) -> Iterator[KeptMessage]:
        """What an earlier process has left, in the order in which it was accepted. Raises OSError.

        `on_late` is told of each that turns out to be kept, though `append` has raised; it must not wait.
        """
        if self._journals is None:
            return
        self._journal = journal = self._journals.outbox(self._name)

        def told(late: Sequence[LateEntry]) -> None:
            for message in _readable(journal, late):
                on_late(message)

        journal.on_late(told)
        yield from _readable(journal, [LateEntry(number, text, journal.request_id(number)) for number, text in journal.unacknowledged()])

    def append(self, messages: Sequence[SpokenMessage]) -> Sequence[int]:
        """Their numbers, once they are on disk. Raises GatewayError, storage-failed, and then none is kept."""
        if self._journal is None:
            return (0,) * len(messages)
        now = time.time()
        try:
            return self._journal.append([_written(m, now) for m in messages], (), [m.request_id for m in messages])
        except OSError as e:
            raise GatewayError("storage-failed", f"The outbox cannot be written: {e.strerror or e}") from e

    def forget(self, message: SpokenMessage) -> bool:
        """Its end is known; whether `settle` has something to write by that."""
        if self._journal is None or not message.number:
            return False
        self._journal.ack((message.number,))
        return True

    def settle(self) -> None:
        """Have on disk which ends are known: a crash repeats none of those messages. Raises OSError."""
        if self._journal is not None:
            self._journal.forget_notes()

    def close(self) -> None:
        """Give the journal back. Raises OSError."""
        if self._journal is not None:
            self._journal.close()


def _readable(journal: JournalPort, entries: Iterable[LateEntry]) -> Iterator[KeptMessage]:
    """The messages in these entries."""
    unreadable = []
    for entry in entries:
        try:
            yield _read(*entry)
        except (ValueError, TypeError, KeyError, BadXML, InvalidJID):  # another version has written it
            unreadable.append(entry.number)
    journal.ack(unreadable)


def _written(message: SpokenMessage, now: float) -> str:
    wish = message.wish
    return json.dumps([now, message.text, wish.nick, wish.is_named, wish.by, wish.stay], ensure_ascii=False)


def _read(number: int, text: str, request_id: str) -> KeptMessage:
    since, stanza_text, nick, is_named, by, stay = json.loads(text)
    stanza = parse_stored(stanza_text)
    place = RoomPlace(parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"]))
    wish = Wish(nick=str(nick), is_named=bool(is_named), by=str(by), stay=bool(stay))
    return KeptMessage(number, place, stanza, wish, request_id, float(since))
