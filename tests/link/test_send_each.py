"""Many stanzas at once through the router: one call of the link, or each alone where they are not taken together."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import pytest

from tests.conftest import DOMAIN
from tests.link.fake import attach
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.element import CopyTexts, serialise
from xmpp_rest.protocol.stanza import addressed, child, make

ROMEO, TYBALT, NOBODY = "romeo@montague.example/o", "tybalt@montague.example/s'<&>", f"nobody@{DOMAIN}"
SAID = make("message", child("body", "hark > <b/> ' é"), from_=f"juliet@{DOMAIN}/x>'", id_="m", type_="chat")


class Out:
    """What was sent together, and alone."""

    def __init__(self, gateway: Gateway, refused: str = "") -> None:
        self.together: list[list[str]] = []
        self.alone: list[str] = []
        self._refused = refused
        attach(gateway.parts.router, self._one, self._all)

    def _one(self, _: str, stanza: Element) -> None:
        self._check([stanza])
        self.alone.append(serialise(stanza))

    def _all(self, _domain: str, stanzas: Sequence[Element], texts: Sequence[str]) -> None:
        self._check(stanzas)
        self.together.append(list(texts))

    def _check(self, stanzas: Sequence[Element]) -> None:
        if any(stanza.get("to") == self._refused for stanza in stanzas):
            raise GatewayError("outbox-full")


def test_others_are_sent_together_and_hosted_ones_answer(gateway: Gateway) -> None:
    out = Out(gateway)
    copies = [addressed(SAID, to) for to in (ROMEO, NOBODY, TYBALT)]
    taken, refused, also = gateway.parts.router.send_each(copies, CopyTexts(SAID))
    assert (taken, also, out.alone) == (None, None, [])
    assert isinstance(refused, Element)
    assert refused.get("type") == "error"
    assert out.together == [[serialise(copies[0]), serialise(copies[2])]]


def test_one_that_is_not_taken_keeps_none_of_the_others(gateway: Gateway) -> None:
    out = Out(gateway, refused=ROMEO)
    copies = [addressed(SAID, to) for to in (TYBALT, ROMEO, TYBALT)]
    first, refused, last = gateway.parts.router.send_each(copies, CopyTexts(SAID))
    assert (first, last, out.together) == (None, None, [])
    assert isinstance(refused, GatewayError)
    assert out.alone == [serialise(copies[0]), serialise(copies[2])]


@pytest.mark.parametrize("bad", ["romeo@montague.example/\0", ""])
def test_an_address_that_is_none_is_the_error_of_one(gateway: Gateway, bad: str) -> None:
    out = Out(gateway)
    results = gateway.parts.router.send_each([addressed(SAID, ROMEO), addressed(SAID, bad)])
    assert results[0] is None
    assert isinstance(results[1], Exception)
    assert len(out.together) == 1


@pytest.mark.parametrize("stanza", [SAID, make("presence", from_="a@b/>"), Element("message", {"{urn:x}y": "z"})])
@pytest.mark.parametrize("to", [ROMEO, TYBALT, "é@b"])
def test_a_copy_is_written_as_if_it_were_serialised(stanza: Element, to: str) -> None:
    assert CopyTexts(stanza)(addressed(stanza, to)) == serialise(addressed(stanza, to))
