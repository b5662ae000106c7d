"""A link that leads nowhere: what the router sends to other domains comes to a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.link.router import Router

Send = Callable[[str, Element], None]
SendAll = Callable[[str, Sequence[Element], Sequence[str]], None]


class FakeLink:
    """Calls `out` with each stanza, or `out_all` with several at once; knows nothing of an earlier process but `text`."""

    def __init__(self, out: Send, out_all: SendAll | None = None, text: str | None = None) -> None:
        self._out = out
        self._out_all = out_all
        self._text = text

    def send(self, domain: str, stanza: Element) -> None:
        self._out(domain, stanza)

    def send_all(
        self, domain: str, stanzas: Sequence[Element], texts: Sequence[str], notes: Sequence[Any] = (), request_ids: Sequence[str] = ()
    ) -> Sequence[int]:
        if self._out_all is not None:
            self._out_all(domain, stanzas, texts)
        else:
            for stanza in stanzas:
                self._out(domain, stanza)
        return ()

    def restored(self, text: str) -> bool:
        return text == self._text

    def require_size(self, data: bytes) -> None:
        """Any size will do."""

    def stream(self, _domain: str) -> int:
        return 1

    def send_bound(self, domain: str, stanza: Element, _text: str, _request_id: str, _stream: int) -> None:
        self._out(domain, stanza)


def attach(router: Router, out: Send, out_all: SendAll | None = None, *, restored: str | None = None) -> None:
    """Have the router send what is for other domains to these."""
    router._link = FakeLink(out, out_all, restored)
