"""What a reader has been told, so that it is told once: events that come both at once and by an archive (accounts-anywhere §7.3)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.streams.stream import Event

COPIES_WITHIN = 10.0  # seconds between the two copies of a message to oneself that has no id


class ToldOnce:
    """The last `most` ids, and messages of the owner to himself. Guarded by who has it."""

    def __init__(self, owner: JID, most: int) -> None:
        self._owner = str(owner)
        self._most = most
        self._told: OrderedDict[Hashable, float] = OrderedDict()

    def is_new(self, event: Event) -> bool:
        """Whether this was not told before; from now on it was.

        An archive keeps a message to oneself twice, as sent and as received.
        """
        own = self._own_copy(event)
        known = bool(event.id) and event.id in self._told
        if own is not None and not known and (when := self._told.get(own)) is not None:
            known = bool(event.stanza.get("id")) or abs(event.when - when) < COPIES_WITHIN
        if event.id:
            self._told[event.id] = event.when
        if own is not None:
            self._told[own] = event.when
        while len(self._told) > self._most:
            self._told.popitem(last=False)
        return not known

    def _own_copy(self, event: Event) -> Hashable:
        """What both copies of a message to oneself have in common; None for another event."""
        stanza = event.stanza
        sender, to = stanza.get("from", ""), stanza.get("to", self._owner)
        if stanza.tag != "message" or not sender.partition("/")[0] == to.partition("/")[0] == self._owner:
            return None
        return hash((sender, stanza.get("id", ""), stanza.get("type", ""), stanza.findtext("body")))  # texts may be long
