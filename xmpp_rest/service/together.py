"""How are many stanzas sent with few waits for the disk? Those for other domains that follow one another share their commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.mailbox import Mailbox
from xmpp_rest.service.outcomes import Outcomes


class Outgoing(NamedTuple):
    """A message or presence, addressed and with an id."""

    stanza: Element
    sender: JID
    to: JID


Result = Element | Exception | None
"""The answer where there is one at once; None: it was accepted; or what sending it raised."""


class Together:
    """Sends stanzas in their order; `send` is how one of them is sent alone, and `watched` whose are judged one by one."""

    def __init__(
        self,
        router: Router,
        mailbox: Mailbox,
        outcomes: Outcomes,
        send: Callable[[Element, JID, JID], Element | None],
        watched: Callable[[JID], bool],
    ) -> None:
        self._router = router
        self._mailbox = mailbox
        self._outcomes = outcomes
        self._send = send
        self._watched = watched

    def __call__(self, stanzas: Sequence[Outgoing]) -> list[Result]:
        """A result for each."""
        return list(self._results(stanzas))

    def _results(self, stanzas: Sequence[Outgoing]) -> Iterator[Result]:
        for source, group in groupby(stanzas, self._source):
            members = list(group)
            yield from self.alone(members) if source is None or len(members) == 1 else self._group(source, members)

    def _source(self, outgoing: Outgoing) -> JID | None:
        """Whose archive and stream it takes if it is a message that leaves the gateway; None for what is sent alone."""
        stanza, sender, to = outgoing
        leaves = stanza.tag == "message" and to.domain not in self._router.domains and self._router.takes_many
        return sender.bare if leaves and not self._watched(sender) else None

    def alone(self, members: Sequence[Outgoing]) -> Iterator[Result]:
        """A result for each of these, which share nothing."""
        for member in members:
            try:
                yield self._send(*member)
            except Exception as e:  # the caller's to raise, or to tell
                yield e

    def _group(self, source: JID, members: Sequence[Outgoing]) -> Iterator[Result]:
        for stanza, sender, _ in members:
            self._outcomes.accepted(sender, stanza.get("id", ""))
        try:
            self._router.send_out(source.domain, [stanza for stanza, _, _ in members])
        except Exception:  # all or none: as many as there is room for, and each with an error of its own
            for stanza, sender, _ in members:
                self._outcomes.forget(sender, stanza.get("id", ""))
            yield from self.alone(members)
            return
        yield from self._mailbox.all_sent(source, [(stanza, to) for stanza, _, to in members])
