"""How are all hosted domains attached? One component stream each, and one place that knows how they are."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.component import Component, Events, State
from xmpp_rest.link.errors import OutboxFull
from xmpp_rest.protocol.element import serialise
from xmpp_rest.settings import Link


class Uplink:
    """The component streams of `domains`. Owned by the Gateway; `start()` and `stop()` are called once each."""

    def __init__(self, domains: list[str], settings: Link, events: Events) -> None:
        self._components = {domain: Component(domain, settings, events) for domain in domains}

    def start(self) -> None:
        for component in self._components.values():
            component.start()

    def stop(self) -> None:
        for component in self._components.values():
            component.stop()

    def send(self, domain: str, stanza: Element) -> None:
        """Queue a stanza for the stream of `domain`. Raises BadXML, GatewayError: outbox-full, and link-down for an iq while it is down."""
        component = self._components[domain]
        if stanza.tag == "iq" and not component.online:
            raise GatewayError("link-down")  # an iq is worth nothing later
        data = serialise(stanza).encode()
        try:
            component.outbox.put(data)
        except OutboxFull:
            raise GatewayError("outbox-full") from None

    def status(self) -> dict[str, tuple[State, int]]:
        """domain → how its stream is, and how many stanzas wait for it."""
        return {domain: (c.state, len(c.outbox)) for domain, c in self._components.items()}
