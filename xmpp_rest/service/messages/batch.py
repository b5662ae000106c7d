"""The batch sender: sends many stanzas with few waits for the disk, as messages of any senders to other domains share commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.link.errors import OutboxShare, concerns_all
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_all_stored
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.service.messages.mailbox import Mailbox, SentMessage
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.threads.group import Executor, GroupExecutor, OnResults

MOST = 64  # stanzas of several senders that one thread sends at once, as its own caller waits too


class OutboundMessage(NamedTuple):
    """A message or presence, addressed and with an id.

    `text`: the stanza as `serialise` writes it, if it has been serialised already. `posted`: see `Sending.post`.
    `request_id`: of the request that sends it.
    """

    stanza: Element
    sender: JID
    to: JID
    text: str = ""
    posted: bool = False
    request_id: str = ""


class OutboundMessages(list[OutboundMessage]):
    """Several of them, as they are carried to another process: parsed together, each takes half the time."""

    def to_json(self) -> list[Any]:
        """The JSON form for another process, with the texts of the stanzas."""
        return [[outgoing.text or serialise(outgoing.stanza), outgoing.posted, outgoing.request_id] for outgoing in self]

    @classmethod
    def from_json(cls, values: list[Any]) -> OutboundMessages:
        """The messages in the JSON form of another process. Raises BadXML."""
        stanzas = parse_all_stored([text for text, *_ in values])
        return cls(_carried(stanza, *more) for stanza, more in zip(stanzas, values, strict=True))


def _carried(stanza: Element | BadXML, text: str, posted: bool, request_id: str) -> OutboundMessage:
    if isinstance(stanza, BadXML):
        raise stanza
    sender = parse_jid(stanza.attrib["from"])
    to = parse_jid(stanza.attrib["to"]) if "to" in stanza.attrib else sender.bare
    return OutboundMessage(stanza, sender, to, text, posted, request_id)


Result = Element | Exception | None
"""The answer if there is one at once; None: it was accepted; or the exception of sending it."""
Results = Callable[[], list[Result]]
"""Waits for the results of what was sent."""


class BatchSender:
    """Sends stanzas in their order; `send` sends a single one, and `watched` tells whose stanzas must be checked one by one."""

    def __init__(
        self,
        router: Router,
        mailbox: Mailbox,
        outcomes: Outcomes,
        send: Callable[[OutboundMessage], Element | None],
        watched: Callable[[JID], bool],
    ) -> None:
        self._router = router
        self._mailbox = mailbox
        self._outcomes = outcomes
        self._send = send
        self._watched = watched
        self._group: GroupExecutor[OutboundMessage, Result] = GroupExecutor(self._send_group, MOST)

    def __call__(self, stanzas: Sequence[OutboundMessage]) -> list[Result]:
        """A result for each."""
        results: list[Result] = []
        for is_batchable, group in groupby(stanzas, self.is_batchable):
            members = list(group)
            results += self._group.run(members) if is_batchable else self._alone(members)
        return results

    def submit(self, stanzas: Sequence[OutboundMessage], callback: OnResults[Result], executor: Executor) -> None:
        """As a call, but without waiting: `callback` gets the results. Raises StorageError."""
        if all(map(self.is_batchable, stanzas)):
            self._group.submit(stanzas, callback, executor)
        else:
            executor(lambda: self._run(stanzas, callback))

    def _run(self, stanzas: Sequence[OutboundMessage], callback: OnResults[Result]) -> None:
        try:
            results: Sequence[Result] | Exception = self(stanzas)
        except Exception as e:
            results = e
        callback(results)

    def is_batchable(self, outgoing: OutboundMessage) -> bool:
        """Whether it is a message to another domain, which can share a commit with others."""
        stanza, sender, to = outgoing[:3]
        leaves = stanza.tag == "message" and to.domain not in self._router.domains and self._router.has_link
        is_led_here = sender.domain not in self._router.beyond.domains  # another owner takes one by one, so not all or none
        return leaves and is_led_here and not self._watched(sender)

    def _alone(self, members: Sequence[OutboundMessage]) -> Iterator[Result]:
        """Send these one by one; a result for each."""
        for member in members:
            try:
                with on_behalf_of(member.request_id):
                    result = self._send(member)
                yield result
            except Exception as e:  # the caller raises or reports it
                yield e

    def _send_group(self, members: list[OutboundMessage]) -> list[Result]:
        """Send messages of any senders to other domains."""
        results: dict[int, Result] = {}
        for domain in dict.fromkeys(member.sender.domain for member in members):
            places = [n for n, member in enumerate(members) if member.sender.domain == domain]
            results |= zip(places, self._leave(domain, [members[n] for n in places]), strict=True)
        return [results[n] for n in range(len(members))]

    def _leave(self, domain: str, members: list[OutboundMessage]) -> Sequence[Result]:
        begun = self._outcomes.all_accepted((m.sender, m.stanza.get("id", "")) for m in members)
        try:
            texts = [m.text or serialise(m.stanza) for m in members]
            self._mailbox.send_out(
                [SentMessage(m.sender, m.stanza, text, m.to) for m, text in zip(members, texts, strict=True)],
                partial(self._router.send_out, domain, [m.stanza for m in members], texts, request_ids=[m.request_id for m in members]),
            )
        except Exception as e:  # all or none
            self._outcomes.forget(begun)
            if len(members) == 1:
                return [e]
            if concerns_all(e):
                return [e.again() for _ in members]
            full = e.senders if isinstance(e, OutboxShare) else frozenset()
            return self._apart(domain, members, full)
        return [None] * len(members)

    def _apart(self, domain: str, members: list[OutboundMessage], full: frozenset[str]) -> list[Result]:
        """Send as many as the outbox can take, with a separate error for each: by halves, or first those of senders that are not `full`."""
        parts = [m for m in members if str(m.sender.bare) not in full], [m for m in members if str(m.sender.bare) in full]
        if not all(parts):
            parts = members[: len(members) // 2], members[len(members) // 2 :]
        results = {id(m): result for part in parts for m, result in zip(part, self._leave(domain, part), strict=True)}
        return [results[id(m)] for m in members]
