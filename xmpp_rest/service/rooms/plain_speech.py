"""What is said in rooms by who is kept in none: it is sent as any other stanza."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.router import Router
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.rooms.refused import message_refused
from xmpp_rest.service.rooms.said import OnSaid


class PlainSpeech:
    """For bots at domains whose owner keeps nobody in rooms elsewhere."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def say_later(self, stanza: Element, on_said: OnSaid) -> None:
        """Send it; `on_said` is called at once. Raises BadXML, GatewayError."""
        refused = self._router.send(stanza)
        on_said(None if refused is None else message_refused(condition_of(refused), stanza.get("to", "")).raised)
