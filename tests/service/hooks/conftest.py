"""A gateway with a link to servers that the test holds, and hooks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import DOMAIN, MakeApp, register_users
from tests.service.hooks.network import Network
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.hooks.hook import Hook, HookTarget
from xmpp_rest.service.hooks.said import Kind, Said

WAIT = "0.3"


def hook(*targets: str, **members: Any) -> Hook:
    """A hook of juliet's, if nothing else is said."""
    owner = parse_jid(members.pop("owner", f"juliet@{DOMAIN}"))
    speaks_as = parse_jid(members.pop("speaks_as", str(owner)))
    found = tuple(HookTarget(parse_jid(target.removeprefix("room:")), target.startswith("room:") or None) for target in targets)
    return Hook(members.pop("name", "ops"), owner, speaks_as, found, members.pop("number", 1), 0.0, **members)


def said(text: str, **members: Any) -> Said:
    return Said(Kind.MESSAGE, text, **members)


@pytest.fixture
def gateway(make_app: MakeApp) -> Gateway:
    app = register_users(
        make_app(hooks_wait=WAIT, gateway_conference_domain="rooms.capulet.example", gateway_rooms_domain="muclight.capulet.example")
    )
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    return gateway


@pytest.fixture
def network(gateway: Gateway) -> Network:
    return Network(gateway.parts.router)
