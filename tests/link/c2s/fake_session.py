"""What the scripted server keeps of one bound resource: its stanzas that are not acknowledged, and how many it has taken (XEP-0198)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID

if TYPE_CHECKING:
    from tests.link.c2s.fake_stream import FakeStream


class FakeSession:
    """One resource of an account. `stream` is None while it waits to be resumed. Belongs to the server's thread."""

    def __init__(self, jid: JID, stream: FakeStream) -> None:
        self.jid = jid
        self.stream: FakeStream | None = stream
        self.priority: int | None = None
        """Of its presence; None: it is not available."""
        self.presence: Element | None = None
        self.carbons = False
        self.management = ""
        """The id by which it can be resumed; "": stanzas are not counted."""
        self.handled = 0
        self.received: list[Element] = []
        """What the client sent, in order, as far as it was handled."""
        self.answers = 0
        """How often the client said what it had received."""
        self._sent = 0
        self._unacknowledged: deque[tuple[int, str]] = deque()

    def send(self, stanza: Element | str) -> None:
        """A stanza for the client; it waits for the next stream if there is none."""
        text = stanza if isinstance(stanza, str) else serialise(stanza)
        self._sent += 1
        if self.management:
            self._unacknowledged.append((self._sent, text))
        if self.stream is not None:
            self.stream.write(text)

    def send_raw(self, text: str) -> None:
        """Something that is not a stanza, and is not counted."""
        if self.stream is not None:
            self.stream.write(text)

    def acknowledged(self, h: int) -> None:
        """The client has this many."""
        self.answers += 1
        while self._unacknowledged and self._unacknowledged[0][0] <= h:
            self._unacknowledged.popleft()

    @property
    def unacknowledged(self) -> int:
        return len(self._unacknowledged)

    def enabled(self, management: str) -> None:
        """Stanzas count from now on."""
        self.management, self.handled, self._sent = management, 0, 0
        self._unacknowledged.clear()

    def resumed_on(self, stream: FakeStream, h: int) -> None:
        """Another stream takes over: what the client does not have is sent again."""
        self.stream = stream
        self.acknowledged(h)
        for _, text in self._unacknowledged:
            stream.write(text)
