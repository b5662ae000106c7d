"""What the router works with: the way out, the way to hosted domains of other owners, and what others have it call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID

Preparer = Callable[[Collection[JID]], None]
"""Called with accounts that are about to get stanzas."""
Together = Callable[[Sequence[Element]], AbstractContextManager[Mapping[int, Exception]]]
"""A context for delivering these; after it, the errors of those that were not accepted after all, by `id`."""
Sent = Element | Exception | None
"""What came of a stanza that was sent: the answer if there is one at once, the exception, None."""
OnLink = Callable[[str, bool], object]
"""Gets a hosted domain, and whether its stream is up. Must be quick: it is called on the stream's thread, before anything is written."""
Asker = Callable[[JID, JID], JID]
"""(sender, recipient) → from whom an iq is sent: the sender, with the resource by which the recipient knows it."""
Observer = Callable[[Element, JID | None, JID], object]
"""(stanza, sender, recipient): takes notice; what it returns is ignored. Must be quick: it is called on the stream's thread."""


class Link(Protocol):
    """The way out, to other domains."""

    def send(self, domain: str, stanza: Element) -> None:
        """Queue a stanza for the stream of this hosted domain."""

    def send_all(
        self, domain: str, stanzas: Sequence[Element], texts: Sequence[str], notes: Sequence[Any] = (), request_ids: Sequence[str] = ()
    ) -> Sequence[int]:
        """Queue all of these, which are there as text too, or none; their numbers in the journal, if that keeps them and their notes."""

    def restored(self, text: str) -> bool:
        """Whether the outbox of an earlier process had this stanza, and it was not known to have arrived."""

    def require_size(self, data: bytes) -> None:
        """Raise GatewayError, stanza-too-big, for a stanza that would end the stream."""

    def stream(self, domain: str) -> int:
        """The number of the stream of this hosted domain that is up; 0: none is."""

    def send_bound(self, domain: str, stanza: Element, text: str, request_id: str, stream: int) -> None:
        """Queue a stanza, which its sender keeps, for the stream of this number alone."""


class Crossing(Protocol):
    """The way to hosted domains that have owners of their own (many-machines §11)."""

    def pass_on(self, domain: str, texts: Sequence[str], request_ids: Sequence[str], *, is_answer: bool = False) -> None:
        """Keep these, in order, for the owner of this domain. All or none; `is_answer`: however much waits, as these answer what did.

        Raises GatewayError: storage-failed, link-down, outbox-full, outbox-share.
        """

    def pass_on_later(self, domain: str, texts: Sequence[str], request_ids: Sequence[str]) -> None:
        """These could not be kept: keep them as soon as the storage does, before all that is passed on there after them."""

    def is_owned(self, domain: str) -> bool:
        """Whether the domain has an owner now; does not wait."""


def who_asks(sender: JID, _to: JID) -> JID:
    """An Asker: the sender as it is."""
    return sender


def each_alone(_: Sequence[Element]) -> AbstractContextManager[Mapping[int, Exception]]:
    """A Together: each is accepted by itself."""
    return nullcontext({})
