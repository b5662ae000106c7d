"""The component streams of all hosted domains, and their state."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.config.table import LinkSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.component import Component, ComponentEvents
from xmpp_rest.link.errors import OtherStream, OutboxFull, OutboxShare, ShareFull
from xmpp_rest.link.journal import NotedEntry
from xmpp_rest.link.journals import Journals
from xmpp_rest.link.outbox import Entry, Label, OnProgress, Outbox, account_of
from xmpp_rest.link.transport import MayWrite
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.element import serialise
from xmpp_rest.request_notes import current_id

NOT_RUNNING = "The gateway does not run, so nothing can be sent to other domains; start it first"


class Uplink:
    """The component streams of `domains`. Owned by the Leader, which calls `open()`, `start()`, `stop()` and `close()`, once each.

    The outboxes are kept in `journals`, unless they live in memory; `on_progress` is called for every stanza that makes progress.
    """

    def __init__(
        self, domains: Sequence[str], settings: LinkSettings, journals: Journals, on_progress: OnProgress, counts: Counts,
        may_write: MayWrite | None = None, tells_left: bool = False,
    ) -> None:  # fmt: skip
        """Nothing is opened yet. `may_write`: asked before each write; None: always.

        `tells_left`: whether `on_progress` is called for what an earlier process left: it is accepted, and goes on.
        """
        self._tells_left = tells_left
        self._may_write = may_write
        self._domains = domains
        self._settings = settings
        self._journals = journals
        self._on_progress = on_progress
        self._counts = counts
        self._components: dict[str, Component] = {}

    def open(self, events: ComponentEvents) -> None:
        """Open the outboxes, so that they take stanzas; `events` hears of what comes in. Raises OSError: one of them cannot be read.

        Called again after that.
        """
        for domain in self._domains:
            if domain not in self._components:  # by an attempt that could read this one
                outbox = self._outbox(domain)
                self._components[domain] = Component(domain, self._settings, events, outbox, self._counts, self._may_write)

    def _outbox(self, domain: str) -> Outbox:
        journal = self._journals.outbox(domain) if self._settings.outbox == "disk" else None
        return Outbox(self._settings.outbox_size, journal, self._on_progress, self._settings.share, tells_left=self._tells_left)

    def start(self) -> None:
        for component in self._components.values():
            component.start()

    def wait_tried(self, seconds: float) -> None:
        """Wait until each stream that has begun has been online, or has failed to be; for so long at most."""
        until = time.monotonic() + seconds
        for component in self._components.values():
            component.wait_tried(max(0.0, until - time.monotonic()))

    def stop(self) -> None:
        """End the streams."""
        for component in self._components.values():
            component.stop()

    def cut(self) -> None:
        """End the streams at once, without another byte. Does not wait; before `stop`."""
        for component in self._components.values():
            component.cut()

    def close(self) -> None:
        """Give the outboxes back. Raises OSError."""
        for component in self._components.values():
            component.outbox.close()

    def send(self, domain: str, stanza: Element) -> None:
        """Queue one stanza for the stream of `domain`: `send_all` of it. Raises BadXML."""
        self.send_all(domain, (stanza,), (serialise(stanza),))

    def send_all(
        self, domain: str, stanzas: Sequence[Element], texts: Sequence[str], notes: Sequence[Any] = (), request_ids: Sequence[str] = ()
    ) -> Sequence[int]:
        """Queue stanzas, all or none; messages and presences are on disk when this returns. `texts`: as `serialise` writes them.

        `notes` are kept with them until `ack_notes` is called with the numbers that this returns; none: nothing is on disk.
        `request_ids`: of the requests that send them; without, a single one is of the request at hand.
        Raises GatewayError: outbox-full, outbox-share (an OutboxShare), stanza-too-big, storage-failed, and link-down for an iq while the
        stream is down.
        """
        component = self._components.get(domain)
        if component is None:
            raise GatewayError("link-down", NOT_RUNNING)
        if not component.online and any(s.tag == "iq" for s in stanzas):
            raise GatewayError("link-down")  # an iq is worth nothing later
        now = time.time()
        count = len(texts)
        named = request_ids or (current_id() or "" if count == 1 else "",) * count
        entries = [_entry(*each, now) for each in zip(stanzas, texts, notes or (None,) * count, named, strict=True)]
        for e in entries:
            self.require_size(e.data)
        try:
            numbers = component.outbox.put(entries)
        except OutboxFull:
            raise GatewayError("outbox-full") from None
        except ShareFull as e:
            raise OutboxShare(e.senders, self._settings.share) from None
        except OSError as e:
            raise GatewayError("storage-failed", f"The outbox cannot be written: {e.strerror or e}") from e
        return numbers if self._settings.outbox == "disk" else ()

    def require_size(self, data: bytes) -> None:
        """Raise GatewayError, stanza-too-big, for a stanza that would end the shared stream."""
        if len(data) > self._settings.send_limit:
            raise GatewayError("stanza-too-big", f"The stanza is larger than {self._settings.send_limit} bytes")

    def stream(self, domain: str) -> int:
        """The number of the stream of `domain` that is up; 0: none is."""
        component = self._components.get(domain)
        return 0 if component is None else component.stream

    def send_bound(self, domain: str, stanza: Element, text: str, request_id: str, stream: int) -> None:
        """Queue a stanza, which its sender keeps, for the stream of this number alone.

        Raises GatewayError: link-down if that is not up any more, outbox-full, outbox-share.
        """
        component = self._components.get(domain)
        if component is None:
            raise GatewayError("link-down", NOT_RUNNING)
        try:
            component.outbox.put_bound(_entry(stanza, text, None, request_id, time.time()), stream)
        except OtherStream:
            raise GatewayError("link-down") from None
        except OutboxFull:
            raise GatewayError("outbox-full") from None
        except ShareFull as e:
            raise OutboxShare(e.senders, self._settings.share) from None

    def noted(self, domain: str) -> Sequence[NotedEntry]:
        """What an earlier process has sent for `domain`, and whose notes are not acknowledged."""
        return self._components[domain].outbox.noted()

    def ack_notes(self, domain: str, numbers: Sequence[int]) -> None:
        """Acknowledge the notes of what was sent."""
        self._components[domain].outbox.ack_notes(numbers)

    def forget_notes(self, domain: str) -> None:
        """Have no acknowledged note on disk any more when this returns. Raises OSError."""
        if domain in self._components:
            self._components[domain].outbox.forget_notes()

    def restored(self, text: str) -> bool:
        """Whether the outbox of an earlier process had this stanza, and it was not known to have arrived."""
        return any(component.outbox.restored(text) for component in self._components.values())

    def oldest(self) -> float | None:
        """Since when the oldest stanza has been waiting (Unix time); None if none does."""
        return min((since for c in self._components.values() if (since := c.outbox.oldest) is not None), default=None)

    def is_up(self) -> bool:
        """Whether all streams are up."""
        return all(component.online for component in self._components.values())

    def status(self) -> list[dict[str, Any]]:
        """How each stream is, and how many stanzas wait for it or for its confirmation; times are Unix times."""
        return [{"domain": d, **c.state._asdict(), "outbox": len(c.outbox)} for d, c in self._components.items()]


def _entry(stanza: Element, text: str, note: Any, request_id: str, now: float) -> Entry:
    sender = stanza.get("from", "").partition("/")[0]  # prepared: the first slash begins the resource
    label, account = Label(sender, stanza.get("id", "")), account_of(sender)
    return Entry(text.encode(), label, 0, stanza.tag != "iq", account, note, now, request_id)
