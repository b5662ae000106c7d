"""A hook to publish to."""

from __future__ import annotations

import pytest

from tests.conftest import DOMAIN
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.hooks.draft import Draft


@pytest.fixture
def token(gateway: Gateway) -> str:
    """The token of juliet's hook `ops`, which sends to the nurse."""
    return make_hook(gateway)


def make_hook(gateway: Gateway, name: str = "ops", to: str = "nurse", secret: str | None = None) -> str:
    juliet = parse_jid(f"juliet@{DOMAIN}")
    draft = Draft(juliet, juliet, (f"{to}@{DOMAIN}",), secret=secret)
    return gateway.parts.hooks.make(name, draft)[1]
