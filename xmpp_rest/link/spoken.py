"""Tells who asks what a hosted address has said to another one, whichever API it used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID

OnSaid = Callable[[str, str, str], None]
"""Gets sender and recipient, both bare, and the id of the message; on the thread that sends it, so it must be quick."""


class Spoken:
    """The pairs of addresses that are watched, and who is told. Safe to be used by several threads. True in the leader."""

    def __init__(self) -> None:
        self._watched: dict[tuple[str, str], OnSaid] = {}
        self._lock = threading.Lock()

    def watch(self, sender: JID, to: JID, tell: OnSaid) -> None:
        """Call `tell` for each message with a body from `sender` to `to`, whatever their resources, that is sent from now on."""
        with self._lock:
            self._watched[str(sender.bare), str(to.bare)] = tell

    def unwatch(self, sender: JID, to: JID) -> None:
        """Do not tell any more."""
        with self._lock:
            self._watched.pop((str(sender.bare), str(to.bare)), None)

    def sent(self, stanzas: Iterable[Element]) -> None:
        """These were sent, with prepared addresses."""
        if not self._watched:  # the usual case
            return
        for stanza in stanzas:
            if stanza.tag == "message" and stanza.find("body") is not None:
                sender, to = (stanza.get(name, "").partition("/")[0] for name in ("from", "to"))
                if (tell := self._watched.get((sender, to))) is not None:
                    tell(sender, to, stanza.get("id", ""))
