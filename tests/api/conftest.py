"""What the users of a gateway send to other domains."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from tests.link.fake import attach
from xmpp_rest.gateway.gateway import Gateway


@pytest.fixture
def sent(gateway: Gateway) -> list[Element]:
    """What goes out to the network."""
    out: list[Element] = []
    attach(gateway.parts.router, lambda _, stanza: out.append(stanza))
    return out
